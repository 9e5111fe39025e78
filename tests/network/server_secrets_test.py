#!/usr/bin/env python3
"""Secrets of a server's sandboxes: what reaches the servers outside, what the sandbox, the API, the log and the state directory
have of it, and that rotation, revocation, a killed server and a killed relay do what is promised. As root and as an ordinary
user.

Its internet is its own (internet.py), with the recording server of secrets_test.py on port 8443. Exits with 77 where that
cannot be made.
"""

import json
import os
import signal
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(HERE, "..", "outlive"))
import secrets_test  # noqa: E402
from processes import descendants, relays_of  # noqa: E402
from sandboxes import as_user, expect, make_checks, read_options, run_in_internet  # noqa: E402
from checks import eventually  # noqa: E402
from secrets_test import PORT, memory_has  # noqa: E402
from server import Server  # noqa: E402

VALUE = "s3rver-kept-of-the-test-0123456789"
ROTATED = "r0tated-of-the-test-0123456789abc"
OTHER_VALUE = "an0ther-of-the-server-9876543210"
URL = f"https://api.test:{PORT}"
CURL = 'curl -sS --fail-with-body --max-time 20 -H "Authorization: Bearer $MY_API" '


class UserServer(Server):
    """Of some user."""

    def __init__(self, cay, state_dir, arguments, uid):
        super().__init__(cay, state_dir, arguments)
        self.uid = uid

    def launch(self):
        command = [self.cay, "serve", "--listen", f"127.0.0.1:{self.port}", "--state-dir", self.state_dir, *self.arguments]
        environment = {"PATH": os.environ["PATH"], "HOME": self.state_dir}
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(as_user(self.uid, command), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env=environment)


class World:
    def __init__(self, cay, net, state, uid):
        self.cay, self.net, self.uid, self.state = cay, net, uid, state
        self.seen_file = os.path.join(net.directory, "seen")
        os.makedirs(state, mode=0o755)
        if uid:
            os.chown(state, uid, uid)
        self.server = UserServer(cay, state, ["--log-level", "debug", "--pool", "host=1", "--set", f"network.resolver={net.RESOLVER}:53",
                                              "--set", f"network.extra_ca={net.certificate}", "--set", "limits.defaults.disk=64m"], uid)
        self.admin = self.make_key("admin", "ops")
        self.team = self.make_key("use", "team")
        self.server.key = self.admin
        self.server.start()

    def make_key(self, scope, owner):
        command = [self.cay, "keys", "create", "--local", "--quiet", "--scope", scope, "--owner", owner, "--state-dir", self.state, scope]
        return subprocess.run(as_user(self.uid, command), check=True, stdout=subprocess.PIPE, text=True).stdout.strip()

    def api(self, method, path, value=None, status=None, key=None):
        self.server.key = key or self.admin
        got, answer = self.server.api(method, path, value)
        expect(status is None or got == status, f"{method} {path}: {got}, not {status}: {answer}")
        return answer

    def cli(self, *arguments, value=""):
        environment = {"PATH": os.environ["PATH"], "HOME": self.state, "CAY_URL": f"http://127.0.0.1:{self.server.port}",
                       "CAY_API_KEY": self.admin}
        return subprocess.run([self.cay, *arguments], input=value, capture_output=True, text=True, env=environment)

    def keep(self, name="my-api", value=VALUE, host=f"api.test:{PORT}", **more):
        return self.api("PUT", f"/api/secrets/{name}", {"value": value, "hosts": [host], **more})

    def create(self, secrets=("my-api",), **more):
        network = {"allow": ["api.test", "other.test", "plain.test"], "secrets": list(secrets)}
        body = {"network": network, "memory_limit": "512m", "best_effort": True, **more}
        return self.api("POST", "/api/sandboxes", body, 201)

    def run(self, sandbox, command, **more):
        """The result of a command, with what servers saw meanwhile as `seen`."""
        open(self.seen_file, "w").close()
        result = self.api("POST", f"/api/sandboxes/{sandbox['id']}/execute", {"command": ["bash", "-c", command], "timeout": 60, **more}, 200)
        result["seen"] = self.seen()
        return result

    def seen(self):
        with open(self.seen_file) as file:
            return [json.loads(line) for line in file]

    def arrives(self, sandbox, value=VALUE, command=CURL + URL):
        result = self.run(sandbox, command)
        expect(result["exit_code"] == 0, f"{command}: {result}")
        values = [dict(seen["headers"]).get("Authorization") for seen in result["seen"]]
        expect(f"Bearer {value}" in values, f"{command}: the servers saw {result['seen']}")
        expect(value not in result["stdout"] + result["stderr"], f"{command}: the sandbox has it")
        return result

    def refused(self, sandbox, reason, command=CURL + URL):
        result = self.run(sandbox, command)
        told = [flow["reason"] for flow in result.get("network_denied", []) if flow["verdict"] == "denied"]
        expect(any(reason in one for one in told), f"{command}: not {reason!r} in {told}: {result}")
        expect(not result["seen"], f"{command}: the servers saw {result['seen']}")

    def destroy(self, *sandboxes):
        for sandbox in sandboxes:
            self.api("DELETE", f"/api/sandboxes/{sandbox['id']}", status=204)

    def relay(self):
        return next(iter(relays_of(self.server.process.pid)), None)

    def end(self):
        try:
            for sandbox in self.api("GET", "/api/sandboxes?limit=1000")["sandboxes"]:
                self.api("DELETE", f"/api/sandboxes/{sandbox['id']}")
            self.server.stop()
        finally:
            if self.server.process.poll() is None:
                self.server.kill()


