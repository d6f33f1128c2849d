//! `ls -w` on a terminal, which `script` of util-linux makes.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::collections::Collections;
use crate::collections::Of::Deployments;
use crate::running::Running;
use crate::server::Server;
use crate::watch::{added, deployment};

const HEADER: &str = "NAME READY STATUS VERSION TASKMANAGERS RESTARTS AGE";

/// A terminal with `ls -w` of a server with one session.
fn terminal(server: &Collections, environment: &[(&str, &str)]) -> Running {
    server.lists(Deployments, [Ok((10, vec![deployment("a", 9)]))]);
    on_a_terminal(server.home.path(), "ls -w", environment)
}

/// A terminal of 80 columns and 24 rows with `kubectl flink WORDS`.
pub fn on_a_terminal(home: &Path, words: &str, environment: &[(&str, &str)]) -> Running {
    let program = format!("stty cols 80 rows 24; exec {} {words}", env!("CARGO_BIN_EXE_kubectl-flink"));
    let mut command = Command::new("script");
    command.args(["-qec", &program, "/dev/null"]).stdin(Stdio::piped()).env_clear();
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("HOME", home).env("TERM", "xterm-256color");
    command.envs(environment.iter().copied());
    Running::start(command)
}

/// Reads on until a line tells of the session, and then its other lines.
fn read_until(shown: &mut Vec<String>, terminal: &mut Running, session: &str) {
    while !shown.last().is_some_and(|line| line.starts_with(session)) {
        shown.push(terminal.line());
    }
}

/// What stands on a terminal that has got these lines.
fn picture(lines: &[String]) -> Vec<String> {
    let (mut rows, mut cursor) = (Vec::<String>::new(), 0);
    for line in lines {
        let mut text = String::new();
        let mut parts = line.split("\x1b[");
        text += parts.next().unwrap_or_default();
        for part in parts {
            let end = part.find(|c: char| c.is_ascii_alphabetic()).expect("the end of an escape");
            let (number, rest) = (&part[..end], &part[end + 1..]);
            match &part[end..=end] {
                "A" => cursor -= number.parse::<usize>().expect("rows"),
                "J" => rows.truncate(cursor),
                "m" => {}
                other => panic!("ESC[{number}{other} in {line:?}"),
            }
            text += rest;
        }
        assert_eq!(cursor, rows.len(), "written over what stands there: {line:?}");
        rows.push(text.split_whitespace().collect::<Vec<_>>().join(" "));
        cursor += 1;
    }
    rows
}

fn row(name: &str) -> String {
    format!("{name} 0/1 Creating 1.20.5 0 0 <unknown>")
}

#[test]
fn the_table_is_drawn_anew_in_its_place_and_stays_after_ctrl_c() {
    for (environment, has_colour) in [(&[][..], true), (&[("NO_COLOR", "1")][..], false)] {
        let server = Collections::new();
        let mut terminal = terminal(&server, environment);
        let mut shown = Vec::new();
        read_until(&mut shown, &mut terminal, "a ");
        assert_eq!(picture(&shown), [HEADER.to_owned(), row("a")]);
        server.then(Deployments, [added(deployment("b", 11))]);
        read_until(&mut shown, &mut terminal, "b ");
        assert!(shown.iter().any(|line| line.contains("\x1b[2A\x1b[J")), "{shown:?}");
        assert_eq!(picture(&shown), [HEADER.to_owned(), row("a"), row("b")]);
        assert_eq!(shown.iter().any(|line| line.contains("\x1b[33mCreating")), has_colour, "{shown:?}");
        terminal.press("\x03");
        let end = terminal.end();
        assert_eq!(end.code, 130, "{end:?}");
        // The terminal's own echo, and nothing else.
        assert_eq!(end.stdout.concat().replace("^C", "").trim(), "", "{end:?}");
    }
}

#[test]
fn a_terminal_that_cannot_do_it_gets_rows_one_after_the_other() {
    let server = Collections::new();
    let mut terminal = terminal(&server, &[("TERM", "dumb")]);
    let mut shown = Vec::new();
    read_until(&mut shown, &mut terminal, "a ");
    server.then(Deployments, [added(deployment("b", 11))]);
    read_until(&mut shown, &mut terminal, "b ");
    assert!(!shown.concat().contains('\x1b'), "{shown:?}");
    assert_eq!(picture(&shown), [HEADER.to_owned(), row("a"), row("b")]);
    terminal.press("\x03");
    assert_eq!(terminal.end().code, 130);
}

#[test]
fn a_pipe_is_coloured_on_request_and_never_drawn_anew() {
    let server = Collections::new();
    server.lists(Deployments, [Ok((10, vec![deployment("a", 9)]))]);
    let mut ls = server.run(&["ls", "-w", "--color=always"]);
    let mut shown = Vec::new();
    read_until(&mut shown, &mut ls, "a ");
    server.then(Deployments, [added(deployment("b", 11))]);
    read_until(&mut shown, &mut ls, "b ");
    assert_eq!(shown.len(), 3, "{shown:?}");
    assert!(shown[1..].iter().all(|line| line.contains("\x1b[33mCreating\x1b[0m")), "{shown:?}");
    assert!(!shown.concat().contains("\x1b[J"), "{shown:?}");
    assert_eq!(picture(&shown), [HEADER.to_owned(), row("a"), row("b")]);
    assert_eq!(ls.interrupt().code, 130);
}

/// The terminal writes `^C` where the cursor is. Behind a line that fills the terminal it would begin the next one, and the
/// line above could not be erased any more.
#[test]
fn ctrl_c_leaves_no_line_of_progress_behind() {
    let server = Server::answering(|line| {
        (line == "GET /apis/apps/v1/namespaces/team-a/deployments/roc").then(|| (200, deployment("roc", 9)))
    });
    let mut terminal = on_a_terminal(server.home.path(), "status roc --wait", &[]);
    let observed = || server.asked().iter().filter(|line| line.ends_with("/deployments/roc")).count();
    while observed() < 4 {
        std::thread::sleep(Duration::from_millis(20));
    }
    terminal.press("\x03");
    let end = terminal.end();
    let shown = end.stdout.join("\n");
    let (before, after) = shown.split_once("^C").expect("the echo");
    let line = before.rsplit("\x1b[2K").next().unwrap_or_default();
    assert!(line.contains("waiting for") && !line.ends_with("  "), "{line:?}");
    assert!(after.trim_start_matches('\r').starts_with("\x1b[2K"), "{after:?}");
    assert_eq!(end.code, 130, "{shown:?}");
}
