"""Users over the API: each procedure's success, each error, each caller's view."""
import uuid

import pytest

from api import PROBLEM, Api
from session import HEARD_S, PASSWORD, SESSION, USERS, Session, log_in, make_user, try_login
from waiting import wait_for

NOBODY = f"{USERS}/00000000-0000-7000-8000-000000000000"


@pytest.fixture(scope="module")
def admin(node):
    return log_in(node.url, make_user(node.api, "admin")["name"])


@pytest.fixture(scope="module")
def callers(node, admin):
    """Everybody who may call, by key and by session."""
    made = {"anonymous": node.anonymous, "admin key": node.api, "admin": admin}
    for role in ("manager", "viewer"):
        made[f"{role} key"] = node.api.as_role(role)
        made[role] = log_in(node.url, make_user(node.api, role)["name"])
    return made


def events_of(database, subject):
    return database.rows("select kind, action, previous, next, actor from events where subject = %s"
                         " order by transaction, sequence", (subject,))


def test_create(admin, module_database):
    name = f"Zoë {uuid.uuid4()}"
    reply = admin.post(USERS, {"name": name, "role": "viewer", "password": PASSWORD})
    assert reply.status == 201
    made, me = reply.json, admin.get(SESSION).json
    assert set(made) == {"id", "name", "role", "createdAt", "createdBy", "updatedAt"}
    assert (made["name"], made["role"], made["createdBy"]) == (name, "viewer", f"user:{me['id']}")
    assert uuid.UUID(made["id"]).version == 7
    assert PASSWORD not in reply.body.decode() and "argon2" not in reply.body.decode()
    stored = module_database.value("select password_hash from users where id = %s", (made["id"],))
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert events_of(module_database, made["id"]) == [
        ("auth.user.created", "created", None, {"name": name, "role": "viewer"}, f"user:{me['id']}")]


def test_names_are_unique_without_regard_to_case(admin):
    name = f"Same {uuid.uuid4()}"
    first = make_user(admin, "viewer", name=name)
    reply = admin.post(USERS, {"name": name.upper(), "role": "viewer", "password": PASSWORD})
    assert reply.status == 409 and reply.json["detail"] == "There is a user of that name already"
    other = make_user(admin, "viewer")
    assert admin.call("PATCH", f"{USERS}/{other['id']}", {"name": name.upper()}).status == 409
    assert admin.call("PATCH", f"{USERS}/{first['id']}", {"name": name.upper()}).json["name"] == name.upper()


@pytest.mark.parametrize("change, pointer", [
    ({"name": ""}, "/name"), ({"name": "x" * 101}, "/name"), ({"name": " x"}, "/name"), ({"name": "x\n"}, "/name"),
    ({"name": None}, "/name"), ({"role": "king"}, "/role"), ({"password": "short 9ch"}, "/password"),
    ({"password": "x" * 201}, "/password"), ({"colour": "red"}, "/colour")])
def test_bad_input(admin, change, pointer):
    good = {"name": "bad input", "role": "viewer", "password": PASSWORD}
    other = make_user(admin, "viewer")
    for reply in (admin.post(USERS, {**good, **change}), admin.call("PATCH", f"{USERS}/{other['id']}", change)):
        assert (reply.status, reply.type) == (400, PROBLEM), reply
        assert pointer in [error["pointer"] for error in reply.json["errors"]]
        assert all(value not in reply.body.decode() for value in change.values() if value and "password" in change)
    assert "bad input" not in admin.get(f"{USERS}?limit=500").body.decode()


def test_needed_fields(admin):
    reply = admin.post(USERS, {})
    assert {error["pointer"] for error in reply.json["errors"]} == {"/name", "/role", "/password"}


def test_list_in_pages(admin):
    made = [make_user(admin, "viewer")["id"] for _ in range(3)]
    log_in_name = make_user(admin, "viewer")["name"]
    first = admin.get(f"{USERS}?limit=2").json
    assert [user["id"] for user in first["users"]][1] == made[2]
    second = admin.get(f"{USERS}?limit=2&cursor={first['nextCursor']}").json
    assert [user["id"] for user in second["users"]] == [made[1], made[0]]
    assert "lastLoginAt" not in first["users"][0]
    log_in(f"http://{admin.address}", log_in_name)
    assert "lastLoginAt" in admin.get(f"{USERS}?limit=1").json["users"][0]
    assert admin.get(f"{USERS}?limit=0").status == 400 and admin.get(f"{USERS}?cursor=x").status == 400


