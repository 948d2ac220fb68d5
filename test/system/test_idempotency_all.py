"""Idempotency-Key on every procedure that changes something: /openapi.json says which there are, and one that is
not named here fails test_no_procedure_is_left_out.

Each is called at its own address where that is a POST, and at /rest/GROUP/NAME, where every change is one. Seen to
fail: without the stored answer looked for in tc_idempotency_run, all but two; with the header looked at for rows
whose own method is POST only, those others at /rest; with run_delete of catalog_api.c not leaving the call's
transaction, deleteSystem answers 500; with the access rule not asked for where the header is, a role that was lowered;
with a fingerprint of the input's beginning only, whatever has fields behind it.
"""
import hashlib
import uuid

import pytest

from api import Api
from rows import ROWS, Caller, World
from session import SESSION, USERS, Session, log_in, make_user
from test_openapi import describe
from test_rows import is_problem

KEYS = "/api/v1/keys"
# Its caller is nobody afterwards.
EXCEPT = {"logOut"}
# What takes a key at both its addresses, and what does at /rest only, where it is a POST.
POSTS = ("createIncident", "resolveIncident", "bulkResolveIncidents", "bulkDeleteIncidents", "addUpdate", "addLink",
         "createSystem", "addSystemContact", "addSystemLink", "createGroup", "createSource", "createApiKey",
         "createUser", "changePassword")
OTHERS = ("updateIncident", "deleteIncident", "editUpdate", "deleteUpdate", "updateLink", "removeLink", "updateSystem",
          "deleteSystem", "removeSystemContact", "removeSystemLink", "updateGroup", "deleteGroup", "addSystemToGroup",
          "removeSystemFromGroup", "revokeSource", "revokeApiKey", "updateUser", "deleteUser")
CASES = [(address, name) for address, names in (("v1", POSTS), ("rest", POSTS + OTHERS)) for name in names]
# Other values, as good, of fields that take no text of ours.
CHOICES = {"severity": "critical", "role": "admin", "type": "other"}
# Tables that something else writes as well, or later: not what a call changes.
BESIDES = "{nodes,event_readers,event_horizon,audit,idempotency_answers}"


@pytest.fixture(name="at", scope="module")
def fixture_at(node):
    document = describe(node)
    return {address: Caller(document, address) for address in ("v1", "rest")}


def contents(database):
    """A digest of every table, but for when keys were last used."""
    tables = database.rows("select relname from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace"
                           " and relname <> all(%s) order by relname", (BESIDES,))
    return {table: hashlib.sha256(str(database.rows(
        f"select (to_jsonb(t) - 'last_used_at')::text from \"{table}\" t order by 1")).encode()).digest()
        for table, in tables}


def test_no_procedure_is_left_out(at):
    """Neither what is described to have the header, nor what changes something by another method than POST."""
    known = {name: (method, [parameter.get("$ref", "") for parameter in operation["parameters"]])
             for name, (method, _, operation) in at["v1"].known.items()}
    assert {name for name, (_, refs) in known.items() if any(ref.endswith("/IdempotencyKey") for ref in refs)} == set(POSTS)
    assert {name for name, (method, _) in known.items() if method not in ("GET", "POST")} - EXCEPT == set(OTHERS)


def keyed(key):
    return {"Idempotency-Key": key}


@pytest.mark.parametrize("address, procedure", CASES)
def test_once(node, at, module_database, address, procedure):
    """The same again: the same answer, and nothing is changed. Any field with another value: refused, and nothing is
    changed."""
    world, row, key = World(node.api), ROWS[procedure], keyed(f"{address}-{procedure}")
    api = log_in(node.url, world.user["name"]) if row.who == "session" else node.api
    fields, theirs = row.good(world), row.good(world.other)
    start = contents(module_database)
    first = at[address].call(api, procedure, fields, key)
    assert first.status == row.status and not first.is_replay, first
    changed = contents(module_database)
    assert changed != start
    again = at[address].call(api, procedure, fields, key)
    assert again.is_replay and (again.status, again.body, again.type) == (first.status, first.body, first.type)
    for field, value in fields.items():
        another = theirs[field] if theirs[field] != value else CHOICES.get(field, f"{value}!")
        other = at[address].call(api, procedure, {**fields, field: another}, key)
        assert is_problem(other, 422, "Idempotency-Key", secrets=[node.key]), field
    assert contents(module_database) == changed


def call_all(node, at, api, key):
    """[(procedure, fields), ...] of calls that succeeded."""
    calls = []
    for procedure in POSTS + OTHERS:
        row, fields = ROWS[procedure], ROWS[procedure].good(World(node.api))
        if row.who == "session" and not isinstance(api, Session):
            continue
        reply = at["rest"].call(api, procedure, fields, keyed(key))
        assert reply.status == row.status and not reply.is_replay, (procedure, reply)
        calls.append((procedure, fields))
    return calls


def statuses(at, api, calls, key):
    replies = {procedure: at["rest"].call(api, procedure, fields, keyed(key)) for procedure, fields in calls}
    return {procedure: "replay" if reply.is_replay else reply.status for procedure, reply in replies.items()}


def test_no_old_answers_for_who_may_less(node, at):
    """A role that was lowered, and then a user who is gone, as every other call: refused, not replayed."""
    user = make_user(node.api, "admin")
    session, key = log_in(node.url, user["name"]), str(uuid.uuid4())
    calls = call_all(node, at, session, key)
    assert set(statuses(at, session, calls, key).values()) == {"replay"}
    assert node.api.call("PATCH", f"{USERS}/{user['id']}", {"role": "viewer"}).status == 200
    assert statuses(at, session, calls, key) == {
        procedure: "replay" if ROWS[procedure].who == "session" else 403 for procedure, _ in calls}
    assert node.api.call("DELETE", f"{USERS}/{user['id']}").status == 204
    assert session.get(SESSION).json["kind"] == "anonymous"
    assert set(statuses(at, session, calls, key).values()) == {401}


def test_no_old_answers_for_a_revoked_key(node, at):
    made, key = node.api.post(KEYS, {"name": "soon revoked", "role": "admin"}).json, str(uuid.uuid4())
    api = Api(node.url, made["key"])
    calls = call_all(node, at, api, key)
    assert set(statuses(at, api, calls, key).values()) == {"replay"}
    assert node.api.call("DELETE", f"{KEYS}/{made['id']}").status == 204
    assert set(statuses(at, api, calls, key).values()) == {401}


def test_foreign_protocols_have_their_own_way(node):
    """Alertmanager and PagerDuty say which alert they mean: the header is not looked at, and no alert counts twice as
    an incident."""
    world, key = World(node.api), str(uuid.uuid4())
    routing, system = world.source["routingKey"], world.name
    alert = {"status": "firing", "labels": {"alertname": "Down", "system": system}, "annotations": {},
             "startsAt": "2026-01-01T00:00:00Z", "endsAt": "0001-01-01T00:00:00Z", "fingerprint": "0123456789abcdef"}
    events = {"/api/v1/alerts/alertmanager": {"version": "4", "alerts": [alert]},
              "/v2/enqueue": {"routing_key": routing, "event_action": "trigger", "dedup_key": "d",
                              "payload": {"summary": "Down", "source": system, "severity": "critical"}}}
    for path, event in events.items():
        for _ in range(2):
            reply = node.api.call("POST", path, event, keyed(key))
            assert reply.status in (200, 202) and not reply.is_replay, reply
    assert len(node.api.incidents(f"?systemId={system}")["incidents"]) == 1
