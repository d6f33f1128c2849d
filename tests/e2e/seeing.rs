//! What `status` and `ls -o wide` tell of a session with high availability and a job, from REST and its settings.

use crate::lab::Lab;

/// Expects everything to be known of session `roc`, on which one job runs.
pub fn tells_all_of_a_session_with_a_job(lab: &Lab, version: &str) {
    let said = |path: &str| lab.flink_ok(&["status", "roc", "-o", &format!("jsonpath={{{path}}}")]);
    lab.until("the job's task", || said(".jobs[0].tasksRunning") == "1");
    assert_eq!(said(".jobs[*].state"), "RUNNING");
    assert_eq!(
        (said(".jobs[0].tasksTotal"), said(".status.load.jobsRunning")),
        ("1".to_owned(), "1".to_owned())
    );
    assert_eq!(said(".taskManagers[*].id"), "roc-taskmanager-1-1");
    assert_eq!(said(".taskManagers[0].slotsFree"), "0");
    assert_eq!(said(".jobManager.version"), version);
    for used in ["heapUsedBytes", "heapMaxBytes", "metaspaceUsedBytes", "metaspaceMaxBytes"] {
        let bytes: u64 = said(&format!(".jobManager.memory.{used}")).parse().expect(used);
        assert!(bytes > 1 << 20, "{used}: {bytes}");
    }
    assert_eq!(said(".highAvailability.service"), "kubernetes");
    assert!(said(".highAvailability.storageDirectory").starts_with("file:"));
    assert_eq!(said(".highAvailability.configMaps").matches("roc-").count(), 2);
    let settings = said(".configuration[*].key");
    assert!(
        settings.contains("high-availability.type") && settings.contains("taskmanager.memory.process.size")
    );
    assert!(!settings.contains("cluster-id"), "what makes it this session was no choice: {settings}");
    assert!(said(".events[*].object").contains("deployment/roc"));
    assert_eq!((said(".unknown"), said(".healthy")), ("[]".to_owned(), "true".to_owned()));
    assert_eq!(lab.flink(&["status", "roc", "--exit-code"]).code, 0);

    let table = lab.flink_ok(&["ls", "-o", "wide", "--no-headers"]);
    let row: Vec<&str> = table.split_whitespace().collect();
    assert_eq!((&row[5..8], &row[11..]), (&["0/1", "1/1", "0"][..], &["on", "ClusterIP"][..]), "{table}");
    let screen = lab.flink_ok(&["status", "roc"]);
    assert!(screen.contains("kubernetes; its state is in file:"), "{screen}");
    assert_eq!(lab.flink_ok(&["status"]).lines().next(), screen.lines().next());
}
