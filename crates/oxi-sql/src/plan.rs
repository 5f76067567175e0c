//! Our own logical nodes and what is done to whole plans after binding.

pub mod apply;
pub mod lateral;
pub mod modify;
pub mod parameters;
pub mod row_lock;
pub mod shared;

pub use apply::{ApplyNode, bind_outer, outer_columns, own_columns};
pub use lateral::LateralNode;
pub use modify::{Action, Assignment, Check, ConflictAction, ModifyNode, OnConflict};
pub use parameters::substitute;
pub use row_lock::{LockStrength, LockWait, LockedTable, RowLockNode};
pub use shared::{SharedNode, WithNode};
