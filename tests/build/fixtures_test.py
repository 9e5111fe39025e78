#!/usr/bin/env python3
"""Dockerfiles of fixtures/, built and used as their users did. Without --full those that need no archive of Debian, over an image of this
machine's packages and with what the index of Python has; with it all (or NAME…), over images of a registry of this test's own, with the archives
that this machine reaches: options of `cay template build` for that after --. Exits with 77 where not started by root, or without what it needs."""

import argparse
import contextlib
import glob
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(HERE, "..", "support"))
sys.path.insert(0, os.path.join(HERE, "..", "template"))
from bases import BASES, VENV, context_of, machine_image  # noqa: E402
from checks import Broken, eventually, expect, try_checks  # noqa: E402
from images import Registry  # noqa: E402
from startup_test import Served  # noqa: E402
from world import SKIPPED, World  # noqa: E402

FIXTURES = os.path.join(HERE, "fixtures")
# What each begins with; one that others begin with comes before them.
ALL = {"workshop": ("ubuntu:22.04", "node:20-slim"), "basic": ("python:3.11-slim", "node:20-slim"), "full": ("python:3.11-slim", "node:20-slim"),
       "stages": ("python:3.11", "python:3.11-slim"), "service": ("python:3.11-slim",), "python-3.11": ("python:3.11-slim",),
       "python-3.12": ("python:3.12-slim",), "node-20": ("node:20-slim",), "keeper": ("ubuntu:22.04", "node:22-slim")}
SHORT = ("stages", "service")
PATIENCE_S = 1200


class Bases:
    """What a FROM names, made on the machine of `world` and sent to the registry."""

    def __init__(self, world, top, registry, online):
        self.world, self.top, self.registry, self.online = world, top, registry, online
        self.made = []

    def send(self, name, base):
        self.cay("template", "push", "-q", base, f"{self.registry.name}/library/{name}")
        self.made.append(name)

    def cay(self, *arguments, text=""):
        done = subprocess.run(self.world.command(*arguments), env=self.world.environment, input=text, capture_output=True, text=True,
                              timeout=PATIENCE_S)
        expect(done.returncode == 0, f"{arguments}: {done.returncode}: {done.stdout}{done.stderr}")

    def make(self, name, dockerfile, context):
        self.cay("template", "build", "-q", *self.online, "-t", f"base/{name}", "-f", "-", context, text=dockerfile)
        self.send(name, f"base/{name}")

    def of_this_machine(self):
        """What the short form begins with, without a registry; nothing where this is no Debian."""
        image = machine_image(["python3-venv", "dpkg"])
        if image is None:
            return
        layout = os.path.join(self.top, "machine")
        image.write_layout(layout)
        self.cay("template", "import", "-q", "machine:1", layout)
        self.made = ["python:3.11-slim", "python:3.11"]
        tags = [word for name in self.made for word in ("-t", name)]
        self.cay("template", "build", "-q", *tags, "-f", "-", context_of("", self.top), text="FROM machine:1\n" + VENV)

    def of_archives(self, names):
        wanted = {base for name in names for base in ALL[name]}
        for name, dockerfile in BASES.items():
            if name not in wanted:
                continue
            context = context_of(name, self.top)
            if context is None:
                print(f"{name}: nothing here to make it of", flush=True)
                continue
            began = time.monotonic()
            self.make(name, dockerfile, context)
            print(f"base {name}: {time.monotonic() - began:.0f} s", flush=True)


class Users(Served):
    """Whoever builds the fixtures, with a server of the same templates."""

    def __init__(self, cay, top, names, online):
        super().__init__(cay, 0, top)
        self.top, self.names, self.online = top, names, online
        self.built = {}

    def pull(self, bases):
        for name in bases.made:
            self.run("template", "pull", "-q", "--as", name, f"{bases.registry.name}/library/{name}")

    def build(self, name, *options, tag=None, online=True, code=0):
        """What `--json` says of it, or what it wrote where it failed."""
        command = [self.cay, "template", "build", "--json", "--progress", "plain", *(self.online if online else ()), *options, "-t",
                   tag or self.tag(name), os.path.join(FIXTURES, name)]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=PATIENCE_S)
        expect(done.returncode == code, f"{name}: {done.returncode}: {done.stdout}{done.stderr}")
        return json.loads(done.stdout) if code == 0 else done.stdout + done.stderr

    def tag(self, name):
        return f"{name}:local"

    def uses(self, name):
        with open(os.path.join(FIXTURES, name, "uses")) as lines:
            return [line.rstrip("\n") for line in lines]


def each_is_built_and_used_as_its_users_did(world):
    failures = []
    for name in world.names:
        try:
            built_and_used(world, name)
        except Broken as failure:
            failures.append(str(failure))
    expect(not failures, "\n".join(failures))


