//! The table of `docs/incidents.md` is what running `scenarios/incidents` gives.
//!
//! `BLESS=1 cargo test --test incidents` writes it.
#![allow(
    clippy::disallowed_methods,
    reason = "outside the simulator: a harness reads its environment and talks"
)]
mod common;

use common::{root, stsim};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write;
use stsim::scenario::yaml;

const PAGE: &str = "docs/incidents.md";
const BEGIN: &str = "<!-- generated -->\n";
const END: &str = "<!-- end of generated -->\n";
/// Of a larger matrix the cells are counted, not shown.
const SHOWN_CELLS: usize = 6;

/// Scenario files by the number of the incident, the incident itself before what avoids it.
fn files() -> BTreeMap<u32, Vec<String>> {
    let mut found: BTreeMap<u32, Vec<String>> = BTreeMap::new();
    for entry in std::fs::read_dir(root().join("scenarios/incidents")).expect("a directory") {
        let name = entry.expect("an entry").file_name().into_string().expect("text");
        let Some(stem) = name.strip_suffix(".yaml") else { continue };
        let number = stem.split('-').next().and_then(|digits| digits.parse().ok());
        found
            .entry(number.unwrap_or_else(|| panic!("{name} has no number")))
            .or_default()
            .push(stem.to_owned());
    }
    for stems in found.values_mut() {
        stems.sort_by_key(|stem| stem.ends_with("-avoided"));
    }
    found
}

fn document(stem: &str) -> Value {
    let text =
        std::fs::read_to_string(root().join(format!("scenarios/incidents/{stem}.yaml"))).expect("a file");
    let documents = yaml::parse(stem, &text).expect("YAML");
    let mut json = documents.iter().map(yaml::Node::to_json);
    json.find(|document| document["kind"] == "Scenario").expect("a Scenario document")
}

/// What the scenario expects, in its words.
fn expectations(document: &Value) -> Vec<String> {
    let all = document["spec"]["expect"].as_array().cloned().unwrap_or_default();
    let words = |item: &Value| {
        let form = |name: &str| item[name].as_str().map(|text| format!("{name} `{text}`"));
        let named = item["name"].as_str().map(str::to_owned);
        named.or_else(|| {
            ["always", "never", "finally", "that", "sometimes", "violates"].into_iter().find_map(form)
        })
    };
    all.iter().filter_map(words).map(|text| text.replace('|', "\\|")).collect()
}

/// What came of it.
fn observed(stem: &str) -> String {
    let output = stsim(&["run", &format!("scenarios/incidents/{stem}.yaml"), "-o", "json"]);
    assert!(output.status.success(), "{stem}: {}", String::from_utf8_lossy(&output.stderr));
    let json: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let Some(cells) = json.as_array() else {
        let verdicts = json["verdicts"].as_array().expect("verdicts");
        let passed = verdicts.iter().filter(|verdict| verdict["verdict"] == "pass").count();
        return format!(
            "{}, {passed} of {} expectations{}",
            json["result"].as_str().expect("a result"),
            verdicts.len(),
            databases(&json)
        );
    };
    let held = cells.iter().filter(|cell| cell["verdict"] == "held").count();
    let mut text = format!("{held} of {} plays held", cells.len());
    if cells.len() <= SHOWN_CELLS {
        for cell in cells {
            let pairs = |value: &Value| {
                let shown = |(name, value): (&String, &Value)| {
                    format!("{name} {}", value.as_str().map_or_else(|| value.to_string(), str::to_owned))
                };
                value.as_object().into_iter().flatten().map(shown).collect::<Vec<_>>().join(", ")
            };
            let end = cell["end"].as_str().expect("an end");
            let (params, columns, databases) =
                (pairs(&cell["params"]), pairs(&cell["columns"]), databases(cell));
            write!(text, "<br>{params}: end {end}, {columns}{databases}").expect("text");
        }
    }
    text.replace('|', "\\|")
}

/// What its databases cost.
fn databases(play: &Value) -> String {
    let all = play["databases"].as_array().into_iter().flatten();
    let told = all.map(|database| {
        let seconds = |name: &str| database[name].as_u64().expect("nanoseconds") / 1_000_000_000;
        let lost = database["lostWrites"].as_u64().expect("a number");
        let (two, down) = (seconds("splitBrain"), seconds("downtime"));
        format!("<br>{lost} acknowledged writes lost, {two} s two primaries, {down} s down")
    });
    told.collect()
}

fn table() -> String {
    let mut page = String::from(
        "\n| # | what people report, and what avoids it | expected | observed |\n| --- | --- | --- | --- |\n",
    );
    let files = files();
    for (number, stems) in &files {
        for stem in stems {
            let document = document(stem);
            let about = document["metadata"]["annotations"]["about"].as_str().expect("an about line");
            let (lesson, link) =
                about.rsplit_once(" (https://").unwrap_or_else(|| panic!("{stem}: no thread"));
            let link = format!("https://{}", link.trim_end_matches(')'));
            let thread = link.trim_start_matches("https://").trim_start_matches("github.com/");
            let thread = thread.replace("/issues/", " ").replace("/pull/", " ");
            let expected = expectations(&document);
            assert!(!expected.is_empty(), "{stem} expects nothing");
            let (expected, observed) = (expected.join("<br>"), observed(stem));
            let file = format!("[{stem}](../scenarios/incidents/{stem}.yaml)");
            writeln!(page, "| {number} | {lesson}<br>{file}, [{thread}]({link}) | {expected} | {observed} |")
                .expect("text");
        }
    }
    assert!(files.len() >= 20, "only {} incidents", files.len());
    page.push('\n');
    page
}

#[test]
fn the_page_of_incidents_is_fresh() {
    let path = root().join(PAGE);
    let there = std::fs::read_to_string(&path).expect("the page");
    let (head, rest) = there.split_once(BEGIN).expect("the mark of the beginning");
    let (_, tail) = rest.split_once(END).expect("the mark of the end");
    let page = format!("{head}{BEGIN}{}{END}{tail}", table());
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, &page).expect("can be written");
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = there.lines().zip(page.lines()).find(|(there, now)| there != now);
    assert!(there == page, "stale, BLESS=1 writes it: {differs:?}");
}
