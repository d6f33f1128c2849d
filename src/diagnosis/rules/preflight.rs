//! The rules that look at the cluster before anything is written: would the session start?
//!
//! A finding that `cannot_heal` is a refusal; another is a warning.

pub(in crate::diagnosis) mod demand;

use crate::diagnosis::rules::preflight::demand::{amount, asks, plain, pod};

use super::refusal::{self, Refusal};
use crate::model::Finding;
use crate::model::surroundings::{Limit, Node, Surroundings};
use crate::session::SessionSpec;
use crate::session::flink_config::flag_keys::Dialect;
use crate::session::manifest::bootstrap_job;
use crate::session::manifest::bootstrap_job::size::Bounds;
use crate::session::manifest::rbac::{self, Grant};
use crate::session::spec::{Demand, PodSize};
use crate::session::text::shell::quoted;

type Rule = fn(&SessionSpec, &Surroundings) -> Vec<Finding>;

const RULES: [Rule; 9] =
    [user, account, pull_secrets, secret_variables, quotas, limits, nodes, refused_manifests, refused_pods];

/// All that stands in the way of `spec`, refusals first.
pub fn findings(spec: &SessionSpec, around: &Surroundings) -> Vec<Finding> {
    // A namespace that is being deleted refuses everything, and what is in it goes: nothing else matters.
    if let Some(terminating) = terminating(around) {
        return vec![terminating];
    }
    let mut found: Vec<Finding> = RULES.iter().flat_map(|rule| rule(spec, around)).collect();
    // The server refuses with one word what a rule has told with numbers.
    const REFUSED: [&str; 2] = ["pod-refused", "refused-object"];
    let told: Vec<&str> = found.iter().map(|finding| finding.id).filter(|id| !REFUSED.contains(id)).collect();
    let repeats = |words: &str| match refusal::of(words) {
        Some(Refusal::Quota { .. }) => told.contains(&"quota"),
        Some(Refusal::LimitRange) => told.contains(&"limit-range"),
        _ => false,
    };
    found.retain(|finding| {
        !REFUSED.contains(&finding.id) || !finding.evidence.as_deref().is_some_and(repeats)
    });
    found.sort_by_key(|finding| !finding.cannot_heal);
    found
}

/// What the bootstrap pod asks for under the rules of LimitRanges; those for other kinds of objects do not concern it.
pub fn bootstrap_size(limits: &[Limit]) -> PodSize {
    let of_pods = limits.iter().filter(|limit| ["Container", "Pod"].contains(&limit.kind.as_str()));
    let bounds = of_pods.map(|Limit { most, least, ratio, .. }| Bounds { most, least, ratio });
    bootstrap_job::size::within(&bounds.collect::<Vec<_>>())
}

fn refusal(id: &'static str, summary: String, fix: String) -> Finding {
    Finding { id, summary, evidence: None, fix, cannot_heal: true }
}

/// Who may not read the namespace learns it from what the API server refuses.
fn terminating(around: &Surroundings) -> Option<Finding> {
    let Surroundings { namespace, scope, refused_manifests, refused_pods, .. } = around;
    let refused = refused_manifests.iter().map(|(_, words)| words);
    let mut refused = refused.chain(refused_pods.iter().map(|(_, words)| words));
    let is_going =
        around.terminating || refused.any(|words| refusal::of(words) == Some(Refusal::Terminating));
    is_going.then(|| {
        refusal(
            "namespace-terminating",
            format!("namespace {namespace} is being deleted: nothing can be made in it"),
            refusal::terminating(namespace, scope),
        )
    })
}

fn user(_: &SessionSpec, around: &Surroundings) -> Vec<Finding> {
    let Surroundings { namespace, user_lacks, .. } = around;
    let told = || {
        refusal(
            "user-rights",
            format!("you may not {} in namespace {namespace}", user_lacks.join(", ")),
            "ask an administrator for it: docs/permissions.md lists what create needs".to_owned(),
        )
    };
    (!user_lacks.is_empty()).then(told).into_iter().collect()
}

fn account(spec: &SessionSpec, around: &Surroundings) -> Vec<Finding> {
    let Surroundings { namespace, account_lacks, .. } = around;
    let role = rbac::ROLE;
    let fix = match spec.grant {
        Grant::Role => format!(
            "an administrator adds that to role {role} in namespace {namespace}, or name an account that has it \
             (--service-account NAME --rbac=none)"
        ),
        _ => "--rbac=role grants the least that Flink needs, or name an account that has it \
              (--service-account)"
            .to_owned(),
    };
    let told = || {
        refusal(
            "account-rights",
            format!(
                "serviceaccount/{} in namespace {namespace} may not {}",
                spec.service_account,
                account_lacks.join(", ")
            ),
            fix,
        )
    };
    (!account_lacks.is_empty()).then(told).into_iter().collect()
}

