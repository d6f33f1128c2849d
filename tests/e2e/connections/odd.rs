//! Forms that are rare, and that kubectl takes; and such that it refuses.

use serde_json::{Value, json};

use super::Expects::{self, Error, Fact, OwnError};
use super::server::TOKEN;
use super::{Form, GIVES_TOKEN, World, base64};

/// The certificates of `certificates.rs` that have a server of their own.
pub const SERVERS: [&str; 5] = ["selfish", "plain", "leaf", "upper", "long"];

/// The names of all files in the form that fails.
pub fn forms(world: &World) -> Vec<Form> {
    let mut all = servers(world);
    all.extend(clients(world));
    all.extend(helpers(world));
    all.extend(refused(world));
    all.extend(proxies(world));
    all.push(large(world));
    all
}

fn servers(world: &World) -> Vec<Form> {
    let at = |name: &str| format!("https://127.0.0.1:{}", world.odd[name]);
    let form = |name, server: &str, authority: &str, expects| {
        Form::new(name, world, expects)
            .cluster("server", at(server))
            .cluster("certificate-authority", world.certificates.path(&format!("{authority}.crt")))
    };
    let unknown = "x509: certificate signed by unknown authority";
    vec![
        form(
            "a server that vouches for itself, as openssl makes it",
            "selfish",
            "selfish",
            Fact("TLS to no name"),
        ),
        form(
            "a server that vouches for itself and may sign nothing",
            "plain",
            "plain",
            Fact("TLS to no name"),
        ),
        form(
            "a server whose own certificate is believed, and not who signed it",
            "leaf",
            "leaf",
            Fact("TLS to no name"),
        ),
        form("a server that could sign others", "upper", "ca", Fact("TLS to no name")),
        form("a server of the curve P-521", "long", "curve", Fact("TLS to no name")),
        form("a server of the curve P-521 that is believed itself", "long", "long", Fact("TLS to no name")),
        form(
            "a server that vouches for itself, in the environment",
            "selfish",
            "selfish",
            Fact("TLS to no name"),
        )
        .cluster("certificate-authority", Value::Null)
        .environment("SSL_CERT_FILE", world.certificates.path("selfish.crt")),
        form(
            "a server that vouches for itself, under another name",
            "selfish",
            "selfish",
            Error("x509: certificate is valid for localhost, api.test, not elsewhere.test"),
        )
        .cluster("tls-server-name", "elsewhere.test"),
        form(
            "a server that vouches for itself, where another one is believed",
            "selfish",
            "plain",
            Error(unknown),
        ),
        form("a server whose issuer is not known", "leaf", "ca", Error(unknown)),
        form(
            "a server that could sign others, where another authority is believed",
            "upper",
            "other",
            Error(unknown),
        ),
        form("a server below one that may sign nothing", "long", "plain", Error(unknown)),
        Form::new(
            "a certificate that has expired and is believed itself",
            world,
            Error("x509: certificate has expired or is not yet valid"),
        )
        .cluster("server", format!("https://127.0.0.1:{}", world.expired))
        .cluster("certificate-authority", world.certificates.path("expired.crt")),
    ]
}

fn clients(world: &World) -> Vec<Form> {
    let form = |name, client: &str, expects| {
        let path = |kind: &str| world.certificates.path(&format!("{client}.{kind}"));
        Form::new(name, world, expects)
            .user(json!({"client-certificate": path("crt"), "client-key": path("key")}))
    };
    let read = |file: &str| world.certificates.read(file);
    let parameters = "-----BEGIN EC PARAMETERS-----\nBgUrgQQAIw==\n-----END EC PARAMETERS-----\n";
    let (certificate, key) = (read("alice.crt"), read("alice.key"));
    vec![
        form("a client of the curve P-521", "carol", Fact("client certificate of carol")),
        form("a client of Ed25519", "dave", Fact("client certificate of dave")),
        form("a client of the curve P-384", "erin", Fact("client certificate of erin")),
        form("a client of RSA with 4096 bits", "frank", Fact("client certificate of frank")),
        Form::new(
            "a key with the parameters of its curve in front",
            world,
            Fact("client certificate of alice"),
        )
        .user(json!({"client-certificate-data": base64(&certificate),
                         "client-key-data": base64(&format!("{parameters}{key}"))})),
        Form::new("a certificate and a token", world, Fact("client certificate of alice"))
            .user(json!({"client-certificate": "alice.crt", "client-key": "alice.key", "token": TOKEN})),
        Form::new("a name without a password", world, Fact("authorization: Basic bWU6"))
            .user(json!({"username": "me"})),
        Form::new("the key of somebody else", world, Error("tls: private key does not match public key"))
            .user(
                json!({"client-certificate": world.certificates.path("bob.crt"), "client-key": "alice.key"}),
            ),
        Form::new(
            "a certificate without a key",
            world,
            Error("client-key-data or client-key must be specified for me"),
        )
        .user(json!({"client-certificate": "alice.crt"})),
    ]
}

