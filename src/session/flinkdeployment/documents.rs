//! A file as the operator's users have them: the FlinkDeployment of a session, and other documents beside it.

use crate::session::text::shell::quoted;
use crate::session::text::yaml::{self, Node, YamlError};

use super::session_job::{self, SessionJob};
use super::{API_VERSION, InvalidManifest, KIND};
use crate::session::flinkdeployment::parse::{find, is_session};

/// A document that `create` leaves out.
#[derive(Clone, Debug, PartialEq)]
pub struct Other {
    pub kind: String,
    pub name: String,
    /// Its first and last line; an item of a list has none of its own.
    lines: Option<(u64, u64)>,
    line: u64,
    what: What,
}

#[derive(Clone, Debug, PartialEq)]
enum What {
    /// A session that was not chosen.
    Session,
    Application,
    Job(Box<SessionJob>),
    /// Another kind of the operator's.
    Operators,
    /// What kubectl can create.
    Object,
}

/// A document, and its lines where it has lines of its own.
struct Document {
    root: Node,
    lines: Option<(u64, u64)>,
}

impl Document {
    fn line(&self) -> u64 {
        self.root.place().0
    }

    fn text(&self, path: [&str; 2]) -> Option<&str> {
        let (_, parent) = find(&self.root, path[0]).ok()??;
        find(parent, path[1]).ok()??.1.text("").ok()
    }

    fn kind(&self) -> Result<&str, YamlError> {
        match find(&self.root, "kind")? {
            Some((_, kind)) => kind.text("kind"),
            None => Err(self.root.error("kind is missing")),
        }
    }

    fn name(&self) -> &str {
        self.text(["metadata", "name"]).unwrap_or("(without a name)")
    }

    fn is_application(&self) -> bool {
        let spec = find(&self.root, "spec").ok().flatten();
        spec.is_some_and(|(_, spec)| find(spec, "job").is_ok_and(|job| job.is_some()))
    }

    fn is_of_operator(&self) -> bool {
        let group = API_VERSION.split('/').next().unwrap_or_default();
        let version = find(&self.root, "apiVersion").ok().flatten();
        version.is_some_and(|(_, version)| version.text("").is_ok_and(|text| text.starts_with(group)))
    }

    fn other(&self) -> Result<Other, YamlError> {
        let kind = self.kind()?;
        let what = match kind {
            KIND if self.is_application() => What::Application,
            KIND => What::Session,
            "FlinkSessionJob" => What::Job(Box::new(session_job::read(&self.root)?)),
            _ if self.is_of_operator() => What::Operators,
            _ => What::Object,
        };
        let (kind, name) = (kind.to_owned(), self.name().to_owned());
        Ok(Other { kind, name, lines: self.lines, line: self.line(), what })
    }
}

/// The FlinkDeployment of a session in `text`, and the other documents. Where there are several sessions, `name`
/// is that of one.
pub fn choose(text: &str, name: Option<&str>) -> Result<(Node, Vec<Other>), InvalidManifest> {
    let mut documents = documents(text)?;
    let at = match &documents[..] {
        [] => return Err(InvalidManifest::Empty),
        [_] => 0,
        documents => position(documents, name)?,
    };
    let chosen = documents.remove(at);
    is_session(&chosen.root)?;
    let others = documents.iter().map(Document::other).collect::<Result<Vec<_>, _>>()?;
    Ok((chosen.root, others))
}

/// All documents that are not empty; the items of a list count as documents.
fn documents(text: &str) -> Result<Vec<Document>, YamlError> {
    let mut all = Vec::new();
    for root in yaml::parse_all(text)? {
        let is_list =
            find(&root, "kind")?.is_some_and(|(_, kind)| kind.text("").is_ok_and(|k| k.ends_with("List")));
        match find(&root, "items")?.filter(|_| is_list) {
            Some((_, items)) => {
                let items = items.items("items")?.iter().cloned();
                all.extend(items.map(|root| Document { root, lines: None }));
            }
            None => {
                let first = root.place().0;
                all.push(Document { lines: Some((first, last_line(text, first))), root });
            }
        }
    }
    Ok(all)
}

