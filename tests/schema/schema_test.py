#!/usr/bin/env python3
"""Asks a server everything that its own description allows, and much that it does not: schemathesis (from PyPI) makes the requests of
/openapi.json. No answer may be a 5xx, none may be other than described; what is as described is not refused, what is not
is not accepted.

Exits with 77 where schemathesis is not there and cannot be had. --long goes on for --seconds.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import venv

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "outlive"))
from server import Broken, Machine, Server, expect  # noqa: E402

VERSION = "4.32.5"
SKIPPED = 77
# Statuses of the server itself are no answers to a port's application; nothing listens there.
PORTS = "^proxyPort"
# Requests of one run, for each kind of value; more are made in a long one.
SHORT_EXAMPLES, LONG_EXAMPLES = 2, 200
SHORT_SECONDS = 40


def program(directory):
    """Of the virtual environment in `directory`, which is made when it is not there; None when PyPI cannot be reached."""
    path = os.path.join(os.path.abspath(directory), f"schemathesis-{VERSION}", "bin", "schemathesis")
    if os.access(path, os.X_OK):
        return path
    home = os.path.dirname(os.path.dirname(path))
    shutil.rmtree(home, ignore_errors=True)
    try:
        venv.create(home, with_pip=True)
        subprocess.run([os.path.join(home, "bin", "pip"), "-q", "--disable-pip-version-check", "install", "--timeout", "15",
                        "--retries", "1", f"schemathesis=={VERSION}"],
                       check=True, timeout=240, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        return path
    except (OSError, subprocess.SubprocessError) as error:
        shutil.rmtree(home, ignore_errors=True)
        said = getattr(error, "stderr", None) or b""
        print(f"skipped: schemathesis {VERSION} cannot be had from PyPI: {error}\n{said.decode(errors='replace')[-500:]}")
        return None


def start(cay, state):
    """A server with a key of scope admin, under whose name everything is asked, and the sandbox "schema"."""
    server = Server(cay, state, ["--set", "rates.auth_failures_per_minute=1000000"])
    made = subprocess.run([cay, "keys", "create", "--local", "--quiet", "--scope", "admin", "--state-dir", state, "schema"],
                          check=True, stdout=subprocess.PIPE, text=True)
    server.key = made.stdout.strip()
    server.start()
    status, body = server.api("POST", "/api/sandboxes", {"name": "schema", "memory_limit": "256m"})
    expect(status == 201, f"the sandbox: {status} {body}")
    return server


def configuration(state, server):
    """schemathesis.toml with the key in it, in one scheme alone: with two good ones a bad one would not matter."""
    path = os.path.join(state, "schemathesis.toml")
    with open(os.path.join(HERE, "schemathesis.toml")) as source, open(path, "w") as target:
        target.write(source.read() + f'\n[auth.openapi.bearer]\nbearer = "{server.key}"\n')
    return path


def run(schemathesis, server, state, arguments):
    """What it says, when something is wrong."""
    address = f"http://127.0.0.1:{server.port}"
    command = [schemathesis, "--config-file", configuration(state, server), "run", f"{address}/openapi.json", "--url", address,
               "--generation-database", "none", "--no-color", "--request-timeout", "20", "--suppress-health-check", "all",
               "--exclude-operation-id-regex", PORTS] + arguments
    done = subprocess.run(command, cwd=state, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    summary = re.findall(r"^Test cases:\n.*$", done.stdout, re.MULTILINE)
    print("\n".join(summary))
    expect(done.returncode == 0, f"schemathesis ended with {done.returncode}:\n{done.stdout[-20000:]}")
    expect(summary, f"schemathesis asked nothing:\n{done.stdout[-4000:]}")


def clean_up(server):
    _, page = server.api("GET", "/api/sandboxes?limit=1000")
    for sandbox in page["sandboxes"]:
        server.api("DELETE", f"/api/sandboxes/{sandbox['id']}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cay", required=True)
    parser.add_argument("--tools", required=True, help="where schemathesis is, or is to be")
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--seconds", type=int, default=600)
    options = parser.parse_args()
    if os.geteuid() != 0:
        print("skipped: it needs root")
        return SKIPPED
    schemathesis = program(options.tools)
    if schemathesis is None:
        return SKIPPED
    if options.long:
        arguments = ["--max-examples", str(LONG_EXAMPLES), "--max-time", str(options.seconds)]
    else:
        arguments = ["--max-examples", str(SHORT_EXAMPLES), "--max-time", str(SHORT_SECONDS), "--seed", "1"]
    state = tempfile.mkdtemp(prefix="cay-schema-")
    os.chmod(state, 0o711)
    machine = Machine(state)
    server = start(options.cay, state)
    try:
        run(schemathesis, server, state, arguments)
    except Broken as error:
        print(f"FAILED: {error}")
        return 1
    finally:
        clean_up(server)
        server.stop()
        left = machine.left()
        shutil.rmtree(state, ignore_errors=True)
    if left:
        print(f"FAILED: left: {left}")
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
