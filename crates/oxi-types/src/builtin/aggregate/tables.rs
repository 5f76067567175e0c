//! The rows of aggregates and window functions.

use super::{Aggregate, AggregateKind, WindowFunction, json, ordered, simple, statistics};
use crate::oid::*;

macro_rules! flag {
    (variadic) => {
        true
    };
    (fixed) => {
        false
    };
    (merge) => {
        true
    };
    (whole) => {
        false
    };
}

macro_rules! aggregates {
    ($($oid:literal $name:literal ($($arg:ident),*) -> $returns:ident $kind:ident $direct:literal
       $variadic:ident $merge:ident $factory:path;)*) => {
        /// Every built-in aggregate.
        pub static AGGREGATES: &[Aggregate] = &[$(Aggregate {
            oid: $oid,
            name: $name,
            args: &[$($arg),*],
            variadic: flag!($variadic),
            returns: $returns,
            kind: AggregateKind::$kind,
            direct_args: $direct,
            mergeable: flag!($merge),
            factory: $factory,
        },)*];
    };
}

// oid, name, arguments, result, kind, direct arguments, variadic, mergeable, factory
aggregates! {
    2050 "max" (ANYARRAY) -> ANYARRAY Normal 0 fixed merge simple::max;
    2051 "min" (ANYARRAY) -> ANYARRAY Normal 0 fixed merge simple::min;
    2100 "avg" (INT8) -> NUMERIC Normal 0 fixed merge simple::avg_numeric;
    2101 "avg" (INT4) -> NUMERIC Normal 0 fixed merge simple::avg_numeric;
    2102 "avg" (INT2) -> NUMERIC Normal 0 fixed merge simple::avg_numeric;
    2103 "avg" (NUMERIC) -> NUMERIC Normal 0 fixed merge simple::avg_numeric;
    2104 "avg" (FLOAT4) -> FLOAT8 Normal 0 fixed merge statistics::avg_float;
    2105 "avg" (FLOAT8) -> FLOAT8 Normal 0 fixed merge statistics::avg_float;
    2106 "avg" (INTERVAL) -> INTERVAL Normal 0 fixed whole simple::avg_interval;
    2107 "sum" (INT8) -> NUMERIC Normal 0 fixed merge simple::sum_numeric;
    2108 "sum" (INT4) -> INT8 Normal 0 fixed merge simple::sum_int8;
    2109 "sum" (INT2) -> INT8 Normal 0 fixed merge simple::sum_int8;
    2110 "sum" (FLOAT4) -> FLOAT4 Normal 0 fixed merge simple::sum_float;
    2111 "sum" (FLOAT8) -> FLOAT8 Normal 0 fixed merge simple::sum_float;
    2113 "sum" (INTERVAL) -> INTERVAL Normal 0 fixed whole simple::sum_interval;
    2114 "sum" (NUMERIC) -> NUMERIC Normal 0 fixed merge simple::sum_numeric;
    2115 "max" (INT8) -> INT8 Normal 0 fixed merge simple::max;
    2116 "max" (INT4) -> INT4 Normal 0 fixed merge simple::max;
    2117 "max" (INT2) -> INT2 Normal 0 fixed merge simple::max;
    2118 "max" (OID) -> OID Normal 0 fixed merge simple::max;
    2119 "max" (FLOAT4) -> FLOAT4 Normal 0 fixed merge simple::max;
    2120 "max" (FLOAT8) -> FLOAT8 Normal 0 fixed merge simple::max;
    2122 "max" (DATE) -> DATE Normal 0 fixed merge simple::max;
    2123 "max" (TIME) -> TIME Normal 0 fixed merge simple::max;
    2124 "max" (TIMETZ) -> TIMETZ Normal 0 fixed merge simple::max;
    2125 "max" (MONEY) -> MONEY Normal 0 fixed merge simple::max;
    2126 "max" (TIMESTAMP) -> TIMESTAMP Normal 0 fixed merge simple::max;
    2127 "max" (TIMESTAMPTZ) -> TIMESTAMPTZ Normal 0 fixed merge simple::max;
    2128 "max" (INTERVAL) -> INTERVAL Normal 0 fixed merge simple::max;
    2129 "max" (TEXT) -> TEXT Normal 0 fixed merge simple::max;
    2130 "max" (NUMERIC) -> NUMERIC Normal 0 fixed merge simple::max;
    2131 "min" (INT8) -> INT8 Normal 0 fixed merge simple::min;
    2132 "min" (INT4) -> INT4 Normal 0 fixed merge simple::min;
    2133 "min" (INT2) -> INT2 Normal 0 fixed merge simple::min;
    2134 "min" (OID) -> OID Normal 0 fixed merge simple::min;
    2135 "min" (FLOAT4) -> FLOAT4 Normal 0 fixed merge simple::min;
    2136 "min" (FLOAT8) -> FLOAT8 Normal 0 fixed merge simple::min;
    2138 "min" (DATE) -> DATE Normal 0 fixed merge simple::min;
    2139 "min" (TIME) -> TIME Normal 0 fixed merge simple::min;
    2140 "min" (TIMETZ) -> TIMETZ Normal 0 fixed merge simple::min;
    2141 "min" (MONEY) -> MONEY Normal 0 fixed merge simple::min;
    2142 "min" (TIMESTAMP) -> TIMESTAMP Normal 0 fixed merge simple::min;
    2143 "min" (TIMESTAMPTZ) -> TIMESTAMPTZ Normal 0 fixed merge simple::min;
    2144 "min" (INTERVAL) -> INTERVAL Normal 0 fixed merge simple::min;
    2145 "min" (TEXT) -> TEXT Normal 0 fixed merge simple::min;
    2146 "min" (NUMERIC) -> NUMERIC Normal 0 fixed merge simple::min;
    2147 "count" (ANY) -> INT8 Normal 0 fixed merge simple::count;
    2148 "variance" (INT8) -> NUMERIC Normal 0 fixed whole statistics::var_samp;
    2149 "variance" (INT4) -> NUMERIC Normal 0 fixed whole statistics::var_samp;
    2150 "variance" (INT2) -> NUMERIC Normal 0 fixed whole statistics::var_samp;
    2151 "variance" (FLOAT4) -> FLOAT8 Normal 0 fixed merge statistics::var_samp;
    2152 "variance" (FLOAT8) -> FLOAT8 Normal 0 fixed merge statistics::var_samp;
    2153 "variance" (NUMERIC) -> NUMERIC Normal 0 fixed whole statistics::var_samp;
    2154 "stddev" (INT8) -> NUMERIC Normal 0 fixed whole statistics::stddev_samp;
    2155 "stddev" (INT4) -> NUMERIC Normal 0 fixed whole statistics::stddev_samp;
    2156 "stddev" (INT2) -> NUMERIC Normal 0 fixed whole statistics::stddev_samp;
    2157 "stddev" (FLOAT4) -> FLOAT8 Normal 0 fixed merge statistics::stddev_samp;
    2158 "stddev" (FLOAT8) -> FLOAT8 Normal 0 fixed merge statistics::stddev_samp;
    2159 "stddev" (NUMERIC) -> NUMERIC Normal 0 fixed whole statistics::stddev_samp;
    2236 "bit_and" (INT2) -> INT2 Normal 0 fixed merge simple::fold_and;
    2237 "bit_or" (INT2) -> INT2 Normal 0 fixed merge simple::fold_or;
    2238 "bit_and" (INT4) -> INT4 Normal 0 fixed merge simple::fold_and;
    2239 "bit_or" (INT4) -> INT4 Normal 0 fixed merge simple::fold_or;
    2240 "bit_and" (INT8) -> INT8 Normal 0 fixed merge simple::fold_and;
    2241 "bit_or" (INT8) -> INT8 Normal 0 fixed merge simple::fold_or;
    2244 "max" (BPCHAR) -> BPCHAR Normal 0 fixed merge simple::max;
    2245 "min" (BPCHAR) -> BPCHAR Normal 0 fixed merge simple::min;
    2335 "array_agg" (ANYNONARRAY) -> ANYARRAY Normal 0 fixed whole simple::array_agg;
    2517 "bool_and" (BOOL) -> BOOL Normal 0 fixed merge simple::fold_and;
    2518 "bool_or" (BOOL) -> BOOL Normal 0 fixed merge simple::fold_or;
    2519 "every" (BOOL) -> BOOL Normal 0 fixed merge simple::fold_and;
    2641 "var_samp" (INT8) -> NUMERIC Normal 0 fixed whole statistics::var_samp;
    2642 "var_samp" (INT4) -> NUMERIC Normal 0 fixed whole statistics::var_samp;
    2643 "var_samp" (INT2) -> NUMERIC Normal 0 fixed whole statistics::var_samp;
    2644 "var_samp" (FLOAT4) -> FLOAT8 Normal 0 fixed merge statistics::var_samp;
    2645 "var_samp" (FLOAT8) -> FLOAT8 Normal 0 fixed merge statistics::var_samp;
    2646 "var_samp" (NUMERIC) -> NUMERIC Normal 0 fixed whole statistics::var_samp;
    2712 "stddev_samp" (INT8) -> NUMERIC Normal 0 fixed whole statistics::stddev_samp;
    2713 "stddev_samp" (INT4) -> NUMERIC Normal 0 fixed whole statistics::stddev_samp;
    2714 "stddev_samp" (INT2) -> NUMERIC Normal 0 fixed whole statistics::stddev_samp;
    2715 "stddev_samp" (FLOAT4) -> FLOAT8 Normal 0 fixed merge statistics::stddev_samp;
    2716 "stddev_samp" (FLOAT8) -> FLOAT8 Normal 0 fixed merge statistics::stddev_samp;
    2717 "stddev_samp" (NUMERIC) -> NUMERIC Normal 0 fixed whole statistics::stddev_samp;
    2718 "var_pop" (INT8) -> NUMERIC Normal 0 fixed whole statistics::var_pop;
    2719 "var_pop" (INT4) -> NUMERIC Normal 0 fixed whole statistics::var_pop;
    2720 "var_pop" (INT2) -> NUMERIC Normal 0 fixed whole statistics::var_pop;
    2721 "var_pop" (FLOAT4) -> FLOAT8 Normal 0 fixed merge statistics::var_pop;
    2722 "var_pop" (FLOAT8) -> FLOAT8 Normal 0 fixed merge statistics::var_pop;
    2723 "var_pop" (NUMERIC) -> NUMERIC Normal 0 fixed whole statistics::var_pop;
    2724 "stddev_pop" (INT8) -> NUMERIC Normal 0 fixed whole statistics::stddev_pop;
    2725 "stddev_pop" (INT4) -> NUMERIC Normal 0 fixed whole statistics::stddev_pop;
    2726 "stddev_pop" (INT2) -> NUMERIC Normal 0 fixed whole statistics::stddev_pop;
    2727 "stddev_pop" (FLOAT4) -> FLOAT8 Normal 0 fixed merge statistics::stddev_pop;
    2728 "stddev_pop" (FLOAT8) -> FLOAT8 Normal 0 fixed merge statistics::stddev_pop;
    2729 "stddev_pop" (NUMERIC) -> NUMERIC Normal 0 fixed whole statistics::stddev_pop;
    2797 "max" (TID) -> TID Normal 0 fixed merge simple::max;
    2798 "min" (TID) -> TID Normal 0 fixed merge simple::min;
    2803 "count" () -> INT8 Normal 0 fixed merge simple::count;
    2818 "regr_count" (FLOAT8, FLOAT8) -> INT8 Normal 0 fixed whole statistics::regr_count;
    2819 "regr_sxx" (FLOAT8, FLOAT8) -> FLOAT8 Normal 0 fixed whole statistics::regr_sxx;
    2820 "regr_syy" (FLOAT8, FLOAT8) -> FLOAT8 Normal 0 fixed whole statistics::regr_syy;
    2821 "regr_sxy" (FLOAT8, FLOAT8) -> FLOAT8 Normal 0 fixed whole statistics::regr_sxy;
    2822 "regr_avgx" (FLOAT8, FLOAT8) -> FLOAT8 Normal 0 fixed whole statistics::regr_avgx;
    2823 "regr_avgy" (FLOAT8, FLOAT8) -> FLOAT8 Normal 0 fixed whole statistics::regr_avgy;
    2824 "regr_r2" (FLOAT8, FLOAT8) -> FLOAT8 Normal 0 fixed whole statistics::regr_r2;
    2825 "regr_slope" (FLOAT8, FLOAT8) -> FLOAT8 Normal 0 fixed whole statistics::regr_slope;
    2826 "regr_intercept" (FLOAT8, FLOAT8) -> FLOAT8 Normal 0 fixed whole statistics::regr_intercept;
    2827 "covar_pop" (FLOAT8, FLOAT8) -> FLOAT8 Normal 0 fixed whole statistics::covar_pop;
    2828 "covar_samp" (FLOAT8, FLOAT8) -> FLOAT8 Normal 0 fixed whole statistics::covar_samp;
    2829 "corr" (FLOAT8, FLOAT8) -> FLOAT8 Normal 0 fixed whole statistics::corr;
    3175 "json_agg" (ANYELEMENT) -> JSON Normal 0 fixed whole json::json_agg;
    3197 "json_object_agg" (ANY, ANY) -> JSON Normal 0 fixed whole json::json_object_agg;
    3267 "jsonb_agg" (ANYELEMENT) -> JSONB Normal 0 fixed whole json::jsonb_agg;
    3270 "jsonb_object_agg" (ANY, ANY) -> JSONB Normal 0 fixed whole json::jsonb_object_agg;
    3526 "max" (ANYENUM) -> ANYENUM Normal 0 fixed merge simple::max;
    3527 "min" (ANYENUM) -> ANYENUM Normal 0 fixed merge simple::min;
    3538 "string_agg" (TEXT, TEXT) -> TEXT Normal 0 fixed whole simple::string_agg;
    3545 "string_agg" (BYTEA, BYTEA) -> BYTEA Normal 0 fixed whole simple::string_agg;
    3564 "max" (INET) -> INET Normal 0 fixed merge simple::max;
    3565 "min" (INET) -> INET Normal 0 fixed merge simple::min;
    3972 "percentile_disc" (FLOAT8, ANYELEMENT) -> ANYELEMENT OrderedSet 1 fixed whole ordered::percentile_disc;
    3974 "percentile_cont" (FLOAT8, FLOAT8) -> FLOAT8 OrderedSet 1 fixed whole ordered::percentile_cont;
    3976 "percentile_cont" (FLOAT8, INTERVAL) -> INTERVAL OrderedSet 1 fixed whole ordered::percentile_cont;
    3978 "percentile_disc" (_FLOAT8, ANYELEMENT) -> ANYARRAY OrderedSet 1 fixed whole ordered::percentile_disc;
    3980 "percentile_cont" (_FLOAT8, FLOAT8) -> _FLOAT8 OrderedSet 1 fixed whole ordered::percentile_cont;
    3982 "percentile_cont" (_FLOAT8, INTERVAL) -> _INTERVAL OrderedSet 1 fixed whole ordered::percentile_cont;
    3984 "mode" (ANYELEMENT) -> ANYELEMENT OrderedSet 0 fixed whole ordered::mode;
    3986 "rank" (ANY) -> INT8 Hypothetical 1 variadic whole ordered::rank;
    3988 "percent_rank" (ANY) -> FLOAT8 Hypothetical 1 variadic whole ordered::percent_rank;
    3990 "cume_dist" (ANY) -> FLOAT8 Hypothetical 1 variadic whole ordered::cume_dist;
    3992 "dense_rank" (ANY) -> INT8 Hypothetical 1 variadic whole ordered::dense_rank;
    4053 "array_agg" (ANYARRAY) -> ANYARRAY Normal 0 fixed whole simple::array_agg;
    4189 "max" (PG_LSN) -> PG_LSN Normal 0 fixed merge simple::max;
    4190 "min" (PG_LSN) -> PG_LSN Normal 0 fixed merge simple::min;
    5099 "max" (XID8) -> XID8 Normal 0 fixed merge simple::max;
    5100 "min" (XID8) -> XID8 Normal 0 fixed merge simple::min;
    6164 "bit_xor" (INT2) -> INT2 Normal 0 fixed merge simple::fold_xor;
    6165 "bit_xor" (INT4) -> INT4 Normal 0 fixed merge simple::fold_xor;
    6166 "bit_xor" (INT8) -> INT8 Normal 0 fixed merge simple::fold_xor;
}

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
