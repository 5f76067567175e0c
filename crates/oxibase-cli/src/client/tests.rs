//! Messages of a server, read.

use super::message::*;

#[test]
fn a_row_description_and_a_row() {
    let body = b"\0\x01id\0\0\0\0\0\0\0\0\0\0\x17\0\x04\xff\xff\xff\xff\0\0".to_vec();
    let event = Event::parse(b'T', body).unwrap();
    assert_eq!(event, Some(Event::Fields(vec![Field { name: "id".into(), type_oid: 23 }])));
    let body = b"\0\x02\0\0\0\x011\xff\xff\xff\xff".to_vec();
    let event = Event::parse(b'D', body).unwrap();
    assert_eq!(event, Some(Event::Row(vec![Some("1".into()), None])));
    assert!(Event::parse(b'D', b"\0\x01\0\0\0\x09x".to_vec()).is_err());
}

#[test]
fn an_error() {
    let error = ServerError::parse(b"SERROR\0VERROR\0C42601\0Msyntax error\0P8\0\0");
    assert_eq!((error.code.as_str(), error.position), ("42601", Some(8)));
}
