"""PagerDuty's Events API: its answers, and what becomes of an event.

Seen to fail: acknowledgements told once an alert instead of once an incident, or kept over the next firing, or counted
twice; sources sharing a name space of dedup keys; resolved in Alertmanager's name; TC_FOREIGN not heeded;
503 instead of 429."""
import asyncio
import contextlib
import json
import urllib.parse

import psycopg2
import pytest

from api import JSON, PROBLEM, Storm, incident
from metrics import value
from pagerduty import ENQUEUE, Sender, accepted, make_source, refused
from test_openapi import check, describe, operations
from waiting import wait_for


@pytest.fixture(name="source", scope="module")
def fixture_source(node):
    return make_source(node.api, "A tool")


@pytest.fixture(name="sender")
def fixture_sender(node, source):
    return Sender(node, source["routingKey"])


def incidents_of(api, system):
    return api.incidents(f"?includeResolved=true&systemId={urllib.parse.quote(system)}")["incidents"]


# ---- events ----

def test_life_of_an_alert(node, module_database, source, sender):
    """Trigger, again, acknowledge, again, resolve, again."""
    assert accepted(sender.send("trigger", "life", component="pd-life"), "life")
    made, = incidents_of(node.api, "pd-life")
    assert (made["title"], made["severity"], made["status"]) == ("Disk full", "critical", "investigating")
    assert accepted(sender.send("trigger", "life", component="pd-life"), "life")
    assert module_database.rows("select count, state::text from alerts where dedup_key = 'life'") == [(2, "firing")]

    counted = value(node, "tocsin_alerts_total", outcome="acknowledged")
    for _ in range(2):  # the second says nothing new
        assert accepted(sender.send("acknowledge", "life"), "life")
    assert value(node, "tocsin_alerts_total", outcome="acknowledged") == counted + 1
    shown = node.anonymous.get(f"/api/v1/incidents/{made['id']}").json
    assert shown["status"] == "investigating"
    assert [update["message"].split(":")[0] for update in shown["updates"]] == ["Opened by a PagerDuty event.",
                                                                               "Acknowledged"]
    assert {(update["createdBy"], update["createdByName"]) for update in shown["updates"]} == {
        (f"source:{source['id']}", "A tool")}

    for _ in range(2):
        assert accepted(sender.send("resolve", "life"), "life")
    shown = node.api.get(f"/api/v1/incidents/{made['id']}").json
    assert shown["status"] == "resolved" and len(shown["updates"]) == 3
    assert shown["updates"][2]["createdByName"] == "A tool"
    assert module_database.rows(
        "select kind, action, actor from events where subject = %s order by transaction, sequence", (made["id"],)) == [
            (kind, action, f"source:{source['id']}") for kind, action in (
                ("incident.created", "created"), ("incident.lifecycle.changed", "commented"),
                ("incident.resolved", "resolved"))]

    # It fires again: another incident, which nobody has acknowledged.
    assert accepted(sender.send("trigger", "life", component="pd-life"), "life")
    assert accepted(sender.send("acknowledge", "life"), "life")
    assert [len(node.api.get(f"/api/v1/incidents/{found['id']}").json["updates"])
            for found in incidents_of(node.api, "pd-life")] == [2, 3]
    assert [found["status"] for found in incidents_of(node.api, "pd-life")] == ["investigating", "resolved"]


def test_alerts_of_one_system_share_an_incident(node, sender):
    """Also with what people open; acknowledged once, resolved with the last."""
    for key in ("one", "two"):
        assert accepted(sender.send("trigger", key, custom_details={"system": "pd-shared"}, component="other"), key)
    assert accepted(sender.send("acknowledge", "two"), "two") and accepted(sender.send("acknowledge", "one"), "one")
    made, = incidents_of(node.api, "pd-shared")
    assert node.api.create_once("pd-shared").json["incident"]["id"] == made["id"]
    assert len(node.api.get(f"/api/v1/incidents/{made['id']}").json["updates"]) == 2
    assert accepted(sender.send("resolve", "one"), "one")
    assert incidents_of(node.api, "pd-shared")[0]["status"] == "investigating"
    assert accepted(sender.send("resolve", "two"), "two")
    assert incidents_of(node.api, "pd-shared")[0]["status"] == "resolved"


def test_a_dedup_key_is_made(node, sender):
    first, second = (sender.send("trigger", component="pd-made") for _ in range(2))
    assert first.status == second.status == 202
    keys = first.json["dedup_key"], second.json["dedup_key"]
    assert keys[0] != keys[1] and all(keys)
    for key in keys:
        assert accepted(sender.send("resolve", key), key)
    assert [found["status"] for found in incidents_of(node.api, "pd-made")] == ["resolved"]


