#!/usr/bin/env bash
# Transactions under contention, bulk changes and the space they leave, against PostgreSQL 15 in one run.
#   bench/transactions.sh [SECONDS-PER-RUN]
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-10}
target=${CARGO_TARGET_DIR:-target}
. bench/servers.sh

sql() { psql -qAtX -v ON_ERROR_STOP=1 -p "$1" "${@:2}"; }
both() { for port in $pg_port $oxi_port; do sql $port "$@"; done; }
line() { awk -v n="$1" -v a="$2" -v b="$3" -v u="$4" 'BEGIN { printf "| %s | %d %s | %d %s | %.2f× |\n", n, a, u, b, u, b / a }'; }
took() { # port, SQL: milliseconds
  local started
  started=$(date +%s%N)
  sql "$@" >/dev/null
  echo $((($(date +%s%N) - started) / 1000000))
}
time_row() { # name, SQL
  local theirs ours
  theirs=$(took $pg_port -c "$2")
  ours=$(took $oxi_port -c "$2")
  line "$1" "$ours" "$theirs" ms
}
# What the tables take, without the log: after a checkpoint, in KiB.
space() {
  both -c CHECKPOINT
  theirs=$(as_pg du -sk --exclude=pg_wal "$work/pg/data" | cut -f1)
  ours=$(du -sk --exclude=wal "$work/oxi" | cut -f1)
}

echo "| ${seconds} s a run | Oxibase | PostgreSQL 15 | ratio |"
echo "|---|---|---|---|"

both -c 'CREATE TABLE hot (id int PRIMARY KEY, n int NOT NULL)' \
  -c 'INSERT INTO hot SELECT i, 0 FROM generate_series(1, 10) i'
cat >"$work/hot.sql" <<'SQL'
\set id random(1, 10)
UPDATE hot SET n = n + 1 WHERE id = :id;
SQL
row "contended UPDATE of 10 rows, 16 clients" -f "$work/hot.sql" -M prepared -c 16 -j 2

both -c 'CREATE TABLE jobs (id bigint PRIMARY KEY, payload text NOT NULL)' \
  -c "INSERT INTO jobs SELECT i, 'job number ' || i FROM generate_series(1, 1000000) i"
cat >"$work/queue.sql" <<'SQL'
DELETE FROM jobs WHERE id = (SELECT id FROM jobs ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING payload;
SQL
row "queue with SKIP LOCKED, 8 consumers" -f "$work/queue.sql" -M prepared -c 8 -j 2
both -c 'DROP TABLE jobs'

for port in $pg_port $oxi_port; do pgbench -i -q -s 10 -p $port >/dev/null 2>&1; done
level() { # isolation, port: TPC-B of 16 clients, failed transactions tried again
  PGOPTIONS="-c default_transaction_isolation=$1" tps "$2" -M prepared -c 16 -j 2 --max-tries=1000
}
for port in $oxi_port $pg_port; do
  repeatable[$port]=$(level repeatable\\\ read $port)
  serializable[$port]=$(level serializable $port)
done
printf '| TPC-B, REPEATABLE READ, 16 clients | %.0f/s | %.0f/s | |\n' \
  "${repeatable[$oxi_port]}" "${repeatable[$pg_port]}"
printf '| TPC-B, SERIALIZABLE, 16 clients | %.0f/s | %.0f/s | |\n' \
  "${serializable[$oxi_port]}" "${serializable[$pg_port]}"
awk -v a="${serializable[$oxi_port]}" -v b="${repeatable[$oxi_port]}" -v c="${serializable[$pg_port]}" \
  -v d="${repeatable[$pg_port]}" \
  'BEGIN { printf "| SERIALIZABLE to REPEATABLE READ | %.2f | %.2f | |\n", a / b, c / d }'

both -c 'CREATE TABLE bulk (a bigint PRIMARY KEY, b int, c float8, e text)' \
  -c "INSERT INTO bulk SELECT i, i % 1000, i * 0.5, 'text number ' || i FROM generate_series(1, 1000000) i"
space; theirs_full=$theirs ours_full=$ours
time_row "UPDATE of 1 M rows" 'UPDATE bulk SET b = b + 1'
time_row "UPDATE of 1 M rows, again" 'UPDATE bulk SET b = b + 1'
time_row "DELETE of 900,000 of 1 M rows" 'DELETE FROM bulk WHERE a % 10 <> 0'
both -c 'VACUUM bulk'
sleep 2
space
printf '| space after both, in per cent of before | %d | %d | |\n' \
  $((100 * ours / ours_full)) $((100 * theirs / theirs_full))
