//! Which proxy leads to the API server. The rules are kubectl's.
//!
//! `proxy-url` of the kubeconfig counts for its cluster, whatever the environment says (client-go,
//! `clientcmd/client_config.go`). Otherwise `HTTPS_PROXY`, or `HTTP_PROXY` for a server without TLS, unless
//! `NO_PROXY` has the server; one on this machine is reached without (Go, `net/http`, `ProxyFromEnvironment`).

use http::Uri;
use hyper_util::client::proxy::matcher::{Intercept, Matcher};

/// The proxy between here and `server`; none for the direct way.
///
/// # Errors
/// A sentence on what is wrong with `from_kubeconfig`.
pub fn of(server: &Uri, from_kubeconfig: Option<&str>) -> Result<Option<Intercept>, String> {
    let environment = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    between(server, from_kubeconfig, |name| environment(name).or_else(|| environment(&name.to_lowercase())))
}

fn between(
    server: &Uri,
    from_kubeconfig: Option<&str>,
    environment: impl Fn(&str) -> Option<String>,
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
    if is_here(server) {
        return Ok(None);
    }
    let of = |name: &str| environment(name).unwrap_or_default();
    let matcher = Matcher::builder().http(of("HTTP_PROXY")).https(of("HTTPS_PROXY")).no(of("NO_PROXY"));
    Ok(matcher.build().intercept(server))
}

fn is_here(server: &Uri) -> bool {
    let host = server.host().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn through(server: &str, kubeconfig: Option<&str>, environment: &[(&str, &str)]) -> Option<String> {
        let value = |name: &str| {
            let found = environment.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let server: Uri = server.parse().expect("server");
        let proxy = between(&server, kubeconfig, value).expect("proxy");
        proxy.map(|proxy| proxy.uri().to_string())
    }

    #[test]
    fn the_environment_says_what_goes_directly() {
        let proxies = [("HTTPS_PROXY", "http://secure:1"), ("HTTP_PROXY", "plain:2")];
        assert_eq!(through("https://10.1.2.3:6443/", None, &proxies).as_deref(), Some("http://secure:1/"));
        assert_eq!(through("http://10.1.2.3:8080/", None, &proxies).as_deref(), Some("http://plain:2/"));
        for here in ["https://127.0.0.1:6443/", "https://localhost:6443/", "https://[::1]:6443/"] {
            assert_eq!(through(here, None, &proxies), None);
        }
        for no in ["10.1.2.3", "10.0.0.0/8", "other, 10.1.2.3", "*"] {
            let all = [proxies[0], ("NO_PROXY", no)];
            assert_eq!(through("https://10.1.2.3:6443/", None, &all), None, "{no}");
        }
        let all = [proxies[0], ("NO_PROXY", "example.com,10.2.0.0/16")];
        assert_eq!(through("https://k8s.example.com/", None, &all), None);
        assert!(through("https://10.1.2.3:6443/", None, &all).is_some());
        assert!(through("https://notexample.com/", None, &all).is_some());
    }

    #[test]
    fn that_of_the_kubeconfig_counts_for_its_cluster() {
        let all = [("HTTPS_PROXY", "http://other:1"), ("NO_PROXY", "*")];
        for url in ["http://p:3128/", "https://p:3128/", "socks5://p:1080/"] {
            assert_eq!(through("https://127.0.0.1:6443/", Some(url), &all).as_deref(), Some(url));
        }
        let server: Uri = "https://10.1.2.3:6443/".parse().expect("server");
        for url in ["ftp://p:1", "p:3128", "http://"] {
            assert!(between(&server, Some(url), |_| None).is_err(), "{url}");
        }
    }

    #[test]
    fn a_password_is_kept_apart() {
        let server: Uri = "https://10.1.2.3:6443/".parse().expect("server");
        let proxy = between(&server, Some("http://me:p%40ss@p:3128"), |_| None).expect("proxy").expect("one");
        assert_eq!(proxy.uri(), "http://p:3128/");
        assert!(proxy.basic_auth().is_some_and(http::HeaderValue::is_sensitive));
    }
}
