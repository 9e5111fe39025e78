#!/usr/bin/env python3
"""Packages that sandboxes ask for: installed once by this machine's own pip and npm, over an index of the test, found again, told of, apart by
owners, and against a package that attacks. As root. Exits with 77 where something is missing."""

import json
import os
import subprocess
import sys
import tempfile
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
for room in ("support", "template"):
    sys.path.insert(0, os.path.join(HERE, "..", room))
from checks import eventually, expect, try_checks  # noqa: E402
from package_index import Index, sdist, wheel  # noqa: E402
from server_build_test import Building  # noqa: E402
from world import SKIPPED, options_where_there_are  # noqa: E402

ATTACK = """
import socket, subprocess, urllib.request
SAW = {}
def tries(name, what):
    try:
        SAW[name] = str(what())[:300]
    except BaseException as error:
        SAW[name] = "refused: " + type(error).__name__
def reaches(host, port):
    # Each connection begins at the relay, which decides: what counts is whether anybody answers.
    with socket.create_connection((host, port), 5) as to:
        to.settimeout(20)
        to.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
        answer = to.recv(100)
    if not answer:
        raise ConnectionError("closed")
    return "reached"
tries("other host", lambda: reaches("example.com", 443))
tries("metadata", lambda: reaches("169.254.169.254", 80))
tries("machine", lambda: reaches("127.0.0.1", PORT))
tries("other port", lambda: reaches("host.cay.internal", PORT))
tries("machine's shadow", lambda: open("/etc/shadow").read().count("$"))
tries("machine's usr", lambda: open("/usr/cay-was-here", "w").write("x"))
tries("state", lambda: os.listdir("STATE"))
tries("mount", lambda: subprocess.run(["mount", "-t", "tmpfs", "x", "/mnt"], check=True, capture_output=True))
tries("setuid", lambda: (open("/opt/suid", "w").write("x"), os.chmod("/opt/suid", 0o4755), "made")[2])
"""


class Packaged(Building):
    """A server whose sandboxes may have packages of an index of the test; and this machine without one."""

    def __init__(self, cay, directory):
        self.index = Index()
        self.index.add(wheel("greeter", "1.0", "def main():\n    print('hello 1.0')\n", script="greet"))
        self.index.add(wheel("greeter", "2.0", "def main():\n    print('hello 2.0')\n", script="greet"))
        self.index.add(wheel("other", "1.0", "VALUE = 7\n"))
        self.index.add_npm("lodush", "4.1.0", {"index.js": "module.exports = { value: 41 };\n",
                                               "package.json": {"main": "index.js", "bin": {"lodush": "cli.js"}},
                                               "cli.js": "#!/usr/bin/env node\nconsole.log('cli 41');\n"})
        super().__init__(cay, directory)

    def start(self, **settings):
        with open(os.path.join(self.state, "cay.toml"), "w") as out:
            out.write(f"[templates]\npackages_env = {json.dumps(self.index.variables())}\n")
        self.environment["CAY_CONFIG"] = os.path.join(self.state, "cay.toml")
        super().start(**{"templates.packages": "all", "templates.packages_allow": self.index.place, "network.private_allowed": "host.cay.internal",
                         "templates.build_memory": "1g", "templates.build_disk": "2g", **settings})

    def run_here(self, *arguments, code=0):
        options = ["--packages-allow", self.index.place]
        for variable in self.index.variables():
            options += ["--packages-env", variable]
        return self.run("run", *options, *arguments, code=code)

    def create(self, config, key=None, code=201, **more):
        status, made = self.ask("POST", "/api/sandboxes", {"environment_config": config, **more}, key or self.one)
        expect(status == code, f"{status}: {made}")
        return made

    def execute(self, sandbox, command, key=None):
        status, done = self.ask("POST", f"/api/sandboxes/{sandbox['id']}/execute", {"command": command}, key or self.one)
        expect(status == 200 and done["exit_code"] == 0, f"{status}: {done}")
        return done["stdout"].strip()

    def destroy(self, *sandboxes, key=None):
        for sandbox in sandboxes:
            self.ask("DELETE", f"/api/sandboxes/{sandbox['id']}", key=key or self.one)

    def builds(self):
        return self.ask("GET", "/api/templates/builds")[1]["builds"]


