"""The commands that call a server: rows over the table of procedures. Completion and tocsin help, made of the same."""
import http.server
import json
import re
import subprocess
import threading

import pytest

from cluster import free_port
from server import BINARY, Server, environment, run
from test_command_line import good
from waiting import wait_for

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}")


@pytest.fixture
def settings(node):
    return {"TOCSIN_URL": node.url, "TOCSIN_KEY": node.key}


@pytest.fixture
def tocsin(settings):
    """A command in JSON; what it answers, None for nothing."""
    def call(*arguments):
        answered = good(*arguments, "--json", **settings)
        return json.loads(answered) if answered else None
    return call


@pytest.fixture(scope="module")
def commands():
    return {command["name"]: command for command in json.loads(good("help", "--json"))}


def test_an_incident_from_the_shell(tocsin, settings):
    """Everything that can happen to an incident, and each step shows in the answer of the next."""
    made = tocsin("incident", "create", "Disk full", "shell-a", "shell-b", "--suppress-notifications")["id"]
    changed = tocsin("incident", "update", made, "--title=Disk very full", "--severity=critical", "--system=shell-a",
                     "--health-override=degraded", "--suppress-notifications=false", "--description=now we know")
    assert (changed["title"], changed["severity"], changed["systemIds"]) == ("Disk very full", "critical", ["shell-a"])
    assert changed["suppressNotifications"] is False
    assert "description" not in tocsin("incident", "update", made, "--no-description", "--no-health-override")

    comment = tocsin("incident", "comment", made, "we look", "--status=identified", "--visibility=internal")["id"]
    assert tocsin("incident", "show", made)["status"] == "identified"
    assert tocsin("incident", "edit", made, comment, "--message=we looked")["message"] == "we looked"
    link = tocsin("incident", "link", "add", made, "https://example.org/1", "--label=runbook")["id"]
    assert tocsin("incident", "link", "update", made, link, "--link-url=https://example.org/2")["label"] == "runbook"
    shown = good("incident", "show", made, **settings)
    assert all(text in shown for text in ("Disk very full", "we looked", "https://example.org/2", "runbook"))
    assert tocsin("incident", "link", "remove", made, link) is None
    assert tocsin("incident", "uncomment", made, comment) is None
    rest = tocsin("incident", "show", made)
    assert not rest.get("links") and not rest.get("updates")

    assert tocsin("incident", "states", made)[made]["severity"] == "critical"
    assert made in good("incident", "by-system", **settings)
    assert [entry["id"] for entry in tocsin("system", "incidents", "shell-a")["incidents"]] == [made]
    assert tocsin("incident", "delete", made) is None
    assert run("incident", "show", made, **settings).returncode == 1


def test_many_at_once(tocsin, settings):
    """Proves that one bad id stops no other, and that the exit status tells: seen to be 0 with has_failed taken out."""
    first, second = (tocsin("incident", "create", "Disk full", "bulk")["id"] for _ in range(2))
    absent = "00000000-0000-7000-8000-000000000000"
    done = run("incident", "bulk-resolve", first, absent, second, "--message=over", **settings)
    assert done.returncode == 1 and all(name in done.stdout for name in (first, absent, second))
    assert {tocsin("incident", "show", made)["status"] for made in (first, second)} == {"resolved"}
    assert good("incident", "bulk-delete", first, second, **settings).count("\n") == 3


def test_the_catalog_from_the_shell(node, tocsin, settings):
    """Groups are found by name, whatever its case, on any page. Seen to fail with the lookup taken out (the name is no
    UUID), and with only the first page looked through."""
    system = tocsin("system", "create", "Web shop", "--id=shop", "--description=sells")["id"]
    group = tocsin("group", "create", "Front")["id"]
    for number in range(60):  # newer ones, more than a page
        assert node.api.post("/api/v1/groups", {"name": f"other {number}"}).status == 201
    assert tocsin("group", "add", "front", system) is None
    assert [entry["id"] for entry in tocsin("system", "list", f"--group={group}")["systems"]] == [system]
    assert tocsin("group", "show", "FRONT")["systemCount"] == 1
    assert tocsin("group", "remove", "Front", system) is None
    done = run("group", "show", "nobody", **settings)
    assert done.returncode == 1 and "nobody" in done.stderr
    contact = tocsin("system", "contact", "add", system, "email", "shop@example.org", "--label=boss")["id"]
    link = tocsin("system", "link", "add", system, "https://example.org")["id"]
    shown = good("system", "show", system, **settings)
    assert all(text in shown for text in ("Web shop", "shop@example.org", "https://example.org"))
    assert tocsin("system", "contact", "remove", system, contact) is None
    assert tocsin("system", "link", "remove", system, link) is None
    assert tocsin("system", "update", system, "--name=Shop")["name"] == "Shop"
    assert tocsin("system", "delete", system) is None and tocsin("group", "delete", "Front") is None


