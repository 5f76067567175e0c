//! What all sessions of one database share.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
};

use oxi_base::{Error, Result, SqlState};
use oxi_catalog::CatalogCache;
use oxi_exec::{
    context::{CancelFlag, CancelReason},
    dml::rules::{BoundRules, RuleSource},
    executor::{Executor, ExecutorOptions},
};
use oxi_model::engine::Engine;
use oxi_world::World;
use parking_lot::Mutex;

use crate::{
    activity::Activity, cache::StatementCache, prepared::Prepared, recall::Recalled,
    session::Session,
};

/// How connecting clients prove who they are.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Authentication {
    /// Everybody is believed; for loopback addresses only.
    #[default]
    Trust,
    /// SCRAM-SHA-256 with these users' passwords.
    Scram(BTreeMap<String, String>),
}

/// What a database is told at its start.
#[derive(Clone, Debug)]
pub struct DatabaseOptions {
    /// Its name, as `current_database()` gives it.
    pub name: String,
    /// The most sessions at once.
    pub connections_max: usize,
    /// How clients prove who they are.
    pub authentication: Authentication,
    /// COPY may read and write files of the server.
    pub server_files: bool,
    /// What settings that cannot be changed show, where it is not their default.
    pub server_settings: Arc<BTreeMap<&'static str, String>>,
}

impl Default for DatabaseOptions {
    fn default() -> Self {
        DatabaseOptions {
            name: "oxibase".to_owned(),
            connections_max: 1000,
            authentication: Authentication::Trust,
            server_files: false,
            server_settings: Arc::default(),
        }
    }
}

/// What a session is told at its start.
#[derive(Clone, Debug)]
pub struct ConnectOptions {
    /// Who connects.
    pub user: String,
    /// The name by which the client calls the database.
    pub database: String,
    /// Where the client is, for monitoring.
    pub client: String,
    /// Settings from the start-up message.
    pub settings: Vec<(String, String)>,
}

impl Default for ConnectOptions {
    fn default() -> Self {
        ConnectOptions {
            user: "oxibase".to_owned(),
            database: "oxibase".to_owned(),
            client: "embedded".to_owned(),
            settings: Vec::new(),
        }
    }
}

/// One database: hands out sessions. Cheap to clone.
#[derive(Clone)]
pub struct Database {
    shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) world: World,
    pub(crate) executor: Executor,
    pub(crate) catalogs: CatalogCache,
    pub(crate) statements: StatementCache<Arc<Prepared>>,
    /// Texts with parameters for their constants.
    pub(crate) templates: StatementCache<Recalled>,
    pub(crate) rules: Arc<dyn RuleSource>,
    pub(crate) sessions: Mutex<BTreeMap<u32, SessionEntry>>,
    pub(crate) options: DatabaseOptions,
    pub(crate) started_us: i64,
    next_backend_id: AtomicU32,
    is_shutting_down: AtomicBool,
}

/// What monitoring and cancelling know of a session.
pub(crate) struct SessionEntry {
    pub(crate) secret: [u8; 4],
    pub(crate) cancel: Arc<CancelFlag>,
    pub(crate) user: String,
    pub(crate) client: String,
    pub(crate) started_us: i64,
    pub(crate) activity: Arc<Activity>,
}

impl ConnectOptions {
    /// Whether the client is in this process.
    pub(crate) fn is_embedded(&self) -> bool {
        self.client == "embedded"
    }
}

/// Names a session in a cancel request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CancelTarget {
    /// The session.
    pub backend_id: u32,
    /// Its secret.
    pub secret: [u8; 4],
}

