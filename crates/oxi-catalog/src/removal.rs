//! DROP: what goes along, what stands in the way.

mod name;

use std::collections::BTreeSet;

use oxi_base::{Error, Result, SqlState};
use oxi_model::descriptor::{ConstraintKind, ForeignKey, RelationDescriptor, RelationKind};

use crate::{catalog::Catalog, expression, identifier, resolve};

pub use name::{DropKind, find, missing_notice};

/// What a DROP does, in the order to do it.
#[derive(Clone, Debug, Default)]
pub struct RemovalPlan {
    /// Relations that stay but change (a foreign key or a default goes), with their new state.
    pub changed: Vec<RelationDescriptor>,
    /// Relations that go, dependents before what they depend on.
    pub relations: Vec<u32>,
    /// Schemas that go, after their relations.
    pub schemas: Vec<u32>,
    /// The NOTICE with its detail that PostgreSQL sends for a cascade, if any.
    pub notice: Option<(String, Option<String>)>,
}

/// What is asked to be dropped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Target {
    /// A relation by oid.
    Relation(u32),
    /// A schema by oid.
    Schema(u32),
    /// A column (by id) of a table.
    Column(u32, u32),
    /// A constraint (by oid) of a table.
    Constraint(u32, u32),
}

/// RESTRICT or CASCADE.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Behavior {
    /// Fail if something else depends on it.
    Restrict,
    /// Drop what depends on it too.
    Cascade,
}

/// At most this many dependents are listed to the client.
const REPORTED_MAX: usize = 100;

/// Plans a DROP of some objects.
///
/// # Errors
/// `2BP01` if other objects depend on them and `behavior` is RESTRICT; `42501` for system objects.
pub fn plan(catalog: &Catalog, targets: &[Target], behavior: Behavior) -> Result<RemovalPlan> {
    let mut walk = Walk { catalog, gone: Gone::default(), reports: Vec::new() };
    for target in targets {
        walk.check_allowed(*target)?;
        walk.gone.add_root(*target);
    }
    for target in targets {
        walk.visit(*target);
    }
    if behavior == Behavior::Restrict && !walk.reports.is_empty() {
        return Err(walk.refusal(targets));
    }
    Ok(walk.into_plan())
}

/// What goes.
#[derive(Default)]
struct Gone {
    relations: BTreeSet<u32>,
    /// In the order found: what depends comes before what it depends on once reversed.
    order: Vec<u32>,
    schemas: BTreeSet<u32>,
    columns: BTreeSet<(u32, u32)>,
    constraints: BTreeSet<(u32, u32)>,
    defaults: BTreeSet<(u32, u32)>,
}

impl Gone {
    fn add_root(&mut self, target: Target) {
        match target {
            Target::Relation(oid) => {
                self.relations.insert(oid);
            }
            Target::Schema(oid) => {
                self.schemas.insert(oid);
            }
            Target::Column(table, id) => {
                self.columns.insert((table, id));
            }
            Target::Constraint(table, oid) => {
                self.constraints.insert((table, oid));
            }
        }
    }
}

struct Walk<'a> {
    catalog: &'a Catalog,
    gone: Gone,
    /// Dependents that only CASCADE removes: `(dependent, what it depends on)`.
    reports: Vec<(String, String)>,
}

