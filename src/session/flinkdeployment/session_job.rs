//! A FlinkSessionJob: a job that the operator submits to a session, as the `submit` that does the same.

use crate::session::text::shell::quoted;
use crate::session::text::yaml::{Node, YamlError};

use super::config;
use crate::session::flinkdeployment::parse::find;

/// What a FlinkSessionJob submits, and to which session.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SessionJob {
    pub session: Option<String>,
    jar: Option<String>,
    class: Option<String>,
    parallelism: Option<String>,
    savepoint: Option<String>,
    allows_non_restored_state: bool,
    is_suspended: bool,
    arguments: Vec<String>,
    settings: Vec<(String, String)>,
}

pub fn read(root: &Node) -> Result<SessionJob, YamlError> {
    let mut job = SessionJob::default();
    let Some((_, spec)) = find(root, "spec")? else { return Ok(job) };
    let text = |node: &Node, name: &str| -> Result<Option<String>, YamlError> {
        find(node, name)?.map(|(_, value)| value.text(name).map(str::to_owned)).transpose()
    };
    job.session = text(spec, "deploymentName")?;
    if let Some((_, settings)) = find(spec, "flinkConfiguration")? {
        job.settings = config::values(config::entries(settings, "spec.flinkConfiguration")?);
    }
    let Some((_, of_job)) = find(spec, "job")? else { return Ok(job) };
    job.jar = text(of_job, "jarURI")?;
    job.class = text(of_job, "entryClass")?;
    job.parallelism = text(of_job, "parallelism")?;
    job.savepoint = text(of_job, "initialSavepointPath")?;
    job.allows_non_restored_state = text(of_job, "allowNonRestoredState")?.is_some_and(|word| word == "true");
    job.is_suspended = text(of_job, "state")?.is_some_and(|word| word == "suspended");
    if let Some((_, arguments)) = find(of_job, "args")? {
        let arguments = arguments.items("spec.job.args")?.iter();
        job.arguments =
            arguments.map(|word| word.text("spec.job.args").map(str::to_owned)).collect::<Result<_, _>>()?;
    }
    Ok(job)
}

impl SessionJob {
    /// The command that submits it to `session`, and where its jar is.
    pub fn message(&self, session: &str, scope: &str) -> String {
        let mut command = format!("kubectl flink submit {}{scope} {}", quoted(session), quoted(self.file()));
        let flags =
            [("--class", &self.class), ("-p", &self.parallelism), ("--from-savepoint", &self.savepoint)];
        for (flag, value) in flags {
            command.extend(value.iter().map(|value| format!(" {flag} {}", quoted(value))));
        }
        if self.allows_non_restored_state && self.savepoint.is_some() {
            command.push_str(" --allow-non-restored-state");
        }
        command.extend(
            self.settings.iter().map(|(key, value)| format!(" -D {}", quoted(&format!("{key}={value}")))),
        );
        if !self.arguments.is_empty() {
            command.push_str(" --");
            command.extend(self.arguments.iter().map(|word| format!(" {}", quoted(word))));
        }
        let when = match self.is_suspended {
            true => "it is suspended; ",
            false => "",
        };
        let jar = match self.jar.as_deref() {
            Some(uri) if uri != self.file() => format!(", with the jar from {uri}"),
            _ => String::new(),
        };
        format!("{when}{command} starts it once the session is ready{jar}")
    }

    /// The jar's own name.
    fn file(&self) -> &str {
        let path = self.jar.as_deref().unwrap_or_default().split(['?', '#']).next().unwrap_or_default();
        match path.rsplit('/').next() {
            Some(name) if !name.is_empty() => name,
            _ => "JAR",
        }
    }
}
