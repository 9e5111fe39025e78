#!/usr/bin/env python3
"""Clients of protocols that are not files over HTTPS, against real servers: SSH, WebSockets, HTTP/2, PostgreSQL, Redis. What
a policy allows works as it is, and what it does not is refused, with the reason. As root and as an ordinary user.

Exits with 77 where the test's internet cannot be made.
"""

import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import servers  # noqa: E402
from clients_test import NAMES  # noqa: E402
from sandboxes import TRUST, checks_of, describe, expect, run_checks  # noqa: E402

GITHUB = NAMES["github"][0]


def missing(program):
    return None if shutil.which(program, path="/usr/bin") else f"{program} is not installed"


def make_repository(home):
    with tempfile.TemporaryDirectory() as work:
        git = ["git", "-C", work, "-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main"]
        with open(os.path.join(work, "README"), "w") as file:
            file.write("a repository behind SSH\n")
        with open(os.path.join(work, "large"), "wb") as file:
            file.write(os.urandom(8 << 20))
        for arguments in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "one"]):
            subprocess.run(git + arguments, check=True)
        subprocess.run(["git", "clone", "-q", "--bare", work, os.path.join(home, "demo.git")], check=True)


def check_git_over_ssh(sandboxes, net):
    """A clone and a push, over keys of SSH; by the address of a rule and by a preset."""
    why = missing("git") or missing("ssh")
    if why:
        return why
    with servers.ssh(net, make_repository) as path:
        if path is None:
            return "dropbear is not installed"
        inside = []
        for name in ("key", "known_hosts"):
            inside += ["--copy", f"{path}/{name}:/tmp/{name}"]
        prepare = ("install -m 600 /tmp/key key && export GIT_SSH_COMMAND=\"ssh -i $PWD/key -o UserKnownHostsFile=/tmp/known_hosts "
                   "-o StrictHostKeyChecking=yes -o BatchMode=yes -o ConnectTimeout=20\" && ")

        def clone(host):
            return f"{prepare}git clone -q git@{host}:demo.git && cat demo/README && stat -c %s demo/large"

        result = sandboxes.works(["--allow", "git.example:22"], clone("git.example"), "a repository behind SSH", extra=inside)
        expect(str(8 << 20) in result["stdout"], f"the large file did not come: {describe(result)}")
        sandboxes.works(["--net", "github"], clone(GITHUB), "a repository behind SSH", extra=inside)
        sandboxes.works(["--allow", f"{net.SERVER}:22"], clone(net.SERVER), "a repository behind SSH", extra=inside)
        branch = f"by-{sandboxes.uid}"
        push = (f"{prepare}git clone -q git@git.example:demo.git && cd demo && git checkout -q -b {branch} && date > when && git add when && "
                f"git -c user.name=a -c user.email=a@b commit -q -m two && git push -q origin {branch} && git ls-remote origin")
        sandboxes.works(["--allow", "git.example:22"], push, f"refs/heads/{branch}", extra=inside)
        sandboxes.fails(["--allow", "git.example:443"], clone("git.example"), denied="git.example", reason="no rule allows it", extra=inside)
        sandboxes.fails(["--net", "github"], clone("git.example"), denied="git.example", reason="no rule allows it", extra=inside)
        sandboxes.fails(["--net", "npm"], clone(GITHUB), denied=GITHUB, reason="no rule allows it", extra=inside)
        sandboxes.fails(["--net", "open", "--deny", "git.example:22"], clone("git.example"), denied="git.example", reason="denies", extra=inside)
    return None


TALK = """
const { WebSocket } = require('ws');
const socket = new WebSocket(process.argv[1]);
const large = Buffer.alloc(4 << 20, 'x');
let said = 0;
socket.on('error', (error) => { console.error(String(error)); process.exit(1); });
socket.on('message', (data, binary) => {
  said += 1;
  if (said === 1) { console.log(data.toString()); socket.send('hello'); }
  else if (said === 2) { console.log('heard', data.toString()); socket.send(large); }
  else if (said === 3) { console.log('large', binary && data.equals(large)); socket.ping(); }
});
socket.on('pong', () => { console.log('pong'); socket.send('close'); });
socket.on('close', (code, reason) => console.log('closed', code, reason.toString()));
"""


def check_websockets(sandboxes, net):
    with servers.web(net) as path:
        if path is None:
            return "node or node-ws is not installed"
        inside = ["-e", "NODE_PATH=/usr/share/nodejs"]
        for url in (f"wss://web.example:{servers.SECURE_WEBSOCKET}/", f"ws://web.example:{servers.WEBSOCKET}/"):
            port = url.rsplit(":", 1)[1].rstrip("/")
            talk = f"node - {url} <<'EOF'\n{TALK.replace('argv[1]', 'argv[2]')}EOF"
            result = sandboxes.works(["--allow", f"web.example:{port}"], talk, f"welcome to web.example:{port}", extra=inside)
            for said in ("heard hello", "large true", "pong", "closed 4000 as asked"):
                expect(said in result["stdout"], f"{url}: not {said!r}: {describe(result)}")
            sandboxes.works(["--net", "open"], talk, "closed 4000 as asked", extra=inside)
            sandboxes.fails(["--allow", "web.example:443"], talk, denied="web.example", reason="no rule allows it", extra=inside)
            sandboxes.fails(["--net", "open", "--deny", "web.example"], talk, denied="web.example", reason="denies", extra=inside)
        fronted = f"node - wss://web.example:{servers.SECURE_WEBSOCKET}/ <<'EOF'\n" + TALK.replace(
            "process.argv[1]", "process.argv[2], { servername: 'other.example' }") + "EOF"
        sandboxes.fails(["--allow", "web.example"], fronted, denied="web.example", reason="other.example", extra=inside)
    return None


