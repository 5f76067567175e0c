//! Calls of aggregates.

use std::sync::Arc;

use arrow_schema::DataType;
use datafusion::{
    common::ScalarValue,
    functions_aggregate::{
        average::avg_udaf,
        bool_and_or::{bool_and_udaf, bool_or_udaf},
        count::count_udaf,
        min_max::{max_udaf, min_udaf},
        sum::sum_udaf,
    },
    logical_expr::{
        AggregateUDF, Cast as DfCast, Expr,
        expr::{AggregateFunction, AggregateFunctionParams},
    },
};
use oxi_base::{Error, Result, SqlState};
use oxi_model::descriptor::TypeRef;
use oxi_types::{
    EvalContext,
    builtin::{Aggregate, AggregateKind},
    oid,
};

use crate::{
    ast::{Direction, FunctionCall, Span},
    bind::{
        Binder,
        call::undefined_function,
        candidate::{self, Candidate, Choice, choose, spread},
        coerce::Generic,
        expr::Cx,
        implied::depends_on_order,
        typed::Typed,
    },
    function::{
        BuiltinUdaf,
        aggregate::ArgumentOrder,
        key::{key, key_orders, needs_key},
    },
};

/// An aggregate ready to become a call over groups or over a window.
pub(crate) struct BoundAggregate {
    pub(crate) function: Arc<AggregateUDF>,
    pub(crate) args: Vec<Expr>,
    pub(crate) distinct: bool,
    pub(crate) filter: Option<Box<Expr>>,
    pub(crate) ty: TypeRef,
}

/// With DISTINCT the rows can be sorted by arguments alone.
fn check_distinct(
    call: &FunctionCall,
    args: &[Typed],
    order: &[(Typed, ArgumentOrder)],
) -> Result<()> {
    let in_args = |value: &Typed| args.iter().any(|arg| arg.expr == value.expr);
    if call.distinct
        && !call.within_group
        && let Some((value, _)) = order.iter().find(|(value, _)| !in_args(value))
    {
        return Err(Error::new(
            SqlState::INVALID_COLUMN_REFERENCE,
            "in an aggregate with DISTINCT, ORDER BY expressions must appear in argument list",
        )
        .at(value.span.position()));
    }
    Ok(())
}

