load common

@test "the result has every field" {
  run_cay --json -- sh -c 'echo out; echo err >&2; exit 3'
  [[ $status == 3 && -z $stderr ]]
  [[ $(json 'o["stdout"], o["stderr"], o["exit_code"], o["signal"]') == "('out\\n', 'err\\n', 3, None)" ]]
  [[ $(json 'o["timed_out"], o["oom_killed"], o["disk_full"]') == "(False, False, False)" ]]
  [[ $(json 'o["duration_ms"] >= 0 and o["stdout_truncated"] is False and o["not_enforced"] == []') == True ]]
  need_root
  [[ $(json 'o["cpu_ms"] >= 0 and o["memory_peak"] > 0') == True ]]
}

@test "output that is no text is in base64" {
  run_cay --json -- printf '\377\376'
  [[ $(json 'o["stdout"], o["stdout_encoding"]') == "('//4=', 'base64')" ]]
}

@test "of a long output the beginning and the end are held, a mebibyte in all, and the gap is said" {
  run_cay --json -- sh -c 'head -c 3000000 /dev/zero | tr "\0" x; echo end'
  [[ $(json 'o["stdout"][-4:], o["stdout_truncated"], o["stdout_gap"]["at"]') == "('end\\n', True, 524288)" ]]
  [[ $(json 'len(o["stdout"]) - len("\n[%d bytes omitted]\n" % o["stdout_gap"]["bytes"])') == 1048576 ]]
  [[ $(json 'o["stdout_dropped_bytes"]') == $((3000004 - 1048576)) ]]
}

@test "a timeout and a signal are in the result" {
  run_cay --json --timeout 300ms -- sleep 10
  [[ $status == 124 && $(json 'o["timed_out"], o["exit_code"], o["signal"]') == "(True, 124, 15)" ]]
  run_cay --json --timeout 300ms -- sh -c 'trap "echo bye; exit 3" TERM; while :; do sleep 0.05; done'
  [[ $status == 124 && $(json 'o["timed_out"], o["exit_code"], o["stdout"]') == "(True, 124, 'bye\\n')" ]]
  run_cay --json --timeout 300ms --kill-grace 300ms -- sh -c 'trap "echo no" TERM; while :; do sleep 0.05; done'
  [[ $status == 124 && $(json 'o["timed_out"], o["exit_code"], o["stdout"]') == "(True, 124, 'no\\n')" ]]
  run_cay --json -- sh -c 'kill -9 $$'
  [[ $status == 137 && $(json 'o["signal"], o["exit_code"]') == "(9, 137)" ]]
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
