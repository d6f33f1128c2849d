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
}
