"""docs/operations.md, "Upgrading": a server that is started on an older database, with rows in every table, brings it up
to date and works with what is there; one that is older than its database does not start.

The older database is made of the migrations as they are in the repository. Each table gets its rows as soon as it is there,
so that every later migration meets them.

Seen to fail with `updated_at` of 0007_catalog.sql without its default: the start ends with "contains null values"; with
the length of URLs in 0012_timeline.sql at most 10: "is violated by some row"; with the foreign key of 0014_alert_end.sql
left as it was: the alert outlives its incident; with a table that gets no row: it is named; without the comparison of
versions in find_next (src/pg/migrate.c): the older server starts."""
import base64
import hashlib
import re

import pytest

from api import Api
from server import REPOSITORY, START_S, new_key, run
from waiting import wait_for

MIGRATIONS = sorted(REPOSITORY.glob("src/**/sql/[0-9][0-9][0-9][0-9]_*.sql"), key=lambda path: path.name)
LAST = len(MIGRATIONS) - 1  # of an older database: all but one
OPEN, RESOLVED, UPDATE, LINK, GROUP, CONTACT, SYSTEM_LINK, SOURCE, USER, SESSION, NODE = (
    f"018bcfe5-6fd1-7000-8000-{number:012}" for number in range(11))
KEY, ROUTING_KEY = new_key(), "0123456789abcdef0123456789abcdef"
DEDUP_KEY = "disk-1"


def hash_of_key():
    """As src/modules/auth/auth_key.c says: the id and the secret."""
    _, name, secret = KEY.split("_", 2)
    return name, hashlib.blake2b(name.encode() + base64.urlsafe_b64decode(secret + "="), digest_size=32).digest()


# By the migration that makes their tables: (statement, values), ...
ROWS = {
    1: [("insert into api_keys (id, name, role, secret_hash) values (%s, 'old', 'admin', %s)", hash_of_key())],
    2: [("insert into events (kind, subject, action, systems, next) values ('incident.created', %s, 'created', '{old}',"
         " '{}')", (OPEN,)),
        ("insert into event_readers (name) values ('audit')", ())],
    3: [("insert into systems (id, name, discovered) values ('old', 'Old', false), ('found', 'found', true)", ())],
    4: [("insert into incidents (id, title, status, severity, health_override, resolved_at) values"
         " (%s, 'Open', 'fixing', 'major', 'degraded', null), (%s, 'Over', 'resolved', 'minor', null, now())",
         (OPEN, RESOLVED)),
        ("insert into incident_systems (incident_id, system_id, is_open, position) values (%s, 'old', true, 0),"
         " (%s, 'old', false, 0), (%s, 'found', false, 1)", (OPEN, RESOLVED, RESOLVED)),
        ("insert into incident_updates (incident_id, id, message, status_change) values (%s, %s, 'Said', 'fixing')",
         (OPEN, UPDATE)),
        ("insert into incident_links (incident_id, id, url) values (%s, %s, 'http://example.org/1')", (OPEN, LINK))],
    5: [("insert into alerts (source, dedup_key, state, system_id, incident_id, severity, title) values"
         " (%s, %s, 'firing', 'old', %s, 'major', 'Disk full')", (f"pagerduty:{SOURCE}", DEDUP_KEY, OPEN)),
        ("insert into alert_incidents values (%s)", (OPEN,))],
    6: [("insert into nodes (id, host, process, connections, seen_at) values (%s, 'gone', 1, 33, now() - interval"
         " '1 day')", (NODE,))],
    7: [("insert into catalog_groups (id, name) values (%s, 'Shop')", (GROUP,)),
        ("insert into catalog_members (system_id, group_id) values ('old', %s)", (GROUP,)),
        ("insert into system_contacts (system_id, id, type, value) values ('old', %s, 'email', 'ops@example.org')",
         (CONTACT,)),
        ("insert into system_links (system_id, id, url) values ('old', %s, 'http://example.org/')", (SYSTEM_LINK,))],
    8: [("insert into alert_sources (id, name, routing_key_hash) values (%s, 'old', %s)",
         (SOURCE, hashlib.blake2b(ROUTING_KEY.encode(), digest_size=32).digest()))],
    10: [("insert into audit (sequence, time, kind, subject, action, systems) values (0, now(), 'catalog.system.created',"
          " 'old', 'created', '{old}')", ())],
    11: [("insert into users (id, name, role, password_hash) values (%s, 'ada', 'viewer', '$argon2id$')", (USER,)),
         ("insert into sessions (id, user_id, secret_hash, expires_at) values (%s, %s, %s, now() + interval '1 hour')",
          (SESSION, USER, bytes(32))),
         ("insert into login_attempts (key, attempts, started_at) values (%s, 1, now())", (bytes(32),))],
    13: [("insert into idempotency_answers (scope, fingerprint, status, body) values (%s, %s, 200, '')",
          (bytes(32), bytes(32)))],
}
FILLED_BY_ITSELF = {"event_horizon"}  # its one row is made with it