def test_keys_users_and_sources_of_a_remote_server(node, module_database, settings):
    """With TOCSIN_URL they ask the server: DATABASE_URL names nothing here. Passwords come by standard input."""
    remote = {**settings, "DATABASE_URL": "postgresql://127.0.0.1:1/nothing"}
    key = good("key", "create", "--role=viewer", "remote", **remote).strip()
    assert run("incident", "create", "x", "y", TOCSIN_URL=node.url, TOCSIN_KEY=key).returncode == 1  # 403
    made = next(line.split()[0] for line in good("key", "list", **remote).splitlines() if line.endswith("remote"))
    assert good("key", "revoke", made, **remote) == ""
    assert len(good("source", "create", "pager", **remote).strip()) == 32
    source = next(line.split()[0] for line in good("source", "list", **remote).splitlines() if "pager" in line)
    assert good("source", "revoke", source, **remote) == ""

    def with_password(*arguments):
        return subprocess.run([BINARY, *arguments, "--password-stdin"], env=environment(remote), check=True,
                              input="correct horse battery\n", capture_output=True, text=True).stdout
    user = with_password("user", "create", "--role=viewer", "anna").strip()
    assert UUID.fullmatch(user) and "anna" in good("user", "list", **remote)
    assert with_password("user", "passwd", "Anna").strip() == user
    assert good("user", "update", "anna", "--role=manager", **remote).split()[:2] == [user, "manager"]
    assert good("user", "delete", "anna", **remote) == ""
    # Without a server they still go straight to the database.
    assert "remote" in good("key", "list", DATABASE_URL=module_database.url)
    audit = good("audit", "--limit=500", **settings)
    assert "auth.user.deleted" in audit and user in audit


def test_lists_are_the_same_from_a_server(database, start):
    """A script that meets TOCSIN_URL gets what it got from the database: every page, as one array. Seen to fail with the
    server's own answer printed, an object with its first 50, and with the second page of 500 not asked for."""
    node = start()
    secret = "sha256(i::text::bytea)"
    for table, columns, values in (("api_keys", "name, role, secret_hash", f"'k' || i, 'viewer', {secret}"),
                                   ("alert_sources", "name, routing_key_hash", f"'s' || i, {secret}"),
                                   ("users", "name, role, password_hash", "'u' || i, 'viewer', 'x'")):
        database.rows(f"insert into {table} (id, {columns}) select gen_random_uuid(), {values}"
                      " from generate_series(1, 501) i returning 1")
    for kind in ("key", "source", "user"):
        direct = json.loads(good(kind, "list", "--json", DATABASE_URL=database.url))
        remote = json.loads(good(kind, "list", "--json", TOCSIN_URL=node.url, TOCSIN_KEY=node.key))
        assert len(direct) > 500 and [entry["id"] for entry in remote] == [entry["id"] for entry in direct], kind
        shown = run(kind, "list", TOCSIN_URL=node.url, TOCSIN_KEY=node.key)
        assert shown.stdout.count("\n") == len(direct) + 1 and not shown.stderr, kind


def test_a_shortened_url_is_one():
    """Seen to fail with only the whole word looked for: the option was then unknown."""
    for option in (["--u=http://127.0.0.1:1"], ["--ur", "http://127.0.0.1:1"]):
        done = run("key", "list", *option, DATABASE_URL="postgresql://127.0.0.1:2/nothing")
        assert done.returncode == 1 and "http://127.0.0.1:1/" in done.stderr, done


def test_any_procedure(node, tocsin, settings):
    """`call` reaches what has no command, and checks options before it asks."""
    made = tocsin("incident", "create", "Disk full", "called")["id"]
    assert tocsin("call", "resolveIncidentRefs", f"--ids={made}")
    assert tocsin("call", "getIncident", f"--id={made}")["id"] == made
    assert tocsin("call", "listIncidents", "--include-resolved", "--limit=1")["incidents"]
    for arguments in (["nonsense"], [], ["getIncident"], ["getIncident", "--nonsense"],
                      ["listIncidents", "--limit=many"], ["listIncidents", "--include-resolved=perhaps"]):
        done = run("call", *arguments, TOCSIN_URL="http://127.0.0.1:1")
        assert done.returncode == 64 and done.stderr and not done.stdout, done
    assert "resolveIncidentRefs" in good("call", "--help")


