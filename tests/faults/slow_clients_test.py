#!/usr/bin/env python3
"""Clients that send slowly, or do not read: they cost nobody else anything, and strangers among them are sent away."""

import contextlib
import resource
import select
import socket
import sys
import threading

from fixture import Scene, eventually, expect, run_tests

CLIENTS = 1200


class SlowClients:
    """So many connections that each sent the head of a request and the first bytes of its body."""

    def __init__(self, scene, head, count=CLIENTS):
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
        self.connections = []
        for _ in range(count):
            connection = socket.create_connection(("127.0.0.1", scene.server.port), timeout=30)
            connection.sendall(head.encode() + b"{")
            connection.setblocking(False)
            self.connections.append(connection)
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.trickle)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()
        for connection in self.connections:
            connection.close()

    def trickle(self):
        while not self.ended.wait(0.5):
            for connection in self.connections:
                with contextlib.suppress(OSError):  # it was closed, or takes no more
                    connection.send(b" ")

    def answered(self):
        """How many have an answer, or were closed."""
        poller = select.poll()
        for connection in self.connections:
            poller.register(connection, select.POLLIN)
        return len(poller.poll(0))


def head(path, key=None):
    authorization = f"Authorization: Bearer {key}\r\n" if key else ""
    return (f"POST {path} HTTP/1.1\r\nHost: localhost\r\n{authorization}Content-Type: application/json\r\n"
            "Content-Length: 100000\r\n\r\n")


def others_are_served(scene, sandbox, rounds=20):
    for _ in range(rounds):
        scene.ask(200, "GET", "/health")
        scene.works(sandbox)


def slow_bodies_cost_nobody_a_place(cay):
    with Scene(cay) as scene:
        scene.server.start()
        sandbox = scene.create()
        with SlowClients(scene, head(f"/api/sandboxes/{sandbox}/execute")):
            others_are_served(scene, sandbox)
            made = scene.create()
            scene.destroy(made)
        others_are_served(scene, sandbox, 1)


def strangers_are_answered_before_their_bodies(cay):
    with Scene(cay) as scene:
        code, text = scene.run("keys", "create", "--local", "--scope", "admin", "faults")
        key = next((word for word in text.split() if word.startswith("cay_")), None)
        expect(code == 0 and key, f"keys create: {code} {text}")
        scene.server.key = key
        scene.server.start()
        sandbox = scene.create()
        for stranger in (None, "cay_nobody_0000000000000000000000000000000000000000"):
            with SlowClients(scene, head(f"/api/sandboxes/{sandbox}/execute", stranger)) as slow:
                others_are_served(scene, sandbox)
                eventually(lambda clients=slow: clients.answered() == CLIENTS, "strangers are answered though their bodies never come")


def who_does_not_read_costs_only_itself(cay):
    with Scene(cay) as scene:
        scene.server.start()
        sandbox = scene.create()
        stalled = []
        body = '{"command": ["yes"], "timeout": "1h"}'
        for _ in range(8):
            connection = socket.create_connection(("127.0.0.1", scene.server.port), timeout=30)
            connection.sendall((f"POST /api/sandboxes/{sandbox}/execute HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n"
                                f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}").encode())
            expect(connection.recv(100).startswith(b"HTTP/1.1 200"), "a stream does not begin")
            stalled.append(connection)
        others_are_served(scene, sandbox, 5)
        scene.destroy(sandbox)
        for connection in stalled:
            connection.close()


if __name__ == "__main__":
    sys.exit(run_tests([slow_bodies_cost_nobody_a_place, strangers_are_answered_before_their_bodies, who_does_not_read_costs_only_itself]))
