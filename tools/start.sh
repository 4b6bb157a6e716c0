#!/bin/sh
# npm start: installs what is missing, builds, runs a server and, as root, an agent for this machine.
# The server reads its settings from EVERFLAME_* variables; see `bin/everflame server --help`.
set -eu
cd "$(dirname "$0")/.."
export EVERFLAME_HTTP_ADDRESS="${EVERFLAME_HTTP_ADDRESS:-127.0.0.1:7070}"
export EVERFLAME_DATA_DIR="${EVERFLAME_DATA_DIR:-./data}"

sh tools/install.sh run
echo 'everflame: building'
npm run --silent build >build.log 2>&1 || { cat build.log >&2; exit 1; }
rm -f build.log

server='' agent=''
stop() {
  trap - INT TERM EXIT
  # The agent first: its last window still finds the server.
  [ -n "$agent" ] && kill -TERM "$agent" 2>/dev/null && wait "$agent" || true
  [ -n "$server" ] && kill -TERM "$server" 2>/dev/null && wait "$server" || true
}
trap stop EXIT
trap 'stop; exit 130' INT
trap 'stop; exit 143' TERM

bin/everflame server &
server=$!

if [ "$(id -u)" = 0 ]; then
  bin/everflame agent --server "http://$EVERFLAME_HTTP_ADDRESS" &
  agent=$!
else
  echo 'everflame: not root, so no agent is started; `sudo npm start` profiles this machine'
fi

wait "$server"
