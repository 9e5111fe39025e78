load common

@test "a command's output and exit code are its own" {
  run_cay -- python3 -c 'import sys; print("hello"); print("oops", file=sys.stderr); sys.exit(3)'
  [[ $status == 3 && $output == hello && $stderr == oops ]]
}

@test "a signal's number is in the exit code" {
  run_cay -- sh -c 'kill -SEGV $$'
  [[ $status == 139 ]]
}

@test "one string with spaces runs through the shell" {
  run_cay 'echo one; exit 4'
  [[ $status == 4 && $output == one ]]
}

@test "after -- one string is the name of a program" {
  run_cay -- 'echo one'
  [[ $status == 127 ]]
}

@test "options after the command are the command's" {
  run_cay echo --memory -t
  [[ $output == "--memory -t" ]]
}

@test "standard input is piped through, byte for byte" {
  head -c 3000000 /dev/urandom > in
  "$CAY" run -- cat < in > out
  cmp in out
}

@test "output of many megabytes arrives whole on both streams" {
  "$CAY" run -- python3 -c 'import os
for i in range(400):
    os.write(1, b"o" * 10000); os.write(2, b"e" * 10000)' > out 2> err
  [[ $(wc -c < out) == 4000000 && $(wc -c < err) == 4000000 ]]
  [[ $(tr -d o < out | wc -c) == 0 && $(tr -d e < err | wc -c) == 0 ]]
}

@test "output streams as it comes" {
  mkfifo pipe
  "$CAY" run -- sh -c 'echo first; read line; echo got $line' < pipe > out &
  pid=$!
  exec 7> pipe
  until_true 10 grep -q first out
  echo word >&7
  exec 7>&-
  wait "$pid"
  [[ $(< out) == $'first\ngot word' ]]
}

@test "a command that does not read its input ends all the same" {
  yes | head -c 5000000 | "$CAY" run -- true
  mkfifo pipe
  exec 7<> pipe
  timeout 10 "$CAY" run -- true < pipe
}

@test "a reader that goes away ends the command as SIGPIPE does" {
  set +o pipefail
  timeout 20 "$CAY" run -- yes | head -n 1 > first
  codes=("${PIPESTATUS[@]}")
  [[ ${codes[0]} == 141 && $(< first) == y ]]
}

@test "a reader that is slow loses nothing" {
  "$CAY" run -- sh -c 'seq 200000' | python3 -c 'import sys,time
total = 0
for i, line in enumerate(sys.stdin):
    if i % 40000 == 0: time.sleep(0.05)
    total += int(line)
print(total)' > out
  [[ $(< out) == 20000100000 ]]
}

@test "the environment is the template's and what was named" {
  printf '# note\nFROM_FILE=1\nBOTH=file\nMINE\n' > vars
  SECRET=x MINE=y run_cay --env-file vars -e BOTH=option -e MINE2=z -e NOT_THERE -- env
  [[ $output == *FROM_FILE=1* && $output == *BOTH=option* && $output == *MINE=y* ]]
  [[ $output == *MINE2=z* && $output != *SECRET* && $output != *NOT_THERE* ]]
  [[ $output == *HOME=/home/user* && $output == *PATH=* ]]
}

@test "the command is an ordinary user without capabilities in a working directory it may write" {
  run_cay -- sh -c 'id -u; pwd; grep -E "^(CapEff|CapBnd|NoNewPrivs|Seccomp):" /proc/self/status; touch x && echo written'
  [[ ${lines[0]} == 1000 && ${lines[1]} == /workspace ]]
  [[ $output == *$'CapEff:\t0000000000000000'* && $output == *$'CapBnd:\t0000000000000000'* ]]
  [[ $output == *$'NoNewPrivs:\t1'* && $output == *$'Seccomp:\t2'* && $output == *written ]]
}

@test "only descriptors 0 to 2 are there" {
  exec 8< /etc/passwd
  run_cay -- sh -c 'ls /proc/self/fd | tr "\n" " "'
  [[ $output == "0 1 2 3 " ]]  # 3 is ls's own
}

@test "--user, --workdir and --hostname" {
  need_root
  run_cay --user root --workdir /tmp --hostname box -- sh -c 'id -u; pwd; hostname 2>/dev/null || cat /proc/sys/kernel/hostname; echo $HOME'
  [[ $output == $'0\n/tmp\nbox\n/root' ]]
  run_cay --user 1000:1000 -- id -g
  [[ $output == 1000 ]]
}

@test "--tmpfs is an empty directory of the size that was asked for" {
  run_cay --tmpfs /cache:8m -- sh -c 'df -k /cache | tail -1 | awk "{print \$2}"; dd if=/dev/zero of=/cache/x bs=1M count=16 2>/dev/null; stat -c %s /cache/x'
  [[ ${lines[0]} == 8192 && ${lines[1]} -le 8388608 ]]
}

@test "--noexec keeps what was written from being executed" {
  run_cay --noexec -- sh -c 'cp /bin/true x; ./x'
  [[ $status == 126 ]]
  run_cay -- sh -c 'cp /bin/true x; ./x'
  [[ $status == 0 ]]
}

@test "nothing of one run is seen by the next" {
  run_cay -- sh -c 'echo secret > /workspace/x; echo secret > /tmp/x'
  run_cay -- sh -c 'ls /workspace/x /tmp/x 2>/dev/null'
  [[ -z $output ]]
}

@test "--timing shows every stage on standard error" {
  run_cay --timing -- true
  [[ $status == 0 && -z $output ]]
  for stage in launcher template prepare clone exec start command destroy total; do
    [[ $stderr == *"$stage "* ]]
  done
}

@test "--scratch memory and disk" {
  run_cay --scratch memory -- sh -c 'echo x > /workspace/x && cat /workspace/x'
  [[ $output == x ]]
  need_root
  run_cay --scratch disk -- sh -c 'echo x > /workspace/x && cat /workspace/x'
  [[ $output == x ]]
}

@test "cay starts with its standard descriptors closed" {
  "$CAY" run -- true <&- >&- 2>&-
}
