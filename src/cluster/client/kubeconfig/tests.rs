//! Kubeconfigs as kubectl reads them, and what their errors keep to themselves.

use std::fmt::Write as _;

use super::*;

const SMALL: &str = r#"apiVersion: v1
clusters:
- cluster:
    certificate-authority: ca.crt
    server: https://a:6443
  name: a
- cluster: {server: "https://b:6443"}
  name: "b"
contexts:
- context:
    cluster: a
    namespace: team-a
    user: me
  name: 'first'
- name: second
  context:
    cluster: b
    user: you
current-context: first
kind: Config
preferences: {}
users:
- name: me
  user:
    token: "12"
- name: you
  user:
    exec:
      apiVersion: client.authentication.k8s.io/v1
      args:
      - get-token
      - |
        - name: nobody
      command: ./helper
      env:
      - name: EXTRA
      interactiveMode: Never
"#;

fn parsed(text: &str) -> std::result::Result<Kubeconfig, String> {
    Kubeconfig::parse(text, Path::new("/home/me/config"))
}

fn outlined(text: &str) -> Option<Kubeconfig> {
    outline::read(text, Path::new("/home/me/config"))
}

/// All that a kubeconfig says.
fn told(read: &Kubeconfig) -> String {
    let mut told = format!("{:?}\n", read.current_context);
    for entry in &read.contexts {
        let context = read.context(&entry.name).expect("context").expect("one");
        writeln!(told, "{} {context:?} {:?}", entry.name, entry.place()).expect("text");
    }
    for entry in &read.clusters {
        let cluster = read.cluster(&entry.name).expect("cluster").expect("one");
        writeln!(told, "{} {:?} {:?}", entry.name, cluster.server, cluster.certificate_authority)
            .expect("text");
    }
    for entry in &read.users {
        let user = read.user(&entry.name).expect("user").expect("one");
        writeln!(told, "{} {} {:?}", entry.name, user.token.is_some(), user.exec).expect("text");
    }
    told
}

#[test]
fn the_outline_says_what_the_parser_says() {
    let whole = told(&parsed(SMALL).expect("kubeconfig"));
    assert!(whole.contains("/home/me/ca.crt") && whole.contains("/home/me/./helper"), "{whole}");
    let indented = SMALL.replace("\n- ", "\n  - ").replace("\n  name", "\n    name");
    let indented = indented.replace("\n    ", "\n      ").replace("\n      name", "\n    name");
    for text in [SMALL.to_owned(), SMALL.replace('\n', "\r\n"), format!("---\n# a comment\n\n{SMALL}")] {
        assert_eq!(told(&outlined(&text).expect("outline")), whole, "{text}");
    }
    let read = outlined(&indented).map(|read| read.contexts.len());
    assert!(read.is_none_or(|contexts| contexts == 2), "{indented}");
}

#[test]
fn what_the_outline_does_not_understand_is_left_to_the_parser() {
    for (what, with) in [
        ("name: a\n", "name: &a a\n"),
        ("name: a\n", "name: *a\n"),
        ("name: a\n", "name: \"\\x61\"\n"),
        ("name: a\n", "name:\n    a\n"),
        ("name: a\n", "name: a\n    b\n"),
        ("name: a\n", "\"name\": a\n"),
        ("contexts:\n", "contexts: [{name: x}]\nmore:\n"),
        ("contexts:\n", "\"contexts\":\n"),
        ("kind: Config\n", "kind: Config\nusers: []\n"),
        ("kind: Config\n", "kind: Config\n---\n"),
        ("current-context: first", "current-context: |\n  first"),
        ("apiVersion: v1\n", "{apiVersion: v1}\n"),
        ("apiVersion: v1\n", "%YAML 1.2\n---\n"),
    ] {
        assert!(SMALL.contains(what), "{what}");
        assert!(outlined(&SMALL.replacen(what, with, 1)).is_none(), "{with}");
    }
}

