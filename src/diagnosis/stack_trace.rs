//! The one sentence that matters in a log of Flink.

/// The deepest cause that `log` ends with: the last `Caused by:`, else the last exception, else
/// the last line that has an `ERROR` or `FATAL` level. None when the log tells nothing.
pub fn deepest(log: &str) -> Option<String> {
    let lines: Vec<&str> = log.lines().map(str::trim_end).filter(|line| !line.trim().is_empty()).collect();
    let caused_by = lines.iter().rposition(|line| line.trim_start().starts_with("Caused by: "));
    if let Some(index) = caused_by {
        let thrown = lines[index].trim_start().trim_start_matches("Caused by: ");
        return Some(thrown_at(thrown, lines.get(index + 1).copied()));
    }
    // The line before a run of stack frames.
    let thrown = lines.windows(2).rposition(|pair| is_frame(pair[1]) && !is_frame(pair[0]));
    if let Some(index) = thrown {
        return Some(thrown_at(lines[index], lines.get(index + 1).copied()));
    }
    let error = lines.iter().rev().find(|line| line.contains(" ERROR ") || line.contains(" FATAL "))?;
    Some(sentence(error))
}

/// The deepest cause in a stack of Java's that came by itself; without one, its first line.
pub fn of_stack(stack: &str) -> String {
    deepest(stack).unwrap_or_else(|| stack.lines().next().unwrap_or_default().to_owned())
}

/// What a Java stack trace says, outermost first: the exception and its causes, without frames.
pub fn chain(stack: &str) -> Vec<String> {
    let lines: Vec<&str> = stack.lines().collect();
    // Those of suppressed exceptions are indented.
    let thrown = |(index, line): (usize, &&str)| match line.strip_prefix("Caused by: ") {
        None if index > 0 => None,
        cause => Some(thrown_at(cause.unwrap_or(line), lines.get(index + 1).copied())),
    };
    lines.iter().enumerate().filter_map(thrown).collect()
}

/// An exception as its line names it. One without a message says nothing but its class: then the frame that it was
/// thrown in follows, which is the `next` line of the stack. Java prints a message that is null as no message at all
/// (`Throwable.toString`), log4j as the word `null`.
fn thrown_at(line: &str, next: Option<&str>) -> String {
    let line = line.trim();
    let (class, message) = line.split_once(':').unwrap_or((line, ""));
    let frame = next.and_then(|next| next.trim_start().strip_prefix("at "));
    match (message.trim(), frame) {
        ("" | "null", Some(frame)) if is_class_name(class) => {
            // Behind its place, log4j names the jar: `A.b(A.java:1) ~[app.jar:?]`.
            let frame = frame.split_once(") ").map_or(frame.trim_end(), |(place, _)| place);
            let end = if frame.contains('(') && !frame.ends_with(')') { ")" } else { "" };
            format!("{} at {frame}{end}", short(class))
        }
        _ => sentence(line),
    }
}

/// The outermost exception of a stack that says something, and the one that all began with if that is
/// another.
pub fn both_ends(stack: &str) -> (String, Option<String>) {
    // Flink's and Java's own wrappings.
    const WRAPPINGS: [&str; 4] = [
        "JobException: Recovery is suppressed",
        "CompletionException: ",
        "ExecutionException: ",
        "SerializedThrowable",
    ];
    let chain = chain(stack);
    let is_wrapping = |told: &String| WRAPPINGS.iter().any(|wrapping| told.starts_with(wrapping));
    let outermost = chain.iter().find(|told| !is_wrapping(told)).or(chain.first());
    let deepest = chain.last().filter(|deepest| Some(*deepest) != outermost);
    (outermost.cloned().unwrap_or_default(), deepest.cloned())
}

/// True when `log` says that the process could not do its work at all, so that a restart with the
/// same settings ends the same way.
pub fn is_fatal_at_start(log: &str) -> bool {
    const MARKS: [&str; 4] = [
        "Could not start cluster entrypoint",
        "Fatal error occurred in ResourceManager",
        "Could not get JVM parameters",
        "Fatal error occurred in the cluster entrypoint",
    ];
    MARKS.iter().any(|mark| log.contains(mark))
}

