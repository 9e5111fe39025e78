# shellcheck shell=bash
# upgrade.sh: what ./dev test-upgrade does. Sourced by ./dev, whose `root`, `build_root`, `jobs`, `own_failure` and functions
# it uses.
: "${root:?}" "${build_root:?}" "${jobs:?}" "${own_failure:?}"

# The commit of the release that upgrades are tested against.
previous_release() {
  grep -v '^#' "$root/tests/upgrade/previous-release"
}

# The program of an earlier commit, built beside ours: its path.
build_of() {
  local commit=$1 tree
  git -C "$root" rev-parse --quiet --verify "$commit^{commit}" >/dev/null ||
    die "commit $commit is not in this clone: git fetch --unshallow, or git fetch origin $commit"
  commit=$(git -C "$root" rev-parse --short=12 "$commit^{commit}")
  tree=$build_root/releases/$commit
  prepare_ccache
  export CCACHE_BASEDIR=$tree
  if [[ ! -x $tree/build/release/cay ]]; then
    git -C "$root" worktree prune
    [[ -d $tree ]] || git -C "$root" worktree add --quiet --detach "$tree" "$commit" >&2 || die "cannot check $commit out"
    quietly "configuring $commit" "$build_root/releases/$commit.log" \
      cmake -S "$tree" --preset release -DCAY_BUILD_TESTS=OFF \
      -DCMAKE_CXX_FLAGS="-include $root/tests/upgrade/ioprio.h" >&2 || return "$own_failure"
    quietly "building $commit" "$build_root/releases/$commit.log" \
      ninja -C "$tree/build/release" -j "$jobs" cay >&2 || return "$own_failure"
  fi
  printf '%s\n' "$tree/build/release/cay"
}

# The previous release, replaced by this program while its sandboxes run.
test_upgrade() {
  local old
  build_cay
  mkdir -p -- "$build_root/releases"
  old=$(build_of "${1:-$(previous_release)}") || return "$own_failure"
  python3 -B "$root/tests/upgrade/upgrade_test.py" --old "$old" --cay "$build_root/release/cay"
}
