//! INSERT.

use std::collections::BTreeMap;

use datafusion::{
    common::TableReference,
    logical_expr::{Expr, LogicalPlan},
};
use oxi_base::{Error, Result, SqlState};
use oxi_model::descriptor::TypeRef;

use crate::{
    ast::{Insert, InsertSource, Overriding, QueryBody, Span, ValuesRow},
    bind::{
        Binder, Command,
        expr::Cx,
        modify::{Changed, Target, is_default, scope_of, table_scope, undefined_target},
        query::{Output, project, values_plan},
        scope::Scope,
        typed::{Typed, bare_column},
    },
    function::error::from_datafusion,
    plan::{Action, ModifyNode, modify::ModifyParts},
};

impl Binder<'_> {
    pub(crate) fn insert(&mut self, insert: &Insert) -> Result<Changed> {
        let parent = Scope::default();
        if let Some(with) = &insert.with {
            self.with(with, &parent)?;
        }
        let relation = self.target_table(&insert.table)?;
        let alias = insert.alias.as_ref().map_or(relation.name.as_str(), |a| a.value.as_str());
        let qualifier = TableReference::bare(self.fresh_qualifier(alias));
        let target = Target { alias: alias.to_owned(), relation: relation.clone(), qualifier };
        let positions = insert_columns(insert, &target)?;
        let (plan, given) = self.insert_source(insert, &target, &positions)?;
        let plan = self.full_rows(plan, &given, insert, &target)?;
        let checks = self.checks(&target)?;
        let on_conflict = match &insert.on_conflict {
            Some(conflict) => Some(self.on_conflict(conflict, &target)?),
            None => None,
        };
        let scope = scope_of(table_scope(&relation, &target.alias, &target.qualifier));
        let (returning, fields) = self.returning(&insert.returning, &scope)?;
        let node = ModifyNode::new(ModifyParts {
            table: relation.clone(),
            qualifier: target.qualifier.clone(),
            input: plan,
            action: Action::Insert { on_conflict },
            again: None,
            checks,
            returning,
        })
        .map_err(from_datafusion)?;
        let (plan, relation) = (node.into_plan(), relation.oid);
        Ok(Changed { plan, fields, command: Command::Insert, relation })
    }

    /// The plan of the rows given, and which of its columns (by name) is which of the table's.
    fn insert_source(
        &mut self,
        insert: &Insert,
        target: &Target,
        positions: &[usize],
    ) -> Result<(LogicalPlan, BTreeMap<usize, String>)> {
        let query = match &insert.source {
            InsertSource::DefaultValues => {
                let plan = datafusion::logical_expr::LogicalPlanBuilder::empty(true)
                    .build()
                    .map_err(from_datafusion)?;
                return Ok((plan, BTreeMap::new()));
            }
            InsertSource::Query(query) => query,
        };
        if let QueryBody::Values(rows) = &query.body
            && query.order_by.is_empty()
            && query.limit.is_none()
            && query.offset.is_none()
            && query.with.is_none()
        {
            return self.insert_values(insert, rows, target, positions);
        }
        let table = target.table()?.clone();
        let hints = positions
            .iter()
            .map(|&position| Some(table.columns[position].data_type.oid))
            .collect::<Vec<_>>();
        let parent = Scope::default();
        let bound = self.query(query, &parent, &hints)?;
        check_width(bound.outputs.len(), positions.len(), insert, query.span)?;
        let mut exprs = Vec::new();
        let mut given = BTreeMap::new();
        for (output, &position) in bound.outputs.iter().zip(positions) {
            let column = &table.columns[position];
            check_given(column, insert, query.span)?;
            let value = Typed::new(output.expr(), output.ty, query.span);
            let value = self.assign(value, column)?;
            let name = format!("__given_{position}");
            exprs.push(value.expr.alias(&name));
            given.insert(position, name);
        }
        Ok((project(bound.plan, exprs)?, given))
    }

    fn insert_values(
        &mut self,
        insert: &Insert,
        rows: &[ValuesRow],
        target: &Target,
        positions: &[usize],
    ) -> Result<(LogicalPlan, BTreeMap<usize, String>)> {
        let table = target.table()?.clone();
        let scope = Scope::default();
        let width = rows.first().map_or(0, |row| row.values.len());
        let mut plan_rows = Vec::with_capacity(rows.len());
        for row in rows {
            if row.values.len() != width {
                return Err(Error::new(
                    SqlState::SYNTAX_ERROR,
                    "VALUES lists must all be the same length",
                )
                .at(row.span.position()));
            }
            check_width(row.values.len(), positions.len(), insert, row.span)?;
            let mut exprs = Vec::with_capacity(width);
            for (value, &position) in row.values.iter().zip(positions) {
                let column = &table.columns[position];
                let value = if is_default(value) {
                    self.default_value(column, value.span)?
                } else {
                    check_given(column, insert, value.span)?;
                    if skip_given(column, insert) {
                        self.default_value(column, value.span)?
                    } else {
                        let mut cx = Cx::plain(&scope, "VALUES");
                        let value = self.expr(value, &mut cx)?;
                        self.assign(value, column)?
                    }
                };
                exprs.push(value.expr);
            }
            plan_rows.push(exprs);
        }
        let mut given = BTreeMap::new();
        let outputs = positions
            .iter()
            .take(width)
            .map(|&position| {
                let name = format!("__given_{position}");
                given.insert(position, name.clone());
                let ty: TypeRef = table.columns[position].data_type;
                Output { name: name.clone(), ty, column: name, origin: None }
            })
            .collect::<Vec<_>>();
        Ok((values_plan(plan_rows, &outputs)?, given))
    }

    /// All columns of the table in layout order: those given, defaults, and generated ones.
    fn full_rows(
        &mut self,
        plan: LogicalPlan,
        given: &BTreeMap<usize, String>,
        insert: &Insert,
        target: &Target,
    ) -> Result<LogicalPlan> {
        let table = target.table()?.clone();
        let mut exprs = Vec::with_capacity(table.columns.len());
        let mut has_generated = false;
        for (position, column) in table.columns.iter().enumerate() {
            let expr = match given.get(&position) {
                _ if column.generated.is_some() => {
                    has_generated = true;
                    let null = crate::function::value::null_scalar(&column.physical)?;
                    Expr::Literal(null, None)
                }
                Some(_) if skip_given(column, insert) => {
                    self.default_value(column, Span::default())?.expr
                }
                Some(name) => bare_column(name),
                None => self.default_value(column, Span::default())?.expr,
            };
            exprs.push(expr.alias_qualified(Some(target.qualifier.clone()), &column.name));
        }
        let plan = project(plan, exprs)?;
        if !has_generated {
            return Ok(plan);
        }
        let generated = self.generated(target)?;
        let exprs = table
            .columns
            .iter()
            .enumerate()
            .map(|(position, column)| {
                let value = generated.iter().find(|g| g.column == position).map_or_else(
                    || crate::bind::typed::column(&target.qualifier, &column.name),
                    |g| g.value.clone(),
                );
                value.alias(&column.name)
            })
            .collect();
        project(plan, exprs)
    }
}

