//! What is typed is what the processes of both roles have; what would not arrive is refused.

use crate::advice::{fix, shows};
use crate::lab::{FLINK_1_10, FLINK_1_20, FLINK_2_3, Lab, QUICK, SMALL};

/// What files, parsers and shells take for something of theirs.
const HOSTILE: &str = " it's #1: {\"a\": 'b'}, c=d; ~ `id` \\n é 日本 😀 pa$$word $(JVM_ARGS) ${HOME} $ ";

/// From 1.19 on.
const ONE_TASKMANAGER: [&str; 6] =
    ["--min-slots", "1", "--taskmanager-cpu", "0.2", "--taskmanager-memory", "1024m"];

fn pod_of(lab: &Lab, role: &str) -> String {
    let selector = format!("app=roc,component={role}");
    let field = ["get", "pod", "-l", &selector, "-o", "jsonpath={.items[*].metadata.name}"];
    lab.until(&format!("the {role}"), || !lab.kubectl_ok(&field).is_empty());
    let pod = lab.kubectl_ok(&field);
    lab.until("the container", || lab.kubectl(&["exec", &pod, "--", "true"]).code == 0);
    pod
}

fn arrives_in_both_roles(test: &str, (image, _): (&str, &str)) {
    let lab = Lab::new(test);
    let (env, setting) = (format!("PASSWORD={HOSTILE}"), format!("-Dmy.key={HOSTILE}"));
    let note = format!("note={HOSTILE}");
    let words = [
        &["create", "roc", "--image", image, "--env", &env, "--env", "TWO=a\nb: c\n", "--env", "EMPTY="][..],
        &["--annotation", "color=#ff0000", "--annotation", "a=b", "--annotation", &note, &setting],
        &ONE_TASKMANAGER,
        &QUICK,
    ];
    lab.flink_ok(&words.concat());
    for role in ["jobmanager", "taskmanager"] {
        let pod = pod_of(&lab, role);
        let value = |name: &str| lab.kubectl_ok(&["exec", &pod, "--", "printenv", name]);
        assert_eq!(value("PASSWORD"), format!("{HOSTILE}\n"), "{role}");
        assert_eq!(value("TWO"), "a\nb: c\n\n", "{role}");
        assert_eq!(value("EMPTY"), "\n", "{role}");
        let annotation = |name: &str| {
            lab.kubectl_ok(&["get", "pod", &pod, "-o", &format!("jsonpath={{.metadata.annotations.{name}}}")])
        };
        assert_eq!(annotation("color"), "#ff0000", "{role}");
        assert_eq!(annotation("note"), HOSTILE, "{role}");
        let read = format!("configuration property: my.key, {HOSTILE}\n");
        lab.until("the setting", || lab.kubectl_ok(&["logs", &pod]).contains(&read));
    }
}

#[test]
fn flink_1_20_has_what_was_typed_in_both_roles() {
    arrives_in_both_roles("values-1-20", FLINK_1_20);
}

#[test]
fn flink_2_3_has_what_was_typed_in_both_roles() {
    arrives_in_both_roles("values-2-3", FLINK_2_3);
}

/// A value in a manifest, in a pod template and in a log configuration, and a flag, typed in a shell: see "From what is
/// typed to the process that reads it" in docs/architecture.md.
#[test]
fn a_value_crosses_every_interpreter() {
    let lab = Lab::new("values-crossing");
    let files = tempfile::tempdir().expect("scratch directory");
    // JSON is YAML. The log configuration is larger than an argument may be.
    let line = "# $${ctx:flink-job-id} $(JVM_ARGS) é\n";
    let appender = "rootLogger.level = INFO\nrootLogger.appenderRef.console.ref = Console\nappender.console.name = Console\n\
        appender.console.type = CONSOLE\nappender.console.layout.type = PatternLayout\n\
        appender.console.layout.pattern = %p %c - %m%n\n";
    let log = format!("{appender}{}", line.repeat(150_000 / line.len()));
    let manifest = serde_json::json!({
        "apiVersion": "flink.apache.org/v1beta1", "kind": "FlinkDeployment", "metadata": {"name": "roc"},
        "spec": {
            "image": FLINK_2_3.0,
            "flinkConfiguration": {"my.key": HOSTILE, "slotmanager.number-of-slots.min": "1"},
            "logConfiguration": {"log4j-console.properties": log},
            "podTemplate": {
                "metadata": {"annotations": {"template": HOSTILE}},
                "spec": {"containers": [{"name": "flink-main-container", "env": [
                    {"name": "OF_TEMPLATE", "value": HOSTILE.replace('$', "$$")}
                ]}]},
            },
        },
    });
    let file = files.path().join("roc.yaml");
    std::fs::write(&file, manifest.to_string()).expect("manifest");
    let typed = format!("'{}'", format!("OF_FLAG={HOSTILE}").replace('\'', r"'\''"));
    let script = format!("exec \"$@\" --env {typed}");
    let words = [
        &[
            "create",
            "-f",
            file.to_str().expect("path"),
            "--taskmanager-cpu",
            "0.2",
            "--taskmanager-memory",
            "1024m",
        ][..],
        &QUICK,
    ];
    let plugin = lab.command(&words.concat());
    let mut shell = std::process::Command::new("bash");
    shell.args(["-c", &script, "bash"]).arg(plugin.get_program()).args(plugin.get_args());
    let output = shell.output().expect("bash");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for role in ["jobmanager", "taskmanager"] {
        let pod = pod_of(&lab, role);
        let printed = |words: &[&str]| lab.kubectl_ok(&[&["exec", &pod, "--"], words].concat());
        for name in ["OF_FLAG", "OF_TEMPLATE"] {
            assert_eq!(printed(&["printenv", name]), format!("{HOSTILE}\n"), "{role} {name}");
        }
        assert_eq!(printed(&["cat", "/opt/flink/conf/log4j-console.properties"]), log, "{role}");
        let annotation = ["get", "pod", &pod, "-o", "jsonpath={.metadata.annotations.template}"];
        assert_eq!(lab.kubectl_ok(&annotation), HOSTILE, "{role}");
        let read = format!("configuration property: my.key, {HOSTILE}\n");
        lab.until("the setting", || lab.kubectl_ok(&["logs", &pod]).contains(&read));
    }
}

