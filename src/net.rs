//! Why a connection failed, in this program's own words: libraries name their layers and their types.

mod aside;
mod bounded;
mod certificate;
pub mod identity;
mod provider;
mod tls_error;
pub mod trust;

use std::error::Error;
use std::io::{self, ErrorKind};

use hyper_util::client::legacy;

pub use aside::{addresses, aside};
pub use bounded::{Bounded, TooLong};
pub use provider::provider;
pub use tls_error::of_tls;

/// What ended a request before its answer was there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing listens.
    Refused,
    /// The connection was lost: the next one may hold. The words follow "the connection to HOST".
    Cut(&'static str),
    /// The next try would meet it again.
    Other(String),
}

impl Fault {
    /// As a sentence without its subject's end: what became of the connection to `server`.
    pub fn in_words(self, server: &str) -> String {
        match self {
            Self::Refused => format!("{server} refuses the connection"),
            Self::Cut(how) => format!("the connection to {server} {how}"),
            Self::Other(why) => why,
        }
    }
}

/// Sorts `error` of a request to `server` (`host:port`).
pub fn fault(error: &(dyn Error + 'static), server: &str) -> Fault {
    let mut is_connecting = false;
    for cause in causes(error) {
        if let Some(error) = cause.downcast_ref::<rustls::Error>() {
            return Fault::Other(of_tls(error, server));
        }
        if let Some(error) = cause.downcast_ref::<legacy::Error>() {
            is_connecting |= error.is_connect();
        }
        if let Some(error) = cause.downcast_ref::<hyper::Error>()
            && let Some(fault) = of_http(error, server)
        {
            return fault;
        }
        let text = cause.to_string();
        if let Some(reason) = text.strip_prefix("failed to lookup address information: ") {
            let host = server.rsplit_once(':').map_or(server, |(host, _)| host);
            return Fault::Other(format!("no address is known for {host}: {}", without_number(reason)));
        }
        if let Some(fault) = of_proxy(&text, cause) {
            return fault;
        }
        if let Some(error) = cause.downcast_ref::<io::Error>()
            && let Some(fault) = of_io(error, server, is_connecting)
        {
            return fault;
        }
    }
    Fault::Other(format!("the request to {server} failed ({})", chain(error)))
}

/// The error of an answer that was longer than its limit, if that is what `error` is about.
pub fn too_long(error: &(dyn Error + 'static)) -> Option<TooLong> {
    causes(error).find_map(|cause| cause.downcast_ref::<TooLong>()).cloned()
}

/// The error and what is below it. What an I/O error wraps is not among its sources.
fn causes<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| {
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        wrapped.map(|wrapped| wrapped as &(dyn Error + 'static)).or_else(move || error.source())
    })
}

/// None where what is below says more.
fn of_http(error: &hyper::Error, server: &str) -> Option<Fault> {
    Some(match () {
        () if error.is_incomplete_message() => Fault::Cut("was closed before the answer came"),
        () if error.is_canceled() || error.is_closed() => Fault::Cut("was closed"),
        () if error.is_parse() => Fault::Other(format!("the answer of {server} is not HTTP")),
        () => return None,
    })
}

/// What the proxy did, by the words of hyper-util, whose types are not public.
fn of_proxy(text: &str, error: &(dyn Error + 'static)) -> Option<Fault> {
    let other = |why: &str| Some(Fault::Other(why.to_owned()));
    if let Some(what) = text.strip_prefix("tunnel error: ") {
        return match what {
            "proxy authorization required" => other("the proxy asks for a name and a password"),
            "unexpected end of file" => Some(Fault::Cut("was closed by the proxy")),
            "failed to create underlying connection" | "io error establishing tunnel" => {
                Some(of_way_to_proxy(error))
            }
            _ => other("the proxy does not connect to the server"),
        };
    }
    match text.strip_prefix("SOCKS error: ")? {
        "failed to create underlying connection" => other("the proxy cannot be reached"),
        "io error during SOCKS handshake" => Some(Fault::Cut("was closed by the proxy")),
        "credentials not accepted" => other("the proxy does not accept the name and the password"),
        _ => other("the proxy does not connect to the server"),
    }
}

fn of_way_to_proxy(error: &(dyn Error + 'static)) -> Fault {
    match error.source().map(|source| fault(source, "the proxy")) {
        Some(Fault::Other(why)) => Fault::Other(why),
        Some(Fault::Cut(_)) => Fault::Cut("was closed by the proxy"),
        Some(Fault::Refused) | None => Fault::Other("the proxy refuses the connection".to_owned()),
    }
}

/// None where what it wraps says more.
fn of_io(error: &io::Error, server: &str, is_connecting: bool) -> Option<Fault> {
    let other = |why: String| Some(Fault::Other(why));
    match error.kind() {
        ErrorKind::ConnectionRefused => Some(Fault::Refused),
        ErrorKind::ConnectionReset => Some(Fault::Cut("was reset")),
        ErrorKind::UnexpectedEof => Some(Fault::Cut("was closed")),
        ErrorKind::BrokenPipe | ErrorKind::ConnectionAborted | ErrorKind::NotConnected => {
            Some(Fault::Cut("broke off"))
        }
        ErrorKind::TimedOut if is_connecting => {
            other(format!("{server} does not take connections: timed out"))
        }
        ErrorKind::TimedOut => Some(Fault::Cut("timed out")),
        ErrorKind::HostUnreachable => other(format!("there is no route to {server}")),
        ErrorKind::WouldBlock if is_connecting => other(format!(
            "{server} cannot be reached: no thread can be started, for this user runs as many as are allowed (ulimit -u)"
        )),
        ErrorKind::NetworkUnreachable => other(format!("the network of {server} is unreachable")),
        _ if error.get_ref().is_some() => None,
        _ => other(format!("{server}: {}", without_number(&error.to_string()))),
    }
}

/// Without ` (os error 111)`.
fn without_number(text: &str) -> String {
    text.split(" (os error ").next().unwrap_or_default().to_owned()
}

/// The messages of `error` and its sources, each part once: many libraries repeat their source.
pub fn chain(error: &dyn Error) -> String {
    let mut parts: Vec<String> = vec![error.to_string()];
    let mut source = error.source();
    while let Some(next) = source {
        let text = next.to_string();
        if !parts.iter().any(|part| part.contains(&text)) {
            parts.push(text);
        }
        source = next.source();
    }
    // The innermost is what happened; the outer ones name layers of the library.
    const LAYERS: [&str; 4] = ["ServiceError: ", "HyperError: ", "client error (Connect)", "auth error: "];
    let told = parts.join(": ");
    LAYERS.iter().fold(told, |text, layer| text.replace(layer, "")).trim_matches([':', ' ']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn io(kind: ErrorKind) -> io::Error {
        io::Error::from(kind)
    }

    /// As it comes out of a client: wrapped by what has carried it.
    fn wrapped(error: impl Into<Box<dyn Error + Send + Sync>>) -> Box<dyn Error> {
        Box::new(io::Error::other(error))
    }

    #[test]
    fn a_lost_connection_is_told_from_one_that_cannot_be() {
        let of = |error: Box<dyn Error>| fault(&*error, "h:6443");
        assert_eq!(of(wrapped(io(ErrorKind::ConnectionReset))), Fault::Cut("was reset"));
        assert_eq!(of(wrapped(io(ErrorKind::UnexpectedEof))), Fault::Cut("was closed"));
        assert_eq!(of(wrapped(io(ErrorKind::BrokenPipe))), Fault::Cut("broke off"));
        assert_eq!(of(wrapped(io(ErrorKind::ConnectionRefused))), Fault::Refused);
        assert_eq!(
            of(wrapped(io(ErrorKind::HostUnreachable))),
            Fault::Other("there is no route to h:6443".to_owned())
        );
        assert_eq!(
            of(wrapped("tunnel error: unexpected end of file")),
            Fault::Cut("was closed by the proxy")
        );
    }

    #[test]
    fn tls_is_told_in_plain_words() {
        use rustls::{AlertDescription, CertificateError, InvalidMessage};
        let of = |error: rustls::Error| match fault(
            &*wrapped(io::Error::new(ErrorKind::InvalidData, error)),
            "h:6443",
        ) {
            Fault::Other(why) => why,
            other => panic!("{other:?}"),
        };
        assert_eq!(
            of(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer)),
            "tls: failed to verify certificate: x509: certificate signed by unknown authority"
        );
        assert_eq!(
            of(rustls::Error::InvalidCertificate(CertificateError::BadEncoding)),
            "tls: failed to verify certificate: x509: malformed certificate"
        );
        assert_eq!(
            of(rustls::Error::AlertReceived(AlertDescription::BadCertificate)),
            "tls: h:6443 ends the handshake: bad certificate"
        );
        assert_eq!(
            of(rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType)),
            "tls: h:6443 does not speak TLS"
        );
    }
}
