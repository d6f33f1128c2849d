//! The rules, worst and most telling first. Each looks at the evidence and finds one problem or none.
//!
//! A rule says `cannot_heal` only when waiting longer cannot help.

pub mod configuration;
pub(super) mod jobmanager;
pub mod labels;
pub mod leftovers;
pub mod preflight;
pub mod refusal;
pub mod room;
pub mod state;
pub mod taskmanager;

use jiff::Timestamp;

use crate::diagnosis::{remedies, stack_trace};
use crate::model::Finding;
use crate::model::evidence::{Evidence, Exit, Outcome, Pod, Rest, Unschedulable};
use crate::session::text::shell::quoted;

pub type Rule = fn(&Evidence) -> Option<Finding>;

pub const RULES: [Rule; 23] = [
    name_taken,
    bootstrap_pod_refused,
    bootstrap_pod_stuck,
    bootstrap_failed,
    bootstrap_made_nothing,
    jobmanager_pod_refused,
    jobmanager_pod_stuck,
    jobmanager_crashes,
    jobmanager::rollout_hangs,
    jobmanager::independent,
    jobmanager::foreign,
    jobmanager::restarted,
    rest_is_down,
    half_made,
    stopped,
    paused,
    being_deleted,
    taskmanager::pod_stuck,
    taskmanager::pod_refused,
    taskmanager::slots_limited,
    taskmanager::resources_limited,
    configuration::value_unread,
    configuration::line_unread,
];

/// A controller's first try may come before it has seen the ServiceAccount that was just made, or
/// the room that was just freed.
const REFUSED_SECONDS: u64 = 5;

/// Longer than any healthy JobManager needs from its container's start to REST: 98 seconds were
/// seen with a tenth of a CPU.
const REST_SECONDS: u64 = 120;

/// A healthy JobManager pod gets its ConfigMap within a few seconds.
const HALF_MADE_SECONDS: u64 = 30;

/// Waiting reasons of a container that the kubelet itself will not get past without a change.
const STUCK: [&str; 7] = [
    "ErrImagePull",
    "ImagePullBackOff",
    "InvalidImageName",
    "ErrImageNeverPull",
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
];

/// The rule that finds somebody else's Deployment under the session's name.
pub const NAME_TAKEN: &str = "name-taken";

/// The exit code of `bootstrap.sh` for that.
const FOUND_DEPLOYMENT: i32 = 72;

/// How far the kubelet's report that the client has started may be behind what the client has made.
const REPORT_SECONDS: u64 = 5;

/// Somebody else has made a Deployment of the name while the client was on its way, and the client would delete it.
fn name_taken(evidence: &Evidence) -> Option<Finding> {
    let bootstrap = evidence.bootstrap.as_ref()?;
    let ended = bootstrap.pod.as_ref().and_then(|pod| pod.ended.as_ref());
    let client_found_it = ended.is_some_and(|exit| exit.code == FOUND_DEPLOYMENT);
    let has_not_started = bootstrap.outcome == Outcome::Running
        && evidence.unreadable.is_empty()
        && bootstrap.pod.as_ref().is_none_or(|pod| !pod.may_run() && pod.ended.is_none());
    let is_old = evidence.deployment.as_ref().is_some_and(|deployment| {
        !deployment.deleting && evidence.seconds_since(deployment.created) >= REPORT_SECONDS
    });
    let is_there = is_old || evidence.has_foreign_deployment;
    (client_found_it || (has_not_started && is_there)).then(|| Finding {
        id: NAME_TAKEN,
        summary: format!(
            "somebody else has made deployment.apps/{} before Flink's client in job.batch/{} started",
            evidence.name, bootstrap.job
        ),
        evidence: None,
        fix: "choose another name".to_owned(),
        cannot_heal: true,
    })
}

fn bootstrap_pod_refused(evidence: &Evidence) -> Option<Finding> {
    let bootstrap = evidence.bootstrap.as_ref()?;
    let refused = bootstrap.pod_refused.as_ref()?;
    (bootstrap.outcome == Outcome::Running && bootstrap.pod.is_none()).then(|| Finding {
        id: "bootstrap-pod-refused",
        summary: format!("the API server refuses the pod of job.batch/{}", bootstrap.job),
        evidence: Some(refused.clone()),
        fix: remedies::for_refusal(refused, evidence),
        cannot_heal: is_refused(refused) && evidence.seconds_since(bootstrap.created) >= REFUSED_SECONDS,
    })
}

fn bootstrap_pod_stuck(evidence: &Evidence) -> Option<Finding> {
    let bootstrap = evidence.bootstrap.as_ref().filter(|b| b.outcome == Outcome::Running)?;
    stuck_pod(bootstrap.pod.as_ref()?, evidence, "bootstrap")
}

