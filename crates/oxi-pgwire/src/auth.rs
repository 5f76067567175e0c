//! Who may come in: trust, or proof of a password by SCRAM-SHA-256.

use std::net::SocketAddr;
use std::sync::Arc;

use oxi_base::{Error, Result, SqlState};

use crate::connection::Failure;
use crate::encode::{c_string, message};
use crate::frame::{self, Body};
use crate::scram::{self, ServerExchange, Verifier};
use crate::wire::Wire;

/// What a server asks of its clients.
#[derive(Clone)]
pub enum Policy {
    /// Everybody is who they say they are.
    Trust,
    /// A password: the verifiers by user name.
    Scram(Arc<dyn Fn(&str) -> Option<Verifier> + Send + Sync>),
}

impl Policy {
    /// Whether anybody can come in unchecked.
    pub fn is_trust(&self) -> bool {
        matches!(self, Policy::Trust)
    }
}

/// Lets the client in or ends with the error to show. `peer` is `None` within the process.
pub(crate) async fn authenticate(
    wire: &mut Wire,
    policy: &Policy,
    random: &(dyn Fn(&mut [u8]) + Send + Sync),
    user: &str,
    peer: Option<SocketAddr>,
) -> Result<(), Failure> {
    match policy {
        Policy::Scram(verifiers) if peer.is_some() => {
            let verifier = verifiers(user);
            prove(wire, verifier, random, user).await?;
        }
        _ => {}
    }
    message(&mut wire.output, b'R', |out| out.extend_from_slice(&0u32.to_be_bytes()));
    Ok(())
}

async fn prove(
    wire: &mut Wire,
    verifier: Option<Verifier>,
    random: &(dyn Fn(&mut [u8]) + Send + Sync),
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
