//! A comparison of two runs as text, Markdown and JSON.
//!
//! Columns stand as in the lectures: first the Deployment, then the StatefulSet. Every cell of the table is followed by
//! the moments that show it, so that a reader can look them up in the timelines.
use crate::api::text::escape;
use crate::compare::effects::{Consequence, Replaced};
use crate::compare::observe::Observed;
use crate::compare::rows::told;
use crate::compare::{Cell, Comparison, Effect};
use crate::kernel::Duration;
use crate::report::timeline::clock;
use crate::run::Ended;
use serde_json::{Value, json};

/// Width of a line of the terminal text.
const WIDTH: usize = 110;
/// Width of the first column.
const FEATURE: usize = 18;

/// A text in lines of at most this many characters, broken at spaces.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// Two columns behind a heading, wrapped.
fn columns(heading: &str, left: &str, right: &str, out: &mut Vec<String>) {
    let width = (WIDTH - FEATURE) / 2 - 2;
    let (heading, left, right) = (wrapped(heading, FEATURE - 2), wrapped(left, width), wrapped(right, width));
    for n in 0..heading.len().max(left.len()).max(right.len()) {
        let part = |lines: &[String]| lines.get(n).cloned().unwrap_or_default();
        let pad = |text: String, width: usize| format!("{text:<width$}");
        let (heading, left) = (pad(part(&heading), FEATURE), pad(part(&left), width + 2));
        out.push(format!("{heading}{left}{}", part(&right)).trim_end().to_owned());
    }
}

/// What a cell says in one line.
fn sentence(cell: &Cell) -> String {
    if cell.detail.is_empty() { cell.word.clone() } else { format!("{}: {}", cell.word, cell.detail) }
}

/// The terminal text.
pub fn text(comparison: &Comparison) -> String {
    let mut out = Vec::new();
    let (set, twin) = (&comparison.set, &comparison.twin);
    out.push(format!("{} as {} and as {}, seed {}", comparison.name, set.title, twin.title, comparison.seed));
    out.push(String::new());
    columns("SEEN", &twin.title.to_uppercase(), &set.title.to_uppercase(), &mut out);
    for row in &comparison.rows {
        columns(row.feature, &row.twin.word, &row.set.word, &mut out);
        columns("", &row.twin.detail, &row.set.detail, &mut out);
    }
    out.push(String::new());
    out.push("WHAT SHOWS IT".to_owned());
    for row in &comparison.rows {
        out.push(String::new());
        out.push(row.feature.to_owned());
        for (run, cell) in [(twin, &row.twin), (set, &row.set)] {
            out.push(format!("  {}: {}", kind(run), cell.word));
            for moment in &cell.shown {
                out.push(format!("  {:>12}  {}", clock(moment.time), moment.what));
            }
        }
    }
    out.push(String::new());
    out.push("STEP BY STEP".to_owned());
    for effect in &comparison.effects {
        out.push(String::new());
        out.push(heading(effect));
        for (run, side) in [(twin, &effect.twin), (set, &effect.set)] {
            out.push(format!("  {}", opening(run, side.as_ref())));
            for line in side.iter().flat_map(consequences) {
                out.push(format!("    {line}"));
            }
        }
    }
    verdicts(comparison, &mut out);
    remarks(comparison, &mut out);
    out.push(String::new());
    out.extend([twin, set].map(|run| format!("{}: {}", run.title, ending(run))));
    out.iter().map(|line| escape(line).trim_end().to_owned() + "\n").collect()
}

fn kind(run: &Observed) -> &str {
    run.title.split(' ').next().unwrap_or_default()
}

fn heading(effect: &Effect) -> String {
    effect.title.clone()
}

/// When, and what was hit.
fn opening(run: &Observed, side: Option<&Consequence>) -> String {
    let Some(side) = side else { return format!("{}: not done", kind(run)) };
    let hits = if side.hits.is_empty() { String::new() } else { format!(", hits {}", listed(&side.hits)) };
    format!("{}, {}{hits}", kind(run), clock(side.time))
}

fn listed(names: &[String]) -> String {
    const NAMED: usize = 6;
    let more = names.len().saturating_sub(NAMED);
    let shown: Vec<&str> = names.iter().take(NAMED).map(String::as_str).collect();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", shown.join(", "))
}