fn bootstrap_failed(evidence: &Evidence) -> Option<Finding> {
    let bootstrap = evidence.bootstrap.as_ref()?;
    let Outcome::Failed(reason) = &bootstrap.outcome else { return None };
    // Flink 1.10 and 1.11 exit 1 after creating everything when the new Service does not resolve
    // at once: what exists counts, not the exit code.
    if evidence.deployment.as_ref().is_some_and(|deployment| !deployment.deleting) {
        return None;
    }
    let exit = bootstrap.pod.as_ref().and_then(|pod| pod.ended.as_ref());
    if let Some((said, fix)) = exit.and_then(own_words) {
        return Some(Finding {
            id: "bootstrap-refused",
            summary: format!("job.batch/{} cannot use the image", bootstrap.job),
            evidence: Some(said),
            fix,
            cannot_heal: true,
        });
    }
    let log = bootstrap.log.as_deref().and_then(stack_trace::deepest);
    // Flink's client cleans up after a failure: it deletes the Deployment of its name, whoever made it.
    let exists = format!("deployments.apps \"{}\" already exists", evidence.name);
    if bootstrap.log.as_ref().is_some_and(|log| log.contains(&exists)) {
        return Some(Finding {
            id: "deployment-lost",
            summary: format!(
                "Flink's client in job.batch/{} has deleted a deployment.apps/{} that somebody else made meanwhile",
                bootstrap.job, evidence.name
            ),
            evidence: log,
            fix: "make that Deployment again, and choose another name for the session".to_owned(),
            cannot_heal: true,
        });
    }
    let read_log = format!("kubectl logs{} job/{}", evidence.scope, quoted(&bootstrap.job));
    let evidence_text = log.unwrap_or_else(|| reason.clone());
    Some(Finding {
        id: "bootstrap-failed",
        summary: format!("Flink's client in job.batch/{} failed", bootstrap.job),
        fix: remedies::for_cause(&evidence_text, evidence).unwrap_or(read_log),
        evidence: Some(evidence_text),
        cannot_heal: true,
    })
}

/// What `bootstrap.sh` put into the termination message when it refused the image, or the runtime
/// when the image has no bash to run it with; and the fix.
fn own_words(exit: &Exit) -> Option<(String, String)> {
    let fix = match exit.code {
        _ if exit.reason == "StartError" => "name an image with /bin/bash and Flink 1.10 or later (--image)",
        64 | 67 => "name an image with Flink 1.10 or later (--image)",
        65 => "name an image whose jar is called flink-dist-VERSION.jar (--image)",
        66 => "name an image with that version (--image), or leave --flink-version out",
        68 => "leave that flag out, or name an image with a newer Flink (--image)",
        69 => "--plugin takes the plugins that the image has",
        71 => "use an image whose conf directory has a config.yaml instead of flink-conf.yaml (--image)",
        70 => "the bootstrap pod needs a /tmp that it can write to",
        _ => return None,
    };
    (!exit.message.is_empty()).then(|| (exit.message.clone(), fix.to_owned()))
}

fn bootstrap_made_nothing(evidence: &Evidence) -> Option<Finding> {
    let bootstrap = evidence.bootstrap.as_ref()?;
    (bootstrap.outcome == Outcome::Succeeded && evidence.deployment.is_none()).then(|| Finding {
        id: "bootstrap-made-nothing",
        summary: format!(
            "job.batch/{} ended well, but there is no deployment.apps/{}",
            bootstrap.job, evidence.name
        ),
        evidence: None,
        fix: "the same create again starts anew".to_owned(),
        cannot_heal: true,
    })
}

fn jobmanager_pod_refused(evidence: &Evidence) -> Option<Finding> {
    let deployment = evidence.deployment.as_ref()?;
    let refused = deployment.pod_refused.as_ref()?;
    Some(Finding {
        id: "jobmanager-pod-refused",
        summary: format!("the API server refuses the pod of deployment.apps/{}", evidence.name),
        evidence: Some(refused.clone()),
        fix: remedies::for_refusal(refused, evidence),
        cannot_heal: is_refused(refused) && settled_since(evidence, deployment.created, REFUSED_SECONDS),
    })
}

fn jobmanager_pod_stuck(evidence: &Evidence) -> Option<Finding> {
    evidence
        .jobmanagers
        .iter()
        .filter(|pod| !pod.deleting)
        .find_map(|pod| stuck_pod(pod, evidence, "JobManager"))
}

