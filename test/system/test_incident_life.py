"""The API's incidents from birth to deletion, as api.md has them."""
import re
import uuid

import pytest

from api import PROBLEM

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


@pytest.fixture
def api(node):
    return node.api


@pytest.fixture
def system():
    """A system of the test's own."""
    return f"system-{uuid.uuid4()}"


def detail(api, found):
    reply = api.get(f"/api/v1/incidents/{found['id']}")
    assert reply.status == 200, reply
    return reply.json


def update(api, found, message, **fields):
    reply = api.post(f"/api/v1/incidents/{found['id']}/updates", {"message": message, **fields})
    assert reply.status == 201, reply
    return reply.json


def events_of(database, found):
    return [tuple(row) for row in database.rows("select kind, action from events where subject = %s"
                                                " order by transaction, sequence", (found["id"],))]


def test_create_and_get(api, system):
    made = api.create(system, "second", system, title="Änderung ☂", description="why", suppressNotifications=True,
                      healthOverride="degraded", initialMessage="we look")
    assert uuid.UUID(made["id"]).version == 7
    assert TIME.fullmatch(made["createdAt"]) and TIME.fullmatch(made["updatedAt"])
    expected = {"title": "Änderung ☂", "description": "why", "status": "investigating", "severity": "major",
                "suppressNotifications": True, "healthOverride": "degraded", "systemIds": [system, "second"]}
    assert {name: made[name] for name in expected} == expected
    assert "resolvedAt" not in made

    got = detail(api, made)
    assert {name: got[name] for name in made} == made
    assert got["links"] == []
    [first] = got["updates"]
    assert first["message"] == "we look" and first["statusChange"] == "investigating"
    assert first["visibility"] == "public" and first["incidentId"] == made["id"]
    assert first["createdBy"].startswith("key:") and "editedAt" not in first


def test_unset_fields_are_left_out(api, system):
    made = api.create(system)
    assert not {"description", "healthOverride", "resolvedAt"} & set(made)
    assert made["suppressNotifications"] is False
    assert detail(api, made)["updates"] == []


def test_deduped_create(api, system):
    first = api.create_once(system, initialMessage="only once")
    again = api.create_once(system, title="Another title", initialMessage="not this")
    assert (first.status, first.json["reused"]) == (201, False)
    assert (again.status, again.json["reused"]) == (200, True)
    assert again.json["incident"] == first.json["incident"]
    assert [entry["message"] for entry in detail(api, first.json["incident"])["updates"]] == ["only once"]


def test_only_the_first_system_dedupes_and_the_oldest_wins(api, system):
    oldest, newer = api.create("first-of-other", system), api.create(system)
    assert api.create_once(system).json["incident"]["id"] == oldest["id"]
    other = api.create_once(f"{system}-b", system)
    assert (other.status, other.json["reused"]) == (201, False)
    assert api.post(f"/api/v1/incidents/{oldest['id']}/resolve").status == 200
    assert api.create_once(system).json["incident"]["id"] == newer["id"]


def test_list_follows_the_cursor_over_120(api, system):
    made = [api.create(system, title=f"{i}")["id"] for i in range(120)]
    seen, query, pages = [], f"?systemId={system}", 0
    while True:
        page = api.incidents(query)
        seen += [entry["id"] for entry in page["incidents"]]
        pages += 1
        if "nextCursor" not in page:
            break
        query = f"?systemId={system}&cursor={page['nextCursor']}"
    assert seen == made[::-1]
    assert pages == 3  # of 50, unless `limit` says otherwise
    assert len(api.incidents(f"?systemId={system}&limit=120")["incidents"]) == 120
    assert "nextCursor" not in api.incidents(f"?systemId={system}&limit=120")
    assert len(api.incidents(f"?systemId={system}&limit=7")["incidents"]) == 7


def test_list_by_status(api, system):
    open_one, fixing, resolved = (api.create(system) for _ in range(3))
    update(api, fixing, "found it", statusChange="fixing")
    api.post(f"/api/v1/incidents/{resolved['id']}/resolve")

    def listed(query):
        return [entry["id"] for entry in api.incidents(f"?systemId={system}{query}")["incidents"]]

    assert listed("") == [fixing["id"], open_one["id"]]
    assert listed("&includeResolved=true") == [resolved["id"], fixing["id"], open_one["id"]]
    assert listed("&includeResolved=false") == listed("")
    assert listed("&status=fixing") == [fixing["id"]]
    assert listed("&status=resolved") == [resolved["id"]]


def test_updates_turn_the_status(api, node, system, module_database):
    made = api.create(system)
    said = update(api, made, "a comment")
    assert said["visibility"] == "public" and "statusChange" not in said
    assert detail(api, made)["status"] == "investigating"
    for status in ("identified", "fixing", "monitoring"):
        assert update(api, made, status, statusChange=status)["statusChange"] == status
        assert detail(api, made)["status"] == status
    assert [entry["message"] for entry in detail(api, made)["updates"]] == ["a comment", "identified", "fixing",
                                                                            "monitoring"]
    assert events_of(module_database, made) == [("incident.created", "created"),
                                                ("incident.lifecycle.changed", "commented"),
                                                *[("incident.updated", "updated")] * 3]


