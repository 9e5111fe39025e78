#!/usr/bin/env python3
"""Programs that need root's privileges, in sandboxes whose root has them; and who may have such a sandbox. Over the template
host, which has no packages of its own; with --long over a Debian made by mmdebstrap, with packages, accounts, a database and a web
server. Exits with 77 where not started by root, or without mmdebstrap or a mirror for it."""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
sys.path.insert(0, os.path.join(HERE, "..", "outlive"))
from checks import as_user, expect, try_checks  # noqa: E402
from server import Server  # noqa: E402

SKIPPED = 77
NOBODY = 65534
DEBIAN = "bookworm"
PACKAGES = "postgresql,nginx-light,sudo,python3-pip"


class World:
    def __init__(self, cay, directory):
        self.cay, self.directory = cay, directory
        self.state = os.path.join(directory, "state")
        os.makedirs(self.state, exist_ok=True)
        self.environment = {"PATH": os.environ["PATH"], "HOME": directory, "CAY_STATE_DIR": self.state}

    def cay_run(self, *arguments, uid=0):
        environment = self.environment if not uid else {**self.environment, "CAY_STATE_DIR": os.path.join(self.directory, str(uid))}
        done = subprocess.run(as_user(uid, [self.cay, *arguments]), env=environment, capture_output=True, text=True, timeout=300)
        return done.returncode, done.stdout, done.stderr

    def script(self, script, *options, template="host"):
        code, out, err = self.cay_run("run", "-q", "--template", template, "--memory", "1g", "--privileges", "root", "-u", "0", *options,
                                      "--", "sh", "-ec", script)
        expect(code == 0, f"{script}: {code}: {out}{err}")
        return out


def accounts_are_made_and_become(world):
    out = world.script("useradd -m bob; chown bob /tmp; stat -c %U /tmp; setpriv --reuid bob --regid bob --init-groups sh -c 'id -un; pwd'; "
                       "install -o bob -m 600 /etc/hostname /tmp/of_bob; stat -c '%U %a' /tmp/of_bob; userdel -r bob 2>/dev/null")
    expect(out.split("\n")[:2] == ["bob", "bob"] and "bob 600" in out, out)


def without_them_root_is_as_it_was(world):
    code, out, err = world.cay_run("run", "-q", "-u", "0", "--", "sh", "-c", "grep CapEff /proc/self/status; chown 33 /tmp")
    expect(code != 0 and "0000000000000000" in out and "not permitted" in err, f"{code}: {out}{err}")


def what_others_than_root_ask_for_is_refused(world):
    os.makedirs(os.path.join(world.directory, str(NOBODY)), exist_ok=True)
    os.chown(os.path.join(world.directory, str(NOBODY)), NOBODY, NOBODY)
    code, _, err = world.cay_run("run", "-q", "--best-effort", "--privileges", "root", "--", "true", uid=NOBODY)
    expect(code != 0 and "no root" in err, f"{code}: {err}")
    code, _, err = world.cay_run("run", "-q", "--privileges", "all", "--", "true")
    expect(code == 125 and "none or root" in err, f"{code}: {err}")


def a_server_gives_them_where_it_is_allowed(world):
    for allowed in (False, True):
        state = os.path.join(world.directory, f"server-{allowed}")
        os.makedirs(state)
        server = Server(world.cay, state, ["--allow-root", "true"] if allowed else [])
        server.start()
        try:
            status, body = server.api("POST", "/api/sandboxes", {"name": "asked", "privileges": "root", "user": "0"})
            expect(status == (201 if allowed else 403), f"{status}: {body}")
            status, body = server.api("POST", "/api/sandboxes", {"name": "usual", "user": "0"})
            expect(status == 201 and body["privileges"] == "none", f"{status}: {body}")
            if not allowed:
                continue
            status, body = server.api("GET", "/api/sandboxes/asked")
            expect(body["privileges"] == "root", body)
            for name, good in (("asked", True), ("usual", False)):
                for again in (False, True):
                    if again:
                        server.api("POST", f"/api/sandboxes/{name}/stop")
                        server.api("POST", f"/api/sandboxes/{name}/start")
                    status, body = server.api("POST", f"/api/sandboxes/{name}/execute", {"command": ["chown", "33", "/tmp"]})
                    expect(status == 200 and (body["exit_code"] == 0) == good, f"{name}: {status}: {body}")
        finally:
            for name in ("asked", "usual"):
                server.api("DELETE", f"/api/sandboxes/{name}")
            server.kill()


