//! Memory, CPU and time as people type them, for Flink and for Kubernetes.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A memory size in MiB. Flink makes the container's request and limit of it, in whole MiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Memory {
    mebibytes: u64,
}

impl Memory {
    /// None for nothing.
    pub fn from_mebibytes(mebibytes: u64) -> Option<Self> {
        (mebibytes > 0).then_some(Self { mebibytes })
    }

    pub fn mebibytes(self) -> u64 {
        self.mebibytes
    }
}

/// As Flink writes sizes: `1024m`. Flink's `m` is MiB.
impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}m", self.mebibytes)
    }
}

/// CPU cores in thousandths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cpu {
    millicores: u64,
}

impl Cpu {
    /// None for nothing.
    pub fn from_millicores(millicores: u64) -> Option<Self> {
        (millicores > 0).then_some(Self { millicores })
    }

    pub fn millicores(self) -> u64 {
        self.millicores
    }
}

/// As Flink reads it: a decimal number of cores, such as `0.5`.
impl fmt::Display for Cpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&decimal(self.millicores))
    }
}

/// Thousandths as a decimal number: `0.5` for 500.
pub fn decimal(thousandths: u64) -> String {
    let (whole, rest) = (thousandths / 1000, thousandths % 1000);
    if rest == 0 {
        return whole.to_string();
    }
    format!("{whole}.{rest:03}").trim_end_matches('0').to_owned()
}

/// A length of time, more than nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period(Duration);

impl Period {
    /// The spelling that every version of Flink reads as a time: a bare number. Up to 1.19 many times
    /// are numbers of milliseconds, and a unit is an error there.
    pub fn milliseconds(self) -> u128 {
        self.0.as_millis()
    }
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidQuantity {
    #[error("{0:?} is not a memory size: say 1600m or 2g (Mi and Gi mean the same)")]
    Memory(String),
    #[error("{0:?} is less than one MiB")]
    TooSmall(String),
    #[error("{0:?} is not a number of CPU cores: say 0.5, 2 or 500m")]
    Cpu(String),
    #[error("{0:?} is not a length of time: say 90s, 5m or 1h30m")]
    Period(String),
}

impl FromStr for Period {
    type Err = InvalidQuantity;

    /// Reads kubectl's spelling, such as `90s`, `5m` or `1h30m`.
    fn from_str(text: &str) -> Result<Self, InvalidQuantity> {
        let parsed: Option<jiff::SignedDuration> = text.trim().parse().ok();
        parsed
            .and_then(|duration| Duration::try_from(duration).ok())
            .filter(|duration| duration.as_millis() > 0)
            .map(Self)
            .ok_or_else(|| InvalidQuantity::Period(text.to_owned()))
    }
}

impl FromStr for Memory {
    type Err = InvalidQuantity;

    /// Reads Flink's own form (`1600m`, `2 gb`; 1024-based whatever the case, as in Flink's
    /// `MemorySize`) and Kubernetes' binary suffixes (`1600Mi`, `2Gi`).
    fn from_str(text: &str) -> Result<Self, InvalidQuantity> {
        let invalid = || InvalidQuantity::Memory(text.to_owned());
        let trimmed = text.trim();
        let split = trimmed.find(|c: char| !c.is_ascii_digit()).ok_or_else(invalid)?;
        let number: u64 = trimmed[..split].parse().map_err(|_| invalid())?;
        let kibibytes_per_unit: u64 = match trimmed[split..].trim().to_ascii_lowercase().as_str() {
            "k" | "kb" | "ki" | "kibibytes" => 1,
            "m" | "mb" | "mi" | "mebibytes" => 1 << 10,
            "g" | "gb" | "gi" | "gibibytes" => 1 << 20,
            "t" | "tb" | "ti" | "tebibytes" => 1 << 30,
            _ => return Err(invalid()),
        };
        let mebibytes = number.checked_mul(kibibytes_per_unit).ok_or_else(invalid)? >> 10;
        if mebibytes == 0 {
            return Err(InvalidQuantity::TooSmall(text.to_owned()));
        }
        Ok(Self { mebibytes })
    }
}

impl FromStr for Cpu {
    type Err = InvalidQuantity;

