//! Reads what a `create` must know before it writes.

use jiff::Timestamp;
use kube::api::PostParams;
use serde::Deserialize;
use serde_json::{Value, json};

use super::list::JSON;
use super::sessions::{Deployment, Job};
use super::small::{Bare, Metadata, Recorded, is_high_availability, owner};
use super::{Cluster, Kind, Result};
use crate::model::session::Owner;
use crate::session::preflight::{
    BootstrapState, EarlierBootstrap, Existing, ExistingKind, Found, OwnBootstrap,
};
use crate::session::rbac::{self, Grant};
use crate::session::{SessionName, bootstrap, labels};

const RBAC: &str = "/apis/rbac.authorization.k8s.io/v1";
const AUTHORIZATION: &str = "/apis/authorization.k8s.io/v1";
const REVIEW_VERSION: &str = "authorization.k8s.io/v1";

/// What there is of a session's permissions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rights {
    pub service_account: bool,
    pub role: bool,
    pub binding: bool,
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
        let (deployment, service, rest, config, hadoop, krb5, template, state, job) = tokio::try_join!(
            self.object::<Recorded<Deployment>>(Kind::Deployment, namespace, name.as_str()),
            self.object::<Bare>(Kind::Service, namespace, name.as_str()),
            self.object::<Bare>(Kind::Service, namespace, &rest),
            self.object::<Bare>(Kind::ConfigMap, namespace, &config),
            self.object::<Bare>(Kind::ConfigMap, namespace, &hadoop),
            self.object::<Bare>(Kind::ConfigMap, namespace, &krb5),
            self.object::<Bare>(Kind::ConfigMap, namespace, &template),
            self.metadata_of(Kind::ConfigMap, Some(namespace), &selector),
            self.object::<Recorded<Job>>(Kind::Job, namespace, &job),
        )?;
        let mut objects = Vec::new();
        let (deployment, record) = match deployment {
            Some(Recorded { object, settings }) => (Some(object), settings),
            None => (None, None),
        };
        let is_unfinished = deployment.as_ref().zip(job.as_ref()).is_some_and(|(deployment, job)| {
            owner(&deployment.metadata) == Owner::Other && made_by(&job.object, deployment)
        });
        if let Some(deployment) = deployment {
            objects.push(Existing {
                object: format!("{}/{name}", Kind::Deployment.resource()),
                kind: match kind_of(name, &deployment.metadata) {
                    ExistingKind::OfSession if deployment.spec.template.is_application() => {
                        ExistingKind::OfApplication
                    }
                    kind => kind,
                },
            });
        }
        let services = [service, rest].into_iter().flatten().map(|bare| (Kind::Service, bare));
        let configs =
            [config, hadoop, krb5, template].into_iter().flatten().map(|bare| (Kind::ConfigMap, bare));
        objects.extend(services.chain(configs).map(|(kind, Bare { metadata })| Existing {
            object: format!("{}/{}", kind.resource(), metadata.name),
            kind: kind_of(name, &metadata),
        }));
        objects.extend(state.iter().filter(|bare| is_high_availability(name, &bare.metadata)).map(|bare| {
            Existing {
                object: format!("{}/{}", Kind::ConfigMap.resource(), bare.metadata.name),
                kind: ExistingKind::HighAvailability,
            }
        }));
        Ok(Found { objects, bootstrap: job.map(|job| earlier_bootstrap(name, job)), is_unfinished, record })
    }

    pub async fn has_service_account(&self, namespace: &str, account: &str) -> Result<bool> {
        self.exists(&format!("/api/v1/namespaces/{namespace}/serviceaccounts/{account}")).await
    }

    /// What there is of the permissions that `grant` gives to `account`.
    pub async fn rights(&self, namespace: &str, account: &str, grant: Grant) -> Result<Rights> {
        let role = async {
            match grant {
                Grant::Role => {
                    self.exists(&format!("{RBAC}/namespaces/{namespace}/roles/{}", rbac::ROLE)).await
                }
                _ => Ok(false),
            }
        };
        let binding = match grant {
            Grant::EditCluster => {
                format!("{RBAC}/clusterrolebindings/{}", rbac::cluster_binding_name(namespace, account))
            }
            _ => {
                let name = rbac::binding_name(grant, account);
                format!("{RBAC}/namespaces/{namespace}/rolebindings/{name}")
            }
        };
        let (service_account, role, binding) =
            tokio::try_join!(self.has_service_account(namespace, account), role, self.exists(&binding))?;
        Ok(Rights { service_account, role, binding })
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
    pub(super) async fn account_may(
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
    if !sub.is_empty() {
        attributes["subresource"] = (*sub).into();
    }
    attributes
}

pub(super) fn kind_of(name: &SessionName, metadata: &Metadata) -> ExistingKind {
    let label = |key: &str| metadata.labels.get(key).map(String::as_str);
    if label(labels::TYPE) == Some(labels::TYPE_NATIVE) && label(labels::APP) == Some(name.as_str()) {
        ExistingKind::OfSession
    } else {
        ExistingKind::Foreign
    }
}

/// True for the plugin's own bootstrap Job and for one written by hand that makes session `name`.
pub(super) fn makes_session(job: &Job, name: &SessionName) -> bool {
    is_own(job, name)
        || job.spec.template.spec.containers.iter().any(|container| {
            let words: Vec<String> = container.words().cloned().collect();
            bootstrap::is_client_for(name, &words)
        })
}

fn is_own(job: &Job, name: &SessionName) -> bool {
    let label = |key: &str| job.metadata.labels.get(key).map(String::as_str);
    label(labels::MANAGED_BY) == Some(labels::PLUGIN) && label(labels::APP) == Some(name.as_str())
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

fn earlier_bootstrap(name: &SessionName, recorded: Recorded<Job>) -> EarlierBootstrap {
    let Recorded { object: job, settings: record } = recorded;
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
        });
    }
    match makes_session(&job, name) {
        false => EarlierBootstrap::Foreign,
        true if ended => EarlierBootstrap::ByHand,
        true => EarlierBootstrap::RunningByHand { seconds: age },
    }
}
