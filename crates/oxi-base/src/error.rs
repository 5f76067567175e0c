//! The one error type: what went wrong in PostgreSQL's terms, and what the caller can do about it.

use std::fmt;

use crate::sqlstate::SqlState;

/// Shorthand for results of this project.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What the caller can do. Adding a kind needs a decision record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// The caller must change the request.
    Invalid,
    /// Another transaction was in the way: retry the transaction.
    Conflict,
    /// Retry later.
    Unavailable,
    /// The caller lacks a right.
    Denied,
    /// Stored bytes are not what was written: an operator must act.
    Corrupt,
    /// A defect of Oxibase.
    Bug,
}

/// The object a constraint error names, for the wire protocol's error fields.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ErrorObject {
    /// Schema of the table.
    pub schema: Option<String>,
    /// The table.
    pub table: Option<String>,
    /// The column.
    pub column: Option<String>,
    /// The data type.
    pub data_type: Option<String>,
    /// The constraint.
    pub constraint: Option<String>,
}

/// An error with SQLSTATE, message, and whatever helps the reader: one machine word.
#[derive(Clone, Debug)]
pub struct Error(Box<Inner>);

#[derive(Clone, Debug)]
struct Inner {
    kind: Kind,
    code: SqlState,
    message: String,
    detail: Option<String>,
    hint: Option<String>,
    context: Option<String>,
    position: Option<usize>,
    object: ErrorObject,
}

impl Error {
    /// An error with the kind that the SQLSTATE's class implies.
    pub fn new(code: SqlState, message: impl Into<String>) -> Self {
        Error(Box::new(Inner {
            kind: code.default_kind(),
            code,
            message: message.into(),
            detail: None,
            hint: None,
            context: None,
            position: None,
            object: ErrorObject::default(),
        }))
    }

    /// A defect: `XX000` with the place it was noticed.
    #[track_caller]
    pub fn bug(message: impl fmt::Display) -> Self {
        let place = std::panic::Location::caller();
        Self::new(
            SqlState::INTERNAL_ERROR,
            format!("{message} (at {}:{})", place.file(), place.line()),
        )
    }

    /// Stored bytes that fail their checks: `XX001`.
    pub fn corrupt(message: impl Into<String>) -> Self {
        Self::new(SqlState::DATA_CORRUPTED, message)
    }

    /// A feature that is not there: `0A000`.
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new(SqlState::FEATURE_NOT_SUPPORTED, message)
    }

    /// Adds the detail: a full sentence.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    /// Adds the hint: a full sentence.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Adds a line of context (outermost last), as `COPY t, line 3`.
    #[must_use]
    pub fn with_context(mut self, context: impl Into<String>) -> Self {
        let line = context.into();
        self.0.context = Some(match self.0.context.take() {
            Some(inner) => format!("{inner}\n{line}"),
            None => line,
        });
        self
    }

    /// Points at a byte offset (0-based) of the statement text, unless a place is already known.
    #[must_use]
    pub fn at(mut self, byte_offset: usize) -> Self {
        self.0.position.get_or_insert(byte_offset);
        self
    }

    /// Moves a known position by the offset of the statement within a longer text.
    #[must_use]
    pub fn shifted(mut self, byte_offset: usize) -> Self {
        if let Some(position) = &mut self.0.position {
            *position += byte_offset;
        }
        self
    }

    /// Forgets the position (for text that the client did not send).
    #[must_use]
    pub fn without_position(mut self) -> Self {
        self.0.position = None;
        self
    }

    /// Names the table, column, type or constraint concerned.
    #[must_use]
    pub fn with_object(mut self, object: ErrorObject) -> Self {
        self.0.object = object;
        self
    }

    /// What the caller can do.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }
    /// The SQLSTATE.
    pub fn code(&self) -> SqlState {
        self.0.code
    }
    /// The primary message: lower case, no full stop.
    pub fn message(&self) -> &str {
        &self.0.message
    }
    /// The detail sentence.
    pub fn detail(&self) -> Option<&str> {
        self.0.detail.as_deref()
    }
    /// The hint sentence.
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }
    /// The context lines.
    pub fn context(&self) -> Option<&str> {
        self.0.context.as_deref()
    }
    /// The 0-based byte offset in the statement text.
    pub fn position(&self) -> Option<usize> {
        self.0.position
    }
    /// The object concerned.
    pub fn object(&self) -> &ErrorObject {
        &self.0.object
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (SQLSTATE {})", self.0.message, self.0.code)
    }
}

impl std::error::Error for Error {}
