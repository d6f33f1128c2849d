//! Ids of our own, in the form of Flink's.

use super::CommandError;
use crate::exit::Exit;

/// 32 hexadecimal digits: what Flink calls its jobs and its requests by.
pub fn random() -> Result<String, CommandError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| {
        CommandError::new(Exit::Error, format!("the system gives no random numbers: {error}"))
    })?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
