//! Ordered-set and hypothetical-set aggregates. Rows come sorted.

use std::cmp::Ordering;

use oxi_base::{Error, Result, SqlState};
use oxi_model::{Datum, descriptor::TypeRef};

use super::Accumulator;
use crate::{builtin::args::list, compare, context::EvalContext, datetime};

#[derive(Clone, Copy, PartialEq)]
enum Ask {
    Discrete,
    Continuous,
    Mode,
}

/// `percentile_disc`, `percentile_cont`, `mode`.
struct OrderedSet {
    ask: Ask,
    type_oid: u32,
    fraction: Datum,
    values: Vec<Datum>,
}

impl OrderedSet {
    fn percentile(&self, fraction: &Datum) -> Result<Datum> {
        let fraction = match fraction {
            Datum::Float64(fraction) => *fraction,
            _ => return Ok(Datum::Null),
        };
        if !(0.0..=1.0).contains(&fraction) {
            return Err(Error::new(
                SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
                format!("percentile value {fraction} is not between 0 and 1"),
            ));
        }
        let count = self.values.len();
        if count == 0 {
            return Ok(Datum::Null);
        }
        if self.ask == Ask::Discrete {
            let row = (fraction * count as f64).ceil().max(1.0) as usize;
            return Ok(self.values[row.min(count) - 1].clone());
        }
        let place = fraction * (count - 1) as f64;
        let (low, high) = (place.floor() as usize, place.ceil() as usize);
        let part = place - low as f64;
        interpolate(&self.values[low], &self.values[high.min(count - 1)], part)
    }
}

fn interpolate(low: &Datum, high: &Datum, part: f64) -> Result<Datum> {
    match (low, high) {
        (Datum::Float64(a), Datum::Float64(b)) => {
            Ok(Datum::Float64(if part == 0.0 { *a } else { a + part * (b - a) }))
        }
        (Datum::Interval(a), Datum::Interval(b)) => {
            let gap = datetime::interval_subtract(*b, *a)?;
            let step = datetime::interval_multiply(gap, part)?;
            Ok(Datum::Interval(datetime::interval_add(*a, step)?))
        }
        _ => Ok(low.clone()),
    }
}

impl Accumulator for OrderedSet {
    fn update(&mut self, _: &EvalContext, args: &[Datum]) -> Result<()> {
        if let Some(fraction) = args.first()
            && self.ask != Ask::Mode
        {
            self.fraction = fraction.clone();
        }
        if let Some(value) = args.last().filter(|value| !value.is_null()) {
            self.values.push(value.clone());
        }
        Ok(())
    }
    fn finish(&mut self, _: &EvalContext) -> Result<Datum> {
        if self.ask == Ask::Mode {
            return Ok(self.mode());
        }
        if let Datum::List(fractions) = &self.fraction {
            if self.values.is_empty() {
                return Ok(Datum::Null);
            }
            let found = fractions
                .elements
                .iter()
                .map(|f| self.percentile(f))
                .collect::<Result<Vec<_>>>()?;
            return Ok(list(found));
        }
        self.percentile(&self.fraction)
    }
    fn size(&self) -> usize {
        64 + self.values.capacity() * size_of::<Datum>()
    }
}

impl OrderedSet {
    fn mode(&self) -> Datum {
        let mut best = (0, &Datum::Null);
        let mut start = 0;
        for at in 0..self.values.len() {
            if !compare::equal(self.type_oid, &self.values[at], &self.values[start]) {
                start = at;
            }
            if at - start + 1 > best.0 {
                best = (at - start + 1, &self.values[start]);
            }
        }
        best.1.clone()
    }
}

fn ordered(types: &[TypeRef], ask: Ask) -> Box<dyn Accumulator> {
    let type_oid = types.last().map_or(0, |reference| reference.oid);
    Box::new(OrderedSet { ask, type_oid, fraction: Datum::Null, values: Vec::new() })
}

/// Makes `percentile_disc`.
pub(super) fn percentile_disc(types: &[TypeRef]) -> Result<Box<dyn Accumulator>> {
    Ok(ordered(types, Ask::Discrete))
}

/// Makes `percentile_cont`.
pub(super) fn percentile_cont(types: &[TypeRef]) -> Result<Box<dyn Accumulator>> {
    Ok(ordered(types, Ask::Continuous))
}

/// Makes `mode`.
pub(super) fn mode(types: &[TypeRef]) -> Result<Box<dyn Accumulator>> {
    Ok(ordered(types, Ask::Mode))
}

#[derive(Clone, Copy)]
enum Standing {
    Rank,
    DenseRank,
    PercentRank,
    CumeDist,
}

/// The hypothetical-set aggregates, for one ascending sort column or several compared in turn.
struct Hypothetical {
    ask: Standing,
    types: Vec<u32>,
    rows: i64,
    before: i64,
    not_after: i64,
    distinct_before: i64,
    last: Option<Vec<Datum>>,
}

impl Accumulator for Hypothetical {
    fn update(&mut self, _: &EvalContext, args: &[Datum]) -> Result<()> {
        let half = args.len() / 2;
        let (direct, row) = args.split_at(half);
        let mut order = Ordering::Equal;
        for ((type_oid, a), b) in self.types.iter().zip(row).zip(direct) {
            order = order.then_with(|| compare::compare(*type_oid, a, b));
        }
        self.rows += 1;
        if order.is_le() {
            self.not_after += 1;
        }
        if order.is_lt() {
            self.before += 1;
            let new = self.last.as_deref() != Some(row);
            if new {
                self.distinct_before += 1;
                self.last = Some(row.to_vec());
            }
        }
        Ok(())
    }
    fn finish(&mut self, _: &EvalContext) -> Result<Datum> {
        Ok(match self.ask {
            Standing::Rank => Datum::Int64(self.before + 1),
            Standing::DenseRank => Datum::Int64(self.distinct_before + 1),
            Standing::PercentRank if self.rows == 0 => Datum::Float64(0.0),
            Standing::PercentRank => Datum::Float64(self.before as f64 / self.rows as f64),
            Standing::CumeDist => {
                Datum::Float64((self.not_after + 1) as f64 / (self.rows + 1) as f64)
            }
        })
    }
}

fn hypothetical(types: &[TypeRef], ask: Standing) -> Box<dyn Accumulator> {
    let half = types.len() / 2;
    Box::new(Hypothetical {
        ask,
        types: types[half..].iter().map(|reference| reference.oid).collect(),
        rows: 0,
        before: 0,
        not_after: 0,
        distinct_before: 0,
        last: None,
    })
}

macro_rules! hypothetical_factories {
    ($($name:ident $ask:ident;)*) => {$(
        #[doc = concat!("Makes the hypothetical-set `", stringify!($name), "`.")]
        pub(super) fn $name(types: &[TypeRef]) -> Result<Box<dyn Accumulator>> {
            Ok(hypothetical(types, Standing::$ask))
        }
    )*};
}

hypothetical_factories! {
    rank Rank;
    dense_rank DenseRank;
    percent_rank PercentRank;
    cume_dist CumeDist;
}
