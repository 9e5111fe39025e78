# shellcheck shell=bash
# packages.sh: the Debian packages that ./dev installs: NAME and the reason for it. Sourced by ./dev, whose need() reads the lists
# by name. docs/dependencies.md says more about the libraries.
# shellcheck disable=SC2034
{
packages_build=(
  g++                  "the compiler, and with it the static C library that cay-guest links"
  cmake                "the build"
  ninja-build          "the build"
  libboost-json1.81-dev "Boost.JSON: results and reports as JSON"
  libboost-url1.81-dev "Boost.URL: the addresses of requests"
  libsqlite3-dev       "SQLite: what must survive the server"
  libssl-dev           "OpenSSL: TLS, digests"
  libmagic-dev         "libmagic: types of uploaded files"
  libbz2-dev           "ADD of .tar.bz2; libmagic wants it, too"
  liblzma-dev          "ADD of .tar.xz; libmagic wants it, too"
  libre2-dev           "RE2: patterns of commands"
  libc-ares-dev        "c-ares: names that sandboxes connect to"
  libtomlplusplus-dev  "cay.toml"
  libzstd-dev          "templates that are .tar.zst"
  zlib1g-dev           "templates that are .tar.gz"
  e2fsprogs            "mke2fs makes the writable layer's filesystem"
  libgtest-dev         "GoogleTest: the unit tests are part of the build"
  libgmock-dev         "GoogleTest"
  bats                 "the command line's tests: the build looks for it"
  libseccomp-dev       "a test compares the seccomp filter with what libseccomp would make"
)
packages_test=(
  clang-19             "the fuzzers: libFuzzer is clang's"
  libclang-rt-19-dev   "libFuzzer and the sanitizers' run time"
  procps               "ps and pgrep, for the leak tests"
  busybox-static       "a template of one program"
  python3-venv         "schemathesis comes from PyPI"
  curl                 "a client in sandboxes with a network"
  iproute2             "those sandboxes' internet is network namespaces"
  openssl              "the certificates of its servers"
  git                  "a client in sandboxes with a network"
  openssh-client       "a client in sandboxes with a network"
  dropbear-bin         "a server of SSH for it, which starts with no machine"
  node-ws              "WebSockets of Node.js, for client and server"
  postgresql           "a database in sandboxes, and for the clients in others"
  redis-tools          "a client in sandboxes with a network, and its server"
  docker-registry      "images are fetched from it, and pushed to it"
  skopeo               "pushes images to it, and fetches what was pushed"
  umoci                "makes images, and unpacks their layers as another party"
  apache2-utils        "htpasswd: that registry's users"
  zstd                 "layers of images are compressed with it"
)
packages_bench=(
  libbenchmark-dev     "Google Benchmark: the micro benchmarks"
  bubblewrap           "a peer to measure against"
  runc                 "a peer to measure against"
  busybox-static       "the root filesystem of the peers"
  nginx-light          "a peer to measure against: files over HTTP"
  slirp4netns          "a peer to measure against: networks"
  passt                "a peer to measure against: networks"
)
packages_lint=(
  clang-19             "compile commands as clang sees them"
  clang-format-19      "layout"
  python3-venv         "clang-tidy comes from PyPI"
  libbenchmark-dev     "the sources of bench/ are looked at as well"
  shellcheck           "the scripts"
)
packages_docker=(docker.io "a peer to measure against")
packages_builders=(
  buildah              "a peer to measure against: builds of images"
  podman               "a peer to measure against: builds and pulls of images"
)
packages_v2=(
  qemu-system-x86      "boots a kernel with one unified cgroup tree"
  cpio                 "makes that machine's first root filesystem"
  busybox-static       "the programs in it"
  python3-minimal      "to run in the sandboxes there, and their internet's servers"
  iproute2             "that internet is network namespaces"
)
}
