//! The Job, and its script against a made-up image.

use std::process::Command;

use super::*;
use crate::session::pod_template::PodTemplate;
use crate::session::settings::Settings;
use crate::session::spec::tests::{spec, with};

#[test]
fn the_job_tries_once_and_is_restricted() {
    let job = job(&spec(), "team-a", Duration::from_secs(300));
    // The script and the settings have tests of their own.
    let mut value = serde_json::to_value(&job).expect("serializable");
    let container = &mut value["spec"]["template"]["spec"]["containers"][0];
    container["command"][2] = "(bootstrap.sh)".into();
    container["args"] = "(settings)".into();
    insta::assert_snapshot!(serde_json::to_string_pretty(&value).expect("json"));
}

#[test]
fn the_job_lives_at_least_as_long_as_the_wait() {
    let deadline =
        |secs| job(&spec(), "team-a", Duration::from_secs(secs)).spec.and_then(|s| s.active_deadline_seconds);
    assert_eq!(deadline(1), Some(600));
    assert_eq!(deadline(3600), Some(3600));
}

/// Runs the script against a made-up image whose client prints its arguments and its files.
fn run(jars: &[&str], spec: &SessionSpec) -> (i32, String) {
    let home = tempfile::tempdir().expect("scratch directory");
    std::fs::create_dir_all(home.path().join("lib")).expect("lib");
    std::fs::create_dir_all(home.path().join("bin")).expect("bin");
    std::fs::create_dir_all(home.path().join("conf")).expect("conf");
    std::fs::write(home.path().join("conf/flink-conf.yaml"), "shipped: true\n").expect("conf");
    std::fs::create_dir_all(home.path().join("opt")).expect("opt");
    for plugin in ["s3-fs-hadoop", "s3-fs-presto"] {
        std::fs::write(home.path().join(format!("opt/flink-{plugin}-2.3.0.jar")), "").expect("plugin");
    }
    for jar in jars {
        std::fs::write(home.path().join("lib").join(jar), "").expect("jar");
    }
    let client = home.path().join("bin/kubernetes-session.sh");
    let files = home.path().join("files").to_string_lossy().into_owned();
    std::fs::write(
        &client,
        "#!/bin/sh\nprintf '%s\\n' \"$@\"\ngrep -r '' FILES\necho conf=${FLINK_CONF_DIR-}\n"
            .replace("FILES", &files),
    )
    .expect("client");
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&client, executable).expect("mode");
    let output = Command::new("bash")
        .args(["-c", SCRIPT, "bootstrap"])
        .args(
            arguments(spec, "team-a")
                .into_iter()
                .map(|word| if word == FILES { files.clone() } else { word }),
        )
        .env("FLINK_HOME", home.path())
        .output()
        .expect("bash");
    let text = String::from_utf8_lossy(&output.stdout).replace(&*home.path().to_string_lossy(), "HOME");
    (output.status.code().unwrap_or(-1), text)
}

#[test]
fn the_jar_decides_the_keys() {
    let sized = with(Settings {
        image: Some("mine".to_owned()),
        jobmanager_cpu: "0.5".parse().ok(),
        ..Settings::default()
    });
    for (jar, keys) in [
        (
            "flink-dist_2.11-1.10.3.jar",
            ["kubernetes.container.image=", "jobmanager.heap.size=", "kubernetes.jobmanager.cpu="],
        ),
        (
            "flink-dist_2.12-1.14.6.jar",
            ["kubernetes.container.image=", "kubernetes.service-account=", "kubernetes.jobmanager.cpu="],
        ),
        (
            "flink-dist-1.16.3.jar",
            ["kubernetes.container.image=", "jobmanager.memory.process.size=", "kubernetes.jobmanager.cpu="],
        ),
        (
            "flink-dist-1.17.2.jar",
            [
                "kubernetes.container.image.ref=",
                "kubernetes.service-account=",
                "kubernetes.jobmanager.cpu.amount=",
            ],
        ),
        (
            "flink-dist-2.3.0.jar",
            [
                "kubernetes.container.image.ref=",
                "kubernetes.service-account=",
                "kubernetes.jobmanager.cpu.amount=",
            ],
        ),
        (
            "flink-dist-3.0-SNAPSHOT.jar",
            [
                "kubernetes.container.image.ref=",
                "kubernetes.service-account=",
                "kubernetes.jobmanager.cpu.amount=",
            ],
        ),
    ] {
        let (code, output) = run(&[jar], &sized);
        assert_eq!(code, 0, "{jar}: {output}");
        for key in keys {
            assert_eq!(output.matches(&format!("-D{key}")).count(), 1, "{jar}: {key} in {output}");
        }
        assert_eq!(output.matches("-Dkubernetes.cluster-id=roc").count(), 1, "{jar}: {output}");
        assert!(!output.contains('@'), "{jar}: {output}");
    }
}

