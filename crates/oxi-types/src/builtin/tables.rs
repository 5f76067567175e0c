//! The static tables.

mod array;
mod cast;
mod casts;
mod compare;
mod datetime;
mod json;
mod math;
mod operators;
mod pattern;
mod string;
mod system;
mod template;

use std::sync::LazyLock;

use super::{Cast, Function, Operator, OperatorKind};

macro_rules! implementation {
    (plain $path:expr) => {
        crate::builtin::Implementation::Plain($path)
    };
    (typed $path:expr) => {
        crate::builtin::Implementation::Typed($path)
    };
}
use implementation;

macro_rules! flag {
    (strict) => {
        true
    };
    (called) => {
        false
    };
    (set) => {
        true
    };
    (one) => {
        false
    };
    (variadic) => {
        true
    };
    (fixed) => {
        false
    };
}
use flag;

macro_rules! function_rows {
    ($($oid:literal $name:literal ($($arg:ident),*) -> $returns:ident $volatility:ident $strict:ident
       $set:ident $variadic:ident [$($default:literal),*] [$($column:literal $column_type:ident),*]
       $kind:ident $path:expr;)*) => {
        pub(super) const ROWS: &[crate::builtin::Function] = &[$(crate::builtin::Function {
            oid: $oid,
            name: $name,
            args: &[$($arg),*],
            variadic: super::flag!($variadic),
            defaults: &[$($default),*],
            returns: $returns,
            returns_set: super::flag!($set),
            columns: &[$(($column, $column_type)),*],
            strict: super::flag!($strict),
            volatility: crate::builtin::Volatility::$volatility,
            implementation: super::implementation!($kind $path),
        },)*];
    };
}
use function_rows;

macro_rules! left {
    (none) => {
        None
    };
    ($left:ident) => {
        Some($left)
    };
}
use left;

macro_rules! operator_rows {
    ($($oid:literal $name:literal $left:ident $right:ident -> $result:ident $function:literal
       $function_oid:literal $commutator:literal $negator:literal $strict:ident $volatility:ident
       $kind:ident $path:expr;)*) => {
        pub(super) const ROWS: &[crate::builtin::Operator] = &[$(crate::builtin::Operator {
            oid: $oid,
            name: $name,
            left: super::left!($left),
            right: $right,
            result: $result,
            function: $function,
            function_oid: $function_oid,
            commutator: $commutator,
            negator: $negator,
            kind: crate::builtin::OperatorKind::Other,
            strict: super::flag!($strict),
            volatility: crate::builtin::Volatility::$volatility,
            implementation: super::implementation!($kind $path),
        },)*];
    };
}
use operator_rows;

macro_rules! method {
    (Binary) => { crate::builtin::CastMethod::Binary };
    (InOut) => { crate::builtin::CastMethod::InOut };
    ($kind:ident $path:expr) => {
        crate::builtin::CastMethod::Function(super::implementation!($kind $path))
    };
}
use method;

macro_rules! cast_rows {
    ($($source:ident $target:ident $context:ident $method:ident $($path:path)?;)*) => {
        pub(super) const ROWS: &[crate::builtin::Cast] = &[$(crate::builtin::Cast {
            source: $source,
            target: $target,
            context: crate::builtin::CastContext::$context,
            method: super::method!($method $($path)?),
        },)*];
    };
}
use cast_rows;

/// Every built-in function, in the order of oids.
pub static FUNCTIONS: LazyLock<Vec<Function>> = LazyLock::new(|| {
    let mut rows: Vec<Function> = [
        array::ROWS,
        cast::ROWS,
        compare::ROWS,
        datetime::ROWS,
        json::ROWS,
        math::ROWS,
        pattern::ROWS,
        string::ROWS,
        system::ROWS,
        template::ROWS,
    ]
    .concat();
    rows.sort_by_key(|row| row.oid);
    rows
});

/// Every built-in operator, in the order of oids.
pub static OPERATORS: LazyLock<Vec<Operator>> = LazyLock::new(|| {
    let mut rows = operators::ROWS.to_vec();
    for row in &mut rows {
        row.kind = OperatorKind::of(row.name, row.left.is_some());
    }
    rows.sort_by_key(|row| row.oid);
    rows
});

/// Every built-in cast, in the order of source and target.
pub static CASTS: &[Cast] = casts::ROWS;
