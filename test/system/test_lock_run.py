"""`tocsin lock run`: a command on one machine of many."""
import signal
import subprocess
import time

import pytest

from server import BINARY, environment, run
from waiting import wait_for

BUSY, LOST = 75, 74


@pytest.fixture
def lock(database):
    """Starts `lock run` as a process that is ended with the test; the command gets a shell line."""
    processes = []

    def start_lock(key, line, *options, **streams):
        process = subprocess.Popen([BINARY, "lock", "run", *options, key, "--", "sh", "-c", line], text=True,
                                   env=environment({"DATABASE_URL": database.url}), **streams)
        processes.append(process)
        return process

    yield start_lock
    for process in processes:
        if process.poll() is None:
            process.terminate()
        process.wait(60)


def lock_run(database, *arguments):
    return run("lock", "run", *arguments, DATABASE_URL=database.url)


def told_by_term(ready, said, status):
    """A shell line that ends by SIGTERM, with `status`; standard input has to stay open. It has no child: one that
    is told to end while it is still becoming another program can miss that, and keeps its output open."""
    return f"trap 'echo told > {said}; exit {status}' TERM; touch {ready}; read line"


def holders(database, key):
    return [name for name, granted in database.key_locks(key) if granted]


def test_status_and_output_pass_through(database):
    done = lock_run(database, "k", "--", "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (done.returncode, done.stdout) == (7, "out\n") and "err\n" in done.stderr
    assert lock_run(database, "k", "--", "true").returncode == 0
    assert lock_run(database, "k", "--", "sh", "-c", "kill -TERM $$").returncode == 128 + signal.SIGTERM
    assert lock_run(database, "k", "--", "/nonexistent/command").returncode == 127
    assert lock_run(database, "k", "--", "/").returncode == 126
    assert holders(database, "k") == []


def test_one_at_a_time(database, lock, tmp_path):
    """Ten processes, each of which says when it goes in and out. Proves mutual exclusion: with the lock taken out the
    lines interleave. `mkdir` fails where two are inside at once."""
    inside, journal = tmp_path / "inside", tmp_path / "journal"
    line = f"mkdir {inside} && echo in >> {journal} && echo out >> {journal} && rmdir {inside}"
    crowd = [lock("crowd", line) for _ in range(10)]
    assert [process.wait(60) for process in crowd] == [0] * 10
    assert journal.read_text() == "in\nout\n" * 10


def test_no_wait_and_timeout(database, lock):
    first = lock("busy", "read line", stdin=subprocess.PIPE)
    wait_for(lambda: holders(database, "busy"), "the first holds the key")

    assert lock_run(database, "--no-wait", "busy", "--", "true").returncode == BUSY
    begin = time.monotonic()
    done = lock_run(database, "--timeout=0.5", "busy", "--", "true")
    assert done.returncode == BUSY and "busy" in done.stderr
    assert time.monotonic() - begin >= 0.5
    assert lock_run(database, "--no-wait", "other", "--", "true").returncode == 0

    second = lock("busy", "exit 3", "--timeout=120")
    wait_for(lambda: database.value("select count(*) from pg_locks where locktype = 'advisory' and not granted") > 0,
             "the second waits")
    first.communicate("go\n", timeout=60)
    assert first.returncode == 0 and second.wait(60) == 3


def test_a_lost_lock_ends_the_command(database, lock, tmp_path):
    """The session that holds the key is ended by an administrator. Proves that the command does not run on
    without its lock: with the callback taken out it reads on (seen)."""
    ready, said = tmp_path / "ready", tmp_path / "said"
    process = lock("lost", told_by_term(ready, said, 0), stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    wait_for(ready.exists, "the command runs")
    assert holders(database, "lost")
    database.rows("select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and granted and database ="
                  " (select oid from pg_database where datname = current_database())")
    assert process.wait(60) == LOST
    assert said.read_text() == "told\n" and "lost" in process.stderr.read()
    assert lock_run(database, "--no-wait", "lost", "--", "true").returncode == 0


def test_signals_are_passed_on(database, lock, tmp_path):
    ready, said = tmp_path / "ready", tmp_path / "said"
    process = lock("signal", told_by_term(ready, said, 5), stdin=subprocess.PIPE)
    wait_for(ready.exists, "the command runs")
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 5 and said.read_text() == "told\n"
    assert holders(database, "signal") == []


def test_a_killed_holder_lets_go(database, lock):
    process = lock("killed", "read line", stdin=subprocess.PIPE)  # ends with the pipe
    wait_for(lambda: holders(database, "killed"), "the key is held")
    process.kill()
    process.communicate(timeout=60)
    assert lock_run(database, "--timeout=60", "killed", "--", "true").returncode == 0
