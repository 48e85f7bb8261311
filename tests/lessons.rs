//! The lessons show what the tool prints, the book has every page, and the index every scenario.
//!
//! `BLESS=1 cargo test --test lessons` writes what commands print into the lessons, and the page `docs/index.md`.
#![allow(
    clippy::disallowed_methods,
    reason = "outside the simulator: a harness reads its environment and talks"
)]
mod common;
#[path = "common/played.rs"]
#[expect(dead_code, reason = "the pages of questions and incidents use the rest")]
mod played;

use common::{root, stsim};
use played::{demand_fresh, document};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write;
use stsim::lessons::shell::Line;
use stsim::lessons::{LESSONS, Part, parts, scenario};

/// Scenarios named with a rule; of more the number is told.
const PER_RULE: usize = 4;

fn printed(command: &str) -> Vec<String> {
    let line = Line::parse(command).unwrap_or_else(|| panic!("`{command}` is no command of a lesson"));
    let arguments: Vec<&str> = line.words.iter().skip(1).map(String::as_str).collect();
    let output = stsim(&arguments);
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    line.shown(&text)
}

/// The lesson with what its commands print now.
fn played_again(text: &str) -> String {
    let mut now = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        writeln!(now, "{line}").expect("text");
        if line != "```console" {
            continue;
        }
        let command = lines.next().expect("a command");
        writeln!(now, "{command}").expect("text");
        for shown in printed(command.trim_start_matches("$ ")) {
            writeln!(now, "{shown}").expect("text");
        }
        let rest = lines.by_ref().find(|line| line.starts_with("```"));
        writeln!(now, "{}", rest.expect("the end of a block")).expect("text");
    }
    now
}

#[test]
fn lessons_show_what_the_tool_prints() {
    let mut stale = Vec::new();
    for lesson in LESSONS {
        let path = root().join("docs/lessons").join(lesson.file);
        let there = std::fs::read_to_string(&path).expect("a lesson");
        let now = played_again(&there);
        if there != now && std::env::var_os("BLESS").is_some() {
            std::fs::write(&path, &now).expect("can be written");
        } else if there != now {
            let differs = there.lines().zip(now.lines()).find(|(there, now)| there != now);
            stale.push(format!("{}: {differs:?}", lesson.file));
        }
    }
    assert!(stale.is_empty(), "stale, BLESS=1 writes them:\n{}", stale.join("\n"));
}

#[test]
fn lessons_play_what_is_compiled_in() {
    for lesson in LESSONS {
        for part in parts(lesson.text) {
            let Part::Console(command, output) = part else { continue };
            let line = Line::parse(command).unwrap_or_else(|| panic!("{}: `{command}`", lesson.file));
            let named = line.words.iter().filter(|word| word.starts_with("scenarios/"));
            for path in named {
                assert!(scenario(path).is_some(), "{}: {path} is not in src/lessons/shipped.rs", lesson.file);
            }
            assert!(!output.is_empty(), "{}: `{command}` shows nothing", lesson.file);
        }
    }
}

