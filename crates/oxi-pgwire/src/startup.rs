//! From the first packet to the first `ReadyForQuery`.

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::Arc;

use oxi_base::{Error, Result, SqlState};
use oxi_session::{CancelTarget, ConnectOptions, Session};

use crate::auth;
use crate::connection::Failure;
use crate::encode::{c_string, message, parameter_status};
use crate::error::notice_response;
use crate::frame::Body;
use crate::server::Server;
use crate::wire::{Stream, Wire};

const CANCEL: u32 = 80_877_102;
const TLS: u32 = 80_877_103;
const GSS: u32 = 80_877_104;
/// The longest startup packet, as in PostgreSQL.
const LONGEST: usize = 10_000;

/// What the client says about itself.
#[derive(Debug, Default, PartialEq, Eq)]
struct Hello {
    user: String,
    database: String,
    /// Run-time parameters to set, in the client's order.
    settings: Vec<(String, String)>,
    /// Protocol extensions we do not know.
    unknown: Vec<String>,
    minor: u16,
}

/// Negotiates, authenticates and greets. `None`: there is nobody to serve.
pub(crate) async fn start(
    server: &Arc<Server>,
    wire: &mut Wire,
    peer: Option<SocketAddr>,
) -> Result<Option<Session>, Failure> {
    let Some(hello) = negotiate(server, wire).await? else {
        return Ok(None);
    };
    if hello.minor > 0 || !hello.unknown.is_empty() {
        message(&mut wire.output, b'v', |out| {
            out.extend_from_slice(&0u32.to_be_bytes());
            out.extend_from_slice(&(hello.unknown.len() as u32).to_be_bytes());
            for option in &hello.unknown {
                c_string(out, option);
            }
        });
    }
    if wire.stopping() {
        return Err(Failure::Fatal(Error::new(
            SqlState::CANNOT_CONNECT_NOW,
            "the database system is shutting down",
        )));
    }
    server.admit().map_err(Failure::Fatal)?;
    if peer.is_some() {
        auth::authenticate(wire, server, &hello.user).await?;
    } else {
        auth::welcome(wire);
    }

    let mut session = server
        .database()
        .connect(ConnectOptions {
            user: hello.user,
            database: hello.database,
            client: peer.map_or_else(|| "local".to_owned(), |peer| peer.to_string()),
            settings: hello.settings,
        })
        .map_err(Failure::Fatal)?;
    greet(wire, &mut session);
    Ok(Some(session))
}

/// Parameters, the key for cancel requests, and the first prompt.
fn greet(wire: &mut Wire, session: &mut Session) {
    // Changes made so far are part of what is sent now.
    session.take_parameter_changes();
    for (name, value) in session.startup_parameters() {
        parameter_status(&mut wire.output, &name, &value);
    }
    message(&mut wire.output, b'K', |out| {
        out.extend_from_slice(&session.backend_id().to_be_bytes());
        out.extend_from_slice(&session.secret());
    });
    for notice in session.take_notices() {
        notice_response(&mut wire.output, &notice);
    }
    wire.output.extend_from_slice(&[b'Z', 0, 0, 0, 5, b'I']);
}

/// Answers encryption and cancel requests until the startup message comes.
async fn negotiate(server: &Arc<Server>, wire: &mut Wire) -> Result<Option<Hello>, Failure> {
    loop {
        let Some(packet) = packet(wire).await? else {
            return Ok(None);
        };
        let mut body = Body::new(&packet);
        let code = body.i32().map_err(Failure::Fatal)? as u32;
        match code {
            CANCEL => {
                if let (Ok(backend), Ok(secret)) = (body.i32(), body.rest().try_into()) {
                    let target = CancelTarget { backend_id: backend as u32, secret };
                    server.database().cancel(target);
                }
                return Ok(None);
            }
            GSS => reply(wire, b'N').await?,
            TLS => match &server.options().tls {
                Some(acceptor) if matches!(wire.stream, Stream::Tcp(_)) => {
                    let acceptor = acceptor.clone();
                    if !wire.unread().is_empty() {
                        return Err(unencrypted_data());
                    }
                    reply(wire, b'S').await?;
                    let Stream::Tcp(plain) = std::mem::replace(&mut wire.stream, Stream::Closed)
                    else {
                        return Ok(None);
                    };
                    match acceptor.accept(plain).await {
                        Ok(stream) => wire.stream = Stream::Tls(Box::new(stream)),
                        Err(error) => {
                            tracing::info!(%error, "could not accept an encrypted connection");
                            return Ok(None);
                        }
                    }
                }
                _ => reply(wire, b'N').await?,
            },
            _ => return hello(code, body).map(Some).map_err(Failure::Fatal),
        }
    }
}

