#!/usr/bin/env python3
"""What `cay template build` does with Dockerfiles: stages, copies, mounts, secrets, what is kept for later builds, errors, and what a
hostile one cannot do. Over an image of busybox. Exits with 77 where not started by root, or without busybox."""

import json
import os
import signal
import subprocess
import sys
import tarfile
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
sys.path.insert(0, os.path.join(HERE, "..", "template"))
from checks import eventually, expect, try_checks  # noqa: E402
from images import Image, directory, file, small_root, symlink  # noqa: E402
from world import World, options_where_there_are  # noqa: E402

MORE = ("rm", "mkdir", "touch", "cp", "mv", "chmod", "chown", "ln", "find", "dd", "grep", "tail", "nohup", "true", "false", "mount",
        "mknod", "ps", "rmdir", "seq", "date")

# What is wrong with a command line or a Dockerfile, and what is wrong with what they name.
WRONG = (125, 1)


class Built(World):
    def __init__(self, cay, top):
        super().__init__(cay, 0, top, None)
        self.top, self.count = top, 0
        layout = os.path.join(top, "base")
        root = small_root() + [symlink(f"bin/{name}", "busybox") for name in MORE] + [
            directory("srv"), symlink("led", "srv"), file("etc/hosts", "the image's own\n"), directory("owned", uid=1000, gid=1000, mode=0o750)]
        Image(Env=["PATH=/bin", "GREETING=good morning"], OnBuild=["RUN echo $GREETING > /of-onbuild"]).layer(root).write_layout(layout)
        Image(Env=["PATH=/bin"]).layer(root).write_layout(os.path.join(top, "plain"))
        self.run("template", "import", "-q", "base:1", os.path.join(top, "plain"))
        self.run("template", "import", "-q", "triggers:1", layout)

    def context(self, dockerfile, files=None):
        """A directory with these files: text, bytes, or ("link", target)."""
        self.count += 1
        top = os.path.join(self.top, f"context-{self.count}")
        for name, content in {"Dockerfile": dockerfile, **(files or {})}.items():
            path = os.path.join(top, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            if isinstance(content, tuple):
                os.symlink(content[1], path)
            else:
                with open(path, "wb") as out:
                    out.write(content if isinstance(content, bytes) else content.encode())
        return top

    def build(self, dockerfile, *options, files=None, code=0, context=None):
        """What it printed, and what it says of itself in JSON where it was built."""
        top = context or self.context(dockerfile, files)
        done = subprocess.run([self.cay, "template", "build", "--progress", "plain", *options, top], env=self.environment, capture_output=True,
                              text=True, timeout=120)
        right = done.returncode in WRONG if code is WRONG else done.returncode == code
        expect(right, f"{dockerfile}: {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout + done.stderr

    def cached(self, dockerfile, *options, context):
        done = json.loads(self.run("template", "build", "--json", *options, context))
        return done["cached"], done["steps"]

    def shown(self, name, script):
        return self.run("run", "-q", "--template", name, "--entrypoint", "", "-u", "0", "--", "sh", "-c", script)

    def leftovers(self):
        return os.listdir(os.path.join(self.state, "templates", ".partial")) + os.listdir(os.path.join(self.state, "sandboxes"))


def a_stage_is_built_and_only_what_it_needs(world):
    world.build("""
FROM base:1 AS tool
RUN mkdir -p /opt/bin && echo made > /opt/bin/tool
FROM base:1 AS unneeded
RUN false
FROM base:1
COPY --from=tool /opt/bin /usr/bin
CMD ["cat", "/usr/bin/tool"]
""", "-t", "stages")
    expect(world.run("run", "-q", "--template", "stages", "--use-entrypoint") == "made\n", "the command is not the image's")
    world.build("FROM base:1 AS one\nRUN echo 1 > /n\nFROM base:1 AS two\nRUN false\n", "-t", "one", "--target", "ONE")
    expect(world.shown("one", "cat /n") == "1\n", "another stage was built")


def what_an_image_says_is_in_its_configuration(world):
    world.build("""
ARG VERSION=1
FROM base:1
ARG VERSION
ARG OTHER=fallback
ENV A=$VERSION B="${OTHER}-$VERSION" \\
    C='$A'
LABEL of.test=$A
WORKDIR /work
WORKDIR below
USER app
ENTRYPOINT ["env"]
CMD ["sh"]
EXPOSE 80-81 53/udp
VOLUME /data
STOPSIGNAL INT
HEALTHCHECK --interval=3s CMD test -e /ok
ONBUILD RUN true
SHELL ["/bin/sh", "-ec"]
""", "-t", "config", "--build-arg", "VERSION=7", "--label", "added=yes")
    said = world.run("template", "inspect", "config", "--json")
    config = json.loads(said)
    text = json.dumps(config)
    for part in ("A=7", "B=fallback-7", "C=$A", "of.test", "/work/below", '"app"', "added"):
        expect(part in text, f"{part} is not in {text}")
    out = world.run("run", "-q", "--template", "config", "--", "sh", "-c", "id -un; pwd; stat -c %U .")
    expect(out.split() == ["app", "/work/below", "root"], out)


def the_onbuild_of_an_image_is_done_first(world):
    world.build("FROM triggers:1\nRUN cat /of-onbuild > /seen\n", "-t", "triggered")
    expect(world.shown("triggered", "cat /seen") == "good morning\n", "its trigger was not done")
    world.build("FROM base:1 AS one\nONBUILD RUN echo $X > /x\nFROM one\nENV X=1\nFROM one AS three\n", "-t", "chain", "--target", "three")
    expect(world.shown("chain", "cat /x") == "\n", "the trigger of a stage saw what comes later")


def files_are_copied_as_docker_copies_them(world):
    world.build("""
FROM base:1
WORKDIR /app
COPY one.txt two.txt ./
COPY dir renamed
COPY dir/*.c /c/
COPY --chown=app:app --chmod=u=rwX,go= dir /owned-by-app
COPY one.txt /led/
COPY --from=base:1 /etc/passwd /copied
COPY <<EOF <<-'X' /here/
of $PATH
EOF
	plain $PATH
X
""", "-t", "copies", files={"one.txt": "1", "two.txt": "2", "dir/a.c": "a", "dir/b.h": "b", "dir/below/c": "c", "dir/link": ("link", "/etc/passwd"),
                            ".dockerignore": "*\n!one.txt\n!two.txt\n!dir\ndir/*.h\n"})
    out = world.shown("copies", "cd /app; ls; ls renamed renamed/below /c /srv /here; stat -c '%U:%G %a' /owned-by-app /owned-by-app/a.c; "
                      "readlink renamed/link; cat /here/EOF /here/X; head -1 /copied")
    expect(out.split("\n") == ["one.txt", "renamed", "two.txt", "/c:", "a.c", "", "/here:", "EOF", "X", "", "/srv:", "one.txt", "", "renamed:", "a.c", "below",
                               "link", "", "renamed/below:", "c", "app:app 755", "app:app 600", "/etc/passwd", "of /bin", "plain $PATH",
                               "root:x:0:0:root:/root:/bin/sh", ""], out)


def what_it_kept_is_found_again_by_what_it_depends_on(world):
    dockerfile = "FROM base:1\nARG N=1\nRUN echo $N > /n\nCOPY f /f\nRUN cat /f > /g\n"
    top = world.context(dockerfile, {"f": "first", "unused": "x", ".dockerignore": "unused"})
    expect(world.cached(dockerfile, "-t", "kept", context=top) == (0, 3), "something was there already")
    expect(world.cached(dockerfile, "-t", "kept", context=top) == (3, 3), "not all was found")
    os.utime(os.path.join(top, "f"), (1, 1))
    with open(os.path.join(top, "unused"), "w") as out:
        out.write("changed")
    expect(world.cached(dockerfile, "-t", "kept", context=top) == (3, 3), "times and ignored files count")
    with open(os.path.join(top, "f"), "w") as out:
        out.write("second")
    expect(world.cached(dockerfile, "-t", "kept", context=top) == (1, 3), "only the first step does not depend on the file")
    expect(world.shown("kept", "cat /g") == "second", "an old file was found")
    os.chmod(os.path.join(top, "f"), 0o600)
    expect(world.cached(dockerfile, "-t", "kept", context=top)[0] == 1, "modes do not count")
    expect(world.cached(dockerfile, "-t", "kept", "--build-arg", "N=2", context=top)[0] == 0, "build arguments do not count")
    expect(world.cached(dockerfile, "-t", "kept", "--no-cache", context=top)[0] == 0, "--no-cache found something")
    world.run("template", "rm", "kept")
    expect(world.cached(dockerfile, "-t", "kept", context=top) == (3, 3), "it went with the template")


def a_failed_step_keeps_those_before_it_and_says_what_it_wrote(world):
    dockerfile = "FROM base:1\nRUN echo before > /before\nRUN echo to out; echo to err >&2; exit 7\n"
    top = world.context(dockerfile)
    out = world.build(dockerfile, "-t", "failed", code=1, context=top)
    expect("Dockerfile:3: RUN echo to out" in out and "exited with 7" in out and "to err" in out, out)
    expect("failed" not in world.templates(), "a template was made of it")
    quiet = world.build(dockerfile, "-q", code=1, context=top)
    expect("the end of what the step wrote" in quiet and "to err" in quiet, quiet)
    expect("RUN echo before > /before: cached" in world.build(dockerfile, code=1, context=top), "the first step was not kept")
    expect(world.leftovers() == [], world.leftovers())


def errors_name_the_file_and_line(world):
    for dockerfile, part in (("FROM base:1\nRNU x\n", "line 2: there is no instruction"),
                             ("FROM base:1\nCOPY none /x\n", "Dockerfile:2: COPY none /x"),
                             ("FROM base:1\nCOPY ../x /x\n", "Dockerfile:2"),
                             ("FROM base:1\n\nCOPY --from=9 a /x\n", "Dockerfile"),
                             ("FROM base:1\nCOPY --chown=nobodyhere f /x\n", "nobodyhere"),
                             ("FROM base:1\nUSER nobodyhere\nRUN id\n", "Dockerfile:3"),
                             ("FROM base:1\nRUN --network=host id\n", "not supported"),
                             ("FROM base:1\nRUN --mount=type=ssh id\n", "not supported"),
                             ("FROM base:1\nRUN --mount=type=secret,id=none,required id\n", "none"),
                             ("FROM base:1\nRUN --mount=type=bind,source=none,target=/x id\n", "none"),
                             ("FROM base:1\nRUN [\"/none\"]\n", "Dockerfile:2"),
                             ("FROM host\n", "Dockerfile:1"), ("FROM base:1\nADD https://localhost/x /x\n", "Dockerfile:2")):
        out = world.build(dockerfile, files={"f": ""}, code=WRONG)
        expect(part in out, f"{dockerfile}: {out}")
    expect("there is no" in world.build("", code=WRONG, context=os.path.join(world.top, "base")), "a context without a Dockerfile")
    expect(world.leftovers() == [], world.leftovers())


def limits_of_steps_hold_and_are_named(world):
    out = world.build("FROM base:1\nRUN head -c 300m /dev/zero | tail > /dev/null\n", "-m", "32m", code=1)
    expect("memory was used up" in out, out)
    out = world.build("FROM base:1\nRUN head -c 100m /dev/zero > /x\n", "--disk", "16m", code=1)
    expect("disk was full" in out, out)
    out = world.build("FROM base:1\nRUN sleep 100\n", "--step-timeout", "500ms", code=1)
    expect("did not end within its time" in out, out)


def mounts_are_seen_and_are_in_no_layer(world):
    world.build("""
FROM base:1 AS other
RUN mkdir -p /d/below && echo other > /d/below/f && chown app /d
FROM base:1
RUN --mount=type=bind,source=sub,target=/m (echo x > /m/f) 2>/dev/null && echo written; cat /m/f >> /out
RUN --mount=type=bind,source=sub/f,target=/deep/m cat /deep/m >> /out
RUN --mount=type=bind,from=other,source=d,target=/o,rw cat /o/below/f >> /out && stat -c %U /o >> /out && echo y > /o/new
RUN --mount=type=tmpfs,target=/t touch /t/x && stat -f -c %T /t >> /out
WORKDIR /w
RUN --mount=type=bind,target=. test -e Dockerfile && test -e sub/f
WORKDIR /
RUN rm -rf /deep; ls -d /m /o /t >> /out 2>/dev/null; true
""", "-t", "mounts", files={"sub/f": "of the context\n"})
    out = world.shown("mounts", "cat /out; ls /")
    expect(out.startswith("of the context\nof the context\nother\napp\ntmpfs\n"), out)
    expect(not {"m", "o", "t", "deep"} & set(out.split()), out)


def a_cache_is_there_in_the_next_build_and_in_no_layer(world):
    dockerfile = """
FROM base:1
ARG N
RUN --mount=type=cache,target=/c,id=count,uid=1000,mode=0700 echo $N >> /c/log && wc -l < /c/log > /lines && stat -c '%U %a' /c > /of
RUN --mount=type=cache,target=/c2,id=count cat /c2/log > /log
RUN ls -d /c > /there 2>&1; true
"""
    top = world.context(dockerfile)
    # More often than a cache has layers.
    for number in range(1, 13):
        world.build(dockerfile, "-t", "cached", "--build-arg", f"N={number}", context=top)
        expect(world.shown("cached", "cat /lines /of").split() == [str(number), "app", "700"], world.shown("cached", "cat /lines /of"))
    expect(world.shown("cached", "cat /log").split() == [str(n) for n in range(1, 13)], "something of the cache was lost")
    out = world.build("FROM base:1\nRUN --mount=type=cache,target=/c,id=failed echo kept > /c/x && false\n", code=1)
    world.build("FROM base:1\nRUN --mount=type=cache,target=/c,id=failed cat /c/x > /x\n", "-t", "after", code=0)
    expect(world.shown("after", "cat /x") == "kept\n", out)


def secrets_are_in_no_layer_and_no_record(world):
    secret = os.path.join(world.top, "secret")
    with open(secret, "w") as out:
        out.write("f4k3-s3cr3t-of-the-test")
    world.environment["OF_THE_CALLER"] = "v4r14bl3-of-the-test"
    out = world.build("""
FROM base:1
RUN --mount=type=secret,id=file test "$(cat /run/secrets/file)" = f4k3-s3cr3t-of-the-test && stat -L -c '%U %a' /run/secrets/file > /modes
RUN --mount=type=secret,id=file,target=/root/.token,uid=1000,mode=0440 stat -L -c '%U %a' /root/.token >> /modes
RUN --mount=type=secret,id=var,env=TOKEN test "$TOKEN" = v4r14bl3-of-the-test
RUN --mount=type=secret,id=var rm -f /run/secrets/var; true
RUN ls /run/secrets /root/.token 2>/dev/null; env
RUN --mount=type=secret,id=none test ! -e /run/secrets/none
""", "-t", "secrets", "--secret", f"id=file,src={secret}", "--secret", "id=var,env=OF_THE_CALLER")
    expect("of-the-test" not in out.replace("f4k3-s3cr3t-of-the-test &&", "").replace('= v4r14bl3-of-the-test', "").replace(
        "= f4k3-s3cr3t-of-the-test", ""), out)
    left = world.shown("secrets", "cat /modes; ls -A /run/secrets 2>/dev/null; ls -A /root")
    expect(left == "root 400\napp 440\n", left)
    held = subprocess.run(["grep", "-rl", "--", "s3cr3t-of-the\\|v4r14bl3-of-the-test$", os.path.join(world.state, "templates")], capture_output=True,
                          text=True).stdout.split()
    # What the Dockerfile itself says of it is in the image's history.
    expect(all(name.endswith(".json") for name in held), held)
    for name in held:
        with open(name) as kept:
            expect("f4k3-s3cr3t-of-the-test &&" in kept.read(), name)


def stages_that_do_not_need_each_other_are_built_at_once(world):
    top = world.context("FROM base:1 AS a\nRUN sleep 2\nFROM base:1 AS b\nRUN sleep 2 && true\nFROM scratch\nCOPY --from=a /etc/passwd /a\n"
                        "COPY --from=b /etc/passwd /b\n")
    started = time.monotonic()
    process = subprocess.Popen([world.cay, "template", "build", "--progress", "plain", "-t", "both", top], env=world.environment, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True)
    eventually(lambda: len([name for name in os.listdir(os.path.join(world.state, "sandboxes"))]) >= 2 or process.poll() is not None,
               "two sandboxes at once")
    expect(process.poll() is None, f"it ended after {time.monotonic() - started} s without two steps at once")
    process.communicate(timeout=60)
    expect(process.returncode == 0, "it failed")


def a_build_that_is_stopped_leaves_nothing_and_keeps_what_was_done(world):
    dockerfile = "FROM base:1\nRUN echo done > /done\nRUN sleep 1000\n"
    top = world.context(dockerfile)
    process = subprocess.Popen([world.cay, "template", "build", "--progress", "plain", top], env=world.environment, stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, text=True)
    for line in process.stderr:
        if "RUN echo done" in line:
            break
    eventually(lambda: os.listdir(os.path.join(world.state, "sandboxes")), "the sandbox of the second step")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    expect(process.returncode == 128 + signal.SIGINT, process.returncode)
    eventually(lambda: world.leftovers() == [], "nothing is left")
    out = world.build(dockerfile, "--step-timeout", "300ms", code=1, context=top)
    expect("RUN echo done > /done: cached" in out, out)


def a_killed_build_leaves_nothing_that_is_half_made(world):
    dockerfile = "FROM base:1\nRUN echo half > /half; sleep 1000\n"
    top = world.context(dockerfile)
    before = world.layers()
    process = subprocess.Popen([world.cay, "template", "build", "-q", top], env=world.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    eventually(lambda: os.listdir(os.path.join(world.state, "sandboxes")), "the sandbox of the step")
    process.kill()
    process.wait()
    world.run("gc")
    world.run("template", "list")
    eventually(lambda: world.leftovers() == [], "nothing is left")
    expect(world.layers() <= before, "a layer of it is there")


def what_a_step_leaves_running_is_gone_and_its_files_are_whole(world):
    world.build("FROM base:1\nRUN (while true; do echo x >> /growing; done) & sleep 0.3\nRUN nohup sleep 1000 > /dev/null 2>&1 &\nRUN ps > /ps\n",
                "-t", "leftovers")
    expect("sleep 1000" not in world.shown("leftovers", "cat /ps"), "a process outlived its step")


def one_that_begins_with_nothing(world):
    with open("/bin/busybox", "rb") as program:
        busybox = program.read()
    world.build("FROM scratch\nCOPY --chmod=755 busybox /bin/sh\nRUN [\"/bin/sh\", \"-c\", \"echo of itself > /out\"]\nCMD [\"/bin/sh\", \"-c\", \"read x < /out; echo $x\"]\n",
                "-t", "nothing", files={"busybox": busybox})
    expect(world.run("run", "-q", "--template", "nothing", "--use-entrypoint") == "of itself\n", "its own program does not run")
    world.build("FROM scratch\nLABEL a=b\n", "-t", "empty")


def a_built_one_is_an_image_for_others(world):
    world.build("FROM base:1\nRUN echo built > /built && rm -rf /srv && mkdir /srv && touch /srv/new && rm /etc/group\nENV A=b\n", "-t", "whole:1")
    archive = os.path.join(world.top, "whole.tar")
    world.run("template", "export", "-q", "whole:1", archive)
    world.run("template", "import", "-q", "again", archive)
    script = "cat /built; ls /srv; ls /etc/group; echo $A"
    expect(world.run("run", "-q", "--template", "again", "--", "sh", "-c", script + "; true") ==
           world.run("run", "-q", "--template", "whole:1", "--", "sh", "-c", script + "; true") == "built\nnew\n" +
           ("/etc/group\n" if "group" in world.shown("whole:1", "ls /etc") else "") + "b\n", "it is another one when it is imported again")


def the_history_tells_of_all_layers_also_over_an_image_that_has_none(world):
    image = Image(Env=["PATH=/bin"]).layer(small_root()).layer([file("second", "2")])
    image.tells_history = False
    image.write_layout(os.path.join(world.top, "untold"))
    world.run("template", "import", "-q", "untold:1", os.path.join(world.top, "untold"))
    world.build("FROM untold:1\nENV A=b\nRUN echo x > /x\n", "-t", "told:1")
    archive = os.path.join(world.top, "told.tar")
    world.run("template", "export", "-q", "--format", "docker", "told:1", archive)
    with tarfile.open(archive) as files:
        manifest = json.load(files.extractfile("manifest.json"))[0]
        history = json.load(files.extractfile(manifest["Config"]))["history"]
    made = [one.get("created_by", "") for one in history if not one.get("empty_layer")]
    expect(made == ["", "", "RUN echo x > /x"] and len(manifest["Layers"]) == 3, f"{history}")


def a_hostile_step_reaches_nothing(world):
    # Each of these works in no sandbox; and what it leaves in its layer reaches nothing either.
    out = world.build("""
FROM base:1
RUN mknod /dev/sda b 8 0; mknod /d b 8 0; mount -t tmpfs none /srv; echo 1 > /proc/sys/kernel/core_pattern; chmod 4755 /bin/busybox; ln -s / /root-of-host; ln -s /etc/shadow /srv/shadow; true
RUN rm -rf /etc && ln -s /root-of-host/etc /etc; true
RUN ln -sf ../../../../../../../../../../etc/passwd /srv/escape; touch '/.wh.bin' ; true
""", "-t", "hostile", code=WRONG)
    expect("/.wh.bin" in out or ".wh." in out, out)
    world.build("""
FROM base:1 AS evil
RUN rm -rf /srv && ln -s / /srv && ln -s /etc/group /f && mkdir /d && ln -s ../../../../../.. /d/up
FROM base:1
COPY --from=evil /srv/etc/passwd /passwd
COPY --from=evil /f /f
COPY --from=evil /d/up/etc/passwd /up
COPY --from=evil /d /d
""", "-t", "copied")
    expect(world.shown("copied", "cat /passwd /up /f") == 2 * world.shown("base:1", "cat /etc/passwd") + world.shown("base:1", "cat /etc/group"),
           "of another root")
    info = os.stat("/bin/busybox")
    expect(info.st_mode & 0o4000 == 0, "the host's own file was changed")


def links_of_a_context_lead_nowhere_outside(world):
    files = {"out": ("link", "/etc/shadow"), "dir": ("link", "/etc"), "up": ("link", "../../../../../../etc/shadow"), "loop": ("link", "loop")}
    for source in ("out", "dir/shadow", "up", "loop", "dir"):
        world.build(f"FROM base:1\nCOPY {source} /x/\n", files=files, code=WRONG)
    world.build("FROM base:1\nCOPY . /x/\n", "-t", "links", files=files)
    expect(world.shown("links", "for link in out dir up loop; do readlink /x/$link; done").split() == ["/etc/shadow", "/etc", "../../../../../../etc/shadow", "loop"], "links")


def an_ordinary_user_is_told_why_not(world):
    done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", world.cay, "template", "build", "--state-dir",
                           os.path.join(world.top, "nobody"), "/"], env=world.environment, capture_output=True, text=True)
    expect(done.returncode == 1 and "as root" in done.stderr, done.stderr)


CHECKS = (a_stage_is_built_and_only_what_it_needs, what_an_image_says_is_in_its_configuration, the_onbuild_of_an_image_is_done_first,
          files_are_copied_as_docker_copies_them, what_it_kept_is_found_again_by_what_it_depends_on,
          a_failed_step_keeps_those_before_it_and_says_what_it_wrote, errors_name_the_file_and_line, limits_of_steps_hold_and_are_named,
          mounts_are_seen_and_are_in_no_layer, a_cache_is_there_in_the_next_build_and_in_no_layer, secrets_are_in_no_layer_and_no_record,
          stages_that_do_not_need_each_other_are_built_at_once, a_build_that_is_stopped_leaves_nothing_and_keeps_what_was_done,
          a_killed_build_leaves_nothing_that_is_half_made, what_a_step_leaves_running_is_gone_and_its_files_are_whole,
          one_that_begins_with_nothing, a_built_one_is_an_image_for_others,
          the_history_tells_of_all_layers_also_over_an_image_that_has_none, a_hostile_step_reaches_nothing,
          links_of_a_context_lead_nowhere_outside, an_ordinary_user_is_told_why_not)


def main():
    options = options_where_there_are()
    with tempfile.TemporaryDirectory(prefix="cay-build-") as top:
        os.chmod(top, 0o755)
        return 1 if try_checks(CHECKS, Built(options.cay, top), options.only) else 0


if __name__ == "__main__":
    sys.exit(main())
