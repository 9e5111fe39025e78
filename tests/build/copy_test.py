#!/usr/bin/env python3
"""COPY, ADD and WORKDIR as BuildKit does them: the same contexts and Dockerfiles, by Cay and by a Docker daemon of the test's own, give
the same trees, or are errors for both. As root, for owners. Exits with 77 where there is no Docker.

What Docker's BuildKit of Debian 12 does not know (--link, --parents, --exclude, heredocs, --chmod by letters), or does as later ones
do not (--chown of what an archive holds, a destination that ends with "/."), is not asked here."""

import argparse
import hashlib
import io
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "template"))
import docker as docker_of_test  # noqa: E402

TIME = 1_000_000_000
RANDOM_CASES = 25


class Context:
    """A directory of files, whose times are known."""

    def __init__(self, top):
        self.top = top
        os.makedirs(top)

    def at(self, path):
        full = os.path.join(self.top, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        return full

    def file(self, path, content="x", mode=0o644):
        with open(self.at(path), "wb") as file:
            file.write(content if isinstance(content, bytes) else content.encode())
        os.chmod(self.at(path), mode)
        return self

    def directory(self, path, mode=0o755):
        os.makedirs(self.at(path), exist_ok=True)
        os.chmod(self.at(path), mode)
        return self

    def symlink(self, path, target):
        os.symlink(target, self.at(path))
        return self

    def link(self, path, other):
        os.link(self.at(other), self.at(path))
        return self

    def finish(self, dockerfile):
        self.file("Dockerfile", dockerfile)
        for directory, directories, files in os.walk(self.top, topdown=False):
            for name in sorted(directories + files):
                os.utime(os.path.join(directory, name), (TIME, TIME), follow_symlinks=False)


def archive(compression=""):
    """A tar with a directory, a file, a link of it and a symlink."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:" + compression) as tar:
        for name, kind, target in [("dir", tarfile.DIRTYPE, ""), ("dir/f", tarfile.REGTYPE, ""), ("dir/again", tarfile.LNKTYPE, "dir/f"),
                                   ("to", tarfile.SYMTYPE, "dir")]:
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.mtime, info.uid, info.gid = kind, target, TIME + 5, 12, 34
            info.mode = 0o750 if kind == tarfile.DIRTYPE else 0o777 if kind == tarfile.SYMTYPE else 0o640
            info.size = 3 if kind == tarfile.REGTYPE else 0
            tar.addfile(info, io.BytesIO(b"abc") if info.size else None)
    return buffer.getvalue()


class Docker:
    """Builds by the daemon's API: the command line would want a plugin for BuildKit."""

    def __init__(self, docker):
        self.docker, self.count = docker, 0

    def post(self, query, *more):
        socket = self.docker.host.removeprefix("unix://")
        return subprocess.Popen(["curl", "-sS", "--max-time", "60", "--unix-socket", socket, "-X", "POST", *more,
                                 f"http://docker/v1.41/build?version=2&{query}"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def build(self, context):
        """The tree, or None and what Docker said."""
        self.count += 1
        name = f"case{self.count}"
        with tempfile.NamedTemporaryFile(suffix=".tar") as packed:
            # BuildKit looks for a tar in the first kilobyte: no extended header before it.
            with tarfile.open(packed.name, "w", format=tarfile.GNU_FORMAT) as tar:
                for entry in sorted(os.listdir(context.top)):
                    tar.add(os.path.join(context.top, entry), entry)
            upload = self.post(f"buildid=upload-request:{name}", "-H", "Content-Type: application/x-tar", "--data-binary", "@" + packed.name)
            said = self.post(f"t={name}&buildid={name}&remote=upload-request").communicate()[0].decode()
            upload.communicate()
        if "Successfully tagged" not in said:
            return None, said[-300:]
        image = tarfile.open(fileobj=io.BytesIO(self.docker.run("save", name)))
        return merged(image, json.load(image.extractfile("manifest.json"))[0]["Layers"]), ""


def merged(image, layers):
    tree = {}
    for layer in layers:
        with tarfile.open(fileobj=image.extractfile(layer)) as tar:
            links = {}
            for entry in tar:
                path = os.path.normpath(entry.name)
                if os.path.basename(path).startswith(".wh."):
                    raise RuntimeError(f"a whiteout was not expected: {path}")
                if not entry.isdir():
                    for below in [p for p in tree if p.startswith(path + "/")]:
                        del tree[below]
                kind = "directory" if entry.isdir() else "symlink" if entry.issym() else "file"
                group = links.get(os.path.normpath(entry.linkname), os.path.normpath(entry.linkname)) if entry.islnk() else path
                links[path] = group
                content = entry.linkname if entry.issym() else ""
                if kind == "file":
                    content = hashlib.sha256(tar.extractfile(entry).read()).hexdigest()
                tree[path] = [kind, f"{entry.mode & 0o7777:o}", str(entry.uid), str(entry.gid),
                              str(int(entry.mtime)) if kind == "file" else "0", layer + group, content]
    return named_by_first(tree)


def named_by_first(tree):
    """Groups of links by the first of their names that is there."""
    first = {}
    for path in sorted(tree, key=lambda p: p.split("/")):
        first.setdefault(tree[path][5], path)
        tree[path][5] = first[tree[path][5]]
    return tree


def cay(program, context, directory):
    done = subprocess.run([program, directory, context.top, os.path.join(context.top, "Dockerfile")], capture_output=True, timeout=120)
    if done.returncode != 0:
        return None, done.stderr.decode().strip()
    tree = {}
    for line in done.stdout.decode().splitlines():
        path, *rest = line.split("\t")
        tree[path] = rest
    return named_by_first(tree), ""


def usual(context, dockerfile):
    context.directory("src/sub", 0o750).file("src/sub/f", "1", 0o600).file("src/g", "2", 0o755).symlink("src/l", "sub/f")
    context.symlink("src/out", "/etc").directory("src/empty", 0o700).file("a.txt", "a").file("b.txt", "b", 0o400)
    context.symlink("tolink", "a.txt").symlink("todir", "src").directory("one/d").file("one/d/x", "1").file("one/y", "one")
    context.directory("two/d", 0o711).file("two/d/x", "2").file("two/d/z", "2").file("two/y", "two").link("two/y2", "two/y")
    context.file("plain.tar", archive()).file("packed.dat", archive("gz")).file("not.tar", "text").file("x.tar.xz", archive("xz"))
    context.file("x.tbz", archive("bz2"))
    # What is below.
    context.directory("base/usr/lib", 0o755).symlink("base/lib", "usr/lib").symlink("base/abs", "/usr/lib").symlink("base/dangling", "/new/place")
    context.directory("base/opt/src/sub", 0o711).file("base/opt/file", "old").symlink("base/opt/link", "file").symlink("base/loop", "loop")
    context.file("base/etc/passwd", "root:x:0:0::/:\napp:x:1000:1001::/:\n").file("base/etc/group", "staff:x:50:\n")
    context.directory("base/opt/file2/x").symlink("base/opt/tolib", "../usr/lib")
    return dockerfile + "\n"


# What comes after "FROM scratch" and "COPY base/ /".
CASES = {
    "a file to a name": "COPY a.txt /new/b",
    "a file into a directory": "COPY a.txt /new/\nCOPY b.txt /opt",
    "several": "COPY a.txt b.txt src /new/",
    "a directory": "COPY src /new",
    "a directory, slashes": "COPY src/ /new/",
    "a directory over another": "COPY src /opt/src",
    "all": "COPY . /new",
    "the root": "COPY src /",
    "links of files": "COPY two /new",
    "a symlink to a file": "COPY tolink /new/\nCOPY tolink /n",
    "a symlink to a directory": "COPY todir /new\nCOPY todir/sub /n/",
    "a pattern": "COPY *.txt /new/",
    "a pattern of directories": "COPY o* t*o /new/",
    "a pattern below": "COPY */d/? /new/",
    "a pattern through a symlink": "COPY todir/s* /new/",
    "a pattern of a symlink": "COPY to[l]ink /new/",
    "a pattern of nothing": "COPY a.txt zzz* /new/",
    "a pattern in no directory": "COPY no/zzz* /new/",
    "a pattern in a file": "COPY a.txt/* /new/",
    "a path that is not there": "COPY zzz /new/",
    "through a symlink": "COPY a.txt /lib/\nCOPY a.txt /abs/x\nCOPY src /opt/tolib",
    "to a symlink": "COPY a.txt /opt/link",
    "to a dangling symlink": "COPY a.txt /dangling",
    "a directory to a dangling symlink": "COPY src /dangling",
    "below a dangling symlink": "COPY a.txt /dangling/x/y",
    "to a loop": "COPY a.txt /loop",
    "a file over a directory": "COPY one/y /opt/file2/x/\nCOPY one /opt/file2",
    "a directory over a file": "COPY src /opt/file",
    "a directory over a file, inside": "COPY one/d /new/x\nCOPY src/sub /new\nCOPY one /new/x",
    "a directory over a symlink, inside": "COPY src /new\nCOPY --from=0 /opt /new/l",
    "a file over a file": "COPY a.txt /opt/file",
    "below a file": "COPY a.txt /opt/file/x",
    "an owner by number": "COPY --chown=5:6 src /new/deep",
    "an owner by one number": "COPY --chown=5 a.txt /new/deep/",
    "an owner by name": "COPY --chown=app a.txt /new\nCOPY --chown=app:staff src /opt/src",
    "an owner by name and number": "COPY --chown=7:staff a.txt /new",
    "a mode": "COPY --chmod=640 src /new",
    "a mode of a file": "COPY --chmod=0711 a.txt /new/",
    "a working directory": "WORKDIR /work/here\nCOPY a.txt .\nCOPY b.txt sub/\nWORKDIR ../there\nCOPY src ./\nWORKDIR /lib/w",
    "an archive": "ADD plain.tar /new",
    "an archive with gzip": "ADD packed.dat /new/x/",
    "an archive with xz": "ADD x.tar.xz /new/x/",
    "an archive with bzip2": "ADD x.tbz /new/x/",
    "an archive over what is there": "COPY src /new\nADD plain.tar /new",
    "an archive through a symlink": "ADD plain.tar /lib",
    "an archive that is copied": "COPY plain.tar /new/",
    "no archive": "ADD not.tar /new/",
    "an archive and a file": "ADD plain.tar a.txt /new/",
    "an archive over a file": "ADD plain.tar /opt/file",
    "above the root": "COPY ../../a.txt /../../new/../b",
    "dots": "COPY ./src/../a.txt /new/./x/../y",
    "several files to a directory that is there": "COPY a.txt b.txt /opt",
    "a stage": "COPY --from=0 /opt /new\nCOPY --from=0 /etc/passwd /p",
    "owners of a stage": "COPY --chown=5:6 src /s\n\nFROM scratch\nCOPY --from=0 /s /new\nCOPY --from=0 --chown=8 /s/g /g\nCOPY --from=0 /abs/ /libs/",
}


def random_case(seed, context):
    """Names from few, so that they meet."""
    chance = random.Random(seed)
    names = ["a", "b", "c", "d"]

    def fill(top, steps):
        places = [top]
        for _ in range(steps):
            path = os.path.join(chance.choice(places), chance.choice(names))
            if os.path.lexists(context.at(path)):
                continue
            kind = chance.choice(["directory", "directory", "file", "file", "symlink"])
            if kind == "directory":
                context.directory(path, chance.choice([0o755, 0o700, 0o775]))
                places.append(path)
            elif kind == "file":
                context.file(path, str(chance.random()), chance.choice([0o644, 0o600, 0o755]))
            else:
                context.symlink(path, "/".join(chance.choice([[], ["", ""], [".."]]) + [chance.choice(names) for _ in range(chance.randint(1, 2))]))

    context.directory("base").directory("one").directory("two")
    for top, steps in [("base", 14), ("one", 10), ("two", 10)]:
        fill(top, steps)
    context.file("t.tar", archive(chance.choice(["", "gz"])))
    there = [os.path.relpath(os.path.join(directory, name), context.top) for top in ["one", "two"]
             for directory, directories, files in os.walk(context.at(top)) for name in directories + files]
    lines = []
    for _ in range(4):
        sources = [pattern(chance, chance.choice(there + ["one", "two"])) for _ in range(chance.choice([1, 1, 1, 2]))]
        owner = chance.choice(["", "", "", "--chown=3:4 "])
        slash = "/" if len(sources) > 1 else chance.choice(["", "/", "/"])
        destination = "/" + "/".join(chance.choice(names + ["n", "m"]) for _ in range(chance.randint(1, 3))) + slash
        lines.append(f"COPY {owner}{' '.join(sources)} {destination}" if chance.random() < 0.9 else f"ADD t.tar {destination}")
    return "\n".join(lines)


def pattern(chance, path):
    """A path, or a pattern that matches it."""
    return "/".join(part if chance.random() < 0.8 else chance.choice(["*", "?" * len(part), f"[{part[0]}x]{part[1:]}"]) for part in path.split("/"))


def compare(name, dockerfile, context, docker, program, directory):
    """True: the same trees; False: errors; None: a difference, which is printed. What is before an error is compared as well."""
    context.finish(dockerfile)
    os.makedirs(directory)
    theirs, theirs_said = docker.build(context)
    ours, ours_said = cay(program, context, directory)
    if theirs == ours and theirs is not None:
        return True
    if theirs is None and ours is None:
        line = int(re.search(r"line (\d+): ", ours_said)[1])
        before = "\n".join(dockerfile.split("\n")[: line - 1])
        return False if compare(name, before + "\n", context, docker, program, directory + "-before") else None
    print(f"FAILED: {name}\n{dockerfile}")
    if theirs is None or ours is None:
        print(f"  docker: {theirs_said if theirs is None else 'no error'}\n  cay: {ours_said if ours is None else 'no error'}")
        return None
    for path in sorted(set(theirs) | set(ours)):
        if theirs.get(path) != ours.get(path):
            print(f"  {path}\n    docker {theirs.get(path)}\n    cay    {ours.get(path)}")
    return None


BASE = "FROM scratch\nCOPY base/ /\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=RANDOM_CASES)
    options = parser.parse_args()
    if not docker_of_test.is_here() or shutil.which("curl") is None or os.geteuid() != 0:
        print("root, docker, dockerd and curl are needed")
        return 77
    results = {True: 0, False: 0, None: 0}
    with tempfile.TemporaryDirectory(prefix="cay-copy-") as top, docker_of_test.Docker(f"{top}/docker") as daemon:
        docker = Docker(daemon)

        def ask(name, fill):
            number = sum(results.values())
            context = Context(f"{top}/context{number}")
            dockerfile = fill(context)
            results[compare(name, dockerfile, context, docker, options.program, f"{top}/layers{number}")] += 1

        for name, steps in CASES.items():
            stage = BASE if "--from=0" in steps and "FROM" not in steps else ""
            ask(name, lambda context, text=stage + BASE + steps: usual(context, text))
        for seed in range(options.seed, options.seed + options.rounds):
            ask(f"seed {seed}", lambda context, seed=seed: BASE + random_case(seed, context))
    print(f"{results[True]} the same, {results[False]} refused by both, {results[None]} different")
    return 1 if results[None] else 0


if __name__ == "__main__":
    sys.exit(main())