def the_value_arrives_and_the_sandbox_never_holds_it(world):
    told = world.keep()
    expect(VALUE not in json.dumps(told) and told["env"] == "MY_API", f"{told}")
    sandbox = world.create()
    world.arrives(sandbox)
    result = world.run(sandbox, secrets_test.search_for_value(VALUE, f"{CURL}{URL}", "MY_API"))
    expect(result["exit_code"] == 0 and "found: \n" in result["stdout"] and "token:cay-secret-" in result["stdout"], f"{result}")
    # By every way in which a program begins.
    process = world.api("POST", f"/api/sandboxes/{sandbox['id']}/processes", {"command": ["sh", "-c", CURL + URL + "/process"]})
    world.api("GET", f"/api/sandboxes/{sandbox['id']}/processes/{process['process_id']}/wait")
    done = world.cli("exec", sandbox["id"], "--", "sh", "-c", CURL + URL + "/exec")
    expect(done.returncode == 0, f"{done}")
    seen = {one["target"]: dict(one["headers"]).get("Authorization") for one in world.seen()}
    expect(seen.get("/process") == seen.get("/exec") == f"Bearer {VALUE}", f"{seen}")
    world.destroy(sandbox)


def pooled_read_only_and_renewed_sandboxes_have_it(world):
    world.keep()
    eventually(lambda: any(pool["ready"] for pool in world.api("GET", "/api/system")["pools"]), "a sandbox in the pool", 30)
    pooled = world.create(memory_limit=None)
    world.arrives(pooled)
    read_only = world.create(read_only=True)
    world.arrives(read_only)
    before = world.run(pooled, "echo $MY_API")["stdout"]
    # An ordinary user's has its files in memory, and is not stopped; without a cgroup it is not paused.
    for act in ("reset",) if world.uid else ("reset", "stop", "start", "pause", "resume"):
        world.api("POST", f"/api/sandboxes/{pooled['id']}/{act}", status=200)
    world.arrives(pooled)
    expect(world.run(pooled, "echo $MY_API")["stdout"] == before, "another placeholder")
    expect(world.run(read_only, "echo $MY_API")["stdout"] != before, "two sandboxes have one placeholder")
    world.destroy(pooled, read_only)


def rotation_and_revocation_are_live(world):
    world.keep()
    sandbox = world.create()
    world.arrives(sandbox)
    world.keep(value=ROTATED)
    world.arrives(sandbox, ROTATED)
    world.api("DELETE", "/api/secrets/my-api", status=204)
    world.refused(sandbox, "which was revoked")
    network = world.api("GET", f"/api/sandboxes/{sandbox['id']}/network")
    expect(network["secrets"] == [{"name": "my-api", "env": "MY_API", "kept": False}], f"{network}")
    world.api("DELETE", "/api/secrets/my-api", status=404)
    world.api("POST", "/api/sandboxes", {"network": {"allow": ["api.test"], "secrets": ["my-api"]}}, 404)
    world.keep()
    world.arrives(sandbox)
    world.api("PATCH", f"/api/sandboxes/{sandbox['id']}", {"network": {"allow": ["api.test"]}}, 200)
    result = world.run(sandbox, f'echo "token:$MY_API"; curl -sSk {URL}')
    expect("token:\n" in result["stdout"], f"{result}")
    world.destroy(sandbox)


