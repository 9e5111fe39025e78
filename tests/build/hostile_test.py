#!/usr/bin/env python3
"""Dockerfiles, contexts and archives of somebody who wants out of a build, or to take the machine with it: each ends with an error that says
what is wrong, or does inside what it would do anywhere, in bounded time; nothing outside is changed, and the next build works. hostile_server_test.py
asks a server. --victim: attack-victim of tests/attacks, whose probes are tried as a step. Exits with 77 where not started by root, or without busybox."""

import contextlib
import gzip
import json
import os
import re
import socket
import stat
import subprocess
import sys
import tarfile
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(HERE, "..", "support"))
sys.path.insert(0, os.path.join(HERE, "..", "template"))
from build_test import Built  # noqa: E402
from checks import eventually, expect, try_checks  # noqa: E402
from hostile import CANARY, Host, digest_of_tree, hostile_archives  # noqa: E402
from images import file  # noqa: E402
from server_build_test import tar_of  # noqa: E402
from world import options_where_there_are  # noqa: E402

class Hostile(Built):
    def __init__(self, cay, top, victim):
        super().__init__(cay, top)
        self.victim = victim
        self.host = Host(top, self.state)

    def tried(self, dockerfile, *options, files=None, context=None, within_s=60, tag="tried"):
        """(whether it was built, what it said) in bounded time and without a crash."""
        began = time.monotonic()
        top = context or self.context(dockerfile, files)
        done = subprocess.run([self.cay, "template", "build", "--progress", "plain", "-t", tag, *options, top], env=self.environment,
                              capture_output=True, timeout=within_s * 3)
        said = (done.stdout + done.stderr).decode(errors="replace")
        expect(done.returncode in (0, 1, 125), f"{dockerfile[:200]}: {done.returncode}: {said[-2000:]}")
        expect(done.returncode == 0 or "cay: " in said, f"{dockerfile[:200]}: no error is told: {said[-2000:]}")
        expect("internal" not in said.lower(), f"{dockerfile[:200]}: {said[-2000:]}")
        expect(CANARY not in said, f"{dockerfile[:200]}: it read the host's file: {said[-2000:]}")
        took = time.monotonic() - began
        expect(took < within_s, f"{dockerfile[:200]}: it took {took:.1f} s")
        return done.returncode == 0, said

    def fails(self, dockerfile, part, **more):
        built, said = self.tried(dockerfile, **more)
        expect(not built and part in said, f"{dockerfile[:200]}: {said[-2000:]}")
        return said

    def holds(self, name, text):
        """Whether a file of the template's layers has this text."""
        found = subprocess.run(["grep", "-rl", "--", text, os.path.join(self.state, "templates")], capture_output=True, text=True)
        return found.stdout


def unchanged(check):
    """The check, after which the host is what it was, nothing is left, and a build works."""
    def run(world):
        before = world.host.now()
        check(world)
        expect(world.host.now() == before, f"the host has changed: {before} {world.host.now()}")
        eventually(lambda: world.leftovers() == [] and world.host.loops() == [], "nothing is left")
        world.build("FROM base:1\nRUN echo after > /after\n", "--no-cache", "-t", "after")
        expect(not world.holds("", CANARY), "the host's file is in a layer")
    run.__name__ = check.__name__
    return run


# What steps do.

@unchanged
def a_step_that_uses_everything_up_ends(world):
    limits = ("-m", "64m", "--disk", "32m", "--step-timeout", "2s")
    for script in (":(){ : | : & }; :; sleep 60", "while true; do sleep 100 & done", "while true; do mkdir d; cd d; done",
                   "i=0; while true; do i=$((i+1)); : > /tmp/$i; done", "yes", "yes >&2", "tail /dev/zero", "dd if=/dev/zero of=/x bs=1M",
                   "kill -9 -1; sleep 60", "kill -STOP -1; kill -STOP $$; sleep 60", "trap '' TERM INT HUP; sleep 60 & wait; wait",
                   "while true; do head -c 4000 /dev/zero | tr '\\0' x; echo; done"):
        built, said = world.tried(f"FROM base:1\nRUN {script}\n", *limits, within_s=40)
        expect(not built, f"{script}: {said[-500:]}")
        expect("Dockerfile:2: RUN" in said, f"{script}: {said[-500:]}")


