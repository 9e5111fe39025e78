#!/usr/bin/env python3
"""Dockerfiles that a server builds: steps in sandboxes, events, owners, cancelled, and over the death of the server. As root.
Exits with 77 where something is missing."""

import http.server
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(HERE, "..", "support"))
from checks import eventually, expect, try_checks  # noqa: E402
from images import file, small_root  # noqa: E402
from world import World, options_where_there_are  # noqa: E402


def tar_of(entries):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for info, content in entries:
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def files_of(program):
    """The program and the libraries that it is linked with, by their paths."""
    linked = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    for path in ["/bin/" + os.path.basename(program)] + [word for word in linked.split() if word.startswith("/")]:
        with open(program if path.startswith("/bin/") else path, "rb") as source:
            yield path, source.read()


class Greeter(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, *_):
        pass


class Building(World):
    """A server that builds for everybody, with a small root filesystem as the template `base`."""

    def __init__(self, cay, directory):
        super().__init__(cay, 0, directory, None)
        self.base = os.path.join(directory, "base.tar")
        with open(self.base, "wb") as out:
            out.write(tar_of(small_root()))
        self.run("template", "import", "base", self.base)
        self.server = None
        self.key = json.loads(self.run("keys", "create", "--local", "--json", "--scope", "admin", "ops"))["key"]
        self.start()
        self.one = self.make_key("one")
        self.other = self.make_key("other")

    def make_key(self, owner):
        return self.ask("POST", "/api/keys", {"name": owner, "scope": "use", "owner": owner})[1]["key"]

    def start(self, **settings):
        self.stop()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        values = {"templates.build": "all", "templates.build_memory": "256m", "templates.build_disk": "256m", **settings}
        sets = [word for name, value in values.items() for word in ("--set", f"{name}={value}")]
        self.log = open(os.path.join(self.state, "server.log"), "a")
        self.server = subprocess.Popen([self.cay, "serve", "--listen", f"127.0.0.1:{port}", *sets], env=self.environment,
                                       stdout=self.log, stderr=self.log)
        eventually(self.is_up, "the server does not answer")

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

    def request(self, method, path, data=None, key=None, **headers):
        request = urllib.request.Request(self.url + path, method=method, data=data, headers={"Authorization": f"Bearer {key or self.key}", **headers})
        try:
            with urllib.request.urlopen(request, timeout=90) as answer:
                text = answer.read()
                return answer.status, json.loads(text) if text else None
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    def ask(self, method, path, body=None, key=None):
        return self.request(method, path, json.dumps(body).encode() if body is not None else None, key, **{"Content-Type": "application/json"})

    def send(self, dockerfile, key=None, files=(), **options):
        context = tar_of([file("Dockerfile", dockerfile), *files])
        body = (b"--B\r\nContent-Disposition: form-data; name=\"options\"\r\n\r\n" + json.dumps(options).encode() +
                b"\r\n--B\r\nContent-Disposition: form-data; name=\"context\"; filename=\"c\"\r\n\r\n" + context + b"\r\n--B--\r\n")
        return self.request("POST", "/api/templates/builds", body, key, **{"Content-Type": "multipart/form-data; boundary=B"})

    def begin(self, dockerfile, key=None, files=(), **options):
        status, build = self.send(dockerfile, key, files, **options)
        expect(status == 202, f"{status}: {build}")
        return build

    def ended(self, build):
        return eventually(lambda: (now := self.ask("GET", f"/api/templates/builds/{build['id']}")[1])["state"] not in ("waiting", "building") and now,
                          "it does not end")

    def build(self, dockerfile, key=None, files=(), **options):
        return self.ended(self.begin(dockerfile, key, files, **options))

    def events(self, build, after=None, until=None, key=None):
        """(type, id, data) of each, up to the end, or up to one of that type."""
        request = urllib.request.Request(f"{self.url}/api/templates/builds/{build['id']}/events", headers={"Authorization": f"Bearer {key or self.key}"})
        if after is not None:
            request.add_header("Last-Event-ID", str(after))
        events, fields = [], {}
        with urllib.request.urlopen(request, timeout=60) as stream:
            for line in stream:
                name, _, value = line.decode().rstrip("\n").partition(": ")
                if name:
                    fields[name] = value
                elif "event" in fields:
                    events.append((fields["event"], int(fields.get("id", 0)), json.loads(fields["data"])))
                    if fields["event"] == until:
                        break
                    fields = {}
        return events

    def sandboxes(self):
        try:
            return os.listdir(os.path.join(self.state, "sandboxes"))
        except FileNotFoundError:
            return []

    def aside(self):
        return os.listdir(os.path.join(self.state, "templates", ".partial"))


