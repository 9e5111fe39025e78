"""Registries of packages on this machine: an index for pip (PEP 503) and a registry for npm, with packages made here."""

import base64
import hashlib
import http.server
import io
import json
import tarfile
import threading
import zipfile


def tar_gz(files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text.encode())
            archive.addfile(info, io.BytesIO(text.encode()))
    return out.getvalue()


def wheel(name, version, module, script=None):
    """A wheel with one module, and maybe a program of that name."""
    out = io.BytesIO()
    about = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(f"{name}.py", module)
        archive.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        archive.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        if script:
            archive.writestr(f"{about}/entry_points.txt", f"[console_scripts]\n{script} = {name}:main\n")
        archive.writestr(f"{about}/RECORD", "")
    return f"{name}-{version}-py3-none-any.whl", out.getvalue()


BACKEND = """
import os, zipfile
{attack}
def get_requires_for_build_wheel(settings=None):
    return []
def build_wheel(directory, settings=None, metadata=None):
    about = "{name}-{version}.dist-info"
    file = "{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(directory, file), "w") as archive:
        archive.writestr("{name}.py", "SAW = " + repr(SAW))
        archive.writestr(about + "/METADATA", "Metadata-Version: 2.1\\nName: {name}\\nVersion: {version}\\n")
        archive.writestr(about + "/WHEEL", "Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        archive.writestr(about + "/RECORD", "")
    return file
"""


def sdist(name, version, attack):
    """A source package whose own code builds it; `attack` is run then, and leaves in SAW what it found."""
    top = f"{name}-{version}"
    return f"{top}.tar.gz", tar_gz({
        f"{top}/pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n',
        f"{top}/PKG-INFO": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{top}/backend.py": BACKEND.format(name=name, version=version, attack=attack)})


class Index:
    """Serves on loopback; asked() are the paths that were asked for since the last time."""

    def __init__(self):
        index = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                index.paths.append(self.path)
                if index.gate:
                    index.gate.wait(60)
                found = index.answer(self.path)
                self.send_response(200 if found else 404)
                kind, body = found or ("text/plain", b"nothing")
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.paths, self.files, self.npm, self.gate = [], {}, {}, None
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.place = f"host.cay.internal:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def asked(self):
        paths, self.paths = self.paths, []
        return paths

    def add(self, package):
        self.files[package[0]] = package[1]

    def add_npm(self, name, version, files):
        about = {"name": name, "version": version, **files.pop("package.json", {})}
        packed = tar_gz({"package/package.json": json.dumps(about), **{f"package/{path}": text for path, text in files.items()}})
        self.npm.setdefault(name, {})[version] = (about, packed)

    def variables(self):
        return [f"PIP_INDEX_URL=http://{self.place}/simple/", "PIP_TRUSTED_HOST=host.cay.internal", "PIP_RETRIES=0", "PIP_TIMEOUT=10",
                f"NPM_CONFIG_REGISTRY=http://{self.place}/npm/", "NPM_CONFIG_FETCH_RETRIES=0"]

    def answer(self, path):
        if path.startswith("/simple/"):
            name = path.split("/")[2]
            files = [file for file in self.files if file.startswith(name + "-")]
            if not files:
                return None
            return "text/html", "".join(f'<a href="/files/{file}">{file}</a>\n' for file in files).encode()
        if path.startswith("/files/"):
            return ("application/octet-stream", self.files[path[7:]]) if path[7:] in self.files else None
        if path.startswith("/npm/-/"):
            name, _, version = path[7:].rpartition("@")
            return ("application/octet-stream", self.npm[name][version][1]) if version in self.npm.get(name, {}) else None
        name = path.removeprefix("/npm/")
        versions = self.npm.get(name)
        if not versions:
            return None
        return "application/json", json.dumps({
            "name": name, "dist-tags": {"latest": max(versions)},
            "versions": {version: {**about, "dist": {
                "tarball": f"http://{self.place}/npm/-/{name}@{version}",
                "integrity": "sha512-" + base64.b64encode(hashlib.sha512(packed).digest()).decode()}}
                for version, (about, packed) in versions.items()}}).encode()
