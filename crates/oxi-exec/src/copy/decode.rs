//! From a COPY stream to batches.

use std::sync::Arc;

use arrow::{
    array::{RecordBatch, RecordBatchOptions},
    datatypes::{Field as ArrowField, Schema, SchemaRef},
};
use oxi_base::{Error, Result, SqlState};
use oxi_model::array::arrow_type;
use oxi_types::EvalContext;

use crate::copy::{
    binary,
    column::ColumnSink,
    csv,
    line::Lines,
    options::{CopyColumn, CopyFormat, CopyOptions, Header, bad_format},
    text::{self, Field},
};

/// Rows per batch.
const BATCH_ROWS: usize = 8192;
/// Longest part of a line or value in the context of an error.
const CONTEXT_BYTES: usize = 100;

/// Reads a stream piece by piece.
pub struct CopyDecoder {
    eval: Arc<EvalContext>,
    table: String,
    columns: Vec<CopyColumn>,
    options: CopyOptions,
    schema: SchemaRef,
    lines: Lines,
    binary: binary::Reader,
    sinks: Vec<ColumnSink>,
    rows: usize,
    /// The stream's line of the first row of the batch under construction, and of the last.
    first_line: u64,
    header: bool,
    ended: bool,
    fields: Vec<Field>,
    scratch: Vec<u8>,
    ready: Vec<(RecordBatch, u64)>,
}

impl CopyDecoder {
    /// A decoder for a stream of the given columns.
    pub fn new(
        eval: Arc<EvalContext>,
        table: impl Into<String>,
        columns: Vec<CopyColumn>,
        options: CopyOptions,
    ) -> Self {
        let fields: Vec<ArrowField> = columns
            .iter()
            .map(|column| ArrowField::new(&column.name, arrow_type(&column.physical), true))
            .collect();
        let sinks =
            columns.iter().map(|column| ColumnSink::new(column.data_type, &column.physical));
        CopyDecoder {
            eval,
            table: table.into(),
            sinks: sinks.collect(),
            schema: Arc::new(Schema::new(fields)),
            lines: Lines::new(&options),
            binary: binary::Reader::default(),
            columns,
            header: options.header != Header::No,
            options,
            rows: 0,
            first_line: 0,
            ended: false,
            fields: Vec::new(),
            scratch: Vec::new(),
            ready: Vec::new(),
        }
    }

    /// The columns of the stream.
    pub fn columns(&self) -> &[CopyColumn] {
        &self.columns
    }

    /// Reads a piece of the stream.
    ///
    /// # Errors
    /// `22P04` and whatever input functions say, with line and column as context.
    pub fn push(&mut self, piece: &[u8]) -> Result<()> {
        if self.options.format == CopyFormat::Binary {
            return self.push_binary(piece);
        }
        self.lines.push(piece);
        self.read_lines()
    }

    /// Reads what is left; the stream is complete.
    ///
    /// # Errors
    /// As [`CopyDecoder::push`].
    pub fn finish(&mut self) -> Result<()> {
        if self.options.format == CopyFormat::Binary {
            self.binary.finish().map_err(|error| self.in_line(error, None))?;
        } else {
            self.lines.finish();
            self.read_lines()?;
        }
        self.flush()
    }

    /// The next batch that is complete, with the number of the stream's line its first row is in.
    pub fn take(&mut self) -> Option<(RecordBatch, u64)> {
        (!self.ready.is_empty()).then(|| self.ready.remove(0))
    }

    /// Whether rows wait to be taken.
    pub fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    fn read_lines(&mut self) -> Result<()> {
        loop {
            let range = match self.lines.next() {
                Ok(Some(range)) => range,
                Ok(None) => return Ok(()),
                Err(error) => return Err(self.in_line(error, None)),
            };
            if self.ended {
                continue;
            }
            if self.lines.bytes(range) == b"\\." {
                self.ended = true;
                continue;
            }
            self.split(range)?;
            if std::mem::take(&mut self.header) {
                if self.options.header == Header::Match {
                    self.match_header(range)?;
                }
                continue;
            }
            if self.rows == 0 {
                self.first_line = self.lines.number;
            }
            self.row(range)?;
            self.rows += 1;
            if self.rows == BATCH_ROWS {
                self.flush()?;
            }
        }
    }

    fn split(&mut self, range: (usize, usize)) -> Result<()> {
        let line = self.lines.bytes(range);
        let result = match std::str::from_utf8(line) {
            Err(error) => Err(invalid_utf8(line, error.valid_up_to())),
            Ok(_) if memchr::memchr(0, line).is_some() => Err(invalid_utf8(&[0], 0)),
            // An empty line is a field elsewhere; here it is a row without any.
            Ok("") if self.columns.is_empty() => {
                self.fields.clear();
                Ok(())
            }
            Ok(_) if self.options.format == CopyFormat::Csv => {
                csv::split(line, &self.options, &mut self.fields, &mut self.scratch)
            }
            Ok(_) => text::split(
                line,
                self.options.delimiter,
                self.options.null.as_bytes(),
                &mut self.fields,
                &mut self.scratch,
            ),
        };
        result.map_err(|error| self.in_line(error, Some(range)))
    }

