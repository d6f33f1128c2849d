//! Programs that make credentials: the `exec` of a user (client-go, `plugin/pkg/client/auth/exec/exec.go`).
//!
//! One is run once, for a token, a certificate or both, and again when those have run out or the server has refused
//! them. What it prints is in no message.

use std::io::{ErrorKind, IsTerminal, Read};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::future::BoxFuture;
use http::Request;
use http::header::{AUTHORIZATION, HeaderValue};
use jiff::Timestamp;
use kube::config::{ExecConfig, ExecInteractiveMode};
use rustls::sign::CertifiedKey;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tower::BoxError;
use tower::filter::AsyncPredicate;

use super::error::{ClusterError, Result};
use crate::net::aside;
use crate::net::identity::{Shown, identity};
use crate::session::text::yaml;

/// What kubectl says where a helper is missing.
const NO_HELPER: &str = "\
It looks like you are trying to use a client-go credential plugin that is not installed.

To learn more about this feature, consult the documentation available at:
      https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins";

/// A helper, and what it has said. All clones share it.
#[derive(Clone)]
pub struct Helper(Arc<Inner>);

struct Inner {
    exec: ExecConfig,
    /// The certificate that connections show.
    shown: Arc<Shown>,
    said: Mutex<Said>,
    is_refused: AtomicBool,
}

/// What a helper has said.
#[derive(Clone, Default)]
struct Said {
    token: Option<HeaderValue>,
    certificate: Option<Arc<CertifiedKey>>,
    until: Option<Timestamp>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Credential {
    api_version: Option<String>,
    status: Option<Status>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    expiration_timestamp: Option<String>,
    token: Option<String>,
    client_certificate_data: Option<String>,
    client_key_data: Option<String>,
}

impl Helper {
    /// Runs the program of `exec`, whose certificate `shown` shows from here on.
    ///
    /// # Errors
    /// [`ClusterError::Credentials`]: for one that cannot be run, fails, or says nothing that can be used.
    pub fn start(exec: ExecConfig, shown: Arc<Shown>) -> Result<Self> {
        let said = run(&exec).map_err(ClusterError::Credentials)?;
        shown.replace(said.certificate.clone());
        let said = Mutex::new(said);
        Ok(Self(Arc::new(Inner { exec, shown, said, is_refused: AtomicBool::new(false) })))
    }

    /// The server has refused what it said: it is run again for the next request.
    pub fn forget(&self) {
        self.0.is_refused.store(true, Ordering::Relaxed);
    }

    async fn token(&self) -> Result<Option<HeaderValue>> {
        let mut said = self.0.said.lock().await;
        let has_run_out = said.until.is_some_and(|until| Timestamp::now() > until);
        if self.0.is_refused.swap(false, Ordering::Relaxed) || has_run_out {
            let exec = self.0.exec.clone();
            let again = aside(move || run(&exec)).await;
            *said = again
                .unwrap_or_else(|error| Err(format!("exec: {error}")))
                .map_err(ClusterError::Credentials)?;
            self.0.shown.replace(said.certificate.clone());
        }
        Ok(said.token.clone())
    }
}

impl<B: Send + 'static> AsyncPredicate<Request<B>> for Helper {
    type Future = BoxFuture<'static, std::result::Result<Request<B>, BoxError>>;
    type Request = Request<B>;

    fn check(&mut self, mut request: Request<B>) -> Self::Future {
        let helper = self.clone();
        Box::pin(async move {
            if let Some(token) = helper.token().await? {
                request.headers_mut().insert(AUTHORIZATION, token);
            }
            Ok(request)
        })
    }
}

/// Whether the program may talk to whoever sits at the terminal.
fn is_interactive(
    mode: Option<&ExecInteractiveMode>,
    is_terminal: bool,
) -> std::result::Result<bool, String> {
    match mode {
        Some(ExecInteractiveMode::Never) => Ok(false),
        Some(ExecInteractiveMode::Always) if !is_terminal => {
            Err("exec plugin cannot support interactive mode: standard input is not a terminal".to_owned())
        }
        Some(ExecInteractiveMode::Always | ExecInteractiveMode::IfAvailable) | None => Ok(is_terminal),
    }
}

