//! From kubeconfig and flags to a client, with kubectl's meaning of every flag.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use http::header::{HeaderValue, USER_AGENT};
use http::uri::InvalidUri;
use kube::Config;
use kube::config::{AuthInfo, Cluster as ClusterEntry, KubeconfigError};
use tokio::sync::mpsc::UnboundedSender;

use super::error::{self, ClusterError, Result};
use super::helper::Helper;
use super::kubeconfig::{Entry, Kubeconfig};
use super::proxy::Proxies;
use super::pulse::{Pace, Pulse};
use super::tls::Authority;
use super::{credentials, proxy, tls};
use crate::cluster::client::http_client;
use crate::cluster::{Cluster, Deadline};
use crate::net::identity::Shown;
use crate::session::text::shell::quoted;

/// The connection flags, as typed. Empty text counts as absent, as with kubectl.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Kubeconfig files to merge, first wins.
    pub kubeconfig: Vec<PathBuf>,
    /// The files of `$KUBECONFIG`, for the error when none of them exists.
    pub listed_kubeconfigs: Vec<PathBuf>,
    /// The file of `--kubeconfig`, if that is where they are from.
    pub kubeconfig_flag: Option<PathBuf>,
    pub context: Option<String>,
    pub cluster: Option<String>,
    pub user: Option<String>,
    pub namespace: Option<String>,
    pub server: Option<String>,
    pub tls_server_name: Option<String>,
    pub insecure_skip_tls_verify: bool,
    pub certificate_authority: Option<PathBuf>,
    pub client_certificate: Option<PathBuf>,
    pub client_key: Option<PathBuf>,
    pub token: Option<String>,
    pub impersonate: Option<String>,
    pub impersonate_groups: Vec<String>,
    pub impersonate_uid: Option<String>,
    /// `(key, value)`; a key may come several times.
    pub impersonate_extra: Vec<(String, String)>,
    /// Of one request; none is no limit. Never applied to watches.
    pub request_timeout: Option<Duration>,
    /// Of the command, which bounds each of its requests.
    pub deadline: Option<Deadline>,
    pub disable_compression: bool,
    pub proxies: Proxies,
    /// Hears what the server warns of.
    pub warnings: Option<UnboundedSender<String>>,
}

impl Options {
    /// True when they say where to go, without any context.
    fn name_a_server(&self) -> bool {
        self.server.is_some() || self.cluster.is_some()
    }

    /// True when they say something of who asks or of how the server shows itself.
    fn name_somebody(&self) -> bool {
        self.user.is_some()
            || self.token.is_some()
            || self.client_certificate.is_some()
            || self.client_key.is_some()
            || self.certificate_authority.is_some()
            || self.insecure_skip_tls_verify
            || self.tls_server_name.is_some()
            || self.impersonate.is_some()
            || self.impersonate_uid.is_some()
            || !self.impersonate_groups.is_empty()
            || !self.impersonate_extra.is_empty()
    }

    /// The flags that a command in a hint needs to reach the same place, with a space in front.
    pub fn scope(&self) -> String {
        self.connection() + &flag("-n", self.namespace.as_ref())
    }

    /// The same without the namespace, for a command that concerns the whole cluster.
    pub fn connection(&self) -> String {
        [
            ("--context", &self.context),
            ("--cluster", &self.cluster),
            ("--user", &self.user),
            ("--server", &self.server),
            ("--as", &self.impersonate),
        ]
        .into_iter()
        .fold(self.kubeconfig(), |flags, (name, value)| flags + &flag(name, value.as_ref()))
    }

    /// The flag that names the kubeconfig, for a command that only reads this file.
    pub fn kubeconfig(&self) -> String {
        let path = self.kubeconfig_flag.as_ref().map(|path| path.to_string_lossy().into_owned());
        flag("--kubeconfig", path.as_ref())
    }
}

/// A flag of a command in a hint, with a space in front.
fn flag(name: &str, value: Option<&String>) -> String {
    value.map(|value| format!(" {name} {}", quoted(value))).unwrap_or_default()
}

/// Where commands act.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub namespace: String,
    pub context: Option<String>,
}

