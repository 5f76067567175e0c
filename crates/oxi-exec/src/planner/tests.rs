//! The query engine's own statements do not get through.

use datafusion::logical_expr::{LogicalPlanBuilder, Statement, TransactionStart};

use super::*;

#[test]
fn foreign_statements_are_refused() {
    let plan = LogicalPlan::Statement(Statement::TransactionStart(TransactionStart {
        access_mode: datafusion::logical_expr::TransactionAccessMode::ReadOnly,
        isolation_level: datafusion::logical_expr::TransactionIsolationLevel::Serializable,
    }));
    assert!(reject_foreign(&plan).is_err());

    let one = LogicalPlanBuilder::empty(true).build().unwrap();
    assert!(reject_foreign(&one).is_ok());
    let explained = LogicalPlanBuilder::from(one).explain(false, false).unwrap().build().unwrap();
    assert!(reject_foreign(&explained).is_err());
}
