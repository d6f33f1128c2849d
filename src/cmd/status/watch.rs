//! `kubectl flink status NAME -w`: the screen again, whenever the session changes.

use std::time::Duration;

use jiff::Timestamp;

use super::{gather, print, text};
use crate::app::wait::{Look, Waited, until};
use crate::app::{App, CommandError};
use crate::cluster::Cluster;
use crate::cmd::listing::LOST;
use crate::cmd::standing;
use crate::exit::Exit;
use crate::model::status::{Part, SessionStatus};
use crate::model::{SessionView, TableView};
use crate::output::format::Format;
use crate::output::printable;
use crate::session::SessionName;

/// No event tells what REST would say now.
const TICK: Duration = Duration::from_secs(2);

/// Between looks that the server did not answer.
const AFTER_ERROR: Duration = Duration::from_secs(1);

/// A watch has no end of its own.
const FOR_EVER: Duration = Duration::from_secs(365 * 24 * 3600);

pub async fn run(
    cluster: &Cluster,
    name: &SessionName,
    format: &Format,
    app: &App,
) -> Result<Exit, CommandError> {
    let wide = matches!(format, Format::Wide);
    // What is not there, or cannot be reached, is told at once.
    if gather::status(cluster, name, wide).await?.is_none() {
        return Err(standing::why_not_there(name, cluster).await?);
    }
    let mut screen = (app.ui.redraws() && format.is_table()).then(|| app.ui.screen());
    let mut shown: Option<Vec<String>> = None;
    let (mut picture, mut is_lost) = (String::new(), false);
    let waited = until(FOR_EVER, cluster.changes(cluster.namespace(), name), async || {
        let status = match cluster.unless_silent(gather::status(cluster, name, wide)).await {
            Ok(Some(status)) => status,
            Ok(None) => return Ok(Look::Done(())),
            Err(error) if error.is_transient() => {
                let lost = format!("{LOST}: {error}");
                match &mut screen {
                    Some(screen) => screen.show(&format!("{picture}\nWarning: {}\n", printable(&lost)))?,
                    None if !is_lost => app.ui.warn(&lost),
                    None => {}
                }
                is_lost = true;
                return Ok(Look::Again(AFTER_ERROR));
            }
            Err(error) => return Err(error),
        };
        is_lost = false;
        if let Some(screen) = &mut screen {
            let (columns, colour) = (screen.columns(), app.ui.colours_data());
            picture = text::render_for_screen(&status, columns, wide, Timestamp::now(), colour);
            screen.show(&picture)?;
            return Ok(Look::Again(TICK));
        }
        let now = what_matters(&status);
        if shown.as_ref() != Some(&now) {
            match format {
                Format::Yaml => app.ui.rendered("---\n")?,
                format if format.is_table() && shown.is_some() => app.ui.rendered("\n")?,
                _ => {}
            }
            print(std::slice::from_ref(&status), format, true, app)?;
            shown = Some(now);
        }
        Ok(Look::Again(TICK))
    })
    .await?;
    match waited {
        Waited::Done(()) => {
            app.ui.note(&format!("session {name} is gone"));
            Ok(Exit::Done)
        }
        Waited::TimedOut => Ok(Exit::TimedOut),
        Waited::Interrupted => Ok(Exit::Interrupted),
    }
}

/// What makes a new screen worth printing: not that all has become older.
fn what_matters(status: &SessionStatus) -> Vec<String> {
    let rows = |table: &Part<TableView>| match table {
        Part::Known(view) => {
            let age = view.column("AGE");
            let row = |row: &Vec<String>| {
                let cells = row.iter().enumerate().filter(|(index, _)| Some(*index) != age);
                // `3 (2m ago)` counts as 3.
                cells
                    .map(|(_, cell)| cell.split(" (").next().unwrap_or_default())
                    .collect::<Vec<_>>()
                    .join(" ")
            };
            view.rows.iter().map(row).collect()
        }
        Part::Unknown(why) => vec![why.clone()],
    };
    // Its restarts are those of the pods, without their time.
    let session = format!("{:?}", SessionView { restarts: None, ..status.session.clone() });
    let jobs = status.jobs.known().into_iter().flatten();
    let jobs = jobs.map(|job| format!("{} {} {}/{}", job.id, job.state, job.tasks_running, job.tasks_total));
    let settings = status.configuration.known().into_iter().flatten();
    let settings = settings.map(|setting| format!("{}: {}", setting.key, setting.value));
    let events = status.events.known().into_iter().flatten();
    let events = events.map(|event| format!("{} {}: {}", event.object, event.reason, event.message));
    let findings = status.findings.iter().map(|finding| finding.summary.clone());
    let unknown = status.unknown().into_iter().map(|(part, why)| format!("{part}: {why}"));
    [status.verdict.clone(), session]
        .into_iter()
        .chain(rows(&status.pods))
        .chain(rows(&status.services))
        .chain(jobs)
        .chain(settings)
        .chain(events)
        .chain(findings)
        .chain(unknown)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cmd::status::text::tests::full;
    use crate::model::status::Memory;

    #[test]
    fn what_is_printed_again_is_what_has_changed() {
        let before = full();
        let is_news = |change: fn(&mut SessionStatus)| {
            let mut now = before.clone();
            change(&mut now);
            what_matters(&now) != what_matters(&before)
        };
        assert!(is_news(|now| now.session.status = "Degraded".to_owned()));
        assert!(is_news(|now| now.session.ready = 0));
        assert!(is_news(|now| now.configuration = Part::Known(Vec::new())));
        assert!(is_news(|now| now.events = Part::Known(Vec::new())));
        assert!(is_news(|now| now.pods = Part::Known(TableView::default())));
        assert!(!is_news(|now| now.session.restarts = Some("1 (9h ago)".to_owned())));
        assert!(!is_news(|now| {
            let Part::Known(Some(jobmanager)) = &mut now.jobmanager else { panic!("no JobManager") };
            jobmanager.memory = Part::Known(Memory::default());
        }));
    }
}
