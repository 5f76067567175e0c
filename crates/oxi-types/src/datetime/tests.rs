//! Calendar arithmetic.

use super::*;

#[test]
fn civil_dates_round_trip() {
    for days in (-2_500_000..2_500_000).step_by(997) {
        let (year, month, day) = civil_from_days(days);
        assert_eq!(days_from_civil(year, month, day), days);
    }
    assert_eq!(days_from_civil(-4713, 11, 24), MIN_DATE);
    assert_eq!(days_from_civil(5_874_897, 12, 31), MAX_DATE);
}
