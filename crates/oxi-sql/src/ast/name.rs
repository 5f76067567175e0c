//! Names: identifiers, dotted names and operator names.

use super::Span;

/// An identifier as PostgreSQL stores it: folded or unquoted, at most 63 bytes.
#[derive(Clone, PartialEq, Eq, Debug, Hash)]
pub struct Ident {
    /// The name.
    pub value: String,
    /// It stood in double quotes.
    pub quoted: bool,
    /// Where it stands.
    pub span: Span,
}

impl Ident {
    /// A name that stands in no text.
    pub fn new(value: impl Into<String>) -> Self {
        Ident { value: value.into(), quoted: false, span: Span::default() }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.value
    }
}

/// A name with its qualifiers, outermost first.
#[derive(Clone, PartialEq, Eq, Debug, Hash)]
pub struct ObjectName {
    /// At least one part.
    pub parts: Vec<Ident>,
    /// Where it stands.
    pub span: Span,
}

impl ObjectName {
    /// The name `pg_catalog.name`, for what the grammar itself names.
    pub fn system(name: &str, span: Span) -> Self {
        let part = |value: &str| Ident { value: value.to_owned(), quoted: false, span };
        ObjectName { parts: vec![part("pg_catalog"), part(name)], span }
    }

    /// An unqualified name.
    pub fn unqualified(name: Ident) -> Self {
        let span = name.span;
        ObjectName { parts: vec![name], span }
    }

    /// The last part.
    pub fn last(&self) -> &str {
        self.parts.last().map_or("", Ident::as_str)
    }

    /// The part before the last.
    pub fn schema(&self) -> Option<&str> {
        self.parts.iter().rev().nth(1).map(Ident::as_str)
    }

    /// The parts as text.
    pub fn texts(&self) -> Vec<&str> {
        self.parts.iter().map(Ident::as_str).collect()
    }
}

/// An operator, as `+` or `OPERATOR(pg_catalog.+)`. `!=` is already `<>`.
#[derive(Clone, PartialEq, Eq, Debug, Hash)]
pub struct OperatorName {
    /// The schema's name parts, mostly empty.
    pub schema: Vec<Ident>,
    /// The symbol.
    pub name: String,
    /// Where the operator stands: the place PostgreSQL's errors point at.
    pub span: Span,
}
