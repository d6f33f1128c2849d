//! What is to go of a session and what stays, and the question whether it may.

use std::time::Duration;

use tokio::time::Instant;

use super::{Args, DELETE};
use crate::app::{App, CommandError};
use crate::cluster::{Cluster, SessionObjects};
use crate::cmd::ending::{Jobs, Session};
use crate::cmd::job_names::sentence;
use crate::exit::Exit;
use crate::model::status::Job;
use crate::session::SessionName;
use crate::session::spec::high_availability::HighAvailability;
use crate::session::text::shell::quoted;

/// What is to become of a session.
pub struct Plan {
    pub session: Session,
    /// When it was looked at.
    pub at: Instant,
    /// What high availability has kept goes too.
    pub purges: bool,
    /// What runs on it.
    pub jobs: Jobs,
}

impl Plan {
    /// Looks at the session; none when nothing is there that could go.
    ///
    /// # Errors
    /// `Refused` for what is not ours to delete.
    pub async fn of(
        name: &SessionName,
        purges: bool,
        cluster: &Cluster,
        app: &App,
    ) -> Result<Option<Self>, CommandError> {
        let at = Instant::now();
        let session = Session::look(name, &DELETE, cluster).await?;
        let is_left_over = session.objects.deployment.is_none() && session.objects.jobmanagers.is_empty();
        if is_left_over && purges && session.is_operated.is_none() {
            return Err(may_be_operated(name, cluster));
        }
        if is_left_over && purges {
            refuse_what_is_led(&session, cluster, app).await?;
        }
        if let [_, ..] = &session.objects.strangers[..] {
            let list: Vec<String> = session.objects.strangers.iter().map(ToString::to_string).collect();
            app.ui.warn(&format!(
                "left alone, for Flink did not make it, though its labels say session {name}: {}",
                list.join(", ")
            ));
        }
        let plan = Self { session, at, purges, jobs: Jobs::None };
        if plan.session.objects.is_empty() && !(purges && plan.session.keeps_state()) {
            plan.tell_what_stays(cluster, app).await;
            return Ok(None);
        }
        Ok(Some(plan))
    }

    pub fn name(&self) -> &SessionName {
        &self.session.name
    }

    /// Says what would become of running jobs.
    pub fn tell_fate(&self, args: &Args, app: &App) {
        if let Jobs::ToEnd(asked) = &self.jobs {
            for job in asked.iter().flat_map(|asked| &asked.jobs) {
                app.ui.note(&format!("job {} ({}) would be {}", job.id, job.name, args.ending.fate()));
            }
        }
    }

    /// Says what outlives the session, and brings its jobs back when the name is used again.
    pub async fn tell_what_stays(&self, cluster: &Cluster, app: &App) {
        self.tell_kept(&self.session.objects, self.session.holds_jobs, cluster, app).await;
    }

    /// The same, as it is after the deletion: `last` was there at the last look.
    pub async fn tell_what_has_stayed(&self, last: &SessionObjects, cluster: &Cluster, app: &App) {
        // Jobs that have ended are no longer in it.
        let holds_jobs = match last.high_availability.is_empty() {
            true => false,
            false => match cluster.config_of(cluster.namespace(), self.name()).await {
                Ok(config) => config.holds_jobs,
                Err(_) => true,
            },
        };
        self.tell_kept(last, holds_jobs, cluster, app).await;
    }

    async fn tell_kept(&self, last: &SessionObjects, holds_jobs: bool, cluster: &Cluster, app: &App) {
        let Self { session: Session { name, settings, .. }, purges, .. } = self;
        let HighAvailability { service, storage_directory } = settings.clone().unwrap_or_default();
        let files = storage_directory
            .as_ref()
            .map(|directory| format!("files in {}/{name}", directory.trim_end_matches('/')));
        let kept = last.high_availability.iter().map(ToString::to_string).filter(|_| !purges);
        let mut kept: Vec<String> = kept.collect();
        if kept.is_empty() && service.as_deref() != Some("zookeeper") {
            if let (true, Some(files)) = (*purges && self.session.keeps_state(), files) {
                app.ui.note(&format!("{files} stay, and nothing leads to them any more"));
            }
            return;
        }
        let namespace = cluster.namespace();
        if !kept.is_empty() && cluster.namespace_is_ending(namespace).await {
            app.ui.warn(&format!("namespace {namespace} is being deleted, and with it {}", kept.join(", ")));
            return;
        }
        let in_config_maps = !kept.is_empty();
        if !in_config_maps {
            kept.push("what ZooKeeper holds".to_owned());
        }
        kept.extend(files);
        let without = if in_config_maps && !holds_jobs { ", which holds no job any more" } else { "" };
        let kept = kept.join(", ");
        app.ui.note(&format!("kept, the high-availability state of session {name}{without}: {kept}"));
        if !in_config_maps {
            return;
        }
        let flags = app.scope_flags();
        if holds_jobs {
            let directory = storage_directory.map_or("DIR".to_owned(), |directory| quoted(&directory));
            app.ui.hint(&format!(
                "its jobs come back with the settings that it had, and: kubectl flink create {name}{flags} --ha {directory} --reuse-ha"
            ));
        }
        app.ui.hint(&format!(
            "to give it up, and use the name for something else: kubectl flink delete {name}{flags} --purge-ha"
        ));
    }

