#!/usr/bin/env python3
"""Images as files, in and out, and what is around them: what skopeo, umoci, docker and a registry write becomes a template, and what
`cay template export` and `push` write is what they read. As root and as an ordinary user. Exits with 77 without the programs."""

import gzip
import hashlib
import io
import json
import os
import stat
import subprocess
import sys
import tarfile
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import docker as docker_peer  # noqa: E402
from checks import expect, try_checks  # noqa: E402
from images import Image, Registry, directory, digest_of, entry, file, removal, small_root, symlink  # noqa: E402
from world import USERS, World, options_where_there_are  # noqa: E402

DAY = 24 * 3600


def with_attribute(made, name, value):
    made[0].pax_headers["SCHILY.xattr." + name] = value
    return made


def varied():
    """What a layer can hold: owners, modes, times, links, attributes, removals of every kind, long names."""
    image = Image(Env=["PATH=/bin", "GREETING=good morning"], WorkingDir="/data", User="app", Cmd=["sh"], Entrypoint=["/bin/env"],
                  Labels={"org.example.note": "of the test"})
    long_name = "data/" + "/".join(["x" * 60] * 4) + "/end"
    image.layer(small_root() + [
        directory("data", uid=1000, gid=1000), file("data/owned", "o", uid=12, gid=34, mode=0o640), file("data/old", "of the first"),
        directory("data/emptied"), file("data/emptied/below", "hidden"), directory("real"), symlink("led", "real"),
        file("data/linked", "of two names"), entry("data/other", tarfile.LNKTYPE, target="data/linked"), directory("data/sticky", 0o1777),
        with_attribute(file("data/noted", "n"), "user.note", "of the test"), file(long_name, "deep"), symlink("data/dangling", "/nowhere/at all")])
    image.layer([removal("data/old"), file("data/new", "of the second")])
    image.layer([file("data/emptied/.wh..wh..opq", b""), file("data/emptied/above", "shown")])
    image.layer([file("led/through", "of a symlink")])
    return image


def skopeo(*arguments):
    subprocess.run(["skopeo", "--insecure-policy", "copy", "-q", "--dest-tls-verify=false", "--src-tls-verify=false", *arguments], check=True)


def tree_of(top):
    """Every path with all that a template keeps of it, hard links as groups of names."""
    tree, groups = {}, {}
    for parent, directories, names in os.walk(top):
        for name in directories + names:
            path = os.path.join(parent, name)
            info = os.lstat(path)
            what = [stat.S_IFMT(info.st_mode), stat.S_IMODE(info.st_mode), info.st_uid, info.st_gid]
            if stat.S_ISLNK(info.st_mode):
                what.append(os.readlink(path))
            if stat.S_ISREG(info.st_mode):
                with open(path, "rb") as content:
                    what.append(hashlib.sha256(content.read()).hexdigest())
                if info.st_nlink > 1:
                    groups.setdefault(info.st_ino, []).append(os.path.relpath(path, top))
            if not stat.S_ISLNK(info.st_mode):
                what += [(each, os.getxattr(path, each)) for each in sorted(os.listxattr(path)) if each.startswith("user.") and "overlay" not in each
                         and "rootlesscontainers" not in each and not each.startswith("user.umoci")]
            if not stat.S_ISDIR(info.st_mode):
                what.append(info.st_mtime_ns)
            tree[os.path.relpath(path, top)] = what
    for names in groups.values():
        for name in names:
            tree[name].append(sorted(names))
    return tree


def unpacked(layout, name, place):
    """The tree that umoci makes of an image of a layout."""
    subprocess.run(["umoci", "unpack", "--image", f"{layout}:{name}", place], check=True, capture_output=True)
    return tree_of(os.path.join(place, "rootfs"))


def compare(one, other):
    wrong = [f"{path}: {one.get(path)} and {other.get(path)}" for path in sorted(set(one) | set(other)) if one.get(path) != other.get(path)]
    expect(not wrong, "; ".join(wrong[:5]))


