//! CREATE TABLE and CREATE TABLE AS.

use oxi_base::{Error, Result, SqlState};
use oxi_catalog::CatalogTxn;
use oxi_model::{
    descriptor::{ColumnDescriptor, RelationDescriptor, RelationKind, TableDescriptor, TypeRef},
    engine::InsertOutcome,
};
use oxi_sql::ast::{
    CreateTable, CreateTableAs, LikeClause, LikeOption, ObjectName, Persistence, TableElement,
};
use oxi_types::{oid, pg_type};

use crate::{
    outcome::CommandTag,
    request::Parsed,
    session::Session,
    statement::{
        column::{self, NewColumn},
        constraint::{self, NewConstraint},
        definition::{begin_change, finish_change},
        past, query,
    },
};

/// Most columns of a table, as PostgreSQL's.
const COLUMNS_MAX: usize = 1600;

/// CREATE TABLE.
pub(crate) async fn run(session: &mut Session, create: &CreateTable) -> Result<CommandTag> {
    const TAG: CommandTag = CommandTag::plain("CREATE TABLE");
    refuse_unsupported(create)?;
    let mut change = begin_change(session)?;
    let Some((schema, name)) = place(session, &change, &create.name, create.if_not_exists)? else {
        return Ok(TAG);
    };
    let mut columns: Vec<NewColumn> = Vec::new();
    let mut constraints = Vec::new();
    for element in &create.elements {
        match element {
            TableElement::Column(def) => {
                let column = column::define(session, def, columns.len() as u32)?;
                push_column(&mut columns, column).map_err(|e| e.at(def.span.position()))?;
            }
            TableElement::Constraint(constraint) => {
                constraints.push(NewConstraint::from_ast(constraint)?);
            }
            TableElement::Like(like) => copy_like(session, &mut columns, &mut constraints, like)?,
        }
    }
    let catalog = session.catalog()?;
    let eval = session.eval_context(&catalog);
    let history_us = past::retention(&eval, &create.options)?;
    let oid =
        create_relation(session, &mut change, schema, &name, &mut columns, history_us).await?;
    // Primary keys come first, so that foreign keys to the table itself find them.
    let mut all: Vec<NewConstraint> =
        columns.iter_mut().flat_map(|column| std::mem::take(&mut column.constraints)).collect();
    all.append(&mut constraints);
    all.sort_by_key(|new| match &new.kind {
        constraint::NewKind::Unique { primary: true, .. } => 0,
        constraint::NewKind::Unique { .. } => 1,
        constraint::NewKind::Check(_) => 2,
        constraint::NewKind::ForeignKey(_) => 3,
    });
    for new in &all {
        constraint::add(session, &mut change, oid, new, false).await?;
    }
    finish_change(session, change);
    Ok(TAG)
}

fn refuse_unsupported(create: &CreateTable) -> Result<()> {
    let at = create.span.position();
    if create.persistence == Persistence::Temporary {
        return Err(Error::unsupported("temporary tables are not supported").at(at));
    }
    if !create.inherits.is_empty() {
        return Err(Error::unsupported("table inheritance is not supported").at(at));
    }
    if create.on_commit.is_some() {
        return Err(Error::new(
            SqlState::INVALID_TABLE_DEFINITION,
            "ON COMMIT can only be used on temporary tables",
        )
        .at(at));
    }
    Ok(())
}

/// Schema and name of the new relation; `None` if it is there already and that is fine.
pub(crate) fn place(
    session: &mut Session,
    change: &CatalogTxn,
    name: &ObjectName,
    if_not_exists: bool,
) -> Result<Option<(u32, String)>> {
    let parts = name.texts();
    let (schema, plain) = change
        .catalog()
        .resolve_creation(&session.search_path(), &parts)
        .map_err(|error| error.at(name.span.position()))?;
    if change.catalog().relation_by_name(schema.oid, plain).is_some() {
        if if_not_exists {
            let message = format!("relation \"{plain}\" already exists, skipping");
            session.notice(SqlState::DUPLICATE_TABLE, message);
            return Ok(None);
        }
        return Err(oxi_catalog::mutation::duplicate_relation(plain));
    }
    Ok(Some((schema.oid, plain.to_owned())))
}

fn push_column(columns: &mut Vec<NewColumn>, column: NewColumn) -> Result<()> {
    let name = column.descriptor.name.as_str();
    if columns.iter().any(|other| other.descriptor.name == name) {
        return Err(Error::new(
            SqlState::DUPLICATE_COLUMN,
            format!("column \"{name}\" specified more than once"),
        ));
    }
    if columns.len() >= COLUMNS_MAX {
        return Err(Error::new(
            SqlState::TOO_MANY_COLUMNS,
            format!("tables can have at most {COLUMNS_MAX} columns"),
        ));
    }
    columns.push(column);
    Ok(())
}

/// Creates the table and the sequences of its columns; returns its oid.
async fn create_relation(
    session: &mut Session,
    change: &mut CatalogTxn,
    schema: u32,
    name: &str,
    columns: &mut [NewColumn],
    history_us: Option<u64>,
) -> Result<u32> {
    let oid = session.shared.engine.allocate_oid();
    let mut sequences = Vec::new();
    for new in columns.iter_mut() {
        if let Some(sequence) = new.sequence.take() {
            let id = new.descriptor.id;
            let descriptor = &mut new.descriptor;
            let made =
                column::create_sequence(session, change, schema, name, descriptor, &sequence)
                    .await?;
            sequences.push((made, id));
            new.sequence = Some(sequence);
        }
    }
    let mut descriptors: Vec<ColumnDescriptor> =
        columns.iter().map(|column| column.descriptor.clone()).collect();
    for new in columns.iter() {
        column::settle_expressions(session, name, &mut descriptors, new)?;
    }
    let table = TableDescriptor {
        storage: session.shared.engine.allocate_table_id().0,
        next_column_id: descriptors.len() as u32,
        columns: descriptors,
        constraints: Vec::new(),
        history_us,
    };
    change
        .create_relation(RelationDescriptor {
            oid,
            schema,
            name: name.to_owned(),
            comment: None,
            kind: RelationKind::Table(table),
        })
        .await?;
    for (sequence, column) in sequences {
        super::sequence::set_owner(change, sequence, Some((oid, column))).await?;
    }
    Ok(oid)
}

