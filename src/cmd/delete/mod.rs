//! `kubectl flink delete NAME...`: ends sessions, so that nothing is lost and nothing left.

mod cluster_rbac;
mod deed;
mod plan;
mod targets;

use std::cell::{Cell, RefCell};
use std::time::Duration;

use futures::StreamExt;

use self::deed::{Client, Deletion};
use self::plan::Plan;
use super::dry_run::DryRun;
use super::ending::{Deed, EndingArgs, Guard, Jobs, Told};
use super::number;
use super::removal::Removal;
use super::word::Word;
use crate::app::wait::unless_interrupted;
use crate::app::{App, CommandError, duration};
use crate::cluster::{Cluster, ObjectRef};
use crate::exit::Exit;
use crate::session::SessionName;

#[derive(clap::Args)]
#[command(after_help = "\
A session with running jobs is not deleted unless you say what is to become of them. What high
availability has kept of jobs stays, and brings them back when a session of that name is created
with --reuse-ha; --purge-ha gives it up.

Examples:
  # Asks first
  kubectl flink delete roc

  # Stop its jobs with savepoints first; the command that goes on from each is printed
  kubectl flink delete roc --savepoint=s3://bucket/savepoints

  # In a script
  kubectl flink delete roc --yes --ignore-not-found

  # All sessions of a team, with their jobs as they are
  kubectl flink delete -l team=orders --force")]
pub struct Args {
    /// Names of the sessions
    #[arg(add = Word::Session)]
    names: Vec<String>,

    /// Sessions whose Deployment has these labels, such as team=a,tier!=test
    #[arg(short = 'l', long, value_name = "SELECTOR", conflicts_with = "names")]
    selector: Option<String>,

    /// All sessions of the namespace
    #[arg(long, conflicts_with_all = ["names", "selector"])]
    all: bool,

    /// Do not ask
    #[arg(short, long)]
    yes: bool,

    /// A session that is not there is no error
    #[arg(long)]
    ignore_not_found: bool,

    /// Remove what high availability has kept of jobs, once no pod is left: they cannot come back
    #[arg(long)]
    purge_ha: bool,

    /// Remove the ClusterRoleBinding of --rbac=edit-cluster, too, unless something still uses its account
    #[arg(long)]
    cluster_rbac: bool,

    /// Wait until everything is gone
    #[arg(long, value_name = "BOOL", default_value_t = true, num_args = 0..=1, require_equals = true,
          default_missing_value = "true", hide_default_value = true, action = clap::ArgAction::Set)]
    wait: bool,

    /// Longest wait for everything to be gone, such as 90s or 5m
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = duration::parse)]
    timeout: Duration,

    /// Seconds for pods to end; 0 counts as 1, as with kubectl [default: the pods' own]
    #[arg(long, value_name = "SECONDS", default_value_t = -1, hide_default_value = true, allow_negative_numbers = true,
          value_parser = number::within(-1..=i32::MAX))]
    grace_period: i32,

    #[command(flatten)]
    removal: Removal,

    #[command(flatten)]
    ending: EndingArgs,
}

impl Args {
    /// The flags that decide what goes, as they were typed: for the command that goes on.
    fn typed(&self) -> String {
        let purge = if self.purge_ha { " --purge-ha" } else { "" };
        let rbac = if self.cluster_rbac { " --cluster-rbac" } else { "" };
        format!("{purge}{rbac}{}", self.ending.typed())
    }
}

/// Sessions that are looked at, and deleted, at the same time.
const AT_ONCE: usize = 8;

const DELETE: Deed = Deed {
    verb: "delete",
    participle: "deleted",
    forgets_jobs: true,
    forced: ["to delete it all the same", "to keep them, for a session that is created with --reuse-ha"],
    by_operator: |flags, name| format!("kubectl delete{flags} flinkdeployment {name}"),
};

