#!/usr/bin/env python3
"""ADD of URLs and of Git repositories: what comes into the image, what is found again, what a hostile server gets, and that nothing is
reached that a RUN would not reach. Exits with 77 where not started by root, or without busybox, git or openssl."""

import base64
import hashlib
import http.server
import os
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(HERE, "..", "support"))
sys.path.insert(0, os.path.join(HERE, "..", "template"))
from build_test import WRONG, Built  # noqa: E402
from checks import eventually, expect, try_checks  # noqa: E402
from world import options_where_there_are  # noqa: E402

HOST = "host.cay.internal"  # this machine, seen from inside
CONTENT = b"what is fetched\n"
MODIFIED = "Sun, 06 Nov 1994 08:49:37 GMT"
SECRET = "s3cret-of-the-url"


class Handler(http.server.BaseHTTPRequestHandler):
    """Files, redirects, servers that misbehave, and repositories by `git http-backend`."""

    def answer(self, status, body=b"", **fields):
        self.send_response(status)
        for name, value in {"Content-Length": len(body), **fields}.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        world, path = self.server.world, self.path.partition("?")[0]
        world.asked.append((path, self.headers.get("Authorization")))
        if path.startswith("/git/"):
            return self.git()
        if path.startswith("/private/"):
            return self.answer(200 if self.headers.get("Authorization") == world.basic else 401, CONTENT)
        if path.startswith("/to/"):
            return self.answer(302, Location=world.redirect)
        if path == "/loop":
            return self.answer(302, Location="/loop")
        if path == "/cut":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            return self.wfile.write(b"less")
        if path == "/endless":
            self.send_response(200)
            self.end_headers()
            try:
                while True:
                    self.wfile.write(b"x" * 65536)
            except OSError:
                return None
        if path == "/huge":
            self.send_response(200)
            self.send_header("Content-Length", str(1 << 50))
            self.end_headers()
            return None
        if path == "/slow":
            self.send_response(200)
            self.end_headers()
            while not world.hurry.wait(0.05):
                self.wfile.write(b"x" * 1024)
            return None
        if path in world.files:
            return self.answer(200, world.files[path], Last_Modified=MODIFIED)
        return self.answer(404, b"no such file")

    do_POST = do_GET

    def git(self):
        path, _, query = self.path.partition("?")
        environment = {"PATH": os.environ["PATH"], "GIT_PROJECT_ROOT": self.server.world.served, "GIT_HTTP_EXPORT_ALL": "1",
                       "PATH_INFO": path[4:], "QUERY_STRING": query, "REQUEST_METHOD": self.command,
                       "CONTENT_TYPE": self.headers.get("Content-Type", ""), "REMOTE_ADDR": "127.0.0.1",
                       "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                       "GIT_PROTOCOL": self.headers.get("Git-Protocol", "")}
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        done = subprocess.run(["git", "http-backend"], input=body, env=environment, capture_output=True, check=True)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        status = int(fields.pop("Status", "200").split()[0])
        return self.answer(status, content, **fields)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, world, certificate=None):
        super().__init__(("127.0.0.1", 0), Handler)
        self.world = world
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, *_):
        pass  # who fetches goes away in the middle of an answer


