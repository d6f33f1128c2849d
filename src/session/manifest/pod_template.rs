//! Pod templates: read, checked, laid over each other, and made fit for a restricted namespace.
//!
//! Flink reads a template as a Pod and puts its own things over it; its container is the one called
//! [`MAIN_CONTAINER`] (FLINK-15656, 1.13).

use k8s_openapi::api::core::v1::{Pod, PodSpec};
use serde_json::{Map, Value, json};

use crate::session::text::yaml::{self, Node, YamlError};

/// Flink's container in a template (`Constants#MAIN_CONTAINER_NAME`).
pub const MAIN_CONTAINER: &str = "flink-main-container";

/// User and group `flink` of the official images. Images up to 2.1 start as root, which the Pod
/// Security level "restricted" forbids.
pub const FLINK_USER: i64 = 9999;

/// A Pod of which any part may be missing.
#[derive(Clone, Debug, PartialEq)]
pub struct PodTemplate(Value);

impl PodTemplate {
    pub fn parse(text: &str) -> Result<Self, YamlError> {
        Self::read(&yaml::parse(text)?, "")
    }

    /// Reads a template that stands at `path` of a larger document.
    pub fn read(node: &Node, path: &str) -> Result<Self, YamlError> {
        node.pairs(if path.is_empty() { "a pod template" } else { path })?;
        let value = node.to_json();
        let pod: Pod = serde_json::from_value(value.clone()).map_err(|error| {
            let reads = |value: Value| serde_json::from_value::<Pod>(value).is_ok();
            node.fault(&value, &reads).error(format!("this is no pod template: {error}"))
        })?;
        let understood = serde_json::to_value(pod).unwrap_or_default();
        match node.unknown_field(&understood, path) {
            Some(error) => Err(error),
            None => Ok(Self(value)),
        }
    }

    /// A template that a live session was made from.
    pub fn from_json(value: Value) -> Self {
        Self(value)
    }

    pub fn as_json(&self) -> &Value {
        &self.0
    }

    /// This template with `other` over it: mappings merge, and so do lists of named things such as
    /// containers, volumes and variables; other lists are replaced.
    pub fn under(self, other: Option<&PodTemplate>) -> Self {
        match other {
            Some(other) => Self(merge(self.0, &other.0)),
            None => self,
        }
    }

    pub fn empty() -> Self {
        Self(
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pod-template"}, "spec": {"containers": []}}),
        )
    }