fn run(exec: &ExecConfig) -> std::result::Result<Said, String> {
    let program = exec.command.as_deref().unwrap_or_default();
    let interactive = is_interactive(exec.interactive_mode.as_ref(), std::io::stdin().is_terminal())?;
    let mut spec = json!({ "interactive": interactive });
    if let Some(cluster) = exec.cluster.as_ref().filter(|_| exec.provide_cluster_info) {
        let cluster = serde_json::to_value(cluster).unwrap_or_default();
        spec = json!({ "interactive": interactive, "cluster": cluster });
    }
    let told = json!({ "kind": "ExecCredential", "apiVersion": exec.api_version, "spec": spec });
    let variables =
        exec.env.iter().flatten().filter_map(|pair| Some((pair.get("name")?, pair.get("value")?)));
    let mut command = Command::new(program);
    command
        .args(exec.args.iter().flatten())
        .envs(variables)
        .env("KUBERNETES_EXEC_INFO", told.to_string())
        .stdin(if interactive { Stdio::inherit() } else { Stdio::null() })
        .stderr(if interactive { Stdio::inherit() } else { Stdio::piped() });
    let output = output(command).map_err(|error| match error.kind() {
        ErrorKind::NotFound => {
            let hint = exec.install_hint.as_deref().map(|hint| format!("\n\n{hint}")).unwrap_or_default();
            format!("exec: executable {program} not found\n\n{NO_HELPER}{hint}")
        }
        ErrorKind::FileTooLarge => format!("exec: executable {program}: {error}"),
        _ => format!("exec: executable {program} cannot be started: {error}"),
    })?;
    let of_program = |why: String| format!("exec: executable {program} {why}");
    succeeded(&output).map_err(of_program)?;
    read(&output.stdout, exec.api_version.as_deref().unwrap_or_default()).map_err(of_program)
}

/// The most that a helper may print: a token and a chain of certificates, or its errors.
const PRINTED: u64 = 1 << 20;

/// Runs `command` to its end. One that prints more than [`PRINTED`] is ended.
fn output(mut command: Command) -> std::io::Result<Output> {
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    // Both at once, for a pipe that nobody reads holds the program up.
    let errors = std::thread::Builder::new().spawn(move || stderr.map_or_else(|| Ok(Vec::new()), printed));
    let printed = match &errors {
        Ok(_) => stdout.map_or_else(|| Ok(Vec::new()), printed),
        Err(error) => Err(error.kind().into()),
    };
    if printed.is_err() {
        let _ = child.kill();
    }
    let status = child.wait()?;
    let stderr = errors?.join().unwrap_or_else(|_| Err(ErrorKind::Other.into()));
    Ok(Output { status, stdout: printed?, stderr: stderr? })
}

fn printed(mut from: impl Read) -> std::io::Result<Vec<u8>> {
    let mut text = Vec::new();
    from.by_ref().take(PRINTED).read_to_end(&mut text)?;
    match from.read(&mut [0])? {
        0 => Ok(text),
        _ => Err(std::io::Error::new(ErrorKind::FileTooLarge, "it prints more than 1 MiB")),
    }
}

fn succeeded(output: &Output) -> std::result::Result<(), String> {
    if output.status.success() {
        return Ok(());
    }
    let code = output.status.code();
    let how = code.map_or_else(|| output.status.to_string(), |code| format!("failed with exit code {code}"));
    let said = String::from_utf8_lossy(&output.stderr);
    Err(match said.trim() {
        "" => how,
        said => format!("{how}\n{said}"),
    })
}

