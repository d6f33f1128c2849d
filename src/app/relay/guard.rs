//! Decides which requests a local port accepts.
//!
//! Behind a local port is an API that runs code for anyone who reaches it, and every web page that is open
//! in a browser on this machine can send requests to the port. So each request must name a host that only
//! this machine uses, and must not come from a page of another site.
//!
//! - `Host`: a page whose DNS name was changed to 127.0.0.1 (DNS rebinding) is of the same origin as the
//!   port for the browser, but its requests still carry its own name.
//! - `Origin`: browsers send it with each request that can change something, and with each request
//!   whose response a script could read.
//! - `Sec-Fetch-Site`: browsers send it with every request to a loopback address, so it covers what has no
//!   `Origin`: images, scripts, frames and navigation.
//! - `Referer`: for browsers that do not send `Sec-Fetch-Site`: older ones, and all of them where the host
//!   is not a loopback address and the connection is not encrypted.
//!
//! Programs that are not browsers send only `Host`.

use std::net::Ipv6Addr;
use std::str::FromStr;

use http::header::{HOST, HeaderName, ORIGIN, REFERER};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Uri};
use regex::Regex;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");

/// The hosts that are always accepted.
const LOCAL: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// The documents that a link on another site is allowed to open. Other paths are not: some of Flink's GET
/// requests change something. The web UI itself cancels a job with `GET /jobs/ID/yarn-cancel`, and
/// `GET /jars/ID/plan` runs the main method of a program.
const ENTRY_PAGES: [&str; 2] = ["/", "/index.html"];

/// How much of a header is quoted in an explanation.
const QUOTED: usize = 100;

/// The rules of one local port.
#[derive(Clone, Debug, Default)]
pub struct Guard {
    accepted: Vec<AcceptedHost>,
}

/// A host that is accepted besides the local ones: a name, or a regular expression as in
/// `kubectl proxy --accept-hosts`.
#[derive(Clone, Debug)]
pub enum AcceptedHost {
    Name(String),
    Pattern(Regex),
}

/// Why a request is refused, as a sentence without a full stop.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refusal(String);

impl FromStr for AcceptedHost {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("a host must not be empty".to_owned());
        }
        if text.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c)) {
            return Ok(Self::Name(text.to_ascii_lowercase()));
        }
        // On its own first: it could be valid only together with what is put around it.
        let own = Regex::new(text).map_err(|error| error.to_string())?;
        // kubectl accepts a match anywhere in the name, so that "a.example" also permits
        // "a.example.evil.test". Here the expression must match the whole name.
        Regex::new(&format!("^(?i:{own})$")).map(Self::Pattern).map_err(|error| error.to_string())
    }
}

impl AcceptedHost {
    fn is(&self, host: &str) -> bool {
        match self {
            Self::Name(name) => name == host,
            Self::Pattern(pattern) => pattern.is_match(host),
        }
    }
}

impl Guard {
    /// Accepts `accepted` besides localhost, 127.0.0.1 and [::1].
    pub fn new(accepted: Vec<AcceptedHost>) -> Self {
        Self { accepted }
    }

    /// Whether the request with this head is accepted.
    pub fn check(&self, head: &Parts) -> Result<(), Refusal> {
        if head.method == Method::CONNECT {
            return Err(Refusal("the method CONNECT is not accepted".to_owned()));
        }
        let host = self.host(head)?;
        for origin in head.headers.get_all(ORIGIN) {
            if !host.is_origin(origin) {
                return Err(foreign(&ORIGIN, origin));
            }
        }
        let is_entry = is_entry_page(&head.method, &head.uri);
        let mut sites = head.headers.get_all(SEC_FETCH_SITE).iter().peekable();
        if sites.peek().is_none() {
            // Only a hint: a page can make the browser leave it out.
            let mut referers = head.headers.get_all(REFERER).iter();
            return match referers.find(|referer| !host.is_origin_of(referer)) {
                Some(referer) if !is_entry => Err(foreign(&REFERER, referer)),
                _ => Ok(()),
            };
        }
        // A page on another port of the same host is "same-site".
        let is_own = |site: &&HeaderValue| *site == "same-origin" || *site == "none";
        match sites.find(|site| !is_own(site)) {
            // The Fetch Metadata policy for the isolation of resources: another site is allowed to link to
            // the web UI, but not to load anything of it, and not to show it in a frame, where its user
            // could be led to click on something.
            Some(site) if !(is_entry && is_navigation(&head.headers)) => Err(foreign(&SEC_FETCH_SITE, site)),
            _ => Ok(()),
        }
    }