def check_versions_of_http(sandboxes, net):
    """curl chooses a version by ALPN, which nobody changes on the way."""
    with servers.web(net) as path:
        if path is None:
            return "node or node-ws is not installed"
        url = f"https://web.example:{servers.HTTP2}/"
        rule = ["--allow", f"web.example:{servers.HTTP2}"]
        sandboxes.works(rule, f"curl -sSf -m 20 --http1.1 -w '%{{http_version}}\\n' {url}", "version 1.1, 0 bytes\n1.1\n")
        sandboxes.works(rule, f"curl -sSf -m 20 --http2 -w '%{{http_version}}\\n' {url}", "version 2.0, 0 bytes\n2\n")
        upload = f"head -c 8388608 /dev/zero > body && curl -sSf -m 20 --http2 --data-binary @body {url} {url} {url}"
        result = sandboxes.works(rule, upload)
        expect(result["stdout"] == "version 2.0, 8388608 bytes\n" * 3, f"uploads: {describe(result)}")
        for version in ("--http1.1", "--http2"):
            sandboxes.fails(["--allow", "web.example:443"], f"curl -sSf -m 20 {version} {url}", denied="web.example", reason="no rule allows it")
    return None


def check_postgres(sandboxes, net):
    """psql with TLS, which begins within the connection, and without; a connection that cancels another's query."""
    why = missing("psql")
    if why:
        return why
    with servers.postgres(net) as path:
        if path is None:
            return "postgresql is not installed"
        rule = ["--allow", f"db.example:{servers.POSTGRES}"]
        inside = ["-e", "PGPASSWORD=hunter2", "-e", f"PGSSLROOTCERT={TRUST}", "-e", "PGCONNECT_TIMEOUT=20"]

        def psql(host, mode, query="select ssl from pg_stat_ssl where pid = pg_backend_pid()"):
            return f'psql -XAtq "host={host} sslmode={mode} user=app dbname=postgres" -c "{query}"'

        result = sandboxes.works(rule, psql("db.example", "verify-full"), extra=inside)
        expect(result["stdout"] == "t\n", f"not by TLS: {describe(result)}")
        result = sandboxes.works(rule, psql("db.example", "disable"), extra=inside)
        expect(result["stdout"] == "f\n", f"not in the clear: {describe(result)}")
        by_address = sandboxes.works(["--allow", f"{net.SERVER}:{servers.POSTGRES}"], psql(net.SERVER, "require"), extra=inside)
        expect(by_address["stdout"] == "t\n", f"by address: {describe(by_address)}")
        copy = psql("db.example", "verify-full", "copy (select generate_series(1, 500000)) to stdout") + " | md5sum; seq 500000 | md5sum"
        result = sandboxes.works(rule, copy, extra=inside)
        expect(len(set(result["stdout"].splitlines())) == 1, f"what was copied is other: {describe(result)}")
        sleep = "timeout -s INT 1 " + psql("db.example", "verify-full", "select pg_sleep(50)")
        result = sandboxes.run(rule, sleep, extra=inside)
        expect("canceling statement due to user request" in result["stderr"], f"not cancelled: {describe(result)}")
        wrong = sandboxes.fails(rule, psql("db.example", "verify-full"), extra=["-e", "PGPASSWORD=wrong", *inside[2:]])
        expect("password authentication failed" in wrong["stderr"], f"a wrong password: {describe(wrong)}")
        for mode in ("verify-full", "disable"):
            sandboxes.fails(["--allow", "db.example:443"], psql("db.example", mode), denied="db.example", reason="no rule allows it", extra=inside)
            sandboxes.fails(["--net", "packages"], psql(net.SERVER, mode), denied=net.SERVER, reason="no rule allows it", extra=inside)
    return None


def check_redis(sandboxes, net):
    why = missing("redis-cli")
    if why:
        return why
    with servers.redis(net) as path:
        if path is None:
            return "redis-tools is not installed"
        inside = ["-e", "REDISCLI_AUTH=hunter2"]
        talk = "redis-cli -h cache.example set key value && redis-cli -h cache.example get key && (yes ping | head -n 5000 | redis-cli -h cache.example | sort | uniq -c)"
        result = sandboxes.works(["--allow", f"cache.example:{servers.REDIS}"], talk, "OK\nvalue\n", extra=inside)
        expect("5000 PONG" in result["stdout"], f"not all was answered: {describe(result)}")
        refused = sandboxes.run(["--allow", "cache.example:443"], "redis-cli -h cache.example get key", extra=inside)
        expect("value" not in refused["stdout"], f"what no rule allows was answered: {describe(refused)}")
        expect(any("no rule allows it" in flow["reason"] for flow in refused["network_denied"]), f"it was not told: {describe(refused)}")
    return None


def prepare(net):
    for name in ("git.example", "web.example", "other.example", "db.example", "cache.example", GITHUB):
        net.names[name] = [net.SERVER]


if __name__ == "__main__":
    sys.exit(run_checks(__doc__, checks_of(globals()), prepare))
