load client_suite

@test "create, ls, inspect, rm: by id, name and beginning of an id" {
  cay create --name made --label run=17 --memory 128m --json
  [[ $status == 0 && $(json 'o["memory_limit"]') == 128m ]]
  id=$(json 'o["id"]')
  cay ls
  output_has "made" && output_has "$id" && output_has "ID  "
  cay ls -q --label run=17
  [[ $output == "$id" ]]
  cay ls --filter name=mad --filter label=run=17 --format '{{.Name}}:{{.metadata.run}}\t{{.state}}'
  [[ $output == $'made:17\trunning' ]]
  cay ls --filter name=nonesuch -q
  [[ -z $output && $status == 0 ]]
  cay ls --filter "id=${id:3:9}" -q
  [[ $output == "$id" ]]
  cay ls --filter colour=red
  assert_error 125 "none of name, id"
  cay inspect -f '{{.state}} {{.metadata.run}}' made
  [[ $output == "running 17" ]]
  cay inspect -f '{{.nonesuch}}' made
  assert_error 1 "there is no field nonesuch"
  cay inspect -f '{{if .x}}' made
  assert_error 125 "is not understood"
  cay ls --json --label run=18
  [[ $(json 'len(o)') == 0 ]]
  cay inspect "${id:0:8}"
  [[ $(json 'o["metadata"]["run"]') == 17 ]]
  cay rm made
  assert_error 1 "is running" "cay rm -f"
  cay rename "$id" other
  [[ $status == 0 && $output == "$id" ]]
  cay rename other web
  assert_error 1 "web"
  cay update --memory 96m --timeout 2h other
  [[ $status == 0 && $output == "$id" ]]
  cay inspect other
  [[ $(json 'o["memory_limit"]') == 96m && $(json 'o["timeout"]') == 7200 ]]
  cay update other
  assert_error 125 "no change was given"
  "$CAY" exec other -- touch /workspace/kept
  cay restart other
  [[ $status == 0 && $output == "$id" ]]
  cay exec other -- ls /workspace/kept
  [[ $status == 0 ]]
  "$CAY" stop other > /dev/null
  cay rm other
  [[ $status == 0 && $output == "$id" ]]
  cay rm "$id"
  assert_error 1 "$id"
  cay rm -f "$id" other never-there
  [[ $status == 0 && -z $output$stderr ]]
  cay exec other -- true
  assert_error 125 "sandbox other was destroyed at" requested
  cay inspect never-there
  assert_error 1 "there is no sandbox never-there" "cay ls"
}

@test "network, flows: what a sandbox reaches is said, shown and changed" {
  cay create --name reaches --net pypi --allow api.example.com:443 --deny '*.example.org' -q
  [[ $status == 0 ]]
  cay inspect -f '{{.network}}' reaches
  [[ $output == allow ]]
  cay network --json reaches
  [[ $(json 'o["state"]') == open && $(json 'o["presets"][0]["name"]') == pypi ]]
  [[ $(json 'o["allow"][0]') == api.example.com:443 && $(json 'o["deny"][0]') == '*.example.org' ]]
  cay exec reaches -- bash -c 'cat < /dev/tcp/never.example/80'
  [[ $status != 0 ]]
  cay flows reaches
  output_has never.example && output_has denied && output_has "no rule allows it"
  cay flows --json reaches
  [[ $(head -1 <<< "$output") == *'"verdict":"denied"'* ]]
  "$CAY" flows --follow --denied --after 0 reaches > followed 3>&- &
  follower=$!
  cay exec reaches -- bash -c 'cat < /dev/tcp/later.example/80'
  for ((i = 0; i < 100; ++i)); do grep -q later.example followed && break; sleep 0.1; done
  kill "$follower"
  [[ $(head -1 followed) == TIME* ]] && grep -q never.example followed && grep -q later.example followed
  cay update --net none reaches
  [[ $status == 0 ]]
  cay network reaches
  output_has "mode             none" && output_has "state            none"
  cay update --allow 10.0.0.1:5432 reaches
  assert_error 1 network.private_allowed
  cay update --net nonesuch reaches
  assert_error 125 nonesuch
  cay create --net none --name quiet --json
  [[ $(json 'o["network"]') == none ]]
  cay rm -f reaches quiet
}

