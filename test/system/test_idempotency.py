"""Idempotency-Key: one change however often a request is sent, to whichever node, whatever dies in between.

What each is for, seen by taking it out: with nothing stored (core/procedure/idempotency.c) every second request makes a second change;
with the answer stored after the commit, in a transaction of its own, a kill in between makes two incidents of one key; with
claim_key.sql claiming everything the second of two at once hangs behind the first; with a plain hash in place of the keyed one,
the password test finds it in the table.
"""
import concurrent.futures
import contextlib
import hashlib
import http.client
import json
import threading
import uuid

import pytest

from api import incident
from metrics import value
from waiting import wait_for

INCIDENTS, SYSTEMS = "/api/v1/incidents", "/api/v1/systems"
DELETE_SYSTEM = "/rest/catalog/deleteSystem"  # there it is a POST


def keyed(api, path, body, key):
    return api.call("POST", path, body, {"Idempotency-Key": key})


def count(database, table="incidents"):
    return int(database.rows(f"select count(*) from {table}")[0][0])


@pytest.mark.parametrize("extra", [{}, {"dedupeOpenForSystem": True}], ids=["plain", "deduped"])
def test_the_same_request_again(node, module_database, extra):
    key, body = str(uuid.uuid4()), incident(f"s-{uuid.uuid4()}", **extra)
    before = count(module_database)
    first = keyed(node.api, INCIDENTS, body, key)
    again = keyed(node.api, INCIDENTS, dict(reversed(body.items())), key)
    assert first.status == again.status == 201 and again.body == first.body
    assert not first.is_replay and again.is_replay and again.type == first.type
    assert count(module_database) == before + 1
    other = keyed(node.api, INCIDENTS, {**body, "title": "Another"}, key)
    assert other.status == 422 and "Idempotency-Key" in other.json["errors"][0]["pointer"]
    # Resolved meanwhile or not: the first answer.
    told = first.json.get("incident", first.json)
    node.api.post(f"{INCIDENTS}/{told['id']}/resolve", {})
    assert keyed(node.api, INCIDENTS, body, key).body == first.body
    assert count(module_database) == before + 1


def test_a_key_is_of_one_caller_and_one_procedure(node, module_database):
    key, body = "shared-key", incident("one-caller")
    second = node.api.as_role("manager")
    first = keyed(node.api, INCIDENTS, body, key)
    theirs = keyed(second, INCIDENTS, body, key)
    assert first.status == theirs.status == 201 and first.json["id"] != theirs.json["id"]
    update = keyed(node.api, f"{INCIDENTS}/{first.json['id']}/updates", {"message": "x"}, key)
    assert update.status == 201
    # The alias is the same procedure; what is in the path there is in the body here.
    alias = keyed(node.api, "/rest/incident/addUpdate", {"message": "x", "incidentId": first.json["id"]}, key)
    assert alias.is_replay and alias.body == update.body
    assert keyed(node.api, f"{INCIDENTS}/{theirs.json['id']}/updates", {"message": "x"}, key).status == 422


def test_what_is_kept_and_what_is_not(node):
    absent = f"{INCIDENTS}/{uuid.uuid4()}/updates"
    assert keyed(node.api, absent, {"message": "x"}, "absent").status == 404
    assert keyed(node.api, absent, {"message": "x"}, "absent").is_replay
    # Refused input does not use the key up.
    assert keyed(node.api, INCIDENTS, {"title": ""}, "fresh").status == 400
    assert keyed(node.api, INCIDENTS, incident("fresh"), "fresh").status == 201


