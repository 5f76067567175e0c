//! Columns against a model of values.
#![allow(clippy::unwrap_used, reason = "tests")]

use arrow_array::Array;
use oxi_base::ColumnId;
use oxi_model::{Datum, Interval, PhysicalType, array::datum_at};
use proptest::prelude::*;

use super::{column::Column, sink::Sink};

fn typed() -> impl Strategy<Value = (PhysicalType, Vec<Datum>)> {
    let text = prop_oneof![
        Just(Datum::Null),
        "[a-zé]{0,30}".prop_map(Datum::text),
        (100..3000usize).prop_map(|n| Datum::text("x".repeat(n))),
    ];
    let long = prop_oneof![Just(Datum::Null), any::<i64>().prop_map(Datum::Int64)];
    let interval = prop_oneof![
        Just(Datum::Null),
        (any::<i32>(), any::<i32>(), -1_000_000i64..1_000_000).prop_map(
            |(months, days, micros)| { Datum::Interval(Interval { months, days, micros }) }
        )
    ];
    let uuid = any::<[u8; 16]>().prop_map(Datum::Uuid);
    let boolean = any::<bool>().prop_map(Datum::Bool);
    prop_oneof![
        prop::collection::vec(text, 1..200).prop_map(|values| (PhysicalType::Text, values)),
        prop::collection::vec(long, 1..200).prop_map(|values| (PhysicalType::TimestampTz, values)),
        prop::collection::vec(interval, 1..50).prop_map(|values| (PhysicalType::Interval, values)),
        prop::collection::vec(uuid, 1..50).prop_map(|values| (PhysicalType::Uuid, values)),
        prop::collection::vec(boolean, 1..100).prop_map(|values| (PhysicalType::Bool, values)),
    ]
}

fn check(column: &Column, model: &[Datum], physical: &PhysicalType) {
    for (slot, value) in model.iter().enumerate() {
        assert_eq!(column.get(slot), *value);
    }
    let half = model.len() / 2;
    let mut sink = Sink::new(physical, 4);
    sink.append(column, 0, model.len());
    sink.append(column, half, model.len());
    sink.push(&model[0]);
    sink.append(column, 0, 1);
    let array = sink.finish().unwrap();
    let expected = model.iter().chain(&model[half..]).chain([&model[0], &model[0]]);
    for (place, value) in expected.enumerate() {
        assert_eq!(datum_at(&array as &dyn Array, physical, place).unwrap(), *value);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn columns_hold_what_was_put(
        (physical, values) in typed(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..300),
        shrink in any::<bool>(),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut column = Column::new(ColumnId(1), physical.clone());
        let mut model = values.clone();
        for (slot, value) in values.iter().enumerate() {
            column.put(slot, value);
        }
        if shrink {
            column.shrink();
        }
        for (slot, value) in changes {
            let (slot, value) = (slot.index(model.len()), value.get(&values));
            column.replace(slot, model.len(), value);
            model[slot] = value.clone();
        }
        check(&column, &model, &physical);
        let len = cut.index(model.len()).max(1);
        column.resize(len);
        model.truncate(len);
        for value in &values {
            column.put(model.len(), value);
            model.push(value.clone());
        }
        check(&column, &model, &physical);
    }

    #[test]
    fn constant_columns_become_vectors_when_changed(
        len in 1..100usize,
        slot in any::<prop::sample::Index>(),
        value in prop_oneof![Just(Datum::Null), Just(Datum::text("a value that is long"))],
    ) {
        let slot = slot.index(len);
        let missing = Datum::text("the missing value of it");
        let mut column = Column::constant(ColumnId(1), PhysicalType::Text, missing.clone());
        let mut model = vec![missing; len];
        check(&column, &model, &PhysicalType::Text);
        column.replace(slot, len, &value);
        model[slot] = value;
        check(&column, &model, &PhysicalType::Text);
    }
}