def test_what_nobody_triggered_is_dropped(module_database, sender):
    before = module_database.value("select count(*) from alerts"), module_database.value("select count(*) from events")
    for action in ("acknowledge", "resolve"):
        assert accepted(sender.send(action, "never heard of"), "never heard of")
    assert (module_database.value("select count(*) from alerts"),
            module_database.value("select count(*) from events")) == before


def test_the_person_who_resolved_it_wins(node, sender):
    """An acknowledge of an alert whose incident is resolved is dropped; the next trigger opens another."""
    assert accepted(sender.send("trigger", "person", component="pd-person"), "person")
    made, = incidents_of(node.api, "pd-person")
    assert node.api.post(f"/api/v1/incidents/{made['id']}/resolve").status == 200
    assert accepted(sender.send("acknowledge", "person"), "person")
    assert len(node.api.get(f"/api/v1/incidents/{made['id']}").json["updates"]) == 2
    assert accepted(sender.send("trigger", "person", component="pd-person"), "person")
    assert [found["status"] for found in incidents_of(node.api, "pd-person")] == ["investigating", "resolved"]


def test_sources_do_not_share_dedup_keys(node, sender):
    other = Sender(node, make_source(node.api, "Another tool")["routingKey"])
    for who, system in ((sender, "pd-mine"), (other, "pd-theirs")):
        assert accepted(who.send("trigger", "same", component=system), "same")
    assert accepted(other.send("resolve", "same"), "same")
    assert [incidents_of(node.api, system)[0]["status"] for system in ("pd-mine", "pd-theirs")] == [
        "investigating", "resolved"]


@pytest.mark.parametrize("severity, expected", [("critical", "critical"), ("error", "major"), ("warning", "major"),
                                                ("info", "minor")])
def test_severities(node, sender, severity, expected):
    assert accepted(sender.send("trigger", severity, severity=severity, component=f"pd-{severity}"), severity)
    assert incidents_of(node.api, f"pd-{severity}")[0]["severity"] == expected


def test_a_storm_from_both_sides(start, database):
    """Two nodes; 120 events and 40 deduped creates at once about 8 systems: one open incident each. Then all resolve at
    once, on both nodes: none stays open but those that people opened."""
    nodes = [start(), start()]
    keys = [make_source(nodes[0].api, f"Storm {i}")["routingKey"] for i in range(3)]

    def body(action, i):
        return {"routing_key": keys[i % 3], "event_action": action, "dedup_key": f"{i}",
                "payload": {"summary": f"{i}", "source": f"storm-{i % 8}", "severity": "error"}}

    async def run_all():
        async with Storm([nodes[i % 2].api for i in range(120)]) as events, \
                Storm([nodes[i % 2].api for i in range(40)]) as creates:
            fired, made = await asyncio.gather(
                events.post(ENQUEUE, [body("trigger", i) for i in range(120)]),
                creates.post("/api/v1/incidents", [incident(f"storm-{i % 8}", dedupeOpenForSystem=True)
                                                   for i in range(40)]))
            opened = database.open_incidents()
            acknowledged = await events.post(ENQUEUE, [body("acknowledge", i) for i in range(120)])
            resolved = await events.post(ENQUEUE, [body("resolve", i) for i in range(120)])
        return fired + acknowledged + resolved, made, opened

    replies, made, opened = asyncio.run(run_all())
    assert {reply.status for reply in replies} == {202} and {reply.status for reply in made} <= {200, 201}
    assert {system: len(found) for system, found in opened.items()} == {f"storm-{i}": 1 for i in range(8)}
    by_people = database.value("select count(*) from incidents where id not in (select incident_id from alert_incidents)")
    assert len(database.open_incidents()) == by_people and database.value("select count(*) from incidents") == 8
    assert database.value("select count(*) from alerts where state = 'resolved' and count = 1") == 120
    assert database.value("select count(*) from events where kind = 'incident.lifecycle.changed'") == 8
    assert database.value("select count(*) from events where kind = 'incident.resolved'") == 8 - by_people


# ---- refusals ----

PAYLOAD = {"summary": "x", "source": "x", "severity": "info"}


