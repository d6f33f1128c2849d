//! How long answers of REST may be. What a JobManager reports of one thing is small; its lists grow with what runs.

use super::RestPath;

const MIB: usize = 1 << 20;

/// What has a fixed set of fields. An error among them may carry a stack with its causes.
const SMALL: usize = 2 * MIB;

/// Lists of what one process has, and the history of a job.
const LIST: usize = 16 * MIB;

/// Jobs, the vertices of a job, and stacks of all its tasks: 70,000 jobs, 450 bytes each.
const LARGE: usize = 32 * MIB;

/// The most bytes that an answer may have.
pub fn most(path: &RestPath) -> usize {
    let path = path.as_str().split('?').next().unwrap_or_default();
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    match segments[..] {
        ["jobs", "overview"] | ["jobs", _] | ["jobs", _, "exceptions"] => LARGE,
        ["jobs"] | ["jobs", _, "config" | "checkpoints"] | ["jobs", _, "vertices", ..] => LIST,
        ["jars"] | ["taskmanagers"] | ["jobmanager", ..] => LIST,
        _ => SMALL,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_grows_with_the_session_may_be_longer() {
        assert_eq!(most(&RestPath::of(["overview"])), SMALL);
        assert_eq!(most(&RestPath::of(["jars", "x.jar", "run"])), SMALL);
        assert_eq!(most(&RestPath::of(["jobs", "11", "savepoints", "22"])), SMALL);
        assert_eq!(most(&RestPath::of(["jobmanager", "metrics"]).with("get", ["a"])), LIST);
        assert_eq!(most(&RestPath::of(["jobs"])), LIST);
        assert_eq!(most(&RestPath::of(["jobs", "overview"])), LARGE);
    }
}
