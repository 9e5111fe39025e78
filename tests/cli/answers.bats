# What the client says, how, and with which exit code.
load client_suite

@test "events -f prints events alone, and ends with its sandbox" {
  "$CAY" create --name short > /dev/null
  "$CAY" events -f --after 0 short > events 3>&- &
  local pid=$!
  until_true 20 grep -q sandbox.created events
  "$CAY" rm -f short > /dev/null
  until_true 20 server_gone "$pid"
  wait "$pid"
  grep -q sandbox.destroyed events
  grep -qv '^20[0-9-]*T[0-9:.]*Z  [a-z]*\.[a-z_]*  ' events && { cat events >&2; return 1; }
  return 0
}

@test "help shows the help of a command, whatever follows its name, and runs nothing" {
  cay help run touch "$PWD/made"
  [[ $status == 0 && $output == "Usage: cay run "* && ! -e made ]]
  cay help template import x y
  [[ $status == 0 && $output == "Usage: cay template import "* ]]
  cay help rm -f web
  [[ $status == 0 && $output == "Usage: cay rm "* ]]
  "$CAY" inspect web > /dev/null
  cay help
  [[ $status == 0 && $output == "Usage: cay "* ]]
  cay help nonesuch
  assert_error 125 "there is no such command"
}

@test "sizes and processors are taken as people write them" {
  cay create --name parts --memory 0.1g --cpus .5 --json
  [[ $status == 0 && $(json 'o["cpu_limit"]') == 0.5 ]] || { echo "$output $stderr" >&2; return 1; }
  "$CAY" rm -f parts > /dev/null
}

@test "a command line that makes no sense is 125, and what a server refuses 1" {
  local line
  for line in "update web" "create --on-timeout explode" "update --on-timeout explode web" "kill -s NONESUCH web 1" \
    "ls --filter state=nope" "cp --format rar web:/tmp -" "extend web 0s" "extend web soon" "create --memory much" "ls --nope" \
    "inspect" "context add x not-a-url" "ls --url ftp://x" "keys list --url ftp://x" "ps --url ftp://x web" \
    "template list --url ftp://x" "keys create --local --scope odd x"; do
    # shellcheck disable=SC2086
    cay $line
    assert_error 125 || { echo "$line" >&2; return 1; }
  done
  for line in "inspect none" "create --memory 900t" "context use none" "template rm none" "kill web 999" "files cat web /none" \
    "create --template none" "template import BAD-NAME! ." "ps none" "keys revoke none" "keys revoke --local none"; do
    # shellcheck disable=SC2086
    cay $line
    assert_error 1 || { echo "$line" >&2; return 1; }
  done
  CAY_URL='' cay template import BAD-NAME! .
  assert_error 125
  cay exec none -- true
  assert_error 125
  cay exec -d -i web -- cat
  assert_error 125 "-d and -i"
}

@test "cp of the root is what is in it" {
  "$CAY" cp web:/ - 2> /dev/null | tar t > names
  grep -qx ./etc/ names
  grep -q '^//\|^\.\./' names && return 1
  return 0
}

@test "extend says hours and minutes" {
  "$CAY" create --name long --timeout 1h > /dev/null
  cay extend long 90m
  [[ $output == "ends in 2h30m" || $output == "ends in 2h29m" ]] || { echo "$output $stderr" >&2; return 1; }
  "$CAY" rm -f long > /dev/null
}

@test "inspect -f: what has no fields says so" {
  cay inspect -f '{{.id.deeper}}' web
  [[ $status != 0 && $stderr == *"no field deeper"*"no fields of its own"* ]]
}

@test "files rm of a directory names -r" {
  "$CAY" exec web -- sh -c 'mkdir -p /tmp/full && touch /tmp/full/x'
  cay files rm web /tmp/full
  assert_error 1 "/tmp/full" "cay files rm -r SANDBOX /tmp/full"
  cay files rm -r web /tmp/full
  [[ $status == 0 ]]
}

