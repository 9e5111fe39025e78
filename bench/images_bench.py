#!/usr/bin/env python3
"""How long images take here, beside others in the same run: a build of a Dockerfile, done and found again; a pull from a registry of this
machine; a create from an image of ten layers beside one of the machine's own files; what fifty sandboxes of one template read from disk; with
--fixtures NAME,… those of tests/build/fixtures, from nothing, with the archives that this machine reaches (options of `cay template build` for that
after --). Docker (a daemon of its own, overlay2; its classic builder, and BuildKit), buildah and podman (overlay, chroot) where they are installed.
Prints a table of p50, p99 and the ratio to Cay's p50, or JSON with --json. Others use the machine's own network: Cay's is the one with rules."""

import argparse
import contextlib
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tests", "support"))
sys.path.insert(0, os.path.join(HERE, "..", "tests", "template"))
sys.path.insert(0, os.path.join(HERE, "..", "tests", "build"))
from bases import BASES, context_of  # noqa: E402
from docker import Docker, is_here  # noqa: E402
from images import Image, Registry, directory, file, small_root, symlink  # noqa: E402

DOCKERFILE = """FROM {base} AS tools
RUN for i in 1 2 3 4 5 6 7 8; do dd if=/dev/urandom of=/tool-$i bs=1M count=4; done
FROM {base} AS app
WORKDIR /app
COPY . .
RUN cat src/* > all && ls -R /app /bin > /dev/null
COPY --from=tools /tool-1 /tool-2 /bin/
RUN mkdir -p /var/data && for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do cp all /var/data/$i; done
ENV MODE=test
RUN rm -rf /var/data/1 && echo $MODE > /mode
CMD ["sh"]
"""


def base_image():
    image = Image(Env=["PATH=/bin"], Cmd=["sh"])
    more = ("dd", "cp", "rm", "mkdir")
    image.layer(small_root() + [symlink(f"bin/{name}", "busybox") for name in more])
    for number in range(9):
        image.layer([directory(f"layer-{number}"), file(f"layer-{number}/data", os.urandom(4 << 20))])
    return image


def make_context(top):
    os.makedirs(os.path.join(top, "src"))
    for number in range(200):
        with open(os.path.join(top, "src", f"{number}.txt"), "wb") as out:
            out.write(os.urandom(20_000))


def seconds(action):
    began = time.monotonic()
    action()
    return time.monotonic() - began


def must(command, **more):
    done = subprocess.run(command, capture_output=True, text=True, **more)
    if done.returncode != 0:
        raise RuntimeError(f"{command}: {done.returncode}: {done.stdout[-500:]}{done.stderr[-1500:]}")
    return done.stdout


class Cay:
    name = "cay"

    def __init__(self, program, top):
        self.program, self.state = program, os.path.join(top, "cay")
        self.environment = {**os.environ, "CAY_STATE_DIR": self.state, "HOME": top}
        self.network = []

    def command(self, *arguments):
        return must([self.program, *arguments], env=self.environment)

    def load(self, name, archive):
        self.command("template", "import", "-q", name, archive)

    def build(self, context, cached=False, network=False):
        self.command("template", "build", "-q", "-t", "built", *(self.network if network else []), *([] if cached else ["--no-cache"]), context)

    def pull(self, image):
        self.command("template", "pull", "-q", "--as", "pulled", image)

    def forget(self, _):
        self.command("template", "rm", "pulled")


class DockerPeer:
    def __init__(self, docker, buildkit, client):
        self.docker, self.buildkit, self.client = docker, buildkit, client
        self.name = "docker" + (" (buildkit)" if buildkit else " (classic)")
        self.environment = {**os.environ, "DOCKER_BUILDKIT": "1" if buildkit else "0"}

    def command(self, *arguments):
        return must([self.client, "--host", self.docker.host, *arguments], env=self.environment)

    def load(self, _, archive):
        self.command("load", "-q", "-i", archive)

    def build(self, context, cached=False, network=False):
        self.command("build", "-q", "--network=" + ("host" if network else "none"), "-t", "built", *([] if cached else ["--no-cache"]), context)

    def pull(self, image):
        self.command("pull", "-q", image)

    def forget(self, image):
        self.command("rmi", "-f", image)


class Containers:
    """buildah and podman: one storage each. With chroot a step has no namespaces of its own, and this machine's network."""

    def __init__(self, name, top):
        self.name = name
        self.options = ["--root", f"{top}/{name}", "--runroot", f"{top}/{name}-run", "--storage-driver=overlay"]

    def command(self, *arguments):
        return must([self.name, *self.options, *arguments])

    def load(self, name, archive):
        self.command("pull", "-q", f"docker-archive:{archive}")

    def build(self, context, cached=False, network=False):
        self.command("build", "-q", "--isolation=chroot", "--layers", "--pull=never", "-t", "built", *([] if cached else ["--no-cache"]), context)

    def pull(self, image):
        self.command("pull", "-q", "--tls-verify=false", f"docker://{image}")

    def forget(self, image):
        self.command("rmi", "-f", image)


