"""Streams of those who lose what they may do, and how many of them one may have.

A stream that is known ends by itself after a minute. Who loses what he may do has his ended before; and on a machine so
busy that a minute is over meanwhile, those that have lived for that long are no less than open."""
import contextlib
import threading

import pytest

from api import Api
from events import Stream
from metrics import value
from server import BINARY, Server
from session import SESSION, USERS, log_in, make_user
from waiting import wait_for

EVENTS = "/api/v1/events"
LIFE_S = 60  # of streams that are known, at least (TC_EVENT_STREAM_KNOWN_LIFE_MS)
SOON_S = 30
STREAMS_MAX = 200  # fewer than a caller may have


@pytest.fixture(scope="module")
def nodes(module_database):
    """Two of them, for those who are signed in only."""
    settings = {"TOCSIN_ANONYMOUS_READ": "false"}
    with Server(database_url=module_database.url, settings=settings) as one, \
            Server(database_url=module_database.url, settings=settings) as two:
        yield one.start(), two.start()


def open_at(nodes, caller):
    """A stream of the caller (an Api or a Session) at each node."""
    headers = {"Cookie": caller.cookie} if hasattr(caller, "cookie") else None
    return [Stream(Api(node.url, caller.key), headers=headers).start() for node in nodes]


def is_ended(stream):
    """In good order, and not for its age."""
    return stream.closed.wait(LIFE_S + SOON_S) and stream.parser.ended and not stream.outlived(LIFE_S)


def check_ended(streams):
    for stream in streams:
        assert is_ended(stream), "the stream goes on"
        stream.close()


def is_told(stream, incident):
    while event := stream.next():
        if event.data["incidentId"] == incident:
            return True
    return False


def check_open(nodes, streams):
    """They are told of what happens, and so have not ended before their time."""
    made = nodes[0].api.create("still")["id"]
    for stream in streams:
        assert is_told(stream, made) or stream.outlived(LIFE_S), "the stream has ended"
        stream.close()


def make_key(node):
    reply = node.api.post("/api/v1/keys", {"name": "viewer", "role": "viewer"})
    assert reply.status == 201
    return reply.json["id"], Api(node.url, reply.json["key"])


def test_a_revoked_key(nodes):
    """Its streams end on every node; others go on. Seen to go on, to the end of their minute, without the hint."""
    key_id, key = make_key(nodes[0])
    _, other = make_key(nodes[0])
    gone, stay = open_at(nodes, key), open_at(nodes, other)
    assert nodes[0].api.call("DELETE", f"/api/v1/keys/{key_id}").status == 204
    check_ended(gone)
    assert key.get(EVENTS).status == 401
    check_open(nodes, stay)


def test_a_session_that_was_logged_out(nodes):
    """Another session of the same user goes on."""
    user = make_user(nodes[0].api, "viewer")
    here, there = (log_in(node.url, user["name"]) for node in nodes)
    gone, stay = open_at(nodes, here), open_at(nodes, there)
    assert here.call("DELETE", SESSION).status == 204
    check_ended(gone)
    assert here.get(EVENTS).status == 401
    check_open(nodes, stay)


def test_a_user_of_another_role(nodes):
    """Streams end, and are judged anew when they come back; other users' go on."""
    user, other = make_user(nodes[0].api, "manager"), make_user(nodes[0].api, "viewer")
    session, colleague = (log_in(nodes[0].url, who["name"]) for who in (user, other))
    gone, stay = open_at(nodes, session), open_at(nodes, colleague)
    assert nodes[1].api.call("PATCH", f"{USERS}/{user['id']}", {"role": "viewer"}).status == 200
    check_ended(gone)
    check_open(nodes, open_at(nodes, session))
    check_open(nodes, stay)


def test_a_user_who_was_deleted(nodes):
    user = make_user(nodes[0].api, "viewer")
    session = log_in(nodes[0].url, user["name"])
    gone = open_at(nodes, session)
    assert nodes[1].api.call("DELETE", f"{USERS}/{user['id']}").status == 204
    check_ended(gone)
    assert session.get(EVENTS).status == 401


