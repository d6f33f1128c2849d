//! Flink's configuration keys: which versions read them, under which name, what their values look
//! like, and what goes without saying.
//!
//! The facts are in `keys.tsv`, which `dev/flink-keys` writes out of the classes of Flink's releases and
//! whose head says how to read it. A key that is not there may still be read: by a plugin, a reporter or
//! the job.

use std::sync::LazyLock;

use crate::session::spec::version::OLDEST;

pub use crate::session::flink_config::key_values::{nanoseconds, problem};

/// `(major, minor)` of a Flink version. One that is newer than the table's newest counts as that one.
pub(super) type Version = (u16, u16);

/// A name that some version of Flink reads.
#[derive(Debug)]
pub struct Key {
    pub name: &'static str,
    /// What the newest version that reads it takes as the value.
    pub kind: Kind,
    /// What older versions took, with the version that changed it; oldest first.
    former: Vec<(Version, Kind)>,
    /// Oldest first.
    changes: Vec<Change>,
    /// What each version uses when nothing is said, from the first that has the setting on; an empty text
    /// is nothing. Without any, those of the name that the setting has in the end count.
    defaults: Vec<(Version, &'static str)>,
}

/// How Flink parses a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    Boolean,
    /// 32 bits, signed.
    Integer,
    /// 64 bits, signed. Where it is a time, it is in milliseconds.
    Long,
    Double,
    /// A whole number with a unit; of milliseconds without one.
    Duration,
    /// A whole number with a 1024-based unit; of bytes without one.
    Memory,
    /// One of these, in any case.
    Enum(Vec<&'static str>),
    List,
    Map,
    Text,
}

/// What happens to a name from some version on.
#[derive(Debug)]
enum Change {
    Read { since: Version },
    Called { since: Version, other: &'static str },
    Gone { after: Version },
}

/// Which versions read a setting, for an error in another version.
pub fn read_by(since: Option<Version>, until: Option<Version>) -> String {
    let text = |(major, minor): Version| format!("{major}.{minor}");
    match (since.map(text), until.map(text)) {
        (Some(since), Some(until)) if since == until => format!("only {since} reads it"),
        (Some(since), Some(until)) => format!("{since} to {until} read it"),
        (Some(since), None) => format!("it came with {since}"),
        (None, Some(until)) => format!("{until} was the last to read it"),
        (None, None) => "no version does".to_owned(),
    }
}

/// What a version of Flink does with a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// It reads the setting under this name.
    AsIs,
    /// The setting has this name there. The version may still read the other one as an alias, but from
    /// 1.19 on an old name that is a dotted prefix of a new one corrupts the nested `config.yaml`.
    Renamed(&'static str),
    /// It has no such setting, under any name.
    Unread {
        /// The first version that has it; none when the oldest one already did.
        since: Option<Version>,
        /// The last version that has it; none when the newest one still does.
        until: Option<Version>,
    },
    /// The table does not know the name.
    Unknown,
}

/// Sorted by name.
static KEYS: LazyLock<Vec<Key>> = LazyLock::new(|| {
    include_str!("keys.tsv").lines().filter(|line| !line.starts_with('#')).filter_map(Key::parse).collect()
});

/// Names whose rest the user chooses, or another library knows: a plugin's file system, a reporter, an operator.
const OPEN_PREFIXES: [&str; 24] = [
    "$internal.",
    "azure.",
    "containerized.master.env.",
    "containerized.taskmanager.env.",
    "dfs.",
    "events.reporter.",
    "external-resource.",
    "flink.hadoop.",
    "flink.yarn.",
    "fs.azure.",
    "fs.cos",
    "fs.gs.",
    "fs.oss.",
    "fs.s3",
    "gs.",
    "job.autoscaler.",
    "kubernetes.operator.",
    "metrics.reporter.",
    "oss.",
    "s3.",
    "s3a.",
    "security.delegation.token.provider.",
    "traces.reporter.",
    "yarn.",
];

/// The key of this name, in whatever version.
pub fn known(name: &str) -> Option<&'static Key> {
    KEYS.binary_search_by_key(&name, |key| key.name).ok().map(|index| &KEYS[index])
}

/// The keys that Flink of `version` reads under their own names.
pub fn read_in(version: Version) -> impl Iterator<Item = &'static Key> {
    KEYS.iter().filter(move |key| key.reading(version) == Reading::AsIs)
}

