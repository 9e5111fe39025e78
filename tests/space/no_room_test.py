#!/usr/bin/env python3
"""A disk that is full before, or becomes full at a random instant of, a pull, a build, a snapshot, an import, a removal and a
prune. What makes room succeeds; of the others each succeeds or says that the disk is full, nothing half made is to be seen, and
with room again the same succeeds. At the end there is as much on the disk as at the beginning. The last line says how it went.
"""

import argparse
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "faults")]
from fixture import SmallDisk  # noqa: E402
from killed_test import finish, measure  # noqa: E402
from scenes import ACTS, Broken, Prune, Registry, Remove, Snapshot, World, expect  # noqa: E402

DISK_MIB = 2048
# Whose fault it is, too: nobody asked for too much.
SAYS_SO = re.compile(r"No space left on device|are kept for the machine|disk can give|has no room|ran out of disk|disk (is|was) full")


def outcome(act, begun):
    """(whether it was done, what it said)."""
    if act.on_server:
        begun.join()
        status, body = act.answer_came
        return status == 201, f"{status} {body}"
    output, _ = begun.communicate(timeout=120)
    return begun.returncode == 0, f"{begun.returncode} {output}"


def begin(act):
    if act.on_server:
        def take():
            act.answer_came = act.take()

        thread = threading.Thread(target=take)
        thread.start()
        return thread
    return subprocess.Popen(act.world.command(*act.arguments()), env=act.world.environment, stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def cut(act, disk, delay):
    """Whether it was done although the disk became full."""
    act.prepare()
    if delay is None:
        disk.fill()
    begun = begin(act)
    if delay is not None:
        time.sleep(delay)
        disk.fill()
    done, said = outcome(act, begun)
    try:
        if isinstance(act, (Remove, Prune)):
            expect(done, f"what makes room needs none: {said}")
        expect(delay is not None or done == isinstance(act, (Remove, Prune)), f"on a full disk: {said}")
        expect(done or SAYS_SO.search(said), f"it does not say that the disk is full: {said}")
        if act.on_server:
            expect(done or (said.startswith("503") and "'code': 'resource_exhausted'" in said), f"another error: {said}")
    finally:
        disk.clear()
    act.world.expect_whole_store()
    act.check()
    act.world.expect_whole(act.world.kept_image)
    finish(act)
    act.world.expect_whole_store()
    return done


def run(options, directory, disk, registry):
    source = random.Random(options.seed)
    world = World(options.cay, directory, registry, state=disk.path)
    world.prepare()
    acts = [act(world) for act in ACTS if options.only.lower() in act.__name__.lower()]
    seconds = {act: measure(act) for act in acts}
    world.remove_all_but_kept()
    first = (world.layers(), world.space())
    done = 0
    for number in range(options.rounds):
        act = acts[number % len(acts)]
        # The first of each is full before.
        delay = None if number < len(acts) else source.uniform(0, seconds[act])
        try:
            was_done = cut(act, disk, delay)
        except Exception as error:
            raise Broken(f"round {number + 1}, {type(act).__name__}, full after {delay}: {error!r}") from error
        done += was_done
        if options.verbose:
            print(f"round {number + 1}: {type(act).__name__}, full {'before' if delay is None else f'after {delay:.2f} s'}"
                  f"{', done' if was_done else ''}", flush=True)
    world.expect_as_at_first(first)
    world.run("gc")
    return done


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cay", required=True, type=os.path.abspath)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--only", default="", help="acts whose name has this in it")
    parser.add_argument("--seed", type=int, default=None, help="printed when it fails")
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    if os.geteuid() != 0 or not all(shutil.which(name) for name in ("docker-registry", "skopeo", "mkfs.ext4")):
        print("skipped: needs root, docker-registry, skopeo and mkfs.ext4")
        return 77
    if options.seed is None:
        options.seed = random.SystemRandom().randrange(1 << 32)
    directory = tempfile.mkdtemp(prefix="cay-space-")
    os.chmod(directory, 0o711)
    os.mkdir(os.path.join(directory, "disk"))
    disk = SmallDisk(os.path.join(directory, "disk"), DISK_MIB)
    failed = None
    try:
        with Registry(os.path.join(directory, "registry")) as registry:
            done = run(options, directory, disk, registry)
    except (Broken, RuntimeError, subprocess.SubprocessError) as error:
        failed = error
    disk.clear()
    try:
        disk.unmount()
    except Broken as error:
        failed = failed or error
    if failed:
        print(f"seed {options.seed}: {failed}\nthe state is in {directory}", file=sys.stderr)
        return 1
    shutil.rmtree(directory)
    print(f"{options.rounds} of {options.rounds} rounds on a disk that became full, {done} of them done all the same: "
          "nothing half made, each again, the space as at first")
    return 0


if __name__ == "__main__":
    sys.exit(main())
