//! `kubectl flink <TAB>` and `kubectl-flink <TAB>` in real shells, through a real kubectl, with what
//! `completion install` sets up. `tests/e2e/shells` holds how each shell is asked.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Instant;

use crate::lab::{Lab, TINY};

const SHELLS: [(&str, &[&str]); 3] = [("bash", &["--norc"]), ("fish", &["--no-config"]), ("zsh", &["-f"])];

/// Runs `program` with the plugin first on PATH, and a home of its own for what it writes.
fn ran(home: &Path, program: &str, words: &[&str]) -> String {
    let path = std::env::var("PATH").expect("PATH");
    let path = format!("{}:{path}", home.join("bin").display());
    let kubeconfig = std::env::var_os("KUBECONFIG")
        .or_else(|| Some(Path::new(&std::env::var_os("HOME")?).join(".kube/config").into()));
    let mut command = Command::new(program);
    command.args(words).env("PATH", path).env("HOME", home).envs(kubeconfig.map(|file| ("KUBECONFIG", file)));
    let Output { status, stdout, stderr } = command
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}; tests/e2e/shells/packages installs it"));
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    let (stdout, stderr) = (text(stdout), text(stderr));
    assert!(status.success(), "{program} {words:?}: {stdout}{stderr}");
    stdout
}

/// What the shell offers behind `line`, without descriptions.
fn offered(home: &Path, shell: &str, flags: &[&str], line: &str) -> Vec<String> {
    let ask = format!("{}/tests/e2e/shells/ask.{shell}", env!("CARGO_MANIFEST_DIR"));
    let told = ran(home, shell, &[flags, &[&ask, line]].concat());
    told.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

#[test]
fn shells_complete_commands_flags_and_live_names() {
    let lab = Lab::new("completion");
    lab.flink_ok(&[&["create", "roc"], &TINY[..]].concat());
    let jar = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/job/programs.jar");
    let job = lab.flink_ok(&["submit", "roc", jar, "--quiet", "--", "long"]).trim().to_owned();

    let home = tempfile::tempdir().expect("scratch directory");
    let home = home.path();
    std::fs::create_dir(home.join("bin")).expect("directory");
    symlink(env!("CARGO_BIN_EXE_kubectl-flink"), home.join("bin/kubectl-flink")).expect("link");
    let told = ran(home, "kubectl", &["flink", "completion", "install"]);
    assert!(told.starts_with("made ") && home.join("bin/kubectl_complete-flink").exists(), "{told}");

    let scope = format!("--context {} -n {}", lab.context(), lab.namespace);
    let beginning = &lab.namespace[..lab.namespace.len() - 1];
    for (shell, flags) in SHELLS {
        for name in ["kubectl flink", "kubectl-flink"] {
            let offers = |line: &str| offered(home, shell, flags, &format!("{name} {line}"));
            let start = Instant::now();
            assert_eq!(offers("st"), ["status", "stop"], "{shell}: {name}");
            assert_eq!(offers("restart --task"), ["--taskmanagers"], "{shell}: {name}");
            assert_eq!(offers(&format!("status {scope} r")), ["roc"], "{shell}: {name}");
            assert_eq!(offers(&format!("delete {scope} roc r")), Vec::<String>::new(), "{shell}: {name}");
            assert_eq!(
                offers(&format!("cancel {scope} roc {}", &job[..2])),
                [job.as_str()],
                "{shell}: {name}"
            );
            let namespaces = offers(&format!("ls --context {} -n {beginning}", lab.context()));
            assert!(namespaces.contains(&lab.namespace), "{shell}: {name}: {namespaces:?}");
            // A shell that hangs would be taken for one that offers.
            assert!(start.elapsed().as_secs() < 120, "{shell}: {name}: {:?}", start.elapsed());
        }
    }
}

/// A cluster that is not there keeps nobody waiting, and offers no files in place of names.
#[test]
fn without_a_cluster_there_are_commands() {
    let home = tempfile::tempdir().expect("scratch directory");
    let home = home.path();
    std::fs::create_dir(home.join("bin")).expect("directory");
    symlink(env!("CARGO_BIN_EXE_kubectl-flink"), home.join("bin/kubectl-flink")).expect("link");
    ran(home, "kubectl", &["flink", "completion", "install"]);
    for (shell, flags) in SHELLS {
        let offers = |line: &str| offered(home, shell, flags, line);
        assert_eq!(offers("kubectl flink st"), ["status", "stop"], "{shell}");
        assert_eq!(
            offers("kubectl flink status --kubeconfig /no/such/file "),
            Vec::<String>::new(),
            "{shell}"
        );
    }
}
