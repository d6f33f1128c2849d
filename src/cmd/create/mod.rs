//! `kubectl flink create NAME`: makes a session and waits until its REST answers.

mod accounts;
mod args;
mod cluster_grants;
mod dry_run;
mod groups;
mod permissions;
mod policy;
mod preflight;
mod wait;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

pub use args::Args;

use crate::app::wait::unless_interrupted;
use crate::app::{App, CommandError, interrupt};
use crate::cluster::{Cluster, ClusterError, Kind, ObjectRef, Propagation};
use crate::cmd::dry_run::DryRun;
use crate::exit::Exit;
use crate::model::Evidence;
use crate::model::evidence::Rest;
use crate::session::existing::conflicts::Clear;
use crate::session::manifest::Manifest;
use crate::session::manifest::{bootstrap_job, labels, rbac};
use crate::session::spec::PodSize;
use crate::session::spec::settings::Expose;
use crate::session::spec::version;
use crate::session::{FlinkVersion, SessionSpec};
use args::Request;

pub async fn run(args: Args, app: &App) -> Result<Exit, CommandError> {
    let mut request = args.request(app)?;
    let spec = &request.spec;
    warn_if_newer(app, spec.version_hint());
    spec.warnings().iter().for_each(|warning| app.ui.warn(warning));
    tell_translations(app, spec, spec.version_hint());
    if args.dry_run == DryRun::Client {
        return dry_run::client(&args, &request, app);
    }
    app.bound_requests(args.timeout);
    let cluster = match args.dry_run {
        // From here on no request can write.
        DryRun::Server => app.cluster().await?.dry_run(),
        _ => app.cluster().await?,
    };
    let has_namespace = preflight::check_namespace(&cluster, args.create_namespace).await?;
    let taskmanager_account =
        accounts::settle(&cluster, &mut request.spec, has_namespace, args.ignore_preflight, app).await?;
    let (request, spec) = (&request, &request.spec);
    let clear = match has_namespace {
        true if args.dry_run == DryRun::Server => {
            preflight::look_at_name(&cluster, request, app).await?.verdict?
        }
        true => wait::until_clear(&cluster, request, app).await?,
        false => Clear::Start,
    };
    // From here on a signal ends a wait, and a write that has begun completes.
    let mut awaits = None;
    let started = match clear {
        Clear::Resume { .. } if args.dry_run == DryRun::Server => {
            app.ui.status(&format!("job.batch/{} makes this session already", spec.name.bootstrap_job()));
            return Ok(Exit::Done);
        }
        Clear::Resume { uid } => resume(spec, uid, app),
        clear => {
            let mut plan = permissions::plan(&cluster, spec, has_namespace).await?;
            plan.taskmanager_account = taskmanager_account;
            let earlier =
                if has_namespace { policy::look(&cluster, spec).await? } else { policy::Found::Nothing };
            let replaces = matches!(clear, Clear::ReplaceBootstrap { .. });
            let asked = preflight::Asked { plan: &plan, has_namespace, replaces, timeout: args.timeout };
            let size = preflight::check_place(&cluster, request, &asked, args.ignore_preflight, app).await?;
            cluster_grants::warn(&cluster, spec, app).await?;
            for warning in &plan.warnings {
                app.ui.warn(warning);
            }
            if args.dry_run == DryRun::Server {
                return dry_run::server(&args, request, &asked, size, &cluster, app);
            }
            awaits = Some(app.await_interrupt());
            if !has_namespace {
                let namespace = rbac::namespace(cluster.namespace());
                make(&cluster, &Manifest::Namespace(namespace), spec, app).await?;
            }
            policy::clear(&cluster, &earlier, app).await?;
            for manifest in plan.manifests() {
                make(&cluster, &manifest, spec, app).await?;
            }
            match start_bootstrap(&cluster, spec, clear, (args.timeout, size), app).await? {
                Some(started) => started,
                // Of several that are run at once, all but one wait for it where it makes the same session.
                None => match preflight::look_at_name(&cluster, request, app).await?.verdict {
                    Ok(Clear::Resume { uid }) => resume(spec, uid, app),
                    _ => return Err(made_by_another(spec, app)),
                },
            }
        }
    };
    if !args.wait {
        app.ui.hint(&format!("kubectl flink status {}{} --wait", spec.name, app.scope_flags()));
        return Ok(Exit::Done);
    }
    let _awaits = awaits.unwrap_or_else(|| app.await_interrupt());
    let evidence = wait::until_ready(&cluster, spec, &started, args.timeout, app).await?;
    let shown = async {
        finish(&cluster, request, &evidence, app).await?;
        super::session_tables::present(&cluster, &spec.name, &evidence, app).await
    };
    unless_interrupted(shown, || format!("interrupted: session {} is ready", spec.name)).await
}

