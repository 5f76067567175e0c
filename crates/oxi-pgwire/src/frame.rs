//! Reading the bodies of the client's messages.

use oxi_base::{Error, Result, SqlState};

/// The largest body of a message that carries data, as in PostgreSQL.
const LARGE: usize = 0x3fff_fffe;
/// The largest body of any other message.
const SMALL: usize = 10_000;

/// The longest length word a message of this kind may declare.
pub(crate) fn limit(tag: u8) -> Result<usize> {
    match tag {
        b'Q' | b'F' | b'B' | b'P' | b'd' => Ok(LARGE),
        b'C' | b'D' | b'E' | b'H' | b'S' | b'X' | b'c' => Ok(SMALL),
        b'f' => Ok(SMALL),
        _ => Err(Error::new(
            SqlState::PROTOCOL_VIOLATION,
            format!("invalid frontend message type {tag}"),
        )),
    }
}

/// The limit during authentication, when only passwords may come.
pub(crate) fn password_limit(tag: u8) -> Result<usize> {
    if tag == b'p' {
        return Ok(65_535);
    }
    Err(Error::new(
        SqlState::PROTOCOL_VIOLATION,
        format!("expected password response, got message type {tag}"),
    ))
}

/// A message that ends too early or late.
pub(crate) fn malformed() -> Error {
    Error::new(SqlState::PROTOCOL_VIOLATION, "invalid message format")
}

/// A cursor over a message body.
pub(crate) struct Body<'a> {
    rest: &'a [u8],
}

impl<'a> Body<'a> {
    pub(crate) fn new(rest: &'a [u8]) -> Self {
        Body { rest }
    }

    pub(crate) fn bytes(&mut self, count: usize) -> Result<&'a [u8]> {
        let Some((bytes, rest)) = self.rest.split_at_checked(count) else {
            return Err(Error::new(
                SqlState::PROTOCOL_VIOLATION,
                "insufficient data left in message",
            ));
        };
        self.rest = rest;
        Ok(bytes)
    }

    pub(crate) fn u8(&mut self) -> Result<u8> {
        Ok(self.bytes(1)?[0])
    }

    pub(crate) fn i16(&mut self) -> Result<i16> {
        let bytes = self.bytes(2)?;
        Ok(i16::from_be_bytes([bytes[0], bytes[1]]))
    }

    pub(crate) fn i32(&mut self) -> Result<i32> {
        let bytes = self.bytes(4)?;
        Ok(i32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    /// A count: two bytes that are not negative.
    pub(crate) fn count(&mut self) -> Result<usize> {
        Ok(usize::from(self.i16()? as u16))
    }

    /// A zero-terminated string.
    pub(crate) fn text(&mut self) -> Result<&'a str> {
        let Some(end) = memchr::memchr(0, self.rest) else {
            return Err(Error::new(SqlState::PROTOCOL_VIOLATION, "invalid string in message"));
        };
        let bytes = &self.rest[..end];
        self.rest = &self.rest[end + 1..];
        utf8(bytes)
    }

    /// All that is left.
    pub(crate) fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    /// Fails unless all has been read.
    pub(crate) fn end(&self) -> Result<()> {
        if self.rest.is_empty() { Ok(()) } else { Err(malformed()) }
    }
}

/// Text from the client, or the error that names the first bad bytes.
pub(crate) fn utf8(bytes: &[u8]) -> Result<&str> {
    std::str::from_utf8(bytes).map_err(|error| {
        let at = error.valid_up_to();
        let length = error.error_len().unwrap_or(bytes.len() - at).max(1);
        // PostgreSQL shows as many bytes as the first byte announces.
        let announced = match bytes[at] {
            0xc0..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf7 => 4,
            _ => 1,
        };
        let shown = &bytes[at..(at + announced.max(length)).min(bytes.len())];
        bad_bytes(shown)
    })
}

/// Text that may stand in a value: UTF-8 without NUL.
pub(crate) fn value_text(bytes: &[u8]) -> Result<&str> {
    if memchr::memchr(0, bytes).is_some() {
        return Err(bad_bytes(&[0]));
    }
    utf8(bytes)
}

fn bad_bytes(bytes: &[u8]) -> Error {
    let shown: Vec<String> = bytes.iter().map(|byte| format!("0x{byte:02x}")).collect();
    Error::new(
        SqlState::CHARACTER_NOT_IN_REPERTOIRE,
        format!("invalid byte sequence for encoding \"UTF8\": {}", shown.join(" ")),
    )
}
