"""Live streams of events: order, resume, other nodes, lost hints, many readers and slow ones."""
import asyncio
import contextlib
import os
import time
import uuid

import pytest

from events import Crowd, Stream
from metrics import value
from server import STOP_S
from waiting import wait_for

LIFECYCLE = "incident.lifecycle.changed"
LOOK_S = 1      # a node that hears nothing looks so often (TC_OUTBOX_LOOK_MS)
PACE_S = 0.02   # at least, between two hints of a node (TC_NOTIFY_PACE_MS)
COMMENT_S = 15  # a quiet stream gets a comment so often
# A stream's memory; the thread sanitizer keeps notes of each byte.
STREAM_KIB = 256 if os.environ.get("TOCSIN_SANITIZE") == "thread" else 64


@pytest.fixture(name="quiet", scope="module", autouse=True)
def fixture_quiet(node):
    """A stream on a node where nothing happens, opened before the first test: a comment takes its time."""
    with Stream(node.anonymous) as stream:
        yield stream


def write_events(database, count, size=0):
    """Events that nobody gave a hint of, in one transaction; their subjects in order."""
    [[first]] = database.rows("select coalesce(max(sequence), 0) from events")
    database.rows("insert into events (kind, subject, action, systems) select 'incident.lifecycle.changed',"
                  " gen_random_uuid(), 'updated', array[repeat('x', %s)] from generate_series(1, %s) returning 1",
                  (size, count))
    return [subject for subject, in database.rows("select subject from events where sequence > %s order by sequence",
                                                  (first,))]


def hint(database):
    """Tells every node to look for events now."""
    database.rows("select pg_notify('tocsin', 'events')")


def subjects(events):
    return [event.data["incidentId"] for event in events]


def test_what_a_stream_is_told(start):
    """Each change tells its kind, if it has one, and incident.lifecycle.changed. What people wrote is not in it:
    anonymous readers may not see internal comments."""
    node = start()
    with Stream(node.anonymous) as stream:
        made = node.api.create("told")
        path = f"/api/v1/incidents/{made['id']}"
        secret = "the password of the vault is swordfish"
        assert node.api.post(f"{path}/updates", {"message": secret, "visibility": "internal"}).status == 201
        assert node.api.post(f"{path}/resolve").status == 200
        assert node.api.post(f"{path}/updates", {"message": "again", "statusChange": "fixing"}).status == 201
        assert node.api.call("DELETE", path).status == 204
        told = stream.until(lambda event: event.data["action"] == "deleted" and event.name == LIFECYCLE)
        assert stream.parser.headers["content-type"] == "text/event-stream"
    assert [(event.name, event.data["action"]) for event in told] == [
        ("incident.created", "created"), (LIFECYCLE, "created"), (LIFECYCLE, "commented"),
        ("incident.resolved", "resolved"), (LIFECYCLE, "resolved"), ("incident.updated", "reopened"),
        (LIFECYCLE, "reopened"), ("incident.deleted", "deleted"), (LIFECYCLE, "deleted")]
    for event in told:
        assert event.data["incidentId"] == made["id"] and event.data["systemIds"] == ["told"]
        if event.name == LIFECYCLE:
            assert set(event.data) == {"incidentId", "systemIds", "action"}
    assert told[3].data["previous"]["status"] == "investigating" and told[3].data["next"]["status"] == "resolved"
    assert len({event.id for event in told}) == len(told)
    assert "swordfish" not in str(told)


def test_other_nodes_look_because_of_a_hint(start):
    """Written on one node, streamed on the other, which looks more often than its timer has it look, however long all
    this takes: the bench says how fast it is. Seen to fail when the node asked for no NOTIFY after its commits."""
    writer, reader = start(), start()
    begin = time.monotonic()
    before = value(reader, "tocsin_outbox_looks_total")
    with Stream(reader.anonymous) as stream:
        def has_looked_by_hints():
            made = writer.api.create("near")["id"]
            assert subjects([stream.next(), stream.next()]) == [made, made]
            looks = value(reader, "tocsin_outbox_looks_total") - before
            # A few more: while an event is held, a look by the timer has others follow soon.
            return looks > (time.monotonic() - begin) / LOOK_S + 10
        wait_for(has_looked_by_hints, "the reader looks more often than by its timer")


