"""Every procedure there is, as tests meet it: one row each, from which test_rows.py makes its calls.

A row says what good input is, what comes back, who may call (the least role), and each error that is the procedure's
own. What all have in common (unknown fields, wrong methods, no key, ...) is not repeated here: test_rows.py knows it.
Input is one object of all fields, as at /rest/GROUP/NAME; `call` puts them where the API's description says.

Good input is about things of a World, which makes each when it is first asked for, so that no test sees another's."""
import dataclasses
import functools
import itertools
import re
import urllib.parse

from session import PASSWORD

NOBODY = "00000000-0000-7000-8000-000000000000"
ROLES = ("anonymous", "viewer", "manager", "admin")
GONE = object()  # as a change of good input: without this field
_numbers = itertools.count(1)


class World:
    """Things to call procedures with; `api` is an admin's."""

    def __init__(self, api):
        self.api, self.name = api, f"thing-{next(_numbers)}"

    def _make(self, path, **body):
        reply = self.api.post(f"/api/v1/{path}", body)
        assert reply.status == 201, reply
        return reply.json

    @functools.cached_property
    def system(self):
        return self._make("systems", id=f"{self.name}/s", name=f"{self.name} system")["id"]

    @functools.cached_property
    def _in_system(self):
        return "systems/" + urllib.parse.quote(self.system, safe="")

    @functools.cached_property
    def contact(self):
        return self._make(f"{self._in_system}/contacts", type="email", value="ops@example.org")["id"]

    @functools.cached_property
    def system_link(self):
        return self._make(f"{self._in_system}/links", url="http://example.org/")["id"]

    @functools.cached_property
    def group(self):
        return self._make("groups", name=f"{self.name} group")["id"]

    @functools.cached_property
    def member(self):
        """The group, with the system in it."""
        path = f"/api/v1/groups/{self.group}/{self._in_system}"
        assert self.api.call("PUT", path).status == 204
        return self.group

    @functools.cached_property
    def source(self):
        return self._make("sources", name=f"{self.name} source")

    @functools.cached_property
    def incident(self):
        return self._make("incidents", title="Disk full", severity="major", systemIds=[self.system])["id"]

    @functools.cached_property
    def update(self):
        return self._make(f"incidents/{self.incident}/updates", message="said")["id"]

    @functools.cached_property
    def link(self):
        return self._make(f"incidents/{self.incident}/links", url="http://example.org/1")["id"]

    @functools.cached_property
    def other_link(self):
        return self._make(f"incidents/{self.incident}/links", url="http://example.org/2")["id"]

    @functools.cached_property
    def key(self):
        return self._make("keys", name=self.name, role="viewer")["id"]

    @functools.cached_property
    def user(self):
        return self._make("users", name=f"{self.name} user", role="viewer", password=PASSWORD)

    @functools.cached_property
    def other(self):
        """Another World, whose things are not of this one's."""
        return World(self.api)


@dataclasses.dataclass(frozen=True)
class Row:
    """`good`: world to input. `errors`: (status, world to changed fields, fields the document names...).
    `shows`: (world, answer) to whether the answer is right. `sees`: (role, answer) to whether that role's view is."""
    group: str | None
    who: str
    good: object = lambda w: {}
    status: int = 200
    errors: tuple = ()
    shows: object = None
    sees: object = None
    has_problems: bool = True  # its errors are problem documents
    takes_anything: bool = False  # unknown fields are no error
    needs_database: bool = True
    asks_who: bool = True  # credentials are looked at
    elsewhere: str = ""  # why a plain call does not succeed, and who tests it


def bad(field, *values):
    """400 for each of these values of a field, naming it."""
    return tuple((400, lambda w, value=value: {field: value}, field) for value in values)


def absent(**fields):
    """404 for each of these ids of nobody."""
    return tuple((404, lambda w, field=field, value=value: {field: value}) for field, value in fields.items())


