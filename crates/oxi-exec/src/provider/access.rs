//! From filters to ranges of an index.

use std::{ops::Bound, sync::Arc};

use arrow::datatypes::{Schema, SchemaRef};
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};
use oxi_base::IndexId;
use oxi_model::{
    Datum, PhysicalType,
    descriptor::{RelationDescriptor, TableDescriptor},
    engine::KeyRange,
};
use oxi_sql::function::BuiltinUdf;

use crate::{
    row::{Comparison, datum_of},
    scan::index::IndexAccess,
};

/// More lookups than this in one list are not made through an index.
const MAX_RANGES: usize = 1000;

/// An index as the planner sees it.
#[derive(Clone, Debug)]
pub struct IndexInfo {
    /// Its storage.
    pub index: IndexId,
    /// Its name.
    pub name: String,
    /// Whether it is unique.
    pub unique: bool,
    /// Key columns: position in the table, descending, NULLs first.
    pub columns: Vec<KeyColumn>,
}

/// A key column.
#[derive(Clone, Copy, Debug)]
pub struct KeyColumn {
    /// Position in the table.
    pub position: usize,
    /// DESC.
    pub descending: bool,
    /// NULLS FIRST.
    pub nulls_first: bool,
}

impl IndexInfo {
    /// The index, if it is one of the table and complete.
    pub fn new(table: &TableDescriptor, index: &RelationDescriptor) -> Option<Self> {
        let descriptor = index.as_index().filter(|index| !index.invalid)?;
        let columns = descriptor
            .columns
            .iter()
            .map(|column| {
                Some(KeyColumn {
                    position: table.column_by_id(column.column)?.0,
                    descending: column.descending,
                    nulls_first: column.nulls_first,
                })
            })
            .collect::<Option<_>>()?;
        Some(IndexInfo {
            index: descriptor.storage(),
            name: index.name.clone(),
            unique: descriptor.unique && !descriptor.deferrable,
            columns,
        })
    }

    /// Whether a filter narrows the index's ranges.
    pub(crate) fn helps(&self, filter: &Expr, schema: &Schema) -> bool {
        let mut conditions = Vec::new();
        collect(filter, schema, None, &mut conditions);
        conditions.iter().any(|condition| {
            self.columns.iter().any(|column| column.position == condition.position)
        })
    }
}

/// What a scan knows of its table's indexes and of the rows it is after.
#[derive(Debug)]
pub(crate) struct Ways {
    /// The table's columns, and the row id if it was asked for.
    pub(crate) schema: SchemaRef,
    /// The physical types of the table's columns.
    pub(crate) physical: Arc<[PhysicalType]>,
    indexes: Arc<[IndexInfo]>,
    conditions: Vec<Condition>,
}

/// An index in whose order a scan could give its rows.
#[derive(Clone, Debug)]
pub(crate) struct IndexOrder {
    /// The index.
    pub(crate) index: IndexInfo,
    /// The values of the leading key columns that have one value each.
    pub(crate) prefix: Vec<Datum>,
    /// Whether no row has NULL in the key column after these.
    pub(crate) bounded: bool,
    /// Where in the index the rows are.
    pub(crate) range: KeyRange,
    /// The same in words, for EXPLAIN.
    pub(crate) condition: String,
}

/// `column comparison value`, or `column IN values`; `IS NOT NULL` is distinct from NULL.
#[derive(Clone, Debug)]
struct Condition {
    position: usize,
    comparison: Comparison,
    values: Vec<Datum>,
}

impl Ways {
    /// The ways to the rows that the filters leave.
    pub(crate) fn new(
        schema: &SchemaRef,
        physical: &Arc<[PhysicalType]>,
        indexes: &Arc<[IndexInfo]>,
        filters: &[Expr],
    ) -> Self {
        let mut conditions = Vec::new();
        for filter in filters {
            collect(filter, schema, Some(physical), &mut conditions);
        }
        Ways {
            schema: Arc::clone(schema),
            physical: Arc::clone(physical),
            indexes: Arc::clone(indexes),
            conditions,
        }
    }