def test_hints_are_coalesced(start, database):
    """At a pace, however many commits there are, and none inside a transaction that writes: a NOTIFY there would make
    every commit of the database wait for it."""
    node = start()
    threads, each = 8, 100
    begin = time.monotonic()
    before = value(node, "tocsin_hints_sent_total")

    async def storm():
        from api import Storm, incident
        async with Storm([node.api] * threads) as connections:
            for round_ in range(each):
                replies = await connections.post("/api/v1/incidents", [incident(f"c{round_}-{i}") for i in
                                                                       range(threads)])
                assert all(reply.status == 201 for reply in replies)
    asyncio.run(storm())
    sent = value(node, "tocsin_hints_sent_total") - before
    assert 1 <= sent <= min(threads * each, (time.monotonic() - begin) / PACE_S + 1), sent
    assert database.value("select count(*) from pg_proc where prosrc ilike '%notify%' and pronamespace ="
                          " 'public'::regnamespace") == 0


def test_a_lost_hint_costs_a_look(start, database):
    """Written past Tocsin, so that nobody sends a hint. Without the timed look it would
    wait without end."""
    node = start()
    with Stream(node.anonymous) as stream:
        for _ in range(3):
            expected = write_events(database, 1)
            assert subjects([stream.next()]) == expected


def test_the_listener_may_die(start, database):
    """Events flow while the listener of the reading node is away, and are quick again when it is back."""
    writer, reader = start(), start()
    with Stream(reader.anonymous) as stream:
        database.rows("select pg_terminate_backend(pid) from pg_stat_activity"
                      " where application_name = 'tocsin listener' and datname = current_database()")
        for number in range(5):
            made = writer.api.create(f"deaf-{number}")
            assert made["id"] in subjects(stream.until(lambda event: event.name == LIFECYCLE))
        wait_for(lambda: value(reader, "tocsin_hints_connected") == 1, "hints are heard again")


def test_every_session_may_die(start, database):
    """All connections end while events are written: the stream stays, and nothing is lost or told twice."""
    node = start()
    with Stream(node.anonymous) as stream:
        expected = []
        for _ in range(3):
            expected += write_events(database, 50)
            database.terminate_backends()
        got = subjects(stream.until(lambda event: event.data["incidentId"] == expected[-1]))
    assert got == expected


def test_commits_out_of_order(start, database):
    """A transaction that wrote first commits last. Readers that go by sequence, or do not stay
    below pg_snapshot_xmin, lose its event."""
    node = start()
    early, late = str(uuid.uuid4()), str(uuid.uuid4())
    statement = "insert into events (kind, subject, action) values ('incident.lifecycle.changed', %s, 'updated')"
    with Stream(node.anonymous) as stream, contextlib.closing(database.connect()) as slow:
        slow.autocommit = False
        with slow.cursor() as cursor:
            cursor.execute(statement, (early,))
        database.rows(statement + " returning 1", (late,))
        # A change by Tocsin comes after both, and with it a hint: all three wait for the first.
        made = node.api.create("held")
        looks = value(node, "tocsin_outbox_looks_total")
        wait_for(lambda: value(node, "tocsin_outbox_looks_total") >= looks + 2, "the node has looked and has to wait")
        assert stream.seen == []
        slow.commit()
        told = stream.until(lambda event: event.data["incidentId"] == made["id"] and event.name == LIFECYCLE)
    assert list(dict.fromkeys(subjects(told))) == [early, late, made["id"]]


def test_changes_of_one_incident_in_their_order(start, database):
    """The later one has the older transaction, which began and then waited; a third one is between them and still runs, so
    that they come at different times. Seen to tell of the later one first, with the writer's own transaction as the event's."""
    node = start()
    made = node.api.create("contended")
    path = f"/api/v1/incidents/{made['id']}"
    with (Stream(node.anonymous) as stream, contextlib.closing(database.connect()) as older,
          contextlib.closing(database.connect()) as between):
        for connection in (older, between):
            connection.autocommit = False
            with connection.cursor() as cursor:
                cursor.execute("select pg_current_xact_id()")
        assert node.api.post(f"{path}/resolve", {}).status == 200
        with older.cursor() as cursor:
            cursor.execute("select from incidents where id = %s for update", (made["id"],))
            cursor.execute("update incidents set status = 'fixing', resolved_at = null where id = %s", (made["id"],))
            cursor.execute("insert into events (kind, subject, action) values ('incident.updated', %s, 'reopened')", (made["id"],))
        older.commit()
        hint(database)
        looks = value(node, "tocsin_outbox_looks_total")
        wait_for(lambda: value(node, "tocsin_outbox_looks_total") >= looks + 2, "the node has looked")
        between.commit()
        told = stream.until(lambda event: event.data.get("action") == "reopened" and event.name == LIFECYCLE)
    assert [event.data["action"] for event in told if event.name == LIFECYCLE][-2:] == ["resolved", "reopened"]


