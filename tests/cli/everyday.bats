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
