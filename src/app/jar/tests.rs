//! Jars that are written here, and what is seen in them.

use std::io::Write;

use flate2::Compression;
use flate2::write::DeflateEncoder;

use super::class_file::tests::class;
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

const MAIN: (u16, &str, &str) = (0x09, "main", "([Ljava/lang/String;)V");
const OBJECT: &str = "java/lang/Object";

#[test]
fn the_classes_with_a_main_are_found_where_flink_looks() {
    let main = class(0x21, OBJECT, MAIN);
    let hidden = class(0x20, OBJECT, MAIN);
    let scala_object = class(0x31, OBJECT, (0x01, "main", MAIN.2));
    let jar = looked(&[
        (MANIFEST, b"Manifest-Version: 1.0\n"),
        ("org/apache/commons/Tool.class", &main),
        ("a/Outer$Inner.class", &main),
        ("a/Main.class", &main),
        ("a/Main$.class", &scala_object),
        ("a/Hidden.class", &hidden),
        ("a/Other.class", b"\xca\xfe\xba\xbe"),
        ("org/apache/flink/streaming/examples/wordcount/WordCount.class", &main),
        ("META-INF/versions/11/a/Newer.class", &main),
        ("BOOT-INF/classes/a/Boot.class", &main),
        ("lib/nested.jar", &main),
    ]);
    assert_eq!(
        jar.mains(),
        Mains {
            names: [
                "a.Main",
                "org.apache.flink.streaming.examples.wordcount.WordCount",
                "a.Outer$Inner",
                "org.apache.commons.Tool"
            ]
            .map(str::to_owned)
            .to_vec(),
            is_complete: true
        }
    );
    assert_eq!((jar.layout, jar.has_libraries), (Some(Layout::SpringBoot), true));
}

#[test]
fn what_flink_says_of_a_class_is_known_before() {
    let child = class(0x21, "a/Main", (0x09, "run", "()V"));
    let foreign = class(0x21, "b/Base", (0x09, "run", "()V"));
    let jar = looked(&[
        ("a/Main.class", &class(0x21, OBJECT, MAIN)),
        ("a/Child.class", &child),
        ("a/Foreign.class", &foreign),
        ("a/Util.class", &class(0x21, OBJECT, (0x09, "run", "()V"))),
        ("a/Hidden.class", &class(0x20, OBJECT, MAIN)),
        ("a/Odd.class", b"\xca\xfe\xba\xbe"),
        ("BOOT-INF/classes/a/Boot.class", &child),
    ]);
    for (class, startable) in [
        ("a.Main", Startable::Yes),
        ("a.Child", Startable::Yes),
        ("a.Foreign", Startable::Yes),
        ("a.Odd", Startable::Yes),
        ("a.Util", Startable::WithoutMain),
        ("a.Hidden", Startable::NotPublic),
        ("a.Boot", Startable::OutOfReach),
        ("a.main", Startable::Missing),
        ("org.apache.flink.client.python.PythonDriver", Startable::Missing),
    ] {
        assert_eq!(jar.startable(class), startable, "{class}");
    }
}

#[test]
fn a_class_is_known_by_other_spellings() {
    let main = class(0x21, OBJECT, MAIN);
    let jar = looked(&[
        ("a/b/WordCount.class", &main),
        ("a/c/WordCount.class", &main),
        ("a/Outer$Inner.class", &main),
        ("x/WordCount.class", &class(0x21, OBJECT, (0x09, "run", "()V"))),
    ]);
    assert_eq!(jar.spelled_alike("WordCount"), ["a.b.WordCount", "a.c.WordCount"]);
    for spelling in ["a/b/WordCount", "a/b/WordCount.class", "a.b.wordcount", "a/b/WordCount.java"] {
        assert_eq!(jar.spelled_alike(spelling), ["a.b.WordCount"], "{spelling}");
    }
    assert_eq!(jar.spelled_alike("a.Outer.Inner"), ["a.Outer$Inner"]);
    assert_eq!(jar.spelled_alike("inner"), ["a.Outer$Inner"]);
    // In another package, the session may have a class of that name.
    for other in ["com.example.WordCount", "Count", ""] {
        assert_eq!(jar.spelled_alike(other), [""; 0], "{other}");
    }
}

#[test]
fn a_jar_from_a_pipe_is_sent_from_its_start_as_often_as_it_takes() {
    let bytes = std::fs::read(archive(&[("a/Main.class", b"x")]).path()).expect("bytes");
    let jar = Jar::of_spooled(Path::new("-"), spool(&bytes[..]).expect("spooled")).expect("a jar");
    for _ in 0..2 {
        let mut sent = Vec::new();
        jar.open().expect("open").read_to_end(&mut sent).expect("read");
        assert_eq!(sent, bytes);
    }
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
        let error = Jar::look(file.path()).err().expect("no jar").to_string();
        error.split_once(" is no jar: ").map(|(_, why)| why.to_owned()).expect("a reason")
    };
    assert_eq!(why(b""), "it is empty");
    assert_eq!(why(b"#!/bin/sh\n"), "it is a text file");
    assert_eq!(why(b"PK\x03\x04half"), "it is cut off, or damaged: the directory at its end is missing");
    assert_eq!(why(b"\xca\xfe\xba\xbe\x00"), "it is one Java class");
    assert_eq!(why(b"\n<!DOCTYPE html><html>"), "it is a page of HTML");
    assert!(matches!(is_pipe(Path::new("/")), Err(JarError::Directory { .. })));
    assert!(matches!(is_pipe(Path::new("/dev/null")), Err(JarError::Special { .. })));
    assert!(matches!(is_pipe(Path::new("/no/such.jar")), Err(JarError::Read { .. })));
    assert!(matches!(Jar::look(Path::new("/no/such.jar")), Err(JarError::Read { .. })));
}
