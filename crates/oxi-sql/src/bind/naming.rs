//! The names PostgreSQL gives to result columns.

use oxi_types::pg_type;

use crate::ast::{Expr, ExprKind, QueryBody, SelectItem, TypeName};

/// The name of a column of a select list.
pub(crate) fn item_name(item: &SelectItem) -> String {
    match &item.alias {
        Some(alias) => alias.value.clone(),
        None => figure(&item.expr).map_or_else(|| "?column?".to_owned(), |(name, _)| name),
    }
}

/// A name and whether it is a strong one (a cast's operand may override a weak one).
fn figure(expr: &Expr) -> Option<(String, bool)> {
    let strong = |name: &str| Some((name.to_owned(), true));
    match &expr.kind {
        ExprKind::Column(parts) => parts.last().map(|part| (part.value.clone(), true)),
        ExprKind::Field { field, .. } => strong(&field.value),
        ExprKind::Subscript { base, .. } => figure(base),
        ExprKind::Call(call) => strong(call.name.last()),
        ExprKind::NullIf(..) => strong("nullif"),
        ExprKind::Coalesce(_) => strong("coalesce"),
        ExprKind::Greatest(_) => strong("greatest"),
        ExprKind::Least(_) => strong("least"),
        ExprKind::Grouping(_) => strong("grouping"),
        ExprKind::SqlValue { function, .. } => strong(function.name()),
        ExprKind::Exists(_) => strong("exists"),
        ExprKind::ArraySubquery(_) => strong("array"),
        ExprKind::Array(_) => strong("array"),
        ExprKind::Row { .. } => strong("row"),
        ExprKind::Collate { operand, .. } => figure(operand),
        ExprKind::Cast { operand, target, .. } => match figure(operand) {
            Some(named @ (_, true)) => Some(named),
            _ => Some((cast_name(target), false)),
        },
        ExprKind::Case { otherwise, .. } => match otherwise.as_deref().and_then(figure) {
            Some(named @ (_, true)) => Some(named),
            _ => Some(("case".to_owned(), false)),
        },
        ExprKind::Subquery(query) => subquery_name(&query.body),
        _ => None,
    }
}

fn subquery_name(body: &QueryBody) -> Option<(String, bool)> {
    match body {
        QueryBody::Select(select) => {
            let item = select.items.first()?;
            match &item.alias {
                Some(alias) => Some((alias.value.clone(), true)),
                None => figure(&item.expr),
            }
        }
        QueryBody::Values(_) => Some(("column1".to_owned(), true)),
        QueryBody::Set { left, .. } => subquery_name(&left.body),
    }
}

fn cast_name(target: &TypeName) -> String {
    let name = target.name.last();
    pg_type::by_typname(name).map_or_else(|| name.to_owned(), |row| row.name.to_owned())
}
