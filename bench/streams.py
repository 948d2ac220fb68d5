"""Live events: from the answer of a create to its arrival on each of 1,000 open streams, of the same node
and of another, which hears of it by a hint."""
import json
import os
import resource
import selectors
import socket as sockets
import time
import urllib.parse
import urllib.request

from harness import Server, median

STREAMS = 1000
EVENTS = 20
PATIENCE_S = 30


def open_streams(server, count):
    """Connected, their answer begun; {socket}."""
    address = urllib.parse.urlparse(server.url)
    opened = []
    for _ in range(count):
        stream = sockets.create_connection((address.hostname, address.port), timeout=PATIENCE_S)
        stream.sendall(b"GET /api/v1/events HTTP/1.1\r\nHost: bench\r\nAccept: text/event-stream\r\n\r\n")
        opened.append(stream)
    for stream in opened:
        if b" 200 " not in stream.recv(65536):
            raise SystemExit("bench: a stream was refused")
        stream.setblocking(False)
    return opened


def create(server, key, number):
    body = json.dumps({"title": "Down", "severity": "minor", "systemIds": [f"stream-{os.getpid()}-{number}"]}).encode()
    request = urllib.request.Request(server.url + "/api/v1/incidents", body, {
        "Content-Type": "application/json", "Authorization": f"Bearer {key}"})
    return json.load(urllib.request.urlopen(request, timeout=PATIENCE_S))["id"].encode()


def wait_for(selector, wanted, count):
    """Milliseconds, one a stream, until `wanted` has arrived on it."""
    begin, times, seen = time.monotonic(), [], set()
    while len(seen) < count:
        if time.monotonic() > begin + PATIENCE_S:
            raise SystemExit(f"bench: an event reached only {len(seen)} of {count} streams")
        for key, _ in selector.select(1):
            if wanted in key.fileobj.recv(65536) and key.fd not in seen:
                seen.add(key.fd)
                times.append((time.monotonic() - begin) * 1000)
    return times


def measure_node(writer, reader, key, first):
    """Events of creates on `writer`, by streams of `reader`: milliseconds (median; median of the last stream's); and
    the memory of `reader` meanwhile."""
    opened = open_streams(reader, STREAMS)
    selector = selectors.DefaultSelector()
    for stream in opened:
        selector.register(stream, selectors.EVENT_READ)
    times, last = [], []
    for number in range(first, first + EVENTS):
        arrived = wait_for(selector, create(writer, key, number), STREAMS)
        times += arrived
        last.append(max(arrived))
    memory = reader.memory_mib()
    for stream in opened:
        stream.close()
    return median(times), median(last), memory


def measure(server, socket, key, options, rows):
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4 * STREAMS), hard))
    folder = server.folder / "other"
    folder.mkdir()
    other = Server(options.binary, folder, key, options.port + 2, f"postgresql://tocsin@/tocsin?host={socket}")
    here = measure_node(server, server, key, 0)
    try:
        other.start()
        there = measure_node(server, other, key, EVENTS)
    finally:
        other.stop()
    for where, (middle, last, _) in (("", here), (" of another node", there)):
        rows.append((f"an event reaches {STREAMS:,} streams{where}: median; the last of them", f"{middle:.1f}, {last:.1f} ms",
                     "", "<= 100 ms"))
    rows.append((f"server memory with {STREAMS:,} streams", f"{here[2]:.1f} MiB", "", ""))
