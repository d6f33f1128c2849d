//! Where a setting was set, and what it is called there, so that an error names what the user wrote.
//!
//! The same setting is `--slots` on the command line, `slots` in the config file and
//! `taskmanager.numberOfTaskSlots` in a manifest.

use std::collections::BTreeMap;
use std::fmt;

use super::settings::Layer;
use crate::session::flink_config::flag_keys;
use crate::session::flink_config::memory::Role;
use crate::session::spec::SessionSpec;
use crate::session::text::yaml::Node;

/// The layer that a setting comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Source {
    /// On the command line.
    #[default]
    Flags,
    /// In a manifest, by the name of its file.
    Manifest(String),
    /// In a profile of the user's config file.
    Profile(String),
    /// In the config file, for one context.
    Context(String),
    /// In the config file, for all contexts.
    Defaults,
}

/// Where a setting stands in a file, and what it is called there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub name: String,
    pub line: u32,
    pub column: u32,
}

impl Place {
    pub fn of(node: &Node, name: impl Into<String>) -> Self {
        let (line, column) = node.place();
        let number = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        Self { name: name.into(), line: number(line), column: number(column) }
    }
}

/// The places of settings by flag (`--image`), by [entry](entry) of a flag, and by Flink's key.
pub type Places = BTreeMap<String, Place>;

/// What stands for one entry of a flag that can be repeated, such as one label.
pub fn entry(flag: &str, entry: &str) -> String {
    format!("{flag} {entry}")
}

/// Where a setting was set. It displays as the name of the setting with its file and line in front; a setting
/// from the command line is its name alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    pub source: Source,
    name: Box<str>,
    /// Line and column.
    place: Option<(u32, u32)>,
}

/// Origins by flag, by [entry](entry) of a flag, and by Flink's key.
pub type Origins = BTreeMap<String, Origin>;

impl Origin {
    /// The origin of `setting`, a flag or a key of Flink's, on the command line.
    pub fn of_command_line(setting: &str) -> Self {
        let is_flag = setting.starts_with("--");
        let name = if is_flag { setting.to_owned() } else { format!("-D {setting}") };
        Self { source: Source::Flags, name: name.into(), place: None }
    }

    /// The origin of `setting` in a layer; without a place, the setting has the name that the command line has
    /// for it.
    pub fn new(setting: &str, source: &Source, place: Option<&Place>) -> Self {
        match place {
            Some(place) => Self {
                source: source.clone(),
                name: place.name.as_str().into(),
                place: Some((place.line, place.column)),
            },
            None => Self { source: source.clone(), ..Self::of_command_line(setting) },
        }
    }

    /// What the setting is called where it was set: `--slots`, `-D KEY`, or a field of a file.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn is_command_line(&self) -> bool {
        self.source == Source::Flags
    }

    /// The file and the line, with a colon behind; nothing for the command line.
    pub fn prefix(&self) -> String {
        let file = match &self.source {
            Source::Flags => return String::new(),
            Source::Manifest(file) => {
                let place = self.place.map(|(line, column)| format!("line {line}, column {column}: "));
                return format!("{file}: {}", place.unwrap_or_default());
            }
            Source::Profile(name) => format!("profile {name} of the config file"),
            Source::Context(name) => format!("context {name} of the config file"),
            Source::Defaults => "the defaults of the config file".to_owned(),
        };
        match self.place {
            Some((line, column)) => format!("{file}, line {line}, column {column}: "),
            None => format!("{file}: "),
        }
    }

    /// The name of another setting that an error about this one mentions.
    pub fn beside(&self, other: &Origin) -> String {
        match other.prefix() {
            prefix if other.source == self.source || prefix.is_empty() => other.name.to_string(),
            prefix => format!("{} ({})", other.name, prefix.trim_end_matches(": ")),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.prefix(), self.name)
    }
}

impl Layer {
    pub(in crate::session) fn origin(&self, setting: &str) -> Origin {
        Origin::new(setting, &self.source, self.places.get(setting))
    }

