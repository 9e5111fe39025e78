#!/usr/bin/env bash
# The integration tests on a machine with one unified cgroup v2 tree and an older kernel: Debian's
# own, booted in QEMU without KVM. `./dev test-v2` calls it; it builds nothing itself.
#
#   tests/v2/run.sh [NAME…]      only the test programs of these names (cgroup_test, attacks_test, network-check …)
#
# CAY_V2_TIMEOUT is how many seconds the whole machine may take (600; it takes about four minutes).
# Everything it makes is in build/v2/; console.log there is what the machine said. Exit code 0 when
# every test passed.
set -euo pipefail

root=$(cd -P -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
work=$root/build/v2
tree=$work/tree
log=$work/console.log
build=$root/build/release
timeout_s=${CAY_V2_TIMEOUT:-2400}

say() { printf 'test-v2: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# The kernel and its modules, unpacked and not installed: a machine's /boot is not ours to change.
fetch_kernel() {
  local package deb
  [[ ! -d $work/kernel ]] || return 0
  apt-cache show linux-image-cloud-amd64 >/dev/null 2>&1 || apt-get update -qq
  package=$(apt-cache depends linux-image-cloud-amd64 | awk '$1 == "Depends:" && $2 ~ /^linux-image/ { print $2; exit }')
  [[ -n $package ]] || die "apt knows no linux-image-cloud-amd64"
  say "fetching $package"
  rm -rf -- "$work/download" "$work/kernel.new"
  mkdir -p -- "$work/download"
  (cd -- "$work/download" && apt-get download -qq "$package" 2>/dev/null) || die "cannot download $package"
  deb=$(find "$work/download" -name '*.deb' -print -quit)
  dpkg-deb -x "$deb" "$work/kernel.new"
  rm -rf -- "$work/download"
  mv -- "$work/kernel.new" "$work/kernel"
}

# add_program FILE [AS]: a file of this machine and the libraries that it needs, where they are here.
add_program() {
  local file=$1 as=${2:-$1} library
  install -D -m 755 -- "$file" "$tree$as"
  while read -r library; do
    [[ -e $tree$library ]] || install -D -m 755 -- "$library" "$tree$library"
  done < <(ldd "$file" 2>/dev/null | grep -o '/[^ ]*' || true)
}

# add_package NAME: its programs, with their libraries, and its files under /usr/lib.
add_package() {
  local file
  while read -r file; do
    case $file in
      /bin/* | /sbin/* | /usr/bin/* | /usr/sbin/* | /usr/lib/*) ;;
      *) continue ;;
    esac
    if [[ -L $file ]]; then
      mkdir -p -- "$tree${file%/*}"
      cp -a -- "$file" "$tree$file"
    elif [[ -f $file ]]; then
      add_program "$file"
    fi
  done < <(dpkg -L "$1")
}

add_module() {
  local name=$1 file
  file=$(find "$work/kernel/lib/modules" -name "$name.ko" -print -quit)
  [[ -n $file ]] || die "the kernel has no module $name"
  install -D -m 644 -- "$file" "$2/modules/$name.ko"
}

# add_modules DIRECTORY NAME...: with those that they need, numbered in the order in which they can be inserted.
add_modules() {
  local into=$1/modules name file
  shift
  mkdir -p -- "$into"
  for name; do
    [[ -z $(compgen -G "$into/[0-9][0-9][0-9]-$name.ko") ]] || continue
    file=$(find "$work/kernel/lib/modules" -name "${name//[-_]/[-_]}.ko" -print -quit)
    [[ -n $file ]] || die "the kernel has no module $name"
    # shellcheck disable=SC2046 # words
    add_modules "$tree/cay" $(tr '\0' '\n' <"$file" | sed -n 's/^depends=//p' | tr ',' ' ')
    cp -- "$file" "$into/$((100 + $(find "$into" -name '*.ko' | wc -l)))-$name.ko"
  done
}

# The tests, and the programs that sandboxes see through the `host` template.
make_tree() {
  local program package
  rm -rf -- "$tree"
  mkdir -p -- "$tree"/{usr/{bin,sbin,lib,lib64,share},etc,proc,sys,dev,run,tmp,root,var/lib,cay/tests}
  for program in bin sbin lib lib64; do ln -s "usr/$program" "$tree/$program"; done
  chmod 1777 "$tree/tmp"
  for package in coreutils dash bash libc-bin util-linux mount e2fsprogs grep sed findutils diffutils procps tar; do
    add_package "$package"
  done
  while read -r package; do add_package "$package"; done < <(
    dpkg-query -W -f='${db:Status-Abbrev} ${Package}\n' 'python3*-minimal' 'libpython3*-minimal' | awk '$1 == "ii" { print $2 }')
  ln -sf dash "$tree/usr/bin/sh"
  install -D -m 755 -- /bin/busybox "$tree/cay/busybox"  # insmod
  cp -a -- /etc/passwd /etc/group /etc/nsswitch.conf "$tree/etc/"
  install -m 755 -- "$root/tests/v2/guest-init" "$tree/cay/init"
  for program in "${tests[@]}"; do add_program "$program" "/cay/tests/${program##*/}"; done
  add_program "$build/cay" /usr/bin/cay
  # Where tests look for them.
  for program in cay src/guest/cay-guest tests/attacks/attack-victim; do add_program "$build/$program"; done
  add_module loop "$tree/cay"
  add_module overlay "$tree/cay"
  ((network)) || return 0
  add_program "$(type -P ip)" /usr/sbin/ip
  install -m 755 -- "$root/tests/v2/network-check" "$root/tests/v2/network-servers.py" "$tree/cay/"
  add_modules "$tree/cay" veth nft_chain_nat nft_nat
}

make_disk() {
  rm -f -- "$work/disk.img"
  truncate -s 4G -- "$work/disk.img"
  mke2fs -q -t ext4 -E root_owner=0:0 -d "$tree" "$work/disk.img"
}

# Only mounts the disk: the kernel has ext4 built in, and the disk's driver as modules.
make_initramfs() {
  local small=$work/initramfs module
  rm -rf -- "$small"
  mkdir -p -- "$small"/{bin,dev,disk}
  install -m 755 -- /bin/busybox "$small/bin/busybox"
  for module in "${disk_modules[@]}"; do add_module "$module" "$small"; done
  cat >"$small/init" <<INIT
#!/bin/busybox sh
for module in ${disk_modules[*]}; do /bin/busybox insmod /modules/\$module.ko; done
/bin/busybox mount -t devtmpfs dev /dev
tries=0
while [ ! -b /dev/vda ]; do
  tries=\$((tries + 1))
  [ \$tries -lt 1000 ] || exec /bin/busybox poweroff -f
  /bin/busybox usleep 10000
done
/bin/busybox mount -t ext4 /dev/vda /disk
exec /bin/busybox switch_root /disk /cay/init
INIT
  chmod 755 "$small/init"
  (cd -- "$small" && find . | cpio --quiet -o -H newc) | gzip -1 >"$work/initramfs.gz"
}

# KVM is never asked for: nested, it hangs stock kernels.
boot() {
  timeout --foreground "$timeout_s" qemu-system-x86_64 \
    -machine q35 -accel tcg,thread=multi -cpu max -smp 2 -m 2G \
    -nodefaults -display none -no-reboot -nic none \
    -serial stdio -drive "file=$work/disk.img,if=virtio,format=raw,cache=unsafe" \
    -kernel "$(find "$work/kernel/boot" -name 'vmlinuz-*' -print -quit)" \
    -initrd "$work/initramfs.gz" \
    -append "console=ttyS0 quiet loglevel=4 panic=-1 systemd.unified_cgroup_hierarchy=1" \
    </dev/null >"$log" 2>&1
}

# In the order of their dependencies.
disk_modules=(virtio_ring virtio virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci virtio_blk)
tests=()
network=0
if (($#)); then
  for name; do
    if [[ $name == network-check ]]; then network=1; continue; fi
    tests+=("$(find "$build/tests/integration" "$build/tests/attacks" -name "$name")")
  done
else
  network=1
  mapfile -t tests < <(find "$build/tests/integration" -maxdepth 1 -type f -name '*_test' | sort)
  tests+=("$build/tests/attacks/attacks_test")
fi
for name in "${tests[@]}"; do [[ -x $name ]] || die "${name:-a test program} is not there: build first"; done

mkdir -p -- "$work"
fetch_kernel
make_tree
make_disk
make_initramfs
say "booting $(basename "$(find "$work/kernel/boot" -name 'vmlinuz-*' -print -quit)"); $log"
status=0
boot || status=$?
rm -rf -- "$work/disk.img" "$tree"

# The machine's last word: "cay-v2: N passed, N failed".
summary=$(tr -d '\r' <"$log" | grep '^cay-v2: ' | tail -n 1 || true)
if [[ $summary =~ ^cay-v2:\ ([0-9]+)\ passed,\ ([0-9]+)\ failed ]]; then
  tr -d '\r' <"$log" | sed -n -e 's/^cay-v2 program: //p' -e '/^\[  FAILED  \] .* (/p'
  printf '%s\n' "${summary#cay-v2: }"
  ((BASH_REMATCH[2] == 0 && BASH_REMATCH[1] > 0)) || { say "see $log"; exit 1; }
  exit 0
fi
tail -n 40 -- "$log" >&2
if ((status == 124)); then die "the machine was not done after $timeout_s s"; fi
die "the machine ended without a result (qemu's exit code $status)"
