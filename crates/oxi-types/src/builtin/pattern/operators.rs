//! The matching operators and the functions behind ESCAPE.

use oxi_base::Result;

use crate::{
    builtin::args::scalar,
    context::EvalContext,
    regexp::{self, Flags},
    text,
};

fn matches(context: &EvalContext, text: &str, pattern: &str, ignore_case: bool) -> Result<bool> {
    let flags = Flags { ignore_case, ..Flags::default() };
    Ok(context.regexes.get(pattern, flags)?.is_match(text))
}

fn ilike(text: &str, pattern: &str) -> Result<bool> {
    regexp::like(&text::lower(text), &text::lower(pattern))
}

scalar! {
    fn textlike(a: &str, pattern: &str) -> bool { regexp::like(a, pattern)? }
    fn textnlike(a: &str, pattern: &str) -> bool { !regexp::like(a, pattern)? }
    fn namelike(a: &str, pattern: &str) -> bool { regexp::like(a, pattern)? }
    fn namenlike(a: &str, pattern: &str) -> bool { !regexp::like(a, pattern)? }
    fn texticlike(a: &str, pattern: &str) -> bool { ilike(a, pattern)? }
    fn texticnlike(a: &str, pattern: &str) -> bool { !ilike(a, pattern)? }
    fn nameiclike(a: &str, pattern: &str) -> bool { ilike(a, pattern)? }
    fn nameicnlike(a: &str, pattern: &str) -> bool { !ilike(a, pattern)? }
    fn bytealike(a: &[u8], pattern: &[u8]) -> bool { regexp::like_bytes(a, pattern)? }
    fn byteanlike(a: &[u8], pattern: &[u8]) -> bool { !regexp::like_bytes(a, pattern)? }
    fn like_escape(pattern: &str, escape: &str) -> String { regexp::like_escape(pattern, escape)? }
    fn similar_escape(pattern: Option<&str>, escape: Option<&str>) -> Option<String> {
        pattern.map(|pattern| regexp::similar_escape(pattern, escape)).transpose()?
    }
    fn similar_to_escape_1(pattern: &str) -> String { regexp::similar_escape(pattern, None)? }
    fn similar_to_escape_2(pattern: &str, escape: &str) -> String {
        regexp::similar_escape(pattern, Some(escape))?
    }
    fn textregexeq[context](a: &str, pattern: &str) -> bool { matches(context, a, pattern, false)? }
    fn textregexne[context](a: &str, pattern: &str) -> bool { !matches(context, a, pattern, false)? }
    fn nameregexeq[context](a: &str, pattern: &str) -> bool { matches(context, a, pattern, false)? }
    fn nameregexne[context](a: &str, pattern: &str) -> bool { !matches(context, a, pattern, false)? }
    fn texticregexeq[context](a: &str, pattern: &str) -> bool { matches(context, a, pattern, true)? }
    fn texticregexne[context](a: &str, pattern: &str) -> bool { !matches(context, a, pattern, true)? }
    fn nameicregexeq[context](a: &str, pattern: &str) -> bool { matches(context, a, pattern, true)? }
    fn nameicregexne[context](a: &str, pattern: &str) -> bool { !matches(context, a, pattern, true)? }
}
