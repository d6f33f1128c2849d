//! A session that something is to be done to: what there is of it, and whether it is ours to touch.

use super::Deed;
use crate::app::CommandError;
use crate::cluster::{Cluster, SessionObjects};
use crate::cmd::standing;
use crate::exit::Exit;
use crate::model::Relabelled;
use crate::session::SessionName;
use crate::session::manifest::labels;
use crate::session::spec::high_availability::{self, HighAvailability};
use crate::session::text::shell::quoted;

pub struct Session {
    pub name: SessionName,
    pub objects: SessionObjects,
    /// Its identity, where its `create` has given it one ([`labels::SESSION_ID`]).
    pub id: Option<String>,
    /// What its settings say of high availability; none when they cannot be read.
    pub settings: Option<HighAvailability>,
    /// The ConfigMaps of high availability hold what may be needed to take jobs up again.
    pub holds_jobs: bool,
    /// The Flink operator has a FlinkDeployment of this name; none when this user may not know.
    pub is_operated: Option<bool>,
}

impl Session {
    /// Looks at all that there is of the session.
    ///
    /// # Errors
    /// `Refused` for what is not ours.
    pub async fn look(name: &SessionName, deed: &Deed, cluster: &Cluster) -> Result<Self, CommandError> {
        let namespace = cluster.namespace();
        let (objects, config, is_operated, relabelled) = tokio::try_join!(
            cluster.session_objects(namespace, name),
            cluster.config_of(namespace, name),
            cluster.is_operated(namespace, name.as_str()),
            cluster.relabelled(namespace, name),
        )?;
        let settings = config.settings.as_ref().map(high_availability::of);
        let id = config.settings.and_then(|mut settings| settings.remove(labels::SESSION_ID));
        let session =
            Self { name: name.clone(), objects, id, settings, holds_jobs: config.holds_jobs, is_operated };
        session.refuse_what_is_not_ours(deed, cluster)?;
        session.refuse_what_is_relabelled(&relabelled, deed, cluster)?;
        Ok(session)
    }

    /// True while a JobManager may run, on which jobs may: also where its Deployment is on its way out, and
    /// something holds that back.
    pub fn has_jobmanager(&self) -> bool {
        let SessionObjects { deployment, staying_jobmanagers, is_ending, .. } = &self.objects;
        *staying_jobmanagers > 0 || (deployment.is_some() && !is_ending)
    }

    /// True where its settings let jobs outlive the JobManager.
    pub fn is_highly_available(&self) -> bool {
        self.settings.as_ref().is_some_and(|settings| settings.service.is_some())
    }

    /// True unless it is known that jobs end with the JobManager. Then it goes before the TaskManagers, and
    /// jobs may be there though no JobManager runs.
    pub fn may_keep_jobs(&self) -> bool {
        self.is_highly_available() || self.settings.is_none() || self.keeps_state()
    }

    /// True where ConfigMaps hold what high availability has kept.
    pub fn keeps_state(&self) -> bool {
        !self.objects.high_availability.is_empty()
    }

    fn refuse_what_is_not_ours(&self, deed: &Deed, cluster: &Cluster) -> Result<(), CommandError> {
        let Self { name, objects, is_operated, .. } = self;
        let (namespace, scope) = (cluster.namespace(), cluster.full_scope());
        let refused =
            |message: String, hint: String| Err(CommandError::new(Exit::Refused, message).hint(hint));
        if objects.foreign.is_some() {
            return Err(standing::foreign(name, Exit::Refused, cluster));
        }
        let operators = objects.controller.as_ref().filter(|(kind, _)| kind == "FlinkDeployment");
        if operators.is_some() || *is_operated == Some(true) {
            let owner = operators.map_or(name.as_str(), |(_, owner)| owner);
            return refused(
                format!("session {name} in namespace {namespace} belongs to the Flink operator"),
                (deed.by_operator)(&scope, &quoted(owner)),
            );
        }
        if let Some((kind, owner)) = &objects.controller {
            return refused(
                format!(
                    "session {name} in namespace {namespace} belongs to {kind} {owner}, which looks after it"
                ),
                {
                    let owner = quoted(owner);
                    format!("kubectl describe{scope} {} {owner}", quoted(&kind.to_lowercase()))
                },
            );
        }
        if objects.is_application {
            return Err(standing::application(name, Exit::Refused, cluster));
        }
        Ok(())
    }

    /// Refuses while labels are changed: what belongs to the session is found by them.
    fn refuse_what_is_relabelled(
        &self,
        relabelled: &[Relabelled],
        deed: &Deed,
        cluster: &Cluster,
    ) -> Result<(), CommandError> {
        if relabelled.is_empty() {
            return Ok(());
        }
        let Self { name, .. } = self;
        let what = format!("labels of session {name} were changed, so it is not {}", deed.participle);
        let refused = CommandError::new(Exit::Refused, what);
        Err(standing::with_relabelled(refused, relabelled, name, &cluster.full_scope()))
    }
}
