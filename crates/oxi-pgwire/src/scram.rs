//! SCRAM-SHA-256 (RFC 5802, RFC 7677): both sides, without channel binding.

#[cfg(test)]
mod tests;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use oxi_base::{Error, Result, SqlState};
use sha2::{Digest, Sha256};

/// The mechanism's name on the wire.
pub const MECHANISM: &str = "SCRAM-SHA-256";
/// PostgreSQL's number of iterations.
pub const ITERATIONS: u32 = 4096;

/// What the server stores instead of a password.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Verifier {
    /// Rounds of the password hash.
    pub iterations: u32,
    /// Salt of the password hash.
    pub salt: Vec<u8>,
    /// The hash of the client's key.
    pub stored_key: [u8; 32],
    /// The server's key.
    pub server_key: [u8; 32],
}

impl Verifier {
    /// The verifier of a password.
    pub fn new(password: &str, salt: &[u8], iterations: u32) -> Self {
        let salted = salted_password(password, salt, iterations);
        Verifier {
            iterations,
            salt: salt.to_vec(),
            stored_key: sha256(&hmac(&salted, b"Client Key")),
            server_key: hmac(&salted, b"Server Key"),
        }
    }

    /// Reads the form `SCRAM-SHA-256$iterations:salt$stored key:server key`.
    pub fn parse(text: &str) -> Option<Self> {
        let (parameters, keys) = text.strip_prefix("SCRAM-SHA-256$")?.split_once('$')?;
        let (iterations, salt) = parameters.split_once(':')?;
        let (stored_key, server_key) = keys.split_once(':')?;
        Some(Verifier {
            iterations: iterations.parse().ok().filter(|count| *count > 0)?,
            salt: STANDARD.decode(salt).ok()?,
            stored_key: STANDARD.decode(stored_key).ok()?.try_into().ok()?,
            server_key: STANDARD.decode(server_key).ok()?.try_into().ok()?,
        })
    }
}

impl std::fmt::Display for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "SCRAM-SHA-256${}:{}${}:{}",
            self.iterations,
            STANDARD.encode(&self.salt),
            STANDARD.encode(self.stored_key),
            STANDARD.encode(self.server_key)
        )
    }
}

/// The server's side of one exchange.
pub struct ServerExchange {
    verifier: Verifier,
    nonce: String,
    first: String,
    client_first_bare: String,
    header: String,
}

impl ServerExchange {
    /// Takes the client's first message; `server_nonce` must be printable and fresh.
    ///
    /// # Errors
    /// `08P01` when the message is malformed.
    pub fn start(verifier: Verifier, client_first: &str, server_nonce: &str) -> Result<Self> {
        let (header, bare) = match client_first.as_bytes().first() {
            Some(b'n' | b'y') => split_header(client_first),
            Some(b'p') => {
                return Err(malformed_with(
                    "The client selected SCRAM-SHA-256 without channel binding, but the SCRAM \
                     message includes channel binding data.",
                ));
            }
            _ => None,
        }
        .ok_or_else(malformed)?;
        let client_nonce = bare
            .split(',')
            .find_map(|attribute| attribute.strip_prefix("r="))
            .filter(|nonce| !nonce.is_empty())
            .ok_or_else(malformed)?;
        let nonce = format!("{client_nonce}{server_nonce}");
        let first =
            format!("r={nonce},s={},i={}", STANDARD.encode(&verifier.salt), verifier.iterations);
        Ok(ServerExchange {
            verifier,
            nonce,
            first,
            client_first_bare: bare.to_owned(),
            header: header.to_owned(),
        })
    }

    /// The server's first message.
    pub fn first_message(&self) -> &str {
        &self.first
    }

    /// Checks the client's final message. `None`: the password is not right.
    ///
    /// # Errors
    /// `08P01` when the message is malformed.
    pub fn finish(&self, client_final: &str) -> Result<Option<String>> {
        let (without_proof, proof) = client_final.rsplit_once(",p=").ok_or_else(malformed)?;
        let proof: [u8; 32] = STANDARD
            .decode(proof)
            .ok()
            .and_then(|proof| proof.try_into().ok())
            .ok_or_else(malformed)?;
        let mut attributes = without_proof.split(',');
        let binding = attributes.next().and_then(|a| a.strip_prefix("c="));
        if binding != Some(STANDARD.encode(&self.header).as_str()) {
            return Err(malformed());
        }
        if attributes.next().and_then(|a| a.strip_prefix("r=")) != Some(&self.nonce) {
            return Err(malformed_with("Nonce does not match."));
        }
        let message = format!("{},{},{without_proof}", self.client_first_bare, self.first);
        let signature = hmac(&self.verifier.stored_key, message.as_bytes());
        let client_key = xor(proof, signature);
        if !equal(&sha256(&client_key), &self.verifier.stored_key) {
            return Ok(None);
        }
        let signature = hmac(&self.verifier.server_key, message.as_bytes());
        Ok(Some(format!("v={}", STANDARD.encode(signature))))
    }
}

