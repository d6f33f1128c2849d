//! Savepoint directories inside the pods, against a cluster whose pods mount what a test says.

use serde_json::{Value, json};

use crate::line::healthy;
use crate::process::Ended;
use crate::server::{Answer, Server, failure};

const JOB: &str = "aa11dc59d12b7474c390b0a756115346";
const SAVEPOINT: &str = "file:/data/sp/savepoint-1";

/// What Flink's containers mount, and what else differs.
#[derive(Clone, Default)]
struct Pods {
    jobmanager: Value,
    /// None while no TaskManager runs.
    taskmanager: Option<Value>,
    /// The Pod in ConfigMap pod-template-roc.
    template: Option<Value>,
    /// The session's own directory for savepoints.
    configured: Option<&'static str>,
    /// The user is not allowed to list TaskManagers.
    hides_taskmanagers: bool,
}

/// The spec of a pod in which Flink's container mounts `volume` at `path`.
fn mounting(volume: &Value, path: &str) -> Value {
    let mut named = volume.clone();
    named["name"] = "v".into();
    json!({"volumes": [{"name": "flink-config-volume", "configMap": {"name": "flink-config-roc"}}, named],
        "containers": [{"name": "flink-main-container", "args": ["kubernetes-session"], "volumeMounts": [
            {"name": "flink-config-volume", "mountPath": "/opt/flink/conf"}, {"name": "v", "mountPath": path}]}]})
}

impl Pods {
    fn with(volume: &Value) -> Self {
        let spec = mounting(volume, "/data");
        Self { jobmanager: spec.clone(), taskmanager: Some(spec), ..Self::default() }
    }

    fn server(self) -> Server {
        Server::answering_queries(move |line, query| self.answer(line, query))
    }

    fn flink(self, words: &[&str]) -> Ended {
        self.server().flink(words)
    }

    /// `savepoint` into /data/sp.
    fn savepoint(self) -> Ended {
        self.flink(&["savepoint", "roc", JOB, "--savepoint-dir", "file:///data/sp"])
    }

    fn answer(&self, line: &str, query: &str) -> Option<Answer> {
        let ok = |body: Value| Some((200, body));
        let pod = |name: &str, spec: &Value| {
            ok(json!({"metadata": {}, "items": [{"metadata": {"name": name}, "spec": spec}]}))
        };
        match line {
            "GET /api/v1/namespaces/team-a/pods" if query.contains("metadata.name%3Droc-1-2") => {
                pod("roc-1-2", &self.jobmanager)
            }
            "GET /api/v1/namespaces/team-a/pods" if query.contains("component%3Dtaskmanager") => {
                match &self.taskmanager {
                    _ if self.hides_taskmanagers => {
                        Some(failure(403, "Forbidden", "pods is forbidden: User \"me\" cannot list"))
                    }
                    Some(spec) => pod("roc-taskmanager-1-1", spec),
                    None => ok(json!({"metadata": {}, "items": []})),
                }
            }
            "GET /api/v1/namespaces/team-a/configmaps/flink-config-roc" => {
                ok(json!({"metadata": {"name": "flink-config-roc"},
                    "data": {"config.yaml": "kubernetes.pod-template-file.taskmanager: /x\n"}}))
            }
            "GET /api/v1/namespaces/team-a/configmaps/pod-template-roc" => {
                let template = self.template.as_ref()?;
                ok(json!({"metadata": {"name": "pod-template-roc"},
                    "data": {"taskmanager-pod-template.yaml": template.to_string()}}))
            }
            "REST GET /jobs/overview" => {
                ok(json!({"jobs": [{"jid": JOB, "name": "orders", "state": "RUNNING",
                "start-time": 1_767_225_600_000_i64, "end-time": -1, "duration": 1,
                "tasks": {"total": 1, "running": 1}}]}))
            }
            "REST GET /jobs" => ok(json!({"jobs": [{"id": JOB, "status": "RUNNING"}]})),
            "REST GET /overview" => {
                let (code, mut overview) = healthy(line)?;
                overview["jobs-running"] = 1.into();
                Some((code, overview))
            }
            "REST GET /jobmanager/config" => {
                let key = "execution.checkpointing.savepoint-dir";
                let set = self.configured.map(|directory| json!({"key": key, "value": directory}));
                ok(set.into_iter().collect())
            }
            line if line.starts_with("REST POST ") => ok(json!({"request-id": JOB})),
            line if line.starts_with("REST GET ") && line.contains("/savepoints/") => {
                ok(json!({"status": {"id": "COMPLETED"}, "operation": {"location": SAVEPOINT}}))
            }
            _ => healthy(line),
        }
    }
}

