//! DISTINCT: natively where equal values are equal bytes, by keys elsewhere.

use std::sync::Arc;

use datafusion::common::ScalarValue;
use datafusion::logical_expr::{WindowFrame, WindowFrameBound, WindowFrameUnits};
use datafusion::{
    functions_aggregate::min_max::min_udaf,
    functions_window::row_number::row_number_udwf,
    logical_expr::{
        Aggregate, Distinct, Expr, LogicalPlan, LogicalPlanBuilder, SortExpr,
        WindowFunctionDefinition,
        expr::{AggregateFunction, AggregateFunctionParams, WindowFunction, WindowFunctionParams},
    },
};
use oxi_base::Result;

use crate::{
    bind::{
        Binder,
        query::{Output, all_columns, filter, project},
        typed::bare_column,
    },
    function::{
        error::from_datafusion,
        key::{key, needs_key},
    },
};

/// The least of a group: how a grouped value that is compared by its key shows itself.
pub(crate) fn least(expr: Expr) -> Expr {
    Expr::AggregateFunction(AggregateFunction {
        func: min_udaf(),
        params: AggregateFunctionParams {
            args: vec![expr],
            distinct: false,
            filter: None,
            order_by: Vec::new(),
            null_treatment: None,
        },
    })
}

/// `row_number()` over a window.
pub(crate) fn row_number(partition_by: Vec<Expr>, order_by: Vec<SortExpr>) -> Expr {
    Expr::WindowFunction(Box::new(WindowFunction {
        fun: WindowFunctionDefinition::WindowUDF(row_number_udwf()),
        params: WindowFunctionParams {
            args: Vec::new(),
            partition_by,
            order_by,
            window_frame: WindowFrame::new_bounds(
                WindowFrameUnits::Rows,
                WindowFrameBound::Preceding(ScalarValue::UInt64(None)),
                WindowFrameBound::CurrentRow,
            ),
            filter: None,
            null_treatment: None,
            distinct: false,
        },
    }))
}

impl Binder<'_> {
    /// Drops duplicate rows; the plan yields exactly the outputs.
    pub(crate) fn distinct(
        &mut self,
        plan: LogicalPlan,
        outputs: &[Output],
    ) -> Result<LogicalPlan> {
        if outputs.is_empty() || !outputs.iter().any(|output| needs_key(output.ty.oid)) {
            return Ok(LogicalPlan::Distinct(Distinct::All(Arc::new(plan))));
        }
        let mut before = Vec::new();
        let mut groups = Vec::new();
        let mut aggregates = Vec::new();
        let mut after = Vec::new();
        for output in outputs {
            before.push(output.expr());
            if needs_key(output.ty.oid) {
                let name = self.fresh_name("key");
                let first = self.fresh_name("first");
                before.push(key(output.expr(), output.ty.oid).alias(&name));
                groups.push(bare_column(&name));
                aggregates.push(least(output.expr()).alias(&first));
                after.push(bare_column(&first).alias(&output.column));
            } else {
                groups.push(output.expr());
                after.push(output.expr());
            }
        }
        let plan = project(plan, before)?;
        let plan = LogicalPlan::Aggregate(
            Aggregate::try_new(Arc::new(plan), groups, aggregates).map_err(from_datafusion)?,
        );
        project(plan, after)
    }
}

/// DISTINCT ON: the first row of each group in the given order. Without one the groups come in
/// the order of their keys, as they do from PostgreSQL.
pub(crate) fn distinct_on(
    plan: LogicalPlan,
    on: Vec<Expr>,
    order_by: Vec<SortExpr>,
) -> Result<LogicalPlan> {
    let columns = all_columns(&plan);
    let groups: Vec<SortExpr> = if order_by.is_empty() {
        on.iter().map(|key| SortExpr::new(key.clone(), true, false)).collect()
    } else {
        Vec::new()
    };
    let number = row_number(on, order_by);
    let name = number.schema_name().to_string();
    let plan = LogicalPlanBuilder::from(plan)
        .window(vec![number])
        .and_then(LogicalPlanBuilder::build)
        .map_err(from_datafusion)?;
    let first = bare_column(&name).eq(Expr::Literal(ScalarValue::UInt64(Some(1)), None));
    let mut plan = filter(plan, first)?;
    if !groups.is_empty() {
        let sorted = LogicalPlanBuilder::from(plan).sort(groups);
        plan = sorted.and_then(LogicalPlanBuilder::build).map_err(from_datafusion)?;
    }
    project(plan, columns)
}
