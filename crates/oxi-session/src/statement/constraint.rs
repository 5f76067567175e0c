//! CHECK, UNIQUE, PRIMARY KEY and FOREIGN KEY on their way into a table.

use std::sync::Arc;

use oxi_base::{Error, Result, SqlState};
use oxi_catalog::{Catalog, CatalogTxn, alter, identifier::Generated};
use oxi_model::{
    descriptor::{
        ConstraintDescriptor, ConstraintKind, Deferral, ForeignKey, IndexColumn, IndexDescriptor,
        ReferentialAction, RelationDescriptor, RelationKind, TableDescriptor,
    },
    engine::TableLock,
};
use oxi_sql::ast::{self, Expr, Ident};

use crate::{
    binding::StoredUse,
    session::Session,
    statement::{
        definition::{
            column_list, internal_rows, no_such_column, qualified, stored_expression, table_mut,
        },
        lock,
    },
};

/// A constraint as a statement gives it.
pub(crate) struct NewConstraint {
    pub(crate) name: Option<String>,
    pub(crate) columns: Vec<String>,
    pub(crate) kind: NewKind,
    /// NOT VALID: existing rows are not looked at.
    pub(crate) not_valid: bool,
    pub(crate) deferral: Deferral,
    pub(crate) position: Option<usize>,
}

/// What it demands.
pub(crate) enum NewKind {
    Check(Expr),
    Unique { primary: bool, nulls_not_distinct: bool },
    ForeignKey(ast::ForeignKey),
}

impl NewConstraint {
    fn new(name: Option<String>, columns: Vec<String>, kind: NewKind) -> Self {
        let deferral = Deferral::NONE;
        NewConstraint { name, columns, kind, not_valid: false, deferral, position: None }
    }

    pub(crate) fn check(name: Option<String>, expr: Expr, columns: Vec<String>) -> Self {
        Self::new(name, columns, NewKind::Check(expr))
    }

    pub(crate) fn unique(
        name: Option<String>,
        primary: bool,
        nulls_not_distinct: bool,
        columns: Vec<String>,
    ) -> Self {
        Self::new(name, columns, NewKind::Unique { primary, nulls_not_distinct })
    }

    pub(crate) fn foreign_key(
        name: Option<String>,
        columns: Vec<String>,
        key: ast::ForeignKey,
    ) -> Self {
        Self::new(name, columns, NewKind::ForeignKey(key))
    }

    /// From a table constraint.
    pub(crate) fn from_ast(constraint: &ast::TableConstraint) -> Result<Self> {
        use ast::TableConstraintKind as Kind;
        let at = constraint.span.position();
        let name = constraint.name.as_ref().map(|name| name.value.clone());
        let names = |columns: &[Ident]| columns.iter().map(|c| c.value.clone()).collect();
        let mut new = match &constraint.kind {
            Kind::Check { expr, .. } => {
                if constraint.deferral.deferrable {
                    let message = "CHECK constraints cannot be marked DEFERRABLE";
                    return Err(Error::unsupported(message).at(at));
                }
                Self::check(name, expr.clone(), Vec::new())
            }
            Kind::PrimaryKey { columns, parameters } => {
                super::column::parameters_supported(parameters, at)?;
                Self::unique(name, true, false, names(columns))
            }
            Kind::Unique { columns, nulls_not_distinct, parameters } => {
                super::column::parameters_supported(parameters, at)?;
                Self::unique(name, false, *nulls_not_distinct, names(columns))
            }
            Kind::ForeignKey { columns, references } => {
                Self::foreign_key(name, names(columns), references.clone())
            }
            Kind::UsingIndex { .. } => {
                return Err(Error::unsupported("constraints USING INDEX are not supported").at(at));
            }
            Kind::Exclude { .. } => {
                return Err(Error::unsupported("exclusion constraints are not supported").at(at));
            }
        };
        new.not_valid = constraint.not_valid;
        new.deferral = deferral_of(constraint.deferral);
        new.position = Some(at);
        Ok(new)
    }
}

