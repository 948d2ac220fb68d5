"""A stop comes to its end, also where the database does not come to an answer."""
import contextlib
import threading
import time

import pytest

from test_dedupe import dedupe_key
from waiting import wait_for

STOP_MAX_S = 40  # 15 s of patience, and what a busy machine adds


@contextlib.contextmanager
def table_lock(database, table):
    """Somebody else keeps a table to itself."""
    holder = database.connect(application_name="outside")
    holder.autocommit = False
    try:
        with holder.cursor() as cursor:
            cursor.execute(f"lock table {table} in access exclusive mode")
            yield
    finally:
        holder.close()


def ask(node, replies, method, path, body=None):
    """A request from a thread; its reply, or how it failed, joins `replies`."""
    def run():
        try:
            replies.append(node.api.call(method, path, body))
        except OSError as error:
            replies.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


def stop_and_time(node):
    begin = time.monotonic()
    node.stop()
    return time.monotonic() - begin


def test_statements_stuck_behind_an_outside_lock(start, database):
    """Twice as many reads as work connections wait for a table that another session locked, and never lets go of.
    Seen without the watch over the stop: it lasts the 60 s that a query may take."""
    node = start(DATABASE_POOL_MAX=2)
    wanted = node.api.create("held")["id"]
    replies = []
    with table_lock(database, "incidents"):
        threads = [ask(node, replies, "DELETE", f"/api/v1/incidents/{wanted}") for _ in range(4)]
        wait_for(lambda: database.value("select count(*) from pg_locks where not granted") >= 2, "two requests wait")
        assert stop_and_time(node) < STOP_MAX_S
    for thread in threads:
        thread.join(60)
    assert [getattr(reply, "status", reply) for reply in replies] == [503] * 4
    assert database.value("select count(*) from incidents") == 1  # and nothing was done afterwards


@pytest.mark.parametrize("lock_pool", [2, 10])
def test_creates_waiting_for_a_key_that_never_comes(start, database, lock_pool):
    """With a bound of an hour for the wait. Seen without the watch: the stop had not ended after 90 s."""
    node = start(DATABASE_LOCK_POOL_MAX=lock_pool, DATABASE_LOCK_TIMEOUT_MS=3600000)
    replies = []
    with database.hold_key(dedupe_key("kept")):
        body = {"title": "t", "severity": "major", "systemIds": ["kept"], "dedupeOpenForSystem": True}
        threads = [ask(node, replies, "POST", "/api/v1/incidents", body) for _ in range(3)]
        wait_for(lambda: 'tocsin_batcher_contended_items{batcher="create"} 3' in
                 node.anonymous.get("/metrics").body.decode(), "three creates wait")
        assert stop_and_time(node) < STOP_MAX_S
    for thread in threads:
        thread.join(60)
    assert {getattr(reply, "status", reply) for reply in replies} <= {503, 409}, replies
