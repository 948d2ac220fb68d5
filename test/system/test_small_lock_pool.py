"""Few lock connections: a key that is held elsewhere costs its own system its time, and no other.

How it was seen to fail: with a waiter in each batcher whatever the size of the pool (TC_MAX(rest / 2, 1u) in
app/server.c), the creates of free systems and the alerts are 503 here: a waiter has the last connection."""
import threading

import pytest

from metrics import value
from test_dedupe import dedupe_key
from waiting import wait_for


def alert(system):
    return {"version": "4", "alerts": [{"status": "firing", "labels": {"system": system, "alertname": "x"}}]}


@pytest.mark.parametrize("connections", [1, 2, 3, 4])
def test_a_contended_key_stops_no_other_system(start, database, connections):
    node = start(DATABASE_LOCK_POOL_MAX=connections, DATABASE_POOL_CONNECTION_TIMEOUT_MS=2000)
    replies = []
    with database.hold_key(dedupe_key("hot")) as let_go:
        waiting = [threading.Thread(target=lambda request=request: replies.append(request())) for request in (
            lambda: node.api.create_once("hot"),
            lambda: node.api.post("/api/v1/alerts/alertmanager", alert("hot")))]
        for thread in waiting:
            thread.start()
        wait_for(lambda: value(node, "tocsin_batcher_contended_keys") >= 2, "create and alert wait for the key")
        for i in range(20):
            reply = node.api.create_once(f"free-{i}")
            assert (reply.status, reply.json["reused"]) == (201, False)
            assert node.api.post("/api/v1/alerts/alertmanager", alert(f"alert-{i}")).status == 200
        assert not replies
        let_go()
        for thread in waiting:
            thread.join(60)
    assert {reply.status for reply in replies} <= {200, 201} and len(replies) == 2
    assert len(database.open_incidents()["hot"]) == 1
