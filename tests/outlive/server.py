"""A `cay serve` for tests, and a client that knows whether an answer came.

    machine = Machine(state_dir)
    server = Server(cay, state_dir)
    server.start()
    status, body = server.api("POST", "/api/sandboxes", {"name": "one"})
    server.kill()            # SIGKILL
    assert not machine.left()
"""

import glob
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from checks import Broken, expect  # noqa: E402, F401: whoever has a server says so of it


class NoAnswer(Exception):
    """The connection ended before a whole response: what was asked for may have happened or not."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    def __init__(self, cay, state_dir, arguments=()):
        self.cay = cay
        self.state_dir = state_dir
        self.port = free_port()
        self.arguments = list(arguments)
        self.key = None
        self.process = None
        self.log_path = os.path.join(state_dir, "server.log")

    def launch(self):
        log = open(self.log_path, "ab")
        environment = dict(os.environ, CAY_STATE_DIR=self.state_dir)
        self.process = subprocess.Popen(
            [self.cay, "serve", "--listen", f"127.0.0.1:{self.port}", "--state-dir", self.state_dir] + self.arguments,
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment)
        log.close()

    def start(self, patience=60):
        """Returns once it is ready; raises with the end of its log when it ends instead."""
        self.launch()
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(f"the server ended with {self.process.returncode}:\n{self.log_end()}")
            try:
                if self.api("GET", "/ready", timeout=5)[0] == 200:
                    return
            except NoAnswer:
                pass
            time.sleep(0.01)
        raise RuntimeError(f"the server is not ready after {patience} s:\n{self.log_end()}")

    def answers(self, path):
        """Whether a server that was launched answers yet; raises when it ends instead."""
        if self.process.poll() is not None:
            raise RuntimeError(f"the server ended with {self.process.returncode}:\n{self.log_end()}")
        try:
            return self.api("GET", path, timeout=5)[0] == 200
        except NoAnswer:
            return False

    def log_end(self):
        with open(self.log_path, errors="replace") as log:
            return log.read()[-4000:]

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self, patience=30):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(patience)

    def raw(self, method, path, body=None, headers=None, timeout=60):
        """(status, headers, bytes); NoAnswer when there was no whole response."""
        fields = dict(headers or {})
        if self.key:
            fields["Authorization"] = f"Bearer {self.key}"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method, path, body=body, headers=fields)
            response = connection.getresponse()
            return response.status, response.headers, response.read()
        except (OSError, http.client.HTTPException) as error:
            raise NoAnswer(f"{method} {path}: {error!r}") from error
        finally:
            connection.close()

    def api(self, method, path, value=None, headers=None, timeout=60):
        """(status, the JSON that came, or None)."""
        fields = dict(headers or {})
        body = None
        if value is not None:
            body = json.dumps(value)
            fields["Content-Type"] = "application/json"
        status, _, answer = self.raw(method, path, body, fields, timeout)
        return status, json.loads(answer) if answer else None


def parse_events(text):
    """The (event, data) pairs of a finished event stream."""
    events = []
    for block in text.split("\n\n"):
        name, data = "message", []
        for line in block.split("\n"):
            if line.startswith("event:"):
                name = line[6:].strip()
            elif line.startswith("data:"):
                data.append(line[5:].strip())
        if data:
            events.append((name, json.loads("\n".join(data))))
    return events


class Machine:
    """What sandboxes take from the machine; `left()` is what came since and did not go again."""

    def __init__(self, state_dir):
        self.state_dir = state_dir
        self.ids = set()  # of every sandbox that the test made
        self.before = self.take()

    def take(self):
        with open("/proc/self/mountinfo") as mounts:
            state_mounts = [line for line in mounts if self.state_dir in line]
        loops = []
        for path in glob.glob("/sys/block/loop*/loop/backing_file"):
            try:
                with open(path) as backing:
                    name = backing.read().strip()
            except OSError:
                continue  # it was detached just now
            if self.state_dir in name:
                loops.append(name)
        groups = []
        for path in glob.glob("/sys/fs/cgroup/**/cay*/*/", recursive=True):
            if os.path.basename(path.rstrip("/")) in self.ids:
                groups.append(path)
        sandboxes = glob.glob(os.path.join(self.state_dir, "sandboxes", "*"))
        return {"mounts": set(state_mounts), "loops": set(loops), "groups": set(groups), "directories": set(sandboxes)}

    def left(self, patience=20):
        deadline = time.monotonic() + patience
        while True:
            now = self.take()
            left = {what: now[what] - self.before[what] for what in now if now[what] - self.before[what]}
            if not left or time.monotonic() > deadline:
                return left
            time.sleep(0.1)
