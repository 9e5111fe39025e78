load common

# start ARGS…: `cay run` in the background as $pid, its output in ./out; waits for the line "ready".
start() {
  "$CAY" run "$@" > out 2> err < /dev/null 3>&- &
  pid=$!
  until_true 20 grep -q ready out
}

# ended CODE: it has ended, or ends now, with that exit code.
ended() {
  code=0
  wait "$pid" || code=$?
  [[ $code == "$1" ]] || { echo "exit code $code, not $1: $(< err)" >&2; return 1; }
}

@test "signals are passed on to the command" {
  start -- python3 -uc 'import signal, sys
def on(s, f): print("got", s); s == signal.SIGTERM and sys.exit(7)
for s in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGHUP, signal.SIGTERM): signal.signal(s, on)
print("ready")
while True: signal.pause()'
  for name in USR1 USR2 HUP; do
    kill -$name "$pid"
    until_true 10 grep -q "got $(kill -l $name)" out
  done
  kill -TERM "$pid"
  ended 7
}

@test "the default effect of a signal ends the command with 128 and its number" {
  start -- sh -c 'echo ready; sleep 60'
  kill -TERM "$pid"
  ended 143
}

@test "a second signal ends a command that does not heed the first" {
  start -- python3 -uc 'import signal
signal.signal(signal.SIGTERM, lambda s, f: print("heard"))
print("ready")
while True: signal.pause()'
  kill -TERM "$pid"
  until_true 10 grep -q heard out
  kill -TERM "$pid"
  ended 143
}

@test "a killed caller leaves no process behind" {
  start -- sh -c 'echo ready; exec sleep 4321'
  kill -KILL "$pid"
  ended 137
  gone() { ! pgrep -f 'sleep 4321' > /dev/null; }
  until_true 10 gone
  empty() { [[ -z $("$CAY" ps --quiet) ]]; }
  until_true 10 empty
}
