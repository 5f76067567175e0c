//! Patterns, as PostgreSQL 15 matches them.

use super::*;

#[test]
fn like_matches() {
    let cases = [
        ("hello", "h%o", true),
        ("hello", "_ello", true),
        ("hello", "h_o", false),
        ("a%b", "a\\%b", true),
        ("axb", "a\\%b", false),
        ("", "%", true),
        ("", "_", false),
        ("héllo", "h_llo", true),
        ("abcabc", "%abc", true),
        ("abcab", "%abc", false),
        ("aab", "a%%b", true),
        ("x_y", "x\\_y", true),
    ];
    for (text, pattern, expected) in cases {
        assert_eq!(like(text, pattern).ok(), Some(expected), "{text} like {pattern}");
    }
    assert!(like("a", "a\\").is_err());
}

#[test]
fn regular_expressions_are_translated() {
    let cache = RegexCache::default();
    let cases = [
        ("foo bar", r"\mbar\M", true),
        ("foobar", r"\mbar", false),
        ("a\nb", "a.b", true),
        ("x-y", "[x-]-", true),
        ("a]b", "[]]", true),
        ("A", "(?i)a", true),
        ("a{b", "a{b", true),
        ("aa", "^a{2}$", true),
        ("tab\t", r"\t", true),
        ("é", "[[:alpha:]]", true),
    ];
    for (text, pattern, expected) in cases {
        let regex = cache.get(pattern, Flags::default()).expect(pattern);
        assert_eq!(regex.is_match(text), expected, "{text} ~ {pattern}");
    }
    assert!(cache.get("(", Flags::default()).is_err());
    assert!(cache.get("[a", Flags::default()).is_err());
    assert!(cache.get("*a", Flags::default()).is_err());
}

#[test]
fn similar_patterns_become_regular_expressions() {
    let cache = RegexCache::default();
    let holds = |text: &str, pattern: &str| {
        let pattern = similar_escape(pattern, None).expect("a pattern");
        cache.get(&pattern, Flags::default()).expect("a regex").is_match(text)
    };
    assert!(holds("abc", "%(b|d)%"));
    assert!(!holds("abc", "(b|c)%"));
    assert!(holds("abc", "abc"));
    assert!(!holds("abc", "a"));
    assert!(holds("a.c", "a.c") && !holds("abc", "a.c"));
}
