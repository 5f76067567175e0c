//! The simulator's own tests: some seeds, the pinned ones, the lies, and that seeds decide all.
#![allow(clippy::unwrap_used, reason = "tests")]

use oxi_sim::{
    canary::Lie,
    runner::{find_lie, seed},
};

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
