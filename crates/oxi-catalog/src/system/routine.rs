//! `pg_type`, `pg_proc`, `pg_operator`, `pg_cast`, `pg_aggregate`: the built-in types and functions
//! as rows.

use std::{collections::BTreeMap, sync::LazyLock};

use oxi_model::{Datum, Row};
use oxi_types::{
    builtin::{
        self, AGGREGATES, AggregateKind, CASTS, CastContext, CastMethod, FUNCTIONS, OPERATORS,
        Volatility, WINDOWS,
    },
    pg_type::{self, PgType},
};

use super::{SystemContext, value::*};
use crate::catalog::PG_CATALOG;

/// What `types.txt` says of a type.
struct TypeDetail {
    alignment: &'static str,
    storage: &'static str,
    delimiter: &'static str,
    collation: u32,
    /// Subscript, input, output, receive, send, modin, modout, analyze.
    functions: Vec<u32>,
}

static DETAILS: LazyLock<BTreeMap<u32, TypeDetail>> = LazyLock::new(|| {
    include_str!("types.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| {
            let mut words = line.split(' ');
            let number = words.next()?.parse().ok()?;
            let detail = TypeDetail {
                alignment: words.next()?,
                storage: words.next()?,
                delimiter: words.next()?,
                collation: words.next()?.parse().ok()?,
                functions: words.filter_map(|word| word.parse().ok()).collect(),
            };
            Some((number, detail))
        })
        .collect()
});

/// A function of `type_functions.txt`.
struct TypeFunction {
    oid: u32,
    name: &'static str,
    returns: u32,
    volatility: Volatility,
    args: Vec<u32>,
}

static TYPE_FUNCTIONS: LazyLock<Vec<TypeFunction>> = LazyLock::new(|| {
    include_str!("type_functions.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| {
            let mut words = line.split(' ');
            Some(TypeFunction {
                oid: words.next()?.parse().ok()?,
                name: words.next()?,
                returns: words.next()?.parse().ok()?,
                volatility: match words.next()? {
                    "i" => Volatility::Immutable,
                    "s" => Volatility::Stable,
                    _ => Volatility::Volatile,
                },
                args: words.next()?.split(',').filter_map(|word| word.parse().ok()).collect(),
            })
        })
        .collect()
});

/// The name of an input, output or like function of a type.
pub(crate) fn type_function_name(oid: u32) -> Option<&'static str> {
    TYPE_FUNCTIONS.iter().find(|found| found.oid == oid).map(|found| found.name)
}

/// The oid of an input, output or like function of a type.
pub(crate) fn type_function_oid(name: &str) -> Option<u32> {
    TYPE_FUNCTIONS.iter().find(|found| found.name == name).map(|found| found.oid)
}

/// `typalign`, `typstorage` and `typcollation`.
pub(super) fn physical_letters(type_oid: u32) -> (&'static str, &'static str, u32) {
    DETAILS
        .get(&type_oid)
        .map_or(("i", "p", 0), |detail| (detail.alignment, detail.storage, detail.collation))
}

pub(super) fn pg_type(_: &SystemContext) -> Vec<Row> {
    pg_type::all().iter().map(type_row).collect()
}

fn type_row(found: &PgType) -> Row {
    let detail = DETAILS.get(&found.oid);
    let (alignment, storage, collation) = physical_letters(found.oid);
    let function = |position: usize| {
        oid(detail.and_then(|detail| detail.functions.get(position)).copied().unwrap_or(0))
    };
    vec![
        oid(found.oid),
        text(found.name),
        oid(PG_CATALOG),
        oid(OWNER),
        int2(found.len),
        bool(found.by_val),
        text(&found.kind.to_string()),
        text(&found.category.to_string()),
        bool(found.preferred),
        TRUE,
        text(detail.map_or(",", |detail| detail.delimiter)),
        oid(0),
        function(0),
        oid(found.element_oid),
        oid(found.array_oid),
        function(1),
        function(2),
        function(3),
        function(4),
        function(5),
        function(6),
        function(7),
        text(alignment),
        text(storage),
        FALSE,
        oid(0),
        int4(-1),
        int4(0),
        oid(collation),
        NULL,
        NULL,
        NULL,
    ]
}

/// What differs between the rows of `pg_proc`.
struct Routine<'a> {
    oid: u32,
    name: &'a str,
    kind: &'a str,
    args: &'a [u32],
    variadic: bool,
    defaults: &'a [&'a str],
    returns: u32,
    returns_set: bool,
    columns: &'a [(&'a str, u32)],
    strict: bool,
    volatility: Volatility,
}

impl Routine<'_> {
    fn row(&self) -> Row {
        let variadic_element = match self.args.last() {
            Some(last) if self.variadic => match pg_type::by_oid(*last) {
                Some(found) if found.element_oid != 0 => found.element_oid,
                _ => *last,
            },
            _ => 0,
        };
        let letters = |letter: &str, count: usize| vec![text(letter); count];
        let (all_types, modes, names) = if self.columns.is_empty() {
            (NULL, NULL, NULL)
        } else {
            let outputs = self.columns.iter().map(|(_, type_oid)| oid(*type_oid));
            let mut all: Vec<Datum> = self.args.iter().map(|found| oid(*found)).collect();
            all.extend(outputs);
            let mut modes = letters("i", self.args.len());
            modes.extend(letters("o", self.columns.len()));
            let mut names = letters("", self.args.len());
            names.extend(self.columns.iter().map(|(name, _)| text(name)));
            (list(all), list(modes), list(names))
        };
        vec![
            oid(self.oid),
            text(self.name),
            oid(PG_CATALOG),
            oid(OWNER),
            oid(12),
            Datum::Float32(1.0),
            Datum::Float32(if self.returns_set { 1000.0 } else { 0.0 }),
            oid(variadic_element),
            oid(0),
            text(self.kind),
            FALSE,
            FALSE,
            bool(self.strict),
            bool(self.returns_set),
            text(match self.volatility {
                Volatility::Immutable => "i",
                Volatility::Stable => "s",
                Volatility::Volatile => "v",
            }),
            text("s"),
            int2(self.args.len() as i16),
            int2(self.defaults.len() as i16),
            oid(self.returns),
            vector(self.args.iter().map(|found| oid(*found)).collect()),
            all_types,
            modes,
            names,
            if self.defaults.is_empty() { NULL } else { text(&self.defaults.join(", ")) },
            NULL,
            text(self.name),
            NULL,
            NULL,
            NULL,
            NULL,
        ]
    }
}