@test "net check --sandbox: what a sandbox's network would do is asked of the server, and nothing is done" {
  cay create --name asked --net open --deny '*.example.com' -q
  [[ $status == 0 ]]
  cay net check --sandbox asked 1.1.1.1:53
  [[ $status == 0 ]]
  output_has "1.1.1.1, port 53: allowed" && output_has "would be connected to"
  cay net check --sandbox asked --json 169.254.169.254:80
  [[ $status == 1 && $(json 'o["allowed"]') == False && $(json 'o["addresses"][0]["allowed"]') == False ]]
  there=$output
  cay net check --net open --deny '*.example.com' --json 169.254.169.254:80
  [[ $output == "$there" ]]
  cay net check --sandbox asked www.example.com
  [[ $status == 1 ]]
  output_has denied && output_has '*.example.com'
  cay stop asked
  cay net check --sandbox asked 1.1.1.1:53
  [[ $status == 0 ]]
  cay flows --json asked
  [[ $output == "" ]]
  cay net check --sandbox asked --net open 1.1.1.1
  assert_error 125 "goes with none of"
  cay net check --sandbox nobody 1.1.1.1
  assert_error 1 "there is no sandbox nobody"
  cay rm -f asked
}

@test "a proxy's password is taken from the environment, and told nowhere" {
  cay net check --net open --proxy http://me:hunter2@proxy.example:3128 1.1.1.1
  assert_error 125 CAY_NETWORK_PROXY
  [[ $stderr != *hunter2* ]]
  export CAY_NETWORK_PROXY=http://me:hunter2@192.0.2.1:3128
  cay net check --net open example.com
  [[ $status == 0 && $output$stderr != *hunter2* ]]
  output_has "http://192.0.2.1:3128 would be asked to connect"
  cay net check --net open --json 192.0.2.1:3128
  [[ $status == 1 ]]
  cay config show
  [[ $status == 0 && $output != *hunter2* && $output == *"http://me:***@192.0.2.1:3128"* ]]
}

@test "the beginning of an id has four letters, and no name goes before its owner's" {
  id=$("$CAY" create)
  cay inspect -f '{{.id}}' "${id:0:4}"
  [[ $output == "$id" ]]
  cay inspect "${id:0:3}"
  assert_error 1 "there is no sandbox"
  cay rm -f "${id:0:3}" ""
  assert_error 1 "is not a sandbox's name"
  cay rm -f "$id"
  [[ $output == "$id" ]]
}

@test "exec streams both outputs byte for byte and exits as the command did" {
  cay exec web -- sh -c 'echo out; echo err >&2; exit 3'
  [[ $status == 3 && $output == out && $stderr == err ]]
  head -c 3000000 /dev/urandom > in
  "$CAY" exec web -- cat < in > out
  cmp in out
  cay exec web 'printf %s "$0"; exit 0'
  [[ $output == *bash ]]
  cay exec -e A=1 -w /tmp web -- sh -c 'echo $A $PWD'
  [[ $output == "1 /tmp" ]]
}

@test "--read-only holds for commands, files and after a stop" {
  cay create --name fixed --read-only --json
  [[ $(json 'o["read_only"], o["from_pool"]') == "(True, False)" ]]
  for _ in 1 2; do
    cay exec -u 0 fixed 'touch /workspace/f /tmp/f && echo made; touch /etc/f /usr/f'
    [[ $output == made && $(grep -c "Read-only" <<< "$stderr") == 2 ]]
    echo x > x
    cay cp x fixed:/workspace/x
    [[ $status == 0 ]]
    cay cp x fixed:/etc/x
    assert_error 1 "read-only"
    cay stop fixed
    cay start fixed
  done
  cay rm -f fixed
}

