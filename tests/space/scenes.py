"""What the tests of space share: a state directory of its own, a registry with images that know their own content, and the
things that are done to templates, each with how it is seen that it was done whole.

Every tree has /data/sums, digests of all the files beside it: what is there is whole when they hold, inside a sandbox.
"""

import contextlib
import hashlib
import io
import json
import os
import random
import shutil
import subprocess
import sys
import tarfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", name) for name in ("support", "outlive", "template")]
from checks import Broken, eventually, expect  # noqa: E402
from images import Image, Registry, directory, entry, file, small_root, symlink  # noqa: E402
from server import Server  # noqa: E402

PATIENCE = 120
FILES = 60
KEPT = "kept"


def data(seed, below="data"):
    """Files of random content, and their sums."""
    source = random.Random(seed)
    entries, sums = [directory(below)], []
    for number in range(FILES):
        content = source.randbytes(source.choice((100, 4000, 60_000)))
        entries.append(file(f"{below}/f{number}", content))
        sums.append(f"{hashlib.sha256(content).hexdigest()}  /{below}/f{number}\n")
    return entries, "".join(sums)


def root():
    return small_root() + [symlink("bin/sha256sum", "busybox"), symlink("bin/cp", "busybox"), symlink("bin/seq", "busybox")]


def image(seed, base):
    """One of several layers above `base`, which other images share."""
    made = Image(Env=["PATH=/bin"], Cmd=["sh"]).layer(base)
    all_sums = ""
    for number in range(4):
        entries, sums = data(f"{seed} {number}", f"data{number}")
        made.layer(entries)
        all_sums += sums
    return made.layer([directory("data"), file("data/sums", all_sums)])


