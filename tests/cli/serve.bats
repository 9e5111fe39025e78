load common

# start ARGUMENTS…: a server on a free port, at $url; its words are in `said`.
start() {
  "$CAY" serve --listen 127.0.0.1:0 "$@" > /dev/null 2> said < /dev/null 3>&- &
  server=$!
  until_true 60 announced
  url=$(grep -om 1 'http://127[^ ,]*' said)
}
announced() { grep -q 'listening on' said || ! kill -0 "$server"; }

stop() {
  kill "$server"
  wait "$server"
}

teardown() {
  [[ -z ${server:-} ]] || kill -KILL "$server" 2> /dev/null || :
}

# status_of ARGUMENTS…: the status that curl got.
status_of() { curl -s -o body -w '%{http_code}' "$@"; }

@test "serve says where it listens, answers, and ends with 0" {
  start
  [[ $(curl -s "$url/health") == *'"status":"ok"'* ]]
  [[ $(status_of "$url/ready") == 200 ]]
  [[ $(status_of "$url/api/sandboxes") == 200 ]]
  [[ $(status_of "$url/nothing") == 404 ]]
  [[ $(status_of -X DELETE "$url/health") == 405 ]]
  stop
}

@test "a second server on the same state directory is refused" {
  start
  capture "$CAY" serve --listen 127.0.0.1:0
  assert_error 125 "state directory" "$server"
  stop
}

@test "an address that is not loopback's needs a key" {
  capture "$CAY" serve --listen 0.0.0.0:0
  assert_error 125 "0.0.0.0" "cay keys create --local"
}

@test "other names and other pages are refused" {
  start
  [[ $(status_of -H 'Host: evil.example' "$url/api/sandboxes") == 421 ]]
  [[ $(status_of -H 'Origin: http://evil.example' "$url/api/sandboxes") == 403 ]]
  [[ $(status_of -H 'Origin: null' -X POST "$url/api/sandboxes") == 403 ]]
  [[ $(status_of -H 'Sec-Fetch-Site: cross-site' "$url/api/sandboxes") == 403 ]]
  [[ $(status_of -H "Origin: $url" "$url/api/sandboxes") == 200 ]]
  stop
}

@test "a configured page may, and is told so" {
  start --allowed-origin https://app.example
  [[ $(curl -si -H 'Origin: https://app.example' "$url/health") == *"Access-Control-Allow-Origin: https://app.example"* ]]
  [[ $(status_of -X OPTIONS -H 'Origin: https://app.example' -H 'Access-Control-Request-Method: POST' "$url/api/sandboxes") == 204 ]]
  [[ $(status_of -X OPTIONS -H 'Origin: https://evil.example' -H 'Access-Control-Request-Method: POST' "$url/api/sandboxes") == 403 ]]
  stop
}

@test "keys: missing, wrong, of too little scope, revoked" {
  CAY_STATE_DIR=$PWD/keyed
  admin=$("$CAY" keys create --local --quiet --scope admin ops)
  start
  [[ $(status_of "$url/api/sandboxes") == 401 ]]
  [[ $(curl -si "$url/api/sandboxes") == *"WWW-Authenticate: Bearer"* ]]
  [[ $(status_of "$url/health") == 200 ]]
  [[ $(status_of "$url/nothing") == 401 ]]
  [[ $(status_of -H "Authorization: Bearer ${admin}x" "$url/api/sandboxes") == 401 ]]
  [[ $(status_of -H "Authorization: Bearer $admin" "$url/api/sandboxes") == 200 ]]
  [[ $(status_of -H "X-API-Key: $admin" "$url/api/audit") == 200 ]]
  # Another process makes one while the server runs.
  read=$("$CAY" keys create --local --quiet --scope read eyes)
  [[ $(status_of -H "X-API-Key: $read" "$url/api/sandboxes") == 200 ]]
  [[ $(status_of -H "X-API-Key: $read" -X POST "$url/api/sandboxes") == 403 ]]
  [[ $(status_of -H "X-API-Key: $read" "$url/api/keys") == 403 ]]
  id=${read#cay_}
  [[ $(status_of -H "X-API-Key: $admin" -X DELETE "$url/api/keys/${id%%_*}") == 204 ]]
  [[ $(status_of -H "X-API-Key: $read" "$url/api/sandboxes") == 401 ]]
  admin_id=${admin#cay_}
  "$CAY" keys revoke --local "${admin_id%%_*}"
  [[ $(curl -s -H "X-API-Key: $admin" "$url/api/sandboxes") == *"cay keys create --local"* ]]
  again=$("$CAY" keys create --local --quiet --scope admin ops)
  [[ $(status_of -H "X-API-Key: $again" "$url/api/sandboxes") == 200 ]]
  # No secret anywhere.
  secret=${admin##*_}
  ! grep -rq "$secret" "$CAY_STATE_DIR" said
  stop
}

@test "SIGHUP reads the configuration again, and a bad one changes nothing" {
  printf '[metrics]\npublic = false\n' > cay.toml
  start --config cay.toml
  printf '[metrics]\npublic = true\n' > cay.toml
  kill -HUP "$server"
  until_true 30 grep -q 'changed: metrics.public' said
  printf 'nonsense = 1\n' > cay.toml
  kill -HUP "$server"
  until_true 30 grep -q 'was not read again' said
  [[ $(status_of "$url/metrics") == 200 ]]
  stop
}

@test "what a pool made and nobody took ends with the server, and the rest waits for the next" {
  need_root
  start --pool host=2:4
  full() { [[ $(curl -s "$url/api/system" | python3 -c 'import json, sys; print(json.load(sys.stdin)["pools"][0]["ready"])') == 2 ]]; }
  until_true 30 full
  id=$("$CAY" create --url "$url")
  until_true 30 full
  stop
  [[ $("$CAY" ps -q) == "$id" ]]
  [[ $("$CAY" ps) == *"running (no server)"* ]]
  [[ $("$CAY" gc) == *"kept sandbox $id"* ]]
  start
  [[ $("$CAY" ps) != *"(no server)"* ]]
  "$CAY" rm -f --url "$url" "$id"
  stop
}

@test "the log has times, and true levels as JSON" {
  start
  stop
  [[ -s said && -z $(grep -v '^20[0-9-]*T[0-9:.]*Z cay: \(info\|warning\|error\): ' said) ]]
  start --log-format json
  curl -s "${url%%\"*}/health" > /dev/null
  stop
  python3 - <<'PYTHON'
import json
lines = [json.loads(line) for line in open("said")]
said = {line["message"].split(" ")[0]: line["level"] for line in lines}
assert said["listening"] == said["request"] == said["ending:"] == said["ended"] == "info", said
PYTHON
}

@test "sandboxes outlive the server" {
  need_root
  start
  id=$(curl -s -X POST "$url/api/sandboxes" -H 'Content-Type: application/json' -d '{}' | python3 -c 'import json,sys; print(json.load(sys.stdin)["id"])')
  kill -KILL "$server"
  wait "$server" || :
  start
  grep -q 'took over 1 sandboxes' said
  run curl -s -X POST "$url/api/sandboxes/$id/execute" -H 'Content-Type: application/json' -d '{"command":["echo","alive"]}'
  [[ $(json 'o["stdout"]') == alive ]]
  [[ $(status_of -X DELETE "$url/api/sandboxes/$id") == 204 ]]
  stop
}
