# shellcheck shell=bash
# shellcheck disable=SC2317 # lint_check calls the checks by their names
# lint.sh: what ./dev lint and ./dev format do. Sourced by ./dev, whose `root`, `jobs`, `say`, `die`
# and `quietly` it uses. Each check prints what is wrong and returns 1; lint runs them all.
: "${root:?}" "${build_root:?}" "${jobs:?}"

# Every tracked or new file that matches, relative to the tree.
lint_files() { git -C "$root" ls-files --cached --others --exclude-standard -- "$@" | sort -u; }

lint_sources() { lint_files 'src/*.h' 'src/*.cc' 'tests/*.h' 'tests/*.cc' 'bench/*.h' 'bench/*.cc'; }

lint_scripts() {
  local file
  lint_files | while IFS= read -r file; do
    [[ -f $root/$file ]] || continue
    case $file in
      *.sh) printf '%s\n' "$file" ;;
      *.bats | *.md | *.cc | *.h) ;;
      *) [[ $(head -c 64 -- "$root/$file" | tr -d '\0' | head -n 1) != '#!'*sh ]] || printf '%s\n' "$file" ;;
    esac
  done
}

check_format() {
  (cd "$root" && lint_sources | xargs -r -d '\n' clang-format-19 --dry-run -Werror)
}

check_scripts() { (cd "$root" && lint_scripts | xargs -r -d '\n' shellcheck -x); }

# A file of more than 500 lines has two concepts in it. (Functions: readability-function-size.)
check_lengths() {
  local file lines status=0
  while IFS= read -r file; do
    [[ -f $root/$file ]] || continue
    lines=$(wc -l <"$root/$file")
    ((lines <= 500)) && continue
    printf '%s: %d lines are more than 500\n' "$file" "$lines"
    status=1
  done < <(lint_sources; lint_scripts)
  return "$status"
}

# Everything here is written by hand, and so small: what is larger was made by a program, or came in unseen.
check_sizes() {
  ! (cd "$root" && lint_files | tr '\n' '\0' |
    xargs -0 sh -c 'find "$@" -maxdepth 0 -size +256k -printf "%p: larger than 256 KiB\n" 2>/dev/null' _ | grep .)
}