#[test]
fn the_terminal_gives_what_the_book_has() {
    let output = stsim(&["lessons"]);
    let list = String::from_utf8(output.stdout).expect("text");
    for (n, lesson) in LESSONS.iter().enumerate() {
        assert!(list.contains(&format!("{:>3}  {}\n", n + 1, lesson.title())), "{list}");
        let output = stsim(&["lessons", &(n + 1).to_string()]);
        assert!(output.status.success());
        let text = String::from_utf8(output.stdout).expect("text");
        for part in parts(lesson.text) {
            let Part::Console(command, shown) = part else { continue };
            let block: String = shown.iter().map(|line| format!("    {line}\n")).collect();
            assert!(
                text.contains(&format!("    $ {command}\n{block}\n")),
                "{}: `{command}`\n{text}",
                lesson.file
            );
        }
    }
    let output = stsim(&["lessons", "99"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("lessons 1 to"));
}

/// mdBook reads `docs/book.toml` and `docs/SUMMARY.md`: every page is a chapter, every chapter a page.
#[test]
fn the_book_has_every_page() {
    let toml = std::fs::read_to_string(root().join("docs/book.toml")).expect("the book");
    assert!(toml.contains("[book]") && toml.contains("src = \".\""), "{toml}");
    let summary = std::fs::read_to_string(root().join("docs/SUMMARY.md")).expect("the summary");
    assert!(summary.starts_with("# Summary\n"), "mdBook wants this heading");
    let link = |line: &str| Some(line.split_once("](")?.1.split_once(')')?.0.to_owned());
    let chapters: Vec<String> = summary.lines().filter_map(link).collect();
    for chapter in &chapters {
        assert!(root().join("docs").join(chapter).is_file(), "no {chapter}");
    }
    let lessons: Vec<_> = LESSONS.iter().map(|lesson| format!("lessons/{}", lesson.file)).collect();
    let found: Vec<_> = chapters.iter().filter(|chapter| chapter.starts_with("lessons/")).cloned().collect();
    assert_eq!(found, lessons, "the lessons in their order");
    for folder in ["", "lessons/", "semantics/"] {
        for entry in std::fs::read_dir(root().join("docs").join(folder)).expect("a directory") {
            let name = entry.expect("an entry").file_name().into_string().expect("text");
            let page = format!("{folder}{name}");
            let known = !name.ends_with(".md") || name == "SUMMARY.md" || chapters.contains(&page);
            assert!(known, "docs/SUMMARY.md does not have {page}");
        }
    }
}

/// All scenarios below `scenarios`, without their ending.
fn scenarios() -> Vec<String> {
    let mut found = Vec::new();
    let mut directories = vec![root().join("scenarios")];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "yaml")
                && std::fs::read_to_string(&path).expect("a file").contains("kind: Scenario")
            {
                let path = path.strip_prefix(root()).expect("below the root").with_extension("");
                found.push(path.to_string_lossy().into_owned());
            }
        }
    }
    found.retain(|path| !path.starts_with("scenarios/invalid/"));
    found.sort();
    found
}

fn link(path: &str) -> String {
    let name = path.rsplit('/').next().expect("a name");
    format!("[{name}](../{path}.yaml)")
}

/// By directory: questions and incidents in the order of their numbers, all with their line.
fn by_directory(page: &mut String) {
    let mut directories: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for path in scenarios() {
        let directory = path.rsplit_once('/').expect("a directory").0.to_owned();
        directories.entry(directory).or_default().push(path);
    }
    for (directory, paths) in directories {
        let title = match directory.as_str() {
            "scenarios/questions" => "By question".to_owned(),
            "scenarios/incidents" => "By incident".to_owned(),
            other => format!("`{other}`"),
        };
        writeln!(page, "\n## {title}\n").expect("text");
        for path in paths {
            let document = document(&format!("{path}.yaml"));
            let about = document["metadata"]["annotations"]["about"].as_str().unwrap_or("plain manifests");
            let about = about.split(" (https://").next().unwrap_or_default();
            writeln!(page, "- {}: {about}", link(&path)).expect("text");
        }
    }
}

/// By rule: of each a few scenarios that exercise it, those first that few rules have.
fn by_rule(page: &mut String) {
    let output = stsim(&["coverage", "scenarios", "-o", "json"]);
    let json: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let mut uses: BTreeMap<String, usize> = BTreeMap::new();
    let rules = json["rules"].as_array().expect("rules");
    let of = |rule: &Value| -> Vec<String> {
        let all = rule["scenarios"].as_array().into_iter().flatten();
        all.filter_map(|path| path.as_str().map(str::to_owned)).collect()
    };
    for path in rules.iter().flat_map(of) {
        *uses.entry(path).or_default() += 1;
    }
    writeln!(page, "\n## By rule\n\n| rule | scenarios that exercise it |\n| --- | --- |").expect("text");
    for rule in rules {
        let mut paths = of(rule);
        paths.sort_by_key(|path| (uses[path], path.clone()));
        let (shown, more) = (paths.len().min(PER_RULE), paths.len().saturating_sub(PER_RULE));
        if shown == 0 {
            continue;
        }
        let links: Vec<String> = paths[..shown].iter().map(|path| link(path)).collect();
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let (id, source) = (rule["id"].as_str().expect("an id"), rule["page"].as_str().expect("a page"));
        writeln!(page, "| [{id}](semantics/{source}) | {}{more} |", links.join(", ")).expect("text");
    }
}

#[test]
fn the_index_is_fresh() {
    let mut page = String::new();
    by_directory(&mut page);
    by_rule(&mut page);
    page.push('\n');
    for path in scenarios() {
        assert!(page.contains(&format!("(../{path}.yaml)")), "{path} is not in the index");
    }
    demand_fresh("docs/index.md", &page);
}
