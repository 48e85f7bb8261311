//! Every question of `docs/questions.md` is answered by a scenario, and the page is what running them gives.
//!
//! `BLESS=1 cargo test --test questions` writes it.
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

const PAGE: &str = "docs/questions.md";

/// How many questions there are.
const QUESTIONS: u32 = 66;

/// Questions without a scenario, each with the reason why the simulator cannot show it. The list may only shrink.
const NOT_SHOWN: &[(u32, &str)] = &[];

/// The parts of the page: the first question of each, and what it is about.
const PARTS: &[(u32, &str)] = &[
    (1, "Losing and replacing pods"),
    (11, "Scaling"),
    (21, "Updates"),
    (34, "Claims and volumes"),
    (44, "Nodes"),
    (58, "Names and discovery"),
    (63, "The machinery"),
];

/// One scenario that answers a question.
struct Answer {
    path: String,
    about: String,
    answer: String,
    level: u32,
    mended: Option<String>,
    expected: Vec<String>,
}

fn answers() -> BTreeMap<u32, Vec<Answer>> {
    let mut found: BTreeMap<u32, Vec<Answer>> = BTreeMap::new();
    for stem in played::stems("questions") {
        let path = format!("scenarios/questions/{stem}.yaml");
        let document = document(&path);
        let note = |name: &str| {
            document["metadata"]["annotations"][name].as_str().map(|text| text.trim().to_owned())
        };
        let named = |name: &str| note(name).unwrap_or_else(|| panic!("{path} has no annotation {name}"));
        let number: u32 = named("question").trim_start_matches("Q-").parse().expect("Q-NN");
        assert!(stem.starts_with(&format!("q{number:02}-")), "{path} is of question {number}");
        let level = named("level").parse().expect("1, 2 or 3");
        let expected = expectations(&document);
        assert!(!expected.is_empty(), "{path} expects nothing");
        let (about, answer, mended) = (named("about"), named("answer"), note("mended"));
        found.entry(number).or_default().push(Answer { path, about, answer, level, mended, expected });
    }
    found
}

#[test]
fn every_question_has_a_scenario_or_a_reason() {
    let answers = answers();
    let missing: Vec<_> = (1..=QUESTIONS)
        .filter(|number| !answers.contains_key(number) && NOT_SHOWN.iter().all(|(known, _)| known != number))
        .collect();
    assert!(missing.is_empty(), "no answer to questions {missing:?}");
    let both: Vec<_> = NOT_SHOWN.iter().filter(|(number, _)| answers.contains_key(number)).collect();
    assert!(both.is_empty(), "answered after all: {both:?}");
    assert!(answers.keys().all(|number| (1..=QUESTIONS).contains(number)), "a question that nobody asked");
    for answer in answers.values().flatten() {
        assert!((1..=3).contains(&answer.level), "{}: level {}", answer.path, answer.level);
    }
}

fn page() -> String {
    let cell = |text: &str| text.replace('|', "\\|");
    let answers = answers();
    let mut page = String::new();
    for (part, (first, title)) in PARTS.iter().enumerate() {
        let end = PARTS.get(part + 1).map_or(QUESTIONS + 1, |(next, _)| *next);
        writeln!(page, "\n## {title}\n\n| # | level | question and answer | played | observed |")
            .expect("text");
        writeln!(page, "| --- | --- | --- | --- | --- |").expect("text");
        for number in *first..end {
            for Answer { path, about, answer, level, expected, .. } in
                answers.get(&number).into_iter().flatten()
            {
                let stem = path.rsplit('/').next().expect("a name").trim_end_matches(".yaml");
                let (about, answer) = (cell(about), cell(answer));
                let (expected, observed) = (expected.join("<br>"), observed(path));
                writeln!(
                    page,
                    "| Q-{number:02} | {level} | **{about}**<br>{answer} | [{stem}](../{path}) | {observed}:<br>{expected} |"
                )
                .expect("text");
            }
            if let Some((_, reason)) = NOT_SHOWN.iter().find(|(known, _)| *known == number) {
                writeln!(page, "| Q-{number:02} | | not shown: {reason} | | |").expect("text");
            }
        }
    }
    let mended = |(number, all): (&u32, &Vec<Answer>)| {
        let number = *number;
        all.iter().filter_map(move |answer| Some((number, answer.mended.clone()?))).collect::<Vec<_>>()
    };
    page.push_str(
        "\n## Where the answer is another one than one reads\n\n| # | and what is so |\n| --- | --- |\n",
    );
    for (number, mended) in answers.iter().flat_map(mended) {
        writeln!(page, "| Q-{number:02} | {} |", cell(&mended)).expect("text");
    }
    page.push('\n');
    page
}

#[test]
fn the_page_of_questions_is_fresh() {
    demand_fresh(PAGE, &page());
}
