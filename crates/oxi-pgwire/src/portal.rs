//! The extended query protocol: prepared statements and portals.

mod parameters;

use std::collections::BTreeMap;
use std::sync::Arc;

use oxi_base::{Error, Result, SqlState};
use oxi_model::Datum;
use oxi_session::{CommandTag, Outcome, OutputField, Prepared, Request};
use smallvec::SmallVec;

use crate::connection::{Connection, Failure};
use crate::encode::{self, Column};
use crate::frame::{self, Body};
use crate::query::{Rows, Sent};
use crate::wire::Frame;

/// A statement with its parameters, at some point of its execution.
pub(crate) struct Portal {
    prepared: Arc<Prepared>,
    /// The columns, if they are known before the statement runs.
    fields: Option<Arc<[OutputField]>>,
    columns: Vec<Column>,
    /// The formats the client wants, for columns that are known only then.
    formats: SmallVec<[i16; 16]>,
    state: State,
}

enum State {
    /// Bound, not yet executed.
    Ready(Vec<Datum>),
    /// Suspended after some rows.
    Suspended(Rows),
    /// All rows are sent.
    Exhausted(CommandTag),
    /// A statement without rows has run, or one with rows has failed.
    Spent,
}

/// A connection's portals by name. The unnamed one is apart, because nearly all are unnamed.
#[derive(Default)]
pub(crate) struct Portals {
    unnamed: Option<Portal>,
    named: BTreeMap<Box<str>, Portal>,
}

impl Portals {
    fn get(&self, name: &str) -> Result<&Portal> {
        let portal = if name.is_empty() { self.unnamed.as_ref() } else { self.named.get(name) };
        portal.ok_or_else(|| missing(name))
    }

    fn take(&mut self, name: &str) -> Result<Portal> {
        let portal = if name.is_empty() { self.unnamed.take() } else { self.named.remove(name) };
        portal.ok_or_else(|| missing(name))
    }

    fn put(&mut self, name: &str, portal: Portal) {
        if name.is_empty() {
            self.unnamed = Some(portal);
        } else {
            self.named.insert(name.into(), portal);
        }
    }

    pub(crate) fn close(&mut self, name: &str) {
        if name.is_empty() {
            self.unnamed = None;
        } else {
            self.named.remove(name);
        }
    }

    pub(crate) fn clear(&mut self) {
        self.unnamed = None;
        self.named.clear();
    }
}

fn missing(name: &str) -> Error {
    Error::new(SqlState::INVALID_CURSOR_NAME, format!("portal \"{name}\" does not exist"))
}

impl Connection {
    /// `Parse`: a text becomes a prepared statement.
    pub(crate) fn parse(&mut self, frame: Frame) -> Result<(), Failure> {
        self.text.clear();
        let mut body = Body::new(self.wire.body(frame));
        let name = body.text()?;
        self.text.push_str(body.text()?);
        let count = body.count()?;
        let mut types = SmallVec::<[u32; 16]>::new();
        for _ in 0..count {
            types.push(body.i32()? as u32);
        }
        body.end()?;
        self.session.prepare(name, &self.text, &types)?;
        encode::empty_message(&mut self.wire.output, b'1');
        Ok(())
    }

    /// `Bind`: a prepared statement and parameters become a portal.
    pub(crate) fn bind(&mut self, frame: Frame) -> Result<(), Failure> {
        self.text.clear();
        let mut body = Body::new(self.wire.body(frame));
        let name = body.text()?;
        let statement = body.text()?;
        let prepared = self.session.prepared(statement)?;
        let formats = formats(&mut body)?;
        let source = parameters::Source { portal: name, statement, formats: &formats };
        let session = &mut self.session;
        let params =
            parameters::read(&mut body, &prepared, &source, || session.output_context().cloned())?;
        let results = self::formats(&mut body)?;
        body.end()?;
        let fields = prepared.fields();
        let columns = match &fields {
            Some(fields) => encode::columns(fields, &results)?,
            None => Vec::new(),
        };
        if !name.is_empty() && self.portals.named.contains_key(name) {
            return Err(Failure::Sql(Error::new(
                SqlState::DUPLICATE_CURSOR,
                format!("portal \"{name}\" already exists"),
            )));
        }
        let portal =
            Portal { prepared, fields, columns, formats: results, state: State::Ready(params) };
        self.portals.put(name, portal);
        encode::empty_message(&mut self.wire.output, b'2');
        Ok(())
    }

