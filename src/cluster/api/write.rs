//! Writes: create, adopt, delete. None of them is ever done twice.

use jiff::Timestamp;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions, PropagationPolicy};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::{Value, json};

use crate::cluster::api::partial::{Bare, Metadata};
use crate::cluster::api::stream_list::JSON;
use crate::cluster::{Cluster, ClusterError, Kind, ObjectRef, Result, found};
use crate::session::manifest::Manifest;

const FIELD_MANAGER: &str = "kubectl-flink";

/// What happens to the objects that a deleted one owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Propagation {
    /// The owner goes once they are gone.
    Foreground,
    /// They go after it.
    Background,
}

/// What has become of a deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deleted {
    Done,
    /// It was gone already.
    Gone,
    /// It is another one now, or somebody has changed it.
    Changed,
}

impl Cluster {
    /// True while there is exactly this object.
    pub async fn is_there(&self, namespace: &str, object: &ObjectRef) -> Result<bool> {
        let found = self.object::<Bare>(object.kind, namespace, &object.name).await?;
        Ok(found.is_some_and(|found| found.metadata.uid == object.uid))
    }

    /// Whether there is an object at `path`.
    pub(in crate::cluster) async fn exists(&self, path: &str) -> Result<bool> {
        found(self.read::<IgnoredAny>(path, JSON).await).map(|object| object.is_some())
    }

    /// Creates `object` in the collection at `path`; the server's "already exists" is the caller's to
    /// judge.
    pub(in crate::cluster) async fn post_to<T: DeserializeOwned>(
        &self,
        path: String,
        parameters: &PostParams,
        object: &Value,
    ) -> Result<T> {
        let request = kube::core::Request::new(path)
            .create(parameters, object.to_string().into_bytes())
            .map_err(|error| ClusterError::Answer(error.to_string()))?;
        self.ask(request).await
    }

