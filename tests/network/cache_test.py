#!/usr/bin/env python3
"""The package cache of `cay run`: what is kept of registries' answers and given to later sandboxes, and what never is. As
root and as an ordinary user, with real clients as far as the machine has them.

Its internet is its own (internet.py), with a server of its own on ports 80 and 443, which says what came. Exits with 77
where that cannot be made.
"""

import functools
import glob
import hashlib
import http.server
import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from clients_test import NAMES, make_debian, make_npm, make_pypi  # noqa: E402
from sandboxes import Runs, as_user, describe, expect, make_checks, read_options, result_of, run_in_internet  # noqa: E402

INDEX, FILES, NPM, DEBIAN = NAMES["pypi"][0], NAMES["pypi"][1], NAMES["npm"][0], NAMES["debian"][0]
LARGE = b"0123456789abcdef" * (1 << 19)  # 8 MiB
SHORT_LIFE_S = 2


# The server.


def tests_of_rules():
    """Answers by their paths below /t/: fields beside an ETag and a body, which differs each time."""
    good = ("Cache-Control", "public, max-age=600")
    return {
        "good": [good], "vary": [good, ("Vary", "Accept")], "brief": [("Cache-Control", f"max-age={SHORT_LIFE_S}")],
        "private": [("Cache-Control", "private, max-age=600")], "no-store": [("Cache-Control", "max-age=600, no-store")],
        "cookie": [good, ("Set-Cookie", "a=b")], "star": [good, ("Vary", "*")], "agent": [good, ("Vary", "User-Agent")], "silent": [],
        "twice": [good, ("Cache-Control", "max-age=1")], "no-cache": [("Cache-Control", "no-cache")],
    }


class Registry(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    directory = ""
    count = 0
    lock = threading.Lock()

    def log_message(self, *_):
        pass

    def answer(self, content, fields, status=200, length=None):
        self.send_response(status)
        for name, value in fields:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content) if length is None else length))
        self.end_headers()
        self.wfile.write(content)

    def good(self, content, fields):
        """With its validator."""
        tag = '"' + hashlib.sha256(content).hexdigest()[:16] + '"'
        fields = [*fields, ("ETag", tag)]
        if self.headers.get("If-None-Match") == tag:
            return self.answer(b"", fields, 304)
        return self.answer(content, fields)

    def do_POST(self):
        self.do_GET()

    def do_GET(self):
        length = int(self.headers.get("Content-Length", 0))
        self.rfile.read(length)
        host = self.headers.get("Host", "").split(":")[0]
        with Registry.lock:
            Registry.count += 1
            number = Registry.count
            with open(os.path.join(self.directory, "seen"), "a") as file:
                file.write(json.dumps({"method": self.command, "host": host, "path": self.path, "headers": self.headers.items()}) + "\n")
        path = self.path.split("?")[0]
        if path.startswith("/t/"):
            return self.test(path[3:], number)
        found = os.path.join(self.directory, "sites", host, os.path.normpath(path).lstrip("/"))
        if os.path.isdir(found):
            found = os.path.join(found, "index.html")
        if not os.path.isfile(found):
            return self.answer(b"none\n", [], 404)
        with open(found, "rb") as file:
            content = file.read()
        if found.endswith((".whl", ".tgz", ".deb")):
            return self.good(content, [("Cache-Control", "max-age=365000000, immutable, public")])
        kind = "text/html" if found.endswith(".html") else "application/json"
        return self.good(content, [("Cache-Control", "max-age=600, public"), ("Content-Type", kind), ("Vary", "Accept, Accept-Encoding")])

    def test(self, name, number):
        body = f"answer {number} {self.headers.get('Accept')}\n".encode()
        if name == "large":
            return self.good(LARGE, [("Cache-Control", "max-age=600")])
        if name.startswith("filler"):
            return self.good(name.encode() * 65536, [("Cache-Control", "max-age=600")])
        if name == "cut":
            self.close_connection = True
            return self.answer(body, [("Cache-Control", "max-age=600")], length=len(body) + 10)
        if name == "cut-chunks":
            self.close_connection = True
            self.send_response(200)
            self.send_header("Cache-Control", "max-age=600")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            return self.wfile.write(b"%x\r\n%s\r\n" % (len(body), body))
        if name == "chunks":
            self.send_response(200)
            self.send_header("Cache-Control", "max-age=600")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            return self.wfile.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))
        if name == "renewed":
            return self.good(b"the same\n", [("Cache-Control", "max-age=0")])
        if name == "missing":
            return self.answer(body, [("Cache-Control", "max-age=600")], 404)
        return self.answer(body, [*tests_of_rules()[name], ("ETag", f'"{number}"')])


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    secure = False

    def handle_error(self, *_):
        pass

    def finish_request(self, request, client_address):
        request.settimeout(30)
        if not self.secure:
            return super().finish_request(request, client_address)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(os.path.join(Registry.directory, "certificate.pem"), os.path.join(Registry.directory, "key.pem"))
        try:
            with context.wrap_socket(request, server_side=True) as wrapped:
                self.RequestHandlerClass(wrapped, client_address, self)
        except OSError:
            pass
        return None


