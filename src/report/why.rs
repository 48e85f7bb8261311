//! Why an object is as it is, as text and as JSON: what led to it, what it waits for, what would end that.
use crate::api::text::escape;
use crate::kernel::Duration;
use crate::report::timeline::clock;
use crate::rule::Rule;
use crate::why::{Answer, Link, Origin, Remedy, Until, Wait};
use serde_json::{Value, json};

/// Columns of a line of prose.
const WIDTH: usize = 110;
/// Links of a chain that are shown from its end; the last ones, where it began, always are.
const LATEST: usize = 10;
/// Links shown from its beginning.
const FIRST: usize = 2;

/// The answer as lines of a terminal.
pub fn text(answer: &Answer) -> Vec<String> {
    let mut lines = vec![format!("{} at {}: {}", answer.name, clock(answer.time), answer.state)];
    chain(answer, &mut lines);
    waits(answer, &mut lines);
    stuck(answer, &mut lines);
    remedies(answer, &mut lines);
    lines.iter().map(|line| escape(line).into_owned()).collect()
}

fn chain(answer: &Answer, lines: &mut Vec<String>) {
    let links = &answer.chain;
    if links.is_empty() {
        return;
    }
    lines.extend([String::new(), "How it came to this, the latest first:".to_owned()]);
    let hidden = links.len().saturating_sub(LATEST + FIRST);
    for (n, link) in links.iter().enumerate() {
        if hidden > 1 && n == LATEST {
            lines.push(format!("{:>14}... {hidden} more", ""));
        }
        if hidden > 1 && (LATEST..LATEST + hidden).contains(&n) {
            continue;
        }
        lines.push(of_link(link));
        lines.extend(link.origin.as_ref().map(|origin| format!("{:>14}{}", "", place(origin))));
    }
}

fn of_link(link: &Link) -> String {
    let what = format!("{} {}", link.object, link.what);
    let by = match (link.actor.as_str(), rule(link.rule)) {
        ("", rule) => rule,
        (actor, rule) if rule.is_empty() => actor.to_owned(),
        (actor, rule) => format!("{actor} {rule}"),
    };
    if link.origin.is_some() {
        return format!("{:>12}  {}: {}", clock(link.time), link.object, link.what);
    }
    format!("{:>12}  {what:<50}  {by}", clock(link.time)).trim_end().to_owned()
}

fn place(origin: &Origin) -> String {
    format!("{}:{}  {}", origin.file, origin.line, origin.text)
}

fn rule(rule: Rule) -> String {
    if rule == Rule::NONE { String::new() } else { format!("[{rule}]") }
}

fn waits(answer: &Answer, lines: &mut Vec<String>) {
    if answer.waits.is_empty() {
        return;
    }
    lines.extend([String::new(), "What it waits for:".to_owned()]);
    for wait in &answer.waits {
        of_wait(wait, lines);
    }
    if !answer.deadlock.is_empty() {
        lines.extend([
            String::new(),
            "A circle: each of these waits for the next, and nothing else can end it.".into(),
        ]);
        lines.push(format!("  {}", answer.deadlock.join(" -> ")));
    }
}

fn of_wait(wait: &Wait, lines: &mut Vec<String>) {
    let indent = "  ".repeat(wait.depth + 1);
    let head = format!("{}: {} waits for {} {}", wait.name, wait.who, wait.on, rule(wait.rule));
    wrap(&indent, head.trim_end(), lines);
    let rows: Vec<[&str; 4]> = wait
        .verdicts
        .iter()
        .map(|v| {
            [
                v.node.as_str(),
                v.zone.as_str(),
                v.plugin.as_str(),
                if v.plugin.is_empty() { "passes" } else { v.reason.as_str() },
            ]
        })
        .collect();
    if !rows.is_empty() {
        table(&indent, &rows, lines);
    }
    if let Some(end) = end(&wait.until) {
        wrap(&format!("{indent}    "), &end, lines);
    }
    if let Some(link) = &wait.began {
        let at = link.origin.as_ref().map_or_else(String::new, |o| format!(" ({}:{})", o.file, o.line));
        lines.push(format!(
            "{indent}    began at {} with {}: {}{at}",
            clock(link.time),
            link.object,
            link.what
        ));
    }
}

/// What ends a wait, in words; None: what it depends on does.
pub(crate) fn end(until: &Until) -> Option<String> {
    match until {
        Until::At(time, then) => Some(format!("until {}, when {then}", clock(*time))),
        Until::When(then) => Some(format!("until {then}")),
        Until::Never(unless) => Some(format!("for ever, unless {unless}")),
        Until::Next => None,
    }
}

/// A sentence in lines of a readable width; those after the first are indented by two more.
pub fn wrap(indent: &str, text: &str, lines: &mut Vec<String>) {
    let hang = format!("{}  ", " ".repeat(indent.chars().count()));
    let mut line = indent.to_owned();
    let mut empty = true;
    for word in text.split(' ') {
        if !empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
            lines.push(std::mem::replace(&mut line, hang.clone()));
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(word);
        empty = false;
    }
    lines.push(line);
}

