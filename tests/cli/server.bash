# A server of one's own for a suite: start_server, stop_server, end_server SIGNAL, on a port that stays the same.
# shellcheck shell=bash

start_server() {
  export CAY_URL="unix:$BATS_FILE_TMPDIR/cay.sock"
  "$CAY" serve --listen "$CAY_URL" --state-dir "$CAY_STATE_DIR" "$@" \
    >> "$BATS_FILE_TMPDIR/server.log" 2>&1 3>&- &
  echo $! > "$BATS_FILE_TMPDIR/server.pid"
  until_true 30 server_answers
}

server_answers() {
  curl -sf --unix-socket "$BATS_FILE_TMPDIR/cay.sock" http://localhost/ready > /dev/null
}

# end_server SIGNAL: and waits until it is gone.
end_server() {
  local pid
  pid=$(< "$BATS_FILE_TMPDIR/server.pid")
  kill "-$1" "$pid" 2> /dev/null || :
  until_true 30 server_gone "$pid"
}

server_gone() { ! kill -0 "$1" 2> /dev/null; }

# All that the suite made is gone with this.
stop_server() {
  "$CAY" ls -q | xargs -r "$CAY" rm -f > /dev/null
  end_server TERM
}
