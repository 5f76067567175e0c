//! What is accepted, what is refused and where, and that no text harms the parser.

use std::fmt::Write as _;

use expect_test::{Expect, expect};
use oxi_base::SqlState;
use proptest::prelude::*;

use super::{parse, parse_expression, parse_type, quote_identifier};
use crate::ast::*;
use crate::deparse;

/// The outcome of every line of `texts`, one per line.
fn check(texts: &[&str], expected: &Expect) {
    let mut out = String::new();
    for text in texts {
        match parse(text) {
            Ok(statements) => {
                let kinds: Vec<String> = statements
                    .iter()
                    .map(|statement| format!("{:?}", statement.kind))
                    .map(|debug| word(&debug))
                    .collect();
                let _ = writeln!(out, "{}", kinds.join("; "));
            }
            Err(error) => {
                let _ =
                    writeln!(out, "{} {} {:?}", error.code(), error.message(), error.position());
            }
        }
    }
    expected.assert_eq(&out);
}

fn word(debug: &str) -> String {
    debug.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default().to_owned()
}

/// The expressions as PostgreSQL would write them: shows how they were grouped.
fn groups(texts: &[&str], expected: &Expect) {
    let mut out = String::new();
    for text in texts {
        let written = parse_expression(text).and_then(|expr| deparse::expression(&expr));
        let _ = match written {
            Ok(written) => writeln!(out, "{written}"),
            Err(error) => {
                writeln!(out, "{} {} {:?}", error.code(), error.message(), error.position())
            }
        };
    }
    expected.assert_eq(&out);
}

