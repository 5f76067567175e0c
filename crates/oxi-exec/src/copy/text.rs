//! The fields of a line of the text format.

use memchr::{memchr, memchr2};
use oxi_base::Result;

use crate::copy::options::bad_format;

/// A field: where it is, and whether it is NULL.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field {
    /// In the line or, if `owned`, in the scratch buffer.
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) owned: bool,
    pub(crate) null: bool,
}

/// Splits a line; fields with escapes are written to `scratch`.
pub(crate) fn split(
    line: &[u8],
    delimiter: u8,
    null: &[u8],
    fields: &mut Vec<Field>,
    scratch: &mut Vec<u8>,
) -> Result<()> {
    fields.clear();
    scratch.clear();
    if memchr(b'\r', line).is_some_and(|at| at == 0 || line[at - 1] != b'\\') {
        return Err(bad_format("literal carriage return found in data")
            .with_hint("Use \"\\r\" to represent carriage return."));
    }
    let mut start = 0;
    let mut at = 0;
    let mut escaped = false;
    loop {
        let rest = line.get(at..).unwrap_or_default();
        let end = match memchr2(delimiter, b'\\', rest) {
            Some(offset) if rest[offset] == b'\\' => {
                escaped = true;
                at = (at + offset + 2).min(line.len());
                continue;
            }
            Some(offset) => at + offset,
            None => line.len(),
        };
        let raw = &line[start..end];
        if raw == null {
            fields.push(Field { start, end, owned: false, null: true });
        } else if escaped {
            let from = scratch.len();
            unescape(raw, scratch);
            fields.push(Field { start: from, end: scratch.len(), owned: true, null: false });
        } else {
            fields.push(Field { start, end, owned: false, null: false });
        }
        if end == line.len() {
            return Ok(());
        }
        start = end + 1;
        at = start;
        escaped = false;
    }
}

fn unescape(raw: &[u8], out: &mut Vec<u8>) {
    let mut bytes = raw.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        match bytes.next() {
            // A backslash at the very end stands for itself.
            None => out.push(b'\\'),
            Some(b'b') => out.push(8),
            Some(b'f') => out.push(12),
            Some(b'n') => out.push(b'\n'),
            Some(b'r') => out.push(b'\r'),
            Some(b't') => out.push(b'\t'),
            Some(b'v') => out.push(11),
            Some(digit @ b'0'..=b'7') => {
                let mut value = u32::from(digit - b'0');
                for _ in 0..2 {
                    let Some(next @ b'0'..=b'7') = bytes.peek().copied() else { break };
                    bytes.next();
                    value = value * 8 + u32::from(next - b'0');
                }
                out.push((value & 0xff) as u8);
            }
            Some(b'x') if bytes.peek().is_some_and(u8::is_ascii_hexdigit) => {
                let mut value = 0;
                for _ in 0..2 {
                    let Some(next) = bytes.peek().filter(|byte| byte.is_ascii_hexdigit()) else {
                        break;
                    };
                    value = value * 16 + char::from(*next).to_digit(16).unwrap_or(0);
                    bytes.next();
                }
                out.push(value as u8);
            }
            Some(other) => out.push(other),
        }
    }
}
