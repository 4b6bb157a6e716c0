#!/bin/sh
# `npm start` in a fresh copy on a bare Debian 12 with Node 20, as root: how long until the page's data
# shows this machine's processes. Needs root; installs debootstrap.
set -eu
cd "$(dirname "$0")/../.."
. test/prove/debian-base.sh
need_tools debootstrap

LIMIT_SECONDS=180
PORT=7078
work=$(mktemp -d)
started=''
cleanup() {
  [ -z "$started" ] || kill -TERM -- "-$started" 2>/dev/null || true
  sleep 3
  leave "$work/root"
  rm -rf --one-file-system "$work"
}
trap cleanup EXIT

make_root "$work/root"
mkdir -p "$work/root/root/everflame"
git archive HEAD | tar x -C "$work/root/root/everflame"
cp /etc/resolv.conf "$work/root/etc/resolv.conf"

begin=$(date +%s)
export NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt EVERFLAME_HTTP_ADDRESS=127.0.0.1:$PORT
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
setsid sh -c '. test/prove/debian-base.sh; enter "$0" root sh -c "cd /root/everflame && exec npm start"' \
  "$work/root" >"$work/start.log" 2>&1 &
started=$!

while :; do
  seconds=$(($(date +%s) - begin))
  case $(profile_types http://127.0.0.1:$PORT) in
    *process_cpu:cpu:nanoseconds*) break ;;
  esac
  if [ $seconds -gt $LIMIT_SECONDS ]; then
    cat "$work/start.log"
    echo "no profiles after $seconds s"
    exit 1
  fi
  sleep 1
done
echo "npm start on a bare Debian 12: this machine's profiles are there after $seconds s"