fn is_frame(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with("at ") || (line.starts_with("... ") && line.ends_with(" more"))
}

/// How Flink says that no plugin is there for a URI.
const NO_FILE_SYSTEM: &str = "Could not find a file system implementation for scheme '";

/// The scheme for which a file system is missing.
pub fn missing_file_system(cause: &str) -> Option<&str> {
    let (_, rest) = cause.split_once(NO_FILE_SYSTEM)?;
    rest.split('\'').next()
}

/// Takes the wrapping off: the API server's message out of the Kubernetes client's exception, the
/// package of a class name, a log line's date.
fn sentence(line: &str) -> String {
    let mut line = line.trim();
    // 600 letters on plugins and Hadoop follow (org.apache.flink.core.fs.FileSystem).
    if let Some(at) = line.find(NO_FILE_SYSTEM)
        && let Some(end) = line[at..].find("'. ")
    {
        line = &line[..at + end + 1];
    }
    if let Some((_, rest)) = line.split_once(" Message: ") {
        let end = rest.find(" Received status:").unwrap_or(rest.len());
        return rest[..end].trim_end_matches('.').to_owned();
    }
    match line.split_once(": ") {
        Some((class, message)) if is_class_name(class) => format!("{}: {message}", short(class)),
        None if is_class_name(line) && line.ends_with(|c: char| c.is_ascii_alphanumeric()) => {
            short(line).to_owned()
        }
        _ => line.to_owned(),
    }
}

/// A class without its package and the classes around it.
fn short(class: &str) -> &str {
    class.rsplit(['.', '$']).next().unwrap_or(class)
}

