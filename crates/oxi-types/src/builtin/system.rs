//! Functions about the session, the catalog and the server.

mod advisory;
mod catalog;
mod privilege;
mod session;

pub use advisory::*;
pub use catalog::*;
pub use privilege::*;
pub use session::*;
