"""A Docker daemon of the test's own: with a directory, a socket and a network namespace that nobody else has, so that it changes
nothing of the machine.

    with Docker(directory) as docker:
        docker.run("load", "-i", "image.tar")
"""

import os
import shutil
import subprocess
import time


def is_here():
    return shutil.which("dockerd") is not None and shutil.which("docker") is not None and shutil.which("unshare") is not None


class Docker:
    def __init__(self, directory, driver="vfs", own_network=True):
        self.directory, self.driver, self.own_network = directory, driver, own_network
        self.host = f"unix://{directory}/socket"

    def __enter__(self):
        os.makedirs(self.directory)
        self.log_path = os.path.join(self.directory, "log")
        daemon = ["dockerd", "--data-root", f"{self.directory}/data", "--exec-root", f"{self.directory}/exec", "--pidfile", f"{self.directory}/pid",
                  "--host", self.host, "--iptables=false", "--ip6tables=false", "--bridge=none", f"--storage-driver={self.driver}"]
        with open(self.log_path, "w") as log:
            self.process = subprocess.Popen(["unshare", *(["--net"] if self.own_network else []), "--mount", *daemon], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + 60
        while subprocess.run(["docker", "--host", self.host, "version"], capture_output=True).returncode != 0:
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.__exit__()
                with open(self.log_path) as log:
                    raise RuntimeError("dockerd does not answer: " + log.read()[-2000:])
            time.sleep(0.1)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def run(self, *arguments, **more):
        done = subprocess.run(["docker", "--host", self.host, *arguments], capture_output=True, timeout=120, **more)
        if done.returncode != 0:
            raise RuntimeError(f"docker {arguments}: {done.stderr.decode()}")
        return done.stdout
