//! FROM: relations, subqueries, functions, and what names they bring.

use std::sync::Arc;

use datafusion::{
    common::{
        Column, NullHandling, TableReference, UnnestOptions,
        tree_node::{Transformed, TreeNode},
    },
    logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, Subquery, TableSource},
};
use oxi_base::{Error, Result, SqlState};
use oxi_catalog::{Resolved, SystemRelation};
use oxi_model::{
    Datum,
    descriptor::{RelationDescriptor, RelationKind, TypeRef},
};
use oxi_types::oid;

use crate::{
    ast::{ObjectName, StatementKind, TableAlias, TableExpr, TableExprKind},
    bind::{
        Binder,
        locking::LockCandidate,
        modify::has_subquery,
        query::{BoundPlan, all_columns, project},
        scope::{Scope, ScopeColumn, ScopeRelation},
        typed::column,
    },
    function::{error::from_datafusion, value::literal_of},
    plan::{LateralNode, LockStrength, LockWait, LockedTable, modify::ROW_ID, outer_columns},
};

/// A bound item of FROM.
pub(crate) struct FromItem {
    pub(crate) source: Source,
    pub(crate) relations: Vec<ScopeRelation>,
    pub(crate) columns: Vec<ScopeColumn>,
}

/// Where the rows of an item come from.
pub(crate) enum Source {
    /// A plan, possibly with references to the items before it.
    Plan(LogicalPlan),
    /// Functions: lists to spread, over one row or over the items before.
    Functions(Spread),
}

/// Lists that are spread side by side, and what becomes of their elements.
pub(crate) struct Spread {
    /// Name and list.
    pub(crate) lists: Vec<(String, Expr)>,
    /// The columns over the spread lists.
    pub(crate) columns: Vec<Expr>,
}

impl FromItem {
    pub(crate) fn scope<'p>(&self, parent: &'p Scope<'p>) -> Scope<'p> {
        Scope {
            relations: self.relations.clone(),
            columns: self.columns.clone(),
            parent: Some(parent),
        }
    }
}

