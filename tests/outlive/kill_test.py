#!/usr/bin/env python3
"""Kills the server with SIGKILL at random instants while it creates, executes and stores, starts it
again, and looks for what it had acknowledged. See --help; the last line says how it went.
"""

import argparse
import hashlib
import json
import os
import random
import shutil
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from server import Broken, Machine, NoAnswer, Server, expect, parse_events  # noqa: E402

LINES = 150  # of a background command
LIMITS = {"memory_limit": "64m", "disk_limit": "64m", "timeout": "1h", "idle_timeout": "1h"}


class Round:
    """What was acknowledged between two deaths, and the threads that ask for it."""

    def __init__(self, server, number, home):
        self.server = server
        self.number = number
        self.home = home  # the id of a sandbox that outlives every round
        self.created = {}  # idempotency key -> id
        self.unsure_created = []  # keys whose answer did not come
        self.destroyed = set()
        self.unsure_destroyed = set()
        self.files = {}  # path in the home sandbox -> sha256
        self.uploads = {}  # file id -> sha256
        self.executions = {}  # process id -> what it printed
        self.background = []  # process ids
        self.failures = []

    def run_until_death(self, seconds):
        actions = (self.create_and_destroy, self.execute, self.put_files, self.upload, self.start_background)
        threads = [threading.Thread(target=self.repeat, args=(action,)) for action in actions]
        for thread in threads:
            thread.start()
        time.sleep(seconds)
        self.server.kill()
        for thread in threads:
            thread.join()
        if self.failures:
            raise Broken("; ".join(self.failures))

    def repeat(self, action):
        count = 0
        try:
            while True:
                action(count)
                count += 1
        except NoAnswer:
            pass  # the server is dead
        except Exception as error:  # noqa: BLE001 - a thread's error is the round's
            self.failures.append(f"{action.__name__}: {error!r}")

    def answer(self, expected, method, path, value=None, headers=None):
        status, body = self.server.api(method, path, value, headers)
        if status != expected:
            raise RuntimeError(f"{method} {path}: {status} {body}")
        return body

    def create_and_destroy(self, count):
        key = f"round-{self.number}-{count}"
        try:
            made = self.answer(201, "POST", "/api/sandboxes", dict(LIMITS, name=key), {"Idempotency-Key": key})
        except NoAnswer:
            self.unsure_created.append(key)
            raise
        self.created[key] = made["id"]
        if count % 2:
            try:
                self.answer(204, "DELETE", f"/api/sandboxes/{made['id']}")
            except NoAnswer:
                self.unsure_destroyed.add(made["id"])
                raise
            self.destroyed.add(made["id"])

    def execute(self, count):
        text = f"round {self.number} execution {count}"
        result = self.answer(200, "POST", f"/api/sandboxes/{self.home}/execute", {"command": ["echo", text]})
        expect(result["stdout"] == text + "\n" and result["exit_code"] == 0, f"wrong result: {result}")
        self.executions[result["process_id"]] = text

    def put_files(self, count):
        content = random.Random(f"{self.number}/{count}").randbytes(1 + count * 7919 % 300_000)
        path = f"/workspace/agent_workspace/f{count % 20}"
        self.files.pop(path, None)  # while it is replaced it may be either
        status, _, body = self.server.raw("PUT", f"/api/sandboxes/{self.home}/files?path={path}", content)
        if status != 201:
            raise RuntimeError(f"PUT {path}: {status} {body!r}")
        self.files[path] = hashlib.sha256(content).hexdigest()

    def upload(self, count):
        content = random.Random(f"upload {self.number}/{count}").randbytes(1 + count * 104729 % 200_000)
        boundary = "outlive-boundary"
        body = (f"--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"r{self.number}-{count}.bin\"\r\n"
                "Content-Type: application/octet-stream\r\n\r\n").encode() + content + f"\r\n--{boundary}--\r\n".encode()
        status, _, answer = self.server.raw("POST", "/files/upload/outlive", body,
                                            {"Content-Type": f"multipart/form-data; boundary={boundary}"})
        if status not in (200, 201):
            raise RuntimeError(f"upload: {status} {answer!r}")
        made = json.loads(answer)
        self.uploads[made.get("file_id") or made["files"][0]["file_id"]] = hashlib.sha256(content).hexdigest()

    def start_background(self, count):
        if count >= 3:
            time.sleep(0.05)
            self.answer(200, "GET", f"/api/sandboxes/{self.home}")
            return
        script = f"i=1; while [ $i -le {LINES} ]; do echo line $i; i=$((i+1)); sleep 0.01; done"
        made = self.answer(201, "POST", f"/api/sandboxes/{self.home}/processes", {"command": script, "timeout": "10m"})
        self.background.append(made["process_id"])

    def check(self):
        """After the restart."""
        self.check_sandboxes()
        for path, digest in self.files.items():
            status, _, content = self.server.raw("GET", f"/api/sandboxes/{self.home}/files?path={path}")
            expect(status == 200 and hashlib.sha256(content).hexdigest() == digest, f"{path}: {status}")
        for file_id, digest in self.uploads.items():
            status, _, content = self.server.raw("GET", f"/files/{file_id}/download")
            expect(status == 200 and hashlib.sha256(content).hexdigest() == digest, f"project file {file_id}: {status}")
        for process in list(self.executions)[-50:]:
            record = self.answer(200, "GET", f"/api/sandboxes/{self.home}/processes/{process}")
            expect(record["state"] == "exited" and record["exit_code"] == 0, f"execution {process}: {record}")
        for process in self.background:
            self.check_background(process)

    def check_sandboxes(self):
        for key, sandbox in self.created.items():
            status, body = self.server.api("GET", f"/api/sandboxes/{sandbox}")
            if sandbox in self.destroyed:
                expect(status == 404, f"{sandbox} was destroyed and is {status} {body}")
            elif sandbox not in self.unsure_destroyed:
                expect(status == 200 and body["state"] == "running", f"{sandbox} was made and is {status} {body}")
                status, body = self.server.api("POST", f"/api/sandboxes/{sandbox}/execute", {"command": ["true"]})
                expect(status == 200 and body["exit_code"] == 0, f"{sandbox} does not work: {status} {body}")
        for key in self.unsure_created:  # asked again, it is made once
            made = self.answer(201, "POST", "/api/sandboxes", dict(LIMITS, name=key), {"Idempotency-Key": key})
            self.created[key] = made["id"]
            again = self.answer(201, "POST", "/api/sandboxes", dict(LIMITS, name=key), {"Idempotency-Key": key})
            expect(again["id"] == made["id"], f"the key {key} made two sandboxes")

    def check_background(self, process):
        deadline = time.monotonic() + 60
        while True:
            record = self.answer(200, "GET", f"/api/sandboxes/{self.home}/processes/{process}")
            if record["state"] != "running":
                break
            expect(time.monotonic() < deadline, f"background {process} never ends: {record}")
            time.sleep(0.05)
        expect(record["state"] == "exited" and record["exit_code"] == 0, f"background {process}: {record}")
        status, _, text = self.server.raw("GET", f"/api/sandboxes/{self.home}/processes/{process}/output?from=0")
        expect(status == 200, f"the output of background {process}: {status} {text!r} {record}")
        events = parse_events(text.decode())
        output = "".join(data.get("text", "") for name, data in events if name == "stdout")
        expect(output == "".join(f"line {i}\n" for i in range(1, LINES + 1)), f"background {process}: output {output[-200:]!r}")
        expect([name for name, _ in events][-1] == "exited", f"background {process}: no terminal event")

    def clean(self):
        for sandbox in set(self.created.values()) - self.destroyed:
            status, body = self.server.api("DELETE", f"/api/sandboxes/{sandbox}")
            expect(status in (204, 404), f"DELETE {sandbox}: {status} {body}")
        for file_id in self.uploads:
            self.answer(200, "DELETE", f"/files/{file_id}")


