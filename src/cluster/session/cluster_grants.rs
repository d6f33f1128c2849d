//! ClusterRoleBindings that grant to a session's account, and who uses the account.

use k8s_openapi::api::rbac::v1::{RoleRef, Subject};
use serde::Deserialize;

use crate::cluster::api::partial::{Metadata, Template};
use crate::cluster::api::stream_list::JSON;
use crate::cluster::api::table::escape;
use crate::cluster::session::leftovers::Marked;
use crate::cluster::session::list::Job;
use crate::cluster::{Cluster, Kind, ObjectRef, Result, found};
use crate::model::left_over::{self, Trace, What};
use crate::session::manifest::cluster_grant::ClusterGrant;
use crate::session::manifest::labels;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Binding {
    metadata: Metadata,
    role_ref: RoleRef,
    subjects: Option<Vec<Subject>>,
}

/// What makes pods of a template.
#[derive(Deserialize)]
struct Templated {
    metadata: Metadata,
    spec: TemplatedSpec,
}

#[derive(Deserialize)]
struct TemplatedSpec {
    template: Template,
}

/// A FlinkDeployment, whose session may be suspended.
#[derive(Deserialize)]
struct Operated {
    metadata: Metadata,
    #[serde(default)]
    spec: OperatedSpec,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct OperatedSpec {
    service_account: Option<String>,
}

/// Something that runs, or will run, as an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserOfAccount {
    /// As kubectl names it.
    pub object: String,
    /// The session that it may belong to: the value of the label `app`.
    pub session: Option<String>,
}

impl UserOfAccount {
    fn of(resource: &str, metadata: Metadata) -> Self {
        let Metadata { name, mut labels, .. } = metadata;
        Self { object: format!("{resource}/{name}"), session: labels.remove(labels::APP) }
    }
}

/// The plugin's own ClusterRoleBinding of an account.
#[derive(Clone, Debug)]
pub struct OwnGrant {
    pub object: ObjectRef,
    pub resource_version: String,
}

impl Cluster {
    /// Every ClusterRoleBinding; none where this user may not list them.
    pub async fn cluster_grants(&self) -> Result<Option<Vec<ClusterGrant>>> {
        match self.listed::<Binding>(&Kind::ClusterRoleBinding.collection(None), JSON).await {
            Ok(bindings) => Ok(Some(bindings.into_iter().map(|binding| grant(&binding)).collect())),
            Err(error) if error.is_forbidden() || error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The ClusterRoleBinding that `create --rbac=edit-cluster` made for `account`; none where there is none, and
    /// where it grants anything else by now.
    pub async fn own_cluster_grant(&self, namespace: &str, account: &str) -> Result<Option<OwnGrant>> {
        let name = crate::session::manifest::rbac::cluster_binding_name(namespace, account);
        let path = format!("{}/{name}", Kind::ClusterRoleBinding.collection(None));
        let binding = found(self.read::<Marked<Binding>>(&path, JSON).await)?;
        Ok(binding.filter(|binding| grant(&binding.object).own_account() == Some((namespace, account))).map(
            |binding| OwnGrant {
                object: ObjectRef::of(Kind::ClusterRoleBinding, &binding.object.metadata),
                resource_version: binding.marks.resource_version,
            },
        ))
    }

    /// What runs as `account`, or will: pods, Deployments, Jobs that have not ended, and FlinkDeployments.
    pub async fn users_of_account(&self, namespace: &str, account: &str) -> Result<Vec<UserOfAccount>> {
        let fields =
            format!("spec.serviceAccountName={account},status.phase!=Succeeded,status.phase!=Failed");
        let fields = format!("fieldSelector={}", escape(&fields));
        let (pods, deployments, jobs, operated) = tokio::try_join!(
            self.list_of::<PodOfAccount>(Kind::Pod, Some(namespace), &fields),
            self.list_of::<Templated>(Kind::Deployment, Some(namespace), ""),
            self.list_of::<Job>(Kind::Job, Some(namespace), ""),
            self.flink_deployments_as::<Operated>(Some(namespace), "", JSON),
        )?;
        let is_account = |name: Option<&String>| name.is_some_and(|name| name == account);
        // An API server that does not know the selector answers with all pods.
        let pods = pods.into_iter().filter(|pod| is_account(pod.spec.service_account_name.as_ref()));
        let deployments = deployments
            .into_iter()
            .filter(|found| is_account(found.spec.template.spec.service_account_name.as_ref()));
        let jobs = jobs.into_iter().filter(|job| {
            job.ended().is_none() && is_account(job.spec.template.spec.service_account_name.as_ref())
        });
        let operated = operated.into_iter().filter(|found| is_account(found.spec.service_account.as_ref()));
        let of = UserOfAccount::of;
        Ok(deployments
            .map(|found| of(Kind::Deployment.resource(), found.metadata))
            .chain(jobs.map(|job| of(Kind::Job.resource(), job.metadata)))
            .chain(operated.map(|found| of("flinkdeployment.flink.apache.org", found.metadata)))
            .chain(pods.map(|pod| of(Kind::Pod.resource(), pod.metadata)))
            .collect())
    }

    /// The plugin's own ClusterRoleBindings for accounts that nothing uses, in one namespace or in all.
    pub(in crate::cluster) async fn unused_cluster_grants(
        &self,
        namespace: Option<&str>,
    ) -> Result<Vec<Trace>> {
        let selector = escape(&format!("{}={}", labels::MANAGED_BY, labels::PLUGIN));
        let path = format!("{}?labelSelector={selector}", Kind::ClusterRoleBinding.collection(None));
        let mut unused = Vec::new();
        for Marked { object, marks } in self.listed::<Marked<Binding>>(&path, JSON).await? {
            let grant = grant(&object);
            let Some((of, account)) = grant.own_account() else { continue };
            if namespace.is_some_and(|namespace| namespace != of)
                || !self.users_of_account(of, account).await?.is_empty()
            {
                continue;
            }
            let what = What::ClusterGrant { account: account.to_owned() };
            let mut trace = marks.trace(left_over::Kind::ClusterRoleBinding, &object.metadata, what);
            trace.object.namespace = of.to_owned();
            unused.push(trace);
        }
        Ok(unused)
    }
}

#[derive(Deserialize)]
struct PodOfAccount {
    metadata: Metadata,
    spec: crate::cluster::api::partial::TemplateSpec,
}

fn grant(binding: &Binding) -> ClusterGrant {
    let is = |key: &str, value: &str| binding.metadata.labels.get(key).is_some_and(|own| own == value);
    ClusterGrant {
        name: binding.metadata.name.clone(),
        role: binding.role_ref.clone(),
        subjects: binding.subjects.clone().unwrap_or_default(),
        is_labelled: is(labels::MANAGED_BY, labels::PLUGIN),
        is_of_kubernetes: is("kubernetes.io/bootstrapping", "rbac-defaults"),
    }
}
