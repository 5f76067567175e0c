//! One client's session: [`Session::execute`] is the one door by which statements enter.

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use futures::FutureExt;
use oxi_base::{Error, Result, SqlState};
use oxi_catalog::Catalog;
use oxi_exec::{context::CancelFlag, dml::deferred::Due};
use oxi_model::engine::Isolation;
use oxi_types::EvalContext;
use parking_lot::Mutex;

use crate::{
    activity::{Activity, SleepState},
    advisory::Advisory,
    backup::SessionBackup,
    database::{ConnectOptions, Shared},
    dispatch,
    functions::{SequenceMemory, StatementFunctions},
    limits::Limits,
    outcome::{Execution, Notice, Outcome},
    prepared::Prepared,
    request::{Parsed, Request},
    settings::{Settings, SharedSettings},
    statement::{cursor::DeclaredCursor, query, set_constraints},
    transaction::{Modes, Transaction, TransactionStatus},
};

/// A client's session. Not shared between threads; a door drives it.
pub struct Session {
    pub(crate) shared: Arc<Shared>,
    pub(crate) backend_id: u32,
    secret: [u8; 4],
    pub(crate) options: ConnectOptions,
    pub(crate) settings: Arc<SharedSettings>,
    /// The settings in force when they were last looked at, and which version that was.
    seen: (Settings, u64),
    pub(crate) transaction: Option<Transaction>,
    pub(crate) prepared: BTreeMap<String, Arc<Prepared>>,
    pub(crate) cursors: BTreeMap<String, DeclaredCursor>,
    pub(crate) cancel: Arc<CancelFlag>,
    pub(crate) sequences: Arc<Mutex<SequenceMemory>>,
    /// How long `pg_sleep` of the running statement still has to sleep.
    sleep_us: Arc<AtomicU64>,
    limits: Limits,
    notices: Vec<Notice>,
    /// Warnings of functions.
    raised: Arc<Mutex<Vec<(SqlState, String)>>>,
    activity: Arc<Activity>,
    /// The next request's text as the client wrote it, if the request's own is a template.
    pub(crate) said: Option<Arc<str>>,
    /// Whether `activity` says that a statement runs.
    is_active: bool,
    pub(crate) advisory: Arc<Advisory>,
    backup: Arc<SessionBackup>,
    /// The settings the client was last told of.
    told: Settings,
    eval: Option<EvalCache>,
    /// The modes of new transactions, with the settings they were read from.
    modes: Option<(Settings, Modes)>,
}

/// An evaluation context that statements share: building one costs more than a point query.
struct EvalCache {
    context: Arc<EvalContext>,
    /// The settings it was built from.
    settings: Settings,
    /// The catalog its functions see; `None` once its transaction has ended or has changed the
    /// catalog, after which it serves only statements that call no functions of the session.
    catalog: Option<Arc<Catalog>>,
    /// The search path as the setting has it; the context's names only schemas that exist.
    search_path: Vec<String>,
}

impl Session {
    pub(crate) fn new(
        shared: Arc<Shared>,
        backend_id: u32,
        secret: [u8; 4],
        options: ConnectOptions,
        cancel: Arc<CancelFlag>,
        activity: Arc<Activity>,
    ) -> Result<Self> {
        let mut settings = Settings::of_server(&shared.options.server_settings);
        for (name, value) in &options.settings {
            settings.set(name, Some(value))?;
        }
        let shared_settings = Arc::new(SharedSettings::new(settings.clone()));
        activity.begin_session(Arc::clone(&shared_settings));
        let advisory = Arc::new(Advisory::new(Arc::clone(&shared.engine), backend_id));
        Ok(Session {
            shared,
            backend_id,
            secret,
            options,
            settings: shared_settings,
            seen: (settings.clone(), 0),
            transaction: None,
            prepared: BTreeMap::new(),
            cursors: BTreeMap::new(),
            cancel,
            sequences: Arc::default(),
            sleep_us: Arc::default(),
            limits: Limits::default(),
            notices: Vec::new(),
            raised: Arc::default(),
            activity,
            said: None,
            is_active: false,
            advisory,
            backup: Arc::default(),
            told: settings,
            eval: None,
            modes: None,
        })
    }