    /// The best index access, if any is worth it.
    pub(crate) fn access(&self) -> Option<IndexAccess> {
        if self.conditions.is_empty() {
            return None;
        }
        let mut best: Option<(u32, IndexAccess)> = None;
        for index in self.indexes.iter() {
            if let Some((score, access)) = access_by(index, &self.schema, &self.conditions)
                && best.as_ref().is_none_or(|(highest, _)| score > *highest)
            {
                best = Some((score, access));
            }
        }
        best.map(|(_, access)| access)
    }

    /// The orders that indexes could give the rows in.
    pub(crate) fn orders(&self) -> impl Iterator<Item = IndexOrder> {
        // Of a column that has one of several values, rows do not come in one range.
        let single = |condition: &&Condition| condition.values.len() == 1;
        let conditions: Vec<Condition> = self.conditions.iter().filter(single).cloned().collect();
        self.indexes.iter().filter_map(move |index| {
            let served = Served::of(index, &self.schema, &conditions);
            let range = served.ranges().into_iter().next()?;
            Some(IndexOrder {
                index: index.clone(),
                prefix: served.prefixes.into_iter().next()?,
                bounded: served.without_nulls.is_some(),
                range,
                condition: served.words.join(" AND "),
            })
        })
    }
}

/// How an index would serve the conditions, and how well.
fn access_by(
    index: &IndexInfo,
    schema: &Schema,
    conditions: &[Condition],
) -> Option<(u32, IndexAccess)> {
    let served = Served::of(index, schema, conditions);
    // A range open at one side alone is likely to hold most of the table.
    let range = match (&served.lower, &served.upper) {
        (Some(_), Some(_)) => 2,
        (None, None) => 0,
        _ => 1,
    };
    if served.equal == 0 && range < 2 {
        return None;
    }
    let point = served.equal == index.columns.len() && index.unique;
    let score = if point { 1000 } else { served.equal as u32 * 10 + range };
    let access = IndexAccess {
        index: index.index,
        name: index.name.clone(),
        condition: served.words.join(" AND "),
        ranges: served.ranges(),
        point,
        equal: index.columns[..served.equal].iter().map(|column| column.position).collect(),
        bounded: range > 0,
        late: None,
    };
    Some((score, access))
}

/// What an index serves of the conditions.
#[derive(Default)]
struct Served {
    /// Keys of the columns that are equal to something, each a range of its own.
    prefixes: Vec<Vec<Datum>>,
    /// How many columns these are.
    equal: usize,
    /// Bounds of the next column in the index's order, and whether they are part of the range.
    lower: Option<(Datum, bool)>,
    upper: Option<(Datum, bool)>,
    /// Whether NULLs come first in that column, if the conditions leave none of them.
    without_nulls: Option<bool>,
    /// The conditions, for EXPLAIN.
    words: Vec<String>,
}

impl Served {
    fn of(index: &IndexInfo, schema: &Schema, conditions: &[Condition]) -> Self {
        let mut served = Served { prefixes: vec![Vec::new()], ..Served::default() };
        served.equalities(index, schema, conditions);
        served.range(index, schema, conditions);
        served
    }

    fn equalities(&mut self, index: &IndexInfo, schema: &Schema, conditions: &[Condition]) {
        for column in &index.columns {
            let found = conditions
                .iter()
                .filter(|condition| {
                    condition.position == column.position && condition.comparison == Comparison::Eq
                })
                .min_by_key(|condition| condition.values.len());
            let Some(condition) = found else { break };
            if self.prefixes.len() * condition.values.len() > MAX_RANGES {
                break;
            }
            self.prefixes = self
                .prefixes
                .iter()
                .flat_map(|prefix| {
                    condition.values.iter().map(|value| {
                        let mut key = prefix.clone();
                        key.push(value.clone());
                        key
                    })
                })
                .collect();
            let name = schema.field(column.position).name();
            self.words.push(format!("{name} = {}", condition.words()));
            self.equal += 1;
        }
    }

