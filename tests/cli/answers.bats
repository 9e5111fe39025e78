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

@test "sizes and processors are taken as people write them" {
  cay create --name parts --memory 0.1g --cpus .5 --json
  [[ $status == 0 && $(json 'o["cpu_limit"]') == 0.5 ]] || { echo "$output $stderr" >&2; return 1; }
  "$CAY" rm -f parts > /dev/null
}
