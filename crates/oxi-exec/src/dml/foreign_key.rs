//! Foreign keys and deferrable uniqueness: what is owed at the end of a statement, and how it is
//! settled.
//!
//! Writing a row only notes what must be looked at; the notes are worked off in order after the
//! statement's last row, because rows may refer to rows of the same statement. Actions on
//! referencing rows add notes of their own. Checks of deferred constraints go on to the
//! transaction's end ([`crate::dml::deferred`]).

mod key;

use std::{collections::VecDeque, sync::Arc};

use oxi_base::{Error, Result, RowId, SqlState, TableId};
use oxi_model::{
    Datum, Row,
    array::{datum_at, encode_datum},
    descriptor::{ReferentialAction, RelationDescriptor},
    engine::{
        KeyCheck, KeyRange, RowLock, ScanRequest, Snapshot, TableLock, Txn, WriteOutcome,
        WriteTarget,
    },
};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::{
    context::StatementContext,
    dml::{
        action,
        deferred::{Check, Deferred, Subject},
        foreign_key::key::{child_key, comparable, equal, parent_key, pick, same},
        target::{IncomingKey, OutgoingKey, Target, Timing, UniqueKey},
        violation,
    },
};

pub(crate) use key::convert;

/// How often a lock is tried on a row that others keep changing.
const ATTEMPTS: usize = 1000;

/// What a statement still owes to foreign keys.
#[derive(Default)]
pub struct Queue {
    notes: VecDeque<Note>,
    /// References already noted or settled, per table and key: bulk loads repeat few values.
    seen: FxHashMap<(u32, usize), FxHashSet<Vec<u8>>>,
    targets: FxHashMap<u32, Arc<Target>>,
    /// Tables held against changes of their definition.
    held: FxHashSet<(TableId, TableLock)>,
}

enum Note {
    /// A row has this unique key.
    Unique { target: Arc<Target>, key: usize, values: Vec<Datum> },
    /// A row refers to these values.
    Refers { target: Arc<Target>, key: usize, values: Vec<Datum> },
    /// A referenced row no longer has the old values.
    Departed { target: Arc<Target>, key: usize, old: Vec<Datum>, new: Option<Vec<Datum>> },
}

impl Note {
    /// The check to make later, if the constraint is deferred. Actions are not.
    fn put_off(&self, deferred: &Deferred) -> Option<Check> {
        let (target, timing, subject) = match self {
            Note::Unique { target, key, values } => {
                (target, target.unique[*key].timing, Subject::Unique(values.clone()))
            }
            Note::Refers { target, key, values } => {
                let outgoing = &target.outgoing[*key];
                let declared = violation::reorder(&outgoing.columns, &outgoing.declared, values);
                (target, outgoing.timing, Subject::Refers(declared))
            }
            Note::Departed { target, key, old, new } => {
                let incoming = &target.incoming[*key];
                if rule_of(incoming, new.as_deref()) != ReferentialAction::NoAction {
                    return None;
                }
                let declared =
                    |values| violation::reorder(&incoming.columns, &incoming.declared, values);
                let subject = Subject::Departed(declared(old), new.as_deref().map(declared));
                (target, incoming.timing, subject)
            }
        };
        let table = target.relation.oid;
        deferred.is_deferred(timing).then_some(Check { table, timing, subject })
    }
}

fn rule_of(key: &IncomingKey, new: Option<&[Datum]>) -> ReferentialAction {
    if new.is_some() { key.on_update } else { key.on_delete }
}

impl Queue {
    /// Notes an inserted row.
    pub fn inserted(&mut self, txn: &dyn Txn, target: &Arc<Target>, row: &[Datum]) -> Result<()> {
        for (key, unique) in target.deferrable() {
            self.unique(txn, target, key, pick(row, &unique.columns))?;
        }
        for key in 0..target.outgoing.len() {
            self.refers(target, key, row)?;
        }
        Ok(())
    }

    /// Notes a deleted row.
    pub fn deleted(&mut self, target: &Arc<Target>, old: &[Datum]) {
        for (key, incoming) in target.incoming.iter().enumerate() {
            let old = pick(old, &incoming.columns);
            if !old.iter().any(Datum::is_null) {
                let target = Arc::clone(target);
                self.notes.push_back(Note::Departed { target, key, old, new: None });
            }
        }
    }

