//! `create -f` with the manifests in tests/manifests, one for each feature of the Flink operator's own examples, and
//! with mistakes in them.

use std::path::PathBuf;

use crate::process::flink_at;

fn manifests() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/manifests")
}

#[test]
fn every_feature_of_the_operators_examples_is_taken() {
    let home = tempfile::tempdir().expect("scratch directory");
    let mut files: Vec<_> = std::fs::read_dir(manifests())
        .expect("directory")
        .map(|entry| entry.expect("entry").file_name().into_string().expect("name"))
        .collect();
    files.sort();
    let run = |file: &String| {
        let path = manifests().join(file).display().to_string();
        let words = ["create", "-f", &path, "--dry-run=client"];
        let ended = match file.as_str() {
            "two-sessions.yaml" => flink_at(home.path(), &[&words[..], &["green"]].concat()),
            _ => flink_at(home.path(), &words),
        };
        format!("# {file}\n{ended}")
    };
    let directory = format!("{}/", manifests().display());
    insta::assert_snapshot!(files.iter().map(run).collect::<Vec<_>>().join("\n").replace(&directory, ""));
}

/// What the session of a manifest asks Flink for, as arguments of Flink's client.
fn settings(file: &str) -> String {
    let home = tempfile::tempdir().expect("scratch directory");
    let path = manifests().join(file).display().to_string();
    flink_at(home.path(), &["create", "-f", &path, "--dry-run=client", "-o", "yaml"]).stdout
}

