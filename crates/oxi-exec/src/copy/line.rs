//! Cutting a stream into lines, however it comes in pieces.

use memchr::{memchr, memchr2};
use oxi_base::Result;

use crate::copy::options::{CopyFormat, CopyOptions, bad_format};

/// How lines end; the first line decides.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Ending {
    Lf,
    CrLf,
    Cr,
}

/// Gathers bytes and gives out whole lines.
pub(crate) struct Lines {
    buffer: Vec<u8>,
    /// Where the line not given out yet begins.
    start: usize,
    /// Up to where it was searched for its end.
    scanned: usize,
    ending: Option<Ending>,
    csv: Option<Csv>,
    /// Lines given out, those inside quotes counted.
    pub(crate) number: u64,
    embedded: u64,
    finished: bool,
}

struct Csv {
    quote: u8,
    /// The escape character if it is not the quote.
    escape: Option<u8>,
    in_quote: bool,
    escaped: bool,
}

impl Lines {
    pub(crate) fn new(options: &CopyOptions) -> Self {
        let csv = (options.format == CopyFormat::Csv).then(|| Csv {
            quote: options.quote,
            escape: (options.escape != options.quote).then_some(options.escape),
            in_quote: false,
            escaped: false,
        });
        Lines {
            buffer: Vec::new(),
            start: 0,
            scanned: 0,
            ending: None,
            csv,
            number: 0,
            embedded: 0,
            finished: false,
        }
    }

    /// Adds a piece of the stream.
    pub(crate) fn push(&mut self, piece: &[u8]) {
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.scanned -= self.start;
            self.start = 0;
        }
        self.buffer.extend_from_slice(piece);
    }

    /// No more pieces will come: what is left is the last line.
    pub(crate) fn finish(&mut self) {
        self.finished = true;
    }

    /// The bytes of a range that [`Lines::next`] gave.
    pub(crate) fn bytes(&self, range: (usize, usize)) -> &[u8] {
        self.buffer.get(range.0..range.1).unwrap_or_default()
    }

    /// The range of the next whole line, without its ending. It stays valid until the next
    /// [`Lines::push`].
    pub(crate) fn next(&mut self) -> Result<Option<(usize, usize)>> {
        let found = if self.csv.is_some() { self.csv_end()? } else { self.text_end()? };
        let Some((end, after)) = found else {
            if !self.finished || self.start >= self.buffer.len() {
                return Ok(None);
            }
            if self.csv.as_ref().is_some_and(|csv| csv.in_quote) {
                self.number += 1;
                return Err(bad_format("unterminated CSV quoted field"));
            }
            let mut end = self.buffer.len();
            if self.ending != Some(Ending::Lf) && self.buffer.ends_with(b"\r") {
                end -= 1;
            }
            let range = (self.start, end);
            self.start = self.buffer.len();
            self.scanned = self.start;
            self.number += 1;
            return Ok(Some(range));
        };
        let range = (self.start, end);
        self.start = after;
        self.scanned = after;
        self.number += 1 + std::mem::take(&mut self.embedded);
        Ok(Some(range))
    }

    /// Decides how lines end when the first ending is met at `at`. `None`: more bytes are needed.
    fn decide(&mut self, at: usize) -> Option<Ending> {
        if let Some(ending) = self.ending {
            return Some(ending);
        }
        let ending = if self.buffer[at] == b'\n' {
            Ending::Lf
        } else {
            match self.buffer.get(at + 1) {
                Some(b'\n') => Ending::CrLf,
                Some(_) => Ending::Cr,
                None if self.finished => Ending::Cr,
                None => return None,
            }
        };
        self.ending = Some(ending);
        Some(ending)
    }

    /// What a CR or LF outside of quotes at `at` means: the end of the line and the begin of the
    /// next one. `None`: more bytes are needed.
    fn end_at(&mut self, at: usize) -> Result<Option<(usize, usize)>> {
        let Some(ending) = self.decide(at) else { return Ok(None) };
        let csv = self.csv.is_some();
        let found = self.buffer[at];
        let (word, hint) = match (ending, found) {
            (Ending::Lf, b'\n') | (Ending::Cr, b'\r') => return Ok(Some((at, at + 1))),
            (Ending::CrLf, b'\r') => match self.buffer.get(at + 1) {
                Some(b'\n') => return Ok(Some((at, at + 2))),
                None if !self.finished => return Ok(None),
                None => return Ok(Some((at, at + 1))),
                Some(_) => ("carriage return", "\\r"),
            },
            (_, b'\r') => ("carriage return", "\\r"),
            _ => ("newline", "\\n"),
        };
        self.number += 1;
        Err(if csv {
            bad_format(format!("unquoted {word} found in data"))
                .with_hint(format!("Use quoted CSV field to represent {word}."))
        } else {
            bad_format(format!("literal {word} found in data"))
                .with_hint(format!("Use \"{hint}\" to represent {word}."))
        })
    }

    fn text_end(&mut self) -> Result<Option<(usize, usize)>> {
        loop {
            let rest = &self.buffer[self.scanned..];
            let found = if self.ending == Some(Ending::Lf) {
                // A carriage return inside is looked for by the reader of the line.
                memchr(b'\n', rest)
            } else {
                memchr2(b'\n', b'\r', rest)
            };
            let Some(offset) = found else {
                self.scanned = self.buffer.len();
                return Ok(None);
            };
            let at = self.scanned + offset;
            let escapes =
                self.buffer[self.start..at].iter().rev().take_while(|byte| **byte == b'\\').count();
            if escapes % 2 == 1 {
                self.scanned = at + 1;
                self.embedded += 1;
                continue;
            }
            self.scanned = at;
            return self.end_at(at);
        }
    }

    fn csv_end(&mut self) -> Result<Option<(usize, usize)>> {
        let mut at = self.scanned;
        while at < self.buffer.len() {
            let Some(csv) = &mut self.csv else { return Ok(None) };
            let byte = self.buffer[at];
            if csv.in_quote {
                if csv.escape.is_none() {
                    // Without another escape only a quote matters here.
                    let rest = &self.buffer[at..];
                    let stop = memchr(csv.quote, rest).unwrap_or(rest.len());
                    self.embedded += memchr::memchr_iter(b'\n', &rest[..stop]).count() as u64;
                    at += stop;
                    if at < self.buffer.len() {
                        csv.in_quote = false;
                        at += 1;
                    }
                    continue;
                }
                if Some(byte) == csv.escape {
                    csv.escaped = !csv.escaped;
                } else {
                    if byte == csv.quote && !csv.escaped {
                        csv.in_quote = false;
                    }
                    csv.escaped = false;
                }
                self.embedded += u64::from(byte == b'\n');
                at += 1;
                continue;
            }
            let quote = csv.quote;
            let rest = &self.buffer[at..];
            match memchr::memchr3(quote, b'\n', b'\r', rest) {
                None => at = self.buffer.len(),
                Some(offset) if rest[offset] == quote => {
                    csv.in_quote = true;
                    csv.escaped = false;
                    at += offset + 1;
                }
                Some(offset) => {
                    self.scanned = at + offset;
                    return self.end_at(at + offset);
                }
            }
        }
        self.scanned = at;
        Ok(None)
    }
}