    /// What the question shows.
    fn shown(&self, fate: &str) -> String {
        let mut lines = Vec::new();
        let jobs = match &self.jobs {
            Jobs::None if self.session.has_jobmanager() => ", with whatever runs on it".to_owned(),
            Jobs::None => ", which does not run".to_owned(),
            Jobs::ToEnd(asked) => {
                let jobs: Vec<&Job> = asked.iter().flat_map(|asked| &asked.jobs).collect();
                lines.extend(jobs.iter().map(|job| format!("  {}", sentence(job))));
                match jobs.len() {
                    0 => String::new(),
                    1 => format!(", whose running job is {fate}"),
                    count => format!(", whose {count} running jobs are {fate}"),
                }
            }
        };
        lines.insert(0, format!("session {}{jobs}:", self.name()));
        lines.extend(self.session.objects.all().map(|object| format!("  {object}")));
        let how = match (self.purges, self.session.holds_jobs) {
            (false, _) => ", which is kept",
            (true, true) => ", with what is needed to take jobs up again",
            (true, false) => "",
        };
        lines.extend(self.session.objects.high_availability.iter().map(|object| format!("  {object}{how}")));
        lines.join("\n")
    }
}

/// What is waited for, in words.
pub fn awaited(plans: &[Plan]) -> String {
    match plans {
        [plan] => format!("session {} to be gone", plan.name()),
        plans => format!("{} sessions to be gone", plans.len()),
    }
}

/// Asks whether all of `plans` may be carried out.
pub async fn confirm(plans: &[Plan], args: &Args, cluster: &Cluster, app: &App) -> Result<(), CommandError> {
    let context = cluster.context().map(|context| format!(" of context {context}")).unwrap_or_default();
    app.ui.note(&format!("In namespace {}{context}:", cluster.namespace()));
    for plan in plans {
        app.ui.note(&plan.shown(args.ending.fate()));
    }
    let names: Vec<&str> = plans.iter().map(|plan| plan.name().as_str()).collect();
    let (which, are) = match &names[..] {
        [name] => (format!("session {name}"), "is"),
        names => (format!("{} sessions", names.len()), "are"),
    };
    match app.ui.confirm(&format!("Delete {which}?")).await? {
        Some(true) => Ok(()),
        Some(false) => Err(CommandError::new(Exit::Refused, "nothing was deleted")),
        None => Err(CommandError::new(
            Exit::Error,
            format!("{which} {are} not deleted without a question, and there is no terminal to ask on"),
        )
        .hint(format!(
            "kubectl flink delete {}{}{} --yes",
            names.join(" "),
            app.scope_flags(),
            args.typed()
        ))),
    }
}

fn may_be_operated(name: &SessionName, cluster: &Cluster) -> CommandError {
    let namespace = cluster.namespace();
    let what = format!(
        "the high-availability state of session {name} in namespace {namespace} may belong to the Flink operator"
    );
    CommandError::new(Exit::Refused, what)
        .because("you may not look for a FlinkDeployment of that name")
        .hint(format!("kubectl auth can-i list flinkdeployments.flink.apache.org{}", cluster.full_scope()))
}

/// A leader renews its hold every five seconds (`high-availability.kubernetes.leader-election.retry-period`).
const RENEWS: Duration = Duration::from_secs(11);

/// A cluster that is not native keeps its state under the same labels, and has no Deployment of the name.
/// Its leader is alive if it renews its hold; that of a JobManager that is gone only has not run out yet.
async fn refuse_what_is_led(session: &Session, cluster: &Cluster, app: &App) -> Result<(), CommandError> {
    let Session { name, objects, .. } = session;
    let Some(before) = &objects.leader else { return Ok(()) };
    let progress = app.ui.progress();
    progress.waiting_for("a sign of life of its leader");
    tokio::time::sleep(RENEWS).await;
    let now = cluster.session_objects(cluster.namespace(), name).await?;
    let Some(leader) = now.leader.filter(|leader| leader.renewed != before.renewed) else { return Ok(()) };
    let namespace = cluster.namespace();
    let what = format!(
        "the high-availability state of session {name} in namespace {namespace} is in use: it is led by {}",
        leader.holder
    );
    Err(CommandError::new(Exit::Refused, what)
        .because("there is neither a Deployment nor a JobManager pod of that session: its cluster may not be a native one")
        .hint(format!("kubectl get{} pods,deployments --show-labels", cluster.full_scope())))
}
