//! A comparison of two runs as text, Markdown and JSON.
//!
//! Columns stand as in the lectures: first the Deployment, then the StatefulSet. Every cell of the table is followed by
//! the moments that show it, so that a reader can look them up in the timelines.
use crate::api::text::escape;
use crate::compare::effects::{Consequence, Replaced};
use crate::compare::rows::{after, told};
use crate::compare::seen::Observed;
use crate::compare::{Cell, Comparison};
use crate::kernel::Duration;
use crate::report::timeline::clock;
use crate::run::Ended;
use serde_json::{Value, json};

/// Width of the terminal text.
const WIDTH: usize = 118;
/// Width of the first column of the table.
const FEATURE: usize = 16;
/// Width of the two others.
const SIDE: usize = (WIDTH - FEATURE - 10) / 2;
/// Pods told one by one.
const TOLD: usize = 12;

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

/// A line of the table's frame.
fn rule(left: char, middle: char, right: char) -> String {
    let bar = |width: usize| "\u{2500}".repeat(width + 2);
    format!("{left}{}{middle}{}{middle}{}{right}", bar(FEATURE), bar(SIDE), bar(SIDE))
}

/// One row of the table: a word in each column, and what it means below.
fn framed(feature: &str, left: [&str; 2], right: [&str; 2], out: &mut Vec<String>) {
    let lines = |texts: [&str; 2]| -> Vec<String> {
        texts.into_iter().filter(|text| !text.is_empty()).flat_map(|text| wrapped(text, SIDE)).collect()
    };
    let (feature, left, right) = (wrapped(feature, FEATURE), lines(left), lines(right));
    for n in 0..feature.len().max(left.len()).max(right.len()) {
        let part = |lines: &[String]| lines.get(n).cloned().unwrap_or_default();
        let (feature, left, right) = (part(&feature), part(&left), part(&right));
        out.push(format!(
            "\u{2502} {feature:<FEATURE$} \u{2502} {left:<SIDE$} \u{2502} {right:<SIDE$} \u{2502}"
        ));
    }
}

/// What a cell says in one line.
fn sentence(cell: &Cell) -> String {
    if cell.detail.is_empty() { cell.word.clone() } else { format!("{}: {}", cell.word, cell.detail) }
}

/// A line behind an indent, the lines it is continued on two deeper.
fn indented(indent: usize, text: &str, out: &mut Vec<String>) {
    for (n, line) in wrapped(text, WIDTH - indent - 2).into_iter().enumerate() {
        let deeper = indent + if n == 0 { 0 } else { 2 };
        out.push(format!("{:deeper$}{line}", ""));
    }
}

/// The terminal text.
pub fn text(comparison: &Comparison) -> String {
    let mut out = Vec::new();
    let (set, twin) = (&comparison.set, &comparison.twin);
    out.push(format!("{}: {} and {}, seed {}", comparison.name, twin.title, set.title, comparison.seed));
    out.push(rule('\u{250c}', '\u{252c}', '\u{2510}'));
    framed("Feature", [kind(twin), ""], [kind(set), ""], &mut out);
    for row in &comparison.rows {
        out.push(rule('\u{251c}', '\u{253c}', '\u{2524}'));
        let (left, right) = (&row.twin, &row.set);
        framed(row.feature, [&left.word, &left.detail], [&right.word, &right.detail], &mut out);
    }
    out.push(rule('\u{2514}', '\u{2534}', '\u{2518}'));
    out.extend([String::new(), "What shows it".to_owned()]);
    for row in comparison.rows.iter().filter(|row| !(row.set.shown.is_empty() && row.twin.shown.is_empty())) {
        out.push(String::new());
        for (run, cell) in [(twin, &row.twin), (set, &row.set)] {
            out.push(format!("  {}, {}: {}", row.feature, kind(run), cell.word));
            for moment in &cell.shown {
                out.push(format!("    {:>12}  {}", clock(moment.time), moment.what));
            }
        }
    }
    out.extend([String::new(), "What each step did".to_owned()]);
    for effect in &comparison.effects {
        out.extend([String::new(), format!("  {}", effect.title)]);
        for (run, side) in [(twin, &effect.twin), (set, &effect.set)] {
            out.push(format!("    {}", opening(run, side.as_ref(), &effect.title)));
            for line in side.iter().flat_map(consequences) {
                indented(6, &line, &mut out);
            }
        }
    }
    verdicts(comparison, &mut out);
    remarks(comparison, &mut out);
    out.push(String::new());
    out.extend([twin, set].map(|run| format!("{}: {}", kind(run), ending(run))));
    out.iter().map(|line| escape_lines(line)).collect()
}

