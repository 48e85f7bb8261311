//! `stsim sweep` and `stsim merge`: many runs of one scenario, on all cores, in shares that can be played anywhere.
//!
//! Threads take runs in chunks; what a chunk came to is added to the part under a lock. A part file is written beside its
//! place and renamed, now and then while the sweep goes on and at its end; SIGTERM and Ctrl-C end it after the chunks
//! that are being played.
#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "how long a sweep takes, and what a job says in its environment, is no part of what comes of it"
)]
mod progress;

use crate::api::text::escape;
use crate::cli::args::{Merge, Sweep, SweptAs};
use crate::cli::{Done, Exit, Refusal, Trouble, files, run};
use crate::invariants::{Checks, registry::Invariant};
use crate::report::sweep as report;
use crate::report::timeline::clock;
use crate::scenario::Scenario;
use crate::sweep::measure::{Measures, Unfit};
use crate::sweep::part::{self, Header, Mismatch, Part};
use crate::sweep::threshold::Threshold;
use crate::sweep::{self, Tally, Unplayable};
use progress::Progress;
use sha2::{Digest, Sha256};
use std::io::Write;
use std::ops::Range;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Runs that a thread plays before it tells what came of them.
const CHUNK: u64 = 64;
/// How often an unfinished part is written.
const FLUSH: Duration = Duration::from_secs(30);

/// What threads share while a sweep goes on.
struct Shared<'s> {
    scenario: &'s Scenario,
    measures: &'s Measures,
    checks: Checks,
    /// What is to be played, in chunks.
    chunks: Vec<Range<u64>>,
    next: AtomicUsize,
    stop: &'s AtomicBool,
    part: Mutex<Part>,
    trouble: Mutex<Option<(u64, Unplayable)>>,
}

/// Plays a sweep, or a share of one.
pub(super) fn sweep(options: &Sweep, out: &mut dyn Write) -> Done {
    let mut opened = files::opened(&options.play.file, &options.play.set)?;
    if let Some(cells) = opened.cells() {
        let text = format!("error: the scenario has {} cells, and a sweep plays one", cells.len());
        return Err(Refusal::invalid(format!("{text}\n  = help: choose one with --set")).into());
    }
    let mut scenario = opened.defaults()?;
    if let Some(until) = &options.play.until {
        scenario.until = Some(files::time_option("--until", until)?);
    }
    run::check(&scenario)?;
    let measures = measures(&scenario, &options.measure)?;
    let header = header(&scenario, &measures, options);
    let thresholds = thresholds(&options.require, &header)?;
    let share = share(options)?;
    let mut part = resumed(options, header, share, &scenario)?;
    let stop = stopper()?;
    let chunks = part.missing().into_iter().flat_map(|range| {
        let starts = range.clone().step_by(usize::try_from(CHUNK).unwrap_or(1));
        starts.map(move |start| start..range.end.min(start.saturating_add(CHUNK)))
    });
    let shared = Shared {
        scenario: &scenario,
        measures: &measures,
        checks: options.play.checks.into(),
        chunks: chunks.collect(),
        next: AtomicUsize::new(0),
        stop: &stop,
        part: Mutex::new(part),
        trouble: Mutex::new(None),
    };
    play(&shared, options)?;
    let Shared { part: played, trouble, .. } = shared;
    part = into_inner(played);
    save(options, &part)?;
    if let Some((run, trouble)) = into_inner(trouble) {
        return Err(unplayable(&scenario, options, run, &trouble).into());
    }
    if !part.is_complete() {
        let (done, all) = (part.done.count(), part.share.end - part.share.start);
        let text = format!("interrupted after {done} of {all} runs");
        let help = match options.part {
            Some(_) => "\n  = help: --resume plays the others",
            None => "\n  = help: with --part FILE what was played is kept, and --resume plays the others",
        };
        return Err(Refusal { text: text + help, exit: Exit::Interrupted }.into());
    }
    // A share says nothing of the whole: `merge` does.
    let is_whole = part.share == (0..part.header.runs);
    if !is_whole && options.output == SweptAs::Text {
        writeln!(out, "{} of {} runs played: {}", part.tally.runs, part.header.runs, report::endings(&part))?;
        return Ok(Exit::Held);
    }
    print(&part, &thresholds, options.output, out)
}

