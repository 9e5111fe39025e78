# A suite of the client's: a server of its own with one sandbox, "web", and nothing that is left when it ends.
# shellcheck shell=bash
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
  [[ ! -f $BATS_FILE_TMPDIR/key ]] || CAY_API_KEY=$(< "$BATS_FILE_TMPDIR/key")
  export CAY_API_KEY
  stop_server || return 1
  left=$("$CAY" ps --quiet)
  [[ -z $left ]] || { echo "sandboxes left: $left" >&2; return 1; }
}

cay() { capture "$CAY" "$@"; }

output_has() { [[ $output == *"$1"* ]] || { echo "no \"$1\" in: $output $stderr" >&2; return 1; }; }
