//! What binding needs of the session, and bound statements as the session uses them.

use std::sync::Arc;

use datafusion::{
    common::{DFSchema, tree_node::TreeNode},
    logical_expr::{LogicalPlan, Volatility},
};
use oxi_base::{Error, Result, SqlState, TableId};
use oxi_catalog::Catalog;
use oxi_exec::{
    provider::ExecRelations,
    row::{Compiler, Scope, into_physical},
};
use oxi_model::{
    Datum,
    descriptor::{RelationDescriptor, TypeRef},
    engine::TableLock,
};
use oxi_sql::{
    ast::{Expr, Statement},
    bind::{
        BindContext, Binder, Bound, BoundQuery, BoundRowExpr, Command, Moments, OutputField, Stars,
    },
};
use oxi_types::{EvalContext, builtin::CastContext, oid, pg_type};

use crate::session::Session;

/// The session as the binder sees it.
pub(crate) struct Environment {
    catalog: Arc<Catalog>,
    search_path: Vec<String>,
    relations: ExecRelations,
    eval: Arc<EvalContext>,
}

impl Environment {
    /// The environment of the next statement.
    pub(crate) fn new(session: &mut Session, catalog: &Arc<Catalog>) -> Self {
        let relations = ExecRelations {
            engine: Arc::clone(&session.shared.engine),
            catalog: Arc::clone(catalog),
        };
        Environment {
            catalog: Arc::clone(catalog),
            search_path: session.search_path(),
            eval: session.eval_context(catalog),
            relations,
        }
    }

    /// What a binder is made with.
    pub(crate) fn context(&self, param_types: Vec<Option<u32>>) -> BindContext<'_> {
        BindContext {
            catalog: Arc::clone(&self.catalog),
            search_path: self.search_path.clone(),
            relations: &self.relations,
            eval: &self.eval,
            param_types,
        }
    }

    /// Binds a query or change.
    pub(crate) fn bind(
        &self,
        statement: &Statement,
        param_types: Vec<Option<u32>>,
    ) -> Result<BoundStatement> {
        bound(Binder::new(self.context(param_types)).bind(statement)?)
    }

    /// Binds a query that is to be stored as text.
    pub(crate) fn bind_stored(&self, statement: &Statement) -> Result<BoundStatement> {
        bound(Binder::new(self.context(Vec::new())).noting_stars().bind(statement)?)
    }
}

fn bound(bound: Bound) -> Result<BoundStatement> {
    match bound {
        Bound::Query(query) => Ok(BoundStatement { query, is_query: true }),
        Bound::Modify(query) => Ok(BoundStatement { query, is_query: false }),
        Bound::Utility(_) => Err(Error::bug("a utility statement was to be planned")),
    }
}

/// A bound query or change.
pub(crate) struct BoundStatement {
    query: BoundQuery,
    is_query: bool,
}

impl BoundStatement {
    /// The plan; parameters are placeholders in it.
    pub(crate) fn plan(&self) -> &LogicalPlan {
        &self.query.plan
    }

    /// The columns of the result.
    pub(crate) fn fields(&self) -> &[OutputField] {
        &self.query.fields
    }

    /// The moments as of which it reads tables.
    pub(crate) fn moments(&self) -> &Moments {
        &self.query.moments
    }

    /// What the stars of a query that is to be stored stand for.
    pub(crate) fn stars(&self) -> &Stars {
        &self.query.stars
    }

    /// The types of `$1`, `$2`, ….
    pub(crate) fn parameters(&self) -> &[u32] {
        &self.query.parameters
    }

    /// Relations read or written, by oid.
    pub(crate) fn relations(&self) -> &[u32] {
        &self.query.relations
    }

    /// Storages of the tables it reads or writes, and how it locks them.
    pub(crate) fn tables(&self, catalog: &Catalog) -> Vec<(TableId, TableLock)> {
        let lock_of = |oid| {
            if self.query.changed.contains(&oid) {
                TableLock::RowExclusive
            } else if self.query.row_locked.contains(&oid) {
                TableLock::RowShare
            } else {
                TableLock::AccessShare
            }
        };
        let relations = self.query.relations.iter().filter_map(|oid| catalog.relation(*oid));
        relations.filter_map(|one| Some((one.as_table()?.storage(), lock_of(one.oid)))).collect()
    }

    /// Whether it gives rows rather than a count.
    pub(crate) fn returns_rows(&self) -> bool {
        self.is_query || !self.query.fields.is_empty()
    }

