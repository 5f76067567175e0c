//! How commits are shown.
#![allow(clippy::unwrap_used, reason = "tests")]

use oxi_base::Ts;

use super::show_ts;

#[test]
fn commits_are_shown_as_moments() {
    let at = |us| show_ts(Ts::from_unix_us(us));
    assert_eq!(at(Ts::EPOCH_UNIX_US), "2020-01-01 00:00:00.000000+00");
    assert_eq!(at(1_582_934_400_000_000), "2020-02-29 00:00:00.000000+00");
    assert_eq!(at(1_583_020_800_000_001), "2020-03-01 00:00:00.000001+00");
    assert_eq!(at(1_735_689_599_999_999), "2024-12-31 23:59:59.999999+00");
    assert_eq!(at(4_107_542_399_000_000), "2100-02-28 23:59:59.000000+00");
}
