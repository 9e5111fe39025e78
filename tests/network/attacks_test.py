#!/usr/bin/env python3
"""What hostile code inside tries with a network that it has (intruder.py), and what must come of it. As root and as an
ordinary user. Exits with 77 where the test's internet cannot be made."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import internet  # noqa: E402
from processes import relays_of  # noqa: E402
from sandboxes import as_user, checks_of, describe, expect, run_checks  # noqa: E402
from checks import eventually  # noqa: E402

ALLOW = ["--allow", "allowed.test"]
INSIDE = ["--copy", f"{os.path.join(HERE, 'intruder.py')}:/tmp/intruder.py"]


def attack(sandboxes, name, network=ALLOW, **more):
    return sandboxes.run(network, f"python3 /tmp/intruder.py {name}", extra=INSIDE, **more)


def lines(result):
    return result["stdout"].splitlines()


def denials(result, reason):
    return sum(flow["times"] for flow in result.get("network_denied", []) if reason in flow["reason"])


def check_fronted_hellos(sandboxes, net):
    before = len(net.recorded())
    for name, reason in (("fronted", "hidden.test"), ("fronted_byte_by_byte", "hidden.test"), ("no_name", "no name"),
                         ("huge_hello", "cannot be read"), ("half_hello_and_end", "ended within")):
        result = attack(sandboxes, name)
        expect(lines(result) == ["reset"], f"{name} was not reset: {describe(result)}")
        expect(denials(result, reason) == 1, f"{name} was not told: {describe(result)}")
    result = attack(sandboxes, "late_hello")
    how, seconds = lines(result)[0].split()
    expect(how == "reset" and 8 <= int(seconds) <= 20, f"a hello that does not come: {describe(result)}")
    expect(len(net.recorded()) == before, f"bytes of refused connections left: {net.recorded()[before:]!r}")


def check_good_hellos(sandboxes, net):
    for name, mark in (("right_name_with_grease", b"GREASED"), ("two_hellos", b"BEHIND")):
        result = attack(sandboxes, name)
        expect(lines(result) == ["open"], f"{name}: {describe(result)}")
        expect(mark in net.recorded(), f"{name} did not arrive")


def check_listener(sandboxes, _net):
    result = attack(sandboxes, "listener", network=["--allow", "allowed.test"])
    expect(lines(result), f"no listener is shown: {describe(result)}")
    for line in lines(result):
        expect("answered" not in line and "open" not in line.split() and "took a" not in line, f"the listener is a way out: {line}")


def check_name_server(sandboxes, _net):
    expect(lines(attack(sandboxes, "name_server_of_its_own"))[-1] == "True", "names are not answered any more")


def check_many_connections(sandboxes, _net):
    result = attack(sandboxes, "many_connections", timeout="120s")
    alive, refused = map(int, lines(result)[0].split())
    expect(alive <= 256, f"{alive} connections at a time: {describe(result)}")
    expect(alive >= 100, f"only {alive} connections: {describe(result)}")
    expect(refused >= 1, f"nothing was refused: {describe(result)}")
    expect(lines(result)[-1] == "works again", f"after a flood nothing works: {describe(result)}")
    expect(denials(result, "over the limit") >= 1, f"the limit was not told: {describe(result)}")


def check_questions(sandboxes, net):
    before = len(net.questions())
    for name in ("many_questions", "broken_questions"):
        result = attack(sandboxes, name)
        expect(lines(result) == ["True"], f"{name}: {describe(result)}")
    expect(len(net.questions()) == before, "questions left the machine")


def check_datagrams(sandboxes, _net):
    result = attack(sandboxes, "datagrams")
    expect(lines(result) == ["ConnectionRefusedError"] * 3, f"datagrams: {describe(result)}")


def check_neighbours(sandboxes, _net):
    """Two sandboxes have the same own address, and each only itself behind it."""
    arguments = [sandboxes.cay, "run", "-q"] + ALLOW + ["--resolver", f"{sandboxes.resolver}:53", "--"]
    serve = "import socket;s=socket.socket();s.bind(('0.0.0.0',8000));s.listen();print('up',flush=True);s.accept()"
    first = subprocess.Popen(as_user(sandboxes.uid, arguments + ["python3", "-c", serve]), stdout=subprocess.PIPE, text=True, env=sandboxes.environment)
    try:
        expect(first.stdout.readline() == "up\n", "the first sandbox does not serve")
        look = ("import socket\nfor a in ('10.200.0.2','198.18.0.1','127.0.0.1','93.184.0.1'):\n  c=socket.socket();c.settimeout(5)\n"
                "  try:\n    c.connect((a,8000));print(a,'connected' if c.recv(1)!=b'' else 'closed')\n  except OSError as e: print(a,type(e).__name__)\n")
        result = sandboxes.run(ALLOW, f"python3 - <<'EOF'\n{look}EOF")
        for line in lines(result):
            expect(line.endswith("Error"), f"a sandbox reached another: {line}")
        expect(first.poll() is None, "the first sandbox was connected to")
    finally:
        first.kill()
        first.wait()


class Greeter:
    """Listens on all addresses of this machine, or at a name, and greets: who is greeted got through."""

    def __init__(self, where):
        if isinstance(where, int):
            self.socket = socket.create_server(("::", where), family=socket.AF_INET6, dualstack_ipv6=True, backlog=128)
        else:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.bind(where.replace("@", "\0", 1))
            self.socket.listen(128)
            if where.startswith("/"):
                os.chmod(where, 0o666)
        self.greeted = 0
        threading.Thread(target=self._greet, daemon=True).start()

    def _greet(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.greeted += 1
            with connection:
                connection.sendall(b"greeted")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


def own_addresses():
    """Of this machine; those of one link with the number of its interface, and without."""
    found = []
    for interface in json.loads(internet.run("ip", "-json", "address")):
        for address in interface["addr_info"]:
            found.append(address["local"])
            if address["scope"] == "link":
                found += [f"{address['local']}%{interface['ifindex']}", f"{address['local']}%1"]
    return found


def check_machine(sandboxes, net):
    """No policy leads to the machine by an address of its own or one that is not public: not to a server's port on all
    addresses, nor to sockets with names."""
    port = 8888
    path = os.path.join(net.directory, f"machine-{sandboxes.uid}.sock")
    name = f"@cay-test-{os.getpid()}-{sandboxes.uid}"
    own = own_addresses()
    expect(any("%" in address for address in own), f"no link-local address to try: {own}")
    spellings = ["127.0.0.2", "0.0.0.0", "::", "::ffff:127.0.0.1", f"::ffff:{net.MACHINE}", "::127.0.0.1", "64:ff9b::7f00:1", "10.200.0.1",
                 "169.254.169.254", "fd00:ec2::254", "10.1.2.3", "172.17.0.1", "192.168.0.1", "100.64.0.1", "255.255.255.255", "224.0.0.1",
                 "ff02::1%1", "fe80::1%1", "host.cay.internal", "host.docker.internal", "localhost", "gateway.docker.internal"]
    sockets = [path, name, "/var/run/docker.sock", "/run/docker.sock", "/run/containerd/containerd.sock", "/run/dbus/system_bus_socket"]
    with Greeter(port) as greeter, Greeter(path) as file, Greeter(name) as abstract:
        for address in ("127.0.0.1", net.MACHINE, net.MACHINE_V6):
            with socket.create_connection((address, port), 10) as control:
                expect(control.recv(10) == b"greeted", f"the test's own server does not answer at {address}")
        greeted = greeter.greeted
        for network in (ALLOW, ["--net", "open"], ["--net", "open", "--allow", "allowed.test:1-65535"]):
            words = " ".join([str(port)] + own + spellings + sockets)
            result = attack(sandboxes, f"machine {words}", network=network, timeout="300s")
            said = lines(result)
            expect(len(said) == len(own) + len(spellings) + len(sockets), f"{network}: {describe(result)}")
            for line in said:
                expect("greeted" not in line and "answered" not in line, f"{network}: {line}")
        expect(greeter.greeted == greeted, f"{greeter.greeted - greeted} connections came to the machine's port")
        expect(file.greeted == abstract.greeted == 0, "a socket of the machine was connected to")


def check_relay_killed(sandboxes, net):
    """The relay is killed with a download running: that breaks, and nothing is let through any more."""
    with open(os.path.join(net.site("allowed.test"), "large"), "wb") as file:
        file.truncate(4 << 30)
    script = ("curl -s -o /dev/null http://allowed.test/large; echo $?; curl -s -m 5 http://allowed.test/hello; echo $?; "
              "curl -s -m 5 http://93.184.0.10/hello; echo $?")
    arguments = [sandboxes.cay, "run", "-q", "--timeout", "60s"] + ALLOW + ["--resolver", f"{sandboxes.resolver}:53", "--", "bash", "-c", script]
    running = subprocess.Popen(as_user(sandboxes.uid, arguments), stdout=subprocess.PIPE, text=True, env=sandboxes.environment)
    time.sleep(1.5)
    relays = relays_of(running.pid)
    expect(len(relays) == 1, f"relays of one run: {relays}")
    os.kill(relays[0], signal.SIGKILL)
    said, _ = running.communicate(timeout=60)
    codes = said.split()
    expect(len(codes) == 3 and "0" not in codes, f"after the relay's end: {said!r}")


def check_relay_has_no_rights(sandboxes, _net):
    arguments = [sandboxes.cay, "run", "-q"] + ALLOW + ["--", "sleep", "20"]
    running = subprocess.Popen(as_user(sandboxes.uid, arguments), env=sandboxes.environment)
    try:
        relays = eventually(lambda: relays_of(running.pid), "a relay", 10)
        expect(len(relays) == 1, f"relays of one run: {relays}")
        time.sleep(0.3)
        with open(f"/proc/{relays[0]}/status") as file:
            status = dict(re.findall(r"^(\w+):[ \t]*(.*)$", file.read(), re.MULTILINE))
        expect(int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0, f"capabilities: {status}")
        expect(status["NoNewPrivs"] == "1" and status["Seccomp"] == "2", f"not confined: {status}")
        expect(sandboxes.uid or status["Uid"].split() == ["2147418112"] * 4, f"whose it is: {status['Uid']}")
        expect(status["Groups"].strip() == "" or sandboxes.uid, f"groups: {status['Groups']}")
    finally:
        running.kill()
        running.wait()


def prepare(net):
    net.names.update({"allowed.test": [net.SERVER], "hidden.test": [net.SERVER]})
    with open(os.path.join(net.site("allowed.test"), "hello"), "w") as file:
        file.write("hello\n")


if __name__ == "__main__":
    sys.exit(run_checks(__doc__, checks_of(globals()), prepare))
