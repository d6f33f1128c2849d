//! A look into a jar before it travels.

mod class_file;

use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use flate2::read::DeflateDecoder;
use rawzip::{CompressionMethod, RECOMMENDED_BUFFER_SIZE, ZipArchive};

use class_file::ClassFile;

/// A program's jar on this machine.
pub struct Jar {
    /// As it was typed.
    pub path: PathBuf,
    /// Without its directories.
    pub name: String,
    /// The class that the manifest names, for Flink or for Java.
    pub main_class: Option<String>,
    /// The Flink that is packed in with it, which the session brings itself.
    pub bundled: Option<Bundled>,
    /// Where an application of this kind has its classes, and Flink finds none.
    pub layout: Option<Layout>,
    /// It brings jars in `lib/`, whose classes Flink loads too (`PackagedProgram.extractContainedLibraries`).
    pub has_libraries: bool,
    classes: Vec<(String, Packed)>,
    archive: Archive,
    /// What was read from a pipe.
    spooled: Option<File>,
}

/// A part of Flink inside a jar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundled {
    pub artifact: String,
    pub version: String,
}

/// A layout that only the application's own launcher or server reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// `BOOT-INF/classes` and `BOOT-INF/lib`.
    SpringBoot,
    /// `WEB-INF/classes` and `WEB-INF/lib`.
    War,
}

/// What Flink will say of a class when it is to start it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Startable {
    /// It starts it; or its `main` is inherited from a class that is not in the jar.
    Yes,
    /// The jar does not have it. It may be in the session's `lib` directory.
    Missing,
    /// It is in a directory of the [`Layout`], which Flink does not read.
    OutOfReach,
    /// It has no `public static void main(String[])`.
    WithoutMain,
    /// It has one, and is not public itself.
    NotPublic,
}

/// Classes that Flink can start.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Mains {
    pub names: Vec<String>,
    /// False when the time was over before every class was read.
    pub is_complete: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum JarError {
    #[error("cannot read {path}: {error}")]
    Read { path: String, error: io::Error },
    #[error("{path} is a directory")]
    Directory { path: String },
    #[error("{path} is a device or a socket, not a file")]
    Special { path: String },
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

/// The largest class file that is read. Java limits a class to 65,535 constants, and generated ones come near.
const LARGEST_CLASS: u64 = 4 << 20;

/// How long classes are searched for a `main`. A jar of 100,000 classes takes longer only on a slow disk.
const SEARCH: Duration = Duration::from_secs(2);

/// So many classes up is a parent looked for.
const ANCESTORS: usize = 16;

/// Where libraries that people pack into their jars have their classes. Their `main`s are searched last.
const LIBRARIES: [&str; 20] = [
    "org.apache.",
    "akka.",
    "ch.qos.",
    "com.amazonaws.",
    "com.codahale.",
    "com.esotericsoftware.",
    "com.fasterxml.",
    "com.google.",
    "com.sun.",
    "io.netty.",
    "javassist.",
    "javax.",
    "kotlin.",
    "net.jpountz.",
    "org.codehaus.",
    "org.eclipse.",
    "org.slf4j.",
    "org.xerial.",
    "scala.",
    "software.amazon.",
];

/// Opens the file for reading.
pub fn open(path: &Path) -> Result<File, JarError> {
    let shown = path.display().to_string();
    File::open(path).map_err(|error| JarError::Read { path: shown, error })
}

/// True for a pipe, which can be read once and from its start to its end only.
///
/// # Errors
/// When nothing is at `path`, or when it can be neither a jar nor a pipe.
pub fn is_pipe(path: &Path) -> Result<bool, JarError> {
    let shown = path.display().to_string();
    let metadata = match std::fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) => return Err(JarError::Read { path: shown, error }),
    };
    match metadata.file_type() {
        of if of.is_file() => Ok(false),
        of if of.is_dir() => Err(JarError::Directory { path: shown }),
        of if is_fifo(of) => Ok(true),
        _ => Err(JarError::Special { path: shown }),
    }
}

#[cfg(unix)]
fn is_fifo(of: std::fs::FileType) -> bool {
    use std::os::unix::fs::FileTypeExt;
    of.is_fifo()
}

#[cfg(not(unix))]
fn is_fifo(_of: std::fs::FileType) -> bool {
    false
}

