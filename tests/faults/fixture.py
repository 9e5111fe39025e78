"""What the tests of faults share: a server on a disk of its own that can be filled, and the processes and pieces of its
sandboxes, found from outside.

    with Scene(cay, disk_mib=1024) as scene:
        scene.server.start()
        sandbox = scene.create(name="one")
        scene.disk.fill()
        scene.destroy(sandbox)
"""

import argparse
import contextlib
import glob
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "outlive"), os.path.join(HERE, "..", "support")]
from checks import Broken, eventually, expect  # noqa: E402
from server import Machine, NoAnswer, Server  # noqa: E402

MIB = 1 << 20
PATIENCE = 60
LIMITS = {"memory_limit": "64m", "disk_limit": "64m", "timeout": "1h", "idle_timeout": "1h"}


class SmallDisk:
    """An ext4 filesystem in a sparse file, mounted at `path`."""

    def __init__(self, directory, mib):
        self.image = os.path.join(directory, "disk.img")
        self.path = os.path.join(directory, "state")
        os.mkdir(self.path, 0o711)
        with open(self.image, "wb") as image:
            image.truncate(mib * MIB)
        subprocess.run(["mkfs.ext4", "-q", "-F", "-m", "0", self.image], check=True)
        subprocess.run(["mount", "-o", "loop", self.image, self.path], check=True)
        os.chmod(self.path, 0o711)
        self.fillers = 0

    def free(self):
        info = os.statvfs(self.path)
        return info.f_bavail * info.f_frsize

    def fill(self):
        """Nothing is free when this returns, but what others free meanwhile."""
        size = 256 * MIB
        while size >= 4096:
            self.fillers += 1
            path = os.path.join(self.path, f"filler-{self.fillers}")
            with open(path, "wb") as filler:
                try:
                    os.posix_fallocate(filler.fileno(), 0, size)
                    continue
                except OSError:
                    os.unlink(path)
            size //= 2

    def clear(self):
        for path in glob.glob(os.path.join(self.path, "filler-*")):
            os.unlink(path)

    def unmount(self):
        eventually(lambda: subprocess.run(["umount", self.path], stderr=subprocess.DEVNULL, check=False).returncode == 0,
                 f"{self.path} can be unmounted", 20)


class Scene:
    """A server with a state directory, on a disk of its own when `disk_mib` is given. Leaves nothing; says what was left."""

    def __init__(self, cay, disk_mib=None, settings=()):
        self.cay = cay
        self.directory = tempfile.mkdtemp(prefix="cay-faults-")
        os.chmod(self.directory, 0o711)
        self.disk = SmallDisk(self.directory, disk_mib) if disk_mib else None
        self.state_dir = self.disk.path if self.disk else os.path.join(self.directory, "state")
        os.makedirs(self.state_dir, 0o711, exist_ok=True)
        arguments = [word for setting in settings for word in ("--set", setting)]
        self.machine = Machine(self.state_dir)
        self.server = Server(cay, self.state_dir, arguments)
        self.server.log_path = os.path.join(self.directory, "server.log")  # not on the disk that is filled

    def __enter__(self):
        return self

    def __exit__(self, kind, error, _):
        if error is not None and os.path.exists(self.server.log_path):
            print(self.server.log_end(), file=sys.stderr)
        try:
            self.end()
            left = self.machine.left()
            if error is None:
                expect(not left, f"left behind: {left}")
        finally:
            self.clear_away()
            with contextlib.suppress(Exception):
                if self.disk:
                    self.disk.unmount()
            shutil.rmtree(self.directory, ignore_errors=True)

    def end(self):
        """Whatever state it is in: every sandbox is destroyed, and no process is left."""
        if self.disk:
            self.disk.clear()
        if self.server.process is None:
            return
        if self.server.process.poll() is None:
            self.server.kill()
        self.server.start()
        for sandbox in self.sandboxes():
            self.server.api("DELETE", f"/api/sandboxes/{sandbox['id']}")
        self.server.stop()
        self.run("gc")

    def clear_away(self):
        """What a test that failed has left."""
        if self.server.process is not None and self.server.process.poll() is None:
            self.server.kill()
        for sandbox in self.machine.ids:
            for process in processes(sandbox):
                process.send(signal.SIGKILL)
            for group in groups(sandbox):
                with contextlib.suppress(Broken):
                    eventually(lambda empty=group: remove_group(empty), f"{group} can be removed", 5)

    def run(self, *arguments):
        """(exit code, what it printed)."""
        done = subprocess.run([self.cay, *arguments], env=dict(os.environ, CAY_STATE_DIR=self.state_dir),
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=PATIENCE, check=False)
        return done.returncode, done.stdout.decode(errors="replace")

    def ask(self, expected, method, path, value=None, timeout=PATIENCE):
        status, body = self.server.api(method, path, value, timeout=timeout)
        expect(status == expected, f"{method} {path}: {status} {body}, not {expected}")
        return body

    def create(self, **fields):
        made = self.ask(201, "POST", "/api/sandboxes", dict(LIMITS, **fields))
        self.machine.ids.add(made["id"])
        return made["id"]

    def create_when_there_is_room(self, **fields):
        """Room is made for it, and goes again."""
        self.disk.clear()
        status, body = eventually(lambda: self.created(dict(LIMITS, **fields)), "a sandbox can be created again")
        expect(status == 201, f"{status} {body}")
        self.machine.ids.add(body["id"])
        return body["id"]

    def created(self, fields):
        """Nothing while there is no room for it."""
        status, body = self.server.api("POST", "/api/sandboxes", fields)
        return None if status == 503 else (status, body)

    def sandboxes(self):
        return self.ask(200, "GET", "/api/sandboxes")["sandboxes"]

    def state_of(self, sandbox):
        status, body = self.server.api("GET", f"/api/sandboxes/{sandbox}")
        return body["state"] if status == 200 else status

    def execute(self, sandbox, command, **fields):
        return self.ask(200, "POST", f"/api/sandboxes/{sandbox}/execute", dict(command=command, **fields))

    def upload(self, text):
        """(status, the answer) of a project's file."""
        body = (b"--faults\r\nContent-Disposition: form-data; name=\"file\"; filename=\"x\"\r\n\r\n" + text.encode() +
                b"\r\n--faults--\r\n")
        status, _, answer = self.server.raw("POST", "/files/upload/faults", body,
                                            {"Content-Type": "multipart/form-data; boundary=faults"})
        return status, json.loads(answer)

    def works(self, sandbox):
        result = self.execute(sandbox, ["echo", "here"])
        expect(result["stdout"] == "here\n", f"{sandbox} does not work: {result}")

    def destroy(self, sandbox):
        """204, and nothing of it runs or has its uids any more."""
        before = processes(sandbox)
        self.ask(204, "DELETE", f"/api/sandboxes/{sandbox}")
        living = [process for process in before if process.alive()]
        expect(not living, f"DELETE of {sandbox} said 204, and these live: {living}")
        self.nothing_is_left_of(sandbox)

    def nothing_is_left_of(self, sandbox):
        expect(self.state_of(sandbox) == 404, f"{sandbox} is destroyed and {self.state_of(sandbox)}")
        directory = os.path.join(self.state_dir, "sandboxes", sandbox)
        eventually(lambda: not os.path.exists(directory) and not groups(sandbox), f"{sandbox}'s directory and groups go", 20)

    def launchers(self):
        """All of the server's, as one."""
        children = []
        for path in glob.glob(f"/proc/{self.server.process.pid}/task/*/children"):
            with contextlib.suppress(OSError), open(path) as file:
                children += map(int, file.read().split())
        found = [pid for pid in children if comm(pid) == "cay-launcher"]
        expect(found, "the server has no launcher")
        return Processes(found)


