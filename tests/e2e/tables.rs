//! The tables of `status` are kubectl's own, whatever its pods and Services are like.

use std::fmt::Debug;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::lab::{FLINK_2_3, Lab};

/// The tables of `status NAME` equal kubectl's, byte for byte, as long as no second passes between
/// two looks of kubectl around ours. Waits until kubectl shows `rows`, spaces aside; returns the
/// verdict and the tables.
pub fn equal_kubectls(
    lab: &Lab,
    name: &str,
    form: &[&str],
    rows: &[impl AsRef<str> + Debug],
) -> (String, String) {
    let selector = format!("app={name}");
    let kubectl = || lab.kubectl_ok(&[&["get", "pod,svc", "-l", &selector], form].concat());
    let mut looks = None;
    lab.until(&format!("a second in which kubectl shows {rows:#?}"), || {
        let before = kubectl();
        if !shows(&before, rows) {
            return false;
        }
        let status = lab.flink(&[&["status", name], form].concat());
        let is_same_second = before == kubectl();
        looks = Some((before, status));
        is_same_second
    });
    let (kubectl, status) = looks.expect("looks");
    assert_eq!(status.code, 0, "{}", status.stderr);
    assert!(!status.stdout.contains('\x1b'), "{}", status.stdout);
    assert!(!status.stderr.contains('\x1b'), "{}", status.stderr);

    // kubectl ends each table with a line break and parts them with a blank line, as `status` its sections.
    let (verdict, sections) = status.stdout.split_once("\n\n").expect("a verdict and sections");
    let (tables, _) = sections.split_once("\nJobManager:\n").expect("tables and the JobManager");
    assert_eq!(tables, kubectl);
    (verdict.to_owned(), tables.to_owned())
}

/// True when each of `rows` is how a line begins, where one space stands for all between two cells.
fn shows(table: &str, rows: &[impl AsRef<str>]) -> bool {
    let lines: Vec<String> =
        table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    rows.iter().all(|row| lines.iter().any(|line| line.starts_with(row.as_ref())))
}

/// A Deployment that is a session, whose pods no scheduler places.
fn session(name: &str, replicas: u32) -> Value {
    let labels = json!({ "app": name, "type": "flink-native-kubernetes", "component": "jobmanager" });
    let container = json!({
        "name": "flink-main-container",
        "image": FLINK_2_3.0,
        "args": ["bash", "-c", "kubernetes-jobmanager.sh kubernetes-session"],
    });
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": { "name": name, "labels": labels },
        "spec": {
            "replicas": replicas,
            "selector": { "matchLabels": labels },
            "template": {
                "metadata": { "labels": labels },
                "spec": { "schedulerName": "nobody", "containers": [container] },
            },
        },
    })
}

fn list(objects: &[Value]) -> String {
    json!({ "apiVersion": "v1", "kind": "List", "items": objects }).to_string()
}

/// A pod of roc, and how kubectl is to show it.
struct Pod {
    row: String,
    manifest: Value,
}

/// The pod that `row` begins with the name of, with `spec` over what all pods have.
fn pod(row: &str, spec: &Value) -> Pod {
    let name = row.split(' ').next().expect("a name");
    let mut all =
        json!({ "terminationGracePeriodSeconds": 1, "containers": containers(&["a"], "sleep 600") });
    all.as_object_mut().expect("a spec").extend(spec.as_object().expect("a spec").clone());
    let manifest = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "name": name, "labels": { "app": "roc" } },
        "spec": all,
    });
    Pod { row: format!("pod/{row}"), manifest }
}

/// A pod that no scheduler places, so that its `status` is what is written.
fn written(row: &str, spec: &Value, status: Value) -> Pod {
    let mut pod = pod(row, spec);
    pod.manifest["spec"]["schedulerName"] = json!("nobody");
    pod.manifest["status"] = status;
    pod
}