/// Copies what a pipe gives into a temporary file without a name, which is gone with this process however it ends.
///
/// # Errors
/// When the pipe cannot be read, or the directory for temporary files (`TMPDIR`) cannot be written to or is full.
pub fn spool(mut pipe: impl Read) -> io::Result<File> {
    let mut file = tempfile::tempfile()?;
    io::copy(&mut pipe, &mut file)?;
    Ok(file)
}

impl Jar {
    /// Reads the directory of the archive, and of its files only the few that tell something.
    pub fn look(path: &Path) -> Result<Self, JarError> {
        Self::read(path, open(path)?, None)
    }

    /// The same of what came through a pipe, which is called `path`.
    pub fn of_spooled(path: &Path, file: File) -> Result<Self, JarError> {
        let unreadable = |error| JarError::Read { path: path.display().to_string(), error };
        let spooled = file.try_clone().map_err(unreadable)?;
        let jar = Self::read(path, file, Some(spooled))?;
        // The last part of `/dev/fd/63` says nothing.
        Ok(Self { name: path.display().to_string(), ..jar })
    }

    /// Opens it to be sent, from its first byte on.
    pub fn open(&self) -> Result<File, JarError> {
        let Some(spooled) = &self.spooled else { return open(&self.path) };
        let unreadable = |error| JarError::Read { path: self.path.display().to_string(), error };
        let mut file = spooled.try_clone().map_err(unreadable)?;
        file.rewind().map_err(unreadable)?;
        Ok(file)
    }

    fn read(path: &Path, file: File, spooled: Option<File>) -> Result<Self, JarError> {
        let shown = path.display().to_string();
        let unreadable = |error| JarError::Read { path: shown.clone(), error };
        let start = start_of(&file).map_err(unreadable)?;
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let no_jar = |why: String| JarError::NoJar { path: shown.clone(), why };
        let mut buffer = vec![0; RECOMMENDED_BUFFER_SIZE];
        let archive = ZipArchive::from_file(file, &mut buffer).map_err(|_| no_jar(what_it_is(&start)))?;
        let mut jar = Self {
            path: path.to_owned(),
            name: name.unwrap_or_default(),
            main_class: None,
            bundled: None,
            layout: None,
            has_libraries: false,
            classes: Vec::new(),
            archive,
            spooled,
        };
        jar.read_directory(&mut buffer).map_err(|error| no_jar(error.to_string()))?;
        Ok(jar)
    }

    fn read_directory(&mut self, buffer: &mut [u8]) -> Result<(), rawzip::Error> {
        let archive = &self.archive;
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
            } else if let Some(class) = path.strip_suffix(".class") {
                self.classes.push((class.replace('/', "."), file));
            }
            self.has_libraries |= path.starts_with("lib/") && path.ends_with(".jar");
            self.layout = self.layout.or_else(|| Layout::of(path));
        }
        Ok(())
    }

    /// True when there is no Java class in it, and no jar that Flink would unpack.
    pub fn is_without_classes(&self) -> bool {
        self.classes.is_empty() && !self.has_libraries
    }

    /// What Flink will say of `class`, by its name in Java: `a.b.Outer$Inner`.
    pub fn startable(&self, class: &str) -> Startable {
        let Some(first) = self.class(class) else {
            let is_packed = |(name, _): &&(String, Packed)| {
                let of = Layout::ALL.iter().find_map(|layout| name.strip_prefix(layout.classes()));
                of == Some(class)
            };
            let is_out_of_reach = self.classes.iter().any(|class| is_packed(&class));
            return if is_out_of_reach { Startable::OutOfReach } else { Startable::Missing };
        };
        let is_public = first.as_ref().is_none_or(|first| first.is_public);
        let mut of = first;
        for _ in 0..ANCESTORS {
            match of {
                Some(ClassFile { has_main: true, .. }) if is_public => return Startable::Yes,
                Some(ClassFile { has_main: true, .. }) => return Startable::NotPublic,
                Some(ClassFile { parent: None, .. }) => return Startable::WithoutMain,
                Some(ClassFile { parent: Some(parent), .. }) => match self.class(&parent) {
                    Some(next) => of = next,
                    None => return Startable::Yes,
                },
                // What cannot be read here is left to Flink.
                None => return Startable::Yes,
            }
        }
        Startable::Yes
    }

    /// The class of this name: none when the jar has none, and none in it when its file cannot be read.
    fn class(&self, name: &str) -> Option<Option<ClassFile>> {
        let (_, file) = self.classes.iter().find(|(other, _)| other == name)?;
        Some(self.parsed(file))
    }

    fn parsed(&self, file: &Packed) -> Option<ClassFile> {
        ClassFile::parse(&bytes_of(&self.archive, file, LARGEST_CLASS)?)
    }

    /// The classes that Flink can start, those of the program in front of those of well-known libraries.
    pub fn mains(&self) -> Mains {
        let mut classes: Vec<_> = self.reachable().collect();
        classes.sort_by_key(|(name, _)| {
            let is_library = LIBRARIES.iter().any(|prefix| name.starts_with(prefix));
            (is_library && !name.contains(".examples."), name.contains('$'))
        });
        let end = Instant::now() + SEARCH;
        let mut mains = Mains { names: Vec::new(), is_complete: true };
        for (name, file) in classes {
            if Instant::now() > end {
                mains.is_complete = false;
                break;
            }
            if self.parsed(file).is_some_and(|class| class.has_main && class.is_public) {
                mains.names.push(name.clone());
            }
        }
        mains
    }

    /// The classes that Flink can start, and that `class` is another spelling of: without the package, in another case,
    /// with slashes, as a file.
    pub fn spelled_alike(&self, class: &str) -> Vec<String> {
        let plain = |name: &str| name.to_lowercase().replace(['/', '$'], ".");
        let asked = [".class", ".java", ".scala", ".kt"].iter().find_map(|end| class.strip_suffix(end));
        let asked = plain(asked.unwrap_or(class));
        let is_alike = |name: &str| {
            let name = plain(name);
            name == asked || !asked.contains('.') && name.rsplit('.').next() == Some(&asked)
        };
        let alike = self.reachable().filter(|(name, _)| is_alike(name));
        let starts = |file: &Packed| self.parsed(file).is_some_and(|class| class.has_main && class.is_public);
        alike.filter(|(_, file)| starts(file)).map(|(name, _)| name.clone()).collect()
    }

    /// The classes in the places where Java looks for them. `META-INF/versions` has only other versions of them.
    fn reachable(&self) -> impl Iterator<Item = &(String, Packed)> {
        self.classes.iter().filter(|(name, _)| !name.contains("-INF."))
    }
}