def a_dockerfile_becomes_a_template_that_sandboxes_start_from(world):
    done = world.build("FROM base\nRUN echo built by $(id -u) >/made && echo said\nCOPY extra /extra\nENV NAME=value\n",
                       files=[file("extra", "from the context")], names=["app"])
    expect(done["state"] == "done" and done["steps"] == 2, f"{done}")
    expect([made["name"] for made in done["templates"]] == ["app"], f"{done}")
    status, made = world.ask("POST", "/api/sandboxes", {"template": "app"})
    expect(status == 201, f"{made}")
    ran = world.ask("POST", f"/api/sandboxes/{made['id']}/execute", {"command": ["sh", "-c", "cat /made /extra; echo $NAME"]})[1]
    expect(ran["stdout"] == "built by 0\nfrom the contextvalue\n", f"{ran}")
    world.ask("DELETE", f"/api/sandboxes/{made['id']}")
    expect(world.aside() == [], "the context is gone")


def events_are_told_again_from_a_number_on(world):
    build = world.begin("FROM base\nRUN echo first; echo second >&2\nRUN echo third\n", names=["told"])
    all_of_them = world.events(build)
    kinds = [kind for kind, _, _ in all_of_them]
    expect(kinds[-1] == "end" and all_of_them[-1][2]["state"] == "done", f"{all_of_them}")
    texts = "".join(data["text"] for kind, _, data in all_of_them if kind == "output")
    expect(sorted(texts.split()) == ["first", "second", "third"], f"{all_of_them}")
    streams = {data["stream"] for kind, _, data in all_of_them if kind == "output"}
    expect(streams == {"stdout", "stderr"}, f"{streams}")
    numbers = [number for kind, number, _ in all_of_them if kind != "end"]
    expect(numbers == list(range(1, len(numbers) + 1)), f"{numbers}")
    rest = world.events(build, after=numbers[3])
    expect(rest == all_of_them[4:], f"{rest}")
    try:
        world.events(build, key=world.other)
        expect(False, "it is nobody else's")
    except urllib.error.HTTPError as error:
        expect(error.code == 404, f"{error}")


def a_step_that_fails_says_where_and_what(world):
    failed = world.build("FROM base\nRUN echo before\nRUN echo why >&2; exit 7\n", names=["failed"])
    expect(failed["state"] == "failed" and failed["failure"]["exit_code"] == 7 and failed["failure"]["line"] == 3, f"{failed}")
    expect("why" in failed["failure"]["output"] and "Dockerfile:3" in failed["error"], f"{failed}")
    again = world.build("FROM base\nRUN echo before\nRUN exit 0\n", names=["failed"])
    expect(again["state"] == "done" and again["cached"] == 1, f"what was finished is kept: {again}")


def one_that_sleeps_is_cancelled(world):
    build = world.begin("FROM base\nRUN echo begun; sleep 600\n", names=["slept"])
    world.events(build, until="output")
    status, now = world.ask("DELETE", f"/api/templates/builds/{build['id']}")
    expect(status == 202, f"{status}: {now}")
    began = time.monotonic()
    expect(world.ended(build)["state"] == "cancelled", "it ends so")
    expect(time.monotonic() - began < 20, "and soon")
    expect(world.ask("DELETE", f"/api/templates/builds/{build['id']}")[0] == 409, "once")
    eventually(lambda: world.sandboxes() == [] and world.aside() == [], f"nothing is left: {world.sandboxes()} {world.aside()}")


