//! Reads the place where a session is to be made: what is allowed, what there is room for.
//!
//! Nothing here is needed to make a session. What may not be read is named, and the rest goes on.

mod shapes;

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::{join_all, try_join_all};
use kube::api::PostParams;
use serde::de::IgnoredAny;
use tokio::time::Instant;

pub(in crate::cluster) use shapes::amounts;
use shapes::{LimitRange, NodeShape, PodRequests, ResourceQuota, SecretKeys, SecretTable};

use crate::cluster::api::partial::Bare;
use crate::cluster::api::stream_list::JSON;
use crate::cluster::api::table::AS_TABLE;
use crate::cluster::{Cluster, ClusterError, Kind, Result, found};
use crate::model::surroundings::{Amounts, Limit, Node, Quota, Secret, Surroundings};
use crate::session::SessionSpec;
use crate::session::manifest::{Manifest, sample_objects, sample_pods};
use crate::session::spec::PodSize;

/// More nodes than this are not looked at one by one.
const NODES: u32 = 500;

/// Nodes whose pods are counted: each costs a list.
const COUNTED_NODES: usize = 8;

/// A right that somebody must have: verb, group, resource, sub-resource.
pub type Right = (&'static str, &'static str, &'static str, &'static str);

/// What is asked about the place.
pub struct Question<'a> {
    pub spec: &'a SessionSpec,
    /// What this user must be allowed to do.
    pub of_user: &'a [Right],
    /// What the session's ServiceAccount must be allowed to do; nothing where it gets its rights now.
    pub of_account: &'a [Right],
    /// The ServiceAccount is there.
    pub has_account: bool,
    /// That of the TaskManagers is there.
    pub has_taskmanager_account: bool,
    /// The namespace is there; nothing can be tried in one that is not.
    pub has_namespace: bool,
    /// The LimitRanges of the namespace; none where they cannot be read.
    pub limits: Option<&'a [Limit]>,
    /// What the bootstrap pod asks for.
    pub bootstrap: PodSize,
    /// What is to be written.
    pub manifests: &'a [Manifest],
}

impl Cluster {
    /// Reads everything that a check before the first write looks at, in the namespace of the client.
    pub async fn surroundings(&self, question: &Question<'_>) -> Result<Surroundings> {
        let namespace = self.namespace();
        let (limits, mut unreadable) = match question.limits {
            Some(limits) => (limits.to_vec(), Vec::new()),
            None => (Vec::new(), vec!["limit ranges".to_owned()]),
        };
        let (policy, quotas, nodes, secrets, pods, manifests, samples, user_lacks, account_lacks) = tokio::join!(
            self.namespace_policy(namespace),
            self.quotas(namespace),
            self.nodes(),
            self.secrets(namespace, question.spec),
            self.refused_pods(namespace, question),
            self.refused_manifests(namespace, question),
            self.refused_samples(namespace, question),
            self.lacking(namespace, question.of_user),
            self.account_lacks(namespace, question),
        );
        let mut around = Surroundings {
            namespace: namespace.to_owned(),
            scope: self.full_scope(),
            quotas: readable(quotas, "resource quotas", &mut unreadable)?,
            limits,
            nodes: nodes_or_none(readable(nodes, "nodes", &mut unreadable)?, &mut unreadable),
            secrets: readable(secrets, "secrets", &mut unreadable)?,
            refused_pods: readable(pods, "pods", &mut unreadable)?,
            refused_manifests: readable(manifests, "what is to be made", &mut unreadable)?,
            user_lacks: user_lacks?,
            account_lacks: readable(account_lacks, "the ServiceAccount's permissions", &mut unreadable)?,
            ..Surroundings::default()
        };
        let samples =
            readable(samples, "Services, ConfigMap and Deployment of the session", &mut unreadable)?;
        around.refused_manifests.extend(samples);
        let (terminating, pod_security) = readable(policy, "the namespace", &mut unreadable)?;
        Ok(Surroundings { terminating, pod_security, unreadable, ..around })
    }

    /// Whether the namespace is going, and the Pod Security level that it enforces.
    async fn namespace_policy(&self, name: &str) -> Result<(bool, Option<String>)> {
        let namespace = found(self.read::<Bare>(&format!("/api/v1/namespaces/{name}"), JSON).await)?;
        let mut metadata = namespace.map(|namespace| namespace.metadata).unwrap_or_default();
        let level = metadata.labels.remove("pod-security.kubernetes.io/enforce");
        Ok((metadata.deletion_timestamp.is_some(), level))
    }

