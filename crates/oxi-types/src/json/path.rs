//! jsonpath: its syntax tree, and the functions over it.
//!
//! A value of the type is its text in normal form ([`print`]); it is read again where it is used.

mod moment;
mod parse;
mod predicate;
mod print;
mod run;

use oxi_base::Result;
use oxi_model::Datum;

pub use parse::parse;
pub use run::{Failure, Query, Vars};

/// Reads a path as a value: its normal form.
///
/// # Errors
/// As [`parse`]; regular expressions are checked too.
pub fn path_in(text: &str) -> Result<Datum> {
    let mut out = String::new();
    parse::parse_checked(text)?.print(&mut out);
    Ok(Datum::text(out.as_str()))
}

/// A path.
#[derive(Clone, PartialEq, Debug)]
pub struct Path {
    /// `lax` (missing parts are no errors) or `strict`.
    pub lax: bool,
    /// What it computes.
    pub root: Node,
}

/// An expression or a predicate.
#[derive(Clone, PartialEq, Debug)]
pub enum Node {
    /// `$`
    Root,
    /// `@`
    Current,
    /// `last`
    Last,
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// A number, as numeric writes it.
    Number(String),
    /// A string.
    String(String),
    /// `$name`
    Variable(String),
    /// Steps from a start.
    Chain(Box<Node>, Vec<Step>),
    /// `+ - * / %`
    Arithmetic(char, Box<Node>, Box<Node>),
    /// `+x`, `-x`
    Sign(char, Box<Node>),
    /// `== != < > <= >=`
    Compare(&'static str, Box<Node>, Box<Node>),
    /// `&&`
    And(Box<Node>, Box<Node>),
    /// `||`
    Or(Box<Node>, Box<Node>),
    /// `!`
    Not(Box<Node>),
    /// `is unknown`
    IsUnknown(Box<Node>),
    /// `exists (…)`
    Exists(Box<Node>),
    /// `starts with`
    StartsWith(Box<Node>, Box<Node>),
    /// `like_regex "pattern" flag "flags"`
    LikeRegex(Box<Node>, String, String),
}

impl Node {
    /// Whether it is true, false or unknown rather than a sequence.
    pub fn is_predicate(&self) -> bool {
        matches!(
            self,
            Node::Compare(..)
                | Node::And(..)
                | Node::Or(..)
                | Node::Not(_)
                | Node::IsUnknown(_)
                | Node::Exists(_)
                | Node::StartsWith(..)
                | Node::LikeRegex(..)
        )
    }
}

/// A step of a chain.
#[derive(Clone, PartialEq, Debug)]
pub enum Step {
    /// `.name`
    Member(String),
    /// `.*`
    AnyMember,
    /// `[*]`
    AnyElement,
    /// `[1, 2 to last]`
    Elements(Vec<(Node, Option<Node>)>),
    /// `.**{from to to}`; `None` is `last`.
    Deep(Option<u32>, Option<u32>),
    /// `?(…)`
    Filter(Box<Node>),
    /// `.type()` and its like.
    Method(&'static str),
    /// `.datetime("template")`
    Datetime(Option<String>),
}

#[cfg(test)]
mod tests;
