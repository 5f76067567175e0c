//! Window functions.

use std::sync::Arc;

use datafusion::{
    common::ScalarValue,
    functions_window::{
        cume_dist::cume_dist_udwf,
        lead_lag::{lag_udwf, lead_udwf},
        nth_value::{first_value_udwf, last_value_udwf, nth_value_udwf},
        ntile::ntile_udwf,
        rank::{dense_rank_udwf, percent_rank_udwf, rank_udwf},
        row_number::row_number_udwf,
    },
    logical_expr::{
        Expr, SortExpr, WindowFrame, WindowFrameBound, WindowFrameUnits, WindowFunctionDefinition,
        WindowUDF,
        expr::{WindowFunction, WindowFunctionParams},
    },
};
use oxi_base::{Error, Result, SqlState};
use oxi_model::{array::arrow_type, descriptor::TypeRef};
use oxi_types::{builtin::CastContext, oid};

use crate::{
    ast::{Frame, FrameBound, FrameExclude, FrameUnit, FunctionCall, Over, Window},
    bind::{
        Binder,
        call::undefined_function,
        candidate,
        coerce::Generic,
        expr::Cx,
        order::{check_orderable, sort_key},
        typed::Typed,
    },
    function::{
        key::{key, needs_key},
        value::physical_of,
    },
};

struct BoundWindow {
    partition_by: Vec<Expr>,
    order_by: Vec<SortExpr>,
    order_type: Option<u32>,
    frame: WindowFrame,
}