@test "several sandboxes are one JSON array, one is an object" {
  "$CAY" create --name other > /dev/null
  cay inspect web
  [[ $(json 'o["name"]') == web ]]
  cay inspect web other
  [[ $status == 0 && $(json '[s["name"] for s in o]') == "['web', 'other']" ]]
  cay inspect -f '{{.name}}' web other
  [[ $output == $'web\nother' ]]
  cay inspect web none other
  [[ $status == 1 && $(json '[s["name"] for s in o]') == "['web', 'other']" ]]
  assert_error 1 none
  for command in "stop" "start" "pause" "resume" "restart" "reset" "update --memory 256m" "rm -f"; do
    # shellcheck disable=SC2086
    cay $command --json other
    [[ $status == 0 && $(json 'len(o["id"])') == 20 ]] || { echo "$command: $output $stderr" >&2; return 1; }
    [[ $command == "rm -f" ]] || continue
    "$CAY" create --name other > /dev/null
    "$CAY" create --name third > /dev/null
    cay rm -f --json other third
    [[ $(json '[s["state"] for s in o]') == "['destroyed', 'destroyed']" ]]
  done
}

@test "templates of this machine and of a server look the same" {
  cay template list --json
  local of_server=$output
  [[ $(json 'o[0]["imported_at"]') == None ]]
  CAY_URL='' cay template list --json
  [[ $output == "$of_server" ]]
  cay template list
  of_server=$output
  CAY_URL='' cay template list
  [[ $output == "$of_server" ]]
}

# That the server ends within the 30 s of end_server is what is asked: it would wait for two minutes.
@test "streams do not hold up the end of a server, and go on after it" {
  end_server TERM
  start_server --drain-timeout 120s
  "$CAY" files mkdir -p web /tmp/seen
  say before
  process=$("$CAY" exec -d web -- sh -c 'while :; do cat /tmp/word; sleep 0.1; done')
  pids=()
  "$CAY" events -f > events 3>&- & pids+=($!)
  "$CAY" files watch web /tmp/seen > seen 3>&- & pids+=($!)
  "$CAY" attach --no-stdin web "$process" > attached 3>&- & pids+=($!)
  "$CAY" logs -f web "$process" > logged 3>&- & pids+=($!)
  until_true 20 watch_is_heard before
  until_true 20 grep -q before attached
  until_true 20 grep -q before logged
  until_true 20 an_event_is_heard 0
  end_server TERM
  local heard
  heard=$(wc -l < events)
  start_server
  say after
  until_true 30 watch_is_heard after
  until_true 30 grep -q after attached
  until_true 30 grep -q after logged
  until_true 30 an_event_is_heard "$heard"
  # Not TERM, which attach passes on.
  for pid in "${pids[@]}"; do kill -KILL "$pid"; done
  "$CAY" kill web "$process"
}

# say WORD: what the process of the streams prints from now on, a whole word at a time.
say() { "$CAY" exec web -- sh -c "echo $1 > /tmp/next && mv /tmp/next /tmp/word"; }

# an_event_is_heard LINES: more than there were.
an_event_is_heard() {
  "$CAY" exec web -- true
  has_more_lines events "$1"
}

watch_is_heard() {
  "$CAY" exec web -- sh -c "rm -f /tmp/seen/$1; touch /tmp/seen/$1"
  grep -q "created  $1" seen
}

@test "wait waits for a server that was killed, and top goes on without it" {
  process=$("$CAY" exec -d web -- sh -c 'while [ ! -e /tmp/go ]; do sleep 0.1; done; exit 7')
  "$CAY" wait web "$process" > code 2> said 3>&- &
  local waiting=$!
  # The wait, and the question itself.
  until_true 20 requests_are_active 2
  "$CAY" top --json --interval 200ms > top 2> top_said 3>&- &
  local top=$!
  until_true 20 grep -q '"pids"' top
  end_server KILL
  until_true 20 grep -q "waiting for the server, up to 1m" said
  until_true 20 grep -q "trying again" top_said
  before=$(wc -l < top)
  start_server
  until_true 30 has_more_lines top "$before"
  kill "$top"
  "$CAY" exec web -- touch /tmp/go
  until_true 20 server_gone "$waiting"
  wait "$waiting"
  [[ $(< code) == 7 && $(< said) == *"connected again"* ]]
}

