"""Nodes that did not read events: those that were gone before, and those that no stream wanted."""
import pathlib
import signal
import subprocess
import threading

import pytest
from cluster import Cluster
from events import Stream
from metrics import value
from server import Server
from test_events import write_events
from waiting import wait_for

LIFECYCLE = "incident.lifecycle.changed"
REMOVE = pathlib.Path(__file__).parents[2] / "src/core/outbox/sql/remove_events.sql"


def forget_events(database):
    """What retention does, whatever the age of the events and whoever has not read them."""
    database.rows(
        "with gone as (delete from events returning transaction, sequence) update event_horizon"
        " set (transaction, position) = (select transaction, sequence from gone order by transaction desc,"
        " sequence desc limit 1) returning 1")


def end_looks(database):
    """The sessions in which nodes read events end; and with them a look that is under way."""
    [[count]] = database.rows("select count(pg_terminate_backend(pid)) from pg_stat_activity"
                              " where application_name = 'tocsin-events' and datname = current_database()")
    assert count > 0
    return count


def test_a_node_that_was_stopped_for_too_long(start, database):
    """It is told to nobody that events are gone but by their absence: so its streams get events.gap, and what it had
    cached is not used. Seen to be told nothing without the check of the position in tc_events_look, and to answer the
    old title when the cache did not hear of gaps."""
    writer, sleeper = start(), start()
    with Stream(sleeper.anonymous) as stream:
        made = writer.api.create("slept")
        path = f"/api/v1/incidents/{made['id']}"
        stream.until(lambda event: event.name == LIFECYCLE)
        wait_for(lambda: (sleeper.api.get(path), value(sleeper, "tocsin_cache_hits_total") > 0)[1], "it is cached")
        sleeper.process.send_signal(signal.SIGSTOP)
        try:
            end_looks(database)
            assert writer.api.call("PATCH", path, {"title": "New"}).status == 200
            forget_events(database)
        finally:
            sleeper.process.send_signal(signal.SIGCONT)
        gap = stream.next()
        assert (gap.name, gap.data) == ("events.gap", {})
        assert sleeper.api.get(path).json["title"] == "New"
        assert value(sleeper, "tocsin_outbox_gaps_total") == 1
        # The stream goes on, and the id that came with the gap is one to come back with.
        with Stream(sleeper.anonymous, last_id=gap.id) as back:
            assert writer.api.post(f"{path}/resolve", {}).status == 200
            for reader in (stream, back):
                assert [reader.next().name, reader.next().name] == ["incident.resolved", LIFECYCLE]


class Lossy:
    """A node on a database that loses what a stream of the node has been told: as after a failover to a standby that was
    behind, transactions are counted from an earlier one on."""

    def __init__(self, cluster, database, node):
        self.cluster, self.database, self.node, self.stream = cluster, database, node, None
        self.behind = cluster.folder / "behind"

    def keep(self):
        """What the database will be again."""
        self.cluster.stop()
        subprocess.run(["cp", "-a", self.cluster.data, self.behind], check=True)
        self.cluster.start()
        wait_for(self.node.is_ready, "the node serves again")

    def tell(self):
        """Creates incidents; the last one's id, and its last event."""
        made = [self.node.api.create(f"lost-{number}")["id"] for number in range(50)]
        told = self.stream.until(lambda event: event.data["incidentId"] == made[-1] and event.name == LIFECYCLE)
        return made[-1], told[-1]

    def lose(self):
        # A fast shutdown waits for who was connecting when the node was stopped, and says nothing now.
        self.cluster.stop(signal.SIGQUIT)
        subprocess.run(["rm", "-r", self.cluster.data], check=True)
        self.behind.rename(self.cluster.data)
        self.cluster.start()

    def hear_gap(self):
        assert self.stream.next().name == "events.gap"
        wait_for(self.node.is_ready, "the node serves again")

    def go_on(self):
        """The stream is told of what comes, although it has lower numbers than what was told."""
        kept = self.node.api.create("kept")["id"]
        assert [self.stream.next().data["incidentId"] for _ in range(2)] == [kept, kept]


@pytest.fixture(name="lossy")
def fixture_lossy():
    with Cluster(settings={"fsync": "off"}) as cluster, cluster.database("lossy") as database:
        with Server(database_url=database.url) as node:
            lossy = Lossy(cluster, database, node.start())
            lossy.keep()
            with Stream(node.anonymous) as lossy.stream:
                yield lossy


def test_a_database_that_lost_what_it_had(lossy):
    """Seen to be told nothing when a position was known unless something after it was removed."""
    gone, _ = lossy.tell()
    lossy.lose()
    lossy.hear_gap()
    lossy.go_on()
    assert lossy.node.api.get(f"/api/v1/incidents/{gone}").status == 404


GO_ON = "do $$ begin for i in 1..1000 loop perform pg_current_xact_id(); commit; end loop; end $$"


