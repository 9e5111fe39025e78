#!/usr/bin/env python3
"""Images that a server pulls: for administrators, for creates, shared, bounded, slow, cancelled, and over the death of the server.
As root and as an ordinary user. Exits with 77 without a registry and a client that pushes to it."""

import concurrent.futures
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(HERE, "..", "support"))
from checks import as_user, eventually, expect, try_checks  # noqa: E402
from images import Image, Registry, file, small_root  # noqa: E402
from world import USERS, World, options_where_there_are  # noqa: E402



class Slow:
    """A way to the registry on which answers come as slowly as it says, or not at all."""

    def __init__(self, port):
        self.target, self.rate, self.dead = port, None, False
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.name = f"127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client, _ = self.listener.accept()
            if self.dead:
                client.close()
                continue
            server = socket.create_connection(("127.0.0.1", self.target))
            threading.Thread(target=self.copy, args=(client, server, False), daemon=True).start()
            threading.Thread(target=self.copy, args=(server, client, True), daemon=True).start()

    def copy(self, source, target, slowly):
        try:
            while data := source.recv(16384):
                if self.dead:
                    break
                target.sendall(data)
                if slowly and self.rate:
                    time.sleep(len(data) / self.rate)
        except OSError:
            pass
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


class Served(World):
    """The same user, whose templates a server has."""

    def __init__(self, cay, uid, directory, registry):
        super().__init__(cay, uid, directory, registry)
        self.slow = Slow(registry.port)
        self.server = None
        self.key = json.loads(self.run("keys", "create", "--local", "--json", "--scope", "admin", "ops"))["key"]
        self.start()
        self.user_key = self.ask("POST", "/api/keys", {"name": "user", "scope": "use", "owner": "somebody"})[1]["key"]

    def start(self, **settings):
        self.stop()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        values = {"templates.private_registries": "127.0.0.0/8", **settings}
        sets = [word for name, value in values.items() for word in ("--set", f"{name}={value}")]
        self.log = open(os.path.join(self.state, "server.log"), "a")
        self.server = subprocess.Popen(as_user(self.uid, [self.cay, "serve", "--listen", f"127.0.0.1:{port}", *sets]), env=self.environment,
                                       stdout=self.log, stderr=self.log)
        eventually(lambda: self.is_up(), "the server does not answer")

    def is_up(self):
        expect(self.server.poll() is None, "the server ended")
        try:
            urllib.request.urlopen(self.url + "/health", timeout=5).close()
            return True
        except (urllib.error.URLError, ConnectionError):
            return False

    def stop(self, how=signal.SIGTERM):
        if self.server:
            self.server.send_signal(how)
            self.server.wait(60)
            self.log.close()
            self.server = None

    def ask(self, method, path, body=None, key=None):
        request = urllib.request.Request(self.url + path, method=method, data=json.dumps(body).encode() if body is not None else None,
                                         headers={"Authorization": f"Bearer {key or self.key}", "Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=90) as answer:
                text = answer.read()
                return answer.status, json.loads(text) if text else None, answer.headers
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read()), error.headers

    def pull(self, image, **more):
        status, pull, _ = self.ask("POST", "/api/pulls", {"image": image, **more})
        expect(status == 202, f"{status}: {pull}")
        return pull

    def ended(self, pull):
        return eventually(lambda: (now := self.ask("GET", f"/api/pulls/{pull['id']}")[1])["state"] not in ("waiting", "pulling") and now,
                          "it does not end")

    def image(self, name, size=0, layers=1):
        image = Image(Env=["PATH=/bin"], Cmd=["sh"]).layer(small_root())
        for number in range(layers):
            image.layer([file(f"random-{number}", os.urandom(size) or b"-")])
        return self.registry.push(image, f"{name}-{self.uid}:1")

    def by_slow(self, name):
        return name.replace(self.registry.name, self.slow.name)

    def forget(self, sandbox):
        expect(self.ask("DELETE", f"/api/sandboxes/{sandbox['id']}")[0] == 204, "it goes")


def an_administrator_pulls_and_is_told(world):
    name = world.image("told", size=300_000, layers=3)
    pull = world.pull(name)
    request = urllib.request.Request(f"{world.url}/api/pulls/{pull['id']}/events", headers={"Authorization": f"Bearer {world.key}"})
    with urllib.request.urlopen(request, timeout=60) as stream:
        text = stream.read().decode()
    expect("event: end" in text and '"state":"done"' in text, text[-500:])
    done = world.ask("GET", f"/api/pulls/{pull['id']}")[1]
    expect(done["state"] == "done" and done["digest"].startswith("sha256:") and len(done["layers"]) >= 3, f"{done}")
    expect(done["fetched"] == done["size"] == sum(layer["size"] for layer in done["layers"]), f"{done}")
    expect(world.ask("GET", "/api/templates/" + urllib.request.quote(name, safe=""))[1]["digest"] == done["digest"], "it is there")
    events = world.ask("GET", "/api/events?wait=false")[1]["events"]
    expect(any(event["type"] == "template.pulled" for event in events), f"{events}")
    again = world.ended(world.pull(name))
    expect(again["state"] == "done" and again["layers"] == [], "it is the same image: nothing is fetched")


def who_is_no_administrator_may_create_and_not_pull(world):
    name = world.image("create")
    expect(world.ask("POST", "/api/pulls", {"image": name}, key=world.user_key)[0] == 403, "not with this key")
    status, sandbox, _ = world.ask("POST", "/api/sandboxes", {"template": name}, key=world.user_key)
    expect(status == 201 and sandbox["template"] == name, f"{status}: {sandbox}")
    world.forget(sandbox)
    pulls = world.ask("GET", "/api/pulls", key=world.user_key)[1]["pulls"]
    expect([pull["template"] for pull in pulls] == [name], f"its own alone: {pulls}")


def creates_at_once_share_one_pull(world):
    name = world.image("shared", size=2_000_000)
    before = world.registry.count_blobs_given()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: world.ask("POST", "/api/sandboxes", {"template": name}), range(8)))
    expect([each[0] for each in made] == [201] * 8, f"{[each[:2] for each in made if each[0] != 201]}")
    given = world.registry.count_blobs_given() - before
    expect(given <= 3, f"a configuration and the layers, once: {given}")
    expect(sum(1 for pull in world.ask("GET", "/api/pulls")[1]["pulls"] if pull["template"] == name) == 1, "one pull")
    for each in made:
        world.forget(each[1])