    /// Notes an updated row.
    pub fn updated(
        &mut self,
        txn: &dyn Txn,
        target: &Arc<Target>,
        old: &[Datum],
        new: &[Datum],
    ) -> Result<()> {
        for (key, unique) in target.deferrable() {
            if !same(target, &unique.columns, old, new) {
                self.unique(txn, target, key, pick(new, &unique.columns))?;
            }
        }
        for (key, outgoing) in target.outgoing.iter().enumerate() {
            if outgoing.columns.iter().any(|column| old.get(*column) != new.get(*column)) {
                self.refers(target, key, new)?;
            }
        }
        for (key, incoming) in target.incoming.iter().enumerate() {
            if same(target, &incoming.columns, old, new) {
                continue;
            }
            let old = pick(old, &incoming.columns);
            if !old.iter().any(Datum::is_null) {
                let new = Some(pick(new, &incoming.columns));
                let target = Arc::clone(target);
                self.notes.push_back(Note::Departed { target, key, old, new });
            }
        }
        Ok(())
    }

    /// Notes a unique key unless no other row has it now: whoever comes later sees this one.
    fn unique(
        &mut self,
        txn: &dyn Txn,
        target: &Arc<Target>,
        key: usize,
        values: Vec<Datum>,
    ) -> Result<()> {
        let unique = &target.unique[key];
        let counts = unique.nulls_not_distinct || !values.iter().any(Datum::is_null);
        if counts && !matches!(txn.check_unique(unique.index, &values)?, KeyCheck::Unique) {
            self.notes.push_back(Note::Unique { target: Arc::clone(target), key, values });
        }
        Ok(())
    }

    fn refers(&mut self, target: &Arc<Target>, key: usize, row: &[Datum]) -> Result<()> {
        let outgoing = &target.outgoing[key];
        let values = pick(row, &outgoing.columns);
        let nulls = values.iter().filter(|value| value.is_null()).count();
        if nulls == values.len() || (nulls > 0 && !outgoing.match_full) {
            return Ok(());
        }
        if nulls > 0 {
            return Err(violation::match_full(target, outgoing));
        }
        let mut encoded = Vec::new();
        for value in &values {
            encode_datum(&mut encoded, value);
        }
        if self.seen.entry((target.relation.oid, key)).or_default().insert(encoded) {
            let target = Arc::clone(target);
            self.notes.push_back(Note::Refers { target, key, values });
        }
        Ok(())
    }

    /// Whether nothing is owed.
    pub fn is_empty(&self) -> bool {
        self.notes.is_empty()
    }

    /// Settles everything, also what the actions themselves add.
    pub async fn settle(&mut self, statement: &StatementContext) -> Result<()> {
        while let Some(note) = self.notes.pop_front() {
            statement.cancel.check()?;
            match note.put_off(&statement.deferred) {
                Some(check) => statement.deferred.owe(check),
                None => self.settle_note(statement, note).await?,
            }
        }
        Ok(())
    }

    async fn settle_note(&mut self, statement: &StatementContext, note: Note) -> Result<()> {
        match note {
            Note::Unique { target, key, values } => {
                require_unique(statement, &target, &target.unique[key], &values).await
            }
            Note::Refers { target, key, values } => {
                let outgoing = &target.outgoing[key];
                self.hold(statement, outgoing.parent_table, TableLock::RowShare).await?;
                match require_parent(statement, &target, outgoing, &values).await {
                    Err(error) if error.code() == SqlState::FOREIGN_KEY_VIOLATION => {
                        let refers = self.refers_still(statement, outgoing, &values)?;
                        if refers { Err(error) } else { Ok(()) }
                    }
                    other => other,
                }
            }
            Note::Departed { target, key, old, new } => {
                let is_update = new.is_some();
                let mut departed = vec![(old, new)];
                if target.incoming[key].child_index.is_none() {
                    // Without an index the table is scanned once for all keys.
                    self.take_departed(&target, key, &mut departed);
                }
                let incoming = &target.incoming[key];
                let rule = if is_update { incoming.on_update } else { incoming.on_delete };
                self.hold(statement, incoming.child_table, lock_of(rule)).await?;
                self.act(statement, &target, key, departed).await
            }
        }
    }

