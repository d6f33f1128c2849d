//! Forms of kubeconfigs, flags and environments. kubectl and the plugin are run with each of them against the
//! same servers: they must ask them as the same somebody, on the same way, and end alike.

mod certificates;
mod odd;
mod server;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use certificates::Certificates;
use server::{AGENT, BUSY, Facts, LATER, Log, TOKEN, TOLD_TO_WAIT, api, http_proxy, socks_proxy};

/// The servers of all forms.
struct World {
    certificates: Certificates,
    log: Log,
    secure: u16,
    plain: u16,
    elsewhere: u16,
    expired: u16,
    /// Those with odd certificates, by the name of it.
    odd: BTreeMap<&'static str, u16>,
    http_proxy: u16,
    socks_proxy: u16,
}

impl World {
    fn new() -> Self {
        let (certificates, log) = (Certificates::new(), Log::default());
        let secure = api(&certificates, Some("server"), &log);
        Self {
            secure,
            plain: api(&certificates, None, &log),
            elsewhere: api(&certificates, Some("elsewhere"), &log),
            expired: api(&certificates, Some("expired"), &log),
            odd: odd::SERVERS.map(|name| (name, api(&certificates, Some(name), &log))).into(),
            http_proxy: http_proxy(secure, &log),
            socks_proxy: socks_proxy(secure, &log),
            certificates,
            log,
        }
    }
}

/// One form. It begins as a kubeconfig with one context, whose user has a token that the server takes.
struct Form {
    name: &'static str,
    config: Value,
    /// More files of the list that `KUBECONFIG` is, with its own in front.
    more: Vec<Value>,
    flags: Vec<String>,
    environment: Vec<(&'static str, String)>,
    /// What kubectl is asked; a raw path does not go below that of the server.
    kubectl: &'static [&'static str],
    expects: Expects,
}

const RAW: [&str; 3] = ["get", "--raw", "/apis/apps/v1/namespaces/team-a/deployments"];

