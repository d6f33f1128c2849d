//! Who asks: a user of the kubeconfig, in kubectl's reading of it.

use std::error::Error;

use http::Uri;
use kube::client::AuthError;
use kube::config::AuthInfo;

use super::error::{ClusterError, Result};

/// Makes `user`, whose name is `name`, mean to the library what it means to kubectl.
///
/// # Errors
/// For what kubectl refuses (client-go, `clientcmd/validation.go`).
pub fn settle(user: &mut AuthInfo, name: &str, server: &Uri) -> Result<()> {
    check(user, name).map_err(ClusterError::Config)?;
    // Secrets go to nobody who has not shown who they are (client-go, `clientcmd/client_config.go`).
    if server.scheme_str() == Some("http") {
        *user = AuthInfo {
            impersonate: user.impersonate.take(),
            impersonate_uid: user.impersonate_uid.take(),
            impersonate_groups: user.impersonate_groups.take(),
            impersonate_user_extra: user.impersonate_user_extra.take(),
            ..AuthInfo::default()
        };
    }
    // A file is newer than what was written down beside it (client-go, `transport/token_source.go`).
    if user.token_file.as_ref().is_some_and(|file| std::fs::read(file).is_ok()) {
        user.token = None;
    }
    // What is said outright counts before a login, and before a helper, which is not run then (client-go,
    // `plugin/pkg/client/auth/exec/exec.go`, UpdateTransportConfig).
    if user.username.is_some() {
        user.password.get_or_insert_default();
    }
    let has_header = user.token.is_some() || user.token_file.is_some() || user.username.is_some();
    if has_header {
        user.auth_provider = None;
    }
    if has_header || has_certificate(user) {
        user.exec = None;
    }
    Ok(())
}

fn has_certificate(user: &AuthInfo) -> bool {
    user.client_certificate.is_some() || user.client_certificate_data.is_some()
}

/// The words are kubectl's.
fn check(user: &AuthInfo, name: &str) -> std::result::Result<(), String> {
    if has_certificate(user) {
        if user.client_certificate.is_some() && user.client_certificate_data.is_some() {
            return Err(format!("client-cert-data and client-cert are both specified for {name}"));
        }
        if user.client_key.is_some() && user.client_key_data.is_some() {
            return Err(format!("client-key-data and client-key are both specified for {name}"));
        }
        if user.client_key.is_none() && user.client_key_data.is_none() {
            return Err(format!(
                "client-key-data or client-key must be specified for {name} to use the clientCert authentication method"
            ));
        }
    }
    if let Some(exec) = &user.exec {
        let missing = |what: &str| {
            Err(format!("{what} must be specified for {name} to use exec authentication plugin"))
        };
        if user.auth_provider.is_some() {
            return Err(format!(
                "authProvider cannot be provided in combination with an exec plugin for {name}"
            ));
        }
        if exec.command.as_deref().unwrap_or_default().is_empty() {
            return missing("command");
        }
        match exec.api_version.as_deref().unwrap_or_default() {
            "" => return missing("apiVersion"),
            V1 if exec.interactive_mode.is_none() => return missing("interactiveMode"),
            V1 | V1BETA1 => {}
            other => return Err(format!("exec plugin: invalid apiVersion {other:?}")),
        }
    }
    let mut methods = Vec::new();
    if user.token.is_some() {
        methods.push("token");
    }
    if user.username.is_some() || user.password.is_some() {
        methods.push("basicAuth");
    }
    if methods.len() > 1 {
        let methods = methods.join(" ");
        return Err(format!(
            "more than one authentication method found for {name}; found [{methods}], only one is allowed"
        ));
    }
    if user.token_file.is_some() && user.username.is_some() {
        return Err("username/password or bearer token may be set, but not both".to_owned());
    }
    let is_more = user.impersonate_uid.is_some()
        || user.impersonate_groups.as_ref().is_some_and(|groups| !groups.is_empty())
        || user.impersonate_user_extra.as_ref().is_some_and(|extra| !extra.is_empty());
    if is_more && user.impersonate.is_none() {
        return Err(format!("requesting uid, groups or user-extra for {name} without impersonating a user"));
    }
    Ok(())
}