#[test]
fn the_first_document_and_the_last_of_equal_keys_count_as_with_kubectl() {
    let read = parsed("kind: Config\ncurrent-context: a\ncurrent-context: b\n---\ncurrent-context: c\n");
    assert_eq!(read.expect("kubeconfig").current_context.as_deref(), Some("b"));
    assert!(parsed("").expect("kubeconfig").contexts.is_empty());
    assert!(parsed("users:\ncontexts: []\n").expect("kubeconfig").users.is_empty());
}

#[test]
fn a_name_that_comes_twice_in_a_file_is_refused() {
    for list in ["contexts", "clusters", "users"] {
        let text = format!("{list}:\n- name: a\n- name: b\n- name: a\n");
        for read in [parsed(&text).expect("kubeconfig"), outlined(&text).expect("outline")] {
            assert_eq!(read.check_names(), Err(format!("duplicate name \"a\" in {list}")));
        }
    }
    let read = |text: &str| parsed(text).expect("kubeconfig");
    let merged = read("users: [{name: a, user: {token: x}}]").merge(read("users: [{name: a}, {name: b}]"));
    assert_eq!(merged.users.len(), 2);
    assert!(merged.user("a").expect("user").expect("one").token.is_some());
}

/// Whatever is broken, and wherever: the place is told, and no word of the file.
#[test]
fn no_error_quotes_a_kubeconfig() {
    let secret = "hunter2";
    let mut wrong = Vec::new();
    let user = |user: &str| {
        format!("kind: Config\nusers:\n- name: me\n  user:\n    {user}\n    password: {secret}\n")
    };
    for (broken, line) in [
        (user(&format!("token: [{secret}")), 6),
        (user(&format!("token: '{secret}")), 5),
        (user(&format!("token: \"{secret}\\z\"")), 5),
        (user(&format!("token: *{secret}")), 5),
        (user(&format!("token {secret}")), 6),
        (user(&format!("token: {secret}: {secret}")), 5),
        (user(&format!("\ttoken: {secret}")), 6),
        (user(&format!("token: !<{secret} {secret}")), 5),
        (user(&format!("token: %{secret}")), 5),
        (user(&format!("token: @{secret}")), 5),
        (user(&format!("token: [{secret}]")), 5),
        (user(&format!("token: {{a: {secret}}}")), 5),
        (user(&format!("exec: {secret}")), 5),
        (user(&format!("exec: {{args: {secret}}}")), 5),
        (user(&format!("exec: {{interactiveMode: {secret}}}")), 5),
        (format!("kind: Config\nusers: {secret}\n"), 2),
        (format!("kind: Config\nusers: [{secret}]\n"), 2),
        (format!("kind: Config\nusers:\n- name: [{secret}]\n"), 3),
        (secret.to_owned(), 1),
    ] {
        let file = tempfile::NamedTempFile::new().expect("file");
        std::fs::write(file.path(), &broken).expect("kubeconfig");
        let read =
            Kubeconfig::read(&[file.path().to_owned()]).and_then(|read| read.unwrap_or_default().user("me"));
        let told = match read {
            Err(error) => error.to_string(),
            Ok(user) => format!("{user:?}"),
        };
        if !told.contains(&format!("line {line}")) || told.contains(secret) || told.contains("not valid YAML")
        {
            wrong.push(format!("{broken}{line}: {told}\n"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_bomb_is_refused() {
    let mut bomb = "kind: Config\na0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let below = format!("*a{}", level - 1);
        writeln!(bomb, "a{level}: &a{level} [{}]", vec![below; 9].join(", ")).expect("text");
    }
    // Where a text is long, it may have many nodes; not such that grow.
    for text in [bomb.clone(), format!("{bomb}# {}\n", "x".repeat(8 << 20))] {
        let refused = parsed(&text).expect_err("a bomb");
        assert!(refused.contains("too large"), "{refused}");
    }
}
