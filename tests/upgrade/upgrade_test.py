#!/usr/bin/env python3
"""Starts a server of an earlier release, makes sandboxes that run, replaces the program and starts again: everything is there
and executes work; old guests are spoken to as they understand. See ./dev test-upgrade.
"""

import argparse
import os
import shutil
import sqlite3
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "outlive"))
sys.path.insert(0, HERE)
from server import Broken, Machine, NoAnswer, Server, expect  # noqa: E402
from world import World  # noqa: E402


def refuses_downgrade(server, old):
    """The older program ends with a word, and has touched nothing."""
    newer, server.cay = server.cay, old
    try:
        server.start()
    except RuntimeError as error:
        expect("newer cay" in str(error), f"the older program does not say why it ends: {error}")
        server.cay = newer
        return
    server.cay = newer
    server.stop()
    raise Broken("the older program starts on what the newer one wrote")


def database_version(state):
    db = sqlite3.connect(os.path.join(state, "cay.db"))
    try:
        return db.execute("PRAGMA user_version").fetchone()[0]
    finally:
        db.close()


def upgrade(old, new, state, ending):
    server = Server(old, state)
    machine = Machine(state)
    world = World(server)
    world.prepare()
    server.start()
    try:
        world.make()
        machine.ids.update(world.ids.values())
        if ending == "killed":
            server.kill()
        else:
            server.stop()
        before = database_version(state)
        server.cay = new
        server.start()
        if database_version(state) != before:
            server.stop()
            refuses_downgrade(server, old)
            server.start()
        world.check()
    finally:
        if server.process.poll() is not None:
            server.cay = new
            server.start()
        world.end()
        server.stop()
    left = machine.left()
    expect(not left, f"left: {left}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--old", required=True, help="the earlier release's program")
    parser.add_argument("--cay", required=True, help="today's")
    options = parser.parse_args()
    if os.geteuid() != 0:
        print("skipped: it needs root")
        return 77
    failed = False
    for ending in ("stopped", "killed"):
        state = tempfile.mkdtemp(prefix="cay-upgrade-")
        begun = time.monotonic()
        try:
            upgrade(options.old, options.cay, state, ending)
            print(f"the old server was {ending}: ok ({time.monotonic() - begun:.1f} s)", flush=True)
        except (Broken, NoAnswer, RuntimeError, OSError, KeyError, ValueError) as error:
            failed = True
            print(f"the old server was {ending}: FAILED: {error!r}", flush=True)
        finally:
            shutil.rmtree(state, ignore_errors=True)
    print("upgrade: " + ("failed" if failed else "ok"))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