    fn range(&mut self, index: &IndexInfo, schema: &Schema, conditions: &[Condition]) {
        let Some(column) = index.columns.get(self.equal) else { return };
        for condition in conditions.iter().filter(|found| found.position == column.position) {
            let Some(value) = condition.values.first() else { continue };
            let name = schema.field(column.position).name();
            if condition.comparison == Comparison::Distinct {
                self.without_nulls = Some(column.nulls_first);
                self.words.push(format!("{name} IS NOT NULL"));
                continue;
            }
            let (lower, inclusive, word) = match condition.comparison {
                Comparison::Gt => (true, false, ">"),
                Comparison::GtEq => (true, true, ">="),
                Comparison::Lt => (false, false, "<"),
                Comparison::LtEq => (false, true, "<="),
                _ => continue,
            };
            self.without_nulls = Some(column.nulls_first);
            self.words.push(format!("{name} {word} {}", condition.words()));
            let side = if lower == column.descending { &mut self.upper } else { &mut self.lower };
            *side = Some((value.clone(), inclusive));
        }
    }

    fn ranges(&self) -> Vec<KeyRange> {
        let null = (Datum::Null, false);
        let beyond = |nulls_first| (self.without_nulls == Some(nulls_first)).then_some(&null);
        let range = |prefix: &Vec<Datum>| KeyRange {
            lower: bound(prefix, self.lower.as_ref().or(beyond(true))),
            upper: bound(prefix, self.upper.as_ref().or(beyond(false))),
            reverse: false,
        };
        self.prefixes.iter().map(range).collect()
    }
}

fn bound(prefix: &[Datum], last: Option<&(Datum, bool)>) -> Bound<Vec<Datum>> {
    match last {
        None if prefix.is_empty() => Bound::Unbounded,
        None => Bound::Included(prefix.to_vec()),
        Some((value, inclusive)) => {
            let mut key = prefix.to_vec();
            key.push(value.clone());
            if *inclusive { Bound::Included(key) } else { Bound::Excluded(key) }
        }
    }
}

impl Condition {
    fn words(&self) -> String {
        let one = |value: &Datum| match value {
            Datum::Int16(value) => value.to_string(),
            Datum::Int32(value) => value.to_string(),
            Datum::Int64(value) => value.to_string(),
            Datum::Text(value) => format!("'{value}'"),
            Datum::Bool(value) => value.to_string(),
            _ => "…".to_owned(),
        };
        match self.values.as_slice() {
            [value] => one(value),
            values => {
                let list: Vec<String> = values.iter().take(10).map(one).collect();
                format!("ANY ({})", list.join(", "))
            }
        }
    }
}

/// Finds the conditions in a filter. Without `physical` any value will do (parameters and
/// expressions may become constants later); with it only constants that fit the column count.
fn collect(
    filter: &Expr,
    schema: &Schema,
    physical: Option<&[PhysicalType]>,
    out: &mut Vec<Condition>,
) {
    match filter {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::And, right }) => {
            collect(left, schema, physical, out);
            collect(right, schema, physical, out);
        }
        Expr::BinaryExpr(BinaryExpr { op: Operator::Or, .. }) => {
            let mut position = None;
            let mut values = Vec::new();
            if alternatives(filter, schema, physical, &mut position, &mut values)
                && let Some(position) = position
            {
                out.push(Condition { position, comparison: Comparison::Eq, values });
            }
        }
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            let Some(comparison) = crate::row::comparison(*op) else { return };
            if matches!(
                comparison,
                Comparison::NotEq | Comparison::Distinct | Comparison::NotDistinct
            ) {
                return;
            }
            if let Some((position, value)) = column_and_value(left, right, schema, physical) {
                out.push(Condition { position, comparison, values: vec![value] });
            } else if let Some((position, value)) = column_and_value(right, left, schema, physical)
            {
                let comparison = comparison.flipped();
                out.push(Condition { position, comparison, values: vec![value] });
            }
        }
        Expr::Between(between) if !between.negated => {
            for (side, comparison) in
                [(&between.low, Comparison::GtEq), (&between.high, Comparison::LtEq)]
            {
                if let Some((position, value)) =
                    column_and_value(&between.expr, side, schema, physical)
                {
                    out.push(Condition { position, comparison, values: vec![value] });
                }
            }
        }
        Expr::IsNotNull(inner) => out.extend(not_null(inner, schema)),
        Expr::InList(list) if !list.negated => {
            let mut position = None;
            let mut values = Vec::new();
            for item in &list.list {
                let Some((place, value)) = column_and_value(&list.expr, item, schema, physical)
                else {
                    return;
                };
                position = Some(place);
                push_new(&mut values, value);
            }
            if let Some(position) = position {
                out.push(Condition { position, comparison: Comparison::Eq, values });
            }
        }
        _ => {}
    }
}

