//! Statements from arguments, files and standard input.

use std::io::{self, Read as _};

use oxi_base::{Error, Result as BaseResult, SqlState};

use super::{Shell, Stop, split};
use crate::files;

/// A deeper `\i` is most likely a file that includes itself.
const DEEPEST: usize = 32;

/// How much is read from standard input at once.
const PIECE: usize = 64 * 1024;

/// Where the lines of a script come from.
#[derive(Default)]
enum Input {
    #[default]
    Nothing,
    File(files::Reader),
    Standard,
}

impl Input {
    /// The next bytes; none at the end.
    fn piece(&mut self) -> BaseResult<Vec<u8>> {
        match self {
            Input::Nothing => Ok(Vec::new()),
            Input::File(file) => file.piece(),
            Input::Standard => loop {
                let mut buffer = vec![0; PIECE];
                match io::stdin().lock().read(&mut buffer) {
                    Ok(count) => {
                        buffer.truncate(count);
                        return Ok(buffer);
                    }
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => {
                        let message = format!("standard input: {error}");
                        return Err(Error::new(SqlState::IO_ERROR, message));
                    }
                }
            },
        }
    }
}

/// The lines of a script, read as they are wanted: a script may be larger than memory.
#[derive(Default)]
pub(crate) struct Lines {
    input: Input,
    /// What is read; up to `next` it has been handed out.
    ahead: Vec<u8>,
    next: usize,
    /// The number of the next line.
    pub(crate) number: usize,
}

impl Lines {
    fn new(input: Input) -> Self {
        Lines { input, number: 1, ..Lines::default() }
    }

    /// The next line with its end.
    pub(crate) fn next(&mut self) -> BaseResult<Option<String>> {
        let mut searched = self.next;
        loop {
            let found = self.ahead[searched..].iter().position(|byte| *byte == b'\n');
            if let Some(end) = found {
                return self.take(searched + end + 1).map(Some);
            }
            self.ahead.drain(..self.next);
            self.next = 0;
            searched = self.ahead.len();
            let piece = self.input.piece()?;
            if piece.is_empty() {
                return if searched == 0 { Ok(None) } else { self.take(searched).map(Some) };
            }
            self.ahead.extend_from_slice(&piece);
        }
    }

    fn take(&mut self, end: usize) -> BaseResult<String> {
        let line = self.ahead[self.next..end].to_vec();
        self.next = end;
        self.number += 1;
        String::from_utf8(line)
            .map_err(|_| Error::new(SqlState::CHARACTER_NOT_IN_REPERTOIRE, "not UTF-8"))
    }
}

impl Shell {
    /// A `-c` argument: a \command, or SQL that runs as one text.
    pub(crate) async fn run_command(&mut self, text: &str) -> Result<(), Stop> {
        if text.trim_start().starts_with('\\') {
            return self.meta(text.trim()).await;
        }
        if split::without_go(text).is_some() {
            return self.execute_piece(text, &mut Lines::default()).await;
        }
        self.execute(text, &mut Lines::default()).await
    }

    /// A file named within another: relative to that one.
    pub(crate) async fn run_beside(&mut self, path: &str) -> Result<(), Stop> {
        let path = std::path::Path::new(&self.folder).join(path);
        self.run_file(&path.to_string_lossy()).await
    }

    /// A file, or standard input for `-`.
    pub(crate) async fn run_file(&mut self, path: &str) -> Result<(), Stop> {
        if self.depth >= DEEPEST {
            let message = format!("{path}: files include each other too deeply");
            return Err(self.complain(&Error::new(SqlState::STATEMENT_TOO_COMPLEX, message)));
        }
        let input = if path == "-" {
            Input::Standard
        } else {
            match files::Reader::open(path) {
                Ok(file) => Input::File(file),
                Err(error) => return Err(self.complain(&error)),
            }
        };
        let name = if path == "-" { "<stdin>" } else { path };
        self.depth += 1;
        let folder = std::path::Path::new(path).parent().unwrap_or(std::path::Path::new(""));
        let folder = std::mem::replace(&mut self.folder, folder.to_string_lossy().into_owned());
        let outer = std::mem::take(&mut self.place);
        let outcome = self.run_script(name, Lines::new(input)).await;
        self.place = outer;
        self.folder = folder;
        self.depth -= 1;
        outcome
    }

    async fn run_script(&mut self, name: &str, mut lines: Lines) -> Result<(), Stop> {
        let mut pending = String::new();
        let mut first = 1;
        loop {
            let number = lines.number;
            let line = match lines.next() {
                Ok(Some(line)) => line,
                Ok(None) => break,
                Err(error) => {
                    self.place = format!("{name}:{number}: ");
                    return Err(self.complain(&error));
                }
            };
            if pending.trim().is_empty() {
                pending.clear();
                first = number;
            }
            // Comments before it do not make it part of a statement.
            if line.trim_start().starts_with('\\')
                && split::split(&pending).state == split::State::Empty
            {
                pending.clear();
                self.place = format!("{name}:{number}: ");
                Box::pin(self.meta(line.trim())).await?;
                continue;
            }
            pending.push_str(&line);
            if !line.contains([';', '\\']) {
                continue;
            }
            let pieces = split::split(&pending);
            for statement in pieces.statements {
                self.place = format!("{name}:{first}: ");
                self.execute_piece(&statement, &mut lines).await?;
                first = number;
            }
            pending = pieces.rest;
        }
        let last = split::split(&pending);
        if last.state != split::State::Empty {
            self.place = format!("{name}:{first}: ");
            self.execute(&last.rest, &mut lines).await?;
        }
        Ok(())
    }
}
