#!/bin/sh
# Builds the Dockerfile's two images for real and starts what is in them. Needs root; installs
# debootstrap and buildah. The base image cannot be pulled everywhere, so one of the same name is made.
# Prints one line per check, exits 1 at the first that fails.
set -eu
cd "$(dirname "$0")/../.."
. test/prove/debian-base.sh
need_tools debootstrap buildah

BASE=docker.io/library/node:20-bookworm-slim
URL=http://127.0.0.1:7079
work=$(mktemp -d)
containers=''
cleanup() {
  for container in $containers; do buildah rm "$container" >/dev/null || true; done
  rm -rf "$work"
}
trap cleanup EXIT

make_root "$work/base"
container=$(buildah from scratch)
containers=$container
buildah add -q "$container" "$work/base" / >/dev/null
buildah config --env NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt \
  --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$container"
buildah commit -q "$container" "$BASE" >/dev/null
rm -rf "$work/base"
mkdir "$work/source"
git archive HEAD | tar x -C "$work/source"

for target in server agent; do
  buildah bud -q --isolation chroot --pull-never --target $target -t everflame-$target \
    "$work/source" >"$work/build.log" 2>&1 || { tail -n 30 "$work/build.log"; exit 1; }
  container=$(buildah from --pull-never everflame-$target)
  containers="$containers $container"
  root=$(buildah mount "$container")
  for tool in clang gcc make tsc vite biome; do
    found=$(find "$root" -xdev -name $tool \( -type f -o -type l \) | head -n 1)
    [ -z "$found" ] || { echo "$target: build tool left in the image: $found"; exit 1; }
  done
  echo "$target: built, $(du -smx "$root" | cut -f 1) MB, no build tools in it"
  eval "${target}_root=\$root"
done

# shellcheck disable=SC2154
(enter "$server_root" node env EVERFLAME_DATA_DIR=/var/lib/everflame \
  /opt/everflame/bin/everflame server --http-address ${URL#http://} >"$work/server.log" 2>&1) &
server=$!
# shellcheck disable=SC2154
(enter "$agent_root" root /opt/everflame/bin/everflame agent --server $URL --window 2s \
  >"$work/agent.log" 2>&1) &
agent=$!
sleep 12
types=$(profile_types $URL)
kill -TERM $agent
wait $agent || true
kill -TERM $server
wait $server || true
leave "$server_root"
leave "$agent_root"
case $types in
  *process_cpu:cpu:nanoseconds*) echo "server as user node and agent as root run: $types" ;;
  *)
    echo 'no profiles from the images'
    cat "$work/server.log" "$work/agent.log"
    exit 1
    ;;
esac
