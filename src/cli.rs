//! The command line on one page: every command and every flag that they share.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{ArgAction, CommandFactory, FromArgMatches, Parser, Subcommand, ValueHint};

use crate::app::interrupt::{self, Received};
use crate::app::{App, CommandError, duration, room, silence};
use crate::cluster::{Options, Proxies};
use crate::cmd;
use crate::cmd::completion::{self, COMPLETER};
use crate::cmd::word::Word;
use crate::cmd::{number, suggestion};
use crate::config::{self, Config};
use crate::exit::Exit;
use crate::log;
use crate::output::{Colour, Ui};

/// Create, list, inspect and delete Flink session clusters on Kubernetes
#[derive(Parser)]
#[command(
    name = "kubectl-flink",
    bin_name = "kubectl flink",
    version,
    propagate_version = false,
    subcommand_required = true,
    arg_required_else_help = true,
    max_term_width = 110,
    after_help = "\
Examples:
  kubectl flink create roc
  kubectl flink ls
  kubectl flink status roc
  kubectl flink delete roc

Every command takes kubectl's connection flags (--context, -n, --as ...), in any position: see kubectl options."
)]
struct Cli {
    #[command(flatten)]
    connection: Connection,

    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Create a session and wait until it is ready
    Create(Box<cmd::create::Args>),
    /// List sessions, whoever made them
    #[command(visible_aliases = ["list", "get"])]
    Ls(cmd::ls::Args),
    /// Show how a session is: verdict, pods, Services, problems and their fixes
    #[command(visible_alias = "describe")]
    Status(cmd::status::Args),
    /// Start a program from a jar, once and only once
    #[command(visible_alias = "run")]
    Submit(Box<cmd::submit::Args>),
    /// List the jobs of a session, or show one of them from all sides
    Jobs(cmd::jobs::Args),
    /// Cancel jobs, without a savepoint
    Cancel(cmd::cancel::Args),
    /// Stop jobs with a savepoint to go on from
    Stop(cmd::stop::Args),
    /// Take savepoints of jobs that go on, or dispose of one
    Savepoint(cmd::savepoint::Args),
    /// Delete sessions and everything that belongs to them, unless jobs run there
    Delete(cmd::delete::Args),
    /// Restart a session's JobManager, or its TaskManagers one by one, unless jobs run there
    Restart(cmd::restart::Args),
    /// List what dead sessions have left behind, and remove it
    Gc(cmd::gc::Args),
    /// Lead a port of this machine to a session's web UI
    #[command(visible_alias = "dashboard")]
    Ui(cmd::ui::Args),
    /// Show the config file, and the settings that create starts from
    Config(cmd::config::Args),
    /// Complete commands, flags and live names in bash, fish, PowerShell and zsh
    Completion(cmd::completion::Args),
    /// Show the version of this program, of the server, and what is supported
    Version(cmd::version::Args),
}

/// kubectl's connection flags, with kubectl's meaning.
#[derive(clap::Args)]
#[command(next_help_heading = "Connection")]
struct Connection {
    /// Namespace to act in [default: the context's]
    #[arg(short, long, global = true, value_name = "NAME", add = Word::Namespace)]
    namespace: Option<String>,

    /// Context of the kubeconfig to use
    #[arg(long, global = true, value_name = "NAME", add = Word::Context)]
    context: Option<String>,

    /// Kubeconfig file [default: those of $KUBECONFIG, else ~/.kube/config]
    #[arg(long, global = true, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,

    /// Give up on a request after this time, such as 30s; 0 means never
    #[arg(long, global = true, value_name = "DURATION", default_value = "0", value_parser = request_timeout)]
    request_timeout: RequestTimeout,

