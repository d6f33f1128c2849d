//! The classes of one release, through RoundTrip.java.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use kubectl_flink::session::flink_config::carrier::File;

/// Directories with the jars of the releases, each called by its version. tests/formats/with-flinks sets it.
const JARS: &str = "KUBECTL_FLINK_TEST_FLINKS";

pub struct Flink {
    jars: PathBuf,
    file: File,
}

#[derive(Clone, Copy)]
pub enum Case<'a> {
    Setting(&'a str, &'a str),
    Map(&'a str, &'a str),
}

/// What the client has, and what a process of the session reads.
#[derive(Debug)]
pub struct Answer {
    client: String,
    pod: String,
}

impl Answer {
    pub fn is_text(&self, text: &str) -> bool {
        self.is(&encoded(text))
    }

    pub fn is_map(&self, map: &BTreeMap<String, String>) -> bool {
        let entries = map.iter().map(|(key, value)| format!("{}={}", encoded(key), encoded(value)));
        self.is(&format!("{{{}}}", entries.collect::<Vec<_>>().join(",")))
    }

    fn is(&self, word: &str) -> bool {
        self.client == word && self.pod == word
    }
}

impl Flink {
    pub fn find(release: &str, file: File) -> Self {
        let jars = std::env::var_os(JARS).expect("make formats says where the jars are");
        let jars = PathBuf::from(jars).join(release);
        assert!(jars.is_dir(), "no {}", jars.display());
        Self { jars, file }
    }

    pub fn ask(&self, cases: &[Case]) -> Vec<Answer> {
        let mut command = Command::new("java");
        // Flink before 1.18 reaches into packages that Java 17 closes.
        for package in ["lang", "util", "time", "nio"] {
            command.args(["--add-opens", &format!("java.base/java.{package}=ALL-UNNAMED")]);
        }
        let program = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/formats/RoundTrip.java");
        let mut child = command
            .args(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp"])
            .arg(self.jars.join("*"))
            .args([program, self.file.name()])
            // Flink 1.10 asks for it and takes the log configuration from there.
            .env("FLINK_CONF_DIR", std::env::temp_dir())
            .env("LC_ALL", "C.UTF-8")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("java");
        let mut stdin = child.stdin.take().expect("stdin");
        let text: String = cases.iter().map(|case| line(*case)).collect();
        let writer = std::thread::spawn(move || stdin.write_all(text.as_bytes()));
        let output = child.wait_with_output().expect("answers");
        writer.join().expect("writer").expect("cases");
        let text = String::from_utf8(output.stdout).expect("ASCII");
        let answers: Vec<Answer> = text.lines().map(answer).collect();
        assert_eq!(answers.len(), cases.len(), "java {}: run it by hand", output.status);
        answers
    }
}

fn line(case: Case) -> String {
    let (kind, key, value) = match case {
        Case::Setting(key, value) => ("setting", key, value),
        Case::Map(key, value) => ("map", key, value),
    };
    format!("{kind} {} {}\n", encoded(key), encoded(value))
}

fn encoded(text: &str) -> String {
    if text.is_empty() { "-".to_owned() } else { BASE64.encode(text) }
}

fn answer(line: &str) -> Answer {
    let (client, pod) = line.split_once(' ').expect("two words");
    Answer { client: client.to_owned(), pod: pod.to_owned() }
}
