//! The simple query protocol, and sending rows for both protocols.

use std::sync::Arc;

use arrow_array::RecordBatch;
use oxi_base::Result;
use oxi_session::{Chunk, CommandTag, Cursor, Outcome, Request};
use oxi_types::EvalContext;

use crate::connection::{Connection, Failure};
use crate::encode::{self, BatchRows, Column, data_row};
use crate::frame::Body;
use crate::wire::{FLUSH_AT, Frame};

/// A cursor with the rows that were fetched and not sent.
pub(crate) struct Rows {
    pub(crate) cursor: Cursor,
    pending: Option<(RecordBatch, usize)>,
}

impl Rows {
    pub(crate) fn new(cursor: Cursor) -> Self {
        Rows { cursor, pending: None }
    }
}

/// Where sending stopped.
pub(crate) enum Sent {
    /// At the end.
    End(CommandTag),
    /// At the number of rows that was asked for.
    Enough,
}

impl Connection {
    /// `Query`: any number of statements in one text.
    pub(crate) async fn simple_query(&mut self, frame: Frame) -> Result<(), Failure> {
        // A simple query replaces the unnamed statement and portal.
        self.portals.close("");
        self.session.close_prepared("");
        self.text.clear();
        match self.statements(frame).await {
            Ok(()) => {}
            Err(Failure::Sql(error)) => self.failed(&error),
            Err(failure) => return Err(failure),
        }
        self.ready();
        Ok(())
    }

    async fn statements(&mut self, frame: Frame) -> Result<(), Failure> {
        let mut body = Body::new(self.wire.body(frame));
        self.text.push_str(body.text()?);
        body.end()?;
        let requests = self.session.requests(&self.text)?;
        let count = requests.len();
        if count == 0 {
            self.session.sync().await?;
            encode::empty_message(&mut self.wire.output, b'I');
        }
        for (at, request) in requests.into_iter().enumerate() {
            let outcome = self.run_request(request).await?;
            let tag = self.answer(outcome).await?;
            if at + 1 == count {
                // What was deferred to the commit can still fail the last statement.
                self.session.sync().await?;
            }
            self.complete(tag.as_ref());
            self.wire.relieve().await?;
        }
        Ok(())
    }

    /// Hands a request to the session and watches the client meanwhile.
    pub(crate) async fn run_request(&mut self, request: Request) -> Result<Outcome, Failure> {
        let Connection { session, wire, interrupt, .. } = self;
        Ok(wire.watch(|| interrupt.cancel(), session.execute(request).into_future()).await?)
    }

    /// Sends an outcome of the simple protocol up to its tag.
    async fn answer(&mut self, outcome: Outcome) -> Result<Option<CommandTag>, Failure> {
        match outcome {
            Outcome::Done(tag) => Ok(Some(tag)),
            Outcome::Empty => Ok(None),
            Outcome::Rows(cursor) => {
                let columns = encode::columns(cursor.fields(), &[])?;
                encode::row_description(&mut self.wire.output, cursor.fields(), &columns);
                match self.send_rows(&mut Rows::new(cursor), &columns, u64::MAX).await? {
                    (Sent::End(tag), _) => Ok(Some(tag)),
                    (Sent::Enough, count) => Ok(Some(CommandTag::counted("SELECT", count))),
                }
            }
            Outcome::CopyIn(copy) => self.copy_in(copy).await.map(Some),
            Outcome::CopyOut(copy) => self.copy_out(copy).await.map(Some),
        }
    }

    /// `CommandComplete`, or `EmptyQueryResponse` without a tag.
    pub(crate) fn complete(&mut self, tag: Option<&CommandTag>) {
        self.notices();
        match tag {
            Some(tag) => encode::command_complete(&mut self.wire.output, tag),
            None => encode::empty_message(&mut self.wire.output, b'I'),
        }
    }

    /// Sends rows until there are no more, or `limit` of them; says how many were sent.
    pub(crate) async fn send_rows(
        &mut self,
        rows: &mut Rows,
        columns: &[Column],
        limit: u64,
    ) -> Result<(Sent, u64), Failure> {
        let context = if columns.iter().any(Column::needs_context) {
            Some(Arc::clone(self.session.output_context()?))
        } else {
            None
        };
        let mut sent = 0;
        loop {
            if let Some((batch, start)) = rows.pending.take() {
                let end = self
                    .send_batch(&batch, columns, context.as_deref(), start, limit - sent)
                    .await?;
                sent += (end - start) as u64;
                if end < batch.num_rows() {
                    rows.pending = Some((batch, end));
                }
            }
            if sent >= limit {
                return Ok((Sent::Enough, sent));
            }
            let Connection { session, wire, interrupt, .. } = self;
            match wire.watch(|| interrupt.cancel(), rows.cursor.next(session)).await? {
                Chunk::Row(row) => {
                    let out = &mut self.wire.output;
                    data_row(out, context.as_deref(), columns, &row, &mut self.scratch)?;
                    sent += 1;
                    self.wire.relieve().await?;
                }
                Chunk::Batch(batch) => rows.pending = Some((batch, 0)),
                Chunk::End(tag) => return Ok((Sent::End(tag), sent)),
            }
        }
    }

    /// Sends at most `limit` rows from `start` on; says where it stopped.
    async fn send_batch(
        &mut self,
        batch: &RecordBatch,
        columns: &[Column],
        context: Option<&EvalContext>,
        start: usize,
        limit: u64,
    ) -> Result<usize, Failure> {
        let end = start.saturating_add(usize::try_from(limit).unwrap_or(usize::MAX));
        let end = end.min(batch.num_rows());
        let rows = BatchRows::new(batch, columns)?;
        for index in start..end {
            let out = &mut self.wire.output;
            rows.data_row(out, context, index, &mut self.scratch)?;
            if out.len() > FLUSH_AT {
                self.wire.flush().await?;
            }
        }
        Ok(end)
    }
}