@pytest.mark.parametrize("query", [False, True], ids=["header", "query"])
def test_resume_across_a_restart(start, query):
    """The client goes on behind the last id it has, on another process, which never saw it."""
    node = start()
    with Stream(node.anonymous) as stream:
        node.api.create("before")
        last = stream.until(lambda event: event.name == LIFECYCLE)[-1].id
    missed = [node.api.create(f"missed-{number}")["id"] for number in range(10)]
    node.stop()
    node.start()
    resumed = Stream(node.anonymous, query=f"?lastEventId={last}") if query else Stream(node.anonymous, last_id=last)
    with resumed as stream:
        after = node.api.create("after")["id"]
        told = stream.until(lambda event: event.data["incidentId"] == after and event.name == LIFECYCLE)
    assert subjects(told) == [subject for subject in [*missed, after] for _ in range(2)]


def test_resume_between_the_parts_of_an_event(start):
    """One change, two things told: who left between them gets the second."""
    node = start()
    with Stream(node.anonymous) as stream:
        node.api.create("parts")
        first, second = stream.next(), stream.next()
    for _ in range(2):
        with Stream(node.anonymous, last_id=first.id) as stream:
            again = stream.next()
            assert (again.id, again.name, again.data) == (second.id, second.name, second.data)
        node.stop()  # once from memory, once as after a restart
        node.start()


def test_who_was_away_for_long_catches_up_from_the_database(start, database):
    """More events than a node remembers: pages from the database, then live, nothing lost or twice at the seam, while
    events keep coming. And an id without any event before it is good, too."""
    node = start()
    with Stream(node.anonymous) as stream:
        origin = stream.parser.last_id
    expected = write_events(database, 25000)
    node.stop()
    node.start()  # so that it remembers the end only
    with Stream(node.anonymous, last_id=origin) as stream:
        for _ in range(20):
            expected += write_events(database, 100)
        got = subjects(stream.until(lambda event: event.data["incidentId"] == expected[-1]))
        assert got == expected
        assert value(node, "tocsin_event_streams_resumed_total") == 1
        live = node.api.create("live")["id"]
        assert subjects([stream.next(), stream.next()]) == [live, live]


def test_who_was_away_catches_up_with_long_events(start, database):
    """Events of so many systems that a page of them is larger than a stream's queue, which is no fault of the reader.
    Seen to be cut off as often as it came back, without PUSH_MAX."""
    node = start()
    with Stream(node.anonymous) as stream:
        origin = stream.parser.last_id
    expected = write_events(database, 500, size=20000)
    node.stop()
    node.start()  # so that it remembers the end only
    with Stream(node.anonymous, last_id=origin) as stream:
        assert subjects(stream.until(lambda event: event.data["incidentId"] == expected[-1])) == expected
        live = node.api.create("live")["id"]
        assert subjects([stream.next(), stream.next()]) == [live, live]
    assert value(node, "tocsin_event_streams_cut_total") == 0


def test_an_id_of_a_node_that_is_ahead(start, database):
    """A client brings an id to a node that has not read so far yet: it is told nothing twice."""
    node = start()
    [[transaction, sequence]] = database.rows(
        "insert into events (kind, subject, action) values ('incident.lifecycle.changed', 'ahead', 'updated')"
        " returning transaction::text, sequence")
    with Stream(node.anonymous, last_id=f"{transaction}.{sequence}") as stream:
        [expected] = write_events(database, 1)
        assert stream.next().data["incidentId"] == expected


def test_ids_that_are_none(start):
    node = start()
    for text in ("x", "1", "1.", "1.2.3", "-1.2", "1.2 ", "9" * 60):
        reply = node.anonymous.call("GET", "/api/v1/events", headers={"Last-Event-ID": text})
        assert reply.status == 400 and reply.type == "application/problem+json", (text, reply)
    assert node.anonymous.get("/api/v1/events?lastEventId=").status == 400


def test_an_id_of_another_database(start):
    """It is of the future here: the client is told that what it knows may be wrong, and is live."""
    node = start()
    with Stream(node.anonymous, last_id="99999999999.1") as stream:
        assert stream.next().name == "events.gap"
        node.api.create("here")
        assert stream.next().name == "incident.created"


