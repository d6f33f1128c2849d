//! Commands of kubectl that are printed as advice, run by a shell as they stand, in the state in which they are printed.
//!
//! Nothing here starts Flink: what an API server, a scheduler and a kubelet say does not depend on it.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::lab::{Ended, Lab};

/// What was printed from `start` to the end of its line.
pub fn printed<'e>(ended: &'e Ended, start: &str) -> &'e str {
    let mut lines = ended.stdout.lines().chain(ended.stderr.lines());
    let printed = lines.find_map(|line| Some(&line[line.find(start)?..]));
    printed.unwrap_or_else(|| panic!("{start:?} is not in\n{}{}", ended.stdout, ended.stderr))
}

/// The command in it: what comes behind these is said of it.
pub fn command<'e>(ended: &'e Ended, start: &str) -> &'e str {
    printed(ended, start).split([';', ')']).next().unwrap_or_default()
}

/// The fix that `status` prints for a problem once it sees it.
pub fn fix(lab: &Lab, session: &str, id: &str) -> String {
    let mut found = None;
    lab.until(&format!("({id}) of {session}"), || {
        let shown = lab.flink_ok(&["status", session]);
        let after = shown.split_once(&format!("({id})\n")).map(|(_, after)| after.to_owned());
        found = after.and_then(|after| Some(after.split_once("fix: ")?.1.lines().next()?.to_owned()));
        found.is_some()
    });
    found.expect("a fix")
}

/// What `printed`, run by a shell, shows; it has to succeed.
pub fn shows(ended: Ended, printed: &str, words: &str) {
    assert_eq!(ended.code, 0, "{printed}: {}", ended.stderr);
    assert!(ended.stdout.contains(words), "{printed}: {words:?} is not in:\n{}", ended.stdout);
}

const ADMISSION: &str = "\
apiVersion: v1
kind: LimitRange
metadata: {name: small}
spec: {limits: [{type: Container, max: {memory: 1Gi}}]}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: NAMESPACE, labels: {e2e: NAMESPACE}}
spec:
  matchConstraints: {resourceRules: [{apiGroups: [''], apiVersions: [v1], operations: [CREATE], resources: [services]}]}
  validations: [{expression: 'false', message: services are made by the platform team}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: NAMESPACE, labels: {e2e: NAMESPACE}}
spec:
  policyName: NAMESPACE
  validationActions: [Deny]
  matchResources: {namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: NAMESPACE}}}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: NAMESPACE, labels: {e2e: NAMESPACE}}
webhooks:
- name: away.example.com
  sideEffects: None
  timeoutSeconds: 1
  admissionReviewVersions: [v1]
  clientConfig: {url: 'https://127.0.0.1:1/x'}
  namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: NAMESPACE}}
  rules: [{apiGroups: [''], apiVersions: [v1], operations: [CREATE], resources: [configmaps]}]
";

#[test]
fn what_stands_in_the_way_of_a_session_is_shown_and_made_by_the_printed_commands() {
    let lab = Lab::new("advice-before");
    lab.kubectl_ok(&["create", "secret", "generic", "plain", "--from-literal=user=me"]);
    lab.kubectl_ok(&["create", "quota", "team", "--hard=limits.cpu=1"]);
    lab.apply(ADMISSION);
    let create = || {
        let secrets = ["--secret-env=P=plain:password", "--secret-env=Q=gone:.key"];
        let pulls = ["--image-pull-secret=plain", "--image-pull-secret=none", "--node-selector=no=where"];
        lab.flink(
            &[&["create", "roc", "--image=flink:2.3.0", "--dry-run=server"], &secrets[..], &pulls].concat(),
        )
    };
    let mut refused = create();
    lab.until("every refusal", || {
        refused = create();
        let said =
            ["quota team leaves", "ValidatingAdmissionPolicy", "failed calling webhook", "limit range small"];
        said.iter().all(|words| refused.stderr.contains(words))
    });
    refused.failed(1, &["session roc would not start"]);
    for (start, words) in [
        ("kubectl describe secret", "user:"),
        ("kubectl describe quota", "limits.cpu"),
        ("kubectl describe limitrange", "1Gi"),
        ("kubectl describe nodes", "Allocatable:"),
        ("kubectl describe validatingadmissionpolicy", "services are made by the platform team"),
        ("kubectl get validatingwebhookconfigurations", "away.example.com"),
    ] {
        let typed = command(&refused, start);
        shows(lab.kubectl_as_printed(typed), typed, words);
    }
    // The Secrets are made as it says, and are not missed any more.
    for start in ["kubectl create secret docker-registry", "kubectl create secret generic"] {
        let typed = printed(&refused, start).replace("...", "x");
        shows(lab.kubectl_as_printed(&typed), &typed, " created");
    }
    assert!(!create().stderr.contains(" does not exist"), "{}", create().stderr);
}