/// A pod that the kubelet cannot start, or that no node takes.
pub(super) fn stuck_pod(pod: &Pod, evidence: &Evidence, role: &str) -> Option<Finding> {
    if let Some((reason, message)) =
        pod.waiting.as_ref().filter(|(reason, _)| STUCK.contains(&reason.as_str()))
    {
        let is_image = reason.contains("Image");
        return Some(Finding {
            id: if is_image { "image-pull" } else { "container-config" },
            summary: if is_image {
                format!("the image of {role} pod {} cannot be pulled ({reason})", pod.name)
            } else {
                format!("the container of {role} pod {} cannot be made ({reason})", pod.name)
            },
            evidence: (!message.is_empty()).then(|| message.clone()),
            fix: if is_image {
                "check the image's name and tag (--image), and the Secret for its registry (--image-pull-secret)"
                    .to_owned()
            } else {
                // The pod itself may be gone by then.
                format!(
                    "kubectl get events{} --field-selector involvedObject.name={}",
                    evidence.scope,
                    quoted(&pod.name)
                )
            },
            cannot_heal: if is_image { is_final(reason, message) } else { !is_passing(message) },
        });
    }
    Some(unschedulable(pod, pod.unschedulable.as_ref()?, evidence, role))
}

/// A pod that no node takes. Pods that end make room, and nodes come and become ready: only what asks for more than
/// every node has does not pass by itself.
fn unschedulable(pod: &Pod, unschedulable: &Unschedulable, evidence: &Evidence, role: &str) -> Finding {
    let too_large = room::too_large(&pod.requests, &evidence.nodes);
    let by_room = too_large.is_some() || unschedulable.message.contains("Insufficient");
    let fix = match (by_room, role) {
        _ if unschedulable.node_is_coming => "a node is being added".to_owned(),
        (true, "JobManager") => {
            "ask for less (--jobmanager-cpu, --jobmanager-memory) or add a node".to_owned()
        }
        (true, "TaskManager") => format!(
            "add a node; how much a TaskManager asks for is decided by create (--taskmanager-cpu, --taskmanager-memory): kubectl describe pod{} {}",
            evidence.scope,
            quoted(&pod.name)
        ),
        (true, _) => "wait for room, or add a node".to_owned(),
        (false, _) => format!(
            "--toleration and --node-selector decide where it may run: kubectl describe nodes{}",
            evidence.scope
        ),
    };
    Finding {
        id: "unschedulable",
        // Once the client has ended, so that its Job is not left half-way.
        cannot_heal: too_large.is_some()
            && !unschedulable.node_is_coming
            && settled_since(evidence, unschedulable.since, 0),
        summary: match too_large {
            Some(too_large) => {
                format!("no node is large enough for {role} pod {}, which asks for {too_large}", pod.name)
            }
            None => format!("no node takes {role} pod {}", pod.name),
        },
        evidence: Some(unschedulable.message.clone()),
        fix,
    }
}

/// True when the API server said no, and not only for now: another error of its own, such as a timeout, is no
/// refusal, and the controller tries again.
fn is_refused(words: &str) -> bool {
    refusal::of(words).is_some_and(|refusal| !refusal.can_pass())
}

/// True when the JobManager's trouble has lasted for `seconds`, and longer than the bootstrap pod
/// held room: its end may be all that the JobManager waits for.
fn settled_since(evidence: &Evidence, since: Option<Timestamp>, seconds: u64) -> bool {
    let bootstrap = evidence.bootstrap.as_ref();
    if evidence.deployment.is_some() && bootstrap.is_some_and(|b| b.outcome == Outcome::Running) {
        return false;
    }
    evidence.seconds_since(since.max(bootstrap.and_then(|b| b.ended))) >= seconds
}

/// True when the registry, or the kubelet, has said no. A registry that is away or busy is asked again.
fn is_final(reason: &str, message: &str) -> bool {
    const NO: [&str; 7] = [
        "not found",
        "denied",
        "unauthorized",
        "forbidden",
        "does not exist",
        "couldn't parse image",
        // Of the registry's name, which a name server that is away does not say.
        "no such host",
    ];
    let message = message.to_lowercase();
    ["InvalidImageName", "ErrImageNeverPull"].contains(&reason) || NO.iter().any(|no| message.contains(no))
}

/// True when the kubelet or the runtime was busy, or could not read what it needs yet: it tries again.
fn is_passing(message: &str) -> bool {
    const BUSY: [&str; 6] = [
        "failed to sync",
        "timed out",
        "deadline exceeded",
        "connection refused",
        "unavailable",
        "is reserved for",
    ];
    let message = message.to_lowercase();
    BUSY.iter().any(|busy| message.contains(busy))
}