def a_change_gives_one_to_what_runs(world):
    world.keep()
    sandbox = world.create([])
    change = {"network": {"allow": ["api.test"], "secrets": ["my-api"]}}
    world.api("PATCH", f"/api/sandboxes/{sandbox['id']}", change, 200)
    world.arrives(sandbox)
    world.destroy(sandbox)


def other_owners_have_nothing_of_it(world):
    world.keep()
    for method, path, body in (("GET", "/api/secrets/my-api", None), ("DELETE", "/api/secrets/my-api", None),
                               ("POST", "/api/sandboxes", {"network": {"allow": ["api.test"], "secrets": ["my-api"]}})):
        world.api(method, path, body, 404, key=world.team)
    expect(world.api("GET", "/api/secrets", key=world.team) == {"secrets": []}, "another owner's are listed")
    world.api("GET", "/api/secrets?owner=ops", status=403, key=world.team)
    world.api("PUT", "/api/secrets/my-api", {"value": OTHER_VALUE, "hosts": [f"api.test:{PORT}"]}, 201, key=world.team)
    sandbox = world.create()
    world.arrives(sandbox)
    listed = world.api("GET", "/api/secrets")["secrets"]
    expect(sorted(one["owner"] for one in listed if one["name"] == "my-api") == ["ops", "team"], f"{listed}")
    world.api("DELETE", "/api/secrets/my-api?owner=team", status=204)
    world.arrives(sandbox)
    world.destroy(sandbox)


def placeholders_elsewhere_are_refused(world):
    world.keep()
    world.keep("other", OTHER_VALUE, f"other.test:{PORT}")
    sandbox = world.create(["my-api", "other"])
    world.refused(sandbox, 'the placeholder of the secret "other", which is not for api.test', f'curl -sS -H "X-Key: $OTHER" {URL}')
    world.refused(sandbox, "was sent in the clear", 'curl -sS -H "X-Key: $MY_API" http://plain.test/')
    events = json.dumps(world.api("GET", f"/api/sandboxes/{sandbox['id']}/events?wait=false"))
    expect("which is not for api.test" in events, "it is no event")
    world.destroy(sandbox)


def what_cannot_be_is_refused(world):
    world.keep()
    for network, status in (({"allow": ["api.test"], "secrets": ["unknown"]}, 404), ({"secrets": ["my-api"]}, 422),
                            ({"allow": ["other.test"], "secrets": ["my-api"]}, 422),
                            ({"allow": ["api.test"], "secrets": ["my-api", "my-api"]}, 422)):
        world.api("POST", "/api/sandboxes", {"network": network}, status)
    for body, status in (({"hosts": ["api.test"]}, 400), ({"value": "x", "hosts": []}, 422), ({"value": "x", "hosts": ["*.test"]}, 422),
                         ({"value": "a\nb", "hosts": ["api.test"]}, 422), ({"value": "x" * 5000, "hosts": ["api.test"]}, 422),
                         ({"value": "x", "hosts": ["api.test"], "env": "A=B"}, 422)):
        world.api("PUT", "/api/secrets/wrong", body, status)
    world.api("GET", "/api/secrets/wrong", status=404)
    done = world.cli("create", "--allow", "api.test", "--secret", "NAME=api.test")
    expect(done.returncode != 0 and "cay secrets set NAME" in done.stderr, f"{done}")


LOOP = f"""import http.client, os, ssl, time
context = ssl.create_default_context()
while True:
    try:
        connection = http.client.HTTPSConnection("api.test", {PORT}, timeout=5, context=context)
        connection.request("GET", "/loop", headers={{"Authorization": "Bearer " + os.environ["MY_API"]}})
        connection.getresponse().read()
    except OSError:
        pass
    time.sleep(0.1)
"""


def a_killed_relay_and_a_killed_server_change_nothing(world):
    world.keep()
    sandbox = world.create(idle_timeout="1h")
    path = f"/api/sandboxes/{sandbox['id']}"
    # It has read its certificates once, and is what runs on.
    world.api("POST", f"{path}/processes", {"command": ["python3", "-c", LOOP]}, 201)
    wanted = ("/loop", f"Bearer {VALUE}")

    def comes():
        open(world.seen_file, "w").close()
        eventually(lambda: wanted in [(one["target"], dict(one["headers"]).get("Authorization")) for one in world.seen()], "a request", 30)

    comes()
    before = world.relay()
    os.kill(before, signal.SIGKILL)
    eventually(lambda: world.relay() not in (None, before), "another relay", 30)
    comes()
    world.server.kill()
    world.server.start()
    comes()
    world.arrives(sandbox)
    world.keep(value=ROTATED)
    wanted = ("/loop", f"Bearer {ROTATED}")
    comes()
    world.destroy(sandbox)


