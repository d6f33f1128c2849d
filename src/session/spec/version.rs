//! Flink versions, as they stand in image tags and in the name of the `flink-dist` jar.

use std::fmt;
use std::str::FromStr;

/// Native Kubernetes sessions came with Flink 1.10.
pub const OLDEST: FlinkVersion = FlinkVersion { major: 1, minor: 10, patch: None };
/// The newest version whose keys and REST shapes are known here.
pub const NEWEST: FlinkVersion = FlinkVersion { major: 2, minor: 3, patch: None };
/// What `create` runs when it is told nothing.
pub const DEFAULT_IMAGE: &str = "flink:2.3.0";

/// `MAJOR.MINOR` or `MAJOR.MINOR.PATCH`; ordered, without a patch first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FlinkVersion {
    pub major: u16,
    pub minor: u16,
    pub patch: Option<u16>,
}

impl FlinkVersion {
    pub fn minor(self) -> (u16, u16) {
        (self.major, self.minor)
    }

    /// True when this is older than `major.minor`, whatever the patch.
    pub fn is_before(self, other: FlinkVersion) -> bool {
        (self.major, self.minor) < (other.major, other.minor)
    }

    /// The version at the start of the tag of an image that is called `flink`, for example 1.20.5 in
    /// `flink:1.20.5-java17`. The tags of other images count somebody's own releases, and even this
    /// one says what somebody called the image, not what is in it.
    pub fn from_image_tag(image: &str) -> Option<Self> {
        let name = image.split_once('@').map_or(image, |(name, _digest)| name);
        // A colon before the last slash is a registry's port.
        let (repository, tag) = name.rsplit('/').next()?.split_once(':')?;
        if repository != "flink" {
            return None;
        }
        let end = tag.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(tag.len());
        tag[..end].parse().ok()
    }
}

impl fmt::Display for FlinkVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)?;
        self.patch.map_or(Ok(()), |patch| write!(f, ".{patch}"))
    }
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a Flink version such as 1.20 or 2.3.0")]
pub struct InvalidVersion(pub String);

impl FromStr for FlinkVersion {
    type Err = InvalidVersion;

    fn from_str(text: &str) -> Result<Self, InvalidVersion> {
        let invalid = || InvalidVersion(text.to_owned());
        let numbers = text
            .split('.')
            .map(|part| part.parse::<u16>().map_err(|_| invalid()))
            .collect::<Result<Vec<_>, _>>()?;
        match numbers[..] {
            [major, minor] => Ok(Self { major, minor, patch: None }),
            [major, minor, patch] => Ok(Self { major, minor, patch: Some(patch) }),
            _ => Err(invalid()),
        }
    }
}

/// True for the images that the Flink project makes, by their name and an unadorned tag: only of these is
/// it known what they bring along.
pub fn is_official(image: &str) -> bool {
    const NAMES: [&str; 6] = [
        "flink",
        "library/flink",
        "apache/flink",
        "docker.io/library/flink",
        "docker.io/flink",
        "docker.io/apache/flink",
    ];
    let numbers = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit() || c == '.');
    let plain = |tag: &str| {
        let mut parts = tag.split('-');
        let of_build =
            |part: &str| ["java", "scala_"].iter().any(|word| part.strip_prefix(word).is_some_and(numbers));
        parts.next().is_some_and(numbers) && parts.all(of_build)
    };
    image.split_once(':').is_some_and(|(name, tag)| NAMES.contains(&name) && plain(tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_of_somebodys_own_is_not_official() {
        for image in
            ["flink:2.3.0", "apache/flink:1.20-java17", "docker.io/library/flink:1.20.5-scala_2.12-java17"]
        {
            assert!(is_official(image), "{image}");
        }
        for image in ["flink", "flink:latest", "flink:1.20-s3", "mirror.example/flink:1.20", "flink@sha256:0"]
        {
            assert!(!is_official(image), "{image}");
        }
    }

    #[test]
    fn reads_two_or_three_numbers() {
        assert_eq!("1.20".parse(), Ok(FlinkVersion { major: 1, minor: 20, patch: None }));
        assert_eq!("2.3.0".parse(), Ok(FlinkVersion { major: 2, minor: 3, patch: Some(0) }));
        for wrong in ["", "2", "v2.3", "2.x", "1.2.3.4", "latest", "1..2"] {
            assert_eq!(wrong.parse::<FlinkVersion>(), Err(InvalidVersion(wrong.to_owned())));
        }
    }

    #[test]
    fn a_tag_tells_the_version_where_it_starts_with_one() {
        let tag = |image| FlinkVersion::from_image_tag(image).map(|v| v.to_string());
        assert_eq!(tag("flink:1.20.5").as_deref(), Some("1.20.5"));
        assert_eq!(tag("flink:1.10").as_deref(), Some("1.10"));
        assert_eq!(tag("host:5000/team/flink:2.3.0-scala_2.12-java17").as_deref(), Some("2.3.0"));
        assert_eq!(tag("flink:1.20@sha256:00ff").as_deref(), Some("1.20"));
        assert_eq!(tag("registry.example/team/etl:1.4.2"), None);
        assert_eq!(tag("flink"), None);
        assert_eq!(tag("host:5000/flink"), None);
        assert_eq!(tag("flink:latest"), None);
        assert_eq!(tag("flink:stable-2.3"), None);
    }

    #[test]
    fn only_major_and_minor_decide_what_is_too_old() {
        let version = |text: &str| text.parse::<FlinkVersion>().expect(text);
        assert!(version("1.9.3").is_before(OLDEST));
        assert!(!version("1.10.0").is_before(OLDEST));
        assert!(!version("2.0").is_before(OLDEST));
        assert!(NEWEST.is_before(version("2.4")));
    }
}
