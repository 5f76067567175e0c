//! Statements that come as texts with their constants in them, and that differ from earlier ones
//! only in those: they are neither parsed nor planned again.
//!
//! The text with parameters instead of its constants is prepared when it comes the second time. It
//! serves from then on if its plan goes by key (such a plan is the same whatever the constants
//! are) or if it has no constants. Whatever is not quite clear goes the usual way through the
//! parser, which also finds the right words and places for errors.

use std::sync::Arc;

use oxi_base::{Error, Result, SqlState};
use oxi_model::{Datum, descriptor::TypeRef};
use oxi_sql::parse::{Constant, Template, template};
use oxi_types::{EvalContext, io, oid};

use crate::{
    prepared::{Plan, Prepared},
    request::{Parsed, Request, parse_one},
    session::Session,
    transaction::TransactionStatus,
};

/// What is known of a template.
#[derive(Clone)]
pub(crate) enum Recalled {
    /// It came once.
    Once,
    /// It is not worth preparing, or must not be.
    Never,
    /// It stands for its statements.
    Prepared(Arc<Prepared>),
}

impl Session {
    /// The requests of a string of statements, as the simple protocol sends it; none for an empty
    /// one. Several form one implicit transaction, which [`Session::sync`] ends.
    ///
    /// # Errors
    /// As [`Session::split`].
    pub fn requests(&mut self, sql: &str) -> Result<Vec<Request>> {
        if let Some(request) = self.recall(sql) {
            self.said = Some(sql.into());
            return Ok(vec![request]);
        }
        let statements = self.split(sql)?;
        let implicit_block = statements.len() > 1;
        let request = |parsed: Parsed| Request::Simple { parsed, implicit_block };
        Ok(statements.into_iter().map(request).collect())
    }

    fn recall(&mut self, sql: &str) -> Option<Request> {
        if self.transaction_status() == TransactionStatus::Failed || self.has_own_catalog() {
            return None;
        }
        let Template { text, constants } = template(sql)?;
        let types = constants.iter().map(type_of).collect();
        let key = self.statement_key(text, types);
        let version = self.shared.engine.catalog_version();
        let prepared = match self.shared.templates.get(&key) {
            None => {
                self.shared.templates.put(key, Recalled::Once);
                return None;
            }
            Some(Recalled::Never) => return None,
            Some(Recalled::Prepared(prepared)) if prepared.current_plan(version).is_some() => {
                prepared
            }
            Some(Recalled::Prepared(_) | Recalled::Once) => {
                let found = self.prepare_template(&key.text, &key.types);
                let known = found.clone().map_or(Recalled::Never, Recalled::Prepared);
                self.shared.templates.put(key, known);
                found?
            }
        };
        let context = self.output_context().ok()?;
        let values = constants.iter().zip(prepared.parameter_types());
        let params = values.map(|(constant, oid)| value_of(constant, *oid, context));
        let params = params.collect::<Result<_>>().ok()?;
        Some(Request::Prepared { prepared, params, implicit_block: false })
    }

    /// Prepares a template if it can stand for all its statements.
    fn prepare_template(&mut self, text: &str, types: &[u32]) -> Option<Arc<Prepared>> {
        let parsed = parse_one(text).ok()?;
        let mut prepared = self.prepare_parsed(parsed, types).ok()?;
        prepared.fields_may_change = true;
        let is_alike = |plan: &Plan| plan.fast.is_some() || types.is_empty();
        let version = self.shared.engine.catalog_version();
        let given = types.iter().zip(prepared.parameter_types());
        let is_typed = prepared.parameter_types().len() == types.len()
            && given.clone().all(|(given, found)| *given == 0 || given == found);
        let stands = is_typed && is_alike(&*prepared.current_plan(version)?);
        stands.then(|| Arc::new(prepared))
    }
}

/// The type of a constant; 0 for a string, whose type its place decides.
fn type_of(constant: &Constant) -> u32 {
    match constant {
        Constant::Integer(digits) if digits.parse::<i32>().is_ok() => oid::INT4,
        Constant::Integer(digits) if digits.parse::<i64>().is_ok() => oid::INT8,
        Constant::Integer(_) | Constant::Decimal(_) => oid::NUMERIC,
        Constant::Text(_) => 0,
    }
}

fn value_of(constant: &Constant, type_oid: u32, context: &EvalContext) -> Result<Datum> {
    let (Constant::Integer(text) | Constant::Decimal(text) | Constant::Text(text)) = constant;
    let number = || Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "not of its type");
    match type_oid {
        oid::INT4 if !matches!(constant, Constant::Text(_)) => {
            text.parse().map(Datum::Int32).map_err(|_| number())
        }
        oid::INT8 if !matches!(constant, Constant::Text(_)) => {
            text.parse().map(Datum::Int64).map_err(|_| number())
        }
        // `now` and its like mean the moment of the statement, which only its own context knows.
        oid::DATE | oid::TIME | oid::TIMESTAMP | oid::TIMESTAMPTZ
            if text.trim_start().starts_with(|first: char| first.is_ascii_alphabetic()) =>
        {
            Err(Error::new(SqlState::INVALID_DATETIME_FORMAT, "a word for a time"))
        }
        _ => io::text_in(context, TypeRef::plain(type_oid), text),
    }
}