    /// Meets the Pod Security level "restricted", unless the template itself says otherwise
    /// (kubernetes.io/docs/concepts/security/pod-security-standards).
    pub fn restricted(self) -> Self {
        let floor = json!({"spec": {
            "securityContext": {
                "runAsNonRoot": true, "runAsUser": FLINK_USER, "runAsGroup": FLINK_USER, "fsGroup": FLINK_USER,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [{"name": MAIN_CONTAINER}],
        }});
        let Self(mut value) = Self(floor).under(Some(&self));
        for list in ["containers", "initContainers"] {
            for container in value
                .pointer_mut(&format!("/spec/{list}"))
                .and_then(Value::as_array_mut)
                .into_iter()
                .flatten()
            {
                let floor = json!({"securityContext": {
                    "allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]},
                }});
                *container = merge(floor, container);
            }
        }
        Self(value)
    }

    /// Asks for further resources for Flink's container, by their names.
    pub fn with_resources(self, requests: Map<String, Value>, limits: Map<String, Value>) -> Self {
        let amounts = [("requests", requests), ("limits", limits)];
        let resources: Map<String, Value> = amounts
            .into_iter()
            .filter(|(_, amounts)| !amounts.is_empty())
            .map(|(name, amounts)| (name.to_owned(), Value::Object(amounts)))
            .collect();
        let container = json!({"name": MAIN_CONTAINER, "resources": resources});
        Self(merge(self.0, &json!({"spec": {"containers": [container]}})))
    }

    /// What stands in here and has no effect, since Flink puts its own value there.
    pub fn overwritten(&self) -> Vec<String> {
        let main = self.main_container();
        let in_main = [
            ("/image", "--image"),
            ("/imagePullPolicy", "--image-pull-policy"),
            ("/command", ""),
            ("/args", ""),
            ("/resources/requests/cpu", "--jobmanager-cpu, --taskmanager-cpu"),
            ("/resources/limits/cpu", "--jobmanager-cpu, --taskmanager-cpu"),
            ("/resources/requests/memory", "--jobmanager-memory, --taskmanager-memory"),
            ("/resources/limits/memory", "--jobmanager-memory, --taskmanager-memory"),
        ];
        let in_pod = [("/spec/restartPolicy", ""), ("/spec/serviceAccountName", "--service-account")];
        let told = |path: &str, flag: &str| {
            let name = path.trim_start_matches('/').replace('/', ".");
            if flag.is_empty() { name } else { format!("{name} ({flag})") }
        };
        let pod = in_pod.iter().filter(|(path, _)| self.0.pointer(path).is_some());
        let container =
            in_main.iter().filter(|(path, _)| main.is_some_and(|main| main.pointer(path).is_some()));
        pod.chain(container).map(|(path, flag)| told(path, flag)).collect()
    }

    /// The containers, none of which is Flink's: all of them are side-cars then, which few mean.
    pub fn only_sidecars(&self) -> Option<Vec<&str>> {
        let containers = self.0.pointer("/spec/containers")?.as_array()?;
        let names: Vec<&str> = containers.iter().filter_map(|container| container["name"].as_str()).collect();
        (!names.is_empty() && !names.contains(&MAIN_CONTAINER)).then_some(names)
    }

    /// What it says of the pod as a whole.
    pub fn pod_spec(&self) -> PodSpec {
        let pod = serde_json::from_value::<Pod>(self.0.clone()).ok();
        pod.and_then(|pod| pod.spec).unwrap_or_default()
    }

    pub fn main_container(&self) -> Option<&Value> {
        let containers = self.0.pointer("/spec/containers")?.as_array()?;
        containers.iter().find(|container| container["name"] == MAIN_CONTAINER)
    }

    /// True when Flink's container has the environment variable `name`.
    pub fn sets_variable(&self, name: &str) -> bool {
        let variables = self.main_container().and_then(|main| main["env"].as_array());
        variables.into_iter().flatten().any(|variable| variable["name"] == name)
    }

    /// For Flink, which reads YAML, of which JSON is a part. What is not ASCII is written as JSON escapes it: Flink's
    /// parser refuses some of it, and no locale changes it.
    pub fn to_json_text(&self) -> String {
        let escaped = |c: char| match c.is_ascii() && c != '\u{7f}' {
            true => c.to_string(),
            false => c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect(),
        };
        self.0.to_string().chars().map(escaped).collect()
    }
}

/// `over` laid over `under`.
fn merge(under: Value, over: &Value) -> Value {
    match (under, over) {
        (Value::Object(mut under), Value::Object(over)) => {
            for (key, value) in over {
                let below = under.remove(key).unwrap_or(Value::Null);
                under.insert(key.clone(), merge(below, value));
            }
            Value::Object(under)
        }
        (Value::Array(under), Value::Array(over)) if is_named(&under) && is_named(over) => {
            let mut merged = under;
            for item in over {
                match merged.iter_mut().find(|below| identity(below) == identity(item)) {
                    // Of a volume or a variable, half of each makes neither.
                    Some(below) if is_container(item) => *below = merge(below.take(), item),
                    Some(below) => *below = item.clone(),
                    None => merged.push(item.clone()),
                }
            }
            Value::Array(merged)
        }
        (under, Value::Null) => under,
        (_, over) => over.clone(),
    }
}

/// Containers alone have parts that more than one may say.
fn is_container(item: &Value) -> bool {
    const OF_CONTAINERS: [&str; 9] = [
        "image",
        "command",
        "args",
        "env",
        "envFrom",
        "resources",
        "volumeMounts",
        "securityContext",
        "imagePullPolicy",
    ];
    item.get("name").is_some() && OF_CONTAINERS.iter().any(|field| item.get(field).is_some())
}

/// What tells the things of a list apart: a mount by its path, most by their names.
fn identity(item: &Value) -> Option<&Value> {
    item.get("mountPath").or_else(|| item.get("name"))
}

fn is_named(list: &[Value]) -> bool {
    list.iter()
        .all(|item| item.as_object().is_some_and(|item: &Map<String, Value>| item.contains_key("name")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(text: &str) -> PodTemplate {
        PodTemplate::parse(text).expect("template")
    }

    #[test]
    fn a_template_that_kubernetes_would_not_read_is_refused_with_the_place() {
        let told = |text: &str| PodTemplate::parse(text).expect_err(text).to_string();
        insta::assert_snapshot!(
            [
                told("spec:\n  container:\n  - name: a\n"),
                told("spec:\n  containers:\n  - name: a\n    resources: {limit: {cpu: 1}}\n"),
                told("kind: Deployment\nspec: {}\n"),
                told("spec:\n  containers: none\n"),
                told("- a\n"),
            ]
            .join("\n")
        );
    }

    #[test]
    fn what_is_named_merges_and_the_rest_is_replaced() {
        let common = template(
            "spec:\n  containers:\n  - name: flink-main-container\n    env: [{name: A, value: '1'}]\n  - name: side\n  tolerations: [{key: a}]\n",
        );
        let role = template(
            "spec:\n  containers:\n  - name: flink-main-container\n    env: [{name: B, value: '2'}, {name: A, value: '3'}]\n  tolerations: [{key: b}]\n",
        );
        assert_eq!(
            common.under(Some(&role)).as_json(),
            &json!({"spec": {
                "containers": [
                    {"name": "flink-main-container", "env": [{"name": "A", "value": "3"}, {"name": "B", "value": "2"}]},
                    {"name": "side"},
                ],
                "tolerations": [{"key": "b"}],
            }})
        );
    }

    #[test]
    fn restricted_is_a_floor_under_what_the_template_says() {
        let own = template(
            "spec:\n  securityContext: {runAsUser: 1000}\n  containers:\n  - name: side\n    securityContext: {readOnlyRootFilesystem: true}\n",
        );
        insta::assert_snapshot!(serde_json::to_string_pretty(own.restricted().as_json()).expect("json"));
    }

    #[test]
    fn flink_gets_a_template_in_ascii() {
        let text = template("metadata: {annotations: {note: \"é😀\\x7f\\n\"}}").to_json_text();
        assert_eq!(text, r#"{"metadata":{"annotations":{"note":"\u00e9\ud83d\ude00\u007f\n"}}}"#);
    }

    #[test]
    fn what_flink_overwrites_is_known() {
        let own = template(
            "spec:\n  restartPolicy: Never\n  containers:\n  - name: flink-main-container\n    image: mine\n    resources: {limits: {memory: 1Gi}}\n",
        );
        assert_eq!(
            own.overwritten(),
            [
                "spec.restartPolicy",
                "image (--image)",
                "resources.limits.memory (--jobmanager-memory, --taskmanager-memory)"
            ]
        );
        assert_eq!(own.only_sidecars(), None);
        assert_eq!(template("spec:\n  containers: [{name: main}]\n").only_sidecars(), Some(vec!["main"]));
    }
}