LISTENERS = "from pg_stat_activity where application_name = 'tocsin listener' and datname = current_database()"
# As nodes do it, notification included.
TAKE_AWAY = {
    "key": "update api_keys set revoked_at = clock_timestamp() where id = %s returning pg_notify('tocsin', 'auth:' || id)",
    "session": "delete from sessions where user_id = %s returning pg_notify('tocsin', 'auth:' || id)",
    "role": "update users set role = 'viewer' where id = %s returning pg_notify('tocsin', 'auth:user:' || id)",
}


@contextlib.contextmanager
def deafened(database):
    """No node hears a notification meanwhile: the database lets no listener in."""
    wait_for(lambda: database.value(f"select count(*) {LISTENERS}") == 2, "both nodes listen")
    database.allow_connections(False)
    try:
        assert database.value(f"select count(pg_terminate_backend(pid)) {LISTENERS}") == 2
        wait_for(lambda: database.value(f"select count(*) {LISTENERS}") == 0, "nobody listens")
        yield
        assert database.value(f"select count(*) {LISTENERS}") == 0
    finally:
        database.allow_connections(True)


def test_changes_that_no_node_heard_of(nodes, module_database):
    """They are looked up when nodes can hear again: streams whose callers lost something end, others go on. Seen to go on,
    to the end of their minute, without the recheck after a loss of hints; and with the role left out of find_gone.sql those
    of the user who has another role."""
    key_id, key = make_key(nodes[0])
    _, other = make_key(nodes[0])
    users = [make_user(nodes[0].api, role) for role in ("viewer", "manager", "viewer")]
    ended, changed, colleague = (log_in(nodes[0].url, user["name"]) for user in users)
    lost = {"key": key_id, "session": users[0]["id"], "role": users[1]["id"]}
    gone = [stream for caller in (key, ended, changed) for stream in open_at(nodes, caller)]
    stay = [stream for caller in (other, colleague) for stream in open_at(nodes, caller)]
    with deafened(module_database):
        for what, statement in TAKE_AWAY.items():
            assert len(module_database.rows(statement, (lost[what],))) == 1
    check_ended(gone)
    check_open(nodes, stay)


def test_streams_that_are_being_opened_meanwhile(nodes):
    """Whoever was let in just before the key was revoked is not forgotten: no stream stays. Seen to fail without the
    memory of changes, with a pause of 50 ms before a stream is enlisted, which otherwise is too short to be met; with
    that memory and the same pause it passed. (test/integration/test_event_live.c shows it without a pause.)"""
    for _ in range(5):
        key_id, key = make_key(nodes[0])
        assert key.get("/api/v1/incidents").status == 200  # it is known from here on
        begin = threading.Barrier(2)

        def revoke(begin=begin, key_id=key_id):
            begin.wait()
            nodes[0].api.call("DELETE", f"/api/v1/keys/{key_id}")
        thread = threading.Thread(target=revoke)
        thread.start()
        begin.wait()
        streams = []
        while thread.is_alive() and len(streams) < STREAMS_MAX:
            streams.append(Stream(key))
            streams[-1].thread.start()
        thread.join()
        for stream in streams:
            assert stream.started.wait(SOON_S)
            assert stream.parser.status == 401 or is_ended(stream), "the stream goes on"
            stream.close()


def open_some(count, *arguments, **options):
    return [Stream(*arguments, **options).start() for _ in range(count)]


def check_refused(api, headers=None, status=429):
    """At once: streams that are known are given a minute, and those of `api` have to be there still."""
    stream = Stream(api, headers=headers)
    stream.thread.start()
    assert stream.started.wait(SOON_S)
    parser = stream.parser
    assert (parser.status, parser.headers["content-type"]) == (status, "application/problem+json")
    assert status == 401 or int(parser.headers["retry-after"]) >= 1
    stream.close()