/// How both must end.
enum Expects {
    /// Well, and one request at least has told this of itself.
    Fact(&'static str),
    /// With an error that says this.
    Error(&'static str),
    /// With an error; the plugin's says this.
    OwnError(&'static str),
}

impl Form {
    fn new(name: &'static str, world: &World, expects: Expects) -> Self {
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "test", "preferences": {},
            "clusters": [{"name": "test", "cluster": {
                "server": format!("https://127.0.0.1:{}", world.secure),
                "certificate-authority": world.certificates.path("ca.crt"),
            }}],
            "contexts": [{"name": "test",
                          "context": {"cluster": "test", "user": "me", "namespace": "team-a"}}],
            "users": [{"name": "me", "user": {"token": TOKEN}}],
        });
        Self { name, config, more: vec![], flags: vec![], environment: vec![], kubectl: &RAW, expects }
    }

    /// Sets a field of the cluster; null takes it away.
    fn cluster(self, key: &str, value: impl Into<Value>) -> Self {
        self.set("/clusters/0/cluster", key, value.into())
    }

    fn user(mut self, user: Value) -> Self {
        self.config["users"][0]["user"] = user;
        self
    }

    fn set(mut self, place: &str, key: &str, value: Value) -> Self {
        let object = self.config.pointer_mut(place).and_then(Value::as_object_mut).expect("object");
        match value {
            Value::Null => object.remove(key),
            value => object.insert(key.to_owned(), value),
        };
        self
    }

    fn flags<const N: usize>(mut self, flags: [&str; N]) -> Self {
        self.flags = flags.map(str::to_owned).to_vec();
        self
    }

    fn environment(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.environment.push((name, value.into()));
        self
    }

    /// A user whose credentials a program makes.
    fn helper(self, script: &str, more: Value) -> Self {
        let mut exec = json!({
            "apiVersion": "client.authentication.k8s.io/v1", "interactiveMode": "IfAvailable",
            "command": "sh", "args": ["-c", script],
        });
        exec.as_object_mut().expect("object").extend(more.as_object().expect("object").clone());
        self.user(json!({ "exec": exec }))
    }
}

/// How a program ended, and what the servers saw of it.
struct Outcome {
    code: i32,
    stderr: String,
    facts: BTreeSet<Facts>,
}

/// A program that is about to be run, and the home that it finds.
fn prepared(form: &Form, world: &World, program: &str, words: &[&str]) -> (TempDir, Command) {
    let home = tempfile::tempdir().expect("home");
    let files: Vec<String> = std::iter::once(&form.config)
        .chain(&form.more)
        .enumerate()
        .map(|(number, config)| {
            let path = home.path().join(format!("config-{number}"));
            fs::write(&path, config.to_string()).expect("kubeconfig");
            path.to_string_lossy().into_owned()
        })
        .collect();
    fs::create_dir(home.path().join("work")).expect("directory");
    fs::write(home.path().join("token"), TOKEN).expect("token");
    let helper = home.path().join("helper");
    fs::write(&helper, format!("#!/bin/sh\n{GIVES_TOKEN}\n")).expect("helper");
    fs::set_permissions(&helper, fs::Permissions::from_mode(0o755)).expect("helper");
    for name in ["ca.crt", "alice.crt", "alice.key"] {
        fs::write(home.path().join(name), world.certificates.read(name)).expect("certificate");
    }
    world.log.lock().expect("lock").clear();
    let mut command = Command::new(program);
    command
        .args(words)
        .args(&form.flags)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").expect("PATH"))
        .env("HOME", home.path())
        .env("KUBECONFIG", files.join(":"))
        .envs(form.environment.iter().map(|(name, value)| (name, value)))
        .current_dir(home.path().join("work"))
        .stdin(Stdio::null());
    (home, command)
}

fn run(form: &Form, world: &World, program: &str, words: &[&str]) -> Outcome {
    let (home, mut command) = prepared(form, world, program, words);
    let output = command.output().expect("program");
    let mut facts = BTreeSet::new();
    for mut told in std::mem::take(&mut *world.log.lock().expect("lock")) {
        let agent = told.iter().find(|fact| fact.starts_with(AGENT)).cloned();
        if let Some(agent) = agent {
            assert!(program.ends_with(agent.trim_start_matches(AGENT)), "{agent}");
            told.remove(&agent);
        }
        facts.insert(told);
    }
    facts.extend(helpers(home.path()));
    Outcome {
        code: output.status.code().unwrap_or(-1),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        facts,
    }
}

/// What a helper was told, without the order of it.
fn helpers(home: &Path) -> Option<Facts> {
    let told = fs::read_to_string(home.join("work/helper.log")).ok()?;
    let sorted = |line: &str| match serde_json::from_str::<Value>(line) {
        Ok(mut told) => {
            // That there is nothing of it can be said in two ways.
            if let Some(cluster) = told.pointer_mut("/spec/cluster").and_then(Value::as_object_mut) {
                cluster.retain(|_, value| !value.is_null());
            }
            told.to_string()
        }
        Err(_) => line.to_owned(),
    };
    let calls = fs::read_to_string(home.join("work/calls.log")).unwrap_or_default().lines().count();
    let calls = format!("called {calls} times");
    let lines = told.lines().filter(|line| !line.is_empty()).chain([calls.as_str()]);
    Some(lines.map(|line| format!("helper: {}", sorted(line))).collect())
}

/// Answers with a token.
const GIVES_TOKEN: &str = r#"echo called >>calls.log; echo "$KUBERNETES_EXEC_INFO" >helper.log; echo "$EXTRA" >>helper.log
echo '{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","status":{"token":"good-token"}}'"#;

/// A JSON web token that is good until 2100: what the library looks at of one.
const ID_TOKEN: &str = "e30.eyJleHAiOjQxMDI0NDQ4MDB9.e30";

#[expect(clippy::too_many_lines, reason = "a table")]
fn forms(world: &World) -> Vec<Form> {
    use Expects::{Error, Fact};
    let new = |name, expects| Form::new(name, world, expects);
    let at = |port: u16| format!("https://127.0.0.1:{port}");
    let data = |name: &str| base64(&world.certificates.read(name));
    let file = |name: &str| world.certificates.path(name);
    let proxy = format!("http://127.0.0.1:{}", world.http_proxy);
    let far = format!("https://api.test:{}", world.secure);
    let alice = json!({"client-certificate": "alice.crt", "client-key": "alice.key"});
    let of_alice = json!({"kind": "ExecCredential", "apiVersion": "client.authentication.k8s.io/v1", "status": {
        "clientCertificateData": world.certificates.read("alice.crt"),
        "clientKeyData": world.certificates.read("alice.key"),
    }});
    vec![
        // Who one is.
        new("a token", Fact("authorization: Bearer good-token")),
        new("a token in a file beside the kubeconfig", Fact("authorization: Bearer good-token"))
            .user(json!({"tokenFile": "token"})),
        new("a token in a file, and an old one", Fact("authorization: Bearer good-token"))
            .user(json!({"tokenFile": "token", "token": "old"})),
        new("a client certificate in files beside the kubeconfig", Fact("client certificate of alice"))
            .user(alice.clone()),
        new("a client certificate within", Fact("client certificate of bob"))
            .user(json!({"client-certificate-data": data("bob.crt"), "client-key-data": data("bob.key")})),
        new("a name and a password", Fact("authorization: Basic bWU6c2VjcmV0"))
            .user(json!({"username": "me", "password": "secret"})),
        new("a helper that gives a token", Fact("authorization: Bearer good-token"))
            .helper(GIVES_TOKEN, json!({"env": [{"name": "EXTRA", "value": "more"}]})),
        new("a helper that wants to know the cluster", Fact("authorization: Bearer good-token"))
            .helper(GIVES_TOKEN, json!({"provideClusterInfo": true})),
        new("a helper beside the kubeconfig", Fact("authorization: Bearer good-token"))
            .helper("", json!({"command": "./helper", "args": null})),
        new("a helper that must talk to somebody", Error("exec plugin cannot support interactive mode: standard input is not a terminal"))
            .helper(GIVES_TOKEN, json!({"interactiveMode": "Always"})),
        new("a helper that gives a certificate", Fact("client certificate of alice"))
            .helper("printf %s \"$ANSWER\"", json!({"env": [{"name": "ANSWER", "value": of_alice.to_string()}]})),
        new("OIDC with a token that is still good", Fact("authorization: Bearer e30.eyJ"))
            .user(json!({"auth-provider": {"name": "oidc", "config": {
                "id-token": ID_TOKEN, "idp-issuer-url": "https://issuer.test", "client-id": "me",
            }}})),
        new("somebody else, by the kubeconfig", Fact("impersonate-user: jane")).user(json!({
            "token": TOKEN, "as": "jane", "as-groups": ["dev", "ops"], "as-uid": "7",
            "as-user-extra": {"reason": ["a", "b"], "example.com/x": ["y"]},
        })),
        new("somebody else, by flags", Fact("impersonate-group: dev"))
            .flags(["--as=jane", "--as-group=dev", "--as-group=ops", "--as-uid=7"]),
        new("a token by its flag", Fact("authorization: Bearer good-token"))
            .user(json!({"tokenFile": "nowhere"}))
            .flags(["--token=good-token"]),
        new("a token by its flag, and an OIDC login", Fact("authorization: Bearer good-token"))
            .user(json!({"auth-provider": {"name": "oidc", "config": {
                "id-token": "e30.e30.e30", "idp-issuer-url": "https://issuer.test", "client-id": "me",
            }}}))
            .flags(["--token=good-token"]),
        new("a token by its flag, and a password", Error("more than one authentication method found for me; found [token basicAuth], only one is allowed"))
            .user(json!({"username": "me", "password": "secret"}))
            .flags(["--token=good-token"]),
        new("a client certificate by flags", Fact("client certificate of alice"))
            .user(json!({}))
            .flags(["--client-certificate=../alice.crt", "--client-key=../alice.key"]),
        new("another user, by its flag", Fact("client certificate of alice"))
            .set("", "users", json!([{"name": "me", "user": {}}, {"name": "alice", "user": alice}]))
            .flags(["--user=alice"]),
        // Which server.
        new("the authority beside the kubeconfig", Fact("TLS to no name"))
            .cluster("certificate-authority", "ca.crt"),
        new("the authority within", Fact("TLS to no name"))
            .cluster("certificate-authority", Value::Null)
            .cluster("certificate-authority-data", data("ca.crt")),
        new("the authority by its flag", Fact("TLS to no name"))
            .cluster("certificate-authority", file("other.crt"))
            .flags(["--certificate-authority=../ca.crt"]),
        new("no authority, and no question", Fact("TLS to no name"))
            .cluster("certificate-authority", Value::Null)
            .cluster("insecure-skip-tls-verify", true),
        new("no question, by its flag", Fact("TLS to no name"))
            .cluster("certificate-authority", Value::Null)
            .flags(["--insecure-skip-tls-verify"]),
        new("another name in the certificate", Fact("TLS to elsewhere.test"))
            .cluster("server", at(world.elsewhere))
            .cluster("tls-server-name", "elsewhere.test"),
        new("another name, by its flag", Fact("TLS to elsewhere.test"))
            .cluster("server", at(world.elsewhere))
            .flags(["--tls-server-name=elsewhere.test"]),
        new("another server, by its flag", Fact("authorization: Bearer good-token"))
            .cluster("server", "https://127.0.0.1:1")
            .flags(["--server", &at(world.secure)]),
        new("another server, by its flag, which has another name", Fact("TLS to no name"))
            .cluster("server", at(world.elsewhere))
            .cluster("tls-server-name", "elsewhere.test")
            .flags(["--server", &at(world.secure)]),
        new("an authority by its flag, which is asked again", Error("x509: certificate signed by unknown authority"))
            .cluster("certificate-authority", Value::Null)
            .cluster("insecure-skip-tls-verify", true)
            .flags(["--certificate-authority", &file("other.crt")]),
        new("an authority and no question", Error("specifying a root certificates file with the insecure flag is not allowed"))
            .flags(["--certificate-authority=../ca.crt", "--insecure-skip-tls-verify"]),
        new("a server, a token and an authority by flags, and no kubeconfig", Fact("authorization: Bearer good-token"))
            .nothing()
            .flags(["--server", &at(world.secure), "--token=good-token", "--certificate-authority=../ca.crt"]),
        new("a cluster and a user of a kubeconfig without a context", Fact("authorization: Bearer good-token"))
            .set("", "current-context", Value::Null)
            .flags(["--cluster=test", "--user=me"]),
        new("a server by its flag, without TLS and without its scheme", Error("You must be logged in to the server (Unauthorized)"))
            .nothing()
            .flags(["--server", &format!("127.0.0.1:{}", world.plain)]),
        new("a server without its scheme, which is one without TLS", Error("You must be logged in to the server (Unauthorized)"))
            .cluster("server", format!("127.0.0.1:{}", world.plain)),
        new("a server without TLS, which is told no secret", Error("You must be logged in to the server (Unauthorized)"))
            .cluster("server", format!("http://127.0.0.1:{}", world.plain))
            .user(json!({"username": "me", "password": "secret", "as": "jane"})),
        new("a server without TLS, and a token by its flag", Error("You must be logged in to the server (Unauthorized)"))
            .cluster("server", format!("http://127.0.0.1:{}", world.plain))
            .flags(["--token=good-token"]),
        new("a server below a path", Fact("paths below \"/k8s/clusters/c-1\""))
            .cluster("server", format!("{}/k8s/clusters/c-1", at(world.secure)))
            .asks_version(),
        new("a server below a path that ends in a slash", Fact("paths below \"/k8s\""))
            .cluster("server", format!("{}/k8s/", at(world.secure)))
            .asks_version(),
        new("a server that is busy at first", Fact(TOLD_TO_WAIT)).user(json!({"token": BUSY})),
        // Which way.
        new("a proxy of the cluster's", Fact("through an HTTP proxy: CONNECT api.test"))
            .cluster("server", far.clone())
            .cluster("proxy-url", proxy.clone()),
        new("a proxy of the cluster's, to this machine, whatever the environment says",
            Fact("through an HTTP proxy: CONNECT 127.0.0.1"))
            .cluster("proxy-url", proxy.clone())
            .environment("NO_PROXY", "*"),
        new("a proxy that wants to know who comes", Fact("proxy-authorization: Basic bWU6c2VjcmV0"))
            .cluster("server", far.clone())
            .cluster("proxy-url", format!("http://me:secret@127.0.0.1:{}", world.http_proxy)),
        new("a SOCKS proxy, which looks up the name", Fact("through a SOCKS5 proxy to api.test"))
            .cluster("server", far.clone())
            .cluster("proxy-url", format!("socks5://127.0.0.1:{}", world.socks_proxy)),
        new("a proxy of the environment", Fact("through an HTTP proxy: CONNECT api.test"))
            .cluster("server", far.clone())
            .environment("HTTPS_PROXY", proxy.clone()),
        new("a proxy of the environment, in small letters", Fact("through an HTTP proxy: CONNECT api.test"))
            .cluster("server", far.clone())
            .environment("https_proxy", proxy.clone()),
        new("a proxy that is not for this machine", Fact("TLS to no name"))
            .environment("HTTPS_PROXY", proxy.clone()),
        new("a name that no proxy is to look up", Error("Unable to connect to the server"))
            .cluster("server", far.clone())
            .environment("HTTPS_PROXY", proxy.clone())
            .environment("NO_PROXY", "10.0.0.0/8, .test"),
        // Which kubeconfig.
        new("several files, of which the first wins", Fact("client certificate of alice"))
            .set("", "users", json!([]))
            .more(json!({"apiVersion": "v1", "kind": "Config", "current-context": "other",
                         "users": [{"name": "me", "user": alice}]}))
            .more(json!({"apiVersion": "v1", "kind": "Config",
                         "users": [{"name": "me", "user": {"token": "late"}}]})),
        new("another context, by its flag", Fact("client certificate of alice"))
            .set("", "users", json!([{"name": "me", "user": {}}, {"name": "alice", "user": alice}]))
            .set("", "contexts", json!([
                {"name": "test", "context": {"cluster": "test", "user": "me"}},
                {"name": "alice", "context": {"cluster": "test", "user": "alice", "namespace": "hers"}},
            ]))
            .flags(["--context=alice"]),
        // What goes wrong.
        new("a token that is not known", Error("You must be logged in to the server (Unauthorized)"))
            .user(json!({"token": "old"})),
        new("nobody listens", Error("The connection to the server 127.0.0.1:1 was refused - did you specify the right host or port?"))
            .cluster("server", "https://127.0.0.1:1"),
        new("a name that nobody knows", Error("Unable to connect to the server"))
            .cluster("server", "https://nowhere.invalid:6443"),
        new("an authority that nobody knows", Error("x509: certificate signed by unknown authority"))
            .cluster("certificate-authority", file("other.crt")),
        new("a certificate of another server", Error("x509: certificate is valid for elsewhere.test, not localhost"))
            .cluster("server", format!("https://localhost:{}", world.elsewhere)),
        new("a certificate without addresses", Error("cannot validate certificate for 127.0.0.1 because it doesn't contain any IP SANs"))
            .cluster("server", at(world.elsewhere)),
        new("a certificate that has expired", Error("x509: certificate has expired or is not yet valid"))
            .cluster("server", at(world.expired)),
        new("a helper that is not there", Error("getting credentials: exec: executable no-such-helper not found"))
            .user(json!({"exec": {"apiVersion": "client.authentication.k8s.io/v1", "interactiveMode": "Never",
                                  "command": "no-such-helper", "installHint": "install it from the shop"}})),
        new("a helper that fails", Error("getting credentials: exec: executable sh failed with exit code 3"))
            .helper("echo no >&2; exit 3", json!({})),
        new("a context that is not there", Error("context \"nowhere\" does not exist")).flags(["--context=nowhere"]),
        new("a cluster that is not there", Error("cluster \"nowhere\" does not exist")).flags(["--cluster=nowhere"]),
        new("a user who is not there", Error("auth info \"nobody\" does not exist")).flags(["--user=nobody"]),
        new("a proxy of a kind that does not exist", Error("proxy"))
            .cluster("proxy-url", "ftp://127.0.0.1:1"),
    ]
}

impl Form {
    fn asks_version(mut self) -> Self {
        self.kubectl = &["version"];
        self
    }

