//! Kubeconfigs, read as kubectl reads them (client-go, `tools/clientcmd/loader.go`).
//!
//! Only what is chosen is looked into: a file may have thousands of entries. No error quotes a file, for its
//! neighbours are tokens and keys.

mod outline;

use std::collections::HashSet;

use std::path::{Path, PathBuf};

use kube::config::{AuthInfo, Cluster, Context};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::error::{ClusterError, Result};
use crate::session::text::yaml::{self, Node};

/// A file of this size takes a parser long enough to be noticed: completion has 0.9 s.
const LARGE: usize = 256 * 1024;

/// The files of a list, merged: of entries with the same name the first counts.
#[derive(Debug, Default)]
pub struct Kubeconfig {
    pub current_context: Option<String>,
    pub contexts: Vec<Entry>,
    pub clusters: Vec<Entry>,
    pub users: Vec<Entry>,
}

/// A context, a cluster or a user.
#[derive(Debug)]
pub struct Entry {
    pub name: String,
    /// The file that it stands in.
    file: PathBuf,
    /// The list that it stands in, such as `users`.
    list: &'static str,
    body: Body,
}

#[derive(Debug)]
enum Body {
    Read(Node),
    /// The text of the entry alone, and the lines in front of it.
    Unread {
        text: String,
        lines: u64,
    },
    Json(Value),
}

impl Kubeconfig {
    /// Merges the files; none when there is none.
    ///
    /// # Errors
    /// For a file that cannot be read, with the place of what is wrong in it.
    pub fn read(files: &[PathBuf]) -> Result<Option<Self>> {
        let mut merged: Option<Self> = None;
        for file in files {
            let next = Self::of_file(file).map_err(|why| {
                ClusterError::Config(format!("cannot read kubeconfig {}: {why}", file.display()))
            })?;
            merged = Some(match merged {
                Some(earlier) => earlier.merge(next),
                None => next,
            });
        }
        Ok(merged)
    }

    fn of_file(file: &Path) -> std::result::Result<Self, String> {
        let text = text_of(&std::fs::read(file).map_err(|error| error.to_string())?)?;
        let read = match text.len() > LARGE {
            true => outline::read(&text, file).or_else(|| Self::of_json(&text, file)),
            false => None,
        };
        let read = match read {
            Some(read) => read,
            None => Self::parse(&text, file)?,
        };
        read.check_names()?;
        Ok(read)
    }

    fn parse(text: &str, file: &Path) -> std::result::Result<Self, String> {
        let documents = yaml::parse_as_go(text).map_err(|error| error.to_string())?;
        // kubectl reads no further than that.
        let Some(document) = documents.into_iter().next() else { return Ok(Self::default()) };
        let mut read = Self::default();
        let fields = document.into_pairs("a kubeconfig").map_err(|error| error.to_string())?;
        for (key, value) in fields {
            let list = match key.text("a key").unwrap_or_default() {
                "current-context" if !value.is_null() => {
                    let text = value.text("current-context").map_err(|error| error.to_string())?;
                    read.current_context = Some(text.to_owned()).filter(|name| !name.is_empty());
                    continue;
                }
                "contexts" => (&mut read.contexts, "contexts"),
                "clusters" => (&mut read.clusters, "clusters"),
                "users" => (&mut read.users, "users"),
                _ => continue,
            };
            *list.0 = entries(value, list.1, file).map_err(|error| error.to_string())?;
        }
        Ok(read)
    }

    /// A large one that is JSON: its own parser is several times as fast. None for what is not, or is broken.
    fn of_json(text: &str, file: &Path) -> Option<Self> {
        let whole: Value = serde_json::from_str(text).ok().filter(Value::is_object)?;
        let entries = |list: &'static str| {
            let entry = |value: &Value| {
                let name = value.get("name").map_or(Some(""), Value::as_str)?.to_owned();
                Some(Entry { name, file: file.to_owned(), list, body: Body::Json(value.clone()) })
            };
            match whole.get(list) {
                None | Some(Value::Null) => Some(Vec::new()),
                Some(entries) => entries.as_array()?.iter().map(entry).collect(),
            }
        };
        let current = match whole.get("current-context") {
            None | Some(Value::Null) => None,
            Some(name) => Some(name.as_str()?.to_owned()).filter(|name| !name.is_empty()),
        };
        Some(Self {
            current_context: current,
            contexts: entries("contexts")?,
            clusters: entries("clusters")?,
            users: entries("users")?,
        })
    }

    /// client-go, `tools/clientcmd/api/v1/conversion.go`.
    fn check_names(&self) -> std::result::Result<(), String> {
        for (list, entries) in
            [("contexts", &self.contexts), ("clusters", &self.clusters), ("users", &self.users)]
        {
            let mut names = HashSet::new();
            if let Some(twice) = entries.iter().find(|entry| !names.insert(entry.name.as_str())) {
                return Err(format!("duplicate name {:?} in {list}", twice.name));
            }
        }
        Ok(())
    }

    fn merge(mut self, next: Self) -> Self {
        let add = |known: &mut Vec<Entry>, more: Vec<Entry>| {
            let names: HashSet<String> = known.iter().map(|entry| entry.name.clone()).collect();
            known.extend(more.into_iter().filter(|entry| !names.contains(&entry.name)));
        };
        self.current_context = self.current_context.or(next.current_context);
        add(&mut self.contexts, next.contexts);
        add(&mut self.clusters, next.clusters);
        add(&mut self.users, next.users);
        self
    }

    /// # Errors
    /// For an entry with a field that is not what it should be, as for all three.
    pub fn context(&self, name: &str) -> Result<Option<Context>> {
        find(&self.contexts, name).map(|entry| entry.value("context")).transpose()
    }

    pub fn cluster(&self, name: &str) -> Result<Option<Cluster>> {
        find(&self.clusters, name).map(|entry| entry.value("cluster")).transpose()
    }

    pub fn user(&self, name: &str) -> Result<Option<AuthInfo>> {
        find(&self.users, name).map(|entry| entry.value("user")).transpose()
    }
}

