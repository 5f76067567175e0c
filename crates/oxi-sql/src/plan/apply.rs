//! The logical node of a correlated subquery that no join expresses: run for each row.
//!
//! The query engine turns correlated subqueries into joins. Where it cannot, [`decorrelate`] puts
//! an [`ApplyNode`] below the expression, which adds the subquery's value to each row as a column.
//! The subquery's plan is hidden from the optimizer, because the outer rows it speaks of are no
//! part of it; the executor plans it when the values of a row are known.

use std::{
    cmp::Ordering,
    collections::{BTreeSet, HashMap, HashSet},
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
};

use arrow_schema::Field;
use datafusion::{
    common::{Column, DFSchema, DFSchemaRef, DataFusionError, Result, ScalarValue},
    logical_expr::{Expr, Extension, LogicalPlan, UserDefinedLogicalNodeCore},
};

mod outer;
mod rewrite;

pub(crate) use outer::bindings;
pub use outer::{bind_outer, outer_columns};
pub use rewrite::{Reach, decorrelate, own_columns};

/// Adds a column to its input: the value of a subquery for each row. NULL if it has no row, an
/// error if it has several.
#[derive(Clone, Debug)]
pub struct ApplyNode {
    /// The outer rows.
    pub input: Arc<LogicalPlan>,
    /// The subquery: its first column is the value, its outer references to columns of `input`
    /// are to be bound with [`bind_outer`].
    pub subplan: Arc<LogicalPlan>,
    /// The name of the added column.
    pub name: String,
    /// A boolean column of the input: where it is not true the subquery is not run and the value
    /// is NULL.
    pub guard: Option<Column>,
    /// What the node yields: the input's columns, then the added one.
    pub schema: DFSchemaRef,
}

impl ApplyNode {
    /// Computes the schema.
    ///
    /// # Errors
    /// If the input has a column of that name.
    pub fn new(input: LogicalPlan, subplan: Arc<LogicalPlan>, name: String) -> Result<Self> {
        let data_type = subplan.schema().field(0).data_type().clone();
        let added = DFSchema::from_unqualified_fields(
            vec![Field::new(&name, data_type, true)].into(),
            HashMap::default(),
        )?;
        let schema = Arc::new(input.schema().join(&added)?);
        Ok(ApplyNode { input: Arc::new(input), subplan, name, guard: None, schema })
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

    /// The input's columns that the subquery refers to, with their positions.
    pub fn bindings(&self) -> Result<Vec<(Column, usize)>> {
        bindings(&self.subplan, &self.input)
    }

    /// The position of the guard in the input.
    pub fn guard_position(&self) -> Option<usize> {
        self.input.schema().maybe_index_of_column(self.guard.as_ref()?)
    }

    /// The subquery for one row.
    ///
    /// # Errors
    /// If rewriting the plan fails.
    pub fn bound(&self, values: &[(Column, ScalarValue)]) -> Result<LogicalPlan> {
        bind_outer(self.subplan.as_ref().clone(), values)
    }
}

impl PartialEq for ApplyNode {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
            && self.guard == other.guard
            && self.input == other.input
            && self.subplan == other.subplan
    }
}

impl Eq for ApplyNode {}

impl PartialOrd for ApplyNode {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self == other).then_some(Ordering::Equal)
    }
}

impl Hash for ApplyNode {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
        self.input.hash(state);
        self.subplan.hash(state);
    }
}

impl UserDefinedLogicalNodeCore for ApplyNode {
    fn name(&self) -> &'static str {
        "Apply"
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
        std::iter::once(self.name.clone()).collect()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Apply: {}", self.name)
    }

    fn with_exprs_and_inputs(&self, _exprs: Vec<Expr>, inputs: Vec<LogicalPlan>) -> Result<Self> {
        let [input] = <[LogicalPlan; 1]>::try_from(inputs)
            .map_err(|_| DataFusionError::Internal("Apply has one input".to_owned()))?;
        let node = ApplyNode::new(input, Arc::clone(&self.subplan), self.name.clone())?;
        Ok(ApplyNode { guard: self.guard.clone(), ..node })
    }

    fn necessary_children_exprs(&self, output_columns: &[usize]) -> Option<Vec<Vec<usize>>> {
        let width = self.input.schema().fields().len();
        let bound = self.bindings().ok()?.into_iter().map(|(_, index)| index);
        let shown = output_columns.iter().copied().filter(|index| *index < width);
        let guard = self.guard_position();
        let needed = shown.chain(bound).chain(guard).collect::<BTreeSet<_>>();
        Some(vec![needed.into_iter().collect()])
    }
}
