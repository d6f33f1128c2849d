//! Which settings reach Flink's processes as they were typed.
//!
//! Flink's client takes a setting as `-Dkey=value` and writes all of them into one file of a ConfigMap, which the
//! JobManager and the TaskManagers read. What the client uses itself (the JobManager's environment, for example) is
//! whole, and what goes through the file may not be: then the two roles get different values. tests/formats compares
//! this module with the classes of the releases.

use std::collections::BTreeMap;

use crate::session::flink_config::flag_keys::{Dialect, MINORS, Minor};
use crate::session::spec::SessionSpec;
use crate::session::spec::error::InvalidSpec;
use crate::session::spec::origin::Origin;

/// The file in which Flink keeps its settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum File {
    /// `flink-conf.yaml`: a line `key: value` for each setting, and `#` begins a comment
    /// (`GlobalConfiguration#loadYAMLResource` up to 1.18, `loadLegacyYAMLResource` in 1.19 and 1.20).
    Flat,
    /// `config.yaml`: YAML with nested keys (`YamlParserUtils`, 1.19 and later).
    Nested,
}

impl File {
    pub fn name(self) -> &'static str {
        match self {
            Self::Flat => "flink-conf.yaml",
            Self::Nested => "config.yaml",
        }
    }
}

impl Dialect {
    /// The file of this version.
    pub fn file(self) -> File {
        if self.nests_keys() { File::Nested } else { File::Flat }
    }

    /// True where an image that has a `flink-conf.yaml` makes Flink keep its settings in that.
    pub fn takes_flat_file(self) -> bool {
        self.nests_keys() && self.minor < (2, 0)
    }
}

/// Why a process of the session does not read `value` for `key` when its settings are in `file`, as one clause; none
/// when it does.
pub fn loss(file: File, key: &str, value: &str) -> Option<&'static str> {
    if key.contains('\0') || value.contains('\0') {
        return Some("a NUL character cannot be in an argument of a program");
    }
    if key.is_empty() || key.contains('=') {
        return Some("the name of a setting ends at the first = in an argument of Flink's client");
    }
    match file {
        File::Flat => of_flat(key, value),
        File::Nested => of_nested(key, value),
    }
}

fn of_flat(key: &str, value: &str) -> Option<&'static str> {
    let has_line_end = |text: &str| text.contains(['\n', '\r']);
    if key.contains('#') || key.contains(": ") || has_line_end(key) || has_outer_blank(key) {
        return Some(
            "its name has a #, a line end, an outer blank or a colon with a blank, which flink-conf.yaml cannot hold",
        );
    }
    if has_line_end(value) {
        return Some("its value has a line end, and flink-conf.yaml has one line for each setting");
    }
    if value.contains('#') {
        return Some("its value has a #, with which a comment begins in flink-conf.yaml");
    }
    if value.is_empty() {
        return Some("its value is empty, and flink-conf.yaml loses such a setting");
    }
    has_outer_blank(value).then_some("its value begins or ends with a blank, which flink-conf.yaml loses")
}

/// What Java's `String#trim` takes away: control characters too.
fn has_outer_blank(text: &str) -> bool {
    text.starts_with(|c| c <= ' ') || text.ends_with(|c| c <= ' ')
}

fn of_nested(key: &str, value: &str) -> Option<&'static str> {
    if key.ends_with('.') {
        return Some("its name ends with a dot, which config.yaml loses");
    }
    if key.contains('\u{feff}') {
        return Some("its name has a byte order mark, which config.yaml loses");
    }
    // Text with a line end is written as a block, in which the reader takes these for line ends too.
    let has_other_line_ends = value.contains(['\u{85}', '\u{2028}', '\u{2029}']);
    let is_line_ends = || value.chars().all(|c| c == '\n');
    (value.contains('\n') && (has_other_line_ends || is_line_ends()))
        .then_some("its value has line ends that config.yaml changes")
}

/// A setting that does not arrive, by the name under which it was set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    pub setting: Origin,
    /// The variable, label or annotation.
    entry: Option<String>,
    pub problem: &'static str,
    /// The first newer version in which it arrives.
    pub needs: Option<Minor>,
    kind: Kind,
}

/// What else than a setting of Flink's can hold the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Variable,
    /// Labels, annotations and what else a pod template has.
    OfPod,
    Other,
}

impl Lost {
    /// What it is called where it was set.
    pub fn name(&self) -> String {
        // The command line names only the flag, a file every entry.
        match &self.entry {
            Some(entry) if self.setting.name().starts_with("--") => {
                format!("{} {entry}", self.setting.name())
            }
            _ => self.setting.name().to_owned(),
        }
    }

