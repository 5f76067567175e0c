//! The logical node of INSERT, UPDATE and DELETE.
//!
//! The node has one input, an ordinary query, and expressions over *rows* that the executor
//! evaluates itself. Those are hidden from DataFusion's optimizer, because they speak of rows that
//! no plan yields (the new row, the conflicting row), and contain neither subqueries nor
//! aggregates. What the names in them mean is fixed by schemas of the node:
//!
//! | schema | fields |
//! |---|---|
//! | [`ModifyNode::row_schema`] | the table's columns in layout order |
//! | [`ModifyNode::conflict_schema`] | the table's columns (existing row), then the columns of `excluded` |
//! | the input's (UPDATE, DELETE) | `__row_id`, the table's columns (old row), then columns of other relations |
//!
//! The input of INSERT yields exactly the table's columns in layout order, with defaults,
//! identities, generated columns and assignment casts applied.

use std::{
    cmp::Ordering,
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
};

use datafusion::{
    common::{DFSchema, DFSchemaRef, DataFusionError, Result, TableReference, tree_node::TreeNode},
    logical_expr::{Expr, Extension, LogicalPlan, UserDefinedLogicalNodeCore},
};
use oxi_base::IndexId;
use oxi_model::{array::arrow_type, descriptor::RelationDescriptor};

use arrow_schema::{DataType, Field};

/// The name of the input column that holds row ids.
pub const ROW_ID: &str = "__row_id";

/// The relation name by which ON CONFLICT expressions call the row proposed for insertion.
pub const EXCLUDED: &str = "excluded";

/// A change to a table.
#[derive(Clone, Debug)]
pub struct ModifyNode {
    /// The table written.
    pub table: Arc<RelationDescriptor>,
    /// The relation name by which row expressions call the table's columns.
    pub qualifier: TableReference,
    /// Where the rows come from.
    pub input: Arc<LogicalPlan>,
    /// What happens to each.
    pub action: Action,
    /// The input computed again for one row that another transaction has changed since the
    /// snapshot, where the action's predicate does not say it all: conditions or new values have
    /// subqueries. Its schema is the input's; at the bottom, in the place of the relations, is an
    /// empty relation for the one row.
    pub again: Option<Arc<LogicalPlan>>,
    /// Positions of columns that must not be NULL in a new row.
    pub not_null: Vec<usize>,
    /// CHECK constraints over the new row ([`ModifyNode::row_schema`]); violated when false.
    pub checks: Vec<Check>,
    /// RETURNING: over [`ModifyNode::row_schema`] for INSERT; over the input's schema for UPDATE
    /// (with the new row in the place of the table's columns) and DELETE (old row).
    pub returning: Option<Vec<Expr>>,
    /// What the node yields: a row for each affected one with the RETURNING expressions, or one
    /// row with the number of affected rows (`count`, Int64).
    pub schema: DFSchemaRef,
    /// See the module.
    pub row_schema: DFSchemaRef,
    /// See the module.
    pub conflict_schema: DFSchemaRef,
}

/// What happens to each input row.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// It is inserted.
    Insert {
        /// ON CONFLICT.
        on_conflict: Option<OnConflict>,
    },
    /// Its columns change.
    Update {
        /// New values, assignment casts applied, over the input's schema.
        set: Vec<Assignment>,
        /// Generated columns to compute afterwards, over [`ModifyNode::row_schema`] (new row).
        generated: Vec<Assignment>,
        /// What must still hold, over the input's schema, when another transaction has changed
        /// the row since the snapshot. Conditions with subqueries are not part of it, but of
        /// [`ModifyNode::again`].
        predicate: Option<Expr>,
    },
    /// It is deleted.
    Delete {
        /// As for UPDATE.
        predicate: Option<Expr>,
    },
}

/// A new value for a column.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Assignment {
    /// The column's position in the layout.
    pub column: usize,
    /// Its value.
    pub value: Expr,
}

/// A CHECK constraint.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Check {
    /// The constraint's name.
    pub name: String,
    /// A boolean over the row; NULL passes.
    pub expression: Expr,
}

/// What to do when a unique index already has the key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OnConflict {
    /// The indexes (storage ids) whose conflicts are meant; empty means any unique index.
    pub arbiters: Vec<IndexId>,
    /// What to do.
    pub action: ConflictAction,
}

