//! The fields of a line of CSV.

use memchr::{memchr, memchr2};
use oxi_base::Result;

use crate::copy::{
    options::{CopyOptions, bad_format},
    text::Field,
};

/// Splits a line (which may contain line ends inside quotes); quoted fields are written to
/// `scratch`.
pub(crate) fn split(
    line: &[u8],
    options: &CopyOptions,
    fields: &mut Vec<Field>,
    scratch: &mut Vec<u8>,
) -> Result<()> {
    fields.clear();
    scratch.clear();
    let (delimiter, quote) = (options.delimiter, options.quote);
    let null = options.null.as_bytes();
    let mut at = 0;
    loop {
        let start = at;
        let rest = &line[at..];
        let stop = memchr2(delimiter, quote, rest).map_or(line.len(), |offset| at + offset);
        let place = fields.len();
        let may_be_null = !flag(&options.force_not_null, place);
        if stop == line.len() || line[stop] == delimiter {
            let is_null = may_be_null && &line[start..stop] == null;
            fields.push(Field { start, end: stop, owned: false, null: is_null });
            if stop == line.len() {
                return Ok(());
            }
            at = stop + 1;
            continue;
        }
        let from = scratch.len();
        scratch.extend_from_slice(&line[start..stop]);
        let end = quoted(line, stop, options, scratch)?;
        let is_null = flag(&options.force_null, place) && &scratch[from..] == null;
        fields.push(Field { start: from, end: scratch.len(), owned: true, null: is_null });
        if end == line.len() {
            return Ok(());
        }
        at = end + 1;
    }
}

/// Reads a field from its first quote on; gives the place of the delimiter after it.
fn quoted(line: &[u8], first: usize, options: &CopyOptions, out: &mut Vec<u8>) -> Result<usize> {
    let CopyOptions { delimiter, quote, escape, .. } = *options;
    let mut at = first;
    loop {
        // At a quote: its inside goes up to the next quote that is not escaped.
        at += 1;
        loop {
            let rest = &line[at.min(line.len())..];
            let Some(offset) = memchr2(quote, escape, rest) else {
                return Err(bad_format("unterminated CSV quoted field"));
            };
            out.extend_from_slice(&rest[..offset]);
            at += offset;
            let byte = line[at];
            if byte == escape
                && let Some(next) = line.get(at + 1)
                && (*next == escape || *next == quote)
            {
                out.push(*next);
                at += 2;
                continue;
            }
            at += 1;
            if byte == quote {
                break;
            }
            out.push(byte);
        }
        // Outside again: up to the delimiter, or another quote.
        let rest = &line[at..];
        let end = memchr(delimiter, rest).unwrap_or(rest.len());
        match memchr(quote, &rest[..end]) {
            None => {
                out.extend_from_slice(&rest[..end]);
                return Ok(at + end);
            }
            Some(offset) => {
                out.extend_from_slice(&rest[..offset]);
                at += offset;
            }
        }
    }
}

fn flag(list: &[bool], place: usize) -> bool {
    list.get(place).copied().unwrap_or(false)
}