    /// Makes the Deployment `owner` own `job`, so that they go together.
    pub async fn adopt(&self, namespace: &str, job: &ObjectRef, owner: &ObjectRef) -> Result<()> {
        let reference = json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "name": owner.name, "uid": owner.uid,
        });
        self.merge(namespace, job, json!({"metadata": {"ownerReferences": [reference]}})).await
    }

    /// Sets labels and annotations of an object's own metadata; pods made from its template are not
    /// touched.
    pub async fn mark(
        &self,
        namespace: &str,
        object: &ObjectRef,
        labels: &[(&str, &str)],
        annotations: &[(&str, &str)],
    ) -> Result<()> {
        let map = |pairs: &[(&str, &str)]| -> serde_json::Map<_, _> {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).into())).collect()
        };
        let metadata = json!({"labels": map(labels), "annotations": map(annotations)});
        self.merge(namespace, object, json!({"metadata": metadata})).await
    }

    /// Changes the type of a Service, such as to `NodePort`.
    pub async fn set_service_type(
        &self,
        namespace: &str,
        service: &ObjectRef,
        service_type: &str,
    ) -> Result<()> {
        self.merge(namespace, service, json!({"spec": {"type": service_type}})).await
    }

    /// Scales a Deployment to zero pods.
    pub async fn scale_to_zero(&self, namespace: &str, deployment: &ObjectRef) -> Result<()> {
        self.merge(namespace, deployment, json!({"spec": {"replicas": 0}})).await
    }

    /// Has a Deployment make its pods anew, one after the other, as `kubectl rollout restart` does: by an
    /// annotation of their template.
    pub async fn restart(&self, namespace: &str, deployment: &ObjectRef, at: Timestamp) -> Result<()> {
        let annotations = json!({"kubectl.kubernetes.io/restartedAt": at.to_string()});
        let template = json!({"metadata": {"annotations": annotations}});
        self.merge(namespace, deployment, json!({"spec": {"template": template}})).await
    }

    /// Merges `patch` into exactly `object`: a uid that differs is a conflict.
    async fn merge(&self, namespace: &str, object: &ObjectRef, mut patch: Value) -> Result<()> {
        if let Some(fields) = patch.as_object_mut() {
            let metadata = fields.entry("metadata").or_insert_with(|| json!({}));
            metadata.as_object_mut().into_iter().for_each(|metadata| {
                metadata.insert("uid".to_owned(), object.uid.as_str().into());
            });
        }
        let parameters = PatchParams { dry_run: self.dry_run, ..PatchParams::apply(FIELD_MANAGER) };
        let request = kube::core::Request::new(object.kind.collection(Some(namespace)))
            .patch(&object.name, &parameters, &Patch::Merge(patch))
            .map_err(|error| ClusterError::Answer(error.to_string()))?;
        self.ask::<IgnoredAny>(request).await.map(drop)
    }

    /// Deletes exactly `object`: what somebody made anew under its name stays. False when it was
    /// gone already.
    pub async fn delete(
        &self,
        namespace: &str,
        object: &ObjectRef,
        propagation: Propagation,
    ) -> Result<bool> {
        let parameters = DeleteParams {
            propagation_policy: Some(match propagation {
                Propagation::Foreground => PropagationPolicy::Foreground,
                Propagation::Background => PropagationPolicy::Background,
            }),
            ..DeleteParams::default()
        };
        // A conflict is the uid: the object is another one now.
        let deleted = self.delete_if(namespace, object, None, parameters).await?;
        Ok(deleted == Deleted::Done)
    }

    /// The same for a pod, which has `seconds` to end. A pod that is ending already gets less time, if
    /// that is less.
    pub async fn delete_within(&self, namespace: &str, pod: &ObjectRef, seconds: u32) -> Result<bool> {
        let parameters = DeleteParams { grace_period_seconds: Some(seconds), ..DeleteParams::default() };
        let deleted = self.delete_if(namespace, pod, None, parameters).await?;
        Ok(deleted == Deleted::Done)
    }

    /// Deletes `object` as it was at `resource_version`: one that anybody has changed since stays.
    /// What it owns goes after it.
    pub async fn delete_unchanged(
        &self,
        namespace: &str,
        object: &ObjectRef,
        resource_version: &str,
    ) -> Result<Deleted> {
        let propagation_policy = Some(PropagationPolicy::Background);
        let parameters = DeleteParams { propagation_policy, ..DeleteParams::default() };
        self.delete_if(namespace, object, Some(resource_version), parameters).await
    }

    async fn delete_if(
        &self,
        namespace: &str,
        object: &ObjectRef,
        resource_version: Option<&str>,
        parameters: DeleteParams,
    ) -> Result<Deleted> {
        let parameters = DeleteParams {
            preconditions: Some(Preconditions {
                uid: Some(object.uid.clone()),
                resource_version: resource_version.map(str::to_owned),
            }),
            dry_run: self.dry_run,
            ..parameters
        };
        let request = kube::core::Request::new(object.kind.collection(Some(namespace)))
            .delete(&object.name, &parameters)
            .map_err(|error| ClusterError::Answer(error.to_string()))?;
        match self.ask::<IgnoredAny>(request).await {
            Ok(_) => Ok(Deleted::Done),
            Err(error) if error.is_not_found() => Ok(Deleted::Gone),
            Err(error) if error.is_conflict() => Ok(Deleted::Changed),
            Err(error) => Err(error),
        }
    }

    pub(in crate::cluster) fn post(&self) -> PostParams {
        PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), dry_run: self.dry_run }
    }

    /// Creates what a session needs; the metadata that the server gave it.
    pub async fn make(&self, namespace: &str, manifest: &Manifest) -> Result<Metadata> {
        let made: Bare =
            self.post_to(collection(manifest, namespace), &self.post(), &manifest.to_json()).await?;
        Ok(made.metadata)
    }
}

/// The path under which objects of the manifest's kind are made.
fn collection(manifest: &Manifest, namespace: &str) -> String {
    const RBAC: &str = "/apis/rbac.authorization.k8s.io/v1";
    let (group, plural) = match manifest {
        Manifest::Namespace(_) => return "/api/v1/namespaces".to_owned(),
        Manifest::ClusterRoleBinding(_) => return format!("{RBAC}/clusterrolebindings"),
        Manifest::ServiceAccount(_) => ("/api/v1", "serviceaccounts"),
        Manifest::Role(_) => (RBAC, "roles"),
        Manifest::RoleBinding(_) => (RBAC, "rolebindings"),
        Manifest::NetworkPolicy(_) => return Kind::NetworkPolicy.collection(Some(namespace)),
        Manifest::Job(_) => return Kind::Job.collection(Some(namespace)),
    };
    format!("{group}/namespaces/{namespace}/{plural}")
}
