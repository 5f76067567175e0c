//! Short runs at each level, and proof that a weaker level than promised is noticed.
#![allow(clippy::unwrap_used, reason = "tests")]

use oxi_model::engine::Isolation::{self, ReadCommitted, RepeatableRead, Serializable};

use super::{Options, check::Kind, round, threaded_round};

fn found(isolation: Isolation) -> Vec<Kind> {
    let mut kinds = Vec::new();
    for seed in 0..3 {
        let report = round(seed, isolation, 300).unwrap();
        assert!(report.committed > 100, "{report:?}");
        let forbidden = report.findings.forbidden(isolation);
        assert!(forbidden.is_empty(), "seed {seed}: {forbidden}");
        kinds.extend(report.findings.kinds());
    }
    kinds
}

#[test]
fn serializable_has_no_anomaly() {
    assert_eq!(found(Serializable), []);
}

#[test]
fn repeatable_read_has_write_skew_and_nothing_else() {
    // Were it served in the place of SERIALIZABLE, it would be noticed.
    assert!(found(RepeatableRead).contains(&Kind::G2));
}

#[test]
fn read_committed_has_read_skew() {
    assert!(found(ReadCommitted).contains(&Kind::GSingle));
}

#[test]
fn a_seed_decides_everything() {
    let report = round(7, Serializable, 100).unwrap();
    assert_eq!(report, round(7, Serializable, 100).unwrap());
}

#[test]
fn threads_have_no_anomaly_either() {
    let options = Options { threads: 4, transactions: 300, seed: 1, isolation: Serializable };
    let report = threaded_round(options).unwrap();
    assert!(report.committed > 50, "{report:?}");
    assert!(report.findings.is_empty(), "{}", report.findings);
}