    /// The host that the request is for.
    fn host(&self, head: &Parts) -> Result<Site, Refusal> {
        let mut hosts = head.headers.get_all(HOST).iter();
        let host = match (hosts.next(), hosts.next()) {
            (Some(host), None) => host,
            (None, _) => return Err(Refusal("the request has no Host header".to_owned())),
            (Some(_), Some(_)) => return Err(Refusal("the request has several Host headers".to_owned())),
        };
        let not_accepted = || {
            Refusal(format!(
                "host {} is not accepted, only localhost, 127.0.0.1, [::1] and those given with --accept-hosts",
                quoted(host)
            ))
        };
        let site = host.to_str().ok().and_then(Site::parse).ok_or_else(not_accepted)?;
        if !site.is_local() && !self.accepted.iter().any(|accepted| accepted.is(&site.host)) {
            return Err(not_accepted());
        }
        // `GET http://host/path`, as to a proxy. That host counts for a server, whatever Host says.
        let target = head.uri.authority().map(|authority| Site::parse(authority.as_str()));
        if target.is_some_and(|target| target.as_ref() != Some(&site)) {
            return Err(Refusal("the target of the request and its Host header differ".to_owned()));
        }
        if head.uri.path_and_query().is_none() {
            return Err(Refusal("the target of the request has no path".to_owned()));
        }
        Ok(site)
    }

    /// Takes from a response what would let pages of other sites read it, and adds what keeps older
    /// browsers from showing it in their frames.
    pub fn seal(&self, headers: &mut HeaderMap) {
        let opening: Vec<HeaderName> = headers
            .keys()
            .filter(|name| name.as_str().starts_with("access-control-") || *name == "timing-allow-origin")
            .cloned()
            .collect();
        for name in opening {
            headers.remove(name);
        }
        headers.insert(
            HeaderName::from_static("cross-origin-resource-policy"),
            HeaderValue::from_static("same-origin"),
        );
        headers.insert(http::header::X_FRAME_OPTIONS, HeaderValue::from_static("SAMEORIGIN"));
    }
}

/// A host and a port.
#[derive(Debug, PartialEq, Eq)]
struct Site {
    /// In lower case; an IPv6 address has brackets, and its shortest form.
    host: String,
    port: Option<u16>,
}

impl Site {
    /// Reads `HOST[:PORT]`. A host in a form that browsers never send is not one.
    fn parse(authority: &str) -> Option<Self> {
        let (host, port) = match authority.strip_prefix('[') {
            Some(bracketed) => {
                let (address, port) = bracketed.split_once(']')?;
                (format!("[{}]", address.parse::<Ipv6Addr>().ok()?), port)
            }
            None => {
                let (host, port) = authority.split_at(authority.find(':').unwrap_or(authority.len()));
                let is_name =
                    !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c));
                (is_name.then(|| host.to_ascii_lowercase())?, port)
            }
        };
        let port = match port {
            "" => None,
            port => {
                let digits =
                    port.strip_prefix(':').filter(|port| port.chars().all(|c| c.is_ascii_digit()))?;
                Some(digits.parse().ok().filter(|port| *port > 0)?)
            }
        };
        Some(Self { host, port })
    }

    fn is_local(&self) -> bool {
        LOCAL.contains(&self.host.as_str())
    }

    fn is_origin(&self, origin: &HeaderValue) -> bool {
        // `null` is the origin of pages that hide where they come from.
        let parts = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
        parts.is_some_and(|(scheme, authority)| self.is_of(scheme, authority))
    }

    fn is_origin_of(&self, url: &HeaderValue) -> bool {
        let parts = url.to_str().ok().and_then(|url| url.split_once("://"));
        parts.is_some_and(|(scheme, rest)| {
            let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
            self.is_of(scheme, authority)
        })
    }

    /// Whether a page at `scheme://authority` is this site's own.
    fn is_of(&self, scheme: &str, authority: &str) -> bool {
        let default = match scheme {
            "http" => 80,
            // A program that ends TLS can stand in front of an accepted host. In front of a loopback
            // address it would have another port, and its page would be another site.
            "https" if !self.is_local() => 443,
            _ => return false,
        };
        let port = |site: &Self| site.port.unwrap_or(default);
        Self::parse(authority).is_some_and(|other| other.host == self.host && port(&other) == port(self))
    }
}