/// When a constraint is checked, as a statement says it.
pub(crate) fn deferral_of(written: ast::Deferral) -> Deferral {
    let ast::Deferral { deferrable, initially_deferred } = written;
    Deferral { deferrable, initially_deferred }
}

/// Adds a constraint to a table in the catalog; `validate` asks to check the rows there are.
pub(crate) async fn add(
    session: &mut Session,
    change: &mut CatalogTxn,
    table: u32,
    new: &NewConstraint,
    validate: bool,
) -> Result<()> {
    // Statements that validate see the table as it is now.
    session.set_catalog(change.catalog().clone());
    let at = |error: Error| match new.position {
        Some(position) => error.at(position),
        None => error,
    };
    match &new.kind {
        NewKind::Check(expr) => add_check(session, change, table, new, expr, validate).await,
        NewKind::Unique { primary, nulls_not_distinct } => {
            let key = UniqueKey { primary: *primary, nulls_not_distinct: *nulls_not_distinct };
            add_unique(session, change, table, new, key, validate).await
        }
        NewKind::ForeignKey(key) => {
            add_foreign_key(session, change, table, new, key, validate).await
        }
    }
    .map_err(at)
}

fn relation_of(change: &CatalogTxn, table: u32) -> Result<Arc<RelationDescriptor>> {
    change.catalog().relation(table).cloned().ok_or_else(|| Error::bug("the table is gone"))
}

/// The given name, checked, or a generated one.
fn choose_name(
    change: &CatalogTxn,
    relation: &RelationDescriptor,
    new: &NewConstraint,
    what: Generated,
) -> Result<String> {
    let taken = |name: &str| {
        relation.as_table().is_some_and(|t| t.constraints.iter().any(|c| c.name == name))
    };
    match &new.name {
        Some(name) if taken(name) => Err(Error::new(
            SqlState::DUPLICATE_OBJECT,
            format!("constraint \"{name}\" for relation \"{}\" already exists", relation.name),
        )),
        Some(name) => Ok(name.clone()),
        None => {
            let columns: Vec<&str> = new.columns.iter().map(String::as_str).collect();
            let (schema, table) = (relation.schema, relation.name.as_str());
            Ok(change.catalog().generate_name(schema, what, table, &columns, &[]))
        }
    }
}

fn column_ids(relation: &RelationDescriptor, names: &[String], key: bool) -> Result<Vec<u32>> {
    let table = relation.as_table().ok_or_else(|| Error::bug("a table was expected"))?;
    let mut ids = Vec::new();
    for name in names {
        let Some((_, column)) = table.column_by_name(name) else {
            return Err(if key {
                Error::new(
                    SqlState::UNDEFINED_COLUMN,
                    format!("column \"{name}\" named in key does not exist"),
                )
            } else {
                no_such_column(name, &relation.name)
            });
        };
        if key && ids.contains(&column.id) {
            return Err(Error::new(
                SqlState::DUPLICATE_COLUMN,
                format!("column \"{name}\" appears twice in unique constraint"),
            ));
        }
        ids.push(column.id);
    }
    Ok(ids)
}

