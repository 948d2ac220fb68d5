"""Idempotency-Key on every procedure that changes something: /openapi.json says which there are, and one that has
no row here fails test_no_procedure_is_left_out.

Each is called at its own address where that is a POST, and at /rest/GROUP/NAME, where every change is one. Seen to
fail: without the stored answer looked for in tc_idempotency_run, all but two; with the header looked at for rows
whose own method is POST only, those others at /rest; with run_delete of catalog_api.c not leaving the call's
transaction, deleteSystem answers 500; with the access rule not asked for where the header is, a role that was lowered.
"""
import hashlib
import re
import uuid

import pytest

from api import Api, incident
from session import PASSWORD, SESSION, USERS, log_in, make_user

SYSTEMS, INCIDENTS, GROUPS, KEYS = "/api/v1/systems", "/api/v1/incidents", "/api/v1/groups", "/api/v1/keys"
NEW_PASSWORD = "another " + PASSWORD
# Its caller is nobody afterwards.
EXCEPT = {"logOut"}


class World:
    """Things to change, made without a key; `api` may do everything."""

    def __init__(self, api):
        self.api = api

    def made(self, path, **fields):
        reply = self.api.post(path, fields)
        assert reply.status == 201, reply
        return reply.json["id"]

    def incident(self):
        return self.api.create(f"system-{uuid.uuid4()}")["id"]

    def system(self):
        return self.made(SYSTEMS, name=f"system {uuid.uuid4()}")

    def group(self):
        return self.made(GROUPS, name=f"group {uuid.uuid4()}")

    def member(self):
        group, system = self.group(), self.system()
        assert self.api.call("PUT", f"{GROUPS}/{group}/systems/{system}").status == 204
        return {"groupId": group, "systemId": system}

    def part(self, of, name, path, field, **fields):
        """Something that belongs to an incident or a system: the ids of both."""
        owner = self.incident() if of == INCIDENTS else self.system()
        return {"incidentId" if of == INCIDENTS else "systemId": owner,
                field: self.made(f"{of}/{owner}/{path}", **{name: "https://example.org/a", **fields})}


def name():
    return f"name {uuid.uuid4()}"


