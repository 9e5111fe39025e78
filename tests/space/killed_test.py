#!/usr/bin/env python3
"""Kills with SIGKILL at random instants what pulls, builds, takes a snapshot, imports, removes and prunes. After each: the
store opens, every template that has a name is whole, nothing half made is to be seen, and the same again succeeds. At the end
there is as much on the disk as at the beginning. See --help; the last line says how it went.
"""

import argparse
import os
import random
import shutil
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from scenes import ACTS, Broken, Registry, World, expect  # noqa: E402
from server import NoAnswer  # noqa: E402

LOOKED_AT = 5


def kill_command(act, delay):
    """Whether it was still at work."""
    process = act.begin()
    time.sleep(delay)
    living = process.poll() is None
    process.kill()
    process.wait()
    return living


def kill_server(act, delay):
    answers = []

    def take():
        try:
            answers.append(act.take())
        except NoAnswer:
            pass

    taking = threading.Thread(target=take)
    taking.start()
    taking.join(timeout=delay)
    act.server.kill()
    taking.join()
    act.server.start()
    return not answers


class Rounds:
    def __init__(self, world, source, seconds):
        self.world, self.source = world, source
        self.seconds = seconds  # of each act, when nobody kills it
        self.at_work = 0
        self.took = {}

    def round(self, act):
        act.prepare()
        delay = self.source.uniform(0, 1.1 * self.seconds[type(act).__name__])
        self.at_work += kill_server(act, delay) if act.on_server else kill_command(act, delay)
        self.world.expect_whole_store()
        act.check()
        self.world.expect_whole(self.world.kept_image)
        took = finish(act)
        # How busy the machine is changes. One of the last few was killed early, so that all was done again.
        of_act = self.took.setdefault(type(act).__name__, [])
        of_act.append(took)
        if len(of_act) >= LOOKED_AT:
            self.seconds[type(act).__name__] = max(0.02, *of_act[-LOOKED_AT:])
        self.world.expect_whole_store()


def finish(act):
    """The same again, to its end; how long it took."""
    begun = time.monotonic()
    if act.on_server:
        status, body = act.take()
        expect(status == 201, f"the same again: {status} {body}")
    else:
        done = act.finish()
        expect(done.returncode == 0, f"the same again: {done.returncode} {done.stdout}{done.stderr}")
    took = time.monotonic() - begun
    act.expect_done()
    if act.on_server:
        act.release()
    return took


def measure(act):
    """How long it takes when nobody kills it."""
    act.prepare()
    begun = time.monotonic()
    if act.on_server:
        act.take()
    else:
        act.finish()
    took = time.monotonic() - begun
    finish(act)
    return took


def run(options, directory, registry):
    world = World(options.cay, directory, registry)
    world.prepare()
    chosen = [act for act in ACTS if options.only.lower() in act.__name__.lower()]
    acts = [act(world) for act in chosen]
    seconds = {type(act).__name__: measure(act) for act in acts}
    world.remove_all_but_kept()
    first = (world.layers(), world.space())
    rounds = Rounds(world, random.Random(options.seed), seconds)
    for number in range(options.rounds):
        act = acts[number % len(acts)]
        begun = rounds.at_work
        try:
            rounds.round(act)
        except Exception as error:
            raise Broken(f"round {number + 1}, {type(act).__name__}: {error!r}") from error
        if options.verbose:
            print(f"round {number + 1}: {type(act).__name__}{', at work' if rounds.at_work > begun else ''}", flush=True)
        if number % 12 == 11:
            world.expect_as_at_first(first)
    world.expect_as_at_first(first)
    world.run("gc")
    return rounds.at_work, seconds, first


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cay", required=True, type=os.path.abspath)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--only", default="", help="acts whose name has this in it")
    parser.add_argument("--seed", type=int, default=None, help="printed when it fails")
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    if os.geteuid() != 0 or not all(shutil.which(name) for name in ("docker-registry", "skopeo")):
        print("skipped: needs root, docker-registry and skopeo")
        return 77
    if options.seed is None:
        options.seed = random.SystemRandom().randrange(1 << 32)
    directory = tempfile.mkdtemp(prefix="cay-space-")
    os.chmod(directory, 0o711)
    try:
        with Registry(os.path.join(directory, "registry")) as registry:
            at_work, seconds, first = run(options, directory, registry)
    except (Broken, RuntimeError) as error:
        print(f"seed {options.seed}: {error}\nthe state is in {directory}", file=sys.stderr)
        return 1
    shutil.rmtree(directory)
    took = ", ".join(f"{name.lower()} {time:.2f} s" for name, time in seconds.items())
    print(f"{options.rounds} of {options.rounds} rounds, {at_work} of them killed at work ({took}): every template whole, each again, "
          f"{first[1] >> 10} KiB in {len(first[0])} layers as at first")
    return 0


if __name__ == "__main__":
    sys.exit(main())
