//! Paths of Flink's REST API, with their queries: the only place where text becomes part of a URL.
//!
//! A JobManager decodes every segment of a path as a form field, in which a `+` is a space
//! (`Router#decodePathTokens`), and the API server's proxy decodes `%2B` and sends a `+`. Therefore a segment with such a
//! character can reach the JobManager as another one, however it is encoded here. Text that this program chooses, such
//! as the name of an uploaded jar, holds unreserved characters only.

use std::fmt;

/// The path of one request, such as `/jobs/overview`, with its query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestPath(String);

impl RestPath {
    /// The path with these segments. Each is percent-encoded.
    pub fn of<const N: usize>(segments: [&str; N]) -> Self {
        Self(segments.iter().map(|segment| format!("/{}", segment_of(segment))).collect())
    }

    /// The same path with one more parameter. Flink splits a value at its commas (`MessageQueryParameter`).
    #[must_use]
    pub fn with<'v>(self, key: &str, values: impl IntoIterator<Item = &'v str>) -> Self {
        let separator = if self.0.contains('?') { '&' } else { '?' };
        let values: Vec<String> = values.into_iter().map(encoded).collect();
        Self(format!("{}{separator}{}={}", self.0, encoded(key), values.join(",")))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RestPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One segment. A segment of dots alone would be a step in the path, which clients and proxies take away.
fn segment_of(text: &str) -> String {
    match text {
        "." | ".." => text.replace('.', "%2E"),
        text => encoded(text),
    }
}

/// `text` with every byte percent-encoded that is not unreserved (RFC 3986, 2.3).
fn encoded(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(encode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_segment_stays_one() {
        for (text, segment) in [
            ("overview", "overview"),
            ("roc-taskmanager-1-1", "roc-taskmanager-1-1"),
            ("10.0.0.1:6122-ab", "10.0.0.1%3A6122-ab"),
            ("a/b", "a%2Fb"),
            ("a+b c%2B", "a%2Bb%20c%252B"),
            ("a?b=c&d#e", "a%3Fb%3Dc%26d%23e"),
            ("é\n", "%C3%A9%0A"),
            ("..", "%2E%2E"),
            (".", "%2E"),
            ("a..b", "a..b"),
        ] {
            assert_eq!(RestPath::of(["jobs", text]).as_str(), format!("/jobs/{segment}"), "{text:?}");
        }
    }

    #[test]
    fn a_query_holds_its_values_and_nothing_more() {
        let path = RestPath::of(["jobmanager", "metrics"]).with("get", ["a.b", "c&d=e,f+"]).with("x", ["1"]);
        assert_eq!(path.as_str(), "/jobmanager/metrics?get=a.b,c%26d%3De%2Cf%2B&x=1");
    }
}
