//! What is to go of a session and what stays, and the question whether it may.

use super::Args;
use crate::app::{App, CommandError};
use crate::cluster::{Cluster, SessionObjects};
use crate::cmd::ending::Jobs;
use crate::cmd::job_names::sentence;
use crate::exit::Exit;
use crate::session::SessionName;
use crate::session::high_availability::{self, HighAvailability};

/// What is known of a session before it goes.
pub struct Plan {
    pub name: SessionName,
    pub objects: SessionObjects,
    pub settings: HighAvailability,
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
        let namespace = cluster.namespace();
        let (objects, config, is_operated) = tokio::try_join!(
            cluster.session_objects(namespace, name),
            cluster.config_of(namespace, name),
            cluster.is_operated(namespace, name.as_str()),
        )?;
        refuse_what_is_not_ours(name, cluster, &objects)?;
        let is_unknown = is_operated.is_none() && objects.deployment.is_none() && purges;
        if is_operated == Some(true) || is_unknown {
            return Err(of_operator(name, cluster, is_unknown));
        }
        let settings = config.settings.as_ref().map(high_availability::of).unwrap_or_default();
        let plan = Self { name: name.clone(), objects, settings, purges, jobs: Jobs::None };
        if let [_, ..] = &plan.objects.strangers[..] {
            let list = list(&plan.objects.strangers);
            app.ui.warn(&format!(
                "left alone: {list} carry labels of session {name}, and Flink did not make them"
            ));
        }
        if plan.objects.is_empty() && !(purges && plan.keeps_something()) {
            plan.tell_what_stays(cluster, app).await;
            return Ok(None);
        }
        Ok(Some(plan))
    }

    /// True while a JobManager may run, on which jobs may.
    pub fn has_jobmanager(&self) -> bool {
        let SessionObjects { deployment, jobmanagers, is_ending, .. } = &self.objects;
        !is_ending && (deployment.is_some() || !jobmanagers.is_empty())
    }

    /// True where jobs outlive the JobManager, who must then go before the TaskManagers.
    pub fn is_highly_available(&self) -> bool {
        self.settings.service.is_some() || self.keeps_something()
    }

    fn keeps_something(&self) -> bool {
        !self.objects.high_availability.is_empty()
    }

    /// Says what outlives the session, and brings its jobs back when the name is used again.
    pub async fn tell_what_stays(&self, cluster: &Cluster, app: &App) {
        self.tell_kept(&self.objects, cluster, app).await;
    }

    /// The same, as it was at the last look.
    pub async fn tell_kept(&self, last: &SessionObjects, cluster: &Cluster, app: &App) {
        let Self { name, settings, purges, .. } = self;
        let directory = settings
            .storage_directory
            .as_ref()
            .map(|directory| format!("files in {}/{name}", directory.trim_end_matches('/')));
        let kept: Vec<String> =
            last.high_availability.iter().map(ToString::to_string).filter(|_| !purges).collect();
        let is_zookeepers = settings.service.as_deref() == Some("zookeeper");
        if kept.is_empty() && !is_zookeepers {
            if let (true, Some(directory)) = (*purges && self.keeps_something(), directory) {
                app.ui.note(&format!("{directory} stay, and nothing leads to them any more"));
            }
            return;
        }
        if cluster.is_ending(cluster.namespace()).await {
            let namespace = cluster.namespace();
            app.ui.warn(&format!("namespace {namespace} is being deleted, and with it {}", kept.join(", ")));
            return;
        }
        let zookeeper = is_zookeepers.then(|| "what ZooKeeper holds".to_owned());
        let all: Vec<String> = kept.iter().cloned().chain(zookeeper).chain(directory).collect();
        app.ui.note(&format!("kept, the high-availability state of session {name}: {}", all.join(", ")));
        if kept.is_empty() {
            return;
        }
        let flags = app.scope_flags();
        app.ui.hint(&format!(
            "its jobs come back with: kubectl flink create {name}{flags} --reuse-ha, and the settings that it had"
        ));
        app.ui
            .hint(&format!("if they are not needed any more: kubectl flink delete {name}{flags} --purge-ha"));
    }

    /// What the question shows.
    fn shown(&self, fate: &str) -> String {
        let mut lines = Vec::new();
        let jobs = match &self.jobs {
            Jobs::None if self.has_jobmanager() => String::new(),
            Jobs::None => ", which does not run".to_owned(),
            Jobs::ToEnd(asked) => {
                lines.extend(asked.jobs.iter().map(|job| format!("  {}", sentence(job))));
                match asked.jobs.len() {
                    0 => String::new(),
                    1 => format!(", with a running job, {fate}"),
                    count => format!(", with {count} running jobs, {fate}"),
                }
            }
        };
        lines.insert(0, format!("session {}{jobs}:", self.name));
        lines.extend(self.objects.all().map(|object| format!("  {object}")));
        let how = if self.purges { "" } else { " is kept" };
        lines.extend(self.objects.high_availability.iter().map(|object| format!("  {object}{how}")));
        lines.join("\n")
    }
}

