//! Looking at the files of a log without opening it: nothing is written, all damage is told.

use oxi_base::{Lsn, Result};
use oxi_world::{World, disk};

use crate::frame::Frame;
use crate::open::{file_names, misplaced};
use crate::scan::{self, Scanner, Step};
use crate::segment::{self, FileHeader, HeaderFault};

/// What a file holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileFigures {
    /// Its name.
    pub name: String,
    /// The position of its first frame.
    pub first_lsn: Lsn,
    /// The position behind its last sound frame.
    pub end_lsn: Lsn,
    /// Its sound frames.
    pub frames: u64,
    /// Bytes of an unfinished write behind them: what a crash leaves in the last file.
    pub torn_bytes: u64,
}

/// Damage in a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    /// The file's name.
    pub name: String,
    /// Where in the file.
    pub offset: u64,
    /// What is wrong there.
    pub what: String,
}

/// A log whose headers were read.
pub struct Inspection {
    world: World,
    dir: String,
    headers: Vec<FileHeader>,
    /// The files that can be read, oldest first; their frames are counted by [`Self::read`].
    pub files: Vec<FileFigures>,
    /// Files whose creation did not finish, as a crash leaves them.
    pub unfinished: Vec<String>,
    /// All damage found so far.
    pub faults: Vec<Fault>,
}

impl Inspection {
    /// Reads the headers of the files in `dir`. `database`: to which they must belong, if known.
    ///
    /// # Errors
    /// What the disk says to listing the directory; what it says to a file is a fault.
    pub fn look(world: &World, dir: &str, database: Option<[u8; 16]>) -> Result<Inspection> {
        let mut found = Inspection {
            world: world.clone(),
            dir: dir.to_owned(),
            headers: Vec::new(),
            files: Vec::new(),
            unfinished: Vec::new(),
            faults: Vec::new(),
        };
        let names = if world.disk.exists(dir)? { file_names(world, dir)? } else { Vec::new() };
        // A creation that did not finish was the last thing that happened.
        let mut unsound: Vec<String> = Vec::new();
        for name in names {
            let header = match segment::read_header(&*world.disk, dir, &name) {
                Ok(Ok(header)) => header,
                Ok(Err(HeaderFault::Version(version))) => {
                    let what = format!("this version of Oxibase does not read format {version}");
                    found.fault(&name, 0, what);
                    continue;
                }
                Ok(Err(HeaderFault::Invalid)) => {
                    unsound.push(name);
                    continue;
                }
                Err(error) => {
                    found.fault(&name, 0, error.message());
                    continue;
                }
            };
            for name in std::mem::take(&mut unsound) {
                found.fault(&name, 0, "its header is invalid");
            }
            match misplaced(&name, found.headers.last(), &header, database) {
                Some(what) => found.fault(&name, 0, what),
                None => found.add(header),
            }
        }
        for name in unsound {
            match scan::is_blank(&*world.disk, &disk::join(dir, &name)) {
                Ok(true) => found.unfinished.push(name),
                Ok(false) => found.fault(&name, 0, "its header is invalid"),
                Err(error) => found.fault(&name, 0, error.message()),
            }
        }
        Ok(found)
    }

    fn add(&mut self, header: FileHeader) {
        self.files.push(FileFigures {
            name: header.name(),
            first_lsn: header.first_lsn,
            end_lsn: header.first_lsn,
            frames: 0,
            torn_bytes: 0,
        });
        self.headers.push(header);
    }

    fn fault(&mut self, name: &str, offset: u64, what: impl Into<String>) {
        self.faults.push(Fault { name: name.to_owned(), offset, what: what.into() });
    }

    /// The position where the oldest file begins.
    pub fn first_lsn(&self) -> Option<Lsn> {
        self.headers.first().map(|header| header.first_lsn)
    }

    /// The header of the newest file.
    pub fn last_header(&self) -> Option<FileHeader> {
        self.headers.last().copied()
    }

    /// The position behind the last sound frame that was read.
    pub fn end_lsn(&self) -> Option<Lsn> {
        self.files.last().map(|file| file.end_lsn)
    }

    /// Reads every frame of every file. `each` gets them in order, up to the first damage.
    pub fn read(&mut self, each: &mut dyn FnMut(&Frame)) {
        for at in 0..self.headers.len() {
            if let Err(error) = self.read_file(at, each) {
                let name = self.files[at].name.clone();
                self.fault(&name, 0, error.message());
            }
        }
    }

    fn read_file(&mut self, at: usize, each: &mut dyn FnMut(&Frame)) -> Result<()> {
        let header = self.headers[at];
        let bound = self.headers.get(at + 1).map(|next| next.first_lsn);
        let mut scanner = Scanner::open(&*self.world.disk, &self.dir, header)?;
        let stopped = loop {
            if bound.is_some_and(|bound| scanner.lsn >= bound) {
                break None;
            }
            match scanner.next(bound)? {
                Step::Frame(frame) => {
                    if self.faults.is_empty() {
                        each(&frame);
                    }
                    let file = &mut self.files[at];
                    file.frames += 1;
                    file.end_lsn = frame.end_lsn;
                }
                Step::End => break Some("zeros where frames should be"),
                Step::Bad(reason) => break Some(reason),
            }
        };
        let Some(reason) = stopped else { return Ok(()) };
        let (name, offset, lsn) = (header.name(), scanner.offset(), scanner.lsn);
        if let Some(next) = bound {
            let what = format!(
                "{reason}; the next log file continues at position {next}, this one ends at \
                 {lsn}"
            );
            self.fault(&name, offset, what);
        } else {
            let tail = scanner.tail()?;
            if tail.later_flush {
                self.fault(&name, offset, format!("{reason}, and sound frames follow"));
            } else if let Some((offset, what)) = tail.damage {
                self.fault(&name, offset, what);
            } else {
                self.files[at].torn_bytes = tail.torn_bytes;
            }
        }
        Ok(())
    }
}