    /// Whether its functions depend on their arguments alone.
    pub(crate) fn is_immutable(&self) -> bool {
        self.query.volatility == oxi_types::builtin::Volatility::Immutable
    }

    /// Whether it changes rows.
    pub(crate) fn writes(&self) -> bool {
        self.query.writes.is_some()
    }

    /// The first word of its command tag.
    pub(crate) fn verb(&self) -> &'static str {
        match self.query.command {
            Command::Select => "SELECT",
            Command::Insert => "INSERT",
            Command::Update => "UPDATE",
            Command::Delete => "DELETE",
        }
    }
}

/// What a stored expression is for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum StoredUse {
    /// A column's DEFAULT.
    Default(TypeRef),
    /// GENERATED ALWAYS AS (…) STORED.
    Generated(TypeRef),
    /// CHECK.
    Check,
}

impl StoredUse {
    fn clause(self) -> &'static str {
        match self {
            StoredUse::Default(_) => "DEFAULT expressions",
            StoredUse::Generated(_) => "column generation expressions",
            StoredUse::Check => "check constraints",
        }
    }

    fn wanted(self) -> TypeRef {
        match self {
            StoredUse::Default(data_type) | StoredUse::Generated(data_type) => data_type,
            StoredUse::Check => TypeRef::plain(oid::BOOL),
        }
    }
}

impl Environment {
    /// Checks an expression that is to be stored against the row it may speak of.
    ///
    /// # Errors
    /// What binding says; `42P17` for a generation expression that is not immutable.
    pub(crate) fn check_stored(
        &self,
        expr: &Expr,
        relation: Option<&Arc<RelationDescriptor>>,
        usage: StoredUse,
    ) -> Result<()> {
        let bound = self.row_expression(expr, relation, usage).map_err(|error| {
            match (usage, error.code(), error.position()) {
                (StoredUse::Default(_), SqlState::UNDEFINED_COLUMN, Some(position)) => {
                    Error::unsupported("cannot use column reference in DEFAULT expression")
                        .at(position)
                }
                _ => error,
            }
        })?;
        if matches!(usage, StoredUse::Generated(_)) && depends_on_time(&bound.expr) {
            return Err(Error::new(
                SqlState::INVALID_OBJECT_DEFINITION,
                "generation expression is not immutable",
            )
            .at(expr.span.position()));
        }
        Ok(())
    }

    fn row_expression(
        &self,
        expr: &Expr,
        relation: Option<&Arc<RelationDescriptor>>,
        usage: StoredUse,
    ) -> Result<BoundRowExpr> {
        let binder = Binder::new(self.context(Vec::new()));
        binder.row_expression(expr, relation, usage.clause(), Some(usage.wanted()))
    }

    /// Whether each evaluation of a default may give another value.
    pub(crate) fn is_volatile(&self, expr: &Expr, wanted: TypeRef) -> Result<bool> {
        Ok(self.row_expression(expr, None, StoredUse::Default(wanted))?.expr.is_volatile())
    }

    /// The value of an expression without columns, converted to a type as an assignment.
    pub(crate) fn evaluate(&self, expr: &Expr, wanted: TypeRef) -> Result<Datum> {
        let bound = self.row_expression(expr, None, StoredUse::Default(wanted))?;
        let compiled = row_compiler(&bound.schema).require(&bound.expr)?;
        let value = compiled.eval(&self.eval, Scope::of(&[], &[]))?.into_owned();
        let physical = pg_type::by_oid(wanted.oid)
            .map(|row| row.physical.clone())
            .ok_or_else(|| Error::bug("a value of unknown type"))?;
        into_physical(value, &physical)
    }
}

fn row_compiler(schema: &DFSchema) -> Compiler<'_> {
    Compiler { schema, offset: 0, props: None }
}

/// Whether the expression calls anything whose value may change from statement to statement.
fn depends_on_time(expr: &datafusion::logical_expr::Expr) -> bool {
    expr.exists(|part| {
        Ok(match part {
            datafusion::logical_expr::Expr::ScalarFunction(call) => {
                call.func.signature().volatility != Volatility::Immutable
            }
            _ => false,
        })
    })
    .unwrap_or(true)
}

/// Whether a column can change from one type to another without USING.
pub(crate) fn assignable(from: u32, to: u32) -> bool {
    from == to
        || oxi_types::builtin::find_cast(from, to)
            .is_some_and(|cast| cast.context <= CastContext::Assignment)
        || pg_type::by_oid(to).is_some_and(|row| row.category == 'S')
}
