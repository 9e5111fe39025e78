#!/usr/bin/env python3
"""Contexts, options and owners that want more of a server that builds than is theirs: each is refused as the client's fault, or does inside
what it would do anywhere; the server lives on with what it held before. Exits with 77 where not started by root, or without busybox."""

import gzip
import json
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(HERE, "..", "support"))
sys.path.insert(0, os.path.join(HERE, "..", "template"))
from checks import eventually, expect, try_checks  # noqa: E402
from hostile import CANARY, Host, hostile_archives  # noqa: E402
from images import file, symlink  # noqa: E402
from server_build_test import Building, tar_of  # noqa: E402
from world import options_where_there_are  # noqa: E402

# What is wrong with what a client sends is never the server's own fault.
CLIENTS_ERRORS = range(400, 500)


class HostileServer(Building):
    def __init__(self, cay, top):
        os.makedirs(os.path.join(top, "server"))
        super().__init__(cay, os.path.join(top, "server"))
        self.host = Host(os.path.join(top, "server"), self.state)

    def upload(self, context, key=None, **options):
        """The answer to an archive as it is."""
        body = (b"--B\r\nContent-Disposition: form-data; name=\"options\"\r\n\r\n" + json.dumps(options).encode() +
                b"\r\n--B\r\nContent-Disposition: form-data; name=\"context\"; filename=\"c\"\r\n\r\n" + context + b"\r\n--B--\r\n")
        return self.request("POST", "/api/templates/builds", body, key or self.one, **{"Content-Type": "multipart/form-data; boundary=B"})

    def outcome(self, status, build, what):
        """How it ended, and all that was told of it. What is refused is refused as the client's fault."""
        expect(status == 202 or status in CLIENTS_ERRORS, f"{what}: {status}: {build}")
        told = json.dumps(build)
        if status == 202:
            build = self.ended(build)
            told += json.dumps(build) + json.dumps(self.events(build, key=self.key))
            expect(build["state"] in ("done", "failed"), f"{what}: {build}")
            expect(build["state"] == "done" or build["error_code"] not in (None, "internal"), f"{what}: {build}")
        expect(CANARY not in told and "root:x:0:0:root:/root:/bin/bash" not in told, f"{what}: it read the host's file: {told[:2000]}")
        return build.get("state"), told

    def said(self, build, key):
        return "".join(data["text"] for kind, _, data in self.events(build, key=key) if kind == "output")

    def held(self):
        """What its process holds: descriptors and threads."""
        pid = self.server.pid
        return len(os.listdir(f"/proc/{pid}/fd")), len(os.listdir(f"/proc/{pid}/task"))


def the_server_lives_on(check):
    def run(world):
        world.build("FROM base\nRUN true\n", key=world.one, names=["before"], no_cache=True)
        before, pid, held = world.host.now(), world.server.pid, world.held()
        check(world)
        expect(world.server.poll() is None and world.server.pid == pid, "the server ended")
        expect(world.host.now() == before, f"the host has changed: {before} {world.host.now()}")
        eventually(lambda: world.sandboxes() == [] and world.aside() == [] and len(world.host.loops()) <= 2, "nothing is left")
        done = world.build("FROM base\nRUN true\n", key=world.one, names=["after"], no_cache=True)
        expect(done["state"] == "done", f"it builds: {done}")
        eventually(lambda: world.held()[0] <= held[0] + 8 and world.held()[1] <= held[1] + 8, f"it holds {world.held()}, and held {held}")
        found = subprocess.run(["grep", "-rl", "--", CANARY, world.state], capture_output=True, text=True)
        expect(found.stdout == "", f"the host's file is in {found.stdout}")
    run.__name__ = check.__name__
    return run


@the_server_lives_on
def uploaded_contexts_lead_nowhere_outside(world):
    dockerfile = "FROM base\nCOPY . /x/\nRUN cat /x/* /x/*/* 2>/dev/null; ls -la /x\n"
    for name, data in hostile_archives(world.host.outside):
        own = name.startswith("docker")
        entries = tar_of([] if own else [file("Dockerfile", dockerfile)]).rstrip(b"\0")
        entries += b"\0" * (-len(entries) % 512)
        state, told = world.outcome(*world.upload(entries + data, names=["hostile"]), name)
        if name in ("parent", "absolute", "cut", "damaged", "dockerfile", "dockerfile hard", "dockerfile fifo", "dockerfile directory",
                    "dockerfile loop", "dockerignore"):
            expect(state != "done", f"{name}: {told[:1000]}")
    for name, context in (("nothing", b""), ("no archive", os.urandom(5000)), ("text", b"FROM base\n"), ("gzip", gzip.compress(tar_of([file("Dockerfile", dockerfile)]))),
                          ("zeros", b"\0" * 100_000), ("no Dockerfile", tar_of([file("x", "x")])),
                          ("twice", tar_of([file("Dockerfile", "FROM nothing\n"), file("Dockerfile", "FROM base\n")]))):
        world.outcome(*world.upload(context, names=["hostile"]), name)
    # A gigabyte and a half that was a megabyte and a half.
    world.outcome(*world.upload(gzip.compress(b"\0" * (1 << 26), 9) * 24, names=["hostile"]), "a bomb")


