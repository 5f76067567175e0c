//! The `regexp_*` functions and `substring(… from pattern)`.

use oxi_base::{Error, Result, SqlState};
use oxi_model::Datum;
use regex::{Captures, Regex};

use crate::{
    builtin::args::{list, scalar},
    context::EvalContext,
    regexp::{self, Flags},
    text,
};

fn invalid(message: impl Into<String>) -> Error {
    Error::new(SqlState::INVALID_PARAMETER_VALUE, message)
}

fn no_global(flags: &str, function: &str) -> Result<Flags> {
    let flags = Flags::parse(flags)?;
    if flags.global {
        let error = invalid(format!("{function}() does not support the \"global\" option"));
        return Err(if function == "regexp_match" {
            error.with_hint("Use the regexp_matches function instead.")
        } else {
            error
        });
    }
    Ok(flags)
}

/// The groups of a match, or the whole match if there are none.
fn groups(found: &Captures<'_>) -> Datum {
    let part = |at: usize| found.get(at).map_or(Datum::Null, |part| Datum::text(part.as_str()));
    if found.len() == 1 { list(vec![part(0)]) } else { list((1..found.len()).map(part).collect()) }
}

fn first_match(context: &EvalContext, a: &str, pattern: &str, flags: Flags) -> Result<Datum> {
    let regex = context.regexes.get(pattern, flags)?;
    Ok(regex.captures(a).map_or(Datum::Null, |found| groups(&found)))
}

fn all_matches(context: &EvalContext, a: &str, pattern: &str, flags: &str) -> Result<Vec<Datum>> {
    let flags = Flags::parse(flags)?;
    let regex = context.regexes.get(pattern, flags)?;
    let limit = if flags.global { usize::MAX } else { 1 };
    Ok(regex.captures_iter(a).take(limit).map(|found| groups(&found)).collect())
}

fn split(context: &EvalContext, a: &str, pattern: &str, flags: Flags) -> Result<Vec<String>> {
    let regex = context.regexes.get(pattern, flags)?;
    let mut out = Vec::new();
    let mut from = 0;
    for found in regex.find_iter(a) {
        // Empty matches at the ends or right after the last match split nothing.
        if found.is_empty()
            && (found.start() == from || found.end() >= a.len())
            && (found.start() == 0 || found.start() >= a.len() || found.start() == from)
        {
            continue;
        }
        out.push(a[from..found.start()].to_owned());
        from = found.end();
    }
    out.push(a[from..].to_owned());
    Ok(out)
}

fn split_characters(parts: Vec<String>, a: &str, pattern: &str) -> Vec<String> {
    if pattern.is_empty() && !a.is_empty() {
        return a.chars().map(String::from).collect();
    }
    parts
}

/// Appends a replacement with `\1`…`\9`, `\&` and `\\` resolved.
fn put_replacement(found: &Captures<'_>, replacement: &str, out: &mut String) {
    let mut chars = replacement.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some(digit @ '1'..='9') => {
                let group = digit as usize - '0' as usize;
                out.push_str(found.get(group).map_or("", |part| part.as_str()));
            }
            Some('&') => out.push_str(found.get(0).map_or("", |part| part.as_str())),
            Some('\\') => out.push('\\'),
            Some(other) => {
                out.push('\\');
                out.push(other);
            }
            None => out.push('\\'),
        }
    }
}

/// Replaces the `n`th match from a character position on, all of them for 0.
fn replace(regex: &Regex, a: &str, replacement: &str, start: i32, n: i32) -> String {
    let from = text::offset_of(a, start.max(1) as usize - 1);
    let mut out = a[..from].to_owned();
    let rest = &a[from..];
    let mut last = 0;
    for (at, found) in regex.captures_iter(rest).enumerate() {
        if n > 0 && at + 1 < n as usize {
            continue;
        }
        let Some(whole) = found.get(0) else { continue };
        out.push_str(&rest[last..whole.start()]);
        put_replacement(&found, replacement, &mut out);
        last = whole.end();
        if n > 0 {
            break;
        }
    }
    out.push_str(&rest[last..]);
    out
}

fn check_start(start: i32) -> Result<usize> {
    if start < 1 {
        return Err(invalid(format!("invalid value for parameter \"start\": {start}")));
    }
    Ok(start as usize - 1)
}

fn check_n(n: i32, least: i32) -> Result<()> {
    if n < least { Err(invalid(format!("invalid value for parameter \"n\": {n}"))) } else { Ok(()) }
}

