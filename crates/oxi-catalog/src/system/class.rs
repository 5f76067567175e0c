//! `pg_namespace`, `pg_class`, `pg_attribute`, `pg_attrdef` and what lists relations.

use oxi_model::Row;

use super::{SystemContext, value::*};

pub(super) fn pg_namespace(context: &SystemContext) -> Vec<Row> {
    context
        .catalog
        .schemas()
        .map(|schema| vec![oid(schema.oid), text(&schema.name), oid(OWNER), NULL])
        .collect()
}
