//! `create` against a server that the test plays: what it says, and what it writes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
#[cfg(unix)]
use std::time::{Duration, Instant};

use serde_json::{Value, json};

#[cfg(unix)]
use crate::process::command;
use crate::process::{flink, flink_at};
#[cfg(unix)]
use crate::running::Running;
use crate::server::{Answer, Server, failure};

/// An object that was made or tried, as the server would give it back.
fn made(version: &str, kind: &str) -> Answer {
    (201, json!({"apiVersion": version, "kind": kind, "metadata": {"name": "x", "uid": "u1"}}))
}

/// A server that lets everything be made, and whose rights are all there.
pub fn willing(line: &str) -> Option<Answer> {
    for (path, kind) in [
        ("selfsubjectaccessreviews", "SelfSubjectAccessReview"),
        ("localsubjectaccessreviews", "LocalSubjectAccessReview"),
    ] {
        if line.ends_with(path) {
            let review = json!({"apiVersion": "authorization.k8s.io/v1", "kind": kind, "metadata": {},
                "spec": {}, "status": {"allowed": true}});
            return Some((201, review));
        }
    }
    let kind = line.strip_prefix("POST ")?.rsplit('/').next()?;
    let rbac = json!({"kind": "Role", "name": "x", "apiGroup": "rbac.authorization.k8s.io"});
    Some(match kind {
        "serviceaccounts" => made("v1", "ServiceAccount"),
        "pods" => made("v1", "Pod"),
        "roles" => made("rbac.authorization.k8s.io/v1", "Role"),
        "rolebindings" => {
            let (code, mut binding) = made("rbac.authorization.k8s.io/v1", "RoleBinding");
            binding["roleRef"] = rbac;
            (code, binding)
        }
        "jobs" => made("batch/v1", "Job"),
        "services" => made("v1", "Service"),
        "configmaps" => made("v1", "ConfigMap"),
        "deployments" => made("apps/v1", "Deployment"),
        _ => return None,
    })
}

/// What the bootstrap container asks for, and the pods that the server was shown, in a namespace with these limits.
fn sizes_under(limits: Value) -> (Value, String) {
    let server = Server::answering(move |line| match line {
        "GET /api/v1/namespaces/team-a/limitranges" => {
            let range = json!({"metadata": {"name": "sizes"}, "spec": {"limits": [limits]}});
            Some((200, json!({"metadata": {}, "items": [range]})))
        }
        line => willing(line),
    });
    let words = [
        "create",
        "roc",
        "--dry-run=server",
        "-o",
        "json",
        "--jobmanager-cpu",
        "0.5",
        "--taskmanager-cpu",
        "0.5",
    ];
    let ended = server.flink(&words);
    let printed: Value = serde_json::from_str(&ended.stdout).unwrap_or_default();
    let items = printed["items"].as_array().cloned().unwrap_or_default();
    let job = items.into_iter().find(|item| item["kind"] == "Job").unwrap_or_default();
    let tried = server.trials().into_iter().find(|trial| trial.line == "POST /api/v1/namespaces/team-a/pods");
    let tried = tried.map(|trial| trial.body["spec"]["containers"][0]["resources"].clone());
    let resources = job["spec"]["template"]["spec"]["containers"][0]["resources"].clone();
    if !resources.is_null() {
        assert_eq!(tried, Some(resources.clone()), "the pod that is tried is the one that comes");
    }
    (resources, ended.stderr)
}

