#!/usr/bin/env python3
"""Starts today's server on what every release so far left on a disk: releases/COMMIT holds its records and its database, as
bytes. The processes and images are gone, as after a reboot; nothing else may be.
"""

import argparse
import glob
import gzip
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "outlive"))
sys.path.insert(0, HERE)
from server import Broken, Machine, Server, expect  # noqa: E402
from world import FULL, World  # noqa: E402

STATES = {"live": "failed", "full": "failed", "still": "failed", "off": "stopped"}


def lay_out(release, state, database=True):
    shutil.copytree(os.path.join(release, "sandboxes"), os.path.join(state, "sandboxes"))
    if not database:
        return
    with gzip.open(os.path.join(release, "cay.db.gz")) as packed, open(os.path.join(state, "cay.db"), "wb") as file:
        shutil.copyfileobj(packed, file)
    os.chmod(os.path.join(state, "cay.db"), 0o600)
    renew_lives(os.path.join(state, "cay.db"))


def renew_lives(path):
    """The sandboxes' hours are over since long: each has as many again from now on as it had."""
    db = sqlite3.connect(path)
    try:
        with db:
            db.execute("UPDATE sandbox SET expires_ms = expires_ms + ? - created_ms", (time.time_ns() // 1_000_000,))
    finally:
        db.close()


def try_release(cay, release, state):
    lay_out(release, state)
    made = set(os.listdir(os.path.join(state, "sandboxes")))
    server = Server(cay, state)
    world = World(server)
    world.prepare()
    listed = json.loads(subprocess.run([cay, "ps", "--json", "--state-dir", state], check=True, text=True,
                                       stdout=subprocess.PIPE).stdout)
    expect({row["id"] for row in listed} == made, f"cay ps: {listed}")
    expect(not [row for row in listed if row["damage"]], f"cay ps: {listed}")
    ephemeral = {row["id"] for row in listed if row["lifetime"] == "ephemeral"}
    server.start()
    try:
        views = {view["name"]: view for view in world.answer(200, "GET", "/api/sandboxes")["sandboxes"]}
        expect({name: view["state"] for name, view in views.items()} == STATES, f"states: {views}")
        expect({view["id"] for view in views.values()} == made - ephemeral, f"ids: {views}")
        for name in ("live", "full", "still"):
            expect(views[name]["reason"].startswith("lost: its guest ended"), f"{name}: {views[name]}")
        for field in ("metadata", "env", "user", "workdir"):
            expect(views["full"][field] == FULL[field], f"{field} of full: {views['full']}")
        expect(not world.answer(200, "GET", "/api/orphans")["orphans"], "there are orphans")
        expect(len(world.answer(200, "GET", "/api/webhooks")["webhooks"]) == 1, "the webhook is gone")
        expect(len(world.answer(200, "GET", "/api/keys")["keys"]) == 2, "the key is gone")
        processes = world.answer(200, "GET", f"/api/sandboxes/{views['live']['id']}/processes")["processes"]
        expect({one["state"] for one in processes} == {"lost"} and len(processes) == 2, f"processes: {processes}")
        # The ephemeral one's launcher is gone.
        expect(set(os.listdir(os.path.join(state, "sandboxes"))) == made - ephemeral, "what is there")
        for view in views.values():
            world.answer(204, "DELETE", f"/api/sandboxes/{view['id']}")
    finally:
        server.stop()


def has_promises(release):
    return any(os.path.getsize(path) for path in glob.glob(os.path.join(release, "sandboxes", "*", "lock")))


def try_promises(cay, release, state):
    """Without its database: what each sandbox says of itself is read, and is what comes back."""
    lay_out(release, state, database=False)
    server = Server(cay, state)
    world = World(server)
    world.prepare()
    server.start()
    try:
        orphans = {one["name"]: one["id"] for one in world.answer(200, "GET", "/api/orphans")["orphans"]}
        expect(set(orphans) == set(STATES), f"orphans: {orphans}")
        for orphan in orphans.values():
            world.answer(200, "POST", f"/api/orphans/{orphan}/adopt")
        full = world.answer(200, "GET", f"/api/sandboxes/{orphans['full']}")
        for field in ("metadata", "env", "user", "workdir"):
            expect(full[field] == FULL[field], f"{field} of full: {full}")
        for orphan in orphans.values():
            world.answer(204, "DELETE", f"/api/sandboxes/{orphan}")
    finally:
        server.stop()


def trials(release):
    yield "its database", try_release
    if has_promises(release):
        yield "its promises", try_promises


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cay", required=True)
    options = parser.parse_args()
    if os.geteuid() != 0:
        print("skipped: it needs root, as those who made them were")
        return 77
    releases = os.path.join(HERE, "releases")
    failed = False
    for name in sorted(os.listdir(releases)):
        for what, trial in trials(os.path.join(releases, name)):
            state = tempfile.mkdtemp(prefix="cay-release-")
            machine = Machine(state)
            try:
                trial(options.cay, os.path.join(releases, name), state)
                left = machine.left()
                expect(not left, f"left: {left}")
                print(f"{name}, {what}: ok")
            except (Broken, RuntimeError, OSError, KeyError, ValueError) as error:
                failed = True
                print(f"{name}, {what}: FAILED: {error!r}")
            finally:
                shutil.rmtree(state, ignore_errors=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