    /// Makes a check that was put off; those behind it in `rest` that the same scan answers go
    /// along.
    pub(crate) async fn settle_check(
        &mut self,
        statement: &StatementContext,
        check: Check,
        rest: &mut VecDeque<Check>,
    ) -> Result<()> {
        let Some(note) = self.note_of(statement, &check)? else { return Ok(()) };
        if let Note::Departed { target, key, .. } = &note
            && target.incoming[*key].child_index.is_none()
        {
            let (same, others): (Vec<_>, Vec<_>) = std::mem::take(rest)
                .into_iter()
                .partition(|other| other.timing == check.timing && other.table == check.table);
            *rest = others.into();
            for other in same {
                let note = self.note_of(statement, &other)?;
                self.notes.extend(note);
            }
        }
        self.settle_note(statement, note).await?;
        while let Some(note) = self.notes.pop_front() {
            self.settle_note(statement, note).await?;
        }
        Ok(())
    }

    /// What a check asks for, by the catalog as it is now; `None` if the constraint is gone.
    fn note_of(&mut self, statement: &StatementContext, check: &Check) -> Result<Option<Note>> {
        let Some(relation) = statement.catalog.relation(check.table).cloned() else {
            return Ok(None);
        };
        let target = self.target(statement, &relation)?;
        let is_it = |timing: Timing| timing.constraint == check.timing.constraint;
        Ok(match &check.subject {
            Subject::Unique(values) => {
                let key = target.unique.iter().position(|key| is_it(key.timing));
                key.map(|key| Note::Unique { values: values.clone(), target, key })
            }
            Subject::Refers(values) => {
                let key = target.outgoing.iter().position(|key| is_it(key.timing));
                key.map(|key| {
                    let outgoing = &target.outgoing[key];
                    let values = violation::reorder(&outgoing.declared, &outgoing.columns, values);
                    Note::Refers { target, key, values }
                })
            }
            Subject::Departed(old, new) => {
                let key = target.incoming.iter().position(|key| is_it(key.timing));
                key.map(|key| {
                    let incoming = &target.incoming[key];
                    let order =
                        |values| violation::reorder(&incoming.declared, &incoming.columns, values);
                    let (old, new) = (order(old), new.as_deref().map(order));
                    Note::Departed { target, key, old, new }
                })
            }
        })
    }

    /// Whether some row still refers to a key that is not there: the one that was noted may have
    /// gone or changed since.
    fn refers_still(
        &mut self,
        statement: &StatementContext,
        outgoing: &OutgoingKey,
        values: &[Datum],
    ) -> Result<bool> {
        let parent = self.target(statement, &outgoing.parent)?;
        let Some(incoming) = parent.incoming.iter().find(|key| key.timing == outgoing.timing)
        else {
            return Ok(true);
        };
        let wanted = violation::reorder(&outgoing.columns, &incoming.child_columns, values);
        let snapshot = statement.txn.current_snapshot();
        Ok(!search(incoming, &snapshot, &[Some(wanted)])?.is_empty())
    }

    /// Holds another table until the end of the transaction.
    async fn hold(
        &mut self,
        statement: &StatementContext,
        table: TableId,
        lock: TableLock,
    ) -> Result<()> {
        if self.held.insert((table, lock)) {
            while let Some(wait) = statement.txn.lock_table(table, lock)? {
                statement.wait(wait).await?;
            }
        }
        Ok(())
    }

    fn take_departed(
        &mut self,
        wanted: &Arc<Target>,
        wanted_key: usize,
        into: &mut Vec<Departure>,
    ) {
        let notes = std::mem::take(&mut self.notes);
        for note in notes {
            match note {
                Note::Departed { target, key, old, new }
                    if key == wanted_key && target.relation.oid == wanted.relation.oid =>
                {
                    into.push((old, new));
                }
                other => self.notes.push_back(other),
            }
        }
    }