/// DO NOTHING or DO UPDATE.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ConflictAction {
    /// The proposed row is dropped.
    Nothing,
    /// The existing row is changed.
    Update {
        /// New values over [`ModifyNode::conflict_schema`].
        set: Vec<Assignment>,
        /// Generated columns over [`ModifyNode::row_schema`] (new row).
        generated: Vec<Assignment>,
        /// WHERE, over [`ModifyNode::conflict_schema`]; if not true the row is locked and left.
        predicate: Option<Expr>,
    },
}

/// What a [`ModifyNode`] is made from.
#[derive(Clone, Debug)]
pub struct ModifyParts {
    /// See [`ModifyNode::table`].
    pub table: Arc<RelationDescriptor>,
    /// See [`ModifyNode::qualifier`].
    pub qualifier: TableReference,
    /// See [`ModifyNode::input`].
    pub input: LogicalPlan,
    /// See [`ModifyNode::action`].
    pub action: Action,
    /// See [`ModifyNode::again`].
    pub again: Option<LogicalPlan>,
    /// See [`ModifyNode::checks`].
    pub checks: Vec<Check>,
    /// See [`ModifyNode::returning`]; each an alias with a name unique among them.
    pub returning: Option<Vec<Expr>>,
}

impl ModifyNode {
    /// Computes the schemas.
    pub fn new(parts: ModifyParts) -> Result<Self> {
        let ModifyParts { table, qualifier, input, action, again, checks, returning } = parts;
        let Some(descriptor) = table.as_table() else {
            return Err(DataFusionError::Internal(format!("{} is not a table", table.name)));
        };
        let not_null = descriptor
            .columns
            .iter()
            .enumerate()
            .filter(|(_, column)| column.not_null)
            .map(|(position, _)| position)
            .collect();
        let row_schema = Arc::new(row_schema(&table, &qualifier)?);
        let excluded = self::row_schema(&table, &TableReference::bare(EXCLUDED))?;
        let conflict_schema = match &action {
            Action::Insert { .. } => Arc::new(row_schema.join(&excluded)?),
            _ => Arc::clone(&row_schema),
        };
        let schema = match &returning {
            None => DFSchema::from_unqualified_fields(
                vec![Field::new("count", DataType::Int64, false)].into(),
                std::collections::HashMap::default(),
            )?,
            Some(exprs) => {
                let over = match &action {
                    Action::Insert { .. } => row_schema.as_ref(),
                    _ => input.schema().as_ref(),
                };
                let fields = exprs
                    .iter()
                    .map(|expr| {
                        let (_, field) =
                            datafusion::logical_expr::ExprSchemable::to_field(expr, over)?;
                        Ok(Field::new(field.name(), field.data_type().clone(), true))
                    })
                    .collect::<Result<Vec<_>>>()?;
                DFSchema::from_unqualified_fields(
                    fields.into(),
                    std::collections::HashMap::default(),
                )?
            }
        };
        Ok(ModifyNode {
            table,
            qualifier,
            input: Arc::new(input),
            action,
            again: again.map(Arc::new),
            not_null,
            checks,
            returning,
            schema: Arc::new(schema),
            row_schema,
            conflict_schema,
        })
    }

    /// The node as a plan.
    pub fn into_plan(self) -> LogicalPlan {
        LogicalPlan::Extension(Extension { node: Arc::new(self) })
    }

    /// The node if the plan is one.
    pub fn of(plan: &LogicalPlan) -> Option<&Self> {
        match plan {
            LogicalPlan::Extension(extension) => extension.node.as_any().downcast_ref::<Self>(),
            _ => None,
        }
    }

    /// The node with every hidden expression rewritten.
    pub fn map_row_expressions(
        &self,
        rewrite: &mut dyn FnMut(Expr) -> Result<Expr>,
    ) -> Result<Self> {
        let mut node = self.clone();
        let mut assignments = |list: &mut Vec<Assignment>| -> Result<()> {
            for assignment in list {
                assignment.value = rewrite(std::mem::take(&mut assignment.value))?;
            }
            Ok(())
        };
        match &mut node.action {
            Action::Insert { on_conflict } => {
                if let Some(OnConflict {
                    action: ConflictAction::Update { set, generated, .. },
                    ..
                }) = on_conflict
                {
                    assignments(set)?;
                    assignments(generated)?;
                }
            }
            Action::Update { set, generated, .. } => {
                assignments(set)?;
                assignments(generated)?;
            }
            Action::Delete { .. } => {}
        }
        let predicate = match &mut node.action {
            Action::Insert {
                on_conflict:
                    Some(OnConflict { action: ConflictAction::Update { predicate, .. }, .. }),
            }
            | Action::Update { predicate, .. }
            | Action::Delete { predicate } => predicate.as_mut(),
            Action::Insert { .. } => None,
        };
        if let Some(predicate) = predicate {
            *predicate = rewrite(std::mem::take(predicate))?;
        }
        for check in &mut node.checks {
            check.expression = rewrite(std::mem::take(&mut check.expression))?;
        }
        for expr in node.returning.iter_mut().flatten() {
            *expr = rewrite(std::mem::take(expr))?;
        }
        Ok(node)
    }

