//! What a modification does to one row: computed, checked, written, re-evaluated if another
//! transaction was faster, and handed to RETURNING.

use std::sync::Arc;

use datafusion::logical_expr::{Expr, execution_props::ExecutionProps};
use oxi_base::{Error, IndexId, Result, RowId};
use oxi_catalog::Catalog;
use oxi_model::{
    Datum, Row,
    engine::{RowLock, WriteTarget},
};
use oxi_sql::plan::{Action, Assignment, ConflictAction, ModifyNode};

use crate::{
    dml::{
        modify::Reader,
        recheck::Recheck,
        rules::{Assignments, Rules},
        target::Target,
        violation,
        writer::{Inserted, Writer, Written},
    },
    row::{Compiler, RowExpr, Scope},
};

/// Takes result rows.
pub trait RowSink {
    /// Takes one row, whose values it may keep.
    ///
    /// # Errors
    /// Whatever the taker reports; it ends the statement.
    fn row(&mut self, values: &mut Row) -> Result<()>;
}

/// A compiled [`ModifyNode`], without its input.
#[derive(Debug)]
pub struct RowPlan {
    /// The table written.
    pub target: Arc<Target>,
    /// Its checks.
    pub rules: Rules,
    /// What happens to each row.
    pub action: RowAction,
    /// RETURNING.
    pub returning: Option<Vec<RowExpr>>,
    /// For rows that others have changed, where conditions or new values have subqueries.
    pub again: Option<Recheck>,
}

/// What happens to each row.
#[derive(Debug)]
pub enum RowAction {
    /// It is inserted.
    Insert(Option<Conflict>),
    /// Its columns change; with what must still hold of a newer version.
    Update(Assignments, Option<RowExpr>),
    /// It is deleted; with what must still hold of a newer version.
    Delete(Option<RowExpr>),
}

/// ON CONFLICT.
#[derive(Debug)]
pub struct Conflict {
    /// The indexes that count; none means all.
    pub arbiters: Vec<IndexId>,
    /// DO UPDATE with its WHERE; otherwise DO NOTHING.
    pub update: Option<(Assignments, Option<RowExpr>)>,
}

impl RowPlan {
    /// Compiles the node's row expressions. With `props` every expression can be compiled; without,
    /// `None` says that some need the query engine.
    pub fn compile(
        node: &ModifyNode,
        catalog: &Catalog,
        props: Option<&ExecutionProps>,
    ) -> Result<Option<RowPlan>> {
        let over_row = Compiler { schema: &node.row_schema, offset: 0, props };
        let over_conflict = Compiler { schema: &node.conflict_schema, offset: 0, props };
        let over_input = Compiler { schema: node.input.schema(), offset: 1, props };
        let mut checks = Vec::new();
        for check in &node.checks {
            let Some(expression) = over_row.compile(&check.expression)? else { return Ok(None) };
            checks.push((check.name.clone(), expression));
        }
        // PostgreSQL reports the first violated constraint in the order of names.
        checks.sort_by(|left, right| left.0.cmp(&right.0));
        let action = match &node.action {
            Action::Insert { on_conflict: None } => Some(RowAction::Insert(None)),
            Action::Insert { on_conflict: Some(conflict) } => {
                let update = match &conflict.action {
                    ConflictAction::Nothing => Some(None),
                    ConflictAction::Update { set, generated, predicate } => {
                        let set = assignments(&over_conflict, &over_row, set, generated)?;
                        let predicate = optional(&over_conflict, predicate.as_ref())?;
                        set.zip(predicate).map(Some)
                    }
                };
                let arbiters = conflict.arbiters.clone();
                update.map(|update| RowAction::Insert(Some(Conflict { arbiters, update })))
            }
            Action::Update { set, generated, predicate } => {
                let set = assignments(&over_input, &over_row, set, generated)?;
                let predicate = optional(&over_input, predicate.as_ref())?;
                set.zip(predicate).map(|(set, predicate)| RowAction::Update(set, predicate))
            }
            Action::Delete { predicate } => {
                optional(&over_input, predicate.as_ref())?.map(RowAction::Delete)
            }
        };
        let Some(action) = action else { return Ok(None) };
        let returning = match &node.returning {
            None => None,
            Some(list) => {
                let over = match &node.action {
                    Action::Insert { .. } => &over_row,
                    _ => &over_input,
                };
                let compiled: Option<Vec<_>> =
                    list.iter().map(|expr| over.compile(expr)).collect::<Result<_>>()?;
                let Some(compiled) = compiled else { return Ok(None) };
                Some(compiled)
            }
        };
        Ok(Some(RowPlan {
            target: Arc::new(Target::new(catalog, &node.table)?),
            rules: Rules { checks, ..Rules::default() },
            action,
            returning,
            again: None,
        }))
    }

