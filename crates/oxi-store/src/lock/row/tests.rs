//! The conflict table, and the shared locks of a row.

use oxi_base::{RowId, TableId};
use oxi_model::engine::RowLock::{self, KeyShare, NoKeyUpdate, Share, Update};

use super::SharedRows;
use crate::undo::TxnState;

const ALL: [RowLock; 4] = [KeyShare, Share, NoKeyUpdate, Update];

#[test]
fn conflicts_are_postgresqls() {
    let table = ALL.map(|held| ALL.map(|wanted| u8::from(held.conflicts(wanted))));
    assert_eq!(table, [[0, 0, 0, 1], [0, 0, 1, 1], [0, 1, 1, 1], [1, 1, 1, 1]]);
    assert_eq!(ALL.map(RowLock::is_shared), [true, true, false, false]);
}

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
