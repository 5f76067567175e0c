//! `to_char` and `to_number` of numbers.

use oxi_base::{Error, Result, SqlState};

use crate::numeric::Numeric;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Node {
    Digit { zero: bool },
    Point,
    Group,
    SignStart,
    SignEnd,
    Minus,
    Plus,
    PlusMinus,
    Brackets,
    Currency,
    Ordinal { upper: bool },
    Shift,
    Exponent,
    Roman { upper: bool },
    Literal(char),
}

impl Node {
    fn is_digit(self) -> bool {
        matches!(self, Node::Digit { .. })
    }
}

struct Template {
    nodes: Vec<Node>,
    fill: bool,
}

fn parse(text: &str) -> Template {
    let mut nodes = Vec::new();
    let mut fill = true;
    let mut rest = text;
    let mut seen_digit = false;
    while let Some(c) = rest.chars().next() {
        let upper = rest.get(..4).unwrap_or(rest).to_ascii_uppercase();
        let (node, length) = if c == '"' {
            let body = &rest[1..];
            let end = body.find('"').unwrap_or(body.len());
            nodes.extend(body[..end].chars().map(Node::Literal));
            rest = body.get(end + 1..).unwrap_or("");
            continue;
        } else if upper.starts_with("FM") {
            fill = false;
            rest = &rest[2..];
            continue;
        } else if upper.starts_with("EEEE") {
            (Node::Exponent, 4)
        } else if upper.starts_with("MI") {
            (Node::Minus, 2)
        } else if upper.starts_with("PL") {
            (Node::Plus, 2)
        } else if upper.starts_with("SG") {
            (Node::PlusMinus, 2)
        } else if upper.starts_with("PR") {
            (Node::Brackets, 2)
        } else if upper.starts_with("TH") {
            (Node::Ordinal { upper: c == 'T' }, 2)
        } else if upper.starts_with("RN") {
            (Node::Roman { upper: c == 'R' }, 2)
        } else {
            let node = match c.to_ascii_uppercase() {
                '9' => Node::Digit { zero: false },
                '0' => Node::Digit { zero: true },
                '.' | 'D' => Node::Point,
                ',' | 'G' => Node::Group,
                'S' if seen_digit => Node::SignEnd,
                'S' => Node::SignStart,
                'L' => Node::Currency,
                'V' => Node::Shift,
                _ => Node::Literal(c),
            };
            (node, c.len_utf8())
        };
        seen_digit |= matches!(node, Node::Digit { .. });
        nodes.push(node);
        rest = &rest[length..];
    }
    Template { nodes, fill }
}

fn ordinal(digits: &str) -> &'static str {
    let teens = digits.len() >= 2 && digits.as_bytes()[digits.len() - 2] == b'1';
    match digits.as_bytes().last() {
        Some(b'1') if !teens => "st",
        Some(b'2') if !teens => "nd",
        Some(b'3') if !teens => "rd",
        _ => "th",
    }
}

/// A number between 1 and 3999 in Roman numerals.
pub fn roman(number: i64) -> Option<String> {
    const PARTS: [(i64, &str); 13] = [
        (1000, "M"),
        (900, "CM"),
        (500, "D"),
        (400, "CD"),
        (100, "C"),
        (90, "XC"),
        (50, "L"),
        (40, "XL"),
        (10, "X"),
        (9, "IX"),
        (5, "V"),
        (4, "IV"),
        (1, "I"),
    ];
    if !(1..=3999).contains(&number) {
        return None;
    }
    let mut rest = number;
    let mut out = String::new();
    for (value, letters) in PARTS {
        while rest >= value {
            out.push_str(letters);
            rest -= value;
        }
    }
    Some(out)
}

/// `to_char` of a number.
pub fn format(value: &Numeric, template: &str) -> Result<String> {
    let template = parse(template);
    if let Some(Node::Roman { upper }) =
        template.nodes.iter().find(|node| matches!(node, Node::Roman { .. }))
    {
        let number = value.to_i128().and_then(|number| i64::try_from(number).ok());
        let letters = number.and_then(roman).unwrap_or_else(|| "#".repeat(15));
        let letters = if *upper { letters } else { letters.to_lowercase() };
        return Ok(if template.fill { format!("{letters:>15}") } else { letters });
    }
    if template.nodes.contains(&Node::Exponent) {
        return Ok(scientific(value, &template));
    }
    Ok(plain(value, &template))
}

