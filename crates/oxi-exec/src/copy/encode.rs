//! From rows to a COPY stream.

use std::sync::Arc;

use arrow::array::RecordBatch;
use oxi_base::Result;
use oxi_model::{Datum, PhysicalType, Row, array::TypedArray};
use oxi_types::{EvalContext, io};

use crate::copy::{
    binary::SIGNATURE,
    options::{CopyColumn, CopyFormat, CopyOptions, Header},
};

/// Writes rows as a stream.
pub struct CopyEncoder {
    eval: Arc<EvalContext>,
    columns: Vec<CopyColumn>,
    options: CopyOptions,
    text: String,
}

impl CopyEncoder {
    /// An encoder for rows of the given columns.
    pub fn new(eval: Arc<EvalContext>, columns: Vec<CopyColumn>, options: CopyOptions) -> Self {
        CopyEncoder { eval, columns, options, text: String::new() }
    }

    /// What comes before the first row.
    pub fn begin(&mut self, out: &mut Vec<u8>) {
        if self.options.format == CopyFormat::Binary {
            out.extend_from_slice(SIGNATURE);
            out.extend_from_slice(&[0; 8]);
            return;
        }
        if self.options.header == Header::No {
            return;
        }
        let single = self.columns.len() == 1;
        for (place, column) in self.columns.iter().enumerate() {
            if place > 0 {
                out.push(self.options.delimiter);
            }
            if self.options.format == CopyFormat::Csv {
                put_csv(&self.options, &column.name, false, single, out);
            } else {
                put_text(self.options.delimiter, &column.name, out);
            }
        }
        out.push(b'\n');
    }

    /// What comes after the last row.
    pub fn end(&mut self, out: &mut Vec<u8>) {
        if self.options.format == CopyFormat::Binary {
            out.extend_from_slice(&(-1i16).to_be_bytes());
        }
    }

    /// One row.
    ///
    /// # Errors
    /// What output functions say.
    pub fn row(&mut self, row: &[Datum], out: &mut Vec<u8>) -> Result<()> {
        if self.options.format == CopyFormat::Binary {
            out.extend_from_slice(&(self.columns.len() as i16).to_be_bytes());
        }
        for (place, value) in row.iter().enumerate() {
            self.field(place, value, out)?;
        }
        if self.options.format != CopyFormat::Binary {
            out.push(b'\n');
        }
        Ok(())
    }

    /// The rows of a batch, and where each of them ends in `out`.
    ///
    /// # Errors
    /// What output functions say.
    pub fn batch(&mut self, batch: &RecordBatch, out: &mut Vec<u8>) -> Result<Vec<usize>> {
        let physical: Vec<PhysicalType> =
            self.columns.iter().map(|column| column.physical.clone()).collect();
        let arrays = batch.columns().iter().zip(&physical);
        let arrays = arrays
            .map(|(array, physical)| TypedArray::new(array.as_ref(), physical))
            .collect::<Result<Vec<_>>>()?;
        let mut ends = Vec::with_capacity(batch.num_rows());
        let mut row = Row::with_capacity(arrays.len());
        for index in 0..batch.num_rows() {
            row.clear();
            for array in &arrays {
                row.push(array.datum(index)?);
            }
            self.row(&row, out)?;
            ends.push(out.len());
        }
        Ok(ends)
    }

    fn field(&mut self, place: usize, value: &Datum, out: &mut Vec<u8>) -> Result<()> {
        let Some(column) = self.columns.get(place) else { return Ok(()) };
        if self.options.format == CopyFormat::Binary {
            if value.is_null() {
                out.extend_from_slice(&(-1i32).to_be_bytes());
                return Ok(());
            }
            let at = out.len();
            out.extend_from_slice(&[0; 4]);
            io::binary_out(column.data_type, value, out)?;
            let length = (out.len() - at - 4) as i32;
            out[at..at + 4].copy_from_slice(&length.to_be_bytes());
            return Ok(());
        }
        if place > 0 {
            out.push(self.options.delimiter);
        }
        if value.is_null() {
            out.extend_from_slice(self.options.null.as_bytes());
            return Ok(());
        }
        self.text.clear();
        let text: &str = if let Datum::Text(text) = value {
            text
        } else {
            io::text_out(&self.eval, column.data_type, value, &mut self.text)?;
            &self.text
        };
        if self.options.format == CopyFormat::Csv {
            let force = self.options.force_quote.get(place).copied().unwrap_or(false);
            put_csv(&self.options, text, force, self.columns.len() == 1, out);
        } else {
            put_text(self.options.delimiter, text, out);
        }
        Ok(())
    }
}

fn put_text(delimiter: u8, text: &str, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    let mut start = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        let escape = match byte {
            8 => b'b',
            12 => b'f',
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            11 => b'v',
            b'\\' => b'\\',
            byte if byte == delimiter => delimiter,
            _ => continue,
        };
        out.extend_from_slice(&bytes[start..at]);
        out.extend_from_slice(&[b'\\', escape]);
        start = at + 1;
    }
    out.extend_from_slice(&bytes[start..]);
}

fn put_csv(options: &CopyOptions, text: &str, force: bool, single: bool, out: &mut Vec<u8>) {
    let CopyOptions { delimiter, quote, escape, .. } = *options;
    let bytes = text.as_bytes();
    let quotes = force
        || text == options.null
        || (single && text == "\\.")
        || bytes
            .iter()
            .any(|byte| matches!(*byte, b'\n' | b'\r') || *byte == delimiter || *byte == quote);
    if !quotes {
        out.extend_from_slice(bytes);
        return;
    }
    out.push(quote);
    for &byte in bytes {
        if byte == quote || byte == escape {
            out.push(escape);
        }
        out.push(byte);
    }
    out.push(quote);
}
