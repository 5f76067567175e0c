//! The options of COPY, in both of PostgreSQL's spellings.

use oxi_base::{Error, Result, SqlState};
use oxi_exec::copy::{CopyFormat, CopyOptions, Header};
use oxi_sql::ast::{Copy, NamedOption, OptionValue};

/// Reads the options; `columns` are the names of the stream's columns.
pub(super) fn read(copy: &Copy, columns: &[String]) -> Result<CopyOptions> {
    let mut options = CopyOptions::new(format(copy)?);
    let mut seen: Vec<&str> = Vec::new();
    for option in &copy.options {
        let at = option.span.position();
        if seen.contains(&option.name.as_str()) {
            return Err(
                Error::new(SqlState::SYNTAX_ERROR, "conflicting or redundant options").at(at)
            );
        }
        seen.push(&option.name);
        apply(&mut options, option, copy.from, columns).map_err(|error| error.at(at))?;
    }
    Ok(options)
}

/// The format decides the defaults of the others, so it is looked for first.
fn format(copy: &Copy) -> Result<CopyFormat> {
    for option in &copy.options {
        let name = match option.name.as_str() {
            "format" => option.value.as_ref().and_then(OptionValue::text).unwrap_or_default(),
            "csv" => "csv",
            "binary" => "binary",
            _ => continue,
        };
        return match name.to_ascii_lowercase().as_str() {
            "text" => Ok(CopyFormat::Text),
            "csv" => Ok(CopyFormat::Csv),
            "binary" => Ok(CopyFormat::Binary),
            other => Err(Error::new(
                SqlState::INVALID_PARAMETER_VALUE,
                format!("COPY format \"{other}\" not recognized"),
            )
            .at(option.span.position())),
        };
    }
    Ok(CopyFormat::Text)
}

fn apply(
    options: &mut CopyOptions,
    option: &NamedOption,
    from: bool,
    columns: &[String],
) -> Result<()> {
    let name = option.name.as_str();
    match name {
        "format" | "csv" | "binary" => {}
        "freeze" => {}
        "delimiter" => options.delimiter = one_byte(option, "COPY delimiter")?,
        "quote" => options.quote = one_byte(option, "COPY quote")?,
        "escape" => options.escape = one_byte(option, "COPY escape")?,
        "null" => text(option)?.clone_into(&mut options.null),
        "header" => options.header = header(option, from)?,
        "encoding" => {
            let encoding = text(option)?.to_ascii_lowercase().replace('-', "");
            if encoding != "utf8" && encoding != "unicode" {
                return Err(Error::unsupported(
                    "COPY in encodings other than UTF8 is not supported",
                ));
            }
        }
        "force_quote" => options.force_quote = marks(option, columns)?,
        "force_not_null" => options.force_not_null = marks(option, columns)?,
        "force_null" => options.force_null = marks(option, columns)?,
        other => {
            return Err(Error::new(
                SqlState::SYNTAX_ERROR,
                format!("option \"{other}\" not recognized"),
            ));
        }
    }
    // A quote that is also the escape follows it unless one is given.
    if name == "quote" && options.escape == b'"' {
        options.escape = options.quote;
    }
    Ok(())
}

fn text(option: &NamedOption) -> Result<&str> {
    option.value.as_ref().and_then(OptionValue::text).ok_or_else(|| {
        Error::new(SqlState::SYNTAX_ERROR, format!("{} requires a parameter", option.name))
    })
}

fn one_byte(option: &NamedOption, what: &str) -> Result<u8> {
    match text(option)?.as_bytes() {
        [byte] => Ok(*byte),
        _ => Err(Error::unsupported(format!("{what} must be a single one-byte character"))),
    }
}

fn header(option: &NamedOption, from: bool) -> Result<Header> {
    let value = option.value.as_ref().and_then(OptionValue::text).unwrap_or("true");
    match value.to_ascii_lowercase().as_str() {
        "true" | "on" | "1" => Ok(Header::Yes),
        "false" | "off" | "0" => Ok(Header::No),
        "match" if from => Ok(Header::Match),
        "match" => Err(Error::new(
            SqlState::INVALID_PARAMETER_VALUE,
            "cannot use \"match\" with HEADER in COPY TO",
        )),
        _ => {
            Err(Error::new(SqlState::SYNTAX_ERROR, "header requires a Boolean value or \"match\""))
        }
    }
}

/// Which columns a list names; `*` names all.
fn marks(option: &NamedOption, columns: &[String]) -> Result<Vec<bool>> {
    let named = match &option.value {
        Some(OptionValue::Star) => return Ok(vec![true; columns.len()]),
        Some(OptionValue::List(named)) => named.clone(),
        Some(value) => value.text().map(str::to_owned).into_iter().collect(),
        None => Vec::new(),
    };
    if let Some(unknown) = named.iter().find(|name| !columns.contains(name)) {
        return Err(Error::new(
            SqlState::UNDEFINED_COLUMN,
            format!("column \"{unknown}\" does not exist"),
        ));
    }
    Ok(columns.iter().map(|column| named.contains(column)).collect())
}
