# Starts an Oxibase and a PostgreSQL 15 of their own beside each other; sourced by the benchmarks.
#   $work        directory of both, gone at exit       $oxi_port $pg_port   where they listen
#   $oxi_pid     the server's process                  tps PORT ARGS…       pgbench's transactions a second
#   row NAME ARGS…   a line with both and the ratio    rss                  our resident memory, KiB
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

tps() { pgbench -n -T "$seconds" -p "$1" "${@:2}" 2>>"$work/pgbench.log" | sed -n 's/^tps = \([0-9.]*\).*/\1/p'; }
row() { # name, pgbench arguments
  local ours theirs
  theirs=$(tps $pg_port "${@:2}")
  ours=$(tps $oxi_port "${@:2}")
  awk -v n="$1" -v a="$ours" -v b="$theirs" 'BEGIN { printf "| %s | %.0f/s | %.0f/s | %.2f× |\n", n, a, b, a / b }'
}
