//! `kubectl flink ls -w`: sessions as they change; rows one after the other, or drawn anew on a terminal.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use tokio::time::{Instant, MissedTickBehavior};

use super::{Args, Request, asks_rest, names, tell_missing};
use crate::app::{App, CommandError, interrupt, rest};
use crate::cluster::{Cluster, News, SessionEvent};
use crate::cmd::listing::{self, LOST};
use crate::cmd::standing;
use crate::exit::Exit;
use crate::model::SessionView;
use crate::model::session::{API_VERSION, LIST_KIND};
use crate::output::Screen;
use crate::output::format::Format;
use crate::output::printable;
use crate::output::table::Layout;

/// Ages grow on a terminal.
const REDRAW: Duration = Duration::from_secs(1);

/// No event tells what REST would say now.
const ASK_REST: Duration = Duration::from_secs(10);

/// What is shown, and how.
struct Watch<'a> {
    args: &'a Args,
    request: &'a Request,
    app: &'a App,
    /// On a terminal.
    screen: Option<Screen<'a>>,
    layout: Layout,
    /// Nothing was printed yet.
    is_first: bool,
    /// Warnings that stand below the picture on a terminal: one written beside it would be drawn over.
    hidden: Vec<String>,
    lost: Option<String>,
    shown: BTreeMap<(String, String), SessionView>,
}

pub async fn run(args: &Args, request: &Request, cluster: &Cluster, app: &App) -> Result<Exit, CommandError> {
    let redraws = app.ui.redraws() && request.format.is_table() && !args.listing.output_watch_events;
    let mut watch = Watch {
        args,
        request,
        app,
        screen: redraws.then(|| app.ui.screen()),
        layout: Layout::coloured(app.ui.colours_data()),
        is_first: true,
        hidden: Vec::new(),
        lost: None,
        shown: BTreeMap::new(),
    };
    if args.listing.sort_by.is_some() && !redraws {
        app.ui.warn("--sort-by is for the list, not for what changes after it");
    }
    // Rows that come later shall stand below those that are there.
    let longest = SessionView::named("", "", "Terminating");
    watch.layout.reserve(&request.columns.table([("MODIFIED", &longest)], Timestamp::UNIX_EPOCH));
    let mut follow = cluster.follow_sessions(request.query.clone());
    let mut redraw = tokio::time::interval(REDRAW);
    let mut ask_rest = tokio::time::interval_at(Instant::now() + ASK_REST, ASK_REST);
    for ticks in [&mut redraw, &mut ask_rest] {
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    }
    let mut listed = false;
    let watching = async {
        loop {
            tokio::select! {
                biased;
                news = follow.next() => {
                    let news = news?;
                    watch.warn(&news);
                    watch.take(news.events, !listed, cluster).await?;
                    if !listed {
                        listed = true;
                        watch.check_names(cluster).await?;
                    }
                }
                _ = ask_rest.tick(), if listed && asks_rest(&request.format) => watch.refresh(cluster).await?,
                _ = redraw.tick(), if listed && redraws => watch.draw()?,
            }
        }
    };
    tokio::select! {
        biased;
        // Beside all of it: REST may take its time.
        _ = interrupt::received() => Ok(Exit::Interrupted),
        ended = watching => ended,
    }
}

