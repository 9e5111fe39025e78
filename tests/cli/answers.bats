# What the client says, how, and with which exit code.
load common
load server

setup_file() {
  need_root
  export CAY_STATE_DIR="$BATS_FILE_TMPDIR/state" HOME="$BATS_FILE_TMPDIR/home"
  unset XDG_CONFIG_HOME CAY_API_KEY
  mkdir -m 0711 "$CAY_STATE_DIR"
  mkdir "$HOME"
  chmod 0711 "$BATS_FILE_TMPDIR"
  start_server
  "$CAY" create --name web
}

teardown_file() {
  local left
  stop_server || return 1
  left=$("$CAY" ps --quiet)
  [[ -z $left ]] || { echo "sandboxes left: $left" >&2; return 1; }
}

cay() { capture "$CAY" "$@"; }

output_has() { [[ $output == *"$1"* ]] || { echo "no \"$1\" in: $output $stderr" >&2; return 1; }; }

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