/// Reads context and namespace from flags and kubeconfig alone; no credentials are looked for.
pub fn place(options: &Options) -> Result<Place> {
    let kubeconfig = Kubeconfig::read(&options.kubeconfig)?.unwrap_or_default();
    let context = chosen_context(&kubeconfig, options);
    let named = context.as_ref().map(|name| kubeconfig.context(name)).transpose()?.flatten();
    let of_context = named.and_then(|context| context.namespace);
    let of_pod = || match context.is_none() && !options.name_a_server() {
        true => Config::incluster().ok().map(|config| config.default_namespace),
        false => None,
    };
    let namespace = options.namespace.clone().or(of_context).or_else(of_pod);
    let namespace = namespace.unwrap_or_else(|| "default".to_owned());
    check_namespace(&namespace)?;
    Ok(Place { namespace, context })
}

/// What the kubeconfig has to choose from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entries {
    pub contexts: Vec<ContextEntry>,
    pub clusters: Vec<String>,
    pub users: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContextEntry {
    pub name: String,
    pub cluster: String,
    pub namespace: Option<String>,
}

/// Reads the names of the kubeconfig's entries; no credentials are looked for.
pub fn entries(options: &Options) -> Result<Entries> {
    let kubeconfig = Kubeconfig::read(&options.kubeconfig)?.unwrap_or_default();
    let context = |entry: &Entry| {
        let (cluster, namespace) = entry.place();
        ContextEntry { name: entry.name.clone(), cluster, namespace }
    };
    Ok(Entries {
        contexts: kubeconfig.contexts.iter().map(context).collect(),
        clusters: kubeconfig.clusters.into_iter().map(|entry| entry.name).collect(),
        users: kubeconfig.users.into_iter().map(|entry| entry.name).collect(),
    })
}

fn check_namespace(namespace: &str) -> Result<()> {
    match is_dns_label(namespace) {
        true => Ok(()),
        false => Err(ClusterError::Config(format!(
            "{namespace:?} cannot be the name of a namespace: lower-case letters, digits and '-' only, at most 63"
        ))),
    }
}

/// Makes a client. Nothing is asked of the server yet; a helper that makes credentials is run.
pub async fn connect(options: &Options) -> Result<Cluster> {
    let kubeconfig = Kubeconfig::read(&options.kubeconfig)?;
    let context = kubeconfig
        .as_ref()
        .map_or_else(|| options.context.clone(), |kubeconfig| chosen_context(kubeconfig, options));
    let Chosen { mut config, authority, proxy_url, user } = match kubeconfig {
        kubeconfig if context.is_some() || options.name_a_server() => {
            chosen(&kubeconfig.unwrap_or_default(), context.as_deref(), options)?
        }
        kubeconfig => Chosen {
            config: in_cluster(kubeconfig.is_some(), options)?,
            authority: Authority::default(),
            proxy_url: None,
            user: String::new(),
        },
    };
    config.disable_compression |= options.disable_compression;
    let user_agent = concat!("kubectl-flink/", env!("CARGO_PKG_VERSION"));
    config.headers.push((USER_AGENT, HeaderValue::from_static(user_agent)));

    let server =
        config.cluster_url.authority().map_or_else(|| config.cluster_url.to_string(), ToString::to_string);
    let namespace = options.namespace.clone().unwrap_or_else(|| config.default_namespace.clone());
    check_namespace(&namespace)?;
    credentials::settle(&mut config.auth_info, &user, &config.cluster_url)?;
    let proxy = proxy::of(&config.cluster_url, proxy_url.as_deref(), &options.proxies)
        .map_err(ClusterError::Config)?;
    config.proxy_url = proxy.as_ref().map(|proxy| proxy.uri().clone());
    let shown = Arc::new(Shown::new(tls::identity_of(&config.auth_info)?));
    let tls = tls::client_config(&config, &authority, Arc::clone(&shown))?;
    let helper = match config.auth_info.exec.take() {
        Some(exec) => Some(Helper::start(exec, shown)?),
        None => None,
    };
    let pace = Pace::default();
    let warnings = options.warnings.clone();
    let until = options.deadline.map(|deadline| deadline.end);
    let made = http_client::clients(&config, &tls, proxy.as_ref(), helper.as_ref(), warnings, &pace, until);
    let clients = made.map_err(|error| credentials::error(error, &server))?;
    Ok(Cluster {
        client: clients.limited,
        aside: clients.aside,
        pace,
        pulse: Pulse::default(),
        nodes: Default::default(),
        config: Arc::new(config),
        tls,
        helper,
        server,
        namespace,
        context,
        scope: options.scope(),
        connection: options.connection(),
        request_timeout: options.request_timeout,
        deadline: options.deadline,
        dry_run: false,
    })
}

