//! Reading as of earlier moments: what the moments of a statement are, and what they see.

use std::sync::Arc;

use arrow_array::RecordBatch;
use oxi_base::{Error, Result, SqlState, TxnId};
use oxi_exec::context::StatementContext;
use oxi_model::{
    Datum, PhysicalType,
    array::datum_at,
    descriptor::TypeRef,
    engine::{Moment, Snapshot},
};
use oxi_sql::{
    ast::{MomentKind, NamedOption},
    plan,
};
use oxi_types::{EvalContext, io, oid};

use crate::{database::Shared, prepared::Plan};

/// A statement with what it sees at each moment as of which it reads tables.
pub(super) async fn look_back(
    shared: &Arc<Shared>,
    statement: Arc<StatementContext>,
    plan: &Plan,
    params: &[Datum],
    types: &[u32],
) -> Result<Arc<StatementContext>> {
    let wanted = plan.bound.moments();
    let Some(logical) = &wanted.plan else { return Ok(statement) };
    let logical = plan::substitute(logical.clone(), params, types)?;
    let mut rows = shared.executor.execute(&logical, Arc::clone(&statement)).await?;
    let mut values = Vec::new();
    while let Some(batch) = rows.next().await {
        values.extend(read(&batch?, &wanted.kinds)?);
    }
    let mut moments: Vec<Arc<dyn Snapshot>> = Vec::with_capacity(values.len());
    for (kind, value) in wanted.kinds.iter().zip(values) {
        let moment = moment_of(*kind, &value)?;
        let snapshot = statement.cancel.unless_cancelled(statement.txn.snapshot_at(moment));
        moments.push(snapshot.await??);
    }
    Ok(Arc::new(StatementContext { moments, ..statement.as_ref().clone() }))
}

/// The values of the one row.
fn read(batch: &RecordBatch, kinds: &[MomentKind]) -> Result<Vec<Datum>> {
    if batch.num_rows() == 0 {
        return Ok(Vec::new());
    }
    let physical = |kind: &MomentKind| match kind {
        MomentKind::Timestamp => PhysicalType::TimestampTz,
        MomentKind::Transaction => PhysicalType::Int64,
    };
    let columns = batch.columns().iter().zip(kinds);
    columns.map(|(column, kind)| datum_at(column.as_ref(), &physical(kind), 0)).collect()
}

/// The moment that a value names.
pub(super) fn moment_of(kind: MomentKind, value: &Datum) -> Result<Moment> {
    match (kind, value) {
        (_, Datum::Null) => Err(Error::new(
            SqlState::NULL_VALUE_NOT_ALLOWED,
            "the moment of AS OF must not be null",
        )),
        (MomentKind::Timestamp, Datum::Int64(micros)) => Ok(Moment::Time(*micros)),
        (MomentKind::Transaction, Datum::Int64(id)) => {
            let id = u64::try_from(*id).map_err(|_| {
                Error::new(SqlState::INVALID_PARAMETER_VALUE, format!("no transaction is {id}"))
            })?;
            Ok(Moment::Transaction(TxnId(id)))
        }
        (_, other) => Err(Error::bug(format!("{other:?} as a moment"))),
    }
}

/// The table option that says how long older versions stay readable.
pub(crate) const RETENTION: &str = "history_retention";

/// What `history_retention` among the options of a table says, in microseconds.
pub(crate) fn retention(eval: &EvalContext, options: &[NamedOption]) -> Result<Option<u64>> {
    let Some(option) = options.iter().rev().find(|option| option.name == RETENTION) else {
        return Ok(None);
    };
    let text = option.value.as_ref().and_then(|value| value.text()).unwrap_or_default();
    let invalid = || {
        Error::new(
            SqlState::INVALID_PARAMETER_VALUE,
            format!("invalid value for option \"{RETENTION}\": \"{text}\""),
        )
        .with_hint("It is an interval, such as '7 days'; 0 keeps nothing.")
        .at(option.span.position())
    };
    let Ok(Datum::Interval(interval)) = io::text_in(eval, TypeRef::plain(oid::INTERVAL), text)
    else {
        return Err(invalid());
    };
    interval_us(interval).map(Some).ok_or_else(invalid)
}

const DAY_US: i64 = 86_400_000_000;

/// An interval's length in microseconds, months counted as thirty days; `None` if it is negative
/// or out of range.
fn interval_us(interval: oxi_model::Interval) -> Option<u64> {
    let days = i64::from(interval.months) * 30 + i64::from(interval.days);
    let micros = days.checked_mul(DAY_US)?.checked_add(interval.micros)?;
    u64::try_from(micros).ok()
}
