"""Real servers in the internet of a test (internet.py), each for as long as a block lasts.

    with servers.postgres(net) as path: …       # at net.SERVER, port 5432

Each is None where it is not installed.
"""

import contextlib
import glob
import os
import shutil
import socket
import subprocess
import time

import internet

HERE = os.path.dirname(os.path.abspath(__file__))
# nobody: servers that refuse to be root run as this.
SERVANT = 65534
SSH, REDIS, POSTGRES = 22, 6379, 5432
WEBSOCKET, SECURE_WEBSOCKET, HTTP2 = 8080, 8444, 8443


def directory_of(net, name):
    """A new one, which the servant owns."""
    path = os.path.join(net.directory, "servers", name)
    shutil.rmtree(path, ignore_errors=True)
    os.makedirs(path, mode=0o755)
    os.chown(path, SERVANT, SERVANT)
    return path


def by_servant(*command):
    return ["setpriv", f"--reuid={SERVANT}", f"--regid={SERVANT}", "--clear-groups", *command]


@contextlib.contextmanager
def running(net, command, port, log, **more):
    """A command in the internet's namespace, from when it listens until the end of the block."""
    with open(log, "wb") as out:
        process = subprocess.Popen(net.command(*command), stdin=subprocess.DEVNULL, stdout=out, stderr=out, **more)
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection((net.SERVER, port), 5).close()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    with open(log, errors="replace") as file:
                        raise RuntimeError(f"{command} does not listen: {file.read()[-3000:]}") from None
                time.sleep(0.02)
        yield
    finally:
        process.kill()
        process.wait()


def certificate_for(path):
    """The internet's certificate and key, in `path`, as the servant may read them."""
    where = os.path.dirname(os.path.dirname(path))
    for name in ("certificate.pem", "key.pem"):
        copy = shutil.copy(os.path.join(where, name), path)
        os.chown(copy, SERVANT, SERVANT)
        os.chmod(copy, 0o600)


# SSH, of Dropbear, for the user git, whose home has repositories.


@contextlib.contextmanager
def ssh(net, repositories):
    """The directory with `key` and `known_hosts` of a client; repositories: made by the function, given the user's home."""
    if shutil.which("dropbear", path="/usr/sbin:/usr/bin") is None:
        yield None
        return
    path = directory_of(net, "ssh")
    home = os.path.join(path, "home")
    keys = os.path.join(home, ".ssh")
    os.makedirs(keys)
    repositories(home)
    host_key = os.path.join(path, "host_key")
    told = internet.run("dropbearkey", "-t", "ed25519", "-f", host_key)
    public = next(line for line in told.splitlines() if line.startswith("ssh-ed25519 "))
    internet.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", os.path.join(path, "key"))
    os.chmod(os.path.join(path, "key"), 0o644)  # for whoever copies it into a sandbox
    shutil.copy(os.path.join(path, "key.pub"), os.path.join(keys, "authorized_keys"))
    with open(os.path.join(path, "known_hosts"), "w") as file:
        file.write("* " + " ".join(public.split()[:2]) + "\n")
    with open(os.path.join(path, "passwd"), "w") as file:
        file.write(f"root:x:0:0:root:/nonexistent:/bin/false\ngit:*:{SERVANT}:{SERVANT}::{home}:/bin/sh\n")
    internet.run("chown", "-R", f"{SERVANT}:{SERVANT}", home)
    # The user is there for this server alone.
    start = (f"mount --bind {path}/passwd /etc/passwd && exec dropbear -F -E -s -m -p {SSH} -r {host_key} -P ''")
    log = os.path.join(path, "log")
    with running(net, ["unshare", "--mount", "sh", "-c", start], SSH, log):
        yield path


def postgres_programs():
    """The directory with initdb and postgres; None without."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"))
    return os.path.dirname(found[-1]) if found else None


@contextlib.contextmanager
def postgres(net):
    """PostgreSQL, with a user app, whose password is hunter2: with TLS and without."""
    programs = postgres_programs()
    if programs is None:
        yield None
        return
    path = directory_of(net, "postgres")
    certificate_for(path)
    with open(os.path.join(path, "password"), "w") as file:
        file.write("hunter2\n")
    data = os.path.join(path, "data")
    internet.run(*by_servant(f"{programs}/initdb", "-D", data, "-U", "app", "--auth=scram-sha-256", f"--pwfile={path}/password",
                             "--no-sync", "--locale=C", "--encoding=UTF8"))
    with open(os.path.join(data, "pg_hba.conf"), "w") as file:
        file.write("host all all all scram-sha-256\n")
    settings = {"listen_addresses": "*", "unix_socket_directories": path, "fsync": "off", "ssl": "on",
                "ssl_cert_file": f"{path}/certificate.pem", "ssl_key_file": f"{path}/key.pem"}
    command = by_servant(f"{programs}/postgres", "-D", data, *(f"--{name}={value}" for name, value in settings.items()))
    with running(net, command, POSTGRES, os.path.join(path, "log")):
        yield path


@contextlib.contextmanager
def redis(net):
    # One program is the server and its tools: which of them it is its name says.
    program = shutil.which("redis-server", path="/usr/bin") or shutil.which("redis-check-rdb", path="/usr/bin")
    if program is None:
        yield None
        return
    path = directory_of(net, "redis")
    start = f'exec -a redis-server {program} --port {REDIS} --bind {net.SERVER} --requirepass hunter2 --save "" --dir {path}'
    with running(net, by_servant("bash", "-c", start), REDIS, os.path.join(path, "log")):
        yield path


@contextlib.contextmanager
def web(net):
    """servers.js: HTTP/2 and HTTP/1.1 at one port, and WebSockets with TLS and without."""
    if shutil.which("node", path="/usr/bin") is None or not os.path.isdir("/usr/share/nodejs/ws"):
        yield None
        return
    path = directory_of(net, "web")
    certificate_for(path)
    command = by_servant("/usr/bin/node", os.path.join(HERE, "servers.js"), path, str(HTTP2), str(SECURE_WEBSOCKET), str(WEBSOCKET))
    with running(net, command, WEBSOCKET, os.path.join(path, "log"), env={"NODE_PATH": "/usr/share/nodejs", "PATH": "/usr/bin:/bin"}):
        yield path
