//! The sweep as one page: no script, no request, a histogram for each measure.
use super::{again, checks, measures, share};
use crate::api::text::escape;
use crate::sweep::distribution::Distribution;
use crate::sweep::measure::Unit;
use crate::sweep::part::Part;
use crate::sweep::threshold::Threshold;

const WIDTH: u64 = 640;
const HEIGHT: u64 = 120;
/// Bars of a histogram.
const BARS: u64 = 64;

const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1c2733;--soft:#5b6875;--line:#d9dee4;--bar:#1d6fd1;--mark:#b3261e;--paper:#fff}
@media(prefers-color-scheme:dark){:root{--ink:#e8edf2;--soft:#9fb0c0;--line:#3a4652;--bar:#6cb0ff;--mark:#ff8a80;--paper:#141a20}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:60rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem}h2{font-size:1.1rem;margin:2rem 0 .25rem}p{color:var(--soft);margin:.25rem 0}
pre{overflow-x:auto;border:1px solid var(--line);border-radius:6px;padding:.75rem}
svg{display:block;max-width:100%;height:auto}svg text{font:11px system-ui,sans-serif;fill:var(--soft)}
.bar{fill:var(--bar)}.axis{stroke:var(--line)}.quantile{stroke:var(--mark);stroke-dasharray:3 3}
table{border-collapse:collapse}td,th{text-align:left;padding:.15rem 1rem .15rem 0;font-variant-numeric:tabular-nums}
@media print{body{margin:0}}";

/// A text as HTML.
fn text(text: &str) -> String {
    let mut out = String::new();
    for character in escape(text).chars() {
        match character {
            '<' | '>' | '&' | '"' | '\'' => out.push_str(&format!("&#{};", u32::from(character))),
            c => out.push(c),
        }
    }
    out
}

/// The whole page.
pub fn html(part: &Part, thresholds: &[Threshold]) -> String {
    let (header, tally) = (&part.header, &part.tally);
    let policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}</title>\n<style>{STYLE}</style>\n\
         </head>\n<body>\n<h1>{title}</h1>\n<p>{runs} runs, seed {seed}</p>\n",
        title = text(&header.scenario),
        runs = tally.runs,
        seed = header.seed,
    );
    out += "<table>\n";
    for (word, count) in [("held", tally.held), ("failed", tally.failed), ("undecided", tally.undecided)] {
        out += &format!("<tr><th>{word}</th><td>{count}</td><td>{}</td></tr>\n", share(count, tally.runs));
    }
    for threshold in thresholds {
        let word = if threshold.holds(tally) { "pass" } else { "FAIL" };
        out += &format!(
            "<tr><th>{word}</th><td>{}</td><td>is {}</td></tr>\n",
            text(&threshold.text),
            text(&threshold.shown(part))
        );
    }
    out += "</table>\n";
    let failed = checks(part);
    if !failed.is_empty() {
        let lines: Vec<String> = failed.trim().lines().map(text).collect();
        out += &format!("<pre>{}</pre>\n", lines.join("\n"));
    }
    for (measured, unit) in measures(part) {
        out += &format!("<h2>{}</h2>\n", text(&measured.name));
        out += &histogram(&measured.values, unit);
        if let Some((value, run)) = measured.worst.first() {
            out +=
                &format!("<p>worst: {}, <code>{}</code></p>\n", unit.text(*value), text(&again(part, *run)));
        }
    }
    out + "</body>\n</html>\n"
}

/// How values are distributed: bars of equal width over the range of values, median and 99th percentile marked.
fn histogram(values: &Distribution, unit: Unit) -> String {
    let (Some(min), Some(max)) = (values.min(), values.max()) else {
        return "<p>nothing was measured</p>\n".to_owned();
    };
    if min == max {
        return format!("<p>{} in all {} runs</p>\n", unit.text(min), values.count());
    }
    let span = i128::from(max) - i128::from(min);
    // Where a value stands between the smallest and the largest one, on a scale of so many.
    let place = |value: i64, scale: u64| {
        let at = (i128::from(value) - i128::from(min)).max(0) * i128::from(scale) / span;
        u64::try_from(at).unwrap_or(0).min(scale)
    };
    let mut bars = [0_u64; BARS as usize];
    for (value, count) in values.counts() {
        let bar = usize::try_from(place(value, BARS).min(BARS - 1)).unwrap_or(0);
        if let Some(bar) = bars.get_mut(bar) {
            *bar += count;
        }
    }
    let highest = bars.iter().copied().max().unwrap_or(1).max(1);
    let (width, full) = (WIDTH / BARS, HEIGHT + 22);
    let label = format!("{} values from {} to {}", values.count(), unit.text(min), unit.text(max));
    let mut out = format!(
        "<svg viewBox=\"0 0 {WIDTH} {full}\" width=\"{WIDTH}\" role=\"img\" aria-label=\"{label}\">\n"
    );
    for (at, count) in (0_u64..).zip(bars).filter(|(_, count)| *count > 0) {
        // Rare values are seen, too.
        let height = (u128::from(count) * u128::from(HEIGHT - 14) / u128::from(highest)).max(2);
        let height = u64::try_from(height).unwrap_or(HEIGHT);
        out += &format!(
            "<rect class=\"bar\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{height}\"><title>{count} runs</title></rect>\n",
            at * width,
            HEIGHT - height,
            width - 1
        );
    }
    out += &format!("<line class=\"axis\" x1=\"0\" y1=\"{HEIGHT}\" x2=\"{WIDTH}\" y2=\"{HEIGHT}\"/>\n");
    for (name, thousandths) in [("p50", 500), ("p99", 990)] {
        let Some(value) = values.quantile(thousandths) else { continue };
        let x = place(value, WIDTH);
        let (anchor, shift) = if x > WIDTH / 2 { ("end", x.saturating_sub(4)) } else { ("start", x + 4) };
        out += &format!(
            "<line class=\"quantile\" x1=\"{x}\" y1=\"0\" x2=\"{x}\" y2=\"{HEIGHT}\"/>\
             <text x=\"{shift}\" y=\"{}\" text-anchor=\"{anchor}\">{name} {}</text>\n",
            if thousandths == 500 { 10 } else { 24 },
            unit.text(value)
        );
    }
    out += &format!("<text x=\"0\" y=\"{}\">{}</text>", HEIGHT + 15, unit.text(min));
    out += &format!(
        "<text x=\"{WIDTH}\" y=\"{}\" text-anchor=\"end\">{}</text>\n</svg>\n",
        HEIGHT + 15,
        unit.text(max)
    );
    out
}
