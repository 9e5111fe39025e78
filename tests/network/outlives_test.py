#!/usr/bin/env python3
"""Networks of a server's sandboxes while one after the other of the programs that serve them is killed: what is open
goes on, what is allowed is reached, and what is denied is not let through at any moment: inside, something tries it all
the time. As root and as an ordinary user. Exits with 77 where the test's internet cannot be made."""

import contextlib
import hashlib
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(HERE, "..", "outlive"))
from processes import is_gone, name_of, parent_of, processes  # noqa: E402
from sandboxes import as_user, checks_of, expect, run_checks  # noqa: E402
from checks import eventually  # noqa: E402
from server import Server  # noqa: E402

SIZE = 8_000_000
RATE = 1_500_000  # of bytes a second: a download takes some seconds
RULES = ["allowed.test:80", "allowed.test:2222"]

# Each line: when it began, whether it was "allowed" or "denied" to connect, and whether a byte came of it.
LOOP = """
import socket, sys, time
targets = [("allowed", ("allowed.test", 2222)), ("denied", ("hidden.test", 2222)), ("denied", ("93.184.0.11", 2222)),
           ("denied", ("93.184.0.10", 2222)), ("denied", ("10.1.2.3", 2222)), ("denied", ("169.254.169.254", 80)),
           ("denied", ("allowed.test", 2223))]
with open("/tmp/loop.log", "w", buffering=1) as log:
    while True:
        for kind, target in targets:
            began = time.time()
            try:
                with socket.create_connection(target, 5) as tried:
                    tried.settimeout(5)
                    said = tried.recv(10)
            except OSError:
                said = b""
            log.write(f"{began:.3f} {time.time() - began:.3f} {kind} {'out' if said else 'kept'}\\n")
        time.sleep(0.05)
"""


def relays():
    """Those in the test's own network namespace."""
    here = os.readlink("/proc/self/ns/net")
    found = []
    for pid in processes():
        with contextlib.suppress(OSError):
            if name_of(pid) == "cay-net" and os.readlink(f"/proc/{pid}/ns/net") == here and not is_gone(pid):
                found.append(pid)
    return found


class UsersServer(Server):
    """`cay serve` by that user."""

    def __init__(self, sandboxes, state, arguments):
        super().__init__(sandboxes.cay, state, arguments)
        self.uid = sandboxes.uid
        self.environment = {**sandboxes.environment, "CAY_STATE_DIR": state}

    def launch(self):
        command = [self.cay, "serve", "--listen", f"127.0.0.1:{self.port}", "--state-dir", self.state_dir] + self.arguments
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(as_user(self.uid, command), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env=self.environment)


