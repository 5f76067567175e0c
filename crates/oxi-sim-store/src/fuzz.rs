//! Seeded fuzzers of the readers of every persisted format.
//!
//! Three of them: the pieces of a checkpoint past their checksums, the payloads of log records past
//! theirs, and whole files as they are on the disk. Whatever the bytes: no panic, and of files an
//! error that names the file and the byte, or the answers of a database that lost at most the
//! newest commits.

use std::panic::{AssertUnwindSafe, catch_unwind};

use oxi_base::SqlState;
use oxi_store::formats::{self, Format};
use oxi_world::{OpenMode, World, rng::Prng};

use crate::{
    runner::say,
    sample::{self, Sample, Verdict},
};

/// Inputs of the first two kinds in a round.
const INPUTS: u64 = 40;

/// What there is to begin from.
pub struct Fuzzer {
    sample: Sample,
    pieces: Vec<(Format, Vec<u8>)>,
    payloads: Vec<Vec<u8>>,
}

/// What came of it.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Report {
    /// Inputs given to readers.
    pub inputs: u64,
    /// Refused by them.
    pub refused: u64,
}

impl Report {
    /// Adds another round's numbers.
    pub fn add(&mut self, other: Report) {
        self.inputs += other.inputs;
        self.refused += other.refused;
    }

    fn count(&mut self, is_refused: bool) {
        self.inputs += 1;
        self.refused += u64::from(is_refused);
    }
}

impl Fuzzer {
    /// Makes a database to begin from.
    ///
    /// # Errors
    /// What was in the way.
    pub fn new() -> Result<Fuzzer, String> {
        let described = |error: oxi_base::Error| error.to_string();
        let sample = Sample::build()?;
        let (world, _) = sample.place(0).map_err(described)?;
        let pieces = formats::pieces(&world, "db").map_err(described)?;
        let payloads = sample::payloads().map_err(described)?;
        Ok(Fuzzer { sample, pieces, payloads })
    }

    /// One round of all three.
    ///
    /// # Errors
    /// What a reader should not have done, and with which input.
    pub fn round(&self, seed: u64) -> Result<Report, String> {
        let mut prng = Prng::new(seed ^ 0x6675_7a7a);
        let mut report = Report::default();
        let told = |reason: String| format!("seed {seed}: {reason}");
        for _ in 0..INPUTS {
            report.count(self.piece(&mut prng).map_err(told)?);
        }
        report.count(self.payload(&mut prng, seed).map_err(told)?);
        report.count(self.file(&mut prng, seed).map_err(told)?);
        Ok(report)
    }

    /// A piece of a checkpoint; whether it was refused.
    fn piece(&self, prng: &mut Prng) -> Result<bool, String> {
        let (format, bytes) = &self.pieces[prng.below(self.pieces.len() as u64) as usize];
        let (_, other) = &self.pieces[prng.below(self.pieces.len() as u64) as usize];
        let bytes = mangled(prng, bytes, other);
        let read = guarded(|| formats::read(*format, &bytes))
            .map_err(|panic| format!("{format:?}: {panic}; the bytes: {}", hex(&bytes)))?;
        let Err(error) = read else { return Ok(false) };
        if matches!(error.code(), SqlState::DATA_CORRUPTED | SqlState::FEATURE_NOT_SUPPORTED) {
            return Ok(true);
        }
        Err(format!("{format:?} is refused with: {error}; the bytes: {}", hex(&bytes)))
    }

    /// The payload of a log record, among those of other transactions.
    fn payload(&self, prng: &mut Prng, seed: u64) -> Result<bool, String> {
        let at = prng.below(self.payloads.len() as u64) as usize;
        let other = &self.payloads[prng.below(self.payloads.len() as u64) as usize];
        let bytes = mangled(prng, &self.payloads[at], other);
        let (world, _) = World::simulated(seed);
        let all = self.payloads.iter().enumerate();
        let all = all.map(|(number, known)| if number == at { &bytes[..] } else { &known[..] });
        let replayed = guarded(|| formats::replay(&world, all))
            .map_err(|panic| format!("record {at}: {panic}; the bytes: {}", hex(&bytes)))?;
        let Err(error) = replayed else { return Ok(false) };
        if error.code() == SqlState::DATA_CORRUPTED {
            return Ok(true);
        }
        Err(format!("record {at} is refused with: {error}; the bytes: {}", hex(&bytes)))
    }

