//! The entries of a large kubeconfig, found by their indentation: a parser takes half a second for what 5,000
//! clusters need, of which one is wanted.
//!
//! Only what kubectl and its like write is understood: a field a line, lists in block style, nothing shared between
//! entries. Every other text is left to the parser. An entry is parsed when it is asked for.

use std::path::Path;

use super::{Body, Entry, Kubeconfig};

/// None for a text that is not written that way.
pub fn read(text: &str, file: &Path) -> Option<Kubeconfig> {
    if shares_nodes(text) {
        return None;
    }
    let mut read = Kubeconfig::default();
    let mut list: Option<List<'_>> = None;
    let mut seen = Vec::new();
    let mut start = 0;
    for (number, line) in text.split('\n').enumerate() {
        let (at, bare) = (start, line.trim_end_matches('\r'));
        start += line.len() + 1;
        let indent = bare.len() - bare.trim_start_matches(' ').len();
        let content = &bare[indent..];
        if content.is_empty() || content.starts_with('#') || (number == 0 && content == "---") {
            continue;
        }
        if indent == 0 && !content.starts_with("- ") {
            let (key, value) = field(content)?;
            if seen.contains(&key) {
                return None;
            }
            seen.push(key);
            if let Some(ended) = list.take() {
                ended.end(at, &mut read, file)?;
            }
            list = match (key, value) {
                ("contexts" | "clusters" | "users", "") => Some(List::new(text, key)),
                ("contexts" | "clusters" | "users", "[]") => None,
                ("contexts" | "clusters" | "users", _) => return None,
                ("current-context", value) => {
                    read.current_context = Some(scalar(value)?).filter(|name| !name.is_empty());
                    None
                }
                // What has no value on its line has it below.
                _ => Some(List::new(text, "")),
            };
            continue;
        }
        list.as_mut()?.line(at, number, indent, content)?;
    }
    if let Some(ended) = list {
        ended.end(text.len(), &mut read, file)?;
    }
    Some(read)
}

/// Whether anchors may tie entries together.
fn shares_nodes(text: &str) -> bool {
    let has = |byte: u8, starts: [&str; 2]| {
        text.as_bytes().contains(&byte) && starts.iter().any(|start| text.contains(start))
    };
    has(b'*', [": *", "- *"]) || has(b'&', [": &", "- &"])
}

/// A list while it is read.
struct List<'t> {
    text: &'t str,
    /// Empty for what is passed over.
    key: &'t str,
    /// How far its dashes are from the margin.
    indent: Option<usize>,
    /// Where its entries begin, and how many lines are in front.
    items: Vec<(usize, u64)>,
}

impl<'t> List<'t> {
    fn new(text: &'t str, key: &'t str) -> Self {
        Self { text, key, indent: None, items: Vec::new() }
    }

    fn line(&mut self, at: usize, number: usize, indent: usize, content: &str) -> Option<()> {
        if self.key.is_empty() {
            return Some(());
        }
        let dash = *self.indent.get_or_insert(indent);
        match content.starts_with("- ") && indent == dash {
            true => self.items.push((at, u64::try_from(number).ok()?)),
            false if indent > dash && !self.items.is_empty() => {}
            false => return None,
        }
        Some(())
    }

    fn end(self, end: usize, read: &mut Kubeconfig, file: &Path) -> Option<()> {
        let (entries, list) = match self.key {
            "contexts" => (&mut read.contexts, "contexts"),
            "clusters" => (&mut read.clusters, "clusters"),
            "users" => (&mut read.users, "users"),
            _ => return Some(()),
        };
        for (index, (start, lines)) in self.items.iter().enumerate() {
            let next = self.items.get(index + 1).map_or(end, |(start, _)| *start);
            let text = self.text.get(*start..next)?;
            let name = value_of(text, "name")?;
            let body = Body::Unread { text: text.to_owned(), lines: *lines };
            entries.push(Entry { name, file: file.to_owned(), list, body });
        }
        Some(())
    }
}

/// `key: value`, or `key:`.
fn field(content: &str) -> Option<(&str, &str)> {
    let (key, value) = content.split_once(':')?;
    let is_word = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    (is_word && (value.is_empty() || value.starts_with(' '))).then(|| (key, value.trim()))
}

/// A value that stands whole on its line.
fn scalar(value: &str) -> Option<String> {
    let inner = |quote: char| value.strip_prefix(quote)?.strip_suffix(quote);
    if let Some(text) = inner('\'') {
        return (!text.contains('\'')).then(|| text.to_owned());
    }
    if let Some(text) = inner('"') {
        return (!text.contains(['"', '\\'])).then(|| text.to_owned());
    }
    let is_plain = !value.starts_with(|c: char| "&*!|>%@`{}[]#'\",?~".contains(c))
        && !value.contains(" #")
        && !value.contains(": ")
        && !["", "null", "Null", "NULL"].contains(&value);
    is_plain.then(|| value.to_owned())
}

/// The lines of an entry, with the dash taken for a space: how far each is from the margin, and what it says.
fn lines(entry: &str) -> impl Iterator<Item = (usize, &str)> {
    entry.split('\n').enumerate().filter_map(|(number, line)| {
        let line = line.trim_end_matches('\r');
        let content = match number {
            0 => line.trim_start_matches(' ').strip_prefix('-')?.trim_start_matches(' '),
            _ => line.trim_start_matches(' '),
        };
        (!content.is_empty() && !content.starts_with('#')).then(|| (line.len() - content.len(), content))
    })
}

/// The value of `key` among the fields of an entry itself, where it stands on its line.
fn value_of(entry: &str, key: &str) -> Option<String> {
    let margin = lines(entry).next()?.0;
    let mut found = None;
    let mut follows = false;
    for (indent, content) in lines(entry) {
        // It goes on below.
        if follows && indent > margin {
            return None;
        }
        follows = false;
        if indent == margin
            && let Some((name, value)) = field(content)
            && name == key
        {
            found = Some(scalar(value)?);
            follows = true;
        }
    }
    found
}

/// The cluster and the namespace of a context.
pub fn place(entry: &str) -> Option<(String, Option<String>)> {
    let margin = lines(entry).next()?.0;
    let mut inside = false;
    let mut inner = None;
    let (mut cluster, mut namespace) = (String::new(), None);
    for (indent, content) in lines(entry) {
        if indent == margin {
            inside = field(content)? == ("context", "");
            continue;
        }
        if !inside || indent != *inner.get_or_insert(indent) {
            continue;
        }
        match field(content)? {
            ("cluster", value) => cluster = scalar(value)?,
            ("namespace", value) => namespace = Some(scalar(value)?).filter(|name| !name.is_empty()),
            _ => {}
        }
    }
    Some((cluster, namespace))
}