impl Binder<'_> {
    /// Binds the items of FROM as one plan. Without items the plan is one empty row.
    pub(crate) fn from<'p>(
        &mut self,
        items: &[TableExpr],
        parent: &'p Scope<'p>,
    ) -> Result<(LogicalPlan, Scope<'p>)> {
        let mut all: Option<FromItem> = None;
        for item in items {
            all = Some(self.add_from(all, item, parent)?);
        }
        if let Some(item) = all {
            let scope = item.scope(parent);
            Ok((plan_of(item.source)?, scope))
        } else {
            let plan = LogicalPlanBuilder::empty(true).build().map_err(from_datafusion)?;
            Ok((plan, Scope::inside(parent)))
        }
    }

    /// Adds an item after others, as CROSS JOIN does.
    pub(crate) fn add_from(
        &mut self,
        before: Option<FromItem>,
        item: &TableExpr,
        parent: &Scope<'_>,
    ) -> Result<FromItem> {
        let Some(before) = before else {
            return self.table_expr(item, parent, &Scope::inside(parent));
        };
        let scope = before.scope(parent);
        let right = self.table_expr(item, parent, &scope)?;
        for relation in &right.relations {
            scope.check_alias(&relation.alias, item.span)?;
        }
        cross(before, right)
    }

    /// Binds one item; `lateral` is the scope of the items before it.
    pub(crate) fn table_expr(
        &mut self,
        item: &TableExpr,
        parent: &Scope<'_>,
        lateral: &Scope<'_>,
    ) -> Result<FromItem> {
        self.nested(item.span, |binder| match &item.kind {
            TableExprKind::Table { name, as_of, alias, .. } => {
                let Some(as_of) = as_of else { return binder.relation(name, alias.as_ref()) };
                binder.refuse_past_cte(name)?;
                let moment = binder.moment(as_of)?;
                let outer = binder.past.replace(moment);
                let item = binder.relation(name, alias.as_ref());
                binder.past = outer;
                item
            }
            TableExprKind::Subquery { query, lateral: is_lateral, alias } => {
                let locking = binder.locking.take();
                let bound = if *is_lateral {
                    binder.query(query, lateral, &[])
                } else {
                    // The items before exist, but cannot be named.
                    let mut around = Scope::inside(parent);
                    around.relations = lateral
                        .relations
                        .iter()
                        .map(|relation| ScopeRelation { hidden: true, ..relation.clone() })
                        .collect();
                    binder.query(query, &around, &[])
                };
                binder.locking = locking;
                binder.subquery_item(bound?, alias.as_ref())
            }
            TableExprKind::Functions { functions, ordinality, alias, .. } => {
                binder.functions(functions, *ordinality, alias.as_ref(), lateral)
            }
            TableExprKind::Join { .. } => binder.join(item, parent, lateral),
        })
    }

    fn relation(&mut self, name: &ObjectName, alias: Option<&TableAlias>) -> Result<FromItem> {
        if let [only] = name.parts.as_slice()
            && let Some(index) = self.ctes.iter().rposition(|cte| cte.name == only.value)
        {
            return self.cte_item(index, alias);
        }
        let position = name.span.position();
        let found = self
            .context
            .catalog
            .resolve(&self.context.search_path, &name.texts())
            .map_err(|error| error.at(position))?;
        match found {
            Resolved::System(system) => {
                self.refuse_past(name)?;
                self.system_item(system, alias)
            }
            Resolved::Relation(relation) => match &relation.kind {
                RelationKind::Table(_) if self.past.is_some() => {
                    self.past_item(&relation, name, alias)
                }
                RelationKind::Table(_) => {
                    let locking = self.locking.is_some() && self.view_depth == 0;
                    let item = self.table_item(&relation, alias, locking)?;
                    if locking {
                        self.note_locked(&item, &relation);
                    }
                    Ok(item)
                }
                RelationKind::View(_) => self.view_item(&relation, alias, position),
                RelationKind::Index(_) => Err(Error::new(
                    SqlState::WRONG_OBJECT_TYPE,
                    format!("cannot open relation \"{}\"", relation.name),
                )
                .with_detail("This operation is not supported for indexes.")
                .at(position)),
                RelationKind::Sequence(_) => {
                    self.refuse_past(name)?;
                    self.sequence_item(&relation, alias)
                }
            },
        }
    }

    /// A table under its alias, with its row ids at the end if asked for.
    pub(crate) fn table_item(
        &mut self,
        relation: &Arc<RelationDescriptor>,
        alias: Option<&TableAlias>,
        with_row_id: bool,
    ) -> Result<FromItem> {
        let source = self.context.relations.table(relation, with_row_id)?;
        self.source_item(relation, source, alias)
    }

    /// A table whose rows come from a source.
    pub(crate) fn source_item(
        &mut self,
        relation: &Arc<RelationDescriptor>,
        source: Arc<dyn TableSource>,
        alias: Option<&TableAlias>,
    ) -> Result<FromItem> {
        self.relations.insert(relation.oid);
        let (name, renamed) = alias_of(alias, &relation.name);
        let qualifier = TableReference::bare(self.fresh_qualifier(&name));
        let plan = LogicalPlanBuilder::scan(qualifier.clone(), source, None)
            .and_then(LogicalPlanBuilder::build)
            .map_err(from_datafusion)?;
        let columns = relation
            .as_table()
            .map(|table| table.columns.as_slice())
            .unwrap_or_default()
            .iter()
            .map(|c| ScopeColumn {
                name: c.name.clone(),
                ty: c.data_type,
                expr: column(&qualifier, &c.name),
                origin: Some((relation.oid, (c.id + 1) as i16)),
                hidden: false,
            })
            .collect::<Vec<_>>();
        let schema = self.context.catalog.schema_name(relation.schema).to_owned();
        let columns = rename_columns(columns, renamed, &name)?;
        let scope = ScopeRelation {
            alias: name,
            schema: alias.is_none().then_some(schema),
            columns: columns.clone(),
            table: Some(Arc::clone(relation)),
            hidden: false,
        };
        Ok(FromItem { source: Source::Plan(plan), relations: vec![scope], columns })
    }

    fn note_locked(&mut self, item: &FromItem, relation: &Arc<RelationDescriptor>) {
        let (Source::Plan(plan), Some(scope)) = (&item.source, item.relations.first()) else {
            return;
        };
        let found = plan.schema().iter().find(|(_, field)| field.name() == ROW_ID);
        let (Some((qualifier, _)), Some(list), Some(table)) =
            (found, self.locking.as_mut(), relation.as_table())
        else {
            return;
        };
        list.push(LockCandidate {
            alias: scope.alias.clone(),
            column: Column::new(qualifier.cloned(), ROW_ID),
            table: LockedTable {
                relation: relation.oid,
                storage: table.storage(),
                name: relation.name.clone(),
                strength: LockStrength::Update,
                wait: LockWait::Block,
            },
        });
    }

    fn system_item(
        &mut self,
        system: &'static SystemRelation,
        alias: Option<&TableAlias>,
    ) -> Result<FromItem> {
        let source = self.context.relations.system(system)?;
        self.note_volatility(oxi_types::builtin::Volatility::Stable);
        let (name, renamed) = alias_of(alias, system.name);
        let qualifier = TableReference::bare(self.fresh_qualifier(&name));
        let plan = LogicalPlanBuilder::scan(qualifier.clone(), source, None)
            .and_then(LogicalPlanBuilder::build)
            .map_err(from_datafusion)?;
        let columns = system
            .columns
            .iter()
            .enumerate()
            .map(|(index, c)| ScopeColumn {
                name: c.name.to_owned(),
                ty: TypeRef::plain(c.type_oid),
                expr: column(&qualifier, c.name),
                origin: Some((system.oid, (index + 1) as i16)),
                hidden: false,
            })
            .collect::<Vec<_>>();
        let columns = rename_columns(columns, renamed, &name)?;
        let scope = ScopeRelation {
            alias: name,
            schema: alias.is_none().then(|| system.schema.to_owned()),
            columns: columns.clone(),
            table: None,
            hidden: false,
        };
        Ok(FromItem { source: Source::Plan(plan), relations: vec![scope], columns })
    }

    /// A sequence's state: of the rows that show the states of all, its own.
    fn sequence_item(
        &mut self,
        relation: &Arc<RelationDescriptor>,
        alias: Option<&TableAlias>,
    ) -> Result<FromItem> {
        self.relations.insert(relation.oid);
        let mut item = self.system_item(oxi_catalog::system::sequence_state(), None)?;
        let key = item.columns.remove(0);
        let wanted = literal_of(&Datum::UInt32(relation.oid), oid::OID)?;
        let (name, renamed) = alias_of(alias, &relation.name);
        item.columns = rename_columns(item.columns, renamed, &name)?;
        if let Source::Plan(plan) = item.source {
            let filtered = LogicalPlanBuilder::from(plan).filter(key.expr.eq(wanted));
            let plan = filtered.and_then(LogicalPlanBuilder::build).map_err(from_datafusion)?;
            item.source = Source::Plan(plan);
        }
        let schema = self.context.catalog.schema_name(relation.schema).to_owned();
        item.relations = vec![ScopeRelation {
            alias: name,
            schema: alias.is_none().then_some(schema),
            columns: item.columns.clone(),
            table: None,
            hidden: false,
        }];
        Ok(item)
    }

    fn view_item(
        &mut self,
        relation: &Arc<RelationDescriptor>,
        alias: Option<&TableAlias>,
        position: usize,
    ) -> Result<FromItem> {
        let Some(view) = relation.as_view() else {
            return Err(Error::bug("no view").at(position));
        };
        self.relations.insert(relation.oid);
        if self.view_depth > 200 {
            return Err(Error::new(
                SqlState::INVALID_OBJECT_DEFINITION,
                format!("infinite recursion detected in rules for relation \"{}\"", relation.name),
            )
            .at(position));
        }
        let statements = crate::parse::parse(&view.query)?;
        let Some(StatementKind::Query(query)) = statements.first().map(|s| &s.kind) else {
            return Err(Error::bug(format!("view \"{}\" holds no query", relation.name)));
        };
        // Its names resolve as they did at its creation, not as they would here.
        let path = std::mem::replace(&mut self.context.search_path, view.search_path.clone());
        let ctes = std::mem::take(&mut self.ctes);
        self.view_depth += 1;
        let bound = self.query(query, &Scope::default(), &[]);
        self.view_depth -= 1;
        self.ctes = ctes;
        self.context.search_path = path;
        let mut bound = bound.map_err(|error| {
            error.without_position().with_context(format!("view \"{}\"", relation.name))
        })?;
        for (index, output) in bound.outputs.iter_mut().enumerate() {
            if let Some(column) = view.columns.get(index) {
                output.name.clone_from(&column.name);
            }
            output.origin = Some((relation.oid, (index + 1) as i16));
        }
        let default = TableAlias {
            name: Some(crate::ast::Ident::new(relation.name.clone())),
            columns: Vec::new(),
            span: crate::ast::Span::default(),
        };
        let mut item = self.subquery_item(bound, Some(alias.unwrap_or(&default)))?;
        if alias.is_none() {
            let schema = self.context.catalog.schema_name(relation.schema).to_owned();
            for scope in &mut item.relations {
                scope.schema = Some(schema.clone());
            }
        }
        Ok(item)
    }

    /// A bound query as an item.
    pub(crate) fn subquery_item(
        &mut self,
        bound: BoundPlan,
        alias: Option<&TableAlias>,
    ) -> Result<FromItem> {
        let (name, renamed) = alias_of(alias, "unnamed_subquery");
        let qualifier = TableReference::bare(self.fresh_qualifier(&name));
        let plan = LogicalPlanBuilder::from(bound.plan)
            .alias(qualifier.clone())
            .and_then(LogicalPlanBuilder::build)
            .map_err(from_datafusion)?;
        let columns = bound
            .outputs
            .iter()
            .map(|output| ScopeColumn {
                name: output.name.clone(),
                ty: if output.ty.oid == oid::UNKNOWN {
                    TypeRef::plain(oid::TEXT)
                } else {
                    output.ty
                },
                expr: column(&qualifier, &output.column),
                origin: output.origin,
                hidden: false,
            })
            .collect::<Vec<_>>();
        let columns = rename_columns(columns, renamed, &name)?;
        let named = alias.is_some_and(|alias| alias.name.is_some());
        let relations = vec![ScopeRelation {
            alias: name,
            schema: None,
            columns: columns.clone(),
            table: None,
            hidden: !named,
        }];
        Ok(FromItem { source: Source::Plan(plan), relations, columns })
    }
}