/// What Kubernetes allows as the name of a namespace (RFC 1123).
fn is_dns_label(name: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&name.len())
        && name.bytes().all(inner)
        && !name.starts_with('-')
        && !name.ends_with('-')
}

/// The context of the flags or of the kubeconfig.
fn chosen_context(kubeconfig: &Kubeconfig, options: &Options) -> Option<String> {
    let current = || kubeconfig.current_context.clone().filter(|context| !context.is_empty());
    options.context.clone().or_else(current)
}

/// A pod's own cluster and ServiceAccount. Flags that are for another one are not left out in silence.
fn in_cluster(has_kubeconfig: bool, options: &Options) -> Result<Config> {
    if options.name_somebody() {
        return Err(ClusterError::Config(
            "it is not known which cluster is meant: neither a current context nor --server names one"
                .to_owned(),
        ));
    }
    Config::incluster().map_err(|_| match has_kubeconfig {
        true => error::config(KubeconfigError::CurrentContextNotSet),
        false => ClusterError::Config(no_kubeconfig(&options.listed_kubeconfigs)),
    })
}

fn no_kubeconfig(listed: &[PathBuf]) -> String {
    let listed: Vec<String> = listed.iter().map(|path| path.display().to_string()).collect();
    match listed.as_slice() {
        [] => {
            "there is no kubeconfig: neither --kubeconfig, nor $KUBECONFIG, nor ~/.kube/config names a file"
                .to_owned()
        }
        [one] => format!("there is no kubeconfig: the file {one} of $KUBECONFIG does not exist"),
        several => format!("there is no kubeconfig: no file of $KUBECONFIG exists: {}", several.join(", ")),
    }
}

/// What kubeconfig and flags choose.
struct Chosen {
    config: Config,
    authority: Authority,
    /// The `proxy-url` of the cluster.
    proxy_url: Option<String>,
    /// The name of the user; empty without one.
    user: String,
}

/// client-go, `tools/clientcmd/client_config.go` and `validation.go`: the checks, and the words.
fn chosen(kubeconfig: &Kubeconfig, context: Option<&str>, options: &Options) -> Result<Chosen> {
    let wrong = |what: String| Err(ClusterError::Config(what));
    let of_name = |name: &str| match kubeconfig.context(name)? {
        Some(context) => Ok(context),
        None => Err(ClusterError::Config(format!("context {name:?} does not exist"))),
    };
    let context = context.map(of_name).transpose()?.unwrap_or_default();
    let user = options.user.clone().or(context.user).unwrap_or_default();
    let Some(mut auth) = user_of(kubeconfig, &user, options.user.is_some())? else {
        return wrong(format!("auth info {user:?} does not exist"));
    };
    let name = options.cluster.clone().unwrap_or(context.cluster);
    let cluster = match kubeconfig.cluster(&name)? {
        Some(cluster) => cluster,
        // Flags can say all that a cluster does.
        None if options.cluster.is_none() && options.server.is_some() => ClusterEntry::default(),
        None => return wrong(format!("cluster {name:?} does not exist")),
    };
    let cluster = overridden(cluster, options);
    override_user(&mut auth, options);
    if cluster.certificate_authority.is_some() && cluster.certificate_authority_data.is_some() {
        return wrong(format!(
            "certificate-authority-data and certificate-authority are both specified for {name}"
        ));
    }
    let Some(server) = &cluster.server else {
        return wrong(format!("no server found for cluster {name:?}"));
    };
    let url = server_url(server)?;
    let has_authority =
        cluster.certificate_authority.is_some() || cluster.certificate_authority_data.is_some();
    let is_unchecked = cluster.insecure_skip_tls_verify == Some(true);
    let is_https = url.scheme_str() == Some("https");
    if is_https && has_authority && is_unchecked {
        return wrong("specifying a root certificates file with the insecure flag is not allowed".to_owned());
    }
    let authority = match is_https {
        true => tls::data_or_file(
            "certificate-authority",
            cluster.certificate_authority_data.as_deref(),
            cluster.certificate_authority.as_deref(),
        )?,
        false => None,
    };
    if let Some(exec) = auth.exec.as_mut().filter(|exec| exec.provide_cluster_info) {
        exec.cluster = Some((&cluster).try_into().map_err(error::config)?);
    }
    let mut config = Config::new(url);
    config.default_namespace = context.namespace.unwrap_or_else(|| "default".to_owned());
    config.accept_invalid_certs = is_unchecked;
    config.disable_compression = cluster.disable_compression.unwrap_or_default();
    config.tls_server_name = cluster.tls_server_name;
    config.auth_info = auth;
    let authority = authority.map_or(Authority::System, Authority::Pem);
    Ok(Chosen { config, authority, proxy_url: cluster.proxy_url, user })
}

