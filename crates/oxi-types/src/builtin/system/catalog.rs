//! Functions that ask the catalog.

use oxi_base::Result;
use oxi_model::{Datum, descriptor::TypeRef};

use crate::{
    builtin::args::{arg, scalar},
    context::{EvalContext, ObjectClass},
    io, oid, pg_type,
};

fn visible(context: &EvalContext, class: ObjectClass, object: u32) -> Result<Option<bool>> {
    if class == ObjectClass::Type && pg_type::by_oid(object).is_some() {
        return Ok(Some(true));
    }
    if class == ObjectClass::Function
        && crate::builtin::FUNCTIONS.binary_search_by_key(&object, |row| row.oid).is_ok()
    {
        return Ok(Some(true));
    }
    Ok(context.session.name_of(class, object)?.map(|name| name.visible))
}

fn definition(context: &EvalContext, function: &str, object: u32) -> Result<Option<String>> {
    context.session.get_definition(function, object)
}

fn find(context: &EvalContext, type_oid: u32, name: &str) -> Result<Option<u32>> {
    io::reg_find(context, type_oid, name)
}

/// The name of a type with its modifier.
fn type_name(context: &EvalContext, type_oid: u32, typmod: Option<i32>) -> Result<String> {
    let reference = TypeRef { oid: type_oid, typmod: typmod.unwrap_or(-1) };
    if pg_type::by_oid(type_oid).is_none()
        && let Some(name) = context.session.format_type(reference)?
    {
        return Ok(name);
    }
    // Without a modifier at all bpchar is spelled as the standard does.
    if type_oid == oid::BPCHAR && typmod.is_none() {
        return Ok("character".to_owned());
    }
    Ok(pg_type::format_type(reference))
}

fn viewdef_by_name(context: &EvalContext, name: &str, pretty: bool) -> Result<Option<String>> {
    let relation = io::reg_in(context, oid::REGCLASS, name)?;
    context.session.get_viewdef(relation, pretty)
}

