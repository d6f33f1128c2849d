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
/// A sentence on what is wrong with `from_kubeconfig`, or with what the environment says for this server: Go takes a
/// proxy of a kind that it does not know for one that speaks HTTP, and one that is no address for none at all. The
/// name and the password of a proxy are not in it.
pub fn of(
    server: &Uri,
    from_kubeconfig: Option<&str>,
    environment: &Proxies,
) -> Result<Option<Intercept>, String> {
    if let Some(url) = from_kubeconfig.filter(|url| !url.is_empty()) {
        return usable("proxy-url", url, url, server).map(Some);
    }
    let Proxies { https, http, none_for } = environment;
    // The matcher takes a star for names alone.
    if is_here(server) || none_for.split(',').any(|entry| entry.trim() == "*") {
        return Ok(None);
    }
    let (variable, said) = match server.scheme_str() {
        Some("https") => ("HTTPS_PROXY", https),
        _ => ("HTTP_PROXY", http),
    };
    if said.is_empty() {
        return Ok(None);
    }
    // Whether there is one for this server at all: only then it has to be usable.
    let any = Matcher::builder().all("http://proxy".to_owned()).no(none_for.clone()).build();
    if any.intercept(server).is_none() {
        return Ok(None);
    }
    let url = if said.contains("://") { said.clone() } else { format!("http://{said}") };
    usable(variable, said, &url, server).map(Some)
}

/// The proxy at `url`, which `setting` says as `said`.
fn usable(setting: &str, said: &str, url: &str, server: &Uri) -> Result<Intercept, String> {
    const KNOWN: [&str; 4] = ["http", "https", "socks5", "socks5h"];
    let wrong = |why: &str| {
        let after_password = said.rsplit_once('@').map_or(said, |(_, host)| host);
        let shown = match (said.contains('@'), said.split_once("://")) {
            (true, Some((scheme, _))) => format!("{scheme}://***@{after_password}"),
            (true, None) => format!("***@{after_password}"),
            (false, _) => said.to_owned(),
        };
        format!("the proxy of {setting} cannot be used: {shown:?} {why}")
    };
    let Some((scheme, rest)) = url.split_once("://") else {
        return Err(wrong("has no kind: http://, https:// or socks5:// goes in front"));
    };
    let scheme = scheme.to_ascii_lowercase();
    if !KNOWN.contains(&scheme.as_str()) {
        return Err(wrong("is of a kind that is not supported: http, https and socks5 are"));
    }
    let address: Uri = format!("{scheme}://{rest}").parse().map_err(|_| wrong("is no address"))?;
    let has_port = |authority: &http::uri::Authority| {
        let after_host = authority.as_str().rsplit_once(authority.host()).map_or("", |(_, port)| port);
        after_host.is_empty() || authority.port_u16().is_some()
    };
    if !address.authority().is_some_and(|authority| !authority.host().is_empty() && has_port(authority)) {
        return Err(wrong("is no address of a host, or its port is none"));
    }
    let proxy = Matcher::builder().all(format!("{scheme}://{rest}")).build().intercept(server);
    proxy.ok_or_else(|| wrong("is no address"))
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
    fn one_that_cannot_be_used_is_refused_where_it_counts() {
        let far = "https://10.1.2.3:6443/";
        let wrong = [
            "ftp://p:1",
            "socks4://p:1",
            "socks://p",
            "http://",
            "http://[::1",
            "http://p:x",
            "://p",
            "http://p:99999",
            "http://a b",
            "p:x",
            "http://u:hunter2@p:x",
            "ftp://u:hunter2@p",
        ];
        for url in wrong {
            let proxies = |none_for: &str| Proxies {
                https: url.to_owned(),
                http: String::new(),
                none_for: none_for.to_owned(),
            };
            let refused = of(&Uri::from_static("https://10.1.2.3:6443/"), None, &proxies("")).expect_err(url);
            assert!(refused.contains("HTTPS_PROXY") && !refused.contains("hunter2"), "{refused}");
            let refused =
                of(&Uri::from_static("https://10.1.2.3:6443/"), Some(url), &proxies("")).expect_err(url);
            assert!(refused.contains("proxy-url") && !refused.contains("hunter2"), "{refused}");
            for none_for in ["10.1.2.3", "10.0.0.0/8", "*"] {
                assert_eq!(through(far, None, &proxies(none_for)), None, "{url}");
            }
            for direct in ["https://127.0.0.1:6443/", "http://10.1.2.3:8080/"] {
                assert_eq!(through(direct, None, &proxies("")), None, "{url}");
            }
        }
        for (url, proxy) in [
            ("p:3128", "http://p:3128/"),
            ("HTTP://p:3128", "http://p:3128/"),
            ("socks5h://p:1080", "socks5h://p:1080/"),
            ("http://[::1]:3128", "http://[::1]:3128/"),
        ] {
            let proxies = Proxies { https: url.to_owned(), ..Proxies::default() };
            assert_eq!(through(far, None, &proxies).as_deref(), Some(proxy));
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
