//! The simulator's own tests: some seeds, the pinned ones, the lies, that seeds decide all, some
//! damage, and that the planted bugs can be planted.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use oxi_sim_store::{
    canary::Lie,
    flip,
    fuzz::Fuzzer,
    mutation::{self, MUTATIONS},
    runner::{find_lie, seed},
};
use oxi_world::World;

/// Seeds that once found something: `seed, what it was` on each line.
const PINNED: &str = include_str!("../../../../tests/sim/seeds.txt");

#[test]
fn thirty_seeds_keep_all_promises() {
    for number in 0..30 {
        seed(number, Lie::None).unwrap_or_else(|reason| panic!("seed {number}: {reason}"));
    }
}

#[test]
fn pinned_seeds_keep_all_promises() {
    let lines = PINNED.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    for line in lines {
        let number = line.split(',').next().unwrap().trim().parse().unwrap();
        seed(number, Lie::None).unwrap_or_else(|reason| panic!("seed {number}: {reason}"));
    }
}

#[test]
fn every_lie_is_noticed() {
    for lie in Lie::ALL {
        assert!(find_lie(lie, 20).is_some(), "{lie:?}");
    }
}

#[test]
fn a_seed_decides_everything() {
    for number in 3..6 {
        assert_eq!(seed(number, Lie::None).unwrap(), seed(number, Lie::None).unwrap());
    }
}

#[test]
fn every_mutation_fits_its_file_once() {
    let sources = World::real(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")).unwrap();
    assert_eq!(mutation::stale(&sources), Vec::<String>::new());
    let mut names: Vec<&str> = MUTATIONS.iter().map(|mutation| mutation.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), MUTATIONS.len());
}

#[test]
fn no_bit_turned_over_is_silent() {
    let report = flip::run(0, 150, &mut |_| {}).unwrap_or_else(|silent| panic!("{silent:#?}"));
    assert!(report.reported > 40 && report.harmless > 10, "{report:?}");
}

#[test]
fn readers_refuse_what_nobody_has_written() {
    let fuzzer = Fuzzer::new().unwrap();
    for number in 0..25 {
        fuzzer.round(number).unwrap_or_else(|reason| panic!("{reason}"));
    }
}