def a_run_of_this_machine_has_them(world):
    script = "import greeter, sys; greeter.main()"
    out = world.run_here("--packages", "greeter==1.0", "--", "python3", "-c", script)
    expect(out == "hello 1.0\n", out)
    expect(any("greeter-1.0" in path for path in world.index.asked()), "the index was asked")
    layers = world.layers()
    expect(world.run_here("--packages", "greeter == 1.0", "--", "greet") == "hello 1.0\n", "its program is in PATH")
    expect(world.layers() == layers and not world.index.asked(), "found again: no new layer, nobody asked")
    listed = {name: one for name, one in world.templates().items() if name.startswith("packages-")}
    expect([one["packages"] for one in listed.values()] == [["pip:greeter==1.0"]] and list(listed.values())[0]["parent"] == "host", f"{listed}")
    world.run("run", "-q", "--", "python3", "-c", "import importlib.util; assert not importlib.util.find_spec('greeter')")


def files_name_them_too(world):
    path = os.path.join(world.state, "requirements.txt")
    with open(path, "w") as out:
        out.write("# what it needs\ngreeter<2  # the older\nother \\\n  ==1.0\n")
    out = world.run_here("--requirements", path, "--", "python3", "-c", "import greeter, other; greeter.main(); print(other.VALUE)")
    expect(out == "hello 1.0\n7\n", out)
    with open(path, "w") as out:
        out.write("greeter\n--index-url http://elsewhere/\n")
    said = world.run_here("--requirements", path, "--", "true", code=125)
    expect("line 2" in said and "--index-url" in said, said)


def of_npm_too(world):
    if subprocess.run(world.command("run", "-q", "--", "npm", "--version"), env=world.environment, capture_output=True).returncode != 0:
        print("no npm in host: left out")
        return
    out = world.run_here("--packages", "npm:lodush@^4", "--", "sh", "-c",
                         "cd /workspace && node -e 'console.log(require(\"lodush\").value)' && lodush && "
                         "echo 'import l from \"lodush\"; console.log(l.value + 1)' > /tmp/a.mjs && node /tmp/a.mjs")
    expect(out == "41\ncli 41\n42\n", out)
    said = world.run_here("--packages", "npm:nothing-like-it", "--", "true", code=125)
    expect("E404" in said and "does not have" in said, said)


def what_fails_is_told_by_whose_fault_it_is(world):
    said = world.run_here("--packages", "greeter==9.9", "--", "true", code=125)
    expect("No matching distribution" in said and "does not have what was asked for" in said, said)
    said = world.run("run", "--packages-env", "PIP_INDEX_URL=http://host.cay.internal:1/simple", "--packages-env", "PIP_RETRIES=1",
                     "--packages-env", "PIP_TRUSTED_HOST=host.cay.internal", "--packages", "greeter==1.0,other==1.0", "--", "true", code=125)
    expect("the registry was not reached" in said and "--packages-allow" in said, said)
    for attack in ("-e .", "--index-url=http://x", "x@http://evil/x.whl", "./x", "x;y", "apt:-y", "npm:--global"):
        said = world.run_here(f"--packages={attack}", "--", "true", code=125)
        expect("package" in said, said)
    expect("own /usr" in world.run_here("--packages", "apt:jq", "--", "true", code=125), "apt over this machine's own")


def a_package_that_attacks_finds_nothing(world):
    attack = ATTACK.replace("PORT", world.url.rpartition(":")[2]).replace("STATE", world.state)
    world.index.add(sdist("hostile", "1.0", attack))
    out = world.run_here("--packages", "hostile", "--", "python3", "-c", "import hostile, json; print(json.dumps(hostile.SAW))")
    saw = json.loads(out)
    expect(saw["machine's shadow"] in ("0",) or saw["machine's shadow"].startswith("refused"), f"{saw}")
    expect(saw.pop("setuid") == "made", f"{saw}")
    saw.pop("machine's shadow")
    expect(all(value.startswith("refused") for value in saw.values()), f"{saw}")
    mode = world.run_here("--packages", "hostile", "--", "sh", "-c", "stat -c %a /opt/suid")
    expect(mode == "755\n", f"setuid bits are in no layer: {mode}")