    /// Without any entry in the kubeconfig.
    fn nothing(mut self) -> Self {
        self.config = json!({"apiVersion": "v1", "kind": "Config"});
        self
    }

    fn more(mut self, config: Value) -> Self {
        self.more.push(config);
        self
    }
}

fn base64(text: &str) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(text)
}

#[test]
fn kubectl_and_the_plugin_come_to_a_server_alike() {
    let world = World::new();
    let forms: Vec<Form> = forms(&world).into_iter().chain(odd::forms(&world)).collect();
    assert!(forms.len() >= 15);
    let wrong: Vec<String> = forms.iter().filter_map(|form| differs(form, &world)).collect();
    assert!(wrong.is_empty(), "{} of {} forms:\n{}", wrong.len(), forms.len(), wrong.join("\n"));
}

/// As the library does it, a minute after it was read: a token of a pod is good for ten more then.
#[test]
fn a_token_file_that_changes_is_read_again() {
    let world = World::new();
    let form = Form::new("a token in a file", &world, Expects::Fact(""));
    let form = form.user(json!({"tokenFile": "token"}));
    let (home, mut command) = prepared(&form, &world, env!("CARGO_BIN_EXE_kubectl-flink"), &["ls", "-w"]);
    let mut watch = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("program");
    let has_come_with = |token: &str| {
        let fact = format!("authorization: Bearer {token}");
        world.log.lock().expect("lock").iter().any(|facts| facts.contains(&fact))
    };
    let until_it_comes_with = |token| {
        let began = Instant::now();
        while !has_come_with(token) {
            assert!(began.elapsed() < Duration::from_secs(100), "nobody comes with {token}");
            std::thread::sleep(Duration::from_millis(200));
        }
    };
    until_it_comes_with(TOKEN);
    fs::write(home.path().join("token"), LATER).expect("token");
    until_it_comes_with(LATER);
    assert!(watch.try_wait().expect("program").is_none(), "it has ended");
    watch.kill().and_then(|()| watch.wait()).expect("program");
}