const V1: &str = "client.authentication.k8s.io/v1";
const V1BETA1: &str = "client.authentication.k8s.io/v1beta1";

/// Sorts what went wrong with a request to `server` (`host:port`), or when its client was made.
pub fn error(error: kube::Error, server: &str) -> ClusterError {
    match error {
        kube::Error::Auth(AuthError::ReadTokenFile(why, path)) => {
            ClusterError::Credentials(format!("cannot read the token file {}: {why}", path.display()))
        }
        other => {
            // A helper that was run again for this request.
            let outermost: &(dyn Error + 'static) = &other;
            let of_helper = std::iter::successors(Some(outermost), |&error| error.source())
                .find_map(|error| error.downcast_ref::<ClusterError>().cloned());
            of_helper.unwrap_or_else(|| ClusterError::from_kube(other, server))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(json: serde_json::Value) -> AuthInfo {
        serde_json::from_value(json).expect("user")
    }

    fn settled(json: serde_json::Value, server: &'static str) -> Result<AuthInfo> {
        let mut user = user(json);
        settle(&mut user, "me", &Uri::from_static(server)).map(|()| user)
    }

    #[test]
    fn a_server_without_tls_hears_no_secret() {
        let all = serde_json::json!({"username": "u", "password": "p", "as": "jane",
                                     "client-certificate": "c", "client-key": "k"});
        let told = settled(all.clone(), "http://here:8080").expect("user");
        assert!(told.username.is_none() && told.client_certificate.is_none());
        assert_eq!(told.impersonate.as_deref(), Some("jane"));
        assert!(settled(all, "https://here:6443").expect("user").username.is_some());
    }

    #[test]
    fn a_helper_is_for_those_who_have_nothing_else() {
        let exec = serde_json::json!({"command": "nowhere", "apiVersion": V1, "interactiveMode": "Never"});
        let is_run = |more: serde_json::Value| {
            let mut user = serde_json::json!({ "exec": exec });
            user.as_object_mut().expect("user").extend(more.as_object().expect("fields").clone());
            settled(user, "https://here:6443").expect("user").exec.is_some()
        };
        assert!(is_run(serde_json::json!({})));
        assert!(is_run(serde_json::json!({"client-key": "k"})));
        for more in [
            serde_json::json!({"token": "t"}),
            serde_json::json!({"tokenFile": "nowhere"}),
            serde_json::json!({"username": "u"}),
            serde_json::json!({"client-certificate": "c", "client-key": "k"}),
            serde_json::json!({"client-certificate-data": "c", "client-key-data": "k"}),
        ] {
            assert!(!is_run(more.clone()), "{more}");
        }
    }

    #[test]
    fn what_kubectl_refuses_is_refused() {
        let exec = |exec: serde_json::Value| serde_json::json!({"token": "t", "exec": exec});
        for (user, why) in [
            (
                serde_json::json!({"client-certificate": "c"}),
                "client-key-data or client-key must be specified for me",
            ),
            (
                serde_json::json!({"client-certificate": "c", "client-certificate-data": "c", "client-key": "k"}),
                "client-cert-data and client-cert are both specified for me",
            ),
            (serde_json::json!({"token": "t", "password": "p"}), "found [token basicAuth]"),
            (serde_json::json!({"as-groups": ["dev"]}), "without impersonating a user"),
            (exec(serde_json::json!({"apiVersion": V1})), "command must be specified for me"),
            (exec(serde_json::json!({"command": "c"})), "apiVersion must be specified for me"),
            (
                exec(serde_json::json!({"command": "c", "apiVersion": V1})),
                "interactiveMode must be specified for me",
            ),
            (exec(serde_json::json!({"command": "c", "apiVersion": "v0"})), "invalid apiVersion \"v0\""),
        ] {
            let refused = settled(user, "https://here:6443").expect_err(why).to_string();
            assert!(refused.contains(why), "{refused}");
        }
        assert!(
            settled(exec(serde_json::json!({"command": "c", "apiVersion": V1BETA1})), "https://h").is_ok()
        );
    }
}
