//! Puts links and files of this program to places that are the user's: replaces its own, and nothing else.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use tempfile::{Builder, NamedTempFile};

/// What there was to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placed {
    New,
    /// In place of an older one of ours.
    Renewed,
    Unchanged,
}

#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// Somebody else's.
    #[error("{} is there already, and it is not from this plugin", .0.display())]
    Foreign(PathBuf),
    #[error("cannot write {}: {cause}", path.display())]
    Io { path: PathBuf, cause: io::Error },
}

/// True where new files can be made in `directory`.
pub fn may_write(directory: &Path) -> bool {
    #[cfg(unix)]
    let may =
        rustix::fs::access(directory, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK).is_ok();
    #[cfg(not(unix))]
    let may = fs::metadata(directory).is_ok_and(|metadata| !metadata.permissions().readonly());
    may && directory.is_dir()
}

/// What stands at `at`, be it a link that leads nowhere.
pub fn is_taken(at: &Path) -> bool {
    fs::symlink_metadata(at).is_ok()
}

/// Makes `at` a link to `to`. A link to any file of that name is ours. With `dry`, only looks.
#[cfg(unix)]
pub fn link(at: &Path, to: &Path, dry: bool) -> Result<Placed, PlaceError> {
    let placed = match fs::read_link(at) {
        Ok(target) if target == to => return Ok(Placed::Unchanged),
        Ok(target) if target.file_name() == to.file_name() => Placed::Renewed,
        _ if is_taken(at) => return Err(PlaceError::Foreign(at.to_owned())),
        _ => Placed::New,
    };
    if dry {
        return Ok(placed);
    }
    let failed = |cause| PlaceError::Io { path: at.to_owned(), cause };
    let new = beside(at, |new| std::os::unix::fs::symlink(to, new)).map_err(failed)?;
    new.persist(at).map(|()| placed).map_err(|error| failed(error.error))
}

/// Makes `at` the text `text`; a file with `mark` in it is ours. With `dry`, only looks.
pub fn write(at: &Path, text: &str, mark: &str, dry: bool) -> Result<Placed, PlaceError> {
    let failed = |cause| PlaceError::Io { path: at.to_owned(), cause };
    let placed = match fs::read_to_string(at) {
        Ok(old) if old == text => return Ok(Placed::Unchanged),
        Ok(old) if old.contains(mark) => Placed::Renewed,
        _ if is_taken(at) => return Err(PlaceError::Foreign(at.to_owned())),
        _ => Placed::New,
    };
    if dry {
        return Ok(placed);
    }
    if let Some(directory) = at.parent() {
        fs::create_dir_all(directory).map_err(failed)?;
    }
    let mut new =
        beside(at, |new| fs::File::options().write(true).create_new(true).open(new)).map_err(failed)?;
    new.write_all(text.as_bytes()).map_err(failed)?;
    new.persist(at).map_err(|error| failed(error.error))?;
    Ok(placed)
}

