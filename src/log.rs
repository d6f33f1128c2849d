//! What `-v` shows: diagnostic messages of the libraries and of this program, on stderr.

use tracing_subscriber::filter::Targets;
use tracing_subscriber::prelude::*;

/// Levels as kubectl's: requests from 6 on, everything from 8 on.
pub fn start(verbosity: u8, filter: Option<&str>, colour: bool) {
    let by_level = match verbosity {
        0..=3 => None,
        4 | 5 => Some("kubectl_flink=debug,kube=info"),
        6 | 7 => Some("kubectl_flink=debug,kube=debug,hyper=info"),
        8.. => Some("trace"),
    };
    let Some(directives) = filter.or(by_level) else { return };
    // A filter that cannot be read is no reason to fail: what it was to show is not the answer.
    let targets: Targets = directives.parse().unwrap_or_default();
    // The default writer is stdout, which is for data.
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(colour);
    // What cannot be written to a closed terminal cannot be reported there either; the library would panic.
    let lines = lines.log_internal_errors(false);
    let _ = tracing::subscriber::set_global_default(tracing_subscriber::registry().with(lines).with(targets));
}
