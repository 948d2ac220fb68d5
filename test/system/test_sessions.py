"""Logging in and out, the cookie, forged requests, and what a session outlives."""
import concurrent.futures
import contextlib
import re

import pytest

from api import PROBLEM, Api
from server import new_key
from session import HEARD_S, PASSWORD, SESSION, USERS, Session, cookie_of, log_in, make_user, try_login
from test_openapi import describe, operations
from waiting import wait_for

CHANGE = f"{SESSION}/password"


@pytest.fixture(scope="module")
def user(node):
    return make_user(node.api, "manager")


@pytest.fixture
def session(node, user):
    return log_in(node.url, user["name"])


# ---- logging in ----

def test_log_in(node, user, module_database):
    reply = try_login(node.url, user["name"].upper())
    assert reply.status == 201
    told = reply.json
    assert (told["kind"], told["id"], told["name"], told["role"]) == ("user", user["id"], user["name"], "manager")
    assert "incident.incident.manage" in told["rules"] and re.fullmatch(r"[\w-]{43}", told["csrfToken"])
    got = Session(node.url, reply).get(SESSION)
    assert got.json == told and got.headers["cache-control"] == "no-store"

    secret = cookie_of(reply)[0].partition("=")[2].partition("_")[2]
    stored = str(module_database.rows("select id, user_id, secret_hash::text from sessions"))
    assert secret not in stored and told["csrfToken"] not in stored
    assert secret not in reply.body.decode() and PASSWORD not in reply.body.decode()
    kind, actor = module_database.rows("select kind, actor from events order by transaction desc, sequence desc")[0]
    assert (kind, actor) == ("auth.session.created", f"user:{user['id']}")


def test_cookie(node, user, start):
    pair, attributes = cookie_of(try_login(node.url, user["name"]))
    assert re.fullmatch(r"tocsin_session=[0-9a-f-]{36}_[\w-]{43}", pair)
    assert attributes == {"httponly": "", "samesite": "Strict", "path": "/", "max-age": "86400"}
    assert "secure" in cookie_of(try_login(node.url, user["name"], X_Forwarded_Proto="https"))[1]
    assert "secure" not in cookie_of(try_login(node.url, user["name"], X_Forwarded_Proto="http"))[1]


def test_cookie_that_is_always_secure(start):
    """Whatever a proxy says of how the browser came: the name is the one for TLS, and the plain one is nobody's session.
    Seen to fail with is_secure of a log-in, and with is_tls of a caller (auth.c), going by the proxy alone."""
    strict = start(TOCSIN_COOKIE_SECURE="true", TOCSIN_SESSION_HOURS="2")
    name = make_user(strict.api, "viewer")["name"]
    for headers in ({}, {"X-Forwarded-Proto": "http"}):
        reply = try_login(strict.url, name, **headers)
        pair, attributes = cookie_of(reply)
        assert re.fullmatch(r"__Host-tocsin_session=[0-9a-f-]{36}_[\w-]{43}", pair)
        assert "secure" in attributes and attributes["max-age"] == "7200"
        assert attributes["path"] == "/" and "domain" not in attributes
        mine = Session(strict.url, reply)
        assert mine.call("GET", SESSION, headers=headers).json["csrfToken"] == mine.token
        plain = {**headers, "Cookie": pair.removeprefix("__Host-")}
        assert strict.anonymous.call("GET", SESSION, headers=plain).json["kind"] == "anonymous"


def test_cookie_over_tls(node, user):
    """A proxy says that the browser speaks TLS: the cookie has a name that a browser takes from this host only, and a
    plain one, which a neighbouring host can set (evil.example.org for status.example.org), is nobody's session.
    Seen to fail with the plain name taken everywhere: people work in the session of whoever set it."""
    tls = {"X-Forwarded-Proto": "https, http"}  # two proxies, of which the first spoke with the browser
    reply = try_login(node.url, user["name"], X_Forwarded_Proto=tls["X-Forwarded-Proto"])
    pair, attributes = cookie_of(reply)
    assert pair.startswith("__Host-tocsin_session=") and attributes["path"] == "/" and "domain" not in attributes
    mine, plain = Session(node.url, reply), log_in(node.url, user["name"])
    assert mine.call("GET", SESSION, headers=tls).json["csrfToken"] == mine.token
    assert plain.call("GET", SESSION, headers=tls).json["kind"] == "anonymous"
    both = mine.call("GET", SESSION, headers={**tls, "Cookie": f"{plain.cookie}; {mine.cookie}"})
    assert both.json["csrfToken"] == mine.token
    for _ in range(2):  # taken back by its name, also when the session is gone already
        pair, attributes = cookie_of(mine.call("DELETE", SESSION, headers=tls))
        assert pair == "__Host-tocsin_session=" and attributes["max-age"] == "0" and "secure" in attributes


