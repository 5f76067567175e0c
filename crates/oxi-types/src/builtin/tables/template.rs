//! Rows of functions: template.

use super::function_rows;
use crate::{builtin::template, oid::*};

// oid, name, arguments, result, volatility, strictness, set, variadic, defaults, columns,
// implementation
function_rows! {
    1768 "to_char" (INTERVAL, TEXT) -> TEXT Stable strict one fixed [] [] plain template::interval_to_char;
    1770 "to_char" (TIMESTAMPTZ, TEXT) -> TEXT Stable strict one fixed [] [] plain template::timestamptz_to_char;
    1772 "to_char" (NUMERIC, TEXT) -> TEXT Stable strict one fixed [] [] plain template::numeric_to_char;
    1773 "to_char" (INT4, TEXT) -> TEXT Stable strict one fixed [] [] plain template::int4_to_char;
    1774 "to_char" (INT8, TEXT) -> TEXT Stable strict one fixed [] [] plain template::int8_to_char;
    1775 "to_char" (FLOAT4, TEXT) -> TEXT Stable strict one fixed [] [] plain template::float4_to_char;
    1776 "to_char" (FLOAT8, TEXT) -> TEXT Stable strict one fixed [] [] plain template::float8_to_char;
    1777 "to_number" (TEXT, TEXT) -> NUMERIC Stable strict one fixed [] [] plain template::numeric_to_number;
    1778 "to_timestamp" (TEXT, TEXT) -> TIMESTAMPTZ Stable strict one fixed [] [] plain template::to_timestamp;
    1780 "to_date" (TEXT, TEXT) -> DATE Stable strict one fixed [] [] plain template::to_date;
    2049 "to_char" (TIMESTAMP, TEXT) -> TEXT Stable strict one fixed [] [] plain template::timestamp_to_char;
}
