//! A prepared statement.

use std::sync::Arc;

use oxi_session::Prepared;

/// A prepared statement: parsed and bound once, run many times.
#[derive(Clone)]
pub struct Statement {
    pub(crate) prepared: Arc<Prepared>,
}

impl Statement {
    /// Type oids of the parameters.
    pub fn parameter_types(&self) -> &[u32] {
        self.prepared.parameter_types()
    }

    /// Names of the result's columns; empty if it returns no rows.
    pub fn column_names(&self) -> Vec<String> {
        let fields = self.prepared.fields();
        fields.iter().flat_map(|fields| fields.iter()).map(|field| field.name.clone()).collect()
    }
}
