"""The audit trail, and what happens to old events."""
import pytest

from events import Stream
from metrics import value
from test_events import subjects, write_events
from waiting import wait_for


def audit(node, query=""):
    reply = node.api.get(f"/api/v1/audit{query}")
    assert reply.status == 200, reply
    return reply.json


def copied(database):
    """Waits until the reader has copied every event; how many entries there are then."""
    wait_for(lambda: database.value("select count(*) from audit_unread") == 0, "the reader has copied it all")
    return database.value("select count(*) from audit")


def test_who_changed_what(start, database):
    """At once, whether the reader has copied it yet or not."""
    node = start()
    one, other = node.api.create("one"), node.api.create("other")
    assert node.api.post(f"/api/v1/incidents/{one['id']}/resolve").status == 200
    entries = audit(node)["entries"][:3]  # the start made a key before
    assert [(entry["subject"], entry["kind"]) for entry in entries] == [
        (one["id"], "incident.resolved"), (other["id"], "incident.created"), (one["id"], "incident.created")]
    actor = entries[0]["actor"]
    assert actor.startswith("key:") and entries[0]["systemIds"] == ["one"]
    assert entries[0]["previous"]["status"] == "investigating" and entries[0]["next"]["status"] == "resolved"
    assert "previous" not in entries[1] and entries[0]["at"].endswith("Z")

    assert [entry["action"] for entry in audit(node, f"?subject={one['id']}")["entries"]] == ["resolved", "created"]
    assert len(audit(node, f"?actor={actor}")["entries"]) == 3
    assert len(audit(node, f"?actor={actor}&subject={other['id']}")["entries"]) == 1
    assert audit(node, "?actor=key:nobody")["entries"] == []

    copied(database)
    assert audit(node)["entries"][:3] == entries


def told_of(node, incident):
    """[(action, id of an update before, and after), ...] of an incident, oldest first; and the entries."""
    entries = audit(node, f"?subject={incident}")["entries"][::-1]
    return [(entry["action"], entry.get("previous", {}).get("updateId"), entry.get("next", {}).get("updateId"))
            for entry in entries], entries


def test_what_it_was_about(node):
    """Each change names the update it is about, and what is gone can still be called by its title; streams, which
    everybody hears, tell neither. Seen to fail without updateId in add_update.sql, or in resolve.sql, and without the
    title in delete.sql."""
    title = "Disk full on db-1"
    with Stream(node.anonymous) as stream:
        incident = node.api.create("told", title=title)["id"]
        path = f"/api/v1/incidents/{incident}"
        said = node.api.post(f"{path}/updates", {"message": "m"}).json["id"]
        assert node.api.call("PATCH", f"{path}/updates/{said}", {"message": "n"}).status == 200
        fixing = node.api.post(f"{path}/updates", {"message": "m", "statusChange": "fixing"}).json["id"]
        assert node.api.call("DELETE", f"{path}/updates/{said}").status == 204
        assert node.api.post(f"{path}/resolve").status == 200
        resolved = node.api.get(path).json["updates"][-1]["id"]
        assert node.api.call("DELETE", path).status == 204
        heard = stream.until(lambda event: event.name == "incident.deleted")
    told, entries = told_of(node, incident)
    assert told == [("created", None, None), ("commented", None, said), ("updated", said, said), ("updated", None, fixing),
                    ("updated", said, None), ("resolved", None, resolved), ("deleted", None, None)]
    assert entries[-1]["previous"]["title"] == title
    assert not any(text in str(heard) for text in (title, said, fixing, resolved))


def test_what_alerts_said(node):
    """So do the changes that alerts make. Seen to fail without updateId in acknowledge.sql, or in resolve_incidents.sql."""
    key = node.api.post("/api/v1/sources", {"name": "told"}).json["routingKey"]
    payload = {"summary": "Down", "source": "alerted", "severity": "critical"}
    for action in ("trigger", "acknowledge", "resolve"):
        reply = node.anonymous.post("/v2/enqueue", {"routing_key": key, "event_action": action, "dedup_key": "told",
                                                    "payload": payload})
        assert reply.status == 202, reply
    incident, = node.api.incidents("?systemId=alerted&includeResolved=true")["incidents"]
    _, taken_up, resolved = [update["id"] for update in node.api.get(f"/api/v1/incidents/{incident['id']}").json["updates"]]
    told, _ = told_of(node, incident["id"])
    assert told == [("created", None, None), ("commented", None, taken_up), ("resolved", None, resolved)]


