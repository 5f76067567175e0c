//! Planted bugs: changes of the product's source that the simulator must notice.
//!
//! A mutation is a piece of text of one file and what stands there instead. It is applied to a copy
//! of the sources and built there, so that no released program knows of it. A simulator that does
//! not notice one is to be made stronger; the mutation stays.

use std::path::PathBuf;

use oxi_base::Result;
use oxi_world::World;

use crate::runner::say;

mod list;
mod tree;

pub use list::MUTATIONS;
use tree::{Hunt, Tree};

/// A planted bug.
#[derive(Clone, Copy, Debug)]
pub struct Mutation {
    /// What it is called.
    pub name: &'static str,
    /// The promise that it breaks.
    pub breaks: &'static str,
    /// The file, from the root of the sources.
    pub file: &'static str,
    /// What stands there, exactly once.
    pub find: &'static str,
    /// What is put in its place.
    pub replace: &'static str,
}

impl Mutation {
    /// The text of the file with the bug in it; an error says that the mutation is stale.
    pub fn apply(&self, text: &str) -> Result<String, String> {
        match text.matches(self.find).count() {
            1 => Ok(text.replacen(self.find, self.replace, 1)),
            0 => Err(format!("mutation {}: its text is not in {}", self.name, self.file)),
            many => {
                Err(format!("mutation {}: its text is {many} times in {}", self.name, self.file))
            }
        }
    }
}

/// Reads each file that a mutation changes and tells which mutations do not fit any more.
pub fn stale(sources: &World) -> Vec<String> {
    let fits = |mutation: &Mutation| {
        let bytes = sources.disk.read(mutation.file).map_err(|error| error.to_string())?;
        let text = String::from_utf8(bytes).map_err(|error| error.to_string())?;
        mutation.apply(&text)
    };
    MUTATIONS.iter().filter_map(|mutation| fits(mutation).err()).collect()
}

/// What `oxi-sim mutate` was asked for.
#[derive(Clone, Debug)]
pub struct Options {
    /// The root of the sources.
    pub sources: PathBuf,
    /// Where they are copied to and built.
    pub work: PathBuf,
    /// Only this mutation.
    pub only: Option<String>,
    /// Within how many seeds each is to be noticed.
    pub seeds: u64,
}

/// Plants each bug and looks for it; true if all were noticed.
pub fn run(options: &Options) -> bool {
    match hunt_all(options) {
        Ok((noticed, missed)) => {
            say(&format!("{noticed} noticed, {missed} missed"));
            missed == 0
        }
        Err(reason) => {
            say(&format!("FAILED: {reason}"));
            false
        }
    }
}

fn hunt_all(options: &Options) -> Result<(u32, u32), String> {
    let chosen: Vec<&Mutation> = MUTATIONS
        .iter()
        .filter(|mutation| options.only.as_ref().is_none_or(|name| name == mutation.name))
        .collect();
    if chosen.is_empty() {
        let names: Vec<&str> = MUTATIONS.iter().map(|mutation| mutation.name).collect();
        return Err(format!("there are these mutations: {}", names.join(", ")));
    }
    let tree = Tree::copy(&options.sources, &options.work)?;
    say(&format!("sources copied to {}", options.work.display()));
    tree.build()?;
    if let Hunt::Noticed { seed, reason } = tree.hunt(CLEAN_SEEDS)? {
        return Err(format!("without any mutation {seed}: {reason}"));
    }
    let (mut noticed, mut missed) = (0, 0);
    for mutation in chosen {
        match hunt_one(&tree, mutation, options.seeds)? {
            Hunt::Noticed { seed, reason } => {
                noticed += 1;
                say(&format!("{}: noticed at {seed}: {reason}", mutation.name));
            }
            Hunt::Nothing => {
                missed += 1;
                let (name, seeds) = (mutation.name, options.seeds);
                say(&format!("{name}: NOT noticed within {seeds} seeds ({})", mutation.breaks));
            }
        }
    }
    Ok((noticed, missed))
}

/// Seeds that the sources as they are must live through.
const CLEAN_SEEDS: u64 = 50;

fn hunt_one(tree: &Tree, mutation: &Mutation, seeds: u64) -> Result<Hunt, String> {
    let original = tree.read(mutation.file)?;
    tree.write(mutation.file, &mutation.apply(&original)?)?;
    let found = tree
        .build()
        .map_err(|reason| format!("mutation {}: {reason}", mutation.name))
        .and_then(|()| tree.hunt(seeds));
    tree.write(mutation.file, &original)?;
    found
}
