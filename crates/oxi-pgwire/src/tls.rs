//! Encryption: certificates in PEM form to an acceptor.

use std::sync::Arc;

use oxi_base::{Error, Result, SqlState};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

/// An acceptor from a certificate chain and its private key, both in PEM form.
///
/// # Errors
/// `22023` when either cannot be read or they do not belong together.
pub fn acceptor(certificates: &[u8], key: &[u8]) -> Result<TlsAcceptor> {
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(certificates)
        .collect::<Result<_, _>>()
        .map_err(|error| invalid(&format!("could not read the certificate: {error}")))?;
    if chain.is_empty() {
        return Err(invalid("the certificate file holds no certificate"));
    }
    let key = PrivateKeyDer::from_pem_slice(key)
        .map_err(|error| invalid(&format!("could not read the private key: {error}")))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(|error| invalid(&format!("could not set up TLS: {error}")))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn invalid(message: &str) -> Error {
    Error::new(SqlState::INVALID_PARAMETER_VALUE, message)
}