    /// The quotas that count pods which run until they are deleted and ask for CPU and memory.
    async fn quotas(&self, namespace: &str) -> Result<Vec<Quota>> {
        const COUNTING: [&str; 2] = ["NotTerminating", "NotBestEffort"];
        let path = format!("/api/v1/namespaces/{namespace}/resourcequotas");
        let list: Vec<ResourceQuota> = self.listed(&path, JSON).await?;
        let counts = |quota: &ResourceQuota| {
            quota.spec.scopes.iter().all(|scope| COUNTING.contains(&scope.as_str()))
                && quota.spec.scope_selector.is_none()
        };
        let quotas = list.into_iter().filter(counts).map(|quota| Quota {
            name: quota.metadata.name,
            hard: amounts(quota.status.hard.or(quota.spec.hard)),
            used: amounts(quota.status.used),
        });
        Ok(quotas.collect())
    }

    /// The rules of the LimitRanges in the namespace of the client; none where this user cannot read them.
    pub async fn limits(&self) -> Result<Option<Vec<Limit>>> {
        let path = format!("/api/v1/namespaces/{}/limitranges", self.namespace());
        let mut unreadable = Vec::new();
        let list: Vec<LimitRange> =
            readable(self.listed(&path, JSON).await, "limit ranges", &mut unreadable)?;
        if !unreadable.is_empty() {
            return Ok(None);
        }
        let rules = list.into_iter().flat_map(|range| {
            let name = range.metadata.name;
            range.spec.limits.unwrap_or_default().into_iter().map(move |rule| Limit {
                name: name.clone(),
                kind: rule.type_,
                most: amounts(rule.max),
                least: amounts(rule.min),
                ratio: amounts(rule.max_limit_request_ratio),
            })
        });
        Ok(Some(rules.collect()))
    }

    /// The nodes with what they have; with what is asked of them where they are few. None when there are
    /// more than can be looked at.
    async fn nodes(&self) -> Result<Option<Vec<Node>>> {
        let Some(mut nodes) = self.bare_nodes().await? else { return Ok(None) };
        if nodes.len() <= COUNTED_NODES {
            let asked = join_all(nodes.iter().map(|node| self.asked_of(&node.name))).await;
            for (node, asked) in nodes.iter_mut().zip(asked) {
                // Without the pods, what is free is not known, and nothing is said of it.
                node.asked = asked.ok();
            }
        }
        Ok(Some(nodes))
    }

    /// The nodes with what they have. None when there are more than can be looked at.
    async fn bare_nodes(&self) -> Result<Option<Vec<Node>>> {
        let path = format!("/api/v1/nodes?limit={NODES}");
        let listed = self.each_of(&path, JSON, "items", |nodes: &mut Vec<Node>, _, node| {
            nodes.push(serde_json::from_slice::<NodeShape>(node)?.into());
            Ok(())
        });
        let (head, nodes) = listed.await?;
        let are_more = head.metadata.continue_.is_some_and(|more| !more.is_empty());
        Ok((!are_more).then_some(nodes))
    }

    /// The nodes with what they have, as of the last half minute: a wait that looks each second does not read
    /// them each time. Empty when they are too many, or may not be read.
    pub(in crate::cluster) async fn nodes_seen_lately(&self) -> Vec<Node> {
        const LATELY: Duration = Duration::from_secs(30);
        let mut seen = self.nodes.lock().await;
        match &*seen {
            Some((at, nodes)) if at.elapsed() < LATELY => nodes.clone(),
            _ => {
                let nodes = self.bare_nodes().await.ok().flatten().unwrap_or_default();
                *seen = Some((Instant::now(), nodes.clone()));
                nodes
            }
        }
    }

    /// What the pods on a node ask for.
    async fn asked_of(&self, node: &str) -> Result<Amounts> {
        let selector = format!("spec.nodeName%3D{node},status.phase!%3DSucceeded,status.phase!%3DFailed");
        let selector = format!("fieldSelector={selector}");
        let pods: Vec<PodRequests> = self.list_of(Kind::Pod, None, &selector).await?;
        let mut asked = Amounts::new();
        let containers = pods.into_iter().flat_map(|pod| pod.spec.containers);
        for (name, amount) in containers.flat_map(|container| amounts(container.resources.requests)) {
            let of: &mut i128 = asked.entry(name).or_default();
            *of = of.saturating_add(amount);
        }
        Ok(asked)
    }

