//! Known moments as text.

use super::*;

#[test]
fn known_moments() {
    assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000000Z");
    assert_eq!(rfc3339(-1), "1969-12-31T23:59:59.999999Z");
    assert_eq!(rfc3339(POSTGRES_EPOCH_UNIX_US), "2000-01-01T00:00:00.000000Z");
    assert_eq!(rfc3339(1_709_210_096_000_007), "2024-02-29T12:34:56.000007Z");
    assert_eq!(rfc3339(4_107_542_400 * US_PER_SECOND), "2100-03-01T00:00:00.000000Z");
}