    /// A file of the database.
    fn file(&self, prng: &mut Prng, seed: u64) -> Result<bool, String> {
        let files = &self.sample.files;
        let (path, bytes) = &files[prng.below(files.len() as u64) as usize];
        let (_, other) = &files[prng.below(files.len() as u64) as usize];
        let bytes = mangled(prng, bytes, other);
        let described = |error: oxi_base::Error| error.to_string();
        let (world, _) = self.sample.place(seed).map_err(described)?;
        let file = world.disk.open(path, OpenMode::ReadWrite).map_err(described)?;
        file.set_len(0).and_then(|()| file.write_at(&bytes, 0)).map_err(described)?;
        drop(file);
        let verdict = self.sample.judge(&world);
        match verdict.map_err(|reason| format!("\"{path}\" damaged: {reason}"))? {
            // The end of the log may be what was never written.
            Verdict::Shorter if !path.contains("/wal/") => {
                Err(format!("\"{path}\" damaged: commits are missing"))
            }
            verdict => Ok(verdict == Verdict::Reported),
        }
    }
}

fn guarded<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        format!("panic: {}", text.unwrap_or("of an unknown kind"))
    })
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().take(4_000).fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Bytes with one to four things wrong with them.
fn mangled(prng: &mut Prng, bytes: &[u8], other: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=prng.below(4) {
        mangle(prng, &mut bytes, other);
    }
    bytes
}

fn mangle(prng: &mut Prng, bytes: &mut Vec<u8>, other: &[u8]) {
    /// Lengths and counts that nobody has room for.
    const HUGE: [&[u8]; 4] = [
        &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
        &[0xff, 0xff, 0xff, 0xff, 0x0f],
        &[0xff, 0xff, 0xff, 0x7f],
        &[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80],
    ];
    let length = bytes.len() as u64;
    let at = prng.below(length.max(1)) as usize;
    let some = (1 + prng.below(16)) as usize;
    let end = (at + some).min(bytes.len());
    match prng.below(9) {
        0 | 1 if !bytes.is_empty() => bytes[at] ^= 1 << prng.below(8),
        2 if !bytes.is_empty() => bytes[at] = prng.below(256) as u8,
        3 => bytes.truncate(at),
        4 => {
            bytes.splice(at..end, HUGE[prng.below(4) as usize].iter().copied());
        }
        5 => {
            bytes.drain(at.min(bytes.len())..end);
        }
        6 => {
            let from = prng.below(other.len().max(1) as u64) as usize;
            let to = (from + some).min(other.len());
            bytes.splice(at..end, other.get(from..to).unwrap_or_default().iter().copied());
        }
        7 => {
            let mut noise = vec![0; some];
            prng.fill(&mut noise);
            bytes.splice(at..end, noise);
        }
        _ => bytes.get_mut(at..end).unwrap_or_default().fill(0),
    }
}

/// The command: so many rounds from a seed on; true if the readers did as they should.
pub fn command(first: u64, rounds: u64) -> bool {
    let fuzzer = match Fuzzer::new() {
        Ok(fuzzer) => fuzzer,
        Err(reason) => {
            say(&format!("FAILED: {reason}"));
            return false;
        }
    };
    let mut all = Report::default();
    let mut failed = 0;
    for seed in first..first.saturating_add(rounds) {
        match fuzzer.round(seed) {
            Ok(report) => all.add(report),
            Err(reason) => {
                failed += 1;
                say(&format!("FAILED: {reason}"));
            }
        }
    }
    say(&format!("{} inputs, {} refused, {failed} rounds failed", all.inputs, all.refused));
    failed == 0
}
