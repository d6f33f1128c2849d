//! The pods of a session, as rows of the API server's own table: 155 bytes a pod instead of 7.6 KB.

use std::collections::BTreeMap;

use crate::cluster::api::stream_list::ListHead;
use crate::cluster::api::table::{Row, cell};
use crate::model::TableView;
use crate::session::SessionName;

/// What the pods of one session tell together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct PodsOfSession {
    pub taskmanagers: usize,
    /// A TaskManager is neither well nor on its way.
    pub taskmanager_trouble: bool,
    pub jobmanagers: usize,
    pub jobmanagers_running: usize,
    pub jobmanagers_ready: usize,
    /// STATUS of the first JobManager pod that is not well.
    pub jobmanager_trouble: Option<String>,
    /// RESTARTS of a JobManager pod, as kubectl prints it: of the one that runs, if any does.
    pub restarts: Option<String>,
    /// A JobManager pod that is ready.
    pub running: Option<String>,
    /// Every pod is on its way out.
    pub all_terminating: bool,
}

/// A pod as its row tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PodRow {
    pub name: String,
    pub is_ready: bool,
    /// As kubectl prints it.
    pub status: String,
    pub restarts: String,
}

/// Where the columns are.
#[derive(Clone, Copy, Debug)]
pub(super) struct PodColumns {
    name: usize,
    ready: Option<usize>,
    status: usize,
    restarts: Option<usize>,
}

/// What a pod is to its session.
enum Role {
    JobManager,
    TaskManager,
}

impl PodColumns {
    pub fn of(head: &ListHead) -> Option<Self> {
        Some(Self {
            name: head.column("Name")?,
            ready: head.column("Ready"),
            status: head.column("Status")?,
            restarts: head.column("Restarts"),
        })
    }

    pub fn read(self, row: &Row) -> PodRow {
        let text = |index: usize| row.cells.get(index).map(cell).unwrap_or_default();
        let optional = |index: Option<usize>| index.map(text).unwrap_or_default();
        pod_row(text(self.name), &optional(self.ready), text(self.status), optional(self.restarts))
    }
}

/// The pods of session `name`, from kubectl's table of all that have its label. Of those that are no
/// TaskManagers, only `jobmanagers` are Flink's.
pub(super) fn rows_of<'a>(
    name: &'a SessionName,
    table: &'a TableView,
    jobmanagers: &'a [String],
) -> impl Iterator<Item = PodRow> + 'a {
    let columns = table.column("NAME").zip(table.column("STATUS"));
    let (ready, restarts) = (table.column("READY"), table.column("RESTARTS"));
    table.rows.iter().filter_map(move |row| {
        let text = |index: usize| row.get(index).cloned().unwrap_or_default();
        let optional = |index: Option<usize>| index.map(text).unwrap_or_default();
        let (at, status) = columns?;
        let pod = pod_row(text(at), &optional(ready), text(status), optional(restarts));
        let is_of_session = match session_of(&pod.name)? {
            (session, Role::TaskManager) => session == name.as_str(),
            (_, Role::JobManager) => jobmanagers.contains(&pod.name),
        };
        is_of_session.then_some(pod)
    })
}

fn pod_row(name: String, ready: &str, status: String, restarts: String) -> PodRow {
    let is_ready = ready.split_once('/').is_some_and(|(ready, all)| ready == all);
    PodRow { name, is_ready, status, restarts }
}

impl PodsOfSession {
    pub fn is_empty(&self) -> bool {
        self.taskmanagers == 0 && self.jobmanagers == 0
    }

    /// Counts in a pod of this session; one that belongs to no session is left out.
    pub fn add(&mut self, pod: &PodRow) {
        let Some((_, role)) = session_of(&pod.name) else { return };
        // Terminating pods are on their way out and say nothing of the session.
        let leaves = pod.status == "Terminating";
        self.all_terminating = leaves && (self.is_empty() || self.all_terminating);
        match role {
            Role::TaskManager => {
                self.taskmanagers = self.taskmanagers.saturating_add(1);
                const WELL: [&str; 6] = [
                    "Running",
                    "Terminating",
                    "ContainerCreating",
                    "PodInitializing",
                    "Pending",
                    "Completed",
                ];
                self.taskmanager_trouble |= !WELL.contains(&pod.status.as_str());
            }
            Role::JobManager => {
                self.jobmanagers = self.jobmanagers.saturating_add(1);
                let runs = pod.status == "Running";
                self.jobmanagers_running = self.jobmanagers_running.saturating_add(usize::from(runs));
                if !runs && !leaves && self.jobmanager_trouble.is_none() {
                    self.jobmanager_trouble = Some(pod.status.clone());
                }
                if runs && pod.is_ready {
                    self.jobmanagers_ready = self.jobmanagers_ready.saturating_add(1);
                    self.running = Some(pod.name.clone());
                }
                if self.restarts.is_none() || runs {
                    self.restarts = Some(pod.restarts.clone());
                }
            }
        }
    }
}

/// Sorts pods by the session that their names tell.
pub(super) fn add_to(sessions: &mut BTreeMap<String, PodsOfSession>, pod: &PodRow) {
    if let Some((session, _)) = session_of(&pod.name) {
        match sessions.get_mut(session) {
            Some(pods) => pods.add(pod),
            None => sessions.entry(session.to_owned()).or_default().add(pod),
        }
    }
}

