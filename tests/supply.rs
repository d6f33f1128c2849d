//! What is downloaded is compared with a hash, and what is published is what was built.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use regex::Regex;
use serde_json::Value;

/// The one file that may call pip and `cargo install`: what it fetches is in tests/cluster/pins.
const PINNED: &str = "tests/cluster/lib/pinned.sh";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|why| panic!("{name}: {why}"))
}

/// The names of the project's scripts, in every language but Rust, and of what it builds Go programs from.
fn scripts() -> Vec<String> {
    let mut waiting: Vec<PathBuf> =
        [".ci", "dev", "dist", "tests"].iter().map(|name| root().join(name)).collect();
    let mut found = vec!["Makefile".to_owned()];
    while let Some(directory) = waiting.pop() {
        for entry in fs::read_dir(&directory).expect("a directory").flatten() {
            let path = entry.path();
            if path.is_dir() {
                waiting.push(path);
                continue;
            }
            let name = path.strip_prefix(root()).expect("below the project");
            let name = name.components().map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>();
            let name = name.join("/");
            let ending = name.rsplit('/').next().and_then(|file| file.rsplit_once('.')).map(|(_, end)| end);
            if matches!(ending, None | Some("sh" | "py" | "mod")) {
                found.push(name);
            }
        }
    }
    found.retain(|name| fs::read_to_string(root().join(name)).is_ok());
    assert!(found.len() > 40, "{found:?}");
    found
}

/// Lines of code, without those that are comments.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.trim_start().starts_with('#'))
}

#[test]
fn nothing_is_downloaded_past_its_hash() {
    let pattern = r"-m pip\b|\bpip3? (install|download)|cargo (install|binstall)|\bgo install\b|\bgo get\b";
    let pattern =
        format!(r"{pattern}|\bnpm\b|\bnpx\b|\bmvn\b|\bwget\b|urlopen\(|urlretrieve|curl [^|]*https://");
    let forbidden = Regex::new(&pattern).expect("a pattern");
    let mut wrong = Vec::new();
    for name in scripts().iter().filter(|name| *name != PINNED) {
        // The API server of a test's own control plane, which has a certificate of its own.
        let own_server = |line: &str| line.contains("https://$node:$port/readyz");
        let text = read(name);
        let found = code(&text).filter(|line| forbidden.is_match(line) && !own_server(line));
        wrong.extend(found.map(|line| format!("{name}: {}", line.trim())));
    }
    assert!(wrong.is_empty(), "use pip_pinned or crate_install of {PINNED}:\n{}", wrong.join("\n"));
    let pinned = read(PINNED);
    assert!(pinned.contains("--require-hashes") && pinned.contains("sha256sum --check --strict"));
}

/// `PACKAGE==VERSION` of tests/cluster/pins/pypi.txt, each with at least one hash.
fn pins() -> BTreeSet<String> {
    let text = read("tests/cluster/pins/pypi.txt");
    let lines = text.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join("\n");
    let hash = Regex::new("^--hash=sha256:[0-9a-f]{64}$").expect("a pattern");
    let requirements = lines.replace("\\\n", " ");
    let mut found = BTreeSet::new();
    for requirement in requirements.lines().filter(|line| !line.is_empty()) {
        let mut words = requirement.split_whitespace();
        let name = words.next().expect("a name");
        let hashes: Vec<&str> = words.collect();
        assert!(!hashes.is_empty() && hashes.iter().all(|word| hash.is_match(word)), "{requirement}");
        assert!(found.insert(name.to_owned()), "{name} is there twice");
    }
    found
}