impl Walk<'_> {
    fn check_allowed(&self, target: Target) -> Result<()> {
        match target {
            Target::Schema(oid) if oid < crate::catalog::FIRST_USER_OID => {
                if oid == crate::catalog::PUBLIC {
                    return Ok(());
                }
                Err(Error::new(
                    SqlState::DEPENDENT_OBJECTS_STILL_EXIST,
                    format!(
                        "cannot drop schema {} because it is required by the database system",
                        identifier::quote(self.catalog.schema_name(oid))
                    ),
                ))
            }
            Target::Schema(_) => Ok(()),
            Target::Relation(oid) | Target::Column(oid, _) | Target::Constraint(oid, _) => {
                match self.catalog.relation(oid) {
                    Some(relation) => resolve::check_not_system(relation)?,
                    None => return Err(Error::bug(format!("no relation {oid} to drop"))),
                }
                if let Target::Relation(oid) = target {
                    self.check_not_internal(oid)?;
                }
                Ok(())
            }
        }
    }

    /// Indexes of constraints and sequences of identity columns go only with their owners.
    fn check_not_internal(&self, oid: u32) -> Result<()> {
        if let Some((table, position)) = self.catalog.constraint_of_index(oid) {
            let constraint = table.as_table().and_then(|table| table.constraints.get(position));
            let name = constraint.map_or("", |constraint| constraint.name.as_str());
            let owner =
                format!("constraint {} on table {}", identifier::quote(name), self.plain(&table));
            return Err(required(&self.describe(oid), &owner));
        }
        if let Some((table, column)) = self.identity_owner(oid) {
            let owner = format!("column {} of table {}", identifier::quote(&column), table);
            return Err(required(&self.describe(oid), &owner));
        }
        Ok(())
    }

    fn identity_owner(&self, sequence: u32) -> Option<(String, String)> {
        let (table, _) = self.catalog.relation(sequence)?.as_sequence()?.owned_by?;
        let table = self.catalog.relation(table)?;
        let column =
            table.as_table()?.columns.iter().find(|column| {
                column.identity.is_some_and(|identity| identity.sequence == sequence)
            })?;
        Some((self.plain(table), column.name.clone()))
    }

    fn visit(&mut self, target: Target) {
        match target {
            Target::Relation(oid) => self.visit_relation(oid),
            Target::Schema(oid) => self.visit_schema(oid),
            Target::Column(table, id) => self.visit_column(table, id),
            Target::Constraint(table, oid) => self.visit_constraint(table, oid),
        }
    }

    /// Goes silently along with its owner.
    fn take(&mut self, oid: u32) {
        if self.gone.relations.insert(oid) {
            self.visit_relation(oid);
        }
    }

    /// Goes only with CASCADE.
    fn report_relation(&mut self, oid: u32, on: &str) {
        if self.gone.relations.contains(&oid) {
            return;
        }
        self.reports.push((self.describe(oid), on.to_owned()));
        self.take(oid);
    }

    fn visit_relation(&mut self, oid: u32) {
        let Some(relation) = self.catalog.relation(oid).cloned() else { return };
        if self.gone.order.contains(&oid) {
            return;
        }
        self.gone.order.push(oid);
        let name = self.describe(oid);
        match &relation.kind {
            RelationKind::Table(_) => {
                self.report_foreign_keys(oid, &name, |_| true);
                for index in self.catalog.indexes_of(oid) {
                    self.take(index.oid);
                }
                for sequence in self.catalog.owned_sequences(oid, None) {
                    self.take(sequence.oid);
                }
            }
            RelationKind::Index(index) => {
                self.report_foreign_keys(index.table, &name, |key| key.referenced_index == oid);
            }
            RelationKind::Sequence(_) => {
                self.visit_defaults(&relation, &name);
            }
            RelationKind::View(_) => {}
        }
        for view in self.catalog.views_on(oid) {
            // Views of a schema that goes are listed with the schema.
            if !self.gone.schemas.contains(&view.schema) {
                self.report_relation(view.oid, &name);
            }
        }
    }

    /// Foreign keys of other relations to a table, those that the caller picks.
    fn report_foreign_keys(&mut self, table: u32, on: &str, picks: impl Fn(&ForeignKey) -> bool) {
        for key in self.catalog.foreign_keys_to(table) {
            if key.foreign_key().is_some_and(&picks)
                && let Some(constraint) = key.descriptor()
            {
                self.report_constraint(&key.table, constraint.oid, on);
            }
        }
    }

    fn report_constraint(&mut self, table: &RelationDescriptor, constraint: u32, on: &str) {
        if self.gone.relations.contains(&table.oid)
            || self.gone.schemas.contains(&table.schema)
            || !self.gone.constraints.insert((table.oid, constraint))
        {
            return;
        }
        let name = constraint_name(table, constraint);
        let described =
            format!("constraint {} on table {}", identifier::quote(name), self.plain(table));
        self.reports.push((described, on.to_owned()));
    }

    /// Defaults that draw from a sequence that goes.
    fn visit_defaults(&mut self, sequence: &RelationDescriptor, on: &str) {
        for relation in self.catalog.relations() {
            let Some(table) = relation.as_table() else { continue };
            if self.gone.relations.contains(&relation.oid) {
                continue;
            }
            for column in &table.columns {
                let uses = column
                    .default
                    .as_deref()
                    .is_some_and(|default| self.draws_from(default, sequence));
                if self.gone.columns.contains(&(relation.oid, column.id)) || !uses {
                    continue;
                }
                if self.gone.defaults.insert((relation.oid, column.id)) {
                    let described = format!(
                        "default value for column {} of table {}",
                        identifier::quote(&column.name),
                        self.plain(relation)
                    );
                    self.reports.push((described, on.to_owned()));
                }
            }
        }
    }

    fn draws_from(&self, default: &str, sequence: &RelationDescriptor) -> bool {
        expression::sequence_names(default).iter().any(|parts| match parts.as_slice() {
            [name] => *name == sequence.name,
            [.., schema, name] => {
                *name == sequence.name && *schema == self.catalog.schema_name(sequence.schema)
            }
            [] => false,
        })
    }

    fn visit_schema(&mut self, oid: u32) {
        let on = format!("schema {}", identifier::quote(self.catalog.schema_name(oid)));
        // Tables first, so that what belongs to a table is not listed on its own.
        let mut members: Vec<_> = self.catalog.relations_in(oid).cloned().collect();
        members.sort_by_key(|relation| {
            (!matches!(relation.kind, RelationKind::Table(_)), relation.oid)
        });
        for relation in &members {
            let owned = match &relation.kind {
                RelationKind::Index(_) => true,
                RelationKind::Sequence(sequence) => sequence.owned_by.is_some_and(|(table, _)| {
                    self.catalog.relation(table).is_some_and(|table| table.schema == oid)
                }),
                _ => false,
            };
            if owned {
                self.take(relation.oid);
            } else {
                self.report_relation(relation.oid, &on);
            }
        }
    }

    fn visit_column(&mut self, table: u32, id: u32) {
        let Some(relation) = self.catalog.relation(table).cloned() else { return };
        let Some(descriptor) = relation.as_table() else { return };
        let Some((_, column)) = descriptor.column_by_id(id) else { return };
        let on = format!(
            "column {} of table {}",
            identifier::quote(&column.name),
            self.plain(&relation)
        );
        // A foreign key on the column itself goes silently, one that refers to it does not.
        self.report_foreign_keys(table, &on, |key| {
            key.referenced_columns.contains(&id)
                && !(key.referenced_table == table && key.columns == [id])
        });
        for index in self.catalog.indexes_of(table) {
            let uses = index
                .as_index()
                .is_some_and(|index| index.columns.iter().any(|key| key.column == id));
            if uses && self.catalog.constraint_of_index(index.oid).is_none() {
                self.take(index.oid);
            }
        }
        for sequence in self.catalog.owned_sequences(table, Some(id)) {
            self.take(sequence.oid);
        }
        for constraint in &descriptor.constraints {
            let involved = match &constraint.kind {
                ConstraintKind::Check { expression } => {
                    expression::mentions(expression, &column.name)
                }
                ConstraintKind::Unique { columns, .. } => columns.contains(&id),
                ConstraintKind::ForeignKey(key) => key.columns.contains(&id),
            };
            if involved && self.gone.constraints.insert((table, constraint.oid)) {
                self.visit_constraint(table, constraint.oid);
            }
        }
        for other in &descriptor.columns {
            let reads = other
                .generated
                .as_deref()
                .is_some_and(|expression| expression::mentions(expression, &column.name));
            if reads && other.id != id && self.gone.columns.insert((table, other.id)) {
                let described = format!(
                    "column {} of table {}",
                    identifier::quote(&other.name),
                    self.plain(&relation)
                );
                self.reports.push((described, on.clone()));
                self.visit_column(table, other.id);
            }
        }
        for view in self.catalog.views_on(table) {
            let reads = view
                .as_view()
                .is_some_and(|view| expression::mentions_or_star(&view.query, &column.name));
            if reads {
                self.report_relation(view.oid, &on);
            }
        }
    }

    fn visit_constraint(&mut self, table: u32, oid: u32) {
        let Some(relation) = self.catalog.relation(table).cloned() else { return };
        let Some(descriptor) = relation.as_table() else { return };
        let Some(constraint) = descriptor.constraints.iter().find(|found| found.oid == oid) else {
            return;
        };
        let ConstraintKind::Unique { index, .. } = &constraint.kind else { return };
        self.gone.constraints.insert((table, oid));
        self.take(*index);
    }

    /// As messages name a relation: `table t`, with its schema unless that is `public`.
    fn describe(&self, oid: u32) -> String {
        self.catalog.relation(oid).map_or_else(String::new, |relation| {
            format!("{} {}", resolve::kind_word(relation), self.plain(relation))
        })
    }

    fn plain(&self, relation: &RelationDescriptor) -> String {
        display(self.catalog, relation)
    }

    fn refusal(&self, targets: &[Target]) -> Error {
        let message = match targets {
            [target] => format!(
                "cannot drop {} because other objects depend on it",
                self.describe_target(*target)
            ),
            _ => "cannot drop desired object(s) because other objects depend on them".to_owned(),
        };
        let lines: Vec<String> =
            self.reports.iter().map(|(object, on)| format!("{object} depends on {on}")).collect();
        Error::new(SqlState::DEPENDENT_OBJECTS_STILL_EXIST, message)
            .with_detail(listed(&lines))
            .with_hint("Use DROP ... CASCADE to drop the dependent objects too.")
    }

    fn describe_target(&self, target: Target) -> String {
        match target {
            Target::Relation(oid) => self.describe(oid),
            Target::Schema(oid) => {
                format!("schema {}", identifier::quote(self.catalog.schema_name(oid)))
            }
            Target::Column(table, id) => {
                self.catalog.relation(table).map_or_else(String::new, |relation| {
                    let name = relation
                        .as_table()
                        .and_then(|table| table.column_by_id(id))
                        .map_or("", |(_, column)| column.name.as_str());
                    format!("column {} of table {}", identifier::quote(name), self.plain(relation))
                })
            }
            Target::Constraint(table, oid) => {
                self.catalog.relation(table).map_or_else(String::new, |relation| {
                    let name = constraint_name(relation, oid);
                    format!(
                        "constraint {} on table {}",
                        identifier::quote(name),
                        self.plain(relation)
                    )
                })
            }
        }
    }

    fn into_plan(self) -> RemovalPlan {
        let notice = match self.reports.as_slice() {
            [] => None,
            [(object, _)] => Some((format!("drop cascades to {object}"), None)),
            many => {
                let lines: Vec<String> =
                    many.iter().map(|(object, _)| format!("drop cascades to {object}")).collect();
                let message = format!("drop cascades to {} other objects", many.len());
                Some((message, Some(listed(&lines))))
            }
        };
        let touched: BTreeSet<u32> = self
            .gone
            .constraints
            .iter()
            .chain(&self.gone.columns)
            .chain(&self.gone.defaults)
            .map(|(table, _)| *table)
            .filter(|table| !self.gone.relations.contains(table))
            .collect();
        let changed = touched
            .into_iter()
            .filter_map(|oid| self.catalog.relation(oid))
            .map(|relation| self.without(relation))
            .collect();
        let mut relations = self.gone.order;
        // A table was found before what belongs to it; the reverse is a safe order.
        relations.reverse();
        RemovalPlan { changed, relations, schemas: self.gone.schemas.into_iter().collect(), notice }
    }

    /// A table without what goes.
    fn without(&self, relation: &RelationDescriptor) -> RelationDescriptor {
        let mut relation = relation.clone();
        let oid = relation.oid;
        if let RelationKind::Table(table) = &mut relation.kind {
            table
                .constraints
                .retain(|constraint| !self.gone.constraints.contains(&(oid, constraint.oid)));
            table.columns.retain(|column| !self.gone.columns.contains(&(oid, column.id)));
            for column in &mut table.columns {
                if self.gone.defaults.contains(&(oid, column.id)) {
                    column.default = None;
                }
            }
        }
        relation
    }
}

