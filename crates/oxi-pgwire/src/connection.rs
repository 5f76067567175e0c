//! One client's life: from the first byte to the last.

use std::net::SocketAddr;
use std::sync::Arc;

use oxi_base::{Error, SqlState};
use oxi_session::{CancelTarget, Database, Session, TransactionStatus};

use crate::encode;
use crate::error::{Severity, error_response, notice_response};
use crate::frame;
use crate::portal::Portals;
use crate::server::Server;
use crate::startup;
use crate::wire::{Ended, Frame, Stream, Wire};

/// Why a message's handler stopped.
pub(crate) enum Failure {
    /// The statement failed; the connection lives on.
    Sql(Error),
    /// The connection is over without a word.
    Ended(Ended),
    /// The connection is over after this word.
    Fatal(Error),
    /// The client said goodbye.
    Quit,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Sql(error)
    }
}

impl From<Ended> for Failure {
    fn from(ended: Ended) -> Self {
        Failure::Ended(ended)
    }
}

/// Cancels what a session runs.
#[derive(Clone)]
pub(crate) struct Interrupt {
    database: Database,
    target: CancelTarget,
}

impl Interrupt {
    pub(crate) fn cancel(&self) {
        self.database.cancel(self.target);
    }
}

/// A connection past its startup.
pub(crate) struct Connection {
    pub(crate) session: Session,
    pub(crate) wire: Wire,
    pub(crate) portals: Portals,
    pub(crate) interrupt: Interrupt,
    pub(crate) scratch: String,
    /// After an error in the extended protocol, messages are skipped up to the next Sync.
    skipping: bool,
    /// The text that positions in errors count in.
    pub(crate) text: String,
}

/// Serves one client until it leaves.
pub async fn serve(server: &Arc<Server>, stream: Stream, peer: Option<SocketAddr>) {
    let mut wire = Wire::new(stream, &server.stop, &server.abort);
    let limit = server.options().authentication_timeout_us;
    let started = oxi_world::net::timeout(limit, startup::start(server, &mut wire, peer)).await;
    let session = match started {
        Some(Ok(Some(session))) => session,
        // A cancel request, or a probe that asked for encryption and left.
        Some(Ok(None)) => return,
        Some(Err(failure)) => return end(&mut wire, failure).await,
        None => return,
    };
    let mut connection = Connection {
        interrupt: Interrupt {
            database: server.database().clone(),
            target: CancelTarget { backend_id: session.backend_id(), secret: session.secret() },
        },
        session,
        wire,
        portals: Portals::default(),
        scratch: String::new(),
        skipping: false,
        text: String::new(),
    };
    let failure = connection.run().await;
    connection.portals.clear();
    connection.session.fail();
    end(&mut connection.wire, failure).await;
}

/// The last words of a connection.
async fn end(wire: &mut Wire, failure: Failure) {
    let error = match failure {
        Failure::Sql(error) | Failure::Fatal(error) => error,
        Failure::Ended(Ended::Shutdown) => Error::new(
            SqlState::ADMIN_SHUTDOWN,
            "terminating connection due to administrator command",
        ),
        Failure::Ended(Ended::Gone) | Failure::Quit => return,
    };
    error_response(&mut wire.output, Severity::Fatal, &error, "");
    // The client may be gone already; nobody is left to be told.
    let _ = wire.flush().await;
    let _ = tokio::io::AsyncWriteExt::shutdown(&mut wire.stream).await;
}

impl Connection {
    /// Handles messages until the connection is over.
    async fn run(&mut self) -> Failure {
        loop {
            let frame = match self.next_frame().await {
                Ok(Ok(frame)) => frame,
                Ok(Err(error)) => return Failure::Fatal(error),
                Err(ended) => return ended.into(),
            };
            match self.handle(frame).await {
                Ok(()) => {}
                Err(Failure::Sql(error)) => return Failure::Fatal(error),
                Err(failure) => return failure,
            }
            if self.session.cancel_flag().is_terminated() {
                return Failure::Ended(Ended::Shutdown);
            }
            if self.wire.gone {
                return Failure::Ended(Ended::Gone);
            }
            if let Err(ended) = self.wire.relieve().await {
                return ended.into();
            }
        }
    }

