//! Reads what a `create` must know before it writes.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::api::rbac::v1::{Role, RoleRef, Subject};
use kube::api::PostParams;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use super::relabelled;
use crate::cluster::api::partial::{Bare, Metadata, Recorded, is_high_availability, owner};
use crate::cluster::api::stream_list::JSON;
use crate::cluster::session::list::{Deployment, Job, Service};
use crate::cluster::session::owned_objects::Client;
use crate::cluster::{Cluster, Kind, Result, found};
use crate::model::session::Owner;
use crate::session::SessionName;
use crate::session::existing::conflicts::{
    BootstrapState, EarlierBootstrap, Existing, ExistingKind, Found, OwnBootstrap,
};
use crate::session::existing::state::Identity;
use crate::session::manifest::rbac::{self, Grant};
use crate::session::manifest::{accounts, bootstrap_job, labels, rbac_found};

const RBAC: &str = "/apis/rbac.authorization.k8s.io/v1";
pub(in crate::cluster) const AUTHORIZATION: &str = "/apis/authorization.k8s.io/v1";
const REVIEW_VERSION: &str = "authorization.k8s.io/v1";

/// What there is of a session's permissions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rights {
    pub service_account: bool,
    pub role: bool,
    pub binding: bool,
    /// What is otherwise there than it would be made, in sentences.
    pub differences: Vec<String>,
}

/// A ServiceAccount: what its pods get by it, besides rights.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Account {
    metadata: Annotated,
    image_pull_secrets: Vec<Named>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Annotated {
    annotations: BTreeMap<String, IgnoredAny>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Named {
    name: String,
}

impl Account {
    /// See [`accounts::gives_more`].
    pub fn gives_more(&self, name: &str) -> Option<String> {
        let annotations: Vec<String> = self.metadata.annotations.keys().cloned().collect();
        let secrets: Vec<String> = self.image_pull_secrets.iter().map(|secret| secret.name.clone()).collect();
        accounts::gives_more(name, &annotations, &secrets)
    }
}

/// A RoleBinding or a ClusterRoleBinding.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Binding {
    role_ref: RoleRef,
    #[serde(default)]
    subjects: Vec<Subject>,
}

