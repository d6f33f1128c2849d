//! The values that Flink parses, and why it will not parse others.
//!
//! Sources: `ConfigurationUtils`, `TimeUtils.parseDuration` and `MemorySize.parse`, tried with each release.

use crate::session::flink_config::keys::{Kind, Version};
use crate::session::spec::version::NEWEST;

/// Why the newest Flink will not parse `value`, as one clause; none when it will, or nothing is known.
///
/// Blanks around it do not count: some ways to Flink trim them.
pub fn problem(kind: &Kind, value: &str) -> Option<String> {
    let trimmed = value.trim();
    match kind {
        Kind::Boolean if !["true", "false"].iter().any(|word| trimmed.eq_ignore_ascii_case(word)) => {
            Some(format!("{value:?} is neither true nor false"))
        }
        Kind::Integer => whole_problem(value, trimmed.parse::<i32>().is_ok()),
        Kind::Long => whole_problem(value, trimmed.parse::<i64>().is_ok()),
        Kind::Double if !is_double(trimmed) => Some(format!("{value:?} is no number: say 0.5 or 2")),
        Kind::Duration => duration_problem(value, (NEWEST.major, NEWEST.minor)),
        Kind::Memory => memory_problem(value),
        Kind::Enum(names) if !names.iter().any(|name| trimmed.eq_ignore_ascii_case(name)) => {
            Some(match names[..] {
                [only] => format!("{value:?} is not {only}"),
                _ => format!("{value:?} is none of {}", names.join(", ")),
            })
        }
        Kind::Boolean | Kind::Double | Kind::Enum(_) | Kind::List | Kind::Map | Kind::Text => None,
    }
}

fn whole_problem(value: &str, parsed: bool) -> Option<String> {
    if parsed {
        return None;
    }
    let trimmed = value.trim();
    let digits = trimmed.strip_prefix(['-', '+']).unwrap_or(trimmed);
    Some(if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) {
        format!("{value:?} is out of range")
    } else {
        format!("{value:?} is no whole number")
    })
}

/// As Java's `Double.parseDouble`, save hexadecimal numbers: they count as good unseen.
fn is_double(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(unsigned, "NaN" | "Infinity") || unsigned.starts_with("0x") || unsigned.starts_with("0X") {
        return true;
    }
    let number = unsigned.strip_suffix(['d', 'D', 'f', 'F']).unwrap_or(unsigned);
    // Rust also takes `inf` and `nan`, which Java does not.
    number.starts_with(|c: char| c.is_ascii_digit() || c == '.') && number.parse::<f64>().is_ok()
}

/// A whole number and its unit, as Flink takes both apart: `10 s`, `10s` and `10` are fine, `1.5s` is not.
fn number_and_unit(text: &str) -> Option<(i64, String)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    Some((text[..end].parse().ok()?, text[end..].trim().to_lowercase()))
}

/// Why Flink of `version` will not parse a duration.
pub(super) fn duration_problem(value: &str, version: Version) -> Option<String> {
    let text = value.trim();
    if is_iso_duration(text) {
        return (version < (2, 1))
            .then(|| format!("{value:?} is no duration before Flink 2.1: say 30s, 5 min or 1h"));
    }
    let Some((number, unit)) = number_and_unit(text) else {
        return Some(format!("{value:?} is no duration: say 30s, 5 min or 1h"));
    };
    // Flink 1.10 did not know it.
    if unit == "m" && version <= (1, 10) {
        return Some(format!("{value:?} is no duration for Flink 1.10: say min for minutes"));
    }
    let Some(nanoseconds) = nanoseconds_of(&unit) else {
        return Some(format!("{value:?} is no duration: say 30s, 5 min or 1h"));
    };
    let seconds = (nanoseconds / NANOSECONDS).max(1);
    number.checked_mul(seconds).is_none().then(|| format!("{value:?} is too long a duration"))
}

/// In a second.
const NANOSECONDS: i64 = 1_000_000_000;

fn nanoseconds_of(unit: &str) -> Option<i64> {
    Some(match unit {
        "d" | "day" | "days" => 86_400 * NANOSECONDS,
        "h" | "hour" | "hours" => 3_600 * NANOSECONDS,
        "m" | "min" | "minute" | "minutes" => 60 * NANOSECONDS,
        "s" | "sec" | "secs" | "second" | "seconds" => NANOSECONDS,
        "" | "ms" | "milli" | "millis" | "millisecond" | "milliseconds" => 1_000_000,
        "µs" | "micro" | "micros" | "microsecond" | "microseconds" => 1_000,
        "ns" | "nano" | "nanos" | "nanosecond" | "nanoseconds" => 1,
        _ => return None,
    })
}