def write_tar(path, seed):
    entries, sums = data(seed)
    with tarfile.open(path, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for info, content in root() + entries + [file("data/sums", sums)]:
            archive.addfile(info, io.BytesIO(content))


class World:
    """Root's templates in a directory of their own, and a server over them while one is wanted."""

    def __init__(self, cay, directory, registry, state=None):
        self.cay, self.directory, self.registry = cay, directory, registry
        self.state = state or os.path.join(directory, "state")
        os.makedirs(self.state, 0o711, exist_ok=True)
        self.templates = os.path.join(self.state, "templates")
        self.environment = {"PATH": os.environ["PATH"], "HOME": directory, "CAY_STATE_DIR": self.state,
                            "CAY_RUN_DIR": os.path.join(directory, "run")}
        self.server = Server(cay, self.state)
        self.server.log_path = os.path.join(directory, "server.log")
        self.server.arguments = ["--set", "log.level=warning"]
        self.tar = os.path.join(directory, "root.tar")
        self.context = os.path.join(directory, "context")

    def prepare(self):
        base = root()
        self.kept_image = self.registry.push(image("kept", base), "kept:1")
        self.app_image = self.registry.push(image("app", base), "app:1")
        write_tar(self.tar, "imported")
        os.makedirs(self.context)
        entries, sums = data("context")
        for info, content in entries:
            if not info.isdir():
                with open(os.path.join(self.context, os.path.basename(info.name)), "wb") as out:
                    out.write(content)
        with open(os.path.join(self.context, "sums"), "w") as out:
            out.write(sums)
        with open(os.path.join(self.context, "Dockerfile"), "w") as out:
            out.write(f"FROM {self.kept_image}\nARG ROUND\nCOPY . /data/\n"
                      "RUN --mount=type=cache,target=/kept-between echo $ROUND >> /kept-between/rounds && mkdir /more && "
                      "cp /data/f* /more/ && cd /more && sha256sum f* > sums\n"
                      "RUN echo $ROUND > /more/round && cat /data/sums > /more/other && "
                      "for i in $(seq 200); do echo $i > /more/n$i; done\n")
        self.run("template", "pull", "-q", self.kept_image)
        self.run("template", "list")

    def command(self, *arguments):
        return [self.cay, *arguments]

    def done(self, *arguments):
        return subprocess.run(self.command(*arguments), env=self.environment, stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=PATIENCE, check=False)

    def run(self, *arguments):
        done = self.done(*arguments)
        expect(done.returncode == 0, f"{' '.join(arguments)}: {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout

    def begin(self, *arguments):
        return subprocess.Popen(self.command(*arguments), env=self.environment, stdin=subprocess.DEVNULL,
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def names(self):
        return {each["name"] for each in json.loads(self.run("template", "list", "--json"))} - {"host"}

    def layers_of(self, name_of_file):
        with open(os.path.join(self.templates, name_of_file)) as text:
            metadata = json.load(text)
        return metadata.get("layers") or [metadata["layer"]]

    def expect_whole_store(self):
        """Every layer that metadata names is there, with what is written beside it; nothing half made has a name."""
        for name in os.listdir(self.templates):
            if name.endswith(".json"):
                for layer in self.layers_of(name):
                    path = os.path.join(self.templates, ".layers", layer)
                    expect(os.path.isdir(os.path.join(path, "root")), f"{name} names the layer {layer}, which is not there")
                    recorded = os.path.join(path, "disk")
                    if os.path.exists(recorded):
                        with open(recorded) as text:
                            said = int(dict(line.split() for line in text)["disk_bytes"])
                        is_so = disk_of(path, but="disk")
                        expect(abs(said - is_so) <= 65536 + is_so // 8, f"{layer} is said to be {said} and is {is_so}")

    def expect_whole(self, name, sums="/data/sums"):
        done = self.done("run", "-q", "--disk", "64m", "--template", name, "--", "sh", "-c", f"sha256sum -c {sums} > /dev/null")
        expect(done.returncode == 0, f"{name} is not whole: {done.returncode} {done.stdout}{done.stderr}")

    def remove_all_but_kept(self):
        names = self.names() - {self.kept_image}
        if names:
            self.run("template", "rm", *sorted(names))
        self.collect()

    def collect(self):
        self.run("system", "prune", "--force", "--state-dir", self.state)

    def layers(self):
        return set(os.listdir(os.path.join(self.templates, ".layers")))

    def space(self):
        """Bytes on the disk below the templates, without what only says when something was used."""
        return disk_of(self.templates)

    def expect_as_at_first(self, first):
        """`first`: (layers, space) of a moment at which nothing was under way."""
        self.remove_all_but_kept()
        for name in (".partial", ".blobs"):
            path = os.path.join(self.templates, name)
            left = os.listdir(path) if os.path.isdir(path) else []
            expect(not left, f"left in {name}: {left}")
        temporary = [name for name in os.listdir(self.templates) if ".tmp." in name]
        expect(not temporary, f"left: {temporary}")
        expect(self.layers() == first[0], f"layers: {self.layers() - first[0]} more, {first[0] - self.layers()} fewer")
        grown = self.space() - first[1]
        expect(abs(grown) <= 64 * 1024, f"the space is not as at first: {grown} bytes more")


def disk_of(path, but=None):
    total = os.lstat(path).st_blocks * 512
    for parent, directories, files in os.walk(path):
        for name in directories + files:
            if name != but:
                with contextlib.suppress(FileNotFoundError):
                    total += os.lstat(os.path.join(parent, name)).st_blocks * 512
    return total


class Act:
    """One of the things that is done to templates. `made`: the template that comes of it."""

    made = None
    on_server = False

    def __init__(self, world):
        self.world = world
        self.number = 0

    def prepare(self):
        """What must be there before; the next one is another one."""
        self.number += 1

    def arguments(self):
        raise NotImplementedError

    def begin(self):
        return self.world.begin(*self.arguments())

    def finish(self):
        """The same, to its end."""
        return self.world.done(*self.arguments())

    def check(self):
        """After it was cut: what it makes is there whole or not at all."""
        if self.made and self.made in self.world.names():
            self.expect_done()

    def expect_done(self):
        self.world.expect_whole(self.made)


class Pull(Act):
    def __init__(self, world):
        super().__init__(world)
        self.made = world.app_image

    def arguments(self):
        return ["template", "pull", "-q", self.made]


class Import(Act):
    made = "imported"

    def arguments(self):
        return ["template", "import", "-q", "--replace", "imported", self.world.tar]


class Build(Act):
    made = "built"

    def arguments(self):
        return ["template", "build", "-q", "--disk", "64m", "-t", self.made, "--build-arg", f"ROUND={self.number}", self.world.context]

    def expect_done(self):
        self.world.expect_whole(self.made)
        done = self.world.done("run", "-q", "--disk", "64m", "--template", self.made, "--", "sh", "-c",
                               "cd /more && sha256sum -c sums > /dev/null && cat n200 && test -s round")
        expect(done.stdout == "200\n", f"{self.made} is not whole: {done.stdout}{done.stderr}")


class Remove(Act):
    """Of several at once."""

    def prepare(self):
        super().prepare()
        for name in ("one", "two", "three"):
            self.world.run("template", "import", "-q", "--replace", name, self.world.tar)

    def arguments(self):
        return ["template", "rm", "one", "two", "three"]

    def check(self):
        for name in {"one", "two", "three"} & self.world.names():
            self.world.expect_whole(name)

    def finish(self):
        names = sorted({"one", "two", "three"} & self.world.names())
        return self.world.done("template", "rm", *names) if names else self.world.done("template", "list")

    def expect_done(self):
        left = {"one", "two", "three"} & self.world.names()
        expect(not left, f"{left} are removed and there")


class Prune(Remove):
    """Of all that nobody uses: what is kept is in use meanwhile."""

    def prepare(self):
        super().prepare()
        self.user = subprocess.Popen(self.world.command("run", "-q", "--disk", "64m", "--template", self.world.kept_image, "--", "sh", "-c",
                                                        "echo up; sleep 100"),
                                     env=self.world.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        said = self.user.stdout.readline()
        expect(said == "up\n", f"a sandbox of {self.world.kept_image}: {said}")

    def arguments(self):
        return ["system", "prune", "--all", "--force", "--state-dir", self.world.state]

    def finish(self):
        return self.world.done(*self.arguments())

    def release(self):
        self.user.terminate()
        self.user.communicate()

    def expect_done(self):
        super().expect_done()
        expect(self.world.kept_image in self.world.names(), "what a sandbox stood on was pruned")
        self.release()


class Snapshot(Act):
    """Of a sandbox that runs; the server is killed, and the sandbox runs on."""

    on_server = True

    def __init__(self, world):
        super().__init__(world)
        self.server = world.server
        self.taking = None

    def answer(self, expected, method, path, value=None):
        status, body = self.server.api(method, path, value, timeout=PATIENCE)
        expect(status in expected, f"{method} {path}: {status} {body}")
        return body

    def prepare(self):
        super().prepare()
        self.server.start()
        made = self.answer((201,), "POST", "/api/sandboxes", {"template": self.world.kept_image, "user": "0", "disk_limit": "64m"})
        self.sandbox = made["id"]
        self.execute("cp /data0/f* /data1/f* /data/ && cd /data && sha256sum f* > /data/more")

    def execute(self, script):
        done = self.answer((200,), "POST", f"/api/sandboxes/{self.sandbox}/execute", {"command": script})
        expect(done["exit_code"] == 0, f"{script}: {done}")

    def take(self):
        return self.server.api("POST", f"/api/sandboxes/{self.sandbox}/snapshots", {"name": "taken", "replace": True}, timeout=PATIENCE)

    def snapshots(self):
        return [each["name"] for each in self.answer((200,), "GET", "/api/snapshots")["templates"]]

    def check(self):
        for name in self.snapshots():
            self.expect_whole(name)

    def expect_whole(self, name):
        made = self.answer((201,), "POST", "/api/sandboxes", {"template": name, "user": "0", "disk_limit": "64m"})
        done = self.answer((200,), "POST", f"/api/sandboxes/{made['id']}/execute",
                           {"command": "cd /data && sha256sum -c more > /dev/null && sha256sum -c sums > /dev/null"})
        expect(done["exit_code"] == 0, f"{name} is not whole: {done}")
        self.answer((204,), "DELETE", f"/api/sandboxes/{made['id']}")

    def expect_done(self):
        names = self.snapshots()
        expect(len(names) == 1, f"snapshots: {names}")
        self.check()

    def release(self):
        """The sandbox and the server end; the snapshot goes as every template does."""
        self.answer((204,), "DELETE", f"/api/sandboxes/{self.sandbox}")
        for name in self.snapshots():
            self.answer((204,), "DELETE", f"/api/snapshots/{name.split('/')[-1]}")
        self.server.stop()


ACTS = (Pull, Build, Snapshot, Import, Remove, Prune)