def serve(directory):
    Registry.directory = directory
    for port in (80, 443):
        server = Server(("0.0.0.0", port), Registry)
        server.secure = port == 443
        threading.Thread(target=functools.partial(server.serve_forever, 0.05), daemon=True).start()
    print("ready", flush=True)
    threading.Event().wait()


# What is tested.


class Test(Runs):
    def __init__(self, cay, net, state, uid):
        self.cay, self.net, self.uid, self.state = cay, net, uid, state
        self.seen_file = os.path.join(net.directory, "seen")
        self.environment = {"PATH": os.environ["PATH"], "HOME": state, "CAY_STATE_DIR": state}
        self.server = None
        os.makedirs(state, exist_ok=True)
        if uid:
            os.chown(state, uid, uid)
        self.start_server()

    def start_server(self):
        self.server = self.net.start(sys.executable, "-B", os.path.abspath(__file__), "--serve", self.net.directory)

    def stop_server(self):
        self.server.send_signal(signal.SIGKILL)
        self.server.wait()

    def forget(self):
        """As if nothing had ever been kept."""
        shutil.rmtree(os.path.join(self.state, "network-cache"), ignore_errors=True)

    def files(self, ending):
        return glob.glob(os.path.join(self.state, "network-cache", "*" + ending))

    def command(self, command, extra=(), cache="64m"):
        arguments = [self.cay, "run", "--json", "--timeout", "120s", "--memory", "1g", "--best-effort", "--resolver", f"{self.net.RESOLVER}:53"]
        arguments += ["--ca", self.net.certificate, *(["--cache", cache] if cache else []), *extra]
        return as_user(self.uid, [*arguments, "--", "bash", "-c", command])

    def run(self, command, net=("--net", "packages"), **more):
        """The object of --json, with what the server saw meanwhile as `seen`."""
        open(self.seen_file, "w").close()
        done = subprocess.run(self.command(command, extra=[*net, *more.pop("extra", ())], **more), stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, env=self.environment, stdin=subprocess.DEVNULL)
        result = result_of(done, command)
        with open(self.seen_file) as file:
            result["seen"] = [json.loads(line) for line in file]
        return result

    def get(self, name, how="", **more):
        return self.works(f"{CURL} {how} https://{INDEX}/t/{name}", **more)

    def comes_from_the_cache(self, name, how="", how_before=None):
        first = self.get(name, how if how_before is None else how_before)
        second = self.get(name, how)
        expect(first["seen"], f"{name}: the server saw nothing the first time")
        expect(not second["seen"], f"{name}: the server saw {second['seen']}")
        expect(first["stdout"] == second["stdout"], f"{name}: {first['stdout']!r} and {second['stdout']!r}")

    def comes_from_the_server(self, name, how="", how_before=None):
        first = self.get(name, how if how_before is None else how_before)
        second = self.get(name, how)
        expect(len(first["seen"]) == 1 and len(second["seen"]) == 1, f"{name} {how}: the server saw {first['seen']} and {second['seen']}")
        expect(first["stdout"] != second["stdout"], f"{name} {how}: twice {second['stdout']!r}")


