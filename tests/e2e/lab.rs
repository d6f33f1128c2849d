//! A namespace of its own for a test, the plugin, and kubectl as the independent witness.

use std::process::{Command, Output};
use std::time::{Duration, Instant};

/// The images under test. `flink:1.10` is the tag that the manual way uses.
pub const FLINK_1_10: (&str, &str) = ("flink:1.10", "1.10.3");
pub const FLINK_1_20: (&str, &str) = ("flink:1.20.5", "1.20.5");
pub const FLINK_2_3: (&str, &str) = ("flink:2.3.0", "2.3.0");

/// The version of Flink in one of the images under test.
pub fn version_of(image: &str) -> &'static str {
    let known = [FLINK_1_10, FLINK_1_20, FLINK_2_3].into_iter().find(|(known, _)| *known == image);
    known.expect("an image under test").1
}

/// A fifth less CPU for a start: what lives for seconds is not worth the better compiler.
const QUICK_JOBMANAGER: &str = "-Denv.java.opts.jobmanager=-XX:TieredStopAtLevel=1";
const QUICK_TASKMANAGER: &str = "-Denv.java.opts.taskmanager=-XX:TieredStopAtLevel=1";

/// Small enough for several sessions on a small node, large enough to start in seconds.
pub const SMALL: [&str; 4] = ["--jobmanager-cpu", "0.4", QUICK_JOBMANAGER, QUICK_TASKMANAGER];

/// The same, and it starts as fast as the node lets it. Flink 1.10 has no such setting.
pub const QUICK: [&str; 6] = [
    "--jobmanager-cpu",
    "0.4",
    "-Dkubernetes.jobmanager.cpu.limit-factor=4",
    "-Dkubernetes.taskmanager.cpu.limit-factor=8",
    QUICK_JOBMANAGER,
    QUICK_TASKMANAGER,
];

/// The quickest of the two that `image` can do.
pub fn small(image: &str) -> &'static [&'static str] {
    if image == FLINK_1_10.0 { &SMALL } else { &QUICK }
}

/// Several sessions fit on a small node, beside those of other tests: they ask for little, and take more.
pub const TINY: [&str; 11] = [
    "--timeout=10m",
    // On a busy node a JobManager that starts has no answer from itself within ten seconds, and ends.
    "-Dpekko.ask.timeout=1min",
    "--jobmanager-cpu=0.15",
    "--jobmanager-memory=1g",
    "--taskmanager-cpu=0.05",
    "--taskmanager-memory=1g",
    "--slots=2",
    "-Dkubernetes.jobmanager.cpu.limit-factor=10",
    "-Dkubernetes.taskmanager.cpu.limit-factor=20",
    QUICK_JOBMANAGER,
    QUICK_TASKMANAGER,
];

/// Flink 1.10 takes no more than it asks for.
pub const TINY_1_10: [&str; 8] = [
    "--timeout=10m",
    "--jobmanager-cpu=0.4",
    "--jobmanager-memory=1g",
    "--taskmanager-cpu=0.2",
    "--taskmanager-memory=1g",
    "--slots=2",
    QUICK_JOBMANAGER,
    QUICK_TASKMANAGER,
];

/// For what starts while other sessions do.
pub const PATIENCE: Duration = Duration::from_secs(300);

pub struct Lab {
    pub namespace: String,
    context: String,
}

/// How a program ended.
pub struct Ended {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Lab {
    /// Makes a fresh namespace that has nothing but its default ServiceAccount.
    pub fn new(test: &str) -> Self {
        let lab = Self::not_yet(test);
        lab.kubectl_ok(&["create", "namespace", &lab.namespace]);
        lab.until("the default ServiceAccount", || {
            lab.kubectl(&["get", "serviceaccount", "default"]).code == 0
        });
        lab
    }

    /// A namespace that does not exist yet.
    pub fn not_yet(test: &str) -> Self {
        let context = std::env::var("KUBECTL_FLINK_TEST_CONTEXT").expect(
            "name the context of a cluster for tests in KUBECTL_FLINK_TEST_CONTEXT, or run `make e2e`",
        );
        Self { namespace: format!("e2e-{test}-{}", std::process::id()), context }
    }

    /// Runs the plugin as kubectl would, in the namespace of the test.
    pub fn flink(&self, words: &[&str]) -> Ended {
        run(self.command(words))
    }

    /// The same, for a test that looks on while it runs.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kubectl-flink"));
        // What follows `--` is for a program.
        command.args(["--context", &self.context, "-n", &self.namespace]).args(words);
        command
    }

    /// Runs a command that the plugin has printed, as it stands, in a shell: `kubectl flink ...`.
    pub fn flink_as_printed(&self, printed: &str) -> Ended {
        assert!(printed.trim().starts_with("kubectl flink "), "no command of the plugin: {printed}");
        run(pasted(printed))
    }

    /// The same of a command of kubectl's: `kubectl ...`.
    pub fn kubectl_as_printed(&self, printed: &str) -> Ended {
        assert!(printed.contains("kubectl "), "no command of kubectl: {printed}");
        run(pasted(printed))
    }

