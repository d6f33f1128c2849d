//! The way to a session's REST.
//!
//! It leads through a port that is forwarded to the JobManager's pod, in this process and without a
//! port of this machine; through the API server's proxy where that is forbidden; or straight to an
//! address. A connection is kept for the questions that follow. What may not be done twice travels on
//! a connection of its own, so that it is known whether it has left.

mod asked;
mod process;
mod refind;
mod standing;

use std::cell::{Cell, RefCell};
use std::time::Duration;

use http::Method;
use http::header::LOCATION;

use crate::cluster::{ClusterError, Forwarded, Pace, PodPort};
use crate::flink::address::Address;
use crate::flink::connection::{Connection, Route};
use crate::flink::tls::{Check, Pem, Tls, TlsError};
use crate::flink::{Answer, Body, Request, RestError, RestPath, Transport};

use standing::Standing;

pub use asked::{Details, add_loads, ask, ask_details, ask_jobs};
pub use process::{Fate, Process};
pub use refind::{Choice, Found, find};

/// `rest.port` of every Flink, unless it is set.
pub const DEFAULT_PORT: u16 = 8081;

/// Before a question is asked again. A JobManager that restarts takes longer; who waits for one has a
/// deadline of their own.
const AGAIN: [Duration; 4] = [
    Duration::from_millis(200),
    Duration::from_millis(400),
    Duration::from_millis(600),
    Duration::from_millis(800),
];

/// What is said where the port is closed.
const NOBODY_LISTENS: &str = "nothing listens on REST's port yet, or any more";

/// REST of one session. For one task: requests at the same time take a connection each.
pub struct SessionRest {
    way: Way,
    /// Kept for the next question.
    kept: RefCell<Vec<Connection>>,
    pem: Pem,
    /// Questions that get lost are asked again.
    asks_again: bool,
    standing: Standing,
}

enum Way {
    Address(Address),
    Pod(Box<PodWay>),
}

/// The JobManager's pod, and how to find it anew.
struct PodWay {
    /// Of the API server, which the way leads through.
    pace: Pace,
    /// None after a cut: the pod may have moved.
    port: RefCell<Option<PodPort>>,
    finder: Option<refind::Finder>,
    /// REST has said that it wants TLS (`RedirectingSslHandler`).
    speaks_tls: Cell<bool>,
    /// Ports may not be forwarded.
    is_forbidden: Cell<bool>,
    /// The fastest way for a large body has turned out to be closed.
    has_no_direct_way: Cell<bool>,
}

/// One connection, just opened.
struct Opened {
    connection: Connection,
    /// Of a forwarded port.
    forwarded: Option<Forwarded<()>>,
}

impl SessionRest {
    pub fn at_address(address: Address, pem: Pem) -> Self {
        let (kept, standing) = (RefCell::default(), Standing::default());
        Self { way: Way::Address(address), kept, pem, asks_again: true, standing }
    }

    /// REST of one pod, asked once.
    pub fn at_pod(port: PodPort) -> Self {
        let way = PodWay {
            pace: port.pace().clone(),
            port: RefCell::new(Some(port)),
            finder: None,
            speaks_tls: Cell::new(false),
            is_forbidden: Cell::new(false),
            has_no_direct_way: Cell::new(false),
        };
        Self {
            way: Way::Pod(Box::new(way)),
            kept: RefCell::default(),
            pem: Pem::default(),
            asks_again: false,
            standing: Standing::default(),
        }
    }

    /// REST of a session that was [found](find), wherever its JobManager goes.
    pub fn of(found: &Found, port: PodPort, pem: Pem) -> Self {
        let mut rest = Self::at_pod(port);
        if let Way::Pod(way) = &mut rest.way {
            way.finder = Some(found.finder.clone());
        }
        Self { pem, asks_again: true, ..rest }
    }

    /// REST of one JobManager pod of several, and of no other.
    pub fn of_pod(port: PodPort, pem: Pem) -> Self {
        Self { pem, asks_again: true, ..Self::at_pod(port) }
    }

