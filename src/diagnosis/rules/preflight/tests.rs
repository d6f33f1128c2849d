//! Every finding before the first write, in its exact words.

use super::*;
use crate::model::surroundings::{Amounts, Limit, Quota, Secret};
use crate::session::spec::quantity;
use crate::session::spec::settings::{Expose, Layer, Settings, Source};

fn asked(settings: Settings) -> SessionSpec {
    let layer = Layer { source: Source::Flags, settings, ..Layer::default() };
    SessionSpec::resolve("roc".parse().expect("name"), vec![layer], true).expect("settings")
}

fn plain_spec() -> SessionSpec {
    asked(Settings::default())
}

fn around() -> Surroundings {
    Surroundings { namespace: "team-a".to_owned(), scope: " -n team-a".to_owned(), ..Surroundings::default() }
}

fn amounts(pairs: &[(&str, &str)]) -> Amounts {
    pairs.iter().map(|(name, text)| ((*name).to_owned(), quantity::kubernetes(text).expect(text))).collect()
}

fn quota(hard: &[(&str, &str)], used: &[(&str, &str)]) -> Surroundings {
    let quota = Quota { name: "team-a".to_owned(), hard: amounts(hard), used: amounts(used) };
    Surroundings { quotas: vec![quota], ..around() }
}

fn node(name: &str, allocatable: &[(&str, &str)], asked: Option<&[(&str, &str)]>) -> Node {
    Node {
        name: name.to_owned(),
        allocatable: amounts(allocatable),
        asked: asked.map(amounts),
        ..Node::default()
    }
}

/// Everything that is found, as a person would read it.
fn told(spec: &SessionSpec, around: &Surroundings) -> String {
    let lines = findings(spec, around).into_iter().map(|finding| {
        let kind = if finding.cannot_heal { "refused" } else { "warning" };
        let evidence = finding.evidence.map(|text| format!("\n  {text}")).unwrap_or_default();
        format!("{kind} ({}): {}{evidence}\n  fix: {}\n", finding.id, finding.summary, finding.fix)
    });
    lines.collect()
}

#[test]
fn a_place_of_which_nothing_is_known_stands_in_no_way() {
    assert_eq!(told(&plain_spec(), &around()), "");
    let roomy = [("limits.cpu", "20"), ("requests.memory", "64Gi"), ("pods", "10"), ("services", "10")];
    assert_eq!(told(&plain_spec(), &quota(&roomy, &[])), "");
}

#[test]
fn a_quota_is_told_with_numbers() {
    let big = asked(Settings {
        taskmanager_cpu: "4".parse().ok(),
        taskmanager_memory: "8g".parse().ok(),
        ..Settings::default()
    });
    let replicas = asked(Settings {
        ha: Some("hdfs:///ha".to_owned()),
        jobmanager_replicas: Some(3),
        ..Settings::default()
    });
    let exposed = asked(Settings { expose: Some(Expose::LoadBalancer), ..Settings::default() });
    insta::assert_snapshot!(
        [
            told(
                &big,
                &quota(
                    &[("limits.cpu", "10"), ("requests.cpu", "10")],
                    &[("limits.cpu", "8"), ("requests.cpu", "8")]
                )
            ),
            told(&big, &quota(&[("limits.memory", "10Gi")], &[("limits.memory", "1Gi")])),
            told(&plain_spec(), &quota(&[("cpu", "1500m")], &[])),
            told(&plain_spec(), &quota(&[("limits.memory", "256Mi")], &[])),
            told(&plain_spec(), &quota(&[("pods", "5"), ("services", "1")], &[("pods", "4")])),
            told(&replicas, &quota(&[("requests.cpu", "2")], &[])),
            told(&exposed, &quota(&[("services.loadbalancers", "0"), ("services.nodeports", "0")], &[])),
            told(&plain_spec(), &quota(&[("count/jobs.batch", "2")], &[("count/jobs.batch", "3")])),
        ]
        .join("\n")
    );
}

