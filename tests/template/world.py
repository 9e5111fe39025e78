"""A user with a state directory of its own, who types `cay template …` and runs what is in the templates."""

import argparse
import json
import os
import shutil
import subprocess
import sys

from checks import as_user, expect


SKIPPED = 77
NOBODY = 65534
USERS = (0, NOBODY)


def options_where_there_are(*programs, paths=()):
    """What the command line says, with options of those names for paths; ends the test as skipped where it is not root's, or one of the
    programs is not here."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--cay", required=True, type=os.path.abspath)
    parser.add_argument("--only", help="a part of a check's name")
    for name in paths:
        parser.add_argument(name, type=os.path.abspath)
    options = parser.parse_args()
    missing = [name for name in programs if not shutil.which(name)]
    if missing or not os.path.exists("/bin/busybox") or os.geteuid() != 0:
        print(f"skipped: not root, or not here: {missing}")
        sys.exit(SKIPPED)
    return options


class World:
    def __init__(self, cay, uid, directory, registry):
        self.cay, self.uid, self.registry = cay, uid, registry
        self.state = os.path.join(directory, f"state-{uid}")
        os.makedirs(self.state)
        os.chown(self.state, uid, uid)
        self.environment = {"PATH": os.environ["PATH"], "HOME": self.state, "CAY_STATE_DIR": self.state,
                            "CAY_RUN_DIR": os.path.join(self.state, "run"), "XDG_RUNTIME_DIR": self.state}

    def command(self, *arguments):
        return as_user(self.uid, [self.cay, *arguments])

    def run(self, *arguments, code=0):
        done = subprocess.run(self.command(*arguments), env=self.environment, capture_output=True, text=True, timeout=120)
        expect(done.returncode == code, f"{arguments}: {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout + done.stderr if code else done.stdout

    def inside(self, template, script):
        return self.run("run", "-q", "--template", template, "--", "sh", "-c", script)

    def templates(self):
        return {each["name"]: each for each in json.loads(self.run("template", "list", "--json"))}

    def layers(self):
        with os.scandir(os.path.join(self.state, "templates", ".layers")) as found:
            return {each.name for each in found}

    def blobs(self):
        try:
            return sorted(os.listdir(os.path.join(self.state, "templates", ".blobs")))
        except FileNotFoundError:
            return []