    /// When to colour: auto, always or never
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", hide_default_value = true,
          hide_short_help = true, value_parser = colour, add = Word::OneOf(&["auto", "always", "never"]))]
    color: Colour,

    /// Say nothing of the progress
    #[arg(short, long, global = true)]
    quiet: bool,

    /// Cluster of the kubeconfig to use
    #[arg(long, global = true, value_name = "NAME", hide_short_help = true, add = Word::Cluster)]
    cluster: Option<String>,

    /// User of the kubeconfig to use
    #[arg(long, global = true, value_name = "NAME", hide_short_help = true, add = Word::User)]
    user: Option<String>,

    /// Address of the API server
    #[arg(short, long, global = true, value_name = "URL", hide_short_help = true)]
    server: Option<String>,

    /// Name to check in the server's certificate
    #[arg(long, global = true, value_name = "NAME", hide_short_help = true)]
    tls_server_name: Option<String>,

    /// Do not check the server's certificate
    #[arg(long, global = true, hide_short_help = true)]
    insecure_skip_tls_verify: bool,

    /// File with the certificate authority's certificate
    #[arg(long, global = true, value_name = "FILE", hide_short_help = true)]
    certificate_authority: Option<PathBuf>,

    /// File with the client's certificate
    #[arg(long, global = true, value_name = "FILE", hide_short_help = true)]
    client_certificate: Option<PathBuf>,

    /// File with the client's key
    #[arg(long, global = true, value_name = "FILE", hide_short_help = true)]
    client_key: Option<PathBuf>,

    /// Bearer token
    #[arg(long, global = true, value_name = "TOKEN", hide_short_help = true)]
    token: Option<String>,

    /// User to impersonate
    #[arg(long = "as", global = true, value_name = "USER", hide_short_help = true)]
    impersonate: Option<String>,

    /// Group to impersonate; may be repeated
    #[arg(long = "as-group", global = true, value_name = "GROUP", hide_short_help = true)]
    impersonate_groups: Vec<String>,

    /// UID to impersonate
    #[arg(long = "as-uid", global = true, value_name = "UID", hide_short_help = true)]
    impersonate_uid: Option<String>,

    /// Extra attribute to impersonate; may be repeated
    #[arg(long = "as-user-extra", global = true, value_name = "KEY=VALUE", hide_short_help = true, value_parser = pair)]
    impersonate_extra: Vec<(String, String)>,

    /// Do not ask for compressed answers
    #[arg(long, global = true, hide_short_help = true)]
    disable_compression: bool,

    /// Accepted as by kubectl; nothing is cached
    #[arg(long, global = true, value_name = "DIRECTORY", hide_short_help = true, value_hint = ValueHint::DirPath)]
    cache_dir: Option<PathBuf>,

    /// How much to tell of what goes on: 0 to 9
    #[arg(short, long = "v", global = true, value_name = "LEVEL", default_value_t = 0, hide_short_help = true,
          hide_default_value = true, action = ArgAction::Set, value_parser = number::within(0..=u8::MAX))]
    verbosity: u8,
}

/// The connection flags alone on a line.
#[derive(Parser)]
#[command(no_binary_name = true)]
struct ConnectionFlags {
    #[command(flatten)]
    connection: Connection,
}

/// The words of a line that is to be completed, if that is what the program is run for: by kubectl as
/// `kubectl_complete-flink`, or by a script of `completion`.
pub fn words_to_complete(arguments: &[OsString]) -> Option<Vec<String>> {
    let (program, words) = arguments.split_first()?;
    let is_completer = Path::new(program).file_stem().is_some_and(|stem| stem == COMPLETER);
    let words = match words {
        words if is_completer => words,
        [first, words @ ..] if first == completion::ASK => words,
        _ => return None,
    };
    Some(words.iter().map(|word| word.to_string_lossy().into_owned()).collect())
}

/// Prints what may come at the end of `words`. Whatever is wrong, it is no error.
pub fn complete(words: Vec<String>) -> Exit {
    silence::keep();
    let app = |flags: Vec<String>| {
        let connection = ConnectionFlags::try_parse_from(flags).ok()?.connection;
        Some(App::new(Ui::plain(), connection.options()))
    };
    let answer = completion::complete(Cli::command(), words, app);
    // A shell that has gone is no error either.
    let _ = Ui::plain().data(&answer);
    Exit::Done
}

