//! PostgreSQL's regular expressions, LIKE and SIMILAR TO over the `regex` crate.
//!
//! Advanced regular expressions are rewritten ([`translate`]); back references and lookaround are
//! refused. Among alternatives the first that matches is taken, not the longest.

mod like;
mod translate;

use std::sync::Arc;

use oxi_base::{Error, Result, SqlState};
use parking_lot::Mutex;
use regex::Regex;
use rustc_hash::FxHashMap;

pub use like::{like, like_bytes, like_escape, similar_escape};

/// The flags of regular expression functions.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Flags {
    /// `i`
    pub ignore_case: bool,
    /// `n`, `m`, `p`: `.` and `[^…]` stop at line breaks.
    pub stop_at_newline: bool,
    /// `n`, `m`, `w`: `^` and `$` match at line breaks.
    pub anchors_at_newline: bool,
    /// `x`
    pub expanded: bool,
    /// `q`
    pub literal: bool,
    /// `g`
    pub global: bool,
}

impl Flags {
    /// Reads the flags argument; `global` says whether `g` is allowed.
    pub fn parse(text: &str) -> Result<Self> {
        let mut flags = Flags::default();
        for letter in text.chars() {
            flags.set(letter)?;
        }
        Ok(flags)
    }

    pub(crate) fn set(&mut self, letter: char) -> Result<()> {
        match letter {
            'g' => self.global = true,
            'i' => self.ignore_case = true,
            'c' => self.ignore_case = false,
            'n' | 'm' => {
                self.stop_at_newline = true;
                self.anchors_at_newline = true;
            }
            's' => {
                self.stop_at_newline = false;
                self.anchors_at_newline = false;
            }
            'p' => {
                self.stop_at_newline = true;
                self.anchors_at_newline = false;
            }
            'w' => {
                self.stop_at_newline = false;
                self.anchors_at_newline = true;
            }
            'x' => self.expanded = true,
            't' => self.expanded = false,
            'q' => self.literal = true,
            'b' | 'e' => {}
            other => {
                return Err(Error::new(
                    SqlState::INVALID_PARAMETER_VALUE,
                    format!("invalid regular expression option: \"{other}\""),
                ));
            }
        }
        Ok(())
    }
}

/// How many compiled patterns a session keeps.
const CACHE_SIZE: usize = 128;

/// Compiled patterns, kept for the session.
#[derive(Default, Debug)]
pub struct RegexCache {
    compiled: Mutex<FxHashMap<(String, Flags), Arc<Regex>>>,
}

impl RegexCache {
    /// The compiled form of a pattern.
    pub fn get(&self, pattern: &str, flags: Flags) -> Result<Arc<Regex>> {
        let key = (pattern.to_owned(), Flags { global: false, ..flags });
        if let Some(found) = self.compiled.lock().get(&key) {
            return Ok(Arc::clone(found));
        }
        let compiled = Arc::new(translate::compile(pattern, flags)?);
        let mut cache = self.compiled.lock();
        if cache.len() >= CACHE_SIZE {
            cache.clear();
        }
        cache.insert(key, Arc::clone(&compiled));
        Ok(compiled)
    }
}

#[cfg(test)]
mod tests;