    async fn act(
        &mut self,
        statement: &StatementContext,
        target: &Arc<Target>,
        key: usize,
        departed: Vec<Departure>,
    ) -> Result<()> {
        let incoming = &target.incoming[key];
        for (child, departure) in children(statement, target, incoming, &departed)? {
            let (old, new) = &departed[departure];
            let rule = rule_of(incoming, new.as_deref());
            match rule {
                ReferentialAction::NoAction | ReferentialAction::Restrict => {
                    let restrict = rule == ReferentialAction::Restrict;
                    if !restrict && parent_again(statement, incoming, old)? {
                        continue;
                    }
                    if still_refers(statement, target, incoming, &child, old).await? {
                        // What SERIALIZABLE now knows; no lock on the row outlives a savepoint.
                        let read = statement.txn.current_snapshot();
                        read.get(incoming.child_table, child.row, &[], &mut Row::new())?;
                        let schema = statement.catalog.schema_name(incoming.child.schema);
                        let eval = &statement.eval;
                        return Err(violation::referenced(eval, target, incoming, schema, old));
                    }
                }
                _ => {
                    let child_target = self.target(statement, &incoming.child)?;
                    let change = action::Change { target, key: incoming, old, new: new.as_deref() };
                    action::apply(self, statement, &child_target, &child, &change, rule).await?;
                }
            }
        }
        Ok(())
    }

    /// The constraints of a table, resolved once per statement.
    pub(crate) fn target(
        &mut self,
        statement: &StatementContext,
        relation: &Arc<RelationDescriptor>,
    ) -> Result<Arc<Target>> {
        if let Some(target) = self.targets.get(&relation.oid) {
            return Ok(Arc::clone(target));
        }
        let target = Arc::new(Target::new(&statement.catalog, relation)?);
        self.targets.insert(relation.oid, Arc::clone(&target));
        Ok(target)
    }
}

/// How a rule locks the referencing table.
fn lock_of(rule: ReferentialAction) -> TableLock {
    match rule {
        ReferentialAction::NoAction | ReferentialAction::Restrict => TableLock::RowShare,
        _ => TableLock::RowExclusive,
    }
}

/// Old key, and new key unless the row was deleted; in the order of [`IncomingKey::columns`].
type Departure = (Vec<Datum>, Option<Vec<Datum>>);

/// A row that refers to a departed key.
pub(crate) struct Child {
    pub(crate) row: RowId,
    pub(crate) values: Row,
    pub(crate) snapshot: Arc<dyn Snapshot>,
    /// Seen by another transaction's snapshot only, which nothing can be locked by.
    foreign: bool,
}

/// Checks that no other row has a key of a deferrable constraint.
async fn require_unique(
    statement: &StatementContext,
    target: &Target,
    key: &UniqueKey,
    values: &[Datum],
) -> Result<()> {
    loop {
        match statement.txn.check_unique(key.index, values)? {
            KeyCheck::Unique => return Ok(()),
            KeyCheck::Wait(wait) => statement.wait(wait).await?,
            KeyCheck::Twice => {
                return Err(violation::unique_values(&statement.eval, target, key, values));
            }
        }
    }
}

/// Checks that a referenced row exists and keeps it from going away.
async fn require_parent(
    statement: &StatementContext,
    target: &Target,
    key: &OutgoingKey,
    values: &[Datum],
) -> Result<()> {
    let violated = || violation::reference(&statement.eval, target, key, values);
    let Some(probe) = parent_key(&statement.eval, target, key, values)? else {
        return Err(violated());
    };
    let range = KeyRange::equal(probe.clone());
    for _ in 0..ATTEMPTS {
        let snapshot = statement.txn.check_snapshot();
        let mut found = None;
        snapshot.index_scan(key.parent_index, &range, &[], &mut |row, _| {
            found = Some(row);
            Ok(false)
        })?;
        let Some(row) = found else {
            return note_missing(statement, key, &range).and(Err(violated()));
        };
        let mut version = WriteTarget::Snapshot;
        loop {
            let outcome = statement.txn.lock_row(
                snapshot.as_ref(),
                key.parent_table,
                row,
                version,
                RowLock::KeyShare,
            )?;
            match outcome {
                WriteOutcome::Done => {}
                WriteOutcome::Wait(wait) => {
                    statement.wait(wait).await?;
                    continue;
                }
                WriteOutcome::Changed => {
                    version = WriteTarget::Newest;
                    continue;
                }
                WriteOutcome::Gone | WriteOutcome::Duplicate(_) => break,
            }
            if version == WriteTarget::Snapshot {
                return Ok(());
            }
            let newest = statement.txn.newest(key.parent_table, row)?;
            let parent = key.parent.as_table().map_or(&[][..], |table| &table.columns);
            let same = newest.is_some_and(|newest| {
                key.parent_columns.iter().zip(&probe).all(|(column, value)| {
                    let parent_type = parent.get(*column).map_or(0, |column| column.data_type.oid);
                    newest.get(*column).is_some_and(|found| equal(parent_type, found, value))
                })
            });
            if same {
                return Ok(());
            }
            break;
        }
        // The row went away or got another key; another one may have come.
        if statement.txn.newest(key.parent_table, row)?.is_none()
            && !visible_again(statement, key, &range, row)?
        {
            return Err(violated());
        }
    }
    Err(Error::new(
        SqlState::SERIALIZATION_FAILURE,
        "could not serialize access due to concurrent update",
    ))
}