    /// The port of the pod that is spoken to now; none at an address.
    pub async fn port(&self) -> Result<Option<PodPort>, RestError> {
        match &self.way {
            Way::Address(_) => Ok(None),
            Way::Pod(way) => way.port().await.map(Some),
        }
    }

    /// The pod that the last request went to, without a search for it.
    pub fn known_pod(&self) -> Option<String> {
        match &self.way {
            Way::Address(_) => None,
            Way::Pod(way) => way.port.borrow().as_ref().map(|port| port.pod().to_owned()),
        }
    }

    /// The same, for who forwards it: what is forbidden is told, though requests might go by the proxy.
    pub async fn forwarded_port(&self) -> Result<Option<PodPort>, RestError> {
        let port = self.port().await?;
        if let Some(port) = &port {
            port.open().await.map_err(|error| sort(&error))?;
        }
        Ok(port)
    }

    /// Forgets where the JobManager was: it is looked for before the next request.
    pub fn forget(&self) {
        self.kept.borrow_mut().clear();
        if let Way::Pod(way) = &self.way {
            way.forget();
        }
    }

    /// True where REST wants TLS, as far as an answer has told.
    pub fn speaks_tls(&self) -> bool {
        match &self.way {
            Way::Address(address) => address.is_https,
            Way::Pod(way) => way.speaks_tls.get(),
        }
    }

    /// TLS to the pod, where its REST wants that, as far as an answer has told.
    pub fn pod_tls(&self) -> Result<Option<Tls>, RestError> {
        self.speaks_tls().then(|| Tls::new(&self.pem, Check::Pod).map_err(unusable)).transpose()
    }

    async fn send_once(&self, request: Request, is_question: bool) -> Result<Answer, RestError> {
        if let Way::Pod(way) = &self.way {
            if way.is_forbidden.get() && !matches!(request.body, Body::Jar(_)) {
                return way.proxied(request).await;
            }
            if matches!(request.body, Body::Jar(_))
                && let Some(mut connection) = way.direct().await?
            {
                let answer = connection.send(request).await?;
                return way.of_api_server(answer, false).map_err(|error| match error {
                    // The port may yet be had.
                    RestError::Forbidden(why) => {
                        way.has_no_direct_way.set(true);
                        RestError::Unreachable(why)
                    }
                    error => error,
                });
            }
        }
        let kept = if is_question { self.kept.borrow_mut().pop() } else { None };
        if let Some(mut connection) = kept.filter(Connection::is_open) {
            let answer = connection.send(request).await;
            self.keep(connection, &answer);
            return answer;
        }
        let opened = match self.open().await {
            Err(RestError::Forbidden(why)) => match &self.way {
                // Users who may not forward ports may have the proxy.
                Way::Pod(way) if !matches!(request.body, Body::Jar(_)) => {
                    way.is_forbidden.set(true);
                    return way.proxied(request).await.map_err(|error| match error {
                        RestError::Forbidden(_) => RestError::Forbidden(why),
                        error => error,
                    });
                }
                _ => return Err(RestError::Forbidden(why)),
            },
            opened => opened?,
        };
        let Opened { mut connection, forwarded } = opened;
        let answer = match connection.send(request).await {
            Err(RestError::Lost(why)) => Err(refused(why, forwarded).await),
            answer => answer,
        };
        self.keep(connection, &answer);
        answer
    }

    /// An answer that came early may have left a body on its way.
    fn keep(&self, connection: Connection, answer: &Result<Answer, RestError>) {
        let is_well = answer.as_ref().is_ok_and(|answer| answer.status < 400);
        if is_well && connection.is_open() {
            self.kept.borrow_mut().push(connection);
        }
    }

