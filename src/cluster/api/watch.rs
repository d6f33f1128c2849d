//! Lists a collection and follows what happens to it, through cuts, expired versions and restarts of
//! the API server: no event is lost and none comes twice.
//!
//! kube's own watcher does the same for whole objects. Tables, which alone have a pod's STATUS, it
//! cannot read.

use std::marker::PhantomData;
use std::time::Duration;

use futures::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt};
use http::Request;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::cluster::api::stream_list::{self, ListHead, ListMetadata};
use crate::cluster::client::size::{ELEMENT, EVENT, Most};
use crate::cluster::{Again, Cluster, ClusterError, Result};

/// The server ends a watch after this time.
const WATCH_SECONDS: u64 = 290;

/// The server sends a bookmark every minute. Where a watch is silent for longer and the server is there, that one
/// connection is of no use, as when a load balancer keeps it open to a server that has gone: the watch goes on
/// over another one.
const SILENT_WATCH: Duration = Duration::from_secs(75);

/// Between tries of a server that does not answer; doubled each time.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// A watch that is shorter than this did not end because its time was over.
const SHORT_WATCH: Duration = Duration::from_secs(1);

/// How often a server may refuse what it has granted before.
const MOST_REFUSALS: usize = 6;

/// What happens to a collection.
#[derive(Debug)]
pub(in crate::cluster) enum Change<T> {
    /// Everything that there is: it replaces all that was known.
    Listed(Vec<T>),
    /// Made or changed.
    Set(T),
    Gone(T),
    /// The server does not answer, and is asked again.
    Lost(ClusterError),
    /// It answers again.
    Found,
    /// This ends it.
    Failed(ClusterError),
}

/// How a collection is asked for and read.
pub(in crate::cluster) trait Shape: Send + 'static {
    type Item: Send + 'static;
    const MEDIA_TYPE: &'static str;
    /// Of the events, where they are asked for otherwise than a list.
    const WATCH_MEDIA_TYPE: &'static str = Self::MEDIA_TYPE;
    /// The array of the elements in a list.
    const FIELD: &'static str;

    fn of_list(&mut self, head: &ListHead, element: &[u8]) -> serde_json::Result<Self::Item>;

    /// None for an event that carries no object.
    fn of_event(&mut self, object: &str) -> serde_json::Result<Option<Self::Item>>;

    /// Learns from an event that tells of no object, such as a bookmark.
    fn learn(&mut self, _object: &str) -> serde_json::Result<()> {
        Ok(())
    }
}

/// Objects in JSON, cut down to what `T` has.
pub(in crate::cluster) struct Objects<T>(PhantomData<fn() -> T>);

impl<T> Default for Objects<T> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T: DeserializeOwned + Send + 'static> Shape for Objects<T> {
    type Item = T;
    const MEDIA_TYPE: &'static str = stream_list::JSON;
    const FIELD: &'static str = "items";

    fn of_list(&mut self, _: &ListHead, element: &[u8]) -> serde_json::Result<T> {
        serde_json::from_slice(element)
    }

    fn of_event(&mut self, object: &str) -> serde_json::Result<Option<T>> {
        serde_json::from_str(object).map(Some)
    }
}

/// One line of a watch.
#[derive(Deserialize)]
struct Line<'a> {
    #[serde(rename = "type", borrow)]
    kind: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    object: &'a RawValue,
}

/// The metadata of any object, and of a Table with one row.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Versioned {
    metadata: ListMetadata,
}

/// How a watch ended.
enum End {
    /// It goes on from the last version.
    Cut,
    /// Only a new list tells what was missed.
    Expired,
    /// Nobody listens any more.
    Unheard,
}

/// One collection that is followed.
struct Follower<S: Shape> {
    cluster: Cluster,
    /// Path and selectors.
    collection: String,
    shape: S,
    changes: mpsc::Sender<Change<S::Item>>,
    /// Of the last list or event; empty before the first list.
    version: String,
    pause: Duration,
    /// Refusals in a row.
    refusals: usize,
    /// A watch was granted once.
    was_granted: bool,
    /// That the server does not answer was said last.
    is_lost: bool,
}

