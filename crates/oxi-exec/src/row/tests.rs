//! Row expressions compute as SQL says.

use datafusion::{
    common::DFSchema,
    logical_expr::{Expr, col, execution_props::ExecutionProps, lit, when},
};

use super::*;

fn schema() -> DFSchema {
    let fields = vec![
        arrow::datatypes::Field::new("a", DataType::Int32, true),
        arrow::datatypes::Field::new("b", DataType::Utf8View, true),
        arrow::datatypes::Field::new("c", DataType::Boolean, true),
    ];
    DFSchema::try_from(arrow::datatypes::Schema::new(fields)).unwrap()
}

fn compile(expr: &Expr) -> RowExpr {
    let schema = schema();
    Compiler { schema: &schema, offset: 0, props: None }.require(expr).unwrap()
}

fn value(expr: &Expr, row: &[Datum]) -> Datum {
    compile(expr).eval(&EvalContext::fixed(0), Scope::of(row, &[])).unwrap().into_owned()
}

#[test]
fn three_valued_logic() {
    let row = [Datum::Null, Datum::text("x"), Datum::Bool(true)];
    assert_eq!(value(&col("a").eq(lit(1)), &row), Datum::Null);
    assert_eq!(value(&col("a").eq(lit(1)).and(lit(false)), &row), Datum::Bool(false));
    assert_eq!(value(&col("a").eq(lit(1)).or(col("c")), &row), Datum::Bool(true));
    assert_eq!(value(&Expr::Not(Box::new(col("a").lt(lit(1)))), &row), Datum::Null);
    assert_eq!(value(&col("a").is_null(), &row), Datum::Bool(true));
    assert_eq!(value(&col("a").gt(lit(1)).is_not_true(), &row), Datum::Bool(true));
    let list = col("a").in_list(vec![lit(1), lit(2)], false);
    assert_eq!(value(&list, &row), Datum::Null);
    let row = [Datum::Int32(3), Datum::Null, Datum::Null];
    assert_eq!(value(&list, &row), Datum::Bool(false));
    assert_eq!(value(&col("a").between(lit(1), lit(3)), &row), Datum::Bool(true));
    assert_eq!(value(&col("a").not_between(lit(1), lit(3)), &row), Datum::Bool(false));
}

#[test]
fn case_takes_the_first_true_branch() {
    let expr = when(col("a").gt(lit(10)), lit(1))
        .when(col("a").gt(lit(5)), lit(2))
        .otherwise(lit(3))
        .unwrap();
    for (a, expected) in [(11, 1), (6, 2), (1, 3)] {
        let row = [Datum::Int32(a), Datum::Null, Datum::Null];
        assert_eq!(value(&expr, &row), Datum::Int32(expected));
    }
}

#[test]
fn what_only_the_query_engine_knows() {
    let schema = schema();
    let expr = col("a") + lit(1);
    let without = Compiler { schema: &schema, offset: 0, props: None };
    assert!(without.compile(&expr).unwrap().is_none());
    let props = ExecutionProps::new();
    let with = Compiler { schema: &schema, offset: 0, props: Some(&props) };
    let compiled = with.require(&expr).unwrap();
    let row = [Datum::Int32(41), Datum::Null, Datum::Null];
    let value = compiled.eval(&EvalContext::fixed(0), Scope::of(&row, &[])).unwrap();
    assert_eq!(value.into_owned(), Datum::Int32(42));
}

#[test]
fn columns_are_replaced_and_counted() {
    let mut expr = compile(&col("a").eq(lit(1)).and(col("c")));
    let mut seen = Vec::new();
    expr.any_column(&mut |column| {
        seen.push(column);
        false
    });
    assert_eq!(seen, vec![0, 2]);
    expr.map_columns(&mut |column| column + 10);
    assert!(expr.any_column(&mut |column| column == 12));
    let inlined =
        compile(&col("a").eq(lit(1))).inline(&[RowExpr::Param(4), RowExpr::Literal(Datum::Null)]);
    assert_eq!(inlined.parameters(), 5);
    assert!(inlined.is_constant());
}
