//! Which names mean what at a place in a query.

use std::sync::Arc;

use arrow_schema::Field;
use datafusion::{common::Column, logical_expr::Expr};
use oxi_base::{Error, Result, SqlState};
use oxi_catalog::suggest;
use oxi_model::{
    array::arrow_type,
    descriptor::{RelationDescriptor, TypeRef},
};

use crate::{
    ast::{Ident, Span},
    bind::{
        row_value::{RowNulls, row_value},
        typed::Typed,
    },
    function::value::physical_of,
};

/// A column that can be named.
#[derive(Clone, Debug)]
pub(crate) struct ScopeColumn {
    /// Its name in SQL.
    pub(crate) name: String,
    /// Its type.
    pub(crate) ty: TypeRef,
    /// What yields it: a column, or an expression over two for a merged column of FULL JOIN USING.
    pub(crate) expr: Expr,
    /// Table oid and attnum if it is a table's column unchanged.
    pub(crate) origin: Option<(u32, i16)>,
    /// Not part of `*` and not found by its plain name.
    pub(crate) hidden: bool,
}

/// A relation that can be named.
#[derive(Clone, Debug)]
pub(crate) struct ScopeRelation {
    /// The name by which SQL calls it.
    pub(crate) alias: String,
    /// Its schema, if it may be called with it.
    pub(crate) schema: Option<String>,
    /// Its columns.
    pub(crate) columns: Vec<ScopeColumn>,
    /// The table, if it is one.
    pub(crate) table: Option<Arc<RelationDescriptor>>,
    /// Cannot be named here but exists (a hint says so).
    pub(crate) hidden: bool,
}

/// The names visible at one level, and the levels around it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scope<'p> {
    /// Relations by name.
    pub(crate) relations: Vec<ScopeRelation>,
    /// Columns found by their plain name, in the order of `*`.
    pub(crate) columns: Vec<ScopeColumn>,
    /// The query around.
    pub(crate) parent: Option<&'p Scope<'p>>,
}

