//! Which of several functions or operators of one name a call means.

use std::sync::LazyLock;

use oxi_types::{
    builtin::{
        AGGREGATES, Aggregate, CastContext, FUNCTIONS, Function, OPERATORS, Operator, WINDOWS,
        WindowFunction,
    },
    oid,
};
use rustc_hash::FxHashMap;

use crate::bind::coerce::{Generic, can_coerce, category, is_preferred};

type ByName<T> = LazyLock<FxHashMap<&'static str, Vec<&'static T>>>;

static FUNCTIONS_BY_NAME: ByName<Function> = LazyLock::new(|| {
    let mut map = FxHashMap::<_, Vec<_>>::default();
    for function in FUNCTIONS.iter() {
        map.entry(function.name).or_default().push(function);
    }
    map
});

static OPERATORS_BY_NAME: ByName<Operator> = LazyLock::new(|| {
    let mut map = FxHashMap::<_, Vec<_>>::default();
    for operator in OPERATORS.iter() {
        map.entry(operator.name).or_default().push(operator);
    }
    map
});

static AGGREGATES_BY_NAME: ByName<Aggregate> = LazyLock::new(|| {
    let mut map = FxHashMap::<_, Vec<_>>::default();
    for aggregate in AGGREGATES {
        map.entry(aggregate.name).or_default().push(aggregate);
    }
    map
});

static WINDOWS_BY_NAME: ByName<WindowFunction> = LazyLock::new(|| {
    let mut map = FxHashMap::<_, Vec<_>>::default();
    for window in WINDOWS {
        map.entry(window.name).or_default().push(window);
    }
    map
});

/// The functions of a name.
pub(crate) fn functions(name: &str) -> &'static [&'static Function] {
    FUNCTIONS_BY_NAME.get(name).map_or(&[], Vec::as_slice)
}

/// The operators of a name.
pub(crate) fn operators(name: &str) -> &'static [&'static Operator] {
    OPERATORS_BY_NAME.get(name).map_or(&[], Vec::as_slice)
}

/// The aggregates of a name.
pub(crate) fn aggregates(name: &str) -> &'static [&'static Aggregate] {
    AGGREGATES_BY_NAME.get(name).map_or(&[], Vec::as_slice)
}

/// The window functions of a name.
pub(crate) fn windows(name: &str) -> &'static [&'static WindowFunction] {
    WINDOWS_BY_NAME.get(name).map_or(&[], Vec::as_slice)
}

/// One candidate with its argument types spread out to the call's number of arguments.
#[derive(Clone, Debug)]
pub(crate) struct Candidate<T> {
    /// What is called.
    pub(crate) target: T,
    /// Declared types, one for each argument given.
    pub(crate) args: Vec<u32>,
    /// Whether variadic arguments were spread.
    pub(crate) spread: bool,
}

/// What the choice came to.
#[derive(Debug)]
pub(crate) enum Choice<T> {
    /// One is meant.
    One(Candidate<T>),
    /// None fits.
    None,
    /// Several fit equally well.
    Ambiguous,
}

/// Chooses by the actual argument types (unknown literals have type unknown).
pub(crate) fn choose<T>(candidates: Vec<Candidate<T>>, actual: &[u32]) -> Choice<T> {
    let exact = candidates.iter().position(|candidate| candidate.args == actual);
    let mut candidates = candidates;
    if let Some(index) = exact {
        return Choice::One(candidates.swap_remove(index));
    }
    candidates.retain(|candidate| {
        candidate
            .args
            .iter()
            .zip(actual)
            .all(|(&declared, &actual)| can_coerce(actual, declared, CastContext::Implicit))
            && Generic::resolve(&candidate.args, actual).is_some()
    });
    // Where a plain and a spread variadic function fit alike, the plain one is meant.
    if candidates.iter().any(|c| !c.spread) && candidates.len() > 1 {
        let plain = |c: &Candidate<T>| !c.spread;
        let spread_args: Vec<Vec<u32>> =
            candidates.iter().filter(|c| plain(c)).map(|c| c.args.clone()).collect();
        candidates.retain(|c| plain(c) || !spread_args.contains(&c.args));
    }
    narrow(candidates, actual)
}

fn finish<T>(mut candidates: Vec<Candidate<T>>) -> Result<Choice<T>, Vec<Candidate<T>>> {
    match candidates.len() {
        0 => Ok(Choice::None),
        1 => Ok(candidates.pop().map_or(Choice::None, Choice::One)),
        _ => Err(candidates),
    }
}

fn keep_best<T>(
    candidates: Vec<Candidate<T>>,
    score: impl Fn(&Candidate<T>) -> usize,
) -> Vec<Candidate<T>> {
    let best = candidates.iter().map(&score).max().unwrap_or(0);
    candidates.into_iter().filter(|candidate| score(candidate) == best).collect()
}

fn narrow<T>(candidates: Vec<Candidate<T>>, actual: &[u32]) -> Choice<T> {
    let candidates = match finish(candidates) {
        Ok(choice) => return choice,
        Err(candidates) => candidates,
    };
    let known = |index: usize| actual.get(index).is_some_and(|oid| *oid != oid::UNKNOWN);
    let candidates = keep_best(candidates, |candidate| {
        (0..actual.len())
            .filter(|&index| known(index) && candidate.args[index] == actual[index])
            .count()
    });
    let candidates = match finish(candidates) {
        Ok(choice) => return choice,
        Err(candidates) => candidates,
    };
    let candidates = keep_best(candidates, |candidate| {
        (0..actual.len())
            .filter(|&index| {
                known(index)
                    && (candidate.args[index] == actual[index]
                        || is_preferred(category(actual[index]), candidate.args[index]))
            })
            .count()
    });
    let candidates = match finish(candidates) {
        Ok(choice) => return choice,
        Err(candidates) => candidates,
    };
    if actual.iter().all(|oid| *oid != oid::UNKNOWN) {
        return Choice::Ambiguous;
    }
    let candidates = match by_category(candidates, actual) {
        Ok(choice) => return choice,
        Err(candidates) => candidates,
    };
    by_known_type(candidates, actual)
}