/// Makes one of parts.
pub(super) fn merge(options: &Merge, out: &mut dyn Write) -> Done {
    let parts = options.parts.iter().map(|path| read(path)).collect::<Result<Vec<Part>, Refusal>>()?;
    let merged = part::merge(&parts, options.partial)
        .map_err(|mismatch| Refusal::invalid(format!("error: {}", told(&mismatch))))?;
    let Some(whole) = merged else {
        return Err(Refusal::invalid("error: there is no part").into());
    };
    let thresholds = thresholds(&options.require, &whole.header)?;
    print(&whole, &thresholds, options.output, out)
}

fn print(part: &Part, thresholds: &[Threshold], output: SweptAs, out: &mut dyn Write) -> Done {
    match output {
        SweptAs::Text => write!(out, "{}", report::text(part, thresholds))?,
        SweptAs::Json => writeln!(out, "{:#}", report::json(part, thresholds))?,
        SweptAs::Jsonl => write!(out, "{}", report::jsonl(part))?,
        SweptAs::Csv => write!(out, "{}", report::csv(part))?,
        SweptAs::Html => write!(out, "{}", report::html(part, thresholds))?,
    }
    let kept = thresholds.iter().all(|threshold| threshold.holds(&part.tally));
    // Without a threshold what was found is no failure of the sweep: jobs would be tried again.
    Ok(if kept && report::unshown(part).is_empty() { Exit::Held } else { Exit::Failed })
}

fn measures(scenario: &Scenario, asked: &[String]) -> Result<Measures, Refusal> {
    let mut measures = Measures::new(scenario);
    for text in asked {
        let (name, expression) = text.split_once('=').ok_or_else(|| {
            Refusal::invalid(format!(
                "error: --measure: `{}` has no name\n  = help: write NAME=EXPRESSION, such as 'ready=pods(\"app=web\").size()'",
                escape(text)
            ))
        })?;
        let (name, expression) = (name.trim(), expression.trim());
        let plain = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
        if !plain {
            let text = format!("error: --measure: `{}` is no name: letters, digits, - _ and .", escape(name));
            return Err(Refusal::invalid(text));
        }
        measures.add(name, expression, scenario).map_err(|unfit| {
            let why = match unfit {
                Unfit::Taken => "there is a measure of that name".to_owned(),
                Unfit::NoNumber(kind) => format!("the expression is of type {kind}, and no number"),
                Unfit::Wrong(wrong) => {
                    let help = wrong.help.map_or_else(String::new, |help| format!("\n  = help: {help}"));
                    format!("column {} of the expression: {}{help}", wrong.span.start + 1, wrong.message)
                }
            };
            Refusal::invalid(format!("error: --measure {}: {why}", escape(name)))
        })?;
    }
    Ok(measures)
}

fn thresholds(asked: &[String], header: &Header) -> Result<Vec<Threshold>, Refusal> {
    let read = |text: &String| {
        Threshold::read(text, &header.measures).map_err(|why| {
            Refusal::invalid(format!(
                "error: --require: {}",
                escape_lines(&why).replace('\n', "\n  = help: ")
            ))
        })
    };
    asked.iter().map(read).collect()
}

fn escape_lines(text: &str) -> String {
    text.lines().map(|line| escape(line).into_owned()).collect::<Vec<_>>().join("\n")
}

fn header(scenario: &Scenario, measures: &Measures, options: &Sweep) -> Header {
    let mut hash = Sha256::new();
    for source in &scenario.sources {
        hash.update((source.text.len() as u64).to_le_bytes());
        hash.update(source.text.as_bytes());
    }
    for text in &options.measure {
        hash.update(text.as_bytes());
    }
    let mut again: Vec<String> =
        options.play.set.iter().flat_map(|set| ["--set".to_owned(), set.clone()]).collect();
    again.extend(options.play.until.iter().flat_map(|until| ["--until".to_owned(), until.clone()]));
    Header {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        scenario: scenario.name.clone(),
        file: options.play.file.clone(),
        input: hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect(),
        seed: options.play.seed.unwrap_or(scenario.seed),
        runs: options.runs,
        options: again,
        measures: measures.units(),
        sometimes: sweep::sometimes_of(scenario),
    }
}

