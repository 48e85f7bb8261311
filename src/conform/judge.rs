//! Comparing a run of ours with what the recorded runs agree on.
use crate::api::objects::Revision;
use crate::cluster::Cluster;
use crate::conform::observe::Segment;
use crate::conform::trace::{Agreed, AgreedCommand, AgreedSegment};
use crate::kubectl::run::Output;
use crate::report::causes;
use serde_json::Value;
use std::collections::BTreeMap;

/// The first place where a run of ours differs.
#[derive(Clone, Debug)]
pub struct Disagreement {
    /// Segment, counted from 0.
    pub segment: usize,
    /// One sentence.
    pub message: String,
    /// The write of ours it is about, if there is one.
    pub revision: Option<Revision>,
    /// Our events of the segment, and the chain of causes of the write.
    pub details: Vec<String>,
}

impl Disagreement {
    /// A case that could not be played.
    pub fn setup(message: String) -> Disagreement {
        Disagreement { segment: 0, message, revision: None, details: Vec::new() }
    }

    /// With the causal chain of the write it is about.
    #[must_use]
    pub fn with_chain(mut self, cluster: &Cluster) -> Disagreement {
        let chain = self.revision.map(|revision| causes::chain(revision, &cluster.world)).unwrap_or_default();
        if !chain.is_empty() {
            self.details.push("because:".into());
        }
        self.details.extend(chain);
        self
    }
}

/// Under which timing our run was played.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Timing {
    /// That of the recording: everything is judged.
    Recorded,
    /// Drawn. What controllers coalesce comes out differently then, and is judged by what it amounts to:
    ///
    /// - when an intermediate status or endpoint list is written in relation to the pods of this or another set is
    ///   chance: the order of derived events is not judged, the value they end with is;
    /// - a rolling update takes the steps of a ReplicaSet together or one by one: 3->1 is as good as 3->2, 2->1;
    /// - an attempt of the scheduler that changes nothing shows as an Event only if it falls between two changes:
    ///   `FailedScheduling` has to be there only where the pod becomes unschedulable.
    Drawn,
}

/// Compares all segments.
///
/// # Errors
/// The first disagreement.
pub fn compare(agreed: &Agreed, ours: &[Segment], timing: Timing) -> Result<(), Disagreement> {
    for (n, expected) in agreed.segments.iter().enumerate() {
        let Some(segment) = ours.get(n) else {
            return Err(Disagreement {
                segment: n,
                message: format!(
                    "we have only {} segments, {} were recorded",
                    ours.len(),
                    agreed.segments.len()
                ),
                revision: None,
                details: Vec::new(),
            });
        };
        compare_segment(expected, segment, timing).map_err(|(message, revision)| Disagreement {
            segment: n,
            message,
            revision,
            details: segment.events.iter().map(|event| event.text.clone()).collect(),
        })?;
    }
    Ok(())
}

type Found = (String, Option<Revision>);

fn compare_segment(expected: &AgreedSegment, ours: &Segment, timing: Timing) -> Result<(), Found> {
    let told: Vec<Told> = ours
        .events
        .iter()
        .map(|event| Told {
            text: as_recorded(&event.text, expected),
            revision: event.revision,
            derived: event.derived,
        })
        .collect();
    commands(&expected.commands, &ours.outputs)?;
    counts(expected, &told, timing)?;
    settled(expected, &ours.settled)?;
    order(expected, &told, timing)?;
    reasons(expected, ours, timing)
}

/// An event in the words of a segment.
struct Told {
    text: String,
    revision: Revision,
    derived: bool,
}

/// Pods of a ReplicaSet are named in a trace only where every run chose the same ones; elsewhere `web-rs-1-*`.
fn as_recorded(text: &str, expected: &AgreedSegment) -> String {
    let known = |text: &str| expected.events.contains_key(text) || expected.sometimes.contains_key(text);
    if known(text) || !text.starts_with("pod/") {
        return text.to_owned();
    }
    let Some((head, rest)) = text.split_once("-#") else { return text.to_owned() };
    let what = rest.split_once(' ').map_or("", |(_, what)| what);
    format!("{head}-* {what}")
}

