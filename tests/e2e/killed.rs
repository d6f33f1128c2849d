//! `create` that is killed, cut off, or not alone.

use crate::lab::{Lab, SMALL};
use crate::proxy::{Kill, Proxy};

/// One session, made to its end, and nothing beside it.
fn is_one_healthy_session(lab: &Lab) {
    assert!(lab.rest_overview("roc").stdout.contains("2.3.0"), "REST answers");
    let mut left: Vec<String> = lab
        .left_of("roc")
        .lines()
        .map(|object| object.split(['-', '.']).next().unwrap_or_default().to_owned())
        .filter(|object| !object.starts_with("replicaset"))
        .collect();
    left.sort();
    left.dedup();
    let kinds = ["configmap/flink", "deployment", "job", "pod/boot", "pod/roc", "service/roc"];
    assert_eq!(left, kinds, "{}", lab.left_of("roc"));
    let deployments = lab.kubectl_ok(&["get", "deployment,job", "-o", "name"]);
    assert_eq!(deployments.lines().count(), 2, "{deployments}");
    let owner = ["get", "job", "boot-roc", "-o", "jsonpath={.metadata.ownerReferences[0].kind}"];
    assert_eq!(lab.kubectl_ok(&owner), "Deployment");
    let label = "jsonpath={.metadata.labels.app\\.kubernetes\\.io/managed-by}";
    assert_eq!(lab.kubectl_ok(&["get", "deployment", "roc", "-o", label]), "kubectl-flink");
}

#[test]
fn killed_at_any_of_its_writes_and_run_again_it_ends_with_one_healthy_session() {
    let create = [&["create", "roc"][..], &SMALL].concat();
    for done in [false, true] {
        for write in 1.. {
            let lab = Lab::new(&format!("killed-{write}-{done}"));
            let proxy = Proxy::new(lab.context(), &lab.namespace);
            let kill = Kill { write, done };
            let run = proxy.flink(&create, Some(kill));
            if !run.killed {
                // One write more than there are.
                assert_eq!(run.code, 0, "{}", run.stderr);
                assert!(write > 5, "only {write} writes");
                break;
            }
            let again = proxy.flink(&create, None);
            let explained = again.code == 1 && again.stderr.contains("session roc exists already");
            assert!(again.code == 0 || explained, "{kill:?}: {}", again.stderr);
            is_one_healthy_session(&lab);
        }
    }
}

#[test]
fn an_api_server_that_goes_away_for_a_while_is_waited_for() {
    let lab = Lab::new("outage");
    let proxy = Proxy::new(lab.context(), &lab.namespace);
    std::thread::scope(|threads| {
        let create = threads.spawn(|| proxy.flink(&[&["create", "roc"][..], &SMALL].concat(), None));
        lab.until("the Deployment", || lab.kubectl(&["get", "deployment", "roc"]).code == 0);
        proxy.set_down(true);
        // The session goes on meanwhile, and the plugin hears nothing of it.
        lab.until("REST", || lab.rest_overview("roc").code == 0);
        proxy.set_down(false);
        let run = create.join().expect("create");
        assert_eq!(run.code, 0, "{}", run.stderr);
    });
    is_one_healthy_session(&lab);
}

#[test]
fn of_two_at_once_one_makes_it_and_the_other_is_told() {
    let lab = Lab::new("two");
    let create = [&["create", "roc"][..], &SMALL].concat();
    let runs = std::thread::scope(|threads| {
        let runs = [threads.spawn(|| lab.flink(&create)), threads.spawn(|| lab.flink(&create))];
        runs.map(|run| run.join().expect("create"))
    });
    assert!(runs.iter().any(|run| run.code == 0), "{}{}", runs[0].stderr, runs[1].stderr);
    for run in runs.iter().filter(|run| run.code != 0) {
        run.failed(1, &["session roc"]);
    }
    let waited = runs.iter().filter(|run| run.stderr.contains("makes this session already")).count();
    let made = runs.iter().filter(|run| run.stderr.contains("job.batch/boot-roc created")).count();
    assert!(made == 1 && waited <= 1, "{}{}", runs[0].stderr, runs[1].stderr);
    is_one_healthy_session(&lab);

    // Somebody who asks for something else is told as well, and changes nothing.
    let before = lab.fingerprint();
    lab.flink(&["create", "roc", "--slots", "2"]).failed(1, &["session roc exists already"]);
    assert_eq!(lab.fingerprint(), before);
}
