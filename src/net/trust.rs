//! Which server is believed: as Go does (`crypto/x509`, `Verify`), where webpki is narrower.
//!
//! - A certificate that is itself among the authorities is believed, whoever has signed it and whether it may sign
//!   others or not. Its names, its time and its usage must be right.
//! - A server may show a certificate that could sign others (CA:TRUE), as openssl makes by default.
//! - An authority that has expired, or that may not sign others, has signed nothing.

use std::path::PathBuf;
use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use super::certificate::Certificate;
use super::provider::provider;

/// Certificates above the server's that are looked at, and signatures that are computed for that: a server must
/// not keep its client busy.
const DEPTH: usize = 8;
const SIGNATURES: usize = 64;

/// Those who are believed, and what they have signed.
#[derive(Debug)]
pub struct Authorities {
    certificates: Vec<CertificateDer<'static>>,
    /// None where none of them may sign anything.
    webpki: Option<Arc<WebPkiServerVerifier>>,
}

impl Authorities {
    /// Reads the certificates of a PEM text; what is no certificate in it is skipped, as Go does.
    ///
    /// # Errors
    /// Where there is none. The words are client-go's (`transport/transport.go`).
    pub fn read(pem: &[u8]) -> Result<Self, String> {
        let found: Vec<_> = CertificateDer::pem_slice_iter(pem).collect();
        if found.is_empty() {
            return Err("unable to parse bytes as PEM block".to_owned());
        }
        let certificates = found.into_iter().filter_map(Result::ok);
        Self::of(certificates).ok_or_else(|| "no valid certificate authority data seen".to_owned())
    }

    fn of(certificates: impl IntoIterator<Item = CertificateDer<'static>>) -> Option<Self> {
        let now = UnixTime::now();
        let mut roots = RootCertStore::empty();
        let mut kept = Vec::new();
        for certificate in certificates {
            let read = Certificate::read(&certificate);
            let signs = |read: &Certificate| read.may_sign() && read.check_time(now).is_ok();
            // webpki takes a few that are against the rules, such as with a serial number that is too long.
            let is_added = read.as_ref().is_none_or(signs) && roots.add(certificate.clone()).is_ok();
            if is_added || read.is_some() {
                kept.push(certificate);
            }
        }
        let webpki = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider()).build().ok();
        (!kept.is_empty()).then_some(Self { certificates: kept, webpki })
    }

    fn verify(
        &self,
        shown: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let is_known = self.certificates.iter().any(|known| known == shown);
        if !is_known {
            let Some(webpki) = &self.webpki else { return Err(CertificateError::UnknownIssuer.into()) };
            match webpki.verify_server_cert(shown, between, name, &[], now) {
                Err(error) if is_of_an_authority(&error) => {}
                verified => return verified,
            }
        }
        // webpki refuses critical extensions that it does not know.
        let parsed = ParsedCertificate::try_from(shown)?;
        let certificate = Certificate::read(shown).ok_or(CertificateError::BadEncoding)?;
        certificate.check_time(now)?;
        certificate.check_is_for_servers()?;
        if !is_known && !self.have_signed(&certificate, between, now) {
            return Err(CertificateError::UnknownIssuer.into());
        }
        // The name comes last, as in webpki: whoever knows the server by other means takes any.
        rustls::client::verify_server_name(&parsed, name)?;
        Ok(ServerCertVerified::assertion())
    }

    /// Whether a chain leads from `shown` to one of the authorities.
    fn have_signed(&self, shown: &Certificate, between: &[CertificateDer<'_>], now: UnixTime) -> bool {
        let read = |all: &[CertificateDer<'_>]| -> Vec<Certificate> {
            let usable = |certificate: &Certificate| {
                certificate.may_sign()
                    && certificate.check_time(now).is_ok()
                    && !certificate.constrains_names()
            };
            all.iter()
                // It refuses critical extensions that it does not know.
                .filter(|der| ParsedCertificate::try_from(*der).is_ok())
                .filter_map(Certificate::read)
                .filter(usable)
                .collect()
        };
        let chain = Chain { roots: read(&self.certificates), between: read(between) };
        let mut signatures = SIGNATURES;
        chain.leads_up(shown, 0, &mut signatures)
    }
}

/// What may stand above a certificate.
struct Chain {
    roots: Vec<Certificate>,
    between: Vec<Certificate>,
}

