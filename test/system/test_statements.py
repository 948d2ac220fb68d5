"""How many statements a read costs: PostgreSQL logs each that it executes, by the name that its .sql file gives it, before
its answer goes out. What nodes do by themselves (outbox, audit trail, heartbeat) has other names.

Seen to fail with the short way out of run_read (incident_bulk_api.c) taken out: `[]` runs a statement; and with run_read
reading twice: there is a statement too many."""
import re

import pytest

from metrics import value
from procedures import Procedures
from server import Server
from test_cache import hits
from waiting import wait_for

EXECUTED = re.compile(r"LOG:  (?:execute (\S+?)(?:/\S+)?|(statement)):")
OURS = ("incident_", "catalog_", "alert_", "<unnamed>", "statement")
MANY = 20
READS = {
    "getBulkIncidentsForSystems": ("systemIds", "incident_list_of_systems"),
    "getActiveHealthOverrides": ("systemIds", "incident_list_health_overrides"),
    "getBulkIncidentUpdates": ("incidentIds", "incident_list_updates"),
    "getManyEntityStates": ("ids", "incident_get_states"),
    "resolveIncidentRefs": ("ids", "incident_list_refs"),
    "listOpenIncidentsBySystem": (None, "incident_list_by_system"),
}


class Log:
    """What PostgreSQL executed for requests, since the last look."""

    def __init__(self, cluster):
        self.path, self.place = cluster.log, 0

    def text(self):
        with open(self.path, "rb") as log:
            log.seek(self.place)
            text = log.read().decode(errors="replace")
            self.place = log.tell()
        return text

    def executed(self):
        names = [name or plain for name, plain in EXECUTED.findall(self.text())]
        return [name for name in names if name.startswith(OURS)]


@pytest.fixture(name="node", scope="module")
def fixture_node(cluster, module_database):
    """Its database logs."""
    cluster.execute(f"alter database \"{module_database.name}\" set log_statement = 'all'")
    with Server(database_url=module_database.url) as node:
        yield node.start()


@pytest.fixture(name="logged", scope="module")
def fixture_logged(cluster, node):
    """(procedures of the node, what its database logs, incidents, their systems)"""
    do = Procedures(node.api, "v1")
    made = [do.ok("createIncident", title="t", severity="minor", systemIds=[f"s{i}", f"t{i}"], initialMessage="m",
                  healthOverride="degraded") for i in range(MANY)]
    return (do, Log(cluster), [one["id"] for one in made], [f"s{i}" for i in range(MANY)])


@pytest.mark.parametrize("name", READS)
def test_a_bulk_read_is_one_query(logged, name):
    do, log, incidents, systems = logged
    field, statement = READS[name]
    asked = {field: systems if field == "systemIds" else incidents} if field else {}
    log.executed()
    found = do.ok(name, **asked)
    assert log.executed() == [statement]
    assert len(str(found)) > MANY * 30  # it is about all of them


@pytest.mark.parametrize("name, field, answer", [
    ("getManyEntityStates", "ids", {}), ("resolveIncidentRefs", "ids", {"ids": []}),
    ("getActiveHealthOverrides", "systemIds", {"overrides": {}})])
def test_nothing_is_asked_without_a_query(logged, name, field, answer):
    """The other bulk reads refuse an empty list."""
    do, log, _, _ = logged
    log.executed()
    assert do.ok(name, **{field: []}) == answer
    assert log.executed() == []


def test_a_cached_read_asks_nothing(node, logged, module_database):
    """Seen to wait in vain with getIncident not TC_CACHED; and to find
    statements with a hit that is counted, but goes on to the procedure."""
    do, log, incidents, _ = logged
    reads = [lambda: do.ok("getIncident", id=incidents[0]), lambda: do.ok("listIncidents", limit=MANY)]

    def read_from_cache():
        """(answers, what was executed for them) if all came from the cache."""
        before, _ = hits(node), log.executed()
        answers, executed = [read() for read in reads], log.executed()
        return hits(node) == before + len(reads) and (answers, executed)

    wait_for(lambda: value(node, "tocsin_outbox_events_total") == module_database.value("select count(*) from events"),
             "the node has read of all changes")
    (one, page), executed = wait_for(read_from_cache, "all answers come from the cache")
    assert one["id"] == incidents[0] and len(page["incidents"]) == MANY
    assert executed == []


def test_statements_are_seen(logged):
    """That one would be found here: a change runs several."""
    do, log, incidents, _ = logged
    log.executed()
    do.ok("updateIncident", id=incidents[0], title="other")
    assert len(log.executed()) > 1


def test_statements_are_planned_once_a_connection(cluster, database):
    """Of a table of some size PostgreSQL would plan lists anew for each limit, which takes a third of their time. Seen:
    101 plans without has_generic_plans of the work pool."""
    with Server(database_url=database.url, settings={"DATABASE_POOL_MAX": "2"}) as node:
        node.start()
        database.rows("insert into incidents (id, title, severity) select gen_random_uuid(), 't', 'minor'"
                      " from generate_series(1, 5000) returning 1")
        database.rows("alter table incidents set (autovacuum_enabled = off); analyze; select 1")
        cluster.execute(f"alter database \"{database.name}\" set log_planner_stats = on")
        node.stop()
        node.start()  # sessions that log
        log = Log(cluster)
        log.text()
        for limit in range(1, 101):
            assert len(node.anonymous.incidents(f"?limit={limit}")["incidents"]) == limit
        plans = [plan for plan in log.text().split("PLANNER STATISTICS")[1:] if "from incident_documents" in plan]
        assert 1 <= len(plans) <= 2
