//! How a command reaches the REST of a session, and what it says when it cannot.

use std::path::PathBuf;

use super::ls::{not_found, not_found_among};
use crate::app::rest::{self, Found, SessionRest};
use crate::app::{App, CommandError};
use crate::cluster::Cluster;
use crate::diagnosis::{self, cause};
use crate::exit::Exit;
use crate::flink::address::Address;
use crate::flink::dialect::Dialect;
use crate::flink::tls::Pem;
use crate::flink::{self, RestError};
use crate::model::status::Job;
use crate::model::{Evidence, JobView};
use crate::session::{FlinkVersion, SessionName};

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

    /// True when all could be looked for, and nothing is there of the session any more.
    pub async fn is_gone(&self) -> bool {
        let Some(cluster) = &self.cluster else { return false };
        rest::find(cluster, &self.name).await.is_ok_and(|found| {
            let Evidence { deployment, jobmanagers, unreadable, .. } = &found.evidence;
            deployment.is_none() && jobmanagers.is_empty() && unreadable.is_empty()
        })
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
        RestError::Status { errors, is_flinks: true, .. } => told.because(cause::of_stack(errors)),
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
            let hint = format!("kubectl auth can-i {}{scope}", refused_right(&why));
            told.because(why).hint(hint).refusal()
        }
        RestError::Answer(_) | RestError::File(_) | RestError::Unusable(_) => told.because(error.to_string()),
    }
}

/// The right that an API server's refusal names, in the words of `kubectl auth can-i`.
fn refused_right(why: &str) -> String {
    let named = || {
        let (_, rest) = why.split_once(" cannot ")?;
        let (verb, rest) = rest.split_once(" resource \"")?;
        let (resource, _) = rest.split_once('"')?;
        Some(match resource.split_once('/') {
            Some((resource, sub)) => format!("{verb} {resource} --subresource={sub}"),
            None => format!("{verb} {resource}"),
        })
    };
    named().unwrap_or_else(|| "create pods --subresource=portforward".to_owned())
}

/// Finds session `name` and asks its REST who it is.
pub async fn session(args: &RestArgs, name: &str, app: &App) -> Result<Reached, CommandError> {
    let name = SessionName::existing(name)?;
    match &args.address {
        Some(address) => {
            let rest = SessionRest::at_address(address.clone(), args.pem(app)?);
            who_answers(args, name, rest, None, app).await
        }
        None => {
            let cluster = app.cluster().await?;
            let found = rest::find(&cluster, &name).await?;
            through(args, &found, &name, &cluster, app).await
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
    let Some(port) = found.port.clone() else {
        return Err(nobody(name, &found.evidence, cluster));
    };
    let rest = SessionRest::of(found, port, pem);
    who_answers(args, name.clone(), rest, Some(cluster.clone()), app).await
}

async fn who_answers(
    args: &RestArgs,
    name: SessionName,
    rest: SessionRest,
    cluster: Option<Cluster>,
    app: &App,
) -> Result<Reached, CommandError> {
    let place = match &args.address {
        Some(address) => address.to_string(),
        None => format!("session {name}"),
    };
    let overview = flink::overview(&rest)
        .await
        .map_err(|error| told(&name, cluster.as_ref(), &error, format!("REST of {place} does not answer")))?;
    let version = version(&overview.version).ok_or_else(|| {
        let what = format!("REST of {place} says that it is Flink {:?}", overview.version);
        CommandError::new(Exit::Error, what).because("that is no version this program knows")
    })?;
    let flags = args.flags(cluster.as_ref(), app);
    Ok(Reached { name, rest, version, cluster, address: args.address.clone(), flags })
}

/// Distributors add to the number, as in `1.20.0-csa1`.
fn version(text: &str) -> Option<FlinkVersion> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    text[..end].parse().ok()
}

/// Why a session that is there, or is not, takes no requests.
fn nobody(name: &SessionName, evidence: &Evidence, cluster: &Cluster) -> CommandError {
    if let Some(hidden) = evidence.why_pods_are_unknown() {
        let what = format!("the JobManager of session {name} cannot be looked for");
        let hint = format!("kubectl auth can-i {}{}", refused_right(hidden), cluster.full_scope());
        return CommandError::new(Exit::Error, what).because(hidden).hint(hint);
    }
    if evidence.deployment.is_none() && evidence.jobmanagers.is_empty() {
        return match &evidence.unreadable[..] {
            [] if evidence.bootstrap.is_none() => not_found(name, cluster.namespace()),
            [] => CommandError::new(Exit::Error, format!("session {name} is just being made"))
                .hint(format!("kubectl flink status {name}{} --wait", cluster.full_scope())),
            unreadable => not_found_among(name, cluster.namespace(), unreadable),
        };
    }
    let what = format!("session {name} takes no requests");
    if let Some(finding) = diagnosis::findings(evidence).first() {
        return CommandError::from_finding(Exit::Error, what, finding);
    }
    CommandError::new(Exit::Error, what)
        .because("no JobManager pod is ready")
        .hint(format!("kubectl flink status {name}{} --wait", cluster.full_scope()))
}

impl RestArgs {
    fn pem(&self, app: &App) -> Result<Pem, CommandError> {
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
        let address = self.address.as_ref().map(|address| format!(" --address {address}"));
        let files = [
            ("--rest-certificate-authority", &self.rest_certificate_authority),
            ("--rest-client-certificate", &self.rest_client_certificate),
            ("--rest-client-key", &self.rest_client_key),
        ];
        let files = files
            .into_iter()
            .filter_map(|(flag, file)| file.as_ref().map(|file| format!(" {flag} {}", file.display())));
        address.into_iter().chain(files).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_right_that_is_missing() {
        let why = "Error from server (Forbidden): pods \"roc-1\" is forbidden: User \"me\" cannot get resource \"pods/portforward\" in API group \"\"";
        assert_eq!(refused_right(why), "get pods --subresource=portforward");
        assert_eq!(refused_right("User \"me\" cannot list resource \"pods\" in"), "list pods");
        assert_eq!(refused_right("no"), "create pods --subresource=portforward");
    }

    #[test]
    fn a_distributors_version_is_that_of_flink() {
        let read = |text| version(text).map(|version| version.to_string());
        assert_eq!(read("1.20.5").as_deref(), Some("1.20.5"));
        assert_eq!(read("1.20.0-csa1.24.0").as_deref(), Some("1.20.0"));
        assert_eq!(read("2.4-SNAPSHOT").as_deref(), Some("2.4"));
        assert_eq!(read("DeadBeef"), None);
    }
}