/// Lines without control characters.
fn escape_lines(text: &str) -> String {
    text.lines().map(|line| escape(line).trim_end().to_owned() + "\n").collect::<String>()
        + if text.is_empty() { "\n" } else { "" }
}

fn kind(run: &Observed) -> &str {
    run.title.split(' ').next().unwrap_or_default()
}

/// When, what was done if that is said otherwise, and what was hit.
fn opening(run: &Observed, side: Option<&Consequence>, title: &str) -> String {
    let Some(side) = side else { return format!("{}: not done", kind(run)) };
    let hits = if side.hits.is_empty() { String::new() } else { format!(", hits {}", listed(&side.hits)) };
    let said = if side.title == title { String::new() } else { format!(", {}", side.title) };
    format!("{} at {}{said}{hits}", kind(run), clock(side.time))
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
    let mut lines: Vec<String> = side.replaced.iter().take(TOLD).map(replaced).collect();
    if side.replaced.len() > TOLD {
        lines.push(format!("and {} more replaced", side.replaced.len() - TOLD));
    }
    for (what, names) in
        [("new: ", &side.added), ("removed: ", &side.removed), ("nobody in the place of ", &side.missing)]
    {
        if !names.is_empty() {
            lines.push(format!("{what}{}", listed(names)));
        }
    }
    let served = &side.served;
    let none = match served.none {
        Duration::ZERO => String::new(),
        none => format!(", none for {}", told(none)),
    };
    lines.push(match served.whole {
        Some(Duration::ZERO) if served.short == Duration::ZERO => {
            format!("all {} served all the time", served.wanted)
        }
        Some(whole) => {
            format!(
                "at least {} of {} served{none}; all of them after {}",
                served.least,
                served.wanted,
                told(whole)
            )
        }
        None => {
            format!("at least {} of {} served{none}; not all of them in the end", served.least, served.wanted)
        }
    });
    for (name, trouble) in side.unready.iter().take(TOLD) {
        let why = if trouble.is_empty() { String::new() } else { format!(" ({trouble})") };
        lines.push(format!("{name} not ready in the end{why}"));
    }
    for cost in &side.costs {
        let mut parts = Vec::new();
        if cost.lost > 0 {
            parts.push(format!("{} acknowledged writes lost", cost.lost));
        }
        if cost.failed > 0 || cost.down > Duration::ZERO {
            parts.push(format!("{} writes failed, none possible for {}", cost.failed, told(cost.down)));
        }
        if cost.two > Duration::ZERO {
            parts.push(format!("two primaries for {}", told(cost.two)));
        }
        if !parts.is_empty() {
            lines.push(format!("{}: {}", cost.database, parts.join(", ")));
        }
    }
    lines
}