fn warn_if_newer(app: &App, found: Option<FlinkVersion>) {
    if let Some(newer) = found.filter(|found| version::NEWEST.is_before(*found)) {
        let known = version::NEWEST;
        app.ui.warn(&format!(
            "Flink {newer} is newer than this plugin knows: the settings of {known} are used"
        ));
    }
}

/// Says what the settings are called by the Flink that runs.
fn tell_translations(app: &App, spec: &SessionSpec, version: Option<FlinkVersion>) {
    let Some(version) = version else { return };
    for (typed, name) in spec.translated(version.minor()) {
        app.ui.status(&format!("{} is {name} in Flink {version}", spec.origin(typed)));
    }
}

/// Creates what the bootstrap needs. Somebody else may have made it meanwhile: that is as good.
async fn make(
    cluster: &Cluster,
    manifest: &Manifest,
    spec: &SessionSpec,
    app: &App,
) -> Result<(), CommandError> {
    if interrupt::first().is_some() {
        return Err(wait::not_begun(spec));
    }
    let made = interrupt::complete(cluster.make(cluster.namespace(), manifest)).await;
    let Some(made) = made else { return Err(wait::not_begun(spec)) };
    match made {
        Ok(_) => app.ui.status(&format!("{} created", manifest.object())),
        Err(error) if error.is_already_exists() => {}
        Err(error) => {
            let hint = match (manifest, error.is_forbidden()) {
                (_, false) => None,
                (Manifest::Namespace(_), true) => {
                    Some("ask an administrator to make it, then leave --create-namespace out")
                }
                (Manifest::NetworkPolicy(_), true) => {
                    Some("ask an administrator for permission to create networkpolicies.networking.k8s.io")
                }
                _ => Some("ask an administrator for it, then use --rbac=none"),
            };
            let place = match manifest {
                Manifest::Namespace(_) | Manifest::ClusterRoleBinding(_) => String::new(),
                _ => format!(" in namespace {}", cluster.namespace()),
            };
            let error =
                CommandError::from(error).while_doing(format!("cannot create {}{place}", manifest.object()));
            return Err(hint.into_iter().fold(error, CommandError::hint));
        }
    }
    Ok(())
}

/// Takes up the wait of a `create` that did not see its end.
fn resume(spec: &SessionSpec, uid: String, app: &App) -> Started {
    let job = ObjectRef { kind: Kind::Job, name: spec.name.bootstrap_job(), uid };
    app.ui.status(&format!("{job} makes this session already: waiting for it"));
    Started { job, server_ahead: SignedDuration::ZERO, is_resumed: true }
}

/// A bootstrap that has been started.
struct Started {
    job: ObjectRef,
    /// How far the server's clock is ahead of this machine's. Ages are judged by the server's.
    server_ahead: SignedDuration,
    /// Somebody else may have started it.
    is_resumed: bool,
}

fn made_by_another(spec: &SessionSpec, app: &App) -> CommandError {
    CommandError::new(Exit::Error, format!("somebody else is creating session {} right now", spec.name))
        .hint(format!("kubectl flink status {}{} --wait", spec.name, app.scope_flags()))
}

