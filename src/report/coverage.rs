//! Rule coverage as text, as JSON and as the page `docs/semantics/coverage.md`.
use crate::rule::{Family, Rule};
use crate::trace::coverage::{Coverage, Definition, State, left_out};
use serde_json::{Value, json};
use std::fmt::Write;

/// Scenarios named beside a rule on the page.
const NAMED: usize = 2;

/// What the generated page says before its tables.
const PREFACE: &str = "\
# Which rules the simulator follows, and which scenarios show it

Generated: `BLESS=1 cargo test --test coverage` writes it, and without `BLESS` that test fails if it is stale. The
same from the command line: `stsim coverage scenarios tests/conformance`; `--rule STS-58` lists every scenario that
exercises a rule.

- **exercised**: a scenario comes by the mark of the rule in the code; two of them are named, the ones under
  `scenarios/` and the shortest first.
- **marked**: the code follows it, no scenario exercises it yet.
- **parameter**: a value that a scenario's `config:` may set, by this name.
- **follows from**: no behaviour of its own; the rules or the constant that make it true, and what would break.
- **not modelled**: with the reason.
";

/// How many rules of a family stand how.
#[derive(Clone, Copy, Default)]
struct Count {
    exercised: usize,
    marked: usize,
    parameters: usize,
    follow: usize,
    open: usize,
}

impl Count {
    fn add(&mut self, state: &State<'_>) {
        *match state {
            State::Exercised(_) => &mut self.exercised,
            State::Marked => &mut self.marked,
            State::Parameter(_) => &mut self.parameters,
            State::Follows(_) => &mut self.follow,
            State::Open(_) => &mut self.open,
        } += 1;
    }

    /// `98 of 104 rules exercised, 6 follow from others, 3 not modelled`.
    fn sentence(&self) -> String {
        let parts = [
            (self.parameters, "parameters"),
            (self.follow, "follow from others"),
            (self.open, "not modelled"),
        ];
        let claimed = self.exercised + self.marked;
        let exercised = format!("{} of {claimed} rules exercised", self.exercised);
        let rest = parts.into_iter().filter(|(number, _)| *number > 0);
        let rest = rest.map(|(number, what)| format!("{number} {what}"));
        let all: Vec<String> = (claimed > 0).then_some(exercised).into_iter().chain(rest).collect();
        all.join(", ")
    }
}

/// The families in the order of the pages, each with its rules by number.
fn families(coverage: &Coverage) -> Vec<(Family, Vec<&Definition>)> {
    let mut families: Vec<(Family, Vec<&Definition>)> = Vec::new();
    for definition in &coverage.definitions {
        let family = definition.rule.family;
        match families.iter_mut().find(|(known, _)| *known == family) {
            Some((_, rules)) => rules.push(definition),
            None => families.push((family, vec![definition])),
        }
    }
    for (_, rules) in &mut families {
        rules.sort_by_key(|definition| definition.rule);
    }
    families
}

fn letters(rules: &[&Definition]) -> String {
    let id = rules.first().map(|definition| definition.rule.to_string()).unwrap_or_default();
    id.split('-').next().unwrap_or_default().to_owned()
}

fn count(coverage: &Coverage, rules: &[&Definition]) -> Count {
    let mut count = Count::default();
    rules.iter().for_each(|definition| count.add(&coverage.state(definition.rule)));
    count
}

/// Counts by family, the rules that no play exercises, and those that are not modelled.
pub fn text(coverage: &Coverage) -> String {
    let mut out = String::new();
    for (_, rules) in families(coverage) {
        let _ = writeln!(out, "{:<6} {}", letters(&rules), count(coverage, &rules).sentence());
    }
    let mut marked = String::new();
    let mut open = String::new();
    for (_, rules) in families(coverage) {
        for Definition { rule, title, page } in rules {
            match coverage.state(*rule) {
                State::Marked => marked += &format!("  {:<9} {title} ({page})\n", rule.to_string()),
                State::Open(reason) => open += &format!("  {:<9} {title}: {reason}\n", rule.to_string()),
                State::Exercised(_) | State::Parameter(_) | State::Follows(_) => {}
            }
        }
    }
    for (heading, lines) in [("claimed, but never exercised", marked), ("not modelled", open)] {
        if !lines.is_empty() {
            let _ = write!(out, "\n{heading}:\n{lines}");
        }
    }
    out
}

/// One rule: how it stands, and every scenario that exercises it.
pub fn rule(coverage: &Coverage, definition: &Definition) -> String {
    let mut out = format!("{} {} ({})\n", definition.rule, definition.title, definition.page);
    match coverage.state(definition.rule) {
        State::Exercised(names) => names.iter().for_each(|name| out += &format!("{name}\n")),
        state => out += &format!("{}\n", sentence(&state)),
    }
    if let Some(what) = left_out(definition.rule) {
        out += &format!("left out: {what}\n");
    }
    out
}

fn sentence(state: &State<'_>) -> String {
    match state {
        State::Exercised(names) => {
            let named: Vec<String> = names.iter().take(NAMED).map(|name| format!("`{name}`")).collect();
            format!("exercised: {}", named.join(", "))
        }
        State::Marked => "marked, no scenario exercises it".into(),
        State::Parameter(names) => {
            let named: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
            format!("parameter {}", named.join(", "))
        }
        State::Follows(follows) => format!("follows from {} (shown by {})", follows.from, follows.shown),
        State::Open(reason) => format!("not modelled: {reason}"),
    }
}

/// The page of the reference.
pub fn markdown(coverage: &Coverage) -> String {
    let mut out = PREFACE.to_owned();
    for (_, rules) in families(coverage) {
        let _ = write!(out, "\n## {}\n\n{}.\n\n", letters(&rules), count(coverage, &rules).sentence());
        out.push_str("| rule | title | state |\n| --- | --- | --- |\n");
        for Definition { rule, title, page } in rules {
            let title = title.replace('|', "\\|");
            let left_out = left_out(*rule).map(|what| format!("; left out: {what}")).unwrap_or_default();
            let state = format!("{}{left_out}", sentence(&coverage.state(*rule))).replace('|', "\\|");
            let _ = writeln!(out, "| [{rule}]({page}) | {title} | {state} |");
        }
    }
    out
}

/// All of it for programs.
pub fn json(coverage: &Coverage) -> Value {
    let rules: Vec<Value> =
        coverage.definitions.iter().map(|definition| json_of(coverage, definition)).collect();
    json!({"plays": coverage.plays(), "rules": rules})
}

/// One rule for programs.
pub fn json_of(coverage: &Coverage, definition: &Definition) -> Value {
    let Definition { rule, title, page } = definition;
    let mut value = json!({"id": rule.to_string(), "title": title, "page": page});
    let (state, key, more) = match coverage.state(*rule) {
        State::Exercised(names) => ("exercised", "scenarios", json!(names)),
        State::Marked => ("marked", "scenarios", json!([])),
        State::Parameter(names) => ("parameter", "parameters", json!(names)),
        State::Follows(follows) => ("follows", "from", json!(follows.from)),
        State::Open(reason) => ("open", "reason", json!(reason)),
    };
    value["state"] = json!(state);
    value[key] = more;
    if let Some(what) = left_out(*rule) {
        value["leftOut"] = json!(what);
    }
    value
}

/// The definition of a rule given by its id.
pub fn find<'c>(coverage: &'c Coverage, id: &str) -> Option<&'c Definition> {
    let rule = Rule::parse(id)?;
    coverage.definitions.iter().find(|definition| definition.rule == rule)
}