#[test]
fn a_limit_range_is_told_with_numbers() {
    let limit = |kind: &str, most: &[(&str, &str)], least: &[(&str, &str)]| Surroundings {
        limits: vec![Limit {
            name: "small".to_owned(),
            kind: kind.to_owned(),
            most: amounts(most),
            least: amounts(least),
            ..Limit::default()
        }],
        ..around()
    };
    insta::assert_snapshot!(
        [
            told(&plain_spec(), &limit("Container", &[("memory", "1Gi"), ("cpu", "1")], &[])),
            told(&plain_spec(), &limit("Pod", &[], &[("cpu", "500m"), ("memory", "256Mi")])),
            told(&plain_spec(), &limit("PersistentVolumeClaim", &[("storage", "1Gi")], &[])),
        ]
        .join("\n")
    );
}

#[test]
fn nodes_that_are_too_small_are_told_from_nodes_that_are_full() {
    let of = |nodes: Vec<Node>| Surroundings { nodes, ..around() };
    let four = asked(Settings { slots: Some(4), ..Settings::default() });
    let two_cpus: &[(&str, &str)] = &[("cpu", "2"), ("memory", "8Gi")];
    let pool = Node { is_provided: true, ..node("n1", two_cpus, None) };
    let tainted = Node {
        taints: vec![["gpu".to_owned(), "yes".to_owned(), "NoSchedule".to_owned()]],
        ..node("n1", two_cpus, None)
    };
    let tolerant =
        asked(Settings { tolerations: vec!["gpu".parse().expect("taint")], ..Settings::default() });
    let choosy = asked(Settings {
        node_selector: [("disk".to_owned(), "ssd".to_owned())].into(),
        ..Settings::default()
    });
    insta::assert_snapshot!(
        [
            told(
                &four,
                &of(vec![node("n1", two_cpus, None), node("n2", &[("cpu", "1"), ("memory", "1Gi")], None)])
            ),
            told(&four, &of(vec![pool])),
            told(
                &plain_spec(),
                &of(vec![node("n1", two_cpus, Some(&[("cpu", "1700m"), ("memory", "7Gi")]))])
            ),
            told(&plain_spec(), &of(vec![tainted.clone()])),
            told(&choosy, &of(vec![node("n1", two_cpus, None), node("n2", two_cpus, None)])),
            told(&plain_spec(), &of(vec![Node { unschedulable: true, ..node("n1", two_cpus, None) }])),
        ]
        .join("\n")
    );
    assert_eq!(told(&tolerant, &of(vec![tainted])), "");
    assert_eq!(told(&plain_spec(), &of(vec![node("n1", two_cpus, Some(&[("cpu", "500m")]))])), "");
}

#[test]
fn secrets_that_will_not_do() {
    let names = asked(Settings {
        image_pull_secrets: vec!["regcred".to_owned()],
        secret_env: [("KEY".to_owned(), "s3:secret".parse().expect("key"))].into(),
        ..Settings::default()
    });
    let with = |pull: Option<&str>, env: Option<&[&str]>| {
        let kind = |kind: Option<&str>| kind.map(str::to_owned);
        let keys = env.map(|keys| keys.iter().map(|key| (*key).to_owned()).collect());
        let of_env = Secret { name: "s3".to_owned(), kind: env.map(|_| "Opaque".to_owned()), keys };
        let of_pull = Secret { name: "regcred".to_owned(), kind: kind(pull), keys: None };
        told(&names, &Surroundings { secrets: vec![of_pull, of_env], ..around() })
    };
    let right = Some("kubernetes.io/dockerconfigjson");
    insta::assert_snapshot!(
        [
            with(None, Some(&["secret"])),
            with(Some("Opaque"), Some(&["secret"])),
            with(right, None),
            with(right, Some(&["user", "password"])),
            with(right, Some(&[])),
        ]
        .join("\n")
    );
    assert_eq!(with(right, Some(&["secret"])), "");
    // Who may not read Secrets is not told that there are none.
    assert_eq!(told(&names, &around()), "");
}

#[test]
fn rights_and_the_state_of_the_namespace() {
    insta::assert_snapshot!(
        [
            told(&plain_spec(), &Surroundings { terminating: true, ..around() }),
            told(
                &plain_spec(),
                &Surroundings { user_lacks: vec!["create jobs.batch".to_owned()], ..around() }
            ),
            told(
                &plain_spec(),
                &Surroundings {
                    account_lacks: vec!["list pods".to_owned(), "create deployments.apps".to_owned()],
                    ..around()
                }
            ),
        ]
        .join("\n")
    );
}

