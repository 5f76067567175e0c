//! The normal form of a path.

use std::fmt::Write as _;

use super::{Node, Path, Step};
use crate::json::quote;

impl Path {
    /// Appends the normal form.
    pub fn print(&self, out: &mut String) {
        if !self.lax {
            out.push_str("strict ");
        }
        print(&self.root, true, out);
    }
}

fn priority(node: &Node) -> u8 {
    match node {
        Node::Or(..) => 0,
        Node::And(..) => 1,
        Node::Compare(..) | Node::StartsWith(..) => 2,
        Node::Arithmetic('+' | '-', ..) => 3,
        Node::Arithmetic(..) => 4,
        Node::Sign(..) => 5,
        _ => 6,
    }
}

fn binary(node: &Node, op: &str, left: &Node, right: &Node, brackets: bool, out: &mut String) {
    if brackets {
        out.push('(');
    }
    print(left, priority(left) <= priority(node), out);
    let _ = write!(out, " {op} ");
    print(right, priority(right) <= priority(node), out);
    if brackets {
        out.push(')');
    }
}

fn print(node: &Node, brackets: bool, out: &mut String) {
    match node {
        Node::Root => out.push('$'),
        Node::Current => out.push('@'),
        Node::Last => out.push_str("last"),
        Node::Null => out.push_str("null"),
        Node::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Node::Number(text) => out.push_str(text),
        Node::String(text) => quote(text, out),
        Node::Variable(name) => {
            out.push('$');
            quote(name, out);
        }
        Node::Chain(start, steps) => {
            let number = matches!(start.as_ref(), Node::Number(_));
            if number {
                out.push('(');
            }
            print(start, true, out);
            if number {
                out.push(')');
            }
            for step in steps {
                print_step(step, out);
            }
        }
        Node::Arithmetic(op, left, right) => {
            binary(node, &op.to_string(), left, right, brackets, out);
        }
        Node::Compare(op, left, right) => binary(node, op, left, right, brackets, out),
        Node::And(left, right) => binary(node, "&&", left, right, brackets, out),
        Node::Or(left, right) => binary(node, "||", left, right, brackets, out),
        Node::StartsWith(left, right) => binary(node, "starts with", left, right, brackets, out),
        Node::Sign(sign, inner) => {
            if brackets {
                out.push('(');
            }
            out.push(*sign);
            print(inner, priority(inner) <= priority(node), out);
            if brackets {
                out.push(')');
            }
        }
        Node::Not(inner) => around("!(", inner, ")", out),
        Node::IsUnknown(inner) => around("(", inner, ") is unknown", out),
        Node::Exists(inner) => around("exists (", inner, ")", out),
        Node::LikeRegex(inner, pattern, flags) => {
            if brackets {
                out.push('(');
            }
            print(inner, priority(inner) <= priority(node), out);
            out.push_str(" like_regex ");
            quote(pattern, out);
            if !flags.is_empty() {
                let _ = write!(out, " flag \"{flags}\"");
            }
            if brackets {
                out.push(')');
            }
        }
    }
}

fn around(before: &str, inner: &Node, after: &str, out: &mut String) {
    out.push_str(before);
    print(inner, false, out);
    out.push_str(after);
}

fn print_step(step: &Step, out: &mut String) {
    let level = |level: &Option<u32>| level.map_or("last".to_owned(), |level| level.to_string());
    match step {
        Step::Member(name) => {
            out.push('.');
            quote(name, out);
        }
        Step::AnyMember => out.push_str(".*"),
        Step::AnyElement => out.push_str("[*]"),
        Step::Elements(ranges) => {
            out.push('[');
            for (index, (from, to)) in ranges.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                print(from, false, out);
                if let Some(to) = to {
                    out.push_str(" to ");
                    print(to, false, out);
                }
            }
            out.push(']');
        }
        Step::Deep(Some(0), None) => out.push_str(".**"),
        Step::Deep(from, to) if from == to => {
            let _ = write!(out, ".**{{{}}}", level(from));
        }
        Step::Deep(from, to) => {
            let _ = write!(out, ".**{{{} to {}}}", level(from), level(to));
        }
        Step::Filter(inner) => around("?(", inner, ")", out),
        Step::Method(name) => {
            let _ = write!(out, ".{name}()");
        }
        Step::Datetime(template) => {
            out.push_str(".datetime(");
            if let Some(template) = template {
                quote(template, out);
            }
            out.push(')');
        }
    }
}
