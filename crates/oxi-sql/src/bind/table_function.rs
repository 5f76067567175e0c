//! Functions in FROM: one or several side by side, numbered or not.

use datafusion::{
    common::{Column, TableReference},
    logical_expr::Expr,
};
use oxi_base::Result;
use oxi_model::descriptor::TypeRef;
use oxi_types::oid;

use crate::{
    ast::{SelectItem, TableAlias, TableFunction},
    bind::{
        Binder,
        call::pick_function,
        expr::Cx,
        from::{FromItem, Source, Spread, alias_of, rename_columns},
        scope::{Scope, ScopeColumn, ScopeRelation},
        typed::bare_column,
    },
    function::{
        set::{FieldUdf, OrdinalityUdf, SingleUdf},
        value::physical_of,
    },
};

/// What the functions of one item come to.
#[derive(Default)]
struct Parts {
    /// The functions' names.
    names: Vec<String>,
    /// Name and list.
    lists: Vec<(String, Expr)>,
    /// Name, type and value over the lists.
    outputs: Vec<(String, TypeRef, Expr)>,
}

impl Binder<'_> {
    pub(crate) fn functions(
        &mut self,
        functions: &[TableFunction],
        ordinality: bool,
        alias: Option<&TableAlias>,
        lateral: &Scope<'_>,
    ) -> Result<FromItem> {
        let functions = crate::bind::record::spread_unnest(functions);
        // The items before are one level out for the function's arguments.
        let scope = Scope::inside(lateral);
        let mut parts = Parts::default();
        for function in &functions {
            self.table_function(function, &scope, &mut parts)?;
        }
        // A function of one plain column takes the alias for its column name too.
        let defined = functions.iter().any(|function| !function.columns.is_empty());
        let single = !defined && functions.len() == 1 && parts.outputs.len() == 1;
        if ordinality {
            let list = self.fresh_name("set");
            let lists = parts.lists.iter().map(|(_, list)| list.clone()).collect();
            let numbers = OrdinalityUdf::call_expr(lists);
            let ty = TypeRef::plain(oid::INT8);
            parts.outputs.push(("ordinality".to_owned(), ty, bare_column(&list)));
            parts.lists.push((list, numbers));
        }
        self.function_item(parts, single, alias)
    }

    fn table_function(
        &mut self,
        function: &TableFunction,
        scope: &Scope<'_>,
        parts: &mut Parts,
    ) -> Result<()> {
        let mut cx = Cx::plain(scope, "functions in FROM");
        if !function.columns.is_empty() {
            let defined = self.defined_record(function, &mut cx)?;
            parts.names.push(defined.name);
            parts.lists.push((defined.column, defined.list));
            parts.outputs.extend(defined.outputs);
            return Ok(());
        }
        let list = self.fresh_name("set");
        let mut set = None;
        if let Some(call) = function.function() {
            let args = self.call_args(call, &mut cx)?;
            if let Ok(found) = pick_function(call, &args)
                && found.target.returns_set
            {
                set = Some(self.set_call(&found, args, call)?);
            }
        }
        let Some(set) = set else {
            let value = self.expr(&function.call, &mut cx)?;
            let value = self.resolve_unknown(value)?;
            let name = crate::bind::naming::item_name(&SelectItem {
                expr: function.call.clone(),
                alias: None,
                span: function.call.span,
            });
            parts.names.push(name.clone());
            parts.outputs.push((name, value.ty, bare_column(&list)));
            let single = SingleUdf::call_expr(value.expr, &physical_of(value.ty.oid));
            parts.lists.push((list, single));
            return Ok(());
        };
        parts.names.push(set.name.clone());
        if set.is_row {
            for (index, (name, ty)) in set.columns.iter().enumerate() {
                let field = FieldUdf::call_expr(bare_column(&list), index, &physical_of(ty.oid));
                parts.outputs.push((name.clone(), *ty, field));
            }
        } else {
            let ty = set.columns.first().map_or(TypeRef::plain(oid::TEXT), |c| c.1);
            parts.outputs.push((set.name.clone(), ty, bare_column(&list)));
        }
        parts.lists.push((list, set.list));
        Ok(())
    }

    fn function_item(
        &mut self,
        parts: Parts,
        single: bool,
        alias: Option<&TableAlias>,
    ) -> Result<FromItem> {
        let default = parts.names.first().map_or("function", String::as_str);
        let (name, renamed) = alias_of(alias, default);
        let qualifier = TableReference::bare(self.fresh_qualifier(&name));
        let mut columns = Vec::with_capacity(parts.outputs.len());
        let mut exprs = Vec::with_capacity(parts.outputs.len());
        for (index, (column_name, ty, expr)) in parts.outputs.into_iter().enumerate() {
            let own = if single && index == 0 && alias.is_some_and(|a| a.name.is_some()) {
                name.clone()
            } else {
                column_name
            };
            let internal = format!("{own}_{index}");
            exprs.push(expr.alias_qualified(Some(qualifier.clone()), &internal));
            columns.push(ScopeColumn {
                name: own,
                ty,
                expr: Expr::Column(Column::new(Some(qualifier.clone()), internal)),
                origin: None,
                hidden: false,
            });
        }
        let columns = rename_columns(columns, renamed, &name)?;
        let relations = vec![ScopeRelation {
            alias: name,
            schema: None,
            columns: columns.clone(),
            table: None,
            hidden: false,
        }];
        let source = Source::Functions(Spread { lists: parts.lists, columns: exprs });
        Ok(FromItem { source, relations, columns })
    }
}
