//! The actions of foreign keys on referencing rows: CASCADE, SET NULL, SET DEFAULT.

use std::sync::Arc;

use oxi_base::{Error, Result};
use oxi_model::{
    Datum, Row,
    descriptor::ReferentialAction,
    engine::{WriteOutcome, WriteTarget},
};

use crate::{
    context::StatementContext,
    dml::{
        foreign_key::{Child, Queue, convert, refers_now},
        target::{IncomingKey, Target},
        violation,
    },
    row::Scope,
};

/// What happened to a referenced row.
pub(crate) struct Change<'a> {
    /// The referenced table.
    pub(crate) target: &'a Target,
    /// The foreign key.
    pub(crate) key: &'a IncomingKey,
    /// The key before.
    pub(crate) old: &'a [Datum],
    /// The key after, unless the row was deleted.
    pub(crate) new: Option<&'a [Datum]>,
}

/// Does to one referencing row what the foreign key says.
pub(crate) async fn apply(
    queue: &mut Queue,
    statement: &StatementContext,
    child_target: &Arc<Target>,
    child: &Child,
    change: &Change<'_>,
    rule: ReferentialAction,
) -> Result<()> {
    let mut values = child.values.clone();
    let mut version = WriteTarget::Snapshot;
    loop {
        let outcome = if rule == ReferentialAction::Cascade && change.new.is_none() {
            let snapshot = child.snapshot.as_ref();
            statement.txn.delete(snapshot, change.key.child_table, child.row, version)?
        } else {
            let (row, changes) = changed(statement, child_target, &values, change, rule)?;
            let outcome = statement.txn.update(
                child.snapshot.as_ref(),
                change.key.child_table,
                child.row,
                version,
                &changes,
            )?;
            if let WriteOutcome::Done = outcome {
                return queue.updated(statement.txn.as_ref(), child_target, &values, &row);
            }
            if let WriteOutcome::Duplicate(duplicate) = outcome {
                return Err(match child_target.unique_key(duplicate.index) {
                    Some(key) => violation::unique(&statement.eval, child_target, key, &row),
                    None => Error::bug("a unique index that is not there"),
                });
            }
            outcome
        };
        match outcome {
            WriteOutcome::Done => {
                queue.deleted(child_target, &values);
                return Ok(());
            }
            WriteOutcome::Wait(wait) => statement.wait(wait).await?,
            WriteOutcome::Gone => return Ok(()),
            WriteOutcome::Duplicate(_) => return Err(Error::bug("a deletion that conflicts")),
            WriteOutcome::Changed => {
                let newest =
                    refers_now(statement, change.target, change.key, child.row, change.old)?;
                let Some(newest) = newest else { return Ok(()) };
                values = newest;
                version = WriteTarget::Newest;
            }
        }
    }
}

fn changed(
    statement: &StatementContext,
    child: &Target,
    values: &[Datum],
    change: &Change<'_>,
    rule: ReferentialAction,
) -> Result<(Row, Vec<(usize, Datum)>)> {
    let eval = &statement.eval;
    let rules = statement.rules.rules(statement, &child.relation)?;
    let mut row = values.to_vec();
    let mut changes = Vec::new();
    for (place, column) in change.key.child_columns.iter().enumerate() {
        let value = match (rule, change.new) {
            (ReferentialAction::Cascade, Some(new)) => {
                let from = change.target.columns().get(change.key.columns[place]);
                let to = child.columns().get(*column);
                match (from, to) {
                    (Some(from), Some(to)) => {
                        convert(eval, from.data_type, to.data_type, &new[place])?
                            .ok_or_else(|| out_of_range(&to.name))?
                    }
                    _ => return Err(Error::bug("foreign key column that is not there")),
                }
            }
            (ReferentialAction::SetDefault, _) => match rules.defaults.get(*column) {
                Some(Some(default)) => default.eval(eval, Scope::of(&[], &[]))?.into_owned(),
                _ => Datum::Null,
            },
            _ => Datum::Null,
        };
        row[*column] = value.clone();
        changes.push((*column, value));
    }
    for (column, expression) in &rules.generated {
        let value = expression.eval(eval, Scope::of(&row, &[]))?.into_owned();
        row[*column] = value.clone();
        changes.push((*column, value));
    }
    rules.check(eval, child, &row, &[])?;
    Ok((row, changes))
}

fn out_of_range(column: &str) -> Error {
    Error::new(
        oxi_base::SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
        format!("the referenced value is out of range for column \"{column}\""),
    )
}