def a_create_has_them(world):
    config = {"packages": ["greeter==2.0"], "env_vars": {"DEBUG": "1"}}
    one = world.create(config)
    expect(one["packages"] == ["pip:greeter==2.0"] and one["template"] == "host" and one["packages_template"].startswith("@one/packages-"), f"{one}")
    expect(one["env"]["DEBUG"] == "1", f"{one['env']}")
    expect(world.execute(one, "greet; echo $DEBUG") == "hello 2.0\n1", "they are there")
    built = world.builds()[0]
    expect(built["state"] == "done" and built["owner"] == "one" and built["names"] == [one["packages_template"]], f"{built}")
    layers, count = world.layers(), len(world.builds())
    two = world.create({"requirements": "greeter==2.0\n"})
    expect(world.layers() == layers and len(world.builds()) == count, "found again: no build, no layer")
    expect(two["packages_template"] == one["packages_template"], f"{two}")
    world.ask("POST", f"/api/sandboxes/{one['id']}/reset", {}, world.one)
    expect(world.execute(one, "greet") == "hello 2.0", "after a reset")
    world.start()
    there = world.ask("GET", f"/api/sandboxes/{one['id']}", key=world.one)[1]
    expect(there["packages"] == one["packages"] and there["packages_template"] == one["packages_template"], f"{there}")
    expect(world.execute(one, "greet") == "hello 2.0", "after a restart of the server")
    expect(world.ask("DELETE", f"/api/snapshots/{one['packages_template'].partition('/')[2]}", key=world.one)[0] == 204, "it is its owner's")
    world.ask("POST", f"/api/sandboxes/{one['id']}/stop", {}, world.one)
    world.ask("POST", f"/api/sandboxes/{one['id']}/start", {}, world.one)
    expect(world.execute(one, "greet") == "hello 2.0", "its sandbox keeps what it stands on")
    status, snapshot = world.ask("POST", f"/api/sandboxes/{one['id']}/snapshots", {"name": "kept"}, world.one)
    expect(status == 201 and snapshot["packages"] == [], f"{status}: {snapshot}")
    from_it = world.ask("POST", "/api/sandboxes", {"template": "kept"}, world.one)[1]
    expect(world.execute(from_it, "greet") == "hello 2.0", "and so does a snapshot of it")
    world.destroy(one, two, from_it)


def owners_share_nothing(world):
    config = {"packages": ["other==1.0"]}
    one, other = world.create(config), world.create(config, key=world.other)
    expect(one["packages_template"] != other["packages_template"], f"{other}")
    names = [build["names"][0] for build in world.builds()[:2]]
    expect(sorted(names) == sorted([one["packages_template"], other["packages_template"]]), f"each had a build: {names}")
    status, problem = world.ask("POST", "/api/sandboxes", {"template": one["packages_template"]}, world.other)
    expect(status == 404, f"{status}: {problem}")
    world.destroy(one)
    world.destroy(other, key=world.other)


def two_at_once_wait_for_one_build(world):
    world.index.add(wheel("slow", "1.0", "VALUE = 1\n"))
    world.index.gate = threading.Event()
    made, before = [], len(world.builds())
    threads = [threading.Thread(target=lambda: made.append(world.create({"packages": ["slow"]}))) for _ in range(3)]
    for thread in threads:
        thread.start()
    eventually(lambda: len(world.builds()) > before, "a build begins")
    status, problem = world.request("POST", "/api/sandboxes", json.dumps({"environment_config": {"packages": ["slow"]}}).encode(), world.one,
                                    **{"Content-Type": "application/json", "Prefer": "wait=0"})
    expect(status == 503, f"{status}: {problem}")
    awaited = [part["of"] for part in problem["remedy_parts"] if part.get("action") == "await_build"]
    expect(awaited == [world.builds()[0]["id"]], f"{problem}")
    world.index.gate.set()
    for thread in threads:
        thread.join()
    world.index.gate = None
    expect(len(made) == 3 and len(world.builds()) == before + 1, f"{len(made)} sandboxes of {len(world.builds()) - before} builds")
    world.destroy(*made)