fn scientific(value: &Numeric, template: &Template) -> String {
    let after = template
        .nodes
        .iter()
        .skip_while(|node| **node != Node::Point)
        .filter(|node| matches!(node, Node::Digit { .. }))
        .count();
    let sign = if value.is_negative() { "-" } else { " " };
    if !value.is_finite() {
        return format!("{sign}#.{}", "#".repeat(after + 4));
    }
    let digits = value.abs().to_string().replace('.', "");
    let significant = digits.trim_start_matches('0');
    let mut exponent = if significant.is_empty() {
        0
    } else {
        significant.len() as i64 - 1 - i64::from(value.scale())
    };
    let scaled = format!("0{}", if significant.is_empty() { "0" } else { significant });
    let mantissa = Numeric::parse(&format!("{}.{}", &scaled[1..2], scaled.get(2..).unwrap_or("")))
        .unwrap_or(Numeric::ZERO)
        .round(after as i32);
    let mut shown = mantissa.to_string();
    if shown.starts_with("10") {
        exponent += 1;
        shown = Numeric::ONE.round(after as i32).to_string();
    }
    let exponent_sign = if exponent < 0 { '-' } else { '+' };
    format!("{sign}{shown}e{exponent_sign}{:02}", exponent.abs())
}

fn plain(value: &Numeric, template: &Template) -> String {
    let layout = Layout::of(value, template);
    let mut writer = Writer {
        layout: &layout,
        out: String::new(),
        lead: Some(layout.lead()),
        place: 0,
        fraction_place: 0,
    };
    let mut in_fraction = false;
    for node in &template.nodes {
        match node {
            Node::Digit { .. } if in_fraction => writer.fraction_digit(),
            Node::Digit { .. } => writer.integer_digit(),
            Node::Point => {
                in_fraction = true;
                writer.point();
            }
            other => writer.other(*other),
        }
    }
    writer.finish()
}

/// A number divided up for a template.
struct Layout<'a> {
    template: &'a Template,
    negative: bool,
    /// It does not fit: digits are shown as `#`.
    overflow: bool,
    integer: String,
    fraction: String,
    /// Digits of the template before the point.
    before: usize,
    /// The first of them that shows something.
    starts: usize,
    /// How many digits behind the point are shown.
    kept_fraction: usize,
    has_point: bool,
}

impl<'a> Layout<'a> {
    fn of(value: &Numeric, template: &'a Template) -> Self {
        let point = template.nodes.iter().position(|node| matches!(node, Node::Point));
        let shift = template.nodes.iter().position(|node| *node == Node::Shift);
        let end = point.or(shift).unwrap_or(template.nodes.len());
        let (head, tail) = template.nodes.split_at(end);
        let mut before = head.iter().filter(|node| node.is_digit()).count();
        let mut after = tail.iter().filter(|node| node.is_digit()).count();
        let mut value = value.clone();
        if shift.is_some() && point.is_none() {
            // V multiplies by ten for each digit after it.
            let factor = Numeric::parse(&format!("1e{after}")).unwrap_or(Numeric::ONE);
            value = value.mul(&factor);
            before += after;
            after = 0;
        }
        let rounded = if value.is_finite() { value.round(after as i32) } else { value.clone() };
        let text = rounded.abs().to_string();
        let (integer, fraction) = text.split_once('.').unwrap_or((&text, ""));
        // Without places before the point nothing fits.
        let overflow =
            !value.is_finite() || integer.len() > before && integer != "0" || before == 0;
        let hidden = after > 0 && (template.fill || fraction.bytes().any(|digit| digit != b'0'));
        let integer = if integer == "0" && hidden { "" } else { integer };
        let first_zero = head
            .iter()
            .filter(|node| node.is_digit())
            .position(|node| *node == Node::Digit { zero: true })
            .unwrap_or(usize::MAX);
        let starts = if overflow { 0 } else { first_zero.min(before - integer.len().min(before)) };
        Layout {
            template,
            negative: rounded.is_negative(),
            overflow,
            kept_fraction: kept_fraction(template, tail, after, fraction),
            integer: integer.to_owned(),
            fraction: fraction.to_owned(),
            before,
            starts,
            has_point: point.is_some(),
        }
    }

    /// A mark, or the blank that keeps its place.
    fn mark(&self, mark: &'static str, is_shown: bool) -> &'static str {
        match (is_shown, self.template.fill) {
            (true, _) => mark,
            (false, true) => " ",
            (false, false) => "",
        }
    }

    /// The sign in front of the first digit.
    fn lead(&self) -> String {
        let nodes = &self.template.nodes;
        let explicit = [Node::SignStart, Node::SignEnd, Node::Minus, Node::PlusMinus];
        if nodes.contains(&Node::Brackets) {
            self.mark("<", self.negative).to_owned()
        } else if nodes.contains(&Node::SignStart) {
            if self.negative { "-" } else { "+" }.to_owned()
        } else if nodes.iter().any(|node| explicit.contains(node)) {
            String::new()
        } else {
            self.mark("-", self.negative).to_owned()
        }
    }
}

/// Under FM the zeros that only a 9 asks for are not shown.
fn kept_fraction(template: &Template, tail: &[Node], after: usize, fraction: &str) -> usize {
    if template.fill {
        return after;
    }
    let digits: Vec<&Node> = tail.iter().filter(|node| node.is_digit()).collect();
    let last_zero = digits.iter().rposition(|node| **node == Node::Digit { zero: true });
    fraction.trim_end_matches('0').len().max(last_zero.map_or(0, |at| at + 1))
}

/// A number being written by a template.
struct Writer<'a> {
    layout: &'a Layout<'a>,
    out: String,
    /// The sign, until it is written.
    lead: Option<String>,
    /// Digits of the template passed before the point, and behind it.
    place: usize,
    fraction_place: usize,
}