def test_any_procedure_that_is_offered_can_be_called(node, tocsin, settings):
    """Text is an answer, too: seen to fail with takes_text taken out ("not JSON"). What one request with a key cannot do is
    not offered, and says why; seen to be offered with the table not_called empty, and changePassword to have an option
    twice."""
    assert "\n# TYPE tocsin_http_requests_total counter\n" in good("call", "getMetrics", **settings)
    assert tocsin("call", "getDocs").startswith("<!doctype html>")
    assert tocsin("call", "getOpenApi")["openapi"].startswith("3.1")
    offered = re.findall(r"^  (\w+)  ", good("call", "--help").partition("Procedures:")[2], re.MULTILINE)
    known = {operation["operationId"] for path in tocsin("call", "getOpenApi")["paths"].values()
             for operation in path.values()}
    refused = {"streamEvents", "logIn", "logOut", "changePassword"}
    assert set(offered) == known - refused and refused < known
    for name in refused:
        done = run("call", name, **settings)
        assert done.returncode == 64 and "cannot be called: it" in done.stderr, done
    for name in offered:
        options = re.findall(r"^  (--[\w-]+)", good("call", name, "--help"), re.MULTILINE)
        assert len(set(options)) == len(options), name


def test_what_a_server_says_moves_no_cursor(tocsin, settings):
    """A title that clears the terminal of whoever lists incidents, or turns the order of what stands in the line: seen to
    come through without tc_visible_append, and the second with its ranges of bidirectional controls taken out. JSON has
    it as it is."""
    title = "red \x1b[31m\x9b2J\r\nalert \u00e9 \u202egnp.exe\u2069"
    made = tocsin("incident", "create", title, "unsafe")
    listed = good("incident", "list", "--system=unsafe", **settings)
    assert r"red \u001B[31m\u009B2J\u000D alert \u00e9 \u202Egnp.exe\u2069".replace(r"\u00e9", "\u00e9") in listed
    assert listed.count("\n") == 2
    for shown in (listed, good("incident", "show", made["id"], **settings)):
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", shown)
    assert tocsin("incident", "show", made["id"])["title"] == made["title"] == title


def test_following_events(database):
    """Everything once and in order across a restart of the server. Proves Last-Event-ID (seen: without it
    what happened between the two servers is missing, and the sixth event never comes)."""
    port = free_port()
    address = {"TOCSIN_LISTEN": f"127.0.0.1:{port}"}
    with Server(database_url=database.url, settings=address) as first:
        first.start()
        follower = subprocess.Popen([BINARY, "events", "--json", "--limit=6"], text=True, stdout=subprocess.PIPE,
                                    env=environment({"TOCSIN_URL": first.url, "TOCSIN_KEY": first.key}))
        try:
            seen = []
            reader = threading.Thread(target=lambda: seen.extend(map(json.loads, follower.stdout)))
            reader.start()
            wait_for(lambda: 'tocsin_event_streams 1' in first.anonymous.get("/metrics").body.decode(), "it follows")
            made = [first.api.create("followed")["id"]]
            wait_for(lambda: seen, "the event is there")
            first.stop()
            with Server(database_url=database.url) as other:
                made.append(other.start().api.create("followed")["id"])
            first.start()
            made.append(first.api.create("followed")["id"])
            assert follower.wait(60) == 0
            reader.join(10)
        finally:
            follower.kill()
            follower.wait()
        created = [event for event in seen if event["event"] == "incident.created"]
        assert len({event["id"] for event in seen}) == 6 and len(created) == 3
        assert [identity for event in created for identity in made if identity in json.dumps(event)] == made
        since = good("events", f"--since={created[0]['id']}", "--limit=1", TOCSIN_URL=first.url, TOCSIN_KEY=first.key)
        assert since.startswith("incident.") and made[0] in since


def follow_streams(answers):
    """`tocsin events --limit=1` with a server that gives these answers, one a request: a status and an event, or none."""
    asked = []

    class Streams(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            status, event = answers[len(asked)]
            asked.append(self.headers["Last-Event-ID"])
            self.send_response(status)
            self.end_headers()
            body = f"retry: 1\nid: {len(asked)}\n{event}\n" if status == 200 else '{"title": "Not now"}'
            self.wfile.write(body.encode())

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Streams) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            return run("events", "--limit=1", f"--url=http://127.0.0.1:{server.server_port}"), asked
        finally:
            server.shutdown()
            thread.join()