class World:
    """A server, and what is asked of it."""

    def __init__(self, sandboxes, net, arguments=()):
        self.state = os.path.join(net.directory, f"outlives-{sandboxes.uid}")
        os.makedirs(self.state)
        os.chown(self.state, sandboxes.uid, sandboxes.uid)
        self.server = UsersServer(sandboxes, self.state, ["--set", f"network.resolver={net.RESOLVER}:53", *arguments])
        self.ids = []

    def __enter__(self):
        self.server.start()
        return self

    def __exit__(self, *_):
        with contextlib.suppress(Exception):
            if self.server.process.poll() is not None:
                self.server.start()
            for sandbox in self.ids:
                self.server.api("DELETE", f"/api/sandboxes/{sandbox}")
            self.server.stop()
        with contextlib.suppress(ProcessLookupError):
            self.server.kill()
        for pid in relays():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        shutil.rmtree(self.state, ignore_errors=True)

    def ask(self, method, path, value=None):
        status, body = self.server.api(method, path, value)
        expect(status < 300, f"{method} {path}: {status} {body}")
        return body

    def create(self, rules=RULES, **more):
        network = {"allow": rules, "limits": {"bytes_per_second": RATE}, **more.pop("network", {})}
        made = self.ask("POST", "/api/sandboxes", {"network": network, "timeout": "1h", "idle_timeout": "1h", **more})
        self.ids.append(made["id"])
        return made["id"]

    def begin(self, sandbox, command):
        return self.ask("POST", f"/api/sandboxes/{sandbox}/processes", {"command": command, "timeout": "10m"})["process_id"]

    def say(self, sandbox, command):
        """What it writes."""
        return self.ask("POST", f"/api/sandboxes/{sandbox}/execute", {"command": command, "timeout": "30s"})["stdout"]

    def begin_loop(self, sandbox):
        self.begin(sandbox, ["python3", "-c", LOOP])
        eventually(lambda: {"allowed out", "denied kept"} <= {f"{line[2]} {line[3]}" for line in self.loop(sandbox)}, "the loop's first round")

    def loop(self, sandbox, since=0.0, until=float("inf")):
        """Its lines: when, how long, which, what."""
        read = self.say(sandbox, "cat /tmp/loop.log 2>/dev/null || true")
        lines = [line.split() for line in read.splitlines()]
        return [line for line in lines if len(line) == 4 and since <= float(line[0]) <= until]

    def begin_download(self, sandbox, url="http://allowed.test/large"):
        self.begin(sandbox, f"curl -sS -o /tmp/got {url}; echo $? > /tmp/code")
        eventually(lambda: int(self.say(sandbox, "stat -c %s /tmp/got 2>/dev/null || echo 0")) > 0, "the first byte")

    def expect_loading(self, sandbox):
        expect(self.is_loading(sandbox), f"the download was over: {self.say(sandbox, 'cat /tmp/code; wc -c /tmp/got')}\n{self.server.log_end()}")

    def is_loading(self, sandbox):
        return not self.say(sandbox, "cat /tmp/code 2>/dev/null || true").strip()

    def end_download(self, sandbox):
        """curl's exit code, and the digest of what it got."""
        eventually(lambda: not self.is_loading(sandbox), "the download's end")
        said = self.say(sandbox, "cat /tmp/code; sha256sum < /tmp/got").split()
        return int(said[0]), said[1]

    def expect_whole(self, sandbox):
        code, digest = self.end_download(sandbox)
        expect((code, digest) == (0, DIGEST), f"the download ended with {code}, {digest}\n{self.server.log_end()}")

    def expect_cut(self, sandbox):
        expect(self.is_loading(sandbox) or self.end_download(sandbox)[0] != 0, "the download was over before it could be cut")
        code, _ = self.end_download(sandbox)
        expect(code != 0, "the download went on")

    def expect_kept(self, sandbox):
        out = [line for line in self.loop(sandbox) if line[2] == "denied" and line[3] == "out"]
        expect(not out, f"let through: {out}")

    def flows(self, sandbox):
        return self.ask("GET", f"/api/sandboxes/{sandbox}/flows?limit=512")["flows"]

    def network(self, sandbox):
        return self.ask("GET", f"/api/sandboxes/{sandbox}/network")

    def outage(self, seconds=1.5, end=None, meanwhile=None):
        """The server is killed, and started again after that time: when it was away."""
        (end or self.server.kill)()
        began = time.time()
        if meanwhile is not None:
            meanwhile()
        time.sleep(seconds)
        ended = time.time()
        self.server.start()
        return began, ended

    def guest_of(self, sandbox):
        """The process that listens at the guest's socket."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as guest:
            directory = os.open(os.path.join(self.state, "sandboxes", sandbox), os.O_PATH)
            guest.connect(f"/proc/self/fd/{directory}/guest.sock")
            os.close(directory)
            return struct.unpack("3i", guest.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]


def expect_served(world, sandbox, began, ended):
    """What was allowed was reached all the time, and nothing else."""
    lines = world.loop(sandbox, began, ended)
    reached = [line for line in lines if line[2] == "allowed"]
    tried = [line for line in lines if line[2] == "denied"]
    expect(len(reached) >= 2 and all(line[3] == "out" for line in reached), f"while the server was away: {lines}")
    expect(len(tried) >= 6, f"while the server was away: {lines}")
    world.expect_kept(sandbox)


def expect_told(world, sandbox, before, began, ended):
    """Those of before and those of the outage, each once; no number means another flow than it did."""
    flows = world.flows(sandbox)
    numbers = [flow.pop("number") for flow in flows]
    expect(numbers == sorted(set(numbers)), f"numbers of flows: {numbers}")
    expect(numbers[0] > max(flow["number"] for flow in before), f"numbers are used again: {numbers}")
    # A program may be refused the same twice within a millisecond: then there are more that are alike than were told.
    known = [{name: value for name, value in flow.items() if name != "number"} for flow in before]
    for told in known:
        more = flows.count(told) - known.count(told)
        expect(more >= 0 and (more == 0 or told["verdict"] != "allowed"), f"{more} more than were told before: {told}")
    stamp = "%Y-%m-%dT%H:%M:%S"
    first, last = (time.strftime(stamp, time.gmtime(moment)) for moment in (began, ended))
    meanwhile = [flow for flow in flows if first <= flow["time"] <= last]
    verdicts = {flow["verdict"] for flow in meanwhile}
    expect({"allowed", "denied"} <= verdicts, f"flows of the outage, {first} to {last}: {flows[-20:]}")


def check_server_killed(sandboxes, net):
    with World(sandboxes, net) as world:
        sandbox = world.create()
        world.begin_loop(sandbox)
        before = world.flows(sandbox)
        old = relays()
        expect(len(old) == 1, f"relays: {old}")
        world.begin_download(sandbox)
        began, ended = world.outage()
        world.expect_loading(sandbox)
        expect(world.network(sandbox)["state"] == "open", "the network is not open")
        world.outage(seconds=0.2)
        expect(relays() == old, f"relays: {old}, and then {relays()}")
        expect_served(world, sandbox, began, ended)
        expect_told(world, sandbox, before, began, ended)
        world.expect_whole(sandbox)
        denied = [event for event in world.ask("GET", f"/api/sandboxes/{sandbox}/events?wait=false&limit=1000")["events"]
                  if event["type"] == "sandbox.network_denied"]
        expect(denied, "no event tells of what was denied")
        world.expect_kept(sandbox)


def check_server_stopped(sandboxes, net):
    with World(sandboxes, net) as world:
        sandbox = world.create()
        world.begin_loop(sandbox)
        world.begin_download(sandbox)
        old = relays()
        began, ended = world.outage(end=world.server.stop)
        expect(relays() == old, f"relays: {old}, and then {relays()}")
        expect_served(world, sandbox, began, ended)
        world.expect_whole(sandbox)


def check_change_after_restart(sandboxes, net):
    with World(sandboxes, net) as world:
        sandbox = world.create()
        world.begin_loop(sandbox)
        world.begin_download(sandbox)
        world.outage(seconds=0.3)
        world.ask("PATCH", f"/api/sandboxes/{sandbox}", {"network": {"allow": ["allowed.test:2222"]}})
        world.expect_cut(sandbox)
        expect(any(flow["port"] == 80 and flow["verdict"] == "denied" for flow in world.flows(sandbox)), "the cut is not told")
        world.expect_kept(sandbox)


def check_administrator_denies(sandboxes, net):
    with World(sandboxes, net) as world:
        sandbox = world.create()
        world.begin_loop(sandbox)
        world.begin_download(sandbox)
        old = relays()
        world.server.arguments += ["--set", "network.deny=allowed.test:80"]
        world.outage(seconds=0.3)
        world.expect_cut(sandbox)
        expect(relays() == old, "the relay was replaced")
        expect(world.say(sandbox, "curl -sS -m 5 http://allowed.test/hello || true") != "hello\n", "it is reached")
        moment = time.time()
        eventually(lambda: any(line[2] == "allowed" and line[3] == "out" for line in world.loop(sandbox, moment)), "what is allowed still")
        world.expect_kept(sandbox)


def check_relay_killed(sandboxes, net):
    with World(sandboxes, net) as world:
        sandbox = world.create()
        world.begin_loop(sandbox)
        world.begin_download(sandbox)
        old = relays()
        world.expect_loading(sandbox)
        os.kill(old[0], signal.SIGKILL)
        moment = time.time()
        eventually(lambda: not world.is_loading(sandbox), "the end of the download", 5)
        expect(world.end_download(sandbox)[0] != 0, "the download went on")
        eventually(lambda: any(line[2] == "allowed" and line[3] == "out" for line in world.loop(sandbox, moment)), "another relay serves")
        expect(len(relays()) == 1 and relays() != old, f"relays: {old}, and then {relays()}")
        world.expect_kept(sandbox)


# What a pool of connections does: it asks once, and goes on with the address.
KEEPER = """
import os, socket, sys, time
names = sys.argv[1:]
known = {name: socket.gethostbyname(name) for name in names}
never = "198.18.77.7"
with open("/tmp/known", "w") as file:
    file.write(" ".join(known.values()))
