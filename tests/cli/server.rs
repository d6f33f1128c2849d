//! The test as the API server: what is asked and written, and how its errors are told.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::create::willing;
use crate::pod;
use crate::process::{Ended, flink_at, write_kubeconfig};

/// One request as it came: `METHOD PATH`, without the query, and the body.
#[derive(Clone, Debug)]
pub struct Asked {
    pub line: String,
    pub query: String,
    pub body: Value,
    /// What the file of an upload is called.
    pub file: Option<String>,
    /// Tried, and not to be kept.
    pub dry: bool,
}

pub type Answer = (u16, Value);

/// An API server with the answers of one test. What it does not know is not found.
pub struct Server {
    pub home: tempfile::TempDir,
    pub address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    pub fn answering(answer: impl Fn(&str) -> Option<Answer> + Send + Sync + 'static) -> Self {
        Self::answering_queries(move |line, _| answer(line))
    }

    /// The same, where the query shows what is asked for; with an upload comes the name of its file instead.
    pub fn answering_queries(answer: impl Fn(&str, &str) -> Option<Answer> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("port");
        let address = listener.local_addr().expect("address");
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let (log, answer) = (Arc::clone(&asked), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (log, answer) = (Arc::clone(&log), Arc::clone(&answer));
                std::thread::spawn(move || serve(stream, &log, &*answer));
            }
        });
        let home = tempfile::tempdir().expect("scratch directory");
        let server = Self { home, address, asked };
        server.write_kubeconfig(&format!("http://{address}"));
        server
    }

    pub fn write_kubeconfig(&self, url: &str) {
        write_kubeconfig(self.home.path(), url);
    }

    pub fn flink(&self, words: &[&str]) -> Ended {
        flink_at(self.home.path(), words)
    }

    /// Runs a command that was printed, in a shell.
    #[cfg(unix)]
    pub fn flink_as_printed(&self, printed: &str) -> Ended {
        crate::process::flink_as_printed(self.home.path(), printed)
    }

    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("log").iter().map(|asked| asked.line.clone()).collect()
    }

    /// What uploaded files are called.
    pub fn uploaded(&self) -> Vec<String> {
        self.asked.lock().expect("log").iter().filter_map(|asked| asked.file.clone()).collect()
    }

    /// The query of each request for `line`, with `%` and two digits where it was escaped.
    pub fn queries(&self, line: &str) -> Vec<String> {
        let asked = self.asked.lock().expect("log");
        asked.iter().filter(|asked| asked.line == line).map(|asked| asked.query.clone()).collect()
    }

    /// What was only tried.
    pub fn trials(&self) -> Vec<Asked> {
        self.asked.lock().expect("log").iter().filter(|asked| asked.dry).cloned().collect()
    }

    /// Every request as it came, for what answers later ones.
    #[cfg(unix)]
    pub fn log(&self) -> Arc<Mutex<Vec<Asked>>> {
        Arc::clone(&self.asked)
    }

    pub fn writes(&self) -> Vec<Asked> {
        let is_write = |asked: &&Asked| {
            !asked.line.starts_with("GET ") && !asked.line.contains("accessreviews") && !asked.dry
        };
        self.asked.lock().expect("log").iter().filter(is_write).cloned().collect()
    }
}

