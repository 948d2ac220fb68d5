"""Point 14: bad input, one case a row.

Every row proves a check of its own: the right status, a problem document that names the field, no stack, SQL or
secret in it, nothing created, and a server that goes on. Taking a check out turns its row red: the request then
succeeds, or fails deeper down with another status."""
import dataclasses
import re
import uuid

import pytest

from api import PROBLEM, Api, incident
from server import new_key

CREATE = "/api/v1/incidents"
ALERTS = "/api/v1/alerts/alertmanager"
SOME = f"{CREATE}/{uuid.uuid4()}"
LEAKS = re.compile(r"(?i)\bselect .* from|insert into|update \w+ set|delete from|\bwhere \w+ *[=<>]"
                   r"|sqlstate|postgres|psql|libpq|pg_\w+|\$\d|\.[ch]:\d+|0x[0-9a-f]{6,}|jansson|microhttpd")


@dataclasses.dataclass(frozen=True)
class Case:
    """A request; by default a create with a good key, whose input is good except for `change`."""
    status: int
    pointer: str | None = None  # what the document must name
    method: str = "POST"
    path: str = CREATE
    body: object = None
    change: dict | None = None
    headers: dict = dataclasses.field(default_factory=dict)
    key: str = "admin"  # or none, wrong, revoked, garbage
    words: str = ""  # the document must have them
    allow: str = ""


def case(name, status, pointer=None, **fields):
    return pytest.param(Case(status, pointer, **fields), id=name)


def change(name, pointer, **fields):
    return case(name, 400, pointer, change=fields)


def alert(name, pointer, payload):
    return case(name, 400, pointer, path=ALERTS, body=payload)


def good_bytes(find, replace):
    """A create's body with some bytes replaced after encoding."""
    body = b'{"title":"Disk full","severity":"major","systemIds":["a"]}'
    assert find in body
    return body.replace(find, replace)