EVENT = "event: last\ndata: {}\n"


def test_following_goes_on_when_streams_end():
    """A server ends the streams of keys each minute. Seen to fail when a stream without an event made the next wait twice
    as long: soon it was 30 s, in which nothing is heard; and with a word about each, though nothing is wrong."""
    done, asked = follow_streams([(200, "")] * 19 + [(200, EVENT)])
    assert (done.returncode, done.stdout, done.stderr) == (0, "last\n", "")
    assert asked == [None, *map(str, range(1, 20))]


def test_following_waits_where_it_may_come_back():
    """429 is said of more streams than one caller may have, for now. Seen to end it, as 401 has to, and does."""
    done, asked = follow_streams([(200, ""), (429, ""), (503, ""), (200, EVENT)])
    assert (done.returncode, done.stdout, asked) == (0, "last\n", [None, "1", "1", "1"])
    assert re.findall(r"answered (\d+) .*; trying again", done.stderr) == ["429", "503"]
    for answers in ([(200, ""), (401, "")], [(429, "")]):  # it was never there: who waits should know
        done, asked = follow_streams(answers)
        assert done.returncode == 1 and len(asked) == len(answers) and "Not now" in done.stderr


def test_following_says_what_is_wrong(node):
    for url, words in (("http://127.0.0.1:1", "127.0.0.1:1"), (f"{node.url}/nowhere", "404")):
        done = run("events", f"--url={url}")
        assert done.returncode == 1 and words in done.stderr
    assert run("events", "--limit=0").returncode == 64


# ---- what is made of the tables ----

def test_every_option_is_known_to_its_command(commands, settings):
    """The tables promise nothing that a parser refuses: each option is tried, without a server and a database."""
    nowhere = {"TOCSIN_URL": "http://127.0.0.1:1", "DATABASE_URL": "postgresql://127.0.0.1:1/nothing"}
    for name, command in commands.items():
        options = [option for option in command["options"] if option["name"] != "help"]
        names = [option["name"] for option in command["options"]]
        assert len(set(names)) == len(names), name
        assert command["summary"].endswith(".") and len(command["summary"]) > 1, name
        if name == "call":
            continue
        words = [f"--{option['name']}" + ("=1" if option["argument"] else "") for option in options]
        known = run(*name.split(), *words, "--help", **nowhere)
        assert known.returncode in (0, 64) and "is unknown" not in known.stderr, known
        assert "is unknown" in run(*name.split(), "--nonsense", **nowhere).stderr, name


def test_every_word_is_a_field(commands):
    """What a procedure needs is a word of its command; a field that was renamed would be left over as an option."""
    for name, command in commands.items():
        helped = good("help", *name.split())
        assert helped.startswith(f"usage: tocsin {name}") and command["summary"] in helped
        assert not [option["name"] for option in command["options"] if option["required"]], name


def test_help_says_whom_a_command_asks(commands):
    """Seen to fail with the address that remote commands fall back to also in the help of those that go to the database
    then, and with no word of TOCSIN_KEY in that of events."""
    for name, command in commands.items():
        if "url" in [option["name"] for option in command["options"]]:
            helped = good("help", *name.split())
            assert ("http://127.0.0.1:3000" in helped) != ("straight to the database" in helped), name
            assert "TOCSIN_URL" in helped and "TOCSIN_KEY" in helped, name


def test_help_says_how_to_have_none(node, commands, settings):
    """The same flag of a field is "null" to programs and --no-NAME to people, who would store the word "null". Seen to fail
    with "null clears it" in the fields' own descriptions, which help and the manual page then said; and with the flag not
    looked at, in tc_option_notes for help, in put_description for programs."""
    for name in [*commands, *(f"call {name}" for name in ("updateIncident", "editUpdate", "addLink", "updateSystem"))]:
        helped = good("help", *name.split())
        assert "null" not in helped, name
        options = dict(re.findall(r"^  --([\w-]+)\S*(.*)", helped, re.MULTILINE))
        for option in options:
            if f"no-{option}" in options:
                assert options[option].endswith(f"; --no-{option} for none"), (name, options[option])
            else:
                assert " for none" not in options[option], (name, options[option])
    assert "null" not in good("help", "--mdoc") and "null" not in good("help", "--json")
    for path in json.loads(good("call", "getOpenApi", "--json", **settings))["paths"].values():
        for operation in path.values():
            body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
            for field, schema in body.get("properties", {}).items():
                assert ("null" in schema.get("type", [])) == schema["description"].endswith("; null for none"), (
                    operation["operationId"], field)
    assert node.anonymous.get("/docs").body.count(b"; null for none</tr>") >= 8


