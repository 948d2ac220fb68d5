#!/usr/bin/python3
"""Measures Tocsin against its ceilings and prints a table (see bench/README.md).

Everything runs on loopback, bounded in count and time, on a server and a cluster that this script
starts in a temporary folder and stops again.
"""
import argparse
import pathlib
import secrets
import sys
import tempfile
import uuid

import creates
import reads
import scale
import streams
from harness import Server, find_socket

PARTS = {"creates": creates.measure, "storm": creates.measure_storm, "start": creates.measure_start,
         "reads": reads.measure, "streams": streams.measure, "scale": scale.measure}


def print_table(rows):
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    for row in rows:
        print("| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("binary", help="the tocsin to measure, a release build")
    parser.add_argument("--seconds", type=int, default=8, help="of each run")
    parser.add_argument("--rounds", type=int, default=3, help="of ceiling, distinct, hot in turn")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--port", type=int, default=33917)
    parser.add_argument("--only", choices=sorted(PARTS), action="append", help="a part; may be given several times")
    options = parser.parse_args()
    key = f"tocsin_{uuid.uuid4()}_{secrets.token_urlsafe(32)}"
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-", dir="/var/tmp") as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)
        server = Server(options.binary, folder, key, options.port)
        rows = [("what", "measured", "ratio", "goal"), ("---", "---", "---", "---")]
        try:
            server.start()
            socket = find_socket(folder)
            for part in options.only or PARTS:
                print(f"measuring {part}", file=sys.stderr, flush=True)
                PARTS[part](server, socket, key, options, rows)
        finally:
            server.stop()
    print_table(rows)


main()
