//! The stored form keeps values and their order.

use super::*;

#[test]
fn stored_bytes_sort_as_values_do() {
    let texts = [
        "-Infinity",
        "-1e200",
        "-100.5",
        "-100",
        "-99.99",
        "-1",
        "-0.01",
        "-1e-200",
        "0",
        "1e-200",
        "0.001",
        "0.01",
        "0.5",
        "1",
        "1.5",
        "9",
        "10",
        "99",
        "100",
        "100.01",
        "12345678901234567890123456789012345678901234567890",
        "1e200",
        "Infinity",
        "NaN",
    ];
    let values: Vec<Numeric> = texts.iter().map(|text| Numeric::parse(text).expect(text)).collect();
    for pair in values.windows(2) {
        assert!(pair[0] < pair[1], "{} {}", pair[0], pair[1]);
        let (a, b) = (encode(&pair[0]), encode(&pair[1]));
        assert!(key(&a) < key(&b), "{} {}", pair[0], pair[1]);
    }
    for value in &values {
        let bytes = encode(value);
        assert_eq!(decode(&bytes).expect("decodes").to_string(), value.to_string());
    }
}

#[test]
fn display_scale_does_not_count_for_equality() {
    let (a, b) = (Numeric::parse("1.50").expect("fine"), Numeric::parse("1.5").expect("fine"));
    assert_eq!(a, b);
    assert_eq!(key(&encode(&a)), key(&encode(&b)));
    assert_eq!(a.to_string(), "1.50");
}