/// The last line of the document that begins on line `first`: a line that begins with `---` or `...` always ends
/// a document.
fn last_line(text: &str, first: u64) -> u64 {
    let is_end = |line: &str| {
        let marker = line.get(..3).filter(|marker| ["---", "..."].contains(marker));
        marker.is_some() && line[3..].chars().next().is_none_or(char::is_whitespace)
    };
    let lines = (1..).zip(text.lines()).skip_while(|(number, _)| *number <= first);
    let within = lines.take_while(|(_, line)| !is_end(line)).filter(|(_, line)| !line.trim().is_empty());
    within.last().map_or(first, |(number, _)| number)
}

/// Which of several documents is the session.
fn position(documents: &[Document], name: Option<&str>) -> Result<usize, InvalidManifest> {
    let mut deployments = Vec::new();
    for (at, document) in documents.iter().enumerate() {
        if document.kind()? == KIND {
            deployments.push((at, document));
        }
    }
    let of_name = |name: &str| {
        let named = deployments.iter().filter(|(_, document)| document.name() == name);
        named.map(|(at, _)| *at).collect::<Vec<_>>()
    };
    let named = name.map(of_name).unwrap_or_default();
    let sessions: Vec<_> = deployments.iter().filter(|(_, document)| !document.is_application()).collect();
    let listed = || {
        let shown =
            |(_, document): &&(usize, &Document)| format!("{} (line {})", document.name(), document.line());
        sessions.iter().map(shown).collect::<Vec<_>>().join(", ")
    };
    match (&named[..], &sessions[..], &deployments[..]) {
        ([at], ..) | ([], [(at, _)], _) => Ok(*at),
        ([], [], [(at, _), ..]) => Ok(*at),
        ([], [], []) => Ok(0),
        ([], ..) => Err(match name {
            Some(name) => InvalidManifest::NoSuchSession { name: name.to_owned(), sessions: listed() },
            None => InvalidManifest::SeveralSessions { sessions: listed() },
        }),
        (..) => Err(InvalidManifest::SeveralSessions { sessions: listed() }),
    }
}

/// What a command that a message names needs to know.
pub struct Context<'a> {
    /// The file; None for stdin.
    pub file: Option<&'a str>,
    /// The flags that lead to the session's namespace, with a space in front.
    pub scope: &'a str,
    /// What the session of the manifest is called there, and what it is going to be called.
    pub names: (Option<&'a str>, &'a str),
}

impl Other {
    /// That it is left out, and the command that does what it is for.
    pub fn message(&self, context: &Context) -> String {
        let Self { kind, name, line, .. } = self;
        let left_out = format!("line {line}: {kind} {name} is left out");
        let Context { file, scope, .. } = context;
        match &self.what {
            What::Session => {
                let command = format!("kubectl flink create {}{scope}", quoted(name));
                match file {
                    Some(file) => format!("{left_out}: {command} -f {} creates it", quoted(file)),
                    None => format!("{left_out}: {command} -f - creates it, with the same input"),
                }
            }
            What::Application => {
                format!("{left_out}: it has a job of its own, so that only the Flink operator can create it")
            }
            What::Job(job) => {
                let session = match job.session.as_deref() {
                    Some(session) if context.names.0 != Some(session) => session,
                    _ => context.names.1,
                };
                format!("{left_out}: {}", job.message(session, scope))
            }
            What::Operators if kind == "FlinkStateSnapshot" => {
                format!(
                    "{left_out}: kubectl flink savepoint {}{scope} --all takes a savepoint of each of the session's jobs",
                    quoted(context.names.1)
                )
            }
            What::Operators => format!("{left_out}: only the Flink operator creates it"),
            What::Object => match (file, self.lines.filter(|_| !cfg!(windows))) {
                (Some(file), Some((first, last))) => format!(
                    "{left_out}: sed -n '{first},{last}p' {} | kubectl apply{scope} -f - creates it",
                    quoted(file)
                ),
                _ => format!("{left_out}: in a file of its own, kubectl apply{scope} -f FILE creates it"),
            },
        }
    }
}
