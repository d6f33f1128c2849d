//! The Job, and its script against a made-up image.

use std::process::Command;

use super::*;
use crate::session::manifest::pod_template::PodTemplate;
use crate::session::spec::settings::Settings;
use crate::session::spec::tests::{spec, with};

#[test]
fn the_job_tries_once_and_is_restricted() {
    let job = job(&spec(), "team-a", Duration::from_secs(300), size::usual());
    // The script and the settings have tests of their own.
    let mut value = serde_json::to_value(&job).expect("serializable");
    let container = &mut value["spec"]["template"]["spec"]["containers"][0];
    container["command"][2] = "(bootstrap.sh)".into();
    container["args"] = "(settings)".into();
    insta::assert_snapshot!(serde_json::to_string_pretty(&value).expect("json"));
}

#[test]
fn the_job_lives_at_least_as_long_as_the_wait() {
    let deadline = |secs| {
        job(&spec(), "team-a", Duration::from_secs(secs), size::usual())
            .spec
            .and_then(|s| s.active_deadline_seconds)
    };
    assert_eq!(deadline(1), Some(600));
    assert_eq!(deadline(3600), Some(3600));
}

/// A made-up image with these jars, whose client is a script. HOME in it is the directory of the image.
fn image(jars: &[&str], client: &str) -> tempfile::TempDir {
    let home = tempfile::tempdir().expect("scratch directory");
    std::fs::create_dir_all(home.path().join("lib")).expect("lib");
    std::fs::create_dir_all(home.path().join("bin")).expect("bin");
    std::fs::create_dir_all(home.path().join("conf")).expect("conf");
    std::fs::write(home.path().join("conf/flink-conf.yaml"), "shipped: true\n").expect("conf");
    std::fs::create_dir_all(home.path().join("opt")).expect("opt");
    for plugin in ["s3-fs-hadoop", "s3-fs-presto"] {
        std::fs::write(home.path().join(format!("opt/flink-{plugin}-2.3.0.jar")), "").expect("plugin");
    }
    for jar in jars {
        std::fs::write(home.path().join("lib").join(jar), "").expect("jar");
    }
    let path = home.path().join("bin/kubernetes-session.sh");
    std::fs::write(&path, client.replace("HOME", &home.path().to_string_lossy())).expect("client");
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&path, executable).expect("mode");
    home
}

/// The script in that image.
fn script(home: &tempfile::TempDir, spec: &SessionSpec) -> Command {
    let below = |name: &str| home.path().join(name).to_string_lossy().into_owned();
    for (path, text) in files::all(spec) {
        let path = home.path().join("given").join(path);
        std::fs::create_dir_all(path.parent().expect("directory")).expect("given");
        std::fs::write(path, text).expect("given");
    }
    let words = arguments(spec, "team-a").into_iter().map(|word| match word.as_str() {
        FILES => below("files"),
        files::DIRECTORY => below("given"),
        _ => word,
    });
    let mut command = Command::new("bash");
    command.args(["-c", SCRIPT, "bootstrap"]).args(words).env("FLINK_HOME", home.path());
    command.env_remove("LC_ALL").env_remove("LC_CTYPE").env("LANG", "C.UTF-8");
    command
}

/// Runs the script against a made-up image whose client prints its arguments and its files.
fn run(jars: &[&str], spec: &SessionSpec) -> (i32, String) {
    let client = "#!/bin/sh\nprintf '%s\\n' \"$@\"\ngrep -r '' HOME/files\necho conf=${FLINK_CONF_DIR-}\n";
    let home = image(jars, client);
    let output = script(&home, spec).output().expect("bash");
    let text = String::from_utf8_lossy(&output.stdout).replace(&*home.path().to_string_lossy(), "HOME");
    (output.status.code().unwrap_or(-1), text)
}

