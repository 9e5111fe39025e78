load common

# What somebody who knows docker types in the first hours.

@test "standard streams can be opened by name, by every user" {
  for user in user root 77; do
    capture "$CAY" run -u "$user" 'echo out > /dev/stdout; echo err > /dev/stderr; cat /dev/stdin /proc/self/fd/0' <<< in
    [[ $status == 0 && $output == $'out\nin' && $stderr == err ]]
  done
}

@test "HOME, USER, LOGNAME and SHELL follow the user" {
  run_cay -- sh -c 'echo $HOME $USER $LOGNAME'
  [[ $output == "/home/user user user" ]]
  run_cay -u root -- sh -c 'echo $HOME $USER $LOGNAME'
  [[ $output == "/root root root" ]]
  run_cay -u 77 -- sh -c 'echo $HOME $USER $LOGNAME $SHELL'
  [[ $output == "/ 77 77 /bin/sh" ]]
}

@test "a variable that was given stays, whoever the user is" {
  run_cay -u root -e HOME=/data -- sh -c 'echo $HOME $USER'
  [[ $output == "/data root" ]]
}

@test "a line runs in bash where there is one" {
  [[ -x /bin/bash ]] || skip "this machine has no bash"
  run_cay 'source /dev/null; [[ ab == a* ]] && echo yes'
  [[ $status == 0 && $output == yes ]]
}

@test "a command that names sh gets sh" {
  run_cay -- sh -c 'echo "$0 [${BASH_VERSION:+bash}]"'
  [[ $output == "sh []" || $(readlink -f /bin/sh) == *bash ]]
}

@test "a working directory that is not there is made, and is the user's" {
  run_cay -w /workspace/a/b -- sh -c 'pwd; touch here'
  [[ $status == 0 && $output == /workspace/a/b ]]
  run_cay -w /app/src -- sh -c 'pwd; touch here; stat -c %U /app /app/src'
  [[ $status == 0 && $output == $'/app/src\nuser\nuser' ]]
  run_cay -u root -w /app -- stat -c %U /app
  [[ $output == root ]]
}

@test "a working directory that cannot be made is an error that says why" {
  run_cay -w /etc/passwd/x -- true
  assert_error 125 /etc/passwd/x "Not a directory"
  run_cay -w /proc/x -- true
  assert_error 125 /proc/x
}

@test "/workspace belongs to the user, so git trusts it" {
  command -v git > /dev/null || skip "this machine has no git"
  run_cay 'stat -c "%U %a" /workspace; git init -q . && git status --short && echo trusted'
  [[ $status == 0 && $output == $'user 1777\ntrusted' ]]
  run_cay -u root 'stat -c %U /workspace; git init -q . && git status --short && echo trusted'
  [[ $status == 0 && $output == $'root\ntrusted' ]]
}

@test "git trusts a repository that was copied in" {
  command -v git > /dev/null || skip "this machine has no git"
  mkdir repository
  git -C repository -c init.defaultBranch=main init -q
  touch repository/file
  run_cay --copy repository:/workspace 'git status --short'
  [[ $status == 0 && $output == "?? file" ]]
}

@test "localhost and the own name resolve, whatever the name" {
  run_cay 'getent hosts cay; cat /etc/hostname; python3 -c "import socket; print(socket.gethostbyname(\"localhost\"))"'
  [[ ${lines[0]} == 127.0.1.1*cay && ${lines[1]} == cay && ${lines[2]} == 127.0.0.1 ]]
  run_cay --hostname box.test 'hostname; cat /etc/hostname; getent hosts box.test'
  [[ ${lines[0]} == box.test && ${lines[1]} == box.test && ${lines[2]} == 127.0.1.1*box.test ]]
}

