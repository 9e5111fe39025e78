#!/usr/bin/env python3
"""What `cay template` does here, done on a server: looked at, measured, pruned, written as files, pushed, and chosen of several
images. With a real registry, with skopeo as the other reader, and with registries that are hostile. As root and as an ordinary
user. Exits with 77 without a registry and skopeo."""

import base64
import http.client
import http.server
import io
import json
import os
import signal
import socket
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import urllib.error
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(HERE, "..", "support"))
from checks import as_user, eventually, expect, try_checks  # noqa: E402
from images import Image, Registry, digest_of, file, small_root  # noqa: E402
from server_pull_test import Served  # noqa: E402
from world import USERS, options_where_there_are  # noqa: E402

SECRET = "a-password-that-nobody-may-see"


def quoted(name):
    return urllib.request.quote(name, safe="")


def skopeo(*arguments):
    subprocess.run(["skopeo", "--insecure-policy", "copy", "-q", "--dest-tls-verify=false", "--src-tls-verify=false", *arguments], check=True)


def seen_by_skopeo(reference, *more):
    done = subprocess.run(["skopeo", "inspect", "--tls-verify=false", *more, reference], check=True, capture_output=True)
    return json.loads(done.stdout)


class There(Served):
    """A server with an image of its own as the template `app`."""

    def __init__(self, cay, uid, directory, registry):
        super().__init__(cay, uid, directory, registry)
        self.files = os.path.join(directory, f"files-{uid}")
        os.makedirs(self.files)
        os.chown(self.files, uid, uid)
        self.read_key = self.ask("POST", "/api/keys", {"name": "read", "scope": "read", "owner": "somebody"})[1]["key"]
        image = Image(Env=["PATH=/bin", "GREETING=hello"], User="app", WorkingDir="/tmp", Cmd=["sh"]).layer(small_root())
        image.layer([file("random", os.urandom(400_000))])
        self.image_name = self.registry.push(image, f"app-{uid}:1")
        expect(self.ended(self.pull(self.image_name, name="app"))["state"] == "done", "it is pulled")

    def at(self, name):
        return os.path.join(self.files, name)

    def there(self, *arguments, code=0, data=None, key=None, home=None):
        """A command of a client elsewhere, who has no state directory."""
        environment = {"PATH": os.environ["PATH"], "HOME": home or self.files, "CAY_URL": self.url, "CAY_API_KEY": key or self.key}
        done = subprocess.run(as_user(self.uid, [self.cay, *arguments]), env=environment, capture_output=True, timeout=120, input=data)
        text = done.stdout.decode(errors="replace") + (done.stderr.decode(errors="replace") if code else "")
        expect(done.returncode == code, f"{arguments}: {done.returncode}: {text}{done.stderr.decode(errors='replace')}")
        return text

    def run_with(self, *arguments, code=0, data=None):
        """A command here."""
        done = subprocess.run(self.command(*arguments), env=self.environment, capture_output=True, timeout=120, input=data)
        text = done.stdout.decode(errors="replace") + (done.stderr.decode(errors="replace") if code else "")
        expect(done.returncode == code, f"{arguments}: {done.returncode}: {text}{done.stderr.decode(errors='replace')}")
        return text

    def raw(self, path, key=None):
        connection = http.client.HTTPConnection("127.0.0.1", int(self.url.rsplit(":", 1)[1]), timeout=60)
        connection.request("GET", path, headers={"Authorization": f"Bearer {key or self.key}"})
        return connection, connection.getresponse()

    def push(self, image, name="app", key=None, **more):
        return self.ask("POST", f"/api/templates/{quoted(name)}/push", {"image": image, **more}, key=key)

    def pushed(self, image, **more):
        status, push, _ = self.push(image, **more)
        expect(status == 202, f"{status}: {push}")
        return eventually(lambda: (now := self.ask("GET", f"/api/pushes/{push['id']}")[1])["state"] not in ("waiting", "pushing") and now,
                          "it does not end")

    def spools(self):
        """Files without a name that the server has open in its directory of blobs."""
        found = []
        for each in os.listdir(f"/proc/{self.server.pid}/fd"):
            try:
                target = os.readlink(f"/proc/{self.server.pid}/fd/{each}")
            except FileNotFoundError:
                continue
            if "/.blobs/" in target:
                found.append(target)
        return found