@the_server_lives_on
def options_of_a_build_lead_nowhere(world):
    context = tar_of([file("Dockerfile", "FROM base\nARG A\nRUN echo $A\n"), file("sub/other", "FROM base\n"), symlink("led", "/etc/passwd")])
    for options in ({"dockerfile": "../../../etc/passwd"}, {"dockerfile": "/etc/passwd"}, {"dockerfile": "led"}, {"dockerfile": "sub"}, {"dockerfile": "Dockerfile/x"}, {"dockerfile": ""},
                    {"dockerfile": "x\0y"}, {"dockerfile": "a/" * 5000}, {"dockerfile": "-"}, {"names": ["../x"]}, {"names": ["@other/x"]}, {"names": ["host"]},
                    {"names": ["base"]}, {"names": ["a\nb"]}, {"names": ["x" * 5000]}, {"names": []}, {"names": ["x"] * 1000}, {"names": [".layers"]},
                    {"names": "x"}, {"target": "x" * 100_000}, {"target": "../x"}, {"build_args": {"A": "x" * 500_000}}, {"build_args": {"A\0": "x"}},
                    {"build_args": {"A": "$(id)`id`\n\0"}}, {"build_args": {f"A{n}": "x" for n in range(5000)}}, {"labels": {"\x1b[2J": "x" * 100_000}},
                    {"secrets": {"../../x": "x"}}, {"secrets": {"s": "x" * 5_000_000}}, {"secrets": {f"s{n}": "x" for n in range(5000)}},
                    {"platform": "../../x"}, {"network": {"allow": ["../../x"]}}, {"limits": {"memory": 1 << 60}}, {"state_dir": "/etc"}):
        world.outcome(*world.upload(context, **{"names": ["hostile"], **options}), str(options)[:100])


@the_server_lives_on
def nothing_of_another_owners_builds_is_had(world):
    secret = "s3cr3t-of-one-alone"
    text = ("FROM base AS tool\nRUN echo of-one-alone-$(head -c 8 /dev/urandom | busybox od -An -tx1 | tr -d ' ') > /once\nFROM tool\n"
            "RUN --mount=type=cache,id=shared,target=/c echo of-one-alone > /c/mine; ls /c\n"
            "RUN --mount=type=secret,id=token,target=/t cat /t > /dev/null\nRUN cat /once\n").replace("tr -d ' '", "busybox tr -d ' '")
    mine = world.build(text, key=world.one, names=["own"], secrets={"token": secret})
    expect(mine["state"] == "done", f"{mine}")
    # The same text and names, the same cache, and all ways to name what is another's.
    theirs = world.begin(text.replace("echo of-one-alone > /c/mine; ", ""), key=world.other, names=["own"], secrets={"token": "another"})
    expect(world.ended(theirs)["state"] == "done" and world.ended(theirs)["cached"] == 0, f"{world.ended(theirs)}")
    expect("mine" not in world.said(theirs, world.other), "its cache was seen")
    once = world.said(mine, world.one).split()[-1]
    expect(once.startswith("of-one-alone-") and once not in world.said(theirs, world.other), "its layer was found")
    for stolen in ("FROM @one/own\nRUN cat /once\n", "FROM one/own\nRUN cat /once\n", "FROM base\nCOPY --from=@one/own /once /once\nRUN cat /once\n",
                   "FROM base\nRUN --mount=from=@one/own,target=/m cat /m/once\n", "FROM base\nRUN --mount=type=cache,from=@one/own,id=x,target=/m cat /m/once\n",
                   "FROM base\nRUN --mount=type=cache,id=@one/shared,target=/m cat /m/mine\n", "FROM base\nRUN --mount=type=cache,id=one/shared,target=/m cat /m/mine\n",
                   "FROM base\nRUN --mount=type=cache,id=../one/shared,target=/m cat /m/mine\n", "ARG B=@one/own\nFROM $B\n",
                   "FROM base\nADD --checksum=sha256:" + "0" * 64 + " @one/own /x\n"):
        build = world.build(stolen, key=world.other, names=["stolen"])
        expect(build["state"] == "failed", f"{stolen}: {build}")
        expect("of-one-alone" not in json.dumps(world.events(build, key=world.other)), f"{stolen}: it was had")
    # What somebody calls as everybody's is called stays his own.
    for name in ("base", "host"):
        world.outcome(*world.send("FROM base\nRUN echo poisoned > /poisoned\n", key=world.one, names=[name]), name)
    build = world.begin("FROM base\nRUN ls /\n", key=world.other, names=["x"], no_cache=True)
    expect(world.ended(build)["state"] == "done" and "poisoned" not in world.said(build, world.other), "another's base was had")
    for path in ("", "/events"):
        expect(world.ask("GET", f"/api/templates/builds/{mine['id']}{path}", key=world.other)[0] == 404, f"{path}: it is nobody else's")
    builds = world.ask("GET", "/api/templates/builds", key=world.other)[1]["builds"]
    templates = world.ask("GET", "/api/templates", key=world.other)[1]["templates"]
    expect({build["owner"] for build in builds} == {"other"}, f"{builds}")
    expect(not any(template["name"].startswith("@one") for template in templates), f"{templates}")
    found = subprocess.run(["grep", "-rl", "--", secret, world.state], capture_output=True, text=True)
    expect(found.stdout == "", f"its secret is kept in {found.stdout}")


CHECKS = (uploaded_contexts_lead_nowhere_outside, options_of_a_build_lead_nowhere, nothing_of_another_owners_builds_is_had)


def main():
    options = options_where_there_are()
    with tempfile.TemporaryDirectory(prefix="cay-hostile-") as top:
        os.chmod(top, 0o755)
        world = HostileServer(options.cay, top)
        try:
            return 1 if try_checks(CHECKS, world, options.only) else 0
        finally:
            world.stop()


if __name__ == "__main__":
    sys.exit(main())
