//! What refused a write, by the words of the API server and of its admission plugins.
//!
//! The words are those of Kubernetes' own sources: `plugin/pkg/admission` (ResourceQuota, LimitRanger, ServiceAccount,
//! NamespaceLifecycle), `apiserver/pkg/admission/plugin` (webhooks, policies) and
//! `apiserver/pkg/endpoints/handlers/responsewriters` (rights).

use crate::session::spec::quantity;
use crate::session::text::shell;

/// Who refused, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal<'a> {
    /// Authorization: the user lacks the right.
    Right,
    /// The user tried to grant rights that it does not have.
    Grant,
    /// The user lacks the right to set finalizers on the owner.
    Finalizers,
    /// A ValidatingAdmissionPolicy or MutatingAdmissionPolicy, by name.
    Policy(&'a str),
    /// An admission webhook, by name.
    Webhook(&'a str),
    /// An admission webhook that could not be called, by name.
    SilentWebhook(&'a str),
    PodSecurity,
    /// A quota that is used up. `can_pass` when the request is within the quota's limit: it passes once others
    /// have used less.
    Quota {
        can_pass: bool,
    },
    LimitRange,
    /// The namespace is being deleted.
    Terminating,
    /// The pod's ServiceAccount does not exist.
    ServiceAccount,
    /// Another admission plugin, in its own words.
    Other,
}

/// What refused, by the `words` of the refusal; none when they are not those of a refusal.
pub fn of(words: &str) -> Option<Refusal<'_>> {
    let has = |part: &str| words.contains(part);
    Some(if has("it is being terminated") {
        Refusal::Terminating
    } else if has("set finalizers on") {
        Refusal::Finalizers
    } else if has("failed calling webhook") {
        Refusal::SilentWebhook(quoted(words, "failed calling webhook ", '"').unwrap_or_default())
    } else if let Some(webhook) =
        quoted(words, "admission webhook ", '"').filter(|_| has("denied the request"))
    {
        Refusal::Webhook(webhook)
    } else if let Some(policy) = policy(words) {
        Refusal::Policy(policy)
    } else if has("violates PodSecurity") {
        Refusal::PodSecurity
    } else if has("exceeded quota:") {
        Refusal::Quota { can_pass: is_within_limit(words) }
    } else if has("status unknown for quota") {
        Refusal::Quota { can_pass: true }
    } else if has("failed quota:") || has("insufficient quota") {
        Refusal::Quota { can_pass: false }
    } else if has(" usage per ") || has("max limit to request ratio per ") {
        Refusal::LimitRange
    } else if (has("serviceaccount") || has("service account")) && has("not found") {
        Refusal::ServiceAccount
    } else if has("attempting to grant RBAC permissions") {
        Refusal::Grant
    } else if has(" cannot ") && (has(" resource \"") || has(" path \"")) {
        Refusal::Right
    } else if has("is forbidden") || has("denied the request") || has("denied request") || has("is invalid") {
        Refusal::Other
    } else {
        return None;
    })
}

impl Refusal<'_> {
    /// True when the same request can be admitted later although nobody changes anything: others use less of a
    /// quota, or a webhook responds again.
    pub fn can_pass(self) -> bool {
        matches!(self, Self::Quota { can_pass: true } | Self::SilentWebhook(_))
    }

    /// What to do next. `scope` are flags with which kubectl reaches `namespace`; none where the component that
    /// asked decides, or where nothing but an administrator helps.
    pub fn fix(self, namespace: &str, scope: &str) -> Option<String> {
        let namespace = &shell::quoted(namespace);
        Some(match self {
            Self::Terminating => terminating(namespace, scope),
            Self::Quota { .. } => format!("kubectl describe quota{scope}"),
            Self::LimitRange => format!("kubectl describe limitrange{scope}"),
            Self::PodSecurity => format!(
                "--restricted makes the session's pods fit the level restricted; the namespace's level: kubectl get namespace {namespace}{scope} --show-labels"
            ),
            Self::ServiceAccount => {
                "make it (create does, unless --rbac=none), or name one that exists (--service-account)"
                    .to_owned()
            }
            Self::Policy(name) => {
                let name = shell::quoted(name);
                format!(
                    "change what admission policy {name} refuses, or ask an administrator: kubectl describe validatingadmissionpolicy{scope} {name}"
                )
            }
            Self::Webhook(name) => {
                format!("change what admission webhook {name} refuses, or ask an administrator")
            }
            Self::SilentWebhook(name) => format!(
                "admission webhook {name} does not respond; an administrator repairs it: kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations{scope} -o custom-columns='KIND:.kind,NAME:.metadata.name,WEBHOOKS:.webhooks[*].name'"
            ),
            Self::Right | Self::Grant | Self::Finalizers | Self::Other => return None,
        })
    }
}

/// What to do about a namespace that is being deleted.
pub fn terminating(namespace: &str, scope: &str) -> String {
    let namespace = shell::quoted(namespace);
    format!(
        "wait for it to go (kubectl wait{scope} --for=delete namespace/{namespace} --timeout=10m), or use another one (-n)"
    )
}

/// `ValidatingAdmissionPolicy 'NAME' with binding 'BINDING' denied request: ...`; one that mutates says
/// `policy 'NAME' with binding ...`.
fn policy(words: &str) -> Option<&str> {
    let before = &words[..words.find(" with binding '")?];
    let name = before.strip_suffix('\'')?;
    Some(&name[name.rfind('\'')? + 1..])
}

