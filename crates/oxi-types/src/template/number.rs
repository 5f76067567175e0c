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
    let digit = |node: &Node| matches!(node, Node::Digit { .. });
    let point = template.nodes.iter().position(|node| matches!(node, Node::Point));
    let shift = template.nodes.iter().position(|node| *node == Node::Shift);
    let before_end = point.or(shift).unwrap_or(template.nodes.len());
    let mut before = template.nodes[..before_end].iter().filter(|node| digit(node)).count();
    let mut after = template.nodes[before_end..].iter().filter(|node| digit(node)).count();
    let mut value = value.clone();
    if shift.is_some() && point.is_none() {
        // V multiplies by ten for each digit after it.
        let factor = Numeric::parse(&format!("1e{after}")).unwrap_or(Numeric::ONE);
        value = value.mul(&factor);
        before += after;
        after = 0;
    }
    let rounded = if value.is_finite() { value.round(after as i32) } else { value.clone() };
    let negative = rounded.is_negative();
    let text = rounded.abs().to_string();
    let (integer, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let overflow = !value.is_finite() || integer.len() > before && integer != "0";
    // Without places before the point nothing fits.
    let overflow = overflow || before == 0;
    let hidden = after > 0 && (template.fill || fraction.bytes().any(|digit| digit != b'0'));
    let integer = if integer == "0" && hidden { "" } else { integer };
    let first_zero = template.nodes[..before_end]
        .iter()
        .filter(|node| digit(node))
        .position(|node| *node == Node::Digit { zero: true })
        .unwrap_or(usize::MAX);
    let starts = if overflow { 0 } else { first_zero.min(before - integer.len().min(before)) };
    // Under FM the zeros that only a 9 asks for are not shown.
    let kept_fraction = if template.fill {
        after
    } else {
        let asked = template.nodes[before_end..]
            .iter()
            .filter(|node| digit(node))
            .collect::<Vec<_>>()
            .iter()
            .rposition(|node| **node == Node::Digit { zero: true })
            .map_or(0, |at| at + 1);
        fraction.trim_end_matches('0').len().max(asked)
    };
    let explicit = template.nodes.iter().any(|node| {
        matches!(
            node,
            Node::SignStart | Node::SignEnd | Node::Minus | Node::PlusMinus | Node::Brackets
        )
    });
    let sign_start = template.nodes.contains(&Node::SignStart);
    let brackets = template.nodes.contains(&Node::Brackets);
    let mut lead = String::new();
    if brackets {
        lead.push_str(if negative {
            "<"
        } else if template.fill {
            " "
        } else {
            ""
        });
    } else if sign_start {
        lead.push(if negative { '-' } else { '+' });
    } else if !explicit {
        lead.push_str(if negative {
            "-"
        } else if template.fill {
            " "
        } else {
            ""
        });
    }
    let mut out = String::new();
    let mut lead = Some(lead);
    let mut place = 0;
    let mut fraction_place = 0;
    let mut in_fraction = false;
    for node in &template.nodes {
        match node {
            Node::Digit { .. } if in_fraction => {
                if overflow {
                    out.push('#');
                } else if fraction_place < kept_fraction {
                    out.push_str(fraction.get(fraction_place..=fraction_place).unwrap_or("0"));
                }
                fraction_place += 1;
            }
            Node::Digit { .. } => {
                if place < starts {
                    if template.fill {
                        out.push(' ');
                    }
                } else {
                    out.push_str(&lead.take().unwrap_or_default());
                    if overflow {
                        out.push('#');
                    } else {
                        let from_end = before - place;
                        let shown = integer.len().checked_sub(from_end);
                        out.push_str(shown.map_or("0", |at| &integer[at..=at]));
                    }
                }
                place += 1;
            }
            Node::Group => {
                if place > starts {
                    out.push(',');
                } else if template.fill {
                    out.push(' ');
                }
            }
            Node::Point => {
                out.push_str(&lead.take().unwrap_or_default());
                in_fraction = true;
                out.push('.');
            }
            Node::SignEnd => out.push(if negative { '-' } else { '+' }),
            Node::Minus => out.push_str(if negative {
                "-"
            } else if template.fill {
                " "
            } else {
                ""
            }),
            Node::Plus => out.push_str(if !negative {
                "+"
            } else if template.fill {
                " "
            } else {
                ""
            }),
            Node::PlusMinus => out.push(if negative { '-' } else { '+' }),
            Node::Ordinal { upper } if !negative && !overflow && point.is_none() => {
                let ending = ordinal(integer);
                out.push_str(&if *upper { ending.to_uppercase() } else { ending.to_owned() });
            }
            Node::Currency if template.fill => out.push(' '),
            Node::Literal(c) => {
                if lead.is_some() && !template.fill && place > starts {
                    out.push_str(&lead.take().unwrap_or_default());
                }
                out.push(*c);
            }
            _ => {}
        }
    }
    if let Some(lead) = lead {
        out.push_str(&lead);
    }
    if brackets {
        out.push_str(if negative {
            ">"
        } else if template.fill {
            " "
        } else {
            ""
        });
    }
    out
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
