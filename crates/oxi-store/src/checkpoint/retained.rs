//! Checkpoints that are kept although newer ones were made: each can be opened by itself, for
//! reading.

use std::collections::{BTreeMap, BTreeSet};

use oxi_base::{Error, Result, SqlState, TableId, Ts};
use oxi_world::{World, disk};

use crate::{
    checkpoint::CheckpointState,
    manifest::{
        self, IndexManifest, Paths, Root, TableManifest, base_name, image_name,
        index_manifest_name, root_name, table_manifest_name,
    },
};

/// A checkpoint that can be opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Checkpoint {
    /// Its number.
    pub number: u64,
    /// The commit up to which it sees.
    pub ts: Ts,
}

impl Checkpoint {
    /// The time of the last commit in it, as text in UTC.
    pub fn committed_at(&self) -> String {
        crate::history::show_ts(self.ts)
    }
}

/// The names of the files that some checkpoints consist of.
#[derive(Default)]
pub(crate) struct Files {
    /// In the directory of manifests.
    pub(crate) manifests: BTreeSet<String>,
    /// In the tables' directories.
    pub(crate) tables: BTreeMap<TableId, BTreeSet<String>>,
}

impl Files {
    /// Adds the files of a checkpoint; an error if one of its manifests is missing or damaged.
    pub(crate) fn add(&mut self, world: &World, paths: &Paths, root: &Root) -> Result<()> {
        self.manifests.insert(root_name(root.number));
        for (table, (number, _)) in &root.tables {
            let path = paths.table_manifest(*table, *number);
            let manifest = TableManifest::decode(&world.disk.read(&path)?, &path)?;
            self.manifests.insert(table_manifest_name(*table, *number));
            let files = self.tables.entry(*table).or_default();
            files.extend(manifest.blocks.iter().map(|(_, image)| image_name(image.file)));
            for (index, saved) in &manifest.indexes {
                let Some((number, _)) = saved.base else { continue };
                let path = paths.index_manifest(*index, number);
                let base = IndexManifest::decode(&world.disk.read(&path)?, &path)?;
                self.manifests.insert(index_manifest_name(*index, number));
                files.extend(base.files().into_iter().map(|file| base_name(*index, file)));
            }
        }
        Ok(())
    }
}

/// Roots older than the current one whose files are there, oldest first.
pub(crate) fn older_roots(world: &World, paths: &Paths, current: u64) -> Result<Vec<Root>> {
    let mut roots = Vec::new();
    for name in world.disk.list(&paths.manifests())? {
        let number = name.strip_prefix("manifest-").and_then(|number| number.parse::<u64>().ok());
        if number.is_none_or(|number| number >= current) {
            continue;
        }
        let path = disk::join(&paths.manifests(), &name);
        // What an interrupted removal has left is no checkpoint any more.
        let root = Root::decode(&world.disk.read(&path)?, &path);
        roots.extend(root.ok().filter(|root| Files::default().add(world, paths, root).is_ok()));
    }
    roots.sort_unstable_by_key(|root| root.number);
    Ok(roots)
}

/// The root of a checkpoint that is to be opened.
pub(crate) fn root(world: &World, paths: &Paths, number: u64) -> Result<Root> {
    let path = paths.root(number);
    if !world.disk.exists(&path)? {
        return Err(Error::new(
            SqlState::UNDEFINED_OBJECT,
            format!("there is no checkpoint {number}"),
        )
        .with_hint("Checkpoints are kept as retained_checkpoints says."));
    }
    Root::decode(&world.disk.read(&path)?, &path)
}

/// The checkpoints in a directory that can be opened, oldest first.
pub(crate) fn list(world: &World, paths: &Paths) -> Result<Vec<Checkpoint>> {
    let Some(current) = manifest::read_newest(world, paths)? else { return Ok(Vec::new()) };
    let mut roots = older_roots(world, paths, current.number)?;
    roots.push(current);
    Ok(roots.iter().map(|root| Checkpoint { number: root.number, ts: Ts(root.ts) }).collect())
}

impl CheckpointState {
    /// A new root is the current one; of those before, so many stay.
    pub(super) fn succeed(&mut self, root: &Root, retained: u64) {
        self.retained.extend(self.current.replace(root.clone()));
        let excess = (self.retained.len() as u64).saturating_sub(retained) as usize;
        self.retained.drain(..excess);
    }
}
