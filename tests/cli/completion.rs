//! What is offered at the end of a line, and what is set up for it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::process::{Ended, flink, flink_as_printed, flink_at};
use crate::server::{Server, failure, table_of_pods};

/// What kubectl is answered, the words being those behind `kubectl flink`, the last under the cursor.
fn completed_at(home: &Path, words: &[&str]) -> String {
    let ended = run(home, &home.join("kubectl_complete-flink"), words, &[]);
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{words:?}");
    ended.stdout
}

/// Runs this program by the name of `link`, which is made.
fn run(home: &Path, link: &Path, words: &[&str], environment: &[(&str, &str)]) -> Ended {
    if fs::symlink_metadata(link).is_err() {
        symlink(env!("CARGO_BIN_EXE_kubectl-flink"), link).expect("link");
    }
    let mut command = Command::new(link);
    command.args(words).env_clear().env("HOME", home).env("COLUMNS", "100").stdin(Stdio::null());
    let output = command.envs(environment.iter().copied()).output().expect("program");
    Ended {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).expect("UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

fn deployment(name: &str) -> Value {
    let metadata = json!({"name": name, "namespace": "team-a", "uid": name, "creationTimestamp": "2020-01-01T00:00:00Z",
        "labels": {"app": name, "type": "flink-native-kubernetes", "app.kubernetes.io/version": "2.3.0"}});
    json!({"metadata": metadata, "status": {"readyReplicas": 1}, "spec": {"replicas": 1, "template": {"spec":
        {"containers": [{"image": "flink:2.3.0", "args": ["kubernetes-session"]}]}}}})
}

/// Two sessions of a namespace, and the namespaces.
fn with_sessions() -> Server {
    Server::answering(|line| match line {
        "GET /apis/apps/v1/namespaces/team-a/deployments" => {
            Some((200, json!({"items": [deployment("roc"), deployment("rio")]})))
        }
        "GET /api/v1/namespaces/team-a/pods" => Some(table_of_pods(&[
            ["roc-6d6c65cf99-c42zb", "1/1", "Running"],
            ["rio-6d6c65cf99-abcde", "0/1", "CrashLoopBackOff"],
        ])),
        "GET /api/v1/namespaces/team-a/services" => {
            let services =
                ["roc", "roc-rest", "rio", "rio-rest"].map(|name| json!({"cells": [name, "ClusterIP"]}));
            Some((200, json!({"columnDefinitions": [{"name": "Name"}, {"name": "Type"}], "rows": services})))
        }
        "GET /api/v1/namespaces" => Some((
            200,
            json!({"items": [{"metadata": {"name": "team-a"}}, {"metadata": {"name": "team-b"}}]}),
        )),
        _ => None,
    })
}

#[test]
fn sessions_are_offered_with_how_they_are() {
    let server = with_sessions();
    let completed = |words: &[&str]| completed_at(server.home.path(), words);
    assert_eq!(
        completed(&["status", ""]),
        "rio\tCrashLoopBackOff, Flink 2.3.0\nroc\tRunning, Flink 2.3.0\n:4\n"
    );
    assert_eq!(completed(&["describe", "ro"]), "roc\tRunning, Flink 2.3.0\n:4\n");
    assert_eq!(completed(&["delete", "roc", ""]), "rio\tCrashLoopBackOff, Flink 2.3.0\n:4\n");
    assert_eq!(completed(&["ui", "roc", ""]), ":4\n");
    assert_eq!(completed(&["create", ""]), ":4\n", "its name is new");
    assert!(server.writes().is_empty());
}

#[test]
fn connection_flags_of_the_line_are_honoured() {
    let server = with_sessions();
    let completed = |words: &[&str]| completed_at(server.home.path(), words);
    assert_eq!(completed(&["-n", "team-b", "ls", ""]), ":4\n");
    assert!(server.asked().contains(&"GET /apis/apps/v1/namespaces/team-b/deployments".to_owned()));
    assert_eq!(completed(&["ls", "-n", ""]), "team-a\nteam-b\n:4\n");
    assert_eq!(completed(&["ls", "--namespace=team-b"]), "team-b\n:4\n");
    assert_eq!(completed(&["ls", "--context=gone", ""]), ":4\n");
    // Another kubeconfig, where there is nobody.
    assert_eq!(completed(&["ls", "--kubeconfig", "/no/such/file", ""]), ":4\n");
    assert_eq!(completed(&["ls", "--request-timeout", "soon", ""]), ":4\n");
}

#[test]
fn jobs_of_the_session_are_offered_by_id() {
    let job = |id: &str, name: &str, state: &str| {
        json!({"jid": format!("{id:0<32}"), "name": name, "state": state, "start-time": 1, "end-time": -1, "duration": 1,
            "tasks": {"total": 1, "running": 1}})
    };
    let jobs = json!({"jobs": [job("aa11", "orders\u{1b}[2J", "RUNNING"), job("ab22", "clicks", "FAILED"),
        job("ac33", "views", "RESTARTING")]});
    let server = Server::answering(move |line| match line {
        "GET /overview" => Some((
            200,
            json!({"taskmanagers": 1, "slots-total": 1, "slots-available": 0,
            "jobs-running": 1, "jobs-finished": 0, "jobs-cancelled": 0, "jobs-failed": 0, "flink-version": "2.3.0",
            "flink-commit": "x"}),
        )),
        "GET /jobs/overview" => Some((200, jobs.clone())),
        _ => None,
    });
    let kubeconfig = fs::read_to_string(server.home.path().join(".kube/config")).expect("kubeconfig");
    let kubeconfig: Value = serde_json::from_str(&kubeconfig).expect("JSON");
    let url = kubeconfig["clusters"][0]["cluster"]["server"].as_str().expect("server");
    let completed = |words: &[&str]| {
        let words: Vec<&str> = words.iter().map(|word| if *word == "URL" { url } else { *word }).collect();
        // Without the zeros at the end of each id.
        completed_at(server.home.path(), &words).replace(&"0".repeat(28), "")
    };
    assert_eq!(
        completed(&["jobs", "roc", "--address", "URL", ""]),
        "aa11\torders^[[2J, RUNNING\nac33\tviews, RESTARTING\nab22\tclicks, FAILED\n:4\n"
    );
    let alive = "aa11\torders^[[2J, RUNNING\nac33\tviews, RESTARTING\n:4\n";
    for verb in ["cancel", "stop", "savepoint"] {
        assert_eq!(completed(&[verb, "--address", "URL", "roc", "a"]), alive, "{verb}");
    }
    assert_eq!(
        completed(&["cancel", "--address", "URL", "roc", "aa11", ""]),
        "ac33\tviews, RESTARTING\n:4\n"
    );
    assert_eq!(completed(&["cancel", "--address", "URL", "roc", "v"]), "views\tac33, RESTARTING\n:4\n");
    assert_eq!(completed(&["cancel", "--address", "URL", "roc", "--all", ""]), ":4\n");
}

#[test]
fn the_kubeconfig_tells_its_names_without_a_cluster() {
    let home = tempfile::tempdir().expect("scratch directory");
    crate::process::write_kubeconfig(home.path(), "http://127.0.0.1:1");
    let completed = |words: &[&str]| completed_at(home.path(), words);
    assert_eq!(completed(&["--context", ""]), "test\tcluster test, namespace team-a\n:4\n");
    assert_eq!(completed(&["ls", "--cluster=t"]), "test\n:4\n");
    assert_eq!(completed(&["ls", "--user", "m"]), "me\n:4\n");
    assert_eq!(completed(&["ls", "--user", "x"]), ":4\n");
}

#[test]
fn profiles_come_from_the_config_file() {
    let home = tempfile::tempdir().expect("scratch directory");
    let directory = home.path().join(".config/kubectl-flink");
    fs::create_dir_all(&directory).expect("directory");
    fs::write(directory.join("config.yaml"), "profiles: {big: {slots: 4}, small: {slots: 1}}").expect("file");
    assert_eq!(completed_at(home.path(), &["create", "roc", "--profile", "b"]), "big\n:4\n");
}

#[test]
fn without_a_kubeconfig_there_are_commands_and_no_names() {
    let home = tempfile::tempdir().expect("scratch directory");
    let completed = |words: &[&str]| completed_at(home.path(), words);
    assert_eq!(
        completed(&["res"]),
        "restart\tRestart a session's JobManager, or its TaskManagers one by one, unless jobs run there\n:4\n"
    );
    for words in [&["status", ""][..], &["-n", ""], &["--context", ""], &["cancel", "roc", ""]] {
        assert_eq!(completed(words), ":4\n", "{words:?}");
    }
    fs::create_dir(home.path().join(".kube")).expect("directory");
    fs::write(home.path().join(".kube/config"), "clusters: [").expect("kubeconfig");
    assert_eq!(completed(&["status", ""]), ":4\n");
    assert_eq!(completed(&["create", "-f", ""]), ":0\n");
    assert_eq!(completed(&["submit", "roc", ""]), ":0\n");
    assert_eq!(completed(&["ls", "--cache-dir", ""]), ":16\n");
    assert!(completed(&[]).starts_with("create\t"));
}

#[test]
fn what_is_forbidden_is_not_offered() {
    let server = Server::answering(|_| Some(failure(403, "Forbidden", "no")));
    for words in [&["status", ""][..], &["ls", "-n", ""], &["cancel", "roc", ""]] {
        assert_eq!(completed_at(server.home.path(), words), ":4\n", "{words:?}");
    }
    assert!(!server.asked().is_empty());
}

#[test]
fn a_server_that_never_answers_is_not_waited_for() {
    let server = Server::answering(|_| {
        std::thread::park_timeout(Duration::from_secs(30));
        None
    });
    let start = Instant::now();
    assert_eq!(completed_at(server.home.path(), &["status", ""]), ":4\n");
    let took = start.elapsed();
    assert!(took > Duration::from_millis(800) && took < Duration::from_secs(5), "{took:?}");
}

/// Neither is a program that fetches credentials, which holds the thread that starts it, and which would
/// write between the lines of the user.
#[test]
fn a_credential_helper_is_neither_heard_nor_waited_for() {
    let home = tempfile::tempdir().expect("scratch directory");
    let exec = json!({"apiVersion": "client.authentication.k8s.io/v1", "command": "sh",
        "args": ["-c", "echo who are you? >&2; read name; echo done >&2; exec sleep 20"], "interactiveMode": "IfAvailable"});
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "test",
        "clusters": [{"name": "test", "cluster": {"server": "http://127.0.0.1:1"}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "me"}}],
        "users": [{"name": "me", "user": {"exec": exec}}],
    });
    fs::create_dir(home.path().join(".kube")).expect("directory");
    fs::write(home.path().join(".kube/config"), config.to_string()).expect("kubeconfig");
    let start = Instant::now();
    let link = home.path().join("kubectl_complete-flink");
    let ended = run(home.path(), &link, &["status", ""], &[("PATH", "/usr/bin:/bin")]);
    assert_eq!((ended.code, ended.stdout.as_str(), ended.stderr.as_str()), (0, ":4\n", ""));
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