#[test]
fn values_reach_the_client_to_the_letter() {
    let nasty = "a b;$(touch x) 'q' \"d\" @1010 =\\";
    let config = [("my.key".to_owned(), nasty.to_owned())].into();
    let spec = with(Settings { config, ..Settings::default() });
    let (code, output) = run(&["flink-dist-2.3.0.jar"], &spec);
    assert_eq!(code, 0);
    assert!(output.contains(&format!("-Dmy.key={nasty}\n")), "{output}");
}

#[test]
fn an_image_that_cannot_do_it_is_refused_before_the_client_runs() {
    let expecting = |version: &str| {
        let mut spec = with(Settings { image: Some("mine".to_owned()), ..Settings::default() });
        spec.settings.flink_version = version.parse().ok();
        spec
    };
    insta::assert_debug_snapshot!([
        run(&[], &spec()),
        run(&["flink-dist-2.3.0.jar", "flink-dist-1.20.5.jar"], &spec()),
        run(&["flink-dist-custom.jar"], &spec()),
        run(&["flink-dist-2.x.jar"], &spec()),
        run(&["flink-dist_2.11-1.9.3.jar"], &spec()),
        run(&["flink-dist-1.20.5.jar"], &expecting("2.3")),
        run(&["flink-dist-1.20.5.jar"], &expecting("1.2")),
    ]);
    assert_eq!(run(&["flink-dist-1.20.5.jar"], &expecting("1.20")).0, 0);
    assert_eq!(run(&["flink-dist-1.20.5.jar"], &expecting("1.20.5")).0, 0);
    assert_eq!(run(&["flink-dist-1.20-SNAPSHOT.jar"], &expecting("1.20")).0, 0);
}

#[test]
fn what_the_images_flink_cannot_do_is_refused_by_the_script() {
    let refused = |jar: &str, settings: Settings| {
        run(&[jar], &with(Settings { image: Some("mine".to_owned()), ..settings }))
    };
    let template = || PodTemplate::parse("spec: {containers: []}").ok();
    insta::assert_debug_snapshot!([
        refused("flink-dist_2.11-1.10.3.jar", Settings { pod_template: template(), ..Settings::default() }),
        refused("flink-dist-1.18.1.jar", Settings { min_slots: Some(2), ..Settings::default() }),
        refused("flink-dist-2.3.0.jar", Settings { plugins: vec!["gs".to_owned()], ..Settings::default() }),
        refused("flink-dist-1.20.5.jar", Settings { plugins: vec!["gs".to_owned()], ..Settings::default() }),
    ]);
}

#[test]
fn files_and_plugins_reach_the_client() {
    let settings = Settings {
        jobmanager_pod_template: PodTemplate::parse("spec: {hostNetwork: true}").ok(),
        plugins: vec!["s3-fs-presto".to_owned(), "s3-fs-hadoop".to_owned()],
        log_configuration: [("log4j-console.properties".to_owned(), "rootLogger.level = INFO\n".to_owned())]
            .into(),
        ..Settings::default()
    };
    let (code, output) = run(&["flink-dist-2.3.0.jar"], &with(settings));
    assert_eq!(code, 0, "{output}");
    for part in [
        "-Dkubernetes.pod-template-file.jobmanager=/tmp/kubectl-flink/jobmanager-pod-template.yaml\n",
        "\"hostNetwork\":true",
        "-Dcontainerized.master.env.ENABLE_BUILT_IN_PLUGINS=flink-s3-fs-presto-2.3.0.jar;flink-s3-fs-hadoop-2.3.0.jar\n",
        "-Dcontainerized.taskmanager.env.ENABLE_BUILT_IN_PLUGINS=flink-s3-fs-presto-2.3.0.jar;",
        "/files/conf/log4j-console.properties:rootLogger.level = INFO\n",
        "/files/conf/flink-conf.yaml:shipped: true\n",
        "conf=HOME/files/conf\n",
    ] {
        assert!(output.contains(part), "{part} in {output}");
    }
}

#[test]
fn a_job_made_by_hand_is_recognised_by_what_it_runs() {
    let words = |text: &[&str]| text.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let roc = spec().name;
    assert!(is_client_for(&roc, &words(&["./bin/kubernetes-session.sh", "-Dkubernetes.cluster-id=roc"])));
    assert!(is_client_for(
        &roc,
        &words(&[
            "bash",
            "-c",
            "/opt/flink/bin/kubernetes-session.sh \\\n -Dkubernetes.cluster-id=roc -Da=b"
        ])
    ));
    assert!(!is_client_for(&roc, &words(&["kubernetes-session.sh", "-Dkubernetes.cluster-id=roc2"])));
    assert!(!is_client_for(&roc, &words(&["backup.sh", "-Dkubernetes.cluster-id=roc"])));
}
