"""Images for tests, made of what is here, and a registry of the test's own that has them.

    image = Image(env=["GREETING=hello"], cmd=["sh"])
    image.layer([Directory("bin"), File("bin/sh", busybox(), mode=0o755)])
    with Registry(directory) as registry:
        registry.push(image, "team/app:1.2")          # as skopeo does it

Debian's docker-registry is the registry, skopeo the client that pushes. As a program, `images.py DIRECTORY PORT`: starts a
registry, which goes on, with the image of docs/cli.md in it.
"""

import contextlib
import gzip
import hashlib
import io
import json
import os
import shutil
import socket
import subprocess
import sys
import tarfile
import time
import urllib.error
import urllib.request


def digest_of(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def busybox():
    with open("/bin/busybox", "rb") as file:
        return file.read()


def entry(name, kind=tarfile.REGTYPE, mode=0o644, content=b"", target="", uid=0, gid=0):
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.linkname, info.uid, info.gid = kind, mode, target, uid, gid
    info.size, info.mtime = len(content), 1_700_000_000
    return info, content


def file(name, content, mode=0o644, **more):
    return entry(name, mode=mode, content=content if isinstance(content, bytes) else content.encode(), **more)


def directory(name, mode=0o755, **more):
    return entry(name, tarfile.DIRTYPE, mode, **more)


def symlink(name, target):
    return entry(name, tarfile.SYMTYPE, 0o777, target=target)


def removal(path):
    """What says in a layer that those below no longer have it."""
    parent, _, name = path.rpartition("/")
    return file(f"{parent}/.wh.{name}" if parent else f".wh.{name}", b"")


class Image:
    def __init__(self, **config):
        self.config = config  # env, user, workdir, entrypoint, cmd: as Docker names them
        self.tells_history = True
        self.blobs = {}
        self.layers = []
        self.diff_ids = []

    def layer(self, entries, level=6):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
            for info, content in entries:
                archive.addfile(info, io.BytesIO(content))
        plain = buffer.getvalue()
        stored = gzip.compress(plain, level, mtime=0)
        self.layers.append({"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": self.add(stored), "size": len(stored)})
        self.diff_ids.append(digest_of(plain))
        return self

    def add(self, data):
        digest = digest_of(data)
        self.blobs[digest] = data
        return digest

    def manifest(self):
        history = {"history": [{"created_by": "a test"}] * len(self.diff_ids)} if self.tells_history else {}
        config = json.dumps({"architecture": "amd64", "os": "linux", "config": self.config, **history,
                             "rootfs": {"type": "layers", "diff_ids": self.diff_ids}}).encode()
        return json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                           "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": self.add(config), "size": len(config)},
                           "layers": self.layers}).encode()

    def write_layout(self, directory):
        """image-layout.md of the OCI image-spec."""
        manifest = self.manifest()
        blobs = os.path.join(directory, "blobs", "sha256")
        os.makedirs(blobs)
        described = {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": self.add(manifest), "size": len(manifest),
                     "annotations": {"org.opencontainers.image.ref.name": "image"}}
        for digest, data in self.blobs.items():
            with open(os.path.join(blobs, digest.split(":")[1]), "wb") as out:
                out.write(data)
        for name, document in (("oci-layout", {"imageLayoutVersion": "1.0.0"}), ("index.json", {"schemaVersion": 2, "manifests": [described]})):
            with open(os.path.join(directory, name), "w") as out:
                json.dump(document, out)


def small_root():
    """A root filesystem of one program: busybox by the names that tests use."""
    names = ("sh", "ls", "cat", "id", "pwd", "env", "test", "echo", "stat", "readlink", "sleep", "wc", "head")
    return [directory("bin"), file("bin/busybox", busybox(), mode=0o755)] + [symlink(f"bin/{name}", "busybox") for name in names] + [
        directory("etc"), file("etc/passwd", "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000::/home/app:/bin/sh\n"),
        file("etc/group", "root:x:0:\napp:x:1000:\n"), directory("tmp", 0o1777), directory("root", 0o700)]


class Registry:
    def __init__(self, directory, port=0):
        self.directory = directory
        with contextlib.closing(socket.socket()) as probe:
            probe.bind(("127.0.0.1", port))
            self.port = probe.getsockname()[1]
        self.name = f"127.0.0.1:{self.port}"
        self.pushed = 0

    def __enter__(self):
        os.makedirs(self.directory, exist_ok=True)
        config = os.path.join(self.directory, "config.yml")
        with open(config, "w") as out:
            out.write(f"""version: 0.1
log: {{accesslog: {{disabled: false}}, level: info}}
storage: {{filesystem: {{rootdirectory: {self.directory}/data}}, delete: {{enabled: true}}}}
http: {{addr: "{self.name}"}}
""")
        self.log_path = os.path.join(self.directory, "log")
        with open(self.log_path, "w") as log:
            self.process = subprocess.Popen(["docker-registry", "serve", config], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + 30
        while True:
            try:
                urllib.request.urlopen(f"http://{self.name}/v2/", timeout=5).close()
                return self
            except (urllib.error.URLError, ConnectionError):
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError("the registry does not answer: " + self.log()) from None
                time.sleep(0.05)

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def log(self):
        with open(self.log_path) as log:
            return log.read()

    def count_blobs_given(self):
        """How many answers there were with the bytes of a blob."""
        return sum(1 for line in self.log().splitlines() if '"GET /v2/' in line and "/blobs/" in line)

    def push(self, image, name):
        self.pushed += 1
        layout = os.path.join(self.directory, f"layout-{self.pushed}")
        image.write_layout(layout)
        subprocess.run(["skopeo", "--insecure-policy", "copy", "-q", "--dest-tls-verify=false", f"oci:{layout}:image",
                        f"docker://{self.name}/{name}"], check=True)
        shutil.rmtree(layout)
        return f"{self.name}/{name}"


def serve_the_documented(directory, port):
    registry = Registry(directory, port).__enter__()
    image = Image(Env=["PATH=/bin", "GREETING=hello"], WorkingDir="/srv", Cmd=["sh"])
    registry.push(image.layer(small_root()), "team/app:1.2")


if __name__ == "__main__":
    serve_the_documented(sys.argv[1], int(sys.argv[2]))
