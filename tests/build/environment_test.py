#!/usr/bin/env python3
"""What `cay env` does: lists the recipes of the program, builds those of a directory over an image of busybox, and tests what came of
them. Exits with 77 where not started by root, or without busybox."""

import json
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
sys.path.insert(0, os.path.join(HERE, "..", "template"))
from checks import expect, try_checks  # noqa: E402
from images import Image, small_root, symlink  # noqa: E402
from world import World, options_where_there_are  # noqa: E402

TINY = """# environment: A small one
# aliases: tiny-one *-tiny:local
# test: greet | grep hello
# test: test "$(id -un)" = app
# optional: not-here --version

FROM base:1
COPY greeting /etc/greeting
RUN printf '#!/bin/sh\\ncat /etc/greeting\\n' > /bin/greet && chmod 755 /bin/greet && mkdir -p /workspace /home/app && chown app /workspace /home/app
USER app
WORKDIR /workspace
"""


class Environments(World):
    def __init__(self, cay, top):
        super().__init__(cay, 0, top, None)
        self.top = top
        layout = os.path.join(top, "base")
        root = small_root() + [symlink(f"bin/{name}", "busybox") for name in ("rm", "mkdir", "chmod", "chown", "grep")]
        Image(Env=["PATH=/bin"]).layer(root).write_layout(layout)
        self.run("template", "import", "-q", "base:1", layout)
        self.recipes = os.path.join(top, "recipes")
        os.mkdir(self.recipes)
        self.recipe("greeting", "hello\n", suffix="")
        self.recipe("tiny", TINY)

    def recipe(self, name, text, suffix=".Dockerfile"):
        with open(os.path.join(self.recipes, name + suffix), "w") as out:
            out.write(text)

    def env(self, *arguments, code=0):
        return self.run("env", arguments[0], "--from", self.recipes, *arguments[1:], code=code)

    def listed(self, *arguments):
        return {one["name"]: one for one in json.loads(self.run("env", "ls", "--json", *arguments))}


def the_recipes_of_the_program_are_listed(world):
    listed = world.listed()
    expect({"python-3.11", "node-20", "go-1.21", "rust", "java", "basic", "full", "data"} <= listed.keys(), listed.keys())
    expect(listed["python-3.11"]["built"] is False and listed["python-3.11"]["size"] is None, listed["python-3.11"])
    expect("python3.11" in listed["python-3.11"]["aliases"] and "debian" in listed["python-3.11"]["network"], listed["python-3.11"])
    expect("tiny" not in listed and "tiny" in world.listed("--from", world.recipes), "whose recipes these are")
    table = world.run("env", "ls")
    expect(table.startswith("NAME") and "python-3.11" in table, table)


def what_is_not_built_is_said_with_the_one_command(world):
    for name in ("python-3.11", "python3.11", "python", "py311"):
        said = world.run("run", "--template", name, "--", "true", code=125)
        expect("python-3.11" in said and "cay env build python-3.11" in said, said)
    said = world.run("run", "--template", "my-sandbox-basic:local", "--", "true", code=125)
    expect("cay env build basic" in said and "pull" not in said, said)
    said = world.env("test", "tiny", code=125)
    expect("cay env build tiny" in said, said)
    said = world.env("build", "tin", code=125)
    expect("tin" in said and "python-3.11" in said, said)


def one_of_a_directory_is_built_and_tested(world):
    out = world.env("build", "tiny")
    expect(out.startswith("built tiny ("), out)
    again = json.loads(world.env("build", "--json", "tiny-one"))
    expect(again["failed"] == [] and again["built"][0]["cached"] == again["built"][0]["steps"] > 0, again)
    listed = world.listed("--from", world.recipes)["tiny"]
    expect(listed["built"] and listed["size"] > 0, listed)
    out = world.env("test", "tiny")
    expect("3 passed, 0 failed, 1 not in this build" in out and "greet | grep hello" in out, out)
    tested = json.loads(world.env("test", "--json", "tiny"))
    expect([test["result"] for test in tested[0]["tests"]] == ["passed", "passed", "absent", "passed"], tested)
    expect(world.run("env", "test", "--all", "--from", world.recipes).endswith("not in this build\n"), "all that are built")
    expect(world.run("env", "test", "-q", "--from", world.recipes, "tiny") == "3 passed, 0 failed, 1 not in this build\n", "-q")


def its_other_names_lead_to_it(world):
    world.env("build", "-q", "tiny")
    world.environment["CAY_ENVIRONMENTS_DIRECTORY"] = world.recipes
    try:
        for name in ("tiny", "tiny-one", "some-tiny:local"):
            expect(world.run("run", "-q", "--template", name, "--", "greet") == "hello\n", name)
        world.run("template", "import", "-q", "tiny-one", os.path.join(world.top, "base"))
        world.run("run", "-q", "--template", "tiny-one", "--", "greet", code=127)  # one of exactly that name wins
        world.run("template", "rm", "tiny-one")
    finally:
        del world.environment["CAY_ENVIRONMENTS_DIRECTORY"]