fn serve(stream: TcpStream, log: &Mutex<Vec<Asked>>, answer: &dyn Fn(&str, &str) -> Option<Answer>) {
    let mut reader = BufReader::new(stream.try_clone().expect("stream"));
    let mut writer = stream;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        let (mut length, mut key) = (0, None);
        loop {
            let mut header = String::new();
            // The connection may be lost here too.
            if reader.read_line(&mut header).unwrap_or(0) == 0 {
                return;
            }
            if header.trim().is_empty() {
                break;
            }
            if let Some(value) = header.to_ascii_lowercase().strip_prefix("sec-websocket-key:") {
                key = Some(header[header.len() - value.len()..].trim().to_owned());
            }
            if let Some(value) = header.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().expect("length");
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).expect("body");
        let words: Vec<&str> = line.split_whitespace().collect();
        let (path, query) = words[1].split_once('?').unwrap_or((words[1], ""));
        let line = format!("{} {path}", words[0]);
        let text = String::from_utf8_lossy(&body);
        let file =
            text.split_once("filename=\"").and_then(|(_, rest)| Some(rest.split_once('"')?.0.to_owned()));
        let name = file.clone();
        let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
        log.lock().expect("log").push(Asked {
            line: line.clone(),
            query: query.to_owned(),
            // Of a deletion, its body says so.
            dry: query.contains("dryRun=All") || body["dryRun"] == json!(["All"]),
            body,
            file,
        });
        if let (Some(key), true) = (key, path.ends_with("/portforward"))
            && answer(&line, query).is_none()
        {
            return pod::serve(writer, &key, &|line| answer(&format!("REST {line}"), ""));
        }
        let (status, answer) =
            answer(&line, name.as_deref().unwrap_or(query)).unwrap_or_else(|| not_found(words[0], path));
        let text = answer.to_string();
        let head = format!(
            "HTTP/1.1 {status} x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            text.len()
        );
        if writer.write_all((head + &text).as_bytes()).is_err() {
            return;
        }
    }
}

pub fn failure(code: u16, reason: &str, message: &str) -> Answer {
    let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure",
        "reason": reason, "message": message, "code": code});
    (code, status)
}

/// The namespace is there, lists are empty, named objects are absent.
fn not_found(method: &str, path: &str) -> Answer {
    if path == "/api/v1/namespaces/team-a" {
        return (200, json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team-a"}}));
    }
    let last = path.rsplit('/').next().unwrap_or_default();
    const LISTS: [&str; 11] = [
        "networkpolicies",
        "deployments",
        "replicasets",
        "services",
        "configmaps",
        "pods",
        "jobs",
        "events",
        "resourcequotas",
        "limitranges",
        "nodes",
    ];
    if method == "GET" && LISTS.contains(&last) {
        return (200, json!({"apiVersion": "v1", "kind": "List", "metadata": {}, "items": []}));
    }
    failure(404, "NotFound", &format!("{last:?} not found"))
}

const DEPLOYMENT: &str = "GET /apis/apps/v1/namespaces/team-a/deployments/roc";

fn deployment(labels: &Value, owner: Option<&str>) -> Answer {
    let owners: Vec<Value> = owner
        .map(|kind| json!({"apiVersion": "x/v1", "kind": kind, "name": "roc", "uid": "o1"}))
        .into_iter()
        .collect();
    let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "roc", "namespace": "team-a", "uid": "d1", "labels": labels, "ownerReferences": owners},
        "spec": {"selector": {}, "template": {"spec": {"containers": [
            {"name": "c", "image": "flink:2.3.0", "args": ["bash", "-c", "kubernetes-jobmanager.sh kubernetes-session "]}]}}}});
    (200, deployment)
}

#[test]
fn a_bad_name_is_refused_without_a_request() {
    let server = Server::answering(|_| None);
    for name in ["Roc", &"x".repeat(46), "a.b"] {
        let ended = server.flink(&["create", name]);
        assert_eq!((ended.code, ended.stdout.as_str()), (1, ""), "{name}");
    }
    assert_eq!(server.asked(), Vec::<String>::new());
}

#[test]
fn a_name_in_use_is_refused_without_a_write() {
    let native = json!({"app": "roc", "type": "flink-native-kubernetes", "component": "jobmanager"});
    for labels in [native, json!({"app": "shop"})] {
        let server = Server::answering(move |line| match line {
            DEPLOYMENT => Some(deployment(&labels, None)),
            line => willing(line),
        });
        assert_ne!(server.flink(&["create", "roc"]).code, 0);
        assert!(server.asked().contains(&DEPLOYMENT.to_owned()));
        assert!(server.writes().is_empty(), "{:?}", server.writes());
    }
}

