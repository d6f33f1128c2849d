//! Paths, mounts and volumes, in the pods of one role and of two.

use serde_json::json;

use super::*;

#[test]
fn a_path_is_read_as_flink_reads_it() {
    let local = |directory: &str| local_path(directory, None).expect("local");
    for (directory, path) in [
        ("/flink-data/ha", "/flink-data/ha"),
        ("file:/flink-data/ha", "/flink-data/ha"),
        ("file:///flink-data/ha", "/flink-data/ha"),
        ("file:////flink-data//ha/", "/flink-data/ha"),
        ("FILE:///flink-data/./x/../ha", "/flink-data/ha"),
        ("file:///../flink-data/ha", "/flink-data/ha"),
        ("file:\\flink-data\\ha", "/flink-data/ha"),
        ("file:///flink-data:8/ha", "/flink-data:8/ha"),
        ("/flink-data:8/ha", "/flink-data:8/ha"),
        ("/", "/"),
    ] {
        assert_eq!(local(directory).as_deref(), Ok(path), "{directory}");
    }
    let told = |directory: &str| local(directory).expect_err(directory);
    assert_eq!(
        told("file://flink-data/ha"),
        "names flink-data as a host, where a path has one slash or three"
    );
    assert_eq!(told("flink-data/ha"), "is relative to the directory that Flink runs in");
    assert_eq!(told("file:ha"), "is relative to the directory that Flink runs in");
    for elsewhere in ["s3://b/ha", "hdfs:///ha", "abfss://c@a.dfs.core.windows.net/ha"] {
        assert_eq!(local_path(elsewhere, None), None, "{elsewhere}");
    }
    assert_eq!(local_path("/ha", Some("hdfs://namenode:8020/")), None);
    assert_eq!(local_path("file:///ha", Some("hdfs://namenode:8020/")), Some(Ok("/ha".to_owned())));
    assert_eq!(local_path("/ha", Some("file:///")), Some(Ok("/ha".to_owned())));
}

/// Flink's container with `mounts` in a pod with `volumes`, both in YAML.
fn pod(mounts: &str, volumes: &str) -> Mounts {
    let template = format!(
        "spec:\n  volumes: [{volumes}]\n  containers:\n  - name: side\n    volumeMounts: [{{name: v, mountPath: /}}]\n  \
         - name: flink-main-container\n    volumeMounts: [{mounts}]\n"
    );
    Mounts::of_template(Some(&PodTemplate::parse(&template).expect("template")))
}

/// The same volume at /data, in both roles.
fn of_volume(volume: &str) -> Verdict {
    let pods = [pod("{name: v, mountPath: /data/}", &format!("{{name: v, {volume}}}"))];
    Verdict::of("/data/ha", [&pods, &pods])
}

#[test]
fn volumes_that_pods_share_need_no_flag() {
    for volume in [
        "persistentVolumeClaim: {claimName: c}",
        "nfs: {server: s, path: /}",
        "csi: {driver: nfs.csi.k8s.io, volumeAttributes: {server: s}}",
        "cephfs: {monitors: [m]}",
        "azureFile: {secretName: s, shareName: files}",
        "glusterfs: {endpoints: e, path: p}",
    ] {
        assert_eq!(of_volume(volume), Verdict::Shared, "{volume}");
    }
}

#[test]
fn volumes_of_one_node_are_accepted_with_a_warning() {
    let warned = |volume: &str| {
        let verdict = of_volume(volume);
        assert_eq!(verdict.problem(), None, "{volume}");
        verdict.warning().expect(volume)
    };
    assert_eq!(
        warned("hostPath: {path: /tmp/flink/, type: Directory}"),
        "is on hostPath /tmp/flink/ha: pods share a hostPath on one node only"
    );
    assert_eq!(
        warned("gcePersistentDisk: {pdName: d}"),
        "is on gcePersistentDisk: such a disk is attached to one node at a time"
    );
}

