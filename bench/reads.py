"""Reads: a cached GET beside a static answer, an uncached one beside pgbench running the same query."""
import contextlib
import pathlib
import socket as sockets
import subprocess
import time
import urllib.request

from harness import HERE, median, pgbench, sql, wrk

# Far more than the cache has entries, so that a read of a random one is not in it.
INCIDENTS = 200_000
QUERY = HERE.parent / "src/modules/incident/sql/get.sql"

FILL = f"""
insert into systems (id, name) select 'read-' || n, 'read-' || n from generate_series(1, 1000) n on conflict do nothing;
insert into incidents (id, title, severity)
  select ('0190aaaa-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'Down', 'critical'
  from generate_series(1, {INCIDENTS}) n;
insert into incident_systems (incident_id, system_id, is_open, position)
  select ('0190aaaa-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'read-' || (n % 1000 + 1), true, 1
  from generate_series(1, {INCIDENTS}) n;
"""


def write_script(folder):
    """pgbench running the product's own statement, on a random incident, as an anonymous caller."""
    query = "\n".join(line for line in QUERY.read_text().splitlines() if not line.startswith("--"))
    query = query.replace("$1::uuid", "('0190aaaa-0000-7000-8000-' || lpad(to_hex((:k)::bigint), 12, '0'))::uuid")
    query = query.replace("$2", "'public'")
    script = pathlib.Path(folder) / "get.sql"
    script.write_text(f"\\set k random(1, {INCIDENTS})\n{query};\n")
    script.chmod(0o644)
    return script


@contextlib.contextmanager
def static_server(options, folder, body):
    """The HTTP library by itself, which answers with `body`; its URL."""
    path = pathlib.Path(folder) / "static.json"
    path.write_bytes(body)
    program = pathlib.Path(options.binary).resolve().parent / "bench" / "static"
    with subprocess.Popen([program, str(options.port + 1), path]) as process:
        try:
            while process.poll() is None:
                with contextlib.suppress(ConnectionRefusedError), sockets.create_connection(("127.0.0.1", options.port + 1)):
                    break
                time.sleep(0.01)  # until it listens
            yield f"http://127.0.0.1:{options.port + 1}/"
        finally:
            process.terminate()


def measure(server, socket, key, options, rows):
    count, seconds = options.connections, options.seconds
    one = f"{server.url}/api/v1/incidents/0190aaaa-0000-7000-8000-{1:012x}"
    static, cached, ceilings, uncached, failed = [], [], [], [], 0
    sql(socket, FILL)
    sql(socket, "vacuum analyze incidents, incident_systems, systems")
    script = write_script(server.folder)
    with static_server(options, server.folder, urllib.request.urlopen(one).read()) as static_url:
        for _ in range(options.rounds):
            for rates, url, lua in ((static, static_url, "get.lua"), (cached, one, "get.lua"),
                                    (uncached, server.url, "get-any.lua")):
                load = wrk(url, lua, key, count, seconds)
                rates.append(load.rate)
                failed += load.failed
            ceilings.append(pgbench(socket, script, count, seconds))
    ratio = median([rate / ceiling for rate, ceiling in zip(cached, static)])
    rows.append((f"the same bytes from the HTTP library alone, {count} connections", f"{median(static):,.0f}/s", "1", ""))
    rows.append(("cached GET of an incident", f"{median(cached):,.0f}/s", f"{ratio:.2f} x static", ">= 0.7"))
    ratio = median([rate / ceiling for rate, ceiling in zip(uncached, ceilings)])
    rows.append((f"pgbench, the same query, {count} clients", f"{median(ceilings):,.0f}/s", "1", ""))
    rows.append(("uncached GET of an incident", f"{median(uncached):,.0f}/s", f"{ratio:.2f} x pgbench", ">= 0.6"))
    rows.append(("failed reads", str(failed), "", "0"))