async fn add_check(
    session: &mut Session,
    change: &mut CatalogTxn,
    table: u32,
    new: &NewConstraint,
    expr: &Expr,
    validate: bool,
) -> Result<()> {
    let relation = relation_of(change, table)?;
    let columns = relation.as_table().map(|t| t.columns.clone()).unwrap_or_default();
    let text = stored_expression(session, &columns, &relation.name, expr, StoredUse::Check)?;
    let used: Vec<String> = columns
        .iter()
        .filter(|column| oxi_catalog::expression::mentions(&text, &column.name))
        .map(|column| column.name.clone())
        .collect();
    let named = NewConstraint::check(new.name.clone(), expr.clone(), used);
    let name = choose_name(change, &relation, &named, Generated::Check)?;
    if validate && !new.not_valid {
        let sql = format!(
            "SELECT 1 FROM {} WHERE NOT ({text}) LIMIT 1",
            qualified(change.catalog(), &relation)
        );
        if !internal_rows(session, &sql).await?.is_empty() {
            return Err(Error::new(
                SqlState::CHECK_VIOLATION,
                format!(
                    "check constraint \"{name}\" of relation \"{}\" is violated by some row",
                    relation.name
                ),
            ));
        }
    }
    let oid = session.shared.engine.allocate_oid();
    let kind = ConstraintKind::Check { expression: text };
    let constraint = ConstraintDescriptor { oid, name, kind, deferral: Deferral::NONE };
    let changed = alter::add_constraint(&relation, constraint)?;
    change.replace_relation(changed, &[]).await
}

/// What kind of key is added.
#[derive(Clone, Copy)]
pub(crate) struct UniqueKey {
    pub(crate) primary: bool,
    pub(crate) nulls_not_distinct: bool,
}

async fn add_unique(
    session: &mut Session,
    change: &mut CatalogTxn,
    table: u32,
    new: &NewConstraint,
    key: UniqueKey,
    validate: bool,
) -> Result<()> {
    let relation = relation_of(change, table)?;
    let ids = column_ids(&relation, &new.columns, true)?;
    let what = if key.primary { Generated::PrimaryKey } else { Generated::Unique };
    let name = choose_name(change, &relation, new, what)?;
    if key.primary && validate {
        refuse_nulls(session, change, &relation, &ids).await?;
    }
    if new.deferral.deferrable && validate {
        refuse_equal_keys(session, change, &relation, &name, &ids, key).await?;
    }
    let (schema, index_oid) = (relation.schema, session.shared.engine.allocate_oid());
    let oid = session.shared.engine.allocate_oid();
    let columns = ids.clone();
    let kind = ConstraintKind::Unique { primary: key.primary, index: index_oid, columns };
    let constraint = ConstraintDescriptor { oid, name: name.clone(), kind, deferral: new.deferral };
    let mut relation = alter::add_constraint(&relation, constraint)?;
    if key.primary {
        let columns = &mut table_mut(&mut relation)?.columns;
        for column in columns.iter_mut().filter(|column| ids.contains(&column.id)) {
            column.not_null = true;
        }
    }
    change.replace_relation(relation, &[]).await?;
    let index = IndexDescriptor {
        table,
        storage: session.shared.engine.allocate_index_id().0,
        unique: true,
        nulls_not_distinct: key.nulls_not_distinct,
        deferrable: new.deferral.deferrable,
        invalid: false,
        columns: ids
            .iter()
            .map(|id| IndexColumn { column: *id, descending: false, nulls_first: false })
            .collect(),
    };
    let kind = RelationKind::Index(index);
    change
        .create_relation(RelationDescriptor { oid: index_oid, schema, name, comment: None, kind })
        .await
}

/// `23505` if two rows have the same key: storage does not keep deferrable keys apart, so it does
/// not find out either.
pub(crate) async fn refuse_equal_keys(
    session: &mut Session,
    change: &CatalogTxn,
    relation: &RelationDescriptor,
    name: &str,
    ids: &[u32],
    key: UniqueKey,
) -> Result<()> {
    let Some(table) = relation.as_table() else { return Ok(()) };
    let columns: Vec<String> = ids.iter().map(|id| column_list(table, &[*id], "")).collect();
    let texts: Vec<String> = columns.iter().map(|column| format!("{column}::text")).collect();
    let present: Vec<String> = columns.iter().map(|c| format!("{c} IS NOT NULL")).collect();
    let filter = if key.nulls_not_distinct { "true".to_owned() } else { present.join(" AND ") };
    let sql = format!(
        "SELECT {} FROM {} WHERE {filter} GROUP BY {} HAVING count(*) > 1 LIMIT 1",
        texts.join(", "),
        qualified(change.catalog(), relation),
        columns.join(", ")
    );
    let rows = internal_rows(session, &sql).await?;
    let Some(row) = rows.first() else { return Ok(()) };
    Err(Error::new(SqlState::UNIQUE_VIOLATION, format!("could not create unique index \"{name}\""))
        .with_detail(format!("Key ({})=({}) is duplicated.", columns.join(", "), texts_of(row))))
}