/// What Flink of `version` does with `name`.
pub fn reading(name: &str, version: Version) -> Reading {
    known(name).map_or(Reading::Unknown, |key| key.reading(version))
}

/// How Flink of `version` parses the value of the setting, whatever its name there; none where it has no
/// such setting. Many times were a number of milliseconds up to 1.19 and are durations since.
pub fn kind_in(name: &str, version: Version) -> Option<&'static Kind> {
    let key = known(name)?;
    if matches!(key.reading(version), Reading::Unread { .. }) {
        return None;
    }
    Some(key.former.iter().find(|(until, _)| version < *until).map_or(&key.kind, |(_, kind)| kind))
}

/// The value that Flink of `version` uses when nothing is said, as its own class has it; none where it has
/// no such setting or the setting has no value then.
pub fn default_in(name: &str, version: Version) -> Option<&'static str> {
    let key = known(name)?;
    if matches!(key.reading(version), Reading::Unread { .. }) {
        return None;
    }
    let source = match key.changes.last() {
        Some(Change::Called { other, .. }) if key.defaults.is_empty() => known(other)?,
        _ => key,
    };
    let holds = |(since, _): &&(Version, &str)| *since <= version.max((OLDEST.major, OLDEST.minor));
    let (_, value) = source.defaults.iter().rev().find(holds)?;
    Some(*value).filter(|value| !value.is_empty())
}

/// Why Flink of `version` will not parse `value` for `name`: as [`problem`], with what only some versions parse.
pub fn problem_in(name: &str, version: Version, value: &str) -> Option<String> {
    match kind_in(name, version)? {
        Kind::Duration => crate::session::flink_config::key_values::duration_problem(value, version),
        kind => problem(kind, value),
    }
}

/// Every name that the setting has in some version, `name` included; none when it never had another.
pub fn names_of(name: &str) -> Vec<&'static str> {
    let Some(key) = known(name) else {
        return Vec::new();
    };
    let is_other = |other: &&Key| other.is_called(key.name) || key.is_called(other.name);
    let mut names: Vec<_> = KEYS.iter().filter(is_other).map(|other| other.name).collect();
    if !names.is_empty() {
        names.push(key.name);
    }
    names
}

/// The known name that `name`, an unknown one, is most probably a mistyping of.
pub fn did_you_mean(name: &str) -> Option<&'static str> {
    if known(name).is_some() || is_open(name) {
        return None;
    }
    let squashed = squash(name);
    // In a short name, two other letters make another word.
    let most = if name.len() < 12 { 1 } else { 2 };
    KEYS.iter()
        .filter(|key| !extends(name, key.name) && !extends(key.name, name))
        .filter_map(|key| {
            let other = squash(key.name);
            if other.len().abs_diff(squashed.len()) > most {
                return None;
            }
            let distance = strsim::damerau_levenshtein(&squashed, &other);
            // Of two names that are as near, the one that Flink reads today.
            (distance <= most).then_some((distance, !key.is_current(), key.name))
        })
        .min()
        .map(|(_, _, name)| name)
}

/// True where the user may write whatever they like: below a prefix of that kind, or below a map.
fn is_open(name: &str) -> bool {
    OPEN_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        || name
            .match_indices('.')
            .any(|(dot, _)| known(&name[..dot]).is_some_and(|key| key.kind == Kind::Map))
}

/// True when `longer` is `name` with more words behind it: another setting, or one of the user's own.
fn extends(longer: &str, name: &str) -> bool {
    longer.strip_prefix(name).is_some_and(|rest| rest.starts_with('.'))
}

/// The letters alone: `numberOfTaskSlots` and `number-of-task-slots` are the same.
fn squash(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '.' | '-' | '_')).map(|c| c.to_ascii_lowercase()).collect()
}

