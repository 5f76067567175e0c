//! Reading the log from a position on: for recovery, replicas and change feeds alike.

use std::sync::Arc;

use oxi_base::{Error, Lsn, Result, SqlState};

use crate::frame::Frame;
use crate::log::{Log, Shared};
use crate::scan::{Scanner, Step};
use crate::segment;

/// Yields durable frames in order. After `None` it may be asked again: it goes on when more has
/// become durable. After an error it yields nothing more.
pub struct LogReader {
    shared: Arc<Shared>,
    /// Where the caller wants to begin.
    from: Lsn,
    /// The position reached.
    lsn: Lsn,
    /// The file being read.
    scanner: Option<Scanner>,
    /// Up to where that file can be read for now.
    bound: Lsn,
    ended: bool,
}

impl Log {
    /// Reads frames from `from` on, which must be where a frame begins.
    pub fn read(&self, from: Lsn) -> LogReader {
        let shared = Arc::clone(&self.shared);
        LogReader { shared, from, lsn: from, scanner: None, bound: Lsn(0), ended: false }
    }
}

impl LogReader {
    /// The position reached: where the next frame begins.
    pub fn position(&self) -> Lsn {
        self.lsn.max(self.from)
    }

    /// Finds the file of the position and how far it can be read; false at the durable end.
    fn locate(&mut self) -> Result<bool> {
        let durable = self.shared.durable();
        if self.lsn > durable {
            let message = format!("log position {} is behind the end of the log", self.lsn);
            return Err(Error::corrupt(message).with_detail(format!("The log ends at {durable}.")));
        }
        if self.lsn == durable {
            return Ok(false);
        }
        let (header, bound) = {
            let files = self.shared.files.lock();
            let next = files.partition_point(|header| header.first_lsn <= self.lsn);
            let Some(at) = next.checked_sub(1) else {
                let message = format!("log position {} has already been removed", self.lsn);
                return Err(Error::new(SqlState::UNDEFINED_FILE, message));
            };
            (files[at], files.get(next).map_or(durable, |header| header.first_lsn.min(durable)))
        };
        self.bound = bound;
        if self.scanner.as_ref().is_none_or(|scanner| scanner.header != header) {
            let options = &self.shared.options;
            let scanner = Scanner::open(&*self.shared.world.disk, &options.dir, header)?;
            self.lsn = scanner.lsn;
            self.scanner = Some(scanner);
        }
        Ok(true)
    }

    fn step(&mut self) -> Result<Option<Frame>> {
        loop {
            if (self.scanner.is_none() || self.lsn >= self.bound) && !self.locate()? {
                return Ok(None);
            }
            let scanner = self.scanner.as_mut().expect("a position before the end has a file");
            let frame = match scanner.next(Some(self.bound))? {
                Step::Frame(frame) => frame,
                Step::End => return Err(damaged(scanner, "frames are missing")),
                Step::Bad(reason) => return Err(damaged(scanner, reason)),
            };
            self.lsn = frame.end_lsn;
            if frame.lsn >= self.from {
                return Ok(Some(frame));
            }
            if frame.end_lsn > self.from {
                let message = format!("log position {} is within a frame", self.from);
                return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, message));
            }
        }
    }
}

fn damaged(scanner: &Scanner, reason: &str) -> Error {
    segment::corrupt(&scanner.header.name(), scanner.offset(), scanner.lsn, reason)
}

impl Iterator for LogReader {
    type Item = Result<Frame>;

    fn next(&mut self) -> Option<Result<Frame>> {
        if self.ended {
            return None;
        }
        let step = self.step();
        self.ended = step.is_err();
        step.transpose()
    }
}
