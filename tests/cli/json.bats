load common

@test "the result has every field" {
  run_cay --json -- sh -c 'echo out; echo err >&2; exit 3'
  [[ $status == 3 && -z $stderr ]]
  [[ $(json 'o["stdout"], o["stderr"], o["exit_code"], o["signal"]') == "('out\\n', 'err\\n', 3, None)" ]]
  [[ $(json 'o["timed_out"], o["oom_killed"], o["disk_full"]') == "(False, False, False)" ]]
  [[ $(json 'o["duration_ms"] >= 0 and o["stdout_truncated"] is False and o["not_enforced"] == []') == True ]]
  need_root
  [[ $(json 'o["cpu_ms"] >= 0 and o["memory_peak_bytes"] == o["memory_peak"] > 0') == True ]]
}

@test "output that is no text is in base64" {
  run_cay --json -- printf '\377\376'
  [[ $(json 'o["stdout"], o["stdout_base64"]') == "('��', '//4=')" ]]
}

@test "of a long output the beginning and the end are held, a mebibyte in all, and the gap is said" {
  run_cay --json -- sh -c 'head -c 3000000 /dev/zero | tr "\0" x; echo end'
  [[ $(json 'o["stdout"][-4:], o["stdout_truncated"], o["stdout_gap"]["at"]') == "('end\\n', True, 524288)" ]]
  [[ $(json 'len(o["stdout"]) - len("\n[%d bytes omitted]\n" % o["stdout_gap"]["bytes"])') == 1048576 ]]
  [[ $(json 'o["stdout_bytes"], o["truncated_by"]') == "(3000004, 'max_output')" ]]
}

@test "a timeout and a signal are in the result" {
  run_cay --json --timeout 300ms -- sleep 10
  [[ $status == 124 && $(json 'o["timed_out"], o["exit_code"], o["signal"]') == "(True, None, 'SIGTERM')" ]]
  run_cay --json --timeout 300ms -- sh -c 'trap "echo bye; exit 3" TERM; while :; do sleep 0.05; done'
  [[ $status == 124 && $(json 'o["timed_out"], o["exit_code"], o["stdout"]') == "(True, 3, 'bye\\n')" ]]
  run_cay --json --timeout 300ms --kill-grace 300ms -- sh -c 'trap "echo no" TERM; while :; do sleep 0.05; done'
  [[ $status == 124 && $(json 'o["timed_out"], o["exit_code"], o["stdout"]') == "(True, None, 'no\\n')" ]]
  run_cay --json -- sh -c 'kill -9 $$'
  [[ $status == 137 && $(json 'o["signal"], o["exit_code"]') == "('SIGKILL', None)" ]]
}

@test "the stages are in the result with --timing" {
  run_cay --json --timing -- true
  [[ -z $stderr && $(json 'set(["launcher", "clone", "exec", "command", "destroy"]) <= set(o["timing_us"])') == True ]]
}

@test "Cay's own failure is an object too" {
  run_cay --json -- no-such-command
  assert_error 127 no-such-command
  [[ $(json 'o["exit_code"], o["error"]["code"]') == "(127, 'command_not_found')" ]]
}

@test "output behind a filter is whole; what was cut is said" {
  run_cay --json -- bash -c 'exec > >(sleep .3; cat); echo hello'
  [[ $(json 'o["stdout"], o["output_cut"], o["exit_code"]') == "('hello\\n', False, 0)" ]]
  run_cay --json -- sh -c '(setsid sleep 100 &); echo hello'
  [[ $(json 'o["stdout"], o["output_cut"], o["exit_code"]') == "('hello\\n', True, 0)" ]]
  run_cay -- sh -c '(setsid sleep 100 &); echo hello'
  [[ $status == 0 && $output == hello && $stderr == *"output cut"* ]]
}

@test "the fields that a server's execution has, too, are as there" {
  need_root
  load server
  start_server
  sandbox=$("$CAY" create --disk 8m)
  # The disk is full from the last but one on, here and there; only of a command that failed is it said.
  for command in 'exit 3' 'kill -9 $$' 'printf "\377"' 'head -c 3000000 /dev/zero' 'trap "exit 5" TERM; sleep 100 & wait' \
    'head -c 64m /dev/zero > /tmp/full' 'head -c 64m /dev/zero > /tmp/full; exit 0'; do
    python3 -c 'import json, sys; print(json.dumps({"command": ["sh", "-c", sys.argv[1]], "timeout": "500ms"}))' "$command" > request
    curl -s --unix-socket "$BATS_FILE_TMPDIR/cay.sock" -d @request "http://localhost/api/sandboxes/$sandbox/execute" > server.json
    "$CAY" run --json --disk 8m --timeout 500ms -- sh -c "$command" > run.json || :
    python3 - << 'PYTHON'
import json
here, there = (json.load(open(name)) for name in ("run.json", "server.json"))
varies = {"duration_ms", "cpu_ms"}
own = {"memory_peak", "memory_peak_bytes", "not_enforced"}
assert set(here) - own <= set(there), set(here) - own - set(there)
for key in set(here) & set(there):
    assert type(here[key]) == type(there[key]), key
    assert key in varies or here[key] == there[key], (key, str(here[key])[:80], str(there[key])[:80])
PYTHON
    [[ $command != *full ]] || grep -q '"disk_full":true' run.json
  done
  stop_server
}
