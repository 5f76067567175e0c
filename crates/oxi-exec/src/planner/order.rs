//! Sorts that an index makes superfluous.
//!
//! Where the first rows of an order are wanted and an index has that order, the rows are read along
//! the index until there are enough.

use std::sync::Arc;

use arrow::compute::SortOptions;
use datafusion::{
    error::Result as DfResult,
    physical_expr::{LexOrdering, PhysicalExpr, expressions::Column},
    physical_plan::{
        ExecutionPlan,
        filter::{FilterExec, FilterExecBuilder},
        projection::ProjectionExec,
        sorts::{sort::SortExec, sort_preserving_merge::SortPreservingMergeExec},
    },
};

use crate::{
    append::{in_order, remade},
    dml::row_lock::RowLockExec,
    planner::column::{KeyOf, over, passes_on, scanned},
    provider::access::IndexOrder,
    scan::{
        ScanTarget,
        first_rows::{FirstRowsExec, Take},
        index::{IndexAccess, PATIENCE_ROWS},
        ordered::{OrderedScanExec, Walk},
    },
};

/// So many rows at most are kept until they are all there.
const KEPT_ROWS: usize = 10_000;
/// Of a table of at least so many times the rows wanted, an index gives them sooner.
const WORTH: u64 = 20;
/// So few rows are always read along an index.
const FEW_ROWS: usize = 100;

/// A plan that reads along indexes where only the first rows of their order are wanted.
pub(crate) fn along_indexes(plan: Arc<dyn ExecutionPlan>) -> DfResult<Arc<dyn ExecutionPlan>> {
    if let Some(sorted) = Sorted::of(&plan)
        && let Some(fetch) = sorted.fetch
        && let Some(walk) = first_rows(&plan, &sorted, fetch)?
    {
        return Ok(walk);
    }
    if let Some(lock) = plan.downcast_ref::<RowLockExec>()
        && let Some(fetch) = lock.fetch()
        && let Some(input) = plan.children().first()
        && let Some(input) = asked_rows(input, fetch)?
    {
        return remade(&plan, vec![input]);
    }
    let children = plan.children().into_iter().cloned().map(along_indexes);
    let children = children.collect::<DfResult<Vec<_>>>()?;
    remade(&plan, children)
}

/// A sort of all partitions into one.
struct Sorted<'a> {
    keys: &'a LexOrdering,
    fetch: Option<usize>,
    input: &'a Arc<dyn ExecutionPlan>,
}

impl<'a> Sorted<'a> {
    fn of(plan: &'a Arc<dyn ExecutionPlan>) -> Option<Self> {
        if let Some(merge) = plan.downcast_ref::<SortPreservingMergeExec>() {
            let sort = merge.input().downcast_ref::<SortExec>()?;
            let same = merge.expr() == sort.expr() && sort.fetch() == merge.fetch();
            let sorted = Sorted { keys: sort.expr(), fetch: merge.fetch(), input: sort.input() };
            return same.then_some(sorted);
        }
        let sort = plan.downcast_ref::<SortExec>()?;
        let whole = !sort.preserve_partitioning();
        whole.then(|| Sorted { keys: sort.expr(), fetch: sort.fetch(), input: sort.input() })
    }
}

/// The first `fetch` rows of a sort, along an index.
fn first_rows(
    plan: &Arc<dyn ExecutionPlan>,
    sorted: &Sorted<'_>,
    fetch: usize,
) -> DfResult<Option<Arc<dyn ExecutionPlan>>> {
    let Some(chain) = Chain::of(sorted)? else { return Ok(None) };
    let filters = chain.nodes.iter().any(|node| node.is::<FilterExec>());
    let worth = fetch <= FEW_ROWS || fetch as u64 * WORTH <= chain.target().rows;
    if !worth || (filters && fetch > KEPT_ROWS) {
        return Ok(None);
    }
    let Some(order) = chain.order() else { return Ok(None) };
    if !filters {
        let walk = Walk { order, first: fetch, limit: Some(fetch), patience: None };
        return chain.over(walk).map(Some);
    }
    let patience = Some(chain.patience());
    let walk = chain.over(Walk { order, first: fetch, limit: None, patience })?;
    let sorted = in_order(Arc::clone(plan))?;
    Ok(Some(Arc::new(FirstRowsExec::new(walk, sorted, Take::First(fetch)))))
}

