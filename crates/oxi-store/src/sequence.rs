//! Sequences: outside transactions, logged some values ahead so that a crash skips but never
//! repeats.

use oxi_base::{Error, Result, SqlState, Ts, TxnId};
use oxi_log::FrameKind;
use oxi_model::engine::SequenceStep;

use crate::{engine::Core, redo};

/// Values taken between two log records.
const AHEAD: u32 = 32;

/// The state of one sequence.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct SequenceState {
    pub(crate) value: i64,
    pub(crate) is_called: bool,
    /// Values that may be taken before the next log record.
    ahead: u32,
    logged: i64,
}

impl SequenceState {
    pub(crate) fn new(value: i64, is_called: bool) -> Self {
        SequenceState { value, is_called, ahead: 0, logged: value }
    }

    /// What the log knows: at or beyond the value.
    pub(crate) fn logged(&self) -> (i64, bool) {
        (self.logged, self.is_called)
    }
}

fn advance(value: i64, step: &SequenceStep, by: u32) -> Option<i64> {
    let next = value.checked_add(step.increment.checked_mul(by.into())?)?;
    (step.min..=step.max).contains(&next).then_some(next)
}

fn limit_reached(step: &SequenceStep) -> Error {
    let (word, limit) =
        if step.increment > 0 { ("maximum", step.max) } else { ("minimum", step.min) };
    Error::new(
        SqlState::SEQUENCE_GENERATOR_LIMIT_EXCEEDED,
        format!("nextval: reached {word} value of sequence ({limit})"),
    )
}

impl Core {
    pub(crate) fn sequence_next(&self, sequence: u32, step: &SequenceStep) -> Result<i64> {
        let mut sequences = self.sequences.lock();
        // Under the lock: after `settle_sequences` no value is handed out.
        self.check_usable()?;
        let known = sequences.get(&sequence).copied();
        let value = match known {
            None => step.start,
            Some(state) if !state.is_called => state.value,
            Some(state) => match advance(state.value, step, 1) {
                Some(next) => next,
                None if step.cycle && step.increment > 0 => step.min,
                None if step.cycle => step.max,
                None => return Err(limit_reached(step)),
            },
        };
        let mut logged = known.map_or(value, |state| state.logged);
        let mut ahead = known.filter(|state| state.is_called).map_or(0, |state| state.ahead);
        // A wrap-around is a jump that the value logged ahead does not cover.
        let jumped = known.is_some_and(|state| advance(state.value, step, 1) != Some(value));
        if ahead == 0 || jumped {
            // When the limit is near, log one value at a time.
            (logged, ahead) =
                advance(value, step, AHEAD).map_or((value, 0), |logged| (logged, AHEAD));
            self.log_sequence(sequence, logged, true)?;
        } else {
            ahead -= 1;
        }
        sequences.insert(sequence, SequenceState { value, is_called: true, ahead, logged });
        Ok(value)
    }

    pub(crate) fn sequence_set(&self, sequence: u32, value: i64, is_called: bool) -> Result<()> {
        let mut sequences = self.sequences.lock();
        // Under the lock: after `settle_sequences` no value is handed out.
        self.check_usable()?;
        self.log_sequence(sequence, value, is_called)?;
        sequences.insert(sequence, SequenceState::new(value, is_called));
        Ok(())
    }

    /// Takes back what was logged ahead, when the store is closed: the next start goes on with the
    /// next value.
    pub(crate) fn settle_sequences(&self) -> Result<()> {
        let mut sequences = self.sequences.lock();
        let mut ahead: Vec<u32> = sequences
            .iter()
            .filter(|(_, state)| state.value != state.logged)
            .map(|(id, _)| *id)
            .collect();
        ahead.sort_unstable();
        for id in ahead {
            if let Some(state) = sequences.get_mut(&id) {
                self.log_sequence(id, state.value, state.is_called)?;
                *state = SequenceState::new(state.value, state.is_called);
            }
        }
        Ok(())
    }

    /// Appends a record; the commit of whoever uses the value makes it durable.
    fn log_sequence(&self, sequence: u32, value: i64, is_called: bool) -> Result<()> {
        let mut payload = vec![0];
        redo::put_sequence(&mut payload, sequence, value, is_called);
        self.log
            .append(FrameKind::Sequence, TxnId(0), Ts(0), &payload)
            .map_err(|e| self.fail(e))?;
        Ok(())
    }
}