/// The types that the kubelet takes credentials for a registry from.
const PULL_SECRETS: [&str; 2] = ["kubernetes.io/dockerconfigjson", "kubernetes.io/dockercfg"];

fn pull_secrets(spec: &SessionSpec, around: &Surroundings) -> Vec<Finding> {
    let Surroundings { namespace, scope, secrets, .. } = around;
    let told = |name: &String| {
        let secret = secrets.iter().find(|secret| secret.name == *name)?;
        let setting = spec.origin_of_entry("--image-pull-secret", name);
        let name = quoted(name);
        let look = format!("kubectl describe secret{scope} {name}; or name another one");
        let make = format!(
            "kubectl create secret docker-registry{scope} {name} --docker-server=... --docker-username=... --docker-password=..."
        );
        match &secret.kind {
            None => Some(refusal(
                "pull-secret",
                format!("secret/{name} ({setting}) does not exist in namespace {namespace}"),
                make,
            )),
            Some(kind) if !PULL_SECRETS.contains(&kind.as_str()) => Some(refusal(
                "pull-secret",
                format!("secret/{name} ({setting}) is of type {kind}: the kubelet needs {}", PULL_SECRETS[0]),
                look,
            )),
            Some(_) => None,
        }
    };
    spec.settings.image_pull_secrets.iter().filter_map(told).collect()
}

fn secret_variables(spec: &SessionSpec, around: &Surroundings) -> Vec<Finding> {
    let Surroundings { namespace, scope, secrets, .. } = around;
    let told = |(variable, of): (&String, &crate::session::spec::settings::SecretKey)| {
        let secret = secrets.iter().find(|secret| secret.name == of.secret)?;
        let (name, key) = (&of.secret, &of.key);
        let setting = match spec.origin_of_entry("--secret-env", variable) {
            setting if setting.name().ends_with(variable.as_str()) => setting.to_string(),
            setting => format!("{setting} {variable}"),
        };
        let name = quoted(name);
        let make = format!("kubectl create secret generic{scope} {name} --from-literal={}=...", quoted(key));
        let look = format!("kubectl describe secret{scope} {name}; --secret-env takes NAME=SECRET:KEY");
        let (what, fix) = match (&secret.kind, &secret.keys) {
            (None, _) => (format!("secret/{name} ({setting}) does not exist in namespace {namespace}"), make),
            (Some(_), Some(keys)) if !keys.contains(key) => {
                let has = if keys.is_empty() { "none".to_owned() } else { keys.join(", ") };
                (format!("secret/{name} ({setting}) has no key {key}: it has {has}"), look)
            }
            _ => return None,
        };
        Some(refusal("secret-env", what, fix))
    };
    spec.settings.secret_env.iter().filter_map(told).collect()
}

/// What is asked for beyond what a quota leaves; for each resource, the first thing that does not fit.
fn quotas(spec: &SessionSpec, around: &Surroundings) -> Vec<Finding> {
    let asks = asks(spec, bootstrap_size(&around.limits));
    let mut found = Vec::new();
    for quota in &around.quotas {
        for (resource, hard) in &quota.hard {
            let used = quota.used.get(resource).copied().unwrap_or(0);
            let left = hard.saturating_sub(used).max(0);
            let beyond = |most: i128| {
                asks.iter().find(|ask| ask.amounts.get(resource).is_some_and(|asked| *asked > most))
            };
            let too_much = beyond(*hard).or_else(|| beyond(left));
            let Some((ask, asked)) = too_much.and_then(|ask| Some((ask, ask.amounts.get(resource)?))) else {
                continue;
            };
            let describe = format!("kubectl describe quota{} {}", around.scope, quoted(&quota.name));
            let sized = resource.ends_with("cpu") || resource.ends_with("memory");
            let fix = match ask.flags {
                _ if !sized => format!("ask for a larger quota: {describe}"),
                "" => describe,
                flags => format!("ask for less ({flags}), or for a larger quota: {describe}"),
            };
            let summary = format!(
                "quota {} leaves {} ({resource}: {} of {} used), and {} {}",
                quota.name,
                amount(resource, left),
                plain(resource, used),
                plain(resource, *hard),
                ask.what,
                amount(resource, *asked),
            );
            // Requests and limits are often the same thing twice.
            let same = |finding: &Finding| finding.summary.split(" (").next() == summary.split(" (").next();
            if !found.iter().any(same) {
                // What others use they may free, and the controllers try again to make a pod. Other objects are
                // sent once.
                let is_of_pods = sized || ["pods", "count/pods"].contains(&resource.as_str());
                found.push(Finding {
                    cannot_heal: asked > hard || !is_of_pods,
                    ..refusal("quota", summary, fix)
                });
            }
        }
    }
    found
}

