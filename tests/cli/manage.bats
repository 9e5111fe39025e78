load common

@test "ps lists a running sandbox, gc leaves it alone" {
  "$CAY" run -- sh -c 'echo ready; exec sleep 60' > out < /dev/null 3>&- &
  pid=$!
  until_true 20 grep -q ready out
  run "$CAY" ps --json
  [[ $(json '[(s["state"], s["template"], s["owned"]) for s in o]') == "[('running', 'host', True)]" ]]
  run "$CAY" ps
  [[ ${lines[0]} == ID*STATE*AGE*TEMPLATE* && ${lines[1]} == *running*host* ]]
  run "$CAY" gc --json
  [[ $(json 'o["sandboxes"]') == "[]" ]]
  kill "$pid"
  wait "$pid" || :
  run "$CAY" ps --quiet
  [[ -z $output ]]
}

@test "ps and gc name what runs under a state directory that is gone" {
  need_root
  mkdir -m 0711 gone
  "$CAY" run --state-dir "$PWD/gone" -- sh -c 'echo ready; exec sleep 1000' > out < /dev/null 3>&- &
  pid=$!
  until_true 20 grep -q ready out
  id=$("$CAY" ps -q --state-dir "$PWD/gone")
  mv gone away
  for command in ps "gc --dry-run"; do
    # shellcheck disable=SC2086
    capture "$CAY" $command
    [[ $status == 0 && $output != *"$id"* && $stderr == *"$id (process "* ]] || { echo "$command: $stderr" >&2; return 1; }
  done
  capture "$CAY" ps --json
  [[ $stderr != *"$id"* ]]
  mv away gone
  kill "$pid"
  wait "$pid" || :
}

@test "gc says what it would remove and removes what a crash left" {
  need_root
  "$CAY" run -- sh -c 'echo ready; exec sleep 60' > out < /dev/null 3>&- &
  pid=$!
  until_true 20 grep -q ready out
  launcher=$(pgrep -P "$pid" | head -n 1)
  kill -KILL "$launcher" "$pid"
  wait "$pid" || :
  dead() { [[ $("$CAY" ps) != *running* ]]; }
  until_true 20 dead
  run "$CAY" gc --dry-run --json
  found=$(json 'len(o["sandboxes"])')
  run "$CAY" gc --json
  [[ $(json 'len(o["sandboxes"])') == "$found" && $(json 'o["failures"]') == "[]" ]]
  # What runs under other state directories is on standard error.
  capture "$CAY" gc
  [[ $output == "nothing was left behind" ]]
}

@test "templates are imported, listed, used and removed" {
  need_root
  mkdir -p rootfs/bin rootfs/etc
  cp "$(command -v busybox)" rootfs/bin/busybox || skip "needs a static busybox"
  ln -s busybox rootfs/bin/sh
  echo 'user:x:1000:1000::/:/bin/sh' > rootfs/etc/passwd
  tar -C rootfs -czf rootfs.tar.gz .
  "$CAY" template import --quiet tiny rootfs.tar.gz
  run "$CAY" template list --quiet
  [[ $output == *host* && $output == *tiny* ]]
  run "$CAY" template list --json
  [[ $(json '[t["name"] for t in o if t["name"] == "tiny"]') == "['tiny']" ]]
  run_cay --template tiny --workdir / -- sh -c 'echo inside'
  [[ $output == inside ]]
  capture "$CAY" template import tiny rootfs.tar.gz
  assert_error 1 tiny
  "$CAY" template import --replace --quiet tiny rootfs
  "$CAY" template rm tiny
  capture "$CAY" template rm tiny
  assert_error 1 tiny
}

@test "a prune on a terminal asks, and a no keeps all" {
  need_root
  mkdir -p rootfs/bin rootfs/etc
  cp "$(command -v busybox)" rootfs/bin/sh || skip "needs a static busybox"
  "$CAY" template import --quiet tiny rootfs
  cat > ask.py <<'PY'
import os, pty, sys
answer, command, said = sys.argv[1], sys.argv[2:], b""
pid, terminal = pty.fork()
if pid == 0:
    os.execv(command[0], command)
while b"[y/N]" not in said:
    said += os.read(terminal, 4096)
os.write(terminal, answer.encode() + b"\n")
try:
    while True:
        piece = os.read(terminal, 4096)
        if not piece:
            break
        said += piece
except OSError:
    pass
print(said.decode())
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
PY
  run python3 ask.py n "$CAY" template prune --unused-for 0s
  [[ $status == 1 && $output == *"  tiny"* && $output == *"nothing was removed"* ]]
  [[ $("$CAY" template ls -q) == *tiny* ]]
  run python3 ask.py y "$CAY" template prune --unused-for 0s
  [[ $status == 0 && $output == *"removed tiny"*"freed "* ]]
  [[ $("$CAY" template ls -q) != *tiny* ]]
}

