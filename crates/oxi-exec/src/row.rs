//! Expressions over one row of values, without batches.
//!
//! The point path and everything that writes rows evaluate with these. What functions compute is
//! the same code that the query engine's functions call, so both routes give the same results.

use std::{borrow::Cow, cmp::Ordering, sync::Arc};

use arrow::{
    array::{Array, ArrayRef, RecordBatch, RecordBatchOptions},
    datatypes::{DataType, SchemaRef},
};
use datafusion::{
    common::ScalarValue,
    logical_expr::{ColumnarValue, ScalarUDFImpl, Volatility},
    physical_expr::PhysicalExpr,
};
use oxi_base::{Error, Result};
use oxi_model::{
    Datum, PhysicalType,
    array::{array_from_datums, arrow_type, datum_at, decode_list},
};
use oxi_sql::function::BuiltinUdf;
use oxi_types::EvalContext;

mod compile;

pub use compile::Compiler;
pub(crate) use compile::comparison;

/// An expression over a row.
#[derive(Clone, Debug)]
pub enum RowExpr {
    /// A column of the row, by position.
    Column(usize),
    /// `$n`, counted from zero.
    Param(usize),
    /// A constant.
    Literal(Datum),
    /// A comparison of values of one type.
    Compare(Comparison, Box<(RowExpr, RowExpr)>),
    /// Three-valued AND.
    And(Box<(RowExpr, RowExpr)>),
    /// Three-valued OR.
    Or(Box<(RowExpr, RowExpr)>),
    /// Three-valued NOT.
    Not(Box<RowExpr>),
    /// IS NULL, or IS NOT NULL if negated.
    IsNull(Box<RowExpr>, bool),
    /// IS TRUE / IS FALSE (the value), negated or not.
    IsBool(Box<RowExpr>, bool, bool),
    /// A built-in function, operator or cast.
    Call(Arc<BuiltinUdf>, Vec<RowExpr>),
    /// Between integer and float types, widening only.
    Widen(Box<RowExpr>, PhysicalType),
    /// CASE without operand: conditions with results, and ELSE.
    Case(Vec<(RowExpr, RowExpr)>, Option<Box<RowExpr>>),
    /// Membership in a list.
    InList(Box<RowExpr>, Vec<RowExpr>, bool),
    /// Anything else, by the query engine on a batch of one row.
    Batch(Arc<BatchExpr>),
}

/// Comparison operators.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Comparison {
    /// `=`
    Eq,
    /// `<>`
    NotEq,
    /// `<`
    Lt,
    /// `<=`
    LtEq,
    /// `>`
    Gt,
    /// `>=`
    GtEq,
    /// IS DISTINCT FROM
    Distinct,
    /// IS NOT DISTINCT FROM
    NotDistinct,
}

/// An expression of the query engine over rows of a known schema.
#[derive(Debug)]
pub struct BatchExpr {
    expr: Arc<dyn PhysicalExpr>,
    schema: SchemaRef,
    offset: usize,
    output: PhysicalType,
}

/// The values an expression sees: up to two rows side by side, and the parameters.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// Columns from position 0.
    pub row: &'a [Datum],
    /// Columns after those of `row`.
    pub second: &'a [Datum],
    /// `$1`, `$2`, …
    pub params: &'a [Datum],
}

impl<'a> Scope<'a> {
    /// A row alone.
    pub fn of(row: &'a [Datum], params: &'a [Datum]) -> Self {
        Scope { row, second: &[], params }
    }

    fn column(&self, position: usize) -> Result<&'a Datum> {
        self.row
            .get(position)
            .or_else(|| self.second.get(position.wrapping_sub(self.row.len())))
            .ok_or_else(|| Error::bug(format!("no column {position} in the row")))
    }
}

