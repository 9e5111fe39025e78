#!/usr/bin/env python3
"""The package cache of a server's sandboxes: shared by those of one owner alone, kept over restarts of relay and server, and told
in flows and metrics. As root and as an ordinary user. What is kept and what never is, is in cache_test.py.

Its internet is its own (internet.py), with the registry of cache_test.py. Exits with 77 where that cannot be made.
"""

import os
import signal
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from cache_test import CURL, FILES, INDEX, Test  # noqa: E402
from clients_test import make_pypi  # noqa: E402
from sandboxes import Broken, expect, make_checks, read_options, run_in_internet  # noqa: E402
from checks import eventually  # noqa: E402
from server_secrets_test import UserServer, World  # noqa: E402

URL = f"https://{INDEX}/t"


class CacheWorld(World):
    def __init__(self, cay, net, state, uid, more=()):
        self.cay, self.net, self.uid, self.state = cay, net, uid, state
        self.seen_file = os.path.join(net.directory, "seen")
        os.makedirs(state, mode=0o755)
        if uid:
            os.chown(state, uid, uid)
        settings = [f"network.resolver={net.RESOLVER}:53", f"network.extra_ca={net.certificate}", "limits.defaults.disk=64m",
                    "network.cache=64m", *more]
        arguments = ["--log-level", "debug", *(word for setting in settings for word in ("--set", setting))]
        self.server = UserServer(cay, state, arguments, uid)
        self.admin = self.make_key("admin", "ops")
        self.team = self.make_key("use", "team")
        self.server.key = self.admin
        self.server.start()

    def make(self, presets=("pypi",), key=None):
        body = {"network": {"presets": list(presets)}, "memory_limit": "512m", "best_effort": True}
        return self.api("POST", "/api/sandboxes", body, 201, key=key)

    def get(self, sandbox, name, key=None):
        open(self.seen_file, "w").close()
        result = self.api("POST", f"/api/sandboxes/{sandbox['id']}/execute", {"command": ["bash", "-c", f"{CURL} {URL}/{name}"], "timeout": 60},
                          200, key=key)
        expect(result["exit_code"] == 0, f"{name}: {result}")
        result["seen"] = self.seen()
        return result

    def metric(self, name):
        self.server.key = self.admin
        text = self.server.raw("GET", "/metrics")[2]
        text = text.decode() if isinstance(text, bytes) else text
        for line in text.splitlines():
            if line.startswith(name + " "):
                return float(line.split()[1])
        raise Broken(f"no metric {name}")


def later_sandboxes_of_the_owner_are_given_it(world):
    one, two = world.make(), world.make()
    first = world.get(one, "good")
    expect(first["seen"], "the server saw nothing")
    second = world.get(two, "good")
    expect(not second["seen"] and second["stdout"] == first["stdout"], f"{second}")
    flows = world.api("GET", f"/api/sandboxes/{two['id']}/flows")["flows"]
    expect(any(flow.get("cached") and flow["verdict"] == "allowed" for flow in flows), f"{flows}")
    expect(not any(flow.get("cached") for flow in world.api("GET", f"/api/sandboxes/{one['id']}/flows")["flows"]), "the first one, too")
    expect(world.metric("cay_network_cache_hits_total") >= 1 and world.metric("cay_network_cache_bytes") > 0, "the metrics")
    world.destroy(one, two)


def other_owners_are_not(world):
    mine, theirs = world.make(), world.make(key=world.team)
    world.get(mine, "vary")
    expect(world.get(theirs, "vary", key=world.team)["seen"], "it was given to another owner")
    expect(not world.get(theirs, "vary", key=world.team)["seen"], "it was not kept for that owner")
    world.destroy(mine)
    world.api("DELETE", f"/api/sandboxes/{theirs['id']}", status=204, key=world.team)


def the_policy_comes_first(world):
    allowed, not_allowed = world.make(), world.make(["npm"])
    world.get(allowed, "good")
    result = world.api("POST", f"/api/sandboxes/{not_allowed['id']}/execute", {"command": ["bash", "-c", f"{CURL} {URL}/good"]}, 200)
    expect(result["exit_code"] != 0 and "answer" not in result["stdout"], f"{result}")
    # A change of the rules holds for what is kept, too.
    world.api("PATCH", f"/api/sandboxes/{allowed['id']}", {"network": {"presets": ["npm"]}}, 200)
    result = world.api("POST", f"/api/sandboxes/{allowed['id']}/execute", {"command": ["bash", "-c", f"{CURL} {URL}/good"]}, 200)
    expect(result["exit_code"] != 0 and "answer" not in result["stdout"], f"{result}")
    world.api("PATCH", f"/api/sandboxes/{not_allowed['id']}", {"network": {"presets": ["pypi"]}}, 200)
    expect(not world.get(not_allowed, "good")["seen"], "it was not given to who may reach it now")
    world.destroy(allowed, not_allowed)


def it_outlives_relay_and_server(world):
    sandbox = world.make()
    world.get(sandbox, "good")
    before = world.relay()
    os.kill(before, signal.SIGKILL)
    eventually(lambda: world.relay() not in (None, before), "another relay", 30)

    def served():
        result = world.api("POST", f"/api/sandboxes/{sandbox['id']}/execute", {"command": ["bash", "-c", f"{CURL} {URL}/vary"]}, 200)
        return result["exit_code"] == 0
    eventually(served, "the network is open again", 30)
    expect(not world.get(sandbox, "good")["seen"], "a new relay does not have it")
    world.server.kill()
    world.server.start()
    eventually(served, "the network is open again", 30)
    expect(not world.get(sandbox, "good")["seen"], "a new server does not have it")
    again = world.make()
    expect(not world.get(again, "good")["seen"], "a sandbox of the new server does not get it")
    world.destroy(sandbox, again)


def shared_by_all_where_the_administrator_says_so(world):
    mine, theirs = world.make(), world.make(key=world.team)
    world.get(mine, "good")
    expect(not world.get(theirs, "good", key=world.team)["seen"], "it was not shared")
    world.destroy(mine)
    world.api("DELETE", f"/api/sandboxes/{theirs['id']}", status=204, key=world.team)


CHECKS = [later_sandboxes_of_the_owner_are_given_it, other_owners_are_not, the_policy_comes_first, it_outlives_relay_and_server]
SHARED_CHECKS = [shared_by_all_where_the_administrator_says_so]


def main():
    options = read_options(__doc__)

    def run(net, directory):
        for name in (INDEX, FILES):
            net.names[name] = [net.SERVER]
        make_pypi(net)
        net.serve(web=False)
        registry = Test(options.cay, net, os.path.join(directory, "unused"), 0)
        failed = 0
        for uid in options.user:
            for checks, more in ((CHECKS, []), (SHARED_CHECKS, ["network.cache_shared=true"])):
                world = CacheWorld(options.cay, net, os.path.join(directory, f"state-{uid}-{len(more)}"), uid, more)
                try:
                    failed += make_checks(checks, options.only, uid, world)
                finally:
                    world.end()
        registry.stop_server()
        return failed

    return run_in_internet(run)


if __name__ == "__main__":
    sys.exit(main())