def after(*_things, **fields):
    """These fields, once the things are there."""
    return fields


PAGE = bad("limit", 0, 501, "x") + bad("cursor", "x", "")
LONG = "x" * 256
OF_INCIDENT = absent(incidentId=NOBODY) + bad("incidentId", "x")
OF_SYSTEM = absent(systemId="nobody") + bad("systemId", LONG)
ALERTS = {"version": "4", "alerts": []}

CATALOG = {
    "listSystems": Row(
        "catalog", "anonymous", lambda w: {"groupId": w.member}, 200, PAGE + bad("groupId", "x") + bad("discovered", "perhaps"),
        lambda w, a: [found["id"] for found in a["systems"]] == [w.system]),
    "createSystem": Row(
        "catalog", "manager", lambda w: {"id": w.name, "name": w.name, "description": "d"}, 201,
        bad("name", GONE, "", LONG, 5, None) + bad("id", "", LONG) + bad("description", "x" * 20001) + (
            (409, lambda w: {"id": w.system}, "id"), (409, lambda w: after(w.system, name=f"{w.name} SYSTEM"), "name")),
        lambda w, a: (a["id"], a["name"], a["description"], a["discovered"]) == (w.name, w.name, "d", False)),
    "getSystem": Row(
        "catalog", "anonymous", lambda w: after(w.contact, id=w.system), 200, absent(id="nobody") + bad("id", LONG),
        lambda w, a: (a["id"], a["links"], [c["id"] for c in a["contacts"]]) == (w.system, [], [w.contact]),
        lambda role, a: ("contacts" in a) == (role != "anonymous")),
    "updateSystem": Row(
        "catalog", "manager", lambda w: {"id": w.system, "description": "new"}, 200,
        absent(id="nobody") + bad("name", "", LONG) + bad("id", LONG) + (
            (409, lambda w: after(w.other.system, name=f"{w.other.name} SYSTEM"), "name"),),
        lambda w, a: (a["id"], a["description"]) == (w.system, "new")),
    "deleteSystem": Row("catalog", "manager", lambda w: {"id": w.system}, 204, absent(id="nobody") + bad("id", LONG)),
    "addSystemContact": Row(
        "catalog", "manager", lambda w: {"systemId": w.system, "type": "phone", "value": "110"}, 201,
        OF_SYSTEM + bad("type", GONE, "pigeon") + bad("value", GONE, "", "x" * 501) + bad("label", "", LONG) + (
            (409, lambda w: after(w.contact, type="email", value="ops@example.org"), "value"),),
        lambda w, a: (a["systemId"], a["type"], a["value"]) == (w.system, "phone", "110")),
    "removeSystemContact": Row(
        "catalog", "manager", lambda w: {"systemId": w.system, "contactId": w.contact}, 204,
        OF_SYSTEM + absent(contactId=NOBODY) + bad("contactId", "x") + ((404, lambda w: {"contactId": w.other.contact}),)),
    "addSystemLink": Row(
        "catalog", "manager", lambda w: {"systemId": w.system, "url": "http://example.org/2"}, 201,
        OF_SYSTEM + bad("url", GONE, "", "javascript:alert(1)") + bad("label", "", LONG) + (
            (409, lambda w: after(w.system_link, url="http://example.org/"), "url"),),
        lambda w, a: (a["systemId"], a["url"]) == (w.system, "http://example.org/2")),
    "removeSystemLink": Row(
        "catalog", "manager", lambda w: {"systemId": w.system, "linkId": w.system_link}, 204,
        OF_SYSTEM + absent(linkId=NOBODY) + bad("linkId", "x") + ((404, lambda w: {"linkId": w.other.system_link}),)),
    "listGroups": Row(
        "catalog", "anonymous", lambda w: after(w.group, limit=1), 200, PAGE,
        lambda w, a: [found["id"] for found in a["groups"]] == [w.group]),
    "createGroup": Row(
        "catalog", "manager", lambda w: {"name": w.name, "description": "d"}, 201,
        bad("name", GONE, "", LONG) + bad("description", "x" * 20001) + (
            (409, lambda w: after(w.group, name=f"{w.name} GROUP"), "name"),),
        lambda w, a: (a["name"], a["description"], a["systemCount"]) == (w.name, "d", 0)),
    "getGroup": Row(
        "catalog", "anonymous", lambda w: {"id": w.member}, 200, absent(id=NOBODY) + bad("id", "x"),
        lambda w, a: (a["id"], a["systemCount"]) == (w.group, 1)),
    "updateGroup": Row(
        "catalog", "manager", lambda w: {"id": w.group, "description": "new"}, 200,
        absent(id=NOBODY) + bad("id", "x") + bad("name", "", LONG) + (
            (409, lambda w: after(w.other.group, name=f"{w.other.name} GROUP"), "name"),),
        lambda w, a: (a["id"], a["description"]) == (w.group, "new")),
    "deleteGroup": Row("catalog", "manager", lambda w: {"id": w.group}, 204, absent(id=NOBODY) + bad("id", "x")),
    "addSystemToGroup": Row(
        "catalog", "manager", lambda w: {"groupId": w.group, "systemId": w.system}, 204,
        OF_SYSTEM + absent(groupId=NOBODY) + bad("groupId", "x")),
    "removeSystemFromGroup": Row(
        "catalog", "manager", lambda w: {"groupId": w.member, "systemId": w.system}, 204,
        OF_SYSTEM + absent(groupId=NOBODY) + bad("groupId", "x") + ((404, lambda w: {"groupId": w.other.group}),)),
}

