//! "Something of this session has changed", as a stream: what wakes a wait.

use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt, future};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::core::PartialObjectMeta;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{Config, Error, Event, watcher};

use super::Cluster;
use crate::session::{SessionName, labels};

impl Cluster {
    /// Yields whenever the bootstrap Job, the Deployment or a pod of the session changes. The
    /// watches list again after a cut or an expired version. Without the permission to watch the
    /// stream stays silent, and the caller's own ticks remain.
    pub fn changes(&self, namespace: &str, name: &SessionName) -> BoxStream<'static, ()> {
        let named = |name: &str| Config::default().fields(&format!("metadata.name={name}"));
        let of_app = Config::default().labels(&format!("{}={name}", labels::APP));
        let (jobs, deployments, pods) = (
            Api::<PartialObjectMeta<Job>>::namespaced(self.client.clone(), namespace),
            Api::<PartialObjectMeta<Deployment>>::namespaced(self.client.clone(), namespace),
            Api::<PartialObjectMeta<Pod>>::namespaced(self.client.clone(), namespace),
        );
        stream::select_all([
            signals(watcher(jobs, named(&name.bootstrap_job()))),
            signals(watcher(deployments, named(name.as_str()))),
            signals(watcher(pods, of_app)),
        ])
        .boxed()
    }
}

fn signals<K>(
    watcher: impl Stream<Item = Result<Event<PartialObjectMeta<K>>, Error>> + Send + 'static,
) -> BoxStream<'static, ()>
where
    K: Send + 'static,
{
    watcher.default_backoff().filter_map(|event| future::ready(event.ok().map(drop))).boxed()
}
