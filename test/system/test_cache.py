"""ETags, and answers that are kept for a moment: never older than what a caller was told.

What each is for, seen by taking it out: without tc_lookup_drop a node's own write is not seen; without the subscription of
app/server_cache.c the other node answers with what was; with the caller left out of the key (core/procedure/lookup.c) a stranger
sees internal updates; with getIncident not TC_CACHED no answer of it comes from the cache.
"""
import json
import re
import urllib.request

import pytest

from waiting import wait_for

INCIDENTS = "/api/v1/incidents"


def conditional(api, path, etag):
    return api.call("GET", path, None, {"If-None-Match": etag})


def hits(node):
    return float(re.search(r"^tocsin_cache_hits_total (\S+)", node.anonymous.get("/metrics").body.decode(), re.M)[1])


def wait_until_cached(node, api, path):
    """Returns when an answer to this very request came from the cache."""
    def is_hit():
        before = hits(node)
        api.get(path)
        return hits(node) > before

    wait_for(is_hit, "the answer comes from the cache")


@pytest.mark.parametrize("path", [INCIDENTS, f"{INCIDENTS}/ID", "/api/v1/systems", "/api/v1/keys", "/healthz"])
def test_etag(node, path):
    path = path.replace("ID", node.api.create("tagged")["id"])
    first = node.api.get(path)
    etag = first.headers["etag"]
    assert re.fullmatch(r'"[\w-]{22}"', etag)
    for names in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        reply = conditional(node.api, path, names)
        assert (reply.status, reply.body, reply.headers["etag"]) == (304, b"", etag)
    for names in ('"other"', etag[:-1], ""):
        assert conditional(node.api, path, names).body == first.body
    assert node.api.call("HEAD", path).headers["etag"] == etag
    private = "no-store" if path == "/healthz" else "private, no-cache"
    assert first.headers["cache-control"] == private
    # A change changes it.
    if path.startswith(INCIDENTS):
        node.api.create("tagged")
        node.api.call("PATCH", path, {"title": "New"})
        assert conditional(node.api, path, etag).status == 200


def test_reads_come_from_the_cache_and_a_write_is_seen_at_once(node):
    made = node.api.create("cached")
    path = f"{INCIDENTS}/{made['id']}"
    wait_until_cached(node, node.api, path)
    for number in range(50):
        assert node.api.call("PATCH", path, {"title": f"Title {number}"}).status == 200
        for _ in range(3):
            assert node.api.get(path).json["title"] == f"Title {number}"
            assert node.anonymous.get(f"{INCIDENTS}?systemId=cached").json["incidents"][0]["title"] == f"Title {number}"


def test_each_caller_sees_what_he_may(node):
    made = node.api.create("callers")
    path = f"{INCIDENTS}/{made['id']}"
    viewer = node.api.as_role("viewer")
    for visibility in ("public", "logged_in", "internal"):
        node.api.post(f"{path}/updates", {"message": visibility, "visibility": visibility})
    for _ in range(3):
        for api, count in ((node.api, 3), (viewer, 2), (node.anonymous, 1)):
            assert len(api.get(path).json["updates"]) == count


def test_health_overrides_are_never_cached(node, module_database):
    """Changed in the database, behind the node's back, which therefore drops nothing: the next answer has it. Seen to
    fail with answers of this procedure kept: TC_CACHED on its row, and POST let through in lookup.c and answer.c."""
    made = node.api.create("overridden", healthOverride="degraded")
    wait_for(lambda: (node.api.get(INCIDENTS), node.api.get(INCIDENTS), hits(node) > 0)[2], "answers are kept")
    for status in ("degraded", "unhealthy", "degraded"):
        module_database.rows("update incidents set health_override = %s where id = %s returning 1", (status, made["id"]))
        for _ in range(2):
            reply = node.api.post("/api/v1/systems/health-overrides", {"systemIds": ["overridden"]})
            assert reply.json["overrides"]["overridden"]["status"] == status


