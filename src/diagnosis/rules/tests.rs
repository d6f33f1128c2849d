//! Each rule on evidence as the real cluster showed it, and its exact words.

use super::*;
use crate::diagnosis::fixtures::{ago, bootstrapping, created, exit, jobmanager, overview, pod};
use crate::diagnosis::{findings, hopeless};
use crate::model::evidence::{Bootstrap, Unschedulable};

fn with_bootstrap(change: impl FnOnce(&mut Bootstrap)) -> Evidence {
    let mut evidence = bootstrapping();
    change(evidence.bootstrap.as_mut().expect("bootstrap"));
    evidence
}

fn with_jobmanager(change: impl FnOnce(&mut Pod)) -> Evidence {
    let mut pod = jobmanager();
    change(&mut pod);
    created(pod)
}

fn told(evidence: &Evidence) -> String {
    findings(evidence)
        .iter()
        .map(|finding| {
            let verdict = if finding.cannot_heal { "cannot heal" } else { "may heal" };
            let seen = finding.evidence.as_deref().unwrap_or("-");
            format!("{} ({verdict}): {}\n  {seen}\n  {}\n", finding.id, finding.summary, finding.fix)
        })
        .collect()
}

#[test]
fn a_healthy_creation_has_no_finding() {
    assert_eq!(told(&bootstrapping()), "");
    assert_eq!(told(&created(pod("roc-1-2", "Pending"))), "");
    assert_eq!(told(&created(jobmanager())), "");
    let creating = with_jobmanager(|pod| {
        pod.ready = false;
        // Every healthy creation waits for its ConfigMap for a moment.
        pod.waiting = Some(("ContainerCreating".to_owned(), String::new()));
    });
    assert_eq!(told(&creating), "");
}

#[test]
fn the_words_of_every_rule() {
    let refused = |message: &str| {
        with_bootstrap(|bootstrap| {
            bootstrap.pod = None;
            bootstrap.pod_refused = Some(message.to_owned());
        })
    };
    let waiting = |reason: &str, message: &str| {
        with_jobmanager(|pod| {
            pod.ready = false;
            pod.waiting = Some((reason.to_owned(), message.to_owned()));
        })
    };
    let failed = |pod_exit: Exit, log: &str| {
        with_bootstrap(|bootstrap| {
            bootstrap.outcome = Outcome::Failed(
                "BackoffLimitExceeded: Job has reached the specified backoff limit".to_owned(),
            );
            bootstrap.pod.as_mut().expect("pod").ended = Some(pod_exit);
            bootstrap.log = Some(log.to_owned());
        })
    };
    let mut jobmanager_refused = created(jobmanager());
    jobmanager_refused.jobmanagers.clear();
    jobmanager_refused.deployment.as_mut().expect("deployment").pod_refused =
        Some("pods \"roc-1\" is forbidden: exceeded quota: q, requested: limits.memory=1600Mi".to_owned());
    let mut nothing = with_bootstrap(|bootstrap| bootstrap.outcome = Outcome::Succeeded);
    nothing.deployment = None;
    let mut half = waiting("ContainerCreating", "");
    half.bootstrap = failed(exit(1, "Error", ""), "Caused by: a.B: configmaps is forbidden\n").bootstrap;
    half.deployment.as_mut().expect("deployment").created = ago(40);
    let mut silent = created(Pod { created: ago(300), ..jobmanager() });
    silent.rest = Rest::Down("connection closed".to_owned());
    let unschedulable = |seconds, node_is_coming| {
        with_jobmanager(|pod| {
            pod.ready = false;
            pod.unschedulable = Some(Unschedulable {
                since: ago(seconds),
                message: "0/1 nodes are available: 1 Insufficient cpu.".to_owned(),
                node_is_coming,
            });
        })
    };
    let cases = [
        refused("pods \"boot-roc-\" is forbidden: failed quota: q: must specify limits.cpu"),
        refused("pods \"boot-roc-\" is forbidden: violates PodSecurity \"restricted:latest\": x"),
        refused(
            "pods \"boot-roc-\" is forbidden: maximum memory usage per Container is 256Mi, but limit is 512Mi",
        ),
        refused("error looking up service account team-a/flink: serviceaccount \"flink\" not found"),
        refused("admission webhook \"w\" denied the request"),
        failed(
            exit(
                67,
                "Error",
                "the image holds Flink 1.9.3, which has no native Kubernetes sessions: they came with 1.10",
            ),
            "",
        ),
        failed(
            exit(1, "Error", ""),
            "x.Y: services \"roc-rest\" is forbidden: User \"u\" cannot get\n\tat z\n",
        ),
        failed(
            exit(1, "Error", ""),
            "Caused by: io.K: Failure executing. Message: services \"roc\" is forbidden: cannot set blockOwnerDeletion if an ownerReference refers to a resource you can't set finalizers on. Received status: x\n",
        ),
        failed(exit(128, "StartError", "exec: \"/bin/bash\": no such file or directory"), ""),
        failed(exit(137, "OOMKilled", ""), ""),
        nothing,
        jobmanager_refused,
        waiting("ImagePullBackOff", "Back-off pulling image \"mine\""),
        waiting("CreateContainerConfigError", "secret \"s\" not found"),
        unschedulable(3, false),
        unschedulable(30, false),
        unschedulable(30, true),
        with_jobmanager(|pod| {
            pod.ready = false;
            pod.ended = Some(exit(239, "Error", ""));
            pod.last_log = Some("Fatal error occurred in ResourceManager.\nCaused by: io.K: F. Message: pods is forbidden: User \"u\" cannot list. Received status: x\n".to_owned());
        }),
        with_jobmanager(|pod| {
            pod.restarts = 1;
            pod.ended_before = Some(exit(137, "OOMKilled", ""));
        }),
        with_jobmanager(|pod| {
            pod.ready = false;
            pod.restarts = 1;
            pod.ended_before = Some(exit(2, "Error", ""));
        }),
        with_jobmanager(|pod| {
            pod.ready = false;
            pod.restarts = 3;
            pod.waiting = Some(("CrashLoopBackOff".to_owned(), "back-off 40s".to_owned()));
            pod.ended_before = Some(exit(1, "Error", ""));
        }),
        half,
        silent,
    ];
    insta::assert_snapshot!(cases.iter().map(told).collect::<Vec<_>>().join("\n"));
}

