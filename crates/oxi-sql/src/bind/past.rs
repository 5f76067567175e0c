//! AS OF: tables as they were, each at a moment that is an expression of the statement.

use std::sync::Arc;

use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder};
use oxi_base::{Error, Result, SqlState};
use oxi_model::descriptor::{RelationDescriptor, TypeRef};
use oxi_types::{
    builtin::{CastContext, Volatility},
    oid,
};

use crate::{
    ast::{AsOf, MomentKind, ObjectName, TableAlias},
    bind::{Binder, expr::Cx, from::FromItem, modify::has_subquery, scope::Scope, typed::Typed},
    function::error::from_datafusion,
};

/// The moments as of which a statement reads tables, in the order of their numbers.
#[derive(Clone, Debug, Default)]
pub struct Moments {
    /// How each is given.
    pub kinds: Vec<MomentKind>,
    /// Yields one row with a column for each: `timestamptz` or `int8`. Parameters are
    /// placeholders in it.
    pub plan: Option<LogicalPlan>,
}

impl Binder<'_> {
    /// Binds a moment; its number.
    pub(crate) fn moment(&mut self, as_of: &AsOf) -> Result<usize> {
        let position = as_of.expr.span.position();
        let scope = Scope::default();
        let mut cx = Cx::plain(&scope, "AS OF");
        let value = self.expr(&as_of.expr, &mut cx)?;
        let wanted = match as_of.kind {
            MomentKind::Timestamp => oid::TIMESTAMPTZ,
            MomentKind::Transaction => oid::INT8,
        };
        let value = self.coerce(value, TypeRef::plain(wanted), CastContext::Assignment)?;
        if has_subquery(&value.expr) {
            return Err(Error::unsupported("cannot use subquery in AS OF").at(position));
        }
        // What is read then may be different now although the text is the same.
        self.note_volatility(Volatility::Stable);
        let known = self.moments.iter().position(|(kind, known)| {
            *kind == as_of.kind && known.expr == value.expr && !is_volatile(known)
        });
        Ok(known.unwrap_or_else(|| {
            self.moments.push((as_of.kind, value));
            self.moments.len() - 1
        }))
    }

    /// The moments of a whole statement.
    pub(crate) fn finish_moments(&mut self) -> Result<Moments> {
        let bound = std::mem::take(&mut self.moments);
        if bound.is_empty() {
            return Ok(Moments::default());
        }
        let kinds = bound.iter().map(|(kind, _)| *kind).collect();
        let columns = bound
            .into_iter()
            .enumerate()
            .map(|(number, (_, value))| value.expr.alias(format!("moment_{number}")));
        let plan = LogicalPlanBuilder::empty(true)
            .project(columns.collect::<Vec<_>>())
            .and_then(LogicalPlanBuilder::build)
            .map_err(from_datafusion)?;
        Ok(Moments { kinds, plan: Some(plan) })
    }

    /// A table as it was.
    pub(crate) fn past_item(
        &mut self,
        relation: &Arc<RelationDescriptor>,
        name: &ObjectName,
        alias: Option<&TableAlias>,
    ) -> Result<FromItem> {
        let Some(moment) = self.past else { return Err(Error::bug("no moment to read as of")) };
        if self.locking.is_some() && self.view_depth == 0 {
            return Err(Error::unsupported("rows read AS OF an earlier moment cannot be locked")
                .at(name.span.position()));
        }
        let source = self.context.relations.table_as_of(relation, moment)?;
        self.source_item(relation, source, alias)
    }

    /// Refuses what has no history.
    pub(crate) fn refuse_past(&self, name: &ObjectName) -> Result<()> {
        if self.past.is_none() {
            return Ok(());
        }
        Err(Error::new(
            SqlState::WRONG_OBJECT_TYPE,
            format!("\"{}\" cannot be read AS OF an earlier moment", name.last()),
        )
        .with_detail("Only tables keep older versions of their rows.")
        .at(name.span.position()))
    }

    /// Refuses AS OF after the name of a query of WITH.
    pub(crate) fn refuse_past_cte(&self, name: &ObjectName) -> Result<()> {
        if let [only] = name.parts.as_slice()
            && self.ctes.iter().any(|cte| cte.name == only.value)
        {
            return Err(Error::new(
                SqlState::WRONG_OBJECT_TYPE,
                format!("WITH query \"{}\" cannot be read AS OF an earlier moment", only.value),
            )
            .with_hint("Write AS OF after the tables within the query.")
            .at(name.span.position()));
        }
        Ok(())
    }
}

fn is_volatile(value: &Typed) -> bool {
    value.expr.is_volatile()
}