while True:
    found = []
    for name, address in [*known.items(), (names[0], never)]:
        try:
            with socket.create_connection((address, 80), 5) as tried:
                tried.settimeout(5)
                tried.sendall(f"GET /hello HTTP/1.0\\r\\nHost: {name}\\r\\n\\r\\n".encode())
                said = tried.makefile("rb").read()
        except OSError:
            said = b""
        found.append(said.split(b"\\r\\n\\r\\n")[-1].strip().decode() or "refused")
    with open("/tmp/reached.new", "w") as log:
        log.write(f"{time.time():.3f} {' '.join(found)}\\n")
    os.rename("/tmp/reached.new", "/tmp/reached")
    time.sleep(0.05)
"""


def begin_keeper(world, sandbox, names):
    world.begin(sandbox, ["python3", "-c", KEEPER, *names])
    eventually(lambda: reached(world, sandbox), "the addresses are used")


def reached(world, sandbox, since=0.0):
    """What was behind each of the addresses, in a round that began after that; and behind one that was never given."""
    said = world.say(sandbox, "cat /tmp/reached 2>/dev/null || true").split()
    return said[1:] if said and float(said[0]) > since + 0.05 else []


def kill_relay(world, sandbox):
    old = relays()
    os.kill(old[0], signal.SIGKILL)
    eventually(lambda: len(relays()) == 1 and relays() != old, "another relay")
    eventually(lambda: world.network(sandbox)["state"] == "open", "the network")
    return time.time()


def check_names_outlive_the_relay(sandboxes, net):
    """Of this server's, and of the one before; each address leads to its name, and others are given to new names."""
    with World(sandboxes, net) as world:
        sandbox = world.create(rules=["allowed.test:80", "also.test:80", "new.test:80"])
        begin_keeper(world, sandbox, ["allowed.test", "also.test"])
        good = ["hello", "also", "refused"]
        expect(reached(world, sandbox) == good, f"at first: {reached(world, sandbox)}")
        known = world.say(sandbox, "cat /tmp/known").split()
        for end in (lambda: None, lambda: None, lambda: world.outage(seconds=0.2)):
            end()
            moment = kill_relay(world, sandbox)
            new = world.say(sandbox, ["python3", "-c", "import socket; print(socket.gethostbyname('new.test'))"]).strip()
            expect(new.startswith("198.18.") and new not in known, f"{new} was given before: {known}")
            eventually(lambda moment=moment: reached(world, sandbox, moment) == good, f"the same names at {known}")
        world.ask("PATCH", f"/api/sandboxes/{sandbox}", {"network": {"allow": ["allowed.test:80"]}})
        moment = kill_relay(world, sandbox)
        eventually(lambda: reached(world, sandbox, moment)[:1] == ["hello"], "what is allowed still")
        expect(reached(world, sandbox, moment) == ["hello", "refused", "refused"], f"{reached(world, sandbox, moment)}")


