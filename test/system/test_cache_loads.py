"""Many who ask for one answer that nobody keeps yet: it is loaded once; and what an older load brings is not kept.

Nothing here depends on who is faster: a lock in the database holds the load until the metrics say that everybody has
asked.

How each was seen to fail: with find_locked (core/cache/cache.c) answering BYPASS instead of WAIT, each caller of the stampede
asked the database; with is_overtaken always false, who asked after the change waited for the older load, and got it;
without tc_http_request_go_behind in core/procedure/answer.c no answer let others go first."""
import concurrent.futures
import contextlib

import pytest

from events import Stream
from metrics import read, value
from test_cache import INCIDENTS, hits
from waiting import wait_for

CALLERS = 64
GATE = "gate of the test"
WAITING = "select count(*) from pg_locks where relation = 'incidents'::regclass and not granted"
HELD = """create or replace function incident_update_document(incident_updates, with_history boolean)
returns text language plpgsql as $$ begin
	perform pg_advisory_lock_shared(hashtextextended('%(gate)s', 0));
	perform pg_advisory_unlock_shared(hashtextextended('%(gate)s', 0));
	return '{"message":"held"}';
end $$""" % {"gate": GATE}


def asked(node):
    """How reads met the cache so far: (loads, waits, neither, hits)."""
    families = read(node)
    return [families[f"tocsin_cache_{name}_total"].samples[f"tocsin_cache_{name}_total", ()]
            for name in ("loads", "waits", "bypasses", "hits")]


def since(node, before):
    return [int(now - then) for now, then in zip(asked(node), before)]


def until_cached(node):
    """Returns once the node keeps answers: it does not before it hears of other nodes' changes."""
    wait_for(lambda: (node.api.get("/api/v1/groups"), hits(node) > 0)[1], "answers are kept")


def test_a_stampede_loads_once(start, database):
    node = start()
    made = node.api.create("stampede")
    until_cached(node)
    before = asked(node)
    assert value(node, "tocsin_http_answers_behind_total") == 0
    with contextlib.closing(database.connect(application_name="test")) as holder, \
            concurrent.futures.ThreadPoolExecutor(CALLERS) as threads:
        with holder.cursor() as cursor:
            cursor.execute("begin; lock table incidents in access exclusive mode")
            replies = [threads.submit(node.api.get, f"{INCIDENTS}/{made['id']}") for _ in range(CALLERS)]
            wait_for(lambda: sum(since(node, before)) == CALLERS and database.value(WAITING), "all have asked")
            found, waiting = since(node, before), database.value(WAITING)
            cursor.execute("rollback")
        bodies = {reply.result().body for reply in replies}
    assert len(bodies) == 1 and {reply.result().status for reply in replies} == {200}
    assert found == [1, CALLERS - 1, 0, 0] and waiting == 1
    assert value(node, "tocsin_http_answers_behind_total") == CALLERS - 1
    assert node.api.get(f"{INCIDENTS}/{made['id']}").body in bodies


@pytest.mark.parametrize("writer", ["this node", "another node"])
def test_an_older_load_is_not_kept(start, database, writer):
    """A load whose snapshot is older than a change ends after it. Who asked before the change may get it; who asks
    after does not wait for it; and afterwards there is only the newer one."""
    node = start()
    other = node if writer == "this node" else start()
    made = node.api.create("older", initialMessage="held")
    path = f"{INCIDENTS}/{made['id']}"
    until_cached(node)
    with database.connect() as session, session.cursor() as cursor:
        cursor.execute(HELD)
    before = asked(node)
    with database.hold_key(GATE) as open_gate, concurrent.futures.ThreadPoolExecutor(2) as threads, \
            Stream(node.anonymous) as stream:
        older = threads.submit(node.api.get, path)
        wait_for(lambda: ("tocsin-work", False) in database.key_locks(GATE), "the older load has read, and is held")
        assert other.api.call("PATCH", path, {"severity": "critical"}).status == 200
        stream.until(lambda event: event.name == "incident.updated")  # the node knows
        newer = threads.submit(node.api.get, path)
        wait_for(lambda: sum(since(node, before)) == 2, "both have asked")
        found = since(node, before)
        open_gate()
        assert older.result().json["severity"] == "major" and newer.result().json["severity"] == "critical"
        assert found == [2, 0, 0, 0]
    for _ in range(3):
        assert node.api.get(path).json["severity"] == "critical"
