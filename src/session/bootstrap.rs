//! The Kubernetes Job that runs Flink's own client in the cluster, once.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::batch::v1::{Job, JobSpec};
use k8s_openapi::api::core::v1::{
    Capabilities, Container, EnvVar, PodSpec, PodTemplateSpec, ResourceRequirements, SeccompProfile,
    SecurityContext,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::dialect::DIALECTS;
use super::labels;
use super::spec::SessionSpec;

/// Picks the settings by the version of the image's `flink-dist` jar and runs the client.
const SCRIPT: &str = include_str!("bootstrap.sh");

pub const CONTAINER: &str = "bootstrap";

/// User and group `flink` of the official images. Images up to 2.1 start as root, which the Pod
/// Security level "restricted" forbids.
const FLINK_USER: i64 = 9999;

/// A client that hangs must not make a session hours after its user has left. Generous enough for
/// the slow first pull of a large image.
const SHORTEST_DEADLINE: Duration = Duration::from_secs(600);

/// The Job for `spec` in `namespace`. `wait` is how long the caller means to wait; the Job gives up no earlier.
pub fn job(spec: &SessionSpec, namespace: &str, wait: Duration) -> Job {
    let metadata = |name: Option<String>| ObjectMeta {
        name,
        labels: Some(labels::bootstrap(&spec.name)),
        ..ObjectMeta::default()
    };
    Job {
        metadata: ObjectMeta {
            namespace: Some(namespace.to_owned()),
            ..metadata(Some(spec.name.bootstrap_job()))
        },
        spec: Some(JobSpec {
            // A second try deletes what the first one made, or finds its Service and reports a
            // success that is none.
            backoff_limit: Some(0),
            active_deadline_seconds: Some(
                wait.max(SHORTEST_DEADLINE).as_secs().try_into().unwrap_or(i64::MAX),
            ),
            template: PodTemplateSpec { metadata: Some(metadata(None)), spec: Some(pod(spec, namespace)) },
            ..JobSpec::default()
        }),
        status: None,
    }
}

fn pod(spec: &SessionSpec, namespace: &str) -> PodSpec {
    PodSpec {
        service_account_name: Some(spec.service_account.clone()),
        restart_policy: Some("Never".to_owned()),
        // A Service called "flink" would put FLINK_* variables into the environment.
        enable_service_links: Some(false),
        containers: vec![Container {
            name: CONTAINER.to_owned(),
            image: Some(spec.image.clone()),
            command: Some(["/bin/bash", "-c", SCRIPT, "bootstrap"].map(str::to_owned).to_vec()),
            args: Some(arguments(spec, namespace)),
            env: Some(vec![EnvVar {
                // The client lives for seconds: the quick compiler and the small collector halve its start-up.
                name: "JVM_ARGS".to_owned(),
                value: Some("-XX:TieredStopAtLevel=1 -XX:+UseSerialGC".to_owned()),
                ..EnvVar::default()
            }]),
            resources: Some(ResourceRequirements {
                requests: Some(quantities([("cpu", "100m"), ("memory", "512Mi")])),
                limits: Some(quantities([("cpu", "1"), ("memory", "512Mi")])),
                claims: None,
            }),
            security_context: Some(restricted()),
            ..Container::default()
        }],
        ..PodSpec::default()
    }
}

/// What `bootstrap.sh` takes: the expected version, then the settings of every dialect.
fn arguments(spec: &SessionSpec, namespace: &str) -> Vec<String> {
    let expected = spec.expected_version.map(|version| version.to_string()).unwrap_or_default();
    let groups = DIALECTS.iter().flat_map(|dialect| {
        let (major, minor) = dialect.since;
        let settings =
            spec.settings(dialect, namespace).into_iter().map(|(key, value)| format!("-D{key}={value}"));
        std::iter::once(format!("@{}", u32::from(major) * 1000 + u32::from(minor))).chain(settings)
    });
    std::iter::once(expected).chain(groups).collect()
}

/// Meets the Pod Security level "restricted" (kubernetes.io/docs/concepts/security/pod-security-standards).
fn restricted() -> SecurityContext {
    SecurityContext {
        allow_privilege_escalation: Some(false),
        capabilities: Some(Capabilities { add: None, drop: Some(vec!["ALL".to_owned()]) }),
        run_as_non_root: Some(true),
        run_as_user: Some(FLINK_USER),
        run_as_group: Some(FLINK_USER),
        seccomp_profile: Some(SeccompProfile { type_: "RuntimeDefault".to_owned(), localhost_profile: None }),
        ..SecurityContext::default()
    }
}

fn quantities<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, Quantity> {
    pairs.into_iter().map(|(name, amount)| (name.to_owned(), Quantity(amount.to_owned()))).collect()
}

/// True when `words`, the command and arguments of a Job's container, make session `name` the way
/// the Flink documentation does it by hand.
pub fn is_client_for(name: &super::SessionName, words: &[String]) -> bool {
    let runs_client = words.iter().any(|word| word.contains("kubernetes-session.sh"));
    let setting = format!("-Dkubernetes.cluster-id={name}");
    runs_client && words.iter().flat_map(|word| word.split_whitespace()).any(|word| word == setting)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::session::spec::tests::spec;

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
        let deadline = |secs| {
            job(&spec(), "team-a", Duration::from_secs(secs)).spec.and_then(|s| s.active_deadline_seconds)
        };
        assert_eq!(deadline(1), Some(600));
        assert_eq!(deadline(3600), Some(3600));
    }

    /// Runs the script against a made-up image whose client prints its arguments.
    fn run(jars: &[&str], spec: &SessionSpec) -> (i32, String) {
        let home = tempfile::tempdir().expect("scratch directory");
        std::fs::create_dir_all(home.path().join("lib")).expect("lib");
        std::fs::create_dir_all(home.path().join("bin")).expect("bin");
        for jar in jars {
            std::fs::write(home.path().join("lib").join(jar), "").expect("jar");
        }
        let client = home.path().join("bin/kubernetes-session.sh");
        std::fs::write(&client, "#!/bin/sh\nprintf '%s\\n' \"$@\"\n").expect("client");
        let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&client, executable).expect("mode");
        let output = Command::new("bash")
            .args(["-c", SCRIPT, "bootstrap"])
            .args(arguments(spec, "team-a"))
            .env("FLINK_HOME", home.path())
            .output()
            .expect("bash");
        let text = String::from_utf8_lossy(&output.stdout).replace(&*home.path().to_string_lossy(), "HOME");
        (output.status.code().unwrap_or(-1), text)
    }

    #[test]
    fn the_jar_decides_the_keys() {
        let sized = SessionSpec { jobmanager_cpu: "0.5".parse().ok(), ..spec() };
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
                [
                    "kubernetes.container.image=",
                    "jobmanager.memory.process.size=",
                    "kubernetes.jobmanager.cpu=",
                ],
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
        let spec = SessionSpec { config: vec![("my.key".to_owned(), nasty.to_owned())], ..spec() };
        let (code, output) = run(&["flink-dist-2.3.0.jar"], &spec);
        assert_eq!(code, 0);
        assert!(output.contains(&format!("-Dmy.key={nasty}\n")), "{output}");
    }

    #[test]
    fn an_image_that_cannot_do_it_is_refused_before_the_client_runs() {
        let expecting = |version: &str| SessionSpec { expected_version: version.parse().ok(), ..spec() };
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
}
