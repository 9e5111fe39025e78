load common

# No sandbox is made.
setup_file() { :; }
teardown_file() { :; }

@test "what ./dev install puts down is a program that runs and a unit that names it" {
  command -v systemd-analyze > /dev/null || skip "no systemd here"
  prefix="$BATS_TEST_TMPDIR/a&b"
  capture "$BATS_TEST_DIRNAME/../../dev" install --prefix "$prefix" --program="$CAY"
  [[ $status == 0 ]] || { echo "$output $stderr" >&2; return 1; }
  [[ $("$prefix/bin/cay" --version) == "$("$CAY" --version)" ]]
  unit=$prefix/lib/systemd/system/cay.service
  grep -qx "ExecStart=$prefix/bin/cay serve" "$unit"
  capture systemd-analyze verify "$unit"
  [[ $status == 0 && -z $output$stderr ]] || { echo "$output $stderr" >&2; return 1; }
}

@test "DESTDIR is where the files go, and not what they say" {
  prefix=$(mktemp -u /opt/cay-XXXXXXXX)
  DESTDIR="$BATS_TEST_TMPDIR/staged" capture "$BATS_TEST_DIRNAME/../../dev" install --prefix "$prefix" --program="$CAY"
  [[ $status == 0 && $stderr == *"$BATS_TEST_TMPDIR/staged$prefix/bin/cay"* ]] || { echo "$output $stderr" >&2; return 1; }
  [[ $("staged$prefix/bin/cay" --version) == "$("$CAY" --version)" && ! -e $prefix ]]
  grep -qx "ExecStart=$prefix/bin/cay serve" "staged$prefix/lib/systemd/system/cay.service"
}

@test "the unit in the tree names where ./dev install puts the program by default" {
  grep -qx "ExecStart=/usr/local/bin/cay serve" "$BATS_TEST_DIRNAME/../../packaging/systemd/cay.service"
  grep -q "local prefix=/usr/local " "$BATS_TEST_DIRNAME/../../tools/install.sh"
}
