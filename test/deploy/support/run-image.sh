#!/bin/sh
# run-image.sh ROOT UID GID DIR COMMAND… : runs a command in an image's file system as a container runtime
# with a strict security context would: process 1 of its own process namespace, the root read-only, an
# unprivileged user without capabilities and without a way to more. DIR is the only writable place beside
# /tmp. Signals sent to this script reach the command.
set -eu

if [ "${LATCHKEY_INSIDE-}" = '' ]; then
  chown -R "$2:$3" "$4"
  LATCHKEY_INSIDE=yes unshare --mount --pid --ipc --fork --kill-child=KILL -- "$0" "$@" &
  unshared=$!
  pass_on () { kill -s "$1" "$(cat "/proc/$unshared/task/$unshared/children")" 2>/dev/null || true; }
  for signal in TERM INT HUP USR2; do trap "pass_on $signal" "$signal"; done
  # wait returns when a signal came; the command may go on.
  code=0
  wait "$unshared" || code=$?
  while kill -0 "$unshared" 2>/dev/null; do
    code=0
    wait "$unshared" || code=$?
  done
  exit "$code"
fi

root=$1 uid=$2 gid=$3 dir=$4
shift 4
mount --make-rprivate /
mount --bind "$root" "$root"
mount -t proc -o nosuid,nodev,noexec proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t tmpfs -o nosuid,nodev,size=64m tmpfs "$root/tmp"
mkdir -p "$root$dir"
mount --bind "$dir" "$root$dir"
mount -o remount,bind,ro "$root"
# NODE_OPTIONS are the test runner's.
unset LATCHKEY_INSIDE NODE_OPTIONS
cd /
exec setpriv --no-new-privs --bounding-set=-all,+setuid,+setgid,+sys_chroot \
  chroot --userspec="$uid:$gid" --groups= "$root" "$@"
