"""What docs/operations.md promises: connections and files, nodes behind nginx, PgBouncer, backup and restore. The
example configurations are the documented files, with their addresses replaced."""
import contextlib
import re
import shutil
import signal
import socket
import subprocess

import psycopg2
import pytest

from api import Api
from cluster import free_port, program
from metrics import value
from programs import need
from server import BINARY, REPOSITORY, Server, environment, run
from waiting import wait_for

EXAMPLES = REPOSITORY / "docs" / "examples"


def accepts(port):
    with contextlib.suppress(OSError):
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
        return True
    return False


@contextlib.contextmanager
def process(command, port, **options):
    """A program of the test's own, once it accepts connections."""
    with subprocess.Popen(command, **options) as running:
        try:
            wait_for(lambda: running.poll() is not None or accepts(port), f"{command[0]} listens")
            assert running.poll() is None, f"{command} ended"
            yield running
        finally:
            running.send_signal(signal.SIGTERM)
            running.wait(30)


def test_connections_of_all_nodes(start, database):
    """Two nodes of which each fits: the second says that both are too many, and what to change; /metrics has the budget.
    Seen to fail with the greatest instead of the sum in node_budget.sql, and without the call of warn() in nodes.c."""
    most = int(database.value("show max_connections"))
    reserved = database.value("select sum(setting::int)::int from pg_settings"
                              " where name in ('superuser_reserved_connections', 'reserved_connections')")
    pool, of_a_node = most // 2, most // 2 + 10 + 3  # as the document counts
    first = start(DATABASE_POOL_MAX=pool)
    assert "max_connections" not in first.log
    second = start(DATABASE_POOL_MAX=pool)
    assert (f"2 nodes may open {2 * of_a_node} connections, but the database server has {most - reserved} for them: raise"
            f" its max_connections by {2 * of_a_node - most + reserved}, or lower DATABASE_POOL_MAX ({pool} here) or"
            " DATABASE_LOCK_POOL_MAX (10 here)") in second.log
    assert value(second, "tocsin_nodes") == 2
    assert value(second, "tocsin_nodes_connections_wanted") == 2 * of_a_node
    assert value(second, "tocsin_nodes_connections_available") == most - reserved


def test_connections_of_one_node(start, database):
    """One node by itself may be too much. Seen to fail with "1 nodes"."""
    most = int(database.value("show max_connections"))
    assert f": 1 node may open {most + 10 + 3} connections, but the database server has " in start(DATABASE_POOL_MAX=most).log


def test_few_open_files(database, tmp_path):
    """The limit of which the document says that it is enough for 5,000 streams; the server tells what it leaves, and what
    more would take. Seen to fail without the call of warn_of_limit() in server_events.c."""
    limited = tmp_path / "limited"
    limited.write_text(f'#!/bin/sh\nulimit -n 7700 && exec "{BINARY}" "$@"\n')
    limited.chmod(0o755)
    with Server(database_url=database.url) as node:
        node.options = {"program": limited}
        node.start()
        assert "6676 HTTP connections, 5007 of them for streams" in node.log
        assert "16384 and 12288 want a hard limit of 17408" in node.log