def test_a_slow_reader_is_disconnected_and_comes_back(start, database):
    """It is cut off when its queue is full; one that reads gets everything; and the slow one resumes without a
    gap. Without the bound of the queue the server would hold all that was written."""
    node = start()
    with Stream(node.anonymous) as good:
        slow = Stream(node.anonymous, receive_buffer=4096)  # opened, and not read
        wait_for(lambda: value(node, "tocsin_event_streams") == 2, "both streams are open")
        expected = []
        for _ in range(40):
            expected += write_events(database, 2000, size=200)
            hint(database)
            wait_for(lambda: len(good.seen) == len(expected), "the good reader has read it all")
            if value(node, "tocsin_event_streams_cut_total"):
                break
        wait_for(lambda: value(node, "tocsin_event_streams_cut_total") == 1, "the slow reader is disconnected")
        wait_for(lambda: value(node, "tocsin_event_streams") == 1, "its stream is closed")
        assert subjects(good.seen) == expected
        slow.thread.start()
        assert slow.closed.wait(60)
        got = subjects(slow.seen)
        assert 0 < len(got) < len(expected) and got == expected[:len(got)]
        slow.close()
        with Stream(node.anonymous, last_id=slow.parser.last_id) as back:
            got += subjects(back.until(lambda event: event.data["incidentId"] == expected[-1]))
        assert got == expected


def memory_kib(node):
    with open(f"/proc/{node.process.pid}/status", encoding="ascii") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


@pytest.mark.parametrize("count", [1000, 5000])
def test_many_streams(start, count):
    """Each of them gets every event, in bounded memory; requests are answered meanwhile; and the node stops with all of
    them open, each told the end in good order. (How fast that is, the bench says.)"""
    node = start(TOCSIN_EVENT_STREAMS_PER_CALLER=count)
    before = memory_kib(node)

    async def session():
        begin = time.monotonic()
        async with Crowd(node.anonymous, count) as crowd:
            opened = time.monotonic()
            assert value(node, "tocsin_event_streams") == count
            for number in range(5):
                made = await asyncio.to_thread(node.api.create, f"many-{number}")
                for told in await crowd.gather(2):
                    assert subjects(told) == [made["id"]] * 2
            done = time.monotonic()
            each = (memory_kib(node) - before) / count
            print(f"{count} streams: opened in {opened - begin:.2f} s, 5 events in {done - opened:.2f} s,"
                  f" {each:.1f} KiB each")
            assert each < STREAM_KIB
            node.process.terminate()
            assert await asyncio.to_thread(node.process.wait, STOP_S) == 0
            for reader, _, parser in crowd.members:
                parser.feed(await reader.read())
                assert parser.ended
    asyncio.run(session())


def test_readers_that_leave_are_noticed(start):
    """No event and no comment is needed for it: it is known before a comment can be due. Seen to fail with a watcher
    that waits for no EPOLLRDHUP."""
    node = start()

    def have_left_before_a_comment():
        begin = time.monotonic()
        streams = [Stream(node.anonymous).start() for _ in range(50)]
        assert value(node, "tocsin_event_streams") == 50
        for stream in streams:
            stream.close()
        wait_for(lambda: value(node, "tocsin_event_streams") == 0, "all have left")
        return time.monotonic() - begin < COMMENT_S
    wait_for(have_left_before_a_comment, "all have left before a comment")  # a machine that is too busy may try again
    wait_for(lambda: value(node, "tocsin_http_connections") <= 1, "their connections are closed")


def test_restored_from_a_dump(start, database):
    """Positions of another cluster, which counted its transactions further: new events must be told although their
    transactions have lower numbers, and no reader may lose what it had not read. Seen to tell nothing without
    the adoption."""
    node = start()
    ours = node.api.create("dumped")["id"]
    wait_for(lambda: database.value("select count(*) from audit_unread") == 0, "the audit trail has it")
    before = database.value("select count(*) from audit")
    node.stop()
    unread = write_events(database, 3)
    database.rows("update events set transaction = (transaction::text::bigint + 1000000)::text::xid8 returning 1")
    database.rows("update event_readers set transaction = (transaction::text::bigint + 1000000)::text::xid8 returning 1")
    node.start()
    with Stream(node.anonymous) as stream:
        new = node.api.create("restored")["id"]
        assert subjects([stream.next(), stream.next()]) == [new, new]

    def entries():
        return [entry["subject"] for entry in node.api.get("/api/v1/audit").json["entries"]]
    assert entries()[:5] == [new, *reversed(unread), ours]
    wait_for(lambda: database.value("select count(*) from audit_unread") == 0, "the audit trail has all of it")
    assert database.value("select count(*) from audit") == before + 4


def test_comments_keep_it_open(quiet):
    """A comment line every 15 s, and no event in it."""
    wait_for(lambda: quiet.parser.comments >= 1, "a comment")
    assert quiet.seen == [] and not quiet.closed.is_set()