def check_pinned_names_outlive_the_relay(sandboxes, net):
    """Real addresses, which are reached as the names that were answered with them."""
    with World(sandboxes, net) as world:
        sandbox = world.create(rules=["allowed.test:80"], network={"dns": "real"})
        begin_keeper(world, sandbox, ["allowed.test"])
        expect(reached(world, sandbox) == ["hello", "refused"], f"at first: {reached(world, sandbox)}")
        expect(world.say(sandbox, "cat /tmp/known") == net.SERVER, "the answer is not real")
        moment = kill_relay(world, sandbox)
        eventually(lambda: reached(world, sandbox, moment) == ["hello", "refused"], f"allowed.test at {net.SERVER}")


def check_relay_ended_while_away(sandboxes, net):
    """By who asks it to. Nothing is reached then, until there is a server again."""
    with World(sandboxes, net) as world:
        sandbox = world.create()
        world.begin_loop(sandbox)
        began, ended = world.outage(meanwhile=lambda: os.kill(relays()[0], signal.SIGTERM))
        lines = world.loop(sandbox, began + 0.5, ended)
        expect(len(lines) >= 6 and all(line[3] == "kept" for line in lines), f"without a relay: {lines}")
        eventually(lambda: any(line[2] == "allowed" and line[3] == "out" for line in world.loop(sandbox, ended)), "another relay serves")
        world.expect_kept(sandbox)


def check_launcher_killed(sandboxes, net):
    with World(sandboxes, net) as world:
        sandbox = world.create()
        world.begin_loop(sandbox)
        world.begin_download(sandbox)
        old = relays()
        moment = time.time()
        launchers = [pid for pid in processes() if parent_of(pid) == world.server.process.pid and name_of(pid) != "cay-net"]
        expect(launchers, "there is no launcher")
        for pid in launchers:
            os.kill(pid, signal.SIGKILL)
        eventually(lambda: all(is_gone(pid) for pid in launchers), "the launchers' end")
        world.expect_whole(sandbox)
        expect(relays() == old, f"relays: {old}, and then {relays()}")
        expect_served(world, sandbox, moment, time.time())
        expect(world.network(sandbox)["state"] == "open", "the network is not open")


