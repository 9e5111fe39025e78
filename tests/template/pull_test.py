#!/usr/bin/env python3
"""Images of a registry become templates: what a person does with `cay template pull`, as root and as an ordinary user. Exits with
77 without a registry and a client that pushes to it."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(HERE, "..", "support"))
from checks import expect, try_checks  # noqa: E402
from images import Image, Registry, directory, file, removal, small_root, symlink  # noqa: E402
from world import USERS, World, options_where_there_are  # noqa: E402



def many_layers():
    image = Image(Env=["PATH=/bin", "GREETING=good morning"], WorkingDir="/data/work", User="app", Cmd=["sh"],
                  Labels={"org.example.note": "of the test"})
    image.layer(small_root() + [directory("data"), directory("data/work", uid=1000, gid=1000), file("data/old", "of the first"),
                                directory("data/emptied"), file("data/emptied/below", "hidden"), directory("real"), symlink("led", "real")])
    image.layer([removal("data/old"), file("data/new", "of the second")])
    image.layer([file("data/emptied/.wh..wh..opq", b""), file("data/emptied/above", "shown")])
    image.layer([file("led/through", "of a symlink")])
    for number in range(5, 11):
        image.layer([file(f"data/layer-{number}", f"{number}"), file("data/new", f"of layer {number}")])
    return image


def an_image_is_what_its_layers_come_to(world):
    name = world.registry.push(many_layers(), f"app-{world.uid}:1.2")
    said = world.run("template", "pull", name)
    expect(f"pulled {name} (11 layers" in said, said)  # ten, and what a sandbox needs beside them
    told = world.inside(name, "for f in /data/new /data/emptied/above /real/through /data/layer-5; do cat $f; echo; done; ls /data; ls /data/emptied")
    layers = [f"layer-{number}" for number in (10, 5, 6, 7, 8, 9)]
    expect(told.split() == ["of", "layer", "10", "shown", "of", "a", "symlink", "5", "emptied"] + layers + ["new", "work", "above"], told)
    expect(not world.blobs(), f"what was fetched is unpacked: {world.blobs()}")


def its_variables_user_and_directory_hold(world):
    name = f"{world.registry.name}/app-{world.uid}:1.2"
    told = world.inside(name, "echo $GREETING; pwd; id -u; echo $HOME").split("\n")
    expect(told[:4] == ["good morning", "/data/work", "1000", "/home/app"], f"{told}")
    listed = world.templates()[name]
    expect(listed["layers"] == 11 and re.fullmatch("sha256:[0-9a-f]{64}", listed["digest"]) and listed["user"] == "app", f"{listed}")


def what_is_here_is_not_fetched_again(world):
    base = many_layers()
    other = many_layers().layer([file("data/more", "of another image")])
    expect(base.diff_ids == other.diff_ids[:-1], "the same base")
    name = world.registry.push(other, f"other-{world.uid}:1")
    before = world.registry.count_blobs_given()
    kept = world.layers()
    world.run("template", "pull", "--as", "other", name)
    given = world.registry.count_blobs_given() - before
    expect(given == 2, f"a configuration and one layer, and not {given}")
    expect(len(world.layers() - kept) == 2, "a layer of its own, and the topmost")
    expect(world.inside("other", "cat /data/more /data/new") == "of another imageof layer 10", "both")


def layers_go_with_the_last_that_needs_them(world):
    name = f"{world.registry.name}/app-{world.uid}:1.2"
    before = world.layers()
    world.run("template", "rm", name)
    expect(len(before - world.layers()) == 1, "its topmost alone: the other has the rest")
    expect(world.inside("other", "cat /data/layer-5") == "5", "the other stands")
    world.run("template", "rm", "other")
    expect(len(before - world.layers()) == 13, f"{before - world.layers()}")


def a_name_that_is_taken_is_replaced_where_that_is_meant(world):
    first = Image(Cmd=["sh"]).layer(small_root() + [file("version", "1")])
    second = Image(Cmd=["sh"]).layer(small_root() + [file("version", "2")])
    name = world.registry.push(first, f"moved-{world.uid}:1")
    world.run("template", "pull", "-q", name)
    world.run("template", "pull", "-q", "--as", "kept", name)
    world.registry.push(second, f"moved-{world.uid}:1")
    world.run("template", "pull", "-q", name)
    expect(world.inside(name, "cat /version") == "2", "the tag leads to another image now")
    expect("already" in world.run("template", "pull", "--as", "kept", name, code=1), "it may be somebody's")
    expect(world.inside("kept", "cat /version") == "1", "untouched")
    world.run("template", "pull", "-q", "--replace", "--as", "kept", name)
    expect(world.inside("kept", "cat /version") == "2", "as it was asked for")
    world.run("template", "rm", "kept", name)


def by_digest_and_by_latest(world):
    image = Image(Cmd=["sh"]).layer(small_root())
    name = world.registry.push(image, f"plain-{world.uid}:latest")
    world.run("template", "pull", f"{world.registry.name}/plain-{world.uid}")
    digest = world.templates()[name]["digest"]
    told = world.run("run", "-q", "--template", f"{world.registry.name}/plain-{world.uid}", "--", "sh", "-c", "id -u; pwd")
    # As docker has it, where an image does not say. An ordinary user's sandbox has one user.
    expect(told == ("1000\n/\n" if world.uid else "0\n/\n"), told)
    by_digest = f"{world.registry.name}/plain-{world.uid}@{digest}"
    world.run("template", "pull", "-q", by_digest)
    expect(by_digest in world.templates(), f"{world.templates()}")
    wrong = f"{world.registry.name}/plain-{world.uid}@sha256:{'0' * 64}"
    expect("not" in world.run("template", "pull", wrong, code=1), "there is none of that digest")
    expect(wrong not in world.templates(), "nothing is kept of it")


def what_is_wrong_is_said(world):
    said = world.run("template", "pull", f"{world.registry.name}/nothing:1", code=1)
    expect("nothing" in said, said)
    expect("not a template name" in world.run("template", "pull", "Not/A:Name:1", code=125), "no reference")
    name = world.registry.push(Image().layer(small_root()), f"here-{world.uid}:1")
    said = world.run("template", "pull", "--platform", "linux/s390x", name, code=1)
    expect("s390x" in said, said)
    no_root = world.registry.push(Image().layer([symlink("etc", "/elsewhere")]), f"no-root-{world.uid}:1")
    expect("not a usable root filesystem" in world.run("template", "pull", no_root, code=125), "it cannot run")
    expect(no_root not in world.templates(), "nothing is kept of it")


def what_came_with_a_run_can_go_and_what_was_asked_for_stays(world):
    name = world.registry.push(Image(Cmd=["sh"]).layer(small_root() + [file("lazy", f"{world.uid}")]), f"lazy-{world.uid}:1")
    prune = ("system", "prune", "--force", "--state-dir", world.state)
    world.inside(name, "true")
    expect(world.templates()[name]["came"] == "pulled", f"{world.templates()[name]}")
    world.run(*prune)
    expect(name not in world.templates(), "a run pulls it again")
    world.inside(name, "true")
    world.run("template", "pull", "-q", name)
    expect(world.templates()[name]["came"] == "by_hand", f"{world.templates()[name]}")
    world.inside(name, "true")
    world.run(*prune)
    expect(name in world.templates(), "somebody asked for it")
    world.run("template", "rm", name)


def over_the_budget_room_is_made_and_then_it_is_refused(world):
    name = world.registry.push(Image(Cmd=["sh"]).layer(small_root() + [file("mine", os.urandom(3_000_000))]), f"mine-{world.uid}:1")
    lazy = world.registry.push(Image(Cmd=["sh"]).layer(small_root() + [file("big", os.urandom(3_000_000))]), f"big-{world.uid}:1")
    budget = os.path.join(world.state, "templates", ".budget")

    def allow(more):
        used = json.loads(world.run("system", "df", "--json", "--state-dir", world.state))["used_bytes"]
        with open(budget, "w") as out:
            json.dump({"max_bytes": used + more, "max_age_ms": 0}, out)
        os.chown(budget, world.uid, world.uid)

    world.inside(lazy, "true")
    path = os.path.join(world.state, "templates", lazy.replace("/", "+") + ".json")
    path = path if os.path.exists(path) else next(each.path for each in os.scandir(os.path.dirname(path)) if f"big-{world.uid}" in each.name)
    with open(path) as text:
        metadata = json.load(text)
    metadata["imported_unix_ms"] -= 3_600_000
    with open(path, "w") as text:
        json.dump(metadata, text)
    for use in os.scandir(os.path.join(world.state, "templates", ".used")):
        os.utime(use.path, (time.time() - 3600,) * 2)
    try:
        allow(4_000_000)
        world.run("template", "pull", "-q", name)  # twice what it is stored as: the other one goes
        expect(lazy not in world.templates() and name in world.templates(), f"{list(world.templates())}")
        allow(100_000)
        said = world.run("template", "pull", "-q", lazy, code=1)
        expect("templates.space" in said and name in said and "cay system df" in said, said)
        expect(lazy not in world.templates(), "refused")
    finally:
        os.unlink(budget)
    world.run("template", "rm", name)


def killed_at_any_moment_it_leaves_nothing_half_made(world):
    image = many_layers()
    image.layer([file(f"data/random-{i}", os.urandom(400_000)) for i in range(20)])
    name = world.registry.push(image, f"killed-{world.uid}:1")
    world.run("template", "list")
    kept = world.layers()
    for number in range(12):
        pull = subprocess.Popen(world.command("template", "pull", "-q", name), env=world.environment,
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(0.02 * number)
        pull.send_signal(signal.SIGKILL)
        pull.wait()
        if name in world.templates():
            expect(world.inside(name, "wc -c < /data/random-19") == "400000\n", "whole, once it has its name")
            world.run("template", "rm", name)
    world.run("template", "pull", "-q", name)
    expect(world.inside(name, "wc -c < /data/random-19") == "400000\n", "whole")
    world.run("template", "rm", name)
    expect(world.layers() <= kept, f"nothing stays: {world.layers() - kept}")
    expect(os.listdir(os.path.join(world.state, "templates", ".partial")) == [], "nothing half made stays")


CHECKS = (an_image_is_what_its_layers_come_to, its_variables_user_and_directory_hold, what_is_here_is_not_fetched_again,
          layers_go_with_the_last_that_needs_them, a_name_that_is_taken_is_replaced_where_that_is_meant, by_digest_and_by_latest,
          what_is_wrong_is_said, what_came_with_a_run_can_go_and_what_was_asked_for_stays,
          over_the_budget_room_is_made_and_then_it_is_refused,
          killed_at_any_moment_it_leaves_nothing_half_made)


def main():
    options = options_where_there_are("docker-registry", "skopeo")
    failed = 0
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        with Registry(os.path.join(directory, "registry")) as registry:
            for uid in USERS:
                failed += try_checks(CHECKS, World(options.cay, uid, directory, registry), options.only, f", as uid {uid}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