/// A relation's name as error messages show it: with its schema unless that is `public`.
pub(crate) fn display(catalog: &Catalog, relation: &RelationDescriptor) -> String {
    if relation.schema == crate::catalog::PUBLIC {
        identifier::quote(&relation.name).into_owned()
    } else {
        catalog.qualified_name(relation)
    }
}

fn constraint_name(relation: &RelationDescriptor, oid: u32) -> &str {
    relation
        .as_table()
        .and_then(|table| table.constraints.iter().find(|constraint| constraint.oid == oid))
        .map_or("", |constraint| constraint.name.as_str())
}

fn required(object: &str, owner: &str) -> Error {
    Error::new(
        SqlState::DEPENDENT_OBJECTS_STILL_EXIST,
        format!("cannot drop {object} because {owner} requires it"),
    )
    .with_hint(format!("You can drop {owner} instead."))
}

fn listed(lines: &[String]) -> String {
    if lines.len() <= REPORTED_MAX {
        return lines.join("\n");
    }
    let rest = lines.len() - REPORTED_MAX;
    let noun = if rest == 1 { "object" } else { "objects" };
    format!(
        "{}\nand {rest} other {noun} (see server log for list)",
        lines[..REPORTED_MAX].join("\n")
    )
}

#[cfg(test)]
mod tests;
