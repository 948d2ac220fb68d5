"""Every procedure of the API's own description, at each of its addresses: what it answers, every error it can give, and
who may call it. The rows are in rows.py; a procedure without one fails test_every_procedure_has_a_row.

Every problem document that is met here is one as RFC 9457 has it, and holds no SQL, no name of a file or function, and
no secret of a caller.

How it was seen to fail: with 404 made a success of what deletes in the catalog, and a wrong pointer in its conflicts,
test_errors; with the rule of createGroup one that everybody has, test_who_may_call; with createSource in no group, all
that ask for it at /rest; with the database's own words in the answers of core/procedure/call.c, the two about databases."""
import concurrent.futures
import re

import pytest

from api import PROBLEM, Api
from events import Stream
from rows import NOBODY, ROLES, ROWS, Caller, World, changed
from server import new_key
from session import PASSWORD, log_in, make_user
from test_bad_input import LEAKS
from test_login_limits import PER_NAME as FAILURES
from test_openapi import check, describe
from waiting import wait_for

ADDRESSES = ("v1", "rest", "rest by GET")
REST = {"catalog", "alert", "auth", "incident"}
TOO_LARGE = b'{"title":"' + b"x" * (1024 * 1024) + b'"}'
each_row = pytest.mark.parametrize("name", ROWS)
# Reads by GET there differ in where their input is, and not in what becomes of it.
MAIN_ADDRESSES = ADDRESSES[:2]
each_plain_row = pytest.mark.parametrize("name", [name for name, row in ROWS.items() if not row.elsewhere])


@pytest.fixture(name="document", scope="module")
def fixture_document(node):
    return describe(node)


@pytest.fixture(name="at", scope="module")
def fixture_at(document):
    return {address: Caller(document, address) for address in ADDRESSES}


@pytest.fixture(name="world")
def fixture_world(node):
    return World(node.api)


def places(at, name, addresses=ADDRESSES):
    return [address for address in addresses if at[address].place(name)]


def is_problem(reply, status, *fields, secrets=()):
    """True for a problem document of this status that names exactly these fields, and gives nothing away."""
    assert (reply.status, reply.type) == (status, PROBLEM), reply
    document = reply.json
    assert {"type", "title", "status", "detail"} <= set(document) <= {"type", "title", "status", "detail", "errors"}
    assert document["status"] == status and all(document[name] for name in ("type", "title", "detail")), document
    found = document.get("errors", [])
    assert [error["pointer"].lstrip("/") for error in found] == list(fields), document
    assert all(error["detail"] for error in found)
    said = " ".join([document["detail"], *(error["detail"] for error in found)])
    assert not LEAKS.search(said), said
    whole = str(reply.headers) + reply.body.decode()
    assert not any(secret in whole for secret in secrets if secret), whole
    return True


def test_every_procedure_has_a_row(document, at):
    """Seen to fail with a row left out, and with a procedure that loses its group: it is then nowhere at /rest."""
    assert set(ROWS) == set(at["v1"].known)
    for name, row in ROWS.items():
        tag, = at["v1"].known[name][2]["tags"]
        assert tag == (row.group or "server"), name
    assert {row.group for row in ROWS.values() if row.group} == REST


@each_plain_row
def test_success(node, document, at, name):
    """As described, and right, at each address."""
    row = ROWS[name]
    for address in places(at, name):
        world = World(node.api)
        reply = at[address].call(node.api, name, row.good(world))
        assert reply.status == row.status, (address, reply)
        assert reply.status != 204 or reply.body == b""
        described = at["v1"].known[name][2]["responses"][str(reply.status)].get("content")
        if described:
            check(document, described[reply.type]["schema"], reply.json if reply.type.endswith("json") else reply.body.decode(),
                  name)
        assert row.shows is None or row.shows(world, reply.json), (address, reply)


