//! What `-v` shows: diagnostic messages of the libraries and of this program, on stderr.

use tracing_subscriber::EnvFilter;

/// Levels as kubectl's: requests from 6 on, everything from 8 on.
pub fn start(verbosity: u8, filter: Option<&str>) {
    let by_level = match verbosity {
        0..=3 => None,
        4 | 5 => Some("kubectl_flink=debug,kube=info"),
        6 | 7 => Some("kubectl_flink=debug,kube=debug,hyper=info"),
        8.. => Some("trace"),
    };
    let Some(directives) = filter.or(by_level) else { return };
    // The default writer is stdout, which is for data.
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(directives))
        .with_writer(std::io::stderr)
        .with_target(true)
        .finish();
    let _ = tracing::subscriber::set_global_default(subscriber);
}
