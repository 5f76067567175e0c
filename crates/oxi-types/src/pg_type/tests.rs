//! Names and modifiers of types.

use oxi_model::descriptor::TypeRef;

use super::*;

#[test]
fn the_table_is_sorted_by_oid() {
    assert!(all().windows(2).all(|pair| pair[0].oid < pair[1].oid));
    assert_eq!(by_oid(23).map(|row| row.name), Some("int4"));
    assert_eq!(by_name("double precision").map(|row| row.oid), Some(oid::FLOAT8));
    assert_eq!(by_name("integer[]").map(|row| row.oid), Some(oid::_INT4));
    assert_eq!(by_name("char").map(|row| row.oid), Some(oid::BPCHAR));
}

#[test]
fn types_are_spelled_as_postgresql_spells_them() {
    let cases = [
        (oid::NUMERIC, encode_typmod(oid::NUMERIC, &[10, 2]).ok(), "numeric(10,2)"),
        (oid::NUMERIC, encode_typmod(oid::NUMERIC, &[3, -5]).ok(), "numeric(3,-5)"),
        (oid::VARCHAR, Some(7), "character varying(3)"),
        (oid::_VARCHAR, Some(7), "character varying(3)[]"),
        (oid::BPCHAR, Some(5), "character(1)"),
        (oid::TIMESTAMPTZ, Some(3), "timestamp(3) with time zone"),
        (
            oid::INTERVAL,
            interval_typmod(Some("day to second"), Some(2)).ok(),
            "interval day to second(2)",
        ),
        (oid::INT4, Some(-1), "integer"),
    ];
    for (type_oid, typmod, expected) in cases {
        let typmod = typmod.expect("a valid modifier");
        assert_eq!(format_type(TypeRef { oid: type_oid, typmod }), expected);
    }
}