CURL = "curl -sS --fail-with-body --max-time 30"


def pip_installs_without_the_server(test):
    if not glob.glob("/usr/share/python-wheels/pip*.whl") and not glob.glob("/usr/lib/python3*/ensurepip/_bundled/pip*.whl"):
        return "python3-venv is not installed"
    install = ("/usr/bin/python3 -m venv v && v/bin/pip install -q --disable-pip-version-check --retries 0 demo && v/bin/python -c 'import demo'")
    first = test.works(install, "a wheel from afar", net=["--net", "pypi"])
    expect({seen["host"] for seen in first["seen"]} == {INDEX, FILES}, f"the server saw {first['seen']}")
    # pip asks whether the index is as it was; the wheel is not asked about.
    second = test.works(install, "a wheel from afar", net=["--net", "pypi"])
    expect({seen["host"] for seen in second["seen"]} == {INDEX}, f"the server saw {second['seen']}")
    test.stop_server()
    try:
        test.works(install, "a wheel from afar", net=["--net", "pypi"])
        result = test.run(install, net=["--net", "pypi"], cache=None)
        expect(result["exit_code"] != 0, "it installs without the server and without the cache")
    finally:
        test.start_server()
    return None


def npm_installs_without_the_server(test):
    if shutil.which("npm", path="/usr/bin") is None:
        return "npm is not installed"
    install = "npm install --no-audit --no-fund --no-update-notifier --fetch-retries=0 demo >&2 && node -e 'require(\"demo\")'"
    first = test.works(install, "a module from afar", net=["--net", "npm"])
    expect(first["seen"], "the server saw nothing")
    test.stop_server()
    try:
        test.works(install, "a module from afar", net=["--net", "npm"])
    finally:
        test.start_server()
    return None


def apt_downloads_over_http_without_the_server(test):
    if shutil.which("apt-get", path="/usr/bin") is None or shutil.which("dpkg-deb") is None:
        return "there is no apt-get"
    lists = "mkdir -p /tmp/a/lists/partial /tmp/a/cache/archives/partial /tmp/a/etc && cd /tmp && " \
        f"echo 'deb [trusted=yes] http://{DEBIAN}/debian ./' > /tmp/a/sources && "
    options = "-o Dir::Etc::sourcelist=/tmp/a/sources -o Dir::Etc::sourceparts=- -o Dir::State::lists=/tmp/a/lists " \
        "-o Dir::Cache=/tmp/a/cache -o APT::Sandbox::User=root -o Acquire::Retries=0 -o Acquire::Languages=none"
    update = f"{lists} apt-get -qq {options} update && apt-get -qq {options} download demo && dpkg-deb -f demo_*.deb Version"
    first = test.works(update, "1.0", net=["--net", "debian"])
    second = test.works(update, "1.0", net=["--net", "debian"])
    expect(any(seen["path"].endswith(".deb") for seen in first["seen"]), f"the server saw {first['seen']}")
    expect(not any(seen["path"].endswith(".deb") for seen in second["seen"]), f"the server saw {second['seen']}")
    return None


def what_is_said_to_be_good_is_kept(test):
    for name in ("good", "vary", "chunks", "large"):
        test.comes_from_the_cache(name)
    headers = test.get("good", "-i")["stdout"].lower()
    expect("\nage: " in headers and "cache-control: public, max-age=600" in headers, headers)


def nothing_else_is_kept(test):
    for name in ("private", "no-store", "cookie", "star", "agent", "silent", "twice"):
        test.comes_from_the_server(name)
    for _ in range(2):
        result = test.run(f"{CURL} https://{INDEX}/t/missing")
        expect(len(result["seen"]) == 1, f"the server saw {result['seen']}")


