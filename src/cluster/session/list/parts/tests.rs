//! What the parts of a session make together.

use super::*;

const RUNNING: &str = r#"{"metadata":{"name":"roc","namespace":"a","uid":"u"},
    "spec":{"replicas":1,"selector":{"matchLabels":{"app":"roc","type":"flink-native-kubernetes"}},"template":{"spec":{"containers":[{"image":"flink:1.20.5","args":["kubernetes-jobmanager.sh kubernetes-session"]}]}}},
    "status":{"readyReplicas":1}}"#;
const SERVICES: [&str; 2] = [
    r#"{"metadata":{"name":"roc","namespace":"a","labels":{"app":"roc"}},"spec":{"type":"ClusterIP"}}"#,
    r#"{"metadata":{"name":"roc-rest","namespace":"a","labels":{"app":"roc"}},"spec":{"type":"NodePort"}}"#,
];

fn parts(deployment: Option<&str>, services: &[&str]) -> Parts {
    let mut parts = Parts::default();
    deployment
        .into_iter()
        .for_each(|json| parts.add_deployment(serde_json::from_str(json).expect("deployment")));
    services.iter().for_each(|json| parts.add_service(serde_json::from_str(json).expect("service")));
    parts
}

fn roc(parts: &Parts, rows: &[(&str, &str)]) -> Option<SessionView> {
    let pods = crate::cluster::session::list::pods::tests::pods(rows).remove("roc").unwrap_or_default();
    parts.view(&("a".to_owned(), "roc".to_owned()), &pods)
}

