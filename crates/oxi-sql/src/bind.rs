//! Binding: from the syntax tree to logical plans whose every name, type and conversion is
//! decided by PostgreSQL's rules.
//!
//! The steps: `scope` (which names mean what), `expr` (expressions and their types), `coerce` and
//! `candidate` (type conversion), `select` and its kin (queries), `modify` (INSERT, UPDATE, DELETE).

pub(crate) mod aggregate;
pub(crate) mod array;
pub(crate) mod call;
pub(crate) mod candidate;
pub(crate) mod cast;
pub(crate) mod coerce;
pub(crate) mod compare;
pub(crate) mod cte;
pub(crate) mod distinct;
pub(crate) mod expr;
pub(crate) mod from;
pub(crate) mod grouping;
pub(crate) mod implied;
pub(crate) mod join;
pub(crate) mod locking;
pub(crate) mod modify;
pub(crate) mod named;
pub(crate) mod naming;
pub(crate) mod operator;
pub(crate) mod order;
pub(crate) mod past;
pub(crate) mod query;
pub(crate) mod record;
pub(crate) mod row_value;
pub(crate) mod scope;
pub(crate) mod select;
pub(crate) mod set_operation;
pub(crate) mod standalone;
pub(crate) mod subquery;
pub(crate) mod table_function;
pub(crate) mod typed;
pub mod types;
pub(crate) mod window;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use datafusion::logical_expr::{LogicalPlan, TableSource};
use oxi_base::{Error, Result, SqlState};
use oxi_catalog::{Catalog, SystemRelation};
use oxi_model::descriptor::{RelationDescriptor, TypeRef};
use oxi_types::{EvalContext, builtin::Volatility, oid};
use rustc_hash::FxHashSet;

use crate::{
    ast::{self, Statement, StatementKind},
    bind::{cte::CteEntry, locking::LockCandidate, modify::Changed, scope::Scope},
};

pub use past::Moments;
pub use standalone::{BoundRowExpr, RowRules};
pub use types::resolve_type;

/// Where plans get their tables from: implemented by the executor, so that table providers live
/// there.
pub trait Relations {
    /// The rows of a table: its columns under their names in layout order, and at the end
    /// `__row_id` (UInt64) if asked for.
    fn table(
        &self,
        relation: &Arc<RelationDescriptor>,
        with_row_id: bool,
    ) -> Result<Arc<dyn TableSource>>;

    /// The rows of a table as of one of the statement's moments ([`Moments`]), by its number.
    fn table_as_of(
        &self,
        relation: &Arc<RelationDescriptor>,
        moment: usize,
    ) -> Result<Arc<dyn TableSource>> {
        let _ = moment;
        Err(Error::unsupported(format!("reading table \"{}\" AS OF", relation.name)))
    }

    /// The rows of a computed system relation.
    fn system(&self, relation: &'static SystemRelation) -> Result<Arc<dyn TableSource>>;
}

/// What binding depends on.
pub struct BindContext<'a> {
    /// The catalog as of the statement.
    pub catalog: Arc<Catalog>,
    /// Where unqualified names are looked up.
    pub search_path: Vec<String>,
    /// The tables.
    pub relations: &'a dyn Relations,
    /// For literals whose meaning depends on the session.
    pub eval: &'a EvalContext,
    /// Types the client declared for parameters; binding infers the others.
    pub param_types: Vec<Option<u32>>,
}

/// A bound statement.
#[derive(Clone, Debug)]
pub enum Bound {
    /// A query.
    Query(BoundQuery),
    /// INSERT, UPDATE, DELETE: the fields are those of RETURNING.
    Modify(BoundQuery),
    /// Everything else is the session's business.
    Utility(Box<Statement>),
}