@test "an imported template has hosts, hostname, resolv.conf and a name for its python" {
  mkdir -p tree/usr/bin tree/etc tree/usr/local/bin
  printf '#!/bin/sh\necho snake\n' > tree/usr/local/bin/python3
  chmod +x tree/usr/local/bin/python3
  cp "$(command -v busybox)" tree/usr/bin/busybox
  for applet in sh cat ls stat env hostname; do ln -s busybox "tree/usr/bin/$applet"; done
  ln -s usr/bin tree/bin
  ln -s /somewhere/else tree/etc/resolv.conf
  capture "$CAY" template import names tree
  [[ $status == 0 ]]
  run_cay --template names -- cat /etc/hosts /etc/hostname /etc/resolv.conf
  [[ $status == 0 && $output == *localhost*cay*"no name servers"* ]]
  run_cay --template names --hostname other -- sh -c 'cat /etc/hosts; python'
  [[ $output == *127.0.1.1*other*snake ]]
  run_cay --template names -- stat -c %u /workspace
  [[ $output == 1000 ]]
  capture "$CAY" template rm names
}

@test "python is python3 where there is no other" {
  [[ -x /usr/bin/python3 ]] || skip "this machine has no /usr/bin/python3"
  run_cay 'python -c "import sys; print(sys.version_info[0])"'
  [[ $status == 0 && $output == 3 ]]
}

@test "/dev/shm is as large as the memory limit" {
  run_cay --memory 200m -- sh -c "df --output=size -B1M /dev/shm | tail -n 1 | tr -d ' '"
  [[ $output == 200 ]]
  run_cay --memory 200m -- sh -c 'head -c 100M /dev/zero > /dev/shm/x && stat -c %s /dev/shm/x'
  [[ $output == 104857600 ]]
}

@test "ports below 1024 can be served, and the loopback answers pings" {
  run_cay -- python3 -c 'import socket
server = socket.create_server(("127.0.0.1", 80))
for family, host, echo, kind in ((socket.AF_INET, "127.0.0.1", 8, socket.IPPROTO_ICMP),
                                 (socket.AF_INET6, "::1", 128, socket.IPPROTO_ICMPV6)):
    ping = socket.socket(family, socket.SOCK_DGRAM, kind)
    ping.settimeout(10)
    ping.sendto(bytes([echo, 0, 0, 0, 0, 0, 0, 1]), (host, 0))
    print(len(ping.recv(100)))'
  [[ $status == 0 && $output == $'8\n8' ]]
}

