#!/usr/bin/env python3
"""`sudo` and `su` of sandboxes with root's privileges, which have no setuid bit: what people type, at a terminal and in scripts; who may;
and what code inside sends to the guest instead of them. Over the template host. Exits with 77 where not started by root."""

import argparse
import os
import select
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
sys.path.insert(0, os.path.join(HERE, "..", "outlive"))
from checks import expect, try_checks  # noqa: E402
from server import Server  # noqa: E402

SKIPPED = 77


class World:
    def __init__(self, cay, directory):
        self.cay, self.directory = cay, directory
        self.environment = {"PATH": os.environ["PATH"], "HOME": directory, "CAY_STATE_DIR": os.path.join(directory, "state"), "TERM": "dumb"}

    def command(self, *arguments, privileges="root"):
        return [self.cay, "run", "-q", "--privileges", privileges, *arguments]

    def script(self, script, *options, privileges="root"):
        done = subprocess.run(self.command(*options, "--", "bash", "-c", script, privileges=privileges), env=self.environment,
                              capture_output=True, text=True, timeout=120)
        return done.returncode, done.stdout, done.stderr

    def said(self, script, *options):
        code, out, err = self.script("set -e; " + script, *options)
        expect(code == 0, f"{script}: {code}: {out}{err}")
        return out


def a_user_becomes_root_and_others(world):
    out = world.said("id -un; sudo id -un; sudo -u nobody id -un; sudo -u '#33' id -u; sudo -u nobody -g 7 id -g; su -c 'id -un'; "
                     "su nobody -s /bin/sh -c 'id -un'; sudo -i pwd; sudo su -s /bin/sh nobody -c 'id -un'")
    expect(out.split() == ["user", "root", "nobody", "33", "7", "root", "nobody", "/root", "nobody"], out)


def root_has_its_privileges(world):
    out = world.said("sudo chown 33 /tmp; stat -c %u /tmp; echo a | sudo tee /root/x >/dev/null; sudo cat /root/x; sudo useradd -m bob; "
                     "sudo -u bob sh -c 'id -un; grep CapEff /proc/self/status'; ! sudo -u bob chown 33 /home/bob 2>/dev/null")
    expect(out.split() == ["33", "a", "bob", "CapEff:", "0000000000000000"], out)


def the_place_and_what_is_needed_stay(world):
    out = world.said("export http_proxy=http://p SECRET=1 PATH=/opt/x:$PATH; cd /tmp; sudo pwd; sudo -D / pwd; sudo sh -c "
                     "'echo $HOME $USER $SUDO_USER $SUDO_UID $http_proxy $SECRET-'; sudo -E sh -c 'echo $SECRET $HOME'; sudo A=b sh -c 'echo $A'; "
                     "sudo sh -c 'echo $PATH' | cut -d: -f1; umask 077; ulimit -n 100; sudo sh -c 'ulimit -n'")
    expect(out.split("\n")[:8] == ["/tmp", "/", "/root root user 1000 http://p -", "1 /root", "b", "/opt/x", "100", ""], out)


def ends_are_told(world):
    out = world.said("set +e; sudo sh -c 'exit 7'; echo $?; sudo no-such-program; echo $?; sudo /etc/hostname; echo $?; "
                     "(sudo sh -c 'kill -SEGV $$'); echo $?; sudo -u no-such-user true; echo $?; sudo false | cat; echo ${PIPESTATUS[0]}")
    expect(out.split() == ["7", "1", "1", "139", "1", "1"], out)


def signals_reach_the_command(world):
    out = world.said("set +e; (sleep 0.5; pkill -x sudo) & sudo sh -c 'trap \"echo got; exit 3\" TERM; sleep 20 & wait'; echo $?; "
                     "timeout -s KILL 0.5 sudo sleep 77; for i in $(seq 50); do pgrep -fx 'sleep 77' >/dev/null || break; sleep 0.1; done; "
                     "pgrep -fx 'sleep 77'; echo over")
    expect(out.split() == ["got", "3", "over"], out)


def what_is_left_behind_is_found(world):
    """A command of `sudo` counts as its caller's, wherever it goes."""
    state = os.path.join(world.directory, "server")
    os.makedirs(state)
    server = Server(world.cay, state, ["--allow-root", "true"])
    server.start()
    try:
        status, body = server.api("POST", "/api/sandboxes", {"name": "one", "privileges": "root"})
        expect(status == 201, body)
        for kill in (False, True):
            status, body = server.api("POST", "/api/sandboxes/one/execute", {
                "command": ["sh", "-c", "sudo sh -c 'setsid sleep 300 >/dev/null 2>&1 & sleep 0.2'"], "kill_leftovers": kill})
            expect(status == 200 and body["exit_code"] == 0 and body["leftover_count"] == (0 if kill else 1), body)
            status, body = server.api("POST", "/api/sandboxes/one/execute", {"command": ["pgrep", "-xc", "sleep"]})
            expect(body["stdout"].strip() == "1", body)
    finally:
        server.api("DELETE", "/api/sandboxes/one")
        server.kill()


