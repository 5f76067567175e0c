//! One text to the server, and what comes back.

use std::io::{self, Write as _};

use super::script::Lines;
use super::{Shell, Stop, say, split};
use crate::client::{Event, ServerError};
use crate::diagnose;
use crate::files;

/// Where COPY's data comes from or goes to.
pub(crate) enum CopyFile {
    /// Lines of the script or standard output.
    Inline,
    From(files::Reader),
    To(files::Writer),
}

impl Shell {
    /// Runs SQL and shows its results. COPY FROM STDIN reads `lines`.
    pub(crate) async fn execute(&mut self, sql: &str, lines: &mut Lines) -> Result<(), Stop> {
        self.execute_with(sql, lines, CopyFile::Inline).await
    }

    /// Runs a statement as it was cut out of a text: `\g` and `\gx` end one as semicolons do.
    pub(crate) async fn execute_piece(
        &mut self,
        statement: &str,
        lines: &mut Lines,
    ) -> Result<(), Stop> {
        let Some((sql, expanded)) = split::without_go(statement) else {
            return self.execute(statement, lines).await;
        };
        let before = self.renderer.expanded;
        self.renderer.expanded |= expanded;
        let outcome = self.execute(sql, lines).await;
        self.renderer.expanded = before;
        outcome
    }

    /// As [`Self::execute`], with a file for COPY.
    pub(crate) async fn execute_with(
        &mut self,
        sql: &str,
        lines: &mut Lines,
        mut file: CopyFile,
    ) -> Result<(), Stop> {
        let started = self.connector.now_us();
        if let Err(error) = self.client.query(sql).await {
            return Err(self.lost(&error));
        }
        let mut failed = None::<Stop>;
        loop {
            let event = self.next_event(&mut failed).await?;
            match event {
                Event::Ready => break,
                Event::Error(error) => {
                    self.report(&error, sql);
                    failed.get_or_insert(Stop::Failed);
                    if error.severity == "FATAL" {
                        return Err(Stop::Lost);
                    }
                }
                Event::Notice(notice) => {
                    if !self.quiet {
                        self.report(&notice, sql);
                    }
                }
                Event::CopyIn => self.feed(lines, &mut file).await?,
                other => {
                    if let Err(error) = self.show(other, &mut file) {
                        return Err(broken_pipe(&error));
                    }
                }
            }
        }
        if self.timing {
            let micros = self.connector.now_us() - started;
            // Whole microseconds as milliseconds with three digits.
            let _ = writeln!(self.output, "Time: {}.{:03} ms", micros / 1000, micros % 1000);
        }
        let _ = self.output.flush();
        failed.map_or(Ok(()), Err)
    }

    /// The next event; an interrupt from the keyboard cancels the statement.
    async fn next_event(&mut self, failed: &mut Option<Stop>) -> Result<Event, Stop> {
        loop {
            let outcome = tokio::select! {
                biased;
                event = self.client.event() => Some(event),
                _ = tokio::signal::ctrl_c() => None,
            };
            match outcome {
                Some(Ok(event)) => return Ok(event),
                Some(Err(error)) => return Err(self.lost(&error)),
                None => {
                    *failed = Some(Stop::Interrupted);
                    let request = self.client.cancel_request();
                    self.connector.cancel(&request).await;
                }
            }
        }
    }

    /// Writes a piece of a result.
    fn show(&mut self, event: Event, file: &mut CopyFile) -> io::Result<()> {
        let chatty = self.chatty();
        match event {
            Event::Fields(fields) => {
                self.in_result = true;
                self.renderer.start(fields, &mut self.output)
            }
            Event::Row(row) => self.renderer.row(row, &mut self.output),
            Event::Complete(tag) => {
                if std::mem::take(&mut self.in_result) {
                    let footer = !self.quiet;
                    self.renderer.end(footer, &mut self.output)?;
                }
                // What returned rows has shown them; their number is in the footer.
                if chatty && !tag.starts_with("SELECT") && !tag.starts_with("SHOW") {
                    writeln!(self.output, "{tag}")?;
                }
                self.output.flush()
            }
            Event::CopyData(data) => match file {
                CopyFile::To(file) => file.write_all(&data),
                _ => self.output.write_all(&data),
            },
            _ => Ok(()),
        }
    }

    /// Sends what COPY FROM STDIN asks for.
    async fn feed(&mut self, lines: &mut Lines, file: &mut CopyFile) -> Result<(), Stop> {
        let sent = match file {
            CopyFile::From(file) => loop {
                match file.piece() {
                    Ok(piece) if piece.is_empty() => break self.client.copy_done().await,
                    Ok(piece) => {
                        if let Err(error) = self.client.copy_data(&piece).await {
                            break Err(error);
                        }
                    }
                    Err(error) => break self.client.copy_fail(error.message()).await,
                }
            },
            _ if self.interactive => self.feed_from_keyboard().await,
            _ => loop {
                match lines.next() {
                    Ok(None) => break self.client.copy_done().await,
                    Ok(Some(line)) if line.trim_end() == "\\." => {
                        break self.client.copy_done().await;
                    }
                    Ok(Some(line)) => {
                        if let Err(error) = self.client.copy_data(line.as_bytes()).await {
                            break Err(error);
                        }
                    }
                    Err(error) => break self.client.copy_fail(error.message()).await,
                }
            },
        };
        sent.map_err(|error| self.lost(&error))
    }

    async fn feed_from_keyboard(&mut self) -> io::Result<()> {
        say("Enter data to be copied followed by a newline.\n");
        say("End with a backslash and a period on a line by itself, or an EOF signal.\n");
        loop {
            let mut line = String::new();
            if io::stdin().read_line(&mut line)? == 0 || line.trim_end() == "\\." {
                return self.client.copy_done().await;
            }
            self.client.copy_data(line.as_bytes()).await?;
        }
    }

    /// Shows an error or a notice.
    fn report(&mut self, error: &ServerError, sql: &str) {
        // What was shown so far comes before it, and half a result is shown as far as it got.
        if std::mem::take(&mut self.in_result) {
            let _ = self.renderer.abandon(&mut self.output);
        }
        let _ = self.output.flush();
        say(&diagnose::describe(error, sql, &self.place));
    }

    /// Runs a query of the shell's own and returns its rows.
    pub(crate) async fn fetch(&mut self, sql: &str) -> Result<Vec<Vec<Option<String>>>, Stop> {
        if let Err(error) = self.client.query(sql).await {
            return Err(self.lost(&error));
        }
        let mut rows = Vec::new();
        let mut failed = None;
        loop {
            match self.next_event(&mut failed).await? {
                Event::Row(row) => rows.push(row),
                Event::Ready => break,
                Event::Error(error) => {
                    self.report(&error, sql);
                    failed = Some(Stop::Failed);
                }
                _ => {}
            }
        }
        match failed {
            Some(stop) => Err(stop),
            None => Ok(rows),
        }
    }
}

/// The reader of our output has gone, as `head` does: that is no failure worth a word.
fn broken_pipe(error: &io::Error) -> Stop {
    if error.kind() != io::ErrorKind::BrokenPipe {
        say(&format!("could not write the result: {error}\n"));
    }
    Stop::Failed
}
