//! The real server under the real kill -9.
