//! A small client of PostgreSQL's protocol: simple queries and COPY, all values as text.
//!
//! The shell uses it for servers and for embedded databases alike, so that both behave the same.

mod message;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io;

use oxi_base::{Error, Result, SqlState};
use oxi_pgwire::scram::{self, ClientExchange};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

pub(crate) use message::{Event, Field, ServerError};

/// A connection's bytes.
pub(crate) trait Transport: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Transport for T {}

/// Who logs in, and where to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Login {
    pub(crate) user: String,
    pub(crate) password: Option<String>,
    pub(crate) database: String,
}

/// A session with a server.
pub(crate) struct Client {
    stream: Box<dyn Transport>,
    input: Vec<u8>,
    next: usize,
    output: Vec<u8>,
    pub(crate) parameters: BTreeMap<String, String>,
    /// Backend id and secret, for cancel requests.
    key: Vec<u8>,
    /// As the last `ReadyForQuery` told: `I`, `T` or `E`.
    pub(crate) status: u8,
}

/// Why there is no session.
pub(crate) enum Refusal {
    /// The server said no.
    Server(ServerError),
    /// The conversation failed.
    Broken(Error),
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        Refusal::Broken(broken(&error))
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Refusal::Broken(error)
    }
}

pub(crate) fn broken(error: &io::Error) -> Error {
    Error::new(SqlState::CONNECTION_FAILURE, format!("connection to the server lost: {error}"))
}

fn unexpected(what: &str) -> Error {
    Error::new(SqlState::PROTOCOL_VIOLATION, format!("the server sent {what}"))
}

impl Client {
    /// Logs in over a fresh stream.
    pub(crate) async fn connect(
        stream: Box<dyn Transport>,
        login: &Login,
        nonce: &str,
    ) -> Result<Self, Refusal> {
        let mut client = Client {
            stream,
            input: Vec::new(),
            next: 0,
            output: Vec::new(),
            parameters: BTreeMap::new(),
            key: Vec::new(),
            status: b'I',
        };
        client.startup(login);
        client.flush().await?;
        client.authenticate(login, nonce).await?;
        loop {
            match client.event().await? {
                Event::Ready => return Ok(client),
                Event::Error(error) => return Err(Refusal::Server(error)),
                _ => {}
            }
        }
    }

    fn startup(&mut self, login: &Login) {
        let mut body = Vec::new();
        body.extend_from_slice(&(3u32 << 16).to_be_bytes());
        for (name, value) in [
            ("user", login.user.as_str()),
            ("database", login.database.as_str()),
            ("application_name", "oxibase"),
            ("client_encoding", "UTF8"),
        ] {
            for text in [name, value] {
                body.extend_from_slice(text.as_bytes());
                body.push(0);
            }
        }
        body.push(0);
        self.output.extend_from_slice(&(body.len() as u32 + 4).to_be_bytes());
        self.output.extend_from_slice(&body);
    }

    async fn authenticate(&mut self, login: &Login, nonce: &str) -> Result<(), Refusal> {
        let mut exchange = None::<ClientExchange>;
        loop {
            let (tag, body) = self.frame().await?;
            match tag {
                b'R' => {}
                b'E' => return Err(Refusal::Server(ServerError::parse(&body))),
                b'N' | b'v' => continue,
                _ => return Err(unexpected("no authentication request").into()),
            }
            let (kind, data) =
                body.split_at_checked(4).ok_or_else(|| unexpected("a torn frame"))?;
            let password = || {
                login.password.clone().ok_or_else(|| {
                    Error::new(SqlState::INVALID_PASSWORD, "the server asks for a password")
                        .with_hint("Write it into the URL or set PGPASSWORD.")
                })
            };
            match u32::from_be_bytes([kind[0], kind[1], kind[2], kind[3]]) {
                0 => return Ok(()),
                3 => {
                    let mut body = password()?.into_bytes();
                    body.push(0);
                    self.send(b'p', &body);
                }
                10 => {
                    let started = ClientExchange::new(&password()?, nonce);
                    let first = started.first_message();
                    let mut body = format!("{}\0", scram::MECHANISM).into_bytes();
                    body.extend_from_slice(&(first.len() as u32).to_be_bytes());
                    body.extend_from_slice(first.as_bytes());
                    self.send(b'p', &body);
                    exchange = Some(started);
                }
                11 => {
                    let exchange = exchange.as_mut().ok_or_else(|| unexpected("SASL early"))?;
                    let answer = exchange.answer(&String::from_utf8_lossy(data))?;
                    self.send(b'p', answer.as_bytes());
                }
                12 => {
                    let last = String::from_utf8_lossy(data);
                    if !exchange.as_ref().is_some_and(|exchange| exchange.verify(&last)) {
                        return Err(unexpected("a wrong proof of the password").into());
                    }
                }
                other => {
                    let message = format!("authentication method {other} is not supported");
                    return Err(Error::unsupported(message).into());
                }
            }
            self.flush().await?;
        }
    }

