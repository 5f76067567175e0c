//! Which bound plans the point path can run.

use std::sync::{Arc, OnceLock};

use datafusion::{
    common::DFSchema,
    datasource::DefaultTableSource,
    logical_expr::{
        BinaryExpr, Expr, FetchType, LogicalPlan, Operator, SkipType, TableScan,
        utils::split_conjunction,
    },
};
use oxi_base::Result;
use oxi_catalog::Catalog;
use oxi_model::PhysicalType;
use oxi_sql::plan::{Action, ModifyNode, RowLockNode};

use crate::{
    dml::{apply::RowPlan, row_lock::Locks},
    fast::{FastPlan, KeyPart, Kind, Lookup, Output},
    provider::{
        OxiTable,
        access::{IndexInfo, under_key},
    },
    row::{Compiler, RowExpr, physical_of},
};

/// More rows than this in VALUES are better inserted in bulk.
const MAX_VALUES: usize = 64;

impl FastPlan {
    /// The compiled plan, if the bound plan has a shape that the point path runs.
    ///
    /// # Errors
    /// A defect in the plan or the catalog.
    pub fn recognize(plan: &LogicalPlan, catalog: &Catalog) -> Result<Option<FastPlan>> {
        let kind = match ModifyNode::of(plan) {
            Some(node) => modification(node, catalog)?,
            None => match locking(plan)? {
                Some(kind) => Some(kind),
                None => query(plan)?,
            },
        };
        Ok(kind.map(|kind| FastPlan { parameters: parameters_of(&kind), kind }))
    }
}

/// The bottom of a plan: a table, perhaps under another name, and what its columns are.
struct Base<'a> {
    table: &'a OxiTable,
    /// For each column of `schema`, its position in the table; the row id is the one beyond.
    positions: Vec<usize>,
    schema: &'a DFSchema,
}

fn query(plan: &LogicalPlan) -> Result<Option<Kind>> {
    let (plan, limit) = match plan {
        LogicalPlan::Limit(limit) => {
            let (SkipType::Literal(0), FetchType::Literal(Some(fetch))) =
                (limit.get_skip_type().unwrap_or(SkipType::UnsupportedExpr), fetch_of(limit))
            else {
                return Ok(None);
            };
            (limit.input.as_ref(), fetch)
        }
        other => (other, usize::MAX),
    };
    let LogicalPlan::Projection(projection) = plan else { return Ok(None) };
    if let LogicalPlan::EmptyRelation(empty) = projection.input.as_ref()
        && empty.produce_one_row
    {
        let compiler = Compiler { schema: &empty.schema, offset: 0, props: None };
        let output = compile_all(&compiler, &projection.expr)?;
        return Ok(output.filter(|_| limit > 0).map(|output| Kind::Constant { output }));
    }
    let Some((filter, base)) = filtered(&projection.input) else { return Ok(None) };
    let compiler = Compiler { schema: base.schema, offset: 0, props: None };
    let Some(mut output) = compile_all(&compiler, &projection.expr)? else { return Ok(None) };
    let Some(mut lookup) = lookup(&base, &filter)? else { return Ok(None) };
    // Only the columns that some expression needs are read.
    let mut used: Vec<usize> = Vec::new();
    let mut place_of = |column: usize| {
        used.iter().position(|found| *found == column).unwrap_or_else(|| {
            used.push(column);
            used.len() - 1
        })
    };
    for expr in output.iter_mut().chain(&mut lookup.residual) {
        expr.map_columns(&mut place_of);
    }
    let width = base.table.width();
    let columns: Vec<usize> = used.iter().map(|column| base.positions[*column]).collect();
    if columns.iter().any(|position| *position >= width) {
        return Ok(None);
    }
    lookup.ids = columns.iter().filter_map(|position| base.table.column_id(*position)).collect();
    lookup.columns = columns;
    let is_as_read = output.len() == lookup.columns.len()
        && output
            .iter()
            .enumerate()
            .all(|(at, expr)| matches!(expr, RowExpr::Column(c) if *c == at));
    let output = if is_as_read { Output::AsRead } else { Output::Computed(output) };
    let limit = if lookup.unique { limit.min(1) } else { limit };
    Ok(Some(Kind::Select { lookup, output, limit }))
}