fn counts(expected: &AgreedSegment, told: &[Told], timing: Timing) -> Result<(), Found> {
    let mut seen: BTreeMap<String, (u32, Revision)> = BTreeMap::new();
    for event in told.iter().filter(|event| !event.derived) {
        for text in steps(&event.text, timing) {
            let entry = seen.entry(text).or_insert((0, event.revision));
            entry.0 += 1;
            entry.1 = event.revision;
        }
    }
    let (least, more) = (in_steps(&expected.events, timing), in_steps(&expected.sometimes, timing));
    let recorded = |counts: &BTreeMap<String, u32>, text: &str| counts.get(text).copied().unwrap_or(0);
    for (text, (count, revision)) in &seen {
        let most = recorded(&least, text) + recorded(&more, text);
        if *count > most {
            let allowed = if most == 0 { "never".to_owned() } else { format!("at most {most} times") };
            return Err((format!("`{text}` happened {count} times, recorded {allowed}"), Some(*revision)));
        }
    }
    let derived = ["endpoints/", "sts-status/", "deploy-status/"];
    for (text, least) in &least {
        if derived.iter().any(|kind| text.starts_with(kind)) {
            continue;
        }
        let count = seen.get(text).map_or(0, |(count, _)| *count);
        if count < *least {
            return Err((format!("`{text}` happened {count} times, recorded at least {least}"), None));
        }
    }
    Ok(())
}

fn in_steps(counts: &BTreeMap<String, u32>, timing: Timing) -> BTreeMap<String, u32> {
    let mut all = BTreeMap::new();
    for (text, count) in counts {
        for step in steps(text, timing) {
            *all.entry(step).or_insert(0) += count;
        }
    }
    all
}

/// Under drawn timings `rs/web-rs-1 scaled 3->1` counts as 3->2 and 2->1.
fn steps(text: &str, timing: Timing) -> Vec<String> {
    let scaled = text.strip_prefix("rs/").and_then(|rest| rest.split_once(" scaled "));
    if let (Timing::Drawn, Some((name, numbers))) = (timing, scaled)
        && let Some((from, to)) = numbers.split_once("->")
        && let (Ok(from), Ok(to)) = (from.parse::<u32>(), to.parse::<u32>())
    {
        let one = |low: u32| {
            let (from, to) = if from < to { (low, low + 1) } else { (low + 1, low) };
            format!("rs/{name} scaled {from}->{to}")
        };
        return (from.min(to)..from.max(to)).map(one).collect();
    }
    vec![text.to_owned()]
}

fn order(expected: &AgreedSegment, told: &[Told], timing: Timing) -> Result<(), Found> {
    let position = |name: &str| {
        let (text, nth) = match name.rsplit_once(" #") {
            Some((text, n)) if n.parse::<usize>().is_ok() => (text, n.parse::<usize>().unwrap_or(1)),
            _ => (name, 1),
        };
        told.iter().enumerate().filter(|(_, event)| event.text == text).nth(nth - 1)
    };
    for (before, after) in &expected.order {
        if let (Some((a, first)), Some((b, event))) = (position(before), position(after))
            && a > b
            && first.revision != event.revision
            && (timing == Timing::Recorded || !first.derived && !event.derived)
        {
            return Err((format!("`{after}` came before `{before}`"), Some(event.revision)));
        }
    }
    Ok(())
}

fn settled(expected: &AgreedSegment, ours: &Value) -> Result<(), Found> {
    let differs = |path: &str| expected.differs.iter().any(|other| other == path);
    let none = serde_json::Map::new();
    let kinds = [
        "nodes",
        "pods",
        "pvcs",
        "pvs",
        "attachments",
        "statefulsets",
        "deployments",
        "replicasets",
        "revisions",
        "pdbs",
        "services",
    ];
    for kind in kinds {
        let objects = |value: &Value| value.get(kind).and_then(Value::as_object).cloned().unwrap_or_default();
        let (theirs, mine) = (objects(&expected.settled), objects(ours));
        for (name, fields) in &theirs {
            let path = format!("{kind}/{name}");
            if name.ends_with('*') || differs(&path) {
                continue;
            }
            let Some(state) = mine.get(name).and_then(Value::as_object) else {
                return Err((format!("at the end there is no {path}: {fields}"), None));
            };
            for (field, value) in fields.as_object().unwrap_or(&none) {
                let mut found = state.get(field).cloned().unwrap_or_else(|| absent(field));
                if field == "endpoints" {
                    found = grouped(&found, value);
                }
                // Members of a field on which the recorded runs differ are left out of it.
                if let Some(members) = found.as_object_mut() {
                    members.retain(|member, _| !differs(&format!("{path}/{field}/{member}")));
                }
                if found != *value && !differs(&format!("{path}/{field}")) {
                    return Err((format!("at the end {path} has {field} = {found}, recorded {value}"), None));
                }
            }
        }
        let wild = theirs.keys().any(|name| name.ends_with('*'))
            || expected.differs.iter().any(|path| path.starts_with(kind) && path.ends_with('*'));
        for name in mine.keys() {
            if !theirs.contains_key(name) && !differs(&format!("{kind}/{name}")) && !wild {
                return Err((
                    format!("at the end there is {kind}/{name}, which was not recorded: {}", mine[name]),
                    None,
                ));
            }
        }
    }
    Ok(())
}