/// What came of a step, line by line.
fn consequences(side: &Consequence) -> Vec<String> {
    let mut lines: Vec<String> = side.replaced.iter().take(12).map(replaced).collect();
    if side.replaced.len() > 12 {
        lines.push(format!("and {} more replaced", side.replaced.len() - 12));
    }
    if !side.added.is_empty() {
        lines.push(format!("new: {}", listed(&side.added)));
    }
    if !side.removed.is_empty() {
        lines.push(format!("removed: {}", listed(&side.removed)));
    }
    if !side.missing.is_empty() {
        lines.push(format!("nobody in the place of {}", listed(&side.missing)));
    }
    let served = &side.served;
    lines.push(match served.whole {
        Some(Duration::ZERO) if served.short == Duration::ZERO => format!("{} served all the time", served.wanted),
        Some(whole) => {
            let none = if served.none > Duration::ZERO { format!(", none for {}", told(served.none)) } else { String::new() };
            format!("{} of {} served at least{none}; all after {}", served.least, served.wanted, told(whole))
        }
        None => {
            let none = if served.none > Duration::ZERO { format!(", none for {}", told(served.none)) } else { String::new() };
            format!("{} of {} served at least{none}; not all when this ended", served.least, served.wanted)
        }
    });
    for cost in &side.costs {
        let two = if cost.two > Duration::ZERO { format!(", two primaries for {}", told(cost.two)) } else { String::new() };
        lines.push(format!(
            "{}: {} acknowledged writes lost, {} failed, no writes for {}{two}",
            cost.database, cost.lost, cost.failed, told(cost.down)
        ));
    }
    lines
}

/// One pod and who took its place.
fn replaced(pair: &Replaced) -> String {
    let mut parts: Vec<String> = Vec::new();
    if let Some(left) = pair.left {
        parts.push(match left <= pair.created {
            true if pair.beside => format!("{} after it left, while it was still there", told(pair.created - left)),
            true => format!("{} after it left, when it was gone", told(pair.created - left)),
            false => format!("{} before it left", told(left - pair.created)),
        });
    }
    let moved = |what: &str, two: &(String, String)| match two {
        (a, b) if b.is_empty() => format!("{what} {a}, then none"),
        (a, b) if a == b => format!("{what} {a} as before"),
        (a, b) => format!("{what} {a} -> {b}"),
    };
    parts.push(moved("node", &pair.nodes));
    parts.push(moved("IP", &pair.ips));
    parts.push(if pair.same_dns { "same DNS name".into() } else { "no DNS name of the old one".into() });
    parts.push(match pair.same_volumes {
        Some(true) => "same volume".to_owned(),
        Some(false) => "other volume".to_owned(),
        None => "no volume".to_owned(),
    });
    let who = if pair.same_name() {
        format!("{} came back", pair.names.1)
    } else {
        format!("{} came for {}", pair.names.1, pair.names.0)
    };
    format!("{who}: {}", parts.join(", "))
}

fn verdicts(comparison: &Comparison, out: &mut Vec<String>) {
    let (set, twin) = (&comparison.set, &comparison.twin);
    if set.verdicts.is_empty() {
        return;
    }
    out.extend([String::new(), "EXPECTATIONS".to_owned()]);
    columns("", &twin.title.to_uppercase(), &set.title.to_uppercase(), out);
    for (title, word, _) in &set.verdicts {
        let other = twin.verdicts.iter().find(|(other, ..)| other == title).map_or("not asked", |(_, word, _)| word);
        out.push(format!("{other:<10}{word:<10}{title}"));
    }
}

fn remarks(comparison: &Comparison, out: &mut Vec<String>) {
    if comparison.remarks.is_empty() {
        return;
    }
    out.extend([String::new(), "THE TWIN DIFFERS".to_owned()]);
    for remark in &comparison.remarks {
        out.push(format!("  {}: {}", remark.about, remark.text));
    }
}

fn ending(run: &Observed) -> String {
    let now = clock(run.end);
    let end = match run.ended {
        Ended::Settled => format!("settled at {now}"),
        Ended::Until | Ended::Moment => format!("stopped at {now}, the virtual end"),
        Ended::Limit(_) => format!("stopped at {now} by a limit"),
    };
    let failed = run.failures.iter().map(|(time, what)| format!("\n  {} {what}", clock(*time)));
    format!("{end}{}", failed.collect::<String>())
}

