//! Who asks: a user of the kubeconfig, in kubectl's reading of it.

use std::io::ErrorKind;

use http::Uri;
use kube::client::AuthError;
use kube::config::{AuthInfo, ExecInteractiveMode};

use super::error::{ClusterError, Result};

/// What kubectl says where a helper is missing (client-go, `plugin/pkg/client/auth/exec/exec.go`).
const NO_HELPER: &str = "\
It looks like you are trying to use a client-go credential plugin that is not installed.

To learn more about this feature, consult the documentation available at:
      https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins";

/// Makes `user` mean to the library what it means to kubectl.
///
/// # Errors
/// For a helper that must talk to somebody, where nobody is.
pub fn settle(user: &mut AuthInfo, server: &Uri, is_terminal: bool) -> Result<()> {
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
    if let Some(exec) = &mut user.exec
        && !is_terminal
    {
        match exec.interactive_mode {
            Some(ExecInteractiveMode::Always) => {
                return Err(ClusterError::Credentials(
                    "exec plugin cannot support interactive mode: standard input is not a terminal"
                        .to_owned(),
                ));
            }
            Some(ExecInteractiveMode::Never) => {}
            Some(ExecInteractiveMode::IfAvailable) | None => {
                exec.interactive_mode = Some(ExecInteractiveMode::Never);
            }
        }
    }
    Ok(())
}

/// Sorts what went wrong when the client of `user` was made.
pub fn error(error: kube::Error, user: &AuthInfo, server: &str) -> ClusterError {
    let exec = user.exec.as_ref();
    let helper = exec.and_then(|exec| exec.command.as_deref()).unwrap_or_default();
    match error {
        kube::Error::Auth(AuthError::AuthExecStart(why)) if why.kind() == ErrorKind::NotFound => {
            let hint = exec.and_then(|exec| exec.install_hint.as_deref()).map(|hint| format!("\n\n{hint}"));
            ClusterError::Credentials(format!(
                "exec: executable {helper} not found\n\n{NO_HELPER}{}",
                hint.unwrap_or_default()
            ))
        }
        kube::Error::Auth(AuthError::AuthExecStart(why)) => {
            ClusterError::Credentials(format!("exec: executable {helper} cannot be started: {why}"))
        }
        kube::Error::Auth(AuthError::AuthExecRun { out, .. }) => {
            let how = out
                .status
                .code()
                .map_or_else(|| out.status.to_string(), |code| format!("failed with exit code {code}"));
            let said = String::from_utf8_lossy(&out.stderr);
            let said = match said.trim() {
                "" => String::new(),
                said => format!("\n{said}"),
            };
            ClusterError::Credentials(format!("exec: executable {helper} {how}{said}"))
        }
        other => ClusterError::from_kube(other, server),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(json: serde_json::Value) -> AuthInfo {
        serde_json::from_value(json).expect("user")
    }

    fn settled(json: serde_json::Value, server: &'static str, is_terminal: bool) -> Result<AuthInfo> {
        let mut user = user(json);
        settle(&mut user, &Uri::from_static(server), is_terminal).map(|()| user)
    }

    #[test]
    fn a_server_without_tls_hears_no_secret() {
        let all = serde_json::json!({
            "token": "t", "username": "u", "password": "p", "client-certificate": "c", "as": "jane",
        });
        let told = settled(all.clone(), "http://here:8080", true).expect("user");
        assert!(told.token.is_none() && told.username.is_none() && told.client_certificate.is_none());
        assert_eq!(told.impersonate.as_deref(), Some("jane"));
        assert!(settled(all, "https://here:6443", true).expect("user").token.is_some());
    }

    #[test]
    fn a_helper_hears_whether_somebody_is_there() {
        let helper = |mode: &str| serde_json::json!({"exec": {"command": "sh", "interactiveMode": mode}});
        let mode = |mode: &str, is_terminal: bool| {
            let user = settled(helper(mode), "https://here:6443", is_terminal);
            user.map(|user| user.exec.and_then(|exec| exec.interactive_mode))
                .map_err(|error| error.to_string())
        };
        assert_eq!(mode("IfAvailable", true), Ok(Some(ExecInteractiveMode::IfAvailable)));
        assert_eq!(mode("IfAvailable", false), Ok(Some(ExecInteractiveMode::Never)));
        assert_eq!(mode("Always", true), Ok(Some(ExecInteractiveMode::Always)));
        assert!(mode("Always", false).is_err_and(|error| error.contains("standard input is not a terminal")));
    }
}