def check_paused(sandboxes, net):
    with World(sandboxes, net) as world:
        sandbox = world.create()
        world.begin_loop(sandbox)
        world.begin_download(sandbox)
        status, body = world.server.api("POST", f"/api/sandboxes/{sandbox}/pause")
        if status >= 300:
            return f"sandboxes cannot be paused here: {body.get('detail')}"
        world.outage(seconds=1)
        expect(world.network(sandbox)["state"] == "open", "the network is not open")
        world.ask("POST", f"/api/sandboxes/{sandbox}/resume")
        world.expect_whole(sandbox)
        world.expect_kept(sandbox)
        return None


def check_sandboxes_gone(sandboxes, net):
    """The relay goes with the last sandbox, whoever ends it."""
    with World(sandboxes, net) as world:
        one, two = world.create(), world.create()
        world.begin_loop(two)
        old = relays()
        guests = [world.guest_of(one), world.guest_of(two)]
        began, ended = world.outage(meanwhile=lambda: os.kill(guests[0], signal.SIGKILL))
        expect(world.ask("GET", f"/api/sandboxes/{one}")["state"] == "failed", "its end was not noticed")
        expect_served(world, two, began, ended)
        expect(relays() == old, f"relays: {old}, and then {relays()}")
        world.server.kill()
        os.kill(guests[1], signal.SIGKILL)
        eventually(lambda: not relays(), "the relay's end", 10)
        world.server.start()


def check_state_directory_gone(sandboxes, net):
    with World(sandboxes, net) as world:
        sandbox = world.create()
        world.begin_loop(sandbox)
        world.server.kill()
        expect(len(relays()) == 1, "the relay ended with its server")
        shutil.rmtree(os.path.join(world.state, "relay"))
        eventually(lambda: not relays(), "the relay's end", 10)
        world.server.start()
        eventually(lambda: world.network(sandbox)["state"] == "open", "another relay")
        world.expect_kept(sandbox)


def check_relay_that_hangs(sandboxes, net):
    with World(sandboxes, net) as world:
        sandbox = world.create()
        world.begin_loop(sandbox)
        old = relays()
        world.outage(seconds=0, meanwhile=lambda: os.kill(old[0], signal.SIGSTOP))
        eventually(lambda: world.network(sandbox)["state"] == "open", "another relay")
        eventually(lambda: is_gone(old[0]), "the end of the one that hangs")
        expect(len(relays()) == 1, f"relays: {relays()}")
        expect("is replaced, and the connections of sandboxes break" in world.server.log_end(), f"it is not told: {world.server.log_end()}")
        world.expect_kept(sandbox)


OTHER_RELAY = """
import os, socket, sys
listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
directory = os.open(sys.argv[1], os.O_PATH)
os.unlink("socket", dir_fd=directory)
listener.bind(f"/proc/self/fd/{directory}/socket")
listener.listen(1)
print("ready", flush=True)
connection, _ = listener.accept()
connection.recv(1 << 17)
connection.send(bytes([64 + 9]) + b"what a relay of another version says")
sys.stdin.read()
"""


