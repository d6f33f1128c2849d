//! "Something of this session has changed", as a stream: what wakes a wait.

use futures::StreamExt;
use futures::stream::{self, BoxStream};

use crate::cluster::api::partial;
use crate::cluster::api::stream_list::ListHead;
use crate::cluster::api::table::escape;
use crate::cluster::api::watch::{Change, Shape};
use crate::cluster::{Cluster, Kind};
use crate::session::SessionName;
use crate::session::manifest::labels;

/// Objects of which nothing is kept.
struct Anything;

impl Shape for Anything {
    type Item = ();
    const MEDIA_TYPE: &'static str = partial::METADATA;
    const WATCH_MEDIA_TYPE: &'static str = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io";
    const FIELD: &'static str = "items";

    fn of_list(&mut self, _: &ListHead, _: &[u8]) -> serde_json::Result<()> {
        Ok(())
    }

    fn of_event(&mut self, _: &str) -> serde_json::Result<Option<()>> {
        Ok(Some(()))
    }
}

impl Cluster {
    /// Yields whenever the bootstrap Job, the Deployment, a Service or a pod of the session changes.
    /// Without the permission to watch the stream stays silent, and the caller's own ticks remain.
    pub fn changes(&self, namespace: &str, name: &SessionName) -> BoxStream<'static, ()> {
        let is_news =
            |change: &Change<()>| matches!(change, Change::Listed(_) | Change::Set(()) | Change::Gone(()));
        self.wakes(namespace, name, is_news)
    }

    /// Like [`Cluster::changes`], but only when one of them has gone, and once at the beginning.
    pub fn departures(&self, namespace: &str, name: &SessionName) -> BoxStream<'static, ()> {
        self.wakes(namespace, name, |change| matches!(change, Change::Listed(_) | Change::Gone(())))
    }

    fn wakes(
        &self,
        namespace: &str,
        name: &SessionName,
        is_news: fn(&Change<()>) -> bool,
    ) -> BoxStream<'static, ()> {
        let named = |name: &str| format!("fieldSelector={}", escape(&format!("metadata.name={name}")));
        let of_app = format!("labelSelector={}", escape(&format!("{}={name}", labels::APP)));
        let collections = [
            (Kind::Job, named(&name.bootstrap_job())),
            (Kind::Deployment, named(name.as_str())),
            (Kind::Service, of_app.clone()),
            (Kind::Pod, of_app),
        ];
        let signals = collections.map(|(kind, selector)| {
            let changes = self.follow(format!("{}?{selector}", kind.collection(Some(namespace))), Anything);
            let next = |mut changes: tokio::sync::mpsc::Receiver<Change<()>>| async {
                let change = changes.recv().await?;
                Some((change, changes))
            };
            let news = move |change| async move { is_news(&change).then_some(()) };
            stream::unfold(changes, next).filter_map(news).boxed()
        });
        stream::select_all(signals).boxed()
    }
}
