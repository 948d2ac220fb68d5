"""PagerDuty's Events API from a tool's side: sources, and a sender that has the key of one."""
import re

from api import JSON

ENQUEUE, SOURCES = "/v2/enqueue", "/api/v1/sources"
KEY = re.compile(r"[0-9a-f]{32}")


def make_source(api, name):
    made = api.post(SOURCES, {"name": name})
    assert made.status == 201, made
    return made.json


class Sender:
    """Sends events with one key, and no other credential."""

    def __init__(self, node, key):
        self.api, self.key = node.anonymous, key

    def send(self, action, dedup_key=None, **payload):
        event = {"routing_key": self.key, "event_action": action}
        if dedup_key is not None:
            event["dedup_key"] = dedup_key
        if payload:
            event["payload"] = {"summary": "Disk full", "source": "host-1", "severity": "critical", **payload}
        return self.api.post(ENQUEUE, event)


def accepted(reply, dedup_key):
    assert reply.status == 202 and reply.type == JSON, reply
    assert reply.json == {"status": "success", "message": "Event processed", "dedup_key": dedup_key}
    return True


def refused(reply, status, words):
    assert reply.status == status and reply.type == JSON, reply
    assert reply.json["status"] == "invalid event" and reply.json["message"] and words in str(reply.json["errors"])
    return True