/// Every pair of rows; the right side may refer to the left.
pub(crate) fn cross(left: FromItem, right: FromItem) -> Result<FromItem> {
    let left_plan = plan_of(left.source)?;
    let plan = match right.source {
        Source::Functions(spread) if spread.refers_to(&left_plan) => {
            let spread = spread.resolve(&left_plan)?;
            spread_over(left_plan, spread, NullHandling::Drop)?
        }
        source => {
            let right_plan = plan_of(source)?;
            match lateral_side(right_plan, &left_plan)? {
                Side::Row(right) => LateralNode::join(left_plan, right, false, None),
                Side::Plain(right) => LogicalPlanBuilder::from(left_plan)
                    .cross_join(right)
                    .and_then(LogicalPlanBuilder::build),
            }
            .map_err(from_datafusion)?
        }
    };
    let mut relations = left.relations;
    relations.extend(right.relations);
    let mut columns = left.columns;
    columns.extend(right.columns);
    Ok(FromItem { source: Source::Plan(plan), relations, columns })
}

/// The plan of an item that depends on nothing before it.
pub(crate) fn plan_of(source: Source) -> Result<LogicalPlan> {
    match source {
        Source::Plan(plan) => Ok(plan),
        Source::Functions(spread) => {
            let row = LogicalPlanBuilder::empty(true).build().map_err(from_datafusion)?;
            spread_over(row, spread, NullHandling::Drop)
        }
    }
}