#[test]
fn operators_group_as_in_postgresql() {
    groups(
        &[
            "1 + 2 * 3 ^ 2 ^ 2",
            "-2 ^ 2",
            "- a::int",
            "a ~ 'x' || 'b' = c",
            "a or b and not c = d",
            "not a is null",
            "a = b is not distinct from c",
            "a between 1 and 2 and c",
            "a not between symmetric x + 1 and y and z",
            "a < b is null",
            "x = any(array[1, 2]) or y <> all (select 1)",
            "a like b escape 'c' and d not ilike any(e)",
            "a at time zone 'utc' collate \"C\" || b",
            "@ -5 + 3",
            "a operator(pg_catalog.+) b * c",
            "(a, b) in ((1, 2), (3, 4))",
            "a in (select 1) in (true)",
            "not a and not b",
            "1 is null is null",
            "a -> 'b' ->> 'c' = 'd'",
            "a <> -1",
            "5 - -3",
            "-9223372036854775808",
        ],
        &expect![[r#"
            (1 + (2 * ((3 ^ 2) ^ 2)))
            ((-2) ^ 2)
            (- a::integer)
            (((a ~ 'x') || 'b') = c)
            (a OR (b AND (NOT (c = d))))
            (NOT (a IS NULL))
            ((a = b) IS NOT DISTINCT FROM c)
            ((a BETWEEN 1 AND 2) AND c)
            ((a NOT BETWEEN SYMMETRIC (x + 1) AND y) AND z)
            ((a < b) IS NULL)
            ((x = ANY (ARRAY[1, 2])) OR (y <> ALL ( SELECT 1)))
            ((a LIKE b ESCAPE 'c') AND (d !~~* ANY (e)))
            ((a AT TIME ZONE ('utc' COLLATE "C")) || b)
            (@ ((-5) + 3))
            (a OPERATOR(pg_catalog.+) (b * c))
            (ROW(a, b) IN (ROW(1, 2), ROW(3, 4)))
            ((a IN ( SELECT 1)) IN (true))
            ((NOT a) AND (NOT b))
            ((1 IS NULL) IS NULL)
            (((a -> 'b') ->> 'c') = 'd')
            (a <> (-1))
            (5 - (-3))
            (-9223372036854775808)
        "#]],
    );
}

#[test]
fn special_syntax_becomes_calls() {
    groups(
        &[
            "extract(year from d)",
            "extract('epoch' from now() - d)",
            "substring(a from 2 for 3)",
            "substring(a for 3)",
            "substring(a, 2)",
            "trim(both 'x' from y)",
            "trim(leading from y)",
            "position('a' in b)",
            "overlay(a placing b from 1)",
            "(a, b) overlaps (c, d)",
            "cast(a as numeric(10, 2))",
            "date '2020-01-01' + interval '1' day",
            "interval(3) '1 s'",
            "timestamp(3) with time zone '2020-01-01'",
            "pg_catalog.int4 '1'",
            "a is nfc normalized",
            "current_timestamp(3)",
            "x[1][2:3].y",
            "(f(x)).y",
            "count(distinct a order by b desc nulls last) filter (where c) over (partition by d rows 1 preceding)",
            "percentile_cont(0.5) within group (order by x)",
            "f(a => 1, variadic b := array[1])",
            "case a when 1 then 'x' else 'y' end",
            "char 'abc'::char",
            "a::int[][3]::text array[4]",
        ],
        &expect![[r#"
            EXTRACT(year FROM d)
            EXTRACT(epoch FROM (now() - d))
            pg_catalog."substring"(a, 2, 3)
            pg_catalog."substring"(a, 1, 3::integer)
            "substring"(a, 2)
            pg_catalog.btrim(y, 'x')
            pg_catalog.ltrim(y)
            POSITION(('a') IN (b))
            pg_catalog."overlay"(a, b, 1)
            ((a, b) OVERLAPS (c, d))
            a::numeric(10, 2)
            ('2020-01-01'::date + '1'::interval day)
            '1 s'::interval(3)
            '2020-01-01'::timestamp(3) with time zone
            '1'::integer
            pg_catalog.is_normalized(a, 'NFC')
            CURRENT_TIMESTAMP(3)
            (x[1][2:3]).y
            (f(x)).y
            count(DISTINCT a ORDER BY b DESC NULLS LAST) FILTER (WHERE c) OVER (PARTITION BY d ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)
            percentile_cont(0.5) WITHIN GROUP (ORDER BY x)
            f(a => 1, VARIADIC b => ARRAY[1])
            CASE a WHEN 1 THEN 'x' ELSE 'y' END
            ('abc'::pg_catalog.bpchar)::character(1)
            (a::integer[][3])::text[4]
        "#]],
    );
}

#[test]
fn constants_are_decoded() {
    let literal = |text: &str| match parse_expression(text).unwrap().kind {
        ExprKind::Literal(literal) => literal,
        other => panic!("{other:?}"),
    };
    for (text, value) in [
        ("'it''s'", "it's"),
        ("'a'\n  'b' -- c\n 'd'", "abd"),
        (r"E'\n\x41\101\u0042\U00000043\\'", "\nAABC\\"),
        ("$$a'b$$", "a'b"),
        ("$x$a$$b$x$", "a$$b"),
        (r"U&'\0061\+000062\\'", "ab\\"),
        ("U&'d!0061!!' uescape '!'", "da!"),
        (r"E'\ud83d\ude00'", "😀"),
        ("N'abc'", "abc"),
    ] {
        assert_eq!(literal(text), Literal::String(value.to_owned()), "{text}");
    }
    assert_eq!(literal("b'01'"), Literal::BitString("01".to_owned()));
    assert_eq!(literal("2147483647"), Literal::Int4(i32::MAX));
    assert_eq!(literal("2147483648"), Literal::Int8(2_147_483_648));
    assert_eq!(literal("-2147483648"), Literal::Int4(i32::MIN));
    assert_eq!(literal("- 9223372036854775808"), Literal::Int8(i64::MIN));
    assert_eq!(literal("9223372036854775808"), Literal::Numeric("9223372036854775808".to_owned()));
    assert_eq!(literal("-1.50e-3"), Literal::Numeric("-1.50e-3".to_owned()));
}

#[test]
fn identifiers_are_folded_unquoted_and_cut() {
    let long = format!("{}é", "x".repeat(62));
    let text = format!("A.\"B\"\"c\".U&\"d\\0061\".{long}");
    let ExprKind::Column(parts) = parse_expression(&text).unwrap().kind else { panic!() };
    let names: Vec<&str> = parts.iter().map(Ident::as_str).collect();
    assert_eq!(names, ["a", "B\"c", "da", "x".repeat(62).as_str()]);
    assert_eq!(parts[1].span, Span::new(2, 8));
    for (name, quoted) in [
        ("a_1", "a_1"),
        ("A", "\"A\""),
        ("select", "\"select\""),
        ("x\"y", "\"x\"\"y\""),
        ("left", "\"left\""),
    ] {
        assert_eq!(quote_identifier(name), quoted);
    }
}

#[test]
fn errors_point_at_the_token() {
    check(
        &[
            "SELECT 1 FORM t",
            "select 1 +",
            "select 1 + ;",
            "select 'abc",
            "select \"abc",
            "select \"\"",
            "select /* x",
            "select 1a",
            "select $$x",
            "select 'a' 'b'",
            "select 1 < 2 < 3",
            "selec 1",
            "insert into t values (1,)",
            "update t set where a",
            "create table t (a int,)",
            "select * from (select 1)",
            "select a from t limit 1, 2",
            "(select 1 order by 1) order by 1",
            "select 1; select ; select 2 2",
            "select U&'\\00'",
            "select E'\\xff'",
            "select * from t a b",
            "select #",
        ],
        &expect![[r#"
            42601 syntax error at or near "t" Some(14)
            42601 syntax error at end of input Some(10)
            42601 syntax error at or near ";" Some(11)
            42601 unterminated quoted string at or near "'abc" Some(7)
            42601 unterminated quoted identifier at or near ""abc" Some(7)
            42601 zero-length delimited identifier at or near """" Some(7)
            42601 unterminated /* comment at or near "/* x" Some(7)
            42601 trailing junk after numeric literal at or near "1a" Some(7)
            42601 unterminated dollar-quoted string at or near "$$x" Some(7)
            42601 syntax error at or near "'b'" Some(11)
            42601 syntax error at or near "<" Some(13)
            42601 syntax error at or near "selec" Some(0)
            42601 syntax error at or near ")" Some(24)
            42601 syntax error at or near "where" Some(13)
            42601 syntax error at or near ")" Some(22)
            42601 subquery in FROM must have an alias Some(14)
            42601 LIMIT #,# syntax is not supported Some(16)
            42601 multiple ORDER BY clauses not allowed Some(22)
            42601 syntax error at or near "2" Some(28)
            42601 invalid Unicode escape Some(10)
            22021 invalid byte sequence for encoding "UTF8": 0xff Some(7)
            42601 syntax error at or near "b" Some(18)
            42601 syntax error at end of input Some(8)
        "#]],
    );
}

#[test]
fn valid_but_unsupported_is_named() {
    check(
        &[
            "select * from t tablesample system (1)",
            "create function f() returns int language sql as 'select 1'",
            "create trigger x before insert on t execute function f()",
            "select xmlelement(name a)",
            "create table t (a int) partition by range (a)",
            "alter table t enable row level security",
            "load 'x'",
            "with a as (select 1) search depth first by x set y select * from a",
        ],
        &expect![[r#"
            0A000 TABLESAMPLE is not supported Some(16)
            0A000 CREATE FUNCTION is not supported Some(7)
            0A000 CREATE TRIGGER is not supported Some(7)
            0A000 XMLELEMENT is not supported Some(7)
            0A000 PARTITION BY is not supported Some(23)
            0A000 this form of ALTER is not supported, at or near "enable" Some(14)
            0A000 this form of LOAD is not supported, at or near "load" Some(0)
            0A000 SEARCH in WITH is not supported Some(21)
        "#]],
    );
}

#[test]
fn statements_are_read() {
    check(
        &[
            "",
            ";;",
            "select 1; table t; values (1), (2);",
            "select a into temp x from t",
            "with x as (delete from t returning *) insert into u select * from x on conflict (a) where b do update set (c, d) = (excluded.c, default) returning *",
            "insert into t (a, b[1], c.d) overriding system value values (1, default, 2) on conflict do nothing",
            "insert into t default values",
            "update only t as x set a = default, (b, c) = (select 1, 2) from u where x.a = u.a returning x.*",
            "delete from t using u where current of c",
            "merge into t using u on t.a = u.a when matched and x then delete when not matched then insert (a) values (1)",
            "truncate table a, only b restart identity cascade",
            "copy t (a, b) from stdin with (format csv, header, null '', force_quote (a))",
            "copy t from '/x' with delimiter as '|' null as '' csv header quote '\"' force not null a, b where a > 1",
            "copy (select 1) to program 'cat' binary",
            "create temp table if not exists t (a serial primary key, b varchar(10) collate \"C\" not null default 'x' check (b <> ''), \
             c int references u (a) on delete set null on update cascade deferrable initially deferred, \
             d int generated always as identity (start 5 increment by -1), e int generated always as (a + 1) stored, \
             constraint k unique nulls not distinct (b, c) include (d), foreign key (c, d) references v match full, \
             exclude using gist (a with =), like w including all) with (fillfactor = 70) on commit delete rows",
            "create table t (x, y) as select 1, 2 with no data",
            "create unique index concurrently if not exists i on t using btree (a desc nulls last, lower(b), (c + d) text_ops) include (e) where a > 0",
            "create or replace view v (a) as select 1 with cascaded check option",
            "create materialized view m as select 1; refresh materialized view concurrently m",
            "create schema if not exists s authorization current_user; create sequence q as int start 1 no cycle owned by t.a",
            "alter sequence q restart with 5; alter table t add column a int, drop b cascade, alter c type text using c::text, alter d set default 1, add constraint x check (a > 0) not valid",
            "alter table t rename a to b; alter table t rename constraint x to y; alter table if exists t rename to u; alter table t set schema s; alter table t owner to current_user",
            "drop table if exists a.b, c cascade; drop index concurrently i; drop schema s; drop extension e; drop role r",
            "comment on column t.a is 'x'; comment on table t is null; comment on constraint c on t is 'y'",
            "begin isolation level serializable, read only; start transaction not deferrable; commit and chain; end; abort; rollback to savepoint a; savepoint a; release a; prepare transaction 'x'; commit prepared 'x'",
            "set local time zone interval '1' hour to minute; set search_path to a, 'B'; set names 'utf8'; reset all; show transaction isolation level; set session characteristics as transaction read write; set transaction read only; set a.b = on; set x to default; set role none; set session authorization default",
            "prepare p (int, text) as select $1; execute p (1, 'x'); deallocate all; discard all",
            "explain (analyze, format json) select 1; explain analyze verbose delete from t",
            "declare c insensitive no scroll cursor with hold for select 1; fetch forward 5 from c; fetch c; move backward all in c; fetch absolute -1 c; close all",
            "vacuum full verbose t (a); analyze; reindex table concurrently t; cluster t using i; checkpoint; lock table only t in share row exclusive mode nowait",
            "call f(1, b => 2); do $$x$$ language plpgsql; listen a; unlisten *; notify a, 'b'",
            "grant select (a), insert on t to public with grant option; revoke all on all tables in schema s from r cascade; grant a to b",
            "create extension if not exists x with schema s version '1' cascade; create type e as enum ('a', 'b'); create type c as (a int, b text); create domain d as int not null check (value > 0); create role r with login password 'x'; create database d owner = r",
            "select from t where exists (select 1) group by grouping sets ((a, b), rollup (c), ()) having true window w as (order by a groups between unbounded preceding and 1 following exclude ties) order by 1 using <, 2 desc limit all offset 5 rows fetch first row with ties for no key update of t skip locked",
            "select * from ((select 1) union select 2) a, lateral f(1) with ordinality as g(x, y), rows from (h(1) as (a int), k()) z, (a join b using (c) as m) j, only x natural left join y cross join w",
        ],
        &expect![[r#"


            Query; Query; Query
            CreateTableAs
            Insert
            Insert
            Insert
            Update
            Delete
            Merge
            Truncate
            Copy
            Copy
            Copy
            CreateTable
            CreateTableAs
            CreateIndex
            CreateView
            CreateTableAs; RefreshMaterializedView
            CreateSchema; CreateSequence
            AlterSequence; AlterTable
            Rename; Rename; Rename; SetObjectSchema; OwnerTo
            Drop; Drop; Drop; Drop; Drop
            Comment; Comment; Comment
            Transaction; Transaction; Transaction; Transaction; Transaction; Transaction; Transaction; Transaction; Transaction; Transaction
            Set; Set; Set; Set; Show; Set; Set; Set; Set; Set; Set
            Prepare; Execute; Deallocate; Discard
            Explain; Explain
            DeclareCursor; Fetch; Fetch; Fetch; Fetch; CloseCursor
            Vacuum; Vacuum; Reindex; Cluster; Checkpoint; LockTable
            Call; Do; Listen; Unlisten; Notify
            Grant; Grant; Grant
            CreateExtension; CreateType; CreateType; CreateDomain; CreateRole; CreateDatabase
            Query
            Query
        "#]],
    );
}

#[test]
fn joins_and_set_operations_group_from_the_left() {
    let text = |sql: &str| match &parse(sql).unwrap()[0].kind {
        StatementKind::Query(query) => deparse::query(query).unwrap(),
        other => panic!("{other:?}"),
    };
    // PostgreSQL begins each line with a blank, which the macro takes for indentation.
    let outdented = |text: &str| {
        let lines: Vec<&str> =
            text.lines().map(|line| line.strip_prefix(' ').unwrap_or(line)).collect();
        lines.join("\n")
    };
    expect![[r#"
         WITH r(n) AS (
                 SELECT 1
                )
         SELECT a.x,
            sum(b.y) AS s
           FROM a
             CROSS JOIN b
             FULL JOIN c USING (x)
             LEFT JOIN (d
             JOIN e ON ((d.i = e.i))) ON ((a.i = d.i))
          WHERE (a.z > ( SELECT max(n)
                   FROM r))
          GROUP BY 1
          ORDER BY 2 DESC
         LIMIT 3"#]].assert_eq(&outdented(&text(
        "with r(n) as (select 1) select a.x, sum(b.y) as s from a cross join b full join c using (x) \
         left join d join e on d.i = e.i on a.i = d.i where a.z > (select max(n) from r) group by 1 order by 2 desc limit 3",
    )));
    expect![[r#"
         ( SELECT 1
                UNION
                 ( SELECT 2
                        INTERSECT
                         SELECT 3))
        EXCEPT ALL
         ( SELECT 4
                  ORDER BY 1)
          ORDER BY 1"#]]
    .assert_eq(&text(
        "select 1 union select 2 intersect select 3 except all (select 4 order by 1) order by 1",
    ));
}

#[test]
fn types_are_normalised() {
    let mut out = String::new();
    for text in [
        "int",
        "dec(10)",
        "float(20)",
        "char",
        "character varying(3)",
        "bit varying",
        "timestamp(2) with time zone",
        "time without time zone",
        "interval day to second(3)",
        "interval(2)",
        "_text",
        "s.t(1)[]",
        "setof int[3]",
        "double precision array[2]",
        "national char(2)",
    ] {
        let name = parse_type(text).unwrap();
        let _ = writeln!(
            out,
            "{text} -> {} -> {}",
            name.name.texts().join("."),
            deparse::type_name(&name).unwrap()
        );
    }
    expect![[r#"
        int -> pg_catalog.int4 -> integer
        dec(10) -> pg_catalog.numeric -> numeric(10)
        float(20) -> pg_catalog.float4 -> real
        char -> pg_catalog.bpchar -> character(1)
        character varying(3) -> pg_catalog.varchar -> character varying(3)
        bit varying -> pg_catalog.varbit -> bit varying
        timestamp(2) with time zone -> pg_catalog.timestamptz -> timestamp(2) with time zone
        time without time zone -> pg_catalog.time -> time without time zone
        interval day to second(3) -> pg_catalog.interval -> interval day to second(3)
        interval(2) -> pg_catalog.interval -> interval(2)
        _text -> _text -> _text
        s.t(1)[] -> s.t -> s.t(1)[]
        setof int[3] -> pg_catalog.int4 -> SETOF integer[3]
        double precision array[2] -> pg_catalog.float8 -> double precision[2]
        national char(2) -> pg_catalog.bpchar -> character(2)
    "#]]
    .assert_eq(&out);
}

#[test]
fn depth_is_limited_not_fatal() {
    let too_deep = [
        format!("select {}1{}", "(".repeat(10_000), ")".repeat(10_000)),
        "select ".to_owned() + &"(".repeat(1_000_000),
        "select ".to_owned() + &"case when ".repeat(50_000),
        "select ".to_owned() + &"not ".repeat(100_000) + "a",
        "select ".to_owned() + &"@ ".repeat(100_000) + "a",
        "select 1".to_owned() + &" + 1".repeat(100_000),
        "select 1".to_owned() + &" union select 1".repeat(100_000),
        "select * from a".to_owned() + &" cross join a".repeat(100_000),
        "select * from ".to_owned() + &"(".repeat(100_000) + "a",
        "select ".to_owned() + &"array[".repeat(100_000),
        "select a".to_owned() + &"[1].b".repeat(100_000),
        "select a".to_owned() + &"::int".repeat(100_000),
        "select ".to_owned() + &"(select ".repeat(100_000),
        "select ".to_owned() + &"f(".repeat(100_000),
    ];
    for text in too_deep {
        let error = parse(&text).unwrap_err();
        assert_eq!(error.code(), SqlState::STATEMENT_TOO_COMPLEX, "{}", &text[..20]);
    }
    let long = [
        "select a".to_owned() + &" and a".repeat(100_000),
        "select a = 1".to_owned() + &" or a = 1".repeat(100_000),
        "select 1".to_owned() + &" + 1".repeat(1_500),
        "select 1".to_owned() + &", 1".repeat(100_000),
        "values (1)".to_owned() + &", (1)".repeat(100_000),
        format!("select {}1{}", "(".repeat(500), ")".repeat(500)),
        "select 1;".repeat(20_000),
    ];
    for text in long {
        assert!(parse(&text).is_ok(), "{}", &text[..20]);
    }
}

#[test]
fn garbage_is_an_error() {
    for text in [
        "\0",
        "select \0",
        "é",
        "select 'a\0b'",
        "$",
        "$1$",
        "\u{feff}select 1",
        "select 1 \\ 2",
        "::::",
        "'''''",
    ] {
        let _ = parse(text);
    }
    assert!(parse(&"☃ ".repeat(300_000)).is_err());
    assert!(parse(&"select ' ".repeat(100_000)).is_err());
}

fn token() -> impl Strategy<Value = &'static str> {
    prop::sample::select(
        "select from where group by order limit ( ) ( ) , . * + - = <> :: [ ] a b t 1 2.5 'x' $1 and or not is null in \
         like between case when then else end join left on using union all values insert into update set delete as \
         with create table int text primary key default exists any array row cast interval distinct over partition \
         filter within lateral natural ; \"Q\" e'\\n' x'1f' || -> references check alter add drop column"
            .split_whitespace()
            .collect::<Vec<_>>(),
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn random_text_never_panics(text in "\\PC{0,200}") {
        let _ = parse(&text);
    }

    #[test]
    fn random_tokens_never_panic_and_round_trip(tokens in prop::collection::vec(token(), 0..40)) {
        let text = tokens.join(" ");
        for text in [text.clone(), format!("select {text}")] {
            let Ok(statements) = parse(&text) else { continue };
            for statement in statements {
                let StatementKind::Query(query) = &statement.kind else { continue };
                let Ok(written) = deparse::query(query) else { continue };
                let again = parse(&written).map_err(|error| format!("{error}: {written}"));
                let again = again.expect("the text of a query parses");
                let StatementKind::Query(query) = &again[0].kind else { panic!("{written}") };
                prop_assert_eq!(deparse::query(query).expect("again"), written);
            }
        }
    }
}