/// A plan and what the session must know of it.
#[derive(Clone, Debug)]
pub struct BoundQuery {
    /// The plan; parameters are placeholders in it.
    pub plan: LogicalPlan,
    /// The columns of the result. Empty for a change without RETURNING, whose plan yields one row
    /// with the number of affected rows.
    pub fields: Vec<OutputField>,
    /// The types of `$1`, `$2`, ….
    pub parameters: Vec<u32>,
    /// Relations read or written, by oid, for locks and for dropping cached plans.
    pub relations: Vec<u32>,
    /// The relation written, if any.
    pub writes: Option<u32>,
    /// All of `relations` that are written, also by changes in WITH.
    pub changed: Vec<u32>,
    /// Those whose rows a locking clause locks.
    pub row_locked: Vec<u32>,
    /// What is done to it.
    pub command: Command,
    /// The worst volatility of the functions called.
    pub volatility: Volatility,
    /// What its stars stand for, if the binder was to note it.
    pub stars: Stars,
    /// The moments as of which it reads tables.
    pub moments: Moments,
}

/// The columns that each `*` of a text stands for, by where it stands; a column is its name after
/// its relation's, or its name alone when it belongs to several.
pub type Stars = BTreeMap<u32, Vec<Vec<String>>>;

/// The command tag's first word.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "SQL's words")]
pub enum Command {
    Select,
    Insert,
    Update,
    Delete,
}

/// A column of a result.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OutputField {
    /// Its name; several may have the same.
    pub name: String,
    /// Its type.
    pub data_type: TypeRef,
    /// The oid of the table it comes from unchanged, or 0.
    pub table_oid: u32,
    /// `attnum` in that table, or 0.
    pub column_number: i16,
}

/// Binds statements.
pub struct Binder<'a> {
    pub(crate) context: BindContext<'a>,
    pub(crate) depth: usize,
    pub(crate) qualifiers: FxHashSet<String>,
    pub(crate) ctes: Vec<CteEntry>,
    pub(crate) relations: BTreeSet<u32>,
    /// Those of them that are written.
    pub(crate) changed: BTreeSet<u32>,
    /// Those of them whose rows are locked.
    pub(crate) row_locked: BTreeSet<u32>,
    pub(crate) volatility: Volatility,
    pub(crate) view_depth: usize,
    pub(crate) counter: usize,
    /// Tables of the FROM being bound for a locking query.
    pub(crate) locking: Option<Vec<LockCandidate>>,
    /// Tables whose rows the query being bound locks.
    pub(crate) locked: Vec<LockCandidate>,
    /// How often each query of a WITH is read that may stand where it is read if that is once.
    pub(crate) readings: BTreeMap<usize, usize>,
    /// The changes in the statement's WITH.
    pub(crate) changes: Vec<LogicalPlan>,
    /// A relation that one of them writes.
    pub(crate) written: Option<u32>,
    /// What the statement's stars stand for, if someone wants to know.
    pub(crate) stars: Option<Stars>,
    /// The moments as of which tables are read.
    pub(crate) moments: Vec<(ast::MomentKind, typed::Typed)>,
    /// The one of them that holds for the relation being bound.
    pub(crate) past: Option<usize>,
}

/// How deep expressions and queries may nest.
const MAX_DEPTH: usize = 2500;

impl<'a> Binder<'a> {
    /// A binder for one statement.
    pub fn new(context: BindContext<'a>) -> Self {
        Binder {
            context,
            depth: 0,
            qualifiers: FxHashSet::default(),
            ctes: Vec::new(),
            relations: BTreeSet::new(),
            changed: BTreeSet::new(),
            row_locked: BTreeSet::new(),
            volatility: Volatility::Immutable,
            view_depth: 0,
            counter: 0,
            locking: None,
            locked: Vec::new(),
            readings: BTreeMap::new(),
            changes: Vec::new(),
            written: None,
            stars: None,
            moments: Vec::new(),
            past: None,
        }
    }

    /// Notes what stars stand for: stored, a query must not change with its tables.
    #[must_use]
    pub fn noting_stars(mut self) -> Self {
        self.stars = Some(Stars::new());
        self
    }

