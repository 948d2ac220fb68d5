"""Write on one node, read and stream on the other: for each procedure that changes the catalog or incidents, the answers
that the other node had kept are gone once it has read the outbox, and its streams are told.

The other node's count of events it has read says when to look: nothing waits for an answer to grow old.

How it was seen to fail: without the subscription of app/server_cache.c every row fails; without its branch for `catalog.`
those of the catalog do; with drop_lists for every incident those about one incident do; with on_events of
modules/event/live.c telling nothing, the rows that were tried (addUpdate, bulkResolveIncidents) wait for it in vain."""
import dataclasses
import urllib.parse

import pytest

from events import Stream
from metrics import value
from rows import ROWS, Caller, World
from server import Server
from test_cache import hits
from test_openapi import describe
from waiting import wait_for

LIFECYCLE = "incident.lifecycle.changed"
SYSTEMS, GROUPS, INCIDENTS = "/api/v1/systems", "/api/v1/groups", "/api/v1/incidents"
ENQUEUE = "/v2/enqueue"


class Pair:
    """Two nodes of one database. Use: what changes goes to `here`, what is read comes from `there`."""

    def __init__(self, here, there, database):
        self.here, self.there, self.database = here, there, database
        self.caller = Caller(describe(here), "v1")

    def until_heard(self):
        """Returns when the other node has read, and acted upon, every event there is."""
        there = self.there
        wait_for(lambda: value(there, "tocsin_outbox_events_total") == self.database.value("select count(*) from events"),
                 "the other node has heard of it")

    def keep(self, path):
        """The answer that the other node now keeps."""
        def is_kept():
            before = hits(self.there)
            return self.there.api.get(path).body == self.there.api.get(path).body and hits(self.there) > before

        wait_for(is_kept, f"{path} is kept")
        return self.there.api.get(path)

    def fresh(self, path):
        """The answer as the database has it."""
        return self.here.api.call("GET", path, None, {"Cache-Control": "no-cache"})


@pytest.fixture(name="pair", scope="module")
def fixture_pair(module_database):
    with Server(database_url=module_database.url) as here, Server(database_url=module_database.url) as there:
        yield Pair(here.start(), there.start(), module_database)


def system(w, rest=""):
    return f"{SYSTEMS}/{urllib.parse.quote(w.system, safe='')}{rest}"


def of_system(w):
    """Lists that show the incidents of the system."""
    return [INCIDENTS, f"{INCIDENTS}?systemId={urllib.parse.quote(w.system)}", f"{INCIDENTS}/by-system",
            system(w, "/incidents")]


def one(w):
    return f"{INCIDENTS}/{w.incident}"


def opened(w):
    """What streams say of the incident that an alert has opened for the system."""
    [made] = w.api.incidents(f"?systemId={urllib.parse.quote(w.system, safe='')}")["incidents"]
    return [(made["id"], name, "created") for name in ("incident.created", LIFECYCLE)]


def page(w, action):
    """PagerDuty's event about the system, from the world's source."""
    return {"routing_key": w.source["routingKey"], "event_action": action, "dedup_key": w.name, "payload": {
        "summary": "s", "source": "host", "severity": "error", "custom_details": {"system": w.system}}}


def acknowledgement(w):
    """Of an alert that is the incident's, once it has come in."""
    assert w.incident and w.api.post(ENQUEUE, page(w, "trigger")).status == 202
    return page(w, "acknowledge")


def told(w, action, kind=None):
    """What streams say of a change of the incident: its kind, if it has one, and the change itself."""
    return [(w.incident, name, action) for name in ([f"incident.{kind}"] if kind else []) + [LIFECYCLE]]


@dataclasses.dataclass(frozen=True)
class Case:
    """`reads`: world to what looks different after it. `tells`: world after it to what streams say, in order. `fields`:
    input, if it is not that of the row."""
    reads: object
    tells: object = lambda w: []
    fields: object = None
    procedure: str | None = None