#[test]
fn a_session_of_the_flink_operator_is_left_to_it() {
    let native = json!({"app": "roc", "type": "flink-native-kubernetes"});
    let server = Server::answering(move |line| {
        (line == DEPLOYMENT).then(|| deployment(&native, Some("FlinkDeployment")))
    });
    insta::assert_snapshot!(server.flink(&["delete", "roc", "--yes"]), @"
    exit 4
    --- stdout
    --- stderr
    error: session roc in namespace team-a belongs to the Flink operator
    hint: kubectl delete -n team-a flinkdeployment roc
    ");
    assert!(server.writes().is_empty(), "{:?}", server.writes());
}

fn left_over_service(uid: &str) -> Answer {
    let labels = json!({"app": "roc", "type": "flink-native-kubernetes"});
    (200, json!({"items": [{"metadata": {"name": "roc-rest", "uid": uid, "labels": labels}}]}))
}

#[test]
fn what_was_made_anew_meanwhile_is_left_alone() {
    let lists = std::sync::atomic::AtomicUsize::new(0);
    let server = Server::answering(move |line| match line {
        "GET /api/v1/namespaces/team-a/services" => {
            let first = lists.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0;
            Some(left_over_service(if first { "s1" } else { "s2" }))
        }
        _ => None,
    });
    insta::assert_snapshot!(server.flink(&["delete", "roc", "--yes"]));
    let writes = server.writes();
    assert!(writes.iter().all(|write| write.body["preconditions"] == json!({"uid": "s1"})), "{writes:?}");
}

#[test]
fn only_the_object_that_was_looked_at_is_deleted() {
    let server = Server::answering(|line| match line {
        "GET /api/v1/namespaces/team-a/services" => Some(left_over_service("s1")),
        // The list was old already: by now the Service is another one.
        "DELETE /api/v1/namespaces/team-a/services/roc-rest" => Some(failure(
            409,
            "Conflict",
            "the UID in the precondition (s1) does not match the UID in record (s2)",
        )),
        _ => None,
    });
    let ended = server.flink(&["delete", "roc", "--yes", "--timeout", "1s", "-q"]);
    insta::assert_snapshot!(ended);
    let deletes = server.writes();
    assert_eq!(deletes.len(), 1, "asked once: {deletes:?}");
    assert_eq!(deletes[0].body["preconditions"], json!({"uid": "s1"}));
}

#[test]
fn rights_that_are_missing_are_named_before_the_first_write() {
    let server = Server::answering(|line| {
        line.contains("selfsubjectaccessreviews").then(|| {
            (
                201,
                json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
                "metadata": {}, "spec": {}, "status": {"allowed": false}}),
            )
        })
    });
    let ended = server.flink(&["create", "roc"]);
    insta::assert_snapshot!(ended);
    assert!(server.writes().is_empty(), "{:?}", server.writes());
}

#[test]
fn errors_of_the_server_are_told_in_kubectls_words() {
    let told = |code: u16, reason: &'static str, message: &'static str| {
        let server = Server::answering(move |_| Some(failure(code, reason, message)));
        let ended = server.flink(&["ls"]);
        // Neither a read nor a write is sent again behind the user's back.
        let asked = server.asked();
        assert!(
            asked.iter().all(|line| asked.iter().filter(|other| *other == line).count() == 1),
            "{asked:?}"
        );
        ended.to_string()
    };
    insta::assert_snapshot!(
        [
            told(
                403,
                "Forbidden",
                "deployments.apps is forbidden: User \"me\" cannot list resource \"deployments\""
            ),
            told(401, "Unauthorized", "Unauthorized"),
            told(503, "ServiceUnavailable", "etcd is down"),
        ]
        .join("\n")
    );
}

#[test]
fn a_server_that_is_not_there() {
    let server = Server::answering(|_| None);
    let free = TcpListener::bind("127.0.0.1:0").expect("port").local_addr().expect("address");
    server.write_kubeconfig(&format!("http://{free}"));
    let told = server.flink(&["ls"]).to_string().replace(&free.to_string(), "HOST:PORT");
    insta::assert_snapshot!(told);
    // A wait forgives a server that goes away, not one that was never there.
    assert_eq!(server.flink(&["status", "roc", "--wait"]).code, 1);
    server.write_kubeconfig("http://no-such-host.invalid");
    let told = server.flink(&["ls"]);
    assert_eq!(told.code, 1);
    assert!(told.stderr.starts_with("Unable to connect to the server: "), "{told}");
}

#[test]
fn a_server_that_never_answers() {
    let server = Server::answering(|_| {
        std::thread::park_timeout(Duration::from_secs(30));
        None
    });
    let start = Instant::now();
    let ended = server.flink(&["ls", "--request-timeout", "1s"]);
    assert!(start.elapsed() < Duration::from_secs(10));
    insta::assert_snapshot!(ended);
}