/// Rows of a table under a head, columns aligned.
fn table(indent: &str, rows: &[[&str; 4]], lines: &mut Vec<String>) {
    let head = ["NODE", "ZONE", "PLUGIN", "REASON"];
    let all = || [&head].into_iter().chain(rows);
    let width = |column: usize| all().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths = [width(0), width(1), width(2)];
    for [node, zone, plugin, reason] in all() {
        let [a, b, c] = widths;
        lines.push(format!("{indent}    {node:<a$}  {zone:<b$}  {plugin:<c$}  {reason}"));
    }
}

fn stuck(answer: &Answer, lines: &mut Vec<String>) {
    for stuck in &answer.stuck {
        lines.push(String::new());
        wrap("", &format!("STUCK-{}, {}: {}.", stuck.id, stuck.name, stuck.says), lines);
        wrap("  ", &format!("It is about {}. The way out: {}.", listed(&stuck.names), stuck.way_out), lines);
    }
}

/// `a, b, c and 5 more`.
pub fn listed(names: &[String]) -> String {
    const NAMED: usize = 4;
    match names {
        [] => "nothing".to_owned(),
        names if names.len() <= NAMED => names.join(", "),
        names => format!(
            "{} and {} more",
            names.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", "),
            names.len() - NAMED
        ),
    }
}

fn remedies(answer: &Answer, lines: &mut Vec<String>) {
    if answer.goal.is_empty() || answer.waits.is_empty() && answer.remedies.is_empty() {
        return;
    }
    lines.push(String::new());
    lines.push(match answer.by_itself {
        Some(after) => format!(
            "If nobody does anything, {} after {}, at {}.",
            answer.goal,
            rounded(after),
            clock(answer.time + after)
        ),
        None => "If nobody does anything, this does not end within an hour.".to_owned(),
    });
    let (help, vain): (Vec<_>, Vec<_>) = answer.remedies.iter().partition(|remedy| remedy.helps.is_some());
    if !help.is_empty() {
        lines.push("What helps; each was tried in a fork of this run:".to_owned());
        help.iter().for_each(|remedy| of_remedy(answer, remedy, lines));
    } else if !vain.is_empty() {
        lines.push("Nothing that was tried in forks of this run helps within an hour:".to_owned());
        for remedy in vain.iter().take(5) {
            lines.push(format!("  {}", remedy.commands.join(" ; ")));
        }
    } else if answer.by_itself.is_none() {
        lines.push("There is nothing that a command could do about it.".to_owned());
    }
}

fn of_remedy(answer: &Answer, remedy: &Remedy, lines: &mut Vec<String>) {
    lines.extend(remedy.commands.iter().map(|command| format!("  {command}")));
    let after = remedy.helps.map(rounded).unwrap_or_default();
    lines.push(format!("      {} after {after}", answer.goal));
    remedy.costs.iter().for_each(|cost| wrap("      cost: ", cost, lines));
    remedy.notes.iter().for_each(|note| wrap("      ", note, lines));
}

/// A duration in seconds and tenths: `1m23.4s`.
fn rounded(duration: Duration) -> String {
    Duration::from_millis(duration.as_millis() / 100 * 100).to_string()
}

// ---- JSON ----------------------------------------------------------------------------------------------------------

/// The answer as one JSON object. Times are nanoseconds.
pub fn json(answer: &Answer) -> Value {
    json!({
        "object": answer.name,
        "time": answer.time.as_nanos(),
        "state": answer.state,
        "chain": answer.chain.iter().map(link).collect::<Vec<_>>(),
        "waits": answer.waits.iter().map(wait).collect::<Vec<_>>(),
        "deadlock": answer.deadlock,
        "stuck": answer.stuck.iter().map(|stuck| json!({
            "id": format!("STUCK-{}", stuck.id),
            "name": stuck.name,
            "says": stuck.says,
            "objects": stuck.names,
            "wayOut": stuck.way_out,
        })).collect::<Vec<_>>(),
        "goal": answer.goal,
        "byItself": answer.by_itself.map(Duration::as_nanos),
        "remedies": answer.remedies.iter().map(|remedy| json!({
            "commands": remedy.commands,
            "helpsAfter": remedy.helps.map(Duration::as_nanos),
            "costs": remedy.costs,
            "notes": remedy.notes,
        })).collect::<Vec<_>>(),
    })
}

fn link(link: &Link) -> Value {
    json!({
        "time": link.time.as_nanos(),
        "object": link.object,
        "what": link.what,
        "actor": link.actor,
        "rule": link.rule.to_string(),
        "origin": link.origin.as_ref().map(|origin| json!({
            "step": origin.step,
            "file": origin.file,
            "line": origin.line,
            "text": origin.text,
        })),
    })
}

fn wait(wait: &Wait) -> Value {
    let until = match &wait.until {
        Until::At(time, then) => json!({"time": time.as_nanos(), "then": then}),
        Until::When(then) => json!({"when": then}),
        Until::Never(unless) => json!({"unless": unless}),
        Until::Next => Value::Null,
    };
    json!({
        "depth": wait.depth,
        "object": wait.name,
        "who": wait.who,
        "on": wait.on,
        "rule": wait.rule.to_string(),
        "until": until,
        "verdicts": wait.verdicts.iter().map(|verdict| json!({
            "node": verdict.node,
            "zone": verdict.zone,
            "plugin": verdict.plugin,
            "reason": verdict.reason,
        })).collect::<Vec<_>>(),
        "began": wait.began.as_ref().map(link),
    })
}
