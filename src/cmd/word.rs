//! What a word of the command line stands for. Each argument says it beside its definition, with
//! `#[arg(add = Word::Session)]`, and completion asks nothing else of a command. What clap knows needs
//! none: values of enums and flags, and files and directories by the type of the argument or its hint.

use clap::builder::ArgExt;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// A session of the namespace.
    Session,
    /// A job of the session that the line names.
    Job,
    /// One that has not ended.
    RunningJob,
    Namespace,
    /// A context, a cluster and a user of the kubeconfig.
    Context,
    Cluster,
    User,
    /// A profile of the config file.
    Profile,
    FlinkVersion,
    /// One of Flink's settings, as KEY=VALUE.
    Setting,
    /// One of these words; what takes more ends in `=`.
    OneOf(&'static [&'static str]),
}

impl ArgExt for Word {}
