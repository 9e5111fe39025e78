"""What tests of hostile builds have in common: the host, which stays as it is, and archives that want out."""

import gzip
import hashlib
import io
import os
import socket
import stat
import tarfile

from images import directory, entry, file, symlink
from server_build_test import tar_of

CANARY = "c4n4ry-of-the-host"


def digest_of_tree(top):
    """Names, modes, targets and content of all that is below."""
    digest = hashlib.sha256()
    for path, directories, names in os.walk(top):
        directories.sort()
        for name in sorted(directories + names):
            where = os.path.join(path, name)
            status = os.lstat(where)
            digest.update(f"{where} {status.st_mode} {status.st_uid} {status.st_gid}\0".encode(errors="surrogateescape"))
            if stat.S_ISREG(status.st_mode):
                with open(where, "rb") as content:
                    digest.update(content.read())
            elif stat.S_ISLNK(status.st_mode):
                digest.update(os.readlink(where).encode())
    return digest.hexdigest()


class Host:
    """What no build changes: files around it, settings of the kernel, mounts and loop devices."""

    def __init__(self, top, state):
        self.outside, self.state = os.path.join(top, "outside"), state
        os.makedirs(os.path.join(self.outside, "directory"))
        for name in ("secret", "directory/secret"):
            with open(os.path.join(self.outside, name), "w") as out:
                out.write(CANARY)

    def now(self):
        with open("/proc/self/mountinfo") as mounts, open("/proc/sys/kernel/core_pattern") as pattern, open("/bin/busybox", "rb") as program:
            mounted = sorted(line.split(" ", 3)[3] for line in mounts if self.state in line)
            settings = (pattern.read(), socket.gethostname(), hashlib.sha256(program.read()).hexdigest())
        accounts = []
        for path in ("/etc/passwd", "/etc/group", "/etc/shadow", "/bin/busybox", "/dev/null", "/etc"):
            status = os.stat(path)
            accounts.append((path, status.st_mode, status.st_uid, status.st_size, status.st_ino))
        return digest_of_tree(self.outside), mounted, settings, accounts

    def loops(self):
        """Those of its sandboxes. A server keeps a few for those that come, and gives back the others some at a time."""
        found = []
        for name in os.listdir("/sys/block"):
            try:
                with open(f"/sys/block/{name}/loop/backing_file") as backing:
                    found += [text for text in [backing.read().strip()] if text.startswith(self.state)]
            except OSError:
                pass
        return found


def hostile_archives(outside):
    """(name, bytes) of archives that want out."""
    yield "parent", tar_of([file("../escaped", "x"), file("a/../../escaped", "x"), file("..", "x")])
    yield "absolute", tar_of([file(f"{outside}/escaped", "x"), file("//escaped", "x")])
    yield "link", tar_of([symlink("led", outside), file("led/escaped", "x")])
    yield "links", tar_of([symlink("a", ".."), symlink("a/b", ".."), file("a/b/escaped", "x")])
    yield "hard", tar_of([entry("led", tarfile.LNKTYPE, target=f"{outside}/secret"), entry("up", tarfile.LNKTYPE, target="../../outside/secret"),
                          entry("passwd", tarfile.LNKTYPE, target="/etc/passwd")])
    yield "hard to link", tar_of([symlink("s", f"{outside}/secret"), entry("led", tarfile.LNKTYPE, target="s"), file("led", "x")])
    yield "twice", tar_of([file("f", "first"), symlink("f", outside), file("f/escaped", "x"), directory("f"), file("f", "last")])
    yield "devices", tar_of([entry("sda", tarfile.BLKTYPE), entry("null", tarfile.CHRTYPE), entry("fifo", tarfile.FIFOTYPE)])
    yield "setuid", tar_of([file("suid", "x", mode=0o6755), directory("sticky", mode=0o7777)])
    yield "whiteouts", tar_of([file(".wh.etc", ""), file("a/.wh..wh..opq", ""), file(".wh..wh.x", "")])
    yield "names", tar_of([file("new\nline", "x"), file("n" * 255, "x"), file("n" * 5000, "x"), file("\x01", "x"), file("d/" * 3000 + "f", "x")])
    yield "over a directory", tar_of([directory("d"), file("d/f", "x"), file("d", "x"), file("d/f", "x")])
    yield "owners", tar_of([file("o", "x", uid=2**31, gid=2**32 - 1), file("p", "x", uid=2**40)])
    whole = tar_of([file("a", b"x" * 5000), file("b", b"y" * 5000)])
    yield "cut", whole[:3000]
    yield "damaged", whole[:200] + b"\xff" * 100 + whole[300:]
    lying = bytearray(whole)
    lying[124:136] = b"77777777777\0"
    lying[148:156] = b"%06o\0 " % (sum(lying[:148]) + 8 * 32 + sum(lying[156:512]))
    yield "a size that lies", bytes(lying)
    yield "cut gzip", gzip.compress(whole)[:-200]
    yield "pax", tar_of([file("p", "x")]).replace(b"ustar", b"ustar") + b"\0" * 4096
    yield "sparse", sparse_archive(1 << 42)
    yield "dockerfile", tar_of([symlink("Dockerfile", f"{outside}/secret")])
    yield "dockerignore", tar_of([file("Dockerfile", "FROM base\nCOPY . /x\n"), symlink(".dockerignore", f"{outside}/secret")])
    yield "dockerfile hard", tar_of([entry("Dockerfile", tarfile.LNKTYPE, target=f"{outside}/secret")])
    yield "dockerfile loop", tar_of([symlink("Dockerfile", "Dockerfile")])
    yield "dockerfile directory", tar_of([directory("Dockerfile"), file("Dockerfile/x", "x")])
    yield "dockerfile fifo", tar_of([entry("Dockerfile", tarfile.FIFOTYPE)])


def sparse_archive(size):
    """One file that says to be so large, and has nothing: GNU tar's sparse format 1.0, in pax."""
    info = tarfile.TarInfo("GNUSparseFile.0/large")
    info.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "large", "GNU.sparse.realsize": str(size)}
    content = (b"1\n%d\n0\n" % size).ljust(512, b"\0")
    info.size = len(content)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()