impl Watch<'_> {
    /// A name that is not there is an error, as without `-w`.
    async fn check_names(&self, cluster: &Cluster) -> Result<(), CommandError> {
        let sessions: Vec<SessionView> = self.shown.values().cloned().collect();
        match self.request.missing(&sessions) {
            Some(missing) if !self.args.ignore_not_found => {
                Err(standing::why_not_there(missing, cluster).await?)
            }
            _ => Ok(()),
        }
    }

    /// Says what may not be seen, and that the server is lost.
    fn warn(&mut self, news: &News) {
        let lost = news.lost.as_ref().map(|why| format!("{LOST}: {why}"));
        if self.screen.is_none() {
            tell_missing(&news.missing, self.app);
            lost.iter().for_each(|lost| self.app.ui.warn(lost));
            return;
        }
        self.hidden.extend(news.missing.iter().map(|message| format!("not all could be read: {message}")));
        self.lost = lost.or_else(|| self.lost.take().filter(|_| !news.is_back));
    }

    async fn take(
        &mut self,
        events: Vec<SessionEvent>,
        is_list: bool,
        cluster: &Cluster,
    ) -> Result<(), CommandError> {
        let mut told = Vec::new();
        for event in events {
            let (session, exists) = match event {
                SessionEvent::Added(session) | SessionEvent::Modified(session) => (session, true),
                SessionEvent::Deleted(session) => (session, false),
            };
            let shows = exists && self.args.shows(&session);
            match (self.shown.contains_key(&key(&session)), shows) {
                (false, false) => {}
                (false, true) => told.push(("ADDED", session)),
                (true, true) => told.push(("MODIFIED", session)),
                (true, false) => told.push(("DELETED", session)),
            }
        }
        if asks_rest(&self.request.format) {
            let (words, mut sessions): (Vec<_>, Vec<_>) = told.into_iter().unzip();
            rest::add_loads(cluster, &mut sessions).await;
            told = words.into_iter().zip(sessions).collect();
        }
        if is_list {
            let (words, sessions): (Vec<_>, Vec<_>) = told.into_iter().unzip();
            let sorted = listing::sorted(sessions, self.args.listing.sort_by.as_ref())?;
            told = words.into_iter().zip(sorted).collect();
        }
        self.show(told, is_list && self.args.listing.watch_only)
    }

    /// Asks REST again, and shows what has changed.
    async fn refresh(&mut self, cluster: &Cluster) -> Result<(), CommandError> {
        // One that does not answer any more is as busy as nobody knows.
        let unknown = |session: &SessionView| SessionView { load: None, ..session.clone() };
        let mut sessions: Vec<SessionView> = self.shown.values().map(unknown).collect();
        rest::add_loads(cluster, &mut sessions).await;
        self.show(sessions.into_iter().map(|session| ("MODIFIED", session)).collect(), false)
    }

    /// Remembers what has happened, and shows it as far as it shows, unless `in_silence`.
    fn show(&mut self, told: Vec<(&'static str, SessionView)>, in_silence: bool) -> Result<(), CommandError> {
        let mut news = Vec::new();
        for (word, session) in told {
            if word != "MODIFIED" || self.looks_other(&session) {
                news.push((word, session.clone()));
            }
            match word {
                "DELETED" => drop(self.shown.remove(&key(&session))),
                _ => drop(self.shown.insert(key(&session), session)),
            }
        }
        match (self.screen.is_some(), in_silence) {
            (true, _) => self.draw(),
            (false, true) => Ok(()),
            (false, false) => self.append(&news),
        }
    }

    /// True when what is shown of a session is not what was shown last; that it has become older is
    /// no change.
    fn looks_other(&self, session: &SessionView) -> bool {
        let Some(before) = self.shown.get(&key(session)) else { return true };
        if !self.request.format.is_table() {
            return before != session;
        }
        let ageless = |session: &SessionView| {
            // `3 (2m ago)` counts as 3.
            let restarts =
                session.restarts.as_deref().map(|text| text.split(" (").next().unwrap_or(text).to_owned());
            let session = SessionView { created: None, restarts, ..session.clone() };
            self.request.columns.table([("", &session)], Timestamp::UNIX_EPOCH)
        };
        ageless(before) != ageless(session)
    }

    fn draw(&mut self) -> Result<(), CommandError> {
        let sessions =
            listing::sorted(self.shown.values().cloned().collect(), self.args.listing.sort_by.as_ref())?;
        let rows = sessions.iter().map(|session| ("", session));
        let view = self.request.columns.table(rows, Timestamp::now());
        let text = match sessions.is_empty() {
            true => self.request.nothing_found() + "\n",
            false => self.layout.render(&view, !self.args.listing.no_headers),
        };
        let warnings = self.hidden.iter().chain(&self.lost);
        let warnings: String = warnings.map(|text| format!("Warning: {}\n", printable(text))).collect();
        if let Some(screen) = &mut self.screen {
            screen.show(&(text + &warnings))?;
        }
        Ok(())
    }

    fn append(&mut self, told: &[(&'static str, SessionView)]) -> Result<(), CommandError> {
        if told.is_empty() {
            return Ok(());
        }
        let headers = !self.args.listing.no_headers && self.is_first;
        self.is_first = false;
        let ui = &self.app.ui;
        match &self.request.format {
            Format::Table | Format::Wide => {
                let rows = told.iter().map(|(word, session)| (*word, session));
                let view = self.request.columns.table(rows, Timestamp::now());
                ui.rendered(&self.layout.render(&view, headers))?;
            }
            Format::Name => {
                let sessions: Vec<SessionView> = told.iter().map(|(_, session)| session.clone()).collect();
                ui.data(&names(&sessions))?;
            }
            other => {
                for (word, session) in told {
                    self.append_object(other, word, session, headers)?;
                }
            }
        }
        Ok(())
    }

    /// One object after the other, as kubectl.
    fn append_object(
        &self,
        format: &Format,
        word: &str,
        session: &SessionView,
        headers: bool,
    ) -> Result<(), CommandError> {
        let object = listing::value(session)?;
        let object = match self.args.listing.output_watch_events {
            true => json!({"type": word, "object": object}),
            false => object,
        };
        listing::print_next(format, API_VERSION, LIST_KIND, object, headers, self.app)
    }
}

fn key(session: &SessionView) -> (String, String) {
    (session.namespace.clone(), session.name.clone())
}