/// What is not as it should be.
fn differs(form: &Form, world: &World) -> Option<String> {
    let kubectl = run(form, world, "kubectl", form.kubectl);
    let plugin = run(form, world, env!("CARGO_BIN_EXE_kubectl-flink"), &["ls"]);
    let is_as_expected = |outcome: &Outcome, is_plugin: bool| match form.expects {
        Expects::Fact(fact) => {
            let warned = outcome.stderr.matches("Warning: be careful\n").count();
            outcome.code == 0
                && warned == 1
                && outcome.facts.iter().flatten().any(|told| told.starts_with(fact))
        }
        Expects::Error(error) => outcome.code == 1 && outcome.stderr.contains(error),
        Expects::OwnError(error) => outcome.code == 1 && (!is_plugin || outcome.stderr.contains(error)),
    };
    let told = |who: &str, outcome: &Outcome| {
        format!("    {who}: exit {}, {:?}\n      {}", outcome.code, outcome.facts, outcome.stderr.trim_end())
    };
    let alike = kubectl.facts == plugin.facts;
    (!alike || !is_as_expected(&kubectl, false) || !is_as_expected(&plugin, true))
        .then(|| format!("  {}:\n{}\n{}", form.name, told("kubectl", &kubectl), told("plugin", &plugin)))
}