    /// The same, for a test that looks on while it runs.
    pub fn start_flink_as_printed(&self, printed: &str) -> crate::running::Running {
        crate::running::Running::start(pasted(printed))
    }

    /// Runs the plugin and expects it to succeed.
    pub fn flink_ok(&self, words: &[&str]) -> String {
        self.flink(words).succeeded(&format!("kubectl flink {}", words.join(" ")))
    }

    /// Runs the plugin with the credentials of `user`, a kubeconfig file.
    pub fn flink_as(&self, user: &tempfile::TempPath, words: &[&str]) -> Ended {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kubectl-flink"));
        command.args(["-n", &self.namespace]).arg("--kubeconfig").arg(user).args(words);
        run(command)
    }

    /// Somebody with these rights in the namespace, as pairs of verbs and resources.
    pub fn user(&self, name: &str, rights: &[(&str, &str)]) -> tempfile::TempPath {
        self.kubectl_ok(&["create", "serviceaccount", name]);
        for (index, (verbs, resources)) in rights.iter().enumerate() {
            let role = format!("{name}-{index}");
            let (verbs, resources) = (format!("--verb={verbs}"), format!("--resource={resources}"));
            self.kubectl_ok(&["create", "role", &role, &verbs, &resources]);
            let (of, to) = (format!("--role={role}"), format!("--serviceaccount={}:{name}", self.namespace));
            self.kubectl_ok(&["create", "rolebinding", &role, &of, &to]);
        }
        let token = self.kubectl_ok(&["create", "token", name]);
        let file = tempfile::NamedTempFile::new().expect("kubeconfig").into_temp_path();
        let config = self.kubectl_ok(&["config", "view", "--raw", "--minify", "--flatten"]);
        std::fs::write(&file, config).expect("kubeconfig");
        let path = file.to_string_lossy().into_owned();
        let user = self.kubectl_ok(&["config", "view", "--minify", "-o", "jsonpath={.users[0].name}"]);
        self.kubectl_ok(&["config", "--kubeconfig", &path, "delete-user", &user]);
        self.kubectl_ok(&[
            "config",
            "--kubeconfig",
            &path,
            "set-credentials",
            &user,
            "--token",
            token.trim(),
        ]);
        file
    }

    pub fn context(&self) -> &str {
        &self.context
    }

    pub fn kubectl(&self, words: &[&str]) -> Ended {
        let mut command = Command::new("kubectl");
        command.args(["--context", &self.context, "-n", &self.namespace]).args(words);
        run(command)
    }

    pub fn kubectl_ok(&self, words: &[&str]) -> String {
        self.kubectl(words).succeeded(&format!("kubectl {}", words.join(" ")))
    }

    /// Applies `manifest`, with NAMESPACE replaced by the test's.
    pub fn apply(&self, manifest: &str) {
        self.kubectl_with_input(&["apply", "-f", "-"], &manifest.replace("NAMESPACE", &self.namespace));
    }

    pub fn kubectl_with_input(&self, words: &[&str], input: &str) {
        self.kubectl_with_bytes(words, input.as_bytes());
    }

