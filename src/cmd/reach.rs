//! How a command reaches the REST of a session, and what it says when it cannot.

use std::path::PathBuf;
use std::time::Duration;

use super::identity::{self, Here, Proof};
use super::{rights, standing};
use crate::app::rest::{self, Choice, Fate, Found, Process, SessionRest};
use crate::app::{App, CommandError};
use crate::cluster::{Cluster, PodPort};
use crate::diagnosis::{self, stack_trace};
use crate::exit::Exit;
use crate::flink::address::Address;
use crate::flink::dialect::Dialect;
use crate::flink::tls::Pem;
use crate::flink::{self, RestError};
use crate::model::status::Job;
use crate::model::{Evidence, JobView};
use crate::session::manifest::labels;
use crate::session::text::shell::quoted;
use crate::session::{FlinkVersion, SessionName};

/// How long the cluster may take to show the session of an address: the address is used without it, too.
const COMPARING: Duration = Duration::from_secs(5);

#[derive(clap::Args)]
#[command(next_help_heading = "REST")]
pub struct RestArgs {
    /// Address of the session's REST, such as that of an ingress [default: a port forwarded to its JobManager]
    #[arg(long, value_name = "URL")]
    pub address: Option<Address>,

    /// File with the certificate authority of a REST that speaks TLS
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    rest_certificate_authority: Option<PathBuf>,

    /// File with the client's certificate, for a REST that asks for one
    #[arg(long, value_name = "FILE", hide_short_help = true, requires = "rest_client_key")]
    rest_client_certificate: Option<PathBuf>,

    /// File with the client's key
    #[arg(long, value_name = "FILE", hide_short_help = true, requires = "rest_client_certificate")]
    rest_client_key: Option<PathBuf>,
}

/// A session whose REST has answered.
pub struct Reached {
    pub name: SessionName,
    pub rest: SessionRest,
    pub version: FlinkVersion,
    /// None where an address was given: then nothing is known of Kubernetes.
    pub cluster: Option<Cluster>,
    /// The JobManager process that answered first; none at an address.
    pub process: Option<Process>,
    /// The address that was given.
    pub address: Option<Address>,
    /// What a command in a hint needs to reach the same session, with a space in front.
    pub flags: String,
}

impl Reached {
    pub fn dialect(&self) -> Dialect {
        Dialect::of(self.version)
    }

    /// A job and the session that it runs on.
    pub fn view(&self, job: Job) -> JobView {
        let namespace = self.cluster.as_ref().map(|cluster| cluster.namespace().to_owned());
        JobView { namespace, session: self.name.to_string(), job, details: None }
    }

    /// The command that looks at the session; see [`status_of`].
    pub fn status(&self) -> Option<String> {
        status_of(&self.name, self.cluster.as_ref())
    }

    /// The JobManager process that answers now; see [`Process::of`].
    pub async fn process_now(&self) -> Option<Process> {
        Process::of(&self.rest, self.cluster.as_ref()).await
    }

    /// Adds the replacement of the JobManager to the causes of `error`, if it was replaced since the session was
    /// reached.
    pub async fn with_replacement(&self, error: CommandError) -> CommandError {
        let cause = self.fate_of(self.process.as_ref()).await.cause();
        cause.into_iter().fold(error, CommandError::because)
    }

    /// What became of a process that answered before.
    pub async fn fate_of(&self, process: Option<&Process>) -> Fate {
        match (process, &self.cluster) {
            (Some(process), Some(cluster)) => process.fate(&self.rest, cluster, cluster.namespace()).await,
            _ => Fate::Unknown,
        }
    }

    /// True when all could be looked for, and nothing is there of the session any more.
    pub async fn is_gone(&self) -> bool {
        let Some(cluster) = &self.cluster else { return false };
        rest::find(cluster, &self.name).await.is_ok_and(|found| {
            let Evidence { deployment, jobmanagers, unreadable, .. } = &found.evidence;
            deployment.is_none() && jobmanagers.is_empty() && unreadable.is_empty()
        })
    }

