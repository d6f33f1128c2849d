//! Durations as people type them.

use std::time::Duration;

/// A longer wait is one for ever, as with kubectl; beyond, clocks overflow.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);

/// Reads kubectl's spelling, such as `90s`, `5m` or `1h30m`; more than nothing.
pub fn parse(text: &str) -> Result<Duration, String> {
    let parsed: Option<jiff::SignedDuration> = text.parse().ok();
    match parsed.and_then(|duration| Duration::try_from(duration).ok()).filter(|duration| !duration.is_zero())
    {
        Some(duration) => Ok(duration.min(LONGEST)),
        None => Err("say how long, for example 90s, 5m or 1h30m".to_owned()),
    }
}

/// Reads an age: the same spelling, with days too, from nothing up and without an end.
pub fn age(text: &str) -> Result<Duration, String> {
    const DAY: Duration = Duration::from_secs(24 * 3600);
    let (days, rest) = match text.split_once('d') {
        Some((days, rest)) => (days.parse().ok(), if rest.is_empty() { "0s" } else { rest }),
        None => (Some(0), text),
    };
    let rest: Option<jiff::SignedDuration> = if rest == "0" { "0s" } else { rest }.parse().ok();
    let rest = rest.and_then(|rest| Duration::try_from(rest).ok());
    let days = days.and_then(|days| DAY.checked_mul(days));
    days.zip(rest)
        .and_then(|(days, rest)| days.checked_add(rest))
        .ok_or_else(|| "say how old, for example 0s, 5m, 12h or 7d".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spelling_is_kubectls() {
        assert_eq!(parse("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(parse("1h30m"), Ok(Duration::from_secs(5400)));
        assert_eq!(parse("9999999h"), Ok(LONGEST));
        for wrong in ["", "5", "0s", "-1s", "soon"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_age_may_be_nothing_or_many_days() {
        let hours = |hours: u64| Ok(Duration::from_secs(hours * 3600));
        for none in ["0s", "0", "0d"] {
            assert_eq!(age(none), hours(0), "{none}");
        }
        assert_eq!(age("36h"), hours(36));
        // A wait of thirty days is cut short; an age is not.
        assert_eq!(age("30d"), hours(720));
        assert_eq!(age("1d12h"), hours(36));
        for wrong in ["", "d", "5", "-1s", "-1d", "1d-1h", "old", "99999999999999999999d"] {
            assert!(age(wrong).is_err(), "{wrong}");
        }
    }
}