class Files(World):
    """With a directory for what is written."""

    def __init__(self, cay, uid, place, registry, daemon):
        super().__init__(cay, uid, place, registry)
        self.docker = daemon
        self.place = os.path.join(place, f"files-{uid}")
        os.makedirs(self.place)
        os.chown(self.place, uid, uid)
        self.count = 0

    def at(self, name):
        self.count += 1
        return os.path.join(self.place, f"{self.count}-{name}")

    def layout(self, image):
        path = self.at("layout")
        image.write_layout(path)
        return path

    def give(self, path, content):
        with open(path, "wb") as out:
            out.write(content)
        return path

    def feed(self, path, *arguments):
        with open(path, "rb") as content:
            done = subprocess.run(self.command(*arguments), env=self.environment, stdin=content, capture_output=True, text=True, timeout=120)
        expect(done.returncode == 0, f"{arguments}: {done.stderr}")
        return done.stdout


def is_varied(world, name):
    told = world.inside(name, "echo $GREETING; pwd; id -u; cat /data/new /data/emptied/above /real/through; test -e /data/old || echo gone; ls /data/emptied")
    expect(told.split("\n") == ["good morning", "/data", "1000", "of the secondshownof a symlinkgone", "above", ""], told)


def what_others_write_becomes_a_template(world):
    layout = world.layout(varied())
    saved, archive = world.at("saved.tar"), world.at("archive.tar")
    skopeo(f"oci:{layout}:image", f"docker-archive:{saved}:team/app:1.2")
    skopeo(f"oci:{layout}:image", f"oci-archive:{archive}:image")
    packed = world.at("packed")
    with open(saved, "rb") as plain:
        world.give(packed, gzip.compress(plain.read(), 1))
    for source, what in ((saved, "a docker archive"), (archive, "an OCI archive"), (layout, "an OCI layout"), (packed, "a docker archive")):
        said = world.run("template", "import", "--replace", "there", source)
        expect(f"{what} of 4 layers" in said, said)
        is_varied(world, "there")
    for source in (saved, packed):
        said = world.feed(source, "template", "import", "--replace", "there", "-")
        expect("a docker archive of 4 layers" in said, said)
        is_varied(world, "there")
    expect(not world.blobs(), f"nothing of it is left: {world.blobs()}")
    listed = world.templates()["there"]
    expect(listed["user"] == "app" and listed["source"] == "-", f"{listed}")
    world.run("template", "rm", "there")


def one_of_several_images_is_chosen(world):
    first, second = world.layout(Image(Cmd=["sh"]).layer(small_root() + [file("which", "first")])), world.layout(
        Image(Cmd=["sh"]).layer(small_root() + [file("which", "second")]))
    both = world.at("both")
    for layout, tag in ((first, "1"), (second, "2")):
        skopeo(f"oci:{layout}:image", f"oci:{both}:{tag}")
    said = world.run("template", "import", "several", both, code=125)
    expect("several images: 1, 2" in said and "--tag 1" in said, said)
    world.run("template", "import", "--tag", "2", "several", both)
    expect(world.inside("several", "cat /which") == "second", "the one that was named")
    expect('no image "3"' in world.run("template", "import", "--replace", "--tag", "3", "several", both, code=1), "there is none")
    said = world.run("template", "import", "--replace", "--platform", "linux/s390x", "--tag", "1", "several", both, code=1)
    expect("s390x" in said, said)
    world.run("template", "rm", "several")


def hostile_archives_leave_nothing(world):
    image = varied()
    kept = world.layers()
    layout = world.layout(image)
    blobs = os.path.join(layout, "blobs", "sha256")
    for digest in (image.layers[0]["digest"], image.layers[-1]["digest"]):
        path = os.path.join(blobs, digest.split(":")[1])
        with open(path, "rb") as content:
            whole = content.read()
        world.give(path, whole[:-1] + bytes([whole[-1] ^ 1]))
        said = world.run("template", "import", "bad", layout, code=125)
        expect("digest" in said or "gzip" in said, said)
        world.give(path, whole[:-9])
        expect("bytes, and not" in world.run("template", "import", "bad", layout, code=125), "it is cut")
        os.unlink(path)
        expect("has no" in world.run("template", "import", "bad", layout, code=125), "it is missing")
        world.give(path, whole)
    # The stored bytes are what they should be, and what is in them is not.
    wrong = Image(Cmd=["sh"]).layer(small_root())
    wrong.diff_ids = [digest_of(b"another")]
    said = world.run("template", "import", "bad", world.layout(wrong), code=125)
    expect("digest of its content" in said, said)
    expect("bad" not in world.templates() and world.layers() == kept, "nothing is kept of any")
    expect(not world.blobs(), f"{world.blobs()}")


