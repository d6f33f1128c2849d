//! What `submit` can be asked for, and the ways on which it reaches a session.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::advice::{fix, shows};
use crate::create::shared_directory;
use crate::jobs::{NO_MAIN, PROGRAMS, SMALL_TASKMANAGERS, all_tasks_run, jars, jobs, state, submit, the_id};
use crate::lab::{FLINK_2_3, Lab, QUICK};

fn session(lab: &Lab, words: &[&str]) {
    let create = ["create", "roc", "--image", FLINK_2_3.0];
    lab.flink_ok(&[&create[..], &QUICK, &SMALL_TASKMANAGERS, words].concat());
}

fn cancel(lab: &Lab, id: &str) {
    assert_eq!(lab.flink_ok(&["cancel", "roc", id]), format!("job/{id} canceled\n"));
}

#[test]
fn a_job_starts_as_it_is_asked_for() {
    let lab = Lab::new("submit");
    session(&lab, &["--slots", "2"]);
    settings_are_of_one_job(&lab);
    a_class_is_started_by_its_name(&lab);
    parallelism_takes_as_many_slots(&lab);
    scripts_read_json(&lab);
    jars_of_any_name_start_and_leave_nothing_behind(&lab);
    a_jar_stays_where_it_is_to_stay(&lab);
    an_address_is_a_way_too(&lab);
    who_may_not_forward_ports_goes_through_the_proxy(&lab);
    who_may_neither_is_told_so(&lab);
    what_is_no_jar_here_starts_by_the_printed_command(&lab);
}

fn settings_are_of_one_job(lab: &Lab) {
    let reuses = |id: &str| {
        lab.rest_json("roc", &format!("/jobs/{id}/config"))["execution-config"]["object-reuse-mode"].clone()
    };
    let with = the_id(&submit(lab, &["-D", "pipeline.object-reuse=true"], &["long"]));
    let without = the_id(&submit(lab, &[], &["long"]));
    assert_eq!((reuses(&with), reuses(&without)), (true.into(), false.into()));
    // Their name means both.
    lab.flink(&["cancel", "roc", "long"]).failed(1, &["\"long\" means 2 jobs of session roc"]);
    let cancelled = lab.flink_ok(&["cancel", "roc", &with, &without]);
    assert_eq!(cancelled.lines().count(), 2, "{cancelled}");
}

fn a_class_is_started_by_its_name(lab: &Lab) {
    lab.flink(&["submit", "roc", PROGRAMS, "--class", "NoSuch", "--", "long"])
        .failed(1, &["the program in programs.jar failed", "NoSuch"]);
    let submitted = lab.flink(&["submit", "roc", NO_MAIN, "--class", "Programs", "--", "long"]);
    cancel(lab, &the_id(&submitted));
}

fn parallelism_takes_as_many_slots(lab: &Lab) {
    let id = the_id(&submit(lab, &["-p", "2"], &["long"]));
    all_tasks_run(lab, &id);
    let told = lab.rest_json("roc", &format!("/jobs/{id}"));
    assert_eq!(told["vertices"][0]["parallelism"], 2, "{told}");
    cancel(lab, &id);
}

fn scripts_read_json(lab: &Lab) {
    let printed = submit(lab, &["-o", "json"], &["long"]);
    assert_eq!(printed.code, 0, "{}", printed.stderr);
    let job: Value = serde_json::from_str(&printed.stdout).expect("JSON");
    let (id, _) = jobs(lab).into_iter().find(|(_, state)| state != "CANCELED").expect("a job");
    assert_eq!((&job["kind"], &job["session"]), (&"FlinkJob".into(), &"roc".into()), "{job}");
    let metadata = &job["metadata"];
    assert_eq!(
        (&metadata["name"], &metadata["namespace"]),
        (&id.clone().into(), &lab.namespace.clone().into())
    );
    assert_eq!(job["status"]["name"], "long", "{job}");
    cancel(lab, &id);
    let named = submit(lab, &["-o", "name"], &["long"]).stdout;
    let id = named.trim_end().strip_prefix("job/").expect("job/ID");
    cancel(lab, id);
}