fn is_class_name(word: &str) -> bool {
    word.contains('.') && word.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '$'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_api_servers_own_words_come_out_of_the_client() {
        let log = "\
2026-01-01 00:00:00,000 INFO  org.apache.flink.Client [] - starting
The program finished with the following exception:
java.lang.RuntimeException: Failed to get Service
\tat org.apache.flink.A.main(A.java:1)
Caused by: io.fabric8.kubernetes.client.KubernetesClientException: Failure executing: GET at: https://10.96.0.1:443/api/v1/namespaces/a/services/roc-rest. Message: services \"roc-rest\" is forbidden: User \"system:serviceaccount:a:flink\" cannot get resource \"services\" in API group \"\" in the namespace \"a\". Received status: Status(apiVersion=v1, code=403).
\tat io.fabric8.B.c(B.java:2)
\t... 3 more
";
        assert_eq!(
            deepest(log).as_deref(),
            Some(
                "services \"roc-rest\" is forbidden: User \"system:serviceaccount:a:flink\" cannot get resource \"services\" in API group \"\" in the namespace \"a\""
            )
        );
    }

    #[test]
    fn a_missing_file_system_is_one_sentence() {
        let log = "\
Caused by: org.apache.flink.core.fs.UnsupportedFileSystemSchemeException: Could not find a file system implementation for scheme 's3'. The scheme is directly supported by Flink through the following plugin(s): flink-s3-fs-hadoop, flink-s3-fs-presto. Please ensure that each plugin resides within its own subfolder within the plugins directory.
\tat org.apache.flink.X.y(X.java:1)
";
        let told = deepest(log).expect("cause");
        assert_eq!(
            told,
            "UnsupportedFileSystemSchemeException: Could not find a file system implementation for scheme 's3'"
        );
        assert_eq!(missing_file_system(&told), Some("s3"));
    }

    #[test]
    fn a_class_name_loses_its_package() {
        let log = "\
org.apache.flink.configuration.IllegalConfigurationException: Sum of configured JVM Metaspace (256.000mb) exceed Total Process Memory
\tat org.apache.flink.X.y(X.java:1)
";
        assert_eq!(
            deepest(log).as_deref(),
            Some(
                "IllegalConfigurationException: Sum of configured JVM Metaspace (256.000mb) exceed Total Process Memory"
            )
        );
    }

    #[test]
    fn a_stack_is_a_chain_of_causes() {
        let stack = "\
org.apache.flink.runtime.JobException: Recovery is suppressed by NoRestartBackoffTimeStrategy
\tat org.apache.flink.A.b(A.java:1)
\tSuppressed: java.lang.Exception: beside it
\tCaused by: java.lang.Exception: of that
Caused by: java.lang.IllegalArgumentException: record 10 cannot be read
\tat Programs$Nap.map(Programs.java:78)
Caused by: java.io.IOException: bad magic
\t... 22 more
";
        assert_eq!(
            chain(stack),
            [
                "JobException: Recovery is suppressed by NoRestartBackoffTimeStrategy",
                "IllegalArgumentException: record 10 cannot be read",
                "IOException: bad magic"
            ]
        );
        assert_eq!(chain(""), [""; 0]);
    }

    #[test]
    fn a_stack_has_two_ends_that_say_something() {
        let stack = "org.apache.flink.runtime.JobException: Recovery is suppressed by NoRestartBackoffTimeStrategy\n\tat a.B\n\
            Caused by: java.lang.IllegalArgumentException: record 10 cannot be read\n\tat c.D\n\
            Caused by: java.io.IOException: bad magic\n\t... 22 more\n";
        let outermost = "IllegalArgumentException: record 10 cannot be read".to_owned();
        assert_eq!(both_ends(stack), (outermost, Some("IOException: bad magic".to_owned())));
        assert_eq!(both_ends("java.lang.Exception: told\n\tat a.B\n"), ("Exception: told".to_owned(), None));
        assert_eq!(both_ends(""), (String::new(), None));
    }

    #[test]
    fn an_exception_without_a_message_names_its_first_frame() {
        let stack =
            "java.lang.NullPointerException\n\tat Programs$Nap.map(Programs.java:78)\n\tat a.B.c(B.java:1)\n";
        let told = "NullPointerException at Programs$Nap.map(Programs.java:78)".to_owned();
        assert_eq!(both_ends(stack), (told.clone(), None));
        assert_eq!(deepest(stack), Some(told.clone()));
        assert_eq!(of_stack(stack), told);

        // As log4j writes it, and behind a wrapping.
        let null = "java.lang.RuntimeException: null\n\tat a.B.c(B.java:1) ~[app.jar:?]\n";
        assert_eq!(deepest(null).as_deref(), Some("RuntimeException at a.B.c(B.java:1)"));
        let wrapped = "java.lang.RuntimeException: java.util.NoSuchElementException\n\tat a.B.c(B.java:1)\n\
            Caused by: java.util.NoSuchElementException\n\tat java.base/java.util.ArrayList$Itr.next(Unknown Source)\n\t... 22 more\n";
        let (outermost, cause) = both_ends(wrapped);
        assert_eq!(outermost, "RuntimeException: java.util.NoSuchElementException");
        assert_eq!(
            cause.as_deref(),
            Some("NoSuchElementException at java.base/java.util.ArrayList$Itr.next(Unknown Source)")
        );
        // Where all its frames are those of the exception around it, there is only the class.
        let shared = "java.lang.Exception: told\n\tat a.B.c(B.java:1)\nCaused by: java.lang.StackOverflowError\n\t... 2 more\n";
        assert_eq!(both_ends(shared).1.as_deref(), Some("StackOverflowError"));
        // A message of several lines is a message.
        assert_eq!(of_stack("a.B: told\nmore\n\tat a.C.d(C.java:1)\n"), "more");
    }

    #[test]
    fn without_a_stack_the_last_error_line_counts() {
        let log = "12:00 INFO  a - fine\n12:01 ERROR b - no space left\n12:02 INFO  c - bye\n";
        assert_eq!(deepest(log).as_deref(), Some("12:01 ERROR b - no space left"));
        assert_eq!(deepest("12:00 INFO a - fine\n"), None);
        assert_eq!(deepest(""), None);
    }
}
