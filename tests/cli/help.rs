//! Every help page, to the letter.

use crate::process::flink;

#[test]
fn help_pages() {
    for command in [
        "",
        "create",
        "ls",
        "status",
        "submit",
        "jobs",
        "cancel",
        "stop",
        "savepoint",
        "ui",
        "delete",
        "restart",
        "gc",
        "config",
        "completion",
        "version",
    ] {
        let words: Vec<&str> = [command, "-h"].into_iter().filter(|word| !word.is_empty()).collect();
        let ended = flink(&words);
        assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{command}");
        assert!(ended.stdout.contains("Usage: kubectl flink"), "{}", ended.stdout);
        assert!(ended.stdout.contains("Examples:"), "{}", ended.stdout);
        insta::assert_snapshot!(
            format!("help_{}", if command.is_empty() { "main" } else { command }),
            ended.stdout
        );
    }
}

#[test]
fn the_bare_program_prints_its_help_on_stdout() {
    let bare = flink(&[]);
    assert_eq!((bare.code, bare.stderr.as_str()), (0, ""));
    assert_eq!(bare.stdout, flink(&["-h"]).stdout);
}

#[test]
fn the_long_help_has_every_connection_flag_of_kubectl() {
    let help = flink(&["ls", "--help"]).stdout;
    for flag in [
        "--as ",
        "--as-group",
        "--as-uid",
        "--as-user-extra",
        "--cache-dir",
        "--certificate-authority",
        "--client-certificate",
        "--client-key",
        "--cluster",
        "--context",
        "--disable-compression",
        "--insecure-skip-tls-verify",
        "--kubeconfig",
        "--namespace",
        "--request-timeout",
        "--server",
        "--tls-server-name",
        "--token",
        "--user",
    ] {
        assert!(help.contains(flag), "{flag}");
    }
}