def test_who_wants_no_kept_answer(node, module_database):
    """Changed behind the node's back, as at another node of which it has not heard yet. Seen to get what was kept without
    wants_origin."""
    path = f"{INCIDENTS}/{node.api.create('unheard')['id']}"
    for title in ("One", "Two", "Three"):
        wait_until_cached(node, node.api, path)
        module_database.rows("update incidents set title = %s where id = %s returning 1", (title, path.rpartition("/")[2]))
        assert node.api.call("GET", path, None, {"Cache-Control": "no-cache"}).json["title"] == title


def test_refused_writes_drop_nothing(node):
    """Strangers cannot empty the cache. Seen to fail when a refused call dropped what it was about."""
    made = node.api.create("kept")
    path = f"{INCIDENTS}/{made['id']}"
    wait_until_cached(node, node.api, path)
    before = hits(node)
    for _ in range(10):
        assert node.anonymous.call("PATCH", path, {"title": "No"}).status == 401
        assert node.api.call("PATCH", path, {"title": 7}).status == 400
        assert node.api.get(path).json["title"] == made["title"]
    assert hits(node) == before + 10


def test_an_id_is_one_whoever_writes_it_how(node):
    """A write is seen also by who asks with capitals. Seen to fail when only ids in paths were made small."""
    made = node.api.create("capitals")
    alias = f"/rest/incident/getIncident?id={made['id'].upper()}"
    for number in range(5):
        assert node.api.call("PATCH", f"{INCIDENTS}/{made['id']}", {"title": f"Title {number}"}).status == 200
        for _ in range(2):
            assert node.api.get(alias).json["title"] == f"Title {number}"


def test_a_body_is_judged_whatever_is_kept(node):
    """And who asks for the same without one has no part in it. Seen to be 200 as soon as the answer was kept; before that,
    whoever waited for the same answer would get the refusal."""
    path = f"{INCIDENTS}/{node.api.create('with a body')['id']}"
    wait_until_cached(node, node.api, path)
    for body, headers, status in ((b"{", {}, 400), (b'{"colour": 1}', {}, 400), (b"{}", {"Content-Type": "text/plain"}, 415),
                                  (b"{}", {}, 200)):
        assert node.api.call("GET", path, body, headers).status == status


def test_reads_by_post_tell_nobody(node):
    """They change nothing: no NOTIFY for them, and no Idempotency-Key that would keep what a caller may no longer
    see. Seen to fail without TC_CHANGES_NOTHING on their rows."""
    made = node.api.create("asked", healthOverride="degraded")
    ask = ("/api/v1/systems/health-overrides", {"systemIds": ["asked"]}, {"Idempotency-Key": "the same"})
    assert node.api.call("POST", *ask).json["overrides"]["asked"]["status"] == "degraded"
    assert node.api.post(f"{INCIDENTS}/{made['id']}/resolve", {}).status == 200
    assert "asked" not in node.api.call("POST", *ask).json["overrides"]


def next_event(stream, kind):
    for line in stream:
        if line.strip() == f"event: {kind}".encode():
            for data in stream:
                if data.startswith(b"data: "):
                    return json.loads(data[6:])
    raise AssertionError("the stream ended")


def test_two_nodes(start):
    """Write on one; who is told of it by the other, and asks there, finds it."""
    one, two = start(), start()
    made = one.api.create("both")
    path = f"{INCIDENTS}/{made['id']}"
    wait_for(lambda: two.api.get(path).status == 200, "the other node has it")
    wait_until_cached(two, two.api, path)
    with urllib.request.urlopen(f"{two.url}/api/v1/events", timeout=60) as stream:
        for number in range(30):
            two.api.get(path), two.api.get(INCIDENTS)
            severity = ("minor", "critical")[number % 2]
            assert one.api.call("PATCH", path, {"severity": severity}).status == 200
            next_event(stream, "incident.updated")
            assert two.api.get(path).json["severity"] == severity
            assert two.api.get(INCIDENTS).json["incidents"][0]["severity"] == severity
