"""PagerDuty's API as its real clients use it: Alertmanager's pagerduty_configs, and PagerDuty's own library for
JavaScript, which takes another host but only over TLS: a door in front of the node opens that for it."""
import contextlib
import http.server
import json
import os
import pathlib
import shutil
import ssl
import subprocess
import tempfile
import threading

import pytest

from alertmanager import PAGERDUTY, Alertmanager
from api import Api
from programs import need
from waiting import wait_for

LIBRARY = "@pagerduty/pdjs@2.2.4"
INSTALL_S = 300


def make_source(node, name):
    made = node.api.post("/api/v1/sources", {"name": name})
    assert made.status == 201, made
    return made.json


def shown(node, system):
    """[(status, severity, title), ...] of a system's incidents, newest first."""
    found = node.anonymous.get(f"/api/v1/incidents?includeResolved=true&systemId={system}").json["incidents"]
    return [(incident["status"], incident["severity"], incident["title"]) for incident in found]


def firing(database, system):
    """What Alertmanager last said of the firing alerts of a system."""
    (details,), = database.rows("select annotations->'custom_details' from alerts where system_id = %s", (system,))
    return details["firing"]


def test_alertmanager(start, database):
    """One event a group, which is a system here; resolved when the last of its alerts is."""
    node = start()

    def alerts(**fields):
        return [{"labels": {"alertname": "DiskFull", "system": f"am-{i % 3}", "disk": f"{i}",
                            "severity": ["critical", "warning", "info"][i % 3]},
                 "annotations": {"summary": f"A disk of am-{i % 3} is full"}, **fields} for i in range(9)]

    with Alertmanager(node, PAGERDUTY, make_source(node, "Alertmanager")["routingKey"]) as manager:
        manager.send(alerts(startsAt="2026-01-01T00:00:00Z", endsAt="2099-01-01T00:00:00Z"))
        wait_for(lambda: len(database.open_incidents()) == 3, "every system has an incident")
        assert [shown(node, f"am-{i}") for i in range(3)] == [
            [("investigating", severity, f"A disk of am-{i} is full")]
            for i, severity in enumerate(("critical", "major", "minor"))]
        # The first event may name one alert of its group only: Alertmanager waits for no others where one is old already.
        wait_for(lambda: all(f"disk = {disk}\n" in firing(database, "am-0") for disk in (0, 3, 6)),
                 "the event names all alerts of its group")
        manager.send(alerts(startsAt="2026-01-01T00:00:00Z", endsAt="2026-01-01T01:00:00Z"))
        wait_for(lambda: not database.open_incidents(), "every incident is resolved")
        assert database.value("select count(*) from incidents") == 3


def test_alertmanagers_severities(start, database):
    """Those that PagerDuty does not know, and those of alerts of one group that differ. Seen to fail with
    '{{ .CommonLabels.severity }}' alone in the example: 400, and Alertmanager gives up."""
    node = start()
    severities = {"am-shared": ["critical", "critical"], "am-mixed": ["critical", "warning"], "am-other": ["page"],
                  "am-none": [None]}
    with Alertmanager(node, PAGERDUTY, make_source(node, "Alertmanager")["routingKey"]) as manager:
        manager.send([{"labels": {"alertname": "DiskFull", "system": system, "disk": f"{i}",
                                  **({"severity": severity} if severity else {})},
                       "annotations": {"summary": system}, "endsAt": "2099-01-01T00:00:00Z"}
                      for system, found in severities.items() for i, severity in enumerate(found)])
        wait_for(lambda: len(database.open_incidents()) == len(severities), "every system has an incident")
    assert {system: shown(node, system)[0][1] for system in severities} == {
        "am-shared": "critical", "am-mixed": "major", "am-other": "major", "am-none": "major"}


# ---- PagerDuty's own library ----

class Door(http.server.BaseHTTPRequestHandler):
    """Passes what comes over TLS on to a node, and its answer back."""
    api = None

    def do_POST(self):  # pylint: disable=invalid-name
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name: self.headers[name] for name in ("Authorization", "Accept", "User-Agent") if self.headers[name]}
        reply = self.api.call("POST", self.path, body, {"Content-Type": self.headers["Content-Type"], **headers})
        self.send_response(reply.status)
        for name in ("content-type", "retry-after"):
            if name in reply.headers:
                self.send_header(name, reply.headers[name])
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        self.wfile.write(reply.body)

    def log_message(self, *_):  # pylint: disable=arguments-differ
        pass


@pytest.fixture(name="folder")
def fixture_folder():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="tocsin-system-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def tls_door(node, folder):
    """"localhost:PORT", trusted by who trusts folder/certificate."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
                    "-keyout", folder / "key", "-out", folder / "certificate"], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "certificate", folder / "key")
    handler = type("NodeDoor", (Door,), {"api": Api(node.url, None)})
    with http.server.ThreadingHTTPServer(("localhost", 0), handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"localhost:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


SCRIPT = """
const {event, trigger, acknowledge, resolve} = require('@pagerduty/pdjs');
const [server, routing_key] = process.argv.slice(2);
const payload = {summary: 'Disk full', source: 'host-1', severity: 'error', component: 'js', custom_details: {free: 0}};
(async () => {
  const said = [];
  const say = async reply => said.push([(await reply).status, (await reply).data]);
  await say(trigger({server, data: {routing_key, dedup_key: 'js', payload}}));
  await say(acknowledge({server, data: {routing_key, dedup_key: 'js'}}));
  await say(resolve({server, data: {routing_key, dedup_key: 'js'}}));
  await say(event({server, data: {routing_key, event_action: 'trigger', payload}}));
  await say(event({server, data: {routing_key, event_action: 'trigger'}}));
  console.log(JSON.stringify(said));
})();
"""


def test_pagerdutys_own_library(start, folder):
    node = start()
    key = make_source(node, "JavaScript")["routingKey"]
    subprocess.run([need("npm"), "install", "--no-audit", "--no-fund", "--prefer-offline", "--fetch-retries=5", "--prefix", folder,
                    LIBRARY], check=True, capture_output=True, timeout=INSTALL_S, cwd=folder)
    (folder / "script.js").write_text(SCRIPT)
    with tls_door(node, folder) as door:
        done = subprocess.run(["node", folder / "script.js", door, key], capture_output=True, text=True, timeout=60,
                              check=False, env={**os.environ, "NODE_EXTRA_CA_CERTS": str(folder / "certificate")})
    assert done.returncode == 0, done
    said = json.loads(done.stdout)
    success = {"status": "success", "message": "Event processed", "dedup_key": "js"}
    assert said[:3] == [[202, success]] * 3
    assert said[3][0] == 202 and said[3][1]["dedup_key"] not in ("", "js")
    assert said[4][0] == 400 and said[4][1]["status"] == "invalid event" and "payload" in said[4][1]["errors"][0]
    assert shown(node, "js") == [("investigating", "major", "Disk full"), ("resolved", "major", "Disk full")]