impl Cluster {
    /// Follows the collection at `path`, with `?` and its selectors, until the receiver is dropped
    /// or it fails for good.
    pub(in crate::cluster) fn follow<S: Shape>(
        &self,
        collection: String,
        shape: S,
    ) -> mpsc::Receiver<Change<S::Item>> {
        let (changes, receiver) = mpsc::channel(64);
        let follower = Follower {
            cluster: self.clone(),
            collection,
            shape,
            changes,
            version: String::new(),
            pause: FIRST_PAUSE,
            refusals: 0,
            was_granted: false,
            is_lost: false,
        };
        tokio::spawn(follower.run());
        receiver
    }

    /// Opens a watch. No timeout of a request is one of a watch.
    async fn opened(&self, request: Request<Vec<u8>>) -> Result<impl AsyncBufRead + use<>> {
        let mut request = request;
        request.extensions_mut().insert(Most::Streamed);
        let mut again = Again::new();
        loop {
            match self.client.request_stream(request.clone()).await.map_err(|error| self.sorted(error)) {
                Err(error) => again.after(error).await?,
                opened => return opened,
            }
        }
    }
}

impl<S: Shape> Follower<S> {
    async fn run(mut self) {
        loop {
            match self.list().await {
                Ok(objects) => {
                    if self.changes.send(Change::Listed(objects)).await.is_err() || !self.found().await {
                        return;
                    }
                }
                Err(error) => match self.lost(error).await {
                    true => continue,
                    false => return,
                },
            }
            loop {
                let began = Instant::now();
                let ended = self.watch().await;
                let is_short = began.elapsed() < SHORT_WATCH;
                let is_expired = match ended {
                    Ok(End::Cut) => false,
                    Ok(End::Expired) => true,
                    Ok(End::Unheard) => return,
                    Err(error) if error.is_expired() => true,
                    Err(error) => match self.lost(error).await {
                        true => continue,
                        false => return,
                    },
                };
                // Something between here and the server may end each watch as soon as it begins.
                match is_short {
                    true => self.rest().await,
                    false => self.pause = FIRST_PAUSE,
                }
                if is_expired {
                    break;
                }
            }
        }
    }

    /// Says that the server is lost, and waits before it is asked again. False when that would not
    /// help, or nobody listens.
    async fn lost(&mut self, error: ClusterError) -> bool {
        // A server that has just started may not know its users and their rights yet.
        self.refusals = self.refusals.saturating_add(usize::from(error.is_refusal()));
        let may_pass = error.is_refusal() && self.was_granted && self.refusals <= MOST_REFUSALS;
        if !error.is_transient() && !may_pass {
            let _ = self.changes.send(Change::Failed(error)).await;
            return false;
        }
        tracing::debug!(%error, collection = self.collection, "lost the API server");
        self.is_lost = true;
        if self.changes.send(Change::Lost(error)).await.is_err() {
            return false;
        }
        self.rest().await;
        true
    }

    /// Takes note that the server has answered. False when nobody listens.
    async fn found(&mut self) -> bool {
        self.refusals = 0;
        !std::mem::take(&mut self.is_lost) || self.changes.send(Change::Found).await.is_ok()
    }

    async fn rest(&mut self) {
        tokio::time::sleep(self.pause).await;
        self.pause = self.pause.saturating_mul(2).min(LONGEST_PAUSE);
    }

    async fn list(&mut self) -> Result<Vec<S::Item>> {
        let shape = &mut self.shape;
        let listed = self.cluster.each_of(
            &self.collection,
            S::MEDIA_TYPE,
            S::FIELD,
            |objects: &mut Vec<_>, head, element| {
                objects.push(shape.of_list(head, element)?);
                Ok(())
            },
        );
        let (head, objects) = self.cluster.unless_silent(listed).await?;
        self.version = head.metadata.resource_version;
        Ok(objects)
    }

