# What every suite of the command line loads. $CAY is the program under test.
export CAY=${CAY:-$BATS_TEST_DIRNAME/../../build/release/cay}

setup_file() {
  export CAY_STATE_DIR="$BATS_FILE_TMPDIR/state"
  mkdir -m 0711 "$CAY_STATE_DIR"
  chmod 0711 "$BATS_FILE_TMPDIR"
}

# Nothing is to be left of any run of the file.
teardown_file() {
  local left
  left=$("$CAY" ps --quiet)
  [[ -z $left ]] || { echo "sandboxes left: $left" >&2; return 1; }
}

setup() {
  cd "$BATS_TEST_TMPDIR" || return
}

need_root() {
  [[ $(id -u) == 0 ]] || skip "needs root"
}

# capture COMMAND…: $status, $output, $lines and $stderr of it. (bats' own `run` warns of exit code
# 127, which is one that we test.)
capture() {
  status=0
  "$@" > "$BATS_TEST_TMPDIR/.stdout" 2> "$BATS_TEST_TMPDIR/.stderr" || status=$?
  output=$(< "$BATS_TEST_TMPDIR/.stdout")
  stderr=$(< "$BATS_TEST_TMPDIR/.stderr")
  mapfile -t lines <<<"$output"
}

run_cay() {
  capture "$CAY" run "$@"
}

# One line on standard error: `cay: ` and all the texts given.
assert_error() {
  local code=$1 text
  shift
  [[ $status == "$code" ]] || { echo "exit code $status, not $code; stderr: $stderr" >&2; return 1; }
  [[ $stderr == "cay: "* && $stderr != *$'\n'* ]] || { echo "not one line: $stderr" >&2; return 1; }
  for text in "$@"; do
    [[ $stderr == *"$text"* ]] || { echo "no \"$text\" in: $stderr" >&2; return 1; }
  done
}

# json EXPRESSION: a Python expression over the object `o` in $output.
json() {
  python3 -c 'import json,sys; o=json.load(sys.stdin); print(eval(sys.argv[1]))' "$1" <<<"$output"
}

# until_true SECONDS COMMAND…: waits for it.
until_true() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@"; do
    ((SECONDS < deadline)) || { echo "never true: $*" >&2; return 1; }
    read -rt 0.05 <> <(:) || :
  done
}