impl RowExpr {
    /// The expression's value for a row.
    pub fn eval<'a>(&'a self, eval: &EvalContext, scope: Scope<'a>) -> Result<Cow<'a, Datum>> {
        Ok(match self {
            RowExpr::Column(position) => Cow::Borrowed(scope.column(*position)?),
            RowExpr::Param(number) => Cow::Borrowed(
                scope
                    .params
                    .get(*number)
                    .ok_or_else(|| Error::bug(format!("no value for ${}", number + 1)))?,
            ),
            RowExpr::Literal(value) => Cow::Borrowed(value),
            RowExpr::Call(function, args) => Cow::Owned(call(function, args, eval, scope)?),
            RowExpr::Compare(comparison, sides) => {
                let left = sides.0.eval(eval, scope)?;
                let right = sides.1.eval(eval, scope)?;
                Cow::Owned(comparison.apply(&left, &right)?)
            }
            RowExpr::And(sides) => Cow::Owned(connective(sides, false, eval, scope)?),
            RowExpr::Or(sides) => Cow::Owned(connective(sides, true, eval, scope)?),
            RowExpr::Not(inner) => Cow::Owned(match truth(&*inner.eval(eval, scope)?)? {
                Some(value) => Datum::Bool(!value),
                None => Datum::Null,
            }),
            RowExpr::IsNull(inner, negated) => {
                Cow::Owned(Datum::Bool(inner.eval(eval, scope)?.is_null() != *negated))
            }
            RowExpr::IsBool(inner, value, negated) => {
                let is = truth(&*inner.eval(eval, scope)?)? == Some(*value);
                Cow::Owned(Datum::Bool(is != *negated))
            }
            RowExpr::Widen(inner, to) => Cow::Owned(widen(&*inner.eval(eval, scope)?, to)?),
            RowExpr::Case(branches, otherwise) => {
                for (condition, result) in branches {
                    if condition.holds(eval, scope)? {
                        return result.eval(eval, scope);
                    }
                }
                match otherwise {
                    Some(otherwise) => otherwise.eval(eval, scope)?,
                    None => Cow::Owned(Datum::Null),
                }
            }
            RowExpr::InList(needle, list, negated) => {
                Cow::Owned(in_list(needle, list, *negated, eval, scope)?)
            }
            RowExpr::Batch(expr) => Cow::Owned(expr.eval(scope)?),
        })
    }

    /// Whether the expression is true (not false, not NULL).
    pub fn holds(&self, eval: &EvalContext, scope: Scope<'_>) -> Result<bool> {
        Ok(truth(&*self.eval(eval, scope)?)? == Some(true))
    }

    /// Whether the expression is false (a CHECK that is NULL passes).
    pub fn fails(&self, eval: &EvalContext, scope: Scope<'_>) -> Result<bool> {
        Ok(truth(&*self.eval(eval, scope)?)? == Some(false))
    }

    /// Whether it has one value for the whole statement.
    pub fn is_constant(&self) -> bool {
        match self {
            RowExpr::Column(_) | RowExpr::Batch(_) => false,
            RowExpr::Param(_) | RowExpr::Literal(_) => true,
            RowExpr::Compare(_, sides) | RowExpr::And(sides) | RowExpr::Or(sides) => {
                sides.0.is_constant() && sides.1.is_constant()
            }
            RowExpr::Not(inner)
            | RowExpr::IsNull(inner, _)
            | RowExpr::IsBool(inner, _, _)
            | RowExpr::Widen(inner, _) => inner.is_constant(),
            RowExpr::Call(function, args) => {
                function.signature().volatility != Volatility::Volatile
                    && args.iter().all(RowExpr::is_constant)
            }
            RowExpr::Case(branches, otherwise) => {
                branches.iter().all(|(when, then)| when.is_constant() && then.is_constant())
                    && otherwise.as_ref().is_none_or(|expr| expr.is_constant())
            }
            RowExpr::InList(needle, list, _) => {
                needle.is_constant() && list.iter().all(RowExpr::is_constant)
            }
        }
    }
}