#[test]
fn the_jar_decides_the_keys() {
    let sized = with(Settings {
        image: Some("mine".to_owned()),
        jobmanager_cpu: "0.5".parse().ok(),
        ..Settings::default()
    });
    for (jar, keys) in [
        (
            "flink-dist_2.11-1.10.3.jar",
            ["kubernetes.container.image=", "jobmanager.heap.size=", "kubernetes.jobmanager.cpu="],
        ),
        (
            "flink-dist_2.12-1.14.6.jar",
            ["kubernetes.container.image=", "kubernetes.service-account=", "kubernetes.jobmanager.cpu="],
        ),
        (
            "flink-dist-1.16.3.jar",
            ["kubernetes.container.image=", "jobmanager.memory.process.size=", "kubernetes.jobmanager.cpu="],
        ),
        (
            "flink-dist-1.17.2.jar",
            [
                "kubernetes.container.image.ref=",
                "kubernetes.service-account=",
                "kubernetes.jobmanager.cpu.amount=",
            ],
        ),
        (
            "flink-dist-2.3.0.jar",
            [
                "kubernetes.container.image.ref=",
                "kubernetes.service-account=",
                "kubernetes.jobmanager.cpu.amount=",
            ],
        ),
        (
            "flink-dist-3.0-SNAPSHOT.jar",
            [
                "kubernetes.container.image.ref=",
                "kubernetes.service-account=",
                "kubernetes.jobmanager.cpu.amount=",
            ],
        ),
    ] {
        let (code, output) = run(&[jar], &sized);
        assert_eq!(code, 0, "{jar}: {output}");
        for key in keys {
            assert_eq!(output.matches(&format!("-D{key}")).count(), 1, "{jar}: {key} in {output}");
        }
        assert_eq!(output.matches("-Dkubernetes.cluster-id=roc").count(), 1, "{jar}: {output}");
        assert!(!output.contains('@'), "{jar}: {output}");
    }
}

#[test]
fn values_reach_the_client_to_the_letter() {
    let nasty = "a b;$(touch x) 'q' \"d\" @1010 =\\";
    let config = [("my.key".to_owned(), nasty.to_owned())].into();
    let spec = with(Settings { config, ..Settings::default() });
    let (code, output) = run(&["flink-dist-2.3.0.jar"], &spec);
    assert_eq!(code, 0);
    assert!(output.contains(&format!("-Dmy.key={nasty}\n")), "{output}");
}

/// The variables of the bootstrap container.
fn variables(container: &Container) -> Vec<(&str, &str)> {
    let all = container.env.iter().flatten();
    all.map(|variable| (variable.name.as_str(), variable.value.as_deref().unwrap_or_default())).collect()
}

#[test]
fn kubernetes_changes_nothing_on_the_way() {
    let text = |text: &str| [("my.key".to_owned(), text.to_owned())].into();
    let pair = |name: &str, text: &str| [(name.to_owned(), text.to_owned())].into();
    let spec = with(Settings {
        config: text("pa$$word $(JVM_ARGS) $"),
        env: pair("A", "x$$ $(JVM_ARGS)"),
        log_configuration: pair("log4j.properties", "$${ctx:flink-job-id} $(JVM_ARGS)\n"),
        pod_template: PodTemplate::parse("metadata: {annotations: {a: '$$ $(JVM_ARGS)'}}").ok(),
        ..Settings::default()
    });
    let job = job(&spec, "team-a", Duration::from_secs(1), size::usual());
    let template = job.spec.expect("spec").template;
    let pod = template.spec.expect("pod");
    let container = &pod.containers[0];
    let expanded = |word: &String| expansion::expanded(word, &variables(container));
    let words: Vec<String> = container.args.iter().flatten().map(expanded).collect();
    assert_eq!(words, arguments(&spec, "team-a"));
    assert!(words.contains(&"-Dmy.key=pa$$word $(JVM_ARGS) $".to_owned()), "{words:?}");
    // Kubernetes expands it once more in the pods of the session.
    let of_pods = "-Dcontainerized.taskmanager.env.A=x$$$$ $$(JVM_ARGS)";
    assert!(words.contains(&of_pods.to_owned()), "{words:?}");
    // The script has `$(...)` of its own, none of which is called as a variable is.
    let command: Vec<String> = container.command.iter().flatten().map(expanded).collect();
    assert_eq!(Some(command), container.command);
    // Files are annotations, which nothing expands, and which the volume shows under their names.
    let annotations = template.metadata.and_then(|metadata| metadata.annotations).expect("annotations");
    let volumes = pod.volumes.iter().flatten().filter_map(|volume| volume.downward_api.as_ref());
    let shown = volumes.flat_map(|volume| volume.items.iter().flatten()).map(|item| {
        let field = &item.field_ref.as_ref().expect("field").field_path;
        let name = field.strip_prefix("metadata.annotations['").and_then(|field| field.strip_suffix("']"));
        (item.path.clone(), annotations[name.expect("an annotation")].clone())
    });
    assert_eq!(shown.collect::<Vec<_>>(), files::all(&spec));
    assert_eq!(files::all(&spec).len(), 2);
}