    /// The origin of each setting of this layer.
    pub(in crate::session) fn origins(&self) -> Origins {
        let flags = self.settings.flags().into_iter().map(str::to_owned);
        let settings = flags.chain(self.settings.config.keys().cloned()).chain(self.settings.entries());
        settings
            .map(|setting| {
                // What no file has a place for stands where the whole flag stands.
                let flag = setting.split(' ').next().unwrap_or_default();
                let place = self.places.get(&setting).or_else(|| self.places.get(flag));
                let origin = match place {
                    None => self.origin(flag),
                    place => Origin::new(&setting, &self.source, place),
                };
                (setting, origin)
            })
            .collect()
    }
}

/// Where the settings of a session were set.
impl SessionSpec {
    pub fn source(&self, flag_or_key: &str) -> Source {
        self.origins.get(flag_or_key).map(|origin| origin.source.clone()).unwrap_or_default()
    }

    /// Where a flag, or a key of Flink's, was set. What was set in other words counts too: a key by its flag, and
    /// the pod template of both roles by the templates of the roles.
    pub fn origin(&self, setting: &str) -> Origin {
        const TEMPLATES: [&str; 3] =
            ["--pod-template", "--jobmanager-pod-template", "--taskmanager-pod-template"];
        let templates = TEMPLATES.into_iter().filter(|_| TEMPLATES.contains(&setting));
        let named = [setting].into_iter().chain(flag_keys::flag_of(setting)).chain(templates);
        let found = named.into_iter().find_map(|name| self.origins.get(name));
        found.cloned().unwrap_or_else(|| Origin::of_command_line(setting))
    }

    /// Where one entry of a flag that can be repeated was set, such as one label; or the flag itself.
    pub fn origin_of_entry(&self, flag: &str, entry: &str) -> Origin {
        self.origins.get(&self::entry(flag, entry)).cloned().unwrap_or_else(|| self.origin(flag))
    }

    /// Where the memory of `role` was set, whether by the flag or by one of Flink's own keys.
    pub fn origin_of_memory(&self, role: Role) -> Origin {
        let flag = match role {
            Role::JobManager => "--jobmanager-memory",
            Role::TaskManager => "--taskmanager-memory",
        };
        let by_key = self.settings.config.keys().find(|key| {
            flag_keys::flag_of(key) == Some(flag)
                || flag_keys::sizes_instead_of(flag).iter().any(|keys| keys.contains(&key.as_str()))
        });
        self.origin(by_key.map_or(flag, String::as_str))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_names_what_the_user_wrote_and_where() {
        let place = Place { name: "config.a.b".to_owned(), line: 3, column: 9 };
        let of = |source: Source| Origin::new("a.b", &source, Some(&place)).to_string();
        assert_eq!(Origin::of_command_line("a.b").to_string(), "-D a.b");
        assert_eq!(Origin::of_command_line("parallelism").to_string(), "-D parallelism");
        assert_eq!(Origin::of_command_line("--label team.example/a").to_string(), "--label team.example/a");
        assert_eq!(of(Source::Manifest("roc.yaml".to_owned())), "roc.yaml: line 3, column 9: config.a.b");
        assert_eq!(
            of(Source::Profile("big".to_owned())),
            "profile big of the config file, line 3, column 9: config.a.b"
        );
        assert_eq!(of(Source::Defaults), "the defaults of the config file, line 3, column 9: config.a.b");
    }

    #[test]
    fn a_second_setting_is_named_with_its_file_where_that_is_another() {
        let place = Place { name: "slots".to_owned(), line: 3, column: 9 };
        let config = Origin::new("--slots", &Source::Defaults, Some(&place));
        let typed = Origin::of_command_line("--slots");
        assert_eq!(config.beside(&config), "slots");
        assert_eq!(config.beside(&typed), "--slots");
        assert_eq!(typed.beside(&config), "slots (the defaults of the config file, line 3, column 9)");
    }
}
