//! Orders and keys.

use super::*;

fn interval(months: i32, days: i32, micros: i64) -> Datum {
    Datum::Interval(Interval { months, days, micros })
}

#[test]
fn equal_values_share_a_key() {
    let pairs = [
        (oid::INTERVAL, interval(1, 0, 0), interval(0, 30, 0)),
        (oid::INTERVAL, interval(1, -30, 0), interval(0, 0, 0)),
        (oid::INTERVAL, interval(0, 1, 0), interval(0, 0, 86_400_000_000)),
        (oid::FLOAT8, Datum::Float64(-0.0), Datum::Float64(0.0)),
        (oid::BPCHAR, Datum::text("a  "), Datum::text("a")),
    ];
    for (type_oid, a, b) in pairs {
        assert_eq!(compare(type_oid, &a, &b), Ordering::Equal);
        assert_eq!(key(type_oid, &a), key(type_oid, &b));
    }
}

#[test]
fn nan_is_the_greatest_float() {
    let order = compare(oid::FLOAT8, &Datum::Float64(f64::NAN), &Datum::Float64(f64::INFINITY));
    assert_eq!(order, Ordering::Greater);
}
