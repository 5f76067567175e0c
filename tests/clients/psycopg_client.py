"""psycopg 3: parameters, binary results, COPY, transactions, cancel, errors, pipelines."""

import datetime
import decimal
import threading
import time
import uuid

import psycopg


def main() -> None:
    with psycopg.connect("", autocommit=True) as conn:
        types(conn)
        transactions(conn)
        copy(conn)
        errors(conn)
        server_cursor(conn)
        pipeline(conn)
        prepared(conn)
        cancel(conn)
    print("psycopg: ok")


def types(conn: psycopg.Connection) -> None:
    moment = datetime.datetime(2024, 2, 29, 12, 34, 56, 789000, tzinfo=datetime.timezone.utc)
    values = [
        ("bool", True),
        ("int2", -32768),
        ("int4", 2147483647),
        ("int8", -(2**63)),
        ("float8", 1.5e-300),
        ("numeric", decimal.Decimal("-12345678901234567890.123456789")),
        ("text", "naïve 🦀"),
        ("bytea", b"\x00\xff\\"),
        ("date", datetime.date(1999, 12, 31)),
        ("time", datetime.time(23, 59, 59, 999999)),
        ("timestamp", moment.replace(tzinfo=None)),
        ("timestamptz", moment),
        ("interval", datetime.timedelta(days=3, seconds=7, microseconds=1)),
        ("uuid", uuid.UUID("12345678-1234-5678-1234-567812345678")),
    ]
    for binary in (False, True):
        with conn.cursor(binary=binary) as cur:
            for name, value in values:
                cur.execute(f"SELECT %s::{name}, NULL::{name}", (value,))
                assert cur.fetchone() == (value, None), (name, binary)
            cur.execute("SELECT %s::jsonb", (psycopg.types.json.Jsonb({"b": [1, None], "a": "x"}),))
            assert cur.fetchone() == ({"a": "x", "b": [1, None]},)


def transactions(conn: psycopg.Connection) -> None:
    conn.execute("DROP TABLE IF EXISTS py_account")
    conn.execute("CREATE TABLE py_account (id int PRIMARY KEY, balance int NOT NULL)")
    conn.execute("INSERT INTO py_account VALUES (1, 100), (2, 0)")
    with conn.transaction():
        conn.execute("UPDATE py_account SET balance = balance - 40 WHERE id = 1")
        conn.execute("UPDATE py_account SET balance = balance + 40 WHERE id = 2")
    try:
        with conn.transaction():
            conn.execute("UPDATE py_account SET balance = 0")
            with conn.transaction():
                conn.execute("INSERT INTO py_account VALUES (3, 3)")
                raise psycopg.Rollback()
    except psycopg.Rollback:
        pass
    rows = conn.execute("SELECT balance FROM py_account ORDER BY id").fetchall()
    assert rows == [(0,), (0,)], rows


def copy(conn: psycopg.Connection) -> None:
    conn.execute("DROP TABLE IF EXISTS py_copy")
    conn.execute("CREATE TABLE py_copy (a int, b text, c timestamptz)")
    with conn.cursor() as cur:
        with cur.copy("COPY py_copy (a, b) FROM STDIN") as sink:
            for n in range(10_000):
                sink.write_row((n, None if n % 7 == 0 else f"line\t{n}\\"))
        assert cur.rowcount == 10_000
        with cur.copy("COPY (SELECT a, b FROM py_copy ORDER BY a) TO STDOUT") as source:
            rows = list(source.rows())
    assert len(rows) == 10_000 and rows[1] == ("1", "line\t1\\") and rows[7] == ("7", None)
    try:
        with conn.cursor().copy("COPY py_copy FROM STDIN") as sink:
            sink.write(b"1\tx\n")
    except psycopg.errors.BadCopyFileFormat as error:
        assert "missing data" in error.diag.message_primary
    else:
        raise AssertionError("a short line was taken")
    assert conn.execute("SELECT count(*) FROM py_copy").fetchone() == (10_000,)


def errors(conn: psycopg.Connection) -> None:
    try:
        conn.execute("INSERT INTO py_account VALUES (1, 1)")
    except psycopg.errors.UniqueViolation as error:
        assert error.diag.constraint_name == "py_account_pkey", error.diag.constraint_name
        assert error.diag.message_detail == "Key (id)=(1) already exists."
    else:
        raise AssertionError("a duplicate key was taken")
    try:
        conn.execute("SELECT nothing FROM py_account")
    except psycopg.errors.UndefinedColumn as error:
        assert error.diag.statement_position == "8"
    else:
        raise AssertionError("an unknown column was found")


def server_cursor(conn: psycopg.Connection) -> None:
    with conn.transaction(), conn.cursor(name="walk") as cur:
        cur.itersize = 1000
        cur.execute("SELECT a FROM py_copy ORDER BY a")
        assert sum(a for (a,) in cur) == 10_000 * 9_999 // 2


def pipeline(conn: psycopg.Connection) -> None:
    with conn.pipeline():
        first = conn.execute("SELECT 1")
        second = conn.execute("SELECT %s + 1", (41,))
    assert first.fetchone() == (1,) and second.fetchone() == (42,)


def prepared(conn: psycopg.Connection) -> None:
    for n in range(20):
        row = conn.execute("SELECT balance FROM py_account WHERE id = %s", (1,), prepare=True)
        assert row.fetchone() == (0,), n


def cancel(conn: psycopg.Connection) -> None:
    timer = threading.Timer(0.3, conn.cancel)
    started = time.monotonic()
    timer.start()
    try:
        conn.execute("SELECT pg_sleep(30)")
    except psycopg.errors.QueryCanceled:
        pass
    else:
        raise AssertionError("the query ran to its end")
    assert time.monotonic() - started < 15
    assert conn.execute("SELECT 1").fetchone() == (1,)


main()
