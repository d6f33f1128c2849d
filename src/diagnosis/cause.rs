//! The one sentence that matters in a log of Flink.

/// The deepest cause that `log` ends with: the last `Caused by:`, else the last exception, else
/// the last line that has an `ERROR` or `FATAL` level. None when the log tells nothing.
pub fn deepest(log: &str) -> Option<String> {
    let lines: Vec<&str> = log.lines().map(str::trim_end).filter(|line| !line.trim().is_empty()).collect();
    let caused_by = lines.iter().rposition(|line| line.trim_start().starts_with("Caused by: "));
    if let Some(index) = caused_by {
        return Some(sentence(lines[index].trim_start().trim_start_matches("Caused by: ")));
    }
    // The line before a run of stack frames.
    let thrown = lines.windows(2).rposition(|pair| is_frame(pair[1]) && !is_frame(pair[0]));
    if let Some(index) = thrown {
        return Some(sentence(lines[index]));
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
    let mut lines = stack.lines();
    let outermost = lines.next().into_iter();
    // Those of suppressed exceptions are indented.
    let causes = lines.filter_map(|line| line.strip_prefix("Caused by: "));
    outermost.chain(causes).map(sentence).collect()
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

/// Takes the wrapping off: the API server's message out of the Kubernetes client's exception, the
/// package of a class name, a log line's date.
fn sentence(line: &str) -> String {
    let line = line.trim();
    if let Some((_, rest)) = line.split_once(" Message: ") {
        let end = rest.find(" Received status:").unwrap_or(rest.len());
        return rest[..end].trim_end_matches('.').to_owned();
    }
    match line.split_once(": ") {
        Some((class, message)) if is_class_name(class) => {
            let short = class.rsplit(['.', '$']).next().unwrap_or(class);
            format!("{short}: {message}")
        }
        _ => line.to_owned(),
    }
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
    fn without_a_stack_the_last_error_line_counts() {
        let log = "12:00 INFO  a - fine\n12:01 ERROR b - no space left\n12:02 INFO  c - bye\n";
        assert_eq!(deepest(log).as_deref(), Some("12:01 ERROR b - no space left"));
        assert_eq!(deepest("12:00 INFO a - fine\n"), None);
        assert_eq!(deepest(""), None);
    }
}
