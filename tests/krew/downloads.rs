//! What is fetched from a package registry is compared with the hash that the project has of it, before it is used.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::lab::{Ended, ROOT, run};

/// A registry on disk with one package, and the project's hashes of it.
struct Registry(TempDir);

impl Registry {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let wheel = "\
import sys, zipfile
with zipfile.ZipFile(sys.argv[1] + '/toy-1.0-py3-none-any.whl', 'w') as wheel:
    wheel.writestr('toy.py', 'print(1)')
    about = 'toy-1.0.dist-info/'
    wheel.writestr(about + 'METADATA', 'Metadata-Version: 2.1\\nName: toy\\nVersion: 1.0\\n')
    wheel.writestr(about + 'WHEEL', 'Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')
    wheel.writestr(about + 'RECORD', '')
";
        run(Command::new("python3").args(["-c", wheel]).arg(dir.path())).good();
        fs::create_dir(dir.path().join("pins")).expect("a directory");
        Self(dir)
    }

    fn hash(&self) -> String {
        let wheel = self.0.path().join("toy-1.0-py3-none-any.whl");
        run(Command::new("sha256sum").arg(wheel)).good().stdout[..64].to_owned()
    }

    /// Runs a line of the project's own library, with `pins` as the hashes of packages.
    fn bash(&self, name: &str, pins: &str, line: &str) -> Ended {
        fs::write(self.0.path().join("pins").join(name), pins).expect("pins");
        let library = Path::new(ROOT).join("tests/cluster/lib/pinned.sh");
        let script = format!(". '{}'; pins=$PWD/pins; python=python3; {line}", library.display());
        let mut command = Command::new("bash");
        command.args(["-euc", &script]).current_dir(self.0.path());
        command.env("PIP_NO_INDEX", "1").env("PIP_FIND_LINKS", self.0.path());
        run(command.env("CARGO_NET_OFFLINE", "true"))
    }

    fn installs(&self, pins: &str) -> Ended {
        let _ = fs::remove_dir_all(self.0.path().join("out"));
        self.bash("pypi.txt", pins, "pip_pinned install toy==1.0 --no-compile --target out")
    }

    fn is_installed(&self) -> bool {
        self.0.path().join("out/toy.py").exists()
    }
}

#[test]
fn a_package_of_pypi_is_taken_with_its_hash_only() {
    let registry = Registry::new();
    let hash = registry.hash();
    let other = "0".repeat(64);
    registry
        .installs(&format!("toy==1.0 \\\n    --hash=sha256:{other} \\\n    --hash=sha256:{hash}\n"))
        .good();
    assert!(registry.is_installed(), "one of several hashes is enough");

    let wrong = registry.installs(&format!("toy==1.0 \\\n    --hash=sha256:{other}\n"));
    assert!(wrong.stderr.contains("DO NOT MATCH THE HASHES"), "{}", wrong.stderr);
    wrong.refused_because("the hashes that it must have are in");
    assert!(!registry.is_installed());

    // The hash of another version, and that of a package whose name begins the same.
    for missing in ["1.0.1", "1.0-1"] {
        let pins = format!("toy=={missing} \\\n    --hash=sha256:{hash}\n");
        registry.installs(&pins).refused_because(&format!("toy==1.0 --hash=sha256:{hash}"));
        assert!(!registry.is_installed());
    }
}

/// The crate is in the cache of cargo already, so that nothing is fetched.
#[test]
fn a_crate_is_built_with_its_hash_only() {
    let registry = Registry::new();
    fs::create_dir(registry.0.path().join("built")).expect("a directory");
    let tree = run(Command::new("cargo")
        .args(["tree", "--locked", "--depth", "0", "-p", "strsim"])
        .current_dir(ROOT));
    let tree = tree.good().stdout;
    let version = tree.trim().strip_prefix("strsim v").expect("a crate of the program");
    let pins = format!("{}  strsim-{version}.crate\n", "0".repeat(64));
    let line = format!("crate_install strsim {version} \"$PWD/built\"");
    registry.bash("crates.txt", &pins, &line).refused_because("is not what");
    registry.bash("crates.txt", "", &line).refused_because("is not what");
    assert!(!registry.0.path().join("built/source").exists(), "nothing is unpacked before it is compared");
}
