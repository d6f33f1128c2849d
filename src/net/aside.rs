//! What blocks, on a thread of its own: a runtime that may start no thread panics.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};

use tokio::sync::oneshot;

/// Runs `work` beside the runtime, and waits for it.
///
/// # Errors
/// Where no thread can be started, with the kind `WouldBlock` where the user runs as many as are allowed.
pub async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
    let (tell, told) = oneshot::channel();
    std::thread::Builder::new().spawn(move || {
        // Whoever has stopped waiting needs none.
        let _ = tell.send(work());
    })?;
    told.await.map_err(|_| io::Error::other("the thread has ended without an answer"))
}

/// The addresses of `host`, a name or an address without brackets.
///
/// # Errors
/// Those of the system's resolver, and those of [`aside`].
pub async fn addresses(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![(address, port).into()]);
    }
    let host = host.to_owned();
    aside(move || (host.as_str(), port).to_socket_addrs().map(Iterator::collect)).await?
}
