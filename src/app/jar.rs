//! A look into a jar before it travels.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use flate2::read::DeflateDecoder;
use rawzip::{CompressionMethod, RECOMMENDED_BUFFER_SIZE, ZipArchive};

/// A program's jar on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Jar {
    pub path: PathBuf,
    /// Without its directories.
    pub name: String,
    pub bytes: u64,
    /// The class that the manifest names, for Flink or for Java.
    pub main_class: Option<String>,
    /// Classes that have a `main`, where the manifest names none. A few of them.
    pub candidates: Vec<String>,
    /// The Flink that is packed in with it, which the session brings itself.
    pub bundled: Option<Bundled>,
}

/// A part of Flink inside a jar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundled {
    pub artifact: String,
    pub version: String,
}

#[derive(Debug, thiserror::Error)]
pub enum JarError {
    #[error("cannot read {path}: {error}")]
    Read { path: String, error: io::Error },
    #[error("{path} is a directory")]
    Directory { path: String },
    /// With what it looks like instead.
    #[error("{path} is no jar: {why}")]
    NoJar { path: String, why: String },
}

const MANIFEST: &str = "META-INF/MANIFEST.MF";

/// Where Maven notes what a jar was packed of.
const MAVEN: &str = "META-INF/maven/org.apache.flink/";

/// Parts of Flink that run a session: with another version of them inside, a program may meet either.
const RUNTIME: [&str; 5] =
    ["flink-dist", "flink-runtime", "flink-streaming-java", "flink-core", "flink-clients"];

/// A manifest or a note of Maven's is a few lines; what is longer is something else.
const LONGEST_TEXT: u64 = 1 << 20;

/// Classes that are looked into for a `main`, and that are named.
const SEARCHED: usize = 2000;
const NAMED: usize = 5;

/// Opens the file for reading.
pub fn open(path: &Path) -> Result<File, JarError> {
    let shown = path.display().to_string();
    File::open(path).map_err(|error| JarError::Read { path: shown, error })
}

impl Jar {
    /// Reads the directory of the archive, and of its files only the few that tell something.
    pub fn look(path: &Path) -> Result<Self, JarError> {
        let shown = path.display().to_string();
        let read = |error| JarError::Read { path: shown.clone(), error };
        let metadata = std::fs::metadata(path).map_err(read)?;
        if metadata.is_dir() {
            return Err(JarError::Directory { path: shown });
        }
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let mut jar = Self {
            path: path.to_owned(),
            name: name.unwrap_or_default(),
            bytes: metadata.len(),
            main_class: None,
            candidates: Vec::new(),
            bundled: None,
        };
        let no_jar = |why: String| JarError::NoJar { path: shown.clone(), why };
        let mut buffer = vec![0; RECOMMENDED_BUFFER_SIZE];
        let archive = ZipArchive::from_file(open(path)?, &mut buffer)
            .map_err(|error| no_jar(what_it_is(path).unwrap_or_else(|| error.to_string())))?;
        jar.read(&archive, &mut buffer).map_err(|error| no_jar(error.to_string()))?;
        Ok(jar)
    }

    fn read(&mut self, archive: &Archive, buffer: &mut [u8]) -> Result<(), rawzip::Error> {
        let mut classes = Vec::new();
        let mut entries = archive.entries(buffer);
        while let Some(entry) = entries.next_entry()? {
            let path = entry.file_path();
            let Ok(path) = std::str::from_utf8(path.as_ref()) else { continue };
            let file = Packed {
                wayfinder: entry.wayfinder(),
                method: entry.compression_method(),
                bytes: entry.uncompressed_size_hint(),
            };
            if path == MANIFEST {
                let manifest = text_of(archive, &file).unwrap_or_default();
                let attribute = |name| attribute(&manifest, name);
                self.main_class = attribute("program-class").or_else(|| attribute("Main-Class"));
            } else if let Some(artifact) = runtime_artifact(path) {
                let version = text_of(archive, &file).and_then(|text| property(&text, "version"));
                let bundled = version.map(|version| Bundled { artifact: artifact.to_owned(), version });
                self.bundled = self.bundled.take().or(bundled);
            } else if let Some(bundled) = nested(path) {
                self.bundled = Some(bundled);
            } else if path.ends_with(".class")
                && !path.contains('$')
                && !path.starts_with("org/apache/flink/")
            {
                classes.push((path.trim_end_matches(".class").replace('/', "."), file));
            }
        }
        if self.main_class.is_none() {
            let has_main = |file: &Packed| bytes_of(archive, file).is_some_and(|class| has_main(&class));
            let mains = classes.into_iter().take(SEARCHED).filter(|(_, file)| has_main(file));
            self.candidates = mains.map(|(name, _)| name).take(NAMED).collect();
        }
        Ok(())
    }
}

