#!/usr/bin/env bash
# Dumps: from a server, restored by psql into Oxibase and, where it is installed, into PostgreSQL; the
# copies hold the same rows. dump_client.sh PATH-TO-oxibase, with a server of Oxibase in PGHOST and PGPORT.
set -euo pipefail
binary=$(realpath "$1")
here=$(cd "$(dirname "$0")" && pwd)
scratch=$(mktemp -d)
postgres=
finish() {
  [ -z "$postgres" ] || as_owner "$postgres/pg_ctl" -D "$scratch/pg/data" -m immediate stop >/dev/null || true
  rm -rf "$scratch"
}
trap finish EXIT
cd "$scratch"
# PostgreSQL does not run as root.
as_owner() { if [ "$(id -u)" = 0 ]; then setpriv --reuid postgres --regid postgres --clear-groups "$@"; else "$@"; fi; }
quiet_psql() { psql -X -q -v ON_ERROR_STOP=1 "$@" >/dev/null; }

"$binary" "$scratch/first" -q -f "$here/../dump/everything.sql" >/dev/null
"$binary" dump "$scratch/first" -o "$scratch/first.sql"

# psql into the running server, and a dump of that.
quiet_psql -f "$scratch/first.sql"
"$binary" dump "postgres://$PGUSER@$PGHOST:$PGPORT/$PGDATABASE" -o "$scratch/second.sql"
diff "$scratch/first.sql" "$scratch/second.sql"
quiet_psql -c 'SET client_min_messages = warning' -c 'DROP SCHEMA shop, "My ""odd"" Schema" CASCADE; DROP TABLE public.kind'

postgres=$(ls -d /usr/lib/postgresql/15/bin 2>/dev/null || dirname "$(command -v initdb || echo /)")
if [ ! -x "$postgres/initdb" ] || { [ "$(id -u)" = 0 ] && ! id postgres >/dev/null 2>&1; }; then
  echo "dump: no PostgreSQL to restore into"
  postgres=
  exit 0
fi
mkdir "$scratch/pg" && chmod 755 "$scratch"
[ "$(id -u)" != 0 ] || chown postgres "$scratch/pg"
as_owner "$postgres/initdb" -D "$scratch/pg/data" -U "$PGUSER" -A trust -E UTF8 --locale=C >/dev/null
as_owner "$postgres/pg_ctl" -D "$scratch/pg/data" -l "$scratch/pg/log" -w start \
  -o "-p 5432 -k $scratch/pg -c listen_addresses='' -c fsync=off" >/dev/null
in_postgres() { PGHOST=$scratch/pg PGPORT=5432 "$@"; }

for form in copy inserts; do
  name=form_$form
  in_postgres quiet_psql -d postgres -c "CREATE DATABASE $name"
  [ "$form" = copy ] && option= || option=--inserts
  # shellcheck disable=SC2086
  "$binary" dump "$scratch/first" $option -o "$scratch/$form.sql"
  in_postgres quiet_psql -d "$name" -f "$scratch/$form.sql"
  # The rows as both write them, under the settings of a dump.
  "$binary" "$scratch/first" -q --format csv -t -f "$here/../dump/rows.sql" >"$scratch/ours"
  in_postgres psql -X -q -v ON_ERROR_STOP=1 -d "$name" -At -F, -f "$here/../dump/rows.sql" >"$scratch/theirs"
  diff "$scratch/ours" "$scratch/theirs"
done

# The other way: what pg_dump writes restores into Oxibase.
in_postgres "$postgres/pg_dump" --no-owner --no-privileges form_copy >"$scratch/theirs.sql"
"$binary" "$scratch/third" -q -f "$scratch/theirs.sql" >/dev/null
"$binary" "$scratch/third" -q --format csv -t -f "$here/../dump/rows.sql" >"$scratch/back"
diff <(sort "$scratch/theirs") <(sort "$scratch/back")
