//! `kubectl flink create NAME`: makes a session and waits until its REST answers.

mod args;
mod permissions;
mod wait;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

pub use args::Args;

use crate::app::{App, CommandError, rest};
use crate::cluster::{Cluster, ClusterError, Kind, ObjectRef, Propagation};
use crate::exit::Exit;
use crate::model::Evidence;
use crate::model::evidence::Rest;
use crate::session::preflight::{self, Clear, Refusal};
use crate::session::spec::Expose;
use crate::session::{FlinkVersion, SessionName, SessionSpec, bootstrap, labels, version};

pub async fn run(args: Args, app: &App) -> Result<Exit, CommandError> {
    let spec = args.spec()?;
    let cluster = app.cluster().await?;
    let namespace = cluster.namespace();
    warn_if_newer(app, spec.version_hint());

    let has_namespace = check_namespace(&cluster, &args, app).await?;
    let clear = match has_namespace {
        true => check_name(&cluster, &spec.name, app).await?,
        false => Clear::Start,
    };
    let permissions =
        permissions::plan(&cluster, namespace, has_namespace, &spec.service_account, args.grant()).await?;

    if !has_namespace {
        permissions::create_namespace(&cluster, namespace, app).await?;
    }
    permissions.grant(&cluster, app).await?;
    let started = start_bootstrap(&cluster, &spec, clear, args.timeout, app).await?;
    if !args.wait {
        app.ui.hint(&format!("kubectl flink status {}{}", spec.name, app.scope_flags()));
        return Ok(Exit::Done);
    }
    let evidence = wait::until_ready(&cluster, &spec, &started, args.timeout, app).await?;
    finish(&cluster, &spec, &evidence, app).await?;
    present(&cluster, &spec, &evidence, app).await
}

fn warn_if_newer(app: &App, found: Option<FlinkVersion>) {
    if let Some(newer) = found.filter(|found| version::NEWEST.is_before(*found)) {
        let known = version::NEWEST;
        app.ui.warn(&format!(
            "Flink {newer} is newer than this plugin knows: the settings of {known} are used"
        ));
    }
}

/// True when the namespace is there, or may be: not everybody can look.
async fn check_namespace(cluster: &Cluster, args: &Args, app: &App) -> Result<bool, CommandError> {
    let namespace = cluster.namespace();
    match cluster.namespace_exists(namespace).await? {
        Some(false) if !args.create_namespace => {
            Err(CommandError::new(Exit::Error, format!("namespace {namespace:?} does not exist"))
                .hint(format!("kubectl flink create {}{} --create-namespace", args.name, app.scope_flags())))
        }
        Some(exists) => Ok(exists),
        None => Ok(true),
    }
}

async fn check_name(cluster: &Cluster, name: &SessionName, app: &App) -> Result<Clear, CommandError> {
    let namespace = cluster.namespace();
    let found = cluster.found(namespace, name).await?;
    preflight::check(name, namespace, &found).map_err(|refusal| {
        let flags = app.scope_flags();
        let refused = |exit| CommandError::new(exit, refusal.to_string());
        match &refusal {
            Refusal::SessionExists { .. } | Refusal::BeingCreated { .. } => refused(Exit::Error)
                .hint(format!("kubectl flink status {name}{flags}, or choose another name")),
            Refusal::LeftOver { .. } => {
                refused(Exit::Refused).hint(format!("kubectl flink delete {name}{flags}"))
            }
            Refusal::ApplicationExists { .. } | Refusal::Foreign { .. } | Refusal::ForeignJob { .. } => {
                refused(Exit::Refused).hint("choose another name")
            }
            Refusal::OldJobs { objects, .. } => refused(Exit::Refused).hint(format!(
                "choose another name, or, if those jobs are not needed: kubectl delete{} {}",
                cluster.full_scope(),
                objects.join(" ")
            )),
        }
    })
}

/// A bootstrap that has been started.
struct Started {
    job: ObjectRef,
    /// How far the server's clock is ahead of this machine's. Ages are judged by the server's.
    server_ahead: SignedDuration,
}

