load common

setup() {
  cd "$BATS_TEST_TMPDIR" || return
  need_root
}

@test "memory over the limit is killed, said and in the result" {
  run_cay --memory 128m -- python3 -c 'x = bytearray(300 * 1024 * 1024)'
  [[ $status == 137 && $stderr == *"killed: out of memory (limit 128m)"* ]]
  run_cay --memory 128m --json -- python3 -c 'x = bytearray(300 * 1024 * 1024)'
  [[ $(json 'o["oom_killed"], o["signal"], o["exit_code"]') == "(True, 9, 137)" ]]
  [[ $(json 'o["memory_peak"] <= 128 * 2**20 and o["memory_peak"] > 100 * 2**20') == True ]]
}

@test "a fork bomb under --pids ends with the timeout" {
  run_cay --pids 32 --timeout 2s -- sh -c 'f() { f | f & }; f; sleep 60' 2> /dev/null
  [[ $status == 124 && $stderr == *"timed out after 2s"* ]]
}

@test "writing over --disk gets ENOSPC and is in the result" {
  run_cay --disk 64m --json -- dd if=/dev/zero of=/workspace/x bs=1M count=200
  [[ $(json '"No space left" in o["stderr"], o["exit_code"]') == "(True, 1)" ]]
  [[ $(json 'o["disk_full"]') == True ]]
  run_cay --disk 64m --json -- dd if=/dev/zero of=/workspace/x bs=1M count=20
  [[ $(json 'o["disk_full"], o["exit_code"]') == "(False, 0)" ]]
}

@test "a timeout ends daemons that hold the output" {
  start=$SECONDS
  run_cay --timeout 2s -- sh -c '(setsid sleep 77 &) ; sleep 77'
  [[ $status == 124 && $((SECONDS - start)) -le 4 ]]
  [[ $stderr == "cay: timed out after 2s" ]]
  run pgrep -f 'sleep 77'
  [[ $status == 1 ]]
}

@test "a daemon that holds the output does not hold the command's end" {
  start=$SECONDS
  run_cay -- sh -c '(setsid sleep 78 &) ; echo ended; exit 5'
  [[ $status == 5 && $output == ended && $((SECONDS - start)) -le 5 ]]
  run pgrep -f 'sleep 78'
  [[ $status == 1 ]]
}

@test "--timeout 0 is no limit and --quiet says nothing" {
  run_cay --timeout 0 -- true
  [[ $status == 0 ]]
  run_cay --quiet --timeout 200ms -- sleep 10
  [[ $status == 124 && -z $stderr ]]
}
