//! Writes: create, adopt, delete. None of them is ever sent twice.

use std::fmt::Debug;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions, PropagationPolicy};
use kube::{Api, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::{Cluster, ClusterError, ObjectRef, Result, found};
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

impl Cluster {
    /// Reads one object; none when there is none.
    pub async fn get<K>(&self, namespace: &str, name: &str) -> Result<Option<K>>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + DeserializeOwned + Debug,
    {
        found(self.unary(Api::<K>::namespaced(self.client.clone(), namespace).get(name)).await)
    }

    /// True while there is exactly this object.
    pub async fn is_there(&self, namespace: &str, object: &ObjectRef) -> Result<bool> {
        let request = kube::core::Request::new(object.kind.collection(Some(namespace)))
            .get(&object.name, &kube::api::GetParams::default())
            .map_err(|error| ClusterError::Answer(error.to_string()))?;
        let answer = found(self.unary(self.client.request::<serde_json::Value>(request)).await)?;
        Ok(answer.is_some_and(|value| value["metadata"]["uid"] == object.uid.as_str()))
    }

    /// Reads one object that belongs to no namespace.
    pub async fn get_global<K>(&self, name: &str) -> Result<Option<K>>
    where
        K: Resource<Scope = k8s_openapi::ClusterResourceScope, DynamicType = ()>
            + Clone
            + DeserializeOwned
            + Debug,
    {
        found(self.unary(Api::<K>::all(self.client.clone()).get(name)).await)
    }

    /// Creates `object`; the server's "already exists" is the caller's to judge.
    pub async fn create<K>(&self, namespace: &str, object: &K) -> Result<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + Clone
            + DeserializeOwned
            + Serialize
            + Debug,
    {
        self.unary(Api::<K>::namespaced(self.client.clone(), namespace).create(&self.post(), object)).await
    }

    /// Creates an object that belongs to no namespace.
    pub async fn create_global<K>(&self, object: &K) -> Result<K>
    where
        K: Resource<Scope = k8s_openapi::ClusterResourceScope, DynamicType = ()>
            + Clone
            + DeserializeOwned
            + Serialize
            + Debug,
    {
        self.unary(Api::<K>::all(self.client.clone()).create(&self.post(), object)).await
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

    /// Merges `patch` into exactly `object`: a uid that differs is a conflict.
    async fn merge(&self, namespace: &str, object: &ObjectRef, mut patch: serde_json::Value) -> Result<()> {
        patch["metadata"]["uid"] = object.uid.as_str().into();
        let parameters = PatchParams { dry_run: self.dry_run, ..PatchParams::apply(FIELD_MANAGER) };
        let request = kube::core::Request::new(object.kind.collection(Some(namespace)))
            .patch(&object.name, &parameters, &Patch::Merge(patch))
            .map_err(|error| ClusterError::Answer(error.to_string()))?;
        self.unary(self.client.request::<serde_json::Value>(request)).await.map(drop)
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
            preconditions: Some(Preconditions { uid: Some(object.uid.clone()), resource_version: None }),
            dry_run: self.dry_run,
            ..DeleteParams::default()
        };
        let request = kube::core::Request::new(object.kind.collection(Some(namespace)))
            .delete(&object.name, &parameters)
            .map_err(|error| ClusterError::Answer(error.to_string()))?;
        match self.unary(self.client.request::<serde_json::Value>(request)).await {
            Ok(_) => Ok(true),
            // A conflict is the uid: the object is another one now.
            Err(error) if error.is_not_found() || error.is_conflict() => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn post(&self) -> PostParams {
        PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), dry_run: self.dry_run }
    }

    /// Creates what a session needs; the metadata that the server gave it.
    pub async fn make(&self, namespace: &str, manifest: &Manifest) -> Result<ObjectMeta> {
        match manifest {
            Manifest::Namespace(object) => self.create_global(object).await.map(|made| made.metadata),
            Manifest::ServiceAccount(object) => {
                self.create(namespace, object).await.map(|made| made.metadata)
            }
            Manifest::Role(object) => self.create(namespace, object).await.map(|made| made.metadata),
            Manifest::RoleBinding(object) => self.create(namespace, object).await.map(|made| made.metadata),
            Manifest::ClusterRoleBinding(object) => {
                self.create_global(object).await.map(|made| made.metadata)
            }
            Manifest::Job(object) => self.create(namespace, object.as_ref()).await.map(|made| made.metadata),
        }
    }
}
