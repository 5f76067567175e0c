//! String algorithms that functions share.
