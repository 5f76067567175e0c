//! The query engine's planner with our nodes, and the one place that keeps its own statements out.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::{
    catalog::Session,
    common::tree_node::TreeNodeRecursion,
    error::Result as DfResult,
    execution::{SessionState, context::QueryPlanner},
    logical_expr::{
        LogicalPlan, UserDefinedLogicalNode, physical_planning_context::PhysicalPlanningContext,
    },
    physical_expr::{Distribution, OrderingRequirements},
    physical_optimizer::output_requirements::OutputRequirementExec,
    physical_plan::{
        ExecutionPlan,
        execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions},
        sorts::sort::SortExec,
    },
    physical_planner::{DefaultPhysicalPlanner, ExtensionPlanner, PhysicalPlanner},
};
use oxi_base::Error;
use oxi_catalog::Catalog;
use oxi_sql::plan::{ApplyNode, LateralNode, ModifyNode, RowLockNode, SharedNode, WithNode};

use crate::{
    append::in_order,
    apply::ApplyExec,
    context::StatementContext,
    dml::{
        apply::RowPlan,
        modify::ModifyExec,
        recheck::Recheck,
        row_lock::{Locks, RowLockExec},
    },
    error::to_datafusion,
    lateral::LateralExec,
    planner::{lookup::by_subqueries, order::along_indexes},
    shared::{SharedExec, WithExec},
};

mod column;
mod lookup;
mod order;

/// Plans queries, our own nodes among them.
#[derive(Debug)]
pub struct OxiPlanner;

#[async_trait]
impl QueryPlanner for OxiPlanner {
    async fn create_physical_plan(
        &self,
        logical_plan: &LogicalPlan,
        session: &dyn Session,
    ) -> DfResult<Arc<dyn ExecutionPlan>> {
        reject_foreign(logical_plan)?;
        let planner = DefaultPhysicalPlanner::with_extension_planners(vec![Arc::new(NodePlanner)]);
        let plan = planner.create_physical_plan(logical_plan, session).await?;
        in_order(along_indexes(by_subqueries(plan)?)?)
    }
}

/// Refuses the query engine's own statements. Its DML loses predicates and runs while planning, its
/// DDL knows nothing of our catalog: nothing of the kind may ever run.
///
/// # Errors
/// A defect, naming the node.
pub fn reject_foreign(plan: &LogicalPlan) -> DfResult<()> {
    plan.apply_with_subqueries(|node| {
        let name = match node {
            LogicalPlan::Dml(_) => "Dml",
            LogicalPlan::Ddl(_) => "Ddl",
            LogicalPlan::Copy(_) => "Copy",
            LogicalPlan::Statement(_) => "Statement",
            LogicalPlan::DescribeTable(_) => "DescribeTable",
            LogicalPlan::Explain(_) => "Explain",
            LogicalPlan::Analyze(_) => "Analyze",
            _ => return Ok(TreeNodeRecursion::Continue),
        };
        Err(to_datafusion(Error::bug(format!("a plan with the node {name}"))))
    })?;
    Ok(())
}

struct NodePlanner;

#[async_trait]
impl ExtensionPlanner for NodePlanner {
    async fn plan_extension(
        &self,
        _: &dyn PhysicalPlanner,
        node: &dyn UserDefinedLogicalNode,
        _: &[&LogicalPlan],
        inputs: &[Arc<dyn ExecutionPlan>],
        session: &dyn Session,
        _: &PhysicalPlanningContext,
    ) -> DfResult<Option<Arc<dyn ExecutionPlan>>> {
        let input = || {
            let input = inputs.first().cloned();
            input.ok_or_else(|| to_datafusion(Error::bug("a node without input")))
        };
        if let Some(node) = node.as_any().downcast_ref::<ModifyNode>() {
            let catalog = catalog_of(session)?;
            let mut plan = RowPlan::compile(node, &catalog, Some(session.execution_props()))
                .map_err(to_datafusion)?
                .ok_or_else(|| {
                    to_datafusion(Error::unsupported(
                        "this expression in a modification is not supported",
                    ))
                })?;
            plan.again = Recheck::of(node, state_of(session)?).map_err(to_datafusion)?;
            let schema = Arc::clone(node.schema.inner());
            let input = keep_order(input()?)?;
            return Ok(Some(Arc::new(ModifyExec::new(Arc::new(plan), input, schema))));
        }
        if let Some(node) = node.as_any().downcast_ref::<RowLockNode>() {
            let locks = Locks { tables: node.tables.clone() };
            let schema = Arc::clone(node.schema.inner());
            let exec = RowLockExec::new(keep_order(input()?)?, Arc::new(locks), None, schema);
            return Ok(Some(Arc::new(exec)));
        }
        if let Some(node) = node.as_any().downcast_ref::<ApplyNode>() {
            let state = state_of(session)?.clone();
            return Ok(Some(Arc::new(ApplyExec::new(input()?, node, state)?)));
        }
        if let Some(node) = node.as_any().downcast_ref::<LateralNode>() {
            let state = state_of(session)?.clone();
            return Ok(Some(Arc::new(LateralExec::new(input()?, node, state)?)));
        }
        if let Some(node) = node.as_any().downcast_ref::<SharedNode>() {
            return Ok(Some(Arc::new(SharedExec::new(node.id, input()?))));
        }
        if node.as_any().is::<WithNode>() {
            return Ok(Some(Arc::new(WithExec::new(inputs.to_vec(), input()?.schema()))));
        }
        Ok(None)
    }
}

/// A plan whose ORDER BY stays. Rows are locked and changed in the order of their query, which the
/// optimizer drops where nothing above, as in a scalar subquery, asks for it.
fn keep_order(plan: Arc<dyn ExecutionPlan>) -> DfResult<Arc<dyn ExecutionPlan>> {
    if let Some(sort) = plan.downcast_ref::<SortExec>() {
        let order = Some(OrderingRequirements::from(sort.expr().clone()));
        let whole = Distribution::SinglePartition;
        return Ok(Arc::new(OutputRequirementExec::new(plan, order, whole, None)));
    }
    let children = match plan.children().as_slice() {
        [input] if plan.maintains_input_order() == [true] => vec![keep_order(Arc::clone(input))?],
        _ => return Ok(plan),
    };
    let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
    Arc::clone(&plan).replace_children(children, options)
}

fn state_of(session: &dyn Session) -> DfResult<&SessionState> {
    session
        .as_any()
        .downcast_ref::<SessionState>()
        .ok_or_else(|| to_datafusion(Error::bug("planning outside of any session")))
}

fn catalog_of(session: &dyn Session) -> DfResult<Arc<Catalog>> {
    session
        .config()
        .get_extension::<StatementContext>()
        .map(|statement| Arc::clone(&statement.catalog))
        .ok_or_else(|| to_datafusion(Error::bug("planning outside of any statement")))
}

#[cfg(test)]
mod tests;
