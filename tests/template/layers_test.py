#!/usr/bin/env python3
"""Layers of images, unpacked by Cay, by umoci, and by a model of what they mean: the trees are the same. As root and as an
ordinary user. Exits with 77 without umoci."""

import argparse
import gzip
import hashlib
import io
import json
import os
import random
import shutil
import stat
import subprocess
import sys
import tarfile
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from checks import as_user  # noqa: E402

ORDINARY = 61001
LAYERS = 6
STEPS = 14


def digest(data):
    return hashlib.sha256(data).hexdigest()


class Node:
    """A file, directory or symlink of the model. Links of one file are one Node."""

    def __init__(self, kind, mode=0o644, uid=0, gid=0, mtime=0, content=b"", target="", xattrs=None):
        self.kind, self.mode, self.uid, self.gid, self.mtime = kind, mode, uid, gid, mtime
        self.content, self.target, self.xattrs = content, target, dict(xattrs or {})
        self.children = {}


def parents_of(path):
    parts = path.split("/")
    return ["/".join(parts[:i]) for i in range(1, len(parts))]


class Image:
    """Layers as they are made, and the tree that they come to: what image-spec's layer.md says, on a dictionary."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.tree = {}  # path -> Node
        self.layers = []
        self.clock = 1_000_000_000
        self.linked = []  # names of one file by the last layer
        for number in range(LAYERS):
            self.layers.append(self.layer(number))

    # What may be chosen.
    def paths(self, kind=None):
        return sorted(path for path, node in self.tree.items() if kind is None or node.kind == kind)

    def pick(self, choices):
        return self.random.choice(choices) if choices else None

    def new_path(self):
        directory = self.pick(self.paths("directory") + ["", ""])
        name = self.pick(["a", "b", "c", "d", "lib", "long-" + "n" * self.random.choice([20, 120, 200])])
        return f"{directory}/{name}" if directory else name

    def new_node(self, kind, **more):
        self.clock += self.random.randrange(1, 1000)
        uid, gid = self.pick([(0, 0), (0, 0), (33, 33), (1000, 1001), (65535, 7)])
        mode = self.pick([0o755, 0o700, 0o1777] if kind == "directory" else [0o644, 0o600, 0o755, 0o444])
        xattrs = {"user.note": "value"} if kind != "symlink" and self.random.random() < 0.2 else {}
        return Node(kind, mode=0o777 if kind == "symlink" else mode, uid=uid, gid=gid, mtime=self.clock, xattrs=xattrs, **more)

    def remove(self, path):
        for other in [p for p in self.tree if p == path or p.startswith(path + "/")]:
            del self.tree[other]

    def layer(self, number):
        """Changes of the tree, and the archive that says the same of it as the one before."""
        before = dict(self.tree)
        entries = []  # (path, Node, link target)
        made = set()  # paths with an entry here
        gone = set()  # of `before`, and everything below them
        emptied = set()
        needed = set()  # paths that links of this layer were made to: never removed by it
        for _ in range(STEPS if number else 2 * STEPS):
            act = self.random.random()
            victim = self.pick([p for p in self.paths() if p in before and not self.touches(p, made | needed)])
            if act < 0.2 and victim:
                self.remove(victim)
                gone.add(victim)
            elif act < 0.25 and victim and self.tree[victim].kind == "directory":
                for child in [p for p in self.tree if p.startswith(victim + "/")]:
                    del self.tree[child]
                emptied.add(victim)
            else:
                self.add(entries, made, needed)
        self.linked = [(path, target) for path, node, target in entries
                       if target and self.tree.get(path) is node and self.tree.get(target) is node]
        return self.archive(entries, gone, emptied)

    @staticmethod
    def touches(path, made):
        """Whether an entry of this layer lies there, below, or above."""
        return any(m == path or m.startswith(path + "/") or path.startswith(m + "/") for m in made)

    def add(self, entries, made, needed):
        path = self.new_path()
        if self.touches(path, {p for p in made if p == path or p.startswith(path + "/")}):
            return
        kind = self.pick(["file"] * 4 + ["directory"] * 3 + ["symlink", "link", "link"])
        target = None
        if kind == "link":
            # A link to a file of this layer, or of one below.
            target = self.pick([p for p in self.paths("file") if p != path and not p.startswith(path + "/")])
            if target is None:
                return
            node = self.tree[target]
            needed.add(target)
        elif kind == "file":
            node = self.new_node(kind, content=self.random.randbytes(self.pick([0, 1, 100, 5000, 70000])))
        elif kind == "symlink":
            node = self.new_node(kind, target=self.pick(["/nowhere", "a", "../b", "x" * 150]))
        else:
            node = self.new_node(kind)
        existing = self.tree.get(path)
        if not (existing and existing.kind == "directory" and kind == "directory"):
            self.remove(path)
        self.tree[path] = node
        made.add(path)
        entries.append((path, node, target))

    def archive(self, entries, gone, emptied):
        """Whiteouts come before, between or after the entries; before, where a link may need it otherwise."""
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w", format=self.pick([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])) as tar:
            for path in sorted(gone):
                directory, _, name = path.rpartition("/")
                self.write(tar, Node("file"), f"{directory}/.wh.{name}" if directory else f".wh.{name}")
            for path in sorted(emptied):
                self.write(tar, Node("file"), f"{path}/.wh..wh..opq")
            for path, node, target in entries:
                self.write(tar, node, path, target)
        return out.getvalue()

    def write(self, tar, node, path, target=None):
        info = tarfile.TarInfo(self.pick(["", "./"]) + path)
        info.mode, info.uid, info.gid, info.mtime = node.mode, node.uid, node.gid, node.mtime
        if tar.format == tarfile.PAX_FORMAT and not target:
            info.pax_headers = {f"SCHILY.xattr.{name}": value for name, value in node.xattrs.items()}
        elif not target:
            node.xattrs = {}
        if target:
            info.type, info.linkname = tarfile.LNKTYPE, target
        elif node.kind == "directory":
            info.type = tarfile.DIRTYPE
        elif node.kind == "symlink":
            info.type, info.linkname = tarfile.SYMTYPE, node.target
        info.size = len(node.content) if node.kind == "file" and not target else 0
        tar.addfile(info, io.BytesIO(node.content) if info.size else None)

    def shown(self):
        """As unpack-layers prints it."""
        first, lines = {}, {}
        for path in sorted(self.tree, key=lambda p: p.encode()):
            node = self.tree[path]
            group = path if node.kind == "directory" else first.setdefault(id(node), path)
            content = {"file": digest(node.content), "symlink": node.target, "directory": ""}[node.kind]
            xattrs = "".join(f"{name}={value};" for name, value in sorted(node.xattrs.items()))
            lines[path] = [node.kind, f"{node.mode:o}", str(node.uid), str(node.gid), str(node.mtime),
                           str(len(node.content)), group, content, xattrs]
        return lines


def shown_by_disk(root):
    """The same of a directory."""
    paths = []
    for directory, directories, files in os.walk(root):
        paths += [os.path.relpath(os.path.join(directory, name), root) for name in directories + files]
    first, lines = {}, {}
    for path in sorted(paths, key=lambda p: p.encode()):
        full = os.path.join(root, path)
        info = os.lstat(full)
        kind = {stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "symlink"}[stat.S_IFMT(info.st_mode)]
        content = os.readlink(full) if kind == "symlink" else ""
        if kind == "file":
            with open(full, "rb") as file:
                content = digest(file.read())
        group = path if kind == "directory" else first.setdefault(info.st_ino, path)
        xattrs = "".join(f"{name}={os.getxattr(full, name, follow_symlinks=False).decode()};"
                         for name in sorted(os.listxattr(full, follow_symlinks=False)) if name.startswith("user."))
        lines[path] = [kind, f"{stat.S_IMODE(info.st_mode):o}", str(info.st_uid), str(info.st_gid), str(int(info.st_mtime)),
                       str(info.st_size if kind == "file" else 0), group, content, xattrs]
    return lines


class Tester:
    def __init__(self, program, umoci):
        self.program, self.umoci = program, umoci
        self.failures = 0

    def fail(self, what):
        self.failures += 1
        print("FAILED:", what)

    def compressed(self, layer, number):
        if number % 3 == 0:
            return layer, "tar"
        if number % 3 == 1:
            middle = len(layer) // 2
            return gzip.compress(layer[:middle]) + gzip.compress(layer[middle:]), "tar+gzip"
        return subprocess.run(["zstd", "-q", "-c"], input=layer, stdout=subprocess.PIPE, check=True).stdout, "tar+zstd"

    def ours(self, work, layers, user):
        arguments = []
        for number, layer in enumerate(layers):
            blob, _ = self.compressed(layer, number)
            path = os.path.join(work, digest(blob))
            with open(path, "wb") as file:
                file.write(blob)
            arguments.append(f"{path}=sha256:{digest(layer)}")
        out = os.path.join(work, f"out-{user}")
        os.mkdir(out)
        os.chown(out, user, user)
        command = as_user(user, [self.program, out] + arguments)
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            return done.stderr
        lines = (line.split("\t") for line in done.stdout.splitlines())
        return {line[0]: line[1:] for line in lines}

    def theirs(self, work, layers):
        """What `umoci raw unpack` makes of them, of an image layout written here."""
        layout = os.path.join(work, "image")
        blobs = os.path.join(layout, "blobs", "sha256")
        os.makedirs(blobs)

        def put(data, media):
            with open(os.path.join(blobs, digest(data)), "wb") as file:
                file.write(data)
            return {"mediaType": f"application/vnd.oci.image.{media}", "digest": f"sha256:{digest(data)}", "size": len(data)}

        config = {"architecture": "amd64", "os": "linux", "config": {},
                  "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest(layer)}" for layer in layers]}}
        manifest = {"schemaVersion": 2, "config": put(json.dumps(config).encode(), "config.v1+json"),
                    "layers": [put(gzip.compress(layer), "layer.v1.tar+gzip") for layer in layers]}
        reference = put(json.dumps(manifest).encode(), "manifest.v1+json")
        reference["annotations"] = {"org.opencontainers.image.ref.name": "t"}
        with open(os.path.join(layout, "index.json"), "w", encoding="utf-8") as file:
            json.dump({"schemaVersion": 2, "manifests": [reference]}, file)
        with open(os.path.join(layout, "oci-layout"), "w", encoding="utf-8") as file:
            json.dump({"imageLayoutVersion": "1.0.0"}, file)
        root = os.path.join(work, "theirs")
        done = subprocess.run([self.umoci, "raw", "unpack", "--image", f"{layout}:t", root],
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
        return done.stderr if done.returncode else shown_by_disk(root)

    def compare(self, name, got, expected, fields):
        if isinstance(got, str) or isinstance(expected, str):
            self.fail(f"{name}: {got if isinstance(got, str) else expected}")
            return
        for path in sorted(set(got) | set(expected)):
            one, other = got.get(path), expected.get(path)
            if one is None or other is None or any(one[field] != other[field] for field in fields):
                self.fail(f"{name}: {path}: {one} and not {other}")

    def compare_links(self, name, got, model, image):
        """Names of one file are of one file in the model as well; and those that the last layer links are."""
        if isinstance(got, str):
            return
        for path, line in got.items():
            if path in model and model[path][6] != model.get(line[6], [None] * 7)[6]:
                self.fail(f"{name}: {path} and {line[6]} are one file")
        for path, target in image.linked:
            if got[path][6] != got[target][6]:
                self.fail(f"{name}: {path} and {target} are two files")

    def random_image(self, seed):
        image = Image(seed)
        model = image.shown()
        everything = range(9)
        # In an overlay a file that is copied up is no longer one with its names in layers below; and an ordinary user cannot
        # give files away.
        merged = [0, 1, 2, 3, 4, 5, 7, 8]
        of_a_user = [0, 1, 4, 5, 7, 8]
        with tempfile.TemporaryDirectory() as work:
            os.chmod(work, 0o755)
            for name, user, fields in (("root", 0, merged), ("an ordinary user", ORDINARY, of_a_user)):
                got = self.ours(work, image.layers, user)
                self.compare(f"seed {seed}, {name}", got, model, fields)
                self.compare_links(f"seed {seed}, {name}", got, model, image)
            self.compare(f"seed {seed}, umoci", self.theirs(work, image.layers), model, everything)


    def command(self, *arguments):
        done = subprocess.run(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{' '.join(arguments)}: {done.stderr}")

    def image_of_umoci(self):
        """Layers that umoci makes of changes of a directory."""
        with tempfile.TemporaryDirectory() as work:
            os.chmod(work, 0o755)
            layout, bundle = os.path.join(work, "image"), os.path.join(work, "bundle")
            root = os.path.join(bundle, "rootfs")
            self.command(self.umoci, "init", "--layout", layout)
            self.command(self.umoci, "new", "--image", f"{layout}:t")
            for change in (make_first, change_files, remove_and_replace):
                shutil.rmtree(bundle, ignore_errors=True)
                self.command(self.umoci, "unpack", "--image", f"{layout}:t", bundle)
                change(root)
                self.command(self.umoci, "repack", "--image", f"{layout}:t", bundle)

            def read(named):
                with open(os.path.join(layout, "blobs", "sha256", named.removeprefix("sha256:")), "rb") as file:
                    return file.read()

            with open(os.path.join(layout, "index.json"), encoding="utf-8") as file:
                manifest = json.loads(read(json.load(file)["manifests"][-1]["digest"]))
            layers = [gzip.decompress(read(layer["digest"])) for layer in manifest["layers"]]
            # Without times: its archives have them rounded to whole seconds, up or down.
            self.compare("an image of umoci's", self.ours(work, layers, 0), shown_by_disk(root), [0, 1, 2, 3, 5, 7, 8])

    def archives_of_tar(self):
        """Layers that GNU tar makes, in its formats."""
        for form in ("gnu", "oldgnu", "pax"):
            with tempfile.TemporaryDirectory() as work:
                os.chmod(work, 0o755)
                layers = []
                for number, change in enumerate((make_first, change_files)):
                    root = os.path.join(work, f"made-{number}")
                    os.mkdir(root)
                    make_first(root)
                    if change is not make_first:
                        change(root)
                    archive = os.path.join(work, f"{number}.tar")
                    xattrs = ["--xattrs"] if form == "pax" else []
                    self.command("tar", "-C", root, "--sparse", f"--format={form}", *xattrs, "-cf", archive, ".")
                    with open(archive, "rb") as file:
                        layers.append(file.read())
                # The second has all that the first has, so the tree is that of the second.
                fields = [0, 1, 2, 3, 4, 5, 6, 7] + ([8] if form == "pax" else [])
                self.compare(f"tar's {form}", self.ours(work, layers, 0), shown_by_disk(root), fields)


def put(root, path, content, mode=0o644):
    full = os.path.join(root, path)
    os.makedirs(os.path.dirname(full), exist_ok=True)
    with open(full, "wb") as file:
        file.write(content)
    os.chmod(full, mode)
    os.utime(full, (1_000_000, 1_000_000))


def make_first(root):
    put(root, "etc/passwd", b"root:x:0:0::/:/bin/sh\n")
    put(root, "usr/bin/tool", b"tool" * 10_000, 0o755)
    os.link(os.path.join(root, "usr/bin/tool"), os.path.join(root, "usr/bin/same"))
    put(root, "/".join(["deep" * 20] * 5).lstrip("/") + "/file", b"far")
    os.symlink("usr/bin", os.path.join(root, "bin"))
    os.symlink("y" * 300, os.path.join(root, "far"))
    put(root, "var/lib/one/a", b"1")
    put(root, "var/lib/two/b", b"2")
    put(root, "sparse", b"begin")
    os.truncate(os.path.join(root, "sparse"), 3_000_000)
    os.chown(os.path.join(root, "var/lib/one"), 33, 33)
    os.setxattr(os.path.join(root, "etc/passwd"), "user.note", b"kept")


def change_files(root):
    put(root, "etc/passwd", b"other\n", 0o600)
    os.link(os.path.join(root, "usr/bin/tool"), os.path.join(root, "usr/bin/third"))
    os.chmod(os.path.join(root, "var/lib/two"), 0o1777)
    put(root, "var/lib/one/c", b"3")


def remove_and_replace(root):
    shutil.rmtree(os.path.join(root, "var/lib/one"))
    put(root, "var/lib/one", b"a file now")
    os.unlink(os.path.join(root, "bin"))
    put(root, "bin/sh", b"sh", 0o755)
    shutil.rmtree(os.path.join(root, "deep" * 20))
    os.unlink(os.path.join(root, "usr/bin/same"))
    os.unlink(os.path.join(root, "far"))
    os.symlink("nearer", os.path.join(root, "far"))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", required=True)
    parser.add_argument("--seeds", type=int, default=50)
    parser.add_argument("--first", type=int, default=0)
    options = parser.parse_args()
    umoci = shutil.which("umoci")
    if not umoci or os.geteuid() != 0:
        print("skipped: it needs root and umoci")
        return 77
    tester = Tester(options.program, umoci)
    for seed in range(options.first, options.first + options.seeds):
        tester.random_image(seed)
    tester.image_of_umoci()
    tester.archives_of_tar()
    print(f"{options.seeds} images, {tester.failures} differences")
    return 1 if tester.failures else 0


if __name__ == "__main__":
    sys.exit(main())
