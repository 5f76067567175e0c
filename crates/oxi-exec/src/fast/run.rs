//! Running a [`FastPlan`].

use oxi_base::{Error, Result, RowId};
use oxi_model::{
    Datum, PhysicalType, Row,
    engine::{Engine, KeyAccess, RowVisitor, Snapshot, WriteOutcome, WriteTarget},
};
use oxi_types::EvalContext;
use smallvec::SmallVec;

use crate::{
    context::StatementContext,
    dml::{
        apply::{RowAction, RowSink},
        row_lock::{self, Locks},
        writer::Writer,
    },
    fast::{FastPlan, Kind, Lookup, Output},
    row::{RowExpr, Scope, into_physical},
};

impl FastPlan {
    /// Runs the statement; the number of rows found or affected.
    ///
    /// # Errors
    /// As the general route.
    pub async fn run(
        &self,
        statement: &StatementContext,
        params: &[Datum],
        sink: &mut (dyn RowSink + Send),
    ) -> Result<u64> {
        match &self.kind {
            Kind::Select { .. } | Kind::Constant { .. } => {
                self.read(&statement.eval, statement.snapshot.as_ref(), params, sink)
            }
            Kind::Insert { rows, plan } => {
                let eval = &statement.eval;
                let mut writer = Writer::new(statement, &plan.target);
                for exprs in rows {
                    let mut row = Row::with_capacity(exprs.len());
                    for (expr, column) in exprs.iter().zip(plan.target.columns()) {
                        let value = expr.eval(eval, Scope::of(&[], params))?.into_owned();
                        row.push(into_physical(value, &column.physical)?);
                    }
                    plan.insert(&mut writer, &row, params, sink).await?;
                }
                writer.finish().await
            }
            Kind::Lock { lookup, output, recheck, locks } => {
                let mut found: Vec<(RowId, Row)> = Vec::new();
                let snapshot = statement.snapshot.as_ref();
                lookup.visit(&statement.eval, snapshot, params, &mut |row, values| {
                    found.push((row, std::mem::take(values)));
                    Ok(true)
                })?;
                let mut count = 0;
                let mut out = Row::with_capacity(output.len());
                for (row, values) in found {
                    let locked =
                        lookup.lock(statement, locks, row, values, recheck, params).await?;
                    if let Some(values) = locked {
                        let scope = Scope::of(&values, params);
                        give(output, &statement.eval, scope, &mut out, sink)?;
                        count += 1;
                    }
                }
                Ok(count)
            }
            Kind::Change { lookup, plan } => {
                let mut found: Vec<(RowId, Row)> = Vec::new();
                let snapshot = statement.snapshot.as_ref();
                lookup.visit(&statement.eval, snapshot, params, &mut |row, values| {
                    found.push((row, std::mem::take(values)));
                    Ok(true)
                })?;
                let mut writer = Writer::new(statement, &plan.target);
                for (row, mut values) in found {
                    if matches!(plan.action, RowAction::Update(..)) {
                        plan.update(&mut writer, row, &mut values, params, sink).await?;
                    } else {
                        plan.delete(&mut writer, row, &mut values, params, sink).await?;
                    }
                }
                writer.finish().await
            }
        }
    }

    /// Runs a query by key on what is committed now, without any transaction; the number of rows,
    /// or `None` if it must go through one.
    ///
    /// # Errors
    /// As the general route.
    pub fn read_committed(
        &self,
        engine: &dyn Engine,
        eval: &EvalContext,
        params: &[Datum],
        sink: &mut (dyn RowSink + Send),
    ) -> Result<Option<u64>> {
        let Kind::Select { lookup, output, limit } = &self.kind else { return Ok(None) };
        let Some(key) = lookup.key(eval, params)? else { return Ok(Some(0)) };
        if *limit == 0 {
            return Ok(Some(0));
        }
        let Some(access) = lookup.access(engine) else { return Ok(None) };
        let mut giver = Giver { output, limit: *limit, count: 0, eval, params, sink };
        let done = engine.read_key(access, &key, &mut |_, row| {
            if lookup.holds(eval, params, row)? { giver.give(row) } else { Ok(true) }
        })?;
        Ok(done.then_some(giver.count))
    }

    /// Runs a statement that only reads, without any asynchrony.
    ///
    /// # Errors
    /// As the general route; a defect if the statement writes.
    pub fn read(
        &self,
        eval: &EvalContext,
        snapshot: &dyn Snapshot,
        params: &[Datum],
        sink: &mut (dyn RowSink + Send),
    ) -> Result<u64> {
        match &self.kind {
            Kind::Select { lookup, output, limit } => {
                let mut giver = Giver { output, limit: *limit, count: 0, eval, params, sink };
                if *limit > 0 {
                    lookup.visit(eval, snapshot, params, &mut |_, row| giver.give(row))?;
                }
                Ok(giver.count)
            }
            Kind::Constant { output } => {
                give(output, eval, Scope::of(&[], params), &mut Row::new(), sink)?;
                Ok(1)
            }
            Kind::Insert { .. } | Kind::Change { .. } | Kind::Lock { .. } => {
                Err(Error::bug("a change run as a query"))
            }
        }
    }
}

