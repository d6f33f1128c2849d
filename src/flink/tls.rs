//! TLS to REST: whom to believe, and who one is.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use tokio_rustls::TlsConnector;

use super::RestError;
use super::connection::Stream;
use crate::net::identity::{Shown, certificates, identity, private_key};
use crate::net::trust::{Authorities, Trust, of_system};
use crate::net::{fault, provider};

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
#[error("{0}")]
pub struct TlsError(String);

impl Tls {
    pub fn new(pem: &Pem, check: Check) -> Result<Self, TlsError> {
        let builder = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|_| TlsError("no version of TLS is available".to_owned()))?
            .dangerous()
            .with_custom_certificate_verifier(verifier(pem, check)?);
        let shown = pem.identity.as_ref().map(|(certificate, key)| shown(certificate, key)).transpose()?;
        let client = builder.with_client_cert_resolver(Arc::new(shown.unwrap_or_default()));
        Ok(Self(TlsConnector::from(Arc::new(client))))
    }

    /// Speaks TLS over `stream` to `host`, a name or an address.
    pub async fn over(&self, stream: Box<dyn Stream>, host: &str) -> Result<Box<dyn Stream>, RestError> {
        let name = ServerName::try_from(host.to_owned()).map_err(|_| {
            RestError::Unreachable(format!("{host:?} is no name that a certificate could have"))
        })?;
        let stream = self.0.connect(name, stream).await;
        // Nothing has been asked for before the handshake is done.
        let stream = stream.map_err(|error| RestError::Unreachable(fault(&error, host).in_words(host)))?;
        Ok(Box::new(stream))
    }
}

/// The texts are those of two files: each error says which.
fn shown(certificate: &[u8], key: &[u8]) -> Result<Shown, TlsError> {
    private_key(key).map_err(|why| TlsError(format!("the client's key {why}")))?;
    certificates(certificate).map_err(|why| TlsError(format!("the client's certificate {why}")))?;
    identity(certificate, key).map(|identity| Shown::new(Some(identity))).map_err(TlsError)
}

fn verifier(pem: &Pem, check: Check) -> Result<Arc<dyn ServerCertVerifier>, TlsError> {
    let believed = match &pem.authority {
        None => None,
        Some(authority) => {
            let wrong = |why: &str| TlsError(format!("the certificate authority {why}"));
            certificates(authority).map_err(wrong)?;
            let read = Authorities::read(authority);
            Some(Trust::new(read.map_err(|_| wrong("holds no PEM certificate that can be read"))?))
        }
    };
    Ok(match (believed, check) {
        (Some(believed), Check::Host) => believed,
        (None, Check::Host) => of_system().map_err(TlsError)?,
        (believed, Check::Pod) => Arc::new(AnyName { believed }),
    })
}

/// Believes a certificate whatever name it has, and whoever made it when nobody is named.
#[derive(Debug)]
struct AnyName {
    believed: Option<Arc<Trust>>,
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
        let algorithms = &provider().signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &provider().signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_a_certificate_is_named() {
        let pem = Pem { authority: Some(b"-----BEGIN NOTHING-----".to_vec()), identity: None };
        let error = Tls::new(&pem, Check::Host).err().expect("error").to_string();
        assert!(error.starts_with("the certificate authority holds no PEM certificate"), "{error}");
        let pem = Pem { authority: None, identity: Some((Vec::new(), Vec::new())) };
        let error = Tls::new(&pem, Check::Pod).err().expect("error").to_string();
        assert_eq!(error, "the client's key holds no PEM private key");
    }

    /// What a server that shows `own` is to a client with `pem`.
    async fn shaken(
        own: &rcgen::Certificate,
        key: &rcgen::KeyPair,
        pem: Pem,
        host: &str,
    ) -> Result<(), String> {
        use rustls::pki_types::PrivateKeyDer;
        let config = rustls::ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .expect("TLS")
            .with_no_client_auth()
            .with_single_cert(vec![own.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
            .expect("server");
        let (here, there) = tokio::io::duplex(1 << 16);
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        let server = tokio::spawn(async move { acceptor.accept(there).await.map(drop) });
        let tls = Tls::new(&pem, Check::Host).map_err(|error| error.to_string())?;
        let over = tls.over(Box::new(here), host).await;
        drop(server);
        over.map(drop).map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn an_address_may_vouch_for_itself() {
        let key = rcgen::KeyPair::generate().expect("key");
        let mut params = rcgen::CertificateParams::new(["flink.test".to_owned()]).expect("names");
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let own = params.self_signed(&key).expect("certificate");
        let other = params.self_signed(&rcgen::KeyPair::generate().expect("key")).expect("certificate");
        let believing = |certificate: &rcgen::Certificate| Pem {
            authority: Some(certificate.pem().into_bytes()),
            identity: None,
        };
        assert_eq!(shaken(&own, &key, believing(&own), "flink.test").await, Ok(()));
        let refused = shaken(&own, &key, believing(&own), "other.test").await.expect_err("another name");
        assert!(refused.contains("x509: certificate is valid for flink.test, not other.test"), "{refused}");
        let refused = shaken(&own, &key, believing(&other), "flink.test").await.expect_err("another key");
        assert!(refused.contains("x509: certificate signed by unknown authority"), "{refused}");
    }
}