class Adding(Built):
    def __init__(self, cay, top):
        super().__init__(cay, top)
        self.asked, self.redirect, self.hurry = [], "", threading.Event()
        self.basic = "Basic " + base64.b64encode(f"user:{SECRET}".encode()).decode()
        self.files = {"/file.txt": CONTENT, "/a%20b": CONTENT, "/": CONTENT}
        self.served = os.path.join(top, "served")
        self.server = Server(self)
        self.port = self.server.server_port
        self.url = f"http://{HOST}:{self.port}"
        self.allow = ("--allow", f"{HOST}:{self.port}")
        self.make_repositories()

    def git(self, where, *arguments):
        return subprocess.run(["git", "-C", where, "-c", "user.email=a@example.org", "-c", "user.name=a", "-c", "protocol.file.allow=always",
                               *arguments], check=True, capture_output=True, text=True).stdout.strip()

    def commit(self, files):
        for name, content in files.items():
            os.makedirs(os.path.dirname(os.path.join(self.work, name)), exist_ok=True)
            with open(os.path.join(self.work, name), "w") as out:
                out.write(content)
        self.git(self.work, "add", "-A")
        self.git(self.work, "commit", "-qm", "more")
        self.git(self.work, "push", "-q", "--tags", "origin", "HEAD:main")
        self.git(os.path.join(self.served, "repo.git"), "update-server-info")
        return self.git(self.work, "rev-parse", "HEAD")

    def make_repositories(self):
        for name in ("part.git", "repo.git"):
            os.makedirs(os.path.join(self.served, name))
            self.git(os.path.join(self.served, name), "init", "-q", "--bare", "-b", "main")
        self.work = os.path.join(self.top, "part")
        self.git(self.top, "clone", "-q", os.path.join(self.served, "part.git"), self.work)
        self.commit_to_part()
        self.work = os.path.join(self.top, "work")
        self.git(self.top, "clone", "-q", os.path.join(self.served, "repo.git"), self.work)
        self.first = self.commit({"a": "first", "docs/x": "of docs", "docs/deep/y": "deep"})
        self.git(self.work, "tag", "-a", "-m", "tagged", "v1")
        os.symlink("/etc/shadow", os.path.join(self.work, "link"))
        self.second = self.commit({"a": "second"})

    def commit_to_part(self):
        with open(os.path.join(self.work, "p"), "w") as out:
            out.write("of the submodule")
        self.git(self.work, "add", "-A")
        self.git(self.work, "commit", "-qm", "part")
        self.git(self.work, "push", "-q", "origin", "HEAD:main")

    def add(self, arguments, *options, code=0, allow=None):
        return self.build(f"FROM base:1\nADD {arguments}\n", *(self.allow if allow is None else allow), *options, code=code)

    def refused(self, arguments, *words, allow=None, options=()):
        out = self.add(arguments, *options, code=WRONG, allow=allow)
        for word in words:
            expect(word in out, f"{arguments}: without {word!r}: {out}")
        expect(SECRET not in out, out)
        expect(not self.leftovers(), f"left over: {self.leftovers()}")
        return out

    def digest(self, content=CONTENT):
        return "sha256:" + hashlib.sha256(content).hexdigest()


def a_file_comes_as_docker_brings_it(world):
    world.add(f"{world.url}/file.txt /dest/", "-t", "one")
    expect(world.shown("one", "cat /dest/file.txt").encode() == CONTENT, "its content")
    expect(world.shown("one", "stat -c '%a %u %g %Y' /dest/file.txt").split() == ["600", "0", "0", "784111777"], "what it is")
    world.add(f"--chown=7:8 --chmod=751 {world.url}/file.txt /as/named", "-t", "two")
    expect(world.shown("two", "stat -c '%a %u %g' /as/named").split() == ["751", "7", "8"], "--chown and --chmod")
    world.add(f"{world.url}/a%20b {world.url}/file.txt /dest/", "-t", "three")
    expect(world.shown("three", "ls /dest").split("\n")[:2] == ["a b", "file.txt"], "names")
    world.add(f"{world.url}/ /named", "-t", "four")
    expect(world.shown("four", "cat /named").encode() == CONTENT, "of a URL without a name")
    world.refused(f"{world.url}/ /dest/", "names no file")
    world.refused(f"{world.url}/ /tmp", "has no name")


def an_archive_is_unpacked_only_when_that_is_said(world):
    tar = os.path.join(world.top, "x.tar.gz")
    subprocess.run(["tar", "-C", world.work, "-czf", tar, "docs"], check=True)
    with open(tar, "rb") as source:
        world.files["/x.tar.gz"] = source.read()
    world.add(f"{world.url}/x.tar.gz /d/", "-t", "packed")
    expect(world.shown("packed", "ls /d").split() == ["x.tar.gz"], "it was unpacked")
    world.add(f"--unpack=true {world.url}/x.tar.gz /d/", "-t", "unpacked")
    expect(world.shown("unpacked", "cat /d/docs/x") == "of docs", "it was not unpacked")


def a_checksum_is_held_and_makes_fetching_needless(world):
    right = f"--checksum={world.digest()} {world.url}/file.txt /checked"
    world.refused(f"--checksum={world.digest(b'other')} {world.url}/file.txt /checked", world.digest(), world.digest(b"other"))
    world.add(right, "-t", "checked")
    world.asked.clear()
    out = world.add(right, "-t", "checked")
    expect("cached" in out and not world.asked, f"{world.asked}: {out}")
    expect("cached" in world.add(right, "-t", "checked", allow=()), "without a network")
    world.add(f"--checksum={world.digest()} {world.url}/file.txt /elsewhere", "-t", "moved")
    expect(world.asked and world.shown("moved", "cat /elsewhere").encode() == CONTENT, "another destination")
    world.refused(f"--checksum=abcdef {world.url}/file.txt /x", "sha256:")