/// Creates the bootstrap Job. The API server lets only one of two at once have the name; none for the other one.
async fn start_bootstrap(
    cluster: &Cluster,
    spec: &SessionSpec,
    clear: Clear,
    (timeout, size): (Duration, PodSize),
    app: &App,
) -> Result<Option<Started>, CommandError> {
    let namespace = cluster.namespace();
    let name = spec.name.bootstrap_job();
    let what = format!("cannot create {}/{name} in namespace {namespace}", Kind::Job.resource());
    match clear {
        Clear::ReplaceBootstrap { uid } => {
            let ended = ObjectRef { kind: Kind::Job, name: name.clone(), uid };
            if cluster.delete(namespace, &ended, Propagation::Background).await? {
                app.ui.status(&format!("{ended} of an earlier try deleted"));
            }
        }
        // What was being deleted is gone by now.
        Clear::Start | Clear::AwaitBootstrapGone { .. } | Clear::Resume { .. } => {}
    }
    if interrupt::first().is_some() {
        return Err(wait::not_begun(spec));
    }
    let job = Manifest::Job(Box::new(bootstrap_job::job(spec, namespace, timeout, size)));
    let made = interrupt::complete(cluster.make(namespace, &job)).await;
    let made = match made.ok_or_else(|| wait::cut_short(spec, &job.object(), app))? {
        Ok(made) => made,
        Err(error) if error.is_already_exists() => return Ok(None),
        Err(error) => return Err(CommandError::from(error).while_doing(what)),
    };
    let created = Started {
        server_ahead: made
            .creation_timestamp
            .map_or(SignedDuration::ZERO, |created| created.duration_since(Timestamp::now())),
        job: ObjectRef { kind: Kind::Job, name, uid: made.uid },
        is_resumed: false,
    };
    app.ui.status(&format!("{} created", created.job));
    Ok(Some(created))
}

/// Marks the session as made here, with the version that it really runs, and exposes it. The
/// session works without the marks, so a missing permission is a warning.
async fn finish(
    cluster: &Cluster,
    request: &Request,
    evidence: &Evidence,
    app: &App,
) -> Result<(), CommandError> {
    let spec = &request.spec;
    let Some(deployment) = evidence.deployment.as_ref() else { return Ok(()) };
    let deployment =
        ObjectRef { kind: Kind::Deployment, name: spec.name.to_string(), uid: deployment.uid.clone() };
    let mut marks = vec![(labels::MANAGED_BY, labels::PLUGIN)];
    if let Rest::Up(overview) = &evidence.rest {
        marks.push((labels::VERSION, &overview.version));
        let hinted = spec.version_hint().is_some_and(|hint| version::NEWEST.is_before(hint));
        let version = overview.version.parse().ok();
        warn_if_newer(app, version.filter(|_| !hinted));
        tell_translations(app, spec, version.filter(|_| spec.version_hint().is_none()));
    }
    let (key, record) = preflight::record(request, cluster.namespace());
    if let Err(error) = cluster.mark(cluster.namespace(), &deployment, &marks, &[(key, &record)]).await {
        app.ui.warn(&format!("cannot mark {deployment}: {error}"));
    }
    policy::adopt(cluster, spec, &deployment, app).await;
    if spec.expose == Expose::ClusterIp {
        return Ok(());
    }
    let namespace = cluster.namespace();
    let service = cluster.own_rest_service(namespace, &spec.name, &deployment.uid).await;
    if let Ok(None) = service {
        return Err(not_its_own(spec, cluster));
    }
    expose(cluster, spec, service).await.map_err(|error| {
        CommandError::from(error)
            .while_doing(format!(
                "session {} is ready, but not exposed as {}",
                spec.name,
                spec.expose.as_str()
            ))
            .hint(format!(
                "kubectl patch service {}{} -p '{{\"spec\":{{\"type\":\"{}\"}}}}'",
                spec.name.rest_service(),
                cluster.full_scope(),
                spec.expose.as_str()
            ))
    })
}

/// A Service that somebody else has made is not the session's to change.
fn not_its_own(spec: &SessionSpec, cluster: &Cluster) -> CommandError {
    let (name, service) = (&spec.name, spec.name.rest_service());
    let what = format!("session {name} is ready, but not exposed as {}", spec.expose.as_str());
    CommandError::new(Exit::Error, what)
        .because(format!("service/{service} is not there, or is not that of session {name}"))
        .hint(format!("kubectl get{} service {service} -o yaml", cluster.full_scope()))
}

async fn expose(
    cluster: &Cluster,
    spec: &SessionSpec,
    service: Result<Option<ObjectRef>, ClusterError>,
) -> Result<(), ClusterError> {
    let Some(service) = service? else { return Ok(()) };
    cluster.set_service_type(cluster.namespace(), &service, spec.expose.as_str()).await
}
