//! Errors keep their SQLSTATE through the query engine.

use super::*;

#[test]
fn own_errors_come_back_unchanged() {
    let error = Error::new(SqlState::UNIQUE_VIOLATION, "duplicate").with_detail("d");
    let wrapped = DataFusionError::Context("c".into(), Box::new(to_datafusion(error)));
    let arrow =
        DataFusionError::ArrowError(Box::new(ArrowError::ExternalError(Box::new(wrapped))), None);
    let back = from_datafusion(arrow);
    assert_eq!(back.code(), SqlState::UNIQUE_VIOLATION);
    assert_eq!(back.detail(), Some("d"));
}

#[test]
fn kernels_speak_postgres() {
    let message = |error| from_datafusion(error).message().to_owned();
    let arrow = |error| DataFusionError::ArrowError(Box::new(error), None);
    assert_eq!(message(arrow(ArrowError::DivideByZero)), "division by zero");
    let overflow = |text: &str| arrow(ArrowError::ArithmeticOverflow(text.into()));
    assert_eq!(message(overflow("Overflow happened on: 2147483647 + 1")), "integer out of range");
    assert_eq!(
        message(overflow("Overflow happened on: 9223372036854775807 + 1")),
        "bigint out of range"
    );
}
