"""`cay run` with a network, for tests: what works, what fails, and what is told.

    sandboxes = Sandboxes(cay, state, net.RESOLVER, net.certificate)
    sandboxes.works(["--net", "pypi"], "pip download x", says="x")
    sandboxes.fails(["--net", "npm"], "curl https://other.test", denied="other.test", reason="no rule")
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile

import internet

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from checks import Broken, as_user, expect  # noqa: E402

SKIPPED = 77
NOBODY = 65534
TRUST = "/tmp/ca.pem"
# As many programs as there are ways of being told whom to trust.
TRUSTING = [f"{name}={TRUST}" for name in ("SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "PIP_CERT", "GIT_SSL_CAINFO",
                                           "NODE_EXTRA_CA_CERTS", "npm_config_cafile")]


def result_of(done, what):
    """The object that a finished `cay run --json` has printed."""
    try:
        return json.loads(done.stdout)
    except ValueError:
        raise Broken(f"{what}: {done.returncode}\n{done.stdout}\n{done.stderr}") from None


class Runs:
    """What has a `run(command, …)` that gives such an object."""

    def works(self, command, says=None, **more):
        result = self.run(command, **more)
        expect(result["exit_code"] == 0, f"{command}: {describe(result)}")
        expect(says is None or says in result["stdout"], f"{command}: not {says!r}: {describe(result)}")
        return result


class Sandboxes:
    """`cay run` as one user."""

    def __init__(self, cay, state, resolver, certificate, uid=0):
        self.uid = uid
        self.cay = cay
        self.certificate = certificate
        self.resolver = resolver
        self.environment = {"PATH": os.environ["PATH"], "HOME": state, "CAY_STATE_DIR": state}
        os.makedirs(state, exist_ok=True)
        if uid:
            os.chown(state, uid, uid)

    def run(self, network, command, timeout="60s", extra=(), stdin="", environment=None):
        """The object of --json."""
        arguments = [self.cay, "run", "--json", "--timeout", timeout, "--resolver", f"{self.resolver}:53"]
        arguments += ["--copy", f"{self.certificate}:{TRUST}", "--memory", "1g", "--best-effort"] + list(network) + list(extra)
        for variable in TRUSTING:
            arguments += ["-e", variable]
        arguments += ["--", "bash", "-c", command]
        done = subprocess.run(as_user(self.uid, arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, input=stdin,
                              env={**self.environment, **(environment or {})})
        return result_of(done, " ".join(arguments))

    def works(self, network, command, says=None, **more):
        result = self.run(network, command, **more)
        expect(result["exit_code"] == 0, f"{network} {command}: {describe(result)}")
        if says is not None:
            expect(says in result["stdout"], f"{network} {command}: not {says!r}: {describe(result)}")
        return result

    def fails(self, network, command, denied=None, reason=None, **more):
        result = self.run(network, command, **more)
        expect(result["exit_code"] not in (0, None) or result["signal"], f"{network} {command} succeeded: {describe(result)}")
        if denied is not None:
            found = [flow for flow in result.get("network_denied", []) if denied in (flow["name"], flow["address"])]
            expect(found, f"{network} {command}: {denied} is not told as denied: {describe(result)}")
            if reason is not None:
                expect(any(reason in flow["reason"] for flow in found), f"{network} {command}: not {reason!r}: {found}")
        return result


def describe(result):
    shown = {name: result.get(name) for name in ("exit_code", "signal", "timed_out", "network_denied", "error")}
    return f"{json.dumps(shown)}\n{result['stdout'][-3000:]}\n{result['stderr'][-3000:]}"


def read_options(description, serves=False):
    """--cay, --only and --user of a test. `serves`: its own program is also a server of its internet, with --serve."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--cay", required=not serves, type=os.path.abspath)
    parser.add_argument("--only", action="append", help="a part of the name of a check")
    parser.add_argument("--user", action="append", type=int, help="0, or an ordinary user's id")
    if serves:
        parser.add_argument("--serve")
    options = parser.parse_args()
    options.user = options.user or (0, NOBODY)
    return options


def run_in_internet(run):
    """The exit code of a test. `run(net, directory)`: how many of its checks have failed, with an internet that does not serve
    yet and a directory, both its own."""
    why_not = internet.possible()
    if why_not:
        print(f"skipped: {why_not}")
        return SKIPPED
    internet.enter()
    directory = tempfile.mkdtemp(prefix="cay-network-")
    os.chmod(directory, 0o755)
    try:
        with internet.Internet(directory) as net:
            return 1 if run(net, directory) else 0
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def make_checks(checks, only, uid, *subject, log=lambda: ""):
    """How many have failed. Each is called with `subject`, and may return why it cannot be made here. `log`: what is told with
    the first failure."""
    failed = 0
    for check in checks:
        name = check.__name__.removeprefix("check_")
        if only and not any(part in name for part in only):
            continue
        try:
            why_not = check(*subject)
            print(f"{name}, as uid {uid}: {'skipped: ' + why_not if why_not else 'good'}", flush=True)
        except Broken as error:
            failed += 1
            print(f"{name}, as uid {uid}: FAILED: {error}", log() if failed == 1 else "", flush=True)
    return failed


def run_checks(description, checks, prepare):
    """The whole of a test, and its exit code. `checks`: functions check_NAME(sandboxes, net); each is made as root and as an
    ordinary user. `prepare(net)`: the names and sites of the internet."""
    options = read_options(description)

    def run(net, directory):
        prepare(net)
        net.serve()
        failed = 0
        for uid in options.user:
            sandboxes = Sandboxes(options.cay, os.path.join(directory, f"state-{uid}"), net.RESOLVER, net.certificate, uid)
            failed += make_checks(checks, options.only, uid, sandboxes, net)
        return failed

    return run_in_internet(run)


def checks_of(module):
    """All check_… of a module's globals, in the order in which they are written."""
    return [value for name, value in module.items() if name.startswith("check_")]