def requests_with_more_pass_by(test):
    for how in ("-H 'Authorization: Bearer x'", "-u a:b", "-H 'Cookie: a=b'", "-H 'X-Forwarded-Host: evil.test'", "-H 'X-Unknown: 1'",
                "-H 'Range: bytes=0-1'", "-H 'If-None-Match: \"x\"'", "-X POST -d a=b", "-H 'Cache-Control: no-store'"):
        test.comes_from_the_server("good", how)
        test.comes_from_the_server("good", how, how_before="")
        test.forget()
    test.comes_from_the_server("good?a=b")
    # Nor is what they brought given to who asks without it.
    for how in ("-H 'Authorization: Bearer x'", "-H 'X-Forwarded-Host: evil.test'"):
        test.forget()
        with_it = test.get("good", how)
        without = test.get("good")
        expect(without["seen"] and with_it["stdout"] != without["stdout"], f"{how}: {describe(without)}")


def the_server_hears_nothing_that_is_not_in_the_key(test):
    seen = test.get("good", "-A 'somebody; x=<script>' -e http://evil.test/ -H 'Accept: a/b'")["seen"][0]
    headers = dict(seen["headers"])
    expect(headers == {"Host": INDEX, "User-Agent": "cay-package-cache", "Accept": "a/b"}, f"{headers}")
    test.comes_from_the_cache("good", "-H 'Accept: c/d'")
    one = test.get("good", "-H 'Accept: a/b'")
    other = test.get("good", "-H 'Accept: c/d'")
    expect("a/b" in one["stdout"] and "c/d" in other["stdout"], describe(one) + describe(other))


def a_connection_that_passed_one_by_keeps_nothing(test):
    """A server that takes one request for two would answer the next with something of the sandbox's."""
    result = test.works(f"{CURL} -H 'X-Unknown: 1' https://{INDEX}/t/good --next -sS https://{INDEX}/t/good")
    expect(len(result["seen"]) == 2, f"the server saw {result['seen']}")
    expect(not test.files(".entry"), "something was kept")
    both = test.works(f"{CURL} https://{INDEX}/t/good https://{INDEX}/t/vary")
    expect(len(both["seen"]) == 2 and len(test.files(".entry")) == 2, f"{test.files('.entry')}")


def what_is_stale_is_asked_about(test):
    test.get("renewed")
    second = test.get("renewed", says="the same")
    expect(len(second["seen"]) == 1 and "If-None-Match" in dict(second["seen"][0]["headers"]), f"{second['seen']}")
    test.get("brief")
    time.sleep(SHORT_LIFE_S + 1)
    expect(test.get("brief")["seen"], "it was given when it was stale")
    test.get("no-cache")
    expect(test.get("no-cache")["seen"], "it was given without asking")
    test.stop_server()
    try:
        for name in ("renewed", "no-cache"):
            result = test.run(f"{CURL} https://{INDEX}/t/{name}")
            expect(result["exit_code"] != 0 and "502" in result["stdout"] + result["stderr"], describe(result))
    finally:
        test.start_server()


def what_is_broken_off_is_not_kept(test):
    for name in ("cut", "cut-chunks"):
        for _ in range(2):
            result = test.run(f"{CURL} https://{INDEX}/t/{name}")
            expect(result["exit_code"] != 0 and result["seen"], f"{name}: {describe(result)}")
    expect(not test.files(".body") and not test.files(".part"), f"{test.files('')}")