def a_create_does_not_wait_for_ever(world):
    world.start(**{"templates.create_patience": "1s"})
    name = world.by_slow(world.image("slow", size=3_000_000))
    world.slow.rate = 800_000
    status, problem, headers = world.ask("POST", "/api/sandboxes", {"template": name})
    expect(status == 503 and "is being pulled: " in problem["detail"] and headers["Retry-After"], f"{status}: {problem}")
    awaited = [part["of"] for part in problem["remedy_parts"] if part.get("action") == "await_pull"]
    world.slow.rate = None
    expect(world.ended({"id": awaited[0]})["state"] == "done", "it goes on")
    status, sandbox, _ = world.ask("POST", "/api/sandboxes", {"template": name})
    expect(status == 201, f"{status}: {sandbox}")
    world.forget(sandbox)


def one_that_is_cancelled_goes_on_with_what_was_fetched(world):
    name = world.by_slow(world.image("cancelled", size=4_000_000))
    world.slow.rate = 1_000_000
    pull = world.pull(name)
    eventually(lambda: world.ask("GET", f"/api/pulls/{pull['id']}")[1]["fetched"] > 1_100_000, "nothing comes")
    expect(world.ask("DELETE", f"/api/pulls/{pull['id']}")[0] == 202, "it may be ended")
    expect(world.ended(pull)["state"] == "cancelled", "by somebody")
    expect(world.ask("DELETE", f"/api/pulls/{pull['id']}")[0] == 409, "it has ended")
    world.slow.rate = None
    expect(world.ended(world.pull(name))["state"] == "done", "the next goes on")


def a_server_that_is_killed_tells_of_it(world):
    name = world.by_slow(world.image("killed", size=4_000_000))
    world.slow.rate = 1_000_000
    pull = world.pull(name)
    eventually(lambda: world.ask("GET", f"/api/pulls/{pull['id']}")[1]["fetched"] > 1_100_000, "nothing comes")
    world.stop(signal.SIGKILL)
    world.slow.rate = None
    blobs = os.path.join(world.state, "templates", ".blobs")
    kept = sum(os.stat(os.path.join(blobs, each)).st_size for each in os.listdir(blobs))
    expect(kept > 1_000_000, f"what was fetched is here: {kept}")
    world.start()
    expect(world.ask("GET", f"/api/pulls/{pull['id']}")[1]["state"] == "interrupted", "it is known")
    expect(world.ended(world.pull(name))["state"] == "done", "the same again")
    status, sandbox, _ = world.ask("POST", "/api/sandboxes", {"template": name})
    expect(status == 201, f"{status}: {sandbox}")
    world.forget(sandbox)


