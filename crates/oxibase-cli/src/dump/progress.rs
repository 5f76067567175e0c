//! How far a dump is, for someone who watches.

use std::io::{self, IsTerminal as _};

use crate::shell::say;

/// Rows between two words about them.
const STEP: u64 = 100_000;

/// Words on standard error, if that is a terminal.
pub(crate) struct Progress {
    shown: bool,
    tables: usize,
    table: usize,
    name: String,
    rows: u64,
    next: u64,
}

impl Progress {
    pub(crate) fn new(tables: usize) -> Self {
        let shown = io::stderr().is_terminal();
        Progress { shown, tables, table: 0, name: String::new(), rows: 0, next: STEP }
    }

    /// The next table starts.
    pub(crate) fn start(&mut self, name: &str) {
        self.table += 1;
        name.clone_into(&mut self.name);
        (self.rows, self.next) = (0, STEP);
        self.show();
    }

    /// Rows have been written.
    pub(crate) fn add(&mut self, rows: u64) {
        self.rows += rows;
        if self.rows >= self.next {
            self.next = self.rows + STEP;
            self.show();
        }
    }

    /// All tables are written.
    pub(crate) fn end(&self) {
        if self.shown && self.table > 0 {
            say("\r\u{1b}[K");
        }
    }

    fn show(&self) {
        if self.shown {
            let Progress { table, tables, name, rows, .. } = self;
            let name: String = name.chars().filter(|c| !c.is_control()).collect();
            say(&format!("\r\u{1b}[Ktable {table} of {tables}: {name}, {rows} rows"));
        }
    }
}
