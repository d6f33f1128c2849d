//! A mark on the jobs of one program, by which they are told from the jobs of others.
//!
//! From Flink 1.17 on the request to run a program may set Flink's own settings for its jobs. A random id among the
//! global job parameters (`pipeline.global-job-parameters`) comes back in the configuration of each job
//! (`GET /jobs/:jobid/config`, `user-config`; seen with 1.17.2, 1.20.5 and 2.3.0). A program that sets global job parameters
//! itself replaces them, and its jobs carry no mark: then nothing is known of them. `applicationId` of 2.3 is no help:
//! `POST /jars/:jarid/run` ignores it and gives each job an application of its own (seen with 2.3.0).

use std::collections::BTreeMap;

use crate::app::{CommandError, id};
use crate::flink::{self, Transport};
use crate::model::ids::JobId;

/// The setting that carries the mark.
const SETTING: &str = "pipeline.global-job-parameters";

/// The parameter that is the mark.
const PARAMETER: &str = "kubectl-flink.submission";

/// A mark, and the settings that put it on the jobs of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marker(String);

/// What the configuration of a job tells of whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    Ours,
    /// Of another run of this program.
    Others,
    /// Whoever started it.
    None,
}

impl Marker {
    /// Adds a new mark to the `settings` of a request. `session` is what the session itself sets.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub fn add_to(
        settings: &mut BTreeMap<String, String>,
        session: Option<&str>,
    ) -> Result<Option<Self>, CommandError> {
        let marker = Self(id::digits()?);
        let present = settings.get(SETTING).map(String::as_str).or(session).unwrap_or_default();
        let Some(with) = marker.beside(present) else { return Ok(None) };
        settings.insert(SETTING.to_owned(), with);
        Ok(Some(marker))
    }

    #[cfg(test)]
    pub fn of(id: &str) -> Self {
        Self(id.to_owned())
    }

    /// `present`, a map as Flink writes it, and the mark; none for a map that cannot be extended safely. Flink's own
    /// form is `key:value,key:value`; a map that stands in braces is YAML.
    fn beside(&self, present: &str) -> Option<String> {
        let Self(id) = self;
        match present.trim() {
            "" => Some(format!("{PARAMETER}:{id}")),
            "{}" => Some(format!("{{{PARAMETER}: {id}}}")),
            yaml if yaml.starts_with('{') => {
                let inner = yaml.strip_suffix('}')?;
                Some(format!("{inner}, {PARAMETER}: {id}}}"))
            }
            flat if flat.contains(':') => Some(format!("{flat},{PARAMETER}:{id}")),
            _ => None,
        }
    }

    /// Whose the job `id` is, by its configuration. None while the job has none.
    ///
    /// # Errors
    /// When the configuration cannot be read.
    pub async fn on(&self, rest: &impl Transport, id: &JobId) -> Result<Option<Mark>, flink::RestError> {
        let parameters = flink::global_parameters(rest, id).await?;
        Ok(parameters.map(|parameters| match parameters.get(PARAMETER) {
            Some(mark) if *mark == self.0 => Mark::Ours,
            Some(_) => Mark::Others,
            None => Mark::None,
        }))
    }
}

/// The setting of the session that a mark has to be added to.
pub fn of_session(settings: &BTreeMap<String, String>) -> Option<&str> {
    settings.get(SETTING).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_user_or_the_session_sets_stays() {
        let marker = Marker("1f".to_owned());
        let beside = |present| marker.beside(present);
        assert_eq!(beside("").as_deref(), Some("kubectl-flink.submission:1f"));
        assert_eq!(beside("a:b,c:d").as_deref(), Some("a:b,c:d,kubectl-flink.submission:1f"));
        assert_eq!(beside("{a: b}").as_deref(), Some("{a: b, kubectl-flink.submission: 1f}"));
        assert_eq!(beside("{}").as_deref(), Some("{kubectl-flink.submission: 1f}"));
        assert_eq!(beside("neither"), None);
    }

    #[test]
    fn a_setting_of_the_request_goes_before_that_of_the_session() {
        let mut settings = BTreeMap::from([(SETTING.to_owned(), "mine:1".to_owned())]);
        let marker = Marker::add_to(&mut settings, Some("session:1")).expect("random").expect("marker");
        assert_eq!(settings[SETTING], format!("mine:1,{PARAMETER}:{}", marker.0));
        let mut settings = BTreeMap::new();
        let marker = Marker::add_to(&mut settings, Some("session:1")).expect("random").expect("marker");
        assert_eq!(settings[SETTING], format!("session:1,{PARAMETER}:{}", marker.0));
    }
}