@contextlib.contextmanager
def nginx(nodes, folder, change=lambda text: text):
    """With docs/examples/nginx.conf, changed, in front of two nodes; a client of it."""
    path, port = need("nginx"), free_port()
    text = change((EXAMPLES / "nginx.conf").read_text())
    addresses = {"127.0.0.1:8080": f"127.0.0.1:{port}", **{f"127.0.0.1:{3001 + i}": node.url.removeprefix("http://")
                                                           for i, node in enumerate(nodes)}}
    for example in addresses:
        assert f"{example};" in text or f"{example} " in text, example
    text = re.sub(r"[\d.]+:\d+", lambda found: addresses[found[0]], text)
    places = "".join(f"{name}_temp_path {folder}/{name};\n" for name in
                     ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    (folder / "nginx.conf").write_text(f"daemon off;\npid {folder}/pid;\nerror_log {folder}/error.log;\n"
                                       f"events {{}}\nhttp {{\naccess_log off;\n{places}{text}\n}}\n")
    with process([path, "-e", folder / "error.log", "-c", folder / "nginx.conf"], port):
        yield Api(f"http://127.0.0.1:{port}", nodes[0].key)


def see_an_event(front, nodes):
    """Opens a stream, then makes an incident; its event has to come while the stream stays open."""
    with subprocess.Popen([BINARY, "events", "--json", "--limit=1"], text=True, stdout=subprocess.PIPE,
                          env=environment({"TOCSIN_URL": f"http://{front.address}", "TOCSIN_KEY": front.key})) as follower:
        try:
            wait_for(lambda: any("tocsin_event_streams 1" in node.anonymous.get("/metrics").body.decode()
                                 for node in nodes), "a node has the stream")
            made = front.create("behind")["id"]
            # Far below nginx's proxy_read_timeout, whose end would flush a buffer, and far above what an event takes.
            told, _ = follower.communicate(timeout=30)
            assert made in told and follower.returncode == 0
        finally:
            follower.kill()
    wait_for(lambda: all("tocsin_event_streams 0" in node.anonymous.get("/metrics").body.decode() for node in nodes),
             "the stream is gone")
    return made


def test_two_nodes_behind_nginx(start, tmp_path):
    """Creates go to both nodes, an event passes at once, and when one node goes the other answers everything."""
    nodes = [start(), start()]
    with nginx(nodes, tmp_path) as front:
        made = see_an_event(front, nodes)

        def both_had_some():
            assert front.create_once("behind").status == 200
            return all('procedure="createIncident"' in node.anonymous.get("/metrics").body.decode() for node in nodes)
        wait_for(both_had_some, "both nodes have served creates")
        nodes[0].stop()
        assert all(front.get(f"/api/v1/incidents/{made}").status == 200 for _ in range(8))


@pytest.mark.parametrize("reason", ["the example says so", "Tocsin says so"])
def test_streams_are_not_buffered(start, tmp_path, reason):
    """For two reasons, each of which is enough: `proxy_buffering off`, and X-Accel-Buffering in the answer. Each test takes
    the other reason away, and lets nginx speak HTTP/1.0 to the nodes: it does so by itself, and holds what fills no
    buffer; of HTTP/1.1 it passes each chunk anyway. Seen to fail with `proxy_buffering off` out of the example, and with
    X-Accel-Buffering out of src/http/stream.c: the event does not come."""
    def change(text):
        version, off, place = "proxy_http_version 1.1;", "proxy_buffering off;", "proxy_cache off;"
        assert version in text and place in text
        text = text.replace(version, "proxy_http_version 1.0;")
        if reason == "Tocsin says so":
            return text.replace(off, "")
        return text.replace(place, f"{place} proxy_ignore_headers X-Accel-Buffering;")

    nodes = [start(), start()]
    with nginx(nodes, tmp_path, change) as front:
        see_an_event(front, nodes)


@contextlib.contextmanager
def pgbouncer(cluster, folder, mode, connections=66):
    """In front of the cluster, with so many connections to a database; the address of its databases."""
    path, port = need("pgbouncer"), free_port()
    owner = cluster.owner
    text = (EXAMPLES / "pgbouncer.ini").read_text()
    for old, new in (("tocsin = host=127.0.0.1 port=5432", f"* = host={cluster.folder} port={cluster.settings['port']}"),
                     ("listen_port = 6432", f"listen_port = {port}\nunix_socket_dir ="),
                     ("/etc/pgbouncer/userlist.txt", f"{folder}/users"), ("=session", f"={mode}"),
                     ("default_pool_size = 66", f"default_pool_size = {connections}")):
        assert old in text
        text = text.replace(old, new)
    (folder / "pgbouncer.ini").write_text(text)
    (folder / "users").write_text('"postgres" ""\n')
    if owner:
        for place in (folder, *folder.iterdir()):
            shutil.chown(place, "postgres")
        for place in folder.parents:
            place.chmod(place.stat().st_mode | 0o011)
    with open(folder / "log", "wb") as log, \
            process([path, folder / "pgbouncer.ini"], port, stdout=log, stderr=log, cwd="/", **owner):
        yield f"postgresql://postgres@127.0.0.1:{port}/"


def test_pgbouncer_with_sessions(cluster, database, tmp_path):
    """docs/examples/pgbouncer.ini: everything works, session locks, prepared statements and LISTEN among it."""
    with pgbouncer(cluster, tmp_path, "session") as address:
        url = address + database.name
        with Server(database_url=url) as first, Server(database_url=url) as second:
            first.start(), second.start()
            assert [node.api.create_once("pooled").status for node in (first, second, first)] == [201, 200, 200]
            inner = f"{BINARY} lock run --no-wait key -- true; test $? = 75"
            done = run("lock", "run", "--no-wait", "key", "--", "sh", "-c", inner, DATABASE_URL=url)
            assert done.returncode == 0, done
            with subprocess.Popen([BINARY, "events"], stdout=subprocess.PIPE, text=True,
                                  env=environment({"TOCSIN_URL": second.url, "TOCSIN_KEY": second.key})) as follower:
                wait_for(lambda: "tocsin_event_streams 1" in second.anonymous.get("/metrics").body.decode(), "streams")
                made = first.api.create("pooled")["id"]
                assert any(made in line for line in follower.stdout)  # perhaps not the first that it is told
                follower.terminate()


def test_pgbouncer_with_transactions(cluster, database, tmp_path):
    """Documented not to work: an error says so, and nothing is done twice. Should this ever pass, the document is to be
    changed. All connections share one of PostgreSQL, so that the second command meets what the first one left there."""
    with pgbouncer(cluster, tmp_path, "transaction", connections=1) as address:
        url = address + database.name
        for _ in range(3):
            done = run("lock", "run", "--no-wait", "key", "--", "true", DATABASE_URL=url)
            if done.returncode:
                break
        assert done.returncode != 0 and "prepared statement" in done.stderr, done


def test_pgbouncer_with_transactions_and_a_server(database, cluster, tmp_path):
    """The first row of the document's table. A start may already fail of it; and requests do, with 500. All connections of
    the node share one of PostgreSQL, so that any two of them meet: of 64, a request may find one that nobody else had. Seen to
    fail with pool_mode=session and 64."""
    with pgbouncer(cluster, tmp_path, "transaction", connections=1) as address, \
            Server(database_url=address + database.name) as node:
        node.spawn()

        def has_failed():
            if node.process.poll() is not None:
                return True
            return node.url and node.api.create_once("pooled").status == 500
        wait_for(has_failed, "the server or a request fails")
        wait_for(lambda: "prepared statement" in node.log, "it says why")
        node.kill()
        assert len(database.open_incidents().get("pooled", [])) <= 1


def test_what_pgbouncer_does_to_sessions(cluster, database, tmp_path):
    """The rows of the document's table on pool_mode=transaction, each seen: locks and settings of a client are another's,
    and notifications go nowhere. Tocsin without PgBouncer sees none of this (test_dedupe, test_lock_run)."""
    with pgbouncer(cluster, tmp_path, "transaction") as address:
        one, other = (psycopg2.connect(address + database.name) for _ in range(2))
        with contextlib.closing(one), contextlib.closing(other):
            one.autocommit = other.autocommit = True

            def ask(connection, statement):
                with connection.cursor() as cursor:
                    cursor.execute(statement)
                    return cursor.fetchone()[0] if cursor.description else None
            assert ask(one, "select pg_try_advisory_lock(1)") and ask(other, "select pg_try_advisory_lock(1)")
            ask(one, "select set_config('lock_timeout', '1234ms', false)")
            assert ask(other, "show lock_timeout") == "1234ms"
            direct = database.connect()
            with contextlib.closing(direct):
                for listener in (one, direct):
                    ask(listener, "listen tocsin")
                database.rows("select pg_notify('tocsin', 'look')")
                wait_for(lambda: direct.poll() or direct.notifies, "who is connected directly hears it")
                one.poll()
                assert not one.notifies


def check_restored(restored, made):
    """A server on a restored database has the incident, its one open one, the audit trail and the key, and tells events."""
    with Server(database_url=restored.url) as again:
        again.start()
        assert again.api.create_once("kept").json["incident"]["id"] == made
        assert restored.open_incidents() == {"kept": [made]}
        with subprocess.Popen([BINARY, "events", "--limit=1"], stdout=subprocess.PIPE, text=True,
                              env=environment({"TOCSIN_URL": again.url, "TOCSIN_KEY": again.key})) as follower:
            wait_for(lambda: "tocsin_event_streams 1" in again.anonymous.get("/metrics").body.decode(), "streams")
            new = again.api.create("kept")["id"]
            assert new in follower.stdout.readline() and follower.wait(30) == 0
        assert made in again.api.get("/api/v1/audit").body.decode()


def test_backup_and_restore(cluster, database, start):
    """pg_dump of a running server, pg_restore into an empty database."""
    node = start()
    made = node.api.create("kept", title="Kept")["id"]
    dump = subprocess.run([program("pg_dump"), "--format=custom", database.url], capture_output=True, check=True).stdout
    node.api.create("too-late")
    with cluster.database(f"{database.name}_restored") as restored:
        subprocess.run([program("pg_restore"), "--exit-on-error", "--no-owner", f"--dbname={restored.url}"], input=dump,
                       check=True)
        check_restored(restored, made)


def test_backup_of_the_embedded_cluster(cluster, database):
    """By its socket while it runs, and back: into another server, and into a new embedded cluster, which `lock run` makes
    and runs for as long as pg_restore does. So the tables of a new cluster are the dump's, not those of a start."""
    with Server() as node:
        node.start()
        made = node.api.create("kept", title="Kept")["id"]
        data = node.folder / "data"
        place = ["-h", data / "socket", "-U", "tocsin"]
        dump = node.folder / "tocsin.dump"
        with open(dump, "wb") as out:
            subprocess.run([program("pg_dump"), "--format=custom", *place, "tocsin"], stdout=out, check=True)
        node.api.create("too-late")
        node.stop()
        subprocess.run([program("pg_restore"), "--exit-on-error", "--no-owner", f"--dbname={database.url}", dump],
                       check=True)
        check_restored(database, made)

        (data / "postgres").rename(data / "postgres.old")
        done = run("lock", "run", "restore", "--", program("pg_restore"), "--exit-on-error", "--no-owner", *place, "-d",
                   "tocsin", dump, TOCSIN_DATA_DIR=data)
        assert done.returncode == 0, done
        node.lines.clear()
        node.start()
        assert node.api.create_once("kept").json["incident"]["id"] == made
        assert "Admin key" not in node.log and " applied" not in node.log
