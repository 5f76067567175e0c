//! Crashes at every step of the disk.
