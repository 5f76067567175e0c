//! The functions behind casts between base types.

use oxi_base::{Error, SqlState};

use crate::builtin::{args::scalar, math::out_of_range};

fn narrow<T: TryFrom<i64>>(value: i64, type_name: &str) -> oxi_base::Result<T> {
    T::try_from(value).map_err(|_| out_of_range(type_name))
}

scalar! {
    fn i2toi4(a: i16) -> i32 { i32::from(a) }
    fn i4toi2(a: i32) -> i16 { narrow(i64::from(a), "smallint")? }
    fn int28(a: i16) -> i64 { i64::from(a) }
    fn int48(a: i32) -> i64 { i64::from(a) }
    fn int82(a: i64) -> i16 { narrow(a, "smallint")? }
    fn int84(a: i64) -> i32 { narrow(a, "integer")? }
    fn i8tooid(a: i64) -> u32 { narrow(a, "OID")? }
    fn oidtoi8(a: u32) -> i64 { i64::from(a) }
    fn int4_bool(a: i32) -> bool { a != 0 }
    fn bool_int4(a: bool) -> i32 { i32::from(a) }
    fn booltext(a: bool) -> &'static str { if a { "true" } else { "false" } }
    fn chartoi4(a: &str) -> i32 {
        a.chars().next().map_or(0, |c| i32::from((c as u32 as u8).cast_signed()))
    }
    fn i4tochar(a: i32) -> String {
        let byte = i8::try_from(a).map_err(|_| {
            Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "\"char\" out of range")
        })?;
        if byte == 0 { String::new() } else { char::from(byte.cast_unsigned()).to_string() }
    }
    fn text_char(a: &str) -> String { a.chars().take(1).collect() }
    fn char_text(a: &str) -> String { a.to_owned() }
    fn char_bpchar(a: &str) -> String { a.to_owned() }
    fn name_text(a: &str) -> String { a.to_owned() }
    fn name_bpchar(a: &str) -> String { a.to_owned() }
    fn text_name(a: &str) -> String { crate::text::truncate_bytes(a, 63).to_owned() }
    fn bpchar_name(a: &str) -> String {
        crate::text::truncate_bytes(a, 63).trim_end_matches(' ').to_owned()
    }
}