#[test]
fn two_at_once_are_kept_apart_by_the_server() {
    let server = Server::answering(|line| match line {
        "GET /api/v1/namespaces/team-a/serviceaccounts/flink" => {
            Some((200, json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "flink"}})))
        }
        "POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews" => Some((
            201,
            json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
                "metadata": {}, "spec": {}, "status": {"allowed": true}}),
        )),
        "POST /apis/batch/v1/namespaces/team-a/jobs" => {
            Some(failure(409, "AlreadyExists", "jobs.batch \"boot-roc\" already exists"))
        }
        _ => None,
    });
    let ended = server.flink(&["create", "roc", "--rbac=none"]);
    insta::assert_snapshot!(ended);
    let writes: Vec<String> = server.writes().into_iter().map(|write| write.line).collect();
    assert_eq!(writes, ["POST /apis/batch/v1/namespaces/team-a/jobs"]);
}

#[test]
fn sessions_are_listed_whoever_made_them() {
    let session = |namespace: &str, name: &str, image: &str, mut labels: Value, owner: Option<&str>| {
        let selector = json!({"app": name, "type": "flink-native-kubernetes", "component": "jobmanager"});
        for (key, value) in selector.as_object().expect("labels") {
            labels[key] = value.clone();
        }
        let mut metadata = json!({"name": name, "namespace": namespace, "uid": format!("{namespace}-{name}"),
            "labels": labels, "creationTimestamp": "2020-01-01T00:00:00Z"});
        if let Some(kind) = owner {
            metadata["ownerReferences"] =
                json!([{"apiVersion": "x/v1", "kind": kind, "name": name, "uid": "o"}]);
        }
        let args = if name == "app" { "kubernetes-application" } else { "kubernetes-session" };
        json!({"metadata": metadata, "status": {"readyReplicas": 1},
            "spec": {"replicas": 1, "selector": {"matchLabels": selector},
                "template": {"spec": {"containers": [{"image": image, "args": [args]}]}}}})
    };
    let ours = json!({"app.kubernetes.io/managed-by": "kubectl-flink", "app.kubernetes.io/version": "2.3.0"});
    let deployments = json!({"items": [
        session("team-b", "operated", "flink:1.20.5", json!({}), Some("FlinkDeployment")),
        session("team-a", "roc", "private:latest", ours, None),
        session("team-a", "app", "flink:2.3.0", json!({}), None),
        session("team-a", "by-hand", "flink", json!({}), None),
    ]});
    let failed = json!({"items": [{
        "metadata": {"name": "boot-lost", "namespace": "team-b", "labels": {"app": "lost"}, "creationTimestamp": "2020-01-01T00:00:00Z"},
        "spec": {"template": {"spec": {"containers": [{"image": "flink:2.3.0"}]}}},
        "status": {"conditions": [{"type": "Failed", "status": "True"}]}}]});
    let service = |namespace: &str, name: &str, app: &str| {
        json!({"metadata": {"name": name, "namespace": namespace, "labels": {"app": app}},
            "spec": {"type": "ClusterIP"}})
    };
    let all = [
        ("team-a", "roc", "roc"),
        ("team-a", "roc-rest", "roc"),
        ("team-a", "by-hand-rest", "by-hand"),
        ("team-b", "operated", "operated"),
        ("team-b", "operated-rest", "operated"),
        ("team-c", "left", "left"),
    ];
    // As objects for who looks closely, and as a table.
    let services = json!({
        "items": all.map(|(namespace, name, app)| service(namespace, name, app)),
        "columnDefinitions": [{"name": "Name"}, {"name": "Type"}],
        "rows": all.map(|(_, name, _)| json!({"cells": [name, "ClusterIP"]})),
    });
    let server = Server::answering(move |line| match line {
        "GET /apis/apps/v1/deployments" => Some((200, deployments.clone())),
        "GET /apis/batch/v1/jobs" => Some((200, failed.clone())),
        "GET /api/v1/services" => Some((200, services.clone())),
        "GET /api/v1/pods" => Some(table_of_pods(&[
            ["roc-6d6c65cf99-c42zb", "1/1", "Running"],
            ["roc-taskmanager-1-1", "1/1", "Running"],
            ["roc-taskmanager-1-2", "0/1", "OOMKilled"],
            ["by-hand-6d6c65cf99-abcde", "0/1", "CrashLoopBackOff"],
            ["operated-6d6c65cf99-abcde", "1/1", "Running"],
        ])),
        _ => None,
    });
    let ended = server.flink(&["ls", "-A", "-o", "wide"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
    insta::assert_snapshot!(without_ages(&ended.stdout));
    // One list of each kind; one of the Services that are left of a session, one of the pod of a
    // bootstrap that made none. REST is asked where a JobManager is ready; here it does not answer, and then the
    // session's Service, or its configuration, is read for another port.
    let asked = server.asked();
    let (rest, others): (Vec<&String>, Vec<&String>) =
        asked.iter().partition(|line| line.contains("/portforward"));
    let is_of_port = |line: &&String| {
        ["/services/roc", "/services/operated", "/configmaps/"].iter().any(|part| line.contains(part))
    };
    let lists = others.iter().filter(|line| !is_of_port(line)).count();
    assert_eq!((rest.len(), lists), (2, 6), "{asked:?}");
}

pub fn table_of_pods(rows: &[[&str; 3]]) -> Answer {
    let columns = json!([{"name": "Name"}, {"name": "Ready"}, {"name": "Status"}, {"name": "Restarts"}]);
    let rows: Vec<Value> =
        rows.iter().map(|[name, ready, status]| json!({"cells": [name, ready, status, "0"]})).collect();
    (200, json!({"kind": "Table", "columnDefinitions": columns, "rows": rows}))
}

/// The sessions are years old; how many is not the test's business.
fn without_ages(table: &str) -> String {
    let is_age = |word: &str| word.starts_with(|c: char| c.is_ascii_digit()) && word.contains('y');
    let line = |line: &str| {
        line.split_whitespace()
            .map(|word| if is_age(word) { "AGED" } else { word })
            .collect::<Vec<_>>()
            .join(" ")
    };
    table.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn what_was_asked_for_and_cannot_be_granted_is_an_error() {
    let answering = || {
        Server::answering(|line| match line {
            "GET /api/v1/namespaces/team-a/serviceaccounts/flink" => Some((
                200,
                json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "flink"}}),
            )),
            "GET /api/v1/namespaces/team-a/serviceaccounts/flink-taskmanager" => Some((
                200,
                json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "flink-taskmanager"}}),
            )),
            "POST /apis/batch/v1/namespaces/team-a/jobs" => Some(failure(403, "Forbidden", "no jobs")),
            "POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews" => Some((
                201,
                json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
                    "metadata": {}, "spec": {}, "status": {"allowed": true}}),
            )),
            line if line.contains("rbac.authorization.k8s.io") => Some(failure(403, "Forbidden", "no roles")),
            _ => None,
        })
    };
    let server = answering();
    insta::assert_snapshot!("grant_default", server.flink(&["create", "roc"]));
    let server = answering();
    insta::assert_snapshot!("grant_edit", server.flink(&["create", "roc", "--rbac=edit"]));
    assert!(server.writes().is_empty(), "{:?}", server.writes());
}

#[test]
fn a_part_of_status_that_may_not_be_read_leaves_the_rest() {
    let native = json!({"app": "roc", "type": "flink-native-kubernetes", "component": "jobmanager"});
    let server = Server::answering(move |line| match line {
        DEPLOYMENT => Some(deployment(&native, None)),
        "GET /apis/apps/v1/namespaces/team-a/deployments" => {
            let (_, item) = deployment(&native, None);
            Some((200, json!({"items": [item]})))
        }
        "GET /api/v1/namespaces/team-a/services" => Some(failure(403, "Forbidden", "services is forbidden")),
        "GET /api/v1/namespaces/team-a/pods" => {
            let (code, mut table) = table_of_pods(&[["roc-1-2", "0/1", "ContainerCreating"]]);
            table["items"] = json!([]);
            Some((code, table))
        }
        _ => None,
    });
    insta::assert_snapshot!(server.flink(&["status", "roc"]));
}
