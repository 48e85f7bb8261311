//! What came of a sweep: shares with their limits of confidence, distributions, the runs to look at, thresholds. As text,
//! JSON, lines of JSON, CSV and one page of HTML. All of it follows from the part alone.
mod page;

pub use page::html;

use crate::api::text::escape;
use crate::kubectl::table::Table;
use crate::sweep::distribution::share_between;
use crate::sweep::measure::Unit;
use crate::sweep::part::Part;
use crate::sweep::seed_of;
use crate::sweep::tally::{Check, Measured};
use crate::sweep::threshold::Threshold;
use serde_json::{Value, json};

/// Quantiles that are told, thousandths.
const QUANTILES: [(&str, u32); 4] = [("p50", 500), ("p90", 900), ("p99", 990), ("p99.9", 999)];
/// Runs that are named, of those that a part knows.
const NAMED: usize = 3;

fn measures(part: &Part) -> impl Iterator<Item = (&Measured, Unit)> {
    part.tally.measures.iter().zip(&part.header.measures).map(|(measured, (_, unit))| (measured, *unit))
}

/// `12.34 % (11.80 to 12.90)`: a share of all runs, and its limits with 95 % confidence.
fn share(some: u64, all: u64) -> String {
    let (low, high) = share_between(some, all);
    let p = if all == 0 { 0.0 } else { some as f64 / all as f64 };
    format!("{} ({} to {})", percent(p), percent(low), percent(high))
}

fn percent(share: f64) -> String {
    let percent = share * 100.0;
    // Rare things need more digits to be told from none.
    if percent > 0.0 && percent < 0.1 { format!("{percent:.4} %") } else { format!("{percent:.2} %") }
}

/// Expectations that only have to hold in some run, and held in none.
pub fn unshown(part: &Part) -> Vec<&Check> {
    let sometimes = part.header.sometimes.iter().filter_map(|n| part.tally.checks.get(*n));
    sometimes.filter(|check| check.shown == 0).collect()
}

/// How runs ended, in a line.
pub fn endings(part: &Part) -> String {
    let tally = &part.tally;
    let mut told = format!("{} held", tally.held);
    for (count, word) in [(tally.failed, "failed"), (tally.undecided, "undecided")] {
        if count > 0 {
            told += &format!(", {count} {word}");
        }
    }
    told
}

/// The same while a sweep goes on, with how long it takes clusters to be whole again.
pub fn estimates(part: &Part) -> String {
    let mut told = endings(part);
    for (measured, unit) in measures(part).skip(1).take(3) {
        if let (Some(median), Some(high)) = (measured.values.quantile(500), measured.values.quantile(990)) {
            told += &format!("   {} {} (p99 {})", measured.name, unit.text(median), unit.text(high));
        }
    }
    escape(&told).into_owned()
}

/// The command line that plays a run again.
fn again(part: &Part, run: u64) -> String {
    let header = &part.header;
    let seed = seed_of(header.seed, run).to_string();
    let words = ["stsim", "run", &header.file].into_iter().chain(header.options.iter().map(String::as_str));
    let words = words.chain(["--seed", &seed]);
    // Nobody can give a NUL byte on a command line, so every word can be quoted.
    shlex::try_join(words).unwrap_or_default()
}

/// The sweep as text.
pub fn text(part: &Part, thresholds: &[Threshold]) -> String {
    let (header, tally) = (&part.header, &part.tally);
    let mut out = format!("{}: {} runs, seed {}", header.scenario, tally.runs, header.seed);
    if !part.is_complete() {
        out += &format!(" (of {})", header.runs);
    }
    out += &format!("\n\nheld       {}\n", share(tally.held, tally.runs));
    out += &format!("failed     {}\n", share(tally.failed, tally.runs));
    if tally.undecided > 0 {
        out += &format!("undecided  {}\n", share(tally.undecided, tally.runs));
    }
    out += &checks(part);
    out += &table(part);
    out += &worst(part);
    if !thresholds.is_empty() {
        out += "\nThresholds\n";
    }
    for threshold in thresholds {
        let word = if threshold.holds(tally) { "pass" } else { "FAIL" };
        out += &format!("  {word}  {}   is {}\n", threshold.text.trim(), threshold.shown(part));
    }
    out.lines().map(|line| escape(line.trim_end()).into_owned() + "\n").collect()
}

fn checks(part: &Part) -> String {
    let mut out = String::new();
    for check in part.tally.checks.iter().filter(|check| check.failed > 0) {
        out += &format!("\nFAIL {}: in {}\n", check.name, share(check.failed, part.tally.runs));
        for run in check.first.iter().take(NAMED) {
            out += &format!("       run {run}: {}\n", again(part, *run));
        }
    }
    for check in unshown(part) {
        out += &format!("\nFAIL {}: in no run, and one would be enough\n", check.name);
    }
    let sometimes = part.header.sometimes.iter().filter_map(|n| part.tally.checks.get(*n));
    for check in sometimes.filter(|check| check.shown > 0) {
        out += &format!("\nsometimes {}: in {}\n", check.name, share(check.shown, part.tally.runs));
    }
    out
}