def test_a_database_that_lost_what_it_had_and_went_on(lossy):
    """Others wrote so much before the node looked that its place is no longer of the future: what they wrote first has lower
    numbers. Seen to be told nothing while a place was known unless something after it was removed, or it was of the
    future; and a client to go on from a place that was lost, when the node has more than that in memory."""
    _, lost = lossy.tell()
    lossy.node.process.send_signal(signal.SIGSTOP)
    try:
        lossy.lose()
        write_events(lossy.database, 1)
        lossy.cluster.execute(GO_ON)
    finally:
        lossy.node.process.send_signal(signal.SIGCONT)
    lossy.hear_gap()
    for place in (lost.id, f"{lost.id}.1"):
        with Stream(lossy.node.anonymous, last_id=place) as back:
            assert back.next().name == "events.gap"
    lossy.go_on()
    with Stream(lossy.node.anonymous, last_id=lost.id) as back:
        assert back.next().name == "events.gap"


def removed(database):
    """How many events retention removes now, whatever their age."""
    database.rows(f"deallocate all; prepare removal as {REMOVE.read_text()}; select 1")
    return database.value("execute removal (0, 500)")


def lose_horizon(database):
    database.rows("delete from event_horizon returning 1")


@pytest.mark.parametrize("is_empty", (False, True))
def test_a_lost_horizon(start, database, is_empty):
    """The row that says what was removed is gone, as after tables were restored one by one, with events or without.
    Nodes say so and make it anew: then who remembers what may be gone is told of a gap, and streams of what comes. Seen:
    nodes crashed, and events went without a note."""
    node = start()
    with Stream(node.anonymous) as stream:
        node.api.create("before")
        stream.until(lambda event: event.name == LIFECYCLE)
        forget_events(database)
        if not is_empty:
            node.api.create("kept")
            stream.until(lambda event: event.name == LIFECYCLE)
        lose_horizon(database)
        wait_for(lambda: "the table event_horizon has lost its row" in node.log, "the node says so")
        if is_empty:
            assert stream.next().name == "events.gap"
        wait_for(lambda: database.value("select count(*) from event_horizon") == 1, "the node makes it anew")
        told = node.api.create("meanwhile")["id"]
        assert [stream.next().data["incidentId"] for _ in range(2)] == [told, told]
        with Stream(start().anonymous, last_id=stream.parser.first_id) as back:
            assert back.next().name == "events.gap"


def test_nothing_is_removed_without_a_horizon(start, database):
    """Seen: events went without a note."""
    node = start()
    node.api.create("before")
    unread = "select count(*) from events e join event_readers r on (r.transaction, r.position) < (e.transaction, e.sequence)"
    wait_for(lambda: database.value(unread) == 0, "durable readers have read all")
    node.stop()
    lose_horizon(database)
    assert removed(database) == 0
    start()
    assert removed(database) > 0


def test_a_node_that_cannot_read_events(start, database):
    """It does not hear what other nodes change, although hints arrive: so it uses nothing cached, until it can read
    again. Seen: for 15 seconds it answered the old title."""
    writer, reader = start(), start()
    made = writer.api.create("Old")
    path = f"/api/v1/incidents/{made['id']}"
    database.rows("alter table event_horizon rename to hidden; select 1")
    wait_for(lambda: "cannot read events" in reader.log, "the reader says so")
    database.rows("alter table hidden rename to event_horizon; select 1")
    hits = value(reader, "tocsin_cache_hits_total")
    wait_for(lambda: (reader.api.get(path), value(reader, "tocsin_cache_hits_total") > hits)[1], "it is cached again")
    with Stream(reader.anonymous) as stream:
        database.rows("alter table event_horizon rename to hidden; select 1")
        wait_for(lambda: reader.log.count("cannot read events") == 2, "the reader says so again")
        assert writer.api.call("PATCH", path, {"title": "New"}).status == 200
        assert reader.api.get(path).json["title"] == "New"
        database.rows("alter table hidden rename to event_horizon; select 1")
        assert stream.next().data["incidentId"] == made["id"]


def brief(node):
    return value(node, "tocsin_outbox_events_total") - value(node, "tocsin_outbox_documents_total")


def test_streams_that_begin_while_nobody_wanted_events(start, database):
    """A node without streams reads of events only what its cache needs. Streams that begin in the middle of changes get
    each event after the place they begin at, now or in the past. (The moment itself is too short to be met here: what
    happens in it is shown by test/integration/test_outbox.c.)"""
    node = start()
    with Stream(node.anonymous) as stream:
        origin = stream.parser.last_id
    wait_for(lambda: (node.api.create("unseen"), brief(node) > 0)[1], "events are read without documents")
    stop, failed = threading.Event(), []

    def change():
        while not stop.is_set():
            try:
                node.api.create("seen")
            except (AssertionError, OSError) as error:
                failed.append(error)
                return
    writer = threading.Thread(target=change)
    writer.start()
    try:
        streams = [Stream(node.anonymous, last_id=place).start() for place in (None, origin) * 4]
    finally:
        stop.set()
        writer.join()
    assert not failed
    last = node.api.create("last")["id"]
    for stream in streams:
        told = stream.until(lambda event: event.data["incidentId"] == last and event.name == LIFECYCLE)
        ids = [event.id for event in told if event.name == LIFECYCLE]
        expected = [text for text, in database.rows(
            "select concat(transaction, '.', sequence) from events where (transaction, sequence)"
            " > (%s::xid8, %s::bigint) and kind like 'incident.%%' order by transaction, sequence",
            stream.parser.first_id.split("."))]
        assert ids == expected, stream.parser.first_id
        stream.close()
    assert value(node, "tocsin_event_streams_gaps_total") == 0
