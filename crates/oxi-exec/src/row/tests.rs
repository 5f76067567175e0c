//! Row expressions compute as SQL says.
