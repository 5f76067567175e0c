//! Counting, sums, averages, extremes, booleans and bits.

use oxi_base::Result;
use oxi_model::{Datum, Interval, descriptor::TypeRef};

use super::Accumulator;
use crate::{
    builtin::{args::list, math::out_of_range},
    compare::compare,
    context::EvalContext,
    datetime,
    numeric::Numeric,
    oid,
};

fn type_at(types: &[TypeRef], at: usize) -> u32 {
    types.get(at).map_or(0, |reference| reference.oid)
}

fn boxed<T: Accumulator + 'static>(state: T) -> Result<Box<dyn Accumulator>> {
    Ok(Box::new(state))
}

fn state_parts(state: &Datum) -> &[Datum] {
    match state {
        Datum::List(parts) => &parts.elements,
        _ => &[],
    }
}

/// `count(*)` and `count(any)`.
struct Count(i64);

impl Accumulator for Count {
    fn update(&mut self, _: &EvalContext, args: &[Datum]) -> Result<()> {
        if args.first().is_none_or(|value| !value.is_null()) {
            self.0 += 1;
        }
        Ok(())
    }
    fn finish(&mut self, _: &EvalContext) -> Result<Datum> {
        Ok(Datum::Int64(self.0))
    }
    fn state(&self, _: &EvalContext) -> Result<Datum> {
        Ok(Datum::Int64(self.0))
    }
    fn merge(&mut self, _: &EvalContext, state: &Datum) -> Result<()> {
        if let Datum::Int64(count) = state {
            self.0 += count;
        }
        Ok(())
    }
}

/// Makes `count`.
pub(super) fn count(_: &[TypeRef]) -> Result<Box<dyn Accumulator>> {
    boxed(Count(0))
}

/// What an exact sum is asked for.
#[derive(Clone, Copy)]
enum SumResult {
    Int64,
    Numeric,
    Average,
}

/// Sums of integers and numerics, exact: integers in 128 bits, numerics as they come.
struct ExactSum {
    result: SumResult,
    count: i64,
    integers: i128,
    numbers: Option<Numeric>,
}

impl ExactSum {
    fn total(&self) -> Numeric {
        let integers = Numeric::from_i128(self.integers);
        match &self.numbers {
            None => integers,
            Some(numbers) if self.integers == 0 => numbers.clone(),
            Some(numbers) => numbers.add(&integers),
        }
    }
}

impl Accumulator for ExactSum {
    fn update(&mut self, _: &EvalContext, args: &[Datum]) -> Result<()> {
        let addend = match args.first() {
            None | Some(Datum::Null) => return Ok(()),
            Some(Datum::Int16(value)) => i128::from(*value),
            Some(Datum::Int32(value)) => i128::from(*value),
            Some(Datum::Int64(value)) => i128::from(*value),
            Some(other) => {
                let value = Numeric::from_datum(other)?;
                self.count += 1;
                self.numbers = Some(match &self.numbers {
                    None => value,
                    Some(sum) => sum.add(&value),
                });
                return Ok(());
            }
        };
        self.count += 1;
        self.integers += addend;
        Ok(())
    }
    fn finish(&mut self, _: &EvalContext) -> Result<Datum> {
        if self.count == 0 {
            return Ok(Datum::Null);
        }
        match self.result {
            SumResult::Int64 => {
                i64::try_from(self.integers).map(Datum::Int64).map_err(|_| out_of_range("bigint"))
            }
            SumResult::Numeric => self.total().to_datum(),
            SumResult::Average => {
                self.total().div(&Numeric::from_i128(i128::from(self.count)))?.to_datum()
            }
        }
    }
    fn state(&self, _: &EvalContext) -> Result<Datum> {
        let total = if self.count == 0 { Datum::Null } else { self.total().to_datum()? };
        Ok(list(vec![Datum::Int64(self.count), total]))
    }
    fn merge(&mut self, _: &EvalContext, state: &Datum) -> Result<()> {
        if let [Datum::Int64(count), total] = state_parts(state)
            && !total.is_null()
        {
            self.count += count;
            let total = Numeric::from_datum(total)?;
            if matches!(self.result, SumResult::Int64) {
                self.integers += total.to_i128().unwrap_or(0);
            } else {
                self.numbers = Some(match &self.numbers {
                    None => total,
                    Some(sum) => sum.add(&total),
                });
            }
        }
        Ok(())
    }
}

fn exact(result: SumResult) -> Result<Box<dyn Accumulator>> {
    boxed(ExactSum { result, count: 0, integers: 0, numbers: None })
}