/// Unknown arguments: the category the candidates agree on, strings first, and its preferred type.
fn by_category<T>(
    candidates: Vec<Candidate<T>>,
    actual: &[u32],
) -> Result<Choice<T>, Vec<Candidate<T>>> {
    let mut wanted: Vec<Option<(char, bool)>> = vec![None; actual.len()];
    for (index, &oid) in actual.iter().enumerate() {
        if oid != oid::UNKNOWN {
            continue;
        }
        let mut chosen: Option<(char, bool)> = None;
        let mut conflict = false;
        for candidate in &candidates {
            let declared = candidate.args[index];
            let (this, preferred) =
                (category(declared), is_preferred(category(declared), declared));
            match chosen {
                None => chosen = Some((this, preferred)),
                Some((known, has)) if known == this => chosen = Some((known, has || preferred)),
                Some(_) if this == 'S' => {
                    chosen = Some(('S', preferred));
                    conflict = false;
                }
                Some(('S', _)) => {}
                Some(_) => conflict = true,
            }
        }
        if conflict {
            return Err(candidates);
        }
        wanted[index] = chosen;
    }
    let fits = |candidate: &Candidate<T>| {
        wanted.iter().enumerate().all(|(index, wanted)| match wanted {
            None => true,
            Some((wanted, preferred)) => {
                let declared = candidate.args[index];
                category(declared) == *wanted && (!preferred || is_preferred(*wanted, declared))
            }
        })
    };
    if candidates.iter().any(&fits) {
        return finish(candidates.into_iter().filter(fits).collect());
    }
    Err(candidates)
}

/// If all known arguments have one type, the unknown ones are taken to have it too.
fn by_known_type<T>(candidates: Vec<Candidate<T>>, actual: &[u32]) -> Choice<T> {
    let mut known = actual.iter().copied().filter(|oid| *oid != oid::UNKNOWN);
    let Some(first) = known.next() else {
        return Choice::Ambiguous;
    };
    if known.any(|other| other != first) {
        return Choice::Ambiguous;
    }
    let mut fitting = candidates
        .into_iter()
        .filter(|candidate| {
            candidate
                .args
                .iter()
                .zip(actual)
                .filter(|(_, actual)| **actual == oid::UNKNOWN)
                .all(|(declared, _)| can_coerce(first, *declared, CastContext::Implicit))
        })
        .collect::<Vec<_>>();
    match (fitting.pop(), fitting.is_empty()) {
        (Some(candidate), true) => Choice::One(candidate),
        _ => Choice::Ambiguous,
    }
}

/// Chooses an operator. An unknown operand is first taken to have the other one's type.
pub(crate) fn choose_operator(
    name: &str,
    left: Option<u32>,
    right: u32,
) -> Choice<&'static Operator> {
    let all = operators(name).iter().filter(|o| o.left.is_some() == left.is_some());
    let as_candidate = |operator: &&'static Operator| Candidate {
        target: *operator,
        args: operator.left.into_iter().chain([operator.right]).collect(),
        spread: false,
    };
    if let Some(left) = left {
        let assumed = match (left, right) {
            (oid::UNKNOWN, oid::UNKNOWN) => (left, right),
            (oid::UNKNOWN, other) | (other, oid::UNKNOWN) => (other, other),
            pair => pair,
        };
        let exact = all.clone().find(|o| o.left == Some(assumed.0) && o.right == assumed.1);
        if let Some(operator) = exact {
            return Choice::One(as_candidate(operator));
        }
    }
    let actual = left.into_iter().chain([right]).collect::<Vec<_>>();
    choose(all.map(as_candidate).collect(), &actual)
}

/// The candidates of a function name for a number of arguments.
pub(crate) fn function_candidates(
    name: &str,
    count: usize,
    variadic_call: bool,
) -> Vec<Candidate<&'static Function>> {
    functions(name)
        .iter()
        .filter_map(|function| {
            spread(function.args, function.variadic, function.defaults.len(), count, variadic_call)
                .map(|(args, spread)| Candidate { target: *function, args, spread })
        })
        .collect()
}

/// Declared types for `count` arguments, or `None` if the function does not take so many.
pub(crate) fn spread(
    declared: &[u32],
    variadic: bool,
    defaults: usize,
    count: usize,
    variadic_call: bool,
) -> Option<(Vec<u32>, bool)> {
    if variadic && !variadic_call {
        let (last, fixed) = declared.split_last()?;
        if count < fixed.len() + usize::from(*last != oid::ANY) {
            // A variadic "any" may be empty, others need one argument at least.
            return None;
        }
        let element = match *last {
            oid::ANY => oid::ANY,
            oid::ANYARRAY => oid::ANYELEMENT,
            oid::ANYCOMPATIBLEARRAY => oid::ANYCOMPATIBLE,
            array => crate::bind::coerce::element_of(array)?,
        };
        let mut args = fixed.to_vec();
        args.resize(count, element);
        return Some((args, true));
    }
    if count <= declared.len() && count + defaults >= declared.len() {
        return Some((declared[..count].to_vec(), false));
    }
    None
}