impl Binder<'_> {
    pub(super) fn aggregate_call(&mut self, call: &FunctionCall, cx: &mut Cx<'_>) -> Result<Typed> {
        let position = call.span.position();
        if cx.in_aggregate {
            return Err(Error::new(
                SqlState::GROUPING_ERROR,
                "aggregate function calls cannot be nested",
            )
            .at(position));
        }
        if !cx.aggregates {
            return Err(Error::new(
                SqlState::GROUPING_ERROR,
                format!("aggregate functions are not allowed in {}", cx.clause),
            )
            .at(position));
        }
        cx.found_aggregate = true;
        cx.in_aggregate = true;
        let bound = self.bind_aggregate(call, cx);
        cx.in_aggregate = false;
        let bound = bound?;
        let expr = Expr::AggregateFunction(AggregateFunction {
            func: bound.function,
            params: AggregateFunctionParams {
                args: bound.args,
                distinct: bound.distinct,
                filter: bound.filter,
                order_by: Vec::new(),
                null_treatment: None,
            },
        });
        Ok(Typed::new(expr, bound.ty, call.span))
    }

    /// Resolves an aggregate and binds its arguments; the caller has set the context's flags.
    pub(crate) fn bind_aggregate(
        &mut self,
        call: &FunctionCall,
        cx: &mut Cx<'_>,
    ) -> Result<BoundAggregate> {
        let filter = match &call.filter {
            Some(filter) => Some(Box::new(self.condition(filter, "FILTER", cx)?)),
            None => None,
        };
        let one = Expr::Literal(ScalarValue::Int64(Some(1)), None);
        if call.star {
            if call.name.last() != "count" {
                return Err(Error::new(
                    SqlState::WRONG_OBJECT_TYPE,
                    format!(
                        "{}(*) specified, but {0} is not an aggregate function",
                        call.name.last()
                    ),
                )
                .at(call.span.position()));
            }
            return Ok(BoundAggregate {
                function: count_udaf(),
                args: vec![one],
                distinct: false,
                filter,
                ty: TypeRef::plain(oid::INT8),
            });
        }
        let mut args = self.call_args(call, cx)?;
        let direct = args.len();
        let mut order = self.aggregate_order(call, cx)?;
        if call.within_group {
            args.extend(order.iter().map(|(value, _)| value.clone()));
        }
        let candidate = pick_aggregate(call, &args)?;
        let row = candidate.target;
        if call.within_group == (row.kind == AggregateKind::Normal) {
            let message = if call.within_group {
                format!(
                    "{} is not an ordered-set aggregate, so it cannot have WITHIN GROUP",
                    row.name
                )
            } else {
                format!("WITHIN GROUP is required for ordered-set aggregate {}", row.name)
            };
            return Err(Error::new(SqlState::WRONG_OBJECT_TYPE, message).at(call.span.position()));
        }
        self.match_hypothetical(row, &mut args, &mut order, call)?;
        let (args, ty) = self.aggregate_args(&candidate, args, call.span)?;
        if call.within_group {
            // Rows are sorted by the values as the aggregate takes them.
            for ((value, _), arg) in order.iter_mut().zip(&args[direct.min(args.len())..]) {
                *value = arg.clone();
            }
        } else if order.is_empty() {
            if let Some(native) = native(row, &args, call.distinct) {
                let (function, args) = native;
                return Ok(BoundAggregate { function, args, distinct: call.distinct, filter, ty });
            }
            if call.distinct {
                // DISTINCT sorts.
                order = args
                    .iter()
                    .map(|arg| (arg.clone(), ArgumentOrder::ascending(arg.ty.oid)))
                    .collect();
            }
        } else if let Some((function, args)) = native(row, &args, call.distinct) {
            return Ok(BoundAggregate { function, args, distinct: call.distinct, filter, ty });
        }
        check_distinct(call, &args, &order)?;
        let types = args.iter().map(|arg| arg.ty).collect::<Vec<_>>();
        let (order_values, order_keys): (Vec<_>, Vec<_>) = order.into_iter().unzip();
        let context = self.aggregate_context(row);
        let function =
            BuiltinUdaf::new(row, types, order_keys, ty.oid, call.distinct, context).into_udaf();
        let args = args.into_iter().chain(order_values).map(|arg| arg.expr).collect::<Vec<_>>();
        let args = if args.is_empty() { vec![one] } else { args };
        // Duplicates are dropped by the state machine, which knows SQL's equality.
        Ok(BoundAggregate { function, args, distinct: false, filter, ty })
    }

    /// Only texts of values depend on the session; the others share a neutral context.
    fn aggregate_context(&self, row: &Aggregate) -> Arc<EvalContext> {
        if row.name.starts_with("json") {
            Arc::new(self.context.eval.clone())
        } else {
            Arc::new(EvalContext::fixed(0))
        }
    }

    fn aggregate_order(
        &mut self,
        call: &FunctionCall,
        cx: &mut Cx<'_>,
    ) -> Result<Vec<(Typed, ArgumentOrder)>> {
        let bare = call.order_by.is_empty() && call.over.is_none() && !call.distinct;
        if bare && depends_on_order(call.name.last()) {
            return Ok(cx.order.to_vec());
        }
        call.order_by
            .iter()
            .map(|item| {
                let value = self.expr(&item.expr, cx)?;
                let value = self.resolve_unknown(value)?;
                let descending = is_descending(&item.direction)?;
                let order = ArgumentOrder {
                    type_oid: value.ty.oid,
                    descending,
                    nulls_first: item.nulls_first.unwrap_or(descending),
                };
                Ok((value, order))
            })
            .collect()
    }

    /// Brings the values of a hypothetical row to the types of the sorted values they stand among.
    fn match_hypothetical(
        &mut self,
        row: &Aggregate,
        args: &mut [Typed],
        order: &mut [(Typed, ArgumentOrder)],
        call: &FunctionCall,
    ) -> Result<()> {
        if row.kind != AggregateKind::Hypothetical {
            return Ok(());
        }
        let direct = args.len() - order.len();
        if direct != order.len() {
            let actual = args.iter().map(|arg| arg.ty.oid).collect::<Vec<_>>();
            return Err(undefined_function(call.name.last(), &actual, call.span));
        }
        for (index, (value, key)) in order.iter_mut().enumerate() {
            let pair = vec![args[index].clone(), value.clone()];
            let (pair, ty) = self.unify(pair, "WITHIN GROUP")?;
            if let Ok([given, sorted]) = <[Typed; 2]>::try_from(pair) {
                args[index] = given;
                args[direct + index] = sorted.clone();
                *value = sorted;
                key.type_oid = ty.oid;
            }
        }
        Ok(())
    }

    fn aggregate_args(
        &mut self,
        candidate: &Candidate<&'static Aggregate>,
        args: Vec<Typed>,
        span: Span,
    ) -> Result<(Vec<Typed>, TypeRef)> {
        let actual = args.iter().map(|arg| arg.ty.oid).collect::<Vec<_>>();
        let generic = Generic::resolve(&candidate.args, &actual)
            .ok_or_else(|| undefined_function(candidate.target.name, &actual, span))?;
        let mut converted = Vec::with_capacity(args.len());
        for (arg, declared) in args.into_iter().zip(&candidate.args) {
            converted.push(self.coerce_argument(arg, *declared, generic)?);
        }
        let returns =
            generic.concrete(candidate.target.returns).unwrap_or(match candidate.target.returns {
                oid::ANYARRAY => oid::_TEXT,
                _ => oid::TEXT,
            });
        Ok((converted, TypeRef::plain(returns)))
    }
}