#[test]
fn a_client_that_failed_after_creating_everything_is_no_failure() {
    // Flink 1.10 and 1.11, when the new Service's name does not resolve at once.
    let mut evidence = created(jobmanager());
    evidence.bootstrap.as_mut().expect("bootstrap").outcome =
        Outcome::Failed("BackoffLimitExceeded".to_owned());
    assert_eq!(told(&evidence), "");
    // Later versions delete the Deployment again.
    evidence.deployment.as_mut().expect("deployment").deleting = true;
    assert_eq!(hopeless(&evidence).map(|finding| finding.id), Some("bootstrap-failed"));
}

#[test]
fn a_restart_of_the_past_is_no_crash() {
    let mut evidence = with_jobmanager(|pod| {
        pod.restarts = 1;
        pod.ended_before = Some(exit(255, "Error", ""));
    });
    assert_eq!(findings(&evidence).len(), 1);
    evidence.rest = Rest::Up(overview());
    assert_eq!(told(&evidence), "");
}

#[test]
fn the_bootstrap_may_hold_the_room_that_the_jobmanager_waits_for() {
    let mut evidence = with_jobmanager(|pod| {
        pod.ready = false;
        pod.unschedulable =
            Some(Unschedulable { since: ago(30), message: "no room".to_owned(), node_is_coming: false });
    });
    evidence.bootstrap.as_mut().expect("bootstrap").outcome = Outcome::Running;
    assert!(hopeless(&evidence).is_none());
    let bootstrap = evidence.bootstrap.as_mut().expect("bootstrap");
    (bootstrap.outcome, bootstrap.ended) = (Outcome::Succeeded, ago(2));
    assert!(hopeless(&evidence).is_none());
    evidence.bootstrap.as_mut().expect("bootstrap").ended = ago(11);
    assert!(hopeless(&evidence).is_some());
}

#[test]
fn a_registry_that_may_only_be_busy_gets_a_second_chance() {
    let pulling = |message: &str, age| {
        with_bootstrap(|bootstrap| {
            let pod = bootstrap.pod.as_mut().expect("pod");
            pod.phase = "Pending".to_owned();
            pod.created = ago(age);
            pod.waiting = Some(("ErrImagePull".to_owned(), message.to_owned()));
        })
    };
    assert!(hopeless(&pulling("docker.io/library/nosuch:1: not found", 1)).is_some());
    assert!(hopeless(&pulling("pull access denied", 1)).is_some());
    assert!(hopeless(&pulling("429 Too Many Requests", 5)).is_none());
    assert!(hopeless(&pulling("429 Too Many Requests", 25)).is_some());
}

#[test]
fn a_refusal_in_the_first_seconds_may_heal() {
    let mut evidence = with_bootstrap(|bootstrap| {
        bootstrap.pod = None;
        bootstrap.pod_refused = Some("serviceaccount \"flink\" not found".to_owned());
        bootstrap.created = ago(1);
    });
    assert!(hopeless(&evidence).is_none());
    evidence.bootstrap.as_mut().expect("bootstrap").created = ago(6);
    assert!(hopeless(&evidence).is_some());
}

#[test]
fn what_nobody_will_start_is_told() {
    let with_deployment = |deleting: bool, replicas: i32| {
        let mut evidence = created(jobmanager());
        let deployment = evidence.deployment.as_mut().expect("deployment");
        (deployment.deleting, deployment.replicas) = (deleting, replicas);
        hopeless(&evidence).map(|finding| finding.id)
    };
    assert_eq!(with_deployment(false, 1), None);
    assert_eq!(with_deployment(false, 0), Some("stopped"));
    assert_eq!(with_deployment(true, 1), Some("being-deleted"));
    assert_eq!(with_deployment(true, 0), Some("being-deleted"));
}
