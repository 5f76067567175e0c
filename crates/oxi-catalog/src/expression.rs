//! Just enough of SQL's tokens to see which names a stored expression mentions.
//!
//! Stored expressions were parsed when they were created; this looks at their words only, so it
//! errs on the side of "mentions".

/// One token: its kind and byte range.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Token {
    kind: TokenKind,
    start: usize,
    end: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum TokenKind {
    Word,
    Quoted,
    Text,
    Number,
    Symbol,
}

fn tokens(text: &str) -> Vec<Token> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let start = at;
        let kind = match byte {
            b' ' | b'\t' | b'\n' | b'\r' => {
                at += 1;
                continue;
            }
            b'-' if bytes.get(at + 1) == Some(&b'-') => {
                while bytes.get(at).is_some_and(|byte| *byte != b'\n') {
                    at += 1;
                }
                continue;
            }
            b'\'' => {
                let escapes = found.last().is_some_and(|last: &Token| {
                    last.end == start && text[last.start..last.end].eq_ignore_ascii_case("e")
                });
                at = quoted_end(bytes, start, b'\'', escapes);
                TokenKind::Text
            }
            b'"' => {
                at = quoted_end(bytes, start, b'"', false);
                TokenKind::Quoted
            }
            b'0'..=b'9' => {
                while bytes.get(at).is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'.') {
                    at += 1;
                }
                TokenKind::Number
            }
            _ if byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80 => {
                while bytes.get(at).is_some_and(|b| {
                    b.is_ascii_alphanumeric() || matches!(b, b'_' | b'$') || *b >= 0x80
                }) {
                    at += 1;
                }
                TokenKind::Word
            }
            _ => {
                at += 1;
                TokenKind::Symbol
            }
        };
        found.push(Token { kind, start, end: at });
    }
    found
}

fn quoted_end(bytes: &[u8], start: usize, quote: u8, escapes: bool) -> usize {
    let mut at = start + 1;
    while let Some(&byte) = bytes.get(at) {
        if escapes && byte == b'\\' {
            at += 2;
        } else if byte != quote {
            at += 1;
        } else if bytes.get(at + 1) == Some(&quote) {
            at += 2;
        } else {
            return at + 1;
        }
    }
    bytes.len()
}

/// The identifier that a token stands for, if it is one.
fn identifier(text: &str, token: Token) -> Option<String> {
    let written = &text[token.start..token.end];
    match token.kind {
        TokenKind::Word => Some(written.to_ascii_lowercase()),
        TokenKind::Quoted => {
            Some(written.strip_prefix('"')?.strip_suffix('"')?.replace("\"\"", "\""))
        }
        _ => None,
    }
}

/// The tokens that may be uses of a column: not calls, not type names after `::`.
fn column_uses<'a>(text: &'a str, name: &'a str) -> impl Iterator<Item = Token> + 'a {
    let all = tokens(text);
    let symbol = move |token: Option<&Token>, wanted: &str| {
        token.is_some_and(|token| &text[token.start..token.end] == wanted)
    };
    let uses: Vec<Token> = all
        .iter()
        .enumerate()
        .filter(|(_, token)| identifier(text, **token).is_some_and(|found| found == name))
        .filter(|(at, _)| {
            let call_or_qualifier = symbol(all.get(at + 1), "(") || symbol(all.get(at + 1), ".");
            let type_name = *at > 0 && symbol(all.get(at - 1), ":");
            !call_or_qualifier && !type_name
        })
        .map(|(_, token)| *token)
        .collect();
    uses.into_iter()
}

/// Whether an expression may use the column.
pub fn mentions(text: &str, column: &str) -> bool {
    column_uses(text, column).next().is_some()
}

/// Whether a query may use the column, by name or by `*`.
pub fn mentions_or_star(text: &str, column: &str) -> bool {
    mentions(text, column)
        || tokens(text).windows(2).any(|pair| {
            // A star that is not multiplication follows SELECT, a comma or a dot.
            let before = &text[pair[0].start..pair[0].end];
            &text[pair[1].start..pair[1].end] == "*"
                && (before == "," || before == "." || before.eq_ignore_ascii_case("select"))
        })
}

/// The expression with a column's new name.
pub fn rename_column(text: &str, old: &str, new: &str) -> String {
    let mut renamed = String::with_capacity(text.len());
    let mut copied = 0;
    for token in column_uses(text, old) {
        renamed.push_str(&text[copied..token.start]);
        renamed.push_str(&crate::identifier::quote(new));
        copied = token.end;
    }
    renamed.push_str(&text[copied..]);
    renamed
}

/// The names (as parts) of sequences that an expression draws from: the texts in `nextval('…')`.
pub fn sequence_names(text: &str) -> Vec<Vec<String>> {
    let all = tokens(text);
    all.windows(3)
        .filter(|window| {
            identifier(text, window[0]).is_some_and(|name| name == "nextval")
                && &text[window[1].start..window[1].end] == "("
                && window[2].kind == TokenKind::Text
        })
        .map(|window| {
            let literal = &text[window[2].start..window[2].end];
            let inner = literal.trim_matches('\'').replace("''", "'");
            tokens(&inner).into_iter().filter_map(|token| identifier(&inner, token)).collect()
        })
        .collect()
}

/// Replaces the texts in `nextval('…')` that name the sequence `old` (schema and name) by `new`,
/// which is already quoted as SQL writes it.
pub fn rename_sequence(text: &str, old: (&str, &str), new: &str) -> String {
    let all = tokens(text);
    let mut renamed = String::with_capacity(text.len());
    let mut copied = 0;
    for window in all.windows(3) {
        if identifier(text, window[0]).is_none_or(|name| name != "nextval")
            || &text[window[1].start..window[1].end] != "("
            || window[2].kind != TokenKind::Text
        {
            continue;
        }
        let names = sequence_names(&format!("{})", &text[window[0].start..window[2].end]));
        let matches = names.first().is_some_and(|parts| match parts.as_slice() {
            [name] => name == old.1,
            [.., schema, name] => schema == old.0 && name == old.1,
            [] => false,
        });
        if matches {
            renamed.push_str(&text[copied..window[2].start]);
            renamed.push_str(&crate::identifier::literal(new));
            copied = window[2].end;
        }
    }
    renamed.push_str(&text[copied..]);
    renamed
}

#[cfg(test)]
mod tests;