impl Scope<'_> {
    /// An empty level inside another.
    pub(crate) fn inside<'p>(parent: &'p Scope<'p>) -> Scope<'p> {
        Scope { relations: Vec::new(), columns: Vec::new(), parent: Some(parent) }
    }

    /// What a name as `a`, `t.a`, `s.t.a` means.
    pub(crate) fn resolve(&self, parts: &[Ident], span: Span) -> Result<Typed> {
        match parts {
            [name] => self.resolve_plain(&name.value, span),
            [.., relation, name] => {
                let schema = parts.len().checked_sub(3).map(|index| parts[index].value.as_str());
                self.resolve_qualified(schema, &relation.value, &name.value, span)
            }
            [] => Err(Error::bug("a column without name").at(span.position())),
        }
    }

    fn resolve_plain(&self, name: &str, span: Span) -> Result<Typed> {
        let mut level = Some(self);
        let mut depth = 0;
        while let Some(scope) = level {
            let mut found = scope.columns.iter().filter(|c| !c.hidden && c.name == name);
            if let Some(column) = found.next() {
                if found.next().is_some() {
                    return Err(Error::new(
                        SqlState::AMBIGUOUS_COLUMN,
                        format!("column reference \"{name}\" is ambiguous"),
                    )
                    .at(span.position()));
                }
                return typed(column, depth, span);
            }
            level = scope.parent;
            depth += 1;
        }
        if let Some((relation, depth)) = self.find_relation(None, name) {
            return whole_row(relation, depth, span);
        }
        Err(self.undefined_column(name, span))
    }

    fn resolve_qualified(
        &self,
        schema: Option<&str>,
        relation: &str,
        name: &str,
        span: Span,
    ) -> Result<Typed> {
        let Some((found, depth)) = self.find_relation(schema, relation) else {
            return Err(self.missing_relation(relation, span));
        };
        let mut columns = found.columns.iter().filter(|c| c.name == name);
        let Some(column) = columns.next() else {
            let error = Error::new(
                SqlState::UNDEFINED_COLUMN,
                format!("column {relation}.{name} does not exist"),
            );
            let near = suggest::nearest(name, found.columns.iter().map(|c| c.name.as_str()));
            let error = match near {
                Some(near) => error.with_hint(format!(
                    "Perhaps you meant to reference the column \"{relation}.{near}\"."
                )),
                None => error,
            };
            return Err(error.at(span.position()));
        };
        if columns.next().is_some() {
            return Err(Error::new(
                SqlState::AMBIGUOUS_COLUMN,
                format!("column reference \"{name}\" is ambiguous"),
            )
            .at(span.position()));
        }
        typed(column, depth, span)
    }

    /// A relation by name and how many levels out it is.
    pub(crate) fn find_relation(
        &self,
        schema: Option<&str>,
        name: &str,
    ) -> Option<(&ScopeRelation, usize)> {
        let mut level = Some(self);
        let mut depth = 0;
        while let Some(scope) = level {
            let found = scope.relations.iter().find(|relation| {
                !relation.hidden
                    && relation.alias == name
                    && (schema.is_none() || relation.schema.as_deref() == schema)
            });
            if let Some(found) = found {
                return Some((found, depth));
            }
            level = scope.parent;
            depth += 1;
        }
        None
    }

    pub(crate) fn missing_relation(&self, name: &str, span: Span) -> Error {
        let mut level = Some(self);
        while let Some(scope) = level {
            let hidden = scope.relations.iter().find(|r| r.hidden && r.alias == name);
            if hidden.is_some() {
                return Error::new(
                    SqlState::UNDEFINED_TABLE,
                    format!("invalid reference to FROM-clause entry for table \"{name}\""),
                )
                .with_hint(format!(
                    "There is an entry for table \"{name}\", but it cannot be referenced from this part of the query."
                ))
                .at(span.position());
            }
            let renamed = scope
                .relations
                .iter()
                .find(|r| r.alias != name && r.table.as_ref().is_some_and(|t| t.name == name));
            if let Some(renamed) = renamed {
                return Error::new(
                    SqlState::UNDEFINED_TABLE,
                    format!("invalid reference to FROM-clause entry for table \"{name}\""),
                )
                .with_hint(format!(
                    "Perhaps you meant to reference the table alias \"{}\".",
                    renamed.alias
                ))
                .at(span.position());
            }
            level = scope.parent;
        }
        Error::new(
            SqlState::UNDEFINED_TABLE,
            format!("missing FROM-clause entry for table \"{name}\""),
        )
        .at(span.position())
    }

    fn undefined_column(&self, name: &str, span: Span) -> Error {
        let error =
            Error::new(SqlState::UNDEFINED_COLUMN, format!("column \"{name}\" does not exist"));
        let mut best: Option<(usize, String)> = None;
        let mut level = Some(self);
        while let Some(scope) = level {
            for relation in &scope.relations {
                for column in &relation.columns {
                    let distance = suggest::distance(name, &column.name);
                    let limit = name.chars().count().max(1) / 2;
                    if distance <= limit.min(3)
                        && best.as_ref().is_none_or(|(least, _)| distance < *least)
                    {
                        best = Some((distance, format!("{}.{}", relation.alias, column.name)));
                    }
                }
            }
            level = scope.parent;
        }
        let error = match best {
            Some((_, near)) => {
                error.with_hint(format!("Perhaps you meant to reference the column \"{near}\"."))
            }
            None => error,
        };
        error.at(span.position())
    }

    /// Fails if two relations have the same name.
    pub(crate) fn check_alias(&self, alias: &str, span: Span) -> Result<()> {
        if self.relations.iter().any(|relation| !relation.hidden && relation.alias == alias) {
            return Err(Error::new(
                SqlState::DUPLICATE_ALIAS,
                format!("table name \"{alias}\" specified more than once"),
            )
            .at(span.position()));
        }
        Ok(())
    }
}

/// A relation's row as a value: NULL where an outer join has none, which is told by all its columns
/// being NULL.
fn whole_row(relation: &ScopeRelation, depth: usize, span: Span) -> Result<Typed> {
    let mut fields = Vec::with_capacity(relation.columns.len());
    for column in &relation.columns {
        fields.push((column.name.clone(), typed(column, depth, span)?));
    }
    Ok(row_value(fields, RowNulls::Whole, span))
}

/// The expression for a column seen from `depth` levels inside.
fn typed(column: &ScopeColumn, depth: usize, span: Span) -> Result<Typed> {
    if depth == 0 {
        return Ok(Typed::new(column.expr.clone(), column.ty, span));
    }
    let expr = outer(&column.expr, column.ty)?;
    Ok(Typed::new(expr, column.ty, span))
}

/// The reference to an outer query's column.
fn outer(expr: &Expr, ty: TypeRef) -> Result<Expr> {
    match expr {
        Expr::Column(column) => Ok(outer_column(column, ty)),
        outer @ Expr::OuterReferenceColumn(..) => Ok(outer.clone()),
        _ => Err(Error::unsupported("outer references to merged columns are not supported")),
    }
}

fn outer_column(column: &Column, ty: TypeRef) -> Expr {
    let field = Field::new(&column.name, arrow_type(&physical_of(ty.oid)), true);
    Expr::OuterReferenceColumn(Arc::new(field), column.clone())
}
