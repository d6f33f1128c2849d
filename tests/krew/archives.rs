//! The archives themselves: their rules, and that what is in them runs.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::lab::{ROOT, VERSION, archive_for, archives, dist, own_archive, pack, run, unpacked};

#[test]
fn every_archive_keeps_the_rules() {
    let told = run(dist("check").args(archives())).good().stdout;
    assert_eq!(told.lines().count(), archives().len(), "{told}");
}

#[test]
fn an_archive_that_breaks_a_rule_is_named_with_the_rule() {
    broken(
        "LICENSE is missing",
        |dir| fs::remove_file(dir.join("LICENSE")),
        "holds NOTICE, kubectl-flink instead of",
    );
    broken(
        "NOTICE is missing",
        |dir| fs::remove_file(dir.join("NOTICE")),
        "holds LICENSE, kubectl-flink instead of",
    );
    broken(
        "another notice",
        |dir| fs::write(dir.join("NOTICE"), "none"),
        "NOTICE is not that of the project",
    );
    broken(
        "a file is too much",
        |dir| fs::write(dir.join("README"), ""),
        "holds LICENSE, NOTICE, README, kubectl-flink",
    );
    broken(
        "the program cannot be run",
        |dir| fs::set_permissions(dir.join("kubectl-flink"), fs::Permissions::from_mode(0o644)),
        "kubectl-flink has the mode 0644 instead of 0755",
    );
    broken(
        "a link",
        |dir| {
            fs::remove_file(dir.join("LICENSE")).and_then(|()| symlink("kubectl-flink", dir.join("LICENSE")))
        },
        "LICENSE is no plain file",
    );
    broken(
        "another licence",
        |dir| fs::write(dir.join("LICENSE"), "none"),
        "LICENSE is not that of the project",
    );
    broken(
        "no program",
        |dir| fs::write(dir.join("kubectl-flink"), "none"),
        "the program is no 64-bit ELF file",
    );
    broken(
        "a program that needs shared libraries",
        |dir| fs::copy("/bin/sh", dir.join("kubectl-flink")).map(drop),
        "the program is not static: it asks for a dynamic loader",
    );
    broken(
        "a place of this machine",
        |dir| {
            let mut program = fs::read(dir.join("kubectl-flink"))?;
            program.extend(format!("{ROOT}/src/main.rs").bytes());
            fs::write(dir.join("kubectl-flink"), program)
        },
        "the program names a place of this machine",
    );
    broken(
        "too large",
        |dir| {
            // What cannot be compressed.
            let mut program = fs::read(dir.join("kubectl-flink"))?;
            let mut state = 1_u64;
            program.extend((0..6_000_000).map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 56) as u8
            }));
            fs::write(dir.join("kubectl-flink"), program)
        },
        "more than 6000000",
    );
}

/// Breaks a copy of the archive, tells tar to pack it as it is, and looks for the rule.
fn broken(what: &str, change: impl FnOnce(&Path) -> std::io::Result<()>, rule: &str) {
    let (content, out) = (beginning(), tempfile::tempdir().expect("a directory"));
    change(content.path()).expect(what);
    let archive = out.path().join(format!("kubectl-flink_{VERSION}_linux_{}.tar.gz", own_machine()));
    let mut tar = Command::new("tar");
    tar.args(["--owner=0", "--group=0", "--numeric-owner", "--mtime=@0", "--sort=name"]);
    // The names without "./", as in a release.
    tar.arg("-C").arg(content.path()).arg("-czf").arg(&archive).args(names(&content));
    run(&mut tar).good();
    let told = run(dist("check").arg(&archive));
    assert_eq!(told.stderr.lines().count(), 1, "{what}: {}", told.stderr);
    told.refused_because(rule);
}

/// What is in the archive, with the beginning of the program alone: tar compresses the whole one to more than a release
/// may have.
fn beginning() -> TempDir {
    let content = unpacked(&own_archive());
    let program = fs::File::options().write(true).open(content.path().join("kubectl-flink"));
    program.and_then(|program| program.set_len(1 << 20)).expect("the beginning of the program");
    content
}