# Fields of a good call, and what makes it another one that would be as good.
INPUTS = {
    "createIncident": lambda w: (incident(f"s-{uuid.uuid4()}"), {"title": "Another"}),
    "updateIncident": lambda w: ({"id": w.incident(), "title": "New"}, {"title": "Another"}),
    "deleteIncident": lambda w: ({"id": w.incident()}, {"id": w.incident()}),
    "resolveIncident": lambda w: ({"id": w.incident(), "message": "Done"}, {"message": "Another"}),
    "bulkResolveIncidents": lambda w: ({"ids": [w.incident(), w.incident()]}, {"ids": [w.incident()]}),
    "bulkDeleteIncidents": lambda w: ({"ids": [w.incident(), w.incident()]}, {"ids": [w.incident()]}),
    "addUpdate": lambda w: ({"incidentId": w.incident(), "message": "One"}, {"message": "Another"}),
    "editUpdate": lambda w: ({**w.part(INCIDENTS, "message", "updates", "updateId"), "message": "New"},
                             {"message": "Another"}),
    "deleteUpdate": lambda w: (w.part(INCIDENTS, "message", "updates", "updateId"), {"updateId": str(uuid.uuid4())}),
    "addLink": lambda w: ({"incidentId": w.incident(), "url": "https://example.org/b"}, {"label": "Another"}),
    "updateLink": lambda w: ({**w.part(INCIDENTS, "url", "links", "linkId"), "label": "New"}, {"label": "Another"}),
    "removeLink": lambda w: (w.part(INCIDENTS, "url", "links", "linkId"), {"linkId": str(uuid.uuid4())}),
    "createSystem": lambda w: ({"name": name()}, {"name": name()}),
    "updateSystem": lambda w: ({"id": w.system(), "name": name()}, {"name": name()}),
    "deleteSystem": lambda w: ({"id": w.system()}, {"id": w.system()}),
    "addSystemContact": lambda w: ({"systemId": w.system(), "type": "other", "value": "Ada"}, {"value": "Grace"}),
    "removeSystemContact": lambda w: (w.part(SYSTEMS, "value", "contacts", "contactId", type="other"),
                                      {"contactId": str(uuid.uuid4())}),
    "addSystemLink": lambda w: ({"systemId": w.system(), "url": "https://example.org/c"}, {"label": "Another"}),
    "removeSystemLink": lambda w: (w.part(SYSTEMS, "url", "links", "linkId"), {"linkId": str(uuid.uuid4())}),
    "createGroup": lambda w: ({"name": name()}, {"name": name()}),
    "updateGroup": lambda w: ({"id": w.group(), "name": name()}, {"name": name()}),
    "deleteGroup": lambda w: ({"id": w.group()}, {"id": w.group()}),
    "addSystemToGroup": lambda w: ({"groupId": w.group(), "systemId": w.system()}, {"systemId": w.system()}),
    "removeSystemFromGroup": lambda w: (w.member(), {"systemId": w.system()}),
    "createSource": lambda w: ({"name": name()}, {"name": name()}),
    "revokeSource": lambda w: ({"id": w.made("/api/v1/sources", name=name())}, {"id": str(uuid.uuid4())}),
    "createApiKey": lambda w: ({"name": "k", "role": "viewer"}, {"role": "manager"}),
    "revokeApiKey": lambda w: ({"id": w.made(KEYS, name="k", role="viewer")}, {"id": str(uuid.uuid4())}),
    "createUser": lambda w: ({"name": name(), "role": "viewer", "password": PASSWORD}, {"password": NEW_PASSWORD}),
    "updateUser": lambda w: ({"id": make_user(w.api, "viewer")["id"], "name": name(), "password": NEW_PASSWORD},
                             {"role": "manager"}),
    "deleteUser": lambda w: ({"id": make_user(w.api, "viewer")["id"]}, {"id": str(uuid.uuid4())}),
    "changePassword": lambda w: ({"currentPassword": PASSWORD, "newPassword": NEW_PASSWORD},
                                 {"newPassword": "a third " + PASSWORD}),
}
POSTS = ("createIncident", "resolveIncident", "bulkResolveIncidents", "bulkDeleteIncidents", "addUpdate", "addLink",
         "createSystem", "addSystemContact", "addSystemLink", "createGroup", "createSource", "createApiKey",
         "createUser", "changePassword")
CASES = [(where, name) for where, names in (("own", POSTS), ("rest", INPUTS)) for name in names]
# What a viewer may do; everything else needs a rule that viewers lack.
UNRULED = {"changePassword"}
# Tables that something else writes as well, or later: not what a call changes.
BESIDES = "{nodes,event_readers,event_horizon,audit,idempotency_answers}"


@pytest.fixture(scope="module")
def table(node):
    """{procedure: (method, path, group)} of what changes something, but for foreign protocols and log-in."""
    found, keyed_posts = {}, set()
    for path, item in node.anonymous.get("/openapi.json").json["paths"].items():
        for method, row in item.items():
            has_header = any(parameter.get("$ref", "").endswith("/IdempotencyKey") for parameter in row["parameters"])
            if has_header or method not in ("get", "post"):
                found[row["operationId"]] = (method.upper(), path, row["tags"][0])
            if has_header:
                keyed_posts.add(row["operationId"])
    assert keyed_posts == set(POSTS)
    return found


@pytest.fixture(scope="module")
def world(node):
    return World(node.api)


def send(api, table, where, procedure, fields, key):
    method, path, group = table[procedure]
    fields = dict(fields)
    if where == "rest":
        path = f"/rest/{group}/{procedure}"
    else:
        assert method == "POST"
        path = path.format(**{field: fields.pop(field) for field in re.findall(r"{(\w+)}", path)})
    return api.call("POST", path, fields, {"Idempotency-Key": key})


def is_replay(reply):
    return reply.headers.get("idempotency-replayed") == "true"


def contents(database):
    """A digest of every table, but for when keys were last used."""
    tables = database.rows("select relname from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace"
                           " and relname <> all(%s) order by relname", (BESIDES,))
    return {table: hashlib.sha256(str(database.rows(
        f"select (to_jsonb(t) - 'last_used_at')::text from \"{table}\" t order by 1")).encode()).digest()
        for table, in tables}


def test_no_procedure_is_left_out(table):
    assert set(table) - EXCEPT == set(INPUTS)


