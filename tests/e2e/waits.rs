//! Waits that end early, with the true reason.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::advice::{command, shows};
use crate::lab::{Lab, QUICK, SMALL};

/// Far below the default timeout of five minutes, far above what a slow machine needs.
const SECONDS: Duration = Duration::from_secs(60);

#[test]
fn an_image_that_does_not_exist() {
    let lab = Lab::new("no-image");
    let start = Instant::now();
    let create = ["create", "roc", "--image", "nosuch.invalid/flink:2.3.0"];
    let ended = lab.flink(&[&create[..], &["--image-pull-policy", "Never"]].concat());
    ended.failed(
        1,
        &[
            "session roc cannot start",
            "cannot be pulled (ErrImageNeverPull)",
            "nosuch.invalid/flink:2.3.0",
            "--image",
        ],
    );
    assert!(start.elapsed() < SECONDS, "{:?}", start.elapsed());
    // The right image, at once: what is left of the first try is let go.
    lab.flink_ok(&[&["create", "roc"][..], &QUICK].concat());
    assert!(lab.rest_overview("roc").stdout.contains("2.3.0"));
}

#[test]
fn a_registry_that_is_away_is_waited_for() {
    let lab = Lab::new("away");
    // Nothing listens on port 1 of the node itself.
    let ended = lab.flink(&["create", "roc", "--image", "127.0.0.1:1/flink:2.3.0", "--timeout", "30s"]);
    let words = [
        "Warning: the image of bootstrap pod boot-roc-",
        "this can pass by itself: waiting until --timeout",
        "error: session roc is not ready after 30 s",
        "connection refused",
        "hint: check the image's name and tag (--image)",
        "hint: to resume waiting: kubectl flink status roc",
    ];
    ended.failed(3, &words);
    let delete = ended.hint("to delete it: ");
    assert_eq!(lab.flink_as_printed(delete).code, 0, "{delete}");
    assert_eq!(lab.left_of("roc"), "");
}

#[test]
fn an_image_without_the_flink_that_was_asked_for() {
    let lab = Lab::new("wrong-flink");
    // A private name tells nothing: the image itself is asked.
    lab.flink(&["create", "roc", "--image", "flink:1.20.5", "--flink-version", "2.3"])
        .failed(1, &["image flink:1.20.5 has Flink 1.20.5 by its tag"]);
    assert_eq!(lab.left_of("roc"), "");
}

#[test]
fn settings_that_flink_refuses() {
    let lab = Lab::new("refused");
    // Told before anything is written, and by Flink's client when it is not to be checked here.
    lab.flink(&["create", "roc", "--jobmanager-memory", "100m"])
        .failed(1, &["100m is too little memory for a JobManager", "at least 577m"]);
    assert_eq!(lab.left_of("roc"), "");
    let ended = lab.flink(&["create", "roc", "--jobmanager-memory", "100m", "--unchecked-config"]);
    ended.failed(
        1,
        &["Flink's client in job.batch/boot-roc failed", "exceed configured Total Process Memory"],
    );
    assert!(!ended.stderr.contains("\tat "), "no stack trace: {}", ended.stderr);

    // The failed bootstrap is shown, and another try replaces it.
    assert!(lab.flink_ok(&["ls"]).contains("BootstrapFailed"));
    assert!(lab.flink_ok(&["status", "roc"]).contains("(bootstrap-failed)"));
    let failed = lab.uid("job/boot-roc");
    lab.flink_ok(&[&["create", "roc", "--wait=false"][..], &SMALL].concat());
    assert_ne!(lab.uid("job/boot-roc"), failed);
    lab.flink_ok(&["delete", "roc", "--yes"]);
    assert_eq!(lab.left_of("roc"), "");
}

#[test]
fn a_jobmanager_that_no_node_can_hold() {
    let lab = Lab::new("too-big");
    let before = lab.fingerprint();
    let create = ["create", "roc", "--jobmanager-cpu", "1000"];
    lab.flink(&create).failed(1, &["no node has room for the JobManager, which asks for 1000 CPU"]);
    assert_eq!(lab.fingerprint(), before);
    let ended = lab.flink(&[&create[..], &["--ignore-preflight"]].concat());
    ended.failed(
        1,
        &[
            "no node is large enough for JobManager pod roc-",
            "which asks for 1000 CPU",
            "kubectl flink delete roc",
        ],
    );
    assert!(lab.flink_ok(&["status", "roc"]).contains("Session roc is Pending"));
    lab.flink_ok(&["delete", "roc", "--yes"]);
    assert_eq!(lab.left_of("roc"), "");
}