/// Lets SERIALIZABLE remember that a parent was missed: no lock keeps it from coming.
fn note_missing(statement: &StatementContext, key: &OutgoingKey, range: &KeyRange) -> Result<()> {
    let read = statement.txn.current_snapshot();
    read.index_scan(key.parent_index, range, &[], &mut |_, _| Ok(false))
}

/// Whether a snapshot taken now finds another row than `gone` under the key.
fn visible_again(
    statement: &StatementContext,
    key: &OutgoingKey,
    range: &KeyRange,
    gone: RowId,
) -> Result<bool> {
    let mut found = false;
    let snapshot = statement.txn.check_snapshot();
    snapshot.index_scan(key.parent_index, range, &[], &mut |row, _| {
        found = row != gone;
        Ok(!found)
    })?;
    Ok(found)
}

/// Rows that refer to any of the departed keys, each with the place of that key.
fn children(
    statement: &StatementContext,
    target: &Target,
    key: &IncomingKey,
    departed: &[Departure],
) -> Result<Vec<(Child, usize)>> {
    let mut wanted = Vec::with_capacity(departed.len());
    for (old, _) in departed {
        wanted.push(child_key(&statement.eval, target, key, old)?);
    }
    let snapshot = statement.txn.check_snapshot();
    let mut found = search(key, &snapshot, &wanted)?;
    if statement.txn.isolation().keeps_snapshot() {
        // Rows committed since the transaction's snapshot refer to the key as well.
        let latest =
            statement.engine.begin(oxi_model::engine::Isolation::ReadCommitted).begin_statement();
        for (child, place) in search(key, &latest, &wanted)? {
            let known = found.iter().any(|(other, _)| other.row == child.row);
            if known || statement.txn.newest(key.child_table, child.row)?.is_none() {
                continue;
            }
            let (_, new) = &departed[place];
            let rule = rule_of(key, new.as_deref());
            if matches!(rule, ReferentialAction::NoAction | ReferentialAction::Restrict) {
                found.push((Child { foreign: true, ..child }, place));
                continue;
            }
            return Err(Error::new(
                SqlState::SERIALIZATION_FAILURE,
                "could not serialize access due to concurrent update",
            ));
        }
    }
    Ok(found)
}

