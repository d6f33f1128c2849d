//! What is typed behind `submit`: the jar, its class, the settings, and lines as for `flink run`.

use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::jar_names::{Fault, JOB, NO_MAIN, PROGRAMS, Session};
use crate::process::{Ended, command, flink};
use crate::server::Answer;

/// A class file with a method `main(String[])` of this access; 9 is public static.
pub fn class(access: u8) -> Vec<u8> {
    let text = |text: &str| [&[1, 0, text.len() as u8][..], text.as_bytes()].concat();
    let constants =
        [text("main"), text("([Ljava/lang/String;)V"), text("java/lang/Object"), vec![7, 0, 3]].concat();
    let members = [0, 0x21, 0, 4, 0, 4, 0, 0, 0, 0, 0, 1, 0, access, 0, 1, 0, 2, 0, 0, 0, 0];
    [&[0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, 52, 0, 5][..], &constants, &members].concat()
}

/// Writes a jar of these files, uncompressed.
pub fn write_jar(path: &Path, files: &[(&str, &[u8])]) {
    let mut jar = rawzip::ZipArchiveWriter::new(std::fs::File::create(path).expect("file"));
    for (name, content) in files {
        let (mut entry, config) = jar.new_file(name).start().expect("entry");
        let mut writer = config.wrap(&mut entry);
        writer.write_all(content).expect("content");
        let (_, descriptor) = writer.finish().expect("data");
        entry.finish(descriptor).expect("entry");
    }
    jar.finish().expect("archive");
}

const PLAIN: (&str, &[u8]) = ("META-INF/MANIFEST.MF", b"Manifest-Version: 1.0\n");

/// Submits a jar of these files to a session that starts everything.
fn submit(files: &[(&str, &[u8])], words: &[&str]) -> (Ended, Vec<String>) {
    let session = Session::with(|_| None);
    let jar = session.server.home.path().join("of.jar");
    write_jar(&jar, files);
    let ended = session.submit(jar.to_str().expect("UTF-8"), "orders.jar", words);
    (ended, session.server.uploaded())
}

#[test]
fn a_class_without_its_package_is_named_before_the_upload() {
    let main = class(9);
    let files: &[(&str, &[u8])] = &[
        PLAIN,
        ("com/example/wordcount/WordCount.class", &main),
        ("com/example/Clicks.class", &main),
        ("com/example/Util.class", &class(1)),
        ("META-INF/versions/17/com/example/Clicks.class", &main),
    ];
    for spelling in
        ["WordCount", "wordcount", "com/example/wordcount/WordCount", "com.example.wordcount.Wordcount"]
    {
        let (ended, uploaded) = submit(files, &["--class", spelling, "-p", "3", "--", "--topic", "a b"]);
        assert_eq!((ended.code, uploaded.len()), (1, 0), "{ended}");
        assert!(ended.stderr.contains(&format!("error: orders.jar has no class {spelling}\n")), "{ended}");
        let typed = "orders.jar --class com.example.wordcount.WordCount --parallelism 3 --address http://";
        assert!(ended.stderr.contains(typed), "{ended}");
        assert!(ended.stderr.contains(" -- --topic 'a b'\n"), "{ended}");
    }
    // A class without a main is not started.
    let (ended, uploaded) = submit(files, &["--class", "com.example.Util"]);
    assert_eq!((ended.code, uploaded.len()), (1, 0), "{ended}");
    let list = "these classes have a main method: com.example.wordcount.WordCount, com.example.Clicks\n";
    assert!(ended.stderr.contains("which has no method public static void main"), "{ended}");
    assert!(ended.stderr.contains(list), "{ended}");
    // The same without --class.
    let (ended, uploaded) = submit(files, &[]);
    assert_eq!((ended.code, uploaded.len()), (1, 0), "{ended}");
    assert!(ended.stderr.contains(list), "{ended}");
}