def what_is_exported_is_what_others_read(world):
    source = world.layout(varied())
    world.run("template", "import", "there", source)
    written = world.at("written")
    world.run("template", "export", "-q", "--format", "oci-dir", "there", written)
    if not world.uid:  # an ordinary user's layers do not know other owners
        compare(unpacked(source, "image", world.at("from")), unpacked(written, "latest", world.at("to")))
    for form, transport in (("docker", "docker-archive"), ("oci", "oci-archive")):
        path, again = world.at("exported.tar"), world.at("again")
        world.run("template", "export", "-q", "--tag", "team/app:7", "--format", form, "there", path)
        skopeo(f"{transport}:{path}", f"oci:{again}:copied")
        inspected = json.loads(subprocess.run(["skopeo", "inspect", "--config", f"{transport}:{path}"], check=True, capture_output=True).stdout)
        expect(inspected["config"]["Env"] == ["PATH=/bin", "GREETING=good morning"] and inspected["config"]["User"] == "app"
               and inspected["config"]["Entrypoint"] == ["/bin/env"] and inspected["config"]["Labels"] == {"org.example.note": "of the test"}, f"{inspected}")
        compare(unpacked(written, "latest", world.at("to")), unpacked(again, "copied", world.at("to")))
        world.run("template", "import", "--replace", "back", path)
        is_varied(world, "back")
        expect(world.inside("back", "stat -c '%h %a' /data/linked /data/sticky") == "2 644\n2 1777\n", "links and modes")
    world.run("template", "export", "-q", "--compression", "zstd", "there", world.at("zstd.tar"))
    world.run("template", "rm", "there", "back")


def a_way_out_and_in_again_changes_nothing(world):
    world.run("template", "import", "there", world.layout(varied()))
    one, two = world.at("one.tar"), world.at("two.tar")
    world.run("template", "export", "-q", "--tag", "same:1", "there", one)
    world.run("template", "import", "back", one)
    world.run("template", "export", "-q", "--tag", "same:1", "back", two)
    world.run("template", "export", "-q", "--tag", "same:1", "there", world.at("again.tar"))
    again = os.path.join(world.place, f"{world.count}-again.tar")
    with open(one, "rb") as first, open(two, "rb") as second, open(again, "rb") as third:
        bytes_of = first.read()
        expect(bytes_of == third.read(), "the same template gives the same bytes")
        expect(bytes_of == second.read(), "and so does what came of them")
    done = subprocess.run(world.command("template", "export", "-q", "--tag", "same:1", "back", "-"), env=world.environment, capture_output=True, timeout=60)
    expect(done.stdout == bytes_of, "and standard output")
    world.run("template", "rm", "there", "back")


def a_root_filesystem_is_exported_as_one_layer(world):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for info, content in small_root() + [file("own", "mine")]:
            archive.addfile(info, io.BytesIO(content))
    world.run("template", "import", "root", world.give(world.at("root.tar"), buffer.getvalue()))
    path = world.at("image.tar")
    said = subprocess.run(world.command("template", "export", "root", path), env=world.environment, capture_output=True, text=True, timeout=60)
    expect(said.returncode == 0 and "1 layer," in said.stderr, said.stderr)
    world.run("template", "import", "back", path)
    expect(world.inside("back", "cat /own; pwd; id -u") == world.inside("root", "cat /own; pwd; id -u") == "mine/workspace\n1000\n", "it behaves the same")
    world.run("template", "rm", "root", "back")


