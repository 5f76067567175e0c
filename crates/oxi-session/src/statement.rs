//! One file per statement kind.

pub(crate) mod alter_table;
pub(crate) mod column;
pub(crate) mod comment;
pub(crate) mod constraint;
pub(crate) mod copy;
pub(crate) mod create_table;
pub(crate) mod cursor;
pub(crate) mod definition;
pub(crate) mod drop;
pub(crate) mod explain;
pub(crate) mod flashback;
pub(crate) mod index;
pub(crate) mod lock;
pub(crate) mod maintenance;
pub(crate) mod past;
pub(crate) mod prepare;
pub(crate) mod query;
pub(crate) mod relocate;
pub(crate) mod schema;
pub(crate) mod sequence;
pub(crate) mod settings;
pub(crate) mod transaction;
pub(crate) mod truncate;
pub(crate) mod undrop;
pub(crate) mod view;