def owners_are_apart(world):
    text = "FROM base\nRUN head -c 16 /dev/urandom | busybox od -x >/once\nRUN --mount=type=cache,target=/kept ls /kept; echo mine >/kept/mine\n"
    first = world.build(text, key=world.one, names=["own"])
    expect(first["state"] == "done" and first["names"] == ["@one/own"] and first["cached"] == 0, f"{first}")
    again = world.build(text, key=world.one, names=["own"])
    expect(again["cached"] == 2, f"{again}")
    theirs = world.begin(text, key=world.other, names=["own"])
    theirs_end = world.ended(theirs)
    expect(theirs_end["cached"] == 0 and theirs_end["names"] == ["@other/own"], f"{theirs_end}")
    said = "".join(data["text"] for kind, _, data in world.events(theirs) if kind == "output")
    expect("mine" not in said, f"a cache of somebody else's was seen: {said}")
    stolen = world.build("FROM @one/own\nRUN true\n", key=world.other, names=["stolen"])
    expect(stolen["state"] == "failed" and stolen["error_code"] in ("not_found", "invalid_argument"), f"{stolen}")
    listed = world.ask("GET", "/api/templates/builds", key=world.other)[1]["builds"]
    expect({build["owner"] for build in listed} == {"other"}, f"{listed}")
    expect(world.ask("DELETE", f"/api/templates/builds/{first['id']}", key=world.other)[0] == 404, "it is not theirs")
    expect(world.send("FROM base\n", key=world.one, names=["python:3"])[0] == 400, "a name of everybody's")
    status, made = world.ask("POST", "/api/sandboxes", {"template": "own"}, key=world.one)
    expect(status == 201 and made["template"] == "@one/own", f"{made}")
    world.ask("DELETE", f"/api/sandboxes/{made['id']}", key=world.one)


def an_administrator_decides(world):
    world.start(**{"templates.build": "admin", "templates.max_context": "10k", "templates.step_timeout": "1s"})
    expect(world.send("FROM base\n", key=world.one, names=["x"])[0] == 403, "not for this key")
    status, problem = world.send("FROM base\n", files=[file("large", b"x" * 20_000)], names=["x"])
    expect(status in (413, 422, 400) and "max_context" in json.dumps(problem), f"{status}: {problem}")
    late = world.build("FROM base\nRUN sleep 60\n", names=["late"])
    expect(late["state"] == "failed" and late["failure"]["timed_out"], f"{late}")
    full = world.build("FROM base\nRUN head -c 400000000 /dev/zero >/large\n", names=["full"])
    expect(full["state"] == "failed", f"{full}")
    offline = world.build("FROM base\nRUN busybox wget -T 5 -q http://127.0.0.1:1/ || cat /proc/net/route | wc -l\n", names=["offline"])
    expect(offline["state"] == "done", f"{offline}")
    world.start()


def steps_reach_what_was_asked_for_and_nothing_else(world):
    page = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Greeter)
    threading.Thread(target=page.serve_forever, daemon=True).start()
    where = f"host.cay.internal:{page.server_port}"
    # busybox has no resolver where it is linked statically; this machine's curl has one.
    fetch = f"FROM base\nCOPY with /\nRUN curl -sS -m 10 http://{where}/ || echo nothing\n"
    curl = [file(f"with{path}", content, mode=0o755) for path, content in files_of(shutil.which("curl"))]
    world.start(**{"network.max_mode": "allow", "network.private_allowed": "host.cay.internal"})

    def said(**options):
        build = world.begin(fetch, key=world.one, files=curl, names=["net"], no_cache=True, **options)
        expect(world.ended(build)["state"] == "done", f"{world.ended(build)}")
        return "".join(data["text"] for kind, _, data in world.events(build) if kind == "output").strip()

    try:
        expect("nothing" in said(), "none unless it is asked for")
        reached = said(network={"allow": [where]})
        expect(reached == "hello", f"what is allowed is reached: {reached}")
        expect("nothing" in said(network={"allow": ["example.com:443"]}), "and nothing else")
        denied = [event["data"] for event in world.ask("GET", "/api/events?wait=false")[1]["events"] if event["type"] == "sandbox.network_denied"]
        expect(where.split(":")[0] in json.dumps(denied), f"and it is told: {denied}")
        status, problem = world.send(fetch, key=world.one, names=["net"], network="open")
        expect(400 <= status < 500, f"beyond what the administrator allows: {status}: {problem}")
    finally:
        page.shutdown()
        page.server_close()
    world.start()