type Archive = ZipArchive<rawzip::FileReader>;

/// A file of the archive.
struct Packed {
    wayfinder: rawzip::ZipArchiveEntryWayfinder,
    method: CompressionMethod,
    bytes: u64,
}

fn bytes_of(archive: &Archive, file: &Packed) -> Option<Vec<u8>> {
    let entry = archive.get_entry(file.wayfinder).ok()?;
    let limit = file.bytes.min(LONGEST_TEXT);
    let mut bytes = Vec::new();
    match file.method {
        CompressionMethod::STORE => entry.reader().take(limit).read_to_end(&mut bytes),
        CompressionMethod::DEFLATE => DeflateDecoder::new(entry.reader()).take(limit).read_to_end(&mut bytes),
        _ => return None,
    }
    .ok()?;
    Some(bytes)
}

fn text_of(archive: &Archive, file: &Packed) -> Option<String> {
    bytes_of(archive, file).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// An attribute of the manifest's main section. Long lines go on after a line break and a space.
fn attribute(manifest: &str, name: &str) -> Option<String> {
    let unfolded = manifest.replace("\r\n", "\n").replace("\n ", "");
    let mut main = unfolded.lines().take_while(|line| !line.is_empty());
    let value = main.find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
    });
    value.filter(|value| !value.is_empty())
}

fn property(text: &str, name: &str) -> Option<String> {
    text.lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
        .map(|value| value.trim().to_owned())
}

/// The part of Flink's runtime whose note of Maven's stands at `path`. Up to 1.14 names end with Scala's version.
fn runtime_artifact(path: &str) -> Option<&str> {
    let artifact = path.strip_prefix(MAVEN)?.strip_suffix("/pom.properties")?;
    let plain = artifact.split("_2.").next().unwrap_or(artifact);
    RUNTIME.contains(&plain).then_some(artifact)
}

/// A whole distribution in `lib/`, whose jars Flink loads too (`PackagedProgram`).
fn nested(path: &str) -> Option<Bundled> {
    let name = path.strip_prefix("lib/flink-dist")?.strip_suffix(".jar")?;
    let (scala, version) = name.rsplit_once('-')?;
    Some(Bundled { artifact: format!("flink-dist{scala}"), version: version.to_owned() })
}

/// Whether a class file knows a method of the name and the shape of `main`.
fn has_main(class: &[u8]) -> bool {
    let has = |text: &[u8]| class.windows(text.len()).any(|window| window == text);
    has(b"\x00\x04main") && has(b"\x00\x16([Ljava/lang/String;)V")
}