@unchanged
def what_a_step_leaves_in_its_layer_is_harmless(world):
    built, said = world.tried("""FROM base:1
RUN cp /bin/busybox /suid && chmod 6755 /suid; mknod /null c 1 3; mknod /sda b 8 0; mknod /fifo p; mkdir -m 7777 /sticky; ln -s /proc/1/root /up
RUN mkdir -p /deep; cd /deep; for i in $(seq 1 300); do mkdir dddddddddddddddddddd; cd dddddddddddddddddddd; done; true
RUN printf x > "$(printf '/new\\nline\\001\\377')"; printf x > "/$(head -c 255 /dev/zero | tr '\\0' n)"
RUN for i in $(seq 1 3000); do : > /tmp/$i; done
RUN ln /tmp/1 /tmp/linked; ln -s /tmp/loop /tmp/loop; ln -s . /tmp/dot
""", tag="left", within_s=120)
    expect(built, said)
    layers = os.path.join(world.state, "templates", ".layers")
    for path, directories, names, descriptor in os.fwalk(layers):  # paths are too long for others
        for name in directories + names:
            status = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
            expect(not status.st_mode & 0o6000, f"setuid or setgid: {path}/{name}")
            # A whiteout is a device of number 0, which nothing opens.
            expect(not stat.S_ISBLK(status.st_mode) and (not stat.S_ISCHR(status.st_mode) or status.st_rdev == 0), f"a device: {path}/{name}")
    world.run("template", "export", "-q", "left", os.path.join(world.top, "left.tar"))
    world.run("template", "import", "-q", "--replace", "again", os.path.join(world.top, "left.tar"))
    counted = "ls /tmp | wc -l; ls -d /new* | wc -l; find /deep | wc -l; readlink /up"
    expect(world.shown("again", counted) == world.shown("left", counted), "it is another when it comes back")


@unchanged
def mounts_of_steps_lead_nowhere_outside(world):
    context = {"f": "of the context", "d/f": "x", "out": ("link", world.host.outside), "up": ("link", "../outside/secret")}
    # Through what a stage before has put there.
    for trick in ("ln -s / /m", "ln -s /proc/1/root /m", "ln -s ../../../../../.. /m", "ln -s /etc/passwd /m", "ln -s /m /m", "touch /m"):
        for mount in ("type=bind,target=/m/x,source=d", "type=cache,target=/m/x", "type=tmpfs,target=/m/x", "type=secret,id=s,target=/m/x",
                      "type=bind,target=/m,source=f", "type=tmpfs,target=/m"):
            world.tried(f"FROM base:1\nRUN {trick}\nRUN --mount={mount} cat /m/x /m/secret /m 2>/dev/null; true\n", "--secret", "id=s,env=PATH",
                        files=context)
    for mount in ("type=bind,source=out,target=/m", "type=bind,source=out/secret,target=/m", "type=bind,source=up,target=/m",
                  "type=bind,source=../outside,target=/m", "type=bind,source=/../outside,target=/m", "type=bind,source=d/../../outside,target=/m",
                  f"type=bind,source={world.host.outside},target=/m", "type=bind,from=base:1,source=/../../..,target=/m",
                  "type=bind,from=base:1,source=/proc/1/root,target=/m", "type=cache,id=../../x,target=/m", "type=cache,id=/etc,target=/m",
                  "type=bind,target=/proc", "type=bind,target=/proc/self/x", "type=bind,target=/dev", "type=bind,target=/dev/shm/../null",
                  "type=bind,target=/sys", "type=bind,target=/", "type=bind,target=/../..", "type=tmpfs,target=/", "type=tmpfs,target=/proc/sys",
                  "type=tmpfs,target=/dev/null", "type=cache,target=/", "type=cache,target=/etc", "type=secret,id=s,target=/dev/null",
                  "type=secret,id=s,target=/proc/sys/kernel/core_pattern", "type=secret,id=s,target=/etc/passwd", "type=secret,id=../../x"):
        world.tried(f"FROM base:1\nRUN --mount={mount} cat /m /m/secret 2>/dev/null; ls /proc/self > /dev/null\n", "--secret", "id=s,env=PATH",
                    files=context)
    # Read-only stays so, and what is written to one is nobody else's.
    top = world.context("FROM base:1 AS other\nRUN mkdir /d && echo whole > /d/f\nFROM base:1\n"
                        "RUN --mount=type=bind,from=other,source=d,target=/m mount -o remount,rw /m; echo x > /m/f; rm -f /m/f; chmod 777 /m; ls -la /m\n"
                        "RUN --mount=type=bind,target=/m,rw rm -rf /m/d /m/f; echo x > /m/Dockerfile; ls /m\n"
                        "RUN --mount=type=bind,target=/m test -e /m/d/f && test -e /m/f\n"
                        "COPY --from=other /d/f /f\n", {"f": "x", "d/f": "x"})
    before = digest_of_tree(top)
    world.build("", "-t", "mounted", context=top)
    expect(world.shown("mounted", "cat /f") == "whole\n" and digest_of_tree(top) == before, "a step changed what it was to read")


