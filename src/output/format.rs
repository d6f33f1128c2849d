//! `-o`: which form the data takes.

use std::fmt;
use std::str::FromStr;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    #[default]
    Table,
    Wide,
    Json,
    Name,
}

/// The form of Kubernetes objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectFormat {
    Json,
    Name,
    Yaml,
}

/// The form of one session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SessionFormat {
    #[default]
    Text,
    /// A manifest for the Flink operator, and for `create -f`.
    FlinkDeployment,
}

/// In kubectl's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownFormat {
    format: String,
    allowed: &'static str,
}

impl fmt::Display for UnknownFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { format, allowed } = self;
        write!(
            f,
            "unable to match a printer suitable for the output format {format:?}, allowed formats are: {allowed}"
        )
    }
}

impl std::error::Error for UnknownFormat {}

fn unknown(format: &str, allowed: &'static str) -> UnknownFormat {
    UnknownFormat { format: format.to_owned(), allowed }
}

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(word: &str) -> Result<Self, UnknownFormat> {
        match word {
            "" => Ok(Self::Table),
            "wide" => Ok(Self::Wide),
            "json" => Ok(Self::Json),
            "name" => Ok(Self::Name),
            other => Err(unknown(other, "json,name,wide")),
        }
    }
}

impl FromStr for ObjectFormat {
    type Err = UnknownFormat;

    fn from_str(word: &str) -> Result<Self, UnknownFormat> {
        match word {
            "json" => Ok(Self::Json),
            "name" => Ok(Self::Name),
            "yaml" => Ok(Self::Yaml),
            other => Err(unknown(other, "json,name,yaml")),
        }
    }
}

impl FromStr for SessionFormat {
    type Err = UnknownFormat;

    fn from_str(word: &str) -> Result<Self, UnknownFormat> {
        match word {
            "" => Ok(Self::Text),
            "flinkdeployment" => Ok(Self::FlinkDeployment),
            other => Err(unknown(other, "flinkdeployment")),
        }
    }
}
