//! What every command stands on: the open door to the user, the cluster, the waiter, the errors.

pub mod browser;
pub mod duration;
pub mod error;
pub mod id;
pub mod interrupt;
pub mod jar;
pub mod placing;
pub mod programs;
pub mod relay;
pub mod rest;
pub mod room;
pub mod silence;
pub mod wait;

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use tokio::sync::mpsc::{self, UnboundedReceiver};

use crate::cluster::client::connect::Entries;
use crate::cluster::{self, Cluster, Deadline, Options};
use crate::config;
use crate::exit::Exit;
use crate::output::Ui;
use interrupt::{Received, Signals};

pub use error::CommandError;

/// Everything that a command gets besides its own arguments.
pub struct App {
    pub ui: Ui,
    options: RefCell<Options>,
    /// Until somebody tells them.
    warnings: RefCell<Option<UnboundedReceiver<String>>>,
    /// Somebody who has more to say about it waits for Ctrl-C.
    is_interrupt_awaited: Cell<bool>,
}

/// As long as it is there, Ctrl-C is for who has made it.
pub struct AwaitsInterrupt<'a>(&'a App);

impl Drop for AwaitsInterrupt<'_> {
    fn drop(&mut self) {
        self.0.is_interrupt_awaited.set(false);
    }
}

/// The user's config file.
pub struct UserFile {
    pub path: String,
    /// None when there is no such file.
    pub text: Option<String>,
}

impl App {
    pub fn new(ui: Ui, options: Options) -> Self {
        let ui = ui.with_connection(options.connection());
        let (sender, warnings) = mpsc::unbounded_channel();
        let options = Options { warnings: Some(sender), ..options };
        Self {
            ui,
            options: RefCell::new(options),
            warnings: RefCell::new(Some(warnings)),
            is_interrupt_awaited: Cell::new(false),
        }
    }

    /// Runs `command`, and tells what the server warns of meanwhile, each warning once.
    pub async fn telling_warnings<T>(&self, command: impl Future<Output = T>) -> T {
        let mut told = BTreeSet::new();
        let mut tell = |warning: String| {
            if !told.contains(&warning) {
                self.ui.warn(&warning);
                told.insert(warning);
            }
        };
        let Some(mut warnings) = self.warnings.take() else { return command.await };
        let mut command = std::pin::pin!(command);
        let ended = loop {
            tokio::select! {
                biased;
                Some(warning) = warnings.recv() => tell(warning),
                ended = &mut command => break ended,
            }
        };
        while let Ok(warning) = warnings.try_recv() {
            tell(warning);
        }
        ended
    }

    /// Takes Ctrl-C over, for what has to be tidied up after it.
    pub fn await_interrupt(&self) -> AwaitsInterrupt<'_> {
        self.is_interrupt_awaited.set(true);
        AwaitsInterrupt(self)
    }

    /// Receives the signals of the whole program. Returns with one that nothing else handles, or with a second
    /// one, which does not wait for anything to be tidied up.
    pub async fn interrupted(&self) -> Received {
        let mut signals = Signals::new();
        loop {
            let received = interrupt::record(signals.next().await);
            match received {
                Received::Second => return received,
                Received::First if !self.is_interrupt_awaited.get() => {
                    // Whatever awaits the signal has more to report, and is polled first.
                    tokio::task::yield_now().await;
                    return received;
                }
                Received::First | Received::Same => {}
            }
        }
    }

    /// The cluster that the flags choose. Nothing is asked of it yet.
    pub async fn cluster(&self) -> Result<Cluster, CommandError> {
        let options = self.options.borrow().clone();
        cluster::connect(&options).await.map_err(|error| {
            CommandError::from(error).hint(format!("kubectl config get-contexts{}", options.kubeconfig()))
        })
    }

    /// Bounds each request of a command by what remains of the time that the command has: a wait of its own begins
    /// after the first answers, and a server that never gives them must not hold it up for ever.
    pub fn bound_requests(&self, timeout: Duration) {
        /// A wait of no time at all still asks once.
        const SHORTEST: Duration = Duration::from_secs(1);
        self.options.borrow_mut().deadline = Some(Deadline::after(timeout.max(SHORTEST)));
    }

    /// The namespace that commands act in, without a look at any cluster.
    pub fn namespace(&self) -> Result<String, CommandError> {
        Ok(cluster::client::connect::place(&self.options.borrow())?.namespace)
    }

    /// The name of the context that the flags choose, without a look at any cluster.
    pub fn context(&self) -> Option<String> {
        cluster::client::connect::place(&self.options.borrow()).ok()?.context
    }

    /// What the kubeconfig has to choose from, without a look at any cluster.
    pub fn entries(&self) -> Result<Entries, CommandError> {
        Ok(cluster::client::connect::entries(&self.options.borrow())?)
    }

    /// Acts in `namespace` from here on, unless a flag names another one.
    pub fn use_namespace(&self, namespace: &str) {
        self.options.borrow_mut().namespace.get_or_insert_with(|| namespace.to_owned());
    }

    /// The flags that a command in a hint needs to reach the same place, with a space in front.
    pub fn scope_flags(&self) -> String {
        self.options.borrow().scope()
    }

    /// The user's config file, wherever this platform keeps such files.
    pub fn config_file(&self) -> Result<UserFile, CommandError> {
        let Some(path) = config::file() else {
            return Ok(UserFile { path: "(no home directory)".to_owned(), text: None });
        };
        let shown = path.display().to_string();
        match config::read(&path) {
            Ok(text) => Ok(UserFile { path: shown, text: Some(text) }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Ok(UserFile { path: shown, text: None })
            }
            Err(error) => {
                Err(CommandError::new(Exit::Error, format!("cannot read the config file {shown}: {error}")))
            }
        }
    }

    /// The name of the user's shell, such as `zsh`.
    pub fn shell(&self) -> Option<String> {
        config::shell()
    }

    /// The text of a file that the user named; `-` is stdin.
    pub fn read(&self, path: &Path) -> Result<String, CommandError> {
        let text = if path.as_os_str() == "-" { config::read_stdin() } else { config::read(path) };
        text.map_err(|error| {
            CommandError::new(Exit::Error, format!("cannot read {}: {error}", path.display()))
        })
    }
}