class Redirector(Greeter):
    """Leads to where its query says."""

    def do_GET(self):
        where = urllib.parse.unquote(self.path.partition("?")[2])
        self.send_response(302 if where else 200)
        if where:
            self.send_header("Location", where)
        self.end_headers()
        self.wfile.write(b"hello")


def what_a_step_would_not_reach_is_not_fetched(world):
    page = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Redirector)
    threading.Thread(target=page.serve_forever, daemon=True).start()
    where = f"host.cay.internal:{page.server_port}"
    world.start(**{"network.private_allowed": "host.cay.internal"})
    own = world.url.rpartition(":")[2]

    def built(url, **options):
        build = world.ended(world.begin(f"FROM base\nADD {url} /fetched\n", key=world.one, names=["add"], no_cache=True, **options))
        expect("s3cret" not in json.dumps([build, world.events(build)]), f"{url}: credentials are told: {build}")
        return build["state"], build.get("error", "")

    try:
        allowed = {"allow": [where]}
        expect(built(f"http://{where}/", network=allowed) == ("done", ""), "what is allowed is fetched")
        expect(built(f"http://user:s3cret@{where}/?/", network=allowed) == ("done", ""), "with credentials, too")
        state, error = built(f"http://{where}/")
        expect(state == "failed" and "no network" in error, f"without a network: {error}")
        for place in (f"127.0.0.1:{own}/health", f"host.cay.internal:{own}/health", f"localhost:{own}/health", f"[::1]:{own}/health",
                      "169.254.169.254/latest/meta-data", f"127.0.0.1:{page.server_port}/"):
            for network in (allowed, "open"):
                state, error = built(f"http://user:s3cret@{place}", network=network)
                expect(state == "failed" and "ADD of http://" in error, f"{place} by {network}: {state} {error}")
            state, error = built(f"http://{where}/?http://{place}", network=allowed)
            expect(state == "failed", f"{place} by a redirect: {state} {error}")
            state, error = built(f"http://{place}/x.git", network=allowed)
            expect(state == "failed", f"{place} as a repository: {state} {error}")
        eventually(lambda: world.sandboxes() == [] and world.aside() == [], f"nothing is left: {world.sandboxes()} {world.aside()}")
    finally:
        page.shutdown()
        page.server_close()
    world.start()


def secrets_are_seen_by_their_step_alone(world):
    build = world.begin("FROM base\nRUN --mount=type=secret,id=token wc -c </run/secrets/token\nRUN ls /run/secrets 2>&1 || true\n",
                        names=["secret"], secrets={"token": "s3cret-of-a-build"})
    expect(world.ended(build)["state"] == "done", f"{world.ended(build)}")
    said = "".join(data["text"] for kind, _, data in world.events(build) if kind == "output")
    expect(said.split()[0] == "17", said)
    found = subprocess.run(["grep", "-rl", "s3cret-of-a-build", world.state], capture_output=True, text=True, check=False)
    expect(found.stdout == "", f"it is kept in {found.stdout}")