#[test]
fn a_namespace_that_is_being_deleted_is_waited_for_by_the_printed_command() {
    let lab = Lab::new("advice-going");
    let hold = "{\"metadata\":{\"finalizers\":[\"a.b/hold\"]}}";
    lab.kubectl_ok(&["create", "configmap", "held"]);
    lab.kubectl_ok(&["patch", "configmap", "held", "--type=merge", "-p", hold]);
    lab.kubectl_ok(&["delete", "namespace", &lab.namespace, "--wait=false"]);
    let refused = lab.flink(&["create", "roc", "--image=flink:2.3.0"]);
    refused.failed(1, &["is being deleted"]);
    let typed = command(&refused, "kubectl wait");
    std::thread::scope(|threads| {
        let wait = threads.spawn(|| lab.kubectl_as_printed(typed));
        let free = "[{\"op\":\"remove\",\"path\":\"/metadata/finalizers\"}]";
        lab.kubectl_ok(&["patch", "configmap", "held", "--type=json", "-p", free]);
        assert_eq!(wait.join().expect("wait").code, 0, "{typed}");
    });
    assert_ne!(lab.kubectl(&["get", "namespace", &lab.namespace]).code, 0);
}

/// A session that no Flink runs in: its pods sleep.
pub fn sleeping(name: &str, metadata: &str, spec: &str, container: &str) -> String {
    let labels = format!("{{app: {name}, type: flink-native-kubernetes, component: jobmanager}}");
    format!(
        "\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}, labels: {labels}{metadata}}}
spec:
  replicas: 1
  selector: {{matchLabels: {labels}}}
  template:
    metadata: {{labels: {labels}}}
    spec:
      terminationGracePeriodSeconds: 0
      {spec}
      containers:
      - name: flink-main-container
        image: flink:2.3.0
        command: [sh, -c, exec sleep infinity]
        args: [kubernetes-session]
        {container}
---
"
    )
}

const LIMITS: &str = "\
apiVersion: v1
kind: LimitRange
metadata: {name: small}
spec: {limits: [{type: Container, max: {memory: 1Gi}, default: {memory: 64Mi}, defaultRequest: {memory: 16Mi}}]}
";

/// Flink's client, which has ended without a word that is known.
const FAILED: &str = "\
apiVersion: batch/v1
kind: Job
metadata:
  name: boot-failed
  labels: {app: failed, app.kubernetes.io/managed-by: kubectl-flink, app.kubernetes.io/component: bootstrap}
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      containers: [{name: client, image: 'flink:2.3.0', command: [sh, -c, 'echo nothing known; exit 1']}]
";

#[test]
fn problems_of_a_session_are_shown_and_repaired_by_the_printed_commands() {
    let lab = Lab::new("advice-status");
    lab.apply(&sleeping("old", "", "", "resources: {requests: {memory: 16Mi}, limits: {memory: 2Gi}}"));
    lab.kubectl_ok(&["rollout", "status", "deployment/old", "--timeout=90s"]);
    lab.apply(LIMITS);
    lab.apply(FAILED);
    let large = "resources: {requests: {memory: 16Mi}, limits: {memory: 2Gi}}";
    lab.apply(&sleeping("large", "", "", large));
    lab.apply(&sleeping("odd", "", "priorityClassName: no-such-class", ""));
    lab.apply(&sleeping("stuck", "", "", "envFrom: [{configMapRef: {name: no-such-map}}]"));
    lab.apply(&sleeping("homeless", "", "nodeSelector: {no: where}", ""));
    lab.apply(&sleeping("zero", "", "", ""));
    lab.kubectl_ok(&["scale", "deployment/zero", "--replicas=0"]);
    for (session, id, words) in [
        ("failed", "bootstrap-failed", "nothing known"),
        ("large", "jobmanager-pod-refused", "1Gi"),
        ("odd", "jobmanager-pod-refused", "no PriorityClass with name no-such-class"),
        ("stuck", "container-config", "configmap \"no-such-map\" not found"),
        ("homeless", "unschedulable", "Allocatable:"),
    ] {
        let fix = fix(&lab, session, id);
        let typed = &fix[fix.find("kubectl ").expect("a command")..];
        shows(lab.kubectl_as_printed(typed), typed, words);
    }
    let typed = fix(&lab, "zero", "stopped");
    shows(lab.kubectl_as_printed(&typed), &typed, "scaled");
    lab.kubectl_ok(&["rollout", "status", "deployment/zero", "--timeout=90s"]);

    // A new JobManager that the LimitRange refuses: the old one still runs.
    let restarted = lab.flink(&["restart", "old", "--force"]);
    restarted.failed(1, &["the new JobManager of session old cannot start", "the old one still runs"]);
    let typed = command(&restarted, "kubectl rollout history");
    shows(lab.kubectl_as_printed(typed), typed, "REVISION");
}

