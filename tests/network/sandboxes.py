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
import tempfile

import internet

SKIPPED = 77
NOBODY = 65534
TRUST = "/tmp/ca.pem"
# As many programs as there are ways of being told whom to trust.
TRUSTING = [f"{name}={TRUST}" for name in ("SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "PIP_CERT", "GIT_SSL_CAINFO",
                                           "NODE_EXTRA_CA_CERTS", "npm_config_cafile")]


class Broken(Exception):
    pass


def expect(condition, what):
    if not condition:
        raise Broken(what)


def as_user(uid, command):
    """The same command, by that user; 0 is who runs the test."""
    return ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"] + command if uid else command


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
        try:
            return json.loads(done.stdout)
        except ValueError:
            raise Broken(f"{' '.join(arguments)}: {done.returncode}\n{done.stdout}\n{done.stderr}") from None

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


def run_checks(description, checks, prepare):
    """The whole of a test, and its exit code. `checks`: functions check_NAME(sandboxes, net), which may return why they cannot be
    made here; each is made as root and as an ordinary user. `prepare(net)`: the names and sites of the internet."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--cay", required=True)
    parser.add_argument("--only", action="append", help="the name of a check")
    parser.add_argument("--user", action="append", type=int, help="0, or an ordinary user's id")
    options = parser.parse_args()
    why_not = internet.possible()
    if why_not:
        print(f"skipped: {why_not}")
        return SKIPPED
    internet.enter()
    directory = tempfile.mkdtemp(prefix="cay-network-")
    os.chmod(directory, 0o755)
    failed = 0
    try:
        with internet.Internet(directory) as net:
            prepare(net)
            net.serve()
            for uid in options.user or (0, NOBODY):
                state = os.path.join(directory, f"state-{uid}")
                sandboxes = Sandboxes(os.path.abspath(options.cay), state, net.RESOLVER, net.certificate, uid)
                for check in checks:
                    name = check.__name__.removeprefix("check_")
                    if options.only and name not in options.only:
                        continue
                    try:
                        why_not = check(sandboxes, net)
                        print(f"{name}, as uid {uid}: {'skipped: ' + why_not if why_not else 'good'}", flush=True)
                    except Broken as error:
                        failed += 1
                        print(f"{name}, as uid {uid}: FAILED: {error}", flush=True)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    return 1 if failed else 0


def checks_of(module):
    """All check_… of a module's globals, in the order in which they are written."""
    return [value for name, value in module.items() if name.startswith("check_")]
