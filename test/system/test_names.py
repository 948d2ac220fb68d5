"""Names are unique without regard to case, by Unicode, also where the database's locale knows ASCII only.

Seen to fail with tocsin_fold being lower(): "\u00c9dith" and "\u00e9DITH" were two of each kind, and the second user's
name was nobody's at the log-in."""
import json

import pytest

from server import Server, run
from session import PASSWORD, try_login

NAME, SAME = "\u00c9dith \u0416", "\u00e9DITH \u0436"


@pytest.fixture(scope="module")
def node(cluster):
    with cluster.database("tocsin_names", "template template0 lc_collate 'C' lc_ctype 'C'") as database, \
            Server(database_url=database.url) as shared:
        yield shared.start()


@pytest.mark.parametrize("path, rest", [
    ("systems", {}), ("groups", {}), ("sources", {}), ("users", {"role": "viewer", "password": PASSWORD})])
def test_one_name_however_it_is_written(node, path, rest):
    assert node.api.post(f"/api/v1/{path}", {"name": NAME, **rest}).status == 201
    assert node.api.post(f"/api/v1/{path}", {"name": SAME, **rest}).status == 409
    assert node.api.post(f"/api/v1/{path}", {"name": f"{NAME}s", **rest}).status == 201


def test_a_log_in_finds_it(node):
    made = node.api.post("/api/v1/users", {"name": f"{NAME} logs in", "role": "viewer", "password": PASSWORD})
    assert made.status == 201
    assert try_login(node.url, f"{SAME} LOGS IN").status == 201


def test_commands_find_it(node):
    """Those that look a name up in a list. Seen to fail with strcasecmp, which knows ASCII only, and with towlower alone,
    which takes the dotted I for an i: to the database they are two."""
    def show(name):
        done = run("group", "show", "--json", name, TOCSIN_URL=node.url, TOCSIN_KEY=node.key)
        return json.loads(done.stdout)["id"] if done.returncode == 0 else done.stderr

    made = {name: node.api.post("/api/v1/groups", {"name": name}).json["id"]
            for name in (f"{NAME} shown", "\u0130zmir", "izmir")}
    assert show(f"{SAME} SHOWN") == made[f"{NAME} shown"]
    assert show("IZMIR") == made["izmir"] and show("\u0130ZMIR") == made["\u0130zmir"]
    assert "nothing is called" in show(f"{SAME} SHOW") and "nothing is called" in show(f"{SAME} SHOWN!")