/// The client's side of one exchange.
pub struct ClientExchange {
    password: String,
    first_bare: String,
    nonce: String,
    expected: Option<[u8; 32]>,
}

impl ClientExchange {
    /// Starts an exchange; `nonce` must be printable and fresh.
    pub fn new(password: &str, nonce: &str) -> Self {
        ClientExchange {
            password: password.to_owned(),
            first_bare: format!("n=,r={nonce}"),
            nonce: nonce.to_owned(),
            expected: None,
        }
    }

    /// The client's first message.
    pub fn first_message(&self) -> String {
        format!("n,,{}", self.first_bare)
    }

    /// Answers the server's first message.
    ///
    /// # Errors
    /// `08P01` when the server's message is malformed.
    pub fn answer(&mut self, server_first: &str) -> Result<String> {
        let attribute = |name: &str| {
            server_first.split(',').find_map(|a| a.strip_prefix(name)).ok_or_else(malformed)
        };
        let nonce = attribute("r=")?;
        if !nonce.starts_with(&self.nonce) || nonce.len() == self.nonce.len() {
            return Err(malformed_with("Nonce does not match."));
        }
        let salt = STANDARD.decode(attribute("s=")?).map_err(|_| malformed())?;
        let iterations = attribute("i=")?.parse().map_err(|_| malformed())?;
        let salted = salted_password(&self.password, &salt, iterations);
        let without_proof = format!("c=biws,r={nonce}");
        let message = format!("{},{server_first},{without_proof}", self.first_bare);
        let client_key = hmac(&salted, b"Client Key");
        let signature = hmac(&sha256(&client_key), message.as_bytes());
        let server_key = hmac(&salted, b"Server Key");
        self.expected = Some(hmac(&server_key, message.as_bytes()));
        Ok(format!("{without_proof},p={}", STANDARD.encode(xor(client_key, signature))))
    }

    /// Whether the server's final message proves that it knows the password too.
    pub fn verify(&self, server_final: &str) -> bool {
        let signature = server_final.strip_prefix("v=").and_then(|v| STANDARD.decode(v).ok());
        match (signature, &self.expected) {
            (Some(signature), Some(expected)) => equal(&signature, expected),
            _ => false,
        }
    }
}

/// Printable text of random bytes, for a nonce.
pub fn printable(random: &[u8]) -> String {
    STANDARD.encode(random)
}

/// HMAC with SHA-256.
pub fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut block = [0u8; 64];
    if key.len() > block.len() {
        block[..32].copy_from_slice(&sha256(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let inner =
        Sha256::new().chain_update(block.map(|byte| byte ^ 0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(block.map(|byte| byte ^ 0x5c)).chain_update(inner).finalize().into()
}

fn salted_password(password: &str, salt: &[u8], iterations: u32) -> [u8; 32] {
    let mut seed = salt.to_vec();
    seed.extend_from_slice(&1u32.to_be_bytes());
    let mut round = hmac(password.as_bytes(), &seed);
    let mut result = round;
    for _ in 1..iterations {
        round = hmac(password.as_bytes(), &round);
        result = xor(result, round);
    }
    result
}

fn split_header(message: &str) -> Option<(&str, &str)> {
    let second_comma = message.match_indices(',').nth(1)?.0;
    Some(message.split_at(second_comma + 1))
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

fn xor(mut left: [u8; 32], right: [u8; 32]) -> [u8; 32] {
    for (byte, other) in left.iter_mut().zip(right) {
        *byte ^= other;
    }
    left
}

/// Compares without telling by time where the difference is.
fn equal(left: &[u8], right: &[u8]) -> bool {
    left.len() == right.len() && left.iter().zip(right).fold(0, |acc, (l, r)| acc | (l ^ r)) == 0
}

fn malformed() -> Error {
    Error::new(SqlState::PROTOCOL_VIOLATION, "malformed SCRAM message")
}

fn malformed_with(detail: &str) -> Error {
    malformed().with_detail(detail)
}