    async fn open(&self) -> Result<Opened, RestError> {
        match &self.way {
            Way::Address(address) => {
                let mut stream = address.connect().await?;
                if address.is_https {
                    let tls = Tls::new(&self.pem, Check::Host).map_err(unusable)?;
                    stream = tls.over(stream, address.host()).await?;
                }
                let connection = Connection::open(stream, address.route()).await?;
                Ok(Opened { connection, forwarded: None })
            }
            Way::Pod(way) => {
                let _opens = self.standing.opens();
                let port = way.port().await?;
                let opened = port.open().await.map_err(|error| {
                    self.standing.failed(&error);
                    way.forget();
                    sort(&error)
                });
                let (stream, forwarded) = opened?.split();
                let route = Route { host: "localhost".to_owned(), ..Route::default() };
                let connection = if way.speaks_tls.get() {
                    let tls = Tls::new(&self.pem, Check::Pod).map_err(unusable)?;
                    Connection::open(tls.over(Box::new(stream), "localhost").await?, route).await?
                } else {
                    Connection::open(Box::new(stream), route).await?
                };
                Ok(Opened { connection, forwarded: Some(forwarded) })
            }
        }
    }

    /// Takes a redirect to https for what it is: REST speaks TLS here. True when that is news.
    fn learns_tls(&self, answer: &Answer) -> bool {
        let redirects = (300..400).contains(&answer.status)
            && answer.location.as_deref().is_some_and(|location| location.starts_with("https://"));
        match &self.way {
            Way::Pod(way) if redirects => {
                self.kept.borrow_mut().clear();
                !way.speaks_tls.replace(true)
            }
            _ => false,
        }
    }
}

impl Transport for SessionRest {
    async fn send_within(&self, request: Request, patience: Duration) -> Result<Answer, RestError> {
        self.standing.asks();
        self.in_time(patience, Box::pin(self.send(request))).await?
    }

    async fn send(&self, request: Request) -> Result<Answer, RestError> {
        let forgets = ForgetsUnlessDone { rest: self, is_done: Cell::new(false) };
        let Some(question) = request.again() else {
            // A jar that is removed twice is removed: that may travel where others have.
            let may_be_repeated = request.method == Method::DELETE;
            let answer = self.send_once(request, may_be_repeated).await;
            forgets.is_done.set(answer.is_ok());
            return answer;
        };
        let mut pauses = AGAIN.iter().filter(|_| self.asks_again);
        loop {
            let asked = question.again().unwrap_or_else(|| Request::get(RestPath::of([""])));
            let why = match self.send_once(asked, true).await {
                Ok(answer) if self.learns_tls(&answer) => continue,
                Err(error @ (RestError::Unreachable(_) | RestError::Lost(_))) => error,
                answer => {
                    forgets.is_done.set(true);
                    return answer;
                }
            };
            self.forget();
            let Some(pause) = pauses.next() else { return Err(why) };
            tracing::debug!(error = %why, "asking REST again");
            tokio::time::sleep(*pause).await;
        }
    }
}

/// What was not answered, or is not waited for any more, may have gone to a pod that is gone.
struct ForgetsUnlessDone<'a> {
    rest: &'a SessionRest,
    is_done: Cell<bool>,
}

impl Drop for ForgetsUnlessDone<'_> {
    fn drop(&mut self) {
        if !self.is_done.get() {
            self.rest.forget();
        }
    }
}

impl PodWay {
    async fn port(&self) -> Result<PodPort, RestError> {
        if let Some(port) = &*self.port.borrow() {
            return Ok(port.clone());
        }
        let Some(finder) = &self.finder else {
            return Err(RestError::Unreachable("the JobManager's pod is gone".to_owned()));
        };
        let found = finder.find().await.map_err(|error| sort(&error))?;
        if let Some(why) = finder.why_another(&found) {
            return Err(RestError::MadeAnew(why));
        }
        let port =
            found.port().cloned().ok_or_else(|| RestError::Unreachable(found.jobmanager.why_none()))?;
        *self.port.borrow_mut() = Some(port.clone());
        Ok(port)
    }