@unchanged
def a_step_that_replaces_what_the_next_needs_harms_nobody(world):
    for script in ("rm -rf /etc && ln -s / /etc", "rm -rf /bin/sh && ln -s /proc/self/exe /bin/sh", "rm -rf /tmp && ln -s /proc/1/root /tmp",
                   "rm -rf /run /var && ln -s /proc /run", "mkdir -p /proc/x /sys/x /dev/x", "rm -rf /root && touch /root",
                   "ln -s /proc/self/root /w", "echo 'root:x:99999999999:0::/:/bin/sh' > /etc/passwd", "head -c 5000000 /dev/zero > /etc/passwd",
                   "rm -f /etc/passwd && ln -s /dev/zero /etc/passwd", "rm -f /etc/passwd && mknod /etc/passwd p", "echo 'w:x:0:0::/:/x' >> /etc/passwd",
                   "rm -f /etc/group && mkdir /etc/group", "for i in $(seq 20000); do echo g$i:x:$i:w; done > /etc/group"):
        world.tried(f"FROM base:1\nRUN {script}\nWORKDIR /w/x\nUSER w:w\nCOPY --chown=w f f\nRUN id; pwd; cat /w/secret 2>/dev/null; true\n", files={"f": "x"})


# Probes of tests/attacks/victim, and what they must say as root of a step.
NO = "refused (EPERM|EACCES|ENOENT|EROFS|ESRCH)|empty"
PROBES = {
    **dict.fromkeys(("chroot_escape", "mount_tmpfs", "mount_bind", "remount_writable", "mount_proc", "umount /proc", "umount /", "fsopen", "fspick",
                     "open_tree", "move_mount", "mount_setattr", "pivot_root", "mknod character", "mknod block", "whiteout", "open_by_handle",
                     "unshare user", "unshare mnt", "unshare net", "clone user", "clone mnt", "setns 1 mnt", "setns 1 user", "setns_pidfd", "parent_namespace",
                     "capset", "kill 1 9", "kill 1 19", "pidfd_signal 9", "ptrace_attach", "ptrace_seize", "read_memory", "write_memory",
                     "pidfd_getfd", "mount_cgroup", "slow_guest nice", "guest_limits", "bpf", "perf_event_open", "userfaultfd", "signals_to_the_guest",
                     "write /proc/sys/kernel/core_pattern |/tmp/x", "write /proc/sysrq-trigger h", "write /sys/kernel/uevent_helper /tmp/x",
                     "write /proc/self/uid_map 0_0_1", "write /proc/1/oom_score_adj 1000", "read /proc/1/mem", "read /proc/1/environ",
                     "list_directory /proc/1/root", "list_directory /proc/1/fd", "write /proc/1/exe x", "write /sys/fs/cgroup/release_agent /tmp/x",
                     "read /dev/mem", "read /dev/kmsg", "read /proc/keys", "list_directory /sys/kernel/debug", "change_mode /dev/null 0",
                     "change_owner /proc/sys/kernel/core_pattern 0", "remove /dev/null", "come_back"), NO),
    "clone3 user": "refused ENOSYS", "become_id 65535": "through", "become_id 65536": "refused EINVAL", "change_owner /tmp 65536": "refused EINVAL",
    "regain_by_exec": "0{16}", "look_as_user": "0{16}", "program_with_capabilities": "0{16}", "setuid_program": "uid 1000 gid 1000",
    "status CapEff": "00000000800001fb", "status NoNewPrivs": "1", "status Seccomp": "2", "mount_flags": "nosuid and nodev everywhere",
    "kill_all": "killed only its own", "core_limit": "helpers are not run", "writable_knobs /proc/sys": "no writable knobs", "groups_of_others": "none",
}


