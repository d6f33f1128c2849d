//! Commands that `create` prints as advice, run by a shell as they stand.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::json;

use crate::advice::{Namespace, State, confirmed};
use crate::process::{Ended, start_flink_as_printed};
use crate::standing::{self, SERVICES, session};

const SESSIONS: &str = "\
apiVersion: flink.apache.org/v1beta1
kind: FlinkDeployment
metadata: {name: blue}
spec: {image: 'flink:2.3.0'}
---
apiVersion: flink.apache.org/v1beta1
kind: FlinkDeployment
metadata: {name: roc}
spec: {image: 'flink:2.3.0', flinkConfiguration: {taskmanager.numberOfTaskSlots: '7'}}
";

fn only(name: &str) -> String {
    format!(
        "apiVersion: flink.apache.org/v1beta1\nkind: FlinkDeployment\nmetadata: {{{name}}}\nspec: {{image: 'flink:2.3.0'}}\n"
    )
}

/// What `create` prints of a session that is there.
fn is_ready(created: &Ended) -> bool {
    created.code == 0 && created.stderr.contains("Session roc is ready")
}

#[test]
fn a_format_is_given_with_the_dry_run_that_is_printed() {
    let namespace = Namespace::of(Vec::new());
    std::fs::write(namespace.server.home.path().join("my file.yaml"), only("name: roc")).expect("file");
    let file = namespace.server.home.path().join("my file.yaml").to_string_lossy().into_owned();
    for words in
        [&["create", "roc", "-o", "yaml"][..], &["create", "-f", &file, "-o", "yaml", "-n", "team-b"]]
    {
        let refused = namespace.flink(words);
        assert_eq!(refused.code, 1, "{refused}");
        let objects = namespace.server.flink_as_printed(refused.printed("kubectl flink create"));
        let place = if words.contains(&"-n") { "namespace: team-b" } else { "namespace: team-a" };
        assert!(objects.code == 0 && objects.stdout.contains("name: boot-roc\n"), "{objects}");
        assert!(objects.stdout.contains(place), "{objects}");
    }
    assert!(namespace.server.writes().is_empty());
}

#[test]
fn a_manifest_whose_session_has_to_be_named_is_used_by_the_printed_command() {
    let namespace = Namespace::of(Vec::new());
    let file = namespace.server.home.path().join("my file.yaml").to_string_lossy().into_owned();
    for (manifest, says) in [
        (SESSIONS.to_owned(), "several sessions"),
        (only("labels: {a: b}"), "no metadata.name"),
        (only("name: ROC"), "ROC"),
        (only("name: '7'"), "7"),
    ] {
        std::fs::write(&file, &manifest).expect("file");
        let refused = namespace.flink(&["create", "-f", &file, "-n", "team-a"]);
        assert!(refused.code == 1 && refused.stderr.contains(says), "{refused}");
        // Where a name can be proposed, it is there already.
        let typed = refused.printed("kubectl flink create").replacen("NAME", "roc", 1);
        let created = namespace.server.flink_as_printed(&typed);
        assert!(is_ready(&created), "{typed}: {created}");
        namespace.state.lock().expect("state").objects.clear();
    }
}

#[test]
fn the_help_that_is_printed_has_the_flags_that_belong_together() {
    let namespace = Namespace::of(Vec::new());
    for (words, flags) in [
        (&["--expose", "NodePort", "--wait=false"][..], ["--expose <TYPE>", "--wait"]),
        (&["--reuse-ha"], ["--reuse-ha", "--ha <DIR>"]),
    ] {
        let refused = namespace.flink(&[&["create", "roc"], words].concat());
        assert_eq!(refused.code, 1, "{refused}");
        let help = namespace.server.flink_as_printed(refused.printed("kubectl flink create"));
        assert!(help.code == 0 && flags.iter().all(|flag| help.stdout.contains(flag)), "{help}");
    }
}

#[test]
fn a_session_that_was_not_waited_for_is_waited_for_with_the_printed_command() {
    let namespace = Namespace::of(Vec::new());
    let created = namespace.flink(&["create", "roc", "--wait=false"]);
    assert_eq!(created.code, 0, "{created}");
    let status = namespace.server.flink_as_printed(created.printed("kubectl flink status"));
    assert!(status.code == 0 && status.stdout.starts_with("Session roc is Running"), "{status}");
}

#[test]
fn a_session_that_another_client_is_creating_is_waited_for_with_the_printed_command() {
    let during = State { made_by_another: vec![standing::bootstrap(json!([]))], ..State::default() };
    let before = State { objects: vec![standing::bootstrap(json!([]))], ..State::default() };
    for (state, says) in [(during, "somebody else is creating"), (before, "is being created")] {
        let namespace = Namespace::with(state);
        let refused = namespace.flink(&["create", "roc", "--slots", "7"]);
        assert!(refused.code == 1 && refused.stderr.contains(says), "{refused}");
        let typed = refused.printed("kubectl flink status").split(", or ").next().unwrap_or_default();
        let mut status = start_flink_as_printed(namespace.server.home.path(), typed);
        while !status.warning().starts_with("waiting for ") {}
        namespace.state.lock().expect("state").objects = session();
        let end = status.end();
        assert!(end.code == 0 && end.stdout[0].starts_with("Session roc is Running"), "{end:?}");
    }
}

#[test]
fn leftovers_in_the_way_are_listed_and_deleted_by_the_printed_commands() {
    let mut left = standing::service("roc");
    left["metadata"]["ownerReferences"] = json!([]);
    let namespace = Namespace::of(vec![(SERVICES, left)]);
    let refused = namespace.flink(&["create", "roc"]);
    assert_eq!(refused.code, 4, "{refused}");
    let (typed, _) =
        refused.printed("kubectl flink gc").split_once(" lists what is left").expect("a command");
    let list = namespace.server.flink_as_printed(typed);
    assert!(list.code == 0 && list.stdout.contains("service/roc"), "{list}");
    let asked = namespace.server.flink_as_printed(refused.printed("kubectl flink delete"));
    let gone = namespace.server.flink_as_printed(confirmed(&asked));
    assert!(gone.code == 0 && namespace.is_empty(), "{gone}");
    assert!(is_ready(&namespace.flink(&["create", "roc"])));
}

#[test]
fn the_web_ui_of_a_new_session_is_opened_with_the_printed_command() {
    let namespace = Namespace::with(State { forwards: true, ..State::default() });
    let created = namespace.flink(&["create", "roc"]);
    assert!(is_ready(&created), "{created}");
    let typed = created.printed("kubectl flink ui");
    let mut ui = start_flink_as_printed(namespace.server.home.path(), typed);
    let line = ui.line();
    let (_, address) = line.split_once("http://").unwrap_or_else(|| panic!("no address: {line}"));
    let address = address.split(['/', ' ']).next().unwrap_or_default();
    let mut page = TcpStream::connect(address).expect("web UI");
    write!(page, "GET /overview HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").expect("request");
    let mut overview = String::new();
    page.read_to_string(&mut overview).expect("answer");
    assert!(overview.contains("\"flink-version\":\"2.3.0\""), "{overview}");
    assert_eq!(ui.interrupt().code, 0);
}
