//! Every kind of left-over of a dead session and of one that lives.

use super::*;
use crate::model::left_over::{Hidden, Kind, Life, Object, Owner, Sign};

const JOB_ID: &str = "8e91dc59d12b7474c390b0a756115346";

fn trace(kind: Kind, name: &str, what: What) -> Trace {
    Trace {
        object: Object {
            kind,
            namespace: "team-a".to_owned(),
            name: name.to_owned(),
            uid: format!("uid of {name}"),
            resource_version: "7".to_owned(),
        },
        session: Some("roc".to_owned()),
        owners: Vec::new(),
        is_leaving: false,
        touched: "2026-01-01T00:00:00Z".parse().ok(),
        what,
    }
}

fn owned(kind: &str, name: &str, trace: Trace) -> Trace {
    Trace { owners: vec![Owner { kind: kind.to_owned(), name: name.to_owned() }], ..trace }
}

fn bootstrap() -> Trace {
    trace(Kind::Job, "boot-roc", What::Bootstrap { failure: None })
}

fn service(name: &str) -> Trace {
    trace(Kind::Service, name, What::Service)
}

fn config_map(name: &str, keys: &[&str]) -> Trace {
    let keys = keys.iter().map(|key| (*key).to_owned()).collect();
    trace(Kind::ConfigMap, name, What::ConfigMap { keys, is_labelled_state: false })
}

fn taskmanager(name: &str) -> Trace {
    trace(Kind::Pod, name, What::TaskManager)
}

fn sql() -> Trace {
    trace(Kind::Pod, "sql-roc-x", What::Sql { has_failed: false })
}

fn sign(what: Life) -> Sign {
    Sign { namespace: "team-a".to_owned(), session: "roc".to_owned(), what }
}

fn of(traces: Vec<Trace>) -> Inventory {
    Inventory { traces, ..Inventory::default() }
}

/// As they are listed: object and reason.
fn told(inventory: &Inventory) -> Vec<String> {
    left_over(inventory).iter().map(|left| format!("{}: {}", left.object, left.reason)).collect()
}

/// One of each kind.
fn everything() -> Vec<Trace> {
    vec![
        bootstrap(),
        config_map("roc-cluster-config-map", &["org.apache.flink.k8s.leader.restserver"]),
        owned("Deployment", "roc", service("roc-rest")),
        owned("Deployment", "roc", config_map("flink-config-roc", &["config.yaml"])),
        owned("Deployment", "roc", taskmanager("roc-taskmanager-1-1")),
        sql(),
    ]
}