/// Containers that run `script` as process 1, which SIGTERM does not end.
fn containers(names: &[&str], script: &str) -> Value {
    let command = ["bash", "-c", script];
    names.iter().map(|name| json!({ "name": name, "image": FLINK_2_3.0, "command": command })).collect()
}

/// Pods that a kubelet brings into their state within seconds.
fn real_pods() -> Vec<Pod> {
    let ends = |command: &str| containers(&["a"], command);
    let mut mounts = containers(&["a"], "sleep 600");
    mounts[0]["volumeMounts"] = json!([{ "name": "v", "mountPath": "/v" }]);
    let volumes = json!([{ "name": "v", "configMap": { "name": "not-there" } }]);
    vec![
        pod("completed 0/1 Completed 0", &json!({ "containers": ends("true"), "restartPolicy": "Never" })),
        pod("crashing 0/1 CrashLoopBackOff", &json!({ "containers": ends("false") })),
        pod("creating 0/1 ContainerCreating 0", &json!({ "containers": mounts, "volumes": volumes })),
        pod("pending 0/1 Pending 0", &json!({ "nodeSelector": { "e2e.example.com/node": "none" } })),
        pod("running 1/1 Running 0", &json!({})),
    ]
}

/// Pods whose state would take minutes or days, or a node without memory.
fn written_pods() -> Vec<Pod> {
    const HOUR: i64 = 60;
    const DAY: i64 = 24 * HOUR;
    // What a kubelet says of a container.
    let says = |name: &str, is_ready: bool, state: &Value, restarts: u32, before: &Value| {
        json!({
            "name": name,
            "image": FLINK_2_3.0,
            "imageID": "",
            "ready": is_ready,
            "state": state,
            "restartCount": restarts,
            "lastState": before,
        })
    };
    let ended = |reason: &str, minutes_ago: i64| {
        let at = Timestamp::now() - SignedDuration::from_mins(minutes_ago);
        json!({ "terminated": { "exitCode": 137, "reason": reason, "finishedAt": at.to_string() } })
    };
    let waiting = |reason: &str| json!({ "waiting": { "reason": reason } });
    let up = json!({ "running": { "startedAt": Timestamp::now().to_string() } });
    let never = json!({});
    let well = |name: &str| says(name, true, &up, 0, &never);

    let runs = |all: &[Value]| json!({ "phase": "Running", "podIP": "10.9.8.7", "containerStatuses": all });
    let initializes = |init: Value| {
        let waits = says("a", false, &waiting("PodInitializing"), 0, &never);
        json!({ "phase": "Pending", "initContainerStatuses": [init], "containerStatuses": [waits] })
    };
    let failed = |reason: &str| json!({ "phase": "Failed", "reason": reason });
    let nominated = json!({ "phase": "Pending", "nominatedNodeName": "node-of-another-zone.example.com" });
    let one_gate_open = json!({
        "phase": "Running",
        "podIP": "2001:db8:85a3:8d3:1319:8a2e:370:7348",
        "conditions": [{ "type": "e2e.example.com/b", "status": "True" }],
        "containerStatuses": [well("a")],
    });

    let one = json!({});
    let two = json!({ "containers": containers(&["a", "b"], "sleep 600") });
    let init = json!({ "initContainers": containers(&["i"], "sleep 600") });
    let gates = ["e2e.example.com/a", "e2e.example.com/b"].map(|gate| json!({ "conditionType": gate }));
    let gates = json!({ "readinessGates": gates });

    let exited = says("a", false, &ended("", 1), 0, &never);
    let oom_killed = says("a", false, &ended("OOMKilled", 1), 1, &ended("OOMKilled", 12));
    let init_crashing = says("i", false, &waiting("CrashLoopBackOff"), 7, &ended("Error", 5 * DAY + HOUR));
    // All restarts count, and the last one tells when.
    let restarted_twice = [
        says("a", true, &up, 4, &ended("Error", 6 * DAY)),
        says("b", true, &up, 5, &ended("Error", 3 * DAY)),
    ];
    let half_ready = [well("a"), says("b", false, &up, 3, &ended("Error", 2))];
    vec![
        written("evicted 0/1 Evicted 0", &one, failed("Evicted")),
        // A cell ends with its first line.
        written("evicted-twice 0/1 Evi... 0", &one, failed("Evi\ncted")),
        written("exited 0/1 ExitCode:137 0", &one, runs(&[exited])),
        written("init 0/1 Init:0/1 0", &init, initializes(says("i", false, &up, 0, &never))),
        written("init-crashing 0/1 Init:CrashLoopBackOff 7 (5d1h ago)", &init, initializes(init_crashing)),
        written("name-as-long-as-a-label-may-be-and-not-longer 1/1 Running 0", &gates, one_gate_open),
        written("nominated 0/1 Pending 0", &one, nominated),
        written("oom-killed 0/1 OOMKilled 1 (12m ago)", &one, runs(&[oom_killed])),
        // Nothing tells when.
        written("restarted 1/1 Running 1234567", &one, runs(&[says("a", true, &up, 1_234_567, &never)])),
        written("restarted-twice 2/2 Running 9 (3d ago)", &two, runs(&restarted_twice)),
        written("two 1/2 Running 3 (2m", &two, runs(&half_ready)),
        written("unready 0/1 Running 0", &one, runs(&[says("a", false, &up, 0, &never)])),
    ]
}

