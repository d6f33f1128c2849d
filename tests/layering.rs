//! Holds docs/architecture.md's rule: dependencies point down only, and only `cluster` knows the
//! Kubernetes client.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Which modules of the crate each module may use. `session` and `diagnosis` are pure.
const MAY_USE: [(&str, &[&str]); 15] = [
    ("main", &["cli", "exit"]),
    ("lib", &[]),
    ("cli", &["app", "cluster", "cmd", "config", "exit", "log", "output"]),
    ("cmd", &["app", "cluster", "diagnosis", "exit", "flink", "model", "output", "session"]),
    ("app", &["cluster", "config", "exit", "flink", "model", "output", "session"]),
    ("cluster", &["model", "net", "session"]),
    ("flink", &["model", "net", "session"]),
    ("output", &["model"]),
    ("config", &[]),
    ("exit", &[]),
    ("log", &[]),
    ("diagnosis", &["model", "session"]),
    ("model", &[]),
    ("net", &[]),
    ("session", &[]),
];

/// Crates that only some modules may name, by the word that stands in front of `::`.
const KNOWN_TO: [(&str, &[&str]); 27] = [
    ("kube", &["cluster"]),
    ("k8s_openapi", &["cluster", "session"]),
    ("hyper", &["flink", "cluster", "app", "net"]),
    ("hyper_util", &["flink", "cluster", "app", "net"]),
    ("rustls", &["flink", "cluster", "net"]),
    ("tokio_rustls", &["flink", "cluster"]),
    ("rustls_platform_verifier", &["net"]),
    ("rustls_native_certs", &["net"]),
    ("webpki", &["net"]),
    ("x509_cert", &["net"]),
    ("p521", &["net"]),
    ("hyper_rustls", &["cluster"]),
    ("tokio_tungstenite", &["cluster"]),
    ("rawzip", &["app"]),
    ("flate2", &["app"]),
    ("clap", &["cli", "cmd"]),
    ("comfy_table", &["output"]),
    ("indicatif", &["output"]),
    ("console", &["output"]),
    ("unicode_width", &["output"]),
    ("jsonpath_rust", &["output"]),
    ("dirs", &["config"]),
    ("opener", &["app"]),
    ("rustix", &["app"]),
    ("serde_saphyr", &["session", "output"]),
    ("strsim", &["session"]),
    ("tempfile", &["app"]),
];

/// A path that could hide what is used, and things that happen in one place.
const SAID_IN: [(&str, &[&str]); 6] = [
    ("super::super", &[]),
    ("env::var", &["config"]),
    ("io::stdout", &["output"]),
    ("io::stderr", &["output", "log"]),
    // The helpers of kubeconfigs.
    ("process::Command", &["cluster"]),
    ("process::exit", &[]),
];

#[test]
fn dependencies_point_down() {
    let allowed: BTreeMap<&str, &[&str]> = MAY_USE.into_iter().collect();
    let mut wrong = Vec::new();
    for (module, path, code) in sources() {
        let Some(allowed) = allowed.get(module.as_str()) else { continue };
        for used in used_modules(&code) {
            if used != module && !allowed.contains(&used.as_str()) {
                wrong.push(format!("{}: {module} may not use {used}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn libraries_are_known_where_they_belong() {
    let mut wrong = Vec::new();
    for (module, path, code) in sources() {
        for (word, homes) in KNOWN_TO {
            let named = code
                .match_indices(&format!("{word}::"))
                .any(|(at, _)| !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':'));
            if named && !homes.contains(&module.as_str()) {
                wrong.push(format!("{}: {module} may not know {word}", path.display()));
            }
        }
        for (words, homes) in SAID_IN {
            if code.contains(words) && !homes.contains(&module.as_str()) {
                wrong.push(format!("{}: {module} may not say {words}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_module_has_its_place() {
    let known: Vec<&str> = MAY_USE.iter().map(|(module, _)| *module).collect();
    for (module, path, _) in sources() {
        assert!(known.contains(&module.as_str()), "{} is in no layer", path.display());
    }
}

#[test]
fn every_file_says_what_it_is() {
    for (_, path, _) in sources() {
        let text = fs::read_to_string(&path).expect("source");
        assert!(text.starts_with("//! "), "{} does not open with what it owns", path.display());
    }
}

/// Every source file: its top-level module, its path, and its code without comments and tests.
fn sources() -> Vec<(String, PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&root, &mut files);
    assert!(files.len() > 20, "the sources are not where they were");
    files
        .into_iter()
        .map(|path| {
            let inside = path.strip_prefix(&root).expect("below src");
            let first = inside.components().next().expect("a name").as_os_str().to_string_lossy();
            let module = first.trim_end_matches(".rs").to_owned();
            let text = fs::read_to_string(&path).expect("source");
            let is_test = path.file_name().is_some_and(|name| name == "tests.rs");
            let code = text.split("#[cfg(test)]").next().filter(|_| !is_test).unwrap_or_default();
            let code = code
                .lines()
                // Of a URL the slashes have a colon in front.
                .map(|line| line.split(" //").next().unwrap_or_default())
                .filter(|line| !line.starts_with("//"))
                .collect::<Vec<_>>()
                .join("\n");
            (module, path, code)
        })
        .collect()
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("directory") {
        let path = entry.expect("entry").path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// The modules named as `crate::NAME`, or as `crate::{NAME, ...}`.
fn used_modules(code: &str) -> Vec<String> {
    let word = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    code.match_indices("crate::")
        .chain(code.match_indices("kubectl_flink::"))
        .flat_map(|(at, prefix)| {
            let rest = &code[at + prefix.len()..];
            match rest.strip_prefix('{') {
                Some(group) => group
                    .split('}')
                    .next()
                    .unwrap_or_default()
                    .split(',')
                    .map(|part| word(part.trim()))
                    .collect(),
                None => vec![word(rest)],
            }
        })
        .collect()
}

#[test]
fn the_reader_of_uses_reads_them() {
    let code =
        "use crate::model::Evidence;\nuse crate::{cluster, flink::Rest};\nlet x = crate::exit::Exit::Done;";
    assert_eq!(used_modules(code), ["model", "cluster", "flink", "exit"]);
}
