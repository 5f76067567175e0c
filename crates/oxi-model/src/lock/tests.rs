//! The conflict tables, as PostgreSQL's documentation prints them.

use super::{AdvisoryKey, RowLock, TableLock};

#[test]
fn row_locks_conflict_as_postgresqls() {
    use RowLock::{KeyShare, NoKeyUpdate, Share, Update};
    let all = [KeyShare, Share, NoKeyUpdate, Update];
    let table = all.map(|held| all.map(|wanted| u8::from(held.conflicts(wanted))));
    assert_eq!(table, [[0, 0, 0, 1], [0, 0, 1, 1], [0, 1, 1, 1], [1, 1, 1, 1]]);
    assert_eq!(all.map(RowLock::is_shared), [true, true, false, false]);
}

#[test]
fn table_locks_conflict_as_postgresqls() {
    let table = TableLock::ALL
        .map(|held| TableLock::ALL.map(|wanted| if held.conflicts(wanted) { 'X' } else { '.' }));
    let lines = table.map(|line| line.iter().collect::<String>());
    assert_eq!(
        lines,
        [
            ".......X", "......XX", "....XXXX", "...XXXXX", "..XX.XXX", "..XXXXXX", ".XXXXXXX",
            "XXXXXXXX",
        ]
    );
}

#[test]
fn a_conflict_is_mutual() {
    for held in TableLock::ALL {
        for wanted in TableLock::ALL {
            assert_eq!(held.conflicts(wanted), wanted.conflicts(held), "{held:?} {wanted:?}");
        }
    }
}

#[test]
fn parts_of_advisory_keys() {
    assert_eq!(AdvisoryKey::One(-1).parts(), (u32::MAX, u32::MAX, 1));
    assert_eq!(AdvisoryKey::One(1 << 32 | 7).parts(), (1, 7, 1));
    assert_eq!(AdvisoryKey::Two(-1, 7).parts(), (u32::MAX, 7, 2));
}