/// Makes `sum` of smallint and integer.
pub(super) fn sum_int8(_: &[TypeRef]) -> Result<Box<dyn Accumulator>> {
    exact(SumResult::Int64)
}

/// Makes `sum` of bigint and numeric.
pub(super) fn sum_numeric(_: &[TypeRef]) -> Result<Box<dyn Accumulator>> {
    exact(SumResult::Numeric)
}

/// Makes `avg` of integers and numerics.
pub(super) fn avg_numeric(_: &[TypeRef]) -> Result<Box<dyn Accumulator>> {
    exact(SumResult::Average)
}

/// `sum(float4)`, `sum(float8)`.
struct FloatSum {
    sum: Option<Datum>,
}

impl Accumulator for FloatSum {
    fn update(&mut self, context: &EvalContext, args: &[Datum]) -> Result<()> {
        self.merge(context, args.first().unwrap_or(&Datum::Null))
    }
    fn finish(&mut self, _: &EvalContext) -> Result<Datum> {
        Ok(self.sum.clone().unwrap_or_default())
    }
    fn state(&self, _: &EvalContext) -> Result<Datum> {
        Ok(self.sum.clone().unwrap_or_default())
    }
    fn merge(&mut self, context: &EvalContext, value: &Datum) -> Result<()> {
        if value.is_null() {
            return Ok(());
        }
        self.sum = Some(match self.sum.take() {
            None => value.clone(),
            Some(sum) => {
                let pair = [sum, value.clone()];
                if matches!(value, Datum::Float32(_)) {
                    crate::builtin::math::float4pl(context, &pair)?
                } else {
                    crate::builtin::math::float8pl(context, &pair)?
                }
            }
        });
        Ok(())
    }
}

/// Makes `sum` of floats.
pub(super) fn sum_float(_: &[TypeRef]) -> Result<Box<dyn Accumulator>> {
    boxed(FloatSum { sum: None })
}

/// `sum` and `avg` of intervals; `sum` of money.
struct IntervalSum {
    average: bool,
    count: i64,
    sum: Interval,
}

impl Accumulator for IntervalSum {
    fn update(&mut self, _: &EvalContext, args: &[Datum]) -> Result<()> {
        if let Some(Datum::Interval(value)) = args.first() {
            self.count += 1;
            self.sum = datetime::interval_add(self.sum, *value)?;
        }
        Ok(())
    }
    fn finish(&mut self, _: &EvalContext) -> Result<Datum> {
        if self.count == 0 {
            return Ok(Datum::Null);
        }
        if self.average {
            return datetime::interval_divide(self.sum, self.count as f64).map(Datum::Interval);
        }
        Ok(Datum::Interval(self.sum))
    }
}

/// Makes `sum(interval)`.
pub(super) fn sum_interval(_: &[TypeRef]) -> Result<Box<dyn Accumulator>> {
    boxed(IntervalSum { average: false, count: 0, sum: Interval::default() })
}

/// Makes `avg(interval)`.
pub(super) fn avg_interval(_: &[TypeRef]) -> Result<Box<dyn Accumulator>> {
    boxed(IntervalSum { average: true, count: 0, sum: Interval::default() })
}

/// `min` and `max` of any ordered type.
struct Extreme {
    type_oid: u32,
    wanted: std::cmp::Ordering,
    best: Datum,
}

impl Accumulator for Extreme {
    fn update(&mut self, context: &EvalContext, args: &[Datum]) -> Result<()> {
        self.merge(context, args.first().unwrap_or(&Datum::Null))
    }
    fn finish(&mut self, _: &EvalContext) -> Result<Datum> {
        Ok(self.best.clone())
    }
    fn state(&self, _: &EvalContext) -> Result<Datum> {
        Ok(self.best.clone())
    }
    fn merge(&mut self, _: &EvalContext, value: &Datum) -> Result<()> {
        if !value.is_null()
            && (self.best.is_null() || compare(self.type_oid, value, &self.best) == self.wanted)
        {
            self.best = value.clone();
        }
        Ok(())
    }
}

/// Makes `min`.
pub(super) fn min(types: &[TypeRef]) -> Result<Box<dyn Accumulator>> {
    let type_oid = type_at(types, 0);
    boxed(Extreme { type_oid, wanted: std::cmp::Ordering::Less, best: Datum::Null })
}

/// Makes `max`.
pub(super) fn max(types: &[TypeRef]) -> Result<Box<dyn Accumulator>> {
    let type_oid = type_at(types, 0);
    boxed(Extreme { type_oid, wanted: std::cmp::Ordering::Greater, best: Datum::Null })
}

