#!/usr/bin/env bash
# Sets up what the tests need and runs all of them: tidy, lints, unit and script tests, SQL through
# every door, the simulator, kill -9 cycles, and real clients.
set -euo pipefail
cd "$(dirname "$0")"

# Compiled dependencies are shared between checkouts.
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$HOME/.cache/oxibase/target}"
export CARGO_INCREMENTAL=0

step() { printf '\n== %s\n' "$*"; }

step "set-up"
for tool in cargo cc python3; do
  command -v "$tool" >/dev/null || { echo "test.sh: $tool is needed" >&2; exit 1; }
done
VENV="$HOME/.cache/oxibase/venv"
if ! "$VENV/bin/python" -c 'import psycopg' 2>/dev/null; then
  python3 -m venv "$VENV"
  "$VENV/bin/pip" install --quiet 'psycopg[binary]==3.2.*'
fi
export OXIBASE_TEST_PYTHON="$VENV/bin/python"

step "format"
cargo fmt --all --check

# One selection of packages and targets for all that follows: another would compile the
# dependencies again with other features.
step "build"
cargo build --workspace --all-targets --locked
bin=$CARGO_TARGET_DIR/debug

step "tidy"
"$bin/xtask" tidy

step "lints"
cargo clippy --workspace --all-targets --locked -- -D warnings

step "tests"
cargo test --workspace --locked --no-fail-fast

step "simulator"
"$bin/oxi-sim" bank --seeds 300

step "isolation of histories"
"$bin/oxi-sim" list-append --txns 4000 --level serializable
"$bin/oxi-sim" list-append --txns 2000 --level repeatable-read
"$bin/oxi-sim" list-append --txns 2000 --level read-committed

step "the simulator sees a disk that lies"
"$bin/oxi-sim" canary --seeds 200

step "damaged files"
"$bin/oxi-sim" flip --positions 1000
"$bin/oxi-sim" fuzz --rounds 100

step "kill -9"
"$bin/oxi-sim" kill --cycles 10 --binary "$bin/oxibase"

step "clients"
tests/clients/run.sh "$bin/oxibase"

echo
echo "test.sh: all green"