def without_one_it_is_fetched_and_found_again_by_its_content(world):
    top = world.context(f"FROM base:1\nADD {world.url}/changing /changing\nRUN true\n")
    for content, cached in ((b"1", 0), (b"1", 2), (b"2", 0), (b"1", 2)):
        world.files["/changing"] = content
        world.asked.clear()
        expect(world.cached("Dockerfile", *world.allow, "-t", "changing", context=top) == (cached, 2), f"{content}: not {cached} cached")
        expect(world.asked, "it was not asked for")
        expect(world.shown("changing", "cat /changing").encode() == content, content)


def errors_name_what_was_fetched(world):
    world.refused(f"{world.url}/missing /x", "404 Not Found", f"{world.url}/missing")
    world.refused(f"{world.url}/cut /x", f"{world.url}/cut", "after 4")
    world.refused(f"{world.url}/loop /x", "10 redirects, which is the maximum")
    world.refused(f"http://{HOST}:1/x /x", f"http://{HOST}:1/x", "--allow HOST:443", allow=("--allow", f"{HOST}:1"))
    world.refused("git@example.org:a/b.git /x", "over SSH", allow=())
    world.refused(f"http://{HOST}:port/x /x", "port")


def sizes_are_bounded_and_told(world):
    for path in ("huge", "endless"):
        world.refused(f"{world.url}/{path} /x", "is larger than", "16.0 MiB", options=("--disk", "16m"))


def one_that_takes_long_is_ended_and_leaves_nothing(world):
    world.refused(f"{world.url}/slow /x", "takes longer than 2s", options=("--step-timeout", "2s"))
    top = world.context(f"FROM base:1\nADD {world.url}/slow /x\n")
    world.asked.clear()
    build = subprocess.Popen([world.cay, "template", "build", *world.allow, top], env=world.environment, stderr=subprocess.PIPE, text=True)
    eventually(lambda: world.asked, "it is not asked for")
    build.send_signal(signal.SIGINT)
    said = build.communicate(timeout=60)[1]
    expect(build.returncode == 130 and "stopped" in said, f"{build.returncode}: {said}")
    expect(not world.leftovers(), world.leftovers())


def credentials_are_told_nowhere(world):
    private = world.url.replace("://", f"://user:{SECRET}@")
    out = world.add(f"{private}/private/x /x", "-t", "private")
    expect(SECRET not in out and "***@" in out, out)
    expect(world.shown("private", "cat /x").encode() == CONTENT, "what needs credentials")
    world.refused(f"{private}/missing /x", "404")
    world.refused(f"{private}/git/none.git /x", "none.git")
    found = subprocess.run(["grep", "-rl", SECRET, world.state], capture_output=True, text=True).stdout
    expect(not found, f"kept in {found}")
    world.add(f"--keep-git-dir {private}/git/repo.git /r", "-t", "kept")
    expect(SECRET not in world.shown("kept", "cat /r/.git/config"), "in .git/config")
    expect(world.basic in [header for path, header in world.asked if path.startswith("/git/repo")], "git was not given them")


def a_redirect_gets_no_credentials_of_another_origin(world):
    with Server(world) as other:
        world.redirect = f"http://{HOST}:{other.server_port}/file.txt"
        world.asked.clear()
        world.add(f"{world.url.replace('://', f'://user:{SECRET}@')}/to/x /x", allow=("--allow", HOST))
        expect(world.asked == [("/to/x", world.basic), ("/file.txt", None)], world.asked)
        other.shutdown()


def tls_is_verified_by_what_steps_trust(world):
    certificate = os.path.join(world.top, "certificate.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={HOST}", "-addext",
                    f"subjectAltName=DNS:{HOST}", "-keyout", certificate, "-out", certificate + ".crt"], check=True, capture_output=True)
    with open(certificate, "a") as out, open(certificate + ".crt") as source:
        out.write(source.read())
    with Server(world, certificate) as other:
        url, allow = f"https://{HOST}:{other.server_port}", ("--allow", HOST)
        for what in ("file.txt", "git/repo.git"):
            world.refused(f"{url}/{what} /tls", "certificate", allow=allow)
            world.add(f"{url}/{what} /tls", "-t", "tls", "--ca", certificate + ".crt", allow=allow)
        world.redirect = f"{world.url}/file.txt"
        trusting = ("--ca", certificate + ".crt")
        world.refused(f"{url}/to/x /down", "--checksum", allow=allow, options=trusting)
        world.add(f"--checksum={world.digest()} {url}/to/x /down", *trusting, allow=allow)


