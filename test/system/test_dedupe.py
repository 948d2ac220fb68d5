"""Exactly one incident a system, from several nodes at once, and what a hot system costs the others."""
import asyncio
import contextlib
import secrets
import threading
import time
import uuid

import pytest

from api import Storm, incident
from metrics import value
from server import REPOSITORY
from waiting import wait_for

CREATE = "/api/v1/incidents"


def dedupe_key(system):
    """The lock that gates opening an incident of a system."""
    return f"incident.dedupe-open-for-system:{system}"


def once(system, **fields):
    return incident(system, dedupeOpenForSystem=True, **fields)


def storm(apis, bodies):
    """Sends all bodies at once, one a connection."""
    async def run():
        async with Storm(apis) as connections:
            return await connections.post(CREATE, bodies)

    return asyncio.run(run())


def test_six_nodes_open_one_incident(start, database):
    """Point 4. Six processes, 50 deduped creates each, all at once, on one system.

    An outside session is about to register the same system, and so holds up whoever has looked and found nothing
    open: every node that the lock lets through has looked before any commits. Proves the advisory lock between
    processes and the batch inside each. Seen: with try_keys.sql made to grant always, six incidents."""
    nodes = [start(DATABASE_POOL_MAX=10, DATABASE_LOCK_POOL_MAX=5) for _ in range(6)]
    bodies = [once("hot", title=f"{i}", initialMessage="we look") for i in range(300)]

    async def run():
        async with Storm([node.api for node in nodes for _ in range(50)]) as connections:
            with contextlib.closing(database.connect(application_name="outside")) as outside:
                with outside.cursor() as cursor:
                    cursor.execute("begin; insert into systems (id, name) values ('hot', 'hot')")
                    flight = asyncio.ensure_future(connections.post(CREATE, bodies))
                    await asyncio.to_thread(wait_for, lambda: database.value(
                        "select count(*) from pg_stat_activity where datname = current_database()"
                        " and wait_event_type = 'Lock'") == 6, "one node waits for the session, five for that node")
                    cursor.execute("commit")
            return await flight

    replies = asyncio.run(run())

    assert sorted({reply.status for reply in replies}) == [200, 201]
    answers = [reply.json for reply in replies]
    assert len({answer["incident"]["id"] for answer in answers}) == 1
    assert [answer["reused"] for answer in answers].count(True) == 299
    assert {reply.status for reply in replies if not reply.json["reused"]} == {201}
    assert database.value("select count(*) from incidents") == 1
    assert database.value("select count(*) from events where kind = 'incident.created'") == 1
    assert database.value("select count(*) from incident_updates") == 1


def product_sql(name):
    """A statement of the product, to be run outside it."""
    return (REPOSITORY / "src" / "modules" / "incident" / "sql" / f"{name}.sql").read_text()


OPEN_TYPES = ("uuid[], text[], text[], incident_severity[], boolean[], incident_health[], text[], text[], text[],"
              " uuid[], text[], text[], boolean")


