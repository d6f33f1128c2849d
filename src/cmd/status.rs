//! `kubectl flink status NAME`: the verdict, then pods and Services, then what is wrong.

use std::time::Duration;

use jiff::SignedDuration;

use super::readiness::{self, Awaited, Ended};
use crate::app::{App, CommandError, duration, rest};
use crate::cluster::{Cluster, Scope};
use crate::diagnosis::{self, Phase};
use crate::exit::Exit;
use crate::model::evidence::{Overview, Rest};
use crate::model::{Evidence, Finding, SessionView};
use crate::output::format::{ObjectFormat, SessionFormat};
use crate::output::objects;
use crate::session::{SessionName, flinkdeployment};

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  # How is it?
  kubectl flink status roc

  # Wait until it is ready
  kubectl flink status roc --wait --timeout 10m

  # As a manifest, for the Flink operator or another create
  kubectl flink status roc -o flinkdeployment")]
pub struct Args {
    /// Name of the session
    name: String,

    /// Wait until REST answers, as create does
    #[arg(long)]
    wait: bool,

    /// Longest wait, such as 90s or 5m
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = duration::parse)]
    timeout: Duration,

    /// Form of the output: flinkdeployment
    #[arg(short, long, value_name = "FORMAT", default_value = "", hide_default_value = true)]
    output: SessionFormat,
}

/// A healthy REST answers in milliseconds; a sick one must not hold the rest of the screen back.
const REST_PATIENCE: Duration = Duration::from_secs(1);

