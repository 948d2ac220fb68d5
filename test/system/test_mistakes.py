"""What the command line says when something is wrong: its own words, a server that means ill or is none, and output that
cannot be written."""
import contextlib
import http.server
import json
import subprocess
import threading

import pytest

from server import BINARY, environment, run
from test_command_line import good

# What the second line of the usage is for: where help is.
TRY = "\ntry: tocsin "


@pytest.fixture
def settings(node):
    return {"TOCSIN_URL": node.url, "TOCSIN_KEY": node.key}


# ---- finding the way ----

def test_what_every_program_has():
    """Seen to fail with as_options empty: there was no command "--version"."""
    assert good("--version") == good("-V") == good("version")
    assert json.loads(good("--version", "--json")) == json.loads(good("version", "--json"))
    assert good("--help") == good("-h") == good("help")
    assert good("--help", "incident", "link") == good("incident", "link", "--help") == good("help", "incident", "link")
    assert good("--help", "key", "create") == good("key", "create", "-h") == good("help", "key", "create")
    assert good("help", "call", "getIncident") == good("call", "getIncident", "--help")


@pytest.mark.parametrize("words, said", [
    (["incidnet", "list"], 'there is no command "incidnet"'),
    (["incident", "nope"], 'tocsin incident: there is no command "nope"'),
    (["help", "nope"], 'there is no command "nope"'),
    (["help", "call", "nope"], 'there is no procedure "nope"'),
    (["--url=x", "incident", "list"], '"--url=x"'),
    # The word that is meant, though getopt stays before it, or has moved words. Seen to name the word before it.
    (["incident", "comment", "00000000-0000-7000-8000-000000000000", "-dash"], "option -dash is unknown"),
    (["incident", "list", "--json", "-xyz"], "option -xyz is unknown"),
    (["incident", "list", "--nonsense=1", "--json"], "option --nonsense=1 is unknown"),
    (["incident", "list", "--json=1"], "option --json=1 takes no value"),
    (["incident", "create", "--s", "minor", "a", "b"], "option --s is the beginning of several"),
    (["incident", "list", "--status"], "option --status needs a value"),
    (["incident", "show"], "tocsin incident show [OPTION...] ID"),
    # A variable of a script that is not set. Seen to be asked of the server, which knows no such path.
    (["incident", "show", ""], "id must not be empty"),
    (["call", "getIncident", "--id="], "id must not be empty"),
    # Nor one that somebody else filled. Seen to clear the terminal.
    (["incident", "show", "a", "b\x1b[2J"], r"one argument too many: b\u001B[2J"),
    (["incident", "list", "--\x1b[2J"], r"option --\u001B[2J is unknown"),
    (["incident\x1b[2J"], r'there is no command "incident\u001B[2J"'),
])
def test_a_wrong_word_is_named(words, said):
    """In two lines: a list of all commands would hide it. No server is asked."""
    done = run(*words, TOCSIN_URL="http://127.0.0.1:1")
    assert done.returncode == 64 and not done.stdout and said in done.stderr, done
    assert TRY in done.stderr and done.stderr.count("\n") == 2 and "\x1b" not in done.stderr, done


def test_help_says_what_is_so_unless_said():
    """And what a name may stand for. Seen to say neither."""
    assert "(minor, major, critical); major unless given\n" in good("incident", "create", "--help")
    assert "usage: tocsin user update [OPTION...] ID|NAME\n" in good("user", "update", "--help")


def test_groups_list_their_commands():
    done = run("incident", "link")
    assert done.returncode == 64 and "incident link remove" in done.stderr and "group list" not in done.stderr


# ---- what a server refuses ----