#[test]
fn the_bootstrap_pod_follows_the_limit_ranges_of_the_namespace() {
    let of = |request: [&str; 2], limit: [&str; 2]| {
        let amounts = |[cpu, memory]: [&str; 2]| json!({"cpu": cpu, "memory": memory});
        json!({"requests": amounts(request), "limits": amounts(limit)})
    };
    for (limits, resources) in [
        (
            json!({"type": "PersistentVolumeClaim", "max": {"storage": "1Gi"}}),
            of(["100m", "512Mi"], ["1", "512Mi"]),
        ),
        (
            json!({"type": "Container", "maxLimitRequestRatio": {"cpu": "4"}}),
            of(["250m", "512Mi"], ["1", "512Mi"]),
        ),
        (
            json!({"type": "Container", "min": {"cpu": "250m", "memory": "1Gi"}}),
            of(["250m", "1024Mi"], ["1", "1024Mi"]),
        ),
        (json!({"type": "Pod", "max": {"cpu": "500m"}}), of(["100m", "512Mi"], ["500m", "512Mi"])),
    ] {
        let (found, told) = sizes_under(limits.clone());
        assert_eq!(found, resources, "{limits}: {told}");
    }
    let (found, told) = sizes_under(json!({"type": "Container", "max": {"memory": "128Mi"}}));
    assert!(found.is_null(), "{found}");
    assert!(told.contains("the bootstrap pod asks for 300"), "{told}");
}

#[test]
fn a_dry_run_by_the_client_asks_nothing() {
    let server = Server::answering(willing);
    for format in ["name", "json", "yaml"] {
        let ended = server.flink(&["create", "roc", "--dry-run=client", "-o", format]);
        assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{format}");
    }
    let ended = server.flink(&["create", "roc", "--dry-run", "--create-namespace", "--rbac=edit-cluster"]);
    insta::assert_snapshot!(ended);
    assert_eq!(server.asked(), Vec::<String>::new());
    // Not even a kubeconfig is needed.
    assert_eq!(flink(&["create", "roc", "--dry-run=client", "-o", "name"]).code, 0);
}

#[test]
fn a_value_that_flink_would_lose_is_refused_before_anything_is_asked() {
    let server = Server::answering(willing);
    for words in [
        &["--image", "flink:1.18.1", "--env", "PASSWORD=secret #1"][..],
        &["--flink-version", "1.16", "-D", "my.password=secret #1"],
        &["--image", "flink:1.18.1", "--annotation", "color=#ff0000"],
        &["--image", "flink:1.10", "-D", "my.key=a\ninjected: b"],
        &["--image", "flink:1.18.1", "-D", "my.key= a", "--unchecked-config"],
    ] {
        let ended = server.flink(&[&["create", "roc"], words].concat());
        assert_eq!(ended.code, 1, "{ended}");
        assert!(ended.stderr.contains("needs Flink 1.19 or later, and this is Flink 1.1"), "{ended}");
        assert!(ended.stderr.contains("hint: use an image with Flink 1.19 or later (--image)"), "{ended}");
        assert!(!ended.stderr.contains("secret #1"), "{ended}");
    }
    assert_eq!(server.asked(), Vec::<String>::new());
}

#[test]
fn the_objects_of_a_dry_run() {
    let server = Server::answering(|_| None);
    let ended = server.flink(&["create", "roc", "--dry-run=client", "-o", "yaml", "--slots", "2"]);
    // The script has a test of its own.
    let script = ended.stdout.find("# Runs Flink's own client").expect("script");
    let end = ended.stdout[script..].find("- bootstrap\n").expect("end") + script;
    insta::assert_snapshot!(format!(
        "{}(the script)\n        {}",
        &ended.stdout[..script],
        &ended.stdout[end..]
    ));
    let json: Value = serde_json::from_str(
        &server.flink(&["create", "roc", "--dry-run=client", "-o", "json", "--slots", "2"]).stdout,
    )
    .expect("json");
    assert_eq!((&json["kind"], json["items"].as_array().map(Vec::len)), (&json!("List"), Some(5)));
}

#[test]
fn a_dry_run_by_the_server_tries_and_keeps_nothing() {
    let server = Server::answering(willing);
    let ended = server.flink(&["create", "roc", "--dry-run=server"]);
    insta::assert_snapshot!(ended);
    assert!(server.writes().is_empty(), "{:?}", server.writes());
    let tried =
        server.asked().into_iter().filter(|line| line == "POST /apis/batch/v1/namespaces/team-a/jobs");
    assert_eq!(tried.count(), 1);
}

