//! Functions on bytea, hashes, and textual encodings of bytes.

use md5::{Digest, Md5};
use oxi_base::{Error, Result, SqlState};
use sha2::{Sha224, Sha256, Sha384, Sha512};

use crate::{
    builtin::args::scalar,
    io,
    text::{self, Side},
};

fn hex(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() * 2);
    io::encode_hex(bytes, &mut out);
    out
}

fn index_error(index: i64, last: i64) -> Error {
    Error::new(
        SqlState::ARRAY_SUBSCRIPT_ERROR,
        format!("index {index} out of valid range, 0..{last}"),
    )
}

fn byte_at(bytes: &[u8], index: i64) -> Result<usize> {
    usize::try_from(index)
        .ok()
        .filter(|at| *at < bytes.len())
        .ok_or_else(|| index_error(index, bytes.len() as i64 - 1))
}

fn bit_at(bytes: &[u8], index: i64) -> Result<(usize, u32)> {
    if index < 0 || index >= bytes.len() as i64 * 8 {
        return Err(index_error(index, bytes.len() as i64 * 8 - 1));
    }
    Ok(((index / 8) as usize, (index % 8) as u32))
}

fn slice(bytes: &[u8], start: i32, length: Option<i32>) -> Result<Vec<u8>> {
    let begin = i64::from(start) - 1;
    let end = match length {
        None => bytes.len() as i64,
        Some(length) if length < 0 => {
            return Err(Error::new(
                SqlState::SUBSTRING_ERROR,
                "negative substring length not allowed",
            ));
        }
        Some(length) => begin + i64::from(length),
    };
    let begin = begin.clamp(0, bytes.len() as i64) as usize;
    let end = end.clamp(begin as i64, bytes.len() as i64) as usize;
    Ok(bytes[begin..end].to_vec())
}

fn trim_bytes(bytes: &[u8], set: &[u8], side: Side) -> Vec<u8> {
    let mut rest = bytes;
    if side != Side::Right {
        while let Some((first, tail)) = rest.split_first().filter(|(byte, _)| set.contains(byte)) {
            let _ = first;
            rest = tail;
        }
    }
    if side != Side::Left {
        while let Some((last, head)) = rest.split_last().filter(|(byte, _)| set.contains(byte)) {
            let _ = last;
            rest = head;
        }
    }
    rest.to_vec()
}

fn overlay(bytes: &[u8], new: &[u8], start: i32, length: i32) -> Result<Vec<u8>> {
    if start <= 0 {
        return Err(Error::new(SqlState::SUBSTRING_ERROR, "negative substring length not allowed"));
    }
    let mut out = slice(bytes, 1, Some(start - 1))?;
    out.extend_from_slice(new);
    out.extend(slice(bytes, start.saturating_add(length), None)?);
    Ok(out)
}

fn to_utf8(bytes: &[u8], encoding: &str) -> Result<String> {
    match encoding.to_ascii_lowercase().replace(['-', '_'], "").as_str() {
        "utf8" | "unicode" | "sqlascii" => String::from_utf8(bytes.to_vec()).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            Error::new(
                SqlState::CHARACTER_NOT_IN_REPERTOIRE,
                format!("invalid byte sequence for encoding \"UTF8\": 0x{:02x}", bytes[at]),
            )
        }),
        "latin1" | "iso88591" => Ok(bytes.iter().map(|byte| char::from(*byte)).collect()),
        _ => Err(Error::new(
            SqlState::INVALID_PARAMETER_VALUE,
            format!("invalid source encoding name \"{encoding}\""),
        )),
    }
}

fn from_utf8(text: &str, encoding: &str) -> Result<Vec<u8>> {
    match encoding.to_ascii_lowercase().replace(['-', '_'], "").as_str() {
        "utf8" | "unicode" | "sqlascii" => Ok(text.as_bytes().to_vec()),
        "latin1" | "iso88591" => text
            .chars()
            .map(|c| {
                u8::try_from(c).map_err(|_| {
                    let bytes: Vec<String> =
                        c.to_string().bytes().map(|byte| format!("0x{byte:02x}")).collect();
                    Error::new(
                        SqlState::UNTRANSLATABLE_CHARACTER,
                        format!(
                            "character with byte sequence {} in encoding \"UTF8\" has no equivalent in encoding \"LATIN1\"",
                            bytes.join(" ")
                        ),
                    )
                })
            })
            .collect(),
        _ => Err(Error::new(
            SqlState::INVALID_PARAMETER_VALUE,
            format!("invalid destination encoding name \"{encoding}\""),
        )),
    }
}

