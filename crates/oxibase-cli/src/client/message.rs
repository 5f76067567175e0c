//! What the server says.

use std::io;

/// One column of a result.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) type_oid: u32,
}

/// An error or a notice.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct ServerError {
    pub(crate) severity: String,
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) detail: Option<String>,
    pub(crate) hint: Option<String>,
    pub(crate) context: Option<String>,
    /// The 1-based character.
    pub(crate) position: Option<usize>,
}

/// A step of a query's result.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Event {
    Fields(Vec<Field>),
    Row(Vec<Option<String>>),
    Complete(String),
    Empty,
    Error(ServerError),
    Notice(ServerError),
    CopyIn,
    CopyOut,
    CopyData(Vec<u8>),
    CopyDone,
    Ready,
}

impl Event {
    /// Reads a message; `None` for those that say nothing to a shell.
    pub(crate) fn parse(tag: u8, body: Vec<u8>) -> io::Result<Option<Self>> {
        let torn = || io::Error::from(io::ErrorKind::InvalidData);
        Ok(Some(match tag {
            b'T' => Event::Fields(fields(&body).ok_or_else(torn)?),
            b'D' => Event::Row(row(&body).ok_or_else(torn)?),
            b'C' => {
                let text = body.strip_suffix(&[0]).unwrap_or(&body);
                Event::Complete(String::from_utf8_lossy(text).into_owned())
            }
            b'I' => Event::Empty,
            b'E' => Event::Error(ServerError::parse(&body)),
            b'N' => Event::Notice(ServerError::parse(&body)),
            b'G' => Event::CopyIn,
            b'H' => Event::CopyOut,
            b'd' => Event::CopyData(body),
            b'c' => Event::CopyDone,
            _ => return Ok(None),
        }))
    }
}

impl ServerError {
    pub(crate) fn parse(body: &[u8]) -> Self {
        let mut error = ServerError::default();
        for field in body.split(|byte| *byte == 0) {
            let Some((tag, text)) = field.split_first() else {
                break;
            };
            let text = String::from_utf8_lossy(text).into_owned();
            match tag {
                b'S' => error.severity = text,
                b'C' => error.code = text,
                b'M' => error.message = text,
                b'D' => error.detail = Some(text),
                b'H' => error.hint = Some(text),
                b'W' => error.context = Some(text),
                b'P' => error.position = text.parse().ok(),
                _ => {}
            }
        }
        error
    }
}

fn split<const N: usize>(body: &mut &[u8]) -> Option<[u8; N]> {
    let (head, rest) = body.split_first_chunk::<N>()?;
    *body = rest;
    Some(*head)
}

fn fields(mut body: &[u8]) -> Option<Vec<Field>> {
    let count = u16::from_be_bytes(split(&mut body)?);
    let mut fields = Vec::with_capacity(usize::from(count));
    for _ in 0..count {
        let end = body.iter().position(|byte| *byte == 0)?;
        let name = String::from_utf8_lossy(&body[..end]).into_owned();
        body = &body[end + 1..];
        let _table: [u8; 6] = split(&mut body)?;
        let type_oid = u32::from_be_bytes(split(&mut body)?);
        let _rest: [u8; 8] = split(&mut body)?;
        fields.push(Field { name, type_oid });
    }
    Some(fields)
}

fn row(mut body: &[u8]) -> Option<Vec<Option<String>>> {
    let count = u16::from_be_bytes(split(&mut body)?);
    let mut row = Vec::with_capacity(usize::from(count));
    for _ in 0..count {
        let length = i32::from_be_bytes(split(&mut body)?);
        if length < 0 {
            row.push(None);
            continue;
        }
        let (value, rest) = body.split_at_checked(length as usize)?;
        row.push(Some(String::from_utf8_lossy(value).into_owned()));
        body = rest;
    }
    Some(row)
}
