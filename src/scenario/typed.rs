//! A fault typed on the command line: `crash node-of(pod/web-1) @5m for 10m`.
//!
//! The words are those of an entry of the lane, in this order: the verb, its targets with commas between them, and then
//! `@TIME` or an option and its value, any number of times. They are put into the form of an entry and read as one.
use crate::scenario::diagnostic::{Diagnostic, Span};
use crate::scenario::parts::{Read, Reader};
use crate::scenario::{Scenario, Source, yaml};

/// What complaints call the text.
const FILE: &str = "--fault";

/// Adds the fault to the lane of a scenario, and what was read to its sources.
///
/// # Errors
/// What is wrong with it, with its place in the last source.
pub fn add(text: &str, scenario: &mut Scenario) -> Read<()> {
    let entry = entry_of(text);
    scenario
        .sources
        .push(Source { path: FILE.to_owned(), text: entry.clone().unwrap_or_else(|| text.to_owned()) });
    let wrong = |message: &str| Diagnostic::new(FILE, Span::default(), message);
    let Some(entry) = entry else {
        let example = "such as `crash node-of(pod/web-1) @5m for 10m`";
        return Err(
            wrong("a fault is VERB TARGET, then @TIME and options with their values").with_help(example)
        );
    };
    let source = scenario.sources.len() - 1;
    let names: Vec<String> = scenario.fault_names().map(str::to_owned).collect();
    let params = scenario.params.clone();
    let reader = Reader { faults: Some(&names), params: &params, ..Reader::of(FILE) };
    for node in yaml::parse(FILE, &entry)? {
        let entry = reader.lane_entry(&node, scenario.faults.len(), source)?;
        scenario.faults.push(entry);
    }
    Ok(())
}

/// The words as an entry of the lane; None: one of them is missing.
fn entry_of(text: &str) -> Option<String> {
    let mut words = text.split_whitespace();
    let (verb, targets) = (words.next()?, words.next()?);
    let mut fields = vec![format!("{verb}: {}", value_of(targets)?)];
    while let Some(word) = words.next() {
        let (name, value) = match word.strip_prefix('@') {
            Some("") => ("at", words.next()?),
            Some(time) => ("at", time),
            None => (word, words.next()?),
        };
        fields.push(format!("{name}: {}", value_of(value)?));
    }
    Some(format!("{{{}}}", fields.join(", ")))
}

/// A value, or a list of them where there are commas.
fn value_of(word: &str) -> Option<String> {
    let quoted = |word: &str| match word.parse::<u32>() {
        Ok(number) => Some(number.to_string()),
        Err(_) => serde_json::to_string(word).ok(),
    };
    if !word.contains(',') {
        return quoted(word);
    }
    let items: Option<Vec<_>> = word.split(',').map(quoted).collect();
    Some(format!("[{}]", items?.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_become_an_entry() {
        for (text, expected) in [
            (
                "crash node-of(pod/web-1) @5m for 10m",
                Some(r#"{crash: "node-of(pod/web-1)", at: "5m", for: "10m"}"#),
            ),
            (
                "partition node/a,node/b from peers,clients every 1h count 2",
                Some(
                    r#"{partition: ["node/a", "node/b"], from: ["peers", "clients"], every: "1h", count: 2}"#,
                ),
            ),
            ("stop coredns @ 1m", Some(r#"{stop: "coredns", at: "1m"}"#)),
            ("crash", None),
            ("crash node/a @5m for", None),
        ] {
            assert_eq!(entry_of(text).as_deref(), expected, "{text}");
        }
    }
}
