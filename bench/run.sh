#!/usr/bin/env bash
# Ratios against SQLite (embedded) and PostgreSQL 15 (through the wire), measured in one run.
#   bench/run.sh [SECONDS-PER-RUN]
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-10}
target=${CARGO_TARGET_DIR:-target}
. bench/servers.sh

"$target/release/oxi-bench"

idle=$(rss)
echo
echo "| through the wire, ${seconds} s a run | Oxibase | PostgreSQL 15 | ratio |"
echo "|---|---|---|---|"
for port in $pg_port $oxi_port; do pgbench -i -q -s 10 -p $port >/dev/null 2>&1; done
for clients in 1 16; do
  row "pgbench -S, prepared, $clients clients" -S -M prepared -c $clients -j 2
done
for clients in 1 16; do
  row "pgbench TPC-B, prepared, $clients clients" -M prepared -c $clients -j 2
done
row "pgbench -S, simple, 16 clients" -S -M simple -c 16 -j 2
row "pgbench TPC-B, simple, 16 clients" -M simple -c 16 -j 2

python3 - "$work/rows.csv" <<'PY'
import sys
with open(sys.argv[1], "w") as out:
    for n in range(1_000_000):
        out.write(f"{n},{n % 1000},{n * 0.5},2024-01-01 00:{n // 60 % 60:02}:{n % 60:02}+00,text number {n:08d}\n")
PY
copy() { # port
  psql -qp "$1" -c 'DROP TABLE IF EXISTS bulk' -c 'CREATE TABLE bulk (a int8, b int4, c float8, d timestamptz, e text)' 2>/dev/null
  local started
  started=$(date +%s%N)
  psql -qp "$1" -c "\\copy bulk from '$work/rows.csv' csv"
  echo $((($(date +%s%N) - started) / 1000000))
}
theirs=$(copy $pg_port)
before=$(rss)
ours=$(copy $oxi_port)
sleep 2
after=$(rss)
awk -v a="$ours" -v b="$theirs" 'BEGIN { printf "| COPY of 1 M rows | %d ms | %d ms | %.2f× |\n", a, b, b / a }'
echo
echo "| memory | MB |"
echo "|---|---|"
awk -v i="$idle" -v b="$before" -v a="$after" 'BEGIN { printf "| idle server | %.0f |\n| 1 M rows more | %.0f |\n", i / 1024, (a - b) / 1024 }'
