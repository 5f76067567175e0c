//! CREATE INDEX, DROP INDEX and REINDEX … CONCURRENTLY: several transactions, none of which keeps
//! writers out. What fails in between leaves an invalid index behind, as in PostgreSQL.

use std::sync::Arc;

use oxi_base::{Error, Result, SqlState, TableId};
use oxi_catalog::{
    mutation::Validity,
    removal::{self, Behavior, Target},
};
use oxi_exec::context::CancelFlag;
use oxi_model::{
    descriptor::{RelationDescriptor, RelationKind, TableDescriptor},
    engine::{Engine, Isolation, TableLock, Txn},
};
use oxi_sql::ast::{CreateIndex, Drop};

use crate::{
    outcome::CommandTag,
    session::Session,
    statement::{
        definition::{begin_change, find_table, finish_change},
        drop as removing, index,
    },
};

/// `25001` inside of a block, or after other statements of one string.
pub(crate) fn refuse_block(session: &Session, command: &str) -> Result<()> {
    let is_used =
        session.transaction.as_ref().is_some_and(|txn| txn.explicit || txn.txn.id().is_some());
    if !is_used {
        return Ok(());
    }
    Err(Error::new(
        SqlState::ACTIVE_SQL_TRANSACTION,
        format!("{command} cannot run inside a transaction block"),
    ))
}

/// Holds a table against changes of its definition from the first transaction to the last.
struct Guard {
    txn: Arc<dyn Txn>,
    table: TableId,
    engine: Arc<dyn Engine>,
    cancel: Arc<CancelFlag>,
}

impl Guard {
    async fn hold(session: &mut Session, table: TableId) -> Result<Self> {
        let (engine, cancel) = (Arc::clone(&session.shared.engine), Arc::clone(&session.cancel));
        let txn = engine.begin(Isolation::ReadCommitted);
        txn.belong_to(session.backend_id);
        while let Some(wait) = txn.lock_table(table, TableLock::ShareUpdateExclusive)? {
            cancel.wait_for_lock(wait).await??;
        }
        Ok(Guard { txn, table, engine, cancel })
    }

    /// `40001` if the table is not what it was before its guard was there.
    fn require(&self, now: Option<&Arc<RelationDescriptor>>) -> Result<()> {
        if now.is_some_and(|now| storage_of(now) == self.table) {
            return Ok(());
        }
        let message = "could not serialize access: the table was changed by another transaction";
        Err(Error::new(SqlState::SERIALIZATION_FAILURE, message))
    }

    /// Waits for all who now hold the table in the way of a lock.
    async fn others_ended(&self, lock: TableLock) -> Result<()> {
        let wait = self.txn.others_ended(self.table, lock)?;
        self.cancel.wait_for_lock(wait).await?
    }

    async fn writers_ended(&self) -> Result<()> {
        self.others_ended(TableLock::Share).await
    }

    /// Fills an attached index and makes sure of its uniqueness.
    async fn build(&self, built: &RelationDescriptor) -> Result<()> {
        let Some(descriptor) = built.as_index() else { return Err(Error::bug("no index")) };
        let storage = descriptor.storage();
        self.writers_ended().await?;
        self.engine.fill_index(storage)?;
        if descriptor.unique && !descriptor.deferrable {
            self.engine.enforce_unique(storage)?;
            self.writers_ended().await?;
            let verified = self.engine.verify_unique(storage);
            verified.map_err(|error| index::named(&error, &built.name).unwrap_or(error))?;
        }
        Ok(())
    }
}

fn storage_of(table: &RelationDescriptor) -> TableId {
    table.as_table().map(TableDescriptor::storage).unwrap_or_default()
}

/// Adds an index that is attached to its table, and commits.
async fn attach(session: &mut Session, mut created: RelationDescriptor) -> Result<()> {
    if let RelationKind::Index(descriptor) = &mut created.kind {
        descriptor.invalid = true;
    }
    let mut change = begin_change(session)?;
    change.create_relation(created).await?;
    finish_change(session, change);
    session.commit().await
}

