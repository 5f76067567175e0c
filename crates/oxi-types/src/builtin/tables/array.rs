//! Rows of functions: arrays.

use super::function_rows;
use crate::{builtin::array, oid::*};

// oid, name, arguments, result, volatility, strictness, set, variadic, defaults, columns,
// implementation
function_rows! {
    378 "array_append" (ANYCOMPATIBLEARRAY, ANYCOMPATIBLE) -> ANYCOMPATIBLEARRAY Immutable called one fixed [] [] plain array::array_append;
    379 "array_prepend" (ANYCOMPATIBLE, ANYCOMPATIBLEARRAY) -> ANYCOMPATIBLEARRAY Immutable called one fixed [] [] plain array::array_prepend;
    382 "btarraycmp" (ANYARRAY, ANYARRAY) -> INT4 Immutable strict one fixed [] [] typed array::btarraycmp;
    383 "array_cat" (ANYCOMPATIBLEARRAY, ANYCOMPATIBLEARRAY) -> ANYCOMPATIBLEARRAY Immutable called one fixed [] [] plain array::array_cat;
    384 "array_to_string" (ANYARRAY, TEXT, TEXT) -> TEXT Stable called one fixed [] [] typed array::array_to_text_null;
    395 "array_to_string" (ANYARRAY, TEXT) -> TEXT Stable strict one fixed [] [] typed array::array_to_text;
    515 "array_larger" (ANYARRAY, ANYARRAY) -> ANYARRAY Immutable strict one fixed [] [] typed array::array_larger;
    516 "array_smaller" (ANYARRAY, ANYARRAY) -> ANYARRAY Immutable strict one fixed [] [] typed array::array_smaller;
    747 "array_dims" (ANYARRAY) -> TEXT Immutable strict one fixed [] [] plain array::array_dims;
    748 "array_ndims" (ANYARRAY) -> INT4 Immutable strict one fixed [] [] plain array::array_ndims;
    1191 "generate_subscripts" (ANYARRAY, INT4, BOOL) -> INT4 Immutable strict set fixed [] [] plain array::generate_subscripts;
    1192 "generate_subscripts" (ANYARRAY, INT4) -> INT4 Immutable strict set fixed [] [] plain array::generate_subscripts_nodir;
    1193 "array_fill" (ANYELEMENT, _INT4) -> ANYARRAY Immutable called one fixed [] [] plain array::array_fill;
    1286 "array_fill" (ANYELEMENT, _INT4, _INT4) -> ANYARRAY Immutable called one fixed [] [] plain array::array_fill_with_lower_bounds;
    2091 "array_lower" (ANYARRAY, INT4) -> INT4 Immutable strict one fixed [] [] plain array::array_lower;
    2092 "array_upper" (ANYARRAY, INT4) -> INT4 Immutable strict one fixed [] [] plain array::array_upper;
    2176 "array_length" (ANYARRAY, INT4) -> INT4 Immutable strict one fixed [] [] plain array::array_length;
    2331 "unnest" (ANYARRAY) -> ANYELEMENT Immutable strict set fixed [] [] plain array::array_unnest;
    2747 "arrayoverlap" (ANYARRAY, ANYARRAY) -> BOOL Immutable strict one fixed [] [] typed array::arrayoverlap;
    2748 "arraycontains" (ANYARRAY, ANYARRAY) -> BOOL Immutable strict one fixed [] [] typed array::arraycontains;
    2749 "arraycontained" (ANYARRAY, ANYARRAY) -> BOOL Immutable strict one fixed [] [] typed array::arraycontained;
    3167 "array_remove" (ANYCOMPATIBLEARRAY, ANYCOMPATIBLE) -> ANYCOMPATIBLEARRAY Immutable called one fixed [] [] typed array::array_remove;
    3168 "array_replace" (ANYCOMPATIBLEARRAY, ANYCOMPATIBLE, ANYCOMPATIBLE) -> ANYCOMPATIBLEARRAY Immutable called one fixed [] [] typed array::array_replace;
    3179 "cardinality" (ANYARRAY) -> INT4 Immutable strict one fixed [] [] plain array::array_cardinality;
    3218 "width_bucket" (ANYCOMPATIBLE, ANYCOMPATIBLEARRAY) -> INT4 Immutable strict one fixed [] [] typed array::width_bucket_array;
    3277 "array_position" (ANYCOMPATIBLEARRAY, ANYCOMPATIBLE) -> INT4 Immutable called one fixed [] [] typed array::array_position;
    3278 "array_position" (ANYCOMPATIBLEARRAY, ANYCOMPATIBLE, INT4) -> INT4 Immutable called one fixed [] [] typed array::array_position_start;
    3279 "array_positions" (ANYCOMPATIBLEARRAY, ANYCOMPATIBLE) -> _INT4 Immutable called one fixed [] [] typed array::array_positions;
    6172 "trim_array" (ANYARRAY, INT4) -> ANYARRAY Immutable strict one fixed [] [] plain array::trim_array;
}
