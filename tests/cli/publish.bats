#!/usr/bin/env bats
# Ports that `cay run` publishes, as root and as an ordinary user.
load common

# One connection is served: what came is said, and answered.
serve='
import socket
server = socket.create_server(("127.0.0.1", 8000))
print("listening", flush=True)
client = server.accept()[0]
print("heard", client.recv(99).decode(), flush=True)
client.sendall(b"hello from inside")
'

# The port that was chosen, once the command listens.
chosen_port() {
  for ((i = 0; i < 200; ++i)); do
    grep -q listening out && break
    sleep 0.1
  done
  sed -n 's/^cay: published: 127\.0\.0\.1:\([0-9]*\):8000$/\1/p' err
}

knock() { python3 -c '
import socket, sys
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 10)
s.sendall(b"ping")
print(s.recv(99).decode())' "$1"; }

@test "run -p: a port of this machine leads to one of the sandbox, which has no network" {
  "$CAY" run -p 0:8000 -- python3 -c "$serve" > out 2> err 3>&- &
  port=$(chosen_port)
  [[ $port -ge 1024 ]]
  [[ $(knock "$port") == "hello from inside" ]]
  wait $!
  grep -qx "heard ping" out
  ! knock "$port" 2> /dev/null || false
}

@test "run -p: with a network, as JSON, and nothing else is said with --quiet" {
  "$CAY" run --quiet --json --net open -p 0:8000 --publish 0:8001 -- true > out 2> err
  [[ ! -s err ]]
  python3 -c '
import json
published = json.load(open("out"))["published"]
assert len(published) == 2 and published[0].startswith("127.0.0.1:") and published[0].endswith(":8000"), published'
}

@test "run -p: as an ordinary user" {
  need_root
  chmod 0711 "$BATS_RUN_TMPDIR" "$BATS_FILE_TMPDIR" .
  mkdir -m 0700 state && chown 65534:65534 state
  setpriv --reuid 65534 --regid 65534 --clear-groups env CAY_STATE_DIR="$BATS_TEST_TMPDIR/state" HOME="$BATS_TEST_TMPDIR" \
    "$CAY" run -p 0:8000 -- python3 -c "$serve" > out 2> err 3>&- &
  port=$(chosen_port)
  [[ $(knock "$port") == "hello from inside" ]]
  wait $!
}

@test "run -p: a port that is taken is an error before anything runs" {
  python3 -c '
import socket, time
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
time.sleep(60)' > taken 3>&- &
  holder=$!
  for ((i = 0; i < 100; ++i)); do [[ -s taken ]] && break; sleep 0.1; done
  port=$(< taken)
  run_cay -p "$port:80" -- touch /workspace/ran
  assert_error 125 "the port $port of 127.0.0.1 is taken" "another program of this machine" "publish another port"
  run_cay --json -p "$port:80" -- true
  [[ $status == 125 && $output == *'"code":"already_exists"'* ]]
  kill "$holder"
  run_cay -p 8080:80 -p 0.0.0.0:8080:81 -- true
  assert_error 125 "--publish: the port 8080 of 0.0.0.0 is published twice"
  run_cay -p 80 -- true
  assert_error 125 "--publish"
}

@test "run -p: a signal to it is the command's, whichever thread is there" {
  "$CAY" run -p 0:8000 -- sh -c 'trap "echo heard; exit 5" TERM; echo listening; while :; do sleep 0.1; done' > out 2> err 3>&- &
  run=$!
  [[ -n $(chosen_port) ]]
  kill -TERM "$run"
  code=0
  wait "$run" || code=$?
  [[ $code == 5 ]] && grep -qx heard out
}
