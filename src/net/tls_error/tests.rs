//! Every kind of error of the libraries below, in words that are not theirs.

use std::sync::Arc;

use rustls::pki_types::UnixTime;
use rustls::{AlertDescription, InvalidMessage, OtherError, PeerIncompatible, PeerMisbehaved};

use super::*;

/// The names that a library has for its errors: words in capital letters and small ones without a space.
fn has_name_of_a_type(text: &str) -> bool {
    text.split(|c: char| !c.is_alphanumeric()).any(|word| {
        let inner = word.chars().skip(1).any(char::is_uppercase) && word.chars().any(char::is_lowercase);
        inner && !["SANs", "namedIP"].contains(&word)
    }) || text.contains("::")
        || text.contains("Other(")
}

#[test]
fn the_reader_of_names_finds_them() {
    assert!(has_name_of_a_type("other(other error(CaUsedAsEndEntity))"));
    assert!(!has_name_of_a_type("certificate doesn't contain any IP SANs, TLS and x509"));
}

#[test]
#[expect(deprecated, reason = "every kind")]
fn no_certificate_is_refused_in_the_words_of_a_library() {
    use webpki::Error as W;
    let (time, name) = (UnixTime::since_unix_epoch(std::time::Duration::ZERO), "a.test");
    let id = || vec![1, 2];
    let of_webpki = [
        W::BadDer,
        W::BadDerTime,
        W::CaUsedAsEndEntity,
        W::CertDistrusted,
        W::CertRevoked,
        W::EmptyEkuExtension,
        W::EndEntityUsedAsCa,
        W::ExtensionValueInvalid,
        W::InvalidCertValidity,
        W::InvalidCrlNumber,
        W::InvalidNetworkMaskConstraint,
        W::InvalidSerialNumber,
        W::InvalidCrlSignatureForPublicKey,
        W::InvalidSignatureForPublicKey,
        W::IssuerNotCrlSigner,
        W::MalformedDnsIdentifier,
        W::MalformedExtensions,
        W::MalformedNameConstraint,
        W::MaximumNameConstraintComparisonsExceeded,
        W::MaximumPathBuildCallsExceeded,
        W::MaximumPathDepthExceeded,
        W::MaximumSignatureChecksExceeded,
        W::NameConstraintViolation,
        W::PathLenConstraintViolated,
        W::RequiredEkuNotFound,
        W::SignatureAlgorithmMismatch,
        W::UnknownIssuer,
        W::UnknownRevocationStatus,
        W::UnsupportedCertVersion,
        W::UnsupportedCriticalExtension,
        W::UnsupportedCrlIssuingDistributionPoint,
        W::UnsupportedCrlVersion,
        W::UnsupportedDeltaCrl,
        W::UnsupportedIndirectCrl,
        W::UnsupportedNameType,
        W::UnsupportedRevocationReason,
        W::UnsupportedRevocationReasonsPartitioning,
        W::UnsupportedCrlSignatureAlgorithm,
        W::UnsupportedSignatureAlgorithm,
        W::UnsupportedCrlSignatureAlgorithmForPublicKey,
        W::UnsupportedSignatureAlgorithmForPublicKey,
    ];
    let expected: ServerName<'static> = ServerName::try_from(name).expect("name");
    let of_rustls = [
        CertificateError::BadEncoding,
        CertificateError::Expired,
        CertificateError::ExpiredContext { time, not_after: time },
        CertificateError::NotValidYet,
        CertificateError::NotValidYetContext { time, not_before: time },
        CertificateError::Revoked,
        CertificateError::UnhandledCriticalExtension,
        CertificateError::UnknownIssuer,
        CertificateError::UnknownRevocationStatus,
        CertificateError::ExpiredRevocationList,
        CertificateError::ExpiredRevocationListContext { time, next_update: time },
        CertificateError::BadSignature,
        CertificateError::UnsupportedSignatureAlgorithm,
        CertificateError::UnsupportedSignatureAlgorithmContext {
            signature_algorithm_id: id(),
            supported_algorithms: vec![],
        },
        CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext {
            signature_algorithm_id: id(),
            public_key_algorithm_id: id(),
        },
        CertificateError::NotValidForName,
        CertificateError::NotValidForNameContext { expected, presented: vec!["DnsName(\"b.test\")".into()] },
        CertificateError::InvalidPurpose,
        CertificateError::InvalidOcspResponse,
        CertificateError::ApplicationVerificationFailure,
    ];
    let wrapped = of_webpki.into_iter().map(|error| CertificateError::Other(OtherError(Arc::new(error))));
    for error in of_rustls.into_iter().chain(wrapped) {
        let told = of_certificate(&error);
        assert!(!has_name_of_a_type(&told) && told.len() > 10, "{error:?}: {told}");
    }
}

#[test]
fn no_handshake_fails_in_the_words_of_a_library() {
    use rustls::Error as E;
    let errors = [
        E::InappropriateMessage { expect_types: vec![], got_type: rustls::ContentType::Alert },
        E::InvalidEncryptedClientHello(rustls::EncryptedClientHelloError::SniRequired),
        E::InvalidMessage(InvalidMessage::InvalidContentType),
        E::NoCertificatesPresented,
        E::UnsupportedNameType,
        E::DecryptError,
        E::EncryptError,
        E::PeerIncompatible(PeerIncompatible::NoCipherSuitesInCommon),
        E::PeerMisbehaved(PeerMisbehaved::MissingKeyShare),
        E::AlertReceived(AlertDescription::HandshakeFailure),
        E::AlertReceived(AlertDescription::Unknown(7)),
        E::InvalidCertRevocationList(rustls::CertRevocationListError::ParseError),
        E::General("UnexpectedThing { of: TheLibrary }".to_owned()),
        E::FailedToGetCurrentTime,
        E::FailedToGetRandomBytes,
        E::HandshakeNotComplete,
        E::PeerSentOversizedRecord,
        E::NoApplicationProtocol,
        E::BadMaxFragmentSize,
        E::InconsistentKeys(InconsistentKeys::KeyMismatch),
        E::InconsistentKeys(InconsistentKeys::Unknown),
        E::Other(OtherError(Arc::new(webpki::Error::BadDer))),
    ];
    for error in errors {
        let told = of_tls(&error, "h:6443");
        assert!(told.starts_with("tls: ") && !has_name_of_a_type(&told), "{error:?}: {told}");
    }
    assert_eq!(
        of_tls(&E::AlertReceived(AlertDescription::BadCertificate), "h:6443"),
        "tls: h:6443 ends the handshake: bad certificate"
    );
}