def builders(top, docker):
    """Those that are installed. Which client of Docker has a BuildKit that works is tried: newer ones need a plugin for it."""
    found = []
    if docker:
        clients = [path for path in (os.path.join(place, "docker") for place in os.environ["PATH"].split(":")) if os.access(path, os.X_OK)]
        found += [DockerPeer(docker, False, clients[0])]
        context = os.path.join(top, "tried")
        os.makedirs(context)
        with open(os.path.join(context, "Dockerfile"), "w") as out:
            out.write("FROM scratch\nCOPY Dockerfile /\n")
        for client in dict.fromkeys(clients):
            try:
                DockerPeer(docker, True, client).build(context)
                found.append(DockerPeer(docker, True, client))
                break
            except RuntimeError as error:
                print(f"{client}: no BuildKit: {str(error)[-200:].strip()}", file=sys.stderr)
    return found + [Containers(name, top) for name in ("buildah", "podman") if shutil.which(name)]


def leave_no_mounts(top):
    """Of the storages of buildah and podman."""
    with open("/proc/self/mounts") as mounts:
        for place in sorted((line.split()[1] for line in mounts if line.split()[1].startswith(top + "/")), reverse=True):
            subprocess.run(["umount", place])


def figures(samples):
    ordered = sorted(samples)
    return {"p50": round(statistics.median(ordered) * 1000, 1), "p99": round(ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))] * 1000, 1),
            "samples": len(ordered)}


def in_turn(peers, rounds, action):
    """One of each after the other, so that whatever the machine does meets all of them; milliseconds. A peer that fails in a round is
    told, and measured without it."""
    samples = {peer.name: [] for peer in peers}
    for _ in range(rounds):
        for peer in peers:
            try:
                samples[peer.name].append(action(peer))
            except RuntimeError as error:
                if isinstance(peer, Cay):
                    raise
                print(f"{peer.name}: a round without it: {error}", file=sys.stderr)
    return {name: figures(taken) for name, taken in samples.items() if taken}


def pulled(peer, image):
    took = seconds(lambda: peer.pull(image))
    peer.forget(image)
    return took


def creates(cay, rounds):
    """`cay run -- true` of both, in turn: what is measured is the whole, so only the difference says something."""
    cay.command("run", "-q", "--template", "base:1", "--", "/bin/echo")
    samples = {"host": [], "image of 10 layers": []}
    for _ in range(rounds):
        for name, template in (("host", "host"), ("image of 10 layers", "base:1")):
            told = json.loads(cay.command("run", "--json", "--timing", "--template", template, "--", "/bin/echo"))
            stages = told["timing_us"]
            wanted = ("prepare", "cgroup", "scratch", "netns", "clone", "id_map", "attach", "layers", "confine", "exec", "request")
            samples[name].append(sum(stages.get(each, 0) for each in wanted) / 1e6)
    return {name: figures(taken) for name, taken in samples.items()}


