//! Sessions in namespaces whose LimitRanges refuse what the bootstrap pod asks for elsewhere.

use crate::jobs::{PROGRAMS, the_id};
use crate::lab::{FLINK_2_3, Lab};

/// Each refuses what the bootstrap pod asks for where nothing limits it; the session's own pods fit into all of them.
const LIMITS: [(&str, &str); 3] = [
    ("a ratio", "{type: Container, maxLimitRequestRatio: {cpu: '8'}}"),
    ("a minimum", "{type: Pod, min: {cpu: 120m, memory: 600Mi}}"),
    ("a maximum", "{type: Container, max: {cpu: 800m, memory: 2Gi}}"),
];

#[test]
fn a_session_starts_under_limit_ranges_that_refuse_the_usual_bootstrap_pod() {
    let lab = Lab::new("limit-range");
    // No limit factors: requests are limits, except the bootstrap pod's.
    let create = [
        "create",
        "roc",
        "--image",
        FLINK_2_3.0,
        "--jobmanager-cpu=0.3",
        "--taskmanager-cpu=0.2",
        "--jobmanager-memory=1g",
        "--taskmanager-memory=1g",
        "--timeout=10m",
        "-Dpekko.ask.timeout=1min",
        "-Dweb.cancel.enable=false",
    ];
    let limit = |rule: &str| {
        let named = "apiVersion: v1\nkind: LimitRange\nmetadata: {generateName: sizes-}";
        lab.kubectl_with_input(&["create", "-f", "-"], &format!("{named}\nspec: {{limits: [{rule}]}}\n"));
    };
    for (what, rule) in LIMITS {
        limit(rule);
        let tried = lab.flink(&[&create[..], &["--dry-run=server"]].concat());
        assert_eq!(tried.code, 0, "{what}: {}", tried.stderr);
        lab.kubectl_ok(&["delete", "limitrange", "--all"]);
    }
    LIMITS.iter().for_each(|(_, rule)| limit(rule));
    lab.flink_ok(&create);
    let size = "jsonpath={.items[0].spec.containers[0].resources}";
    let bootstrap = lab.kubectl_ok(&["get", "pod", "-l", "job-name=boot-roc", "-o", size]);
    assert!(bootstrap.contains(r#""cpu":"800m""#) && bootstrap.contains(r#""cpu":"120m""#), "{bootstrap}");
    // The setting hides a button of the web UI; REST takes the request all the same.
    let job = the_id(&lab.flink(&["submit", "roc", PROGRAMS, "--", "long"]));
    assert_eq!(lab.flink_ok(&["cancel", "roc", &job]), format!("job/{job} canceled\n"));
}