/// How long a duration is, in any form that some version of Flink parses.
pub fn nanoseconds(value: &str) -> Option<i128> {
    let text = value.trim();
    if !is_iso_duration(text) {
        let (number, unit) = number_and_unit(text)?;
        return i128::from(number).checked_mul(i128::from(nanoseconds_of(&unit)?));
    }
    // `P1DT1.5S`: letters after their numbers; P and T have none.
    let parts = text.split_inclusive(|c: char| c.is_ascii_alphabetic()).filter(|part| part.len() > 1);
    parts
        .map(|part| {
            let (number, unit) = part.split_at(part.len() - 1);
            let (whole, decimals) = number.split_once(['.', ',']).unwrap_or((number, ""));
            let decimals: i128 = format!("{decimals:0<9.9}").parse().ok()?;
            let unit = i128::from(nanoseconds_of(&unit.to_ascii_lowercase())?);
            Some(whole.parse::<i128>().ok()? * unit + decimals)
        })
        .sum()
}

/// `PT1H30M`, in any case: days, hours, minutes and seconds in this order, seconds with decimals, none negative.
fn is_iso_duration(text: &str) -> bool {
    let upper = text.to_ascii_uppercase();
    let Some(rest) = upper.strip_prefix('P') else {
        return false;
    };
    let (days, time) = rest.split_once('T').map_or((rest, None), |(days, time)| (days, Some(time)));
    let days = amounts(days, "D").is_some_and(|count| count > 0 || time.is_some());
    days && time.is_none_or(|time| amounts(time, "HMS").is_some_and(|count| count > 0))
}

/// How many numbers with one of `units` the text is made of; none when it is not made of such in their order.
fn amounts(mut text: &str, units: &str) -> Option<usize> {
    let (mut count, mut left) = (0, units);
    while !text.is_empty() {
        let end = text.find(|c: char| c.is_ascii_alphabetic())?;
        let unit = text[end..].chars().next()?;
        left = &left[left.find(unit)? + 1..];
        let whole = if unit == 'S' { text[..end].split(['.', ',']).next()? } else { &text[..end] };
        whole.parse::<u32>().ok()?;
        (text, count) = (&text[end + 1..], count + 1);
    }
    Some(count)
}