@test "what takes space is told by kind, and what can be made again is pruned" {
  need_root
  mkdir -p rootfs/bin rootfs/etc state
  chmod 0711 state
  cp "$(command -v busybox)" rootfs/bin/sh || skip "needs a static busybox"
  "$CAY" template import --state-dir "$PWD/state" --quiet tiny rootfs
  run "$CAY" system df --state-dir "$PWD/state"
  [[ $status == 0 && ${lines[0]} == KIND*COUNT*"IN USE"*SIZE*RECLAIMABLE && $output == *"build cache"*budget:*disk:* ]]
  [[ $output != *tiny* ]]
  run "$CAY" system df -v --state-dir "$PWD/state"
  [[ $output == *"  tiny "* ]]
  run "$CAY" system df --json --state-dir "$PWD/state"
  [[ $(json '[r["count"] for r in o["rows"] if r["kind"] == "templates"]') == "[1]" ]]
  mkdir state/templates/.blobs
  head -c 100000 /dev/zero > state/templates/.blobs/part
  run "$CAY" system prune --dry-run --state-dir "$PWD/state"
  [[ $output == *"would remove downloads: part, "*"would free "* && -e state/templates/.blobs/part ]]
  run "$CAY" system prune --older-than 1h --state-dir "$PWD/state"
  [[ $status == 0 && $output == "nothing is there of "* && -e state/templates/.blobs/part ]]
  run "$CAY" system prune --force --json --state-dir "$PWD/state"
  [[ $(json '[r["name"] for r in o["removed"]]') == "['part']" && ! -e state/templates/.blobs/part ]]
  [[ $("$CAY" template ls -q --state-dir "$PWD/state") == *tiny* ]]
  run "$CAY" system prune --all --force --state-dir "$PWD/state"
  [[ $status == 0 && $output == *"removed templates: tiny, "* ]]
  [[ $("$CAY" template ls -q --state-dir "$PWD/state") != *tiny* ]]
}

@test "every command has help, and help is the same" {
  for command in run ps gc doctor completion version template "template import" "template export" \
    "template pull" "template push" "template list" "template ls" "template inspect" "template df" "template rm" "template prune" system "system df" "system prune"; do
    # shellcheck disable=SC2086
    run "$CAY" $command --help
    [[ $status == 0 && $output == "Usage: cay $command"* && $output == *Examples:* ]]
    first=$output
    # shellcheck disable=SC2086
    run "$CAY" help $command
    [[ $output == "$first" ]]
  done
  run "$CAY" --help
  [[ $status == 0 && $output == *"  run "* && $output == *"  doctor "* ]]
}

@test "the version" {
  run "$CAY" version
  [[ $output == "cay "* ]]
  first=$output
  run "$CAY" --version
  [[ $output == "$first" ]]
}

@test "the completions are scripts that their shells take" {
  run "$CAY" completion bash
  [[ $output == *"--memory"* ]]
  bash -n <<<"$output"
  COMP_WORDS=(cay run --mem)
  COMP_CWORD=2
  eval "$output"
  _cay
  [[ ${COMPREPLY[*]} == --memory ]]
  COMP_WORDS=(cay template "")
  _cay
  [[ ${COMPREPLY[*]} == "build import export pull push list ls inspect df rm prune" ]]
  cay() { "$CAY" "$@"; }
  COMP_WORDS=(cay env test python-)
  COMP_CWORD=3
  _cay
  [[ " ${COMPREPLY[*]} " == *" python-3.11 "* ]]
  for shell in zsh fish; do
    run "$CAY" completion $shell
    [[ $status == 0 && $output == *memory* ]]
    if command -v $shell > /dev/null; then $shell -n <(printf '%s\n' "$output"); fi
  done
  capture "$CAY" completion tcsh
  assert_error 125 tcsh
}
