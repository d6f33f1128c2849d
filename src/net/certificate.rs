//! What a certificate says of itself, as far as webpki does not ask it the way Go does.

use rustls::pki_types::{AlgorithmIdentifier, CertificateDer, SignatureVerificationAlgorithm, UnixTime};
use rustls::{CertificateError, Error};
use x509_cert::certificate::Version;
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::der::{Decode, Encode};
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage, NameConstraints};

const SERVER_AUTH: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.1");
const ANY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37.0");

/// A certificate that has been read.
#[derive(Debug)]
pub struct Certificate(x509_cert::Certificate);

impl Certificate {
    /// None for what is not a certificate.
    pub fn read(der: &CertificateDer<'_>) -> Option<Self> {
        x509_cert::Certificate::from_der(der).ok().map(Self)
    }

    /// # Errors
    /// Before its first and after its last second.
    pub fn check_time(&self, now: UnixTime) -> Result<(), Error> {
        let validity = self.0.tbs_certificate().validity();
        let of = |time: &x509_cert::time::Time| UnixTime::since_unix_epoch(time.to_unix_duration());
        let (not_before, not_after) = (of(&validity.not_before), of(&validity.not_after));
        if now < not_before {
            return Err(CertificateError::NotValidYetContext { time: now, not_before }.into());
        }
        if now > not_after {
            return Err(CertificateError::ExpiredContext { time: now, not_after }.into());
        }
        Ok(())
    }

    /// # Errors
    /// For one that lists what it is for, without servers in it.
    pub fn check_is_for_servers(&self) -> Result<(), Error> {
        match self.0.tbs_certificate().get_extension::<ExtendedKeyUsage>() {
            Ok(None) => Ok(()),
            Ok(Some((_, ExtendedKeyUsage(usages))))
                if usages.contains(&SERVER_AUTH) || usages.contains(&ANY_USAGE) =>
            {
                Ok(())
            }
            Ok(Some(_)) => Err(CertificateError::InvalidPurpose.into()),
            Err(_) => Err(CertificateError::BadEncoding.into()),
        }
    }

    /// Whether it may sign others, by its version, its basic constraints and its key usage (Go, `crypto/x509`,
    /// `CheckSignatureFrom`).
    pub fn may_sign(&self) -> bool {
        let tbs = self.0.tbs_certificate();
        let is_authority = match tbs.get_extension::<BasicConstraints>() {
            Ok(Some((_, constraints))) => constraints.ca,
            Ok(None) => tbs.version() != Version::V3,
            Err(_) => false,
        };
        let signs = match tbs.get_extension::<KeyUsage>() {
            Ok(Some((_, usage))) => usage.key_cert_sign(),
            Ok(None) => true,
            Err(_) => false,
        };
        is_authority && signs
    }

    /// Whether it signs certificates of certain names only. What is not understood counts.
    pub fn constrains_names(&self) -> bool {
        !matches!(self.0.tbs_certificate().get_extension::<NameConstraints>(), Ok(None))
    }

    /// Whether `below` authorities may stand between it and the certificate of a server.
    pub fn may_have_below(&self, below: usize) -> bool {
        match self.0.tbs_certificate().get_extension::<BasicConstraints>() {
            Ok(Some((_, constraints))) => {
                constraints.path_len_constraint.is_none_or(|limit| below <= usize::from(limit))
            }
            Ok(None) => true,
            Err(_) => false,
        }
    }

    /// Whether `issuer` has signed it, as far as `algorithms` can tell.
    pub fn is_signed_by(&self, issuer: &Self, algorithms: &[&dyn SignatureVerificationAlgorithm]) -> bool {
        self.verify(issuer, algorithms).is_some()
    }

    fn verify(&self, issuer: &Self, algorithms: &[&dyn SignatureVerificationAlgorithm]) -> Option<()> {
        let (own, above) = (self.0.tbs_certificate(), issuer.0.tbs_certificate());
        if own.issuer() != above.subject() || own.signature() != self.0.signature_algorithm() {
            return None;
        }
        let signature_id = identifier(self.0.signature_algorithm())?;
        let key = above.subject_public_key_info();
        let key_id = identifier(&key.algorithm)?;
        let (key, signature) = (key.subject_public_key.as_bytes()?, self.0.signature().as_bytes()?);
        let message = own.to_der().ok()?;
        algorithms
            .iter()
            .filter(|algorithm| {
                same(&algorithm.signature_alg_id(), &signature_id)
                    && same(&algorithm.public_key_alg_id(), &key_id)
            })
            .find_map(|algorithm| algorithm.verify_signature(key, &message, signature).ok())
    }
}

/// What rustls compares: the identifier with its parameters, without the sequence around them.
fn identifier(algorithm: &x509_cert::spki::AlgorithmIdentifierOwned) -> Option<Vec<u8>> {
    let mut bytes = algorithm.oid.to_der().ok()?;
    if let Some(parameters) = &algorithm.parameters {
        bytes.extend(parameters.to_der().ok()?);
    }
    Some(bytes)
}

fn same(known: &AlgorithmIdentifier, found: &[u8]) -> bool {
    known.as_ref() == found
}
