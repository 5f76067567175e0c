//! Advisory locks.

use oxi_model::lock::{AdvisoryKey, TableLock};

use crate::{
    builtin::args::scalar,
    context::{AdvisoryLock, AdvisoryScope},
};

const SESSION: AdvisoryScope = AdvisoryScope::Session;
const TRANSACTION: AdvisoryScope = AdvisoryScope::Transaction;

fn exclusive(scope: AdvisoryScope, key: AdvisoryKey) -> AdvisoryLock {
    AdvisoryLock { key, lock: TableLock::Exclusive, scope }
}

fn shared(scope: AdvisoryScope, key: AdvisoryKey) -> AdvisoryLock {
    AdvisoryLock { key, lock: TableLock::Share, scope }
}

fn one(key: i64) -> AdvisoryKey {
    AdvisoryKey::One(key)
}

fn two(first: i32, second: i32) -> AdvisoryKey {
    AdvisoryKey::Two(first, second)
}

scalar! {
    fn pg_advisory_lock_int8[context](key: i64) -> &'static str {
        context.session.advisory_lock(exclusive(SESSION, one(key)))?;
        ""
    }
    fn pg_advisory_lock_shared_int8[context](key: i64) -> &'static str {
        context.session.advisory_lock(shared(SESSION, one(key)))?;
        ""
    }
    fn pg_advisory_xact_lock_int8[context](key: i64) -> &'static str {
        context.session.advisory_lock(exclusive(TRANSACTION, one(key)))?;
        ""
    }
    fn pg_advisory_xact_lock_shared_int8[context](key: i64) -> &'static str {
        context.session.advisory_lock(shared(TRANSACTION, one(key)))?;
        ""
    }
    fn pg_advisory_lock_int4[context](first: i32, second: i32) -> &'static str {
        context.session.advisory_lock(exclusive(SESSION, two(first, second)))?;
        ""
    }
    fn pg_advisory_lock_shared_int4[context](first: i32, second: i32) -> &'static str {
        context.session.advisory_lock(shared(SESSION, two(first, second)))?;
        ""
    }
    fn pg_advisory_xact_lock_int4[context](first: i32, second: i32) -> &'static str {
        context.session.advisory_lock(exclusive(TRANSACTION, two(first, second)))?;
        ""
    }
    fn pg_advisory_xact_lock_shared_int4[context](first: i32, second: i32) -> &'static str {
        context.session.advisory_lock(shared(TRANSACTION, two(first, second)))?;
        ""
    }
    fn pg_try_advisory_lock_int8[context](key: i64) -> bool {
        context.session.try_advisory_lock(exclusive(SESSION, one(key)))?
    }
    fn pg_try_advisory_lock_shared_int8[context](key: i64) -> bool {
        context.session.try_advisory_lock(shared(SESSION, one(key)))?
    }
    fn pg_try_advisory_xact_lock_int8[context](key: i64) -> bool {
        context.session.try_advisory_lock(exclusive(TRANSACTION, one(key)))?
    }
    fn pg_try_advisory_xact_lock_shared_int8[context](key: i64) -> bool {
        context.session.try_advisory_lock(shared(TRANSACTION, one(key)))?
    }
    fn pg_try_advisory_lock_int4[context](first: i32, second: i32) -> bool {
        context.session.try_advisory_lock(exclusive(SESSION, two(first, second)))?
    }
    fn pg_try_advisory_lock_shared_int4[context](first: i32, second: i32) -> bool {
        context.session.try_advisory_lock(shared(SESSION, two(first, second)))?
    }
    fn pg_try_advisory_xact_lock_int4[context](first: i32, second: i32) -> bool {
        context.session.try_advisory_lock(exclusive(TRANSACTION, two(first, second)))?
    }
    fn pg_try_advisory_xact_lock_shared_int4[context](first: i32, second: i32) -> bool {
        context.session.try_advisory_lock(shared(TRANSACTION, two(first, second)))?
    }
    fn pg_advisory_unlock_int8[context](key: i64) -> bool {
        context.session.advisory_unlock(exclusive(SESSION, one(key)))?
    }
    fn pg_advisory_unlock_shared_int8[context](key: i64) -> bool {
        context.session.advisory_unlock(shared(SESSION, one(key)))?
    }
    fn pg_advisory_unlock_int4[context](first: i32, second: i32) -> bool {
        context.session.advisory_unlock(exclusive(SESSION, two(first, second)))?
    }
    fn pg_advisory_unlock_shared_int4[context](first: i32, second: i32) -> bool {
        context.session.advisory_unlock(shared(SESSION, two(first, second)))?
    }
    fn pg_advisory_unlock_all[context]() -> &'static str {
        context.session.advisory_unlock_all()?;
        ""
    }
}