impl Database {
    /// A database over an engine; creates the system tables in a new one.
    pub async fn open(
        engine: Arc<dyn Engine>,
        world: World,
        options: DatabaseOptions,
    ) -> Result<Self> {
        let txn = engine.begin(oxi_model::engine::Isolation::ReadCommitted);
        if oxi_catalog::mutation::is_bootstrapped(&*txn.begin_statement())? {
            txn.rollback();
        } else {
            oxi_catalog::mutation::bootstrap(&txn).await?;
            txn.commit()?.await?;
        }
        let shared = Shared {
            executor: Executor::new(ExecutorOptions {
                target_partitions: world.tasks.parallelism(),
                ..ExecutorOptions::default()
            })?,
            catalogs: CatalogCache::default(),
            statements: StatementCache::default(),
            templates: StatementCache::default(),
            rules: Arc::new(BoundRules),
            sessions: Mutex::default(),
            started_us: world.clock.now_unix_us(),
            next_backend_id: AtomicU32::new(1),
            is_shutting_down: AtomicBool::new(false),
            engine,
            world,
            options,
        };
        let shared = Arc::new(shared);
        let weak = Arc::downgrade(&shared);
        shared.engine.name_tables(Box::new(move |table| {
            let shared = weak.upgrade()?;
            let catalog = shared.catalogs.latest(&*shared.engine).ok()?;
            let named = catalog
                .relations()
                .find(|relation| relation.as_table().is_some_and(|found| found.storage() == table));
            named.map(|relation| relation.oid)
        }));
        Ok(Database { shared })
    }

    /// Begins a session.
    ///
    /// # Errors
    /// `53300` too many connections, `57P03` shutting down, `3D000` another database's name,
    /// `22023`/`42704` a start-up setting.
    pub fn connect(&self, options: ConnectOptions) -> Result<Session> {
        let shared = &self.shared;
        if shared.is_shutting_down.load(Ordering::Acquire) {
            return Err(Error::new(
                SqlState::CANNOT_CONNECT_NOW,
                "the database system is shutting down",
            ));
        }
        let backend_id = shared.next_backend_id.fetch_add(1, Ordering::Relaxed);
        let mut secret = [0; 4];
        shared.world.rng.fill(&mut secret);
        let cancel = Arc::new(CancelFlag::with_timer(crate::limits::sleep));
        let activity = Arc::new(Activity::default());
        {
            let mut sessions = shared.sessions.lock();
            if sessions.len() >= shared.options.connections_max {
                return Err(Error::new(
                    SqlState::TOO_MANY_CONNECTIONS,
                    "sorry, too many clients already",
                ));
            }
            sessions.insert(
                backend_id,
                SessionEntry {
                    secret,
                    cancel: Arc::clone(&cancel),
                    user: options.user.clone(),
                    client: options.client.clone(),
                    started_us: shared.world.clock.now_unix_us(),
                    activity: Arc::clone(&activity),
                },
            );
        }
        let session =
            Session::new(Arc::clone(shared), backend_id, secret, options, cancel, activity);
        if session.is_err() {
            shared.sessions.lock().remove(&backend_id);
        }
        session
    }

    /// How clients prove who they are.
    pub fn authentication(&self) -> &Authentication {
        &self.shared.options.authentication
    }

    /// The database's name.
    pub fn name(&self) -> &str {
        &self.shared.options.name
    }

    /// Asks the session's running statement to stop; false if the secret is wrong.
    pub fn cancel(&self, target: CancelTarget) -> bool {
        let sessions = self.shared.sessions.lock();
        let entry = sessions.get(&target.backend_id).filter(|e| e.secret == target.secret);
        if let Some(entry) = entry {
            entry.cancel.cancel(CancelReason::User);
        }
        entry.is_some()
    }

    /// Refuses new sessions and asks the running statements to stop.
    pub fn begin_shutdown(&self) {
        self.shared.is_shutting_down.store(true, Ordering::Release);
        for entry in self.shared.sessions.lock().values() {
            entry.cancel.cancel(CancelReason::Shutdown);
        }
    }

    /// How many sessions there are.
    pub fn session_count(&self) -> usize {
        self.shared.sessions.lock().len()
    }

    /// The storage below.
    pub fn engine(&self) -> &Arc<dyn Engine> {
        &self.shared.engine
    }
}