def test_a_conflict_that_lasts_is_an_answer(node):
    """Who was told no is not contradicted by a copy of the request that arrives late: it takes a new key. One conflict
    is found by a question of ours (systems), one in a savepoint (links), one by the database, which fails
    the whole transaction (users). Seen to fail, one by one, without 409 in tc_claim_is_final, and the last without
    keep_refusal in core/procedure/idempotency.c."""
    made = node.api.create("linked")
    password = "correct horse battery staple"
    cases = [("/api/v1/systems", {"name": "Taken"}, "/api/v1/systems/{id}"),
             (f"{INCIDENTS}/{made['id']}/links", {"url": "https://example.org/"}, f"{INCIDENTS}/{made['id']}/links/{{id}}"),
             ("/api/v1/users", {"name": "taken", "role": "viewer", "password": password}, "/api/v1/users/{id}")]
    for path, body, own in cases:
        first = node.api.post(path, body)
        assert first.status == 201, first
        refused = keyed(node.api, path, body, "lasting")
        assert refused.status == 409 and "retry-after" not in refused.headers, refused
        assert node.api.call("DELETE", own.format(id=first.json["id"])).status == 204
        again = keyed(node.api, path, body, "lasting")
        assert again.status == 409 and again.is_replay and again.body == refused.body and again.type == refused.type
        assert keyed(node.api, path, body, "another").status == 201


def test_a_conflict_that_passes_is_none(start, database):
    """It says Retry-After, and means the same request. Seen to fail with every 409 kept, and the deletion with its own
    without Retry-After."""
    node = start(DATABASE_LOCK_TIMEOUT_MS=100)
    cases = [(INCIDENTS, incident("busy", dedupeOpenForSystem=True), 201), (DELETE_SYSTEM, {"id": "busy"}, 204)]
    for path, body, done in cases:
        with database.hold_key("incident.dedupe-open-for-system:busy"):
            refused = keyed(node.api, path, body, "passing")
        assert refused.status == 409 and int(refused.headers["retry-after"]) >= 1
        made = keyed(node.api, path, body, "passing")
        assert made.status == done and not made.is_replay
        again = keyed(node.api, path, body, "passing")
        assert again.is_replay and (again.status, again.body, again.type) == (made.status, made.body, made.type)


@pytest.mark.parametrize("key", ["", "x" * 256, "two words", "t\u00e4g"])
def test_bad_keys(node, key):
    reply = node.api.call("POST", INCIDENTS, incident("bad"), {"Idempotency-Key": key.encode("latin-1")})
    assert reply.status == 400 and reply.json["errors"][0]["pointer"] == "Idempotency-Key"
    assert node.anonymous.call("POST", INCIDENTS, incident("bad"), {"Idempotency-Key": "k"}).status == 401
    assert keyed(node.api, INCIDENTS, incident("long"), "k" * 255).status == 201


def test_an_answer_with_a_secret_cannot_be_read_from_the_database(node, module_database):
    made = keyed(node.api, "/api/v1/keys", {"name": "secret", "role": "viewer"}, "make-a-key")
    again = keyed(node.api, "/api/v1/keys", {"name": "secret", "role": "viewer"}, "make-a-key")
    assert made.status == 201 and again.body == made.body and again.is_replay
    secret = made.json["key"].split("_", 2)[2].encode()  # it may have a _ itself
    user = {"name": "someone", "role": "viewer", "password": "correct horse battery"}
    assert keyed(node.api, "/api/v1/users", user, "make-a-user").status == 201
    stored = module_database.rows("select body, fingerprint from idempotency_answers")
    assert stored and not any(secret in bytes(body) for body, _ in stored)
    plain = hashlib.blake2b(json.dumps(user, sort_keys=True, separators=(",", ":")).encode(), digest_size=32).digest()
    assert not any(bytes(fingerprint) == plain for _, fingerprint in stored)


@pytest.mark.parametrize("path, body_of", [
    (INCIDENTS, incident), (INCIDENTS, lambda name: incident(name, dedupeOpenForSystem=True)),
    (SYSTEMS, lambda name: {"name": name})], ids=["plain", "deduped", "system"])
