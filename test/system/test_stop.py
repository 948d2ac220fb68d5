"""A stop comes to its end, also where the database does not come to an answer.

Each lasts as long as the server's patience: so all are made ready and stopped at the same time."""
import concurrent.futures
import contextlib
import threading
import time

import pytest

from metrics import value
from server import Server
from test_dedupe import dedupe_key, once
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


def stop_and_time(node, all_ready):
    all_ready.wait()
    begin = time.monotonic()
    node.stop()
    return time.monotonic() - begin


def stuck_behind_a_table(database, all_ready):
    """Twice as many deletions as work connections wait for a table that another session locked, and never lets go of.
    Seen without the watch over the stop: it lasts the 60 s that a query may take."""
    replies = []
    with Server(database_url=database.url, settings={"DATABASE_POOL_MAX": 2}) as node:
        wanted = node.start().api.create("held")["id"]
        with table_lock(database, "incidents"):
            threads = [ask(node, replies, "DELETE", f"/api/v1/incidents/{wanted}") for _ in range(4)]
            wait_for(lambda: database.value(
                "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
                " and query ilike '%incident%'") >= 2, "two requests wait")
            assert stop_and_time(node, all_ready) < STOP_MAX_S
        for thread in threads:
            thread.join(60)
    assert [getattr(reply, "status", reply) for reply in replies] == [503] * 4
    assert database.value("select count(*) from incidents") == 1  # and nothing was done afterwards


def waiting_for_a_key(database, all_ready, lock_pool):
    """With a bound of an hour for the wait. Seen without the watch: the stop had not ended after 90 s."""
    settings, replies = {"DATABASE_LOCK_POOL_MAX": lock_pool, "DATABASE_LOCK_TIMEOUT_MS": 3600000}, []
    with Server(database_url=database.url, settings=settings) as node:
        node.start()
        with database.hold_key(dedupe_key("kept")):
            threads = [ask(node, replies, "POST", "/api/v1/incidents", once("kept")) for _ in range(3)]
            wait_for(lambda: value(node, "tocsin_batcher_contended_items", batcher="create") == 3, "three creates wait")
            assert stop_and_time(node, all_ready) < STOP_MAX_S
        for thread in threads:
            thread.join(60)
    assert {getattr(reply, "status", reply) for reply in replies} <= {503, 409}, replies


SCENARIOS = {"statements stuck behind a table": stuck_behind_a_table,
             "creates wait for a key, 2 lock connections": lambda *more: waiting_for_a_key(*more, 2),
             "creates wait for a key, 10 lock connections": lambda *more: waiting_for_a_key(*more, 10)}


@pytest.fixture(scope="module")
def ends(cluster):
    """What became of each scenario: an exception, or None."""
    all_ready = threading.Barrier(len(SCENARIOS), timeout=120)

    def play(number, scenario):
        try:
            with cluster.database(f"tocsin_stop_{number}") as database:
                scenario(database, all_ready)
        except BaseException:
            all_ready.abort()  # before it was ready, perhaps: the others would wait for it
            raise

    with concurrent.futures.ThreadPoolExecutor(len(SCENARIOS)) as pool:
        running = {name: pool.submit(play, number, scenario)
                   for number, (name, scenario) in enumerate(SCENARIOS.items())}
        return {name: future.exception() for name, future in running.items()}


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_stop_comes_to_its_end(ends, name):
    if ends[name]:
        raise ends[name]
