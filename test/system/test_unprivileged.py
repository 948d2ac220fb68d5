"""An ordinary user starts Tocsin: the data goes where that user's data lives, and PostgreSQL runs as that user."""
import os
import pathlib
import shutil
import subprocess

import pytest

from server import BINARY, REPOSITORY, Server, run

@pytest.fixture
def node(monkeypatch):
    """A server of an ordinary user, whose home is the server's folder; not started yet."""
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    with Server(admin_key=None) as made:
        del made.settings["TOCSIN_DATA_DIR"]
        made.settings["HOME"] = made.folder
        # A clone may be where only root can go.
        made.options = {"program": shutil.copy(BINARY, made.folder / "tocsin"), "cwd": made.folder}
        if os.geteuid() == 0:
            shutil.chown(made.folder, "nobody")
            made.options.update(user="nobody", group="nogroup", extra_groups=[])
        yield made


@pytest.mark.parametrize("data_home", [None, "mine"])
def test_an_ordinary_user(node, data_home):
    """Without TOCSIN_DATA_DIR: $XDG_DATA_HOME/tocsin, else ~/.local/share/tocsin. Seen to fail:
    with root's place for everybody, which is not theirs to write."""
    if data_home:
        node.settings["XDG_DATA_HOME"] = node.folder / data_home
    data = node.folder / (data_home or ".local/share") / "tocsin"
    node.start()
    assert f"Its data lives in {data}" in node.lines
    node.key = next(word for word in node.log.split() if word.startswith("tocsin_"))
    assert node.api.create_once("mine").status == 201
    owner = data.stat()
    assert owner.st_mode & 0o077 == 0  # nobody else's business
    pidfile = data / "postgres" / "postmaster.pid"
    postmaster = pidfile.read_text().split()[0]
    assert pathlib.Path(f"/proc/{postmaster}").stat().st_uid == owner.st_uid == node.folder.stat().st_uid
    # Also root's commands leave what this user's can open. Seen to fail with the file made as root's.
    assert run("key", "list", TOCSIN_DATA_DIR=data).returncode == 0
    assert (data / "tocsin.users").stat().st_uid == owner.st_uid
    node.stop()
    assert not pidfile.exists()


@pytest.mark.parametrize("place, reason", [("read-only", "Permission denied"), ("read-only/data", "Permission denied"),
                                           ("closed/data", "Permission denied")])
def test_a_directory_that_is_not_theirs_to_write(node, place, reason):
    """Exit 78, naming the setting, the value and what is allowed: seen to fail with exit status 1 and no setting named,
    when errors of the data directory were passed on as they come."""
    for name, mode in (("read-only", 0o555), ("closed", 0o000)):
        (node.folder / name).mkdir()
        (node.folder / name).chmod(mode)
    node.settings["TOCSIN_DATA_DIR"] = node.folder / place
    node.spawn(**node.options)
    assert node.process.wait(60) == 78
    node.close_output()
    for words in (f'TOCSIN_DATA_DIR: "{node.folder / place}"', "absolute path of a directory", reason):
        assert words in node.log
    (node.folder / "closed").chmod(0o755)


def test_missing_packages_are_named(node):
    """script/install-packages, which script/run begins with, where it can install nothing: it says what to do. Seen to fail
    with `exec sudo` whether or not there is one."""
    folder = node.folder / "programs"  # with no sudo among them
    folder.mkdir()
    query = folder / "dpkg-query"
    query.write_text("#!/bin/sh\ncase \"$*\" in *libpq-dev*) exit 1;; esac\necho installed\n")
    query.chmod(0o755)
    script = shutil.copy(REPOSITORY / "script" / "install-packages", node.folder)
    options = {name: value for name, value in node.options.items() if name != "program"}
    done = subprocess.run(["/bin/bash", script, "run"], env={"PATH": str(folder)}, capture_output=True, text=True,
                          check=False, **options)
    assert done.returncode == 69 and "apt-get install --no-install-recommends libpq-dev\n" in done.stderr, done