/// Spreads lists over the rows of a plan; its columns stay.
pub(crate) fn spread_over(
    plan: LogicalPlan,
    spread: Spread,
    nulls: NullHandling,
) -> Result<LogicalPlan> {
    let own = all_columns(&plan);
    let names = spread.lists.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    let mut exprs = own.clone();
    exprs.extend(spread.lists.into_iter().map(|(name, list)| list.alias(name)));
    let plan = unnest(project(plan, exprs)?, &names, nulls)?;
    let mut exprs = own;
    exprs.extend(spread.columns);
    project(plan, exprs)
}

impl Spread {
    /// Whether a list refers to the plan's columns.
    pub(crate) fn refers_to(&self, plan: &LogicalPlan) -> bool {
        self.lists.iter().any(|(_, list)| {
            list.exists(|expr| {
                Ok(matches!(expr, Expr::OuterReferenceColumn(_, column)
                    if plan.schema().has_column(column)))
            })
            .unwrap_or(false)
        })
    }

    /// Turns references to the plan's columns into plain ones.
    pub(crate) fn resolve(self, plan: &LogicalPlan) -> Result<Self> {
        let lists = self
            .lists
            .into_iter()
            .map(|(name, list)| {
                let list = list
                    .transform_up(|expr| match expr {
                        Expr::OuterReferenceColumn(_, column)
                            if plan.schema().has_column(&column) =>
                        {
                            Ok(Transformed::yes(Expr::Column(column)))
                        }
                        other => Ok(Transformed::no(other)),
                    })
                    .map_err(from_datafusion)?;
                Ok((name, list.data))
            })
            .collect::<Result<_>>()?;
        Ok(Spread { lists, columns: self.columns })
    }
}