/// A namespace in which a bootstrap Job is at work for just the session that `create roc` makes.
fn with_a_bootstrap(state: Value, record: Option<&str>) -> Server {
    let dry = flink(&["create", "roc", "--dry-run=client", "-o", "json", "-n", "team-a"]);
    let objects: Value = serde_json::from_str(&dry.stdout).expect("json");
    let mut job = objects["items"].as_array().and_then(|items| items.last()).cloned().expect("job");
    if let Some(record) = record {
        job["metadata"]["annotations"]["kubectl-flink/settings"] = record.into();
    }
    job["metadata"]["uid"] = "j1".into();
    job["metadata"]["creationTimestamp"] = "2026-01-01T00:00:00Z".into();
    job["metadata"].as_object_mut().expect("metadata").extend(state.as_object().expect("state").clone());
    Server::answering(move |line| match line {
        "GET /apis/batch/v1/namespaces/team-a/jobs/boot-roc" => Some((200, job.clone())),
        line => willing(line),
    })
}

#[test]
fn a_dry_run_takes_up_no_wait() {
    let server = with_a_bootstrap(json!({}), None);
    insta::assert_snapshot!(server.flink(&["create", "roc", "--dry-run=server"]));
    assert!(server.writes().is_empty(), "{:?}", server.writes());
}

#[test]
fn a_bootstrap_for_other_settings_is_left_alone() {
    let server = with_a_bootstrap(json!({}), Some("{}"));
    let told = server.flink(&["create", "roc"]);
    assert_eq!(told.code, 1, "{told}");
    assert!(told.stderr.contains("session roc is being created in namespace team-a, for "), "{told}");
    assert!(server.writes().is_empty(), "{:?}", server.writes());
}

#[test]
fn what_the_server_would_not_take_fails_the_dry_run() {
    let server = Server::answering(|line| match line {
        "POST /apis/batch/v1/namespaces/team-a/jobs" => Some(failure(422, "Invalid", "Job.batch is invalid")),
        line => willing(line),
    });
    insta::assert_snapshot!(server.flink(&["create", "roc", "--dry-run=server", "-o", "yaml"]));
}

#[test]
fn every_reason_is_told_at_once_and_nothing_is_written() {
    let quota = json!({"apiVersion": "v1", "kind": "List", "metadata": {}, "items": [{
        "metadata": {"name": "team-a"},
        "status": {"hard": {"limits.cpu": "10", "pods": "50"}, "used": {"limits.cpu": "8", "pods": "2"}},
    }]});
    let server = Server::answering(move |line| match line {
        "GET /api/v1/namespaces/team-a/resourcequotas" => Some((200, quota.clone())),
        "GET /api/v1/nodes" => Some(failure(403, "Forbidden", "nodes is forbidden")),
        "POST /api/v1/namespaces/team-a/pods" => Some(failure(
            403,
            "Forbidden",
            "pods \"roc-x\" is forbidden: violates PodSecurity \"restricted:latest\": x",
        )),
        line => willing(line),
    });
    let words = ["create", "roc", "--slots", "4", "--image-pull-secret", "regcred"];
    insta::assert_snapshot!(server.flink(&words));
    assert!(server.writes().is_empty(), "{:?}", server.writes());
    // All of it becomes a warning for who goes on, and what may not be read is said.
    let words = [&words[..], &["--ignore-preflight", "--wait=false"]].concat();
    insta::assert_snapshot!(server.flink(&words));
    assert_eq!(server.writes().len(), 5, "{:?}", server.writes());
}

#[test]
fn what_may_not_be_granted_is_told_before_the_first_write() {
    let server = Server::answering(|line| match line {
        "POST /apis/rbac.authorization.k8s.io/v1/namespaces/team-a/roles" => Some(failure(
            403,
            "Forbidden",
            "roles \"kubectl-flink\" is forbidden: user \"me\" is attempting to grant RBAC permissions not currently held",
        )),
        line => willing(line),
    });
    insta::assert_snapshot!(server.flink(&["create", "roc"]));
    assert!(server.writes().is_empty(), "{:?}", server.writes());
}