#[test]
fn a_node_that_comes_later_is_waited_for() {
    let lab = Lab::new("later");
    // As a node that is not ready yet, or full: the scheduler finds none, and later it does.
    let label = format!("{}=yes", lab.namespace);
    let words = ["create", "roc", "--ignore-preflight", "--node-selector", &label];
    let mut create =
        lab.command(&[&words[..], &QUICK].concat()).stderr(Stdio::piped()).spawn().expect("create");
    let mut lines = BufReader::new(create.stderr.take().expect("stderr")).lines().map_while(Result::ok);
    let warning =
        lines.find(|line| line.contains("no node takes bootstrap pod boot-roc-")).expect("a warning");
    assert!(warning.starts_with("Warning: ") && warning.contains("this can pass by itself"), "{warning}");
    let node = lab.kubectl_ok(&["get", "nodes", "-o", "jsonpath={.items[0].metadata.name}"]);
    lab.kubectl_ok(&["label", "node", &node, &label]);
    let rest: Vec<String> = lines.collect();
    let ended = create.wait().expect("create");
    lab.kubectl_ok(&["label", "node", &node, &format!("{}-", lab.namespace)]);
    assert!(ended.success(), "{rest:#?}");
}

#[test]
fn a_jobmanager_without_rights_crashes() {
    let lab = Lab::new("no-rights");
    lab.kubectl_ok(&["create", "serviceaccount", "client"]);
    let rights = "--resource=services,configmaps,deployments.apps";
    lab.kubectl_ok(&["create", "role", "client", "--verb=get,create,delete", rights]);
    let account = format!("--serviceaccount={}:client", lab.namespace);
    lab.kubectl_ok(&["create", "rolebinding", "client", "--role=client", &account]);
    let create = ["create", "roc", "--rbac=none", "--service-account", "client", "--ignore-preflight"];
    lab.flink(&[&create[..], &SMALL].concat()).failed(
        1,
        &["crashes (exit code 239)", "pods is forbidden: User \"system:serviceaccount:", "--rbac=role"],
    );
}

#[test]
fn a_quota_that_leaves_no_room_for_the_bootstrap() {
    let lab = Lab::new("quota");
    lab.kubectl_ok(&["create", "quota", "tight", "--hard=limits.memory=256Mi"]);
    let start = Instant::now();
    let refused = lab.flink(&["create", "roc", "--ignore-preflight"]);
    let why = ["the API server refuses the pod of job.batch/boot-roc", "exceeded quota: tight"];
    refused.failed(1, &why);
    let quota = command(&refused, "kubectl describe quota");
    shows(lab.kubectl_as_printed(quota), quota, "256Mi");
    assert!(start.elapsed() < SECONDS, "{:?}", start.elapsed());
    assert_eq!(lab.left_of("roc"), "");
}

#[test]
fn the_bootstrap_meets_the_pod_security_level_restricted() {
    let lab = Lab::new("restricted");
    let level = "pod-security.kubernetes.io/enforce=restricted";
    lab.kubectl_ok(&["label", "namespace", &lab.namespace, level]);
    // Flink's own pods do not, and that is what is said.
    let refused = lab.flink(&[&["create", "roc", "--ignore-preflight"][..], &SMALL].concat());
    refused.failed(
        1,
        &["the API server refuses the pod of deployment.apps/roc", "violates PodSecurity \"restricted"],
    );
    let labels = command(&refused, "kubectl get namespace");
    shows(lab.kubectl_as_printed(labels), labels, level);
    let job = ["get", "job", "boot-roc", "-o", "jsonpath={.status.succeeded}"];
    lab.until("the bootstrap to succeed", || lab.kubectl_ok(&job) == "1");
}

#[test]
fn a_wait_that_is_too_short_says_what_it_was_waiting_for() {
    let lab = Lab::new("short");
    lab.flink(&[&["create", "roc", "--timeout=1s"][..], &SMALL].concat())
        .failed(3, &["session roc is not ready after 1 s", "still waiting for", "kubectl flink status roc"]);
    // Asking for something else neither starts a second bootstrap nor disturbs the first.
    let job = lab.uid("job/boot-roc");
    lab.flink(&["create", "roc", "--slots", "2"]).failed(1, &["session roc"]);
    assert_eq!(lab.uid("job/boot-roc"), job);
    // The command of the hint goes on waiting, and so does asking for the same again.
    assert!(lab.flink_ok(&["status", "roc", "--wait"]).starts_with("Session roc is Running: Flink 2.3.0"));
    assert!(lab.rest_overview("roc").stdout.contains("2.3.0"));
    lab.flink_ok(&[&["create", "roc"][..], &SMALL].concat());
    assert_eq!(lab.uid("job/boot-roc"), job);
}

