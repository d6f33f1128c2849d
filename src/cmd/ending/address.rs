//! Refuses an address that is not known to be that of the session in the cluster.

use super::Guard;
use crate::app::CommandError;
use crate::cmd::identity::{Here, Proof};
use crate::cmd::reach::Reached;
use crate::exit::Exit;
use crate::flink;

impl Guard<'_> {
    /// What is said of jobs at an address may be true of another session than the one whose objects are deleted or changed.
    ///
    /// # Errors
    /// `Refused` for the address of another session, and where nothing proves that it is this one.
    pub(super) async fn check_address(&self, reached: &Reached) -> Result<(), CommandError> {
        let settings = flink::configuration(&reached.rest).await.map_err(|error| {
            self.unknown(reached.error(&error, "cannot read the settings of the session there".to_owned()))
        })?;
        let (name, cluster) = (&self.session.name, self.cluster);
        let pem = self.args.rest.pem(self.app)?;
        let here = Here { name, cluster, id: self.session.id.as_deref(), pem };
        let session = format!("that of session {name} in namespace {}", cluster.namespace());
        match here.compared(&settings).await? {
            Proof::Same => Ok(()),
            Proof::Another(why) => {
                Err(CommandError::new(Exit::Refused, format!("the address is not {session}")).because(why))
            }
            Proof::Unknown(why) => {
                let what = format!("it is not known whether the address is {session}");
                Err(self.unknown(CommandError::new(Exit::Refused, what).because(why)))
            }
        }
    }
}
