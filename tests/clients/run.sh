#!/usr/bin/env bash
# Runs the client programs against a fresh server: tests/clients/run.sh PATH-TO-oxibase
set -euo pipefail
binary=$1
here=$(cd "$(dirname "$0")" && pwd)
data=$(mktemp -d)
log=$data/server.log
trap 'kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; rm -rf "$data"' EXIT

"$binary" serve --data "$data/db" --pg 127.0.0.1:0 >"$data/ready" 2>"$log" &
server=$!
for _ in $(seq 100); do
  grep -q ^ready "$data/ready" && break
  kill -0 "$server" || { cat "$log" >&2; exit 1; }
  sleep 0.1
done
address=$(sed -n 's,^ready postgres://,,p' "$data/ready")
[ -n "$address" ] || { echo "the server did not become ready" >&2; cat "$log" >&2; exit 1; }
export PGHOST=${address%:*} PGPORT=${address##*:} PGUSER=tester PGDATABASE=oxibase

# First: it compares everything in the server with what it put there, and takes that out again.
if command -v psql >/dev/null; then
  echo "dump"
  "$here/dump_client.sh" "$binary"
fi
echo "psycopg"
"${OXIBASE_TEST_PYTHON:-python3}" "$here/psycopg_client.py"
echo "tokio-postgres"
"$(dirname "$binary")/client-tokio-postgres"
if command -v psql >/dev/null; then
  echo "psql"
  "$here/psql_client.sh"
fi
echo "clients: ok"