impl RowExpr {
    /// Visits the direct parts.
    fn parts_mut(&mut self, visit: &mut dyn FnMut(&mut RowExpr)) {
        match self {
            RowExpr::Column(_) | RowExpr::Param(_) | RowExpr::Literal(_) | RowExpr::Batch(_) => {}
            RowExpr::Compare(_, sides) | RowExpr::And(sides) | RowExpr::Or(sides) => {
                visit(&mut sides.0);
                visit(&mut sides.1);
            }
            RowExpr::Not(inner)
            | RowExpr::IsNull(inner, _)
            | RowExpr::IsBool(inner, _, _)
            | RowExpr::Widen(inner, _) => visit(inner),
            RowExpr::Call(_, args) => args.iter_mut().for_each(visit),
            RowExpr::Case(branches, otherwise) => {
                for (when, then) in branches {
                    visit(when);
                    visit(then);
                }
                if let Some(otherwise) = otherwise {
                    visit(otherwise);
                }
            }
            RowExpr::InList(needle, list, _) => {
                visit(needle);
                list.iter_mut().for_each(visit);
            }
        }
    }

    /// Renumbers the columns.
    pub(crate) fn map_columns(&mut self, map: &mut dyn FnMut(usize) -> usize) {
        if let RowExpr::Column(column) = self {
            *column = map(*column);
        }
        self.parts_mut(&mut |part| part.map_columns(map));
    }

    /// Whether some column satisfies the test; visits every use of a column until one does.
    pub(crate) fn any_column(&self, test: &mut dyn FnMut(usize) -> bool) -> bool {
        let mut found = false;
        self.clone().map_columns(&mut |column| {
            found = found || test(column);
            column
        });
        found
    }

    /// Marks the columns it reads.
    pub(crate) fn mark_columns(&self, used: &mut [bool]) {
        fn visit(expr: &mut RowExpr, used: &mut [bool]) {
            match expr {
                // A batch has all columns, read or not.
                RowExpr::Batch(_) => used.fill(true),
                RowExpr::Column(column) => {
                    if let Some(used) = used.get_mut(*column) {
                        *used = true;
                    }
                }
                other => other.parts_mut(&mut |part| visit(part, used)),
            }
        }
        visit(&mut self.clone(), used);
    }

    /// The expression with columns replaced by other expressions.
    pub(crate) fn inline(&self, columns: &[RowExpr]) -> RowExpr {
        fn replace(expr: &mut RowExpr, columns: &[RowExpr]) {
            if let RowExpr::Column(column) = expr
                && let Some(value) = columns.get(*column)
            {
                *expr = value.clone();
                return;
            }
            expr.parts_mut(&mut |part| replace(part, columns));
        }
        let mut expr = self.clone();
        replace(&mut expr, columns);
        expr
    }

    /// One more than the highest parameter number used.
    pub(crate) fn parameters(&self) -> usize {
        fn highest(expr: &mut RowExpr, found: &mut usize) {
            if let RowExpr::Param(number) = expr {
                *found = (*found).max(*number + 1);
            }
            expr.parts_mut(&mut |part| highest(part, found));
        }
        let mut found = 0;
        highest(&mut self.clone(), &mut found);
        found
    }
}

fn call(
    function: &BuiltinUdf,
    args: &[RowExpr],
    eval: &EvalContext,
    scope: Scope<'_>,
) -> Result<Datum> {
    let types = function.arg_types();
    let value = |place: usize| -> Result<Datum> {
        let value = args[place].eval(eval, scope)?.into_owned();
        match types.get(place) {
            Some(physical) => into_physical(value, physical),
            None => Ok(value),
        }
    };
    match args.len() {
        0 => function.call(eval, &[]),
        1 => function.call(eval, &[value(0)?]),
        2 => function.call(eval, &[value(0)?, value(1)?]),
        count => {
            let values = (0..count).map(value).collect::<Result<Vec<_>>>()?;
            function.call(eval, &values)
        }
    }
}

