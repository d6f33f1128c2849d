//! A day of one session, with each Flink: everything that people do with a session, on one session for each version.

use crate::jobs::SMALL_TASKMANAGERS;
use crate::lab::{FLINK_1_10, FLINK_1_20, FLINK_2_3, Lab, small};
use crate::{delete, jobs, lifecycle};

#[test]
fn flink_1_10() {
    a_day("day-1-10", FLINK_1_10);
}

#[test]
fn flink_1_20() {
    a_day("day-1-20", FLINK_1_20);
}

#[test]
fn flink_2_3() {
    a_day("day-2-3", FLINK_2_3);
}

fn a_day(test: &str, (image, version): (&str, &str)) {
    let lab = Lab::new(test);
    // From Flink 1.19 on, a TaskManager can be there before the first job.
    let (min_slots, taskmanagers): (&[&str], usize) =
        if version.starts_with("1.10.") { (&[], 0) } else { (&["--min-slots", "1"], 1) };
    // One TaskManager for all jobs: other tests run on the node too.
    let slots = ["create", "roc", "--image", image, "--slots", "4"];
    let create = [&slots[..], small(image), &SMALL_TASKMANAGERS, min_slots].concat();
    let printed = lab.flink_ok(&create);
    lifecycle::is_there_as_it_says(&lab, &create, &printed, taskmanagers);
    jobs::start_save_and_end(&lab, version);
    let deleted = delete::nothing_is_lost_and_nothing_left(&lab);
    lifecycle::is_gone(&lab, &deleted, image);
}
