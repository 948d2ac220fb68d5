"""Many incidents at once, and what each caller sees and may do: at every address of every procedure."""
import uuid

import pytest

from procedures import Procedures, READS, TABLE
from test_incident_timeline import NOBODY, events, make, refuses


@pytest.fixture(name="do", params=["v1", "rest", "rest by GET"])
def fixture_do(request, node):
    return Procedures(node.api, request.param)


@pytest.fixture(name="system")
def fixture_system():
    return f"system-{uuid.uuid4()}"


# ---- reads ----

def test_open_incidents_of_a_system(do, system):
    made = [make(do, system) for _ in range(3)]
    do.ok("resolveIncident", id=made[1]["id"])
    assert do.ok("getIncidentsForSystem", systemId=system) == {"incidents": [made[2], made[0]]}
    page = do.ok("getIncidentsForSystem", systemId=system, limit=1)
    assert page["incidents"] == [made[2]]
    assert do.ok("getIncidentsForSystem", systemId=system, cursor=page["nextCursor"]) == {"incidents": [made[0]]}
    assert do.ok("getIncidentsForSystem", systemId=f"{system}/ nobody") == {"incidents": []}
    assert refuses(do.call("getIncidentsForSystem", systemId="x" * 256), 400, "systemId")
    assert refuses(do.call("getIncidentsForSystem", systemId=system, limit=501), 400, "limit")
    assert refuses(do.call("getIncidentsForSystem", systemId=system, cursor="x"), 400, "cursor")


def test_open_incidents_of_many_systems(do, system):
    a, b = system + 'a"\\', system + "b"
    first, both, closed = make(do, a), make(do, a, b), make(do, b)
    do.ok("resolveIncident", id=closed["id"])
    assert do.ok("getBulkIncidentsForSystems", systemIds=[b, a, b, system]) == {
        "incidents": {b: [both], a: [both, first], system: []}}
    assert len(do.ok("getBulkIncidentsForSystems", systemIds=[f"{i}" for i in range(1000)])["incidents"]) == 1000
    for ids, pointer in (([], "systemIds"), ([f"{i}" for i in range(1001)], "systemIds"), ([5], "systemIds/0"),
                         (["x" * 256], "systemIds/0")):
        assert refuses(do.call("getBulkIncidentsForSystems", systemIds=ids), 400, pointer)
    assert refuses(do.call("getBulkIncidentsForSystems"), 400, "systemIds")


def test_a_bulk_read_has_a_bound_for_each_system(do, system):
    made = [make(do, system) for _ in range(101)]
    found = do.ok("getBulkIncidentsForSystems", systemIds=[system])["incidents"][system]
    assert found == made[:0:-1]  # the newest hundred
    assert do.ok("bulkDeleteIncidents", ids=[one["id"] for one in made])["results"][100]["outcome"] == "deleted"


def test_open_incidents_by_system(do, system):
    a, b = system + "a", system + "b"
    both, of_b, closed = make(do, a, b), make(do, b), make(do, a)
    do.ok("resolveIncident", id=closed["id"])
    found = do.ok("listOpenIncidentsBySystem")
    assert set(found) == {"incidents"}
    assert {name: found["incidents"][name] for name in (a, b)} == {a: [both], b: [of_b, both]}


def test_health_overrides(do, system):
    def overrides(*systems):
        return do.ok("getActiveHealthOverrides", systemIds=list(systems))["overrides"]

    def said(status, made):
        return {"status": status, "incidentId": made["id"], "incidentTitle": made["title"]}

    other = system + "b"
    make(do, system)
    assert overrides(system) == {}
    first = make(do, system, other, healthOverride="degraded")
    second = make(do, system, healthOverride="degraded")
    assert overrides(system, other, "nobody") == {system: said("degraded", first), other: said("degraded", first)}
    worst, later = make(do, system, healthOverride="unhealthy"), make(do, system, healthOverride="unhealthy")
    assert overrides(system) == {system: said("unhealthy", worst)}  # the worst, and of the worst the oldest
    do.ok("resolveIncident", id=worst["id"])
    assert overrides(system) == {system: said("unhealthy", later)}
    do.ok("updateIncident", id=later["id"], healthOverride=None)
    do.ok("deleteIncident", id=first["id"])
    assert overrides(system, other) == {system: said("degraded", second)}
    assert overrides() == {}
    assert refuses(do.call("getActiveHealthOverrides"), 400, "systemIds")
    assert refuses(do.call("getActiveHealthOverrides", systemIds=[str(i) for i in range(1001)]), 400, "systemIds")


def test_refs_and_states(do, system):
    one, two = make(do, system), make(do, system)
    asked = [two["id"], NOBODY, one["id"], two["id"]]
    assert do.ok("resolveIncidentRefs", ids=asked) == {"ids": [two["id"], one["id"]]}
    assert do.ok("resolveIncidentRefs", ids=[]) == {"ids": []}
    assert set(do.ok("getManyEntityStates", ids=asked)) == {one["id"], two["id"]}
    assert do.ok("getManyEntityStates", ids=[]) == {}
    for name in ("resolveIncidentRefs", "getManyEntityStates"):
        assert refuses(do.call(name, ids=["x"]), 400, "ids/0")
        assert refuses(do.call(name), 400, "ids")
        assert refuses(do.call(name, ids=[NOBODY] * 1001), 400, "ids")


