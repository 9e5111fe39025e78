"""Names in sandboxes whose names are answered by their own servers (--dns real).

    names_test.py --cay PROGRAM [--only NAME …] [--user UID …]
"""

import os
import sys

from sandboxes import checks_of, describe, expect, run_checks

HERE = os.path.dirname(os.path.abspath(__file__))
INSIDE = ["--copy", f"{os.path.join(HERE, 'asker.py')}:/tmp/asker.py"]
REAL = ["--dns", "real", "--allow", "allowed.test:443", "--allow", "*.allowed.test"]


def ask(sandboxes, network, *questions):
    """The answers, each a line."""
    command = "; ".join(f"python3 /tmp/asker.py {question}" for question in questions)
    result = sandboxes.run(network, command, extra=INSIDE)
    lines = result["stdout"].splitlines()
    expect(len(lines) == len(questions), f"{questions}: {describe(result)}")
    return lines, result


def check_answers(sandboxes, net):
    answers, _ = ask(sandboxes, REAL, "allowed.test A", "allowed.test AAAA", "allowed.test MX", "allowed.test TXT",
                     "_sip._tcp.allowed.test SRV", "allowed.test MX tcp", "allowed.test HTTPS", "nobody.allowed.test TXT",
                     "nobody.allowed.test A")
    expect(answers == [f"0 {net.SERVER}", f"0 {net.SERVER_V6}", "0 10 mail.allowed.test 20 other.test", "0 one|two three",
                       "0 1 2 5060 sip.allowed.test", "0 10 mail.allowed.test 20 other.test", "0", "3", "3"], f"{answers}")


def check_back(sandboxes, net):
    backwards = ".".join(reversed(net.SERVER.split("."))) + ".in-addr.arpa"
    answers, _ = ask(sandboxes, REAL, f"{backwards} PTR", "allowed.test A", f"{backwards} PTR")
    expect(answers == ["3", f"0 {net.SERVER}", "0 allowed.test"], f"{answers}")


def check_denied(sandboxes, net):
    before = len(net.questions())
    answers, result = ask(sandboxes, REAL, "hidden.test A", "hidden.test TXT", "secret-data.hidden.test MX")
    expect(answers == ["3", "3", "3"], f"{answers}")
    expect(len(net.questions()) == before, f"questions left: {net.questions()[before:]}")
    told = {flow["name"] for flow in result["network_denied"]}
    expect(told == {"hidden.test", "secret-data.hidden.test"}, f"{told}")


def check_hidden_addresses(sandboxes, _net):
    answers, result = ask(sandboxes, REAL, "inner.allowed.test A", "mixed.allowed.test A")
    expect(answers == ["0", f"0 {_net.SERVER}"], f"{answers}")
    reasons = [flow["reason"] for flow in result["network_denied"] if flow["name"] == "inner.allowed.test"]
    expect(any("private" in reason for reason in reasons), f"{result['network_denied']}")
    answers, _ = ask(sandboxes, REAL + ["--allow", "10.1.2.0/24:80"], "inner.allowed.test A")
    expect(answers == ["0 10.1.2.3"], f"a range that a rule names is hidden: {answers}")


def check_connections(sandboxes, net):
    curl = "curl -sS --cacert /tmp/ca.pem https://allowed.test/hello"
    sandboxes.works(REAL, curl, says="hello")
    # The address alone is nobody's, before a name was answered with it and after; nor is another port.
    sandboxes.fails(REAL, f"curl -sSk https://{net.SERVER}/hello", denied=net.SERVER, reason="no rule")
    sandboxes.fails(REAL, f"{curl} && curl -sSk --resolve hidden.test:443:{net.SERVER} https://hidden.test/hello",
                    denied="allowed.test", reason="hidden.test")
    sandboxes.fails(REAL, "curl -sS http://allowed.test/hello", denied="allowed.test", reason="no rule")
    # A machine that serves two names of the policy is reached by both, whichever was asked for last.
    both = REAL + ["--allow", "second.test:443"]
    sandboxes.works(both, f"getent hosts allowed.test second.test; {curl}; "
                          "curl -sS --cacert /tmp/ca.pem https://second.test/hello", says="hello\nhello")


def check_pinned_address_is_dialled(sandboxes, net):
    # Its name server says another address each time: the one that was told is the one that is dialled.
    result = sandboxes.works(["--dns", "real", "--allow", "turning.test:2222"],
                             "a=$(getent ahostsv4 turning.test | awk 'NR==1{print $1}'); "
                             "exec 3<>/dev/tcp/$a/2222; head -1 <&3; echo $a", says="220 hello")
    expect(result["stdout"].split()[-1] in (net.SERVER, net.OTHER), describe(result))


def check_names_stand_for_addresses_otherwise(sandboxes, net):
    before = len(net.questions())
    answers, _ = ask(sandboxes, ["--allow", "allowed.test"], "allowed.test A", "allowed.test MX", "allowed.test TXT",
                     "allowed.test AAAA")
    expect(answers[0].startswith("0 198.18.") and answers[1:] == ["0", "0", "0"], f"{answers}")
    expect(len(net.questions()) == before, "a question left before there was a connection")


def check_floods(sandboxes, _net):
    # More questions than may be open at a time are answered with a failure, and then all is as before.
    flood = ("import socket, struct; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
             "for i in range(3000):\n"
             "    n = b'x%d' % i\n"
             "    q = struct.pack('>HHHHHH', i, 256, 1, 0, 0, 0) + bytes([len(n)]) + n + b'\\x07allowed\\x04test\\x00' + struct.pack('>HH', 16, 1)\n"
             "    s.sendto(q, ('127.0.0.1', 53))\n")
    result = sandboxes.run(REAL, "python3 -c \"$FLOOD\"; sleep 1; python3 /tmp/asker.py allowed.test TXT",
                           extra=INSIDE + ["-e", f"FLOOD={flood}"])
    expect(result["stdout"].splitlines() == ["0 one|two three"], describe(result))


def prepare(net):
    net.names.update({"allowed.test": [net.SERVER, net.SERVER_V6], "hidden.test": [net.SERVER], "second.test": [net.SERVER],
                      "inner.allowed.test": ["10.1.2.3"], "mixed.allowed.test": ["10.1.2.3", net.SERVER, "169.254.169.254"],
                      "turning.test": [[net.SERVER], [net.OTHER]]})
    net.records.update({"allowed.test": {"MX": [[10, "mail.allowed.test"], [20, "other.test"]], "TXT": [["one", "two three"]]},
                        "_sip._tcp.allowed.test": {"SRV": [[1, 2, 5060, "sip.allowed.test"]]}})
    for name in ("allowed.test", "second.test"):
        with open(os.path.join(net.site(name), "hello"), "w") as file:
            file.write("hello\n")


if __name__ == "__main__":
    sys.exit(run_checks(__doc__, checks_of(globals()), prepare))