impl Key {
    fn parse(line: &'static str) -> Option<Self> {
        let mut fields = line.split('\t');
        let (name, kinds, changes) = (fields.next()?, fields.next()?, fields.next()?);
        let mut kinds = kinds.split(' ');
        let mut kind = Kind::parse(kinds.next()?)?;
        let mut former = Vec::new();
        for change in kinds {
            let (since, newer) = change.split_once('=')?;
            former.push((parse_version(since)?, std::mem::replace(&mut kind, Kind::parse(newer)?)));
        }
        let changes = changes.split(' ').map(Change::parse).collect::<Option<_>>()?;
        let defaults = fields.enumerate().map(|(index, field)| match index {
            0 => Some(((OLDEST.major, OLDEST.minor), field)),
            _ => field.split_once('=').and_then(|(since, value)| Some((parse_version(since)?, value))),
        });
        Some(Self { name, kind, former, changes, defaults: defaults.collect::<Option<_>>()? })
    }

    fn reading(&self, version: Version) -> Reading {
        let version = version.max((OLDEST.major, OLDEST.minor));
        match self.changes.iter().rev().find(|change| change.holds(version)) {
            Some(Change::Read { .. }) => Reading::AsIs,
            Some(Change::Called { other, .. }) => Reading::Renamed(other),
            Some(Change::Gone { .. }) | None => self.unread(),
        }
    }

    fn unread(&self) -> Reading {
        let since = self.changes.first().and_then(|change| match change {
            Change::Read { since } | Change::Called { since, .. } => Some(*since),
            Change::Gone { .. } => None,
        });
        let until = self.changes.last().and_then(|change| match change {
            Change::Gone { after } => Some(*after),
            Change::Read { .. } | Change::Called { .. } => None,
        });
        Reading::Unread { since: since.filter(|since| *since > (OLDEST.major, OLDEST.minor)), until }
    }

    /// True when some version calls this setting `name`.
    fn is_called(&self, name: &str) -> bool {
        self.changes.iter().any(|change| matches!(change, Change::Called { other, .. } if *other == name))
    }

    /// True when the newest version reads this name.
    fn is_current(&self) -> bool {
        matches!(self.changes.last(), Some(Change::Read { .. }))
    }
}

impl Change {
    fn parse(text: &'static str) -> Option<Self> {
        if let Some(after) = text.strip_prefix('-') {
            return Some(Self::Gone { after: parse_version(after)? });
        }
        Some(match text.split_once(':') {
            Some((since, other)) => Self::Called { since: parse_version(since)?, other },
            None => Self::Read { since: parse_version(text)? },
        })
    }

    fn holds(&self, version: Version) -> bool {
        match self {
            Self::Read { since } | Self::Called { since, .. } => version >= *since,
            Self::Gone { after } => version > *after,
        }
    }
}

impl Kind {
    fn parse(text: &'static str) -> Option<Self> {
        Some(match text {
            "boolean" => Self::Boolean,
            "integer" => Self::Integer,
            "long" => Self::Long,
            "double" => Self::Double,
            "duration" => Self::Duration,
            "memory" => Self::Memory,
            "list" => Self::List,
            "map" => Self::Map,
            "text" => Self::Text,
            _ => Self::Enum(text.strip_prefix("enum:")?.split('|').collect()),
        })
    }
}

fn parse_version(text: &str) -> Option<Version> {
    let (major, minor) = text.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// Names of what should not be read by everybody who may read a ConfigMap; as Flink's own
/// `GlobalConfiguration#SENSITIVE_KEYS` has them.
pub fn is_secret(key: &str) -> bool {
    const WORDS: [&str; 12] = [
        "password",
        "secret",
        "token",
        "credential",
        "apikey",
        "api-key",
        "account.key",
        "auth-params",
        "service-key",
        "basic-auth",
        "jaas.config",
        "http-headers",
    ];
    // Names of Secrets.
    const NAMES: [&str; 3] =
        ["kubernetes.container.image.pull-secrets", "kubernetes.env.secretkeyref", "kubernetes.secrets"];
    let key = key.to_ascii_lowercase().replace('_', "-");
    WORDS.iter().any(|word| key.contains(word)) && !NAMES.contains(&key.as_str())
}

#[cfg(test)]
mod tests;