impl Layout {
    const ALL: [Self; 2] = [Self::SpringBoot, Self::War];

    fn of(path: &str) -> Option<Self> {
        match path.split_once('/')?.0 {
            "BOOT-INF" => Some(Self::SpringBoot),
            "WEB-INF" => Some(Self::War),
            _ => None,
        }
    }

    /// What the names of its classes begin with, read as Java's.
    fn classes(self) -> &'static str {
        match self {
            Self::SpringBoot => "BOOT-INF.classes.",
            Self::War => "WEB-INF.classes.",
        }
    }

    /// True for the class in the manifest of such an application, which makes a class path of its own.
    pub fn is_launcher(class: &str) -> bool {
        class.starts_with("org.springframework.boot.loader.")
    }
}

type Archive = ZipArchive<rawzip::FileReader>;

/// A file of the archive.
struct Packed {
    wayfinder: rawzip::ZipArchiveEntryWayfinder,
    method: CompressionMethod,
    bytes: u64,
}

fn bytes_of(archive: &Archive, file: &Packed, longest: u64) -> Option<Vec<u8>> {
    let entry = archive.get_entry(file.wayfinder).ok()?;
    let limit = file.bytes.min(longest);
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
    bytes_of(archive, file, LONGEST_TEXT).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
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

/// How the file begins.
fn start_of(file: &File) -> io::Result<Vec<u8>> {
    let mut reader = file;
    reader.rewind()?;
    let mut start = Vec::new();
    reader.take(64).read_to_end(&mut start)?;
    reader.rewind()?;
    Ok(start)
}

/// What a file is that is no archive, by how it begins.
fn what_it_is(start: &[u8]) -> String {
    let is_text = start.iter().all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace());
    let begins = |word: &str| start.trim_ascii_start().to_ascii_lowercase().starts_with(word.as_bytes());
    match start {
        [] => "it is empty",
        [b'P', b'K', ..] => "it is cut off, or damaged: the directory at its end is missing",
        [0xca, 0xfe, 0xba, 0xbe, ..] => "it is one Java class",
        [0x1f, 0x8b, ..] => "it is a gzip file",
        _ if begins("<!doctype") || begins("<html") => "it is a page of HTML",
        _ if begins("version https://git-lfs") => "it is a pointer of Git LFS (git lfs pull)",
        _ if is_text => "it is a text file",
        _ => "it is no zip archive",
    }
    .to_owned()
}

#[cfg(test)]
mod tests;