    /// Inserts one row, or does what ON CONFLICT says.
    pub async fn insert(
        &self,
        writer: &mut Writer<'_>,
        row: &[Datum],
        params: &[Datum],
        sink: &mut (dyn RowSink + Send),
    ) -> Result<()> {
        let RowAction::Insert(conflict) = &self.action else {
            return Err(Error::bug("an insertion by another action"));
        };
        self.rules.check(&writer.statement.eval, &self.target, row, params)?;
        let Some(conflict) = conflict else {
            writer.insert(row).await?;
            return self.give(writer, row, params, sink);
        };
        if let Some((_, key)) = self
            .target
            .deferrable()
            .find(|(_, key)| conflict.arbiters.is_empty() || conflict.arbiters.contains(&key.index))
        {
            return Err(violation::deferrable_arbiter(&self.target, key));
        }
        loop {
            let found = match writer.insert_unless(row, &conflict.arbiters).await? {
                Inserted::New(id) => {
                    writer.count += 1;
                    writer.touched.insert(id.0);
                    return self.give(writer, row, params, sink);
                }
                Inserted::Conflict(found) => found,
            };
            let Some((assignments, predicate)) = &conflict.update else {
                if !writer.touched.contains(&found.row.0) {
                    writer.require_visible(found.row)?;
                }
                return Ok(());
            };
            if writer.touched.contains(&found.row.0) {
                return Err(violation::second_time(&self.target.relation));
            }
            writer.require_visible(found.row)?;
            let lock = assignments.row_lock(&self.target);
            let Some(old) = writer.newest(found.row, lock).await? else { continue };
            if !self.same_key(found.index, &old, row) {
                continue;
            }
            let scope = Scope { row: &old, second: row, params };
            let eval = &writer.statement.eval;
            if let Some(predicate) = predicate
                && !predicate.holds(eval, scope)?
            {
                return Ok(());
            }
            let (new, changes) = assignments.apply(eval, &self.target, &old, scope)?;
            self.rules.check(eval, &self.target, &new, params)?;
            let written =
                writer.update(found.row, WriteTarget::Newest, &old, &new, &changes).await?;
            if written == Written::Done {
                writer.touched.insert(found.row.0);
                return self.give(writer, &new, params, sink);
            }
        }
    }

    fn same_key(&self, index: IndexId, old: &[Datum], new: &[Datum]) -> bool {
        self.target.unique_key(index).is_none_or(|key| {
            key.columns.iter().all(|column| {
                let oid = self.target.columns().get(*column).map_or(0, |found| found.data_type.oid);
                match (old.get(*column), new.get(*column)) {
                    (Some(Datum::Null), Some(Datum::Null)) => true,
                    (Some(old), Some(new)) => oxi_types::compare::compare(oid, old, new).is_eq(),
                    _ => false,
                }
            })
        })
    }

    /// Updates one row, unless it does not qualify any more (false). `input` holds the row as the
    /// snapshot sees it, followed by the values of other relations.
    pub async fn update(
        &self,
        writer: &mut Writer<'_>,
        id: RowId,
        input: &mut Row,
        params: &[Datum],
        sink: &mut (dyn RowSink + Send),
    ) -> Result<bool> {
        let RowAction::Update(assignments, predicate) = &self.action else {
            return Err(Error::bug("an update by another action"));
        };
        let width = self.target.columns().len();
        let mut version = WriteTarget::Snapshot;
        loop {
            let eval = &writer.statement.eval;
            let old = input.get(..width).ok_or_else(|| Error::bug("a short row"))?;
            let (new, changes) =
                assignments.apply(eval, &self.target, old, Scope::of(input, params))?;
            self.rules.check(eval, &self.target, &new, params)?;
            match writer.update(id, version, old, &new, &changes).await? {
                Written::Done => {
                    if self.returning.is_some() {
                        input.splice(..width, new);
                        self.give(writer, input, params, sink)?;
                    }
                    return Ok(true);
                }
                Written::Gone => return Ok(true),
                Written::Changed => {
                    let lock = assignments.row_lock(&self.target);
                    let again = Reread { id, lock, predicate: predicate.as_ref() };
                    if !self.reread(writer, again, input, params).await? {
                        return Ok(false);
                    }
                    version = WriteTarget::Newest;
                }
            }
        }
    }

