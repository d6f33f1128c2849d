//! README.md and README.zh-CN.md say the same, name what exists, and show a picture of what they say.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process;

use clap::Command;
use kubectl_flink::cli;

const READMES: [&str; 2] = ["README.md", "README.zh-CN.md"];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A page, cut into its parts.
struct Page {
    /// Levels and texts of the headings, in order.
    headings: Vec<(usize, String)>,
    /// Code blocks with their fences, in order.
    blocks: Vec<String>,
    /// Rows of tables.
    rows: Vec<String>,
    /// Where links and pictures lead to, in order.
    targets: Vec<String>,
}

impl Page {
    fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
        let mut page =
            Self { headings: Vec::new(), blocks: Vec::new(), rows: Vec::new(), targets: Vec::new() };
        let mut is_code = false;
        let mut prose = String::new();
        for line in text.lines() {
            let is_fence = line.trim_start().starts_with("```");
            if is_fence && !is_code {
                page.blocks.push(String::new());
            }
            if is_code || is_fence {
                let block = page.blocks.last_mut().expect("block");
                block.push_str(line);
                block.push('\n');
                is_code ^= is_fence;
                continue;
            }
            let level = line.bytes().take_while(|byte| *byte == b'#').count();
            if level > 0 && line[level..].starts_with(' ') {
                page.headings.push((level, line[level..].trim().to_owned()));
            }
            if line.starts_with('|') {
                page.rows.push(line.to_owned());
            }
            prose.push_str(line);
            prose.push('\n');
        }
        assert!(!is_code, "{}: a code block without an end", path.display());
        // Every other part stands between backticks.
        let prose: String = prose.split('`').step_by(2).collect();
        page.targets = prose
            .split("](")
            .skip(1)
            .map(|rest| rest.split(')').next().unwrap_or_default().to_owned())
            .collect();
        page
    }

    /// The anchors of the headings, as GitHub makes them.
    fn anchors(&self) -> Vec<String> {
        let mut known: HashMap<String, usize> = HashMap::new();
        let anchor = |(_, text): &(usize, String)| {
            let kept = text.to_lowercase();
            let kept = kept.chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
            let anchor: String = kept.map(|c| if c == ' ' { '-' } else { c }).collect();
            let count = known.entry(anchor.clone()).or_default();
            *count += 1;
            match *count {
                1 => anchor,
                count => format!("{anchor}-{}", count - 1),
            }
        };
        self.headings.iter().map(anchor).collect()
    }
}

#[test]
fn both_languages_have_the_same_sections_code_and_links() {
    let [english, chinese] = READMES.map(|name| Page::read(&root().join(name)));
    let levels = |page: &Page| page.headings.iter().map(|(level, _)| *level).collect::<Vec<_>>();
    assert_eq!(levels(&english), levels(&chinese), "{:#?}\n{:#?}", english.headings, chinese.headings);
    assert_eq!(english.blocks, chinese.blocks);
    assert_eq!(english.rows.len(), chinese.rows.len(), "rows of tables");
    assert_eq!(english.targets[0], READMES[1], "the first link leads to the other language");
    assert_eq!(chinese.targets[0], READMES[0], "the first link leads to the other language");
    // The order within a sentence is the language's.
    let links = |page: &Page| {
        // An anchor on the same page is that of a translated heading.
        let mut targets = page.targets[1..].to_vec();
        targets.iter_mut().filter(|target| target.starts_with('#')).for_each(|target| target.truncate(1));
        targets.sort();
        targets
    };
    assert_eq!(links(&english), links(&chinese));
}

#[test]
fn every_link_within_the_project_leads_to_something() {
    let docs = fs::read_dir(root().join("docs")).expect("docs").flatten().map(|entry| entry.path());
    let docs = docs.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    let top = READMES.iter().chain(&["CONTRIBUTING.md", "SECURITY.md", "krew/README.md"]);
    let pages: Vec<PathBuf> = top.map(|name| root().join(name)).chain(docs).collect();
    assert!(pages.len() > 10, "{pages:?}");
    let mut dead = Vec::new();
    for path in &pages {
        let page = Page::read(path);
        for target in page.targets.iter().filter(|target| !target.contains("://")) {
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let led_to = match file {
                "" => path.clone(),
                file => path.parent().expect("directory").join(file),
            };
            let is_there = led_to.exists()
                && (anchor.is_empty() || Page::read(&led_to).anchors().iter().any(|known| known == anchor));
            if !is_there {
                dead.push(format!("{}: {target}", path.display()));
            }
        }
    }
    assert!(dead.is_empty(), "{dead:#?}");
}

