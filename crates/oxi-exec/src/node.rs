//! What physical nodes have in common, so that each file says only what sets its node apart.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::{
    physical_expr::EquivalenceProperties,
    physical_plan::{
        Partitioning, PlanProperties,
        execution_plan::{Boundedness, EmissionType},
    },
};

/// The properties of a node whose rows end and are in no particular order.
pub(crate) fn bounded(
    schema: &SchemaRef,
    partitions: usize,
    emission: EmissionType,
) -> Arc<PlanProperties> {
    Arc::new(PlanProperties::new(
        EquivalenceProperties::new(Arc::clone(schema)),
        Partitioning::UnknownPartitioning(partitions),
        emission,
        Boundedness::Bounded,
    ))
}

/// The methods of a node without inputs, within its `impl ExecutionPlan`.
macro_rules! leaf_methods {
    ($name:literal) => {
        fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
            Vec::new()
        }

        fn replace_children(
            self: Arc<Self>,
            _: Vec<Arc<dyn ExecutionPlan>>,
            _: datafusion::physical_plan::execution_plan::ReplaceChildrenOptions,
        ) -> DfResult<Arc<dyn ExecutionPlan>> {
            Ok(self)
        }

        $crate::node::common_methods!($name);
    };
}

/// The methods of a node that takes the rows of one input in their order, all in one partition.
/// The closure makes the node anew with another input.
macro_rules! single_input_methods {
    ($name:literal, |$node:ident, $input:ident| $remade:expr) => {
        fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
            vec![&self.input]
        }

        fn input_distribution_requirements(
            &self,
        ) -> datafusion::physical_plan::InputDistributionRequirements {
            datafusion::physical_plan::InputDistributionRequirements::new(vec![
                datafusion::physical_expr::Distribution::SinglePartition,
            ])
        }

        /// Without this an ORDER BY in the input would be optimized away.
        fn maintains_input_order(&self) -> Vec<bool> {
            vec![true]
        }

        fn replace_children(
            self: Arc<Self>,
            mut children: Vec<Arc<dyn ExecutionPlan>>,
            _: datafusion::physical_plan::execution_plan::ReplaceChildrenOptions,
        ) -> DfResult<Arc<dyn ExecutionPlan>> {
            let $input = children.pop().ok_or_else(|| {
                to_datafusion(oxi_base::Error::bug(concat!($name, " without input")))
            })?;
            let $node = &self;
            Ok(Arc::new($remade))
        }

        $crate::node::common_methods!($name);
    };
}

/// The methods that are the same for all nodes.
macro_rules! common_methods {
    ($name:literal) => {
        fn name(&self) -> &'static str {
            $name
        }

        fn properties(&self) -> &Arc<PlanProperties> {
            &self.properties
        }

        fn apply_expressions(
            &self,
            _: &mut dyn FnMut(
                &Arc<dyn datafusion::physical_expr::PhysicalExpr>,
            ) -> DfResult<datafusion::common::tree_node::TreeNodeRecursion>,
        ) -> DfResult<datafusion::common::tree_node::TreeNodeRecursion> {
            Ok(datafusion::common::tree_node::TreeNodeRecursion::Continue)
        }

        fn with_new_children(
            self: Arc<Self>,
            children: Vec<Arc<dyn ExecutionPlan>>,
        ) -> DfResult<Arc<dyn ExecutionPlan>> {
            use datafusion::physical_plan::execution_plan::{
                ChildrenPropertiesMode, ReplaceChildrenOptions,
            };
            let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
            self.replace_children(children, options)
        }
    };
}

pub(crate) use {common_methods, leaf_methods, single_input_methods};