fn jobmanager_crashes(evidence: &Evidence) -> Option<Finding> {
    // What runs and answers does not crash at start, whatever happened to it once.
    if matches!(evidence.rest, Rest::Up(_)) {
        return None;
    }
    let pod =
        evidence.jobmanagers.iter().rev().find(|pod| !pod.deleting && (!pod.ready || pod.restarts > 0))?;
    let exit = [&pod.ended, &pod.ended_before].into_iter().flatten().find(|exit| exit.code != 0)?;
    let log = pod.last_log.as_deref();
    let out_of_memory = exit.reason == "OOMKilled";
    let backing_off = pod.waiting.as_ref().is_some_and(|(reason, _)| reason == "CrashLoopBackOff");
    Some(Finding {
        id: if out_of_memory { "jobmanager-oom" } else { "jobmanager-crash" },
        summary: if out_of_memory {
            format!("JobManager pod {} was killed: out of memory", pod.name)
        } else {
            format!("JobManager pod {} crashes (exit code {})", pod.name, exit.code)
        },
        evidence: log
            .and_then(stack_trace::deepest)
            .or_else(|| (!exit.message.trim().is_empty()).then(|| exit.message.trim().to_owned())),
        fix: if out_of_memory {
            "give it more (--jobmanager-memory)".to_owned()
        } else {
            log.and_then(stack_trace::deepest)
                .and_then(|cause| remedies::for_cause(&cause, evidence))
                .unwrap_or_else(|| {
                    // Until it is started again, the run that has ended is the current one.
                    let run = if pod.ended.is_some() { "" } else { " --previous" };
                    format!("kubectl logs{} {}{run}", evidence.scope, quoted(&pod.name))
                })
        },
        cannot_heal: backing_off
            || pod.restarts >= 2
            || out_of_memory
            || log.is_some_and(stack_trace::is_fatal_at_start),
    })
}

fn rest_is_down(evidence: &Evidence) -> Option<Finding> {
    let Rest::Down(why) = &evidence.rest else { return None };
    let pod = evidence.jobmanagers.iter().find(|pod| pod.ready && !pod.deleting)?;
    (evidence.seconds_since(pod.created) >= REST_SECONDS).then(|| Finding {
        id: "rest-down",
        summary: format!("JobManager pod {} runs, but its REST does not answer", pod.name),
        evidence: Some(why.clone()),
        fix: format!("kubectl logs{} {}", evidence.scope, quoted(&pod.name)),
        cannot_heal: false,
    })
}

/// A client that failed and could not clean up after itself: the Deployment is there, the ConfigMap
/// that its pod mounts is not, and no event but FailedMount says so. Healthy creations have that
/// event too, in their first seconds.
fn half_made(evidence: &Evidence) -> Option<Finding> {
    let bootstrap = evidence.bootstrap.as_ref()?;
    let deployment = evidence.deployment.as_ref().filter(|deployment| !deployment.deleting)?;
    let failed = matches!(bootstrap.outcome, Outcome::Failed(_));
    let stuck = evidence
        .jobmanagers
        .iter()
        .any(|pod| pod.waiting.as_ref().is_some_and(|(reason, _)| reason == "ContainerCreating"));
    let old = evidence.seconds_since(deployment.created) >= HALF_MADE_SECONDS;
    (failed && stuck && old).then(|| Finding {
        id: "half-made",
        summary: format!("Flink's client failed half-way: deployment.apps/{} cannot start", evidence.name),
        evidence: bootstrap.log.as_deref().and_then(stack_trace::deepest),
        fix: format!("kubectl flink delete {}{} --force", quoted(&evidence.name), evidence.scope),
        cannot_heal: true,
    })
}

fn being_deleted(evidence: &Evidence) -> Option<Finding> {
    evidence.deployment.as_ref().filter(|deployment| deployment.deleting)?;
    // A client that fails deletes its Deployment again, and says why a moment later.
    let by_client = evidence.bootstrap.as_ref().is_some_and(|b| b.outcome != Outcome::Succeeded);
    if by_client {
        return None;
    }
    Some(Finding {
        id: "being-deleted",
        summary: format!("session {} is being deleted", evidence.name),
        evidence: None,
        fix: format!("kubectl flink ls{} -w shows when it is gone", evidence.scope),
        cannot_heal: true,
    })
}

fn stopped(evidence: &Evidence) -> Option<Finding> {
    evidence.deployment.as_ref().filter(|deployment| deployment.replicas == 0 && !deployment.deleting)?;
    Some(Finding {
        id: "stopped",
        summary: format!("deployment.apps/{} is scaled to zero", evidence.name),
        evidence: None,
        fix: format!("kubectl scale{} deployment/{} --replicas=1", evidence.scope, quoted(&evidence.name)),
        cannot_heal: true,
    })
}

/// `kubectl rollout pause`: the JobManager that is there still runs.
fn paused(evidence: &Evidence) -> Option<Finding> {
    evidence.deployment.as_ref().filter(|deployment| deployment.is_paused && !deployment.deleting)?;
    let Evidence { name, scope, .. } = evidence;
    let name = quoted(name);
    Some(Finding {
        id: "paused",
        summary: format!("deployment.apps/{name} is paused: changes to it start no new JobManager"),
        evidence: None,
        fix: format!("kubectl rollout resume{scope} deployment/{name}"),
        cannot_heal: false,
    })
}

#[cfg(test)]
mod tests;
