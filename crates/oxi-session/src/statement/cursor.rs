//! DECLARE, FETCH, MOVE, CLOSE: cursors that SQL names.

use std::sync::Arc;

use oxi_base::{Error, Result, SqlState};
use oxi_model::Row;
use oxi_sql::ast::{CloseCursor, DeclareCursor, Fetch, FetchDirection};

use crate::{
    outcome::{Chunk, CommandTag, Cursor, CursorSource, Outcome, OutputField, row_at},
    request::Parsed,
    session::Session,
    statement::{query, transaction::require_block},
};

/// A cursor that DECLARE made. Rows fetched so far are kept, so that it can move backwards.
pub(crate) struct DeclaredCursor {
    fields: Arc<[OutputField]>,
    source: Option<CursorSource>,
    rows: Vec<Row>,
    /// 0 is before the first row; n is on the n-th row; past the end is `rows.len() + 1`.
    position: usize,
    scroll: bool,
    hold: bool,
}

impl DeclaredCursor {
    /// Whether it outlives its transaction.
    pub(crate) fn is_held(&self) -> bool {
        self.hold
    }

    /// Makes sure that `count` rows are there, if the query has as many.
    async fn fill(&mut self, count: usize) -> Result<()> {
        while self.rows.len() < count {
            let Some(source) = &mut self.source else { break };
            match source.pull().await? {
                Some(Chunk::Row(row)) => self.rows.push(row),
                Some(Chunk::Batch(batch)) => {
                    for index in 0..batch.num_rows() {
                        self.rows.push(row_at(&self.fields, &batch, index)?);
                    }
                }
                Some(Chunk::End(_)) | None => self.source = None,
            }
        }
        Ok(())
    }

    /// Moves and returns the rows passed over.
    async fn fetch(&mut self, direction: FetchDirection) -> Result<Vec<Row>> {
        match direction {
            FetchDirection::Forward(count) if count >= 0 => self.forward(count as usize).await,
            FetchDirection::Forward(count) => self.backward(count.unsigned_abs() as usize),
            FetchDirection::ForwardAll => self.forward(usize::MAX).await,
            FetchDirection::Backward(count) if count >= 0 => self.backward(count as usize),
            FetchDirection::Backward(count) => self.forward(count.unsigned_abs() as usize).await,
            FetchDirection::BackwardAll => self.backward(usize::MAX),
            FetchDirection::Absolute(target) => {
                let target = if target >= 0 {
                    target as usize
                } else {
                    self.fill(usize::MAX).await?;
                    (self.rows.len() + 1).saturating_sub(target.unsigned_abs() as usize)
                };
                self.jump(target).await
            }
            FetchDirection::Relative(by) => {
                let target = self.position as i64 + by;
                self.jump(usize::try_from(target).unwrap_or(0)).await
            }
        }
    }

    async fn forward(&mut self, count: usize) -> Result<Vec<Row>> {
        if count == 0 {
            return self.jump(self.position).await;
        }
        let from = self.position.min(self.rows.len());
        self.fill(from.saturating_add(count)).await?;
        let to = from.saturating_add(count).min(self.rows.len());
        self.position = if to - from < count { self.rows.len() + 1 } else { to };
        Ok(self.rows[from..to].to_vec())
    }

    fn backward(&mut self, count: usize) -> Result<Vec<Row>> {
        self.require_scroll()?;
        let end = self.position.saturating_sub(1);
        let start = end.saturating_sub(count);
        self.position = if end - start < count { 0 } else { start + 1 };
        Ok(self.rows[start..end].iter().rev().cloned().collect())
    }

    async fn jump(&mut self, target: usize) -> Result<Vec<Row>> {
        if target < self.position {
            self.require_scroll()?;
        }
        self.fill(target).await?;
        self.position = target.min(self.rows.len() + 1);
        let row = self.position.checked_sub(1).and_then(|index| self.rows.get(index));
        Ok(row.cloned().into_iter().collect())
    }

    fn require_scroll(&self) -> Result<()> {
        if self.scroll {
            return Ok(());
        }
        Err(Error::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, "cursor can only scan forward")
            .with_hint("Declare it with SCROLL option to enable backward scan."))
    }
}

impl Session {
    /// The columns of a cursor that DECLARE made: the protocol describes it as a portal.
    pub fn cursor_fields(&self, name: &str) -> Option<Arc<[OutputField]>> {
        self.cursors.get(name).map(|cursor| Arc::clone(&cursor.fields))
    }
}

/// DECLARE … CURSOR FOR.
pub(crate) async fn declare(
    session: &mut Session,
    parsed: &Parsed,
    declare: &DeclareCursor,
) -> Result<CommandTag> {
    if !declare.hold {
        require_block(session, "DECLARE CURSOR")?;
    }
    let name = declare.name.as_str();
    if session.cursors.contains_key(name) {
        return Err(Error::new(
            SqlState::DUPLICATE_CURSOR,
            format!("cursor \"{name}\" already exists"),
        )
        .at(declare.name.span.position()));
    }
    let Cursor { fields, source, .. } =
        query::run_query(session, parsed, &declare.query, false).await?;
    let mut cursor = DeclaredCursor {
        fields,
        source: Some(source),
        rows: Vec::new(),
        position: 0,
        scroll: declare.scroll != Some(false),
        hold: declare.hold,
    };
    if declare.hold {
        cursor.fill(usize::MAX).await?;
        session.ensure_transaction().has_held_cursor = true;
    }
    session.cursors.insert(name.to_owned(), cursor);
    Ok(CommandTag::plain("DECLARE CURSOR"))
}

/// FETCH and MOVE.
pub(crate) async fn fetch(session: &mut Session, fetch: &Fetch, commits: bool) -> Result<Outcome> {
    let name = fetch.cursor.as_str();
    let cursor = session.cursors.get_mut(name).ok_or_else(|| unknown(name))?;
    let rows = cursor.fetch(fetch.direction).await?;
    if fetch.moves {
        return Ok(Outcome::Done(CommandTag::counted("MOVE", rows.len() as u64)));
    }
    let fields = Arc::clone(&cursor.fields);
    Ok(Outcome::Rows(Cursor::of_rows("FETCH", fields, rows, commits)))
}

/// CLOSE.
pub(crate) fn close(session: &mut Session, close: &CloseCursor) -> Result<CommandTag> {
    match &close.name {
        None => {
            session.cursors.clear();
            Ok(CommandTag::plain("CLOSE CURSOR ALL"))
        }
        Some(name) => {
            session.cursors.remove(name.as_str()).ok_or_else(|| unknown(name.as_str()))?;
            Ok(CommandTag::plain("CLOSE CURSOR"))
        }
    }
}

fn unknown(name: &str) -> Error {
    Error::new(SqlState::INVALID_CURSOR_NAME, format!("cursor \"{name}\" does not exist"))
}