def test_strangers(nodes):
    """Seen to be let in without the rule of streamEvents."""
    for node in nodes:
        check_refused(node.anonymous, status=401)


def find_open(api):
    """A stream, if there may be one more."""
    stream = Stream(api)
    stream.thread.start()
    assert stream.started.wait(SOON_S)
    if stream.parser.status == 200:
        return stream
    stream.close()
    return None


def test_a_caller_has_so_many_streams(start):
    """Who has them all takes none from others; one that is closed can be had again. Seen to fail
    without the count."""
    node = start(TOCSIN_EVENT_STREAMS_PER_CALLER=2)
    key = node.api.as_role("viewer")
    user = make_user(node.api, "viewer")
    sessions = [log_in(node.url, user["name"]) for _ in range(2)]
    streams = []
    for api in (node.anonymous, node.api, key):
        streams += open_some(2, api)
        check_refused(api)
    for session in sessions:  # of one user
        streams += open_some(1, node.anonymous, headers={"Cookie": session.cookie})
    for session in sessions:
        check_refused(node.anonymous, {"Cookie": session.cookie})
    check_refused(node.anonymous, {"X-Forwarded-For": "192.0.2.1"})  # anybody can say so
    assert value(node, "tocsin_event_streams_refused_total") == 6
    assert "has 2 streams open" in node.anonymous.get(EVENTS).json["detail"]
    streams.pop(0).close()
    streams.append(wait_for(lambda: find_open(node.anonymous), "it is closed"))
    check_refused(node.anonymous)
    for stream in streams:
        stream.close()


def start_with_descriptors(node, count):
    """A node that may have no more files open than that."""
    script = node.folder / "few"
    script.write_text(f'#!/bin/sh\nulimit -n {count}\nexec "{BINARY}" "$@"\n')
    script.chmod(0o755)
    node.options = {"program": script}
    return node.start()


def test_a_node_has_so_many_streams(database):
    """Three quarters of its connections, for which it has half of its few descriptors; the last sixteenth is not for who
    has all others. Seen to fail with RESERVE 0 (the first caller gets them all); and without the bound of
    a node: then the third caller is let in."""
    descriptors = 256
    streams_max = descriptors // 2 // 4 * 3
    reserved = streams_max // 16
    settings = {"TOCSIN_EVENT_STREAMS_PER_CALLER": descriptors}
    with Server(database_url=database.url, settings=settings) as made:
        node = start_with_descriptors(made, descriptors)
        _, key = make_key(node)
        streams = open_some(streams_max - reserved, node.anonymous)
        check_refused(node.anonymous)
        streams += open_some(reserved, key)
        for api in (key, node.api, node.anonymous):
            check_refused(api, status=503)
        assert value(node, "tocsin_event_streams") == streams_max
        assert node.api.get("/api/v1/incidents").status == 200  # what is left of the connections is for requests
        streams.pop().close()
        wait_for(lambda: value(node, "tocsin_event_streams") < streams_max, "it is closed")
        streams += open_some(1, node.api)
        for stream in streams:
            stream.close()


def test_addresses_behind_a_proxy(start):
    """That is trusted; of IPv6 a network is one. Seen to fail with the connection's address taken all the same: one stream
    would be all that everybody has."""
    node = start(TOCSIN_EVENT_STREAMS_PER_CALLER=1, TOCSIN_TRUST_PROXY="true")
    streams = []
    for address in ("192.0.2.1", "192.0.2.2", "203.0.113.9, 192.0.2.3", "2001:db8::1"):
        streams += open_some(1, node.anonymous, headers={"X-Forwarded-For": address})
    for address in ("192.0.2.1", "192.0.2.4, 192.0.2.3", "2001:db8::2"):
        check_refused(node.anonymous, {"X-Forwarded-For": address})
    reply = node.anonymous.call("GET", EVENTS, headers={"X-Forwarded-For": "192.0.2.1"})
    assert "has 1 stream open" in reply.json["detail"]
    for stream in streams:
        stream.close()
