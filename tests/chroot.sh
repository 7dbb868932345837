# Chroots with a Debian of their own, for the scripts beside this file. They need root.
# shellcheck shell=bash

# Ends a script that cannot run here.
skip() {
  echo "SKIP: $1" >&2
  exit 77
}

# Makes a chroot with only what Debian cannot do without, unless it is there already.
# Usage: chroot_make SUITE FOLDER
chroot_make() {
  [ "$(id -u)" = 0 ] || skip "Debian in a chroot needs root"
  command -v debootstrap >/dev/null || skip "debootstrap is not installed"
  [ ! -e "$2/made" ] || return 0
  rm -rf "$2"
  mkdir -p "$2"
  debootstrap --variant=minbase "$1" "$2" "${MIRROR:-http://deb.debian.org/debian}" >"$2.log" ||
    skip "debootstrap failed: see $2.log"
  touch "$2/made"
}

# Gives a chroot the network and its file systems, until chroot_close.
chroot_open() {
  cp /etc/resolv.conf /etc/hosts "$1/etc/"
  apt-config dump Acquire >"$1/etc/apt/apt.conf.d/80host"
  mountpoint -q "$1/proc" || mount -t proc proc "$1/proc"
  mountpoint -q "$1/dev/pts" || mount -t devpts -o ptmxmode=666 devpts "$1/dev/pts"
}

chroot_close() {
  umount -q "$1/dev/pts" "$1/proc" || true
}

# Copies the working tree into a chroot, as /vitgate.
chroot_copy_tree() {
  mkdir -p "$1/vitgate"
  git ls-files -co --exclude-standard | tar -cT - | tar -xC "$1/vitgate"
}
