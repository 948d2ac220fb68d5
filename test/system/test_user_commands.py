"""`tocsin user`: how the first admin is made, and who forgot a password gets in again."""
import json
import os
import pty
import pwd
import select
import subprocess

import pytest

from server import BINARY, Server, environment, run
from session import HEARD_S, PASSWORD, SESSION, log_in, try_login
from waiting import wait_for

DONE_S = 60
ACTOR = f"cli:{pwd.getpwuid(os.geteuid()).pw_name}"  # seen to be nobody


@pytest.fixture(scope="module")
def user(module_database):
    """Runs a command with a password on standard input."""
    def command(*arguments, password=PASSWORD):
        settings = environment({"DATABASE_URL": module_database.url})
        return subprocess.run([BINARY, "user", *arguments], env=settings, input=f"{password}\n", capture_output=True,
                              text=True, timeout=DONE_S, check=False)
    return command


def good(done):
    assert done.returncode == 0 and not done.stderr, done
    return done.stdout


def test_life_of_a_user(user, node, module_database):
    made = json.loads(good(user("create", "--role=admin", "--password-stdin", "--json", "Ada")))
    assert (made["name"], made["role"]) == ("Ada", "admin") and made["createdBy"] == ACTOR
    identity = good(user("create", "--password-stdin", "Grace")).strip()
    assert len(identity) == 36

    table = good(user("list"))
    assert "Ada" in table and "Grace" in table and "argon2" not in table
    users = {entry["name"]: entry for entry in json.loads(good(user("list", "--json")))}
    assert users["Grace"]["id"] == identity and users["Grace"]["role"] == "manager"

    ada, grace = log_in(node.url, "Ada"), log_in(node.url, "grace")
    assert ada.get("/api/v1/users").status == 200 and grace.get("/api/v1/users").status == 403
    # The running node hears of what the commands do (seen to fail as the node's own tests of it are).
    assert good(user("passwd", "--password-stdin", "GRACE", password="another " + PASSWORD)) == ""
    wait_for(lambda: grace.get(SESSION).json["kind"] == "anonymous", "the session has ended", HEARD_S)
    assert try_login(node.url, "grace").status == 401
    grace = log_in(node.url, "grace", "another " + PASSWORD)
    assert good(user("delete", "Grace")) == ""
    wait_for(lambda: grace.get(SESSION).json["kind"] == "anonymous", "the user has gone", HEARD_S)
    events = module_database.rows("select kind, actor from events where subject = %s and kind like 'auth.user.%%'"
                                  " order by transaction, sequence", (identity,))
    assert events == [("auth.user.created", ACTOR), ("auth.user.updated", ACTOR), ("auth.user.deleted", ACTOR)]


def test_mistakes(user):
    good(user("create", "--password-stdin", "taken"))
    for arguments, password, status, words in (
            (["create", "--password-stdin"], PASSWORD, 64, "NAME"),
            (["create", "--password-stdin", "--role=king", "x"], PASSWORD, 64, "king"),
            (["create", "--password-stdin", ""], PASSWORD, 1, "1 to 100"),
            (["create", "--password-stdin", "x"], "short", 1, "10 to 200"),
            (["create", "--password-stdin", "x"], "x" * 5000, 1, "10 to 200"),
            (["create", "--password-stdin", "TAKEN"], PASSWORD, 1, "of that name"),
            (["create", "x"], PASSWORD, 1, "no terminal"),
            (["passwd", "--password-stdin", "nobody"], PASSWORD, 1, "no user nobody"),
            (["delete", "nobody"], PASSWORD, 1, "no user nobody"),
            (["delete"], PASSWORD, 64, "NAME"), (["list", "x"], PASSWORD, 64, "too many")):
        done = user(*arguments, password=password)
        assert done.returncode == status and words in done.stderr and not done.stdout, done
        assert password not in done.stderr


class Terminal:
    """A command that talks to a person."""

    def __init__(self, url, *arguments):
        self.master, slave = pty.openpty()
        self.process = subprocess.Popen([BINARY, "user", *arguments], env=environment({"DATABASE_URL": url}),
                                        stdin=slave, stdout=slave, stderr=slave, close_fds=True)
        os.close(slave)
        self.text = ""

    def read(self):
        """OSError when the command has gone."""
        assert select.select([self.master], [], [], DONE_S)[0], f"it says no more than {self.text!r}"
        self.text += os.read(self.master, 1000).decode()

    def wait_for(self, words):
        while words not in self.text:
            self.read()

    def answer(self, prompt, typed):
        self.wait_for(prompt)
        os.write(self.master, typed.encode())

    def finish(self):
        """Its exit status; all it showed is in `text`."""
        try:
            while True:
                self.read()
        except OSError:  # it has gone
            pass
        os.close(self.master)
        return self.process.wait(DONE_S)


def test_prompt(user, node, module_database):
    """A password that is typed is not shown: seen to fail with ECHO left on."""
    terminal = Terminal(module_database.url, "create", "typist")
    terminal.answer("Password: ", f"{PASSWORD}\n")
    terminal.answer("The same again: ", f"{PASSWORD}\n")
    assert terminal.finish() == 0
    assert PASSWORD not in terminal.text
    log_in(node.url, "typist")

    terminal = Terminal(module_database.url, "create", "careless")
    terminal.answer("Password: ", f"{PASSWORD}\n")
    terminal.answer("The same again: ", f"{PASSWORD}!\n")
    assert terminal.finish() == 1 and "differ" in terminal.text

    terminal = Terminal(module_database.url, "create", "hesitant")
    terminal.answer("Password: ", "corr\x03")  # Ctrl-C
    assert terminal.finish() == 1 and "given up" in terminal.text
    assert "careless" not in good(user("list")) and "hesitant" not in good(user("list"))


def test_first_admin_of_an_embedded_cluster():
    """Before the first start of a server, and without any key."""
    with Server() as server:
        settings = environment(server.settings)
        subprocess.run([BINARY, "user", "create", "--role=admin", "--password-stdin", "first"], env=settings,
                       input=PASSWORD, text=True, check=True, capture_output=True, timeout=DONE_S)
        server.start()
        assert log_in(server.url, "first").get("/api/v1/users").json["users"][0]["name"] == "first"
        assert "first" in run("user", "list", **server.settings).stdout
