//! COPY between a client and a table or query.

use arrow_array::RecordBatch;
use bytes::Bytes;
use oxi_base::{Error, Result, SqlState};
use oxi_exec::copy::{CopyEncoder, CopyLoad};
use oxi_model::descriptor::TypeRef;

use crate::{
    outcome::{Chunk, CommandTag, Cursor},
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

    /// The types of the stream's columns.
    pub fn column_types(&self) -> Vec<TypeRef> {
        self.load.columns().iter().map(|column| column.data_type).collect()
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

    /// Takes rows beside the stream: the table's columns in their order, as Arrow carries them.
    pub async fn push_batch(&mut self, session: &mut Session, batch: RecordBatch) -> Result<()> {
        let pushed = self.load.push_batch(batch).await;
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
    pub fn abort(self, session: &mut Session, message: &str) -> Result<()> {
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
    pub(crate) ready: Ready,
}

/// What is encoded and not taken yet.
#[derive(Default)]
pub(crate) struct Ready {
    bytes: Bytes,
    /// Where the pieces that are left end.
    ends: std::vec::IntoIter<usize>,
    start: usize,
}

impl Ready {
    fn new(bytes: Vec<u8>, ends: Vec<usize>) -> Self {
        Ready { bytes: bytes.into(), ends: ends.into_iter(), start: 0 }
    }

    fn take(&mut self) -> Option<Bytes> {
        let end = self.ends.next()?;
        Some(self.bytes.slice(std::mem::replace(&mut self.start, end)..end))
    }
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
            self.set_ready(head);
        }
        loop {
            if let Some(piece) = self.ready.take() {
                return Ok(Some(piece));
            }
            if self.state != OutState::Rows {
                return Ok(None);
            }
            let chunk = self.cursor.next(session).await?;
            if let Err(error) = self.encode(&chunk) {
                session.statement_failed();
                return Err(error);
            }
        }
    }

    /// One piece, unless it is empty.
    fn set_ready(&mut self, piece: Vec<u8>) {
        let ends = if piece.is_empty() { Vec::new() } else { vec![piece.len()] };
        self.ready = Ready::new(piece, ends);
    }

    fn encode(&mut self, chunk: &Chunk) -> Result<()> {
        let mut out = Vec::new();
        match chunk {
            Chunk::Row(row) => self.encoder.row(row, &mut out)?,
            Chunk::Batch(batch) => {
                let ends = self.encoder.batch(batch, &mut out)?;
                self.ready = Ready::new(out, ends);
                return Ok(());
            }
            Chunk::End(tag) => {
                self.encoder.end(&mut out);
                self.state = OutState::Ended(tag.rows().unwrap_or_default());
            }
        }
        self.set_ready(out);
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
