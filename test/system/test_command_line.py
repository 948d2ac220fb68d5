"""`tocsin key`, `incident`, `migrate`, `version`, as a person or a script uses them."""
import json
import os
import pwd
import re
import urllib.parse

import pytest

from api import Api
from server import Server, run
from waiting import wait_for

REMEMBERED_S = 30  # a node remembers a key it verified for as long
KEY = re.compile(r"tocsin_[0-9a-f-]{36}_[\w-]{43}")


def good(*arguments, **settings):
    done = run(*arguments, **settings)
    assert done.returncode == 0, done
    return done.stdout


def test_keys(node, module_database):
    """Made, used, listed, revoked; the running node hears of it. Proves that a revoke reaches a node that
    remembers the key (seen: with the NOTIFY of revoke_key.sql taken out the key still works after 20 s)."""
    url = {"DATABASE_URL": module_database.url}
    key = good("key", "create", "--role=viewer", "for people", **url).strip()
    assert KEY.fullmatch(key)
    made = json.loads(good("key", "create", "--json", "for a script", **url))
    assert made["role"] == "manager" and made["name"] == "for a script" and KEY.fullmatch(made["key"])

    script = Api(node.url, made["key"])
    assert script.create_once("by-key").status == 201
    assert Api(node.url, key).create_once("by-key").status == 403

    listed = good("key", "list", **url)
    assert "for people" in listed and "for a script" in listed
    in_json = json.loads(good("key", "list", "--json", **url))
    assert {entry["name"] for entry in in_json} >= {"for people", "for a script"}
    secrets = [key[-43:], made["key"][-43:]]  # a secret may have a _ itself
    assert not any(secret in listed + json.dumps(in_json) for secret in secrets)

    assert good("key", "revoke", made["id"], **url) == ""
    assert good("key", "revoke", made["id"], **url) == ""  # twice is harmless
    by_command = ("/api/v1/audit?" + urllib.parse.urlencode({"actor": f"cli:{pwd.getpwuid(os.geteuid()).pw_name}",
                                                             "subject": made["id"]}))
    wait_for(lambda: [entry["kind"] for entry in node.api.get(by_command).json["entries"]]
             == ["auth.key.revoked", "auth.key.created"], "the audit trail names who ran the commands")
    wait_for(lambda: script.get("/api/v1/incidents").status == 401, "the revoked key is refused", REMEMBERED_S * 2 / 3)
    revoked = next(entry for entry in json.loads(good("key", "list", "--json", **url)) if entry["id"] == made["id"])
    assert "revokedAt" in revoked


def test_a_list_has_every_page_and_moves_no_cursor(database):
    """Longer than the longest page (500). Seen to fail with the second page not asked for; and names are shown by
    what shows a server's answers, since who made them may mean ill."""
    url = {"DATABASE_URL": database.url}
    good("key", "list", **url)  # migrates
    database.rows("insert into api_keys (id, name, role, secret_hash) select gen_random_uuid(), 'n' || i || e'\\x1b[2J',"
                  " 'viewer', sha256(i::text::bytea) from generate_series(1, 501) i returning 1")
    assert len(json.loads(good("key", "list", "--json", **url))) == 501
    heading, *lines = good("key", "list", **url).splitlines()
    assert heading.split() == ["ID", "ROLE", "CREATED", "AT", "REVOKED", "AT", "NAME"]
    assert len(lines) == 501 and all(line.endswith(r"\u001B[2J") for line in lines)


def test_key_mistakes(module_database):
    url = {"DATABASE_URL": module_database.url}
    for arguments, status in ((["create"], 64), (["create", "--role=king", "x"], 64), (["create", ""], 1),
                              (["create", "x" * 101], 1), (["revoke"], 64), (["revoke", "nonsense"], 1),
                              (["revoke", "00000000-0000-7000-8000-000000000000"], 1)):
        done = run("key", *arguments, **url)
        assert done.returncode == status and done.stderr and not done.stdout, done