pub async fn run(args: Args, app: &App) -> Result<Exit, CommandError> {
    let names = targets::typed(&args, app)?;
    app.bound_requests(args.timeout);
    let cluster = match args.removal.dry_run {
        // From here on no request can write.
        DryRun::Server => app.cluster().await?.dry_run(),
        _ => app.cluster().await?,
    };
    let names = match names {
        Some(names) => names,
        None => targets::found(&args, &cluster, app).await?,
    };
    let mut failures = Failures { of: names.len(), told: Vec::new(), app };
    let looks =
        futures::stream::iter(&names).map(async |name| (name, look(name, &args, &cluster, app).await));
    let mut looks = looks.buffered(AT_ONCE);
    let mut plans = Vec::new();
    while let Some((name, look)) = looks.next().await {
        match look {
            Ok(Some(plan)) => plans.push(plan),
            Ok(None) => failures.of -= 1,
            Err(error) => failures.add(name, error)?,
        }
    }
    if plans.is_empty() {
        return failures.end();
    }
    let is_trial = args.removal.dry_run != DryRun::None;
    let asks = !args.yes && !is_trial;
    if asks {
        plan::confirm(&plans, &args, &cluster, app).await?;
    }
    let progress = app.ui.progress();
    let (is_one, all) = (plans.len() == 1, plan::awaited(&plans));
    // Several at once are in different states.
    let waiting_for = |what: &str| progress.waiting_for(if is_one { what } else { &all });
    // What is done is done, whether anybody hears of it or not.
    let unheard = RefCell::new(None);
    let heard = |said: Result<(), CommandError>| {
        if let Err(error) = said {
            unheard.borrow_mut().get_or_insert(error);
        }
    };
    let line = |line: &str| heard(args.removal.line(line, app));
    let removed = |object: &ObjectRef| heard(args.removal.removed(object, cluster.namespace(), app));
    let run = Run {
        args: &args,
        cluster: &cluster,
        app,
        // Of the first of many, or while somebody thinks, time goes by.
        looks_again: asks || !is_one,
        is_interrupted: Cell::new(false),
        told: Told { line: &line, waiting_for: &waiting_for },
        removed: &removed,
    };
    // From here on every wait ends by itself on Ctrl-C, and says what goes on.
    let _awaits = app.await_interrupt();
    let deletions = futures::stream::iter(plans)
        .take_while(|_| std::future::ready(!run.is_interrupted.get()))
        .map(async |plan| (plan.name().clone(), delete(plan, &run).await));
    // What is only tried is told in the order of the names.
    let at_once = if is_trial { 1 } else { AT_ONCE };
    let mut deletions = std::pin::pin!(deletions.buffer_unordered(at_once));
    while let Some((name, deleted)) = deletions.next().await {
        if let Err(error) = deleted {
            run.is_interrupted.set(run.is_interrupted.get() || error.exit() == Exit::Interrupted);
            failures.add(&name, error)?;
        }
    }
    failures.end()?;
    unheard.take().map_or(Ok(Exit::Done), Err)
}

/// What the deletions of one command have in common.
struct Run<'a> {
    args: &'a Args,
    cluster: &'a Cluster,
    app: &'a App,
    /// Time has gone by since the session was looked at.
    looks_again: bool,
    is_interrupted: Cell<bool>,
    /// How what has been done is told, besides removals.
    told: Told<'a>,
    removed: &'a dyn Fn(&ObjectRef),
}

/// Looks at one session, and at what runs on it. None when it is not there, which is no error then.
async fn look(
    name: &SessionName,
    args: &Args,
    cluster: &Cluster,
    app: &App,
) -> Result<Option<Plan>, CommandError> {
    let Some(mut plan) = Plan::of(name, args.purge_ha, cluster, app).await? else {
        return match args.ignore_not_found {
            true => Ok(None),
            false => Err(super::near::not_found(name, cluster).await),
        };
    };
    plan.jobs = guard(&plan, args, cluster, app).check().await?;
    Ok(Some(plan))
}