def new_id():
    """A UUID of version 7."""
    return str(uuid.UUID(int=time.time_ns() // 10**6 << 80 | 7 << 76 | 2 << 62 | secrets.randbits(62)))


class Opener:
    """A session that goes through the product's own statements: lock, then find or open, then commit."""

    def __init__(self, database):
        self.connection = database.connect(application_name="opener")
        self.connection.autocommit = False
        self.cursor = self.connection.cursor()
        self.cursor.execute(f"prepare try_keys (text[]) as {product_sql('try_keys')}")
        self.cursor.execute(f"prepare lock_none as {product_sql('lock_none')}")
        self.cursor.execute(f"prepare open_batch ({OPEN_TYPES}) as {product_sql('open_batch')}")
        self.connection.commit()

    def lock(self, system):
        self.cursor.execute("execute try_keys (array[%s])", (dedupe_key(system),))

    def skip_lock(self):
        self.cursor.execute("execute lock_none")

    def open(self, system):
        """True: opened one; False: found one; None: the key was not granted."""
        self.cursor.execute(
            "execute open_batch (array[%s]::uuid[], array['Storm'], array[null]::text[],"
            " array['major']::incident_severity[], array[false], array[null]::incident_health[], array[%s]::text[],"
            " array[%s]::text[], array[null]::text[], array[%s]::uuid[], array[null]::text[], array[null]::text[],"
            " false)",
            (new_id(), '{"' + system + '"}', system, new_id()))
        row = self.cursor.fetchone()
        return None if row is None else not row[1]


def race(database, locked):
    """Six sessions find-or-open at the same time; what each did. All look before any commits."""
    barrier, done, errors = threading.Barrier(6, timeout=60), [], []

    def one():
        try:
            opener = Opener(database)
            with contextlib.closing(opener.connection):
                barrier.wait()
                if locked:
                    opener.lock("raced")
                else:
                    opener.skip_lock()
                done.append(opener.open("raced"))
                barrier.wait()
                opener.connection.commit()
        except Exception as error:  # the thread's; told below
            errors.append(error)
            barrier.abort()

    threads = [threading.Thread(target=one) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    return done


@pytest.mark.parametrize("locked", [False, True], ids=["without the lock", "with the lock"])
def test_it_is_the_lock_that_makes_it_one(start, database, locked):
    """Point 4, the other half. The product's find-or-open statement, run by six sessions that all look before
    any commits: without its lock statement each opens an incident of its own (seen: six), so the lock and
    nothing else (no unique index, no isolation level) is what makes it one; with it one session does."""
    start().stop()  # migrates
    database.rows("insert into systems (id, name) values ('raced', 'raced') returning id")

    done = race(database, locked)

    assert sorted(map(str, done)) == (["None"] * 5 + ["True"] if locked else ["True"] * 6)
    assert len(database.open_incidents()["raced"]) == (1 if locked else 6)


def test_a_hot_system_costs_one_connection(start, database):
    """Point 9. An outside session holds the key of one system while 500 requests wait for it.

    Proves the queue per key inside the node (and with the key statement taken out nobody waits at all: seen): with a waiting connection for each request the lock pool (4)
    would be used up, the cold create would wait, and pg_locks would show more than one waiter."""
    node = start(DATABASE_LOCK_POOL_MAX=4, DATABASE_LOCK_TIMEOUT_MS=300000)
    key = dedupe_key("hot")

    def waiting():
        return [name for name, granted in database.key_locks(key) if not granted]

    async def run():
        async with Storm([node.api] * 500) as connections:
            with database.hold_key(key) as let_go:
                hot = asyncio.ensure_future(connections.post(CREATE, [once("hot")] * 500))
                await asyncio.to_thread(wait_for, lambda: value(node, "tocsin_batcher_contended_items",
                                                                batcher="create") >= 500, "500 requests wait")
                waiters = waiting()
                cold = await asyncio.to_thread(node.api.create_once, "cold")
                nobody_answered = not hot.done() and waiting() == waiters
                let_go()
            return waiters, cold, nobody_answered, await hot

    waiters, cold, nobody_answered, replies = asyncio.run(run())

    assert len(waiters) == 1 and "lock" in waiters[0]
    assert cold.status == 201
    assert nobody_answered
    assert {reply.status for reply in replies} <= {200, 201}
    assert len({reply.json["incident"]["id"] for reply in replies}) == 1
    assert [reply.json["reused"] for reply in replies].count(False) == 1
    assert {system: len(found) for system, found in database.open_incidents().items()} == {"hot": 1, "cold": 1}


def test_who_follows_lets_others_go_first(start, database):
    """The answers of a storm, but for the first of each batch, take the slow lane (http/lane.h); others do not. All wait
    for the key before it is let go of, so they share a batch: or two, if the last came while the others were tried. Seen
    to fail, with none that lets others go first, without tc_call_set_follower in modules/incident/creator.c."""
    node = start(DATABASE_LOCK_POOL_MAX=1)
    key, callers = dedupe_key("hot"), 40

    def behind():
        return value(node, "tocsin_http_answers_behind_total")

    async def run():
        async with Storm([node.api] * callers) as connections:
            with database.hold_key(key) as let_go:
                hot = asyncio.ensure_future(connections.post(CREATE, [once("hot")] * callers))
                await asyncio.to_thread(wait_for, lambda: value(node, "tocsin_batcher_contended_items",
                                                                batcher="create") == callers, "all wait")
                cold = await asyncio.to_thread(node.api.create_once, "cold")
                alone = behind()
                let_go()
            return cold, alone, await hot

    cold, alone, replies = asyncio.run(run())
    assert cold.status == 201 and {reply.status for reply in replies} == {200, 201}
    assert alone == 0 and callers - 2 <= behind() <= callers - 1
    assert node.api.create_once("hot").status == 200 and behind() <= callers - 1
