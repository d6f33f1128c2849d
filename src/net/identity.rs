//! A client's own certificate and its key.

use std::sync::{Arc, PoisonError, RwLock};

use rustls::client::ResolvesClientCert;
use rustls::pki_types::pem::{PemObject, SectionKind};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys, SignatureScheme};

use super::provider::provider;

/// Reads a certificate, with what stands between it and its authority, and its key from PEM texts.
///
/// # Errors
/// A sentence on what is wrong. No part of the texts is in it.
pub fn identity(certificate: &[u8], key: &[u8]) -> Result<Arc<CertifiedKey>, String> {
    let chain = certificates(certificate).map_err(|why| format!("the client certificate {why}"))?;
    let key = private_key(key).map_err(|why| format!("the client key {why}"))?;
    match CertifiedKey::from_der(chain, key, &provider()) {
        Ok(identity) => Ok(Arc::new(identity)),
        Err(Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
            Err("tls: private key does not match public key".to_owned())
        }
        Err(Error::InvalidCertificate(_)) => Err("the client certificate cannot be read".to_owned()),
        // RSA is the only kind of key that comes in sizes which ring refuses.
        Err(_) => {
            Err("the client key is of a kind that is not supported: supported are RSA of 2048 to 8192 bits, \
                       the curves P-256, P-384 and P-521, and Ed25519"
                .to_owned())
        }
    }
}

/// The certificates of a PEM text, at least one. The words of an error follow what the text is.
///
/// # Errors
/// Without any, and for a broken one.
pub fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, &'static str> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match read {
        Ok(none) if none.is_empty() => Err("holds no PEM certificate"),
        Ok(certificates) => Ok(certificates),
        Err(_) => Err("holds no PEM certificate that can be read"),
    }
}

/// The first private key of a PEM text. Parameters of a curve, as openssl writes them in front, are passed over.
///
/// # Errors
/// Without any, and for one that needs a password.
pub fn private_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, &'static str> {
    let is_locked = [&b"BEGIN ENCRYPTED PRIVATE KEY"[..], b"Proc-Type: 4,ENCRYPTED"]
        .iter()
        .any(|mark| pem.windows(mark.len()).any(|part| part == *mark));
    if is_locked {
        return Err("needs a password, which is not supported");
    }
    let keys = <(SectionKind, Vec<u8>)>::pem_slice_iter(pem).filter_map(Result::ok);
    let key = |(kind, der): (SectionKind, Vec<u8>)| match kind {
        SectionKind::PrivateKey => Some(PrivateKeyDer::Pkcs8(der.into())),
        SectionKind::RsaPrivateKey => Some(PrivateKeyDer::Pkcs1(der.into())),
        SectionKind::EcPrivateKey => Some(PrivateKeyDer::Sec1(der.into())),
        _ => None,
    };
    keys.into_iter().find_map(key).ok_or("holds no PEM private key")
}

/// Shows a certificate to servers that ask for one. It may be replaced while the program runs.
#[derive(Debug, Default)]
pub struct Shown(RwLock<Option<Arc<CertifiedKey>>>);

impl Shown {
    pub fn new(identity: Option<Arc<CertifiedKey>>) -> Self {
        Self(RwLock::new(identity))
    }

    /// Counts for connections that are made from here on.
    pub fn replace(&self, identity: Option<Arc<CertifiedKey>>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = identity;
    }
}

impl ResolvesClientCert for Shown {
    fn resolve(&self, _authorities: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn has_certs(&self) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).is_some()
    }
}
