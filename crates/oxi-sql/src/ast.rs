//! The syntax tree: one file per family of statements, every node with its byte span.
//!
//! Names are already folded to lower case or unquoted, constants are decoded, and the special
//! call syntaxes of SQL (`EXTRACT`, `TRIM`, …) are ordinary calls; see [`expr::CallSyntax`].

pub mod alter;
pub mod ddl;
pub mod dml;
pub mod expr;
pub mod name;
pub mod past;
pub mod select;
pub mod types;
pub mod utility;

pub use alter::*;
pub use ddl::*;
pub use dml::*;
pub use expr::*;
pub use name::*;
pub use past::*;
pub use select::*;
pub use types::*;
pub use utility::*;

/// A range of bytes of the text that was parsed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
pub struct Span {
    /// The offset of the first byte.
    pub start: u32,
    /// The offset after the last byte.
    pub end: u32,
}

impl Span {
    /// The span from `start` to `end`.
    pub fn new(start: usize, end: usize) -> Self {
        Span { start: start as u32, end: end as u32 }
    }

    /// The position for [`oxi_base::Error::at`].
    pub fn position(self) -> usize {
        self.start as usize
    }

    /// The span from the start of `self` to the end of `other`.
    pub fn to(self, other: Span) -> Span {
        Span { start: self.start, end: other.end.max(self.end) }
    }
}

/// One statement and where it stands in the text.
#[derive(Clone, PartialEq, Debug)]
pub struct Statement {
    /// What the statement is.
    pub kind: StatementKind,
    /// From its first token to its last, without the semicolon.
    pub span: Span,
}

/// The statements.
#[derive(Clone, PartialEq, Debug)]
pub enum StatementKind {
    /// `SELECT`, `VALUES`, `TABLE`, `WITH … SELECT`.
    Query(Box<Query>),
    /// `INSERT`.
    Insert(Box<Insert>),
    /// `UPDATE`.
    Update(Box<Update>),
    /// `DELETE`.
    Delete(Box<Delete>),
    /// `MERGE`.
    Merge(Box<Merge>),
    /// `TRUNCATE`.
    Truncate(Truncate),
    /// `COPY`.
    Copy(Box<Copy>),

    /// `CREATE TABLE`.
    CreateTable(Box<CreateTable>),
    /// `CREATE TABLE … AS`, `SELECT … INTO` and `CREATE MATERIALIZED VIEW`.
    CreateTableAs(Box<CreateTableAs>),
    /// `ALTER TABLE`, and the same actions on other relations.
    AlterTable(Box<AlterTable>),
    /// `ALTER … RENAME`.
    Rename(Rename),
    /// `ALTER … SET SCHEMA`.
    SetObjectSchema(SetObjectSchema),
    /// `ALTER … OWNER TO`.
    OwnerTo(OwnerTo),
    /// `CREATE INDEX`.
    CreateIndex(Box<CreateIndex>),
    /// `CREATE VIEW`.
    CreateView(Box<CreateView>),
    /// `REFRESH MATERIALIZED VIEW`.
    RefreshMaterializedView(RefreshMaterializedView),
    /// `CREATE SCHEMA`.
    CreateSchema(CreateSchema),
    /// `CREATE SEQUENCE`.
    CreateSequence(CreateSequence),
    /// `ALTER SEQUENCE` with sequence options.
    AlterSequence(AlterSequence),
    /// `CREATE TYPE`.
    CreateType(CreateType),
    /// `CREATE DOMAIN`.
    CreateDomain(Box<CreateDomain>),
    /// `CREATE EXTENSION`.
    CreateExtension(CreateExtension),
    /// `CREATE DATABASE`.
    CreateDatabase(CreateDatabase),
    /// `CREATE ROLE`, `CREATE USER`, `CREATE GROUP`.
    CreateRole(CreateRole),
    /// `ALTER ROLE`.
    AlterRole(AlterRole),
    /// `DROP TABLE`, `DROP VIEW`, ….
    Drop(Drop),
    /// `FLASHBACK TABLE … TO TIMESTAMP` or `TRANSACTION`.
    Flashback(Box<Flashback>),
    /// `UNDROP TABLE`, `FLASHBACK TABLE … TO BEFORE DROP`.
    Undrop(Undrop),
    /// `COMMENT ON`.
    Comment(Comment),

    /// `BEGIN`, `COMMIT`, `SAVEPOINT`, ….
    Transaction(Transaction),
    /// `SET`, `RESET`.
    Set(Set),
    /// `SHOW`.
    Show(Show),
    /// `SET CONSTRAINTS`.
    SetConstraints(SetConstraints),
    /// `DISCARD`.
    Discard(Discard),
    /// `PREPARE`.
    Prepare(Box<Prepare>),
    /// `EXECUTE`.
    Execute(Execute),
    /// `DEALLOCATE`.
    Deallocate(Deallocate),
    /// `EXPLAIN`.
    Explain(Box<Explain>),
    /// `DECLARE … CURSOR`.
    DeclareCursor(Box<DeclareCursor>),
    /// `FETCH` and `MOVE`.
    Fetch(Fetch),
    /// `CLOSE`.
    CloseCursor(CloseCursor),
    /// `CHECKPOINT`.
    Checkpoint,
    /// `VACUUM` and `ANALYZE`.
    Vacuum(Vacuum),
    /// `REINDEX`.
    Reindex(Reindex),
    /// `CLUSTER`.
    Cluster(Cluster),
    /// `LOCK TABLE`.
    LockTable(LockTable),
    /// `CALL`.
    Call(Box<Call>),
    /// `DO`.
    Do(Do),
    /// `GRANT` and `REVOKE`.
    Grant(Grant),
    /// `LISTEN`.
    Listen(Ident),
    /// `UNLISTEN`; `None` is `*`.
    Unlisten(Option<Ident>),
    /// `NOTIFY`.
    Notify(Notify),
}
