//! Tolerations, as people type them and as Flink and Kubernetes read them.

use std::fmt;
use std::str::FromStr;

/// What `kubectl taint` calls `KEY[=VALUE][:EFFECT]`: tolerated. Without a value any value is,
/// without an effect every effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Toleration {
    pub key: String,
    pub value: Option<String>,
    pub effect: Option<Effect>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    NoSchedule,
    PreferNoSchedule,
    NoExecute,
}

impl Effect {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoSchedule => "NoSchedule",
            Self::PreferNoSchedule => "PreferNoSchedule",
            Self::NoExecute => "NoExecute",
        }
    }
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no toleration: say KEY, KEY=VALUE or KEY=VALUE:EFFECT with NoSchedule, PreferNoSchedule or NoExecute"
)]
pub struct InvalidToleration(String);

impl FromStr for Toleration {
    type Err = InvalidToleration;

    fn from_str(text: &str) -> Result<Self, InvalidToleration> {
        let invalid = || InvalidToleration(text.to_owned());
        let (taint, effect) = match text.split_once(':') {
            None => (text, None),
            Some((taint, word)) => {
                let known = [Effect::NoSchedule, Effect::PreferNoSchedule, Effect::NoExecute];
                (taint, Some(known.into_iter().find(|effect| effect.as_str() == word).ok_or_else(invalid)?))
            }
        };
        let (key, value) = match taint.split_once('=') {
            None => (taint, None),
            Some((key, value)) => (key, Some(value.to_owned())),
        };
        let legal = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
        if key.is_empty() || !key.chars().all(legal) || !value.iter().flat_map(|v| v.chars()).all(legal) {
            return Err(invalid());
        }
        Ok(Self { key: key.to_owned(), value, effect })
    }
}

/// As it is typed.
impl fmt::Display for Toleration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.key)?;
        if let Some(value) = &self.value {
            write!(f, "={value}")?;
        }
        match self.effect {
            Some(effect) => write!(f, ":{}", effect.as_str()),
            None => Ok(()),
        }
    }
}

impl Toleration {
    /// `Equal` with a value, `Exists` without: Kubernetes' words.
    pub fn operator(&self) -> &'static str {
        if self.value.is_some() { "Equal" } else { "Exists" }
    }

    /// As one element of Flink's `kubernetes.*.tolerations`.
    pub fn as_flink_reads_it(&self) -> String {
        let mut parts = vec![format!("key:{}", self.key), format!("operator:{}", self.operator())];
        parts.extend(self.value.iter().map(|value| format!("value:{value}")));
        parts.extend(self.effect.iter().map(|effect| format!("effect:{}", effect.as_str())));
        parts.join(",")
    }

    /// True when this tolerates a taint.
    pub fn tolerates(&self, key: &str, value: &str, effect: &str) -> bool {
        self.key == key
            && self.value.as_deref().is_none_or(|own| own == value)
            && self.effect.is_none_or(|own| own.as_str() == effect)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spelling_is_that_of_kubectl_taint() {
        for (text, flink) in [
            ("spot", "key:spot,operator:Exists"),
            ("a.b/c=d", "key:a.b/c,operator:Equal,value:d"),
            ("a=d:NoSchedule", "key:a,operator:Equal,value:d,effect:NoSchedule"),
            ("a:NoExecute", "key:a,operator:Exists,effect:NoExecute"),
        ] {
            let toleration: Toleration = text.parse().expect(text);
            assert_eq!(toleration.as_flink_reads_it(), flink);
            assert_eq!(toleration.to_string(), text);
        }
        for wrong in ["", "=a", "a:Never", "a b", "a=b;c", "a=b:NoSchedule:x"] {
            assert!(wrong.parse::<Toleration>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_not_said_is_tolerated_whatever_it_is() {
        let tolerates =
            |text: &str| text.parse::<Toleration>().expect(text).tolerates("a", "b", "NoSchedule");
        assert!(tolerates("a") && tolerates("a=b") && tolerates("a:NoSchedule"));
        assert!(!tolerates("b") && !tolerates("a=c") && !tolerates("a=b:NoExecute"));
    }
}