def test_what_changes_nothing_drops_nothing(node, sender):
    """Whoever can reach the server can send bad events: they cannot empty the cache. Seen to fail at each of them while
    such calls did not say that nothing is changed: the read after it was loaded anew, however often."""
    hits, path = "tocsin_cache_hits_total", f"/api/v1/incidents/{node.api.create('pd-kept')['id']}"
    alertmanager, old = "/api/v1/alerts/alertmanager", {"status": "resolved", "labels": {"system": "pd-kept"}}

    def is_read_from_cache():
        before = value(node, hits)
        assert node.api.get(path).status == 200
        return value(node, hits) == before + 1

    def is_kept(request, status):
        assert node.api.get(path).status == 200 and request().status == status
        return is_read_from_cache()

    for action in ("trigger", "resolve"):
        assert accepted(sender.send(action, "kept", component="pd-kept-alert"), "kept")
    for request, status in (
            (lambda: node.anonymous.call("POST", ENQUEUE, b"nonsense"), 400),
            (lambda: node.anonymous.call("POST", ENQUEUE, json.dumps({"a": "x" * 524288}).encode()), 413),
            (lambda: node.anonymous.post(ENQUEUE, {"routing_key": "0" * 32}), 400),
            (lambda: Sender(node, "0" * 32).send("trigger", "kept", component="pd-kept"), 400),
            (lambda: sender.send("resolve", "never heard of"), 202), (lambda: sender.send("resolve", "kept"), 202),
            (lambda: sender.send("acknowledge", "kept"), 202),
            (lambda: node.api.post(alertmanager, {"version": "4", "alerts": 1}), 400),
            (lambda: node.api.post(alertmanager, {"version": "4", "alerts": [old]}), 200)):
        # Again where the answer became too old meanwhile, or an earlier event was heard of only now.
        wait_for(lambda ask=(request, status): is_kept(*ask), "the cache keeps its answer")
    assert accepted(sender.send("trigger", "kept", component="pd-kept-alert"), "kept") and not is_read_from_cache()


def test_resolved_alerts_go(start, database):
    """Some time after they resolved; one that fires stays, and one that fires again is a new one. Seen to fail without the
    rule in app/server_events.c."""
    node = start(TOCSIN_ALERT_RETENTION="1s")
    sender = Sender(node, make_source(node.api, "Ends")["routingKey"])
    for key in ("stays", "goes"):
        assert accepted(sender.send("trigger", key, component=key), key)
    assert accepted(sender.send("resolve", "goes"), "goes")
    wait_for(lambda: database.rows("select dedup_key, state::text from alerts") == [("stays", "firing")],
             "the resolved one is gone")
    assert accepted(sender.send("trigger", "goes", component="goes"), "goes")
    assert database.value("select count from alerts where dedup_key = 'goes'") == 1
    assert [found["status"] for found in incidents_of(node.api, "goes")] == ["investigating", "resolved"]


def test_an_alert_goes_with_its_incident(node, module_database, sender):
    """What it reports after that is new. Seen to fail when the row stayed: it kept counting."""
    for _ in range(2):
        assert accepted(sender.send("trigger", "deleted", component="pd-deleted"), "deleted")
    first, = incidents_of(node.api, "pd-deleted")
    assert node.api.call("DELETE", f"/api/v1/incidents/{first['id']}").status == 204
    assert accepted(sender.send("resolve", "deleted"), "deleted") and not incidents_of(node.api, "pd-deleted")
    assert accepted(sender.send("trigger", "deleted", component="pd-deleted"), "deleted")
    second, = incidents_of(node.api, "pd-deleted")
    assert second["id"] != first["id"] and second["status"] == "investigating"
    assert module_database.value("select count from alerts where dedup_key = 'deleted'") == 1


@pytest.mark.parametrize("changes, words", [
    ({"routing_key": None}, "routing_key"), ({"routing_key": "short"}, "32 characters"), ({"routing_key": "0" * 32}, "no source"),
    ({"routing_key": 7}, "routing_key"), ({"routing_key": "\U0001f525" * 8}, "no source"),
    ({"event_action": None}, "event_action"), ({"event_action": "raise"}, "acknowledge"),
    ({"event_action": "acknowledge", "dedup_key": None}, "dedup_key"), ({"event_action": "resolve", "dedup_key": ""}, "dedup_key"),
    ({"dedup_key": "x" * 256}, "255"), ({"dedup_key": 1}, "dedup_key"), ({"payload": None}, "payload"), ({"payload": []}, "payload"),
    ({"payload": {**PAYLOAD, "summary": "x" * 1025}}, "1024"), ({"payload": {**PAYLOAD, "summary": ""}}, "payload.summary"),
    ({"payload": {**PAYLOAD, "source": None}}, "payload.source"), ({"payload": {**PAYLOAD, "severity": "fatal"}}, "critical"),
    ({"payload": {**PAYLOAD, "severity": None}}, "payload.severity"),
    # Seen to fail while only what is empty was refused: they were taken in, the source as a system without a name to see.
    ({"payload": {**PAYLOAD, "source": " "}}, "'payload.source' is missing or blank"),
    ({"payload": {**PAYLOAD, "summary": " \t\u3000"}}, "'payload.summary' is missing or blank"),
    ({"dedup_key": "   "}, "'dedup_key' must not be blank"),
    ({"event_action": "resolve", "dedup_key": "   "}, "'dedup_key' is missing or blank"),
])
def test_bad_events(node, source, changes, words):
    event = {"routing_key": source["routingKey"], "event_action": "trigger", "dedup_key": "bad", "payload": PAYLOAD}
    event = {name: value for name, value in {**event, **changes}.items() if value is not None}
    assert refused(node.anonymous.post(ENQUEUE, event), 400, words)