    /// Where it was set, with the file in front.
    pub fn place(&self) -> String {
        format!("{}{}", self.setting.prefix(), self.name())
    }

    /// What to use instead in Flink of `minor`.
    pub fn hint(&self, minor: Option<Minor>) -> String {
        let newer = self
            .needs
            .map(|(major, minor)| format!("use an image with Flink {major}.{minor} or later (--image)"));
        let has = |since: Minor| minor.is_none_or(|minor| minor >= since);
        let variable = self.entry.as_deref().unwrap_or("NAME");
        let secret = (self.kind == Kind::Variable && has((1, 12)))
            .then(|| format!("use --secret-env {variable}=SECRET:KEY, which takes it from a Secret"));
        let template = (self.kind != Kind::Other && has((1, 13)))
            .then(|| "put it into a pod template (--pod-template)".to_owned());
        let ways: Vec<String> = [newer, secret, template].into_iter().flatten().collect();
        match ways.is_empty() {
            true => "use another name or value: Flink's configuration file cannot hold this one".to_owned(),
            false => ways.join(", or "),
        }
    }
}

/// The flags whose entries come together in one setting.
const MAPS: [&str; 3] = ["--label", "--annotation", "--node-selector"];

impl SessionSpec {
    /// The first of `settings`, those of `dialect`, that is lost on its way through `file`.
    pub fn lost(&self, dialect: Dialect, file: File, settings: &BTreeMap<String, String>) -> Option<Lost> {
        let (key, value, problem) =
            settings.iter().find_map(|(key, value)| Some((key, value, loss(file, key, value)?)))?;
        let later = MINORS.into_iter().filter(|minor| *minor > dialect.minor);
        let needs = later
            .map(|minor| Dialect { minor })
            .find(|later| loss(later.file(), key, value).is_none())
            .map(|later| later.minor);
        let (setting, entry, kind) = self.typed(file, key);
        Some(Lost { setting, entry, problem, needs, kind })
    }

    /// What was typed that `key` is set to something lost in `file`.
    fn typed(&self, file: File, key: &str) -> (Origin, Option<String>, Kind) {
        if let Some(name) = variable_of(key) {
            let setting = match self.settings.env.contains_key(name) {
                true => self.origin_of_entry("--env", name),
                false => self.origin(key),
            };
            return (setting, Some(name.to_owned()), Kind::Variable);
        }
        let flag = crate::session::flink_config::flag_keys::flag_of(key).filter(|flag| MAPS.contains(flag));
        let entries = match flag {
            Some("--label") => &self.settings.labels,
            Some("--annotation") => &self.settings.annotations,
            Some(_) => &self.settings.node_selector,
            None => return (self.origin(key), None, Kind::Other),
        };
        let flag = flag.unwrap_or_default();
        let mut lost =
            entries.iter().filter(|(name, value)| loss(file, "a", &format!("{name}{value}")).is_some());
        match lost.next() {
            Some((name, _)) => (self.origin_of_entry(flag, name), Some(name.clone()), Kind::OfPod),
            None => (self.origin(key), None, Kind::OfPod),
        }
    }
}

/// The environment variable that `key` sets, in either role.
pub fn variable_of(key: &str) -> Option<&str> {
    let roles = ["containerized.master.env.", "containerized.taskmanager.env."];
    roles.into_iter().find_map(|prefix| key.strip_prefix(prefix))
}

/// The namespace is not known yet, and nothing of it is lost.
const ANY_NAMESPACE: &str = "default";

/// Refuses a setting that the expected version loses; without one, what every version loses. What the version in the
/// image loses after all, the bootstrap refuses.
pub fn check(spec: &SessionSpec) -> Result<(), InvalidSpec> {
    let hint = spec.version_hint().and_then(|version| Some((version, Dialect::of(version)?)));
    if let Some((version, dialect)) = hint {
        let settings = spec.flink_settings(dialect, ANY_NAMESPACE).unwrap_or_default();
        return match spec.lost(dialect, dialect.file(), &settings) {
            Some(lost) => Err(InvalidSpec::Lost { lost: Box::new(lost), version: Some(version) }),
            None => Ok(()),
        };
    }
    let mut lost = Dialect::all().map(|dialect| {
        let settings = spec.flink_settings(dialect, ANY_NAMESPACE).ok()?;
        spec.lost(dialect, dialect.file(), &settings)
    });
    let everywhere = lost.try_fold(None, |_, lost| lost.map(Some)).flatten();
    match everywhere {
        Some(lost) => Err(InvalidSpec::Lost { lost: Box::new(lost), version: None }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