@unchanged
def a_step_gets_no_further_than_root_of_any_sandbox(world):
    if not world.victim:
        print("without --victim: the probes are not tried", flush=True)
        return
    with open(world.victim, "rb") as program:
        files = {"victim": program.read()}
    # One RUN for each, as many of them as a chain may have in one file.
    probes = list(PROBES)
    for begin in range(0, len(probes), 40):
        some = probes[begin:begin + 40]
        steps = "".join("RUN " + json.dumps(["/victim", *probe.split(" ")]) + "\n" for probe in some)
        built, said = world.tried("FROM base:1\nRUN mkdir -p /etc /home /var/tmp /workspace\nCOPY --chmod=755 victim /victim\n" + steps, "--no-cache", files=files,
                                  within_s=120)
        expect(built, said[-3000:])
        for number, probe in enumerate(some, 4):
            lines = re.findall(rf"^#{number} [0-9.]+m?s (.*)$", said, re.MULTILINE)
            expect(lines and re.fullmatch(PROBES[probe], lines[-1]), f"{probe}: {lines}, and must say {PROBES[probe]}")


# What a context has.

@unchanged
def sources_lead_nowhere_outside(world):
    outside = world.host.outside
    files = {"absolute": ("link", outside), "up": ("link", "../outside"), "chain": ("link", "absolute"), "d/up": ("link", "../.."), "d/f": "x",
             "self": ("link", "/proc/self/root"), "cwd": ("link", "/proc/self/cwd"), "fd": ("link", "/dev/fd"), "loop": ("link", "loop"),
             "long": ("link", "../" * 1000 + outside[1:])}
    for source in ("../outside/secret", "d/../../outside/secret", "/../outside/secret", f"{outside}/secret", "absolute/secret", "up/secret", "chain/secret",
                   "d/up/outside/secret", f"self{outside}/secret", "cwd", "fd/0", "loop", "long/secret", "../outsid[e]/secret", "../*/secret", "*/secret",
                   "d/*/*/secret", "**/secret", "./absolute/./secret", "d//..//..//outside/secret", "absolute/directory/../secret"):
        for instruction in (f"COPY {source} /x/", f"ADD {source} /x/", f"COPY --parents {source} /x/", f"COPY --link {source} /x/",
                            f'COPY ["{source}", "/x/"]'):
            world.tried(f"FROM base:1\n{instruction}\nRUN cat /x/* /x/*/* 2>/dev/null; true\n", files=files)
    world.build("FROM base:1\nCOPY . /x/\n", "-t", "links", files=files)
    expect(world.shown("links", "readlink /x/absolute; readlink /x/up").split() == [outside, "../outside"], "links are copied as they are")