#[test]
fn resources_become_flinks_settings_and_the_rest_goes_into_the_pod_template() {
    let yaml = settings("resources.yaml").replace(r#"\""#, "\"");
    for part in [
        "-Djobmanager.memory.process.size=1600m\n",
        "-Dkubernetes.jobmanager.memory.limit-factor=1.5\n",
        "-Dkubernetes.jobmanager.cpu.amount=0.1\n",
        "-Dkubernetes.jobmanager.cpu.limit-factor=2.0\n",
        "-Dtaskmanager.memory.process.size=2048m\n",
        "-Dkubernetes.taskmanager.cpu.amount=0.1\n",
        r#""limits":{"ephemeral-storage":"200Mi"},"requests":{"ephemeral-storage":"100Mi"}"#,
        r#""resources":{"limits":{"example.com/accelerator":"1"}}"#,
    ] {
        assert!(yaml.contains(part), "{part} in {yaml}");
    }
    assert!(!yaml.contains("kubernetes.taskmanager.memory.limit-factor"), "a limit alone is the request too");
}

#[test]
fn a_value_that_is_wrong_is_named_with_its_file_line_and_key() {
    let home = tempfile::tempdir().expect("scratch directory");
    let write = |name: &str, text: &str| {
        let path = home.path().join(name);
        std::fs::create_dir_all(path.parent().expect("directory")).expect("directory");
        std::fs::write(&path, text).expect("file");
        path.to_string_lossy().into_owned()
    };
    let of_manifest = |spec: &str| {
        let head = "apiVersion: flink.apache.org/v1beta1\nkind: FlinkDeployment\nmetadata:\n  name: roc\nspec:\n  image: flink:1.20\n";
        let path = write("roc.yaml", &format!("{head}{spec}"));
        flink_at(home.path(), &["create", "-f", &path, "--dry-run=client"]).to_string()
    };
    let mut told: Vec<String> = [
        "  flinkConfiguration:\n    high-availability:\n      type: kubernetes\n      storageDir: file:///flink-data/ha\n",
        "  flinkConfiguration:\n    high-availability.type: kubernetes\n",
        "  flinkConfiguration:\n    high-availability.type: kubernetes\n    high-availability.storageDir: s3://b/ha\n",
        "  flinkConfiguration:\n    taskmanager.numberOfTaskSlot: 2\n",
        "  flinkConfiguration:\n    taskmanager.numberOfTaskSlots: two\n",
        "  flinkConfiguration:\n    kubernetes.jobmanager: x\n    kubernetes.jobmanager.annotations: a:b\n",
        "  flinkConfiguration:\n    containerized.master.env.A-B: x\n    containerized.taskmanager.env.A-B: x\n    kubernetes.container.image.pull-secrets: UPPER\n",
        "  flinkConfiguration:\n    kubernetes.jobmanager.labels: 'a b:c'\n    kubernetes.taskmanager.labels: 'a b:c'\n",
        "  flinkVersion: v2_3\n",
        "  serviceAccount: a/b\n",
        "  jobManager:\n    replicas: 2\n",
        "  jobManager:\n    resources:\n      requests: {memory: 100m}\n",
        "  taskManager:\n    resource: {memory: 100m}\n",
        "  jobManager:\n    resources:\n      requests: {memory: 2Gi}\n      limits: {memory: 1Gi}\n",
    ]
    .map(of_manifest)
    .into();
    let labelled = write(
        "label.yaml",
        "apiVersion: flink.apache.org/v1beta1\nkind: FlinkDeployment\nmetadata:\n  name: Roc\n  labels:\n    team: search and find\nspec:\n  image: flink:1.20\n",
    );
    let old = write(
        "old.yaml",
        "apiVersion: flink.apache.org/v1beta1\nkind: FlinkDeployment\nspec:\n  image: flink:1.12\n  taskManager:\n    resource: {ephemeralStorage: 1Gi}\n",
    );
    told.push(flink_at(home.path(), &["create", "roc", "-f", &old, "--dry-run=client"]).to_string());
    told.push(flink_at(home.path(), &["create", "-f", &labelled, "--dry-run=client"]).to_string());
    told.push(flink_at(home.path(), &["create", "roc", "-f", &labelled, "--dry-run=client"]).to_string());
    let relabelled = ["create", "roc", "-f", &labelled, "--label", "team=search", "--dry-run=client"];
    told.push(flink_at(home.path(), &relabelled).to_string());
    for config in [
        "defaults:\n  ha: /flink-data\n",
        "defaults:\n  label:\n    team: search and find\n",
        "defaults:\n  plugin: [s3-fs-presto, a/b]\n",
        "defaults:\n  config:\n    kubernetes.container.image: x\n",
        "defaults:\n  slots: 4\n  config:\n    taskmanager.numberOfTaskSlots: 2\n",
        "defaults:\n  image: flink:1.12\n  pod-template: {spec: {}}\n",
        "defaults:\n  jobmanager-memory: 100m\n",
        "defaults:\n  expose: NodePort\n",
    ] {
        write(".config/kubectl-flink/config.yaml", config);
        told.push(flink_at(home.path(), &["create", "roc", "--wait=false", "--dry-run=client"]).to_string());
    }
    let told = told.join("\n").replace(&*home.path().to_string_lossy(), "HOME");
    for flag in ["error: --", "error: -D"] {
        assert!(!told.contains(flag), "nobody typed it: {told}");
    }
    insta::assert_snapshot!(told);
}

#[test]
fn a_file_with_no_session_or_with_several_is_refused_with_what_it_has() {
    let home = tempfile::tempdir().expect("scratch directory");
    let write = |text: &str| {
        let path = home.path().join("roc.yaml");
        std::fs::write(&path, text).expect("file");
        path.to_string_lossy().into_owned()
    };
    let deployment = |name: &str, spec: &str| {
        format!(
            "apiVersion: flink.apache.org/v1beta1\nkind: FlinkDeployment\nmetadata: {{name: {name}}}\nspec: {{{spec}}}\n"
        )
    };
    let run = |words: &[&str], text: &str| {
        let path = write(text);
        flink_at(home.path(), &[&["create", "-f", &path, "--dry-run=client"], words].concat()).to_string()
    };
    let two = format!(
        "{}---\n{}",
        deployment("blue", "image: 'flink:2.3.0'"),
        deployment("green", "image: 'flink:2.3.0'")
    );
    let job = "job: {jarURI: local:///a.jar}";
    let told = [
        run(&[], &two),
        run(&["red"], &two),
        run(&["blue"], &two),
        run(&[], &format!("{two}---\n{}", deployment("blue", "image: 'flink:2.3.0'"))),
        run(&["one"], &format!("{}---\n{}", deployment("one", job), deployment("two", job))),
        run(&[], "---\n---\nnull\n---\n"),
        run(&[], "apiVersion: v1\nkind: Secret\n---\nkind: ConfigMap\n"),
        run(&[], &format!("{}---\na: b\n", deployment("blue", ""))),
        run(&[], &format!("{}---\na: [\n", deployment("blue", ""))),
        run(&[], &format!("%YAML 1.2\n---\r\n{}...\n", deployment("blue", "image: 'flink:2.3.0'"))),
    ];
    insta::assert_snapshot!(told.join("\n").replace(&*home.path().to_string_lossy(), "HOME"));
}

#[test]
fn a_version_of_the_operator_is_for_a_manifest() {
    let home = tempfile::tempdir().expect("scratch directory");
    let run = |words: &[&str]| {
        flink_at(home.path(), &[&["status", "roc", "--operator-version"], words].concat()).to_string()
    };
    insta::assert_snapshot!([run(&["1.15"]), run(&["latest", "-o", "flinkdeployment"])].join("\n"));
}
