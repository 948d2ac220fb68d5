"""Starting and stopping: what is refused, and that nothing in flight is lost."""
import asyncio
import contextlib
import socket

import pytest

from api import Storm
from metrics import read, value
from server import Server, new_key, run
from test_dedupe import CREATE, dedupe_key, once
from waiting import wait_for

CONFIG, USAGE = 78, 64


@pytest.mark.parametrize("name, text, allowed", [
    *[(name, text, "whole number") for name in (
        "DATABASE_POOL_MAX", "DATABASE_LOCK_POOL_MAX", "DATABASE_POOL_CONNECTION_TIMEOUT_MS",
        "DATABASE_POOL_IDLE_TIMEOUT_MS", "DATABASE_LOCK_IDLE_TX_TIMEOUT_MS", "DATABASE_LOCK_TIMEOUT_MS")
      for text in ("0", "-1", "2.5", "ten", "", "99999999999999999999")],
    ("TOCSIN_LISTEN", "nowhere", "address"),
    ("TOCSIN_LISTEN", "127.0.0.1:65536", "address"),
    ("TOCSIN_DATA_DIR", "relative/path", "absolute"),
    ("TOCSIN_LOG", "loud", "info"),
    ("TOCSIN_UNKNOWN_SYSTEMS", "maybe", "reject"),
    ("TOCSIN_ALERT_AUTO_RESOLVE", "1", "false"),
    ("TOCSIN_ALERT_SYSTEM_LABELS", "a,,b", "labels"),
    *[(name, text, "3650d") for name in ("TOCSIN_ALERT_RETENTION", "TOCSIN_AUDIT_RETENTION", "TOCSIN_EVENT_RETENTION")
      for text in ("30", "3651d")],
    *[("TOCSIN_EVENT_STREAMS_PER_CALLER", text, "whole number") for text in ("0", "1000001")],
])
def test_a_bad_setting_is_named(tmp_path, name, text, allowed):
    """Exit 78; the setting, its value, and what is allowed, before anything is made."""
    done = run("serve", **{"TOCSIN_DATA_DIR": tmp_path / "data", name: text})
    assert done.returncode == CONFIG, done
    assert name in done.stderr and f'"{text[:20]}' in done.stderr and allowed in done.stderr
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("address", ["256.1.1.1:3000", "192.0.2.1:3000", "[::x]:3000", None])
def test_an_address_that_cannot_be_had(tmp_path, address):
    """No address, not this machine's, or (None) taken. Exit 78 before a cluster is made and a key is told: seen to fail
    with the address bound after the database was made, as the key was printed for a server that did not start."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = address or f"127.0.0.1:{taken.getsockname()[1]}"
        done = run("serve", TOCSIN_DATA_DIR=tmp_path / "data", TOCSIN_LISTEN=address)
    assert done.returncode == CONFIG and not done.stdout, done
    assert f'TOCSIN_LISTEN: "{address}"' in done.stderr and "free port" in done.stderr
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("command", [["serve"], ["key", "list"], ["migrate"], ["lock", "run", "key", "--", "true"]],
                         ids=" ".join)
@pytest.mark.parametrize("place", ["file", "file/data", "x" * 300, "it's"])
def test_a_data_directory_that_cannot_be(tmp_path, command, place):
    """A file, below a file, a name that is too long, one that PostgreSQL cannot have: seen to fail (exit 1, no setting
    named) with errors of the data directory passed on as they come."""
    (tmp_path / "file").touch()
    done = run(*command, TOCSIN_DATA_DIR=tmp_path / place, TOCSIN_LISTEN="127.0.0.1:0")
    assert done.returncode == CONFIG and not done.stdout, done
    assert f'TOCSIN_DATA_DIR: "{tmp_path / place}'[:100] in done.stderr and "absolute path" in done.stderr


@pytest.mark.parametrize("name, text", [("TOCSIN_ADMIN_KEY", "hunter2"), ("DATABASE_URL", "postgresql://u:hunter2@[")])
def test_a_bad_secret_is_not_shown(tmp_path, name, text):
    done = run("serve", **{"TOCSIN_DATA_DIR": tmp_path / "data", name: text})
    assert done.returncode == CONFIG
    assert name in done.stderr and "hunter2" not in done.stderr + done.stdout


@pytest.mark.parametrize("arguments", [["nonsense"], ["serve", "nonsense"], ["serve", "--nonsense"], ["key"],
                                       ["key", "nonsense"], ["incident", "show"], ["lock", "run", "key"], []],
                         ids=" ".join)
def test_misuse(arguments):
    """Exit 64, an explanation on standard error, nothing on standard output."""
    done = run(*arguments)
    assert done.returncode == USAGE and done.stderr and not done.stdout


def test_help_lists_every_setting():
    done = run("serve", "--help")
    assert done.returncode == 0
    for name, default in (("TOCSIN_LISTEN", "127.0.0.1:3000"), ("TOCSIN_DATA_DIR", "/var/lib/tocsin"),
                          ("DATABASE_URL", "unset"), ("TOCSIN_ADMIN_KEY", "unset"), ("TOCSIN_LOG", "info"),
                          ("DATABASE_POOL_MAX", "20"), ("DATABASE_LOCK_POOL_MAX", "10"),
                          ("DATABASE_POOL_CONNECTION_TIMEOUT_MS", "10000"), ("DATABASE_POOL_IDLE_TIMEOUT_MS", "30000"),
                          ("DATABASE_LOCK_IDLE_TX_TIMEOUT_MS", "30000"), ("DATABASE_LOCK_TIMEOUT_MS", "30000")):
        assert f"{name}  (default: {default}" in done.stdout
    assert all(run(*words.split(), "--help").returncode == 0 for words in ("migrate", "key create", "lock run"))
    assert "serve" in run("--help").stdout


def test_first_start_prints_one_key_and_a_second_serve_is_refused():
    """On the embedded cluster. Proves the lock of the data directory: without it the second serve would take the
    first one's cluster for an orphan, and stop it."""
    with Server(admin_key=None) as first:
        first.start()
        printed = {word.strip(".,;:'\"") for word in first.log.split() if word.startswith("tocsin_")}
        assert len(printed) == 1
        first.key = printed.pop()
        made = first.api.create("embedded")

        second = run("serve", **first.settings)
        assert second.returncode != 0 and str(first.settings["TOCSIN_DATA_DIR"]) in second.stderr
        assert first.api.get(f"/api/v1/incidents/{made['id']}").status == 200

        first.stop()
        assert first.postmaster() is None
        first.lines.clear()
        first.start()
        assert "tocsin_" not in first.log  # the key was told, once
        assert first.api.get(f"/api/v1/incidents/{made['id']}").status == 200