    /// The Secrets that the session names. Of pull secrets only the type is read.
    async fn secrets(&self, namespace: &str, spec: &SessionSpec) -> Result<Vec<Secret>> {
        let of_pull = spec.settings.image_pull_secrets.iter().map(|name| (name, false));
        let of_env = spec.settings.secret_env.values().map(|of| (&of.secret, true));
        let mut names: BTreeMap<&String, bool> = of_pull.collect();
        names.extend(of_env);
        let mut secrets = Vec::new();
        for (name, with_keys) in names {
            secrets.push(self.secret(namespace, name, with_keys).await?);
        }
        Ok(secrets)
    }

    async fn secret(&self, namespace: &str, name: &str, with_keys: bool) -> Result<Secret> {
        let path = format!("/api/v1/namespaces/{namespace}/secrets/{name}");
        let absent = Secret { name: name.to_owned(), ..Secret::default() };
        let answer = match with_keys {
            true => self
                .read::<SecretKeys>(&path, JSON)
                .await
                .map(|secret| (secret.type_, Some(secret.data.into_keys().collect::<Vec<_>>()))),
            // A table tells the type without the contents.
            false => {
                self.read::<SecretTable>(&format!("{path}?includeObject=None"), AS_TABLE).await.map(|table| {
                    (
                        table
                            .rows
                            .into_iter()
                            .next()
                            .and_then(|row| row.cells.get(1)?.as_str().map(str::to_owned)),
                        None,
                    )
                })
            }
        };
        match answer {
            Ok((kind, keys)) => {
                Ok(Secret { kind: Some(kind.unwrap_or_else(|| "Opaque".to_owned())), keys, ..absent })
            }
            Err(error) if error.is_not_found() => Ok(absent),
            Err(error) => Err(error),
        }
    }

    /// Shows the API server pods like the session's, without making them, and collects its refusals.
    async fn refused_pods(
        &self,
        namespace: &str,
        question: &Question<'_>,
    ) -> Result<Vec<(&'static str, String)>> {
        if !question.has_namespace {
            return Ok(Vec::new());
        }
        let there = |is_there: bool, account| if is_there { account } else { "default" };
        let accounts = [
            there(question.has_account, question.spec.service_account.as_str()),
            there(question.has_taskmanager_account, question.spec.taskmanager_account()),
        ];
        let parameters = PostParams { dry_run: true, ..PostParams::default() };
        let mut refused = Vec::new();
        for (role, pod) in sample_pods(question.spec, namespace, accounts, question.bootstrap) {
            let Some(pod) = pod else { continue };
            let pod = serde_json::to_value(&pod).unwrap_or_default();
            let collection = Kind::Pod.collection(Some(namespace));
            let answer = self.post_to::<IgnoredAny>(collection, &parameters, &pod).await;
            // In a namespace that is just made, the account comes a moment later.
            let words = refused_on_trial(answer)?.filter(|words| !words.contains("service account"));
            refused.extend(words.map(|words| (role, words)));
        }
        Ok(refused)
    }

    /// The same of what Flink's client makes beside the pods: Services, ConfigMap, Deployment. The API server judges by
    /// this user what the ServiceAccount will ask for; where this user may not even try, that is an error.
    async fn refused_samples(
        &self,
        namespace: &str,
        question: &Question<'_>,
    ) -> Result<Vec<(String, String)>> {
        if !question.has_namespace {
            return Ok(Vec::new());
        }
        let parameters = PostParams { dry_run: true, ..PostParams::default() };
        let account = question.spec.service_account.as_str();
        let tried = sample_objects(question.spec, namespace, account).into_iter().map(async |sample| {
            let version =
                sample.json.get("apiVersion").and_then(|version| version.as_str()).unwrap_or_default();
            let root = if version.contains('/') { "apis" } else { "api" };
            let path = format!("/{root}/{version}/namespaces/{namespace}/{}", sample.plural);
            let answer = self.post_to::<IgnoredAny>(path, &parameters, &sample.json).await;
            Ok(refused_on_trial(answer)?.map(|words| (sample.object, words)))
        });
        let answers: Vec<Result<Option<(String, String)>>> = join_all(tried).await;
        let refused: Vec<_> = answers.iter().filter_map(|answer| answer.as_ref().ok()?.clone()).collect();
        match answers.into_iter().find_map(std::result::Result::err) {
            Some(error) if refused.is_empty() => Err(error),
            _ => Ok(refused),
        }
    }