def complete_bash(*words):
    """What bash offers at the end of the words."""
    script = (f". <({BINARY} completion bash)\n" 'COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))\n'
              '_tocsin\nprintf "%s\\n" "${COMPREPLY[@]}"')
    done = subprocess.run(["bash", "-c", script, "bash", "tocsin", *words], capture_output=True, text=True, check=True)
    assert not done.stderr, done
    return done.stdout.split()


def test_bash_completion(commands):
    """Seen to fail, as zsh's, when values were completed behind a "=" only, and for `call` nothing but the name."""
    assert set(complete_bash("")) == {name.split()[0] for name in commands}
    assert complete_bash("inc") == ["incident"]
    assert set(complete_bash("incident", "link", "")) == {"add", "update", "remove"}
    assert complete_bash("incident", "create", "--sev") == ["--severity="]
    for words in (["--severity", "="], ["--severity", "=", ""], ["--severity="]):  # as bash splits them, or not
        assert [word.rpartition("=")[2] for word in complete_bash("incident", "create", *words)] == \
            ["minor", "major", "critical"], words
    assert complete_bash("incident", "create", "--severity", "=", "cr") == ["critical"]
    for words in (["incident", "list", "--status"], ["call", "listIncidents", "--status"]):
        assert complete_bash(*words, "res") == ["resolved"] and len(complete_bash(*words, "")) == 5, words
    assert complete_bash("key", "create", "--role", "") == ["admin", "manager", "viewer"]
    assert complete_bash("incident", "create", "--description", "") == []  # a value that nobody knows, no option
    assert complete_bash("incident", "list", "--all", "--sta") == ["--status="]  # needs no value
    assert complete_bash("call", "getInc") == ["getIncident", "getIncidentsForSystem"]
    assert complete_bash("call", "getIncident", "--") == ["--id=", "--url=", "--json", "--help"]
    assert "streamEvents" not in complete_bash("call", "")
    assert complete_bash("help", "incident", "li") == ["list", "link"] and complete_bash("--v") == ["--version"]
    assert complete_bash("incident", "show", "") == []
    for name, command in commands.items():
        offered = complete_bash(*name.split(), "--")
        assert {word.rstrip("=") for word in offered} == {f"--{option['name']}" for option in command["options"]}


def complete_zsh(folder, *words):
    """What zsh offers: its completion function run by hand, with compadd saying what it is given."""
    script = (f"compdef() {{ :; }}\ncompset() {{ :; }}\ncompadd() {{ shift ${{@[(i)--]}}; print -l -- $@; }}\n"
              f". <({BINARY} completion zsh)\nwords=(tocsin \"$@\"); CURRENT=$#words\n_tocsin")
    done = subprocess.run(["zsh", "-f", "-c", script, "zsh", *words], capture_output=True, text=True, check=True,
                          cwd=folder)
    assert not done.stderr, done
    return done.stdout.split()


def test_zsh_completion(commands, tmp_path):
    assert set(complete_zsh(tmp_path, "")) >= {name.split()[0] for name in commands}
    assert set(complete_zsh(tmp_path, "incident", "link", "")) == {"add", "update", "remove"}
    assert complete_zsh(tmp_path, "incident", "create", "--severity=") == ["minor", "major", "critical"]
    assert complete_zsh(tmp_path, "key", "create", "--role", "") == ["admin", "manager", "viewer"]
    assert complete_zsh(tmp_path, "incident", "create", "--description", "") == []
    assert complete_zsh(tmp_path, "call", "getIncident", "--") == ["--id=", "--url=", "--json", "--help"]
    assert set(complete_zsh(tmp_path, "help", "incident", "link", "")) == {"add", "update", "remove"}
    assert set(complete_zsh(tmp_path, "--")) == {"--help", "--version"}
    for name, command in commands.items():
        offered = complete_zsh(tmp_path, *name.split(), "--")
        assert {word.rstrip("=") for word in offered} == {f"--{option['name']}" for option in command["options"]}
