#!/usr/bin/env python3
"""Secrets of `cay run`: what reaches the servers, what the sandbox has of it, and what is refused. As root and as an
ordinary user, with real clients as far as the machine has them, and bytes that none of them would send.

Its internet is its own (internet.py), with a server of its own on port 8443. Exits with 77 where that cannot be made.
"""

import base64
import contextlib
import functools
import hashlib
import http.server
import json
import os
import shutil
import socketserver
import ssl
import subprocess
import sys
import tempfile
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from processes import descendants  # noqa: E402
from sandboxes import Runs, as_user, describe, expect, make_checks, read_options, result_of, run_in_internet  # noqa: E402

PORT = 8443
VALUE = "s3cr3t-of-the-test-0123456789"
OTHER_VALUE = "an0ther-of-the-test-9876543210"


# The server: writes down what comes, and answers little.


class Recorder(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    directory = ""

    def log_message(self, *_):
        pass

    def body(self):
        if self.headers.get("Transfer-Encoding", "") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        found = b""
        while True:
            size = int(self.rfile.readline(), 16)
            found += self.rfile.read(size)
            self.rfile.readline()
            if size == 0:
                return found

    def answer(self, status, content, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def repository(self):
        expected = "Basic " + base64.b64encode(f"git:{VALUE}".encode()).decode()
        if self.headers.get("Authorization") != expected:
            return self.answer(401, b"", WWW_Authenticate='Basic realm="git"')
        path = os.path.join(self.directory, "sites", os.path.normpath(self.path.split("?")[0]).lstrip("/"))
        if not os.path.isfile(path):
            return self.answer(404, b"")
        with open(path, "rb") as file:
            return self.answer(200, file.read())

    def serve(self):
        content = self.body()
        seen = {"method": self.command, "target": self.path, "headers": self.headers.items(), "size": len(content),
                "digest": hashlib.sha256(content).hexdigest(), "body": content[:4096].decode("latin-1")}
        with open(os.path.join(self.directory, "seen"), "a") as file:
            file.write(json.dumps(seen) + "\n")
        if self.path.startswith("/repository.git/"):
            return self.repository()
        if self.path == "/echo":
            return self.answer(200, (self.headers.get("Authorization", "") + "\n").encode())
        if self.path == "/large":
            return self.answer(200, b"x" * 20_000_000)
        if self.path == "/until-close":
            self.close_connection = True
            self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\nall of it")
            return None
        if self.path == "/websocket":
            self.close_connection = True
            self.wfile.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nwelcome")
            self.wfile.write(b"heard " + self.rfile.read(5))
            return None
        return self.answer(200, b"fine\n")

    do_GET = do_POST = do_PUT = do_HEAD = do_OPTIONS = serve


class Secure(socketserver.ThreadingMixIn, socketserver.TCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def handle_error(self, *_):
        pass  # connections that are refused are what is tested

    def finish_request(self, request, client_address):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(os.path.join(Recorder.directory, "certificate.pem"), os.path.join(Recorder.directory, "key.pem"))
        request.settimeout(30)
        try:
            with context.wrap_socket(request, server_side=True) as wrapped:
                self.RequestHandlerClass(wrapped, client_address, self)
                wrapped.unwrap()
        except OSError:
            pass


def serve(directory):
    Recorder.directory = directory
    server = Secure(("0.0.0.0", PORT), Recorder)
    threading.Thread(target=functools.partial(server.serve_forever, 0.05), daemon=True).start()
    print("ready", flush=True)
    threading.Event().wait()


# What is tested.


class Test(Runs):
    def __init__(self, cay, net, state, uid):
        self.cay, self.net, self.uid = cay, net, uid
        self.seen_file = os.path.join(net.directory, "seen")
        self.environment = {"PATH": os.environ["PATH"], "HOME": state, "CAY_STATE_DIR": state, "TOKEN": VALUE, "OTHER": OTHER_VALUE}
        os.makedirs(state, exist_ok=True)
        if uid:
            os.chown(state, uid, uid)

    SECRETS = ["--secret", f"TOKEN=api.test:{PORT}", "--secret", f"OTHER=other.test:{PORT}"]
    ALLOWED = ["--allow", "api.test", "--allow", "other.test", "--allow", "plain.test"]

    def arguments(self, arguments, command, how=()):
        everything = [self.cay, "run", *how, "--timeout", "60s", "--memory", "1g", "--best-effort",
                      "--resolver", f"{self.net.RESOLVER}:53", *arguments, "--", "bash", "-c", command]
        return as_user(self.uid, everything)

    def run_raw(self, arguments, command):
        return subprocess.run(self.arguments(arguments, command, ["--json"]), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=self.environment,
                              stdin=subprocess.DEVNULL)

    def run(self, command, extra=(), trusting=True):
        """The object of --json, with what servers saw meanwhile as `seen`."""
        open(self.seen_file, "w").close()
        ca = ["--ca", self.net.certificate] if trusting else []
        done = self.run_raw([*self.ALLOWED, *self.SECRETS, *ca, *extra], command)
        result = result_of(done, command)
        expect(VALUE not in done.stderr and OTHER_VALUE not in done.stderr, f"{command}: a value on standard error")
        with open(self.seen_file) as file:
            result["seen"] = [json.loads(line) for line in file]
        return result

    def arrives(self, command, header="Authorization", value=f"Bearer {VALUE}", **more):
        result = self.works(command, **more)
        values = [dict(seen["headers"]).get(header) for seen in result["seen"]]
        expect(value in values, f"{command}: the servers saw {result['seen']}")
        expect(VALUE not in json.dumps({name: result[name] for name in ("stdout", "stderr")}), f"{command}: the sandbox has it")
        return result

    def refused(self, command, reason, status=None):
        """Nothing arrives, and it is told why."""
        result = self.run(command)
        told = [flow["reason"] for flow in result.get("network_denied", []) if flow["verdict"] == "denied"]
        expect(any(reason in one for one in told), f"{command}: not {reason!r} in {told}: {describe(result)}")
        expect(not result["seen"], f"{command}: the servers saw {result['seen']}")
        expect(status is None or str(status) in result["stdout"], f"{command}: not {status}: {describe(result)}")
        return result


URL = f"https://api.test:{PORT}"
CURL = "curl -sS --fail-with-body --max-time 20 "
BEARER = '-H "Authorization: Bearer $TOKEN" '


def clients_send_the_value(test):
    test.arrives(CURL + BEARER + URL)
    test.arrives(CURL + '-u "git:$TOKEN" ' + URL, value="Basic " + base64.b64encode(f"git:{VALUE}".encode()).decode())
    test.arrives(f"""python3 -c 'import os, urllib.request as r
print(r.urlopen(r.Request("{URL}", headers={{"Authorization": "Bearer " + os.environ["TOKEN"]}}), timeout=20).read())'""")
    if test.run("python3 -c 'import requests'")["exit_code"] == 0:
        test.arrives(f"""python3 -c 'import os, requests
requests.get("{URL}", headers={{"Authorization": "Bearer " + os.environ["TOKEN"]}}, timeout=20).raise_for_status()'""")
    if test.run("node --version")["exit_code"] == 0:
        test.arrives(f"""node -e 'fetch("{URL}", {{headers: {{Authorization: "Bearer " + process.env.TOKEN}}}}).then(
(r) => {{ if (!r.ok) process.exit(3); }}, (e) => {{ console.error(e); process.exit(4); }})'""")


def git_clones_with_basic(test):
    if shutil.which("git") is None:
        return
    result = test.works(f'cd /tmp && GIT_TERMINAL_PROMPT=0 git clone -q "https://git:$TOKEN@api.test:{PORT}/repository.git" r && cat r/file',
                        says="in the repository")
    expect(any(seen["target"].startswith("/repository.git/") for seen in result["seen"]), "git did not ask")


def read_only_sandboxes_have_it_too(test):
    test.arrives(CURL + BEARER + URL, extra=["--read-only"])


def search_for_value(value, request, variable):
    """A script that makes a request with the value and then looks for it everywhere inside. It has it in two halves: otherwise
    it would find itself."""
    half = len(value) // 2
    return f"""v={value[:half]}; v=${{v}}{value[half:]}
{request} >/dev/null || exit 3
found=""
for file in /proc/[0-9]*/environ /proc/[0-9]*/cmdline; do
  tr '\\0' '\\n' < $file 2>/dev/null | grep -q -- "$v" && found="$found $file"
done
found="$found $(grep -rlsF -- "$v" /etc /tmp /run /workspace /home /root /var/tmp 2>/dev/null)"
echo "found:$found"; echo "token:${variable}" """


def the_sandbox_never_holds_it(test):
    search = search_for_value(VALUE, f"{CURL}{BEARER}{URL}", "TOKEN")
    for user in ([], ["--user", "root"]) if test.uid == 0 else ([],):
        result = test.works(search, says="token:cay-secret-", extra=user)
        expect("found: \n" in result["stdout"], f"the value is inside: {describe(result)}")


def memory_has(pid, what):
    """Where; empty: nowhere. None: the process has ended."""
    try:
        return find_in_memory(pid, what)
    except (FileNotFoundError, ProcessLookupError):
        return None


def find_in_memory(pid, what):
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            begin, end = (int(x, 16) for x in line.split()[0].split("-"))
            try:
                memory.seek(begin)
                if what in memory.read(end - begin):
                    return line.strip()
            except (OSError, OverflowError, ValueError):
                pass
    return ""


def only_the_relay_inherits_it(test):
    """The guest is a fork of the launcher, and that one of what had the value in its environment."""
    with subprocess.Popen(test.arguments([*test.ALLOWED, *test.SECRETS], "echo begun; sleep 30"), stdout=subprocess.PIPE,
                          env=test.environment, text=True) as running:
        try:
            expect(running.stdout.readline() == "begun\n", "it did not begin")
            looked = 0
            for pid, name in descendants(running.pid):
                if name == "cay-net":
                    continue
                place = memory_has(pid, VALUE.encode())
                looked += place is not None
                expect(not place, f"{name} ({pid}) has the value: {place}")
            expect(looked >= 3, f"only {descendants(running.pid)}")
        finally:
            running.terminate()


def placeholders_of_others_are_refused(test):
    reason = 'the placeholder of the secret "OTHER", which is not for api.test'
    test.refused(CURL + '-H "X-Key: $OTHER" ' + URL, reason, 403)
    test.refused(CURL + '-u "git:$OTHER" ' + URL, reason, 403)
    test.refused(CURL + f'"{URL}/?key=$OTHER"', reason, 403)
    test.refused(CURL + '-H "Authorization: Bearer $TOKEN" -H "X: $OTHER" ' + URL, reason, 403)
    # A body is on its way already: its request is never whole.
    test.refused(CURL + f'-d "a=$OTHER" {URL}', reason)
    test.refused(CURL + f'-H "Transfer-Encoding: chunked" -d "a=$OTHER" {URL}', reason)


def in_the_clear_it_is_refused(test):
    test.refused(CURL + BEARER + "http://api.test/", "was sent in the clear", 403)
    test.refused(CURL + BEARER + "http://plain.test/", "was sent in the clear", 403)
    test.refused(CURL + BEARER + f"http://api.test:{PORT}/", "must begin with TLS")


def targets_and_bodies_keep_the_placeholder(test):
    result = test.works(CURL + f'-d "key=$TOKEN" "{URL}/?key=$TOKEN"; echo "$TOKEN"')
    seen = result["seen"][0]
    expect("key=cay-secret-" in seen["target"] and seen["body"].startswith("key=cay-secret-"), f"{seen}")
    expect(VALUE not in json.dumps(result["seen"]), "the value is in a target or a body")


def what_a_server_echoes_is_passed_on(test):
    """Documented: whoever has the value can tell it."""
    test.works(CURL + BEARER + f"{URL}/echo", says=VALUE)


def a_server_that_is_not_verified_gets_nothing(test):
    result = test.run(CURL + BEARER + URL, trusting=False)
    expect(result["exit_code"] != 0 and "502" in result["stdout"] + result["stderr"], describe(result))
    told = [flow["reason"] for flow in result.get("network_denied", []) if flow["verdict"] == "failed"]
    expect(any("certificate is not accepted" in reason for reason in told), f"{told}")
    expect(not result["seen"], f"the server saw {result['seen']}")


def bodies_stream_both_ways(test):
    make = "head -c 20000000 /dev/zero > /tmp/large && "
    digest = hashlib.sha256(b"\0" * 20_000_000).hexdigest()
    for how in ("-T /tmp/large", "-H 'Transfer-Encoding: chunked' -T /tmp/large", "-H 'Expect: 100-continue' -T /tmp/large"):
        result = test.arrives(make + CURL + BEARER + how + f" {URL}/put")
        expect(result["seen"][0]["digest"] == digest, f"{how}: {result['seen'][0]['size']} bytes")
    test.works(CURL + f"{URL}/large | sha256sum", says=hashlib.sha256(b"x" * 20_000_000).hexdigest())
    test.works(CURL + f"{URL}/until-close", says="all of it")
    result = test.works(CURL + BEARER + f"{URL}/1 {URL}/2 -I {URL}/3 -w '%{{num_connects}}\\n'")
    expect(len(result["seen"]) == 3, f"{result['seen']}")


RAW = f"""import os, socket, ssl, sys
s = ssl.create_default_context().wrap_socket(socket.create_connection(("api.test", {PORT}), 20), server_hostname="api.test")
token, host = os.environ["TOKEN"], "Host: api.test:{PORT}\\r\\n"
def talk(*pieces):
    for piece in pieces:
        s.sendall(piece.encode("latin-1"))
    got = b""
    s.settimeout(20)
    try:
        while data := s.recv(65536):
            got += data
    except OSError:
        pass
    print(got.decode("latin-1"))
"""


def raw(program):
    encoded = base64.b64encode((RAW + program).encode()).decode()
    return f"echo {encoded} | base64 -d | python3 -"


def ambiguous_requests_are_refused(test):
    inner = '"GET /inner HTTP/1.1\\r\\n" + host + "Authorization: Bearer " + token + "\\r\\n\\r\\n"'
    for said, reason in (
            ('"Content-Length: 5\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n0\\r\\n\\r\\n"', "as RFC 9112 has them"),
            ('"Content-Length: 0\\r\\nContent-Length: 5\\r\\n\\r\\n"', "as RFC 9112 has them"),
            ('"Transfer-Encoding: xchunked\\r\\n\\r\\n"', "other than chunked"),
            ('"A: b\\r\\n Content-Length: 5\\r\\n\\r\\n"', "continued on the next line"),
            ('"A: b\\rContent-Length: 5\\r\\n\\r\\n"', "a bare CR"),
            ('"Content-Length : 5\\r\\n\\r\\n"', "as RFC 9112 has them"),
            ('"Host: other.test\\r\\n\\r\\n"', "more than one Host"),
            ('"Connection: Upgrade\\r\\nUpgrade: h2c\\r\\n\\r\\n"', "Upgrade")):
        test.refused(raw(f'talk("POST / HTTP/1.1\\r\\n" + host + {said} + {inner})'), reason, 400)
    test.refused(raw('talk("GET / HTTP/1.1\\r\\nHost: other.test\\r\\n\\r\\n")'), "another Host", 421)
    test.refused(raw('talk("GET https://other.test/ HTTP/1.1\\r\\n" + host + "\\r\\n")'), "not a path", 400)
    test.refused(raw('talk("GET / HTTP/1.1\\r\\n" + host + "A: " + "a" * 70000 + "\\r\\n\\r\\n")'), "64 KiB", 431)


def requests_in_one_piece_stay_apart(test):
    two = '"GET /1 HTTP/1.1\\r\\n" + host + "\\r\\n" + "GET /2 HTTP/1.1\\r\\n" + host + "Connection: close\\r\\n\\r\\n"'
    result = test.works(raw(f"talk({two})"))
    expect([seen["target"] for seen in result["seen"]] == ["/1", "/2"], f"{result['seen']}")
    inner = '"GET /inner HTTP/1.1\\r\\n" + host + "X: " + token + "\\r\\n\\r\\n"'
    result = test.works(raw(f'body = {inner}\n'
                            'talk("POST /outer HTTP/1.1\\r\\n" + host + "Connection: close\\r\\nContent-Length: " + str(len(body)) + "\\r\\n\\r\\n" + body)'))
    expect([seen["target"] for seen in result["seen"]] == ["/outer"], f"{result['seen']}")
    expect(VALUE not in result["seen"][0]["body"], "a body got the value")


def websockets_are_passed_on(test):
    result = test.works(raw('talk("GET /websocket HTTP/1.1\\r\\n" + host + "Connection: Upgrade\\r\\nUpgrade: websocket\\r\\n'
                            'Authorization: Bearer " + token + "\\r\\n\\r\\n", "hello")'), says="welcomeheard hello")
    expect(dict(result["seen"][0]["headers"])["Authorization"] == f"Bearer {VALUE}", f"{result['seen']}")


def kept_secrets_are_sent(test):
    def secrets(*arguments, value=""):
        command = as_user(test.uid, [test.cay, "secrets", *arguments])
        return subprocess.run(command, input=value, capture_output=True, text=True, env=test.environment)

    state = test.environment["CAY_STATE_DIR"]
    kept = "kept-v4lue-of-the-test"
    done = secrets("set", "my-api", "--host", f"api.test:{PORT}", "--header", "Authorization", "--format", "Bearer {}", value=kept + "\n")
    expect(done.returncode == 0, f"{done}")
    for name in ("secrets", "secrets.key"):
        path = os.path.join(state, name)
        expect(os.stat(path).st_mode & 0o777 == 0o600, f"{name} may be read by others")
        with open(path, "rb") as file:
            expect(kept.encode() not in file.read(), f"{name} has the value")
    listed = secrets("ls", "--json")
    expect("my-api" in listed.stdout and kept not in listed.stdout, f"{listed}")
    result = test.works(CURL + f'-H "Authorization: token $MY_API" {URL}', extra=["--secret", "my-api"])
    expect(dict(result["seen"][0]["headers"])["Authorization"] == f"Bearer {kept}", f"{result['seen']}")
    # Another key opens nothing, and overwrites nothing.
    with open(os.path.join(state, "secrets.key"), "rb+") as file:
        key = file.read()
        file.seek(0)
        file.write(bytes(32))
    for command in (("ls",), ("set", "other", "--host", "api.test"), ("rm", "my-api")):
        done = secrets(*command, value="x")
        expect(done.returncode != 0 and "cannot be read" in done.stderr, f"{command}: {done}")
    with open(os.path.join(state, "secrets.key"), "wb") as file:
        file.write(key)
    expect(secrets("rm", "my-api").returncode == 0 and "my-api" not in secrets("ls").stdout, "it is still there")
    expect(secrets("rm", "my-api").returncode != 0, "what is not there was removed")


def what_cannot_be_is_said_before_anything_runs(test):
    for arguments, says in (
            (["--secret", f"TOKEN=api.test:{PORT}"], "no network"),
            (["--secret", "TOKEN=api.test", "--allow", "api.test:80"], "does not allow"),
            (["--secret", "MISSING=api.test", "--allow", "api.test"], "not set"),
            (["--secret", "unknown", "--allow", "api.test"], "there is no secret"),
            (["--secret", "TOKEN=*.test", "--allow", "*.test"], "not a host of a secret"),
            (["--secret", "TOKEN=api.test", "--allow", "api.test", "--ca", "/nonexistent"], "certificates to trust")):
        done = test.run_raw(arguments, "true")
        expect(done.returncode != 0 and says in done.stdout + done.stderr, f"{arguments}: {done}")
        expect(VALUE not in done.stdout + done.stderr, f"{arguments}: the value is told")


TESTS = [clients_send_the_value, git_clones_with_basic, read_only_sandboxes_have_it_too, the_sandbox_never_holds_it,
         only_the_relay_inherits_it, kept_secrets_are_sent,
         placeholders_of_others_are_refused, in_the_clear_it_is_refused, targets_and_bodies_keep_the_placeholder,
         what_a_server_echoes_is_passed_on, a_server_that_is_not_verified_gets_nothing, bodies_stream_both_ways,
         ambiguous_requests_are_refused, requests_in_one_piece_stay_apart, websockets_are_passed_on,
         what_cannot_be_is_said_before_anything_runs]


def make_repository(directory):
    bare = os.path.join(directory, "sites", "repository.git")
    with tempfile.TemporaryDirectory() as work:
        git = ["git", "-C", work, "-c", "user.name=t", "-c", "user.email=t@example.test"]
        subprocess.run(["git", "init", "-q", work], check=True)
        with open(os.path.join(work, "file"), "w") as file:
            file.write("in the repository\n")
        subprocess.run([*git, "add", "file"], check=True)
        subprocess.run([*git, "commit", "-q", "-m", "one"], check=True)
        subprocess.run(["git", "clone", "-q", "--bare", work, bare], check=True)
    subprocess.run(["git", "-C", bare, "update-server-info"], check=True)


@contextlib.contextmanager
def serving(net, directory):
    """An internet with the servers that record what they are sent."""
    for name in ("api.test", "other.test", "plain.test"):
        net.names[name] = [net.SERVER]
    net.serve()
    server = subprocess.Popen(net.command(sys.executable, "-B", __file__, "--serve", directory), stdout=subprocess.PIPE, text=True)
    try:
        expect(server.stdout.readline() == "ready\n", "the server of the test does not start")
        yield
    finally:
        server.kill()
        server.wait()


def main():
    options = read_options(__doc__, serves=True)
    if options.serve:
        return serve(options.serve)

    def run(net, directory):
        failed = 0
        with serving(net, directory):
            if shutil.which("git"):
                make_repository(directory)
            for uid in options.user:
                test = Test(options.cay, net, os.path.join(directory, f"state-{uid}"), uid)
                failed += make_checks(TESTS, options.only, uid, test)
        return failed

    return run_in_internet(run)


if __name__ == "__main__":
    sys.exit(main())
