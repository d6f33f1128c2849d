//! `kubectl flink ls -w`: sessions as they change; rows one after the other, or drawn anew on a terminal.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use tokio::time::{Instant, MissedTickBehavior};

use super::{Args, Request, asks_rest, names, not_found, tell_missing};
use crate::app::{App, CommandError, rest};
use crate::cluster::{Cluster, News, SessionEvent};
use crate::cmd::listing;
use crate::exit::Exit;
use crate::model::SessionView;
use crate::model::session::{API_VERSION, LIST_KIND};
use crate::output::Screen;
use crate::output::format::{Format, ObjectFormat};
use crate::output::objects;
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
                    tell_missing(&news.missing, app);
                    if let Some(why) = &news.lost {
                        app.ui.warn(&format!("lost the API server, and ask it again: {why}"));
                    }
                    watch.take(news, !listed, cluster).await?;
                    if !listed {
                        listed = true;
                        watch.check_names(cluster)?;
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
        _ = tokio::signal::ctrl_c() => Ok(Exit::Interrupted),
        ended = watching => ended,
    }
}

impl Watch<'_> {
    /// A name that is not there is an error, as without `-w`.
    fn check_names(&self, cluster: &Cluster) -> Result<(), CommandError> {
        let sessions: Vec<SessionView> = self.shown.values().cloned().collect();
        match self.request.missing(&sessions) {
            Some(missing) if !self.args.ignore_not_found => Err(not_found(missing, cluster.namespace())),
            _ => Ok(()),
        }
    }

    async fn take(&mut self, news: News, is_list: bool, cluster: &Cluster) -> Result<(), CommandError> {
        let mut told = Vec::new();
        for event in news.events {
            let (session, exists) = match event {
                SessionEvent::Added(session) | SessionEvent::Modified(session) => (session, true),
                SessionEvent::Deleted(session) => (session, false),
            };
            let key = (session.namespace.clone(), session.name.clone());
            let shows = exists && self.args.shows(&session);
            let word = match (self.shown.contains_key(&key), shows) {
                (false, false) => continue,
                (false, true) => "ADDED",
                (true, true) => "MODIFIED",
                (true, false) => "DELETED",
            };
            told.push((word, session));
        }
        if asks_rest(&self.request.format) {
            let (words, mut sessions): (Vec<_>, Vec<_>) = told.into_iter().unzip();
            rest::add_loads(cluster, &mut sessions).await;
            told = words.into_iter().zip(sessions).collect();
        }
        let mut shows = Vec::new();
        for (word, session) in told {
            let key = (session.namespace.clone(), session.name.clone());
            if word != "MODIFIED" || self.looks_other(&session) {
                shows.push((word, session.clone()));
            }
            match word {
                "DELETED" => drop(self.shown.remove(&key)),
                _ => drop(self.shown.insert(key, session)),
            }
        }
        let mut told = shows;
        if self.screen.is_some() {
            return self.draw();
        }
        if is_list && self.args.listing.watch_only {
            return Ok(());
        }
        if is_list {
            let (words, sessions): (Vec<_>, Vec<_>) = told.into_iter().unzip();
            told = words
                .into_iter()
                .zip(listing::sorted(sessions, self.args.listing.sort_by.as_ref())?)
                .collect();
        }
        self.append(&told)
    }

    /// Asks REST again, and shows what has changed.
    async fn refresh(&mut self, cluster: &Cluster) -> Result<(), CommandError> {
        let mut sessions: Vec<SessionView> = self.shown.values().cloned().collect();
        rest::add_loads(cluster, &mut sessions).await;
        let news = News {
            events: sessions
                .into_iter()
                .filter(|session| {
                    let key = (session.namespace.clone(), session.name.clone());
                    self.shown.get(&key).is_some_and(|before| before.load != session.load)
                })
                .map(SessionEvent::Modified)
                .collect(),
            ..News::default()
        };
        match news.events.is_empty() {
            true => Ok(()),
            false => self.take(news, false, cluster).await,
        }
    }

    /// True when what is shown of a session is not what was shown last; that it has become older is
    /// no change.
    fn looks_other(&self, session: &SessionView) -> bool {
        let key = (session.namespace.clone(), session.name.clone());
        let Some(before) = self.shown.get(&key) else { return true };
        if !self.request.format.is_table() {
            return before != session;
        }
        let ageless = |session: &SessionView| {
            let session = SessionView { created: None, ..session.clone() };
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
        if let Some(screen) = &mut self.screen {
            screen.show(&text)?;
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
        if let Format::Yaml = format {
            let text = objects::render(&[object], ObjectFormat::Yaml);
            let text = text.map_err(|error| CommandError::new(Exit::Error, error))?;
            return Ok(self.app.ui.data(&format!("---\n{text}"))?);
        }
        listing::print(format, API_VERSION, LIST_KIND, vec![object], true, headers, self.app)
    }
}