#[test]
fn the_status_is_the_worst_true_state() {
    let says =
        |json: &str, rows: &[(&str, &str)]| roc(&parts(Some(json), &SERVICES), rows).expect("session").status;
    let unready = RUNNING.replace(r#""readyReplicas":1"#, r#""unavailableReplicas":1"#);
    let jm = "roc-65d8f95b64-mnmvt";
    let tm = "roc-taskmanager-1-1";
    assert_eq!(says(RUNNING, &[(jm, "Running")]), "Running");
    assert_eq!(says(RUNNING, &[(jm, "Running"), (tm, "ContainerCreating")]), "Running");
    assert_eq!(says(RUNNING, &[(jm, "Running"), (tm, "Error")]), "Degraded");
    assert_eq!(says(RUNNING, &[("roc-65d8f95b64-aaaaa", "Evicted"), (jm, "Running")]), "Running");
    assert_eq!(says(&unready, &[(jm, "ContainerCreating")]), "Creating");
    assert_eq!(says(&unready, &[(jm, "Pending")]), "Pending");
    assert_eq!(says(&unready, &[]), "Creating");
    assert_eq!(says(&unready, &[(jm, "ImagePullBackOff")]), "ImagePullBackOff");
    assert_eq!(says(&unready, &[(jm, "CrashLoopBackOff")]), "CrashLoopBackOff");
    // A crashing JobManager is "ready" for seconds of every cycle.
    assert_eq!(says(RUNNING, &[(jm, "Error")]), "Error");
    let refused = RUNNING
        .replace(r#""readyReplicas":1"#, r#""conditions":[{"type":"ReplicaFailure","status":"True"}]"#);
    assert_eq!(says(&refused, &[]), "FailedCreate");
    let going = RUNNING.replace(r#""uid":"u""#, r#""deletionTimestamp":"2026-01-01T00:00:00Z""#);
    assert_eq!(says(&going, &[(jm, "Terminating")]), "Terminating");
    let stopped = RUNNING.replace(r#""replicas":1"#, r#""replicas":0"#);
    assert_eq!(says(&stopped, &[]), "Stopped");
}

#[test]
fn a_session_without_any_service_is_degraded() {
    let rows = [("roc-65d8f95b64-mnmvt", "Running")];
    assert_eq!(roc(&parts(Some(RUNNING), &[]), &rows).expect("session").status, "Degraded");
    // Unless nobody knows.
    let mut hidden = parts(Some(RUNNING), &[]);
    hidden.hidden.services = true;
    assert_eq!(roc(&hidden, &rows).expect("session").status, "Running");
}

#[test]
fn what_nobody_owns_is_orphaned_and_what_is_owned_is_going() {
    let says = |services: &[&str], rows: &[(&str, &str)]| {
        roc(&parts(None, services), rows).map(|session| session.status)
    };
    let owned = SERVICES[1]
        .replace(r#""namespace""#, r#""ownerReferences":[{"kind":"Deployment","name":"roc"}],"namespace""#);
    let tm = "roc-taskmanager-1-1";
    assert_eq!(says(&SERVICES, &[]).as_deref(), Some("Orphaned"));
    assert_eq!(says(&[&owned], &[(tm, "Running")]).as_deref(), Some("Terminating"));
    assert_eq!(says(&[], &[(tm, "Running")]).as_deref(), Some("Orphaned"));
    assert_eq!(says(&[], &[(tm, "Terminating")]).as_deref(), Some("Terminating"));
    assert_eq!(says(&[], &[]), None);
}

#[test]
fn the_services_tell_their_type_and_high_availability() {
    let tells = |services: &[&str]| {
        let session = roc(&parts(Some(RUNNING), services), &[]).expect("session");
        (session.service_type, session.high_availability)
    };
    assert_eq!(tells(&SERVICES), (Some("NodePort".to_owned()), Some(false)));
    assert_eq!(tells(&SERVICES[1..]), (Some("NodePort".to_owned()), Some(true)));
    // 1.10
    assert_eq!(tells(&SERVICES[..1]), (Some("ClusterIP".to_owned()), Some(false)));
    assert_eq!(tells(&[]), (None, None));
}

#[test]
fn the_version_is_what_rest_said_else_what_the_tag_says() {
    let version = |json: &str| roc(&parts(Some(json), &SERVICES), &[]).expect("session").version;
    assert_eq!(version(RUNNING).as_deref(), Some("1.20.5"));
    let labelled = RUNNING.replace(r#""uid":"u""#, r#""labels":{"app.kubernetes.io/version":"1.19.3"}"#);
    assert_eq!(version(&labelled).as_deref(), Some("1.19.3"));
    assert_eq!(version(&RUNNING.replace("flink:1.20.5", "mine:latest")), None);
}

#[test]
fn a_session_that_is_not_born_is_as_its_bootstrap_is() {
    let says = |condition: &str, pod: Option<&str>| {
        let mut parts = Parts::default();
        let job = format!(
            r#"{{"metadata":{{"name":"boot-roc","namespace":"a","labels":{{"app":"roc"}}}},
                "spec":{{"template":{{"spec":{{}}}}}},"status":{{"conditions":[{{"type":"{condition}","status":"True"}}]}}}}"#
        );
        parts.add_bootstrap(serde_json::from_str(&job).expect("job"));
        let key = ("a".to_owned(), "roc".to_owned());
        let name = "boot-roc-abcde".to_owned();
        let row =
            |state: &str| PodRow { name, is_ready: true, status: state.to_owned(), restarts: String::new() };
        parts.bootstrap_pods.extend(pod.map(|state| (key, row(state))));
        roc(&parts, &[]).map(|session| session.status)
    };
    assert_eq!(says("", None).as_deref(), Some("Creating"));
    assert_eq!(says("", Some("Running")).as_deref(), Some("Creating"));
    assert_eq!(says("", Some("ImagePullBackOff")).as_deref(), Some("ImagePullBackOff"));
    assert_eq!(says("", Some("Pending")).as_deref(), Some("Pending"));
    assert_eq!(says("Failed", Some("Error")).as_deref(), Some("BootstrapFailed"));
    assert_eq!(says("Complete", None), None);
}

#[test]
fn application_clusters_are_no_sessions() {
    let application = RUNNING.replace("kubernetes-session", "kubernetes-application");
    assert!(roc(&parts(Some(RUNNING), &SERVICES), &[]).is_some());
    assert!(roc(&parts(Some(&application), &SERVICES), &[]).is_none());
}

#[test]
fn pods_alone_tell_of_a_session_whose_deployment_is_hidden() {
    let mut parts = parts(None, &SERVICES);
    parts.hidden.deployments = true;
    let rows = [("roc-65d8f95b64-mnmvt", "Running"), ("roc-taskmanager-1-1", "Running")];
    let session = roc(&parts, &rows).expect("session");
    assert_eq!((session.ready, session.desired, session.taskmanagers), (1, 1, Some(1)));
    assert_eq!((session.status.as_str(), session.version), ("Running", None));
    assert!(roc(&parts, &rows[1..]).is_none(), "nothing tells a session from an application there");
}

#[test]
fn nobody_is_called_the_owner_where_the_job_that_tells_is_hidden() {
    let mut parts = parts(Some(RUNNING), &SERVICES);
    assert_eq!(roc(&parts, &[]).expect("session").owner, Some(Owner::Other));
    parts.hidden.jobs = true;
    assert_eq!(roc(&parts, &[]).expect("session").owner, None);
}
