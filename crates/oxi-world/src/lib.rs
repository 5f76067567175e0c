//! The outside world behind traits: clock, randomness, disk, threads, network.
//!
//! # Purpose
//! Everything that is not determined by the program's inputs enters here, so that a simulator can
//! replace all of it by one seed and a crash is something a test can ask for.
//!
//! # Start reading at
//! [`World`], then [`disk::Disk`], then [`simulated::SimControl`].
//!
//! # Invariants
//! - No other crate asks the operating system for time, randomness, files, sockets or threads;
//!   `clippy.toml` names the functions.
//! - Whatever was synced survives [`simulated::SimControl::crash`]; nothing else is promised to.
//! - A simulated world never reads the real one: equal seeds and equal calls give equal answers.
//!
//! # Not here
//! File formats (`oxi-log`, `oxi-store`), protocols (`oxi-pgwire`).
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "this crate is where the disallowed functions are wrapped"
)]

pub mod world;

pub mod clock;
pub mod disk;
#[cfg(feature = "net")]
pub mod net;
pub mod process;
pub mod rng;
pub mod simulated;
pub mod tasks;
pub mod time;

pub use clock::Clock;
pub use disk::{Disk, DiskLock, File, OpenMode};
pub use rng::Rng;
pub use simulated::SimControl;
pub use tasks::{Signal, TaskHandle, Tasks};
pub use world::World;