/// Folds values that are not NULL with a function of two.
struct Fold {
    combine: fn(&Datum, &Datum) -> Datum,
    value: Datum,
}

impl Accumulator for Fold {
    fn update(&mut self, context: &EvalContext, args: &[Datum]) -> Result<()> {
        self.merge(context, args.first().unwrap_or(&Datum::Null))
    }
    fn finish(&mut self, _: &EvalContext) -> Result<Datum> {
        Ok(self.value.clone())
    }
    fn state(&self, _: &EvalContext) -> Result<Datum> {
        Ok(self.value.clone())
    }
    fn merge(&mut self, _: &EvalContext, value: &Datum) -> Result<()> {
        if !value.is_null() {
            self.value = if self.value.is_null() {
                value.clone()
            } else {
                (self.combine)(&self.value, value)
            };
        }
        Ok(())
    }
}

macro_rules! folds {
    ($($name:ident $bool_op:tt $doc:literal;)*) => {$(
        #[doc = $doc]
        pub(super) fn $name(_: &[TypeRef]) -> Result<Box<dyn Accumulator>> {
            boxed(Fold {
                combine: |a, b| match (a, b) {
                    (Datum::Bool(a), Datum::Bool(b)) => Datum::Bool(*a $bool_op *b),
                    (Datum::Int16(a), Datum::Int16(b)) => Datum::Int16(*a $bool_op *b),
                    (Datum::Int32(a), Datum::Int32(b)) => Datum::Int32(*a $bool_op *b),
                    (Datum::Int64(a), Datum::Int64(b)) => Datum::Int64(*a $bool_op *b),
                    _ => Datum::Null,
                },
                value: Datum::Null,
            })
        }
    )*};
}

folds! {
    fold_and & "Makes `bool_and`, `every` and `bit_and`.";
    fold_or | "Makes `bool_or` and `bit_or`.";
    fold_xor ^ "Makes `bit_xor`.";
}

/// `string_agg` of text and bytea.
struct StringAgg {
    text: bool,
    bytes: Option<Vec<u8>>,
}

impl Accumulator for StringAgg {
    fn update(&mut self, _: &EvalContext, args: &[Datum]) -> Result<()> {
        let raw = |value: Option<&Datum>| match value {
            Some(Datum::Text(text)) => Some(text.as_bytes().to_vec()),
            Some(Datum::Bytes(bytes)) => Some(bytes.to_vec()),
            _ => None,
        };
        let Some(value) = raw(args.first()) else { return Ok(()) };
        match &mut self.bytes {
            None => self.bytes = Some(value),
            Some(all) => {
                if let Some(delimiter) = raw(args.get(1)) {
                    all.extend_from_slice(&delimiter);
                }
                all.extend_from_slice(&value);
            }
        }
        Ok(())
    }
    fn finish(&mut self, _: &EvalContext) -> Result<Datum> {
        Ok(match &self.bytes {
            None => Datum::Null,
            Some(bytes) if self.text => Datum::text(String::from_utf8_lossy(bytes).into_owned()),
            Some(bytes) => Datum::bytes(bytes.as_slice()),
        })
    }
    fn size(&self) -> usize {
        64 + self.bytes.as_ref().map_or(0, Vec::capacity)
    }
}

/// Makes `string_agg`.
pub(super) fn string_agg(types: &[TypeRef]) -> Result<Box<dyn Accumulator>> {
    boxed(StringAgg { text: type_at(types, 0) != oid::BYTEA, bytes: None })
}

/// `array_agg`.
struct ArrayAgg {
    nested: bool,
    seen: bool,
    elements: Vec<Datum>,
}

impl Accumulator for ArrayAgg {
    fn update(&mut self, _: &EvalContext, args: &[Datum]) -> Result<()> {
        self.seen = true;
        self.elements.push(args.first().cloned().unwrap_or_default());
        Ok(())
    }
    fn finish(&mut self, _: &EvalContext) -> Result<Datum> {
        if !self.seen {
            return Ok(Datum::Null);
        }
        if self.nested {
            return crate::list::stack(&self.elements);
        }
        Ok(list(self.elements.clone()))
    }
    fn size(&self) -> usize {
        64 + self.elements.capacity() * size_of::<Datum>()
    }
}

/// Makes `array_agg`.
pub(super) fn array_agg(types: &[TypeRef]) -> Result<Box<dyn Accumulator>> {
    let nested =
        crate::pg_type::by_oid(type_at(types, 0)).is_some_and(crate::pg_type::PgType::is_array);
    boxed(ArrayAgg { nested, seen: false, elements: Vec::new() })
}