/// What [`run`] runs on.
///
/// # Errors
/// Tells why there is none: hardly any file may be open.
pub fn runtime() -> Result<tokio::runtime::Runtime, Exit> {
    room::runtime().map_err(|error| {
        let config = Config::from_env();
        let ui = Ui::new(config.colour, Colour::Auto, config.redraws, false);
        let error = CommandError::new(Exit::Error, format!("cannot start: {error}"));
        error.hint("run ulimit -n 1024, then the command again").tell(&ui);
        Exit::Error
    })
}

/// The definitions of all commands: what the reference and the man pages are made of.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Parses `arguments` (the program's name first), runs the command and tells its error.
pub async fn run(arguments: impl IntoIterator<Item = OsString>) -> Exit {
    let config = Config::from_env();
    let words: Vec<OsString> = arguments.into_iter().collect();
    let parsed = Cli::command().try_get_matches_from(&words);
    let parsed = parsed.and_then(|matches| Cli::from_arg_matches(&matches));
    if matches!(parsed, Err(_) | Ok(Cli { command: Command::Submit(_), .. }))
        && let Some(error) = cmd::submit::flink_run::advice(&words, &Cli::command(), parsed.as_ref().err())
    {
        error.tell(&Ui::new(config.colour, Colour::Auto, config.redraws, false));
        return error.exit();
    }
    let parsed = parsed.map_err(|error| suggestion::of_the_near(error, &Cli::command()));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let ui = Ui::new(config.colour, cli.connection.color, config.redraws, cli.connection.quiet);
    log::start(cli.connection.verbosity, config.log_filter.as_deref(), ui.has_colour());
    let app = App::new(ui, cli.connection.options());
    let ended = tokio::select! {
        // Waits end by themselves on a signal, and say what goes on; they come first.
        biased;
        ended = app.telling_warnings(dispatch(cli.command, &app)) => ended,
        received = app.interrupted() => Err(interrupted(received, &app)),
    };
    interrupt::exit(match ended {
        Ok(exit) => exit,
        Err(error) => {
            error.tell(&app.ui);
            error.exit()
        }
    })
}

/// A command that a signal ends, and that has nothing more to report.
fn interrupted(received: Received, app: &App) -> CommandError {
    let what = match received {
        Received::Second => "interrupted again: what was being tidied up may still be there",
        Received::First | Received::Same => "interrupted",
    };
    CommandError::new(Exit::Interrupted, what)
        .hint(format!("to see what is there: kubectl flink ls{}", app.scope_flags()))
}

async fn dispatch(command: Command, app: &App) -> Result<Exit, CommandError> {
    match command {
        Command::Create(args) => cmd::create::run(*args, app).await,
        Command::Ls(args) => cmd::ls::run(args, app).await,
        Command::Status(args) => cmd::status::run(args, app).await,
        Command::Submit(args) => cmd::submit::run(*args, app).await,
        Command::Jobs(args) => cmd::jobs::run(args, app).await,
        Command::Cancel(args) => cmd::cancel::run(args, app).await,
        Command::Stop(args) => cmd::stop::run(args, app).await,
        Command::Savepoint(args) => cmd::savepoint::run(args, app).await,
        Command::Delete(args) => cmd::delete::run(args, app).await,
        Command::Restart(args) => cmd::restart::run(args, app).await,
        Command::Gc(args) => cmd::gc::run(args, app).await,
        Command::Ui(args) => cmd::ui::run(args, app).await,
        Command::Config(args) => cmd::config::run(args, app).await,
        Command::Completion(args) => cmd::completion::run(args, app).await,
        Command::Version(args) => cmd::version::run(args, app).await,
    }
}

/// Help goes to stdout and is no error, also for the bare program; wrong usage exits 1 as kubectl's.
fn usage(error: &clap::Error) -> Exit {
    // A closed pipe is the reader's business.
    match error.kind() {
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let _ = Cli::command().print_help();
            Exit::Done
        }
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            let _ = error.print();
            Exit::Done
        }
        _ => {
            let _ = error.print();
            Exit::Error
        }
    }
}

