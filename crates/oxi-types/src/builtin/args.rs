//! Reading arguments of known physical types, and the form of record values.

use std::cmp::Ordering;

use oxi_base::{Error, Result};
use oxi_model::Datum;

use crate::context::EvalContext;

pub fn record_out(_: &EvalContext, _: &[u8], _: &mut String) -> Result<()> {
    Err(Error::unsupported("record values are not supported"))
}
pub fn record_binary(_: &[u8], _: &mut Vec<u8>) -> Result<()> {
    Err(Error::unsupported("record values are not supported"))
}
pub fn record_compare(a: &[u8], b: &[u8]) -> Ordering {
    a.cmp(b)
}
#[track_caller]
fn wrong(args: &[Datum], at: usize) -> Error {
    Error::bug(format!("argument {at} of {args:?} has another type"))
}