# Comments as wide as the code, documents at most 120 characters. Examples in comments (indented), tables and blocks of
# code are laid out by hand.
# shellcheck disable=SC2016 # the variables are perl's
check_widths() {
  ! (cd "$root" && {
    lint_sources | xargs -r -d '\n' perl -CSD -lne '
      print "$ARGV:$.: a comment of over 100" if length > 100 && m{^ *// (?!NOLINT)[^ ]};
      close ARGV if eof'
    lint_files '*.md' | xargs -r -d '\n' perl -CSD -lne '
      $code = !$code if /^ *```/;
      print "$ARGV:$.: a line of over 120" if length > 120 && !$code && !/^\|/;
      if (eof) { close ARGV; $code = 0 }'
  } | grep .)
}

# A TRY that returns from the middle of a braced list leaves the members before it undestroyed (GCC 12): what it needs stands in a
# line of its own before it.
check_initializers() {
  ! (cd "$root" && lint_sources | grep -v '_test\.cc$' | xargs -r -d '\n' grep -nE \
    '^[[:space:]]*\.[a-z_]+ = (.*[^a-zA-Z_])?TRY\(|\{[^{}]*, (\.[a-z_]+ = )?TRY\(')
}

# layer FOLDER: the folders under src/ that it may include from, itself among them.
layer() {
  case $1 in
    base) echo base ;;
    json) echo base json ;;
    crypto) echo base crypto ;;
    protocol) echo base protocol ;;
    archive) echo base archive ;;
    store) echo base store ;;
    network) echo base json crypto http protocol network ;;
    volume) echo base json archive volume ;;
    http) echo base crypto http ;;
    guest_link) echo base protocol archive guest_link ;;
    config) echo base network archive protocol guest_link volume engine template build store sandbox http api config ;;
    guest) echo base protocol archive guest ;;
    engine) echo base protocol volume engine ;;
    template) echo base json network crypto http archive protocol volume engine template ;;
    build) echo base json network crypto http archive protocol guest_link volume engine template build ;;
    sandbox) echo base json network crypto archive protocol guest_link volume engine template build store sandbox ;;
    api) echo base json network crypto archive protocol guest_link volume engine template build store sandbox http api ;;
    cli) echo base json network crypto archive protocol guest guest_link volume engine template build store sandbox http api config cli ;;
    *) return 1 ;;
  esac
}

# room FOLDER: which other rooms of its layer a folder below src/ may include from. Lowest first.
room() {
  case $1 in
    base | base/testing) ;;
    base/os | base/supply | base/names) echo base ;;
    base/loop | base/ipc) echo base base/os ;;
    base/bpf) echo base base/os ;;
    guest/io | guest/files) ;;
    guest/confinement) echo guest/io ;;
    guest/spawn) echo guest/files guest/confinement ;;
    guest/processes) echo guest/io guest/confinement guest/spawn ;;
    guest/operations) echo guest/io guest/files guest/spawn guest/processes ;;
    guest/sudo) echo guest/spawn guest/processes ;;
    guest) echo guest/io guest/files guest/confinement guest/processes guest/operations guest/sudo ;;
    network/policy) ;;
    network/wire) echo network/policy ;;
    network/link) echo network/policy ;;
    network/resolver) echo network/policy ;;
    network/transfer) echo network/policy ;;
    network/names) echo network/{policy,wire,transfer} ;;
    network/cache) echo network/link ;;
    network/intercept) echo network/{policy,link,cache} ;;
    network/relay) echo network/{policy,wire,link,resolver,transfer,names,cache,intercept} ;;
    volume/disk) ;;
    volume) echo volume/disk ;;
    volume/store) echo volume volume/disk ;;
    engine | engine/native/ids | engine/native/ipc | engine/native/seccomp) echo engine ;;
    engine/native/cgroup) echo engine ;;
    engine/native/rootfs) echo engine engine/native/{ids,cgroup} ;;
    engine/native/spawn) echo engine engine/native/{ids,ipc,cgroup,seccomp,rootfs} ;;
    engine/native/record) echo engine engine/native/{ids,ipc,rootfs} ;;
    engine/native/network) echo engine engine/native/{ipc,spawn} ;;
    engine/native/launcher) echo engine engine/native/{ids,ipc,cgroup,rootfs,spawn,record,network} ;;
    engine/native/probe) echo engine engine/native/{cgroup,spawn,network} ;;
    engine/native) echo engine engine/native/{ipc,cgroup,spawn,record,network,launcher,probe} ;;
    engine/fake) echo engine ;;
    engine/factory) echo engine engine/native ;;
    template/oci | template/dockerfile/patterns | template/environment) ;;
    template/dockerfile) echo template/oci template/dockerfile/patterns ;;
    template) echo template/oci ;;
    template/registry/rules) echo template/oci ;;
    template/registry) echo template/oci template/registry/rules ;;
    template/layers) ;;
    template/saved) echo template/oci ;;
    template/host | template/import) echo template template/layers ;;
    template/metadata) echo template template/{oci,layers,host} ;;
    template/store) echo template template/{oci,layers,saved,host,import,environment,metadata} ;;
    template/usage) echo template template/{layers,metadata,store} ;;
    template/export) echo template template/{oci,layers,saved,metadata,store} ;;
    template/space) echo template template/{metadata,store,usage} ;;
    template/pull) echo template template/{oci,saved,metadata,store,space,export,registry} template/registry/rules ;;
    build | build/copy/tar) ;;
    build/copy) echo build/copy/tar ;;
    build/cache | build/run) echo build ;;
    build/fetch) echo build build/run ;;
    build/stages) echo build build/{copy,cache,run,fetch} ;;
    build/packing) echo build build/{copy,stages} ;;
    build/packages/rules) ;;
    build/packages) echo build build/{copy,cache,run,stages} build/packages/rules ;;
    http) ;;
    http/wire) echo http ;;
    http/transport) echo http http/wire ;;
    http/server | http/client) echo http http/{wire,transport} ;;
    sandbox) ;;
    sandbox/startup/rules | sandbox/commands | sandbox/events | sandbox/records) echo sandbox ;;
    sandbox/rules) echo sandbox sandbox/startup/rules ;;
    sandbox/state) echo sandbox sandbox/{rules,records} sandbox/startup/rules ;;
    sandbox/projects) echo sandbox sandbox/events ;;
    sandbox/secrets) echo sandbox sandbox/rules ;;
    sandbox/network) echo sandbox sandbox/{rules,events,secrets} ;;
    sandbox/templates) echo sandbox sandbox/events ;;
    sandbox/volumes) echo sandbox ;;
    sandbox/lifecycle) echo sandbox sandbox/{rules,events,records,state,projects,secrets,network,templates,volumes} sandbox/startup/rules ;;
    sandbox/builds) echo sandbox sandbox/{events,secrets,network,templates,lifecycle} ;;
    sandbox/processes) echo sandbox sandbox/{rules,commands,events,state,network,lifecycle} ;;
    sandbox/startup) echo sandbox sandbox/{lifecycle,processes} sandbox/startup/rules ;;
    api) ;;
    api/openapi) echo api api/{gate,webhooks} api/rest/processes ;;
    api/gate) echo api ;;
    api/dispatch) echo api api/gate ;;
    api/webhooks) echo api api/{gate,dispatch} ;;
    api/rest) echo api ;;
    api/rest/files | api/rest/sandboxes) echo api api/rest ;;
    api/rest/processes) echo api api/rest api/rest/sandboxes ;;
    api/rest/system) echo api api/openapi api/rest api/rest/sandboxes ;;
    api/legacy) echo api api/rest/{sandboxes,processes,files} ;;
    cli/frame) ;;
    cli/client) echo cli/frame ;;
    cli/local | cli/copy) echo cli/{frame,client} ;;
    cli/serve) echo cli/{frame,local} ;;
    cli/network) echo cli/{frame,client} ;;
    cli/pulls) echo cli/{frame,local} ;;
    cli/steps) echo cli/{frame,client,local,network} ;;
    cli/packages) echo cli/{frame,local,network,steps} ;;
    cli/run) echo cli/{frame,local,network,pulls,packages} ;;
    cli/session) echo cli/{frame,client,local,run,steps} ;;
    cli/remote) echo cli/{frame,client,local,network,pulls,run,copy,serve,session,steps,packages} ;;
    cli/builds) echo cli/{frame,client,local,network,pulls,session,remote,steps} ;;
    cli/environments) echo cli/{frame,local,network,pulls,run,builds,steps} ;;
    cli/volumes) echo cli/{frame,client,local,remote} ;;
    cli/templates) echo cli/{frame,client,local,pulls,builds,copy,session,remote} ;;
    cli) echo cli/{frame,local} ;;
    archive/formats) echo archive ;;
    json | crypto | protocol | archive | store | config | guest_link) ;;
    *) return 1 ;;
  esac
}

# Rooms of a layer as well. Tests may use what they like of their layer.
check_rooms() {
  local folder allowed file line used status=0
  while IFS= read -r folder; do
    if ! allowed=" $folder $(room "$folder") "; then
      printf 'src/%s: say in tools/lint.sh what it may use of its layer\n' "$folder"
      status=1
      continue
    fi
    while IFS=: read -r file line used; do
      used=${used#*\"}
      used=${used%/*}
      if [[ ${used%%/*} == "${folder%%/*}" && $allowed != *" $used "* ]]; then
        printf '%s:%s: %s may not use %s\n' "$file" "$line" "$folder" "$used"
        status=1
      fi
    done < <(cd "$root" && find "src/$folder" -maxdepth 1 \( -name '*.h' -o -name '*.cc' \) ! -name '*_test.cc' \
      ! -name 'test_*' -exec grep -nHE '^#include "[a-z_]+/' {} +)
  done < <(cd "$root/src" && find . -mindepth 1 \( -name '*.h' -o -name '*.cc' \) -printf '%h\n' | sort -u | sed 's|^\./||')
  return "$status"
}

# No folder is crowded.
check_crowds() {
  (cd "$root" && lint_sources | sed 's|/[^/]*$||' | sort | uniq -c |
    awk '$1 > 28 { printf "%s: %d files are more than 28\n", $2, $1; bad = 1 } END { exit bad }')
}

# The rules about sandboxes are pure: what comes of them depends on what they are told, and on nothing else.
check_purity() {
  ! (cd "$root" && find src/sandbox/rules src/sandbox/startup/rules -name '*.h' -o -name '*.cc' 2>/dev/null | grep -v '_test\.cc$' |
    xargs -r grep -nE '#include (<(mutex|thread|condition_variable|atomic|shared_mutex|future)>|"base/clock\.h")|(steady|system)_clock')
}

# Which engine there is, the factory alone says; and `cay launcher` is a process of the native one.
check_engines() {
  ! (cd "$root" && grep -rnE '^#include "engine/(native|fake)/' src --include='*.h' --include='*.cc' |
    grep -vE '^src/(engine/|cli/main\.cc:)|_test\.cc:')
}

# Dependencies point one way, in #include and in the targets a folder links.
check_layers() {
  local folder allowed file line used status=0
  for folder in "$root"/src/*/; do
    folder=$(basename -- "$folder")
    if ! allowed=" $(layer "$folder") "; then
      printf 'src/%s: say in tools/lint.sh what it may use\n' "$folder"
      status=1
      continue
    fi
    while IFS=: read -r file line used; do
      [[ -n $used ]] || continue
      used=${used#*\"}
      used=${used%%/*}
      if [[ -d $root/src/$used && $allowed != *" $used "* ]]; then
        printf '%s:%s: %s may not use %s\n' "$file" "$line" "$folder" "$used"
        status=1
      fi
    done < <(cd "$root" && grep -rnE '^#include "[a-z_]+/' "src/$folder" --include='*.h' --include='*.cc')
    while IFS=: read -r file line used; do
      [[ -n $used ]] || continue
      used=${used#cay_}
      [[ -d $root/src/$used ]] || used=${used%%_*}
      if [[ -d $root/src/$used && $allowed != *" $used "* ]]; then
        printf '%s:%s: %s may not link %s\n' "$file" "$line" "$folder" "$used"
        status=1
      fi
    done < <(cd "$root" && find "src/$folder" -name CMakeLists.txt -exec grep -noHE '\bcay_[a-z_]+' {} +)
  done
  return "$status"
}

# Newer than the distributions', which look through the system's headers as well and take five times as long; one version,
# so that it finds the same everywhere.
tidy_version=23.1.4

# The folder of its programs.
tidy_programs() {
  local venv=$build_root/tools/clang-tidy-$tidy_version
  if [[ ! -x $venv/bin/clang-tidy ]]; then
    rm -rf -- "$venv"
    { python3 -m venv "$venv" && "$venv/bin/pip" -q install "clang-tidy==$tidy_version"; } >&2 || {
      rm -rf -- "$venv"
      say "clang-tidy $tidy_version could not be installed from PyPI"
      return 1
    }
  fi
  printf '%s\n' "$venv/bin"
}

# check_tidy [--all]: sources that differ from main, and those that include a header that differs;
# or all.
check_tidy() {
  local base files pattern programs
  programs=$(tidy_programs) || return 1
  mkdir -p -- "$build_root/tidy"
  quietly "configuring tidy" "$build_root/tidy/configure.log" cmake -S "$root" --preset tidy || return 1
  if [[ ${1:-} == --all ]]; then
    files=$(lint_sources | grep '\.cc$' || true)
  else
    base=$(git -C "$root" merge-base HEAD main 2>/dev/null || git -C "$root" rev-parse HEAD)
    [[ $base != "$(git -C "$root" rev-parse HEAD)" ]] ||
      base=$(git -C "$root" rev-parse -q --verify HEAD~1 || printf HEAD)
    files=$({
      git -C "$root" diff --name-only --diff-filter=d "$base" -- '*.cc' '*.h'
      git -C "$root" ls-files --others --exclude-standard -- '*.cc' '*.h'
    } | sort -u)
    files=$(with_users_of_headers <<<"$files")
  fi
  [[ -n $files ]] || return 0
  pattern=$(sed -e 's/[.+]/\\&/g' -e 's/$/$/' <<<"$files" | paste -sd '|')
  "$programs/python3" "$programs/run-clang-tidy.py" -clang-tidy-binary "$programs/clang-tidy" \
    -quiet -p "$build_root/tidy" -j "$jobs" "/($pattern)" 2>/dev/null |
    grep -vE '^\[ *[0-9]+/[0-9]+\]|^Running clang-tidy|warnings? (generated|treated)' | cat -s
  return "${PIPESTATUS[0]}"
}

# Of headers on standard input, the .cc that include them; .cc as they are.
with_users_of_headers() {
  local file
  while IFS= read -r file; do
    case $file in
      *.cc) printf '%s\n' "$file" ;;
      src/*.h) (cd "$root" && { grep -rlF "#include \"${file#src/}\"" src tests bench --include='*.cc' || true; }) ;;
    esac
  done | sed 's|^\./||' | sort -u
}

# Those that look at the whole tree and take seconds.
lint_quick_checks=(format scripts lengths sizes widths initializers layers rooms engines crowds purity)

# lint_check NAME [ARGUMENT]: one check, and what came of it.
lint_check() {
  if "check_$1" "${@:2}"; then
    say "$1: good"
  else
    say "$1: not good"
    return 1
  fi
}

lint() {
  local check status=0 tidy=(tidy)
  case ${1:-} in
    --all) tidy+=(--all) ;;
    '') ;;
    *) die "lint: unknown option $1" ;;
  esac
  for check in "${lint_quick_checks[@]}"; do
    lint_check "$check" || status=1
  done
  lint_check "${tidy[@]}" || status=1
  return "$status"
}

format() {
  case ${1:-} in
    --check) check_format ;;
    '') (cd "$root" && lint_sources | xargs -r -d '\n' clang-format-19 -i) ;;
    *) die "format: unknown option $1" ;;
  esac
}