def a_test_that_fails_is_told(world):
    world.recipe("broken", "# environment: Broken\n# test: echo as it should be; true\n# test: echo what went wrong >&2; exit 3\n\nFROM base:1\n")
    world.env("build", "-q", "broken")
    out = world.env("test", "broken", code=1)
    expect("passed" in out and "it exited with 3" in out and "| what went wrong" in out and "2 passed, 1 failed" in out, out)
    tested = json.loads(world.env("test", "--json", "broken", code=1).split("\ncay:")[0])
    expect(tested[0]["failed"] == 1 and tested[0]["tests"][1]["end"] == "exited with 3", tested)


def what_one_needs_is_built_before_it(world):
    world.recipe("below", "# environment: Below\n# test: test -e /below\n\nFROM base:1\nRUN echo x > /below\n")
    world.recipe("above", "# environment: Above\n# needs: below\n# test: test -e /below\n\nFROM below\nRUN echo x > /above\n")
    out = world.env("build", "above")
    expect(out.index("built below") < out.index("built above"), out)
    expect("built below" not in world.env("build", "above"), "what is here is not built again")
    world.recipe("one", "# environment: One\n# needs: two\n\nFROM base:1\n")
    world.recipe("two", "# environment: Two\n# needs: one\n\nFROM base:1\n")
    expect("needs itself" in world.env("build", "one", code=125), "a circle")
    os.unlink(os.path.join(world.recipes, "one.Dockerfile"))
    os.unlink(os.path.join(world.recipes, "two.Dockerfile"))


def one_that_fails_does_not_stop_the_others(world):
    world.recipe("fails", "# environment: Fails\n\nFROM base:1\nRUN echo on purpose; exit 7\n")
    world.recipe("after", "# environment: After\n# needs: fails\n\nFROM fails\n")
    out = world.env("build", "--progress", "plain", "fails", "after", "tiny", code=1)
    expect("on purpose" in out and "built tiny" in out and "after is not built" in out, out)
    os.unlink(os.path.join(world.recipes, "fails.Dockerfile"))
    os.unlink(os.path.join(world.recipes, "after.Dockerfile"))


def a_recipe_that_is_wrong_is_named(world):
    world.recipe("wrong", "# environment: Wrong\n# tests: true\n\nFROM base:1\n")
    said = world.env("ls", code=125)
    expect("wrong.Dockerfile: line 2" in said, said)
    os.unlink(os.path.join(world.recipes, "wrong.Dockerfile"))


def steps_reach_what_the_recipe_says_and_no_more(world):
    world.recipe("alone", "# environment: Alone\n\nFROM base:1\nRUN ! ls /sys/class/net 2>/dev/null | grep -v '^lo$'\n")
    world.env("build", "-q", "alone")
    world.recipe("preset", "# environment: Preset\n# network: nothing-of-that\n\nFROM base:1\n")
    said = world.env("build", "preset", code=125)
    expect("nothing-of-that" in said, said)
    world.env("build", "-q", "--net", "none", "preset")
    os.unlink(os.path.join(world.recipes, "preset.Dockerfile"))


def steps_trust_the_authorities_that_are_named(world):
    ca = os.path.join(world.top, "ca.pem")
    with open(ca, "w") as out:
        out.write("of an authority of the test\n")
    world.recipe("trusts", "# environment: Trusts\n# test: ! ls /run/cay-authorities.pem; test -z \"$SSL_CERT_FILE\"\n\nFROM base:1\n"
                 "RUN grep 'of an authority' $SSL_CERT_FILE $PIP_CERT > /seen\n")
    world.env("build", "-q", "--net", "pypi", "--ca", ca, "trusts")
    expect("2 passed, 0 failed" in world.env("test", "trusts"), "it is in no layer")
    world.recipe("trusts", "# environment: Trusts\n\nFROM base:1\nRUN test -z \"$SSL_CERT_FILE\"\n")
    world.env("build", "-q", "--ca", ca, "trusts")  # without a network there is nobody to trust


def an_ordinary_user_is_told_why_not(world):
    done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", world.cay, "env", "build", "--state-dir",
                           os.path.join(world.top, "nobody"), "basic"], env=world.environment, capture_output=True, text=True)
    expect(done.returncode == 125 and "as root" in done.stderr, f"{done.returncode}: {done.stderr}")


CHECKS = (the_recipes_of_the_program_are_listed, what_is_not_built_is_said_with_the_one_command, one_of_a_directory_is_built_and_tested,
          its_other_names_lead_to_it, a_test_that_fails_is_told, what_one_needs_is_built_before_it, one_that_fails_does_not_stop_the_others,
          a_recipe_that_is_wrong_is_named, steps_reach_what_the_recipe_says_and_no_more, steps_trust_the_authorities_that_are_named,
          an_ordinary_user_is_told_why_not)


def main():
    options = options_where_there_are()
    with tempfile.TemporaryDirectory(prefix="cay-environments-") as top:
        os.chmod(top, 0o755)
        return 1 if try_checks(CHECKS, Environments(options.cay, top), options.only) else 0


if __name__ == "__main__":
    sys.exit(main())