ALERT = {
    "createSource": Row(
        "alert", "manager", lambda w: {"name": w.name}, 201,
        bad("name", GONE, "", "x" * 101, 5) + ((409, lambda w: after(w.source, name=f"{w.name} SOURCE"), "name"),),
        lambda w, a: a["name"] == w.name and re.fullmatch(r"[\w-]{32}", a["routingKey"])),
    "listSources": Row(
        "alert", "manager", lambda w: after(w.source, limit=1), 200, PAGE,
        lambda w, a: a["sources"] == [{key: value for key, value in w.source.items() if key != "routingKey"}]),
    "revokeSource": Row("alert", "manager", lambda w: {"id": w.source["id"]}, 204, absent(id=NOBODY) + bad("id", "x")),
}

INCIDENT = {
    "listIncidents": Row(
        "incident", "anonymous", lambda w: after(w.incident, systemId=w.system), 200,
        PAGE + bad("status", "open") + bad("systemId", "", LONG) + bad("includeResolved", "perhaps"),
        lambda w, a: [found["id"] for found in a["incidents"]] == [w.incident]),
    "createIncident": Row(
        "incident", "manager", lambda w: {"title": "t", "severity": "minor", "systemIds": [w.name]}, 201,
        bad("title", GONE, "", "x" * 501) + bad("severity", GONE, "huge") + bad("systemIds", GONE, []),
        lambda w, a: (a["title"], a["systemIds"]) == ("t", [w.name])),
    "getIncident": Row(
        "incident", "anonymous", lambda w: {"id": w.incident}, 200, absent(id=NOBODY) + bad("id", "x"),
        lambda w, a: (a["id"], a["updates"], a["links"]) == (w.incident, [], [])),
    "updateIncident": Row(
        "incident", "manager", lambda w: {"id": w.incident, "title": "new"}, 200,
        absent(id=NOBODY) + bad("id", "x") + bad("title", "", None) + bad("severity", "huge"),
        lambda w, a: (a["id"], a["title"]) == (w.incident, "new")),
    "deleteIncident": Row("incident", "manager", lambda w: {"id": w.incident}, 204, absent(id=NOBODY) + bad("id", "x")),
    "resolveIncident": Row(
        "incident", "manager", lambda w: {"id": w.incident, "message": "m"}, 200,
        absent(id=NOBODY) + bad("id", "x") + bad("message", "", 5),
        lambda w, a: (a["id"], a["status"]) == (w.incident, "resolved")),
    "addUpdate": Row(
        "incident", "manager", lambda w: {"incidentId": w.incident, "message": "m"}, 201,
        OF_INCIDENT + bad("message", GONE, "") + bad("statusChange", "done") + bad("visibility", "secret"),
        lambda w, a: (a["incidentId"], a["message"]) == (w.incident, "m")),
    "editUpdate": Row(
        "incident", "manager", lambda w: {"incidentId": w.incident, "updateId": w.update, "message": "new"}, 200,
        OF_INCIDENT + absent(updateId=NOBODY) + bad("updateId", "x") + bad("message", "") + bad("createdAt", "now") + (
            (404, lambda w: {"updateId": w.other.update}),),
        lambda w, a: (a["id"], a["message"]) == (w.update, "new")),
    "deleteUpdate": Row(
        "incident", "manager", lambda w: {"incidentId": w.incident, "updateId": w.update}, 204,
        OF_INCIDENT + absent(updateId=NOBODY) + bad("updateId", "x") + ((404, lambda w: {"updateId": w.other.update}),)),
    "addLink": Row(
        "incident", "manager", lambda w: {"incidentId": w.incident, "url": "http://example.org/new"}, 201,
        OF_INCIDENT + bad("url", GONE, "") + bad("visibility", "secret") + (
            (409, lambda w: after(w.link, url="http://example.org/1"), "url"),),
        lambda w, a: (a["incidentId"], a["url"]) == (w.incident, "http://example.org/new")),
    "updateLink": Row(
        "incident", "manager", lambda w: {"incidentId": w.incident, "linkId": w.link, "label": "l"}, 200,
        OF_INCIDENT + absent(linkId=NOBODY) + bad("linkId", "x") + bad("url", "") + (
            (404, lambda w: {"linkId": w.other.link}),
            (409, lambda w: after(w.other_link, url="http://example.org/2"), "url")),
        lambda w, a: (a["id"], a["label"]) == (w.link, "l")),
    "removeLink": Row(
        "incident", "manager", lambda w: {"incidentId": w.incident, "linkId": w.link}, 204,
        OF_INCIDENT + absent(linkId=NOBODY) + bad("linkId", "x") + ((404, lambda w: {"linkId": w.other.link}),)),
    "bulkResolveIncidents": Row(
        "incident", "manager", lambda w: {"ids": [w.incident]}, 200, bad("ids", GONE, []) + bad("message", ""),
        lambda w, a: [(one["id"], one["outcome"]) for one in a["results"]] == [(w.incident, "resolved")]),
    "bulkDeleteIncidents": Row(
        "incident", "manager", lambda w: {"ids": [w.incident]}, 200, bad("ids", GONE, []),
        lambda w, a: [(one["id"], one["outcome"]) for one in a["results"]] == [(w.incident, "deleted")]),
    "getManyEntityStates": Row(
        "incident", "anonymous", lambda w: {"ids": [w.incident]}, 200, bad("ids", GONE),
        lambda w, a: a == {w.incident: {"status": "investigating", "severity": "major", "systemIds": [w.system]}}),
    "resolveIncidentRefs": Row(
        "incident", "anonymous", lambda w: {"ids": [w.incident, NOBODY]}, 200, bad("ids", GONE),
        lambda w, a: a == {"ids": [w.incident]}),
    "getBulkIncidentUpdates": Row(
        "incident", "anonymous", lambda w: {"incidentIds": [w.incident]}, 200, bad("incidentIds", GONE, []),
        lambda w, a: a == {"updates": {w.incident: []}}),
    "getBulkIncidentsForSystems": Row(
        "incident", "anonymous", lambda w: after(w.incident, systemIds=[w.system]), 200, bad("systemIds", GONE, []),
        lambda w, a: [found["id"] for found in a["incidents"][w.system]] == [w.incident]),
    "getActiveHealthOverrides": Row(
        "incident", "anonymous", lambda w: {"systemIds": [w.system]}, 200, bad("systemIds", GONE),
        lambda w, a: a == {"overrides": {}}),
    "listOpenIncidentsBySystem": Row(
        "incident", "anonymous", lambda w: after(w.incident), 200, (),
        lambda w, a: [found["id"] for found in a["incidents"][w.system]] == [w.incident]),
    "getIncidentsForSystem": Row(
        "incident", "anonymous", lambda w: after(w.incident, systemId=w.system), 200, PAGE + bad("systemId", LONG),
        lambda w, a: [found["id"] for found in a["incidents"]] == [w.incident]),
    "hasActiveIncidentWithSuppression": Row(
        "incident", "anonymous", lambda w: {"systemId": w.system}, 200, bad("systemId", LONG),
        lambda w, a: a == {"suppressed": False}),
}