/// Hands the rows of a query on.
struct Giver<'a> {
    output: &'a Output,
    limit: usize,
    count: u64,
    eval: &'a EvalContext,
    params: &'a [Datum],
    sink: &'a mut (dyn RowSink + Send),
}

impl Giver<'_> {
    /// Takes a row that was read; false if it was the last one wanted.
    fn give(&mut self, row: &mut Row) -> Result<bool> {
        match self.output {
            Output::AsRead => self.sink.row(row)?,
            Output::Computed(output) => {
                let mut values = Row::with_capacity(output.len());
                give(output, self.eval, Scope::of(row, self.params), &mut values, self.sink)?;
            }
        }
        self.count += 1;
        Ok(self.count < self.limit as u64)
    }
}

fn give(
    output: &[RowExpr],
    eval: &EvalContext,
    scope: Scope<'_>,
    values: &mut Row,
    sink: &mut (dyn RowSink + Send),
) -> Result<()> {
    values.clear();
    for expr in output {
        values.push(expr.eval(eval, scope)?.into_owned());
    }
    sink.row(values)
}

impl Lookup {
    /// Locks a row; its values as locked, or `None` if it is to be left out.
    async fn lock(
        &self,
        statement: &StatementContext,
        locks: &Locks,
        row: RowId,
        values: Row,
        recheck: &[RowExpr],
        params: &[Datum],
    ) -> Result<Option<Row>> {
        let Some(table) = locks.tables.first() else { return Ok(Some(values)) };
        let mut version = WriteTarget::Snapshot;
        loop {
            let outcome = statement.txn.lock_row(
                statement.snapshot.as_ref(),
                self.table,
                row,
                version,
                row_lock::row_lock(table),
            )?;
            match outcome {
                WriteOutcome::Done if version == WriteTarget::Snapshot => return Ok(Some(values)),
                WriteOutcome::Done => {
                    let Some(newest) = statement.txn.newest(self.table, row)? else {
                        return Ok(None);
                    };
                    for condition in recheck {
                        if !condition.holds(&statement.eval, Scope::of(&newest, params))? {
                            return Ok(None);
                        }
                    }
                    return Ok(Some(newest));
                }
                WriteOutcome::Gone => return Ok(None),
                WriteOutcome::Changed => version = WriteTarget::Newest,
                WriteOutcome::Duplicate(_) => return Err(Error::bug("a lock that conflicts")),
                WriteOutcome::Wait(wait) => {
                    if !row_lock::wait_for(statement, table, wait).await? {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// The way to the rows, found once.
    fn access(&self, engine: &dyn Engine) -> Option<&KeyAccess> {
        if self.access.get().is_none() {
            let found = engine.key_access(self.index, &self.columns, &self.ids)?;
            // Another session may have been faster.
            let _ = self.access.set(found);
        }
        self.access.get()
    }

    /// The values of the key; `None` if nothing can equal it.
    fn key(&self, eval: &EvalContext, params: &[Datum]) -> Result<Option<SmallVec<[Datum; 4]>>> {
        let mut key = SmallVec::new();
        for part in &self.key {
            let value = part.value.eval(eval, Scope::of(&[], params))?.into_owned();
            let value = match &part.narrow {
                None => Some(value),
                Some(physical) => narrow(value, physical),
            };
            match value {
                None | Some(Datum::Null) => return Ok(None),
                Some(value) => key.push(value),
            }
        }
        Ok(Some(key))
    }

    /// Whether a row meets the conditions beside the key.
    fn holds(&self, eval: &EvalContext, params: &[Datum], row: &[Datum]) -> Result<bool> {
        for condition in &self.residual {
            if !condition.holds(eval, Scope::of(row, params))? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn visit(
        &self,
        eval: &EvalContext,
        snapshot: &dyn Snapshot,
        params: &[Datum],
        visit: &mut RowVisitor<'_>,
    ) -> Result<()> {
        let Some(key) = self.key(eval, params)? else { return Ok(()) };
        snapshot.index_get(self.index, &key, &self.columns, &mut |row, values| {
            if self.holds(eval, params, values)? { visit(row, values) } else { Ok(true) }
        })
    }
}

fn narrow(value: Datum, physical: &PhysicalType) -> Option<Datum> {
    let wide = match value {
        Datum::Int16(value) => i64::from(value),
        Datum::Int32(value) => i64::from(value),
        Datum::Int64(value) => value,
        other => return Some(other),
    };
    match physical {
        PhysicalType::Int16 => i16::try_from(wide).ok().map(Datum::Int16),
        PhysicalType::Int32 => i32::try_from(wide).ok().map(Datum::Int32),
        _ => Some(Datum::Int64(wide)),
    }
}
