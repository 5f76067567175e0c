//! Verification: every checksum on disk, every invariant between rows and indexes.

use std::collections::BTreeMap;

use oxi_base::{Error, Result, RowId, SqlState, TableId};
use oxi_model::engine::KeyRange;

use crate::{
    block::{Seen, place, row_id},
    engine::Core,
    index::{IndexUse, key::Key},
    manifest::{IndexManifest, Paths, TableManifest, is_trusted, read_newest},
    recover::{ImageFiles, load_index, not_referred},
    table::Table,
    undo::{Sight, TxnState},
};

/// What was verified.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CheckReport {
    /// Tables.
    pub tables: u64,
    /// Block images read from disk.
    pub images: u64,
    /// Log frames read.
    pub frames: u64,
    /// Rows seen by a snapshot taken for the check.
    pub rows: u64,
    /// Index entries.
    pub entries: u64,
    /// Committed transactions whose leavings wait to be collected.
    pub garbage: u64,
    /// Snapshots that somebody holds.
    pub snapshots: u64,
}

/// Checks a store in use. Writers may go on: rows are looked at under their latch.
pub(crate) fn check(core: &Core) -> Result<CheckReport> {
    let mut report = CheckReport::default();
    // No checkpoint may remove files meanwhile.
    let _checkpoint = core.checkpoint.lock();
    check_files(core, &mut report)?;
    report.garbage = core.garbage.lock().len() as u64;
    report.snapshots = core.snapshots.count() as u64;
    let tables: Vec<_> = core.tables.read().values().cloned().collect();
    for table in tables {
        let snapshot = crate::snapshot::register(&core.self_arc()?, None);
        check_table(&table, &Sight::committed(snapshot.ts), &mut report)?;
    }
    Ok(report)
}

fn check_files(core: &Core, report: &mut CheckReport) -> Result<()> {
    let paths = Paths::new(&core.options.dir);
    let root = read_newest(&core.world, &paths)?;
    let trusted = is_trusted(&core.world, &paths, &core.log)?;
    let root = root.filter(|_| trusted);
    if let Some(root) = &root {
        for (id, (number, crc)) in &root.tables {
            let path = paths.table_manifest(*id, *number);
            let bytes = core.world.disk.read(&path)?;
            if crc32c::crc32c(&bytes) != *crc {
                return Err(not_referred(&path));
            }
            let manifest = TableManifest::decode(&bytes, &path)?;
            check_bases(core, &paths, *id, &manifest)?;
            let mut files = ImageFiles::new(&core.world, &paths, *id);
            for (number, image) in &manifest.blocks {
                files
                    .read(*number, image)
                    .map_err(|error| files.damaged(*number, image, &error))?;
                report.images += 1;
            }
        }
    }
    let from = root.map_or_else(|| core.log.oldest_lsn(), |root| root.redo);
    for frame in core.log.read(from) {
        frame?;
        report.frames += 1;
    }
    Ok(())
}

/// Reads every block of a table's indexes.
fn check_bases(core: &Core, paths: &Paths, id: TableId, manifest: &TableManifest) -> Result<()> {
    // Columns are looked for in the layout that the manifest has.
    let table = Table::new(id, manifest.layout.clone(), TxnState::ancient(), &core.unlimited());
    for (index, saved) in &manifest.indexes {
        let Some((number, crc)) = saved.base else { continue };
        let path = paths.index_manifest(*index, number);
        let bytes = core.world.disk.read(&path)?;
        if crc32c::crc32c(&bytes) != crc {
            return Err(not_referred(&path));
        }
        let base = IndexManifest::decode(&bytes, &path)?;
        let mut failure = None;
        let index = load_index(*index, &saved.layout, &base, &table)?;
        index.verify(&base, &mut |place, error| failure = Some((*place, error)));
        if let Some((place, error)) = failure {
            return Err(index.damaged(&place, &error));
        }
    }
    Ok(())
}

fn broken(entry: &IndexUse, row: RowId, what: &str) -> Error {
    Error::new(
        SqlState::INDEX_CORRUPTED,
        format!("index storage {}: row {row} {what}", entry.index.id),
    )
}

/// Checks a table's rows, as `sight` sees them, against its indexes.
pub(crate) fn check_table(
    table: &Table,
    sight: &Sight<'_>,
    report: &mut CheckReport,
) -> Result<()> {
    report.tables += 1;
    let shape = table.shape();
    for block in table.blocks() {
        table.home.storage.relieve()?;
        let rows = block.read()?;
        for slot in 0..rows.len as u16 {
            report.rows += u64::from(!matches!(rows.see(slot, sight), Seen::No));
        }
    }
    for entry in &shape.indexes {
        if entry.index.is_complete() {
            check_index_covers(table, entry)?;
        }
        check_entries(table, entry, sight, report)?;
    }
    Ok(())
}

/// Each state of each row has its entry.
fn check_index_covers(table: &Table, entry: &IndexUse) -> Result<()> {
    for block in table.blocks() {
        table.home.storage.relieve()?;
        let rows = block.read()?;
        for slot in 0..rows.len as u16 {
            // A row that is being written gets its entries after its values.
            let settled = rows.newest_owner(slot).0.is_none();
            if !settled || !rows.is_live(slot) && rows.chain(slot).is_none() {
                continue;
            }
            let row = row_id(block.number, slot);
            let mut is_there = Ok(true);
            rows.each_state(slot, |overlay| {
                let key = entry.key(|position| rows.value(slot, position, Some(overlay))).0;
                if matches!(is_there, Ok(true)) {
                    is_there = entry.index.contains(&key, row);
                }
            });
            if !is_there? {
                return Err(broken(entry, row, "has no entry"));
            }
        }
    }
    Ok(())
}

/// Each entry names a row that is there, and no two visible rows share a unique key.
fn check_entries(
    table: &Table,
    entry: &IndexUse,
    sight: &Sight<'_>,
    report: &mut CheckReport,
) -> Result<()> {
    let everything = KeyRange {
        lower: std::ops::Bound::Unbounded,
        upper: std::ops::Bound::Unbounded,
        reverse: false,
    };
    let mut seen: BTreeMap<Key, RowId> = BTreeMap::new();
    let mut before: Option<(Key, RowId)> = None;
    entry.index.visit(&everything, |key, row| {
        report.entries += 1;
        if let Some((last, last_row)) = &before
            && (matches!(key, Key::Null) == matches!(last, Key::Null))
            && (last, last_row) >= (key, &row)
        {
            return Err(broken(entry, row, "is out of order"));
        }
        before = Some((key.clone(), row));
        let (number, slot) = place(row);
        let Some(block) = table.block(number) else {
            return Err(broken(entry, row, "is not there"));
        };
        let rows = block.read()?;
        if rows.chain(slot).is_none() && !rows.is_live(slot) {
            return Err(broken(entry, row, "is dead"));
        }
        let (now, null) = match rows.see(slot, sight) {
            Seen::No => return Ok(true),
            Seen::InPlace => entry.key(|position| rows.value(slot, position, None)),
            Seen::Older(overlay) => {
                entry.key(|position| rows.value(slot, position, Some(&overlay)))
            }
        };
        if now == *key && entry.index.checks(null) && seen.insert(now, row).is_some() {
            return Err(broken(entry, row, "shares its unique key with another row"));
        }
        Ok(true)
    })
}
