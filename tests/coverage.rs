//! Every rule of `docs/semantics` is accounted for: marked in the code, a parameter, following from others, or not
//! modelled with a reason; and `docs/semantics/coverage.md` says so.
//!
//! `BLESS=1 cargo test --test coverage` writes the page; look at the difference before you commit it.
#![allow(
    clippy::disallowed_methods,
    reason = "outside the simulator: a harness reads its environment and talks"
)]
mod common;

use common::{root, stsim};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use stsim::rule::Rule;
use stsim::trace::coverage::claims::{FOLLOWS, OPEN};
use stsim::trace::coverage::{Coverage, State, definitions};

/// All files below a folder with this extension.
fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let (mut found, mut pending) = (Vec::new(), vec![root().join(folder)]);
    while let Some(place) = pending.pop() {
        for entry in std::fs::read_dir(place).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                pending.push(path);
            } else if path.extension().is_some_and(|e| e == extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).expect("a readable text file")
}

/// The simulator without its tests: file and text.
fn sources() -> Vec<(PathBuf, String)> {
    let all: Vec<_> = files("src", "rs").into_iter().map(|path| (path.clone(), read(&path))).collect();
    let mut tests = Vec::new();
    for (path, text) in &all {
        let folder = match path.file_stem().and_then(|stem| stem.to_str()) {
            Some("mod" | "lib") => path.with_file_name(""),
            _ => path.with_extension(""),
        };
        for after in text.split("#[cfg(test)]\n").skip(1) {
            let line = after.lines().next().unwrap_or_default();
            let name = line.trim_start_matches("pub(crate) ").strip_prefix("mod ");
            tests.extend(name.and_then(|name| name.strip_suffix(';')).map(|name| folder.join(name)));
        }
    }
    let in_tests = |path: &Path| tests.iter().any(|test| path.with_extension("").starts_with(test));
    let inline = |text: &str| text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().to_owned();
    all.into_iter().filter(|(path, _)| !in_tests(path)).map(|(path, text)| (path, inline(&text))).collect()
}

/// The ids of `mark!("STS-17", ...)` and `Rule::sts(17)` in a text.
fn marks(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for after in text.split("mark!(").skip(1) {
        let list = after.split([')', '\n']).next().unwrap_or_default();
        let list = list.split(" if ").next().unwrap_or_default();
        found.extend(list.split('"').skip(1).step_by(2).map(str::to_owned));
    }
    for after in text.split("Rule::").skip(1) {
        let Some((family, rest)) = after.split_once('(') else { continue };
        let number = rest.split(')').next().unwrap_or_default();
        if family.chars().all(|c| c.is_ascii_lowercase()) && number.parse::<u8>().is_ok() {
            found.push(format!("{}-{number}", family.to_ascii_uppercase()));
        }
    }
    found
}

/// Where each rule is marked.
fn marked() -> BTreeMap<String, Vec<String>> {
    let mut marked: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (path, text) in sources() {
        if path.starts_with(root().join("src/rule")) || path.ends_with("src/rule.rs") {
            continue;
        }
        let place = path.strip_prefix(root()).expect("below the root").to_string_lossy().into_owned();
        for id in marks(&text) {
            marked.entry(id).or_default().push(place.clone());
        }
    }
    marked
}

#[test]
fn marks_are_found_as_they_are_written() {
    let text = "mark!(\"STS-1\");\n mark!(\"POD-2\", \"POD-3\" if x == \"a\"); Rule::vol(7); Rule::sts(rule); Rule::NONE";
    assert_eq!(marks(text), ["STS-1", "POD-2", "POD-3", "VOL-7"]);
}

#[test]
fn every_rule_is_marked_or_listed_and_never_both() {
    let marked = marked();
    assert!(marked.len() > 300, "only {} rules are marked", marked.len());
    let coverage = Coverage::new(Vec::new());
    let mut wrong = Vec::new();
    for definition in definitions() {
        let id = definition.rule.to_string();
        let places = marked.get(&id);
        match (coverage.state(definition.rule), places) {
            (State::Marked, None) => wrong.push(format!(
                "{id} ({}) has no mark: mark it, or list it in src/trace/coverage/claims.rs",
                definition.title
            )),
            (State::Open(_) | State::Follows(_), Some(places)) => {
                wrong.push(format!("{id} is marked in {}: take it off the list", places.join(", ")));
            }
            _ => {}
        }
    }
    let known: BTreeSet<Rule> = definitions().iter().map(|definition| definition.rule).collect();
    for (id, places) in &marked {
        if Rule::parse(id).is_none_or(|rule| !known.contains(&rule)) {
            wrong.push(format!("{id}, marked in {}, is no rule", places.join(", ")));
        }
    }
    assert!(wrong.is_empty(), "{} rules:\n{}", wrong.len(), wrong.join("\n"));
}

