//! A run as diagrams of Mermaid, for documents: the lives of pods as a gantt chart, and the causal chain of what
//! happened to one object last as a sequence diagram. Short enough for a page; what is left out is said.
use crate::report::history::{Happening, History};
use crate::report::timeline::clock;
use std::collections::BTreeMap;

/// Names in a gantt chart.
const NAMES: usize = 12;
/// Links in a sequence diagram.
const LINKS: usize = 14;

/// The lives of pods.
pub fn gantt(history: &History) -> String {
    let mut out = format!(
        "gantt\n    title {}\n    dateFormat x\n    axisFormat %H:%M:%S\n",
        safe(if history.about.is_empty() { &history.name } else { &history.about })
    );
    let identities = history.identities("Pod");
    for (_, name, lives) in identities.iter().take(NAMES) {
        out += &format!("    section {}\n", safe(name));
        for stretch in lives.iter().flat_map(|(_, object)| history.stretches(object)) {
            let (from, to) = (stretch.from.as_nanos() / 1_000_000, stretch.to.as_nanos() / 1_000_000);
            let tag = match stretch.what.as_str() {
                "Ready" => "done, ",
                "Running, not ready" | "ContainerCreating" | "Pending" => "active, ",
                _ => "crit, ",
            };
            let node = if stretch.node.is_empty() { String::new() } else { format!(" on {}", stretch.node) };
            out += &format!(
                "    {} :{tag}{from}, {}\n",
                safe(&format!("{}{node}", stretch.what)),
                to.max(from + 1)
            );
        }
    }
    if identities.len() > NAMES {
        out += &format!("    %% and {} more pods\n", identities.len() - NAMES);
    }
    out
}

/// The causal chain of what happened last to an object (`pod/web-1`, as the timeline calls it).
///
/// # Errors
/// A sentence: nothing happened to an object of that name.
pub fn sequence(history: &History, object: &str) -> Result<String, String> {
    let of_object = |happening: &&Happening| happening.told && happening.subject == object;
    let last = history.happenings.iter().rev().find(of_object);
    let mut link = Some(last.ok_or_else(|| format!("nothing happened to `{object}` in this run"))?);
    let mut chain = Vec::new();
    while let Some(happening) = link.filter(|_| chain.len() < LINKS) {
        chain.push(happening);
        link = happening.cause.and_then(|cause| history.happenings.get(cause as usize));
    }
    chain.reverse();
    let mut participants: BTreeMap<&str, usize> = BTreeMap::new();
    let mut out = "sequenceDiagram\n    participant api as API server\n".to_owned();
    for happening in &chain {
        let next = participants.len() + 1;
        if !participants.contains_key(happening.actor) {
            participants.insert(happening.actor, next);
            out += &format!("    participant a{next} as {}\n", safe(happening.actor));
        }
    }
    if link.is_some() {
        out += "    Note over api: what led there is left out\n";
    }
    let mut before: Option<&Happening> = None;
    for happening in chain {
        let actor = participants.get(happening.actor).copied().unwrap_or_default();
        if let Some(cause) = before {
            out += &format!(
                "    api-->>a{actor}: sees {}\n",
                safe(&format!("{} {}", cause.subject, cause.what))
            );
        }
        let rule = if happening.rule.is_empty() { String::new() } else { format!(" ({})", happening.rule) };
        let text = format!("{} {} {}{rule}", clock(happening.time), happening.subject, happening.what);
        out += &format!("    a{actor}->>api: {}\n", safe(&text));
        before = Some(happening);
    }
    Ok(out)
}

/// A text that Mermaid takes for nothing else: its marks are left out.
fn safe(text: &str) -> String {
    let kept = |c: char| c.is_alphanumeric() || " -_.,/()+@=<>".contains(c);
    text.chars()
        .map(|c| match c {
            '<' => '(',
            '>' => ')',
            c if kept(c) && !crate::api::text::escape(&c.to_string()).starts_with('\\') => c,
            _ => ' ',
        })
        .collect::<String>()
        .trim()
        .to_owned()
}