@pytest.mark.parametrize("where, procedure", CASES)
def test_once(node, world, table, module_database, where, procedure):
    """The same again: the same answer, and nothing is changed. Another input: refused, and nothing is changed."""
    api, key = node.api, f"{where}-{procedure}"
    if procedure == "changePassword":
        api = log_in(node.url, make_user(node.api, "viewer")["name"])
    fields, change = INPUTS[procedure](world)
    start = contents(module_database)
    first = send(api, table, where, procedure, fields, key)
    assert first.status in (200, 201, 204) and not is_replay(first), first
    changed = contents(module_database)
    assert changed != start
    again = send(api, table, where, procedure, fields, key)
    assert is_replay(again) and (again.status, again.body, again.type) == (first.status, first.body, first.type)
    other = send(api, table, where, procedure, {**fields, **change}, key)
    assert other.status == 422 and other.json["errors"][0]["pointer"] == "Idempotency-Key", other
    assert contents(module_database) == changed


def call_all(table, world, api, key):
    """[(procedure, fields), ...] of calls that succeeded."""
    calls = []
    for procedure, make in INPUTS.items():
        fields, _ = make(world)
        if procedure == "changePassword" and not hasattr(api, "token"):
            continue  # of users only
        reply = send(api, table, "rest", procedure, fields, key)
        assert reply.status in (200, 201, 204) and not is_replay(reply), (procedure, reply)
        calls.append((procedure, fields))
    return calls


def statuses(table, api, calls, key):
    replies = {procedure: send(api, table, "rest", procedure, fields, key) for procedure, fields in calls}
    return {procedure: "replay" if is_replay(reply) else reply.status for procedure, reply in replies.items()}


def test_no_old_answers_for_who_may_less(node, world, table):
    """A role that was lowered, and then a user who is gone, as every other call: refused, not replayed."""
    user = make_user(node.api, "admin")
    session, key = log_in(node.url, user["name"]), str(uuid.uuid4())
    calls = call_all(table, world, session, key)
    assert set(statuses(table, session, calls, key).values()) == {"replay"}
    assert node.api.call("PATCH", f"{USERS}/{user['id']}", {"role": "viewer"}).status == 200
    assert statuses(table, session, calls, key) == {
        procedure: "replay" if procedure in UNRULED else 403 for procedure, _ in calls}
    assert node.api.call("DELETE", f"{USERS}/{user['id']}").status == 204
    assert session.get(SESSION).json["kind"] == "anonymous"
    assert set(statuses(table, session, calls, key).values()) == {401}


def test_no_old_answers_for_a_revoked_key(node, world, table):
    made, key = node.api.post(KEYS, {"name": "soon revoked", "role": "admin"}).json, str(uuid.uuid4())
    api = Api(node.url, made["key"])
    calls = call_all(table, world, api, key)
    assert set(statuses(table, api, calls, key).values()) == {"replay"}
    assert node.api.call("DELETE", f"{KEYS}/{made['id']}").status == 204
    assert set(statuses(table, api, calls, key).values()) == {401}


def test_foreign_protocols_have_their_own_way(node, world):
    """Alertmanager and PagerDuty say which alert they mean: the header is not looked at, and no alert counts twice as
    an incident."""
    key, routing = str(uuid.uuid4()), node.api.post("/api/v1/sources", {"name": name()}).json["routingKey"]
    system = f"foreign-{uuid.uuid4()}"
    alert = {"status": "firing", "labels": {"alertname": "Down", "system": system}, "annotations": {},
             "startsAt": "2026-01-01T00:00:00Z", "endsAt": "0001-01-01T00:00:00Z", "fingerprint": "0123456789abcdef"}
    events = {"/api/v1/alerts/alertmanager": {"version": "4", "alerts": [alert]},
              "/v2/enqueue": {"routing_key": routing, "event_action": "trigger", "dedup_key": "d",
                              "payload": {"summary": "Down", "source": system, "severity": "critical"}}}
    for path, event in events.items():
        for _ in range(2):
            reply = world.api.call("POST", path, event, {"Idempotency-Key": key})
            assert reply.status in (200, 202) and not is_replay(reply), reply
    assert len(node.api.incidents(f"?systemId={system}")["incidents"]) == 1
