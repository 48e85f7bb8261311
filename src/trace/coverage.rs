//! Which rules of `docs/semantics/` the simulator claims, and which of them plays exercise.
//!
//! The pages themselves say which rules there are: they are compiled in and read for their headings. A rule is claimed
//! unless [`claims`] lists it as not modelled, with the reason; a claimed rule has a mark in the code
//! ([`crate::rule::marks`]), is a parameter of [`crate::config`], or follows from marked rules.
pub mod claims;

use crate::config::{Latencies, Timers};
use crate::rule::Rule;
use crate::rule::marks::Marks;
use claims::{FOLLOWS, OPEN, PARTLY};

/// The pages of the reference that define rules of behaviour, in the order of its table of contents.
const PAGES: &[(&str, &str)] = &[
    ("statefulset.md", include_str!("../../docs/semantics/statefulset.md")),
    ("pods.md", include_str!("../../docs/semantics/pods.md")),
    ("deployment.md", include_str!("../../docs/semantics/deployment.md")),
    ("disruption.md", include_str!("../../docs/semantics/disruption.md")),
    ("nodes.md", include_str!("../../docs/semantics/nodes.md")),
    ("scheduling.md", include_str!("../../docs/semantics/scheduling.md")),
    ("storage.md", include_str!("../../docs/semantics/storage.md")),
    ("dns-and-services.md", include_str!("../../docs/semantics/dns-and-services.md")),
    ("defaults.md", include_str!("../../docs/semantics/defaults.md")),
];

/// Characters of a title made from a rule's first words.
const LONGEST_TITLE: usize = 90;

/// A rule as its page defines it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Definition {
    /// The rule.
    pub rule: Rule,
    /// Its title, or its first words if it has none.
    pub title: String,
    /// The file of `docs/semantics/` it stands in.
    pub page: &'static str,
}

/// All rules, in the order of the pages.
pub fn definitions() -> Vec<Definition> {
    let lines = PAGES.iter().flat_map(|(page, text)| text.lines().map(move |line| (*page, line)));
    let defined = lines.filter_map(|(page, line)| {
        let (rule, title) = definition(line)?;
        Some(Definition { rule, title, page })
    });
    defined.collect()
}

/// The rule a line defines: `**STS-1 Title.** ...`, `| **STS-92** | ... |` or `| DEF-2 | ... |`.
fn definition(line: &str) -> Option<(Rule, String)> {
    if let Some(row) = line.strip_prefix("| ") {
        let (id, rest) = row.split_once(" | ")?;
        let rule = Rule::parse(id.trim_matches('*'))?;
        let cell = rest.split(" | ").next().unwrap_or_default();
        return Some((rule, shortened(cell)));
    }
    let (heading, rest) = line.strip_prefix("**")?.split_once("**")?;
    let (id, title) = heading.split_once(' ').unwrap_or((heading, ""));
    let rule = Rule::parse(id)?;
    let title =
        if title.ends_with('.') { limited(title) } else { shortened(format!("{title}{rest}").trim()) };
    Some((rule, title))
}

/// The first clause of a text, without emphasis. What stands in backticks is not divided.
fn shortened(text: &str) -> String {
    let text = text.replace("**", "");
    let outside = |end: &usize| *end > 8 && text[..*end].matches('`').count().is_multiple_of(2);
    let stops = [". ", "; ", ": ", " ("].iter().flat_map(|stop| text.match_indices(stop));
    let end = stops.map(|(end, _)| end).filter(outside).min();
    limited(&text[..end.unwrap_or(text.len())])
}

/// A text without its final stop, cut between words if it is too long for a title.
fn limited(text: &str) -> String {
    let text = text.trim_end_matches(['.', ':', ' ']);
    if text.chars().count() <= LONGEST_TITLE {
        return text.to_owned();
    }
    let cut: String = text.chars().take(LONGEST_TITLE).collect();
    format!("{} ...", cut.rsplit_once(' ').map_or(cut.as_str(), |(words, _)| words))
}

/// A rule that is no behaviour of its own: others, which are marked, make it true.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Follows {
    /// The rule.
    pub id: &'static str,
    /// From which rules or which constant of the code it follows.
    pub from: &'static str,
    /// The test or scenario that would break if it did not.
    pub shown: &'static str,
}