#[test]
fn the_variables_of_a_manifest_are_in_kubernetes_syntax_already() {
    let key = "containerized.master.env.A";
    let layer = |source| {
        let config = [(key.to_owned(), "$(B) $$".to_owned())].into();
        let settings = Settings { config, ..Settings::default() };
        crate::session::spec::settings::Layer { source, settings, ..Default::default() }
    };
    let value = |source| {
        let spec = SessionSpec::resolve("roc".parse().expect("name"), vec![layer(source)], true);
        let spec = spec.expect("settings");
        spec.flink_settings(spec.expected_dialect(), "team-a").expect("settings")[key].clone()
    };
    use crate::session::spec::settings::Source;
    assert_eq!(value(Source::Flags), "$$(B) $$$$");
    assert_eq!(value(Source::Defaults), "$$(B) $$$$");
    assert_eq!(value(Source::Manifest("roc.yaml".to_owned())), "$(B) $$");
}

#[test]
fn an_image_that_cannot_do_it_is_refused_before_the_client_runs() {
    let expecting = |version: &str| {
        let mut spec = with(Settings { image: Some("mine".to_owned()), ..Settings::default() });
        spec.settings.flink_version = version.parse().ok();
        spec
    };
    insta::assert_debug_snapshot!([
        run(&[], &spec()),
        run(&["flink-dist-2.3.0.jar", "flink-dist-1.20.5.jar"], &spec()),
        run(&["flink-dist-custom.jar"], &spec()),
        run(&["flink-dist-2.x.jar"], &spec()),
        run(&["flink-dist_2.11-1.9.3.jar"], &spec()),
        run(&["flink-dist-1.20.5.jar"], &expecting("2.3")),
        run(&["flink-dist-1.20.5.jar"], &expecting("1.2")),
    ]);
    assert_eq!(run(&["flink-dist-1.20.5.jar"], &expecting("1.20")).0, 0);
    assert_eq!(run(&["flink-dist-1.20.5.jar"], &expecting("1.20.5")).0, 0);
    assert_eq!(run(&["flink-dist-1.20-SNAPSHOT.jar"], &expecting("1.20")).0, 0);
}

#[test]
fn what_the_images_flink_cannot_do_is_refused_by_the_script() {
    let refused = |jar: &str, settings: Settings| {
        run(&[jar], &with(Settings { image: Some("mine".to_owned()), ..settings }))
    };
    let template = || PodTemplate::parse("spec: {containers: []}").ok();
    insta::assert_debug_snapshot!([
        refused("flink-dist_2.11-1.10.3.jar", Settings { pod_template: template(), ..Settings::default() }),
        refused("flink-dist-1.18.1.jar", Settings { min_slots: Some(2), ..Settings::default() }),
        refused("flink-dist-2.3.0.jar", Settings { plugins: vec!["gs".to_owned()], ..Settings::default() }),
        refused("flink-dist-1.20.5.jar", Settings { plugins: vec!["gs".to_owned()], ..Settings::default() }),
    ]);
}

#[test]
fn what_the_images_flink_would_lose_is_refused_by_the_script() {
    let spec = with(Settings {
        image: Some("mine".to_owned()),
        env: [("PASSWORD".to_owned(), "secret #1".to_owned())].into(),
        ..Settings::default()
    });
    insta::assert_debug_snapshot!(
        [
            "flink-dist_2.11-1.10.3.jar",
            "flink-dist-1.18.1.jar",
            "flink-dist-1.19.3.jar",
            "flink-dist-1.20.5.jar"
        ]
        .map(|jar| run(&[jar], &spec))
    );
    // The file of older versions counts for nothing from 2.0 on.
    let (code, output) = run(&["flink-dist-2.3.0.jar"], &spec);
    assert_eq!(code, 0, "{output}");
    assert!(output.contains("-Dcontainerized.taskmanager.env.PASSWORD=secret #1\n"), "{output}");
    // Without it, 1.19 keeps its settings in config.yaml.
    let home = image(&["flink-dist-1.19.3.jar"], "#!/bin/sh\nprintf '%s\\n' \"$@\"\n");
    std::fs::remove_file(home.path().join("conf/flink-conf.yaml")).expect("conf");
    let output = script(&home, &spec).output().expect("bash");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        text.contains("-Dcontainerized.master.env.PASSWORD=secret #1\n") && !text.contains('~'),
        "{text}"
    );
}