fn limits(spec: &SessionSpec, around: &Surroundings) -> Vec<Finding> {
    let Demand { jobmanager, taskmanager, .. } = spec.demand();
    let roles = [
        ("the bootstrap pod", bootstrap_size(&around.limits), ""),
        ("the JobManager", jobmanager, "--jobmanager-cpu, --jobmanager-memory"),
        ("one TaskManager", taskmanager, "--taskmanager-cpu, --taskmanager-memory"),
    ];
    let mut found = Vec::new();
    for limit in around.limits.iter().filter(|limit| ["Container", "Pod"].contains(&limit.kind.as_str())) {
        for (role, size, flags) in roles {
            let asked = pod(size);
            for (resource, most, bound) in [
                ("limits.cpu", limit.most.get("cpu"), "at most"),
                ("limits.memory", limit.most.get("memory"), "at most"),
                ("requests.cpu", limit.least.get("cpu"), "at least"),
                ("requests.memory", limit.least.get("memory"), "at least"),
            ] {
                let (Some(bounded), Some(asked)) = (most, asked.get(resource)) else { continue };
                let breaks = if bound == "at most" { asked > bounded } else { asked < bounded };
                if !breaks {
                    continue;
                }
                let (verb, other) = if bound == "at most" { ("allows", "less") } else { ("demands", "more") };
                let describe = format!("kubectl describe limitrange{} {}", around.scope, quoted(&limit.name));
                let fix = match flags {
                    "" => format!(
                        "the bootstrap pod cannot run with that: an administrator changes the limit ({describe})"
                    ),
                    flags => format!("ask for {other} ({flags}): {describe}"),
                };
                let summary = format!(
                    "limit range {} {verb} {bound} {} a {}, and {role} asks for {}",
                    limit.name,
                    amount(resource, *bounded),
                    limit.kind.to_lowercase(),
                    amount(resource, *asked),
                );
                found.push(refusal("limit-range", summary, fix));
            }
        }
    }
    found
}

fn nodes(spec: &SessionSpec, around: &Surroundings) -> Vec<Finding> {
    if around.nodes.is_empty() {
        return Vec::new();
    }
    let fits: Vec<&Node> = around.nodes.iter().filter(|node| takes(spec, node)).collect();
    let grows = around.nodes.iter().any(|node| node.is_provided);
    if fits.is_empty() {
        let count = around.nodes.len();
        let nodes = if count == 1 { "the only node".to_owned() } else { format!("any of the {count} nodes") };
        return vec![Finding {
            cannot_heal: !grows,
            ..refusal(
                "no-node",
                format!(
                    "the session's pods cannot run on {nodes}: taints, cordons or a node selector keep them away"
                ),
                format!(
                    "kubectl describe nodes{}; --toleration and --node-selector decide where they may run",
                    around.scope
                ),
            )
        }];
    }
    let Demand { jobmanager, taskmanager, .. } = spec.demand();
    let roles = [
        ("the JobManager", jobmanager, "--jobmanager-cpu, --jobmanager-memory"),
        ("one TaskManager", taskmanager, "--taskmanager-cpu, --taskmanager-memory, --slots"),
    ];
    let mut found = Vec::new();
    for (role, size, flags) in roles {
        for resource in ["cpu", "memory"] {
            let Some(asked) = pod(size).get(resource).copied() else { continue };
            let in_all = |node: &&&Node| node.allocatable.get(resource).copied().unwrap_or(i128::MAX);
            let free = |node: &&&Node| {
                let asked = node.asked.as_ref().map(|asked| asked.get(resource).copied().unwrap_or(0));
                in_all(node).saturating_sub(asked.unwrap_or(0))
            };
            let largest = fits.iter().max_by_key(in_all).filter(|node| in_all(node) < asked);
            let freest = fits.iter().max_by_key(free).filter(|node| free(node) < asked);
            let (node, has, never) = match (largest, freest) {
                (Some(node), _) => (node, in_all(&node), !grows),
                (None, Some(node)) => (node, free(&node), false),
                (None, None) => continue,
            };
            let (most, now) = if largest.is_some() { ("largest", "in all") } else { ("freest", "left") };
            found.push(Finding {
                cannot_heal: never,
                ..refusal(
                    "node-room",
                    format!(
                        "no node has room for {role}, which asks for {}: the {most}, {}, has {} {now}",
                        amount(resource, asked),
                        node.name,
                        amount(resource, has),
                    ),
                    format!("ask for less ({flags}) or add a node"),
                )
            });
        }
    }
    found
}