def test_update(node, admin, module_database):
    made = make_user(admin, "viewer")
    session = log_in(node.url, made["name"])
    actor = f"user:{admin.get(SESSION).json['id']}"
    new_name = f"new {uuid.uuid4()}"

    reply = admin.call("PATCH", f"{USERS}/{made['id']}", {"name": new_name, "role": "manager"})
    assert reply.status == 200 and (reply.json["name"], reply.json["role"]) == (new_name, "manager")
    # Heard at once where it was done; the session goes on.
    assert session.get(SESSION).json["role"] == "manager"
    assert session.create("update").get("id")
    nothing = admin.call("PATCH", f"{USERS}/{made['id']}", {})
    assert nothing.status == 200 and nothing.json["updatedAt"] == reply.json["updatedAt"]

    assert admin.call("PATCH", f"{USERS}/{made['id']}", {"password": "another " + PASSWORD}).status == 200
    assert session.get(SESSION).json["kind"] == "anonymous"
    assert try_login(node.url, new_name).status == 401
    assert try_login(node.url, new_name, "another " + PASSWORD).status == 201
    changes = [row for row in events_of(module_database, made["id"]) if row[0] == "auth.user.updated"]
    assert changes == [
        ("auth.user.updated", "updated", {"name": made["name"], "role": "viewer"},
         {"name": new_name, "role": "manager"}, actor),
        ("auth.user.updated", "updated", {"name": new_name, "role": "manager"},
         {"name": new_name, "role": "manager", "passwordChanged": True}, actor)]
    assert admin.call("PATCH", NOBODY, {"role": "viewer"}).status == 404
    assert admin.call("PATCH", f"{USERS}/x", {"role": "viewer"}).status == 400


def test_delete(node, admin, module_database):
    made = make_user(admin, "manager")
    session = log_in(node.url, made["name"])
    assert session.get(SESSION).json["kind"] == "user"
    assert admin.call("DELETE", f"{USERS}/{made['id']}").status == 204
    assert session.get(SESSION).json["kind"] == "anonymous"
    assert session.post("/api/v1/incidents", {}).status == 401
    assert try_login(node.url, made["name"]).status == 401
    assert admin.call("DELETE", f"{USERS}/{made['id']}").status == 404
    assert module_database.value("select count(*) from sessions where user_id = %s", (made["id"],)) == 0
    kind, action, previous, after, _ = events_of(module_database, made["id"])[-1]
    assert (kind, action, previous, after) == (
        "auth.user.deleted", "deleted", {"name": made["name"], "role": "manager"}, None)


def test_nobody_takes_the_own_rights_away(admin):
    """By mistake, with no other admin left."""
    me = admin.get(SESSION).json["id"]
    assert admin.call("DELETE", f"{USERS}/{me}").status == 409
    assert admin.call("PATCH", f"{USERS}/{me}", {"role": "viewer"}).status == 409
    assert admin.call("PATCH", f"{USERS}/{me}", {"role": "admin"}).status == 200


@pytest.mark.parametrize("who, status", [("anonymous", 401), ("viewer", 403), ("viewer key", 403), ("manager", 403),
                                         ("manager key", 403), ("admin", 404), ("admin key", 404)])
def test_who_may_manage_users(callers, who, status):
    """404 says: allowed, but there is no such user."""
    api = callers[who]
    assert api.call("DELETE", NOBODY).status == status
    assert api.call("PATCH", NOBODY, {"role": "viewer"}).status == status
    assert api.get(USERS).status == (200 if status == 404 else status)
    assert api.post(USERS, {"nonsense": 1}).status == (400 if status == 404 else status)


def test_who_may_manage_keys(callers):
    for who, api in callers.items():
        expected = 200 if who.startswith("admin") else 401 if who == "anonymous" else 403
        assert api.get("/api/v1/keys").status == expected, who


def test_rules_of_each_caller(callers):
    """Users and keys of a role have the same rules; what they say of themselves is what they may."""
    everybody = {"incident.incident.read", "catalog.system.read"}
    managers = everybody | {"incident.incident.manage", "catalog.system.manage", "alert.source.manage"}
    for who, api in callers.items():
        me = api.get(SESSION).json
        rules = {"anonymous": everybody, "viewer": everybody, "manager": managers,
                 "admin": managers | {"auth.key.manage", "auth.user.manage"}}[who.split()[0]]
        assert rules <= set(me["rules"]), who
        assert not set(me["rules"]) & {"auth.key.manage", "auth.user.manage"} or who.startswith("admin"), who
        assert me["kind"] == ("anonymous" if who == "anonymous" else "key" if who.endswith("key") else "user")
        assert me.get("role") == (None if who == "anonymous" else who.split()[0])
        assert ("csrfToken" in me) == isinstance(api, Session)


