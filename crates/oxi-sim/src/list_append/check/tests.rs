//! Hand-written histories, each with one anomaly, and some without: a checker that cannot fail
//! proves nothing.
#![allow(clippy::unwrap_used, reason = "tests")]

use oxi_model::engine::Isolation::{ReadCommitted, RepeatableRead, Serializable};

use super::*;
use Op::{Append, Read};

fn read(key: Key, values: &[Value]) -> Op {
    Read(key, values.to_vec())
}

fn done(ops: &[Op]) -> Transaction {
    Transaction::committed(ops.to_vec())
}

fn undone(ops: &[Op]) -> Transaction {
    Transaction::aborted(ops.to_vec())
}

fn kinds(history: &[Transaction]) -> Vec<Kind> {
    check(history, false).kinds()
}

#[test]
fn a_serial_history_is_sound() {
    let history = [
        done(&[Append(1, 1), Append(2, 2)]),
        done(&[read(1, &[1]), Append(1, 3), read(1, &[1, 3])]),
        undone(&[Append(1, 4)]),
        done(&[read(1, &[1, 3]), read(2, &[2]), read(3, &[])]),
    ];
    assert_eq!(check(&history, true), Findings::default());
}

#[test]
fn concurrent_readers_of_one_state_are_sound() {
    let history = [
        done(&[read(1, &[]), read(2, &[]), Append(1, 1)]),
        done(&[read(2, &[])]),
        done(&[read(1, &[1]), Append(2, 2)]),
        done(&[read(1, &[1]), read(2, &[2])]),
    ];
    assert_eq!(check(&history, true), Findings::default());
}

#[test]
fn garbage() {
    assert_eq!(kinds(&[done(&[read(1, &[7])])]), [Kind::Garbage]);
}

#[test]
fn a_value_twice() {
    let history = [done(&[Append(1, 1)]), done(&[read(1, &[1, 1])])];
    assert_eq!(kinds(&history), [Kind::Twice]);
}

#[test]
fn own_writes_not_seen() {
    let history = [done(&[Append(1, 1), read(1, &[])])];
    assert_eq!(kinds(&history), [Kind::Internal]);
    let history = [done(&[read(1, &[1]), Append(1, 1)])];
    assert_eq!(kinds(&history), [Kind::Internal]);
}

#[test]
fn a_fork() {
    let history = [
        done(&[Append(1, 1)]),
        done(&[Append(1, 2)]),
        done(&[read(1, &[1])]),
        done(&[read(1, &[2])]),
    ];
    assert!(kinds(&history).contains(&Kind::Fork));
}

#[test]
fn a_lost_update() {
    let history = [done(&[Append(1, 1)]), done(&[Append(1, 2)]), done(&[read(1, &[2])])];
    assert_eq!(check(&history, true).kinds(), [Kind::Lost]);
    assert_eq!(check(&history, false).kinds(), []);
}

#[test]
fn g0_dirty_write() {
    let history = [
        done(&[Append(1, 1), Append(2, 2)]),
        done(&[Append(1, 3), Append(2, 4)]),
        done(&[read(1, &[1, 3]), read(2, &[4, 2])]),
    ];
    assert!(kinds(&history).contains(&Kind::G0));
    assert!(!check(&history, true).forbidden(ReadCommitted).is_empty());
}

#[test]
fn g1a_aborted_read() {
    let history = [undone(&[Append(1, 1)]), done(&[read(1, &[1])])];
    assert_eq!(kinds(&history), [Kind::G1a]);
}

#[test]
fn g1b_intermediate_read() {
    let history =
        [done(&[Append(1, 1), Append(1, 2)]), done(&[read(1, &[1])]), done(&[read(1, &[1, 2])])];
    let found = check(&history, true);
    assert!(found.kinds().contains(&Kind::G1b));
    assert!(!found.forbidden(ReadCommitted).is_empty());
}

#[test]
fn g1c_circular_information_flow() {
    let history = [done(&[Append(1, 1), read(2, &[2])]), done(&[Append(2, 2), read(1, &[1])])];
    assert_eq!(kinds(&history), [Kind::G1c]);
}

#[test]
fn g1c_through_the_order_of_writes() {
    // T0 before T1 by list 1, T1 before T0 because T0 has read what T1 wrote.
    let history = [
        done(&[Append(1, 1), read(2, &[3])]),
        done(&[Append(1, 2), Append(2, 3)]),
        done(&[read(1, &[1, 2])]),
    ];
    assert_eq!(kinds(&history), [Kind::G1c]);
}

#[test]
fn g_single_read_skew() {
    let history = [done(&[read(1, &[]), read(2, &[2])]), done(&[Append(1, 1), Append(2, 2)])];
    // The version of list 1 is known from a later reader only.
    let mut history = history.to_vec();
    history.push(done(&[read(1, &[1])]));
    let found = check(&history, false);
    assert_eq!(found.kinds(), [Kind::GSingle]);
    assert!(found.forbidden(ReadCommitted).is_empty());
    assert_eq!(found.forbidden(RepeatableRead).kinds(), [Kind::GSingle]);
}

#[test]
fn g_single_lost_update_by_a_read() {
    // Both read the empty list, both append: one has not seen the other.
    let history = [
        done(&[read(1, &[]), Append(1, 1)]),
        done(&[read(1, &[]), Append(1, 2)]),
        done(&[read(1, &[1, 2])]),
    ];
    assert_eq!(kinds(&history), [Kind::GSingle]);
}

#[test]
fn g2_write_skew() {
    let history = [
        done(&[read(1, &[]), read(2, &[]), Append(1, 1)]),
        done(&[read(1, &[]), read(2, &[]), Append(2, 2)]),
        done(&[read(1, &[1]), read(2, &[2])]),
    ];
    let found = check(&history, true);
    assert_eq!(found.kinds(), [Kind::G2]);
    assert!(found.forbidden(RepeatableRead).is_empty());
    assert_eq!(found.forbidden(Serializable).kinds(), [Kind::G2]);
}

#[test]
fn g2_through_a_reader() {
    // A reader sees the second writer and not the first, which has not seen the second.
    let history = [
        done(&[read(1, &[]), read(2, &[2])]),
        done(&[read(2, &[]), Append(1, 1)]),
        done(&[Append(2, 2)]),
        done(&[read(1, &[1]), read(2, &[2])]),
    ];
    let found = check(&history, true);
    assert_eq!(found.kinds(), [Kind::G2]);
    assert!(found.forbidden(RepeatableRead).is_empty());
}

#[test]
fn two_reads_overtaken_apart_from_each_other() {
    // T0 -rw-> T1 -wr-> T2 -rw-> T3 -wr-> T0: no snapshot gives that.
    let history = [
        done(&[read(1, &[]), read(4, &[4])]),
        done(&[Append(1, 1), Append(2, 2)]),
        done(&[read(2, &[2]), read(3, &[])]),
        done(&[Append(3, 3), Append(4, 4)]),
        done(&[read(1, &[1]), read(3, &[3])]),
    ];
    let found = check(&history, false);
    assert!(found.kinds().contains(&Kind::GNonadjacent), "{found}");
    assert!(!found.forbidden(RepeatableRead).is_empty());
    assert!(found.forbidden(ReadCommitted).is_empty());
}

#[test]
fn long_histories_do_not_need_a_deep_stack() {
    let chain = (0..200_000).map(|number| {
        let before: Vec<Value> = if number == 0 { vec![] } else { vec![number] };
        done(&[Read(number, before), Append(number + 1, number + 1)])
    });
    assert_eq!(kinds(&chain.collect::<Vec<_>>()), []);
}