    /// Whether any hidden expression satisfies the test somewhere inside.
    pub fn any_row_expression(&self, test: &mut dyn FnMut(&Expr) -> bool) -> Result<bool> {
        let mut found = false;
        self.map_row_expressions(&mut |expr| {
            found = found || expr.exists(|inner| Ok(test(inner)))?;
            Ok(expr)
        })?;
        Ok(found)
    }

    fn verb(&self) -> &'static str {
        match self.action {
            Action::Insert { .. } => "Insert",
            Action::Update { .. } => "Update",
            Action::Delete { .. } => "Delete",
        }
    }
}

/// The columns of a table in layout order under a relation name.
pub fn row_schema(table: &RelationDescriptor, qualifier: &TableReference) -> Result<DFSchema> {
    let fields = table
        .as_table()
        .map(|table| table.columns.as_slice())
        .unwrap_or_default()
        .iter()
        .map(|column| Field::new(&column.name, arrow_type(&column.physical), true))
        .collect::<Vec<_>>();
    DFSchema::try_from_qualified_schema(qualifier.clone(), &arrow_schema::Schema::new(fields))
}

impl PartialEq for ModifyNode {
    fn eq(&self, other: &Self) -> bool {
        self.table.oid == other.table.oid
            && self.qualifier == other.qualifier
            && self.input == other.input
            && self.action == other.action
            && self.checks == other.checks
            && self.returning == other.returning
    }
}

impl Eq for ModifyNode {}

impl PartialOrd for ModifyNode {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self == other).then_some(Ordering::Equal)
    }
}

impl Hash for ModifyNode {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.table.oid.hash(state);
        self.input.hash(state);
        self.action.hash(state);
        self.checks.hash(state);
        self.returning.hash(state);
    }
}

impl UserDefinedLogicalNodeCore for ModifyNode {
    fn name(&self) -> &'static str {
        "Modify"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input]
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        Vec::new()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.verb(), self.table.name)?;
        match &self.action {
            Action::Insert { on_conflict: None } | Action::Delete { predicate: None } => {}
            Action::Insert { on_conflict: Some(conflict) } => match &conflict.action {
                ConflictAction::Nothing => write!(f, " on conflict do nothing")?,
                ConflictAction::Update { set, predicate, .. } => {
                    write!(f, " on conflict update ")?;
                    write_assignments(f, set)?;
                    if let Some(predicate) = predicate {
                        write!(f, " where {predicate}")?;
                    }
                }
            },
            Action::Update { set, predicate, .. } => {
                write!(f, " set ")?;
                write_assignments(f, set)?;
                if let Some(predicate) = predicate {
                    write!(f, " recheck {predicate}")?;
                }
            }
            Action::Delete { predicate: Some(predicate) } => write!(f, " recheck {predicate}")?,
        }
        for check in &self.checks {
            write!(f, " check {}: {}", check.name, check.expression)?;
        }
        if let Some(returning) = &self.returning {
            let list = returning.iter().map(ToString::to_string).collect::<Vec<_>>();
            write!(f, " returning {}", list.join(", "))?;
        }
        Ok(())
    }

    fn with_exprs_and_inputs(&self, _exprs: Vec<Expr>, inputs: Vec<LogicalPlan>) -> Result<Self> {
        let [input] = <[LogicalPlan; 1]>::try_from(inputs)
            .map_err(|_| DataFusionError::Internal("Modify has one input".to_owned()))?;
        Ok(ModifyNode { input: Arc::new(input), ..self.clone() })
    }
}

fn write_assignments(f: &mut fmt::Formatter<'_>, set: &[Assignment]) -> fmt::Result {
    for (index, assignment) in set.iter().enumerate() {
        if index > 0 {
            f.write_str(", ")?;
        }
        write!(f, "#{} = {}", assignment.column, assignment.value)?;
    }
    Ok(())
}
