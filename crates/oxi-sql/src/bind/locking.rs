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
        if select.group_by.is_some() || select.having.is_some() {
            return Err(Error::unsupported(format!(
                "{} is not allowed with GROUP BY clause",
                clause(locking.strength)
            ))
            .at(locking.span.position()));
        }
        let outer = self.locking.replace(Vec::new());
        let result = self.from(&select.from, parent);
        let tables = std::mem::replace(&mut self.locking, outer).unwrap_or_default();
        let (plan, scope) = result?;
        for locking in &query.locking {
            for name in &locking.of {
                if !scope.relations.iter().any(|relation| relation.alias == name.last()) {
                    return Err(Error::new(
                        SqlState::UNDEFINED_TABLE,
                        format!(
                            "relation \"{}\" in {} clause not found in FROM clause",
                            name.last(),
                            clause(locking.strength)
                        ),
                    )
                    .at(name.span.position()));
                }
            }
        }
        self.locked = tables.into_iter().filter_map(|table| table.locked_by(query)).collect();
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
    pub(crate) fn lock_rows(&mut self, plan: LogicalPlan) -> Result<LogicalPlan> {
        let tables = std::mem::take(&mut self.locked);
        self.row_locked.extend(tables.iter().map(|table| table.table.relation));
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

impl LockCandidate {
    /// The table with what the clauses that name it (or all tables) want; `None` if none does.
    fn locked_by(mut self, query: &Query) -> Option<Self> {
        let names = |locking: &&ast::Locking| {
            locking.of.is_empty() || locking.of.iter().any(|name| name.last() == self.alias)
        };
        let clauses: Vec<&ast::Locking> = query.locking.iter().filter(names).collect();
        self.table.strength = match clauses.iter().map(|locking| locking.strength).max()? {
            ast::LockStrength::KeyShare => LockStrength::KeyShare,
            ast::LockStrength::Share => LockStrength::Share,
            ast::LockStrength::NoKeyUpdate => LockStrength::NoKeyUpdate,
            ast::LockStrength::Update => LockStrength::Update,
        };
        let has = |wait| clauses.iter().any(|locking| locking.wait == wait);
        self.table.wait = if has(ast::LockWait::NoWait) {
            LockWait::NoWait
        } else if has(ast::LockWait::SkipLocked) {
            LockWait::SkipLocked
        } else {
            LockWait::Block
        };
        Some(self)
    }
}

/// The clause as it is written, for messages.
pub(crate) fn clause(strength: ast::LockStrength) -> &'static str {
    match strength {
        ast::LockStrength::KeyShare => "FOR KEY SHARE",
        ast::LockStrength::Share => "FOR SHARE",
        ast::LockStrength::NoKeyUpdate => "FOR NO KEY UPDATE",
        ast::LockStrength::Update => "FOR UPDATE",
    }
}
