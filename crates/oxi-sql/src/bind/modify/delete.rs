//! DELETE.

use oxi_base::Result;

use crate::{
    ast::Delete,
    bind::{
        Binder, Command,
        from::plan_of,
        modify::{Changed, computed_again, modify_input, one_row, recheck},
        scope::Scope,
    },
    function::error::from_datafusion,
    plan::{Action, ModifyNode, modify::ModifyParts},
};

impl Binder<'_> {
    pub(crate) fn delete(&mut self, delete: &Delete) -> Result<Changed> {
        let parent = Scope::default();
        if let Some(with) = &delete.with {
            self.with(with, &parent)?;
        }
        let relation = self.target_table(&delete.table.name)?;
        let (target, item) = self.target_rows(
            relation.clone(),
            delete.table.alias.as_ref(),
            delete.table.span,
            &delete.using,
            &parent,
        )?;
        let scope = item.scope(&parent);
        let plan = plan_of(item.source)?;
        let row = one_row(&plan);
        let (plan, condition) = self.target_filter(plan, delete.filter.as_ref(), &scope)?;
        let input = modify_input(plan, &target)?;
        let (returning, fields) = self.returning(&delete.returning, &scope)?;
        let predicate = recheck(condition.as_ref());
        let again = computed_again(row, condition, &[], &target)?;
        let node = ModifyNode::new(ModifyParts {
            table: relation.clone(),
            qualifier: target.qualifier,
            input,
            action: Action::Delete { predicate },
            again,
            checks: Vec::new(),
            returning,
        })
        .map_err(from_datafusion)?;
        let (plan, relation) = (node.into_plan(), relation.oid);
        Ok(Changed { plan, fields, command: Command::Delete, relation })
    }
}
