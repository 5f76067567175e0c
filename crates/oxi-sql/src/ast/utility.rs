//! Statements that neither read tables nor define objects.

use oxi_model::engine::TableLock;

use super::{
    Expr, FunctionCall, Ident, NamedOption, ObjectKind, ObjectName, Query, Span, Statement,
    TypeName,
};

/// A transaction statement.
#[derive(Clone, PartialEq, Debug)]
pub enum Transaction {
    /// `BEGIN`, `START TRANSACTION`.
    Begin {
        /// `START TRANSACTION` was written.
        start: bool,
        /// The modes.
        modes: TransactionModes,
    },
    /// `COMMIT`, `END`.
    Commit {
        /// `AND CHAIN`.
        chain: bool,
    },
    /// `ROLLBACK`, `ABORT`.
    Rollback {
        /// `AND CHAIN`.
        chain: bool,
    },
    /// `SAVEPOINT`.
    Savepoint(Ident),
    /// `RELEASE`.
    Release(Ident),
    /// `ROLLBACK TO`.
    RollbackTo(Ident),
    /// `PREPARE TRANSACTION`.
    Prepare(String),
    /// `COMMIT PREPARED`.
    CommitPrepared(String),
    /// `ROLLBACK PREPARED`.
    RollbackPrepared(String),
}

/// The modes of a transaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Default)]
pub struct TransactionModes {
    /// `ISOLATION LEVEL`.
    pub isolation: Option<IsolationLevel>,
    /// `READ ONLY` is true.
    pub read_only: Option<bool>,
    /// `DEFERRABLE` is true.
    pub deferrable: Option<bool>,
}

/// The isolation levels.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum IsolationLevel {
    /// `READ UNCOMMITTED`.
    ReadUncommitted,
    /// `READ COMMITTED`.
    ReadCommitted,
    /// `REPEATABLE READ`.
    RepeatableRead,
    /// `SERIALIZABLE`.
    Serializable,
}

impl IsolationLevel {
    /// The level as the setting shows it.
    pub fn name(self) -> &'static str {
        match self {
            Self::ReadUncommitted => "read uncommitted",
            Self::ReadCommitted => "read committed",
            Self::RepeatableRead => "repeatable read",
            Self::Serializable => "serializable",
        }
    }
}

/// How long a setting lasts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum SetScope {
    /// `SESSION`, the default.
    Session,
    /// `LOCAL`.
    Local,
}

/// `SET` and `RESET`.
#[derive(Clone, PartialEq, Debug)]
pub enum Set {
    /// `SET name = values`; `SET TIME ZONE`, `SET NAMES`, `SET SCHEMA`, `SET ROLE` and
    /// `SET SESSION AUTHORIZATION` are the settings `timezone`, `client_encoding`, `search_path`, `role`,
    /// `session_authorization`.
    Variable {
        /// How long.
        scope: SetScope,
        /// The setting, in lower case, perhaps dotted.
        name: String,
        /// Where the name stands.
        name_span: Span,
        /// At least one; none is `DEFAULT`.
        values: Option<Vec<SetValue>>,
    },
    /// `SET … FROM CURRENT` is not among statements; `RESET name`.
    Reset(String),
    /// `RESET ALL`.
    ResetAll,
    /// `SET TRANSACTION`.
    Transaction(TransactionModes),
    /// `SET TRANSACTION SNAPSHOT`.
    Snapshot(String),
    /// `SET SESSION CHARACTERISTICS AS TRANSACTION`.
    SessionCharacteristics(TransactionModes),
}

/// A value of SET.
#[derive(Clone, PartialEq, Debug)]
pub enum SetValue {
    /// A bare word or quoted identifier, `true`, `on`, ….
    Word(String),
    /// A string.
    String(String),
    /// A number as written, with its sign.
    Number(String),
    /// `INTERVAL '…' fields`, for TIME ZONE.
    Interval(Box<Expr>),
}

impl SetValue {
    /// The text of a word, string or number.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Word(text) | Self::String(text) | Self::Number(text) => Some(text),
            Self::Interval(_) => None,
        }
    }
}

/// `SHOW`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Show {
    /// `SHOW name`; `SHOW TIME ZONE` is `timezone`, `SHOW TRANSACTION ISOLATION LEVEL` is
    /// `transaction_isolation`, `SHOW SESSION AUTHORIZATION` is `session_authorization`.
    Variable(String),
    /// `SHOW ALL`.
    All,
}

/// `SET CONSTRAINTS`.
#[derive(Clone, PartialEq, Debug)]
pub struct SetConstraints {
    /// The constraints; none is `ALL`.
    pub names: Option<Vec<ObjectName>>,
    /// `DEFERRED`, not `IMMEDIATE`.
    pub deferred: bool,
}

/// `DISCARD`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Discard {
    /// `ALL`.
    All,
    /// `PLANS`.
    Plans,
    /// `SEQUENCES`.
    Sequences,
    /// `TEMP`.
    Temp,
}

/// `PREPARE`.
#[derive(Clone, PartialEq, Debug)]
pub struct Prepare {
    /// Its name.
    pub name: Ident,
    /// The parameters' types.
    pub types: Vec<TypeName>,
    /// The statement.
    pub statement: Statement,
}