/// What the API server says of a right.
#[derive(Deserialize)]
struct Review {
    #[serde(default)]
    status: Verdict,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Verdict {
    allowed: bool,
}

impl Cluster {
    /// Whether the namespace exists; none when this user may not know.
    pub async fn namespace_exists(&self, namespace: &str) -> Result<Option<bool>> {
        match self.exists(&format!("/api/v1/namespaces/{namespace}")).await {
            Ok(exists) => Ok(Some(exists)),
            Err(error) if error.is_forbidden() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// True when the namespace is on its way out, as far as this user may know.
    pub async fn namespace_is_ending(&self, namespace: &str) -> bool {
        let read = self.read::<Bare>(&format!("/api/v1/namespaces/{namespace}"), JSON).await;
        read.is_ok_and(|namespace| namespace.metadata.deletion_timestamp.is_some())
    }

    /// Every object under a name that the session `name` needs.
    pub async fn found(&self, namespace: &str, name: &SessionName) -> Result<Found> {
        let (rest, config) = (name.rest_service(), name.config_map());
        let selector = labels::selector_of(name);
        let job = name.bootstrap_job();
        let [hadoop, krb5, template] = name.further_config_maps();
        let (deployment, service, rest, config, hadoop, krb5, template, state, job, clients) = tokio::try_join!(
            self.object::<Recorded<Deployment>>(Kind::Deployment, namespace, name.as_str()),
            self.object::<Service>(Kind::Service, namespace, name.as_str()),
            self.object::<Service>(Kind::Service, namespace, &rest),
            self.object::<Bare>(Kind::ConfigMap, namespace, &config),
            self.object::<Bare>(Kind::ConfigMap, namespace, &hadoop),
            self.object::<Bare>(Kind::ConfigMap, namespace, &krb5),
            self.object::<Bare>(Kind::ConfigMap, namespace, &template),
            self.metadata_of(Kind::ConfigMap, Some(namespace), &selector),
            self.object::<Recorded<Job>>(Kind::Job, namespace, &job),
            self.clients_if_readable(namespace, name),
        )?;
        let mut objects = Vec::new();
        let (deployment, record) = match deployment {
            Some(Recorded { object, settings, .. }) => (Some(object), settings),
            None => (None, None),
        };
        let is_unfinished = deployment.as_ref().zip(job.as_ref()).is_some_and(|(deployment, job)| {
            owner(&deployment.metadata) == Owner::Other
                && deployment.metadata.deletion_timestamp.is_none()
                && made_by(&job.object, deployment)
        });
        let is_of_job =
            |client: &&Client| job.as_ref().is_some_and(|job| client.is_of(&job.object.metadata.uid));
        let without_job = clients.iter().filter(|client| !is_of_job(client));
        let mut ending: Vec<String> = without_job.map(|client| client.pod.to_string()).collect();
        ending.extend(job.iter().filter_map(|job| is_ending(Kind::Job, &job.object.metadata)));
        ending.extend(deployment.iter().filter_map(|found| is_ending(Kind::Deployment, &found.metadata)));
        if let Some(deployment) = deployment {
            objects.push(Existing {
                object: format!("{}/{name}", Kind::Deployment.resource()),
                kind: match relabelled::identity(name.as_str(), &deployment) {
                    Identity::Session => ExistingKind::OfSession,
                    Identity::Application => ExistingKind::OfApplication,
                    Identity::Foreign => ExistingKind::Foreign,
                },
            });
        }
        for service in [service, rest].into_iter().flatten() {
            ending.extend(is_ending(Kind::Service, &service.metadata));
            objects.push(Existing {
                object: format!("{}/{}", Kind::Service.resource(), service.metadata.name),
                kind: match relabelled::is_service(name, &service) {
                    true => ExistingKind::OfSession,
                    false => kind_of(name, &service.metadata),
                },
            });
        }
        for Bare { metadata } in [config, hadoop, krb5, template].into_iter().flatten() {
            ending.extend(is_ending(Kind::ConfigMap, &metadata));
            objects.push(Existing {
                object: format!("{}/{}", Kind::ConfigMap.resource(), metadata.name),
                kind: kind_of(name, &metadata),
            });
        }
        objects.extend(state.iter().filter(|bare| is_high_availability(name, &bare.metadata)).map(|bare| {
            Existing {
                object: format!("{}/{}", Kind::ConfigMap.resource(), bare.metadata.name),
                kind: ExistingKind::HighAvailability,
            }
        }));
        let bootstrap = job.map(|job| earlier_bootstrap(name, job));
        Ok(Found { objects, bootstrap, is_unfinished, record, ending })
    }

    /// Users who cannot list pods can create sessions all the same.
    async fn clients_if_readable(&self, namespace: &str, name: &SessionName) -> Result<Vec<Client>> {
        match self.working_clients(namespace, name).await {
            Err(error) if error.is_forbidden() => Ok(Vec::new()),
            clients => clients,
        }
    }

    pub async fn has_service_account(&self, namespace: &str, account: &str) -> Result<bool> {
        self.exists(&format!("/api/v1/namespaces/{namespace}/serviceaccounts/{account}")).await
    }

    /// The ServiceAccount; none where there is none.
    pub async fn account(&self, namespace: &str, account: &str) -> Result<Option<Account>> {
        let path = format!("/api/v1/namespaces/{namespace}/serviceaccounts/{account}");
        found(self.read(&path, JSON).await)
    }

    /// What there is of the permissions that `grant` gives to `account`.
    pub async fn rights(&self, namespace: &str, account: &str, grant: Grant) -> Result<Rights> {
        let role = async {
            match grant {
                Grant::Role => {
                    let path = format!("{RBAC}/namespaces/{namespace}/roles/{}", rbac::ROLE);
                    found(self.read::<Role>(&path, JSON).await)
                }
                _ => Ok(None),
            }
        };
        let (name, path) = match grant {
            Grant::EditCluster => {
                let name = rbac::cluster_binding_name(namespace, account);
                (
                    format!("clusterrolebinding.rbac.authorization.k8s.io/{name}"),
                    format!("{RBAC}/clusterrolebindings/{name}"),
                )
            }
            _ => {
                let name = rbac::binding_name(grant, account);
                let path = format!("{RBAC}/namespaces/{namespace}/rolebindings/{name}");
                (format!("rolebinding.rbac.authorization.k8s.io/{name}"), path)
            }
        };
        let binding = async { found(self.read::<Binding>(&path, JSON).await) };
        let (service_account, role, binding) =
            tokio::try_join!(self.has_service_account(namespace, account), role, binding)?;
        let mut differences: Vec<String> =
            role.iter().flat_map(|role| rbac_found::of_role(role, namespace)).collect();
        differences.extend(binding.iter().flat_map(|Binding { role_ref, subjects }| {
            rbac_found::of_binding(&name, (role_ref, subjects), grant, namespace, account)
        }));
        Ok(Rights { service_account, role: role.is_some(), binding: binding.is_some(), differences })
    }

    /// Whether this user may `verb` the resource, asked of the API server.
    pub async fn may(
        &self,
        namespace: &str,
        verb: &str,
        group: &str,
        resource: &str,
        sub: &str,
    ) -> Result<bool> {
        let spec = json!({"resourceAttributes": attributes(namespace, &(verb, group, resource, sub))});
        let review = json!({"apiVersion": REVIEW_VERSION, "kind": "SelfSubjectAccessReview", "metadata": {}, "spec": spec});
        self.is_allowed(format!("{AUTHORIZATION}/selfsubjectaccessreviews"), &self.post(), &review).await
    }

    /// Whether the ServiceAccount `account` has `right`, asked of the API server.
    pub(in crate::cluster) async fn account_may(
        &self,
        namespace: &str,
        account: &str,
        right: &(&str, &str, &str, &str),
    ) -> Result<bool> {
        let groups = [
            "system:serviceaccounts".to_owned(),
            format!("system:serviceaccounts:{namespace}"),
            "system:authenticated".to_owned(),
        ];
        let spec = json!({
            "user": format!("system:serviceaccount:{namespace}:{account}"),
            "groups": groups,
            "resourceAttributes": attributes(namespace, right),
        });
        let review = json!({
            "apiVersion": REVIEW_VERSION, "kind": "LocalSubjectAccessReview",
            "metadata": {"namespace": namespace}, "spec": spec,
        });
        let path = format!("{AUTHORIZATION}/namespaces/{namespace}/localsubjectaccessreviews");
        self.is_allowed(path, &PostParams::default(), &review).await
    }

    async fn is_allowed(&self, path: String, parameters: &PostParams, review: &Value) -> Result<bool> {
        self.post_to::<Review>(path, parameters, review).await.map(|review| review.status.allowed)
    }
}

fn attributes(namespace: &str, (verb, group, resource, sub): &(&str, &str, &str, &str)) -> Value {
    let mut attributes = json!({"namespace": namespace, "verb": verb, "group": group, "resource": resource});
    if let (false, Some(fields)) = (sub.is_empty(), attributes.as_object_mut()) {
        fields.insert("subresource".to_owned(), (*sub).into());
    }
    attributes
}

/// The object, if it is being deleted.
fn is_ending(kind: Kind, metadata: &Metadata) -> Option<String> {
    metadata.deletion_timestamp.map(|_| format!("{}/{}", kind.resource(), metadata.name))
}

/// What a Service or a ConfigMap is that has a name which session `name` needs: its labels tell, or its owner where
/// they were changed.
fn kind_of(name: &SessionName, metadata: &Metadata) -> ExistingKind {
    let label = |key: &str| metadata.labels.get(key).map(String::as_str);
    let is_labelled =
        label(labels::TYPE) == Some(labels::TYPE_NATIVE) && label(labels::APP) == Some(name.as_str());
    if is_labelled || metadata.marks().is_owned(name) {
        ExistingKind::OfSession
    } else {
        ExistingKind::Foreign
    }
}

/// True for the plugin's own bootstrap Job and for one written by hand that makes session `name`.
pub(in crate::cluster) fn makes_session(job: &Job, name: &SessionName) -> bool {
    is_own(job, name)
        || job.spec.template.spec.containers.iter().any(|container| {
            let words: Vec<String> = container.words().cloned().collect();
            bootstrap_job::is_client_for(name, &words)
        })
}

/// True for the plugin's own bootstrap Job. Labels are copied: the name and the owner count too.
fn is_own(job: &Job, name: &SessionName) -> bool {
    let metadata = &job.metadata;
    let is = |key: &str, value: &str| metadata.labels.get(key).is_some_and(|label| label == value);
    is(labels::MANAGED_BY, labels::PLUGIN)
        && is(labels::ROLE, labels::BOOTSTRAP)
        && is(labels::APP, name.as_str())
        && metadata.marks().is_bootstrap(name)
}

/// True when `job` may have made `deployment`: it was at work when the Deployment came.
fn made_by(job: &Job, deployment: &Deployment) -> bool {
    let mut ended = job.status.conditions.iter().filter(|condition| {
        ["Complete", "Failed"].contains(&condition.type_.as_str()) && condition.status == "True"
    });
    let ended = ended.find_map(|condition| condition.last_transition_time);
    match (job.metadata.creation_timestamp, deployment.metadata.creation_timestamp) {
        (Some(started), Some(made)) => made >= started && ended.is_none_or(|ended| made <= ended),
        _ => false,
    }
}

/// What the container of the plugin's own Job runs.
fn runs(job: &Job, files: BTreeMap<String, String>) -> bootstrap_job::Runs {
    let spec = &job.spec.template.spec;
    let container = spec.containers.iter().find(|container| container.name == bootstrap_job::CONTAINER);
    bootstrap_job::Runs {
        image: container.and_then(|container| container.image.clone()).unwrap_or_default(),
        words: container.map(|container| container.words().cloned().collect()).unwrap_or_default(),
        account: spec.service_account_name.clone().unwrap_or_default(),
        files,
    }
}

fn earlier_bootstrap(name: &SessionName, recorded: Recorded<Job>) -> EarlierBootstrap {
    let Recorded { object: job, settings: record, files } = recorded;
    let uid = job.metadata.uid.clone();
    let is =
        |condition: &str| job.status.conditions.iter().any(|c| c.type_ == condition && c.status == "True");
    let age = job
        .metadata
        .creation_timestamp
        .map_or(0, |created| Timestamp::now().duration_since(created).as_secs().max(0).unsigned_abs());
    let ended = is("Failed") || is("Complete");
    if is_own(&job, name) {
        return EarlierBootstrap::Own(OwnBootstrap {
            uid,
            seconds: age,
            state: match () {
                () if job.metadata.deletion_timestamp.is_some() => BootstrapState::Deleting,
                () if is("Failed") => BootstrapState::Failed,
                () if ended => BootstrapState::Succeeded,
                () => BootstrapState::Running,
            },
            record,
            runs: runs(&job, files),
        });
    }
    match makes_session(&job, name) {
        false => EarlierBootstrap::Foreign,
        true if ended => EarlierBootstrap::ByHand,
        true => EarlierBootstrap::RunningByHand { seconds: age },
    }
}