def damage_is_seen_and_fetched_anew(test):
    for ending in (".body", ".entry"):
        test.get("large", "-o /dev/null")
        [path] = test.files(ending)
        with open(path, "r+b") as file:
            file.seek(os.path.getsize(path) // 2)
            byte = file.read(1)
            file.seek(-1, os.SEEK_CUR)
            file.write(bytes([byte[0] ^ 1]))
        result = test.works(f"{CURL} https://{INDEX}/t/large | sha256sum", says=hashlib.sha256(LARGE).hexdigest())
        expect(result["seen"], f"{ending}: it came from the cache")
        again = test.works(f"{CURL} https://{INDEX}/t/large | sha256sum", says=hashlib.sha256(LARGE).hexdigest())
        expect(not again["seen"], f"{ending}: it was not kept anew")
    for path in test.files(".body"):
        os.truncate(path, 100)
    expect(test.works(f"{CURL} https://{INDEX}/t/large | sha256sum", says=hashlib.sha256(LARGE).hexdigest())["seen"], "it was cut")


def it_is_no_larger_than_it_may_be(test):
    urls = " ".join(f"https://{INDEX}/t/filler{number}" for number in range(100, 130))
    test.works(f"{CURL} -o /dev/null {urls.replace(' ', ' -o /dev/null ')}", cache="4m")
    size = sum(os.path.getsize(path) for path in test.files(""))
    expect(1_000_000 < size <= 4 << 20, f"{size} bytes")
    expect(not test.get("filler129", "-o /dev/null", cache="4m")["seen"], "the last one is not there")
    expect(test.get("filler100", "-o /dev/null", cache="4m")["seen"], "the first one is there still")
    # What is larger than a quarter passes.
    test.get("large", "-o /dev/null", cache="4m")
    expect(test.get("large", "-o /dev/null", cache="4m")["seen"], "what is too large was kept")


def the_policy_comes_first(test):
    test.get("good")
    expect(not test.get("good")["seen"], "it was not kept")
    for net, command in ((["--net", "npm"], f"https://{INDEX}/t/good"), (["--net", "packages", "--deny", INDEX], f"https://{INDEX}/t/good"),
                         (["--net", "npm"], f"--resolve {INDEX}:443:198.18.0.1 https://{INDEX}/t/good"),
                         (["--net", "npm"], f"--connect-to {INDEX}:443:{NPM}:443 https://{INDEX}/t/good"),
                         (["--net", "npm"], f"-H 'Host: {INDEX}' https://{NPM}/t/good")):
        result = test.run(f"{CURL} {command}", net=net)
        expect(result["exit_code"] != 0 and "answer" not in result["stdout"], f"{net} {command}: {describe(result)}")


def many_at_once_get_the_same(test):
    command = test.command(f"{CURL} https://{INDEX}/t/large | sha256sum", extra=["--net", "pypi"])
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=test.environment) for _ in range(4)]
    for one in running:
        out, err = one.communicate(timeout=120)
        expect(hashlib.sha256(LARGE).hexdigest() in out, out + err)
    expect(len(test.files(".body")) == 1 and not test.files(".part"), f"{test.files('')}")
    loops = " & ".join([f"{CURL} https://{INDEX}/t/large | sha256sum"] * 6) + " & wait"
    result = test.works(loops)
    expect(result["stdout"].count(hashlib.sha256(LARGE).hexdigest()) == 6 and not result["seen"], describe(result))


def a_crash_leaves_nothing_wrong(test):
    test.get("good")
    path = os.path.join(test.state, "network-cache")
    with open(os.path.join(path, "0" * 32 + ".part"), "w") as file:
        file.write("half of it")
    open(os.path.join(path, "ledger"), "w").close()
    for name in os.listdir(path):
        if test.uid:
            os.chown(os.path.join(path, name), test.uid, test.uid)
        else:
            os.chown(os.path.join(path, name), os.stat(path).st_uid, os.stat(path).st_gid)
    expect(not test.get("good")["seen"], "what was kept is lost")
    test.comes_from_the_cache("vary")
    expect(not test.files(".part"), "what the crash left is there")


def what_does_not_trust_goes_by_it(test):
    distrust = f"for i in 1 2; do {CURL} --cacert /tmp/own.pem https://{INDEX}/t/good; done"
    result = test.run(distrust, extra=["--copy", f"{test.net.certificate}:/tmp/own.pem"])
    expect("answer" in result["stdout"], describe(result))
    told = [flow["reason"] for flow in result.get("network_denied", [])]
    expect(any("did not take the certificate" in reason for reason in told), f"{told}")