impl Binder<'_> {
    pub(crate) fn window_call(&mut self, call: &FunctionCall, cx: &mut Cx<'_>) -> Result<Typed> {
        let position = call.span.position();
        let name = call.name.last();
        let Some(over) = &call.over else {
            return Err(Error::new(
                SqlState::WRONG_OBJECT_TYPE,
                format!("window function {name} requires an OVER clause"),
            )
            .at(position));
        };
        if cx.in_window {
            return Err(Error::new(
                SqlState::WINDOWING_ERROR,
                "window function calls cannot be nested",
            )
            .at(position));
        }
        if cx.in_aggregate || !cx.windows {
            let message = if cx.in_aggregate {
                "aggregate function calls cannot contain window function calls".to_owned()
            } else {
                format!("window functions are not allowed in {}", cx.clause)
            };
            return Err(Error::new(SqlState::WINDOWING_ERROR, message).at(position));
        }
        cx.found_window = true;
        cx.in_window = true;
        let bound = self.bind_window_call(call, over, cx);
        cx.in_window = false;
        bound
    }

    fn bind_window_call(
        &mut self,
        call: &FunctionCall,
        over: &Over,
        cx: &mut Cx<'_>,
    ) -> Result<Typed> {
        let name = call.name.last();
        let position = call.span.position();
        let window = match over {
            Over::Name(name) => {
                let window = find_window(&name.value, cx, name.span.position())?.clone();
                self.window(&window, cx)?
            }
            Over::Window(window) => self.window(window, cx)?,
        };
        let is_aggregate = !candidate::aggregates(name).is_empty() || call.star;
        if is_aggregate && candidate::windows(name).is_empty() {
            if call.distinct {
                return Err(Error::unsupported("DISTINCT is not implemented for window functions")
                    .at(position));
            }
            if !call.order_by.is_empty() {
                return Err(Error::unsupported(
                    "aggregate ORDER BY is not implemented for window functions",
                )
                .at(position));
            }
            let bound = self.bind_aggregate(call, cx)?;
            let ty = bound.ty;
            let expr = Expr::WindowFunction(Box::new(WindowFunction {
                fun: WindowFunctionDefinition::AggregateUDF(bound.function),
                params: WindowFunctionParams {
                    args: bound.args,
                    partition_by: window.partition_by,
                    order_by: window.order_by,
                    window_frame: window.frame,
                    filter: bound.filter,
                    null_treatment: None,
                    distinct: bound.distinct,
                },
            }));
            return Ok(Typed::new(expr, ty, call.span));
        }
        let args = self.call_args(call, cx)?;
        if candidate::windows(name).is_empty() {
            let actual = args.iter().map(|arg| arg.ty.oid).collect::<Vec<_>>();
            if candidate::functions(name).is_empty() {
                return Err(undefined_function(name, &actual, call.span));
            }
            return Err(Error::new(
                SqlState::WRONG_OBJECT_TYPE,
                format!(
                    "OVER specified, but {name} is not a window function nor an aggregate function"
                ),
            )
            .at(position));
        }
        self.native_window(call, args, window)
    }

    fn native_window(
        &mut self,
        call: &FunctionCall,
        args: Vec<Typed>,
        window: BoundWindow,
    ) -> Result<Typed> {
        let name = call.name.last();
        let actual = args.iter().map(|arg| arg.ty.oid).collect::<Vec<_>>();
        let candidates = candidate::windows(name)
            .iter()
            .filter(|row| row.args.len() == args.len())
            .map(|row| candidate::Candidate {
                target: *row,
                args: row.args.to_vec(),
                spread: false,
            })
            .collect();
        let candidate::Choice::One(found) = candidate::choose(candidates, &actual) else {
            return Err(undefined_function(name, &actual, call.span));
        };
        let generic = Generic::resolve(&found.args, &actual)
            .ok_or_else(|| undefined_function(name, &actual, call.span))?;
        let mut exprs = Vec::with_capacity(args.len());
        let mut value_type = TypeRef::plain(oid::TEXT);
        for (index, (arg, declared)) in args.into_iter().zip(&found.args).enumerate() {
            let mut arg = self.coerce_argument(arg, *declared, generic)?;
            if index == 0 {
                value_type = arg.ty;
            }
            // DataFusion counts in int8.
            if arg.ty.oid == oid::INT4 && *declared == oid::INT4 {
                arg = self.coerce(arg, TypeRef::plain(oid::INT8), CastContext::Implicit)?;
            }
            exprs.push(arg.expr);
        }
        let (function, cast) = engine_window(name).ok_or_else(|| {
            Error::unsupported(format!("window function {name} is not supported"))
                .at(call.span.position())
        })?;
        let ty = match name {
            "percent_rank" | "cume_dist" => TypeRef::plain(oid::FLOAT8),
            _ => cast.map_or(value_type, TypeRef::plain),
        };
        let expr = Expr::WindowFunction(Box::new(WindowFunction {
            fun: WindowFunctionDefinition::WindowUDF(function),
            params: WindowFunctionParams {
                args: exprs,
                partition_by: window.partition_by,
                order_by: window.order_by,
                window_frame: window.frame,
                filter: None,
                null_treatment: None,
                distinct: false,
            },
        }));
        let expr = match cast {
            Some(to) => Expr::Cast(datafusion::logical_expr::Cast::new(
                Box::new(expr),
                arrow_type(&physical_of(to)),
            )),
            None => expr,
        };
        Ok(Typed::new(expr, ty, call.span))
    }

    fn window(&mut self, window: &Window, cx: &mut Cx<'_>) -> Result<BoundWindow> {
        let position = window.span.position();
        let mut partition = window.partition_by.clone();
        let mut order = window.order_by.clone();
        if let Some(base) = &window.base {
            let base_window = find_window(&base.value, cx, base.span.position())?.clone();
            if !partition.is_empty() {
                return Err(Error::new(
                    SqlState::WINDOWING_ERROR,
                    format!("cannot override PARTITION BY clause of window \"{}\"", base.value),
                )
                .at(position));
            }
            if !order.is_empty() && !base_window.order_by.is_empty() {
                return Err(Error::new(
                    SqlState::WINDOWING_ERROR,
                    format!("cannot override ORDER BY clause of window \"{}\"", base.value),
                )
                .at(position));
            }
            if base_window.frame.is_some() {
                return Err(Error::new(
                    SqlState::WINDOWING_ERROR,
                    format!("cannot copy window \"{}\" because it has a frame clause", base.value),
                )
                .at(position));
            }
            partition = base_window.partition_by;
            if order.is_empty() {
                order = base_window.order_by;
            }
        }
        let mut partition_by = Vec::with_capacity(partition.len());
        for expr in &partition {
            let value = self.expr(expr, cx)?;
            let value = self.resolve_unknown(value)?;
            partition_by.push(key(value.expr, value.ty.oid));
        }
        let mut order_by = Vec::with_capacity(order.len());
        let mut order_type = None;
        for item in &order {
            let value = self.expr(&item.expr, cx)?;
            let value = self.resolve_unknown(value)?;
            check_orderable(value.ty.oid, item.expr.span.position())?;
            order_type = Some(value.ty.oid);
            order_by.push(sort_key(value.expr, value.ty.oid, item)?);
        }
        let mut bound =
            BoundWindow { partition_by, order_by, order_type, frame: WindowFrame::new(None) };
        bound.frame = self.frame(window.frame.as_ref(), &bound, cx)?;
        Ok(bound)
    }

    fn frame(
        &mut self,
        frame: Option<&Frame>,
        window: &BoundWindow,
        cx: &mut Cx<'_>,
    ) -> Result<WindowFrame> {
        let ordered = !window.order_by.is_empty();
        let unbounded = ScalarValue::UInt64(None);
        let whole = WindowFrame::new(None);
        let Some(frame) = frame else {
            // RANGE UNBOUNDED PRECEDING counts peers, which is what GROUPS does for any type.
            return Ok(if ordered {
                WindowFrame::new_bounds(
                    WindowFrameUnits::Groups,
                    WindowFrameBound::Preceding(unbounded),
                    WindowFrameBound::CurrentRow,
                )
            } else {
                whole
            });
        };
        let position = frame.span.position();
        if frame.exclude != FrameExclude::NoOthers {
            return Err(
                Error::unsupported("EXCLUDE in window frames is not supported").at(position)
            );
        }
        let offsets = [&frame.start, &frame.end]
            .iter()
            .any(|b| matches!(b, FrameBound::Preceding(_) | FrameBound::Following(_)));
        let units = match frame.unit {
            FrameUnit::Rows => WindowFrameUnits::Rows,
            FrameUnit::Groups if !ordered => {
                return Err(Error::new(
                    SqlState::WINDOWING_ERROR,
                    "GROUPS mode requires an ORDER BY clause",
                )
                .at(position));
            }
            FrameUnit::Groups => WindowFrameUnits::Groups,
            FrameUnit::Range if !offsets && !ordered => return Ok(whole),
            FrameUnit::Range if !offsets => WindowFrameUnits::Groups,
            FrameUnit::Range => {
                let native = window.order_type.is_some_and(|t| {
                    matches!(t, oid::INT2 | oid::INT4 | oid::INT8) && !needs_key(t)
                });
                if window.order_by.len() != 1 {
                    return Err(Error::new(
                        SqlState::WINDOWING_ERROR,
                        "RANGE with offset PRECEDING/FOLLOWING requires exactly one ORDER BY column",
                    )
                    .at(position));
                }
                if !native {
                    return Err(Error::unsupported(
                        "RANGE with offset PRECEDING/FOLLOWING is not supported for this column type",
                    )
                    .at(position));
                }
                WindowFrameUnits::Range
            }
        };
        let range_type = (units == WindowFrameUnits::Range).then_some(window.order_type).flatten();
        let start = self.frame_bound(&frame.start, range_type, cx)?;
        let end = self.frame_bound(&frame.end, range_type, cx)?;
        Ok(WindowFrame::new_bounds(units, start, end))
    }

    fn frame_bound(
        &mut self,
        bound: &FrameBound,
        range_type: Option<u32>,
        cx: &mut Cx<'_>,
    ) -> Result<WindowFrameBound> {
        let none = match range_type {
            Some(oid) => crate::function::value::null_scalar(&physical_of(oid))?,
            None => ScalarValue::UInt64(None),
        };
        Ok(match bound {
            FrameBound::UnboundedPreceding => WindowFrameBound::Preceding(none),
            FrameBound::UnboundedFollowing => WindowFrameBound::Following(none),
            FrameBound::CurrentRow => WindowFrameBound::CurrentRow,
            FrameBound::Preceding(expr) => {
                WindowFrameBound::Preceding(self.frame_offset(expr, range_type, cx)?)
            }
            FrameBound::Following(expr) => {
                WindowFrameBound::Following(self.frame_offset(expr, range_type, cx)?)
            }
        })
    }

    fn frame_offset(
        &mut self,
        expr: &crate::ast::Expr,
        range_type: Option<u32>,
        cx: &mut Cx<'_>,
    ) -> Result<ScalarValue> {
        let position = expr.span.position();
        let value = self.expr(expr, cx)?;
        let target = range_type.unwrap_or(oid::INT8);
        let value = self.coerce(value, TypeRef::plain(target), CastContext::Assignment)?;
        let Expr::Literal(scalar, _) = &value.expr else {
            return Err(Error::unsupported("frame offsets must be constants").at(position));
        };
        if scalar.is_null() {
            return Err(Error::new(
                SqlState::NULL_VALUE_NOT_ALLOWED,
                "frame starting offset must not be null",
            )
            .at(position));
        }
        let negative = || {
            Error::new(SqlState::INVALID_PARAMETER_VALUE, "frame offset must not be negative")
                .at(position)
        };
        match (scalar, range_type) {
            (ScalarValue::Int64(Some(count)), None) => {
                Ok(ScalarValue::UInt64(Some(u64::try_from(*count).map_err(|_| negative())?)))
            }
            (scalar, _) => Ok(scalar.clone()),
        }
    }
}

fn find_window<'w>(name: &str, cx: &Cx<'w>, position: usize) -> Result<&'w Window> {
    cx.named_windows
        .iter()
        .find(|named| named.name.value == name)
        .map(|named| &named.window)
        .ok_or_else(|| {
            Error::new(SqlState::UNDEFINED_OBJECT, format!("window \"{name}\" does not exist"))
                .at(position)
        })
}

/// The engine's window function of a name, and the type its result is brought to.
fn engine_window(name: &str) -> Option<(Arc<WindowUDF>, Option<u32>)> {
    Some(match name {
        "row_number" => (row_number_udwf(), Some(oid::INT8)),
        "rank" => (rank_udwf(), Some(oid::INT8)),
        "dense_rank" => (dense_rank_udwf(), Some(oid::INT8)),
        "percent_rank" => (percent_rank_udwf(), None),
        "cume_dist" => (cume_dist_udwf(), None),
        "ntile" => (ntile_udwf(), Some(oid::INT4)),
        "lag" => (lag_udwf(), None),
        "lead" => (lead_udwf(), None),
        "first_value" => (first_value_udwf(), None),
        "last_value" => (last_value_udwf(), None),
        "nth_value" => (nth_value_udwf(), None),
        _ => return None,
    })
}