@unchanged
def stages_and_destinations_lead_nowhere_outside(world):
    outside = world.host.outside
    evil = (f"FROM base:1 AS evil\nRUN ln -s {outside} /abs; ln -s ../../../../../../../..{outside} /up; ln -s /proc/1/root /proc1; "
            "ln -s / /slash; mkdir /d; ln -s /abs /d/chain; ln -s /proc/self/cwd /cwd\n")
    for source in ("/abs/secret", "/up/secret", f"/proc1{outside}/secret", f"/slash{outside}/secret", "/d/chain/secret", "/cwd/secret", "/proc/1/root/etc/shadow",
                   "/../../../../etc/shadow", "/abs", "/dev/null", "/proc/self/environ", "/sys/kernel", "/*/secret"):
        world.tried(f"{evil}FROM base:1\nCOPY --from=evil {source} /x/\nRUN cat /x/* 2>/dev/null; true\n")
    for destination in (f"{outside}/written", "/abs/written", "/up/written", "/proc1/tmp/written", "/slash/slash/slash/written", "/d/chain/written",
                        "../../../../../../tmp/written", "/proc/self/root/written", "/proc/written", "/dev/written", "/dev/null", "/sys/written", "/", "/..",
                        "/cwd/written", "/etc/passwd/written", "/bin/busybox"):
        for instruction in ("COPY f", "ADD f", "COPY --link f", "COPY d", "ADD a.tar"):
            world.tried(f"{evil}FROM evil\n{instruction} {destination}\n",
                        files={"f": "written", "d/g": "written", "a.tar": tar_of([file("from-archive", "x")])})
        world.tried(f"{evil}FROM evil\nWORKDIR {destination}\nCOPY f .\n", files={"f": "written"})
        world.tried(f"{evil}FROM evil\nCOPY <<EOF {destination}\nwritten\nEOF\n")


