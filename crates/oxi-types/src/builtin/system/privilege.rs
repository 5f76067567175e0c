//! `has_…_privilege` in all its forms: with or without the user, by name or by oid.

use oxi_base::{Error, Result, SqlState};
use oxi_model::Datum;

use crate::{
    context::{EvalContext, ObjectClass},
    io, oid,
};

fn user_name(context: &EvalContext, datum: &Datum) -> Result<Option<String>> {
    match datum {
        Datum::Text(name) if name.as_ref() == "public" => Ok(Some(name.to_string())),
        Datum::Text(name) => {
            let known = context.session.lookup(ObjectClass::Role, &[name.to_string()])?;
            if known.is_none() && name.as_ref() != context.user {
                return Err(Error::new(
                    SqlState::UNDEFINED_OBJECT,
                    format!("role \"{name}\" does not exist"),
                ));
            }
            Ok(Some(name.to_string()))
        }
        Datum::UInt32(role) => {
            Ok(context.session.name_of(ObjectClass::Role, *role)?.map(|name| name.name))
        }
        _ => Ok(None),
    }
}

fn object_oid(context: &EvalContext, class: ObjectClass, datum: &Datum) -> Result<u32> {
    let name = match datum {
        Datum::UInt32(object) => return Ok(*object),
        Datum::Text(name) => name,
        _ => return Ok(0),
    };
    let missing = |what: &str, code| Error::new(code, format!("{what} \"{name}\" does not exist"));
    match class {
        ObjectClass::Relation => io::reg_in(context, oid::REGCLASS, name),
        ObjectClass::Type => io::reg_in(context, oid::REGTYPE, name),
        ObjectClass::Function => io::reg_in(context, oid::REGPROCEDURE, name),
        ObjectClass::Schema => io::reg_in(context, oid::REGNAMESPACE, name),
        ObjectClass::Database if name.as_ref() == context.database => Ok(0),
        class => context.session.lookup(class, &[name.to_string()])?.ok_or_else(|| {
            let (what, code) = match class {
                ObjectClass::Database => ("database", SqlState::INVALID_CATALOG_NAME),
                ObjectClass::Tablespace => ("tablespace", SqlState::UNDEFINED_OBJECT),
                _ => ("language", SqlState::UNDEFINED_OBJECT),
            };
            missing(what, code)
        }),
    }
}

fn has(context: &EvalContext, class: ObjectClass, args: &[Datum], columns: bool) -> Result<Datum> {
    let with_user = args.len() == if columns { 4 } else { 3 };
    let (user, rest) = match args.split_first() {
        Some((user, rest)) if with_user => (user_name(context, user)?, rest),
        _ => (None, args),
    };
    let (Some(object), Some(Datum::Text(privilege))) = (rest.first(), rest.last()) else {
        return Ok(Datum::Null);
    };
    let column = if columns { rest.get(1) } else { None };
    let column = match column {
        Some(Datum::Text(name)) => Some(name.to_string()),
        Some(Datum::Int16(number)) => Some(number.to_string()),
        _ => None,
    };
    let object = object_oid(context, class, object)?;
    let answer = context.session.has_privilege(
        user.as_deref(),
        class,
        object,
        column.as_deref(),
        privilege,
    )?;
    Ok(answer.map_or(Datum::Null, Datum::Bool))
}

macro_rules! privileges {
    ($($class:ident $columns:literal: $($name:ident)*;)*) => {$($(
        #[doc = concat!("`", stringify!($name), "` of `pg_proc.prosrc`.")]
        pub fn $name(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
            has(context, ObjectClass::$class, args, $columns)
        }
    )*)*};
}

privileges! {
    Relation false: has_table_privilege_name_name has_table_privilege_name_id
        has_table_privilege_id_name has_table_privilege_id_id has_table_privilege_name
        has_table_privilege_id has_sequence_privilege_name_name has_sequence_privilege_name_id
        has_sequence_privilege_id_name has_sequence_privilege_id_id has_sequence_privilege_name
        has_sequence_privilege_id has_any_column_privilege_name_name
        has_any_column_privilege_name_id has_any_column_privilege_id_name
        has_any_column_privilege_id_id has_any_column_privilege_name has_any_column_privilege_id;
    Relation true: has_column_privilege_name_name_name has_column_privilege_name_name_attnum
        has_column_privilege_name_id_name has_column_privilege_name_id_attnum
        has_column_privilege_id_name_name has_column_privilege_id_name_attnum
        has_column_privilege_id_id_name has_column_privilege_id_id_attnum
        has_column_privilege_name_name has_column_privilege_name_attnum
        has_column_privilege_id_name has_column_privilege_id_attnum;
    Database false: has_database_privilege_name_name has_database_privilege_name_id
        has_database_privilege_id_name has_database_privilege_id_id has_database_privilege_name
        has_database_privilege_id;
    Function false: has_function_privilege_name_name has_function_privilege_name_id
        has_function_privilege_id_name has_function_privilege_id_id has_function_privilege_name
        has_function_privilege_id;
    Schema false: has_schema_privilege_name_name has_schema_privilege_name_id
        has_schema_privilege_id_name has_schema_privilege_id_id has_schema_privilege_name
        has_schema_privilege_id;
    Language false: has_language_privilege_name_name has_language_privilege_name_id
        has_language_privilege_id_name has_language_privilege_id_id has_language_privilege_name
        has_language_privilege_id;
    Tablespace false: has_tablespace_privilege_name_name has_tablespace_privilege_name_id
        has_tablespace_privilege_id_name has_tablespace_privilege_id_id
        has_tablespace_privilege_name has_tablespace_privilege_id;
    Type false: has_type_privilege_name_name has_type_privilege_name_id
        has_type_privilege_id_name has_type_privilege_id_id has_type_privilege_name
        has_type_privilege_id;
}

fn member(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let (user, rest) = match args {
        [user, role, privilege] => (user_name(context, user)?, [role, privilege]),
        [role, privilege] => (None, [role, privilege]),
        _ => return Ok(Datum::Null),
    };
    let [role, Datum::Text(privilege)] = rest else { return Ok(Datum::Null) };
    let role = match role {
        Datum::UInt32(role) => *role,
        Datum::Text(name) => io::reg_in(context, oid::REGROLE, &io::quote_ident(name))?,
        _ => 0,
    };
    context.session.has_role(user.as_deref(), role, privilege).map(Datum::Bool)
}

macro_rules! roles {
    ($($name:ident)*) => {$(
        #[doc = concat!("`", stringify!($name), "` of `pg_proc.prosrc`.")]
        pub fn $name(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
            member(context, args)
        }
    )*};
}

roles! {
    pg_has_role_name_name pg_has_role_name_id pg_has_role_id_name pg_has_role_id_id
    pg_has_role_name pg_has_role_id
}