fn names(dir: &TempDir) -> Vec<std::ffi::OsString> {
    let entries = fs::read_dir(dir.path()).expect("a directory");
    entries.map(|entry| entry.expect("an entry").file_name()).collect()
}

fn own_machine() -> &'static str {
    if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" }
}

#[test]
fn another_owner_another_machine_and_another_name_are_named() {
    let (content, out) = (beginning(), tempfile::tempdir().expect("a directory"));
    let pack_as = |name: &str, owner: &str| {
        let archive = out.path().join(name);
        let mut tar = Command::new("tar");
        tar.args([owner, "--group=0", "--numeric-owner", "--mtime=@0", "-czf"]).arg(&archive);
        run(tar.arg("-C").arg(content.path()).args(["LICENSE", "NOTICE", "kubectl-flink"])).good();
        run(dist("check").arg(archive))
    };
    let own = format!("kubectl-flink_{VERSION}_linux_{}.tar.gz", own_machine());
    pack_as(&own, "--owner=0").good();
    pack_as(&own, "--owner=1000").refused_because("does not belong to root");
    let other = if own_machine() == "amd64" { "arm64" } else { "amd64" };
    pack_as(&own.replace(own_machine(), other), "--owner=0").refused_because(&format!("is not for {other}"));
    pack_as("kubectl-flink.tar.gz", "--owner=0")
        .refused_because("is not called kubectl-flink_vX.Y.Z_OS_ARCH");
}

#[test]
fn the_same_files_give_the_same_archive_whoever_packs_them_and_when() {
    let out = tempfile::tempdir().expect("a directory");
    let content = unpacked(&own_archive());
    let (program, licence) = (content.path().join("kubectl-flink"), content.path().join("LICENSE"));
    for ending in ["tar.gz", "zip"] {
        let [one, two] = ["one", "two"].map(|name| out.path().join(format!("{name}.{ending}")));
        pack(content.path(), &one);
        fs::set_permissions(&program, fs::Permissions::from_mode(0o600)).expect("another mode");
        fs::File::open(&licence)
            .and_then(|file| file.set_modified(std::time::UNIX_EPOCH))
            .expect("another time");
        pack(content.path(), &two);
        assert!(fs::read(one).expect("an archive") == fs::read(two).expect("an archive"), "{ending} differs");
    }
}

#[test]
fn a_zip_for_windows_has_the_modes_and_names_that_krew_needs() {
    let out = tempfile::tempdir().expect("a directory");
    let content = beginning();
    let archive = out.path().join(format!("kubectl-flink_{VERSION}_windows_amd64.zip"));
    pack(content.path(), &archive);
    // All is right but for the program, which is Linux's.
    let told = run(dist("check").arg(archive));
    assert_eq!(told.stderr.lines().count(), 1, "{}", told.stderr);
    told.refused_because("the program is no PE file");
}

#[test]
fn the_program_for_this_machine_is_static_and_runs() {
    let content = unpacked(&own_archive());
    let program = content.path().join("kubectl-flink");
    let linked = run(Command::new("ldd").arg(&program));
    let said = format!("{}{}", linked.stdout, linked.stderr);
    assert!(said.contains("statically linked") || said.contains("not a dynamic executable"), "{said}");
    assert_says_its_version(&mut Command::new(program));
}

/// Under emulation, where this machine is another.
#[test]
fn the_program_for_arm64_runs() {
    let Some(archive) = archive_for("linux_arm64") else {
        let wanted = std::env::var("PLATFORMS").expect("PLATFORMS: the archives that were built");
        assert!(!wanted.contains("linux/arm64"), "the archive for arm64 is missing");
        return;
    };
    let content = unpacked(&archive);
    let mut command = Command::new("qemu-aarch64-static");
    assert_says_its_version(command.arg(content.path().join("kubectl-flink")));
}

fn assert_says_its_version(program: &mut Command) {
    // No time zone, no certificates, no home: it starts all the same.
    let told = run(program.env_clear().args(["version", "--client"])).good().stdout;
    assert!(told.starts_with(&format!("Client Version: {VERSION}\n")), "{told}");
}