def test_wrong_name_or_password_is_one_answer(node, user):
    """Nobody learns from it which names there are."""
    wrong = try_login(node.url, user["name"], "wrong " + PASSWORD)
    unknown = try_login(node.url, "nobody at all", PASSWORD)
    assert (wrong.status, wrong.type) == (401, PROBLEM)
    assert wrong.body == unknown.body and "set-cookie" not in wrong.headers
    assert {**wrong.headers, "date": ""} == {**unknown.headers, "date": ""}
    assert try_login(node.url, user["name"]).status == 201


@pytest.mark.parametrize("body, pointer", [
    ({"name": "x"}, "/password"), ({"password": "x"}, "/name"), ({"name": "x", "password": 5}, "/password"),
    ({"name": "", "password": "x"}, "/name"), ({"name": "x", "password": "x" * 201}, "/password"),
    ({"name": "x", "password": "a\0b"}, "/password"), ({"name": "x", "password": "x", "remember": True}, "/remember")])
def test_bad_log_in(node, body, pointer):
    reply = node.anonymous.post(SESSION, body)
    assert reply.status == 400 and pointer in [error["pointer"] for error in reply.json["errors"]]


def test_log_in_is_no_form(node):
    """A form of another site can send neither this type nor another method: no log-in as somebody else."""
    for content in ("application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x"):
        reply = node.anonymous.call("POST", SESSION, b'{"name":"x","password":"x"}', {"Content-Type": content})
        assert reply.status == 415, content


@pytest.mark.parametrize("origin, status", [(None, 201), ("http://HOST", 201), ("https://HOST", 201), ("null", 403),
                                            ("http://evil.example", 403), ("http://HOST.evil.example", 403)])
def test_log_in_is_of_our_own_page(node, user, origin, status):
    """Another site's page must not log its visitors in as somebody. Seen to fail without is_from_elsewhere."""
    origin = origin and origin.replace("HOST", node.anonymous.address)
    reply = node.anonymous.call("POST", SESSION, {"name": user["name"], "password": PASSWORD}, {"Origin": origin})
    assert reply.status == status and ("set-cookie" in reply.headers) == (status == 201), reply

def test_log_in_ignores_other_credentials(node, user, session):
    """A browser whose session ended, or whose page lost the token, must be able to log in."""
    for headers in ({"Cookie": session.cookie}, {"Cookie": "tocsin_session=nonsense"},
                    {"Authorization": f"Bearer {new_key()}"}):
        reply = node.anonymous.call("POST", SESSION, {"name": user["name"], "password": PASSWORD}, headers)
        assert reply.status == 201, headers
        assert cookie_of(reply)[0] != session.cookie  # never the one that was sent


# ---- who one is ----

def test_get_session(node, session):
    assert node.anonymous.get(SESSION).json == {"kind": "anonymous",
                                                "rules": ["incident.incident.read", "catalog.system.read"]}
    by_key = node.api.get(SESSION).json
    assert by_key["kind"] == "key" and by_key["role"] == "admin" and "csrfToken" not in by_key
    assert Api(node.url, new_key()).get(SESSION).status == 401
    secret = session.cookie[-43:]
    other = ("A" if secret[0] != "A" else "B") + secret[1:]
    for cookie in (session.cookie[:-43] + other, session.cookie[:-1], "tocsin_session=", "tocsin_session",
                   "other=" + session.cookie, session.cookie.replace("tocsin_session", "tocsin_sessions")):
        reply = node.anonymous.call("GET", SESSION, headers={"Cookie": cookie})
        assert reply.status == 200 and reply.json["kind"] == "anonymous", cookie


def test_key_wins_over_cookie(node, session):
    reply = session.call("GET", SESSION, headers={"Authorization": f"Bearer {node.key}"})
    assert reply.json["kind"] == "key"
    assert session.call("GET", SESSION, headers={"Authorization": f"Bearer {new_key()}"}).status == 401


# ---- forged requests ----

@pytest.mark.parametrize("headers, status", [
    ({}, 201),
    ({"X-Tocsin-CSRF": None}, 403),
    ({"X-Tocsin-CSRF": ""}, 403),
    ({"X-Tocsin-CSRF": "x" * 43}, 403),
    ({"Origin": "http://HOST"}, 201),
    ({"Origin": "https://HOST"}, 201),
    ({"Origin": "http://evil.example"}, 403),
    ({"Origin": "http://HOST.evil.example"}, 403),
    ({"Origin": "null"}, 403),
    ({"Origin": ""}, 403),
    ({"Origin": "https://status.example", "Host": "status.example:443"}, 201),
    ({"Origin": "https://status.example:8443", "Host": "status.example"}, 403),
    ({"Origin": "http://HOST", "X-Tocsin-CSRF": None}, 403),
])
def test_forged_requests(session, headers, status):
    """Seen to fail with is_meant in auth_session.c answering true. The first look at a session takes another
    way than later ones, by the executor: both are tried."""
    headers = {name: value and value.replace("HOST", session.address) for name, value in headers.items()}
    body = {"title": "Forged?", "severity": "minor", "systemIds": ["forged"]}
    for _ in range(2):
        reply = session.call("POST", "/api/v1/incidents", body, headers)
        assert reply.status == status, reply
        assert session.call("GET", "/api/v1/incidents", headers=headers).status == 200  # reading is free
    if status == 403:
        assert session.call("DELETE", SESSION, headers=headers).status == 403
        assert session.get(SESSION).json["kind"] == "user"