#[test]
fn a_client_that_fails_half_way_cleans_up_and_is_told() {
    let lab = Lab::new("half-way");
    // The Deployment comes first, then the Services that may not be: Flink deletes it again.
    lab.kubectl_ok(&["create", "quota", "no-services", "--hard=count/services=0"]);
    lab.flink(&[&["create", "roc", "--ignore-preflight"][..], &SMALL].concat())
        .failed(1, &["Flink's client in job.batch/boot-roc failed", "exceeded quota: no-services"]);
    // The log that says so is kept.
    assert!(lab.kubectl_ok(&["logs", "job/boot-roc"]).contains("exceeded quota"));
    lab.flink_ok(&["delete", "roc", "--yes"]);
    assert_eq!(lab.left_of("roc"), "");
}

#[test]
fn a_bootstrap_that_somebody_deletes_ends_the_wait() {
    let lab = Lab::new("deleted");
    std::thread::scope(|threads| {
        let create = threads.spawn(|| lab.flink(&[&["create", "roc"][..], &SMALL].concat()));
        lab.until("the Job", || lab.kubectl(&["get", "job", "boot-roc"]).code == 0);
        lab.flink_ok(&["delete", "roc", "--yes"]);
        let create = create.join().expect("create");
        create.failed(1, &[]);
        // The client may just have made the Deployment.
        let told = ["job.batch/boot-roc is gone: somebody has deleted it", "session roc is being deleted"];
        assert!(told.iter().any(|told| create.stderr.contains(told)), "{}", create.stderr);
    });
    assert_eq!(lab.left_of("roc"), "");
}

#[test]
fn what_restart_proposes_for_a_paused_deployment() {
    let lab = Lab::new("paused");
    lab.flink_ok(&[&["create", "roc"][..], &QUICK].concat());
    let again = lab.flink(&[&["create", "roc"][..], &QUICK].concat());
    let status = again.hint("");
    assert_eq!(lab.flink_as_printed(status).code, 0, "{status}");
    lab.kubectl_ok(&["rollout", "pause", "deployment/roc"]);
    let shown = lab.flink_ok(&["status", "roc"]);
    assert!(shown.contains("deployment.apps/roc is paused"), "{shown}");
    let fix = lab.flink_ok(&["status", "roc", "-o", "jsonpath={.findings[0].fix}"]);
    assert_eq!(lab.kubectl_as_printed(&fix).code, 0, "{fix}");
    assert!(!lab.flink_ok(&["status", "roc"]).contains("is paused"));
    lab.kubectl_ok(&["rollout", "pause", "deployment/roc"]);
    let refused = lab.flink(&["restart", "roc"]);
    refused.failed(1, &["deployment.apps/roc is paused"]);
    let resume = refused.hint("");
    assert_eq!(lab.kubectl_as_printed(resume).code, 0, "{resume}");
    lab.flink_ok(&["restart", "roc"]);
}

#[test]
fn what_create_proposes_for_a_crash_with_high_availability() {
    let lab = Lab::new("ha-crash");
    // A directory that no JobManager can make.
    let ha = ["create", "roc", "--ha", "file:///proc/ha", "--ha-dir-is-shared"];
    let ended = lab.flink(&[&ha[..], &QUICK].concat());
    ended.failed(1, &["session roc cannot start", "crashes (exit code "]);
    let logs = ended.hint("kubectl logs ");
    let read = lab.kubectl_as_printed(&format!("kubectl logs {logs}"));
    // The run that crashed, or the one that was started since.
    assert_eq!(read.code, 0, "{logs}: {}", read.stderr);
    let delete = ended.hint("to delete it: ");
    let deleted = lab.flink_as_printed(delete);
    assert_eq!(deleted.code, 0, "{delete}: {}", deleted.stderr);
    // The state is kept, and the command that gives it up is printed.
    let give_up = deleted.stderr.lines().find_map(|line| line.strip_prefix("hint: to give it up"));
    let (_, purge) = give_up.and_then(|hint| hint.split_once(": ")).expect("a hint");
    assert_eq!(lab.flink_as_printed(&format!("{purge} --yes")).code, 0, "{purge}");
    assert_eq!(lab.left_of("roc"), "");
}
