//! The tree against a model, and keys against the order they stand for.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::{collections::BTreeSet, ops::Bound, sync::Arc};

use oxi_base::{IndexId, TableId};
use oxi_model::{Datum, Interval, PhysicalType};
use oxi_world::{OpenMode, World};
use proptest::prelude::*;

use super::{
    base::{self, BaseBlock, MAGIC, Place, Shelf},
    key::{KeyColumn, put_column, successor},
    tree::{End, Piece, Tree, TreeKey},
};
use crate::{manifest::Paths, storage::Storage};

fn shelf(limit: Option<u64>) -> Arc<Shelf> {
    let (world, _) = World::simulated(1);
    world.disk.create_dir_all("db/data/1").unwrap();
    let storage = Storage::new(&world, Paths::new("db"), limit);
    Shelf::new(&storage, TableId(1), IndexId(1))
}

#[derive(Clone, Debug)]
enum Step {
    Insert(u64, u64),
    Remove(u64, u64),
    Ascend(Bound<u64>, Bound<u64>, usize),
    Descend(Bound<u64>, Bound<u64>, usize),
    RowsOf(u64),
}

fn bound() -> impl Strategy<Value = Bound<u64>> {
    prop_oneof![
        Just(Bound::Unbounded),
        (0..400u64).prop_map(Bound::Included),
        (0..400u64).prop_map(Bound::Excluded)
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..400u64, 0..3u64).prop_map(|(k, r)| Step::Insert(k, r)),
        4 => (0..400u64, 0..3u64).prop_map(|(k, r)| Step::Remove(k, r)),
        1 => (bound(), bound(), 1..200usize).prop_map(|(l, u, n)| Step::Ascend(l, u, n)),
        1 => (bound(), bound(), 1..200usize).prop_map(|(l, u, n)| Step::Descend(l, u, n)),
        2 => (0..400u64).prop_map(Step::RowsOf),
    ]
}

fn ends(lower: Bound<u64>, upper: Bound<u64>) -> (End<u64>, End<u64>) {
    let lower = match lower {
        Bound::Unbounded => End::Open,
        Bound::Included(key) => End::At(key, 0),
        Bound::Excluded(key) => End::Beyond(key, u64::MAX),
    };
    let upper = match upper {
        Bound::Unbounded => End::Open,
        Bound::Included(key) => End::At(key, u64::MAX),
        Bound::Excluded(key) => End::Beyond(key, 0),
    };
    (lower, upper)
}

fn inside(key: u64, lower: Bound<u64>, upper: Bound<u64>) -> bool {
    (match lower {
        Bound::Unbounded => true,
        Bound::Included(at) => key >= at,
        Bound::Excluded(at) => key > at,
    }) && match upper {
        Bound::Unbounded => true,
        Bound::Included(at) => key <= at,
        Bound::Excluded(at) => key < at,
    }
}

/// A key, a row, and whether the entry comes or goes.
fn change() -> impl Strategy<Value = (u64, u64, bool)> {
    (prop_oneof![0..6000u64, 0..50u64], 0..2u64, any::<bool>())
        .prop_map(|(key, row, adds)| (key, if row == 0 { key } else { row }, adds))
}