/// Our endpoints with pods of a ReplicaSet taken together where the trace does: `web-rs-1-*` with a list of flags.
fn grouped(ours: &Value, recorded: &Value) -> Value {
    let (Some(ours), Some(recorded)) = (ours.as_object(), recorded.as_object()) else { return ours.clone() };
    let mut groups: serde_json::Map<String, Value> = serde_json::Map::new();
    for (pod, flags) in ours {
        let group = pod.rsplit_once("-#").map(|(head, _)| format!("{head}-*"));
        match group.filter(|group| recorded.contains_key(group) && !recorded.contains_key(pod)) {
            Some(group) => {
                let list = groups.entry(group).or_insert_with(|| Value::Array(Vec::new()));
                if let Some(list) = list.as_array_mut() {
                    list.push(flags.clone());
                    list.sort_by_key(|flags| flags.as_str().map(str::to_owned));
                }
            }
            None => {
                groups.insert(pod.clone(), flags.clone());
            }
        }
    }
    Value::Object(groups)
}

/// A flag that is not told is false; a list empty.
fn absent(field: &str) -> Value {
    match field {
        "terminating" | "unschedulable" | "paused" => Value::Bool(false),
        "owners" => Value::Array(Vec::new()),
        _ => Value::Null,
    }
}

fn commands(expected: &[AgreedCommand], ours: &[Output]) -> Result<(), Found> {
    for (n, command) in expected.iter().enumerate() {
        let Some(output) = ours.get(n) else {
            return Err((format!("command {} of the segment did not end", n + 1), None));
        };
        let said = format!("{}{}", output.stdout, output.stderr);
        if let Some(exit) = command.exit
            && exit != i64::from(output.exit)
        {
            return Err((
                format!("command {} exited with {}, recorded {exit}: {}", n + 1, output.exit, said.trim()),
                None,
            ));
        }
        for (what, text, recorded) in
            [("stdout", &output.stdout, &command.stdout), ("stderr", &output.stderr, &command.stderr)]
        {
            if let Some(recorded) = recorded
                && !same_text(recorded, text)
            {
                let (text, recorded) = (text.trim_end(), recorded.trim_end());
                return Err((format!("command {}: {what} is\n{text}\nrecorded\n{recorded}", n + 1), None));
            }
        }
    }
    Ok(())
}

/// From 1.34 on kubectl names the namespace when it deletes; both ways count as the same. What stands at the end of a
/// line like an age was blanked when the corpus was made.
fn same_text(recorded: &str, ours: &str) -> bool {
    let ours = ours.replace(" from default namespace", "");
    let mut parts = recorded.trim_end().split("<age>");
    let Some(mut rest) = ours.trim_end().strip_prefix(parts.next().unwrap_or_default()) else { return false };
    for part in parts {
        let age = rest.trim_start_matches(|c: char| c.is_ascii_digit() || "smhd".contains(c));
        match age.strip_prefix(part) {
            Some(after) if age.len() < rest.len() => rest = after,
            _ => return false,
        }
    }
    rest.is_empty()
}

fn reasons(expected: &AgreedSegment, ours: &Segment, timing: Timing) -> Result<(), Found> {
    let again = |object: &str, reason: &str| {
        let pod = object.strip_prefix("Pod/").unwrap_or(object);
        reason == "FailedScheduling" && !expected.events.contains_key(&format!("pod/{pod} unschedulable"))
    };
    for (object, reasons) in &expected.reasons {
        let mine = ours.reasons.get(object);
        for reason in reasons {
            if timing == Timing::Drawn && again(object, reason) {
                continue;
            }
            if !mine.is_some_and(|mine| mine.contains(reason)) {
                return Err((format!("there is no Event {reason} on {object}"), None));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