def test_visibility(callers):
    """What of an incident a caller sees depends on the rules, and on being somebody; by session as by key."""
    made = callers["admin key"].create("visible")
    path = f"/api/v1/incidents/{made['id']}"
    for visibility in ("public", "logged_in", "internal"):
        assert callers["manager"].post(f"{path}/updates",
                                       {"message": visibility, "visibility": visibility}).status == 201
    for who, api in callers.items():
        seen = [update["message"] for update in api.get(path).json["updates"]]
        expected = ["public", "logged_in", "internal"]
        assert seen == expected[:1 if who == "anonymous" else 2 if who.startswith("viewer") else 3], who


def test_actor_of_a_session(callers, module_database):
    me = callers["manager"].get(SESSION).json
    made = callers["manager"].create("by-user", initialMessage="we look")
    update = callers["manager"].get(f"/api/v1/incidents/{made['id']}").json["updates"][0]
    assert (update["createdBy"], update["createdByName"]) == (f"user:{me['id']}", me["name"])
    assert module_database.value("select actor from events where subject = %s", (made["id"],)) == f"user:{me['id']}"


def test_keys_write_events(node, module_database):
    made = node.api.post("/api/v1/keys", {"name": "audited", "role": "viewer"}).json
    for _ in range(2):  # revoking twice is one event
        assert node.api.call("DELETE", f"/api/v1/keys/{made['id']}").status == 204
    actor = f"key:{node.api.get(SESSION).json['id']}"
    state = {"name": "audited", "role": "viewer"}
    assert events_of(module_database, made["id"]) == [("auth.key.created", "created", None, state, actor),
                                                      ("auth.key.revoked", "deleted", state, None, actor)]
    assert Api(node.url, made["key"]).get(SESSION).status == 401


def test_repeated_requests(admin, module_database):
    """With Idempotency-Key a user is made once, and a password changed once."""
    name = f"once {uuid.uuid4()}"
    headers, body = {"Idempotency-Key": str(uuid.uuid4())}, {"name": name, "role": "viewer", "password": PASSWORD}
    first, second = (admin.call("POST", USERS, body, headers) for _ in range(2))
    assert first.status == second.status == 201 and first.json == second.json
    assert second.is_replay
    assert admin.call("POST", USERS, {**body, "password": "another " + PASSWORD}, headers).status == 422

    session = log_in(f"http://{admin.address}", name)
    change = {"currentPassword": PASSWORD, "newPassword": "another " + PASSWORD}
    replies = [session.call("POST", f"{SESSION}/password", change, headers) for _ in range(2)]
    assert [reply.status for reply in replies] == [204, 204]
    assert module_database.value("select password_version from users where id = %s", (first.json["id"],)) == 2


def test_plain_names(node, admin):
    """Each procedure also answers at /rest/auth/NAME, by its own rules: there reading by POST needs the token."""
    made = admin.post("/rest/auth/createUser", {"name": f"rest {uuid.uuid4()}", "role": "viewer",
                                                "password": PASSWORD}).json
    reply = node.anonymous.post("/rest/auth/logIn", {"name": made["name"], "password": PASSWORD})
    assert reply.status == 201
    session = Session(node.url, reply)
    assert session.get("/rest/auth/getSession").json["id"] == made["id"]
    assert session.call("POST", "/rest/auth/getSession", {}, {"X-Tocsin-CSRF": None}).status == 403
    assert session.post("/rest/auth/getSession", {}).status == 200
    assert admin.post("/rest/auth/updateUser", {"id": made["id"], "role": "manager"}).json["role"] == "manager"
    assert made["id"] in admin.get("/rest/auth/listUsers?limit=500").body.decode()
    assert session.post("/rest/auth/logOut", {}).status == 204
    assert admin.post("/rest/auth/deleteUser", {"id": made["id"]}).status == 204


def test_another_role_is_heard_by_the_other_node(start):
    """Seen to fail, for as long as a node remembers a session (30 s), without the pg_notify of update_user.sql."""
    one, two = start(), start()
    made = make_user(one.api, "viewer")
    there = log_in(two.url, made["name"])
    assert there.post("/api/v1/incidents", {}).status == 403  # now it is remembered
    assert one.api.call("PATCH", f"{USERS}/{made['id']}", {"role": "manager"}).status == 200
    wait_for(lambda: there.get(SESSION).json["role"] == "manager", "the other node knows the role", HEARD_S)
    assert there.post("/api/v1/incidents", {}).status == 400  # may, but says nothing
    assert one.api.call("DELETE", f"{USERS}/{made['id']}").status == 204
    wait_for(lambda: there.get(SESSION).json["kind"] == "anonymous", "the other node knows of the end", HEARD_S)
