//! Values survive the way through arrays and bytes.

use proptest::prelude::*;

use super::*;

fn value() -> impl Strategy<Value = (PhysicalType, Datum)> {
    prop_oneof![
        any::<bool>().prop_map(|v| (PhysicalType::Bool, Datum::Bool(v))),
        any::<i32>().prop_map(|v| (PhysicalType::Date, Datum::Int32(v))),
        any::<i64>().prop_map(|v| (PhysicalType::TimestampTz, Datum::Int64(v))),
        any::<[u8; 16]>().prop_map(|v| (PhysicalType::Uuid, Datum::Uuid(v))),
        ".*".prop_map(|v: String| (PhysicalType::Text, Datum::text(v))),
        any::<Vec<u8>>().prop_map(|v| (PhysicalType::Numeric, Datum::bytes(v))),
        (any::<i32>(), any::<i32>(), -1_000_000_000i64..1_000_000_000).prop_map(
            |(months, days, micros)| {
                (PhysicalType::Interval, Datum::Interval(Interval { months, days, micros }))
            }
        ),
        any::<Vec<i32>>().prop_map(|v| {
            let list = ListValue {
                dimensions: vec![(v.len() as i32, 1)],
                elements: v.into_iter().map(Datum::Int32).collect(),
            };
            (PhysicalType::List(Box::new(PhysicalType::Int32)), Datum::List(Arc::new(list)))
        }),
    ]
}

proptest! {
    #[test]
    fn round_trip((physical, datum) in value()) {
        let array = array_from_datums(&physical, [&datum, &Datum::Null]).unwrap();
        prop_assert_eq!(array.data_type(), &arrow_type(&physical));
        prop_assert_eq!(datum_at(&array, &physical, 0).unwrap(), datum.clone());
        prop_assert_eq!(datum_at(&array, &physical, 1).unwrap(), Datum::Null);

        let mut bytes = Vec::new();
        encode_datum(&mut bytes, &datum);
        let mut reader = codec::Reader::new(&bytes);
        prop_assert_eq!(decode_datum(&mut reader, &physical), Some(datum));
        prop_assert!(reader.is_empty());
    }

    #[test]
    fn decoding_survives_any_bytes((physical, _) in value(), bytes: Vec<u8>) {
        let _ = decode_datum(&mut codec::Reader::new(&bytes), &physical);
    }
}
