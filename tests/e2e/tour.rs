//! The tour of README.md, followed to the letter on the cluster that `make demo` starts.
//!
//! Each command is run by a shell in the root of the project, as a reader types it, and what it prints is compared with
//! what README.md shows. Times, ids and addresses differ from run to run: a pattern stands for each, and an id that
//! README.md repeats in a later command is replaced by the one of this run.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use regex::{Captures, Regex};

use crate::lab::{Lab, PATIENCE};

/// A command of the tour, and what README.md shows of its output. A line `...` stands for any number of lines.
struct Step {
    command: String,
    shown: Vec<String>,
}

/// The commands in the `console` blocks of one section of README.md.
fn steps(heading: &str) -> Vec<Step> {
    let readme = include_str!("../../README.md");
    let section = readme.split(&format!("\n## {heading}\n")).nth(1).expect("the section of the tour");
    let section = section.split("\n## ").next().expect("its end");
    let mut steps: Vec<Step> = Vec::new();
    let mut is_console = false;
    for line in section.lines() {
        if line.starts_with("```") {
            is_console = line == "```console";
        } else if is_console && let Some(command) = line.strip_prefix("$ ") {
            steps.push(Step { command: command.to_owned(), shown: Vec::new() });
        } else if is_console {
            steps.last_mut().expect("a command before its output").shown.push(line.to_owned());
        }
    }
    steps
}

/// What differs from run to run, most specific first; the second word replaces it.
const PATTERNS: [(&str, &str); 10] = [
    (r"savepoint-[0-9a-f]{6}-[0-9a-f]{12}", "SAVEPOINT"),
    (r"\b[0-9a-f]{32}\b", "JOB"),
    (r"\b(boot-)?roc-([0-9a-f]{6,10}-)?[a-z0-9]{5}\b", "POD"),
    (r"\broc-taskmanager-\d+-\d+\b", "TASKMANAGER"),
    (r"\b\d{1,3}(\.\d{1,3}){3}\b", "ADDRESS"),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME"),
    (r"\b\d+(\.\d+)? s\b", "DURATION"),
    (r"\b(\d+(\.\d+)?(ms|[dhms]))+\b", "DURATION"),
    (r"\d+ of \d+ (MiB|tasks)( \(\d+%\))?", "PART"),
    (r"\b(CREATED|INITIALIZING|RUNNING)\b", "STATE"),
];

struct Reader {
    patterns: Vec<(Regex, &'static str)>,
    ids: Regex,
    /// Ids of README.md, with those of this run.
    known: HashMap<String, String>,
}

impl Reader {
    fn new() -> Self {
        let patterns = PATTERNS.map(|(pattern, name)| (Regex::new(pattern).expect(pattern), name)).into();
        let ids = format!("{}|{}", PATTERNS[0].0, PATTERNS[1].0);
        Self { patterns, ids: Regex::new(&ids).expect("ids"), known: HashMap::new() }
    }

    /// A line without what differs from run to run. Columns are as wide as their widest cell, so blanks do not count.
    fn general(&self, line: &str) -> String {
        let line = self
            .patterns
            .iter()
            .fold(line.to_owned(), |line, (pattern, name)| pattern.replace_all(&line, *name).into_owned());
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// What README.md shows and what was printed, without what differs: waits that were too short to be reported are
    /// left out, and objects are in the order of their names instead of that in which they went.
    fn comparable<'a>(&self, lines: impl Iterator<Item = &'a str>) -> Vec<String> {
        let lines = lines.filter(|line| !line.starts_with("waited ") && !line.starts_with("waiting "));
        let mut lines: Vec<String> = lines.map(|line| self.general(line)).collect();
        while lines.last().is_some_and(String::is_empty) {
            lines.pop();
        }
        let is_deletion = |line: &String| line.contains(" deleted from ");
        for run in lines.chunk_by_mut(|a, b| is_deletion(a) && is_deletion(b)) {
            run.sort();
        }
        lines
    }

    fn is_shown(&self, step: &Step, printed: &str) -> bool {
        let shown = self.comparable(step.shown.iter().map(String::as_str));
        is_shown(&shown, &self.comparable(printed.lines()))
    }

    /// Fails unless `printed` is what README.md shows, and learns the ids of this run.
    fn compare(&mut self, step: &Step, printed: &str) {
        let shown = self.comparable(step.shown.iter().map(String::as_str));
        let lines = self.comparable(printed.lines());
        assert!(
            self.is_shown(step, printed),
            "$ {}\nREADME.md shows, in general:\n{}\nit printed, in general:\n{}\nas it stands:\n{printed}",
            step.command,
            shown.join("\n"),
            lines.join("\n"),
        );
        let ours = self.ids.find_iter(printed).map(|id| id.as_str().to_owned());
        let text = step.shown.join("\n");
        let theirs = self.ids.find_iter(&text).map(|id| id.as_str().to_owned());
        self.known.extend(theirs.zip(ours));
    }

    /// A command of README.md with the ids of this run.
    fn typed(&self, command: &str) -> String {
        let known = |id: &Captures<'_>| {
            self.known.get(&id[0]).unwrap_or_else(|| panic!("{command}: {} was not printed", &id[0])).clone()
        };
        self.ids.replace_all(command, known).into_owned()
    }
}

/// Whether `lines` are what `shown` shows, where `...` stands for any number of lines.
fn is_shown(shown: &[String], lines: &[String]) -> bool {
    match shown.split_first() {
        None => lines.is_empty(),
        Some((first, rest)) if first == "..." => (0..=lines.len()).any(|from| is_shown(rest, &lines[from..])),
        Some((first, rest)) => lines.first() == Some(first) && is_shown(rest, &lines[1..]),
    }
}