#[test]
fn nodes_that_are_too_many_to_look_at_are_named() {
    let server = Server::answering(|line| match line {
        "GET /api/v1/nodes" => Some((200, json!({"metadata": {"continue": "more"}, "items": []}))),
        line => willing(line),
    });
    let told = server.flink(&["create", "roc", "--dry-run=server"]);
    assert_eq!(told.code, 0, "{told}");
    assert_eq!(told.stderr, "not checked beforehand, as it could not be read: nodes (more than 500)\n");
}

#[test]
fn a_namespace_that_is_going_is_told() {
    let server = Server::answering(|line| match line {
        "GET /api/v1/namespaces/team-a" => Some((
            200,
            json!({"apiVersion": "v1", "kind": "Namespace",
                "metadata": {"name": "team-a", "deletionTimestamp": "2026-01-01T00:00:00Z"}}),
        )),
        line => willing(line),
    });
    insta::assert_snapshot!(server.flink(&["create", "roc"]));
    assert!(server.writes().is_empty(), "{:?}", server.writes());
}

#[test]
fn what_is_said_in_files_is_checked_with_its_place() {
    let home = tempfile::tempdir().expect("scratch directory");
    let write = |name: &str, text: &str| {
        let path = home.path().join(name);
        std::fs::create_dir_all(path.parent().expect("directory")).expect("directory");
        std::fs::write(&path, text).expect("file");
        path.to_string_lossy().into_owned()
    };
    let manifest = |spec: &str| {
        format!(
            "apiVersion: flink.apache.org/v1beta1\nkind: FlinkDeployment\nmetadata: {{name: roc}}\nspec:\n{spec}"
        )
    };
    let unknown = write("unknown.yaml", &manifest("  image: flink:2.3.0\n  jobmanager: {}\n"));
    let job = write("job.yaml", &manifest("  job: {jarURI: local:///a.jar}\n"));
    let nameless = write(
        "nameless.yaml",
        "apiVersion: flink.apache.org/v1beta1\nkind: FlinkDeployment\nspec: {image: 'flink:2.3.0'}\n",
    );
    let owned = write("owned.yaml", &manifest("  flinkConfiguration: {execution.target: local}\n"));
    let template = write("template.yaml", "spec:\n  container: []\n");
    let config = |text: &str| write(".config/kubectl-flink/config.yaml", text);
    let run = |words: &[&str]| {
        let ended = flink_at(home.path(), &[words, &["--dry-run=client"]].concat());
        format!("$ kubectl flink {}\n{ended}", words.join(" "))
    };
    let mut told = vec![
        run(&["create", "-f", "/no/such/file"]),
        run(&["create", "-f", &unknown]),
        run(&["create", "-f", &job]),
        run(&["create", "-f", &nameless]),
        run(&["create", "-f", &owned]),
        run(&["create", "roc", "--pod-template", &template]),
        run(&["create", "roc", "--profile", "big"]),
    ];
    config("profiles:\n  big: {slots: 4}\n  small: {slots: 1}\n");
    told.push(run(&["create", "roc", "--profile", "bug"]));
    config("profiles:\n  big: {slots: 4, config: {taskmanager.numberOfTaskSlots: 2}}\n");
    told.push(run(&["create", "roc", "--profile", "big"]));
    config("defaults:\n  slot: 4\n");
    told.push(run(&["create", "roc"]));
    told.push(flink_at(home.path(), &["config"]).to_string());
    let told = told.join("\n").replace(&*home.path().to_string_lossy(), "HOME");
    insta::assert_snapshot!(told);
    // A broken file is the business of those who use it.
    assert_eq!(flink_at(home.path(), &["create", "--help"]).code, 0);
    assert_eq!(flink_at(home.path(), &["version", "--client"]).code, 0);
}