fn table(part: &Part) -> String {
    let mut table =
        Table::new(["Measure", "Runs", "Mean", "Min", "p50", "p50 (95 %)", "p90", "p99", "p99.9", "Max"]);
    let mut rounded = false;
    for (measured, unit) in measures(part) {
        let values = &measured.values;
        let text = |value: Option<i64>| value.map_or_else(|| "-".to_owned(), |value| unit.text(value));
        let between = values.quantile_between(500);
        let quantile = |thousandths| text(values.quantile(thousandths));
        rounded |= !values.is_exact();
        table.row([
            measured.name.clone(),
            values.count().to_string(),
            text(values.mean()),
            text(values.min()),
            quantile(500),
            between
                .map_or_else(|| "-".into(), |(low, high)| format!("{}..{}", unit.text(low), unit.text(high))),
            quantile(900),
            quantile(990),
            quantile(999),
            text(values.max()),
        ]);
    }
    let note = if rounded { "Quantiles are rounded down; means, minima and maxima are exact.\n" } else { "" };
    format!("\n{}{note}", table.render(true))
}

/// The runs with the largest values, unless all are the same.
fn worst(part: &Part) -> String {
    let mut out = String::new();
    for (measured, unit) in measures(part) {
        if measured.values.min() == measured.values.max() {
            continue;
        }
        let Some((value, run)) = measured.worst.first() else { continue };
        out += &format!("  {} {} in run {run}: {}\n", measured.name, unit.text(*value), again(part, *run));
    }
    if out.is_empty() { out } else { format!("\nWorst\n{out}") }
}

/// The sweep as one JSON object. Times are nanoseconds.
pub fn json(part: &Part, thresholds: &[Threshold]) -> Value {
    let (header, tally) = (&part.header, &part.tally);
    let named = |run: u64| json!({"run": run, "seed": seed_of(header.seed, run).to_string(), "command": again(part, run)});
    let check = |check: &Check| {
        let (low, high) = share_between(check.failed, tally.runs);
        json!({
            "name": check.name,
            "failed": check.failed,
            "between": [low, high],
            "shown": check.shown,
            "first": check.first.iter().map(|run| named(*run)).collect::<Vec<_>>(),
        })
    };
    let measure = |(measured, unit): (&Measured, Unit)| {
        let values = &measured.values;
        let quantile = |(name, thousandths): &(&str, u32)| {
            let value = json!({"value": values.quantile(*thousandths), "between": values.quantile_between(*thousandths)});
            ((*name).to_owned(), value)
        };
        json!({
            "name": measured.name,
            "unit": unit,
            "runs": values.count(),
            "exact": values.is_exact(),
            "mean": values.mean(),
            "min": values.min(),
            "max": values.max(),
            "quantiles": QUANTILES.iter().map(quantile).collect::<serde_json::Map<_, _>>(),
            "worst": measured.worst.iter().map(|(value, run)| {
                let mut named = named(*run);
                named["value"] = (*value).into();
                named
            }).collect::<Vec<_>>(),
        })
    };
    json!({
        "scenario": header.scenario,
        "input": header.input,
        "version": header.version,
        "seed": header.seed.to_string(),
        "runs": tally.runs,
        "of": header.runs,
        "held": tally.held,
        "failed": tally.failed,
        "undecided": tally.undecided,
        "events": tally.events,
        "checks": tally.checks.iter().map(check).collect::<Vec<_>>(),
        "measures": measures(part).map(measure).collect::<Vec<_>>(),
        "thresholds": thresholds.iter().map(|threshold| json!({
            "text": threshold.text,
            "figure": threshold.figure(tally),
            "holds": threshold.holds(tally),
        })).collect::<Vec<_>>(),
    })
}

/// The distributions, one line of JSON for each value that came.
pub fn jsonl(part: &Part) -> String {
    let mut out = String::new();
    for (measured, unit) in measures(part) {
        for (value, count) in measured.values.counts() {
            out += &format!(
                "{}\n",
                json!({"measure": measured.name, "unit": unit, "value": value, "runs": count})
            );
        }
    }
    out
}

/// The same as CSV.
pub fn csv(part: &Part) -> String {
    let mut out = "measure,unit,value,runs\n".to_owned();
    for (measured, unit) in measures(part) {
        let unit = match unit {
            Unit::Time => "ns",
            Unit::Count => "",
            Unit::Millionths => "1e-6",
        };
        for (value, count) in measured.values.counts() {
            out += &format!("{},{unit},{value},{count}\n", cell(&measured.name));
        }
    }
    out
}

/// A text as a cell that no spreadsheet takes for a formula.
fn cell(text: &str) -> String {
    let text = escape(text);
    let guard = if text.starts_with(['=', '+', '-', '@']) { "'" } else { "" };
    format!("\"{guard}{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests;