def commands_keep_and_name_them(world):
    done = world.cli("secrets", "set", "cli-api", "--host", f"api.test:{PORT}", "--env", "MY_API", value=VALUE + "\n")
    expect(done.returncode == 0, f"{done}")
    listed = world.cli("secrets", "ls")
    expect("cli-api" in listed.stdout and VALUE not in listed.stdout, f"{listed}")
    made = world.cli("create", "--allow", "api.test", "--secret", "cli-api", "--best-effort", "--quiet")
    expect(made.returncode == 0, f"{made}")
    sandbox = {"id": made.stdout.strip()}
    world.arrives(sandbox)
    expect("cli-api (MY_API)" in world.cli("network", sandbox["id"]).stdout, "cay network does not say so")
    done = world.cli("update", "--allow", "api.test", sandbox["id"])
    expect(done.returncode == 0 and "token:\n" in world.run(sandbox, 'echo "token:$MY_API"')["stdout"], f"{done}")
    expect(world.cli("secrets", "rm", "cli-api").returncode == 0, "it cannot be removed")
    expect(world.cli("secrets", "rm", "cli-api").returncode != 0, "what is not there was removed")
    world.destroy(sandbox)


def files_of(directory):
    for base, _, names in os.walk(directory):
        for name in names:
            path = os.path.join(base, name)
            if os.path.isfile(path) and not os.path.islink(path):
                yield path


def nothing_else_has_the_value(world):
    """Last: of all that was done before."""
    world.keep()
    sandbox = world.create()
    world.arrives(sandbox)
    world.keep(value=ROTATED)
    world.arrives(sandbox, ROTATED)
    path = f"/api/sandboxes/{sandbox['id']}"
    values = (VALUE, ROTATED, OTHER_VALUE)
    for target in ("/api/secrets", "/api/secrets/my-api", "/api/sandboxes", path, path + "/network", path + "/flows", "/metrics",
                   path + "/events?wait=false", "/api/events?wait=false&limit=1000", "/api/audit?limit=1000", "/api/system", path + "/processes"):
        world.server.key = world.admin
        status, _, body = world.server.raw("GET", target)
        expect(status == 200, f"{target}: {status}")
        expect(not any(value.encode() in body for value in values), f"{target} has the value")
    audit = json.dumps(world.api("GET", "/api/audit?limit=1000"))
    expect("setSecret" in audit and "removeSecret" in audit, "the audit does not have them")
    looked = 0
    for pid, name in descendants(world.server.process.pid):
        if name == "cay-net":
            continue
        place = memory_has(pid, ROTATED.encode())
        looked += place is not None
        expect(not place, f"{name} ({pid}) has the value: {place}")
    expect(looked >= 2, f"only {descendants(world.server.process.pid)}")
    world.destroy(sandbox)
    world.server.stop()
    count = 0
    for file in files_of(world.state):
        with open(file, "rb") as opened:
            content = opened.read()
        count += 1
        expect(not any(value.encode() in content for value in values), f"{file} has the value")
        expect(b"PRIVATE KEY" not in content, f"{file} has a key")
    expect(count > 3, f"only {count} files")
    for name in ("secrets", "secrets.key", "secrets.authority"):
        mode = os.stat(os.path.join(world.state, name)).st_mode & 0o777
        expect(mode == 0o600, f"{name}: {mode:o}")
    world.server.start()


TESTS = [the_value_arrives_and_the_sandbox_never_holds_it, pooled_read_only_and_renewed_sandboxes_have_it,
         rotation_and_revocation_are_live, a_change_gives_one_to_what_runs, other_owners_have_nothing_of_it,
         placeholders_elsewhere_are_refused, what_cannot_be_is_refused, a_killed_relay_and_a_killed_server_change_nothing,
         commands_keep_and_name_them, nothing_else_has_the_value]


def main():
    options = read_options(__doc__)

    def run(net, directory):
        failed = 0
        with secrets_test.serving(net, directory):
            for uid in options.user:
                world = World(options.cay, net, os.path.join(directory, f"state-{uid}"), uid)
                try:
                    failed += make_checks(TESTS, options.only, uid, world, log=world.server.log_end)
                finally:
                    world.end()
        return failed

    return run_in_internet(run)


if __name__ == "__main__":
    sys.exit(main())