#[test]
fn flags_win_over_the_manifest_and_the_manifest_over_the_config_file() {
    let home = tempfile::tempdir().expect("scratch directory");
    let directory = home.path().join(".config/kubectl-flink");
    std::fs::create_dir_all(&directory).expect("directory");
    let config = "defaults: {slots: 1, min-slots: 4, jobmanager-cpu: 0.5, label: {from: config}}\n";
    std::fs::write(directory.join("config.yaml"), config).expect("config");
    let manifest = home.path().join("roc.yaml");
    std::fs::write(
        &manifest,
        "apiVersion: flink.apache.org/v1beta1\nkind: FlinkDeployment\nmetadata: {name: roc, namespace: team-b}\nspec:\n  image: flink:2.3.0\n  flinkConfiguration: {taskmanager.numberOfTaskSlots: 2}\n  jobManager: {resource: {cpu: 0.7}}\n",
    )
    .expect("manifest");
    let manifest = manifest.to_string_lossy().into_owned();
    let words = ["create", "-f", &manifest, "--slots", "4", "--dry-run=client", "-o", "yaml"];
    let yaml = flink_at(home.path(), &words).stdout;
    for part in [
        "-Dtaskmanager.numberOfTaskSlots=4\n",
        "-Dslotmanager.number-of-slots.min=4\n",
        "-Dkubernetes.jobmanager.cpu.amount=0.7\n",
        "-Dkubernetes.jobmanager.labels=from:config\n",
        "namespace: team-b\n",
    ] {
        assert!(yaml.contains(part), "{part} in {yaml}");
    }
    assert!(!yaml.contains("numberOfTaskSlots=2"), "{yaml}");
}

/// A session's Deployment that is being deleted, until it has been looked at so often.
fn with_a_dying_session(looks: usize, object: &'static str) -> Server {
    let seen = AtomicUsize::new(0);
    let native = json!({"app": "roc", "type": "flink-native-kubernetes", "component": "jobmanager"});
    let metadata = json!({"name": "roc", "namespace": "team-a", "uid": "d1", "labels": native,
        "creationTimestamp": "2026-01-01T00:00:00Z", "deletionTimestamp": "2026-01-02T00:00:00Z"});
    let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata,
        "spec": {"replicas": 1, "template": {"spec": {"containers": [
            {"name": "flink-main-container", "args": ["kubernetes-jobmanager.sh kubernetes-session"]}]}}}});
    let labels = json!({"app": "roc", "job-name": "boot-roc", "app.kubernetes.io/managed-by": "kubectl-flink",
        "app.kubernetes.io/component": "bootstrap"});
    let pods = json!({"metadata": {}, "items": [{"status": {"phase": "Running"},
        "metadata": {"name": "boot-roc-x", "namespace": "team-a", "uid": "p1", "labels": labels,
            "deletionTimestamp": "2026-01-02T00:00:00Z",
            "ownerReferences": [{"kind": "Job", "name": "boot-roc", "uid": "j0"}]},
        "spec": {"containers": [{"name": "bootstrap", "image": "flink:2.3.0"}]}}]});
    Server::answering_queries(move |line, query| {
        let is_there = || seen.fetch_add(1, Ordering::SeqCst) < looks;
        match (line, object) {
            ("GET /apis/apps/v1/namespaces/team-a/deployments/roc", "deployment.apps/roc") if is_there() => {
                Some((200, deployment.clone()))
            }
            ("GET /api/v1/namespaces/team-a/pods", "pod/boot-roc-x")
                if query.contains("job-name") && is_there() =>
            {
                Some((200, pods.clone()))
            }
            (line, _) => willing(line),
        }
    })
}