def what_it_is_made_of_is_told_as_here(world):
    here = json.loads(world.run("template", "inspect", "--json", "app"))[0]
    there = json.loads(world.there("template", "inspect", "--json", "app"))[0]
    expect(here == there, f"{here}\n{there}")
    expect(here["image"]["config"]["Env"] == ["PATH=/bin", "GREETING=hello"] and here["platform"].startswith("linux/"), f"{here}")
    expect(world.run("template", "inspect", "app").split() == world.there("template", "inspect", "app").split(), "for people, too")
    whole = world.ask("GET", "/api/templates/app")[1]
    expect(whole["layers"] == len(whole["chain"]) and "disk_bytes" not in whole["chain"][0], f"{whole}")
    expect(whole["reference"] == world.image_name and whole["digest"].startswith("sha256:") and whole["last_used_at"], f"{whole}")
    sized = world.ask("GET", "/api/templates/app?sizes=true")[1]["chain"]
    expect(sum(layer["disk_bytes"] for layer in sized) > 400_000, f"{sized}")
    made = world.ask("POST", "/api/sandboxes", {"template": "app"})[1]
    expect(world.ask("GET", "/api/templates/app")[1]["used_by"] == [made["id"]], "who uses it")
    expect(world.ask("GET", "/api/templates/app", key=world.read_key)[1]["used_by"] == [], "another owner's sandbox is not told of")
    world.forget(made)
    expect(world.ask("GET", "/api/templates/host")[1]["chain"] == [], "of the machine's own files nothing is told")
    expect("no template" in world.there("template", "inspect", "nothing", code=1), "it is not there")


def what_they_take_is_told_as_here(world):
    here, there = (json.loads(how("template", "df", "--json")) for how in (world.run, world.there))
    # The list of layers that are collected moves on its own.
    expect(here["templates"] == there["templates"] and here["layers_bytes"] == there["layers_bytes"], f"{here}\n{there}")
    expect(world.there("template", "df").startswith("NAME"), "for people, too")
    theirs = world.ask("GET", "/api/templates/df", key=world.read_key)[1]
    expect("app" in [each["name"] for each in theirs["templates"]] and "total_bytes" not in theirs, f"{theirs}")


def what_nobody_uses_is_pruned(world):
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as archive:
        for info, content in small_root():
            archive.addfile(info, io.BytesIO(content))
    for name in ("stale", "running"):
        world.there("template", "import", "-q", name, "-", data=tar.getvalue())
    made = world.ask("POST", "/api/sandboxes", {"template": "running"})[1]
    snapshot = None
    if not world.uid:  # an ordinary user's cannot be held still for one
        snapshot = world.ask("POST", f"/api/sandboxes/{made['id']}/snapshots", {"name": "kept"})[1]["name"]
    expect(json.loads(world.there("template", "prune", "--json"))["removed"] == [], "none is old")
    said = json.loads(world.there("template", "prune", "--json", "-n", "--unused-for", "0s"))
    expect("stale" in said["removed"] and "running" not in said["removed"] and snapshot not in said["removed"] and said["dry_run"], f"{said}")
    said = world.ask("POST", "/api/templates/prune", {"unused_for": 0, "dry_run": True, "of_owners": True})[1]["removed"]
    expect(not snapshot or snapshot in said, f"owners' own, where it is said: {said}")
    expect(world.ask("POST", "/api/templates/prune", {}, key=world.user_key)[0] == 403, "administrators' alone")
    world.ask("POST", "/api/pulls", {"image": world.image_name, "name": "again"})
    held = world.ask("POST", "/api/sandboxes", {"template": "app"})[1]
    said = world.there("template", "prune", "-f", "--unused-for", "0s")
    expect("removed stale\n" in said and "freed" in said, said)
    expect(world.ask("GET", "/api/templates/stale")[0] == 404 and world.ask("GET", "/api/templates/running")[0] == 200, "one of them")
    world.forget(made)
    world.forget(held)
    expect(not snapshot or world.ask("DELETE", "/api/templates/" + quoted(snapshot))[0] == 204, "it goes")


