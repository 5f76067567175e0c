//! COPY streams read and written as PostgreSQL does.

use std::sync::Arc;

use oxi_base::{Error, SqlState};
use oxi_model::{Datum, PhysicalType, array::datum_at, descriptor::TypeRef};
use oxi_types::{EvalContext, oid};

use super::{options::CopyColumn, *};

fn columns() -> Vec<CopyColumn> {
    let column = |name: &str, oid, physical| CopyColumn {
        name: name.to_owned(),
        data_type: TypeRef::plain(oid),
        physical,
    };
    vec![column("a", oid::INT4, PhysicalType::Int32), column("b", oid::TEXT, PhysicalType::Text)]
}

fn eval() -> Arc<EvalContext> {
    Arc::new(EvalContext::fixed(0))
}

fn decode(options: CopyOptions, pieces: &[&[u8]]) -> Result<Vec<(Datum, Datum)>, Error> {
    let mut decoder = CopyDecoder::new(eval(), "t", columns(), options);
    for piece in pieces {
        decoder.push(piece)?;
    }
    decoder.finish()?;
    let mut rows = Vec::new();
    while let Some((batch, _)) = decoder.take() {
        for row in 0..batch.num_rows() {
            rows.push((
                datum_at(batch.column(0), &PhysicalType::Int32, row).unwrap(),
                datum_at(batch.column(1), &PhysicalType::Text, row).unwrap(),
            ));
        }
    }
    Ok(rows)
}

fn row(a: i32, b: &str) -> (Datum, Datum) {
    (Datum::Int32(a), Datum::text(b))
}

fn text() -> CopyOptions {
    CopyOptions::new(CopyFormat::Text)
}

fn csv() -> CopyOptions {
    CopyOptions::new(CopyFormat::Csv)
}

#[test]
fn text_fields_and_escapes() {
    let rows = decode(text(), &[b"1\tx\n2\t\\N\n-3\ta\\tb\\nc\\\\\\101\\x41\n\\N\t\n"]).unwrap();
    assert_eq!(
        rows,
        vec![
            row(1, "x"),
            (Datum::Int32(2), Datum::Null),
            row(-3, "a\tb\nc\\AA"),
            (Datum::Null, Datum::text("")),
        ]
    );
}

#[test]
fn pieces_may_be_cut_anywhere() {
    let stream = b"1\tone\\\nline\r\n2\ttwo\r\n\\.\r\n3\tnot read\r\n";
    let whole = decode(text(), &[stream]).unwrap();
    assert_eq!(whole, vec![row(1, "one\nline"), row(2, "two")]);
    let stream = b"1,\"a\"\"b\nc\"\n2,x\n";
    let whole_csv = decode(csv(), &[stream]).unwrap();
    assert_eq!(whole_csv, vec![row(1, "a\"b\nc"), row(2, "x")]);
    for cut in 0..stream.len() {
        assert_eq!(decode(csv(), &[&stream[..cut], &stream[cut..]]).unwrap(), whole_csv);
    }
}

#[test]
fn every_ending_works_without_a_last_one() {
    for ending in ["\n", "\r\n", "\r"] {
        let stream = format!("1,x{ending}2,y");
        assert_eq!(decode(csv(), &[stream.as_bytes()]).unwrap(), vec![row(1, "x"), row(2, "y")]);
        let stream = format!("1\tx{ending}2\ty{ending}");
        assert_eq!(decode(text(), &[stream.as_bytes()]).unwrap(), vec![row(1, "x"), row(2, "y")]);
    }
}

#[test]
fn csv_nulls() {
    let rows = decode(csv(), &[b"1,\n2,\"\"\n"]).unwrap();
    assert_eq!(rows, vec![(Datum::Int32(1), Datum::Null), row(2, "")]);
    let mut options = csv();
    options.force_not_null = vec![false, true];
    assert_eq!(decode(options, &[b"1,\n"]).unwrap(), vec![row(1, "")]);
    let mut options = csv();
    options.force_null = vec![false, true];
    options.null = "NIL".to_owned();
    let rows = decode(options, &[b"1,\"NIL\"\n"]).unwrap();
    assert_eq!(rows, vec![(Datum::Int32(1), Datum::Null)]);
}

#[test]
fn csv_with_other_escape() {
    let mut options = csv();
    options.escape = b'\\';
    let rows = decode(options, &[b"1,\"a\\\"b\\\\c\\d\"\n"]).unwrap();
    assert_eq!(rows, vec![row(1, "a\"b\\c\\d")]);
}