def make_older(database, last):
    """Migrations up to `last`, each with its rows."""
    with database.connect() as connection, connection.cursor() as cursor:
        cursor.execute((REPOSITORY / "src/pg/sql/migrate_table.sql").read_text())
        for path in MIGRATIONS[:last]:
            version = int(path.name[:4])
            cursor.execute(path.read_text())
            cursor.execute("insert into tocsin_migrations (version, name) values (%s, %s)", (version, path.stem))
            for statement, values in ROWS.get(version, ()):
                cursor.execute(statement, values)
    connection.close()


def check_incidents(api):
    found = api.get(f"/api/v1/incidents/{OPEN}").json
    assert found["systemIds"] == ["old"] and found["healthOverride"] == "degraded", found
    assert [one["message"] for one in found["updates"]] == ["Said"] and [one["id"] for one in found["links"]] == [LINK]
    listed = api.incidents("?includeResolved=true")["incidents"]
    assert [one["id"] for one in listed] == [RESOLVED, OPEN]
    reply = api.create_once("old")
    assert reply.status == 200 and reply.json["incident"]["id"] == OPEN
    edited = api.call("PATCH", f"/api/v1/incidents/{OPEN}/updates/{UPDATE}", {"message": "Said better"})
    assert edited.status == 200 and edited.json["editHistory"][0]["message"] == "Said", edited


def check_catalog(api):
    found = api.get("/api/v1/systems/old").json
    assert found["name"] == "Old" and found["groupIds"] == [GROUP] and not found["discovered"], found
    assert [one["id"] for one in found["contacts"]] == [CONTACT] and [one["id"] for one in found["links"]] == [SYSTEM_LINK]
    assert {one["id"] for one in api.get("/api/v1/systems").json["systems"]} == {"old", "found"}


def check_alerts(api):
    """The firing alert is known; resolved, it resolves the incident that it opened; deleted, that takes it along."""
    sent = api.post("/v2/enqueue", {"routing_key": ROUTING_KEY, "dedup_key": DEDUP_KEY, "event_action": "resolve"})
    assert sent.status == 202, sent
    assert api.get(f"/api/v1/incidents/{OPEN}").json["status"] == "resolved"
    assert api.call("DELETE", f"/api/v1/incidents/{OPEN}").status == 204


def test_every_table_has_rows():
    made = {table for path in MIGRATIONS for table in re.findall(r"^create table (\w+)", path.read_text(), re.MULTILINE)}
    filled = set(re.findall(r"insert into (\w+)", " ".join(statement for rows in ROWS.values() for statement, _ in rows)))
    assert made - FILLED_BY_ITSELF == filled


@pytest.mark.parametrize("last", [6, LAST], ids=["incidents and alerts", "everything"])
def test_a_populated_older_database(start, database, last):
    make_older(database, last)
    node = start()
    count = len(MIGRATIONS) - last
    assert f": {count} migration{'s' if count > 1 else ''} applied" in node.log
    api = Api(node.url, KEY)  # a key of then
    check_incidents(api)
    if last == LAST:
        check_catalog(api)
        check_alerts(api)
        assert database.value("select count(*) from alerts") == 0
        assert [one["name"] for one in api.get("/api/v1/users").json["users"]] == ["ada"]
    wait_for(lambda: database.value("select count(*) from audit where subject = %s and kind = 'incident.created'",
                                    (OPEN,)) == 1, "the old event is in the audit trail")


NEWER = 9999
COMMANDS = ["serve", "migrate", "key list", "user list", "source list"]


def migrate_to_newer(database):
    """As a version of the future does it, one whose changes the present one can live with."""
    with database.connect() as connection, connection.cursor() as cursor:
        cursor.execute("create table of_the_future (id int); insert into tocsin_migrations (version, name) values (%s, 'x')",
                       (NEWER,))
    connection.close()


def test_a_newer_database(start, database):
    """Whatever looks at it anew refuses, with the status and the words of the document, and changes nothing; a node that
    runs goes on and says that it is ready, until it is started again. Locks are no tables."""
    node = start()
    migrate_to_newer(database)
    shape = "select (select count(*) from pg_class), (select array_agg(version order by version) from tocsin_migrations)"
    before = database.rows(shape)
    says = (f"the database is at version {NEWER}, which is newer than this program (version {len(MIGRATIONS)}):"
            " use a newer tocsin")
    for words in COMMANDS:
        done = run(*words.split(), DATABASE_URL=database.url, TOCSIN_LISTEN="127.0.0.1:0")
        assert (done.returncode, done.stdout, done.stderr) == (1, "", f"tocsin {words}: {says}\n")
    assert database.rows(shape) == before
    assert node.is_ready() and node.api.create_once("still").status == 201
    assert run("lock", "run", "key", "--", "true", DATABASE_URL=database.url).returncode == 0
    node.stop()
    node.spawn()
    assert node.process.wait(START_S) == 1
    node.close_output()
    assert says in node.log