    /// Why Flink at the address that was given is another session, by its own settings. One that was not started on
    /// Kubernetes says nothing of that.
    async fn why_another(&self) -> Option<String> {
        self.address.as_ref()?;
        let settings = flink::configuration(&self.rest).await.ok()?;
        identity::another_name(&settings, &self.name)
    }

    /// Whether the address that was given is that of the session of this name in the cluster. An address is used without a
    /// cluster, too: what cannot be read there, or is not there, proves nothing.
    async fn proof(&self, args: &RestArgs, app: &App) -> Proof {
        let settings = match flink::configuration(&self.rest).await {
            Ok(settings) => settings,
            Err(error) => return Proof::Unknown(error.to_string()),
        };
        if let Some(why) = identity::another_name(&settings, &self.name) {
            return Proof::Another(why);
        }
        let compared = async {
            let cluster = app.cluster().await?;
            let found = rest::find(&cluster, &self.name).await?;
            if found.evidence.deployment.is_none() && found.evidence.jobmanagers.is_empty() {
                return Ok(Proof::Unknown("no session of this name can be found in the cluster".to_owned()));
            }
            let config = cluster.config_of(cluster.namespace(), &self.name).await?;
            let id = config.settings.as_ref().and_then(|settings| settings.get(labels::SESSION_ID));
            let pem = args.pem(app)?;
            let id = id.map(String::as_str);
            Here { name: &self.name, cluster: &cluster, id, pem }.compared(&settings).await
        };
        match tokio::time::timeout(COMPARING, compared).await {
            Ok(Ok(proof)) => proof,
            Ok(Err::<_, CommandError>(error)) => Proof::Unknown(error.to_string()),
            Err(_) => Proof::Unknown("the cluster does not respond".to_owned()),
        }
    }

    /// What REST said instead of doing what was asked.
    pub fn error(&self, error: &RestError, doing: impl Into<String>) -> CommandError {
        told(&self.name, self.cluster.as_ref(), error, doing)
    }
}

/// The command that looks at a session. It takes no address and no certificates: at an address, where
/// nothing is known of Kubernetes, there is none.
fn status_of(name: &SessionName, cluster: Option<&Cluster>) -> Option<String> {
    Some(format!("kubectl flink status {name}{}", cluster?.full_scope()))
}

/// See [`Reached::error`].
fn told(
    name: &SessionName,
    cluster: Option<&Cluster>,
    error: &RestError,
    doing: impl Into<String>,
) -> CommandError {
    let told = CommandError::new(Exit::Error, doing);
    match error {
        RestError::Status { errors, is_flinks: true, .. } => told.because(stack_trace::of_stack(errors)),
        RestError::Status { status, .. } => {
            let told = told.because(format!("HTTP {status}, and the answer is not one of Flink's"));
            if error.is_of_the_way() { told.transient() } else { told }
        }
        RestError::Unreachable(_) | RestError::Lost(_) | RestError::TimedOut(_) => {
            let told = told.because(error.to_string()).transient();
            status_of(name, cluster).into_iter().fold(told, CommandError::hint)
        }
        RestError::Forbidden(_) => {
            let scope = cluster.map(Cluster::full_scope).unwrap_or_default();
            let why = error.to_string();
            let hint = format!("kubectl auth can-i {}{scope}", rights::can_i(&why));
            told.because(rights::needed(&why)).hint(hint).refusal()
        }
        RestError::MadeAnew(_) => {
            let told = told.because(error.to_string());
            status_of(name, cluster).into_iter().fold(told, CommandError::hint)
        }
        RestError::Answer(_)
        | RestError::TooLong(_)
        | RestError::Stale(_)
        | RestError::Contradiction(_)
        | RestError::File(_)
        | RestError::Unusable(_) => told.because(error.to_string()),
    }
}