fn service(name: &str, spec: Value) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": { "name": name, "labels": { "app": "roc", "type": "flink-native-kubernetes" } },
        "spec": spec,
    })
}

/// Services of roc, as kubectl shows them.
const SERVICES: [&str; 5] = [
    "service/roc ClusterIP None <none> 8081/TCP,6124/TCP,53/UDP",
    "service/roc-external ExternalName <none> flink.of.another.team.example.com <none>",
    "service/roc-lb LoadBalancer",
    "service/roc-one-port ClusterIP",
    "service/roc-rest NodePort",
];

fn services() -> Vec<Value> {
    let ports = json!([
        { "name": "rest", "port": 8081 },
        { "name": "blob", "port": 6124 },
        { "name": "dns", "port": 53, "protocol": "UDP" },
    ]);
    let selector = json!({ "app": "roc", "component": "jobmanager", "type": "flink-native-kubernetes" });
    // A class that nobody serves: it waits for its address for ever.
    let class = "e2e.example.com/nobody";
    vec![
        service("roc", json!({ "clusterIP": "None", "ports": ports, "selector": selector })),
        service(
            "roc-external",
            json!({ "type": "ExternalName", "externalName": "flink.of.another.team.example.com" }),
        ),
        service("roc-lb", json!({ "type": "LoadBalancer", "loadBalancerClass": class, "ports": ports })),
        service("roc-one-port", json!({ "ports": [{ "port": 80 }], "selector": { "app": "roc" } })),
        service("roc-rest", json!({ "type": "NodePort", "ports": ports, "selector": selector })),
    ]
}