fn jars_of_any_name_start_and_leave_nothing_behind(lab: &Lab) {
    let files = tempfile::tempdir().expect("scratch directory");
    // Users who are not allowed to forward ports reach the session through another server, which decodes URLs too.
    let user = lab.user("names", &[READS, ("get,create,patch,delete", "pods/proxy")]);
    let long = "o".repeat(250) + ".jar";
    for name in ["a+b.jar", "50%25 off?.jar", "a#b&c;d.jar", "\"best\" \\ 订单-é.jar", &long] {
        let jar = files.path().join(name);
        std::fs::copy(PROGRAMS, &jar).expect("a copy");
        let jar = jar.to_str().expect("UTF-8");
        for submitted in [
            lab.flink(&["submit", "roc", jar, "--", "long"]),
            lab.flink_as(&user, &["submit", "roc", jar, "--", "long"]),
        ] {
            let id = the_id(&submitted);
            assert!(submitted.stderr.contains(&format!("uploaded {name}: ")), "{}", submitted.stderr);
            cancel(lab, &id);
        }
        let failed = format!("the program in {name} failed");
        lab.flink(&["submit", "roc", jar, "--class", "NoSuch"]).failed(1, &[&failed, "NoSuch"]);
        assert_eq!(jars(lab), 0, "{name}");
    }
}

fn a_jar_stays_where_it_is_to_stay(lab: &Lab) {
    let id = the_id(&submit(lab, &["--keep-jar"], &["long"]));
    assert_eq!(jars(lab), 1);
    cancel(lab, &id);
}

/// A port of this machine that leads to REST.
pub struct Forwarded {
    kubectl: Child,
    pub port: String,
}

