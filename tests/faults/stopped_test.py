#!/usr/bin/env python3
"""Processes that hang: a launcher or a guest that is stopped (SIGSTOP). Every wait has an end, and what was promised is there."""

import signal
import sys
import threading

from fixture import PATIENCE, Scene, eventually, expect, guest, run_tests

SETTINGS = ("timeouts.launcher=3s",)
AT_ONCE = 20  # more than any server has launchers


def a_hung_launcher_is_replaced(cay):
    with Scene(cay, settings=SETTINGS) as scene:
        scene.server.start()
        before = scene.create()
        hung = scene.launchers()
        hung.send(signal.SIGSTOP)
        scene.works(before)  # needs no launcher
        answers = []
        threads = [threading.Thread(target=lambda: answers.append(scene.server.api("POST", "/api/sandboxes", {})))
                   for _ in range(AT_ONCE)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for status, body in answers:
            expect(status in (201, 503), f"a create while the launcher hangs: {status} {body}")
            scene.machine.ids.update([body["id"]] if status == 201 else [])
        expect(any(status == 201 for status, _ in answers), "nobody was served after the launchers were replaced")
        eventually(lambda: not hung.alive(), "the hung launchers are ended")
        scene.works(before)
        scene.works(scene.create())
        # Its next request is a destroy: it is done all the same.
        scene.launchers().send(signal.SIGSTOP)
        scene.destroy(before)


def a_server_ends_though_its_launcher_hangs(cay):
    with Scene(cay, settings=SETTINGS) as scene:
        scene.server.start()
        kept = scene.create()
        for signals in (1, 2):
            hung = scene.launchers()
            hung.send(signal.SIGSTOP)
            for _ in range(signals - 1):
                scene.server.process.send_signal(signal.SIGTERM)
            scene.server.stop(PATIENCE)
            scene.server.start()
            scene.works(kept)
            eventually(lambda process=hung: not process.alive(), "the hung launchers are ended")


def a_server_starts_though_an_old_launcher_hangs(cay):
    with Scene(cay, settings=SETTINGS) as scene:
        scene.server.start()
        kept, paused = scene.create(), scene.create()
        scene.ask(200, "POST", f"/api/sandboxes/{paused}/pause")
        hung = scene.launchers()
        hung.send(signal.SIGSTOP)
        scene.server.kill()
        scene.server.start()
        expect(not hung.alive(), "launchers of two servers have the sandboxes")
        scene.works(kept)
        scene.ask(200, "POST", f"/api/sandboxes/{paused}/resume")
        scene.works(paused)
        scene.destroy(kept)


def a_hung_guest_costs_its_callers_their_own_timeout(cay):
    with Scene(cay) as scene:
        scene.server.start()
        sandbox, other = scene.create(), scene.create()
        hung = guest(sandbox)
        hung.send(signal.SIGSTOP)
        status, body = scene.server.api("POST", f"/api/sandboxes/{sandbox}/execute", {"command": ["true"], "timeout": "1s"}, timeout=20)
        expect(status == 504, f"an execute in a hung sandbox: {status} {body}")
        scene.works(other)
        hung.send(signal.SIGCONT)
        scene.works(sandbox)
        # It hangs while a command runs.
        answers = []
        command = {"command": ["sleep", "1000"], "timeout": "2s"}
        thread = threading.Thread(target=lambda: answers.append(
            scene.server.api("POST", f"/api/sandboxes/{sandbox}/execute", command, timeout=25)))
        thread.start()
        eventually(lambda: any(one["state"] == "running" for one in scene.ask(
            200, "GET", f"/api/sandboxes/{sandbox}/processes")["processes"]), "the command runs")
        hung.send(signal.SIGSTOP)
        thread.join()
        expect(answers, "no answer came in 25 s")
        status, body = answers[0]
        expect(status == 200 and body["timed_out"], f"a command whose sandbox hangs: {status} {body}")
        hung.send(signal.SIGCONT)
        # Its time was over all the same.
        eventually(lambda: scene.execute(sandbox, "pgrep -c sleep || true")["stdout"].strip() == "0", "the command is ended")
        hung.send(signal.SIGSTOP)
        scene.destroy(sandbox)


if __name__ == "__main__":
    sys.exit(run_tests([a_hung_launcher_is_replaced, a_server_ends_though_its_launcher_hangs,
                        a_server_starts_though_an_old_launcher_hangs, a_hung_guest_costs_its_callers_their_own_timeout]))