def test_updates_of_many_incidents(do, system):
    one, two = make(do, system, initialMessage="first"), make(do, system)
    do.ok("addUpdate", incidentId=one["id"], message="second")
    found = do.ok("getBulkIncidentUpdates", incidentIds=[two["id"], NOBODY, one["id"], one["id"]])["updates"]
    assert set(found) == {one["id"], two["id"]} and found[two["id"]] == []
    assert found[one["id"]] == do.ok("getIncident", id=one["id"])["updates"]
    assert [update["message"] for update in found[one["id"]]] == ["first", "second"]
    for ids, pointer in (([], "incidentIds"), (["x"], "incidentIds/0"), ([NOBODY] * 1001, "incidentIds")):
        assert refuses(do.call("getBulkIncidentUpdates", incidentIds=ids), 400, pointer)


# ---- changes ----

def outcomes(reply):
    return [(result["id"], result["outcome"]) for result in reply["results"]]


def test_bulk_resolve(do, system, module_database):
    one, two, closed = make(do, system), make(do, system), make(do, system)
    do.ok("resolveIncident", id=closed["id"])
    ids = [one["id"], "no UUID", NOBODY, closed["id"], two["id"], one["id"]]
    answer = do.ok("bulkResolveIncidents", ids=ids, message="all of them")
    assert outcomes(answer) == list(zip(ids, ["resolved", "notFound", "notFound", "unchanged", "resolved", "unchanged"]))
    assert [("detail" in result) for result in answer["results"]] == [False, True, True, False, False, False]
    for made in (one, two):
        found = do.ok("getIncident", id=made["id"])
        assert found["status"] == "resolved" and [update["message"] for update in found["updates"]] == ["all of them"]
        assert events(module_database, made) == ["resolved/resolved"]
    assert events(module_database, closed) == ["resolved/resolved"]


def test_bulk_delete(do, system, module_database):
    one, two = make(do, system), make(do, system)
    ids = [one["id"], "x", two["id"].upper(), one["id"]]
    assert outcomes(do.ok("bulkDeleteIncidents", ids=ids)) == list(
        zip(ids, ["deleted", "notFound", "deleted", "notFound"]))
    assert do.ok("resolveIncidentRefs", ids=[one["id"], two["id"]]) == {"ids": []}
    assert events(module_database, one) == events(module_database, two) == ["deleted/deleted"]


@pytest.mark.parametrize("state, place", [("P0001", 1), ("53400", 1), ("57014", 1), ("57014", 0)])
def test_one_bad_id_stops_no_other(start, database, state, place):
    """An incident whose row a trigger of ours protects fails alone, also where SQLSTATE is one that says "try again": 57014
    is what a statement_timeout says. Seen: those behind it failed untried, and all of them where it came first, with 503
    for the whole call."""
    do = Procedures(start().api, "v1")
    made = [make(do, "a") for _ in range(3)]
    bad = made[place]["id"]
    with database.connect() as session, session.cursor() as cursor:
        cursor.execute("create function no() returns trigger language plpgsql as"
                       f" $$ begin raise exception 'secret words' using errcode = '{state}'; end $$")
        cursor.execute(f"create trigger no before update or delete on incidents for each row"
                       f" when (old.id = '{bad}') execute function no()")
    ids = [one["id"] for one in made]
    for name, done in (("bulkResolveIncidents", "resolved"), ("bulkDeleteIncidents", "deleted")):
        answer = do.ok(name, ids=ids)
        assert outcomes(answer) == [(id, "failed" if id == bad else done) for id in ids]
        assert "secret" not in str(answer) and answer["results"][place]["detail"]
    assert do.ok("resolveIncidentRefs", ids=ids) == {"ids": [bad]}


@pytest.mark.parametrize("name, done", [("bulkResolveIncidents", "resolved"), ("bulkDeleteIncidents", "deleted")])
def test_text_that_can_be_no_id(do, system, name, done):
    """Not found, echoed as it came, and the others are done. Seen to fail with 400 for the whole call, once for each of
    these texts, with items of 1 to 64 characters without NUL; and with the last one found, its incident done without being
    named, with is_id taken out of change_one."""
    one, two, three = make(do, system), make(do, system), make(do, system)
    bad = ["", "x" * 65, "\u00e9" * 100_000, "\0", three["id"] + "\0"]
    ids = [one["id"], *bad, two["id"]]
    answer = do.ok(name, ids=ids)
    assert outcomes(answer) == list(zip(ids, [done, *["notFound"] * len(bad), done]))
    assert all("UUID" in result["detail"] for result in answer["results"][1:-1])
    assert do.ok("getManyEntityStates", ids=[three["id"]])[three["id"]]["status"] == "investigating"


