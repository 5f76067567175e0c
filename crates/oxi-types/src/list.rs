//! Array values: shapes and the algorithms on them.

use std::sync::Arc;

use oxi_base::{Error, Result, SqlState};
use oxi_model::{Datum, datum::ListValue};

/// Puts arrays of one shape under each other: the result has one dimension more.
pub fn stack(arrays: &[Datum]) -> Result<Datum> {
    let mut dimensions: Option<Vec<(i32, i32)>> = None;
    let mut elements = Vec::new();
    for array in arrays {
        let Datum::List(list) = array else {
            return Err(Error::new(
                SqlState::NULL_VALUE_NOT_ALLOWED,
                "cannot accumulate null arrays",
            ));
        };
        if list.dimensions.is_empty() {
            return Err(Error::new(
                SqlState::ARRAY_SUBSCRIPT_ERROR,
                "cannot accumulate empty arrays",
            ));
        }
        match &dimensions {
            None => dimensions = Some(list.dimensions.clone()),
            Some(first) if *first == list.dimensions => {}
            Some(_) => {
                return Err(Error::new(
                    SqlState::ARRAY_SUBSCRIPT_ERROR,
                    "cannot accumulate arrays of different dimensionality",
                ));
            }
        }
        elements.extend(list.elements.iter().cloned());
    }
    let mut all = vec![(arrays.len() as i32, 1)];
    all.extend(dimensions.unwrap_or_default());
    Ok(Datum::List(Arc::new(ListValue { dimensions: all, elements })))
}
