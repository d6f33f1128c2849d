//! Jobs as rows.

use jiff::Timestamp;

use crate::model::TableView;
use crate::model::status::Job;
use crate::output::age;
use crate::output::cut;
use crate::output::format::Format;

/// Which columns are shown.
#[derive(Clone, Copy, Debug, Default)]
pub struct Columns {
    pub wide: bool,
}

type Cell = fn(&Job) -> String;

/// Columns that a job's name takes at most, so that its state stands on a screen of 80 columns. Flink takes names of
/// any length.
const LONGEST_NAME: usize = 27;

const NAME: usize = 1;

/// What every table of jobs begins with.
const HEAD: [(&str, Cell); 5] = [
    ("JOB ID", |job| job.id.to_string()),
    ("NAME", |job| cut(&job.name, LONGEST_NAME)),
    ("STATE", |job| job.state.clone()),
    ("TASKS", |job| format!("{}/{}", job.tasks_running, job.tasks_total)),
    ("DURATION", |job| age::human(seconds(job.duration_milliseconds))),
];

const START: (&str, Cell) = ("START", |job| time(job.started_at, "<unknown>"));

const WIDE: [(&str, Cell); 1] = [("END", |job| time(job.ended_at(), "<none>"))];

impl Columns {
    pub fn of(format: &Format) -> Self {
        Self { wide: matches!(format, Format::Wide) }
    }

    /// What every table of jobs begins with, and no more.
    pub fn head<'a>(self, jobs: impl IntoIterator<Item = &'a Job>) -> TableView {
        rows(&self.cells(HEAD), jobs)
    }

    /// The columns of `from`, where all of a job's name is shown on request.
    fn cells(self, mut from: [(&'static str, Cell); 5]) -> Vec<(&'static str, Cell)> {
        if self.wide {
            from[NAME].1 = |job| job.name.clone();
        }
        from.to_vec()
    }

    pub fn table<'a>(self, jobs: impl IntoIterator<Item = &'a Job>) -> TableView {
        let wide = if self.wide { &WIDE[..] } else { &[] };
        let cells: Vec<(&str, Cell)> =
            self.cells(HEAD).into_iter().chain([START]).chain(wide.iter().copied()).collect();
        rows(&cells, jobs)
    }
}

fn rows<'a>(cells: &[(&str, Cell)], jobs: impl IntoIterator<Item = &'a Job>) -> TableView {
    TableView {
        header: cells.iter().map(|(name, _)| (*name).to_owned()).collect(),
        rows: jobs.into_iter().map(|job| cells.iter().map(|(_, cell)| cell(job)).collect()).collect(),
    }
}

pub fn seconds(milliseconds: u64) -> i64 {
    i64::try_from(milliseconds / 1000).unwrap_or(i64::MAX)
}

/// Without the milliseconds, and without a space: columns are cut at spaces.
fn time(at: Option<Timestamp>, without: &str) -> String {
    at.map_or_else(|| without.to_owned(), |at| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::output::{self, table};

    pub fn job(id: &str, name: &str, state: &str) -> Job {
        Job {
            id: crate::model::JobId::of(id),
            name: name.to_owned(),
            state: state.to_owned(),
            tasks_running: 1,
            tasks_total: 2,
            started_at: "2026-01-01T00:01:00.250Z".parse().ok(),
            duration_milliseconds: 730_500,
        }
    }

    #[test]
    fn a_long_name_leaves_the_state_on_the_screen() {
        let jobs = [
            job("8e91dc59d12b7474c390b0a756115346", &"n".repeat(600), "RUNNING"),
            job("7aaddc88a829264dac508fb48342b962", &"统计".repeat(300), "RESTARTING"),
        ];
        for (table, indent) in [(Columns::default().table(&jobs), 0), (Columns::default().head(&jobs), 2)] {
            let text = table::render(&table, true);
            for (line, state) in text.lines().skip(1).zip(["RUNNING", "RESTARTING"]) {
                let before = line.find(state).expect("state") + state.len();
                assert!(output::width(&line[..before]) + indent <= 80, "{line}");
            }
        }
        let wide = table::render(&Columns { wide: true }.table(&jobs), true);
        assert!(wide.contains(&"n".repeat(600)) && wide.contains(&"统计".repeat(300)));
    }

    #[test]
    fn tables() {
        let jobs = [
            job("8e91dc59d12b7474c390b0a756115346", "orders", "RUNNING"),
            Job { tasks_running: 0, ..job("7aaddc88a829264dac508fb48342b962", "clicks by day", "FINISHED") },
            Job {
                started_at: None,
                tasks_total: 0,
                tasks_running: 0,
                duration_milliseconds: 0,
                ..job("fff4b7ea00000000000000000000000a", "new", "INITIALIZING")
            },
        ];
        let printed = |wide| table::render(&Columns { wide }.table(&jobs), true);
        insta::assert_snapshot!([printed(false), printed(true)].join("\n"));
    }
}