def disk_reads(cay, sandboxes, mebibytes=64):
    """What sandboxes of one template, all at once, read from the disk (read_bytes of proc(5)'s io, which counts for each process what was
    fetched for it) for a file of the template that nobody has in memory at first."""
    context = os.path.join(cay.state, "large")
    os.makedirs(context)
    with open(os.path.join(context, "large"), "wb") as out:
        out.write(os.urandom(mebibytes << 20))
    with open(os.path.join(context, "Dockerfile"), "w") as out:
        out.write("FROM base:1\nCOPY large /large\n")
    cay.command("template", "build", "-q", "-t", "large", context)
    for directory_of, _, names in os.walk(os.path.join(cay.state, "templates")):
        if "large" in names:
            with open(os.path.join(directory_of, "large"), "rb") as kept:
                os.fsync(kept.fileno())
                os.posix_fadvise(kept.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    command = [cay.program, "run", "-q", "--template", "large", "--", "/bin/sh", "-c", "cat /large > /dev/null; cat /proc/$$/io"]
    running = [subprocess.Popen(command, env=cay.environment, stdout=subprocess.PIPE, text=True) for _ in range(sandboxes)]
    reads = []
    for process in running:
        said = process.communicate()[0]
        if process.returncode != 0:
            raise RuntimeError(f"{command}: {process.returncode}")
        reads.append(int(dict(line.split(": ") for line in said.splitlines())["read_bytes"]))
    return {"sandboxes": sandboxes, "file_mib": mebibytes, "read_mib": round(sum(reads) / 2**20, 1), "most_by_one_mib": round(max(reads) / 2**20, 1)}


def fixture_context(name, top):
    """The fixture without what only some builders know: mounts of caches (they are empty where it is built from nothing)."""
    context = os.path.join(top, f"fixture-{name}")
    shutil.copytree(os.path.join(HERE, "..", "tests", "build", "fixtures", name), context)
    path = os.path.join(context, "Dockerfile")
    with open(path) as source:
        text = re.sub(r"--mount=type=cache,\S+ (\\\n *)?", "", source.read())
    with open(path, "w") as out:
        out.write(text)
    return context, re.findall(r"(?:^FROM |--from=)(\S+:\S+)", text, re.MULTILINE)


def fixtures(names, cay, peers, top, rounds, report):
    """Each fixture from nothing, with a network."""
    loaded = set()
    for name in names:
        context, bases = fixture_context(name, top)
        for base in dict.fromkeys(bases):
            if base in loaded:
                continue
            loaded.add(base)
            dockerfile = os.path.join(top, "base.Dockerfile")
            with open(dockerfile, "w") as out:
                out.write(BASES[base])
            cay.command("template", "build", "-q", *cay.network, "-t", base, "-f", dockerfile, context_of(base, top))
            archive = os.path.join(top, "fixture-base.tar")
            cay.command("template", "export", "-q", "--format", "docker", base, archive)
            for peer in peers:
                if peer is not cay:
                    peer.load(base, archive)
            os.unlink(archive)
        able = []
        for peer in peers:
            try:
                peer.build(context, network=True)
                able.append(peer)
            except RuntimeError as error:
                print(f"{name}: {peer.name}: not measured: {str(error)[-600:]}", file=sys.stderr)
        report.times(f"fixture {name}, from nothing", in_turn(able, rounds, lambda peer: seconds(lambda: peer.build(context, network=True))))


class Report:
    """What was measured: as a table, each part as soon as it is there, or all of it as JSON at the end."""

    def __init__(self, as_json):
        self.as_json, self.result = as_json, {}

    def times(self, what, of):
        self.result[what] = of
        if self.as_json or not of:
            return
        print(what)
        own = of.get("cay", next(iter(of.values())))["p50"]
        for name, taken in of.items():
            ratio = f"{taken['p50'] / own:6.2f}" if own else "     -"
            print(f"  {name:22} p50 {taken['p50']:9.1f} ms   p99 {taken['p99']:9.1f} ms   x {ratio}   ({taken['samples']})", flush=True)

    def reads(self, reads):
        self.result["disk reads"] = reads
        if not self.as_json:
            print(f"a file of {reads['file_mib']} MiB of a template, read by {reads['sandboxes']} sandboxes at once\n"
                  f"  read from the disk     {reads['read_mib']} MiB, by one of them at most {reads['most_by_one_mib']} MiB", flush=True)

    def end(self):
        if self.as_json:
            print(json.dumps(self.result, indent=1))


def main():
    own, network = sys.argv[1:], ["--net", "debian", "--net", "pypi", "--net", "npm"]
    if "--" in own:
        own, network = own[:own.index("--")], network + own[own.index("--") + 1:]
    parser = argparse.ArgumentParser()
    parser.add_argument("--cay", required=True, type=os.path.abspath)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--fixtures", default="", help="names with commas: built from nothing, with a network")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(own)
    with tempfile.TemporaryDirectory(prefix="cay-images-") as top, contextlib.ExitStack() as stack:
        os.chmod(top, 0o755)
        context = os.path.join(top, "context")
        make_context(context)
        with open(os.path.join(context, "Dockerfile"), "w") as out:
            out.write(DOCKERFILE.format(base="base:1"))
        registry = stack.enter_context(Registry(os.path.join(top, "registry")))
        image = registry.push(base_image(), "base:1")
        cay = Cay(options.cay, top)
        cay.network = network
        archive = os.path.join(top, "base.tar")
        cay.command("template", "pull", "-q", "--as", "base:1", image)
        cay.command("template", "export", "-q", "--format", "docker", "base:1", archive)
        docker = stack.enter_context(Docker(os.path.join(top, "docker"), driver="overlay2", own_network=False)) if is_here() else None
        peers = [cay, *builders(top, docker)]
        stack.callback(leave_no_mounts, top)
        for peer in list(peers):
            try:
                peer.load("base:1", archive) if peer is not cay else None
                peer.build(context)
            except RuntimeError as error:
                print(f"{peer.name}: not measured: {error}", file=sys.stderr)
                peers.remove(peer)
        report = Report(options.json)
        report.times("build, done", in_turn(peers, options.rounds, lambda peer: seconds(lambda: peer.build(context))))
        for peer in peers:
            peer.build(context, cached=True)
        report.times("build, found again", in_turn(peers, options.rounds, lambda peer: seconds(lambda: peer.build(context, cached=True))))
        pullers = [peer for peer in peers if "buildkit" not in peer.name]
        other = Image(Env=["PATH=/bin"])
        for number in range(10):
            other.layer([file(f"data-{number}", os.urandom(6 << 20))])
        pulled_image = registry.push(other, "pulled:1")
        report.times("pull of 60 MiB in 10 layers", in_turn(pullers, options.rounds, lambda peer: pulled(peer, pulled_image)))
        report.times("create", creates(cay, options.rounds * 10))
        report.reads(disk_reads(cay, 50))
        if options.fixtures:
            fixtures(options.fixtures.split(","), cay, peers, top, max(options.rounds // 2, 1), report)
        report.end()


if __name__ == "__main__":
    main()