def test_a_nul_cuts_nothing(node, module_database, sender):
    """An event with a NUL is no event about what is before it. Seen to fail while texts were cut there: the first
    resolved the alert "aa", "info\\0x" counted as info, and what is only kept was refused without the field's name."""
    assert accepted(sender.send("trigger", "aa", component="pd-nul"), "aa")
    good = {"routing_key": sender.key, "event_action": "trigger", "dedup_key": "aa", "payload": PAYLOAD}
    for name, changes in (
            ("dedup_key", {"event_action": "resolve", "dedup_key": "aa\0zz"}), ("dedup_key", {"dedup_key": "\0"}),
            ("event_action", {"event_action": "resolve\0x"}), ("routing_key", {"routing_key": f"{sender.key}\0"}),
            ("client", {"client": "a\0b"}), ("images", {"images": [{"alt": "a\0b"}]}),
            *((f"payload.{name}", {"payload": {**PAYLOAD, name: value}}) for name, value in (
                ("severity", "info\0x"), ("source", "x\0y"), ("summary", "x\0y"), ("component", "pd-nul\0x"),
                ("class", "x\0y"), ("custom_details", {"system": "pd-nul\0x"})))):
        assert refused(node.anonymous.post(ENQUEUE, {**good, **changes}), 400, f"'{name}' must not contain NUL")
    assert module_database.rows("select count, state::text from alerts where dedup_key like 'aa%'") == [(1, "firing")]
    assert [found["status"] for found in incidents_of(node.api, "pd-nul")] == ["investigating"]
    assert accepted(node.anonymous.post(ENQUEUE, {**good, "event_action": "resolve", "client": "\0"}), "aa")


@pytest.mark.parametrize("body, status", [
    (b"", 400), (b"[]", 400), (b"nonsense", 400), (b'{"a":"\xff"}', 400), (b'{"routing_key":"\\u0000"}', 400),
    (b"[" * 100000, 400), (b'{"a":' * 70 + b"1" + b"}" * 70, 400), (b'{"a":1,"a":1}', 400),
    (json.dumps({"a": "x" * 524288}).encode(), 413)])
def test_bad_bodies(node, body, status):
    """No problem documents here: clients of that API read its own form."""
    assert refused(node.anonymous.call("POST", ENQUEUE, body), status, "")


def test_bounds_that_are_kept(node, sender):
    """Everything as long as it may be: a body of 512 KiB, the longest key, summary and system."""
    key, system = "\U0001f511" * 255, "\U0001f525" * 255
    event = {"routing_key": sender.key, "event_action": "trigger", "dedup_key": key,
             "payload": {"summary": "s" * 1024, "source": "x", "severity": "info", "component": system,
                         "custom_details": {"filler": ""}}}
    event["payload"]["custom_details"]["filler"] = "x" * (524288 - len(json.dumps(event).encode()))
    body = json.dumps(event).encode()
    assert len(body) == 524288
    assert accepted(node.anonymous.call("POST", ENQUEUE, body), key)
    assert incidents_of(node.api, system)[0]["title"] == "s" * 500
    assert accepted(sender.send("resolve", key), key)
    assert incidents_of(node.api, system)[0]["status"] == "resolved"


