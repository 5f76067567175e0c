//! Functions in FROM whose columns the query defines (`json_to_record(…) AS x (a int)`), and the
//! functions that stand for several.

use std::sync::Arc;

use datafusion::logical_expr::Expr;
use oxi_base::{Error, Result, SqlState};
use oxi_model::{Datum, PhysicalType, descriptor::TypeRef};
use oxi_types::{builtin::CastContext, oid};

use crate::{
    ast::{ExprKind, TableFunction},
    bind::{
        Binder,
        call::pick_function,
        coerce::element_of,
        expr::{Cx, constant},
        typed::{Typed, bare_column},
        types::resolve_type,
    },
    function::{
        set::SingleUdf,
        udf::{BuiltinUdf, Definition, Implementation},
        value::physical_of,
    },
};

/// A bound function with the columns that the query defines.
pub(crate) struct DefinedRecord {
    pub(crate) name: String,
    /// The column that holds an element of the list.
    pub(crate) column: String,
    pub(crate) list: Expr,
    /// Name, type and value of each column over that one.
    pub(crate) outputs: Vec<(String, TypeRef, Expr)>,
}

/// `unnest` of several arrays is one `unnest` of each, side by side.
pub(crate) fn spread_unnest(functions: &[TableFunction]) -> Vec<TableFunction> {
    let mut spread = Vec::with_capacity(functions.len());
    for function in functions {
        match &function.call.kind {
            ExprKind::Call(call)
                if call.name.last() == "unnest"
                    && call.args.len() > 1
                    && function.columns.is_empty() =>
            {
                for argument in &call.args {
                    let mut single = function.clone();
                    if let ExprKind::Call(call) = &mut single.call.kind {
                        call.args = vec![argument.clone()];
                    }
                    spread.push(single);
                }
            }
            _ => spread.push(function.clone()),
        }
    }
    spread
}

impl Binder<'_> {
    /// Binds such a function.
    pub(crate) fn defined_record(
        &mut self,
        function: &TableFunction,
        cx: &mut Cx<'_>,
    ) -> Result<DefinedRecord> {
        let span = function.call.span;
        let refused = || {
            Error::new(
                SqlState::SYNTAX_ERROR,
                "a column definition list is only allowed for functions returning \"record\"",
            )
            .at(span.position())
        };
        let call = function.function().ok_or_else(refused)?;
        let name = call.name.last();
        let (ty, elements) = match name {
            "json_to_record" => (oid::JSON, None),
            "jsonb_to_record" => (oid::JSONB, None),
            "json_to_recordset" => (oid::JSON, Some("json_array_elements")),
            "jsonb_to_recordset" => (oid::JSONB, Some("jsonb_array_elements")),
            _ => return Err(refused()),
        };
        let args = self.call_args(call, cx)?;
        let [arg] = <[Typed; 1]>::try_from(args).map_err(|args| {
            let types = args.iter().map(|arg| arg.ty.oid).collect::<Vec<_>>();
            crate::bind::call::undefined_function(name, &types, span)
        })?;
        let arg = self.coerce(arg, TypeRef::plain(ty), CastContext::Implicit)?;
        let list = match elements {
            None => SingleUdf::call_expr(arg.expr, &physical_of(ty)),
            Some(elements) => {
                let mut inner = call.clone();
                if let Some(last) = inner.name.parts.last_mut() {
                    elements.clone_into(&mut last.value);
                }
                let args = vec![arg];
                let found = pick_function(&inner, &args)?;
                self.set_call(&found, args, &inner)?.list
            }
        };
        let column = self.fresh_name("set");
        let mut outputs = Vec::with_capacity(function.columns.len());
        for definition in &function.columns {
            let wanted = resolve_type(&definition.data_type)?;
            let row = Typed::plain(bare_column(&column), ty, definition.span);
            let value = self.record_field(row, &definition.name.value, wanted)?;
            outputs.push((definition.name.value.clone(), value.ty, value.expr));
        }
        Ok(DefinedRecord { name: name.to_owned(), column, list, outputs })
    }

    /// A field of a JSON object as a value of a type.
    fn record_field(&mut self, row: Typed, name: &str, wanted: TypeRef) -> Result<Typed> {
        let span = row.span;
        let name = constant(&Datum::text(name), oid::TEXT, span)?;
        if matches!(wanted.oid, oid::JSON | oid::JSONB) {
            let value = self.binary("->", row, name, span)?;
            return self.coerce(value, wanted, CastContext::Explicit);
        }
        let mut value = self.binary("->>", row, name, span)?;
        if element_of(wanted.oid).is_some() {
            value = array_literal(value);
        }
        self.coerce(value, wanted, CastContext::Explicit)
    }
}

/// The text of a JSON array as the text of an array.
fn array_literal(value: Typed) -> Typed {
    let span = value.span;
    let expr = BuiltinUdf::new(Definition {
        name: "json_array_literal".to_owned(),
        identity: "json_array_literal".to_owned(),
        args: vec![PhysicalType::Text],
        returns: PhysicalType::Text,
        strict: true,
        volatility: datafusion::logical_expr::Volatility::Immutable,
        implementation: Implementation::Closure(Arc::new(|_, args| match args {
            [Datum::Text(text)] => Ok(Datum::text(oxi_types::json::array_literal(text)?.as_str())),
            _ => Ok(Datum::Null),
        })),
    })
    .call_expr(vec![value.expr]);
    Typed::plain(expr, oid::TEXT, span)
}
