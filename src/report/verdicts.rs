//! What came of a run, item by item: steps that failed, invariants that broke, expectations. One list, printed as text,
//! JSON, JUnit or annotations.
use crate::api::objects::Revision;
use crate::api::text::escape;
use crate::expect::verdict::{Judged, Verdict};
use crate::kernel::Time;
use crate::report::annotations::{self, Level};
use crate::report::timeline::clock;
use crate::report::{causes, junit};
use crate::run::Outcome;
use crate::scenario::diagnostic::Span;
use crate::scenario::{Expectation, Place, Scenario};
use crate::world::World;
use serde_json::json;

/// One thing that was judged.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Item {
    /// `pass`, `fail`, `undecided` or `vacuous`.
    pub word: &'static str,
    /// What was judged.
    pub what: String,
    /// What the reader should learn from it; may be empty.
    pub about: String,
    /// Where it stands in the scenario.
    pub place: Option<Place>,
    /// When it failed.
    pub time: Option<Time>,
    /// Why it is no pass; empty if it is.
    pub why: String,
    /// What led there, timeline lines.
    pub because: Vec<String>,
}

/// Everything that was judged: steps only if they failed, expectations always.
pub fn items(scenario: &Scenario, world: &World, outcome: &Outcome) -> Vec<Item> {
    let mut items = Vec::new();
    for failure in &outcome.failures {
        items.push(Item {
            word: "fail",
            what: failure.step.map_or_else(|| "manifests".to_owned(), |n| scenario.number_of(n)),
            about: String::new(),
            place: failure.step.and_then(|n| scenario.all_steps().nth(n)).map(|step| step.place),
            time: Some(failure.time),
            why: failure.message.clone(),
            because: Vec::new(),
        });
    }
    for breach in &outcome.breaches {
        items.push(Item {
            word: "fail",
            what: format!("INV-{}", breach.invariant),
            about: String::new(),
            place: None,
            time: Some(breach.time),
            why: format!(
                "{} ({}); if that is meant, say so with `violates`",
                breach.message,
                breach.licence.name()
            ),
            because: causes::chain(breach.revision, world),
        });
    }
    items.extend(outcome.verdicts.iter().filter_map(|judged| item(scenario, world, judged)));
    items
}

fn expectation<'s>(scenario: &'s Scenario, judged: &Judged) -> Option<&'s Expectation> {
    match judged.step {
        None => scenario.expect.get(judged.index),
        Some(step) => scenario.steps.get(step)?.expect.get(judged.index),
    }
}

fn item(scenario: &Scenario, world: &World, judged: &Judged) -> Option<Item> {
    let expectation = expectation(scenario, judged)?;
    let (time, cause): (_, Option<Revision>) = match &judged.verdict {
        Verdict::Fail(failed) => (Some(failed.time), failed.cause),
        _ => (None, None),
    };
    let step = judged.step.map_or_else(String::new, |n| format!("step {}: ", n + 1));
    Some(Item {
        word: judged.verdict.word(),
        what: format!("{step}{}", expectation.title),
        about: expectation.about.clone(),
        place: Some(expectation.place),
        time,
        why: judged.verdict.why().to_owned(),
        because: cause.map(|revision| causes::chain(revision, world)).unwrap_or_default(),
    })
}

impl Item {
    /// True if it needs somebody's attention: it failed or is undecided, or is vacuous.
    pub fn is_pass(&self) -> bool {
        self.word == "pass"
    }

    /// The lines of a terminal: the verdict, then, indented, what it is about and what led there.
    pub fn lines(&self) -> Vec<String> {
        let word = if self.word == "fail" { "FAIL" } else { self.word };
        let time = self.time.map_or_else(String::new, |time| format!(" at {}", clock(time)));
        let why = if self.why.is_empty() { String::new() } else { format!(": {}", self.why) };
        let mut lines = vec![escape(&format!("{word} {}{time}{why}", self.what)).into_owned()];
        if self.is_pass() {
            return lines;
        }
        if !self.about.is_empty() {
            lines.push(format!("     {}", escape(&self.about)));
        }
        if !self.because.is_empty() {
            lines.push("     because:".to_owned());
            lines.extend(self.because.iter().map(|line| format!("     {line}")));
        }
        lines
    }

    /// One JSON object.
    pub fn json(&self, scenario: &Scenario) -> serde_json::Value {
        let file = self.place.and_then(|place| scenario.sources.get(place.source));
        let because: Vec<_> = self.because.iter().map(|line| line.trim()).collect();
        json!({
            "verdict": self.word,
            "expectation": self.what,
            "about": self.about,
            "time": self.time.map(Time::as_nanos),
            "why": self.why,
            "because": because,
            "file": file.map(|source| source.path.as_str()),
            "line": self.place.map(|place| place.span.line),
            "column": self.place.map(|place| place.span.column),
        })
    }

    /// One case of a JUnit suite. What is vacuous is a failure if `strict`, else skipped.
    pub fn case(&self, class: &str, strict: bool) -> junit::Case {
        let time = self.time.map_or_else(String::new, |time| format!("at {}: ", clock(time)));
        let message = format!("{time}{}", self.why);
        let result = match self.word {
            "pass" => junit::Result::Passed,
            "undecided" => junit::Result::Error(message),
            "vacuous" if !strict => junit::Result::Skipped(message),
            _ => junit::Result::Failure(message, self.because.clone()),
        };
        junit::Case { class: class.to_owned(), name: self.what.clone(), result }
    }

    /// Its annotation; None: nothing to say, or no place to say it.
    pub fn annotation(&self, scenario: &Scenario, strict: bool) -> Option<String> {
        if self.is_pass() {
            return None;
        }
        let (file, span) = match self.place {
            Some(place) => (scenario.sources.get(place.source)?, place.span),
            None => (scenario.sources.first()?, Span { line: 1, column: 1, ..Span::default() }),
        };
        let mild = self.word == "vacuous" && !strict;
        let level = if mild { Level::Warning } else { Level::Error };
        let time = self.time.map_or_else(String::new, |time| format!("at {}: ", clock(time)));
        let mut message = format!("{time}{}", self.why);
        for line in &self.because {
            message.push_str(&format!("\n{}", line.trim()));
        }
        Some(annotations::line(level, &file.path, span, &format!("{}: {}", self.word, self.what), &message))
    }
}
