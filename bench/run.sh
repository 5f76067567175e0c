#!/usr/bin/env bash
# Ratios against SQLite (embedded) and PostgreSQL 15 (through the wire), measured in one run.
#   bench/run.sh [SECONDS-PER-RUN]
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-10}
target=${CARGO_TARGET_DIR:-target}
pg_bin=/usr/lib/postgresql/15/bin
pg_port=54419 oxi_port=54420

if [ ! -x "$pg_bin/postgres" ]; then
  apt-get update -qq && apt-get install -y -qq postgresql-15 >/dev/null
fi
export PATH="$pg_bin:$PATH"
cargo build --release --locked -p oxibase-cli -p oxi-bench

work=$(mktemp -d)
oxi_pid=
stop() {
  as_pg "$pg_bin/pg_ctl" -D "$work/pg/data" -m immediate stop >/dev/null 2>&1 || true
  [ -z "$oxi_pid" ] || kill "$oxi_pid" 2>/dev/null || true
  wait 2>/dev/null || true
  rm -rf "$work"
}
trap stop EXIT

# PostgreSQL refuses to run as root.
as_pg() { if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi; }
mkdir "$work/pg" && { [ "$(id -u)" != 0 ] || chown postgres "$work/pg"; }
chmod 755 "$work"
as_pg "$pg_bin/initdb" -D "$work/pg/data" -A trust -U bench -E UTF8 --locale=C >/dev/null
as_pg "$pg_bin/postgres" -D "$work/pg/data" -p $pg_port -k "$work/pg" >"$work/pg.log" 2>&1 &
"$target/release/oxibase" serve --data "$work/oxi" --pg 127.0.0.1:$oxi_port >"$work/ready" 2>"$work/oxi.log" &
oxi_pid=$!
export PGUSER=bench PGDATABASE=postgres PGHOST=127.0.0.1
for port in $pg_port $oxi_port; do
  for _ in $(seq 100); do psql -p $port -Atc 'select 1' >/dev/null 2>&1 && break; sleep 0.1; done
done
rss() { awk '/VmRSS/ {print $2}' /proc/$oxi_pid/status; }

"$target/release/oxi-bench"

idle=$(rss)
echo
echo "| through the wire, ${seconds} s a run | Oxibase | PostgreSQL 15 | ratio |"
echo "|---|---|---|---|"
for port in $pg_port $oxi_port; do pgbench -i -q -s 10 -p $port >/dev/null 2>&1; done
tps() { pgbench -n -T "$seconds" -p "$1" "${@:2}" 2>>"$work/pgbench.log" | sed -n 's/^tps = \([0-9.]*\).*/\1/p'; }
row() { # name, pgbench arguments
  local ours theirs
  theirs=$(tps $pg_port "${@:2}")
  ours=$(tps $oxi_port "${@:2}")
  awk -v n="$1" -v a="$ours" -v b="$theirs" 'BEGIN { printf "| %s | %.0f/s | %.0f/s | %.2f× |\n", n, a, b, a / b }'
}
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