def secrets_of_a_host_keep_it_out(test):
    test.environment["TOKEN"] = "s3cr3t"
    try:
        how = ["--secret", f"TOKEN={INDEX}"]
        for _ in range(2):
            result = test.get("good", extra=how)
            expect(len(result["seen"]) == 1, f"the server saw {result['seen']}")
        expect(not test.files(".entry"), "something was kept")
    finally:
        del test.environment["TOKEN"]


def without_it_nothing_is_intercepted(test):
    result = test.works(f"{CURL} --cacert /tmp/own.pem https://{INDEX}/t/good; env | grep -c SSL_CERT_FILE || true", cache=None,
                        extra=["--copy", f"{test.net.certificate}:/tmp/own.pem"])
    expect(result["stdout"].endswith("\n0\n") and not os.path.exists(os.path.join(test.state, "network-cache")), describe(result))
    test.environment["CAY_NETWORK_CACHE"] = "16m"
    try:
        expect(test.get("good", cache=None)["seen"] and not test.get("good", cache=None)["seen"], "the variable has no effect")
        expect(test.get("good", "-k", cache="0")["seen"], "--cache 0 has no effect")
    finally:
        del test.environment["CAY_NETWORK_CACHE"]


def it_can_be_looked_at_and_emptied(test):
    def net(*arguments):
        return subprocess.run(as_user(test.uid, [test.cay, "net", "cache", *arguments]), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, env=test.environment)
    expect(net("df").returncode != 0 and "no package cache" in net("df").stderr, "there is one before there is one")
    test.get("good")
    test.get("large", "-o /dev/null")
    listed = json.loads(net("ls", "--json").stdout)
    expect({one["url"] for one in listed} == {f"https://{INDEX}/t/good", f"https://{INDEX}/t/large"}, f"{listed}")
    expect(f"https://{INDEX}/t/large" in net("ls").stdout, net("ls").stdout)
    used = json.loads(net("df", "--json").stdout)
    expect(used["answers"] == 2 and len(LARGE) < used["bytes"] < len(LARGE) + 10_000, f"{used}")
    expect(net("clear").returncode == 0 and not test.files(".entry") and not test.files(".body"), f"{test.files('')}")
    expect(test.get("good")["seen"], "it is there still")


CHECKS = [pip_installs_without_the_server, npm_installs_without_the_server, apt_downloads_over_http_without_the_server,
          what_is_said_to_be_good_is_kept, nothing_else_is_kept, requests_with_more_pass_by,
          the_server_hears_nothing_that_is_not_in_the_key, a_connection_that_passed_one_by_keeps_nothing, what_is_stale_is_asked_about,
          what_is_broken_off_is_not_kept, damage_is_seen_and_fetched_anew, it_is_no_larger_than_it_may_be, the_policy_comes_first,
          many_at_once_get_the_same, a_crash_leaves_nothing_wrong, what_does_not_trust_goes_by_it, secrets_of_a_host_keep_it_out,
          without_it_nothing_is_intercepted, it_can_be_looked_at_and_emptied]


def main():
    options = read_options(__doc__, serves=True)
    if options.serve:
        return serve(options.serve)

    def run(net, directory):
        for name in (INDEX, FILES, NPM, DEBIAN):
            net.names[name] = [net.SERVER]
        make_pypi(net)
        make_npm(net)
        if shutil.which("dpkg-deb"):
            make_debian(net)
        net.serve(web=False)
        failed = 0
        for uid in options.user:
            test = Test(options.cay, net, os.path.join(directory, f"state-{uid}"), uid)
            for check in CHECKS:
                test.forget()
                failed += make_checks([check], options.only, uid, test)
            test.stop_server()
        return failed

    return run_in_internet(run)


if __name__ == "__main__":
    sys.exit(main())