/// Flink finds it in the session's lib directory, or says that it does not.
#[test]
fn a_class_that_the_session_may_have_is_not_refused() {
    let main = class(9);
    let files: &[(&str, &[u8])] = &[PLAIN, ("com/example/Clicks.class", &main)];
    for class in ["com.example.Other", "com.other.Clicks", "Other", "Click"] {
        let (ended, uploaded) = submit(files, &["--class", class]);
        assert_eq!((ended.code, uploaded.len()), (0, 1), "{ended}");
        assert!(ended.stderr.contains(&format!("Warning: orders.jar has no class {class}: ")), "{ended}");
        assert!(ended.stderr.contains("com.example.Clicks"), "{ended}");
    }
    // Of Flink itself, or of a jar that the jar brings.
    let (ended, _) = submit(files, &["--class", "org.apache.flink.client.python.PythonDriver"]);
    assert!(ended.code == 0 && !ended.stderr.contains("Warning"), "{ended}");
    let (ended, _) = submit(&[PLAIN, ("lib/orders.jar", b"")], &["--class", "com.example.Inside"]);
    assert!(ended.code == 0 && !ended.stderr.contains("Warning"), "{ended}");
    let inherited: &[(&str, &[u8])] =
        &[PLAIN, ("a/Main.class", &class(9)), ("a/Odd.class", b"\xca\xfe\xba\xbe")];
    assert_eq!(submit(inherited, &["--class", "a.Odd"]).0.code, 0);
}

#[test]
fn a_spring_boot_jar_is_explained() {
    let main = class(9);
    let boot: (&str, &[u8]) = (
        "META-INF/MANIFEST.MF",
        b"Main-Class: org.springframework.boot.loader.launch.JarLauncher\nStart-Class: com.example.App\n",
    );
    let files: &[(&str, &[u8])] = &[
        boot,
        ("org/springframework/boot/loader/launch/JarLauncher.class", &main),
        ("BOOT-INF/classes/com/example/App.class", &main),
        ("BOOT-INF/lib/x.jar", b""),
    ];
    for words in [&[][..], &["--class", "com.example.App"]] {
        let (ended, uploaded) = submit(files, words);
        assert_eq!((ended.code, uploaded.len()), (1, 0), "{ended}");
        assert!(ended.stderr.contains("not from BOOT-INF\n"), "{ended}");
        assert!(ended.stderr.contains("hint: build a plain jar"), "{ended}");
    }
    // Who insists gets it.
    let launcher = "org.springframework.boot.loader.launch.JarLauncher";
    assert_eq!(submit(files, &["--class", launcher]).0.code, 0);
    let (ended, _) = submit(&[PLAIN, ("a/b.py", b"x")], &[]);
    assert!(ended.stderr.contains("there is no Java class in it"), "{ended}");
}

/// Submits what is not the path of a file.
fn typed(jar: &str) -> Ended {
    Session::with(|_| None).server.flink(&["submit", "roc", jar, "--address", "http://127.0.0.1:1"])
}

#[test]
fn an_address_as_jar_gets_the_command_that_reads_it() {
    for (jar, hint) in [
        ("https://host/a.jar", "curl -fL https://host/a.jar | kubectl flink submit roc -"),
        ("https://me:pass@host/a.jar", "curl -fL URL | kubectl flink submit roc -"),
        ("https://host/a.jar?X-Amz-Signature=pass", "curl -fL URL | kubectl flink submit roc -"),
        ("s3://bucket/my jar.jar", "aws s3 cp s3:'//bucket/my jar.jar' - | kubectl flink submit roc -"),
        ("gs://b/a.jar", "gcloud storage cat gs://b/a.jar | kubectl flink submit roc -"),
        ("hdfs:///a.jar", "hdfs dfs -cat hdfs:///a.jar | kubectl flink submit roc -"),
        ("local:///opt/a.jar", "kubectl exec deployment/roc -- cat /opt/a.jar | kubectl flink submit roc -"),
        ("file:///tmp/a.jar", "kubectl flink submit roc /tmp/a.jar"),
    ] {
        let ended = typed(jar);
        assert_eq!(ended.code, 1, "{ended}");
        assert!(ended.stderr.starts_with("error: cannot submit "), "{ended}");
        let way = " --address http://127.0.0.1:1";
        assert!(ended.stderr.ends_with(&format!("hint: {hint}{way}\n")), "{jar}: {ended}");
        assert!(!ended.stderr.contains("pass"), "{ended}");
    }
    assert!(typed("/dev/null").stderr.contains("/dev/null is a device or a socket"));
    assert!(typed("/tmp").stderr.contains("/tmp is a directory"));
    let swapped = flink(&["submit", "orders.jar", "roc"]);
    assert!(swapped.stderr.contains("hint: kubectl flink submit NAME orders.jar -- roc\n"), "{swapped}");
}