/// Makes what is not finished under another name in the same directory, so that `at` is never incomplete. The name is
/// random, and `make` must fail if it exists: in a directory that others can write to, such as one of PATH, a link
/// that was put there beforehand must not lead the text elsewhere.
fn beside<F>(at: &Path, make: impl FnMut(&Path) -> io::Result<F>) -> io::Result<NamedTempFile<F>> {
    Builder::new().prefix(".kubectl-flink-").make_in(at.parent().unwrap_or(Path::new(".")), make)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_made_renewed_and_left_alone() {
        let scratch = tempfile::tempdir().expect("scratch directory");
        let at = scratch.path().join("kubectl_complete-flink");
        let (old, new) = (Path::new("/gone/kubectl-flink"), Path::new("/here/kubectl-flink"));
        assert_eq!(link(&at, old, true).expect("dry"), Placed::New);
        assert!(!is_taken(&at), "a dry run makes nothing");
        assert_eq!(link(&at, old, false).expect("link"), Placed::New);
        assert_eq!(link(&at, new, true).expect("dry"), Placed::Renewed);
        assert_eq!(fs::read_link(&at).expect("link"), old);
        assert_eq!(link(&at, new, false).expect("link"), Placed::Renewed);
        assert_eq!(link(&at, new, false).expect("link"), Placed::Unchanged);
        assert_eq!(fs::read_link(&at).expect("link"), new);
        assert_eq!(fs::read_dir(scratch.path()).expect("directory").count(), 1, "nothing is left beside it");
    }

    #[test]
    fn what_is_somebody_elses_stays() {
        let scratch = tempfile::tempdir().expect("scratch directory");
        let [file, other] = ["file", "other"].map(|name| scratch.path().join(name));
        fs::write(&file, "mine").expect("file");
        std::os::unix::fs::symlink("/bin/true", &other).expect("link");
        for at in [&file, &other] {
            assert!(matches!(link(at, Path::new("/kubectl-flink"), false), Err(PlaceError::Foreign(_))));
        }
        assert!(matches!(write(&file, "text", "by us", false), Err(PlaceError::Foreign(_))));
        assert_eq!(fs::read_to_string(&file).expect("file"), "mine");
        assert_eq!(fs::read_link(&other).expect("link"), Path::new("/bin/true"));
    }

    #[test]
    fn a_file_with_our_mark_is_renewed() {
        let scratch = tempfile::tempdir().expect("scratch directory");
        let at = scratch.path().join("new").join("script");
        assert_eq!(write(&at, "by us: 1", "by us", false).expect("file"), Placed::New);
        assert_eq!(write(&at, "by us: 2", "by us", true).expect("dry"), Placed::Renewed);
        assert_eq!(fs::read_to_string(&at).expect("file"), "by us: 1");
        assert_eq!(write(&at, "by us: 2", "by us", false).expect("file"), Placed::Renewed);
        assert_eq!(write(&at, "by us: 2", "by us", false).expect("file"), Placed::Unchanged);
        assert_eq!(fs::read_dir(at.parent().expect("directory")).expect("directory").count(), 1);
    }

    /// Another user who can write to the directory and guesses names must not choose where the text goes.
    #[test]
    fn no_link_is_followed_that_was_put_there_beforehand() {
        let scratch = tempfile::tempdir().expect("scratch directory");
        let (at, target) = (scratch.path().join("script"), scratch.path().join("target"));
        fs::write(&target, "precious").expect("file");
        // What could be guessed: the name of the file and the number of the process.
        let guessed = scratch.path().join(format!(".script.{}", std::process::id()));
        std::os::unix::fs::symlink(&target, &guessed).expect("link");
        assert_eq!(write(&at, "by us: 1", "by us", false).expect("file"), Placed::New);
        assert_eq!(fs::read_to_string(&target).expect("file"), "precious");
        assert!(fs::symlink_metadata(&at).expect("file").is_file(), "the script is a file of its own");
        assert_eq!(link(&scratch.path().join("kubectl-flink"), &target, false).expect("link"), Placed::New);
        assert!(is_taken(&guessed), "a file that was not made here is not removed");
        // A link in the place itself is replaced, and what it leads to stays.
        let ours = scratch.path().join("ours");
        fs::write(&ours, "by us: 0").expect("file");
        fs::remove_file(&at).and_then(|()| std::os::unix::fs::symlink(&ours, &at)).expect("link");
        assert_eq!(write(&at, "by us: 2", "by us", false).expect("file"), Placed::Renewed);
        assert_eq!(fs::read_to_string(&ours).expect("file"), "by us: 0");
        // The maker never opens what exists, whatever name is drawn.
        let fixed = |new: &Path| {
            std::os::unix::fs::symlink(&target, new)?;
            fs::File::options().write(true).create_new(true).open(new)
        };
        assert!(beside(&at, fixed).is_err());
        assert_eq!(fs::read_to_string(&target).expect("file"), "precious");
    }

    #[test]
    fn a_file_is_as_readable_as_any_other_new_one() {
        use std::os::unix::fs::PermissionsExt;
        let scratch = tempfile::tempdir().expect("scratch directory");
        let (at, other) = (scratch.path().join("script"), scratch.path().join("other"));
        write(&at, "by us", "by us", false).expect("file");
        fs::write(&other, "").expect("file");
        let mode = |path: &Path| fs::metadata(path).expect("file").permissions().mode();
        assert_eq!(mode(&at), mode(&other));
    }
}
