//! The network and the runtime of the doors: a thin skin over tokio.
//!
//! Only doors (layer 7 and above) use this module; log and store never see it.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use oxi_base::{Error, Result, SqlState};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

/// The stack of a worker: nested values and expressions are walked by recursion.
const STACK_BYTES: usize = 8 << 20;

fn net_error(action: &str, address: &str, error: &io::Error) -> Error {
    Error::new(SqlState::CONNECTION_FAILURE, format!("could not {action} \"{address}\": {error}"))
}

/// A listening TCP socket.
#[derive(Debug)]
pub struct Listener {
    inner: TcpListener,
}

impl Listener {
    /// Listens on `address`, as `127.0.0.1:5432`; port 0 picks a free one.
    pub async fn bind(address: &str) -> Result<Listener> {
        let bound = TcpListener::bind(address).await;
        let inner = bound.map_err(|e| net_error("listen on", address, &e))?;
        Ok(Listener { inner })
    }

    /// The address in use.
    pub fn local_addr(&self) -> Result<SocketAddr> {
        self.inner.local_addr().map_err(|e| net_error("get the address of", "socket", &e))
    }

    /// The next connection.
    pub async fn accept(&self) -> Result<(Stream, SocketAddr)> {
        let accepted = self.inner.accept().await;
        let (inner, peer) = accepted.map_err(|e| net_error("accept on", "socket", &e))?;
        Stream::from_tcp(inner).map(|stream| (stream, peer))
    }
}

/// A TCP connection with small writes sent at once.
#[derive(Debug)]
pub struct Stream {
    inner: TcpStream,
}

impl Stream {
    fn from_tcp(inner: TcpStream) -> Result<Stream> {
        inner.set_nodelay(true).map_err(|e| net_error("configure", "socket", &e))?;
        Ok(Stream { inner })
    }

    /// Connects to `address`.
    pub async fn connect(address: &str) -> Result<Stream> {
        let connected = TcpStream::connect(address).await;
        Self::from_tcp(connected.map_err(|e| net_error("connect to", address, &e))?)
    }

    /// The other side's address.
    pub fn peer_addr(&self) -> Result<SocketAddr> {
        self.inner.peer_addr().map_err(|e| net_error("get the peer of", "socket", &e))
    }

    /// The tokio stream, for libraries that ask for it.
    pub fn into_tcp(self) -> TcpStream {
        self.inner
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

/// The threads that poll the doors' futures.
#[derive(Debug)]
pub struct Runtime {
    /// `None` only while it is dropped.
    inner: Option<tokio::runtime::Runtime>,
}

impl Runtime {
    /// A runtime with `worker_threads` (at least one).
    pub fn new(worker_threads: usize) -> Result<Runtime> {
        let built = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(worker_threads.max(1))
            .thread_name("oxi-worker")
            .thread_stack_size(STACK_BYTES)
            .enable_all()
            .build();
        let inner = built.map_err(|error| {
            let message = format!("could not start the runtime: {error}");
            Error::new(SqlState::INSUFFICIENT_RESOURCES, message)
        })?;
        Ok(Runtime { inner: Some(inner) })
    }

    /// Runs a future to its end on the calling thread.
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        let mut future = pin!(future);
        let entered = self.inner().enter();
        // Most statements of an embedded database are ready at once; only the others need a
        // thread that can be parked and woken.
        let first = future.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        drop(entered);
        match first {
            Poll::Ready(output) => output,
            Poll::Pending => self.inner().block_on(future),
        }
    }

    /// Starts a future in the background.
    pub fn spawn<F>(&self, future: F) -> tokio::task::JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        self.inner().spawn(future)
    }

    fn inner(&self) -> &tokio::runtime::Runtime {
        self.inner.as_ref().expect("a runtime has its threads until it is dropped")
    }

    /// Stops without waiting for what still runs.
    pub fn shutdown(self) {
        drop(self);
    }
}

impl Drop for Runtime {
    /// Never waits, so that it may happen on a thread that polls futures.
    fn drop(&mut self) {
        if let Some(inner) = self.inner.take() {
            inner.shutdown_background();
        }
    }
}

/// Starts a future in the background of the current [`Runtime`].
pub fn spawn<F>(future: F) -> tokio::task::JoinHandle<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    tokio::spawn(future)
}

/// Runs blocking work on a thread kept for it by the current [`Runtime`].
pub fn spawn_blocking<F, R>(work: F) -> tokio::task::JoinHandle<R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    tokio::task::spawn_blocking(work)
}

/// Waits without blocking a thread.
pub async fn sleep(duration_us: u64) {
    tokio::time::sleep(Duration::from_micros(duration_us)).await;
}

/// Something that will be done later, unless this is dropped before.
#[derive(Debug)]
pub struct Timer(Option<tokio::task::JoinHandle<()>>);

impl Drop for Timer {
    fn drop(&mut self) {
        if let Some(task) = self.0.take() {
            task.abort();
        }
    }
}

/// Does `what` after `duration_us`. Outside of any [`Runtime`] it is never done.
pub fn after(duration_us: u64, what: impl FnOnce() + Send + 'static) -> Timer {
    let Ok(runtime) = tokio::runtime::Handle::try_current() else { return Timer(None) };
    Timer(Some(runtime.spawn(async move {
        sleep(duration_us).await;
        what();
    })))
}

/// Waits for a future on this thread, while the current [`Runtime`] goes on on others.
///
/// # Errors
/// `0A000` in a runtime that has this thread only.
pub fn wait_here<F: Future>(future: F) -> Result<F::Output> {
    use tokio::runtime::{Handle, RuntimeFlavor};
    match Handle::try_current() {
        Ok(handle) if handle.runtime_flavor() == RuntimeFlavor::MultiThread => {
            Ok(tokio::task::block_in_place(|| handle.block_on(future)))
        }
        _ => Err(Error::unsupported("waiting within an expression needs a runtime of threads")),
    }
}

/// The future's output, or `None` when it takes longer than `limit_us`.
pub async fn timeout<F: Future>(limit_us: u64, future: F) -> Option<F::Output> {
    tokio::time::timeout(Duration::from_micros(limit_us), future).await.ok()
}

/// Ends when the operator asks the process to stop (interrupt or termination signal).
pub async fn shutdown_requested() -> Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let failed = |e: io::Error| Error::new(SqlState::SYSTEM_ERROR, format!("signals: {e}"));
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests;