/// `make demo` and what it leaves, until the end of the test.
struct Demo {
    settings: Vec<(&'static str, String)>,
}

impl Demo {
    fn run(&self, word: &str) -> String {
        let mut command = Command::new("bash");
        // Both streams in the order of a terminal.
        command.args(["-c", "exec dev/demo \"$1\" 2>&1", "demo", word]).current_dir(root());
        command.envs(self.settings.iter().map(|(name, value)| (*name, value.as_str())));
        printed(&mut command, &format!("dev/demo {word}"))
    }

    /// What `script` prints in the root of the project.
    fn shell(&self, script: &str) -> String {
        let mut shell = Command::new("bash");
        shell.args(["-c", script]).current_dir(root()).stdin(Stdio::null());
        shell.envs(self.settings.iter().map(|(name, value)| (*name, value)));
        String::from_utf8_lossy(&shell.output().expect("bash").stdout).into_owned()
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        self.run("down");
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

/// Runs a program that succeeds, and returns what it prints.
fn printed(command: &mut Command, what: &str) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|why| panic!("{what}: {why}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{what}: {}\n{stdout}\n{stderr}", output.status);
    stdout
}

/// The demo with a cluster of its own; with CONTEXT in the environment, in a namespace of that context.
fn demo(lab: &Lab) -> (Demo, Option<tempfile::TempPath>) {
    let plugin = Path::new(env!("CARGO_BIN_EXE_kubectl-flink")).parent().expect("its directory");
    let mut settings = vec![("PLUGIN", plugin.display().to_string())];
    let Some(context) = std::env::var("CONTEXT").ok().filter(|context| !context.is_empty()) else {
        // A name of its own, since a developer's demo may be up.
        settings.extend([("CLUSTER", "flink-tour".to_owned()), ("CONTEXT", String::new())]);
        return (Demo { settings }, None);
    };
    let config = tempfile::NamedTempFile::new().expect("kubeconfig").into_temp_path();
    std::fs::write(&config, lab.kubectl_ok(&["config", "view", "--raw", "--minify", "--flatten"]))
        .expect("kubeconfig");
    let path = config.display().to_string();
    let namespace = format!("--namespace={}", lab.namespace);
    lab.kubectl_ok(&["config", "--kubeconfig", &path, "use-context", &context]);
    lab.kubectl_ok(&["config", "--kubeconfig", &path, "set-context", &context, &namespace]);
    settings.extend([("KUBECONFIG", path), ("CONTEXT", context)]);
    (Demo { settings }, Some(config))
}

/// The commands that `make demo` types itself with their outputs, and the lines with which it says to continue.
fn played(output: &str) -> (Vec<(String, String)>, String) {
    let (commands, end) = output.split_once("\nThe session is up.").expect("the end of the demo");
    let commands = commands.split("\n$ ").skip(1).map(|part| {
        let (command, output) = part.split_once('\n').unwrap_or((part, ""));
        (command.to_owned(), output.to_owned())
    });
    let exports: Vec<&str> = end.lines().filter(|line| line.trim().starts_with("export ")).collect();
    (commands.collect(), exports.join("\n"))
}

#[test]
fn the_tour_of_the_readme_can_be_followed() {
    let lab = Lab::new("tour");
    let (demo, _config) = demo(&lab);
    let (played, exports) = played(&demo.run("up"));
    let mut reader = Reader::new();
    let steps = steps("A five-minute tour");
    assert!(steps.len() > 10, "README.md has a tour");
    for (index, step) in steps.iter().enumerate() {
        // What the demo has typed is compared; the rest is typed as it stands.
        if let Some((command, output)) = played.get(index) {
            assert!(
                command.starts_with(&step.command),
                "make demo types {command}, README.md {}",
                step.command
            );
            reader.compare(step, output);
            continue;
        }
        let script = format!("exec 2>&1\n{exports}\n{}", reader.typed(&step.command));
        let mut printed = String::new();
        // A reader looks again until the tasks of a job run.
        lab.until_within(PATIENCE, &step.command, || {
            printed = demo.shell(&script);
            !step.command.starts_with("kubectl flink jobs ") || reader.is_shown(step, &printed)
        });
        reader.compare(step, &printed);
    }
}

#[test]
fn what_the_readme_does_not_show_is_found() {
    let step = |shown: &str| Step {
        command: "kubectl flink ls".to_owned(),
        shown: shown.lines().map(str::to_owned).collect(),
    };
    let lines = |text: &str| Reader::new().comparable(text.lines());
    let shown = |step: &Step| Reader::new().comparable(step.shown.iter().map(String::as_str));
    for (readme, printed, is_same) in [
        ("roc   1/1   Running   17s", "roc 1/1 Running 2m3s", true),
        ("roc   1/1   Running   17s", "roc 1/1 Pending 17s", false),
        ("a\n...\nd", "a\nb\nc\nd", true),
        ("a\n...\nd", "a\nb\nc", false),
        ("a", "a\nwarning: b", false),
        ("waited 1.5 s for the pod\na", "a", true),
        ("job 56af8e9f5668a4de809281d23d861ea7 ran", "job 0123456789abcdef0123456789abcdef ran", true),
    ] {
        assert_eq!(is_shown(&shown(&step(readme)), &lines(printed)), is_same, "{readme:?} and {printed:?}");
    }
}
