//! Rows of functions: casts.

use super::function_rows;
use crate::{builtin::cast, oid::*};

// oid, name, arguments, result, volatility, strictness, set, variadic, defaults, columns,
// implementation
function_rows! {
    77 "int4" (CHAR) -> INT4 Immutable strict one fixed [] [] plain cast::chartoi4;
    78 "char" (INT4) -> CHAR Immutable strict one fixed [] [] plain cast::i4tochar;
    313 "int4" (INT2) -> INT4 Immutable strict one fixed [] [] plain cast::i2toi4;
    314 "int2" (INT4) -> INT2 Immutable strict one fixed [] [] plain cast::i4toi2;
    406 "text" (NAME) -> TEXT Immutable strict one fixed [] [] plain cast::name_text;
    407 "name" (TEXT) -> NAME Immutable strict one fixed [] [] plain cast::text_name;
    408 "bpchar" (NAME) -> BPCHAR Immutable strict one fixed [] [] plain cast::name_bpchar;
    409 "name" (BPCHAR) -> NAME Immutable strict one fixed [] [] plain cast::bpchar_name;
    480 "int4" (INT8) -> INT4 Immutable strict one fixed [] [] plain cast::int84;
    481 "int8" (INT4) -> INT8 Immutable strict one fixed [] [] plain cast::int48;
    714 "int2" (INT8) -> INT2 Immutable strict one fixed [] [] plain cast::int82;
    754 "int8" (INT2) -> INT8 Immutable strict one fixed [] [] plain cast::int28;
    860 "bpchar" (CHAR) -> BPCHAR Immutable strict one fixed [] [] plain cast::char_bpchar;
    944 "char" (TEXT) -> CHAR Immutable strict one fixed [] [] plain cast::text_char;
    946 "text" (CHAR) -> TEXT Immutable strict one fixed [] [] plain cast::char_text;
    1287 "oid" (INT8) -> OID Immutable strict one fixed [] [] plain cast::i8tooid;
    1288 "int8" (OID) -> INT8 Immutable strict one fixed [] [] plain cast::oidtoi8;
    1400 "name" (VARCHAR) -> NAME Immutable strict one fixed [] [] plain cast::text_name;
    1401 "varchar" (NAME) -> VARCHAR Immutable strict one fixed [] [] plain cast::name_text;
    2557 "bool" (INT4) -> BOOL Immutable strict one fixed [] [] plain cast::int4_bool;
    2558 "int4" (BOOL) -> INT4 Immutable strict one fixed [] [] plain cast::bool_int4;
    2971 "text" (BOOL) -> TEXT Immutable strict one fixed [] [] plain cast::booltext;
}
