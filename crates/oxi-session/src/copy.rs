//! COPY between a client and a table or query.

use std::collections::VecDeque;

use bytes::Bytes;
use oxi_base::{Error, Result, SqlState};
use oxi_exec::copy::{CopyEncoder, CopyLoad};

use crate::{
    outcome::{Chunk, CommandTag, Cursor, row_at},
    session::Session,
};

/// The shape of the stream, as the client is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CopyFormat {
    /// PostgreSQL's binary rows, else text (or CSV).
    pub binary: bool,
    /// How many columns a row has.
    pub columns: usize,
}

/// COPY … FROM STDIN: the client's bytes go in here.
pub struct CopyIn {
    pub(crate) load: Box<CopyLoad>,
    pub(crate) format: CopyFormat,
    pub(crate) commits: bool,
}

impl CopyIn {
    /// The shape of the stream.
    pub fn format(&self) -> CopyFormat {
        self.format
    }

    /// Takes a piece of the stream. After an error the statement has ended and the rest of the
    /// stream is to be thrown away.
    pub async fn push(&mut self, session: &mut Session, piece: &[u8]) -> Result<()> {
        let pushed = self.load.push(piece).await;
        if pushed.is_err() {
            session.statement_failed();
        }
        pushed
    }

    /// Ends the stream.
    pub async fn finish(self, session: &mut Session) -> Result<CommandTag> {
        match Box::pin(self.load.finish()).await {
            Ok(rows) => {
                session.statement_ended(self.commits).await?;
                Ok(CommandTag::counted("COPY", rows))
            }
            Err(error) => {
                session.statement_failed();
                Err(error)
            }
        }
    }

    /// The client gives up; nothing of the stream stays. Always an error.
    pub async fn abort(self, session: &mut Session, message: &str) -> Result<()> {
        session.statement_failed();
        Err(Error::new(SqlState::QUERY_CANCELED, format!("COPY from stdin failed: {message}")))
    }
}

/// COPY … TO STDOUT: the client's bytes come out here.
pub struct CopyOut {
    pub(crate) cursor: Box<Cursor>,
    pub(crate) encoder: Box<CopyEncoder>,
    pub(crate) format: CopyFormat,
    pub(crate) state: OutState,
    /// Pieces that are encoded and not taken yet.
    pub(crate) ready: VecDeque<Bytes>,
}

/// How far a COPY TO is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum OutState {
    /// Nothing was written.
    Fresh,
    /// Rows are being written.
    Rows,
    /// All is written.
    Ended(u64),
}

impl CopyOut {
    /// The shape of the stream.
    pub fn format(&self) -> CopyFormat {
        self.format
    }

    /// The next piece of the stream: exactly one row, as clients rely on (or what stands before
    /// and after the rows); `None` at the end.
    pub async fn next(&mut self, session: &mut Session) -> Result<Option<Bytes>> {
        if self.state == OutState::Fresh {
            let mut head = Vec::new();
            self.encoder.begin(&mut head);
            self.state = OutState::Rows;
            self.push(head);
        }
        while self.ready.is_empty() && self.state == OutState::Rows {
            let chunk = self.cursor.next(session).await?;
            if let Err(error) = self.encode(&chunk) {
                session.statement_failed();
                return Err(error);
            }
        }
        Ok(self.ready.pop_front())
    }

    fn push(&mut self, piece: Vec<u8>) {
        if !piece.is_empty() {
            self.ready.push_back(piece.into());
        }
    }

    fn encode(&mut self, chunk: &Chunk) -> Result<()> {
        let mut piece = Vec::new();
        match chunk {
            Chunk::Row(row) => self.encoder.row(row, &mut piece)?,
            Chunk::Batch(batch) => {
                for index in 0..batch.num_rows() {
                    let row = row_at(self.cursor.fields(), batch, index)?;
                    let mut piece = Vec::new();
                    self.encoder.row(&row, &mut piece)?;
                    self.push(piece);
                }
            }
            Chunk::End(tag) => {
                self.encoder.end(&mut piece);
                self.state = OutState::Ended(tag.rows().unwrap_or_default());
            }
        }
        self.push(piece);
        Ok(())
    }

    /// The last word, once all pieces are taken.
    pub async fn finish(mut self, session: &mut Session) -> Result<CommandTag> {
        while self.next(session).await?.is_some() {}
        match self.state {
            OutState::Ended(rows) => Ok(CommandTag::counted("COPY", rows)),
            OutState::Fresh | OutState::Rows => Err(Error::bug("COPY has not ended")),
        }
    }
}
