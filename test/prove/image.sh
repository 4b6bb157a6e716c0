#!/bin/sh
# Builds the Dockerfile's two images for real and starts what is in them. Needs root, debootstrap and
# buildah. The base image cannot be pulled everywhere, so one of the same name is made: Debian 12
# by debootstrap with this machine's Node.
# usage: test/prove/image.sh; prints one line per check, exits 1 at the first that fails.
set -eu
cd "$(dirname "$0")/../.."
for tool in debootstrap buildah; do
  command -v $tool >/dev/null || apt-get install -y -q --no-install-recommends $tool >/dev/null
done

BASE=docker.io/library/node:20-bookworm-slim
work=$(mktemp -d)
containers=''
cleanup() {
  for container in $containers; do buildah rm "$container" >/dev/null || true; done
  rm -rf "$work"
}
trap cleanup EXIT

make_base() {
  root=$work/base
  debootstrap --variant=minbase --include=ca-certificates bookworm "$root" >"$work/debootstrap.log"
  node=$(readlink -f "$(command -v node)")
  modules=$(readlink -f "$(command -v npm)")
  modules=${modules%/npm/bin/*}
  mkdir -p "$root/usr/local/lib/node_modules"
  cp "$node" "$root/usr/local/bin/node"
  cp -r "$modules/npm" "$root/usr/local/lib/node_modules/"
  ln -s ../lib/node_modules/npm/bin/npm-cli.js "$root/usr/local/bin/npm"
  # Node from Debian's packages links to shared libraries; the official build to few.
  ldd "$node" | awk '$3 ~ /^\// { print $3 }' | xargs -I{} cp -n {} "$root/usr/local/lib/" || true
  chroot "$root" ldconfig
  chroot "$root" useradd --create-home --uid 1000 node
  cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
  cp -r /etc/apt/sources.list.d /etc/apt/apt.conf.d "$root/etc/apt/" 2>/dev/null || true
  container=$(buildah from scratch)
  containers="$containers $container"
  buildah add -q "$container" "$root" / >/dev/null
  buildah config --env NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt \
    --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$container"
  buildah commit -q "$container" "$BASE" >/dev/null
  rm -rf "$root"
}

make_base
mkdir "$work/source"
git archive HEAD | tar x -C "$work/source"

for target in server agent; do
  buildah bud -q --isolation chroot --pull-never --target $target -t everflame-$target "$work/source" \
    >"$work/build.log" 2>&1 || { tail -n 30 "$work/build.log"; exit 1; }
  container=$(buildah from --pull-never everflame-$target)
  containers="$containers $container"
  root=$(buildah mount "$container")
  for tool in clang gcc make tsc vite biome; do
    found=$(find "$root" -xdev -name $tool -not -path '*/proc/*' \( -type f -o -type l \) | head -n 1)
    [ -z "$found" ] || { echo "$target: build tool left in the image: $found"; exit 1; }
  done
  echo "$target: built, $(du -sm "$root" | cut -f 1) MB, no build tools in it"
  eval "${target}_root=\$root"
done

in_image() { # in_image ROOT USER COMMAND...
  root=$1 user=$2
  shift 2
  for path in proc sys; do
    mountpoint -q "$root/$path" || { mount --rbind "/$path" "$root/$path"; mount --make-rslave "$root/$path"; }
  done
  exec chroot --userspec="$user" "$root" sh -c 'cd /opt/everflame && exec "$@"' sh "$@"
}
# shellcheck disable=SC2154
(in_image "$server_root" node env EVERFLAME_DATA_DIR=/var/lib/everflame \
  bin/everflame server --http-address 127.0.0.1:7079 >"$work/server.log" 2>&1) &
server=$!
# shellcheck disable=SC2154
(in_image "$agent_root" root bin/everflame agent --server http://127.0.0.1:7079 --window 2s \
  >"$work/agent.log" 2>&1) &
agent=$!
sleep 12
types=$(node -e '
  fetch("http://127.0.0.1:7079/api/v1/profile_types").then(async (answer) => {
    console.log((await answer.json()).profile_types.map((t) => t.type).join(" "));
  })') || types=''
kill -TERM $agent; wait $agent || true
kill -TERM $server; wait $server || true
for root in "$server_root" "$agent_root"; do
  for path in proc sys; do umount -R "$root/$path"; done
done
case $types in
  *process_cpu:cpu:nanoseconds*) echo "server as user node and agent as root run: $types" ;;
  *) echo "no profiles from the images"; cat "$work/server.log" "$work/agent.log"; exit 1 ;;
esac