fn connective(
    sides: &(RowExpr, RowExpr),
    decisive: bool,
    eval: &EvalContext,
    scope: Scope<'_>,
) -> Result<Datum> {
    let left = truth(&*sides.0.eval(eval, scope)?)?;
    if left == Some(decisive) {
        return Ok(Datum::Bool(decisive));
    }
    let right = truth(&*sides.1.eval(eval, scope)?)?;
    Ok(match (left, right) {
        (_, Some(right)) if right == decisive => Datum::Bool(decisive),
        (Some(_), Some(_)) => Datum::Bool(!decisive),
        _ => Datum::Null,
    })
}

fn truth(value: &Datum) -> Result<Option<bool>> {
    match value {
        Datum::Bool(value) => Ok(Some(*value)),
        Datum::Null => Ok(None),
        other => Err(Error::bug(format!("{other:?} as a condition"))),
    }
}

fn in_list(
    needle: &RowExpr,
    list: &[RowExpr],
    negated: bool,
    eval: &EvalContext,
    scope: Scope<'_>,
) -> Result<Datum> {
    let needle = needle.eval(eval, scope)?;
    if needle.is_null() {
        return Ok(Datum::Null);
    }
    let mut unknown = false;
    for item in list {
        let item = item.eval(eval, scope)?;
        match Comparison::Eq.apply(&needle, &item)? {
            Datum::Bool(true) => return Ok(Datum::Bool(!negated)),
            Datum::Null => unknown = true,
            _ => {}
        }
    }
    Ok(if unknown { Datum::Null } else { Datum::Bool(negated) })
}

impl Comparison {
    fn apply(self, left: &Datum, right: &Datum) -> Result<Datum> {
        if left.is_null() || right.is_null() {
            let both = left.is_null() && right.is_null();
            return Ok(match self {
                Comparison::Distinct => Datum::Bool(!both),
                Comparison::NotDistinct => Datum::Bool(both),
                _ => Datum::Null,
            });
        }
        let order = order(left, right)?;
        Ok(Datum::Bool(match self {
            Comparison::Eq | Comparison::NotDistinct => order.is_eq(),
            Comparison::NotEq | Comparison::Distinct => order.is_ne(),
            Comparison::Lt => order.is_lt(),
            Comparison::LtEq => order.is_le(),
            Comparison::Gt => order.is_gt(),
            Comparison::GtEq => order.is_ge(),
        }))
    }

    /// The comparison with its sides exchanged.
    pub fn flipped(self) -> Self {
        match self {
            Comparison::Lt => Comparison::Gt,
            Comparison::LtEq => Comparison::GtEq,
            Comparison::Gt => Comparison::Lt,
            Comparison::GtEq => Comparison::LtEq,
            other => other,
        }
    }
}

/// The order of two values of one physical type, as the query engine's kernels see it.
fn order(left: &Datum, right: &Datum) -> Result<Ordering> {
    Ok(match (left, right) {
        (Datum::Bool(left), Datum::Bool(right)) => left.cmp(right),
        (Datum::Int16(left), Datum::Int16(right)) => left.cmp(right),
        (Datum::Int32(left), Datum::Int32(right)) => left.cmp(right),
        (Datum::Int64(left), Datum::Int64(right)) => left.cmp(right),
        (Datum::UInt32(left), Datum::UInt32(right)) => left.cmp(right),
        (Datum::Float32(left), Datum::Float32(right)) => left.total_cmp(right),
        (Datum::Float64(left), Datum::Float64(right)) => left.total_cmp(right),
        (Datum::Uuid(left), Datum::Uuid(right)) => left.cmp(right),
        (Datum::Text(left), Datum::Text(right)) => left.cmp(right),
        (Datum::Bytes(left), Datum::Bytes(right)) => left.cmp(right),
        (Datum::Interval(left), Datum::Interval(right)) => {
            (left.months, left.days, left.micros).cmp(&(right.months, right.days, right.micros))
        }
        (Datum::List(left), Datum::List(right)) if left == right => Ordering::Equal,
        _ => return Err(Error::bug(format!("{left:?} compared with {right:?}"))),
    })
}

