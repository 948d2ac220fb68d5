#!/usr/bin/python3
"""Measures Tocsin against its ceilings and prints a table (see bench/README.md).

Everything runs on loopback, bounded in count and time, on a server and a cluster that this script
starts in a temporary folder and stops again.
"""
import argparse
import contextlib
import os
import pathlib
import re
import secrets
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid

HERE = pathlib.Path(__file__).resolve().parent
CEILING_TABLES = """
create schema if not exists ceiling;
create table if not exists ceiling.incidents(id uuid primary key, title text not null, status smallint not null default 0,
  severity smallint not null, created_at timestamptz not null default now(), updated_at timestamptz not null default now());
create table if not exists ceiling.incident_systems(incident_id uuid not null references ceiling.incidents on delete cascade,
  system_id text not null, primary key (incident_id, system_id));
create index if not exists incident_systems_system on ceiling.incident_systems(system_id);
"""


class Server:
    """One `tocsin serve` on an embedded cluster in `folder`."""

    def __init__(self, binary, folder, key, port):
        self.binary, self.folder, self.url = binary, folder, f"http://127.0.0.1:{port}"
        self.environment = dict(os.environ, TOCSIN_DATA_DIR=str(folder), TOCSIN_ADMIN_KEY=key,
                                TOCSIN_LISTEN=f"127.0.0.1:{port}", TOCSIN_LOG="warning")
        self.environment.pop("DATABASE_URL", None)
        self.process = None

    def start(self, timeout_s=60):
        """Seconds from exec to the first 200 of /readyz."""
        begin = time.monotonic()
        with open(self.folder / "serve.log", "ab") as log:
            self.process = subprocess.Popen([self.binary, "serve"], env=self.environment, stdout=log, stderr=log)
        while time.monotonic() < begin + timeout_s:
            if self.process.poll() is not None:
                sys.exit(f"bench: serve ended: {(self.folder / 'serve.log').read_text()}")
            with contextlib.suppress(OSError):
                if urllib.request.urlopen(self.url + "/readyz", timeout=5).status == 200:
                    return time.monotonic() - begin
            time.sleep(0.001)  # the probe's own interval: this is a measurement, not a wait
        sys.exit("bench: serve did not become ready")

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(60)

    def memory_mib(self, field="VmRSS"):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(rf"{field}:\s+(\d+) kB", status)[1]) / 1024


def as_database_user(command):
    """PostgreSQL's own programs connect as the user that owns the cluster."""
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", *command] \
        if os.geteuid() == 0 else command


def postgres_program(name):
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob(f"*/bin/{name}"),
                   key=lambda path: int(path.parts[-3]))
    return str(found[-1]) if found else name


def run(command, **options):
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    if done.returncode != 0:
        sys.exit(f"bench: {' '.join(map(str, command))}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def sql(socket, text):
    return run(as_database_user([postgres_program("psql"), "-h", socket, "-U", "tocsin", "-qtAX", "-v", "ON_ERROR_STOP=1",
                                 "-d", "tocsin", "-c", text])).strip()


def pgbench(socket, script, clients, seconds):
    """Transactions a second."""
    out = run(as_database_user([postgres_program("pgbench"), "-h", socket, "-U", "tocsin", "-n", "-M", "prepared", "-f", str(script),
                                "-c", str(clients), "-j", "2", "-T", str(seconds), "tocsin"]), cwd="/")
    return float(re.search(r"tps = ([\d.]+)", out)[1])


class Load:
    """What one wrk run said."""

    def __init__(self, out):
        self.rate = float(re.search(r"Requests/sec:\s+([\d.]+)", out)[1])
        errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", out)
        refused = re.search(r"Non-2xx or 3xx responses: (\d+)", out)
        self.failed = sum(map(int, errors.groups())) if errors else 0
        self.failed += int(refused[1]) if refused else 0
        median = re.search(r"50%\s+([\d.]+)(us|ms|s)", out)
        self.median_ms = float(median[1]) * {"us": 0.001, "ms": 1, "s": 1000}[median[2]]


def wrk_command(url, script, connections, threads, seconds):
    return ["wrk", "--latency", "--timeout", "30s", "-c", str(connections), "-t", str(threads),
            "-d", f"{seconds}s", "-s", str(HERE / script), url]


def wrk(url, script, key, connections, seconds, threads=2):
    return Load(run(wrk_command(url, script, connections, threads, seconds), env=dict(os.environ, TOCSIN_KEY=key)))


def storm(url, key, seconds):
    """A cold system's creates while 512 connections storm a hot one."""
    environment = dict(os.environ, TOCSIN_KEY=key)
    hot = subprocess.Popen(wrk_command(url, "hot.lua", 512, 1, seconds + 2), env=environment,
                           stdout=subprocess.PIPE, text=True)
    time.sleep(1)  # the storm's warm-up, part of the measurement
    cold = wrk(url, "distinct.lua", key, 1, seconds, threads=1)
    out, _ = hot.communicate(timeout=seconds + 60)
    return Load(out), cold


def median(values):
    return statistics.median(values)


def measure_creates(server, socket, key, options, rows):
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


def measure_storm(server, key, options, rows):
    url = server.url + "/api/v1/incidents"
    idle = wrk(url, "distinct.lua", key, 1, options.seconds, threads=1)
    hot, cold = storm(url, key, options.seconds)
    rows.append(("a cold system's create, idle, median", f"{idle.median_ms:.2f} ms", "1", ""))
    rows.append(("the same during a 512-connection storm on a hot one", f"{cold.median_ms:.2f} ms",
                 f"{cold.median_ms / idle.median_ms:.2f} x idle", "<= 5"))
    rows.append(("failed requests in the storm", str(hot.failed + cold.failed), "", "0"))
    rows.append(("the storm itself", f"{hot.rate:,.0f}/s", "", ""))


def measure_start(server, options, rows):
    server.stop()
    starts = []
    for _ in range(options.rounds + 2):
        starts.append(server.start() * 1000)
        idle = server.memory_mib()
        server.stop()
    rows.append(("ready on an existing cluster, median", f"{median(starts):.0f} ms", "", "<= 150 ms"))
    rows.append(("server memory idle", f"{idle:.1f} MiB", "", "< 15 MiB"))


def find_socket(folder):
    sockets = list(folder.glob("socket/.s.PGSQL.*"))
    if not sockets:
        sys.exit(f"bench: no PostgreSQL socket below {folder}")
    return str(sockets[0].parent)


def print_table(rows):
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    for row in rows:
        print("| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("binary", help="the tocsin to measure, a release build")
    parser.add_argument("--seconds", type=int, default=8, help="of each run")
    parser.add_argument("--rounds", type=int, default=3, help="of ceiling, distinct, hot in turn")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--port", type=int, default=33917)
    parser.add_argument("--keep", action="store_true", help="keep the folder")
    options = parser.parse_args()
    key = f"tocsin_{uuid.uuid4()}_{secrets.token_urlsafe(32)}"
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-", dir="/var/tmp") as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)
        server = Server(options.binary, folder, key, options.port)
        rows = [("what", "measured", "ratio", "goal"), ("---", "---", "---", "---")]
        try:
            server.start()
            socket = find_socket(folder)
            sql(socket, CEILING_TABLES)
            measure_creates(server, socket, key, options, rows)
            measure_storm(server, key, options, rows)
            measure_start(server, options, rows)
        finally:
            server.stop()
    print_table(rows)


main()