def test_pages(start, database):
    """Every entry once, also while the copy lags behind: the reader's place is held back by hand."""
    node = start()
    write_events(database, 25)
    before = copied(database)
    expected = [subject for subject, in database.rows("select subject from audit order by sequence desc")]
    with database.hold_key("events.reader.audit"):
        expected = list(reversed(write_events(database, 10))) + expected
        got, cursor = [], ""
        while True:
            page = audit(node, f"?limit=4{cursor}")
            assert len(page["entries"]) <= 4
            got += [entry["subject"] for entry in page["entries"]]
            if "nextCursor" not in page:
                break
            cursor = f"&cursor={page['nextCursor']}"
        assert database.value("select count(*) from audit") == before
    assert got == expected
    assert node.api.get("/api/v1/audit?cursor=x").status == 400


def test_for_admins_only(start):
    node = start()
    assert node.anonymous.get("/api/v1/audit").status == 401
    reply = node.api.post("/api/v1/keys", {"name": "manager", "role": "manager"})
    assert reply.status == 201
    node.key = reply.json["key"]
    assert node.api.get("/api/v1/audit").status == 403


def test_old_events_go_when_every_reader_has_them(start, database):
    """A reader that lags holds them, however old they are; then they go, the audit trail stays, and who asks for
    what is gone is told so. Seen to fail with the readers' places taken out of remove_events.sql: the events go before
    the lag shows."""
    node = start(TOCSIN_EVENT_RETENTION="1s")
    other = start(TOCSIN_EVENT_RETENTION="1s")
    with Stream(node.anonymous) as stream:
        origin = stream.parser.last_id
    copied(database)
    wait_for(lambda: database.value("select count(*) from events") == 0, "what the start wrote is gone")
    before = copied(database)

    def wait_for_removed(count):
        """It is counted after the commit."""
        wait_for(lambda: sum(value(each, "tocsin_events_removed_total") for each in (node, other)) == count,
                 f"{count} removed events are counted")

    wait_for_removed(before)
    database.rows("insert into event_readers (name, transaction, position) select 'laggard', transaction, position"
                  " from event_horizon returning 1")
    old = write_events(database, 12000)
    wait_for(lambda: value(node, "tocsin_outbox_unread", reader="laggard") == 12000, "the lag shows")
    database.rows("update events set time = now() - interval '1 hour' returning 1")
    assert copied(database) == before + 12000
    runs = database.value("select clock_timestamp()")
    wait_for(lambda: database.value("select clock_timestamp() - %s > interval '3 s'", (runs,)), "some runs have passed")
    assert database.value("select count(*) from events") == 12000

    database.rows("update event_readers set (transaction, position) = (select transaction, sequence from events"
                  " order by transaction desc, sequence desc limit 1) where name = 'laggard' returning 1")
    wait_for(lambda: database.value("select count(*) from events") == 0, "they are gone")
    wait_for_removed(before + 12000)
    assert database.value("select count(*) from audit") == before + 12000
    assert audit(node, f"?subject={old[0]}")["entries"][0]["subject"] == old[0]

    node.stop()
    node.start()  # it has forgotten them, too
    with Stream(node.anonymous, last_id=origin) as stream:
        assert stream.next().name == "events.gap"
        made = node.api.create("after the gap")["id"]
        assert subjects([stream.next(), stream.next()]) == [made, made]


def test_old_entries_go(start, database):
    node = start(TOCSIN_AUDIT_RETENTION="1s")
    write_events(database, 10)
    copied(database)
    wait_for(lambda: audit(node)["entries"] == [], "they are gone")


@pytest.mark.parametrize("text", ["", "7", "0d", "-1d", "1w", "d", "1d2", "99999d"])
def test_a_bad_retention_is_named(text):
    from server import run
    done = run("serve", TOCSIN_EVENT_RETENTION=text, TOCSIN_LISTEN="127.0.0.1:0")
    assert done.returncode == 78 and "TOCSIN_EVENT_RETENTION" in done.stderr and "d, from 1s" in done.stderr
