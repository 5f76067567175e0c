//! Accepting clients, counting them, and sending them away.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use oxi_base::{Error, Result, SqlState};
use oxi_session::Database;
use oxi_world::net::Listener;
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;

use crate::auth::Policy;
use crate::connection;
use crate::signal::Signal;
use crate::wire::Stream;

/// How a server treats its clients.
#[derive(Clone)]
pub struct Options {
    /// More clients than this are refused with `53300`.
    pub max_connections: usize,
    /// A client must have logged in after this time.
    pub authentication_timeout_us: u64,
    /// Encryption, if the server offers it.
    pub tls: Option<TlsAcceptor>,
    /// Where nonces and salts come from.
    pub random: Random,
}

/// Fills a buffer with bytes that nobody can guess.
pub type Random = Arc<dyn Fn(&mut [u8]) + Send + Sync>;

/// The door: one per database.
pub struct Server {
    database: Database,
    options: Options,
    policy: Policy,
    connected: AtomicUsize,
    left: Notify,
    pub(crate) stop: Signal,
    pub(crate) abort: Signal,
}

impl Server {
    /// A server that does not listen yet.
    pub fn new(database: Database, options: Options) -> Arc<Self> {
        let policy = Policy::new(database.authentication(), &options.random);
        Arc::new(Server {
            database,
            policy,
            options,
            connected: AtomicUsize::new(0),
            left: Notify::new(),
            stop: Signal::default(),
            abort: Signal::default(),
        })
    }

    pub(crate) fn database(&self) -> &Database {
        &self.database
    }

    pub(crate) fn options(&self) -> &Options {
        &self.options
    }

    pub(crate) fn policy(&self) -> &Policy {
        &self.policy
    }

    /// How many clients are connected.
    pub fn connections(&self) -> usize {
        self.connected.load(Ordering::Relaxed)
    }

    /// Accepts clients until [`Server::stop`] is called.
    ///
    /// # Errors
    /// `08006` when the socket no longer listens.
    pub async fn listen(self: &Arc<Self>, listener: Listener) -> Result<()> {
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = self.stop.raised() => return Ok(()),
            };
            match accepted {
                Ok((stream, peer)) => self.spawn(Stream::Tcp(stream.into_tcp()), Some(peer)),
                Err(error) => {
                    // Out of file descriptors, most likely: others may leave meanwhile.
                    tracing::warn!(error = error.message(), "a connection could not be accepted");
                    oxi_world::net::sleep(50_000).await;
                }
            }
        }
    }

    /// Serves one client in a task of its own.
    pub fn spawn(self: &Arc<Self>, stream: Stream, peer: Option<SocketAddr>) {
        let server = Arc::clone(self);
        oxi_world::net::spawn(async move { server.serve(stream, peer).await });
    }

    /// Serves one client until it leaves.
    pub async fn serve(self: &Arc<Self>, stream: Stream, peer: Option<SocketAddr>) {
        self.connected.fetch_add(1, Ordering::Relaxed);
        let _guest = Guest(self);
        connection::serve(self, stream, peer).await;
    }

    /// Refuses when there are more clients than allowed; the caller is counted already.
    pub(crate) fn admit(&self) -> Result<()> {
        if self.connections() > self.options.max_connections {
            return Err(Error::new(
                SqlState::TOO_MANY_CONNECTIONS,
                "sorry, too many clients already",
            ));
        }
        Ok(())
    }

    /// Stops accepting and lets idle clients go; running statements come to their end, unless
    /// that takes longer than `patience_us`.
    pub async fn stop(&self, patience_us: u64) {
        self.stop.raise();
        if oxi_world::net::timeout(patience_us, self.empty()).await.is_none() {
            self.abort.raise();
            let _ = oxi_world::net::timeout(patience_us, self.empty()).await;
        }
    }

    async fn empty(&self) {
        loop {
            let left = self.left.notified();
            tokio::pin!(left);
            left.as_mut().enable();
            if self.connections() == 0 {
                return;
            }
            left.await;
        }
    }
}

/// Counts a client while it is there.
struct Guest<'a>(&'a Server);

impl Drop for Guest<'_> {
    fn drop(&mut self) {
        self.0.connected.fetch_sub(1, Ordering::Relaxed);
        self.0.left.notify_waiters();
    }
}