@test "run times see the limits that hold" {
  need_root
  [[ $("$CAY" doctor 2>/dev/null) == *"✓ memory limit"* ]] || skip "no memory controller"
  run_cay --memory 256m --cpus 0.5 --pids 40 -- sh -c 'cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null
    cat /sys/fs/cgroup/cpu.max 2>/dev/null || cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/cpu/cpu.cfs_period_us
    cat /sys/fs/cgroup/pids.max /sys/fs/cgroup/pids/pids.max 2>/dev/null'
  [[ ${output//$'\n'/ } == "268435456 50000 100000 40" ]]
  if command -v java > /dev/null; then
    run_cay --memory 256m -- java -XX:+PrintFlagsFinal -version
    heap=$(grep -o ' MaxHeapSize *= [0-9]*' <<< "$output" | grep -o '[0-9]*$')
    ((heap > 0 && heap <= 268435456 / 2))
  fi
  if command -v node > /dev/null; then
    run_cay --memory 256m -- node -p 'process.constrainedMemory ? process.constrainedMemory() : 268435456'
    [[ $output == 268435456 ]]
  fi
}

@test "what is shown of cgroups cannot be written, and says nothing of others" {
  run_cay -u root 'for p in $(find /sys/fs/cgroup -name cgroup.procs); do mkdir "${p%/*}/x" 2>/dev/null && echo made "$p"; done
    for f in $(find /sys/fs/cgroup -type f); do echo 1 2>/dev/null > "$f" && echo wrote "$f"; done
    awk "!/^#/ && \$3 != 1" /proc/cgroups; ls -A /dev/shm'
  [[ $output == "" ]]
}

@test "a directory of the template can be renamed by its owner" {
  need_root
  run_cay -u root -- python3 -c 'import os
os.rename("/etc/skel", "/etc/skel2")
os.mkdir("/etc/skel")
print(sorted(os.listdir("/etc/skel2")) == sorted(os.listdir("/etc/skel2")), os.listdir("/etc/skel"))'
  [[ $status == 0 && $output == "True []" ]]
}

@test "a file that grows over --file-size is told, and the default is the disk" {
  run_cay --json --file-size 1m -- dd if=/dev/zero of=x bs=1M count=3
  [[ $(json 'o["file_size_exceeded"], o["signal"]') == "(True, 'SIGXFSZ')" ]]
  run_cay --file-size 1m 'dd if=/dev/zero of=x bs=1M count=3'
  [[ $stderr == *"a file grew over the limit of 1m (--file-size)"* ]]
  run_cay --json --disk 2g -- sh -c 'truncate -s 1500M x && ulimit -f'
  [[ $(json 'o["file_size_exceeded"], o["exit_code"]') == "(False, 0)" ]]
}

@test "--read-only leaves the workspace, homes, /tmp and mounts" {
  mkdir shared
  chmod 0777 . shared
  run_cay --read-only --mount "$PWD/shared:/data:rw" --mount "$PWD/shared:/workspace/m:rw" --tmpfs /cache -- sh -c '
    for place in /workspace /workspace/agent_workspace ~ /tmp /var/tmp /dev/shm /data /workspace/m /cache; do
      echo x > $place/f && cat $place/f > /dev/null || echo "not in $place"
    done
    for place in / /usr /etc /var /opt /srv /mnt; do touch $place/f 2>/dev/null && echo "in $place"; done
    touch /etc/f'
  [[ $output == "" && $stderr == *"Read-only file system"* && -s shared/f ]]
  run_cay --read-only --copy shared:/etc/copied -- true
  assert_error 125 "read-only"
  run_cay --read-only --noexec -- sh -c 'cp /bin/true . && ./true'
  [[ $status == 126 ]]
}

@test "--read-only as an ordinary user, and with an imported template" {
  need_root
  unprivileged() {
    setpriv --reuid 65534 --regid 65534 --clear-groups env CAY_STATE_DIR="$BATS_TEST_TMPDIR/state" HOME="$BATS_TEST_TMPDIR" "$CAY" run "$@"
  }
  chmod 0711 "$BATS_RUN_TMPDIR" "$BATS_FILE_TMPDIR" .
  mkdir -m 0700 state && chown 65534:65534 state
  capture unprivileged --read-only -- sh -c 'echo x > /workspace/f && echo x > ~/f && cat /tmp/../workspace/f; touch /etc/f; touch /f'
  [[ $output == x && $(grep -c "Read-only" <<< "$stderr") == 2 ]] || { echo "$output $stderr" >&2; return 1; }
  mkdir -p rootfs/bin rootfs/etc rootfs/usr rootfs/tmp
  cp "$(command -v busybox)" rootfs/bin/busybox
  ln -s busybox rootfs/bin/sh
  tar -C rootfs -cf rootfs.tar .
  "$CAY" template import small rootfs.tar > /dev/null
  run_cay --template small --read-only -u 0 -- busybox sh -c 'busybox touch /tmp/f /workspace/f && busybox echo made
    busybox touch /f /etc/f /usr/f'
  "$CAY" template rm small > /dev/null
  [[ $output == made && $(grep -c "Read-only" <<< "$stderr") == 3 ]]
}

@test "copies, mounts and root work together, and what is made belongs to the owner outside" {
  need_root
  mkdir shared
  echo mine > shared/file
  echo copied > note
  chown -R 1234:1234 shared
  chmod 0711 .
  run_cay -u root --mount "$PWD/shared:/workspace/m:rw" --copy note:/workspace/m/note 'cat /workspace/m/file /workspace/m/note; touch /workspace/m/new'
  [[ $status == 0 && $output == $'mine\ncopied' ]]
  run_cay --mount "$PWD/shared:/workspace/m:rw" --copy note:/workspace/m/note2 'touch /workspace/m/new2'
  [[ $status == 0 ]]
  [[ $(stat -c %u shared/new shared/new2 shared/note shared/note2 | sort -u) == 1234 ]]
  chmod 0777 shared
  run_cay -u 33 --mount "$PWD/shared:/workspace/m:rw" 'touch /workspace/m/others && echo made'
  [[ $output == made && $(stat -c %u shared/others) -gt 65535 ]]
}