@pytest.mark.parametrize("words, said", [
    (["group", "create"], "409 Conflict: The name is taken (/name)"),
    (["source", "create"], "409 Conflict: The name is taken (/name)"),
    (["incident", "create", ""], "400 Bad Request: Invalid input: /title: must have at least 1 character"),
])
def test_a_refusal_is_told_once(settings, words, said):
    """With the field. Seen to be told twice: "The name is taken; /name is taken"."""
    if said.startswith("409"):
        good(*words, "twice", **settings)
    done = run(*words, "TWICE", **settings)
    assert done.returncode == 1 and not done.stdout
    assert done.stderr == f"tocsin {words[0]} create: the server answered {said}\n"


def test_every_field_that_is_wrong_is_told(settings):
    """Once. Seen to be the first one twice, and no other."""
    done = run("incident", "create", "--severity=x", "", "there", **settings)
    assert done.returncode == 1 and "400 Bad Request: Invalid input: 2 errors" in done.stderr
    assert done.stderr.count("/title") == done.stderr.count("/severity") == 1, done


def test_a_foreign_refusal_has_its_own_words(node, settings):
    """PagerDuty's errors are no problem documents. Seen to be a number without a word."""
    done = run("call", "ingestPagerDuty", "--routing_key=x", "--event_action=trigger", f"--url={node.url}")
    assert done.returncode == 1 and "the server answered 400 " in done.stderr and "routing_key" in done.stderr, done


def test_a_system_may_be_called_dots(settings):
    """Seen to fail without PATH_AS_IS: curl takes "x/.." out of a path, and `system show ..` asks for all of the API."""
    for name in (".", ".."):
        good("system", "create", f"dots {name}", f"--id={name}", **settings)
        assert json.loads(good("system", "show", name, "--json", **settings))["id"] == name
        assert good("system", "delete", name, **settings) == ""


def test_a_column_that_nothing_is_in_is_left_out(settings):
    """A system's link has no visibility: seen to be shown as "-" for each with drop_empty_columns taken out."""
    good("system", "create", "Linked", "--id=linked", **settings)
    good("system", "link", "add", "linked", "https://example.org/a", **settings)
    shown = good("system", "show", "linked", **settings)
    assert "\nID                                    URL\n" in shown
    made = json.loads(good("incident", "create", "--json", "Links", "linked", **settings))["id"]
    good("incident", "link", "add", made, "https://example.org/b", "--visibility=internal", **settings)
    assert "\nID                                    VISIBILITY  URL\n" in good("incident", "show", made, **settings)


def test_nothing_is_told_as_nothing(settings):
    """Seen to be an empty line, and a heading over nothing."""
    assert good("system", "health", "nowhere", **settings) == "overrides  -\n"
    made = json.loads(good("incident", "create", "--json", "Told", "told", **settings))["id"]
    assert good("incident", "states", made, **settings).startswith(f"{made}\nstatus ")


def test_lists_in_lists_are_as_short_as_lists(settings):
    """Seen to have every member of an update, or of an incident, as a column."""
    made = json.loads(good("incident", "create", "--json", "--message=first", "Short", "short", **settings))["id"]
    shown = good("incident", "updates", made, **settings)
    assert shown.splitlines()[3].split() == "ID CREATED AT STATUS CHANGE VISIBILITY CREATED BY NAME MESSAGE".split()
    by_system = good("incident", "by-system", **settings).partition("\nshort\n")[2].splitlines()
    assert by_system[0].split() == "ID STATUS SEVERITY CREATED AT SYSTEM IDS TITLE".split() and made in by_system[1]


def test_what_only_some_have_is_a_column(node, settings):
    """Seen to be no column, as only the first thing in the list was looked at."""
    absent = "00000000-0000-7000-8000-000000000000"
    made = json.loads(good("incident", "create", "--json", "Columns", "columns", **settings))["id"]
    done = run("incident", "bulk-resolve", made, absent, **settings)
    assert done.returncode == 1 and f"There is no incident {absent}" in done.stdout, done
    good("system", "create", "Described", "--id=described", "--description=why", **settings)
    good("system", "create", "Bare", "--id=bare", **settings)
    assert "DESCRIPTION" in good("call", "listSystems", "--limit=2", f"--url={node.url}", **settings)