requests_are_active() {
  (($(curl -s --unix-socket "$BATS_FILE_TMPDIR/cay.sock" http://localhost/metrics | sed -n 's/^cay_http_requests_active //p') >= $1))
}

has_more_lines() { (($(wc -l < "$1") > $2)); }

@test "wait --timeout is over when it is over" {
  process=$("$CAY" exec -d web -- sleep 1000)
  cay wait --timeout 300ms web "$process"
  assert_error 1 "still runs"
  cay wait --timeout soon web "$process"
  assert_error 125 "not a duration"
  "$CAY" kill web "$process"
}

@test "wait --timeout is over when it is over without a server, too" {
  process=$("$CAY" exec -d web -- sleep 1000)
  "$CAY" wait --timeout 10s web "$process" 2> said 3>&- &
  local waiting=$!
  # The first question, which is answered at once, may be what was seen; the second lasts.
  until_true 20 requests_are_active 2
  sleep 2
  until_true 20 requests_are_active 2
  end_server KILL
  until_true 20 server_gone "$waiting"
  status=0
  wait "$waiting" || status=$?
  start_server
  "$CAY" kill web "$process"
  [[ $status == 1 && $(< said) =~ "waiting for the server, up to "[0-9.]+m?s ]] || { echo "$status $(< said)" >&2; return 1; }
}

@test "wait does not wait for a server that never was, or that says no" {
  capture timeout 20 "$CAY" wait --url "unix:$PWD/none" aaaaaaaaaaaaaaaaaaaa 1
  assert_error 1 "no server at"
  python3 - 3>&- << 'PYTHON' &
import http.server, os, socketserver
class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    asked = 0
    def do_GET(self):
        Answer.asked += 1
        body = b'{"state":"running"}' if Answer.asked == 1 else b'{"detail":"full"}'
        self.send_response(200 if Answer.asked == 1 else 503)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def address_string(self): return "unix"
    def log_message(self, *arguments): pass
socketserver.UnixStreamServer("said-no", Answer).serve_forever()
PYTHON
  local server=$!
  until_true 20 test -S said-no
  capture timeout 20 "$CAY" wait --url "unix:$PWD/said-no" aaaaaaaaaaaaaaaaaaaa 1
  kill "$server"
  assert_error 1 full
}

@test "stats and top say what share of a processor is used, at once" {
  process=$("$CAY" exec -d web -- sh -c 'while :; do :; done')
  cay stats web
  [[ $(sed -n 2p <<< "$output") =~ \ [1-9][0-9]*%\  ]] || { echo "$output" >&2; return 1; }
  cay top --once
  [[ $(grep web <<< "$output") =~ \ [1-9][0-9]*%\  ]] || { echo "$output" >&2; return 1; }
  "$CAY" kill web "$process"
}

@test "a remedy names commands, and not the API's requests" {
  "$CAY" create --name still > /dev/null
  "$CAY" stop still > /dev/null
  cay exec still true
  assert_error 125 "start it first: cay start "
  cay inspect none
  assert_error 1 "cay ls"
  process=$("$CAY" exec -d web -- true)
  "$CAY" wait web "$process" > /dev/null
  cay kill web "$process"
  assert_error 1 "has ended" "cay kill --leftovers SANDBOX $process"
  "$CAY" exec web -- mkdir -p /tmp/dir
  cay files cat web /tmp/dir
  assert_error 1 "cay files ls"
  "$CAY" rm -f still > /dev/null
}

@test "what docs/migration.md says of kill, stop and restart: only what is asked for sends TERM" {
  local act
  "$CAY" create --name told > /dev/null
  for act in "kill -s TERM" "kill" "stop" "restart"; do
    "$CAY" start told > /dev/null
    "$CAY" exec told -- rm -f /workspace/heard
    process=$("$CAY" exec -d told -- sh -c 'trap "echo TERM > /workspace/heard; exit" TERM; echo ready; while :; do sleep 0.05; done')
    until_true 20 "$BASH" -c "\"$CAY\" logs told $process | grep -q ready"
    # shellcheck disable=SC2086
    case $act in
      kill*) "$CAY" $act told "$process"; "$CAY" wait told "$process" > /dev/null ;;
      *) "$CAY" $act told > /dev/null ;;
    esac
    cay files cat told /workspace/heard
    if [[ $act == "kill -s TERM" ]]; then
      [[ $output == TERM ]] || { echo "$act: $stderr" >&2; return 1; }
    else
      [[ $status == 1 ]] || { echo "$act: $output" >&2; return 1; }
    fi
  done
  "$CAY" rm -f told > /dev/null
}
