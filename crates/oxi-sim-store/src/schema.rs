//! The tables that every history begins with.

use oxi_base::{ColumnId, IndexId, TableId};
use oxi_model::{
    Datum, PhysicalType,
    engine::{ColumnLayout, IndexColumnLayout, IndexLayout, TableLayout},
};

/// `(id, balance, note)`; the sum of the balances never changes.
pub(crate) const ACCOUNTS: TableId = TableId(1);
/// `(key, n, value)`; rows come and go.
pub(crate) const ITEMS: TableId = TableId(2);
/// `(token, item)`; most transactions leave a row, some refer to an item.
pub(crate) const TOKENS: TableId = TableId(3);
/// `(event)`; every change of the schema leaves a row.
pub(crate) const EVENTS: TableId = TableId(4);
/// The tables that are always there.
pub(crate) const BASE: [TableId; 4] = [ACCOUNTS, ITEMS, TOKENS, EVENTS];

/// Unique on the accounts' id.
pub(crate) const ACCOUNTS_ID: IndexId = IndexId(1);
/// Unique on the items' key.
pub(crate) const ITEMS_KEY: IndexId = IndexId(3);
/// Unique on the token.
pub(crate) const TOKENS_TOKEN: IndexId = IndexId(5);

/// Accounts at the beginning, and what each holds.
pub(crate) const ACCOUNT_COUNT: i64 = 6;
/// The balance each account begins with.
pub(crate) const OPENING_BALANCE: i64 = 100;

/// Keys of items that single transactions fight for.
pub(crate) const KEY_DOMAIN: i64 = 24;

/// Tables numbered from here on come and go.
pub(crate) const FIRST_DYNAMIC: u32 = oxi_model::engine::FIRST_FREE_STORAGE;

pub(crate) fn column(id: u32, physical: PhysicalType) -> ColumnLayout {
    ColumnLayout { id: ColumnId(id), physical, missing: Datum::Null }
}

fn layout(catalog: bool, columns: &[PhysicalType]) -> TableLayout {
    let columns = columns.iter().enumerate().map(|(id, p)| column(id as u32, p.clone())).collect();
    TableLayout { columns, catalog, history_us: None }
}

/// The base tables' layouts.
pub(crate) fn base_layout(table: TableId) -> TableLayout {
    use PhysicalType::{Int32, Int64, Text};
    match table {
        ACCOUNTS => layout(false, &[Int64, Int64, Text]),
        ITEMS => layout(false, &[Int64, Int32, Text]),
        TOKENS => layout(false, &[Int64, Int64]),
        _ => layout(true, &[Int64]),
    }
}

pub(crate) fn index(table: TableId, unique: bool, columns: &[(u32, bool, bool)]) -> IndexLayout {
    let columns = columns
        .iter()
        .map(|(id, descending, nulls_first)| IndexColumnLayout {
            column: ColumnId(*id),
            descending: *descending,
            nulls_first: *nulls_first,
        })
        .collect();
    IndexLayout { table, columns, unique, nulls_not_distinct: false }
}

/// The base indexes.
pub(crate) fn base_indexes() -> Vec<(IndexId, IndexLayout)> {
    vec![
        (ACCOUNTS_ID, index(ACCOUNTS, true, &[(0, false, false)])),
        (IndexId(2), index(ACCOUNTS, false, &[(2, false, false)])),
        (ITEMS_KEY, index(ITEMS, true, &[(0, true, false)])),
        (IndexId(4), index(ITEMS, false, &[(1, true, true), (2, false, false)])),
        (TOKENS_TOKEN, index(TOKENS, true, &[(0, false, false)])),
    ]
}
