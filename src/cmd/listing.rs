//! The flags that every list has, with kubectl's meaning, and what they make of the items.

use serde::Serialize;
use serde_json::{Value, json};

use super::word::Word;
use crate::app::{App, CommandError};
use crate::exit::Exit;
use crate::output::format::{self, Asked, Format, ObjectFormat};
use crate::output::sort::{self, SortKey};
use crate::output::{json_safe, masked, objects, table};

/// What a watch says of a server that does not answer, with the reason behind it.
pub const LOST: &str = "lost the connection to the API server; retrying";

#[derive(clap::Args)]
#[command(next_help_heading = "Output")]
pub struct Listing {
    /// Form of the output: json, yaml, name, wide, jsonpath=TEMPLATE, custom-columns=SPEC, and both of a file
    #[arg(short, long, value_name = "FORMAT", default_value = "", hide_default_value = true, value_parser = Asked::of_list,
          add = Word::OneOf(&format::OF_LIST))]
    pub output: Asked,

    /// Leave the header out
    #[arg(long)]
    pub no_headers: bool,

    /// Show all labels in a last column
    #[arg(long)]
    pub show_labels: bool,

    /// Show these labels as columns; may be repeated
    #[arg(short = 'L', long, value_name = "KEY,...", value_delimiter = ',')]
    pub label_columns: Vec<String>,

    /// Sort by a field, such as .metadata.creationTimestamp
    #[arg(long, value_name = "JSONPATH", value_parser = SortKey::parse)]
    pub sort_by: Option<SortKey>,

    /// After the list, show what changes
    #[arg(short, long)]
    pub watch: bool,

    /// Show what changes, without the list
    #[arg(long)]
    pub watch_only: bool,

    /// Say of each change what it is: ADDED, MODIFIED or DELETED
    #[arg(long)]
    pub output_watch_events: bool,
}

/// A template or columns without their file's text are read now, before anything is asked.
pub fn format(asked: &Asked, app: &App) -> Result<Format, CommandError> {
    use crate::output::format::FileFormat;
    match asked {
        Asked::Format(format) => Ok(format.clone()),
        Asked::File(file) => {
            let (FileFormat::JsonPath(path) | FileFormat::CustomColumns(path)) = file;
            let text = app.read(path)?;
            Format::of_file(file, &text).map_err(|error| CommandError::new(Exit::Error, error.to_string()))
        }
        Asked::FlinkDeployment => Ok(Format::Table),
    }
}

impl Listing {
    /// Refuses flags that do not go together.
    pub fn check(&self, format: &Format) -> Result<(), CommandError> {
        if self.show_labels && !format.is_table() {
            let message = "--show-labels goes with a table only";
            return Err(CommandError::new(Exit::Error, message).hint("leave out --show-labels, or -o"));
        }
        if self.output_watch_events && !self.watches() {
            return Err(CommandError::new(
                Exit::Error,
                "--output-watch-events goes with --watch or --watch-only only",
            ));
        }
        Ok(())
    }

    pub fn watches(&self) -> bool {
        self.watch || self.watch_only
    }
}

/// Puts `items` into the order of `key`.
pub fn sorted<T: Serialize>(items: Vec<T>, key: Option<&SortKey>) -> Result<Vec<T>, CommandError> {
    let Some(key) = key else { return Ok(items) };
    let order = sort::order(&values(&items)?, key).map_err(|error| CommandError::new(Exit::Error, error))?;
    let mut items: Vec<Option<T>> = items.into_iter().map(Some).collect();
    Ok(order.into_iter().filter_map(|index| items.get_mut(index).and_then(Option::take)).collect())
}

pub fn value<T: Serialize>(item: &T) -> Result<Value, CommandError> {
    serde_json::to_value(item).map_err(|error| CommandError::new(Exit::Error, error.to_string()))
}

pub fn values<T: Serialize>(items: &[T]) -> Result<Vec<Value>, CommandError> {
    items.iter().map(value).collect()
}

/// Prints one object after those that were printed before, as kubectl does while it watches.
pub fn print_next(
    format: &Format,
    api_version: &str,
    kind: &str,
    object: Value,
    headers: bool,
    app: &App,
) -> Result<(), CommandError> {
    if let Format::Yaml = format {
        app.ui.rendered("---\n")?;
    }
    print(format, api_version, kind, vec![object], true, headers, app)
}

/// Prints items in a form that is no table. `single` is the one that was asked for by its name:
/// it stands alone, without a list around it.
pub fn print(
    format: &Format,
    api_version: &str,
    kind: &str,
    items: Vec<Value>,
    single: bool,
    headers: bool,
    app: &App,
) -> Result<(), CommandError> {
    let items: Vec<Value> = items.into_iter().map(masked).collect();
    let whole = |mut items: Vec<Value>| match (single, items.len()) {
        (true, 1) => items.remove(0),
        _ => json!({"apiVersion": api_version, "kind": kind, "items": items}),
    };
    let text = |value: Value, format| {
        objects::render(&[value], format).map_err(|error| CommandError::new(Exit::Error, error))
    };
    match format {
        Format::Json => app.ui.rendered(&json_safe(&text(whole(items), ObjectFormat::Json)?))?,
        Format::Yaml => app.ui.raw(&text(whole(items), ObjectFormat::Yaml)?)?,
        Format::JsonPath(template) => app.ui.raw(&template.render(&whole(items)))?,
        Format::CustomColumns(columns) => app.ui.data(&table::render(&columns.table(&items), headers))?,
        Format::Name | Format::Table | Format::Wide => {}
    }
    Ok(())
}
