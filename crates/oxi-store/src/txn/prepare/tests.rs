//! The head of a `Prepare` frame, there and back.

use oxi_base::codec::Reader;

use super::*;

fn head() -> Head {
    Head {
        gid: "transfer-7".to_owned(),
        owner: "Ω".to_owned(),
        prepared_us: -5,
        marks: Marks { table: 20, index: 300, oid: 16_400 },
        tables: vec![
            (TableId(1), TableLock::RowExclusive),
            (TableId(900), TableLock::AccessExclusive),
        ],
        rows: vec![
            (TableId(900), RowId(1 << 40), RowLock::KeyShare),
            (TableId(1), RowId(0), RowLock::Update),
        ],
        advisory: vec![
            (AdvisoryKey::One(-9), TableLock::Exclusive),
            (AdvisoryKey::Two(4, -4), TableLock::Share),
        ],
    }
}

#[test]
fn a_head_comes_back() {
    let mut bytes = Vec::new();
    head().encode(&mut bytes);
    bytes.push(77);
    let mut reader = Reader::new(&bytes);
    assert_eq!(Head::decode(&mut reader), Some(head()));
    assert_eq!(reader.rest(), [77]);
}

#[test]
fn a_head_that_ends_early_is_none() {
    let mut bytes = Vec::new();
    head().encode(&mut bytes);
    for end in 0..bytes.len() {
        assert_eq!(Head::decode(&mut Reader::new(&bytes[..end])), None, "{end} bytes");
    }
}

#[test]
fn an_unknown_lock_is_none() {
    let mut bytes = Vec::new();
    Head { rows: Vec::new(), advisory: Vec::new(), ..head() }.encode(&mut bytes);
    let at = bytes.len() - 3;
    assert_eq!(bytes[at], 8);
    bytes[at] = 9;
    assert_eq!(Head::decode(&mut Reader::new(&bytes)), None);
}