/// The runs that are this process' share: as the options say, or else the environment of a job.
fn share(options: &Sweep) -> Result<Range<u64>, Refusal> {
    if let Some(text) = &options.range {
        let range = text.split_once("..").and_then(|(from, to)| Some(from.parse().ok()?..to.parse().ok()?));
        return range
            .filter(|range: &Range<u64>| range.start < range.end && range.end <= options.runs)
            .ok_or_else(|| {
                let help = format!("write FIRST..END, such as 0..100, within the {} runs", options.runs);
                Refusal::invalid(format!("error: --range: `{}` is no range\n  = help: {help}", escape(text)))
            });
    }
    let found = match &options.shard {
        Some(text) => Some(("--shard".to_owned(), text.clone())),
        None if options.whole => None,
        None => job(),
    };
    let Some((from, text)) = found else { return Ok(0..options.runs) };
    let numbers =
        text.split_once('/').and_then(|(index, count)| Some((index.parse().ok()?, count.parse().ok()?)));
    let (index, count) = numbers.filter(|(index, count): &(u64, u64)| index < count).ok_or_else(|| {
        let help = "write INDEX/COUNT, the index from 0, such as 3/64";
        Refusal::invalid(format!("error: {from}: `{}` is no share\n  = help: {help}", escape(&text)))
    })?;
    Ok(part::share(options.runs, index, count))
}

/// Which share the job wants played: an Indexed Job of Kubernetes, or an array of Slurm.
fn job() -> Option<(String, String)> {
    let value = |name: &str| std::env::var(name).ok();
    let job = |index: &str, count: &str, first: Option<u64>| {
        let (number, all) = (value(index)?, value(count)?);
        let number = match first {
            Some(first) => number.parse::<u64>().ok()?.checked_sub(first)?.to_string(),
            None => number,
        };
        Some((format!("{index} and {count}"), format!("{number}/{all}")))
    };
    let first = value("SLURM_ARRAY_TASK_MIN").and_then(|first| first.parse().ok());
    job("JOB_COMPLETION_INDEX", "STSIM_SHARDS", None)
        .or_else(|| job("SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_COUNT", first.or(Some(0))))
}

/// The part to go on with: what an earlier process left, or an empty one.
fn resumed(options: &Sweep, header: Header, share: Range<u64>, scenario: &Scenario) -> Result<Part, Refusal> {
    let names = header.measures.iter().map(|(name, _)| name.clone()).collect();
    let fresh = Part::new(header.clone(), share.clone(), Tally::new(sweep::checks_of(scenario), names));
    let Some(path) = options.part.as_ref().filter(|path| options.resume && Path::new(path).exists()) else {
        return Ok(fresh);
    };
    let part = read(path)?;
    let same = part.is_of(&header).and_then(|()| {
        let shares = |range: &Range<u64>| format!("runs {} to {}", range.start, range.end);
        match part.share == share {
            true => Ok(()),
            false => Err(Mismatch::Foreign("share", shares(&share), shares(&part.share))),
        }
    });
    same.map_err(|why| Refusal::invalid(format!("error: {}: {}", escape(path), told(&why))))?;
    Ok(part)
}

fn read(path: &str) -> Result<Part, Refusal> {
    let text = files::text(Path::new(path)).map_err(Refusal::invalid)?;
    let wrong =
        |why: String| Refusal::invalid(format!("error: {} is no part of a sweep: {why}", escape(path)));
    let part: Part = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    part.check().map_err(|why| wrong(told(&why)))?;
    Ok(part)
}

