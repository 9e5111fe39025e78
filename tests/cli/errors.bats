load common

@test "an unknown option names the nearest" {
  run_cay --memroy 1g -- true
  assert_error 125 "--memroy: there is no such option" "did you mean --memory?"
}

@test "an unknown command names the nearest" {
  capture "$CAY" rnu
  assert_error 125 "rnu: there is no such command" "did you mean cay run?"
}

@test "without a command there is the help, and the version in three spellings" {
  capture "$CAY"
  [[ $status == 0 && $output == "Usage: cay COMMAND"* && -z $stderr ]]
  capture "$CAY" template
  [[ $status == 0 && $output == "Usage: cay template"* ]]
  version=$("$CAY" version)
  [[ $("$CAY" --version) == "$version" && $("$CAY" -v) == "$version" ]]
  capture "$CAY" version --json
  [[ "cay $(json 'o["version"]')" == "$version" && $(json 'o["guest_protocol"] > 0') == True ]]
}

@test "a command line that makes no sense is 125, whatever the command" {
  for line in "ls --bogus" "create --memory" "rm" "inspect" "rename one" "version x" "ps a b" "gc x"; do
    # shellcheck disable=SC2086
    capture "$CAY" $line
    assert_error 125 || { echo "$line" >&2; return 1; }
  done
}

@test "what docker run users type is taken, or leads on" {
  run_cay --rm -- true
  [[ $status == 0 ]]
  run_cay --name web -- true
  assert_error 125 "cay create --name web"
  run_cay -d -- true
  assert_error 125 "cay exec -d"
  run_cay python:3.12 python -c 'print(1)'
  assert_error 127 "python:3.12: command not found" "--template"
  run_cay host echo hello
  assert_error 127 "cay run --template host -- COMMAND"
  run_cay nonesuch
  assert_error 127 "nonesuch: command not found"
  [[ $stderr != *--template* ]]
}

@test "bad values say how a good one looks" {
  run_cay --memory 12q -- true
  assert_error 125 "--memory" "as in 512m"
  run_cay --cpus 0 -- true
  assert_error 125 "--cpus"
  run_cay --timeout soon -- true
  assert_error 125 "--timeout"
  run_cay --pids -- true
  assert_error 125 "--pids"
  run_cay --memory
  assert_error 125 "--memory: a value is missing"
}

@test "no command" {
  run_cay
  assert_error 125 "no command was given"
}

@test "a template that is not there" {
  run_cay --template nonesuch -- true
  assert_error 125 nonesuch host
}

@test "a mount that cannot be read" {
  run_cay --mount /nonexistent:/m -- true
  assert_error 125 "--mount /nonexistent" "No such file"
  run_cay --mount /dev/null:/m -- true
  assert_error 125 "neither a directory nor a regular file"
  run_cay --mount relative -- true
  assert_error 125 "SRC:DST"
}

@test "a source to copy that is not there" {
  run_cay --copy nonesuch:x -- true
  assert_error 125 "--copy nonesuch:x" "No such file"
}

@test "an env file that is not there or is wrong" {
  run_cay --env-file nonesuch -- true
  assert_error 125 "--env-file" nonesuch
  echo '=x' > bad
  run_cay --env-file bad -- true
  assert_error 125 "line 1"
}

@test "a command that does not exist is 127" {
  run_cay -- no-such-command
  assert_error 127 no-such-command
  run_cay -- /no/such/file
  assert_error 127 /no/such/file
}

@test "a directory and a file without permission are 126" {
  run_cay -- /usr
  assert_error 126 /usr
  run_cay -- /etc/passwd
  assert_error 126 /etc/passwd
}

@test "a working directory that cannot be made, or a user that is not there" {
  run_cay --workdir /etc/passwd/below -- true
  assert_error 125 /etc/passwd/below
  run_cay --user nobody-here -- true
  assert_error 125 nobody-here
}

@test "a file name cannot forge a second line" {
  run_cay --mount $'/none\nsuch:/m' -- true
  assert_error 125 '\x0a'
}

@test "a limit that cannot be enforced is refused, and with --best-effort named" {
  need_root
  unprivileged() {
    setpriv --reuid 65534 --regid 65534 --clear-groups env CAY_STATE_DIR="$BATS_TEST_TMPDIR/state" HOME="$BATS_TEST_TMPDIR" "$CAY" run "$@"
  }
  chmod 0711 "$BATS_RUN_TMPDIR" "$BATS_FILE_TMPDIR" .
  mkdir -m 0700 state && chown 65534:65534 state
  capture unprivileged -- id -u
  [[ $status == 0 && $output == 1000 ]]
  capture unprivileged --memory 64m -- true
  assert_error 125 memory "--best-effort"
  capture unprivileged --best-effort --memory 64m -- echo ran
  [[ $status == 0 && $output == ran && $stderr == *"not enforced here:"*memory* ]]
  capture unprivileged --best-effort --quiet --memory 64m -- echo ran
  [[ $status == 0 && -z $stderr ]]
}

@test "of another user's state directory it is not said that it should be removed" {
  need_root
  mkdir -m 0711 others
  chown 1234 others
  capture env CAY_STATE_DIR="$PWD/others" "$CAY" run -- true
  assert_error 125 "others" "another user's" CAY_STATE_DIR
  [[ $stderr != *"remove it"* ]]
}
