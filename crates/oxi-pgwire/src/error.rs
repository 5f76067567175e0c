//! `ErrorResponse` and `NoticeResponse`.

use oxi_base::Error;
use oxi_session::Notice;

use crate::encode::message;

/// How bad an error is for the connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Severity {
    /// The statement fails.
    Error,
    /// The connection ends.
    Fatal,
}

impl Severity {
    fn as_str(self) -> &'static str {
        match self {
            Severity::Error => "ERROR",
            Severity::Fatal => "FATAL",
        }
    }
}

/// Writes an `ErrorResponse`. `text` is the statement text that the error's position counts in.
pub(crate) fn error_response(out: &mut Vec<u8>, severity: Severity, error: &Error, text: &str) {
    message(out, b'E', |out| {
        field(out, b'S', severity.as_str());
        field(out, b'V', severity.as_str());
        field(out, b'C', error.code().as_str());
        field(out, b'M', error.message());
        optional(out, b'D', error.detail());
        optional(out, b'H', error.hint());
        if let Some(position) = error.position()
            && !text.is_empty()
        {
            field(out, b'P', &character_position(text, position).to_string());
        }
        optional(out, b'W', error.context());
        let object = error.object();
        optional(out, b's', object.schema.as_deref());
        optional(out, b't', object.table.as_deref());
        optional(out, b'c', object.column.as_deref());
        optional(out, b'd', object.data_type.as_deref());
        optional(out, b'n', object.constraint.as_deref());
        out.push(0);
    });
}

/// Writes a `NoticeResponse`.
pub(crate) fn notice_response(out: &mut Vec<u8>, notice: &Notice) {
    message(out, b'N', |out| {
        field(out, b'S', notice.severity);
        field(out, b'V', notice.severity);
        field(out, b'C', notice.code.as_str());
        field(out, b'M', &notice.message);
        optional(out, b'D', notice.detail.as_deref());
        optional(out, b'H', notice.hint.as_deref());
        out.push(0);
    });
}

/// The 1-based number of the character at a byte offset.
pub(crate) fn character_position(text: &str, byte_offset: usize) -> usize {
    text.char_indices().take_while(|(at, _)| *at < byte_offset).count() + 1
}

fn optional(out: &mut Vec<u8>, tag: u8, value: Option<&str>) {
    if let Some(value) = value {
        field(out, tag, value);
    }
}

fn field(out: &mut Vec<u8>, tag: u8, value: &str) {
    out.push(tag);
    // A NUL would end the field early.
    out.extend(value.bytes().map(|byte| if byte == 0 { b' ' } else { byte }));
    out.push(0);
}
