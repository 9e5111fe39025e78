"""`cay run` with a network, for tests: what works, what fails, and what is told.

    sandboxes = Sandboxes(cay, state, net.RESOLVER, net.certificate)
    sandboxes.works(["--net", "pypi"], "pip download x", says="x")
    sandboxes.fails(["--net", "npm"], "curl https://other.test", denied="other.test", reason="no rule")
"""

import json
import os
import subprocess

TRUST = "/tmp/ca.pem"
# As many programs as there are ways of being told whom to trust.
TRUSTING = [f"{name}={TRUST}" for name in ("SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "PIP_CERT", "GIT_SSL_CAINFO",
                                           "NODE_EXTRA_CA_CERTS", "npm_config_cafile")]


class Broken(Exception):
    pass


def expect(condition, what):
    if not condition:
        raise Broken(what)


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
        as_user = ["setpriv", f"--reuid={self.uid}", f"--regid={self.uid}", "--clear-groups"] if self.uid else []
        done = subprocess.run(as_user + arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, input=stdin,
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
