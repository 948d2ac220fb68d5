"""One `tocsin serve`, as a process."""
import base64
import collections
import contextlib
import os
import pathlib
import re
import secrets
import shutil
import signal
import subprocess
import tempfile
import threading
import uuid

from api import Api
from cluster import children_of, is_running, kill_postmaster
from waiting import wait_for

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("TOCSIN_BINARY", str(REPOSITORY / "build" / "tocsin"))
START_S = STOP_S = 90  # a first start makes a cluster; a sanitized build takes its time


def new_key():
    secret = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode().rstrip("=")
    return f"tocsin_{uuid.uuid4()}_{secret}"


ADMIN_KEY = new_key()


def environment(settings):
    """Ours without anything that Tocsin or libpq would read, and `settings`."""
    clean = {name: value for name, value in os.environ.items()
             if not name.startswith(("TOCSIN_", "DATABASE_", "PG"))}
    return {**clean, **{name: str(value) for name, value in settings.items()}}


def run(*arguments, timeout_s=START_S, **settings):
    """A command of the program, to its end: a CompletedProcess with texts."""
    return subprocess.run([BINARY, *arguments], env=environment(settings), capture_output=True, text=True,
                          timeout=timeout_s, check=False)


class Server:
    """Without `database_url`: on an embedded cluster. Its data directory is its own and goes with it."""

    def __init__(self, database_url=None, settings=None, admin_key=ADMIN_KEY):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="tocsin-system-"))
        self.folder.chmod(0o755)  # the embedded cluster's user has to get through
        self.settings = {"TOCSIN_DATA_DIR": self.folder / "data", "TOCSIN_LISTEN": "127.0.0.1:0",
                         **({"DATABASE_URL": database_url} if database_url else {}),
                         **({"TOCSIN_ADMIN_KEY": admin_key} if admin_key else {}), **(settings or {})}
        self.key, self.process, self.url = admin_key, None, None
        self.options = {}  # of `spawn`
        # The end of what it said: a process that says too much must not eat the test's memory.
        self.lines, self._reader = collections.deque(maxlen=10000), None
        self._told_address = threading.Event()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    @property
    def log(self):
        return "\n".join(self.lines)

    @property
    def api(self):
        return Api(self.url, self.key)

    @property
    def anonymous(self):
        return Api(self.url, None)

    def _read(self, stream):
        for line in stream:
            self.lines.append(line.rstrip("\n"))
            found = re.search(r"http://[\w.\[\]:]+:\d+", line)
            if found and not self._told_address.is_set():
                self.url = found[0]
                self._told_address.set()
        stream.close()
        self._told_address.set()

    def spawn(self, program=BINARY, **options):
        """Starts the process and reads what it says, without waiting for more. `options` are Popen's."""
        self._told_address.clear()
        self.process = subprocess.Popen([program, "serve"], env=environment(self.settings), text=True,
                                        errors="replace", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)
        self._reader = threading.Thread(target=self._read, args=(self.process.stdout,), daemon=True)
        self._reader.start()
        return self

    def close_output(self):
        """What it said is all there, after its end."""
        self._reader.join(STOP_S)

    def start(self):
        """Returns when it says where it listens, and /readyz agrees."""
        self.spawn(**self.options)
        told = self._told_address.wait(START_S)
        assert told and self.process.poll() is None, f"serve did not start:\n{self.log}"
        wait_for(self.is_ready, "/readyz answers 200", START_S)
        return self

    def is_ready(self):
        with contextlib.suppress(OSError):
            return self.anonymous.get("/readyz").status == 200
        return False

    def stop(self):
        """SIGTERM; everything must end well."""
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(STOP_S)
        self._reader.join(STOP_S)
        assert status == 0, f"serve ended with {status}:\n{self.log}"

    def kill(self):
        """kill -9. An embedded cluster lives on, as an orphan."""
        self.process.kill()
        self.process.wait(STOP_S)
        self._reader.join(STOP_S)

    def postmaster(self):
        """The embedded cluster's first process; None while there is none."""
        try:
            lines = (self.folder / "data" / "postgres" / "postmaster.pid").read_text().splitlines()
            return int(lines[0]) if is_running(int(lines[0])) else None
        except (FileNotFoundError, IndexError, ValueError):
            return None

    def kill_postgres(self):
        """kill -9 of the embedded cluster; returns when all of its processes are gone."""
        family = kill_postmaster(self.postmaster())
        wait_for(lambda: not any(map(is_running, family)), "the embedded PostgreSQL is gone")

    def close(self):
        """Stops what runs; the directory goes."""
        try:
            if self.process and self.process.poll() is None:
                self.stop()
        finally:
            if self.process and self.process.poll() is None:
                self.kill()
            orphan = self.postmaster()
            if orphan:
                family = [orphan, *children_of(orphan)]
                os.kill(orphan, signal.SIGQUIT)
                wait_for(lambda: not any(map(is_running, family)), "the orphan is gone")
            shutil.rmtree(self.folder, ignore_errors=True)
