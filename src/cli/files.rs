//! Reading files: regular ones only, never more than the limit, never outside the scenario's directory.
use crate::cli::{Exit, Refusal};
use crate::kernel::{Duration, Time};
use crate::limits;
use crate::scenario::Scenario;
use crate::scenario::read::{self, Loader};
use std::fs::File;
use std::io::Read;
use std::path::{Component, Path, PathBuf};

/// Reads a scenario from a path, or from standard input for `-`.
///
/// # Errors
/// A refusal that says what is wrong, with places.
pub(super) fn scenario(path: &str) -> Result<Scenario, Refusal> {
    let (shown, bytes, root) = if path == "-" {
        let bytes = limited(std::io::stdin().lock(), "standard input").map_err(Refusal::invalid)?;
        ("<stdin>".to_owned(), bytes, PathBuf::from("."))
    } else {
        let root = Path::new(path).parent().map_or_else(PathBuf::new, Path::to_path_buf);
        (path.to_owned(), read_file(Path::new(path)).map_err(Refusal::invalid)?, root)
    };
    let mut loader = Tree { root };
    read::read(&shown, &bytes, &mut loader).map_err(|unreadable| Refusal {
        text: unreadable.render(),
        exit: if unreadable.is_limit() { Exit::Undecided } else { Exit::Invalid },
    })
}

/// Reads a duration given as an option.
///
/// # Errors
/// A refusal naming the option.
pub(super) fn time_option(option: &str, text: &str) -> Result<Time, Refusal> {
    let duration = Duration::parse(text).map_err(|why| {
        Refusal::invalid(format!("error: {option}: {why}\n  = help: write a duration such as 90s or 1h30m"))
    })?;
    if duration.as_nanos() / 1_000_000_000 > limits::MAX_UNTIL_SECONDS {
        return Err(Refusal::invalid(format!("error: {option}: {text} is longer than 100 years")));
    }
    Ok(Time::ZERO + duration)
}

/// Files below the directory of a scenario.
struct Tree {
    root: PathBuf,
}

impl Loader for Tree {
    fn load(&mut self, relative: &str) -> Result<(String, Vec<u8>), String> {
        let outside = || format!("`{relative}` is outside the directory of the scenario");
        let path = Path::new(relative);
        if !path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir)) {
            return Err(outside());
        }
        let full = self.root.join(path);
        let resolve =
            |path: &Path| path.canonicalize().map_err(|error| format!("cannot read `{relative}`: {error}"));
        let root = if self.root.as_os_str().is_empty() { Path::new(".") } else { &self.root };
        if !resolve(&full)?.starts_with(resolve(root)?) {
            return Err(outside());
        }
        Ok((full.to_string_lossy().into_owned(), read_file(&full)?))
    }
}

fn read_file(path: &Path) -> Result<Vec<u8>, String> {
    let shown = path.display();
    let file = File::open(path).map_err(|error| format!("error: cannot read {shown}: {error}"))?;
    let kind = file.metadata().map_err(|error| format!("error: cannot read {shown}: {error}"))?;
    if !kind.is_file() {
        return Err(format!("error: cannot read {shown}: it is not a regular file"));
    }
    limited(file, &shown.to_string())
}

fn limited(from: impl Read, shown: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    from.take(limits::MAX_FILE_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| format!("error: cannot read {shown}: {error}"))?;
    if bytes.len() as u64 > limits::MAX_FILE_BYTES {
        return Err(format!("error: {shown} is larger than {} MiB", limits::MAX_FILE_BYTES >> 20));
    }
    Ok(bytes)
}
