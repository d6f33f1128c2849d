//! TLS to the API server: whom to believe, and who one is.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kube::Config;
use kube::config::AuthInfo;
use rustls::ClientConfig;
use rustls::client::danger::ServerCertVerifier;
use rustls::sign::CertifiedKey;
use secrecy::ExposeSecret;

use super::error::{ClusterError, Result};
use crate::net::identity::{Shown, identity};
use crate::net::provider;
use crate::net::trust::{Anyone, Authorities, Trust, of_system};

/// The authority of the chosen cluster.
#[derive(Clone, Debug, Default)]
pub enum Authority {
    /// Those of the system.
    #[default]
    System,
    /// The text of a PEM file.
    Pem(Vec<u8>),
}

/// Makes the settings of all connections to the API server. `shown` is whom they show.
///
/// # Errors
/// For an authority that cannot be used.
pub fn client_config(config: &Config, authority: &Authority, shown: Arc<Shown>) -> Result<Arc<ClientConfig>> {
    let unusable = |why: String| ClusterError::Config(format!("unable to load root certificates: {why}"));
    // Without TLS nobody is verified, and nothing is read for it.
    let is_plain = config.cluster_url.scheme_str() != Some("https") && config.proxy_url.is_none();
    let is_unverified = config.accept_invalid_certs || is_plain;
    let verifier: Arc<dyn ServerCertVerifier> = match (is_unverified, authority) {
        (true, _) => Arc::new(Anyone),
        (false, _) if config.root_cert_file.is_some() => {
            let path = config.root_cert_file.clone().unwrap_or_default();
            Trust::in_file(path).map_err(unusable)?
        }
        (false, Authority::Pem(pem)) => Trust::new(Authorities::read(pem).map_err(unusable)?),
        (false, Authority::System) => of_system().map_err(unusable)?,
    };
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|_| ClusterError::Config("no version of TLS is available".to_owned()))?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    Ok(Arc::new(builder.with_client_cert_resolver(shown)))
}

/// The certificate that the kubeconfig or a flag gives `user`; what is within the kubeconfig counts before a file.
///
/// # Errors
/// For files that cannot be read, and for a pair that is none.
pub fn identity_of(user: &AuthInfo) -> Result<Option<Arc<CertifiedKey>>> {
    let key_data = user.client_key_data.as_ref().map(|key| key.expose_secret().to_owned());
    let certificate = data_or_file(
        "client-certificate",
        user.client_certificate_data.as_deref(),
        user.client_certificate.as_deref(),
    )?;
    let Some(certificate) = certificate else { return Ok(None) };
    let key = data_or_file("client-key", key_data.as_deref(), user.client_key.as_deref())?;
    let Some(key) = key else { return Ok(None) };
    identity(&certificate, &key).map(Some).map_err(ClusterError::Config)
}

/// What is encoded in `data`, else what is in `file`. Empty texts count as absent.
///
/// # Errors
/// Where it is not base64, or cannot be read. What it says is not in them.
pub fn data_or_file(field: &str, data: Option<&str>, file: Option<&str>) -> Result<Option<Vec<u8>>> {
    if let Some(data) = data.filter(|data| !data.is_empty()) {
        let text: String = data.split_ascii_whitespace().collect();
        let decoded = STANDARD.decode(text);
        return decoded.map(Some).map_err(|_| ClusterError::Config(format!("{field}-data is not base64")));
    }
    let Some(file) = file.filter(|file| !file.is_empty()) else { return Ok(None) };
    let read = std::fs::read(file);
    read.map(Some).map_err(|error| ClusterError::Config(format!("cannot read the {field} {file}: {error}")))
}
