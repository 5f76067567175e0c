//! One client's socket with its input and output buffers.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use oxi_base::{Error, Result, SqlState};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use crate::signal::{Signal, Watcher};

/// How much room is made for one read.
const READ_SIZE: usize = 16 * 1024;
/// Output beyond this leaves at once.
pub(crate) const FLUSH_AT: usize = 64 * 1024;
/// While a statement runs, at most this much is read ahead.
const READ_AHEAD: usize = 64 * 1024;
/// An idle connection keeps no buffer larger than this.
const KEEP_BUFFER: usize = 256 * 1024;

/// The kinds of connections a client can come over.
pub enum Stream {
    /// Plain TCP.
    Tcp(TcpStream),
    /// TCP under TLS.
    Tls(Box<TlsStream<TcpStream>>),
    /// A pipe within the process: the shell on an embedded database.
    Local(DuplexStream),
    /// No stream: only while one kind is exchanged for another.
    Closed,
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Tcp(stream) => Pin::new(stream).poll_read(cx, buffer),
            Stream::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
            Stream::Local(stream) => Pin::new(stream).poll_read(cx, buffer),
            Stream::Closed => Poll::Ready(Ok(())),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Stream::Tcp(stream) => Pin::new(stream).poll_write(cx, bytes),
            Stream::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
            Stream::Local(stream) => Pin::new(stream).poll_write(cx, bytes),
            Stream::Closed => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Local(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Closed => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Local(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Closed => Poll::Ready(Ok(())),
        }
    }
}

/// Why a wait for input ended without input.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ended {
    /// The client closed its side or the network failed.
    Gone,
    /// The server stops.
    Shutdown,
}

/// A frame of the input: the message's first byte, and where its body lies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame {
    pub(crate) tag: u8,
    start: usize,
    end: usize,
}

/// The socket and its buffers.
pub(crate) struct Wire {
    pub(crate) stream: Stream,
    input: Vec<u8>,
    /// Where the next frame starts in `input`.
    next: usize,
    pub(crate) output: Vec<u8>,
    /// Set when the client left while a statement ran.
    pub(crate) gone: bool,
    stop: Watcher,
    abort: Watcher,
}

impl Wire {
    /// `stop` ends idle connections; `abort` also ends running statements.
    pub(crate) fn new(stream: Stream, stop: &Signal, abort: &Signal) -> Self {
        Wire {
            stream,
            input: Vec::with_capacity(READ_SIZE),
            next: 0,
            output: Vec::with_capacity(READ_SIZE),
            gone: false,
            stop: stop.watcher(),
            abort: abort.watcher(),
        }
    }

    /// Whether the server has been asked to stop.
    pub(crate) fn stopping(&self) -> bool {
        self.stop.is_raised()
    }

    /// The unread input.
    pub(crate) fn unread(&self) -> &[u8] {
        &self.input[self.next..]
    }

    /// Drops the first `count` unread bytes.
    pub(crate) fn consume(&mut self, count: usize) {
        self.next += count;
    }

    /// The body of a frame. Valid until the next frame is asked for.
    pub(crate) fn body(&self, frame: Frame) -> &[u8] {
        &self.input[frame.start..frame.end]
    }

    /// The next whole frame, if it has arrived.
    ///
    /// # Errors
    /// A frame whose first byte or length the protocol does not allow.
    pub(crate) fn try_frame(&mut self, limit: fn(u8) -> Result<usize>) -> Result<Option<Frame>> {
        let unread = &self.input[self.next..];
        let Some(&tag) = unread.first() else {
            return Ok(None);
        };
        let limit = limit(tag)?;
        let Some(length) = unread.get(1..5) else {
            return Ok(None);
        };
        let length = i32::from_be_bytes([length[0], length[1], length[2], length[3]]);
        let length = usize::try_from(length).unwrap_or(0);
        if length < 4 || length > limit {
            return Err(Error::new(SqlState::PROTOCOL_VIOLATION, "invalid message length"));
        }
        if unread.len() < length + 1 {
            return Ok(None);
        }
        let start = self.next + 5;
        let end = self.next + 1 + length;
        self.next = end;
        Ok(Some(Frame { tag, start, end }))
    }

