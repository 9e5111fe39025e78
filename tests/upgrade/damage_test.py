#!/usr/bin/env python3
"""Damages what a server keeps, starts it again, and looks whether a sandbox was lost for it. A server may refuse to start,
with an advice that is safe to follow, or start without knowing a sandbox; but what runs goes on, and can be had back.
"""

import argparse
import fcntl
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "outlive"))
sys.path.insert(0, HERE)
from server import Broken, Machine, Server, expect  # noqa: E402
from world import LIMITS, World  # noqa: E402

NAMES = ("early", "late", "off")  # "early" is in the older copy of the database
FILE = "/workspace/agent_workspace/kept.txt"


class Trial:
    """Three sandboxes, and a server that was killed."""

    def __init__(self, cay, state, with_key=False):
        self.server = Server(cay, state)
        self.state = state
        self.ids = {}
        if with_key:
            World(self.server).prepare()
        self.server.start()
        self.create("early")
        self.older = os.path.join(state, "older.db")
        with sqlite3.connect(self.path("cay.db")) as source, sqlite3.connect(self.older) as copy:
            source.backup(copy)
        self.create("late")
        self.create("off")
        self.call(200, "POST", "/api/sandboxes/off/stop")
        self.server.kill()

    def path(self, name):
        return os.path.join(self.state, name)

    def record(self, name):
        return self.path(f"sandboxes/{self.ids[name]}/record")

    def call(self, expected, method, path, value=None):
        status, body = self.server.api(method, path, value)
        expect(status == expected, f"{method} {path}: {status} {body}")
        return body

    def create(self, name):
        made = self.call(201, "POST", "/api/sandboxes", dict(LIMITS, name=name, env={"NAME": name}))
        self.ids[name] = made["id"]
        status, _, body = self.server.raw("PUT", f"/api/sandboxes/{name}/files?path={FILE}", name.encode())
        expect(status == 201, f"PUT: {status} {body!r}")
        self.call(201, "POST", f"/api/sandboxes/{name}/processes", {"command": ["sleep", "1000"], "timeout": "3h"})

    def cay(self, *arguments):
        environment = dict(os.environ, CAY_STATE_DIR=self.state, CAY_URL=f"http://127.0.0.1:{self.server.port}")
        return subprocess.run([self.server.cay, *arguments], env=environment, check=False, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def rows(self):
        return {row["id"]: row for row in json.loads(self.cay("ps", "--json").stdout)}

    # Whatever the server makes of it: no guest has ended, and no file is gone.
    def check_alive(self, but=()):
        rows = self.rows()
        for name in NAMES:
            if name in but:
                continue
            row = rows.get(self.ids[name])
            expect(row, f"{name} is not listed: {rows}")
            expect(os.path.exists(self.path(f"sandboxes/{self.ids[name]}/scratch.img")), f"the files of {name} are gone")
            if name != "off" and row["pids"] is not None:
                expect(row["pids"] > 1, f"the processes of {name} have ended: {row}")

    # True when it started; otherwise what it said is safe to do has been done, and it has started then.
    def start(self):
        try:
            self.server.start()
            return True
        except RuntimeError as error:
            self.check_alive()
            expect("kept as orphaned" in str(error) or "newer cay" in str(error), f"no safe advice: {error}")
        for name in ("cay.db", "cay.db-wal", "cay.db-shm"):
            if os.path.lexists(self.path(name)):
                os.rename(self.path(name), self.path("aside-" + name))
        self.server.start()
        return False

    def adopt_all(self):
        known = {one["id"] for one in self.call(200, "GET", "/api/sandboxes")["sandboxes"]}
        orphans = {one["id"]: one for one in self.call(200, "GET", "/api/orphans")["orphans"]}
        rows = self.rows()
        for name, one in self.ids.items():
            expect((one in known) != (one in orphans), f"{name} is neither known nor orphaned, or both: {known} {orphans}")
            if one in known:
                continue
            expect(orphans[one]["name"] == name and orphans[one]["owner"] == "local", f"{name}: {orphans[one]}")
            expect(rows[one]["state"] == "orphaned", f"cay ps: {rows[one]}")
            expect(self.server.api("GET", f"/api/sandboxes/{one}")[0] == 404, f"{name} can be used")
            adopted = self.cay("adopt", one)
            expect(adopted.returncode == 0, f"cay adopt: {adopted.stdout}")
        expect(not self.call(200, "GET", "/api/orphans")["orphans"], "an orphan is left")
        return len(orphans)

    def check_whole(self):
        for name in NAMES:
            view = self.call(200, "GET", f"/api/sandboxes/{name}")
            expect(view["id"] == self.ids[name], f"{name} is another: {view}")
            expect(view["state"] == ("stopped" if name == "off" else "running"), f"{name}: {view}")
            if name == "off":
                self.call(200, "POST", "/api/sandboxes/off/start")
            done = self.call(200, "POST", f"/api/sandboxes/{name}/execute",
                             {"command": ["sh", "-c", f"echo $NAME $(cat {FILE}) $(pgrep -c sleep)"]})
            expect(done["stdout"] == f"{name} {name} {0 if name == 'off' else 1}\n", f"{name}: {done}")

    def end(self):
        for name in NAMES:
            self.call(204, "DELETE", f"/api/sandboxes/{self.ids[name]}")
        self.server.stop()


# ----------------------------------------------------------------------------------------------
# What is done to the database, by name.


def remove(trial, *names):
    for name in names or ("cay.db", "cay.db-wal", "cay.db-shm"):
        if os.path.exists(trial.path(name)):
            os.unlink(trial.path(name))


def without_log(trial):
    remove(trial, "cay.db-wal", "cay.db-shm")


def write(trial, content, name="cay.db"):
    with open(trial.path(name), "wb") as file:
        file.write(content)


def patch(trial, at, content):
    with open(trial.path("cay.db"), "r+b") as file:
        file.seek(at)
        file.write(content)


def put_back_older(trial):
    remove(trial)
    shutil.copy(trial.older, trial.path("cay.db"))


def checkpointed(trial):
    """All of the log in the database itself."""
    with sqlite3.connect(trial.path("cay.db")) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()


def foreign_log(trial):
    """Of another database, with its own salts and good checksums."""
    other = trial.path("other.db")
    db = sqlite3.connect(other)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA wal_autocheckpoint=0")
    db.execute("CREATE TABLE t(x)")
    db.executemany("INSERT INTO t VALUES (?)", [("x" * 900,)] * 40)
    db.commit()
    checkpointed(trial)
    shutil.copy(other + "-wal", trial.path("cay.db-wal"))
    db.close()


def truncate(trial):
    checkpointed(trial)
    os.truncate(trial.path("cay.db"), os.path.getsize(trial.path("cay.db")) // 2 + 100)


def corrupt_page(trial):
    checkpointed(trial)
    db = sqlite3.connect(trial.path("cay.db"))
    root = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'sandbox'").fetchone()[0]
    size = db.execute("PRAGMA page_size").fetchone()[0]
    db.close()
    patch(trial, (root - 1) * size, b"\xa5" * size)


def corrupt_document(trial):
    """A row that reads well as SQL, and whose document is none."""
    with sqlite3.connect(trial.path("cay.db")) as db:
        db.execute("UPDATE sandbox SET document = '{\"spec\": tru' WHERE name = 'late'")
    db.close()


def corrupt_process(trial):
    with sqlite3.connect(trial.path("cay.db")) as db:
        db.execute("UPDATE process SET document = x'a1ff'")
    db.close()


def newer(trial):
    with sqlite3.connect(trial.path("cay.db")) as db:
        db.execute("PRAGMA user_version = 1000")
    db.close()


def read_only(trial):
    checkpointed(trial)
    os.chmod(trial.path("cay.db"), 0o400)


DATABASES = {
    "missing": remove,
    "empty": lambda trial: (remove(trial), write(trial, b"")),
    "older": put_back_older,
    "without its log": without_log,
    "with a foreign log": foreign_log,
    "truncated": truncate,
    "a garbled header": lambda trial: (checkpointed(trial), patch(trial, 0, b"\x5a" * 100)),
    "a garbled page": corrupt_page,
    "a garbled document": corrupt_document,
    "a garbled process": corrupt_process,
    "not a database": lambda trial: (remove(trial), write(trial, b"this is not a database\n" * 500)),
    "of a newer program": newer,
    "read-only": read_only,
}


def damage_database(trial, damage):
    DATABASES[damage](trial)
    started = trial.start()
    trial.check_alive()
    adopted = trial.adopt_all()
    trial.check_whole()
    trial.end()
    return ("started" if started else "refused, then started anew") + f", {adopted} adopted"


def newer_record(content):
    # A map whose field 1, the format, is 200.
    return b"\xa2\x01\x18\xc8\x02\x00" if content else b""


RECORDS = {
    "empty": lambda content: b"",
    "truncated": lambda content: content[:len(content) // 2],
    "garbled": lambda content: b"\x5a" * len(content),
    "of a newer program": newer_record,
    "of another": lambda content: content.replace(content[10:20], b"0123456789"),
    "lost": None,
}


def damage_record(trial, damage):
    path = trial.record("late")
    with open(path, "rb") as file:
        content = file.read()
    os.unlink(path)
    if RECORDS[damage]:
        with open(path, "wb") as file:
            file.write(RECORDS[damage](content))
    trial.server.start()
    trial.check_alive()
    view = trial.call(200, "GET", "/api/sandboxes/late")
    expect(view["reason"].startswith("damaged: "), f"late: {view}")
    refused = trial.call(409, "POST", "/api/sandboxes/late/start")
    expect("nothing of it is left" not in refused["detail"] and "its record" in refused["remedy"], f"late, started: {refused}")
    expect(trial.rows()[trial.ids["late"]]["state"] == "damaged", "cay ps does not say so")
    doctor = trial.cay("doctor", "--json")
    expect(trial.ids["late"] in doctor.stdout, "cay doctor does not say so")
    collected = trial.cay("gc")
    expect(trial.ids["late"] in collected.stdout, f"cay gc does not say that it is kept: {collected.stdout}")
    trial.check_alive()
    trial.server.stop()
    collected = trial.cay("gc")  # nobody owns anything now
    trial.check_alive()
    with open(path, "wb") as file:
        file.write(content)
    trial.server.start()
    trial.check_whole()
    trial.end()
    return "kept, and whole with its record"


def orphans_end(trial, _):
    """What nobody wants is removed, and not before its time."""
    remove(trial)
    trial.server.start()
    early = trial.cay("gc", "--orphans")
    expect(early.returncode == 0, early.stdout)
    trial.check_alive()
    late = trial.cay("gc", "--orphans", "--older", "0s")
    expect(late.returncode == 0 and all(one in late.stdout for one in trial.ids.values()), late.stdout)
    expect(not trial.rows(), f"left: {trial.rows()}")
    trial.server.stop()
    return "removed when asked"


def serve_without_database(trial):
    """A server has run with an empty database, for which all are orphans, and the right one is there again."""
    kept = {name: trial.path("kept-" + name) for name in ("cay.db", "cay.db-wal")}
    for name, aside in kept.items():
        os.rename(trial.path(name), aside)
    remove(trial)
    trial.server.start()
    expect(len(trial.call(200, "GET", "/api/orphans")["orphans"]) == len(NAMES), "not all are orphaned")
    trial.server.stop()
    remove(trial)
    for name, aside in kept.items():
        os.rename(aside, trial.path(name))


def copy_comes_back(trial, _):
    """The right database again: what was orphaned meanwhile is promised as before."""
    serve_without_database(trial)
    trial.server.start()
    expect(not trial.call(200, "GET", "/api/orphans")["orphans"], "orphans are left")
    trial.check_whole()
    trial.end()
    return "promised again"


def one_stays_away(trial, _):
    """The right database again, and one of what was orphaned is another program's meanwhile: the others are there."""
    serve_without_database(trial)
    away = trial.ids["late"]
    with open(trial.path(f"sandboxes/{away}/lock"), "r+b") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)
        trial.server.start()
        views = {view["name"]: view for view in trial.call(200, "GET", "/api/sandboxes")["sandboxes"]}
        expect(set(views) == set(NAMES), f"not all are there: {views}")
        expect(views["late"]["state"] == "failed" and "cannot be taken back" in views["late"]["reason"], f"late: {views['late']}")
        trial.server.stop()
    trial.server.start()
    trial.check_whole()
    trial.end()
    return "the others are there, and it comes back"


def keys_lost(trial, _):
    """Without its keys a server would be open to everybody on the machine."""
    remove(trial)
    trial.server.key = None
    try:
        trial.server.start()
    except RuntimeError as error:
        expect("cay keys create" in str(error), f"no advice: {error}")
    else:
        raise Broken("the server starts without the keys that its sandboxes belong to")
    trial.check_alive()
    World(trial.server).prepare()
    trial.server.start()
    for name, one in trial.ids.items():
        adopted = trial.call(200, "POST", f"/api/orphans/{one}/adopt", {"owner": "ops", "name": name + "-2"})
        expect(adopted["name"] == name + "-2", f"adopted: {adopted}")
    trial.end()
    return "refused, and started with a new key"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cay", required=True)
    parser.add_argument("--only", default="", help="trials whose name has this in it")
    parser.add_argument("--long", action="store_true", help="nothing more: all of it is short")
    options = parser.parse_args()
    if os.geteuid() != 0:
        print("skipped: it needs root")
        return 77
    trials = [("database " + name, damage_database, name) for name in DATABASES]
    trials += [("record " + name, damage_record, name) for name in RECORDS]
    trials += [("orphans nobody wants", orphans_end, ""), ("a copy that comes back", copy_comes_back, ""),
               ("one that stays away", one_stays_away, ""),
               ("keys that are lost", keys_lost, "")]
    failures = 0
    for title, act, argument in trials:
        if options.only not in title:
            continue
        state = tempfile.mkdtemp(prefix="cay-damage-")
        machine = Machine(state)
        trial = None
        begun = time.monotonic()
        try:
            trial = Trial(options.cay, state, with_key=act is keys_lost)
            machine.ids.update(trial.ids.values())
            said = act(trial, argument)
            left = machine.left()
            expect(not left, f"left: {left}")
            print(f"{title}: {said} ({time.monotonic() - begun:.1f} s)", flush=True)
        except (Broken, RuntimeError, OSError, KeyError, ValueError) as error:
            failures += 1
            print(f"{title}: FAILED: {error!r}", flush=True)
        finally:
            clean_up(trial)
            shutil.rmtree(state, ignore_errors=True)
    print(f"damage: {'ok' if not failures else str(failures) + ' failed'}")
    return 1 if failures else 0


def clean_up(trial):
    """After a failure too: nothing of it stays on the machine."""
    if trial is None:
        return
    if trial.server.process.poll() is None:
        trial.server.kill()
    remove(trial)
    for name in NAMES:
        if os.path.isdir(trial.path(f"sandboxes/{trial.ids.get(name)}")):
            try:
                trial.server.start()
                trial.server.stop()
            except RuntimeError:
                pass
            trial.cay("gc", "--orphans", "--older", "0s")
            break


if __name__ == "__main__":
    sys.exit(main())