def what_is_wrong_is_the_registrys_or_the_callers(world):
    status, problem, _ = world.ask("POST", "/api/sandboxes", {"template": f"{world.registry.name}/nothing:1"})
    expect(status == 404 and "nothing" in problem["detail"], f"{status}: {problem}")
    world.slow.dead = True
    status, problem, _ = world.ask("POST", "/api/sandboxes", {"template": f"{world.slow.name}/nothing:1"})
    expect(status in (502, 503) and problem["fault"] == "machine", f"{status}: {problem}")
    world.slow.dead = False
    expect(world.ask("POST", "/api/sandboxes", {"template": "hots"})[0] == 404, "a short name asks nobody")


def an_administrator_decides(world):
    name = world.image("decided")
    world.start(**{"templates.pull": "never"})
    status, problem, _ = world.ask("POST", "/api/sandboxes", {"template": name}, key=world.user_key)
    expect(status == 404 and name in problem["remedy"] and "/api/pulls" in problem["remedy"], f"{status}: {problem}")
    world.start(**{"templates.allow": f"{world.registry.name}/other/**"})
    expect(world.ask("POST", "/api/sandboxes", {"template": name})[0] == 403, "it is none of those")
    world.start(**{"templates.private_registries": "10.0.0.1"})
    expect(world.ask("POST", "/api/sandboxes", {"template": name})[0] == 403, "this machine's ports are not for clients")
    large = world.image("large", size=3_000_000)
    world.start(**{"templates.max_size": "1m"})
    expect(world.ended(world.pull(large))["error_code"] == "limit_too_high", "it is too large")
    world.start(**{"templates.pull_timeout": "1s"})
    world.slow.rate = 300_000
    late = world.ended(world.pull(world.by_slow(large)))
    expect(late["error_code"] == "timeout", f"it takes too long: {late}")
    world.slow.rate = None
    world.start(**{"templates.pull": "always"})
    first = world.ask("POST", "/api/sandboxes", {"template": name})[1]
    moved = world.registry.push(Image(Cmd=["sh"]).layer(small_root() + [file("moved", "yes")]), f"decided-{world.uid}:1")
    second = world.ask("POST", "/api/sandboxes", {"template": moved})[1]
    done = world.ask("POST", f"/api/sandboxes/{second['id']}/execute", {"command": ["cat", "/moved"]})[1]
    expect(done["stdout"] == "yes", f"{done}")
    world.forget(first)
    world.forget(second)
    world.start()


def the_commands_do_it_too(world):
    name = world.image("typed", size=200_000)
    environment = {**world.environment, "CAY_URL": world.url, "CAY_API_KEY": world.key}
    del environment["CAY_STATE_DIR"]
    said = subprocess.run(as_user(world.uid, [world.cay, "template", "pull", name]), env=environment, capture_output=True, text=True, timeout=60)
    expect(said.returncode == 0 and f"pulled {name}" in said.stdout, said.stdout + said.stderr)
    ran = Image(Env=["PATH=/bin"], Entrypoint=["/bin/echo", "before"], Cmd=["after"]).layer(small_root())
    ran = world.registry.push(ran, f"ran-{world.uid}:1")

    def run(*arguments, code=0):
        done = subprocess.run(as_user(world.uid, [world.cay, "run", "-q", *arguments]), env=world.environment, capture_output=True, text=True, timeout=60)
        expect(done.returncode == code, f"{arguments}: {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout + done.stderr if code else done.stdout

    expect("cay template pull" in run("--pull", "never", "--template", ran, code=125), "one command is named")
    expect(run("--template", ran) == "before after\n", "as the image says, and pulled for it")
    expect(run("--template", ran, "--", "echo", "alone") == "alone\n", "a command is what is run")
    expect(run("--template", ran, "--use-entrypoint", "--", "mine") == "before mine\n", "as docker has it")
    expect(run("--template", ran, "--entrypoint", "/bin/echo", "--", "mine") == "mine\n", "another entrypoint")
    expect(run("--template", ran, "--entrypoint", "", "--", "echo", "x") == "x\n", "none")


CHECKS = (an_administrator_pulls_and_is_told, who_is_no_administrator_may_create_and_not_pull, creates_at_once_share_one_pull,
          a_create_does_not_wait_for_ever, one_that_is_cancelled_goes_on_with_what_was_fetched, a_server_that_is_killed_tells_of_it,
          what_is_wrong_is_the_registrys_or_the_callers, an_administrator_decides, the_commands_do_it_too)


def main():
    options = options_where_there_are("docker-registry", "skopeo")
    failed = 0
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        with Registry(os.path.join(directory, "registry")) as registry:
            for uid in USERS:
                served = Served(options.cay, uid, directory, registry)
                try:
                    failed += try_checks(CHECKS, served, options.only, f", as uid {uid}")
                finally:
                    served.stop()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
