//! Rows of functions: json and jsonb.

use super::function_rows;
use crate::{builtin::json, oid::*};

// oid, name, arguments, result, volatility, strictness, set, variadic, defaults, columns,
// implementation
function_rows! {
    2580 "float8" (JSONB) -> FLOAT8 Immutable strict one fixed [] [] plain json::jsonb_float8;
    3153 "array_to_json" (ANYARRAY) -> JSON Stable strict one fixed [] [] typed json::array_to_json;
    3154 "array_to_json" (ANYARRAY, BOOL) -> JSON Stable strict one fixed [] [] typed json::array_to_json_pretty;
    3155 "row_to_json" (RECORD) -> JSON Stable strict one fixed [] [] typed json::row_to_json;
    3156 "row_to_json" (RECORD, BOOL) -> JSON Stable strict one fixed [] [] typed json::row_to_json_pretty;
    3176 "to_json" (ANYELEMENT) -> JSON Stable strict one fixed [] [] typed json::to_json;
    3198 "json_build_array" (ANY) -> JSON Stable called one variadic [] [] typed json::json_build_array;
    3199 "json_build_array" () -> JSON Stable called one fixed [] [] plain json::json_build_array_noargs;
    3200 "json_build_object" (ANY) -> JSON Stable called one variadic [] [] typed json::json_build_object;
    3201 "json_build_object" () -> JSON Stable called one fixed [] [] plain json::json_build_object_noargs;
    3202 "json_object" (_TEXT) -> JSON Immutable strict one fixed [] [] plain json::json_object;
    3203 "json_object" (_TEXT, _TEXT) -> JSON Immutable strict one fixed [] [] plain json::json_object_two_arg;
    3207 "jsonb_array_length" (JSONB) -> INT4 Immutable strict one fixed [] [] plain json::jsonb_array_length;
    3208 "jsonb_each" (JSONB) -> RECORD Immutable strict set fixed [] ["key" TEXT, "value" JSONB] plain json::jsonb_each;
    3210 "jsonb_typeof" (JSONB) -> TEXT Immutable strict one fixed [] [] plain json::jsonb_typeof;
    3214 "jsonb_object_field_text" (JSONB, TEXT) -> TEXT Immutable strict one fixed [] [] plain json::jsonb_object_field_text;
    3215 "jsonb_array_element" (JSONB, INT4) -> JSONB Immutable strict one fixed [] [] plain json::jsonb_array_element;
    3216 "jsonb_array_element_text" (JSONB, INT4) -> TEXT Immutable strict one fixed [] [] plain json::jsonb_array_element_text;
    3217 "jsonb_extract_path" (JSONB, _TEXT) -> JSONB Immutable strict one variadic [] [] plain json::jsonb_extract_path;
    3219 "jsonb_array_elements" (JSONB) -> JSONB Immutable strict set fixed [] [] plain json::jsonb_array_elements;
    3261 "json_strip_nulls" (JSON) -> JSON Immutable strict one fixed [] [] plain json::json_strip_nulls;
    3262 "jsonb_strip_nulls" (JSONB) -> JSONB Immutable strict one fixed [] [] plain json::jsonb_strip_nulls;
    3263 "jsonb_object" (_TEXT) -> JSONB Immutable strict one fixed [] [] plain json::jsonb_object;
    3264 "jsonb_object" (_TEXT, _TEXT) -> JSONB Immutable strict one fixed [] [] plain json::jsonb_object_two_arg;
    3271 "jsonb_build_array" (ANY) -> JSONB Stable called one variadic [] [] typed json::jsonb_build_array;
    3272 "jsonb_build_array" () -> JSONB Stable called one fixed [] [] plain json::jsonb_build_array_noargs;
    3273 "jsonb_build_object" (ANY) -> JSONB Stable called one variadic [] [] typed json::jsonb_build_object;
    3274 "jsonb_build_object" () -> JSONB Stable called one fixed [] [] plain json::jsonb_build_object_noargs;
    3301 "jsonb_concat" (JSONB, JSONB) -> JSONB Immutable strict one fixed [] [] plain json::jsonb_concat;
    3302 "jsonb_delete" (JSONB, TEXT) -> JSONB Immutable strict one fixed [] [] plain json::jsonb_delete;
    3303 "jsonb_delete" (JSONB, INT4) -> JSONB Immutable strict one fixed [] [] plain json::jsonb_delete_idx;
    3304 "jsonb_delete_path" (JSONB, _TEXT) -> JSONB Immutable strict one fixed [] [] plain json::jsonb_delete_path;
    3305 "jsonb_set" (JSONB, _TEXT, JSONB, BOOL) -> JSONB Immutable strict one fixed ["true"] [] plain json::jsonb_set;
    3306 "jsonb_pretty" (JSONB) -> TEXT Immutable strict one fixed [] [] plain json::jsonb_pretty;
    3343 "jsonb_delete" (JSONB, _TEXT) -> JSONB Immutable strict one variadic [] [] plain json::jsonb_delete_array;
    3449 "numeric" (JSONB) -> NUMERIC Immutable strict one fixed [] [] plain json::jsonb_numeric;
    3450 "int2" (JSONB) -> INT2 Immutable strict one fixed [] [] plain json::jsonb_int2;
    3451 "int4" (JSONB) -> INT4 Immutable strict one fixed [] [] plain json::jsonb_int4;
    3452 "int8" (JSONB) -> INT8 Immutable strict one fixed [] [] plain json::jsonb_int8;
    3453 "float4" (JSONB) -> FLOAT4 Immutable strict one fixed [] [] plain json::jsonb_float4;
    3465 "jsonb_array_elements_text" (JSONB) -> TEXT Immutable strict set fixed [] [] plain json::jsonb_array_elements_text;
    3478 "jsonb_object_field" (JSONB, TEXT) -> JSONB Immutable strict one fixed [] [] plain json::jsonb_object_field;
    3556 "bool" (JSONB) -> BOOL Immutable strict one fixed [] [] plain json::jsonb_bool;
    3579 "jsonb_insert" (JSONB, _TEXT, JSONB, BOOL) -> JSONB Immutable strict one fixed ["false"] [] plain json::jsonb_insert;
    3787 "to_jsonb" (ANYELEMENT) -> JSONB Stable strict one fixed [] [] typed json::to_jsonb;
    3931 "jsonb_object_keys" (JSONB) -> TEXT Immutable strict set fixed [] [] plain json::jsonb_object_keys;
    3932 "jsonb_each_text" (JSONB) -> RECORD Immutable strict set fixed [] ["key" TEXT, "value" TEXT] plain json::jsonb_each_text;
    3940 "jsonb_extract_path_text" (JSONB, _TEXT) -> TEXT Immutable strict one variadic [] [] plain json::jsonb_extract_path_text;
    3947 "json_object_field" (JSON, TEXT) -> JSON Immutable strict one fixed [] [] plain json::json_object_field;
    3948 "json_object_field_text" (JSON, TEXT) -> TEXT Immutable strict one fixed [] [] plain json::json_object_field_text;
    3949 "json_array_element" (JSON, INT4) -> JSON Immutable strict one fixed [] [] plain json::json_array_element;
    3950 "json_array_element_text" (JSON, INT4) -> TEXT Immutable strict one fixed [] [] plain json::json_array_element_text;
    3951 "json_extract_path" (JSON, _TEXT) -> JSON Immutable strict one variadic [] [] plain json::json_extract_path;
    3953 "json_extract_path_text" (JSON, _TEXT) -> TEXT Immutable strict one variadic [] [] plain json::json_extract_path_text;
    3955 "json_array_elements" (JSON) -> JSON Immutable strict set fixed [] [] plain json::json_array_elements;
    3956 "json_array_length" (JSON) -> INT4 Immutable strict one fixed [] [] plain json::json_array_length;
    3957 "json_object_keys" (JSON) -> TEXT Immutable strict set fixed [] [] plain json::json_object_keys;
    3958 "json_each" (JSON) -> RECORD Immutable strict set fixed [] ["key" TEXT, "value" JSON] plain json::json_each;
    3959 "json_each_text" (JSON) -> RECORD Immutable strict set fixed [] ["key" TEXT, "value" TEXT] plain json::json_each_text;
    3968 "json_typeof" (JSON) -> TEXT Immutable strict one fixed [] [] plain json::json_typeof;
    3969 "json_array_elements_text" (JSON) -> TEXT Immutable strict set fixed [] [] plain json::json_array_elements_text;
    4046 "jsonb_contains" (JSONB, JSONB) -> BOOL Immutable strict one fixed [] [] plain json::jsonb_contains;
    4047 "jsonb_exists" (JSONB, TEXT) -> BOOL Immutable strict one fixed [] [] plain json::jsonb_exists;
    4048 "jsonb_exists_any" (JSONB, _TEXT) -> BOOL Immutable strict one fixed [] [] plain json::jsonb_exists_any;
    4049 "jsonb_exists_all" (JSONB, _TEXT) -> BOOL Immutable strict one fixed [] [] plain json::jsonb_exists_all;
    4050 "jsonb_contained" (JSONB, JSONB) -> BOOL Immutable strict one fixed [] [] plain json::jsonb_contained;
    5054 "jsonb_set_lax" (JSONB, _TEXT, JSONB, BOOL, TEXT) -> JSONB Immutable called one fixed ["true", "use_json_null"] [] plain json::jsonb_set_lax;
}
