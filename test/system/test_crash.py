"""Point 11: PostgreSQL and the server are killed under load; nothing acknowledged is lost, nothing is twice.

The load keeps a list of what was acknowledged, as a client would, so that an answer sent before its commit shows
as an acknowledged incident that is not there. A request without an answer is sent again: it may or may not have
been done, and the dedupe makes that harmless."""
import collections
import contextlib
import http.client
import threading

import pytest

from cluster import Cluster
from server import Server
from waiting import wait_for

CLIENTS = 8
ENOUGH = 200  # acknowledged creates before and after each blow


class Load:
    """Clients that open incidents of ever new systems, twice each, and remember every answer."""

    def __init__(self, node):
        self.node, self.stopped, self.mutex = node, threading.Event(), threading.Lock()
        self.acknowledged = collections.defaultdict(set)  # system to incidents
        self.count, self.failures, self.unexpected = 0, 0, []
        self.threads = [threading.Thread(target=self._run, args=(i,), daemon=True) for i in range(CLIENTS)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        for thread in self.threads:
            thread.join(120)
        assert not any(thread.is_alive() for thread in self.threads)

    def _try(self, system):
        """True when it was acknowledged."""
        try:
            reply = self.node.api.create_once(system, initialMessage="under load")
        except (OSError, http.client.HTTPException):  # no server at the moment
            return False
        with self.mutex:
            if reply.status in (200, 201):
                self.acknowledged[system].add(reply.json["incident"]["id"])
                self.count += 1
                return True
            if reply.status not in (409, 503):
                self.unexpected.append(reply)
        return False

    def _run(self, client):
        try:
            self._open_new_ones(client)
        except Exception as error:  # the thread's; told by whoever looks
            self.unexpected.append(error)

    def _open_new_ones(self, client):
        number = 0
        while not self.stopped.is_set():
            for _ in range(2):
                while not self._try(f"load-{client}-{number}") and not self.stopped.is_set():
                    with self.mutex:
                        self.failures += 1
                    self.stopped.wait(0.02)  # what a client does that was told to try again
            number += 1

    def go_on(self):
        """Waits until more is acknowledged than now."""
        target = self.count + ENOUGH
        wait_for(lambda: self.count >= target or self.unexpected, "creates are acknowledged", 90)
        assert not self.unexpected, self.unexpected


def assert_nothing_lost(load, node):
    assert not load.unexpected, load.unexpected
    assert load.failures > 0, "the blow was not felt: the test proves nothing"
    listed, query = collections.defaultdict(set), "?limit=500"
    while query:
        page = node.api.incidents(query)
        for found in page["incidents"]:
            listed[found["systemIds"][0]].add(found["id"])
        query = f"?limit=500&cursor={page['nextCursor']}" if "nextCursor" in page else None
    lost = {system: ids for system, ids in load.acknowledged.items() if listed[system] != ids}
    assert not lost
    twice = {system: ids for system, ids in listed.items() if len(ids) > 1}
    assert not twice
    assert len(load.acknowledged) >= ENOUGH


def test_postgres_killed_and_restarted_by_others():
    """The database of DATABASE_URL is killed (-9) twice under load and started again by its administrator. Proves that
    the server outlives it and finds back by itself. That it notices a loss was seen with synchronous_commit off, where
    PostgreSQL acknowledges commits before they are safe: acknowledged incidents were gone."""
    with Cluster(loopback=True) as cluster, cluster.database("tocsin") as database, \
            Server(database_url=database.url, settings={"DATABASE_POOL_CONNECTION_TIMEOUT_MS": 2000}) as node:
        node.start()
        with Load(node) as load:
            for _ in range(2):
                load.go_on()
                cluster.kill()
                wait_for(lambda: node.anonymous.get("/readyz").status == 503, "/readyz tells of the outage")
                cluster.start()
                load.go_on()
        assert node.process.poll() is None
        assert_nothing_lost(load, node)


def test_embedded_postgres_killed():
    """The embedded cluster is killed (-9) twice under load. Proves its supervision: nobody but serve restarts it
    (seen: with the loop left after the first end, no other postmaster comes)."""
    with Server(settings={"DATABASE_POOL_CONNECTION_TIMEOUT_MS": 2000}) as node:
        node.start()
        with Load(node) as load:
            for _ in range(2):
                load.go_on()
                before = node.postmaster()
                node.kill_postgres()
                wait_for(lambda before=before: node.postmaster() not in (None, before), "another postmaster runs")
                load.go_on()
        assert_nothing_lost(load, node)
        wait_for(node.is_ready, "/readyz answers 200 again")


@pytest.mark.parametrize("embedded", [False, True], ids=["external", "embedded"])
def test_server_killed(embedded, request):
    """The server is killed (-9) twice under load and started again. Proves that an answer follows its commit; on the
    embedded cluster, also that the orphaned cluster and its stale files are recovered from."""
    with contextlib.ExitStack() as stack:
        url = None
        if not embedded:
            url = request.getfixturevalue("database").url
        node = stack.enter_context(Server(database_url=url))
        node.start()
        with Load(node) as load:
            for _ in range(2):
                load.go_on()
                node.kill()
                node.start()
                load.go_on()
        assert_nothing_lost(load, node)