/// One pod and who took its place.
fn replaced(pair: &Replaced) -> String {
    let (mut who, it) = match pair.same_name() {
        true => (format!("{} is back", pair.names.1), "it"),
        false => (format!("{} for {}", pair.names.1, pair.names.0), "that"),
    };
    if let Some(left) = pair.left {
        who += &match left <= pair.created {
            true => format!(", {} {it} left", after(pair.created - left)),
            false => format!(", {} before {it} left", told(left - pair.created)),
        };
        who += if pair.beside { " and while it is still there" } else { " and once it was gone" };
    }
    let moved = |what: &str, two: &(String, String)| match two {
        (_, b) if b.is_empty() => format!("no {what} yet"),
        (a, b) if a == b => format!("same {what}"),
        (a, b) => format!("{what} {a} -> {b}"),
    };
    let dns = if pair.same_dns { "same DNS name" } else { "other DNS name" };
    let volume = match pair.same_volumes {
        Some(true) => "same volume",
        Some(false) => "other volume",
        None => "no volume",
    };
    format!("{who}: {}, {}, {dns}, {volume}", moved("node", &pair.nodes), moved("IP", &pair.ips))
}

fn verdicts(comparison: &Comparison, out: &mut Vec<String>) {
    let (set, twin) = (&comparison.set, &comparison.twin);
    if set.verdicts.is_empty() {
        return;
    }
    out.extend([String::new(), "What was expected".to_owned(), String::new()]);
    out.push(format!("  {:<12}{:<13}", kind(twin), kind(set)));
    for (title, word, _) in &set.verdicts {
        let other =
            twin.verdicts.iter().find(|(other, ..)| other == title).map_or("not asked", |(_, word, _)| word);
        out.push(format!("  {other:<12}{word:<13}{title}"));
    }
}

fn remarks(comparison: &Comparison, out: &mut Vec<String>) {
    if comparison.remarks.is_empty() {
        return;
    }
    out.extend([String::new(), "What the Deployment is told instead".to_owned(), String::new()]);
    for remark in &comparison.remarks {
        indented(2, &format!("{}: {}", remark.about, remark.text), out);
    }
}

fn ending(run: &Observed) -> String {
    let now = clock(run.end);
    let end = match run.ended {
        Ended::Settled => format!("settled at {now}"),
        Ended::Until | Ended::Moment => format!("stopped at {now}, the virtual end"),
        Ended::Limit(_) => format!("stopped at {now} by a limit"),
    };
    let failed = run.failures.iter().map(|(time, what)| format!("\n  at {}, {what}", clock(*time)));
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
    out += "\n### What each step did\n";
    for effect in &comparison.effects {
        out += &format!("\n**{}**\n\n", cell(&effect.title));
        for (run, side) in [(twin, &effect.twin), (set, &effect.set)] {
            out += &format!("- {}\n", cell(&opening(run, side.as_ref(), &effect.title)));
            for line in side.iter().flat_map(consequences) {
                out += &format!("  - {}\n", cell(&line));
            }
        }
    }
    if !comparison.remarks.is_empty() {
        out += "\n### What the Deployment is told instead\n\n";
        for remark in &comparison.remarks {
            out += &format!("- {}: {}\n", cell(&remark.about), cell(&remark.text));
        }
    }
    out
}

/// The same as one JSON object; times and spans in nanoseconds.
pub fn json(comparison: &Comparison) -> Value {
    let cell = |cell: &Cell| {
        let shown =
            cell.shown.iter().map(|moment| json!({"time": moment.time.as_nanos(), "what": moment.what}));
        json!({"seen": cell.word, "detail": cell.detail, "shown": shown.collect::<Vec<_>>()})
    };
    let rows = comparison.rows.iter().map(
        |row| json!({"feature": row.feature, "statefulSet": cell(&row.set), "deployment": cell(&row.twin)}),
    );
    let effects = comparison.effects.iter().map(|effect| {
        json!({
            "step": effect.title,
            "statefulSet": effect.set.as_ref().map(consequence),
            "deployment": effect.twin.as_ref().map(consequence),
        })
    });
    let remarks = comparison
        .remarks
        .iter()
        .map(|remark| json!({"about": remark.about, "text": remark.text, "leftOut": remark.left_out}));
    let run = |run: &Observed| {
        let verdicts = run
            .verdicts
            .iter()
            .map(|(title, word, why)| json!({"expectation": title, "verdict": word, "why": why}));
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