#[test]
fn scripts_go_to_stdout_and_call_this_program() {
    for shell in ["bash", "fish", "powershell", "zsh"] {
        let ended = flink(&["completion", shell]);
        assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{shell}");
        let call = format!("'{}' __complete", env!("CARGO_BIN_EXE_kubectl-flink"));
        assert!(ended.stdout.contains(&call), "{}", ended.stdout);
    }
    insta::assert_snapshot!(flink(&["completion"]), @r"
    exit 1
    --- stdout
    --- stderr
    error: name a shell: bash, fish, powershell or zsh
    hint: kubectl flink completion install sets up kubectl flink <TAB>
    ");
    let home = tempfile::tempdir().expect("scratch directory");
    let asked = flink_at(home.path(), &["__complete", "sta"]);
    assert_eq!(asked.stdout, completed_at(home.path(), &["sta"]), "as kubectl's");
}

/// Directories of a user, two of which are on PATH.
struct Place {
    home: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let home = tempfile::tempdir().expect("scratch directory");
        for directory in ["first", "second"] {
            fs::create_dir(home.path().join(directory)).expect("directory");
        }
        Self { home }
    }

    fn at(&self, path: &str) -> PathBuf {
        self.home.path().join(path)
    }

    /// Runs `completion install WORDS`, by the name `program`.
    fn install(&self, program: &str, words: &[&str], environment: &[(&str, &str)]) -> String {
        let path = std::env::join_paths([self.at("first"), self.at("second")]).expect("PATH");
        let path = path.to_string_lossy();
        let environment = [&[("PATH", &*path)], environment].concat();
        let ended = run(
            self.home.path(),
            &self.at(program),
            &[&["completion", "install"], words].concat(),
            &environment,
        );
        ended.to_string().replace(&*self.home.path().to_string_lossy(), "HOME")
    }

    fn link(&self, path: &str) -> String {
        let target = fs::read_link(self.at(path)).expect(path);
        target.to_string_lossy().replace(&*self.home.path().to_string_lossy(), "HOME")
    }
}