fn helpers(world: &World) -> Vec<Form> {
    let new = |name, expects: Expects| Form::new(name, world, expects);
    let beside = |name, own: Value, fact| {
        let mut form =
            new(name, Fact(fact)).helper("echo called >>calls.log; touch helper.log; exit 3", json!({}));
        let user = form.config.pointer_mut("/users/0/user").and_then(Value::as_object_mut).expect("user");
        user.extend(own.as_object().expect("fields").clone());
        form
    };
    let status = |status: Value| json!({"kind": "ExecCredential", "apiVersion": "client.authentication.k8s.io/v1", "status": status});
    let says = |name, answer: Value, expects| {
        let script = "echo called >>calls.log; touch helper.log; printf %s \"$ANSWER\"";
        new(name, expects).helper(script, json!({"env": [{"name": "ANSWER", "value": answer.to_string()}]}))
    };
    let (certificate, key) = (world.certificates.read("alice.crt"), world.certificates.read("alice.key"));
    let alice = json!({"client-certificate": "alice.crt", "client-key": "alice.key"});
    let mut missing = beside(
        "a certificate beside a helper that is not there",
        alice.clone(),
        "client certificate of alice",
    );
    missing.config["users"][0]["user"]["exec"]["command"] = "no-such-helper".into();
    let beta = json!({"kind": "ExecCredential", "apiVersion": "client.authentication.k8s.io/v1beta1",
                      "status": {"token": TOKEN}});
    vec![
        missing,
        beside("a certificate beside a helper", alice, "client certificate of alice"),
        beside("a token beside a helper", json!({"token": TOKEN}), "authorization: Bearer good-token"),
        beside(
            "a file with a token beside a helper",
            json!({"tokenFile": "token"}),
            "authorization: Bearer good-token",
        ),
        beside(
            "a password beside a helper",
            json!({"username": "me", "password": "secret"}),
            "authorization: Basic",
        ),
        new("a token by its flag, and a helper", Fact("authorization: Bearer good-token"))
            .helper("echo called >>calls.log; touch helper.log; exit 3", json!({}))
            .flags(["--token=good-token"]),
        says(
            "a helper that gives a certificate, which is run once",
            status(json!({"clientCertificateData": certificate, "clientKeyData": key})),
            Fact("client certificate of alice"),
        ),
        says(
            "a helper that gives a certificate of P-521",
            status(json!({"clientCertificateData": world.certificates.read("carol.crt"),
                           "clientKeyData": world.certificates.read("carol.key")})),
            Fact("client certificate of carol"),
        ),
        says(
            "a helper that gives a token and a certificate",
            status(json!({"token": TOKEN, "clientCertificateData": certificate, "clientKeyData": key})),
            Fact("client certificate of alice"),
        ),
        says(
            "a helper that gives a token which ends in 2100",
            status(json!({"token": TOKEN, "expirationTimestamp": "2100-01-01T00:00:00Z"})),
            Fact("authorization: Bearer good-token"),
        ),
        new("a helper of the older version", Fact("authorization: Bearer good-token")).helper(
            "printf %s \"$ANSWER\"",
            json!({"apiVersion": "client.authentication.k8s.io/v1beta1", "interactiveMode": null,
                   "env": [{"name": "ANSWER", "value": beta.to_string()}]}),
        ),
        new("a helper that answers in another version", Error("getting credentials: "))
            .helper("printf %s \"$ANSWER\"", json!({"env": [{"name": "ANSWER", "value": beta.to_string()}]})),
        new("a helper that prints something else", Error("getting credentials: "))
            .helper("echo hello", json!({})),
        new("a helper that prints nothing", Error("getting credentials: ")).helper("true", json!({})),
        new("a helper that gives nothing", Error("getting credentials: ")).helper(
            "printf %s \"$ANSWER\"",
            json!({"env": [{"name": "ANSWER", "value": status(json!({})).to_string()}]}),
        ),
        new("a helper that gives a certificate alone", Error("getting credentials: ")).helper(
            "printf %s \"$ANSWER\"",
            json!({"env": [{"name": "ANSWER",
                           "value": status(json!({"clientCertificateData": certificate})).to_string()}]}),
        ),
        new(
            "a helper without a version",
            Error("apiVersion must be specified for me to use exec authentication plugin"),
        )
        .helper(GIVES_TOKEN, json!({"apiVersion": null})),
        new("a helper of a version that nobody knows", Error("exec plugin: invalid apiVersion \"v7\""))
            .helper(GIVES_TOKEN, json!({"apiVersion": "v7"})),
        new("a helper without a mode", Error("interactiveMode must be specified for me"))
            .helper(GIVES_TOKEN, json!({"interactiveMode": null})),
    ]
}