#[test]
fn sessions_that_are_of_others_or_go_are_looked_at_with_the_printed_commands() {
    let lab = Lab::new("advice-others");
    lab.kubectl_ok(&["create", "configmap", "keeper"]);
    let owner = format!(
        ", ownerReferences: [{{apiVersion: v1, kind: ConfigMap, name: keeper, uid: {}, controller: true}}]",
        lab.uid("configmap/keeper")
    );
    lab.apply(&sleeping("owned", &owner, "", ""));
    let refused = lab.flink(&["delete", "owned", "--yes", "--force"]);
    refused.failed(4, &["belongs to ConfigMap keeper"]);
    let typed = command(&refused, "kubectl describe");
    shows(lab.kubectl_as_printed(typed), typed, "keeper");

    // One that is going, and is held back.
    lab.apply(&sleeping("going", ", finalizers: [a.b/hold]", "", ""));
    lab.kubectl_ok(&["delete", "deployment", "going", "--wait=false"]);
    let fix = fix(&lab, "going", "being-deleted");
    let mut list = lab.start_flink_as_printed(fix.strip_suffix(" shows when it is gone").expect("a command"));
    while !list.row().starts_with("going ") {}
    let free = "[{\"op\":\"remove\",\"path\":\"/metadata/finalizers\"}]";
    lab.kubectl_ok(&["patch", "deployment", "going", "--type=json", "-p", free]);
    while !list.row().starts_with("going ") {}
    assert_eq!(list.interrupt().code, 130);

    state_that_is_led_is_looked_at(&lab);
}

/// The state of a cluster that is not native, whose leader is alive.
fn state_that_is_led_is_looked_at(lab: &Lab) {
    lab.kubectl_ok(&["create", "configmap", "led-cluster-config-map"]);
    let labels = ["app=led", "type=flink-native-kubernetes", "configmap-type=high-availability"];
    lab.kubectl_ok(&[&["label", "configmap", "led-cluster-config-map"][..], &labels].concat());
    lab.kubectl_ok(&[
        "run",
        "led-0",
        "--image=flink:2.3.0",
        "--labels=app=led",
        "--command",
        "--",
        "sleep",
        "infinity",
    ]);
    let renew = || {
        let hold = format!(
            "control-plane.alpha.kubernetes.io/leader={{\"holderIdentity\":\"led-0\",\"leaseDuration\":15.0,\"renewTime\":\"{:.3}\"}}",
            jiff::Timestamp::now()
        );
        lab.kubectl_ok(&["annotate", "configmap", "led-cluster-config-map", "--overwrite", &hold]);
    };
    renew();
    let is_done = AtomicBool::new(false);
    let refused = std::thread::scope(|threads| {
        threads.spawn(|| {
            while !is_done.load(Ordering::SeqCst) {
                renew();
                std::thread::sleep(std::time::Duration::from_secs(2));
            }
        });
        let refused = lab.flink(&["delete", "led", "--yes", "--purge-ha"]);
        is_done.store(true, Ordering::SeqCst);
        refused
    });
    refused.failed(4, &["is in use: it is led by led-0"]);
    let typed = command(&refused, "kubectl get");
    shows(lab.kubectl_as_printed(typed), typed, "pod/led-0");
}

#[test]
fn rights_that_are_missing_are_asked_for_by_the_printed_commands() {
    let lab = Lab::new("advice-rights");
    lab.apply(&sleeping("roc", "", "", ""));
    lab.apply("apiVersion: v1\nkind: Service\nmetadata: {name: left-rest, labels: {app: left, type: flink-native-kubernetes}}\nspec: {ports: [{port: 8081}]}\n");
    lab.kubectl_ok(&["rollout", "status", "deployment/roc", "--timeout=90s"]);
    let sees = "deployments.apps,replicasets.apps,pods,services,configmaps,jobs.batch,events";
    let reader = lab.user("reader", &[("get,list,watch", sees)]);
    let few = lab.user("few", &[("get,list,watch", "deployments.apps,services,configmaps,jobs.batch")]);
    for (user, words, right) in [
        (&reader, &["restart", "roc", "--force"][..], "patch deployments.apps"),
        (&reader, &["delete", "roc", "--yes", "--force"], "patch deployments.apps"),
        (&reader, &["delete", "left", "--yes"], "delete services"),
        (&reader, &["jobs", "roc"], "pods --subresource=portforward"),
        (&few, &["jobs", "roc"], "list pods"),
    ] {
        let refused = lab.flink_as(user, words);
        assert_eq!(refused.code, 1, "{words:?}: {}", refused.stderr);
        let typed = printed(&refused, "kubectl auth can-i");
        assert!(typed.contains(right), "{words:?}: {typed}");
        let answer = lab.kubectl_as_printed(typed);
        assert_eq!((answer.code, answer.stdout.as_str()), (1, "no\n"), "{typed}: {}", answer.stderr);
    }
}
