//! Extents hold what was put into them, and their space is used again.
#![allow(clippy::unwrap_used, reason = "tests")]

use oxi_world::World;
use proptest::prelude::*;

use super::Spill;

proptest! {
    #[test]
    fn extents_keep_their_bytes(steps in prop::collection::vec((0..20usize, 0..20_000usize), 1..80)) {
        let (world, _control) = World::simulated(1);
        let spill = Spill::new(&world, "tmp".to_owned());
        let mut kept = std::collections::BTreeMap::new();
        for (step, (place, length)) in steps.into_iter().enumerate() {
            if length < 4000 {
                kept.remove(&place);
            } else {
                let bytes = vec![step as u8; length];
                kept.insert(place, (spill.put(&bytes).unwrap(), bytes));
            }
            for (extent, bytes) in kept.values() {
                prop_assert_eq!(&extent.read().unwrap(), bytes);
            }
            let expected: usize =
                kept.values().map(|(_, bytes)| bytes.len().next_multiple_of(4096)).sum();
            prop_assert_eq!(spill.used(), expected as u64);
        }
        kept.clear();
        prop_assert_eq!(spill.used(), 0);
        if world.disk.exists("tmp/spill").unwrap() {
            prop_assert_eq!(world.disk.read("tmp/spill").unwrap().len(), 0);
        }
    }
}

#[test]
fn damage_is_told_with_file_and_place() {
    let (world, _control) = World::simulated(1);
    let spill = Spill::new(&world, "tmp".to_owned());
    let first = spill.put(&[1; 100]).unwrap();
    let second = spill.put(&[2; 100]).unwrap();
    let file = world.disk.open("tmp/spill", oxi_world::OpenMode::ReadWrite).unwrap();
    file.write_at(&[3], 4100).unwrap();
    first.read().unwrap();
    let error = second.read().unwrap_err();
    assert!(error.message().contains("\"tmp/spill\" is damaged at byte 4096"), "{error}");
    spill.clear().unwrap();
    assert!(!world.disk.exists("tmp/spill").unwrap());
}
