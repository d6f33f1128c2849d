//! TLS to REST: whom to believe, and who one is.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use rustls_platform_verifier::Verifier;
use tokio_rustls::TlsConnector;

use super::RestError;
use super::connection::Stream;

/// The texts of PEM files.
#[derive(Clone, Debug, Default)]
pub struct Pem {
    /// Certificates to believe.
    pub authority: Option<Vec<u8>>,
    /// One's own certificate and its key, for REST that asks for one
    /// (`security.ssl.rest.authentication-enabled`).
    pub identity: Option<(Vec<u8>, Vec<u8>)>,
}

/// What must be right about a server's certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// That somebody believed has made it out to the host that was asked for.
    Host,
    /// That somebody believed has made it, whatever the name in it: the API server itself has brought
    /// us to the pod, under a name that no certificate has. Without an authority that is enough.
    Pod,
}

/// How to speak TLS.
#[derive(Clone)]
pub struct Tls(TlsConnector);

#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("{what} holds no PEM {item}: {why}")]
    Pem { what: &'static str, item: &'static str, why: String },
    #[error("{0}")]
    Config(String),
}

impl Tls {
    pub fn new(pem: &Pem, check: Check) -> Result<Self, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let config = |error: Error| TlsError::Config(error.to_string());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(config)?
            .dangerous()
            .with_custom_certificate_verifier(verifier(pem, check, provider)?);
        let client = match &pem.identity {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| TlsError::Pem {
                    what: "the client's key",
                    item: "private key",
                    why: error.to_string(),
                })?;
                builder
                    .with_client_auth_cert(certificates(certificate, "the client's certificate")?, key)
                    .map_err(config)?
            }
        };
        Ok(Self(TlsConnector::from(Arc::new(client))))
    }

    /// Speaks TLS over `stream` to `host`, a name or an address.
    pub async fn over(&self, stream: Box<dyn Stream>, host: &str) -> Result<Box<dyn Stream>, RestError> {
        let name = ServerName::try_from(host.to_owned()).map_err(|_| {
            RestError::Unreachable(format!("{host:?} is no name that a certificate could have"))
        })?;
        let stream = self.0.connect(name, stream).await;
        // Nothing has been asked for before the handshake is done.
        let stream = stream.map_err(|error| RestError::Unreachable(format!("TLS with {host}: {error}")))?;
        Ok(Box::new(stream))
    }
}

fn certificates(pem: &[u8], what: &'static str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let wrong = |why: String| TlsError::Pem { what, item: "certificate", why };
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match read {
        Ok(none) if none.is_empty() => Err(wrong("there is none in it".to_owned())),
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(wrong(error.to_string())),
    }
}

fn verifier(
    pem: &Pem,
    check: Check,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, TlsError> {
    let config = |error: &dyn std::fmt::Display| TlsError::Config(error.to_string());
    let believed = match &pem.authority {
        None => None,
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(authority, "the certificate authority")? {
                roots.add(certificate).map_err(|error| config(&error))?;
            }
            let built =
                WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build();
            Some(built.map_err(|error| config(&error))?)
        }
    };
    Ok(match (believed, check) {
        (Some(believed), Check::Host) => believed,
        (None, Check::Host) => Arc::new(Verifier::new(provider).map_err(|error| config(&error))?),
        (believed, Check::Pod) => Arc::new(AnyName { believed, provider }),
    })
}

/// Believes a certificate whatever name it has, and whoever made it when nobody is named.
#[derive(Debug)]
struct AnyName {
    believed: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(believed) = &self.believed else { return Ok(ServerCertVerified::assertion()) };
        match believed.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            // The name is looked at last: all else was right.
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_a_certificate_is_named() {
        let pem = Pem { authority: Some(b"-----BEGIN NOTHING-----".to_vec()), identity: None };
        let error = Tls::new(&pem, Check::Host).err().expect("error").to_string();
        assert!(error.starts_with("the certificate authority holds no PEM certificate: "), "{error}");
        let pem = Pem { authority: None, identity: Some((Vec::new(), Vec::new())) };
        let error = Tls::new(&pem, Check::Pod).err().expect("error").to_string();
        assert!(error.starts_with("the client's key holds no PEM private key: "), "{error}");
    }
}