    pub fn kubectl_with_bytes(&self, words: &[&str], input: &[u8]) {
        use std::io::Write;
        let mut child = Command::new("kubectl")
            .args(["--context", &self.context, "-n", &self.namespace])
            .args(words)
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::null())
            .spawn()
            .expect("kubectl");
        child.stdin.take().expect("stdin").write_all(input).expect("input");
        assert!(child.wait().expect("kubectl").success(), "kubectl {}", words.join(" "));
    }

    /// Everything that has the label `app=NAME`, and the bootstrap Job, whatever its labels.
    pub fn left_of(&self, name: &str) -> String {
        let kinds = "deployment,replicaset,pod,service,configmap,job";
        let labelled = self.kubectl_ok(&["get", kinds, "-l", &format!("app={name}"), "-o", "name"]);
        let job =
            self.kubectl_ok(&["get", "job", &format!("boot-{name}"), "--ignore-not-found", "-o", "name"]);
        labelled + &job
    }

    /// What must not change when a session is left alone: uids, and generations where they count.
    pub fn fingerprint(&self) -> String {
        let fields =
            "{range .items[*]}{.kind}/{.metadata.name} {.metadata.uid} {.metadata.generation}{\"\\n\"}{end}";
        let kinds = "deployment,service,configmap,job,serviceaccount,role,rolebinding,pod";
        self.kubectl_ok(&["get", kinds, "-o", &format!("jsonpath={fields}")])
    }

    pub fn uid(&self, object: &str) -> String {
        self.kubectl_ok(&["get", object, "-o", "jsonpath={.metadata.uid}"])
    }

    /// `GET /overview`, asked by kubectl.
    pub fn rest_overview(&self, name: &str) -> Ended {
        self.rest(name, "/overview")
    }

    /// `GET PATH` of REST through the API server's proxy of the Service, asked by kubectl.
    pub fn rest(&self, name: &str, path: &str) -> Ended {
        self.kubectl(&["get", "--raw", &self.rest_path("", name, path)])
    }

    /// The same, as what it tells.
    pub fn rest_json(&self, name: &str, path: &str) -> serde_json::Value {
        let told = self.rest(name, path).succeeded(&format!("GET {path} of {name}"));
        serde_json::from_str(&told).expect(path)
    }

    /// Where the API server has `path` of REST; `scheme` is `https:` where REST speaks TLS. Flink 1.10
    /// has REST on the Service without the suffix, unless it is exposed, and another port name.
    pub fn rest_path(&self, scheme: &str, name: &str, path: &str) -> String {
        let port_of = |service: &str| {
            self.kubectl(&["get", "service", service, "-o", "jsonpath={.spec.ports[?(@.port==8081)].name}"])
                .stdout
        };
        let service = [format!("{name}-rest"), name.to_owned()]
            .into_iter()
            .map(|service| format!("{service}:{}", port_of(&service)))
            .find(|service| !service.ends_with(':'))
            .unwrap_or_default();
        format!("/api/v1/namespaces/{}/services/{scheme}{service}/proxy{path}", self.namespace)
    }

    /// Waits until all tasks of a job run, on a node that other sessions keep busy.
    pub fn until_job_runs(&self, name: &str, job: &str) {
        self.until_within(PATIENCE, "all tasks of the job", || {
            let told = self.rest_json(name, "/jobs/overview");
            let jobs = told["jobs"].as_array().expect("jobs");
            jobs.iter().any(|other| {
                let tasks = &other["tasks"];
                other["jid"] == job && tasks["total"] != 0 && tasks["running"] == tasks["total"]
            })
        });
    }

    /// Polls until `is_so`, and fails after two minutes.
    pub fn until(&self, what: &str, is_so: impl FnMut() -> bool) {
        self.until_within(Duration::from_secs(120), what, is_so);
    }

    /// The same, for what takes longer beside other sessions.
    pub fn until_within(&self, limit: Duration, what: &str, mut is_so: impl FnMut() -> bool) {
        let start = Instant::now();
        while !is_so() {
            assert!(start.elapsed() < limit, "gave up waiting for {what}");
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

/// The namespace goes with the test; of a failed one the state is shown first.
impl Drop for Lab {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for words in [
                vec!["get", "deployment,pod,service,configmap,job", "-o", "wide", "--show-labels"],
                vec!["get", "events", "--sort-by=.lastTimestamp"],
                vec!["logs", "--prefix", "--tail=30", "-l", "type=flink-native-kubernetes"],
                vec!["logs", "--prefix", "--tail=30", "-l", "app.kubernetes.io/component=bootstrap"],
            ] {
                let shown = self.kubectl(&words);
                eprintln!("$ kubectl {}\n{}{}", words.join(" "), shown.stdout, shown.stderr);
            }
        }
        self.kubectl(&["delete", "namespace", &self.namespace, "--wait=false"]);
        // What belongs to no namespace says whose it is by this label.
        let kinds = "clusterrolebinding,priorityclass,validatingadmissionpolicybinding,validatingadmissionpolicy,validatingwebhookconfiguration";
        self.kubectl(&["delete", kinds, "-l", &format!("e2e={}", self.namespace)]);
    }
}

/// A shell into which a person has pasted what was printed; `kubectl flink` is the plugin under test.
fn pasted(printed: &str) -> Command {
    let plugin = "kubectl() { if [ \"$1\" = flink ]; then shift; exec \"$KUBECTL_FLINK\" \"$@\"; fi; command kubectl \"$@\"; }";
    let mut shell = Command::new("sh");
    shell
        .args(["-c", &format!("{plugin}\n{printed}")])
        .env("KUBECTL_FLINK", env!("CARGO_BIN_EXE_kubectl-flink"));
    shell
}

fn run(mut command: Command) -> Ended {
    let Output { status, stdout, stderr } = command.output().expect("program");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    Ended { code: status.code().unwrap_or(-1), stdout: text(stdout), stderr: text(stderr) }
}

impl Ended {
    fn succeeded(self, what: &str) -> String {
        assert_eq!(self.code, 0, "{what}:\n{}{}", self.stdout, self.stderr);
        self.stdout
    }

    /// Expects an exit code, nothing on stdout, and every one of `words` on stderr.
    /// The command in the hint that starts with these words, up to what is said of it.
    pub fn hint(&self, start: &str) -> &str {
        let mut hints =
            self.stderr.lines().filter_map(|line| line.strip_prefix("hint: ")?.strip_prefix(start));
        let hint = hints.next().unwrap_or_else(|| panic!("no hint {start:?}: {}", self.stderr));
        hint.split([';', ',']).next().unwrap_or_default()
    }

    pub fn failed(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, code, "{}{}", self.stdout, self.stderr);
        assert_eq!(self.stdout, "", "a failed command leaves stdout empty");
        for word in words {
            assert!(self.stderr.contains(word), "{word:?} is not in:\n{}", self.stderr);
        }
    }
}