    fn forget(&self) {
        if self.finder.is_some() {
            self.port.borrow_mut().take();
        }
    }

    async fn proxied(&self, request: Request) -> Result<Answer, RestError> {
        let port = self.port().await?;
        let (is_get, most) = (request.method == Method::GET, request.most());
        let json = match request.body {
            Body::Json(json) => json,
            _ => Vec::new(),
        };
        let tls = self.speaks_tls.get();
        match port.proxied(tls, request.method, request.path.as_str(), json, most).await {
            Ok(answer) => {
                let location = answer.headers().get(LOCATION).and_then(|value| value.to_str().ok());
                let location = location.map(ToOwned::to_owned);
                let status = answer.status().as_u16();
                self.of_api_server(Answer { status, body: answer.into_body(), location }, is_get)
            }
            Err(error) => Err(match sort(&error) {
                RestError::Unreachable(why) if !is_get => RestError::Lost(why),
                error => error,
            }),
        }
    }

    /// Tells the API server's own answers from those of REST behind its proxy.
    fn of_api_server(&self, answer: Answer, is_get: bool) -> Result<Answer, RestError> {
        #[derive(serde::Deserialize)]
        struct Status {
            kind: String,
            message: String,
        }
        let status = serde_json::from_slice::<Status>(&answer.body).ok().filter(|of| of.kind == "Status");
        let told = match &status {
            Some(status) => status.message.clone(),
            // Its proxy speaks plainly of what it could not reach.
            None if answer.status == 503 && answer.body.starts_with(b"error trying to reach service") => {
                String::from_utf8_lossy(&answer.body).trim().to_owned()
            }
            None => return Ok(answer),
        };
        Err(match answer.status {
            401 | 403 => RestError::Forbidden(told),
            // The pod is gone.
            404 => {
                self.forget();
                RestError::Unreachable(told)
            }
            429 => RestError::Unreachable(told),
            // Only what could not even connect has certainly not arrived.
            _ if is_get || told.contains("dial ") => RestError::Unreachable(told),
            _ => RestError::Lost(told),
        })
    }

    /// The fastest way for a large body, where it is open to this user. To a REST that speaks TLS it is
    /// taken only by who has no other: the API server looks at no certificate.
    async fn direct(&self) -> Result<Option<Connection>, RestError> {
        let port = self.port().await?;
        let speaks_tls = self.speaks_tls.get();
        let has_better = speaks_tls && !self.is_forbidden.get();
        if has_better || self.has_no_direct_way.get() || !port.may_proxy().await {
            return Ok(None);
        }
        let direct = match port.direct().await {
            Ok(Some(direct)) => direct,
            Ok(None) => return Ok(None),
            // A forwarded port may yet be had.
            Err(error) => {
                tracing::debug!(%error, "no connection of its own to the API server");
                return Ok(None);
            }
        };
        let route = Route {
            host: direct.host,
            prefix: direct.prefix + &port.proxy_path(speaks_tls),
            headers: direct.headers,
        };
        Connection::open(Box::new(direct.stream), route).await.map(Some)
    }
}

/// Nothing listened on the port: the request has not arrived anywhere.
async fn refused(why: String, forwarded: Option<Forwarded<()>>) -> RestError {
    let was_refused = match forwarded {
        Some(forwarded) => forwarded.was_refused().await,
        None => false,
    };
    match was_refused {
        true => RestError::Unreachable(NOBODY_LISTENS.to_owned()),
        false => RestError::Lost(why),
    }
}

fn unusable(error: TlsError) -> RestError {
    RestError::Unusable(error.to_string())
}

fn sort(error: &ClusterError) -> RestError {
    match error {
        error if error.is_refusal() => RestError::Forbidden(error.to_string()),
        ClusterError::Config(why) => RestError::Unusable(why.clone()),
        ClusterError::TooLong(error) => error.clone().into(),
        error => RestError::Unreachable(error.to_string()),
    }
}
