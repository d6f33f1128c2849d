//! `create --dry-run`: what would be written, and nothing written.

use super::args::{Args, Request};
use super::permissions::{self, Plan};
use super::preflight::Asked;
use crate::app::{App, CommandError};
use crate::cluster::Cluster;
use crate::cmd::dry_run::DryRun;
use crate::exit::Exit;
use crate::output::format::ObjectFormat;
use crate::output::objects;
use crate::session::manifest::Manifest;
use crate::session::manifest::{bootstrap_job, rbac};
use crate::session::spec::PodSize;

/// Prints all that a session may need in a namespace that has nothing. No cluster is asked.
pub fn client(args: &Args, request: &Request, app: &App) -> Result<Exit, CommandError> {
    let namespace = app.namespace()?;
    let plan = permissions::whole(&request.spec, &namespace);
    let size = bootstrap_job::size::usual();
    let manifests = manifests(args, request, &plan, &namespace, args.create_namespace, size);
    print(args, &manifests, " (dry run)", app)
}

/// Prints what is missing, once the checks have shown it to the API server.
pub fn server(
    args: &Args,
    request: &Request,
    asked: &Asked<'_>,
    size: PodSize,
    cluster: &Cluster,
    app: &App,
) -> Result<Exit, CommandError> {
    let namespace = cluster.namespace();
    let Asked { plan, has_namespace, .. } = *asked;
    if !has_namespace {
        app.ui
            .warn(&format!("namespace {namespace} does not exist yet: what goes into it could not be tried"));
    }
    print(args, &manifests(args, request, plan, namespace, !has_namespace, size), " (server dry run)", app)
}

/// Everything that this `create` would write, in that order.
fn manifests(
    args: &Args,
    request: &Request,
    plan: &Plan,
    namespace: &str,
    makes_it: bool,
    size: PodSize,
) -> Vec<Manifest> {
    let mut manifests = Vec::new();
    if makes_it {
        manifests.push(Manifest::Namespace(rbac::namespace(namespace)));
    }
    manifests.extend(plan.manifests());
    manifests.push(Manifest::Job(Box::new(bootstrap_job::job(&request.spec, namespace, args.timeout, size))));
    manifests
}

fn print(args: &Args, manifests: &[Manifest], suffix: &str, app: &App) -> Result<Exit, CommandError> {
    debug_assert_ne!(args.dry_run, DryRun::None);
    let lines = |suffix: &str| -> String {
        manifests.iter().map(|manifest| format!("{}{suffix}\n", manifest.object())).collect()
    };
    let text = match args.output {
        None => lines(&format!(" created{suffix}")),
        Some(ObjectFormat::Name) => lines(""),
        Some(format) => {
            let values: Vec<_> = manifests.iter().map(Manifest::to_json).collect();
            let text = objects::render(&values, format).map_err(|error| {
                CommandError::new(Exit::Error, format!("cannot print the objects: {error}"))
            })?;
            app.ui.manifest(&text)?;
            return Ok(Exit::Done);
        }
    };
    app.ui.data(&text)?;
    Ok(Exit::Done)
}
