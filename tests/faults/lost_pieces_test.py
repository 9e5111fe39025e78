#!/usr/bin/env python3
"""Pieces of a sandbox are lost or damaged while it runs, and its launcher dies. Destroyed means seen dead: no process of it
runs, and its uid range is given to nobody before.
"""

import os
import shutil
import signal
import sys

from fixture import Scene, eventually, expect, guest, processes, run_tests


def damage(path):
    with open(path, "r+b") as file:
        file.write(b"\xff" * 64)


PIECES = {
    "its record is lost": lambda directory: os.unlink(f"{directory}/record"),
    "its record is damaged": lambda directory: damage(f"{directory}/record"),
    "its record is empty": lambda directory: os.truncate(f"{directory}/record", 0),
    "its guest's socket is lost": lambda directory: os.unlink(f"{directory}/guest.sock"),
    "its lock is lost": lambda directory: os.unlink(f"{directory}/lock"),
    "its image is lost": lambda directory: os.unlink(f"{directory}/scratch.img"),
    "all of it is lost": lambda directory: shutil.rmtree(directory),
}


def ranges(scene):
    """Owner of each uid range that is taken."""
    directory = os.path.join(scene.state_dir, "run", "ids")
    return [os.readlink(os.path.join(directory, name)) for name in os.listdir(directory)]


def kill_launchers(scene):
    launchers = scene.launchers()
    launchers.send(signal.SIGKILL)
    eventually(lambda: not launchers.alive(), "the launchers die")


def destroyed_means_seen_dead(cay):
    with Scene(cay) as scene:
        scene.server.start()
        neighbour = scene.create()
        for what, lose in PIECES.items():
            sandbox = scene.create()
            scene.ask(201, "POST", f"/api/sandboxes/{sandbox}/processes", {"command": "setsid sleep 1000 & sleep 1000"})
            lose(os.path.join(scene.state_dir, "sandboxes", sandbox))
            kill_launchers(scene)
            expect(len(processes(sandbox)) > 1, f"{what}: its processes are gone before it is destroyed")
            scene.destroy(sandbox)
            eventually(lambda gone=sandbox: gone not in ranges(scene), f"{what}: its uid range is freed", 20)
            scene.works(neighbour)


def a_failed_sandbox_starts_again(cay):
    with Scene(cay) as scene:
        scene.server.start()
        sandbox = scene.create()
        scene.execute(sandbox, "echo kept >/workspace/file; sync")
        for round_ in range(3):
            if round_ == 1:  # a new launcher knows less of it
                kill_launchers(scene)
            guest(sandbox).send(signal.SIGKILL)
            eventually(lambda: scene.state_of(sandbox) == "failed", "it has failed")
            if round_ == 2:
                kill_launchers(scene)
            scene.ask(200, "POST", f"/api/sandboxes/{sandbox}/start")
            expect(scene.execute(sandbox, "cat /workspace/file")["stdout"] == "kept\n", "the file is not what it was")
        scene.destroy(sandbox)


if __name__ == "__main__":
    sys.exit(run_tests([destroyed_means_seen_dead, a_failed_sandbox_starts_again]))