#[test]
fn errors_name_line_and_column() {
    let error = decode(text(), &[b"1\tx\n2\n"]).unwrap_err();
    assert_eq!(error.code(), SqlState::BAD_COPY_FILE_FORMAT);
    assert_eq!(error.message(), "missing data for column \"b\"");
    assert_eq!(error.context(), Some("COPY t, line 2: \"2\""));

    let error = decode(text(), &[b"1\tx\ty\n"]).unwrap_err();
    assert_eq!(error.message(), "extra data after last expected column");

    let error = decode(csv(), &[b"1,x\nz,y\n"]).unwrap_err();
    assert_eq!(error.message(), "invalid input syntax for type integer: \"z\"");
    assert_eq!(error.context(), Some("COPY t, line 2, column a: \"z\""));

    let error = decode(csv(), &[b"1,\"x\n"]).unwrap_err();
    assert_eq!(error.message(), "unterminated CSV quoted field");

    let error = decode(text(), &[b"1\t\xff\n"]).unwrap_err();
    assert_eq!(error.message(), "invalid byte sequence for encoding \"UTF8\": 0xff");
}

#[test]
fn headers() {
    let mut options = csv();
    options.header = Header::Match;
    assert_eq!(decode(options.clone(), &[b"a,b\n1,x\n"]).unwrap(), vec![row(1, "x")]);
    let error = decode(options, &[b"a,c\n1,x\n"]).unwrap_err();
    assert_eq!(
        error.message(),
        "column name mismatch in header line field 2: got \"c\", expected \"b\""
    );
}

#[test]
fn what_is_written_reads_back() {
    let values = ["plain", "", "tab\t nl\n cr\r bs\\ q\" ,", "\\.", "\\N", "ünï"];
    for format in [CopyFormat::Text, CopyFormat::Csv, CopyFormat::Binary] {
        let options = CopyOptions::new(format);
        let mut encoder = CopyEncoder::new(eval(), columns(), options.clone());
        let mut out = Vec::new();
        encoder.begin(&mut out);
        let mut expected = vec![(Datum::Null, Datum::Null)];
        encoder.row(&[Datum::Null, Datum::Null], &mut out).unwrap();
        for (number, value) in values.iter().enumerate() {
            let pair = row(number as i32, value);
            encoder.row(&[pair.0.clone(), pair.1.clone()], &mut out).unwrap();
            expected.push(pair);
        }
        encoder.end(&mut out);
        let pieces: Vec<&[u8]> = out.chunks(3).collect();
        assert_eq!(decode(options, &pieces).unwrap(), expected, "{format:?}");
    }
}

#[test]
fn fast_dates_agree_with_the_calendar() {
    let column = |oid, physical| CopyColumn {
        name: "x".to_owned(),
        data_type: TypeRef::plain(oid),
        physical,
    };
    let columns = vec![
        column(oid::DATE, PhysicalType::Date),
        column(oid::TIMESTAMP, PhysicalType::Timestamp),
    ];
    let mut decoder = CopyDecoder::new(eval(), "t", columns, csv());
    decoder
        .push(b"1970-01-01,1970-01-01 00:00:00\n2000-02-29,2000-03-01 12:34:56.5\n0001-01-01,1969-12-31 23:59:59.999999\n")
        .unwrap();
    decoder.finish().unwrap();
    let (batch, _) = decoder.take().unwrap();
    let value = |column: usize, row| {
        let physical = [PhysicalType::Date, PhysicalType::Timestamp][column].clone();
        datum_at(batch.column(column), &physical, row).unwrap()
    };
    assert_eq!(value(0, 0), Datum::Int32(0));
    assert_eq!(value(0, 1), Datum::Int32(11_016));
    assert_eq!(value(0, 2), Datum::Int32(-719_162));
    assert_eq!(value(1, 0), Datum::Int64(0));
    assert_eq!(value(1, 1), Datum::Int64(951_914_096_500_000));
    assert_eq!(value(1, 2), Datum::Int64(-1));
}

#[test]
fn usual_spellings_read_as_the_input_functions_read_them() {
    let spellings = [
        (oid::TIMESTAMPTZ, "2024-02-29 23:59:59.000001+00"),
        (oid::TIMESTAMPTZ, "2024-02-29 23:59:59-05:30"),
        (oid::TIMESTAMPTZ, "1969-12-31T00:00:00+14"),
        (oid::TIMESTAMPTZ, "2024-02-29 23:59:59"),
        (oid::TIMESTAMPTZ, "2024-02-29 23:59:59+1"),
        (oid::TIMESTAMP, "0001-01-01 00:00:00.5"),
        (oid::DATE, "2000-02-29"),
        (oid::INT4, "-2147483648"),
        (oid::INT8, "+12"),
        (oid::FLOAT8, "-1.5e-3"),
        (oid::BOOL, "true"),
    ];
    let eval = eval();
    for (type_oid, spelling) in spellings {
        let physical = oxi_types::pg_type::physical(type_oid).unwrap();
        let data_type = TypeRef::plain(type_oid);
        let mut sink = column::ColumnSink::new(data_type, physical);
        // Twice: the second array is of the same type as the first.
        for _ in 0..2 {
            sink.push(&eval, spelling).unwrap();
            let array = sink.finish();
            assert_eq!(*array.data_type(), oxi_model::array::arrow_type(physical));
            let expected = oxi_types::io::text_in(&eval, data_type, spelling).unwrap();
            assert_eq!(datum_at(&array, physical, 0).unwrap(), expected, "{spelling}");
        }
    }
}