GROUP = lambda w: f"{GROUPS}/{w.member}"  # pylint: disable=C3001
CASES = {
    # Catalog.
    "createSystem": Case(lambda w: [SYSTEMS]),
    "updateSystem": Case(lambda w: [SYSTEMS, system(w)]),
    "deleteSystem": Case(lambda w: [one(w), *of_system(w), SYSTEMS, system(w), GROUPS, GROUP(w)],
                         lambda w: told(w, "updated", "updated")),
    "addSystemContact": Case(lambda w: [system(w)]),
    "removeSystemContact": Case(lambda w: [system(w)]),
    "addSystemLink": Case(lambda w: [system(w)]),
    "removeSystemLink": Case(lambda w: [system(w)]),
    "createGroup": Case(lambda w: [GROUPS]),
    "updateGroup": Case(lambda w: [GROUPS, f"{GROUPS}/{w.group}"]),
    "deleteGroup": Case(lambda w: [GROUPS, GROUP(w), system(w), f"{SYSTEMS}?groupId={w.group}"]),
    "addSystemToGroup": Case(lambda w: [f"{GROUPS}/{w.group}", system(w), f"{SYSTEMS}?groupId={w.group}"]),
    "removeSystemFromGroup": Case(lambda w: [GROUP(w), system(w), f"{SYSTEMS}?groupId={w.group}"]),
    # Incidents.
    "createIncident": Case(lambda w: [*of_system(w), system(w, "/suppression")], fields=lambda w: {
        "title": "t", "severity": "minor", "systemIds": [w.system], "suppressNotifications": True}),
    "a create that discovers a system": Case(lambda w: [INCIDENTS, SYSTEMS], procedure="createIncident"),
    "updateIncident": Case(lambda w: [one(w), *of_system(w)], lambda w: told(w, "updated")),
    "a change of systems": Case(
        lambda w: [one(w), *of_system(w), SYSTEMS], lambda w: told(w, "updated", "updated"),
        lambda w: {"id": w.incident, "systemIds": [w.name]}, "updateIncident"),
    "resolveIncident": Case(lambda w: [one(w), *of_system(w)], lambda w: told(w, "resolved", "resolved")),
    "deleteIncident": Case(lambda w: [one(w), *of_system(w)], lambda w: told(w, "deleted", "deleted")),
    "bulkResolveIncidents": Case(
        lambda w: [one(w), one(w.other), *of_system(w), *of_system(w.other)],
        lambda w: told(w, "resolved", "resolved") + told(w.other, "resolved", "resolved"),
        lambda w: {"ids": [w.incident, w.other.incident]}),
    "bulkDeleteIncidents": Case(
        lambda w: [one(w), one(w.other), *of_system(w), *of_system(w.other)],
        lambda w: told(w, "deleted", "deleted") + told(w.other, "deleted", "deleted"),
        lambda w: {"ids": [w.incident, w.other.incident]}),
    # Updates and links of one.
    "addUpdate": Case(lambda w: [one(w)], lambda w: told(w, "commented")),
    "an update with a status": Case(
        lambda w: [one(w), *of_system(w)], lambda w: told(w, "updated", "updated"),
        lambda w: {"incidentId": w.incident, "message": "m", "statusChange": "fixing"}, "addUpdate"),
    "editUpdate": Case(lambda w: [one(w)], lambda w: told(w, "updated")),
    "deleteUpdate": Case(lambda w: [one(w)], lambda w: told(w, "updated")),
    "addLink": Case(lambda w: [one(w)], lambda w: told(w, "updated")),
    "updateLink": Case(lambda w: [one(w)], lambda w: told(w, "updated")),
    "removeLink": Case(lambda w: [one(w)], lambda w: told(w, "updated")),
    # Alerts.
    "ingestAlertmanager": Case(of_system, fields=lambda w: {"version": "4", "alerts": [
        {"status": "firing", "labels": {"alertname": w.name, "system": w.system}}]}),
    "ingestPagerDuty": Case(of_system, opened, lambda w: page(w, "trigger")),
    "an acknowledgement": Case(lambda w: [one(w)], lambda w: told(w, "commented"), acknowledgement, "ingestPagerDuty"),
}
# They change who is let in, which test_sources shows.
SOURCES = {"createSource", "revokeSource"}
# Keys, users and sessions are heard by other nodes in test_event_access.py, test_users.py and test_sessions.py.


@pytest.mark.parametrize("name", CASES)
def test_write_here_read_there(pair, name):
    case, world = CASES[name], World(pair.here.api)
    procedure = case.procedure or name
    fields = (case.fields or ROWS[procedure].good)(world)
    paths = case.reads(world)
    pair.until_heard()
    before = {path: pair.keep(path) for path in paths}
    assert {reply.status for reply in before.values()} == {200}
    with Stream(pair.there.anonymous) as stream:
        assert pair.caller.call(pair.here.api, procedure, fields).status == ROWS[procedure].status
        pair.until_heard()
        for path in paths:
            reply, fresh = pair.there.api.get(path), pair.fresh(path)
            assert (reply.status, reply.body) == (fresh.status, fresh.body), path
            assert reply.body != before[path].body, path
        for wanted in case.tells(world):
            seen = stream.next()
            assert (seen.data["incidentId"], seen.name, seen.data["action"]) == wanted


def test_sources(pair):
    """A source is let in by the other node as soon as it is made, and refused as soon as it is revoked: no node keeps
    any. Seen to fail with find_source.sql not looking at revoked_at."""
    world = World(pair.here.api)
    made = pair.caller.call(pair.here.api, "createSource", {"name": world.name})
    assert made.status == 201
    world.source = made.json
    replies = [pair.there.anonymous.post(ENQUEUE, page(world, "trigger"))]
    assert pair.caller.call(pair.here.api, "revokeSource", {"id": made.json["id"]}).status == 204
    replies += [pair.there.anonymous.post(ENQUEUE, page(world, action)) for action in ("trigger", "acknowledge", "resolve")]
    assert [reply.status for reply in replies] == [202, 400, 400, 400]
    assert pair.database.rows("select count, state::text from alerts where dedup_key = %s", (world.name,)) == [(1, "firing")]


def test_every_change_is_here():
    """Seen to fail with a row left out."""
    changes = {name for name, row in ROWS.items() if row.who in ("manager", "admin") and row.group != "auth"
               and name not in ("listSources", "listAuditTrail")} | {"ingestPagerDuty"}  # whose caller is its key
    assert changes - SOURCES == {case.procedure or name for name, case in CASES.items()}
