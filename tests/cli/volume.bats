load common

setup_file() {
  [[ $(id -u) == 0 ]] || skip "needs root"
  export CAY_STATE_DIR="$BATS_FILE_TMPDIR/state"
  mkdir -m 0711 "$CAY_STATE_DIR"
  chmod 0711 "$BATS_FILE_TMPDIR"
}

teardown() {
  local name
  for name in $("$CAY" volume ls -q); do "$CAY" volume rm "$name"; done
}

@test "a volume keeps what one run wrote for the next" {
  capture "$CAY" volume create --size 16m data
  [[ $status == 0 && $output == data ]]
  run_cay --volume data:/data -- sh -c 'echo words > /data/kept; stat -c %U /data /data/kept'
  [[ $status == 0 && $output == $'user\nuser' ]]
  run_cay --volume data:/data:ro -- sh -c 'cat /data/kept; touch /data/new'
  [[ $status == 1 && $output == words && $stderr == *"Read-only file system"* ]]
  run_cay --volume data:/data -- sh -c 'ls -A /data'
  [[ $output == kept ]]
}

@test "ls and inspect say what there is" {
  "$CAY" volume create -q --size 16m b
  "$CAY" volume create -q --size 32m a
  capture "$CAY" volume ls
  [[ ${lines[0]} == NAME*SIZE*USED*AGE*SANDBOXES* && ${lines[1]} == a*"32.0 MiB"* && ${lines[2]} == b*"16.0 MiB"* ]]
  capture "$CAY" volume ls -q
  [[ $output == $'a\nb' ]]
  capture "$CAY" volume inspect a
  [[ $(json 'o["name"], o["owner"], o["size"], o["used_by"]') == "('a', '', 33554432, [])" ]]
  capture "$CAY" volume inspect a b
  [[ $(json 'len(o)') == 2 ]]
  capture "$CAY" volume ls --json
  [[ $(json '[v["name"] for v in o]') == "['a', 'b']" ]]
}

@test "a full volume is full inside, and no larger on the disk" {
  "$CAY" volume create -q --size 16m data
  run_cay --volume data:/data -- sh -c 'head -c 64m /dev/zero > /data/large'
  [[ $status == 1 && $stderr == *"No space left on device"* ]]
  capture "$CAY" volume inspect data
  [[ $(json 'o["used"] <= o["size"] == 16777216') == True ]]
}

@test "who writes has it alone, who reads shares it" {
  "$CAY" volume create -q --size 16m data
  "$CAY" run --volume data:/data -- sh -c 'echo ready; exec sleep 60' > out < /dev/null 3>&- &
  pid=$!
  until_true 20 grep -q ready out
  id=$("$CAY" ps -q)
  run_cay --volume data:/data -- true
  assert_error 125 "volume data is in use" "$id"
  run_cay --volume data:/data:ro -- true
  assert_error 125 "volume data is in use" "$id"
  kill "$pid"
  wait "$pid" || :
  "$CAY" run --volume data:/data:ro -- sh -c 'echo ready; exec sleep 60' > out2 < /dev/null 3>&- &
  pid=$!
  until_true 20 grep -q ready out2
  run_cay --volume data:/data:ro -- echo both
  [[ $status == 0 && $output == both ]]
  run_cay --volume data:/data -- true
  assert_error 125 "volume data is in use"
  capture "$CAY" volume export data
  [[ $status == 0 ]]
  kill "$pid"
  wait "$pid" || :
  run_cay --volume data:/data -- echo free
  [[ $status == 0 && $output == free ]]
}

@test "one whose run was killed is free again, and not before it is unmounted" {
  "$CAY" volume create -q --size 16m data
  "$CAY" run --volume data:/data -- sh -c 'echo kept > /data/kept; sync /data/kept; echo ready; exec sleep 60' \
    > out < /dev/null 3>&- &
  pid=$!
  until_true 20 grep -q ready out
  launcher=$(pgrep -P "$pid" | head -n 1)
  kill -KILL "$launcher" "$pid"
  wait "$pid" || :
  run_cay --volume data:/data -- cat /data/kept
  [[ $status == 0 && $output == kept ]]
  "$CAY" gc > /dev/null
}