    fn from_str(text: &str) -> Result<Self, InvalidQuantity> {
        let invalid = || InvalidQuantity::Cpu(text.to_owned());
        let millicores = match text.trim().strip_suffix('m') {
            Some(milli) => milli.parse().map_err(|_| invalid())?,
            None => parse_thousandths(text.trim()).ok_or_else(invalid)?,
        };
        if millicores == 0 { Err(invalid()) } else { Ok(Self { millicores }) }
    }
}

/// A quantity of Kubernetes' in thousandths of its unit, such as 500 for `500m` and 2048000 for `2Ki`;
/// rounded up. None for what is no quantity (`resource.Quantity` of apimachinery).
pub fn kubernetes(text: &str) -> Option<i128> {
    let text = text.trim();
    let split = text.find(|c: char| !c.is_ascii_digit() && !"+-.".contains(c)).unwrap_or(text.len());
    let (number, suffix) = text.split_at(split);
    let (digits, decimals) = match number.split_once('.') {
        Some((whole, decimals)) => (format!("{whole}{decimals}"), decimals.len()),
        None => (number.to_owned(), 0),
    };
    let value: i128 = digits.parse().ok()?;
    let binary = ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"].iter().position(|unit| *unit == suffix);
    let decimal = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"].iter().position(|unit| *unit == suffix);
    let exponent = suffix.strip_prefix(['e', 'E']).and_then(|power| power.parse::<i32>().ok());
    let (factor, power) = match (binary, decimal, exponent) {
        (Some(position), ..) => (1_i128 << (10 * (position + 1)), 3),
        (None, Some(position), _) => (1, 3 * i32::try_from(position).ok()? - 6),
        (None, None, Some(power)) => (1, power.checked_add(3)?),
        _ => return None,
    };
    let power = power.checked_sub(i32::try_from(decimals).ok()?)?;
    let scaled = value.checked_mul(factor)?;
    let ten_to = |power: i32| 10_i128.checked_pow(power.unsigned_abs());
    match power >= 0 {
        true => scaled.checked_mul(ten_to(power)?),
        false => {
            let divisor = ten_to(power)?;
            Some(scaled.div_euclid(divisor) + i128::from(scaled.rem_euclid(divisor) != 0))
        }
    }
}

/// `1.5` as 1500; at most three decimals, digits only.
fn parse_thousandths(text: &str) -> Option<u64> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() && decimals.is_empty() || decimals.len() > 3 || !digits(whole) || !digits(decimals) {
        return None;
    }
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let decimals: u64 = format!("{decimals:0<3}").parse().ok()?;
    whole.checked_mul(1000)?.checked_add(decimals)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_power_is_too_large_to_be_read() {
        for text in ["1e2147483647", "1e-2147483648", "1.5e-2147483648", "1e99"] {
            assert_eq!(kubernetes(text), None, "{text}");
        }
        assert_eq!(kubernetes("1e3"), Some(1_000_000));
    }

    #[test]
    fn memory_is_1024_based_in_flinks_spelling_and_in_kubernetes() {
        for (text, flink) in
            [("1600m", "1600m"), ("2g", "2048m"), ("2Gi", "2048m"), ("1024 kb", "1m"), ("1T", "1048576m")]
        {
            assert_eq!(text.parse::<Memory>().expect(text).to_string(), flink);
        }
    }

    #[test]
    fn memory_needs_a_number_and_a_unit() {
        for text in ["", "m", "12", "1.5g", "-1g", "2x", "99999999999999999999g", "18446744073709551615t"] {
            assert_eq!(text.parse::<Memory>(), Err(InvalidQuantity::Memory(text.to_owned())));
        }
        assert_eq!("1k".parse::<Memory>(), Err(InvalidQuantity::TooSmall("1k".to_owned())));
    }

    #[test]
    fn quantities_of_kubernetes_are_read_in_every_form() {
        for (text, thousandths) in [
            ("2", 2000),
            ("500m", 500),
            ("1.5", 1500),
            ("100u", 1),
            ("1Ki", 1_024_000),
            ("1.5Gi", 1_610_612_736_000),
            ("2M", 2_000_000_000),
            ("1e3", 1_000_000),
            ("12E2", 1_200_000),
            ("1E", 1_000_000_000_000_000_000_000),
            ("-1", -1000),
        ] {
            assert_eq!(kubernetes(text), Some(thousandths), "{text}");
        }
        for text in ["", "Gi", "two", "1 Gi", "1Xi"] {
            assert_eq!(kubernetes(text), None, "{text}");
        }
    }

    #[test]
    fn a_period_is_kubectls_and_goes_to_flink_in_milliseconds() {
        assert_eq!("1h30m".parse::<Period>().expect("time").milliseconds(), 5_400_000);
        for text in ["", "5", "0s", "-1s", "soon"] {
            assert_eq!(text.parse::<Period>(), Err(InvalidQuantity::Period(text.to_owned())));
        }
    }

    #[test]
    fn cpu_is_a_decimal_or_millicores() {
        for (text, flink) in
            [("1", "1"), ("0.5", "0.5"), ("500m", "0.5"), ("1.25", "1.25"), ("2500m", "2.5"), (".1", "0.1")]
        {
            assert_eq!(text.parse::<Cpu>().expect(text).to_string(), flink);
        }
        for text in ["", ".", "0", "0m", "-1", "1.0001", "1e3", "two", "1,5", "+1"] {
            assert_eq!(text.parse::<Cpu>(), Err(InvalidQuantity::Cpu(text.to_owned())));
        }
    }
}
