"""What tests in Python have in common: how they say that something does not hold, wait for it, and are somebody else."""

import subprocess
import time


class Broken(Exception):
    """What was promised does not hold."""


def expect(condition, what):
    if not condition:
        raise Broken(what)


def eventually(condition, what, patience=60):
    """The first true value of condition()."""
    deadline = time.monotonic() + patience
    while True:
        value = condition()
        if value:
            return value
        expect(time.monotonic() < deadline, f"in {patience} s it never came to be: {what}")
        time.sleep(0.02)


def as_user(uid, command):
    """The same command, by that user; 0 is who runs the test."""
    return ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", *command] if uid else command


def try_checks(checks, world, only=None, where=""):
    """How many of them failed. Each is tried, whichever failed before, and says how it went; `only`: those with this in their names."""
    failed = 0
    for check in checks:
        if only and only not in check.__name__:
            continue
        try:
            check(world)
            print(f"{check.__name__}{where}: good", flush=True)
        except (Broken, RuntimeError, subprocess.SubprocessError) as error:
            print(f"{check.__name__}{where}: {error}", flush=True)
            failed += 1
    return failed
