#!/bin/sh
# Installs what this checkout needs and the machine lacks: Debian packages and npm packages.
# usage: tools/install.sh run|test
set -eu
cd "$(dirname "$0")/.."

say() { printf 'everflame: %s\n' "$*"; }

if ! command -v node >/dev/null || ! node -e 'const [major, minor] = process.versions.node.split(".").map(Number);
    process.exit(major > 20 || (major === 20 && minor >= 19) ? 0 : 1)'; then
  say "Node.js 20.19 or newer is needed; found: $(node --version 2>/dev/null || echo none)" >&2
  exit 1
fi

# clang and libbpf-dev compile the BPF programs, libbpf1 loads them.
packages="clang make libbpf-dev libbpf1"
# gcc and g++ build the programs that the tests profile; binutils, LLVM, Go, gdb and elfutils'
# debuginfod are foreign tools to compare with; dwz, xz and zstd make the forms debug files come in.
if [ "${1:-run}" = test ]; then
  packages="$packages gcc g++ libc6-dev binutils chromium git curl procps"
  packages="$packages llvm-19 lld dwz xz-utils zstd elfutils debuginfod gdb"
  command -v go >/dev/null || packages="$packages golang-go"
fi

missing=""
for package in $packages; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
if [ -n "$missing" ]; then
  if [ "$(id -u)" != 0 ]; then
    say "these Debian packages are missing; as root: apt-get install$missing" >&2
    exit 1
  fi
  say "installing Debian packages:$missing"
  export DEBIAN_FRONTEND=noninteractive
  log=$(mktemp)
  # shellcheck disable=SC2086
  if ! { apt-get update -q && apt-get install -y -q --no-install-recommends $missing; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    say "apt-get failed; its whole output is in $log" >&2
    exit 1
  fi
  rm -f "$log"
fi

# npm writes node_modules/.package-lock.json last, so a broken install is repeated.
if [ ! -e node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
  say "installing npm packages from package-lock.json"
  npm ci --no-progress --loglevel=error
  touch node_modules/.package-lock.json
fi
