#!/usr/bin/env python3
"""Clients that do nothing: one that stops reading the output of `yes`, and thousands of connections that
ask for nothing. The server's memory must stay, and it must serve on.
"""

import argparse
import json
import os
import resource
import shutil
import socket
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from server import Server  # noqa: E402
from soak import Gauges  # noqa: E402

SPARE = 16 << 20


def stalled_reader(server, seconds):
    """Returns what is wrong; nothing when nothing is."""
    _, sandbox = server.api("POST", "/api/sandboxes", {})
    gauges = Gauges(server.process.pid)
    before = gauges.take()["memory"]
    body = json.dumps({"command": ["yes"], "timeout": "1h"})
    stalled = socket.create_connection(("127.0.0.1", server.port))
    stalled.sendall((f"POST /api/sandboxes/{sandbox['id']}/execute HTTP/1.1\r\nHost: localhost\r\n"
                     "Accept: text/event-stream\r\nContent-Type: application/json\r\n"
                     f"Content-Length: {len(body)}\r\n\r\n{body}").encode())
    head = stalled.recv(1000)
    if not head.startswith(b"HTTP/1.1 200"):
        return f"the stream did not begin: {head!r}"
    highest = before
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        highest = max(highest, gauges.take()["memory"])
        time.sleep(0.1)
    status, result = server.api("POST", f"/api/sandboxes/{sandbox['id']}/execute", {"command": ["echo", "here"]})
    stalled.close()
    server.api("DELETE", f"/api/sandboxes/{sandbox['id']}")
    if status != 200 or result["stdout"] != "here\n":
        return f"beside the stalled reader: {status} {result}"
    if highest > before + SPARE:
        return f"memory grew from {before} to {highest}"
    print(f"a stalled reader of `yes` for {seconds:g} s: {max(0, highest - before) >> 10} KiB more")
    return None


def idle_connections(server, count):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard < count + 100:
        return f"this process may open only {hard} files, {count} are needed"
    gauges = Gauges(server.process.pid)
    before = gauges.take()["memory"]
    request = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
    idle = []
    for _ in range(count):  # each has been answered once, so each is kept alive
        connection = socket.create_connection(("127.0.0.1", server.port), timeout=30)
        connection.sendall(request)
        if not connection.recv(4096).startswith(b"HTTP/1.1 200"):
            return f"connection {len(idle)} was not answered"
        idle.append(connection)
    status, _ = server.api("GET", "/health")
    if status != 200:
        return f"beside {count} idle connections: {status}"
    each = (gauges.take()["memory"] - before) / count
    for connection in idle[::97]:
        connection.sendall(request)
        if not connection.recv(4096).startswith(b"HTTP/1.1 200"):
            return "a connection that was idle is not served any more"
    for connection in idle:
        connection.close()
    print(f"{count} idle connections: {each:.0f} bytes each, all still served")
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cay", required=True, help="the program")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--connections", type=int, default=10_000)
    options = parser.parse_args()
    state_dir = tempfile.mkdtemp(prefix="cay-idle-")
    os.chmod(state_dir, 0o711)
    server = Server(options.cay, state_dir)
    server.start()
    failures = [stalled_reader(server, options.seconds), idle_connections(server, options.connections)]
    if server.stop() != 0:
        failures.append(f"the server's end: {server.log_end()}")
    shutil.rmtree(state_dir, ignore_errors=True)
    for failure in filter(None, failures):
        print(failure, file=sys.stderr)
    return 1 if any(failures) else 0


if __name__ == "__main__":
    sys.exit(main())
