"""An internet of its own for tests: a second network namespace with public addresses, name servers and servers, to which
the namespace of the test has the only way. Nothing of it is seen outside, and nothing of the machine's network here.

    internet.enter()                       # first of all: this program again, in a namespace of its own
    with internet.Internet(directory) as net:
        net.names["example.test"] = [net.SERVER]
        net.certificate                    # the file with the CA that signed for all names of `names`
        net.site("example.test")           # a directory whose files are served by HTTP and HTTPS
        net.questions()                    # which names its name server was asked for

Needs root, ip(8), unshare(1), nsenter(1) and openssl(1).
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
MARK = "CAY_TEST_INTERNET"


def possible():
    """Why not; empty when it is."""
    if os.geteuid() != 0:
        return "it needs root"
    for program in ("ip", "unshare", "nsenter", "openssl"):
        if shutil.which(program) is None:
            return f"there is no {program}"
    return ""


def enter():
    if os.environ.get(MARK) is None:
        os.environ[MARK] = "1"
        os.execvp("unshare", ["unshare", "--net", sys.executable, "-B"] + sys.argv)
    run("ip", "link", "set", "lo", "up")


def run(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stdout}")
    return done.stdout


class Internet:
    # Addresses of nobody's registry, and public by every table.
    MACHINE = "93.184.0.1"  # of this side
    SERVER = "93.184.0.10"
    OTHER = "93.184.0.11"
    RESOLVER = "93.184.0.53"
    MACHINE_V6 = "2a00:cafe::1"
    SERVER_V6 = "2a00:cafe::10"

    def __init__(self, directory):
        self.directory = directory
        self.names = {}
        self.records = {}  # {"a.test": {"MX": [[10, "mail.test"]], "TXT": [["a text"]], "SRV": [[1, 2, 80, "b.test"]]}}
        self.certificate = os.path.join(directory, "ca.pem")
        self._log = os.path.join(directory, "questions")
        self._holder = self._services = None

    def site(self, name):
        path = os.path.join(self.directory, "sites", name)
        os.makedirs(path, exist_ok=True)
        return path

    def __enter__(self):
        self._holder = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])
        self._wait_for_namespace()
        there = self.command("ip")
        run("ip", "link", "add", "uplink", "type", "veth", "peer", "name", "uplink", "netns", str(self._holder.pid))
        run("ip", "address", "add", f"{self.MACHINE}/16", "dev", "uplink")
        run("ip", "address", "add", f"{self.MACHINE_V6}/64", "dev", "uplink", "nodad")
        run("ip", "link", "set", "uplink", "up")
        run(*there, "link", "set", "lo", "up")
        for address in (self.SERVER, self.OTHER, self.RESOLVER):
            run(*there, "address", "add", f"{address}/16", "dev", "uplink")
        run(*there, "address", "add", f"{self.SERVER_V6}/64", "dev", "uplink", "nodad")
        run(*there, "link", "set", "uplink", "up")
        # Addresses that nobody may reach are there, and would answer: being let through is seen.
        for address in ("169.254.169.254", "10.1.2.3", "100.64.0.1", "198.51.100.1"):
            run(*there, "address", "add", f"{address}/32", "dev", "lo")
        run("ip", "route", "add", "default", "via", self.SERVER)
        run("ip", "-6", "route", "add", "default", "via", self.SERVER_V6)
        return self

    def __exit__(self, *_):
        for process in (self._services, self._holder):
            if process is not None:
                process.send_signal(signal.SIGKILL)
                process.wait()

    def _wait_for_namespace(self):
        own = os.readlink("/proc/self/ns/net")
        for _ in range(500):
            try:
                if os.readlink(f"/proc/{self._holder.pid}/ns/net") != own:
                    return
            except OSError:
                pass
            time.sleep(0.01)
        raise RuntimeError("the other namespace does not come")

    def serve(self, web=True):
        """Starts its servers, for the names that there are now; without `web` none on ports 80 and 443."""
        self._make_certificates()
        with open(os.path.join(self.directory, "names.json"), "w") as file:
            json.dump(self.names, file)
        with open(os.path.join(self.directory, "records.json"), "w") as file:
            json.dump(self.records, file)
        self._services = subprocess.Popen(
            self.command(sys.executable, "-B", os.path.join(HERE, "services.py"), self.directory, self.RESOLVER,
                         *([] if web else ["no-web"])), stdout=subprocess.PIPE, text=True)
        if self._services.stdout.readline() != "ready\n":
            raise RuntimeError("the servers of the test's internet do not start")

    def start(self, *command):
        """A program there, which has started when it says "ready"."""
        program = subprocess.Popen(self.command(*command), stdout=subprocess.PIPE, text=True)
        if program.stdout.readline() != "ready\n":
            raise RuntimeError(f"{command} does not start")
        return program

    def command(self, *command):
        """That command, in the internet's namespace."""
        return ["nsenter", "-t", str(self._holder.pid), "--net", *command]

    def questions(self):
        try:
            with open(self._log) as file:
                return file.read().splitlines()
        except FileNotFoundError:
            return []

    def recorded(self):
        """What has come to port 2223 of any server."""
        try:
            with open(os.path.join(self.directory, "recorded"), "rb") as file:
                return file.read()
        except FileNotFoundError:
            return b""

    def proxied(self):
        """What the proxy at port 3128 of any server was asked for."""
        try:
            with open(os.path.join(self.directory, "proxied")) as file:
                return file.read().splitlines()
        except FileNotFoundError:
            return []

    def _make_certificates(self):
        where = self.directory
        key, request, certificate = (os.path.join(where, name) for name in ("key.pem", "request.pem", "certificate.pem"))
        extensions = os.path.join(where, "extensions")
        with open(extensions, "w") as file:
            file.write("subjectAltName=" + ",".join(f"DNS:{name}" for name in self.names) + "\n")
        ca_key = os.path.join(where, "ca.key")
        curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
        run("openssl", "req", "-x509", *curve, "-keyout", ca_key, "-out", self.certificate, "-days", "2", "-subj", "/CN=a CA of tests")
        run("openssl", "req", *curve, "-keyout", key, "-out", request, "-subj", "/CN=a server of tests")
        run("openssl", "x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", ca_key, "-CAcreateserial", "-days", "2",
            "-extfile", extensions, "-out", certificate)
        os.chmod(self.certificate, 0o644)