/// Submits with the file `of` on stdin.
fn piped(session: &Session, of: &[u8], words: &[&str]) -> Ended {
    let address = format!("http://{}", session.server.address);
    let words = [&["submit", "roc", "--address", &address], words].concat();
    let mut program = command(session.server.home.path(), &words);
    program.env("TMPDIR", session.server.home.path());
    let mut child =
        program.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("program");
    // It may end before it has read everything.
    let _ = child.stdin.take().expect("stdin").write_all(of);
    let output = child.wait_with_output().expect("output");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Ended {
        code: output.status.code().unwrap_or(-1),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}

#[test]
fn a_jar_comes_through_a_pipe_and_leaves_no_file() {
    let jar = std::fs::read(PROGRAMS).expect("jar");
    let session = Session::with(|_| None);
    let before = std::fs::read_dir(session.server.home.path()).expect("home").count();
    let ended = piped(&session, &jar, &["-", "--", "long"]);
    assert_eq!((ended.code, ended.stdout.trim_end()), (0, JOB), "{ended}");
    assert!(ended.stderr.starts_with("uploaded stdin: "), "{ended}");
    assert_eq!(session.server.uploaded().len(), 1);
    assert_eq!(std::fs::read_dir(session.server.home.path()).expect("home").count(), before);
    for (of, why) in [
        (&b""[..], "stdin is no jar: it is empty"),
        (&jar[..jar.len() / 2], "stdin is no jar: it is cut off"),
        (b"<!DOCTYPE html>", "stdin is no jar: it is a page of HTML"),
    ] {
        let ended = piped(&session, of, &["-"]);
        assert!(ended.code == 1 && ended.stderr.contains(why), "{ended}");
    }
}

/// As `<(curl ...)` of a shell makes one.
#[cfg(unix)]
#[test]
fn a_named_pipe_is_read_once() {
    let session = Session::with(|_| None);
    let pipe = session.server.home.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo");
    assert!(made.success());
    let writes = pipe.clone();
    let writer = std::thread::spawn(move || std::fs::write(writes, std::fs::read(PROGRAMS).expect("jar")));
    let address = format!("http://{}", session.server.address);
    let pipe = pipe.to_str().expect("UTF-8");
    let ended = session.server.flink(&["submit", "roc", pipe, "--address", &address]);
    assert_eq!((ended.code, ended.stdout.trim_end()), (0, JOB), "{ended}");
    assert!(writer.join().expect("writer").is_ok());
}

const VERSION: Fault = |line| (line == "GET /overview").then(|| overview("2.3.0"));

fn overview(version: &str) -> Answer {
    (
        200,
        json!({"taskmanagers": 0, "slots-total": 0, "slots-available": 0, "jobs-running": 0, "jobs-finished": 0,
        "jobs-cancelled": 0, "jobs-failed": 0, "flink-version": version, "flink-commit": "x"}),
    )
}

#[test]
fn settings_of_a_job_are_checked_as_those_of_a_session() {
    let submit = |words: &[&str]| {
        let session = Session::with(VERSION);
        let ended = session.submit(PROGRAMS, "orders.jar", words);
        let ran = session.server.writes().into_iter().find(|asked| asked.line.ends_with("/run"));
        (ended, ran.map(|asked| asked.body["flinkConfiguration"].clone()))
    };
    for (setting, words) in [
        (
            "paralelism.default=2",
            "error: -D paralelism.default is not a setting of Flink\nhint: did you mean parallelism.default?",
        ),
        ("pipeline.object-reuse=yes", "error: -D pipeline.object-reuse: \"yes\" is neither true nor false\n"),
        ("execution.checkpointing.interval=10x", "error: -D execution.checkpointing.interval: \"10x\""),
    ] {
        let (ended, ran) = submit(&["-D", setting]);
        assert_eq!((ended.code, &ran), (1, &None), "{ended}");
        assert!(ended.stderr.contains(words) && ended.stderr.contains("--unchecked-config"), "{ended}");
        let (ended, ran) = submit(&["-D", setting, "--unchecked-config"]);
        let (key, value) = setting.split_once('=').expect("a setting");
        assert_eq!((ended.code, &ran.expect("run")[key]), (0, &Value::from(value)), "{ended}");
    }
    // An old name is the one that the version reads first.
    let (ended, ran) = submit(&["-D", "state.checkpoints.dir=s3://b/c", "-D", "com.example.topic=x"]);
    let ran = ran.expect("run");
    assert_eq!((ended.code, &ran["execution.checkpointing.dir"]), (0, &Value::from("s3://b/c")), "{ended}");
    assert_eq!(ran["com.example.topic"], "x");
    let (ended, _) = submit(&["-D", "taskmanager.numberOfTaskSlots=4"]);
    let warning = "Warning: -D taskmanager.numberOfTaskSlots has no effect on one job: ";
    assert!(ended.code == 0 && ended.stderr.contains(warning), "{ended}");
}

fn jobs(state: &str) -> Answer {
    let end = if state == "RUNNING" { -1 } else { 1_767_225_700_000_i64 };
    (
        200,
        json!({"jobs": [{"jid": JOB, "name": "orders", "state": state, "start-time": 1_767_225_600_000_i64,
        "end-time": end, "duration": 1, "tasks": {"total": 1, "running": 1}}]}),
    )
}

/// A session whose job is seen running twice, and then in `state`.
fn with_end(state: &'static str) -> Session {
    static SEEN: std::sync::Mutex<Vec<(String, u32)>> = std::sync::Mutex::new(Vec::new());
    let fault: Fault = match state {
        "FINISHED" => |line| seen(line, "FINISHED"),
        _ => |line| seen(line, "FAILED"),
    };
    fn seen(line: &str, state: &str) -> Option<Answer> {
        let mut seen = SEEN.lock().expect("seen");
        let index = seen.iter().position(|(of, _)| of == state).unwrap_or_else(|| {
            seen.push((state.to_owned(), 0));
            seen.len() - 1
        });
        match line {
            "POST /jars/upload" => {
                seen[index].1 = 0;
                None
            }
            line if line.ends_with("/run") => {
                seen[index].1 = 1;
                None
            }
            "GET /jobs/overview" if seen[index].1 > 0 => {
                seen[index].1 += 1;
                Some(jobs(if seen[index].1 > 3 { state } else { "RUNNING" }))
            }
            line if line.ends_with("/exceptions") => Some((
                200,
                json!({"root-exception": "java.lang.NullPointerException\n\tat a.B.c(B.java:1)\n", "timestamp": 1_767_225_700_000_i64,
                    "all-exceptions": [], "truncated": false}),
            )),
            _ => None,
        }
    }
    Session::with(fault)
}

#[test]
fn json_after_a_wait_has_the_final_state() {
    for (state, code) in [("FINISHED", 0), ("FAILED", 5)] {
        let ended = with_end(state).submit(PROGRAMS, "orders.jar", &["--wait", "-o", "json"]);
        assert_eq!(ended.code, code, "{ended}");
        let job: Value = serde_json::from_str(&ended.stdout).expect("JSON");
        assert_eq!(
            (&job["metadata"]["name"], &job["status"]["state"]),
            (&JOB.into(), &state.into()),
            "{ended}"
        );
    }
    // A script can have the id at once.
    let ended = with_end("FAILED").submit(PROGRAMS, "orders.jar", &["--wait", "-o", "name"]);
    assert_eq!((ended.code, ended.stdout), (5, format!("job/{JOB}\n")));
}

#[test]
fn a_session_without_uploads_is_recognized_in_every_version() {
    const SETTING: &str = "error: session roc takes no jars: web.submit.enable is false\n";
    // All versions say so before, and each in its own way after.
    let before = Session::with(|line| {
        (line == "GET /config").then(|| (200, json!({"features": {"web-submit": false}})))
    });
    let ended = before.submit(PROGRAMS, "a.jar", &[]);
    assert!(ended.code == 1 && ended.stderr.starts_with(SETTING), "{ended}");
    assert_eq!(before.server.uploaded().len(), 0);
    let newer: Fault =
        |line| (line == "POST /jars/upload").then(|| (400, json!({"errors": ["POST request not allowed"]})));
    let older: Fault = |line| (line == "POST /jars/upload").then(|| (404, json!({"errors": ["Not found."]})));
    for after in [newer, older] {
        let ended = Session::with(after).submit(PROGRAMS, "a.jar", &[]);
        assert!(ended.code == 1 && ended.stderr.starts_with(SETTING), "{ended}");
    }
}

#[test]
fn a_program_that_fails_without_a_message_names_its_frame() {
    let session = Session::with(|line| {
        let errors = "org.apache.flink.runtime.rest.handler.RestHandlerException: Could not execute application.\n\tat a.H.h(H.java:1)\n\
            Caused by: java.util.concurrent.CompletionException: org.apache.flink.client.program.ProgramInvocationException: The main method caused an error: null\n\tat a.J.j(J.java:2)\n\
            Caused by: org.apache.flink.client.program.ProgramInvocationException: The main method caused an error: null\n\tat a.P.p(P.java:3)\n\
            Caused by: java.lang.NullPointerException\n\tat com.example.Orders.main(Orders.java:17)\n\t... 4 more\n";
        line.ends_with("/run").then(|| (400, json!({"errors": ["org.apache.flink.runtime.rest.handler.RestHandlerException: Could not execute application.", errors]})))
    });
    let ended = session.submit(PROGRAMS, "a.jar", &[]);
    let why = "  because: NullPointerException at com.example.Orders.main(Orders.java:17)\n";
    assert!(ended.code == 1 && ended.stderr.contains(why), "{ended}");
}

#[test]
fn a_line_as_for_flink_run_gets_the_line_that_is_meant() {
    let meant = |words: &str| {
        let words: Vec<&str> = words.split(' ').collect();
        let ended = flink(&words);
        assert_eq!((ended.code, ended.stdout.as_str()), (1, ""), "{ended}");
        let hint = ended.stderr.lines().find_map(|line| line.strip_prefix("hint: kubectl flink "));
        hint.unwrap_or_else(|| panic!("{ended}")).to_owned()
    };
    for (typed, hint) in [
        ("submit roc a.jar -c Main", "submit roc a.jar --class Main"),
        ("run -c a.B roc a.jar", "submit roc a.jar --class a.B"),
        ("submit roc a.jar -s s3://b/sp", "submit roc a.jar --from-savepoint s3://b/sp"),
        (
            "submit -s /sp/1 -n roc a.jar -p 2",
            "submit roc a.jar --from-savepoint /sp/1 -p 2 --allow-non-restored-state",
        ),
        (
            "submit roc -s /sp/1 -n a.jar",
            "submit roc a.jar --from-savepoint /sp/1 --allow-non-restored-state",
        ),
        (
            "submit roc a.jar --fromSavepoint /sp/1 -n",
            "submit roc a.jar --from-savepoint /sp/1 --allow-non-restored-state",
        ),
        ("submit roc a.jar -d", "submit roc a.jar"),
        ("submit roc a.jar -C file:///x.jar", "submit roc a.jar"),
        ("submit roc a.jar -yn 2 -n team", "submit roc a.jar -n team"),
        ("submit roc a.jar -yD a.b=c -yjm 1g", "submit roc a.jar -D a.b=c"),
        ("submit roc a.jar -rm CLAIM", "submit roc a.jar -D execution.savepoint-restore-mode=CLAIM"),
        ("submit roc -j a.jar -t remote -sae", "submit roc a.jar"),
        ("submit roc a.jar in out", "submit roc a.jar -- in out"),
        ("submit roc a.jar --input x --wait", "submit roc a.jar -- --input x --wait"),
        ("submit roc a.jar -p 2 --output /tmp/x", "submit roc a.jar -p 2 -- --output /tmp/x"),
        ("submit roc a.jar -c Main -- -c x", "submit roc a.jar --class Main -- -c x"),
        ("-n team submit roc a.jar -c Main", "submit roc a.jar -n team --class Main"),
        ("submit a.jar", "submit NAME a.jar"),
        // A hint may end in a log.
        (
            "--token abc submit roc a.jar -c Main --token=abc",
            "submit roc a.jar --token ... --class Main --token=...",
        ),
        (
            "submit roc a.jar -D s3.secret-key=abc --password abc",
            "submit roc a.jar -D s3.secret-key=... -- ARGS",
        ),
    ] {
        assert_eq!(meant(typed), hint, "{typed}");
    }
    let ended = flink(&["submit", "roc", "a.jar", "-C", "file:///x.jar", "-d"]);
    insta::assert_snapshot!(ended, @r"
    exit 1
    --- stdout
    --- stderr
    error: -C of flink run is not a flag of submit
      because: -C: Flink's REST API takes no class path: the classes belong into the jar, or into the image of the session
      because: -d: submit returns once the jobs have started; --wait follows them to their end
    hint: kubectl flink submit roc a.jar
    ");
    // Slips have the parser's words, and kubectl's flags keep their meaning.
    let ended = flink(&["submit", "roc", "a.jar", "--wiat"]);
    assert!(ended.stderr.contains("--wait") && !ended.stderr.contains("come after --"), "{ended}");
    for kubectls in [&["-n", "team"][..], &["-s", "https://host"], &["-s", "host:8080"]] {
        let ended = flink(&[&["submit", "roc", NO_MAIN], kubectls].concat());
        assert!(ended.stderr.contains("names no main class"), "{ended}");
    }
}
