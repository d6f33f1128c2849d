//! `delete --savepoint` that is killed at each of its requests, and run again.
//!
//! Whenever it is killed: the second run ends the session, and for each job that was stopped one of the two
//! runs has named the savepoint.

use std::collections::VecDeque;
use std::sync::Mutex;

use crate::jobs::{jobs, submit, the_id};
use crate::lab::{FLINK_1_10, FLINK_2_3, Lab, TINY, TINY_1_10};
use crate::proxy::{At, Kill, Proxy, Run};

const DELETE: [&str; 5] = ["delete", "roc", "--yes", "--savepoint=file:///tmp/sp", "--allow-local-dir"];

const LONG: &str = "LONG";
const SLEEPY: &str = "SLEEPY";

/// The first request that changes a job, and the first that changes something in Kubernetes.
const STOP: &str = "POST /jobs/";
const REMOVAL: &str = "DELETE ";

/// Sessions at the same time.
const AT_ONCE: usize = 3;

/// A request of a run: the `n`-th whose line has `of`. LONG and SLEEPY are the ids of the two jobs.
#[derive(Clone, Debug)]
struct Point {
    of: String,
    n: usize,
    done: bool,
}

impl Point {
    /// Once the other side has done it. Not yet seen by it, a request is as one before which it was killed.
    fn after(of: &str, n: usize) -> Self {
        Self { of: of.to_owned(), n, done: true }
    }
}

/// A session with two jobs, which is made anew when it has gone.
struct Place<'a> {
    lab: Lab,
    proxy: Proxy,
    create: Vec<&'a str>,
    is_there: bool,
    /// LONG and SLEEPY, where they run.
    jobs: Option<[String; 2]>,
}

/// What a kill has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Met {
    /// Nothing was asked to change.
    Before,
    /// A stop was asked for, or a removal.
    After,
    No,
}

impl<'a> Place<'a> {
    fn new(test: &str, image: &'a str, small: &[&'a str]) -> Self {
        let lab = Lab::new(test);
        let proxy = Proxy::new(lab.context(), &lab.namespace);
        let create = [&["create", "roc", "--image", image][..], small].concat();
        Self { lab, proxy, create, is_there: false, jobs: None }
    }

    /// The two jobs, of which all tasks run.
    fn jobs(&mut self) -> [String; 2] {
        if !self.is_there {
            self.lab.flink_ok(&self.create);
            self.is_there = true;
        }
        let Self { lab, jobs, .. } = self;
        jobs.get_or_insert_with(|| {
            let both = [&["long"][..], &["sleepy", "1500"]].map(|program| the_id(&submit(lab, &[], program)));
            both.iter().for_each(|job| lab.until_job_runs("roc", job));
            both
        })
        .clone()
    }

    fn delete(&self, killed_at: &Point, [long, sleepy]: &[String; 2]) -> Run {
        let of = killed_at.of.replace(LONG, long).replace(SLEEPY, sleepy);
        let kill = Kill { at: At::Nth { of, n: killed_at.n }, done: killed_at.done };
        self.proxy.flink(&DELETE, Some(kill))
    }

    /// Kills a run at `point`, runs it again, and looks at what the two have done.
    fn survives(&mut self, point: &Point) -> Met {
        let both = self.jobs();
        let first = self.delete(point, &both);
        let has_asked = |for_what: &str| first.requests.iter().any(|line| line.starts_with(for_what));
        if !first.killed {
            assert_eq!(first.code, 0, "{point:?}: {}", first.stderr);
            self.has_ended(point, &both, &first.stdout);
            return Met::No;
        }
        if !has_asked(STOP) && !has_asked(REMOVAL) {
            self.both_run(point, &both);
            return Met::Before;
        }
        if has_asked(REMOVAL) {
            let again = self.proxy.flink(&DELETE, None);
            // What was asked for goes without it, too.
            let is_late = again.stderr.contains("there is no session roc");
            assert!(again.code == 0 || is_late, "{point:?}: {}", again.stderr);
            self.has_ended(point, &both, &(first.stdout + &again.stdout));
            return Met::After;
        }
        // Up to its first removal, the second run. Then the session serves once more.
        let before = self.objects();
        let end = Point { of: REMOVAL.to_owned(), n: 1, done: false };
        let again = self.delete(&end, &both);
        assert!(again.killed && again.hit.is_some(), "{point:?}: {}{}", again.stdout, again.stderr);
        assert_eq!(self.objects(), before, "{point:?}");
        let told = first.stdout + &again.stdout;
        savepoints_are_named(point, &both, &told, &again);
        self.jobs = None;
        Met::After
    }

    fn both_run(&self, point: &Point, both: &[String; 2]) {
        let now = jobs(&self.lab);
        for job in both {
            assert!(now.contains(&(job.clone(), "RUNNING".to_owned())), "{point:?}: {now:?}");
        }
    }

    fn has_ended(&mut self, point: &Point, both: &[String; 2], told: &str) {
        assert_eq!(self.lab.left_of("roc"), "", "{point:?}");
        for job in both {
            assert!(names_savepoint(told, job), "{point:?}: no savepoint of {job} in:\n{told}");
        }
        (self.is_there, self.jobs) = (false, None);
    }

    /// What belongs to the session, but for TaskManagers, which go when they have no work.
    fn objects(&self) -> Vec<String> {
        let all = self.lab.fingerprint();
        all.lines().filter(|line| !line.contains("-taskmanager-")).map(str::to_owned).collect()
    }
}