/// `Lock(Projection(Filter(Scan)))` of one table.
fn locking(plan: &LogicalPlan) -> Result<Option<Kind>> {
    let LogicalPlan::Extension(extension) = plan else { return Ok(None) };
    let Some(node) = extension.node.as_any().downcast_ref::<RowLockNode>() else {
        return Ok(None);
    };
    let (LogicalPlan::Projection(projection), 1) = (node.input.as_ref(), node.tables.len()) else {
        return Ok(None);
    };
    let Some((filter, base)) = filtered(&projection.input) else { return Ok(None) };
    let Some((row_id, exprs)) = projection.expr.split_last() else { return Ok(None) };
    let width = base.table.width();
    let is_row_id = match unaliased(row_id) {
        Expr::Column(column) => {
            let place = base.schema.maybe_index_of_column(column);
            place.is_some_and(|place| base.positions[place] == width)
        }
        _ => false,
    };
    if !is_row_id {
        return Ok(None);
    }
    let compiler = Compiler { schema: base.schema, offset: 0, props: None };
    let (Some(mut output), Some(mut recheck), Some(mut lookup)) =
        (compile_all(&compiler, exprs)?, compile_all(&compiler, &filter)?, lookup(&base, &filter)?)
    else {
        return Ok(None);
    };
    for expr in output.iter_mut().chain(&mut recheck).chain(&mut lookup.residual) {
        if expr.any_column(&mut |column| base.positions[column] >= width) {
            return Ok(None);
        }
        expr.map_columns(&mut |column| base.positions[column]);
    }
    lookup.columns = (0..width).collect();
    let locks = Locks { tables: node.tables.clone() };
    Ok(Some(Kind::Lock { lookup, output, recheck, locks }))
}

fn fetch_of(limit: &datafusion::logical_expr::Limit) -> FetchType {
    limit.get_fetch_type().unwrap_or(FetchType::UnsupportedExpr)
}

fn modification(node: &ModifyNode, catalog: &Catalog) -> Result<Option<Kind>> {
    let Some(plan) = RowPlan::compile(node, catalog, None)? else { return Ok(None) };
    let plan = Arc::new(plan);
    if matches!(node.action, Action::Insert { .. }) {
        let rows = values(&node.input)?;
        return Ok(rows.map(|rows| Kind::Insert { rows, plan }));
    }
    // The input must be the row id and the table's columns, and nothing else.
    let (filter, base) = match node.input.as_ref() {
        LogicalPlan::Projection(projection) => {
            let Some((filter, base)) = filtered(&projection.input) else { return Ok(None) };
            let order: Option<Vec<usize>> = projection
                .expr
                .iter()
                .map(|expr| match unaliased(expr) {
                    Expr::Column(column) => {
                        base.schema.maybe_index_of_column(column).map(|place| base.positions[place])
                    }
                    _ => None,
                })
                .collect();
            if !order.is_some_and(|order| is_row(&order, base.table.width())) {
                return Ok(None);
            }
            (filter, base)
        }
        other => {
            let Some((filter, base)) = filtered(other) else { return Ok(None) };
            if !is_row(&base.positions, base.table.width()) {
                return Ok(None);
            }
            (filter, base)
        }
    };
    let Some(mut lookup) = lookup(&base, &filter)? else { return Ok(None) };
    let width = base.table.width();
    for expr in &mut lookup.residual {
        if expr.any_column(&mut |column| base.positions[column] >= width) {
            return Ok(None);
        }
        expr.map_columns(&mut |column| base.positions[column]);
    }
    lookup.columns = (0..width).collect();
    Ok(Some(Kind::Change { lookup, plan }))
}

/// The row id (beyond the columns), then every column in order.
fn is_row(positions: &[usize], width: usize) -> bool {
    positions.len() == width + 1
        && positions[0] == width
        && positions[1..].iter().enumerate().all(|(place, position)| place == *position)
}

fn unaliased(expr: &Expr) -> &Expr {
    match expr {
        Expr::Alias(alias) => unaliased(&alias.expr),
        other => other,
    }
}