def what_is_exported_is_what_is_exported_here(world):
    for form, transport in (("oci", "oci-archive"), ("docker", "docker-archive")):
        here, there = world.at(f"here-{form}.tar"), world.at(f"there-{form}.tar")
        world.run("template", "export", "-q", "--format", form, "--tag", "team/app:7", "app", here)
        world.there("template", "export", "-q", "--format", form, "--tag", "team/app:7", "app", there)
        with open(here, "rb") as one, open(there, "rb") as two:
            expect(one.read() == two.read(), f"{form}: other bytes")
        config = seen_by_skopeo(f"{transport}:{there}", "--config")
        expect(config["config"]["User"] == "app" and len(config["rootfs"]["diff_ids"]) == 2, f"{config}")
        world.there("template", "import", "-q", "--replace", "back", there)
        again = json.loads(world.there("template", "inspect", "--json", "back"))[0]["image"]["rootfs"]["diff_ids"]
        expect(again == config["rootfs"]["diff_ids"], f"{form}: a round trip changes layers")
    status, _, headers = world.ask("GET", "/api/templates/nothing/export")
    expect(status == 404, "there is none")
    connection, answer = world.raw("/api/templates/app/export?compression=zstd")
    with open(world.at("raw.tar"), "wb") as out:
        out.write(answer.read())
    connection.close()
    expect(answer.getheader("Docker-Content-Digest") == seen_by_skopeo(f"oci-archive:{world.at('raw.tar')}")["Digest"], "the digest")
    world.there("template", "export", "-q", "--format", "oci-dir", "--compression", "none", "app", world.at("layout"))
    expect(len(seen_by_skopeo(f"oci:{world.at('layout')}:latest")["Layers"]) == 2, "a layout")
    expect("without compression" in world.there("template", "export", "--format", "docker", "--compression", "gzip", "app", "x", code=125), "no such")
    expect(world.ask("GET", "/api/templates/app/export?format=docker&compression=gzip")[0] == 400, "nor there")
    status, problem, _ = world.ask("GET", "/api/templates/host/export")
    expect(status == 422, f"the machine's own is no image: {status}: {problem}")


