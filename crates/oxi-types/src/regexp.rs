//! PostgreSQL's regular expressions, LIKE and SIMILAR TO over the `regex` crate.

use std::sync::Arc;

use parking_lot::Mutex;
use regex::Regex;
use rustc_hash::FxHashMap;

/// Compiled patterns, kept for the session.
#[derive(Default, Debug)]
pub struct RegexCache {
    compiled: Mutex<FxHashMap<String, Arc<Regex>>>,
}
