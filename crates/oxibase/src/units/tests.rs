//! Amounts are read as they are shown.

use super::{BYTES, MICROSECONDS, bytes, microseconds, show};

#[test]
fn amounts_are_read_as_they_are_shown() {
    for text in ["256MB", "1GB", "1536MB", "3kB", "7B"] {
        let read = bytes("memory_limit", text);
        assert_eq!(read.map(|n| show(n, &BYTES)).ok().as_deref(), Some(text));
    }
    for text in ["5min", "1h", "90s", "1500ms", "2d"] {
        let read = microseconds("checkpoint_timeout", text);
        assert_eq!(read.map(|n| show(n, &MICROSECONDS)).ok().as_deref(), Some(text));
    }
    assert!(bytes("memory_limit", "256").is_err());
    assert!(bytes("memory_limit", "much").is_err());
    assert!(microseconds("checkpoint_timeout", "5 minutes").is_err());
}
