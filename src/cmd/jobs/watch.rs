//! `kubectl flink jobs NAME [JOB] -w`: REST tells of no changes, so it is asked again and again.

use std::time::Duration;

use futures::stream;
use jiff::Timestamp;
use tokio::time::Instant;

use super::followed::{Followed, of_row};
use super::rows::Columns;
use super::{Args, cannot_list, cannot_look, gather, is_gone, names, nothing, print_one, text};
use crate::app::wait::{Look, Waited, until};
use crate::app::{App, CommandError};
use crate::cmd::listing;
use crate::cmd::reach::Reached;
use crate::exit::Exit;
use crate::flink::{self, RestError};
use crate::model::JobView;
use crate::model::ids::JobId;
use crate::model::job::{JOB_LIST_KIND, JobDetails, Thrown};
use crate::model::session::API_VERSION;
use crate::model::status::Job;
use crate::output::format::Format;
use crate::output::table::Layout;
use crate::output::{Screen, printable};

const TICK: Duration = Duration::from_secs(1);

/// Between looks at all of one job, which are several questions.
const TICK_ONE: Duration = Duration::from_secs(2);

/// A watch has no end of its own.
const FOR_EVER: Duration = Duration::from_secs(365 * 24 * 3600);

/// Where a watch shows what it sees, and that it sees nothing for now.
struct Window<'a> {
    reached: &'a Reached,
    app: &'a App,
    /// On a terminal.
    screen: Option<Screen<'a>>,
    picture: String,
    is_lost: bool,
}

impl<'a> Window<'a> {
    fn new(format: &Format, reached: &'a Reached, app: &'a App) -> Self {
        let screen = (app.ui.redraws() && format.is_table()).then(|| app.ui.screen());
        Self { reached, app, screen, picture: String::new(), is_lost: false }
    }

    fn draw(&mut self, picture: String) -> Result<(), CommandError> {
        self.picture = picture;
        match &mut self.screen {
            Some(screen) => Ok(screen.show(&self.picture)?),
            None => Ok(()),
        }
    }

    /// Takes an answer. None where REST gives none that counts: it is told once, and asked again.
    fn answer<T>(
        &mut self,
        answer: Result<T, RestError>,
        doing: impl FnOnce() -> String,
    ) -> Result<Option<T>, CommandError> {
        let error = match answer {
            Ok(value) => {
                self.is_lost = false;
                return Ok(Some(value));
            }
            Err(error) if error.may_pass() => error,
            Err(error) => return Err(self.reached.error(&error, doing())),
        };
        let lost = format!(
            "lost the connection to the REST API of session {}; retrying: {error}",
            self.reached.name
        );
        match &mut self.screen {
            Some(screen) => screen.show(&format!("{}\nWarning: {}\n", self.picture, printable(&lost)))?,
            None if !self.is_lost => self.app.ui.warn(&lost),
            None => {}
        }
        self.is_lost = true;
        Ok(None)
    }

    /// After a question without an answer: the end, where there is no such session any more.
    async fn look_again<T>(&self, gone: T) -> Look<T> {
        match self.reached.is_gone().await {
            true => Look::Done(gone),
            false => Look::Again(TICK),
        }
    }
}

/// How a watch came to its end.
enum End {
    SessionGone,
    JobGone,
    JobEnded,
}

fn end(waited: Waited<End>, reached: &Reached, job: Option<&Job>, app: &App) -> Result<Exit, CommandError> {
    match (waited, job) {
        (Waited::Done(End::JobGone), Some(job)) => Err(is_gone(reached, job)),
        (Waited::Done(End::SessionGone | End::JobGone), _) => {
            app.ui.note(&format!("session {} is gone", reached.name));
            Ok(Exit::Done)
        }
        (Waited::Done(End::JobEnded), _) => Ok(Exit::Done),
        (Waited::TimedOut, _) => Ok(Exit::TimedOut),
        (Waited::Interrupted, _) => Ok(Exit::Interrupted),
    }
}

/// Shows the jobs, and then what becomes of them.
pub async fn all(
    args: &Args,
    format: &Format,
    jobs: Vec<Job>,
    reached: &Reached,
    app: &App,
) -> Result<Exit, CommandError> {
    let mut window = Window::new(format, reached, app);
    let mut list = List { args, format, reached, app, layout: layout(format, app), is_first: true };
    if args.form.sort_by.is_some() && window.screen.is_none() {
        app.ui.warn("--sort-by is for the list, not for what changes after it");
    }
    let mut followed = Followed::new(args.all);
    let mut at_hand = Some(jobs);
    let waited = until(FOR_EVER, stream::pending(), async || {
        let answer = match at_hand.take() {
            Some(jobs) => Ok(jobs),
            None => flink::jobs(&reached.rest).await,
        };
        let Some(jobs) = window.answer(answer, || cannot_list(reached))? else {
            return Ok(window.look_again(End::SessionGone).await);
        };
        let ended = jobs.iter().filter(|job| !job.is_alive()).count();
        let news = followed.take(jobs, Instant::now());
        if window.screen.is_some() {
            window.draw(list.picture(followed.picture(), ended)?)?;
            return Ok(Look::Again(TICK));
        }
        list.append(news.changed)?;
        for job in news.gone {
            let Job { id, name, .. } = job;
            app.ui.warn(&format!("session {} does not know job {name} ({id}) any more", reached.name));
        }
        Ok(Look::Again(TICK))
    })
    .await?;
    end(waited, reached, None, app)
}

