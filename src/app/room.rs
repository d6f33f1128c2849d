//! How many files may be open, and how many connections there is room for.

use std::io;

use tokio::runtime::{Builder, Runtime};

/// Files that a runtime opens, and a few for what it runs.
const AT_LEAST: usize = 8;

/// A runtime on this thread.
///
/// # Errors
/// Where the process may not open the few files that it needs: the library would panic. Where the user may raise the
/// limit, it is raised.
pub fn runtime() -> io::Result<Runtime> {
    if !is_there(AT_LEAST) {
        open_files(MOST);
        if !is_there(AT_LEAST) {
            return Err(io::Error::other("too few files may be open at a time"));
        }
    }
    Builder::new_current_thread().enable_all().build()
}

/// Whether as many files can be opened now.
#[cfg(unix)]
fn is_there(files: usize) -> bool {
    // Two each.
    let pairs: io::Result<Vec<_>> =
        (0..files.div_ceil(2)).map(|_| std::os::unix::net::UnixStream::pair()).collect();
    pairs.is_ok()
}

#[cfg(not(unix))]
fn is_there(_files: usize) -> bool {
    true
}

/// Files that one connection holds: the client's end and that towards the API server.
const FILES: u64 = 2;

/// What else is open: the terminal, the listener, watches, connections for requests.
const OTHERS: u64 = 56;

/// More than anybody has use for.
const MOST: u64 = 2000;

/// Connections that can be served at once; later ones wait for their turn. Where the limit of open
/// files is low, as on macOS, where it is 256, it is raised as far as the user may.
pub fn for_connections() -> usize {
    let files = open_files(MOST * FILES + OTHERS);
    let room = (files.saturating_sub(OTHERS) / FILES).clamp(1, MOST);
    usize::try_from(room).unwrap_or(usize::MAX)
}

#[cfg(unix)]
fn open_files(wanted: u64) -> u64 {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let Some(now) = limit.current.filter(|now| *now < wanted) else { return wanted };
    let raised = limit.maximum.map_or(wanted, |maximum| maximum.min(wanted));
    match setrlimit(Resource::Nofile, rustix::process::Rlimit { current: Some(raised), ..limit }) {
        Ok(()) => raised,
        Err(_) => now,
    }
}

#[cfg(not(unix))]
fn open_files(wanted: u64) -> u64 {
    wanted
}