/// Finds session `name` and asks its REST who it is.
pub async fn session(args: &RestArgs, name: &str, app: &App) -> Result<Reached, CommandError> {
    let name = SessionName::existing(name)?;
    match &args.address {
        Some(address) => {
            let rest = SessionRest::at_address(address.clone(), args.pem(app)?);
            who_answers(args, name, rest, None, None, app).await
        }
        None => {
            let cluster = app.cluster().await?;
            let found = rest::find(&cluster, &name).await?;
            through(args, &found, &name, &cluster, app).await
        }
    }
}

/// As [`session`], for a command that changes nothing: an address whose Flink says that it is another session is warned
/// of.
pub async fn session_to_read(args: &RestArgs, name: &str, app: &App) -> Result<Reached, CommandError> {
    let reached = session(args, name, app).await?;
    if let Some(why) = reached.why_another().await {
        app.ui.warn(&format!("the address is not that of session {name}: {why}"));
    }
    Ok(reached)
}

/// As [`session_to_read`], for a command that leads others there, who may change something: the address is compared as by
/// [`session_to_change`].
pub async fn session_to_show(args: &RestArgs, name: &str, app: &App) -> Result<Reached, CommandError> {
    let reached = session(args, name, app).await?;
    if reached.address.is_some()
        && let Proof::Another(why) = reached.proof(args, app).await
    {
        app.ui.warn(&format!("the address is not that of session {name}: {why}"));
    }
    Ok(reached)
}

/// As [`session`], for a command that changes something.
///
/// # Errors
/// `Refused` where the Flink at the address is known to be another session than the one of this name in the cluster.
pub async fn session_to_change(args: &RestArgs, name: &str, app: &App) -> Result<Reached, CommandError> {
    let reached = session(args, name, app).await?;
    if reached.address.is_none() {
        return Ok(reached);
    }
    match reached.proof(args, app).await {
        Proof::Same => Ok(reached),
        Proof::Unknown(why) => {
            tracing::info!(why, "the address is not compared with the session in the cluster");
            Ok(reached)
        }
        Proof::Another(why) => {
            let what = format!("the address is not that of session {name}");
            Err(CommandError::new(Exit::Refused, what).because(why))
        }
    }
}

/// Asks the REST of a session that was found who it is.
pub async fn through(
    args: &RestArgs,
    found: &Found,
    name: &SessionName,
    cluster: &Cluster,
    app: &App,
) -> Result<Reached, CommandError> {
    let pem = args.pem(app)?;
    let port = match &found.jobmanager {
        Choice::One(port) => PodPort::clone(port),
        Choice::None => return Err(nobody(name, &found.evidence, cluster).await?),
        Choice::Several(pods) => return Err(several(name, pods, cluster)),
    };
    warn_of_relabelled(&found.evidence, app);
    let process = found.process(&port);
    let rest = SessionRest::of(found, port, pem);
    who_answers(args, name.clone(), rest, Some(cluster.clone()), process, app).await
}

/// Asks the REST of one JobManager pod of a session who it is. No other pod is asked, whatever becomes of it.
pub async fn through_pod(
    args: &RestArgs,
    found: &Found,
    port: PodPort,
    name: &SessionName,
    cluster: &Cluster,
    app: &App,
) -> Result<Reached, CommandError> {
    let process = found.process(&port);
    let rest = SessionRest::of_pod(port, args.pem(app)?);
    who_answers(args, name.clone(), rest, Some(cluster.clone()), process, app).await
}

/// Why no JobManager can be asked where several run and none is known to lead.
fn several(name: &SessionName, pods: &[String], cluster: &Cluster) -> CommandError {
    let scope = cluster.full_scope();
    let what = format!("cannot determine which JobManager answers for session {name}");
    let told = CommandError::new(Exit::Error, what)
        .because(format!("{} run and none is known to lead: {}", pods.len(), pods.join(", ")))
        .because("without high availability each of them has jobs of its own")
        .transient();
    told.hint(format!("kubectl flink status {name}{scope}"))
}