def test_many_at_once_on_two_nodes(start, database, path, body_of):
    """50 at once, of each key 10, on two nodes: one thing a key, and one answer; who comes too early is told to try
    again, and never that somebody else took the name."""
    nodes = [start(), start()]
    bodies = {f"key-{i}": body_of(f"system-{i}") for i in range(5)}
    gate = threading.Barrier(50, timeout=60)

    def send(number):
        key = f"key-{number % 5}"

        def answered():
            reply = keyed(nodes[number // 5 % 2].api, path, bodies[key], key)
            assert reply.status != 409 or int(reply.headers["retry-after"]) >= 1
            return reply.status != 409 and reply

        gate.wait()
        return key, wait_for(answered, "the request is no longer told that another is at it")

    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        replies = list(pool.map(send, range(50)))
    assert {reply.status for _, reply in replies} == {201}
    for key in bodies:
        answers = [reply for name, reply in replies if name == key]
        assert len({reply.body for reply in answers}) == 1
        assert sum(not reply.is_replay for reply in answers) == 1
    assert count(database, "incidents" if path == INCIDENTS else "systems") == 5
    assert count(database, "idempotency_answers") == 5
    assert not any("panic" in node.log for node in nodes)


HOLD_ANSWERS = """create function hold() returns trigger language plpgsql as
 $$ begin perform pg_advisory_xact_lock(hashtextextended('the answer', 0)); return new; end $$;
 create trigger hold before insert on idempotency_answers for each row execute function hold()"""


@contextlib.contextmanager
def stored_slowly(database):
    """While this lasts no answer can be stored. The value waits for a session that tries, and is its number."""
    with contextlib.closing(database.connect()) as session, session.cursor() as cursor:
        cursor.execute(HOLD_ANSWERS)
    with database.hold_key("the answer"):
        yield lambda: wait_for(lambda: database.rows(
            "select pid from pg_stat_activity where datname = current_database() and wait_event = 'advisory'"),
            "an answer is about to be stored")[0][0]


def test_who_comes_too_early(start, database):
    node = start()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        with stored_slowly(database) as wait_for_store:
            first = pool.submit(keyed, node.api, SYSTEMS, {"name": "once"}, "key")
            wait_for_store()
            second = keyed(node.api, SYSTEMS, {"name": "once"}, "key")
            assert second.status == 409 and "still running" in second.json["detail"]
            assert int(second.headers["retry-after"]) >= 1
        assert first.result(60).status == 201
    third = keyed(node.api, SYSTEMS, {"name": "once"}, "key")
    assert third.is_replay and third.body == first.result().body


def kill_while_storing(database, victim, path, body, key):
    """Sends a request to `victim`, and ends the node and its session at the moment between a change and its stored
    answer."""
    def send():
        with pytest.raises((OSError, http.client.HTTPException)):
            keyed(victim.api, path, body, key)

    with concurrent.futures.ThreadPoolExecutor(1) as pool, stored_slowly(database) as wait_for_store:
        sent = pool.submit(send)
        storing = wait_for_store()
        victim.kill()
        sent.result(60)
        database.rows("select pg_terminate_backend(%s, 60000)", (storing,))


@pytest.mark.parametrize("extra", [{}, {"dedupeOpenForSystem": True}], ids=["plain", "deduped"])
def test_killed_while_the_answer_is_stored(start, database, extra):
    """The change has gone with its answer, and the repeated request makes it once. Seen to fail (two incidents) with the answer stored after the commit."""
    victim, other = start(), start()
    key, body = "killed", incident("system", **extra)
    kill_while_storing(database, victim, INCIDENTS, body, key)
    wait_for(lambda: keyed(other.api, INCIDENTS, body, key).status == 201, "the repeated request is answered")
    assert count(database) == 1 and keyed(other.api, INCIDENTS, body, key).is_replay


@pytest.mark.parametrize("comes_back", [False, True], ids=["gone", "registered anew"])
def test_one_deletion_of_one_key(start, database, comes_back):
    """Two copies at once: the second finds no system, or one that was registered meanwhile (here by a trigger), and is
    told what the first one was: the key deletes once. Seen to fail with the answer stored after the commit: the second
    deleted the system that was registered anew."""
    node = start()
    assert node.api.post(SYSTEMS, {"id": "doomed", "name": "Doomed"}).status == 201
    if comes_back:
        with contextlib.closing(database.connect()) as session, session.cursor() as cursor:
            cursor.execute("create function anew() returns trigger language plpgsql as $$ begin"
                           " insert into systems (id, name) values (old.id, old.name); return old; end $$;"
                           " create trigger anew after delete on systems for each row execute function anew()")
    with database.hold_key("incident.dedupe-open-for-system:doomed") as let_go, \
            concurrent.futures.ThreadPoolExecutor(2) as pool:
        sent = []
        for copies in (1, 2):  # a second that comes while the first is looked at would be told to try again
            sent.append(pool.submit(keyed, node.api, DELETE_SYSTEM, {"id": "doomed"}, "delete"))
            wait_for(lambda: value(node, "tocsin_batcher_contended_items", batcher="delete") == copies, "they wait")
        let_go()
        replies = [future.result(60) for future in sent]
    assert [reply.status for reply in replies] == [204, 204]
    assert sorted(reply.is_replay for reply in replies) == [False, True]
    assert database.value("select count(*) from events where kind = 'catalog.system.deleted'") == 1
    assert count(database, "systems") == comes_back


def test_killed_while_the_answer_of_a_deletion_is_stored(start, database):
    """As above: the system is there still, and the repeated request deletes it. Seen to fail (404) with the answer stored
    after the commit."""
    victim, other = start(), start()
    assert other.api.post(SYSTEMS, {"id": "doomed", "name": "Doomed"}).status == 201
    kill_while_storing(database, victim, DELETE_SYSTEM, {"id": "doomed"}, "killed")
    reply = keyed(other.api, DELETE_SYSTEM, {"id": "doomed"}, "killed")
    assert reply.status == 204 and not reply.is_replay
    assert keyed(other.api, DELETE_SYSTEM, {"id": "doomed"}, "killed").is_replay
    assert database.value("select count(*) from events where kind = 'catalog.system.deleted'") == 1


@pytest.mark.parametrize("extra", [{}, {"dedupeOpenForSystem": True}], ids=["plain", "deduped"])
def test_kill_between(start, database, extra):
    """kill -9 under load; every request that got no answer is sent again to another node."""
    victim, other = start(), start()
    answers, lost, stop = {}, [], threading.Event()

    def load(worker):
        for number in range(100000):
            if stop.is_set():
                return
            key = f"{worker}-{number}"
            body = incident(f"system-{key}", **extra)
            try:
                reply = keyed(victim.api, INCIDENTS, body, key)
                assert reply.status == 201, reply
                answers[key] = (body, reply)
            except (OSError, http.client.HTTPException):
                lost.append((key, body))
                return

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        running = [pool.submit(load, worker) for worker in range(16)]
        wait_for(lambda: len(answers) > 200, "some requests are answered")
        victim.kill()
        stop.set()
        for future in running:
            future.result()
    for key, body in lost:
        # The database may take a moment to see that the connection is gone.
        def sent():
            reply = keyed(other.api, INCIDENTS, body, key)
            answers[key] = (body, reply)
            return reply.status == 201
        wait_for(sent, "the repeated request is answered")
    assert count(database) == len(answers)
    for key, (body, reply) in list(answers.items())[:50] + [(key, answers[key]) for key, _ in lost]:
        again = keyed(other.api, INCIDENTS, body, key)
        assert again.is_replay and again.body == reply.body


def test_old_answers_are_removed(start, database):
    node = start(TOCSIN_EVENT_RETENTION="10s")
    assert keyed(node.api, INCIDENTS, incident("old"), "old").status == 201
    database.rows("update idempotency_answers set stored_at = now() - interval '25 hours' returning 1")
    # Too old is as good as gone, though the row may still be there.
    assert keyed(node.api, INCIDENTS, incident("old", title="Other"), "old").status == 201
    database.rows("update idempotency_answers set stored_at = now() - interval '25 hours' returning 1")
    wait_for(lambda: count(database, "idempotency_answers") == 0, "old answers are removed")
