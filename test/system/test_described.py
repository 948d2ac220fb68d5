"""The answers that /openapi.json lists are those that there are. That what is answered is listed, every test sees that calls
by rows.Caller; here: what is listed is answered, and who may call is as it says.

How each was seen to fail: with 404 for every path with a parameter, test_absent_things named the two procedures that
answer 200 for systems that nobody knows; with 401 for what looks at no credentials, test_strangers; with 413 and 415 for
nothing, test_bodies; with 422 for every POST, and not for updateIncident, the Caller in test_unknown_systems; with 409 for
whatever is not GET, test_conflicts named ingestAlertmanager and the reads by POST; with 304 only for what has a schema,
the Caller in test_not_modified, which also named streamEvents without a content_type in its row; with `security` for rules only, test_who_is_asked named logOut."""
import pytest

from api import incident
from events import Stream
from rows import ROWS, Caller, World
from session import log_in, make_user
from test_openapi import describe

FIRING = {"version": "4", "alerts": [{"status": "firing", "labels": {"alertname": "Down", "system": "nobody knows"},
                                      "fingerprint": "0123456789abcdef"}]}
# Whoever tells of a change loses: as PostgreSQL chooses one of two that wait for each other.
LOSES = """create function lose() returns trigger language plpgsql as $$ begin raise sqlstate '40P01'; end $$;
create trigger lose before insert on events for each row execute function lose()"""


@pytest.fixture(name="known", scope="module")
def fixture_known(node):
    return Caller(describe(node), "v1").known


def listed(known, status):
    return {name for name, (_, _, operation) in known.items() if str(status) in operation["responses"]}


def takes_key(known):
    """Two requests with one Idempotency-Key: 409 while the first runs, 422 for other input (test_idempotency.py)."""
    return {name for name, (_, _, operation) in known.items()
            if any(parameter.get("$ref", "").endswith("/IdempotencyKey") for parameter in operation["parameters"])}


def test_absent_things(known):
    """test_rows.test_errors gets each of them."""
    assert listed(known, 404) == {name for name, row in ROWS.items() if any(status == 404 for status, *_ in row.errors)}


def test_strangers(known):
    """test_rows.test_what_all_refuse gets each of them, but for log-in: a wrong password is one, too."""
    assert listed(known, 401) == {name for name, row in ROWS.items() if row.asks_who and row.has_problems} | {"logIn"}


def test_bodies(known):
    """test_rows.test_what_all_refuse gets each of them."""
    bodies = {name for name, (_, _, operation) in known.items() if "requestBody" in operation}
    assert listed(known, 413) == bodies and listed(known, 415) == bodies - {"ingestPagerDuty"}


def test_unknown_systems(start, known):
    """Where they are refused: 422, and nothing of it is there."""
    node = start(TOCSIN_UNKNOWN_SYSTEMS="reject")
    caller, world = Caller(describe(node), "v1"), World(node.api)
    asked = [("createIncident", incident("nobody knows")),
             ("createIncident", incident("nobody knows", dedupeOpenForSystem=True)),
             ("updateIncident", {"id": world.incident, "systemIds": [world.system, "nobody knows"]}),
             ("ingestAlertmanager", FIRING)]
    for name, fields in asked:
        reply = caller.call(node.api, name, fields)
        assert reply.status == 422 and "nobody knows" in reply.json["errors"][0]["detail"], (name, reply)
    assert [one["systemIds"] for one in node.api.incidents()["incidents"]] == [[world.system]]
    assert listed(known, 422) == {name for name, _ in asked} | takes_key(known)


def test_conflicts(start, database, known):
    """Two operations that met, seen from the one that lost: 409, and when to come back; an alert comes again by 503."""
    node = start(DATABASE_LOCK_TIMEOUT_MS=1000)  # for so long a deletion of a system is tried again
    caller = Caller(describe(node), "v1")
    session = log_in(node.url, make_user(node.api, "viewer")["name"])
    asked = {name: row.good(World(node.api)) for name, row in ROWS.items()
             if caller.place(name)[0] != "GET" and row.has_problems} | {"ingestAlertmanager": FIRING}
    with database.connect() as connection, connection.cursor() as cursor:
        cursor.execute(LOSES)
    replies = {name: caller.call(session if name in ("logOut", "changePassword") else node.api, name, fields)
               for name, fields in asked.items()}
    lost = {name for name, reply in replies.items() if reply.status == 409}
    assert all(int(replies[name].headers["retry-after"]) > 0 for name in lost)
    assert replies["ingestAlertmanager"].status == 503
    assert listed(known, 409) == lost | takes_key(known)


def test_not_modified(node, known):
    """Whatever is read, but for streams, which have no tag."""
    caller, world = Caller(describe(node), "v1"), World(node.api)
    reads = {name for name, (method, _, _) in caller.known.items() if method == "GET"} - {"streamEvents"}
    for name in reads:
        reply = caller.call(node.api, name, ROWS[name].good(world), {"If-None-Match": "*"})
        assert (reply.status, reply.body) == (304, b"") and reply.headers["etag"], (name, reply)
    with Stream(node.api) as stream:
        assert "etag" not in stream.parser.headers
        assert {stream.parser.headers["content-type"]} == caller.types("streamEvents", "200")
    assert listed(known, 304) == reads


def test_who_is_asked(known):
    """What each needs is what test_rows.test_who_may_call and test_auth_procedures.test_session_views see."""
    for name, row in ROWS.items():
        schemes = [next(iter(one), "anybody") for one in known[name][2]["security"]]
        if row.who == "session":
            assert schemes == ["session"], name
        elif row.asks_who and row.has_problems:
            assert schemes == ["anybody"] * (row.who == "anonymous") + ["key", "session"], name
        else:
            assert schemes == [], name
