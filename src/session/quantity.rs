//! Memory and CPU as people type them, for Flink and for Kubernetes.

use std::fmt;
use std::str::FromStr;

/// A memory size in MiB. Flink makes the container's request and limit of it, in whole MiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Memory {
    mebibytes: u64,
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

/// As Flink reads it: a decimal number of cores, such as `0.5`.
impl fmt::Display for Cpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (cores, rest) = (self.millicores / 1000, self.millicores % 1000);
        if rest == 0 {
            return write!(f, "{cores}");
        }
        f.write_str(format!("{cores}.{rest:03}").trim_end_matches('0'))
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
