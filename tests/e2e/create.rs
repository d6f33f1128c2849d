//! What `create` can be asked for, on a real cluster.

use std::fs;

use crate::lab::{FLINK_1_10, FLINK_1_20, FLINK_2_3, Lab, SMALL, small};

fn create<'a>(image: &'a str, words: &[&'a str]) -> Vec<&'a str> {
    [&["create", "roc", "--image", image][..], small(image), words].concat()
}

/// A TaskManager without a job, small; from 1.19 on.
const ONE_TASKMANAGER: [&str; 6] =
    ["--min-slots", "1", "--taskmanager-cpu", "0.2", "--taskmanager-memory", "1024m"];

/// One field of the pod of a role.
fn pod(lab: &Lab, role: &str, field: &str) -> String {
    let selector = format!("app=roc,component={role}");
    lab.until(&format!("the {role}"), || {
        !lab.kubectl_ok(&["get", "pod", "-l", &selector, "-o", "name"]).is_empty()
    });
    lab.kubectl_ok(&["get", "pod", "-l", &selector, "-o", &format!("jsonpath={{.items[0]{field}}}")])
}

/// The environment variable of Flink's container, as its process sees it.
fn variable(lab: &Lab, role: &str, name: &str) -> String {
    let pod = pod(lab, role, ".metadata.name");
    lab.until("the container", || lab.kubectl(&["exec", &pod, "--", "true"]).code == 0);
    lab.kubectl_ok(&["exec", &pod, "--", "printenv", name]).trim_end().to_owned()
}

fn lives_on_everything(test: &str, (image, version): (&str, &str)) {
    let lab = Lab::new(test);
    lab.kubectl_ok(&["create", "secret", "generic", "s3", "--from-literal=secret=a b=c"]);
    let asked = [
        &[
            "--env",
            "GREETING=it's 1,2;3",
            "--secret-env",
            "KEY=s3:secret",
            "--label",
            "team=a",
            "--label",
            "empty=",
        ][..],
        &["--annotation", "note=x,y: it's", "--toleration", "spot", "--toleration", "a=b:NoSchedule"],
        &["--keep-idle-taskmanagers", "1h", "--image-pull-policy", "IfNotPresent"],
        &["--node-selector", "kubernetes.io/os=linux"],
        &ONE_TASKMANAGER,
    ];
    lab.flink_ok(&create(image, &asked.concat()));
    assert!(lab.rest_overview("roc").stdout.contains(version));
    for role in ["jobmanager", "taskmanager"] {
        assert_eq!(variable(&lab, role, "GREETING"), "it's 1,2;3", "{role}");
        assert_eq!(variable(&lab, role, "KEY"), "a b=c", "{role}");
        assert_eq!(pod(&lab, role, ".metadata.labels.team"), "a");
        let empty = format!("app=roc,component={role},empty=");
        assert_ne!(lab.kubectl_ok(&["get", "pod", "-l", &empty, "-o", "name"]), "");
        assert_eq!(pod(&lab, role, ".metadata.annotations.note"), "x,y: it's");
        assert_eq!(pod(&lab, role, ".spec.nodeSelector.kubernetes\\.io/os"), "linux");
        let tolerations = pod(&lab, role, ".spec.tolerations");
        assert!(tolerations.contains("\"key\":\"spot\",\"operator\":\"Exists\""), "{tolerations}");
        assert!(tolerations.contains("\"value\":\"b\""), "{tolerations}");
    }
    // The value of the Secret is in no object but the Secret.
    let objects = lab.kubectl_ok(&["get", "configmap,deployment,job,pod", "-o", "yaml"]);
    assert!(!objects.contains("a b=c") && objects.contains("it's 1,2;3"));
    lab.flink_ok(&["delete", "roc", "--yes"]);
    assert_eq!(lab.left_of("roc"), "");
}

#[test]
fn flink_1_20_takes_every_flag() {
    lives_on_everything("flags-1-20", FLINK_1_20);
}

#[test]
fn flink_2_3_takes_every_flag() {
    lives_on_everything("flags-2-3", FLINK_2_3);
}

#[test]
fn flink_1_10_takes_what_it_can_and_refuses_the_rest() {
    let lab = Lab::new("flags-1-10");
    lab.flink(&create(FLINK_1_10.0, &["--label", "team=a"]))
        .failed(1, &["--label needs Flink 1.11 or later, and this is Flink 1.10"]);
    assert_eq!(lab.left_of("roc"), "");
    lab.flink_ok(&create(FLINK_1_10.0, &["--env", "GREETING=hello", "--keep-idle-taskmanagers", "1h"]));
    assert!(lab.rest_overview("roc").stdout.contains("1.10"));
    assert_eq!(variable(&lab, "jobmanager", "GREETING"), "hello");
}

#[test]
fn pod_templates_reach_the_pods_of_their_roles() {
    let lab = Lab::new("templates");
    let files = tempfile::tempdir().expect("scratch directory");
    let write = |name: &str, text: &str| {
        let path = files.path().join(name);
        fs::write(&path, text).expect("template");
        path.to_string_lossy().into_owned()
    };
    let both = write(
        "both.yaml",
        "metadata: {labels: {both: 'yes'}}\nspec:\n  volumes: [{name: scratch, emptyDir: {}}]\n  containers:\n  - name: flink-main-container\n    volumeMounts: [{name: scratch, mountPath: /scratch}]\n",
    );
    let jobmanager = write("jobmanager.yaml", "metadata: {labels: {only: jobmanager}}\n");
    let words = [&["--pod-template", &both, "--jobmanager-pod-template", &jobmanager][..], &ONE_TASKMANAGER];
    lab.flink_ok(&create(FLINK_2_3.0, &words.concat()));
    for (role, only) in [("jobmanager", "jobmanager"), ("taskmanager", "")] {
        assert_eq!(pod(&lab, role, ".metadata.labels.both"), "yes", "{role}");
        assert_eq!(pod(&lab, role, ".metadata.labels.only"), only, "{role}");
        let mounts = pod(&lab, role, ".spec.containers[0].volumeMounts[*].mountPath");
        assert!(mounts.contains("/scratch"), "{mounts}");
    }
    // A manifest made of it says the same.
    let manifest = lab.flink_ok(&["status", "roc", "-o", "flinkdeployment"]);
    assert!(manifest.contains("only: jobmanager") && manifest.contains("/scratch"), "{manifest}");
}

#[test]
fn restricted_lives_where_nothing_else_may() {
    for (image, version) in [FLINK_1_20, FLINK_2_3] {
        let lab = Lab::new(&format!("restricted-{}", version.replace('.', "-")));
        let level = "pod-security.kubernetes.io/enforce=restricted";
        lab.kubectl_ok(&["label", "namespace", &lab.namespace, level]);
        let before = lab.fingerprint();
        lab.flink(&create(image, &[])).failed(
            1,
            &["enforces the Pod Security level restricted", "violates PodSecurity", "--restricted makes"],
        );
        assert_eq!(lab.fingerprint(), before, "nothing is written");
        lab.flink_ok(&create(image, &[&["--restricted"][..], &ONE_TASKMANAGER].concat()));
        assert!(lab.rest_overview("roc").stdout.contains(version));
        lab.until("the TaskManager", || pod(&lab, "taskmanager", ".status.phase") == "Running");
    }
}

/// High availability on a directory of the node, which all pods of a small cluster share.
pub fn shared_directory(lab: &Lab, files: &tempfile::TempDir) -> [String; 4] {
    let template = files.path().join("shared.yaml");
    fs::write(
        &template,
        "spec:\n  volumes: [{name: state, hostPath: {path: /tmp}}]\n  containers:\n  - name: flink-main-container\n    volumeMounts: [{name: state, mountPath: /state}]\n",
    )
    .expect("template");
    let directory = format!("file:///state/kubectl-flink-{}", lab.namespace);
    let template = template.to_string_lossy().into_owned();
    ["--ha", &directory, "--pod-template", &template].map(str::to_owned)
}

/// Runs a job that lasts until it is cancelled, with the client in the JobManager's own pod.
fn run_a_job(lab: &Lab) {
    let pod = pod(lab, "jobmanager", ".metadata.name");
    let jar = fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/job/sleep.jar")).expect("jar");
    lab.kubectl_with_bytes(&["exec", "-i", &pod, "--", "sh", "-c", "cat >/tmp/sleep.jar"], &jar);
    let run = ["bin/flink", "run", "-d", "-t", "remote", "-Drest.address=localhost", "/tmp/sleep.jar"];
    lab.kubectl_ok(&[&["exec", &pod, "--"][..], &run].concat());
    running(lab, 1);
}

fn running(lab: &Lab, jobs: u32) {
    let words = format!("\"jobs-running\":{jobs},");
    lab.until(&words, || lab.rest_overview("roc").stdout.contains(&words));
}

fn keeps_its_state_and_brings_nothing_back(test: &str, (image, version): (&str, &str)) {
    let lab = Lab::new(test);
    let files = tempfile::tempdir().expect("scratch directory");
    let ha = shared_directory(&lab, &files);
    let small = ["--taskmanager-cpu", "0.2", "--taskmanager-memory", "1024m"];
    let ha: Vec<&str> = ha.iter().map(String::as_str).chain(small).collect();
    lab.flink_ok(&create(image, &ha));
    assert!(lab.rest_overview("roc").stdout.contains(version));
    // With high availability Flink makes no Service but REST's, and keeps its leader in a ConfigMap.
    assert_eq!(lab.kubectl_ok(&["get", "service", "-l", "app=roc", "-o", "name"]), "service/roc-rest\n");
    run_a_job(&lab);
    crate::seeing::tells_all_of_a_session_with_a_job(&lab, version);
    // A session whose jobs would come back is not deleted under them without a word either.
    lab.flink(&["delete", "roc", "--yes"]).failed(4, &["a job runs on session roc", "--reuse-ha", "--force"]);
    let deleted = lab.flink(&["delete", "roc", "--yes", "--force"]);
    assert_eq!((deleted.code, lab.left_of("roc")), (0, kept(&lab)), "{}", deleted.stderr);
    assert_eq!(kept(&lab).lines().count(), 2, "{}", kept(&lab));
    for object in kept(&lab).lines() {
        assert!(deleted.stderr.contains(object), "{}", deleted.stderr);
    }
    // Where the rest of it is.
    assert!(deleted.stderr.contains(&format!("files in {}/roc", ha[1])), "{}", deleted.stderr);

    // The name alone is not enough to bring the job back; asking for it is.
    let before = lab.fingerprint();
    let refused = lab.flink(&create(image, &ha));
    refused.failed(4, &["would bring its jobs back", "--reuse-ha", "kubectl flink delete roc"]);
    assert_eq!(lab.fingerprint(), before);
    // With the settings that it had, as the deletion says.
    let hint = deleted.stderr.lines().find_map(|line| line.split_once("the settings that it had, and: "));
    let (_, again) = hint.expect("a hint");
    let settings = [&["--image", image], crate::lab::small(image), &ha[2..]].concat();
    let again = format!("{again} {}", settings.join(" "));
    assert_eq!(lab.flink_as_printed(&again).code, 0, "{again}");
    running(&lab, 1);
    // So does a JobManager that takes over.
    let restarted = lab.flink(&["restart", "roc", "--force"]);
    assert_eq!(restarted.code, 0, "{}", restarted.stderr);
    running(&lab, 1);
    lab.flink_ok(&["delete", "roc", "--yes", "--force"]);
    assert_eq!(kept(&lab).lines().count(), 2, "{}", kept(&lab));

    // The command of the hint does what it says: after it, nothing comes back.
    let hint = refused.stderr.lines().find(|line| line.contains("--purge-ha")).expect("hint");
    let (_, command) = hint.split_once("not needed: ").expect("command");
    let purged = lab.flink_as_printed(&format!("{command} --yes"));
    assert_eq!((purged.code, kept(&lab)), (0, String::new()), "{}", purged.stderr);
    lab.flink_ok(&create(image, &ha));
    lab.until("the leader", || lab.kubectl(&["get", "configmap", "roc-cluster-config-map"]).code == 0);
    let keys = ["get", "configmap", "roc-cluster-config-map", "-o", "jsonpath={.data}"];
    let graph = lab.kubectl_ok(&keys);
    assert!(!graph.contains("Graph-") && !graph.contains("Plan-"), "{graph}");
    running(&lab, 0);
    assert!(lab.rest("roc", "/jobs/overview").stdout.contains("\"jobs\":[]"), "no ghost");
    lab.flink_ok(&["delete", "roc", "--yes", "--purge-ha"]);
    assert_eq!(lab.left_of("roc"), "");
}

fn kept(lab: &Lab) -> String {
    lab.kubectl_ok(&["get", "configmap", "-l", "app=roc", "-o", "name"])
}

#[test]
fn high_availability_1_20() {
    keeps_its_state_and_brings_nothing_back("ha-1-20", FLINK_1_20);
}

#[test]
fn high_availability_2_3() {
    keeps_its_state_and_brings_nothing_back("ha-2-3", FLINK_2_3);
}

#[test]
fn two_jobmanagers_share_the_state() {
    let lab = Lab::new("replicas");
    let files = tempfile::tempdir().expect("scratch directory");
    let ha = shared_directory(&lab, &files);
    let mut words: Vec<&str> = ha.iter().map(String::as_str).collect();
    words.extend(["--jobmanager-replicas", "2"]);
    lab.flink_ok(&create(FLINK_2_3.0, &words));
    lab.until("both JobManagers", || {
        lab.kubectl_ok(&["get", "deployment", "roc", "-o", "jsonpath={.status.readyReplicas}"]) == "2"
    });
}

#[test]
fn a_plugin_of_the_image_is_switched_on_in_both_roles() {
    let lab = Lab::new("plugin");
    // Which plugins an image has is the image's business: any jar of its opt directory will do here.
    let image = FLINK_2_3.0;
    let refused = lab.flink(&create(image, &["--plugin", "no-such"]));
    refused.failed(
        1,
        &["the image has no plugin no-such; its opt directory has:", "--plugin takes the plugins"],
    );
    let has =
        refused.stderr.split("directory has:").nth(1).expect("list").lines().next().expect("line").to_owned();
    let plugin = has.split_whitespace().find(|name| *name != "nothing").expect("an image with plugins");
    lab.flink_ok(&create(image, &[&["--plugin", plugin][..], &ONE_TASKMANAGER].concat()));
    for role in ["jobmanager", "taskmanager"] {
        assert_eq!(variable(&lab, role, "ENABLE_BUILT_IN_PLUGINS"), format!("flink-{plugin}-2.3.0.jar"));
    }
}

#[test]
fn a_quota_without_room_is_told_before_any_write() {
    let lab = Lab::new("quota");
    lab.kubectl_ok(&["create", "quota", "team", "--hard=limits.cpu=2,limits.memory=16Gi,requests.cpu=2"]);
    lab.until("the quota", || {
        lab.kubectl_ok(&["get", "quota", "team", "-o", "jsonpath={.status.hard.limits\\.cpu}"]) == "2"
    });
    let before = lab.fingerprint();
    // What one asks for is also its limit here.
    let four = [&["create", "roc", "--image", FLINK_2_3.0, "--slots", "4"][..], &SMALL].concat();
    lab.flink(&four).failed(
        1,
        &[
            "session roc would not start in namespace",
            "quota team leaves 2 CPU (limits.cpu: 0 of 2 used), and one TaskManager asks for 4 CPU",
            "kubectl describe quota",
            "nothing was written",
        ],
    );
    assert_eq!(lab.fingerprint(), before);
    // Whoever knows better goes on.
    lab.flink_ok(&[&four[..], &["--ignore-preflight"]].concat());
}

#[test]
fn secrets_that_are_not_there_are_told_before_any_write() {
    let lab = Lab::new("secrets");
    lab.kubectl_ok(&["create", "secret", "generic", "plain", "--from-literal=user=me"]);
    let before = lab.fingerprint();
    lab.flink(&create(
        FLINK_2_3.0,
        &["--image-pull-secret", "plain", "--image-pull-secret", "none", "--secret-env", "P=plain:password"],
    ))
    .failed(
        1,
        &[
            "secret/plain (--image-pull-secret) is of type Opaque",
            "secret/none (--image-pull-secret) does not exist",
            "secret/plain (--secret-env P) has no key password: it has user",
        ],
    );
    assert_eq!(lab.fingerprint(), before);
}

#[test]
fn who_may_do_little_is_told_what_is_missing() {
    let lab = Lab::new("little");
    let user = lab.user("viewer", &[("get,list,watch", "*.*")]);
    let before = lab.fingerprint();
    lab.flink_as(&user, &create(FLINK_2_3.0, &[])).failed(1, &["you may not create", "ask an administrator"]);
    assert_eq!(lab.fingerprint(), before);

    // With an account that has the rights, creating Jobs is all it takes.
    lab.flink_ok(&[&create(FLINK_2_3.0, &[])[..], &["--wait=false"]].concat());
    lab.flink_ok(&["status", "roc", "--wait"]);
    lab.flink_ok(&["delete", "roc", "--yes"]);
    let starter = lab.user(
        "starter",
        &[
            ("get,list,watch", "deployments.apps,services,configmaps,pods,serviceaccounts,jobs.batch,events"),
            ("create", "jobs.batch"),
            ("get", "pods/log,pods/proxy"),
        ],
    );
    let made = lab.flink_as(&starter, &create(FLINK_2_3.0, &[]));
    assert_eq!(made.code, 0, "{}", made.stderr);
    assert!(made.stderr.contains("not checked beforehand, as it could not be read:"), "{}", made.stderr);
    assert!(made.stderr.contains("nodes"), "{}", made.stderr);
    assert!(lab.rest_overview("roc").stdout.contains("2.3.0"));
}

#[test]
fn an_account_without_the_rights_is_told_before_any_write() {
    let lab = Lab::new("account");
    lab.kubectl_ok(&["create", "serviceaccount", "poor"]);
    let before = lab.fingerprint();
    lab.flink(&create(FLINK_2_3.0, &["--rbac=none", "--service-account", "poor"])).failed(
        1,
        &[
            "serviceaccount/poor in namespace",
            "may not get services, create services",
            "list pods",
            "--rbac=role",
        ],
    );
    lab.flink(&create(FLINK_2_3.0, &["--rbac=none", "--service-account", "absent"]))
        .failed(1, &["serviceaccount/absent does not exist"]);
    assert_eq!(lab.fingerprint(), before);
}

#[test]
fn a_dry_run_writes_nothing_and_its_objects_can_be_applied() {
    let lab = Lab::new("dry-run");
    let before = lab.fingerprint();
    for mode in ["--dry-run=client", "--dry-run=server"] {
        let names = lab.flink_ok(&create(FLINK_2_3.0, &[mode, "-o", "name"]));
        assert_eq!(
            names,
            "serviceaccount/flink\nserviceaccount/flink-taskmanager\nrole.rbac.authorization.k8s.io/kubectl-flink\nrolebinding.rbac.authorization.k8s.io/kubectl-flink:flink\njob.batch/boot-roc\n"
        );
        let lines = lab.flink_ok(&create(FLINK_2_3.0, &[mode]));
        assert!(lines.starts_with("serviceaccount/flink created ("), "{lines}");
        for format in ["yaml", "json"] {
            let objects = lab.flink_ok(&create(FLINK_2_3.0, &[mode, "-o", format]));
            lab.kubectl_with_input(&["apply", "--dry-run=server", "-f", "-"], &objects);
        }
    }
    assert_eq!(lab.fingerprint(), before);

    let absent = Lab::not_yet("dry-run-absent");
    let objects =
        absent.flink(&create(FLINK_2_3.0, &["--create-namespace", "--dry-run=server", "-o", "name"]));
    assert_eq!(objects.code, 0, "{}", objects.stderr);
    assert!(objects.stdout.starts_with("namespace/"), "{}", objects.stdout);
    assert_ne!(absent.kubectl(&["get", "namespace", &absent.namespace]).code, 0);

    // What was printed makes a session.
    let objects = lab.flink_ok(&create(FLINK_2_3.0, &["--dry-run=client", "-o", "yaml"]));
    lab.kubectl_with_input(&["apply", "-f", "-"], &objects);
    lab.flink_ok(&["status", "roc", "--wait"]);
    assert!(lab.rest_overview("roc").stdout.contains("2.3.0"));
    lab.flink_ok(&["delete", "roc", "--yes"]);
    assert_eq!(lab.left_of("roc"), "");
}

#[test]
fn a_manifest_makes_a_session_and_a_session_makes_a_manifest() {
    for (image, version) in [FLINK_1_10, FLINK_1_20, FLINK_2_3] {
        let lab = Lab::new(&format!("manifest-{}", version.replace('.', "-")));
        let files = tempfile::tempdir().expect("scratch directory");
        let file = files.path().join("roc.yaml");
        fs::write(
            &file,
            format!(
                "apiVersion: flink.apache.org/v1beta1\nkind: FlinkDeployment\nmetadata:\n  name: roc\nspec:\n  image: {image}\n  serviceAccount: flink\n  flinkConfiguration:\n    taskmanager.numberOfTaskSlots: '3'\n    state.savepoints.dir: file:///tmp/savepoints\n  jobManager:\n    resource: {{memory: 1600m, cpu: 0.4}}\n  taskManager:\n    resource: {{memory: 1728m, cpu: 1}}\n"
            ),
        )
        .expect("manifest");
        let path = file.to_string_lossy().into_owned();
        lab.flink_ok(&["create", "-f", &path, "--slots", "2"]);
        assert!(lab.rest_overview("roc").stdout.contains(version));
        let printed = lab.flink_ok(&["status", "roc", "-o", "flinkdeployment"]);
        for part in [
            "kind: FlinkDeployment",
            "name: roc",
            image,
            "cpu: \"0.4\"",
            "savepoint",
            "taskmanager.numberOfTaskSlots: \"2\"",
        ] {
            assert!(printed.contains(part), "{part} in {printed}");
        }
        // Flink 1.10 would take half a minute.
        lab.flink_ok(&["delete", "roc", "--yes", "--grace-period=1"]);
        // And back: the same session again, from what was printed.
        fs::write(&file, &printed).expect("manifest");
        lab.flink_ok(&["create", "-f", &path]);
        assert_eq!(lab.flink_ok(&["status", "roc", "-o", "flinkdeployment"]), printed);
    }
}