/// The user of that name. A context may name one who is not there; a flag may not.
fn user_of(kubeconfig: &Kubeconfig, name: &str, is_by_flag: bool) -> Result<Option<AuthInfo>> {
    let user = kubeconfig.user(name)?;
    Ok(if is_by_flag { user } else { user.or_else(|| Some(AuthInfo::default())) })
}

/// A server may be named without a scheme, and is one without TLS then, whatever else is said of it.
fn server_url(server: &str) -> Result<Uri> {
    let invalid = |why: InvalidUri| {
        ClusterError::Config(format!(
            "the address of --server, or of the kubeconfig's server, is neither a URL nor host:port: {why}"
        ))
    };
    let url: Uri = server.parse().map_err(invalid)?;
    match url.scheme() {
        Some(_) => Ok(url),
        None => format!("http://{url}")
            .parse()
            .map_err(|_| ClusterError::Config(format!("host must be a URL or a host:port pair: {server:?}"))),
    }
}

fn override_user(auth: &mut AuthInfo, options: &Options) {
    let path = |file: &PathBuf| file.to_string_lossy().into_owned();
    if let Some(file) = &options.client_certificate {
        auth.client_certificate = Some(path(file));
        auth.client_certificate_data = None;
    }
    if let Some(file) = &options.client_key {
        auth.client_key = Some(path(file));
        auth.client_key_data = None;
    }
    if let Some(token) = &options.token {
        auth.token = Some(token.clone().into());
        auth.token_file = None;
    }
    if let Some(user) = &options.impersonate {
        auth.impersonate = Some(user.clone());
    }
    if !options.impersonate_groups.is_empty() {
        auth.impersonate_groups = Some(options.impersonate_groups.clone());
    }
    if options.impersonate_uid.is_some() {
        auth.impersonate_uid = options.impersonate_uid.clone();
    }
    for (key, value) in &options.impersonate_extra {
        auth.impersonate_user_extra
            .get_or_insert_default()
            .entry(key.clone())
            .or_default()
            .push(value.clone());
    }
}

/// What a flag replaces takes along what belongs to it.
fn overridden(mut cluster: ClusterEntry, options: &Options) -> ClusterEntry {
    if options.server.is_some() {
        cluster.server = options.server.clone();
    }
    if options.tls_server_name.is_some() || options.server.is_some() {
        cluster.tls_server_name = options.tls_server_name.clone();
    }
    if options.insecure_skip_tls_verify || options.certificate_authority.is_some() {
        cluster.insecure_skip_tls_verify = Some(options.insecure_skip_tls_verify);
        cluster.certificate_authority =
            options.certificate_authority.as_ref().map(|file| file.to_string_lossy().into_owned());
        cluster.certificate_authority_data = None;
    }
    cluster
}
