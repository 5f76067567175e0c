//! The shared locks of a row.

use oxi_base::{RowId, TableId};
use oxi_model::engine::RowLock::{KeyShare, NoKeyUpdate, Share, Update};

use super::SharedRows;
use crate::undo::TxnState;

#[test]
fn steps_are_taken_back_in_reverse() {
    let (table, row) = (TableId(1), RowId(7));
    let locks = SharedRows::default();
    let (a, b) = (TxnState::new(), TxnState::new());
    let first = locks.add(table, row, &a, KeyShare).unwrap();
    let second = locks.add(table, row, &a, Share).unwrap();
    assert_eq!(locks.add(table, row, &a, KeyShare), None);
    assert_eq!(locks.add(table, row, &a, Share), None);
    assert!(locks.holder(table, row, &b, NoKeyUpdate).is_some());
    assert!(locks.holder(table, row, &a, Update).is_none());
    assert!(locks.holder(table, RowId(8), &b, Update).is_none());
    locks.undo(second, &a);
    assert!(locks.holder(table, row, &b, NoKeyUpdate).is_none());
    assert!(locks.holder(table, row, &b, Update).is_some());
    locks.undo(first, &a);
    assert!(locks.holder(table, row, &b, Update).is_none());
}
