"""A PostgreSQL of a test's own: made, started, killed, restarted, removed."""
import contextlib
import glob
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import tempfile

import psycopg2

from waiting import wait_for

START_S = 60


def program(name):
    """A server program of the newest installed PostgreSQL."""
    found = sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"), key=lambda path: int(path.split("/")[4]))
    return found[-1] if found else name


LOWEST_PORT = 10000
_given_ports = set()


def free_port():
    """One below those that the kernel gives to clients: none of them takes it before it is used, nor while who listens
    there is killed and started again. No port twice, nor one that another worker of this run may give."""
    lowest_of_clients = int(pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    worker, workers = os.environ.get("PYTEST_XDIST_WORKER", "gw0"), os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")
    ports = range(LOWEST_PORT + int(worker.removeprefix("gw")), max(lowest_of_clients, LOWEST_PORT + 1000), int(workers))
    for port in random.sample(ports, len(ports)):
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            if port not in _given_ports:
                _given_ports.add(port)
                return port
    raise AssertionError("no port is free")


def children_of(pid):
    """Processes of a process."""
    try:
        return [int(child) for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def is_running(pid):
    """False for a zombie too: it has let go of everything."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def kill_postmaster(pid):
    """kill -9, and waits for its backends, which notice it by themselves."""
    family = [pid, *children_of(pid)]
    os.kill(pid, signal.SIGKILL)
    return family


class Database:
    """One database of a cluster."""

    def __init__(self, cluster, name):
        self.cluster, self.name = cluster, name
        self.url = cluster.url(name)
        self._connection = None

    def connect(self, **options):
        """A session of its own, in autocommit; the caller closes it."""
        connection = psycopg2.connect(self.url, **options)
        connection.autocommit = True
        return connection

    def rows(self, statement, parameters=None):
        if self._connection is None or self._connection.closed:
            self._connection = self.connect(application_name="test")
        with self._connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            return cursor.fetchall()

    def value(self, statement, parameters=None):
        return self.rows(statement, parameters)[0][0]

    @contextlib.contextmanager
    def hold_key(self, key):
        """A session that has nothing to do with Tocsin holds an advisory lock; call the value to let go."""
        holder = self.connect(application_name="outside")
        try:
            with holder.cursor() as cursor:
                cursor.execute("select pg_advisory_lock(hashtextextended(%s, 0))", (key,))
            yield holder.close
        finally:
            holder.close()

    def key_locks(self, key):
        """[(application_name, granted), ...] of the sessions that hold or wait for an advisory lock."""
        return self.rows("select a.application_name, l.granted from pg_locks l join pg_stat_activity a using (pid)"
                         " where l.locktype = 'advisory' and l.objsubid = 1"
                         " and (l.classid::bigint << 32 | l.objid::bigint) = hashtextextended(%s, 0)", (key,))

    def is_blocking(self, connection):
        """Whether a session here waits for what this one holds."""
        return self.value("select exists (select from pg_stat_activity where datname = current_database()"
                          " and %s = any(pg_blocking_pids(pid)))", (connection.info.backend_pid,))

    def pass_millisecond(self):
        """Times that are told to the millisecond are later ones from now on."""
        now = self.value("select clock_timestamp()")
        wait_for(lambda: self.value("select date_trunc('milliseconds', clock_timestamp()) > %s", (now,)),
                 "the clock goes on")

    def open_incidents(self):
        """{system: [incident, ...]} of what is open."""
        found = {}
        for system, incident in self.rows(
                "select s.system_id, i.id::text from incidents i join incident_systems s on s.incident_id = i.id"
                " where i.status <> 'resolved' order by i.id"):
            found.setdefault(system, []).append(incident)
        return found

    def backends(self):
        """Processes of Tocsin's sessions here, all pools."""
        return [pid for pid, in self.rows("select pid from pg_stat_activity where datname = current_database()"
                                          " and backend_type = 'client backend' and application_name <> 'test'")]

    def terminate_backends(self):
        """Ends every session but the asking one, and waits until they are gone; how many they were."""
        pids = self.backends()
        self.rows("select pg_terminate_backend(pid) from unnest(%s::int[]) as pid", (pids,))
        wait_for(lambda: not set(pids) & set(self.backends()), "terminated backends are gone")
        return len(pids)

    def allow_connections(self, allowed):
        """Whether there may be new sessions."""
        self.rows("select 1")  # our own is there before it is too late
        self.cluster.execute(f'alter database "{self.name}" allow_connections {allowed}')

    def close(self):
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class Cluster:
    """As user postgres when we are root, on a unix socket in its directory and, if asked for, loopback."""

    def __init__(self, settings=None, loopback=False):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="tocsin-system-"))
        self.data, self.log = self.folder / "data", self.folder / "postgres.log"
        self.settings = {"unix_socket_directories": str(self.folder), "listen_addresses": "",
                         "port": "5432", **(settings or {})}
        if loopback:
            self.settings.update(listen_addresses="127.0.0.1", port=str(free_port()))
        self.loopback, self.process = loopback, None
        self.owner = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
        if self.owner:
            shutil.chown(self.folder, "postgres", "postgres")

    def __enter__(self):
        try:
            subprocess.run([program("initdb"), "-D", self.data, "-A", "trust", "-U", "postgres", "-E", "UTF8",
                            "--locale=C.UTF-8", "--no-sync"], check=True, capture_output=True, cwd="/", **self.owner)
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(self, *_):
        self.close()

    def url(self, database):
        host = "127.0.0.1" if self.loopback else ""
        query = "" if self.loopback else f"?host={self.folder}"
        return f"postgresql://postgres@{host}:{self.settings['port']}/{database}{query}"

    def is_accepting(self):
        if self.process.poll() is not None:
            raise AssertionError(f"PostgreSQL ended by itself:\n{self.log.read_text()}")
        try:
            psycopg2.connect(self.url("postgres")).close()
            return True
        except psycopg2.OperationalError:
            return False

    def start(self):
        settings = [word for name, value in self.settings.items() for word in ("-c", f"{name}={value}")]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([program("postgres"), "-D", self.data, *settings],  # pylint: disable=R1732
                                            stdout=log, stderr=log, cwd="/", start_new_session=True, **self.owner)
        wait_for(self.is_accepting, "PostgreSQL accepts connections", START_S)
        return self

    def kill(self):
        """kill -9 of the postmaster; its processes see that and end, as on a machine where it was killed."""
        family = kill_postmaster(self.process.pid)
        self.process.wait()
        wait_for(lambda: not any(map(is_running, family)), "PostgreSQL's processes are gone")

    def stop(self, how=signal.SIGINT):
        """A fast shutdown; with SIGQUIT an immediate one, which waits for nobody: for data that go anyway."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(START_S)

    def close(self):
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self.folder, ignore_errors=True)

    def execute(self, statement):
        with contextlib.closing(psycopg2.connect(self.url("postgres"))) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement)

    @contextlib.contextmanager
    def database(self, name, options=""):
        self.execute(f'create database "{name}" {options}')
        database = Database(self, name)
        try:
            yield database
        finally:
            database.close()
            self.execute(f'drop database "{name}" with (force)')
