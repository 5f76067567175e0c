//! Statements from arguments, files and standard input.

use std::collections::VecDeque;
use std::io::Read as _;

use oxi_base::{Error, SqlState};

use super::{Shell, Stop, split};
use crate::files;

/// A deeper `\i` is most likely a file that includes itself.
const DEEPEST: usize = 32;

/// The lines of a script that are not read yet.
#[derive(Default)]
pub(crate) struct Lines {
    lines: VecDeque<String>,
    /// The number of the next line.
    pub(crate) number: usize,
}

impl Lines {
    pub(crate) fn new(text: &str) -> Self {
        Lines { lines: text.split_inclusive('\n').map(str::to_owned).collect(), number: 1 }
    }

    /// The next line with its end.
    pub(crate) fn next(&mut self) -> Option<String> {
        let line = self.lines.pop_front()?;
        self.number += 1;
        Some(line)
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
        let text = if path == "-" {
            let mut text = String::new();
            match std::io::stdin().lock().read_to_string(&mut text) {
                Ok(_) => text,
                Err(error) => {
                    let message = format!("standard input: {error}");
                    return Err(self.complain(&Error::new(SqlState::IO_ERROR, message)));
                }
            }
        } else {
            match files::read_text(path) {
                Ok(text) => text,
                Err(error) => return Err(self.complain(&error)),
            }
        };
        let name = if path == "-" { "<stdin>" } else { path };
        self.depth += 1;
        let folder = std::path::Path::new(path).parent().unwrap_or(std::path::Path::new(""));
        let folder = std::mem::replace(&mut self.folder, folder.to_string_lossy().into_owned());
        let outer = std::mem::take(&mut self.place);
        let outcome = self.run_script(name, &text).await;
        self.place = outer;
        self.folder = folder;
        self.depth -= 1;
        outcome
    }

    async fn run_script(&mut self, name: &str, text: &str) -> Result<(), Stop> {
        let mut lines = Lines::new(text);
        let mut pending = String::new();
        let mut first = 1;
        loop {
            let number = lines.number;
            let Some(line) = lines.next() else {
                break;
            };
            if pending.trim().is_empty() {
                pending.clear();
                first = number;
                if line.trim_start().starts_with('\\') {
                    self.place = format!("{name}:{number}: ");
                    Box::pin(self.meta(line.trim())).await?;
                    continue;
                }
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
