//! Where a command is tried that is not to do anything.

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum DryRun {
    None,
    /// Nothing is sent.
    Client,
    /// The API server checks what is sent, and keeps nothing of it.
    Server,
}

impl DryRun {
    /// What kubectl puts behind a sentence on something that it has not done.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Client => " (dry run)",
            Self::Server => " (server dry run)",
        }
    }
}