    /// Watches from the last version on, until the watch ends.
    async fn watch(&mut self) -> Result<End> {
        let path = self.collection.split('?').next().unwrap_or_default().to_owned();
        let query = format!(
            "{}&watch=1&allowWatchBookmarks=true&timeoutSeconds={WATCH_SECONDS}&resourceVersion={}",
            self.collection, self.version
        );
        let request = Request::get(query)
            .header(http::header::ACCEPT, S::WATCH_MEDIA_TYPE)
            // From 1.37 on each event is a gzip member of its own, of which the client reads the
            // first only (tower-http#737).
            .header(http::header::ACCEPT_ENCODING, "identity")
            .body(Vec::new())
            .map_err(|error| ClusterError::Answer(error.to_string()))?;
        // It is answered at once, long before its first event.
        let opened = self.cluster.opened(request);
        let events = tokio::select! {
            events = self.cluster.unless_silent(opened) => events?,
            () = self.changes.closed() => return Ok(End::Unheard),
        };
        self.was_granted = true;
        if !self.found().await {
            return Ok(End::Unheard);
        }
        tokio::pin!(events);
        let mut line = Vec::new();
        loop {
            line.clear();
            let mut event = events.as_mut().take(EVENT);
            let read = tokio::select! {
                read = tokio::time::timeout(SILENT_WATCH, event.read_until(b'\n', &mut line)) => read,
                // What has come of a line is of no use without its end: it comes again.
                silent = self.cluster.silence() => return Err(silent),
                () = self.changes.closed() => return Ok(End::Unheard),
            };
            match read {
                // A line without its end is one that was cut off: it comes again.
                Ok(Ok(_)) if line.ends_with(b"\n") => {}
                Ok(Ok(_)) if line.len() > ELEMENT => {
                    return Err(ClusterError::too_long(
                        format!("GET {path}, one event of the watch,"),
                        ELEMENT,
                    ));
                }
                Ok(Err(error)) => {
                    // Whether the server is lost shows when it is asked to go on.
                    tracing::debug!(%error, collection = self.collection, "the watch was cut");
                    return Ok(End::Cut);
                }
                Ok(Ok(_)) | Err(_) => return Ok(End::Cut),
            }
            if let Some(end) = self.take(&line).await? {
                return Ok(end);
            }
            self.pause = FIRST_PAUSE;
        }
    }

