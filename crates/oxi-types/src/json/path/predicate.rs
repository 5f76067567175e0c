//! Predicates: true, false, or unknown (`None`).

use std::cmp::Ordering;

use oxi_base::{Error, Result, SqlState};

use super::{
    Node,
    run::{Failure, Item, Query, Scope},
};
use crate::{json::Json, numeric::Numeric, regexp::Flags};

type Truth = Option<bool>;

/// The flags of SQL's regular expressions as PostgreSQL's.
///
/// # Errors
/// `0A000` for `x`, which means something else there.
fn regex_flags(flags: &str) -> Result<Flags> {
    let has = |flag: char| flags.contains(flag);
    if has('x') && !has('q') {
        return Err(Error::new(
            SqlState::FEATURE_NOT_SUPPORTED,
            "XQuery \"x\" flag (expanded regular expressions) is not implemented",
        ));
    }
    Ok(Flags {
        ignore_case: has('i'),
        literal: has('q'),
        stop_at_newline: !has('q') && !has('s'),
        anchors_at_newline: !has('q') && has('m'),
        ..Flags::default()
    })
}

/// Checks a regular expression.
pub(super) fn compile(pattern: &str, flags: &str) -> Result<()> {
    crate::regexp::RegexCache::default().get(pattern, regex_flags(flags)?).map(|_| ())
}

fn op_holds(op: &str, ordering: Ordering) -> bool {
    match op {
        "==" => ordering.is_eq(),
        "!=" => ordering.is_ne(),
        "<" => ordering.is_lt(),
        ">" => ordering.is_gt(),
        "<=" => ordering.is_le(),
        _ => ordering.is_ge(),
    }
}

impl Query<'_> {
    pub(super) fn truth(&self, node: &Node, scope: &Scope<'_>) -> Result<Truth, Failure> {
        match node {
            Node::And(left, right) => {
                let left = self.truth(left, scope)?;
                if left == Some(false) {
                    return Ok(left);
                }
                let right = self.truth(right, scope)?;
                Ok(if right == Some(true) { left } else { right })
            }
            Node::Or(left, right) => {
                let left = self.truth(left, scope)?;
                if left == Some(true) {
                    return Ok(left);
                }
                let right = self.truth(right, scope)?;
                Ok(if right == Some(false) { left } else { right })
            }
            Node::Not(inner) => Ok(self.truth(inner, scope)?.map(|value| !value)),
            Node::IsUnknown(inner) => Ok(Some(self.truth(inner, scope)?.is_none())),
            Node::Exists(inner) => {
                let mut found = Vec::new();
                let result = self.execute(inner, scope, &mut found);
                if self.path.lax && !found.is_empty() {
                    return Ok(Some(true));
                }
                match result {
                    Ok(()) => Ok(Some(!found.is_empty())),
                    Err(failure) if failure.soft => Ok(None),
                    Err(failure) => Err(failure),
                }
            }
            Node::Compare(op, left, right) => {
                self.pairs(left, Some((right, true)), scope, &mut |a, b| self.compare(op, a, b))
            }
            Node::StartsWith(left, right) => {
                self.pairs(left, Some((right, false)), scope, &mut |a, b| {
                    Ok(match (a, b) {
                        (Item::Json(Json::String(whole)), Item::Json(Json::String(start))) => {
                            Some(whole.starts_with(start.as_str()))
                        }
                        _ => None,
                    })
                })
            }
            Node::LikeRegex(left, pattern, flags) => {
                let flags = regex_flags(flags).map_err(Failure::hard)?;
                let regex = self.context.regexes.get(pattern, flags).map_err(Failure::hard)?;
                self.pairs(left, None, scope, &mut |a, _| {
                    Ok(match a {
                        Item::Json(Json::String(text)) => Some(regex.is_match(text)),
                        _ => None,
                    })
                })
            }
            _ => Err(Failure::hard(Error::bug("a path's value as a predicate"))),
        }
    }

    /// Tests every pair of operands: true if one pair is, unknown if one cannot be told.
    fn pairs(
        &self,
        left: &Node,
        right: Option<(&Node, bool)>,
        scope: &Scope<'_>,
        test: &mut dyn FnMut(&Item, &Item) -> Result<Truth, Failure>,
    ) -> Result<Truth, Failure> {
        let sequence = |node: &Node, unwrap: bool| {
            let mut items = Vec::new();
            match self.operands(node, scope, unwrap, &mut items) {
                Ok(()) => Ok(Some(items)),
                Err(failure) if failure.soft => Ok(None),
                Err(failure) => Err(failure),
            }
        };
        let Some(lefts) = sequence(left, true)? else { return Ok(None) };
        let rights = match right {
            Some((right, unwrap)) => match sequence(right, unwrap)? {
                Some(rights) => rights,
                None => return Ok(None),
            },
            None => vec![Item::Json(Json::Null)],
        };
        let (mut found, mut unknown) = (false, false);
        for a in &lefts {
            for b in &rights {
                match test(a, b)? {
                    Some(true) if self.path.lax => return Ok(Some(true)),
                    Some(true) => found = true,
                    Some(false) => {}
                    None if self.path.lax => unknown = true,
                    None => return Ok(None),
                }
            }
        }
        Ok(if found {
            Some(true)
        } else if unknown {
            None
        } else {
            Some(false)
        })
    }

    fn compare(&self, op: &str, a: &Item, b: &Item) -> Result<Truth, Failure> {
        let ordering = match (a, b) {
            (Item::Json(Json::Null), Item::Json(Json::Null)) => Ordering::Equal,
            (Item::Json(Json::Null), _) | (_, Item::Json(Json::Null)) => {
                return Ok(Some(op == "!="));
            }
            (Item::Json(Json::Bool(a)), Item::Json(Json::Bool(b))) => a.cmp(b),
            (Item::Json(Json::Number(a)), Item::Json(Json::Number(b))) => {
                let number = |text: &str| Numeric::parse(text).map_err(Failure::hard);
                number(a)?.cmp(&number(b)?)
            }
            (Item::Json(Json::String(a)), Item::Json(Json::String(b))) => {
                a.encode_utf16().cmp(b.encode_utf16())
            }
            (Item::Moment(a), Item::Moment(b)) => {
                match a.compare(b, self.context, self.use_zone).map_err(Failure::hard)? {
                    Some(ordering) => ordering,
                    None => return Ok(None),
                }
            }
            _ => return Ok(None),
        };
        Ok(Some(op_holds(op, ordering)))
    }
}
