#!/usr/bin/env python3
"""The state directory's disk runs full: sandboxes are told, the server goes on, what must end ends, and what was promised is
there when there is room again.
"""

import os
import sys

from fixture import Scene, eventually, expect, run_tests

DISK_MIB = 1024


def sandboxes_are_told_and_the_server_goes_on(cay):
    with Scene(cay, DISK_MIB) as scene:
        scene.server.start()
        writer, other = scene.create(), scene.create()
        scene.disk.fill()
        result = scene.execute(writer, "dd if=/dev/zero of=/workspace/big bs=1M count=48 conv=fsync")
        expect(result["exit_code"] != 0, f"48 MiB were written to a full disk: {result}")
        scene.works(writer)
        scene.works(other)
        scene.ask(200, "GET", "/health")
        status, body = scene.server.api("GET", "/ready")
        expect(status == 503 and "disk" in body["detail"] and body.get("remedy"), f"/ready on a full disk: {status} {body}")
        status, body = scene.server.api("POST", "/api/sandboxes", {"disk_limit": "64m"})
        expect(status == 503 and "disk" in body["detail"] and body.get("remedy"), f"a create on a full disk: {status} {body}")
        status, body = scene.upload("few bytes")
        expect(status == 503 and "disk" in body["detail"] and body.get("remedy"), f"an upload to a full disk: {status} {body}")


def destroying_works_and_makes_room(cay):
    with Scene(cay, DISK_MIB) as scene:
        scene.server.start()
        full = [scene.create() for _ in range(3)]
        for sandbox in full:
            scene.execute(sandbox, "dd if=/dev/zero of=/workspace/big bs=1M count=32 conv=fsync")
        for sandbox in full:
            scene.disk.fill()
            scene.destroy(sandbox)
            eventually(lambda: scene.disk.free() > 16 << 20, "there is room again")
        scene.disk.clear()
        eventually(lambda: scene.server.api("GET", "/ready")[0] == 200, "the server is ready again")
        scene.works(scene.create())
        # It was written down, too.
        scene.server.kill()
        scene.server.start()
        for sandbox in full:
            scene.nothing_is_left_of(sandbox)


def lifetimes_end_and_stops_keep_their_files(cay):
    with Scene(cay, DISK_MIB) as scene:
        scene.server.start()
        mortal = scene.create(timeout="3s")
        idle = scene.create(idle_timeout="2s", on_timeout="stop")
        stopped = scene.create()
        scene.execute(stopped, "echo kept >/workspace/file; sync")
        scene.disk.fill()
        eventually(lambda: scene.state_of(mortal) == 404, "a lifetime ends on a full disk")
        eventually(lambda: scene.state_of(idle) in ("stopped", 404), "an idle sandbox is stopped on a full disk")
        scene.disk.fill()
        status, body = scene.server.api("POST", f"/api/sandboxes/{stopped}/stop")
        expect(status in (200, 503), f"stop on a full disk: {status} {body}")
        # Either it was stopped or nothing has happened to it.
        expect(scene.state_of(stopped) == ("stopped" if status == 200 else "running"), scene.state_of(stopped))
        scene.disk.clear()
        if status == 503:
            scene.ask(200, "POST", f"/api/sandboxes/{stopped}/stop")
        scene.ask(200, "POST", f"/api/sandboxes/{stopped}/start")
        expect(scene.execute(stopped, "cat /workspace/file")["stdout"] == "kept\n", "the file is not what it was")


def a_server_starts_on_a_full_disk(cay):
    with Scene(cay, DISK_MIB) as scene:
        scene.server.start()
        kept, doomed = scene.create(), scene.create()
        scene.execute(kept, "echo kept >/workspace/file; sync")
        for how in (scene.server.kill, scene.server.stop):
            scene.disk.fill()
            how()
            scene.disk.fill()
            # Its launcher ends a moment after it.
            eventually(lambda: all(id_ in scene.run("gc")[1] for id_ in (kept, doomed)), "gc tells of what lives")
            scene.server.launch()
            eventually(lambda: scene.server.answers("/health"), "the server starts on a full disk")
            status, body = scene.server.api("GET", "/ready")
            expect(status == 503 and "disk" in body["detail"], f"/ready: {status} {body}")
            scene.works(kept)
            scene.works(doomed)
        scene.disk.fill()
        scene.destroy(doomed)
        scene.disk.clear()
        eventually(lambda: scene.server.api("GET", "/ready")[0] == 200, "the server is ready again")
        expect(scene.execute(kept, "cat /workspace/file")["stdout"] == "kept\n", "the file is not what it was")
        scene.works(scene.create())


def what_ends_ends_while_others_write_without_pause(cay):
    """Long: whatever room there is, somebody takes it at once."""
    with Scene(cay, DISK_MIB) as scene:
        scene.server.start()
        writers = [scene.create() for _ in range(3)]
        for writer in writers:
            scene.ask(201, "POST", f"/api/sandboxes/{writer}/processes", {
                "command": "while :; do dd if=/dev/urandom of=/workspace/$((i = (i + 1) % 50)) bs=1M count=1 conv=fsync; done", "timeout": "1h"})
        kept = scene.create()
        scene.disk.fill()
        for round_ in range(10):
            doomed = scene.create_when_there_is_room()
            mortal = scene.create_when_there_is_room(timeout="2s")
            scene.disk.fill()
            scene.destroy(doomed)
            eventually(lambda gone=mortal: scene.state_of(gone) == 404, "a lifetime ends")
            if round_ % 2:
                (scene.server.kill if round_ % 4 == 1 else scene.server.stop)()
                scene.disk.fill()
                scene.server.launch()
                eventually(lambda: scene.server.answers("/health"), "the server starts on a full disk")
            scene.works(kept)
        for writer in writers:
            scene.destroy(writer)
        scene.disk.clear()
        eventually(lambda: scene.server.api("GET", "/ready")[0] == 200, "the server is ready again")
        expect([one["id"] for one in scene.sandboxes()] == [kept], f"what there is: {scene.sandboxes()}")


def what_is_promised_is_bounded(cay):
    with Scene(cay, DISK_MIB) as scene:
        scene.server.start()
        # Twice what the disk has, by default.
        count = 0
        while True:
            status, body = scene.server.api("POST", "/api/sandboxes", {"disk_limit": "512m", "memory_limit": "64m"})
            if status != 201:
                break
            scene.machine.ids.add(body["id"])
            count += 1
            expect(count < 8, "there is no bound")
        expect(status == 503 and "limits.disk_committed" in body["remedy"] and "disk" in body["detail"], f"{status} {body}")
        expect(count == 3, f"{count} times 512 MiB were promised of a disk of 1 GiB less what ext4 needs")
        code, text = scene.run("doctor")
        expect("together they can fill it" in text, f"doctor does not warn: {code} {text}")
        scene.disk.fill()
        _, text = scene.run("doctor")
        expect("keeps for itself is free" in text, f"doctor does not tell of the full disk: {text}")


if __name__ == "__main__":
    os.umask(0o022)
    sys.exit(run_tests([sandboxes_are_told_and_the_server_goes_on, destroying_works_and_makes_room,
                        lifetimes_end_and_stops_keep_their_files, a_server_starts_on_a_full_disk, what_is_promised_is_bounded],
                       [what_ends_ends_while_others_write_without_pause]))
