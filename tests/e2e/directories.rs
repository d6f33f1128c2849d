//! Savepoints in directories of the pods, each on a volume of another kind, and what they are good for afterwards.

use std::fs;

use crate::jobs::{PROGRAMS, SMALL_TASKMANAGERS, all_tasks_run, submit, the_id};
use crate::lab::{FLINK_2_3, Lab, QUICK};

/// A volume that many pods can mount, which the test makes, and its claim `flink-state`.
struct Claim<'l>(&'l Lab);

impl<'l> Claim<'l> {
    fn new(lab: &'l Lab) -> Self {
        let name = &lab.namespace;
        lab.apply(&format!(
            "---\n{{apiVersion: v1, kind: PersistentVolume, metadata: {{name: {name}}}, spec: {{capacity: {{storage: 1Gi}}, \
             accessModes: [ReadWriteMany], storageClassName: '', persistentVolumeReclaimPolicy: Retain, \
             hostPath: {{path: /tmp}}, claimRef: {{namespace: {name}, name: flink-state}}}}}}"
        ));
        let claim = Self(lab);
        lab.apply(
            "---\n{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: flink-state}, spec: {accessModes: [ReadWriteMany], \
             storageClassName: '', resources: {requests: {storage: 1Gi}}}}",
        );
        claim
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.0.kubectl(&["delete", "persistentvolume", &self.0.namespace, "--wait=false"]);
    }
}

const TEMPLATE: &str = "spec:
  volumes:
  - {name: state, persistentVolumeClaim: {claimName: flink-state}}
  - {name: node, hostPath: {path: /tmp}}
  - {name: own, emptyDir: {}}
  containers:
  - name: flink-main-container
    volumeMounts:
    - {name: state, mountPath: /state}
    - {name: state, mountPath: /fixed, readOnly: true}
    - {name: node, mountPath: /node}
    - {name: own, mountPath: /own}
    - {name: own, mountPath: /state/own}
";

#[test]
fn a_directory_in_the_pods_is_as_good_as_the_volume_under_it() {
    let lab = Lab::new("directories");
    let _claim = Claim::new(&lab);
    let files = tempfile::tempdir().expect("scratch directory");
    let template = files.path().join("template.yaml");
    fs::write(&template, TEMPLATE).expect("template");
    let create =
        ["create", "roc", "--image", FLINK_2_3.0, "--pod-template", template.to_str().expect("UTF-8")];
    let saved = format!("file:///state/kubectl-flink-{}", lab.namespace);
    let by_key = format!("-Dexecution.checkpointing.savepoint-dir={saved}");
    lab.flink_ok(&[&create[..], &QUICK, &SMALL_TASKMANAGERS, &["--slots", "2", &by_key]].concat());
    let id = the_id(&submit(&lab, &[], &["long"]));
    all_tasks_run(&lab, &id);

    for (directory, why) in [
        ("file:///own/sp", "its volume own is an emptyDir"),
        ("/state/own/sp", "its volume own is an emptyDir"),
        ("file:///opt/sp", "no volume is mounted there"),
        ("file:///state/../opt/sp", "no volume is mounted there"),
        ("file:///fixed/sp", "its volume state is mounted with readOnly: true"),
        ("file:///opt/flink/conf", "is of type configMap"),
        ("file://state/sp", "names state as a host"),
    ] {
        for verb in ["savepoint", "stop"] {
            lab.flink(&[verb, "roc", "long", "--savepoint-dir", directory]).failed(4, &[directory, why]);
        }
        let delete = format!("--savepoint={directory}");
        lab.flink(&["delete", "roc", "--yes", &delete]).failed(4, &[directory, why]);
    }
    let node = format!("file:///node/kubectl-flink-{}-node", lab.namespace);
    let taken = lab.flink(&["savepoint", "roc", "long", "--savepoint-dir", &node]);
    assert_eq!(taken.code, 0, "{}", taken.stderr);
    let warning = format!("is on hostPath /tmp/kubectl-flink-{}-node: pods share a hostPath", lab.namespace);
    assert!(taken.stderr.contains(&warning), "{}", taken.stderr);

    // The session's own directory is on the claim.
    let stopped = lab.flink(&["stop", "roc", "long"]);
    assert_eq!(stopped.code, 0, "{}", stopped.stderr);
    assert!(!stopped.stderr.contains("Warning"), "{}", stopped.stderr);
    let path = stopped.stdout.trim_end();
    assert!(path.starts_with("file:/state/kubectl-flink-"), "{path}");
    let restored = lab.flink(&["submit", "roc", PROGRAMS, "--from-savepoint", path, "--", "long"]);
    all_tasks_run(&lab, &the_id(&restored));
    let deleted = lab.flink(&["delete", "roc", "--yes", "--savepoint"]);
    assert_eq!(deleted.code, 0, "{}", deleted.stderr);
    assert!(
        deleted.stdout.contains("savepoint file:/state/")
            || deleted.stderr.contains("savepoint file:/state/")
    );
}