fn guard<'a>(plan: &'a Plan, args: &'a Args, cluster: &'a Cluster, app: &'a App) -> Guard<'a> {
    let flags =
        [(" --purge-ha", args.purge_ha), (" --cluster-rbac", args.cluster_rbac), (" --yes", args.yes)];
    let typed = flags.into_iter().filter(|(_, is_typed)| *is_typed).map(|(flag, _)| flag).collect();
    Guard { deed: DELETE, session: &plan.session, cluster, args: &args.ending, typed, app }
}

async fn delete(mut plan: Plan, run: &Run<'_>) -> Result<(), CommandError> {
    let Run { args, cluster, app, .. } = *run;
    let name = plan.name().clone();
    let untouched = || format!("interrupted: nothing was done to session {name}");
    if args.removal.dry_run != DryRun::None {
        unless_interrupted(Deletion::new(&plan, run).rehearse(), untouched).await?;
        return cluster_rbac::after(&plan, run).await;
    }
    if run.looks_again {
        let now = unless_interrupted(look(&name, args, cluster, app), untouched).await?;
        // Somebody has been quicker.
        let Some(now) = now else { return Ok(()) };
        let known: Vec<ObjectRef> = plan.session.objects.all().cloned().collect();
        if deed::is_another(&known, &now.session.objects, Client::of(&plan.session.objects)) {
            return Err(deed::made_anew(&name));
        }
        plan = now;
    }
    if let Jobs::ToEnd(asked) = std::mem::replace(&mut plan.jobs, Jobs::None) {
        let guard = guard(&plan, args, cluster, app);
        let ended = guard.end_jobs(asked, run.told);
        unless_interrupted(ended, || format!("interrupted: session {name} is not deleted")).await?;
    }
    Deletion::new(&plan, run).run().await?;
    cluster_rbac::after(&plan, run).await
}

/// Sessions that could not be deleted. Each is told as it comes, and all of them once more at the end.
struct Failures<'a> {
    /// How many sessions there were.
    of: usize,
    told: Vec<(String, Exit)>,
    app: &'a App,
}

impl Failures<'_> {
    /// The only session's error ends the command.
    fn add(&mut self, name: &SessionName, error: CommandError) -> Result<(), CommandError> {
        if self.of == 1 {
            return Err(error);
        }
        error.tell(&self.app.ui);
        self.told.push((name.to_string(), error.exit()));
        Ok(())
    }

    fn end(self) -> Result<Exit, CommandError> {
        let Self { of, told, .. } = self;
        // The worst ends the command: Ctrl-C, an error, a refusal, a wait that was too short.
        let rank = |exit: Exit| match exit {
            Exit::Interrupted => 3,
            Exit::TimedOut => 0,
            Exit::Refused => 1,
            _ => 2,
        };
        let Some(worst) = told.iter().map(|(_, exit)| *exit).max_by_key(|exit| rank(*exit)) else {
            return Ok(Exit::Done);
        };
        let names = |why: Exit| -> Vec<&str> {
            told.iter().filter(|(_, exit)| *exit == why).map(|(name, _)| name.as_str()).collect()
        };
        let kinds = [
            ("refused", Exit::Refused),
            ("not gone in time", Exit::TimedOut),
            ("interrupted", Exit::Interrupted),
            ("failed", Exit::Error),
        ];
        let kinds: Vec<String> = kinds
            .into_iter()
            .map(|(how, exit)| (how, names(exit)))
            .filter(|(_, names)| !names.is_empty())
            .map(|(how, names)| format!("{how}: {}", names.join(", ")))
            .collect();
        let are = if told.len() == 1 { "is" } else { "are" };
        let what = format!("{} of {of} sessions {are} not deleted: {}", told.len(), kinds.join("; "));
        Err(CommandError::new(worst, what))
    }
}
