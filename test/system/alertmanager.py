"""Debian's Alertmanager, as a process that sends to a node."""
import contextlib
import json
import pathlib
import shutil
import subprocess
import tempfile
import urllib.error
import urllib.request

from cluster import free_port
from programs import need
from server import REPOSITORY
from waiting import wait_for

CONFIGURATION = """
route:
  receiver: tocsin
  group_by: [system]
  group_wait: 1s
  group_interval: 1s
  repeat_interval: 1h
receivers:
  - name: tocsin
    {receiver}
"""

WEBHOOK = """webhook_configs:
      - url: {url}/api/v1/alerts/alertmanager
        send_resolved: true
        http_config:
          authorization:
            type: Bearer
            credentials: {key}
"""

def read_example():
    """The receiver of docs/alerts.md, with the incident's title."""
    text = (REPOSITORY / "docs" / "alerts.md").read_text()
    _, _, example = text[:text.index("```\n")].partition("    pagerduty_configs:")
    for written, field in (("{", "{{"), ("}", "}}"), ("http://127.0.0.1:3000", "{url}"), ("0123456789abcdef" * 2, "{key}")):
        assert written in example
        example = example.replace(written, field)
    return f"pagerduty_configs:{example}        description: '{{{{{{{{ .CommonAnnotations.summary }}}}}}}}'\n"


PAGERDUTY = read_example()


class Alertmanager:
    """One that knows no other, in a temporary directory. `receiver`: WEBHOOK or PAGERDUTY; `key`: its credential."""

    def __init__(self, node, receiver=WEBHOOK, key=None):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="tocsin-system-"))
        self.node, self.process, self.url = node, None, None
        self.receiver = receiver.format(url=node.url, key=key or node.key)

    def __enter__(self):
        configuration = self.folder / "alertmanager.yml"
        configuration.touch(0o600)
        configuration.write_text(CONFIGURATION.format(receiver=self.receiver))
        address = f"127.0.0.1:{free_port()}"
        self.url = f"http://{address}"
        with open(self.folder / "log", "wb") as log:
            self.process = subprocess.Popen(
                [need("prometheus-alertmanager"), f"--config.file={configuration}", f"--storage.path={self.folder}/data",
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
