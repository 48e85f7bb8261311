//! The table of `docs/incidents.md` is what running `scenarios/incidents` gives.
//!
//! `BLESS=1 cargo test --test incidents` writes it.
#![allow(
    clippy::disallowed_methods,
    reason = "outside the simulator: a harness reads its environment and talks"
)]
mod common;
#[path = "common/played.rs"]
mod played;

use played::{demand_fresh, document, expectations, observed};
use std::collections::BTreeMap;
use std::fmt::Write;

const PAGE: &str = "docs/incidents.md";

/// Scenario files by the number of the incident, the incident itself before what avoids it.
fn files() -> BTreeMap<u32, Vec<String>> {
    let mut found: BTreeMap<u32, Vec<String>> = BTreeMap::new();
    for stem in played::stems("incidents") {
        let number = stem.split('-').next().and_then(|digits| digits.parse().ok());
        found.entry(number.unwrap_or_else(|| panic!("{stem} has no number"))).or_default().push(stem);
    }
    for stems in found.values_mut() {
        stems.sort_by_key(|stem| stem.ends_with("-avoided"));
    }
    found
}

fn table() -> String {
    let mut page = String::from(
        "\n| # | what people report, and what avoids it | expected | observed |\n| --- | --- | --- | --- |\n",
    );
    let files = files();
    for (number, stems) in &files {
        for stem in stems {
            let path = format!("scenarios/incidents/{stem}.yaml");
            let document = document(&path);
            let about = document["metadata"]["annotations"]["about"].as_str().expect("an about line");
            let (lesson, link) =
                about.rsplit_once(" (https://").unwrap_or_else(|| panic!("{stem}: no thread"));
            let link = format!("https://{}", link.trim_end_matches(')'));
            let thread = link.trim_start_matches("https://").trim_start_matches("github.com/");
            let thread = thread.replace("/issues/", " ").replace("/pull/", " ");
            let expected = expectations(&document);
            assert!(!expected.is_empty(), "{stem} expects nothing");
            let (expected, observed) = (expected.join("<br>"), observed(&path));
            let file = format!("[{stem}](../{path})");
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
    demand_fresh(PAGE, &table());
}
