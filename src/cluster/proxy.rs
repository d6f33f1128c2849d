//! Which proxy leads to the API server. The rules are kubectl's.
//!
//! `proxy-url` of the kubeconfig counts for its cluster, whatever the environment says (client-go,
//! `clientcmd/client_config.go`). Otherwise `HTTPS_PROXY`, or `HTTP_PROXY` for a server without TLS, unless
//! `NO_PROXY` has the server; one on this machine is reached without (Go, `net/http`, `ProxyFromEnvironment`).

use http::Uri;
use hyper_util::client::proxy::matcher::{Intercept, Matcher};

/// What the environment says; empty where it says nothing.
#[derive(Clone, Debug, Default)]
pub struct Proxies {
    /// `HTTPS_PROXY`
    pub https: String,
    /// `HTTP_PROXY`
    pub http: String,
    /// `NO_PROXY`
    pub none_for: String,
}

/// The proxy between here and `server`; none for the direct way.
///
/// # Errors
/// A sentence on what is wrong with `from_kubeconfig`.
pub fn of(
    server: &Uri,
    from_kubeconfig: Option<&str>,
    environment: &Proxies,
) -> Result<Option<Intercept>, String> {
    if let Some(url) = from_kubeconfig.filter(|url| !url.is_empty()) {
        let known = ["http://", "https://", "socks5://", "socks5h://"];
        let proxy = Matcher::builder().all(url.to_owned()).build().intercept(server);
        let proxy = proxy.filter(|_| known.iter().any(|scheme| url.starts_with(scheme)));
        return match proxy {
            Some(proxy) => Ok(Some(proxy)),
            None => Err(format!("proxy-url {url:?} is none: http://, https:// or socks5:// and a host")),
        };
    }
    let Proxies { https, http, none_for } = environment.clone();
    // The matcher takes a star for names alone.
    if is_here(server) || none_for.split(',').any(|entry| entry.trim() == "*") {
        return Ok(None);
    }
    let matcher = Matcher::builder().http(http).https(https).no(none_for);
    Ok(matcher.build().intercept(server))
}

fn is_here(server: &Uri) -> bool {
    let host = server.host().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn through(server: &str, kubeconfig: Option<&str>, environment: &Proxies) -> Option<String> {
        let server: Uri = server.parse().expect("server");
        let proxy = of(&server, kubeconfig, environment).expect("proxy");
        proxy.map(|proxy| proxy.uri().to_string())
    }

    fn proxies(none_for: &str) -> Proxies {
        Proxies {
            https: "http://secure:1".to_owned(),
            http: "plain:2".to_owned(),
            none_for: none_for.to_owned(),
        }
    }

    #[test]
    fn the_environment_says_what_goes_directly() {
        let server = "https://10.1.2.3:6443/";
        assert_eq!(through(server, None, &proxies("")).as_deref(), Some("http://secure:1/"));
        assert_eq!(through("http://10.1.2.3:8080/", None, &proxies("")).as_deref(), Some("http://plain:2/"));
        assert_eq!(through(server, None, &Proxies::default()), None);
        for here in ["https://127.0.0.1:6443/", "https://localhost:6443/", "https://[::1]:6443/"] {
            assert_eq!(through(here, None, &proxies("")), None);
        }
        for none_for in ["10.1.2.3", "10.0.0.0/8", "other, 10.1.2.3", "*"] {
            assert_eq!(through(server, None, &proxies(none_for)), None, "{none_for}");
        }
        let some = proxies("example.com,10.2.0.0/16");
        assert_eq!(through("https://k8s.example.com/", None, &some), None);
        assert!(through(server, None, &some).is_some());
        assert!(through("https://notexample.com/", None, &some).is_some());
    }

    #[test]
    fn that_of_the_kubeconfig_counts_for_its_cluster() {
        for url in ["http://p:3128/", "https://p:3128/", "socks5://p:1080/"] {
            assert_eq!(through("https://127.0.0.1:6443/", Some(url), &proxies("*")).as_deref(), Some(url));
        }
        let server = Uri::from_static("https://10.1.2.3:6443/");
        for url in ["ftp://p:1", "p:3128", "http://"] {
            assert!(of(&server, Some(url), &Proxies::default()).is_err(), "{url}");
        }
    }

    #[test]
    fn a_password_is_kept_apart() {
        let server = Uri::from_static("https://10.1.2.3:6443/");
        let proxy = of(&server, Some("http://me:p%40ss@p:3128"), &Proxies::default());
        let proxy = proxy.expect("proxy").expect("one");
        assert_eq!(proxy.uri(), "http://p:3128/");
        assert!(proxy.basic_auth().is_some_and(http::HeaderValue::is_sensitive));
    }
}
