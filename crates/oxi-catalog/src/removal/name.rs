//! What the names in DROP mean, and what IF EXISTS makes of those that mean nothing.

use oxi_base::{Error, Result, SqlState};
use oxi_model::descriptor::{RelationDescriptor, RelationKind};

use crate::{
    catalog::Catalog,
    resolve::{self, Resolved},
};

/// The kinds of object that DROP names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "SQL's words")]
pub enum DropKind {
    Table,
    Index,
    View,
    Sequence,
}

impl DropKind {
    fn words(self) -> (&'static str, &'static str, &'static str) {
        match self {
            DropKind::Table => ("table", "a table", "TABLE"),
            DropKind::Index => ("index", "an index", "INDEX"),
            DropKind::View => ("view", "a view", "VIEW"),
            DropKind::Sequence => ("sequence", "a sequence", "SEQUENCE"),
        }
    }

    fn of(relation: &RelationDescriptor) -> Self {
        match relation.kind {
            RelationKind::Table(_) => DropKind::Table,
            RelationKind::Index(_) => DropKind::Index,
            RelationKind::View(_) => DropKind::View,
            RelationKind::Sequence(_) => DropKind::Sequence,
        }
    }
}

/// Finds what `DROP <kind> <name>` names. For IF EXISTS, see
/// [`missing_notice`].
///
/// # Errors
/// `42P01`, `42704`, `3F000` if it is not there; `42809` if it is something else; `42501` for
/// system relations.
pub fn find(
    catalog: &Catalog,
    search_path: &[String],
    parts: &[impl AsRef<str>],
    kind: DropKind,
) -> Result<u32> {
    let (word, article, _) = kind.words();
    let (schema, _) = resolve::split(parts)?;
    let relation = match catalog.try_resolve(search_path, parts)? {
        Some(Resolved::Relation(relation)) => relation,
        Some(Resolved::System(system)) => {
            return Err(Error::new(
                SqlState::INSUFFICIENT_PRIVILEGE,
                format!("permission denied: \"{}\" is a system catalog", system.name),
            ));
        }
        None => {
            if let Some(schema) = schema {
                catalog.resolve_schema(schema)?;
            }
            let written: Vec<&str> = parts.iter().map(AsRef::as_ref).collect();
            let code = match kind {
                DropKind::Index => SqlState::UNDEFINED_OBJECT,
                _ => SqlState::UNDEFINED_TABLE,
            };
            let message = format!("{word} \"{}\" does not exist", written.join("."));
            return Err(Error::new(code, message));
        }
    };
    let found = DropKind::of(&relation);
    if found != kind {
        let (_, actual, upper) = found.words();
        return Err(Error::new(
            SqlState::WRONG_OBJECT_TYPE,
            format!("\"{}\" is not {article}", relation.name),
        )
        .with_hint(format!("Use DROP {upper} to remove {actual}.")));
    }
    resolve::check_not_system(&relation)?;
    Ok(relation.oid)
}

/// Whether an error (of [`find`] or its like) is one that IF EXISTS turns into a NOTICE, and its
/// text.
pub fn missing_notice(error: &Error) -> Option<String> {
    let missing = [
        SqlState::UNDEFINED_TABLE,
        SqlState::UNDEFINED_COLUMN,
        SqlState::UNDEFINED_OBJECT,
        SqlState::INVALID_SCHEMA_NAME,
    ];
    missing.contains(&error.code()).then(|| format!("{}, skipping", error.message()))
}
