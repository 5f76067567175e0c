//! Ranges of keys as an index orders them.

use std::ops::Bound;

use oxi_model::{Datum, engine::KeyRange};

use super::{
    key::Key,
    tree::{End, TreeKey},
};

/// A range of keys of one index.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Span {
    U64(FixedSpan<u64>),
    U128(FixedSpan<u128>),
    Bytes { low: End<Box<[u8]>>, high: End<Box<[u8]>> },
}

/// A range of a fixed index, which keeps its NULLs apart.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct FixedSpan<K> {
    /// Whether the NULLs are in it.
    pub(crate) nulls: bool,
    /// Whether any values are in it.
    pub(crate) values: bool,
    pub(crate) low: End<K>,
    pub(crate) high: End<K>,
}

impl<K: TreeKey> FixedSpan<K> {
    pub(crate) fn new(
        range: &KeyRange,
        nulls_first: bool,
        encode: impl Fn(&Datum) -> Option<K>,
    ) -> Self {
        // Each bound as (key or NULL, included); an empty prefix bounds nothing.
        let bound = |bound: &Bound<Vec<Datum>>| match bound {
            Bound::Included(values) => values.first().map(|v| (encode(v), true)),
            Bound::Excluded(values) => values.first().map(|v| (encode(v), false)),
            Bound::Unbounded => None,
        };
        let (lower, upper) = (bound(&range.lower), bound(&range.upper));
        let nulls = match &lower {
            None => true,
            Some((None, included)) => *included,
            Some((Some(_), _)) => !nulls_first,
        } && match &upper {
            None => true,
            Some((None, included)) => *included,
            Some((Some(_), _)) => nulls_first,
        };
        let values = !matches!(&lower, Some((None, _)) if !nulls_first)
            && !matches!(&upper, Some((None, _)) if nulls_first);
        let low = match lower {
            Some((Some(key), true)) => End::At(key, 0),
            Some((Some(key), false)) => End::Beyond(key, u64::MAX),
            _ => End::Open,
        };
        let high = match upper {
            Some((Some(key), true)) => End::At(key, u64::MAX),
            Some((Some(key), false)) => End::Beyond(key, 0),
            _ => End::Open,
        };
        FixedSpan { nulls, values, low, high }
    }

    fn has(&self, key: &K) -> bool {
        self.values && self.low.is_below(key) && self.high.is_above(key)
    }

    fn end_at(&mut self, key: &K, reverse: bool) {
        if reverse {
            self.low = End::At(key.clone(), 0);
        } else {
            self.high = End::At(key.clone(), u64::MAX);
        }
    }
}

impl Span {
    /// Whether a key of the index lies in it.
    pub(crate) fn contains(&self, key: &Key) -> bool {
        match (self, key) {
            (Span::U64(span), Key::U64(key)) => span.has(key),
            (Span::U128(span), Key::U128(key)) => span.has(key),
            (Span::U64(FixedSpan { nulls, .. }) | Span::U128(FixedSpan { nulls, .. }), _) => *nulls,
            (Span::Bytes { low, high }, Key::Bytes(key)) => low.is_below(key) && high.is_above(key),
            // Keys come from the index the span is of.
            (Span::Bytes { .. }, _) => false,
        }
    }

    /// Leaves out what lies behind `key`, where a reader in that direction has stopped.
    pub(crate) fn end_at(&mut self, key: &Key, reverse: bool) {
        match (self, key) {
            (Span::U64(span), Key::U64(key)) => span.end_at(key, reverse),
            (Span::U128(span), Key::U128(key)) => span.end_at(key, reverse),
            (Span::Bytes { low, .. }, Key::Bytes(key)) if reverse => {
                *low = End::At(key.clone(), 0);
            }
            (Span::Bytes { high, .. }, Key::Bytes(key)) => {
                *high = End::At(key.clone(), u64::MAX);
            }
            _ => {}
        }
    }
}