#[test]
fn other_volumes_are_refused_each_for_its_own_reason() {
    let told = |volume: &str| of_volume(volume).problem().expect(volume);
    insta::assert_snapshot!(
        [
            told("emptyDir: {}"),
            told("emptyDir: {medium: Memory}"),
            told("ephemeral: {volumeClaimTemplate: {spec: {accessModes: [ReadWriteMany], resources: {}}}}"),
            told("configMap: {name: c}"),
            told("secret: {secretName: s}"),
            told("projected: {sources: []}"),
            told("downwardAPI: {}"),
            told("nfs: {server: s, path: /, readOnly: true}"),
            told("persistentVolumeClaim: {claimName: c, readOnly: true}"),
            told("csi: {driver: secrets-store.csi.k8s.io, readOnly: true}"),
        ]
        .join("\n"),
        @"
        is a directory of each pod's own, which is lost with the pod: its volume v is an emptyDir
        is a directory of each pod's own, which is lost with the pod: its volume v is an emptyDir
        is a directory of each pod's own, which is lost with the pod: its volume v is an ephemeral volume, of which each pod has its own
        cannot be written to: its volume v is of type configMap
        cannot be written to: its volume v is of type secret
        cannot be written to: its volume v is of type projected
        cannot be written to: its volume v is of type downwardAPI
        cannot be written to: its volume v is mounted with readOnly: true
        cannot be written to: its volume v is mounted with readOnly: true
        cannot be written to: its volume v is mounted with readOnly: true
        "
    );
    let of = |volumes: serde_json::Value| Mounts {
        mounts: vec![json!({"name": "v", "mountPath": "/data"})],
        volumes: vec![volumes],
    };
    let told =
        |mounts: Mounts| Verdict::of("/data", [std::slice::from_ref(&mounts); 2]).problem().expect("problem");
    insta::assert_snapshot!(
        [
            told(of(json!({"name": "v"}))),
            told(of(json!({"name": "v", "futureVolume": {}}))),
            told(of(json!({"name": "other", "emptyDir": {}}))),
            told(Mounts::default()),
        ]
        .join("\n"),
        @"
        is a directory of each pod's own, which is lost with the pod: its volume v is an emptyDir
        may be a directory of each pod's own: its volume v is of unknown type futureVolume
        may be a directory of each pod's own: its volume v is not defined
        is a directory of each pod's own, which is lost with the pod: no volume is mounted there
        "
    );
}

#[test]
fn the_longest_mount_path_at_the_directory_or_above_it_counts() {
    let volumes = "{name: c, persistentVolumeClaim: {claimName: c}}, {name: e, emptyDir: {}}";
    let verdict = |path: &str, mounts: &str| {
        let pods = [pod(mounts, volumes)];
        Verdict::of(path, [&pods, &pods])
    };
    let own = |path: &str, mounts: &str| matches!(verdict(path, mounts), Verdict::Own(_));
    let nested = "{name: c, mountPath: /data}, {name: e, mountPath: /data/tmp/}";
    assert_eq!(verdict("/data/ha", nested), Verdict::Shared);
    assert_eq!(verdict("/data", nested), Verdict::Shared);
    assert!(own("/data/tmp", nested) && own("/data/tmp/ha", nested));
    assert_eq!(verdict("/data/tmpfs", nested), Verdict::Shared);
    assert!(own("/database", nested) && own("/", nested));
    // In the other order too.
    assert_eq!(
        verdict("/data/x/ha", "{name: c, mountPath: /data/x}, {name: e, mountPath: /data}"),
        Verdict::Shared
    );
    assert_eq!(verdict("/anything", "{name: c, mountPath: /}"), Verdict::Shared);
}

#[test]
fn one_mount_is_read_only_or_another_directory_in_each_pod() {
    let volumes = "{name: c, persistentVolumeClaim: {claimName: c}}";
    let told = |mounts: &str| {
        let pods = [pod(mounts, volumes)];
        Verdict::of("/data/ha", [&pods, &pods]).problem()
    };
    insta::assert_snapshot!(
        [
            told("{name: c, mountPath: /data, readOnly: true}"),
            told("{name: c, mountPath: /data, subPathExpr: $(POD_NAME)}"),
        ]
        .map(|problem| problem.expect("problem"))
        .join("\n"),
        @"
        cannot be written to: its volume c is mounted with readOnly: true
        may be a directory of each pod's own: its volume c is mounted with subPathExpr $(POD_NAME), which can be another directory in each pod
        "
    );
    assert_eq!(told("{name: c, mountPath: /data, subPath: state}"), None);
}