/// Reads what a program has printed.
fn read(stdout: &[u8], version: &str) -> std::result::Result<Said, String> {
    let nothing = || "printed no ExecCredential".to_owned();
    let text = std::str::from_utf8(stdout).map_err(|_| nothing())?;
    let node = yaml::parse(text).map_err(|error| {
        format!("printed no ExecCredential: line {}, column {}: {}", error.line, error.column, error.message)
    })?;
    let value = node.to_json();
    if value.get("kind").and_then(Value::as_str) != Some("ExecCredential") {
        return Err(nothing());
    }
    let credential: Credential = serde_json::from_value(value).map_err(|_| nothing())?;
    let printed = credential.api_version.unwrap_or_default();
    if printed != version {
        return Err(format!(
            "printed an ExecCredential of another version: the kubeconfig says {version}, the program {printed}"
        ));
    }
    let status = credential.status.ok_or_else(|| "printed no ExecCredential with a status".to_owned())?;
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    let (token, certificate, key) =
        (given(status.token), given(status.client_certificate_data), given(status.client_key_data));
    if token.is_none() && certificate.is_none() && key.is_none() {
        return Err("printed neither a token nor a certificate with its key".to_owned());
    }
    let certificate = match (certificate, key) {
        (None, None) => None,
        (Some(certificate), Some(key)) => Some(
            identity(certificate.as_bytes(), key.as_bytes())
                .map_err(|why| format!("printed a certificate that cannot be used: {why}"))?,
        ),
        _ => return Err("printed only one of a certificate and its key".to_owned()),
    };
    let until = given(status.expiration_timestamp).map(|text| text.parse::<Timestamp>()).transpose();
    let until = until.map_err(|_| "printed an expirationTimestamp that is no time".to_owned())?;
    let header = |token: String| {
        let mut header = HeaderValue::try_from(format!("Bearer {token}"))?;
        header.set_sensitive(true);
        Ok(header)
    };
    let token = token.map(header).transpose();
    let token = token
        .map_err(|_: http::header::InvalidHeaderValue| "printed a token with a line end in it".to_owned())?;
    Ok(Said { token, certificate, until })
}

#[cfg(test)]
mod tests {
    use super::*;

    const V1: &str = "client.authentication.k8s.io/v1";

    #[test]
    fn a_helper_hears_whether_somebody_is_there() {
        use ExecInteractiveMode::{Always, IfAvailable, Never};
        assert_eq!(is_interactive(Some(&IfAvailable), true), Ok(true));
        assert_eq!(is_interactive(Some(&IfAvailable), false), Ok(false));
        assert_eq!(is_interactive(Some(&Never), true), Ok(false));
        assert_eq!(is_interactive(Some(&Always), true), Ok(true));
        assert!(is_interactive(Some(&Always), false).is_err_and(|why| why.contains("not a terminal")));
    }

    #[test]
    fn what_a_helper_prints_is_read_and_never_shown() {
        let of = |text: &str| read(text.as_bytes(), V1).map(|said| said.token.is_some());
        let with =
            |status: &str| format!(r#"{{"kind":"ExecCredential","apiVersion":"{V1}","status":{status}}}"#);
        assert_eq!(of(&with(r#"{"token":"t","expirationTimestamp":"2100-01-01T00:00:00Z"}"#)), Ok(true));
        for wrong in [
            "hunter2",
            "{\"kind\":\"ExecCredential\",\"status\":{\"token\":\"hunter2\"",
            "token: 'hunter2\nhunter2: *hunter2",
            &with(r#"{"token":["hunter2"]}"#),
            &with(r#"{"token":"hunter2","clientKeyData":"hunter2"}"#),
            &with(r#"{"token":"hunter2","expirationTimestamp":"hunter2"}"#),
            &with(r#"{"token":"hunter2\n"}"#),
            &with(r#"{"clientCertificateData":"hunter2","clientKeyData":"hunter2"}"#),
            &with("{}"),
            &with("null"),
            &with(r#"{"token":"hunter2"}"#).replace("/v1", "/v1beta1"),
        ] {
            let why = of(wrong).expect_err(wrong);
            assert!(why.starts_with("printed ") && !why.contains("hunter2"), "{wrong}: {why}");
        }
    }
}