#[test]
fn a_namespace_that_is_being_deleted_is_one_cause_with_one_hint() {
    let words =
        "is forbidden: unable to create new content in namespace team-a because it is being terminated";
    let all = Surroundings {
        terminating: true,
        user_lacks: vec!["create jobs.batch".to_owned()],
        refused_manifests: ["serviceaccount/flink", "job.batch/boot-roc", "service/roc"]
            .map(|object| (object.to_owned(), format!("{object} {words}")))
            .to_vec(),
        refused_pods: ["bootstrap", "JobManager", "TaskManager"]
            .map(|role| (role, format!("pods \"x\" {words}")))
            .to_vec(),
        ..around()
    };
    let told = findings(&plain_spec(), &all);
    assert_eq!(told.iter().map(|finding| finding.id).collect::<Vec<_>>(), ["namespace-terminating"]);
    // Who may not read the namespace learns it from the refusals.
    assert_eq!(findings(&plain_spec(), &Surroundings { terminating: false, ..all }), told);
}

#[test]
fn a_policy_that_denies_an_object_is_named() {
    let words = "services \"roc-rest\" is forbidden: ValidatingAdmissionPolicy 'no-services' with binding 'all' denied request: no";
    let around = Surroundings {
        refused_manifests: vec![("service/roc-rest".to_owned(), words.to_owned())],
        ..around()
    };
    insta::assert_snapshot!(told(&plain_spec(), &around));
}

#[test]
fn an_object_that_the_server_would_not_take() {
    let refusing = |objects: &[(&str, &str)], lacks: &[&str]| Surroundings {
        refused_manifests: objects.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect(),
        user_lacks: lacks.iter().map(|right| (*right).to_owned()).collect(),
        ..around()
    };
    let role = (
        "role.rbac.authorization.k8s.io/kubectl-flink",
        "user \"me\" is attempting to grant RBAC permissions not currently held",
    );
    let job = ("job.batch/boot-roc", "admission webhook \"policy\" denied the request: no owner");
    insta::assert_snapshot!(
        [
            told(&plain_spec(), &refusing(&[role, job], &[])),
            told(&plain_spec(), &refusing(&[job], &["create jobs.batch"])),
        ]
        .join("\n")
    );
}

#[test]
fn a_pod_that_the_server_would_not_take() {
    const SECURITY: &str =
        "pods \"roc-x\" is forbidden: violates PodSecurity \"restricted:latest\": runAsNonRoot != true";
    let by_hand = asked(Settings { rbac: Some(Grant::None), ..Settings::default() });
    assert!(
        told(&by_hand, &Surroundings { account_lacks: vec!["list pods".to_owned()], ..around() })
            .contains("--rbac=role")
    );
    let restricted = asked(Settings { restricted: Some(true), ..Settings::default() });
    let old = asked(Settings { image: Some("flink:1.12.5".to_owned()), ..Settings::default() });
    let enforcing = |refused: &[(&'static str, &str)], unreadable: &[&str]| Surroundings {
        pod_security: Some("restricted".to_owned()),
        refused_pods: refused.iter().map(|(role, words)| (*role, (*words).to_owned())).collect(),
        unreadable: unreadable.iter().map(|part| (*part).to_owned()).collect(),
        ..around()
    };
    let both = [("JobManager", SECURITY), ("TaskManager", SECURITY)];
    insta::assert_snapshot!(
        [
            told(&plain_spec(), &enforcing(&both, &[])),
            told(&restricted, &enforcing(&both, &[])),
            told(&old, &enforcing(&both, &[])),
            told(&plain_spec(), &enforcing(&[], &["pods"])),
            told(
                &plain_spec(),
                &enforcing(
                    &[("JobManager", "admission webhook \"policy\" denied the request: no latest tags")],
                    &[]
                )
            ),
        ]
        .join("\n")
    );
    assert_eq!(told(&plain_spec(), &enforcing(&[], &[])), "", "the server was asked and took them");
    assert_eq!(told(&restricted, &enforcing(&[], &["pods"])), "");
}

#[test]
fn what_numbers_have_told_is_not_told_again_in_the_servers_words() {
    let around = Surroundings {
        refused_pods: vec![("TaskManager", "pods \"roc-x\" is forbidden: exceeded quota: team-a".to_owned())],
        ..quota(&[("limits.cpu", "1")], &[])
    };
    assert_eq!(findings(&plain_spec(), &around).len(), 1);
}