/// The rows of a sort for somebody who locks about `fetch` of them, along an index.
fn asked_rows(
    plan: &Arc<dyn ExecutionPlan>,
    fetch: usize,
) -> DfResult<Option<Arc<dyn ExecutionPlan>>> {
    if let Some(projection) = plan.downcast_ref::<ProjectionExec>() {
        let Some(input) = asked_rows(projection.input(), fetch)? else { return Ok(None) };
        return remade(plan, vec![input]).map(Some);
    }
    if let Some(merge) = plan.downcast_ref::<SortPreservingMergeExec>()
        && merge.fetch().is_none()
        && merge.input().is::<ProjectionExec>()
        && let Some(projected) = merged_below(merge.input())?
    {
        return asked_rows(&projected, fetch);
    }
    let Some(sorted) = Sorted::of(plan).filter(|sorted| sorted.fetch.is_none()) else {
        return Ok(None);
    };
    let Some(chain) = Chain::of(&sorted)? else { return Ok(None) };
    let worth = fetch <= FEW_ROWS || fetch as u64 * WORTH <= chain.target().rows;
    let Some(row_id) = chain.row_id.filter(|_| worth) else { return Ok(None) };
    let Some(order) = chain.order() else { return Ok(None) };
    let patience = Some(chain.patience());
    let walk = chain.over(Walk { order, first: fetch, limit: None, patience })?;
    let sorted = in_order(Arc::clone(plan))?;
    Ok(Some(Arc::new(FirstRowsExec::new(walk, sorted, Take::Asked(row_id)))))
}

/// Projections over sorted partitions, with the partitions merged before they are projected.
fn merged_below(plan: &Arc<dyn ExecutionPlan>) -> DfResult<Option<Arc<dyn ExecutionPlan>>> {
    if let Some(sort) = plan.downcast_ref::<SortExec>() {
        let merge = SortPreservingMergeExec::new(sort.expr().clone(), Arc::clone(plan));
        return Ok(Some(Arc::new(merge)));
    }
    let Some(projection) = plan.downcast_ref::<ProjectionExec>() else { return Ok(None) };
    let Some(input) = merged_below(projection.input())? else { return Ok(None) };
    remade(plan, vec![input]).map(Some)
}

/// What lies between a sort and the one table it reads.
struct Chain<'a> {
    /// Filters and projections, the upper ones first.
    nodes: Vec<&'a Arc<dyn ExecutionPlan>>,
    scan: &'a Arc<dyn ExecutionPlan>,
    /// What is sorted by, in columns of the table.
    keys: Vec<(KeyOf, SortOptions)>,
    /// Where the row id is among what is sorted.
    row_id: Option<usize>,
}

impl<'a> Chain<'a> {
    fn of(sorted: &Sorted<'a>) -> DfResult<Option<Self>> {
        let mut exprs: Vec<_> = sorted.keys.iter().map(|key| Arc::clone(&key.expr)).collect();
        let count = exprs.len();
        let columns = sorted.input.schema();
        exprs.extend(columns.fields().iter().enumerate().map(|(place, field)| {
            Arc::new(Column::new(field.name(), place)) as Arc<dyn PhysicalExpr>
        }));
        let mut nodes = Vec::new();
        let mut below = sorted.input;
        loop {
            if let Some(input) = passes_on(below) {
                below = input;
                continue;
            }
            let Some(input) = over(below, &mut exprs)? else { break };
            nodes.push(below);
            below = input;
        }
        let Some((target, _)) = scanned(below) else { return Ok(None) };
        let mut keys = Vec::with_capacity(count);
        for (expr, key) in exprs.iter().zip(sorted.keys.iter()) {
            let Some(column) = KeyOf::of(expr, target) else { return Ok(None) };
            keys.push((column, key.options));
        }
        let is_row_id = |expr: &Arc<dyn PhysicalExpr>| {
            let column = expr.downcast_ref::<Column>();
            column.is_some_and(|column| target.columns.get(column.index()) == Some(&None))
        };
        let row_id = exprs[count..].iter().position(is_row_id);
        Ok(Some(Chain { nodes, scan: below, keys, row_id }))
    }

