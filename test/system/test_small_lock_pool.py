"""Few lock connections: a key that is held elsewhere costs its own system its time, and no other.

How it was seen to fail: with a waiter in each batcher whatever the size of the pool (TC_MAX(rest / 2, 1u) in
app/server.c), the creates of free systems and the alerts are 503 here: a waiter has the last connection. With
deletions that wait in PostgreSQL on a thread of the work executor, creates are 503 where there is one connection, and
reads are 503 where there are two threads."""
import contextlib
import threading
import time

import pytest

from metrics import value
from server import run
from test_dedupe import dedupe_key
from waiting import wait_for

# A call that finds no connection is 503 after so long, which is more than a busy machine takes for one that finds it;
# and less than those wait who are held up here: for a key, and the removal (TC_QUERY_TIMEOUT_MS, 60 s).
TIMEOUTS = {"DATABASE_POOL_CONNECTION_TIMEOUT_MS": 20000, "DATABASE_LOCK_TIMEOUT_MS": 60000}


def alert(system):
    return {"version": "4", "alerts": [{"status": "firing", "labels": {"system": system, "alertname": "x"}}]}


@pytest.mark.parametrize("connections", [1, 2, 3, 4])
def test_a_contended_key_stops_no_other_system(start, database, connections):
    node = start(DATABASE_LOCK_POOL_MAX=connections, DATABASE_POOL_MAX=2, **TIMEOUTS)
    assert node.api.post("/api/v1/systems", {"id": "doomed", "name": "Doomed"}).status == 201
    replies, deletions = [], []
    with database.hold_key(dedupe_key("hot")) as let_go, database.hold_key(dedupe_key("doomed")) as doom:
        waiting = [threading.Thread(target=lambda ask=ask, told=told: told.append(ask())) for ask, told in (
            (lambda: node.api.create_once("hot"), replies),
            (lambda: node.api.post("/api/v1/alerts/alertmanager", alert("hot")), replies),
            *[(lambda: node.api.call("DELETE", "/api/v1/systems/doomed"), deletions)] * 3)]
        for thread in waiting:
            thread.start()
        wait_for(lambda: value(node, "tocsin_batcher_contended_keys") >= 3
                 and value(node, "tocsin_batcher_contended_items", batcher="delete") == 3, "all wait for their keys")
        for i in range(20):
            assert node.api.get(f"/api/v1/systems?limit={i + 1}").status == 200
            reply = node.api.create_once(f"free-{i}")
            assert (reply.status, reply.json["reused"]) == (201, False)
            assert node.api.post("/api/v1/alerts/alertmanager", alert(f"alert-{i}")).status == 200
        assert not replies and not deletions
        let_go()
        doom()
        for thread in waiting:
            thread.join(60)
    assert {reply.status for reply in replies} <= {200, 201} and len(replies) == 2
    assert sorted(reply.status for reply in deletions) == [204, 404, 404]
    assert len(database.open_incidents()["hot"]) == 1


def test_an_alert_waits_no_longer_because_others_did(start, database):
    """Of alerts one connection waits here. It comes to the second when most of that one's time is over, and is not to wait
    for the whole time anew: a create that was sent later, and waits elsewhere, is over after it. Seen to fail with
    wait_timeout_ms in alert_batch.c in place of what remains of it."""
    timeout_s = 5
    node = start(DATABASE_LOCK_POOL_MAX=4, DATABASE_LOCK_TIMEOUT_MS=timeout_s * 1000)
    replies, threads = [], []

    def send(batcher, items, system, ask):
        threads.append(threading.Thread(target=lambda: replies.append((system, ask().status))))
        threads[-1].start()
        wait_for(lambda: value(node, "tocsin_batcher_contended_items", batcher=batcher) == items, f"{system} waits")

    def send_alert(items, system):
        send("alert", items, system, lambda: node.api.post("/api/v1/alerts/alertmanager", alert(system)))

    with database.hold_key(dedupe_key("first")) as let_go, database.hold_key(dedupe_key("second")), \
            database.hold_key(dedupe_key("later")):
        send_alert(1, "first")
        send_alert(2, "second")
        sent_s = time.monotonic()
        wait_for(lambda: time.monotonic() > sent_s + timeout_s * 0.3, "some of its time is over")
        send("create", 1, "later", lambda: node.api.create_once("later"))
        wait_for(lambda: time.monotonic() > sent_s + timeout_s * 0.6, "more of it is over")
        let_go()
        for thread in threads:
            thread.join(60)
    assert [reply for reply in replies if reply[0] != "first"] == [("second", 503), ("later", 409)]


def test_a_row_held_elsewhere_leaves_the_only_connection(start, database):
    """A deletion whose incident somebody holds is tried again and again, but others come in between. Seen to fail with a
    deletion that waits for the row as long as a statement may take: the creates are 503."""
    node = start(DATABASE_LOCK_POOL_MAX=1, DATABASE_POOL_CONNECTION_TIMEOUT_MS=2000)
    made = node.api.create("doomed")["id"]
    deletions = []
    with contextlib.closing(database.connect(application_name="outside")) as holder, holder.cursor() as cursor:
        cursor.execute("begin; select from incidents where id = %s for update", (made,))
        thread = threading.Thread(target=lambda: deletions.append(node.api.call("DELETE", "/api/v1/systems/doomed")))
        thread.start()
        wait_for(lambda: value(node, "tocsin_batcher_batches_total", batcher="delete") > 0, "the deletion has been tried")
        for i in range(5):
            assert node.api.create_once(f"free-{i}").status == 201
        assert not deletions
        cursor.execute("rollback")
        thread.join(60)
    assert [reply.status for reply in deletions] == [204]
    assert node.api.get(f"/api/v1/incidents/{made}").json["systemIds"] == []


def test_what_runs_in_the_background_leaves_the_only_connection(start, database):
    """Removing old events takes as long as it takes: here somebody holds an old event. And `lock run` has connections of
    its own. Seen to fail with the removal under a session lock, whose connection is one of the lock pool: 503."""
    node = start(DATABASE_LOCK_POOL_MAX=1, TOCSIN_EVENT_RETENTION="1s", **TIMEOUTS)
    holder = database.connect(application_name="outside")
    holder.autocommit = False
    try:
        with holder.cursor() as cursor:
            def hold_events():
                node.api.create("old")
                cursor.execute("select 1 from events for update")
                return cursor.fetchall()
            wait_for(hold_events, "events are held")
            wait_for(lambda: database.is_blocking(holder), "the removal waits")
            for i in range(3):
                assert node.api.create_once(f"now-{i}").status == 201
            done = run("lock", "run", "key", "--", "true", DATABASE_URL=database.url, DATABASE_LOCK_POOL_MAX=1)
            assert done.returncode == 0, done
            wait_for(lambda: database.is_blocking(holder), "the removal waits still, or once more")
    finally:
        holder.close()
