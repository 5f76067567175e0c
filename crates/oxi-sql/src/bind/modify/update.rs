//! UPDATE.

use datafusion::{
    common::tree_node::{Transformed, TreeNode, TreeNodeRecursion},
    logical_expr::Expr,
};
use oxi_base::Result;

use crate::{
    ast::Update,
    bind::{
        Binder, Command,
        expr::Cx,
        from::plan_of,
        modify::{
            Changed, assignment::Set, computed_again, modify_input, one_row, recheck, with_values,
        },
        scope::Scope,
        typed::bare_column,
    },
    function::error::from_datafusion,
    plan::{Action, Assignment, ModifyNode, modify::ModifyParts},
};

impl Binder<'_> {
    pub(crate) fn update(&mut self, update: &Update) -> Result<Changed> {
        let parent = Scope::default();
        if let Some(with) = &update.with {
            self.with(with, &parent)?;
        }
        let relation = self.target_table(&update.table.name)?;
        let (target, item) = self.target_rows(
            relation.clone(),
            update.table.alias.as_ref(),
            update.table.span,
            &update.from,
            &parent,
        )?;
        let scope = item.scope(&parent);
        let plan = plan_of(item.source)?;
        let row = one_row(&plan);
        let (plan, condition) = self.target_filter(plan, update.filter.as_ref(), &scope)?;
        let mut cx = Cx::plain(&scope, "UPDATE");
        let mut sets = self.assignments(&update.assignments, &target, &mut cx)?;
        let pulled = self.pull_subqueries(&mut sets)?;
        let input = modify_input(with_values(plan, &pulled)?, &target)?;
        let generated = self.generated(&target)?;
        let checks = self.checks(&target)?;
        let (returning, fields) = self.returning(&update.returning, &scope)?;
        let predicate = recheck(condition.as_ref());
        let again = computed_again(row, condition, &pulled, &target)?;
        let set = sets
            .into_iter()
            .map(|set| Assignment { column: set.column, value: set.value.expr })
            .collect();
        let node = ModifyNode::new(ModifyParts {
            table: relation.clone(),
            qualifier: target.qualifier.clone(),
            input,
            action: Action::Update { set, generated, predicate },
            again,
            checks,
            returning,
        })
        .map_err(from_datafusion)?;
        let (plan, relation) = (node.into_plan(), relation.oid);
        Ok(Changed { plan, fields, command: Command::Update, relation })
    }

    /// Takes the subqueries out of SET, to be computed in the input, where DataFusion can plan
    /// them.
    fn pull_subqueries(&mut self, sets: &mut [Set]) -> Result<Vec<Expr>> {
        let mut pulled = Vec::new();
        for set in sets.iter_mut() {
            let owned = std::mem::take(&mut set.value.expr);
            set.value.expr = owned
                .transform_down(|inner| {
                    let subquery = matches!(
                        inner,
                        Expr::ScalarSubquery(_)
                            | Expr::Exists(_)
                            | Expr::InSubquery(_)
                            | Expr::SetComparison(_)
                    );
                    if !subquery {
                        return Ok(Transformed::no(inner));
                    }
                    let name = self.fresh_name("value");
                    pulled.push(inner.alias(&name));
                    Ok(Transformed::new(bare_column(&name), true, TreeNodeRecursion::Jump))
                })
                .map_err(from_datafusion)?
                .data;
        }
        Ok(pulled)
    }
}