def a_server_that_is_killed_tells_of_it(world):
    build = world.begin("FROM base\nRUN echo begun\nRUN echo here; sleep 600\n", names=["killed"])
    eventually(lambda: world.ask("GET", f"/api/templates/builds/{build['id']}")[1]["events"] >= 6, "it does not go on")
    world.stop(signal.SIGKILL)
    world.start()
    now = world.ask("GET", f"/api/templates/builds/{build['id']}")[1]
    expect(now["state"] == "interrupted", f"{now}")
    kind, _, data = world.events(build, after=3)[-1]
    expect(kind == "end" and data["state"] == "interrupted", f"{kind} {data}")
    eventually(lambda: world.sandboxes() == [] and world.aside() == [], f"nothing is left: {world.sandboxes()} {world.aside()}")


def the_command_does_it_too(world):
    context = os.path.join(world.state, "context")
    os.makedirs(os.path.join(context, "left"), exist_ok=True)
    for name, content in (("Dockerfile", "FROM base\nARG WHAT=x\nCOPY . /all\nRUN ls -a /all; echo $WHAT >/what\n"), (".dockerignore", "left\n"),
                          ("left/out", "x"), ("kept", "x"), ("bad", "FROM base\nRUN exit 9\n"), ("sleeps", "FROM base\nRUN echo begun; sleep 600\n"),
                          ("wrong", "FROM base\nNOTHING\n")):
        with open(os.path.join(context, name), "w") as out:
            out.write(content)
    environment = {**world.environment, "CAY_URL": world.url, "CAY_API_KEY": world.key}
    del environment["CAY_STATE_DIR"]

    def cay(*arguments, code=0):
        done = subprocess.run([world.cay, "template", "build", "--progress", "plain", *arguments, context], env=environment, capture_output=True,
                              text=True, timeout=120, check=False)
        expect(done.returncode == code, f"{arguments}: {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout + done.stderr

    said = cay("-t", "typed", "--build-arg", "WHAT=typed")
    expect("built typed" in said and "kept" in said and "\n#" in said and "left" not in said.split("built")[0].split("RUN")[-1], said)
    expect("Dockerfile" in said and ".cay-build" not in said, said)
    expect("steps cached" in cay("-t", "typed", "--build-arg", "WHAT=typed"), "again")
    expect(cay("-q", "-t", "typed").strip() == "typed", "its name alone")
    bad = cay("-t", "bad", "-f", os.path.join(context, "bad"), code=1)
    expect("bad:2" in bad and "exited with 9" in bad, bad)
    expect("NOTHING" in cay("-t", "wrong", "-f", os.path.join(context, "wrong"), code=125), "as on this machine")
    expect("configuration" in cay("-t", "x", "--memory", "1g", code=125), "the server decides")
    sleeps = subprocess.Popen([world.cay, "template", "build", "--progress", "plain", "-t", "sleeps", "-f", os.path.join(context, "sleeps"), context],
                              env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    for line in sleeps.stdout:
        if "begun" in line and "RUN" not in line:
            break
    sleeps.send_signal(signal.SIGINT)
    sleeps.communicate(timeout=60)
    expect(sleeps.returncode == 130, f"{sleeps.returncode}")
    newest = world.ask("GET", "/api/templates/builds")[1]["builds"][0]
    expect(newest["names"] == ["sleeps"] and newest["state"] == "cancelled", f"{newest}")


CHECKS = (a_dockerfile_becomes_a_template_that_sandboxes_start_from, events_are_told_again_from_a_number_on, a_step_that_fails_says_where_and_what,
          one_that_sleeps_is_cancelled, owners_are_apart, an_administrator_decides,
          steps_reach_what_was_asked_for_and_nothing_else, what_a_step_would_not_reach_is_not_fetched, secrets_are_seen_by_their_step_alone,
          a_server_that_is_killed_tells_of_it, the_command_does_it_too)


def main():
    options = options_where_there_are("curl", "ldd")
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        world = Building(options.cay, directory)
        try:
            return 1 if try_checks(CHECKS, world, options.only) else 0
        finally:
            world.stop()


if __name__ == "__main__":
    sys.exit(main())