impl Connection {
    fn options(self) -> Options {
        let given = |value: Option<String>| value.filter(|value| !value.is_empty());
        let file = |value: Option<PathBuf>| value.filter(|value| !value.as_os_str().is_empty());
        Options {
            kubeconfig: config::kubeconfig_files(file(self.kubeconfig.clone()).as_ref()),
            listed_kubeconfigs: config::listed_kubeconfigs().unwrap_or_default(),
            kubeconfig_flag: file(self.kubeconfig),
            context: given(self.context),
            cluster: given(self.cluster),
            user: given(self.user),
            namespace: given(self.namespace),
            server: given(self.server),
            tls_server_name: given(self.tls_server_name),
            insecure_skip_tls_verify: self.insecure_skip_tls_verify,
            certificate_authority: file(self.certificate_authority),
            client_certificate: file(self.client_certificate),
            client_key: file(self.client_key),
            token: given(self.token),
            impersonate: given(self.impersonate),
            impersonate_groups: self.impersonate_groups,
            impersonate_uid: given(self.impersonate_uid),
            impersonate_extra: self.impersonate_extra,
            request_timeout: self.request_timeout.0,
            deadline: None,
            disable_compression: self.disable_compression,
            proxies: Proxies {
                https: config::proxy("HTTPS_PROXY"),
                http: config::proxy("HTTP_PROXY"),
                none_for: config::proxy("NO_PROXY"),
            },
            warnings: None,
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct RequestTimeout(Option<Duration>);

/// kubectl also takes a bare number of seconds here.
fn request_timeout(text: &str) -> Result<RequestTimeout, String> {
    match text.parse::<u32>() {
        Ok(0) => Ok(RequestTimeout(None)),
        Ok(seconds) => Ok(RequestTimeout(Some(Duration::from_secs(seconds.into())))),
        Err(_) => duration::parse(text).map(|duration| RequestTimeout(Some(duration))),
    }
}

fn colour(word: &str) -> Result<Colour, String> {
    match word {
        "auto" => Ok(Colour::Auto),
        "always" => Ok(Colour::Always),
        "never" => Ok(Colour::Never),
        _ => Err("say auto, always or never".to_owned()),
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    text.split_once('=')
        .filter(|(key, _)| !key.is_empty())
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .ok_or_else(|| "say KEY=VALUE".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_tree_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_request_timeout_may_be_a_number_of_seconds() {
        let seconds = |text| request_timeout(text).map(|timeout| timeout.0.map(|limit| limit.as_secs()));
        assert_eq!(seconds("0"), Ok(None));
        assert_eq!(seconds("30"), Ok(Some(30)));
        assert_eq!(seconds("2m"), Ok(Some(120)));
        assert!(seconds("soon").is_err());
    }

    #[test]
    fn connection_flags_stand_in_any_position() {
        for words in [
            "kubectl-flink -n a ls --context b",
            "kubectl-flink ls -n a --context b",
            "kubectl-flink --context b ls -n a",
        ] {
            let cli = Cli::try_parse_from(words.split(' ')).expect(words);
            let options = cli.connection.options();
            assert_eq!(
                (options.namespace.as_deref(), options.context.as_deref()),
                (Some("a"), Some("b")),
                "{words}"
            );
        }
    }

    #[test]
    fn settings_of_flinks_are_written_with_or_without_a_space() {
        for words in ["kubectl-flink create roc -D a=b", "kubectl-flink create roc -Da=b"] {
            assert!(Cli::try_parse_from(words.split(' ')).is_ok(), "{words}");
        }
    }

    /// Every command below `command`, with the words that lead to it.
    fn commands<'c>(command: &'c clap::Command, path: &str, all: &mut Vec<(String, &'c clap::Command)>) {
        for below in command.get_subcommands().filter(|below| below.get_name() != "help") {
            let path = format!("{path}{} ", below.get_name());
            all.push((path.clone(), below));
            commands(below, &path, all);
        }
    }

    /// Every flag with a value, of every command, is given what it cannot be.
    #[test]
    fn an_error_about_a_value_has_no_words_of_a_parser() {
        let mut root = Cli::command();
        root.build();
        let mut all = vec![(String::new(), &root)];
        commands(&root, "", &mut all);
        let mut refused = 0;
        for (path, command) in all {
            let flags = command.get_arguments().filter(|arg| arg.get_action().takes_values());
            for flag in flags.filter_map(clap::Arg::get_long) {
                for value in ["?", "0", "-7", "1.5", "99999999999999999999", ""] {
                    let flag = format!("--{flag}={value}");
                    let words =
                        ["kubectl-flink"].into_iter().chain(path.split_whitespace()).chain([flag.as_str()]);
                    let Err(error) = Cli::command().try_get_matches_from(words) else { continue };
                    if error.kind() != ErrorKind::ValueValidation {
                        continue;
                    }
                    refused += 1;
                    let told = error.to_string();
                    let words =
                        ["invalid digit", "..=", "is not in", "number too", "empty string", "invalid float"];
                    assert!(!words.iter().any(|word| told.contains(word)), "{path}{flag}: {told}");
                }
            }
        }
        assert!(refused > 100, "{refused}");
    }

    #[test]
    fn only_what_is_near_is_suggested() {
        let told = |line: &str| {
            let words = ["kubectl-flink"].into_iter().chain(line.split(' '));
            let error = Cli::command().try_get_matches_from(words).expect_err(line);
            suggestion::of_the_near(error, &Cli::command()).to_string()
        };
        for (typed, meant) in [("creat roc", "'create'"), ("statsu", "'status'"), ("delte roc", "'delete'")] {
            let told = told(typed);
            assert!(told.contains(meant) && told.matches("tip:").count() == 1, "{typed}: {told}");
            assert_eq!(
                told.lines().find(|line| line.contains("tip:")).map(|line| line.matches('\'').count()),
                Some(2),
                "{told}"
            );
        }
        // None of these is near to a command, and least of all to one that ends something.
        for typed in
            ["scale roc", "logs roc", "reset roc", "start roc", "top", "remove roc", "cancel-all roc"]
        {
            assert!(!told(typed).contains("tip:"), "{typed}: {}", told(typed));
        }
        assert!(told("delete roc --yess").contains("'--yes'"));
        for typed in ["delete roc --purge", "delete roc --for", "submit roc x.jar --wit"] {
            assert!(
                !told(typed).contains("--purge-ha") && !told(typed).contains("'--force'"),
                "{}",
                told(typed)
            );
        }
    }

    #[test]
    fn every_argument_that_names_something_says_what() {
        let mut root = Cli::command();
        root.build();
        let mut all = Vec::new();
        commands(&root, "", &mut all);
        assert!(all.len() > 14, "{}", all.len());
        for (path, command) in all {
            for arg in command.get_arguments() {
                let known = arg.get::<Word>().is_some() || !arg.get_possible_values().is_empty();
                let expected = match arg.get_id().as_str() {
                    // A new name.
                    "name" if path == "create " => false,
                    "name" | "names" | "job" | "jobs" | "output" | "profile" | "namespace" | "context"
                    | "cluster" | "user" | "color" | "dry_run" => true,
                    _ => continue,
                };
                if arg.get_action().takes_values() {
                    assert_eq!(known, expected, "{path}{arg}");
                }
            }
        }
    }

    #[test]
    fn every_command_has_flags_to_offer() {
        let mut root = Cli::command();
        root.build();
        let mut all = Vec::new();
        commands(&root, "", &mut all);
        for (path, _) in all {
            let words: Vec<String> = format!("{path}--").split(' ').map(str::to_owned).collect();
            let answer = completion::complete(Cli::command(), words, |_| None);
            assert!(answer.contains("--namespace\t") && answer.ends_with("\n:4\n"), "{path}: {answer}");
        }
    }

    #[test]
    fn who_is_asked_to_complete_a_line_knows() {
        let asked = |line: &str| {
            words_to_complete(&line.split(' ').map(OsString::from).collect::<Vec<_>>())
                .map(|words| words.join(" "))
        };
        assert_eq!(asked("/bin/kubectl_complete-flink status r").as_deref(), Some("status r"));
        assert_eq!(asked("kubectl-flink __complete status ").as_deref(), Some("status "));
        assert_eq!(asked("kubectl-flink status __complete"), None);
        assert_eq!(asked("kubectl-flink"), None);
    }
}
