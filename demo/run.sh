#!/usr/bin/env bash
# The demo: ingests this checkout's docs/ and demo/documents/ into a home of its own, searches, verifies.
set -euo pipefail
embedmill=$(realpath "$1")
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Nothing of the user's own settings or home takes part.
for name in $(compgen -e EMBEDMILL_ || true); do unset "$name"; done
export EMBEDMILL_HOME="$PWD/demo-home"

run() {
    local shown=""
    for word in "$@"; do [[ $word == *' '* ]] && shown+=" '$word'" || shown+=" $word"; done
    printf '\n$ embedmill%s\n' "$shown"
    "$embedmill" "$@"
}

run ingest docs demo/documents
run search 'what do I do with a dead letter?' --top-k 3
run search 'price of a backup tape' --top-k 2
run search 'who is on call at night?' --top-k 2
run ask 'how long may a worker that is told to stop finish what it holds?'
run verify
printf '\nThe demo lives in %s; EMBEDMILL_HOME=%s embedmill search "…" asks it more.\n' "$EMBEDMILL_HOME" demo-home