@each_row
def test_errors(node, at, world, user, name):
    """Each error that is the procedure's own, and the fields it names."""
    row = ROWS[name]
    caller = user if row.who == "session" else node.api
    for address in places(at, name, MAIN_ADDRESSES):
        for status, change, *fields in row.errors:
            asked = changed(row.good(world), change(world))
            reply = at[address].call(caller, name, asked)
            assert is_problem(reply, status, *fields, secrets=[node.key]), (address, asked)


@each_plain_row
def test_who_may_call(node, at, callers, name):
    """Below the least role: 401 without a key, 403 with one, and nothing is done; from it on: the answer, as that role
    may see it."""
    row = ROWS[name]
    for address in places(at, name, MAIN_ADDRESSES):
        world = World(node.api)
        for role in ROLES:
            reply = at[address].call(callers[role], name, row.good(world))
            if ROLES.index(role) < ROLES.index(row.who):
                assert is_problem(reply, 401 if role == "anonymous" else 403, secrets=[callers[role].key]), (address, role)
                continue
            assert reply.status == row.status, (address, role, reply)
            assert row.sees is None or row.sees(role, reply.json), (address, role, reply)
            world = World(node.api)


# The rest tells no more than that there is a server, or has a credential of its own.
NEEDS_RULE = {name for name, row in ROWS.items() if row.who == "anonymous" and row.group in ("catalog", "incident")}


def test_without_anonymous_reading(start, document):
    """Strangers get 401 from whatever needs a rule, at each of its addresses, reads by POST too (for streams,
    test_event_access.py shows it); all else answers them as ever. Seen to fail with the rule taken from a read by POST
    (getManyEntityStates), and with the setting not heeded."""
    node = start(TOCSIN_ANONYMOUS_READ="false")
    names = [name for name, row in ROWS.items() if row.who == "anonymous" and not row.elsewhere]
    assert {"getManyEntityStates", "getBulkIncidentsForSystems", "getOpenApi", "logIn"} <= set(names)
    world = World(node.api)
    for caller in (Caller(document, address) for address in ADDRESSES):
        for name in filter(caller.place, names):
            fields = ROWS[name].good(world)
            reply = caller.call(node.anonymous, name, fields)
            if name not in NEEDS_RULE:
                assert reply.status == ROWS[name].status, (caller.address, name, reply)
                continue
            assert is_problem(reply, 401, secrets=[world.name]), (caller.address, name)
            assert caller.call(node.api, name, fields).status == 200, (caller.address, name)


@pytest.fixture(name="user", scope="module")
def fixture_user(node):
    return log_in(node.url, make_user(node.api, "admin")["name"])


@each_row
def test_what_all_refuse(node, document, at, world, user, name):
    """Keys of nobody, changes that a session may not have wanted, unknown fields, wrong methods; where there is a body, bodies that are none, or too large."""
    row, secret, described = ROWS[name], new_key(), at["v1"].known[name][2]["responses"]
    caller = user if row.who == "session" else node.api
    if not row.has_problems:
        return
    for address in places(at, name):
        method, path = at[address].place(name)
        taken = set(document["paths"][path]) if address == "v1" else {"get", "post"}
        path = re.sub(r"{\w+}", NOBODY, path)
        if row.asks_who:
            reply = at[address].call(Api(node.url, secret), name, row.good(world))
            assert is_problem(reply, 401, secrets=[secret]), address
        if row.asks_who and at["v1"].place(name)[0] != "GET":
            reply = at[address].call(user, name, row.good(world), {"X-Tocsin-CSRF": None})
            assert is_problem(reply, 403, secrets=[user.token]), address
        if not row.takes_anything:
            reply = at[address].call(caller, name, {**row.good(world), "colour": "red"})
            assert is_problem(reply, 400, "colour"), address
        reply = node.api.call("PATCH" if "put" in taken else "PUT", path)
        assert is_problem(reply, 405) and reply.headers["allow"], address
        for body, sent, status in ((b"{", {}, 400), (b"{}", {"Content-Type": "text/plain"}, 415), (TOO_LARGE, {}, 413)):
            if method == "POST" and (status != 413 or address == "v1"):
                assert is_problem(caller.call(method, path, body, sent), status, secrets=[node.key]), address
                assert address != "v1" or str(status) in described, (status, sorted(described))


