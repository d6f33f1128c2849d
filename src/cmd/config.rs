//! `kubectl flink config`: the user's config file, and what `create` starts from.

use std::fmt::Write;

use super::word::Word;
use crate::app::{App, CommandError, UserFile};
use crate::exit::Exit;
use crate::model::TableView;
use crate::output::table;
use crate::session::config_file::{ConfigFile, shown};
use crate::session::spec::settings::{self, Layer, Source};

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  # What create starts from in the current context, and where that is said
  kubectl flink config

  # With a profile
  kubectl flink config --profile big

The file is YAML. Its keys are create's flags without the dashes; settings by Flink's own keys stand under config:
  defaults:
    jobmanager-memory: 2g
  contexts:
    prod:
      service-account: flink-prod
      image-pull-secret: [regcred]
  profiles:
    big:
      slots: 4
      config: {state.backend.type: rocksdb}")]
pub struct Args {
    /// Profile to lay over the rest
    #[arg(long, value_name = "NAME", add = Word::Profile)]
    profile: Option<String>,
}

/// What to write into a file that is not there yet.
const FIRST_LINES: &str = "\
write into it what every session should start from, for example
  defaults: {jobmanager-memory: 2g}
  profiles: {big: {taskmanager-memory: 8g, slots: 4}}";

pub async fn run(args: Args, app: &App) -> Result<Exit, CommandError> {
    let file = app.config_file()?;
    let parsed = parse(&file)?;
    let context = app.context();
    let layers = choose(&file, &parsed, context.as_deref(), args.profile.as_deref())?;
    app.ui.data(&render(&file, &parsed, context.as_deref(), layers)?)?;
    if file.text.is_none() {
        app.ui.hint(FIRST_LINES);
    }
    Ok(Exit::Done)
}

/// What the config file says for the current context with `profile`, the lowest first.
pub fn layers(app: &App, profile: Option<&str>) -> Result<Vec<Layer>, CommandError> {
    let file = app.config_file()?;
    choose(&file, &parse(&file)?, app.context().as_deref(), profile)
}

/// The names of the profiles in the config file.
pub fn profiles(app: &App) -> Result<Vec<String>, CommandError> {
    Ok(parse(&app.config_file()?)?.profiles.into_keys().collect())
}

fn parse(file: &UserFile) -> Result<ConfigFile, CommandError> {
    ConfigFile::parse(file.text.as_deref().unwrap_or_default()).map_err(|error| {
        CommandError::new(Exit::Error, format!("the config file {} cannot be used", file.path))
            .because(error.to_string())
    })
}

fn choose(
    file: &UserFile,
    parsed: &ConfigFile,
    context: Option<&str>,
    profile: Option<&str>,
) -> Result<Vec<Layer>, CommandError> {
    parsed.layers(context, profile).map_err(|unknown| {
        let told = CommandError::new(Exit::Error, unknown.to_string());
        if file.text.is_none() { told.because(format!("{} does not exist", file.path)) } else { told }
    })
}

fn render(
    file: &UserFile,
    parsed: &ConfigFile,
    context: Option<&str>,
    layers: Vec<Layer>,
) -> Result<String, CommandError> {
    let missing = if file.text.is_none() { " (does not exist)" } else { "" };
    let mut out = format!("Config file: {}{missing}\n", file.path);
    // Writing to a String cannot fail.
    let _ = writeln!(out, "Context:     {}", context.unwrap_or("<none>"));
    if !parsed.profiles.is_empty() {
        let names: Vec<&str> = parsed.profiles.keys().map(String::as_str).collect();
        let _ = writeln!(out, "Profiles:    {}", names.join(", "));
    }
    let rows = rows(layers)?;
    out.push('\n');
    if rows.is_empty() {
        out.push_str("No settings: create starts from its own defaults.\n");
    } else {
        let header = ["SETTING", "VALUE", "FROM"].map(str::to_owned).to_vec();
        out.push_str(&table::render(&TableView { header, rows }, true));
    }
    Ok(out)
}

/// One row for each thing that is said and not overridden.
fn rows(layers: Vec<Layer>) -> Result<Vec<Vec<String>>, CommandError> {
    let said: Vec<_> = layers.iter().map(|layer| (layer.source.clone(), shown(&layer.settings))).collect();
    let (settings, _) = settings::resolve(layers)?;
    let row = |(flag, value): (String, String)| {
        // The entries of a map or a list can come from several places, so each is looked for.
        let says = |pairs: &[(String, String)]| pairs.iter().any(|(f, v)| *f == flag && *v == value);
        let from = said.iter().rev().find(|(_, pairs)| says(pairs)).map(|(source, _)| place(source));
        vec![flag, value, from.unwrap_or_default()]
    };
    Ok(shown(&settings).into_iter().map(row).collect())
}

fn place(source: &Source) -> String {
    match source {
        Source::Flags => "the command line".to_owned(),
        Source::Manifest(file) => file.clone(),
        Source::Profile(name) => format!("profile {name}"),
        Source::Context(name) => format!("context {name}"),
        Source::Defaults => "the defaults".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
defaults:
  image: flink:2.3.0
  slots: 2
  label: {team: a, stage: test}
  plugin: s3-fs-hadoop
contexts:
  prod:
    label: {stage: prod}
    image-pull-secret: regcred
profiles:
  big:
    slots: 4
    plugin: [s3-fs-presto]
    config: {state.backend.type: rocksdb}
  small: {slots: 1}
";

    fn file(text: Option<&str>) -> UserFile {
        UserFile {
            path: "/home/me/.config/kubectl-flink/config.yaml".to_owned(),
            text: text.map(str::to_owned),
        }
    }

    fn printed(text: Option<&str>, context: Option<&str>, profile: Option<&str>) -> String {
        let file = file(text);
        let told = || {
            let parsed = parse(&file)?;
            let layers = choose(&file, &parsed, context, profile)?;
            render(&file, &parsed, context, layers)
        };
        told().unwrap_or_else(|error| format!("error: {error}"))
    }

    #[test]
    fn each_setting_is_told_with_its_place() {
        insta::assert_snapshot!(
            [
                printed(Some(TEXT), Some("dev"), None),
                printed(Some(TEXT), Some("prod"), Some("big")),
                printed(Some("profiles: {big: {slots: 4}}"), None, None),
                printed(None, Some("dev"), None),
            ]
            .join("\n---\n")
        );
    }

    #[test]
    fn what_is_wrong_is_told() {
        insta::assert_snapshot!(
            [
                printed(Some("defaults:\n  slots: [4]\n"), None, None),
                printed(Some(TEXT), None, Some("bigger")),
                printed(None, None, Some("big")),
                printed(Some("defaults: {slots: 2, config: {taskmanager.numberOfTaskSlots: 4}}"), None, None),
            ]
            .join("\n")
        );
    }

    #[test]
    fn the_examples_can_be_used() {
        let help = <Args as clap::Args>::augment_args(clap::Command::new("config"));
        let help = help.get_after_help().map(ToString::to_string).unwrap_or_default();
        let (_, example) = help.split_once("stand under config:\n").expect("an example");
        let parsed = ConfigFile::parse(example).expect("an example");
        assert_eq!((parsed.contexts.len(), parsed.profiles.len()), (1, 1));
        let (_, lines) = FIRST_LINES.split_once('\n').expect("an example");
        assert_eq!(ConfigFile::parse(lines).expect("an example").profiles.len(), 1);
    }
}