def built_and_used(world, name):
    began = time.monotonic()
    world.built[name] = world.build(name)
    took = time.monotonic() - began
    for line in world.uses(name):
        done = subprocess.run([world.cay, "run", "-q", "--template", world.tag(name), "--", "sh", "-c", line], env=world.environment,
                              capture_output=True, text=True, timeout=120)
        expect(done.returncode == 0, f"{name}: {line}: {done.returncode}: {done.stdout}{done.stderr}")
    print(f"fixture {name}: {world.built[name]['steps']} steps, {took:.1f} s; {len(world.uses(name))} uses", flush=True)


def nothing_is_done_again_and_no_network_is_asked(world):
    for name in world.built:
        again = world.build(name, online=False)
        expect(again["cached"] == again["steps"] == world.built[name]["steps"], f"{name}: {again}")


def a_stage_is_built_where_it_is_asked_for(world):
    if "stages" in world.built:
        world.build("stages", "--target", "test", tag="stages:test", online=False)
        expect("1 passed" in world.inside("stages:test", "cat /tmp/tested"), "its tests ran")
    if "basic" in world.built:
        world.build("basic", "--target", "base", tag="basic:base", online=False)
        world.run("run", "-q", "--template", "basic:base", "--", "python", "-c", "import yaml", code=1)
        expect(world.inside("basic:base", "id -un; node --version; git --version").startswith("root\nv20."), "what the stage has")


def arguments_and_labels_are_in_what_is_built(world):
    if "service" not in world.built:
        return
    world.build("service", "--build-arg", "PORT=8002", "--build-arg", "REVISION=abc", "--label", "team=one", tag="service:8002", online=False)
    said = world.run("template", "inspect", "--json", "service:8002")
    for part in ("PORT=8002", '"abc"', "team", "healthcheck.py", "SIGTERM"):
        expect(part in said, f"{part} is not in {said}")
    expect(world.inside("service:8002", "echo $PORT").strip() == "8002", "its variable")


def an_entrypoint_is_what_starts_commands(world):
    if "stages" in world.built:
        expect(world.run("run", "-q", "--template", "stages:local", "--use-entrypoint").startswith("hello world."), "its own command")
        expect(world.run("run", "-q", "--template", "stages:local", "--use-entrypoint", "--", "you").startswith("hello you."), "one's own arguments")
    if "keeper" in world.built:
        out = world.run("run", "-q", "--template", "keeper:local", "--use-entrypoint", "--", "bash", "-c", "ulimit -u; ulimit -t; id -un; exit 7", code=7)
        expect(out.split()[:3] == ["20", "300", "sandboxuser"], out)


def directories_are_mounted_as_compose_mounts_them(world):
    if "stages" not in world.built:
        return
    work, settings = os.path.join(world.top, "work"), os.path.join(world.top, "settings")
    for path in (work, settings):
        os.makedirs(path)
        os.chown(path, 1000, 1000)
    with open(os.path.join(settings, "config"), "w") as out:
        out.write("of the host\n")
    mounts = ("-v", f"{work}:/workspace:rw", "-v", f"{settings}:/home/app/.aws:ro")
    script = "whoami; cat ~/.aws/config; echo x > made; touch ~/.aws/x 2>/dev/null || echo read-only"
    said = world.run("run", "-q", "--template", "stages:local", *mounts, "--", "sh", "-c", script)
    expect(said == "app\nof the host\nread-only\n", said)
    expect(os.listdir(settings) == ["config"] and os.stat(os.path.join(work, "made")).st_uid == 1000, "what is written stays, its owner's")


def a_service_is_healthy_and_answers_at_a_port(world):
    if "service" not in world.built:
        return
    sandbox = world.create("service:local", entrypoint=True, network={"publish": ["0:8003"]})
    eventually(lambda: world.look(sandbox)["health"]["status"] == "healthy", "its own test says that it is well")
    ran = world.execute(sandbox, ["python", "healthcheck.py"])[1]
    expect(ran["exit_code"] == 0, f"{ran}")
    published = world.ask("GET", f"/api/sandboxes/{sandbox['id']}/network")[1]["publish"][0]
    url = f"http://{published['address']}:{published['host_port']}"
    with urllib.request.urlopen(url + "/health", timeout=10) as answer:
        expect(json.load(answer) == {"status": "healthy", "workspace": "/workspace"}, "from outside")
    asked = urllib.request.Request(url + "/execute", data=json.dumps({"command": ["sh", "-c", "echo $((6 * 7)); pwd; whoami"]}).encode())
    with urllib.request.urlopen(asked, timeout=10) as answer:
        expect(json.load(answer)["stdout"] == "42\n/workspace\nservice\n", "it executes")
    world.forget(sandbox)


