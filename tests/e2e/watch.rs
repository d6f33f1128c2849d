//! Watches that outlive the API server and the way to it: each change is told once.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use serde_json::Value;

use crate::control_plane::ControlPlane;
use crate::running::Running;

const WATCH: [&str; 5] = ["ls", "-A", "-w", "--output-watch-events", "--no-headers"];

/// A row without its age.
fn row_without_age(ls: &mut Running) -> String {
    let row = ls.row();
    row.rsplit_once(' ').expect("columns").0.to_owned()
}

#[test]
fn an_api_server_that_is_killed_and_started_again_loses_nothing() {
    let plane = ControlPlane::up("restart");
    let mut ls = Running::start(plane.flink(&WATCH));
    let mut told = |what: &str| assert_eq!(row_without_age(&mut ls), what);
    plane.create_session("a");
    told("ADDED default a 0/1 Creating 1.20.5 0 0");
    plane.create_session("b");
    told("ADDED default b 0/1 Creating 1.20.5 0 0");
    plane.set_ready("a", 1);
    told("MODIFIED default a 1/1 Running 1.20.5 0 0");
    plane.delete_session("b");
    told("DELETED default b 0/1 Creating 1.20.5 0 0");

    plane.restart();

    plane.create_session("c");
    told("ADDED default c 0/1 Creating 1.20.5 0 0");
    plane.set_ready("a", 0);
    told("MODIFIED default a 0/1 Creating 1.20.5 0 0");
    plane.create_taskmanager("c");
    told("MODIFIED default c 0/1 Creating 1.20.5 1 0");
    plane.delete_session("a");
    told("DELETED default a 0/1 Creating 1.20.5 0 0");
    let end = ls.interrupt();
    assert_eq!((end.code, end.stdout.len()), (130, 0), "{end:?}");
    let [warning] = end.stderr.as_slice() else { panic!("{end:?}") };
    assert!(warning.starts_with("Warning: lost the connection to the API server; retrying: "), "{warning}");
}

/// The events of a session, and the last row of each that is there.
#[derive(Default)]
struct Told {
    events: BTreeMap<String, Vec<String>>,
    picture: BTreeMap<String, String>,
}

impl Told {
    /// Reads on until a row of the session says so.
    fn read_until(&mut self, ls: &mut Running, name: &str, says: impl Fn(&str) -> bool) {
        loop {
            let row = ls.row();
            let (event, row) = row.split_once(' ').expect("columns");
            let of = row.split(' ').nth(1).expect("name");
            self.events.entry(of.to_owned()).or_default().push(event.to_owned());
            match event {
                "DELETED" => drop(self.picture.remove(of)),
                _ => drop(self.picture.insert(of.to_owned(), ageless(row))),
            }
            if of == name && says(&format!("{event} {row}")) {
                return;
            }
        }
    }
}

/// A row of `-A -o wide` without its age.
fn ageless(row: &str) -> String {
    const AGE: usize = 9;
    let cells = row.split_whitespace().enumerate().filter(|(index, _)| *index != AGE);
    cells.map(|(_, cell)| cell).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_connection_that_is_cut_again_and_again_loses_nothing_and_doubles_nothing() {
    let plane = ControlPlane::up("cuts");
    let relay = plane.relay();
    let server = format!("https://{}", relay.address);
    // With the type of its Service, which tells that the watch of Services has come to it.
    let wide = ["-o", "wide", "--server", &server];
    let mut ls = Running::start(plane.flink(&[&WATCH[..], &wide].concat()));
    let mut told = Told::default();
    // A server that was never there is not waited for: the lists are before the first cut.
    plane.create_session("first");
    told.read_until(&mut ls, "first", |row| row.contains("ClusterIP"));
    let names: Vec<String> = (0..30).map(|number| format!("s{number}")).collect();
    let stays = |name: &str| name.ends_with('5');
    let (stop, stopped) = channel::<()>();
    let mut cuts = 0;
    std::thread::scope(|threads| {
        // Ends with `stop`, also when the test fails.
        let relay = &relay;
        let cutter = threads.spawn(move || {
            let mut cuts = 0;
            while stopped.recv_timeout(Duration::from_millis(150)) == Err(RecvTimeoutError::Timeout) {
                relay.cut();
                cuts += 1;
            }
            cuts
        });
        let stop = stop;
        for name in &names {
            plane.create_session(name);
            told.read_until(&mut ls, name, |row| row.contains("ClusterIP"));
            if !stays(name) {
                plane.delete_session(name);
                told.read_until(&mut ls, name, |row| row.starts_with("DELETED"));
            }
        }
        drop(stop);
        cuts = cutter.join().expect("cutter");
    });
    assert!(cuts > 20, "cut {cuts} times");
    for name in &names {
        let count = |event: &str| told.events[name].iter().filter(|told| *told == event).count();
        assert_eq!(
            (count("ADDED"), count("DELETED")),
            (1, usize::from(!stays(name))),
            "{name}: {:?}",
            told.events[name]
        );
        assert_eq!(told.events[name][0], "ADDED", "{name}");
    }
    let listed = output(plane.flink(&["ls", "-A", "--no-headers", "-o", "wide"]));
    let listed: Vec<String> = listed.lines().map(ageless).collect();
    let mut picture: Vec<String> = told.picture.into_values().collect();
    picture.sort();
    assert_eq!(picture, listed);
    assert_eq!(listed.len(), 4);
    let end = ls.interrupt();
    assert_eq!((end.code, end.stdout.len()), (130, 0), "{end:?}");
}

fn output(mut command: Command) -> String {
    let output = command.output().expect("program");
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn the_status_of_a_session_goes_on_after_a_restart() {
    let plane = ControlPlane::up("status");
    plane.create_session("roc");
    let mut status = Running::start(plane.flink_as_reader(&["status", "roc", "-w", "-o", "json"]));
    let mut until_phase = |phase: &str| {
        loop {
            let mut text = String::new();
            while !text.ends_with("\n}") {
                text = format!("{text}\n{}", status.line());
            }
            let document: Value = serde_json::from_str(&text).expect("JSON");
            assert_eq!(document["metadata"]["name"], "roc");
            if document["status"]["phase"] == phase {
                return document;
            }
        }
    };
    assert_eq!(until_phase("Creating")["status"]["readyReplicas"], 0);
    plane.restart();
    plane.set_ready("roc", 1);
    until_phase("Running");
    plane.create_taskmanager("roc");
    plane.restart();
    plane.set_ready("roc", 0);
    until_phase("Creating");
    let end = status.interrupt();
    assert_eq!(end.code, 130, "{end:?}");
    // It looks now and then: an outage is told once, unless it falls between two looks.
    let is_told =
        |line: &String| line.starts_with("Warning: lost the connection to the API server; retrying: ");
    assert!(end.stderr.len() <= 2 && end.stderr.iter().all(is_told), "{end:?}");
}