def nothing_is_reached_that_a_run_would_not_reach(world):
    with socket.create_server(("127.0.0.1", 0)) as secret:
        secret.settimeout(0)
        port = secret.getsockname()[1]
        places = (f"http://{HOST}:{port}/x", f"http://127.0.0.1:{port}/x", f"http://localhost:{port}/x", f"http://[::1]:{port}/x",
                  f"http://2130706433:{port}/x", f"http://0.0.0.0:{port}/x", f"http://[::ffff:127.0.0.1]:{port}/x",
                  "http://169.254.169.254/latest/meta-data", "http://10.0.0.1/x", "http://192.168.0.1/x", f"git://{HOST}:{port}/x",
                  f"http://127.0.0.1:{port}/x.git")
        for place in places:
            world.refused(f"{place} /x", allow=world.allow)
            world.refused(f"{place} /x", allow=("--net", "open"))
            if place.startswith("http") and not place.endswith(".git"):
                world.redirect = place
                world.refused(f"{world.url}/to/x /x")
        for place in ("file:///etc/passwd", "ftp://example.org/x", f"http://user:{SECRET}@{HOST}:{world.port}/x"):
            world.redirect = place
            world.refused(f"{world.url}/to/x /x", "redirects to what is not asked")
        try:
            secret.accept()
            expect(False, "it was connected to")
        except BlockingIOError:
            pass


def without_a_network_nothing_is_fetched(world):
    for what in (f"{world.url}/file.txt", f"{world.url}/git/repo.git"):
        world.refused(f"{what} /x", "no network", "--net open", allow=())


def a_repository_comes_as_docker_brings_it(world):
    repo = f"{world.url}/git/repo.git"
    world.add(f"{repo} /r", "-t", "head")
    expect(world.shown("head", "cat /r/a /r/docs/x; ls -A /r; readlink /r/link; stat -c '%a %u' /r/a").split() ==
           ["secondof", "docsa", "docs", "link", "/etc/shadow", "644", "0"], world.shown("head", "cat /r/a /r/docs/x; ls -A /r"))
    world.add(f"{repo}#v1:docs /r", "-t", "tag")
    expect(world.shown("tag", "cat /r/x /r/deep/y; ls -A /r").split() == ["of", "docsdeepdeep", "x"], "of a tag and a directory")
    for ref in (world.first, "refs/tags/v1"):
        world.add(f"{repo}#{ref} /r", "-t", "ref")
        expect(world.shown("ref", "cat /r/a") == "first", ref)
    world.add(f"{repo}?branch=main&subdir=docs /r/", "-t", "query")
    expect(world.shown("query", "cat /r/deep/y") == "deep", "of a query")
    world.add(f"--keep-git-dir {repo} /r", "-t", "history")
    expect("repo.git" in world.shown("history", "cat /r/.git/config"), "no .git")
    world.refused(f"{repo}#none /r", "no branch or tag \"none\"")
    world.refused(f"{repo}#v1:none /r", "no directory \"none\"")
    world.refused(f"{repo}#main:link /r", "no directory \"link\"")
    world.refused(f"{world.url}/git/none.git /r", "none.git")


def one_of_plain_files_is_fetched_too(world):
    # A server that knows nothing of Git, and cannot leave out history.
    top = os.path.join(world.served, "repo.git")
    for where, _, names in os.walk(top):
        for name in names:
            path = os.path.join(where, name)
            with open(path, "rb") as source:
                world.files["/plain.git" + path[len(top):]] = source.read()
    world.add(f"{world.url}/plain.git#v1 /r", "-t", "plain")
    expect(world.shown("plain", "cat /r/a") == "first", "its tag")


