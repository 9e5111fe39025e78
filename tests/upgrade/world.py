"""What an upgrade must not lose: made on one server, looked for on the next.

    world = World(server)
    world.prepare()
    server.start()
    world.make()          # with the older program
    world.check()         # with the newer one, on the same state directory
    world.end()           # what it made is destroyed again
"""

import subprocess
import time

from server import expect

LIMITS = {"memory_limit": "64m", "disk_limit": "64m", "timeout": "3h", "idle_timeout": "3h"}
# Every option of a sandbox that is not the server's business only.
FULL = dict(LIMITS, name="full", project_name="books", cpu_limit="0.5", pids_limit=64, on_timeout="stop",
            env={"COLOUR": "green"}, metadata={"team": "a"}, user="1000", workdir="/tmp", hostname="box", noexec=True,
            tmpfs=[{"target": "/scratch", "size": "1m"}])


class World:
    def __init__(self, server):
        self.server = server
        self.ids = {}  # name -> id
        self.process = None  # of "live": reads its standard input
        self.counter = None  # of "live": writes a line now and then

    def prepare(self):
        """Before the server starts: an administrator's key. From then on every request needs one."""
        made = subprocess.run(
            [self.server.cay, "keys", "create", "--local", "--scope", "admin", "--state-dir", self.server.state_dir, "ops"],
            check=True, stdout=subprocess.PIPE, text=True)
        self.server.key = next(word for word in made.stdout.split() if word.startswith("cay_"))

    def make(self):
        self.upload()
        for spec in (dict(LIMITS, name="live"), dict(LIMITS, name="still"), dict(LIMITS, name="off"), FULL):
            self.ids[spec["name"]] = self.answer(201, "POST", "/api/sandboxes", spec, self.key_of(spec["name"]))["id"]
        for name in ("live", "off", "still"):
            self.put(name, "kept.txt", f"content of {name}")
        self.process = self.background(["cat"], True)
        self.counter = self.background(["sh", "-c", "i=0; while :; do echo line $i; i=$((i+1)); sleep 0.05; done"], False)
        self.answer(200, "POST", "/api/sandboxes/still/pause")
        self.answer(200, "POST", "/api/sandboxes/off/stop")
        self.answer(201, "POST", "/api/webhooks", {"url": "https://1.1.1.1/hook", "events": ["server.lost"]})

    @staticmethod
    def key_of(name):
        return {"Idempotency-Key": f"world-{name}"}

    def answer(self, expected, method, path, value=None, headers=None):
        status, body = self.server.api(method, path, value, headers)
        expect(status == expected, f"{method} {path}: {status} {body}")
        return body

    def upload(self):
        body = ("--world\r\nContent-Disposition: form-data; name=\"file\"; filename=\"book.txt\"\r\n"
                "Content-Type: text/plain\r\n\r\nonce upon a time\r\n--world--\r\n").encode()
        status, _, answer = self.server.raw("POST", "/files/upload/books", body,
                                            {"Content-Type": "multipart/form-data; boundary=world"})
        expect(status in (200, 201), f"upload: {status} {answer!r}")

    def put(self, name, path, text):
        status, _, body = self.server.raw(
            "PUT", f"/api/sandboxes/{name}/files?path=/workspace/agent_workspace/{path}", text.encode())
        expect(status == 201, f"PUT {path}: {status} {body!r}")

    def read(self, name, path):
        status, _, body = self.server.raw("GET", f"/api/sandboxes/{name}/files?path=/workspace/agent_workspace/{path}")
        expect(status == 200, f"GET {path} of {name}: {status} {body!r}")
        return body.decode()

    def background(self, command, stdin):
        made = self.answer(201, "POST", "/api/sandboxes/live/processes",
                           {"command": command, "stdin": stdin, "timeout": "3h", "tag": command[0]})
        return made["process_id"]

    def run(self, name, command, **more):
        return self.answer(200, "POST", f"/api/sandboxes/{name}/execute", dict(more, command=command))

    # ------------------------------------------------------------------------------------------

    def check(self):
        self.check_list()
        self.check_idempotency()
        self.check_processes()
        self.check_files()
        self.check_work()

    def check_list(self):
        states = {"live": "running", "full": "running", "still": "paused", "off": "stopped"}
        for name, state in states.items():
            view = self.answer(200, "GET", f"/api/sandboxes/{name}")
            expect(view["id"] == self.ids[name], f"{name} is another sandbox: {view}")
            expect(view["state"] == state, f"{name} is {view['state']} ({view.get('reason')}), not {state}")
        view = self.answer(200, "GET", "/api/sandboxes/full")
        for field, value in (("metadata", FULL["metadata"]), ("env", FULL["env"])):
            expect(view.get(field) == value, f"{field} of full: {view.get(field)}, not {value}")
        expect(len(self.answer(200, "GET", "/api/webhooks")["webhooks"]) == 1, "the webhook is gone")

    def check_idempotency(self):
        for spec in (dict(LIMITS, name="live"), FULL):
            again = self.server.api("POST", "/api/sandboxes", spec, self.key_of(spec["name"]))
            expect(again[0] in (200, 201), f"the idempotency key of {spec['name']}: {again}")
            expect(again[1]["id"] == self.ids[spec["name"]], f"the key of {spec['name']} made another: {again}")

    def check_processes(self):
        for process in (self.process, self.counter):
            one = self.answer(200, "GET", f"/api/sandboxes/live/processes/{process}")
            expect(one["state"] == "running", f"process {process}: {one}")
        status, _, output = self.server.raw("GET", f"/api/sandboxes/live/processes/{self.counter}/output?follow=false")
        expect(status == 200 and b"line 0" in output, f"the output from before: {status} {output[:200]!r}")

    def check_files(self):
        expect(self.read("live", "kept.txt") == "content of live", "the file of live")
        self.answer(200, "POST", "/api/sandboxes/still/resume")
        expect(self.read("still", "kept.txt") == "content of still", "the file of still")
        self.answer(200, "POST", "/api/sandboxes/off/start")
        expect(self.read("off", "kept.txt") == "content of off", "the file of off")
        listing = self.run("full", ["sh", "-c", "cat /workspace/project_files/*; echo $COLOUR; pwd; id -u; hostname"])
        expect(listing["stdout"] == "once upon a timegreen\n/tmp\n1000\nbox\n", f"full: {listing}")

    def check_work(self):
        for name in self.ids:
            result = self.run(name, ["sh", "-c", "echo hello; exit 3"])
            expect(result["stdout"] == "hello\n" and result["exit_code"] == 3, f"{name}: {result}")
        self.put("live", "new.txt", "new")
        expect(self.read("live", "new.txt") == "new", "a new file")
        path = f"/api/sandboxes/live/processes/{self.process}"
        status, _, body = self.server.raw("POST", f"{path}/stdin?close=true", b"to the old process")
        expect(status in (200, 204), f"stdin of the old process: {status} {body!r}")
        ended = self.answer(200, "GET", f"{path}/wait?timeout=30s")
        expect(ended["state"] == "exited" and ended["exit_code"] == 0, f"the old process: {ended}")
        self.answer(200, "POST", "/api/sandboxes/live/reset")
        self.answer(200, "POST", "/api/sandboxes/live/stop")
        self.answer(200, "POST", "/api/sandboxes/live/start")
        expect(self.run("live", ["echo", "again"])["stdout"] == "again\n", "live, started again")

    def end(self):
        for name in self.ids:
            self.answer(204, "DELETE", f"/api/sandboxes/{name}")
        deadline = time.monotonic() + 20
        while self.answer(200, "GET", "/api/sandboxes")["sandboxes"]:
            expect(time.monotonic() < deadline, "sandboxes that were destroyed are listed")
            time.sleep(0.05)
