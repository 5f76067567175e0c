//! Between the error type of this project and the one of the query engine.
//!
//! Our errors cross the query engine boxed as external errors and come out unchanged; errors that
//! the query engine itself raises get the SQLSTATE and the wording of PostgreSQL.

use arrow::error::ArrowError;
use datafusion::error::DataFusionError;
use oxi_base::{Error, SqlState};

/// Wraps one of our errors for the way through the query engine.
pub fn to_datafusion(error: Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

/// What the query engine reported, in PostgreSQL's terms.
pub fn from_datafusion(error: DataFusionError) -> Error {
    convert(&error)
}

fn convert(error: &DataFusionError) -> Error {
    match error {
        DataFusionError::External(inner) => convert_boxed(inner.as_ref()),
        DataFusionError::ArrowError(inner, _) => convert_arrow(inner),
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => {
            convert(inner)
        }
        DataFusionError::Shared(inner) => convert(inner),
        DataFusionError::Collection(errors) => match errors.first() {
            Some(first) => convert(first),
            None => Error::bug("the query engine reported no error"),
        },
        DataFusionError::ResourcesExhausted(message) => {
            Error::new(SqlState::OUT_OF_MEMORY, "out of memory").with_detail(message.clone())
        }
        DataFusionError::NotImplemented(message) => Error::unsupported(message.clone()),
        DataFusionError::Execution(message) => convert_execution(message),
        DataFusionError::IoError(inner) => Error::new(SqlState::IO_ERROR, inner.to_string()),
        DataFusionError::ExecutionJoin(inner) => Error::bug(inner),
        other => Error::bug(other),
    }
}

fn convert_boxed(error: &(dyn std::error::Error + Send + Sync + 'static)) -> Error {
    if let Some(own) = error.downcast_ref::<Error>() {
        return own.clone();
    }
    if let Some(inner) = error.downcast_ref::<DataFusionError>() {
        return convert(inner);
    }
    if let Some(inner) = error.downcast_ref::<ArrowError>() {
        return convert_arrow(inner);
    }
    Error::bug(error)
}

/// What an array kernel reported, in PostgreSQL's terms.
pub(crate) fn convert_arrow(error: &ArrowError) -> Error {
    match error {
        ArrowError::ExternalError(inner) => convert_boxed(inner.as_ref()),
        ArrowError::DivideByZero => Error::new(SqlState::DIVISION_BY_ZERO, "division by zero"),
        ArrowError::ArithmeticOverflow(message) => overflow(message),
        ArrowError::CastError(message) => cast(message),
        ArrowError::ComputeError(message) if message.contains("verflow") => overflow(message),
        other => Error::bug(other),
    }
}

fn convert_execution(message: &str) -> Error {
    if message.contains("returned more than one row") {
        return Error::new(
            SqlState::CARDINALITY_VIOLATION,
            "more than one row returned by a subquery used as an expression",
        );
    }
    if message.contains("Divide by zero") || message.contains("Division by zero") {
        return Error::new(SqlState::DIVISION_BY_ZERO, "division by zero");
    }
    if message.contains("verflow") {
        return overflow(message);
    }
    Error::bug(message)
}

/// Kernels name the operands, not the type; PostgreSQL names the type.
fn overflow(message: &str) -> Error {
    let numbers: Vec<i128> = message
        .split(|c: char| !(c.is_ascii_digit() || c == '-'))
        .filter_map(|word| word.parse().ok())
        .collect();
    let widest = numbers.iter().map(|number| number.unsigned_abs()).max().unwrap_or(0);
    let name = if widest > u128::from(u32::MAX >> 1) + 1 {
        "bigint"
    } else if widest > 1 << 15 {
        // The product of two numbers that fit an integer and do not as one.
        let product = numbers.iter().try_fold(1i128, |all, one| all.checked_mul(*one));
        match product {
            Some(value) if i64::try_from(value).is_err() && message.contains('*') => "bigint",
            _ => "integer",
        }
    } else {
        "integer"
    };
    out_of_range(name)
}

fn cast(message: &str) -> Error {
    let name =
        [("Int16", "smallint"), ("Int32", "integer"), ("Int64", "bigint"), ("UInt32", "OID")]
            .iter()
            .find(|(arrow, _)| message.ends_with(arrow))
            .map(|(_, name)| *name);
    match name {
        Some(name) => out_of_range(name),
        None => Error::new(SqlState::INVALID_TEXT_REPRESENTATION, message),
    }
}

fn out_of_range(name: &str) -> Error {
    Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, format!("{name} out of range"))
}

#[cfg(test)]
mod tests;