/// Values that were selected as texts.
fn texts_of(row: &[oxi_model::Datum]) -> String {
    let texts: Vec<String> = row
        .iter()
        .map(|value| match value {
            oxi_model::Datum::Text(text) => text.to_string(),
            _ => "null".to_owned(),
        })
        .collect();
    texts.join(", ")
}

/// `23502` if one of the columns holds a NULL.
pub(crate) async fn refuse_nulls(
    session: &mut Session,
    change: &CatalogTxn,
    relation: &RelationDescriptor,
    ids: &[u32],
) -> Result<()> {
    let Some(table) = relation.as_table() else { return Ok(()) };
    for id in ids {
        let Some((_, column)) = table.column_by_id(*id).filter(|(_, c)| !c.not_null) else {
            continue;
        };
        let sql = format!(
            "SELECT 1 FROM {} WHERE {} IS NULL LIMIT 1",
            qualified(change.catalog(), relation),
            oxi_catalog::identifier::quote(&column.name)
        );
        if !internal_rows(session, &sql).await?.is_empty() {
            return Err(Error::new(
                SqlState::NOT_NULL_VIOLATION,
                format!(
                    "column \"{}\" of relation \"{}\" contains null values",
                    column.name, relation.name
                ),
            ));
        }
    }
    Ok(())
}

async fn add_foreign_key(
    session: &mut Session,
    change: &mut CatalogTxn,
    table: u32,
    new: &NewConstraint,
    key: &ast::ForeignKey,
    validate: bool,
) -> Result<()> {
    let relation = relation_of(change, table)?;
    let columns = column_ids(&relation, &new.columns, false)?;
    let parent = change
        .catalog()
        .resolve_relation(&session.search_path(), &key.table.texts())
        .map_err(|error| error.at(key.table.span.position()))?;
    if let Some(storage) = parent.as_table().map(TableDescriptor::storage) {
        lock::acquire(session, storage, TableLock::ShareRowExclusive).await?;
    }
    let written = referenced_ids(&parent, &key.columns)?;
    let (referenced_index, referenced_columns) =
        alter::foreign_key_target(change.catalog(), &parent, written.as_deref(), columns.len())?;
    if !key.on_delete_columns.is_empty() {
        return Err(Error::unsupported("ON DELETE SET with a column list is not supported"));
    }
    let name = choose_name(change, &relation, new, Generated::ForeignKey)?;
    check_types(&name, &relation, &columns, &parent, &referenced_columns)?;
    let descriptor = ForeignKey {
        columns,
        referenced_table: parent.oid,
        referenced_columns,
        referenced_index,
        on_delete: action(key.on_delete),
        on_update: action(key.on_update),
        match_full: match key.matching {
            ast::MatchType::Simple => false,
            ast::MatchType::Full => true,
            ast::MatchType::Partial => {
                return Err(Error::unsupported("MATCH PARTIAL is not supported"));
            }
        },
    };
    if validate && !new.not_valid {
        let catalog = change.catalog().clone();
        validate_foreign_key(session, &catalog, &relation, &name, &parent, &descriptor).await?;
    }
    let oid = session.shared.engine.allocate_oid();
    let kind = ConstraintKind::ForeignKey(descriptor);
    let constraint = ConstraintDescriptor { oid, name, kind, deferral: new.deferral };
    let changed = alter::add_constraint(&relation, constraint)?;
    change.replace_relation(changed, &[]).await
}