def run(options, state_dir):
    source = random.Random(options.seed)
    machine = Machine(state_dir)
    server = Server(options.cay, state_dir)
    server.start()
    status, home = server.api("POST", "/api/sandboxes", {"name": "home", "timeout": "23h", "idle_timeout": "23h"})
    expect(status == 201, f"home: {status} {home}")
    machine.ids.add(home["id"])
    acknowledged = 0
    for number in range(options.rounds):
        attempt = Round(server, number, home["id"])
        attempt.run_until_death(source.uniform(0.0, options.seconds))
        server.start()
        attempt.check()
        attempt.clean()
        machine.ids.update(attempt.created.values())
        count = sum(map(len, (attempt.created, attempt.destroyed, attempt.files, attempt.uploads,
                              attempt.executions, attempt.background)))
        acknowledged += count
        if options.verbose:
            print(f"round {number + 1}: {count} acknowledged, all there", flush=True)
    listed = server.api("GET", "/api/sandboxes")[1]["sandboxes"]
    expect([one["id"] for one in listed] == [home["id"]], f"sandboxes that nobody made: {listed}")
    status, _ = server.api("DELETE", f"/api/sandboxes/{home['id']}")
    expect(status == 204, f"DELETE home: {status}")
    expect(server.stop() == 0, f"the server's end:\n{server.log_end()}")
    left = machine.left()
    expect(not left, f"left behind: {left}")
    return acknowledged


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cay", required=True, help="the program")
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=1.0, help="the longest life of a server")
    parser.add_argument("--seed", type=int, default=None, help="printed when it fails")
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    if options.seed is None:
        options.seed = random.SystemRandom().randrange(1 << 32)
    state_dir = tempfile.mkdtemp(prefix="cay-outlive-")
    os.chmod(state_dir, 0o711)
    try:
        acknowledged = run(options, state_dir)
    except (Broken, RuntimeError) as error:
        print(f"seed {options.seed}: {error}\nthe state is in {state_dir}", file=sys.stderr)
        return 1
    shutil.rmtree(state_dir)
    print(f"{options.rounds} of {options.rounds} rounds: {acknowledged} acknowledged, none lost, nothing left behind")
    return 0


if __name__ == "__main__":
    sys.exit(main())
