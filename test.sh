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

step "tidy"
cargo xtask tidy

step "lints"
cargo clippy --workspace --all-targets --locked -- --deny warnings



step "tests"
cargo test --workspace --locked --no-fail-fast

step "simulator"
cargo run --quiet --locked --package oxi-sim -- bank --seeds 300

step "the simulator sees a lost commit"
cargo run --quiet --locked --package oxi-sim -- canary --seeds 200

step "kill -9"
cargo run --quiet --locked --package oxi-sim -- kill --cycles 10 --binary "$CARGO_TARGET_DIR/debug/oxibase"

step "clients"
tests/clients/run.sh "$CARGO_TARGET_DIR/debug/oxibase"

echo
echo "test.sh: all green"