#[test]
fn every_package_that_a_script_names_has_its_hash() {
    let pins = pins();
    let version_of = Regex::new(r"\b(\w+_(?:pypi|crate))=([0-9][0-9.]*)").expect("a pattern");
    let package = Regex::new(r#""([a-z-]+)==\$(\w+_pypi)""#).expect("a pattern");
    let crates = Regex::new(r#"crate_install ([a-z-]+) "\$(\w+_crate)""#).expect("a pattern");
    let releases = Regex::new(r"(?m)^(?:default_versions|releases)=\(([0-9. ]+)\)").expect("a pattern");
    let sums = read("tests/cluster/pins/crates.txt");
    let (mut missing, mut seen) = (Vec::new(), 0);
    for name in scripts() {
        let text = read(&name);
        let versions: BTreeMap<&str, &str> = version_of
            .captures_iter(&text)
            .map(|found| (found.get(1).expect("name").as_str(), found.get(2).expect("version").as_str()))
            .collect();
        for found in package.captures_iter(&text) {
            seen += 1;
            let wanted = format!("{}=={}", &found[1], versions[&found[2]]);
            missing.extend((!pins.contains(&wanted)).then_some(wanted));
        }
        for found in crates.captures_iter(&text) {
            seen += 1;
            let wanted = format!("  {}-{}.crate\n", &found[1], versions[&found[2]]);
            missing.extend((!sums.contains(&wanted)).then_some(wanted));
        }
        for release in releases
            .captures_iter(&text)
            .flat_map(|found| found[1].split(' ').map(str::to_owned).collect::<Vec<_>>())
        {
            seen += 1;
            missing.extend(flinks(&release).into_iter().filter(|wanted| !pins.contains(wanted)));
        }
    }
    assert!(seen > 25, "{seen} were found");
    assert!(missing.is_empty(), "tests/cluster/pins has no hash of {missing:#?}");
}

/// The packages of a Flink release: up to 1.12 one of them holds all of it.
fn flinks(release: &str) -> Vec<String> {
    let whole = format!("apache-flink=={release}");
    if ["1.10.", "1.11.", "1.12."].iter().any(|old| release.starts_with(old)) {
        return vec![whole];
    }
    vec![whole, format!("apache-flink-libraries=={release}")]
}

#[test]
fn every_go_module_has_its_sums() {
    let modules: Vec<String> = scripts().into_iter().filter(|name| name.ends_with("go.mod")).collect();
    assert!(modules.len() > 4, "{modules:?}");
    for module in modules {
        let needs_others = read(&module).contains("require");
        let sums = root().join(module.replace("go.mod", "go.sum"));
        assert_eq!(sums.exists(), needs_others, "{module}");
    }
}

/// One job of a workflow.
struct Job {
    name: String,
    value: Value,
}

impl Job {
    /// All text of its steps: what it runs, and the actions that it uses.
    fn texts(&self, key: &str) -> Vec<&str> {
        let steps = self.value["steps"].as_array().expect("steps");
        steps.iter().filter_map(|step| step[key].as_str()).collect()
    }

    fn may_write(&self) -> bool {
        self.value["permissions"].as_object().is_some_and(|all| all.values().any(|value| value == "write"))
    }

    fn needs(&self, other: &str) -> bool {
        match &self.value["needs"] {
            Value::String(one) => one == other,
            Value::Array(all) => all.iter().any(|one| one == other),
            _ => false,
        }
    }
}

fn jobs(workflow: &str) -> Vec<Job> {
    let text = read(&format!(".github/workflows/{workflow}"));
    let whole: Value = serde_saphyr::from_str(&text).expect("YAML");
    assert_eq!(whole["permissions"], serde_json::json!({"contents": "read"}), "{workflow}: of every job");
    let jobs = whole["jobs"].as_object().expect("jobs");
    jobs.iter().map(|(name, value)| Job { name: name.clone(), value: value.clone() }).collect()
}

#[test]
fn actions_are_githubs_own_and_pinned_by_commit() {
    let action = Regex::new("^actions/[a-z-]+@[0-9a-f]{40}$").expect("a pattern");
    for workflow in ["ci.yml", "release.yml"] {
        for job in jobs(workflow) {
            for uses in job.texts("uses") {
                assert!(action.is_match(uses), "{workflow}: {}: {uses}", job.name);
            }
        }
    }
}

/// Programs of others could put their own into what is published, or sign it.
#[test]
fn a_job_that_may_write_runs_no_program_of_others() {
    let of_others =
        Regex::new(r"\b(make|cargo|pip|go|npm|apt-get)\b|dist/(build|materials)").expect("a pattern");
    let mut writers = Vec::new();
    for job in jobs("release.yml").into_iter().filter(Job::may_write) {
        for run in job.texts("run") {
            assert!(!of_others.is_match(run), "{}: {run}", job.name);
        }
        writers.push(job.name);
    }
    writers.sort();
    assert_eq!(writers, ["attest", "index", "publish"]);
}

#[test]
fn what_is_published_is_what_was_hashed_where_it_was_built() {
    let jobs = jobs("release.yml");
    let job = |name: &str| jobs.iter().find(|job| job.name == name).expect("a job");
    for (name, program) in [("build", "dist/build"), ("materials", "dist/materials")] {
        let texts = job(name).texts("run");
        let place = |word: &str| texts.iter().position(|run| run.contains(word)).expect("a step");
        assert!(place(program) < place("dist/sums target/dist 'kubectl-flink_*'"), "{name}");
        assert_eq!(place("dist/sums"), texts.len() - 1, "{name}: nothing runs after the hashes were taken");
        assert!(job(name).value["outputs"].is_object(), "{name} hands the hashes on");
    }
    let takes =
        |job: &&Job| job.texts("uses").iter().any(|uses| uses.starts_with("actions/download-artifact@"));
    let mut compared = 0;
    for job in jobs.iter().filter(takes) {
        let steps = job.value["steps"].as_array().expect("steps");
        let is_check = |step: &Value| {
            step["run"].as_str().is_some_and(|run| run.contains("dist/sums target/dist --check"))
        };
        let first =
            steps.iter().position(|step| step["run"].is_string()).expect("a step that runs something");
        assert!(is_check(&steps[first]), "{}: artifacts are compared before anything else runs", job.name);
        let sums = steps[first]["env"]["SUMS"].as_str().expect("sums");
        assert!(sums.contains("needs.build.outputs.linux") && sums.contains("needs.build.outputs.darwin"));
        compared += 1;
    }
    assert_eq!(compared, 3, "run, krew and publish");
    let publish = job("publish");
    for needed in ["check", "build", "materials", "attest", "run", "krew"] {
        assert!(publish.needs(needed), "publish needs {needed}");
    }
    assert!(publish.texts("run").iter().any(|run| run.contains("gh release create")));
    // Artifacts of jobs that ran programs of others are not taken: they upload none.
    for name in ["run", "krew"] {
        assert!(!job(name).texts("uses").iter().any(|uses| uses.contains("upload-artifact")), "{name}");
    }
}
