#!/usr/bin/env python3
"""A server is killed while it takes snapshots: the sandbox runs on, what was acknowledged is there and whole, what was
not is there whole or not at all, and nothing half made stays on the disk."""

import argparse
import os
import random
import sys
import tempfile
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from server import Broken, NoAnswer, Server, expect  # noqa: E402

FILES = 400


class World:
    def __init__(self, cay, state):
        self.server = Server(cay, state)
        self.templates = os.path.join(state, "templates")
        self.server.start()
        self.sandbox = self.create({"name": "worked-in"})

    def create(self, value):
        status, made = self.server.api("POST", "/api/sandboxes", value)
        expect(status == 201, f"create {value}: {status} {made}")
        return made["id"]

    def run(self, sandbox, script):
        status, done = self.server.api("POST", f"/api/sandboxes/{sandbox}/execute", {"command": script})
        expect(status == 200 and done["exit_code"] == 0, f"{script}: {status} {done}")
        return done["stdout"]

    def write(self, number):
        """Many files, each of this round's number, and one that is larger."""
        self.run(self.sandbox, f"cd /workspace && for i in $(seq {FILES}); do echo {number} > f$i; done && "
                               f"head -c 8000000 /dev/zero | tr '\\0' '{number % 10}' > large && echo {number} > last")

    def snapshot_then_kill(self, name, delay):
        """Whether it was acknowledged."""
        acknowledged = []

        def take():
            try:
                status, _ = self.server.api("POST", f"/api/sandboxes/{self.sandbox}/snapshots", {"name": name})
                acknowledged.append(status == 201)
            except NoAnswer:
                pass

        taking = threading.Thread(target=take)
        taking.start()
        taking.join(timeout=delay)
        self.server.kill()
        taking.join()
        return acknowledged == [True]

    def names(self):
        status, listed = self.server.api("GET", "/api/snapshots")
        expect(status == 200, f"list: {status} {listed}")
        return [each["name"].split("/")[1] for each in listed["templates"]]

    def expect_whole(self, name, number):
        made = self.create({"template": name})
        counted = self.run(made, f"cd /workspace && cat f* | grep -cx {number}; stat -c %s large; cat last")
        expect(counted.split() == [str(FILES), "8000000", str(number)], f"{name} is not whole: {counted}")
        self.server.api("DELETE", f"/api/sandboxes/{made}")

    def round(self, number, delay):
        self.write(number)
        name = f"s{number}"
        acknowledged = self.snapshot_then_kill(name, delay)
        self.server.start()
        self.run(self.sandbox, f"test $(cat /workspace/last) = {number}")  # it runs, and does not stand still
        there = name in self.names()
        expect(there or not acknowledged, f"{name} was acknowledged after {delay:.3f} s, and is gone")
        if there:
            self.expect_whole(name, number)
            expect(self.server.api("DELETE", f"/api/snapshots/{name}")[0] == 204, f"removing {name}")
        return there

    def expect_nothing_left(self):
        """Of layers: what the host template needs, and no sandbox stands on a snapshot any more."""
        self.server.api("DELETE", f"/api/sandboxes/{self.sandbox}")
        self.server.stop()
        self.server.start()
        self.server.stop()
        partial = os.listdir(os.path.join(self.templates, ".partial"))
        expect(not partial, f"half made: {partial}")
        files = [name for name in os.listdir(self.templates) if name.startswith("@")]
        expect(not files, f"metadata of what was removed: {files}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cay", required=True)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    options = parser.parse_args()
    if os.geteuid() != 0:
        return 77
    choose = random.Random(options.seed)
    with tempfile.TemporaryDirectory(prefix="cay-snapshots-") as state:
        world = World(options.cay, state)
        try:
            # Every fourth is killed after its answer, as soon as that came.
            there = sum(world.round(number, 60 if number % 4 == 0 else choose.uniform(0, 0.8))
                        for number in range(1, options.rounds + 1))
            world.expect_nothing_left()
            print(f"seed {options.seed}: {options.rounds} rounds, {there} snapshots were there afterwards")
        except Broken as broken:
            print(f"seed {options.seed}: {broken}\n{world.server.log_end()}")
            return 1
        finally:
            if world.server.process.poll() is None:
                world.server.kill()
    return 0


if __name__ == "__main__":
    sys.exit(main())