    /// The bytes of a cancel request for this session.
    pub(crate) fn cancel_request(&self) -> Vec<u8> {
        let mut packet = (self.key.len() as u32 + 8).to_be_bytes().to_vec();
        packet.extend_from_slice(&80_877_102u32.to_be_bytes());
        packet.extend_from_slice(&self.key);
        packet
    }

    /// Starts a simple query; its events follow up to [`Event::Ready`].
    pub(crate) async fn query(&mut self, sql: &str) -> io::Result<()> {
        let mut body = sql.as_bytes().to_vec();
        body.push(0);
        self.send(b'Q', &body);
        self.flush().await
    }

    /// Data for a COPY FROM STDIN.
    pub(crate) async fn copy_data(&mut self, data: &[u8]) -> io::Result<()> {
        self.send(b'd', data);
        if self.output.len() > 64 * 1024 { self.flush().await } else { Ok(()) }
    }

    /// The end of that data.
    pub(crate) async fn copy_done(&mut self) -> io::Result<()> {
        self.send(b'c', b"");
        self.flush().await
    }

    /// Gives that data up.
    pub(crate) async fn copy_fail(&mut self, reason: &str) -> io::Result<()> {
        let mut body = reason.as_bytes().to_vec();
        body.push(0);
        self.send(b'f', &body);
        self.flush().await
    }

    /// Says goodbye.
    pub(crate) async fn close(mut self) {
        self.send(b'X', b"");
        // The server notices the closed socket as well.
        let _ = self.flush().await;
        let _ = self.stream.shutdown().await;
    }

    /// The next event.
    pub(crate) async fn event(&mut self) -> io::Result<Event> {
        loop {
            let (tag, body) = self.frame().await?;
            match tag {
                b'S' => {
                    let mut parts = body.split(|byte| *byte == 0);
                    if let (Some(name), Some(value)) = (parts.next(), parts.next()) {
                        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
                        self.parameters.insert(text(name), text(value));
                    }
                }
                b'K' => self.key = body,
                b'Z' => {
                    self.status = body.first().copied().unwrap_or(b'I');
                    return Ok(Event::Ready);
                }
                tag => {
                    if let Some(event) = Event::parse(tag, body)? {
                        return Ok(event);
                    }
                }
            }
        }
    }

    fn send(&mut self, tag: u8, body: &[u8]) {
        self.output.push(tag);
        self.output.extend_from_slice(&(body.len() as u32 + 4).to_be_bytes());
        self.output.extend_from_slice(body);
    }

    async fn flush(&mut self) -> io::Result<()> {
        self.stream.write_all(&self.output).await?;
        self.output.clear();
        self.stream.flush().await
    }

    async fn frame(&mut self) -> io::Result<(u8, Vec<u8>)> {
        loop {
            let unread = &self.input[self.next..];
            if let [tag, a, b, c, d, rest @ ..] = unread {
                let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
                let length = length.checked_sub(4).ok_or(io::ErrorKind::InvalidData)?;
                if let Some(body) = rest.get(..length) {
                    let frame = (*tag, body.to_vec());
                    self.next += length + 5;
                    return Ok(frame);
                }
            }
            self.input.drain(..self.next);
            self.next = 0;
            self.input.reserve(32 * 1024);
            if self.stream.read_buf(&mut self.input).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}