async fn reply(wire: &mut Wire, answer: u8) -> Result<(), Failure> {
    wire.output.push(answer);
    Ok(wire.flush().await?)
}

fn unencrypted_data() -> Failure {
    Failure::Fatal(
        Error::new(SqlState::PROTOCOL_VIOLATION, "received unencrypted data after SSL request")
            .with_detail(
                "This could be either a client-software bug or evidence of an attempted \
             man-in-the-middle attack.",
            ),
    )
}

/// The next packet without its length; `None` when the client left before the first byte.
async fn packet(wire: &mut Wire) -> Result<Option<Vec<u8>>, Failure> {
    loop {
        let unread = wire.unread();
        if let Some(length) = unread.get(..4) {
            let length = u32::from_be_bytes([length[0], length[1], length[2], length[3]]) as usize;
            if !(8..=LONGEST).contains(&length) {
                return Err(Failure::Fatal(Error::new(
                    SqlState::PROTOCOL_VIOLATION,
                    "invalid length of startup packet",
                )));
            }
            if let Some(packet) = unread.get(4..length) {
                let packet = packet.to_vec();
                wire.consume(length);
                return Ok(Some(packet));
            }
        }
        if wire.fill().await.is_err() && !wire.stopping() {
            return Ok(None);
        }
        if wire.stopping() {
            return Err(Failure::Fatal(Error::new(
                SqlState::CANNOT_CONNECT_NOW,
                "the database system is shutting down",
            )));
        }
    }
}

/// Reads the startup message.
fn hello(version: u32, mut body: Body<'_>) -> Result<Hello> {
    let (major, minor) = ((version >> 16) as u16, version as u16);
    if major != 3 {
        return Err(Error::unsupported(format!(
            "unsupported frontend protocol {major}.{minor}: server supports 3.0 to 3.0"
        )));
    }
    let mut hello = Hello { minor, ..Hello::default() };
    loop {
        let name = body.text().map_err(layout)?;
        if name.is_empty() {
            break;
        }
        let value = body.text().map_err(layout)?;
        match name {
            "user" => value.clone_into(&mut hello.user),
            "database" => value.clone_into(&mut hello.database),
            "options" => hello.settings.extend(options(value)?),
            "replication" => {
                if !matches!(value, "false" | "off" | "no" | "0") {
                    return Err(Error::unsupported("replication connections are not supported"));
                }
            }
            name if name.starts_with("_pq_.") => hello.unknown.push(name.to_owned()),
            name => hello.settings.push((name.to_owned(), value.to_owned())),
        }
    }
    body.end().map_err(layout)?;
    if hello.user.is_empty() {
        return Err(Error::new(
            SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
            "no PostgreSQL user name specified in startup packet",
        ));
    }
    if hello.database.is_empty() {
        hello.database = hello.user.clone();
    }
    Ok(hello)
}

/// Keeps the complaint about bad characters; any other is about the packet's layout.
fn layout(error: Error) -> Error {
    if error.code() == SqlState::CHARACTER_NOT_IN_REPERTOIRE {
        return error;
    }
    Error::new(
        SqlState::PROTOCOL_VIOLATION,
        "invalid startup packet layout: expected terminator as last byte",
    )
}

/// The settings within `options`: `-c name=value` and `--name=value`, with `\` before spaces.
fn options(text: &str) -> Result<Vec<(String, String)>> {
    let mut words = vec![];
    let mut word = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => word.extend(chars.next()),
            c if c.is_ascii_whitespace() => words.push(std::mem::take(&mut word)),
            c => word.push(c),
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());

    let mut settings = vec![];
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        let setting = match word.strip_prefix("-c").or_else(|| word.strip_prefix("--")) {
            Some("") => words.next(),
            Some(rest) => Some(rest.to_owned()),
            None => None,
        };
        let Some((name, value)) = setting.as_deref().and_then(|s| s.split_once('=')) else {
            return Err(Error::new(
                SqlState::SYNTAX_ERROR,
                format!("invalid command-line argument for server process: {word}"),
            ));
        };
        settings.push((name.replace('-', "_"), value.to_owned()));
    }
    Ok(settings)
}