fn list<T: ToString>(objects: &[T]) -> String {
    objects.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// What is waited for, in words.
pub fn awaited(plans: &[Plan]) -> String {
    match plans {
        [plan] => format!("session {} to be gone", plan.name),
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
    let names: Vec<&str> = plans.iter().map(|plan| plan.name.as_str()).collect();
    let which = match &names[..] {
        [name] => format!("session {name}"),
        names => format!("{} sessions", names.len()),
    };
    match app.ui.confirm(&format!("Delete {which}?")).await? {
        Some(true) => Ok(()),
        Some(false) => Err(CommandError::new(Exit::Refused, "nothing was deleted")),
        None => Err(CommandError::new(
            Exit::Error,
            format!("{which} is not deleted without a question, and there is no terminal to ask on"),
        )
        .hint(format!(
            "kubectl flink delete {}{}{} --yes",
            names.join(" "),
            app.scope_flags(),
            args.typed()
        ))),
    }
}

fn refuse_what_is_not_ours(
    name: &SessionName,
    cluster: &Cluster,
    objects: &SessionObjects,
) -> Result<(), CommandError> {
    let (namespace, scope) = (cluster.namespace(), cluster.full_scope());
    let refused = |message: String, hint: String| Err(CommandError::new(Exit::Refused, message).hint(hint));
    if let Some(foreign) = &objects.foreign {
        return refused(
            format!("{foreign} in namespace {namespace} is no Flink session"),
            format!("kubectl get{scope} {foreign} --show-labels"),
        );
    }
    match &objects.controller {
        Some((kind, _)) if kind == "FlinkDeployment" => return Err(of_operator(name, cluster, false)),
        Some((kind, owner)) => {
            return refused(
                format!(
                    "session {name} in namespace {namespace} belongs to {kind} {owner}, which would make it anew"
                ),
                format!("kubectl delete{scope} {} {owner}", kind.to_lowercase()),
            );
        }
        None => {}
    }
    if objects.is_application {
        return refused(
            format!(
                "{name} in namespace {namespace} is a Flink application cluster, not a session: it ends with its job"
            ),
            format!("kubectl flink jobs {name}{scope} -a"),
        );
    }
    Ok(())
}

fn of_operator(name: &SessionName, cluster: &Cluster, is_unknown: bool) -> CommandError {
    let (namespace, scope) = (cluster.namespace(), cluster.full_scope());
    let told = |message| CommandError::new(Exit::Refused, message);
    if is_unknown {
        return told(format!(
            "the high-availability state of session {name} in namespace {namespace} may belong to the Flink operator"
        ))
        .because("you may not look for a FlinkDeployment of that name")
        .hint(format!("kubectl auth can-i get flinkdeployments{scope}"));
    }
    told(format!("session {name} in namespace {namespace} belongs to the Flink operator"))
        .hint(format!("kubectl delete{scope} flinkdeployment {name}"))
}