/// CREATE INDEX CONCURRENTLY.
pub(crate) async fn create(session: &mut Session, create: &CreateIndex) -> Result<CommandTag> {
    const TAG: CommandTag = CommandTag::plain("CREATE INDEX");
    refuse_block(session, "CREATE INDEX CONCURRENTLY")?;
    let table = find_table(session, &create.table)?;
    let guard = Guard::hold(session, storage_of(&table)).await?;
    let table = find_table(session, &create.table)?;
    guard.require(Some(&table))?;
    let change = begin_change(session)?;
    let Some(created) = index::describe(session, &change, &table, create)? else { return Ok(TAG) };
    attach(session, created.clone()).await?;
    guard.build(&created).await?;
    let mut change = begin_change(session)?;
    change.set_validity(created.oid, Validity::Built).await?;
    finish_change(session, change);
    session.commit().await?;
    Ok(TAG)
}

/// DROP INDEX CONCURRENTLY.
pub(crate) async fn drop(session: &mut Session, drop: &Drop) -> Result<CommandTag> {
    const TAG: CommandTag = CommandTag::plain("DROP INDEX");
    refuse_block(session, "DROP INDEX CONCURRENTLY")?;
    let [name] = drop.names.as_slice() else {
        let message = "DROP INDEX CONCURRENTLY does not support dropping multiple objects";
        return Err(Error::unsupported(message));
    };
    if drop.cascade {
        return Err(Error::unsupported("DROP INDEX CONCURRENTLY does not support CASCADE"));
    }
    let Some(Target::Relation(oid)) = removing::target(session, drop, name)? else {
        return Ok(TAG);
    };
    remove(session, oid).await?;
    Ok(TAG)
}

/// Takes an index out of use, waits for those who may use it, and drops it.
async fn remove(session: &mut Session, oid: u32) -> Result<()> {
    let target = [Target::Relation(oid)];
    let catalog = session.catalog()?;
    removal::plan(&catalog, &target, Behavior::Restrict)?;
    let table = catalog
        .relation(oid)
        .and_then(|index| index.as_index())
        .and_then(|index| catalog.relation(index.table))
        .ok_or_else(|| Error::bug("an index without table"))?;
    let guard = Guard::hold(session, storage_of(table)).await?;
    guard.require(session.catalog()?.relation(table.oid))?;
    let mut change = begin_change(session)?;
    change.set_validity(oid, Validity::Invalid).await?;
    finish_change(session, change);
    session.commit().await?;
    // Readers may have planned with it.
    guard.others_ended(TableLock::AccessExclusive).await?;
    let plan = removal::plan(&*session.catalog()?, &target, Behavior::Restrict)?;
    let mut change = begin_change(session)?;
    removing::carry_out(session, &mut change, &plan).await?;
    finish_change(session, change);
    session.commit().await
}

/// REINDEX … CONCURRENTLY of one index: a second one is built, takes the place of the first, and the
/// first is dropped.
pub(crate) async fn rebuild(
    session: &mut Session,
    table: &RelationDescriptor,
    oid: u32,
) -> Result<()> {
    let guard = Guard::hold(session, storage_of(table)).await?;
    let catalog = session.catalog()?;
    guard.require(catalog.relation(table.oid))?;
    let Some(index) = catalog.relation(oid) else { return Ok(()) };
    let mut second = RelationDescriptor::clone(index);
    second.oid = session.shared.engine.allocate_oid();
    second.name = free_name(&catalog, index);
    second.comment = None;
    if let RelationKind::Index(descriptor) = &mut second.kind {
        descriptor.storage = session.shared.engine.allocate_index_id().0;
    }
    attach(session, second.clone()).await?;
    guard.build(&second).await?;
    let mut change = begin_change(session)?;
    change.exchange_storage(oid, second.oid).await?;
    finish_change(session, change);
    session.commit().await?;
    remove(session, second.oid).await
}

/// `index_ccnew`, or with a number behind it.
fn free_name(catalog: &oxi_catalog::Catalog, index: &RelationDescriptor) -> String {
    let base = format!("{}_ccnew", index.name);
    let is_free = |name: &String| catalog.relation_by_name(index.schema, name).is_none();
    let numbered = (1..).map(|number: u32| format!("{base}{number}"));
    let found = std::iter::once(base.clone()).chain(numbered).find(is_free);
    found.unwrap_or(base)
}
