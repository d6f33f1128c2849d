//! A port of this machine that leads to a session's REST: a forwarded port for every connection.
//!
//! Where the JobManager is, one task knows for all of them: connections take it from a [`Trail`], wait
//! there while there is nobody, and say there that somebody did not answer.

mod carry;
mod room;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout_at};

use super::CommandError;
use crate::cluster::PodPort;
use crate::exit::Exit;
use carry::{Carried, Said};

/// How long a connection waits for a JobManager: as long as one takes to come back on a busy node.
const PATIENCE: Duration = Duration::from_secs(30);

/// After a pod that could not be reached, though it is said to be the one.
const PAUSE: Duration = Duration::from_millis(300);

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
    port: Option<PodPort>,
}

impl Trail {
    pub fn new(port: PodPort) -> Self {
        Self { seen: watch::Sender::new(Seen { look: 1, port: Some(port) }), doubt: Arc::default() }
    }

    /// The pod that it is.
    pub fn pod(&self) -> Option<String> {
        self.seen.borrow().port.as_ref().map(|port| port.pod().to_owned())
    }

    /// Tells where the JobManager is now. Connections that wait go on there.
    pub fn tell(&self, port: Option<PodPort>) {
        self.seen.send_modify(|seen| *seen = Seen { look: seen.look + 1, port });
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
    pub async fn serve(&self, trail: &Trail) -> ! {
        let room = room::for_connections();
        let mut open = JoinSet::new();
        loop {
            tokio::select! {
                taken = self.listener.accept(), if open.len() < room => match taken {
                    Ok((client, _)) => {
                        open.spawn(lead(client, trail.seen.subscribe(), Arc::clone(&trail.doubt)));
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

/// Leads one connection to the JobManager, wherever that goes until it has answered.
async fn lead(mut client: TcpStream, mut seen: watch::Receiver<Seen>, doubt: Arc<Notify>) {
    // Requests are written at once; there is nothing to wait for.
    let _ = client.set_nodelay(true);
    let deadline = Instant::now() + PATIENCE;
    let (mut said, mut in_vain) = (Said::default(), 0);
    loop {
        let found = seen.wait_for(|seen| seen.look > in_vain && seen.port.is_some());
        let Ok(Ok(found)) = timeout_at(deadline, found).await.map(|found| found.map(|seen| seen.clone()))
        else {
            return;
        };
        let Some(port) = found.port else { return };
        match timeout_at(deadline, port.open()).await {
            Ok(Ok(forwarded)) => match carry::carry(&mut client, forwarded, &mut said).await {
                Carried::Done => return,
                Carried::Unanswered => return doubt.notify_one(),
                Carried::Refused => {}
            },
            Ok(Err(error)) => tracing::debug!(%error, pod = port.pod(), "no stream to the JobManager"),
            Err(_) => return doubt.notify_one(),
        }
        in_vain = found.look;
        doubt.notify_one();
        sleep(PAUSE).await;
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
