//! The rows of aggregates and window functions.

use super::{Aggregate, WindowFunction};
use crate::oid::*;

/// Every built-in aggregate.
pub static AGGREGATES: &[Aggregate] = &[];

macro_rules! windows {
    ($($oid:literal $name:literal ($($arg:ident),*) -> $returns:ident;)*) => {
        /// Every built-in window function.
        pub static WINDOWS: &[WindowFunction] = &[
            $(WindowFunction { oid: $oid, name: $name, args: &[$($arg),*], returns: $returns },)*
        ];
    };
}

windows! {
    3100 "row_number" () -> INT8;
    3101 "rank" () -> INT8;
    3102 "dense_rank" () -> INT8;
    3103 "percent_rank" () -> FLOAT8;
    3104 "cume_dist" () -> FLOAT8;
    3105 "ntile" (INT4) -> INT4;
    3106 "lag" (ANYELEMENT) -> ANYELEMENT;
    3107 "lag" (ANYELEMENT, INT4) -> ANYELEMENT;
    3108 "lag" (ANYCOMPATIBLE, INT4, ANYCOMPATIBLE) -> ANYCOMPATIBLE;
    3109 "lead" (ANYELEMENT) -> ANYELEMENT;
    3110 "lead" (ANYELEMENT, INT4) -> ANYELEMENT;
    3111 "lead" (ANYCOMPATIBLE, INT4, ANYCOMPATIBLE) -> ANYCOMPATIBLE;
    3112 "first_value" (ANYELEMENT) -> ANYELEMENT;
    3113 "last_value" (ANYELEMENT) -> ANYELEMENT;
    3114 "nth_value" (ANYELEMENT, INT4) -> ANYELEMENT;
}