/// OVERRIDING USER VALUE ignores what is given for an identity.
fn skip_given(column: &oxi_model::descriptor::ColumnDescriptor, insert: &Insert) -> bool {
    column.identity.is_some() && insert.overriding == Some(Overriding::User)
}

/// A value may not be given for generated columns and strict identities.
fn check_given(
    column: &oxi_model::descriptor::ColumnDescriptor,
    insert: &Insert,
    span: Span,
) -> Result<()> {
    if column.generated.is_some() {
        return Err(Error::new(
            SqlState::GENERATED_ALWAYS,
            format!("cannot insert a non-DEFAULT value into column \"{}\"", column.name),
        )
        .with_detail(format!("Column \"{}\" is a generated column.", column.name))
        .at(span.position()));
    }
    if column.identity.is_some_and(|identity| identity.always) && insert.overriding.is_none() {
        return Err(Error::new(
            SqlState::GENERATED_ALWAYS,
            format!("cannot insert a non-DEFAULT value into column \"{}\"", column.name),
        )
        .with_detail(format!(
            "Column \"{}\" is an identity column defined as GENERATED ALWAYS.",
            column.name
        ))
        .with_hint("Use OVERRIDING SYSTEM VALUE to override.")
        .at(span.position()));
    }
    Ok(())
}

/// The positions of the columns given, in the order given.
fn insert_columns(insert: &Insert, target: &Target) -> Result<Vec<usize>> {
    let table = target.table()?;
    if insert.columns.is_empty() {
        return Ok((0..table.columns.len()).collect());
    }
    let mut positions = Vec::with_capacity(insert.columns.len());
    for column in &insert.columns {
        if !column.path.is_empty() {
            return Err(Error::unsupported("INSERT into parts of a column is not supported")
                .at(column.span.position()));
        }
        let (position, _) = table.column_by_name(&column.column.value).ok_or_else(|| {
            undefined_target(&column.column.value, &target.relation.name, column.span)
        })?;
        if positions.contains(&position) {
            return Err(Error::new(
                SqlState::DUPLICATE_COLUMN,
                format!("column \"{}\" specified more than once", column.column.value),
            )
            .at(column.span.position()));
        }
        positions.push(position);
    }
    Ok(positions)
}

fn check_width(given: usize, wanted: usize, insert: &Insert, span: Span) -> Result<()> {
    let message = if given > wanted {
        "INSERT has more expressions than target columns"
    } else if given < wanted && !insert.columns.is_empty() {
        "INSERT has more target columns than expressions"
    } else {
        return Ok(());
    };
    Err(Error::new(SqlState::SYNTAX_ERROR, message).at(span.position()))
}
