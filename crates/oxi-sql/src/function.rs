//! PostgreSQL's functions, operators, casts, aggregates and window functions as DataFusion sees
//! them. What they compute is defined in `oxi-types`; here are the adapters.

pub mod aggregate;
pub mod context;
pub mod error;
pub mod kernel;
pub mod key;
pub mod set;
pub mod single;
pub(crate) mod state;
pub mod udf;
pub mod value;

pub use aggregate::BuiltinUdaf;
pub use context::EvalExtension;
pub use udf::BuiltinUdf;
