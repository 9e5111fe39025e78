#!/usr/bin/env python3
"""How long images take here, beside others in the same run: a build of a Dockerfile, done and found again; a pull from a registry of this
machine; a create from an image of ten layers beside one of the machine's own files; what fifty sandboxes of one template read from disk.
Docker (its own daemon, overlay2) and buildah where they are installed. Prints a table of p50 and p99, and JSON with --json."""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tests", "support"))
sys.path.insert(0, os.path.join(HERE, "..", "tests", "template"))
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

    def command(self, *arguments):
        return must([self.program, *arguments], env=self.environment)

    def load(self, archive):
        self.command("template", "import", "-q", "base:1", archive)

    def build(self, context, cached):
        self.command("template", "build", "-q", "-t", "built", *([] if cached else ["--no-cache"]), context)

    def pull(self, image):
        self.command("template", "pull", "-q", "--as", "pulled", image)

    def forget(self, _):
        self.command("template", "rm", "pulled")


class DockerPeer:
    def __init__(self, docker, buildkit):
        self.docker, self.buildkit = docker, buildkit
        self.name = "docker" + (" (buildkit)" if buildkit else " (classic)")
        self.environment = {**os.environ, "DOCKER_BUILDKIT": "1" if buildkit else "0"}

    def command(self, *arguments):
        return must(["docker", "--host", self.docker.host, *arguments], env=self.environment)

    def load(self, archive):
        self.command("load", "-q", "-i", archive)

    def build(self, context, cached):
        self.command("build", "-q", "--network=none", "-t", "built", *([] if cached else ["--no-cache"]), context)

    def pull(self, image):
        self.command("pull", "-q", image)

    def forget(self, image):
        self.command("rmi", "-f", image)


class Buildah:
    name = "buildah"

    def __init__(self, top):
        self.options = ["--root", f"{top}/buildah", "--runroot", f"{top}/buildah-run", "--storage-driver=overlay"]

    def command(self, *arguments):
        return must(["buildah", *self.options, *arguments])

    def load(self, archive):
        self.command("pull", "-q", f"docker-archive:{archive}")

    def build(self, context, cached):
        self.command("bud", "-q", "--isolation=chroot", "--layers", "--pull-never", "-t", "built", *([] if cached else ["--no-cache"]), context)

    def pull(self, image):
        self.command("pull", "-q", "--tls-verify=false", f"docker://{image}")

    def forget(self, image):
        self.command("rmi", "-f", image)


def figures(samples):
    ordered = sorted(samples)
    return {"p50": round(statistics.median(ordered) * 1000, 1), "p99": round(ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))] * 1000, 1),
            "samples": len(ordered)}


def in_turn(peers, rounds, action):
    """One of each after the other, so that whatever the machine does meets all of them; milliseconds."""
    samples = {peer.name: [] for peer in peers}
    for _ in range(rounds):
        for peer in peers:
            samples[peer.name].append(action(peer))
    return {name: figures(taken) for name, taken in samples.items()}


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


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cay", required=True, type=os.path.abspath)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cay-images-") as top:
        os.chmod(top, 0o755)
        context = os.path.join(top, "context")
        make_context(context)
        with open(os.path.join(context, "Dockerfile"), "w") as out:
            out.write(DOCKERFILE.format(base="base:1"))
        with Registry(os.path.join(top, "registry")) as registry:
            image = registry.push(base_image(), "base:1")
            cay = Cay(options.cay, top)
            archive = os.path.join(top, "base.tar")
            cay.command("template", "pull", "-q", "--as", "base:1", image)
            cay.command("template", "export", "-q", "--format", "docker", "base:1", archive)
            result = {}
            docker = None
            peers = [cay]
            if is_here():
                docker = Docker(os.path.join(top, "docker"), driver="overlay2", own_network=False).__enter__()
                peers += [DockerPeer(docker, False), DockerPeer(docker, True)]
            if shutil.which("buildah"):
                peers.append(Buildah(top))
            try:
                for peer in list(peers):
                    try:
                        peer.load(archive) if peer is not cay else None
                        peer.build(context, False)
                    except RuntimeError as error:
                        print(f"{peer.name}: not measured: {error}", file=sys.stderr)
                        peers.remove(peer)
                result["build, done"] = in_turn(peers, options.rounds, lambda peer: seconds(lambda: peer.build(context, False)))
                for peer in peers:
                    peer.build(context, True)
                result["build, found again"] = in_turn(peers, options.rounds, lambda peer: seconds(lambda: peer.build(context, True)))
                pullers = [peer for peer in peers if "buildkit" not in peer.name]
                other = Image(Env=["PATH=/bin"])
                for number in range(10):
                    other.layer([file(f"data-{number}", os.urandom(6 << 20))])
                pulled_image = registry.push(other, "pulled:1")
                result["pull of 60 MiB in 10 layers"] = in_turn(pullers, options.rounds, lambda peer: pulled(peer, pulled_image))
                result["create"] = creates(cay, options.rounds * 10)
            finally:
                if docker:
                    docker.__exit__()
        if options.json:
            print(json.dumps(result, indent=1))
            return
        for what, of in result.items():
            print(what)
            for name, taken in of.items():
                print(f"  {name:22} p50 {taken['p50']:9.1f} ms   p99 {taken['p99']:9.1f} ms   ({taken['samples']})")


if __name__ == "__main__":
    main()
