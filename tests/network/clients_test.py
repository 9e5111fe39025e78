#!/usr/bin/env python3
"""Real clients in sandboxes against real servers, by the policies of `cay run`: what a policy allows works as it is, and
what it does not is refused, with the reason. As root and as an ordinary user.

Its internet is its own (internet.py). Exits with 77 where that cannot be made.
"""

import base64
import glob
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import internet  # noqa: E402
from sandboxes import TRUST, checks_of, describe, expect, run_checks  # noqa: E402



def presets():
    """The names of each preset's rules, from the program's own data."""
    found = {}
    name = None
    path = os.path.join(HERE, "..", "..", "src", "network", "policy", "presets.txt")
    for line in open(path):
        line = line.split("#")[0].rstrip()
        if re.match(r"^[a-z-]+:", line):
            name = line.split(":")[0]
            found[name] = []
        elif name and line.strip() and line.strip()[0] not in "=~":
            found[name] += [rule.rsplit(":", 1)[0] for rule in line.split()]
    return found


NAMES = presets()


def write(directory, path, content):
    full = os.path.join(directory, path)
    os.makedirs(os.path.dirname(full), exist_ok=True)
    with open(full, "wb" if isinstance(content, bytes) else "w") as file:
        file.write(content)
    return full


# Registries, each with one package named demo.


def make_pypi(net):
    index, files = NAMES["pypi"][0], NAMES["pypi"][1]
    wheel = "demo-1.0-py3-none-any.whl"
    path = os.path.join(net.site(files), wheel)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("demo.py", "print('a wheel from afar')\n")
        archive.writestr("demo-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n")
        archive.writestr("demo-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nGenerator: a test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr("demo-1.0.dist-info/RECORD", "demo.py,,\ndemo-1.0.dist-info/METADATA,,\ndemo-1.0.dist-info/WHEEL,,\n"
                         "demo-1.0.dist-info/RECORD,,\n")
    digest = hashlib.sha256(open(path, "rb").read()).hexdigest()
    write(net.site(index), "simple/demo/index.html", f'<!DOCTYPE html><a href="https://{files}/{wheel}#sha256={digest}">{wheel}</a>\n')