AUTH = {
    "createApiKey": Row(
        "auth", "admin", lambda w: {"name": w.name, "role": "viewer"}, 201, bad("name", GONE, "") + bad("role", GONE, "king"),
        lambda w, a: a["name"] == w.name and a["key"].startswith("tocsin_")),
    "listApiKeys": Row(
        "auth", "admin", lambda w: after(w.key, limit=1), 200, PAGE,
        lambda w, a: [found["id"] for found in a["keys"]] == [w.key]),
    "revokeApiKey": Row("auth", "admin", lambda w: {"id": w.key}, 204, absent(id=NOBODY) + bad("id", "x")),
    "createUser": Row(
        "auth", "admin", lambda w: {"name": w.name, "role": "viewer", "password": PASSWORD}, 201,
        bad("name", GONE, "") + bad("role", "king") + bad("password", GONE, "short") + (
            (409, lambda w: {"name": w.user["name"].upper()}),),
        lambda w, a: (a["name"], a["role"]) == (w.name, "viewer")),
    "listUsers": Row(
        "auth", "admin", lambda w: after(w.user, limit=1), 200, PAGE, lambda w, a: a["users"] == [w.user]),
    "updateUser": Row(
        "auth", "admin", lambda w: {"id": w.user["id"], "role": "manager", "password": PASSWORD}, 200,
        absent(id=NOBODY) + bad("id", "x") + bad("role", "king") + ((409, lambda w: {"name": w.other.user["name"]}),),
        lambda w, a: (a["id"], a["role"]) == (w.user["id"], "manager")),
    "deleteUser": Row("auth", "admin", lambda w: {"id": w.user["id"]}, 204, absent(id=NOBODY) + bad("id", "x")),
    "logIn": Row(
        "auth", "anonymous", lambda w: {"name": w.user["name"], "password": PASSWORD}, 201,
        bad("name", GONE, "") + bad("password", GONE, "") + ((401, lambda w: {"password": "another password"}),),
        lambda w, a: a["name"] == w.user["name"], asks_who=False),
    "logOut": Row("auth", "anonymous", status=204, needs_database=False),
    "getSession": Row("auth", "anonymous", needs_database=False, shows=lambda w, a: a["kind"] == "key",
                      sees=lambda role, a: a["kind"] == ("anonymous" if role == "anonymous" else "key")),
    "changePassword": Row(
        "auth", "session", lambda w: {"currentPassword": PASSWORD, "newPassword": PASSWORD + "!"}, 204,
        bad("newPassword", GONE, "short") + bad("currentPassword", GONE, ""),
        elsewhere="only a session has a password: test_auth_procedures.py"),
}