def what_cannot_be_exported_is_said(world):
    expect("this machine's own /usr" in world.run("template", "export", "host", world.at("host.tar"), code=125), "host has no layers")
    expect("no template" in world.run("template", "export", "nothing", world.at("nothing.tar"), code=1), "there is none")
    world.run("template", "import", "there", world.layout(varied()))
    full = world.at("full")
    os.makedirs(os.path.join(full, "something"))
    os.chown(full, world.uid, world.uid)
    expect("something in it" in world.run("template", "export", "--format", "oci-dir", "there", full, code=1), "it is not replaced")
    expect("without compression" in world.run("template", "export", "--format", "docker", "--compression", "gzip", "there", world.at("x"), code=125), "no")
    expect("digest" in world.run("template", "export", "--tag", f"a@sha256:{'0' * 64}", "there", world.at("x"), code=125), "no tag")
    if not world.uid:
        top = world.run("template", "inspect", "--json", "there")
        layer = json.loads(top)[0]["layers"][-1]["id"]
        moved = os.path.join(world.state, "templates", ".layers", layer, "root", "data")
        os.setxattr(moved, "trusted.overlay.redirect", b"/elsewhere")
        expect("renamed by a sandbox" in world.run("template", "export", "there", world.at("x"), code=1), "it lies elsewhere")
        os.removexattr(moved, "trusted.overlay.redirect")
    expect(not [name for name in os.listdir(world.place) if "partial" in name], "nothing half written stays")
    world.run("template", "rm", "there")


def what_is_pushed_is_there_and_not_sent_again(world):
    world.run("template", "import", "there", world.layout(varied()))
    name = f"{world.registry.name}/pushed-{world.uid}:1"
    said = world.run("template", "push", "there", name)
    expect(f"pushed there to {name} (sha256:" in said, said)
    before = world.registry.log().count('"PUT /v2/')
    again = subprocess.run(world.command("template", "push", "there", name), env=world.environment, capture_output=True, text=True, timeout=60)
    expect(again.stdout == said and again.stderr.count("is there already") == 4, again.stderr)
    expect(world.registry.log().count('"PUT /v2/') == before + 1, "the manifest alone")
    digest = world.run("template", "push", "-q", "there", name).strip()
    copied, written = world.at("copied"), world.at("written")
    skopeo(f"docker://{name}", f"oci:{copied}:copied")
    world.run("template", "export", "-q", "--format", "oci-dir", "there", written)
    with open(os.path.join(written, "index.json")) as index:
        expect(json.load(index)["manifests"][0]["digest"] == digest, "it is what an export writes")
    compare(unpacked(written, "latest", world.at("to")), unpacked(copied, "copied", world.at("to")))
    world.run("template", "pull", "-q", name)
    is_varied(world, name)
    expect("no template" in world.run("template", "push", "nothing", name, code=1), "there is none")
    world.run("template", "rm", "there", name)


def what_a_template_is_made_of_is_shown(world):
    world.run("template", "import", "there", world.layout(varied()))
    other = varied().layer([file("data/more", "x" * 200_000)])
    world.run("template", "import", "other", world.layout(other))
    shown = json.loads(world.run("template", "inspect", "--json", "there"))[0]
    expect([layer["templates"] for layer in shown["layers"]] == [1, 2, 2, 2, 2], f"{shown['layers']}")
    expect(shown["layers"][0]["of_cay"] and shown["image"]["config"]["Cmd"] == ["sh"], f"{shown}")
    expect(shown["layers"][-1]["chain_id"] == varied().diff_ids[0], "the lowest's ChainID is its diff_id")
    text = world.run("template", "inspect", "there", "other")
    expect("GREETING=good morning" in text and "of Cay" in text and shown["digest"] in text, text)
    usage = json.loads(world.run("template", "df", "--json"))
    each = {template["name"]: template for template in usage["templates"]}
    expect(each["there"]["shared_bytes"] == each["other"]["shared_bytes"] > 0, f"{usage}")
    expect(each["other"]["own_bytes"] - each["there"]["own_bytes"] >= 200_000, f"{usage}")
    expect(usage["total_bytes"] >= usage["layers_bytes"] >= each["there"]["shared_bytes"] and usage["fetched_bytes"] < 100_000, f"{usage}")
    expect("other" in world.run("template", "df"), "for people, too")
    expect(world.run("template", "ls", "-q") == world.run("template", "list", "-q"), "ls is list")
    world.run("template", "rm", "there", "other")


