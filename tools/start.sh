#!/bin/sh
# npm start: installs what is missing, builds, runs a server and, as root, an agent for this machine.
# Both read their settings from EVERFLAME_* variables; see `bin/everflame server --help`.
set -eu
cd "$(dirname "$0")/.."
sh tools/install.sh run
echo 'everflame: building'
npm run --silent build >build.log 2>&1 || { cat build.log >&2; exit 1; }
rm -f build.log
exec node tools/run.mjs