def without_root_there_is_no_sudo(world):
    code, out, err = world.script("type sudo; exec 2>&1; ls /usr/local/bin/sudo", privileges="none")
    expect(code != 0 and "No such file" in out, f"{code}: {out}{err}")


def a_snapshot_and_what_is_written_have_nothing_of_it(world):
    out = world.said("mount | grep -c sudo || true; sudo sh -c 'echo x > /usr/local/bin/mine'; ls /usr/local/bin/mine /usr/local/bin/sudo")
    expect(out.split() == ["0", "/usr/local/bin/mine", "/usr/local/bin/sudo"], out)


def others_may_where_root_lets_them(world):
    code, out, err = world.script("sudo useradd -m bob; sudo su bob -s /bin/sh -c 'sudo id -un'; echo $?; sudo groupadd -f sudo; "
                                  "sudo usermod -aG sudo bob; sudo su bob -s /bin/sh -c 'sudo id -un; sudo -l'")
    lines = out.split("\n")
    expect(lines[0] == "1" and lines[1] == "root" and "NOPASSWD" in out and "may not start" in err, f"{code}: {out}{err}")


class Terminal:
    def __init__(self, command, environment):
        self.pid, self.master = os.forkpty()
        if self.pid == 0:
            os.execve(command[0], command, environment)
        self.seen = ""

    def until(self, text, seconds=20):
        end = time.monotonic() + seconds
        while text not in self.seen:
            ready, _, _ = select.select([self.master], [], [], max(0, end - time.monotonic()))
            expect(ready, f"{text!r} did not come: {self.seen!r}")
            try:
                part = os.read(self.master, 65536)
            except OSError:
                part = b""
            expect(part, f"the end came before {text!r}: {self.seen!r}")
            self.seen += part.decode(errors="replace")
        before, self.seen = self.seen.split(text, 1)
        return before

    def type(self, text):
        os.write(self.master, text.encode())

    def close(self):
        os.close(self.master)
        os.waitpid(self.pid, 0)


def a_terminal_is_one(world):
    terminal = Terminal(world.command("-it", "--", "bash", "--norc", "--noprofile"), {**world.environment, "PS1": "ready> "})
    try:
        terminal.type("stty -echo; PS1='usr'\"> \"\r")
        terminal.until("usr> ")
        terminal.type("sudo -i sh\r")
        terminal.type("PS1='rt'\"> \"; stty -echo\r")
        terminal.until("rt> ")
        terminal.type("id -un; stty size; test -t 0 && test -t 1 && echo both\r")
        said = terminal.until("both")
        expect("root" in said and "24 80" in said, said)
        # What is typed to end a command ends it, and not the shell that runs it.
        terminal.type("sleep 100\r")
        time.sleep(0.5)
        terminal.type("\x03")
        terminal.until("rt> ")
        terminal.type("echo goes-on\r")
        terminal.until("goes-on")
        terminal.type("exit\r")
        terminal.until("usr> ")
        # The caller's terminal is as before.
        terminal.type("stty -a | grep -c -- '-icanon'; echo x | sudo cat | cat\r")
        expect("0" in terminal.until("x\r\n"), "raw")
        terminal.type("exit\r")
    finally:
        terminal.close()


# Speaks to the guest as `sudo` does, and wrongly. The guest is outside of what this can reach, and goes on for others.
RAW = r'''
import array, os, select, socket, struct, subprocess, sys, time
NAME = b"\0cay-guest-requests"
def head(major, n):
    if n < 24: return bytes([major << 5 | n])
    if n < 256: return bytes([major << 5 | 24, n])
    return bytes([major << 5 | 25]) + struct.pack(">H", n) if n < 65536 else bytes([major << 5 | 26]) + struct.pack(">I", n)
def text(s): return head(2, len(s)) + s
def many(l): return head(4, len(l)) + b"".join(text(x) for x in l)
def start(argv, user=b"root", env=(), cwd=b"/"):
    fields = [(1, many(argv)), (2, many(env)), (3, text(cwd)), (4, text(user)), (5, b"\xf4"), (7, b"\x80"), (8, b"\x1a\x00\x10\x00\x00"), (9, b"\x00")]
    return bytes([0xa0 + len(fields)]) + b"".join(bytes([k]) + v for k, v in fields)
def frame(kind, payload): return struct.pack("<IB", len(payload), kind) + payload
def connect():
    s = socket.socket(socket.AF_UNIX); s.settimeout(20); s.connect(NAME); return s
def answer(s):
    got = b""
    try:
        while True:
            part = s.recv(65536)
            if not part: return got
            got += part
    except (ConnectionResetError, socket.timeout) as error:
        return got + repr(error).encode()
def send(s, data, fds): s.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))])
good = [os.open("/dev/null", os.O_RDWR)] * 3
def works(): return subprocess.run(["sudo", "id", "-u"], capture_output=True, text=True, timeout=60).stdout == "0\n"
def refused(what, data, fds):
    s = connect()
    try:
        send(s, data, fds) if fds else s.sendall(data)
    except OSError: pass
    got = answer(s)
    print(what, "refused" if len(got) > 5 and got[4] == 191 else repr(got[:80]))
'''

