//! FOR UPDATE and its kin: tables are read with their row ids, which a node above locks.

use std::sync::Arc;

use datafusion::{
    common::DFSchema,
    logical_expr::{Expr, LogicalPlan},
};
use oxi_base::{Error, Result, SqlState};

use crate::{
    ast::{self, Query, Select},
    bind::{Binder, scope::Scope},
    function::error::from_datafusion,
    plan::{LockStrength, LockWait, LockedTable, RowLockNode, modify::ROW_ID},
};

impl Binder<'_> {
    /// FROM of a locking query: plain tables, the named ones with row ids.
    pub(crate) fn locked_from<'p>(
        &mut self,
        select: &Select,
        query: &Query,
        parent: &'p Scope<'p>,
    ) -> Result<(LogicalPlan, Scope<'p>)> {
        let Some(locking) = query.locking.first() else {
            return self.from(&select.from, parent);
        };
        let position = locking.span.position();
        if select.group_by.is_some() || select.having.is_some() {
            return Err(
                Error::unsupported("FOR UPDATE is not allowed with GROUP BY clause").at(position)
            );
        }
        let outer = self.locking.replace(Vec::new());
        let result = self.from(&select.from, parent);
        let tables = std::mem::replace(&mut self.locking, outer).unwrap_or_default();
        let (plan, scope) = result?;
        for name in query.locking.iter().flat_map(|locking| &locking.of) {
            if !scope.relations.iter().any(|relation| relation.alias == name.last()) {
                return Err(Error::new(
                    SqlState::UNDEFINED_TABLE,
                    format!(
                        "relation \"{}\" in FOR UPDATE clause not found in FROM clause",
                        name.last()
                    ),
                )
                .at(name.span.position()));
            }
        }
        let named = |alias: &str| {
            query
                .locking
                .iter()
                .any(|l| l.of.is_empty() || l.of.iter().any(|name| name.last() == alias))
        };
        let kept = tables.into_iter().filter(|table| named(&table.alias)).collect::<Vec<_>>();
        self.locked = kept;
        Ok((plan, scope))
    }

    /// The row id columns that must ride along to the top.
    pub(crate) fn lock_columns(&self, plan: &LogicalPlan, query: &Query) -> Vec<Expr> {
        if query.locking.is_empty() {
            return Vec::new();
        }
        self.locked
            .iter()
            .enumerate()
            .filter(|(_, table)| plan.schema().has_column(&table.column))
            .map(|(index, table)| {
                Expr::Column(table.column.clone()).alias(format!("{ROW_ID}_{index}"))
            })
            .collect()
    }

    /// The node that locks the rows.
    pub(crate) fn lock_rows(&mut self, plan: LogicalPlan, query: &Query) -> Result<LogicalPlan> {
        let strength = query.locking.iter().map(|locking| locking.strength).max();
        let strength = match strength {
            Some(ast::LockStrength::KeyShare) => LockStrength::KeyShare,
            Some(ast::LockStrength::Share) => LockStrength::Share,
            Some(ast::LockStrength::NoKeyUpdate) => LockStrength::NoKeyUpdate,
            _ => LockStrength::Update,
        };
        let has = |wait| query.locking.iter().any(|locking| locking.wait == wait);
        let wait = if has(ast::LockWait::NoWait) {
            LockWait::NoWait
        } else if has(ast::LockWait::SkipLocked) {
            LockWait::SkipLocked
        } else {
            LockWait::Block
        };
        let tables = std::mem::take(&mut self.locked);
        let count = plan.schema().fields().len() - tables.len();
        let fields = plan
            .schema()
            .iter()
            .take(count)
            .map(|(qualifier, field)| (qualifier.cloned(), Arc::clone(field)))
            .collect();
        let schema = DFSchema::new_with_metadata(fields, std::collections::HashMap::default())
            .map_err(from_datafusion)?;
        Ok(RowLockNode {
            input: Arc::new(plan),
            tables: tables.into_iter().map(|table| table.table).collect(),
            strength,
            wait,
            schema: Arc::new(schema),
        }
        .into_plan())
    }
}

/// A table read with its row ids.
#[derive(Clone, Debug)]
pub(crate) struct LockCandidate {
    pub(crate) alias: String,
    pub(crate) column: datafusion::common::Column,
    pub(crate) table: LockedTable,
}