    fn target(&self) -> &ScanTarget {
        scanned(self.scan).expect("a chain ends in a scan").0
    }

    /// Rows after which sorting would have been cheaper.
    fn patience(&self) -> usize {
        (self.target().rows / 8).max(PATIENCE_ROWS) as usize
    }

    /// The index that has the order, with its range in the right direction.
    fn order(&self) -> Option<IndexOrder> {
        let (target, access) = scanned(self.scan)?;
        let orders = target.ways.orders().filter_map(|mut order| {
            if access.is_some_and(|access| !is_as_narrow(&order, access)) {
                return None;
            }
            order.range.reverse = direction(&order, &self.keys, target)?;
            Some(order)
        });
        // Of equals the first.
        orders.reduce(|best, other| {
            let narrow = |order: &IndexOrder| (order.prefix.len(), order.bounded);
            if narrow(&other) > narrow(&best) { other } else { best }
        })
    }

    /// The same over a walk.
    fn over(&self, walk: Walk) -> DfResult<Arc<dyn ExecutionPlan>> {
        let mut plan: Arc<dyn ExecutionPlan> =
            Arc::new(OrderedScanExec::new(self.target().clone(), walk));
        for node in self.nodes.iter().rev() {
            plan = match node.downcast_ref::<FilterExec>() {
                // What is found is passed on at once: nothing more may be wanted.
                Some(filter) => {
                    let filter = FilterExecBuilder::from(filter).with_input(plan);
                    Arc::new(filter.with_batch_size(1).build()?)
                }
                None => remade(node, vec![plan])?,
            };
        }
        Ok(plan)
    }
}

/// Whether walking along an index reads no more rows than another access that was chosen.
fn is_as_narrow(order: &IndexOrder, access: &IndexAccess) -> bool {
    let equal = &order.index.columns[..order.prefix.len()];
    let covers = |place: &usize| equal.iter().any(|column| column.position == *place);
    !access.point
        && access.equal.iter().all(covers)
        && (!access.bounded || access.index == order.index.index)
}

/// In which direction an index has the order that the keys ask for: whether from its end.
fn direction(
    order: &IndexOrder,
    keys: &[(KeyOf, SortOptions)],
    target: &ScanTarget,
) -> Option<bool> {
    let columns = &order.index.columns;
    let nullable = |position: usize| target.ways.schema.field(position).is_nullable();
    let equal = order.prefix.len();
    let mut place = equal;
    let mut direction = None;
    for (key, options) in keys {
        if columns[..place].iter().any(|column| column.position == key.position) {
            continue;
        }
        let Some(column) = columns.get(place) else {
            // After a key that no other row has, nothing is left to be ordered.
            let whole = order.index.unique && columns.iter().all(|one| !nullable(one.position));
            return whole.then(|| direction.unwrap_or(false));
        };
        if column.position != key.position {
            return None;
        }
        let backward = options.descending != column.descending;
        if *direction.get_or_insert(backward) != backward {
            return None;
        }
        let has_nulls = nullable(key.position) && !(place == equal && order.bounded);
        if has_nulls && options.nulls_first != (column.nulls_first != backward) {
            return None;
        }
        place += 1;
    }
    Some(direction.unwrap_or(false))
}
