//! Which types convert to which, and the common type of several: the rules of PostgreSQL's chapter
//! "Type Conversion", without expressions.

use oxi_base::{Error, Result, SqlState};
use oxi_model::descriptor::TypeRef;
use oxi_types::{
    builtin::{CastContext, CastMethod, find_cast},
    oid,
    pg_type::{self, format_type},
};

/// The category of a type, as `pg_type.typcategory`.
pub(crate) fn category(type_oid: u32) -> char {
    pg_type::by_oid(type_oid).map_or('U', |row| row.category)
}

/// Whether a type is preferred within the category.
pub(crate) fn is_preferred(category: char, type_oid: u32) -> bool {
    pg_type::by_oid(type_oid).is_some_and(|row| row.preferred && row.category == category)
}

/// The name of a type for messages.
pub(crate) fn type_name(type_oid: u32) -> String {
    format_type(TypeRef::plain(type_oid))
}

/// Whether a type stands for several.
pub(crate) fn is_polymorphic(type_oid: u32) -> bool {
    matches!(
        type_oid,
        oid::ANYELEMENT
            | oid::ANYARRAY
            | oid::ANYNONARRAY
            | oid::ANYENUM
            | oid::ANYRANGE
            | oid::ANYMULTIRANGE
            | oid::ANYCOMPATIBLE
            | oid::ANYCOMPATIBLEARRAY
            | oid::ANYCOMPATIBLENONARRAY
            | oid::ANYCOMPATIBLERANGE
    )
}

/// The array type of an element type.
pub(crate) fn array_of(element: u32) -> Option<u32> {
    pg_type::by_oid(element).map(|row| row.array_oid).filter(|oid| *oid != 0)
}

/// The element type of an array type.
pub(crate) fn element_of(array: u32) -> Option<u32> {
    pg_type::by_oid(array).filter(|row| row.is_array()).map(|row| row.element_oid)
}

/// Whether a value converts in the given context.
pub(crate) fn can_coerce(source: u32, target: u32, context: CastContext) -> bool {
    if source == target || source == oid::UNKNOWN || target == oid::ANY {
        return true;
    }
    match target {
        oid::ANYELEMENT | oid::ANYCOMPATIBLE => return true,
        oid::ANYNONARRAY | oid::ANYCOMPATIBLENONARRAY => return element_of(source).is_none(),
        oid::ANYARRAY | oid::ANYCOMPATIBLEARRAY => return element_of(source).is_some(),
        _ if is_polymorphic(target) => return false,
        _ => {}
    }
    pathway(source, target, context).is_some()
}

/// How a value gets from one type to the other.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pathway {
    /// A row of `pg_cast`.
    Cast(CastMethod),
    /// Element by element.
    Elements,
    /// Output, then input.
    InOut,
}

/// Finds how a value converts in the given context.
pub(crate) fn pathway(source: u32, target: u32, context: CastContext) -> Option<Pathway> {
    if let Some(cast) = find_cast(source, target) {
        return (cast.context <= context).then_some(Pathway::Cast(cast.method));
    }
    if let (Some(from), Some(to)) = (element_of(source), element_of(target))
        && !matches!(target, oid::INT2VECTOR | oid::OIDVECTOR)
    {
        if from == to {
            return Some(Pathway::Elements);
        }
        return pathway(from, to, context).map(|_| Pathway::Elements);
    }
    if context >= CastContext::Assignment && category(target) == 'S' {
        return Some(Pathway::InOut);
    }
    if context == CastContext::Explicit && category(source) == 'S' {
        return Some(Pathway::InOut);
    }
    None
}

/// The common type of several expressions (UNION, CASE, VALUES, ARRAY, COALESCE, …).
pub(crate) fn common_type(types: &[u32], context: &str, positions: &[usize]) -> Result<u32> {
    let Some(first) = types.first() else {
        return Ok(oid::TEXT);
    };
    if *first != oid::UNKNOWN && types.iter().all(|other| other == first) {
        return Ok(*first);
    }
    let mut chosen = oid::UNKNOWN;
    for (index, &next) in types.iter().enumerate() {
        if next == oid::UNKNOWN || next == chosen {
            continue;
        }
        if chosen == oid::UNKNOWN {
            chosen = next;
            continue;
        }
        if category(next) != category(chosen) {
            let message = format!(
                "{context} types {} and {} cannot be matched",
                type_name(chosen),
                type_name(next)
            );
            let error = Error::new(SqlState::DATATYPE_MISMATCH, message);
            return Err(match positions.get(index) {
                Some(position) => error.at(*position),
                None => error,
            });
        }
        if !is_preferred(category(chosen), chosen)
            && can_coerce(chosen, next, CastContext::Implicit)
            && !can_coerce(next, chosen, CastContext::Implicit)
        {
            chosen = next;
        }
    }
    Ok(if chosen == oid::UNKNOWN { oid::TEXT } else { chosen })
}

/// What the polymorphic arguments of a call resolve to.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Generic {
    element: Option<u32>,
    compatible: Option<u32>,
}

impl Generic {
    /// Decides from declared and actual argument types; `None` if they contradict each other.
    pub(crate) fn resolve(declared: &[u32], actual: &[u32]) -> Option<Generic> {
        let mut generic = Generic::default();
        let mut compatible = Vec::new();
        for (&declared, &actual) in declared.iter().zip(actual) {
            if actual == oid::UNKNOWN {
                continue;
            }
            match declared {
                oid::ANYELEMENT | oid::ANYNONARRAY => {
                    if generic.element.is_some_and(|element| element != actual) {
                        return None;
                    }
                    generic.element = Some(actual);
                }
                oid::ANYARRAY => {
                    let element = element_of(actual)?;
                    if generic.element.is_some_and(|known| known != element) {
                        return None;
                    }
                    generic.element = Some(element);
                }
                oid::ANYCOMPATIBLE | oid::ANYCOMPATIBLENONARRAY => compatible.push(actual),
                oid::ANYCOMPATIBLEARRAY => compatible.push(element_of(actual)?),
                _ => {}
            }
        }
        if !compatible.is_empty() {
            let common = common_type(&compatible, "", &[]).ok()?;
            if !compatible.iter().all(|from| can_coerce(*from, common, CastContext::Implicit)) {
                return None;
            }
            generic.compatible = Some(common);
        }
        Some(generic)
    }

    /// The concrete type of a declared one. Unknown input resolves to text where PostgreSQL does.
    pub(crate) fn concrete(&self, declared: u32) -> Option<u32> {
        match declared {
            oid::ANYELEMENT | oid::ANYNONARRAY => self.element,
            oid::ANYARRAY => self.element.and_then(array_of),
            oid::ANYCOMPATIBLE | oid::ANYCOMPATIBLENONARRAY => {
                Some(self.compatible.unwrap_or(oid::TEXT))
            }
            oid::ANYCOMPATIBLEARRAY => array_of(self.compatible.unwrap_or(oid::TEXT)),
            other => Some(other),
        }
    }
}