pub async fn run(args: Args, app: &App) -> Result<Exit, CommandError> {
    let name = SessionName::existing(&args.name)?;
    let cluster = app.cluster().await?;
    if args.wait {
        wait(&cluster, &name, args.timeout, app).await?;
    }
    if args.output == SessionFormat::FlinkDeployment {
        return manifest(&cluster, &name, app).await;
    }
    let namespace = cluster.namespace();
    let scope = Scope::Namespace(namespace.to_owned());
    let named = std::slice::from_ref(&name);
    let (sessions, evidence, (tables, forbidden)) = tokio::try_join!(
        async { Ok(cluster.sessions(&scope, named).await?) },
        observe(&cluster, namespace, &name),
        async { Ok(super::session_tables::read_what_may_be_read(&cluster, namespace, &name).await?) },
    )?;
    let Some(session) = sessions.into_iter().next() else {
        return Err(super::ls::not_found(&name, namespace));
    };
    let findings = diagnosis::findings(&evidence);
    let parts = [verdict(&session, &evidence, &findings) + "\n", tables, section(&findings)];
    app.ui.data(&parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n"))?;
    for unreadable in evidence.unreadable.iter().chain(&forbidden) {
        app.ui.warn(&format!("not all could be read: {unreadable}"));
    }
    Ok(Exit::Done)
}

/// Waits until the session is ready.
async fn wait(
    cluster: &Cluster,
    name: &SessionName,
    timeout: Duration,
    app: &App,
) -> Result<(), CommandError> {
    // The wait forgives a server that goes away; one that was never there is told at once.
    cluster.observe(cluster.namespace(), name).await?;
    let awaited = Awaited { name, job: None, server_ahead: SignedDuration::ZERO, timeout };
    match readiness::wait(cluster, &awaited, app).await? {
        Ended::Ready(_) => Ok(()),
        Ended::Hopeless(_, finding) if finding.id == readiness::GONE => {
            Err(super::ls::not_found(name, cluster.namespace()))
        }
        Ended::Hopeless(_, finding) => {
            Err(CommandError::from_finding(Exit::Error, format!("session {name} cannot start"), &finding))
        }
        Ended::TimedOut(awaited) => Err(readiness::unfinished(name, timeout, Some(awaited), app)),
        Ended::Interrupted => Err(CommandError::new(
            Exit::Interrupted,
            format!("interrupted: session {name} was not ready yet"),
        )
        .hint(format!("kubectl flink status {name}{}", app.scope_flags()))),
    }
}

/// Prints the session as a FlinkDeployment.
async fn manifest(cluster: &Cluster, name: &SessionName, app: &App) -> Result<Exit, CommandError> {
    let namespace = cluster.namespace();
    let Some(live) = cluster.live(namespace, name).await? else {
        return Err(super::ls::not_found(name, namespace));
    };
    let (manifest, notes) = flinkdeployment::of_live(&live);
    notes.iter().for_each(|note| app.ui.warn(note));
    let text = objects::render(&[manifest], ObjectFormat::Yaml)
        .map_err(|error| CommandError::new(Exit::Error, format!("cannot print session {name}: {error}")))?;
    app.ui.data(&text)?;
    Ok(Exit::Done)
}

/// What there is of the session, and what its REST says.
async fn observe(cluster: &Cluster, namespace: &str, name: &SessionName) -> Result<Evidence, CommandError> {
    let evidence = cluster.observe(namespace, name).await?;
    let rest = rest::ask(cluster, &evidence, REST_PATIENCE).await;
    Ok(Evidence { rest, ..evidence })
}

/// One sentence that is true.
fn verdict(session: &SessionView, evidence: &Evidence, findings: &[Finding]) -> String {
    let SessionView { name, status, ready, desired, .. } = session;
    let phase = diagnosis::phase::of(evidence);
    match (&evidence.rest, status.as_str()) {
        (Rest::Up(overview), "Running") => format!(
            "Session {name} is Running: Flink {}, JobManager {ready}/{desired}, {}, {}",
            overview.version,
            taskmanagers(overview, session.taskmanagers),
            counted(overview.jobs_running, "running job"),
        ),
        (Rest::Forbidden(why), "Running") => {
            format!(
                "Session {name} is Running: JobManager {ready}/{desired}; REST could not be asked ({why})"
            )
        }
        (Rest::Down(why), "Running") if findings.iter().any(|finding| finding.id == "rest-down") => {
            format!(
                "Session {name} does not answer: JobManager {ready}/{desired} runs, REST does not ({why})"
            )
        }
        (_, "Running" | "Creating") if phase != Phase::Ready => {
            format!("Session {name} is Creating: waiting for {}", phase.awaited())
        }
        _ => format!("Session {name} is {status}: JobManager {ready}/{desired}"),
    }
}

/// A session starts with none, and that is no fault.
fn taskmanagers(overview: &Overview, pods: usize) -> String {
    match overview.taskmanagers {
        0 if pods > 0 => {
            format!("{} not yet registered", counted(u32::try_from(pods).unwrap_or(u32::MAX), "TaskManager"))
        }
        0 => "no TaskManagers until a job needs them".to_owned(),
        count => format!(
            "{}, {} of {} slots free",
            counted(count, "TaskManager"),
            overview.slots_available,
            overview.slots_total
        ),
    }
}

fn counted(count: u32, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

fn section(findings: &[Finding]) -> String {
    findings
        .iter()
        .map(|finding| {
            let evidence = finding.evidence.as_ref().map(|text| format!("  {text}\n")).unwrap_or_default();
            format!("{} ({})\n{evidence}  fix: {}\n", finding.summary, finding.id, finding.fix)
        })
        .collect::<Vec<_>>()
        .join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::evidence::Pod;
    use crate::model::session::tests::roc;

    fn session(status: &str) -> SessionView {
        SessionView { status: status.to_owned(), ..roc() }
    }

    fn evidence(rest: Rest) -> Evidence {
        let pod = Pod { name: "roc-1-2".to_owned(), ready: true, ..Pod::default() };
        let at = "2026-01-01T00:00:00Z".parse().expect("time");
        Evidence { rest, jobmanagers: vec![pod], ..Evidence::empty("roc", "team-a", at) }
    }

    #[test]
    fn the_verdict_never_calls_a_session_running_before_rest_answers() {
        let up = Rest::Up(Overview {
            version: "2.3.0".to_owned(),
            taskmanagers: 1,
            slots_total: 2,
            slots_available: 1,
            jobs_running: 1,
        });
        insta::assert_snapshot!(
            [
                verdict(&session("Running"), &evidence(up), &[]),
                verdict(&session("Running"), &evidence(Rest::Down("refused".to_owned())), &[]),
                verdict(&session("Running"), &evidence(Rest::Forbidden("pods/portforward".to_owned())), &[]),
                verdict(&session("CrashLoopBackOff"), &evidence(Rest::NotAsked), &[]),
            ]
            .join("\n"),
            @"
        Session roc is Running: Flink 2.3.0, JobManager 1/1, 1 TaskManager, 1 of 2 slots free, 1 running job
        Session roc is Creating: waiting for the JobManager's REST to answer
        Session roc is Running: JobManager 1/1; REST could not be asked (pods/portforward)
        Session roc is CrashLoopBackOff: JobManager 1/1
        "
        );
    }
}