fn count(context: &EvalContext, a: &str, pattern: &str, start: i32, flags: &str) -> Result<i32> {
    let from = text::offset_of(a, check_start(start)?);
    let regex = context.regexes.get(pattern, no_global(flags, "regexp_count")?)?;
    Ok(regex.find_iter(&a[from..]).count() as i32)
}

/// What `regexp_instr` and `regexp_substr` look for.
struct Search<'a> {
    pattern: &'a str,
    start: i32,
    n: i32,
    flags: &'a str,
    group: i32,
}

fn nth<'t>(
    context: &EvalContext,
    a: &'t str,
    search: &Search<'_>,
    function: &str,
) -> Result<Option<(usize, usize, &'t str)>> {
    let from = text::offset_of(a, check_start(search.start)?);
    check_n(search.n, 1)?;
    if search.group < 0 {
        return Err(invalid(format!("invalid value for parameter \"subexpr\": {}", search.group)));
    }
    let regex = context.regexes.get(search.pattern, no_global(search.flags, function)?)?;
    let found = regex.captures_iter(&a[from..]).nth(search.n as usize - 1);
    Ok(found
        .and_then(|found| found.get(search.group as usize))
        .map(|part| (from + part.start(), from + part.end(), part.as_str())))
}

fn instr(context: &EvalContext, a: &str, search: &Search<'_>, end: i32) -> Result<i32> {
    if !matches!(end, 0 | 1) {
        return Err(invalid(format!("invalid value for parameter \"endoption\": {end}")));
    }
    let found = nth(context, a, search, "regexp_instr")?;
    Ok(found.map_or(0, |(start, stop, _)| {
        a[..if end == 0 { start } else { stop }].chars().count() as i32 + 1
    }))
}

fn substr(context: &EvalContext, a: &str, search: &Search<'_>) -> Result<Option<String>> {
    Ok(nth(context, a, search, "regexp_substr")?.map(|(_, _, part)| part.to_owned()))
}

/// The first group of the first match, or the match.
fn extract(context: &EvalContext, a: &str, pattern: &str) -> Result<Option<String>> {
    let regex = context.regexes.get(pattern, Flags::default())?;
    Ok(regex.captures(a).and_then(|found| {
        let at = usize::from(found.len() > 1);
        found.get(at).map(|part| part.as_str().to_owned())
    }))
}

fn find(pattern: &str, start: i32, n: i32) -> Search<'_> {
    Search { pattern, start, n, flags: "", group: 0 }
}

