"""Does it stay fast? The same reads and creates at 1,000 incidents and at 1,000,000 with 10,000 open."""
import json
import os
import re
import urllib.request

from harness import sql, wrk

# An open incident has a system nearly of its own at either size, so that answers are of one size.
SYSTEMS = 10_000
FILL = """
insert into systems (id, name) select 'scale-' || n, 'scale-' || n from generate_series(1, {systems}) n on conflict do nothing;
with fresh as (
  insert into incidents (id, title, severity, status, created_at, resolved_at)
  select ('0190bbbb-' || lpad(to_hex(n >> 16), 4, '0') || '-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'Down', 'major',
    case when n % {open_each} = 0 then 'investigating' else 'resolved' end::incident_status, now(),
    case when n % {open_each} = 0 then null else now() end
  from generate_series({first}, {last}) n)
insert into incident_systems (incident_id, system_id, is_open, position)
  select ('0190bbbb-' || lpad(to_hex(n >> 16), 4, '0') || '-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid,
    'scale-' || case when n % {open_each} = 0 then n / {open_each} else n % {systems} + 1 end, n % {open_each} = 0, 1
  from generate_series({first}, {last}) n;
"""


def probes(server):
    """(name, path) of the reads; the dedupe is a create of its own script."""
    listed = json.load(urllib.request.urlopen(server.url + "/api/v1/incidents?limit=1"))
    one = re.search(r'"id": ?"([0-9a-f-]{36})"', json.dumps(listed))[1]
    return (("list", "/api/v1/incidents?limit=50"), ("get", f"/api/v1/incidents/{one}"),
            ("by system", "/api/v1/systems/scale-7/incidents"))


def medians(server, key, seconds):
    """Median milliseconds of each operation, one caller at a time, cache kept out by changing the input."""
    found = {}
    for name, path in probes(server):
        os.environ["BENCH_PATH"] = path
        found[name] = wrk(server.url, "uncached.lua", key, 1, seconds, threads=1).median_ms
    found["dedupe, found"] = wrk(server.url + "/api/v1/incidents", "dedupe.lua", key, 1, seconds, threads=1).median_ms
    return found


def measure(server, socket, key, options, rows):
    seconds = max(2, options.seconds // 2)
    sql(socket, "truncate incidents, incident_systems, incident_updates, incident_links, systems, events cascade")
    sql(socket, FILL.format(systems=SYSTEMS, open_each=10, first=1, last=1000))
    sql(socket, "vacuum analyze")
    small = medians(server, key, seconds)
    for first in range(1001, 1_000_000, 200_000):  # 10,000 open in all
        last = min(first + 199_999, 1_000_000)
        sql(socket, FILL.format(systems=SYSTEMS, open_each=101, first=first, last=last))
    sql(socket, "vacuum analyze")
    opened = int(sql(socket, "select count(*) from incidents where status <> 'resolved'"))
    large = medians(server, key, seconds)
    for name, before in small.items():
        rows.append((f"{name}: 1,000 incidents, then 1,000,000 with {opened:,} open", f"{before:.2f}, {large[name]:.2f} ms",
                     f"{large[name] / before:.2f} x", "<= 1.5"))
