# Sourced by image.sh and bare.sh. make_root DIR: a bare Debian 12 with this machine's Node 20 and npm
# in /usr/local, its certificate authorities and its package sources. Needs root and debootstrap.

need_tools() {
  for tool in "$@"; do
    command -v "$tool" >/dev/null || apt-get install -y -q --no-install-recommends "$tool" >/dev/null
  done
}

make_root() {
  root=$1
  debootstrap --variant=minbase --include=ca-certificates bookworm "$root" >/dev/null
  node=$(readlink -f "$(command -v node)")
  modules=$(readlink -f "$(command -v npm)")
  modules=${modules%/npm/bin/*}
  mkdir -p "$root/usr/local/lib/node_modules"
  cp "$node" "$root/usr/local/bin/node"
  cp -r "$modules/npm" "$root/usr/local/lib/node_modules/"
  ln -s ../lib/node_modules/npm/bin/npm-cli.js "$root/usr/local/bin/npm"
  # Node from Debian's packages links to shared libraries; the official build to few.
  ldd "$node" | awk '$3 ~ /^\// { print $3 }' | while read -r library; do
    cp -n "$library" "$root/usr/local/lib/"
  done
  chroot "$root" ldconfig
  chroot "$root" useradd --create-home --uid 1000 node
  cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
  rm -f "$root/etc/apt/sources.list"
  cp -r /etc/apt/sources.list.d /etc/apt/apt.conf.d "$root/etc/apt/"
}

# enter ROOT USER COMMAND...: runs in the tree with the host's /proc, /sys and /dev.
enter() {
  root=$1 user=$2
  shift 2
  for path in proc sys dev; do
    mountpoint -q "$root/$path" && continue
    mount --rbind "/$path" "$root/$path"
    mount --make-rslave "$root/$path"
  done
  exec chroot --userspec="$user" "$root" "$@"
}

leave() {
  for path in proc sys dev; do
    if mountpoint -q "$1/$path"; then umount -R -l "$1/$path"; fi
  done
}

# profile_types URL: what a server has, or nothing.
profile_types() {
  node -e 'fetch(process.argv[1] + "/api/v1/profile_types")
    .then(async (answer) => (await answer.json()).profile_types.map((t) => t.type).join(" "))
    .then(console.log, () => {})' "$1"
}
