"""Talking to a server: one request at a time (Api), or very many at once (storm)."""
import asyncio
import dataclasses
import http.client
import json
import urllib.parse

TIMEOUT_S = 60
JSON = "application/json"
PROBLEM = "application/problem+json"


@dataclasses.dataclass(frozen=True)
class Reply:
    status: int
    headers: dict  # names in lower case
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def type(self):
        return self.headers.get("content-type", "").split(";")[0]

    @property
    def is_replay(self):
        """Whether it is what an earlier request of the same Idempotency-Key was answered."""
        return self.headers.get("idempotency-replayed") == "true"


class Api:
    """A client with a key (None: anonymous). Every call has a connection of its own."""

    def __init__(self, url, key):
        self.address, self.key = urllib.parse.urlsplit(url).netloc, key

    def call(self, method, path, body=None, headers=None):
        """`body`: bytes as they are, or anything else as JSON."""
        sent = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        if body is not None:
            sent["Content-Type"] = JSON
        sent.update(headers or {})
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        connection = http.client.HTTPConnection(self.address, timeout=TIMEOUT_S)
        try:
            connection.request(method, path, data, {name: value for name, value in sent.items() if value is not None})
            reply = connection.getresponse()
            return Reply(reply.status, {name.lower(): value for name, value in reply.getheaders()}, reply.read())
        finally:
            connection.close()

    def as_role(self, role):
        """A client with a new key of this role, which this one must be allowed to make."""
        reply = self.post("/api/v1/keys", {"name": f"a {role}", "role": role})
        assert reply.status == 201, reply
        return Api(f"http://{self.address}", reply.json["key"])

    def get(self, path):
        return self.call("GET", path)

    def post(self, path, body=None):
        return self.call("POST", path, body)

    def create(self, *systems, **fields):
        """A plain create, which must succeed; the incident."""
        reply = self.post("/api/v1/incidents", incident(*systems, **fields))
        assert reply.status == 201, reply
        return reply.json

    def create_once(self, *systems, **fields):
        """A deduped create; its reply."""
        return self.post("/api/v1/incidents", incident(*systems, dedupeOpenForSystem=True, **fields))

    def incidents(self, query=""):
        reply = self.get(f"/api/v1/incidents{query}")
        assert reply.status == 200, reply
        return reply.json


def incident(*systems, **fields):
    """Input of createIncident."""
    return {"title": "Disk full", "severity": "major", "systemIds": list(systems), **fields}


# ---- very many at once ----

async def _read_reply(reader):
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Reply(int(head[0].split()[1]), headers, body)


class Storm:
    """Connections that are all open before the first request is sent, so that requests are really at once.

    Use: async with Storm(apis) as storm: replies = await storm.post(path, bodies)."""

    def __init__(self, apis):
        self.apis, self.streams = apis, []

    async def __aenter__(self):
        for api in self.apis:
            host, port = api.address.rsplit(":", 1)
            self.streams.append(await asyncio.open_connection(host, int(port)))
        return self

    async def __aexit__(self, *_):
        for _, writer in self.streams:
            writer.close()

    async def _exchange(self, index, path, body):
        reader, writer = self.streams[index]
        api, data = self.apis[index], json.dumps(body).encode()
        writer.write(f"POST {path} HTTP/1.1\r\nHost: {api.address}\r\nAuthorization: Bearer {api.key}\r\n"
                     f"Content-Type: {JSON}\r\nContent-Length: {len(data)}\r\n\r\n".encode() + data)
        return await asyncio.wait_for(_read_reply(reader), TIMEOUT_S)

    async def post(self, path, bodies):
        """One request a connection; the replies in their order."""
        return await asyncio.gather(*(self._exchange(index, path, body) for index, body in enumerate(bodies)))
