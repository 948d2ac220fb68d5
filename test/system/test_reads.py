"""Reads of one thing that wait for the database go there together, and each gets its own answer.

Nothing here depends on who is faster: a lock in the database holds two reads, one a thread, while the others queue; and
a second lock, asked for before the first is let go, holds more of them on their way, in two rounds.

How each was seen to fail: without run_many (core/procedure/procedure.c) each read is a round of its own; without run_apart in
core/procedure/read.c the whole round of a read that fails got 500, or 503 where SQLSTATE is one that says "try again"; where it ran
them itself no other thread took any of them; with ATTEMPTS 1 there what was lost with a connection was not asked for
again; with the first caller of a round taken for all of them, a manager saw what a viewer may."""
import concurrent.futures
import contextlib
import urllib.parse
import uuid

import pytest

from metrics import read
from server import Server
from session import SESSION
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
def on_their_way(node, database, asked, in_order=False):
    """Asks for all, each (who asks, path), of which the first two are about incidents: yields their replies-to-be, and
    how to ask for the processes that serve them, when two rounds are on their way; and waits for all."""
    waiters = lambda: [pid for pid, in database.rows(WAITERS)]
    taken, _, rounds = numbers(node)
    with concurrent.futures.ThreadPoolExecutor(len(asked) + 1) as threads, \
            contextlib.closing(database.connect(application_name="test")) as first, \
            contextlib.closing(database.connect(application_name="test")) as second:
        ask = lambda one: threads.submit(one[0].get, one[1])
        queued = lambda count: wait_for(lambda: numbers(node)[:2] == [taken + THREADS, count], "the others queue")
        first.cursor().execute(LOCK)
        replies = []
        for n, one in enumerate(asked[:THREADS], 1):
            replies.append(ask(one))
            wait_for(lambda: len(waiters()) == n, "a thread is held")
        for n, one in enumerate(asked[THREADS:], 1):
            replies.append(ask(one))
            if in_order:
                queued(n)
        queued(len(asked) - THREADS)
        locked = threads.submit(second.cursor().execute, LOCK)
        wait_for(lambda: database.value(LOCK_WAITS), "the second lock is asked for")
        first.cursor().execute("rollback")
        locked.result()
        wait_for(lambda: len(waiters()) == THREADS, "two rounds are held")
        together = shares(len(asked) - THREADS)
        assert numbers(node) == [taken + THREADS + together, len(asked) - THREADS - together, rounds + 2 * THREADS]
        yield replies, waiters
        second.cursor().execute("rollback")
        concurrent.futures.wait(replies)


def unknown():
    return str(uuid.uuid4())


def by_anybody(node, ids):
    return [(node.anonymous, f"{INCIDENTS}/{id}") for id in ids]


def check(ids, replies):
    """Each got what it asked for."""
    for id, reply in zip(ids, (reply.result() for reply in replies)):
        assert reply.status == 200 and reply.json["id"] == id, reply


def test_each_gets_its_own_answer(node, module_database, incidents):
    nobody = unknown()
    with on_their_way(node, module_database, by_anybody(node, incidents + [nobody])) as (replies, _):
        pass
    *found, missed = replies
    check(incidents, found)
    assert missed.result().status == 404 and nobody in missed.result().json["detail"]


def test_a_lost_connection_costs_no_answer(node, module_database, incidents):
    for id in incidents:  # not from the cache
        assert node.api.call("PATCH", f"{INCIDENTS}/{id}", {"severity": "minor"}).status == 200
    with on_their_way(node, module_database, by_anybody(node, incidents)) as (replies, waiters):
        lost = waiters()
        for pid in lost:
            module_database.rows("select pg_terminate_backend(%s)", (pid,))
        wait_for(lambda: len(waiters()) == THREADS and not set(waiters()) & set(lost), "others took their place")
    check(incidents, replies)