#[test]
fn install_links_beside_the_plugin_once() {
    let place = Place::new();
    let bash = [("SHELL", "/bin/bash")];
    insta::assert_snapshot!(place.install("second/kubectl-flink", &["--dry-run"], &bash), @r"
    exit 0
    --- stdout
    made HOME/second/kubectl_complete-flink, a link to HOME/second/kubectl-flink (dry run)
    --- stderr
    hint: kubectl flink <TAB> needs kubectl's own completion in the shell, in bash: source <(kubectl completion bash)
    ");
    assert!(!place.at("second/kubectl_complete-flink").exists());
    insta::assert_snapshot!(place.install("second/kubectl-flink", &[], &[("SHELL", "/usr/bin/fish")]), @r"
    exit 0
    --- stdout
    made HOME/second/kubectl_complete-flink, a link to HOME/second/kubectl-flink
    --- stderr
    hint: kubectl flink <TAB> needs kubectl's own completion in the shell, in fish: kubectl completion fish | source
    ");
    assert_eq!(place.link("second/kubectl_complete-flink"), "HOME/second/kubectl-flink");
    let again = place.install("second/kubectl-flink", &[], &bash);
    assert!(again.contains("left as it is: HOME/second/kubectl_complete-flink"), "{again}");
    // What it made answers.
    let ended = run(place.home.path(), &place.at("second/kubectl_complete-flink"), &["sta"], &[]);
    assert!(ended.stdout.starts_with("status\t"), "{ended}");
}

#[test]
fn install_replaces_its_own_link_and_nothing_else() {
    let place = Place::new();
    symlink("/gone/kubectl-flink", place.at("first/kubectl_complete-flink")).expect("link");
    let told = place.install("second/kubectl-flink", &[], &[]);
    assert!(
        told.contains("renewed HOME/first/kubectl_complete-flink"),
        "kubectl finds that one first: {told}"
    );
    assert_eq!(place.link("first/kubectl_complete-flink"), "HOME/second/kubectl-flink");
    assert!(!place.at("second/kubectl_complete-flink").exists());
    fs::remove_file(place.at("first/kubectl_complete-flink")).expect("link");
    fs::write(place.at("second/kubectl_complete-flink"), "mine").expect("file");
    insta::assert_snapshot!(place.install("second/kubectl-flink", &[], &[]), @r"
    exit 4
    --- stdout
    --- stderr
    error: HOME/second/kubectl_complete-flink is there already, and it is not from this plugin
    hint: if nobody needs it: rm HOME/second/kubectl_complete-flink && kubectl flink completion install
    ");
    assert_eq!(fs::read_to_string(place.at("second/kubectl_complete-flink")).expect("file"), "mine");
}

#[test]
fn a_command_in_a_hint_has_each_path_as_one_word() {
    let place =
        Place { home: tempfile::Builder::new().prefix("my bin").tempdir().expect("scratch directory") };
    fs::create_dir(place.at("second")).expect("directory");
    fs::write(place.at("second/kubectl_complete-flink"), "mine").expect("file");
    let told = place.install("second/kubectl-flink", &[], &[]);
    assert!(told.contains("hint: if nobody needs it: rm 'HOME/second/kubectl_complete-flink' && "), "{told}");
}

#[test]
fn install_under_krew_links_to_krews_own_link() {
    let place = Place::new();
    let stored = "krew/store/flink/v0.1.0/kubectl-flink";
    fs::create_dir_all(place.at("krew/store/flink/v0.1.0")).expect("directory");
    fs::create_dir(place.at("krew/bin")).expect("directory");
    symlink(place.at(stored), place.at("krew/bin/kubectl-flink")).expect("link");
    let krew = place.at("krew").to_string_lossy().into_owned();
    let install = |path: &str| {
        let path = place.at(path).to_string_lossy().into_owned();
        place.install(stored, &[], &[("PATH", &path), ("KREW_ROOT", &krew)])
    };
    for path in ["krew/bin", "krew/store/flink/v0.1.0"] {
        let told = install(path);
        assert!(told.starts_with("exit 0"), "{path}: {told}");
        assert_eq!(place.link("krew/bin/kubectl_complete-flink"), "HOME/krew/bin/kubectl-flink", "{path}");
        assert!(!place.at("krew/store/flink/v0.1.0/kubectl_complete-flink").exists());
        fs::remove_file(place.at("krew/bin/kubectl_complete-flink")).expect("link");
    }
}

#[test]
fn install_says_when_kubectl_does_not_find_the_plugin() {
    let place = Place::new();
    fs::create_dir(place.at("elsewhere")).expect("directory");
    let told = place.install("elsewhere/kubectl-flink", &[], &[]);
    let directory = Path::new(env!("CARGO_BIN_EXE_kubectl-flink")).parent().expect("directory");
    insta::assert_snapshot!(told.replace(&*directory.to_string_lossy(), "DIR"), @r"
    exit 1
    --- stdout
    --- stderr
    error: kubectl does not find this plugin
      because: no directory of PATH has a program kubectl-flink
    hint: export PATH=DIR:$PATH
    ");
}

#[test]
fn install_writes_the_script_to_where_the_shell_looks() {
    let place = Place::new();
    let plugin = "first/kubectl-flink";
    insta::assert_snapshot!(place.install(plugin, &["auto"], &[("SHELL", "/bin/zsh")]), @r"
    exit 0
    --- stdout
    made HOME/first/kubectl_complete-flink, a link to HOME/first/kubectl-flink
    made HOME/.local/share/zsh/site-functions/_kubectl-flink, the completion of kubectl-flink in zsh
    --- stderr
    hint: kubectl-flink <TAB> needs this line in ~/.zshrc, in front of compinit: fpath=(HOME/.local/share/zsh/site-functions $fpath)
    hint: kubectl flink <TAB> needs kubectl's own completion in the shell, in zsh: source <(kubectl completion zsh)
    ");
    let data = place.at("data").to_string_lossy().into_owned();
    let told = place.install(plugin, &["bash"], &[("XDG_DATA_HOME", &data)]);
    assert!(told.contains("HOME/data/bash-completion/completions/kubectl-flink, "), "{told}");
    let told = place.install(plugin, &["fish"], &[]);
    assert!(told.contains("HOME/.config/fish/completions/kubectl-flink.fish, "), "{told}");
    let script =
        fs::read_to_string(place.at("data/bash-completion/completions/kubectl-flink")).expect("script");
    assert!(script.contains(&format!("'{}' __complete", place.at(plugin).display())), "{script}");
    let told = place.install(plugin, &["powershell"], &[]);
    assert!(told.contains("needs this line in $PROFILE: kubectl-flink completion powershell |"), "{told}");
    let fish = place.at(".config/fish/completions/kubectl-flink.fish");
    fs::write(&fish, "mine").expect("file");
    let told = place.install(plugin, &["fish"], &[]);
    assert!(told.starts_with("exit 4") && told.contains("is there already"), "{told}");
    assert_eq!(fs::read_to_string(&fish).expect("file"), "mine");
    let told = place.install(plugin, &["auto"], &[("SHELL", "/bin/tcsh")]);
    assert!(told.contains("$SHELL is tcsh") && told.contains("install bash|fish|powershell|zsh"), "{told}");
}

/// Runs what `install` printed in the shell that it ran in.
fn typed_again(place: &Place, typed: &str, before: &str) -> Ended {
    let path =
        std::env::join_paths([place.at("first"), place.at("second"), "/usr/bin".into(), "/bin".into()]);
    let path = path.expect("PATH").to_string_lossy().into_owned();
    flink_as_printed(place.home.path(), &format!("export PATH='{path}'\n{before}\n{typed}"))
}

#[test]
fn what_install_proposes_is_run_as_it_is_printed() {
    let place = Place::new();
    let at_home = |told: &str, start: &str| {
        let typed = told.lines().find_map(|line| Some(&line[line.find(start)?..])).expect(start);
        typed.replace("HOME", &place.home.path().to_string_lossy())
    };
    // A file that is in the way.
    fs::write(place.at("second/kubectl_complete-flink"), "mine").expect("file");
    let told = place.install("second/kubectl-flink", &[], &[]);
    let made = typed_again(&place, &at_home(&told, "rm "), "");
    assert_eq!(made.code, 0, "{made}");
    assert_eq!(place.link("second/kubectl_complete-flink"), "HOME/second/kubectl-flink");
    // A directory that is not on PATH. The program that was run is in the directory that is printed.
    let place = Place::new();
    fs::create_dir(place.at("elsewhere")).expect("directory");
    let told = place.install("elsewhere/kubectl-flink", &[], &[]);
    assert!(told.contains("kubectl does not find this plugin"), "{told}");
    let typed = told.lines().find_map(|line| line.strip_prefix("hint: ")).expect("a hint");
    let found = typed_again(&place, &format!("{typed}\nkubectl flink completion install --dry-run"), "");
    assert!(found.code == 0 && found.stdout.contains(", a link to "), "{found}");
}