/// What stands in backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[test]
fn what_the_lists_name_exists() {
    let sources: String = sources().into_iter().map(|(_, text)| text).collect();
    let tests: String =
        files("src", "rs").iter().chain(&files("tests", "rs")).map(|path| read(path)).collect();
    let known: BTreeSet<String> = definitions().iter().map(|d| d.rule.to_string()).collect();
    let mut wrong = Vec::new();
    for follows in FOLLOWS {
        wrong.extend(quoted(follows.from).filter(|name| !sources.contains(*name)).map(|n| n.to_owned()));
        let shown = |name: &&str| {
            root().join(format!("{name}.yaml")).exists()
                || root().join(format!("tests/conformance/{name}.yaml")).exists()
                || tests.contains(&format!("fn {name}("))
        };
        assert!(quoted(follows.shown).next().is_some(), "{} names nothing that shows it", follows.id);
        wrong.extend(quoted(follows.shown).filter(|name| !shown(name)).map(|n| n.to_owned()));
    }
    let texts = FOLLOWS.iter().map(|follows| follows.from).chain(OPEN.iter().map(|(_, reason)| *reason));
    for word in texts.flat_map(|text| text.split([' ', ',', ':', ';', '(', ')'])) {
        let is_id = word.split_once('-').is_some_and(|(letters, number)| {
            letters.len() > 1
                && letters.chars().all(|c| c.is_ascii_uppercase())
                && number.chars().all(|c| c.is_ascii_digit())
        });
        if is_id && !known.contains(word) {
            wrong.push(word.to_owned());
        }
    }
    assert!(wrong.is_empty(), "not found: {}", wrong.join(", "));
}

/// A parameter that nothing reads would be no parameter.
#[test]
fn every_parameter_is_read_somewhere() {
    let config = read(&root().join("src/config.rs"));
    let others: String = sources()
        .into_iter()
        .filter(|(path, _)| !path.ends_with("src/config.rs"))
        .map(|(_, text)| text)
        .collect();
    let fields: Vec<&str> = config
        .lines()
        .filter(|line| line.contains("\" \"DEF-") || line.contains("\" \"LAT-"))
        .filter_map(|line| line.trim().split(' ').next())
        .collect();
    assert!(fields.len() > 40, "only {} parameters were found", fields.len());
    let unread: Vec<_> = fields.into_iter().filter(|field| !others.contains(&format!(".{field}"))).collect();
    assert!(unread.is_empty(), "nothing reads {}", unread.join(", "));
}

#[test]
fn the_page_is_fresh() {
    let output = stsim(&["coverage", "scenarios", "tests/conformance", "-o", "markdown"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let page = String::from_utf8(output.stdout).expect("text");
    let path = root().join("docs/semantics/coverage.md");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, &page).expect("the page can be written");
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = there.lines().zip(page.lines()).find(|(there, now)| there != now);
    assert!(there == page, "stale, BLESS=1 writes it: {differs:?}");
    let mentions = |id: &str| page.contains(&format!("| [{id}]("));
    assert!(mentions("STS-1") && mentions("LAT-29") && mentions("DNS-19"));
}

#[test]
fn scenarios_of_one_rule_are_listed() {
    let scenario = "scenarios/statefulset/stuck-rollout.yaml";
    let said = |arguments: &[&str]| String::from_utf8(stsim(arguments).stdout).expect("text");
    let text = said(&["coverage", scenario, "--rule", "STS-60"]);
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("STS-60 ") && lines[0].ends_with("(statefulset.md)"), "{text}");
    assert_eq!(lines[1..], ["scenarios/statefulset/stuck-rollout"]);
    let json = said(&["coverage", scenario, "--rule", "STS-60", "-o", "json"]);
    assert!(json.contains("\"state\":\"exercised\""), "{json}");
    let text = said(&["coverage", scenario]);
    assert!(text.contains("claimed, but never exercised:") && text.contains("\nnot modelled:\n"), "{text}");
    assert!(text.starts_with("STS "), "{text}");
}

#[test]
fn wrong_arguments_get_one_clear_error() {
    for (arguments, why) in [
        (["coverage", "no/such/path"].as_slice(), "error: cannot read no/such/path"),
        (&["coverage", "src/kernel"], "error: there is no scenario in src/kernel"),
        (&["coverage", "scenarios", "--rule", "STS-x"], "error: --rule: there is no rule `STS-x`"),
    ] {
        let output = stsim(arguments);
        let said = String::from_utf8(output.stderr).expect("text");
        assert_eq!((output.status.code(), said.lines().count()), (Some(2), 1), "{arguments:?}: {said}");
        assert!(said.starts_with(why), "{arguments:?}: {said}");
    }
}