#[test]
fn an_image_without_a_utf_8_locale_gets_one() {
    let client = "#!/bin/sh\nprintf '%s\\n' \"$@\"\necho locale=${LC_ALL-}/${LC_CTYPE-}/${LANG-}\n";
    let run = |spec: &SessionSpec, variables: &[(&str, &str)]| {
        let home = image(&["flink-dist-2.3.0.jar"], client);
        let output = script(&home, spec).env_remove("LANG").envs(variables.iter().copied()).output();
        let text = String::from_utf8(output.expect("bash").stdout).expect("text");
        let lines = text.lines().filter(|line| line.contains("locale=") || line.contains(".env."));
        lines.map(|line| line.trim_start_matches("-Dcontainerized.").to_owned()).collect::<Vec<_>>()
    };
    let of_pods = ["master.env.LANG=C.UTF-8", "taskmanager.env.LANG=C.UTF-8"];
    assert_eq!(run(&spec(), &[]), [&of_pods[..], &["locale=//C.UTF-8"]].concat());
    assert_eq!(run(&spec(), &[("LANG", "POSIX")]), [&of_pods[..], &["locale=//C.UTF-8"]].concat());
    // One that counts more than LANG.
    let of_pods = ["master.env.LC_ALL=C.UTF-8", "taskmanager.env.LC_ALL=C.UTF-8"];
    for (variable, locale) in [("LC_ALL", "locale=C.UTF-8//"), ("LC_CTYPE", "locale=C.UTF-8/C/")] {
        assert_eq!(run(&spec(), &[(variable, "C")]), [&of_pods[..], &[locale]].concat());
    }
    // What the image has is good.
    assert_eq!(run(&spec(), &[("LANG", "en_US.UTF-8")]), ["locale=//en_US.UTF-8"]);
    assert_eq!(run(&spec(), &[("LC_ALL", "de_DE.utf8"), ("LANG", "C")]), ["locale=de_DE.utf8//C"]);
    // What the user sets for the pods, which the client has nothing to do with.
    let env = [("LANG".to_owned(), "tr_TR".to_owned())].into();
    let own = with(Settings { env, ..Settings::default() });
    let of_user = ["master.env.LANG=tr_TR", "taskmanager.env.LANG=tr_TR"];
    assert_eq!(run(&own, &[]), [&of_user[..], &["locale=//C.UTF-8"]].concat());
}

#[test]
fn files_and_plugins_reach_the_client() {
    let settings = Settings {
        jobmanager_pod_template: PodTemplate::parse("spec: {hostNetwork: true}").ok(),
        plugins: vec!["s3-fs-presto".to_owned(), "s3-fs-hadoop".to_owned()],
        log_configuration: [("log4j-console.properties".to_owned(), "rootLogger.level = INFO\n".to_owned())]
            .into(),
        ..Settings::default()
    };
    let (code, output) = run(&["flink-dist-2.3.0.jar"], &with(settings));
    assert_eq!(code, 0, "{output}");
    for part in [
        "-Dkubernetes.pod-template-file.jobmanager=/tmp/kubectl-flink/jobmanager-pod-template.yaml\n",
        "\"hostNetwork\":true",
        "-Dcontainerized.master.env.ENABLE_BUILT_IN_PLUGINS=flink-s3-fs-presto-2.3.0.jar;flink-s3-fs-hadoop-2.3.0.jar\n",
        "-Dcontainerized.taskmanager.env.ENABLE_BUILT_IN_PLUGINS=flink-s3-fs-presto-2.3.0.jar;",
        "/files/conf/log4j-console.properties:rootLogger.level = INFO\n",
        "/files/conf/flink-conf.yaml:shipped: true\n",
        "conf=HOME/files/conf\n",
    ] {
        assert!(output.contains(part), "{part} in {output}");
    }
}