UTF8_PATHS = [b"\xff", b"\xc3", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf5\x80\x80\x80"]

CASES = [
    # Not JSON, or not an object.
    case("broken JSON", 400, body=b'{"title": "x"'),
    case("no JSON at all", 400, body=b"title=x"),
    case("two documents", 400, body=b"{} {}"),
    case("a trailing comma", 400, body=good_bytes(b'"a"]}', b'"a"],}')),
    case("a member twice", 400, body=good_bytes(b'"severity"', b'"title":"again","severity"'), words="title"),
    case("an array", 400, body=b"[]"),
    case("a text", 400, body=b'"create"'),
    case("null", 400, body=b"null"),
    case("an empty body", 400, "/title", body=b""),
    case("nested too deep", 400, body=b'{"title":' + b"[" * 5000 + b"]" * 5000 + b"}"),
    # Wrong types.
    change("title is a number", "/title", title=5),
    change("title is null", "/title", title=None),
    change("title is an object", "/title", title={}),
    change("severity unknown", "/severity", severity="huge"),
    change("severity is a number", "/severity", severity=1),
    change("systemIds is a text", "/systemIds", systemIds="a"),
    change("systemIds has a number", "/systemIds/1", systemIds=["a", 5]),
    change("systemIds has null", "/systemIds/0", systemIds=[None]),
    change("suppressNotifications is a text", "/suppressNotifications", suppressNotifications="true"),
    change("dedupeOpenForSystem is a number", "/dedupeOpenForSystem", dedupeOpenForSystem=1),
    change("healthOverride unknown", "/healthOverride", healthOverride="fine"),
    change("description is a list", "/description", description=["x"]),
    change("initialMessage is false", "/initialMessage", initialMessage=False),
    # Missing, unknown, too short, too long.
    case("title missing", 400, "/title", body={"severity": "major", "systemIds": ["a"]}),
    case("severity missing", 400, "/severity", body={"title": "x", "systemIds": ["a"]}),
    case("systemIds missing", 400, "/systemIds", body={"title": "x", "severity": "major"}),
    change("unknown field", "/colour", colour="red"),
    change("unknown field with a slash", "/a~1b", **{"a/b": 1}),
    change("a field of another procedure", "/statusChange", statusChange="fixing"),
    change("title empty", "/title", title=""),
    change("title too long", "/title", title="x" * 501),
    change("title too long in characters", "/title", title="ä" * 501),
    change("description too long", "/description", description="x" * 20001),
    change("systemIds empty", "/systemIds", systemIds=[]),
    change("a system without a name", "/systemIds/0", systemIds=[""]),
    change("a system's name too long", "/systemIds/0", systemIds=["x" * 256]),
    # Not text.
    change("NUL in the title, escaped", "/title", title="a\0b"),
    change("NUL in a system, escaped", "/systemIds/0", systemIds=["a\0b"]),
    change("NUL in the first message, escaped", "/initialMessage", initialMessage="\0"),
    case("NUL in the title, raw", 400, body=good_bytes(b"Disk", b"Di\0sk")),
    case("NUL after the body", 400, body=good_bytes(b"}", b"}\0")),
    case("a lone surrogate", 400, body=good_bytes(b"Disk", rb"\ud800")),
    *[case(f"invalid UTF-8 {text.hex()}", 400, body=good_bytes(b"Disk", text)) for text in UTF8_PATHS],
    # Query and path.
    case("NUL in the query", 400, method="GET", path=f"{CREATE}?systemId=a%00b"),
    case("invalid UTF-8 in the query", 400, method="GET", path=f"{CREATE}?systemId=%ff"),
    case("a broken escape in the query", 400, method="GET", path=f"{CREATE}?systemId=%zz"),
    case("NUL in the path", 400, method="GET", path="/api/v1/systems/a%00b/suppression"),
    case("invalid UTF-8 in the path", 400, method="GET", path="/api/v1/systems/%ff/suppression"),
    case("unknown query parameter", 400, "colour", method="GET", path=f"{CREATE}?colour=red"),
    case("query parameter twice", 400, "limit", method="GET", path=f"{CREATE}?limit=1&limit=2"),
    case("limit 0", 400, "limit", method="GET", path=f"{CREATE}?limit=0"),
    case("limit 501", 400, "limit", method="GET", path=f"{CREATE}?limit=501"),
    case("limit negative", 400, "limit", method="GET", path=f"{CREATE}?limit=-1"),
    case("limit no number", 400, "limit", method="GET", path=f"{CREATE}?limit=ten"),
    case("limit too big for any number", 400, "limit", method="GET", path=f"{CREATE}?limit=99999999999999999999"),
    case("cursor nonsense", 400, "cursor", method="GET", path=f"{CREATE}?cursor=nonsense"),
    case("status unknown", 400, "status", method="GET", path=f"{CREATE}?status=open"),
    case("includeResolved no boolean", 400, "includeResolved", method="GET", path=f"{CREATE}?includeResolved=yes"),
    case("systemId too long", 400, "systemId", method="GET", path=f"{CREATE}?systemId={'x' * 256}"),
    case("no UUID", 400, "id", method="GET", path=f"{CREATE}/nonsense"),
    case("nearly a UUID", 400, "id", method="GET", path=SOME[:-1]),
    case("a UUID too long", 400, "id", method="GET", path=SOME + "0"),
    case("no such incident", 404, method="GET", path=SOME),
    case("unknown path", 404, method="GET", path="/api/v1/nothing"),
    case("above every path", 404, method="GET", path="/api/v1/../../etc/passwd"),
    case("a path too many", 404, method="GET", path=f"{SOME}/updates/x/y"),
    # Other procedures.
    case("update without a message", 400, "/message", path=f"{SOME}/updates", body={}),
    case("update with a bad status", 400, "/statusChange", path=f"{SOME}/updates",
         body={"message": "x", "statusChange": "done"}),
    case("update with a bad visibility", 400, "/visibility", path=f"{SOME}/updates",
         body={"message": "x", "visibility": "secret"}),
    case("update of nothing", 404, path=f"{SOME}/updates", body={"message": "x"}),
    case("resolve with a bad message", 400, "/message", path=f"{SOME}/resolve", body={"message": 5}),
    case("states of no UUID", 400, "/ids/0", path=f"{CREATE}/states", body={"ids": ["x"]}),
    case("states without ids", 400, "/ids", path=f"{CREATE}/states", body={}),
    case("a key with a bad role", 400, "/role", path="/api/v1/keys", body={"name": "x", "role": "king"}),
    case("a key without a name", 400, "/name", path="/api/v1/keys", body={"role": "viewer"}),
    # Alerts.
    alert("alerts of another version", "/version", {"version": "3", "alerts": []}),
    alert("alerts without a version", "/version", {"alerts": []}),
    alert("alerts missing", "/alerts", {"version": "4"}),
    alert("alerts an object", "/alerts", {"version": "4", "alerts": {}}),
    alert("an alert that is a text", "/alerts/0", {"version": "4", "alerts": ["x"]}),
    alert("an alert without a status", "/alerts/0/status", {"version": "4", "alerts": [{"labels": {}}]}),
    alert("an alert with a bad label", "/alerts/1/labels",
          {"version": "4", "alerts": [{"status": "firing", "labels": {"system": "a"}},
                                      {"status": "firing", "labels": {"system": 5}}]}),
    *[alert(f"an alert with a NUL, {name}", f"/alerts/0/{name}",
            {"version": "4", "alerts": [{"status": "firing", "labels": {"system": "a"}, name: value}]})
      for name, value in (("labels", {"system": "a\0b"}), ("annotations", {"summary": "a\0b"}),
                          ("fingerprint", "a\0b"), ("status", "firing\0x"), ("status", "resolved\0"))],
    alert("alerts of a version with a NUL", "/version", {"version": "4\0", "alerts": []}),
    case("alerts without a key", 401, path=ALERTS, body={"version": "4", "alerts": []}, key="none"),
    # The request itself.
    case("1 MiB and 1 byte", 413, body=b'{"title":"' + b"x" * (1024 * 1024 + 1 - 12) + b'"}'),
    case("1 MiB exactly is read", 400, "/title", body=b'{"title":"' + b"x" * (1024 * 1024 - 12) + b'"}'),
    case("no content type", 415, headers={"Content-Type": None}, body=b"{}"),
    case("a form", 415, headers={"Content-Type": "application/x-www-form-urlencoded"}, body=b"title=x"),
    case("plain text", 415, headers={"Content-Type": "text/plain"}, body=b"{}"),
    case("JSON in UTF-16", 415, headers={"Content-Type": "application/json; charset=utf-16"}, body=b"{}"),
    case("PUT on the list", 405, method="PUT", body={}, allow="GET, HEAD, POST"),
    case("POST on one", 405, path=SOME, body={}, allow="DELETE, GET, HEAD, PATCH"),
    case("DELETE on an action", 405, method="DELETE", path=f"{SOME}/resolve", allow="POST"),
    case("GET on the alerts", 405, method="GET", path=ALERTS, allow="POST"),
    case("POST on the metrics", 405, path="/metrics", body={}, allow="GET, HEAD"),
    # Who calls.
    case("no key", 401, change={}, key="none"),
    case("a key of nobody", 401, change={}, key="wrong"),
    case("a revoked key", 401, change={}, key="revoked"),
    case("no key at all in the header", 401, change={}, key="garbage"),
    case("a key of nobody, for reading", 401, method="GET", key="wrong"),
    case("basic authorization", 401, change={}, key="none", headers={"Authorization": "Basic YTpi"}),
]


@pytest.fixture(scope="module")
def keys(node):
    made = node.api.post("/api/v1/keys", {"name": "to be revoked", "role": "admin"}).json
    used = Api(node.url, made["key"])
    assert used.get("/api/v1/keys").status == 200  # so that the node remembers it
    assert node.api.call("DELETE", f"/api/v1/keys/{made['id']}").status == 204
    return {"admin": node.key, "none": None, "wrong": new_key(), "revoked": made["key"], "garbage": "no key"}


def assert_says_nothing_secret(reply, keys):
    text = str(reply.headers) + reply.body.decode()
    assert not any(key in text for key in keys.values() if key)
    assert not LEAKS.search(reply.json.get("detail", "") + str(reply.json.get("errors", ""))), reply.body


@pytest.mark.parametrize("bad", CASES)
def test_bad_input(node, module_database, keys, bad):
    body = incident("a", **bad.change) if bad.change is not None else bad.body
    reply = Api(node.url, keys[bad.key]).call(bad.method, bad.path, body, bad.headers)

    assert (reply.status, reply.type) == (bad.status, PROBLEM), reply
    document = reply.json
    assert document["status"] == bad.status and document["title"] and document["type"], document
    assert set(document) <= {"type", "title", "status", "detail", "errors"}, document
    if bad.pointer:
        assert bad.pointer in [error["pointer"] for error in document["errors"]], document
        assert all(error["detail"] for error in document["errors"]), document
    assert bad.words in document.get("detail", "")
    if bad.status == 405:
        assert sorted(re.split(r", *", reply.headers["allow"])) == bad.allow.split(", ")
    if bad.status == 401:
        assert reply.headers["www-authenticate"].startswith("Bearer")
    assert_says_nothing_secret(reply, keys)

    assert module_database.value("select (select count(*) from incidents) + (select count(*) from systems)"
                                 " + (select count(*) from alerts) + (select count(*) from events where kind not like 'auth.%')") == 0
    assert node.api.get(CREATE).json == {"incidents": []}


def test_several_mistakes_are_all_named(node):
    reply = node.api.post(CREATE, {"title": "", "severity": "huge", "colour": 1, "systemIds": []})
    assert reply.status == 400
    assert {error["pointer"] for error in reply.json["errors"]} == {"/title", "/severity", "/colour", "/systemIds"}
