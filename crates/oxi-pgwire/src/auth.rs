//! Who may come in: trust, or proof of a password by SCRAM-SHA-256.

use std::collections::BTreeMap;

use oxi_base::{Error, Result, SqlState};
use oxi_session::Authentication;

use crate::connection::Failure;
use crate::encode::{c_string, message};
use crate::frame::{self, Body};
use crate::scram::{self, ServerExchange, Verifier};
use crate::server::{Random, Server};
use crate::wire::Wire;

/// What a server asks of its clients.
pub(crate) enum Policy {
    /// Everybody is who they say they are.
    Trust,
    /// A password: the verifiers by user name.
    Scram(BTreeMap<String, Verifier>),
}

impl Policy {
    /// The policy for a database's users. A password may be given as its verifier.
    pub(crate) fn new(authentication: &Authentication, random: &Random) -> Self {
        let Authentication::Scram(passwords) = authentication else {
            return Policy::Trust;
        };
        let verifier = |(user, password): (&String, &String)| {
            let verifier = Verifier::parse(password).unwrap_or_else(|| {
                let mut salt = [0; 16];
                random(&mut salt);
                Verifier::new(password, &salt, scram::ITERATIONS)
            });
            (user.clone(), verifier)
        };
        Policy::Scram(passwords.iter().map(verifier).collect())
    }
}

/// Lets the client in or ends with the error to show.
pub(crate) async fn authenticate(
    wire: &mut Wire,
    server: &Server,
    user: &str,
) -> Result<(), Failure> {
    if let Policy::Scram(verifiers) = server.policy() {
        let verifier = verifiers.get(user).cloned();
        prove(wire, verifier, &server.options().random, user).await?;
    }
    welcome(wire);
    Ok(())
}

/// `AuthenticationOk`.
pub(crate) fn welcome(wire: &mut Wire) {
    message(&mut wire.output, b'R', |out| out.extend_from_slice(&0u32.to_be_bytes()));
}

async fn prove(
    wire: &mut Wire,
    verifier: Option<Verifier>,
    random: &Random,
    user: &str,
) -> Result<(), Failure> {
    message(&mut wire.output, b'R', |out| {
        out.extend_from_slice(&10u32.to_be_bytes());
        c_string(out, scram::MECHANISM);
        out.push(0);
    });
    let mut bytes = [0u8; 34];
    random(&mut bytes);
    let known = verifier.is_some();
    // An unknown user goes through the same motions with a password nobody has.
    let verifier = verifier.unwrap_or_else(|| Verifier {
        iterations: scram::ITERATIONS,
        salt: scram::hmac(b"salt of nobody", user.as_bytes())[..16].to_vec(),
        stored_key: scram::hmac(&bytes, b"stored key"),
        server_key: scram::hmac(&bytes, b"server key"),
    });

    let first = password(wire).await?;
    let first = client_first(&first).map_err(Failure::Fatal)?;
    let nonce = scram::printable(&bytes[..18]);
    let exchange = ServerExchange::start(verifier, &first, &nonce).map_err(Failure::Fatal)?;
    message(&mut wire.output, b'R', |out| {
        out.extend_from_slice(&11u32.to_be_bytes());
        out.extend_from_slice(exchange.first_message().as_bytes());
    });

    let last = password(wire).await?;
    let last = frame::utf8(&last).map_err(Failure::Fatal)?;
    match exchange.finish(last).map_err(Failure::Fatal)? {
        Some(signature) if known => {
            message(&mut wire.output, b'R', |out| {
                out.extend_from_slice(&12u32.to_be_bytes());
                out.extend_from_slice(signature.as_bytes());
            });
            Ok(())
        }
        _ => Err(Failure::Fatal(Error::new(
            SqlState::INVALID_PASSWORD,
            format!("password authentication failed for user \"{user}\""),
        ))),
    }
}

/// The body of the next password message.
async fn password(wire: &mut Wire) -> Result<Vec<u8>, Failure> {
    match wire.frame(frame::password_limit).await? {
        Ok(frame) => Ok(wire.body(frame).to_vec()),
        Err(error) => Err(Failure::Fatal(error)),
    }
}

/// The SCRAM message within `SASLInitialResponse`.
fn client_first(body: &[u8]) -> Result<String> {
    let mut body = Body::new(body);
    let mechanism = body.text()?;
    if mechanism != scram::MECHANISM {
        return Err(Error::new(
            SqlState::PROTOCOL_VIOLATION,
            "client selected an invalid SASL authentication mechanism",
        ));
    }
    let length = usize::try_from(body.i32()?).map_err(|_| frame::malformed())?;
    let text = frame::utf8(body.bytes(length)?)?.to_owned();
    body.end()?;
    Ok(text)
}