/// `--flag` of a word such as `(--flag=VALUE),`; none of others.
fn long_flag(word: &str) -> Option<&str> {
    let word = word.trim_start_matches(|c: char| !c.is_alphanumeric() && c != '-');
    let name = word.strip_prefix("--")?;
    let end = name.find(|c: char| !c.is_ascii_alphanumeric() && c != '-').unwrap_or(name.len());
    Some(&name[..end]).filter(|name| !name.is_empty())
}

fn takes(command: &Command, flag: &str) -> bool {
    command.get_arguments().any(|arg| arg.get_long() == Some(flag))
}

fn any_takes(command: &Command, flag: &str) -> bool {
    takes(command, flag) || command.get_subcommands().any(|below| any_takes(below, flag))
}

/// Names of the commands that `text` names. `wrong` gets what does not exist.
fn commands_in(text: &str, root: &Command, wrong: &mut Vec<String>) -> Vec<String> {
    let mut names = Vec::new();
    let mut parts = text.split("kubectl flink ");
    let before = parts.next().unwrap_or_default();
    for flag in before.split_whitespace().filter_map(long_flag) {
        if !any_takes(root, flag) {
            wrong.push(format!("no command takes --{flag}: {text}"));
        }
    }
    for part in parts {
        // What stands behind -- is the program's.
        let mut words = part.split_whitespace().take_while(|word| *word != "--").peekable();
        let mut command = root;
        while let Some(below) = words.peek().and_then(|word| {
            let word = word.trim_end_matches(|c: char| !c.is_alphanumeric());
            command.find_subcommand(word)
        }) {
            command = below;
            words.next();
        }
        if std::ptr::eq(command, root) {
            wrong.push(format!("no such command: {text}"));
            continue;
        }
        let first = part.split_whitespace().next().unwrap_or_default();
        names.extend(root.find_subcommand(first).map(|command| command.get_name().to_owned()));
        for flag in words.filter_map(long_flag).filter(|flag| !takes(command, flag)) {
            wrong.push(format!("{} does not take --{flag}: {text}", command.get_name()));
        }
    }
    names
}

#[test]
fn every_command_and_flag_that_is_named_exists() {
    let mut commands = cli::command();
    commands.build();
    for name in READMES {
        let page = Page::read(&root().join(name));
        let mut texts: Vec<&str> = Vec::new();
        for block in &page.blocks {
            let is_shell = block.starts_with("```sh\n");
            let of_others = |line: &str| {
                let typed = line.strip_prefix("$ ").or(is_shell.then_some(line));
                typed.is_some_and(|typed| !typed.starts_with("kubectl flink "))
            };
            texts.extend(block.lines().filter(|line| !line.starts_with("```") && !of_others(line)));
        }
        for row in &page.rows {
            texts.extend(row.split('`').skip(1).step_by(2));
        }
        let mut wrong = Vec::new();
        let mut named: Vec<String> =
            texts.iter().flat_map(|text| commands_in(text, &commands, &mut wrong)).collect();
        assert!(wrong.is_empty(), "{name}: {wrong:#?}");
        named.sort();
        named.dedup();
        let mut all: Vec<&str> = commands
            .get_subcommands()
            .filter(|command| !command.is_hide_set() && command.get_name() != "help")
            .map(Command::get_name)
            .collect();
        all.sort_unstable();
        assert_eq!(named, all, "{name}: every command has its place there");
    }
}

#[test]
fn what_does_not_exist_is_found() {
    let mut commands = cli::command();
    commands.build();
    let mut wrong = Vec::new();
    for text in ["kubectl flink lst", "kubectl flink ls --savepoint", "less (--nonsense, --cpu)"] {
        commands_in(text, &commands, &mut wrong);
    }
    assert_eq!(wrong.len(), 4, "{wrong:#?}");
    wrong.clear();
    for text in ["kubectl flink submit roc a.jar --wait -- --input x", "kubectl flink list -A --context=a"] {
        commands_in(text, &commands, &mut wrong);
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_picture_shows_what_the_readme_says() {
    let made = process::Command::new("python3").arg("-B").arg(root().join("dev/picture")).output();
    let made = made.unwrap_or_else(|why| panic!("python3 is needed to draw docs/terminal.svg: {why}"));
    assert!(made.status.success(), "dev/picture: {}", String::from_utf8_lossy(&made.stderr));
    let kept = fs::read(root().join("docs/terminal.svg")).expect("docs/terminal.svg");
    assert!(made.stdout == kept, "docs/terminal.svg is not what README.md says: run make picture");
}