fn quoted<'a>(words: &'a str, before: &str, quote: char) -> Option<&'a str> {
    let start = words.find(before)? + before.len();
    words[start..].strip_prefix(quote)?.split(quote).next()
}

/// `exceeded quota: NAME, requested: a=1,b=2, used: a=1, limited: a=1`: the limits are those of what is requested.
/// Where the words say less, the quota is taken for one that frees itself.
fn is_within_limit(words: &str) -> bool {
    let part = |name: &str| {
        let start = words.find(&format!("{name}: "))? + name.len() + 2;
        words[start..].split(", ").next()
    };
    let amount = |pairs: &str, resource: &str| {
        let mut pairs = pairs.split(',').filter_map(|pair| pair.trim().split_once('='));
        quantity::kubernetes(pairs.find(|(name, _)| *name == resource)?.1)
    };
    let (Some(requested), Some(limited)) = (part("requested"), part("limited")) else { return true };
    let names = limited.split(',').filter_map(|pair| Some(pair.trim().split_once('=')?.0));
    names.into_iter().all(|name| match (amount(requested, name), amount(limited, name)) {
        (Some(requested), Some(limited)) => requested <= limited,
        _ => true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_admission_plugin_is_known_by_its_words() {
        let cases = [
            (
                "services \"roc-rest\" is forbidden: User \"system:serviceaccount:a:flink\" cannot get resource \"services\" in API group \"\" in the namespace \"a\"",
                Refusal::Right,
            ),
            (
                "services \"roc\" is forbidden: ValidatingAdmissionPolicy 'no-services.example.com' with binding 'all' denied request: services are made by the platform team",
                Refusal::Policy("no-services.example.com"),
            ),
            (
                "pods \"roc-1\" is forbidden: policy 'sidecars' with binding 'sidecars-b' denied request: it failed",
                Refusal::Policy("sidecars"),
            ),
            (
                "admission webhook \"validation.gatekeeper.sh\" denied the request: [owner] label owner is missing",
                Refusal::Webhook("validation.gatekeeper.sh"),
            ),
            (
                "Internal error occurred: failed calling webhook \"w.example\": failed to call webhook: Post \"https://w.a.svc:443/x?timeout=10s\": dial tcp 10.0.0.1:443: connect: connection refused",
                Refusal::SilentWebhook("w.example"),
            ),
            (
                "pods \"roc-1\" is forbidden: violates PodSecurity \"restricted:latest\": runAsNonRoot != true",
                Refusal::PodSecurity,
            ),
            (
                "pods \"roc-1\" is forbidden: exceeded quota: q, requested: limits.memory=1600Mi, used: limits.memory=1Gi, limited: limits.memory=2Gi",
                Refusal::Quota { can_pass: true },
            ),
            (
                "pods \"roc-1\" is forbidden: exceeded quota: q, requested: limits.cpu=1,limits.memory=3Gi, used: limits.memory=0, limited: limits.memory=2Gi",
                Refusal::Quota { can_pass: false },
            ),
            (
                "services \"roc\" is forbidden: exceeded quota: q, requested: count/services=1, used: count/services=0, limited: count/services=0",
                Refusal::Quota { can_pass: false },
            ),
            (
                "pods \"roc-1\" is forbidden: failed quota: q: must specify limits.cpu for: c",
                Refusal::Quota { can_pass: false },
            ),
            (
                "pods \"roc-1\" is forbidden: status unknown for quota: q, resources: limits.cpu",
                Refusal::Quota { can_pass: true },
            ),
            (
                "pods \"roc-1\" is forbidden: maximum memory usage per Container is 256Mi, but limit is 512Mi",
                Refusal::LimitRange,
            ),
            (
                "pods \"roc-1\" is forbidden: cpu max limit to request ratio per Container is 2, but provided ratio is 10.000000",
                Refusal::LimitRange,
            ),
            (
                "jobs.batch \"boot-roc\" is forbidden: unable to create new content in namespace a because it is being terminated",
                Refusal::Terminating,
            ),
            (
                "pods \"roc-1\" is forbidden: error looking up service account a/flink: serviceaccount \"flink\" not found",
                Refusal::ServiceAccount,
            ),
            (
                "pods \"roc-1\" is forbidden: cannot set blockOwnerDeletion if an ownerReference refers to a resource you can't set finalizers on: , <nil>",
                Refusal::Finalizers,
            ),
            (
                "user \"me\" (groups=[\"g\"]) is attempting to grant RBAC permissions not currently held:",
                Refusal::Grant,
            ),
            (
                "pods \"roc-1\" is forbidden: unable to validate against any security context constraint: [provider \"anyuid\": Forbidden]",
                Refusal::Other,
            ),
        ];
        for (words, refusal) in cases {
            assert_eq!(of(words), Some(refusal), "{words}");
        }
        assert_eq!(of("IllegalConfigurationException: Sum of configured JVM Metaspace"), None);
    }

    #[test]
    fn only_what_frees_itself_can_pass() {
        let can_pass = |words: &str| of(words).is_some_and(Refusal::can_pass);
        assert!(can_pass("exceeded quota: q, requested: pods=1, used: pods=4, limited: pods=4"));
        assert!(!can_pass("exceeded quota: q, requested: pods=1, used: pods=0, limited: pods=0"));
        assert!(can_pass("failed calling webhook \"w\": context deadline exceeded"));
        assert!(!can_pass("admission webhook \"w\" denied the request: no"));
        assert!(!can_pass("pods is forbidden: User \"u\" cannot list resource \"pods\""));
    }
}