fn unknown_encoding(name: &str) -> Error {
    Error::new(SqlState::INVALID_PARAMETER_VALUE, format!("unrecognized encoding: \"{name}\""))
}

scalar! {
    fn md5_text(a: &str) -> String { hex(&Md5::digest(a.as_bytes())) }
    fn md5_bytea(a: &[u8]) -> String { hex(&Md5::digest(a)) }
    fn sha224_bytea(a: &[u8]) -> Vec<u8> { Sha224::digest(a).to_vec() }
    fn sha256_bytea(a: &[u8]) -> Vec<u8> { Sha256::digest(a).to_vec() }
    fn sha384_bytea(a: &[u8]) -> Vec<u8> { Sha384::digest(a).to_vec() }
    fn sha512_bytea(a: &[u8]) -> Vec<u8> { Sha512::digest(a).to_vec() }
    fn byteacat(a: &[u8], b: &[u8]) -> Vec<u8> { [a, b].concat() }
    fn byteaoctetlen(a: &[u8]) -> i32 { a.len() as i32 }
    fn length_in_encoding(a: &[u8], encoding: &str) -> i32 {
        to_utf8(a, encoding)?.chars().count() as i32
    }
    fn bytea_substr(a: &[u8], start: i32, length: i32) -> Vec<u8> { slice(a, start, Some(length))? }
    fn bytea_substr_no_len(a: &[u8], start: i32) -> Vec<u8> { slice(a, start, None)? }
    fn byteapos(a: &[u8], b: &[u8]) -> i32 {
        if b.is_empty() {
            1
        } else {
            a.windows(b.len()).position(|window| window == b).map_or(0, |at| at as i32 + 1)
        }
    }
    fn byteatrim(a: &[u8], set: &[u8]) -> Vec<u8> { trim_bytes(a, set, Side::Both) }
    fn bytealtrim(a: &[u8], set: &[u8]) -> Vec<u8> { trim_bytes(a, set, Side::Left) }
    fn byteartrim(a: &[u8], set: &[u8]) -> Vec<u8> { trim_bytes(a, set, Side::Right) }
    fn byteaoverlay(a: &[u8], b: &[u8], start: i32, length: i32) -> Vec<u8> {
        overlay(a, b, start, length)?
    }
    fn byteaoverlay_no_len(a: &[u8], b: &[u8], start: i32) -> Vec<u8> {
        overlay(a, b, start, b.len() as i32)?
    }
    fn byteaGetByte(a: &[u8], index: i32) -> i32 { i32::from(a[byte_at(a, i64::from(index))?]) }
    fn byteaSetByte(a: &[u8], index: i32, value: i32) -> Vec<u8> {
        let mut out = a.to_vec();
        out[byte_at(a, i64::from(index))?] = value as u8;
        out
    }
    fn byteaGetBit(a: &[u8], index: i64) -> i32 {
        let (byte, bit) = bit_at(a, index)?;
        i32::from(a[byte] >> bit & 1)
    }
    fn byteaSetBit(a: &[u8], index: i64, value: i32) -> Vec<u8> {
        let (byte, bit) = bit_at(a, index)?;
        if !matches!(value, 0 | 1) {
            return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, "new bit must be 0 or 1"));
        }
        let mut out = a.to_vec();
        out[byte] = out[byte] & !(1 << bit) | (value as u8) << bit;
        out
    }
    fn bytea_bit_count(a: &[u8]) -> i64 { a.iter().map(|byte| i64::from(byte.count_ones())).sum() }
    fn binary_encode(a: &[u8], format: &str) -> String {
        match format.to_ascii_lowercase().as_str() {
            "hex" => hex(a),
            "base64" => text::base64_encode(a),
            "escape" => {
                let mut out = String::new();
                io::encode_escape(a, true, &mut out);
                out
            }
            _ => return Err(unknown_encoding(format)),
        }
    }
    fn binary_decode(a: &str, format: &str) -> Vec<u8> {
        match format.to_ascii_lowercase().as_str() {
            "hex" => io::decode_hex(a)?,
            "base64" => text::base64_decode(a)?,
            "escape" => io::decode_escape(a.as_bytes())
                .ok_or_else(|| io::invalid_syntax("bytea", a))?,
            _ => return Err(unknown_encoding(format)),
        }
    }
    fn pg_convert_from(a: &[u8], encoding: &str) -> String { to_utf8(a, encoding)? }
    fn pg_convert_to(a: &str, encoding: &str) -> Vec<u8> { from_utf8(a, encoding)? }
    fn pg_convert(a: &[u8], from: &str, to: &str) -> Vec<u8> { from_utf8(&to_utf8(a, from)?, to)? }
}
