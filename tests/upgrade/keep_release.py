#!/usr/bin/env python3
"""Keeps what a release leaves on a disk, for the tests of all later programs: records, promises, the database, a frame of every
message.

    tests/upgrade/keep_release.py --cay build/release/cay --protocol-test PROGRAM --into tests/upgrade/releases/COMMIT
"""

import argparse
import gzip
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "outlive"))
sys.path.insert(0, HERE)
from server import Server, expect  # noqa: E402
from world import World  # noqa: E402

KEPT = ("record", "record.ephemeral", "lock")  # of a sandbox's directory; the promise is in its lock


def make_ephemeral(cay, state):
    """A `cay run` in the middle of its command."""
    made = subprocess.Popen([cay, "run", "--state-dir", state, "--memory", "64m", "--disk", "64m", "--", "sh", "-c", "echo on; sleep 600"],
                            stdout=subprocess.PIPE, start_new_session=True)
    expect(made.stdout.readline() == b"on\n", "cay run did not begin")
    return made


def await_promises(state, ids, patience=10):
    """They are written soon after their answers, into the locks."""
    deadline = time.monotonic() + patience
    while not all(os.path.getsize(os.path.join(state, "sandboxes", one, "lock")) for one in ids):
        expect(time.monotonic() < deadline, "promises are not written")
        time.sleep(0.05)


def keep_files(state, into):
    for name in os.listdir(os.path.join(state, "sandboxes")):
        source = os.path.join(state, "sandboxes", name)
        kept = [one for one in KEPT if os.path.exists(os.path.join(source, one))]
        if "record" not in kept and "record.ephemeral" not in kept:
            continue  # made ahead
        os.makedirs(os.path.join(into, "sandboxes", name))
        for one in kept:
            shutil.copyfile(os.path.join(source, one), os.path.join(into, "sandboxes", name, one))
    with open(os.path.join(state, "cay.db"), "rb") as file, open(os.path.join(into, "cay.db.gz"), "wb") as packed:
        with gzip.GzipFile(filename="", mode="wb", fileobj=packed, mtime=0) as zipped:
            shutil.copyfileobj(file, zipped)


def keep_frames(protocol_test, into):
    printed = subprocess.run([protocol_test, "--gtest_filter=ThisProgram.*", "--gtest_brief=1"], check=True, text=True,
                             stdout=subprocess.PIPE, env=dict(os.environ, CAY_PRINT_FRAMES="1")).stdout
    with open(os.path.join(into, "protocol.txt"), "w", encoding="ascii") as file:
        file.writelines(line + "\n" for line in printed.splitlines() if len(line.split()) == 2)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for option in ("--cay", "--protocol-test", "--into"):
        parser.add_argument(option, required=True)
    options = parser.parse_args()
    state = tempfile.mkdtemp(prefix="cay-release-")
    os.makedirs(options.into)
    server = Server(options.cay, state)
    world = World(server)
    world.prepare()
    server.start()
    run = None
    try:
        world.make()
        run = make_ephemeral(options.cay, state)
        await_promises(state, world.ids.values())
        server.stop()  # the database is whole, without its log; the sandboxes run on
        keep_files(state, options.into)
        keep_frames(options.protocol_test, options.into)
        server.start()
    finally:
        if run is not None:
            run.send_signal(signal.SIGTERM)
            run.wait()
        world.end()
        server.stop()
        shutil.rmtree(state, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
