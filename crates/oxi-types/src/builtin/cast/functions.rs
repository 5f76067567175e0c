//! Cast functions.