fn search(
    key: &IncomingKey,
    snapshot: &Arc<dyn Snapshot>,
    wanted: &[Option<Vec<Datum>>],
) -> Result<Vec<(Child, usize)>> {
    let columns = key.child.as_table().map_or(&[][..], |table| &table.columns);
    let all: Vec<usize> = (0..columns.len()).collect();
    let mut found = Vec::new();
    if let Some(index) = key.child_index {
        for (place, values) in wanted.iter().enumerate() {
            let Some(values) = values else { continue };
            let range = KeyRange::equal(values.clone());
            snapshot.index_scan(index, &range, &all, &mut |row, values| {
                let child = Child {
                    row,
                    values: values.to_vec(),
                    snapshot: Arc::clone(snapshot),
                    foreign: false,
                };
                found.push((child, place));
                Ok(true)
            })?;
        }
        return Ok(found);
    }
    let types: Vec<u32> =
        key.child_columns.iter().map(|column| columns[*column].data_type.oid).collect();
    let mut places: FxHashMap<Vec<u8>, usize> = FxHashMap::default();
    for (place, values) in wanted.iter().enumerate() {
        if let Some(values) = values {
            places.insert(comparable(&types, values), place);
        }
    }
    let request = ScanRequest { columns: all, row_id: true, partitions: 1, in_order: false };
    for mut scan in snapshot.scan(key.child_table, &request)? {
        while let Some(batch) = scan.next_batch()? {
            let row_ids = batch.column(columns.len());
            let row_ids = arrow::array::AsArray::as_primitive_opt::<arrow::datatypes::UInt64Type>(
                row_ids.as_ref(),
            )
            .ok_or_else(|| Error::bug("a scan without row ids"))?;
            for row in 0..batch.num_rows() {
                let mut values = Vec::with_capacity(key.child_columns.len());
                for column in &key.child_columns {
                    let physical = &columns[*column].physical;
                    values.push(datum_at(batch.column(*column).as_ref(), physical, row)?);
                }
                if values.iter().any(Datum::is_null) {
                    continue;
                }
                let Some(place) = places.get(&comparable(&types, &values)) else { continue };
                let values = row_of(&batch, columns, row)?;
                let row = RowId(row_ids.value(row));
                found.push((
                    Child { row, values, snapshot: Arc::clone(snapshot), foreign: false },
                    *place,
                ));
            }
        }
    }
    Ok(found)
}

fn row_of(
    batch: &arrow::array::RecordBatch,
    columns: &[oxi_model::descriptor::ColumnDescriptor],
    row: usize,
) -> Result<Row> {
    columns
        .iter()
        .enumerate()
        .map(|(place, column)| datum_at(batch.column(place).as_ref(), &column.physical, row))
        .collect()
}

/// Whether some row of the referenced table has the departed key (again).
fn parent_again(statement: &StatementContext, key: &IncomingKey, old: &[Datum]) -> Result<bool> {
    let (index, order) = &key.parent_index;
    let probe: Vec<Datum> = order.iter().map(|place| old[*place].clone()).collect();
    let mut found = false;
    let snapshot = statement.txn.check_snapshot();
    snapshot.index_scan(*index, &KeyRange::equal(probe), &[], &mut |_, _| {
        found = true;
        Ok(false)
    })?;
    Ok(found)
}

/// Whether a row that seemed to refer to a key does so once nobody else is changing it.
async fn still_refers(
    statement: &StatementContext,
    target: &Target,
    key: &IncomingKey,
    child: &Child,
    old: &[Datum],
) -> Result<bool> {
    let snapshot = child.snapshot.as_ref();
    loop {
        if child.foreign {
            break;
        }
        let outcome = statement.txn.lock_row(
            snapshot,
            key.child_table,
            child.row,
            WriteTarget::Newest,
            RowLock::KeyShare,
        )?;
        match outcome {
            WriteOutcome::Done => break,
            WriteOutcome::Wait(wait) => statement.wait(wait).await?,
            WriteOutcome::Gone => return Ok(false),
            WriteOutcome::Changed | WriteOutcome::Duplicate(_) => return Ok(true),
        }
    }
    refers_now(statement, target, key, child.row, old).map(|row| row.is_some())
}

/// The newest version of a row if it still refers to the key.
pub(crate) fn refers_now(
    statement: &StatementContext,
    target: &Target,
    key: &IncomingKey,
    row: RowId,
    old: &[Datum],
) -> Result<Option<Row>> {
    let Some(values) = statement.txn.newest(key.child_table, row)? else { return Ok(None) };
    let Some(wanted) = child_key(&statement.eval, target, key, old)? else { return Ok(None) };
    let columns = key.child.as_table().map_or(&[][..], |table| &table.columns);
    let same = key.child_columns.iter().zip(&wanted).all(|(column, value)| {
        let oid = columns.get(*column).map_or(0, |column| column.data_type.oid);
        values.get(*column).is_some_and(|found| equal(oid, found, value))
    });
    Ok(same.then_some(values))
}