def test_resolve_twice_then_reopen_by_an_update(api, system, module_database):
    made = api.create(system)
    first = api.post(f"/api/v1/incidents/{made['id']}/resolve", {"message": "fixed"})
    assert first.status == 200 and first.json["status"] == "resolved" and TIME.fullmatch(first.json["resolvedAt"])
    before = detail(api, made)
    assert [(entry["message"], entry["statusChange"]) for entry in before["updates"]] == [("fixed", "resolved")]

    again = api.post(f"/api/v1/incidents/{made['id']}/resolve", {"message": "again"})
    assert again.status == 200 and detail(api, made) == before

    update(api, made, "back again", statusChange="investigating")
    after = detail(api, made)
    assert after["status"] == "investigating" and "resolvedAt" not in after
    assert api.create_once(system).json["reused"]  # it counts as open
    update(api, made, "over", statusChange="resolved")
    assert detail(api, made)["status"] == "resolved"
    assert events_of(module_database, made) == [("incident.created", "created"), ("incident.resolved", "resolved"),
                                                ("incident.updated", "reopened"), ("incident.resolved", "resolved")]


def test_delete(api, system, module_database):
    made = api.create(system, initialMessage="soon gone")
    assert api.call("DELETE", f"/api/v1/incidents/{made['id']}").status == 204
    for reply in (api.get(f"/api/v1/incidents/{made['id']}"),
                  api.call("DELETE", f"/api/v1/incidents/{made['id']}"),
                  api.post(f"/api/v1/incidents/{made['id']}/resolve"),
                  api.post(f"/api/v1/incidents/{made['id']}/updates", {"message": "late"})):
        assert reply.status == 404 and reply.type == PROBLEM, reply
    assert api.incidents(f"?systemId={system}&includeResolved=true")["incidents"] == []
    assert module_database.value("select count(*) from incident_updates where incident_id = %s::uuid",
                                 (made["id"],)) == 0
    assert events_of(module_database, made)[-1] == ("incident.deleted", "deleted")
    assert not api.create_once(system).json["reused"]


def test_suppression(api, system):
    def suppressed():
        reply = api.get(f"/api/v1/systems/{system}/suppression")
        assert reply.status == 200
        return reply.json["suppressed"]

    assert suppressed() is False
    api.create(system)
    assert suppressed() is False
    loud = api.create(system, suppressNotifications=True)
    assert suppressed() is True
    api.post(f"/api/v1/incidents/{loud['id']}/resolve")
    assert suppressed() is False


def test_system_ids_may_have_any_characters(api):
    """Also those that have a meaning in a path, encoded there."""
    api.create("a/b c%?ä", suppressNotifications=True)
    assert api.get("/api/v1/systems/a%2Fb%20c%25%3F%C3%A4/suppression").json == {"suppressed": True}


def test_states(api, system):
    one, two = api.create(system, severity="critical"), api.create(system, "b")
    update(api, two, "found", statusChange="identified")
    reply = api.post("/api/v1/incidents/states", {"ids": [one["id"], two["id"], str(uuid.uuid4())]})
    assert reply.json == {
        one["id"]: {"status": "investigating", "severity": "critical", "systemIds": [system]},
        two["id"]: {"status": "identified", "severity": "major", "systemIds": [system, "b"]}}
    assert api.post("/api/v1/incidents/states", {"ids": []}).json == {}


def test_who_sees_which_updates(node, api, system):
    """Proves that visibility is decided by the caller, on the server."""
    made = api.create(system)
    for visibility in ("public", "logged_in", "internal"):
        update(api, made, visibility, visibility=visibility)
    viewer, manager = node.api.as_role("viewer"), node.api.as_role("manager")

    def seen(by):
        return [entry["message"] for entry in detail(by, made)["updates"]]

    assert seen(node.anonymous) == ["public"]
    assert seen(viewer) == ["public", "logged_in"]
    assert seen(manager) == seen(api) == ["public", "logged_in", "internal"]


def test_who_may_do_what(node, api, system):
    made = api.create(system)
    viewer, manager = node.api.as_role("viewer"), node.api.as_role("manager")
    path = f"/api/v1/incidents/{made['id']}"
    for caller, status in ((node.anonymous, 401), (viewer, 403)):
        for reply in (caller.create_once(system), caller.post(path + "/resolve"), caller.call("DELETE", path),
                      caller.post(path + "/updates", {"message": "x"})):
            assert reply.status == status and reply.type == PROBLEM, reply
    assert manager.get("/api/v1/keys").status == 403
    assert manager.post(path + "/resolve").status == 200
    assert node.anonymous.get(path).json["status"] == "resolved"


def test_unknown_systems_can_be_refused(start):
    """TOCSIN_UNKNOWN_SYSTEMS=reject: 422 names them, and nothing is created."""
    strict = start(TOCSIN_UNKNOWN_SYSTEMS="reject")
    for reply in (strict.api.create_once("nobody-knows"),
                  strict.api.post("/api/v1/incidents",
                                  {"title": "x", "severity": "minor", "systemIds": ["nobody-knows"]})):
        assert reply.status == 422 and reply.type == PROBLEM
        assert "nobody-knows" in str(reply.json)
    assert strict.api.incidents()["incidents"] == []