    /// The number by which monitoring and cancel requests name this session.
    pub fn backend_id(&self) -> u32 {
        self.backend_id
    }

    /// What a cancel request must know besides the number.
    pub fn secret(&self) -> [u8; 4] {
        self.secret
    }

    /// Whether a transaction block is open, and in what state.
    pub fn transaction_status(&self) -> TransactionStatus {
        match &self.transaction {
            Some(transaction) if transaction.failed => TransactionStatus::Failed,
            Some(transaction) if transaction.explicit => TransactionStatus::InTransaction,
            _ => TransactionStatus::Idle,
        }
    }

    /// Parses a string of statements, as the simple protocol sends it.
    pub fn split(&mut self, sql: &str) -> Result<Vec<Parsed>> {
        let parsed = Parsed::parse_all(sql);
        if parsed.is_err() {
            self.statement_failed();
        }
        parsed
    }

    /// Executes a statement: the one door. On an error the session has already dealt with the
    /// transaction. A statement that returns rows ends with its cursor.
    pub fn execute(&mut self, request: Request) -> Execution<'_> {
        self.look_at_settings();
        self.limits.start(&self.seen.0, &self.cancel);
        if let Err(error) = self.refuse_if_terminated() {
            return Execution::Ready(Err(error));
        }
        let at_once = catch_unwind(AssertUnwindSafe(|| query::read_committed(self, &request)));
        match at_once.unwrap_or_else(|panic| Err(describe_panic(&*panic))) {
            Ok(None) => {
                self.begin_activity(&request);
                Execution::Running(Box::pin(self.execute_waiting(request)))
            }
            Ok(Some(cursor)) => {
                self.note_activity(&request);
                Execution::Ready(Ok(Outcome::Rows(cursor)))
            }
            Err(error) => {
                self.statement_failed();
                Execution::Ready(Err(error))
            }
        }
    }

    /// `57P01` if others have asked the session to end.
    pub(crate) fn refuse_if_terminated(&mut self) -> Result<()> {
        if !self.cancel.is_terminated() {
            return Ok(());
        }
        self.statement_failed();
        self.cancel.check()
    }

    fn begin_activity(&mut self, request: &Request) {
        if let Some(text) = self.said.take().or_else(|| request.text()) {
            let now = self.shared.world.clock.now_unix_us();
            self.activity.begin_statement(text, now);
            self.is_active = true;
        }
    }

    /// What was ready at once is told to others only if it came from afar: telling costs as much
    /// as the statement.
    fn note_activity(&mut self, request: &Request) {
        let said = self.said.take();
        if !self.options.is_embedded()
            && let Some(text) = said.or_else(|| request.text())
        {
            self.activity.note_statement(text, self.shared.world.clock.now_unix_us());
        }
    }

    fn end_activity(&mut self) {
        if self.is_active {
            self.is_active = false;
            let now = self.shared.world.clock.now_unix_us();
            self.activity.end_statement(self.transaction_status(), now);
        }
    }

    /// By what others stop the session's statements, or the session.
    pub fn cancel_flag(&self) -> &Arc<CancelFlag> {
        &self.cancel
    }

    async fn execute_waiting(&mut self, request: Request) -> Result<Outcome> {
        let commits = request.commits();
        let run = AssertUnwindSafe(dispatch::dispatch(self, request)).catch_unwind();
        let outcome = run.await.unwrap_or_else(|panic| Err(describe_panic(&*panic)));
        match outcome {
            Ok(outcome @ (Outcome::Rows(_) | Outcome::CopyIn(_) | Outcome::CopyOut(_))) => {
                Ok(outcome)
            }
            Ok(outcome) => {
                self.statement_ended(commits).await?;
                Ok(outcome)
            }
            Err(error) => {
                self.statement_failed();
                Err(error)
            }
        }
    }

    /// Ends a pipeline or a string of statements: commits the implicit transaction, if one is
    /// open.
    pub async fn sync(&mut self) -> Result<()> {
        if self.transaction.as_ref().is_some_and(Transaction::owes_checks) {
            // Checks at the end of a pipeline are measured like a statement.
            self.look_at_settings();
            self.limits.start(&self.seen.0, &self.cancel);
        }
        self.statement_ended(true).await
    }

    /// A door failed between statements (a malformed message, a vanished client): the implicit
    /// transaction is rolled back, a block is doomed.
    pub fn fail(&mut self) {
        self.statement_failed();
    }

    /// How long the session may wait for its client now, if it is in a transaction block and
    /// `idle_in_transaction_session_timeout` is set; in microseconds.
    pub fn idle_limit_us(&mut self) -> Option<u64> {
        if self.transaction_status() == TransactionStatus::Idle {
            return None;
        }
        self.look_at_settings();
        Some(self.limits.idle_us(&self.seen.0)).filter(|limit| *limit > 0)
    }

    /// Messages since the last call.
    pub fn take_notices(&mut self) -> Vec<Notice> {
        let raised = std::mem::take(&mut *self.raised.lock());
        for (code, message) in raised {
            self.warning(code, message);
        }
        std::mem::take(&mut self.notices)
    }

    /// Settings the client must be told of since the last call.
    pub fn take_parameter_changes(&mut self) -> Vec<(String, String)> {
        let now = self.settings.lock().effective.clone();
        let changes = self.told.reported_changes(&now);
        self.told = now;
        changes
    }

    /// Settings the client is told of at the start.
    pub fn startup_parameters(&self) -> Vec<(String, String)> {
        let mut parameters = self.told.reported();
        for (name, value) in &mut parameters {
            if name == "session_authorization" {
                value.clone_from(&self.options.user);
            }
        }
        parameters
    }

    /// How values are written as text: the session's styles and time zone.
    pub fn output_context(&mut self) -> Result<&Arc<EvalContext>> {
        self.look_at_settings();
        if !self.eval.as_ref().is_some_and(|cache| cache.settings.is_same(&self.seen.0)) {
            self.eval = Some(self.output_only_context());
        }
        let cache = self.eval.as_ref().ok_or_else(|| Error::bug("a context that was just made"))?;
        Ok(&cache.context)
    }

    fn output_only_context(&self) -> EvalCache {
        let settings = self.seen.0.clone();
        let mut context = EvalContext::fixed(self.shared.world.clock.now_unix_us());
        context.search_path = settings.search_path(&self.options.user);
        apply_settings(&mut context, &settings);
        let context = Arc::new(context);
        let search_path = context.search_path.clone();
        EvalCache { context, settings, catalog: None, search_path }
    }

    /// Sees the settings as they are now.
    fn look_at_settings(&mut self) {
        let version = self.settings.version();
        if self.seen.1 != version {
            self.seen = (self.settings.lock().effective.clone(), version);
        }
    }

    pub(crate) fn notice(&mut self, code: SqlState, message: impl Into<String>) {
        self.push_notice("NOTICE", code, message.into());
    }

    pub(crate) fn warning(&mut self, code: SqlState, message: impl Into<String>) {
        self.push_notice("WARNING", code, message.into());
    }

    fn push_notice(&mut self, severity: &'static str, code: SqlState, message: String) {
        let least = self.settings.lock().effective.lookup("client_min_messages");
        let wanted = match least.as_deref() {
            Some("error") => false,
            Some("warning") => severity == "WARNING",
            _ => true,
        };
        if wanted {
            self.notices.push(Notice { severity, code, message, detail: None, hint: None });
        }
    }

    /// The running transaction; an implicit one is opened if there is none.
    pub(crate) fn ensure_transaction(&mut self) -> &mut Transaction {
        if self.transaction.is_none() {
            let modes = self.default_modes();
            self.open_transaction(modes, false);
        }
        self.transaction.as_mut().expect("just opened")
    }

    pub(crate) fn default_modes(&mut self) -> Modes {
        let settings = self.settings.lock().effective.clone();
        match &self.modes {
            Some((known, modes)) if known.is_same(&settings) => return *modes,
            _ => {}
        }
        let isolation = match settings.lookup("default_transaction_isolation").as_deref() {
            Some("repeatable read") => Isolation::RepeatableRead,
            Some("serializable") => Isolation::Serializable,
            _ => Isolation::ReadCommitted,
        };
        let read_only = settings.is_on("default_transaction_read_only");
        let deferrable = settings.is_on("default_transaction_deferrable");
        let modes = Modes { isolation, read_only, deferrable };
        self.modes = Some((settings, modes));
        modes
    }

    pub(crate) fn open_transaction(&mut self, modes: Modes, explicit: bool) {
        let now = self.shared.world.clock.now_unix_us();
        let txn = self.shared.engine.begin(modes.storage_isolation());
        txn.belong_to(self.backend_id);
        self.activity.begin_transaction(&txn, now);
        let transaction = Transaction::new(txn, modes, explicit, now, &self.settings.lock());
        self.transaction = Some(transaction);
        self.outdate_eval();
    }

    /// After a statement has succeeded: whether that is all, because no transaction is open.
    pub(crate) fn ended_without_transaction(&mut self) -> bool {
        let is_all = self.transaction.is_none();
        if is_all {
            self.limits.stop();
            self.end_activity();
        }
        is_all
    }

    /// After a statement has succeeded: an implicit transaction of its own commits.
    pub(crate) async fn statement_ended(&mut self, commits: bool) -> Result<()> {
        let implicit = self.transaction.as_ref().is_some_and(|txn| !txn.explicit);
        let ended = if commits && implicit { self.commit().await } else { Ok(()) };
        // Not before: checks that were put off until now are a part of the statement.
        self.limits.stop();
        self.end_activity();
        ended
    }

    /// After a statement has failed: an implicit transaction is rolled back, a block is doomed.
    pub(crate) fn statement_failed(&mut self) {
        self.limits.stop();
        match &mut self.transaction {
            Some(transaction) if transaction.explicit => {
                transaction.fail(&mut self.settings.lock());
                self.cursors.retain(|_, cursor| cursor.is_held());
            }
            Some(_) => self.rollback(),
            None => {}
        }
        // Also when it failed before it began.
        self.said = None;
        self.is_active = true;
        self.end_activity();
        self.outdate_eval();
    }

    /// Commits the running transaction and waits until that is durable and visible. If a deferred
    /// constraint is violated, the transaction is rolled back.
    pub(crate) async fn commit(&mut self) -> Result<()> {
        if let Err(violated) = set_constraints::settle(self, Due::All).await {
            self.rollback();
            return Err(violated);
        }
        let Some(transaction) = self.transaction.take() else { return Ok(()) };
        self.outdate_eval();
        self.cursors.retain(|_, cursor| cursor.is_held());
        let committed = match transaction.txn.commit() {
            Ok(durable) => durable.await,
            Err(error) => Err(error),
        };
        self.activity.end_transaction();
        let mut settings = self.settings.lock();
        match committed {
            Ok(()) => settings.effective = settings.lasting.clone(),
            Err(_) => transaction.restore_settings(&mut settings),
        }
        committed
    }

    /// The running transaction is the database's now, prepared for two-phase commit; what SET has
    /// set stays.
    pub(crate) fn end_prepared(&mut self) {
        self.transaction = None;
        self.activity.end_transaction();
        self.outdate_eval();
        self.cursors.retain(|_, cursor| cursor.is_held());
        let mut settings = self.settings.lock();
        settings.effective = settings.lasting.clone();
    }

    /// Rolls the running transaction back.
    pub(crate) fn rollback(&mut self) {
        if let Some(transaction) = self.transaction.take() {
            transaction.txn.rollback();
            self.activity.end_transaction();
            transaction.restore_settings(&mut self.settings.lock());
        }
        self.outdate_eval();
        self.cursors.retain(|_, cursor| cursor.is_held());
    }

    /// The catalog as the next statement sees it.
    pub(crate) fn catalog(&mut self) -> Result<Arc<Catalog>> {
        let version = self.shared.engine.catalog_version();
        let shared = Arc::clone(&self.shared);
        let transaction = self.ensure_transaction();
        if let Some(own) = &transaction.own_catalog
            && own.base_version == version
        {
            return Ok(Arc::clone(&own.catalog));
        }
        if transaction.own_catalog.is_none() {
            return shared.catalogs.latest(&*shared.engine);
        }
        // Others have committed definitions meanwhile: this transaction's come on top of them.
        let snapshot = transaction.txn.current_snapshot();
        let catalog = Arc::new(oxi_catalog::mutation::load(&*snapshot)?);
        transaction.own_catalog = Some(crate::transaction::OwnCatalog {
            catalog: Arc::clone(&catalog),
            base_version: version,
        });
        Ok(catalog)
    }

    /// Remembers the catalog as this transaction has changed it.
    pub(crate) fn set_catalog(&mut self, catalog: Catalog) {
        let base_version = self.shared.engine.catalog_version();
        let own = crate::transaction::OwnCatalog { catalog: Arc::new(catalog), base_version };
        self.ensure_transaction().own_catalog = Some(own);
        self.outdate_eval();
    }

    /// Whether this transaction has changed the catalog.
    pub(crate) fn has_own_catalog(&self) -> bool {
        self.transaction.as_ref().is_some_and(|transaction| transaction.own_catalog.is_some())
    }

    /// Whether names are looked up along this very path.
    pub(crate) fn has_search_path(&self, path: &[String]) -> bool {
        match &self.eval {
            Some(cache) if cache.settings.is_same(&self.settings.lock().effective) => {
                cache.search_path == path
            }
            _ => self.search_path() == path,
        }
    }

    /// ROLLBACK TO SAVEPOINT.
    pub(crate) fn rollback_to_savepoint(&mut self, name: &str) -> Result<()> {
        self.outdate_eval();
        let Some(transaction) = &mut self.transaction else {
            return Err(Error::bug("no transaction"));
        };
        transaction.rollback_to(name, &mut self.settings.lock())
    }

    pub(crate) fn search_path(&self) -> Vec<String> {
        self.settings.lock().effective.search_path(&self.options.user)
    }

    /// Sleeps as long as `pg_sleep` has asked for.
    pub(crate) async fn sleep_off(&mut self) -> Result<()> {
        if self.is_awake() {
            return Ok(());
        }
        match self.sleep_us.swap(0, Ordering::Relaxed) {
            0 => Ok(()),
            micros => {
                self.activity.sleeps(SleepState::Asleep);
                let slept = self.cancel.unless_cancelled(oxi_world::net::sleep(micros)).await;
                self.activity.sleeps(SleepState::Awake);
                slept
            }
        }
    }

    /// Whether no `pg_sleep` has to be slept off.
    pub(crate) fn is_awake(&self) -> bool {
        self.sleep_us.load(Ordering::Relaxed) == 0
    }

    /// What a query by key evaluates with, if it may read what is committed without opening a
    /// transaction, and its names are looked up along `path`. The settings are those that were
    /// looked at when the statement began.
    pub(crate) fn committed_reader(&self, path: &[String]) -> Option<&Arc<EvalContext>> {
        if self.transaction.is_some() {
            return None;
        }
        let settings = &self.seen.0;
        let (known, modes) = self.modes.as_ref()?;
        let cache = self.eval.as_ref()?;
        let is_current = known.is_same(settings)
            && cache.settings.is_same(settings)
            && modes.isolation == Isolation::ReadCommitted
            && cache.search_path == path;
        is_current.then_some(&cache.context)
    }

    fn outdate_eval(&mut self) {
        if let Some(cache) = &mut self.eval {
            cache.catalog = None;
        }
    }

    /// What functions of the next statement see.
    pub(crate) fn eval_context(&mut self, catalog: &Arc<Catalog>) -> Arc<EvalContext> {
        let settings = self.settings.lock().effective.clone();
        if let Some(EvalCache { context, settings: built_from, catalog: Some(seen), .. }) =
            &self.eval
            && Arc::ptr_eq(seen, catalog)
            && built_from.is_same(&settings)
        {
            return Arc::clone(context);
        }
        let search_path = settings.search_path(&self.options.user);
        let context = Arc::new(self.build_eval_context(catalog, &settings));
        let (cached, catalog) = (Arc::clone(&context), Some(Arc::clone(catalog)));
        self.eval = Some(EvalCache { context: cached, settings, catalog, search_path });
        context
    }

    /// As [`Session::eval_context`] for a statement that calls immutable functions only.
    pub(crate) fn immutable_eval_context(&mut self, catalog: &Arc<Catalog>) -> Arc<EvalContext> {
        let is_current =
            |cache: &EvalCache| cache.settings.is_same(&self.settings.lock().effective);
        match &self.eval {
            Some(cache) if is_current(cache) => Arc::clone(&cache.context),
            _ => self.eval_context(catalog),
        }
    }

    fn build_eval_context(&mut self, catalog: &Arc<Catalog>, settings: &Settings) -> EvalContext {
        let clock = Arc::clone(&self.shared.world.clock);
        let now = clock.now_unix_us();
        let transaction = self.ensure_transaction();
        let started = transaction.started_us;
        let txn = Arc::clone(&transaction.txn);
        let functions = StatementFunctions {
            shared: Arc::clone(&self.shared),
            txn,
            catalog: Arc::clone(catalog),
            settings: Arc::clone(&self.settings),
            sequences: Arc::clone(&self.sequences),
            cancel: Arc::clone(&self.cancel),
            sleep_us: Arc::clone(&self.sleep_us),
            backend_id: self.backend_id,
            raised: Arc::clone(&self.raised),
            advisory: Arc::clone(&self.advisory),
            backup: Arc::clone(&self.backup),
            user: self.options.user.clone(),
        };
        let mut context =
            EvalContext::new(now, Arc::new(move || clock.now_unix_us()), Arc::new(functions));
        context.transaction_us = started;
        context.user.clone_from(&self.options.user);
        context.database.clone_from(&self.options.database);
        context.search_path = settings.search_path(&self.options.user);
        context.search_path.retain(|schema| catalog.schema_by_name(schema).is_some());
        apply_settings(&mut context, settings);
        context
    }
}

/// The settings that shape input and output of values.
fn apply_settings(context: &mut EvalContext, settings: &Settings) {
    let get = |name: &str| settings.lookup(name).unwrap_or_default();
    context.timezone =
        oxi_types::TimeZone::parse(&get("TimeZone")).unwrap_or(context.timezone.clone());
    context.date_style = context.date_style.parse(&get("DateStyle")).unwrap_or_default();
    context.interval_style =
        oxi_types::context::IntervalStyle::parse(&get("IntervalStyle")).unwrap_or_default();
    context.extra_float_digits = settings.integer("extra_float_digits") as i32;
    context.bytea_output = match get("bytea_output").as_str() {
        "escape" => oxi_types::context::ByteaOutput::Escape,
        _ => oxi_types::context::ByteaOutput::Hex,
    };
}

fn describe_panic(panic: &(dyn std::any::Any + Send)) -> Error {
    let text = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned());
    tracing::error!(panic = %text, "a statement panicked");
    Error::bug(format!("the statement panicked: {text}"))
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(transaction) = self.transaction.take() {
            transaction.txn.rollback();
        }
        self.advisory.give_all_back();
        self.backup.stop();
        self.shared.sessions.lock().remove(&self.backend_id);
    }
}