impl Forwarded {
    pub fn to(lab: &Lab, object: &str) -> Self {
        let mut kubectl = Command::new("kubectl")
            .args(["--context", lab.context(), "-n", &lab.namespace, "port-forward", object, ":8081"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("kubectl port-forward");
        let mut line = String::new();
        BufReader::new(kubectl.stdout.as_mut().expect("stdout")).read_line(&mut line).expect("address");
        let port = line.split_once("127.0.0.1:").and_then(|(_, rest)| rest.split(' ').next());
        Self { port: port.expect("a port").to_owned(), kubectl }
    }
}

impl Drop for Forwarded {
    fn drop(&mut self) {
        let _ = self.kubectl.kill();
        let _ = self.kubectl.wait();
    }
}

fn an_address_is_a_way_too(lab: &Lab) {
    let forwarded = Forwarded::to(lab, "service/roc-rest");
    let address = format!("http://127.0.0.1:{}", forwarded.port);
    // Nothing is asked of Kubernetes: no context, and a kubeconfig that is not there.
    let flink = |words: &str| {
        lab.flink_as_printed(&format!("kubectl flink {words} --kubeconfig /none --address {address}"))
    };
    let submitted = lab.flink_as_printed(&format!(
        "kubectl flink submit roc {PROGRAMS} --kubeconfig /none --address {address} -- long"
    ));
    let id = the_id(&submitted);
    assert!(submitted.stderr.contains(&format!("kubectl flink jobs roc {id} --address {address}")));
    let cancelled = flink(&format!("cancel roc {id}"));
    assert_eq!((cancelled.code, cancelled.stdout), (0, format!("job/{id} canceled\n")));
    drop(forwarded);
    flink("cancel roc --all")
        .failed(1, &[&format!("REST of {address} does not answer"), "refuses the connection"]);
}

/// Enough to find a session, and to say why it does not answer.
pub const READS: (&str, &str) =
    ("get,list,watch", "deployments.apps,services,configmaps,pods,jobs.batch,events");

fn who_may_not_forward_ports_goes_through_the_proxy(lab: &Lab) {
    let user = lab.user("proxies", &[READS, ("get,create,patch,delete", "pods/proxy")]);
    let submitted = lab.flink_as(&user, &["submit", "roc", PROGRAMS, "--", "long"]);
    let id = the_id(&submitted);
    assert_eq!(jars(lab), 1, "the one that was to stay");
    let cancelled = lab.flink_as(&user, &["cancel", "roc", &id]);
    assert_eq!(
        (cancelled.code, cancelled.stdout),
        (0, format!("job/{id} canceled\n")),
        "{}",
        cancelled.stderr
    );
    assert_eq!(state(lab, &id), "CANCELED");
}

fn who_may_neither_is_told_so(lab: &Lab) {
    let user = lab.user("reads", &[READS]);
    for words in [&["submit", "roc", PROGRAMS, "--", "long"][..], &["cancel", "roc", "--all"]] {
        lab.flink_as(&user, words).failed(
            1,
            &[
                "cannot reach the REST API of session roc: user ",
                "on pods/portforward or `get` on pods/proxy",
                "kubectl auth can-i get pods --subresource=portforward",
            ],
        );
    }
}

#[test]
fn of_two_jobmanagers_the_leader_gets_every_program() {
    let lab = Lab::new("leader");
    let files = tempfile::tempdir().expect("scratch directory");
    let ha = shared_directory(&lab, &files);
    let mut words: Vec<&str> = ha.iter().map(String::as_str).collect();
    words.extend(["--jobmanager-replicas", "2", "--slots", "5"]);
    session(&lab, &words);
    let ready = ["get", "deployment", "roc", "-o", "jsonpath={.status.readyReplicas}"];
    lab.until("both JobManagers", || lab.kubectl_ok(&ready) == "2");
    let ids: Vec<String> = (0..5).map(|_| the_id(&submit(&lab, &[], &["long"]))).collect();
    let on_rest = jobs(&lab);
    assert!(ids.iter().all(|id| on_rest.iter().any(|(other, _)| other == id)), "{ids:?}: {on_rest:?}");
    assert_eq!(lab.flink_ok(&["cancel", "roc", "--all"]).matches(" canceled\n").count(), 5);
}

#[test]
fn who_waits_for_slots_that_a_quota_forbids_hears_of_it() {
    let lab = Lab::new("slots");
    let template = tempfile::NamedTempFile::with_suffix(".yaml").expect("file");
    let spec = format!(
        "spec: {{priorityClassName: {}, containers: [{{name: flink-main-container}}]}}\n",
        lab.namespace
    );
    std::fs::write(template.path(), spec).expect("template");
    let path = template.path().to_string_lossy();
    let large = ["--taskmanager-cpu=100", "--taskmanager-memory=1g", "--ignore-preflight"];
    let of_class = ["create", "roc", "--image", FLINK_2_3.0, "--taskmanager-pod-template", &path];
    lab.flink_ok(&[&of_class[..], &QUICK, &large].concat());
    a_refusal_that_has_no_name_is_read_in_the_log(&lab);
    // The JobManager is there already; the bootstrap pod has ended, and does not count.
    lab.kubectl_ok(&["create", "quota", "team", "--hard=pods=1"]);
    lab.until("the quota", || {
        lab.kubectl_ok(&["get", "quota", "team", "-o", "jsonpath={.status.used.pods}"]) == "1"
    });
    let ended = submit(&lab, &["--wait", "--timeout", "40s"], &["long"]);
    assert_eq!(ended.code, 3, "{}", ended.stderr);
    let id = ended.stdout.trim_end();
    for words in [
        &format!("job {id} waits for slots: the API server refuses the TaskManager pods of session roc"),
        "exceeded quota: team",
        "kubectl describe quota",
        &format!("job {id} has not ended within 40 s, and goes on"),
    ] {
        assert!(ended.stderr.contains(words), "{words:?} is not in:\n{}", ended.stderr);
    }
    assert_eq!(ended.stderr.matches("waits for slots").count(), 1, "once: {}", ended.stderr);
    // With room in the quota, there is no node for its TaskManager.
    lab.kubectl_ok(&["delete", "quota", "team"]);
    let fix = fix(&lab, "roc", "unschedulable");
    let (_, describe) = fix.split_once("--taskmanager-memory): ").expect("a command");
    shows(lab.kubectl_as_printed(describe), describe, "Insufficient cpu");
}

/// The priority class that the TaskManagers name comes later.
fn a_refusal_that_has_no_name_is_read_in_the_log(lab: &Lab) {
    let id = the_id(&submit(lab, &[], &["long"]));
    let logs = fix(lab, "roc", "taskmanager-pod-refused");
    shows(lab.kubectl_as_printed(&logs), &logs, "no PriorityClass with name");
    cancel(lab, &id);
    lab.apply("apiVersion: scheduling.k8s.io/v1\nkind: PriorityClass\nvalue: 1\nmetadata: {name: NAMESPACE, labels: {e2e: NAMESPACE}}\n");
}

/// A jar in the session's pod, which kubectl brings here.
fn what_is_no_jar_here_starts_by_the_printed_command(lab: &Lab) {
    let jar = std::fs::read(PROGRAMS).expect("jar");
    lab.kubectl_with_bytes(&["exec", "-i", "deployment/roc", "--", "tee", "/tmp/my job.jar"], &jar);
    let refused =
        lab.flink(&["submit", "roc", "local:///tmp/my job.jar", "--class", "Programs", "--", "long"]);
    refused.failed(1, &["it names a file of the session's image"]);
    cancel(lab, &the_id(&lab.kubectl_as_printed(refused.hint(""))));
}

#[test]
fn an_sql_script_runs_by_the_printed_command() {
    let lab = &Lab::new("sql");
    session(lab, &[]);
    let files = tempfile::tempdir().expect("scratch directory");
    has_sql_client(lab, files.path());
    let before = jobs(lab).len();
    let runs = |words: &str| {
        let script = files.path().join("it's mine.sql");
        std::fs::write(&script, words).expect("script");
        let refused = lab.flink(&["submit", "roc", script.to_str().expect("UTF-8")]);
        refused.failed(1, &["is an SQL script"]);
        let ran = lab.kubectl_as_printed(refused.hint("Flink's SQL client runs it in the session: "));
        assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
        jobs(lab).len() - before
    };
    let script =
        "CREATE TABLE nowhere (n INT) WITH ('connector' = 'blackhole');\nINSERT INTO nowhere VALUES (1);\n";
    // It ends at its first error, as a script has to.
    assert_eq!((runs(&format!("SELEC 1;\n{script}")), runs(script)), (0, 1));
    lab.until("the end of the script's job", || jobs(lab).iter().any(|(_, state)| state == "FINISHED"));
}

/// A part of Flink's SQL client, and its SHA-256.
const SQL_GATEWAY: (&str, &str) = (
    "org.apache.flink:flink-sql-gateway:2.3.0",
    "aad296a152dc367ddd70727f5a57dd61958cff3d8dceb1f947bf8d9705c8d724",
);

/// Flink's own images have all of its SQL client. Those of the test cluster come from PyPI, and lack a jar, which Maven
/// fetches.
fn has_sql_client(lab: &Lab, files: &std::path::Path) {
    let in_pod = ["exec", "-i", "deployment/roc", "--"];
    let is_whole = ["sh", "-c", "ls opt/flink-sql-gateway-*.jar"];
    if lab.kubectl(&[&in_pod[..], &is_whole].concat()).code == 0 {
        return;
    }
    let ((artifact, sum), jar) = (SQL_GATEWAY, files.join("flink-sql-gateway-2.3.0.jar"));
    let fetched = Command::new("mvn")
        .args(["-q", "-B", "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"])
        .args([format!("-Dartifact={artifact}"), format!("-DoutputDirectory={}", files.display())])
        .status()
        .expect("mvn, which fetches a jar that the image lacks: install the package maven");
    assert!(fetched.success(), "{artifact} cannot be fetched");
    let compared = format!("echo \"{sum}  $0\" | sha256sum --check --strict --quiet -");
    let is_right = Command::new("sh").args(["-c", &compared]).arg(&jar).status().expect("sh").success();
    assert!(is_right, "{artifact} is not what it was");
    let to = ["tee", "opt/flink-sql-gateway-2.3.0.jar"];
    lab.kubectl_with_bytes(&[&in_pod[..], &to].concat(), &std::fs::read(&jar).expect("jar"));
}
