//! From what the user names to a session with it.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use oxi_base::{Error, Result, SqlState};
use oxi_pgwire::{Options, Server, Stream};
use oxi_world::World;
use oxi_world::process;
use oxibase::Database;
use tokio::io::AsyncWriteExt as _;

use crate::client::{Client, Login, Refusal, Transport};

/// How much the pipe to an embedded database holds.
const PIPE: usize = 256 * 1024;

/// What the user named.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Target {
    /// A database in memory.
    Memory,
    /// A database in a directory.
    Directory(String),
    /// A server's address.
    Server(String),
}

/// Where sessions come from.
pub(crate) struct Connector {
    source: Source,
    pub(crate) login: Login,
    world: World,
}

enum Source {
    Embedded { server: Arc<Server>, database: Database },
    Remote(String),
}

impl Connector {
    /// As [`Self::open`], but a directory must hold a database already.
    pub(crate) fn open_existing(text: &str) -> Result<Self> {
        if let (Target::Directory(path), _) = parse(text)?
            && !Database::exists(&path)
        {
            let message = format!("there is no database in \"{path}\"");
            return Err(Error::new(SqlState::UNDEFINED_FILE, message));
        }
        Self::open(text)
    }

    /// Opens the database, or remembers where the server is.
    pub(crate) fn open(text: &str) -> Result<Self> {
        Self::open_at(text, None)
    }

    /// As [`Self::open`]; with a number, the directory as that checkpoint left it.
    pub(crate) fn open_at(text: &str, checkpoint: Option<u64>) -> Result<Self> {
        let world = World::real(".")?;
        let (target, mut login) = parse(text)?;
        if login.user.is_empty() {
            login.user = process::env_var("PGUSER")
                .or_else(process::user_name)
                .unwrap_or_else(|| "oxibase".to_owned());
        }
        if login.password.is_none() {
            login.password = process::env_var("PGPASSWORD");
        }
        if login.database.is_empty() {
            login.database = match &target {
                Target::Server(_) => login.user.clone(),
                _ => "oxibase".to_owned(),
            };
        }
        let source = match target {
            Target::Directory(path) if checkpoint.is_some() => {
                if !Database::exists(&path) {
                    let message = format!("there is no database in \"{path}\"");
                    return Err(Error::new(SqlState::UNDEFINED_FILE, message));
                }
                let number = checkpoint.unwrap_or_default();
                Self::embed(Database::open_checkpoint(&path, number)?, &world)
            }
            Target::Memory | Target::Server(_) if checkpoint.is_some() => {
                return Err(Error::new(
                    SqlState::INVALID_PARAMETER_VALUE,
                    "--at opens a checkpoint of a directory",
                ));
            }
            Target::Memory => Self::embed(Database::memory()?, &world),
            Target::Directory(path) => Self::embed(Database::open(&path)?, &world),
            Target::Server(address) => Source::Remote(address),
        };
        Ok(Connector { source, login, world })
    }

    fn embed(database: Database, world: &World) -> Source {
        let rng = Arc::clone(&world.rng);
        let options = Options {
            max_connections: 100,
            authentication_timeout_us: 60_000_000,
            tls: None,
            random: Arc::new(move |bytes| rng.fill(bytes)),
        };
        Source::Embedded { server: Server::new(database.sessions().clone(), options), database }
    }

    /// Microseconds of a clock that only goes forward.
    pub(crate) fn now_us(&self) -> u64 {
        self.world.clock.monotonic_us()
    }

    /// A session.
    pub(crate) async fn connect(&self) -> Result<Client, Refusal> {
        let mut random = [0; 18];
        self.world.rng.fill(&mut random);
        let nonce = oxi_pgwire::scram::printable(&random);
        Client::connect(self.stream().await?, &self.login, &nonce).await
    }

    async fn stream(&self) -> Result<Box<dyn Transport>> {
        match &self.source {
            Source::Embedded { server, .. } => {
                let (ours, theirs) = tokio::io::duplex(PIPE);
                server.spawn(Stream::Local(theirs), None);
                Ok(Box::new(ours))
            }
            Source::Remote(address) => {
                Ok(Box::new(oxi_world::net::Stream::connect(address).await?))
            }
        }
    }

    /// Asks the server to cancel what a session runs.
    pub(crate) async fn cancel(&self, request: &[u8]) {
        // Nothing can be done when the request does not get through.
        if let Ok(mut stream) = self.stream().await {
            let _ = stream.write_all(request).await;
            let _ = stream.flush().await;
            let _ = stream.shutdown().await;
        }
    }

    /// Ends the embedded database; all is on disk afterwards.
    pub(crate) async fn close(self) -> Result<()> {
        if let Source::Embedded { server, database } = self.source {
            server.stop(5_000_000).await;
            database.close()?;
        }
        Ok(())
    }
}

/// Reads a target and what its URL says about the user.
pub(crate) fn parse(text: &str) -> Result<(Target, Login)> {
    let url = text.strip_prefix("postgres://").or_else(|| text.strip_prefix("postgresql://"));
    let Some(url) = url else {
        let target = match text {
            ":memory:" => Target::Memory,
            path => Target::Directory(path.to_owned()),
        };
        return Ok((target, Login::default()));
    };
    let (url, query) = url.split_once('?').unwrap_or((url, ""));
    if query.split('&').any(|pair| matches!(pair, "sslmode=require" | "sslmode=verify-full")) {
        return Err(Error::unsupported("the shell does not speak TLS yet")
            .with_hint("Use psql for servers that require it."));
    }
    let (place, database) = url.split_once('/').unwrap_or((url, ""));
    let (user, host) = place.rsplit_once('@').unwrap_or(("", place));
    let (user, password) = match user.split_once(':') {
        Some((user, password)) => (user, Some(decode(password)?)),
        None => (user, None),
    };
    let host = if host.is_empty() { "127.0.0.1" } else { host };
    // A colon within brackets belongs to an IPv6 address.
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| !port.contains(']'));
    let address = if has_port { host.to_owned() } else { format!("{host}:5432") };
    let login = Login { user: decode(user)?, password, database: decode(database)? };
    Ok((Target::Server(address), login))
}

/// Undoes the percent encoding of URLs.
fn decode(text: &str) -> Result<String> {
    let bad = || Error::new(SqlState::INVALID_PARAMETER_VALUE, format!("bad URL part: {text}"));
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte != b'%' {
            bytes.push(*byte);
            continue;
        }
        let digits = rest.get(..2).and_then(|d| std::str::from_utf8(d).ok()).ok_or_else(bad)?;
        bytes.push(u8::from_str_radix(digits, 16).map_err(|_| bad())?);
        rest = &rest[2..];
    }
    String::from_utf8(bytes).map_err(|_| bad())
}
