//! The point path gives what the general route gives.