def test_reads_by_post_need_the_token(node, session):
    """What they do is known only once they run; so the rule is one of methods, and refusal and description say the same
    one. Seen to fail with both saying that it is changes that need the token."""
    states, without = "/api/v1/incidents/states", {"X-Tocsin-CSRF": None}
    assert session.call("POST", states, {"ids": []}).status == 200
    refused = session.call("POST", states, {"ids": []}, without)
    assert (refused.status, refused.type) == (403, PROBLEM)
    assert session.call("POST", "/rest/incident/listIncidents", {}, without).status == 403
    for method in ("GET", "HEAD"):
        assert session.call(method, "/rest/incident/listIncidents", headers=without).status == 200
    scheme = describe(node)["components"]["securitySchemes"]["session"]["description"]
    for said in (refused.json["detail"], scheme):
        assert "any request but GET and HEAD" in said and "X-Tocsin-CSRF" in said, said


def test_token_of_another_session(node, user, session):
    other = log_in(node.url, user["name"])
    assert other.token != session.token
    assert session.call("DELETE", SESSION, headers={"X-Tocsin-CSRF": other.token}).status == 403


def test_keys_need_no_token(node):
    body = {"title": "By key", "severity": "minor", "systemIds": ["by-key"]}
    assert node.api.call("POST", "/api/v1/incidents", body, {"Origin": "http://evil.example"}).status == 201


# ---- logging out ----

def test_log_out(node, session, module_database):
    assert session.get(SESSION).json["kind"] == "user"
    reply = session.call("DELETE", SESSION)
    assert (reply.status, reply.body) == (204, b"")
    pair, attributes = cookie_of(reply)
    assert pair == "tocsin_session=" and attributes["max-age"] == "0" and attributes["path"] == "/"
    assert session.get(SESSION).json["kind"] == "anonymous"
    assert session.post("/api/v1/incidents", {}).status == 401
    assert session.call("DELETE", SESSION).status == 204  # twice is harmless
    assert node.anonymous.call("DELETE", SESSION).status == 204
    identity = session.cookie.partition("=")[2][:36]
    assert module_database.rows("select kind, action from events where subject = %s order by transaction",
                                (identity,)) == [("auth.session.created", "created"),
                                                 ("auth.session.ended", "deleted")]


def test_log_out_is_heard_by_the_other_node(start):
    """Seen to fail, for as long as a node remembers a session (30 s), without the pg_notify of end_session.sql."""
    one, two = start(), start()
    here = log_in(one.url, make_user(one.api, "viewer")["name"])
    there = here.at(two.url)
    assert there.get(SESSION).json == here.get(SESSION).json  # made on one, known to both, with one token
    assert here.call("DELETE", SESSION).status == 204
    wait_for(lambda: there.get(SESSION).json["kind"] == "anonymous", "the other node knows of the end", HEARD_S)


# ---- how long it lasts ----

def test_session_ends_by_itself(node, user, module_database):
    """Also where it is remembered: never for longer than it lasts."""
    for seconds in (1, 2, 4, 8):  # on a busy machine a session may end before it was remembered: another one
        session = log_in(node.url, user["name"])
        assert module_database.rows("update sessions set expires_at = now() + %s * interval '1 second'"
                                    " where id = %s::uuid returning 1",
                                    (seconds, session.cookie.partition("=")[2][:36]))
        if session.get(SESSION).json["kind"] == "user":
            break
    else:
        raise AssertionError("no session was there when it was asked for")
    wait_for(lambda: session.get(SESSION).json["kind"] == "anonymous", "the session has ended", HEARD_S)


def test_sessions_of_a_user_are_bounded(node, module_database):
    made = make_user(node.api, "viewer")
    first = log_in(node.url, made["name"])
    assert first.get(SESSION).json["kind"] == "user"
    others = [log_in(node.url, made["name"]) for _ in range(20)]
    wait_for(lambda: first.get(SESSION).json["kind"] == "anonymous", "the oldest has made room", HEARD_S)
    assert all(other.get(SESSION).json["kind"] == "user" for other in others)
    assert module_database.value("select count(*) from sessions where user_id = %s", (made["id"],)) == 20