def test_an_absent_database(database):
    """A clear error, and an end: no wait for ever."""
    done = run("serve", DATABASE_URL=database.url + "&dbname=absent", DATABASE_POOL_CONNECTION_TIMEOUT_MS=1000)
    assert done.returncode not in (0, CONFIG) and "absent" in done.stderr


def test_nodes_starting_at_once_migrate_once(database):
    """Proves the migration's lock: without it several nodes create the same tables, and all but one
    fail (seen with migrate_lock.sql not run)."""
    nodes = [Server(database_url=database.url).spawn() for _ in range(4)]
    try:
        for node in nodes:
            wait_for(lambda node=node: node.url and node.is_ready(), "every node is ready")
    finally:
        for node in nodes:
            node.close()


def test_sigterm_finishes_what_is_in_flight(start, database):
    """20 requests wait for a key when SIGTERM comes. Proves the orderly stop: the server refuses newcomers, answers
    those 20 when the key comes free, and ends with 0. Seen: with a drain bound of 0 their connections are lost."""
    node = start(DATABASE_LOCK_TIMEOUT_MS=300000)

    def refuses():
        with contextlib.suppress(OSError):
            socket.create_connection(node.url.removeprefix("http://").split(":"), timeout=5).close()
            return False
        return True

    async def session():
        async with Storm([node.api] * 20) as connections:
            with database.hold_key(dedupe_key("slow")) as let_go:
                flight = asyncio.ensure_future(connections.post(CREATE, [once("slow")] * 20))
                await asyncio.to_thread(wait_for, lambda: value(node, "tocsin_batcher_contended_items",
                                                                batcher="create") >= 20, "20 requests wait")
                node.process.terminate()
                await asyncio.to_thread(wait_for, refuses, "newcomers are refused")
                assert not flight.done() and node.process.poll() is None
                let_go()
            return await flight

    replies = asyncio.run(session())
    assert sorted(reply.status for reply in replies) == [200] * 19 + [201]
    assert node.process.wait(60) == 0
    assert len(database.open_incidents()["slow"]) == 1


