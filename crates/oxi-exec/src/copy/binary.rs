//! The binary format of COPY.

use oxi_base::{Result, codec};
use oxi_types::io;

use crate::copy::{
    column::ColumnSink,
    options::{CopyColumn, bad_format},
};

/// What every binary stream begins with.
pub(crate) const SIGNATURE: &[u8; 11] = b"PGCOPY\n\xff\r\n\0";

/// Reads rows from a stream in pieces.
#[derive(Default)]
pub(crate) struct Reader {
    buffer: Vec<u8>,
    start: usize,
    header_read: bool,
    ended: bool,
}

impl Reader {
    pub(crate) fn push(&mut self, piece: &[u8]) {
        self.buffer.drain(..self.start);
        self.start = 0;
        self.buffer.extend_from_slice(piece);
    }

    /// Checks that the stream was whole.
    pub(crate) fn finish(&self) -> Result<()> {
        if self.ended || (self.header_read && self.start == self.buffer.len()) {
            return Ok(());
        }
        Err(bad_format(if self.header_read {
            "unexpected EOF in COPY data"
        } else {
            "COPY file signature not recognized"
        }))
    }

    /// Reads one row into the sinks; false if more bytes are needed or the stream has ended.
    pub(crate) fn next(
        &mut self,
        columns: &[CopyColumn],
        sinks: &mut [ColumnSink],
    ) -> Result<bool> {
        if self.ended || !self.header()? {
            return Ok(false);
        }
        let rest = &self.buffer[self.start..];
        let mut whole = codec::Reader::new(rest);
        let Some(count) = whole.array().map(i16::from_be_bytes) else { return Ok(false) };
        if count == -1 {
            self.ended = true;
            return Ok(false);
        }
        if usize::try_from(count) != Ok(columns.len()) {
            return Err(bad_format(format!(
                "row field count is {count}, expected {}",
                columns.len()
            )));
        }
        // First see that the row is whole, then read it.
        let mut fields = Vec::with_capacity(columns.len());
        for _ in columns {
            let Some(length) = whole.array().map(i32::from_be_bytes) else { return Ok(false) };
            match usize::try_from(length) {
                Ok(length) => match whole.take(length) {
                    Some(bytes) => fields.push(Some(bytes)),
                    None => return Ok(false),
                },
                Err(_) if length == -1 => fields.push(None),
                Err(_) => return Err(bad_format("invalid field size")),
            }
        }
        for ((field, column), sink) in fields.iter().zip(columns).zip(sinks) {
            match field {
                None => sink.push_null()?,
                Some(bytes) => sink.push_datum(&io::binary_in(column.data_type, bytes)?)?,
            }
        }
        self.start = self.buffer.len() - whole.rest().len();
        Ok(true)
    }

    fn header(&mut self) -> Result<bool> {
        if self.header_read {
            return Ok(true);
        }
        let mut reader = codec::Reader::new(&self.buffer);
        let (Some(signature), Some(flags), Some(extension)) = (
            reader.take(SIGNATURE.len()),
            reader.array().map(u32::from_be_bytes),
            reader.array().map(i32::from_be_bytes),
        ) else {
            return Ok(false);
        };
        if signature != SIGNATURE {
            return Err(bad_format("COPY file signature not recognized"));
        }
        if flags >> 16 != 0 {
            return Err(bad_format("unrecognized critical flags in COPY file header"));
        }
        let extension = usize::try_from(extension)
            .map_err(|_| bad_format("invalid COPY file header (missing length)"))?;
        if reader.take(extension).is_none() {
            return Ok(false);
        }
        self.start = self.buffer.len() - reader.rest().len();
        self.header_read = true;
        Ok(true)
    }
}