    /// Takes one event in; an end when the watch has come to one.
    async fn take(&mut self, line: &[u8]) -> Result<Option<End>> {
        let unreadable = |error: serde_json::Error| ClusterError::Answer(error.to_string());
        let Line { kind, object } = serde_json::from_slice(line).map_err(unreadable)?;
        if kind == "ERROR" {
            let status: kube::core::Status = serde_json::from_str(object.get()).map_err(unreadable)?;
            let error = ClusterError::Api(Box::new(status));
            return if error.is_expired() { Ok(Some(End::Expired)) } else { Err(error) };
        }
        let change = match kind.as_ref() {
            "ADDED" | "MODIFIED" => self.shape.of_event(object.get()).map_err(unreadable)?.map(Change::Set),
            "DELETED" => self.shape.of_event(object.get()).map_err(unreadable)?.map(Change::Gone),
            // BOOKMARK carries a version alone, and so may kinds to come.
            _ => {
                self.shape.learn(object.get()).map_err(unreadable)?;
                None
            }
        };
        let versioned: Versioned = serde_json::from_str(object.get()).map_err(unreadable)?;
        if !versioned.metadata.resource_version.is_empty() {
            self.version = versioned.metadata.resource_version;
        }
        let Some(change) = change else { return Ok(None) };
        Ok(self.changes.send(change).await.is_err().then_some(End::Unheard))
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::combinators::UnsyncBoxBody;
    use http_body_util::{BodyExt, Full, StreamBody};
    use hyper::body::Frame;
    use kube::client::Body;

    use super::*;

    fn cluster<F, R>(answer: F) -> Cluster
    where
        F: Fn(Request<Body>) -> R + Clone + Send + 'static,
        R: Future<Output = std::result::Result<http::Response<Bytes>, std::io::Error>> + Send + 'static,
    {
        let client = kube::Client::new(tower::service_fn(answer), "a");
        let mut config = kube::Config::new(http::Uri::from_static("https://x:6443"));
        config.accept_invalid_certs = true;
        let shown = std::sync::Arc::default();
        let tls = crate::cluster::client::tls::client_config(
            &config,
            &crate::cluster::client::tls::Authority::System,
            shown,
        );
        Cluster {
            aside: client.clone(),
            client,
            pace: crate::cluster::Pace::default(),
            pulse: crate::cluster::Pulse::default(),
            nodes: Default::default(),
            config: std::sync::Arc::new(config),
            tls: tls.expect("TLS"),
            helper: None,
            server: "x:6443".to_owned(),
            namespace: "a".to_owned(),
            context: None,
            scope: String::new(),
            connection: String::new(),
            request_timeout: None,
            deadline: None,
            dry_run: false,
        }
    }

    type Bytes = UnsyncBoxBody<hyper::body::Bytes, std::io::Error>;

    fn answer(body: &'static str) -> http::Response<Bytes> {
        http::Response::new(Full::from(body).map_err(|never| match never {}).boxed_unsync())
    }

    /// The head of an answer, and nothing after it.
    fn silent() -> http::Response<Bytes> {
        http::Response::new(StreamBody::new(futures::stream::pending()).boxed_unsync())
    }

    const LIST: &str = r#"{"metadata":{"resourceVersion":"10"},"items":[]}"#;

    fn is_watch(request: &Request<Body>) -> bool {
        request.uri().query().is_some_and(|query| query.contains("watch=1"))
    }

    type Anything = Objects<serde_json::Value>;

    /// As one that was stopped, or whose machine has gone: the connection stands, and nothing comes.
    #[tokio::test(start_paused = true)]
    async fn a_server_that_answers_nothing_any_more_is_lost_within_half_a_minute() {
        let cluster = cluster(async |request: Request<Body>| match request.uri().path() {
            "/api/v1/pods" if !is_watch(&request) => Ok(answer(LIST)),
            _ => std::future::pending().await,
        });
        let mut changes = cluster.follow("/api/v1/pods?".to_owned(), Anything::default());
        assert!(matches!(changes.recv().await, Some(Change::Listed(all)) if all.is_empty()));
        let began = Instant::now();
        let Some(Change::Lost(error)) = changes.recv().await else { panic!("it is not lost") };
        assert_eq!(error.to_string(), "Unable to connect to the server: no answer from x:6443 within 20 s");
        assert!(began.elapsed() <= Duration::from_secs(30), "{:?}", began.elapsed());
    }

    #[tokio::test]
    async fn an_event_without_an_end_ends_what_follows_it() {
        let chunk = || Ok(Frame::data(hyper::body::Bytes::from(vec![b'x'; 1 << 20])));
        let cluster = cluster(move |request: Request<Body>| async move {
            Ok(match is_watch(&request) {
                true => {
                    http::Response::new(StreamBody::new(futures::stream::repeat_with(chunk)).boxed_unsync())
                }
                false => answer(LIST),
            })
        });
        let mut changes = cluster.follow("/api/v1/pods?a=b".to_owned(), Anything::default());
        assert!(matches!(changes.recv().await, Some(Change::Listed(_))));
        let Some(Change::Failed(error)) = changes.recv().await else { panic!("it goes on") };
        let why = "the answer to GET /api/v1/pods, one event of the watch, is longer than 8 MiB";
        assert_eq!(error.to_string(), why);
    }

    /// Nothing happens to the objects, and the server says so when it is asked.
    #[tokio::test(start_paused = true)]
    async fn a_server_that_has_nothing_to_tell_is_not_lost() {
        let watches = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let counted = std::sync::Arc::clone(&watches);
        let cluster = cluster(move |request: Request<Body>| {
            let counted = std::sync::Arc::clone(&counted);
            async move {
                Ok(match request.uri().path() {
                    "/version" => answer("{}"),
                    _ if !is_watch(&request) => answer(LIST),
                    _ => {
                        counted.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                        silent()
                    }
                })
            }
        });
        let mut changes = cluster.follow("/api/v1/pods?".to_owned(), Anything::default());
        assert!(matches!(changes.recv().await, Some(Change::Listed(_))));
        let next = tokio::time::timeout(Duration::from_secs(200), changes.recv()).await;
        assert!(next.is_err(), "{next:?}");
        // A connection over which no bookmark comes is not trusted.
        assert_eq!(watches.load(std::sync::atomic::Ordering::SeqCst), 3);
    }
}