/// Unnests columns; all others stay.
pub(crate) fn unnest(
    plan: LogicalPlan,
    names: &[String],
    nulls: NullHandling,
) -> Result<LogicalPlan> {
    let columns = names.iter().map(Column::new_unqualified).collect();
    let options = UnnestOptions { null_handling: nulls, recursions: Vec::new() };
    LogicalPlanBuilder::from(plan)
        .unnest_columns_with_options(columns, options)
        .and_then(LogicalPlanBuilder::build)
        .map_err(from_datafusion)
}

/// The right side of a join.
pub(crate) enum Side {
    /// One that the query engine joins.
    Plain(LogicalPlan),
    /// One that is run for each row of the left side.
    Row(LogicalPlan),
}

/// Whether and how a plan depends on its left neighbour.
pub(crate) fn lateral_side(plan: LogicalPlan, left: &LogicalPlan) -> Result<Side> {
    let outer = outer_columns(&plan).map_err(from_datafusion)?;
    if !outer.iter().any(|column| left.schema().has_column(column)) {
        return Ok(Side::Plain(plan));
    }
    if is_filtered_only(&plan) {
        return mark_lateral(plan).map(Side::Plain);
    }
    Ok(Side::Row(plan))
}

/// Whether a plan speaks of outer rows in conditions over tables alone, which make good joins.
fn is_filtered_only(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::TableScan(_) => true,
        LogicalPlan::SubqueryAlias(alias) => is_filtered_only(&alias.input),
        LogicalPlan::Filter(filter) => {
            !has_subquery(&filter.predicate) && is_filtered_only(&filter.input)
        }
        LogicalPlan::Projection(projection) => {
            !projection.expr.iter().any(|expr| expr.contains_outer() || has_subquery(expr))
                && is_filtered_only(&projection.input)
        }
        _ => false,
    }
}

/// Marks a plan as one that refers to the columns of its left neighbour.
fn mark_lateral(plan: LogicalPlan) -> Result<LogicalPlan> {
    let outer_ref_columns = plan.all_out_ref_exprs();
    match plan {
        LogicalPlan::SubqueryAlias(alias) => {
            let inner = LogicalPlan::Subquery(Subquery {
                subquery: alias.input,
                outer_ref_columns,
                spans: datafusion::common::Spans::new(),
            });
            LogicalPlanBuilder::from(inner)
                .alias(alias.alias)
                .and_then(LogicalPlanBuilder::build)
                .map_err(from_datafusion)
        }
        plan => Ok(LogicalPlan::Subquery(Subquery {
            subquery: Arc::new(plan),
            outer_ref_columns,
            spans: datafusion::common::Spans::new(),
        })),
    }
}

/// The name an item goes by and its column names.
pub(crate) fn alias_of<'t>(
    alias: Option<&'t TableAlias>,
    default: &str,
) -> (String, &'t [crate::ast::Ident]) {
    match alias {
        Some(alias) => (
            alias.name.as_ref().map_or_else(|| default.to_owned(), |name| name.value.clone()),
            &alias.columns,
        ),
        None => (default.to_owned(), &[]),
    }
}

/// Gives the first columns the names of an alias.
pub(crate) fn rename_columns(
    mut columns: Vec<ScopeColumn>,
    names: &[crate::ast::Ident],
    relation: &str,
) -> Result<Vec<ScopeColumn>> {
    if names.len() > columns.len() {
        let error = Error::new(
            SqlState::INVALID_COLUMN_REFERENCE,
            format!(
                "table \"{relation}\" has {} columns available but {} columns specified",
                columns.len(),
                names.len()
            ),
        );
        return Err(match names.first() {
            Some(name) => error.at(name.span.position()),
            None => error,
        });
    }
    for (column, name) in columns.iter_mut().zip(names) {
        column.name.clone_from(&name.value);
    }
    Ok(columns)
}
