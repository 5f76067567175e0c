//! The server's messages: descriptions of rows, and values in text and binary format.

mod batch;
mod value;

#[cfg(test)]
mod tests;

use oxi_base::{Error, Result, SqlState};
use oxi_session::OutputField;
use oxi_types::pg_type;

pub(crate) use batch::BatchRows;
pub(crate) use value::{Column, data_row};

/// Writes one message: its first byte, its length, and what `body` appends.
pub(crate) fn message(out: &mut Vec<u8>, tag: u8, body: impl FnOnce(&mut Vec<u8>)) {
    out.push(tag);
    let at = out.len();
    out.extend_from_slice(&[0; 4]);
    body(out);
    let length = (out.len() - at) as u32;
    out[at..at + 4].copy_from_slice(&length.to_be_bytes());
}

/// As [`message`], for a body that can fail: then nothing is written.
pub(crate) fn try_message(
    out: &mut Vec<u8>,
    tag: u8,
    body: impl FnOnce(&mut Vec<u8>) -> Result<()>,
) -> Result<()> {
    let start = out.len();
    out.push(tag);
    out.extend_from_slice(&[0; 4]);
    if let Err(error) = body(out) {
        out.truncate(start);
        return Err(error);
    }
    let length = out.len() - start - 1;
    let Ok(length) = i32::try_from(length) else {
        out.truncate(start);
        return Err(Error::new(SqlState::PROGRAM_LIMIT_EXCEEDED, "row is too large to be sent"));
    };
    out[start + 1..start + 5].copy_from_slice(&length.to_be_bytes());
    Ok(())
}

/// A message without a body.
pub(crate) fn empty_message(out: &mut Vec<u8>, tag: u8) {
    out.extend_from_slice(&[tag, 0, 0, 0, 4]);
}

/// Appends a zero-terminated string.
pub(crate) fn c_string(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
    out.push(0);
}

/// `RowDescription`.
pub(crate) fn row_description(out: &mut Vec<u8>, fields: &[OutputField], columns: &[Column]) {
    message(out, b'T', |out| {
        out.extend_from_slice(&(fields.len() as u16).to_be_bytes());
        for (field, column) in fields.iter().zip(columns) {
            c_string(out, &field.name);
            out.extend_from_slice(&field.table_oid.to_be_bytes());
            out.extend_from_slice(&field.column_number.to_be_bytes());
            out.extend_from_slice(&field.data_type.oid.to_be_bytes());
            let length = pg_type::by_oid(field.data_type.oid).map_or(-1, |t| t.len);
            out.extend_from_slice(&length.to_be_bytes());
            out.extend_from_slice(&field.data_type.typmod.to_be_bytes());
            out.extend_from_slice(&i16::from(column.binary()).to_be_bytes());
        }
    });
}

/// `ParameterDescription`.
pub(crate) fn parameter_description(out: &mut Vec<u8>, types: &[u32]) {
    message(out, b't', |out| {
        out.extend_from_slice(&(types.len() as u16).to_be_bytes());
        for oid in types {
            out.extend_from_slice(&oid.to_be_bytes());
        }
    });
}

/// `CommandComplete`.
pub(crate) fn command_complete(out: &mut Vec<u8>, tag: &impl std::fmt::Display) {
    use std::io::Write as _;
    message(out, b'C', |out| {
        // Writing to a vector cannot fail.
        let _ = write!(out, "{tag}");
        out.push(0);
    });
}

/// `ParameterStatus`.
pub(crate) fn parameter_status(out: &mut Vec<u8>, name: &str, value: &str) {
    message(out, b'S', |out| {
        c_string(out, name);
        c_string(out, value);
    });
}

/// The columns of a result in the formats the client asked for: none means text, one is for all.
pub(crate) fn columns(fields: &[OutputField], formats: &[i16]) -> Result<Vec<Column>> {
    if formats.len() > 1 && formats.len() != fields.len() {
        return Err(Error::new(
            SqlState::PROTOCOL_VIOLATION,
            format!(
                "bind message has {} result formats but query has {} columns",
                formats.len(),
                fields.len()
            ),
        ));
    }
    let format_of = |at: usize| match formats {
        [] => 0,
        [one] => *one,
        each => each[at],
    };
    fields
        .iter()
        .enumerate()
        .map(|(at, field)| Ok(Column::new(field.data_type, is_binary(format_of(at))?)))
        .collect()
}

/// Whether a format code means binary.
pub(crate) fn is_binary(code: i16) -> Result<bool> {
    match code {
        0 => Ok(false),
        1 => Ok(true),
        other => Err(Error::new(
            SqlState::INVALID_PARAMETER_VALUE,
            format!("unsupported format code: {other}"),
        )),
    }
}
