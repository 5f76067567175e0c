//! Averages of floats, variances, covariances and regressions.

use oxi_base::{Error, Result, SqlState};
use oxi_model::{Datum, descriptor::TypeRef};

use super::Accumulator;
use crate::{builtin::args::list, context::EvalContext, numeric::Numeric};

fn overflow() -> Error {
    Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "value out of range: overflow")
}

fn as_float(datum: Option<&Datum>) -> Option<f64> {
    match datum {
        Some(Datum::Float64(value)) => Some(*value),
        Some(Datum::Float32(value)) => Some(f64::from(*value)),
        _ => None,
    }
}

/// What is asked of the moments of one float variable.
#[derive(Clone, Copy)]
enum Moment {
    Average,
    VariancePop,
    VarianceSamp,
    StddevPop,
    StddevSamp,
}

/// The moments of one float variable by Youngs and Cramer's update.
struct FloatMoments {
    ask: Moment,
    n: f64,
    sx: f64,
    sxx: f64,
}

impl Accumulator for FloatMoments {
    fn update(&mut self, _: &EvalContext, args: &[Datum]) -> Result<()> {
        let Some(value) = as_float(args.first()) else { return Ok(()) };
        let n = self.n + 1.0;
        let sx = self.sx + value;
        let mut sxx = self.sxx;
        if self.n > 0.0 {
            let deviation = value * n - sx;
            sxx += deviation * deviation / (n * self.n);
            if sx.is_infinite() || sxx.is_infinite() {
                if self.sx.is_finite() && value.is_finite() {
                    return Err(overflow());
                }
                sxx = f64::NAN;
            }
        } else if !value.is_finite() {
            sxx = f64::NAN;
        }
        (self.n, self.sx, self.sxx) = (n, sx, sxx);
        Ok(())
    }
    fn finish(&mut self, _: &EvalContext) -> Result<Datum> {
        if self.n == 0.0 {
            return Ok(Datum::Null);
        }
        let sample = matches!(self.ask, Moment::VarianceSamp | Moment::StddevSamp);
        if sample && self.n <= 1.0 {
            return Ok(Datum::Null);
        }
        Ok(Datum::Float64(match self.ask {
            Moment::Average => self.sx / self.n,
            Moment::VariancePop => self.sxx / self.n,
            Moment::VarianceSamp => self.sxx / (self.n - 1.0),
            Moment::StddevPop => (self.sxx / self.n).sqrt(),
            Moment::StddevSamp => (self.sxx / (self.n - 1.0)).sqrt(),
        }))
    }
    fn state(&self, _: &EvalContext) -> Result<Datum> {
        Ok(list(vec![Datum::Float64(self.n), Datum::Float64(self.sx), Datum::Float64(self.sxx)]))
    }
    fn merge(&mut self, _: &EvalContext, state: &Datum) -> Result<()> {
        let Datum::List(parts) = state else { return Ok(()) };
        let [Datum::Float64(n), Datum::Float64(sx), Datum::Float64(sxx)] = parts.elements[..]
        else {
            return Ok(());
        };
        if self.n == 0.0 {
            (self.n, self.sx, self.sxx) = (n, sx, sxx);
        } else if n > 0.0 {
            let deviation = self.sx / self.n - sx / n;
            let total = self.n + n;
            self.sxx += sxx + self.n * n * deviation * deviation / total;
            self.sx += sx;
            self.n = total;
        }
        Ok(())
    }
}

/// The moments of integers and numerics, exact until the last division.
struct ExactMoments {
    ask: Moment,
    n: i64,
    sum: Numeric,
    squares: Numeric,
}

impl Accumulator for ExactMoments {
    fn update(&mut self, _: &EvalContext, args: &[Datum]) -> Result<()> {
        let Some(value) = args.first().filter(|value| !value.is_null()) else { return Ok(()) };
        let value = crate::builtin::compare::as_numeric(value)
            .ok_or_else(|| Error::bug("an aggregate of numbers met another type"))?;
        self.n += 1;
        self.squares = self.squares.add(&value.mul(&value));
        self.sum = self.sum.add(&value);
        Ok(())
    }
    fn finish(&mut self, _: &EvalContext) -> Result<Datum> {
        let sample = matches!(self.ask, Moment::VarianceSamp | Moment::StddevSamp);
        if self.n == 0 || (sample && self.n == 1) {
            return Ok(Datum::Null);
        }
        if !self.sum.is_finite() {
            return Numeric::NaN.to_datum();
        }
        let n = Numeric::from_i128(i128::from(self.n));
        let spread = n.mul(&self.squares).sub(&self.sum.mul(&self.sum));
        if spread.is_negative() || spread.is_zero() {
            return Numeric::ZERO.to_datum();
        }
        let divisor = if sample { n.mul(&n.sub(&Numeric::ONE)) } else { n.mul(&n) };
        let variance = spread.div(&divisor)?;
        match self.ask {
            Moment::StddevPop | Moment::StddevSamp => {
                variance.sqrt_scale(variance.scale())?.to_datum()
            }
            _ => variance.to_datum(),
        }
    }
}

