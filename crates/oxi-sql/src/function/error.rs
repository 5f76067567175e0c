//! Errors across DataFusion: ours travel inside its own and come out unharmed.

use arrow_schema::ArrowError;
use datafusion::common::DataFusionError;
use oxi_base::{Error, SqlState};

/// Wraps our error for the way through DataFusion.
pub fn to_datafusion(error: Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

/// Our error again, from whatever DataFusion wrapped around it.
pub fn from_datafusion(error: DataFusionError) -> Error {
    if let Some(error) = find(&error) {
        return error;
    }
    let root = error.find_root();
    let message = root.strip_backtrace();
    match root {
        DataFusionError::ResourcesExhausted(_) => {
            Error::new(SqlState::OUT_OF_MEMORY, "out of memory").with_detail(message)
        }
        DataFusionError::NotImplemented(text) => Error::unsupported(text.clone()),
        DataFusionError::Execution(text) if text.contains("Scalar subquery returned more than") => {
            Error::new(
                SqlState::CARDINALITY_VIOLATION,
                "more than one row returned by a subquery used as an expression",
            )
        }
        DataFusionError::ArrowError(inner, _) => from_arrow(inner),
        // DataFusion meets here what it cannot plan, most often a correlated subquery.
        DataFusionError::Plan(_)
            if message.contains("correlated") || message.contains("OuterReferenceColumn") =>
        {
            Error::unsupported("this form of correlated subquery is not supported")
                .with_detail(message)
        }
        _ => Error::bug(message),
    }
}

fn from_arrow(error: &ArrowError) -> Error {
    match error {
        ArrowError::DivideByZero => Error::new(SqlState::DIVISION_BY_ZERO, "division by zero"),
        ArrowError::ArithmeticOverflow(_) => {
            Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "value out of range")
        }
        ArrowError::MemoryError(text) => Error::new(SqlState::OUT_OF_MEMORY, text.clone()),
        other => Error::bug(other),
    }
}

fn find(error: &DataFusionError) -> Option<Error> {
    match error {
        DataFusionError::External(inner) => find_dyn(inner.as_ref()),
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => find(inner),
        DataFusionError::Shared(inner) => find(inner),
        DataFusionError::Collection(list) => list.iter().find_map(find),
        DataFusionError::ArrowError(inner, _) => find_arrow(inner),
        _ => None,
    }
}

fn find_arrow(error: &ArrowError) -> Option<Error> {
    match error {
        ArrowError::ExternalError(inner) => find_dyn(inner.as_ref()),
        _ => None,
    }
}

fn find_dyn(error: &(dyn std::error::Error + 'static)) -> Option<Error> {
    if let Some(error) = error.downcast_ref::<Error>() {
        return Some(error.clone());
    }
    if let Some(error) = error.downcast_ref::<DataFusionError>() {
        return find(error);
    }
    if let Some(error) = error.downcast_ref::<ArrowError>() {
        return find_arrow(error);
    }
    error.source().and_then(find_dyn)
}
