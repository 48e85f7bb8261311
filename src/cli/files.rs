//! Reading files: regular ones only, never more than the limit, never outside the scenario's directory.
use crate::api::text::escape;
use crate::cli::{Exit, Refusal};
use crate::kernel::{Duration, Time};
use crate::lessons;
use crate::limits;
use crate::scenario::Scenario;
use crate::scenario::params::Cell;
use crate::scenario::read::{Document, Loader, Unreadable};
use std::fs::File;
use std::io::Read;
use std::path::{Component, Path, PathBuf};

/// Before the path of a scenario that is compiled in, because a lesson plays it.
pub(super) const SHIPPED: &str = "shipped:";

/// Reads a scenario from a path, or from standard input for `-`, with the defaults of its parameters.
///
/// # Errors
/// A refusal that says what is wrong, with places.
pub(super) fn scenario(path: &str) -> Result<Scenario, Refusal> {
    opened(path, &[])?.defaults()
}

/// A scenario file that was opened, its parameters still open.
pub(super) struct Opened {
    document: Document,
    tree: Tree,
}

/// Opens a scenario file and gives its parameters the values of `--set`.
///
/// # Errors
/// A refusal that says what is wrong, with places.
pub(super) fn opened(path: &str, settings: &[String]) -> Result<Opened, Refusal> {
    let shipped = path.strip_prefix(SHIPPED).and_then(|path| Some((path, lessons::scenario(path)?)));
    let (shown, bytes, root) = if let Some((path, text)) = shipped {
        (path.to_owned(), text.as_bytes().to_vec(), PathBuf::new())
    } else if path == "-" {
        let bytes = limited(std::io::stdin().lock(), "standard input").map_err(Refusal::invalid)?;
        ("<stdin>".to_owned(), bytes, PathBuf::from("."))
    } else {
        let root = Path::new(path).parent().map_or_else(PathBuf::new, Path::to_path_buf);
        (path.to_owned(), read_file(Path::new(path)).map_err(Refusal::invalid)?, root)
    };
    let mut document = Document::parse(&shown, &bytes).map_err(unreadable)?;
    for text in settings {
        document.set(text).map_err(unreadable)?;
    }
    Ok(Opened { document, tree: Tree { root } })
}

impl Opened {
    /// The scenario with what its parameters are by default or were set to.
    ///
    /// # Errors
    /// A refusal that says what is wrong, with places.
    pub(super) fn defaults(&mut self) -> Result<Scenario, Refusal> {
        let cell = self.document.params.defaults();
        self.scenario(&cell)
    }

    /// The Scenario document with what its parameters are by default or were set to; None: plain manifests.
    pub(super) fn own(&self) -> Option<serde_json::Value> {
        self.document.own(&self.document.params.defaults())
    }

    /// The scenario of one cell of its matrix.
    ///
    /// # Errors
    /// A refusal that says what is wrong, with places.
    pub(super) fn scenario(&mut self, cell: &Cell) -> Result<Scenario, Refusal> {
        self.document.scenario(cell, &mut self.tree).map_err(unreadable)
    }

    /// The cells of the matrix; None if nothing varies.
    pub(super) fn cells(&self) -> Option<Vec<Cell>> {
        self.document.params.vary().then(|| self.document.params.cells())
    }
}

#[allow(clippy::boxed_local, reason = "readers return their complaints in a box")]
fn unreadable(unreadable: Box<Unreadable>) -> Refusal {
    Refusal {
        text: unreadable.render(),
        exit: if unreadable.is_limit() { Exit::Undecided } else { Exit::Invalid },
    }
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

/// A file as text; what is not UTF-8 in it is replaced.
///
/// # Errors
/// One sentence: it cannot be read, or is too large.
pub(super) fn text(path: &Path) -> Result<String, String> {
    read_file(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// Writes a file as a whole or not at all: beside its place first, then there.
///
/// # Errors
/// A refusal naming the file.
pub(super) fn write(path: &str, content: &str) -> Result<(), Refusal> {
    let refused = |error: std::io::Error| Refusal {
        text: format!("error: cannot write {}: {error}", escape(path)),
        exit: Exit::Invalid,
    };
    let beside = PathBuf::from(format!("{path}.part"));
    std::fs::write(&beside, content).map_err(refused)?;
    std::fs::rename(&beside, path).map_err(|error| {
        // What was begun is not left lying about; that it could not be taken away is no news then.
        let _ = std::fs::remove_file(&beside);
        refused(error)
    })
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
