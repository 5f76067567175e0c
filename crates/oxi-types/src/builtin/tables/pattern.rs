//! Rows of functions: patterns.

use super::function_rows;
use crate::{builtin::pattern, oid::*};

// oid, name, arguments, result, volatility, strictness, set, variadic, defaults, columns,
// implementation
function_rows! {
    79 "nameregexeq" (NAME, TEXT) -> BOOL Immutable strict one fixed [] [] plain pattern::nameregexeq;
    850 "textlike" (TEXT, TEXT) -> BOOL Immutable strict one fixed [] [] plain pattern::textlike;
    851 "textnlike" (TEXT, TEXT) -> BOOL Immutable strict one fixed [] [] plain pattern::textnlike;
    858 "namelike" (NAME, TEXT) -> BOOL Immutable strict one fixed [] [] plain pattern::namelike;
    859 "namenlike" (NAME, TEXT) -> BOOL Immutable strict one fixed [] [] plain pattern::namenlike;
    1238 "texticregexeq" (TEXT, TEXT) -> BOOL Immutable strict one fixed [] [] plain pattern::texticregexeq;
    1239 "texticregexne" (TEXT, TEXT) -> BOOL Immutable strict one fixed [] [] plain pattern::texticregexne;
    1240 "nameicregexeq" (NAME, TEXT) -> BOOL Immutable strict one fixed [] [] plain pattern::nameicregexeq;
    1241 "nameicregexne" (NAME, TEXT) -> BOOL Immutable strict one fixed [] [] plain pattern::nameicregexne;
    1252 "nameregexne" (NAME, TEXT) -> BOOL Immutable strict one fixed [] [] plain pattern::nameregexne;
    1254 "textregexeq" (TEXT, TEXT) -> BOOL Immutable strict one fixed [] [] plain pattern::textregexeq;
    1256 "textregexne" (TEXT, TEXT) -> BOOL Immutable strict one fixed [] [] plain pattern::textregexne;
    1569 "like" (TEXT, TEXT) -> BOOL Immutable strict one fixed [] [] plain pattern::textlike;
    1570 "notlike" (TEXT, TEXT) -> BOOL Immutable strict one fixed [] [] plain pattern::textnlike;
    1571 "like" (NAME, TEXT) -> BOOL Immutable strict one fixed [] [] plain pattern::namelike;
    1572 "notlike" (NAME, TEXT) -> BOOL Immutable strict one fixed [] [] plain pattern::namenlike;
    1623 "similar_escape" (TEXT, TEXT) -> TEXT Immutable called one fixed [] [] plain pattern::similar_escape;
    1631 "bpcharlike" (BPCHAR, TEXT) -> BOOL Immutable strict one fixed [] [] plain pattern::textlike;
    1632 "bpcharnlike" (BPCHAR, TEXT) -> BOOL Immutable strict one fixed [] [] plain pattern::textnlike;
    1633 "texticlike" (TEXT, TEXT) -> BOOL Immutable strict one fixed [] [] plain pattern::texticlike;
    1634 "texticnlike" (TEXT, TEXT) -> BOOL Immutable strict one fixed [] [] plain pattern::texticnlike;
    1635 "nameiclike" (NAME, TEXT) -> BOOL Immutable strict one fixed [] [] plain pattern::nameiclike;
    1636 "nameicnlike" (NAME, TEXT) -> BOOL Immutable strict one fixed [] [] plain pattern::nameicnlike;
    1637 "like_escape" (TEXT, TEXT) -> TEXT Immutable strict one fixed [] [] plain pattern::like_escape;
    1656 "bpcharicregexeq" (BPCHAR, TEXT) -> BOOL Immutable strict one fixed [] [] plain pattern::texticregexeq;
    1657 "bpcharicregexne" (BPCHAR, TEXT) -> BOOL Immutable strict one fixed [] [] plain pattern::texticregexne;
    1658 "bpcharregexeq" (BPCHAR, TEXT) -> BOOL Immutable strict one fixed [] [] plain pattern::textregexeq;
    1659 "bpcharregexne" (BPCHAR, TEXT) -> BOOL Immutable strict one fixed [] [] plain pattern::textregexne;
    1660 "bpchariclike" (BPCHAR, TEXT) -> BOOL Immutable strict one fixed [] [] plain pattern::texticlike;
    1661 "bpcharicnlike" (BPCHAR, TEXT) -> BOOL Immutable strict one fixed [] [] plain pattern::texticnlike;
    1986 "similar_to_escape" (TEXT, TEXT) -> TEXT Immutable strict one fixed [] [] plain pattern::similar_to_escape_2;
    1987 "similar_to_escape" (TEXT) -> TEXT Immutable strict one fixed [] [] plain pattern::similar_to_escape_1;
    2005 "bytealike" (BYTEA, BYTEA) -> BOOL Immutable strict one fixed [] [] plain pattern::bytealike;
    2006 "byteanlike" (BYTEA, BYTEA) -> BOOL Immutable strict one fixed [] [] plain pattern::byteanlike;
    2007 "like" (BYTEA, BYTEA) -> BOOL Immutable strict one fixed [] [] plain pattern::bytealike;
    2008 "notlike" (BYTEA, BYTEA) -> BOOL Immutable strict one fixed [] [] plain pattern::byteanlike;
    2073 "substring" (TEXT, TEXT) -> TEXT Immutable strict one fixed [] [] plain pattern::textregexsubstr;
    2074 "substring" (TEXT, TEXT, TEXT) -> TEXT Immutable strict one fixed [] [] plain pattern::sql_substring;
    2284 "regexp_replace" (TEXT, TEXT, TEXT) -> TEXT Immutable strict one fixed [] [] plain pattern::textregexreplace_noopt;
    2285 "regexp_replace" (TEXT, TEXT, TEXT, TEXT) -> TEXT Immutable strict one fixed [] [] plain pattern::textregexreplace;
    2763 "regexp_matches" (TEXT, TEXT) -> _TEXT Immutable strict set fixed [] [] plain pattern::regexp_matches_no_flags;
    2764 "regexp_matches" (TEXT, TEXT, TEXT) -> _TEXT Immutable strict set fixed [] [] plain pattern::regexp_matches;
    2765 "regexp_split_to_table" (TEXT, TEXT) -> TEXT Immutable strict set fixed [] [] plain pattern::regexp_split_to_table_no_flags;
    2766 "regexp_split_to_table" (TEXT, TEXT, TEXT) -> TEXT Immutable strict set fixed [] [] plain pattern::regexp_split_to_table;
    2767 "regexp_split_to_array" (TEXT, TEXT) -> _TEXT Immutable strict one fixed [] [] plain pattern::regexp_split_to_array_no_flags;
    2768 "regexp_split_to_array" (TEXT, TEXT, TEXT) -> _TEXT Immutable strict one fixed [] [] plain pattern::regexp_split_to_array;
    3396 "regexp_match" (TEXT, TEXT) -> _TEXT Immutable strict one fixed [] [] plain pattern::regexp_match_no_flags;
    3397 "regexp_match" (TEXT, TEXT, TEXT) -> _TEXT Immutable strict one fixed [] [] plain pattern::regexp_match;
    6251 "regexp_replace" (TEXT, TEXT, TEXT, INT4, INT4, TEXT) -> TEXT Immutable strict one fixed [] [] plain pattern::textregexreplace_extended;
    6252 "regexp_replace" (TEXT, TEXT, TEXT, INT4, INT4) -> TEXT Immutable strict one fixed [] [] plain pattern::textregexreplace_extended_no_flags;
    6253 "regexp_replace" (TEXT, TEXT, TEXT, INT4) -> TEXT Immutable strict one fixed [] [] plain pattern::textregexreplace_extended_no_n;
    6254 "regexp_count" (TEXT, TEXT) -> INT4 Immutable strict one fixed [] [] plain pattern::regexp_count_no_start;
    6255 "regexp_count" (TEXT, TEXT, INT4) -> INT4 Immutable strict one fixed [] [] plain pattern::regexp_count_no_flags;
    6256 "regexp_count" (TEXT, TEXT, INT4, TEXT) -> INT4 Immutable strict one fixed [] [] plain pattern::regexp_count;
    6257 "regexp_instr" (TEXT, TEXT) -> INT4 Immutable strict one fixed [] [] plain pattern::regexp_instr_no_start;
    6258 "regexp_instr" (TEXT, TEXT, INT4) -> INT4 Immutable strict one fixed [] [] plain pattern::regexp_instr_no_n;
    6259 "regexp_instr" (TEXT, TEXT, INT4, INT4) -> INT4 Immutable strict one fixed [] [] plain pattern::regexp_instr_no_endoption;
    6260 "regexp_instr" (TEXT, TEXT, INT4, INT4, INT4) -> INT4 Immutable strict one fixed [] [] plain pattern::regexp_instr_no_flags;
    6261 "regexp_instr" (TEXT, TEXT, INT4, INT4, INT4, TEXT) -> INT4 Immutable strict one fixed [] [] plain pattern::regexp_instr_no_subexpr;
    6262 "regexp_instr" (TEXT, TEXT, INT4, INT4, INT4, TEXT, INT4) -> INT4 Immutable strict one fixed [] [] plain pattern::regexp_instr;
    6263 "regexp_like" (TEXT, TEXT) -> BOOL Immutable strict one fixed [] [] plain pattern::regexp_like_no_flags;
    6264 "regexp_like" (TEXT, TEXT, TEXT) -> BOOL Immutable strict one fixed [] [] plain pattern::regexp_like;
    6265 "regexp_substr" (TEXT, TEXT) -> TEXT Immutable strict one fixed [] [] plain pattern::regexp_substr_no_start;
    6266 "regexp_substr" (TEXT, TEXT, INT4) -> TEXT Immutable strict one fixed [] [] plain pattern::regexp_substr_no_n;
    6267 "regexp_substr" (TEXT, TEXT, INT4, INT4) -> TEXT Immutable strict one fixed [] [] plain pattern::regexp_substr_no_flags;
    6268 "regexp_substr" (TEXT, TEXT, INT4, INT4, TEXT) -> TEXT Immutable strict one fixed [] [] plain pattern::regexp_substr_no_subexpr;
    6269 "regexp_substr" (TEXT, TEXT, INT4, INT4, TEXT, INT4) -> TEXT Immutable strict one fixed [] [] plain pattern::regexp_substr;
}
