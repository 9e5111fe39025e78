# The commands of the pages for people, as they stand: each block of shell in a network namespace of its own, in
# which a server listens on 127.0.0.1:8888 (and 8003), line by line, each of which must succeed.
load common

# Each page begins with a server that nobody has used: some make keys, and from then on one is needed.
setup() {
  need_root
  cd "$BATS_TEST_TMPDIR" || return
  chmod 0711 "$BATS_FILE_TMPDIR" "$BATS_TEST_TMPDIR"
  export CAY_STATE_DIR="$BATS_TEST_TMPDIR/state"
  mkdir -m 0711 "$CAY_STATE_DIR"
  mkdir bin
  ln -s "$(realpath "$CAY")" bin/cay
}

teardown() {
  local left
  left=$("$CAY" ps --quiet)
  [[ -z $left ]] || { echo "sandboxes left: $left" >&2; return 1; }
}

# run_page PAGE HEADING [BEFORE]: all blocks of shell from HEADING (a line) to the next heading of its level. BEFORE: a
# line of shell that is run in the same namespace before them.
run_page() {
  local page=$BATS_TEST_DIRNAME/../../$1
  python3 - "$page" "$2" > blocks.sh <<'PYTHON'
import re, sys
text, heading = open(sys.argv[1]).read(), sys.argv[2]
level = len(heading) - len(heading.lstrip("#")) if heading else 0
if heading:
    begin = text.index(heading + "\n")
    rest = text[begin + len(heading):]
    end = re.search(r"^#{1,%d} " % level, rest, re.M)
    text = rest[:end.start()] if end else rest
blocks = re.findall(r"^```sh\n(.*?)^```", text, re.M | re.S)
assert blocks, "no commands on the page"
print("".join(blocks))
PYTHON
  printf '%s\n' "${3:-:}" > before.sh
  cat > in_namespace.sh <<'SHELL'
set -euo pipefail
ip link set lo up
source ./before.sh
export PATH="$BATS_TEST_TMPDIR/bin:$PATH" HOME="$PWD"
unset CAY_URL CAY_API_KEY XDG_CONFIG_HOME
cay serve --listen 127.0.0.1:8888 --listen 127.0.0.1:8003 > server.log 2>&1 3>&- &
server=$!
trap 'kill "$server"; wait "$server"' EXIT
for ((i = 0; i < 300; i++)); do
  curl -sf http://127.0.0.1:8888/ready > /dev/null && break
  sleep 0.1
done
curl() { command curl --fail-with-body "$@"; }
set -x
source ./blocks.sh
set +x
# Where the page has revoked its keys it has removed its sandboxes: teardown sees whether.
{ cay ls -q || :; } | xargs -r cay rm -f
SHELL
  run timeout 240 unshare --net bash in_namespace.sh < /dev/null
  [[ $status == 0 ]] || { printf '%s\n' "$output" "$(cat server.log)" >&2; return 1; }
}

@test "README: the first API call" {
  run_page README.md "## The first API call"
  [[ $output == *'"text":"step 1'* && $output == *exited* ]]
  [[ $(< out.txt) == $'step 1\nstep 2\nstep 3' ]]
}

@test "README: the client" {
  echo hello > README.md
  run_page README.md "## The client"
  [[ $output == *$'\n42\n'* ]]
}

@test "docs/quickstart.md" {
  run_page docs/quickstart.md ""
  [[ $(< out.txt) == "made inside" ]]
}

@test "docs/migration.md: the earlier systems" {
  run_page docs/migration.md "## From five earlier systems"
  [[ $output == *"a,b"* ]]
}

@test "docs/cli.md: templates" {
  [[ -x $(command -v docker-registry) && -x $(command -v skopeo) && -x /bin/busybox ]] || skip "no registry of images here"
  mkdir -p rootfs/bin
  cp /bin/busybox rootfs/bin/
  run_page docs/cli.md '## `cay template`' "python3 -B '$BATS_TEST_DIRNAME/../template/images.py' '$PWD/registry' 5000 3>&-"
  [[ $output == *$'/srv\n0\nhello\n'* ]]
}

@test "docs/cli.md: builds" {
  [[ -x /bin/busybox ]] || skip "no busybox here"
  mkdir -p app/bin
  cp /bin/busybox app/bin/sh
  echo f4ke > token.txt
  cat > app/Dockerfile <<'DOCKERFILE'
FROM scratch AS base
COPY bin/sh /bin/sh
RUN ["/bin/sh", "-c", "echo built > /out"]
FROM base AS test
ARG WHO=nobody
RUN ["/bin/sh", "-c", "test $WHO = you"]
FROM base
ENTRYPOINT ["/bin/sh", "-c", "read line < /out; echo it was $line"]
DOCKERFILE
  cat > app/private.Dockerfile <<'DOCKERFILE'
FROM scratch
COPY bin/sh /bin/sh
RUN --mount=type=secret,id=token ["/bin/sh", "-c", "read t < /run/secrets/token; test $t = f4ke"]
DOCKERFILE
  run_page docs/cli.md '## `cay template build`'
  [[ $output == *$'it was built\n'* && $output == *"2 of 2 steps cached"* ]]
}

@test "docs/cli.md: environments" {
  [[ -x /bin/busybox ]] || skip "no busybox here"
  run_page docs/cli.md '## `cay env`'
  [[ $output == *python-3.11* && $output == *"2 passed, 0 failed"* && $output == *busybox* ]]
}

@test "docs/cli.md: sandboxes of a server" {
  mkdir app
  echo 'print(1)' > app/main.py
  run_page docs/cli.md '## Sandboxes of a server'
}

@test "docs/network.md: networks of sandboxes" {
  [[ -n $(compgen -G '/usr/lib/postgresql/*/bin/initdb') ]] || skip "postgresql is not installed"
  run_page docs/network.md '## Networks of sandboxes'
  [[ $output == *$'\nfrom the other sandbox\n'* && $output == *"database db"* ]]
}

@test "docs/network.md: published ports" {
  run_page docs/network.md '## Published ports'
  grep -q 'Directory listing' answer.html
}

@test "docs/network.md: secrets under a server" {
  echo t0ken > token
  run_page docs/network.md '## Secrets under a server'
  [[ $output == *"my-api (MY_API)"* ]]
  ! grep -rq t0ken "$CAY_STATE_DIR" server.log
}
