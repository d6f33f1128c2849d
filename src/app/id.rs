//! Ids of our own, in the form of Flink's.

use super::CommandError;
use crate::exit::Exit;
use crate::model::ids::{JobId, TriggerId};

/// The number of a random id.
pub fn random() -> Result<u128, CommandError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| {
        CommandError::new(Exit::Error, format!("the system gives no random numbers: {error}"))
    })?;
    Ok(u128::from_be_bytes(bytes))
}

/// 32 random hexadecimal digits.
pub fn digits() -> Result<String, CommandError> {
    random().map(|number| format!("{number:032x}"))
}

/// The id number `number` that belongs to what is called `id` and began at `began`, in milliseconds since 1970: the
/// same each time, and nobody else's by chance. A job may have the id of one before it.
pub fn derived(id: &JobId, began: i64, number: u32) -> TriggerId {
    const OURS: u128 = u128::from_be_bytes(*b"kubectl-flink 2.");
    let id = u128::from_str_radix(id.as_str(), 16).unwrap_or_default();
    let began = u128::from(began.unsigned_abs()) << u32::BITS;
    TriggerId::from(id ^ OURS ^ began ^ u128::from(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_derived_id_is_the_same_each_time_and_another_for_each_job_start_and_number() {
        let of = |began, number| derived(&JobId::of("cb37be232ba71fe15975d155cd4fa7f2"), began, number);
        assert_eq!(of(1_767_225_600_000, 0), of(1_767_225_600_000, 0));
        assert_ne!(of(0, 0), of(0, 1));
        assert_ne!(of(1_767_225_600_000, 0), of(1_767_225_600_001, 0));
        assert_ne!(of(0, 0), derived(&JobId::of("0037be232ba71fe15975d155cd4fa7f2"), 0, 0));
    }
}