def test_what_is_limited_says_so(start):
    """429 is in the description of what answers it, and of nothing else. Seen to fail without `refuses` in the rows."""
    node = start(TOCSIN_EVENT_STREAMS_PER_CALLER=1)
    document = describe(node)
    known = Caller(document, "v1")
    name = make_user(node.api, "viewer")["name"]
    session = log_in(node.url, name)

    def again(api, procedure, fields, count):
        return [known.call(api, procedure, fields) for _ in range(count)][-1]

    with Stream(node.api):
        limited = {
            "streamEvents": again(node.api, "streamEvents", {}, 1),
            "logIn": again(node.anonymous, "logIn", {"name": "nobody", "password": PASSWORD}, FAILURES + 1),
            "changePassword": again(session, "changePassword", {"currentPassword": PASSWORD + "?", "newPassword": PASSWORD},
                                    FAILURES + 1),
        }
    for reply in limited.values():
        assert is_problem(reply, 429, secrets=[node.key, session.token]) and int(reply.headers["retry-after"]) >= 1
    foreign = {"ingestPagerDuty"}  # in a form of its own: test_pagerduty.py
    assert {one for one, (_, _, operation) in known.known.items() if "429" in operation["responses"]} == {*limited, *foreign}


def ask_all(node, ready):
    """[(what was asked, reply), ...] of every procedure that needs the database, at each address; `ready()` is called
    once all input is there, before the first is asked."""
    document, world = describe(node), World(node.api)
    asked = [(caller, name, row.good(world))
             for caller in (Caller(document, address) for address in ADDRESSES) for name, row in ROWS.items()
             if row.has_problems and row.needs_database and not row.elsewhere and caller.place(name)]
    ready()
    with concurrent.futures.ThreadPoolExecutor(16) as threads:
        # Whose key nobody can look up goes no further: so those who need none have none.
        replies = list(threads.map(lambda one: one[0].call(
            node.anonymous if ROWS[one[1]].who == "anonymous" else node.api, *one[1:]), asked))
    return [((caller.address, name), reply) for (caller, name, _), reply in zip(asked, replies)]


def test_without_a_database(start, database):
    """503 and when to come back, from every procedure; how the database is reached is nobody's business."""
    def take_away():
        database.allow_connections(False)
        database.terminate_backends()

    node = start(DATABASE_POOL_CONNECTION_TIMEOUT_MS=2000, DATABASE_LOCK_TIMEOUT_MS=2000)
    try:
        replies = ask_all(node, take_away)
    finally:
        database.allow_connections(True)
    for asked, reply in replies:
        assert is_problem(reply, 503, secrets=[node.key, str(database.cluster.folder), database.name]), asked
        assert int(reply.headers["retry-after"]) > 0, asked
    wait_for(node.is_ready, "it is back")


def test_with_a_broken_database(start, database):
    """500 from whatever asks for a table that is not there (503 from /readyz, an outcome for each id in bulk), and not a
    word of what PostgreSQL says."""
    node = start()
    tables = [name for name, in database.rows("select tablename from pg_tables where schemaname = 'public'")]

    def rename(statement):
        with database.connect() as session, session.cursor() as cursor:
            for name in tables:  # each for itself: what the node does by itself holds several of them, in an order of its own
                cursor.execute(statement.format(name))

    try:
        replies = ask_all(node, lambda: rename("alter table {0} rename to {0}_gone"))
    finally:
        rename("alter table {0}_gone rename to {0}")
    words = [node.key, "relation", "not exist", "42P01", "_gone"]
    for asked, reply in replies:
        if asked[1].startswith("bulk") and reply.status == 200:
            assert [one["outcome"] for one in reply.json["results"]] == ["failed"], (asked, reply)
            assert not any(word in reply.body.decode() for word in words)
        else:
            assert is_problem(reply, 503 if asked[1] == "getReadiness" else 500, secrets=words), asked