/// LIKE other INCLUDING …: the columns, and what is included.
fn copy_like(
    session: &mut Session,
    columns: &mut Vec<NewColumn>,
    constraints: &mut Vec<NewConstraint>,
    like: &LikeClause,
) -> Result<()> {
    let catalog = session.catalog()?;
    let source = catalog
        .resolve_relation(&session.search_path(), &like.table.texts())
        .map_err(|error| error.at(like.table.span.position()))?;
    let Some(table) = source.as_table() else {
        return Err(super::definition::not_a_table(&source));
    };
    let includes = |wanted: LikeOption| {
        like.options
            .iter()
            .rev()
            .find(|(_, option)| *option == wanted || *option == LikeOption::All)
            .is_some_and(|(included, _)| *included)
    };
    for original in &table.columns {
        let mut descriptor = ColumnDescriptor {
            id: columns.len() as u32,
            identity: None,
            comment: original.comment.clone().filter(|_| includes(LikeOption::Comments)),
            ..original.clone()
        };
        if !includes(LikeOption::Defaults) {
            descriptor.default = None;
        }
        if !includes(LikeOption::Generated) {
            descriptor.generated = None;
        }
        let new = NewColumn {
            descriptor,
            default: None,
            generated: None,
            constraints: Vec::new(),
            sequence: None,
        };
        push_column(columns, new)?;
    }
    for original in &table.constraints {
        use oxi_model::descriptor::ConstraintKind as Kind;
        match &original.kind {
            Kind::Check { expression } if includes(LikeOption::Constraints) => {
                let expr = oxi_sql::parse::parse_expression(expression)?;
                constraints.push(NewConstraint::check(
                    Some(original.name.clone()),
                    expr,
                    Vec::new(),
                ));
            }
            Kind::Unique { primary, columns, .. } if includes(LikeOption::Indexes) => {
                let names = columns
                    .iter()
                    .filter_map(|id| table.column_by_id(*id))
                    .map(|(_, column)| column.name.clone())
                    .collect();
                let mut copied = NewConstraint::unique(None, *primary, false, names);
                copied.deferral = original.deferral;
                constraints.push(copied);
            }
            _ => {}
        }
    }
    Ok(())
}

/// CREATE TABLE AS and SELECT INTO.
pub(crate) async fn run_as(
    session: &mut Session,
    parsed: &Parsed,
    create: &CreateTableAs,
) -> Result<CommandTag> {
    let at = create.span.position();
    if create.materialized_view {
        return Err(Error::unsupported("materialized views are not supported").at(at));
    }
    if create.persistence == Persistence::Temporary {
        return Err(Error::unsupported("temporary tables are not supported").at(at));
    }
    let mut change = begin_change(session)?;
    let Some((schema, name)) = place(session, &change, &create.name, create.if_not_exists)? else {
        return Ok(CommandTag::plain("CREATE TABLE AS"));
    };
    let mut cursor = query::run_inner(session, parsed, &create.statement).await?;
    if create.columns.len() > cursor.fields().len() {
        return Err(Error::new(SqlState::SYNTAX_ERROR, "too many column names were specified"));
    }
    let mut columns = Vec::new();
    for (index, field) in cursor.fields().iter().enumerate() {
        let given = create.columns.get(index).map(|name| name.value.clone());
        let name = given.unwrap_or_else(|| field.name.clone());
        push_column(&mut columns, plain_column(index as u32, name, field.data_type))?;
    }
    let catalog = session.catalog()?;
    let eval = session.eval_context(&catalog);
    let history_us = past::retention(&eval, &create.options)?;
    let oid =
        create_relation(session, &mut change, schema, &name, &mut columns, history_us).await?;
    let storage = change
        .catalog()
        .relation(oid)
        .and_then(|relation| relation.as_table())
        .map(TableDescriptor::storage)
        .ok_or_else(|| Error::bug("the table is gone"))?;
    let txn = std::sync::Arc::clone(&session.ensure_transaction().txn);
    let mut rows = 0;
    if create.with_data {
        while let Some(row) = cursor.pull_row().await? {
            match txn.insert(storage, &row)? {
                InsertOutcome::Done(_) => rows += 1,
                _ => return Err(Error::bug("a new table has a conflict")),
            }
        }
    }
    finish_change(session, change);
    Ok(CommandTag::counted("SELECT", rows))
}

fn plain_column(id: u32, name: String, data_type: TypeRef) -> NewColumn {
    // A column of unknown type (a bare literal) becomes text.
    let data_type =
        if data_type.oid == oid::UNKNOWN { TypeRef::plain(oid::TEXT) } else { data_type };
    let physical = pg_type::by_oid(data_type.oid)
        .map_or(oxi_model::PhysicalType::Text, |row| row.physical.clone());
    NewColumn {
        descriptor: ColumnDescriptor {
            id,
            name,
            data_type,
            physical,
            not_null: false,
            default: None,
            generated: None,
            identity: None,
            comment: None,
        },
        default: None,
        generated: None,
        constraints: Vec::new(),
        sequence: None,
    }
}