def test_a_group_is_found_by_name(settings):
    """As an option, too: seen to be refused as no UUID."""
    good("group", "create", "Named", **settings)
    good("system", "create", "Grouped", "--id=grouped", **settings)
    good("group", "add", "named", "grouped", **settings)
    listed = json.loads(good("system", "list", "--group=NAMED", "--json", **settings))["systems"]
    assert [system["id"] for system in listed] == ["grouped"]


# ---- what is no server, or no good one ----

@contextlib.contextmanager
def answering(*answers):
    """The address of a server that says these, each (status, type, body), one after the other, and the last for good."""
    left = list(answers)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            status, content_type, body = left.pop(0) if len(left) > 1 else left[0]
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with contextlib.suppress(ConnectionError):  # nobody has to read to the end
                self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


HOSTILE = "\x1b]0;owned\x07\u202edne\x9b"
SAFE = r"\u001B]0;owned\u0007\u202Edne\u009B"


def test_errors_and_names_move_no_cursor():
    """Everything that a person sees of an answer, not only the cells of tables. Seen to come through in each place."""
    problem = json.dumps({"title": "x", "detail": HOSTILE, "errors": [{"pointer": "/" + HOSTILE, "detail": "no"}]})
    with answering((409, "application/problem+json", problem.encode())) as url:
        done = run("incident", "list", f"--url={url}")
    assert done.returncode == 1 and done.stderr.count(SAFE) == 2 and "\x1b" not in done.stderr, done
    page = json.dumps({"incidents": [{"id": HOSTILE}], "nextCursor": HOSTILE, HOSTILE: [{HOSTILE: HOSTILE}]})
    with answering((200, "application/json", page.encode())) as url:
        for done in (run("incident", "list", f"--url={url}"), run("call", "listIncidents", f"--url={url}")):
            assert done.returncode == 0 and SAFE in done.stdout, done
            assert not {"\x1b", "\x07", "\u202e", "\x9b"} & set(done.stdout + done.stderr), done
    with answering((200, "text/plain", f"a\tb\n{HOSTILE}".encode())) as url:
        assert run("call", "getMetrics", f"--url={url}").stdout == f"a\tb\n{SAFE}\n"
        assert json.loads(run("call", "getMetrics", "--json", f"--url={url}").stdout) == f"a\tb\n{HOSTILE}"


def test_reasons_move_no_cursor():
    """Nor does what a server says while its events are followed. Seen to come through where it was printed as it is."""
    said = (200, "text/event-stream", b"retry: 1\nevent: something.happened\ndata: {}\n\n")
    problem = json.dumps({"title": "x", "detail": HOSTILE})
    with answering(said, (503, "application/problem+json", problem.encode()), said) as url:
        done = run("events", "--limit=2", f"--url={url}")
    assert done.returncode == 0 and done.stdout == 2 * "something.happened\n"
    assert f"answered 503 x: {SAFE}; trying again\n" in done.stderr and "\x1b" not in done.stderr, done


@pytest.mark.parametrize("status, content_type, body, said", [
    (200, "text/html", b"<html>", "something that is not JSON"),
    (502, "text/html", b"<html>bad gateway", "answered 502 without saying why: is it a Tocsin server?"),
    (301, "text/html", b"", "answered 301 without saying why: is it a Tocsin server?"),
    (422, "application/problem+json", b'{"title": "T", "detail": "D.", "errors": [{"pointer": "/p", "detail": "d"}]}',
     "the server answered 422 T: D; /p d\n"),
])
def test_something_else_answers(status, content_type, body, said):
    """Seen to be a number without a word."""
    with answering((status, content_type, body)) as url:
        done = run("incident", "list", f"--url={url}")
    assert done.returncode == 1 and said in done.stderr and not done.stdout, done
    assert (f"{url}/api/v1/incidents" in done.stderr) == (status != 422)