/// How a rule stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum State<'c> {
    /// These plays exercise it, the best to look at first.
    Exercised(Vec<&'c str>),
    /// The code has it, no play exercises it.
    Marked,
    /// Timers or latencies of a scenario's `config:`, by name.
    Parameter(Vec<&'static str>),
    /// It is no behaviour of its own.
    Follows(&'static Follows),
    /// Not modelled, and why.
    Open(&'static str),
}

/// Marks of plays.
#[derive(Clone, Debug)]
pub struct Coverage {
    /// All rules.
    pub definitions: Vec<Definition>,
    plays: Vec<(String, Marks)>,
}

impl Coverage {
    /// What plays exercise, each with its name; the ones best to look at come first.
    pub fn new(plays: Vec<(String, Marks)>) -> Coverage {
        Coverage { definitions: definitions(), plays }
    }

    /// Number of plays.
    pub fn plays(&self) -> usize {
        self.plays.len()
    }

    /// How a rule stands.
    pub fn state(&self, rule: Rule) -> State<'_> {
        let exercising = self.plays.iter().filter(|(_, marks)| marks.contains(rule));
        let names: Vec<&str> = exercising.map(|(name, _)| name.as_str()).collect();
        if !names.is_empty() {
            return State::Exercised(names);
        }
        let id = rule.to_string();
        let parameters = parameters(&id);
        if !parameters.is_empty() {
            return State::Parameter(parameters);
        }
        if let Some(follows) = FOLLOWS.iter().find(|follows| follows.id == id) {
            return State::Follows(follows);
        }
        match OPEN.iter().find(|(open, _)| *open == id) {
            Some((_, reason)) => State::Open(reason),
            None => State::Marked,
        }
    }
}

/// What of a rule is left out although it is claimed.
pub fn left_out(rule: Rule) -> Option<&'static str> {
    let id = rule.to_string();
    PARTLY.iter().find(|(partly, _)| *partly == id).map(|(_, what)| *what)
}

/// The parameters of a run that carry this id.
fn parameters(id: &str) -> Vec<&'static str> {
    let timers = Timers::IDS.iter().zip(Timers::NAMES);
    let latencies = Latencies::IDS.iter().zip(Latencies::NAMES);
    timers.chain(latencies).filter(|(carried, _)| **carried == id).map(|(_, name)| *name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn headings_are_read_in_all_their_forms() {
        let cases = [
            ("**STS-1 Scalar defaults.** `spec.replicas` 1; ...", Some("STS-1 Scalar defaults")),
            (
                "**DEP-4 ReplicaSet** `<deployment>-<hash>`; hash = FNV-1a",
                Some("DEP-4 ReplicaSet `<deployment>-<hash>`"),
            ),
            ("**VOL-50** Watches VAs; adds finalizer", Some("VOL-50 Watches VAs")),
            (
                "| **STS-94** | two unhealthy condemned pods (STS-69) | either |",
                Some("STS-94 two unhealthy condemned pods"),
            ),
            ("| DEF-33 | image pull back-off | 10 doubling |", Some("DEF-33 image pull back-off")),
            (
                "**STS-66 Deleted pods are still counted** (cached copy), except",
                Some("STS-66 Deleted pods are still counted"),
            ),
            ("| situation | Deployment | StatefulSet |", None),
            (
                "**STS-2 omitted is not `{type: RollingUpdate}`.** If",
                Some("STS-2 omitted is not `{type: RollingUpdate}`"),
            ),
            ("STS-1 is cited", None),
            ("**DEF-C1 Ticks have phases.** Every", None),
        ];
        for (line, expected) in cases {
            let found = definition(line).map(|(rule, title)| format!("{rule} {title}"));
            assert_eq!(found.as_deref(), expected, "{line}");
        }
    }

    #[test]
    fn every_rule_is_defined_once_and_without_gaps() {
        let definitions = definitions();
        let rules: BTreeSet<Rule> = definitions.iter().map(|definition| definition.rule).collect();
        assert_eq!(rules.len(), definitions.len(), "a rule is defined twice");
        assert!(rules.len() >= 500, "only {} rules", rules.len());
        for rule in &rules {
            let before = Rule { number: rule.number - 1, ..*rule };
            assert!(rule.number == 1 || rules.contains(&before), "{before} is missing");
        }
        for definition in definitions {
            assert!(definition.title.len() > 2, "{} has no title", definition.rule);
        }
    }

    #[test]
    fn what_is_not_marked_is_listed_once_and_exists() {
        let known: BTreeSet<String> = definitions().iter().map(|d| d.rule.to_string()).collect();
        let mut seen = BTreeSet::new();
        let follows = FOLLOWS.iter().map(|follows| follows.id);
        for id in follows.chain(OPEN.iter().map(|(id, _)| *id)) {
            assert!(known.contains(id), "{id} is no rule");
            assert!(seen.insert(id), "{id} is listed twice");
            assert_eq!(parameters(id), [""; 0], "{id} is a parameter");
        }
        for (id, _) in PARTLY {
            assert!(known.contains(*id), "{id} is no rule");
            assert!(!seen.contains(id), "{id} is not claimed at all");
        }
    }
}
