//! Points of the contract that scripts cannot say.