scalar! {
    fn textregexsubstr[context](a: &str, pattern: &str) -> Option<String> {
        extract(context, a, pattern)?
    }
    fn sql_substring[context](a: &str, pattern: &str, escape: &str) -> Option<String> {
        extract(context, a, &regexp::similar_escape(pattern, Some(escape))?)?
    }
    fn textregexreplace_noopt[context](a: &str, pattern: &str, b: &str) -> String {
        replace(&*context.regexes.get(pattern, Flags::default())?, a, b, 1, 1)
    }
    fn textregexreplace[context](a: &str, pattern: &str, b: &str, flags: &str) -> String {
        if flags.starts_with(|c: char| c.is_ascii_digit()) {
            let letter = flags.chars().next().unwrap_or(' ');
            return Err(invalid(format!("invalid regular expression option: \"{letter}\""))
                .with_hint("If you meant to use regexp_replace() with a start parameter, cast the fourth argument to integer explicitly."));
        }
        let flags = Flags::parse(flags)?;
        replace(&*context.regexes.get(pattern, flags)?, a, b, 1, i32::from(!flags.global))
    }
    fn textregexreplace_extended[context](a: &str, pattern: &str, b: &str, start: i32, n: i32, flags: &str) -> String {
        check_start(start)?;
        check_n(n, 0)?;
        replace(&*context.regexes.get(pattern, Flags::parse(flags)?)?, a, b, start, n)
    }
    fn textregexreplace_extended_no_flags[context](a: &str, pattern: &str, b: &str, start: i32, n: i32) -> String {
        check_start(start)?;
        check_n(n, 0)?;
        replace(&*context.regexes.get(pattern, Flags::default())?, a, b, start, n)
    }
    fn textregexreplace_extended_no_n[context](a: &str, pattern: &str, b: &str, start: i32) -> String {
        check_start(start)?;
        replace(&*context.regexes.get(pattern, Flags::default())?, a, b, start, 1)
    }
    fn regexp_match_no_flags[context](a: &str, pattern: &str) -> Datum {
        first_match(context, a, pattern, Flags::default())?
    }
    fn regexp_match[context](a: &str, pattern: &str, flags: &str) -> Datum {
        first_match(context, a, pattern, no_global(flags, "regexp_match")?)?
    }
    fn regexp_matches_no_flags[context](a: &str, pattern: &str) -> Vec<Datum> {
        all_matches(context, a, pattern, "")?
    }
    fn regexp_matches[context](a: &str, pattern: &str, flags: &str) -> Vec<Datum> {
        all_matches(context, a, pattern, flags)?
    }
    fn regexp_split_to_array_no_flags[context](a: &str, pattern: &str) -> Vec<String> {
        split_characters(split(context, a, pattern, Flags::default())?, a, pattern)
    }
    fn regexp_split_to_array[context](a: &str, pattern: &str, flags: &str) -> Vec<String> {
        let flags = no_global(flags, "regexp_split_to_array")?;
        split_characters(split(context, a, pattern, flags)?, a, pattern)
    }
    fn regexp_split_to_table_no_flags[context](a: &str, pattern: &str) -> Vec<String> {
        split_characters(split(context, a, pattern, Flags::default())?, a, pattern)
    }
    fn regexp_split_to_table[context](a: &str, pattern: &str, flags: &str) -> Vec<String> {
        let flags = no_global(flags, "regexp_split_to_table")?;
        split_characters(split(context, a, pattern, flags)?, a, pattern)
    }
    fn regexp_like_no_flags[context](a: &str, pattern: &str) -> bool {
        context.regexes.get(pattern, Flags::default())?.is_match(a)
    }
    fn regexp_like[context](a: &str, pattern: &str, flags: &str) -> bool {
        context.regexes.get(pattern, no_global(flags, "regexp_like")?)?.is_match(a)
    }
    fn regexp_count_no_start[context](a: &str, pattern: &str) -> i32 { count(context, a, pattern, 1, "")? }
    fn regexp_count_no_flags[context](a: &str, pattern: &str, start: i32) -> i32 {
        count(context, a, pattern, start, "")?
    }
    fn regexp_count[context](a: &str, pattern: &str, start: i32, flags: &str) -> i32 {
        count(context, a, pattern, start, flags)?
    }
    fn regexp_instr_no_start[context](a: &str, pattern: &str) -> i32 {
        instr(context, a, &find(pattern, 1, 1), 0)?
    }
    fn regexp_instr_no_n[context](a: &str, pattern: &str, start: i32) -> i32 {
        instr(context, a, &find(pattern, start, 1), 0)?
    }
    fn regexp_instr_no_endoption[context](a: &str, pattern: &str, start: i32, n: i32) -> i32 {
        instr(context, a, &find(pattern, start, n), 0)?
    }
    fn regexp_instr_no_flags[context](a: &str, pattern: &str, start: i32, n: i32, end: i32) -> i32 {
        instr(context, a, &find(pattern, start, n), end)?
    }
    fn regexp_instr_no_subexpr[context](a: &str, pattern: &str, start: i32, n: i32, end: i32, flags: &str) -> i32 {
        instr(context, a, &Search { pattern, start, n, flags, group: 0 }, end)?
    }
    fn regexp_instr[context](a: &str, pattern: &str, start: i32, n: i32, end: i32, flags: &str, group: i32) -> i32 {
        instr(context, a, &Search { pattern, start, n, flags, group }, end)?
    }
    fn regexp_substr_no_start[context](a: &str, pattern: &str) -> Option<String> {
        substr(context, a, &find(pattern, 1, 1))?
    }
    fn regexp_substr_no_n[context](a: &str, pattern: &str, start: i32) -> Option<String> {
        substr(context, a, &find(pattern, start, 1))?
    }
    fn regexp_substr_no_flags[context](a: &str, pattern: &str, start: i32, n: i32) -> Option<String> {
        substr(context, a, &find(pattern, start, n))?
    }
    fn regexp_substr_no_subexpr[context](a: &str, pattern: &str, start: i32, n: i32, flags: &str) -> Option<String> {
        substr(context, a, &Search { pattern, start, n, flags, group: 0 })?
    }
    fn regexp_substr[context](a: &str, pattern: &str, start: i32, n: i32, flags: &str, group: i32) -> Option<String> {
        substr(context, a, &Search { pattern, start, n, flags, group })?
    }
}