impl Writer<'_> {
    fn put_lead(&mut self) {
        self.out.push_str(&self.lead.take().unwrap_or_default());
    }

    fn integer_digit(&mut self) {
        let layout = self.layout;
        if self.place < layout.starts {
            self.out.push_str(layout.mark("", false));
        } else {
            self.put_lead();
            if layout.overflow {
                self.out.push('#');
            } else {
                let shown = layout.integer.len().checked_sub(layout.before - self.place);
                self.out.push_str(shown.map_or("0", |at| &layout.integer[at..=at]));
            }
        }
        self.place += 1;
    }

    fn fraction_digit(&mut self) {
        let layout = self.layout;
        let at = self.fraction_place;
        if layout.overflow {
            self.out.push('#');
        } else if at < layout.kept_fraction {
            self.out.push_str(layout.fraction.get(at..=at).unwrap_or("0"));
        }
        self.fraction_place += 1;
    }

    fn point(&mut self) {
        self.put_lead();
        self.out.push('.');
    }

    fn other(&mut self, node: Node) {
        let layout = self.layout;
        let negative = layout.negative;
        match node {
            Node::Group => self.out.push_str(layout.mark(",", self.place > layout.starts)),
            Node::SignEnd | Node::PlusMinus => self.out.push(if negative { '-' } else { '+' }),
            Node::Minus => self.out.push_str(layout.mark("-", negative)),
            Node::Plus => self.out.push_str(layout.mark("+", !negative)),
            Node::Ordinal { upper } if !negative && !layout.overflow && !layout.has_point => {
                let ending = ordinal(&layout.integer);
                self.out.push_str(&if upper { ending.to_uppercase() } else { ending.to_owned() });
            }
            Node::Currency => self.out.push_str(layout.mark("", false)),
            Node::Literal(c) => {
                if self.lead.is_some() && !layout.template.fill && self.place > layout.starts {
                    self.put_lead();
                }
                self.out.push(c);
            }
            _ => {}
        }
    }

    fn finish(mut self) -> String {
        self.put_lead();
        if self.layout.template.nodes.contains(&Node::Brackets) {
            self.out.push_str(self.layout.mark(">", self.layout.negative));
        }
        self.out
    }
}

/// `to_number`: the digits, point and sign that the text has at the template's places.
pub fn read(text: &str, template: &str) -> Result<Numeric> {
    let template = parse(template);
    let mut digits = String::new();
    let mut negative = false;
    let mut chars = text.trim_start().chars().peekable();
    let after =
        |nodes: &[Node]| nodes.iter().filter(|node| matches!(node, Node::Digit { .. })).count();
    let shift = template
        .nodes
        .iter()
        .position(|node| *node == Node::Shift)
        .map(|at| after(&template.nodes[at..]));
    let mut sign = |chars: &mut std::iter::Peekable<std::str::Chars<'_>>| {
        while let Some(c) = chars.peek() {
            match c {
                '-' | '<' => negative = true,
                '+' | ' ' | '>' => {}
                _ => break,
            }
            chars.next();
        }
    };
    for node in &template.nodes {
        match node {
            Node::Digit { .. } => {
                if digits.is_empty() || chars.peek() == Some(&' ') {
                    sign(&mut chars);
                }
                if let Some(c) = chars.next_if(char::is_ascii_digit) {
                    digits.push(c);
                }
            }
            Node::Point if chars.next_if_eq(&'.').is_some() => {
                digits.push('.');
            }
            Node::Group => {
                chars.next_if_eq(&',');
            }
            Node::SignStart
            | Node::SignEnd
            | Node::Minus
            | Node::Plus
            | Node::PlusMinus
            | Node::Brackets => sign(&mut chars),
            Node::Currency | Node::Literal(_) => {
                chars.next_if(|c| !c.is_ascii_digit());
            }
            _ => {}
        }
    }
    sign(&mut chars);
    if !digits.contains(|c: char| c.is_ascii_digit()) {
        return Err(Error::new(
            SqlState::INVALID_TEXT_REPRESENTATION,
            "invalid input syntax for type numeric: \" \"",
        ));
    }
    let value = Numeric::parse(&digits)?;
    let value = match shift {
        Some(places) => value.div(&Numeric::parse(&format!("1e{places}"))?)?,
        None => value,
    };
    Ok(if negative { value.neg() } else { value })
}