def a_repository_comes_by_gits_own_protocol(world):
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    daemon = subprocess.Popen(["git", "daemon", "--listen=127.0.0.1", f"--port={port}", "--export-all", f"--base-path={world.served}"],
                              start_new_session=True, stderr=subprocess.DEVNULL)
    try:
        eventually(lambda: subprocess.run(["git", "ls-remote", f"git://127.0.0.1:{port}/repo.git"], capture_output=True).returncode == 0, "no daemon")
        world.add(f"git://{HOST}:{port}/repo.git#v1 /r", "-t", "daemon", allow=("--allow", f"{HOST}:{port}"))
        expect(world.shown("daemon", "cat /r/a") == "first", "its tag")
        world.refused(f"git://{HOST}:{port}/repo.git#v1 /elsewhere", "ADD of git://")
    finally:
        os.killpg(daemon.pid, signal.SIGTERM)
        daemon.wait(60)


def a_commit_is_fetched_once(world):
    top = world.context(f"FROM base:1\nADD {world.url}/git/repo.git#main /once\n")
    before = world.cached("Dockerfile", *world.allow, "-t", "moving", context=top)
    expect(before == (0, 1), before)
    world.asked.clear()
    expect(world.cached("Dockerfile", *world.allow, "-t", "moving", context=top) == (1, 1), "not found again")
    expect(len(world.asked) == 2, f"more than its refs was asked for: {world.asked}")
    world.second = world.commit({"a": "third"})
    expect(world.cached("Dockerfile", *world.allow, "-t", "moving", context=top) == (0, 1), "a new commit was not seen")
    expect(world.shown("moving", "cat /once/a") == "third", "its content")


def a_commit_is_held_against_its_checksum(world):
    repo = f"{world.url}/git/repo.git"
    for sum_ in (world.first, world.first[:12], world.git(world.work, "rev-parse", "v1")):
        world.add(f"--checksum={sum_} {repo}#v1 /r", "-t", "sum")
        expect(world.shown("sum", "cat /r/a") == "first", sum_)
    # To a place where it has not come yet: what is there already is not asked for.
    world.refused(f"--checksum={world.second} {repo}#v1 /new", world.first, world.second)
    world.refused(f"{repo}?tag=v1&checksum={world.second} /new", world.first, world.second)
    world.refused(f"--checksum={world.digest()} {repo} /r", "name of a commit")
    world.asked.clear()
    expect("cached" in world.add(f"--checksum={world.first} {repo}#v1 /r", allow=()) and not world.asked, world.asked)


def submodules_come_with_it_and_lead_nowhere_else(world):
    world.git(world.work, "submodule", "add", "-q", "../part.git", "part")
    world.commit({"a": "with a part"})
    world.add(f"{world.url}/git/repo.git /r", "-t", "parts")
    expect(world.shown("parts", "cat /r/part/p; ls -A /r/part").split() == ["of", "the", "submodulep"], "of a submodule")
    world.add(f"{world.url}/git/repo.git?submodules=false /r", "-t", "parts")
    expect(world.shown("parts", "ls -A /r/part") == "", "it came anyhow")
    for place in ("/git/part.git", "file:///etc", f"http://{HOST}:1/x.git", "ext::sh -c id"):
        world.git(world.work, "config", "-f", ".gitmodules", "submodule.part.url", place)
        world.commit({"a": place})
        world.refused(f"{world.url}/git/repo.git /r", "ADD of")
    world.git(world.work, "rm", "-qrf", "part")
    world.commit({"a": "without it"})


CHECKS = (a_file_comes_as_docker_brings_it, an_archive_is_unpacked_only_when_that_is_said, a_checksum_is_held_and_makes_fetching_needless,
          without_one_it_is_fetched_and_found_again_by_its_content, errors_name_what_was_fetched, sizes_are_bounded_and_told,
          one_that_takes_long_is_ended_and_leaves_nothing, a_repository_comes_by_gits_own_protocol,
          credentials_are_told_nowhere, a_redirect_gets_no_credentials_of_another_origin,
          tls_is_verified_by_what_steps_trust, nothing_is_reached_that_a_run_would_not_reach,
          without_a_network_nothing_is_fetched, a_repository_comes_as_docker_brings_it, one_of_plain_files_is_fetched_too,
          a_commit_is_fetched_once, a_commit_is_held_against_its_checksum, submodules_come_with_it_and_lead_nowhere_else)


def main():
    options = options_where_there_are("git", "openssl")
    with tempfile.TemporaryDirectory(prefix="cay-add-") as top:
        os.chmod(top, 0o755)
        return 1 if try_checks(CHECKS, Adding(options.cay, top), options.only) else 0


if __name__ == "__main__":
    sys.exit(main())