    fn row(&mut self, range: (usize, usize)) -> Result<()> {
        let line = self.lines.bytes(range);
        if self.fields.len() > self.columns.len() {
            let error = bad_format("extra data after last expected column");
            return Err(self.in_line(error, Some(range)));
        }
        for place in 0..self.columns.len() {
            let Some(field) = self.fields.get(place) else {
                let name = &self.columns[place].name;
                let error = bad_format(format!("missing data for column \"{name}\""));
                return Err(self.in_line(error, Some(range)));
            };
            if field.null {
                if let Err(error) = self.sinks[place].push_null() {
                    return Err(self.in_line(error, None));
                }
                continue;
            }
            let bytes = if field.owned { &self.scratch[..] } else { line };
            let bytes = &bytes[field.start..field.end];
            let result = match std::str::from_utf8(bytes) {
                Ok(_) if field.owned && bytes.contains(&0) => Err(invalid_utf8(&[0], 0)),
                Ok(text) => self.sinks[place].push(&self.eval, text),
                Err(error) => Err(invalid_utf8(bytes, error.valid_up_to())),
            };
            if let Err(error) = result {
                let value = shorten(&String::from_utf8_lossy(bytes));
                return Err(error.with_context(format!(
                    "COPY {}, line {}, column {}: \"{value}\"",
                    self.table, self.lines.number, self.columns[place].name
                )));
            }
        }
        Ok(())
    }

    fn match_header(&self, range: (usize, usize)) -> Result<()> {
        let line = self.lines.bytes(range);
        let check = || {
            if self.fields.len() != self.columns.len() {
                return Err(bad_format(format!(
                    "wrong number of fields in header line: got {}, expected {}",
                    self.fields.len(),
                    self.columns.len()
                )));
            }
            for (number, (field, column)) in self.fields.iter().zip(&self.columns).enumerate() {
                let bytes = if field.owned { &self.scratch[..] } else { line };
                let name = String::from_utf8_lossy(&bytes[field.start..field.end]);
                let expected = &column.name;
                let number = number + 1;
                if field.null {
                    return Err(bad_format(format!(
                        "column name mismatch in header line field {number}: got null value (\"{}\"), expected \"{expected}\"",
                        self.options.null
                    )));
                }
                if name != expected.as_str() {
                    return Err(bad_format(format!(
                        "column name mismatch in header line field {number}: got \"{name}\", expected \"{expected}\""
                    )));
                }
            }
            Ok(())
        };
        check().map_err(|error| self.in_line(error, Some(range)))
    }

    fn push_binary(&mut self, piece: &[u8]) -> Result<()> {
        self.binary.push(piece);
        loop {
            match self.binary.next(&self.columns, &mut self.sinks) {
                Ok(false) => return Ok(()),
                Ok(true) => {
                    self.lines.number += 1;
                    if self.rows == 0 {
                        self.first_line = self.lines.number;
                    }
                    self.rows += 1;
                    if self.rows == BATCH_ROWS {
                        self.flush()?;
                    }
                }
                Err(error) => {
                    self.lines.number += 1;
                    return Err(self.in_line(error, None));
                }
            }
        }
    }

    fn flush(&mut self) -> Result<()> {
        if self.rows == 0 {
            return Ok(());
        }
        let columns = self.sinks.iter_mut().map(ColumnSink::finish).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)
            .map_err(|error| crate::error::convert_arrow(&error))?;
        self.ready.push((batch, self.first_line));
        self.rows = 0;
        Ok(())
    }

    /// The error with the line as context.
    fn in_line(&self, error: Error, range: Option<(usize, usize)>) -> Error {
        let number = self.lines.number;
        error.with_context(match range {
            None => format!("COPY {}, line {number}", self.table),
            Some(range) => {
                let line = String::from_utf8_lossy(self.lines.bytes(range));
                format!("COPY {}, line {number}: \"{}\"", self.table, shorten(&line))
            }
        })
    }
}

fn shorten(text: &str) -> String {
    if text.len() <= CONTEXT_BYTES {
        return text.to_owned();
    }
    format!("{}...", &text[..text.floor_char_boundary(CONTEXT_BYTES)])
}

fn invalid_utf8(bytes: &[u8], at: usize) -> Error {
    // As many bytes as the first one announces.
    let rest = bytes.get(at..).unwrap_or_default();
    let length = match rest.first() {
        Some(0xc0..=0xdf) => 2,
        Some(0xe0..=0xef) => 3,
        Some(0xf0..=0xf7) => 4,
        _ => 1,
    };
    let shown: Vec<String> = rest.iter().take(length).map(|byte| format!("0x{byte:02x}")).collect();
    Error::new(
        SqlState::CHARACTER_NOT_IN_REPERTOIRE,
        format!("invalid byte sequence for encoding \"UTF8\": {}", shown.join(" ")),
    )
}
