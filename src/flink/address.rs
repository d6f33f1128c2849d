//! REST at an address of its own, such as that of an ingress.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use http::Uri;
use tokio::net::TcpStream;

use super::RestError;
use super::connection::{Route, Stream};
use crate::net::{addresses, fault};

/// How long a host may take to take a connection.
const TIMEOUT: Duration = Duration::from_secs(10);

/// `http://HOST[:PORT][/PATH]`, or with https.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    pub is_https: bool,
    host: String,
    port: u16,
    /// In front of REST's own paths, without a slash at its end.
    prefix: String,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}; an address is such as https://flink.example.com/roc")]
pub struct InvalidAddress(String);

impl FromStr for Address {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        let invalid = |why: &str| InvalidAddress(why.to_owned());
        let uri: Uri = text.parse().map_err(|_| invalid("it is not a URL"))?;
        let is_https = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(invalid("it starts neither with http:// nor with https://")),
        };
        let authority = uri.authority().ok_or_else(|| invalid("it names no host"))?;
        if authority.as_str().contains('@') {
            return Err(invalid("a name and a password in it are not supported"));
        }
        if uri.query().is_some() {
            return Err(invalid("it has a query"));
        }
        Ok(Self {
            is_https,
            host: authority.host().to_owned(),
            port: authority.port_u16().unwrap_or(if is_https { 443 } else { 80 }),
            prefix: uri.path().trim_end_matches('/').to_owned(),
        })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_https { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority(), self.prefix)
    }
}

impl Address {
    /// The host, for the name in a certificate.
    pub fn host(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }

    fn authority(&self) -> String {
        match (self.is_https, self.port) {
            (true, 443) | (false, 80) => self.host.clone(),
            (_, port) => format!("{}:{port}", self.host),
        }
    }

    pub fn route(&self) -> Route {
        Route { host: self.authority(), prefix: self.prefix.clone(), ..Route::default() }
    }

    /// Connects; TLS comes on top.
    pub async fn connect(&self) -> Result<Box<dyn Stream>, RestError> {
        let server = format!("{}:{}", self.host, self.port);
        let connect = async { TcpStream::connect(&addresses(self.host(), self.port).await?[..]).await };
        let stream = tokio::time::timeout(TIMEOUT, connect)
            .await
            .map_err(|_| format!("{server} takes no connection within {} s", TIMEOUT.as_secs()))
            .and_then(|connected| connected.map_err(|error| fault(&error, &server).in_words(&server)))
            .map_err(|why| RestError::Unreachable(format!("cannot connect: {why}")))?;
        // A request is written at once; there is nothing to wait for.
        let _ = stream.set_nodelay(true);
        Ok(Box::new(stream))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_and_shown() {
        let read = |text: &str| text.parse::<Address>().map(|address| address.to_string());
        for (text, shown) in [
            ("http://localhost:8081", "http://localhost:8081"),
            ("http://localhost:8081/", "http://localhost:8081"),
            ("https://flink.example.com/roc/", "https://flink.example.com/roc"),
            ("https://flink.example.com:443", "https://flink.example.com"),
            ("http://[::1]:8081", "http://[::1]:8081"),
        ] {
            assert_eq!(read(text), Ok(shown.to_owned()));
        }
        for wrong in ["", "localhost:8081", "ftp://x", "http://", "http://u:p@x", "http://x/?a=b", "/x"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
        assert_eq!("http://[::1]:8081".parse::<Address>().expect("address").host(), "::1");
    }
}
