//! `-o`: which form the data takes.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use super::columns::Columns;
use super::jsonpath::Template;

/// The form of what a command reads, with kubectl's meaning.
#[derive(Clone, Debug, Default)]
pub enum Format {
    #[default]
    Table,
    Wide,
    Json,
    Yaml,
    Name,
    JsonPath(Template),
    CustomColumns(Columns),
}

/// A form that a file tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileFormat {
    JsonPath(PathBuf),
    CustomColumns(PathBuf),
}

/// What `-o` says, before files are read.
#[derive(Clone, Debug)]
pub enum Asked {
    Format(Format),
    File(FileFormat),
    /// A manifest of a session, for `status`.
    FlinkDeployment,
}

/// The form of Kubernetes objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectFormat {
    Json,
    Name,
    Yaml,
}

/// In kubectl's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InvalidFormat {
    Unknown {
        format: String,
        allowed: &'static str,
    },
    /// A template or columns that cannot be read, or a file without a name.
    Template(String),
}

impl fmt::Display for InvalidFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { format, allowed } => write!(
                f,
                "unable to match a printer suitable for the output format {format:?}, allowed formats are: {allowed}"
            ),
            Self::Template(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for InvalidFormat {}

fn unknown(format: &str, allowed: &'static str) -> InvalidFormat {
    InvalidFormat::Unknown { format: format.to_owned(), allowed }
}

/// What `ls` and every list takes.
const LIST: &str = "custom-columns,custom-columns-file,json,jsonpath,jsonpath-file,name,wide,yaml";
/// `status` takes one more.
const STATUS: &str =
    "custom-columns,custom-columns-file,flinkdeployment,json,jsonpath,jsonpath-file,name,wide,yaml";

/// The same to be typed: what takes more ends in `=`.
pub const OF_LIST: [&str; 8] = [
    "custom-columns=",
    "custom-columns-file=",
    "json",
    "jsonpath=",
    "jsonpath-file=",
    "name",
    "wide",
    "yaml",
];
pub const OF_STATUS: [&str; 9] = [
    "custom-columns=",
    "custom-columns-file=",
    "flinkdeployment",
    "json",
    "jsonpath=",
    "jsonpath-file=",
    "name",
    "wide",
    "yaml",
];
pub const OF_OBJECTS: [&str; 3] = ["json", "name", "yaml"];
/// [`OF_OBJECTS`] in an error.
const OBJECTS: &str = "json,name,yaml";

impl Asked {
    /// Reads `-o` of a list.
    pub fn of_list(word: &str) -> Result<Self, InvalidFormat> {
        Self::parse(word, LIST)
    }

    /// Reads `-o` of `status`.
    pub fn of_status(word: &str) -> Result<Self, InvalidFormat> {
        match word {
            "flinkdeployment" => Ok(Self::FlinkDeployment),
            other => Self::parse(other, STATUS),
        }
    }

    fn parse(word: &str, allowed: &'static str) -> Result<Self, InvalidFormat> {
        let (kind, rest) = match word.split_once('=') {
            Some((kind, rest)) => (kind, Some(rest)),
            None => (word, None),
        };
        let file = |rest: Option<&str>| match rest {
            Some(path) if !path.is_empty() => Ok(PathBuf::from(path)),
            _ => Err(InvalidFormat::Template(format!("{kind} format specified but no file given"))),
        };
        Ok(match (kind, rest) {
            ("", None) => Self::Format(Format::Table),
            ("wide", None) => Self::Format(Format::Wide),
            ("json", None) => Self::Format(Format::Json),
            ("yaml", None) => Self::Format(Format::Yaml),
            ("name", None) => Self::Format(Format::Name),
            ("jsonpath", None | Some("")) => {
                return Err(InvalidFormat::Template(
                    "template format specified but no template given".to_owned(),
                ));
            }
            ("jsonpath", Some(template)) => Self::Format(Format::json_path(template)?),
            ("custom-columns", columns) => Self::Format(Format::columns(columns.unwrap_or_default())?),
            ("jsonpath-file", path) => Self::File(FileFormat::JsonPath(file(path)?)),
            ("custom-columns-file", path) => Self::File(FileFormat::CustomColumns(file(path)?)),
            _ => return Err(unknown(word, allowed)),
        })
    }
}

impl Format {
    fn json_path(template: &str) -> Result<Self, InvalidFormat> {
        Template::parse(template).map(Self::JsonPath).map_err(InvalidFormat::Template)
    }

    fn columns(columns: &str) -> Result<Self, InvalidFormat> {
        Columns::parse(columns).map(Self::CustomColumns).map_err(InvalidFormat::Template)
    }

    /// Reads the text of the file that was named.
    pub fn of_file(format: &FileFormat, text: &str) -> Result<Self, InvalidFormat> {
        match format {
            FileFormat::JsonPath(_) => Self::json_path(text),
            FileFormat::CustomColumns(_) => {
                Columns::of_file_text(text).map(Self::CustomColumns).map_err(InvalidFormat::Template)
            }
        }
    }

    /// True for the forms that people read in a terminal.
    pub fn is_table(&self) -> bool {
        matches!(self, Self::Table | Self::Wide)
    }
}

impl FromStr for ObjectFormat {
    type Err = InvalidFormat;

    fn from_str(word: &str) -> Result<Self, InvalidFormat> {
        match word {
            "json" => Ok(Self::Json),
            "name" => Ok(Self::Name),
            "yaml" => Ok(Self::Yaml),
            other => Err(unknown(other, OBJECTS)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_format_is_told_in_kubectls_words() {
        let told = |word: &str| Asked::of_list(word).expect_err(word).to_string();
        insta::assert_snapshot!(
            [
                "xml",
                "JSON",
                "json=x",
                "flinkdeployment",
                "jsonpath",
                "jsonpath=",
                "jsonpath={.a",
                "jsonpath-file",
                "custom-columns",
                "custom-columns=NAME"
            ]
            .map(told)
            .join("\n")
        );
        assert!(Asked::of_status("flinkdeployment").is_ok());
    }

    #[test]
    fn what_can_be_typed_is_what_an_error_allows() {
        let bare = |forms: &[&str]| {
            forms.iter().map(|form| form.trim_end_matches('=')).collect::<Vec<_>>().join(",")
        };
        assert_eq!(bare(&OF_LIST), LIST);
        assert_eq!(bare(&OF_STATUS), STATUS);
        assert_eq!(bare(&OF_OBJECTS), OBJECTS);
    }
}