fn memory_problem(value: &str) -> Option<String> {
    let Some((number, unit)) = number_and_unit(value.trim()) else {
        return Some(format!("{value:?} is no memory size: say 512m or 2g"));
    };
    let bytes_per_unit: i64 = match unit.as_str() {
        "" | "b" | "bytes" => 1,
        "k" | "kb" | "kibibytes" => 1 << 10,
        "m" | "mb" | "mebibytes" => 1 << 20,
        "g" | "gb" | "gibibytes" => 1 << 30,
        "t" | "tb" | "tebibytes" => 1 << 40,
        "ki" | "mi" | "gi" | "ti" | "kib" | "mib" | "gib" | "tib" => {
            return Some(format!(
                "{value:?} is no memory size: say {number}{}, which is the same",
                &unit[..1]
            ));
        }
        _ => return Some(format!("{value:?} is no memory size: say 512m or 2g")),
    };
    number.checked_mul(bytes_per_unit).is_none().then(|| format!("{value:?} is too large a memory size"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parses(kind: &Kind, values: &[&str]) {
        for value in values {
            assert_eq!(problem(kind, value), None, "{value}");
        }
    }

    fn fails(kind: &Kind, values: &[&str]) {
        for value in values {
            assert!(
                problem(kind, value).is_some_and(|text| text.starts_with(&format!("{value:?} is "))),
                "{value}"
            );
        }
    }

    // Flink 1.10, 1.20 and 2.3 agree with the next four tests.

    #[test]
    fn a_duration_is_a_whole_number_with_or_without_a_unit() {
        let good = ["10", "10 s", "10S", "5MIN", "1 Hour", "1 d", "10 µs", "10 nanos", " 10  s ", "7 secs"];
        parses(&Kind::Duration, &good);
        parses(&Kind::Duration, &["9223372036854775807", "106751991167300 d", "2562047788015215 h"]);
        fails(
            &Kind::Duration,
            &["", "s", "1.5 s", "-1", "+5 s", "10 parsecs", "10 us", "1h 30m", "1_000", "7 mins"],
        );
        fails(&Kind::Duration, &["99999999999999999999 s", "106751991167301 d", "2562047788015216 h"]);
        let text = problem(&Kind::Duration, "10 parsecs");
        assert_eq!(text.as_deref(), Some("\"10 parsecs\" is no duration: say 30s, 5 min or 1h"));
    }

    #[test]
    fn a_duration_is_as_long_in_every_form() {
        let hour_and_half = 5_400 * i128::from(NANOSECONDS);
        for text in ["90 min", "90m", "5400 secs", "5400000", "PT1H30M", "pt90m", "PT5400.0S", "P0DT90M"] {
            assert_eq!(nanoseconds(text), Some(hour_and_half), "{text}");
        }
        for (text, length) in [("PT1.5S", 1_500_000_000), ("PT0,000000001S", 1), ("3 µs", 3_000), ("0", 0)] {
            assert_eq!(nanoseconds(text), Some(length), "{text}");
        }
        for text in ["", "-1 ms", "1.5 s", "10 parsecs", "PT"] {
            assert_eq!(nanoseconds(text), None, "{text}");
        }
    }

    #[test]
    fn a_memory_size_is_a_whole_number_with_a_unit_that_flink_knows() {
        parses(&Kind::Memory, &["10", "10 b", "1g", "1G", "1gb", "1 gibibytes", "1 KibiBytes", " 1 g "]);
        fails(
            &Kind::Memory,
            &["", "g", "1.5g", "-1", "+1g", "1 kilobytes", "1 m b", "7 byte", "8796093022208m"],
        );
        let text = problem(&Kind::Memory, "2Gi");
        assert_eq!(text.as_deref(), Some("\"2Gi\" is no memory size: say 2g, which is the same"));
    }

    #[test]
    fn numbers_are_in_javas_spelling_and_range() {
        parses(&Kind::Integer, &["1", "+1", "-1", "2147483647"]);
        fails(&Kind::Integer, &["", "2147483648", "1.0", "0x10", "1 s"]);
        parses(&Kind::Long, &["2147483648", "-1"]);
        fails(&Kind::Long, &["9223372036854775808", "1L", "10 s"]);
        parses(&Kind::Double, &["1", "+1", "1e3", "1d", "1f", "NaN", "-Infinity", "0x1p3", ".5", "5."]);
        fails(&Kind::Double, &["", "nan", "inf", "1,5", "500m", "."]);
    }

    #[test]
    fn words_are_read_in_any_case() {
        parses(&Kind::Boolean, &["true", "FALSE", "True"]);
        fails(&Kind::Boolean, &["", "yes", "1", "on"]);
        let mode = Kind::Enum(vec!["EXACTLY_ONCE", "AT_LEAST_ONCE"]);
        parses(&mode, &["exactly_once", "AT_LEAST_ONCE"]);
        fails(&mode, &["", "exactly-once", "exactlyonce"]);
        let text = problem(&mode, "once");
        assert_eq!(text.as_deref(), Some("\"once\" is none of EXACTLY_ONCE, AT_LEAST_ONCE"));
    }

    #[test]
    fn what_has_a_grammar_of_its_own_is_left_to_flink() {
        for kind in [Kind::List, Kind::Map, Kind::Text] {
            parses(&kind, &["", "a;b", "a:1,b:2", "[a, b]"]);
        }
    }

    #[test]
    fn iso_8601_is_read_since_flink_2_1_and_m_since_1_11() {
        for value in ["PT10S", "pt10s", "P1D", "P1DT2H", "PT1H30M", "PT1.5S"] {
            assert_eq!(duration_problem(value, (2, 1)), None, "{value}");
            assert!(duration_problem(value, (2, 0)).is_some(), "{value}");
        }
        for value in ["P", "PT", "P1W", "P1Y", "PT-5S", "-PT5S", "P1DT", "PT1M1H", "PT1.5H", "10 PT1S"] {
            assert!(duration_problem(value, (2, 3)).is_some(), "{value}");
        }
        assert_eq!(duration_problem("5m", (1, 11)), None);
        assert!(duration_problem("5m", (1, 10)).is_some());
    }
}