fn moments(types: &[TypeRef], ask: Moment) -> Box<dyn Accumulator> {
    let float =
        types.first().is_some_and(|t| matches!(t.oid, crate::oid::FLOAT4 | crate::oid::FLOAT8));
    if float {
        Box::new(FloatMoments { ask, n: 0.0, sx: 0.0, sxx: 0.0 })
    } else {
        Box::new(ExactMoments { ask, n: 0, sum: Numeric::ZERO, squares: Numeric::ZERO })
    }
}

macro_rules! moment_factories {
    ($($name:ident $ask:ident;)*) => {$(
        #[doc = concat!("Makes `", stringify!($name), "`.")]
        pub(super) fn $name(types: &[TypeRef]) -> Result<Box<dyn Accumulator>> {
            Ok(moments(types, Moment::$ask))
        }
    )*};
}

moment_factories! {
    avg_float Average;
    var_pop VariancePop;
    var_samp VarianceSamp;
    stddev_pop StddevPop;
    stddev_samp StddevSamp;
}

/// What is asked of two variables.
#[derive(Clone, Copy)]
enum Joint {
    Count,
    Sxx,
    Syy,
    Sxy,
    AvgX,
    AvgY,
    R2,
    Slope,
    Intercept,
    CovarPop,
    CovarSamp,
    Corr,
}

struct JointMoments {
    ask: Joint,
    n: f64,
    sx: f64,
    sxx: f64,
    sy: f64,
    syy: f64,
    sxy: f64,
}

impl Accumulator for JointMoments {
    fn update(&mut self, _: &EvalContext, args: &[Datum]) -> Result<()> {
        let (Some(y), Some(x)) = (as_float(args.first()), as_float(args.get(1))) else {
            return Ok(());
        };
        let n = self.n + 1.0;
        let (sx, sy) = (self.sx + x, self.sy + y);
        if self.n > 0.0 {
            let (dx, dy) = (x * n - sx, y * n - sy);
            let scale = 1.0 / (n * self.n);
            self.sxx += dx * dx * scale;
            self.syy += dy * dy * scale;
            self.sxy += dx * dy * scale;
            let infinite = |value: f64| value.is_infinite();
            if infinite(sx) || infinite(self.sxx) || infinite(sy) || infinite(self.syy) {
                let fine =
                    self.sx.is_finite() && x.is_finite() && self.sy.is_finite() && y.is_finite();
                if fine {
                    return Err(overflow());
                }
                if infinite(self.sxx) {
                    self.sxx = f64::NAN;
                }
                if infinite(self.syy) {
                    self.syy = f64::NAN;
                }
                if infinite(self.sxy) {
                    self.sxy = f64::NAN;
                }
            }
        } else {
            if !x.is_finite() {
                self.sxx = f64::NAN;
                self.sxy = f64::NAN;
            }
            if !y.is_finite() {
                self.syy = f64::NAN;
                self.sxy = f64::NAN;
            }
        }
        (self.n, self.sx, self.sy) = (n, sx, sy);
        Ok(())
    }
    fn finish(&mut self, _: &EvalContext) -> Result<Datum> {
        if matches!(self.ask, Joint::Count) {
            return Ok(Datum::Int64(self.n as i64));
        }
        let least = if matches!(self.ask, Joint::CovarSamp) { 2.0 } else { 1.0 };
        if self.n < least {
            return Ok(Datum::Null);
        }
        let zero = |value: f64| value == 0.0;
        let result = match self.ask {
            Joint::Count => None,
            Joint::Sxx => Some(self.sxx),
            Joint::Syy => Some(self.syy),
            Joint::Sxy => Some(self.sxy),
            Joint::AvgX => Some(self.sx / self.n),
            Joint::AvgY => Some(self.sy / self.n),
            Joint::CovarPop => Some(self.sxy / self.n),
            Joint::CovarSamp => Some(self.sxy / (self.n - 1.0)),
            Joint::Corr if zero(self.sxx) || zero(self.syy) => None,
            Joint::Corr => Some(self.sxy / (self.sxx * self.syy).sqrt()),
            Joint::R2 if zero(self.sxx) => None,
            Joint::R2 if zero(self.syy) => Some(1.0),
            Joint::R2 => Some((self.sxy * self.sxy) / (self.sxx * self.syy)),
            Joint::Slope if zero(self.sxx) => None,
            Joint::Slope => Some(self.sxy / self.sxx),
            Joint::Intercept if zero(self.sxx) => None,
            Joint::Intercept => Some((self.sy - self.sx * self.sxy / self.sxx) / self.n),
        };
        Ok(result.map_or(Datum::Null, Datum::Float64))
    }
}

macro_rules! joint_factories {
    ($($name:ident $ask:ident;)*) => {$(
        #[doc = concat!("Makes `", stringify!($name), "`.")]
        pub(super) fn $name(_: &[TypeRef]) -> Result<Box<dyn Accumulator>> {
            let ask = Joint::$ask;
            Ok(Box::new(JointMoments { ask, n: 0.0, sx: 0.0, sxx: 0.0, sy: 0.0, syy: 0.0, sxy: 0.0 }))
        }
    )*};
}

joint_factories! {
    regr_count Count;
    regr_sxx Sxx;
    regr_syy Syy;
    regr_sxy Sxy;
    regr_avgx AvgX;
    regr_avgy AvgY;
    regr_r2 R2;
    regr_slope Slope;
    regr_intercept Intercept;
    covar_pop CovarPop;
    covar_samp CovarSamp;
    corr Corr;
}