pub(super) fn pg_proc(_: &SystemContext) -> Vec<Row> {
    let functions = FUNCTIONS.iter().map(|found: &builtin::Function| {
        Routine {
            oid: found.oid,
            name: found.name,
            kind: "f",
            args: found.args,
            variadic: found.variadic,
            defaults: found.defaults,
            returns: found.returns,
            returns_set: found.returns_set,
            columns: found.columns,
            strict: found.strict,
            volatility: found.volatility,
        }
        .row()
    });
    let aggregates = AGGREGATES.iter().map(|found| {
        Routine {
            oid: found.oid,
            name: found.name,
            kind: "a",
            args: found.args,
            variadic: found.variadic,
            defaults: &[],
            returns: found.returns,
            returns_set: false,
            columns: &[],
            strict: false,
            volatility: Volatility::Immutable,
        }
        .row()
    });
    let windows = WINDOWS.iter().map(|found| {
        Routine {
            oid: found.oid,
            name: found.name,
            kind: "w",
            args: found.args,
            variadic: false,
            defaults: &[],
            returns: found.returns,
            returns_set: false,
            columns: &[],
            strict: true,
            volatility: Volatility::Immutable,
        }
        .row()
    });
    let of_types = TYPE_FUNCTIONS
        .iter()
        .filter(|found| !FUNCTIONS.iter().any(|function| function.oid == found.oid))
        .map(|found| {
            Routine {
                oid: found.oid,
                name: found.name,
                kind: "f",
                args: &found.args,
                variadic: false,
                defaults: &[],
                returns: found.returns,
                returns_set: false,
                columns: &[],
                strict: true,
                volatility: found.volatility,
            }
            .row()
        });
    functions.chain(aggregates).chain(windows).chain(of_types).collect()
}

pub(super) fn pg_operator(_: &SystemContext) -> Vec<Row> {
    let number = |name: &str, left: Option<u32>, right: u32| {
        let found = OPERATORS
            .iter()
            .find(|other| other.name == name && other.left == left && other.right == right);
        oid(found.map_or(0, |other| other.oid))
    };
    OPERATORS
        .iter()
        .map(|found| {
            let equality = found.kind == builtin::OperatorKind::Eq;
            vec![
                oid(found.oid),
                text(found.name),
                oid(PG_CATALOG),
                oid(OWNER),
                text(if found.left.is_some() { "b" } else { "l" }),
                bool(equality),
                bool(equality),
                oid(found.left.unwrap_or(0)),
                oid(found.right),
                oid(found.result),
                match found.left {
                    Some(left) if !found.commutator.is_empty() => {
                        number(found.commutator, Some(found.right), left)
                    }
                    _ => oid(0),
                },
                if found.negator.is_empty() {
                    oid(0)
                } else {
                    number(found.negator, found.left, found.right)
                },
                oid(found.function_oid),
                oid(0),
                oid(0),
            ]
        })
        .collect()
}

/// Casts have no numbers of their own in the declarations; these are beyond PostgreSQL's.
const CAST_OIDS: u32 = 14_000;

pub(super) fn pg_cast(_: &SystemContext) -> Vec<Row> {
    (CAST_OIDS..)
        .zip(CASTS)
        .map(|(number, found)| {
            vec![
                oid(number),
                oid(found.source),
                oid(found.target),
                oid(cast_function(found)),
                text(match found.context {
                    CastContext::Implicit => "i",
                    CastContext::Assignment => "a",
                    CastContext::Explicit => "e",
                }),
                text(match found.method {
                    CastMethod::Function(_) => "f",
                    CastMethod::Binary => "b",
                    CastMethod::InOut => "i",
                }),
            ]
        })
        .collect()
}

/// The function of a cast: the one of the target's name that takes the source, where there is one.
fn cast_function(cast: &builtin::Cast) -> u32 {
    let CastMethod::Function(_) = cast.method else { return 0 };
    let target = pg_type::by_oid(cast.target).map_or("", |found| found.name);
    FUNCTIONS
        .iter()
        .find(|found| found.name == target && found.args.first() == Some(&cast.source))
        .map_or(0, |found| found.oid)
}

pub(super) fn pg_aggregate(_: &SystemContext) -> Vec<Row> {
    AGGREGATES
        .iter()
        .map(|found| {
            let mut row = vec![
                oid(found.oid),
                text(match found.kind {
                    AggregateKind::Normal => "n",
                    AggregateKind::OrderedSet => "o",
                    AggregateKind::Hypothetical => "h",
                }),
                int2(found.direct_args as i16),
            ];
            row.extend(std::iter::repeat_n(oid(0), 8));
            row.extend([FALSE, FALSE, text("r"), text("r"), oid(0), oid(2281), int4(0)]);
            row.extend([oid(0), int4(0), NULL, NULL]);
            row
        })
        .collect()
}
