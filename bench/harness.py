"""What every measurement uses: a server of its own, wrk, pgbench, psql."""
import contextlib
import os
import pathlib
import re
import signal
import statistics
import subprocess
import sys
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent


class Server:
    """One `tocsin serve`, on `database_url` or else on an embedded cluster in `folder`."""

    def __init__(self, binary, folder, key, port, database_url=None):
        self.binary, self.folder, self.url = binary, folder, f"http://127.0.0.1:{port}"
        self.environment = dict(os.environ, TOCSIN_DATA_DIR=str(folder), TOCSIN_ADMIN_KEY=key,
                                TOCSIN_LISTEN=f"127.0.0.1:{port}", TOCSIN_LOG="warning",
                                TOCSIN_EVENT_STREAMS_PER_CALLER="1000")
        self.environment.pop("DATABASE_URL", None)
        if database_url:
            self.environment["DATABASE_URL"] = database_url
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
        sys.exit(f"bench: {' '.join(map(str, command))}: exit {done.returncode}\n{done.stdout[-1000:]}{done.stderr[-1000:]}")
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


def median(values):
    return statistics.median(values)


def find_socket(folder):
    sockets = list(folder.glob("socket/.s.PGSQL.*"))
    if not sockets:
        sys.exit(f"bench: no PostgreSQL socket below {folder}")
    return str(sockets[0].parent)