fn action(action: ast::ReferentialAction) -> ReferentialAction {
    match action {
        ast::ReferentialAction::NoAction => ReferentialAction::NoAction,
        ast::ReferentialAction::Restrict => ReferentialAction::Restrict,
        ast::ReferentialAction::Cascade => ReferentialAction::Cascade,
        ast::ReferentialAction::SetNull => ReferentialAction::SetNull,
        ast::ReferentialAction::SetDefault => ReferentialAction::SetDefault,
    }
}

/// The ids of the columns that REFERENCES names; `None` if it names none.
fn referenced_ids(parent: &RelationDescriptor, names: &[Ident]) -> Result<Option<Vec<u32>>> {
    if names.is_empty() {
        return Ok(None);
    }
    let table = alter::table(parent)?;
    let ids: Result<Vec<u32>> = names
        .iter()
        .map(|name| {
            table.column_by_name(&name.value).map(|(_, column)| column.id).ok_or_else(|| {
                Error::new(
                    SqlState::UNDEFINED_COLUMN,
                    format!(
                        "column \"{}\" referenced in foreign key constraint does not exist",
                        name.value
                    ),
                )
            })
        })
        .collect();
    ids.map(Some)
}

fn check_types(
    name: &str,
    child: &RelationDescriptor,
    columns: &[u32],
    parent: &RelationDescriptor,
    referenced: &[u32],
) -> Result<()> {
    let (Some(child), Some(parent)) = (child.as_table(), parent.as_table()) else { return Ok(()) };
    for (own, other) in columns.iter().zip(referenced) {
        let (Some((_, own)), Some((_, other))) =
            (child.column_by_id(*own), parent.column_by_id(*other))
        else {
            continue;
        };
        if own.physical != other.physical {
            return Err(Error::new(
                SqlState::DATATYPE_MISMATCH,
                format!("foreign key constraint \"{name}\" cannot be implemented"),
            )
            .with_detail(format!(
                "Key columns \"{}\" and \"{}\" are of incompatible types: {} and {}.",
                own.name,
                other.name,
                oxi_types::pg_type::format_type(own.data_type),
                oxi_types::pg_type::format_type(other.data_type)
            )));
        }
    }
    Ok(())
}

/// `23503` if a row of the child has no parent.
pub(crate) async fn validate_foreign_key(
    session: &mut Session,
    catalog: &Catalog,
    child: &RelationDescriptor,
    name: &str,
    parent: &RelationDescriptor,
    key: &ForeignKey,
) -> Result<()> {
    let (Some(table), Some(referenced)) = (child.as_table(), parent.as_table()) else {
        return Ok(());
    };
    let own: Vec<String> = key.columns.iter().map(|id| column_list(table, &[*id], "c.")).collect();
    let other: Vec<String> =
        key.referenced_columns.iter().map(|id| column_list(referenced, &[*id], "p.")).collect();
    let present: Vec<String> = own.iter().map(|column| format!("{column} IS NOT NULL")).collect();
    let equal: Vec<String> = own.iter().zip(&other).map(|(c, p)| format!("{p} = {c}")).collect();
    let sql = format!(
        "SELECT {} FROM {} c WHERE {} AND NOT EXISTS (SELECT 1 FROM {} p WHERE {}) LIMIT 1",
        own.iter().map(|column| format!("{column}::text")).collect::<Vec<_>>().join(", "),
        qualified(catalog, child),
        present.join(" AND "),
        qualified(catalog, parent),
        equal.join(" AND ")
    );
    let rows = internal_rows(session, &sql).await?;
    let Some(row) = rows.first() else { return Ok(()) };
    Err(Error::new(
        SqlState::FOREIGN_KEY_VIOLATION,
        format!(
            "insert or update on table \"{}\" violates foreign key constraint \"{name}\"",
            child.name
        ),
    )
    .with_detail(format!(
        "Key ({})=({}) is not present in table \"{}\".",
        column_list(table, &key.columns, ""),
        texts_of(row),
        parent.name
    )))
}