    /// `Describe` of a statement or a portal.
    pub(crate) fn describe(&mut self, frame: Frame) -> Result<(), Failure> {
        self.text.clear();
        let mut body = Body::new(self.wire.body(frame));
        let kind = body.u8()?;
        let name = body.text()?;
        body.end()?;
        match kind {
            b'S' => {
                let prepared = self.session.prepared(name)?;
                let out = &mut self.wire.output;
                encode::parameter_description(out, prepared.parameter_types());
                match prepared.fields() {
                    Some(fields) => {
                        let columns = encode::columns(&fields, &[])?;
                        encode::row_description(out, &fields, &columns);
                    }
                    None => encode::empty_message(out, b'n'),
                }
            }
            b'P' => {
                // A cursor that SQL has declared is a portal too.
                if let Some(fields) = self.session.cursor_fields(name) {
                    let columns = encode::columns(&fields, &[])?;
                    encode::row_description(&mut self.wire.output, &fields, &columns);
                    return Ok(());
                }
                let portal = self.portals.get(name)?;
                let out = &mut self.wire.output;
                match &portal.fields {
                    Some(fields) => encode::row_description(out, fields, &portal.columns),
                    None => encode::empty_message(out, b'n'),
                }
            }
            other => return Err(Failure::Sql(bad_subtype("DESCRIBE", other))),
        }
        Ok(())
    }

    /// `Close` of a statement or a portal; it need not exist.
    pub(crate) fn close(&mut self, frame: Frame) -> Result<(), Failure> {
        self.text.clear();
        let mut body = Body::new(self.wire.body(frame));
        let kind = body.u8()?;
        let name = body.text()?;
        body.end()?;
        match kind {
            b'S' => self.session.close_prepared(name),
            b'P' => self.portals.close(name),
            other => return Err(Failure::Sql(bad_subtype("CLOSE", other))),
        }
        encode::empty_message(&mut self.wire.output, b'3');
        Ok(())
    }

    /// `Execute`: runs a portal, up to a number of rows.
    pub(crate) async fn execute(&mut self, frame: Frame) -> Result<(), Failure> {
        self.text.clear();
        let mut body = Body::new(self.wire.body(frame));
        let name: SmallVec<[u8; 64]> = body.text()?.bytes().collect();
        let limit = match body.i32()? {
            limit if limit > 0 => limit as u64,
            _ => u64::MAX,
        };
        body.end()?;
        let name = frame::utf8(&name)?;
        let mut portal = self.portals.take(name)?;
        self.run_portal(name, &mut portal, limit).await?;
        self.portals.put(name, portal);
        Ok(())
    }

    async fn run_portal(
        &mut self,
        name: &str,
        portal: &mut Portal,
        limit: u64,
    ) -> Result<(), Failure> {
        match std::mem::replace(&mut portal.state, State::Spent) {
            State::Ready(params) => {
                let prepared = Arc::clone(&portal.prepared);
                match self
                    .run_request(Request::Prepared { prepared, params, implicit_block: true })
                    .await?
                {
                    Outcome::Done(tag) => self.complete(Some(&tag)),
                    Outcome::Empty => self.complete(None),
                    Outcome::Rows(cursor) => {
                        self.run_rows(portal, Rows::new(cursor), limit, false).await?;
                    }
                    Outcome::CopyIn(copy) => {
                        let tag = self.copy_in(copy).await?;
                        self.complete(Some(&tag));
                    }
                    Outcome::CopyOut(copy) => {
                        let tag = self.copy_out(copy).await?;
                        self.complete(Some(&tag));
                    }
                }
            }
            State::Suspended(rows) => self.run_rows(portal, rows, limit, true).await?,
            State::Exhausted(tag) => {
                let tag = CommandTag::counted(tag.verb(), 0);
                self.complete(Some(&tag));
                portal.state = State::Exhausted(tag);
            }
            State::Spent => {
                return Err(Failure::Sql(Error::new(
                    SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
                    format!("portal \"{name}\" cannot be run"),
                )));
            }
        }
        Ok(())
    }

    async fn run_rows(
        &mut self,
        portal: &mut Portal,
        mut rows: Rows,
        limit: u64,
        resumed: bool,
    ) -> Result<(), Failure> {
        if portal.fields.is_none() {
            portal.columns = encode::columns(rows.cursor.fields(), &portal.formats)?;
        }
        if portal.columns.len() != rows.cursor.fields().len() {
            return Err(Failure::Sql(Error::unsupported(
                "cached plan must not change result type",
            )));
        }
        match self.send_rows(&mut rows, &portal.columns, limit).await? {
            (Sent::Enough, _) => {
                self.notices();
                encode::empty_message(&mut self.wire.output, b's');
                portal.state = State::Suspended(rows);
            }
            (Sent::End(tag), sent) => {
                // The tag counts all rows; the client is told those of this time.
                let tag = if resumed { CommandTag::counted(tag.verb(), sent) } else { tag };
                self.complete(Some(&tag));
                portal.state = State::Exhausted(tag);
            }
        }
        Ok(())
    }
}

/// A list of format codes.
fn formats(body: &mut Body<'_>) -> Result<SmallVec<[i16; 16]>> {
    let count = body.count()?;
    let mut formats = SmallVec::new();
    for _ in 0..count {
        formats.push(body.i16()?);
    }
    Ok(formats)
}

fn bad_subtype(message: &str, kind: u8) -> Error {
    Error::new(SqlState::PROTOCOL_VIOLATION, format!("invalid {message} message subtype {kind}"))
}