@test "health is one line, and 0 or 1" {
  cay create --name ill --memory 128m
  cay health ill
  [[ $status == 0 && $output =~ ^HEALTHY:\ Memory=[0-9]+%\ CPU=[0-9]+%$ ]]
  cay health --json ill
  [[ $status == 0 && $(json 'o["health"], o["state"]') == "('HEALTHY', 'running')" ]]
  cay exec -d ill -- python3 -c 'import time; x = bytearray(b"x") * (112 << 20); time.sleep(600)'
  unhealthy() {
    cay health ill
    [[ $status == 1 && $output =~ ^UNHEALTHY:\ Memory\ usage\ exceeds\ threshold:\ [0-9]+% ]]
  }
  until_true 60 unhealthy
  cay health --json ill
  [[ $status == 1 && $(json 'o["health"]') == UNHEALTHY ]]
  cay create --name full --disk 16m
  cay exec full -- sh -c 'cat /dev/zero > /workspace/big'
  cay health full
  [[ $status == 1 && $output == "UNHEALTHY: "*"Disk is full"* ]]
  cay rm -f full
  cay stop ill
  cay health ill
  [[ $status == 1 && $output == "UNHEALTHY: "*stopped* && $stderr == "" ]]
  cay rm -f ill
  cay health ill
  assert_error 1 ill
}

@test "--limits of a file, and options before it" {
  printf 'memory_limit = 128m\npids_limit = 20\ncpu_time_limit = 300\n' > limits.conf
  cay create --name limited --limits limits.conf --pids 30 --json
  [[ $(json 'o["memory_limit"], o["pids_limit"], o["limits"]["cpu_time"]') == "('128m', 30, 300)" ]]
  cay rm -f limited
  printf 'pids_limit = many\n' > limits.conf
  cay create --limits limits.conf
  assert_error 125 "line 1" pids_limit
}

@test "--cpu-time of a sandbox and of a command" {
  cay create --name counted --cpu-time 1s --json
  [[ $(json 'o["limits"]["cpu_time"]') == 1 ]]
  cay exec counted 'while :; do :; done'
  [[ $status == 152 && $stderr == *"used up its processor time"* ]]
  cay exec --cpu-time 1m counted 'ulimit -t'
  [[ $status == 0 && $output == 60 ]]
  cay exec --cpu-time 0 counted 'ulimit -t'
  [[ $status == 0 && $output == unlimited ]]
  cay exec --cpu-time 1.5s counted true
  assert_error 125 "whole seconds"
  cay events --json
  output_has '"cpu_time_exceeded":true'
  cay rm -f counted
}

@test "exec passes on any bytes, and what has to be text says so" {
  cay exec -e A=$'\xfe' -w $'/tmp/d\xff' web sh -c 'printf "$1$A$2"; pwd | tail -c 3' -- $'\xff' é
  [[ $output == $'\xff\xfeéd\xff' ]]
  cay exec --tag $'\xff' web true
  assert_error 125 '"tag" is not UTF-8'
  cay create --label $'a=\xff'
  assert_error 125 '"metadata.a" is not UTF-8'
  cay exec -u nobody-there web true
  assert_error 125 "nobody-there"
}

@test "exec says 124, 126, 127, 125 and 128+n" {
  cay exec --timeout 300ms web -- sleep 60
  [[ $status == 124 && $stderr == *"timed out"* ]]
  cay exec web -- /etc/passwd
  assert_error 126 /etc/passwd
  cay exec web -- no-such-command
  assert_error 127 no-such-command
  cay exec web -- sh -c 'kill -9 $$'
  [[ $status == 137 ]]
  cay exec nobody -- true
  assert_error 125 nobody "cay ls"
  cay exec web
  assert_error 125 "no command"
}

@test "--env-file on create and exec is docker's: lines as they are, -e wins" {
  printf '# a note\n\nA=from file\nB="quoted"\nPASSED\n' > vars
  PASSED=through "$CAY" create --name vars --env-file vars -e A=typed > /dev/null
  # shellcheck disable=SC2016
  cay exec vars -- sh -c 'echo "$A|$B|$PASSED"'
  [[ $output == 'typed|"quoted"|through' ]]
  # shellcheck disable=SC2016
  cay exec --env-file vars -e B=typed vars -- sh -c 'echo "$A|$B"'
  [[ $output == 'from file|typed' ]]
  echo '=x' > vars
  cay exec --env-file vars vars -- true
  assert_error 125 "--env-file vars" "line 1"
  cay create --env-file none
  assert_error 1 "--env-file" "none"
  "$CAY" rm -f vars > /dev/null
}

