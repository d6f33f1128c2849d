//! An API server of a test's own, which may be killed: tests/control-plane. No controllers run there, so
//! nothing changes by itself.

use std::io::Write;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

/// Beside what cargo builds: no root is needed, and two checkouts never meet.
const DIRECTORY: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/control-planes");

pub struct ControlPlane {
    name: String,
    kubeconfig: PathBuf,
}

impl ControlPlane {
    pub fn up(test: &str) -> Self {
        std::fs::create_dir_all(DIRECTORY).expect("directory");
        // What is not empty is not removed by the `down` of one test, while another starts.
        std::fs::write(format!("{DIRECTORY}/.keep"), "").expect("file");
        let mut plane =
            Self { name: format!("e2e-{test}-{}", std::process::id()), kubeconfig: PathBuf::new() };
        // Whatever becomes of the start, `plane` takes it down again.
        plane.kubeconfig = PathBuf::from(plane.control("up", &[]).trim());
        plane
    }

    fn control(&self, command: &str, more: &[&str]) -> String {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/control-plane/control-plane");
        let output = Command::new(script)
            .args([command, &self.name])
            .args(more)
            .env("CONTROL_PLANES", DIRECTORY)
            .stderr(Stdio::inherit())
            .output()
            .expect("control-plane");
        assert!(output.status.success(), "control-plane {command} {}", self.name);
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// Kills the API server, as a crash does, and starts it again. What was written stays.
    pub fn restart(&self) {
        self.control("stop-apiserver", &[]);
        self.control("start-apiserver", &[]);
    }

    /// The plugin.
    pub fn flink(&self, words: &[&str]) -> Command {
        flink(&self.kubeconfig, words)
    }

    /// The plugin as somebody who may read, by roles that an API server reads when it starts. An
    /// administrator needs none.
    pub fn flink_as_reader(&self, words: &[&str]) -> Command {
        let kubeconfig = self.control("kubeconfig", &["reader"]);
        let resources = "--resource=pods,services,configmaps,events,deployments.apps,jobs.batch";
        self.kubectl(&["create", "clusterrole", "reader", "--verb=get,list,watch", resources], "");
        let (role, user) = ("--clusterrole=reader", "--user=reader");
        self.kubectl(&["create", "clusterrolebinding", "reader", role, user], "");
        flink(Path::new(kubeconfig.trim()), words)
    }

    pub fn kubectl(&self, words: &[&str], input: &str) -> String {
        let mut child = Command::new("kubectl")
            .arg("--kubeconfig")
            .arg(&self.kubeconfig)
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("kubectl");
        child.stdin.take().expect("stdin").write_all(input.as_bytes()).expect("input");
        let output = child.wait_with_output().expect("kubectl");
        assert!(output.status.success(), "kubectl {}", words.join(" "));
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// What Flink's client makes of a session: its Deployment first, then its Services.
    pub fn create_session(&self, name: &str) {
        self.kubectl(&CREATE, &SESSION.replace("NAME", name));
    }

    /// The Deployment goes last, so that nothing of the session is left when it is told to be gone.
    pub fn delete_session(&self, name: &str) {
        let rest = format!("service/{name}-rest");
        let deployment = format!("deployment/{name}");
        self.kubectl(&["delete", "--wait=false", &format!("service/{name}"), &rest, &deployment], "");
    }

    /// Says how many JobManagers of a session are ready, as its controller would.
    pub fn set_ready(&self, name: &str, ready: usize) {
        let status = format!("{{\"status\":{{\"replicas\":1,\"readyReplicas\":{ready}}}}}");
        self.kubectl(&["patch", "deployment", name, "--subresource=status", "-p", &status], "");
    }

    /// A TaskManager, which runs as its kubelet would say.
    pub fn create_taskmanager(&self, session: &str) {
        self.kubectl(&CREATE, &TASKMANAGER.replace("NAME", session));
        let pod = format!("{session}-taskmanager-1-1");
        let status = "{\"status\":{\"phase\":\"Running\"}}";
        self.kubectl(&["patch", "pod", &pod, "--subresource=status", "-p", status], "");
    }

    /// A way to the API server that can be cut.
    pub fn relay(&self) -> Relay {
        let server = "jsonpath={.clusters[0].cluster.server}";
        let server = self.kubectl(&["config", "view", "-o", server], "");
        Relay::to(server.trim_start_matches("https://").parse().expect("address"))
    }
}

fn flink(kubeconfig: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kubectl-flink"));
    command.args(words).arg("--kubeconfig").arg(kubeconfig).stdin(Stdio::null());
    command
}

impl Drop for ControlPlane {
    fn drop(&mut self) {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/control-plane/control-plane");
        let _ = Command::new(script).args(["down", &self.name]).env("CONTROL_PLANES", DIRECTORY).status();
    }
}

/// Without the schema, which takes longer to fetch than the rest.
const CREATE: [&str; 4] = ["create", "--validate=false", "-f", "-"];

const SESSION: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: NAME, labels: {app: NAME, type: flink-native-kubernetes, component: jobmanager}}
spec:
  selector: {matchLabels: {app: NAME, component: jobmanager}}
  template:
    metadata: {labels: {app: NAME, type: flink-native-kubernetes, component: jobmanager}}
    spec:
      containers:
      - {name: flink-main-container, image: "flink:1.20.5", args: [kubernetes-jobmanager.sh kubernetes-session]}
---
apiVersion: v1
kind: Service
metadata: {name: NAME, labels: {app: NAME, type: flink-native-kubernetes}}
spec: {clusterIP: None, ports: [{port: 6123}]}
---
apiVersion: v1
kind: Service
metadata: {name: NAME-rest, labels: {app: NAME, type: flink-native-kubernetes}}
spec: {ports: [{port: 8081}]}
"#;

const TASKMANAGER: &str = r#"
apiVersion: v1
kind: Pod
metadata:
  name: NAME-taskmanager-1-1
  labels: {app: NAME, type: flink-native-kubernetes, component: taskmanager}
spec: {containers: [{name: flink-main-container, image: "flink:1.20.5"}]}
"#;

/// Passes connections on as they are, until they are cut.
pub struct Relay {
    pub address: SocketAddr,
    open: Arc<Mutex<Vec<TcpStream>>>,
}

impl Relay {
    fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("port");
        let relay = Self { address: listener.local_addr().expect("address"), open: Arc::default() };
        let open = Arc::clone(&relay.open);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(upstream) = TcpStream::connect(server) else { continue };
                for (from, to) in [(&client, &upstream), (&upstream, &client)] {
                    let (from, to) = (from.try_clone().expect("stream"), to.try_clone().expect("stream"));
                    std::thread::spawn(move || pass(from, to));
                }
                open.lock().expect("lock").extend([client, upstream]);
            }
        });
        relay
    }

    /// Cuts every connection, in the middle of whatever goes through it. New ones are taken.
    pub fn cut(&self) {
        for stream in self.open.lock().expect("lock").drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream) {
    let _ = std::io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Both);
}
