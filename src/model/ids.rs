//! Ids that Flink gives its jobs and requests.
//!
//! They become paths of REST, words of printed commands and candidates of completion. A value of these types has its form
//! by construction: the answers of a JobManager are checked where they are parsed.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A text that is not the id that it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid {what} {text:?}: expected {expected}")]
pub struct InvalidId {
    pub what: &'static str,
    pub text: String,
    pub expected: &'static str,
}

impl InvalidId {
    /// Longer texts are cut in the message.
    const SHOWN: usize = 80;

    pub fn new(what: &'static str, text: &str, expected: &'static str) -> Self {
        Self { what, text: text.chars().take(Self::SHOWN).collect(), expected }
    }
}

/// Flink's `AbstractID` as `toHexString` writes it, in every version since 1.10.
const DIGITS: usize = 32;

fn hexadecimal(what: &'static str, text: &str) -> Result<String, InvalidId> {
    match text.len() == DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        true => Ok(text.to_ascii_lowercase()),
        false => Err(InvalidId::new(what, text, "32 hexadecimal digits")),
    }
}

macro_rules! hexadecimal_id {
    ($(#[$about:meta])* $name:ident, $what:literal) => {
        $(#[$about])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String")]
        pub struct $name(String);

        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                hexadecimal($what, text).map(Self)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                text.parse()
            }
        }

        impl From<u128> for $name {
            fn from(number: u128) -> Self {
                Self(format!("{number:032x}"))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

hexadecimal_id!(
    /// The id of a job.
    JobId,
    "job ID"
);
hexadecimal_id!(
    /// The id of a vertex of a job's graph.
    VertexId,
    "vertex ID"
);
hexadecimal_id!(
    /// The id of a savepoint request, or of the disposal of a savepoint.
    TriggerId,
    "request ID"
);

#[cfg(test)]
impl JobId {
    /// An id that begins with `word`, or with its bytes where it is not hexadecimal. For tests.
    pub fn of(word: &str) -> Self {
        let is_hexadecimal = word.bytes().all(|byte| byte.is_ascii_hexdigit());
        let digits = match is_hexadecimal {
            true => word.to_owned(),
            false => word.bytes().map(|byte| format!("{byte:02x}")).collect(),
        };
        Self(format!("{digits:0<32}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_32_hexadecimal_digits() {
        let id = "CB37BE232BA71FE15975D155CD4FA7F2".parse::<JobId>().expect("an id");
        assert_eq!(id.to_string(), "cb37be232ba71fe15975d155cd4fa7f2");
        assert_eq!(JobId::from(0xab).as_str(), "000000000000000000000000000000ab");
        for text in [
            "",
            "cb37",
            "$(touch x)",
            "../../jars/upload/../../../../../..",
            "cb37be232ba71fe15975d155cd4fa7f\u{661}",
            "\u{1b}]0;x\u{7}cb37be232ba71fe15975d155cd",
            "cb37be232ba71fe15975d155cd4fa7f2 ",
        ] {
            let error = text.parse::<JobId>().expect_err(text);
            assert!(error.to_string().starts_with("invalid job ID"), "{error}");
        }
        let json = serde_json::from_str::<VertexId>(r#""$(touch x)""#).expect_err("no id");
        assert_eq!(json.to_string(), "invalid vertex ID \"$(touch x)\": expected 32 hexadecimal digits");
        let id: TriggerId = serde_json::from_str(r#""1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f""#).expect("an id");
        assert_eq!(serde_json::to_string(&id).expect("json"), r#""1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f""#);
    }
}
