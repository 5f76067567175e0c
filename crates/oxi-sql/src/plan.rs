//! Our own logical nodes and what is done to whole plans after binding.

pub mod apply;
pub mod modify;
pub mod parameters;
pub mod row_lock;

pub use apply::ApplyNode;
pub use modify::{Action, Assignment, Check, ConflictAction, ModifyNode, OnConflict};
pub use parameters::substitute;
pub use row_lock::{LockStrength, LockWait, LockedTable, RowLockNode};
