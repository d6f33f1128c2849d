//! Nothing from outside is heard: no terminal to read from, and none to write to.

/// Leads stdin and stderr of this process to nowhere, also those of the programs that it starts, such as one
/// that fetches credentials. Only on Unix: elsewhere shells drop what a completer says on stderr.
pub fn keep() {
    #[cfg(unix)]
    if let Ok(nowhere) = std::fs::File::options().read(true).write(true).open("/dev/null") {
        // Who has no such stream has none to keep silent.
        let _ = rustix::stdio::dup2_stdin(&nowhere);
        let _ = rustix::stdio::dup2_stderr(&nowhere);
    }
}