def test_bulk_changes_refuse(do):
    for name in ("bulkResolveIncidents", "bulkDeleteIncidents"):
        for ids, pointer in (([], "ids"), ([NOBODY] * 501, "ids"), ([NOBODY, 5], "ids/1"), ([None], "ids/0"), ("x", "ids")):
            assert refuses(do.call(name, ids=ids), 400, pointer)
        assert len(do.ok(name, ids=[NOBODY] * 500)["results"]) == 500
    assert refuses(do.call("bulkResolveIncidents", ids=[NOBODY], message=""), 400, "message")


# ---- who ----

def test_who_sees_what(do, callers, system):
    """Anonymous callers see what is public, those with a key also logged_in, those who manage all, with histories."""
    made = make(do, system)
    for visibility in ("public", "logged_in", "internal"):
        said = do.ok("addUpdate", incidentId=made["id"], message="draft", visibility=visibility)
        do.ok("editUpdate", incidentId=made["id"], updateId=said["id"], message=visibility)
        do.ok("addLink", incidentId=made["id"], url=f"http://{visibility}", visibility=visibility)
    expected = {"anonymous": ["public"], "viewer": ["public", "logged_in"]}
    for role, caller in callers.items():
        as_caller = Procedures(caller, do.address)
        seen = expected.get(role, ["public", "logged_in", "internal"])
        detail = as_caller.ok("getIncident", id=made["id"])
        in_bulk = as_caller.ok("getBulkIncidentUpdates", incidentIds=[made["id"]])["updates"][made["id"]]
        assert [update["message"] for update in detail["updates"]] == seen
        assert [link["url"] for link in detail["links"]] == [f"http://{visibility}" for visibility in seen]
        assert in_bulk == detail["updates"]
        manages = role in ("manager", "admin")
        assert all(("editHistory" in update) == manages for update in in_bulk)
        assert all("editedAt" in update for update in in_bulk)
        assert ("draft" in str(detail)) == manages


def test_who_may_do_what(do, callers, system):
    """Every procedure of the table, by everybody: reading is for all, changing for managers and admins."""
    made = make(do, system)
    update = do.ok("addUpdate", incidentId=made["id"], message="x")
    link = do.ok("addLink", incidentId=made["id"], url="http://x")
    place = {"incidentId": made["id"]}
    fields = {
        "listIncidents": {}, "getIncident": {"id": made["id"]}, "listOpenIncidentsBySystem": {},
        "createIncident": {"title": "t", "severity": "minor", "systemIds": [system]},
        "updateIncident": {"id": made["id"], "title": "t"}, "resolveIncident": {"id": made["id"]},
        "addUpdate": {**place, "message": "x"}, "addLink": {**place, "url": f"http://{uuid.uuid4()}"},
        "editUpdate": {**place, "updateId": update["id"], "message": "y"},
        "updateLink": {**place, "linkId": link["id"], "label": "y"},
        "deleteUpdate": {**place, "updateId": update["id"]}, "removeLink": {**place, "linkId": link["id"]},
        "bulkResolveIncidents": {"ids": [made["id"]]}, "getManyEntityStates": {"ids": [made["id"]]},
        "resolveIncidentRefs": {"ids": [made["id"]]}, "getBulkIncidentUpdates": {"incidentIds": [made["id"]]},
        "getIncidentsForSystem": {"systemId": system}, "hasActiveIncidentWithSuppression": {"systemId": system},
        "getBulkIncidentsForSystems": {"systemIds": [system]}, "getActiveHealthOverrides": {"systemIds": [system]},
        "deleteIncident": {"id": made["id"]}, "bulkDeleteIncidents": {"ids": [made["id"]]},
    }
    assert set(fields) == set(TABLE)
    for role in ("anonymous", "viewer", "manager"):
        for name, given in fields.items():
            reply = Procedures(callers[role], do.address).call(name, **given)
            if name in READS or role == "manager":
                assert reply.status in (200, 201, 204), (role, name, reply)
            else:
                assert refuses(reply, 401 if role == "anonymous" else 403)
    assert refuses(do.call("getIncident", id=made["id"]), 404)  # the manager's doing, and nobody's before
    assert Procedures(callers["admin"], do.address).call("createIncident", **fields["createIncident"]).status == 201


def test_what_an_address_does_not_take(node):
    """POST only, unless it is a read; all input in one place."""
    for name, (method, _) in TABLE.items():
        reply = node.api.call("PUT", f"/rest/incident/{name}", {})
        assert refuses(reply, 405)
        assert reply.headers["allow"] == ("GET, HEAD, POST" if method == "GET" else "POST")
    assert refuses(node.api.post(f"/rest/incident/getIncident?id={NOBODY}", {"id": NOBODY}), 400, "id")
    assert refuses(node.api.post("/rest/incident/getIncident", {}), 400, "id")
    assert refuses(node.api.get("/rest/incident/getIncident"), 400, "id")
    assert refuses(node.api.post("/rest/incident/nothing", {}), 404)