SERVER = {
    "ingestAlertmanager": Row(
        None, "manager", lambda w: ALERTS, 200, bad("version", GONE, "3") + bad("alerts", GONE, {}) + (
            (400, lambda w: {"alerts": [{}]}, "alerts/0/status"),),
        lambda w, a: set(a.values()) == {0}, takes_anything=True, needs_database=False),
    "ingestPagerDuty": Row(
        None, "anonymous", lambda w: {"routing_key": w.source["routingKey"], "event_action": "resolve", "dedup_key": "k"},
        202, (), lambda w, a: a["dedup_key"] == "k", has_problems=False),
    "streamEvents": Row(None, "anonymous", needs_database=False, elsewhere="it does not end: test_events.py"),
    "listAuditTrail": Row(
        None, "admin", lambda w: {"subject": w.group}, 200, PAGE,
        lambda w, a: [entry["kind"] for entry in a["entries"]] == ["catalog.group.created"]),
    "getHealth": Row(None, "anonymous", needs_database=False, asks_who=False),
    "getReadiness": Row(None, "anonymous", asks_who=False),
    "getMetrics": Row(None, "anonymous", needs_database=False, asks_who=False),
    "getOpenApi": Row(None, "anonymous", needs_database=False, asks_who=False),
    "getDocs": Row(None, "anonymous", needs_database=False, asks_who=False),
}

