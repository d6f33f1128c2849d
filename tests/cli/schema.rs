//! docs/schema holds what `-o json` and `-o yaml` print, and what is printed holds to it.

use serde_json::{Value, json};

use crate::server::{Answer, Server, table_of_pods};

fn schema() -> jsonschema::Validator {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/schema/v1alpha1.json");
    let text = std::fs::read_to_string(path).expect("schema");
    let schema: Value = serde_json::from_str(&text).expect("JSON");
    jsonschema::draft202012::new(&schema).expect("a schema of draft 2020-12")
}

pub fn holds(printed: &str, kind: &str) -> Value {
    let value: Value = serde_json::from_str(printed).expect(printed);
    let wrong: Vec<String> =
        schema().iter_errors(&value).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(wrong.is_empty(), "{}\n{printed}", wrong.join("\n"));
    assert_eq!((&value["kind"], &value["apiVersion"]), (&json!(kind), &json!("kubectl-flink/v1alpha1")));
    value
}

const NATIVE: &str = r#"{"app":"roc","type":"flink-native-kubernetes","component":"jobmanager"}"#;

/// A session whose JobManager crashes, with an event.
fn crashing(line: &str) -> Option<Answer> {
    let labels: Value = serde_json::from_str(NATIVE).expect("labels");
    let deployment = json!({"metadata": {"name": "roc", "namespace": "team-a", "uid": "d1", "labels": labels,
            "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"template": {"spec": {"containers": [{"image": "flink:2.3.0", "args": ["kubernetes-session"]}]}}}});
    let container = json!({"ready": false, "restartCount": 2, "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "x"}},
        "lastState": {"terminated": {"exitCode": 1, "reason": "Error", "finishedAt": "2026-01-01T00:00:00Z"}}});
    let owner = json!([{"kind": "ReplicaSet", "name": "roc-1", "uid": "r1"}]);
    let pod = json!({"metadata": {"name": "roc-1-a", "uid": "p1", "labels": labels, "ownerReferences": owner},
        "spec": {"containers": []},
        "status": {"phase": "Running", "containerStatuses": [container]}});
    let event = json!({"type": "Warning", "reason": "BackOff", "message": "back-off", "count": 2,
        "lastTimestamp": "2026-01-01T00:00:00Z", "involvedObject": {"kind": "Pod", "name": "roc-1-a"}});
    let config = json!({"metadata": {"name": "flink-config-roc", "ownerReferences": [{"kind": "Deployment", "name": "roc"}]},
        "data": {"config.yaml": "taskmanager.numberOfTaskSlots: 2\nhigh-availability.type: kubernetes\n"}});
    match line {
        "GET /apis/apps/v1/namespaces/team-a/deployments/roc" => Some((200, deployment)),
        "GET /apis/apps/v1/namespaces/team-a/deployments" => Some((200, json!({"items": [deployment]}))),
        "GET /api/v1/namespaces/team-a/pods" => {
            let (code, mut table) = table_of_pods(&[["roc-1-a", "0/1", "CrashLoopBackOff"]]);
            table["items"] = json!([pod]);
            Some((code, table))
        }
        "GET /api/v1/namespaces/team-a/events" => Some((200, json!({"items": [event]}))),
        "GET /api/v1/namespaces/team-a/configmaps" => Some((200, json!({"items": [config]}))),
        _ => None,
    }
}

#[test]
fn an_empty_list_is_an_empty_list() {
    let server = Server::answering(|_| None);
    for command in ["ls", "status"] {
        let ended = server.flink(&[command, "-o", "json"]);
        assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{command}");
        let kind = if command == "ls" { "SessionList" } else { "SessionStatusList" };
        assert_eq!(holds(&ended.stdout, kind)["items"], json!([]));
    }
    assert_eq!(
        server.flink(&["ls", "-o", "yaml"]).stdout,
        "apiVersion: kubectl-flink/v1alpha1\nitems: []\nkind: SessionList\n"
    );
    assert_eq!(server.flink(&["ls", "-o", "name"]).stdout, "");
    assert_eq!(server.flink(&["ls", "-o", "custom-columns=NAME:.metadata.name"]).stdout, "NAME\n");
    assert_eq!(server.flink(&["ls", "-o", "jsonpath={.items[*].metadata.name}"]).stdout, "");
}

#[test]
fn one_session_stands_alone_and_several_in_a_list() {
    let server = Server::answering(crashing);
    holds(&server.flink(&["ls", "-o", "json"]).stdout, "SessionList");
    let session = holds(&server.flink(&["ls", "roc", "-o", "json"]).stdout, "Session");
    assert_eq!(session["status"]["phase"], "CrashLoopBackOff");
    holds(&server.flink(&["status", "-o", "json"]).stdout, "SessionStatusList");
    let status = holds(&server.flink(&["status", "roc", "-o", "json"]).stdout, "SessionStatus");
    assert_eq!(status["findings"][0]["id"], "jobmanager-crash");
    assert_eq!(status["highAvailability"]["service"], "kubernetes");
    assert_eq!(status["configuration"][1]["key"], "taskmanager.numberOfTaskSlots");
    assert_eq!(status["events"][0]["count"], 2);
    // The same in YAML.
    let yaml = server.flink(&["status", "roc", "-o", "yaml"]).stdout;
    assert!(yaml.contains("\nkind: SessionStatus\n") && yaml.contains("  reason: BackOff\n"), "{yaml}");
    assert_eq!(
        server.flink(&["status", "roc", "-o", "jsonpath={.findings[0].id}"]).stdout,
        "jobmanager-crash"
    );
    assert_eq!(server.flink(&["status", "roc", "-o", "name"]).stdout, "session/roc\n");
}

#[test]
fn scripts_may_ask_whether_it_is_healthy() {
    let server = Server::answering(crashing);
    assert_eq!(server.flink(&["status", "roc"]).code, 0);
    assert_eq!(server.flink(&["status", "roc", "--exit-code"]).code, 5);
    assert_eq!(server.flink(&["status", "--exit-code"]).code, 5);
    assert_eq!(Server::answering(|_| None).flink(&["status", "--exit-code"]).code, 0);
}

#[test]
fn a_part_that_is_not_known_is_null_with_its_reason() {
    let server = Server::answering(|line| match line {
        "GET /api/v1/namespaces/team-a/configmaps" => {
            Some(crate::server::failure(403, "Forbidden", "configmaps is forbidden"))
        }
        line => crashing(line),
    });
    let status = holds(&server.flink(&["status", "roc", "-o", "json"]).stdout, "SessionStatus");
    assert_eq!(status["configuration"], Value::Null);
    let unknown = status["unknown"].as_array().expect("unknown");
    let reason = |part: &str| unknown.iter().find(|of| of["part"] == part).map(|of| of["reason"].clone());
    assert_eq!(reason("configuration"), Some(json!("configmaps is forbidden")));
    assert_eq!(reason("jobs"), Some(json!("no JobManager pod is ready")));
}
