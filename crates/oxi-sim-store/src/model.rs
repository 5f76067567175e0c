//! What the database must be: the settled state, and the commits that may or may not be durable.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use oxi_base::{IndexId, RowId, TableId};
use oxi_model::{
    Datum, Row,
    engine::{IndexLayout, TableLayout},
};

use crate::schema::ACCOUNTS;

/// A table.
#[derive(Clone, Debug)]
pub(crate) struct TableState {
    pub(crate) layout: TableLayout,
    /// Column ids are never used twice.
    pub(crate) next_column: u32,
    pub(crate) indexes: BTreeMap<IndexId, IndexLayout>,
    pub(crate) rows: BTreeMap<RowId, Row>,
    /// Rows deleted by a commit: their ids must not come back.
    dead: BTreeSet<RowId>,
}

/// A database.
#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    pub(crate) tables: BTreeMap<TableId, TableState>,
    /// Tables there ever were.
    used: BTreeSet<TableId>,
}

/// A change of the schema.
#[derive(Clone, Debug)]
pub(crate) enum Ddl {
    CreateTable(TableId, TableLayout),
    AlterTable(TableId, TableLayout),
    DropTable(TableId),
    CreateIndex(IndexId, IndexLayout),
    DropIndex(TableId, IndexId),
}

/// Rows as a transaction leaves them; `None` is deleted.
pub(crate) type Overlay = BTreeMap<(TableId, RowId), Option<Row>>;

/// What one transaction did.
#[derive(Clone, Debug, Default)]
pub(crate) struct Commit {
    pub(crate) rows: Overlay,
    pub(crate) ddl: Vec<Ddl>,
    pub(crate) sequences: Vec<(u32, i64)>,
    /// Tables held exclusively, given back when the commit is visible.
    pub(crate) exclusive: Vec<TableId>,
}

/// Carries a row over from one layout to another.
pub(crate) fn convert(row: &Row, before: &TableLayout, after: &TableLayout) -> Row {
    let value = |column: &oxi_model::engine::ColumnLayout| {
        let old = before.columns.iter().position(|known| known.id == column.id);
        old.map_or_else(|| column.missing.clone(), |position| row[position].clone())
    };
    after.columns.iter().map(value).collect()
}

impl State {
    pub(crate) fn rows(&self, table: TableId) -> Option<&BTreeMap<RowId, Row>> {
        self.tables.get(&table).map(|table| &table.rows)
    }

    pub(crate) fn apply(&mut self, commit: &Commit) -> Result<(), String> {
        for ddl in &commit.ddl {
            self.apply_ddl(ddl)?;
        }
        for ((table, row), value) in &commit.rows {
            let Some(state) = self.tables.get_mut(table) else { continue };
            let Some(value) = value else {
                state.rows.remove(row);
                state.dead.insert(*row);
                continue;
            };
            if state.dead.contains(row) {
                return Err(format!("table {table}: deleted row id {row} is used again"));
            }
            state.rows.insert(*row, value.clone());
        }
        Ok(())
    }

    fn apply_ddl(&mut self, ddl: &Ddl) -> Result<(), String> {
        let gone = |id: &TableId| format!("table {id} was changed, but it does not exist");
        match ddl {
            Ddl::CreateTable(id, layout) => {
                if !self.used.insert(*id) {
                    return Err(format!("table number {id} was given out twice"));
                }
                let state = TableState {
                    layout: layout.clone(),
                    next_column: layout.columns.len() as u32,
                    indexes: BTreeMap::new(),
                    rows: BTreeMap::new(),
                    dead: BTreeSet::new(),
                };
                self.tables.insert(*id, state);
            }
            Ddl::AlterTable(id, layout) => {
                let state = self.tables.get_mut(id).ok_or_else(|| gone(id))?;
                for row in state.rows.values_mut() {
                    *row = convert(row, &state.layout, layout);
                }
                let ids = layout.columns.iter().map(|column| column.id.0 + 1);
                state.next_column = ids.chain([state.next_column]).max().unwrap_or(0);
                state.layout = layout.clone();
            }
            Ddl::DropTable(id) => {
                self.tables.remove(id).ok_or_else(|| gone(id))?;
            }
            Ddl::CreateIndex(index, layout) => {
                let table = layout.table;
                let state = self.tables.get_mut(&table).ok_or_else(|| gone(&table))?;
                state.indexes.insert(*index, layout.clone());
            }
            Ddl::DropIndex(table, index) => {
                let state = self.tables.get_mut(table).ok_or_else(|| gone(table))?;
                state.indexes.remove(index);
            }
        }
        Ok(())
    }

    /// The money there is.
    pub(crate) fn total(&self) -> i64 {
        let rows = self.rows(ACCOUNTS).into_iter().flatten();
        rows.map(|(_, row)| if let Datum::Int64(balance) = row[1] { balance } else { 0 }).sum()
    }
}

/// The oracle of one history.
#[derive(Debug, Default)]
pub(crate) struct Model {
    /// What must be there whatever happens.
    pub(crate) settled: State,
    /// How many commits that took.
    pub(crate) settled_count: u64,
    /// Commits after it, in the order of the log.
    pub(crate) pending: VecDeque<Commit>,
    /// The settled state and all pending commits.
    pub(crate) head: State,
    /// Values of sequences that durable transactions were given.
    sequences: BTreeMap<u32, BTreeSet<i64>>,
    /// Tables held exclusively by transactions not known to be over.
    pub(crate) exclusive: BTreeMap<TableId, u32>,
    /// What the accounts must add up to, once they are there.
    pub(crate) total: Option<i64>,
}

impl Model {
    /// Records a commit that was handed to the log and returns how many there are now.
    pub(crate) fn append(&mut self, commit: Commit) -> Result<u64, String> {
        self.head.apply(&commit)?;
        if let Some(total) = self.total
            && self.head.total() != total
        {
            let found = self.head.total();
            return Err(format!("an update was lost: balances add up to {found}, not {total}"));
        }
        self.pending.push_back(commit);
        Ok(self.settled_count + self.pending.len() as u64)
    }

    /// The first `count` commits are durable and visible.
    pub(crate) fn settle(&mut self, count: u64) -> Result<(), String> {
        while self.settled_count < count {
            let Some(commit) = self.pending.pop_front() else {
                return Err(format!("{count} commits are there, more than were made"));
            };
            self.settled.apply(&commit)?;
            self.settled_count += 1;
            self.acknowledge_sequences(&commit.sequences)?;
            self.release(&commit.exclusive);
        }
        Ok(())
    }

    /// Forgets what was not settled: the database restarted without it.
    pub(crate) fn restart(&mut self) {
        self.pending.clear();
        self.exclusive.clear();
        self.head = self.settled.clone();
    }

    pub(crate) fn release(&mut self, exclusive: &[TableId]) {
        for table in exclusive {
            if let Some(held) = self.exclusive.get_mut(table) {
                *held -= 1;
                if *held == 0 {
                    self.exclusive.remove(table);
                }
            }
        }
    }

    pub(crate) fn acknowledge_sequences(&mut self, values: &[(u32, i64)]) -> Result<(), String> {
        for (sequence, value) in values {
            if !self.sequences.entry(*sequence).or_default().insert(*value) {
                return Err(format!("sequence {sequence} gave out {value} twice"));
            }
        }
        Ok(())
    }
}