/// Writes the blocks of a tree that have changed into a file, as a checkpoint does; all blocks.
fn save<K: TreeKey>(tree: &Tree<K>, shelf: &Shelf, number: u64) -> Vec<Arc<BaseBlock>> {
    let file = shelf.storage.world.disk.open(&shelf.path(number), OpenMode::Create).unwrap();
    file.write_at(MAGIC, 0).unwrap();
    let (mut blocks, mut from) = (Vec::new(), None::<(K, u64)>);
    loop {
        let (pieces, next) = tree.gather(from.as_ref()).unwrap();
        for piece in pieces {
            blocks.push(match piece {
                Piece::Kept(block) => block,
                Piece::Changed(block, entries) => {
                    let bytes = base::encode(&entries);
                    let (length, crc) = (bytes.len() as u32, crc32c::crc32c(&bytes));
                    let (offset, count) = (file.len().unwrap(), entries.len() as u32);
                    file.write_at(&bytes, offset).unwrap();
                    let mut key = Vec::new();
                    entries[0].0.put(&mut key);
                    let place = Place { file: number, offset, length, crc, count };
                    block.written((key.into(), entries[0].1), place);
                    block.install(place);
                    block
                }
            });
        }
        from = next;
        if from.is_none() {
            return blocks;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn tree_is_an_ordered_set(
        start in prop_oneof![Just(0u64), Just(600), Just(2000)],
        steps in prop::collection::vec(step(), 0..1200),
    ) {
        let mut model: BTreeSet<(u64, u64)> = (0..start).map(|n| (n % 400, n / 400)).collect();
        let shelf = shelf(Some(1));
        let tree = Tree::from_sorted(model.iter().copied().collect(), &shelf);
        for step in steps {
            if start == 600 {
                tree.send_away(&|| false).unwrap();
            }
            match step {
                Step::Insert(key, row) => {
                    prop_assert_eq!(tree.insert(&key, row).unwrap(), model.insert((key, row)));
                }
                Step::Remove(key, row) => {
                    prop_assert_eq!(tree.remove(&key, row).unwrap(), model.remove(&(key, row)));
                }
                Step::RowsOf(key) => {
                    let rows: Vec<u64> = tree.rows_of(&key).unwrap().iter().map(|row| row.0).collect();
                    let all = model.range((key, 0)..=(key, u64::MAX)).map(|(_, row)| *row);
                    prop_assert_eq!(rows, all.collect::<Vec<_>>());
                }
                Step::Ascend(lower, upper, limit) => {
                    let (low, high) = ends(lower, upper);
                    let mut got = Vec::new();
                    let done = tree.ascend(&low, &high, limit, &mut got).unwrap();
                    let all: Vec<_> =
                        model.iter().copied().filter(|(k, _)| inside(*k, lower, upper)).collect();
                    prop_assert_eq!(done, all.len() <= limit);
                    prop_assert_eq!(got, all.into_iter().take(limit).collect::<Vec<_>>());
                }
                Step::Descend(lower, upper, limit) => {
                    let (low, high) = ends(lower, upper);
                    let mut got = Vec::new();
                    let done = tree.descend(&low, &high, limit, &mut got).unwrap();
                    let all: Vec<_> = model
                        .iter()
                        .rev()
                        .copied()
                        .filter(|(k, _)| inside(*k, lower, upper))
                        .collect();
                    prop_assert_eq!(done, all.len() <= limit);
                    prop_assert_eq!(got, all.into_iter().take(limit).collect::<Vec<_>>());
                }
            }
            prop_assert_eq!(tree.len(), model.len());
        }
        drop(tree);
        prop_assert_eq!(shelf.storage.used(), 0);
    }

    #[test]
    fn a_base_is_what_the_tree_was(
        start in prop_oneof![Just(0u64), Just(5000)],
        rounds in prop::collection::vec((prop::collection::vec(change(), 0..200), any::<bool>()), 1..6),
    ) {
        let mut model: BTreeSet<(u64, u64)> = (0..start).map(|n| (n, n)).collect();
        let shelf = shelf(Some(1));
        let mut tree = Tree::from_sorted(model.iter().copied().collect(), &shelf);
        for (number, (changes, reopens)) in rounds.into_iter().enumerate() {
            for (key, row, adds) in changes {
                if adds {
                    prop_assert_eq!(tree.insert(&key, row).unwrap(), model.insert((key, row)));
                } else {
                    prop_assert_eq!(tree.remove(&key, row).unwrap(), model.remove(&(key, row)));
                }
            }
            let blocks = save(&tree, &shelf, number as u64);
            let kept = save(&tree, &shelf, 100 + number as u64);
            let places = |blocks: &[Arc<BaseBlock>]| {
                blocks.iter().map(|block| block.place()).collect::<Vec<_>>()
            };
            prop_assert_eq!(places(&blocks), places(&kept), "what has not changed is not written");
            tree.send_away(&|| false).unwrap();
            tree.send_away(&|| false).unwrap();
            prop_assert_eq!(tree.len(), model.len());
            if reopens {
                tree = Tree::from_base(blocks, &shelf).unwrap();
            }
            let mut all = Vec::new();
            prop_assert!(tree.ascend(&End::Open, &End::Open, usize::MAX, &mut all).unwrap());
            prop_assert_eq!(all, model.iter().copied().collect::<Vec<_>>());
        }
    }

    #[test]
    fn successor_is_the_end_of_a_prefix(prefix in prop::collection::vec(any::<u8>(), 0..4), tail in prop::collection::vec(any::<u8>(), 0..4)) {
        let mut longer = prefix.clone();
        longer.extend(tail);
        match successor(&prefix) {
            Some(end) => prop_assert!(longer < end),
            None => prop_assert!(prefix.iter().all(|byte| *byte == 255)),
        }
    }
}

#[test]
fn ascending_keys_fill_leaves_and_descending_ones_work() {
    let tree = Tree::new(&shelf(None));
    for key in 0..100_000u64 {
        assert!(tree.insert(&key, key).unwrap());
    }
    for key in (200_000..210_000u64).rev() {
        assert!(tree.insert(&key, key).unwrap());
    }
    let mut all = Vec::new();
    assert!(tree.ascend(&End::Open, &End::Open, usize::MAX, &mut all).unwrap());
    assert_eq!(all.len(), 110_000);
    assert!(all.is_sorted());
    for key in 0..100_000u64 {
        assert!(tree.remove(&key, key).unwrap());
    }
    all.clear();
    assert!(tree.descend(&End::Open, &End::Open, 5, &mut all).unwrap() || all.len() == 5);
    assert_eq!(all[0].0, 209_999);
}

fn encoded(datum: &Datum, physical: &PhysicalType, descending: bool, nulls_first: bool) -> Vec<u8> {
    let column = KeyColumn { physical: physical.clone(), descending, nulls_first };
    let mut out = Vec::new();
    put_column(&mut out, datum, &column);
    out
}

#[test]
fn intervals_sort_by_length() {
    let key = |months, days, micros| {
        let datum = Datum::Interval(Interval { months, days, micros });
        encoded(&datum, &PhysicalType::Interval, false, false)
    };
    assert_eq!(key(1, 0, 0), key(0, 30, 0));
    assert_eq!(key(0, 1, 0), key(0, 0, 86_400_000_000));
    assert!(key(0, 29, 0) < key(1, 0, 0));
    assert!(key(-1, 0, 0) < key(0, 0, -1));
}

#[test]
fn nulls_stand_where_they_are_told() {
    let text = |t: &str| Datum::text(t);
    let physical = PhysicalType::Text;
    for (descending, nulls_first) in [(false, false), (false, true), (true, false), (true, true)] {
        let null = encoded(&Datum::Null, &physical, descending, nulls_first);
        let a = encoded(&text("a"), &physical, descending, nulls_first);
        let ab = encoded(&text("ab"), &physical, descending, nulls_first);
        assert_eq!(a < ab, !descending);
        assert_eq!(null < a, nulls_first);
        assert_eq!(null < ab, nulls_first);
    }
}

#[test]
fn display_scale_is_not_part_of_a_numeric_key() {
    let key = |bytes: &[u8]| encoded(&Datum::bytes(bytes), &PhysicalType::Numeric, false, false);
    assert_eq!(key(&[5, 6, 7, 0, 1]), key(&[5, 6, 7, 0, 9]));
    assert!(key(&[5, 6, 7, 0, 1]) < key(&[5, 6, 8, 0, 0]));
}