fn told(mismatch: &Mismatch) -> String {
    match mismatch {
        Mismatch::Foreign(what, mine, theirs) => {
            format!("it is of another sweep: its {what} is {}, and not {}", escape(theirs), escape(mine))
        }
        Mismatch::Twice(run) => format!("run {run} is in two parts"),
        Mismatch::Missing(ranges) => {
            let some: Vec<String> =
                ranges.iter().take(4).map(|range| format!("{} to {}", range.start, range.end - 1)).collect();
            let more = if ranges.len() > 4 { " and more" } else { "" };
            format!("runs {}{more} are in no part\n  = help: --partial does without them", some.join(", "))
        }
        Mismatch::Unsound => "its counts are not those of its runs".to_owned(),
    }
}

/// What says that the sweep has to stop.
fn stopper() -> Result<std::sync::Arc<AtomicBool>, Trouble> {
    let stop = std::sync::Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGINT] {
        signal_hook::flag::register(signal, std::sync::Arc::clone(&stop))?;
    }
    Ok(stop)
}

fn play(shared: &Shared<'_>, options: &Sweep) -> Result<(), Trouble> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads =
        options.threads.map_or(cores, |threads| usize::from(threads.get())).min(shared.chunks.len().max(1));
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(|| work(shared))).collect();
        let mut progress = Progress::new(options.progress, &lock(&shared.part));
        let mut flushed = now();
        while !workers.iter().all(|worker| worker.is_finished()) {
            std::thread::sleep(Duration::from_millis(50));
            progress.show(&lock(&shared.part))?;
            if flushed.elapsed() >= FLUSH {
                let part = lock(&shared.part).clone();
                save(options, &part)?;
                flushed = now();
            }
        }
        progress.finish(&lock(&shared.part))?;
        Ok(())
    })
}

fn now() -> Instant {
    Instant::now()
}

/// Plays chunks until there is none left, or the sweep has to stop.
fn work(shared: &Shared<'_>) {
    let empty = {
        let part = lock(&shared.part);
        let names = |checks: &[sweep::tally::Check]| checks.iter().map(|check| check.name.clone()).collect();
        Tally::new(names(&part.tally.checks), shared.measures.names())
    };
    while !shared.stop.load(Ordering::Relaxed) {
        let Some(chunk) = shared.chunks.get(shared.next.fetch_add(1, Ordering::Relaxed)) else { return };
        let seed = lock(&shared.part).header.seed;
        let mut tally = empty.clone();
        for run in chunk.clone() {
            match sweep::sample(shared.scenario, sweep::seed_of(seed, run), shared.checks, shared.measures) {
                Ok(sample) => tally.add(run, &sample),
                Err(trouble) => return end_by(shared, run, trouble),
            }
        }
        // Chunks do not overlap, so nothing is taken in twice.
        let taken = lock(&shared.part).take(chunk.clone(), &tally);
        debug_assert!(taken.is_ok(), "{taken:?}");
    }
}

/// A run says nothing: the sweep ends. Of several such runs the first is told.
fn end_by(shared: &Shared<'_>, run: u64, trouble: Unplayable) {
    shared.stop.store(true, Ordering::Relaxed);
    let mut known = lock(&shared.trouble);
    if known.as_ref().is_none_or(|(first, _)| run < *first) {
        *known = Some((run, trouble));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn into_inner<T>(mutex: Mutex<T>) -> T {
    mutex.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn save(options: &Sweep, part: &Part) -> Result<(), Refusal> {
    let Some(path) = &options.part else { return Ok(()) };
    let text = serde_json::to_string_pretty(part).unwrap_or_default();
    files::write(path, &(text + "\n"))
}

fn unplayable(scenario: &Scenario, options: &Sweep, run: u64, trouble: &Unplayable) -> Refusal {
    let seed = sweep::seed_of(options.play.seed.unwrap_or(scenario.seed), run);
    match trouble {
        Unplayable::Invalid(failure) => run::explain(scenario, failure),
        Unplayable::Bug(finding) => Refusal {
            text: format!(
                "bug: INV-{}{} is broken at {} in run {run} (seed {seed}): {}\nPlease report it with the scenario file.",
                finding.invariant,
                Invariant::of(finding.invariant).map_or(String::new(), |known| format!(" ({})", known.name)),
                clock(finding.time),
                escape(&finding.message)
            ),
            exit: Exit::Bug,
        },
    }
}