    /// Deletes one row; input and result as for [`RowPlan::update`].
    pub async fn delete(
        &self,
        writer: &mut Writer<'_>,
        id: RowId,
        input: &mut Row,
        params: &[Datum],
        sink: &mut (dyn RowSink + Send),
    ) -> Result<bool> {
        let RowAction::Delete(predicate) = &self.action else {
            return Err(Error::bug("a deletion by another action"));
        };
        let width = self.target.columns().len();
        let mut version = WriteTarget::Snapshot;
        loop {
            let old = input.get(..width).ok_or_else(|| Error::bug("a short row"))?;
            match writer.delete(id, version, old).await? {
                Written::Done => {
                    self.give(writer, input, params, sink)?;
                    return Ok(true);
                }
                Written::Gone => return Ok(true),
                Written::Changed => {
                    let predicate = predicate.as_ref();
                    let again = Reread { id, lock: RowLock::Update, predicate };
                    if !self.reread(writer, again, input, params).await? {
                        return Ok(false);
                    }
                    version = WriteTarget::Newest;
                }
            }
        }
    }

    /// Locks the newest version of a row, puts it into `input` and tells whether it still
    /// qualifies.
    async fn reread(
        &self,
        writer: &mut Writer<'_>,
        again: Reread<'_>,
        input: &mut Row,
        params: &[Datum],
    ) -> Result<bool> {
        let Some(newest) = writer.newest(again.id, again.lock).await? else { return Ok(false) };
        input.splice(..newest.len(), newest);
        if let Some(query) = &self.again {
            // Boxed: planning and running a query is rare here and its future large.
            let Some(batch) = Box::pin(query.input(again.id, input)).await? else {
                return Ok(false);
            };
            *input = Reader::after_row_id(self, &batch)?.row(0)?;
            return Ok(true);
        }
        match again.predicate {
            Some(predicate) => predicate.holds(&writer.statement.eval, Scope::of(input, params)),
            None => Ok(true),
        }
    }

    /// Hands a row's RETURNING values on.
    pub fn give(
        &self,
        writer: &Writer<'_>,
        row: &[Datum],
        params: &[Datum],
        sink: &mut (dyn RowSink + Send),
    ) -> Result<()> {
        let Some(returning) = &self.returning else { return Ok(()) };
        let scope = Scope::of(row, params);
        let mut values = returning
            .iter()
            .map(|expr| Ok(expr.eval(&writer.statement.eval, scope)?.into_owned()))
            .collect::<Result<Row>>()?;
        sink.row(&mut values)
    }
}

/// A row that was changed since the snapshot, and what is still wanted of it.
struct Reread<'a> {
    id: RowId,
    lock: RowLock,
    predicate: Option<&'a RowExpr>,
}

#[allow(clippy::option_option, reason = "whether it compiles, of whether there is one")]
fn optional(compiler: &Compiler<'_>, expr: Option<&Expr>) -> Result<Option<Option<RowExpr>>> {
    match expr {
        None => Ok(Some(None)),
        Some(expr) => Ok(compiler.compile(expr)?.map(Some)),
    }
}

fn assignments(
    over_old: &Compiler<'_>,
    over_new: &Compiler<'_>,
    set: &[Assignment],
    generated: &[Assignment],
) -> Result<Option<Assignments>> {
    let compile = |compiler: &Compiler<'_>, list: &[Assignment]| {
        list.iter()
            .map(|one| Ok(compiler.compile(&one.value)?.map(|value| (one.column, value))))
            .collect::<Result<Option<Vec<_>>>>()
    };
    let set = compile(over_old, set)?;
    let generated = compile(over_new, generated)?;
    Ok(set.zip(generated).map(|(set, generated)| Assignments { set, generated }))
}