#[test]
fn what_is_being_deleted_is_waited_for_and_never_taken_for_the_new_session() {
    for object in ["deployment.apps/roc", "pod/boot-roc-x"] {
        let server = with_a_dying_session(3, object);
        let ended = server.flink(&["create", "roc", "--wait=false"]);
        assert_eq!(ended.code, 0, "{ended}");
        let waits = format!("waiting for an earlier session roc to be gone: {object} ...");
        assert!(ended.stderr.contains(&waits), "{ended}");
        let looks = |line: &String| line == "GET /apis/batch/v1/namespaces/team-a/jobs/boot-roc";
        let asked = server.asked();
        let made = asked.iter().position(|line| line == "POST /apis/batch/v1/namespaces/team-a/jobs");
        let before = asked[..made.expect("the Job")].iter().filter(|line| looks(line)).count();
        assert_eq!(before, 4, "{asked:?}");
    }
}

#[test]
#[cfg(unix)]
fn while_an_earlier_session_is_being_deleted_a_signal_leaves_nothing_written() {
    let server = with_a_dying_session(usize::MAX, "deployment.apps/roc");
    let mut create = Running::start(command(server.home.path(), &["create", "roc"]));
    assert!(create.warning().starts_with("waiting for an earlier session roc"));
    create.signal("TERM");
    let end = create.end();
    assert_eq!(end.code, 143, "{end:?}");
    let told = [
        "error: interrupted: session roc was not created; deployment.apps/roc is still being deleted",
        "hint: run the same create command again to resume waiting",
    ];
    assert_eq!(end.stderr[1..], told, "{end:?}");
    assert!(server.writes().is_empty(), "{:?}", server.writes());
}

#[test]
#[cfg(unix)]
fn a_signal_lets_a_write_complete_and_begins_no_other() {
    let (roles, jobs) = (
        "POST /apis/rbac.authorization.k8s.io/v1/namespaces/team-a/roles",
        "POST /apis/batch/v1/namespaces/team-a/jobs",
    );
    for (slow, seconds, told) in [
        (roles, 1, "interrupted: session roc was not created"),
        (roles, 60, "interrupted: session roc was not created"),
        (jobs, 1, "interrupted: session roc goes on starting"),
        (jobs, 60, "interrupted: cannot determine whether job.batch/boot-roc was created"),
    ] {
        let server = Server::answering_queries(move |line, query| {
            if line == slow && !query.contains("dryRun") {
                std::thread::sleep(Duration::from_secs(seconds));
            }
            willing(line)
        });
        let create = Running::start(command(server.home.path(), &["create", "roc"]));
        let began = Instant::now();
        while !server.writes().iter().any(|write| write.line == slow) {
            assert!(began.elapsed() < Duration::from_secs(20), "{:?}", server.asked());
            std::thread::sleep(Duration::from_millis(10));
        }
        create.signal("HUP");
        let end = create.end();
        assert_eq!(end.code, 129, "{slow} {seconds}: {end:?}");
        let error = end.stderr.iter().find_map(|line| line.strip_prefix("error: "));
        assert_eq!(error, Some(told), "{slow} {seconds}: {end:?}");
        assert_eq!(server.writes().last().map(|write| write.line.clone()).as_deref(), Some(slow));
        let hints: Vec<&str> = end.stderr.iter().filter_map(|line| line.strip_prefix("hint: ")).collect();
        match slow == jobs {
            true => assert!(hints.contains(&"to delete it: kubectl flink delete roc --yes"), "{end:?}"),
            false => assert_eq!(hints, Vec::<&str>::new(), "{end:?}"),
        }
    }
}

