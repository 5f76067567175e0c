//! Single bits of a database's files turned over: each is reported, or does no harm.

use oxi_world::{Clock, clock::SystemClock, rng::Prng};

use crate::{
    runner::say,
    sample::{Sample, Verdict},
};

/// Microseconds between two lines of progress.
const PROGRESS_US: u64 = 5_000_000;

/// What came of the flips.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Report {
    /// An error named the file and the byte.
    pub reported: u64,
    /// All answers were as before.
    pub harmless: u64,
}

/// Turns over a bit at each of so many positions, one at a time, and reads everything.
///
/// # Errors
/// The positions where an answer was wrong, or the error did not say where the damage is.
pub fn run(first: u64, positions: u64, tell: &mut dyn FnMut(u64)) -> Result<Report, Vec<String>> {
    let sample = Sample::build().map_err(|reason| vec![reason])?;
    let mut report = Report::default();
    let mut silent = Vec::new();
    for number in first..first.saturating_add(positions) {
        match flip(&sample, number) {
            Ok(Verdict::Reported) => report.reported += 1,
            Ok(_) => report.harmless += 1,
            Err(reason) => silent.push(reason),
        }
        tell(number - first + 1);
    }
    if silent.is_empty() { Ok(report) } else { Err(silent) }
}

/// Half of the positions are anywhere in the files, half in any of the files.
fn flip(sample: &Sample, number: u64) -> Result<Verdict, String> {
    let mut prng = Prng::new(number);
    let total: u64 = sample.files.iter().map(|(_, bytes)| bytes.len() as u64).sum();
    let mut at = prng.below(total);
    let mut file = 0;
    if number.is_multiple_of(2) {
        file = prng.below(sample.files.len() as u64) as usize;
        at = prng.below(sample.files[file].1.len() as u64);
    } else {
        while at >= sample.files[file].1.len() as u64 {
            at -= sample.files[file].1.len() as u64;
            file += 1;
        }
    }
    let (path, bit) = (&sample.files[file].0, prng.below(8) as u32);
    let place = || format!("position {number}: bit {bit} of byte {at} of \"{path}\"");
    let (world, control) = sample.place(number).map_err(|error| error.to_string())?;
    control.flip_bit(path, at, bit).map_err(|error| error.to_string())?;
    match sample.judge(&world) {
        Ok(Verdict::Shorter) => Err(format!("{}: commits are missing silently", place())),
        verdict => verdict.map_err(|reason| format!("{}: {reason}", place())),
    }
}

/// The command; true if nothing was silent.
pub fn command(first: u64, positions: u64) -> bool {
    let clock = SystemClock::new();
    let mut shown = clock.monotonic_us();
    let mut tell = |done: u64| {
        let now = clock.monotonic_us();
        if now - shown > PROGRESS_US {
            shown = now;
            say(&format!("{done} positions so far"));
        }
    };
    match run(first, positions, &mut tell) {
        Ok(Report { reported, harmless }) => {
            say(&format!("{reported} reported, {harmless} harmless, 0 silent"));
            true
        }
        Err(silent) => {
            for reason in &silent {
                say(&format!("FAILED: {reason}"));
            }
            say(&format!("{} of {positions} silent", silent.len()));
            false
        }
    }
}
