"""Reads of one thing that wait for the database go there together, and each gets its own answer.

Nothing here depends on who is faster: a lock in the database holds two reads, one a thread, while the others queue; and
a second lock, asked for before the first is let go, holds more of them on their way, in two rounds.

How each was seen to fail: without run_many (core/procedure.c) each read is a round of its own; without run_each in
core/read.c the whole round of a read that fails got 500, or 503 where SQLSTATE is one that says "try again"; with
ATTEMPTS 1 there what was lost with a connection was not asked for again."""
import concurrent.futures
import contextlib
import uuid

import pytest

from metrics import read
from server import Server
from test_cache import INCIDENTS
from waiting import wait_for

THREADS = 2  # as many as work connections, and no machine has fewer
WAITERS = ("select pid from pg_locks join pg_stat_activity using (pid) where relation = 'incidents'::regclass"
           " and not granted and application_name = 'tocsin-work'")
LOCK = "begin; lock table incidents in access exclusive mode"
LOCK_WAITS = ("select exists (select from pg_locks where relation = 'incidents'::regclass and not granted"
              " and mode = 'AccessExclusiveLock')")
BROKEN = """create or replace function incident_update_document(incident_updates, with_history boolean)
returns text language plpgsql as $$ begin raise sqlstate '%s'; end $$"""


@pytest.fixture(scope="module")
def node(module_database):
    with Server(database_url=module_database.url, settings={"DATABASE_POOL_MAX": THREADS,
                                                            "DATABASE_POOL_CONNECTION_TIMEOUT_MS": 60000}) as shared:
        yield shared.start()


@pytest.fixture(scope="module")
def incidents(node):
    return [node.api.create(f"read {n}")["id"] for n in range(THREADS + 28)]


def numbers(node):
    """Of the work executor so far: [jobs its threads took, jobs in its queue, rounds]."""
    families = read(node)
    return [int(families[name].samples[name, ()])
            for name in ("tocsin_executor_jobs_total", "tocsin_executor_queued", "tocsin_executor_rounds_total")]


def shares(queued):
    """What two threads take one after the other."""
    first = 1 + queued // THREADS
    return first + 1 + (queued - first) // THREADS


@contextlib.contextmanager
def on_their_way(node, database, ids):
    """Asks for all: yields their replies-to-be, and how to ask for the processes that serve them, when two rounds are on
    their way; and waits for all."""
    waiters = lambda: [pid for pid, in database.rows(WAITERS)]
    taken, _, rounds = numbers(node)
    with concurrent.futures.ThreadPoolExecutor(len(ids) + 1) as threads, \
            contextlib.closing(database.connect(application_name="test")) as first, \
            contextlib.closing(database.connect(application_name="test")) as second:
        ask = lambda id: threads.submit(node.anonymous.get, f"{INCIDENTS}/{id}")
        first.cursor().execute(LOCK)
        replies = []
        for n, id in enumerate(ids[:THREADS], 1):
            replies.append(ask(id))
            wait_for(lambda: len(waiters()) == n, "a thread is held")
        replies += map(ask, ids[THREADS:])
        wait_for(lambda: numbers(node)[:2] == [taken + THREADS, len(ids) - THREADS], "the others queue")
        locked = threads.submit(second.cursor().execute, LOCK)
        wait_for(lambda: database.value(LOCK_WAITS), "the second lock is asked for")
        first.cursor().execute("rollback")
        locked.result()
        wait_for(lambda: len(waiters()) == THREADS, "two rounds are held")
        together = shares(len(ids) - THREADS)
        assert numbers(node) == [taken + THREADS + together, len(ids) - THREADS - together, rounds + 2 * THREADS]
        yield replies, waiters
        second.cursor().execute("rollback")
        concurrent.futures.wait(replies)


def unknown():
    return str(uuid.uuid4())


def check(ids, replies):
    """Each got what it asked for."""
    for id, reply in zip(ids, (reply.result() for reply in replies)):
        assert reply.status == 200 and reply.json["id"] == id, reply


def test_each_gets_its_own_answer(node, module_database, incidents):
    nobody = unknown()
    with on_their_way(node, module_database, incidents + [nobody]) as (replies, _):
        pass
    *found, missed = replies
    check(incidents, found)
    assert missed.result().status == 404 and nobody in missed.result().json["detail"]


def test_a_lost_connection_costs_no_answer(node, module_database, incidents):
    for id in incidents:  # not from the cache
        assert node.api.call("PATCH", f"{INCIDENTS}/{id}", {"severity": "minor"}).status == 200
    with on_their_way(node, module_database, incidents) as (replies, waiters):
        lost = waiters()
        for pid in lost:
            module_database.rows("select pg_terminate_backend(%s)", (pid,))
        wait_for(lambda: len(waiters()) == THREADS and not set(waiters()) & set(lost), "others took their place")
    check(incidents, replies)


@pytest.mark.parametrize("state, status", [("P0001", 500), ("53400", 503), ("57014", 503)])
def test_a_read_that_fails_fails_alone(node, module_database, incidents, state, status):
    broken = node.api.create(f"broken {state}", initialMessage="here")["id"]
    for id in incidents:
        assert node.api.call("PATCH", f"{INCIDENTS}/{id}", {"title": state}).status == 200
    with module_database.connect() as session, session.cursor() as cursor:
        cursor.execute(BROKEN % state)
    ids = incidents[:-1] + [broken, incidents[-1]]
    with on_their_way(node, module_database, ids) as (replies, _):
        pass
    failed = replies.pop(-2)
    check(incidents, replies)
    assert failed.result().status == status
