//! What `create` does once its bootstrap Job is there: with objects of others that have come meanwhile.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::advice::{Namespace, State};
use crate::create::willing;
use crate::process::Ended;
use crate::server::Server;
use crate::standing::{self, DEPLOYMENTS, JOBS, Object, SERVICES, change, owned_by, session};

/// Creates a session that is to be exposed, whose REST Service is `changed` meanwhile. With it comes what was patched of
/// Services.
fn exposed(changed: impl Fn(&mut Value)) -> (Ended, Vec<Value>) {
    let mut made = session();
    change(&mut made, "roc-rest", SERVICES, changed);
    let namespace = Namespace::with(State { client_makes: made, ..State::default() });
    let ended = namespace.flink(&["create", "roc", "--expose", "NodePort", "-n", "team-a"]);
    let patches = namespace.server.writes().into_iter();
    let patches = patches.filter(|write| write.line == format!("PATCH {SERVICES}/roc-rest"));
    (ended, patches.map(|write| write.body).collect())
}

#[test]
fn a_rest_service_of_another_owner_is_not_exposed() {
    let (ended, patches) = exposed(|_| {});
    assert_eq!(ended.code, 0, "{ended}");
    let [patch] = &patches[..] else { panic!("{patches:?}: {ended}") };
    assert_eq!(patch["spec"]["type"], "NodePort", "{patch}");
    // Of another Deployment, of the same name but recreated, or leading to pods of another program.
    let foreign: [fn(&mut Value); 4] = [
        |service| service["metadata"]["ownerReferences"] = owned_by("Deployment", "shop", "d9"),
        |service| service["metadata"]["ownerReferences"] = owned_by("Deployment", "roc", "d2"),
        |service| {
            service["metadata"]["ownerReferences"] = json!([]);
            service["spec"]["selector"] = json!({"app": "shop"});
        },
        // There is none.
        |service| service["metadata"]["name"] = "roc-rest-of-another".into(),
    ];
    for change in foreign {
        let (ended, patches) = exposed(change);
        assert_eq!((ended.code, patches), (1, Vec::new()), "{ended}");
        for told in [
            "error: session roc is ready, but not exposed as NodePort\n",
            "because: service/roc-rest is not there, or is not that of session roc\n",
            "hint: kubectl get -n team-a service roc-rest -o yaml\n",
        ] {
            assert!(ended.stderr.contains(told), "{told:?} is not in\n{ended}");
        }
    }
}

type Change = fn(&mut Vec<Object>);

/// The Deployment `foreign` that somebody else makes before the client of the Job `boot-roc` has started, and what becomes of it when
/// that Job is deleted.
fn taken(foreign: Value, then: Change) -> (Ended, Vec<String>) {
    let objects: Arc<Mutex<Vec<Object>>> = Arc::default();
    let server = Server::answering_queries(move |line, query| {
        let mut objects = objects.lock().expect("objects");
        match line {
            line if line == format!("POST {JOBS}") && !query.contains("dryRun") => {
                let (of, mut job) = standing::bootstrap(json!([]));
                job["metadata"]["uid"] = "u1".into();
                *objects = vec![(of, job), (DEPLOYMENTS, foreign.clone())];
                willing(line)
            }
            line if line == format!("DELETE {JOBS}/boot-roc") => {
                objects.retain(|(of, _)| *of != JOBS);
                then(&mut objects);
                Some((200, json!({"kind": "Status", "apiVersion": "v1", "status": "Success"})))
            }
            line => standing::answer(&objects, line, query).or_else(|| willing(line)),
        }
    });
    let ended = server.flink(&["create", "roc", "-n", "team-a"]);
    let deleted = server.writes().into_iter().filter(|write| write.line.starts_with("DELETE "));
    (ended, deleted.map(|write| write.line).collect())
}

#[test]
fn a_foreign_deployment_that_is_lost_to_the_client_is_told() {
    const LOST: &str = "that Deployment is gone: Flink's client may have deleted it at its very start";
    /// As Flink's client does.
    fn is_lost(objects: &mut Vec<Object>) {
        objects.retain(|(of, _)| *of != DEPLOYMENTS);
    }
    /// The client has made its own in its place.
    fn is_replaced(objects: &mut Vec<Object>) {
        is_lost(objects);
        let mut own = standing::deployment("kubernetes-jobmanager.sh kubernetes-session");
        own["metadata"]["uid"] = "d2".into();
        objects.push((DEPLOYMENTS, own));
    }
    let mut of_a_shop = standing::deployment("nginx");
    of_a_shop["metadata"]["labels"] = json!({"app": "shop"});
    let of_flink = standing::deployment("kubernetes-jobmanager.sh kubernetes-session");
    let ways: [(Change, bool); 3] = [(is_lost, true), (is_replaced, true), (|_| {}, false)];
    for (foreign, (then, is_told)) in [of_a_shop, of_flink].iter().flat_map(|of| ways.map(|way| (of, way))) {
        let (ended, deleted) = taken(foreign.clone(), then);
        assert_eq!((ended.code, ended.stdout.as_str()), (1, ""), "{ended}");
        let why =
            "somebody else has made deployment.apps/roc before Flink's client in job.batch/boot-roc started";
        assert!(ended.stderr.contains(why), "{ended}");
        assert_eq!(ended.stderr.contains(LOST), is_told, "{ended}");
        assert!(
            ended.stderr.contains("job.batch/boot-roc deleted: no session roc will come of it"),
            "{ended}"
        );
        assert_eq!(deleted, [format!("DELETE {JOBS}/boot-roc")], "{ended}");
    }
}
