//! From expressions of the query engine to [`RowExpr`].

use std::sync::Arc;

use arrow::datatypes::{Field, Schema};
use datafusion::{
    common::DFSchema,
    logical_expr::{
        Between, BinaryExpr, Case, Cast, Expr, ExprSchemable, Operator,
        execution_props::ExecutionProps, physical_planning_context::PhysicalPlanningContext,
    },
    physical_expr::create_physical_expr,
};
use oxi_base::{Error, Result};
use oxi_model::{Datum, PhysicalType};
use oxi_sql::function::BuiltinUdf;

use crate::{
    error::from_datafusion,
    row::{BatchExpr, Comparison, RowExpr, datum_of, physical_of},
};

/// Compiles expressions over one schema.
pub struct Compiler<'a> {
    /// What the names mean.
    pub schema: &'a DFSchema,
    /// How many leading columns of the schema are not part of the rows (the row id).
    pub offset: usize,
    /// For expressions that only the query engine can evaluate; without it they are not compiled.
    pub props: Option<&'a ExecutionProps>,
}

impl Compiler<'_> {
    /// The compiled expression.
    ///
    /// # Errors
    /// `0A000` if it cannot be evaluated row by row.
    pub fn require(&self, expr: &Expr) -> Result<RowExpr> {
        self.compile(expr)?.ok_or_else(|| {
            Error::unsupported(format!("the expression {expr} cannot be evaluated here"))
        })
    }

    /// The compiled expression, or `None` if it cannot be evaluated row by row.
    pub fn compile(&self, expr: &Expr) -> Result<Option<RowExpr>> {
        if let Some(compiled) = self.native(expr)? {
            return Ok(Some(compiled));
        }
        self.by_batch(expr)
    }

    fn boxed(&self, expr: &Expr) -> Result<Option<Box<RowExpr>>> {
        Ok(self.native(expr)?.map(Box::new))
    }

    fn all<'e>(&self, list: impl IntoIterator<Item = &'e Expr>) -> Result<Option<Vec<RowExpr>>> {
        list.into_iter().map(|expr| self.native(expr)).collect()
    }

    fn native(&self, expr: &Expr) -> Result<Option<RowExpr>> {
        Ok(match expr {
            Expr::Alias(alias) => self.native(&alias.expr)?,
            Expr::Column(column) => self
                .schema
                .maybe_index_of_column(column)
                .and_then(|place| place.checked_sub(self.offset))
                .map(RowExpr::Column),
            Expr::Literal(scalar, _) => datum_of(scalar)?.map(RowExpr::Literal),
            Expr::Placeholder(placeholder) => placeholder
                .id
                .strip_prefix('$')
                .and_then(|number| number.parse::<usize>().ok())
                .and_then(|number| number.checked_sub(1))
                .map(RowExpr::Param),
            Expr::BinaryExpr(binary) => self.binary(binary)?,
            Expr::Not(inner) => self.boxed(inner)?.map(RowExpr::Not),
            Expr::IsNull(inner) | Expr::IsUnknown(inner) => {
                self.boxed(inner)?.map(|inner| RowExpr::IsNull(inner, false))
            }
            Expr::IsNotNull(inner) | Expr::IsNotUnknown(inner) => {
                self.boxed(inner)?.map(|inner| RowExpr::IsNull(inner, true))
            }
            Expr::IsTrue(inner) => self.is_bool(inner, true, false)?,
            Expr::IsFalse(inner) => self.is_bool(inner, false, false)?,
            Expr::IsNotTrue(inner) => self.is_bool(inner, true, true)?,
            Expr::IsNotFalse(inner) => self.is_bool(inner, false, true)?,
            Expr::ScalarFunction(call) => match BuiltinUdf::of(&call.func) {
                Some(function) => {
                    let function = Arc::new(function.clone());
                    self.all(&call.args)?.map(|args| RowExpr::Call(function, args))
                }
                None => None,
            },
            Expr::Cast(cast) => self.cast(cast)?,
            Expr::Case(case) => self.case(case)?,
            Expr::Between(between) => self.between(between)?,
            Expr::InList(list) => match (self.boxed(&list.expr)?, self.all(&list.list)?) {
                (Some(needle), Some(items)) => Some(RowExpr::InList(needle, items, list.negated)),
                _ => None,
            },
            _ => None,
        })
    }

    fn cast(&self, cast: &Cast) -> Result<Option<RowExpr>> {
        let from = physical_of(&cast.expr.get_type(self.schema).map_err(from_datafusion)?);
        let to = physical_of(cast.field.data_type());
        Ok(match (from, to, self.native(&cast.expr)?) {
            (Some(from), Some(to), Some(inner)) if from == to => Some(inner),
            (Some(from), Some(to), Some(inner)) if widens(&from, &to) => {
                Some(RowExpr::Widen(Box::new(inner), to))
            }
            (_, _, Some(RowExpr::Literal(Datum::Null))) => Some(RowExpr::Literal(Datum::Null)),
            _ => None,
        })
    }

    fn between(&self, between: &Between) -> Result<Option<RowExpr>> {
        let sides =
            (self.native(&between.expr)?, self.native(&between.low)?, self.native(&between.high)?);
        let (Some(value), Some(low), Some(high)) = sides else { return Ok(None) };
        let low = RowExpr::Compare(Comparison::GtEq, Box::new((value.clone(), low)));
        let high = RowExpr::Compare(Comparison::LtEq, Box::new((value, high)));
        let both = RowExpr::And(Box::new((low, high)));
        Ok(Some(if between.negated { RowExpr::Not(Box::new(both)) } else { both }))
    }

    fn is_bool(&self, inner: &Expr, value: bool, negated: bool) -> Result<Option<RowExpr>> {
        Ok(self.boxed(inner)?.map(|inner| RowExpr::IsBool(inner, value, negated)))
    }

    fn binary(&self, binary: &BinaryExpr) -> Result<Option<RowExpr>> {
        let (Some(left), Some(right)) = (self.native(&binary.left)?, self.native(&binary.right)?)
        else {
            return Ok(None);
        };
        let sides = Box::new((left, right));
        Ok(match binary.op {
            Operator::And => Some(RowExpr::And(sides)),
            Operator::Or => Some(RowExpr::Or(sides)),
            operator => match comparison(operator) {
                Some(comparison) => {
                    let left = binary.left.get_type(self.schema).map_err(from_datafusion)?;
                    let right = binary.right.get_type(self.schema).map_err(from_datafusion)?;
                    let placeholder = |expr: &Expr| matches!(expr, Expr::Placeholder(_));
                    let same =
                        left == right || placeholder(&binary.left) || placeholder(&binary.right);
                    same.then_some(RowExpr::Compare(comparison, sides))
                }
                None => None,
            },
        })
    }

    fn case(&self, case: &Case) -> Result<Option<RowExpr>> {
        let operand = match &case.expr {
            Some(operand) => match self.native(operand)? {
                Some(operand) => Some(operand),
                None => return Ok(None),
            },
            None => None,
        };
        let mut branches = Vec::new();
        for (when, then) in &case.when_then_expr {
            let (Some(when), Some(then)) = (self.native(when)?, self.native(then)?) else {
                return Ok(None);
            };
            let when = match &operand {
                Some(operand) => {
                    RowExpr::Compare(Comparison::Eq, Box::new((operand.clone(), when)))
                }
                None => when,
            };
            branches.push((when, then));
        }
        let otherwise = match &case.else_expr {
            Some(otherwise) => match self.boxed(otherwise)? {
                Some(otherwise) => Some(otherwise),
                None => return Ok(None),
            },
            None => None,
        };
        Ok(Some(RowExpr::Case(branches, otherwise)))
    }

    fn by_batch(&self, expr: &Expr) -> Result<Option<RowExpr>> {
        let Some(props) = self.props else { return Ok(None) };
        let output = expr.get_type(self.schema).map_err(from_datafusion)?;
        let Some(output) = physical_of(&output) else { return Ok(None) };
        // Rows have no constraints of their own: any column may be NULL for the while.
        let fields: Vec<Field> = self
            .schema
            .fields()
            .iter()
            .map(|field| field.as_ref().clone().with_nullable(true))
            .collect();
        let physical =
            create_physical_expr(expr, self.schema, props, &PhysicalPlanningContext::default())
                .map_err(from_datafusion)?;
        Ok(Some(RowExpr::Batch(Arc::new(BatchExpr {
            expr: physical,
            schema: Arc::new(Schema::new(fields)),
            offset: self.offset,
            output,
        }))))
    }
}

fn widens(from: &PhysicalType, to: &PhysicalType) -> bool {
    use PhysicalType as P;
    matches!(
        (from, to),
        (P::Int16, P::Int32 | P::Float32)
            | (P::Int16 | P::Int32, P::Int64)
            | (P::Int16 | P::Int32 | P::Int64 | P::Float32, P::Float64)
    )
}

/// The comparison an operator of the query engine stands for.
pub(crate) fn comparison(operator: Operator) -> Option<Comparison> {
    Some(match operator {
        Operator::Eq => Comparison::Eq,
        Operator::NotEq => Comparison::NotEq,
        Operator::Lt => Comparison::Lt,
        Operator::LtEq => Comparison::LtEq,
        Operator::Gt => Comparison::Gt,
        Operator::GtEq => Comparison::GtEq,
        Operator::IsDistinctFrom => Comparison::Distinct,
        Operator::IsNotDistinctFrom => Comparison::NotDistinct,
        _ => return None,
    })
}