#[test]
fn settings_that_are_too_large_are_refused() {
    let lab = Lab::new("values-large");
    // An argument of the plugin, too.
    let home = tempfile::tempdir().expect("scratch directory");
    let file = home.path().join("roc.yaml");
    let value = "x".repeat(130 << 10);
    let manifest = serde_json::json!({"apiVersion": "flink.apache.org/v1beta1", "kind": "FlinkDeployment",
        "metadata": {"name": "roc"}, "spec": {"flinkConfiguration": {"my.key": value}}});
    std::fs::write(&file, manifest.to_string()).expect("manifest");
    let ended = lab.flink(&["create", "-f", file.to_str().expect("path")]);
    ended.failed(1, &["my.key takes 131 KiB, and an argument of Flink's client at most 128 KiB"]);
    assert_eq!(lab.left_of("roc"), "");
}

/// The image has no locale.
#[test]
fn flink_1_10_has_text_that_is_not_ascii() {
    let lab = Lab::new("values-text");
    let text = "é 日本 😀";
    let (env, setting) = (format!("TEXT={text}"), format!("-Dmy.key={text}"));
    lab.flink_ok(
        &[&["create", "roc", "--image", FLINK_1_10.0, "--env", &env, &setting][..], &SMALL].concat(),
    );
    let pod = pod_of(&lab, "jobmanager");
    assert_eq!(lab.kubectl_ok(&["exec", &pod, "--", "printenv", "TEXT"]), format!("{text}\n"));
    // What the JobManager has read of the file.
    let config = lab.rest_json("roc", "/jobmanager/config").to_string();
    assert!(config.contains(text), "{config}");
}

#[test]
fn the_locale_that_the_user_sets_wins() {
    let lab = Lab::new("values-locale");
    let words = ["create", "roc", "--image", FLINK_2_3.0, "--env", "LANG=en_US.ISO-8859-1"];
    lab.flink_ok(&[&words[..], &QUICK].concat());
    let pod = pod_of(&lab, "jobmanager");
    assert_eq!(lab.kubectl_ok(&["exec", &pod, "--", "printenv", "LANG"]), "en_US.ISO-8859-1\n");
}

#[test]
fn flink_1_10_refuses_what_it_would_lose() {
    let lab = Lab::new("values-1-10");
    for words in [
        ["--env", "PASSWORD=secret #1"],
        ["--env", "PASSWORD=two\nlines"],
        ["-D", "my.key= outer "],
        ["-D", "my.key="],
    ] {
        let ended = lab.flink(&[&["create", "roc", "--image", FLINK_1_10.0][..], &words].concat());
        ended.failed(1, &["needs Flink 1.19 or later, and this is Flink 1.10"]);
    }
    assert_eq!(lab.left_of("roc"), "");
}

#[test]
fn a_setting_that_keeps_taskmanagers_away_is_reported() {
    let lab = Lab::new("values-unread");
    let wrong = ["-Dkubernetes.taskmanager.annotations=color"];
    let words = [&["create", "roc", "--image", FLINK_2_3.0][..], &wrong, &ONE_TASKMANAGER, &QUICK];
    lab.flink_ok(&words.concat());
    let said = "the JobManager of session roc cannot parse the value of kubernetes.taskmanager.annotations";
    lab.until("the finding", || lab.flink(&["status", "roc"]).stdout.contains(said));
    assert_eq!(lab.flink(&["status", "roc", "--exit-code"]).code, 5);
    let fix = fix(&lab, "roc", "setting-not-parsed");
    let (_, settings) = fix.split_once("it stands in: ").expect("a command");
    shows(lab.kubectl_as_printed(settings), settings, "annotations: color");
}