CASES = RAW + r'''
idle = [connect() for _ in range(16)]
s = connect(); send(s, frame(2, start([b"true"])), good); print("right", "done" if answer(s)[4] == 129 else "refused")
refused("no-descriptors", frame(2, start([b"true"])), [])
refused("one-descriptor", frame(2, start([b"true"])), good[:1])
refused("many-descriptors", frame(2, start([b"true"])), good * 80)
tcp = socket.socket(); tcp.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 600))
refused("a-socket-that-lingers", frame(2, start([b"true"])), [tcp.fileno()] * 3)
epoll = select.epoll()
refused("an-epoll", frame(2, start([b"true"])), [epoll.fileno()] * 3)
refused("another-request", frame(16, b"\xa0"), good)
refused("no-message", frame(2, b"\xff\xff"), good)
refused("too-long", struct.pack("<IB", 1 << 30, 2), good)
refused("no-command", frame(2, start([])), good)
refused("an-empty-command", frame(2, start([b""])), good)
refused("a-nul", frame(2, start([b"sh", b"a\0b"])), good)
refused("no-user", frame(2, start([b"true"], user=b"nosuch")), good)
refused("an-id-outside", frame(2, start([b"true"], user=b"70000")), good)
refused("a-number-of-wrong", frame(2, start([b"true"], user=b"-1")), good)
refused("no-such-program", frame(2, start([b"/nosuch"])), good)
refused("no-such-place", frame(2, start([b"true"], cwd=b"/nosuch")), good)
s = connect(); send(s, frame(2, start([b"sleep", b"0.3"])), good); s.sendall(b"\0" * 100)
print("garbage-after", "ended" if answer(s) else "")
print("works", works())
many_idle = []
try:
    for _ in range(400):
        s = socket.socket(socket.AF_UNIX); s.setblocking(False); s.connect(NAME); many_idle.append(s)
except OSError: pass
print("works-under-a-flood-after-its-patience", works())
for s in idle + many_idle: s.close()
print("works-again", works())
'''


def what_code_sends_is_refused(world):
    done = subprocess.run(world.command("-i", "--", "python3", "-"), input=CASES, env=world.environment, capture_output=True, text=True,
                          timeout=200)
    lines = done.stdout.strip().split("\n")
    bad = [line for line in lines[1:17] if not line.endswith(" refused")]
    expect(done.returncode == 0 and len(lines) == 21 and lines[0] == "right done" and not bad, done.stdout + done.stderr)
    expect(all(line.endswith(" True") for line in lines[18:]), done.stdout)


BOUND = RAW + r'''
running = []
for _ in range(80):
    s = connect(); send(s, frame(2, start([b"sleep", b"30"])), good); s.settimeout(5); running.append((s, s.recv(64)))
kinds = [got[4] for _, got in running]
print(kinds.count(129), kinds.count(191))
for s, _ in running: s.close()
time.sleep(1)
print(works(), subprocess.run(["pgrep", "-xc", "sleep"], capture_output=True, text=True).stdout.strip())
'''


def the_number_is_bounded(world):
    done = subprocess.run(world.command("-i", "--", "python3", "-"), input=BOUND, env=world.environment, capture_output=True, text=True,
                          timeout=200)
    expect(done.stdout.split() == ["64", "16", "True", "0"], done.stdout + done.stderr)


def nobody_else_is_taken_for_the_user(world):
    """Who asks is said by the kernel, whatever it sends."""
    script = ("sudo useradd -m bob; cat >/tmp/raw.py; chmod 644 /tmp/raw.py; sudo -u bob python3 /tmp/raw.py")
    done = subprocess.run(world.command("-i", "--", "bash", "-c", script), input=RAW + 'refused("bob", frame(2, start([b"id"])), good)\n',
                          env=world.environment, capture_output=True, text=True, timeout=60)
    expect(done.stdout.strip() == "bob refused", done.stdout + done.stderr)


CHECKS = (a_user_becomes_root_and_others, root_has_its_privileges, the_place_and_what_is_needed_stay, ends_are_told,
          signals_reach_the_command, what_is_left_behind_is_found, without_root_there_is_no_sudo,
          a_snapshot_and_what_is_written_have_nothing_of_it, others_may_where_root_lets_them, a_terminal_is_one,
          what_code_sends_is_refused, the_number_is_bounded, nobody_else_is_taken_for_the_user)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cay", required=True)
    parser.add_argument("--only", help="a part of a check's name")
    options = parser.parse_args()
    if os.geteuid() != 0:
        print("skipped: not root")
        return SKIPPED
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        return 1 if try_checks(CHECKS, World(os.path.abspath(options.cay), directory), options.only) else 0


if __name__ == "__main__":
    sys.exit(main())
