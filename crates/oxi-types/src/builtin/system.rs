//! Functions about the session, the catalog and the server.

mod catalog;
mod privilege;
mod session;

pub use catalog::*;
pub use privilege::*;
pub use session::*;