SHORT = (accounts_are_made_and_become, without_them_root_is_as_it_was, what_others_than_root_ask_for_is_refused,
         a_server_gives_them_where_it_is_allowed)


def a_package_makes_its_user(world):
    tree = os.path.join(world.directory, "package")
    os.makedirs(os.path.join(tree, "DEBIAN"))
    with open(os.path.join(tree, "DEBIAN", "control"), "w") as control:
        control.write("Package: cay-hello\nVersion: 1\nArchitecture: all\nMaintainer: a <a@example.org>\nDescription: a user and a directory\n")
    postinst = os.path.join(tree, "DEBIAN", "postinst")
    with open(postinst, "w") as script:
        script.write("#!/bin/sh\nset -e\nadduser --system --group hellod\ninstall -d -o hellod -g hellod /var/lib/hellod\n")
    os.chmod(postinst, 0o755)
    subprocess.run(["dpkg-deb", "--root-owner-group", "-b", tree, tree + ".deb"], check=True, capture_output=True)
    out = world.script("apt-get install -qy /tmp/one.deb >/tmp/log 2>&1 || { cat /tmp/log; exit 1; }; stat -c '%U %G' /var/lib/hellod; "
                       "dpkg -s cay-hello | grep Status", "--copy", f"{tree}.deb:/tmp/one.deb", template="debian")
    expect("hellod hellod" in out and "install ok installed" in out, out)


def root_becomes_others(world):
    out = world.script("useradd -m bob; su - bob -c 'id -un; pwd; grep CapEff /proc/self/status'; runuser -u bob -- id -un; sudo -u bob id -un; "
                       "! su bob -c 'touch /etc/no' 2>/dev/null; echo bob:secret | chpasswd; usermod -aG staff bob; id -nG bob",
                       template="debian")
    expect(out.split() == ["bob", "/home/bob", "CapEff:", "0000000000000000", "bob", "bob", "bob", "staff"], out)


def a_database_runs_as_its_user(world):
    out = world.script("pg_ctlcluster 15 main start; su postgres -c \"psql -Atc 'select 40 + 2'\"; stat -c %U /proc/$(head -1 "
                       "/var/lib/postgresql/15/main/postmaster.pid); pg_ctlcluster 15 main stop", template="debian")
    expect(out.split() == ["42", "postgres"], out)


def a_web_servers_workers_are_not_root(world):
    out = world.script("nginx; for p in $(grep -l '^nginx' /proc/[0-9]*/comm); do stat -c %U ${p%/comm}; done | sort -u; nginx -s stop",
                       template="debian")
    expect(out.split() == ["root", "www-data"], out)


def programs_are_installed_for_everybody(world):
    out = world.script("mkdir /tmp/p; printf '[project]\\nname = \"cay-hello\"\\nversion = \"1\"\\n' >/tmp/p/pyproject.toml; "
                       "touch /tmp/p/cay_hello.py; pip install -q --break-system-packages --no-build-isolation --no-index /tmp/p 2>&1; "
                       "pip list 2>/dev/null | grep cay", template="debian")
    expect("cay-hello" in out, out)


LONG = (a_package_makes_its_user, root_becomes_others, a_database_runs_as_its_user, a_web_servers_workers_are_not_root,
        programs_are_installed_for_everybody)


def make_debian(world, tar):
    if not tar:
        tar = os.path.join(world.directory, "debian.tar")
        if not shutil.which("mmdebstrap"):
            return "there is no mmdebstrap"
        made = subprocess.run(["mmdebstrap", "--quiet", "--variant=minbase", f"--include={PACKAGES}", DEBIAN, tar],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if made.returncode != 0:
            return f"mmdebstrap made no Debian: {made.stderr[-2000:]}"
    code, out, err = world.cay_run("template", "import", "debian", tar)
    expect(code == 0, f"{out}{err}")
    return None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cay", required=True)
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--tar", help=f"a {DEBIAN} with {PACKAGES} that is there already")
    parser.add_argument("--only", help="a part of a check's name")
    options = parser.parse_args()
    if os.geteuid() != 0:
        print("skipped: not root")
        return SKIPPED
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        world = World(os.path.abspath(options.cay), directory)
        missing = make_debian(world, options.tar) if options.long else None
        if missing:
            print(f"skipped: {missing}")
            return SKIPPED
        failed = try_checks(SHORT + (LONG if options.long else ()), world, options.only)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
