//! From kubeconfig and flags to a client, with kubectl's meaning of every flag.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::header::{HeaderValue, USER_AGENT};
use kube::Config;
use kube::config::{
    Cluster as ClusterEntry, Context, KubeConfigOptions, Kubeconfig, KubeconfigError, NamedCluster,
    NamedContext,
};
use tokio::sync::mpsc::UnboundedSender;

use super::error::{self, ClusterError, Result};
use super::proxy::Proxies;
use super::{Cluster, client, credentials, proxy};

/// The connection flags, as typed. Empty text counts as absent, as with kubectl.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Kubeconfig files to merge, first wins.
    pub kubeconfig: Vec<PathBuf>,
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
        let kubeconfig = self.kubeconfig_flag.as_ref().map(|path| path.to_string_lossy().into_owned());
        [
            ("--kubeconfig", &kubeconfig),
            ("--context", &self.context),
            ("--cluster", &self.cluster),
            ("--server", &self.server),
            ("--as", &self.impersonate),
            ("-n", &self.namespace),
        ]
        .into_iter()
        .filter_map(|(flag, value)| value.as_ref().map(|value| format!(" {flag} {value}")))
        .collect()
    }
}

/// Where commands act.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub namespace: String,
    pub context: Option<String>,
}

/// Reads context and namespace from flags and kubeconfig alone; no credentials are looked for.
pub fn place(options: &Options) -> Result<Place> {
    let kubeconfig = read(&options.kubeconfig)?.unwrap_or_default();
    let context = chosen_context(&kubeconfig, options);
    let named = kubeconfig.contexts.iter().find(|named| Some(&named.name) == context.as_ref());
    let of_context = named
        .and_then(|named| named.context.as_ref())
        .and_then(|context| context.namespace.clone())
        .filter(|namespace| !namespace.is_empty());
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
    let kubeconfig = read(&options.kubeconfig)?.unwrap_or_default();
    let context = |named: NamedContext| {
        let context = named.context.unwrap_or_default();
        ContextEntry { name: named.name, cluster: context.cluster, namespace: context.namespace }
    };
    Ok(Entries {
        contexts: kubeconfig.contexts.into_iter().map(context).collect(),
        clusters: kubeconfig.clusters.into_iter().map(|named| named.name).collect(),
        users: kubeconfig.auth_infos.into_iter().map(|named| named.name).collect(),
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

/// Makes a client. Nothing is asked of the server yet.
pub async fn connect(options: &Options) -> Result<Cluster> {
    let kubeconfig = read(&options.kubeconfig)?;
    let context = kubeconfig
        .as_ref()
        .map_or_else(|| options.context.clone(), |kubeconfig| chosen_context(kubeconfig, options));
    let (mut config, proxy_url) = match kubeconfig {
        _ if context.is_none() && options.name_a_server() => {
            from_kubeconfig(with_context_of_flags(kubeconfig.unwrap_or_default(), options), options).await?
        }
        kubeconfig if context.is_none() => (in_cluster(kubeconfig.is_some(), options)?, None),
        kubeconfig => from_kubeconfig(kubeconfig.unwrap_or_default(), options).await?,
    };
    set_scheme(&mut config)?;
    config.disable_compression |= options.disable_compression;
    let user_agent = concat!("kubectl-flink/", env!("CARGO_PKG_VERSION"));
    config.headers.push((USER_AGENT, HeaderValue::from_static(user_agent)));

    let server =
        config.cluster_url.authority().map_or_else(|| config.cluster_url.to_string(), ToString::to_string);
    if config.default_namespace.is_empty() {
        config.default_namespace = "default".to_owned();
    }
    let namespace = options.namespace.clone().unwrap_or_else(|| config.default_namespace.clone());
    check_namespace(&namespace)?;
    credentials::settle(&mut config.auth_info, &config.cluster_url, std::io::stdin().is_terminal())?;
    let proxy = proxy::of(&config.cluster_url, proxy_url.as_deref(), &options.proxies)
        .map_err(ClusterError::Config)?;
    config.proxy_url = proxy.as_ref().map(|proxy| proxy.uri().clone());
    let client = client::client(&config, proxy.as_ref(), options.warnings.clone())
        .map_err(|error| credentials::error(error, &config.auth_info, &server))?;
    Ok(Cluster {
        client,
        config: Arc::new(config),
        server,
        namespace,
        context,
        scope: options.scope(),
        request_timeout: options.request_timeout,
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

/// Merges the files; none when there is none.
fn read(files: &[PathBuf]) -> Result<Option<Kubeconfig>> {
    let mut merged: Option<Kubeconfig> = None;
    for file in files {
        let next = Kubeconfig::read_from(file).map_err(|error| {
            let cause = match error {
                KubeconfigError::ReadConfig(cause, _) => cause.to_string(),
                other => error::config(other).to_string(),
            };
            ClusterError::Config(format!("cannot read kubeconfig {}: {cause}", file.display()))
        })?;
        merged = Some(match merged {
            Some(earlier) => earlier.merge(next).map_err(error::config)?,
            None => next,
        });
    }
    Ok(merged)
}

/// The context of the flags or of the kubeconfig.
fn chosen_context(kubeconfig: &Kubeconfig, options: &Options) -> Option<String> {
    let current = || kubeconfig.current_context.clone().filter(|context| !context.is_empty());
    options.context.clone().or_else(current)
}

/// Flags can name all that a context does.
fn with_context_of_flags(mut kubeconfig: Kubeconfig, options: &Options) -> Kubeconfig {
    let cluster = options.cluster.clone().unwrap_or_default();
    if options.cluster.is_none() {
        let entry = Some(ClusterEntry::default());
        kubeconfig.clusters.push(NamedCluster {
            name: String::new(),
            cluster: entry,
            ..NamedCluster::default()
        });
    }
    let context = Context { cluster, user: options.user.clone(), ..Context::default() };
    kubeconfig.contexts.push(NamedContext {
        name: String::new(),
        context: Some(context),
        ..NamedContext::default()
    });
    kubeconfig.current_context = Some(String::new());
    kubeconfig
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
        false => ClusterError::Config(
            "there is no kubeconfig: neither --kubeconfig, nor $KUBECONFIG, nor ~/.kube/config names a file"
                .to_owned(),
        ),
    })
}

/// A server may be named without one, and is one without TLS then, whatever else is said of it (client-go,
/// `clientcmd/client_config.go`).
fn set_scheme(config: &mut Config) -> Result<()> {
    if config.cluster_url.scheme().is_some() {
        return Ok(());
    }
    config.cluster_url = format!("http://{}", config.cluster_url).parse().map_err(|_| {
        ClusterError::Config(format!("host must be a URL or a host:port pair: {:?}", config.cluster_url))
    })?;
    Ok(())
}

/// With the `proxy-url` of the cluster: the library sees it as one of the environment.
async fn from_kubeconfig(mut kubeconfig: Kubeconfig, options: &Options) -> Result<(Config, Option<String>)> {
    let selection = KubeConfigOptions {
        context: options.context.clone(),
        cluster: options.cluster.clone(),
        user: options.user.clone(),
    };
    if let Some(user) = &options.user
        && !kubeconfig.auth_infos.iter().any(|named| named.name == *user)
    {
        return Err(ClusterError::Config(format!("auth info {user:?} does not exist")));
    }
    if options.insecure_skip_tls_verify && options.certificate_authority.is_some() {
        let what = "specifying a root certificates file with the insecure flag is not allowed";
        return Err(ClusterError::Config(what.to_owned()));
    }
    override_entries(&mut kubeconfig, options);
    let proxy_url = take_proxy_url(&mut kubeconfig, options);
    let of_context = chosen_entry(&kubeconfig, options).and_then(|context| context.user.clone());
    let user = options.user.clone().or(of_context).unwrap_or_default();
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &selection).await.map_err(error::config)?;
    let auth = &mut config.auth_info;
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
        auth.auth_provider = None;
    }
    if auth.token.is_some() && (auth.username.is_some() || auth.password.is_some()) {
        return Err(ClusterError::Config(format!(
            "more than one authentication method found for {user}; found [token basicAuth], only one is allowed"
        )));
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
    Ok((config, proxy_url))
}

fn chosen_entry<'k>(kubeconfig: &'k Kubeconfig, options: &Options) -> Option<&'k Context> {
    let context = options.context.as_ref().or(kubeconfig.current_context.as_ref());
    let named = kubeconfig.contexts.iter().find(|named| Some(&named.name) == context)?;
    named.context.as_ref()
}

/// The `proxy-url` of the chosen cluster.
fn take_proxy_url(kubeconfig: &mut Kubeconfig, options: &Options) -> Option<String> {
    let of_context = chosen_entry(kubeconfig, options).map(|context| context.cluster.clone());
    let chosen = options.cluster.clone().or(of_context)?;
    let cluster = kubeconfig.clusters.iter_mut().find(|named| named.name == chosen)?;
    cluster.cluster.as_mut()?.proxy_url.take()
}

/// Flags that replace a field of the chosen cluster. They are written into the entries before the
/// configuration is made of them, so that files are read and checked in one place.
fn override_entries(kubeconfig: &mut Kubeconfig, options: &Options) {
    for cluster in kubeconfig.clusters.iter_mut().filter_map(|named| named.cluster.as_mut()) {
        if options.server.is_some() {
            cluster.server = options.server.clone();
        }
        // client-go, `clientcmd/client_config.go`: what a flag replaces takes along what belongs to it.
        if options.tls_server_name.is_some() || options.server.is_some() {
            cluster.tls_server_name = options.tls_server_name.clone();
        }
        if options.insecure_skip_tls_verify || options.certificate_authority.is_some() {
            cluster.insecure_skip_tls_verify = Some(options.insecure_skip_tls_verify);
            cluster.certificate_authority =
                options.certificate_authority.as_ref().map(|file| file.to_string_lossy().into_owned());
            cluster.certificate_authority_data = None;
        }
    }
}
