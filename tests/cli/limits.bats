load common

setup() {
  cd "$BATS_TEST_TMPDIR" || return
  need_root
}

@test "memory over the limit is killed, said and in the result" {
  run_cay --memory 128m -- python3 -c 'x = bytearray(300 * 1024 * 1024)'
  [[ $status == 137 && $stderr == *"killed: out of memory (limit 128m)"* ]]
  run_cay --memory 128m --json -- python3 -c 'x = bytearray(300 * 1024 * 1024)'
  [[ $(json 'o["oom_killed"], o["signal"], o["exit_code"]') == "(True, 'SIGKILL', None)" ]]
  [[ $(json 'o["memory_peak"] <= 128 * 2**20 and o["memory_peak"] > 100 * 2**20') == True ]]
}

@test "a fork bomb under --pids ends with the timeout" {
  run_cay --pids 32 --timeout 2s -- sh -c 'f() { f | f & }; f; exec sleep 60' 2> /dev/null
  [[ $status == 124 && $stderr == *"timed out after 2s"* ]]
}

@test "a command that uses up --cpu-time is ended, said and in the result" {
  run_cay --cpu-time 1s 'while :; do :; done'
  [[ $status == 152 && $stderr == "cay: used up its processor time (--cpu-time)" ]]
  run_cay --cpu-time 1 --json -- python3 -c 'while True: pass'
  [[ $(json 'o["cpu_time_exceeded"], o["signal"]') == "(True, 'SIGXCPU')" ]]
  run_cay --cpu-time 1 --json -- sh -c 'trap "" XCPU; while :; do :; done'
  [[ $(json 'o["cpu_time_exceeded"], o["signal"]') == "(True, 'SIGKILL')" ]]
  run_cay --cpu-time 1m --json -- sh -c 'ulimit -t 5m 2>/dev/null; ulimit -t; kill -9 $$'
  [[ $(json 'o["cpu_time_exceeded"], o["stdout"]') == "(False, '60\\n')" ]]
  run_cay --cpu-time 1500ms true
  assert_error 125 "--cpu-time" "whole seconds"
}

@test "--limits takes them from a file, options go before it, and what is no limit is refused with its line" {
  printf '# build jobs\nmemory_limit = 128m\npids_limit = 20\nopen_files_limit = 64\nfile_size_limit = "1m"\ncpu_time_limit = 5m\ndisk_limit=64m\ncpu_limit = 0.5\n' > limits.conf
  run_cay --limits limits.conf -- sh -c 'ulimit -n; ulimit -t; ulimit -f; ulimit -St'
  [[ $output == $'64\n300\n'* && ${lines[3]} == 300 ]]
  run_cay --cpu-time 1m --limits limits.conf --memory 64m -- sh -c 'ulimit -t; cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null'
  [[ ${lines[0]} == 60 && ${lines[1]} == $((64 << 20)) ]]
  run_cay --memory 64m --limits limits.conf --json -- python3 -c 'x = bytearray(100 << 20)'
  [[ $(json 'o["oom_killed"]') == True ]]
  run_cay --limits limits.conf --json -- python3 -c 'x = bytearray(100 << 20)'
  [[ $(json 'o["oom_killed"], o["exit_code"]') == "(False, 0)" ]]
  printf '\nmemory = 1g\n' > limits.conf
  run_cay --limits limits.conf -- true
  assert_error 125 "limits.conf" "line 2" '"memory"'
  printf 'cpu_limit = many\n' > limits.conf
  run_cay --limits limits.conf -- true
  assert_error 125 "line 1" "cpu_limit" "many"
  run_cay --limits nowhere.conf -- true
  assert_error 125 "nowhere.conf"
  run_cay --limits a --limits b -- true
  assert_error 125 "only once"
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
