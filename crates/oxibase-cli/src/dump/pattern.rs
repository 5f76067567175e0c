//! Names as `--table` takes them: `orders`, `shop.order*`, `"Odd name"`.

#[cfg(test)]
mod tests;

/// One character of a pattern.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Part {
    Exactly(char),
    /// `?`
    One,
    /// `*`
    Any,
}

/// What names it stands for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Pattern {
    schema: Option<Vec<Part>>,
    name: Vec<Part>,
}

impl Pattern {
    /// Reads a pattern: outside of double quotes letters are lower case, `*` and `?` stand for
    /// others, and a dot ends the schema.
    pub(crate) fn parse(text: &str) -> Self {
        let mut pattern = Pattern { schema: None, name: Vec::new() };
        let mut is_quoted = false;
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '"' if is_quoted && chars.peek() == Some(&'"') => {
                    chars.next();
                    pattern.name.push(Part::Exactly('"'));
                }
                '"' => is_quoted = !is_quoted,
                c if is_quoted => pattern.name.push(Part::Exactly(c)),
                '.' if pattern.schema.is_none() => {
                    pattern.schema = Some(std::mem::take(&mut pattern.name));
                }
                '*' => pattern.name.push(Part::Any),
                '?' => pattern.name.push(Part::One),
                c => pattern.name.extend(c.to_lowercase().map(Part::Exactly)),
            }
        }
        pattern
    }

    /// Whether it stands for this relation; without a schema, for those the search path finds.
    pub(crate) fn matches(&self, schema: &str, name: &str, is_visible: bool) -> bool {
        let in_schema = match &self.schema {
            Some(parts) => matches(parts, schema),
            None => is_visible,
        };
        in_schema && matches(&self.name, name)
    }
}

/// Whether the parts make up the whole text. On a mismatch the last `*` takes one character more.
fn matches(parts: &[Part], text: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    let (mut part, mut at) = (0, 0);
    let mut retry = None::<(usize, usize)>;
    while at < text.len() {
        match parts.get(part) {
            Some(Part::Any) => {
                retry = Some((part + 1, at));
                part += 1;
            }
            Some(found) if *found == Part::One || *found == Part::Exactly(text[at]) => {
                part += 1;
                at += 1;
            }
            _ => {
                let Some((after, from)) = retry else { return false };
                retry = Some((after, from + 1));
                (part, at) = (after, from + 1);
            }
        }
    }
    parts[part..].iter().all(|rest| *rest == Part::Any)
}
