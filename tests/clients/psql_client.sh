#!/usr/bin/env bash
# psql: everyday statements, \d and its family, an error with the caret under the right word.
set -euo pipefail
run() { psql -X -v ON_ERROR_STOP=1 -At "$@"; }
expect() { # expected, actual
  [ "$1" = "$2" ] || { printf 'expected:\n%s\ngot:\n%s\n' "$1" "$2" >&2; exit 1; }
}

run -q <<'SQL'
DROP TABLE IF EXISTS psql_line, psql_order;
CREATE TABLE psql_order (id int PRIMARY KEY, customer text NOT NULL, placed timestamptz DEFAULT now());
CREATE TABLE psql_line (
  order_id int REFERENCES psql_order ON DELETE CASCADE, n int, price numeric(10,2) CHECK (price >= 0),
  PRIMARY KEY (order_id, n));
INSERT INTO psql_order VALUES (1, 'ada'), (2, 'grace');
INSERT INTO psql_line VALUES (1, 1, 9.99), (1, 2, 0.01), (2, 1, 5);
SQL
expect $'ada|10.00\ngrace|5.00' "$(run -c 'SELECT customer, sum(price) FROM psql_order o JOIN psql_line l ON o.id = l.order_id GROUP BY customer ORDER BY 1')"
expect $'1|1|1\n1|2|2\n2|1|1' "$(run -c 'SELECT order_id, n, row_number() OVER (PARTITION BY order_id ORDER BY n) FROM psql_line ORDER BY 1, 2')"

described=$(psql -X -c '\d psql_line')
for part in 'order_id | integer' 'psql_line_pkey' 'FOREIGN KEY (order_id) REFERENCES psql_order(id) ON DELETE CASCADE' 'price >= 0'; do
  grep -qF "$part" <<<"$described" || { printf '\\d lacks %s:\n%s\n' "$part" "$described" >&2; exit 1; }
done
for command in '\dt' '\d' '\l' '\dn' '\di' '\dv' '\ds' '\du' '\df' '\dT'; do
  run -c "$command" >/dev/null
done

message=$(psql -X -c 'SELECT custmer FROM psql_order' 2>&1 || true)
expect 'ERROR:  column "custmer" does not exist
LINE 1: SELECT custmer FROM psql_order
               ^
HINT:  Perhaps you meant to reference the column "psql_order.customer".' "$message"

expect 2 "$(printf '3,x\n4,y\n' | run -q -c '\copy psql_order (id, customer) from stdin csv' && run -c 'SELECT count(*) FROM psql_order WHERE id > 2')"
run -q -c 'DROP TABLE psql_line, psql_order'