ROWS = {**CATALOG, **ALERT, **INCIDENT, **AUTH, **SERVER}


def changed(good, change):
    """Good input with some fields changed, or gone."""
    return {name: value for name, value in {**good, **change}.items() if value is not GONE}


class Caller:
    """Calls procedures with input of one object. `address`: "v1", "rest", or "rest by GET", which is for what reads.

    Each reply has to be one that the description lists, of a type that it lists, so that no test meets one that it does
    not. Seen to fail without 422 in `refuses` of updateIncident (test_described.py), with 404 taken from any row, and with
    no content listed for what is not JSON (getMetrics, getOpenApi, getDocs)."""

    def __init__(self, document, address):
        self.address, self.responses = address, document["components"]["responses"]
        self.known = {operation["operationId"]: (method.upper(), path, operation)
                      for path, item in document["paths"].items() for method, operation in item.items()}

    def place(self, name):
        """(method, path template) of a procedure at this address; None where it has none."""
        method, path, _ = self.known[name]
        if self.address == "v1":
            return method, path
        if ROWS[name].group is None or (self.address == "rest by GET" and method != "GET"):
            return None
        return "GET" if self.address == "rest by GET" else "POST", f"/rest/{ROWS[name].group}/{name}"

    def call(self, api, name, fields, headers=None):
        method, path = self.place(name)
        reply = self._call(api, name, dict(fields), headers)
        described = set(self.known[name][2]["responses"])
        if self.address != "v1" and method == "POST":  # as the description says in front of all
            described |= {"409", "413", "415", "422"} if headers and "Idempotency-Key" in headers else {"413", "415"}
        # What is the server's own fault is `default`.
        assert str(reply.status) in described or (reply.status == 500 and "default" in described), (name, path, reply)
        assert not reply.body or reply.type in self.types(name, str(reply.status)), (name, path, reply)
        return reply

    def types(self, name, status):
        """The media types of a procedure's answers of this status; what is not the row's own is a problem document."""
        response = self.known[name][2]["responses"].get(status, {"$ref": "Problem"})
        if "$ref" in response:
            response = self.responses[response["$ref"].rpartition("/")[2]]
        return set(response.get("content", {}))

    def _call(self, api, name, fields, headers):
        method, path = self.place(name)
        for field in re.findall(r"{(\w+)}", path):
            path = path.replace("{%s}" % field, urllib.parse.quote(str(fields.pop(field)), safe=""))
        if method == "GET":
            return api.call(method, path + ("?" + urllib.parse.urlencode(fields) if fields else ""), None, headers)
        body = fields if fields or self.address != "v1" or "requestBody" in self.known[name][2] else None
        return api.call(method, path, body, headers)
