//! Holds docs/architecture.md's rule: dependencies point down only, and only `cluster` knows the
//! Kubernetes client.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use syn::visit::{self, Visit};
use syn::visit_mut::{self, VisitMut};
use syn::{Attribute, File, Item, ItemMacro, ItemUse, Macro, UseTree};

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

/// Inside a layer: which rooms each room may use. What the layer itself owns, beside its rooms, is for all of them.
const ROOMS: [(&str, &[&str]); 4] = [
    ("cluster::client", &[]),
    ("cluster::api", &["cluster::client"]),
    ("cluster::pod", &["cluster::client", "cluster::api"]),
    ("cluster::session", &["cluster::client", "cluster::api", "cluster::pod"]),
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
    for source in sources() {
        let layer = source.layer();
        let Some(allowed) = allowed.get(layer) else { continue };
        for used in source.uses.iter().filter_map(|path| path.first()) {
            if used != layer && !allowed.contains(&used.as_str()) {
                wrong.push(format!("{}: {layer} may not use {used}", source.path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn rooms_use_the_rooms_below_them() {
    let room_of = |path: &[String]| Some(format!("{}::{}", path.first()?, path.get(1)?));
    let allowed: BTreeMap<&str, &[&str]> = ROOMS.into_iter().collect();
    let mut wrong = Vec::new();
    for source in sources() {
        let Some(room) = room_of(&source.module) else { continue };
        let Some(allowed) = allowed.get(room.as_str()) else { continue };
        for used in source.uses.iter().filter_map(|path| room_of(path)) {
            let is_room = ROOMS.iter().any(|(room, _)| *room == used);
            if is_room && used != room && !allowed.contains(&used.as_str()) {
                wrong.push(format!("{}: {room} may not use {used}", source.path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn libraries_are_known_where_they_belong() {
    let mut wrong = Vec::new();
    for source in sources() {
        let (layer, code) = (source.layer(), &source.code);
        for (word, homes) in KNOWN_TO {
            let named = code
                .match_indices(&format!("{word}::"))
                .any(|(at, _)| !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':'));
            if named && !homes.contains(&layer) {
                wrong.push(format!("{}: {layer} may not know {word}", source.path.display()));
            }
        }
        for (words, homes) in SAID_IN {
            if code.contains(words) && !homes.contains(&layer) {
                wrong.push(format!("{}: {layer} may not say {words}", source.path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_module_has_its_place() {
    let known: Vec<&str> = MAY_USE.iter().map(|(module, _)| *module).collect();
    for source in sources() {
        assert!(known.contains(&source.layer()), "{} is in no layer", source.path.display());
    }
}

#[test]
fn every_file_says_what_it_is() {
    for source in sources() {
        let text = fs::read_to_string(&source.path).expect("source");
        assert!(text.starts_with("//! "), "{} does not open with what it owns", source.path.display());
    }
}

/// A source file without its tests.
struct Source {
    path: PathBuf,
    /// Such as `cluster`, `api`, `watch`.
    module: Vec<String>,
    /// Every path that names something of this crate, from its root on.
    uses: Vec<Vec<String>>,
    /// The tokens, without comments; there is no blank beside `::`.
    code: String,
}

impl Source {
    fn read(root: &Path, path: PathBuf) -> Self {
        let text = fs::read_to_string(&path).expect("source");
        let inside = path.strip_prefix(root).expect("below src").with_extension("");
        let mut module: Vec<String> =
            inside.components().map(|part| part.as_os_str().to_string_lossy().into_owned()).collect();
        if module.len() > 1 && module.last().is_some_and(|last| last == "mod") {
            module.pop();
        }
        let mut file = syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let is_test = module.last().is_some_and(|last| last == "tests");
        if is_test {
            file.items.clear();
        }
        Self::of(path, module, file)
    }

    fn of(path: PathBuf, module: Vec<String>, mut file: File) -> Self {
        WithoutTests.visit_file_mut(&mut file);
        let mut reader = Uses { module: module.clone(), uses: Vec::new() };
        reader.visit_file(&file);
        Self { path, module, uses: reader.uses, code: joined(&tokens(&file)) }
    }

    fn layer(&self) -> &str {
        &self.module[0]
    }
}

fn tokens(file: &File) -> String {
    use quote::ToTokens;
    file.to_token_stream().to_string()
}

fn joined(tokens: &str) -> String {
    tokens.replace(" :: ", "::").replace(":: ", "::").replace(" ::", "::")
}

/// Takes out what is compiled for tests only, and documentation, which is an attribute.
struct WithoutTests;

fn is_for_tests(attributes: &[Attribute]) -> bool {
    use quote::ToTokens;
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg") && attribute.meta.to_token_stream().to_string() == "cfg (test)"
    })
}

fn attributes_of(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

impl VisitMut for WithoutTests {
    fn visit_file_mut(&mut self, file: &mut File) {
        file.items.retain(|item| !is_for_tests(attributes_of(item)));
        visit_mut::visit_file_mut(self, file);
    }

    fn visit_item_mod_mut(&mut self, module: &mut syn::ItemMod) {
        if let Some((_, items)) = &mut module.content {
            items.retain(|item| !is_for_tests(attributes_of(item)));
        }
        visit_mut::visit_item_mod_mut(self, module);
    }

    fn visit_item_impl_mut(&mut self, item: &mut syn::ItemImpl) {
        item.items
            .retain(|item| !matches!(item, syn::ImplItem::Fn(function) if is_for_tests(&function.attrs)));
        visit_mut::visit_item_impl_mut(self, item);
    }

    fn visit_attributes_mut(&mut self, attributes: &mut Vec<Attribute>) {
        attributes.retain(|attribute| !attribute.path().is_ident("doc"));
    }
}

/// Collects the paths that begin with `crate`, `super` or the crate's own name.
struct Uses {
    module: Vec<String>,
    uses: Vec<Vec<String>>,
}

impl Uses {
    fn take(&mut self, path: &[String]) {
        let rest = match path.first().map(String::as_str) {
            Some("crate" | "kubectl_flink") => path[1..].to_vec(),
            Some("super") => {
                let up = path.iter().take_while(|word| *word == "super").count();
                let above = &self.module[..self.module.len().saturating_sub(up)];
                above.iter().chain(&path[up..]).cloned().collect()
            }
            _ => return,
        };
        self.uses.push(rest);
    }

    fn take_tree(&mut self, before: &[String], tree: &UseTree) {
        let with = |word: &dyn ToString| {
            let mut path = before.to_vec();
            path.push(word.to_string());
            path
        };
        match tree {
            UseTree::Path(path) => self.take_tree(&with(&path.ident), &path.tree),
            UseTree::Name(name) => self.take(&with(&name.ident)),
            UseTree::Rename(name) => self.take(&with(&name.ident)),
            UseTree::Glob(_) => self.take(before),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.take_tree(before, tree)),
        }
    }

    /// What stands in a macro is not parsed: its tokens are read.
    fn take_tokens(&mut self, tokens: &str) {
        let code = joined(tokens);
        for start in ["crate::", "super::"] {
            for (at, _) in code.match_indices(start) {
                let path = code[at..].split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')).next();
                let path: Vec<String> = path.unwrap_or_default().split("::").map(str::to_owned).collect();
                self.take(&path);
            }
        }
    }
}

impl<'f> Visit<'f> for Uses {
    fn visit_item_use(&mut self, item: &'f ItemUse) {
        self.take_tree(&[], &item.tree);
    }

    fn visit_path(&mut self, path: &'f syn::Path) {
        let words: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        self.take(&words);
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, called: &'f Macro) {
        self.take_tokens(&called.tokens.to_string());
        visit::visit_macro(self, called);
    }

    fn visit_item_macro(&mut self, item: &'f ItemMacro) {
        self.take_tokens(&item.mac.tokens.to_string());
    }
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&root, &mut files);
    assert!(files.len() > 20, "the sources are not where they were");
    files.into_iter().map(|path| Source::read(&root, path)).collect()
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

#[test]
fn every_way_to_name_a_module_is_read() {
    let code = "use crate::{cluster::{api::{Kind, watch as w}}, flink};
        #[cfg(test)] mod tests { use crate::cmd::ls; }
        /// crate::docs
        fn a() { let x = crate::exit::Exit::Done; format!(\"{}\", super::list::B); }
        #[cfg(test)] use crate::app::App;
        impl A { #[cfg(test)] fn b() { crate::log::c() } }
        fn late() { super::super::net::d() }";
    let module = ["cluster", "session", "x"].map(str::to_owned).to_vec();
    let source = Source::of(PathBuf::new(), module, syn::parse_file(code).expect("code"));
    let mut uses: Vec<String> = source.uses.iter().map(|path| path.join("::")).collect();
    uses.sort();
    let expected = [
        "cluster::api::Kind",
        "cluster::api::watch",
        "cluster::net::d",
        "cluster::session::list::B",
        "exit::Exit::Done",
        "flink",
    ];
    assert_eq!(uses, expected);
    assert!(
        !source.code.contains("docs") && source.code.contains("crate::exit::Exit::Done"),
        "{}",
        source.code
    );
}