def test_other_credentials_and_types_do_not_matter(node, sender):
    """Clients send what they like: a token of PagerDuty's REST API, a type with a parameter, or none."""
    body = json.dumps({"routing_key": sender.key, "event_action": "resolve", "dedup_key": "x"}).encode()
    for headers in ({"Authorization": "Token token=abc"}, {"Content-Type": "text/plain"}, {"Content-Type": None},
                    {"Content-Type": "application/json; charset=utf-8", "Authorization": "Bearer nonsense"}):
        assert accepted(node.anonymous.call("POST", ENQUEUE, body, headers), "x")
    assert node.anonymous.get(ENQUEUE).status == 405


def test_large_numbers_are_kept(module_database, sender):
    """The largest double there is, in details that nobody reads but people."""
    assert accepted(sender.send("trigger", "huge", custom_details={"n": 1e308}), "huge")
    assert module_database.value("select (annotations->'custom_details'->>'n')::float8 from alerts"
                                 " where dedup_key = 'huge'") == 1e308


def test_unknown_systems_can_be_refused(start):
    strict = start(TOCSIN_UNKNOWN_SYSTEMS="reject")
    sender = Sender(strict, make_source(strict.api, "Strict")["routingKey"])
    assert refused(sender.send("trigger", "k", component="nobody-knows"), 400, "nobody-knows")
    assert strict.api.post("/api/v1/systems", {"id": "nobody-knows", "name": "Known"}).status == 201
    assert accepted(sender.send("trigger", "k", component="nobody-knows"), "k")


def test_overload_is_429(start, database):
    """A system whose key nobody lets go, and a lock timeout of a second: the event did not come in, and its client, which
    retries 429, may send it again."""
    node = start(DATABASE_LOCK_TIMEOUT_MS=1000)
    sender = Sender(node, make_source(node.api, "Busy")["routingKey"])
    with database.hold_key("incident.dedupe-open-for-system:held"):
        reply = sender.send("trigger", "k", component="held")
        assert reply.status == 429 and reply.type == JSON and "retry-after" in reply.headers, reply
        assert reply.json["status"] == "throttle exceeded" and reply.json["errors"]
    assert accepted(sender.send("trigger", "k", component="held"), "k")
    assert len(database.open_incidents()["held"]) == 1


def test_answers_are_as_described(start, database):
    """All that it can answer is in the API's description, in the form it has there, and nothing else is. A problem document
    is for what never reaches it. Seen to fail with a status left out of the row's `refuses`, with one more there, and
    with a member left out of the schema."""
    node = start(DATABASE_LOCK_TIMEOUT_MS=1000)
    document, answers = describe(node), {}
    described = operations(document)["ingestPagerDuty"][2]["responses"]
    sender = Sender(node, make_source(node.api, "Described")["routingKey"])

    def keep(reply):
        return answers.setdefault(reply.status, reply)

    def is_answered(status):
        return keep(sender.send("trigger", "k", component="pd-described")).status == status

    assert is_answered(202)
    keep(sender.send("raise"))
    keep(node.anonymous.call("POST", ENQUEUE, json.dumps({"a": "x" * 524288}).encode()))
    with database.hold_key("incident.dedupe-open-for-system:pd-described"):
        assert is_answered(429)
    database.rows("alter table alert_sources rename to gone; select 1")
    assert is_answered(500)
    database.rows("alter table gone rename to alert_sources; select 1")
    database.allow_connections(False)
    try:
        database.terminate_backends()
        wait_for(lambda: is_answered(503), "the loss is noticed")
    finally:
        database.allow_connections(True)
    assert {*map(str, answers), "default"} == set(described)
    for status, reply in answers.items():
        contents = described[str(status)]["content"]
        check(document, contents[reply.type]["schema"], reply.json, status)
        assert reply.type == JSON and (PROBLEM in contents) == (status != 202)
    assert node.anonymous.get(ENQUEUE).type == PROBLEM and described["default"]["$ref"].endswith("/Problem")


def test_without_a_database(start, database):
    """503, which says to come back; in that API's form."""
    node = start(DATABASE_POOL_CONNECTION_TIMEOUT_MS=2000)
    sender = Sender(node, make_source(node.api, "Alone")["routingKey"])
    database.close()
    with contextlib.closing(psycopg2.connect(database.cluster.url("postgres"))) as other:
        other.autocommit = True
        with other.cursor() as cursor:
            cursor.execute(f'alter database "{database.name}" allow_connections false')
            cursor.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", (database.name,))
            reply = wait_for(lambda: (r := sender.send("resolve", "k")).status != 202 and r, "the loss is noticed")
            assert reply.status in (429, 503) and reply.type == JSON and reply.json["errors"], reply
            cursor.execute(f'alter database "{database.name}" allow_connections true')
    wait_for(lambda: sender.send("resolve", "k").status == 202, "it is back")
