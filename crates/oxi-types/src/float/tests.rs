//! Float texts, as PostgreSQL 15 writes them.

use super::*;

#[test]
fn floats_are_written_shortest() {
    let cases = [
        (1.0, "1"),
        (0.1, "0.1"),
        (1e15, "1e+15"),
        (123_456_789_012_345.0, "123456789012345"),
        (1e14, "100000000000000"),
        (1e-4, "0.0001"),
        (1e-5, "1e-05"),
        (1.5e300, "1.5e+300"),
        (-0.0, "-0"),
        (f64::NAN, "NaN"),
        (0.1 + 0.2, "0.30000000000000004"),
        (1_234_567_890_123_456.7, "1.2345678901234568e+15"),
        (f64::INFINITY, "Infinity"),
    ];
    for (value, expected) in cases {
        let mut out = String::new();
        float8_out(value, 1, &mut out);
        assert_eq!(out, expected);
    }
    let mut out = String::new();
    float8_out(0.1 + 0.2, 0, &mut out);
    float4_out(1e6, 1, &mut out);
    assert_eq!(out, "0.31e+06");
}

#[test]
fn float_input_keeps_postgresql_s_limits() {
    assert!(float8_in("1e400").is_err());
    assert!(float8_in("1e-400").is_err());
    assert!(float8_in(" 1.5 ").is_ok());
    assert!(float8_in("0x10").is_err());
    assert!(float8_in("1.").is_ok() && float8_in(".5").is_ok() && float8_in(".").is_err());
}