/// The same as Markdown.
pub fn markdown(comparison: &Comparison) -> String {
    let (set, twin) = (&comparison.set, &comparison.twin);
    let cell = |text: &str| escape(text).replace('|', "\\|");
    let mut out = format!("## {}\n\n", cell(&comparison.name));
    out += &format!("| Seen | {} | {} |\n| --- | --- | --- |\n", cell(&twin.title), cell(&set.title));
    for row in &comparison.rows {
        let (left, right) = (cell(&sentence(&row.twin)), cell(&sentence(&row.set)));
        out += &format!("| {} | {left} | {right} |\n", row.feature);
    }
    out += "\n### What shows it\n";
    for row in &comparison.rows {
        out += &format!("\n**{}**\n\n", row.feature);
        for (run, seen) in [(twin, &row.twin), (set, &row.set)] {
            out += &format!("- {}: {}\n", kind(run), cell(&seen.word));
            for moment in &seen.shown {
                out += &format!("  - `{}` {}\n", clock(moment.time), cell(&moment.what));
            }
        }
    }
    out += "\n### Step by step\n";
    for effect in &comparison.effects {
        out += &format!("\n**{}**\n\n", cell(&heading(effect)));
        for (run, side) in [(twin, &effect.twin), (set, &effect.set)] {
            out += &format!("- {}\n", cell(&opening(run, side.as_ref())));
            for line in side.iter().flat_map(consequences) {
                out += &format!("  - {}\n", cell(&line));
            }
        }
    }
    if !comparison.remarks.is_empty() {
        out += "\n### The twin differs\n\n";
        for remark in &comparison.remarks {
            out += &format!("- {}: {}\n", cell(&remark.about), cell(&remark.text));
        }
    }
    out
}

/// The same as one JSON object; times and spans in nanoseconds.
pub fn json(comparison: &Comparison) -> Value {
    let cell = |cell: &Cell| {
        let shown = cell.shown.iter().map(|moment| json!({"time": moment.time.as_nanos(), "what": moment.what}));
        json!({"seen": cell.word, "detail": cell.detail, "shown": shown.collect::<Vec<_>>()})
    };
    let rows = comparison.rows.iter().map(|row| {
        json!({"feature": row.feature, "statefulSet": cell(&row.set), "deployment": cell(&row.twin)})
    });
    let effects = comparison.effects.iter().map(|effect| {
        json!({
            "step": effect.title,
            "statefulSet": effect.set.as_ref().map(consequence),
            "deployment": effect.twin.as_ref().map(consequence),
        })
    });
    let remarks = comparison.remarks.iter().map(|remark| {
        json!({"about": remark.about, "text": remark.text, "leftOut": remark.left_out})
    });
    let run = |run: &Observed| {
        let verdicts = run.verdicts.iter().map(|(title, word, why)| json!({"expectation": title, "verdict": word, "why": why}));
        let failures = run.failures.iter().map(|(time, what)| json!({"time": time.as_nanos(), "what": what}));
        json!({
            "workload": run.title,
            "end": run.end.as_nanos(),
            "failures": failures.collect::<Vec<_>>(),
            "verdicts": verdicts.collect::<Vec<_>>(),
        })
    };
    json!({
        "scenario": comparison.name,
        "seed": comparison.seed,
        "rows": rows.collect::<Vec<_>>(),
        "steps": effects.collect::<Vec<_>>(),
        "differences": remarks.collect::<Vec<_>>(),
        "statefulSet": run(&comparison.set),
        "deployment": run(&comparison.twin),
    })
}

fn consequence(side: &Consequence) -> Value {
    let replaced = side.replaced.iter().map(|pair| {
        json!({
            "before": pair.names.0, "after": pair.names.1,
            "left": pair.left.map(|time| time.as_nanos()), "created": pair.created.as_nanos(),
            "beside": pair.beside, "sameDNS": pair.same_dns, "sameVolumes": pair.same_volumes,
            "ips": [pair.ips.0, pair.ips.1], "nodes": [pair.nodes.0, pair.nodes.1],
        })
    });
    let costs = side.costs.iter().map(|cost| {
        json!({
            "database": cost.database, "lostWrites": cost.lost, "failedWrites": cost.failed,
            "downtime": cost.down.as_nanos(), "splitBrain": cost.two.as_nanos(),
        })
    });
    json!({
        "time": side.time.as_nanos(), "title": side.title, "hits": side.hits,
        "replaced": replaced.collect::<Vec<_>>(),
        "added": side.added, "removed": side.removed, "missing": side.missing,
        "served": {
            "least": side.served.least, "wanted": side.served.wanted, "short": side.served.short.as_nanos(),
            "none": side.served.none.as_nanos(), "whole": side.served.whole.map(|span| span.as_nanos()),
        },
        "costs": costs.collect::<Vec<_>>(),
    })
}