/// Creates the bootstrap Job. The API server lets only one of two at once have the name.
async fn start_bootstrap(
    cluster: &Cluster,
    spec: &SessionSpec,
    clear: Clear,
    timeout: Duration,
    app: &App,
) -> Result<Started, CommandError> {
    let namespace = cluster.namespace();
    let name = spec.name.bootstrap_job();
    let what = format!("cannot create {}/{name} in namespace {namespace}", Kind::Job.resource());
    if let Clear::ReplaceBootstrap { uid } = clear {
        let ended = ObjectRef { kind: Kind::Job, name: name.clone(), uid };
        if cluster.delete(namespace, &ended, Propagation::Background).await? {
            app.ui.status(&format!("{ended} of an earlier try deleted"));
        }
    }
    let job =
        cluster.create(namespace, &bootstrap::job(spec, namespace, timeout)).await.map_err(|error| {
            let flags = app.scope_flags();
            match error {
                error if error.is_already_exists() => CommandError::new(
                    Exit::Error,
                    format!("somebody else is creating session {} right now", spec.name),
                )
                .hint(format!("kubectl flink status {}{flags}", spec.name)),
                error => CommandError::from(error).while_doing(what),
            }
        })?;
    let created = Started {
        server_ahead: job
            .metadata
            .creation_timestamp
            .map_or(SignedDuration::ZERO, |created| created.0.duration_since(Timestamp::now())),
        job: ObjectRef { kind: Kind::Job, name, uid: job.metadata.uid.unwrap_or_default() },
    };
    app.ui.status(&format!("{} created", created.job));
    Ok(created)
}

/// Marks the session as made here, with the version that it really runs, and exposes it. The
/// session works without the marks, so a missing permission is a warning.
async fn finish(
    cluster: &Cluster,
    spec: &SessionSpec,
    evidence: &Evidence,
    app: &App,
) -> Result<(), CommandError> {
    let Some(deployment) = evidence.deployment.as_ref() else { return Ok(()) };
    let deployment =
        ObjectRef { kind: Kind::Deployment, name: spec.name.to_string(), uid: deployment.uid.clone() };
    let mut marks = vec![(labels::MANAGED_BY, labels::PLUGIN)];
    if let Rest::Up(overview) = &evidence.rest {
        marks.push((labels::VERSION, &overview.version));
        let hinted = spec.version_hint().is_some_and(|hint| version::NEWEST.is_before(hint));
        warn_if_newer(app, overview.version.parse().ok().filter(|_| !hinted));
    }
    if let Err(error) = cluster.label(cluster.namespace(), &deployment, &marks).await {
        app.ui.warn(&format!("cannot label {deployment}: {error}"));
    }
    if spec.expose == Expose::ClusterIp {
        return Ok(());
    }
    expose(cluster, spec).await.map_err(|error| {
        CommandError::from(error)
            .while_doing(format!(
                "session {} is ready, but not exposed as {}",
                spec.name,
                spec.expose.as_str()
            ))
            .hint(format!("kubectl flink status {}{}", spec.name, app.scope_flags()))
    })
}

async fn expose(cluster: &Cluster, spec: &SessionSpec) -> Result<(), ClusterError> {
    let name = spec.name.rest_service();
    let Some(service) = cluster.service(cluster.namespace(), &name).await? else {
        return Err(ClusterError::Answer(format!("there is no service/{name}")));
    };
    cluster.set_service_type(cluster.namespace(), &service, spec.expose.as_str()).await
}

/// Prints the tables, then says that the session is ready and how to open it.
async fn present(
    cluster: &Cluster,
    spec: &SessionSpec,
    evidence: &Evidence,
    app: &App,
) -> Result<Exit, CommandError> {
    match super::session_tables::read_what_may_be_read(cluster, cluster.namespace(), &spec.name).await {
        Ok((tables, forbidden)) => {
            app.ui.data(&tables)?;
            forbidden.iter().for_each(|part| app.ui.warn(&format!("not all could be read: {part}")));
        }
        // The session is there, whatever happened to its tables.
        Err(error) => app.ui.warn(&format!("the tables could not be read: {error}")),
    }
    let ready = match &evidence.rest {
        Rest::Up(overview) => format!("Session {} is ready with Flink {}.", spec.name, overview.version),
        _ => format!("The JobManager of session {} runs; its REST could not be asked.", spec.name),
    };
    let port = evidence.jobmanagers.last().and_then(|pod| pod.rest_port).unwrap_or(rest::DEFAULT_PORT);
    app.ui.status("");
    app.ui.status(&format!(
        "{ready} Open its web UI at http://127.0.0.1:{port} with: kubectl port-forward{} deployment/{} {port}",
        app.scope_flags(),
        spec.name
    ));
    Ok(Exit::Done)
}