    /// Shows the API server what is to be written, without writing it, and collects its refusals.
    async fn refused_manifests(
        &self,
        namespace: &str,
        question: &Question<'_>,
    ) -> Result<Vec<(String, String)>> {
        let trial = self.dry_run();
        let mut refused = Vec::new();
        for manifest in question.manifests {
            // A binding cannot be tried before its Role is there, nor anything before its namespace.
            let makes_role = question.manifests.iter().any(|other| matches!(other, Manifest::Role(_)));
            let waits = matches!(manifest, Manifest::RoleBinding(_)) && makes_role;
            if waits || !(question.has_namespace || matches!(manifest, Manifest::ClusterRoleBinding(_))) {
                continue;
            }
            let words = match trial.make(namespace, manifest).await {
                Err(ClusterError::Api(status)) if status.code == 403 => Some(status.message.clone()),
                answer => refused_on_trial(answer)?,
            };
            refused.extend(words.map(|words| (manifest.object(), words)));
        }
        Ok(refused)
    }

    /// The rights that `account` lacks, in words; nothing where this user cannot ask for them.
    pub async fn lacks(&self, namespace: &str, account: &str, rights: &[Right]) -> Result<Vec<String>> {
        let asked = rights.iter().map(async |right: &Right| {
            let allowed = self.account_may(namespace, account, right).await?;
            Ok::<_, ClusterError>((!allowed).then(|| in_words(right)))
        });
        match try_join_all(asked).await {
            Ok(lacks) => Ok(lacks.into_iter().flatten().collect()),
            Err(error) if error.is_forbidden() => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// The rights that this user lacks, in words.
    async fn lacking(&self, namespace: &str, rights: &[Right]) -> Result<Vec<String>> {
        let asked = rights.iter().map(async |right: &Right| {
            let (verb, group, resource, sub) = right;
            let may = self.may(namespace, verb, group, resource, sub).await?;
            Ok::<_, ClusterError>((!may).then(|| in_words(right)))
        });
        Ok(try_join_all(asked).await?.into_iter().flatten().collect())
    }

    /// The rights that the session's ServiceAccount lacks, asked of the API server.
    async fn account_lacks(&self, namespace: &str, question: &Question<'_>) -> Result<Vec<String>> {
        let account = &question.spec.service_account;
        let asked = question.of_account.iter().map(async |right: &Right| {
            let allowed = self.account_may(namespace, account, right).await?;
            Ok::<_, ClusterError>((!allowed).then(|| in_words(right)))
        });
        Ok(try_join_all(asked).await?.into_iter().flatten().collect())
    }
}

/// What the API server said against an object that it was shown; none when it would take it. An error where it does
/// not judge the object at all.
fn refused_on_trial<T>(answer: Result<T>) -> Result<Option<String>> {
    match answer {
        Ok(_) => Ok(None),
        Err(error) if error.is_already_exists() => Ok(None),
        Err(ClusterError::Api(status)) => {
            let message = &status.message;
            let refuses = match status.code {
                // Two refusals have this code: of the right to ask, and of what was asked.
                403 => !message.contains("cannot create resource"),
                // A webhook's own code, if it names none.
                400 => message.contains("denied the request"),
                // It may respond to the next try, which the wait will see.
                500 => message.contains("failed calling webhook"),
                code => code == 422,
            };
            if refuses { Ok(Some(message.clone())) } else { Err(ClusterError::Api(status)) }
        }
        Err(error) => Err(error),
    }
}

/// `create pods`, `get deployments.apps`.
fn in_words((verb, group, resource, sub): &Right) -> String {
    let group = if group.is_empty() { String::new() } else { format!(".{group}") };
    let sub = if sub.is_empty() { String::new() } else { format!("/{sub}") };
    format!("{verb} {resource}{group}{sub}")
}

/// Nodes that are too many are named like those that may not be read; the latter are named already.
fn nodes_or_none(nodes: Option<Vec<Node>>, unreadable: &mut Vec<String>) -> Vec<Node> {
    if nodes.is_none() && !unreadable.iter().any(|part| part == "nodes") {
        unreadable.push(format!("nodes (more than {NODES})"));
    }
    nodes.unwrap_or_default()
}

/// A part that this user may not read is named and left out. Other errors are errors.
fn readable<T: Default>(answer: Result<T>, what: &str, unreadable: &mut Vec<String>) -> Result<T> {
    match answer {
        Ok(value) => Ok(value),
        // A webhook that cannot be asked for a trial says so with a bad request.
        Err(ClusterError::Api(status)) if matches!(status.code, 400 | 403 | 404 | 405) => {
            tracing::info!(%what, message = status.message, "not readable");
            unreadable.push(what.to_owned());
            Ok(T::default())
        }
        Err(error) => Err(error),
    }
}