def each(label, *values):
    return [{label: value} for value in values]


POOLS, BATCHERS = each("pool", "work", "lock"), each("batcher", "create", "alert", "delete")
HISTOGRAMS = ("tocsin_batch_size", "tocsin_http_request_duration_seconds")
# What operators are promised, and what its samples are told apart by.
PROMISED = {
    "tocsin_pool_connections": [{**pool, "state": state} for pool in POOLS for state in ("idle", "in_use", "connecting")],
    **dict.fromkeys(("tocsin_pool_waits_total", "tocsin_pool_wait_seconds_total", "tocsin_pool_timeouts_total"), POOLS),
    **dict.fromkeys(("tocsin_lock_waits_total", "tocsin_lock_wait_seconds_total", "tocsin_lock_timeouts_total",
                     "tocsin_lock_lost_total", "tocsin_executor_queued", "tocsin_executor_jobs_total",
                     "tocsin_executor_rounds_total"), [{}]),
    **dict.fromkeys(("tocsin_batcher_lock_waits_total", "tocsin_batcher_lock_wait_seconds_total",
                     "tocsin_batcher_lock_timeouts_total", "tocsin_batcher_queued"), BATCHERS),
    **dict.fromkeys(("tocsin_outbox_lag_seconds", "tocsin_outbox_unread"), each("reader", "live", "audit")),
    "tocsin_batch_size": BATCHERS[:1],
    "tocsin_http_requests_total": [{"procedure": "createIncident", "status": "201"},
                                   {"procedure": "createIncident", "status": "200"},
                                   {"procedure": "getIncident", "status": "400"}],
    "tocsin_http_request_duration_seconds": each("procedure", "createIncident", "getIncident", "unmatched"),
}


def labels_of(family):
    """The label sets of its samples, without the bounds of buckets."""
    return [dict(own) for own in {tuple(label for label in labels if label[0] != "le") for _, labels in family.samples}]


def check_promised(families):
    """Exactly these label sets; of what there is for each procedure, at least these."""
    for name, expected in PROMISED.items():
        found = labels_of(families[name])
        if "procedure" in expected[0]:
            assert all(labels in found for labels in expected), (name, found)
            assert {frozenset(labels) for labels in found} == {frozenset(expected[0])}, (name, found)
        else:
            assert len(found) == len(expected) and all(labels in found for labels in expected), (name, found)
        kind = "counter" if name.endswith("_total") else "histogram" if name in HISTOGRAMS else "gauge"
        assert families[name].kind == kind, name


def test_health_and_metrics(start):
    """/healthz, /readyz, and /metrics with everything the operator is promised: seen to fail with
    the samples of one batcher left out."""
    node = start()
    for path in ("/healthz", "/readyz"):
        assert node.anonymous.get(path).status == 200
    node.api.create_once("measured")
    node.api.create_once("measured")
    assert node.api.get("/api/v1/incidents/nonsense").status == 400

    # How far readers are behind is known with the first heartbeat.
    wait_for(lambda: "tocsin_outbox_lag_seconds" in read(node), "the lag is known")
    families = read(node)
    check_promised(families)
    assert value(node, "tocsin_http_requests_total", procedure="createIncident", status="201") == 1
    assert value(node, "tocsin_http_requests_total", procedure="createIncident", status="200") == 1
    assert value(node, "tocsin_http_requests_total", procedure="getIncident", status="400") == 1
    duration = families["tocsin_http_request_duration_seconds"]
    assert duration.samples["tocsin_http_request_duration_seconds_count", (("procedure", "createIncident"),)] == 2
    batches = families["tocsin_batch_size"].samples
    assert sum(number for (name, _), number in batches.items() if name.endswith("_sum")) == 2

    metrics = node.anonymous.get("/metrics").body.decode()
    assert not any(key.split("_", 2)[2] in metrics for key in (node.key, new_key()))
