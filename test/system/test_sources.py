"""Sources, the tools whose keys let their events in: by API and command line, and who may manage them.

Seen to fail: revoked keys found."""
import json
import os
import pwd

from api import PROBLEM
from pagerduty import KEY, SOURCES, Sender, accepted, make_source, refused
from server import run

NOBODY = "00000000-0000-7000-8000-000000000000"


def test_sources(node, module_database):
    made = make_source(node.api, "Listed")
    assert KEY.fullmatch(made["routingKey"]) and made["createdBy"].startswith("key:")
    listed = node.api.get(f"{SOURCES}?limit=500").json["sources"]
    mine, = [source for source in listed if source["id"] == made["id"]]
    assert mine == {key: value for key, value in made.items() if key != "routingKey"}
    stored = str(module_database.rows("select * from alert_sources")) + str(module_database.rows(
        "select previous::text, next::text from events"))
    assert made["routingKey"] not in stored + str(listed)

    taken = node.api.post(SOURCES, {"name": "LISTED"})
    assert taken.status == 409 and taken.type == PROBLEM and taken.json["errors"][0]["pointer"] == "/name"
    sender = Sender(node, made["routingKey"])
    assert accepted(sender.send("resolve", "x"), "x")
    assert "lastUsedAt" in next(source for source in node.api.get(f"{SOURCES}?limit=500").json["sources"]
                                if source["id"] == made["id"])

    for _ in range(2):  # twice is harmless
        assert node.api.call("DELETE", f"{SOURCES}/{made['id']}").status == 204
    assert refused(sender.send("resolve", "x"), 400, "revoked")
    assert "revokedAt" in next(source for source in node.api.get(f"{SOURCES}?limit=500").json["sources"]
                               if source["id"] == made["id"])
    assert make_source(node.api, "Listed")["id"] != made["id"]  # the name is free again
    assert module_database.rows("select kind from events where subject = %s order by transaction", (made["id"],)) == [
        ("alert.source.created",), ("alert.source.revoked",)]


def test_pages_of_sources(node):
    made = [make_source(node.api, f"Page {i}")["id"] for i in range(5)]
    found, cursor = [], ""
    while True:
        page = node.api.get(f"{SOURCES}?limit=2{cursor}").json
        found += [source["id"] for source in page["sources"]]
        if "nextCursor" not in page:
            break
        cursor = f"&cursor={page['nextCursor']}"
    assert found[:5] == made[::-1] and len(found) == len(set(found))


def test_bad_sources(node):
    for body in ({}, {"name": ""}, {"name": "x" * 101}, {"name": 1}, {"name": "x", "routingKey": "mine"}):
        assert node.api.post(SOURCES, body).status == 400
    assert node.api.call("DELETE", f"{SOURCES}/{NOBODY}").status == 404
    assert node.api.call("DELETE", f"{SOURCES}/nonsense").status == 400
    for query in ("limit=0", "limit=501", "cursor=x"):
        assert node.api.get(f"{SOURCES}?{query}").status == 400


def test_who_may_manage_sources(node, callers):
    """Managers and admins; the list is nobody else's business either."""
    path = f"{SOURCES}/{NOBODY}"
    for caller, status in ((node.anonymous, 401), (callers["viewer"], 403)):
        for reply in (caller.post(SOURCES, {"name": "x"}), caller.get(SOURCES), caller.call("DELETE", path)):
            assert reply.status == status and reply.type == PROBLEM
    manager = callers["manager"]
    made = make_source(manager, "Manager's")
    assert manager.get(SOURCES).status == 200 and manager.call("DELETE", f"{SOURCES}/{made['id']}").status == 204


def test_the_command_line(node, module_database):
    """tocsin source create, list, revoke; the running node knows at once, since it asks for every event."""
    def good(*arguments):
        done = run("source", *arguments, DATABASE_URL=module_database.url)
        assert done.returncode == 0, done
        return done.stdout

    key = good("create", "By hand").strip()
    assert KEY.fullmatch(key)
    sender = Sender(node, key)
    assert accepted(sender.send("trigger", "k", component="pd-cli"), "k")
    made = json.loads(good("create", "--json", "By script"))
    assert made["name"] == "By script" and KEY.fullmatch(made["routingKey"])
    assert made["createdBy"] == f"cli:{pwd.getpwuid(os.geteuid()).pw_name}"
    listed = json.loads(good("list", "--json"))
    assert {"By hand", "By script"} <= {source["name"] for source in listed}
    table = good("list")
    assert "By hand" in table and key not in table + str(listed)
    mine = next(source["id"] for source in listed if source["name"] == "By hand")
    assert good("revoke", mine) == good("revoke", mine) == ""
    assert refused(sender.send("resolve", "k"), 400, "revoked")
    for arguments, status in ((["create"], 64), (["create", "a", "b"], 64), (["list", "x"], 64), (["revoke"], 64),
                              (["create", ""], 1), (["create", "by SCRIPT"], 1), (["revoke", "nonsense"], 1),
                              (["revoke", NOBODY], 1), (["list", "--other"], 64)):
        done = run("source", *arguments, DATABASE_URL=module_database.url)
        assert done.returncode == status and done.stderr and not done.stdout, done
