//! COMMENT ON.

use oxi_base::{Error, Result, SqlState};
use oxi_catalog::alter;
use oxi_model::{
    descriptor::{RelationDescriptor, TableDescriptor},
    engine::TableLock,
};
use oxi_sql::ast::{Comment, ObjectKind};

use crate::{
    outcome::CommandTag,
    session::Session,
    statement::{
        definition::{begin_change, finish_change, table_mut},
        lock,
    },
};

/// COMMENT ON TABLE, COLUMN, VIEW, INDEX, SEQUENCE.
pub(crate) async fn run(session: &mut Session, comment: &Comment) -> Result<CommandTag> {
    let mut change = begin_change(session)?;
    let mut name = comment.name.texts();
    let column = match comment.kind {
        ObjectKind::Table | ObjectKind::View | ObjectKind::Index | ObjectKind::Sequence => None,
        ObjectKind::Column if name.len() > 1 => {
            name.pop();
            comment.name.parts.last()
        }
        ObjectKind::Column => {
            return Err(Error::new(SqlState::SYNTAX_ERROR, "column name must be qualified")
                .at(comment.name.span.position()));
        }
        other => {
            return Err(Error::unsupported(format!(
                "COMMENT ON {} is not supported",
                other.name().to_uppercase()
            )));
        }
    };
    let relation = change
        .catalog()
        .resolve_relation(&session.search_path(), &name)
        .map_err(|error| error.at(comment.name.span.position()))?;
    oxi_catalog::resolve::check_not_system(&relation)?;
    if let Some(storage) = relation.as_table().map(TableDescriptor::storage) {
        lock::acquire(session, storage, TableLock::ShareUpdateExclusive).await?;
    }
    let mut changed = RelationDescriptor::clone(&relation);
    match column {
        Some(column) => {
            let (position, _) = alter::column(&relation, &column.value)
                .map_err(|error| error.at(column.span.position()))?;
            table_mut(&mut changed)?.columns[position].comment.clone_from(&comment.text);
        }
        None => changed.comment.clone_from(&comment.text),
    }
    change.replace_relation(changed, &[]).await?;
    finish_change(session, change);
    Ok(CommandTag::plain("COMMENT"))
}