    /// Binds a statement.
    ///
    /// # Errors
    /// As PostgreSQL's parse analysis, with positions in the statement's text.
    pub fn bind(mut self, statement: &Statement) -> Result<Bound> {
        match &statement.kind {
            StatementKind::Query(query) => {
                let root = Scope::default();
                let bound = self.query(query, &root, &[])?;
                let fields = bound.fields();
                let plan = bound.plan;
                self.finish(plan, fields, Command::Select, None).map(Bound::Query)
            }
            _ => match self.change(statement)? {
                Some(changed) => self
                    .finish(changed.plan, changed.fields, changed.command, Some(changed.relation))
                    .map(Bound::Modify),
                None => Ok(Bound::Utility(Box::new(statement.clone()))),
            },
        }
    }

    /// Binds INSERT, UPDATE and DELETE.
    pub(crate) fn change(&mut self, statement: &Statement) -> Result<Option<Changed>> {
        let ctes = self.ctes.len();
        let changed = match &statement.kind {
            StatementKind::Insert(insert) => self.insert(insert)?,
            StatementKind::Update(update) => self.update(update)?,
            StatementKind::Delete(delete) => self.delete(delete)?,
            StatementKind::Merge(merge) => {
                return Err(Error::unsupported("MERGE is not supported").at(merge.span.position()));
            }
            _ => return Ok(None),
        };
        self.ctes.truncate(ctes);
        Ok(Some(changed))
    }

    pub(crate) fn finish(
        mut self,
        plan: LogicalPlan,
        fields: Vec<OutputField>,
        command: Command,
        writes: Option<u32>,
    ) -> Result<BoundQuery> {
        let plan = self.finish_with(plan)?;
        let moments = self.finish_moments()?;
        let writes = writes.or(self.written);
        let parameters = self
            .context
            .param_types
            .iter()
            .enumerate()
            .map(|(index, known)| match known {
                Some(known) if *known != oid::UNKNOWN => Ok(*known),
                _ => Err(Error::new(
                    SqlState::INDETERMINATE_DATATYPE,
                    format!("could not determine data type of parameter ${}", index + 1),
                )),
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(BoundQuery {
            plan,
            fields,
            parameters,
            relations: self.relations.into_iter().collect(),
            writes,
            changed: self.changed.into_iter().collect(),
            row_locked: self.row_locked.into_iter().collect(),
            command,
            volatility: self.volatility,
            stars: self.stars.unwrap_or_default(),
            moments,
        })
    }

    /// Runs one level deeper, with stack to spare.
    pub(crate) fn nested<T>(
        &mut self,
        span: ast::Span,
        work: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<T> {
        if self.depth >= MAX_DEPTH {
            return Err(Error::new(SqlState::STATEMENT_TOO_COMPLEX, "stack depth limit exceeded")
                .with_hint("Simplify the statement.")
                .at(span.position()));
        }
        self.depth += 1;
        let result = stacker::maybe_grow(128 * 1024, 4 * 1024 * 1024, || work(self));
        self.depth -= 1;
        result
    }

    /// A relation name not used in this statement before, close to the one wanted.
    pub(crate) fn fresh_qualifier(&mut self, wanted: &str) -> String {
        let mut name = wanted.to_owned();
        let mut number = 0;
        while !self.qualifiers.insert(name.clone()) {
            number += 1;
            name = format!("{wanted}_{number}");
        }
        name
    }

    /// A column name not used in this statement before.
    pub(crate) fn fresh_name(&mut self, prefix: &str) -> String {
        self.counter += 1;
        format!("__{prefix}_{}", self.counter)
    }

    pub(crate) fn note_volatility(&mut self, volatility: Volatility) {
        let rank = |volatility| match volatility {
            Volatility::Immutable => 0,
            Volatility::Stable => 1,
            Volatility::Volatile => 2,
        };
        if rank(volatility) > rank(self.volatility) {
            self.volatility = volatility;
        }
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "plans run in a runtime of each test's own")]
mod tests;