scalar! {
    fn format_type[context](object: Option<u32>, typmod: Option<i32>) -> Option<String> {
        object.map(|object| type_name(context, object, typmod)).transpose()?
    }
    fn pg_get_expr[context](expression: &str, relation: u32) -> Option<String> {
        context.session.get_expr(expression, relation)?
    }
    fn pg_get_expr_ext[context](expression: &str, relation: u32, _pretty: bool) -> Option<String> {
        context.session.get_expr(expression, relation)?
    }
    fn pg_get_constraintdef[context](object: u32) -> Option<String> {
        context.session.get_constraintdef(object, false)?
    }
    fn pg_get_constraintdef_ext[context](object: u32, pretty: bool) -> Option<String> {
        context.session.get_constraintdef(object, pretty)?
    }
    fn pg_get_indexdef[context](object: u32) -> Option<String> {
        context.session.get_indexdef(object, 0, false)?
    }
    fn pg_get_indexdef_ext[context](object: u32, column: i32, pretty: bool) -> Option<String> {
        context.session.get_indexdef(object, column, pretty)?
    }
    fn pg_get_viewdef[context](object: u32) -> Option<String> {
        context.session.get_viewdef(object, false)?
    }
    fn pg_get_viewdef_ext[context](object: u32, pretty: bool) -> Option<String> {
        context.session.get_viewdef(object, pretty)?
    }
    fn pg_get_viewdef_wrap[context](object: u32, _width: i32) -> Option<String> {
        context.session.get_viewdef(object, true)?
    }
    fn pg_get_viewdef_name[context](name: &str) -> Option<String> { viewdef_by_name(context, name, false)? }
    fn pg_get_viewdef_name_ext[context](name: &str, pretty: bool) -> Option<String> {
        viewdef_by_name(context, name, pretty)?
    }
    fn pg_get_userbyid[context](role: u32) -> String {
        match context.session.name_of(ObjectClass::Role, role)? {
            Some(name) => name.name,
            None => format!("unknown (OID={role})"),
        }
    }
    fn pg_get_serial_sequence[context](table: &str, column: &str) -> Option<String> {
        let relation = io::reg_in(context, oid::REGCLASS, table)?;
        context.session.get_serial_sequence(relation, column)?
    }
    fn pg_get_functiondef[context](object: u32) -> Option<String> { definition(context, "pg_get_functiondef", object)? }
    fn pg_get_function_arguments[context](object: u32) -> Option<String> { definition(context, "pg_get_function_arguments", object)? }
    fn pg_get_function_identity_arguments[context](object: u32) -> Option<String> { definition(context, "pg_get_function_identity_arguments", object)? }
    fn pg_get_function_result[context](object: u32) -> Option<String> { definition(context, "pg_get_function_result", object)? }
    fn pg_get_function_sqlbody[context](object: u32) -> Option<String> { definition(context, "pg_get_function_sqlbody", object)? }
    fn pg_get_triggerdef[context](object: u32) -> Option<String> { definition(context, "pg_get_triggerdef", object)? }
    fn pg_get_triggerdef_ext[context](object: u32, _pretty: bool) -> Option<String> { definition(context, "pg_get_triggerdef", object)? }
    fn pg_get_ruledef[context](object: u32) -> Option<String> { definition(context, "pg_get_ruledef", object)? }
    fn pg_get_ruledef_ext[context](object: u32, _pretty: bool) -> Option<String> { definition(context, "pg_get_ruledef", object)? }
    fn pg_get_partkeydef[context](object: u32) -> Option<String> { definition(context, "pg_get_partkeydef", object)? }
    fn pg_get_partition_constraintdef[context](object: u32) -> Option<String> { definition(context, "pg_get_partition_constraintdef", object)? }
    fn pg_get_statisticsobjdef[context](object: u32) -> Option<String> { definition(context, "pg_get_statisticsobjdef", object)? }
    fn pg_get_statisticsobjdef_columns[context](object: u32) -> Option<String> { definition(context, "pg_get_statisticsobjdef_columns", object)? }
    fn pg_get_replica_identity_index(_object: u32) -> Option<u32> { None }
    fn pg_relation_is_publishable(_object: u32) -> bool { false }
    fn pg_partition_ancestors(_relation: u32) -> Vec<Datum> { Vec::new() }
    fn pg_relation_is_updatable(_object: u32, _triggers: bool) -> i32 { 28 }
    fn pg_column_is_updatable(_object: u32, _column: i16, _triggers: bool) -> bool { true }
    fn pg_relation_filenode(object: u32) -> u32 { object }
    fn pg_partition_root(object: u32) -> u32 { object }
    fn row_security_active(_object: u32) -> bool { false }
    fn row_security_active_name(_object: &str) -> bool { false }
    fn pg_sequence_last_value[context](sequence: u32) -> Option<i64> {
        definition(context, "pg_sequence_last_value", sequence)?.and_then(|value| value.parse().ok())
    }
    fn pg_index_column_has_property[context](index: u32, column: i32, property: &str) -> Option<bool> {
        let asked = format!("pg_index_column_has_property {column} {property}");
        definition(context, &asked, index)?.map(|answer| answer == "t")
    }
    fn sql_obj_description[context](object: u32, catalog: Option<&str>) -> Option<String> {
        context.session.description(object, catalog, 0)?
    }
    fn sql_shobj_description[context](object: u32, catalog: &str) -> Option<String> {
        context.session.description(object, Some(catalog), 0)?
    }
    fn sql_col_description[context](object: u32, column: i32) -> Option<String> {
        context.session.description(object, Some("pg_class"), column)?
    }
    fn pg_table_is_visible[context](object: u32) -> Option<bool> { visible(context, ObjectClass::Relation, object)? }
    fn pg_type_is_visible[context](object: u32) -> Option<bool> { visible(context, ObjectClass::Type, object)? }
    fn pg_function_is_visible[context](object: u32) -> Option<bool> { visible(context, ObjectClass::Function, object)? }
    fn pg_operator_is_visible(_object: u32) -> bool { true }
    fn pg_opclass_is_visible(_object: u32) -> bool { true }
    fn pg_opfamily_is_visible(_object: u32) -> bool { true }
    fn pg_conversion_is_visible(_object: u32) -> bool { true }
    fn pg_collation_is_visible(_object: u32) -> bool { true }
    fn pg_ts_parser_is_visible(_object: u32) -> bool { true }
    fn pg_ts_dict_is_visible(_object: u32) -> bool { true }
    fn pg_ts_template_is_visible(_object: u32) -> bool { true }
    fn pg_ts_config_is_visible(_object: u32) -> bool { true }
    fn pg_statistics_obj_is_visible(_object: u32) -> bool { true }
    fn text_regclass[context](name: &str) -> u32 { io::reg_in(context, oid::REGCLASS, name)? }
    fn to_regclass[context](name: &str) -> Option<u32> { find(context, oid::REGCLASS, name)? }
    fn to_regtype[context](name: &str) -> Option<u32> { find(context, oid::REGTYPE, name)? }
    fn to_regproc[context](name: &str) -> Option<u32> { find(context, oid::REGPROC, name)? }
    fn to_regprocedure[context](name: &str) -> Option<u32> { find(context, oid::REGPROCEDURE, name)? }
    fn to_regoper[context](name: &str) -> Option<u32> { find(context, oid::REGOPER, name)? }
    fn to_regoperator[context](name: &str) -> Option<u32> { find(context, oid::REGOPERATOR, name)? }
    fn to_regnamespace[context](name: &str) -> Option<u32> { find(context, oid::REGNAMESPACE, name)? }
    fn to_regrole[context](name: &str) -> Option<u32> { find(context, oid::REGROLE, name)? }
    fn to_regcollation[context](name: &str) -> Option<u32> { find(context, oid::REGCOLLATION, name)? }
    fn oidvectortypes(types: &Datum) -> String {
        match types {
            Datum::List(items) => items
                .elements
                .iter()
                .map(|item| match item {
                    Datum::UInt32(object) => pg_type::format_type(TypeRef::plain(*object)),
                    _ => String::new(),
                })
                .collect::<Vec<_>>()
                .join(", "),
            _ => String::new(),
        }
    }
}

/// `acldefault`: privileges are not kept as lists, so there is nothing to show.
pub fn acldefault_sql(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let _: &Datum = arg(args, 0)?;
    Ok(Datum::Null)
}

/// `aclexplode`: of no list, no rows.
pub fn aclexplode(_: &EvalContext, _: &[Datum]) -> Result<Datum> {
    Ok(crate::builtin::args::list(Vec::new()))
}
