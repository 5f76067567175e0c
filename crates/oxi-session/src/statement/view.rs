//! CREATE VIEW.

use oxi_base::{Error, Result, SqlState};
use oxi_model::descriptor::{RelationDescriptor, RelationKind, ViewColumn, ViewDescriptor};
use oxi_sql::ast::{CreateView, Persistence, Statement, StatementKind};

use crate::{
    binding::Environment,
    outcome::CommandTag,
    session::Session,
    statement::definition::{begin_change, finish_change},
};

/// CREATE [OR REPLACE] VIEW.
pub(crate) async fn create(session: &mut Session, create: &CreateView) -> Result<CommandTag> {
    let at = create.span.position();
    if create.persistence == Persistence::Temporary {
        return Err(Error::unsupported("temporary views are not supported").at(at));
    }
    if create.recursive {
        return Err(Error::unsupported("recursive views are not supported").at(at));
    }
    if create.check_option.is_some() {
        return Err(Error::unsupported("WITH CHECK OPTION is not supported").at(at));
    }
    let mut change = begin_change(session)?;
    let search_path = session.search_path();
    let parts = create.name.texts();
    let (schema, name) = change
        .catalog()
        .resolve_creation(&search_path, &parts)
        .map_err(|error| error.at(create.name.span.position()))?;
    let (schema, name) = (schema.oid, name.to_owned());
    let view = describe(session, create, search_path)?;
    let existing = change.catalog().relation_by_name(schema, &name).cloned();
    match existing {
        Some(existing) if create.or_replace => {
            let Some(old) = existing.as_view() else {
                return Err(Error::new(
                    SqlState::WRONG_OBJECT_TYPE,
                    format!("\"{name}\" is not a view"),
                ));
            };
            check_replacement(old, &view)?;
            let mut changed = RelationDescriptor::clone(&existing);
            changed.kind = RelationKind::View(view);
            change.replace_relation(changed, &[]).await?;
        }
        _ => {
            let oid = session.shared.engine.allocate_oid();
            let kind = RelationKind::View(view);
            change
                .create_relation(RelationDescriptor { oid, schema, name, comment: None, kind })
                .await?;
        }
    }
    finish_change(session, change);
    Ok(CommandTag::plain("CREATE VIEW"))
}

fn describe(
    session: &mut Session,
    create: &CreateView,
    search_path: Vec<String>,
) -> Result<ViewDescriptor> {
    let catalog = session.catalog()?;
    let kind = StatementKind::Query(create.query.clone());
    let statement = Statement { kind, span: create.query.span };
    let bound = Environment::new(session, &catalog).bind_stored(&statement)?;
    if !bound.parameters().is_empty() {
        return Err(Error::new(SqlState::UNDEFINED_PARAMETER, "there is no parameter $1"));
    }
    if create.columns.len() > bound.fields().len() {
        return Err(Error::new(
            SqlState::INVALID_TABLE_DEFINITION,
            "CREATE VIEW specifies more column names than columns",
        ));
    }
    let mut columns: Vec<ViewColumn> = Vec::new();
    for (index, field) in bound.fields().iter().enumerate() {
        let given = create.columns.get(index).map(|name| name.value.clone());
        let name = given.unwrap_or_else(|| field.name.clone());
        if columns.iter().any(|column| column.name == name) {
            return Err(Error::new(
                SqlState::DUPLICATE_COLUMN,
                format!("column \"{name}\" specified more than once"),
            ));
        }
        columns.push(ViewColumn { name, data_type: field.data_type });
    }
    let query = oxi_sql::deparse::stored_query(&create.query, bound.stars())?;
    Ok(ViewDescriptor { query, columns, depends_on: bound.relations().to_vec(), search_path })
}

/// A replacing view keeps the columns there are and may add more.
fn check_replacement(old: &ViewDescriptor, new: &ViewDescriptor) -> Result<()> {
    if new.columns.len() < old.columns.len() {
        return Err(Error::new(
            SqlState::INVALID_TABLE_DEFINITION,
            "cannot drop columns from view",
        ));
    }
    for (old, new) in old.columns.iter().zip(&new.columns) {
        if old.name != new.name {
            return Err(Error::new(
                SqlState::INVALID_TABLE_DEFINITION,
                format!("cannot change name of view column \"{}\" to \"{}\"", old.name, new.name),
            )
            .with_hint(
                "Use ALTER VIEW ... RENAME COLUMN ... to change name of view column instead.",
            ));
        }
        if old.data_type != new.data_type {
            let name = oxi_types::pg_type::format_type;
            return Err(Error::new(
                SqlState::INVALID_TABLE_DEFINITION,
                format!(
                    "cannot change data type of view column \"{}\" from {} to {}",
                    old.name,
                    name(old.data_type),
                    name(new.data_type)
                ),
            ));
        }
    }
    Ok(())
}
