#!/bin/sh
# npm test: installs what is missing, builds, checks and tests everything; goes on after a failure
# so that one run shows them all. The last line counts: `N passed, N failed`.
set -u
cd "$(dirname "$0")/.."
results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT

sh tools/install.sh test || { echo '0 passed, 1 failed'; exit 1; }

step() {
  name=$1
  shift
  echo "--- $name"
  if "$@"; then echo pass >"$results/$name.step"; else echo fail >"$results/$name.step"; fi
}
suite() { npx vitest run --project "$1" --reporter=default --reporter=json --outputFile.json="$results/$1.json"; }

step build npm run --silent build
step lint npm run --silent lint
step types npm run --silent types
step knip npm run --silent knip
step unit suite unit
step e2e suite e2e

node tools/summary.mjs "$results"
