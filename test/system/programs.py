"""Programs that tests need beside Tocsin and PostgreSQL. script/install-packages installs them: without one a test fails,
because a test that is left out shows nothing. What cannot be had at all (namespaces in a chroot) may skip."""
import shutil

import pytest


def need(name):
    """Where the program is; fails the test if there is none."""
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    if not path:
        pytest.fail(f"{name} is not installed; script/install-packages test installs it", pytrace=False)
    return path