fn find<'e>(entries: &'e [Entry], name: &str) -> Option<&'e Entry> {
    entries.iter().find(|entry| entry.name == name)
}

fn entries(list: Node, name: &'static str, file: &Path) -> std::result::Result<Vec<Entry>, yaml::YamlError> {
    let entry = |node: Node| {
        let named = node
            .pairs(&format!("an entry of {name}"))?
            .iter()
            .find(|(key, _)| key.text("a key").is_ok_and(|key| key == "name"));
        let text = match named {
            Some((_, value)) if !value.is_null() => value.text("the name")?.to_owned(),
            _ => String::new(),
        };
        Ok(Entry { name: text, file: file.to_owned(), list: name, body: Body::Read(node) })
    };
    list.into_items(name)?.into_iter().map(entry).collect()
}

impl Entry {
    /// What stands under `field`. Fields that are empty or null count as absent, as in Go; relative paths start from
    /// the file.
    fn value<T: DeserializeOwned>(&self, field: &str) -> Result<T> {
        let (file, list, name) = (self.file.display(), self.list, &self.name);
        let wrong = |line: u64, what: &str| {
            ClusterError::Config(format!(
                "cannot read kubeconfig {file}: line {line}: {name:?} of {list} {what}"
            ))
        };
        let own = |mut whole: Value| whole.get_mut(field).map(Value::take).unwrap_or_default();
        let read = |whole: Value| serde_json::from_value::<T>(self.settled(own(whole)));
        let parsed;
        let (node, lines) = match &self.body {
            Body::Read(node) => (node, 0),
            Body::Json(value) => {
                let why = format!(
                    "cannot read kubeconfig {file}: {name:?} of {list} has a value that its field does not take"
                );
                return read(value.clone()).map_err(|_| ClusterError::Config(why));
            }
            Body::Unread { text, lines } => {
                let documents = yaml::parse_as_go(text).map_err(|error| {
                    wrong(error.line + lines, &format!("cannot be read: {}", error.message))
                })?;
                parsed = documents;
                let item = parsed.first().and_then(|list| list.items(self.list).ok()?.first());
                (item.ok_or_else(|| wrong(lines + 1, "cannot be read"))?, *lines)
            }
        };
        let whole = node.to_json();
        read(whole.clone()).map_err(|_| {
            let fault = node.fault(&whole, &|whole| read(whole).is_ok());
            wrong(fault.place().0 + lines, "has a value here that its field does not take")
        })
    }

    fn settled(&self, value: Value) -> Value {
        let mut fields = match value {
            Value::Object(fields) => fields,
            Value::Null => Map::new(),
            other => return other,
        };
        fields.retain(|_, value| !value.is_null() && value.as_str() != Some(""));
        let beside = self.file.parent().unwrap_or(Path::new(""));
        let resolve = |path: &mut Value| {
            if let Some(text) = path.as_str().filter(|text| Path::new(text).is_relative()) {
                *path = beside.join(text).to_string_lossy().into();
            }
        };
        for field in ["certificate-authority", "client-certificate", "client-key", "tokenFile"] {
            fields.get_mut(field).map(resolve);
        }
        // A name alone is looked for in PATH.
        if let Some(command) = fields.get_mut("exec").and_then(|exec| exec.get_mut("command"))
            && command.as_str().is_some_and(|command| command.contains(std::path::MAIN_SEPARATOR))
        {
            resolve(command);
        }
        if self.list == "contexts" {
            for field in ["cluster", "user"] {
                fields.entry(field).or_insert_with(|| "".into());
            }
        }
        Value::Object(fields)
    }

    /// The cluster and the namespace of a context, for a list of them.
    pub fn place(&self) -> (String, Option<String>) {
        if let Body::Unread { text, .. } = &self.body
            && let Some(of_lines) = outline::place(text)
        {
            return of_lines;
        }
        let context: Context = self.value("context").unwrap_or_default();
        (context.cluster, context.namespace)
    }
}

/// The text of a file, in any encoding of Unicode that begins by naming itself, else UTF-8.
fn text_of(bytes: &[u8]) -> std::result::Result<String, String> {
    let wide = |bytes: &[u8], unit: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = bytes.as_chunks().0.iter().map(|pair| unit(*pair)).collect();
        String::from_utf16(&units).map_err(|_| "it is not UTF-16".to_owned())
    };
    match bytes {
        [0xFF, 0xFE, rest @ ..] => wide(rest, u16::from_le_bytes),
        [0xFE, 0xFF, rest @ ..] => wide(rest, u16::from_be_bytes),
        [0xEF, 0xBB, 0xBF, rest @ ..] | rest => {
            String::from_utf8(rest.to_vec()).map_err(|_| "it is not UTF-8".to_owned())
        }
    }
}

#[cfg(test)]
mod tests;