@unchanged
def files_of_every_kind_are_copied_or_refused(world):
    top = world.context("FROM base:1\nCOPY . /x\nRUN cd /x; ls | wc -l > /count\n")
    strange = [b"new\nline", b"\x01\x02\x7f", b"\xff\xfe-no-utf8", b"n" * 255, b"-rf", b" spaces ", b"*", b"$(id)", b"'\"`\\", b"\xe2\x80\xae", b"..."]
    for name in strange:
        with open(os.path.join(top.encode(), name), "wb") as out:
            out.write(b"x")
    os.mkfifo(os.path.join(top, "fifo"))
    os.mknod(os.path.join(top, "device"), 0o600 | stat.S_IFBLK, os.makedev(7, 0))
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.join(top, "socket"))
        built, said = world.tried("", context=top, tag="strange")
    expect(built and int(world.shown("strange", "cat /count")) >= len(strange), f"{said} {world.shown('strange', 'ls -la /x')}")
    for name in ("fifo", "device", "socket"):
        world.fails(f"FROM base:1\nCOPY {name} /x/\n", name, context=copied_with(world, top, f"FROM base:1\nCOPY {name} /x/\n"))
    # Deeper than any path that the kernel takes at once.
    deep = world.context("FROM base:1\nCOPY . /x\n")
    here = os.open(deep, os.O_RDONLY)
    for _ in range(60):
        os.mkdir("d" * 200, dir_fd=here)
        below = os.open("d" * 200, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    world.tried("", context=deep)
    subprocess.run(["rm", "-rf", deep], check=True)
    many = world.context("FROM base:1\nCOPY . /x\nRUN ls /x/many | wc -l > /count\n")
    os.makedirs(os.path.join(many, "many"))
    for number in range(20_000):
        open(os.path.join(many, "many", str(number)), "w").close()
    built, said = world.tried("", context=many, tag="many", within_s=120)
    expect(built and world.shown("many", "cat /count") == "20000\n", said)
    linked = world.context("FROM base:1\nCOPY . /x\nRUN stat -c %h /x/one > /count\n", {"one": "x"})
    for number in range(500):
        os.link(os.path.join(linked, "one"), os.path.join(linked, f"link-{number}"))
    built, said = world.tried("", context=linked, tag="linked")
    expect(built and world.shown("linked", "cat /count") == "501\n", said)


def copied_with(world, top, dockerfile):
    """That context, with this Dockerfile."""
    with open(os.path.join(top, "Dockerfile"), "w") as out:
        out.write(dockerfile)
    if not os.path.exists(os.path.join(top, "socket")):
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(os.path.join(top, "socket"))
    return top


@unchanged
def a_large_file_of_nothing_does_not_fill_the_disk(world):
    top = world.context("FROM base:1\nCOPY large /x\n", {"large": ""})
    os.truncate(os.path.join(top, "large"), 1 << 42)
    before = os.statvfs(world.top)
    world.fails("", "large", context=top)
    after = os.statvfs(world.top)
    expect((before.f_bavail - after.f_bavail) * after.f_frsize < 8 << 30, "it wrote it")
    with open(os.path.join(top, "Dockerfile"), "w") as out:
        out.write("FROM base:1\nRUN --mount=type=bind,source=large,target=/m wc -c /m\n")
    world.fails("", "large", context=top)


@unchanged
def what_is_swapped_while_it_is_copied_is_never_the_hosts(world):
    top = world.context("FROM base:1\nCOPY a /x/\nCOPY . /y/\nRUN --mount=type=bind,target=/m cat /m/a/secret /x/* /y/a/* > /seen 2>/dev/null; true\n",
                        {"a/secret": "of the context", "b/secret": "of the context"})
    outside, stop = world.host.outside, threading.Event()

    def swap():
        with contextlib.suppress(FileExistsError):
            os.symlink(outside, os.path.join(top, "led"))
        names = [os.path.join(top, name) for name in ("a", "led", "aside")]
        while not stop.is_set():
            os.rename(names[0], names[2])
            os.rename(names[1], names[0])
            os.rename(names[0], names[1])
            os.rename(names[2], names[0])
            secret = os.path.join(top, "b", "secret")
            os.rename(secret, secret + "-aside")
            os.symlink(os.path.join(outside, "secret"), secret)
            os.unlink(secret)
            os.rename(secret + "-aside", secret)

    swapper = threading.Thread(target=swap)
    swapper.start()
    try:
        for _ in range(30):
            world.tried("", "--no-cache", context=top)
    finally:
        stop.set()
        swapper.join()


@unchanged
def a_dockerignore_and_a_dockerfile_lead_nowhere(world):
    outside = world.host.outside
    base = "FROM base:1\nCOPY . /x\nRUN cat /x/secret 2>/dev/null; true\n"
    world.tried(base, files={".dockerignore": ("link", os.path.join(outside, "secret"))})
    world.tried(base, files={".dockerignore": "!../outside\n!/../outside/secret\n!" + "../" * 900 + "etc/shadow\n"})
    for patterns in ("*" * 4000 + "x\n", "**/" * 1300 + "x\n", "[a-" * 100 + "\n", "\\" * 4000 + "\n", "!\n#\n\n \n", "x\0y\n", b"\xff\xfe\n", "a\n" * 20_000,
                     "*?" * 2000 + "\n"):
        world.tried(base, files={".dockerignore": patterns, "a" * 200: "x", "a" * 100 + "/" + "a" * 200 + "/f": "x"}, within_s=20)
    expect(not world.tried("", context=context_with_link(world, os.path.join(outside, "secret")))[0], "its Dockerfile is somebody else's file")


def context_with_link(world, target):
    top = world.context("")
    os.unlink(os.path.join(top, "Dockerfile"))
    os.symlink(target, os.path.join(top, "Dockerfile"))
    return top


# Archives.

@unchanged
def archives_are_unpacked_inside(world):
    for name, data in hostile_archives(world.host.outside):
        built, said = world.tried("FROM base:1\nADD a.tar /x/\nRUN ls -laR /x > /dev/null; cat /x/* /x/*/* 2>/dev/null; true\n", files={"a.tar": data})
        expect(built or "a.tar" in said, f"{name}: {said[-1000:]}")
        if built:
            expect("0\n" == world.shown("tried", "find / -xdev -perm -4000 2>/dev/null | wc -l"), f"{name}: setuid")


@unchanged
def an_archive_that_grows_is_stopped(world):
    class Zeros:
        def __init__(self, size):
            self.left = size

        def read(self, count=-1):
            count = min(count if count >= 0 else self.left, self.left)
            self.left -= count
            return b"\0" * count

    bomb = os.path.join(world.top, "bomb.tar.gz")
    size = 1 << 30
    with gzip.open(bomb, "wb", 1) as out, tarfile.open(fileobj=out, mode="w|") as archive:
        for number in range(8):
            info = tarfile.TarInfo(f"zeros-{number}")
            info.size = size
            archive.addfile(info, Zeros(size)) if number == 0 else archive.addfile(tarfile.TarInfo(f"empty-{number}"))
    top = world.context("FROM base:1\nADD bomb.tar.gz /x/\n")
    os.rename(bomb, os.path.join(top, "bomb.tar.gz"))
    built, said = world.tried("", context=top, within_s=120)
    expect(not built or "done" in said, said[-500:])


# Dockerfiles.

@unchanged
def dockerfiles_without_measure_are_refused_in_time(world):
    nested = "x"
    for _ in range(2000):
        nested = "${A:-" + nested + "}"
    doubled = "FROM base:1\nENV A=xxxxxxxxxxxxxxxx\n" + "ENV A=$A$A$A$A$A$A$A$A\n" * 40
    bombs = {
        "one long line": "FROM base:1\nRUN " + "x" * (1 << 20) + "\n", "a long file": "FROM base:1\n" + "# comment\n" * 200_000,
        "many instructions": "FROM base:1\n" + "ENV A=1\n" * 100_000, "many labels": "FROM base:1\nLABEL " + "a=b " * 200_000,
        "many stages": "FROM base:1\n" * 5000, "a chain of stages": "FROM base:1 AS s0\n" + "".join(f"FROM s{n} AS s{n + 1}\n" for n in range(1500)),
        "nested": f"FROM base:1\nENV B={nested}\n", "doubled": doubled, "doubled arguments": doubled.replace("ENV", "ARG"),
        "itself": "ARG A=$A$A\nFROM $A\n", "a circle": "FROM b AS a\nFROM a AS b\n", "itself as a base": "FROM a AS a\n",
        "copies in a circle": "FROM base:1 AS a\nCOPY --from=b /etc/passwd /x\nFROM base:1 AS b\nCOPY --from=a /etc/passwd /x\n",
        "mounts in a circle": "FROM base:1 AS a\nRUN --mount=from=b,target=/m true\nFROM base:1 AS b\nRUN --mount=from=a,target=/m true\n",
        "from itself": "FROM base:1 AS a\nCOPY --from=a /etc/passwd /x\n", "a heredoc without an end": "FROM base:1\nRUN <<EOF\necho x\n",
        "many heredocs": "FROM base:1\nRUN " + " ".join(f"<<E{n}" for n in range(1000)) + "\n" + "".join(f"E{n}\n" for n in range(1000)),
        "triggers of triggers": "FROM base:1\nONBUILD ONBUILD ONBUILD RUN true\n", "many triggers": "FROM base:1\n" + "ONBUILD RUN true\n" * 20_000,
        "a trigger with a base": "FROM base:1\nONBUILD FROM base:1\n", "continued for ever": "FROM base:1\nRUN true \\\n" * 10_000,
        "nothing": "", "zeros": "\0" * 5000, "no text": "FROM base:1\nRUN \xff\xfe\x00x\n", "a mark of order": "\ufeffFROM base:1\nRUN true\n",
        "a name with control characters": "FROM base:1 AS \x1b[2J\nRUN true\n", "terminal": "FROM base:1\nRUN printf '\\033]0;title\\007\\033[2J\\033c'\n",
        "a pattern": "FROM base:1\nENV A=" + "a" * 20_000 + "\nENV B=${A%%" + "*a" * 500 + "b}\n", "a replacement": "FROM base:1\nENV A=" + "a" * 30_000 +
        "\nENV B=${A//a/" + "b" * 10_000 + "}\n", "exec form": "FROM base:1\nRUN [" + '"x",' * 50_000 + '"x"]\n', "deep json": "FROM base:1\nRUN " + "[" * 50_000 + "\n",
        "directives": "# escape=`\n" * 10_000 + "FROM base:1\n", "ports": "FROM base:1\nEXPOSE 1-65535\nEXPOSE 1-65535/udp\n", "a range": "FROM base:1\nEXPOSE 65535-1 99999\n",
        "a user": "FROM base:1\nUSER " + "9" * 400 + "\nRUN true\n", "a directory": "FROM base:1\nWORKDIR /" + "d/" * 5000 + "\n", "a time": "FROM base:1\nHEALTHCHECK --interval=999999999999h CMD true\n",
        "a base with a path": "FROM ../../../etc\n", "a base with an address": "FROM 127.0.0.1:1/x\n", "a base of nobody": "FROM @other/x\n",
        "an argument of the base": "ARG B=../../x\nFROM $B\n", "environment": "FROM base:1\nENV LD_PRELOAD=/x PATH=/nothing\nRUN true\n",
        "variables": "FROM base:1\n" + "".join(f"ENV V{n}={'x' * 1000}\n" for n in range(3000)) + "RUN true\n",
        "the variables of one step": "FROM base:1\nENV V=" + "x" * 200_000 + "\nRUN true\n",
    }
    for name, text in bombs.items():
        built, said = world.tried(text, within_s=60)
        expect("\x1b" not in said and "\x07" not in said, f"{name}: the terminal's: {said[-300:]}")
        if not built and name not in ("environment", "a base with an address"):
            expect("Dockerfile" in said or "line " in said, f"{name}: {said[-1000:]}")
    for name in ("a circle", "itself as a base", "copies in a circle", "mounts in a circle", "many instructions", "nested", "doubled", "a heredoc without an end"):
        expect(not world.tried(bombs[name])[0], f"{name}: it was built")


CHECKS = (a_step_gets_no_further_than_root_of_any_sandbox, a_step_that_uses_everything_up_ends, what_a_step_leaves_in_its_layer_is_harmless, mounts_of_steps_lead_nowhere_outside,
          a_step_that_replaces_what_the_next_needs_harms_nobody, sources_lead_nowhere_outside, stages_and_destinations_lead_nowhere_outside,
          files_of_every_kind_are_copied_or_refused, a_large_file_of_nothing_does_not_fill_the_disk,
          what_is_swapped_while_it_is_copied_is_never_the_hosts, a_dockerignore_and_a_dockerfile_lead_nowhere, archives_are_unpacked_inside,
          an_archive_that_grows_is_stopped, dockerfiles_without_measure_are_refused_in_time)


def main():
    options = options_where_there_are(paths=["--victim"])
    with tempfile.TemporaryDirectory(prefix="cay-hostile-") as top:
        os.chmod(top, 0o755)
        return 1 if try_checks(CHECKS, Hostile(options.cay, top, options.victim), options.only) else 0


if __name__ == "__main__":
    sys.exit(main())
