//! Each rule on evidence as the real cluster showed it, and its exact words.

use super::*;
use crate::diagnosis::fixtures::{ago, bootstrapping, created, exit, jobmanager, overview, pod};
use crate::diagnosis::{findings, hopeless};
use crate::model::evidence::{Bootstrap, Unschedulable};
use crate::model::surroundings::Node;

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
fn a_deployment_that_is_there_before_the_client_starts_is_somebody_elses() {
    let with = |phase: &str, seconds| {
        let mut evidence = created(pod("roc-1-2", "Pending"));
        evidence.deployment.as_mut().expect("deployment").created = ago(seconds);
        let bootstrap = evidence.bootstrap.as_mut().expect("bootstrap");
        (bootstrap.outcome, bootstrap.pod) = (Outcome::Running, Some(pod("boot-roc-abcde", phase)));
        evidence
    };
    let is_taken = |evidence: &Evidence| hopeless(evidence).is_some_and(|finding| finding.id == NAME_TAKEN);
    assert!(is_taken(&with("Pending", 5)));
    // The kubelet may not have told of the start yet; and one that runs may have made it.
    assert!(!is_taken(&with("Pending", 4)) && !is_taken(&with("Running", 5)));
    // Who may not see pods cannot tell.
    let hidden = Evidence { unreadable: vec!["pods: no".to_owned()], ..with("Pending", 5) };
    assert!(!is_taken(&hidden));
    let none = with_bootstrap(|bootstrap| bootstrap.pod = None);
    assert!(is_taken(&Evidence { has_foreign_deployment: true, ..none }));
    // The bootstrap script has found it.
    let found = with_bootstrap(|bootstrap| {
        bootstrap.outcome = Outcome::Failed("BackoffLimitExceeded: x".to_owned());
        bootstrap.pod.as_mut().expect("pod").ended = Some(exit(72, "Error", "somebody else"));
    });
    assert!(is_taken(&found));
}

