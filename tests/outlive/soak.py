#!/usr/bin/env python3
"""Uses a server for so long, as many clients would, and looks whether its memory, descriptors and threads
stay what they were. The last line says how it went.
"""

import argparse
import os
import random
import shutil
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from server import Machine, Server, parse_events  # noqa: E402

CLIENTS = 8
SETTLING = 0.25  # of the time: caches fill, pools of threads grow
SPARE_MEMORY = 16 << 20  # the allocator's own ups and downs
SPARE_COUNT = 8


class Gauges:
    """What the server and its launcher hold."""

    def __init__(self, pid):
        self.pid = pid

    def take(self):
        with open(f"/proc/{self.pid}/status") as status:
            fields = dict(line.split(":", 1) for line in status)
        return {"memory": int(fields["VmRSS"].split()[0]) << 10,
                "threads": int(fields["Threads"]),
                "descriptors": len(os.listdir(f"/proc/{self.pid}/fd"))}


class Client(threading.Thread):
    def __init__(self, server, number, deadline):
        super().__init__()
        self.server = server
        self.random = random.Random(number)
        self.deadline = deadline
        self.rounds = 0
        self.made = []
        self.failure = None

    def run(self):
        try:
            while time.monotonic() < self.deadline:
                self.live_once()
                self.rounds += 1
        except Exception as error:  # noqa: BLE001 - reported by the main thread
            self.failure = error

    def want(self, expected, answer):
        if answer[0] != expected:
            raise RuntimeError(f"{answer[0]} instead of {expected}: {answer[-1]!r}")
        return answer[-1]

    def live_once(self):
        api, raw = self.server.api, self.server.raw
        sandbox = self.want(201, api("POST", "/api/sandboxes", {"disk_limit": "64m"}))["id"]
        self.made.append(sandbox)
        base = f"/api/sandboxes/{sandbox}"
        for _ in range(self.random.randrange(1, 5)):
            result = self.want(200, api("POST", base + "/execute", {"command": "echo out; echo err >&2; exit 3"}))
            assert (result["stdout"], result["stderr"], result["exit_code"]) == ("out\n", "err\n", 3), result
        text = self.want(200, raw("POST", base + "/execute", b'{"command":"seq 2000"}',
                                  {"Accept": "text/event-stream", "Content-Type": "application/json"}))
        assert parse_events(text.decode())[-1][0] == "exited"
        content = self.random.randbytes(self.random.randrange(200_000))
        self.want(201, raw("PUT", base + "/files?path=f", content))
        assert self.want(200, raw("GET", base + "/files?path=f")) == content
        self.want(200, raw("GET", base + "/archive?path=/workspace&format=tar.gz"))
        process = self.want(201, api("POST", base + "/processes", {"command": ["sleep", "60"]}))["process_id"]
        self.want(200, api("GET", base + "/processes"))
        self.want(200, api("GET", base + "/stats"))
        if self.random.random() < 0.5:
            self.want(204, api("POST", f"{base}/processes/{process}/signal", {"signal": "SIGTERM"}))
        self.want(404, api("GET", base + "/files/stat?path=nowhere"))
        self.want(204, api("DELETE", base))


def judge(samples):
    """What grew from after the settling to the end; each a line."""
    settled = samples[int(len(samples) * SETTLING):]
    third = max(1, len(settled) // 3)
    early, late = settled[:third], settled[-third:]
    grown = []
    for what in samples[0]:
        before, after = max(one[what] for one in early), max(one[what] for one in late)
        if after > before + (SPARE_MEMORY if what == "memory" else SPARE_COUNT):
            grown.append(f"{what}: {before}, later {after}")
    return grown


def run(options, state_dir):
    machine = Machine(state_dir)
    server = Server(options.cay, state_dir, ["--pool", "host=2:4"])
    server.start()
    gauges = Gauges(server.process.pid)
    deadline = time.monotonic() + options.seconds
    clients = [Client(server, number, deadline) for number in range(CLIENTS)]
    for client in clients:
        client.start()
    samples = [gauges.take()]
    while time.monotonic() < deadline:
        time.sleep(min(1.0, options.seconds / 60))
        samples.append(gauges.take())
    for client in clients:
        client.join()
        machine.ids.update(client.made)
    failures = [f"a client failed: {client.failure!r}" for client in clients if client.failure]
    failures += judge(samples)
    if server.stop() != 0:
        failures.append(f"the server's end: {server.log_end()}")
    left = machine.left()
    if left:
        failures.append(f"left behind: {left}")
    rounds = sum(client.rounds for client in clients)
    print(f"{rounds} sandboxes in {options.seconds:g} s; memory {samples[-1]['memory'] >> 20} MiB, "
          f"{samples[-1]['descriptors']} descriptors, {samples[-1]['threads']} threads at the end")
    return failures


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cay", required=True, help="the program")
    parser.add_argument("--seconds", type=float, default=600)
    options = parser.parse_args()
    state_dir = tempfile.mkdtemp(prefix="cay-soak-")
    os.chmod(state_dir, 0o711)
    failures = run(options, state_dir)
    shutil.rmtree(state_dir, ignore_errors=True)
    for failure in failures:
        print(failure, file=sys.stderr)
    print("flat" if not failures else "failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
