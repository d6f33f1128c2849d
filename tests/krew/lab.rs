//! What the tests stand on: the archives, manifests of them, and a home of its own for each krew.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

pub const ROOT: &str = env!("CARGO_MANIFEST_DIR");
pub const VERSION: &str = concat!("v", env!("CARGO_PKG_VERSION"));

/// A command as it ended.
pub struct Ended {
    pub is_good: bool,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    /// Of a command that has to work.
    pub fn good(self) -> Self {
        assert!(self.is_good, "it failed\nstdout: {}\nstderr: {}", self.stdout, self.stderr);
        self
    }

    /// Of a command that has to fail, for this reason.
    pub fn refused_because(self, reason: &str) {
        assert!(!self.is_good, "it worked\nstdout: {}\nstderr: {}", self.stdout, self.stderr);
        let said = format!("{}{}", self.stdout, self.stderr);
        assert!(said.contains(reason), "it failed, but not because of {reason:?}: {said}");
    }
}

pub fn run(command: &mut Command) -> Ended {
    let Output { status, stdout, stderr } =
        command.output().unwrap_or_else(|error| panic!("{command:?} to start: {error}"));
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Ended { is_good: status.success(), stdout: text(stdout), stderr: text(stderr) }
}

/// Every archive that was built.
pub fn archives() -> Vec<PathBuf> {
    let dir = std::env::var_os("KUBECTL_FLINK_TEST_ARCHIVES").expect("run it with `make krew`");
    let entries = fs::read_dir(dir).expect("the archives");
    let mut archives: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    // What goes beside them has other names.
    archives.retain(|path| {
        path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"kubectl-flink_v"))
    });
    archives.sort();
    archives
}

/// That for OS_ARCH.
pub fn archive_for(platform: &str) -> Option<PathBuf> {
    let name = format!("kubectl-flink_{VERSION}_{platform}.tar.gz");
    archives().into_iter().find(|archive| archive.file_name() == Some(OsStr::new(&name)))
}

/// That for this machine.
pub fn own_archive() -> PathBuf {
    let machine = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => panic!("there is no archive for {other}"),
    };
    archive_for(&format!("linux_{machine}")).expect("an archive for this machine; PLATFORMS has to name it")
}

/// One of the project's own programs.
pub fn dist(program: &str) -> Command {
    let mut command = Command::new("python3");
    command.arg(Path::new(ROOT).join("dist").join(program)).env_remove("HOMEPAGE").env_remove("DOWNLOADS");
    command
}

/// plugin.yaml as `make dist` leaves it: with the checksums of all archives.
pub fn plugin_yaml(lab: &Lab) -> PathBuf {
    let yaml = fs::read_to_string(Path::new(ROOT).join("plugin.yaml")).expect("plugin.yaml");
    let yaml = lab.write("plugin.yaml", &yaml);
    run(dist("checksums").arg(&yaml).args(archives())).good();
    yaml
}

/// krew's manifest of these archives, which lie at `downloads`; without that their names stand alone.
pub fn manifest(version: &str, downloads: &str, archives: &[PathBuf]) -> String {
    let mut command = dist("render");
    command.arg(Path::new(ROOT).join("krew/flink.yaml.in")).arg(version).args(archives);
    run(command.env("DOWNLOADS", downloads)).good().stdout
}

/// An archive packed as a release's, of the program, LICENSE and NOTICE of a directory, which may be anything.
pub fn pack(content: &Path, archive: &Path) {
    let mut command = dist("pack");
    command.args(["kubectl-flink", "LICENSE", "NOTICE"].map(|name| content.join(name))).arg(archive);
    run(command.env("SOURCE_DATE_EPOCH", "1700000000")).good();
}

/// What is in an archive for Linux, in a directory.
pub fn unpacked(archive: &Path) -> TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    run(Command::new("tar").arg("-xzf").arg(archive).arg("-C").arg(dir.path())).good();
    dir
}

/// A home with nothing in it, and krew in that.
pub struct Lab {
    home: TempDir,
}

impl Lab {
    pub fn new() -> Self {
        let lab = Self { home: tempfile::tempdir().expect("a directory") };
        fs::create_dir(lab.path("tmp")).expect("a directory for what is passing");
        lab
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        fs::write(&path, text).expect("a file");
        path
    }

    /// A command in this home, of which it sees all and of the caller's environment the programs alone.
    pub fn command(&self, program: &str) -> Command {
        let mut path = vec![self.path("krew/bin")];
        path.extend(std::env::split_paths(&std::env::var_os("PATH").expect("PATH")));
        let mut command = Command::new(program);
        command.env_clear();
        command.env("PATH", std::env::join_paths(path).expect("a PATH"));
        command
            .env("HOME", self.home.path())
            .env("KREW_ROOT", self.path("krew"))
            .env("TMPDIR", self.path("tmp"));
        command.env("GIT_CONFIG_NOSYSTEM", "1").current_dir(self.home.path());
        command
    }

    pub fn krew<const N: usize>(&self, args: [&str; N]) -> Ended {
        run(self.command("kubectl").arg("krew").args(args))
    }

    pub fn git<const N: usize>(&self, args: [&str; N]) {
        let author = ["-c", "user.name=test", "-c", "user.email=test@example.com"];
        run(self.command("git").args(author).args(args)).good();
    }

    /// An index that krew can take: a repository with this one manifest, behind a bare one.
    pub fn index(&self, manifest: &str) -> String {
        self.git(["init", "--quiet", "--initial-branch=main", "index"]);
        self.git(["init", "--quiet", "--bare", "--initial-branch=main", "index.git"]);
        self.publish(manifest);
        format!("file://{}", self.path("index.git").display())
    }

    /// The next version comes into the index.
    pub fn publish(&self, manifest: &str) {
        self.write("index/plugins/flink.yaml", manifest);
        self.git(["-C", "index", "add", "plugins"]);
        self.git(["-C", "index", "commit", "--quiet", "-m", "Publish"]);
        self.git(["-C", "index", "push", "--quiet", "../index.git", "main"]);
    }

    /// The versions that krew keeps of the plugin.
    pub fn versions(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.path("krew/store/flink")) else { return Vec::new() };
        entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8")).collect()
    }

    /// kubectl finds the plugin, and it is this version.
    pub fn assert_it_runs(&self) {
        let told = run(self.command("kubectl").args(["flink", "version", "--client"])).good().stdout;
        assert!(told.starts_with(&format!("Client Version: {VERSION}\n")), "{told}");
    }

    pub fn assert_nothing_is_left(&self) {
        assert_eq!(self.versions(), [""; 0]);
        for gone in ["krew/bin/kubectl-flink", "krew/store/flink", "krew/receipts/flink.yaml"] {
            assert!(fs::symlink_metadata(self.path(gone)).is_err(), "{gone} is left");
        }
        let passing: Vec<_> = fs::read_dir(self.path("tmp")).expect("a directory").collect();
        assert!(passing.is_empty(), "temporary files are left: {passing:?}");
    }
}
