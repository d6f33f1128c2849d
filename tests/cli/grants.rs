//! Rights that outlive a session or go beyond its namespace, against a server that the test plays.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use crate::create::willing;
use crate::server::{Answer, Server, failure};

const BINDINGS: &str = "GET /apis/rbac.authorization.k8s.io/v1/clusterrolebindings";
const OWN: &str =
    "GET /apis/rbac.authorization.k8s.io/v1/clusterrolebindings/kubectl-flink:edit:team-a:flink";
const REMOVAL: &str =
    "DELETE /apis/rbac.authorization.k8s.io/v1/clusterrolebindings/kubectl-flink:edit:team-a:flink";
const DEPLOYMENT: &str = "/apis/apps/v1/namespaces/team-a/deployments/roc";
const DEPLOYMENTS: &str = "GET /apis/apps/v1/namespaces/team-a/deployments";
const JOBS: &str = "GET /apis/batch/v1/namespaces/team-a/jobs";
const PODS: &str = "GET /api/v1/namespaces/team-a/pods";

fn list(items: &[Value]) -> Answer {
    (200, json!({"metadata": {}, "items": items}))
}

fn account(name: &str, namespace: &str) -> Value {
    json!({"kind": "ServiceAccount", "name": name, "namespace": namespace})
}

fn binding(name: &str, role: &str, subjects: &[Value]) -> Value {
    json!({"metadata": {"name": name, "uid": "b1", "resourceVersion": "7", "creationTimestamp": "2020-01-01T00:00:00Z"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        "subjects": subjects})
}

/// As `create --rbac=edit-cluster` makes it for the account of a namespace.
fn own(namespace: &str, name: &str) -> Value {
    let mut own =
        binding(&format!("kubectl-flink:edit:{namespace}:{name}"), "edit", &[account(name, namespace)]);
    own["metadata"]["labels"] = json!({"app.kubernetes.io/managed-by": "kubectl-flink"});
    own
}

fn forbidden(what: &str) -> Answer {
    failure(403, "Forbidden", &format!("{what} is forbidden: User \"me\" cannot do it"))
}

fn deployment(name: &str, account: &str) -> Value {
    json!({"metadata": {"name": name, "namespace": "team-a", "uid": format!("d-{name}"),
            "labels": {"app": name, "type": "flink-native-kubernetes", "component": "jobmanager"}},
        "spec": {"replicas": 1, "template": {"spec": {"serviceAccountName": account, "containers": [
            {"name": "flink-main-container", "args": ["bash", "-c", "kubernetes-jobmanager.sh kubernetes-session"]}]}}}})
}

/// A session roc of the account flink, which goes when it is deleted.
fn session(more: impl Fn(&str, &str) -> Option<Answer> + Send + Sync + 'static) -> Server {
    let is_gone = Arc::new(AtomicBool::new(false));
    Server::answering_queries(move |line, query| {
        if line == format!("DELETE {DEPLOYMENT}") {
            is_gone.store(!query.contains("dryRun"), Ordering::SeqCst);
        }
        more(line, query).or_else(|| match line {
            line if line == format!("GET {DEPLOYMENT}") && !is_gone.load(Ordering::SeqCst) => {
                Some((200, deployment("roc", "flink")))
            }
            line if line.starts_with("DELETE ") => Some((200, json!({}))),
            _ => None,
        })
    })
}

fn removals(server: &Server) -> Vec<Value> {
    server.writes().into_iter().filter(|write| write.line == REMOVAL).map(|write| write.body).collect()
}

#[test]
fn create_names_what_the_account_may_do_in_every_namespace() {
    let bindings = [
        own("team-a", "flink"),
        own("team-b", "flink"),
        own("team-a", "other"),
        binding("flink-role-binding", "admin", &[account("other", "x"), account("flink", "team-a")]),
        binding("everybody", "view", &[json!({"kind": "Group", "name": "system:serviceaccounts:team-a"})]),
        binding("one-more", "view", &[json!({"kind": "User", "name": "system:serviceaccount:team-a:flink"})]),
    ];
    let server = Server::answering(move |line| match line {
        BINDINGS => Some(list(&bindings)),
        "GET /api/v1/namespaces/team-a/serviceaccounts/flink" => {
            Some((200, json!({"metadata": {"name": "flink"}})))
        }
        line => willing(line),
    });
    let ended = server.flink(&["create", "roc", "--rbac=none", "--dry-run=server", "-o", "name"]);
    insta::assert_snapshot!(ended);
}

#[test]
fn create_is_silent_of_bindings_that_it_cannot_read() {
    let server = Server::answering(|line| match line {
        BINDINGS => Some(forbidden("clusterrolebindings")),
        "GET /api/v1/namespaces/team-a/serviceaccounts/flink" => {
            Some((200, json!({"metadata": {"name": "flink"}})))
        }
        line => willing(line),
    });
    let ended = server.flink(&["create", "roc", "--rbac=none", "--dry-run=server", "-o", "name"]);
    assert_eq!(ended.code, 0, "{ended}");
    assert!(!ended.stderr.contains("luster"), "{ended}");
}

#[test]
fn delete_names_the_binding_that_nothing_needs_any_more() {
    let server = session(|line, _| (line == OWN).then(|| (200, own("team-a", "flink"))));
    insta::assert_snapshot!(server.flink(&["delete", "roc", "--yes", "--force"]));
    assert_eq!(removals(&server), Vec::<Value>::new());
}

#[test]
fn delete_removes_the_binding_as_it_was_looked_at() {
    let server = session(|line, _| (line == OWN).then(|| (200, own("team-a", "flink"))));
    let tried = server.flink(&["delete", "roc", "--yes", "--force", "--cluster-rbac", "--dry-run"]);
    assert!(removals(&server).is_empty(), "{tried}");
    let ended = server.flink(&["delete", "roc", "--yes", "--force", "--cluster-rbac"]);
    insta::assert_snapshot!(format!("{tried}\n{ended}"));
    let [removal] = &removals(&server)[..] else { panic!("{ended}") };
    assert_eq!(removal["preconditions"], json!({"uid": "b1", "resourceVersion": "7"}));
}

#[test]
fn delete_keeps_a_binding_that_is_used_or_is_not_as_create_makes_it() {
    let delete = ["delete", "roc", "--yes", "--force", "--cluster-rbac"];
    type User = (&'static str, fn() -> Value);
    let users: [User; 3] = [
        (DEPLOYMENTS, || deployment("raven", "flink")),
        (PODS, || json!({"metadata": {"name": "p", "uid": "p"}, "spec": {"serviceAccountName": "flink"}})),
        (JOBS, || {
            json!({"metadata": {"name": "j", "uid": "j"},
                "spec": {"template": {"spec": {"serviceAccountName": "flink", "containers": []}}}})
        }),
    ];
    for (path, user) in users {
        let server = session(move |line, query| match line {
            OWN => Some((200, own("team-a", "flink"))),
            line if line == path && (line != PODS || query.contains("serviceAccountName")) => {
                Some(list(&[user()]))
            }
            _ => None,
        });
        let ended = server.flink(&delete);
        assert!(ended.stderr.contains("uses serviceaccount/flink"), "{path}: {ended}");
        assert_eq!((ended.code, removals(&server).len()), (0, 0), "{path}: {ended}");
    }
    let changes: [fn(&mut Value); 3] = [
        |binding| binding["subjects"] = json!([account("flink", "team-a"), account("flink", "team-b")]),
        |binding| binding["roleRef"]["name"] = "admin".into(),
        |binding| binding["metadata"]["labels"] = json!({}),
    ];
    for change in changes {
        let server = session(move |line, _| {
            (line == OWN).then(|| {
                let mut binding = own("team-a", "flink");
                change(&mut binding);
                (200, binding)
            })
        });
        let ended = server.flink(&delete);
        assert_eq!((ended.code, removals(&server).len()), (0, 0), "{ended}");
    }
}

#[test]
fn users_who_cannot_read_the_binding_hear_of_it_if_they_ask() {
    let server = session(|line, _| (line == OWN).then(|| forbidden("clusterrolebindings")));
    let silent = server.flink(&["delete", "roc", "--yes", "--force"]);
    assert_eq!((silent.code, silent.stderr.contains("luster")), (0, false), "{silent}");
    let server = session(|line, _| (line == OWN).then(|| forbidden("clusterrolebindings")));
    insta::assert_snapshot!(server.flink(&["delete", "roc", "--yes", "--force", "--cluster-rbac"]));
}

fn left_over(line: &str, _: &str) -> Option<Answer> {
    match line {
        BINDINGS => Some(list(&[
            own("team-a", "flink"),
            own("team-a", "used"),
            own("team-b", "flink"),
            binding("kubectl-flink:edit:team-a:foreign", "edit", &[account("foreign", "team-a")]),
        ])),
        DEPLOYMENTS => Some(list(&[deployment("roc", "used")])),
        line if line.starts_with("DELETE ") => Some((200, json!({}))),
        _ => None,
    }
}

#[test]
fn gc_lists_the_bindings_of_accounts_that_nothing_uses() {
    let server = Server::answering_queries(left_over);
    let told = |words: &[&str]| server.flink(words).to_string();
    let listed = told(&["gc", "--no-headers", "-o", "name"]);
    let kept = told(&["gc", "--yes"]);
    assert!(server.writes().is_empty(), "{:?}", server.writes());
    let removed = told(&["gc", "--yes", "--cluster-rbac"]);
    insta::assert_snapshot!([listed, kept, removed].join("\n"));
    let [removal] = &removals(&server)[..] else { panic!("{:?}", server.writes()) };
    assert_eq!(removal["preconditions"], json!({"uid": "b1", "resourceVersion": "7"}));
}

#[test]
fn gc_of_users_who_cannot_read_bindings_is_whole_unless_they_ask() {
    let server =
        Server::answering_queries(|line, _| (line == BINDINGS).then(|| forbidden("clusterrolebindings")));
    let ended = server.flink(&["gc", "--yes"]);
    assert_eq!((ended.code, ended.stderr.contains("forbidden")), (0, false), "{ended}");
    let ended = server.flink(&["gc", "--yes", "--cluster-rbac"]);
    assert_eq!((ended.code, ended.stderr.contains("clusterrolebindings is forbidden")), (1, true), "{ended}");
}

const ACCOUNT: &str = "GET /api/v1/namespaces/team-a/serviceaccounts/flink";
const OF_TASKMANAGERS: &str = "GET /api/v1/namespaces/team-a/serviceaccounts/flink-taskmanager";

fn service_account(name: &str, more: &Value) -> Answer {
    let mut account = json!({"metadata": {"name": name}});
    for (key, value) in more.as_object().expect("fields") {
        account[key] = value.clone();
    }
    (200, account)
}

/// What `create` with `words` tries, as a server with `more` has it: how it ends, and the setting of the TaskManagers.
fn tried(words: &[&str], more: impl Fn(&str) -> Option<Answer> + Send + Sync + 'static) -> (String, String) {
    let server = Server::answering(move |line| more(line).or_else(|| willing(line)));
    let ended = server.flink(&[&["create", "roc", "--dry-run=server", "-o", "json"], words].concat());
    let key = "-Dkubernetes.taskmanager.service-account=";
    let told = ended.stdout.find(key).map(|at| ended.stdout[at + key.len()..].to_owned());
    let told =
        told.and_then(|rest| Some(rest.split_once('"')?.0.to_owned())).unwrap_or_else(|| "-".to_owned());
    let made = ended.stdout.contains("\"automountServiceAccountToken\": false");
    (ended.stderr, format!("{told}{}", if made { ", made" } else { "" }))
}

#[test]
fn taskmanagers_get_an_account_without_rights() {
    let (stderr, told) = tried(&[], |_| None);
    assert_eq!(
        (told.as_str(), stderr.contains("TaskManagers")),
        ("flink-taskmanager, made", false),
        "{stderr}"
    );
    let (_, told) = tried(&[], |line| (line == OF_TASKMANAGERS).then(|| service_account("x", &json!({}))));
    assert_eq!(told, "flink-taskmanager");
    // Kubernetes' own annotation of `kubectl apply` gives nothing.
    let applied =
        json!({"metadata": {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"}}});
    let (_, told) = tried(&[], move |line| (line == ACCOUNT).then(|| service_account("flink", &applied)));
    assert_eq!(told, "flink-taskmanager, made");
    for version in ["1.10", "1.11"] {
        let (stderr, told) = tried(&["--flink-version", version], |_| None);
        assert_eq!((told.as_str(), stderr.contains("TaskManagers")), ("-", false), "{stderr}");
    }
}

#[test]
fn taskmanagers_share_an_account_that_gives_them_more_than_rights() {
    for (more, reason) in [
        (
            json!({"metadata": {"annotations": {"eks.amazonaws.com/role-arn": "x"}}}),
            "annotation eks.amazonaws.com/role-arn",
        ),
        (json!({"imagePullSecrets": [{"name": "registry"}]}), "image pull secret registry"),
    ] {
        let (stderr, told) =
            tried(&[], move |line| (line == ACCOUNT).then(|| service_account("flink", &more)));
        let reason = format!("TaskManagers use serviceaccount/flink, too: it has {reason}");
        assert_eq!((told.as_str(), stderr.contains(&reason)), ("-", true), "{stderr}");
    }
    let (stderr, told) =
        tried(&["--rbac=none"], |line| (line == ACCOUNT).then(|| service_account("flink", &json!({}))));
    assert_eq!((told.as_str(), stderr.contains("TaskManagers")), ("-", false), "{stderr}");
}

#[test]
fn an_account_that_the_user_names_is_checked() {
    let named = ["--taskmanager-service-account", "mine"];
    assert_eq!(tried(&named, |_| None).1, "mine, made");
    assert_eq!(tried(&["-D", "kubernetes.taskmanager.service-account=mine"], |_| None).1, "mine, made");
    assert_eq!(tried(&["--taskmanager-service-account", "flink"], |_| None).1, "flink");
    let there =
        |line: &str| line.ends_with("/serviceaccounts/flink").then(|| service_account("flink", &json!({})));
    let (stderr, _) = tried(&[&named[..], &["--rbac=none"]].concat(), there);
    assert!(stderr.starts_with("error: serviceaccount/mine does not exist in namespace team-a"), "{stderr}");
    let ha = [&named[..], &["--ha", "file:///ha", "--ha-dir-is-shared"]].concat();
    let (stderr, _) = tried(&ha, |_| None);
    assert!(
        stderr.contains("with high availability TaskManagers need permission to read ConfigMaps"),
        "{stderr}"
    );
    let (stderr, _) = tried(&ha, |line| {
        if line.ends_with("/serviceaccounts/mine") {
            return Some(service_account("mine", &json!({})));
        }
        line.ends_with("/localsubjectaccessreviews").then(|| (201, json!({"status": {"allowed": false}})))
    });
    let lacks = "they need permission to get configmaps, list configmaps, watch configmaps";
    assert!(stderr.contains(lacks), "{stderr}");
}

const POLICY: &str = "/apis/networking.k8s.io/v1/namespaces/team-a/networkpolicies/roc";
const POLICIES: &str = "/apis/networking.k8s.io/v1/namespaces/team-a/networkpolicies";

fn policy(labels: &Value) -> Value {
    json!({"metadata": {"name": "roc", "namespace": "team-a", "uid": "n1", "resourceVersion": "9",
        "creationTimestamp": "2020-01-01T00:00:00Z", "labels": labels}})
}

fn own_policy() -> Value {
    policy(&json!({"app": "roc", "app.kubernetes.io/managed-by": "kubectl-flink",
        "app.kubernetes.io/component": "network-policy"}))
}

#[test]
fn a_network_policy_is_among_the_objects_of_a_dry_run() {
    let server = Server::answering(|_| None);
    let peers =
        ["--network-policy-from=namespace:edge/pods:app=gateway", "--network-policy-from=cidr:10.0.0.0/8"];
    let create = ["create", "roc", "--dry-run=client", "-o", "json"];
    let printed = server.flink(&[&create[..], &peers].concat()).stdout;
    let list: Value = serde_json::from_str(&printed).expect("JSON");
    let items = list["items"].as_array().expect("items");
    let policy = items.iter().find(|item| item["kind"] == "NetworkPolicy").expect("a policy");
    insta::assert_snapshot!(serde_json::to_string_pretty(policy).expect("JSON"));
    // It is there before the pods that it protects.
    assert_eq!(items.last().expect("items")["kind"], "Job");
    let alone = server.flink(&["create", "roc", "--dry-run=client", "-o", "name", "--network-policy"]);
    assert!(alone.stdout.contains("networkpolicy.networking.k8s.io/roc\n"), "{alone}");
    let without = server.flink(&["create", "roc", "--dry-run=client", "-o", "name"]);
    assert!(!without.stdout.contains("networkpolicy"), "{without}");
    assert_eq!(server.flink(&["create", "roc", "--network-policy-from=10.0.0.0/8"]).code, 1);
    let host =
        server.flink(&["create", "roc", "--network-policy", "-D", "kubernetes.hostnetwork.enabled=true"]);
    assert!(host.stderr.contains("has no effect on pods in the network of their node"), "{host}");
}

#[test]
fn a_policy_of_another_client_is_left_alone_and_an_earlier_one_is_replaced() {
    let create = ["create", "roc", "--network-policy", "--wait=false"];
    let foreign = Server::answering(|line| match line {
        line if line == format!("GET {POLICY}") => Some((200, policy(&json!({"app": "roc"})))),
        line => willing(line),
    });
    let ended = foreign.flink(&create);
    assert_eq!(ended.code, 4, "{ended}");
    assert!(
        ended.stderr.contains("networkpolicy.networking.k8s.io/roc in namespace team-a was not made"),
        "{ended}"
    );
    assert!(foreign.writes().is_empty(), "{:?}", foreign.writes());

    // Users who cannot create one are told before anything is written.
    let refused = Server::answering(|line| match line {
        line if line == format!("POST {POLICIES}") => Some(forbidden("networkpolicies")),
        line => willing(line),
    });
    let ended = refused.flink(&create);
    assert!(ended.code == 1 && ended.stderr.contains("networkpolicies is forbidden"), "{ended}");
    assert!(refused.writes().is_empty(), "{:?}", refused.writes());

    let earlier = Server::answering(|line| match line {
        line if line == format!("GET {POLICY}") => Some((200, own_policy())),
        line if line == format!("DELETE {POLICY}") => Some((200, json!({}))),
        line if line == format!("POST {POLICIES}") => Some((201, own_policy())),
        line => willing(line),
    });
    let ended = earlier.flink(&create);
    assert_eq!(ended.code, 0, "{ended}");
    let writes: Vec<String> = earlier.writes().into_iter().map(|write| write.line).collect();
    let at = |line: String| writes.iter().position(|other| *other == line).expect("a write");
    let (deleted, made) = (at(format!("DELETE {POLICY}")), at(format!("POST {POLICIES}")));
    assert!(
        deleted < made && made < at("POST /apis/batch/v1/namespaces/team-a/jobs".to_owned()),
        "{writes:?}"
    );
}

#[test]
fn a_policy_goes_with_its_session() {
    let with_policy =
        |line: &str, _: &str| (line == format!("GET {POLICIES}")).then(|| list(&[own_policy()]));
    let server = session(with_policy);
    let ended = server.flink(&["delete", "roc", "--yes", "--force", "--dry-run"]);
    assert!(ended.stdout.contains("networkpolicy.networking.k8s.io \"roc\" deleted"), "{ended}");
    server.flink(&["delete", "roc", "--yes", "--force", "--wait=false"]);
    let removal = server.writes().into_iter().find(|write| write.line == format!("DELETE {POLICY}"));
    assert_eq!(removal.expect("a removal").body["preconditions"]["uid"], "n1");
    // Users who cannot list policies delete the rest.
    let server = session(|line, _| (line == format!("GET {POLICIES}")).then(|| forbidden("networkpolicies")));
    assert_eq!(server.flink(&["delete", "roc", "--yes", "--force"]).code, 0);
}

#[test]
fn a_policy_of_a_dead_session_is_left_over() {
    let server = Server::answering_queries(|line, _| match line {
        line if line == format!("GET {POLICIES}") => Some(list(&[own_policy()])),
        line if line.starts_with("DELETE ") => Some((200, json!({}))),
        _ => None,
    });
    let listed = server.flink(&["gc"]);
    assert!(listed.stdout.contains("NetworkPolicy of a session that is gone"), "{listed}");
    let removed = server.flink(&["gc", "--yes"]);
    assert_eq!(removed.stdout, "networkpolicy.networking.k8s.io \"roc\" deleted from team-a namespace\n");
}
