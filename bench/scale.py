"""Does it stay fast? The same reads and creates at 1,000 incidents and at 1,000,000 with 10,000 open."""
import json
import os
import sys
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


# They have one open incident each, at either size.
FEW = [f"scale-{number}" for number in range(1, 10)]
BY_SYSTEM = "/api/v1/incidents/by-system"
# It shows all that are open, so it takes as long as there are many of them: measured is a hundred. It has no goal: at
# the greater size each is on a page of its own.
ALL_OPEN = "all open by system, each 100 of them"


def get(server, path):
    request = urllib.request.Request(server.url + path, headers={"Cache-Control": "no-cache"})
    with urllib.request.urlopen(request) as reply:
        return json.load(reply)


def median_ms(url, script, key, seconds, **environment):
    """Of one caller at a time."""
    os.environ.update(environment)
    load = wrk(url, script, key, 1, seconds, threads=1)
    if load.failed:
        sys.exit(f"bench: {script} of {environment or url}: {load.failed} requests failed")
    return load.median_ms


def medians(server, key, seconds):
    """Median milliseconds of each operation; the cache is kept out."""
    url, found = server.url + "/api/v1", {}
    one = get(server, "/api/v1/incidents?limit=1")["incidents"][0]["id"]
    shown = sum(map(len, get(server, BY_SYSTEM)["incidents"].values()))
    for name, path in (("list", "/api/v1/incidents?limit=50"), ("get", f"/api/v1/incidents/{one}"),
                       ("by system", "/api/v1/systems/scale-7/incidents")):
        found[name] = median_ms(server.url, "uncached.lua", key, seconds, BENCH_PATH=path)
    found[f"by system, {len(FEW)} at once"] = median_ms(f"{url}/systems/incidents", "bulk.lua", key, seconds,
                                                        BENCH_BODY=json.dumps({"systemIds": FEW}))
    whole = median_ms(server.url, "uncached.lua", key, seconds, BENCH_PATH=BY_SYSTEM)
    found[ALL_OPEN] = whole * 100 / shown
    found["dedupe, found"] = median_ms(f"{url}/incidents", "dedupe.lua", key, seconds)
    return found


def measure(server, socket, key, options, rows):
    seconds = max(2, options.seconds // 3)
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
                     f"{large[name] / before:.2f} x", "" if name == ALL_OPEN else "<= 1.5"))
