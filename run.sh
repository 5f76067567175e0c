#!/usr/bin/env bash
# Builds the release binary and serves a database: ./run.sh [arguments of `oxibase serve`]
set -euo pipefail
cd "$(dirname "$0")"

if ! command -v cargo >/dev/null; then
  echo "run.sh: cargo is needed: Rust 1.95 or newer (https://rustup.rs)" >&2
  exit 1
fi
if ! command -v cc >/dev/null; then
  if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
    apt-get update -qq && apt-get install -y -qq gcc libc6-dev
  else
    echo "run.sh: a C compiler is needed (package gcc)" >&2
    exit 1
  fi
fi

cargo build --release --locked --package oxibase-cli
exec "${CARGO_TARGET_DIR:-target}/release/oxibase" serve "$@"
