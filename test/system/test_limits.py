"""Point 7, at the server: what is waited for is bounded, and the answer says what to do; dead connections heal."""
import threading

import pytest

from api import PROBLEM, incident
from metrics import value
from test_dedupe import dedupe_key
from waiting import wait_for


def assert_problem(reply, status):
    assert reply.status == status and reply.type == PROBLEM, reply
    assert reply.json["status"] == status and reply.json["title"] and reply.json["detail"], reply


def assert_try_again(reply):
    """503, and when to come back."""
    assert_problem(reply, 503)
    assert int(reply.headers["retry-after"]) >= 1


def counted(node, batcher):
    """Of the locks a batcher takes: (who waited, who was refused)."""
    return tuple(value(node, f"tocsin_batcher_lock_{what}_total", batcher=batcher) for what in ("waits", "timeouts"))


def test_a_key_held_too_long_is_a_conflict(start, database):
    """Proves DATABASE_LOCK_TIMEOUT_MS: without it the request would wait as long as the session holds the key,
    which is for ever here (seen, with items that never expire in batcher_queue.c). A deletion of the system waits for the
    same key. Seen to fail with a deletion refused without Retry-After, and with timeouts that no batcher counts."""
    node = start(DATABASE_LOCK_TIMEOUT_MS=1000)
    assert node.api.post("/api/v1/systems", {"id": "held", "name": "held"}).status == 201
    with database.hold_key(dedupe_key("held")):
        for reply in (node.api.create_once("held"), node.api.call("DELETE", "/api/v1/systems/held")):
            assert_problem(reply, 409)
            assert int(reply.headers["retry-after"]) >= 1, reply
        assert node.api.create_once("free").status == 201
    assert [counted(node, batcher) for batcher in ("create", "delete", "alert")] == [(1, 1), (1, 1), (0, 0)]
    reply = node.api.create_once("held")
    assert reply.status == 201 and not reply.json["reused"]
    assert node.api.call("DELETE", "/api/v1/systems/held").status == 204
    assert [counted(node, batcher) for batcher in ("create", "delete")] == [(1, 1), (1, 1)]


def test_an_alert_whose_system_is_held_too_long(start, database):
    """The same for alerts; as Alertmanager repeats nothing but 5xx, it is 503. What is repeated then comes in once."""
    node = start(DATABASE_LOCK_TIMEOUT_MS=1000)
    payload = {"version": "4", "alerts": [{"status": "firing", "labels": {"system": name}} for name in ("held", "free")]}
    with database.hold_key(dedupe_key("held")):
        assert_try_again(node.api.post("/api/v1/alerts/alertmanager", payload))
        assert list(database.open_incidents()) == ["free"]
    assert node.api.post("/api/v1/alerts/alertmanager", payload).status == 200
    assert {system: len(found) for system, found in database.open_incidents().items()} == {"held": 1, "free": 1}


def test_no_connection_in_time(start, database):
    """The only work connection is stuck behind a row lock of an outside session. Proves the connection
    timeout: without it the second request waits for the first, which waits for the session (seen, before the
    executor bounded how long a request waits for a thread)."""
    node = start(DATABASE_POOL_MAX=1, DATABASE_POOL_CONNECTION_TIMEOUT_MS=1000)
    path = f"/api/v1/incidents/{node.api.create('stuck')['id']}"
    replies = []
    with database.connect(application_name="outside") as holder:
        with holder.cursor() as cursor:
            cursor.execute("begin; select from incidents for update")
            stuck = threading.Thread(target=lambda: replies.append(node.api.post(path + "/resolve")))
            stuck.start()
            wait_for(lambda: database.value("select count(*) from pg_stat_activity where wait_event_type = 'Lock'"
                                            " and datname = current_database()") == 1, "the connection is stuck")
            assert_try_again(node.api.get(path))
            cursor.execute("rollback")
        stuck.join(60)
    assert replies and replies[0].status == 200
    assert node.api.get(path).json["status"] == "resolved"


@pytest.mark.parametrize("method, path, body", [
    pytest.param("GET", "/api/v1/incidents", None, id="read"),
    pytest.param("POST", "/api/v1/incidents", incident("away"), id="create"),
    pytest.param("POST", "/api/v1/incidents", incident("away", dedupeOpenForSystem=True), id="deduped create"),
    pytest.param("POST", "/api/v1/alerts/alertmanager",
                 {"version": "4", "alerts": [{"status": "firing", "labels": {"system": "away"}}]}, id="alerts"),
])
def test_database_away(start, database, method, path, body):
    """Nobody may connect to the database any more, and the sessions there are ended. Proves that an outage is 503
    within the bound, that /readyz says so while /healthz does not, and that all is well when it is back."""
    node = start(DATABASE_POOL_CONNECTION_TIMEOUT_MS=1000)
    assert node.api.get("/api/v1/incidents").status == 200  # so that the key is remembered
    database.allow_connections(False)
    database.terminate_backends()

    assert_try_again(node.api.call(method, path, body))
    assert node.anonymous.get("/healthz").status == 200
    assert node.anonymous.get("/readyz").status == 503

    database.allow_connections(True)
    wait_for(node.is_ready, "/readyz answers 200 again")
    assert node.api.call(method, path, body).status in (200, 201)


def test_terminated_connections_are_replaced(start, database):
    """Fills both pools and ends every session, five times; 100 requests must succeed, reads and creates. Proves that
    no caller receives a connection known to be dead. Seen: with what the server says before it hangs up ignored, one
    run in five answered 503 to a create."""
    node = start()
    for episode in range(5):
        warm = [threading.Thread(target=request) for i in range(16) for request in
                (lambda i=i: node.api.create_once(f"warm-{i}"), lambda: node.api.get("/api/v1/incidents"))]
        for thread in warm:
            thread.start()
        for thread in warm:
            thread.join()
        assert database.terminate_backends() >= 2
        for i in range(10):
            assert node.api.create_once(f"after-{episode}-{i}").status == 201
            assert node.api.get(f"/api/v1/incidents?systemId=after-{episode}-{i}").status == 200