    /// The client's next message; in a transaction block it has to come in time, and an end that
    /// others want comes first.
    async fn next_frame(&mut self) -> Result<oxi_base::Result<Frame>, Ended> {
        let limit = self.session.idle_limit_us();
        let cancel = Arc::clone(self.session.cancel_flag());
        let frame = async {
            let frame = cancel.unless_terminated(self.wire.frame(frame::limit)).await;
            frame.unwrap_or(Err(Ended::Shutdown))
        };
        let Some(limit) = limit else { return frame.await };
        oxi_world::net::timeout(limit, frame).await.unwrap_or_else(|| {
            Ok(Err(Error::new(
                SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
                "terminating connection due to idle-in-transaction timeout",
            )))
        })
    }

    async fn handle(&mut self, frame: Frame) -> Result<(), Failure> {
        let outcome = match frame.tag {
            b'Q' => {
                self.skipping = false;
                return self.simple_query(frame).await;
            }
            b'S' => return self.sync().await,
            b'X' => return Err(Failure::Quit),
            // Left over from a COPY that failed.
            b'd' | b'c' | b'f' => return Ok(()),
            b'F' => return self.function_call(),
            _ if self.skipping => return Ok(()),
            b'B' => self.bind(frame),
            b'E' => self.execute(frame).await,
            b'P' => self.parse(frame),
            b'D' => self.describe(frame),
            b'C' => self.close(frame),
            b'H' => return Ok(self.wire.flush().await?),
            other => {
                return Err(Failure::Fatal(Error::new(
                    SqlState::PROTOCOL_VIOLATION,
                    format!("invalid frontend message type {other}"),
                )));
            }
        };
        match outcome {
            Err(Failure::Sql(error)) => {
                self.skipping = true;
                self.failed(&error);
                Ok(())
            }
            other => other,
        }
    }

    /// Reports a statement's error and tells the session.
    pub(crate) fn failed(&mut self, error: &Error) {
        self.notices();
        // Who is sent away hears of it once, at the end.
        if !self.session.cancel_flag().is_terminated() {
            error_response(&mut self.wire.output, Severity::Error, error, &self.text);
        }
        self.text.clear();
        self.portals.clear();
        self.session.fail();
    }

    /// The end of a pipeline: commits what it did.
    async fn sync(&mut self) -> Result<(), Failure> {
        self.skipping = false;
        if let Err(error) = self.session.sync().await {
            self.failed(&error);
        }
        self.ready();
        Ok(())
    }

    /// `ReadyForQuery`, after what the session has to say besides.
    pub(crate) fn ready(&mut self) {
        self.notices();
        for (name, value) in self.session.take_parameter_changes() {
            encode::parameter_status(&mut self.wire.output, &name, &value);
        }
        let status = match self.session.transaction_status() {
            TransactionStatus::Idle => {
                self.portals.clear();
                b'I'
            }
            TransactionStatus::InTransaction => b'T',
            TransactionStatus::Failed => b'E',
        };
        self.wire.output.extend_from_slice(&[b'Z', 0, 0, 0, 5, status]);
    }

    /// Notices, in front of what comes next.
    pub(crate) fn notices(&mut self) {
        for notice in self.session.take_notices() {
            notice_response(&mut self.wire.output, &notice);
        }
    }

    fn function_call(&mut self) -> Result<(), Failure> {
        self.skipping = false;
        let error = Error::unsupported("the function call protocol is not supported")
            .with_hint("Use SELECT function(...) instead.");
        self.failed(&error);
        self.ready();
        Ok(())
    }
}
