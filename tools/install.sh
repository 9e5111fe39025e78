# shellcheck shell=bash
# install.sh: what ./dev install does. Sourced by ./dev, whose `root`, `build_root`, `own_failure`, `say`, `die`, `need` and
# `build` it uses.
: "${root:?}" "${build_root:?}" "${own_failure:?}"

install_cay() {
  local prefix=/usr/local program=""
  while (($# > 0)); do
    case $1 in
      --prefix) prefix=${2:?dev: --prefix wants a directory}; shift ;;
      --prefix=*) prefix=${1#*=} ;;
      --program) program=${2:?dev: --program wants a file}; shift ;;
      --program=*) program=${1#*=} ;;
      *) die "install: unknown option $1" ;;
    esac
    shift
  done
  if [[ -z $program ]]; then
    need build
    build release cay
    program=$build_root/release/cay
  fi
  prefix=$(realpath -m -- "$prefix")
  # Where packages are made: the files go below it, and know nothing of it.
  local staged=${DESTDIR:+$(realpath -m -- "$DESTDIR")}
  [[ $staged != / ]] || staged=
  local installed=$staged$prefix/bin/cay unit=$staged$prefix/lib/systemd/system/cay.service
  install -D -m 755 -- "$program" "$installed" || exit "$own_failure"
  install -D -m 644 -- "$root/packaging/systemd/cay.service" "$unit" || exit "$own_failure"
  # In the replacement of s, & and \ mean something.
  sed -i "s|^ExecStart=/usr/local/bin/cay |ExecStart=${prefix//[&\\|]/\\&}/bin/cay |" "$unit" || exit "$own_failure"
  say "installed $installed and $unit"
}