def a_create_that_cannot_have_them_says_why(world):
    problem = world.create({"packages": ["greeter==9.9"]}, code=404)
    expect(problem["code"] == "not_found" and "No matching distribution" in problem["detail"], f"{problem}")
    problem = world.create({"packages": ["-r /etc/passwd"]}, code=400)
    expect("option" in problem["detail"], f"{problem}")
    problem = world.create({"packages": ["apt:jq"]}, code=422)
    expect("own /usr" in problem["detail"], f"{problem}")
    for wrong in ({"pakages": []}, {"packages": "x"}, {"requirements": "-r x"}, {"package_lock": "{}"}):
        world.create(wrong, code=400)
    world.create({"packages": [f"p{number}" for number in range(1001)]}, code=422)
    world.start(**{"templates.packages": "never"})
    problem = world.create({"packages": ["other==1.0"]}, code=403)
    expect("templates.packages" in problem["remedy"], f"{problem}")
    world.start()


def earlier_spellings_work(world):
    status, made = world.ask("POST", "/sandbox/create", {"environment_type": "python3", "environment_config": {
        "packages": ["greeter==1.0"], "env_vars": {"DEBUG": "1"}}}, world.one)
    expect(status == 201, f"{status}: {made}")
    done = world.ask("POST", f"/sandbox/{made['sandbox_id']}/execute", {"command": "greet"}, world.one)[1]
    expect("hello 1.0" in json.dumps(done), f"{done}")
    world.destroy({"id": made["sandbox_id"]})


def the_command_shows_it(world):
    environment = {**world.environment, "CAY_URL": world.url, "CAY_API_KEY": world.one}
    environment.pop("CAY_STATE_DIR")
    world.index.add(wheel("shown", "1.0", "VALUE = 1\n"))
    done = subprocess.run([world.cay, "create", "--packages", "shown==1.0"], env=environment, capture_output=True, text=True, timeout=120)
    expect(done.returncode == 0, f"{done.returncode}: {done.stderr}")
    expect("pip install shown==1.0" in done.stderr and len(done.stdout.strip()) > 5 and "\n" not in done.stdout.strip(), f"{done.stdout}{done.stderr}")
    failed = subprocess.run([world.cay, "create", "--packages", "shown==9"], env=environment, capture_output=True, text=True, timeout=120)
    expect(failed.returncode != 0 and "does not have what was asked for" in failed.stderr, f"{failed.returncode}: {failed.stderr}")
    world.destroy({"id": done.stdout.strip()})


def what_nobody_used_goes(world):
    world.start(**{"templates.build_cache_age": "1s"})
    made = world.create({"packages": ["greeter==1.0", "other==1.0"]})
    gone = world.create({"packages": ["greeter==2.0", "other==1.0"]})
    world.destroy(gone)
    threading.Event().wait(2.5)
    world.destroy(world.create({"packages": ["greeter==2.0"]}))  # a build: at its end
    there = {one["name"] for one in world.ask("GET", "/api/templates")[1]["templates"]}
    expect(made["packages_template"] in there, "a sandbox stands on it")
    expect(gone["packages_template"] not in there, "nobody used it")
    expect(world.execute(made, "greet") == "hello 1.0", "and it is whole")
    world.destroy(made)
    world.start()


CHECKS = (a_run_of_this_machine_has_them, files_name_them_too, of_npm_too, what_fails_is_told_by_whose_fault_it_is,
          a_package_that_attacks_finds_nothing, a_create_has_them, owners_share_nothing, two_at_once_wait_for_one_build,
          a_create_that_cannot_have_them_says_why, earlier_spellings_work, the_command_shows_it, what_nobody_used_goes)


def main():
    options = options_where_there_are("pip3", "python3")
    with tempfile.TemporaryDirectory(prefix="cay-packages-") as directory:
        os.chmod(directory, 0o755)
        world = Packaged(options.cay, directory)
        try:
            has_pip = subprocess.run(world.command("run", "-q", "--", "pip3", "--version"), env=world.environment, capture_output=True)
            if has_pip.returncode != 0:
                print("skipped: the sandboxes of this machine have no pip")
                return SKIPPED
            return 1 if try_checks(CHECKS, world, options.only) else 0
        finally:
            world.stop()
            world.index.close()


if __name__ == "__main__":
    sys.exit(main())
