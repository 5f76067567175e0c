//! Runs `tests/scripts/*.txt`: dialogues of append, flush, crash, reopen and damage.
//!
//! `UPDATE_GOLDENFILES=1` rewrites the expected outputs.

use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;

use goldenscript::{Command, Context};
use oxi_base::{Lsn, Ts, TxnId};
use oxi_log::{FrameKind, Log, LogOptions, Recovered};
use oxi_world::{OpenMode, SimControl, World};

struct Dialogue {
    world: World,
    control: SimControl,
    options: LogOptions,
    log: Option<Log>,
}

type Outcome = Result<String, Box<dyn Error>>;

impl Dialogue {
    fn new() -> Self {
        let (world, control) = World::simulated(1);
        let mut options = LogOptions::new("wal");
        options.database = Some(*b"0123456789abcdef");
        options.fill_bytes = 256;
        options.segment_bytes = 512;
        Dialogue { world, control, options, log: None }
    }

    fn log(&self) -> Result<&Log, Box<dyn Error>> {
        self.log.as_ref().ok_or_else(|| "the log is not open".into())
    }

    fn opened(&mut self, outcome: oxi_base::Result<(Log, Recovered)>) -> Outcome {
        let (log, recovered) = outcome.map_err(described)?;
        self.log = Some(log);
        let Recovered { first_lsn, next_lsn, torn_bytes, .. } = recovered;
        Ok(format!("first={first_lsn} next={next_lsn} torn_bytes={torn_bytes}\n"))
    }

    fn read(&self, from: Lsn) -> Outcome {
        let mut out = String::new();
        for frame in self.log()?.read(from) {
            match frame {
                Ok(f) => writeln!(
                    out,
                    "{}..{} {:?} txn={} ts={} {}",
                    f.lsn,
                    f.end_lsn,
                    f.kind,
                    f.txn,
                    f.commit_ts,
                    shown(&f.payload)
                )?,
                Err(error) => writeln!(out, "error: {}", described(error))?,
            }
        }
        Ok(out)
    }

    fn files(&self) -> Outcome {
        let mut out = String::new();
        for name in self.world.disk.list("wal")? {
            let file = self.world.disk.open(&format!("wal/{name}"), OpenMode::Read)?;
            writeln!(out, "{name} {} bytes", file.len()?)?;
        }
        Ok(out)
    }
}

fn shown(payload: &[u8]) -> String {
    if payload.len() > 40 {
        return format!("({} bytes)", payload.len());
    }
    format!("{:?}", String::from_utf8_lossy(payload))
}

fn described(error: oxi_base::Error) -> String {
    error.to_string()
}

fn lsn(text: &str) -> Result<Lsn, Box<dyn Error>> {
    Ok(Lsn(text.parse()?))
}

impl goldenscript::Runner for Dialogue {
    type Command = Command;

    fn run(&mut self, command: &Command, _: &Context) -> Outcome {
        let mut args = command.consume_args();
        let out = match command.name.as_str() {
            "create" => {
                let outcome = Log::create(self.world.clone(), self.options.clone());
                self.opened(outcome)?
            }
            "open" => {
                let outcome = Log::open(self.world.clone(), self.options.clone());
                self.opened(outcome)?
            }
            "append" => {
                let txn = TxnId(args.next_pos().ok_or("txn missing")?.parse()?);
                let text = args.next_pos().unwrap_or_default();
                let repeat = args.take_key("repeat").unwrap_or("1").parse()?;
                let payload = text.repeat(repeat);
                let ts = Ts(txn.0 * 10);
                let append = |log: &Log| {
                    log.append(FrameKind::Commit, txn, ts, payload.as_bytes()).map_err(described)
                };
                format!("end={}\n", append(self.log()?)?)
            }
            "flush" => format!("durable={}\n", self.log()?.flush().map_err(described)?),
            "rotate" => format!("boundary={}\n", self.log()?.rotate().map_err(described)?),
            "retire" => {
                let before = lsn(args.next_pos().ok_or("position missing")?)?;
                format!("removed={}\n", self.log()?.retire(before).map_err(described)?)
            }
            "wait" => {
                let position = lsn(args.next_pos().ok_or("position missing")?)?;
                self.log()?.wait_durable_blocking(position).map_err(described)?;
                String::new()
            }
            "read" => self.read(lsn(args.next_pos().unwrap_or("0"))?)?,
            "durable" => format!("{}\n", self.log()?.durable_lsn()),
            "failure" => format!("{:?}\n", self.log()?.failure().map(described)),
            "close" => {
                self.log()?.close().map_err(described)?;
                String::new()
            }
            "files" => self.files()?,
            other => self.disturb(other, &mut args)?,
        };
        args.reject_next()?;
        Ok(out)
    }
}

impl Dialogue {
    fn disturb(&mut self, name: &str, args: &mut goldenscript::ArgumentConsumer<'_>) -> Outcome {
        match name {
            "crash" => {
                self.log = None;
                self.control.crash_losing_all_unsynced();
            }
            "kill" => {
                self.log = None;
                self.control.kill();
            }
            "fail-sync" => self.control.fail_sync(args.next_pos().unwrap_or("wal"), 0),
            "fail-write" => self.control.fail_write(args.next_pos().unwrap_or("wal"), 0),
            "halt-after" => {
                self.control.halt_after(args.next_pos().ok_or("count missing")?.parse()?);
            }
            "space" => {
                self.control.limit_space(Some(args.next_pos().ok_or("bytes missing")?.parse()?));
            }
            "flip" => {
                let path = format!("wal/{}", args.next_pos().ok_or("file missing")?);
                let at = args.next_pos().ok_or("byte missing")?.parse()?;
                self.control.flip_bit(&path, at, 0)?;
            }
            "scribble" => {
                let path = format!("wal/{}", args.next_pos().ok_or("file missing")?);
                let file = self.world.disk.open(&path, OpenMode::CreateOrOpen)?;
                let at = args.next_pos().ok_or("byte missing")?.parse()?;
                file.write_at(args.next_pos().unwrap_or_default().as_bytes(), at)?;
                file.sync_data()?;
                self.world.disk.sync_dir("wal")?;
            }
            "remove" => {
                let path = format!("wal/{}", args.next_pos().ok_or("file missing")?);
                self.world.disk.remove(&path)?;
            }
            other => return Err(format!("unknown command {other}").into()),
        }
        Ok(String::new())
    }
}

fn run(name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scripts").join(name);
    goldenscript::run(&mut Dialogue::new(), path).unwrap();
}

#[test]
fn basics() {
    run("basics.txt");
}

#[test]
fn torn_tails() {
    run("torn.txt");
}

#[test]
fn damage() {
    run("damage.txt");
}

#[test]
fn failures() {
    run("failures.txt");
}