# ---- a new password ----

def test_change_password(node):
    made = make_user(node.api, "viewer")
    session, other = log_in(node.url, made["name"]), log_in(node.url, made["name"])
    new = "another " + PASSWORD
    assert other.get(SESSION).json["kind"] == "user"
    assert session.post(CHANGE, {"currentPassword": PASSWORD, "newPassword": new}).status == 204
    assert session.get(SESSION).json["kind"] == "user"  # the one that did it stays
    assert other.get(SESSION).json["kind"] == "anonymous"
    assert try_login(node.url, made["name"]).status == 401
    assert try_login(node.url, made["name"], new).status == 201


def test_change_password_errors(node, session):
    wrong = session.post(CHANGE, {"currentPassword": "wrong " + PASSWORD, "newPassword": "x" * 20})
    assert wrong.status == 400 and wrong.json["errors"][0]["pointer"] == "/currentPassword"
    short = session.post(CHANGE, {"currentPassword": PASSWORD, "newPassword": "x" * 9})
    assert short.status == 400 and short.json["errors"][0]["pointer"] == "/newPassword"
    good = {"currentPassword": PASSWORD, "newPassword": "x" * 20}
    assert session.call("POST", CHANGE, good, {"X-Tocsin-CSRF": None}).status == 403
    assert node.anonymous.post(CHANGE, good).status == 401
    assert node.api.post(CHANGE, good).status == 403
    assert session.get(SESSION).json["kind"] == "user"


def test_change_password_of_a_user_who_goes(node, module_database):
    """Deleted by somebody between the look at the old password and the change: the session is over. Seen to fail with the
    404 of the user in place of it, an answer that the description does not have."""
    made = make_user(node.api, "viewer")
    session = log_in(node.url, made["name"])
    with concurrent.futures.ThreadPoolExecutor(1) as threads, \
            contextlib.closing(module_database.connect(application_name="outside")) as outside:
        outside.cursor().execute("begin; delete from users where id = %s", (made["id"],))
        reply = threads.submit(session.post, CHANGE, {"currentPassword": PASSWORD, "newPassword": "x" * 20})
        wait_for(lambda: module_database.is_blocking(outside), "the change waits for the deletion")
        outside.cursor().execute("commit")
        assert (reply.result().status, reply.result().type) == (401, PROBLEM)


# ---- anonymous reading off ----

def test_without_anonymous_reading(start):
    """The server's description says so, too: seen to offer every reading to everybody, whatever the setting."""
    node = start(TOCSIN_ANONYMOUS_READ="false")
    described = operations(describe(node))
    assert {name for name, (_, _, operation) in described.items() if {} in operation["security"]} == {"getSession", "logOut"}
    made = node.api.create("hidden")
    reads = ["/api/v1/incidents", f"/api/v1/incidents/{made['id']}", "/api/v1/systems/hidden/suppression"]
    viewer = log_in(node.url, make_user(node.api, "viewer")["name"])
    for path in reads:
        reply = node.anonymous.get(path)
        assert (reply.status, reply.type) == (401, PROBLEM), path
        assert "hidden" not in reply.body.decode()
        assert viewer.get(path).status == 200 and node.api.get(path).status == 200, path
    assert node.anonymous.get(SESSION).json == {"kind": "anonymous", "rules": []}
    for path in ("/healthz", "/readyz", "/metrics"):
        assert node.anonymous.get(path).status == 200, path
        assert Api(node.url, new_key()).get(path).status == 200, path
    assert viewer.call("DELETE", SESSION).status == 204
    assert viewer.get(reads[0]).status == 401


# ---- secrets ----

def test_no_secret_anywhere(cluster, database, start):
    """Not in our log at its loudest, not in the database's with every statement, not in what is stored."""
    cluster.execute(f"alter database \"{database.name}\" set log_statement = 'all'")
    node = start(TOCSIN_LOG="debug")
    password, new = "Sturm und Drang 1774", "Sturm und Drang 1776"
    made = make_user(node.api, "admin", password)
    session = log_in(node.url, made["name"], password)
    assert try_login(node.url, made["name"], "Sturm und Drang 1775").status == 401
    assert session.post(CHANGE, {"currentPassword": password, "newPassword": new}).status == 204
    node.api.call("PATCH", f"{USERS}/{made['id']}", {"password": password})
    node.api.post(USERS, {"name": password, "role": "king", "password": new})
    stored = str([database.rows(f"select t::text from {table} t") for table in
                  ("users", "sessions", "events", "login_attempts")])
    log = cluster.log.read_text()
    assert "login_attempts" in log  # it does log statements
    for place in (node.log, stored, log):
        assert "Sturm und Drang 177" not in place
        assert session.cookie[-43:] not in place and session.token not in place