/// The conditions and the table of `Filter* (Alias* (Scan))`.
fn filtered(plan: &LogicalPlan) -> Option<(Vec<Expr>, Base<'_>)> {
    let mut conditions = Vec::new();
    let mut plan = plan;
    while let LogicalPlan::Filter(filter) = plan {
        conditions.extend(split_conjunction(&filter.predicate).into_iter().cloned());
        plan = &filter.input;
    }
    if conditions.is_empty() {
        return None;
    }
    let schema = plan.schema().as_ref();
    while let LogicalPlan::SubqueryAlias(alias) = plan {
        plan = &alias.input;
    }
    let LogicalPlan::TableScan(scan) = plan else { return None };
    let base = base_of(scan, schema)?;
    Some((conditions, base))
}

fn base_of<'a>(scan: &'a TableScan, schema: &'a DFSchema) -> Option<Base<'a>> {
    if !scan.filters.is_empty() || scan.fetch.is_some() {
        return None;
    }
    let source = scan.source.downcast_ref::<DefaultTableSource>()?;
    let table =
        source.table_provider.downcast_ref::<OxiTable>().filter(|table| !table.is_past())?;
    let positions = match &scan.projection {
        Some(projection) => projection.clone(),
        None => (0..schema.fields().len()).collect(),
    };
    (positions.len() == schema.fields().len()).then_some(Base { table, positions, schema })
}

/// The best index whose whole key the conditions fix; the rest of them is the residual.
fn lookup(base: &Base<'_>, conditions: &[Expr]) -> Result<Option<Lookup>> {
    let mut equalities = Vec::new();
    for (number, condition) in conditions.iter().enumerate() {
        if let Some((position, part)) = equality(base, condition)? {
            equalities.push((number, position, part));
        }
    }
    let mut best: Option<(&IndexInfo, Vec<usize>)> = None;
    for index in base.table.indexes() {
        let used: Option<Vec<usize>> = index
            .columns
            .iter()
            .map(|column| {
                equalities.iter().position(|(_, position, _)| *position == column.position)
            })
            .collect();
        let Some(used) = used else { continue };
        let better = best.as_ref().is_none_or(|(found, _)| index.unique && !found.unique);
        if better {
            best = Some((index, used));
        }
    }
    let Some((index, used)) = best else { return Ok(None) };
    let taken: Vec<usize> = used.iter().map(|place| equalities[*place].0).collect();
    let compiler = Compiler { schema: base.schema, offset: 0, props: None };
    let mut residual = Vec::new();
    let mut words = Vec::new();
    for (number, condition) in conditions.iter().enumerate() {
        if taken.contains(&number) {
            continue;
        }
        let Some(compiled) = compiler.compile(condition)? else { return Ok(None) };
        residual.push(compiled);
        words.push(condition.to_string());
    }
    let condition: Vec<String> =
        taken.iter().map(|number| conditions[*number].to_string()).collect();
    let mut parts: Vec<Option<KeyPart>> =
        equalities.into_iter().map(|(_, _, part)| Some(part)).collect();
    let key: Option<Vec<KeyPart>> = used.iter().map(|place| parts[*place].take()).collect();
    let Some(key) = key else { return Ok(None) };
    let relation = base.table.relation();
    Ok(Some(Lookup {
        table_name: relation.name.clone(),
        index_name: index.name.clone(),
        condition: condition.join(" AND "),
        filter: (!words.is_empty()).then(|| words.join(" AND ")),
        table: base.table.storage(),
        index: index.index,
        unique: index.unique,
        key,
        columns: Vec::new(),
        ids: Vec::new(),
        residual,
        access: OnceLock::new(),
    }))
}