@test "what is exported can be imported, also compressed" {
  "$CAY" volume create -q --size 16m data
  run_cay --volume data:/data -- sh -c 'mkdir /data/d; echo words > /data/d/f; chmod 640 /data/d/f; ln -s d/f /data/l'
  "$CAY" volume export data > data.tar
  [[ $(tar -tf data.tar | sort | tr '\n' ' ') == "./ ./d/ ./d/f ./l " ]]
  gzip -k data.tar
  for file in data.tar data.tar.gz; do
    capture "$CAY" volume import --size 16m copy < "$file"
    [[ $status == 0 && $output == copy ]]
    run_cay --volume copy:/data -- sh -c 'cat /data/l; stat -c "%a %u" /data/d/f; touch /data/new'
    [[ $status == 0 && $output == $'words\n640 1000' ]]
    "$CAY" volume rm copy
  done
  capture "$CAY" volume import --size 16m data < data.tar
  assert_error 1 "there is a volume data already"
  echo nonsense | capture "$CAY" volume import --size 16m copy
}

@test "a hostile archive writes nothing outside, and leaves nothing" {
  python3 - <<'EOF'
import io, tarfile
def entry(tar, name, data=b"", **more):
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for key, value in more.items():
        setattr(info, key, value)
    tar.addfile(info, io.BytesIO(data))
with tarfile.open("up.tar", "w") as tar:
    entry(tar, "../outside", b"x")
with tarfile.open("link.tar", "w") as tar:
    entry(tar, "link", type=tarfile.SYMTYPE, linkname="/etc")
    entry(tar, "link/cay-was-here", b"x")
with tarfile.open("device.tar", "w") as tar:
    entry(tar, "disk", type=tarfile.BLKTYPE, devmajor=8, devminor=0, mode=0o666)
    entry(tar, "program", b"#!/bin/sh\n", mode=0o6755, uid=0, gid=0)
EOF
  for archive in up link; do
    capture "$CAY" volume import --size 16m bad < $archive.tar
    [[ $status != 0 && ! -e /etc/cay-was-here ]]
  done
  [[ -z $("$CAY" volume ls -q) && $(ls -A "$CAY_STATE_DIR/volumes") == .lock ]]
  capture "$CAY" volume import --size 16m odd < device.tar
  [[ $status == 0 && $stderr == *"1 devices and FIFOs"* ]]
  run_cay --volume odd:/data -- sh -c 'ls -A /data; stat -c %a /data/program'
  [[ $output == $'program\n755' ]]
}

@test "what cannot be is refused in words" {
  capture "$CAY" volume create UPPER
  assert_error 125 "not a name for a volume"
  capture "$CAY" volume create --size 1m small
  assert_error 125 "the size of a volume"
  capture "$CAY" volume create --size 4000g large
  assert_error 1 "can give"
  capture "$CAY" volume rm none
  assert_error 1 'no volume "none"'
  run_cay --volume none:/data -- true
  assert_error 125 'no volume "none"' "cay volume create none"
  run_cay --volume /srv:/data -- true
  assert_error 125 "--volume" "--mount"
  "$CAY" volume create -q --size 16m data
  capture "$CAY" volume create --size 16m data
  assert_error 1 "there is a volume data already"
  run_cay --volume data:/a --volume data:/b -- true
  assert_error 125 "twice"
  run_cay --volume data:/proc/x -- true
  assert_error 125 "belongs to the sandbox itself"
}

@test "noexec is a volume's too, and its devices and rights are none" {
  "$CAY" volume create -q --size 16m data
  run_cay --volume data:/data -- sh -c 'cp /bin/true /data/program'
  run_cay --noexec --volume data:/data -- /data/program
  [[ $status == 126 ]]
  run_cay --volume data:/data -- grep ' /data ' /proc/self/mounts
  [[ $output == *nosuid* && $output == *nodev* ]]
}

@test "an ordinary user has none" {
  chmod 0711 "$BATS_TEST_TMPDIR"
  capture setpriv --reuid 65534 --regid 65534 --clear-groups env HOME=/nonexistent CAY_STATE_DIR= "$CAY" volume create data
  [[ $status != 0 && $stderr == *"ordinary user"* ]]
}