#[test]
fn both_roles_must_have_the_same_directory_of_the_same_volume() {
    let claim = |mount: &str, name: &str| {
        pod(
            &format!("{{name: v, {mount}}}"),
            &format!("{{name: v, persistentVolumeClaim: {{claimName: {name}}}}}"),
        )
    };
    let host = |mount: &str, path: &str| {
        pod(&format!("{{name: v, {mount}}}"), &format!("{{name: v, hostPath: {{path: {path}}}}}"))
    };
    let of = |jobmanager: &Mounts, taskmanager: &Mounts| {
        Verdict::of("/data/ha", [std::slice::from_ref(jobmanager), std::slice::from_ref(taskmanager)])
    };
    let plain = claim("mountPath: /data", "c");
    assert_eq!(of(&plain, &claim("mountPath: /data/ha, subPath: ha", "c")), Verdict::Shared);
    let by_root = host("mountPath: /data", "/srv");
    assert!(matches!(of(&by_root, &host("mountPath: /data/ha", "/srv/ha/")), Verdict::OneNode { .. }));
    let none = Mounts::default();
    let told = |jobmanager, taskmanager| of(jobmanager, taskmanager).problem().expect("problem");
    insta::assert_snapshot!(
        [
            told(&plain, &claim("mountPath: /data", "d")),
            told(&plain, &claim("mountPath: /data, subPath: x", "c")),
            told(&by_root, &host("mountPath: /data", "/other")),
            told(&plain, &by_root),
            told(&plain, &none),
            told(&none, &plain),
            told(&plain, &claim("mountPath: /data, readOnly: true", "c")),
            told(&plain, &pod("{name: v, mountPath: /data}", "{name: v, emptyDir: {}}")),
        ]
        .join("\n"),
        @"
        is not the same directory in all pods: JobManager pods have /ha of persistentvolumeclaim/c, TaskManager pods /ha of persistentvolumeclaim/d
        is not the same directory in all pods: JobManager pods have /ha of persistentvolumeclaim/c, TaskManager pods /x/ha of persistentvolumeclaim/c
        is not the same directory in all pods: JobManager pods have hostPath /srv/ha, TaskManager pods hostPath /other/ha
        is not the same directory in all pods: JobManager pods have /ha of persistentvolumeclaim/c, TaskManager pods hostPath /srv/ha
        is a directory of each pod's own, which is lost with the pod: no volume is mounted there, in TaskManager pods
        is a directory of each pod's own, which is lost with the pod: no volume is mounted there, in JobManager pods
        cannot be written to: its volume v is mounted with readOnly: true, in TaskManager pods
        is a directory of each pod's own, which is lost with the pod: its volume v is an emptyDir, in TaskManager pods
        "
    );
    // Of several pods of a role, each counts.
    let pods = [plain.clone(), none];
    assert!(matches!(Verdict::of("/data/ha", [&pods, &pods]), Verdict::Own(_)));
}

#[test]
fn flinks_container_is_known_in_pods_of_every_version() {
    let spec = |names: &[&str]| {
        let containers: Vec<_> = names
            .iter()
            .map(|name| {
                let mounts = json!([{"name": "v", "mountPath": format!("/{name}")}]);
                json!({"name": name, "volumeMounts": mounts})
            })
            .collect();
        json!({"containers": containers, "volumes": [{"name": "v", "nfs": {"server": "s", "path": "/"}}]})
    };
    let mounted = |names: &[&str]| {
        let mounts = Mounts::of_pod(&spec(names))?;
        Some(mounts.mounts[0]["mountPath"].as_str().expect("path").to_owned())
    };
    assert_eq!(mounted(&["istio", "flink-main-container"]).as_deref(), Some("/flink-main-container"));
    assert_eq!(mounted(&["flink-task-manager", "istio"]).as_deref(), Some("/flink-task-manager"));
    assert_eq!(mounted(&["any"]).as_deref(), Some("/any"));
    assert_eq!(mounted(&["a", "b"]), None);
}