/// `column = value` where the value does not depend on the row.
fn equality(base: &Base<'_>, condition: &Expr) -> Result<Option<(usize, KeyPart)>> {
    let Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) = condition else {
        return Ok(None);
    };
    for (column, value) in [(left, right), (right, left)] {
        let (column, column_keyed) = under_key(column);
        let (value, value_keyed) = under_key(value);
        if column_keyed != value_keyed {
            continue;
        }
        let (column, widened) = match column {
            Expr::Cast(cast) => (cast.expr.as_ref(), physical_of(cast.field.data_type())),
            other => (other, None),
        };
        let Expr::Column(column) = column else { continue };
        let Some(place) = base.schema.maybe_index_of_column(column) else { continue };
        let position = base.positions[place];
        let Some(physical) = base.table.physical(position) else { continue };
        let narrow = match widened {
            None => None,
            Some(wide) if widens_integer(physical, &wide) => Some(physical.clone()),
            Some(_) => continue,
        };
        let keyed_type = matches!(
            physical,
            PhysicalType::Numeric | PhysicalType::Float32 | PhysicalType::Float64
        );
        // Under a key only these types are indexed by what the key compares.
        if column_keyed && !keyed_type {
            continue;
        }
        let compiler = Compiler { schema: base.schema, offset: 0, props: None };
        if let Some(value) = compiler.compile(value)?
            && value.is_constant()
        {
            return Ok(Some((position, KeyPart { value, narrow })));
        }
    }
    Ok(None)
}

fn widens_integer(from: &PhysicalType, to: &PhysicalType) -> bool {
    use PhysicalType as P;
    matches!((from, to), (P::Int16, P::Int32 | P::Int64) | (P::Int32, P::Int64))
}

/// The rows of `Projection* (Values)`, each column an expression without columns.
fn values(plan: &LogicalPlan) -> Result<Option<Vec<Vec<RowExpr>>>> {
    match plan {
        LogicalPlan::Values(values) => {
            if values.values.len() > MAX_VALUES {
                return Ok(None);
            }
            let empty = DFSchema::empty();
            let compiler = Compiler { schema: &empty, offset: 0, props: None };
            values.values.iter().map(|row| compile_all(&compiler, row)).collect()
        }
        LogicalPlan::EmptyRelation(empty) if empty.produce_one_row => Ok(Some(vec![Vec::new()])),
        LogicalPlan::SubqueryAlias(alias) => values(&alias.input),
        LogicalPlan::Union(union) if union.inputs.len() <= MAX_VALUES => {
            let mut rows = Vec::with_capacity(union.inputs.len());
            for input in &union.inputs {
                let Some(more) = values(input)? else { return Ok(None) };
                rows.extend(more);
            }
            Ok(Some(rows))
        }
        LogicalPlan::Projection(projection) => {
            let Some(rows) = values(&projection.input)? else { return Ok(None) };
            let compiler = Compiler { schema: projection.input.schema(), offset: 0, props: None };
            let Some(exprs) = compile_all(&compiler, &projection.expr)? else { return Ok(None) };
            // An expression used twice would be evaluated twice.
            let mut uses = vec![0usize; projection.input.schema().fields().len()];
            for expr in &exprs {
                expr.any_column(&mut |column| {
                    uses[column] += 1;
                    false
                });
            }
            let mut out = Vec::with_capacity(rows.len());
            for row in &rows {
                for (expr, uses) in row.iter().zip(&uses) {
                    let simple = matches!(expr, RowExpr::Literal(_) | RowExpr::Param(_));
                    if *uses > 1 && !simple {
                        return Ok(None);
                    }
                }
                out.push(exprs.iter().map(|expr| expr.inline(row)).collect());
            }
            Ok(Some(out))
        }
        _ => Ok(None),
    }
}

fn compile_all(compiler: &Compiler<'_>, exprs: &[Expr]) -> Result<Option<Vec<RowExpr>>> {
    exprs.iter().map(|expr| compiler.compile(expr)).collect()
}

fn parameters_of(kind: &Kind) -> usize {
    let mut highest = 0;
    let mut note = |expr: &RowExpr| highest = highest.max(expr.parameters());
    let mut of_lookup = |lookup: &Lookup| {
        lookup.key.iter().map(|part| &part.value).chain(&lookup.residual).for_each(&mut note);
    };
    match kind {
        Kind::Select { lookup, output, .. } => {
            of_lookup(lookup);
            if let Output::Computed(output) = output {
                output.iter().for_each(note);
            }
        }
        Kind::Lock { lookup, output, .. } => {
            of_lookup(lookup);
            output.iter().for_each(note);
        }
        Kind::Constant { output } => output.iter().for_each(note),
        Kind::Insert { rows, .. } => rows.iter().flatten().for_each(note),
        Kind::Change { lookup, .. } => of_lookup(lookup),
    }
    highest
}