#[test]
fn a_volume_that_the_pods_share_needs_no_flag() {
    for volume in [
        json!({"persistentVolumeClaim": {"claimName": "c"}}),
        json!({"nfs": {"server": "s", "path": "/"}}),
        json!({"csi": {"driver": "nfs.csi.k8s.io"}}),
    ] {
        let ended = Pods::with(&volume).savepoint();
        assert_eq!((ended.code, ended.stdout.trim_end()), (0, SAVEPOINT), "{volume}: {ended}");
        assert!(!ended.stderr.contains("arning"), "{volume}: {ended}");
    }
}

#[test]
fn a_host_path_is_accepted_with_a_warning() {
    let pods = Pods::with(&json!({"hostPath": {"path": "/srv", "type": "Directory"}}));
    let warning = "Warning: the directory file:///data/sp is on hostPath /srv/sp: pods share a hostPath on one node only\n";
    let ended = pods.clone().savepoint();
    assert_eq!(ended.code, 0, "{ended}");
    assert!(ended.stderr.contains(warning), "{ended}");
    // The session's own directory is checked too, and a flag takes responsibility.
    let configured = Pods { configured: Some("file:///data/sp"), ..pods.clone() };
    let ended = configured.flink(&["savepoint", "roc", JOB]);
    assert!(ended.code == 0 && ended.stderr.contains(warning), "{ended}");
    let allowed = ["savepoint", "roc", JOB, "--savepoint-dir", "file:///data/sp", "--allow-local-dir"];
    let ended = pods.flink(&allowed);
    assert!(ended.code == 0 && !ended.stderr.contains("Warning"), "{ended}");
}

#[test]
fn what_goes_with_the_pods_is_refused_with_the_volume_and_nothing_is_triggered() {
    let empty = Pods::with(&json!({"emptyDir": {}}));
    let claim = json!({"persistentVolumeClaim": {"claimName": "c"}});
    let mut read_only = mounting(&claim, "/data");
    read_only["containers"][0]["volumeMounts"][1]["readOnly"] = true.into();
    let other = mounting(&json!({"persistentVolumeClaim": {"claimName": "d"}}), "/data");
    let cases = [
        empty.clone(),
        Pods { taskmanager: Some(mounting(&claim, "/else")), ..Pods::with(&claim) },
        Pods { jobmanager: mounting(&claim, "/else"), ..Pods::with(&claim) },
        Pods { taskmanager: Some(read_only), ..Pods::with(&claim) },
        Pods { taskmanager: Some(other), ..Pods::with(&claim) },
        Pods::with(&json!({"configMap": {"name": "c"}})),
        Pods { hides_taskmanagers: true, ..Pods::with(&claim) },
        Pods { taskmanager: None, ..Pods::with(&claim) },
    ];
    let mut told = Vec::new();
    for pods in cases {
        let server = pods.server();
        let ended = server.flink(&["savepoint", "roc", JOB, "--savepoint-dir", "file:///data/sp"]);
        assert_eq!((ended.code, ended.stdout.as_str()), (4, ""), "{ended}");
        assert!(!server.asked().iter().any(|line| line.contains("POST /jobs")), "{:?}", server.asked());
        told.push(ended.stderr);
    }
    for words in [
        &["stop", "roc", JOB, "--savepoint-dir", "file:///data/sp"][..],
        &["delete", "roc", "--yes", "--savepoint=file:///data/sp"],
        &["restart", "roc", "--savepoint=file:///data/sp"],
    ] {
        let ended = empty.clone().flink(words);
        assert_eq!((ended.code, ended.stdout.as_str()), (4, ""), "{ended}");
        told.push(ended.stderr);
    }
    insta::assert_snapshot!(told.join("\n"));
}

/// Jobs whose tasks have not come yet: Flink keeps the template that its TaskManagers will be made from.
#[test]
fn without_taskmanagers_their_template_counts() {
    let claim = json!({"persistentVolumeClaim": {"claimName": "c"}});
    let with = |template: &Value| Pods {
        taskmanager: None,
        template: Some(json!({"spec": mounting(template, "/data")})),
        ..Pods::with(&claim)
    };
    assert_eq!(with(&claim).savepoint().code, 0);
    let ended = with(&json!({"emptyDir": {}})).savepoint();
    assert!(ended.code == 4 && ended.stderr.contains("is an emptyDir, in TaskManager pods"), "{ended}");
}

#[test]
fn at_an_address_nothing_is_known_of_the_pods() {
    let server = Server::answering(|line| {
        let pods = Pods { configured: Some("/data/sp"), ..Pods::default() };
        pods.answer(&format!("REST {line}"), "")
    });
    let address = format!("http://{}", server.address);
    let ended = server.flink(&["savepoint", "roc", JOB, "--address", &address]);
    assert_eq!(ended.code, 4, "{ended}");
    let why = "because: at an address, the volumes of the pods are unknown\n";
    let what = "cannot determine whether the directory /data/sp outlives the session's pods\n";
    assert!(ended.stderr.contains(what) && ended.stderr.contains(why), "{ended}");
    assert!(!ended.stderr.contains("Warning") && ended.stderr.contains("--allow-local-dir"), "{ended}");
}
