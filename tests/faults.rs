//! `docs/faults.md` and the vocabulary agree: every verb with its options, every word of other tools.

use std::collections::{BTreeMap, BTreeSet};
use stsim::scenario::chaos;
use stsim::scenario::faults::VERBS;

/// The rows of the page's tables: their first cell without quotes, and the others.
fn rows() -> Vec<(String, Vec<String>)> {
    let page = include_str!("../docs/faults.md");
    let rows = page.lines().filter(|line| line.starts_with("| `"));
    rows.map(|line| {
        let mut cells = line.trim_matches('|').split(" |").map(|cell| cell.trim().to_owned());
        let first = cells.next().unwrap_or_default();
        (first.split('`').nth(1).unwrap_or_default().to_owned(), cells.collect())
    })
    .collect()
}

fn words(cell: &str) -> BTreeSet<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn every_verb_is_on_the_page_with_its_options() {
    let verbs = |(first, cells): (String, Vec<String>)| {
        let (verb, _) = first.split_once(':')?;
        Some((verb.to_owned(), words(&cells[0])))
    };
    let mut described: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    // A verb that means different things to different targets has several rows.
    for (verb, options) in rows().into_iter().filter_map(verbs) {
        described.entry(verb).or_default().extend(options);
    }
    let steps_only = ["kubectl", "apply", "sleep"];
    let known: BTreeMap<String, BTreeSet<String>> = VERBS
        .iter()
        .filter(|(verb, _)| !steps_only.contains(verb))
        .map(|(verb, options)| (verb.to_string(), options.iter().map(|option| option.to_string()).collect()))
        .collect();
    assert_eq!(described, known, "left: docs/faults.md, right: VERBS");
}

#[test]
fn every_word_of_other_tools_is_on_the_page() {
    let described: BTreeMap<String, String> = rows()
        .into_iter()
        .filter(|(first, cells)| first.contains('-') && !first.contains(':') && cells.len() == 1)
        .filter(|(first, _)| first != "control-plane")
        .map(|(first, cells)| (first, cells[0].clone()))
        .collect();
    let same = chaos::SAME.iter().map(|(word, verb)| (word.to_string(), format!("`{verb}`")));
    let others = chaos::OTHERS.iter().map(|(word, help)| (word.to_string(), help.to_string()));
    let known: BTreeMap<String, String> = same.chain(others).collect();
    assert_eq!(described, known, "left: docs/faults.md, right: chaos.rs");
    assert!(chaos::SAME.iter().all(|(word, verb)| {
        VERBS.iter().any(|(known, _)| known == verb) && !VERBS.iter().any(|(known, _)| known == word)
    }));
}