def comm(pid):
    with contextlib.suppress(OSError), open(f"/proc/{pid}/comm") as file:
        return file.read().strip()
    return ""


class Processes:
    """Several: what is done is done to each."""

    def __init__(self, pids):
        self.all = [Process(pid) for pid in pids]

    def send(self, which):
        for process in self.all:
            process.send(which)

    def alive(self):
        return any(process.alive() for process in self.all)


class Process:
    """One process: a number, and when it began, so that another one with its number is not taken for it."""

    def __init__(self, pid):
        self.pid = pid
        self.begun = self.look()[1]

    def look(self):
        """(state, when it began); of one that is gone nothing."""
        try:
            with open(f"/proc/{self.pid}/stat") as file:
                fields = file.read().rpartition(")")[2].split()
            return fields[0], fields[19]
        except OSError:
            return None, None

    def alive(self):
        state, begun = self.look()
        return begun is not None and begun == self.begun and state not in "ZX"

    def send(self, number):
        if self.alive():
            os.kill(self.pid, number)

    def __repr__(self):
        return f"{self.pid} ({comm(self.pid)})"


def groups(sandbox):
    return glob.glob(f"/sys/fs/cgroup/**/{sandbox}/", recursive=True)


def remove_group(path):
    with contextlib.suppress(OSError):
        os.rmdir(path)
    return not os.path.exists(path)


def processes(sandbox):
    pids = set()
    for group in groups(sandbox):
        with contextlib.suppress(OSError), open(os.path.join(group, "cgroup.procs")) as file:
            pids.update(map(int, file.read().split()))
    return [Process(pid) for pid in sorted(pids)]


def guests(sandbox):
    """The first process of the sandbox, by its number inside."""
    found = []
    for process in processes(sandbox):
        with contextlib.suppress(OSError), open(f"/proc/{process.pid}/status") as file:
            inside = [line.split()[-1] for line in file if line.startswith("NSpid:")]
            if inside == ["1"]:
                found.append(process.pid)
    return found


def guest(sandbox):
    found = guests(sandbox)
    expect(len(found) == 1, f"{sandbox}'s guests: {found}")
    return Process(found[0])


def run_tests(tests, long_tests=()):
    """Each test is a function of `cay`; exit code 1 when one fails, and its name. The long ones only when asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--cay", required=True, help="the program")
    parser.add_argument("--only", default="", help="tests whose name has this in it, long ones too")
    parser.add_argument("--long", action="store_true", help="the long tests too")
    options = parser.parse_args()
    if os.geteuid() != 0:
        print("needs root")
        return 77
    failed = []
    for test in [*tests, *(long_tests if options.long or options.only else ())]:
        name = test.__name__
        if options.only not in name:
            continue
        begun = time.monotonic()
        try:
            test(options.cay)
            print(f"{name}: holds ({time.monotonic() - begun:.1f} s)", flush=True)
        except (Broken, NoAnswer, RuntimeError, subprocess.SubprocessError, OSError) as error:
            failed.append(name)
            print(f"{name}: {error}", file=sys.stderr, flush=True)
    return 1 if failed else 0