def make_npm(net):
    registry = NAMES["npm"][0]
    site = net.site(registry)
    tarball = os.path.join(site, "demo-1.0.0.tgz")
    with tempfile.TemporaryDirectory() as work:
        write(work, "package/package.json", json.dumps({"name": "demo", "version": "1.0.0", "main": "index.js"}))
        write(work, "package/index.js", "console.log('a module from afar')\n")
        with tarfile.open(tarball, "w:gz") as archive:
            archive.add(os.path.join(work, "package"), "package")
    digest = base64.b64encode(hashlib.sha512(open(tarball, "rb").read()).digest()).decode()
    version = {"name": "demo", "version": "1.0.0", "main": "index.js",
               "dist": {"tarball": f"https://{registry}/demo-1.0.0.tgz", "integrity": f"sha512-{digest}"}}
    write(site, "demo", json.dumps({"name": "demo", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": version}}))


def make_git(net):
    site = net.site(NAMES["github"][0])
    with tempfile.TemporaryDirectory() as work:
        write(work, "README", "a repository from afar\n")
        git = ["git", "-C", work, "-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main"]
        for arguments in (["init", "-q"], ["add", "README"], ["commit", "-q", "-m", "one"]):
            subprocess.run(git + arguments, check=True)
        bare = os.path.join(site, "someone", "demo.git")
        subprocess.run(["git", "clone", "-q", "--bare", work, bare], check=True)
        subprocess.run(["git", "-C", bare, "update-server-info"], check=True)


def make_debian(net):
    site = os.path.join(net.site(NAMES["debian"][0]), "debian")
    with tempfile.TemporaryDirectory() as work:
        write(work, "DEBIAN/control", "Package: demo\nVersion: 1.0\nArchitecture: all\nMaintainer: a <a@b>\nDescription: from afar\n")
        deb = os.path.join(site, "demo_1.0_all.deb")
        os.makedirs(site, exist_ok=True)
        subprocess.run(["dpkg-deb", "--build", "--root-owner-group", work, deb], check=True, stdout=subprocess.DEVNULL)
    content = open(deb, "rb").read()
    packages = ("Package: demo\nVersion: 1.0\nArchitecture: all\nMaintainer: a <a@b>\nFilename: demo_1.0_all.deb\n"
                f"Size: {len(content)}\nSHA256: {hashlib.sha256(content).hexdigest()}\nDescription: from afar\n")
    write(site, "Packages", packages)


def make_go(net):
    site = net.site(NAMES["go"][0])
    module = "example.test/demo"
    base = f"{module}/@v"
    write(site, f"{base}/list", "v1.0.0\n")
    write(site, f"{base}/v1.0.0.info", '{"Version":"v1.0.0","Time":"2024-01-01T00:00:00Z"}')
    write(site, f"{base}/v1.0.0.mod", f"module {module}\n")
    with zipfile.ZipFile(os.path.join(site, base, "v1.0.0.zip"), "w") as archive:
        archive.writestr(f"{module}@v1.0.0/go.mod", f"module {module}\n")
        archive.writestr(f"{module}@v1.0.0/demo.go", "package demo\n\nconst From = \"afar\"\n")


# What is tried.


def check_pip(sandboxes, _net):
    if not glob.glob("/usr/share/python-wheels/pip*.whl") and not glob.glob("/usr/lib/python3*/ensurepip/_bundled/pip*.whl"):
        return "python3-venv is not installed"
    install = ("/usr/bin/python3 -m venv v && v/bin/pip install -q --disable-pip-version-check --retries 0 demo && v/bin/python -c 'import demo'")
    sandboxes.works(["--net", "pypi"], install, "a wheel from afar")
    sandboxes.works(["--net", "packages"], install, "a wheel from afar")
    sandboxes.fails(["--net", "npm"], install, denied=NAMES["pypi"][0], reason="no rule allows it")
    sandboxes.fails(["--allow", f"{NAMES['pypi'][0]}:443"], install, denied=NAMES["pypi"][1])
    return None


def check_npm(sandboxes, _net):
    if shutil.which("npm", path="/usr/bin") is None:
        return "npm is not installed"
    install = "npm install --no-audit --no-fund --no-update-notifier --fetch-retries=0 demo >&2 && node -e 'require(\"demo\")'"
    sandboxes.works(["--net", "npm"], install, "a module from afar")
    sandboxes.fails(["--net", "pypi"], install, denied=NAMES["npm"][0])
    return None


def check_git(sandboxes, _net):
    if shutil.which("git", path="/usr/bin") is None:
        return "git is not installed"
    clone = f"git clone -q https://{NAMES['github'][0]}/someone/demo.git && cat demo/README"
    sandboxes.works(["--net", "github"], clone, "a repository from afar")
    sandboxes.fails(["--net", "pypi,npm"], clone, denied=NAMES["github"][0])
    return None


def check_apt(sandboxes, _net):
    get = (f"mkdir -p a/state/lists/partial a/cache/archives/partial && echo 'deb [trusted=yes] http://{NAMES['debian'][0]}/debian ./' > a/sources && "
           "apt-get -o Dir::State=$PWD/a/state -o Dir::State::Status=/dev/null -o Dir::Cache=$PWD/a/cache -o Dir::Etc::SourceList=$PWD/a/sources "
           "-o Dir::Etc::SourceParts=- -o Acquire::Retries=0 -o APT::Sandbox::User= ")
    both = get + "update >&2 && " + get.split("&& ")[-1] + "download demo >&2 && ls"
    sandboxes.works(["--net", "debian"], both, "demo_1.0_all.deb", extra=["--env", "APT_CONFIG=/dev/null"])
    result = sandboxes.run(["--net", "npm"], both, extra=["--env", "APT_CONFIG=/dev/null"])
    expect("demo_1.0_all.deb" not in result["stdout"], f"apt-get got what it may not: {describe(result)}")
    return None


def check_go(sandboxes, _net):
    if not os.access("/usr/local/go/bin/go", os.X_OK):
        return "go is not installed"
    get = ("export PATH=/usr/local/go/bin:$PATH GOFLAGS=-mod=mod GONOSUMDB='*' GOTOOLCHAIN=local HOME=$PWD && go mod init mine 2>/dev/null && "
           "go get example.test/demo@v1.0.0 >&2 && go list -m all")
    sandboxes.works(["--net", "go"], get, "example.test/demo v1.0.0", timeout="120s")
    sandboxes.fails(["--net", "npm"], get, denied=NAMES["go"][0], timeout="120s")
    return None


def check_node(sandboxes, _net):
    if shutil.which("node", path="/usr/bin") is None:
        return "node is not installed"
    fetch = "node -e 'fetch(\"https://allowed.test/hello\").then(r=>r.text()).then(console.log,e=>{console.error(e);process.exit(1)})'"
    sandboxes.works(["--allow", "allowed.test"], fetch, "hello from allowed.test")
    sandboxes.fails(["--allow", "other.test"], fetch, denied="allowed.test")
    return None


def check_java(sandboxes, _net):
    if shutil.which("java", path="/usr/bin") is None:
        return "java is not installed"
    program = ("import java.net.*; public class Get { public static void main(String[] a) throws Exception { "
               "System.out.write(new URL(a[0]).openStream().readAllBytes()); System.out.flush(); } }")
    get = f"cat > Get.java <<'EOF'\n{program}\nEOF\njava Get.java http://allowed.test/hello"
    sandboxes.works(["--allow", "allowed.test:80"], get, "hello from allowed.test", timeout="120s")
    sandboxes.fails(["--allow", "other.test:80"], get, denied="allowed.test", timeout="120s")
    return None


def check_names(sandboxes, _net):
    """What rules of names, ports and modes mean, with curl."""
    get = "curl -sSf -m 10 https://allowed.test/hello"
    sandboxes.works(["--allow", "allowed.test"], get, "hello from allowed.test")
    sandboxes.works(["--allow", "*.allowed.test"], get.replace("allowed", "sub.allowed"), "hello from sub.allowed.test")
    sandboxes.works(["--net", "open"], get, "hello from allowed.test")
    sandboxes.works(["--net", "open"], "curl -sSf -m 10 http://v6.test/hello", "hello from v6.test")
    sandboxes.works(["--allow", "allowed.test:2222"], "exec 3<>/dev/tcp/allowed.test/2222; read -r line <&3; echo \"$line\"", "220 hello")
    sandboxes.fails(["--allow", "allowed.test:80"], get, denied="allowed.test", reason="no rule allows it")
    sandboxes.fails(["--allow", "*.allowed.test"], get, denied="allowed.test")
    sandboxes.fails(["--net", "open", "--deny", "allowed.test"], get, denied="allowed.test", reason="denies")
    sandboxes.fails(["--allow", "missing.test"], get.replace("allowed", "missing"), denied="missing.test")
    return None


def check_addresses(sandboxes, _net):
    """Addresses that a program names itself."""
    get = f"curl -sSf -m 10 -H 'Host: allowed.test' http://{internet.Internet.SERVER}/hello"
    sandboxes.works(["--allow", f"{internet.Internet.SERVER}:80"], get, "hello from allowed.test")
    sandboxes.works(["--allow", "93.184.0.8/29"], get, "hello from allowed.test")
    sandboxes.works(["--net", "open"], get, "hello from allowed.test")
    sandboxes.fails(["--allow", "93.184.0.0/29"], get, denied=internet.Internet.SERVER)
    sandboxes.fails(["--allow", f"{internet.Internet.SERVER}:443"], get, denied=internet.Internet.SERVER)
    sandboxes.fails(["--allow", "allowed.test"], get, denied=internet.Internet.SERVER)
    sandboxes.works(["--allow", "10.1.2.0/24:80"], "curl -sSf -m 10 -H 'Host: allowed.test' http://10.1.2.3/hello", "hello")
    return None


def check_forbidden(sandboxes, _net):
    """What is never reached, in whatever way it is written."""
    spellings = ["169.254.169.254", "2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "169.16689662", "[::ffff:169.254.169.254]",
                 "[64:ff9b::a9fe:a9fe]", "10.1.2.3", "100.64.0.1", internet.Internet.MACHINE, f"[{internet.Internet.MACHINE_V6}]"]
    for spelling in spellings:
        sandboxes.fails(["--net", "open"], f"curl -g -sS -m 10 -H 'Host: allowed.test' http://{spelling}/hello -o out; grep -q hello out")
    for name in ("metadata.test", "private.test", "shared.test", "loopback.test", "machine.test", "mapped.test"):
        for network in (["--net", "open"], ["--allow", name]):
            sandboxes.fails(network, f"curl -sSf -m 10 http://{name}/hello", denied=name)
    for _ in range(3):  # the second answer of its name server is a private address: it is never dialled
        result = sandboxes.run(["--net", "open"], "for i in 1 2 3 4; do curl -sS -m 10 -H 'Host: rebind.test' http://rebind.test/hello; done")
        expect("secret" not in result["stdout"], f"a name that was bound anew led inside: {describe(result)}")
    # A rule for a wider range is none for the metadata of clouds.
    sandboxes.fails(["--allow", "169.254.0.0/16"], "curl -sSf -m 10 http://169.254.169.254/hello", denied="169.254.169.254")
    return None


def check_fronting(sandboxes, _net):
    """An allowed name is no way to another one of the same server."""
    hello = "echo | openssl s_client -connect allowed.test:443 -servername {} -CAfile " + TRUST + " 2>&1 | grep -q 'BEGIN CERTIFICATE'"
    sandboxes.works(["--allow", "allowed.test"], hello.format("allowed.test"))
    sandboxes.fails(["--allow", "allowed.test"], hello.format("other.test"), denied="allowed.test", reason="other.test")
    sandboxes.fails(["--allow", "allowed.test"], hello.replace("-servername {}", "-noservername"), denied="allowed.test", reason="no name")
    fronted = "curl -sS -m 10 -H 'Host: other.test' http://allowed.test/hello"
    result = sandboxes.run(["--allow", "allowed.test"], fronted)
    expect("does not allow" in result["stdout"], f"a request for another host was let through: {describe(result)}")
    sandboxes.works(["--net", "open", "--deny", "other.test"], "curl -sSf -m 10 https://allowed.test/hello", "hello")
    by_address = f"curl -sSf -m 10 --resolve other.test:443:{internet.Internet.SERVER} https://other.test/hello"
    sandboxes.works(["--net", "open"], by_address, "hello from other.test")
    sandboxes.fails(["--net", "open", "--deny", "other.test"], by_address, denied="other.test", reason="denies")
    return None


def check_questions(sandboxes, net):
    """No question for a name that is not allowed leaves, whatever it carries."""
    secret = "c2VjcmV0" * 6
    before = len(net.questions())
    sandboxes.works(["--allow", "allowed.test"], f"getent hosts {secret}.tunnel.test; getent hosts {secret}.allowed.test; getent hosts allowed.test")
    sandboxes.works(["--net", "open"], f"getent hosts {secret}.tunnel.test")
    asked = net.questions()[before:]
    expect(not asked, f"names were asked for although nothing was connected to: {asked}")
    return None


def check_proxy(sandboxes, net):
    """A proxy connects by name; what it may be asked for, the policy says, and who speaks to it is Cay alone."""
    server = internet.Internet.OTHER  # not where the sites are: a proxy's own addresses are not reached
    proxy = {"CAY_NETWORK_PROXY": f"http://me:hunter2@{server}:3128"}
    get = "curl -sSf -m 20 http://behind.test/hello"
    sandboxes.fails(["--allow", "behind.test"], get, denied="behind.test")  # its name server gives no address
    sandboxes.works(["--allow", "behind.test"], get, "hello from behind.test", environment=proxy)
    sandboxes.works(["--allow", "allowed.test"], "curl -sSf -m 20 https://allowed.test/hello", "hello from allowed.test", environment=proxy)
    banner = "exec 3<>/dev/tcp/behind.test/2222; read -t 20 line <&3; echo $line"
    sandboxes.works(["--allow", "behind.test"], banner, "220 hello", environment=proxy)
    expect("behind.test:2222" in net.proxied(), f"the proxy was asked for: {net.proxied()}")
    before = len(net.proxied())
    sandboxes.fails(["--allow", "allowed.test"], get, denied="behind.test", reason="no rule", environment=proxy)
    sandboxes.fails(["--net", "open"], "curl -sSf -m 10 http://169.254.169.254/hello", denied="169.254.169.254", environment=proxy)
    sandboxes.fails(["--net", "open"], f"curl -sSf -m 10 -p -x http://{server}:3128 http://behind.test/hello", denied=server,
                    reason="this machine's proxy", environment=proxy)
    direct = {**proxy, "CAY_NETWORK_NO_PROXY": "allowed.test *.nothing.test"}
    sandboxes.works(["--allow", "allowed.test"], "curl -sSf -m 20 http://allowed.test/hello", "hello from allowed.test", environment=direct)
    expect(len(net.proxied()) == before, f"the proxy was asked for what it must not be: {net.proxied()[before:]}")
    wrong = {"CAY_NETWORK_PROXY": f"http://me:tops3cret@{server}:3128"}
    result = sandboxes.fails(["--allow", "behind.test"], get, denied="behind.test", reason="user name and password", environment=wrong)
    expect("tops3cret" not in json.dumps(result), f"a password was told: {describe(result)}")
    return None


def prepare(net):
    for name in ("allowed.test", "other.test", "sub.allowed.test"):
        net.names[name] = [net.SERVER]
    net.names["v6.test"] = [net.SERVER_V6]
    net.names["behind.test"] = []  # only the proxy knows where it is
    net.names.update({"metadata.test": ["169.254.169.254"], "private.test": ["10.1.2.3"], "shared.test": ["100.64.0.1"],
                      "loopback.test": ["127.0.0.1", "::1"], "machine.test": [net.MACHINE], "mapped.test": ["::ffff:10.1.2.3"],
                      "rebind.test": [[net.SERVER], ["10.1.2.3"]]})
    for preset in ("pypi", "npm", "github", "debian", "go"):
        for name in NAMES[preset]:
            net.names[name.lstrip("*.")] = [net.SERVER]
    for name in net.names:
        write(net.site(name), "hello", f"hello from {name}\n")
    for make in (make_pypi, make_npm, make_git, make_debian, make_go):
        make(net)


if __name__ == "__main__":
    sys.exit(run_checks(__doc__, checks_of(globals()), prepare))