@test "-n passes no input on, so a loop keeps its own" {
  seq 3 > lines
  while read -r line; do "$CAY" exec -n web -- cat && echo "$line"; done < lines > out
  [[ $(< out) == $'1\n2\n3' ]]
  while read -r line; do "$CAY" run -n -- cat && echo "$line"; done < lines > out
  [[ $(< out) == $'1\n2\n3' ]]
  cay exec -n -i web -- cat
  assert_error 125 "-n and -i"
  cay run -n -t -- cat
  assert_error 125 "-n and -t"
}

post_request() {
  curl -s --unix-socket "$BATS_FILE_TMPDIR/cay.sock" -d @request "http://localhost/api/sandboxes/web/$1"
}

@test "a command line that is too long is refused in words" {
  local long
  long=$(head -c 131072 /dev/zero | tr '\0' x)
  # Longer than this kernel hands over to cay itself: in the request.
  python3 -c 'import json; print(json.dumps({"command": ["echo", "x" * 140000]}))' > request
  output=$(post_request execute)
  [[ $(json 'o["code"]') == limit_too_high ]]
  output_has "argument list too long: 140000 bytes, over the maximum of 131071 for one argument"
  output=$(post_request processes)
  output_has "argument list too long"
  # shellcheck disable=SC2046
  cay run -- echo $(seq 17000)
  assert_error 125 "argument list too long: 17001"
  # shellcheck disable=SC2046
  cay exec web -- echo $(seq 17000)
  assert_error 125 "argument list too long: 17001"
  cay run -e "A=${long:4}" -e "B=${long:4}" -- sh -c 'echo ${#A}'
  [[ $output == 131068 ]]
}

@test "signals are passed on to the command" {
  "$CAY" exec web -- sh -c 'trap "echo heard; exit 5" TERM; echo ready; while :; do sleep 0.1; done' > out 3>&- &
  pid=$!
  until_true 20 grep -q ready out
  kill -TERM "$pid"
  status=0
  wait "$pid" || status=$?
  [[ $status == 5 ]] && grep -q heard out
}

# Nothing comes from the command meanwhile, and the server's next ping is up to 15 s away.
@test "a signal is not late when the command is silent, and a second one ends it" {
  "$CAY" exec web -- sh -c 'trap "echo heard" TERM; echo ready; while :; do sleep 0.1; done' > out < /dev/null 3>&- &
  local client=$!
  until_true 10 grep -q ready out
  kill -TERM "$client"
  until_true 10 grep -q heard out
  kill -TERM "$client"
  until_true 10 server_gone "$client"
  status=0
  wait "$client" || status=$?
  [[ $status == 143 ]]
}

@test "output behind a filter is whole, and what a daemon writes later is said to be cut" {
  cay exec web -- bash -c 'exec > >(sleep .3; cat); echo hello'
  [[ $status == 0 && $output == hello && $stderr == "" ]]
  cay exec web -- sh -c '(setsid sleep 100 &); echo hello'
  [[ $status == 0 && $output == hello && $stderr == *"output cut"* ]]
  cay exec -q web -- sh -c '(setsid sleep 100 &); echo hello'
  [[ $status == 0 && $output == hello && $stderr == "" ]]
}

@test "a reader that goes away ends the command" {
  run bash -c '"$CAY" exec web -- yes | head -n 1'
  [[ $output == y ]]
  until_true 20 nothing_runs
}

has_logged() { [[ $("$CAY" logs web "$process") == one ]]; }

nothing_runs() { ! "$CAY" ps web | grep -q ' running '; }

@test "in the background: ps, logs, wait, kill, attach" {
  cay exec -d --tag job web -- sh -c 'echo one; exec sleep 100'
  process=$output
  cay ps web
  output_has running && output_has job
  until_true 20 has_logged
  cay kill -s TERM web "$process"
  [[ $status == 0 ]]
  cay wait web "$process"
  [[ $output == 143 ]]
  cay exec -d web -- sleep 100
  process=$output
  cay kill web "$process"
  cay wait --json web "$process"
  [[ $(json 'o["signal"]') == SIGKILL ]]
  cay attach web "$process"
  [[ $status == 137 ]]
}

@test "logs: all that is held, as often as it is asked for" {
  "$CAY" create --name long > /dev/null
  local process
  process=$("$CAY" exec -d long -- seq 1 60000)
  "$CAY" wait long "$process" > /dev/null
  for _ in {1..8}; do
    [ "$("$CAY" logs long "$process" | md5sum)" = "$(seq 1 60000 | md5sum)" ]
    [ "$("$CAY" logs --tail 2 long "$process")" = $'59999\n60000' ]
  done
}

