//! Histories, flips and fuzzers until stopped, each with seeds that were not used before.

use oxi_world::{Clock, clock::SystemClock};

use crate::{
    canary::Lie,
    flip,
    fuzz::{self, Fuzzer},
    history::Statistics,
    runner::{say, seed},
};

/// Microseconds between two lines of progress.
const PROGRESS_US: u64 = 10_000_000;
/// Histories between two rounds of the others.
const HISTORIES: u64 = 20;
/// Bits turned over in one such round.
const FLIPS: u64 = 20;

/// What went on so far.
#[derive(Default)]
struct Totals {
    histories: Statistics,
    lived: u64,
    flips: flip::Report,
    fuzzed: fuzz::Report,
    violations: u64,
}

/// Goes on until `limit` seeds are used, or for ever; true if nothing was found.
pub fn run(first: u64, limit: Option<u64>) -> bool {
    let clock = SystemClock::new();
    let mut shown = clock.monotonic_us();
    let mut totals = Totals::default();
    let fuzzer = match Fuzzer::new() {
        Ok(fuzzer) => fuzzer,
        Err(reason) => {
            say(&format!("FAILED: {reason}"));
            return false;
        }
    };
    let mut number = first;
    while limit.is_none_or(|limit| number - first < limit) {
        totals.history(number);
        if number.is_multiple_of(HISTORIES) {
            totals.damage(&fuzzer, number);
        }
        number += 1;
        let now = clock.monotonic_us();
        if now - shown > PROGRESS_US {
            shown = now;
            totals.show(first, number);
        }
    }
    totals.show(first, number);
    totals.violations == 0
}

impl Totals {
    fn violation(&mut self, reason: &str) {
        self.violations += 1;
        say(&format!("VIOLATION: {reason}"));
    }

    fn history(&mut self, number: u64) {
        self.lived += 1;
        match seed(number, Lie::None) {
            Ok(statistics) => self.histories.add(&statistics),
            Err(reason) => self.violation(&format!(
                "seed {number}: {reason}\n  again: oxi-sim bank --first {number} --seeds 1"
            )),
        }
    }

    fn damage(&mut self, fuzzer: &Fuzzer, number: u64) {
        match flip::run(number, FLIPS, &mut |_| {}) {
            Ok(report) => {
                self.flips.reported += report.reported;
                self.flips.harmless += report.harmless;
            }
            Err(silent) => {
                for reason in silent {
                    self.violation(&reason);
                }
            }
        }
        match fuzzer.round(number) {
            Ok(report) => self.fuzzed.add(report),
            Err(reason) => self.violation(&reason),
        }
    }

    fn show(&self, first: u64, next: u64) {
        let (histories, flips) = (&self.histories, &self.flips);
        say(&format!(
            "seeds {first} to {}: {} histories, {} commits, {} faults, {} recoveries, {} bits \
             turned over ({} reported), {} inputs ({} refused), {} violations",
            next - 1,
            self.lived,
            histories.acknowledged,
            histories.faults,
            histories.recoveries,
            flips.reported + flips.harmless,
            flips.reported,
            self.fuzzed.inputs,
            self.fuzzed.refused,
            self.violations
        ));
    }
}