#[test]
fn a_dead_session_leaves_these_behind() {
    insta::assert_snapshot!(told(&of(everything())).join("\n"), @"
    job.batch/boot-roc: bootstrap Job that has succeeded
    service/roc-rest: Service of a session that is gone
    configmap/flink-config-roc: ConfigMap of a session that is gone
    configmap/roc-cluster-config-map: high-availability state without jobs
    pod/roc-taskmanager-1-1: TaskManager without a JobManager
    pod/sql-roc-x: SQL pod that has succeeded
    ");
}

#[test]
fn of_a_session_that_lives_in_any_way_only_sql_pods_that_have_ended_are_left_over() {
    for what in [Life::Deployment, Life::JobManager, Life::Bootstrap, Life::FlinkDeployment] {
        let inventory = Inventory { signs: vec![sign(what)], ..of(everything()) };
        assert_eq!(told(&inventory), ["pod/sql-roc-x: SQL pod that has succeeded"], "{what:?}");
        assert!(left_over(&inventory)[0].is_independent);
    }
}

#[test]
fn a_session_of_another_name_or_namespace_lives_for_itself() {
    let others = vec![
        Sign { session: "roc2".to_owned(), ..sign(Life::Deployment) },
        Sign { namespace: "team-b".to_owned(), ..sign(Life::Deployment) },
    ];
    let inventory = Inventory { signs: others, ..of(vec![bootstrap()]) };
    assert_eq!(told(&inventory).len(), 1);
}

#[test]
fn where_it_is_not_known_what_lives_nothing_of_sessions_is_left_over() {
    let hidden = |tells_life| vec![Hidden { why: "forbidden".to_owned(), tells_life }];
    let inventory = Inventory { hidden: hidden(true), ..of(everything()) };
    assert_eq!(told(&inventory), ["pod/sql-roc-x: SQL pod that has succeeded"]);
    // A kind that is not seen is not listed, and hides no other.
    let inventory = Inventory { hidden: hidden(false), ..of(everything()) };
    assert_eq!(told(&inventory).len(), 6);
}

#[test]
fn what_is_being_deleted_is_nobodys_business() {
    let leaving = everything().into_iter().map(|trace| Trace { is_leaving: true, ..trace }).collect();
    assert_eq!(told(&of(leaving)), Vec::<String>::new());
}

#[test]
fn what_says_of_no_session_that_it_belongs_to_it_is_left_alone() {
    for session in [None, Some("No_Name".to_owned()), Some(String::new())] {
        let traces = everything().into_iter().map(|trace| Trace { session: session.clone(), ..trace });
        assert_eq!(told(&of(traces.collect())), ["pod/sql-roc-x: SQL pod that has succeeded"]);
    }
}

#[test]
fn bootstrap_jobs_say_how_they_ended() {
    let failed = |why: &str| {
        let what = What::Bootstrap { failure: Some(why.to_owned()) };
        told(&of(vec![trace(Kind::Job, "boot-roc", what)])).concat()
    };
    assert_eq!(
        failed("DeadlineExceeded"),
        "job.batch/boot-roc: bootstrap Job that has failed: DeadlineExceeded"
    );
    assert_eq!(failed(""), "job.batch/boot-roc: bootstrap Job that has failed");
    // Somebody's controller looks after this one.
    assert_eq!(told(&of(vec![owned("CronJob", "nightly", bootstrap())])), Vec::<String>::new());
}

#[test]
fn services_and_config_maps_are_flinks_by_owner_or_by_name() {
    let is_left = |trace: Trace| !told(&of(vec![trace])).is_empty();
    // Without an owner, by their names alone.
    for name in ["roc", "roc-rest"] {
        assert!(is_left(service(name)), "{name}");
    }
    for name in ["flink-config-roc", "hadoop-config-roc", "kerberos-krb5conf-roc", "pod-template-roc"] {
        assert!(is_left(config_map(name, &[])), "{name}");
    }
    // 1.10 writes its own kind of owner.
    assert!(is_left(owned("service", "roc", config_map("flink-config-roc", &[]))));
    assert!(is_left(owned("Service", "roc", service("roc-rest"))));
    assert!(is_left(owned("Deployment", "roc", config_map("any", &[]))));
    // Somebody's own, with the labels copied.
    assert!(!is_left(service("roc-metrics")));
    assert!(!is_left(config_map("roc-settings", &["a"])));
    assert!(!is_left(config_map("roc-own-config-map", &["a"])));
    assert!(!is_left(owned("StatefulSet", "roc", service("roc"))));
    assert!(!is_left(owned("Deployment", "shop", service("roc-rest"))));
    assert!(!is_left(owned("ReplicaSet", "shop-1", taskmanager("shop-1-a"))));
    assert!(!is_left(owned("ReplicaSet", "shop-1", taskmanager("roc-taskmanager-1-1"))));
    assert!(!is_left(taskmanager("shop")));
    assert!(is_left(owned("Service", "roc", taskmanager("roc-taskmanager-1-1"))), "of 1.10");
}

fn state(config_maps: Vec<Trace>) -> (Vec<bool>, String) {
    let found = left_over(&of(config_maps));
    let reasons: BTreeSet<String> = found.iter().map(|left| left.reason.clone()).collect();
    (found.iter().map(|left| left.holds_state).collect(), reasons.into_iter().collect::<Vec<_>>().join(" / "))
}

#[test]
fn all_state_of_a_session_is_kept_together() {
    let job = format!("roc-{JOB_ID}-config-map");
    // As a real 2.3.0 leaves them, with a job that has not made a checkpoint.
    let graph = format!("executionPlan-{JOB_ID}");
    let cluster = config_map("roc-cluster-config-map", &["org.apache.flink.k8s.leader.dispatcher", &graph]);
    let one = "high-availability state of 1 job".to_owned();
    assert_eq!(state(vec![cluster, config_map(&job, &[])]), (vec![true, true], one.clone()));
    // As a shutdown by REST leaves one, from 1.18 on: checkpoints without a job graph.
    assert_eq!(
        state(vec![config_map(&job, &["checkpointID-0000000000000000004", "counter"])]),
        (vec![true], one.clone())
    );
    // As a real 1.20.5, with checkpoints; the job counts once.
    let graph = format!("jobGraph-{JOB_ID}");
    let cluster = config_map("roc-cluster-config-map", &[&graph]);
    assert_eq!(
        state(vec![cluster, config_map(&job, &["checkpointID-0000000000000000004", "counter"])]),
        (vec![true, true], one)
    );
    let two = config_map("roc-cluster-config-map", &["jobGraph-a", "jobGraph-b"]);
    assert_eq!(state(vec![two]).1, "high-availability state of 2 jobs");
}

#[test]
fn state_of_all_versions_is_told_by_its_names() {
    let old = format!("roc-{JOB_ID}-jobmanager-leader");
    let none = "high-availability state without jobs".to_owned();
    let leaders = ["restserver", "dispatcher", "resourcemanager"]
        .map(|of| config_map(&format!("roc-{of}-leader"), &["address", "sessionId"]));
    let empty: Vec<Trace> =
        leaders.into_iter().chain([config_map(&old, &["counter", "address", "sessionId"])]).collect();
    assert_eq!(state(empty.clone()), (vec![false; 4], none.clone()));
    let with_checkpoint = config_map(&old, &["checkpointID-0000000000000000001"]);
    let all = [&empty[..3], &[with_checkpoint]].concat();
    assert_eq!(state(all), (vec![true; 4], "high-availability state of 1 job".to_owned()));
    let labelled = Trace {
        what: What::ConfigMap { keys: Vec::new(), is_labelled_state: true },
        ..config_map("roc-something", &[])
    };
    assert_eq!(state(vec![labelled]), (vec![false], none));
}

#[test]
fn what_is_not_known_may_be_needed() {
    let may = "high-availability state that can be recovered".to_owned();
    for key in ["application-8e91dc59d12b7474c390b0a756115346", "something-new"] {
        assert_eq!(state(vec![config_map("roc-cluster-config-map", &[key])]), (vec![true], may.clone()));
    }
}

#[test]
fn state_that_is_being_deleted_still_holds_the_rest() {
    let graph = Trace { is_leaving: true, ..config_map("roc-cluster-config-map", &["jobGraph-a"]) };
    let rest = config_map(&format!("roc-{JOB_ID}-config-map"), &[]);
    assert_eq!(state(vec![graph, rest]), (vec![true], "high-availability state of 1 job".to_owned()));
}

#[test]
fn state_is_as_young_as_its_youngest_part() {
    let now: Timestamp = "2026-01-01T01:00:00Z".parse().expect("time");
    let young = Trace { touched: Some(now), ..config_map("roc-cluster-config-map", &["jobGraph-a"]) };
    let old = config_map(&format!("roc-{JOB_ID}-config-map"), &[]);
    let found = left_over(&of(vec![young, old, bootstrap()]));
    let (old, young) = older_than(found, Duration::from_secs(300), now);
    assert_eq!((old.len(), young), (1, 2));
    assert_eq!(old[0].object.name, "boot-roc");
}

#[test]
fn the_young_are_counted_and_not_listed() {
    let at = |text: &str| text.parse::<Timestamp>().expect("time");
    let aged = |limit, now: &str| {
        let (old, young) = older_than(left_over(&of(vec![bootstrap()])), Duration::from_secs(limit), at(now));
        (old.len(), young)
    };
    assert_eq!(aged(300, "2026-01-01T00:04:59Z"), (0, 1));
    assert_eq!(aged(300, "2026-01-01T00:05:00Z"), (1, 0));
    // The cluster's clock is ahead of ours.
    assert_eq!(aged(300, "2025-12-31T23:59:00Z"), (0, 1));
    assert_eq!(aged(0, "2025-12-31T23:59:00Z"), (1, 0));
    let unknown = left_over(&of(vec![Trace { touched: None, ..bootstrap() }]));
    assert_eq!(older_than(unknown, Duration::from_secs(300), at("2026-01-01T01:00:00Z")).1, 1);
}
