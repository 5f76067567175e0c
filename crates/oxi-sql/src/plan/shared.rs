//! The logical nodes of WITH: a named query that is run once however often it is read, and a
//! statement whose named changes are carried out first.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
};

use datafusion::{
    common::{
        DFSchemaRef, DataFusionError, Result,
        tree_node::{Transformed, TreeNodeRecursion},
    },
    logical_expr::{Expr, Extension, LogicalPlan, UserDefinedLogicalNodeCore},
};

use crate::plan::{LateralNode, outer_columns, own_columns};

/// What names the work table of a recursive query begins with.
pub(crate) const WORK_TABLE: &str = "__recursive_";

/// One reading of a query whose rows are computed once in a statement.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct SharedNode {
    /// The same for all readings of one query.
    pub id: usize,
    /// The query. It refers to nothing outside of it.
    pub input: Arc<LogicalPlan>,
}

impl SharedNode {
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
}

impl PartialOrd for SharedNode {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self == other).then_some(Ordering::Equal)
    }
}

impl UserDefinedLogicalNodeCore for SharedNode {
    fn name(&self) -> &'static str {
        "Shared"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input]
    }

    fn schema(&self) -> &DFSchemaRef {
        self.input.schema()
    }

    fn expressions(&self) -> Vec<Expr> {
        Vec::new()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Shared: {}", self.id)
    }

    fn with_exprs_and_inputs(&self, _exprs: Vec<Expr>, inputs: Vec<LogicalPlan>) -> Result<Self> {
        let [input] = <[LogicalPlan; 1]>::try_from(inputs)
            .map_err(|_| DataFusionError::Internal("Shared has one input".to_owned()))?;
        Ok(SharedNode { id: self.id, input: Arc::new(input) })
    }
}

/// A statement with changes in its WITH: they run to their ends before the body starts, in the
/// order written, whether the body reads them or not.
#[derive(Clone, Debug)]
pub struct WithNode {
    /// The body, then the changes, each a [`SharedNode`].
    pub inputs: Vec<LogicalPlan>,
    /// What the body yields.
    pub schema: DFSchemaRef,
}

impl WithNode {
    /// The node.
    pub fn new(body: LogicalPlan, changes: Vec<LogicalPlan>) -> Self {
        let schema = Arc::clone(body.schema());
        let mut inputs = vec![body];
        inputs.extend(changes);
        WithNode { inputs, schema }
    }

    /// The node as a plan.
    pub fn into_plan(self) -> LogicalPlan {
        LogicalPlan::Extension(Extension { node: Arc::new(self) })
    }
}

impl PartialEq for WithNode {
    fn eq(&self, other: &Self) -> bool {
        self.inputs == other.inputs
    }
}

impl Eq for WithNode {}

impl PartialOrd for WithNode {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self == other).then_some(Ordering::Equal)
    }
}

impl Hash for WithNode {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.inputs.hash(state);
    }
}

impl UserDefinedLogicalNodeCore for WithNode {
    fn name(&self) -> &'static str {
        "With"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        self.inputs.iter().collect()
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        Vec::new()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "With")
    }

    fn with_exprs_and_inputs(
        &self,
        _exprs: Vec<Expr>,
        mut inputs: Vec<LogicalPlan>,
    ) -> Result<Self> {
        if inputs.is_empty() {
            return Err(DataFusionError::Internal("With has inputs".to_owned()));
        }
        let changes = inputs.split_off(1);
        inputs
            .pop()
            .map(|body| WithNode::new(body, changes))
            .ok_or_else(|| DataFusionError::Internal("With has a body".to_owned()))
    }
}

/// Whether a query can be run once for all its readers: it refers to no row of a query around it
/// and to no work table of a recursion around it.
pub(crate) fn can_share(plan: &LogicalPlan) -> Result<bool> {
    let own = own_columns(plan)?;
    if outer_columns(plan)?.iter().any(|column| !own.contains(column)) {
        return Ok(false);
    }
    let mut read = BTreeSet::new();
    let mut defined = BTreeSet::new();
    plan.apply_with_subqueries(|node| {
        match node {
            LogicalPlan::TableScan(scan) if scan.table_name.table().starts_with(WORK_TABLE) => {
                read.insert(scan.table_name.table().to_owned());
            }
            LogicalPlan::RecursiveQuery(query) => {
                defined.insert(query.name.clone());
            }
            _ => {}
        }
        // What a hidden plan reads is not looked for.
        if LateralNode::of(node).is_some() {
            read.insert(String::new());
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(read.is_subset(&defined))
}

/// Puts the queries themselves in the place of their only readings. `readings` says how often each
/// is read; those that are missing stay.
pub(crate) fn inline_single(
    plan: LogicalPlan,
    readings: &BTreeMap<usize, usize>,
) -> Result<LogicalPlan> {
    plan.transform_up_with_subqueries(|node| {
        if let Some(lateral) = LateralNode::of(&node) {
            let subplan = inline_single(lateral.subplan.as_ref().clone(), readings)?;
            let lateral = LateralNode { subplan: Arc::new(subplan), ..lateral.clone() };
            return Ok(Transformed::yes(lateral.into_plan()));
        }
        let Some(shared) = SharedNode::of(&node) else { return Ok(Transformed::no(node)) };
        if readings.get(&shared.id).is_some_and(|count| *count <= 1) {
            return Ok(Transformed::yes(shared.input.as_ref().clone()));
        }
        Ok(Transformed::no(node))
    })
    .map(|transformed| transformed.data)
}