fn pick_aggregate(call: &FunctionCall, args: &[Typed]) -> Result<Candidate<&'static Aggregate>> {
    let name = call.name.last();
    let actual = args.iter().map(|arg| arg.ty.oid).collect::<Vec<_>>();
    let candidates = candidate::aggregates(name)
        .iter()
        .filter_map(|row| {
            spread(row.args, row.variadic, 0, args.len(), call.variadic)
                .map(|(args, spread)| Candidate { target: *row, args, spread })
        })
        .collect();
    match choose(candidates, &actual) {
        Choice::One(candidate) => Ok(candidate),
        Choice::None => Err(undefined_function(name, &actual, call.span)),
        Choice::Ambiguous => Err(Error::new(
            SqlState::AMBIGUOUS_FUNCTION,
            format!("function {} is not unique", crate::bind::call::signature(name, &actual)),
        )
        .with_hint(
            "Could not choose a best candidate function. You might need to add explicit type casts.",
        )
        .at(call.span.position())),
    }
}

/// Whether a sort direction is descending.
pub(crate) fn is_descending(direction: &Direction) -> Result<bool> {
    match direction {
        Direction::Default | Direction::Asc => Ok(false),
        Direction::Desc => Ok(true),
        Direction::Using(op) => match op.name.as_str() {
            "<" => Ok(false),
            ">" => Ok(true),
            other => Err(Error::new(
                SqlState::WRONG_OBJECT_TYPE,
                format!("operator {other} is not a valid ordering operator"),
            )
            .at(op.span.position())),
        },
    }
}

/// DataFusion's own aggregate where its results are PostgreSQL's.
fn native(
    row: &Aggregate,
    args: &[Typed],
    distinct: bool,
) -> Option<(Arc<AggregateUDF>, Vec<Expr>)> {
    let [arg] = args else { return None };
    let type_oid = arg.ty.oid;
    let expr = arg.expr.clone();
    Some(match row.name {
        "count" if distinct => (count_udaf(), vec![key(expr, type_oid)]),
        "count" => (count_udaf(), vec![expr]),
        "min" | "max" if native_extreme(type_oid) => {
            (if row.name == "min" { min_udaf() } else { max_udaf() }, vec![expr])
        }
        "sum" if matches!(type_oid, oid::INT2 | oid::INT4) => {
            let wide = Expr::Cast(DfCast::new(Box::new(expr), DataType::Int64));
            (sum_udaf(), vec![wide])
        }
        "sum" if type_oid == oid::FLOAT8 && !distinct => (sum_udaf(), vec![expr]),
        "avg" if type_oid == oid::FLOAT8 && !distinct => (avg_udaf(), vec![expr]),
        "bool_and" | "every" if type_oid == oid::BOOL => (bool_and_udaf(), vec![expr]),
        "bool_or" if type_oid == oid::BOOL => (bool_or_udaf(), vec![expr]),
        _ => return None,
    })
}

/// Types whose Arrow order is SQL's for MIN and MAX. Numerics are: equal values of different
/// scale lie side by side.
fn native_extreme(type_oid: u32) -> bool {
    type_oid == oid::NUMERIC
        || (!needs_key(type_oid)
            && key_orders(type_oid)
            && !matches!(type_oid, oid::UUID | oid::BOOL | oid::TIME))
}