def what_nobody_uses_is_pruned(world):
    for name in ("fresh", "stale", "running"):
        world.run("template", "import", name, world.layout(varied().layer([file("data/name", name * 50_000)])))
    used = os.path.join(world.state, "templates", ".used")

    def age(name, seconds):
        path = os.path.join(world.state, "templates", name + ".json")
        with open(path) as text:
            document = json.load(text)
        document["imported_unix_ms"] -= seconds * 1000
        with open(path, "w") as text:
            json.dump(document, text)
        if os.path.exists(os.path.join(used, name)):
            old = os.stat(os.path.join(used, name)).st_mtime - seconds
            os.utime(os.path.join(used, name), (old, old))

    for name in ("fresh", "stale", "running"):
        age(name, 10 * DAY)
    expect(json.loads(world.run("template", "prune", "--json", "-n"))["removed"] == ["fresh", "running", "stale"], "none was used")
    world.inside("fresh", "true")
    sleeper = subprocess.Popen(world.command("run", "-q", "--template", "running", "--", "sh", "-c", "echo ready; sleep 1000"), env=world.environment,
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    try:
        expect(sleeper.stdout.readline() == b"ready\n", "it runs")
        first = os.stat(os.path.join(used, "fresh")).st_mtime_ns
        world.inside("fresh", "true")
        expect(os.stat(os.path.join(used, "fresh")).st_mtime_ns == first, "it is written once an hour")
        age("running", 10 * DAY)
        said = world.run("template", "prune", "--dry-run")
        expect(said.startswith("would remove stale\nwould free "), said)
        pruned = json.loads(world.run("template", "prune", "--json"))
        expect(pruned["removed"] == ["stale"] and pruned["freed_bytes"] >= 250_000, f"{pruned}")
        expect(set(world.templates()) >= {"fresh", "running"} and "stale" not in world.templates(), "one is gone")
        expect(world.run("template", "prune", "--unused-for", "1d") == "no template is unused for 1d\n", "no more")
    finally:
        sleeper.terminate()
        sleeper.wait()
    world.run("template", "prune", "-f", "--unused-for", "0s")
    expect(set(world.templates()) == {"host"}, f"all that nobody uses: {set(world.templates())}")


def docker_reads_and_writes_the_same(world):
    if world.docker is None:
        print("dockerd is not here: not tried")
        return
    world.run("template", "import", "there", world.layout(varied()))
    path, saved = world.at("exported.tar"), world.at("saved.tar")
    world.run("template", "export", "-q", "--format", "docker", "--tag", f"team/app-{world.uid}:7", "there", path)
    expect(f"team/app-{world.uid}:7" in world.docker.run("load", "-i", path).decode(), "it is loaded")
    world.docker.run("save", "-o", saved, f"team/app-{world.uid}:7")
    os.chmod(saved, 0o644)
    said = world.run("template", "import", "back", saved)
    expect("a docker archive of 4 layers" in said, said)
    is_varied(world, "back")
    container = world.docker.run("create", f"team/app-{world.uid}:7", "sh").decode().strip()
    with tarfile.open(fileobj=io.BytesIO(world.docker.run("export", container))) as exported:
        found = {member.name: member for member in exported}
    expect("data/old" not in found and "data/emptied/below" not in found and found["real/through"].isreg(), "docker sees the same tree")
    if not world.uid:
        owned = found["data/owned"]
        expect((owned.uid, owned.gid, owned.mode & 0o7777) == (12, 34, 0o640), f"with its owners: {owned.uid}:{owned.gid} {owned.mode:o}")
    world.run("template", "rm", "there", "back")


CHECKS = (what_others_write_becomes_a_template, one_of_several_images_is_chosen, hostile_archives_leave_nothing, what_is_exported_is_what_others_read,
          a_way_out_and_in_again_changes_nothing, a_root_filesystem_is_exported_as_one_layer, what_cannot_be_exported_is_said,
          what_is_pushed_is_there_and_not_sent_again, what_a_template_is_made_of_is_shown, what_nobody_uses_is_pruned, docker_reads_and_writes_the_same)


def try_all(options, place, registry, daemon):
    return sum(try_checks(CHECKS, Files(options.cay, uid, place, registry, daemon), options.only, f", as uid {uid}") for uid in USERS)


def main():
    options = options_where_there_are("docker-registry", "skopeo", "umoci")
    with tempfile.TemporaryDirectory() as place:
        os.chmod(place, 0o755)
        with Registry(os.path.join(place, "registry")) as registry:
            if not docker_peer.is_here():
                return 1 if try_all(options, place, registry, None) else 0
            with docker_peer.Docker(os.path.join(place, "docker")) as daemon:
                return 1 if try_all(options, place, registry, daemon) else 0


if __name__ == "__main__":
    sys.exit(main())