fn savepoints_are_named(point: &Point, both: &[String; 2], told: &str, again: &Run) {
    for job in both {
        assert!(
            names_savepoint(told, job),
            "{point:?}: no savepoint of {job} in:\n{told}{}{:#?}",
            again.stderr,
            again.requests
        );
    }
}

fn names_savepoint(told: &str, job: &str) -> bool {
    let of_job = format!("job/{job} ");
    told.lines().any(|line| line.starts_with(&of_job) && line.contains(", savepoint file:/tmp/sp/savepoint-"))
}

/// Each request of `lines`, as points. What is different in each run is not looked at.
fn points(lines: &[String], from: usize) -> Vec<Point> {
    let of = |line: &String| line.split("resourceVersion=").next().unwrap_or_default().to_owned();
    let lines: Vec<String> = lines.iter().map(of).collect();
    let nth = |index: usize| lines[..=index].iter().filter(|line| line.contains(&lines[index])).count();
    (from..lines.len()).map(|index| Point::after(&lines[index], nth(index))).collect()
}

/// What must not have changed before the first stop.
fn nothing_changes_before_the_first_stop(place: &mut Place<'_>) -> Vec<(Point, Met)> {
    let both = place.jobs();
    let before = place.lab.fingerprint();
    let whole = place.delete(&Point { of: STOP.to_owned(), n: 1, done: false }, &both);
    assert!(whole.killed, "{}", whole.stderr);
    // From here on it does something for each of the jobs at once, in any order.
    let of_jobs = |line: &String| line.contains("/checkpoints ");
    let end = whole.requests.iter().position(of_jobs).expect("the history of a job");
    let points = points(&whole.requests[..end], 0);
    assert!(points.len() > 10, "{:?}", whole.requests);
    let met = points.into_iter().map(|point| {
        let met = place.survives(&point);
        (point, met)
    });
    let met: Vec<_> = met.collect();
    assert_eq!(place.jobs.as_ref(), Some(&both), "{met:?}");
    assert!(met.iter().all(|(_, met)| *met == Met::Before), "{met:?}");
    assert_eq!(place.lab.fingerprint(), before);
    met
}

/// With its jobs stopped, it asks what became of them and begins to remove: nothing but reads of the API server lies
/// between, where nothing could change.
fn the_last_answer_of_the_jobs_is_followed_by_the_first_removal(place: &mut Place<'_>) {
    let both = place.jobs();
    let end = Point { of: REMOVAL.to_owned(), n: 1, done: false };
    for whole in [place.delete(&end, &both), place.delete(&end, &both)] {
        assert!(whole.killed, "{}", whole.stderr);
        savepoints_are_named(&end, &both, &whole.stdout, &whole);
        let [before @ .., removal] = &whole.requests[..] else { panic!("{:?}", whole.requests) };
        assert!(removal.starts_with(REMOVAL), "{:?}", whole.requests);
        let is_of_rest = |line: &String| !line.contains(" /api");
        let last = before.iter().rposition(is_of_rest).expect("an answer of the JobManager");
        assert!(before[last + 1..].iter().all(|line| line.starts_with("GET /api")), "{:?}", whole.requests);
    }
    place.jobs = None;
}

