"""Point 12: a storm of alerts from two real Alertmanagers to two nodes becomes one incident a system."""
import contextlib
import json
import pathlib
import shutil
import subprocess
import tempfile
import urllib.error
import urllib.request

import pytest

from cluster import free_port
from waiting import wait_for

PROGRAM = shutil.which("prometheus-alertmanager")
SYSTEMS, ALERTS = 20, 200

CONFIGURATION = """
route:
  receiver: tocsin
  group_by: [system]
  group_wait: 1s
  group_interval: 1s
  repeat_interval: 1h
receivers:
  - name: tocsin
    webhook_configs:
      - url: {url}/api/v1/alerts/alertmanager
        send_resolved: true
        http_config:
          authorization:
            type: Bearer
            credentials: {key}
"""


class Alertmanager:
    """One that knows no other, in a temporary directory."""

    def __init__(self, node):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="tocsin-system-"))
        self.node, self.process, self.url = node, None, None

    def __enter__(self):
        configuration = self.folder / "alertmanager.yml"
        configuration.touch(0o600)
        configuration.write_text(CONFIGURATION.format(url=self.node.url, key=self.node.key))
        address = f"127.0.0.1:{free_port()}"
        self.url = f"http://{address}"
        with open(self.folder / "log", "wb") as log:
            self.process = subprocess.Popen(
                [PROGRAM, f"--config.file={configuration}", f"--storage.path={self.folder}/data",
                 f"--web.listen-address={address}", "--cluster.listen-address="], stdout=log, stderr=log)
        try:
            wait_for(self.is_ready, "Alertmanager is ready")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(60)
        shutil.rmtree(self.folder, ignore_errors=True)

    def is_ready(self):
        assert self.process.poll() is None, (self.folder / "log").read_text()
        with contextlib.suppress(OSError, urllib.error.URLError):
            return urllib.request.urlopen(self.url + "/-/ready", timeout=5).status == 200
        return False

    def send(self, alerts):
        request = urllib.request.Request(self.url + "/api/v2/alerts", json.dumps(alerts).encode(),
                                         {"Content-Type": "application/json"})
        assert urllib.request.urlopen(request, timeout=60).status == 200


def alerts(**fields):
    return [{"labels": {"alertname": "DiskFull", "system": f"system-{i % SYSTEMS}", "disk": f"{i}",
                        "severity": "critical"},
             "annotations": {"summary": "A disk is full"}, "startsAt": "2026-01-01T00:00:00Z", **fields}
            for i in range(ALERTS)]


@pytest.mark.skipif(PROGRAM is None, reason="prometheus-alertmanager is not installed")
def test_two_alertmanagers_and_two_nodes(start, database):
    """Proves that alerts open incidents under the lock of deduped creates: with the batch's key statement made to
    grant always, the two nodes open two incidents of some systems. And that the last resolved alert of an incident
    resolves it, from whichever node it comes."""
    with Alertmanager(start()) as one, Alertmanager(start()) as other:
        for manager in (one, other):
            manager.send(alerts(endsAt="2099-01-01T00:00:00Z"))
        # Each alert was reported by both.
        wait_for(lambda: database.value("select count(*) from alerts where state = 'firing' and count >= 2") == ALERTS,
                 "every alert has come in from both")
        opened = database.open_incidents()
        assert sorted(opened) == sorted(f"system-{i}" for i in range(SYSTEMS))
        assert [len(found) for found in opened.values()] == [1] * SYSTEMS
        assert database.value("select count(*) from incidents") == SYSTEMS
        listed = one.node.anonymous.incidents("?limit=500")["incidents"]
        assert {(found["severity"], found["title"]) for found in listed} == {("critical", "A disk is full")}

        for manager in (one, other):
            manager.send(alerts(endsAt="2026-01-01T01:00:00Z"))
        wait_for(lambda: database.value("select count(*) from alerts where state = 'firing'") == 0,
                 "every alert is resolved")
        wait_for(lambda: not other.node.anonymous.incidents()["incidents"], "no incident is open")
        assert database.open_incidents() == {}
