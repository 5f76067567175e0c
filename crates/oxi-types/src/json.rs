//! json and jsonb.

use std::cmp::Ordering;

use oxi_base::{Error, Result};
use oxi_model::Datum;

fn later<T>() -> Result<T> {
    Err(Error::unsupported("json is not supported"))
}
pub fn validate(_: &str) -> Result<()> { later() }
pub fn jsonb_in(_: &str) -> Result<Datum> { later() }
pub fn jsonb_out(_: &[u8], _: &mut String) -> Result<()> { later() }
pub fn jsonb_compare(a: &[u8], b: &[u8]) -> Ordering { a.cmp(b) }
pub fn jsonb_key(a: &[u8]) -> Vec<u8> { a.to_vec() }