#[test]
fn tables_are_kubectls_whatever_the_pods_and_services_are_like() {
    let lab = Lab::new("tables");
    let real = real_pods();
    // Its process 1 does not listen to SIGTERM. A finalizer would not do: a pod whose containers have ended
    // is not Terminating. It leaves by itself in the end, also when this test fails.
    let until_told = containers(&["a"], "until [ -e /tmp/end ]; do sleep 0.1; done");
    let going = json!({ "containers": until_told, "terminationGracePeriodSeconds": 150 });
    let going = pod("going 1/1 Terminating 0", &going);
    let rows = |pods: &[Pod]| pods.iter().map(|pod| pod.row.clone()).collect::<Vec<_>>();
    let manifests = |pods: &[Pod]| pods.iter().map(|pod| pod.manifest.clone()).collect::<Vec<_>>();
    lab.apply(&list(&[vec![session("roc", 0), going.manifest], services(), manifests(&real)].concat()));
    let reached = [rows(&real), vec!["pod/going 1/1 Running 0".to_owned()]].concat();
    lab.until("the states of a kubelet", || shows(&lab.kubectl_ok(&["get", "pod,svc"]), &reached));
    lab.kubectl_ok(&["delete", "pod", "going", "--wait=false"]);
    // Only now, since some of it is of two minutes ago.
    let written = written_pods();
    let with_status = list(&manifests(&written));
    lab.apply(&with_status);
    lab.kubectl_with_input(&["replace", "--subresource=status", "-f", "-"], &with_status);

    let rows = [rows(&real), rows(&written), vec![going.row], SERVICES.map(str::to_owned).to_vec()].concat();
    for form in [&[][..], &["-o", "wide"]] {
        let (verdict, tables) = equal_kubectls(&lab, "roc", form, &rows);
        assert_eq!(verdict, "Session roc is Stopped: JobManager 0/0");
        assert_eq!(tables.contains("NOMINATED NODE"), form.contains(&"wide"), "{tables}");
        // Every character is one column wide.
        assert!(tables.is_ascii(), "{tables}");
    }
    // Kubernetes takes no other names.
    lab.kubectl(&["create", "service", "clusterip", "统计", "--tcp=80"])
        .failed(1, &["Invalid value: \"统计\""]);
    lab.kubectl_ok(&["exec", "going", "--", "touch", "/tmp/end"]);
}

#[test]
fn a_kind_of_which_there_is_none_has_no_table() {
    let lab = Lab::new("one-table");
    lab.apply(&session("roc", 1).to_string());
    let (verdict, tables) = equal_kubectls(&lab, "roc", &[], &["pod/roc-"]);
    assert_eq!(verdict, "Session roc is Pending: JobManager 0/1");
    assert!(!tables.contains("service/"), "{tables}");

    lab.apply(&list(&[vec![session("roc", 0)], services()].concat()));
    lab.until("the pod to go", || lab.kubectl_ok(&["get", "pod", "-o", "name"]).is_empty());
    let (verdict, tables) = equal_kubectls(&lab, "roc", &[], &SERVICES);
    assert_eq!(verdict, "Session roc is Stopped: JobManager 0/0");
    assert!(!tables.contains("pod/"), "{tables}");
}

#[test]
fn a_service_that_outlives_its_deployment_is_an_orphaned_session() {
    let lab = Lab::new("orphan");
    // Flink 1.10 makes the Service first, and it owns the rest.
    lab.apply(&service("roc", json!({ "ports": [{ "port": 8081 }] })).to_string());
    let mut deployment = session("roc", 1);
    let owner =
        json!({ "apiVersion": "v1", "kind": "Service", "name": "roc", "uid": lab.uid("service/roc") });
    deployment["metadata"]["ownerReferences"] = json!([owner]);
    lab.apply(&deployment.to_string());
    lab.until("the session", || shows(&lab.flink_ok(&["ls"]), &["roc 0/1 Pending"]));

    lab.kubectl_ok(&["delete", "deployment", "roc"]);
    lab.until("the pod to go", || lab.kubectl_ok(&["get", "pod", "-o", "name"]).is_empty());
    assert_eq!(lab.left_of("roc"), "service/roc\n");
    let listed = lab.flink_ok(&["ls"]);
    assert!(shows(&listed, &["roc 0/0 Orphaned"]), "{listed}");
}

#[test]
fn who_may_list_pods_alone_sees_the_session_and_is_told_what_is_missing() {
    let lab = Lab::new("pods-alone");
    lab.apply(&session("roc", 1).to_string());
    lab.until("the pod", || shows(&lab.flink_ok(&["ls"]), &["roc 0/1 Pending"]));
    let user = lab.user("looker", &[("list", "pods")]);
    let listed = lab.flink_as(&user, &["ls"]);
    assert_eq!(listed.code, 0, "{}", listed.stderr);
    assert!(shows(&listed.stdout, &["roc 0/1 Pending"]), "{}", listed.stdout);
    assert!(listed.stderr.contains("deployments.apps is forbidden"), "{}", listed.stderr);
}
