#!/usr/bin/env python3
"""Builds environments from their recipes and tests them, with what the mirrors of this machine have: NAME…, or all; options of `cay env
build` after --. The state directory is --state-dir, which stays, or one that goes. Ends with a table of sizes and times."""

import argparse
import glob
import json
import os
import subprocess
import sys
import tempfile
import time


# The image that python-3.12 begins with, where no registry of images is reached: of Debian and an interpreter of this machine.
INTERPRETER = """
FROM debian:bookworm
RUN apt-get update && apt-get install -y --no-install-recommends libbz2-1.0 libffi8 liblzma5 libncursesw6 libreadline8 libsqlite3-0 libssl3 \\
    libuuid1 zlib1g && rm -rf /var/lib/apt/lists/*
COPY bin/python3.12 /usr/local/bin/python3.12
COPY lib /usr/local/lib
RUN ln -s python3.12 /usr/local/bin/python3 && ldconfig
"""


def bring_interpreter(cay, environment, options):
    """Of an interpreter that pyenv built, if there is one: otherwise, and where this fails, the image is pulled."""
    found = sorted(glob.glob(os.path.expanduser("~/.pyenv/versions/3.12.*")))
    if not found:
        return
    subprocess.run([cay, "template", "build", "--progress", "plain", "--net", "debian", *options, "-t", "python:3.12-slim-bookworm",
                           "-f", "-", found[-1]], env=environment, input=INTERPRETER, text=True)


def tried(cay, state, name, options):
    """Its size, how long building and testing took, and what came of them."""
    environment = {**os.environ, "CAY_STATE_DIR": state, "CAY_RUN_DIR": os.path.join(state, "run")}
    here = subprocess.run([cay, "template", "ls", "-q"], env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout.split()
    if name == "python-3.12" and "python:3.12-slim-bookworm" not in here:
        bring_interpreter(cay, environment, options)
    began = time.monotonic()
    built = subprocess.run([cay, "env", "build", "--progress", "plain", *options, name], env=environment)
    took = time.monotonic() - began
    if built.returncode != 0:
        return name, "", f"{took:.0f} s", "", "not built"
    began = time.monotonic()
    tested = subprocess.run([cay, "env", "test", "--json", name], env=environment, stdout=subprocess.PIPE, text=True)
    tests = f"{time.monotonic() - began:.1f} s"
    outcome = json.loads(tested.stdout)[0]
    for test in outcome["tests"]:
        print(f"{name}: {test['result']}: {test['command']}")
        if test["result"] == "failed":
            print(f"    {test['end']}\n    " + test["output"].replace("\n", "\n    "))
    size = {one["name"]: one["size"] for one in json.loads(subprocess.run([cay, "env", "ls", "--json"], env=environment, stdout=subprocess.PIPE,
                                                                          text=True, check=True).stdout)}[name]
    return name, f"{size / 2**20:.0f} MiB", f"{took:.0f} s", tests, f"{outcome['passed']} passed, {outcome['failed']} failed, {outcome['absent']} absent"


def main():
    own, options = sys.argv[1:], []
    if "--" in own:
        own, options = own[:own.index("--")], own[own.index("--") + 1:]
    parser = argparse.ArgumentParser()
    parser.add_argument("--cay", required=True, type=os.path.abspath)
    parser.add_argument("--state-dir", type=os.path.abspath)
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args(own)
    with tempfile.TemporaryDirectory(prefix="cay-environments-") as place:
        state = arguments.state_dir or place
        os.makedirs(state, exist_ok=True)
        names = arguments.names or [one["name"] for one in json.loads(
            subprocess.run([arguments.cay, "env", "ls", "--json"], stdout=subprocess.PIPE, text=True, check=True).stdout)]
        rows = [tried(arguments.cay, state, name, options) for name in names]
    for row in rows:
        print("  ".join(f"{cell:<12}" for cell in row).rstrip())
    failed = sum(not row[4].startswith(tuple("123456789")) or " 0 failed" not in row[4] for row in rows)
    print(f"{len(rows) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
