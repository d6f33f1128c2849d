//! A port of this machine that leads to a session's REST: a forwarded port for every connection.
//!
//! It passes on only requests that its [`Guard`] accepts.
//!
//! Where the JobManager is, one task knows for all of them: connections take it from a [`Trail`], wait
//! there while there is nobody, and say there that somebody did not answer.

mod body;
mod client;
mod guard;
mod serve;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::{CommandError, room};
use crate::cluster::PodPort;
use crate::exit::Exit;
use crate::flink::connection::Stream;
use crate::flink::tls::Tls;
pub use guard::{AcceptedHost, Guard};
use serve::{NotOpened, Opened, Pods};

/// After a connection that could not be taken, as when the machine has no files left to open.
const BREATHER: Duration = Duration::from_millis(100);

/// A port of this machine, on which nobody else can listen.
pub struct Relay {
    listener: TcpListener,
    address: SocketAddr,
}

/// Where the JobManager is.
pub struct Trail {
    seen: watch::Sender<Seen>,
    doubt: Arc<Notify>,
}

#[derive(Clone, Default)]
struct Seen {
    /// Counts up with every look.
    look: u64,
    /// None while there is nobody.
    target: Option<Target>,
}

/// The port of a JobManager's pod.
#[derive(Clone)]
pub struct Target {
    pub port: PodPort,
    /// Where it speaks TLS.
    pub tls: Option<Tls>,
}

impl Trail {
    pub fn new(target: Target) -> Self {
        Self { seen: watch::Sender::new(Seen { look: 1, target: Some(target) }), doubt: Arc::default() }
    }

    /// The pod that it is.
    pub fn pod(&self) -> Option<String> {
        self.seen.borrow().target.as_ref().map(|target| target.port.pod().to_owned())
    }

    /// Tells where the JobManager is now. Connections that wait go on there.
    pub fn tell(&self, target: Option<Target>) {
        self.seen.send_modify(|seen| *seen = Seen { look: seen.look + 1, target });
    }

    /// Yields once somebody was not reached where the JobManager should be; many at once count as one.
    pub async fn doubt(&self) {
        self.doubt.notified().await;
    }
}

impl Relay {
    /// Takes `port`, or a free one, for this machine alone.
    pub async fn bind(port: Option<u16>) -> Result<Self, CommandError> {
        let bound = async {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port.unwrap_or(0))).await?;
            let address = listener.local_addr()?;
            Ok(Self { listener, address })
        };
        bound.await.map_err(|error| unbound(port, &error))
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves connections for as long as it is polled; those that are open end with it.
    pub async fn serve(&self, trail: &Trail, guard: Guard) -> ! {
        let room = room::for_connections();
        let guard = Arc::new(guard);
        let mut open = JoinSet::new();
        loop {
            tokio::select! {
                taken = self.listener.accept(), if open.len() < room => match taken {
                    Ok((client, _)) => {
                        // Requests are written at once; there is nothing to wait for.
                        let _ = client.set_nodelay(true);
                        let pods = Follower { seen: trail.seen.subscribe(), doubt: Arc::clone(&trail.doubt) };
                        open.spawn(serve::serve(client, pods, Arc::clone(&guard)));
                    }
                    Err(error) => {
                        tracing::debug!(%error, "a connection cannot be taken");
                        sleep(BREATHER).await;
                    }
                },
                Some(_) = open.join_next() => {}
            }
        }
    }
}

/// A connection's view of a [`Trail`].
#[derive(Clone)]
struct Follower {
    seen: watch::Receiver<Seen>,
    doubt: Arc<Notify>,
}

impl Pods for Follower {
    async fn open(&self, failed: u64) -> Result<Opened, NotOpened> {
        let mut seen = self.seen.clone();
        let found = seen.wait_for(|seen| seen.look > failed && seen.target.is_some()).await;
        let Seen { look, target } = found.map_err(|_| NotOpened::Over)?.clone();
        let Target { port, tls } = target.ok_or(NotOpened::Over)?;
        let failed = |why: String| {
            tracing::debug!(error = why, pod = port.pod(), "no stream to the JobManager");
            NotOpened::Failed { attempt: look, why }
        };
        let (stream, forwarded) = port.open().await.map_err(|error| failed(error.to_string()))?.split();
        let stream: Box<dyn Stream> = match &tls {
            None => Box::new(stream),
            Some(tls) => {
                let secured = tls.over(Box::new(stream), "localhost").await;
                secured.map_err(|error| failed(error.to_string()))?
            }
        };
        Ok(Opened { stream, forwarded, attempt: look, is_tls: tls.is_some() })
    }

    fn attempt(&self) -> u64 {
        self.seen.borrow().look
    }

    fn doubt(&self) {
        self.doubt.notify_one();
    }
}

/// Why a port could not be taken.
fn unbound(port: Option<u16>, error: &io::Error) -> CommandError {
    let Some(port) = port.filter(|port| *port > 0) else {
        return CommandError::new(Exit::Error, "cannot listen on 127.0.0.1").because(error.to_string());
    };
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            CommandError::new(Exit::Error, format!("port {port} on 127.0.0.1 is in use"))
                .hint("choose another one, or leave --port out: then it is a free one")
        }
        io::ErrorKind::PermissionDenied => {
            CommandError::new(Exit::Error, format!("you may not listen on port {port} of 127.0.0.1"))
                .because(error.to_string())
                .hint("choose one from 1024 on, or leave --port out: then it is a free one")
        }
        _ => CommandError::new(Exit::Error, format!("cannot listen on port {port} of 127.0.0.1"))
            .because(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_port_that_is_taken_is_named() {
        let first = Relay::bind(None).await.expect("a free port");
        let port = first.address().port();
        assert_eq!(first.address().ip(), Ipv4Addr::LOCALHOST);
        let error = Relay::bind(Some(port)).await.err().expect("a port that is taken");
        assert_eq!(error.to_string(), format!("port {port} on 127.0.0.1 is in use"));
    }

    #[test]
    fn a_port_for_administrators_is_told() {
        let error = unbound(Some(80), &io::Error::from(io::ErrorKind::PermissionDenied));
        assert_eq!(error.to_string(), "you may not listen on port 80 of 127.0.0.1: permission denied");
    }
}
