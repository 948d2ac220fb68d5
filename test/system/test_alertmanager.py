"""Point 12: a storm of alerts from two real Alertmanagers to two nodes becomes one incident a system."""
from alertmanager import Alertmanager
from waiting import wait_for

SYSTEMS, ALERTS = 20, 200

def alerts(**fields):
    return [{"labels": {"alertname": "DiskFull", "system": f"system-{i % SYSTEMS}", "disk": f"{i}",
                        "severity": "critical"},
             "annotations": {"summary": "A disk is full"}, "startsAt": "2026-01-01T00:00:00Z", **fields}
            for i in range(ALERTS)]


def test_two_alertmanagers_and_two_nodes(start, database):
    """Proves that alerts open incidents under the lock of deduped creates: with try_keys.sql made to grant
    always, the two nodes open two incidents of some systems (seen). And that the last resolved alert of an incident
    resolves it, from whichever node it comes."""
    with Alertmanager(start()) as one, Alertmanager(start()) as other:
        for manager in (one, other):
            manager.send(alerts(endsAt="2099-01-01T00:00:00Z"))
        # Each alert was reported by both.
        wait_for(lambda: database.value("select count(*) from alerts where state = 'firing' and count >= 2") == ALERTS,
                 "every alert has come in from both")
        opened = database.open_incidents()
        assert sorted(opened) == sorted(f"system-{i}" for i in range(SYSTEMS))
        assert [len(found) for found in opened.values()] == [1] * SYSTEMS
        assert database.value("select count(*) from incidents") == SYSTEMS
        listed = one.node.anonymous.incidents("?limit=500")["incidents"]
        assert {(found["severity"], found["title"]) for found in listed} == {("critical", "A disk is full")}

        for manager in (one, other):
            manager.send(alerts(endsAt="2026-01-01T01:00:00Z"))
        wait_for(lambda: database.value("select count(*) from alerts where state = 'firing'") == 0,
                 "every alert is resolved")
        wait_for(lambda: not other.node.anonymous.incidents()["incidents"], "no incident is open")
        assert database.open_incidents() == {}