/// A pod's name tells its session: `ID-taskmanager-ATTEMPT-N` for TaskManagers (Flink's fixed
/// format), `ID-HASH-SUFFIX` for the pods of a Deployment.
fn session_of(pod: &str) -> Option<(&str, Role)> {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (rest, last) = pod.rsplit_once('-')?;
    let apart = rest.rsplit_once('-');
    if let Some((session, attempt)) = apart
        && let Some(session) = session.strip_suffix("-taskmanager")
        && number(attempt)
        && number(last)
    {
        return Some((session, Role::TaskManager));
    }
    // Of a long name Kubernetes cuts the hash, with the dash in front of the suffix, or all of it
    // (`names.SimpleNameGenerator`). Flink 1.10's own default for ID is that long.
    let is_cut = pod.len() == LONGEST_POD
        && (last.len() > SUFFIX || last.len() == SUFFIX && !apart.is_some_and(|(_, hash)| is_hash(hash)));
    match is_cut {
        true => Some((rest, Role::JobManager)),
        false => apart.map(|(session, _)| (session, Role::JobManager)),
    }
}

/// As Kubernetes writes the hash of a pod template (`rand.SafeEncodeString`).
fn is_hash(text: &str) -> bool {
    (6..=10).contains(&text.len()) && text.bytes().all(|byte| b"bcdfghjklmnpqrstvwxz2456789".contains(&byte))
}

/// Characters of the longest pod that has a made-up name, and of what is made up.
const LONGEST_POD: usize = 63;
const SUFFIX: usize = 5;

/// The session of a bootstrap pod: they are called `boot-NAME-SUFFIX`.
pub(super) fn bootstrapped_session(pod: &str) -> Option<&str> {
    pod.strip_prefix("boot-")?.rsplit_once('-').map(|(session, _)| session)
}

/// The name of the session of a pod.
pub(super) fn session_name(pod: &str) -> Option<&str> {
    session_of(pod).map(|(session, _)| session)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Pods by session, from names and states.
    pub(in crate::cluster::session::list) fn pods(rows: &[(&str, &str)]) -> BTreeMap<String, PodsOfSession> {
        let mut sessions = BTreeMap::new();
        for (name, status) in rows {
            let (name, status) = ((*name).to_owned(), (*status).to_owned());
            add_to(&mut sessions, &PodRow { name, is_ready: true, status, restarts: "0".to_owned() });
        }
        sessions
    }

    #[test]
    fn pod_names_tell_their_session() {
        let sessions = pods(&[
            ("roc-65d8f95b64-mnmvt", "Running"),
            ("roc-taskmanager-1-1", "Running"),
            ("roc-taskmanager-1-2", "OOMKilled"),
            ("roc-x-65d8f95b64-mnmvt", "Pending"),
            ("a-taskmanager-1-7c9d8f-abcde", "Running"),
            ("a-taskmanager-1-taskmanager-2-10", "Running"),
        ]);
        assert_eq!((sessions["roc"].taskmanagers, sessions["roc"].jobmanagers), (2, 1));
        assert_eq!(sessions["roc-x"].jobmanager_trouble.as_deref(), Some("Pending"));
        assert_eq!(sessions["a-taskmanager-1"].jobmanagers_running, 1);
        assert_eq!(sessions["a-taskmanager-1"].taskmanagers, 1);
    }

    #[test]
    fn a_long_name_takes_the_dash_in_front_of_the_suffix() {
        // As Kubernetes 1.34 called them, for names of these lengths.
        let id = |length: usize| format!("{}-end", "a".repeat(length - 4));
        for (length, rest) in [
            (45, "-5ddcb79648-xvqqg"),
            (46, "-5f5b95477-cc6xs"),
            (47, "-6f98c555fdt7ptq"),
            (50, "-78f9cd62cwl9"),
            (57, "-nmjf8"),
        ] {
            let pod = id(length) + rest;
            assert_eq!(session_name(&pod), Some(id(length).as_str()), "{pod}");
        }
    }

    #[test]
    fn columns_are_found_by_their_names() {
        let head: ListHead = serde_json::from_str(
            r#"{"columnDefinitions":[{"name":"Name"},{"name":"New"},{"name":"Ready"},{"name":"Status"},{"name":"Restarts"}]}"#,
        )
        .expect("head");
        let row = serde_json::from_str(r#"{"cells":["roc-1-2","?","0/1","CrashLoopBackOff","3 (2m ago)"]}"#);
        let pod = PodColumns::of(&head).expect("columns").read(&row.expect("row"));
        assert_eq!(
            pod,
            PodRow {
                name: "roc-1-2".to_owned(),
                is_ready: false,
                status: "CrashLoopBackOff".to_owned(),
                restarts: "3 (2m ago)".to_owned()
            }
        );
    }

    #[test]
    fn restarts_are_those_of_the_pod_that_runs() {
        let mut pods = PodsOfSession::default();
        for (name, status, restarts) in [
            ("roc-1-a", "Evicted", "7"),
            ("roc-1-b", "Running", "3 (2m ago)"),
            ("roc-1-c", "Terminating", "9"),
        ] {
            let (name, status, restarts) = (name.to_owned(), status.to_owned(), restarts.to_owned());
            pods.add(&PodRow { name, is_ready: true, status, restarts });
        }
        assert_eq!(pods.restarts.as_deref(), Some("3 (2m ago)"));
        assert_eq!(pods.running.as_deref(), Some("roc-1-b"));
    }
}
