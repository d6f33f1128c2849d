//! Reads what a `create` must know before it writes.

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Service, ServiceAccount};
use k8s_openapi::api::rbac::v1::{ClusterRoleBinding, Role, RoleBinding};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::small::{Metadata, is_high_availability, owner, runs_application};
use super::{Cluster, Kind, Result};
use crate::model::session::Owner;
use crate::session::preflight::{
    BootstrapState, EarlierBootstrap, Existing, ExistingKind, Found, OwnBootstrap,
};
use crate::session::rbac::{self, Grant};
use crate::session::{SessionName, bootstrap, labels};

/// What there is of a session's permissions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rights {
    pub service_account: bool,
    pub role: bool,
    pub binding: bool,
}

impl Cluster {
    /// Whether the namespace exists; none when this user may not know.
    pub async fn namespace_exists(&self, namespace: &str) -> Result<Option<bool>> {
        match self.get_global::<Namespace>(namespace).await {
            Ok(found) => Ok(Some(found.is_some())),
            Err(error) if error.is_forbidden() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Every object under a name that the session `name` needs.
    pub async fn found(&self, namespace: &str, name: &SessionName) -> Result<Found> {
        let (rest, config) = (name.rest_service(), name.config_map());
        let selector = labels::selector_of(name);
        let job = name.bootstrap_job();
        let [hadoop, krb5, template] = name.further_config_maps();
        let (deployment, service, rest, config, hadoop, krb5, template, state, job) = tokio::try_join!(
            self.get::<Deployment>(namespace, name.as_str()),
            self.get::<Service>(namespace, name.as_str()),
            self.get::<Service>(namespace, &rest),
            self.get::<ConfigMap>(namespace, &config),
            self.get::<ConfigMap>(namespace, &hadoop),
            self.get::<ConfigMap>(namespace, &krb5),
            self.get::<ConfigMap>(namespace, &template),
            self.metadata_of(Kind::ConfigMap, Some(namespace), &selector),
            self.get::<Job>(namespace, &job),
        )?;
        let mut objects = Vec::new();
        let annotations = deployment.as_ref().and_then(|deployment| deployment.metadata.annotations.as_ref());
        let record = annotations.and_then(|annotations| annotations.get(labels::SETTINGS)).cloned();
        let is_unfinished = deployment.as_ref().zip(job.as_ref()).is_some_and(|(deployment, job)| {
            owner(&(&deployment.metadata).into()) == Owner::Other && made_by(job, deployment)
        });
        if let Some(deployment) = deployment {
            objects.push(Existing {
                object: format!("{}/{name}", Kind::Deployment.resource()),
                kind: match kind_of(name, &(&deployment.metadata).into()) {
                    ExistingKind::OfSession if is_application(&deployment) => ExistingKind::OfApplication,
                    kind => kind,
                },
            });
        }
        let services =
            [service, rest].into_iter().flatten().map(|s| (Kind::Service, Metadata::from(&s.metadata)));
        let configs = [config, hadoop, krb5, template]
            .into_iter()
            .flatten()
            .map(|c| (Kind::ConfigMap, Metadata::from(&c.metadata)));
        objects.extend(services.chain(configs).map(|(kind, metadata)| Existing {
            object: format!("{}/{}", kind.resource(), metadata.name),
            kind: kind_of(name, &metadata),
        }));
        objects.extend(state.iter().filter(|bare| is_high_availability(name, &bare.metadata)).map(|bare| {
            Existing {
                object: format!("{}/{}", Kind::ConfigMap.resource(), bare.metadata.name),
                kind: ExistingKind::HighAvailability,
            }
        }));
        Ok(Found { objects, bootstrap: job.map(|job| earlier_bootstrap(name, &job)), is_unfinished, record })
    }

    pub async fn has_service_account(&self, namespace: &str, account: &str) -> Result<bool> {
        Ok(self.get::<ServiceAccount>(namespace, account).await?.is_some())
    }

    /// What there is of the permissions that `grant` gives to `account`.
    pub async fn rights(&self, namespace: &str, account: &str, grant: Grant) -> Result<Rights> {
        let role = async {
            match grant {
                Grant::Role => Ok(self.get::<Role>(namespace, rbac::ROLE).await?.is_some()),
                _ => Ok(false),
            }
        };
        let binding = async {
            match grant {
                Grant::EditCluster => {
                    let name = rbac::cluster_binding_name(namespace, account);
                    self.get_global::<ClusterRoleBinding>(&name).await.map(|binding| binding.is_some())
                }
                _ => {
                    let name = rbac::binding_name(grant, account);
                    self.get::<RoleBinding>(namespace, &name).await.map(|binding| binding.is_some())
                }
            }
        };
        let (service_account, role, binding) =
            tokio::try_join!(self.has_service_account(namespace, account), role, binding)?;
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
        let review = SelfSubjectAccessReview {
            spec: SelfSubjectAccessReviewSpec {
                resource_attributes: Some(ResourceAttributes {
                    namespace: Some(namespace.to_owned()),
                    verb: Some(verb.to_owned()),
                    group: Some(group.to_owned()),
                    resource: Some(resource.to_owned()),
                    subresource: (!sub.is_empty()).then(|| sub.to_owned()),
                    ..ResourceAttributes::default()
                }),
                non_resource_attributes: None,
            },
            ..SelfSubjectAccessReview::default()
        };
        let answer = self.create_global(&review).await?;
        Ok(answer.status.is_some_and(|status| status.allowed))
    }
}

pub(super) fn kind_of(name: &SessionName, metadata: &Metadata) -> ExistingKind {
    let label = |key: &str| metadata.labels.get(key).map(String::as_str);
    if label(labels::TYPE) == Some(labels::TYPE_NATIVE) && label(labels::APP) == Some(name.as_str()) {
        ExistingKind::OfSession
    } else {
        ExistingKind::Foreign
    }
}

pub(super) fn is_application(deployment: &Deployment) -> bool {
    let containers =
        deployment.spec.iter().filter_map(|spec| spec.template.spec.as_ref()).flat_map(|pod| &pod.containers);
    containers.into_iter().any(|container| {
        runs_application(container.command.iter().flatten().chain(container.args.iter().flatten()))
    })
}

/// True for the plugin's own bootstrap Job and for one written by hand that makes session `name`.
pub(super) fn makes_session(job: &Job, name: &SessionName) -> bool {
    is_own(job, name) || {
        let containers =
            job.spec.iter().filter_map(|spec| spec.template.spec.as_ref()).flat_map(|pod| &pod.containers);
        containers.into_iter().any(|container| {
            let words: Vec<String> =
                container.command.iter().flatten().chain(container.args.iter().flatten()).cloned().collect();
            bootstrap::is_client_for(name, &words)
        })
    }
}

fn is_own(job: &Job, name: &SessionName) -> bool {
    let label =
        |key: &str| job.metadata.labels.as_ref().and_then(|labels| labels.get(key)).map(String::as_str);
    label(labels::MANAGED_BY) == Some(labels::PLUGIN) && label(labels::APP) == Some(name.as_str())
}

/// True when `job` may have made `deployment`: it was at work when the Deployment came.
fn made_by(job: &Job, deployment: &Deployment) -> bool {
    let created = |metadata: &ObjectMeta| metadata.creation_timestamp.as_ref().map(|time| time.0);
    let status = job.status.as_ref();
    let ended = status.and_then(|status| status.conditions.as_ref()).into_iter().flatten();
    let ended = ended
        .filter(|condition| {
            ["Complete", "Failed"].contains(&condition.type_.as_str()) && condition.status == "True"
        })
        .find_map(|condition| condition.last_transition_time.as_ref().map(|time| time.0));
    match (created(&job.metadata), created(&deployment.metadata)) {
        (Some(started), Some(made)) => made >= started && ended.is_none_or(|ended| made <= ended),
        _ => false,
    }
}

fn earlier_bootstrap(name: &SessionName, job: &Job) -> EarlierBootstrap {
    let uid = job.metadata.uid.clone().unwrap_or_default();
    let is = |condition: &str| {
        let conditions = job.status.iter().filter_map(|status| status.conditions.as_ref()).flatten();
        conditions.into_iter().any(|c| c.type_ == condition && c.status == "True")
    };
    let age = job
        .metadata
        .creation_timestamp
        .as_ref()
        .map_or(0, |created| Timestamp::now().duration_since(created.0).as_secs().max(0).unsigned_abs());
    let ended = is("Failed") || is("Complete");
    if is_own(job, name) {
        let annotations = job.metadata.annotations.as_ref();
        return EarlierBootstrap::Own(OwnBootstrap {
            uid,
            seconds: age,
            state: match () {
                () if job.metadata.deletion_timestamp.is_some() => BootstrapState::Deleting,
                () if is("Failed") => BootstrapState::Failed,
                () if ended => BootstrapState::Succeeded,
                () => BootstrapState::Running,
            },
            record: annotations.and_then(|annotations| annotations.get(labels::SETTINGS)).cloned(),
        });
    }
    match makes_session(job, name) {
        false => EarlierBootstrap::Foreign,
        true if ended => EarlierBootstrap::ByHand,
        true => EarlierBootstrap::RunningByHand { seconds: age },
    }
}
