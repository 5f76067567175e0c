//! Views in an order in which they can be created.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::View;

/// The views, each after those that it reads, otherwise as they come. `reads` are pairs of a view
/// and a relation that it reads.
pub(super) fn in_order(views: Vec<View>, reads: &[(u32, u32)]) -> Vec<View> {
    let mut left: BTreeMap<u32, View> = BTreeMap::new();
    let mut wanted = Vec::with_capacity(views.len());
    for view in views {
        wanted.push(view.relation.oid);
        left.insert(view.relation.oid, view);
    }
    let mut needs: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
    for (view, read) in reads {
        needs.entry(*view).or_default().insert(*read);
    }
    let mut ordered = Vec::with_capacity(wanted.len());
    // What cannot be created yet waits in the list above what it needs. A view that is expanded a
    // second time has its needs fulfilled (or is part of a ring, which no order helps).
    let mut waiting: Vec<u32> = wanted.iter().rev().copied().collect();
    let mut expanded = BTreeSet::new();
    while let Some(oid) = waiting.last().copied() {
        let missing: Vec<u32> = if expanded.insert(oid) {
            let needs = needs.get(&oid).into_iter().flatten();
            let mut missing: Vec<u32> =
                needs.copied().filter(|needed| left.contains_key(needed)).collect();
            missing.sort_by_key(|needed| Reverse(position(&wanted, *needed)));
            missing
        } else {
            Vec::new()
        };
        if missing.is_empty() {
            waiting.pop();
            ordered.extend(left.remove(&oid));
        } else {
            waiting.extend(missing);
        }
    }
    ordered
}

fn position(wanted: &[u32], oid: u32) -> usize {
    wanted.iter().position(|found| *found == oid).unwrap_or(usize::MAX)
}
