//! The options of COPY.

use oxi_base::{Error, Result, SqlState};
use oxi_model::{
    PhysicalType,
    descriptor::{ColumnDescriptor, TypeRef},
};

/// FORMAT.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum CopyFormat {
    /// Tab-separated with backslash escapes.
    #[default]
    Text,
    /// Comma-separated with quotes.
    Csv,
    /// PostgreSQL's binary rows.
    Binary,
}

/// HEADER.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Header {
    /// No header line.
    #[default]
    No,
    /// A header line; skipped on input.
    Yes,
    /// A header line whose names must be the columns'.
    Match,
}

/// The options of one COPY; lists are by position in the column list of the command.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CopyOptions {
    /// FORMAT
    pub format: CopyFormat,
    /// DELIMITER
    pub delimiter: u8,
    /// NULL
    pub null: String,
    /// HEADER
    pub header: Header,
    /// QUOTE
    pub quote: u8,
    /// ESCAPE
    pub escape: u8,
    /// FORCE_QUOTE
    pub force_quote: Vec<bool>,
    /// FORCE_NOT_NULL
    pub force_not_null: Vec<bool>,
    /// FORCE_NULL
    pub force_null: Vec<bool>,
}

impl CopyOptions {
    /// The defaults of a format.
    pub fn new(format: CopyFormat) -> Self {
        let csv = format == CopyFormat::Csv;
        CopyOptions {
            format,
            delimiter: if csv { b',' } else { b'\t' },
            null: if csv { String::new() } else { "\\N".to_owned() },
            header: Header::No,
            quote: b'"',
            escape: b'"',
            force_quote: Vec::new(),
            force_not_null: Vec::new(),
            force_null: Vec::new(),
        }
    }

    /// Checks that the options fit together.
    ///
    /// # Errors
    /// `22023` or `0A000` as PostgreSQL.
    pub fn validate(&self) -> Result<()> {
        let invalid = |text: String| Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, text));
        let unsupported = |text: &str| Err(Error::unsupported(text));
        let csv = self.format == CopyFormat::Csv;
        let delimiter = char::from(self.delimiter);
        if matches!(self.delimiter, b'\n' | b'\r') {
            return invalid("COPY delimiter cannot be newline or carriage return".to_owned());
        }
        if self.null.contains(['\n', '\r']) {
            return invalid(
                "COPY null representation cannot use newline or carriage return".to_owned(),
            );
        }
        if !csv && b"\\.abcdefghijklmnopqrstuvwxyz0123456789".contains(&self.delimiter) {
            return invalid(format!("COPY delimiter cannot be \"{delimiter}\""));
        }
        if csv && self.delimiter == self.quote {
            return invalid("COPY delimiter and quote must be different".to_owned());
        }
        if self.null.as_bytes().contains(&self.delimiter) {
            return invalid("COPY delimiter must not appear in the NULL specification".to_owned());
        }
        if csv && self.null.as_bytes().contains(&self.quote) {
            return invalid(
                "CSV quote character must not appear in the NULL specification".to_owned(),
            );
        }
        if self.format == CopyFormat::Binary && self.header != Header::No {
            return unsupported("cannot specify HEADER in BINARY mode");
        }
        if !csv && self.force_quote.contains(&true) {
            return unsupported("COPY force quote available only in CSV mode");
        }
        if !csv && self.force_not_null.contains(&true) {
            return unsupported("COPY force not null available only in CSV mode");
        }
        if !csv && self.force_null.contains(&true) {
            return unsupported("COPY force null available only in CSV mode");
        }
        Ok(())
    }
}

/// A column of the stream.
#[derive(Clone, PartialEq, Debug)]
pub struct CopyColumn {
    /// Its name.
    pub name: String,
    /// Its type.
    pub data_type: TypeRef,
    /// How its values lie in memory.
    pub physical: PhysicalType,
}

impl From<&ColumnDescriptor> for CopyColumn {
    fn from(column: &ColumnDescriptor) -> Self {
        CopyColumn {
            name: column.name.clone(),
            data_type: column.data_type,
            physical: column.physical.clone(),
        }
    }
}

/// `22P04`
pub(crate) fn bad_format(message: impl Into<String>) -> Error {
    Error::new(SqlState::BAD_COPY_FILE_FORMAT, message)
}