fn is_entry_page(method: &Method, uri: &Uri) -> bool {
    let path = uri.path_and_query().map_or("", PathAndQuery::path);
    *method == Method::GET && ENTRY_PAGES.contains(&path)
}

/// Whether the browser asks for a document that gets a tab of its own.
fn is_navigation(headers: &HeaderMap) -> bool {
    let only = |name: HeaderName, value: &str| {
        let mut values = headers.get_all(name).iter();
        values.next().is_some_and(|first| first == value) && values.next().is_none()
    };
    only(SEC_FETCH_MODE, "navigate") && only(SEC_FETCH_DEST, "document")
}

fn foreign(name: &HeaderName, value: &HeaderValue) -> Refusal {
    Refusal(format!("requests from other sites are not accepted ({name}: {})", quoted(value)))
}

fn quoted(value: &HeaderValue) -> String {
    let text = String::from_utf8_lossy(value.as_bytes());
    let start: String = text.chars().take(QUOTED).collect();
    format!("{start:?}")
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn head(method: &str, target: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::builder().method(method).uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).expect("request").into_parts().0
    }

    fn verdict(guard: &Guard, method: &str, target: &str, headers: &[(&str, &str)]) -> Result<(), String> {
        guard.check(&head(method, target, headers)).map_err(|refusal| refusal.to_string())
    }

    fn with_host(host: &str) -> Result<(), String> {
        verdict(&Guard::default(), "GET", "/overview", &[("host", host)])
    }

    /// A request to `127.0.0.1:8081`.
    fn from(method: &str, target: &str, headers: &[(&str, &str)]) -> Result<(), String> {
        let headers = [&[("host", "127.0.0.1:8081")], headers].concat();
        verdict(&Guard::default(), method, target, &headers)
    }

    fn guard(hosts: &[&str]) -> Guard {
        Guard::new(hosts.iter().map(|host| host.parse().expect("host")).collect())
    }

    #[test]
    fn only_hosts_of_this_machine_are_accepted() {
        for host in [
            "localhost",
            "localhost:8081",
            "LocalHost:1",
            "127.0.0.1",
            "127.0.0.1:65535",
            "[::1]",
            "[::1]:8081",
            "[0:0:0:0:0:0:0:1]:8081",
        ] {
            assert_eq!(with_host(host), Ok(()), "{host}");
        }
        for host in [
            "",
            ":8081",
            "evil.example",
            "evil.example:8081",
            "localhost.evil.example",
            "localhost.",
            "localhost.:8081",
            "127.0.0.1.",
            "127.0.0.1.evil.example",
            "127.0.0.2",
            "127.1",
            "0.0.0.0:8081",
            "2130706433",
            "10.0.0.1",
            "::1",
            "[::1",
            "[::1]8081",
            "[::1%25lo]",
            "[::ffff:127.0.0.1]",
            "[::2]",
            "[localhost]",
            "localhost:",
            "localhost:0",
            "localhost:+1",
            "localhost:65536",
            "localhost:80:80",
            "localhost@evil.example",
            "evil.example@localhost",
            "user:localhost@evil.example",
            "localhost,evil.example",
            "localhost evil.example",
            "localhost/evil.example",
            "localhost#",
            "http://localhost",
        ] {
            let refused = with_host(host).expect_err(host);
            assert!(refused.contains("is not accepted, only localhost, 127.0.0.1, [::1]"), "{refused}");
        }
    }

    #[test]
    fn a_host_must_be_named_once() {
        let guard = Guard::default();
        assert_eq!(verdict(&guard, "GET", "/", &[]), Err("the request has no Host header".to_owned()));
        for other in ["localhost", "evil.example"] {
            assert_eq!(
                verdict(&guard, "GET", "/", &[("host", "localhost"), ("host", other)]),
                Err("the request has several Host headers".to_owned())
            );
        }
    }

    #[test]
    fn a_target_with_a_host_must_agree_with_the_host_header() {
        for target in ["http://127.0.0.1:8081/overview", "HTTP://127.0.0.1:8081", "http://127.0.0.1:8081?a"] {
            assert_eq!(from("GET", target, &[]), Ok(()), "{target}");
        }
        for target in [
            "http://evil.example/overview",
            "http://127.0.0.1/overview",
            "http://127.0.0.1:8081@evil.example/",
            "http://evil.example@127.0.0.1:8081/",
            "evil.example:80",
            "127.0.0.1:8081",
        ] {
            assert!(from("GET", target, &[]).is_err(), "{target}");
        }
        let foreign = [("host", "evil.example")];
        assert!(verdict(&Guard::default(), "GET", "http://localhost/", &foreign).is_err());
        assert!(from("CONNECT", "127.0.0.1:8081", &[]).is_err());
        assert_eq!(from("OPTIONS", "*", &[]), Ok(()));
        // A path that looks like a host stays a path.
        assert_eq!(from("GET", "//evil.example/", &[]), Ok(()));
    }

    #[test]
    fn only_the_own_origin_is_accepted() {
        for method in ["GET", "POST", "PATCH", "DELETE", "OPTIONS"] {
            assert_eq!(from(method, "/jars/upload", &[("origin", "http://127.0.0.1:8081")]), Ok(()));
            for origin in [
                "null",
                "",
                "http://evil.example",
                "http://127.0.0.1",
                "http://127.0.0.1:8082",
                "https://127.0.0.1:8081",
                "http://localhost:8081",
                "http://127.0.0.1:8081.evil.example",
                "http://127.0.0.1:8081@evil.example",
                "http://evil.example@127.0.0.1:8081",
                "http://127.0.0.1:8081/",
                "http://127.0.0.1:8081 http://evil.example",
                "127.0.0.1:8081",
                "ftp://127.0.0.1:8081",
                "chrome-extension://abcdef",
                "file://",
            ] {
                let refused = from(method, "/jars/upload", &[("origin", origin)]).expect_err(origin);
                assert!(refused.starts_with("requests from other sites are not accepted (origin: "));
                // A browser's own word does not make up for it.
                let both = [("origin", origin), ("sec-fetch-site", "same-origin")];
                assert!(from(method, "/jars/upload", &both).is_err(), "{origin}");
            }
        }
        let two = [("origin", "http://127.0.0.1:8081"), ("origin", "http://evil.example")];
        assert!(from("POST", "/", &two).is_err());
        let with = |host, origin| {
            verdict(&Guard::default(), "POST", "/", &[("host", host), ("origin", origin)]).is_ok()
        };
        assert!(with("localhost", "http://localhost") && with("localhost:80", "http://localhost"));
        assert!(with("[::1]:8081", "http://[::1]:8081") && !with("[::1]:8081", "http://[::1]"));
    }

    #[test]
    fn only_the_own_site_may_fetch() {
        for site in ["same-origin", "none"] {
            for method in ["GET", "POST", "DELETE"] {
                assert_eq!(from(method, "/jobs/overview", &[("sec-fetch-site", site)]), Ok(()));
            }
        }
        for site in ["cross-site", "same-site", "", "unheard-of", "Same-Origin", "same-origin, cross-site"] {
            for mode in ["no-cors", "cors", "navigate", "websocket"] {
                let fetch = [("sec-fetch-site", site), ("sec-fetch-mode", mode), ("sec-fetch-dest", "empty")];
                for target in ["/", "/overview", "/jars/x/plan", "/jobs/x/yarn-cancel"] {
                    assert!(from("GET", target, &fetch).is_err(), "{site} {mode} {target}");
                }
                assert!(from("POST", "/jars/upload", &fetch).is_err(), "{site} {mode}");
            }
        }
        let two = [("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")];
        assert!(from("GET", "/", &two).is_err());
    }

    #[test]
    fn another_site_may_link_to_the_web_ui_and_to_nothing_else() {
        for site in ["cross-site", "same-site"] {
            let link =
                [("sec-fetch-site", site), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];
            for entry in ["/", "/?from=wiki", "/index.html"] {
                assert_eq!(from("GET", entry, &link), Ok(()), "{entry}");
            }
            for target in [
                "/overview",
                "/jobs/x/yarn-cancel",
                "/jobs/x/yarn-stop",
                "/jars/x/plan",
                "//",
                "/./",
                "/%2e/jobs",
                "/index.html/../jobs/x/yarn-cancel",
                "/index.html%3f",
                "*",
            ] {
                assert!(from("GET", target, &link).is_err(), "{target}");
            }
            for method in ["POST", "PUT", "PATCH", "DELETE", "HEAD"] {
                assert!(from(method, "/", &link).is_err(), "{method}");
            }
            for dest in ["iframe", "frame", "embed", "object", "image", ""] {
                let framed = [link[0], link[1], ("sec-fetch-dest", dest)];
                assert!(from("GET", "/", &framed).is_err(), "{dest}");
            }
            assert!(from("GET", "/", &link[..2]).is_err(), "no destination");
            // A form that is posted from another page.
            let form = [&link[..], &[("origin", "http://127.0.0.1:9999")]].concat();
            assert!(from("POST", "/", &form).is_err());
        }
    }

    #[test]
    fn without_fetch_metadata_the_referer_counts() {
        assert_eq!(from("GET", "/overview", &[]), Ok(()));
        assert_eq!(from("POST", "/jars/upload", &[]), Ok(()));
        let own = [("referer", "http://127.0.0.1:8081/#/overview")];
        let other = [("referer", "http://127.0.0.1:9999/127.0.0.1:8081")];
        assert_eq!(from("GET", "/jobs/x/yarn-cancel", &own), Ok(()));
        assert!(from("GET", "/jobs/x/yarn-cancel", &other).is_err());
        assert!(from("POST", "/", &other).is_err());
        assert_eq!(from("GET", "/", &other), Ok(()));
        // Where there are both, the browser's own word counts: a referer can be anything.
        let both = [other[0], ("sec-fetch-site", "none")];
        assert_eq!(from("GET", "/overview", &both), Ok(()));
    }

    #[test]
    fn other_hosts_are_accepted_on_request() {
        let check = |guard: &Guard, host: &str| verdict(guard, "GET", "/", &[("host", host)]).is_ok();
        let named = guard(&["Dev.Example.com", "box"]);
        for host in ["dev.example.com", "DEV.example.com:8081", "box:1", "localhost", "[::1]:80"] {
            assert!(check(&named, host), "{host}");
        }
        for host in ["devXexample.com", "dev.example.com.evil.test", "evil.dev.example.com", "box."] {
            assert!(!check(&named, host), "{host}");
        }
        let matched = guard(&[r"^.*\.example\.com$", r"10\.0\.0\.[0-9]+|pc", r"^\[fd00::1\]$"]);
        for host in ["a.example.com", "10.0.0.17:8081", "pc", "PC", "[fd00:0::1]:8081"] {
            assert!(check(&matched, host), "{host}");
        }
        for host in ["a.example.com.evil.test", "10.0.0.1.evil.test", "xpc", "pcx", "evil.test/.example.com"]
        {
            assert!(!check(&matched, host), "{host}");
        }
        assert!(check(&guard(&[".*"]), "anything"));
        assert!("".parse::<AcceptedHost>().is_err() && "(".parse::<AcceptedHost>().is_err());

        // A page of an accepted host is its own site, also behind a server that speaks TLS.
        let with = |host: &str, origin: &str| {
            verdict(&named, "POST", "/", &[("host", host), ("origin", origin)]).is_ok()
        };
        assert!(
            with("box:8081", "http://box:8081") && with("box", "https://box") && with("box", "http://box")
        );
        assert!(!with("box", "https://box:8443") && !with("box", "http://localhost"));
        assert!(!with("localhost:8081", "http://box:8081"));
    }

    #[test]
    fn responses_open_nothing_to_other_sites() {
        let mut headers = head(
            "GET",
            "/",
            &[
                ("access-control-allow-origin", "*"),
                ("Access-Control-Allow-Credentials", "true"),
                ("access-control-expose-headers", "x"),
                ("timing-allow-origin", "*"),
                ("content-type", "application/json"),
            ],
        )
        .headers;
        headers.append("access-control-allow-origin", HeaderValue::from_static("http://evil.example"));
        Guard::default().seal(&mut headers);
        let mut names: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["content-type", "cross-origin-resource-policy", "x-frame-options"]);
    }

    #[test]
    fn what_is_quoted_is_short_and_has_no_control_characters() {
        let long = "\u{1b}[31m".to_owned() + &"x".repeat(5000);
        let value = HeaderValue::from_bytes("é\t".as_bytes()).expect("value");
        assert_eq!(quoted(&value), r#""é\t""#);
        assert!(HeaderValue::from_str(&long).is_err(), "HTTP has none");
        let value = HeaderValue::from_str(&"x".repeat(5000)).expect("value");
        assert_eq!(quoted(&value).len(), QUOTED + 2);
    }
}