def check_relay_of_another_version(sandboxes, net):
    with World(sandboxes, net) as world:
        sandbox = world.create()
        world.begin_loop(sandbox)
        other = None

        def replace():
            nonlocal other
            os.kill(relays()[0], signal.SIGKILL)
            other = subprocess.Popen(as_user(sandboxes.uid, [sys.executable, "-c", OTHER_RELAY, os.path.join(world.state, "relay")]),
                                     stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            expect(other.stdout.readline() == "ready\n", "the other relay does not start")

        try:
            world.outage(seconds=0.2, meanwhile=replace)
            expect(other.wait(10) == -signal.SIGKILL, "it was not ended")
        finally:
            other.kill()
            other.wait()
        eventually(lambda: world.network(sandbox)["state"] == "open", "another relay")
        expect("is replaced" in world.server.log_end(), f"it is not told: {world.server.log_end()}")
        world.expect_kept(sandbox)


CONNECT = "import socket, sys; socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET).connect(sys.argv[1])"


def check_relay_has_no_rights(sandboxes, net):
    """And nobody else has it."""
    with World(sandboxes, net) as world:
        world.create()
        relay = relays()[0]
        with open(f"/proc/{relay}/status") as file:
            status = dict(re.findall(r"^(\w+):[ \t]*(.*)$", file.read(), re.MULTILINE))
        expect(int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0, f"capabilities: {status}")
        expect(status["NoNewPrivs"] == "1" and status["Seccomp"] == "2", f"not confined: {status}")
        expect(sandboxes.uid or status["Uid"].split() == ["2147418112"] * 4, f"whose it is: {status['Uid']}")
        expect(os.getsid(relay) == relay and os.readlink(f"/proc/{relay}/cwd") == "/", "it is where its server was")
        door = os.path.join(world.state, "relay", "socket")
        tried = subprocess.run(as_user(65533, [sys.executable, "-c", CONNECT, door]),
                               stderr=subprocess.PIPE, text=True)
        expect("PermissionError" in tried.stderr, f"another user reaches its socket: {tried.stderr}")


# Each line: how long it took to be refused.
ASK_PEER = """
import socket, time
with open("/tmp/peer.log", "w", buffering=1) as log:
    while True:
        began = time.time()
        try:
            with socket.create_connection(("db", 8000), 20) as tried:
                tried.settimeout(20)
                tried.sendall(b"GET /hello HTTP/1.0\\r\\n\\r\\n")
                said = tried.recv(10)
        except OSError:
            said = b""
        log.write(f"{began:.3f} {time.time() - began:.3f} {'reached' if said else 'refused'}\\n")
        time.sleep(0.1)
"""


def check_connections_into_sandboxes(sandboxes, net):
    """Of a peer's, and of a published port's: those that are there go on; new ones wait for a server, and say so."""
    with World(sandboxes, net) as world:
        db = world.create(name="db", network={"join": ["app"], "publish": ["0:8000"], "limits": {}})
        code = world.create(name="code", network={"join": ["app"]})
        world.begin(db, "cd /tmp && curl -sS -o large http://allowed.test/large && echo hello > hello && "
                        "exec python3 -m http.server --bind 127.0.0.1 8000")
        port = world.network(db)["publish"][0]["host_port"]
        eventually(lambda: world.say(code, "curl -sS -m 5 http://db:8000/hello || true") == "hello\n", "the peer's server")
        world.begin(code, ["python3", "-c", ASK_PEER])
        world.begin_download(code, "http://db:8000/large")
        digest = hashlib.sha256()
        answer = urllib.request.urlopen(f"http://127.0.0.1:{port}/large", timeout=60)

        def load_slowly():
            with answer:
                while got := answer.read(SIZE // 50):
                    digest.update(got)
                    time.sleep(0.08)

        loading = threading.Thread(target=load_slowly)
        loading.start()
        began, ended = world.outage()
        expect(world.is_loading(code) and loading.is_alive(), "the downloads were over too soon to say anything")
        world.expect_whole(code)
        loading.join()
        expect(digest.hexdigest() == DIGEST, "the download from the published port is not whole")
        asked = [line.split() for line in world.say(code, "cat /tmp/peer.log").splitlines()]
        away = [line for line in asked if began <= float(line[0]) <= ended - 0.2]
        expect(len(away) >= 3 and all(line[2] == "refused" and float(line[1]) < 2 for line in away), f"without a server: {away}")
        expect(any("server is not running" in flow["reason"] for flow in world.flows(code)), "it is not told why")
        eventually(lambda: world.say(code, "curl -sS -m 5 http://db:8000/hello || true") == "hello\n", "the peer's server, again")


DIGEST = ""


def prepare(net):
    global DIGEST
    net.names.update({"allowed.test": [net.SERVER], "also.test": [net.OTHER], "new.test": [net.SERVER], "hidden.test": [net.OTHER]})
    content = os.urandom(SIZE)
    DIGEST = hashlib.sha256(content).hexdigest()
    for name, text in (("large", content), ("hello", b"hello\n")):
        with open(os.path.join(net.site("allowed.test"), name), "wb") as file:
            file.write(text)
    with open(os.path.join(net.site("also.test"), "hello"), "wb") as file:
        file.write(b"also\n")


if __name__ == "__main__":
    sys.exit(run_checks(__doc__, checks_of(globals()), prepare))