    /// Makes room and reads once. Must not be called while a frame's body is in use.
    pub(crate) async fn fill(&mut self) -> Result<(), Ended> {
        self.compact();
        let Wire { stream, input, stop, gone, .. } = self;
        let mut read = pin!(stream.read_buf(input));
        let outcome = poll_fn(|cx| {
            if let Poll::Ready(outcome) = read.as_mut().poll(cx) {
                return Poll::Ready(Some(outcome));
            }
            if stop.look(cx) { Poll::Ready(None) } else { Poll::Pending }
        })
        .await;
        match outcome {
            Some(Ok(count)) if count > 0 => Ok(()),
            Some(_) => {
                *gone = true;
                Err(Ended::Gone)
            }
            None => Err(Ended::Shutdown),
        }
    }

    /// Moves unread input to the front and makes room behind it.
    fn compact(&mut self) {
        if self.next == self.input.len() {
            self.input.clear();
            if self.input.capacity() > KEEP_BUFFER {
                self.input = Vec::new();
            }
        } else if self.next > 0 {
            self.input.drain(..self.next);
        }
        self.next = 0;
        if self.input.capacity() - self.input.len() < READ_SIZE / 4 {
            self.input.reserve(READ_SIZE.max(self.input.len()));
        }
    }

    /// The next whole frame; waits for it, after sending what is due.
    pub(crate) async fn frame(
        &mut self,
        limit: fn(u8) -> Result<usize>,
    ) -> Result<Result<Frame>, Ended> {
        loop {
            match self.try_frame(limit) {
                Ok(None) => {}
                Ok(Some(frame)) => return Ok(Ok(frame)),
                Err(error) => return Ok(Err(error)),
            }
            self.flush().await?;
            self.fill().await?;
        }
    }

    /// Sends all output.
    pub(crate) async fn flush(&mut self) -> Result<(), Ended> {
        if self.output.is_empty() {
            return Ok(());
        }
        let Wire { stream, output, abort, .. } = self;
        let outcome = {
            let mut write = pin!(async {
                stream.write_all(output).await?;
                stream.flush().await
            });
            poll_fn(|cx| {
                if let Poll::Ready(outcome) = write.as_mut().poll(cx) {
                    return Poll::Ready(Some(outcome));
                }
                if abort.look(cx) { Poll::Ready(None) } else { Poll::Pending }
            })
            .await
        };
        self.output.clear();
        if self.output.capacity() > KEEP_BUFFER {
            self.output = Vec::with_capacity(READ_SIZE);
        }
        match outcome {
            Some(Ok(())) => Ok(()),
            Some(Err(_)) => {
                self.gone = true;
                Err(Ended::Gone)
            }
            None => Err(Ended::Shutdown),
        }
    }

    /// Sends the output if much of it waits.
    pub(crate) async fn relieve(&mut self) -> Result<(), Ended> {
        if self.output.len() > FLUSH_AT { self.flush().await } else { Ok(()) }
    }

    /// Runs `work` to its end and watches the socket meanwhile. When the client leaves, or the
    /// server aborts, `interrupt` is called once; `work` is still waited for.
    pub(crate) async fn watch<F: Future>(&mut self, interrupt: impl Fn(), work: F) -> F::Output {
        let mut work = pin!(work);
        let mut interrupted = false;
        let Wire { stream, input, next, gone, abort, .. } = self;
        poll_fn(|cx| {
            if let Poll::Ready(output) = work.as_mut().poll(cx) {
                return Poll::Ready(output);
            }
            while !*gone && input.len() - *next < READ_AHEAD {
                if input.capacity() == input.len() {
                    input.reserve(READ_SIZE);
                }
                match pin!(stream.read_buf(input)).poll(cx) {
                    Poll::Pending => break,
                    Poll::Ready(Ok(count)) if count > 0 => {}
                    Poll::Ready(_) => *gone = true,
                }
            }
            if !interrupted && (*gone || abort.look(cx)) {
                interrupted = true;
                interrupt();
                // What the interruption woke is polled again at once.
                cx.waker().wake_by_ref();
            }
            Poll::Pending
        })
        .await
    }
}