/// What a file is that is no archive, by how it begins.
fn what_it_is(path: &Path) -> Option<String> {
    let mut start = [0; 64];
    let read = File::open(path).and_then(|mut file| file.read(&mut start)).ok()?;
    let start = &start[..read];
    let is_text =
        !start.is_empty() && start.iter().all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace());
    Some(
        match start {
            [] => "it is empty",
            [b'P', b'K', ..] => "it is cut off, or damaged: the directory at its end is missing",
            [0xca, 0xfe, 0xba, 0xbe, ..] => "it is one Java class",
            [0x1f, 0x8b, ..] => "it is a gzip file",
            _ if is_text => "it is a text file",
            _ => "it is no zip archive",
        }
        .to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::DeflateEncoder;

    use super::*;

    fn archive(files: &[(&str, &[u8])]) -> tempfile::NamedTempFile {
        let mut file = tempfile::Builder::new().suffix(".jar").tempfile().expect("file");
        let mut writer = rawzip::ZipArchiveWriter::new(&mut file);
        for (name, content) in files {
            let (mut entry, config) =
                writer.new_file(name).compression_method(CompressionMethod::DEFLATE).start().expect("entry");
            let mut data = config.wrap(DeflateEncoder::new(&mut entry, Compression::default()));
            data.write_all(content).expect("content");
            let (encoder, descriptor) = data.finish().expect("data");
            encoder.finish().expect("end");
            entry.finish(descriptor).expect("entry");
        }
        writer.finish().expect("archive");
        file
    }

    fn looked(files: &[(&str, &[u8])]) -> Jar {
        Jar::look(archive(files).path()).expect("a jar")
    }

    #[test]
    fn the_manifest_names_the_class_on_lines_however_long() {
        let manifest = b"Manifest-Version: 1.0\r\nMain-Class: com.example.orders.a.very.long.name.of.a.pack\r\n age.Main\r\n\r\nName: x\r\nMain-Class: no\r\n";
        let jar = looked(&[(MANIFEST, manifest)]);
        assert_eq!(jar.main_class.as_deref(), Some("com.example.orders.a.very.long.name.of.a.package.Main"));
        let both = b"Main-Class: a.B\nprogram-class: c.D\n";
        assert_eq!(looked(&[(MANIFEST, both)]).main_class.as_deref(), Some("c.D"));
    }

    #[test]
    fn without_one_the_classes_with_a_main_are_named() {
        let main = b"\xca\xfe\xba\xbe\x01\x00\x04main\x01\x00\x16([Ljava/lang/String;)V";
        let jar = looked(&[
            (MANIFEST, b"Manifest-Version: 1.0\n"),
            ("a/Main.class", main),
            ("a/Other.class", b"\xca\xfe\xba\xbe"),
            ("org/apache/flink/client/cli/CliFrontend.class", main),
        ]);
        assert_eq!((jar.main_class, jar.candidates), (None, vec!["a.Main".to_owned()]));
    }

    #[test]
    fn a_flink_that_is_packed_in_is_seen() {
        let note = b"groupId=org.apache.flink\nversion=1.17.2\n";
        let jar = looked(&[("META-INF/maven/org.apache.flink/flink-runtime/pom.properties", note)]);
        let bundled = jar.bundled.expect("bundled");
        assert_eq!((bundled.artifact.as_str(), bundled.version.as_str()), ("flink-runtime", "1.17.2"));
        // A connector belongs into a program's jar.
        let jar = looked(&[("META-INF/maven/org.apache.flink/flink-connector-kafka/pom.properties", note)]);
        assert_eq!(jar.bundled, None);
        let jar = looked(&[("lib/flink-dist_2.12-1.13.6.jar", b"")]);
        assert_eq!(jar.bundled.map(|bundled| bundled.version).as_deref(), Some("1.13.6"));
    }

    #[test]
    fn what_is_no_jar_is_told_for_what_it_is() {
        let why = |content: &[u8]| {
            let mut file = tempfile::NamedTempFile::new().expect("file");
            file.write_all(content).expect("content");
            let error = Jar::look(file.path()).expect_err("no jar").to_string();
            error.split_once(" is no jar: ").map(|(_, why)| why.to_owned()).expect("a reason")
        };
        assert_eq!(why(b""), "it is empty");
        assert_eq!(why(b"#!/bin/sh\n"), "it is a text file");
        assert_eq!(why(b"PK\x03\x04half"), "it is cut off, or damaged: the directory at its end is missing");
        assert_eq!(why(b"\xca\xfe\xba\xbe\x00"), "it is one Java class");
        assert!(matches!(Jar::look(Path::new("/")), Err(JarError::Directory { .. })));
        assert!(matches!(Jar::look(Path::new("/no/such.jar")), Err(JarError::Read { .. })));
    }
}