fn refused(world: &World) -> Vec<Form> {
    let new = |name, expects: Expects| Form::new(name, world, expects);
    let twice = |list: &str, name, expects| {
        let form = new(name, expects);
        let entry = form.config[list][0].clone();
        form.set("", list, json!([entry, entry]))
    };
    let pem = base64(&world.certificates.read("ca.crt"));
    vec![
        twice("users", "the same user twice", Error("duplicate name \"me\" in ")),
        twice("clusters", "the same cluster twice", Error("duplicate name \"test\" in ")),
        twice("contexts", "the same context twice", Error("duplicate name \"test\" in ")),
        new("the same names in a second file", Fact("authorization: Bearer good-token"))
            .more(json!({"users": [{"name": "me", "user": {"token": "late"}}],
                         "clusters": [{"name": "test", "cluster": {"server": "https://127.0.0.1:1"}}]})),
        new(
            "an authority, and no question, in the kubeconfig",
            Error("specifying a root certificates file with the insecure flag is not allowed"),
        )
        .cluster("insecure-skip-tls-verify", true),
        new(
            "an authority within, and no question, in the kubeconfig",
            Error("specifying a root certificates file with the insecure flag is not allowed"),
        )
        .cluster("certificate-authority", Value::Null)
        .cluster("certificate-authority-data", pem.clone())
        .cluster("insecure-skip-tls-verify", true),
        new("an authority in the kubeconfig, and no question by its flag", Fact("TLS to no name"))
            .flags(["--insecure-skip-tls-verify"]),
        new(
            "an authority in a file and within",
            Error("certificate-authority-data and certificate-authority are both specified for test"),
        )
        .cluster("certificate-authority-data", pem),
        new("an authority that is none", Error("unable to load root certificates: "))
            .cluster("certificate-authority", Value::Null)
            .cluster("certificate-authority-data", base64("nothing\n")),
        new(
            "groups of nobody",
            Error("requesting uid, groups or user-extra for me without impersonating a user"),
        )
        .user(json!({"token": TOKEN, "as-groups": ["dev"]})),
        new("fields that are empty", Fact("authorization: Bearer good-token"))
            .user(json!({"token": TOKEN, "tokenFile": "", "username": "", "client-certificate": "",
                         "client-key-data": ""}))
            .cluster("proxy-url", "")
            .cluster("tls-server-name", ""),
    ]
}

fn proxies(world: &World) -> Vec<Form> {
    let far = format!("https://api.test:{}", world.secure);
    let of = |name, url: &'static str| {
        Form::new(name, world, OwnError("HTTPS_PROXY"))
            .cluster("server", far.clone())
            .environment("HTTPS_PROXY", url)
    };
    let of_cluster = |name, url: &'static str| {
        Form::new(name, world, Error("proxy-url")).cluster("server", far.clone()).cluster("proxy-url", url)
    };
    vec![
        of("a proxy of the environment, of a kind that does not exist", "ftp://127.0.0.1:1"),
        of("a proxy of the environment, of an old kind", "socks4://127.0.0.1:1"),
        of("a proxy of the environment that is no address", "http://[::1"),
        of("a proxy of the environment whose port is none", "http://127.0.0.1:x"),
        of("a proxy of the environment without a host", "http://"),
        of_cluster("a proxy of the cluster's, of an old kind", "socks4://127.0.0.1:1"),
        of_cluster("a proxy of the cluster's that is no address", "http://[::1"),
        of_cluster("a proxy of the cluster's without its kind", "127.0.0.1:1"),
        Form::new("an unusable proxy that is not for this server", world, Fact("TLS to no name"))
            .environment("HTTPS_PROXY", "ftp://127.0.0.1:1"),
        Form::new(
            "a proxy of the environment without its kind",
            world,
            Fact("through an HTTP proxy: CONNECT api.test"),
        )
        .cluster("server", far.clone())
        .environment("HTTPS_PROXY", format!("127.0.0.1:{}", world.http_proxy)),
    ]
}

/// As a company has it that makes a cluster for each of its customers.
fn large(world: &World) -> Form {
    let mut form = Form::new("5,000 contexts", world, Fact("authorization: Bearer good-token"));
    let list = |list: &str, entry: &dyn Fn(usize) -> Value| -> Vec<Value> {
        let own = form.config[list].as_array().expect("list").clone();
        (0..5000).map(entry).chain(own).collect()
    };
    let clusters = list(
        "clusters",
        &|n| json!({"name": format!("c-{n}"), "cluster": {"server": "https://127.0.0.1:1"}}),
    );
    let contexts = list(
        "contexts",
        &|n| json!({"name": format!("x-{n}"), "context": {"cluster": format!("c-{n}"), "user": format!("u-{n}")}}),
    );
    let users = list("users", &|n| {
        json!({"name": format!("u-{n}"), "user": {"exec": {
            "apiVersion": "client.authentication.k8s.io/v1", "interactiveMode": "Never", "command": "no-such-helper",
            "args": ["--region", "eu-west-1", "eks", "get-token", "--cluster-name", format!("c-{n}"), "--output", "json"],
            "env": [{"name": "AWS_PROFILE", "value": format!("p-{n}")}],
        }}})
    });
    for (list, entries) in [("clusters", clusters), ("contexts", contexts), ("users", users)] {
        form.config[list] = entries.into();
    }
    form
}