def an_export_that_nobody_reads_takes_nothing(world):
    image = Image(Cmd=["sh"]).layer(small_root() + [file("large", os.urandom(48_000_000))])
    name = world.registry.push(image, f"large-{world.uid}:1")
    expect(world.ended(world.pull(name, name="large"))["state"] == "done", "it is here")

    def held():
        with open(f"/proc/{world.server.pid}/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("RssAnon:"))

    before = held()
    connection, answer = world.raw("/api/templates/large/export?compression=none")
    expect(answer.status == 200 and len(answer.read(1000)) == 1000, "it begins")
    time.sleep(1)
    expect(held() - before < 24_000, f"it holds what is not read: {held() - before} KiB")
    expect(world.spools(), "it waits for its reader")
    connection.sock.close() if connection.sock else None
    answer.close()
    connection.close()
    eventually(lambda: not world.spools(), "what was packed stays")
    # While it packs, too: what it packs is gone long before it could be whole.
    for _ in range(6):
        with socket.create_connection(("127.0.0.1", int(world.url.rsplit(":", 1)[1]))) as client:
            client.sendall(f"GET /api/templates/large/export HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {world.key}\r\n\r\n".encode())
            eventually(world.spools, "it does not begin")
        eventually(lambda: not world.spools(), "it goes on for nobody")
    clients = [world.raw("/api/templates/large/export?compression=none") for _ in range(2)]
    status, problem, _ = world.ask("GET", "/api/templates/large/export")
    expect(status == 429, f"so many at a time: {status}: {problem}")
    for client, answer in clients:
        answer.close()
        client.close()
    expect(world.ask("DELETE", "/api/templates/large")[0] == 204, "it goes")


def what_is_pushed_is_what_is_pulled(world):
    to = f"{world.registry.name}/pushed-{world.uid}:1"
    done = world.pushed(to)
    expect(done["state"] == "done" and done["sent"] > 400_000 and not any(layer["was_there"] for layer in done["layers"]), f"{done}")
    expect(seen_by_skopeo(f"docker://{to}")["Digest"] == done["digest"], "another digest")
    expect(world.ended(world.pull(to, name="pulled"))["digest"] == done["digest"], "another digest comes back")
    again = world.pushed(to)
    expect(again["digest"] == done["digest"] and again["sent"] == 0 and all(layer["was_there"] for layer in again["layers"]), f"{again}")
    typed = world.there("template", "push", "app", to)
    expect(typed == f"pushed app to {to} ({done['digest']})\n", typed)
    expect(world.there("template", "push", "-q", "pulled", to) == world.run("template", "push", "-q", "pulled", to), "the same as here")
    events = world.ask("GET", "/api/events?wait=false")[1]["events"]
    expect(any(event["type"] == "template.pushed" and event["data"]["digest"] == done["digest"] for event in events), "it is told")
    request = urllib.request.Request(f"{world.url}/api/pushes/{done['id']}/events", headers={"Authorization": f"Bearer {world.key}"})
    with urllib.request.urlopen(request, timeout=60) as stream:
        text = stream.read().decode()
    expect(text.startswith("event: end") and '"state":"done"' in text, text)
    listed = [push["id"] for push in world.ask("GET", "/api/pushes")[1]["pushes"]]
    expect(done["id"] in listed and listed.index(again["id"]) < listed.index(done["id"]), "the newest first")
    expect("digest" in world.push(f"{world.registry.name}/x@sha256:{'0' * 64}")[1]["detail"], "no digest")
    expect(world.push("", name="app")[0] == 400 and world.push(to, name="nothing")[0] == 404, "nothing, or nowhere")
    expect(world.push(to, password="x" * 20_000)[0] in (400, 413, 422), "too long")
    expect("a server decides" in world.there("template", "push", "--insecure-registry", "x", "app", to, code=125), "not a client's to say")


def one_under_way_is_followed_and_cancelled(world):
    world.slow.rate = None
    to = f"{world.slow.name}/slow-{world.uid}:1"
    hostile = Hostile("slow")
    status, push, headers = world.push(f"{hostile.name}/slow:1")
    expect(status == 202 and headers["Location"] == f"/api/pushes/{push['id']}", f"{status}")
    path = f"/api/pushes/{push['id']}"
    eventually(lambda: world.ask("GET", path)[1]["layers"], "it does not begin")

    def follow(after=None):
        connection = http.client.HTTPConnection("127.0.0.1", int(world.url.rsplit(":", 1)[1]), timeout=60)
        connection.request("GET", path + "/events", headers={"Authorization": f"Bearer {world.key}", **({"Last-Event-ID": after} if after else {})})
        return connection.getresponse()

    first = follow()
    line = b""
    while not line.startswith(b"id: "):
        line = first.readline()
        expect(line, f"it ends: {world.ask('GET', path)}")
    number = line.split()[1].decode()
    first.close()
    again = follow(number)
    status, problem, _ = world.ask("DELETE", path)
    expect(status == 202, f"it may be ended: {status}: {problem}")
    text = again.read().decode()
    expect("event: end" in text and '"state":"cancelled"' in text, text)
    expect(f"id: {number}\n" not in text, "what was told is not told again")
    expect(world.ask("DELETE", path)[0] == 409 and world.ask("GET", "/api/pushes/" + "a" * 20)[0] == 404, "once, and what is there")
    hostile.close()
    expect(world.pushed(to)["state"] == "done", "another one")


def a_server_that_is_killed_tells_of_it(world):
    hostile = Hostile("slow")
    push = world.push(f"{hostile.name}/killed:1", username="somebody", password=SECRET)[1]
    eventually(lambda: world.ask("GET", f"/api/pushes/{push['id']}")[1]["layers"], "it does not begin")
    world.stop(signal.SIGKILL)
    hostile.close()
    world.start()
    known = world.ask("GET", f"/api/pushes/{push['id']}")[1]
    expect(known.get("state") == "interrupted", f"it is known: {known}")
    nobody_kept_the_password(world)


def nobody_kept_the_password(world):
    wanted = (SECRET.encode(), base64.b64encode(f"somebody:{SECRET}".encode()))
    for parent, _, names in os.walk(world.state):
        for name in names:
            path = os.path.join(parent, name)
            if os.path.islink(path) or not os.path.isfile(path) or os.path.getsize(path) > 50_000_000:
                continue
            with open(path, "rb") as found:
                data = found.read()
            expect(not any(word in data for word in wanted), f"the password is in {path}")


class Hostile:
    """A registry that does what one must not."""

    def __init__(self, how, other=None):
        self.how, self.other, self.seen, self.asked = how, other, [], 0
        hostile = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def answer(self, status, **headers):
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name.replace("_", "-"), value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def do(self):
                hostile.asked += 1
                hostile.seen.append((self.command, self.path, self.headers.get("Authorization", "")))
                length = int(self.headers.get("Content-Length") or 0)
                if hostile.how == "asks_again" or (hostile.how in ("redirects", "moves") and not self.headers.get("Authorization")):
                    self.rfile.read(length)
                    return self.answer(401, WWW_Authenticate='Basic realm="again"')
                if hostile.how == "later":
                    self.rfile.read(length)
                    return self.answer(429, Retry_After="0")
                if self.command in ("HEAD", "GET"):
                    return self.answer(200 if self.path == "/v2/" else 404)
                if self.command == "POST" and hostile.how == "redirects":
                    return self.answer(307, Location=f"http://{hostile.other.name}{self.path}")
                if self.command == "POST" and hostile.how == "moves":
                    return self.answer(202, Location=f"http://{hostile.other.name}/upload")
                if self.command == "POST":
                    return self.answer(202, Location=f"{self.path}upload")
                if hostile.how == "cuts":
                    self.rfile.read(min(length, 10_000))
                    return self.connection.shutdown(socket.SHUT_RDWR)
                if hostile.how == "slow":
                    while hostile.how == "slow":  # it never answers
                        time.sleep(0.05)
                    return self.connection.close()
                self.rfile.read(length)
                digest = "sha256:" + "0" * 64 if hostile.how == "lies" else ""
                return self.answer(201, Docker_Content_Digest=digest) if digest else self.answer(201)

            do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.name = f"127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.how = "closed"
        self.server.shutdown()
        self.server.server_close()


def registries_that_are_hostile(world):
    for how, codes in (("asks_again", ("permission_denied", "protocol")), ("later", ("unavailable", "resource_exhausted")),
                       ("cuts", ("unavailable", "protocol")), ("lies", ("protocol",))):
        hostile = Hostile(how)
        done = world.pushed(f"{hostile.name}/app:1", username="somebody", password=SECRET)
        expect(done["state"] == "failed" and done["error_code"] in codes, f"{how}: {done}")
        expect(hostile.asked < 60 and SECRET not in json.dumps(done), f"{how}: it asked {hostile.asked} times")
        hostile.close()
    for how in ("redirects", "moves"):
        other = Hostile("takes")
        hostile = Hostile(how, other)
        done = world.pushed(f"{hostile.name}/app:1", username="somebody", password=SECRET)
        expect(done["state"] == "failed", f"{how}: {done}")
        expect(any(authorization for _, _, authorization in hostile.seen), "it is asked with credentials")
        expect(not any(authorization for _, _, authorization in other.seen), f"{how}: another server has the credentials: {other.seen}")
        expect(not any(method == "PUT" for method, _, _ in other.seen), f"{how}: another server has the content")
        hostile.close()
        other.close()
    events = world.ask("GET", "/api/events?wait=false&limit=1000")[1]
    expect(SECRET not in json.dumps(events) and "template.push_failed" in json.dumps(events), "events have no password")
    nobody_kept_the_password(world)


def credentials_are_the_clients_own(world):
    hostile = Hostile("asks_again")
    home = world.at("home")
    os.makedirs(os.path.join(home, ".docker"), exist_ok=True)
    encoded = base64.b64encode(f"somebody:{SECRET}".encode()).decode()
    with open(os.path.join(home, ".docker", "config.json"), "w") as out:
        json.dump({"auths": {hostile.name: {"auth": encoded}}}, out)
    said = world.there("template", "push", "app", f"{hostile.name}/app:1", code=1, home=home)
    expect(SECRET not in said, said)
    expect(f"Basic {encoded}" in [authorization for _, _, authorization in hostile.seen], "as docker does it")
    hostile.seen.clear()
    world.there("template", "push", "app", f"{hostile.name}/app:1", code=1)
    expect(not any(authorization for _, _, authorization in hostile.seen), "they were for that push alone")
    hostile.close()
    nobody_kept_the_password(world)


def whose_it_is_may_and_others_may_not(world):
    if world.uid:
        return  # an ordinary user's sandboxes cannot be held still for a snapshot
    made = world.ask("POST", "/api/sandboxes", {"template": "app"}, key=world.user_key)[1]
    status, snapshot, _ = world.ask("POST", f"/api/sandboxes/{made['id']}/snapshots", {"name": "mine"}, key=world.user_key)
    expect(status == 201, f"{status}: {snapshot}")
    world.ask("DELETE", f"/api/sandboxes/{made['id']}", key=world.user_key)
    other = world.ask("POST", "/api/keys", {"name": "other", "scope": "use", "owner": "other"})[1]["key"]
    name = quoted(snapshot["name"])
    to = f"{world.registry.name}/mine-{world.uid}:1"
    details = world.ask("GET", f"/api/templates/{name}", key=world.user_key)[1]
    expect(details["owner"] == "somebody" and details["parent"] == "app", f"{details}")
    for method, path, body in (("GET", f"/api/templates/{name}", None), ("GET", f"/api/templates/{name}/export", None),
                               ("POST", f"/api/templates/{name}/push", {"image": to})):
        expect(world.ask(method, path, body, key=other)[0] == 404, f"{method} {path}: others do not learn that it is there")
    expect(name not in json.dumps(world.ask("GET", "/api/templates/df", key=other)[1]), "nor here")
    expect(world.ask("GET", "/api/templates/app/export", key=world.read_key)[0] == 403, "who reads does not export")
    expect(world.push(to, key=world.read_key)[0] == 403, "nor push")
    expect(world.push(to, key=world.user_key)[0] == 403, "everybody's is pushed by administrators")
    status, push, _ = world.push(to, name="mine", key=world.user_key)
    expect(status == 202 and push["template"] == snapshot["name"], f"{status}: {push}")
    expect(world.ask("GET", f"/api/pushes/{push['id']}", key=other)[0] == 404, "it is not theirs")
    expect(world.ask("GET", "/api/pushes", key=other)[1]["pushes"] == [], "nor listed")
    done = eventually(lambda: (now := world.ask("GET", f"/api/pushes/{push['id']}", key=world.user_key)[1])["ended_at"] and now, "it does not end")
    expect(done["state"] == "done" and seen_by_skopeo(f"docker://{to}")["Digest"] == done["digest"], f"{done}")
    connection, answer = world.raw("/api/templates/mine/export", key=world.user_key)
    expect(answer.status == 200 and "mine.tar" in answer.getheader("Content-Disposition"), f"{answer.status}")
    answer.read()
    connection.close()
    world.start(**{"templates.allow": f"{world.registry.name}/other/**"})
    expect(world.push(to, name="mine", key=world.user_key)[0] == 403, "it is none of those")
    world.start(**{"templates.private_registries": "10.0.0.1"})
    done = world.pushed(to)
    expect(done["state"] == "failed" and done["error_code"] == "permission_denied", f"this machine's ports are not for clients: {done}")
    world.start()
    expect(world.ask("DELETE", f"/api/templates/{name}")[0] == 204, "it goes")


def of_several_images_one_is_chosen(world):
    saved = world.at("several.tar")
    for number in ("1", "2"):
        layout = world.at(f"one-of-{number}")
        Image(Env=[f"WHICH={number}", "PATH=/bin"]).layer(small_root()).write_layout(layout)
        skopeo(f"oci:{layout}:image", f"oci:{world.at('both')}:{number}")
    with tarfile.open(saved, "w") as archive:
        archive.add(world.at("both"), ".")
    here = world.run("template", "import", "several", saved, code=125)
    there = world.there("template", "import", "several", saved, code=1)
    expect("several images: 1, 2" in there and "--tag 1" in there, f"{here}\n{there}")
    world.there("template", "import", "-q", "--tag", "2", "several", saved)
    expect(world.ask("GET", "/api/templates/several")[1]["image"]["config"]["Env"][0] == "WHICH=2", "the second")
    world.there("template", "import", "-q", "--replace", "--tag", "1", "several", world.at("both"))
    expect(world.ask("GET", "/api/templates/several")[1]["image"]["config"]["Env"][0] == "WHICH=1", "of a layout, too")
    for arguments in (("--tag", "3"), ("--tag", "1", "--platform", "linux/s390x")):
        here, there = (how("template", "import", "--replace", *arguments, "several", saved, code=1) for how in (world.run, world.there))
        expect(here.split(": ", 1)[1].split("\n")[0].replace(saved, "") in there.replace("uploaded", ""), f"{here}\n{there}")
    manifests, blobs = [], {}
    for architecture in ("s390x", "riscv64"):
        image = Image(Env=[f"OF={architecture}"]).layer(small_root())
        manifest = json.loads(image.manifest())
        config = json.loads(image.blobs[manifest["config"]["digest"]])
        config["architecture"] = architecture
        text = json.dumps(config).encode()
        manifest["config"].update(digest=image.add(text), size=len(text))
        text = json.dumps(manifest).encode()
        manifests.append({"mediaType": manifest["mediaType"], "digest": image.add(text), "size": len(text),
                          "platform": {"os": "linux", "architecture": architecture}})
        blobs.update(image.blobs)
    index = json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": manifests}).encode()
    blobs[digest_of(index)] = index
    top = json.dumps({"schemaVersion": 2, "manifests": [{"mediaType": "application/vnd.oci.image.index.v1+json", "digest": digest_of(index),
                                                         "size": len(index)}]}).encode()
    path = world.at("platforms.tar")
    with tarfile.open(path, "w") as archive:
        for name, data in [("oci-layout", b'{"imageLayoutVersion":"1.0.0"}'), ("index.json", top)] + [
                (f"blobs/sha256/{digest.split(':')[1]}", data) for digest, data in blobs.items()]:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    world.there("template", "import", "-q", "--platform", "linux/riscv64", "elsewhere", path)
    expect(world.ask("GET", "/api/templates/elsewhere")[1]["platform"] == "linux/riscv64", "by its platform")
    expect("amd64" in world.there("template", "import", "elsewhere2", path, code=1), "there is none for this machine")
    fresh = world.at("fresh.tar")
    with tarfile.open(fresh, "w") as archive:
        for info, data in small_root() + [file("fresh", os.urandom(9_000_000))]:
            archive.addfile(info, io.BytesIO(data))
    here, there = (how("template", "import", "--max-size", "8m", "small", fresh, code=code) for how, code in ((world.run, 1), (world.there, 1)))
    expect(here.split(": ", 1)[1].split("\n")[0] in there, f"more than it may: {here}\n{there}")
    with open(saved, "rb") as data:
        request = urllib.request.Request(f"{world.url}/api/templates/x?platform=nonsense%20", method="PUT", data=data.read(),
                                         headers={"Authorization": f"Bearer {world.key}"})
    try:
        urllib.request.urlopen(request, timeout=60).close()
        expect(False, "it is taken")
    except urllib.error.HTTPError as error:
        expect(error.code == 400, f"{error.code}")


def a_context_is_a_directory_or_what_comes(world):
    if world.uid:
        return  # builds are root's
    alone = b"FROM scratch\nLABEL of=input\n"
    for where in (world.run_with, world.there):
        where("template", "build", "-q", "-t", "alone", "-", data=alone)
        expect(json.loads(where("template", "inspect", "--json", "alone"))[0]["image"]["config"]["Labels"] == {"of": "input"}, "a Dockerfile")
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
            for name, data in (("Dockerfile", b"FROM scratch\nCOPY a b /\n"), ("other/Dockerfile", b"FROM scratch\nCOPY b /\n"),
                               ("a", b"A"), ("b", b"B"), ("ignored", b"I"), (".dockerignore", b"ignored\n")):
                info = tarfile.TarInfo(name)
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
        where("template", "build", "-q", "-t", "packed", "-", data=buffer.getvalue())
        two = json.loads(where("template", "inspect", "--json", "packed"))[0]["entries"]
        with open(world.at("context.tar"), "wb") as out:
            out.write(buffer.getvalue())
        where("template", "build", "-q", "-t", "packed", "-f", "other/Dockerfile", world.at("context.tar"))
        one = json.loads(where("template", "inspect", "--json", "packed"))[0]["entries"]
        expect(two == one + 1, f"another Dockerfile of it: {two}, {one}")
        os.makedirs(world.at("plain"), exist_ok=True)
        with open(world.at("plain/here"), "w") as out:
            out.write("h")
        where("template", "build", "-q", "-t", "packed", "-f", "-", world.at("plain"), data=b"FROM scratch\nCOPY here /\n")
        said = where("template", "build", "-t", "x", "-f", "-", "-", code=125, data=alone)
        expect("not both" in said, said)
        said = where("template", "build", "-t", "x", "-f", "other", "-", code=125, data=alone)
        expect("-f names another" in said, said)
        expect("there is no none" in where("template", "build", "-t", "x", "-f", "none", "-", code=1, data=buffer.getvalue()), "none")
        said = where("template", "build", "-t", "x", "-", code=1, data=b"FROM scratch\nCOPY nothing /\n")
        expect("nothing" in said, said)
    layers = os.path.join(world.state, "templates", ".partial")
    expect(not os.path.isdir(layers) or not os.listdir(layers), "what was unpacked stays")


def a_build_looks_again_at_its_images(world):
    if world.uid:
        return  # builds are root's
    def moved(word):
        return world.registry.push(Image(Env=[f"WORD={word}"]).layer(small_root()), "moving:1")

    def built(*more):
        world.there("template", "build", "-q", "-t", "looked", *more, "-", data=f"FROM {name}\nLABEL x=y\n".encode())
        return world.ask("GET", "/api/templates/looked")[1]["image"]["config"]["Env"][0]

    name = moved("first")
    expect(built() == "WORD=first", "it is pulled")
    moved("second")
    expect(built() == "WORD=first", "it is here")
    expect(built("--pull") == "WORD=second", "it is looked at again")
    world.start(**{"templates.build": "all"})
    said = world.there("template", "build", "-t", "looked", "--pull", "-", data=f"FROM {name}\n".encode(), code=1, key=world.user_key)
    expect("only administrators" in said, said)
    world.there("template", "build", "-q", "-t", "looked", "-", data=f"FROM {name}\nLABEL a=b\n".encode(), key=world.user_key)
    world.start()


CHECKS = (what_it_is_made_of_is_told_as_here, what_they_take_is_told_as_here, what_is_exported_is_what_is_exported_here,
          an_export_that_nobody_reads_takes_nothing, what_is_pushed_is_what_is_pulled, one_under_way_is_followed_and_cancelled,
          a_server_that_is_killed_tells_of_it, registries_that_are_hostile, credentials_are_the_clients_own,
          whose_it_is_may_and_others_may_not, of_several_images_one_is_chosen, a_context_is_a_directory_or_what_comes,
          a_build_looks_again_at_its_images, what_nobody_uses_is_pruned)


def main():
    options = options_where_there_are("docker-registry", "skopeo")
    failed = 0
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        with Registry(os.path.join(directory, "registry")) as registry:
            for uid in USERS:
                world = There(options.cay, uid, directory, registry)
                try:
                    failed += try_checks(CHECKS, world, options.only, f", as uid {uid}")
                finally:
                    world.stop()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