/// `column IS NOT NULL`.
fn not_null(column: &Expr, schema: &Schema) -> Option<Condition> {
    let Expr::Column(column) = column else { return None };
    let position = schema.index_of(&column.name).ok()?;
    Some(Condition { position, comparison: Comparison::Distinct, values: vec![Datum::Null] })
}

/// `a = 1 OR a = 2 OR …`, as the optimizer writes short lists.
fn alternatives(
    filter: &Expr,
    schema: &Schema,
    physical: Option<&[PhysicalType]>,
    position: &mut Option<usize>,
    values: &mut Vec<Datum>,
) -> bool {
    match filter {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => {
            alternatives(left, schema, physical, position, values)
                && alternatives(right, schema, physical, position, values)
        }
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) => {
            let found = column_and_value(left, right, schema, physical)
                .or_else(|| column_and_value(right, left, schema, physical));
            let Some((place, value)) = found else { return false };
            push_new(values, value);
            *position.get_or_insert(place) == place
        }
        _ => false,
    }
}

fn push_new(values: &mut Vec<Datum>, value: Datum) {
    if !values.contains(&value) {
        values.push(value);
    }
}

fn column_and_value(
    column: &Expr,
    value: &Expr,
    schema: &Schema,
    physical: Option<&[PhysicalType]>,
) -> Option<(usize, Datum)> {
    let (column, keyed) = under_key(column);
    let Expr::Column(column) = column else { return None };
    let position = schema.index_of(&column.name).ok()?;
    let (value, _) = under_key(value);
    let Some(physical) = physical else {
        return (!value.any_column_refs()).then_some((position, Datum::Null));
    };
    let physical = physical.get(position)?;
    let Expr::Literal(scalar, _) = value else { return None };
    let datum = datum_of(scalar).ok().flatten()?;
    if datum.is_null() {
        return None;
    }
    key_datum(datum, keyed, physical).map(|datum| (position, datum))
}

/// A value as it stands in keys of a column; `keyed` says that it was made comparable first.
pub(crate) fn key_datum(datum: Datum, keyed: bool, physical: &PhysicalType) -> Option<Datum> {
    let datum = match (datum, keyed, physical) {
        (_, false, PhysicalType::Numeric | PhysicalType::Interval | PhysicalType::List(_)) => {
            return None;
        }
        // The key is the encoding without the display scale, which two more bytes stand for.
        (Datum::Bytes(bytes), true, PhysicalType::Numeric) => {
            let mut bytes = bytes.into_vec();
            bytes.extend_from_slice(&[0, 0]);
            Datum::bytes(bytes)
        }
        (datum, true, PhysicalType::Float32 | PhysicalType::Float64) => datum,
        (_, true, _) => return None,
        (datum, false, _) => datum,
    };
    datum.fits(physical).then_some(datum)
}

/// The expression under the function that makes values comparable, and whether there was one.
pub(crate) fn under_key(expr: &Expr) -> (&Expr, bool) {
    match expr {
        Expr::ScalarFunction(call)
            if matches!(call.func.name(), "numeric_key" | "sort_key")
                && BuiltinUdf::of(&call.func).is_some() =>
        {
            match call.args.as_slice() {
                [inner] => (inner, true),
                _ => (expr, false),
            }
        }
        Expr::Alias(alias) => under_key(&alias.expr),
        other => (other, false),
    }
}
