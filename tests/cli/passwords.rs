//! Passwords in URLs: masked where people and scripts read, kept in a manifest, which needs them.

use serde_json::json;

use crate::process::flink;
use crate::server::Server;

const URL: &str = "s3://AK:hunter2@bucket/ha";

#[test]
fn a_manifest_keeps_the_password_that_it_needs_and_says_so() {
    let setting = format!("-Dmy.url={URL}");
    for format in ["yaml", "json"] {
        let made = flink(&["create", "roc", "--dry-run=client", "-o", format, &setting]);
        assert_eq!(made.code, 0, "{made}");
        assert!(made.stdout.contains(URL), "{made}");
        assert!(made.stderr.contains("Warning: the manifest contains a password in a URL"), "{made}");
    }
    let made = flink(&["create", "roc", "--dry-run=client", "-o", "yaml"]);
    assert_eq!(made.stderr, "");
}

#[test]
fn every_form_of_output_for_people_and_scripts_masks_it() {
    let server = Server::answering(|line| match line {
        "GET /overview" => Some((
            200,
            json!({"taskmanagers": 1, "slots-total": 1, "slots-available": 0, "jobs-running": 1,
            "jobs-finished": 0, "jobs-cancelled": 0, "jobs-failed": 0, "flink-version": "2.3.0", "flink-commit": "x"}),
        )),
        "GET /jobs/overview" => Some((
            200,
            json!({"jobs": [{"jid": "1".repeat(32), "name": URL, "state": "RUNNING", "start-time": 1,
            "end-time": -1, "duration": 1, "tasks": {"total": 1, "running": 1}}]}),
        )),
        _ => None,
    });
    let url = format!("http://{}", server.address);
    for format in
        ["", "wide", "json", "yaml", "jsonpath={.items[*].status.name}", "custom-columns=N:.status.name"]
    {
        let words = ["jobs", "roc", "--address", &url, "-o", format];
        let told = server.flink(if format.is_empty() { &words[..4] } else { &words });
        assert_eq!(told.code, 0, "{told}");
        assert!(told.stdout.contains("s3://AK:***@bucket/ha"), "{format}: {told}");
        assert!(!told.stdout.contains("hunter2") && !told.stderr.contains("hunter2"), "{format}: {told}");
    }
}
