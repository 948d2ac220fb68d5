"""Fixtures of the system tests.

They run the built program (TOCSIN_BINARY, else build/tocsin) as processes of their own against PostgreSQL
clusters of their own, all in temporary directories and on free ports, so that any number of runs fit on
one machine. What a test opens is closed by its fixture, in reverse order, also when the test fails.
"""
import itertools
import os

import pytest

from cluster import Cluster
from server import BINARY, Server


def pytest_sessionstart():
    if not os.access(BINARY, os.X_OK):
        pytest.exit(f"there is no program {BINARY}: build it, or say where it is with TOCSIN_BINARY", 2)


@pytest.fixture(scope="session")
def cluster(tmp_path_factory):
    """One PostgreSQL for all tests that do not hurt it; each takes a database of its own in it."""
    # Durability is what the crash tests prove, with a cluster of their own.
    with Cluster(settings={"fsync": "off", "max_connections": "400"}) as shared:
        yield shared


_numbers = itertools.count(1)


@pytest.fixture
def database(cluster):
    """A new empty database."""
    with cluster.database(f"tocsin_{next(_numbers)}") as fresh:
        yield fresh


@pytest.fixture(scope="module")
def module_database(cluster):
    with cluster.database(f"tocsin_{next(_numbers)}") as fresh:
        yield fresh


@pytest.fixture
def start(database):
    """Starts nodes on `database`; stops those that still run, by SIGTERM, and wants exit status 0."""
    nodes = []

    def start_node(**settings):
        node = Server(database_url=database.url, settings=settings)
        nodes.append(node)
        return node.start()

    yield start_node
    for node in nodes:
        node.close()


@pytest.fixture(scope="module")
def node(module_database):
    """One node with a database that the tests of a module share."""
    with Server(database_url=module_database.url) as shared:
        yield shared.start()


@pytest.fixture(scope="module")
def callers(node):
    """{role: Api} of `node`, and "anonymous", who has no key."""
    return {"anonymous": node.anonymous, **{role: node.api.as_role(role) for role in ("viewer", "manager", "admin")}}
