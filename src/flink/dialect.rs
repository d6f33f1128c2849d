//! What the bodies of requests to REST look like, version by version. Pure.
//!
//! Up to 1.19 a field that the version does not know is an error (HTTP 400), and in 2.x `programArgs`
//! is lost without a word: a body has just what its version knows.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::model::ids::{JobId, TriggerId};
use crate::session::FlinkVersion;

/// The REST shapes of one Flink.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dialect(FlinkVersion);

/// What a program is started with.
#[derive(Clone, Debug, Default)]
pub struct Program {
    /// None for the one that the manifest names.
    pub class: Option<String>,
    pub arguments: Vec<String>,
    pub parallelism: Option<u32>,
    pub savepoint: Option<String>,
    pub allow_non_restored_state: bool,
    /// Settings of this job alone.
    pub settings: BTreeMap<String, String>,
    /// The id that the job gets; for versions that [`Dialect::starts_one_job`].
    pub job: Option<JobId>,
}

/// Where a savepoint goes and what it is known by.
#[derive(Clone, Debug, Default)]
pub struct Savepoint {
    /// None for the one that the session is configured with.
    pub directory: Option<String>,
    /// See [`Dialect::takes_request_ids`].
    pub request: Option<TriggerId>,
}

impl Dialect {
    pub fn of(version: FlinkVersion) -> Self {
        Self(version)
    }

    fn is_since(self, major: u16, minor: u16) -> bool {
        self.0.minor() >= (major, minor)
    }

    /// True where one program is one job, whose id may be chosen. 1.10 stops a program at its first
    /// `execute()` (`OptimizerPlanEnvironment`); later versions run it to its end, and then a chosen id
    /// makes the second job vanish: its `execute()` is answered with the first (`EmbeddedExecutor`).
    pub fn starts_one_job(self) -> bool {
        !self.is_since(1, 11)
    }

    /// True where whoever triggers a savepoint may choose the id that it is asked for by, and a second
    /// request with the same id does nothing (`triggerId`, FLINK-24275).
    pub fn takes_request_ids(self) -> bool {
        self.is_since(1, 15)
    }

    /// True where a job may have settings of its own (`flinkConfiguration`, FLINK-29543).
    pub fn takes_settings(self) -> bool {
        self.is_since(1, 17)
    }

    /// Body of `POST /jars/:jarid/run` (`JarRunRequestBody`).
    pub fn run(self, program: &Program) -> Value {
        let mut body = Map::new();
        let mut put = |key: &str, value: Option<Value>| {
            if let Some(value) = value {
                body.insert(key.to_owned(), value);
            }
        };
        put("entryClass", program.class.clone().map(Value::from));
        put("programArgsList", (!program.arguments.is_empty()).then(|| json!(program.arguments)));
        put("parallelism", program.parallelism.map(Value::from));
        put("savepointPath", program.savepoint.clone().map(Value::from));
        put("allowNonRestoredState", program.allow_non_restored_state.then_some(Value::Bool(true)));
        if self.takes_settings() {
            put("flinkConfiguration", (!program.settings.is_empty()).then(|| json!(program.settings)));
        }
        if self.starts_one_job() {
            put("jobId", program.job.as_ref().map(|job| Value::from(job.as_str())));
        }
        Value::Object(body)
    }

    /// Body of `POST /jobs/:jobid/savepoints` (`SavepointTriggerRequestBody`). Its directory is spelt
    /// otherwise than that of [`Dialect::stop`].
    pub fn savepoint(self, savepoint: &Savepoint) -> Value {
        let body = json!({"target-directory": savepoint.directory, "cancel-job": false});
        self.with_request(body, savepoint)
    }

    /// Body of `POST /jobs/:jobid/stop` (`StopWithSavepointRequestBody`).
    pub fn stop(self, savepoint: &Savepoint, drain: bool) -> Value {
        let body = json!({"targetDirectory": savepoint.directory, "drain": drain});
        self.with_request(body, savepoint)
    }

    fn with_request(self, mut body: Value, savepoint: &Savepoint) -> Value {
        if let (Some(request), Some(fields), true) =
            (&savepoint.request, body.as_object_mut(), self.takes_request_ids())
        {
            fields.insert("triggerId".to_owned(), json!(request));
        }
        body
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [&str; 15] = [
        "1.10", "1.11", "1.12", "1.13", "1.14", "1.15", "1.16", "1.17", "1.18", "1.19", "1.20", "2.0", "2.1",
        "2.2", "2.3",
    ];

    fn dialect(version: &str) -> Dialect {
        Dialect::of(version.parse().expect(version))
    }

    fn fields(body: &Value) -> String {
        body.as_object().expect("an object").keys().map(String::as_str).collect::<Vec<_>>().join(" ")
    }

    /// What each version's request bodies have, of all that could be asked for.
    #[test]
    fn a_body_has_just_what_its_version_knows() {
        let program = Program {
            class: Some("a.B".to_owned()),
            arguments: vec!["--in".to_owned(), "a b".to_owned()],
            parallelism: Some(2),
            savepoint: Some("s3://b/sp".to_owned()),
            allow_non_restored_state: true,
            settings: BTreeMap::from([("k".to_owned(), "v".to_owned())]),
            job: Some(JobId::from(0)),
        };
        let savepoint =
            Savepoint { directory: Some("s3://b/sp".to_owned()), request: Some(TriggerId::from(1)) };
        let table: Vec<String> = ALL
            .iter()
            .map(|version| {
                let dialect = dialect(version);
                format!(
                    "{version:5} run: {}\n      savepoint: {}\n      stop: {}",
                    fields(&dialect.run(&program)),
                    fields(&dialect.savepoint(&savepoint)),
                    fields(&dialect.stop(&savepoint, true)),
                )
            })
            .collect();
        insta::assert_snapshot!(table.join("\n"));
    }

    #[test]
    fn what_is_not_asked_for_is_not_said() {
        for version in ALL {
            assert_eq!(dialect(version).run(&Program::default()), json!({}), "{version}");
        }
        let none = Savepoint::default();
        assert_eq!(dialect("2.3").stop(&none, false), json!({"targetDirectory": null, "drain": false}));
    }

    #[test]
    fn arguments_stay_what_they_are() {
        let program = Program { arguments: vec!["a b".to_owned(), "\"c".to_owned()], ..Program::default() };
        assert_eq!(dialect("2.3").run(&program), json!({"programArgsList": ["a b", "\"c"]}));
    }
}