#[test]
fn of_several_that_create_the_same_at_once_all_but_one_wait_for_it() {
    let dry = flink(&["create", "roc", "--dry-run=client", "-o", "json", "-n", "team-a"]);
    let objects: Value = serde_json::from_str(&dry.stdout).expect("json");
    let mut job = objects["items"].as_array().and_then(|items| items.last()).cloned().expect("job");
    job["metadata"]["uid"] = "j1".into();
    job["metadata"]["creationTimestamp"] = "2026-01-01T00:00:00Z".into();
    let jobs = "POST /apis/batch/v1/namespaces/team-a/jobs";
    // The other one's comes between the look and the write; the first try of it is on trial.
    let (tried, own) = (Arc::new(AtomicUsize::new(0)), job.clone());
    let server = Server::answering(move |line| match line {
        _ if line == jobs && tried.fetch_add(1, Ordering::SeqCst) > 0 => {
            Some(failure(409, "AlreadyExists", "jobs.batch \"boot-roc\" already exists"))
        }
        "GET /apis/batch/v1/namespaces/team-a/jobs/boot-roc" if tried.load(Ordering::SeqCst) > 1 => {
            Some((200, own.clone()))
        }
        line => willing(line),
    });
    let ended = server.flink(&["create", "roc", "--wait=false"]);
    assert_eq!(ended.code, 0, "{ended}");
    assert!(
        ended.stderr.contains("job.batch/boot-roc makes this session already: waiting for it"),
        "{ended}"
    );
    // Not where it makes another one.
    let ended = server.flink(&["create", "roc", "--wait=false", "--slots", "3"]);
    assert_ne!(ended.code, 0, "{ended}");
}

#[test]
fn a_namespace_that_may_not_be_made_is_told_with_the_right_that_is_missing() {
    let forbidden = |what: &str| {
        failure(403, "Forbidden", &format!("{what} is forbidden: User \"me\" cannot get resource"))
    };
    let review = json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "metadata": {},
        "spec": {}, "status": {"allowed": false}});
    for hides in [true, false] {
        let review = review.clone();
        let server = Server::answering(move |line| match line {
            "GET /api/v1/namespaces/d" if hides => Some(forbidden("namespaces \"d\"")),
            line if line.ends_with("selfsubjectaccessreviews") => Some((201, review.clone())),
            line if line.contains("/namespaces/d/") => Some(forbidden("services \"d\"")),
            _ => None,
        });
        let ended = server.flink(&["create", "roc", "-n", "d", "--create-namespace"]);
        let told = match hides {
            true => "error: cannot determine whether namespace \"d\" exists: you may not get namespaces",
            false => {
                "error: namespace \"d\" does not exist, and you may not create namespaces (--create-namespace)"
            }
        };
        assert!(ended.stderr.starts_with(told) && ended.code == 1, "{ended}");
        assert!(ended.stderr.contains("hint: ask an administrator for the namespace"), "{ended}");
    }
}

#[test]
fn a_role_that_is_there_counts_by_what_it_grants() {
    let server = Server::answering(|line| match line {
        "GET /apis/rbac.authorization.k8s.io/v1/namespaces/team-a/roles/kubectl-flink" => Some((
            200,
            json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "kubectl-flink"}, "rules": [
                {"apiGroups": ["", "apps"], "resources": ["pods", "services", "configmaps", "deployments"],
                    "verbs": ["get", "list", "watch", "create", "update", "patch"]},
                {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}]}),
        )),
        "GET /apis/rbac.authorization.k8s.io/v1/namespaces/team-a/rolebindings/kubectl-flink:flink" => {
            Some((
                200,
                json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "x"},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "kubectl-flink"},
                "subjects": [{"kind": "ServiceAccount", "name": "other", "namespace": "team-a"}]}),
            ))
        }
        line => willing(line),
    });
    let ended = server.flink(&["create", "roc", "--wait=false"]);
    assert_eq!(ended.code, 0, "{ended}");
    for told in [
        "lacks what a session needs: configmaps: delete; deployments.apps: delete; pods: delete; services: delete",
        "grants more than a session needs: ",
        "secrets: get",
        "kubectl-flink:flink grants nothing to serviceaccount/flink in namespace team-a",
        "kubectl-flink:flink also grants to ServiceAccount other in namespace team-a",
    ] {
        assert!(ended.stderr.contains(told), "{told}: {ended}");
    }
    let rbac = server.writes().into_iter().filter(|write| write.line.contains("rbac.authorization")).count();
    assert_eq!(rbac, 0, "what is there is left alone: {:?}", server.writes());
}
