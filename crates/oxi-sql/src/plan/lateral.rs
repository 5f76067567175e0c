//! The logical node of a join whose right side depends on the left row: run for each row.
//!
//! As with [`super::ApplyNode`], the right side is hidden from the optimizer, because the rows it
//! speaks of are no part of it; the executor plans it when the values of a row are known.

use std::{
    cmp::Ordering,
    collections::{BTreeSet, HashSet},
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
};

use datafusion::{
    common::{
        Column, DFSchemaRef, DataFusionError, JoinType, Result,
        tree_node::{Transformed, TreeNode},
    },
    logical_expr::{
        Expr, Extension, LogicalPlan, LogicalPlanBuilder, UserDefinedLogicalNodeCore,
        builder::build_join_schema, utils::conjunction,
    },
};

use super::{apply::bindings, bind_outer};

/// Each row of the input with each row that the subplan has for it.
#[derive(Clone, Debug)]
pub struct LateralNode {
    /// The left rows.
    pub input: Arc<LogicalPlan>,
    /// The right side: its outer references to columns of `input` are bound row by row.
    pub subplan: Arc<LogicalPlan>,
    /// LEFT JOIN: a row without partner is kept, with NULLs.
    pub outer: bool,
    /// The input's columns, then the subplan's.
    pub schema: DFSchemaRef,
}

impl LateralNode {
    /// Computes the schema.
    ///
    /// # Errors
    /// If both sides have a column of one name.
    pub fn new(input: LogicalPlan, subplan: Arc<LogicalPlan>, outer: bool) -> Result<Self> {
        let kind = if outer { JoinType::Left } else { JoinType::Inner };
        let schema = Arc::new(build_join_schema(input.schema(), subplan.schema(), &kind)?);
        Ok(LateralNode { input: Arc::new(input), subplan, outer, schema })
    }

    /// The plan of such a join. Of an outer join the condition chooses partners, so it becomes
    /// part of the right side.
    ///
    /// # Errors
    /// If building the plan fails.
    pub fn join(
        left: LogicalPlan,
        right: LogicalPlan,
        outer: bool,
        on: Option<Expr>,
    ) -> Result<LogicalPlan> {
        match on {
            Some(on) if outer => {
                let schema = Arc::clone(left.schema());
                let on = on
                    .transform_up(|expr| match expr {
                        Expr::Column(column) if schema.has_column(&column) => {
                            let (_, field) = schema.qualified_field_from_column(&column)?;
                            let field = Arc::clone(field);
                            Ok(Transformed::yes(Expr::OuterReferenceColumn(field, column)))
                        }
                        other => Ok(Transformed::no(other)),
                    })?
                    .data;
                let right = LogicalPlanBuilder::from(right).filter(on)?.build()?;
                Ok(LateralNode::new(left, Arc::new(right), true)?.into_plan())
            }
            on => {
                let plan = LateralNode::new(left, Arc::new(right), outer)?.into_plan();
                match on {
                    Some(on) => LogicalPlanBuilder::from(plan).filter(on)?.build(),
                    None => Ok(plan),
                }
            }
        }
    }

    /// The node as a plan.
    pub fn into_plan(self) -> LogicalPlan {
        LogicalPlan::Extension(Extension { node: Arc::new(self) })
    }

    /// The node if the plan is one.
    pub fn of(plan: &LogicalPlan) -> Option<&Self> {
        match plan {
            LogicalPlan::Extension(extension) => extension.node.as_any().downcast_ref::<Self>(),
            _ => None,
        }
    }

    /// The input's columns that the subplan refers to, with their positions.
    ///
    /// # Errors
    /// If walking the plan fails.
    pub fn bindings(&self) -> Result<Vec<(Column, usize)>> {
        bindings(&self.subplan, &self.input)
    }

    /// The right side for one row.
    ///
    /// # Errors
    /// If rewriting the plan fails.
    pub fn bound(
        &self,
        values: &[(Column, datafusion::common::ScalarValue)],
    ) -> Result<LogicalPlan> {
        bind_outer(self.subplan.as_ref().clone(), values)
    }
}

/// A lateral join that the query engine was to turn into a plain one, as our own node.
pub(crate) fn from_join(plan: LogicalPlan) -> Result<LogicalPlan> {
    let LogicalPlan::Join(join) = &plan else { return Ok(plan) };
    let outer = match join.join_type {
        JoinType::Inner => false,
        JoinType::Left => true,
        _ => return Ok(plan),
    };
    let right = match join.right.as_ref() {
        LogicalPlan::Subquery(inner) => inner.subquery.as_ref().clone(),
        LogicalPlan::SubqueryAlias(alias) => match alias.input.as_ref() {
            LogicalPlan::Subquery(inner) => {
                LogicalPlanBuilder::from(inner.subquery.as_ref().clone())
                    .alias(alias.alias.clone())?
                    .build()?
            }
            _ => return Ok(plan),
        },
        _ => return Ok(plan),
    };
    let keys = join.on.iter().map(|(left, right)| left.clone().eq(right.clone()));
    let on = conjunction(keys.chain(join.filter.clone()));
    LateralNode::join(join.left.as_ref().clone(), right, outer, on)
}

impl PartialEq for LateralNode {
    fn eq(&self, other: &Self) -> bool {
        self.outer == other.outer && self.input == other.input && self.subplan == other.subplan
    }
}

impl Eq for LateralNode {}

impl PartialOrd for LateralNode {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self == other).then_some(Ordering::Equal)
    }
}

impl Hash for LateralNode {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.outer.hash(state);
        self.input.hash(state);
        self.subplan.hash(state);
    }
}

impl UserDefinedLogicalNodeCore for LateralNode {
    fn name(&self) -> &'static str {
        "Lateral"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input]
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        Vec::new()
    }

    fn prevent_predicate_push_down_columns(&self) -> HashSet<String> {
        self.subplan.schema().fields().iter().map(|field| field.name().clone()).collect()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lateral: {}", if self.outer { "Left" } else { "Inner" })
    }

    fn with_exprs_and_inputs(&self, _exprs: Vec<Expr>, inputs: Vec<LogicalPlan>) -> Result<Self> {
        let [input] = <[LogicalPlan; 1]>::try_from(inputs)
            .map_err(|_| DataFusionError::Internal("Lateral has one input".to_owned()))?;
        LateralNode::new(input, Arc::clone(&self.subplan), self.outer)
    }

    fn necessary_children_exprs(&self, output_columns: &[usize]) -> Option<Vec<Vec<usize>>> {
        let width = self.input.schema().fields().len();
        let bound = self.bindings().ok()?.into_iter().map(|(_, index)| index);
        let shown = output_columns.iter().copied().filter(|index| *index < width);
        let needed = shown.chain(bound).collect::<BTreeSet<_>>();
        Some(vec![needed.into_iter().collect()])
    }
}
