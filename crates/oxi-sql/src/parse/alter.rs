//! ALTER.

use oxi_base::Result;

use super::cursor::Parser;
use crate::ast::*;

impl Parser<'_> {
    pub(super) fn alter(&mut self) -> Result<StatementKind> {
        let start = self.start();
        self.expect("alter")?;
        let Some(kind) = self.object_kind() else { return Err(self.unsupported_word("ALTER")) };
        if kind == ObjectKind::Role {
            return self.alter_role();
        }
        let if_exists = self.if_exists();
        let (name, only) = match kind {
            ObjectKind::Table => self.relation()?,
            _ => (self.object_name()?, false),
        };
        if self.is("rename") {
            return self.rename(kind, name, if_exists);
        }
        if self.are(&["set", "schema"]) {
            self.expect_all(&["set", "schema"])?;
            let schema = self.col_id()?;
            return Ok(StatementKind::SetObjectSchema(SetObjectSchema {
                kind,
                name,
                schema,
                if_exists,
            }));
        }
        if self.are(&["owner", "to"]) && !self.sym_at(3, ",") {
            self.expect_all(&["owner", "to"])?;
            let owner = self.role()?;
            return Ok(StatementKind::OwnerTo(OwnerTo { kind, name, owner, if_exists }));
        }
        if kind == ObjectKind::Sequence && !self.is("set") {
            let options = self.sequence_options()?;
            if options.is_empty() {
                return Err(self.syntax_error());
            }
            return Ok(StatementKind::AlterSequence(AlterSequence { name, if_exists, options }));
        }
        let relation = matches!(
            kind,
            ObjectKind::Table
                | ObjectKind::View
                | ObjectKind::MaterializedView
                | ObjectKind::Index
                | ObjectKind::Sequence
        );
        if !relation {
            return Err(self
                .unsupported(&format!("this form of ALTER {}", kind.name().to_ascii_uppercase())));
        }
        let actions = self.list(Self::alter_action)?;
        let span = self.since(start);
        Ok(StatementKind::AlterTable(Box::new(AlterTable {
            kind,
            name,
            if_exists,
            only,
            actions,
            span,
        })))
    }

    fn alter_role(&mut self) -> Result<StatementKind> {
        if self.is("all") {
            return Err(self.unsupported("ALTER ROLE ALL"));
        }
        let name = self.role()?;
        if self.is("rename") {
            return self.rename(ObjectKind::Role, ObjectName::unqualified(name), false);
        }
        if self.is_any(&["set", "reset", "in"]) {
            return Err(self.unsupported("ALTER ROLE SET"));
        }
        self.eat("with");
        Ok(StatementKind::AlterRole(AlterRole { name, options: self.role_options()? }))
    }

    fn rename(
        &mut self,
        kind: ObjectKind,
        name: ObjectName,
        if_exists: bool,
    ) -> Result<StatementKind> {
        self.expect("rename")?;
        let mut part = None;
        let mut what = kind;
        if self.eat("constraint") {
            what = ObjectKind::Constraint;
            part = Some(self.col_id()?);
        } else if !self.is("to") || self.is_at(1, "to") {
            if !self.eat("column") && kind == ObjectKind::Type {
                return Err(self.unsupported("this form of ALTER TYPE"));
            }
            what = ObjectKind::Column;
            part = Some(self.col_id()?);
        }
        self.expect("to")?;
        let new_name = self.col_id()?;
        Ok(StatementKind::Rename(Rename {
            kind: what,
            relation_kind: kind,
            name,
            part,
            new_name,
            if_exists,
        }))
    }

    fn alter_action(&mut self) -> Result<AlterAction> {
        let start = self.start();
        let kind = self.alter_action_kind()?;
        Ok(AlterAction { kind, span: self.since(start) })
    }

    fn alter_action_kind(&mut self) -> Result<AlterActionKind> {
        if self.eat("add") {
            return self.add_action();
        }
        if self.eat("drop") {
            return self.drop_action();
        }
        if self.eat("alter") {
            if self.eat("constraint") {
                let name = self.col_id()?;
                return Ok(AlterActionKind::AlterConstraint {
                    name,
                    deferral: self.deferral(false)?.0,
                });
            }
            self.eat("column");
            return self.alter_column();
        }
        if self.eat_all(&["validate", "constraint"]) {
            return Ok(AlterActionKind::ValidateConstraint(self.col_id()?));
        }
        if self.eat_all(&["owner", "to"]) {
            return Ok(AlterActionKind::OwnerTo(self.role()?));
        }
        if self.eat_all(&["cluster", "on"]) {
            return Ok(AlterActionKind::ClusterOn(self.col_id()?));
        }
        if self.is_any(&["enable", "disable"]) && self.is_at(1, "trigger") {
            let enable = self.is("enable");
            self.advance();
            self.advance();
            let name =
                if self.is_any(&["all", "user"]) { self.take_ident() } else { self.col_id()? };
            return Ok(AlterActionKind::Trigger { enable, name });
        }
        if self.eat_all(&["replica", "identity"]) {
            if self.eat_all(&["using", "index"]) {
                return Ok(AlterActionKind::ReplicaIdentityIndex(self.col_id()?));
            }
            return Ok(AlterActionKind::ReplicaIdentity(
                self.expect_any(&["nothing", "full", "default"])?.to_owned(),
            ));
        }
        self.set_action()
    }

    fn add_action(&mut self) -> Result<AlterActionKind> {
        if self.is_table_constraint() {
            return Ok(AlterActionKind::AddConstraint(Box::new(self.table_constraint()?)));
        }
        self.eat("column");
        let if_not_exists = self.if_not_exists();
        let column = Box::new(self.column_def()?);
        Ok(AlterActionKind::AddColumn { column, if_not_exists })
    }

    fn drop_action(&mut self) -> Result<AlterActionKind> {
        let constraint = self.eat("constraint");
        if !constraint {
            self.eat("column");
        }
        let if_exists = self.if_exists();
        let name = self.col_id()?;
        let cascade = self.cascade();
        Ok(if constraint {
            AlterActionKind::DropConstraint { name, if_exists, cascade }
        } else {
            AlterActionKind::DropColumn { name, if_exists, cascade }
        })
    }

    /// SET and RESET of the table's own properties.
    fn set_action(&mut self) -> Result<AlterActionKind> {
        if self.eat("reset") {
            let names = self.in_parens(|p| Ok(p.col_label()?.value))?;
            return Ok(AlterActionKind::ResetOptions(names));
        }
        self.expect("set")?;
        if self.sym("(") {
            return Ok(AlterActionKind::SetOptions(self.storage_options()?));
        }
        if self.eat("logged") {
            return Ok(AlterActionKind::SetLogged(true));
        }
        if self.eat("unlogged") {
            return Ok(AlterActionKind::SetLogged(false));
        }
        self.expect_all(&["without", "cluster"])?;
        Ok(AlterActionKind::SetWithoutCluster)
    }

    fn alter_column(&mut self) -> Result<AlterActionKind> {
        let column = self.col_id()?;
        if self.eat("type") || self.eat_all(&["set", "data", "type"]) {
            let data_type = self.type_name()?;
            let collation = if self.eat("collate") { Some(self.object_name()?) } else { None };
            let using = if self.eat("using") { Some(self.expr()?) } else { None };
            return Ok(AlterActionKind::SetType { column, data_type, collation, using });
        }
        if self.eat("drop") {
            return match self.expect_any(&["default", "not", "identity", "expression"])? {
                "default" => Ok(AlterActionKind::DropDefault(column)),
                "not" => {
                    self.expect("null")?;
                    Ok(AlterActionKind::DropNotNull(column))
                }
                "identity" => {
                    Ok(AlterActionKind::DropIdentity { column, if_exists: self.if_exists() })
                }
                _ => Ok(AlterActionKind::DropExpression { column, if_exists: self.if_exists() }),
            };
        }
        if self.eat("add") {
            self.expect("generated")?;
            let always = self.generated_when()?;
            self.expect_all(&["as", "identity"])?;
            let mut options = Vec::new();
            if self.eat_sym("(") {
                options = self.sequence_options()?;
                self.expect_sym(")")?;
            }
            return Ok(AlterActionKind::AddIdentity { column, always, options });
        }
        if self.are(&["set", "default"]) {
            self.expect_all(&["set", "default"])?;
            return Ok(AlterActionKind::SetDefault { column, expr: self.expr()? });
        }
        if self.eat_all(&["set", "not", "null"]) {
            return Ok(AlterActionKind::SetNotNull(column));
        }
        if self.eat_all(&["set", "statistics"]) {
            let at = self.start();
            let target = self.signed_number()?;
            let target = target.parse().map_err(|_| Self::grammar("syntax error", at))?;
            return Ok(AlterActionKind::SetStatistics { column, target });
        }
        if self.eat_all(&["set", "storage"]) {
            return Ok(AlterActionKind::SetStorage { column, storage: self.col_label()? });
        }
        self.alter_identity(column)
    }

    /// `SET GENERATED …`, `SET sequence_option`, `RESTART …`.
    fn alter_identity(&mut self, column: Ident) -> Result<AlterActionKind> {
        let mut always = None;
        let mut options = Vec::new();
        let mut any = false;
        while self.is_any(&["set", "restart"]) {
            any = true;
            if self.eat_all(&["set", "generated"]) {
                always = Some(self.generated_when()?);
                continue;
            }
            self.eat("set");
            let more = self.sequence_options()?;
            if more.is_empty() {
                return Err(self.syntax_error());
            }
            options.extend(more);
        }
        if any {
            Ok(AlterActionKind::SetIdentity { column, always, options })
        } else {
            Err(self.syntax_error())
        }
    }
}