async fn who_answers(
    args: &RestArgs,
    name: SessionName,
    rest: SessionRest,
    cluster: Option<Cluster>,
    process: Option<Process>,
    app: &App,
) -> Result<Reached, CommandError> {
    let place = match &args.address {
        Some(address) => address.to_string(),
        None => format!("session {name}"),
    };
    let overview = flink::overview(&rest).await.map_err(|error| {
        let what = match &error {
            RestError::Forbidden(why) => {
                format!("cannot reach the REST API of {place}: {}", rights::needed_for_rest(why))
            }
            _ => format!("REST of {place} does not answer"),
        };
        told(&name, cluster.as_ref(), &error, what)
    })?;
    let version = version(&overview.version).ok_or_else(|| {
        let what = format!("REST of {place} says that it is Flink {:?}", overview.version);
        CommandError::new(Exit::Error, what).because("that is no version this program knows")
    })?;
    let flags = args.flags(cluster.as_ref(), app);
    Ok(Reached { name, rest, version, cluster, process, address: args.address.clone(), flags })
}

/// Distributors add to the number, as in `1.20.0-csa1`.
fn version(text: &str) -> Option<FlinkVersion> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    text[..end].parse().ok()
}

/// Why a session that is there, or is not, takes no requests.
async fn nobody(
    name: &SessionName,
    evidence: &Evidence,
    cluster: &Cluster,
) -> Result<CommandError, CommandError> {
    if let Some(hidden) = evidence.why_pods_are_unknown() {
        let what = format!("the JobManager of session {name} cannot be looked for");
        let hint = format!("kubectl auth can-i {}{}", rights::can_i(hidden), cluster.full_scope());
        return Ok(CommandError::new(Exit::Error, what).because(rights::needed(hidden)).hint(hint));
    }
    standing::why_not(name, evidence, cluster).await
}

/// Warns of objects whose labels were changed: other commands refuse until that is repaired.
fn warn_of_relabelled(evidence: &Evidence, app: &App) {
    for finding in diagnosis::rules::labels::changed(evidence) {
        app.ui.warn(&format!("{}; to repair: {}", finding.summary, finding.fix));
    }
}

impl RestArgs {
    pub(super) fn pem(&self, app: &App) -> Result<Pem, CommandError> {
        let read = |path: &Option<PathBuf>| match path {
            Some(path) => app.read(path).map(|text| Some(text.into_bytes())),
            None => Ok(None),
        };
        let certificate = read(&self.rest_client_certificate)?;
        let key = read(&self.rest_client_key)?;
        Ok(Pem { authority: read(&self.rest_certificate_authority)?, identity: certificate.zip(key) })
    }

    fn flags(&self, cluster: Option<&Cluster>, app: &App) -> String {
        let scope = if cluster.is_some() { app.scope_flags() } else { String::new() };
        scope + &self.typed()
    }

    /// The flags as they were typed, with a space in front of each.
    pub fn typed(&self) -> String {
        let address =
            self.address.as_ref().map(|address| format!(" --address {}", quoted(&address.to_string())));
        let files = [
            ("--rest-certificate-authority", &self.rest_certificate_authority),
            ("--rest-client-certificate", &self.rest_client_certificate),
            ("--rest-client-key", &self.rest_client_key),
        ];
        let files = files.into_iter().filter_map(|(flag, file)| {
            file.as_ref().map(|file| format!(" {flag} {}", quoted(&file.to_string_lossy())))
        });
        address.into_iter().chain(files).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_distributors_version_is_that_of_flink() {
        let read = |text| version(text).map(|version| version.to_string());
        assert_eq!(read("1.20.5").as_deref(), Some("1.20.5"));
        assert_eq!(read("1.20.0-csa1.24.0").as_deref(), Some("1.20.0"));
        assert_eq!(read("2.4-SNAPSHOT").as_deref(), Some("2.4"));
        assert_eq!(read("DeadBeef"), None);
    }
}