def without_a_network_it_is_built_anew_of_what_was_kept(world):
    for name in world.built:
        began = time.monotonic()
        anew = world.build(name, "--no-cache", online=False)
        expect(anew["cached"] == 0, f"{name}: {anew}")
        for line in world.uses(name)[:4]:
            world.inside(world.tag(name), line)
        print(f"fixture {name}, anew without a network: {time.monotonic() - began:.1f} s", flush=True)


def what_nobody_kept_is_said_to_be_missing(world):
    """What does not hold: a step that keeps nothing of what it fetched needs its registry again."""
    if "stages" not in world.built:
        return
    context = os.path.join(world.top, "plain")
    os.makedirs(context)
    with open(os.path.join(context, "Dockerfile"), "w") as out:
        out.write("FROM python:3.11-slim\nRUN pip install --retries 0 --timeout 5 itsdangerous\n")
    done = subprocess.run([world.cay, "template", "build", "--progress", "plain", context], env=world.environment, capture_output=True, text=True,
                          timeout=120)
    said = done.stdout + done.stderr
    expect(done.returncode == 1 and "Dockerfile:2: RUN pip install" in said and "No matching distribution" in said, said)


CHECKS = (each_is_built_and_used_as_its_users_did, nothing_is_done_again_and_no_network_is_asked, a_stage_is_built_where_it_is_asked_for,
          arguments_and_labels_are_in_what_is_built, an_entrypoint_is_what_starts_commands,
          directories_are_mounted_as_compose_mounts_them, a_service_is_healthy_and_answers_at_a_port,
          without_a_network_it_is_built_anew_of_what_was_kept, what_nobody_kept_is_said_to_be_missing)


def keep_packages(world, top):
    """Puts the packages of the short form where its steps keep them, as a build with a network leaves them; false where there are none."""
    context = os.path.join(top, "packages")
    os.makedirs(context)
    # pip, out of what Debian makes virtual environments with: it need not be installed.
    pip = glob.glob("/usr/share/python-wheels/pip-*.whl")[0]
    fetched = subprocess.run(["/usr/bin/python3", os.path.join(pip, "pip"), "download", "-q", "--disable-pip-version-check", "-d",
                              os.path.join(context, "kept"), "-r", os.path.join(FIXTURES, "stages", "requirements.txt")], capture_output=True, text=True)
    if fetched.returncode != 0:
        print(f"skipped: there are no packages: {fetched.stderr[-500:]}")
        return False
    with open(os.path.join(context, "Dockerfile"), "w") as out:
        out.write("FROM python:3.11-slim\nRUN --mount=type=bind,target=/c --mount=type=cache,target=/root/packages cp /c/kept/* /root/packages\n")
    world.run("template", "build", "-q", context)
    return True


def main():
    own, online = sys.argv[1:], ["--net", "debian", "--net", "pypi", "--net", "npm"]
    if "--" in own:
        own, online = own[:own.index("--")], online + own[own.index("--") + 1:]
    parser = argparse.ArgumentParser()
    parser.add_argument("--cay", required=True, type=os.path.abspath)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--only", help="a part of a check's name")
    parser.add_argument("names", nargs="*")
    options = parser.parse_args(own)
    needed = ("docker-registry", "mmdebstrap", "npm") if options.full else ("dpkg", "/usr/bin/python3")
    missing = [name for name in needed if not shutil.which(name)]
    if missing or os.geteuid() != 0:
        print(f"skipped: not root, or not here: {missing}")
        return SKIPPED
    names = [name for name in (ALL if options.full else SHORT) if not options.names or name in options.names]
    if "full" in names and "basic" not in names:
        names.insert(0, "basic")
    with tempfile.TemporaryDirectory(prefix="cay-fixtures-") as top, contextlib.ExitStack() as stack:
        registry = stack.enter_context(Registry(os.path.join(top, "registry"))) if options.full else None
        os.chmod(top, 0o755)
        world = Users(options.cay, top, names, online if options.full else [])
        try:
            bases = Bases(World(options.cay, 0, os.path.join(top, "bases"), registry) if options.full else world, top, registry, world.online)
            bases.of_archives(names) if options.full else bases.of_this_machine()
            if not bases.made:
                print("skipped: this machine's packages are not Debian's")
                return SKIPPED
            if options.full:
                world.pull(bases)
            elif not keep_packages(world, top):
                return SKIPPED
            if "python:3.12-slim" not in bases.made and "python-3.12" in names:
                names.remove("python-3.12")
            return 1 if try_checks(CHECKS, world, options.only) else 0
        finally:
            world.stop()


if __name__ == "__main__":
    sys.exit(main())
