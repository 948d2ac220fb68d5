"""A DATABASE_URL of two hosts, a primary and its synchronous standby: the primary is killed (-9) under load and the
standby promoted. Nothing acknowledged is lost, nothing is twice, and the server serves again by itself.

Proves that connections are made to the host that takes writes, whichever stands first, before and after. Seen to fail:
without target_session_attrs=read-write (neither in the URL nor added by the server) it finds the standby first, and
cannot even start."""
import subprocess

import psycopg2
import pytest

from cluster import START_S, Cluster, Database, program
from server import Server
from test_crash import Load, assert_nothing_lost
from waiting import wait_for


class Standby(Cluster):
    """A copy of `primary` that follows it."""

    def __init__(self, primary):
        super().__init__(loopback=True)
        self.primary = primary

    def __enter__(self):
        try:
            subprocess.run([program("pg_basebackup"), "-D", self.data, "-R", "-c", "fast", "--no-sync", "-d",
                            f"host=127.0.0.1 port={self.primary.settings['port']} user=postgres"],
                           check=True, capture_output=True, cwd="/", timeout=START_S, **self.owner)
            return self.start()
        except BaseException:
            self.close()
            raise

    def promote(self):
        self.execute("select pg_promote()")


def value(cluster, statement):
    database = Database(cluster, "postgres")
    try:
        return database.value(statement)
    finally:
        database.close()


@pytest.fixture
def pair():
    """A primary that waits for its standby at each commit, and that standby; both know the database tocsin."""
    with Cluster(loopback=True) as primary:
        primary.execute("create database tocsin")
        with Standby(primary) as standby:
            primary.execute("alter system set synchronous_standby_names = '*'")
            primary.execute("select pg_reload_conf()")
            wait_for(lambda: value(primary, "select count(*) from pg_stat_replication where sync_state = 'sync'") == 1,
                     "the standby is a synchronous one")
            yield primary, standby


@pytest.mark.parametrize("query", ["", "?target_session_attrs=read-write"], ids=["implied", "said"])
def test_a_standby_takes_over(pair, query):
    primary, standby = pair
    hosts = ",".join(f"127.0.0.1:{cluster.settings['port']}" for cluster in (standby, primary))
    with Server(database_url=f"postgresql://postgres@{hosts}/tocsin{query}",
                settings={"DATABASE_POOL_CONNECTION_TIMEOUT_MS": 2000}) as node:
        node.start()
        with Load(node) as load:
            load.go_on()
            primary.kill()
            wait_for(lambda: node.anonymous.get("/readyz").status == 503, "/readyz tells of the outage")
            standby.promote()
            load.go_on()
            wait_for(node.is_ready, "/readyz answers 200 again")
        assert node.process.poll() is None
        assert_nothing_lost(load, node)


def test_a_host_that_stops_taking_writes_is_left(pair):
    """A switchover without an end of sessions: the host that was written to turns read-only, and the other takes
    over. Proves that a connection which may not write is not used again (seen: with 25006 taken out of the states that
    break a connection, creates go on failing)."""
    primary, standby = pair
    hosts = ",".join(f"127.0.0.1:{cluster.settings['port']}" for cluster in (primary, standby))
    with Server(database_url=f"postgresql://postgres@{hosts}/tocsin") as node:
        node.start()
        assert node.api.create_once("before").status == 201
        primary.execute("alter system set default_transaction_read_only = on")
        primary.execute("select pg_reload_conf()")
        standby.promote()
        wait_for(lambda: node.api.create_once("after").status in (200, 201), "creates are served by the other")
        assert node.api.create_once("before").status == 200
        with pytest.raises(psycopg2.errors.ReadOnlySqlTransaction):
            primary.execute("create table t ()")