/// Shows one job, and shows it again whenever it changes, until it has ended.
pub async fn one(
    args: &Args,
    format: &Format,
    job: &Job,
    reached: &Reached,
    app: &App,
) -> Result<Exit, CommandError> {
    let mut window = Window::new(format, reached, app);
    let mut shown: Option<Vec<String>> = None;
    let waited = until(FOR_EVER, stream::pending(), async || {
        let answer = gather::job(reached, &job.id).await;
        let Some(found) = window.answer(answer, || cannot_look(reached, job))? else {
            return Ok(window.look_again(End::SessionGone).await);
        };
        let Some((job, details)) = found else { return Ok(Look::Done(End::JobGone)) };
        let again = if job.is_alive() { Look::Again(TICK_ONE) } else { Look::Done(End::JobEnded) };
        let now = what_matters(&job, &details);
        let view = JobView { details: Some(details), ..reached.view(job) };
        if window.screen.is_some() {
            window.draw(text::render(&view, format, Timestamp::now(), app.ui.colours_data()))?;
            return Ok(again);
        }
        if shown.as_ref() != Some(&now) {
            match format {
                Format::Yaml => app.ui.rendered("---\n")?,
                format if format.is_table() && shown.is_some() => app.ui.rendered("\n")?,
                _ => {}
            }
            print_one(&view, format, shown.is_none() && !args.form.no_headers, app)?;
            shown = Some(now);
        }
        Ok(again)
    })
    .await?;
    end(waited, reached, Some(job), app)
}

/// What makes a job worth showing again: not that it works on, and not that a checkpoint goes well.
fn what_matters(job: &Job, details: &JobDetails) -> Vec<String> {
    let vertices = details.vertices.iter().map(|vertex| format!("{:?}", vertex.tasks_by_state));
    let checkpoints = details.checkpoints.known().and_then(Option::as_ref).map(|all| {
        let savepoint = all.last_savepoint.as_ref().map(|savepoint| savepoint.id);
        format!("{} {savepoint:?} {:?}", all.failed, all.restored_from)
    });
    let exceptions = details.exceptions.known().into_iter().flatten();
    let exceptions =
        exceptions.map(|Thrown { exception, .. }| format!("{:?} {}", exception.at, exception.stack));
    let findings = details.findings.iter().map(|finding| finding.summary.clone());
    let unknown = details.unknown().into_iter().map(|(part, why)| format!("{part}: {why}"));
    [of_row(job)]
        .into_iter()
        .chain(vertices)
        .chain(checkpoints)
        .chain(exceptions)
        .chain(findings)
        .chain(unknown)
        .collect()
}

/// The list, as it is printed.
struct List<'a> {
    args: &'a Args,
    format: &'a Format,
    reached: &'a Reached,
    app: &'a App,
    layout: Layout,
    /// Nothing was printed yet.
    is_first: bool,
}

/// Rows that come later shall stand below those that are there.
fn layout(format: &Format, app: &App) -> Layout {
    let mut layout = Layout::coloured(app.ui.colours_data());
    let longest = Job {
        id: JobId::from(0),
        name: String::new(),
        state: "INITIALIZING".to_owned(),
        tasks_running: 0,
        tasks_total: 0,
        started_at: Some(Timestamp::UNIX_EPOCH),
        duration_milliseconds: 0,
    };
    layout.reserve(&Columns::of(format).table([&longest]));
    layout
}

impl List<'_> {
    fn views(&self, jobs: Vec<Job>) -> Vec<JobView> {
        jobs.into_iter().map(|job| self.reached.view(job)).collect()
    }

    fn picture(&mut self, jobs: Vec<Job>, ended: usize) -> Result<String, CommandError> {
        if jobs.is_empty() {
            return Ok(nothing(self.reached, self.args.all, ended) + "\n");
        }
        let views = listing::sorted(self.views(jobs), self.args.form.sort_by.as_ref())?;
        let table = Columns::of(self.format).table(views.iter().map(|view| &view.job));
        Ok(self.layout.render(&table, !self.args.form.no_headers))
    }

    fn append(&mut self, jobs: Vec<Job>) -> Result<(), CommandError> {
        if jobs.is_empty() {
            return Ok(());
        }
        let mut views = self.views(jobs);
        let mut headers = !self.args.form.no_headers && self.is_first;
        if self.is_first {
            views = listing::sorted(views, self.args.form.sort_by.as_ref())?;
            self.is_first = false;
        }
        match self.format {
            Format::Table | Format::Wide => {
                let table = Columns::of(self.format).table(views.iter().map(|view| &view.job));
                self.app.ui.rendered(&self.layout.render(&table, headers))?;
            }
            Format::Name => self.app.ui.data(&names(&views))?,
            other => {
                for view in &views {
                    let value = listing::value(view)?;
                    listing::print_next(other, API_VERSION, JOB_LIST_KIND, value, headers, self.app)?;
                    headers = false;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cmd::jobs::rows::tests::job;
    use crate::model::status::Part;

    #[test]
    fn what_is_printed_again_is_what_has_changed() {
        let before = text::tests::details();
        let is_news = |change: fn(&mut JobDetails)| {
            let mut now = before.clone();
            change(&mut now);
            let job = job("a", "orders", "RUNNING");
            what_matters(&job, &now) != what_matters(&job, &before)
        };
        assert!(is_news(|now| now.vertices[0].tasks_by_state.clear()));
        assert!(is_news(|now| now.exceptions = Part::Known(Vec::new())));
        assert!(is_news(|now| now.checkpoints = Part::Unknown("lost".to_owned())));
        assert!(!is_news(|now| now.vertices[0].records_read = Some(7)));
        assert!(!is_news(|now| now.vertices[0].backpressure = None));
    }
}
