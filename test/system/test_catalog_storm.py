"""Systems that are deleted during storms of creates for them, and by nodes that are killed."""
import asyncio
import contextlib
import http.client
import threading

from api import Storm, incident
from waiting import wait_for

CREATE = "/api/v1/incidents"
RETRYABLE = {409, 503}
ROUNDS, CLIENTS = 12, 40


async def storm_and_delete(storm_apis, deleters, bodies, systems):
    """Rounds of creates at once (`bodies(round)`), while every deleter deletes the systems as fast as it can. Statuses of both."""
    created, deleted, over = [], [], asyncio.Event()

    async def delete(api, system):
        while not over.is_set():
            reply = await asyncio.to_thread(api.call, "DELETE", f"/api/v1/systems/{system}")
            deleted.append((system, reply.status))

    async with Storm(storm_apis) as storm:
        tasks = [asyncio.ensure_future(delete(api, system)) for api in deleters for system in systems]
        for i in range(ROUNDS):
            created += await storm.post(CREATE, bodies(i))
        over.set()
        await asyncio.gather(*tasks)
    return created, deleted


def check(database, created, deleted):
    """What holds after any such storm, whoever was faster."""
    assert {reply.status for reply in created} <= {200, 201} | RETRYABLE, created
    assert {status for _, status in deleted} <= {204, 404} | RETRYABLE
    assert 201 in {reply.status for reply in created} and 204 in {status for _, status in deleted}
    # Each deletion is told once, and nothing else is.
    told = dict(database.rows("select subject, count(*) from events where kind = 'catalog.system.deleted' group by 1"))
    done = [system for system, status in deleted if status == 204]
    assert told == {system: done.count(system) for system in set(done)}
    # Each incident that lost a system is told once a system it lost, in the transaction of that deletion.
    lost = database.rows(
        "select i.id, jsonb_array_length(c.next_systems) - count(s.system_id),"
        " (select count(*) from events e where e.kind = 'incident.updated' and e.subject = i.id::text)"
        " from incidents i join lateral (select to_jsonb(systems) as next_systems from events e"
        " where e.kind = 'incident.created' and e.subject = i.id::text) c on true"
        " left join incident_systems s on s.incident_id = i.id group by i.id, c.next_systems")
    assert [row for row in lost if row[1] != row[2]] == []
    assert len(lost) == database.value("select count(*) from events where kind = 'incident.created'")
    assert database.value("select count(*) from events e where kind = 'incident.updated' and not exists (select"
                          " from events d where d.xmin = e.xmin and d.kind = 'catalog.system.deleted')") == 0
    # What was answered is there.
    answered = {reply.json.get("incident", reply.json)["id"] for reply in created if reply.status in (200, 201)}
    assert answered <= {row[0] for row in database.rows("select id::text from incidents")}


def test_a_system_deleted_during_a_storm_of_creates_for_it(start, database):
    """Two nodes. Deletions hold the lock key of the creates (test_waits_for_the_key of
    test/integration/test_catalog_delete.c shows that), so that no create of theirs meets a deletion. Seen to fail with
    leave_incidents.sql told to keep quiet."""
    nodes = [start(), start()]

    def bodies(_):
        return [incident(f"hot-{i % 2}", title=f"{i}", dedupeOpenForSystem=True) for i in range(CLIENTS)]

    created, deleted = asyncio.run(storm_and_delete([nodes[i % 2].api for i in range(CLIENTS)],
                                                    [node.api for node in nodes], bodies, ["hot-0", "hot-1"]))
    check(database, created, deleted)
    # Under their own key no create meets a deletion at all.
    assert {reply.status for reply in created} <= {200, 201}
    assert all(len(found) == 1 for found in database.open_incidents().values())
    again = nodes[0].api.create_once("hot-0")
    assert again.status in (200, 201) and again.json["incident"]["systemIds"] == ["hot-0"]


def test_a_system_deleted_during_a_storm_of_creates_that_also_name_it(start, database):
    """It is not their first system: they do not hold its key. Half of them are plain creates. Seen to fail with
    blame_deletion taken out (500), and with a foreign key of incident_systems that cascades (an incident lost its
    system without a word): with lock_last.sql not locking, or without that in two of 270 runs on a busy machine
    (deleter.h says why; test_starts_again_after_one_that_slipped_by of test/integration/test_catalog_delete.c shows it
    each time)."""
    node = start()

    def bodies(turn):
        return [incident(f"first-{turn}-{i}", "shared", title=f"{i}", dedupeOpenForSystem=i % 2 == 0)
                for i in range(CLIENTS)]

    created, deleted = asyncio.run(storm_and_delete([node.api] * CLIENTS, [node.api], bodies, ["shared"]))
    check(database, created, deleted)


def test_a_node_killed_between_the_history_and_the_end_of_a_deletion(start, database):
    """What was done is done, and told; the system is there, and is deleted once more: every incident is told once. Seen
    to fail with a leave_incidents.sql that keeps quiet about resolved incidents."""
    node = start()
    assert node.api.post("/api/v1/systems", {"id": "old", "name": "Old"}).status == 201
    made = node.api.create("old")["id"]
    database.rows("with i as (insert into incidents (id, title, severity, status, resolved_at) select gen_random_uuid(),"
                  " 'x', 'minor', 'resolved', now() from generate_series(1, 1200) returning id)"
                  " insert into incident_systems select id, 'old', false, 1 from i returning 1")
    told = "select count(*), count(distinct subject) from events where kind = 'incident.updated'"

    def delete():
        with contextlib.suppress(OSError, http.client.HTTPException):  # it is killed
            node.api.call("DELETE", "/api/v1/systems/old")

    with contextlib.closing(database.connect(application_name="outside")) as holder:
        with holder.cursor() as cursor:
            cursor.execute("begin; select from incidents where id = %s for update", (made,))
            thread = threading.Thread(target=delete)
            thread.start()
            wait_for(lambda: database.is_blocking(holder), "the end waits for the open incident")
            node.kill()
            thread.join(60)
    assert database.rows(told) == [(1200, 1200)]
    node.start()
    assert node.api.get("/api/v1/systems/old").json["name"] == "Old"
    assert node.api.get(f"/api/v1/incidents/{made}").json["systemIds"] == ["old"]
    assert node.api.call("DELETE", "/api/v1/systems/old").status == 204
    assert database.rows(told) == [(1201, 1201)]
    assert node.api.get(f"/api/v1/incidents/{made}").json["systemIds"] == []
