"""Deduped creates: distinct systems, one hot system, a cold one in a storm; memory; start."""
import os
import subprocess
import time

from harness import HERE, Load, median, pgbench, sql, wrk, wrk_command

CEILING_TABLES = """
create schema if not exists ceiling;
create table if not exists ceiling.incidents(id uuid primary key, title text not null, status smallint not null default 0,
  severity smallint not null, created_at timestamptz not null default now(), updated_at timestamptz not null default now());
create table if not exists ceiling.incident_systems(incident_id uuid not null references ceiling.incidents on delete cascade,
  system_id text not null, primary key (incident_id, system_id));
create index if not exists incident_systems_system on ceiling.incident_systems(system_id);
"""


def storm(url, key, seconds):
    """A cold system's creates while 512 connections storm a hot one."""
    environment = dict(os.environ, TOCSIN_KEY=key)
    hot = subprocess.Popen(wrk_command(url, "hot.lua", 512, 1, seconds + 2), env=environment,
                           stdout=subprocess.PIPE, text=True)
    time.sleep(1)  # the storm's warm-up, part of the measurement
    cold = wrk(url, "distinct.lua", key, 1, seconds, threads=1)
    out, _ = hot.communicate(timeout=seconds + 60)
    return Load(out), cold


def measure(server, socket, key, options, rows):
    sql(socket, CEILING_TABLES)
    url, count, seconds = server.url + "/api/v1/incidents", options.connections, options.seconds
    ceilings, distinct, hot, failed = [], [], [], 0
    wrk(url, "distinct.lua", key, count, 2)
    for _ in range(options.rounds):
        ceilings.append(pgbench(socket, HERE / "ceiling.sql", count, seconds))
        load = wrk(url, "distinct.lua", key, count, seconds)
        distinct.append(load.rate)
        failed += load.failed
        load = wrk(url, "hot.lua", key, count, seconds)
        hot.append(load.rate)
        failed += load.failed
    rows.append((f"pgbench, one transaction a create, {count} clients", f"{median(ceilings):,.0f}/s", "1", ""))
    for name, rates, goal in (("distinct systems", distinct, 1.5), ("one hot system", hot, 3.0)):
        ratio = median([rate / ceiling for rate, ceiling in zip(rates, ceilings)])
        rows.append((f"deduped creates, {name}, {count} connections", f"{median(rates):,.0f}/s",
                     f"{ratio:.2f} x pgbench", f">= {goal}"))
    rows.append(("failed requests in the above", str(failed), "", "0"))
    rows.append(("server memory under that load (peak)", f"{server.memory_mib('VmHWM'):.1f} MiB", "", "< 40 MiB"))


def measure_storm(server, socket, key, options, rows):
    url = server.url + "/api/v1/incidents"
    idle = wrk(url, "distinct.lua", key, 1, options.seconds, threads=1)
    hot, cold = storm(url, key, options.seconds)
    rows.append(("a cold system's create, idle, median", f"{idle.median_ms:.2f} ms", "1", ""))
    rows.append(("the same during a 512-connection storm on a hot one", f"{cold.median_ms:.2f} ms",
                 f"{cold.median_ms / idle.median_ms:.2f} x idle", "<= 5"))
    rows.append(("failed requests in the storm", str(hot.failed + cold.failed), "", "0"))
    rows.append(("the storm itself", f"{hot.rate:,.0f}/s", "", ""))


def measure_start(server, socket, key, options, rows):
    server.stop()
    starts = []
    for _ in range(options.rounds + 2):
        starts.append(server.start() * 1000)
        idle = server.memory_mib()
        server.stop()
    server.start()
    rows.append(("ready on an existing cluster, median", f"{median(starts):.0f} ms", "", "<= 150 ms"))
    rows.append(("server memory idle", f"{idle:.1f} MiB", "", "< 15 MiB"))