def test_keys_of_an_embedded_cluster():
    """Without a server it starts the cluster for the moment; beside a server it uses the server's."""
    with Server() as server:
        key = good("key", "create", "--role=admin", "early", **server.settings).strip()
        assert server.postmaster() is None
        server.start()
        assert "early" in good("key", "list", **server.settings)
        assert Api(server.url, key).create_once("a").status == 201


@pytest.fixture
def settings(node):
    return {"TOCSIN_URL": node.url, "TOCSIN_KEY": node.key}


def test_incident_in_json(node, settings):
    made = json.loads(good("incident", "create", "--json", "--severity=critical", "--description=why",
                           "--message=we look", "Disk full", "cli-json", "second", **settings))
    assert (made["severity"], made["description"], made["systemIds"]) == ("critical", "why", ["cli-json", "second"])
    again = json.loads(good("incident", "create", "--json", "--dedupe", "Again", "cli-json", **settings))
    assert again["reused"] is True and again["incident"]["id"] == made["id"]
    listed = json.loads(good("incident", "list", "--json", "--system=cli-json", **settings))
    assert [entry["id"] for entry in listed["incidents"]] == [made["id"]]
    shown = json.loads(good("incident", "show", "--json", f"--url={node.url}", made["id"], TOCSIN_KEY=node.key))
    assert [entry["message"] for entry in shown["updates"]] == ["we look"]
    resolved = json.loads(good("incident", "resolve", "--json", "--message=done", made["id"], **settings))
    assert resolved["status"] == "resolved"
    assert json.loads(good("incident", "list", "--json", "--system=cli-json", **settings))["incidents"] == []
    everything = json.loads(good("incident", "list", "--json", "--all", "--system=cli-json", **settings))
    assert [entry["status"] for entry in everything["incidents"]] == ["resolved"]


def test_incident_for_people(node, settings):
    line = good("incident", "create", "Disk full", "cli", **settings)
    assert "Disk full" in line and "investigating" in line and line.count("\n") == 1
    made = line.split()[0]
    heading, listed = good("incident", "list", "--system=cli", **settings).splitlines()
    assert heading.split()[:3] == ["ID", "STATUS", "SEVERITY"] and listed.split() == line.split()
    done = run("incident", "create", "--dedupe", "Again", "cli", **settings)
    assert done.stdout == line and "open already" in done.stderr
    shown = good("incident", "show", made, **settings)
    assert "Disk full" in shown and made in shown
    assert "resolved" in good("incident", "resolve", made, **settings)
    assert good("incident", "list", "--system=cli", **settings).count("\n") == 1  # the heading
    assert made in good("incident", "list", "--all", "--system=cli", "--status=resolved", "--limit=5", **settings)


def test_incident_mistakes(node, settings):
    """A failure says what the server said, ends with 1, and prints nothing that looks like data."""
    for arguments, words in (
            (["show", "nonsense"], "UUID"),
            (["show", "00000000-0000-7000-8000-000000000000"], "404"),
            (["create", "--severity=huge", "x", "y"], "/severity"),
            (["list", "--limit=0"], "limit")):
        done = run("incident", *arguments, **settings)
        assert done.returncode == 1 and words in done.stderr and not done.stdout, done
    done = run("incident", "create", "x", "y", TOCSIN_URL=node.url)
    assert done.returncode == 1 and "401" in done.stderr
    done = run("incident", "list", TOCSIN_URL="http://127.0.0.1:1")
    assert done.returncode == 1 and "127.0.0.1:1" in done.stderr


def test_migrate_and_version(database):
    first = json.loads(good("migrate", "--json", DATABASE_URL=database.url))
    assert first["applied"] > 0
    assert json.loads(good("migrate", "--json", DATABASE_URL=database.url)) == {"applied": 0,
                                                                              "version": first["version"]}
    assert "nothing to do" in good("migrate", DATABASE_URL=database.url)
    version = json.loads(good("version", "--json"))["version"]
    assert good("version").strip() == f"tocsin {version}"