def test_an_answer_that_does_not_end():
    """Seen to be a failure to write, as libcurl calls it."""
    with answering((200, "application/json", b" " * (16 * 1024 * 1024 + 1))) as url:
        done = run("incident", "list", f"--url={url}")
    assert done.returncode == 1 and "answered more than 16 MiB" in done.stderr, done


@pytest.mark.parametrize("command", [["incident", "list"], ["events"]])
@pytest.mark.parametrize("url", ["http://", "ftp://127.0.0.1", "http://127.0.0.1:3000?a=b", "http://127.0.0.1:99999",
                                 "http://127.0.0.1:30 00", "http://127.0.0.1:3000#a"])
def test_an_address_that_is_none(command, url):
    """Says where it comes from. Seen to look for a host called "api" for http://."""
    for done, name in ((run(*command, TOCSIN_URL=url), "TOCSIN_URL"), (run(*command, f"--url={url}"), "--url")):
        assert done.returncode == 1 and f'{name}: "{url}" is no address of a server' in done.stderr, done


def test_a_key_that_is_none(node):
    """Seen to be sent."""
    for key in (f"{node.key}\r", f"{node.key}\nX-Other: 1", f"{node.key} "):
        done = run("incident", "list", TOCSIN_URL=node.url, TOCSIN_KEY=key)
        assert done.returncode == 1 and "TOCSIN_KEY" in done.stderr and node.key not in done.stderr, done


def test_a_key_that_is_forgotten(node):
    """What a server says of its headers helps nobody at a command line."""
    done = run("incident", "create", "x", "y", TOCSIN_URL=node.url)
    assert done.returncode == 1 and "(TOCSIN_KEY is not set)" in done.stderr
    done = run("incident", "create", "x", "y", TOCSIN_URL=node.url, TOCSIN_KEY="wrong")
    assert done.returncode == 1 and "401" in done.stderr and "not set" not in done.stderr


# ---- output ----

def test_a_closed_output_is_a_failure():
    """What is printed while a connection is open goes nowhere else. Seen to be written to a descriptor of libcurl, and
    called a success, without fill_standard_descriptors."""
    with answering((200, "text/event-stream", b"id: 1\nevent: something.happened\ndata: {}\n\n")) as url:
        words = [BINARY, "events", "--limit=1", f"--url={url}"]
        assert subprocess.run(words, env=environment({}), check=True, capture_output=True, text=True,
                              timeout=60).stdout == "something.happened\n"
        done = subprocess.run(["bash", "-c", 'exec "$@" >&-', "bash", *words], env=environment({}), check=False,
                              stderr=subprocess.PIPE, text=True, timeout=60)
    assert done.returncode == 1 and "Bad file descriptor" in done.stderr, done


@pytest.mark.parametrize("words", [["incident", "list"], ["incident", "list", "--json"], ["help"], ["help", "--json"],
                                   ["help", "--mdoc"], ["--version"], ["completion", "bash"], ["call", "--help"],
                                   ["call", "getMetrics"], ["incident", "list", "--help"], ["key", "list", "--json"]])
def test_a_full_disk_is_a_failure(settings, words):
    """Says why. Seen to give no reason where the JSON was too long for one buffer."""
    with open("/dev/full", "w", encoding="ascii") as full:
        done = subprocess.run([BINARY, *words], env=environment(settings), stdout=full, stderr=subprocess.PIPE, text=True,
                              check=False, timeout=60)
    assert done.returncode == 1 and "No space left on device" in done.stderr and done.stderr.count("\n") == 1, done


def test_what_is_beside_the_data_comes_behind_it(settings):
    """Where both go to one place. Seen to stand before or within the table without the fflush of tc_command_say."""
    for number in range(2):
        good("incident", "create", f"paged {number}", "paged", **settings)
    done = subprocess.run([BINARY, "incident", "list", "--system=paged", "--limit=1"], env=environment(settings), text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=True, timeout=60)
    heading, line, more = done.stdout.splitlines()
    assert heading.startswith("ID ") and line.endswith("paged 1") and more.startswith("there are more: --cursor=")
