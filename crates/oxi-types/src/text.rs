//! String algorithms that functions share.

/// The longest prefix of whole characters within a number of bytes.
pub fn truncate_bytes(text: &str, limit: usize) -> &str {
    let mut end = text.len().min(limit);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}
