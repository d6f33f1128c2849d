//! Every command that the program prints as advice is run by a test, in the state in which it is printed.
//!
//! `tests/hints.txt` is the register: a line for each text in `src/` that names a command, with the test that runs it as
//! printed. A text that is new, changed or gone makes this fail, and so does a test that is gone or runs nothing that was
//! printed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The functions of the tests that run a command as it was printed.
const RUNNERS: [&str; 2] = ["flink_as_printed(", "kubectl_as_printed("];

/// Not advice: scripts for shells, and the words that the server of `ui` answers with.
const NO_ADVICE: [&str; 2] = ["src/cmd/completion/scripts.rs", "src/app/relay/serve.rs"];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn sources(directory: &Path, all: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("directory").flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, all);
        } else if path.extension().is_some_and(|end| end == "rs") && !path.ends_with("tests.rs") {
            all.push(path);
        }
    }
}

/// The string literals of a Rust source, with line breaks and the blanks behind them as one blank. Tests at its end
/// and comments are left out.
fn literals(source: &str) -> Vec<String> {
    let end = source.find("#[cfg(test)]\nmod tests").unwrap_or(source.len());
    let text: Vec<char> = source[..end].chars().collect();
    let (mut found, mut at) = (Vec::new(), 0);
    let is = |at: usize, words: &str| text[at..].iter().copied().take(words.len()).eq(words.chars());
    while at < text.len() {
        match text[at] {
            '/' if is(at, "//") => at += text[at..].iter().take_while(|c| **c != '\n').count(),
            '\'' if is(at, "'\"'") || is(at, "'\\") => at += if text[at + 1] == '\\' { 4 } else { 3 },
            '"' => {
                let mut literal = String::new();
                at += 1;
                while text[at] != '"' {
                    if text[at] == '\\' {
                        at += 1;
                        match text[at] {
                            'n' => literal.push('\n'),
                            '\n' => at += text[at + 1..].iter().take_while(|c| c.is_whitespace()).count(),
                            other => literal.push(other),
                        }
                    } else {
                        literal.push(text[at]);
                    }
                    at += 1;
                }
                at += 1;
                found.push(literal.split_whitespace().collect::<Vec<_>>().join(" "));
            }
            _ => at += 1,
        }
    }
    found
}

/// True for a text that names a command to type; pages of help have examples instead.
fn is_advice(text: &str) -> bool {
    let mut after = text.match_indices("kubectl ").map(|(at, word)| text[at + word.len()..].chars().next());
    let names_one = after.any(|next| next.is_some_and(|next| next.is_ascii_lowercase() || next == '{'));
    names_one && !text.contains("Examples:") && !text.contains("kubectl flink <TAB>")
}

/// Each text with its file; a second one that is the same has a number.
fn sites() -> Vec<(String, String)> {
    let mut files = Vec::new();
    sources(&root().join("src"), &mut files);
    files.sort();
    let mut sites = Vec::new();
    for path in files {
        let file = path.strip_prefix(root()).expect("inside").to_string_lossy().replace('\\', "/");
        if NO_ADVICE.contains(&file.as_str()) {
            continue;
        }
        let mut seen = BTreeMap::new();
        for text in
            literals(&fs::read_to_string(&path).expect("source")).into_iter().filter(|text| is_advice(text))
        {
            let times = seen.entry(text.clone()).or_insert(0);
            *times += 1;
            let text = if *times > 1 { format!("{text} #{times}") } else { text };
            sites.push((file.clone(), text));
        }
    }
    sites
}

/// The body of a test, or of a function that tests call, up to the brace that ends it.
fn body<'s>(source: &'s str, name: &str) -> Option<&'s str> {
    let start = source.find(&format!("fn {name}("))?;
    // Called, or handed over to be called.
    let is_used = |(at, _): &(usize, &str)| source[at + name.len()..].starts_with(['(', ',', ')']);
    let is_called = source.match_indices(name).filter(is_used).count() > 1;
    (is_called || source[..start].trim_end().ends_with("#[test]")).then_some(())?;
    Some(&source[start..start + source[start..].find("\n}\n")?])
}

#[test]
fn every_command_in_a_hint_is_run_by_a_test() {
    let register = fs::read_to_string(root().join("tests/hints.txt")).expect("tests/hints.txt");
    let mut listed = BTreeMap::new();
    for line in register.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let mut parts = line.splitn(3, '\t').map(str::to_owned);
        let (Some(test), Some(file), Some(text)) = (parts.next(), parts.next(), parts.next()) else {
            panic!("no three columns: {line}");
        };
        assert!(listed.insert((file, text), test).is_none(), "twice: {line}");
    }
    let sites = sites();
    let missing: Vec<String> = sites
        .iter()
        .filter(|site| !listed.contains_key(site))
        .map(|(file, text)| format!("TEST\t{file}\t{text}"))
        .collect();
    assert!(missing.is_empty(), "tests/hints.txt lacks, with the test that runs it:\n{}", missing.join("\n"));
    for (site, test) in &listed {
        assert!(sites.contains(site), "no source has this text any more: {site:?}");
        let (file, name) = test.split_once("::").unwrap_or_else(|| panic!("{site:?} names no test"));
        let source = fs::read_to_string(root().join(file)).unwrap_or_else(|_| panic!("{test}: no such file"));
        let body = body(&source, name).unwrap_or_else(|| panic!("there is no test {test}"));
        let runs = RUNNERS.iter().any(|runner| body.contains(runner));
        assert!(runs, "{test} runs nothing as it was printed");
    }
}

#[test]
fn texts_are_found_as_they_are_printed() {
    let source = "fn a() {\n // \"kubectl get x\"\n let c = '\"';\n hint(\"do it: \\\n    kubectl get {x}\");\n \
                  b(\"say \\\"kubectl\\\"\"); c(\"kubectl flink {verb}\")\n}\n#[cfg(test)]\nmod tests { \"kubectl get y\" }";
    let found: Vec<String> = literals(source).into_iter().filter(|text| is_advice(text)).collect();
    assert_eq!(found, ["do it: kubectl get {x}", "kubectl flink {verb}"]);
    assert!(!is_advice("kubectl's own words") && !is_advice("Examples: kubectl flink ls"));
    let tests = "#[test]\nfn a() {\n    x\n}\nfn b() {\n}\n";
    assert_eq!((body(tests, "a"), body(tests, "b")), (Some("fn a() {\n    x"), None));
}