fn widen(value: &Datum, to: &PhysicalType) -> Result<Datum> {
    let integer = match value {
        Datum::Null => return Ok(Datum::Null),
        Datum::Int16(value) => i64::from(*value),
        Datum::Int32(value) => i64::from(*value),
        Datum::Int64(value) => *value,
        Datum::Float32(value) if *to == PhysicalType::Float64 => {
            return Ok(Datum::Float64(f64::from(*value)));
        }
        other => return Err(Error::bug(format!("{other:?} widened to {to:?}"))),
    };
    Ok(match to {
        PhysicalType::Int32 => Datum::Int32(integer as i32),
        PhysicalType::Int64 => Datum::Int64(integer),
        PhysicalType::Float32 => Datum::Float32(integer as f32),
        PhysicalType::Float64 => Datum::Float64(integer as f64),
        other => return Err(Error::bug(format!("integer widened to {other:?}"))),
    })
}

/// Values of arrays read without knowing their type are byte strings: gives them their form back.
pub fn into_physical(value: Datum, physical: &PhysicalType) -> Result<Datum> {
    match (value, physical) {
        (Datum::Bytes(bytes), PhysicalType::List(element)) => {
            let list = decode_list(&bytes, element)
                .ok_or_else(|| Error::corrupt("malformed array value"))?;
            Ok(Datum::List(Arc::new(list)))
        }
        (value, _) => Ok(value),
    }
}

/// A physical type with this Arrow type; several share BinaryView, all of them byte strings.
pub fn physical_of(data_type: &DataType) -> Option<PhysicalType> {
    use PhysicalType as P;
    [
        P::Bool,
        P::Int16,
        P::Int32,
        P::Int64,
        P::UInt32,
        P::Float32,
        P::Float64,
        P::Date,
        P::Time,
        P::Timestamp,
        P::TimestampTz,
        P::Interval,
        P::Uuid,
        P::Text,
        P::Bytes,
    ]
    .into_iter()
    .find(|physical| arrow_type(physical) == *data_type)
}

/// The value of a constant of the query engine.
pub fn datum_of(scalar: &ScalarValue) -> Result<Option<Datum>> {
    Ok(match scalar {
        scalar if scalar.is_null() => Some(Datum::Null),
        ScalarValue::Utf8(Some(text)) | ScalarValue::LargeUtf8(Some(text)) => {
            Some(Datum::text(text.as_str()))
        }
        ScalarValue::Binary(Some(bytes)) => Some(Datum::bytes(bytes.as_slice())),
        scalar => match physical_of(&scalar.data_type()) {
            None => None,
            Some(physical) => {
                let array = scalar.to_array_of_size(1).map_err(crate::error::from_datafusion)?;
                Some(datum_at(array.as_ref(), &physical, 0)?)
            }
        },
    })
}

impl BatchExpr {
    fn eval(&self, scope: Scope<'_>) -> Result<Datum> {
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(self.schema.fields().len());
        for (place, field) in self.schema.fields().iter().enumerate() {
            columns.push(match place.checked_sub(self.offset) {
                None => arrow::array::new_null_array(field.data_type(), 1),
                Some(place) => {
                    let physical = physical_of(field.data_type()).ok_or_else(|| {
                        Error::bug(format!("a row with a column of {}", field.data_type()))
                    })?;
                    array_from_datums(&physical, [scope.column(place)?])?
                }
            });
        }
        let options = RecordBatchOptions::new().with_row_count(Some(1));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)
            .map_err(|error| crate::error::convert_arrow(&error))?;
        match self.expr.evaluate(&batch).map_err(crate::error::from_datafusion)? {
            ColumnarValue::Array(array) => datum_at(array.as_ref(), &self.output, 0),
            ColumnarValue::Scalar(scalar) => {
                let array = scalar.to_array_of_size(1).map_err(crate::error::from_datafusion)?;
                datum_at(array.as_ref() as &dyn Array, &self.output, 0)
            }
        }
    }
}

#[cfg(test)]
mod tests;