/// While the jobs are stopped. A session serves for several: jobs are quickly submitted.
fn stops() -> VecDeque<Point> {
    let all = [
        ("POST /jobs/LONG/stop", 1),
        ("POST /jobs/SLEEPY/stop", 1),
        ("GET /jobs/overview", 3),
        ("GET /jobs/LONG/savepoints/", 2),
        ("GET /jobs/SLEEPY/savepoints/", 2),
        ("GET /jobs/SLEEPY/savepoints/", 4),
        ("GET /jobs/overview", 5),
        ("GET /jobs/LONG/checkpoints", 1),
        ("GET /jobs/SLEEPY/checkpoints", 1),
        ("GET /jobs/LONG/savepoints/", 1),
        ("GET /jobs/SLEEPY/savepoints/", 1),
        ("/portforward?", 2),
        ("/portforward?", 3),
    ];
    all.into_iter().map(|(of, n)| Point::after(of, n)).collect()
}

/// From the first removal on each kill takes a session.
fn removals() -> VecDeque<Point> {
    let all = [
        "/deployments/roc? ",
        "/replicasets/roc-",
        "/jobs/boot-roc? ",
        "/services/roc? ",
        "/configmaps/flink-config-roc? ",
        "/pods/roc-taskmanager-1-",
        "/services?labelSelector=app%3Droc%2Ctype%3Dflink-native-kubernetes ",
    ];
    let look = all.len() - 1;
    let nth = |index: usize| if index == look { 3 } else { 1 };
    all.into_iter().enumerate().map(|(index, of)| Point::after(of, nth(index))).collect()
}

#[test]
fn flink_2_3() {
    let (stops, removals) = (Mutex::new(stops()), Mutex::new(removals()));
    let share = stops.lock().expect("lock").len().div_ceil(removals.lock().expect("lock").len());
    let take = |from: &Mutex<VecDeque<Point>>| from.lock().expect("lock").pop_front();
    let met = Mutex::new(Vec::new());
    let work = |worker: usize| {
        let told = |all: Vec<(Point, Met)>| met.lock().expect("lock").extend(all);
        for round in 0.. {
            let mut place = Place::new(&format!("killed-{worker}-{round}"), FLINK_2_3.0, &TINY);
            match (round, worker) {
                (0, 0) => told(nothing_changes_before_the_first_stop(&mut place)),
                (0, 1) => the_last_answer_of_the_jobs_is_followed_by_the_first_removal(&mut place),
                _ => {}
            }
            for point in (0..share).filter_map(|_| take(&stops)) {
                told(vec![(point.clone(), place.survives(&point))]);
            }
            let Some(point) = take(&removals) else { return };
            told(vec![(point.clone(), place.survives(&point))]);
        }
    };
    std::thread::scope(|threads| {
        let workers: Vec<_> = (0..AT_ONCE).map(|worker| threads.spawn(move || work(worker))).collect();
        for worker in workers {
            worker.join().expect("a worker");
        }
    });
    let met = met.into_inner().expect("lock");
    let (unmet, met): (Vec<_>, Vec<_>) = met.into_iter().partition(|(_, met)| *met == Met::No);
    eprintln!("killed at {} requests; not met: {unmet:?}", met.len());
    let is_write = |point: &Point| point.of.starts_with(STOP) || point.of.contains("? ");
    assert!(unmet.iter().all(|(point, _)| !is_write(point)), "{unmet:?}");
    assert!(unmet.len() * 10 <= met.len(), "{unmet:?}");
}

#[test]
fn flink_1_10() {
    let mut place = Place::new("killed-1-10", FLINK_1_10.0, &TINY_1_10);
    for point in [Point::after("POST /jobs/SLEEPY/stop", 1), Point::after("/deployments/roc? ", 1)] {
        assert_eq!(place.survives(&point), Met::After, "{point:?}");
    }
}
