"""Reading server-sent events, strictly (HTML standard, section 9.2)."""
import asyncio
import dataclasses
import json
import queue
import resource
import socket
import threading
import time

TIMEOUT_S = 60


@dataclasses.dataclass(frozen=True)
class Event:
    id: str  # what a client would send as Last-Event-ID after it
    name: str
    data: object
    at: float  # time.monotonic() of its arrival


class Parser:
    """Bytes of a chunked answer to events."""

    def __init__(self, last_id=""):
        self.raw, self.body, self.headers, self.status = b"", b"", None, None
        self.last_id, self.comments, self.ended = last_id, 0, False
        self.first_id = None  # where the stream began

    def feed(self, data):
        self.raw += data
        if self.headers is None:
            head, found, rest = self.raw.partition(b"\r\n\r\n")
            if not found:
                return []
            lines = head.decode().split("\r\n")
            self.status = int(lines[0].split()[1])
            self.headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
            self.raw = rest
        if self.headers.get("transfer-encoding") == "chunked":
            self._unchunk()
        return self._events()

    def _unchunk(self):
        while not self.ended:
            size, found, rest = self.raw.partition(b"\r\n")
            if not found or len(rest) < int(size, 16) + 2:
                return
            length = int(size, 16)
            self.ended = length == 0
            self.body += rest[:length]
            assert rest[length:length + 2] == b"\r\n"
            self.raw = rest[length + 2:]

    def _events(self):
        found = []
        while b"\n\n" in self.body:
            block, _, self.body = self.body.partition(b"\n\n")
            name, data = "message", []
            for line in block.decode().split("\n"):
                field, _, value = line.partition(":")
                value = value.removeprefix(" ")
                if field == "":
                    self.comments += 1
                elif field == "id":
                    self.last_id = value
                    self.first_id = self.first_id or value
                elif field == "event":
                    name = value
                elif field == "data":
                    data.append(value)
                else:
                    assert field == "retry" and value.isdigit(), line
            if data:
                found.append(Event(self.last_id, name, json.loads("\n".join(data)), time.monotonic()))
        return found


def request(api, last_id=None, query="", headers=None):
    lines = {"Host": api.address, "Accept": "text/event-stream", **({"Authorization": f"Bearer {api.key}"} if api.key
             else {}), **({"Last-Event-ID": last_id} if last_id else {}), **(headers or {})}
    return (f"GET /api/v1/events{query} HTTP/1.1\r\n" + "".join(f"{n}: {v}\r\n" for n, v in lines.items())
            + "\r\n").encode()


class Stream:
    """One stream, read by a thread. Use: with Stream(node.api) as stream: stream.next()."""

    def __init__(self, api, last_id=None, query="", receive_buffer=None, headers=None):
        host, port = api.address.rsplit(":", 1)
        self.parser, self.events, self.seen = Parser(last_id or ""), queue.Queue(), []
        self.asked_at, self.closed_at = time.monotonic(), None
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(TIMEOUT_S)
        self.socket.connect((host, int(port)))
        self.socket.sendall(request(api, last_id, query, headers))
        self.started, self.closed = threading.Event(), threading.Event()
        self.thread = threading.Thread(target=self._read, daemon=True)

    def start(self):
        """Returns when the stream is open and has said where it is."""
        self.thread.start()
        assert self.started.wait(TIMEOUT_S) and self.parser.status == 200, self.parser.status
        return self

    def _read(self):
        try:
            while not self.parser.ended:
                data = self.socket.recv(65536)
                if not data:
                    break
                for event in self.parser.feed(data):
                    self.seen.append(event)
                    self.events.put(event)
                if self.parser.headers and (self.parser.last_id or self.parser.status != 200):
                    self.started.set()
        except OSError:
            pass
        self.started.set()
        self.closed_at = time.monotonic()
        self.closed.set()
        self.events.put(None)

    def next(self, timeout_s=TIMEOUT_S):
        """The next event; None at the end of the stream."""
        return self.events.get(timeout=timeout_s)

    def until(self, condition, timeout_s=TIMEOUT_S):
        """Events up to the first for which `condition(event)` holds."""
        found, deadline = [], time.monotonic() + timeout_s
        while not found or not condition(found[-1]):
            event = self.next(max(deadline - time.monotonic(), 0.001))
            assert event is not None, "the stream ended"
            found.append(event)
        return found

    def outlived(self, life_s):
        """Whether it ended, after so long at least: one that the server ended for its age did."""
        return self.closed.is_set() and self.closed_at - self.asked_at >= life_s

    def close(self):
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.thread.join(TIMEOUT_S)
        self.socket.close()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.close()


SPARE_DESCRIPTORS = 1000


def allow_descriptors(count):
    """As many as that may be open here; the limit that was."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit[0] != resource.RLIM_INFINITY and limit[0] < count:
        hard = limit[1] if limit[1] == resource.RLIM_INFINITY else max(count, limit[1])
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))
    return limit


class Crowd:
    """Very many streams at once, on one event loop. Use: async with Crowd(api, count) as crowd."""

    def __init__(self, api, count):
        self.api, self.count, self.members = api, count, []
        self.limit = None

    async def _open(self):
        host, port = self.api.address.rsplit(":", 1)
        reader, writer = await asyncio.open_connection(host, int(port), limit=2 ** 16)
        self.members.append((reader, writer, Parser()))
        writer.write(request(self.api))
        await self._feed(self.members[-1], lambda found, parser: parser.last_id)

    @staticmethod
    async def _feed(member, is_enough):
        reader, _, parser = member
        found = []
        while not is_enough(found, parser):
            data = await reader.read(65536)
            assert data, f"the stream ended with status {parser.status}"
            found += parser.feed(data)
        return found

    async def __aenter__(self):
        self.limit = allow_descriptors(self.count + SPARE_DESCRIPTORS)
        gate = asyncio.Semaphore(200)

        async def one():
            async with gate:
                await asyncio.wait_for(self._open(), TIMEOUT_S)
        await asyncio.gather(*(one() for _ in range(self.count)))
        return self

    async def gather(self, events):
        """The next so many events of every stream."""
        return await asyncio.gather(*(asyncio.wait_for(self._feed(member, lambda found, _: len(found) >= events),
                                                       TIMEOUT_S) for member in self.members))

    async def __aexit__(self, *_):
        for _, writer, _ in self.members:
            writer.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, self.limit)