impl Chain {
    /// With `below` certificates below `certificate`, and `signatures` left to compute.
    fn leads_up(&self, certificate: &Certificate, below: usize, signatures: &mut usize) -> bool {
        let mut signed = |issuer: &Certificate| {
            let is_left = *signatures > 0;
            *signatures = signatures.saturating_sub(1);
            let provider = provider();
            is_left
                && issuer.may_have_below(below)
                && certificate.is_signed_by(issuer, provider.signature_verification_algorithms.all)
        };
        if self.roots.iter().any(&mut signed) {
            return true;
        }
        let above: Vec<&Certificate> = self.between.iter().filter(|issuer| signed(issuer)).collect();
        below < DEPTH && above.into_iter().any(|issuer| self.leads_up(issuer, below + 1, signatures))
    }
}

/// True where webpki finds nothing wrong but that the certificate could sign others.
fn is_of_an_authority(error: &Error) -> bool {
    let Error::InvalidCertificate(CertificateError::Other(other)) = error else { return false };
    matches!(other.0.downcast_ref::<webpki::Error>(), Some(webpki::Error::CaUsedAsEndEntity))
}

/// Believes those whom the system believes: on Linux the file of `SSL_CERT_FILE` and the directory of
/// `SSL_CERT_DIR`, else where the distribution has them; on Windows and macOS, what the user has chosen there.
///
/// # Errors
/// A sentence, where there is nobody to believe.
#[cfg(not(any(windows, target_vendor = "apple", target_os = "android")))]
pub fn of_system() -> Result<Arc<dyn ServerCertVerifier>, String> {
    match Authorities::of(rustls_native_certs::load_native_certs().certs) {
        Some(authorities) => Ok(Trust::new(authorities)),
        None => Err("no certificate authorities are installed on this machine".to_owned()),
    }
}

/// Believes those whom the system believes.
///
/// # Errors
/// A sentence, where they cannot be asked for.
#[cfg(any(windows, target_vendor = "apple", target_os = "android"))]
pub fn of_system() -> Result<Arc<dyn ServerCertVerifier>, String> {
    match rustls_platform_verifier::Verifier::new(provider()) {
        Ok(verifier) => Ok(Arc::new(verifier)),
        Err(_) => Err("the certificate authorities of this machine cannot be read".to_owned()),
    }
}

/// Where authorities come from.
#[derive(Debug)]
enum Source {
    Fixed(Arc<Authorities>),
    /// A file that is read again: a pod's authority changes while the pod runs.
    File {
        path: PathBuf,
        read: RwLock<(Arc<Authorities>, Instant)>,
    },
}

/// How long what a file said counts.
const AGAIN: Duration = Duration::from_secs(60);

/// Verifies servers for rustls.
#[derive(Debug)]
pub struct Trust(Source);

impl Trust {
    pub fn new(authorities: Authorities) -> Arc<Self> {
        Arc::new(Self(Source::Fixed(Arc::new(authorities))))
    }

    /// Reads the file at `path` now, and again a minute later when it is needed then; what it said last counts
    /// while it cannot be read.
    ///
    /// # Errors
    /// A sentence on why it cannot be used.
    pub fn in_file(path: PathBuf) -> Result<Arc<Self>, String> {
        let read = RwLock::new((Arc::new(in_file(&path)?), Instant::now()));
        Ok(Arc::new(Self(Source::File { path, read })))
    }

    fn authorities(&self) -> Arc<Authorities> {
        let (path, read) = match &self.0 {
            Source::Fixed(authorities) => return Arc::clone(authorities),
            Source::File { path, read } => (path, read),
        };
        let mut known = read.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        if known.1.elapsed() >= AGAIN {
            if let Ok(fresh) = in_file(path) {
                known.0 = Arc::new(fresh);
            }
            known.1 = Instant::now();
        }
        Arc::clone(&known.0)
    }
}

fn in_file(path: &PathBuf) -> Result<Authorities, String> {
    let pem = std::fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    Authorities::read(&pem)
}

impl ServerCertVerifier for Trust {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.authorities().verify(end_entity, intermediates, server_name, now)
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

/// Believes every server, for `insecure-skip-tls-verify`: also one whose key is too short to verify anything with.
#[derive(Debug)]
pub struct Anyone;

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let more =
            [SignatureScheme::RSA_PKCS1_SHA1, SignatureScheme::ECDSA_SHA1_Legacy, SignatureScheme::ED448];
        let known = provider().signature_verification_algorithms.supported_schemes();
        known.into_iter().chain(more).collect()
    }
}

#[cfg(test)]
mod tests;
