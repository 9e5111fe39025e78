#!/usr/bin/env python3
"""What an image says of its programs: its user, directory and variables, the process that starts with a sandbox of a server, how
that is asked to end, and how it is tested. As root and as an ordinary user. Exits with 77 where it cannot be tried."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(HERE, "..", "support"))
from checks import as_user, eventually, expect, try_checks  # noqa: E402
from images import Image, file, small_root  # noqa: E402
from world import USERS, World, options_where_there_are  # noqa: E402


PASSWD = "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000::/home/app:/bin/sh\nwww:x:33:33::/srv:/bin/sh\n"
GROUP = "root:x:0:\napp:x:1000:\nwww:x:33:\naudio:x:29:www\n"
WHO = ["/bin/sh", "-c", "echo $(id -u):$(id -g):$(id -G) $(pwd) $HOME"]
SECOND = 1_000_000_000


class Served(World):
    """A user whose templates a server has."""

    def __init__(self, cay, uid, directory):
        super().__init__(cay, uid, directory, None)
        self.directory = directory
        self.server = None
        self.made = 0
        self.start()

    def start(self):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.log = open(os.path.join(self.state, "server.log"), "a")
        self.server = subprocess.Popen(as_user(self.uid, [self.cay, "serve", "--listen", f"127.0.0.1:{port}", "--set", "timeouts.stop_grace=3s"]),
                                       env=self.environment, stdout=self.log, stderr=self.log)
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

    def ask(self, method, path, body=None):
        request = urllib.request.Request(self.url + path, method=method, data=json.dumps(body).encode() if body is not None else None,
                                         headers={"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                text = answer.read()
                return answer.status, json.loads(text) if text else None
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    def image(self, **config):
        """The name of a template of an image that says this."""
        self.made += 1
        name = f"image-{self.made}"
        layout = os.path.join(self.directory, f"layout-{self.uid}-{self.made}")
        os.makedirs(layout)
        image = Image(**{"Env": ["PATH=/bin"], **config})
        image.layer(small_root()).layer([file("etc/passwd", PASSWD), file("etc/group", GROUP)]).write_layout(layout)
        for directory, _, names in os.walk(layout):
            os.chmod(directory, 0o755)
            for each in names:
                os.chmod(os.path.join(directory, each), 0o644)
        self.run("template", "import", name, layout)
        return name

    def create(self, name, **more):
        status, sandbox = self.ask("POST", "/api/sandboxes", {"template": name, **more})
        expect(status == 201, f"{status}: {sandbox}")
        return sandbox

    def look(self, sandbox):
        return self.ask("GET", f"/api/sandboxes/{sandbox['id']}")[1]

    def act(self, sandbox, verb):
        status, now = self.ask("POST", f"/api/sandboxes/{sandbox['id']}/{verb}", {})
        expect(status == 200, f"{verb}: {status}: {now}")
        return now

    def forget(self, sandbox):
        expect(self.ask("DELETE", f"/api/sandboxes/{sandbox['id']}")[0] == 204, "it goes")

    def output(self, sandbox, process):
        """What it has written until now."""
        url = f"{self.url}/api/sandboxes/{sandbox['id']}/processes/{process}/output?follow=false"
        with urllib.request.urlopen(url, timeout=30) as answer:
            events = [json.loads(line[6:]) for line in answer.read().decode().splitlines() if line.startswith("data: ")]
        return "".join(event["text"] for event in events if "text" in event)

    def execute(self, sandbox, command, **more):
        return self.ask("POST", f"/api/sandboxes/{sandbox['id']}/execute", {"command": command, **more})

    def says(self, name):
        """What a program is, by `cay run` and by a server."""
        by_run = self.run("run", "-q", "--template", name, "--", *WHO)
        sandbox = self.create(name)
        by_server = self.execute(sandbox, WHO)[1]["stdout"]
        self.forget(sandbox)
        expect(by_run == by_server, f"{by_run!r} is not {by_server!r}")
        return by_run.strip()

    def ended(self, sandbox):
        return eventually(lambda: (now := self.look(sandbox)["startup"])["state"] == "exited" and now, "it does not end")


def a_directory_that_is_not_there_is_made(world):
    name = world.image(WorkingDir="/srv/app/deep", User="www")
    expect(world.says(name).split()[-2] == "/srv/app/deep", "it is where its programs are")


def users_are_as_in_docker(world):
    if world.uid != 0:
        expect(world.says(world.image(User="www")).startswith("1000:1000:1000 "), "an ordinary user's sandbox has one user")
        return
    for user, wanted in (("", "0:0:0 / /root"), ("www", "33:33:33 29 / /srv"), ("www:audio", "33:29:29 / /srv"), ("33", "33:33:33 29 / /srv"),
                         ("33:29", "33:29:29 / /srv"), ("4711", "4711:0:0 / /"), ("4711:4712", "4711:4712:4712 / /"), ("www:4712", "33:4712:4712 / /srv")):
        expect(world.says(world.image(User=user)) == wanted, f"{user!r}: {world.says(world.image(User=user))}")


def a_name_that_is_not_there_is_said(world):
    if world.uid != 0:
        return
    for user, wanted in (("nobody-here", "no user nobody-here in the sandbox's /etc/passwd"), ("www:nothing", "no group nothing in the sandbox's /etc/group")):
        name = world.image(User=user, Entrypoint=["/bin/sleep", "1000"])
        said = world.run("run", "-q", "--template", name, "--", "true", code=125)
        expect(wanted in said, said)
        sandbox = world.create(name, entrypoint=True)
        expect(sandbox["state"] == "running" and sandbox["startup"]["state"] == "failed" and wanted in sandbox["startup"]["reason"], f"{sandbox}")
        status, problem = world.execute(sandbox, ["true"])
        expect(status == 422 and wanted in problem["detail"], f"{status}: {problem}")
        expect(world.execute(sandbox, ["id", "-u"], user="www")[1]["stdout"] == "33\n", "another user can be named")
        world.forget(sandbox)


def what_an_image_sets_holds(world):
    name = world.image(Env=["PATH=/bin", "HOME=/data", "USER=service"])
    shown = ["/bin/sh", "-c", "echo $HOME $USER $SHELL"]
    wanted = "/data service /bin/sh\n"
    expect(world.run("run", "-q", "--template", name, "--", *shown) == wanted, "by cay run")
    expect(world.run("run", "-q", "--template", name, "-e", "HOME=/mine", "--", *shown) == "/mine service /bin/sh\n", "the caller comes first")
    sandbox = world.create(name)
    expect(world.execute(sandbox, shown)[1]["stdout"] == wanted, "under a server")
    if world.uid == 0:
        expect(world.execute(sandbox, shown, user="www")[1]["stdout"] == wanted, "for every user")
    expect(world.execute(sandbox, shown, env={"HOME": "/mine"})[1]["stdout"] == "/mine service /bin/sh\n", "the caller comes first")
    world.forget(sandbox)


def an_images_process_starts_with_the_sandbox(world):
    name = world.image(Entrypoint=["/bin/sh", "-c", "echo serving $0 $1; exec sleep 1000"], Cmd=["one", "two"])
    idle = world.create(name)
    expect(idle["startup"] is None and idle["health"] is None, "only where it is asked for")
    world.forget(idle)
    sandbox = world.create(name, entrypoint=True)
    startup = sandbox["startup"]
    expect(startup["state"] == "running" and startup["process_id"] > 0 and startup["command"][-2:] == ["one", "two"], f"{startup}")
    eventually(lambda: world.output(sandbox, startup["process_id"]) == "serving one two\n", "nothing is written")
    listed = world.ask("GET", f"/api/sandboxes/{sandbox['id']}/processes")[1]["processes"]
    expect([(each["process_id"], each["tag"]) for each in listed] == [(startup["process_id"], "startup")], f"{listed}")
    # An ordinary user's sandbox cannot be stopped: its files are in memory.
    for verbs in ((("stop", "start"),) if world.uid == 0 else ()) + (("reset",),):
        for verb in verbs:
            now = world.act(sandbox, verb)
        expect(now["startup"]["state"] == "running" and now["startup"]["process_id"] > startup["process_id"], f"{verbs}: {now['startup']}")
        startup = now["startup"]
    world.forget(sandbox)
    other = world.create(name, cmd=["three", "four"])
    eventually(lambda: world.output(other, other["startup"]["process_id"]) == "serving three four\n", "nothing is written")
    world.forget(other)
    own = world.create(name, entrypoint=["/bin/sh", "-c", "exit 5"])
    end = world.ended(own)
    expect(end["exit_code"] == 5 and end["ended_at"] and world.look(own)["state"] == "running", f"{end}")
    world.forget(own)
    status, problem = world.ask("POST", "/api/sandboxes", {"entrypoint": True, "template": world.image()})
    expect(status == 422 and "nothing to start" in problem["detail"], f"{status}: {problem}")


def a_stop_sends_the_images_signal(world):
    if world.uid != 0:
        return
    script = "trap 'echo asked; exit 3' USR1; echo ready; while :; do sleep 0.1; done"
    sandbox = world.create(world.image(Entrypoint=["/bin/sh", "-c", script], StopSignal="SIGUSR1"), entrypoint=True)
    expect(sandbox["startup"]["stop_signal"] == "SIGUSR1", f"{sandbox['startup']}")
    eventually(lambda: world.output(sandbox, sandbox["startup"]["process_id"]) == "ready\n", "it is not ready")
    stopped = world.act(sandbox, "stop")
    expect(stopped["state"] == "stopped" and stopped["startup"]["state"] == "exited" and stopped["startup"]["exit_code"] == 3, f"{stopped}")
    world.forget(sandbox)
    deaf = world.create(world.image(Entrypoint=["/bin/sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1; done"]), entrypoint=True)
    eventually(lambda: world.output(deaf, deaf["startup"]["process_id"]) == "ready\n", "it is not ready")
    stopped = world.act(deaf, "stop")
    expect(stopped["startup"]["state"] == "lost", f"it is ended when its grace is over: {stopped}")
    world.forget(deaf)


def an_images_test_is_run(world):
    name = world.image(Entrypoint=["/bin/sleep", "1000"], Healthcheck={"Test": ["CMD-SHELL", "cat /tmp/well && id -u"], "Interval": SECOND, "Retries": 2})
    sandbox = world.create(name, entrypoint=True)
    expect(sandbox["health"]["status"] == "starting", f"{sandbox['health']}")
    ill = eventually(lambda: (now := world.look(sandbox)["health"])["status"] == "unhealthy" and now, "it does not become unhealthy")
    expect(ill["failing_streak"] >= 2 and ill["log"][-1]["exit_code"] == 1 and "/tmp/well" in ill["log"][-1]["output"], f"{ill}")
    world.execute(sandbox, ["/bin/sh", "-c", "echo fine > /tmp/well"])
    well = eventually(lambda: (now := world.look(sandbox)["health"])["status"] == "healthy" and now, "it does not become healthy")
    expect(well["failing_streak"] == 0 and well["log"][-1]["output"].startswith("fine\n"), f"{well}")
    listed = world.ask("GET", f"/api/sandboxes/{sandbox['id']}/processes")[1]["processes"]
    expect(len(listed) == 2, f"tests are nobody's processes: {listed}")
    events = world.ask("GET", f"/api/events?wait=false&sandbox={sandbox['id']}")[1]["events"]
    told = [event["reason"] for event in events if event["type"] == "sandbox.health"]
    expect(told == ["unhealthy", "healthy"], f"{told}")
    world.forget(sandbox)


def another_server_takes_it_over(world):
    sandbox = world.create(world.image(Entrypoint=["/bin/sleep", "1000"], Healthcheck={"Test": ["CMD", "test", "-d", "/bin"], "Interval": SECOND}), entrypoint=True)
    world.stop(signal.SIGKILL)
    world.start()
    now = world.look(sandbox)
    expect(now["startup"]["state"] == "running" and now["startup"]["process_id"] == sandbox["startup"]["process_id"], f"{now['startup']}")
    count = world.execute(sandbox, ["/bin/sh", "-c", "cat /proc/[0-9]*/cmdline | head -c 4096"])[1]["stdout"].count("sleep")
    expect(count <= 2, f"it runs once: {count}")
    eventually(lambda: world.look(sandbox)["health"]["status"] == "healthy", "it is not tested")
    if world.uid == 0:
        expect(world.act(sandbox, "stop")["startup"]["signal"] == "SIGTERM", "it is asked to end")
    world.forget(sandbox)


def templates_say_what_images_say(world):
    name = world.image(Entrypoint=["/entry"], Cmd=["serve"], Volumes={"/data": {}}, ExposedPorts={"8080/tcp": {}, "53/udp": {}})
    shown = world.ask("GET", f"/api/templates/{name}")[1]
    expect(shown["entrypoint"] == ["/entry"] and shown["cmd"] == ["serve"] and shown["volumes"] == ["/data"], f"{shown}")
    expect(sorted(shown["exposed_ports"]) == ["53/udp", "8080/tcp"], f"{shown}")
    text = world.run("template", "inspect", name)
    expect("volume      /data" in text and "exposes     8080/tcp" in text, text)


def the_commands_do_it_too(world):
    name = world.image(Entrypoint=["/bin/echo", "before"], Cmd=["after"])
    environment = {**world.environment, "CAY_URL": world.url}
    del environment["CAY_STATE_DIR"]

    def cay(*arguments):
        done = subprocess.run(as_user(world.uid, [world.cay, *arguments]), env=environment, capture_output=True, text=True, timeout=60)
        return done.returncode, done.stdout, done.stderr

    for arguments, wanted in (((name, "--use-entrypoint"), "before after\n"), ((name, "--use-entrypoint", "--", "mine"), "before mine\n"),
                              (("--entrypoint", "/bin/echo", name, "--", "mine"), "mine\n"), ((name, "--", "/bin/echo", "-n", "x"), "x")):
        code, out, error = cay("create", "-q", *arguments)
        expect(code == 0, error)
        sandbox = {"id": out.strip()}
        process = world.ended(sandbox)["process_id"]
        expect(world.output(sandbox, process) == wanted, f"{arguments}: {world.output(sandbox, process)}")
        world.forget(sandbox)
    code, out, error = cay("create", name, "extra")
    expect(code != 0 and "one argument too many" in error, error)
    code, out, error = cay("create", "--entrypoint", "/no/such/program", name)
    expect(code == 0 and "could not be started" in error, error)
    world.forget({"id": out.strip()})


CHECKS = (a_directory_that_is_not_there_is_made, users_are_as_in_docker, a_name_that_is_not_there_is_said, what_an_image_sets_holds,
          an_images_process_starts_with_the_sandbox, a_stop_sends_the_images_signal, an_images_test_is_run, another_server_takes_it_over,
          templates_say_what_images_say, the_commands_do_it_too)


def main():
    options = options_where_there_are()
    failed = 0
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        for uid in USERS:
            served = Served(options.cay, uid, directory)
            try:
                failed += try_checks(CHECKS, served, options.only, f", as uid {uid}")
            finally:
                served.stop()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