/// True when the scheduler may put the session's pods there, room aside.
fn takes(spec: &SessionSpec, node: &Node) -> bool {
    let selector = &spec.settings.node_selector;
    let by_key = ["jobmanager", "taskmanager"]
        .iter()
        .any(|role| spec.settings.config.contains_key(&format!("kubernetes.{role}.tolerations")));
    let tolerated = |[key, value, effect]: &[String; 3]| {
        let own = spec.settings.tolerations.iter().any(|toleration| toleration.tolerates(key, value, effect));
        own || by_key || effect == "PreferNoSchedule" || in_template(spec, key)
    };
    !node.unschedulable
        && node.taints.iter().all(tolerated)
        && selector.iter().all(|(key, value)| node.labels.get(key) == Some(value))
}

/// A template of the user's own names the taint: whether it tolerates it is the scheduler's to say.
fn in_template(spec: &SessionSpec, taint: &str) -> bool {
    spec.templates().iter().flatten().any(|template| {
        let tolerations = template.as_json().pointer("/spec/tolerations").and_then(|list| list.as_array());
        tolerations
            .into_iter()
            .flatten()
            .any(|toleration| toleration["key"].as_str().is_none_or(|key| key == taint))
    })
}

fn refused_manifests(_: &SessionSpec, around: &Surroundings) -> Vec<Finding> {
    let told = |(object, words): &(String, String)| {
        let refused = refusal::of(words);
        let is_right = matches!(refused, Some(Refusal::Right | Refusal::Grant));
        let is_of_rbac =
            ["serviceaccount/", "role", "clusterrole"].iter().any(|kind| object.starts_with(kind));
        let fix = match refused.and_then(|refusal| refusal.fix(&around.namespace, &around.scope)) {
            Some(fix) => fix,
            None if is_right && is_of_rbac => "ask an administrator for it, then use --rbac=none".to_owned(),
            None => "ask an administrator: the API server's own words say why".to_owned(),
        };
        let summary = format!("the API server would not create {object} in namespace {}", around.namespace);
        // The objects are sent once: what may pass later does not help.
        Finding { evidence: Some(words.clone()), ..refusal("refused-object", summary, fix) }
    };
    // Without the right to create Jobs at all, that is what is told.
    let lacks = |object: &str| object.starts_with("job.batch/") && !around.user_lacks.is_empty();
    around.refused_manifests.iter().filter(|(object, _)| !lacks(object)).map(told).collect()
}

fn refused_pods(spec: &SessionSpec, around: &Surroundings) -> Vec<Finding> {
    let mut found: Vec<Finding> = Vec::new();
    for (role, words) in &around.refused_pods {
        let refused = refusal::of(words);
        let security = refused == Some(Refusal::PodSecurity);
        if security && found.iter().any(|finding| finding.id == "pod-security") {
            continue;
        }
        // `violates PodSecurity "restricted:latest": ...`
        let level = words
            .split('"')
            .filter_map(|word| word.split_once(':').map(|(level, _)| level))
            .find(|level| ["baseline", "restricted"].contains(level));
        found.push(Finding {
            evidence: Some(words.clone()),
            ..match security {
                true => pod_security(spec, around, level),
                false => Finding {
                    cannot_heal: !refused.is_some_and(Refusal::can_pass),
                    ..refusal(
                        "pod-refused",
                        format!(
                            "the API server refuses a pod like the {role}'s in namespace {}",
                            around.namespace
                        ),
                        refused
                            .and_then(|refusal| refusal.fix(&around.namespace, &around.scope))
                            .unwrap_or_else(|| "change what it names, or ask an administrator".to_owned()),
                    )
                },
            }
        });
    }
    // The label tells what the server was not asked.
    let enforced = around.pod_security.as_deref() == Some("restricted");
    let asked = around.unreadable.iter().all(|part| !part.starts_with("pods"));
    if found.is_empty()
        && enforced
        && !asked
        && spec.settings.restricted != Some(true)
        && spec.templates() == [None, None]
    {
        found.push(pod_security(spec, around, None));
    }
    found
}

fn pod_security(spec: &SessionSpec, around: &Surroundings, level: Option<&str>) -> Finding {
    let level = level.or(around.pod_security.as_deref()).unwrap_or("of the cluster");
    let old = spec
        .version_hint()
        .and_then(Dialect::of)
        .is_some_and(|dialect| dialect.keys("--restricted").is_err());
    let fix = match (spec.settings.restricted, old) {
        (Some(true), _) => "change the pod template: --restricted leaves alone what it says".to_owned(),
        (_, true) => "--restricted makes the pods fit, from Flink 1.13 on".to_owned(),
        _ => "--restricted makes the session's pods fit".to_owned(),
    };
    refusal(
        "pod-security",
        format!(
            "namespace {} enforces the Pod Security level {level}, and the session's pods do not meet it",
            around.namespace
        ),
        fix,
    )
}

#[cfg(test)]
mod tests;
