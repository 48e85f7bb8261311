//! `stsim test`: every scenario below a directory, against its golden and its expectations.
//!
//! A scenario is a file with a Scenario document, or one with `NAME.golden` or `NAME.expected` beside it; other YAML
//! files are manifests that scenarios name. The golden is what `stsim run` prints; a scenario without one has only its
//! expectations to meet. A file with `NAME.expected` is wrong on purpose: the exit status and the complaint are judged.
use crate::api::text::escape;
use crate::cli::args::{Cases, Checks, Format, Play, Run, Test};
use crate::cli::{Done, Exit, Refusal, Trouble, files, run};
use crate::report::junit::{self, Case};
use std::fmt::Write as _;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Lines of a failed run that are shown.
const SHOWN: usize = 20;

/// How one scenario went: what was wrong, line by line; empty if nothing.
struct Tested {
    name: String,
    wrong: Vec<String>,
    /// Said beside `ok`.
    note: &'static str,
}

/// Plays all of them.
pub(super) fn test(options: &Test, out: &mut dyn Write) -> Done {
    let mut tested = Vec::new();
    for path in scenarios(Path::new(&options.directory))? {
        let one = judge(&path, options)?;
        if options.output == Cases::Text {
            print(&one, out)?;
        }
        tested.push(one);
    }
    if tested.is_empty() {
        let message = format!("error: there is no scenario below {}", escape(&options.directory));
        return Err(Refusal::invalid(message).into());
    }
    let failed = tested.iter().filter(|one| !one.wrong.is_empty()).count();
    match options.output {
        Cases::Text => writeln!(out, "{} passed, {failed} failed", tested.len() - failed)?,
        Cases::Junit => {
            let cases: Vec<_> = tested.iter().map(|one| case(one, &options.directory)).collect();
            write!(out, "{}", junit::document(&options.directory, &cases))?;
        }
    }
    Ok(if failed == 0 { Exit::Held } else { Exit::Failed })
}

fn print(one: &Tested, out: &mut dyn Write) -> std::io::Result<()> {
    let Some((first, rest)) = one.wrong.split_first() else {
        return writeln!(out, "ok    {}{}", escape(&one.name), one.note);
    };
    writeln!(out, "FAIL  {}: {}", escape(&one.name), escape(first))?;
    rest.iter().try_for_each(|line| writeln!(out, "      {}", escape(line)))
}

fn case(one: &Tested, class: &str) -> Case {
    let result = match one.wrong.split_first() {
        None => junit::Result::Passed,
        Some((first, rest)) => junit::Result::Failure(first.clone(), rest.to_vec()),
    };
    Case { class: class.to_owned(), name: one.name.clone(), result }
}

/// Plays one scenario as `stsim run` does and compares what it says.
fn judge(path: &Path, options: &Test) -> Result<Tested, Trouble> {
    let name = path.to_string_lossy().into_owned();
    let play = Play { file: name.clone(), seed: None, until: None, set: Vec::new(), checks: Checks::All };
    let (watch, strict) = (Vec::new(), options.strict);
    let (output, fault) = (Format::Timeline, Vec::new());
    let run = Run { play, output, fault, object: None, watch, quiet: false, strict, annotations: false };
    let mut printed = Vec::new();
    let (exit, complaint) = match run::run(&run, &mut printed) {
        Ok(exit) => (exit, String::new()),
        Err(Trouble::Refused(refusal)) => (refusal.exit, refusal.text),
        Err(Trouble::Io(error)) => return Err(error.into()),
    };
    let printed = String::from_utf8_lossy(&printed).into_owned();
    let expected = path.with_extension("expected");
    let (against, found, fine) = if expected.exists() {
        (expected, format!("exit {}\n{}\n", exit as u8, complaint.trim_end()), true)
    } else {
        (path.with_extension("golden"), printed.clone(), exit == Exit::Held)
    };
    let mut one = Tested { name, wrong: Vec::new(), note: "" };
    if !fine {
        one.wrong = failures(exit, &printed, &complaint);
    } else if options.bless {
        std::fs::write(&against, found)?;
    } else if against.exists() {
        let wanted = files::text(&against).map_err(Refusal::invalid)?;
        one.wrong = difference(&wanted, &found, &against);
    } else {
        one.note = " (no golden)";
    }
    Ok(one)
}

/// What a run says that did not hold: what it complains of, or its failed items with what belongs to them.
fn failures(exit: Exit, printed: &str, complaint: &str) -> Vec<String> {
    let mut lines = vec![format!("exit status {}", exit as u8)];
    lines.extend(complaint.lines().map(str::to_owned));
    let mut of_item = false;
    for line in printed.lines().skip_while(|line| !is_item(line)) {
        of_item = if is_item(line) { !line.starts_with("pass ") } else { of_item };
        if of_item {
            lines.push(line.to_owned());
        }
    }
    if lines.len() > SHOWN {
        let more = lines.len() - SHOWN;
        lines.truncate(SHOWN);
        let mut last = String::new();
        // Writing to a string cannot fail.
        let _ = write!(last, "... and {more} more lines");
        lines.push(last);
    }
    lines
}

fn is_item(line: &str) -> bool {
    ["FAIL ", "pass ", "undecided ", "vacuous "].iter().any(|word| line.starts_with(word))
}

/// The first line in which two texts differ.
fn difference(wanted: &str, found: &str, golden: &Path) -> Vec<String> {
    if wanted == found {
        return Vec::new();
    }
    let mut pairs = wanted.lines().zip(found.lines()).enumerate();
    let (n, golden_line, line) = match pairs.find(|(_, (a, b))| a != b) {
        Some((n, (a, b))) => (n, a, b),
        None => {
            let n = wanted.lines().count().min(found.lines().count());
            let line = |text| str::lines(text).nth(n).unwrap_or("(the end)");
            (n, line(wanted), line(found))
        }
    };
    vec![
        format!("line {} is not that of {}", n + 1, golden.display()),
        format!("golden: {golden_line}"),
        format!("now:    {line}"),
    ]
}

/// All scenarios below a directory, sorted by path.
fn scenarios(directory: &Path) -> Result<Vec<PathBuf>, Trouble> {
    let mut found = Vec::new();
    let mut directories = vec![directory.to_path_buf()];
    while let Some(directory) = directories.pop() {
        let unreadable = |error: std::io::Error| {
            Refusal::invalid(format!("error: cannot read {}: {error}", escape(&directory.to_string_lossy())))
        };
        for entry in std::fs::read_dir(&directory).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            let (path, kind) = (entry.path(), entry.file_type().map_err(unreadable)?);
            // Symbolic links are not followed: a tree has an end.
            if kind.is_dir() {
                directories.push(path);
            } else if kind.is_file() && is_scenario(&path)? {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

fn is_scenario(path: &Path) -> Result<bool, Refusal> {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    if !matches!(extension, "yaml" | "yml" | "json") {
        return Ok(false);
    }
    if path.with_extension("golden").exists() || path.with_extension("expected").exists() {
        return Ok(true);
    }
    let text = files::text(path).map_err(Refusal::invalid)?;
    Ok(text.lines().any(|line| line.trim_start().trim_start_matches('"').starts_with("apiVersion"))
        && text.contains("stsim/v"))
}