@pytest.mark.parametrize("state, status", [("P0001", 500), ("53400", 503), ("57014", 503)])
def test_a_read_that_fails_fails_alone(node, module_database, incidents, state, status):
    """And no thread has to do again by itself what a whole round was to do: others of it may run elsewhere."""
    broken = node.api.create(f"broken {state}", initialMessage="here")["id"]
    for id in incidents:
        assert node.api.call("PATCH", f"{INCIDENTS}/{id}", {"title": state}).status == 200
    sound = module_database.value("select pg_get_functiondef('incident_update_document'::regproc)")
    ids = incidents[:THREADS + 1] + [broken] + incidents[THREADS + 1:]
    taken = numbers(node)[0]
    with contextlib.closing(module_database.connect(application_name="test")) as session, session.cursor() as cursor:
        cursor.execute(BROKEN % state)
        with on_their_way(node, module_database, by_anybody(node, ids), in_order=True) as (replies, _):
            pass
        cursor.execute(sound)
    failed = replies.pop(THREADS + 1)
    check(incidents, replies)
    assert failed.result().status == status
    again = 1 + (len(ids) - THREADS) // THREADS - 1  # the first round but for one, which needs nobody else
    assert numbers(node)[0] == taken + len(ids) + again


# What each sees of an incident's updates and links.
SEES = {"anonymous": ["public"], "viewer": ["public", "logged_in"], "manager": ["public", "logged_in", "internal"]}


def make_incident(node, name):
    """One with an edited update and a link for everybody, for those who are signed in, and for those who manage."""
    made = node.api.create(f"{name} system")["id"]
    for visibility in SEES["manager"]:
        said = node.api.post(f"{INCIDENTS}/{made}/updates", {"message": "first", "visibility": visibility})
        linked = node.api.post(f"{INCIDENTS}/{made}/links", {"url": f"http://{name}/{visibility}", "visibility": visibility})
        edited = node.api.call("PATCH", f"{INCIDENTS}/{made}/updates/{said.json['id']}", {"message": f"{name} {visibility}"})
        assert (said.status, linked.status, edited.status) == (201, 201, 200)
    return f"{INCIDENTS}/{made}"


def see_incident(name, role, found):
    assert [update["message"] for update in found["updates"]] == [f"{name} {visibility}" for visibility in SEES[role]]
    assert [link["url"] for link in found["links"]] == [f"http://{name}/{visibility}" for visibility in SEES[role]]
    assert all(("editHistory" in update) == (role == "manager") for update in found["updates"])


def make_system(node, name):
    path = f"/api/v1/systems/{urllib.parse.quote(name)}"
    assert node.api.post("/api/v1/systems", {"id": name, "name": name}).status == 201
    assert node.api.post(f"{path}/contacts", {"type": "email", "value": f"{name}@example.org"}).status == 201
    return path


def see_system(name, role, found):
    assert found["id"] == name
    contacts = [contact["value"] for contact in found.get("contacts", [])]
    assert contacts == ([] if role == "anonymous" else [f"{name}@example.org"])


def test_each_sees_its_own_view(node, module_database):
    """Callers of every kind, incidents and systems in one round: each has the thing that it asked for, and of it what it
    may see, no more and no less. Nothing comes from the cache: all is new."""
    things = [(f"thing-{n}", make, see) for n in range(4) for make, see in
              ((make_incident, see_incident), (make_system, see_system))][:-1]
    paths = {(name, see): make(node, name) for name, make, see in things}
    callers = {"anonymous": node.anonymous, **{role: node.api.as_role(role) for role in ("viewer", "manager")}}
    asked = [(name, see, role) for name, _, see in things for role in SEES]
    # Those in front are held one by one; behind them the first round has ten of both kinds and all callers, the next five.
    asked.sort(key=lambda one: one not in (("thing-0", see_incident, "anonymous"), ("thing-1", see_incident, "anonymous")))
    for api in callers.values():
        assert api.get(SESSION).status == 200  # from now on their keys are known without a look
    with on_their_way(node, module_database, [(callers[role], paths[name, see]) for name, see, role in asked],
                      in_order=True) as (replies, _):
        pass
    for (name, see, role), reply in zip(asked, (reply.result() for reply in replies)):
        assert reply.status == 200, (name, role, reply)
        see(name, role, reply.json)