@test "logs: of a whole sandbox, the last lines, and since when" {
  "$CAY" create --name talk > /dev/null
  cay logs talk
  [[ $status == 0 && -z $output ]]
  first=$("$CAY" exec -d talk -- sh -c 'seq 100; printf end')
  "$CAY" wait talk "$first" > /dev/null
  cay logs talk
  [[ ${lines[0]} == 1 && ${lines[100]} == end && $output != *"==>"* ]]
  cay logs --tail 3 talk "$first"
  [[ $output == $'99\n100\nend' ]]
  cay logs --tail 0 talk "$first"
  [[ $status == 0 && -z $output ]]
  cay logs -n 500 talk "$first"
  [[ ${#lines[@]} == 101 ]]
  second=$("$CAY" exec -d talk -- sh -c 'echo here; exec sleep 1000')
  until_true 20 "$BASH" -c "\"$CAY\" logs talk $second | grep -q here"
  cay logs --tail 1 talk
  [[ $output == "==> $first: sh -c seq 100; printf end <=="$'\nend\n'"==> $second: "*" <=="$'\nhere' ]] || { echo "$output" >&2; return 1; }
  cay logs --since 2099-01-01 talk
  [[ $output == here ]]
  cay logs --since 2020-01-31 --tail 1 talk
  [[ $output == *end* ]]
  cay logs --since 2020-13-31 talk
  assert_error 125 --since
  cay logs --since 2099-01-01T00:00:00Z talk
  [[ $output == here ]]
  cay logs --since 1d --tail 1 talk "$first"
  [[ $output == end ]]
  "$CAY" exec -d talk -- sleep 1000 > /dev/null
  cay logs -f talk
  assert_error 1 "only one can be followed"
  cay logs --from 3 talk
  assert_error 125 "--from"
  "$CAY" rm -f talk > /dev/null
}

@test "logs -f loses nothing when the server is restarted under it" {
  process=$("$CAY" exec -d web -- sh -c 'i=0; while [ $i -lt 400 ]; do i=$((i+1)); echo "line $i"; sleep 0.01; done')
  "$CAY" logs -f web "$process" > out 2> err 3>&- &
  pid=$!
  until_true 20 grep -q 'line 20$' out
  end_server KILL
  start_server
  status=0
  wait "$pid" || status=$?
  [[ $status == 0 ]]
  seq 400 | sed 's/^/line /' | cmp - out
  grep -q 'the connection was lost' err && grep -q 'connected again' err
}

@test "exec goes on over a restart of the server, and exits as the command did" {
  "$CAY" exec web -- sh -c 'i=0; while [ $i -lt 300 ]; do i=$((i+1)); echo "line $i"; sleep 0.01; done; exit 9' > out 2> err < /dev/null 3>&- &
  pid=$!
  until_true 20 grep -q 'line 20$' out
  end_server TERM
  start_server
  status=0
  wait "$pid" || status=$?
  [[ $status == 9 ]]
  seq 300 | sed 's/^/line /' | cmp - out
}

@test "cp: files, directories and tar streams, both ways" {
  mkdir -p tree/sub
  echo hello > tree/a
  head -c 100000 /dev/urandom > tree/sub/b
  chmod 755 tree/a
  "$CAY" cp tree/a web:/tmp/single
  cay exec web -- cat /tmp/single
  [[ $output == hello ]]
  "$CAY" cp tree web:/tmp/copy
  "$CAY" cp web:/tmp/copy back
  diff -r tree back
  "$CAY" cp tree web:/tmp/copy
  cay exec web -- ls /tmp/copy
  output_has tree
  "$CAY" cp tree/. web:/tmp/contents
  "$CAY" cp web:/tmp/contents/a ./
  cmp a tree/a
  [[ -x a ]]
  "$CAY" cp web:/tmp/copy/sub - | tar t | grep -q b
  tar c tree | "$CAY" cp - web:/tmp/streamed
  cay exec web -- cat /tmp/streamed/tree/a
  [[ $output == hello ]]
  cay cp web:/tmp/none .
  assert_error 1 /tmp/none
  cay cp a b
  assert_error 125 "SANDBOX:PATH"
}

@test "cp and files of a stopped sandbox" {
  "$CAY" create --name still > /dev/null
  "$CAY" exec still -- sh -c 'echo result > /workspace/result'
  "$CAY" stop still > /dev/null
  "$CAY" cp still:/workspace/result .
  [[ $(< result) == result ]]
  echo more > more
  "$CAY" cp more still:/workspace/more
  cay files ls -q still /workspace
  output_has /workspace/more
  cay files put still more /dev/shm/more
  assert_error 1 "is in memory" "start it first"
  cay ls --json
  [[ $(json '[s["state"] for s in o if s["name"] == "still"]') == "['stopped']" ]]
  "$CAY" start still > /dev/null
  cay exec still -- cat /workspace/more
  [[ $output == more ]]
  "$CAY" rm -f still > /dev/null
}

@test "cp: slashes and directories mean what they mean to docker cp" {
  mkdir -p d/sub
  echo hello > f
  echo deep > d/sub/g
  "$CAY" files mkdir -p web /tmp/cp/there
  "$CAY" cp f web:/tmp/cp/there
  "$CAY" cp f web:/tmp/cp/there/
  "$CAY" cp f web:/tmp/cp/new/name
  "$CAY" cp d/ web:/tmp/cp/there
  "$CAY" cp d web:/tmp/cp/other/
  "$CAY" cp d/. web:/tmp/cp/there
  cay exec web -- sh -c 'cd /tmp/cp && find . -type f | sort'
  [[ $output == $'./new/name\n./other/sub/g\n./there/d/sub/g\n./there/f\n./there/sub/g' ]]
  cay cp f web:/tmp/cp/none/
  assert_error 1 "there is no directory /tmp/cp/none/" "make it first"
  cay cp d web:/tmp/cp/there/f
  assert_error 1 "/tmp/cp/there/f exists and is not a directory"
  cay cp f web:/tmp/cp/there/f/
  assert_error 1 "not a directory"
  cay cp none web:/tmp
  assert_error 1 "none: there is nothing of that name on this machine" "SANDBOX:PATH"
  cay cp web:/tmp/cp/none here
  assert_error 1 "/tmp/cp/none: there is nothing of that name in the sandbox" "cay files ls"
  [[ ! -e here ]]

  mkdir here
  "$CAY" cp web:/tmp/cp/there/f here
  "$CAY" cp web:/tmp/cp/there/f here/
  "$CAY" cp web:/tmp/cp/there/f named
  "$CAY" cp web:/tmp/cp/other here
  "$CAY" cp web:/tmp/cp/other/ made
  "$CAY" cp web:/tmp/cp/other/. here
  [[ $(find here made named -type f | sort) == $'here/f\nhere/other/sub/g\nhere/sub/g\nmade/sub/g\nnamed' ]]
  for target in nowhere/ nowhere/x; do
    cay cp web:/tmp/cp/there/f "$target"
    assert_error 1 "there is no directory nowhere"
  done
  cay cp web:/tmp/cp/other nowhere/x
  assert_error 1 "there is no directory nowhere" "mkdir -p nowhere"
  cay cp web:/tmp/cp/other named
  assert_error 1 "named exists and is not a directory"
  [[ ! -e nowhere && $(< named) == hello ]]
}

@test "files: names may be any bytes, and are shown without what they would do to a terminal" {
  name=$'a\xff\x1b[2J\n\xc2\x9b'
  shown='a\xff\x1b[2J\x0a\xc2\x9b'
  "$CAY" files mkdir web "/tmp/$name" /tmp/raw
  echo content > "$name"
  "$CAY" cp "$name" "web:/tmp/$name"
  cay files ls web "/tmp/$name"
  output_has "$shown"
  cay files ls -q web "/tmp/$name"
  [[ $output == "/tmp/$shown/$shown" ]]
  cay files ls --json web "/tmp/$name"
  [[ $(json 'o[0]["path_base64"]' | base64 -d) == "/tmp/$name/$name" ]]
  [[ $output != *[$'\x1b\xff']* && $output != *$'\xc2\x9b'* ]]
  "$CAY" files mv web "/tmp/$name/$name" /tmp/raw/$'moved\xfe'
  cay files cat web /tmp/raw/$'moved\xfe'
  [[ $output == content ]]
  "$CAY" cp web:/tmp/raw/$'moved\xfe' "back"
  "$CAY" cp web:/tmp/raw raw
  cmp back raw/$'moved\xfe'
  "$CAY" cp raw web:/tmp/again
  "$CAY" files rm web /tmp/again/$'moved\xfe'
  cay files stat web /tmp/raw/$'no\x1b\xff'
  assert_error 1 '/tmp/raw/no\x1b'
  "$CAY" files rm -r web "/tmp/$name" /tmp/raw
}

@test "files: mkdir, put, ls, stat, cat, mv, get, rm" {
  "$CAY" files mkdir -p web /tmp/files/x
  echo content | "$CAY" files put --mode 0600 web - /tmp/files/x/f
  cay files ls web /tmp/files/x
  output_has "-rw-------" && output_has " f"
  cay files stat --json web /tmp/files/x/f
  [[ $(json 'o["size"]') == 8 ]]
  "$CAY" files mv web /tmp/files/x/f /tmp/files/g
  cay files cat web /tmp/files/g
  [[ $output == content ]]
  "$CAY" files get web /tmp/files/g here
  [[ $(< here) == content ]]
  cay files ls -q --depth 2 web /tmp/files
  output_has /tmp/files/g
  cay files rm web /tmp/files
  [[ $status == 1 ]]
  "$CAY" files rm -r web /tmp/files
  cay files stat web /tmp/files
  assert_error 1 /tmp/files
}

@test "files watch says what changes" {
  "$CAY" files mkdir -p web /tmp/watched
  "$CAY" files watch web /tmp/watched > out 3>&- &
  pid=$!
  # What happens before the watch begins is not told, so it happens until it is.
  until_true 20 changes_are_seen
  "$CAY" files mv web /tmp/watched/f /tmp/watched/g
  until_true 20 grep -qx "renamed  f -> g" out
  echo x | "$CAY" files put web - /tmp/watched/put
  until_true 20 grep -qx "created  put" out
  kill "$pid"
  ! grep -q cay-write out
}

changes_are_seen() {
  "$CAY" exec web -- sh -c "rm -f /tmp/watched/f; touch /tmp/watched/f"
  grep -q created out
}

@test "pause, resume, stop, start, reset, extend" {
  "$CAY" create --name life > /dev/null
  for step in "pause paused" "pause paused" "resume running" "resume running" "stop stopped" "stop stopped" "start running" \
    "start running" "pause paused" "stop stopped" "start running" "reset running"; do
    cay "${step% *}" --json life
    [[ $status == 0 && $(json 'o["state"]') == "${step#* }" ]] || { echo "$step: $output $stderr" >&2; return 1; }
  done
  cay extend life 10m
  output_has "ends in"
  "$CAY" stop life > /dev/null
  cay pause life
  assert_error 1 "stopped" "start it first"
  cay exec life true
  assert_error 125 "stopped" "start it first"
  "$CAY" rm -f life > /dev/null
}

@test "stats, top, system, events, template list" {
  cay stats web
  output_has MEMORY && output_has web
  cay stats nope
  assert_error 1 nope
  [[ -z $output ]]
  cay stats --json web
  [[ $(json 'o[0]["pids"] >= 1') == True ]]
  cay top --once
  output_has web
  cay system
  output_has version
  cay system df
  output_has "build cache" && output_has "budget:"
  cay system df --json
  [[ $(json 'len(o["rows"])') == 10 ]]
  cay system prune --dry-run --json
  [[ $(json '"freed_bytes" in o') == True ]]
  cay events
  output_has sandbox.created
  cay events --json web
  [[ $output == *'"type"'* ]]
  cay template list -q
  output_has host
}

@test "without a server every command says how to start one" {
  for command in "ls" "create" "stats" "events" "rm x" "cp a x:b" "files ls x" "system" "ps x" "wait x 1" "keys list"; do
    # shellcheck disable=SC2086
    cay $command --url http://127.0.0.1:1
    assert_error 1 "no server at http://127.0.0.1:1: connection refused" "cay serve" || { echo "$command" >&2; return 1; }
  done
  cay exec --url http://127.0.0.1:1 x -- true
  assert_error 125 "no server at"
}

@test "completions of all three shells know the commands and ask for sandboxes" {
  for shell in bash zsh fish; do
    cay completion "$shell"
    output_has "cay ls --names" && output_has "inspect" && output_has "idle-timeout"
  done
  unset -f cay  # of this file: the script calls the program
  source <("$CAY" completion bash)
  PATH="$(dirname "$CAY"):$PATH"
  COMP_WORDS=(cay inspect w) COMP_CWORD=2
  _cay
  [[ ${COMPREPLY[0]} == web ]]
}

# The last one: from its first key on the server wants one.
@test "port: what listens in a sandbox, on loopback here" {
  echo 'from inside' | "$CAY" files put web - page.txt
  process=$("$CAY" exec -d web -- python3 -m http.server 8000 --bind 127.0.0.1)
  "$CAY" port web 8000 0 > address 2> err 3>&- &
  pid=$!
  until_true 20 page_is_there
  curl -sf --path-as-is -o /dev/null "$(< address)/../page.txt" && return 1
  [[ $(curl -s -o /dev/null -w '%{http_code}' -H 'Origin: http://elsewhere.example' "$(< address)/page.txt") == 403 ]]
  [[ $(curl -s -o /dev/null -w '%{http_code}' "$(< address)/not-there") == 404 ]]
  cay port web 8000 "$(grep -o '[0-9]*$' address)"
  assert_error 1 LOCAL
  cay port web 0
  assert_error 125 "not a port"
  cay port nobody 8000
  assert_error 1 nobody
  kill -TERM "$pid"
  wait "$pid"
  cay kill web "$process"
}

page_is_there() { [[ $(curl -sf "$(< address)/page.txt") == "from inside" ]]; }

# The last: from here on the server wants a key.
@test "keys, and contexts that keep them" {
  key=$("$CAY" keys create ci --scope admin 2> /dev/null)
  [[ $key == cay_* ]]
  echo "$key" > "$BATS_FILE_TMPDIR/key"
  "$CAY" context add here "$CAY_URL" --api-key-file "$BATS_FILE_TMPDIR/key" --use
  [[ $(stat -c %a "$HOME/.config/cay/contexts.json") == 600 ]]
  cay context list
  output_has here
  [[ $output != *"$key"* ]]
  url=$CAY_URL
  unset CAY_URL
  cay ls
  [[ $status == 0 ]] && output_has web
  cay ls --url "$url"
  [[ $status == 1 ]]
  cay create --name web --json
  [[ $status == 0 ]]
  team=$("$CAY" keys create team --owner team-a --quiet)
  CAY_API_KEY=$team cay create --url "$url" --name web -q
  CAY_API_KEY=$team cay create --url "$url" --name theirs -q
  theirs=$output
  cay ls --owner team-a -q
  [[ $(wc -l <<< "$output") == 2 && $output == *"$theirs"* ]]
  cay exec team-a/web -- echo hello
  [[ $status == 0 && $output == hello ]]
  echo text > text
  cay cp text team-a/theirs:/tmp/
  [[ $status == 0 ]]
  cay files cat "$theirs" /tmp/text
  [[ $output == text ]]
  # A name alone is the key's own owner's.
  cay inspect -f '{{.owner}}' web
  [[ $status == 0 && $output != team-a && $output != local ]]
  cay exec theirs -- true
  assert_error 125 "there is no sandbox theirs" team-a/theirs
  cay rm -f theirs
  assert_error 1 "there is no sandbox theirs" team-a/theirs
  cay inspect -f '{{.owner}}' team-a/theirs
  [[ $output == team-a ]]
  cay rm -f team-a/web team-a/theirs
  [[ $status == 0 ]]
  other=$("$CAY" keys create other --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["id"])')
  cay keys list
  output_has "$other"
  second=$("$CAY" keys create second --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["id"])')
  cay keys list -q
  output_has "$other" && output_has "$second"
  cay keys revoke nonesuch "$other" "$second"
  assert_error 1 nonesuch
  # The others went all the same, and only what works is listed by -q.
  cay keys list -q
  [[ $output != *"$other"* && $output != *"$second"* && -n $output ]]
  cay keys list -q --local --state-dir "$CAY_STATE_DIR"
  [[ $output != *"$other"* && -n $output ]]
  "$CAY" context rm here
}
