//! What is wrong with TLS, in the words that kubectl has from Go (`crypto/x509`), as far as it has any. No name of
//! a library's type is in them.

use jiff::Timestamp;
use rustls::pki_types::{ServerName, UnixTime};
use rustls::{AlertDescription, CertificateError, InconsistentKeys};

/// Why there is no TLS with `server`.
pub fn of_tls(error: &rustls::Error, server: &str) -> String {
    use rustls::Error as E;
    match error {
        E::InvalidCertificate(error) => {
            format!("tls: failed to verify certificate: x509: {}", of_certificate(error))
        }
        E::AlertReceived(alert) => format!("tls: {server} ends the handshake: {}", of_alert(*alert)),
        E::InvalidMessage(_) | E::InappropriateMessage { .. } | E::InappropriateHandshakeMessage { .. } => {
            format!("tls: {server} does not speak TLS")
        }
        E::PeerIncompatible(_) | E::NoApplicationProtocol => {
            format!("tls: {server} has no version and no cipher of TLS in common with this program")
        }
        E::NoCertificatesPresented => format!("tls: {server} shows no certificate"),
        E::PeerMisbehaved(_)
        | E::PeerSentOversizedRecord
        | E::DecryptError
        | E::InvalidEncryptedClientHello(_) => {
            format!("tls: {server} breaks the rules of TLS, or what lies between changes what it sends")
        }
        E::UnsupportedNameType => {
            format!("tls: the name of {server} is not one that a certificate can have")
        }
        E::InvalidCertRevocationList(_) => "tls: the list of revoked certificates cannot be used".to_owned(),
        E::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
            "tls: private key does not match public key".to_owned()
        }
        E::InconsistentKeys(_) => "tls: the private key cannot be compared with its certificate".to_owned(),
        E::FailedToGetCurrentTime => "tls: the clock of this machine cannot be read".to_owned(),
        E::FailedToGetRandomBytes => "tls: this machine gives no random numbers".to_owned(),
        _ => format!("tls: the handshake with {server} failed"),
    }
}

/// An alert in the words of RFC 8446 (6).
fn of_alert(alert: AlertDescription) -> String {
    let name = format!("{alert:?}");
    match alert {
        AlertDescription::Unknown(number) => format!("alert {number}"),
        _ => spaced(&name),
    }
}

/// `BadCertificate` becomes `bad certificate`.
fn spaced(name: &str) -> String {
    let mut words = String::new();
    for c in name.chars() {
        if c.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.extend(c.to_lowercase());
    }
    words
}

/// Why a certificate is not believed.
pub fn of_certificate(error: &CertificateError) -> String {
    use CertificateError as E;
    let plain = |text: &str| text.to_owned();
    match error {
        E::UnknownIssuer => plain("certificate signed by unknown authority"),
        E::Expired | E::NotValidYet => plain("certificate has expired or is not yet valid"),
        E::ExpiredContext { time, not_after } => expired("after", *time, *not_after),
        E::NotValidYetContext { time, not_before } => expired("before", *time, *not_before),
        E::NotValidForName => plain("certificate is not valid for the name of the server"),
        E::NotValidForNameContext { expected, presented } => not_valid_for(expected, presented),
        E::InvalidPurpose | E::InvalidPurposeContext { .. } => {
            plain("certificate specifies an incompatible key usage")
        }
        E::BadEncoding => plain("malformed certificate"),
        E::BadSignature => plain("the signature of the certificate is wrong"),
        E::UnhandledCriticalExtension => plain("unhandled critical extension"),
        E::Revoked => plain("certificate has been revoked"),
        E::UnknownRevocationStatus | E::ExpiredRevocationList | E::ExpiredRevocationListContext { .. } => {
            plain("it is not known whether the certificate has been revoked")
        }
        E::InvalidOcspResponse => plain("the proof that the certificate is not revoked cannot be read"),
        E::UnsupportedSignatureAlgorithmContext { .. }
        | E::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => plain(UNSUPPORTED),
        E::Other(other) => match other.0.downcast_ref::<webpki::Error>() {
            Some(error) => of_webpki(error),
            // Of the verifiers of Windows and macOS, which speak for people.
            None => format!("certificate is not trusted: {}", other.0),
        },
        #[expect(deprecated, reason = "it may still come")]
        E::UnsupportedSignatureAlgorithm => plain(UNSUPPORTED),
        _ => plain(UNUSABLE),
    }
}

const UNSUPPORTED: &str = "cannot verify signature: algorithm unimplemented or insecure";
const UNUSABLE: &str = "certificate cannot be used";

/// What rustls has no kind of its own for.
fn of_webpki(error: &webpki::Error) -> String {
    use webpki::Error as E;
    match error {
        E::CaUsedAsEndEntity => "certificate of an authority is used as that of a server",
        E::EndEntityUsedAsCa => "a certificate that may not sign others has signed this one",
        E::NameConstraintViolation => {
            "a root or intermediate certificate is not authorized to sign for this name"
        }
        E::PathLenConstraintViolated => "too many intermediates for path length constraint",
        E::UnsupportedCertVersion => "certificate is not of version 3",
        E::UnsupportedCriticalExtension => "unhandled critical extension",
        E::EmptyEkuExtension => "certificate specifies an incompatible key usage",
        E::InvalidSerialNumber => "malformed serial number",
        E::InvalidCertValidity => "certificate ends before it begins",
        E::CertDistrusted => "certificate has a key that is known to be compromised",
        E::MalformedDnsIdentifier | E::MalformedExtensions | E::ExtensionValueInvalid => {
            "malformed extension"
        }
        E::MalformedNameConstraint | E::InvalidNetworkMaskConstraint => "malformed name constraint",
        E::MaximumNameConstraintComparisonsExceeded
        | E::MaximumPathBuildCallsExceeded
        | E::MaximumPathDepthExceeded
        | E::MaximumSignatureChecksExceeded => {
            "the server shows too many certificates: signature check attempts limit reached"
        }
        E::SignatureAlgorithmMismatch => "inner and outer signature algorithm identifiers don't match",
        E::UnsupportedNameType => "the name of the server is not one that a certificate can have",
        _ => UNUSABLE,
    }
    .to_owned()
}

fn expired(compared: &str, time: UnixTime, limit: UnixTime) -> String {
    let told = |time: UnixTime| {
        let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
        Timestamp::from_second(seconds).map_or_else(|_| seconds.to_string(), |time| time.to_string())
    };
    let (time, limit) = (told(time), told(limit));
    format!("certificate has expired or is not yet valid: current time {time} is {compared} {limit}")
}

fn not_valid_for(expected: &ServerName<'_>, presented: &[String]) -> String {
    let is_address = matches!(expected, ServerName::IpAddress(_));
    let expected = expected.to_str();
    let of = |kind: &str| -> Vec<String> {
        let named = presented.iter().filter_map(|name| name.strip_prefix(kind));
        named.map(|name| name.trim_matches(['(', ')', '"']).to_owned()).collect()
    };
    match (is_address, of("IpAddress"), of("DnsName")) {
        (true, addresses, _) if addresses.is_empty() => {
            format!("cannot validate certificate for {expected} because it doesn't contain any IP SANs")
        }
        (false, _, names) if names.is_empty() => {
            format!("certificate is not valid for any names, but wanted to match {expected}")
        }
        (true, names, _) | (false, _, names) => {
            format!("certificate is valid for {}, not {expected}", names.join(", "))
        }
    }
}

#[cfg(test)]
mod tests;