/// `EXECUTE`.
#[derive(Clone, PartialEq, Debug)]
pub struct Execute {
    /// The prepared statement.
    pub name: Ident,
    /// The parameters' values.
    pub args: Vec<Expr>,
}

/// `DEALLOCATE`.
#[derive(Clone, PartialEq, Debug)]
pub struct Deallocate {
    /// The prepared statement; none is `ALL`.
    pub name: Option<Ident>,
}

/// `EXPLAIN`.
#[derive(Clone, PartialEq, Debug)]
pub struct Explain {
    /// The options: `analyze`, `verbose`, `costs`, `format`, …. `EXPLAIN ANALYZE VERBOSE` gives two.
    pub options: Vec<NamedOption>,
    /// The statement.
    pub statement: Statement,
}

/// `DECLARE … CURSOR`.
#[derive(Clone, PartialEq, Debug)]
pub struct DeclareCursor {
    /// Its name.
    pub name: Ident,
    /// `BINARY`.
    pub binary: bool,
    /// `SCROLL` is true, `NO SCROLL` false.
    pub scroll: Option<bool>,
    /// `INSENSITIVE` is true, `ASENSITIVE` false.
    pub insensitive: Option<bool>,
    /// `WITH HOLD`.
    pub hold: bool,
    /// Its query.
    pub query: Box<Query>,
}

/// `FETCH` and `MOVE`.
#[derive(Clone, PartialEq, Debug)]
pub struct Fetch {
    /// It is `MOVE`.
    pub moves: bool,
    /// Which rows.
    pub direction: FetchDirection,
    /// The cursor.
    pub cursor: Ident,
}

/// Which rows a cursor gives.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum FetchDirection {
    /// `FORWARD n`; `NEXT` and nothing are `Forward(1)`.
    Forward(i64),
    /// `ALL`, `FORWARD ALL`.
    ForwardAll,
    /// `BACKWARD n`; `PRIOR` is `Backward(1)`.
    Backward(i64),
    /// `BACKWARD ALL`.
    BackwardAll,
    /// `ABSOLUTE n`; `FIRST` is `Absolute(1)`, `LAST` is `Absolute(-1)`.
    Absolute(i64),
    /// `RELATIVE n`.
    Relative(i64),
}

/// `CLOSE`.
#[derive(Clone, PartialEq, Debug)]
pub struct CloseCursor {
    /// The cursor; none is `ALL`.
    pub name: Option<Ident>,
}

/// `VACUUM` and `ANALYZE`.
#[derive(Clone, PartialEq, Debug)]
pub struct Vacuum {
    /// It is `VACUUM`.
    pub vacuum: bool,
    /// The options, in the new syntax's names.
    pub options: Vec<NamedOption>,
    /// The tables and their columns; none means all.
    pub tables: Vec<(ObjectName, Vec<Ident>)>,
}

/// `REINDEX`.
#[derive(Clone, PartialEq, Debug)]
pub struct Reindex {
    /// The options.
    pub options: Vec<NamedOption>,
    /// What kind: `Index`, `Table`, `Schema`, `Database`, or `Other` for SYSTEM.
    pub kind: ObjectKind,
    /// `CONCURRENTLY`.
    pub concurrently: bool,
    /// The object.
    pub name: Option<ObjectName>,
}

/// `CLUSTER`.
#[derive(Clone, PartialEq, Debug)]
pub struct Cluster {
    /// The options.
    pub options: Vec<NamedOption>,
    /// The table.
    pub table: Option<ObjectName>,
    /// `USING`.
    pub index: Option<Ident>,
}

/// `LOCK TABLE`.
#[derive(Clone, PartialEq, Debug)]
pub struct LockTable {
    /// The tables; `true` is `ONLY`.
    pub tables: Vec<(ObjectName, bool)>,
    /// The mode.
    pub mode: TableLock,
    /// `NOWAIT`.
    pub no_wait: bool,
}

/// `CALL`.
#[derive(Clone, PartialEq, Debug)]
pub struct Call {
    /// The call.
    pub call: FunctionCall,
}

/// `DO`.
#[derive(Clone, PartialEq, Debug)]
pub struct Do {
    /// `LANGUAGE`.
    pub language: Option<Ident>,
    /// The code.
    pub code: String,
}

/// `GRANT` and `REVOKE`, as far as needed to accept or refuse them.
#[derive(Clone, PartialEq, Debug)]
pub struct Grant {
    /// It is `GRANT`.
    pub grant: bool,
    /// It grants roles, not privileges.
    pub roles: bool,
    /// The privileges (lower case, `all`) or roles, each with its columns.
    pub privileges: Vec<(String, Vec<Ident>)>,
    /// The kind of the objects.
    pub kind: ObjectKind,
    /// The objects; empty for roles.
    pub objects: Vec<ObjectName>,
    /// `ALL … IN SCHEMA`: the objects are schemas.
    pub all_in_schema: bool,
    /// The grantees; `public` as a word.
    pub grantees: Vec<Ident>,
    /// `WITH GRANT OPTION`, `WITH ADMIN OPTION`, or `… OPTION FOR`.
    pub option: bool,
    /// `CASCADE`.
    pub cascade: bool,
    /// Where it stands.
    pub span: Span,
}

/// `NOTIFY`.
#[derive(Clone, PartialEq, Debug)]
pub struct Notify {
    /// The channel.
    pub channel: Ident,
    /// The payload.
    pub payload: Option<String>,
}
