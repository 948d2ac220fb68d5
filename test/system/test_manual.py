"""The manual pages: what they say of commands is what the program knows, and their markup is clean."""
import json
import re
import subprocess

import pytest

from programs import need
from server import REPOSITORY
from test_command_line import good

MAN = REPOSITORY / "docs" / "man"


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """tocsin(1) as the build makes it, and those that are written by hand."""
    folder = tmp_path_factory.mktemp("man")
    made = (MAN / "tocsin.1.in").read_text().replace("@COMMANDS@\n", good("help", "--mdoc"))
    (folder / "tocsin.1").write_text(made)
    return [folder / "tocsin.1", MAN / "tocsin.7", MAN / "libtocsin.3"]


def test_markup(pages):
    mandoc = need("mandoc")
    for page in pages:
        done = subprocess.run([mandoc, "-T", "lint", "-W", "warning", page], capture_output=True, text=True)
        assert done.returncode == 0 and not done.stdout, done.stdout


def test_every_command_and_option_is_in_the_manual(pages):
    """Seen to fail with the loop over options taken out of print_mdoc_command."""
    page = pages[0].read_text()
    sections = dict(section.split("\n", 1) for section in page.split("\n.Ss tocsin ")[1:])
    for command in json.loads(good("help", "--json")):
        section = sections[command["name"]]
        for option in command["options"][:-1]:  # the last is --help, as everywhere
            assert f".It Fl \\&-{option['name']}" in section.replace(" Ns", "\n"), (command["name"], option["name"])


def test_every_public_function_is_described():
    """By the comment before it. Seen to fail with tocsin_locks_new, tocsin_locks_get_stats and others without one."""
    for header in (REPOSITORY / "include/tocsin").glob("*.h"):
        lines = header.read_text().splitlines()
        for before, line in zip(lines, lines[1:]):
            if re.match(r"(?!typedef)\w.*\btocsin_\w+\(", line):
                assert before.endswith("*/") or before.startswith("#define"), (header.name, line)


def test_every_public_function_is_in_the_manual():
    page = (MAN / "libtocsin.3").read_text()
    names = subprocess.run(["grep", "-ohE", r"\btocsin_[a-z_]+\(", *(REPOSITORY / "include/tocsin").glob("*.h")],
                           capture_output=True, text=True, check=True).stdout
    for name in {name.rstrip("(") for name in names.split()}:
        assert f".Fn {name}" in page, name