#[test]
fn a_job_made_by_hand_is_recognised_by_what_it_runs() {
    let words = |text: &[&str]| text.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let roc = spec().name;
    assert!(is_client_for(&roc, &words(&["./bin/kubernetes-session.sh", "-Dkubernetes.cluster-id=roc"])));
    assert!(is_client_for(
        &roc,
        &words(&[
            "bash",
            "-c",
            "/opt/flink/bin/kubernetes-session.sh \\\n -Dkubernetes.cluster-id=roc -Da=b"
        ])
    ));
    assert!(!is_client_for(&roc, &words(&["kubernetes-session.sh", "-Dkubernetes.cluster-id=roc2"])));
    assert!(!is_client_for(&roc, &words(&["backup.sh", "-Dkubernetes.cluster-id=roc"])));
}

/// A process that the client starts, as it starts Java, and that would work on.
const CLIENT: &str =
    "#!/bin/bash\necho begun >HOME/begun\n(trap '' TERM; sleep 2; echo made >HOME/made) &\nwait\n";

#[test]
fn a_signal_ends_the_client_and_what_it_has_started() {
    for signal in ["-TERM", "-INT", "-HUP", "-QUIT"] {
        let home = image(&["flink-dist-2.3.0.jar"], CLIENT);
        let mut child = script(&home, &spec()).spawn().expect("bash");
        let began = std::time::Instant::now();
        while !home.path().join("begun").exists() {
            assert!(began.elapsed() < Duration::from_secs(10));
            std::thread::sleep(Duration::from_millis(10));
        }
        let stopped = std::time::Instant::now();
        let pid = child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().expect("kill").success());
        let status = child.wait().expect("status");
        assert_eq!(status.code(), Some(143), "{signal}");
        assert!(stopped.elapsed() < Duration::from_secs(1), "{signal}: {:?}", stopped.elapsed());
        std::thread::sleep(Duration::from_secs(3));
        assert!(!home.path().join("made").exists(), "{signal}");
    }
}

#[test]
fn the_exit_code_of_the_client_is_that_of_the_script() {
    for code in [0, 1, 239] {
        let home = image(&["flink-dist-2.3.0.jar"], &format!("#!/bin/sh\nexit {code}\n"));
        let output = script(&home, &spec()).output().expect("bash");
        assert_eq!(output.status.code(), Some(code));
        // The end of the log is what a failure is explained by.
        assert_eq!((output.stdout, output.stderr), (Vec::new(), Vec::new()));
    }
}

/// What the script makes of an API server that answers `status` for the Deployment.
fn run_where_the_name_answers(status: &str) -> (i32, String) {
    let home = image(&["flink-dist-2.3.0.jar"], "#!/bin/sh\nprintf '%s\\n' \"$@\"\n");
    let at = |name: &str| home.path().join(name);
    std::fs::write(at("token"), "the-token").expect("token");
    // It gets the token, and not among its arguments, which others can read.
    let curl = format!(
        "#!/bin/sh\nread -r header\ncase \"$*\" in *the-token*) exit 1 ;; esac\n\
         case \"$header $*\" in *'Bearer the-token'*'https://[::1]:443/apis/apps/v1/namespaces/team-a/deployments/roc') \
         printf {status} ;; esac\n"
    );
    std::fs::write(at("bin/curl"), curl).expect("curl");
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(at("bin/curl"), executable).expect("mode");
    let path = format!("{}:{}", at("bin").display(), std::env::var("PATH").unwrap_or_default());
    let mut script = script(&home, &spec());
    script.env("PATH", path).env("ACCOUNT_FILES", home.path()).env("KUBERNETES_SERVICE_HOST", "::1");
    let output = script.env("SESSION_ID", "u-1").output().expect("bash");
    (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn a_deployment_that_somebody_has_made_meanwhile_keeps_the_client_from_starting() {
    let (code, told) = run_where_the_name_answers("200");
    assert_eq!(code, 72, "{told}");
    assert!(told.contains("somebody else has made deployment.apps/roc meanwhile"), "{told}");
    assert!(!told.contains("-Dkubernetes.cluster-id"), "{told}");
    for status in ["404", "403", "000", "''"] {
        let (code, told) = run_where_the_name_answers(status);
        assert_eq!(code, 0, "{status}: {told}");
        assert!(told.contains("-Dkubectl-flink.session-id=u-1"), "{told}");
    }
}
