# What an administrator decides in the configuration about what others run and upload.
load common

# start KEY=VALUE…: a server with these keys, at $url; its words are in `said`.
start() {
  "$CAY" serve --config cay.toml --listen 127.0.0.1:0 > /dev/null 2> said < /dev/null 3>&- &
  server=$!
  until_true 60 announced
  url=$(grep -om 1 'http://127[^ ,]*' said)
  export CAY_URL=$url
}
announced() { grep -q 'listening on' said || ! kill -0 "$server"; }

setup() {
  need_root
  cd "$BATS_TEST_TMPDIR" || return
}

teardown() {
  [[ -z ${server:-} ]] && return
  "$CAY" ls -q | xargs -r "$CAY" rm -f > /dev/null
  kill "$server"
  wait "$server"
}

# asked METHOD PATH BODY: $status is curl's word for the answer, $output its body.
asked() {
  status=$(curl -s -o body -w '%{http_code}' -X "$1" "$url$2" -d "$3")
  output=$(< body)
}

logged() { grep -q "$1" said; }

@test "commands that match commands.refuse are refused by name, however they are started, before anything is done" {
  cat > cay.toml <<'TOML'
[commands]
refuse = ['wipe=rm\s+-rf\s+/(\s|$)', "miner=(?i)xmrig"]
TOML
  start
  "$CAY" create --name box
  asked POST /api/sandboxes/box/execute '{"files": {"made": "x"}, "commands": ["echo one", "./XMRig --pool x"]}'
  [[ $status == 422 && $(json 'o["code"]') == not_supported && $output == *'\"miner\"'* && $output == *commands.refuse* ]]
  asked POST /api/sandboxes/box/execute '{"command": ["ls", "-A", "agent_workspace"]}'
  [[ $(json 'o["stdout"], o["flagged"]') == "('', [])" ]]
  asked POST /api/sandboxes/box/processes '{"command": ["rm", "-rf", "/"]}'
  [[ $status == 422 && $output == *wipe* ]]
  asked POST /sandbox/box/execute '{"command": "rm -rf /"}'
  [[ $status == 422 && $output == *wipe* ]]
  capture "$CAY" exec box 'cd /; rm -rf /'
  assert_error 125 wipe commands.refuse
  capture "$CAY" exec box -- rm -rf /tmp/x
  [[ $status == 0 ]]
  [[ $(curl -s "$url/api/events?wait=false") == *'"execution.error"'* ]]
}

@test "commands that match commands.flag run, and are flagged in the answer, the events and the log; a reload changes them" {
  printf '[commands]\nflag = ["downloads=curl|wget"]\n' > cay.toml
  start
  "$CAY" create --name box
  asked POST /api/sandboxes/box/execute '{"command": "echo wget"}'
  [[ $status == 200 && $(json 'o["stdout"], o["flagged"]') == "('wget\n', ['downloads'])" ]]
  asked POST /api/sandboxes/box/execute '{"commands": ["true", "echo curl"]}'
  [[ $(json '[r["flagged"] for r in o["results"]]') == "[[], ['downloads']]" ]]
  [[ $(curl -s "$url/api/events?wait=false") == *'"execution.flagged"'* ]]
  until_true 10 logged 'a command matches commands.flag.* flagged=downloads'
  printf '[commands]\nflag = ["echoes=echo"]\n' > cay.toml
  kill -HUP "$server"
  reloaded() {
    asked POST /api/sandboxes/box/execute '{"command": "echo wget"}'
    [[ $(json 'o["flagged"]') == "['echoes']" ]]
  }
  until_true 20 reloaded
}

@test "a pattern that is none keeps the server from starting, and says which" {
  printf '[commands]\nrefuse = ["a=("]\n' > cay.toml
  capture "$CAY" serve --config cay.toml --listen 127.0.0.1:0
  assert_error 125 cay.toml:2 commands.refuse 'missing )'
}

@test "log.executions tells who ran what, and what came of it; a summary no arguments, and never the environment" {
  printf '[log]\nexecutions = "summary"\n' > cay.toml
  start
  "$CAY" create --name box
  "$CAY" exec -e PASSWORD=hunter2 box -- sh -c 'echo 12345; exit 3; secret' || [[ $? == 3 ]]
  until_true 10 logged 'execution owner=local sandbox=[a-z0-9]* program=sh process_id=1 exit_code=3 duration_ms=[0-9]* cpu_ms=[0-9]* output_bytes=6'
  "$CAY" exec box -- no-such-program || [[ $? == 127 ]]
  until_true 10 logged 'execution owner=local .* program=no-such-program error=command_not_found'
  ! grep -e hunter2 -e secret said
  printf '[log]\nexecutions = "full"\n' > cay.toml
  kill -HUP "$server"
  full() {
    "$CAY" exec --tag mine box -- echo 'a b'
    logged "execution owner=local .* command=\"echo 'a b'\" process_id=[0-9]* tag=mine exit_code=0"
  }
  until_true 20 full
  logged 'execution started owner=local'
  ! grep -e hunter2 said
}

@test "project files are taken by their content and the client's word, or refused with 415; too large ones with 413" {
  printf '[projects]\nallowed_types = ["text/*", "image/png"]\nmax_file = "1m"\n' > cay.toml
  start
  echo 'a,b' > data.csv
  cp /bin/true program.txt
  upload() { status=$(curl -s -o body -w '%{http_code}' "$@" "$url/files/upload/demo"); output=$(< body); }
  upload -F file=@data.csv
  [[ $status == 201 ]]
  upload -F 'file=@program.txt;type=text/plain'
  [[ $status == 415 && $(json 'o["code"]') == not_supported && $output == *projects.allowed_types* ]]
  upload -F 'file=@data.csv;type=application/pdf;filename=other.csv'
  [[ $status == 415 && $output == *application/pdf* ]]
  upload -F 'a=@data.csv;filename=first.csv' -F 'b=@program.txt'
  [[ $status == 415 ]]
  head -c 2000000 /dev/zero | tr '\0' a > large.txt
  upload -F file=@large.txt
  [[ $status == 413 && $output == *projects.max_file* ]]
  [[ $(curl -s "$url/files/project/demo" | grep -o '"filename"' | wc -l) == 1 ]]
  # Another one takes the place of a process that was killed.
  kill -KILL "$(pgrep -P "$server" -f content-types)"
  upload -F 'file=@data.csv;filename=after.csv'
  [[ $status == 201 ]]
}

@test "without types that are listed nothing tells them, and everything is taken" {
  : > cay.toml
  start
  status=$(curl -s -o body -w '%{http_code}' -F file=@/bin/true "$url/files/upload/demo")
  [[ $status == 201 ]]
  [[ $(pgrep -P "$server" -f content-types) == "" ]]
}

@test "what is healthy is configured, and a reload changes it" {
  printf '[health]\nmemory = 50\n' > cay.toml
  start
  "$CAY" create --name box --memory 128m
  "$CAY" exec -d box -- python3 -c 'import time; x = bytearray(b"x") * (80 << 20); time.sleep(600)'
  unhealthy() { [[ $("$CAY" health box) == "UNHEALTHY: Memory usage exceeds threshold: "* ]]; }
  until_true 60 unhealthy
  printf '[health]\nmemory = 0\n' > cay.toml
  kill -HUP "$server"
  until_true 20 "$CAY" health box
}