#[test]
fn a_deployment_that_flinks_client_has_deleted_is_named() {
    let lost = with_bootstrap(|bootstrap| {
        bootstrap.outcome = Outcome::Failed("BackoffLimitExceeded: x".to_owned());
        bootstrap.log = Some(
            "Caused by: io.fabric8.kubernetes.client.KubernetesClientException: Failure executing: POST at: \
             https://10.96.0.1:443/apis/apps/v1/namespaces/team-a/deployments. Message: deployments.apps \"roc\" already exists."
                .to_owned(),
        );
    });
    let finding = hopeless(&lost).expect("finding");
    assert_eq!(finding.id, "deployment-lost");
    assert_eq!(
        finding.summary,
        "Flink's client in job.batch/boot-roc has deleted a deployment.apps/roc that somebody else made meanwhile"
    );
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
            "x.Y: services \"roc-rest\" is forbidden: User \"u\" cannot get resource \"services\" in API group \"\"\n\tat z\n",
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
            pod.last_log = Some("Fatal error occurred in ResourceManager.\nCaused by: io.K: F. Message: pods is forbidden: User \"u\" cannot list resource \"pods\" in API group \"\". Received status: x\n".to_owned());
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
fn a_pod_without_room_waits_unless_no_node_is_large_enough() {
    let mut evidence = with_jobmanager(|pod| {
        pod.ready = false;
        pod.requests = [("cpu".to_owned(), 4_000)].into();
        let message = "0/1 nodes are available: 1 Insufficient cpu.".to_owned();
        pod.unschedulable = Some(Unschedulable { since: ago(3000), message, node_is_coming: false });
    });
    let node = |cpu: i128, is_provided| Node {
        name: "node1".to_owned(),
        allocatable: [("cpu".to_owned(), cpu)].into(),
        is_provided,
        ..Node::default()
    };
    // The nodes may not be read, or are full right now.
    assert!(hopeless(&evidence).is_none() && !findings(&evidence).is_empty());
    evidence.nodes = vec![node(2_000, false), node(4_000, false)];
    assert!(hopeless(&evidence).is_none());
    // A provider may add a larger one.
    evidence.nodes = vec![node(2_000, true)];
    assert!(hopeless(&evidence).is_none());
    evidence.nodes = vec![node(2_000, false)];
    assert_eq!(
        hopeless(&evidence).map(|finding| finding.summary).as_deref(),
        Some(
            "no node is large enough for JobManager pod roc-6d6c65cf99-c42zb, which asks for 4 CPU: the largest, node1, has 2 CPU in all"
        )
    );
    // Taints go, and nodes become ready.
    let pod = &mut evidence.jobmanagers[0];
    pod.requests.clear();
    pod.unschedulable.as_mut().expect("pod").message =
        "0/1 nodes are available: 1 node(s) had untolerated taint {node.kubernetes.io/not-ready: }."
            .to_owned();
    assert!(hopeless(&evidence).is_none() && !findings(&evidence).is_empty());
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
    assert!(hopeless(&pulling("dial tcp: lookup nosuch.invalid: no such host", 1)).is_some());
    for busy in [
        "429 Too Many Requests",
        "failed to do request: Head \"https://r.example/v2/flink/manifests/1\": dial tcp 10.0.0.1:443: connect: connection refused",
        "dial tcp: lookup r.example on 10.96.0.10:53: server misbehaving",
        "Back-off pulling image \"r.example/flink:1\"",
    ] {
        for age in [5, 25, 250] {
            let evidence = pulling(busy, age);
            assert!(hopeless(&evidence).is_none() && !findings(&evidence).is_empty(), "{busy}");
        }
    }
    // The kubelet does not try these again.
    for reason in ["InvalidImageName", "ErrImageNeverPull"] {
        let mut evidence = pulling("Failed to inspect image", 1);
        let pod = evidence.bootstrap.as_mut().and_then(|bootstrap| bootstrap.pod.as_mut());
        pod.expect("pod").waiting = Some((reason.to_owned(), String::new()));
        assert!(hopeless(&evidence).is_some(), "{reason}");
    }
}

#[test]
fn a_container_that_the_kubelet_tries_again_may_come() {
    let waiting = |message: &str| {
        with_jobmanager(|pod| {
            pod.ready = false;
            pod.waiting = Some(("CreateContainerConfigError".to_owned(), message.to_owned()));
        })
    };
    assert!(hopeless(&waiting("secret \"s\" not found")).is_some());
    assert!(hopeless(&waiting("failed to sync secret cache: timed out waiting for the condition")).is_none());
    assert!(hopeless(&waiting("context deadline exceeded")).is_none());
}

#[test]
fn a_quota_that_others_use_up_may_be_freed() {
    let refused = |words: &str| {
        hopeless(&with_bootstrap(|bootstrap| {
            (bootstrap.pod, bootstrap.created) = (None, ago(300));
            bootstrap.pod_refused = Some(format!("pods \"boot-roc-x\" is forbidden: {words}"));
        }))
    };
    let full = "exceeded quota: q, requested: limits.cpu=1, used: limits.cpu=4, limited: limits.cpu=4";
    assert!(refused(full).is_none());
    assert!(refused(&full.replace("requested: limits.cpu=1", "requested: limits.cpu=5")).is_some());
    assert!(refused("failed quota: q: must specify limits.cpu for: c").is_some());
    // Not a refusal at all.
    let silent = with_bootstrap(|bootstrap| {
        (bootstrap.pod, bootstrap.created) = (None, ago(300));
        bootstrap.pod_refused = Some("etcdserver: request timed out".to_owned());
    });
    assert!(hopeless(&silent).is_none());
}

#[test]
fn a_missing_file_system_names_the_plugin() {
    let evidence = with_jobmanager(|pod| {
        (pod.ready, pod.restarts) = (false, 1);
        pod.ended_before = Some(exit(1, "Error", ""));
        pod.last_log = Some("Could not start cluster entrypoint X\nCaused by: a.B: Could not find a file system implementation for scheme 's3'. The scheme is directly supported\n".to_owned());
    });
    let finding = hopeless(&evidence).expect("finding");
    assert_eq!(finding.fix, "create the session with --plugin s3-fs-presto, which turns that file system on");
    assert!(finding.evidence.expect("evidence").ends_with("scheme 's3'"));
}

#[test]
fn a_policy_that_denies_is_named_and_no_right_is_missed() {
    let failed = |words: &str| {
        let evidence = with_bootstrap(|bootstrap| {
            bootstrap.outcome = Outcome::Failed("BackoffLimitExceeded: x".to_owned());
            bootstrap.log = Some(format!("Caused by: io.K: F. Message: {words}. Received status: x\n"));
        });
        hopeless(&evidence).expect("finding").fix
    };
    assert_eq!(
        failed(
            "services \"roc\" is forbidden: ValidatingAdmissionPolicy 'no-services' with binding 'b' denied request: no"
        ),
        "change what admission policy no-services refuses, or ask an administrator: kubectl describe validatingadmissionpolicy -n team-a no-services"
    );
    for (words, part) in [
        ("admission webhook \"w.example\" denied the request: no", "admission webhook w.example"),
        (
            "services \"roc\" is forbidden: exceeded quota: q, requested: services=1, used: services=0, limited: services=0",
            "kubectl describe quota",
        ),
        (
            "pods \"roc\" is forbidden: minimum cpu usage per Pod is 1, but request is 100m",
            "kubectl describe limitrange",
        ),
        (
            "services \"roc\" is forbidden: unable to create new content in namespace team-a because it is being terminated",
            "kubectl wait",
        ),
        ("services \"roc\" is forbidden: the plugin of another vendor says so", "kubectl logs"),
    ] {
        assert!(failed(words).contains(part), "{words}: {}", failed(words));
        assert!(!failed(words).contains("lacks that right"), "{words}");
    }
    assert!(
        failed("services \"roc\" is forbidden: User \"u\" cannot get resource \"services\"")
            .contains("lacks that right")
    );
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
fn a_paused_deployment_is_a_problem_that_ends_no_wait() {
    let mut evidence = created(jobmanager());
    let ids = |evidence: &Evidence| -> Vec<&str> {
        RULES.iter().filter_map(|rule| rule(evidence)).map(|finding| finding.id).collect()
    };
    assert!(!ids(&evidence).contains(&"paused"));
    evidence.deployment.as_mut().expect("deployment").is_paused = true;
    assert!(ids(&evidence).contains(&"paused") && hopeless(&evidence).is_none());
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
