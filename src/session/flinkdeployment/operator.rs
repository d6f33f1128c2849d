//! Versions of the Flink operator, whose manifests differ.

use std::str::FromStr;

use crate::session::FlinkVersion;

/// `MAJOR.MINOR`, whatever follows. The default is the operator as of its main branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OperatorVersion {
    major: u16,
    minor: u16,
}

impl OperatorVersion {
    /// FLINK-33548: `resources` replaces `resource`.
    pub const WITH_RESOURCES: Self = Self { major: 1, minor: 16 };
}

impl Default for OperatorVersion {
    fn default() -> Self {
        Self::WITH_RESOURCES
    }
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a version of the Flink operator such as 1.15")]
pub struct InvalidOperatorVersion(String);

impl FromStr for OperatorVersion {
    type Err = InvalidOperatorVersion;

    /// Reads `1.15`, `1.15.0`, `v1.15` and `1.16-SNAPSHOT`.
    fn from_str(text: &str) -> Result<Self, InvalidOperatorVersion> {
        let plain = text.strip_prefix('v').unwrap_or(text);
        let release = plain.split_once('-').map_or(plain, |(release, _)| release);
        match release.parse::<FlinkVersion>() {
            Ok(version) => Ok(Self { major: version.major, minor: version.minor }),
            Err(_) => Err(InvalidOperatorVersion(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_they_are_written() {
        let read = |text: &str| text.parse::<OperatorVersion>();
        for text in ["1.15", "1.15.0", "v1.15.1", "1.15-rc1", "0.9"] {
            assert!(read(text).expect(text) < OperatorVersion::WITH_RESOURCES, "{text}");
        }
        for text in ["1.16", "1.16-SNAPSHOT", "1.17.0", "2.0"] {
            assert!(read(text).expect(text) >= OperatorVersion::WITH_RESOURCES, "{text}");
        }
        for text in ["", "1", "latest", "v", "1.x"] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
