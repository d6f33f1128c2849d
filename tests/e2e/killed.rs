//! The plugin that is killed, and `create` that is cut off, or not alone.

use crate::lab::{Lab, QUICK};
use crate::proxy::{At, Kill, Proxy};

const PROGRAMS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/job/programs.jar");

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
    let create = [&["create", "roc"][..], &QUICK].concat();
    // Not yet seen by the other side, one is as if killed after the one before.
    let kills = std::iter::once((1, false)).chain((1..).map(|write| (write, true)));
    for (write, done) in kills {
        let lab = Lab::new(&format!("killed-{write}-{done}"));
        let proxy = Proxy::new(lab.context(), &lab.namespace);
        let kill = Kill { at: At::Write(write), done };
        let run = proxy.flink(&create, Some(kill.clone()));
        if !run.killed {
            // One write more than there are.
            assert_eq!(run.code, 0, "{}", run.stderr);
            assert!(write > 5, "only {write} writes");
            return;
        }
        let again = proxy.flink(&create, None);
        let explained = again.code == 1 && again.stderr.contains("session roc exists already");
        assert!(again.code == 0 || explained, "{kill:?}: {}", again.stderr);
        is_one_healthy_session(&lab);
    }
}

#[test]
fn killed_at_any_of_its_requests_a_look_changes_nothing() {
    let lab = Lab::new("killed-look");
    lab.flink_ok(&[&["create", "roc"][..], &QUICK].concat());
    let proxy = Proxy::new(lab.context(), &lab.namespace);
    let whole = proxy.flink(&["jobs", "roc"], None);
    assert!(whole.code == 0 && whole.hit.is_none(), "{}", whole.stderr);
    let before = lab.fingerprint();
    let mut answered = 0;
    for done in [false, true] {
        for number in 1..=whole.requests.len() {
            let run = proxy.flink(&["jobs", "roc"], Some(Kill { at: At::Request(number), done }));
            assert!(run.killed && run.requests.len() >= number, "{number} of {:?}", whole.requests);
            let hit = run.hit.expect("the request that it was killed at");
            assert_eq!(hit.line, run.requests[number - 1]);
            let is_answered = hit.answer.as_ref().is_some_and(|answer| answer.starts_with("HTTP/1.1 "));
            assert!(done || !is_answered, "{}: {:?}", hit.line, hit.answer);
            answered += usize::from(is_answered);
            assert_eq!(run.stdout, "");
        }
        for of in ["/portforward?", "GET /jobs/overview HTTP"] {
            let at = At::Nth { of: of.to_owned(), n: 1 };
            let run = proxy.flink(&["jobs", "roc"], Some(Kill { at, done }));
            assert!(run.killed && run.hit.is_some_and(|hit| hit.line.contains(of)), "{:?}", whole.requests);
        }
    }
    // On a busy machine a connection behind the proxy may end without an answer, once in a while.
    assert!(answered + 1 >= whole.requests.len(), "{answered} of {:?}", whole.requests);
    let never = Kill { at: At::Nth { of: "/portforward?".to_owned(), n: 100 }, done: true };
    let run = proxy.flink(&["jobs", "roc"], Some(never));
    assert!(!run.killed && run.code == 0 && run.hit.is_none(), "{}", run.stderr);
    assert_eq!(run.stdout, whole.stdout);
    assert_eq!(lab.fingerprint(), before);
}

#[test]
fn killed_at_an_upload_it_leaves_the_jar_or_nothing() {
    let lab = Lab::new("killed-upload");
    lab.flink_ok(&[&["create", "roc"][..], &QUICK].concat());
    let proxy = Proxy::new(lab.context(), &lab.namespace);
    let rights = [("get,list", "pods,deployments.apps,jobs.batch"), ("create,get", "pods/portforward")];
    drop(lab.user("forwarder", &rights));
    let forwarder = format!("system:serviceaccount:{}:forwarder", lab.namespace);
    let mut jars = 0;
    // Through the API server's proxy, and through a forwarded port.
    for who in [&[][..], &["--as", &forwarder]] {
        for done in [false, true] {
            let at = At::Nth { of: "/jars/upload HTTP".to_owned(), n: 1 };
            let submit = [who, &["submit", "roc", PROGRAMS, "--", "nothing"]].concat();
            let run = proxy.flink(&submit, Some(Kill { at, done }));
            assert!(run.killed, "{}", run.stderr);
            let line = run.hit.expect("the upload").line;
            assert_eq!(line.starts_with("POST /jars/"), !who.is_empty(), "{line}");
            jars += usize::from(done);
            let told = lab.rest_json("roc", "/jars");
            assert_eq!(told["files"].as_array().map(Vec::len), Some(jars), "{told}");
        }
    }
}

#[test]
fn an_api_server_that_goes_away_for_a_while_is_waited_for() {
    let lab = Lab::new("outage");
    let proxy = Proxy::new(lab.context(), &lab.namespace);
    std::thread::scope(|threads| {
        let create = threads.spawn(|| proxy.flink(&[&["create", "roc"][..], &QUICK].concat(), None));
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
fn of_ten_at_once_one_makes_it_and_the_others_wait_for_it() {
    let lab = Lab::new("ten");
    let create = [&["create", "roc"][..], &QUICK].concat();
    let runs: Vec<_> = std::thread::scope(|threads| {
        let runs: Vec<_> = (0..10).map(|_| threads.spawn(|| lab.flink(&create))).collect();
        runs.into_iter().map(|run| run.join().expect("create")).collect()
    });
    for run in &runs {
        assert_eq!(run.code, 0, "{}", run.stderr);
        assert!(run.stderr.contains("Session roc is ready with Flink 2.3.0."), "{}", run.stderr);
    }
    let made = runs.iter().filter(|run| run.stderr.contains("job.batch/boot-roc created")).count();
    assert_eq!(made, 1);
    is_one_healthy_session(&lab);

    // Somebody who asks for something else is told as well, and changes nothing.
    let before = lab.fingerprint();
    lab.flink(&["create", "roc", "--slots", "2"]).failed(1, &["session roc exists already"]);
    assert_eq!(lab.fingerprint(), before);
}
